/* policy.c - the PlacementPolicies that the plan knows, and what they forbid. */
#include "hub/plan/policy.h"
#include "proto/base/bisect.h"

#include <stdio.h>
#include <string.h>

/* ---- the list ---- */

struct among_policies {
    const struct hub_plan *plan;
    struct fed_span name;
};

static int order_of_policies(const void *ctx, size_t index)
{
    const struct among_policies *among = ctx;

    return fed_span_cmp(fed_span_text(among->plan->policies[index]->name), among->name);
}

static bool policy_index(const struct hub_plan *plan, struct fed_span name, size_t *index)
{
    struct among_policies among = {plan, name};

    return fed_bisect(plan->n_policies, order_of_policies, &among, index);
}

struct plan_policy *plan_policy_find(struct hub_plan *plan, struct fed_span name)
{
    size_t index;

    return policy_index(plan, name, &index) ? plan->policies[index] : NULL;
}

static enum fed_err policy_add(
    struct hub_plan *plan, struct fed_span name, struct plan_policy **out)
{
    struct plan_policy **all;
    struct plan_policy *policy;
    size_t index;
    enum fed_err err;

    all = fed_alloc_more(
        plan->mem, plan->policies, plan->n_policies, &plan->cap_policies, sizeof *all, 8);
    if (!all)
        return FED_ERR_NOMEM;
    plan->policies = all;
    policy = fed_alloc_zero(plan->mem, sizeof *policy);
    if (!policy)
        return FED_ERR_NOMEM;
    policy->refs = 1;
    err = fed_span_to_cstr(name, policy->name, sizeof policy->name);
    if (!err && plan->loading)
        err = plan_policy_recall(plan, policy);
    if (err) {
        fed_alloc_free(plan->mem, policy, sizeof *policy);
        return err;
    }
    policy_index(plan, name, &index);
    memmove(&plan->policies[index + 1], &plan->policies[index],
        (plan->n_policies - index) * sizeof *plan->policies);
    plan->policies[index] = policy;
    plan->n_policies++;
    *out = policy;
    return FED_OK;
}

void plan_policy_unref(struct hub_plan *plan, struct plan_policy *policy)
{
    if (!policy || --policy->refs > 0)
        return;
    plan_policy_rules_fini(&policy->rules);
    fed_alloc_free(plan->mem, policy, sizeof *policy);
}

void plan_policies_fini(struct hub_plan *plan)
{
    for (size_t i = 0; i < plan->n_policies; i++)
        plan_policy_unref(plan, plan->policies[i]);
    fed_alloc_free(plan->mem, plan->policies, plan->cap_policies * sizeof *plan->policies);
    plan->policies = NULL;
    plan->n_policies = plan->cap_policies = 0;
}

/* ---- what changes ---- */

static bool is_in_namespace(const struct plan_item *item)
{
    return item->type && item->type->namespaced && !item->type->is_namespace;
}

/* The Namespace that such an item is in, as a target: where it may not be, nothing in it may. */
static struct plan_target namespace_target(struct hub_plan *plan, const struct plan_item *item)
{
    const struct plan_item *federated = plan_namespace_item(plan, item->ns);
    struct plan_target target = plan_policy_target(plan, item);

    target.type = NULL;
    target.bound = federated ? federated->bound : fed_span_text("");
    return target;
}

struct plan_target plan_policy_target(struct hub_plan *plan, const struct plan_item *item)
{
    struct plan_target target = {.type = item->type, .ns = item->ns, .bound = item->bound};
    const struct plan_item *ns;

    if (!item->type)
        target.ns = item->name;
    else if (!item->type->namespaced)
        target.ns = fed_span_text("");
    if (target.ns.len == 0)
        return target;
    ns = plan_item_get(
        plan, &(struct hub_object_ref){.resource = fed_span_text("namespaces"), .name = target.ns});
    target.ns_labels = ns && !ns->gone ? ns->labels : fed_span_text("");
    return target;
}

bool plan_policy_concerns(
    struct hub_plan *plan, const struct plan_policy *policy, const struct plan_item *item)
{
    struct plan_target target = plan_policy_target(plan, item);

    if (plan_policy_applies(policy, &target))
        return true;
    if (!is_in_namespace(item))
        return false;
    target = namespace_target(plan, item);
    return plan_policy_applies(policy, &target);
}

