/* cli.h - what every fedctl command gets, and the table of commands.
 *
 * fedctl uses the hub's public API only. Data goes to stdout, everything else to stderr; exit
 * codes: 0 done, 1 failed, 2 wrong usage; of `rollout wait` also 2 for a rollout that waits for
 * somebody, and 124 when the time is over, as timeout(1) has it. */
#ifndef FEDLET_CLI_CLI_H
#define FEDLET_CLI_CLI_H

#include "ports/crypto.h"
#include "ports/fs.h"
#include "ports/kube.h"
#include "ports/loop.h"
#include "proto/object/json.h"

#define CLI_SYSTEM_NAMESPACE "kube-federation-system"
#define CLI_TOKENS "/apis/fedlet.io/v1alpha1/namespaces/" CLI_SYSTEM_NAMESPACE "/jointokens"
#define CLI_REQUESTS "/apis/fedlet.io/v1alpha1/namespaces/" CLI_SYSTEM_NAMESPACE "/joinrequests"
#define CLI_CLUSTERS                                                                               \
    "/apis/core.kubefed.io/v1beta1/namespaces/" CLI_SYSTEM_NAMESPACE "/kubefedclusters"

enum cli_exit { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_WAITING = 2, CLI_TIMED_OUT = 124 };

struct cli {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    /* Runs the loop until it is stopped. */
    enum fed_err (*run)(void *ctx);
    void *run_ctx;
    /* Opens the connection to the hub at first use: commands that need none work without a
     * kubeconfig. */
    enum fed_err (*connect)(void *ctx, struct fed_kube **out, struct fed_diag *diag);
    void *connect_ctx;
    struct fed_kube *kube;
    /* Opens a connection to another cluster of the kubeconfig, by its context; the connection and
     * *config live until the end. */
    enum fed_err (*connect_member)(void *ctx, const char *context, struct fed_kube **out,
        const struct fed_kube_config **config, struct fed_diag *diag);
    struct fed_json_doc *doc; /* all answers live in it until the end */
    bool json;                /* -o json */
    const char *output;       /* what -o says; NULL without it */
    struct fed_fs *fs;
    const struct fed_kube_config *config; /* of the hub; filled from the first question on */
    const struct fed_crypto *crypto;      /* usable once a connection was opened */
};

/* What -o of a command may say. */
enum cli_output {
    CLI_OUTPUT_JSON,
    CLI_OUTPUT_FILE,
    CLI_OUTPUT_YAML,
    CLI_OUTPUT_JSON_WIDE, /* json or wide */
    CLI_OUTPUT_JSON_YAML  /* json or yaml */
};

struct cli_command {
    const char *name;    /* "token create" */
    const char *usage;   /* "[--ttl 24h] ..." */
    const char *summary; /* one line */
    const char *help;    /* what --help says below usage, with examples */
    const char *options; /* long options for completion, space-separated */
    enum cli_exit (*call)(struct cli *cli, const struct cli_command *self, int argc, char **argv);
    enum cli_output output;
};
extern const struct cli_command cli_commands[];
extern const size_t cli_n_commands;

/* Asks the hub and waits. body: JSON or empty; *out is the parsed answer. An answer of 400 and
 * above is FED_ERR_INVALID (or NOT_FOUND, FORBIDDEN, CONFLICT) with the server's own message in
 * diag. */
FED_MUST_USE enum fed_err cli_ask(struct cli *cli, const char *method, const char *path,
    const char *content_type, struct fed_span body, struct fed_json **out, struct fed_diag *diag);
/* The same of any server; NULL is the hub. */
FED_MUST_USE enum fed_err cli_ask_at(struct cli *cli, struct fed_kube *server, const char *method,
    const char *path, const char *content_type, struct fed_span body, struct fed_json **out,
    struct fed_diag *diag);
/* The same with a tree as the body, as application/json. */
FED_MUST_USE enum fed_err cli_send(struct cli *cli, struct fed_kube *server, const char *method,
    const char *path, const struct fed_json *body, struct fed_json **out, struct fed_diag *diag);
/* Creates an object of the hub, path of its collection: again for 10 s while its kind is not
 * served, as after its type was enabled; a namespace that is missing looks the same
 * (FED_ERR_NOT_FOUND). */
FED_MUST_USE enum fed_err cli_create(
    struct cli *cli, const char *path, const struct fed_json *object, struct fed_diag *diag);
/* A text as it stands in a path or a query: all but unreserved characters (RFC 3986 section 2.3)
 * and the colon percent-encoded. */
void cli_put_escaped(struct fed_buf *out, struct fed_span text);
/* Opens a connection to the cluster of that context of the kubeconfig, kept until the end. */
FED_MUST_USE enum fed_err cli_connect_member(
    struct cli *cli, const char *context, struct fed_kube **out, struct fed_diag *diag);
/* Opens the connection to the hub, so that cli->config and cli->crypto can be used. */
FED_MUST_USE enum fed_err cli_connect(struct cli *cli, struct fed_diag *diag);
/* Lets time pass. FED_ERR_CLOSED when interrupted. */
FED_MUST_USE enum fed_err cli_pause(struct cli *cli, unsigned ms);
/* A file, or standard input for "-". */
FED_MUST_USE enum fed_err cli_read_file(
    struct cli *cli, const char *path, struct fed_buf *out, struct fed_diag *diag);
/* "---" and the tree as YAML, to stdout. */
FED_MUST_USE enum fed_err cli_print_yaml(
    struct cli *cli, const struct fed_json *value, struct fed_diag *diag);
/* Why an error came about: diag's sentence, else the general one. */
const char *cli_why(const struct fed_diag *diag, enum fed_err err);
/* Prints "fedctl: ..." and gives CLI_FAILED. */
FED_PRINTF(1, 2) enum cli_exit cli_fail(const char *format, ...);
/* Prints the sentence and how to get help, gives CLI_USAGE. */
FED_PRINTF(2, 3) enum cli_exit cli_misuse(const struct cli_command *self, const char *format, ...);
void cli_print_json(const struct fed_json *value); /* indented, to stdout */
/* A name that may stand in a path. */
bool cli_is_name(const char *text);

/* What a KubeFedCluster says: "True", "False", "Offline" (not heard of), "Unknown" (never). */
const char *cli_cluster_ready(const struct fed_json *cluster);
/* CLI_DONE when a person says yes to the question, CLI_FAILED for no; without a terminal nobody can
 * be asked, and it is CLI_USAGE after having said so. */
enum cli_exit cli_confirm(const struct cli_command *self, const char *question);

/* A table on stdout: cells are kept until _print, columns padded by three spaces as kubectl does.
 */
#define CLI_COLUMNS_MAX 8u
struct cli_table {
    size_t columns;
    size_t rows;
    size_t cap;
    char (*cells)[64];
};
void cli_table_init(struct cli_table *table, size_t columns);
void cli_table_add(struct cli_table *table, const char *const *cells);
void cli_table_print(struct cli_table *table); /* and frees it */

enum cli_exit cli_token_create(
    struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_token_list(
    struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_token_revoke(
    struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_clusters(struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_approve(struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_console(struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_user_add(struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_user_list(struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_user_remove(
    struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_enable(struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_disable(struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_federate_command(
    struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_orphaning(struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_import_command(
    struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_join(struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_unjoin(struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_status(struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_tree(struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_events(struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_diff(struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_plan(struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_plan_replicas(
    struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_completion(
    struct cli *cli, const struct cli_command *self, int argc, char **argv);
enum cli_exit cli_version(struct cli *cli, const struct cli_command *self, int argc, char **argv);

#endif
