/* policy_rules.c - one PlacementPolicy's spec: read, checked, asked. */
#include "hub/plan/policy.h"
#include "proto/base/bisect.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD_DEFAULT "10m"

/* ---- reading ---- */

static int by_name(const void *a, const void *b)
{
    const struct fed_span *x = a;
    const struct fed_span *y = b;

    return fed_span_cmp(*x, *y);
}

static enum fed_err wrong(char field[256], const char *path, struct fed_diag *diag, const char *why)
{
    snprintf(field, 256, "%s", path);
    return fed_diag_set(diag, FED_ERR_INVALID, "%s", why);
}

static enum fed_err read_selector(struct fed_alloc *mem, const struct fed_json *from,
    const char *path, struct fed_selector **out, char field[256], struct fed_diag *diag)
{
    enum fed_err err;

    if (!from || fed_json_type(from) == FED_JSON_NULL)
        return FED_OK;
    err = fed_selector_from_object(mem, from, out, diag);
    if (err && err != FED_ERR_NOMEM) {
        snprintf(field, 256, "%s", path);
        err = fed_diag_prefix(diag, FED_ERR_INVALID, "Invalid value");
    }
    return err;
}

static enum fed_err read_clusters(
    struct fed_alloc *mem, struct plan_policy_rules *rules, char field[256], struct fed_diag *diag)
{
    const struct fed_json *clusters = fed_json_get(rules->spec, "clusters");
    const struct fed_json *names = fed_json_get(clusters, "names");
    size_t n = fed_json_count(names);
    enum fed_err err = read_selector(mem, fed_json_get(clusters, "selector"),
        "spec.clusters.selector", &rules->clusters, field, diag);

    if (err)
        return err;
    if (!rules->clusters && !fed_json_is_array(names))
        return wrong(field, "spec.clusters", diag,
            "Required value: names, a selector or both; an empty selector is every cluster");
    rules->names = fed_alloc_array(mem, n ? n : 1, sizeof *rules->names);
    if (!rules->names)
        return FED_ERR_NOMEM;
    rules->n_names = n;
    for (struct fed_json_iter it = fed_json_items(names); fed_json_iter_next(&it);)
        rules->names[it.index] = fed_json_string(it.value);
    qsort(rules->names, n, sizeof *rules->names, by_name);
    return FED_OK;
}

static enum fed_err read_removals(const struct fed_json *from, struct plan_policy_budget *out,
    char field[256], struct fed_diag *diag)
{
    static const char why[] =
        "Invalid value: a number of removals from 0, or a percentage from \"0%\" to \"100%\"";
    struct fed_span text = fed_json_string(from);
    int64_t number = fed_json_int(from, -1);

    if (!from) {
        out->percent = true;
        out->removals = 10;
        return FED_OK;
    }
    if (fed_json_is_string(from)) {
        out->percent = fed_span_ends(text, "%");
        if (!out->percent || fed_span_to_u64(fed_span_sub(text, 0, text.len - 1), &out->removals) ||
            out->removals > 100)
            return wrong(field, "spec.deletionBudget.removals", diag, why);
        return FED_OK;
    }
    if (number < 0)
        return wrong(field, "spec.deletionBudget.removals", diag, why);
    out->removals = (uint64_t)number;
    return FED_OK;
}

static enum fed_err read_budget(
    struct plan_policy_rules *rules, char field[256], struct fed_diag *diag)
{
    const struct fed_json *budget = fed_json_get(rules->spec, "deletionBudget");
    struct fed_span period = fed_json_string(fed_json_get(budget, "period"));

    if (period.len == 0)
        period = fed_span_text(PERIOD_DEFAULT);
    if (fed_text_duration_ms(period, &rules->budget.period_ms) ||
        rules->budget.period_ms < PLAN_PERIOD_MIN_MS ||
        rules->budget.period_ms > PLAN_PERIOD_MAX_MS)
        return wrong(field, "spec.deletionBudget.period", diag,
            "Invalid value: a duration from 1s to 720h, as in 90s, 10m or 24h");
    return read_removals(fed_json_get(budget, "removals"), &rules->budget, field, diag);
}