/* Every item that the policy is for, as it stands. */
static void mark_concerned(struct hub_plan *plan, const struct plan_policy *policy)
{
    struct fed_map_iter it;

    plan->policies_stamp++;
    if (plan->loading)
        return;
    fed_map_iter_init(&it, &plan->items);
    while (fed_map_iter_next(&it))
        if (plan_policy_concerns(plan, policy, it.value))
            plan_item_mark(plan, it.value);
    plan_round_want(plan);
}

static void describe(struct plan_policy *policy)
{
    const char *verb = policy->rules.deny ? "denies" : "does not allow";
    const struct plan_policy_budget *budget = &policy->rules.budget;

    snprintf(policy->forbids, sizeof policy->forbids, "PlacementPolicy \"%s\" %s this cluster",
        policy->name, verb);
    snprintf(policy->waits, sizeof policy->waits,
        "PlacementPolicy \"%s\" %s this cluster: the object stays until its removal has its turn "
        "in the policy's deletion budget of %llu%s per %llu s",
        policy->name, verb, (unsigned long long)budget->removals, budget->percent ? "%" : "",
        (unsigned long long)budget->period_ms / 1000u);
}

static enum fed_err take_rules(
    struct hub_plan *plan, struct plan_policy *policy, const struct fed_json *object)
{
    struct plan_policy_rules rules;
    struct fed_diag diag = {""};
    char field[256] = "";
    enum fed_err err = plan_policy_rules_read(plan->mem, object, &rules, field, &diag);

    if (err == FED_ERR_NOMEM)
        return err;
    policy->invalid = err != FED_OK;
    policy->message[0] = '\0';
    if (err) {
        snprintf(policy->message, sizeof policy->message, "%.100s: %.140s", field, diag.text);
        fed_log(plan->log, FED_LOG_ERROR,
            "plan: PlacementPolicy %s is not in force: %s; it removes nothing", policy->name,
            policy->message);
        return FED_OK;
    }
    plan_policy_rules_fini(&policy->rules);
    policy->rules = rules;
    describe(policy);
    return FED_OK;
}

enum fed_err plan_policy_make(struct hub_plan *plan, struct fed_span name,
    const struct fed_json *object, struct plan_policy **out, struct fed_diag *diag)
{
    struct plan_policy *policy = fed_alloc_zero(plan->mem, sizeof *policy);
    struct fed_diag wrong = {""};
    char field[256] = "";
    enum fed_err err;

    if (!policy)
        return FED_ERR_NOMEM;
    policy->refs = 1;
    err = fed_span_to_cstr(name, policy->name, sizeof policy->name);
    if (!err)
        err = plan_policy_rules_read(plan->mem, object, &policy->rules, field, &wrong);
    if (err) {
        plan_policy_unref(plan, policy);
        return fed_diag_set(diag, err, "%.100s: %.140s", field, wrong.text);
    }
    describe(policy);
    *out = policy;
    return FED_OK;
}

static enum fed_err put_object(
    struct hub_plan *plan, struct fed_span name, const struct fed_json *object)
{
    struct plan_policy *policy = plan_policy_find(plan, name);
    bool same;
    enum fed_err err = FED_OK;

    if (!policy)
        err = policy_add(plan, name, &policy);
    if (err)
        return err;
    policy->generation = fed_json_int(fed_json_find(object, "metadata.generation"), 0);
    policy->told = true;
    same = !policy->gone && policy->rules.spec &&
           fed_json_eq(policy->rules.spec, fed_json_get(object, "spec"));
    if (same && !policy->invalid)
        return FED_OK;
    if (policy->rules.spec)
        mark_concerned(plan, policy);
    policy->row_dirty = policy->row_dirty || policy->gone;
    policy->gone = false;
    err = take_rules(plan, policy, object);
    if (!err)
        mark_concerned(plan, policy);
    return err;
}

enum fed_err plan_policy_put(struct hub_plan *plan, struct fed_span name, struct fed_span bytes)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    enum fed_err err = fed_json_doc_new(plan->mem, &doc);

    if (err)
        return err;
    err = fed_json_parse(doc, bytes, &object, NULL);
    if (!err)
        err = put_object(plan, name, object);
    fed_json_doc_free(doc);
    return err;
}

