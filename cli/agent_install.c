/* agent_install.c - see agent_install.h. */
#include "cli/agent_install.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define POLL_MS 300u
#define NAMESPACE_MS 60000u
#define NS_PATH "/api/v1/namespaces/" CLI_SYSTEM_NAMESPACE
#define DEPLOYMENT_PATH "/apis/apps/v1/namespaces/" CLI_SYSTEM_NAMESPACE "/deployments/" CLI_AGENT
#define PODS_PATH NS_PATH "/pods?labelSelector=app.kubernetes.io%2Fname%3D" CLI_AGENT
#define SELECTED "\"app.kubernetes.io/name\":\"" CLI_AGENT "\""
#define LABELS "{" SELECTED ",\"" CLI_AGENT_MANAGED "\":\"fedctl\"}"
#define IN_NAMESPACE "\"namespace\":\"" CLI_SYSTEM_NAMESPACE "\""

enum manifest { NAMESPACE, ACCOUNT, ROLE, BINDING, SECRET, DEPLOYMENT };

static const char *const texts[CLI_AGENT_MANIFESTS] = {
    [NAMESPACE] =
        "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":"
        "\"" CLI_SYSTEM_NAMESPACE "\",\"labels\":{\"" CLI_AGENT_MANAGED "\":\"fedctl\"}}}",
    [ACCOUNT] = "{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":"
                "\"" CLI_AGENT "\"," IN_NAMESPACE ",\"labels\":" LABELS "}}",
    [ROLE] = "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRole\","
             "\"metadata\":{\"name\":\"" CLI_AGENT "\",\"labels\":" LABELS "},\"rules\":[{"
             "\"apiGroups\":[\"*\"],\"resources\":[\"*\"],\"verbs\":[\"*\"]},{"
             "\"nonResourceURLs\":[\"*\"],\"verbs\":[\"get\"]}]}",
    [BINDING] =
        "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRoleBinding\","
        "\"metadata\":{\"name\":\"" CLI_AGENT "\",\"labels\":" LABELS "},\"roleRef\":{"
        "\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"ClusterRole\",\"name\":\"" CLI_AGENT
        "\"},\"subjects\":[{\"kind\":\"ServiceAccount\",\"name\":\"" CLI_AGENT "\"," IN_NAMESPACE
        "}]}",
    [SECRET] = "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"type\":\"Opaque\",\"metadata\":{"
               "" IN_NAMESPACE ",\"labels\":" LABELS ",\"annotations\":{}},\"data\":{}}",
    [DEPLOYMENT] =
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"" CLI_AGENT
        "\"," IN_NAMESPACE ",\"labels\":" LABELS "},\"spec\":{\"replicas\":1,"
        "\"strategy\":{\"type\":\"Recreate\"},\"selector\":{\"matchLabels\":{" SELECTED "}},"
        "\"template\":{\"metadata\":{\"labels\":" LABELS "},\"spec\":{"
        "\"serviceAccountName\":\"" CLI_AGENT "\",\"securityContext\":{\"runAsNonRoot\":true,"
        "\"runAsUser\":65532,\"runAsGroup\":65532,\"fsGroup\":65532,"
        "\"seccompProfile\":{\"type\":\"RuntimeDefault\"}},\"volumes\":["
        "{\"name\":\"state\",\"emptyDir\":{}},"
        "{\"name\":\"identity\",\"secret\":{\"defaultMode\":288}}],"
        "\"initContainers\":[{\"name\":\"join\"}],\"containers\":[{\"name\":\"fedlet\","
        "\"args\":[\"run\",\"--state-dir\",\"/var/lib/fedlet\"],"
        "\"livenessProbe\":{\"exec\":{\"command\":[\"/usr/bin/fedlet\",\"status\",\"--state-dir\","
        "\"/var/lib/fedlet\"]},\"initialDelaySeconds\":30,\"periodSeconds\":60,"
        "\"timeoutSeconds\":10,\"failureThreshold\":5}}]}}}}"};

/* What both containers have besides. */
static const char container[] =
    "{\"command\":[\"/usr/bin/fedlet\"],\"resources\":{\"requests\":{\"cpu\":\"10m\","
    "\"memory\":\"16Mi\"},\"limits\":{\"memory\":\"256Mi\"}},\"securityContext\":{"
    "\"allowPrivilegeEscalation\":false,\"readOnlyRootFilesystem\":true,\"capabilities\":{"
    "\"drop\":[\"ALL\"]}},\"volumeMounts\":[{\"name\":\"state\",\"mountPath\":\"/var/lib/fedlet\"},"
    "{\"name\":\"identity\",\"mountPath\":\"/var/lib/fedlet/key.pem\",\"subPath\":\"key.pem\","
    "\"readOnly\":true},{\"name\":\"identity\",\"mountPath\":\"/etc/fedlet/token\","
    "\"subPath\":\"token\",\"readOnly\":true}]}";

