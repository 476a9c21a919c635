/* query.c - the questions that others ask of the plan. */
#include "hub/plan/gate.h"
#include "hub/plan/policy.h"

void hub_plan_counts(const struct hub_plan *plan, struct hub_plan_counts *out)
{
    *out = (struct hub_plan_counts){.objects = plan->items.count,
        .clusters = plan->n_clusters,
        .works = plan->n_pieces,
        .computed = plan->computed};
    for (size_t i = 0; i < plan->n_clusters; i++)
        out->pairs += plan->clusters[i]->n_items;
}

enum fed_err hub_plan_manifest(
    struct hub_plan *plan, struct fed_span name, const struct fed_manifest **out)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);

    if (!cluster || cluster->now.hollow || cluster->now.revision == 0)
        return FED_ERR_NOT_FOUND;
    return plan_manifest_lay_out(plan, &cluster->now, 0, out);
}

/* The manifest of a revision that the plan remembers; NULL when it does not. */
static const struct plan_manifest *manifest_at(
    struct hub_plan *plan, struct fed_span name, uint64_t revision)
{
    const struct plan_cluster *cluster = plan_cluster_get(plan, name);

    if (!cluster || revision == 0)
        return NULL;
    if (cluster->now.revision == revision && !cluster->now.hollow)
        return &cluster->now;
    for (size_t i = 0; i < PLAN_HISTORY; i++) {
        if (cluster->past[i].revision == revision)
            return &cluster->past[i];
    }
    return NULL;
}

enum fed_err hub_plan_manifest_at(
    struct hub_plan *plan, struct fed_span name, uint64_t revision, const struct fed_manifest **out)
{
    const struct plan_manifest *manifest = manifest_at(plan, name, revision);

    return manifest ? plan_manifest_lay_out(plan, manifest, 1, out) : FED_ERR_NOT_FOUND;
}

bool hub_plan_work_index(struct hub_plan *plan, struct fed_span name, uint64_t revision,
    const struct fed_work *identity, size_t *index)
{
    const struct plan_manifest *manifest = manifest_at(plan, name, revision);

    return manifest && plan_manifest_find(manifest, identity, index);
}

enum hub_placement_problem plan_item_problem(struct hub_plan *plan, const struct plan_item *item)
{
    if (item->latest->problem)
        return item->latest->problem;
    if (item->type && item->type->namespaced && !item->type->is_namespace &&
        !plan_namespace_item(plan, item->ns) && !plan_namespace_labelled(plan, item->ns))
        return HUB_PLACEMENT_NAMESPACE_NOT_FEDERATED;
    return HUB_PLACEMENT_OK;
}

/* One of a stopped type is shown where it would be; in the other clusters it means nothing. */
static bool is_shown(struct hub_plan *plan, struct plan_item *item, const struct plan_pair *pair)
{
    bool held = pair->piece && (pair->piece->work.options & FED_WORK_HELD);

    return !held || pair->state != PLAN_PAIR_PRESENT ||
           plan_item_selects(plan, item, pair->cluster);
}

static void policy_show(const struct plan_pair *pair, struct hub_planned_cluster *out)
{
    if (pair->state == PLAN_PAIR_FORBIDDEN) {
        out->policy = HUB_POLICY_FORBIDS;
        out->message = pair->policy->forbids;
    } else if (pair->waiting) {
        out->policy = HUB_POLICY_WAITS;
        out->message = pair->policy->waits;
    }
    out->awaits_consent = pair->consent == PLAN_CONSENT_AWAITS;
}

static void pair_show(struct hub_plan *plan, const struct plan_item *item,
    const struct plan_pair *pair, struct hub_planned_cluster *out)
{
    const char *why = plan_gate_why(plan, item, pair);
    bool in_manifest = pair->state == PLAN_PAIR_PRESENT || pair->state == PLAN_PAIR_RELEASING;

    *out = (struct hub_planned_cluster){.cluster = fed_span_text(pair->cluster->name),
        .fresh = pair->fresh,
        .selected = pair->state == PLAN_PAIR_PRESENT || pair->state == PLAN_PAIR_REFUSED,
        .error = pair->fault ? pair->fault->error : "",
        .message = pair->fault ? pair->fault->message : "",
        .held = why              ? why
                : pair->deferred ? pair->cluster->hold
                                 : NULL,
        .gated = why != NULL,
        .since_revision = pair->since,
        .index = SIZE_MAX,
        .revision = pair->cluster->now.revision,
        .work = pair->piece ? &pair->piece->work : NULL};
    if (in_manifest && !plan_manifest_find(&pair->cluster->now, &pair->piece->work, &out->index))
        out->index = SIZE_MAX;
    policy_show(pair, out);
}

static struct fed_work target_of(const struct plan_item *item)
{
    const struct plan_type *type = item->type;

    return (struct fed_work){.kind = fed_span_text(type ? type->target_kind : "Namespace"),
        .ns = type && type->target_namespaced ? item->ns : fed_span_text(""),
        .name = item->name};
}

enum fed_err hub_plan_object(
    struct hub_plan *plan, const struct hub_object_ref *ref, struct hub_planned *out)
{
    struct plan_item *item = plan_item_get(plan, ref);
    size_t n = 0;

