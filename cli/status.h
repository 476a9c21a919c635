/* status.h - where one federated object stands, as the hub's API tells it: from status.clusters and
 * the Propagation condition, what is known of the clusters, and the events of the object. */
#ifndef FEDLET_CLI_STATUS_H
#define FEDLET_CLI_STATUS_H

#include "cli/look.h"

struct status_row {
    struct fed_span cluster;
    enum cli_state state;
    struct fed_span word;    /* KubeFed's, "" when applied */
    struct fed_span message; /* the member's, or what is known of the cluster */
    struct fed_span health;
    struct fed_span version; /* of the member's object: "gen:4", "rv:123"; "" */
    int64_t since_unix_s; /* 0: not known */
    const char *remedy;   /* "" */
};
struct status_group { /* rows of the same state, word and message */
    const struct status_row *first;
    size_t n;
};
struct status_object {
    const struct look_kind *kind;
    const struct fed_json *object;
    struct fed_span ns, name;
    int64_t generation, observed;
    bool deleting;
    struct fed_span problem; /* a word that holds for all: NamespaceNotFederated ...; "" */
    struct fed_span problem_message;
    int64_t since_unix_s;    /* of the Propagation condition */
    struct status_row *rows; /* worst first, then by name */
    size_t n_rows;
    size_t counts[CLI_STATES];
    struct status_group *groups; /* of what is not applied */
    size_t n_groups;
};

/* look has its clusters. *out ends with status_fini. FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err status_take(struct look *look, const struct look_kind *kind,
    const struct fed_json *object, struct status_object *out);
/* Puts times of its events into the rows; without events nothing changes. */
void status_take_events(struct look *look, struct status_object *status);
void status_fini(struct status_object *status);
/* The worst of all; a problem counts as refused, an object that is going as removing. */
enum cli_state status_worst(const struct status_object *status);
bool status_is_applied(const struct status_object *status);
/* "1 of 3" and the first reason, for one line. */
void status_sentence(const struct status_object *status, char *out, size_t size);
enum cli_color status_color(enum cli_state state);
/* "2 applied, 1 failed" */
void status_counts(const size_t counts[CLI_STATES], char *out, size_t size);
FED_MUST_USE enum fed_err status_json_counts(
    struct look *look, struct fed_json *to, const size_t counts[CLI_STATES]);
FED_MUST_USE enum fed_err status_json_time(
    struct look *look, struct fed_json *to, const char *key, int64_t unix_s);

/* The federation as a whole: status_federation.c. */
enum cli_exit status_federation(void *look);

#endif
