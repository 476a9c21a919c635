/* join.c - fedctl join: installs the agent as a pod in a member, by the member's API.
 *
 * KubeFed's join gives the host rights in the member; here the member's own agent dials the hub,
 * and only this command speaks to both. The flags of kubefedctl are taken. */
#include "cli/agent_install.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define TOKEN_BODY                                                                                 \
    "{\"apiVersion\":\"fedlet.io/v1alpha1\",\"kind\":\"JoinToken\",\"metadata\":{"                 \
    "\"generateName\":\"join\"},\"spec\":{\"ttl\":\"8760h\",\"uses\":1,\"approve\":\"auto\","      \
    "\"clusterName\":\"%s\"}}"
#define WAIT_MS (300u * 1000u)
#define POLL_MS 500u

struct joining {
    struct cli *cli;
    struct cli_common common;
    const char *cluster;
    const char *context;
    const char *image;
    const char *secret;
    const char *host_name; /* kubefedctl's: names what it makes in the member; nothing here does */
    const char *timeout;
    struct cli_list labels;
    bool error_on_existing;
    bool no_wait;
    uint64_t timeout_ms;
    struct fed_kube *member; /* NULL: manifests are only printed */
    struct fed_buf key_pem;
    char old_token[64];
    char token_id[64];
    struct fed_span token;
    bool known; /* an agent is installed there already */
    struct fed_diag diag;
};

/* ---- options ---- */

static enum cli_exit check_labels(const struct cli_command *self, const struct cli_list *labels)
{
    for (size_t i = 0; i < labels->n; i++) {
        struct fed_span text = fed_span_text(labels->at[i]);
        size_t equals = fed_span_find(text, '=');

        if (equals == text.len || !fed_text_is_label_key(fed_span_sub(text, 0, equals)) ||
            !fed_text_is_label_value(fed_span_sub(text, equals + 1, text.len)))
            return cli_misuse(self, "--label: \"%s\" is no KEY=VALUE", labels->at[i]);
    }
    return CLI_DONE;
}

static enum cli_exit read_flags(
    const struct cli_command *self, int argc, char **argv, struct joining *j)
{
    const struct cli_flag flags[] = {
        {"cluster-context", 0, CLI_FLAG_TEXT, &j->context},
        {"host-cluster-name", 0, CLI_FLAG_TEXT, &j->host_name},
        {"secret-name", 0, CLI_FLAG_TEXT, &j->secret},
        {"error-on-existing", 0, CLI_FLAG_SWITCH, &j->error_on_existing},
        {"image", 0, CLI_FLAG_TEXT, &j->image},
        {"label", 0, CLI_FLAG_LIST, &j->labels},
        {"timeout", 0, CLI_FLAG_TEXT, &j->timeout},
        {"no-wait", 0, CLI_FLAG_SWITCH, &j->no_wait},
    };
    struct cli_arguments arguments;

    if (cli_flags_read(self, argc, argv, flags, sizeof flags / sizeof *flags, &j->common,
            &arguments) != CLI_DONE)
        return CLI_USAGE;
    if (arguments.n != 1)
        return cli_misuse(self, arguments.n ? "takes one cluster name" : "NAME is required");
    j->cluster = arguments.at[0];
    if (!cli_is_name(j->cluster))
        return cli_misuse(
            self, "\"%s\" is not a cluster name (RFC 1123: a-z, 0-9, '-', '.')", j->cluster);
    if (!cli_is_name(j->secret))
        return cli_misuse(self, "--secret-name \"%s\" is not the name of a Secret", j->secret);
    if (j->timeout && (fed_text_duration_ms(fed_span_text(j->timeout), &j->timeout_ms) ||
                          j->timeout_ms > 86400000u))
        return cli_misuse(
            self, "--timeout takes a duration up to 24h, such as 5m, not \"%s\"", j->timeout);
    return check_labels(self, &j->labels);
}

/* ---- what there is ---- */

/* The key of an agent that is installed already is kept: it is its identity. */
static enum fed_err read_installed(struct joining *j)
{
    struct fed_json *secret = NULL;
    struct fed_span cluster;
    enum fed_err err = cli_agent_secret(j->cli, j->member, j->secret, &secret, &j->diag);

