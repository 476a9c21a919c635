/* look.h - what the looking commands (status, tree, events, diff, plan) share: the federated kinds,
 * objects and clusters of the hub, and the words by which people name them. */
#ifndef FEDLET_CLI_LOOK_H
#define FEDLET_CLI_LOOK_H

#include "cli/cli.h"
#include "cli/remedy.h"
#include "cli/show.h"
#include "proto/base/map.h"

#define LOOK_PAGE 500u /* objects that are asked for at a time */

/* A federated kind; its spans live in cli->doc. */
struct look_kind {
    struct fed_span group, version, plural, kind, singular;
    const struct fed_json *short_names;
    bool namespaced;
    bool is_namespace; /* FederatedNamespace */
    struct fed_span target_group, target_version, target_plural, target_kind;
    bool target_namespaced;
};

enum look_ready { LOOK_READY, LOOK_NOT_READY, LOOK_OFFLINE, LOOK_UNSEEN, LOOK_WORDS };
const char *look_ready_name(enum look_ready ready); /* "ready" ... */
struct look_cluster {
    struct fed_span name;
    enum look_ready ready;
    int64_t since_unix_s; /* 0: not known */
    struct fed_span message;
    int64_t removals; /* that wait for consent */
};

struct look {
    struct cli *cli;
    const struct cli_command *self;
    const char *ns_flag;         /* -n, NULL without */
    bool all_namespaces;         /* -A */
    bool all;                    /* --all */
    bool watch;                  /* --watch */
    bool exit_code;              /* --exit-code */
    bool appends;                /* look_repeat neither clears the screen nor dates the rounds */
    bool over;                   /* look_repeat ends with this round, and its code */
    unsigned refresh_ms;         /* between rounds of look_repeat without news; 0: 10 s */
    uint64_t until_ms;           /* look_repeat ends then, with CLI_TIMED_OUT; 0: never */
    bool patient;                /* a hub that is away is waited for, that long */
    const char *cluster;         /* --cluster */
    const char *cluster_context; /* --cluster-context */
    const char *file;            /* -f */
    struct look_kind *kinds;
    size_t n_kinds;
    struct look_cluster *clusters; /* by name */
    size_t n_clusters;
    struct fed_map by_name; /* of clusters */
    char version[32];       /* resourceVersion of what was read last, for look_repeat */
};

/* Options of the command, by getopt letters: n A a(ll) w(atch) e(xit-code) c(luster) x(context) f.
 * CLI_DONE to go on; *argc and *argv are what is left. */
enum cli_exit look_options(struct look *look, struct cli *cli, const struct cli_command *self,
    const char *letters, int *argc, char ***argv);
void look_fini(struct look *look);

/* Reads which kinds are federated. */
FED_MUST_USE enum fed_err look_kinds(struct look *look, struct fed_diag *diag);
FED_MUST_USE enum fed_err look_clusters(struct look *look, struct fed_diag *diag);
const struct look_cluster *look_cluster(const struct look *look, struct fed_span name);
/* The namespace to look in: -n, else that of the context. After the first question. */
const char *look_ns(const struct look *look);

/* The kind of a word: federated or member name, plural, singular, kind or short form, with or
 * without group. NULL when there is none. */
const struct look_kind *look_kind(const struct look *look, struct fed_span word);
/* RESOURCE/NAME to a kind and a name; says what is wrong, and what may have been meant. */
enum cli_exit look_name(
    struct look *look, const char *text, const struct look_kind **kind, const char **name);
/* The object. CLI_FAILED with the sentence, and with names that are near, when it is not there. */
enum cli_exit look_get(
    struct look *look, const struct look_kind *kind, const char *name, struct fed_json **out);

/* "/apis/GROUP/VERSION[/namespaces/NS]/PLURAL[/NAME]"; ns and name may be NULL. */
void look_path(const struct look_kind *kind, const char *ns, const char *name, struct fed_buf *out);
/* Every object of a list, page by page. The objects stay in the document of the round. */
typedef void look_each(void *ctx, struct fed_json *object);
FED_MUST_USE enum fed_err look_list(
    struct look *look, const char *path, look_each *each, void *ctx, struct fed_diag *diag);
/* The objects of the kind that -n and -A choose. */
FED_MUST_USE enum fed_err look_objects(struct look *look, const struct look_kind *kind,
    look_each *each, void *ctx, struct fed_diag *diag);

/* Shows again and again, each time that something behind path (a list) changes since look->version,
 * until interrupted, over, or until_ms: show is called once for each round, with a document of its
 * own, and leaves what it read last in look->version. */
void look_note_version(struct look *look, const struct fed_json *object); /* or list */
typedef enum cli_exit look_show(void *ctx);
enum cli_exit look_repeat(struct look *look, const char *path, look_show *show, void *ctx);

/* Time of "RFC 3339" as an age: "5m"; "" when it is none. */
void look_age(const struct look *look, int64_t since_unix_s, char out[32]);
int64_t look_time(const struct fed_json *text); /* Unix seconds; 0 when it is none */
const struct fed_json *look_condition(const struct fed_json *object, const char *type);
/* Text of a JSON string with its end, in the round's document; "" when it is none. */
const char *look_text(struct look *look, const struct fed_json *text);
const char *look_cstr(struct look *look, struct fed_span text);

#endif