void cli_agent_path(size_t index, const char *secret, char out[400])
{
    static const char *const paths[CLI_AGENT_MANIFESTS] = {[NAMESPACE] = NS_PATH,
        [ACCOUNT] = NS_PATH "/serviceaccounts/" CLI_AGENT,
        [ROLE] = "/apis/rbac.authorization.k8s.io/v1/clusterroles/" CLI_AGENT,
        [BINDING] = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/" CLI_AGENT,
        [SECRET] = NS_PATH "/secrets/",
        [DEPLOYMENT] = DEPLOYMENT_PATH};

    snprintf(out, 400, "%s%.253s", paths[index], index == SECRET ? secret : "");
}

/* ---- making ---- */

static enum fed_err set_base64(
    struct cli *cli, struct fed_json *data, const char *key, struct fed_span bytes)
{
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, cli->mem, 64u << 10);
    fed_text_put_base64(&text, bytes);
    err = fed_buf_err(&text);
    if (!err)
        err = fed_json_set_string(cli->doc, data, key, fed_buf_span(&text));
    fed_buf_fini(&text);
    return err;
}

static enum fed_err fill_secret(
    struct cli *cli, const struct cli_agent *agent, struct fed_json *secret)
{
    struct fed_json *metadata = fed_json_get(secret, "metadata");
    struct fed_json *notes = fed_json_get(metadata, "annotations");
    struct fed_json *data = fed_json_get(secret, "data");
    enum fed_err err = fed_json_set_text(cli->doc, metadata, "name", agent->secret);

    if (!err)
        err = fed_json_set_text(cli->doc, notes, CLI_AGENT_CLUSTER, agent->cluster);
    if (!err)
        err = fed_json_set_text(cli->doc, notes, CLI_AGENT_TOKEN_ID, agent->token_id);
    if (!err)
        err = set_base64(cli, data, "token", agent->token);
    return err ? err : set_base64(cli, data, "key.pem", agent->key_pem);
}

static enum fed_err set_args(
    struct cli *cli, const struct cli_agent *agent, struct fed_json *init_container)
{
    const char *const fixed[] = {"join", "--token-file", "/etc/fedlet/token", "--name",
        agent->cluster, "--state-dir", "/var/lib/fedlet"};
    struct fed_json *args = fed_json_new_array(cli->doc);
    enum fed_err err = args ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < sizeof fixed / sizeof *fixed; i++)
        err = fed_json_append(args, fed_json_new_text(cli->doc, fixed[i]));
    for (size_t i = 0; !err && agent->labels && i < agent->labels->n; i++) {
        err = fed_json_append(args, fed_json_new_text(cli->doc, "--label"));
        if (!err)
            err = fed_json_append(args, fed_json_new_text(cli->doc, agent->labels->at[i]));
    }
    return err ? err : fed_json_set(cli->doc, init_container, "args", args);
}

static enum fed_err fill_container(
    struct cli *cli, const struct cli_agent *agent, struct fed_json *one)
{
    struct fed_json *more;
    struct fed_json_iter it;
    enum fed_err err = fed_json_parse(cli->doc, fed_span_text(container), &more, NULL);

    if (!err)
        err = fed_json_set_text(cli->doc, one, "image", agent->image);
    if (err)
        return err;
    fed_json_iter_init(&it, more);
    while (!err && fed_json_iter_next(&it))
        err = fed_json_set_span(cli->doc, one, it.key, fed_json_clone(cli->doc, it.value));
    return err;
}

static enum fed_err fill_deployment(
    struct cli *cli, const struct cli_agent *agent, struct fed_json *deployment)
{
    struct fed_json *pod = fed_json_find(deployment, "spec.template.spec");
    struct fed_json *init = fed_json_at(fed_json_get(pod, "initContainers"), 0);
    struct fed_json *identity =
        fed_json_get(fed_json_at(fed_json_get(pod, "volumes"), 1), "secret");
    enum fed_err err = fed_json_set_text(cli->doc, identity, "secretName", agent->secret);

    if (!err)
        err = set_args(cli, agent, init);
    if (!err)
        err = fill_container(cli, agent, init);
    return err ? err : fill_container(cli, agent, fed_json_at(fed_json_get(pod, "containers"), 0));
}

enum fed_err cli_agent_manifests(
    struct cli *cli, const struct cli_agent *agent, struct fed_json *out[CLI_AGENT_MANIFESTS])
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < CLI_AGENT_MANIFESTS; i++)
        err = fed_json_parse(cli->doc, fed_span_text(texts[i]), &out[i], NULL);
    if (!err)
        err = fill_secret(cli, agent, out[SECRET]);
    return err ? err : fill_deployment(cli, agent, out[DEPLOYMENT]);
}

/* ---- the member ---- */

enum fed_err cli_agent_secret(struct cli *cli, struct fed_kube *member, const char *secret,
    struct fed_json **out, struct fed_diag *diag)
{
    char path[400];

    cli_agent_path(SECRET, secret, path);
    return cli_ask_at(cli, member, "GET", path, NULL, fed_span_text(""), out, diag);
}

struct fed_span cli_agent_note(const struct fed_json *secret, const char *key)
{
    return fed_json_string(fed_json_get(fed_json_find(secret, "metadata.annotations"), key));
}