    if (err)
        return err == FED_ERR_NOT_FOUND ? FED_OK : fed_diag_prefix(&j->diag, err, "the member");
    cluster = cli_agent_note(secret, CLI_AGENT_CLUSTER);
    if (!fed_span_is(cluster, j->cluster))
        return fed_diag_set(&j->diag, FED_ERR_CONFLICT,
            "an agent of cluster \"" FED_SPAN_FMT
            "\" is installed there already; fedctl unjoin it first",
            FED_SPAN_ARG(cluster));
    if (j->error_on_existing)
        return fed_diag_set(&j->diag, FED_ERR_EXISTS, "the agent is installed there already");
    if (fed_span_to_cstr(
            cli_agent_note(secret, CLI_AGENT_TOKEN_ID), j->old_token, sizeof j->old_token))
        j->old_token[0] = '\0';
    err = fed_text_base64(
        fed_json_string(fed_json_get(fed_json_get(secret, "data"), "key.pem")), &j->key_pem);
    if (err || j->key_pem.len == 0)
        return fed_diag_set(&j->diag, FED_ERR_INVALID,
            "Secret %s there holds no key.pem; delete it, and join again", j->secret);
    j->known = true;
    return FED_OK;
}

/* A cluster that joined with another key is another one, or was here before: this is for a person
 * to decide. */
static enum fed_err check_name_free(struct joining *j)
{
    struct fed_json *request;
    char path[400];
    enum fed_err err;

    if (j->known)
        return FED_OK;
    snprintf(path, sizeof path, CLI_REQUESTS "/%s", j->cluster);
    err = cli_ask(j->cli, "GET", path, NULL, fed_span_text(""), &request, &j->diag);
    if (err == FED_ERR_NOT_FOUND)
        return FED_OK;
    return err ? err
               : fed_diag_set(&j->diag, FED_ERR_CONFLICT,
                     "the hub has a cluster of that name already, with another key; fedctl unjoin "
                     "it first");
}

static enum fed_err look(struct joining *j)
{
    enum fed_err err = cli_connect(j->cli, &j->diag);

    if (!err && (j->context || !j->cli->output))
        err =
            cli_connect_member(j->cli, j->context ? j->context : j->cluster, &j->member, &j->diag);
    if (!err && j->member)
        err = read_installed(j);
    return err ? err : check_name_free(j);
}

/* ---- key, token, manifests ---- */

static enum fed_err mint(struct joining *j)
{
    char body[600];
    struct fed_json *answer;
    enum fed_err err;

    snprintf(body, sizeof body, TOKEN_BODY, j->cluster);
    err = cli_ask(j->cli, "POST", CLI_TOKENS "?fieldManager=fedctl", "application/json",
        fed_span_text(body), &answer, &j->diag);
    if (err)
        return fed_diag_prefix(&j->diag, err, "cannot create a token");
    j->token = fed_json_string(fed_json_find(answer, "status.token"));
    if (j->token.len == 0 ||
        fed_span_to_cstr(fed_json_string(fed_json_find(answer, "metadata.name")), j->token_id,
            sizeof j->token_id))
        return fed_diag_set(&j->diag, FED_ERR_INVALID, "the hub answered without a token");
    return FED_OK;
}

static void revoke(struct joining *j, const char *id)
{
    struct fed_diag ignored = {""};
    struct fed_json *answer;
    char path[400];
    enum fed_err err;

    if (!id[0])
        return;
    snprintf(path, sizeof path, CLI_TOKENS "/%s", id);
    err = cli_ask(j->cli, "DELETE", path, NULL, fed_span_text(""), &answer, &ignored);
    if (err && err != FED_ERR_NOT_FOUND)
        fprintf(stderr, "fedctl: token %s is not used any more, and could not be revoked: %s\n", id,
            cli_why(&ignored, err));
}

static enum fed_err hand_over(struct joining *j)
{
    struct cli_agent agent = {.cluster = j->cluster,
        .image = j->image,
        .secret = j->secret,
        .token_id = j->token_id,
        .token = j->token,
        .key_pem = fed_buf_span(&j->key_pem),
        .labels = &j->labels};
    struct fed_json *manifests[CLI_AGENT_MANIFESTS];
    enum fed_err err = cli_agent_manifests(j->cli, &agent, manifests);

    if (err || !j->cli->output)
        return err ? err : cli_agent_apply(j->cli, j->member, j->secret, manifests, &j->diag);
    for (size_t i = 0; !err && i < CLI_AGENT_MANIFESTS; i++)
        err = cli_print_yaml(j->cli, manifests[i], &j->diag);
    return err;
}

static enum fed_err install(struct joining *j)
{
    const struct fed_crypto *crypto = j->cli->crypto;
    enum fed_err err = j->known ? FED_OK : crypto->key_new(crypto->ctx, &j->key_pem);

    if (!err)
        err = mint(j);
    if (err)
        return err;
    err = hand_over(j);
    /* The one that is not in use now would be a way in that nobody watches. */
    revoke(j, err ? j->token_id : j->old_token);
    return err;
}

/* ---- waiting ---- */

