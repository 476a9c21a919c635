/* rbac.c - see rbac.h. Works are sorted by group, kind and namespace, so equal ones stand together;
 * namespaces and accounts are few, and looked for among those before. */
#include "agent/rbac.h"

#include "agent/health.h"

#include <string.h>

#define LOOK "\"list\", \"watch\""

struct writer {
    const struct agent_table *table;
    const struct agent_rbac_options *options;
    struct fed_buf *out;
    bool begun;
};

static const struct fed_work *work_at(const struct writer *w, size_t i)
{
    return &w->table->at[i]->work;
}

static bool same_kind(const struct fed_work *a, const struct fed_work *b)
{
    return fed_span_eq(a->plural, b->plural) &&
           fed_span_eq(fed_work_group(a->api_version), fed_work_group(b->api_version));
}

/* In whose name requests about the work are made. */
static struct agent_account account_of(const struct writer *w, const struct fed_work *work)
{
    struct agent_account account;

    return agent_policy_account(w->options->policy, work, &account) ? account : w->options->self;
}

static bool same_account(const struct agent_account *a, const struct agent_account *b)
{
    return fed_span_eq(a->ns, b->ns) && fed_span_eq(a->name, b->name);
}

/* ---- text: JSON's flow style within YAML's block style ---- */

/* Up to the rules, or up to roleRef. ns empty: cluster-scoped. */
static void put_head(struct writer *w, const char *kind, struct fed_span ns, const char *name)
{
    bool json = w->options->json;

    if (w->begun)
        fed_buf_put_text(w->out, json ? ",\n" : "---\n");
    w->begun = true;
    fed_buf_printf(w->out,
        json ? "{\"apiVersion\": \"rbac.authorization.k8s.io/v1\", \"kind\": \"%s\", \"metadata\": "
               "{\"name\": \"%s\""
             : "apiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata: {\"name\": \"%s\"",
        kind, name);
    if (ns.len > 0)
        fed_buf_printf(w->out, ", \"namespace\": \"" FED_SPAN_FMT "\"", FED_SPAN_ARG(ns));
    fed_buf_put_text(w->out, "}");
}

static void put_rules_begin(struct writer *w)
{
    fed_buf_put_text(w->out, w->options->json ? ", \"rules\": [" : "\nrules:\n");
}

static void put_rules_end(struct writer *w)
{
    if (w->options->json)
        fed_buf_put_text(w->out, "]}");
}

/* first: of its role. name: the only object that the rule is about, NULL for any. */
static void put_rule(struct writer *w, bool first, struct fed_span group, struct fed_span resource,
    const char *verbs, const struct fed_span *name)
{
    fed_buf_put_text(w->out, !w->options->json ? "- " : first ? "" : ", ");
    fed_buf_printf(w->out,
        "{\"apiGroups\": [\"" FED_SPAN_FMT "\"], \"resources\": [\"" FED_SPAN_FMT "\"], ",
        FED_SPAN_ARG(group), FED_SPAN_ARG(resource));
    if (name)
        fed_buf_printf(w->out, "\"resourceNames\": [\"" FED_SPAN_FMT "\"], ", FED_SPAN_ARG(*name));
    fed_buf_printf(w->out, "\"verbs\": [%s]}%s", verbs, w->options->json ? "" : "\n");
}

static void put_binding(
    struct writer *w, struct fed_span ns, const char *name, const struct agent_account *to)
{
    const char *role = ns.len > 0 ? "Role" : "ClusterRole";
    bool json = w->options->json;

    put_head(w, ns.len > 0 ? "RoleBinding" : "ClusterRoleBinding", ns, name);
    fed_buf_printf(w->out,
        json ? ", \"roleRef\": %s\"%s\", \"name\": \"%s\"}, \"subjects\": ["
             : "\nroleRef: %s\"%s\", \"name\": \"%s\"}\nsubjects:\n- ",
        "{\"apiGroup\": \"rbac.authorization.k8s.io\", \"kind\": ", role, name);
    if (to->ns.len > 0)
        fed_buf_printf(w->out,
            "{\"kind\": \"ServiceAccount\", \"name\": \"" FED_SPAN_FMT
            "\", \"namespace\": \"" FED_SPAN_FMT "\"}",
            FED_SPAN_ARG(to->name), FED_SPAN_ARG(to->ns));
    else
        fed_buf_printf(w->out,
            "{\"apiGroup\": \"rbac.authorization.k8s.io\", \"kind\": \"User\", \"name\": "
            "\"" FED_SPAN_FMT "\"}",
            FED_SPAN_ARG(to->name));
    fed_buf_put_text(w->out, json ? "]}" : "\n");
}