static enum fed_err apply(struct cli *cli, struct fed_kube *member, const char *path,
    const struct fed_json *manifest, struct fed_diag *diag)
{
    char query[500];
    struct fed_buf text;
    struct fed_json *answer;
    enum fed_err err;

    snprintf(query, sizeof query, "%s?fieldManager=fedctl&force=true", path);
    fed_buf_init(&text, cli->mem, FED_JSON_BYTES_MAX);
    err = fed_json_put(&text, manifest);
    if (!err)
        err = cli_ask_at(cli, member, "PATCH", query, "application/apply-patch+yaml",
            fed_buf_span(&text), &answer, diag);
    fed_buf_fini(&text);
    return err ? fed_diag_prefix(diag, err, "%s", path) : FED_OK;
}

/* One that is there is not ours to mark: it would be deleted by unjoin. One that is on its way out,
 * after an unjoin, is waited for. */
static enum fed_err create_namespace(struct cli *cli, struct fed_kube *member,
    const struct fed_json *manifest, struct fed_diag *diag)
{
    uint64_t until = fed_loop_now_ms(cli->loop) + NAMESPACE_MS;
    struct fed_json *answer = NULL;
    enum fed_err err;

    for (;;) {
        err = cli_ask_at(cli, member, "GET", NS_PATH, NULL, fed_span_text(""), &answer, diag);
        if (err == FED_ERR_NOT_FOUND)
            err = cli_send(cli, member, "POST", "/api/v1/namespaces?fieldManager=fedctl", manifest,
                &answer, diag);
        if (err || !fed_json_find(answer, "metadata.deletionTimestamp"))
            break;
        if (fed_loop_now_ms(cli->loop) >= until)
            return fed_diag_set(diag, FED_ERR_TIMEOUT,
                "namespace " CLI_SYSTEM_NAMESPACE " is being deleted; try again when it is gone");
        err = cli_pause(cli, POLL_MS);
        if (err)
            break;
    }
    return err ? fed_diag_prefix(diag, err, "namespace " CLI_SYSTEM_NAMESPACE) : FED_OK;
}

enum fed_err cli_agent_apply(struct cli *cli, struct fed_kube *member, const char *secret,
    struct fed_json *const manifests[CLI_AGENT_MANIFESTS], struct fed_diag *diag)
{
    enum fed_err err = create_namespace(cli, member, manifests[NAMESPACE], diag);

    for (size_t i = ACCOUNT; !err && i < CLI_AGENT_MANIFESTS; i++) {
        char path[400];

        cli_agent_path(i, secret, path);
        err = apply(cli, member, path, manifests[i], diag);
    }
    return err;
}

static enum fed_err remove_one(
    struct cli *cli, struct fed_kube *member, const char *path, struct fed_diag *diag)
{
    struct fed_json *answer;
    enum fed_err err = cli_ask_at(cli, member, "DELETE", path, "application/json",
        fed_span_text("{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\","
                      "\"propagationPolicy\":\"Background\"}"),
        &answer, diag);

    if (err == FED_ERR_NOT_FOUND)
        return FED_OK;
    return err ? fed_diag_prefix(diag, err, "%s", path) : FED_OK;
}

enum fed_err cli_agent_stop(
    struct cli *cli, struct fed_kube *member, uint64_t timeout_ms, struct fed_diag *diag)
{
    uint64_t until = fed_loop_now_ms(cli->loop) + timeout_ms;
    struct fed_json *pods;
    enum fed_err err = remove_one(cli, member, DEPLOYMENT_PATH, diag);

    while (!err) {
        err = cli_ask_at(cli, member, "GET", PODS_PATH, NULL, fed_span_text(""), &pods, diag);
        if (err || fed_json_count(fed_json_get(pods, "items")) == 0)
            break;
        if (fed_loop_now_ms(cli->loop) >= until)
            return fed_diag_set(diag, FED_ERR_TIMEOUT, "the agent's pod does not end");
        err = cli_pause(cli, POLL_MS);
    }
    return err;
}

enum fed_err cli_agent_remove(
    struct cli *cli, struct fed_kube *member, const char *secret, struct fed_diag *diag)
{
    static const enum manifest order[] = {DEPLOYMENT, SECRET, BINDING, ROLE, ACCOUNT};
    struct fed_json *ns = NULL;
    enum fed_err err = FED_OK;
    char path[400];

    for (size_t i = 0; !err && i < sizeof order / sizeof *order; i++) {
        cli_agent_path(order[i], secret, path);
        err = remove_one(cli, member, path, diag);
    }
    if (err)
        return err;
    err = cli_ask_at(cli, member, "GET", NS_PATH, NULL, fed_span_text(""), &ns, diag);
    if (err)
        return err == FED_ERR_NOT_FOUND ? FED_OK : err;
    if (!fed_span_is(
            fed_json_string(fed_json_get(fed_json_find(ns, "metadata.labels"), CLI_AGENT_MANAGED)),
            "fedctl"))
        return FED_OK;
    return remove_one(cli, member, NS_PATH, diag);
}
