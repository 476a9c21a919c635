/* rbac_admit.c - what may be stored as a role or a binding: well formed, and granting nothing that
 * its author does not hold.
 *
 * Source: k8s.io/kubernetes pkg/apis/rbac/validation and pkg/registry/rbac (escalation_check.go,
 * policybased). Verbs escalate (on a role) and bind (on the role that a binding names) lift the
 * second rule, as does the group system:masters. */
#include "hub/api/internal.h"

#include "proto/object/selector.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_cluster(const struct hub_admission *a)
{
    return !a->kind->namespaced;
}

/* ---- what is wrong, field by field ---- */
FED_PRINTF(3, 4)
static void wrong(struct hub_admission *a, const char *field, const char *format, ...)
{
    char message[400];
    const char *reason = "FieldValueInvalid";
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (strncmp(message, "Required", 8) == 0)
        reason = "FieldValueRequired";
    else if (strncmp(message, "Unsupported", 11) == 0)
        reason = "FieldValueNotSupported";
    hub_causes_add(a->causes, reason, field, "%s", message);
}

static void unsupported(
    struct hub_admission *a, const char *field, struct fed_span value, const char *supported)
{
    wrong(a, field, "Unsupported value: \"" FED_SPAN_FMT "\": supported values: %s",
        FED_SPAN_ARG(value), supported);
}

static struct fed_span text_of(const struct fed_json *object, const char *key)
{
    return fed_json_string(fed_json_get(object, key));
}

/* ---- roles ---- */
static void wrong_urls(
    struct hub_admission *a, const char *field, const struct fed_json *urls, const char *why)
{
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), 200);
    if (fed_json_put(&text, urls))
        fed_buf_clear(&text);
    wrong(a, field, "Invalid value: %s: %s", fed_buf_cstr(&text), why);
    fed_buf_fini(&text);
}

static void check_rule(struct hub_admission *a, size_t i, const struct fed_json *rule)
{
    const struct fed_json *urls = fed_json_get(rule, "nonResourceURLs");
    bool resources = fed_json_count(fed_json_get(rule, "resources")) > 0;
    bool groups = fed_json_count(fed_json_get(rule, "apiGroups")) > 0;
    bool names = fed_json_count(fed_json_get(rule, "resourceNames")) > 0;
    char field[64];

    snprintf(field, sizeof field, "rules[%zu].verbs", i);
    if (fed_json_count(fed_json_get(rule, "verbs")) == 0)
        wrong(a, field, "Required value: verbs must contain at least one value");
    if (fed_json_count(urls) > 0) {
        snprintf(field, sizeof field, "rules[%zu].nonResourceURLs", i);
        if (!is_cluster(a))
            wrong_urls(a, field, urls, "namespaced rules cannot apply to non-resource URLs");
        if (resources || groups || names)
            wrong_urls(a, field, urls,
                "rules cannot apply to both regular resources and non-resource URLs");
        return;
    }
    snprintf(field, sizeof field, "rules[%zu].apiGroups", i);
    if (!groups)
        wrong(a, field, "Required value: resource rules must supply at least one api group");
    snprintf(field, sizeof field, "rules[%zu].resources", i);
    if (!resources)
        wrong(a, field, "Required value: resource rules must supply at least one resource");
}

static void check_aggregation(struct hub_admission *a)
{
    struct fed_json *rule = fed_json_get(a->object, "aggregationRule");
    struct fed_json *list = fed_json_get(rule, "clusterRoleSelectors");
    struct fed_json_iter it;

    if (!rule)
        return;
    if (fed_json_count(list) == 0)
        wrong(a, "aggregationRule.clusterRoleSelectors",
            "Required value: at least one clusterRoleSelector required if aggregationRule is "
            "non-nil");
    fed_json_iter_init(&it, list);
    while (fed_json_iter_next(&it)) {
        struct fed_selector *selector = NULL;
        struct fed_diag diag = {{0}};
        char field[80];

        snprintf(field, sizeof field, "aggregationRule.clusterRoleSelectors[%zu]", it.index);
        if (fed_selector_from_object(fed_alloc_system(), it.value, &selector, &diag))
            wrong(a, field, "Invalid value: %.300s", diag.text);
        fed_selector_free(selector);
    }
}

