/* check_member.c - the member's API server: reachable, of which version, and what this agent may do
 * there (SelfSubjectAccessReview). See check.h. */
#include "agent/check.h"

#include "agent/answer.h"
#include "proto/object/json.h"

#include <stdio.h>
#include <string.h>

#define MINOR_MIN 22 /* server-side apply as it is needed */
#define ARENA_MAX (256u << 10)

static const char remedy_api[] =
    "does the cluster run (`systemctl status k3s`)? which --kubeconfig?";

/* ---- answers ---- */

/* Calls use with the tree of the body; NULL when it is none. */
static void with_tree(struct agent_checks *c, struct fed_span body,
    void (*use)(struct agent_checks *c, const struct fed_json *root))
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *root = NULL;
    struct fed_arena arena;

    fed_arena_init(&arena, c->w->mem, ARENA_MAX);
    if (fed_json_doc_new(&arena.alloc, &doc) || fed_json_parse(doc, body, &root, NULL))
        root = NULL;
    use(c, root);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
}

static enum fed_err ask(struct agent_checks *c, const char *method, const char *path,
    const char *body, fed_kube_done *done)
{
    struct fed_kube *kube = c->w->ports.kube;

    return kube->request(kube->ctx,
        &(struct fed_kube_request){.method = method,
            .path = path,
            .content_type = body ? "application/json" : NULL,
            .body = fed_span_text(body ? body : ""),
            .timeout_ms = AGENT_CHECK_API_MS},
        done, c, NULL);
}

/* ---- the version ---- */

static void use_version(struct agent_checks *c, const struct fed_json *root)
{
    struct fed_span version = fed_json_string(fed_json_get(root, "gitVersion"));
    struct fed_span minor = fed_json_string(fed_json_get(root, "minor"));
    uint64_t number = 0;
    size_t digits = 0;

    while (digits < minor.len && minor.at[digits] >= '0' && minor.at[digits] <= '9')
        digits++; /* "22+" */
    if (fed_span_to_u64(fed_span_sub(minor, 0, digits), &number) || version.len == 0)
        agent_check_say(c, NULL, AGENT_CHECK_WARN, "is it an API server?",
            "it answers, and does not say its version");
    else if (number < MINOR_MIN)
        agent_check_say(c, NULL, AGENT_CHECK_FAIL, "upgrade the cluster",
            "Kubernetes " FED_SPAN_FMT " is older than 1.%d, which server-side apply needs",
            FED_SPAN_ARG(version), MINOR_MIN);
    else
        agent_check_say(c, NULL, AGENT_CHECK_OK, NULL, "Kubernetes " FED_SPAN_FMT " answers",
            FED_SPAN_ARG(version));
}

static void on_version(
    void *ctx, enum fed_err err, const struct fed_kube_answer *answer, const struct fed_diag *diag)
{
    struct agent_checks *c = ctx;
    struct fed_diag text = {""};

    if (err)
        agent_check_say(c, NULL, AGENT_CHECK_FAIL, remedy_api, "%s",
            diag && diag->text[0] ? diag->text : fed_err_text(err));
    else if (answer->status == 401)
        agent_check_say(c, NULL, AGENT_CHECK_FAIL, "write the kubeconfig anew; is the clock right?",
            "it does not accept the agent's credentials");
    else if (answer->status != 200) {
        fed_kube_answer_text(answer, &text);
        agent_check_say(
            c, NULL, AGENT_CHECK_FAIL, remedy_api, "it answers %u: %s", answer->status, text.text);
    } else {
        with_tree(c, answer->body, use_version);
    }
    c->right = err || answer->status != 200 ? SIZE_MAX : 0;
    agent_check_next(c);
}

void agent_check_api_server(struct agent_checks *c)
{
    const char *why;

    c->right = SIZE_MAX;
    if (ask(c, "GET", "/version", NULL, on_version) == FED_OK)
        return;
    why = agent_kube_lazy_why(&c->w->kube);
    agent_check_say(
        c, NULL, AGENT_CHECK_FAIL, remedy_api, "%s", why[0] ? why : "no request can be made");
    agent_check_next(c);
}

/* ---- rights ---- */

/* The first is all at once, for the many that are administrators. */
static const struct right {
    const char *verb;
    const char *group;
    const char *resource;
} rights[] = {
    {"*", "*", "*"},
    {"patch", "", "namespaces"},
    {"watch", "", "configmaps"},
    {"patch", "", "configmaps"},
    {"delete", "", "configmaps"},
    {"patch", "", "secrets"},
    {"patch", "", "services"},
    {"patch", "apps", "deployments"},
    {"watch", "apps", "deployments"},
    {"list", "", "nodes"},
};
#define N_RIGHTS (sizeof rights / sizeof *rights)

static void next_right(struct agent_checks *c);

static void end_rights(struct agent_checks *c)
{
    if (c->denied[0])
        agent_check_say(c, NULL, AGENT_CHECK_WARN,
            "bind a role to the kubeconfig's user, as `fedlet rbac` prints it", "it may not:%s",
            c->denied);
    else
        agent_check_say(c, NULL, AGENT_CHECK_OK, NULL, "what the common kinds need is allowed");
    agent_check_next(c);
}

static void use_review(struct agent_checks *c, const struct fed_json *root)
{
    const struct right *right = &rights[c->right];
    size_t len = strlen(c->denied);

    if (fed_json_bool(fed_json_get(fed_json_get(root, "status"), "allowed"), false)) {
        if (c->right == 0)
            c->right = SIZE_MAX - 1;
    } else if (c->right > 0 && len + 80 < sizeof c->denied) {
        snprintf(c->denied + len, sizeof c->denied - len, "%s %s %s%s%s", len ? "," : "",
            right->verb, right->resource, right->group[0] ? "." : "", right->group);
    }
}

static void on_review(
    void *ctx, enum fed_err err, const struct fed_kube_answer *answer, const struct fed_diag *diag)
{
    struct agent_checks *c = ctx;
    struct fed_diag text = {""};

    if (err || answer->status / 100 != 2) {
        if (!err)
            fed_kube_answer_text(answer, &text);
        agent_check_say(c, NULL, AGENT_CHECK_WARN, "bind system:basic-user, as it is by default",
            "cannot ask what is allowed: %s", err ? (diag ? diag->text : "") : text.text);
        agent_check_next(c);
        return;
    }
    with_tree(c, answer->body, use_review);
    if (c->right == SIZE_MAX - 1) {
        agent_check_say(c, NULL, AGENT_CHECK_OK, NULL, "it may do everything");
        agent_check_next(c);
    } else if (++c->right < N_RIGHTS) {
        next_right(c);
    } else {
        end_rights(c);
    }
}

static void next_right(struct agent_checks *c)
{
    const struct right *right = &rights[c->right];
    char body[400];

    snprintf(body, sizeof body,
        "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SelfSubjectAccessReview\",\"spec\":"
        "{\"resourceAttributes\":{\"verb\":\"%s\",\"group\":\"%s\",\"resource\":\"%s\"}}}",
        right->verb, right->group, right->resource);
    if (ask(c, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body, on_review))
        agent_check_next(c);
}

void agent_check_rights(struct agent_checks *c)
{
    if (c->right == SIZE_MAX) {
        agent_check_say(c, NULL, AGENT_CHECK_SKIPPED, NULL, "the API server cannot be asked");
        agent_check_next(c);
        return;
    }
    next_right(c);
}