    if (!item || item->gone || item->ignored)
        return FED_ERR_NOT_FOUND;
    if (item->n_pairs > plan->out_clusters_cap) {
        struct hub_planned_cluster *all = fed_alloc_array(plan->mem, item->n_pairs, sizeof *all);

        if (!all)
            return FED_ERR_NOMEM;
        fed_alloc_free(plan->mem, plan->out_clusters, plan->out_clusters_cap * sizeof *all);
        plan->out_clusters = all;
        plan->out_clusters_cap = item->n_pairs;
    }
    plan_gate_forget_why(plan);
    for (size_t i = 0; i < item->n_pairs; i++)
        if (is_shown(plan, item, &item->pairs[i]))
            pair_show(plan, item, &item->pairs[i], &plan->out_clusters[n++]);
    *out = (struct hub_planned){.problem = plan_item_problem(plan, item),
        .collect = item->type ? plan_collects(plan, item->type) : HUB_COLLECT_NOTHING,
        .message = item->latest->message,
        .clusters = plan->out_clusters,
        .n_clusters = n,
        .observed_generation = item->generation,
        .deleting = item->deleting,
        .orphan = item->orphan,
        .governed = item->governed,
        .target = target_of(item),
        .template_annotations = item->latest->template_annotations,
        .template_finalizers = item->latest->template_finalizers};
    for (size_t i = 0; i < n; i++) {
        out->n_forbidden += plan->out_clusters[i].policy == HUB_POLICY_FORBIDS;
        out->n_waiting += plan->out_clusters[i].policy == HUB_POLICY_WAITS;
    }
    return FED_OK;
}

bool hub_plan_is_misnamed(struct hub_plan *plan, const struct hub_object_ref *ref)
{
    const struct plan_item *item = plan_item_get(plan, ref);

    return item && !item->gone && item->ignored && !fed_span_eq(item->ns, item->name);
}

enum fed_err hub_plan_work_object(struct hub_plan *plan, struct fed_span name,
    const struct fed_work *identity, struct hub_object_ref *out)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);
    const struct plan_item *owner;
    size_t index;

    if (!cluster || !plan_manifest_find(&cluster->now, identity, &index))
        return FED_ERR_NOT_FOUND;
    owner = cluster->now.entries[index].piece->owner;
    if (!owner)
        return FED_ERR_NOT_FOUND;
    *out =
        (struct hub_object_ref){.resource = owner->resource, .ns = owner->ns, .name = owner->name};
    return FED_OK;
}

void hub_plan_cluster_objects(
    struct hub_plan *plan, struct fed_span name, hub_plan_each_object *each, void *ctx)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);

    for (size_t i = 0; cluster && i < cluster->n_items; i++) {
        const struct plan_item *item = cluster->items[i];
        struct hub_object_ref ref = {
            .resource = item->resource, .ns = item->ns, .name = item->name};

        if (item->type && !item->gone)
            each(ctx, &ref);
    }
}

void hub_plan_cluster_objects_since(struct hub_plan *plan, struct fed_span name, uint64_t revision,
    hub_plan_each_object *each, void *ctx)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);

    for (size_t i = 0; cluster && i < cluster->n_items; i++) {
        struct plan_item *item = cluster->items[i];
        const struct plan_pair *pair = plan_pair_find(item, cluster);
        struct hub_object_ref ref = {
            .resource = item->resource, .ns = item->ns, .name = item->name};
        bool settled = pair->since > 0 && pair->since <= revision &&
                       (pair->state == PLAN_PAIR_PRESENT || pair->state == PLAN_PAIR_REFUSED ||
                           pair->state == PLAN_PAIR_FORBIDDEN);

        if (item->type && !item->gone && !settled)
            each(ctx, &ref);
    }
}

/* In whichever version: the agent may have heard of another one last, and removes the object by one
 * that the member serves. Without memory nothing is said to be gone. */
static bool is_still_there(const struct plan_item *item, const struct plan_pair *pair,
    const struct fed_span *still_there, size_t n)
{
    struct fed_buf id;
    bool found;

    if (n == 0)
        return false;
    fed_buf_init(&id, fed_alloc_system(), FED_WORK_ID_MAX);
    plan_pair_id(item, pair, &id);
    found = fed_buf_err(&id) != FED_OK;
    for (size_t i = 0; i < n && !found; i++)
        found = fed_work_id_same(fed_buf_span(&id), still_there[i]);
    fed_buf_fini(&id);
    return found;
}

void hub_plan_removed(struct hub_plan *plan, struct fed_span name, uint64_t revision,
    const struct fed_span *still_there, size_t n_still_there)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);

    if (!cluster)
        return;
    plan_orders_confirmed(plan, cluster, revision, still_there, n_still_there);
    if (cluster->awaiting == 0)
        return;
    /* From the end: whoever is confirmed leaves the list, and the last one takes the place. */
    for (size_t i = cluster->n_items; i-- > 0;) {
        struct plan_item *item = cluster->items[i];
        struct plan_pair *pair = plan_pair_find(item, cluster);

        if ((pair->state != PLAN_PAIR_RELEASING && pair->state != PLAN_PAIR_REMOVING))
            continue;
        if (pair->since == 0 || pair->since > revision ||
            is_still_there(item, pair, still_there, n_still_there))
            continue;
        if (plan_pair_confirmed(plan, item, pair))
            continue; /* out of memory: the next report confirms again */
        plan_item_touch(plan, item);
        plan_round_want(plan);
    }
}

/* ---- types, and what is beside a federated object ---- */

struct fed_span hub_plan_cluster_at(const struct hub_plan *plan, size_t index)
{
    return index < plan->n_clusters ? fed_span_text(plan->clusters[index]->name)
                                    : (struct fed_span){0};
}

void hub_plan_away(struct hub_plan *plan, struct fed_span name, bool away)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);

    if (!cluster || cluster->away == away)
        return;
    cluster->away = away;
    for (size_t i = 0; away && cluster->awaiting > 0 && i < cluster->n_items; i++) {
        if (plan_pair_find(cluster->items[i], cluster)->state != PLAN_PAIR_REMOVING)
            continue;
        plan_item_touch(plan, cluster->items[i]);
        plan_round_want(plan);
    }
}