static enum fed_err read_subjects(
    const struct plan_policy_rules *rules, char field[256], struct fed_diag *diag)
{
    const struct fed_json *subjects = fed_json_get(rules->spec, "subjects");

    for (struct fed_json_iter it = fed_json_items(subjects); fed_json_iter_next(&it);) {
        const struct fed_json *one = it.value;
        struct fed_span kind = fed_json_string(fed_json_get(one, "kind"));
        bool has_ns = fed_json_string(fed_json_get(one, "namespace")).len > 0;
        char path[64];

        snprintf(path, sizeof path, "spec.subjects[%zu]", it.index);
        if (!fed_span_is(kind, "User") && !fed_span_is(kind, "Group") &&
            !fed_span_is(kind, "ServiceAccount"))
            return wrong(field, path, diag,
                "Unsupported value: supported kinds: \"Group\", \"ServiceAccount\", \"User\"");
        if (fed_json_string(fed_json_get(one, "name")).len == 0)
            return wrong(field, path, diag, "Required value: the subject's name");
        if (fed_span_is(kind, "ServiceAccount") != has_ns)
            return wrong(field, path, diag,
                has_ns ? "Invalid value: only a ServiceAccount has a namespace"
                       : "Required value: the namespace of the ServiceAccount");
    }
    return FED_OK;
}

static enum fed_err read_effect(
    struct plan_policy_rules *rules, char field[256], struct fed_diag *diag)
{
    struct fed_span effect = fed_json_string(fed_json_get(rules->spec, "effect"));

    rules->deny = fed_span_is(effect, "Deny");
    if (!rules->deny && !fed_span_is(effect, "Allow"))
        return wrong(
            field, "spec.effect", diag, "Unsupported value: supported values: \"Allow\", \"Deny\"");
    return FED_OK;
}

enum fed_err plan_policy_rules_read(struct fed_alloc *mem, const struct fed_json *object,
    struct plan_policy_rules *out, char field[256], struct fed_diag *diag)
{
    struct plan_policy_rules rules = {0};
    enum fed_err err = fed_json_doc_new(mem, &rules.doc);

    if (err)
        return err;
    rules.mem = mem;
    rules.spec = fed_json_get(object, "spec");
    if (rules.spec)
        rules.spec = fed_json_clone(rules.doc, rules.spec);
    else
        err = wrong(field, "spec", diag, "Required value");
    if (!err && !rules.spec)
        err = FED_ERR_NOMEM;
    if (!err)
        err = read_effect(&rules, field, diag);
    if (!err)
        err = read_clusters(mem, &rules, field, diag);
    if (!err)
        err = read_selector(mem, fed_json_get(rules.spec, "namespaceSelector"),
            "spec.namespaceSelector", &rules.namespaces, field, diag);
    if (!err)
        err = read_subjects(&rules, field, diag);
    if (!err)
        err = read_budget(&rules, field, diag);
    if (err) {
        plan_policy_rules_fini(&rules);
        return err;
    }
    *out = rules;
    return FED_OK;
}

void plan_policy_rules_fini(struct plan_policy_rules *rules)
{
    if (rules->names)
        fed_alloc_free(
            rules->mem, rules->names, (rules->n_names ? rules->n_names : 1) * sizeof *rules->names);
    fed_selector_free(rules->namespaces);
    fed_selector_free(rules->clusters);
    fed_json_doc_free(rules->doc);
    *rules = (struct plan_policy_rules){0};
}

/* ---- whom it is for ---- */

