/* unjoin.c - fedctl unjoin: takes a cluster out of the federation.
 *
 * In this order, so that nothing comes back: the agent in the member ends (with --cluster-context),
 * then, with --cleanup, what it applied, then its own objects, then the hub forgets the cluster and
 * its key. As with KubeFed what was propagated stays in the member otherwise. An agent that is no
 * pod is not reached from here: it is cut off, and `fedlet leave` on its machine ends it. */
#include "cli/agent_install.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define STOP_MS (120u * 1000u)

struct unjoining {
    struct cli *cli;
    struct cli_common common;
    const char *cluster;
    const char *context;
    const char *secret;
    const char *host_name; /* kubefedctl's; nothing here is named by it */
    bool force;
    bool orphan;
    bool cleanup;
    bool yes;
    struct fed_kube *member;
    char token_id[64];
    bool at_hub;
    bool installed;
    struct fed_diag diag;
};

static enum cli_exit read_flags(
    const struct cli_command *self, int argc, char **argv, struct unjoining *u)
{
    const struct cli_flag flags[] = {
        {"cluster-context", 0, CLI_FLAG_TEXT, &u->context},
        {"host-cluster-name", 0, CLI_FLAG_TEXT, &u->host_name},
        {"secret-name", 0, CLI_FLAG_TEXT, &u->secret},
        {"force", 0, CLI_FLAG_SWITCH, &u->force},
        {"orphan", 0, CLI_FLAG_SWITCH, &u->orphan},
        {"cleanup", 0, CLI_FLAG_SWITCH, &u->cleanup},
        {"yes", 'y', CLI_FLAG_SWITCH, &u->yes},
    };
    struct cli_arguments arguments;

    if (cli_flags_read(self, argc, argv, flags, sizeof flags / sizeof *flags, &u->common,
            &arguments) != CLI_DONE)
        return CLI_USAGE;
    if (arguments.n != 1)
        return cli_misuse(self, arguments.n ? "takes one cluster name" : "NAME is required");
    u->cluster = arguments.at[0];
    if (!cli_is_name(u->cluster))
        return cli_misuse(self, "\"%s\" is not a cluster's name", u->cluster);
    if (!cli_is_name(u->secret))
        return cli_misuse(self, "--secret-name \"%s\" is not the name of a Secret", u->secret);
    if (u->orphan && u->cleanup)
        return cli_misuse(self, "--orphan and --cleanup exclude each other");
    if (u->cleanup && !u->context)
        return cli_misuse(self, "--cleanup needs --cluster-context");
    return CLI_DONE;
}

/* ---- what there is ---- */

static enum fed_err look_at_hub(struct unjoining *u)
{
    struct fed_json *object;
    char path[400];
    enum fed_err err;

    snprintf(path, sizeof path, CLI_CLUSTERS "/%s", u->cluster);
    err = cli_ask(u->cli, "GET", path, NULL, fed_span_text(""), &object, &u->diag);
    if (err == FED_ERR_NOT_FOUND) { /* one that only asked to join */
        snprintf(path, sizeof path, CLI_REQUESTS "/%s", u->cluster);
        err = cli_ask(u->cli, "GET", path, NULL, fed_span_text(""), &object, &u->diag);
    }
    u->at_hub = !err;
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

/* An agent of another name there is none of our business. */
static enum fed_err look_at_member(struct unjoining *u)
{
    struct fed_json *secret;
    struct fed_span cluster;
    enum fed_err err = cli_connect_member(u->cli, u->context, &u->member, &u->diag);

    if (!err)
        err = cli_agent_secret(u->cli, u->member, u->secret, &secret, &u->diag);
    if (err)
        return err == FED_ERR_NOT_FOUND && u->member ? FED_OK : err;
    cluster = cli_agent_note(secret, CLI_AGENT_CLUSTER);
    if (!fed_span_is(cluster, u->cluster))
        return fed_diag_set(&u->diag, FED_ERR_CONFLICT,
            "the agent in the cluster of context \"%.100s\" is that of \"" FED_SPAN_FMT "\"",
            u->context, FED_SPAN_ARG(cluster));
    u->installed = true;
    if (fed_span_to_cstr(
            cli_agent_note(secret, CLI_AGENT_TOKEN_ID), u->token_id, sizeof u->token_id))
        u->token_id[0] = '\0';
    return FED_OK;
}

/* ---- the member ---- */

static enum fed_err clear_member(struct unjoining *u)
{
    size_t n = 0;
    enum fed_err err;

