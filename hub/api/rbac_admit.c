/* rbac_admit.c - what may be stored as a role or a binding: well formed, and granting nothing that
 * its author does not hold.
 *
 * Source: k8s.io/kubernetes pkg/apis/rbac/validation and pkg/registry/rbac (escalation_check.go,
 * policybased). Verbs escalate (on a role) and bind (on the role that a binding names) lift the
 * second rule, as does the group system:masters. */
#include "hub/api/internal.h"

#include "proto/object/selector.h"

#include <stdio.h>
#include <string.h>

static bool is_cluster(const struct hub_admission *a)
{
    return !a->kind->namespaced;
}

/* ---- roles ---- */
static enum fed_err check_rule(
    struct hub_admission *a, size_t i, const struct fed_json *rule, struct fed_diag *diag)
{
    bool resources = fed_json_count(fed_json_get(rule, "resources")) > 0;
    bool groups = fed_json_count(fed_json_get(rule, "apiGroups")) > 0;
    bool names = fed_json_count(fed_json_get(rule, "resourceNames")) > 0;
    const char *field = NULL;
    const char *why = NULL;

    if (fed_json_count(fed_json_get(rule, "verbs")) == 0) {
        field = "verbs";
        why = "Required value: verbs must contain at least one value";
    } else if (fed_json_count(fed_json_get(rule, "nonResourceURLs")) > 0) {
        field = "nonResourceURLs";
        if (!is_cluster(a))
            why = "Invalid value: namespaced rules cannot apply to non-resource URLs";
        else if (resources || groups || names)
            why = "Invalid value: rules cannot apply to both regular resources and non-resource "
                  "URLs";
    } else if (!groups) {
        field = "apiGroups";
        why = "Required value: resource rules must supply at least one api group";
    } else if (!resources) {
        field = "resources";
        why = "Required value: resource rules must supply at least one resource";
    }
    if (!why)
        return FED_OK;
    snprintf(a->field, sizeof a->field, "rules[%zu].%s", i, field);
    return fed_diag_set(diag, FED_ERR_INVALID, "%s", why);
}

static enum fed_err check_aggregation(struct hub_admission *a, struct fed_diag *diag)
{
    struct fed_json *rule = fed_json_get(a->object, "aggregationRule");
    struct fed_json *list = fed_json_get(rule, "clusterRoleSelectors");
    struct fed_json_iter it;

    if (!rule)
        return FED_OK;
    snprintf(a->field, sizeof a->field, "aggregationRule.clusterRoleSelectors");
    if (fed_json_count(list) == 0)
        return fed_diag_set(diag, FED_ERR_INVALID,
            "Required value: at least one clusterRoleSelector required if aggregationRule is "
            "non-nil");
    fed_json_iter_init(&it, list);
    while (fed_json_iter_next(&it)) {
        struct fed_selector *selector;
        enum fed_err err = fed_selector_from_object(fed_alloc_system(), it.value, &selector, diag);

        if (err)
            return err;
        fed_selector_free(selector);
    }
    a->field[0] = 0;
    return FED_OK;
}

static enum fed_err check_role(struct hub_admission *a, struct fed_diag *diag)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    fed_json_iter_init(&it, fed_json_get(a->object, "rules"));
    while (!err && fed_json_iter_next(&it))
        err = check_rule(a, it.index, it.value, diag);
    return err ? err : check_aggregation(a, diag);
}

/* ---- bindings ---- */
static struct fed_span text_of(const struct fed_json *object, const char *key)
{
    return fed_json_string(fed_json_get(object, key));
}

static enum fed_err unsupported(
    struct hub_admission *a, struct fed_diag *diag, struct fed_span value, const char *supported)
{
    (void)a;
    return fed_diag_set(diag, FED_ERR_INVALID,
        "Unsupported value: \"" FED_SPAN_FMT "\": supported values: %s", FED_SPAN_ARG(value),
        supported);
}