static bool has_kind(const struct fed_json *kinds, const struct plan_type *type)
{
    struct fed_span version = fed_span_text(type ? type->target_api_version : "v1");
    size_t slash = fed_span_find(version, '/');
    struct fed_span group =
        slash < version.len ? fed_span_sub(version, 0, slash) : fed_span_text("");

    if (fed_json_count(kinds) == 0)
        return true;
    for (struct fed_json_iter it = fed_json_items(kinds); fed_json_iter_next(&it);) {
        const struct fed_json *one = it.value;
        const struct fed_json *its_group = fed_json_get(one, "group");

        if (fed_span_is(fed_json_string(fed_json_get(one, "kind")),
                type ? type->target_kind : "Namespace") &&
            (!its_group || fed_span_eq(fed_json_string(its_group), group)))
            return true;
    }
    return false;
}

static bool has_namespace(const struct plan_policy_rules *rules, const struct plan_target *target)
{
    const struct fed_json *namespaces = fed_json_get(rules->spec, "namespaces");

    if (!fed_json_is_array(namespaces) && !rules->namespaces)
        return true;
    if (target->ns.len == 0)
        return false;
    for (struct fed_json_iter it = fed_json_items(namespaces); fed_json_iter_next(&it);)
        if (fed_span_eq(fed_json_string(it.value), target->ns))
            return true;
    return rules->namespaces && fed_selector_match_text(rules->namespaces, target->ns_labels);
}

static bool is_subject(const struct fed_json *one, const struct hub_user *who)
{
    struct fed_span kind = fed_json_string(fed_json_get(one, "kind"));
    struct fed_span name = fed_json_string(fed_json_get(one, "name"));
    struct fed_span ns;
    struct fed_span account;

    if (fed_span_is(kind, "User"))
        return fed_span_is(name, who->name);
    if (fed_span_is(kind, "Group")) {
        for (size_t i = 0; i < who->n_groups; i++)
            if (fed_span_is(name, who->groups[i]))
                return true;
        return false;
    }
    return hub_user_service_account(fed_span_text(who->name), &ns, &account) &&
           fed_span_eq(account, name) &&
           fed_span_eq(ns, fed_json_string(fed_json_get(one, "namespace")));
}

static bool is_listed(struct fed_span list, const char *name)
{
    struct fed_span one;

    while (list.len > 0 && fed_span_split(&list, ',', &one))
        if (fed_span_is(one, name))
            return true;
    return false;
}

bool plan_policy_has_subjects(const struct plan_policy *policy)
{
    return fed_json_count(fed_json_get(policy->rules.spec, "subjects")) > 0;
}

static bool has_subject(const struct plan_policy *policy, const struct plan_target *target)
{
    const struct fed_json *subjects = fed_json_get(policy->rules.spec, "subjects");

    if (fed_json_count(subjects) == 0)
        return true;
    if (!target->who)
        return is_listed(target->bound, policy->name);
    for (struct fed_json_iter it = fed_json_items(subjects); fed_json_iter_next(&it);)
        if (is_subject(it.value, target->who))
            return true;
    return false;
}

bool plan_policy_applies(const struct plan_policy *policy, const struct plan_target *target)
{
    return !policy->gone && !policy->invalid &&
           has_kind(fed_json_get(policy->rules.spec, "kinds"), target->type) &&
           has_namespace(&policy->rules, target) && has_subject(policy, target);
}

/* ---- its clusters ---- */

struct among_names {
    const struct plan_policy_rules *rules;
    struct fed_span name;
};

static int order_of_names(const void *ctx, size_t index)
{
    const struct among_names *among = ctx;

    return fed_span_cmp(among->rules->names[index], among->name);
}

bool plan_policy_has_cluster(
    const struct plan_policy *policy, const char *cluster, const struct fed_json *labels)
{
    struct among_names among = {&policy->rules, fed_span_text(cluster)};
    size_t index;

    return fed_bisect(policy->rules.n_names, order_of_names, &among, &index) ||
           (policy->rules.clusters && fed_selector_match(policy->rules.clusters, labels));
}