/* Why the pod does not run, in Kubernetes' words; "" when nothing is known. */
static void pod_trouble(struct joining *j, char out[200])
{
    static const char *const lists[] = {"status.initContainerStatuses", "status.containerStatuses"};
    struct fed_diag ignored = {""};
    struct fed_json *pods;

    out[0] = '\0';
    if (cli_ask_at(j->cli, j->member, "GET",
            "/api/v1/namespaces/" CLI_SYSTEM_NAMESPACE
            "/pods?labelSelector=app.kubernetes.io%2Fname%3D" CLI_AGENT,
            NULL, fed_span_text(""), &pods, &ignored))
        return;
    if (fed_json_count(fed_json_get(pods, "items")) == 0) {
        snprintf(out, 200, ": there is no pod yet");
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        const struct fed_json *list =
            fed_json_find(fed_json_at(fed_json_get(pods, "items"), 0), lists[i]);

        for (size_t k = 0; k < fed_json_count(list); k++) {
            struct fed_span reason =
                fed_json_string(fed_json_find(fed_json_at(list, k), "state.waiting.reason"));

            if (reason.len > 0 && !fed_span_is(reason, "PodInitializing")) {
                snprintf(out, 200, ": container " FED_SPAN_FMT ": " FED_SPAN_FMT,
                    FED_SPAN_ARG(fed_json_string(fed_json_get(fed_json_at(list, k), "name"))),
                    FED_SPAN_ARG(reason));
                return;
            }
        }
    }
}

/* FED_ERR_BUSY with what is waited for in said. */
static enum fed_err is_ready(struct joining *j, char said[300])
{
    struct fed_json *cluster = NULL;
    char path[400];
    char trouble[200];
    enum fed_err err;

    snprintf(path, sizeof path, CLI_CLUSTERS "/%s", j->cluster);
    err = cli_ask(j->cli, "GET", path, NULL, fed_span_text(""), &cluster, &j->diag);
    if (!err && strcmp(cli_cluster_ready(cluster), "True") == 0)
        return FED_OK;
    if (err && err != FED_ERR_NOT_FOUND)
        return err;
    if (!err && strcmp(cli_cluster_ready(cluster), "Unknown") != 0) {
        snprintf(said, 300, "waiting until cluster %s is ready", j->cluster);
    } else {
        pod_trouble(j, trouble);
        snprintf(said, 300, "waiting for the agent in cluster %s%s", j->cluster, trouble);
    }
    return FED_ERR_BUSY;
}

static enum fed_err wait_ready(struct joining *j)
{
    uint64_t until = fed_loop_now_ms(j->cli->loop) + j->timeout_ms;
    char said[300] = "";
    char before[300] = "";

    for (;;) {
        enum fed_err err = is_ready(j, said);

        if (err != FED_ERR_BUSY)
            return err;
        if (strcmp(said, before) != 0)
            fprintf(stderr, "%s\n", said);
        memcpy(before, said, sizeof before);
        if (fed_loop_now_ms(j->cli->loop) >= until)
            return fed_diag_set(&j->diag, FED_ERR_TIMEOUT,
                "not ready in time, %s; what was installed stays: see kubectl "
                "-n " CLI_SYSTEM_NAMESPACE " get pods there, or fedctl unjoin %s",
                said, j->cluster);
        err = cli_pause(j->cli, POLL_MS);
        if (err)
            return err;
    }
}

static enum fed_err join(struct joining *j)
{
    enum fed_err err = look(j);

    if (err)
        return err;
    if (j->common.dry_run) {
        fprintf(stderr, "would %s the agent of cluster %s: %s\n", j->known ? "update" : "install",
            j->cluster, j->image);
        return FED_OK;
    }
    err = install(j);
    if (err || j->cli->output)
        return err;
    fprintf(stderr, "agent of cluster %s %s\n", j->cluster, j->known ? "updated" : "installed");
    if (j->no_wait)
        return FED_OK;
    err = wait_ready(j);
    if (!err)
        fprintf(stderr, "cluster %s is ready\n", j->cluster);
    return err;
}

enum cli_exit cli_join(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct joining j = {
        .cli = cli, .image = CLI_AGENT_IMAGE, .secret = CLI_AGENT_SECRET, .timeout_ms = WAIT_MS};
    enum fed_err err;

    if (read_flags(self, argc, argv, &j) != CLI_DONE)
        return CLI_USAGE;
    fed_buf_init(&j.key_pem, cli->mem, 16384);
    err = join(&j);
    fed_buf_fini(&j.key_pem);
    return err ? cli_fail("cannot join %s: %s", j.cluster, cli_why(&j.diag, err)) : CLI_DONE;
}