/* It stays in the list, with what it used of its budget, until its row is gone for good. */
void plan_policy_remove(struct hub_plan *plan, struct fed_span name)
{
    struct plan_policy *policy = plan_policy_find(plan, name);

    if (!policy || policy->gone)
        return;
    mark_concerned(plan, policy);
    policy->gone = policy->row_dirty = true;
    plan->policies_stamp++;
}

/* ---- what is forbidden ---- */

/* Deny wins; without it, one Allow that has the cluster is enough. */
static struct plan_policy *judge(struct plan_policy *const *policies, size_t n,
    const struct plan_target *target, const char *cluster, const struct fed_json *labels)
{
    struct plan_policy *lacking = NULL;
    bool allowed = false;

    for (size_t i = 0; i < n; i++) {
        struct plan_policy *policy = policies[i];
        bool has;

        if (target && !plan_policy_applies(policy, target))
            continue;
        has = plan_policy_has_cluster(policy, cluster, labels);
        if (policy->rules.deny && has)
            return policy;
        if (policy->rules.deny)
            continue;
        allowed = allowed || has;
        if (!lacking)
            lacking = policy;
    }
    return allowed ? NULL : lacking;
}

struct plan_policy *plan_policy_forbids_target(struct hub_plan *plan,
    const struct plan_target *target, const char *cluster, const struct fed_json *labels)
{
    return judge(plan->policies, plan->n_policies, target, cluster, labels);
}

static enum fed_err gather(struct hub_plan *plan, struct plan_item *item)
{
    struct plan_target targets[2] = {plan_policy_target(plan, item)};
    size_t n_targets = 1;
    size_t n = 0;

    if (is_in_namespace(item))
        targets[n_targets++] = namespace_target(plan, item);
    if (item->cap_policies < 2 * plan->n_policies) {
        size_t cap = 2 * plan->n_policies;
        struct plan_policy **all = plan->mem->resize(
            plan->mem->ctx, item->policies, item->cap_policies * sizeof *all, cap * sizeof *all);

        if (!all)
            return FED_ERR_NOMEM;
        item->policies = all;
        item->cap_policies = cap;
    }
    item->n_policies[0] = item->n_policies[1] = 0;
    for (size_t t = 0; t < n_targets; t++)
        for (size_t i = 0; i < plan->n_policies; i++)
            if (plan_policy_applies(plan->policies[i], &targets[t])) {
                item->policies[n++] = plan->policies[i];
                item->n_policies[t]++;
            }
    item->policies_stamp = plan->policies_stamp;
    return FED_OK;
}

/* Those that are for the item, looked up once until one of them, or the item, changes. */
static enum fed_err policies_of(struct hub_plan *plan, struct plan_item *item)
{
    return item->policies_stamp == plan->policies_stamp ? FED_OK : gather(plan, item);
}

enum fed_err plan_policy_forbids(struct hub_plan *plan, struct plan_item *item,
    const struct plan_cluster *cluster, struct plan_policy **out)
{
    enum fed_err err;

    *out = NULL;
    if (plan->n_policies == 0)
        return FED_OK;
    err = policies_of(plan, item);
    if (err)
        return err;
    *out = judge(item->policies, item->n_policies[0], NULL, cluster->name, cluster->labels);
    if (!*out && item->n_policies[1] > 0)
        *out = judge(item->policies + item->n_policies[0], item->n_policies[1], NULL, cluster->name,
            cluster->labels);
    return FED_OK;
}

bool hub_plan_may_be_in(
    struct hub_plan *plan, const struct hub_object_ref *ref, struct fed_span name)
{
    struct plan_item *item = plan_item_get(plan, ref);
    const struct plan_cluster *cluster = plan_cluster_get(plan, name);
    const struct plan_pair *pair;
    struct plan_policy *policy;

    if (!item || !cluster || plan_policy_forbids(plan, item, cluster, &policy) || !policy)
        return true;
    pair = plan_pair_find(item, cluster);
    return pair && pair->waiting;
}

bool plan_policy_labels_matter(struct hub_plan *plan, struct plan_item *item,
    const struct fed_json *labels, const struct fed_json *other)
{
    if (plan->n_policies == 0)
        return false;
    if (policies_of(plan, item))
        return true; /* no memory: computing will say so */
    for (size_t i = 0; i < item->n_policies[0] + item->n_policies[1]; i++) {
        const struct fed_selector *selector = item->policies[i]->rules.clusters;

        if (selector && fed_selector_match(selector, labels) != fed_selector_match(selector, other))
            return true;
    }
    return false;
}