static enum fed_err check_role_ref(struct hub_admission *a, struct fed_diag *diag)
{
    const struct fed_json *ref = fed_json_get(a->object, "roleRef");
    struct fed_span kind = text_of(ref, "kind");
    const char *field = "apiGroup";
    enum fed_err err = FED_OK;

    if (!fed_span_is(text_of(ref, "apiGroup"), HUB_RBAC_GROUP)) {
        err = unsupported(a, diag, text_of(ref, "apiGroup"), "\"" HUB_RBAC_GROUP "\"");
    } else if (!fed_span_is(kind, "ClusterRole") && (is_cluster(a) || !fed_span_is(kind, "Role"))) {
        field = "kind";
        err = unsupported(
            a, diag, kind, is_cluster(a) ? "\"ClusterRole\"" : "\"Role\", \"ClusterRole\"");
    } else if (text_of(ref, "name").len == 0) {
        field = "name";
        err = fed_diag_set(diag, FED_ERR_INVALID, "Required value");
    }
    if (err)
        snprintf(a->field, sizeof a->field, "roleRef.%s", field);
    if (err || !a->before || fed_json_eq(ref, fed_json_get(a->before, "roleRef")))
        return err;
    snprintf(a->field, sizeof a->field, "roleRef");
    return fed_diag_set(diag, FED_ERR_INVALID,
        "Invalid value: {\"apiGroup\":\"" FED_SPAN_FMT "\",\"kind\":\"" FED_SPAN_FMT
        "\",\"name\":\"" FED_SPAN_FMT "\"}: cannot change roleRef",
        FED_SPAN_ARG(text_of(ref, "apiGroup")), FED_SPAN_ARG(kind),
        FED_SPAN_ARG(text_of(ref, "name")));
}

static enum fed_err check_subject(
    struct hub_admission *a, size_t i, struct fed_json *subject, struct fed_diag *diag)
{
    struct fed_span kind = text_of(subject, "kind");
    struct fed_span group = text_of(subject, "apiGroup");
    bool account = fed_span_is(kind, "ServiceAccount");
    const char *field = "kind";
    enum fed_err err = FED_OK;

    if (!account && !fed_span_is(kind, "User") && !fed_span_is(kind, "Group")) {
        err = unsupported(a, diag, kind, "\"ServiceAccount\", \"User\", \"Group\"");
    } else if (text_of(subject, "name").len == 0) {
        field = "name";
        err = fed_diag_set(diag, FED_ERR_INVALID, "Required value");
    } else if (account ? group.len > 0 : !fed_span_is(group, HUB_RBAC_GROUP)) {
        field = "apiGroup";
        err = unsupported(a, diag, group, account ? "\"\"" : "\"" HUB_RBAC_GROUP "\"");
    } else if (account && is_cluster(a) && text_of(subject, "namespace").len == 0) {
        field = "namespace";
        err = fed_diag_set(diag, FED_ERR_INVALID, "Required value");
    }
    if (err)
        snprintf(a->field, sizeof a->field, "subjects[%zu].%s", i, field);
    return err;
}

static enum fed_err check_binding(struct hub_admission *a, struct fed_diag *diag)
{
    struct fed_json_iter it;
    enum fed_err err = check_role_ref(a, diag);

    fed_json_iter_init(&it, fed_json_get(a->object, "subjects"));
    while (!err && fed_json_iter_next(&it))
        err = check_subject(a, it.index, it.value, diag);
    return err;
}