/* ---- what is cluster-wide ---- */

static bool first_of_kind(const struct writer *w, size_t i)
{
    return i == 0 || !same_kind(work_at(w, i - 1), work_at(w, i));
}

static bool makes_cluster_scoped(const struct writer *w)
{
    for (size_t i = 0; i < w->table->n; i++) {
        if (work_at(w, i)->ns.len == 0)
            return true;
    }
    return false;
}

static void put_cluster_scoped(struct writer *w, bool first)
{
    for (size_t i = 0; i < w->table->n; i++) {
        const struct fed_work *work = work_at(w, i);

        if (work->ns.len > 0)
            continue;
        if (i == 0 || work_at(w, i - 1)->ns.len > 0 || first_of_kind(w, i)) {
            /* A name cannot be asked for before the object is there. */
            put_rule(w, first, fed_work_group(work->api_version), work->plural, "\"create\"", NULL);
            first = false;
        }
        put_rule(w, false, fed_work_group(work->api_version), work->plural,
            "\"get\", \"patch\", \"delete\"", &work->name);
    }
}

static void put_cluster_role(struct writer *w)
{
    struct fed_work anything = {.ns = {0}};
    struct agent_account account = account_of(w, &anything);
    bool own = same_account(&account, &w->options->self);

    put_head(w, "ClusterRole", (struct fed_span){0}, "fedlet");
    put_rules_begin(w);
    put_rule(w, true, (struct fed_span){0}, FED_SPAN_LIT("nodes"), "\"list\"", NULL);
    for (size_t i = 0; i < w->table->n; i++) {
        if (first_of_kind(w, i))
            put_rule(w, false, fed_work_group(work_at(w, i)->api_version), work_at(w, i)->plural,
                LOOK, NULL);
    }
    if (own)
        put_cluster_scoped(w, false);
    put_rules_end(w);
    put_binding(w, (struct fed_span){0}, "fedlet", &w->options->self);
    if (own || !makes_cluster_scoped(w))
        return;
    put_head(w, "ClusterRole", (struct fed_span){0}, "fedlet-apply");
    put_rules_begin(w);
    put_cluster_scoped(w, true);
    put_rules_end(w);
    put_binding(w, (struct fed_span){0}, "fedlet-apply", &account);
}

/* ---- what is a namespace's ---- */

static bool first_in_namespace(const struct writer *w, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (fed_span_eq(work_at(w, j)->ns, work_at(w, i)->ns))
            return false;
    }
    return work_at(w, i)->ns.len > 0;
}

/* Its pods are looked at: counted, or asked why it is not well (pods.h). */
static bool has_pods(const struct fed_work *work)
{
    return (work->options & FED_WORK_SCALE) || agent_health_has_pods(work->api_version, work->kind);
}

/* Of each kind in the namespace that is meant, once; of those with pods alone. */
static void put_kinds(
    struct writer *w, struct fed_span ns, bool with_pods, const char *verbs, bool first)
{
    const struct fed_work *before = NULL;

    for (size_t i = 0; i < w->table->n; i++) {
        const struct fed_work *work = work_at(w, i);

        if (!fed_span_eq(work->ns, ns) || (with_pods && !has_pods(work)))
            continue;
        if (!before || !same_kind(before, work))
            put_rule(
                w, first && !before, fed_work_group(work->api_version), work->plural, verbs, NULL);
        before = work;
    }
}

static bool counts_pods(const struct writer *w, struct fed_span ns)
{
    for (size_t i = 0; i < w->table->n; i++) {
        if (has_pods(work_at(w, i)) && fed_span_eq(work_at(w, i)->ns, ns))
            return true;
    }
    return false;
}