static void check_role(struct hub_admission *a)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, fed_json_get(a->object, "rules"));
    while (fed_json_iter_next(&it))
        check_rule(a, it.index, it.value);
    check_aggregation(a);
}

/* ---- bindings ---- */
static void check_role_ref(struct hub_admission *a)
{
    const struct fed_json *ref = fed_json_get(a->object, "roleRef");
    struct fed_span group = text_of(ref, "apiGroup");
    struct fed_span kind = text_of(ref, "kind");
    struct fed_span name = text_of(ref, "name");

    if (!fed_span_is(group, HUB_RBAC_GROUP))
        unsupported(a, "roleRef.apiGroup", group, "\"" HUB_RBAC_GROUP "\"");
    if (!fed_span_is(kind, "ClusterRole") && (is_cluster(a) || !fed_span_is(kind, "Role")))
        unsupported(a, "roleRef.kind", kind,
            is_cluster(a) ? "\"ClusterRole\"" : "\"ClusterRole\", \"Role\"");
    if (name.len == 0)
        wrong(a, "roleRef.name", "Required value");
    if (a->before && !fed_json_eq(ref, fed_json_get(a->before, "roleRef")))
        wrong(a, "roleRef",
            "Invalid value: {\"APIGroup\":\"" FED_SPAN_FMT "\",\"Kind\":\"" FED_SPAN_FMT
            "\",\"Name\":\"" FED_SPAN_FMT "\"}: cannot change roleRef",
            FED_SPAN_ARG(group), FED_SPAN_ARG(kind), FED_SPAN_ARG(name));
}

static void check_subject(struct hub_admission *a, size_t i, const struct fed_json *subject)
{
    struct fed_span kind = text_of(subject, "kind");
    struct fed_span group = text_of(subject, "apiGroup");
    bool account = fed_span_is(kind, "ServiceAccount");
    bool known = account || fed_span_is(kind, "User") || fed_span_is(kind, "Group");
    char field[64];

    snprintf(field, sizeof field, "subjects[%zu].name", i);
    if (text_of(subject, "name").len == 0)
        wrong(a, field, "Required value");
    snprintf(field, sizeof field, "subjects[%zu].kind", i);
    if (!known)
        unsupported(a, field, kind, "\"Group\", \"ServiceAccount\", \"User\"");
    snprintf(field, sizeof field, "subjects[%zu].apiGroup", i);
    if (account && group.len > 0)
        unsupported(a, field, group, "\"\"");
    else if (known && !account && !fed_span_is(group, HUB_RBAC_GROUP))
        unsupported(a, field, group, "\"" HUB_RBAC_GROUP "\"");
    snprintf(field, sizeof field, "subjects[%zu].namespace", i);
    if (account && is_cluster(a) && text_of(subject, "namespace").len == 0)
        wrong(a, field, "Required value");
}

static void check_binding(struct hub_admission *a)
{
    struct fed_json_iter it;

    check_role_ref(a);
    fed_json_iter_init(&it, fed_json_get(a->object, "subjects"));
    while (fed_json_iter_next(&it))
        check_subject(a, it.index, it.value);
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

    if (has_right(api, a, "escalate", fed_span_text(a->kind->plural), a->request->access.name))
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
        return fed_diag_set(diag, FED_ERR_NOT_FOUND, "%s \"" FED_SPAN_FMT "\" not found",
            a->kind->resource, FED_SPAN_ARG(name));
    return confirm_held(api, a, rules, diag);
}

static enum fed_err admit(struct hub_api *api, struct hub_admission *a, struct fed_diag *diag,
    void (*check)(struct hub_admission *a),
    enum fed_err (*escalation)(struct hub_api *api, struct hub_admission *a, struct fed_diag *diag))
{
    if (a->operation == HUB_DELETE)
        return FED_OK;
    a->causes = hub_causes_new(a->request);
    if (!a->causes)
        return FED_ERR_NOMEM;
    check(a);
    if (a->causes->n > 0)
        return FED_ERR_INVALID;
    return hub_user_is_admin(a->who) || same_grant(a) ? FED_OK : escalation(api, a, diag);
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
