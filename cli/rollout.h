/* rollout.h - Rollouts of fedlet.io/v1alpha1 as people see and steer them.
 *
 * A Rollout is named by itself (rollout/web-5) or by the federated object that it carries
 * (federateddeployment/web). An object has several: the one that is going on, one that is queued
 * behind it, and those that ended. What is printed comes from the Rollout's own spec and status;
 * nothing is computed here that the hub knows better. */
#ifndef FEDLET_CLI_ROLLOUT_H
#define FEDLET_CLI_ROLLOUT_H

#include "cli/look.h"

#define ROLLOUT_GROUP "/apis/fedlet.io/v1alpha1"

/* ---- one Rollout: rollout_show.c, pure ---- */

/* What is left to wait for, which is also how `wait` ends. */
enum rollout_verdict {
    ROLLOUT_GOES_ON,
    ROLLOUT_DONE,       /* Complete */
    ROLLOUT_FAILED,     /* RolledBack, Aborted */
    ROLLOUT_SUPERSEDED, /* another one took its place */
    ROLLOUT_WAITS       /* for a person: Paused, AwaitingApproval, or policies that conflict */
};
enum rollout_verdict rollout_verdict(const struct fed_json *rollout);
bool rollout_is_over(const struct fed_json *rollout);
struct fed_span rollout_phase(const struct fed_json *rollout); /* "Pending" before it has any */
int64_t rollout_count(const struct fed_json *rollout, const char *what); /* status.clusters.WHAT */
/* KIND NAMESPACE/NAME of the object that it carries. */
void rollout_put_object(const struct fed_json *rollout, struct fed_buf *out);
/* What happens next, when, and what it waits for, in one line; nothing when nothing does. */
void rollout_put_next(const struct fed_json *rollout, int64_t now_unix_s, struct fed_buf *out);
/* Where it stands, in one line without the time of now: equal lines are no news. */
void rollout_put_line(const struct fed_json *rollout, struct fed_buf *out);
/* A command that steers it: "fedctl rollout VERB -n NS rollout/NAME". */
void rollout_put_command(const struct fed_json *rollout, const char *verb, struct fed_buf *out);
/* The whole picture: waves as a tree, failures by cause, conditions that need somebody, who did
 * what. */
void rollout_print(const struct fed_json *rollout, int64_t now_unix_s, FILE *to);

/* ---- finding them: rollout_find.c ---- */

enum rollout_choice {
    ROLLOUT_CURRENT, /* the one that is going on, else the last that was not queued */
    ROLLOUT_NEWEST   /* the last change's, queued or not */
};
struct rollout_name {
    struct look *look;
    const char *text;             /* as it was written */
    const struct look_kind *kind; /* NULL: name is that of the Rollout itself */
    const char *name;
};
/* How long to wait for a hub that is away after so long a wait; 0: the first one. */
unsigned rollout_away_ms(unsigned former_ms);
/* KIND/NAME or rollout/NAME. CLI_DONE to go on. */
enum cli_exit rollout_name_read(struct look *look, const char *text, struct rollout_name *out);
/* The collection to list or watch: the Rollout's own, or the object's. */
FED_MUST_USE enum fed_err rollout_name_path(const struct rollout_name *name, struct fed_buf *out);
/* Reads it anew; look->version is what to watch from. FED_ERR_NOT_FOUND when there is none: diag
 * says so, and what to do. */
FED_MUST_USE enum fed_err rollout_read(const struct rollout_name *name, enum rollout_choice choice,
    struct fed_json **out, struct fed_diag *diag);
/* Whether the Rollout carries the object of that name. */
bool rollout_is_of(const struct fed_json *rollout, const struct rollout_name *name);
/* "/apis/.../rollouts/NAME" of a Rollout. */
void rollout_put_path(const struct fed_json *rollout, struct fed_buf *out);

/* ---- more of one: rollout_more.c ---- */

/* The clusters, page by page, as a table or as JSON; state and wave may be NULL. */
enum cli_exit rollout_clusters(
    struct look *look, const struct fed_json *rollout, const char *state, const char *wave);
/* What the change changes, as diff -u shows it. */
enum cli_exit rollout_difference(struct look *look, const struct fed_json *rollout);

enum cli_exit cli_rollout_list(
    struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_rollout_status(
    struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_rollout_watch(
    struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_rollout_wait(
    struct cli *cli, const struct cli_command *self, int argc, char **argv);
/* pause, resume, approve, retry, abort, undo */
enum cli_exit cli_rollout_act(
    struct cli *cli, const struct cli_command *self, int argc, char **argv);

#endif