    if (!u->installed && u->cleanup)
        return fed_diag_set(&u->diag, FED_ERR_UNSUPPORTED,
            "the agent of %s is no pod in the cluster of context \"%.100s\", and would put back "
            "what is removed: run `fedlet leave` on its machine instead",
            u->cluster, u->context);
    if (!u->installed)
        return FED_OK;
    err = cli_agent_stop(u->cli, u->member, STOP_MS, &u->diag);
    if (!err && u->cleanup)
        err = cli_member_clean(u->cli, u->member, &n, &u->diag);
    if (!err)
        err = cli_agent_remove(u->cli, u->member, u->secret, &u->diag);
    if (err)
        return err;
    fprintf(stderr, "agent of cluster %s removed", u->cluster);
    if (u->cleanup)
        fprintf(stderr, ", and %zu object%s that it had applied", n, n == 1 ? "" : "s");
    fputc('\n', stderr);
    return FED_OK;
}

/* ---- the hub ---- */

static enum fed_err delete_there(struct unjoining *u, const char *list, const char *name)
{
    struct fed_json *answer;
    char path[400];
    enum fed_err err;

    snprintf(path, sizeof path, "%s/%s", list, name);
    err = cli_ask(u->cli, "DELETE", path, NULL, fed_span_text(""), &answer, &u->diag);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

/* With the KubeFedCluster goes the join request, which is the record of its key; a request that
 * waits has no KubeFedCluster. */
static enum fed_err forget(struct unjoining *u)
{
    enum fed_err err = delete_there(u, CLI_CLUSTERS, u->cluster);

    if (!err)
        err = delete_there(u, CLI_REQUESTS, u->cluster);
    if (!err && u->token_id[0])
        err = delete_there(u, CLI_TOKENS, u->token_id);
    return err;
}

static enum cli_exit confirm(const struct cli_command *self, const struct unjoining *u)
{
    char question[600];

    if (u->yes || u->common.dry_run)
        return CLI_DONE;
    snprintf(question, sizeof question,
        "Take cluster %s out of the federation? What was propagated there %s.", u->cluster,
        u->cleanup ? "is DELETED" : "stays");
    return cli_confirm(self, question);
}

static enum fed_err unjoin(struct unjoining *u)
{
    enum fed_err err = FED_OK;

    if (u->context)
        err = look_at_member(u);
    if (!err && u->context && !u->common.dry_run)
        err = clear_member(u);
    if (err && !u->force)
        return err;
    if (err)
        fprintf(stderr, "fedctl: going on without the member: %s\n", cli_why(&u->diag, err));
    if (u->common.dry_run)
        return FED_OK;
    return forget(u);
}

static void report(const struct unjoining *u)
{
    if (u->common.dry_run)
        fprintf(stderr, "would take cluster %s out%s\n", u->cluster,
            u->installed ? ", and remove its agent" : "");
    else
        fprintf(stderr, "cluster %s is out of the federation; it may join again under that name\n",
            u->cluster);
    if (!u->context)
        fprintf(stderr,
            "its agent cannot speak to the hub any more; `fedlet leave` on its machine, or this "
            "command with --cluster-context for a pod, removes it\n");
}

enum cli_exit cli_unjoin(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct unjoining u = {.cli = cli, .secret = CLI_AGENT_SECRET};
    enum cli_exit answer;
    enum fed_err err;

    if (read_flags(self, argc, argv, &u) != CLI_DONE)
        return CLI_USAGE;
    err = look_at_hub(&u);
    if (!err && !u.at_hub && !u.context)
        return cli_fail(
            "there is no cluster %s; `fedctl clusters` shows those there are", u.cluster);
    answer = err ? CLI_DONE : confirm(self, &u);
    if (answer != CLI_DONE)
        return answer;
    if (!err)
        err = unjoin(&u);
    if (err)
        return cli_fail("cannot unjoin %s: %s", u.cluster, cli_why(&u.diag, err));
    report(&u);
    return CLI_DONE;
}