/* Users and groups are of the group rbac.authorization.k8s.io without saying so. */
static enum fed_err default_subjects(struct hub_admission *a)
{
    struct fed_json *ref = fed_json_get(a->object, "roleRef");
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    if (fed_json_is_object(ref) && text_of(ref, "apiGroup").len == 0)
        err = fed_json_set_text(a->doc, ref, "apiGroup", HUB_RBAC_GROUP);
    fed_json_iter_init(&it, fed_json_get(a->object, "subjects"));
    while (!err && fed_json_iter_next(&it)) {
        struct fed_span kind = text_of(it.value, "kind");

        if (text_of(it.value, "apiGroup").len == 0 &&
            (fed_span_is(kind, "User") || fed_span_is(kind, "Group")))
            err = fed_json_set_text(a->doc, it.value, "apiGroup", HUB_RBAC_GROUP);
    }
    return err;
}

/* ---- escalation ---- */
static struct fed_span object_ns(const struct hub_admission *a)
{
    return is_cluster(a) ? (struct fed_span){0} : hub_meta(a->object, "namespace");
}

/* Whether only what the garbage collector works with has changed. */
static bool same_grant(const struct hub_admission *a)
{
    static const char *const granting[] = {"rules", "aggregationRule", "roleRef", "subjects"};
    struct fed_json *before = fed_json_find(a->before, "metadata");
    struct fed_json *after = fed_json_find(a->object, "metadata");

    if (!a->before)
        return false;
    for (size_t i = 0; i < sizeof granting / sizeof *granting; i++)
        if (!fed_json_eq(
                fed_json_get(a->before, granting[i]), fed_json_get(a->object, granting[i])))
            return false;
    return fed_json_eq(fed_json_get(before, "labels"), fed_json_get(after, "labels")) &&
           fed_json_eq(fed_json_get(before, "annotations"), fed_json_get(after, "annotations"));
}

static bool has_right(struct hub_api *api, const struct hub_admission *a, const char *verb,
    struct fed_span resource, struct fed_span name)
{
    struct hub_access access = {.verb = fed_span_text(verb),
        .group = FED_SPAN_LIT(HUB_RBAC_GROUP),
        .resource = resource,
        .ns = object_ns(a),
        .name = name};

    return hub_api_authorize(api, a->who, &access, NULL);
}

static enum fed_err forbidden(struct hub_admission *a, struct fed_diag *diag, const char *why)
{
    struct fed_buf text;
    struct fed_json *kept;

    fed_buf_init(&text, fed_alloc_system(), 1u << 20);
    fed_buf_printf(&text, "%s \"" FED_SPAN_FMT "\" is forbidden: %s", a->kind->resource,
        FED_SPAN_ARG(hub_meta(a->object, "name")), why);
    fed_buf_put_u8(&text, 0);
    kept = fed_buf_err(&text) ? NULL : fed_json_new_string(a->doc, fed_buf_span(&text));
    a->refusal = kept ? (const char *)fed_json_string(kept).at : NULL;
    fed_buf_fini(&text);
    return fed_diag_set(diag, FED_ERR_FORBIDDEN, "%s is forbidden", a->kind->resource);
}

static enum fed_err confirm_held(struct hub_api *api, struct hub_admission *a,
    const struct hub_rules *rules, struct fed_diag *diag)
{
    struct fed_buf message;
    enum fed_err err;

    fed_buf_init(&message, api->mem, 1u << 20);
    err = hub_rbac_confirm_held(api->rbac, a->who, object_ns(a), rules, &message);
    if (err == FED_ERR_FORBIDDEN)
        err = forbidden(a, diag, fed_buf_cstr(&message));
    else if (err == FED_ERR_LIMIT)
        err = forbidden(a, diag, "the rules are more than are compared with what you hold");
    fed_buf_fini(&message);
    return err;
}

/* An aggregating role grants what others will put into it: only who may do all makes or changes
 * one. */
static enum fed_err confirm_everything(
    struct hub_api *api, struct hub_admission *a, struct fed_diag *diag)
{
    static const char all[] = "[{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]},"
                              "{\"verbs\":[\"*\"],\"nonResourceURLs\":[\"*\"]}]";
    struct fed_json *everything;
    struct hub_rules *rules;
    enum fed_err err = fed_json_parse(a->doc, fed_span_text(all), &everything, diag);