static void put_pods(struct writer *w, bool first)
{
    put_rule(w, first, (struct fed_span){0}, FED_SPAN_LIT("pods"), "\"list\"", NULL);
}

/* Workloads and their pods are looked at in the agent's own name (pods.h). */
static void put_look_role(struct writer *w, struct fed_span ns)
{
    put_head(w, "Role", ns, "fedlet-look");
    put_rules_begin(w);
    put_pods(w, true);
    put_kinds(w, ns, true, "\"get\"", false);
    put_rules_end(w);
    put_binding(w, ns, "fedlet-look", &w->options->self);
}

static void put_namespace(struct writer *w, const struct fed_work *work)
{
    struct agent_account account = account_of(w, work);
    bool own = same_account(&account, &w->options->self);
    bool pods = counts_pods(w, work->ns);

    put_head(w, "Role", work->ns, "fedlet");
    put_rules_begin(w);
    put_kinds(w, work->ns, false, "\"get\", \"create\", \"patch\", \"delete\"", true);
    if (own && pods)
        put_pods(w, false);
    put_rules_end(w);
    put_binding(w, work->ns, "fedlet", &account);
    if (!own && pods)
        put_look_role(w, work->ns);
}

static void put_namespaces(struct writer *w)
{
    for (size_t i = 0; i < w->table->n; i++) {
        if (first_in_namespace(w, i))
            put_namespace(w, work_at(w, i));
    }
}

/* ---- acting as others ---- */

static bool first_of_account(const struct writer *w, size_t i, const struct agent_account *account)
{
    for (size_t j = 0; j < i; j++) {
        struct agent_account other = account_of(w, work_at(w, j));

        if (same_account(&other, account))
            return false;
    }
    return true;
}

static void put_impersonation(struct writer *w)
{
    for (size_t i = 0; i < w->table->n; i++) {
        struct agent_account account = account_of(w, work_at(w, i));
        struct fed_buf name;

        if (same_account(&account, &w->options->self) || !first_of_account(w, i, &account))
            continue;
        fed_buf_init(&name, w->table->mem, 512);
        fed_buf_printf(&name, "fedlet-as-" FED_SPAN_FMT, FED_SPAN_ARG(account.name));
        put_head(w, "Role", account.ns, fed_buf_cstr(&name));
        put_rules_begin(w);
        put_rule(w, true, (struct fed_span){0}, FED_SPAN_LIT("serviceaccounts"), "\"impersonate\"",
            &account.name);
        put_rules_end(w);
        put_binding(w, account.ns, fed_buf_cstr(&name), &w->options->self);
        fed_buf_fini(&name);
    }
}

void agent_rbac_put(
    const struct agent_table *table, const struct agent_rbac_options *options, struct fed_buf *out)
{
    struct writer w = {.table = table, .options = options, .out = out};

    if (options->json)
        fed_buf_put_text(out, "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n");
    put_cluster_role(&w);
    put_namespaces(&w);
    put_impersonation(&w);
    if (options->json)
        fed_buf_put_text(out, "\n]}\n");
}

/* ---- the request ---- */

void agent_rbac_request(const struct agent_rbac_options *options, struct fed_buf *out)
{
    fed_buf_printf(out, AGENT_RBAC_REQUEST "%s " FED_SPAN_FMT " " FED_SPAN_FMT,
        options->json ? "json" : "yaml",
        FED_SPAN_ARG(options->self.ns.len > 0 ? options->self.ns : fed_span_text("-")),
        FED_SPAN_ARG(options->self.name));
}

enum fed_err agent_rbac_parse(struct fed_span request, struct agent_rbac_options *out)
{
    struct fed_span rest = fed_span_sub(request, strlen(AGENT_RBAC_REQUEST), request.len);
    struct fed_span form;
    struct fed_span ns;

    *out = (struct agent_rbac_options){0};
    if (!fed_span_split(&rest, ' ', &form) || !fed_span_split(&rest, ' ', &ns) || rest.len == 0)
        return FED_ERR_INVALID;
    out->json = fed_span_is(form, "json");
    out->self = (struct agent_account){
        .ns = fed_span_is(ns, "-") ? fed_span_sub(ns, 0, 0) : ns, .name = rest};
    return FED_OK;
}