    if (!err)
        err = hub_rules_read(api->mem, everything, &rules);
    if (err)
        return err;
    err = confirm_held(api, a, rules, diag);
    hub_rules_free(rules);
    return err == FED_ERR_FORBIDDEN
               ? forbidden(a, diag, "must have cluster-admin privileges to use the aggregationRule")
               : err;
}

static enum fed_err role_escalation(
    struct hub_api *api, struct hub_admission *a, struct fed_diag *diag)
{
    struct hub_rules *rules;
    enum fed_err err;

    if (has_right(api, a, "escalate", fed_span_text(a->kind->plural), a->access->name))
        return FED_OK;
    err = hub_rules_read(api->mem, fed_json_get(a->object, "rules"), &rules);
    if (err)
        return err;
    err = confirm_held(api, a, rules, diag);
    hub_rules_free(rules);
    if (!err &&
        (fed_json_get(a->object, "aggregationRule") || fed_json_get(a->before, "aggregationRule")))
        err = confirm_everything(api, a, diag);
    return err;
}

static enum fed_err binding_escalation(
    struct hub_api *api, struct hub_admission *a, struct fed_diag *diag)
{
    const struct fed_json *ref = fed_json_get(a->object, "roleRef");
    bool cluster_role = fed_span_is(text_of(ref, "kind"), "ClusterRole");
    struct fed_span resource = cluster_role ? FED_SPAN_LIT("clusterroles") : FED_SPAN_LIT("roles");
    struct fed_span name = text_of(ref, "name");
    const struct hub_rules *rules;

    if (has_right(api, a, "bind", resource, name))
        return FED_OK;
    rules = hub_rbac_role(api->rbac, cluster_role, object_ns(a), name);
    if (!rules)
        return fed_diag_set(diag, FED_ERR_NOT_FOUND,
            "%s.rbac.authorization.k8s.io \"" FED_SPAN_FMT "\" not found",
            cluster_role ? "clusterrole" : "role", FED_SPAN_ARG(name));
    return confirm_held(api, a, rules, diag);
}

static enum fed_err admit(struct hub_api *api, struct hub_admission *a, struct fed_diag *diag,
    enum fed_err (*check)(struct hub_admission *a, struct fed_diag *diag),
    enum fed_err (*escalation)(struct hub_api *api, struct hub_admission *a, struct fed_diag *diag))
{
    enum fed_err err;

    if (a->operation == HUB_DELETE)
        return FED_OK;
    err = check(a, diag);
    if (err || hub_user_is_admin(a->who) || same_grant(a))
        return err;
    return escalation(api, a, diag);
}

static enum fed_err admit_role(void *ctx, struct hub_admission *a, struct fed_diag *diag)
{
    return admit(ctx, a, diag, check_role, role_escalation);
}

static enum fed_err admit_binding(void *ctx, struct hub_admission *a, struct fed_diag *diag)
{
    enum fed_err err = a->operation == HUB_DELETE ? FED_OK : default_subjects(a);

    return err ? err : admit(ctx, a, diag, check_binding, binding_escalation);
}

enum fed_err hub_rbac_hooks(struct hub_api *api)
{
    const struct hub_kind_hooks roles = {.ctx = api, .admit = admit_role};
    const struct hub_kind_hooks bindings = {.ctx = api, .admit = admit_binding};
    enum fed_err err = hub_kinds_hook(api->kinds, HUB_RBAC_GROUP, "roles", &roles);

    if (!err)
        err = hub_kinds_hook(api->kinds, HUB_RBAC_GROUP, "clusterroles", &roles);
    if (!err)
        err = hub_kinds_hook(api->kinds, HUB_RBAC_GROUP, "rolebindings", &bindings);
    return err ? err : hub_kinds_hook(api->kinds, HUB_RBAC_GROUP, "clusterrolebindings", &bindings);
}
