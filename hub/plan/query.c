/* query.c - the questions that others ask of the plan, and admission. */
#include "hub/kubefed/warn.h"
#include "hub/plan/policy.h"

#include <stdio.h>
#include <string.h>

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

enum fed_err hub_plan_manifest_at(
    struct hub_plan *plan, struct fed_span name, uint64_t revision, const struct fed_manifest **out)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);

    if (!cluster || revision == 0)
        return FED_ERR_NOT_FOUND;
    if (cluster->now.revision == revision && !cluster->now.hollow)
        return plan_manifest_lay_out(plan, &cluster->now, 1, out);
    for (size_t i = 0; i < PLAN_HISTORY; i++) {
        if (cluster->past[i].revision == revision)
            return plan_manifest_lay_out(plan, &cluster->past[i], 1, out);
    }
    return FED_ERR_NOT_FOUND;
}

enum hub_placement_problem plan_item_problem(struct hub_plan *plan, const struct plan_item *item)
{
    if (item->problem)
        return item->problem;
    if (item->type && item->type->namespaced && !item->type->is_namespace &&
        !plan_namespace_item(plan, item->ns) && !plan_namespace_labelled(plan, item->ns))
        return HUB_PLACEMENT_NAMESPACE_NOT_FEDERATED;
    return HUB_PLACEMENT_OK;
}

/* A held one is shown where it would be; in the other clusters it means nothing. */
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
    } else if (pair->held) {
        out->policy = HUB_POLICY_HOLDS;
        out->message = pair->policy->holds;
    }
}

static void pair_show(const struct plan_pair *pair, struct hub_planned_cluster *out)
{
    bool in_manifest = pair->state == PLAN_PAIR_PRESENT || pair->state == PLAN_PAIR_RELEASING;

    *out = (struct hub_planned_cluster){.cluster = fed_span_text(pair->cluster->name),
        .fresh = pair->fresh,
        .selected = pair->state == PLAN_PAIR_PRESENT || pair->state == PLAN_PAIR_REFUSED,
        .error = pair->fault ? pair->fault->error : "",
        .message = pair->fault ? pair->fault->message : "",
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
    for (size_t i = 0; i < item->n_pairs; i++)
        if (is_shown(plan, item, &item->pairs[i]))
            pair_show(&item->pairs[i], &plan->out_clusters[n++]);
    *out = (struct hub_planned){.problem = plan_item_problem(plan, item),
        .collect = item->type ? plan_collects(plan, item->type) : HUB_COLLECT_NOTHING,
        .message = item->message,
        .clusters = plan->out_clusters,
        .n_clusters = n,
        .observed_generation = item->generation,
        .deleting = item->deleting,
        .orphan = item->orphan,
        .target = target_of(item),
        .template_annotations = item->template_annotations,
        .template_finalizers = item->template_finalizers};
    for (size_t i = 0; i < n; i++) {
        out->n_forbidden += plan->out_clusters[i].policy == HUB_POLICY_FORBIDS;
        out->n_held += plan->out_clusters[i].policy == HUB_POLICY_HOLDS;
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

static bool is_still_there(const struct plan_item *item, const struct plan_pair *pair,
    const struct fed_span *still_there, size_t n)
{
    struct fed_buf id;
    bool found = false;

    if (n == 0)
        return false;
    fed_buf_init(&id, fed_alloc_system(), FED_WORK_ID_MAX);
    plan_pair_id(item, pair, &id);
    for (size_t i = 0; i < n && !found; i++)
        found = fed_span_eq(fed_buf_span(&id), still_there[i]);
    fed_buf_fini(&id);
    return found;
}

void hub_plan_removed(struct hub_plan *plan, struct fed_span name, uint64_t revision,
    const struct fed_span *still_there, size_t n_still_there)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);

    if (!cluster || cluster->awaiting == 0)
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

/* KubeFed collects a statusType for services alone, and not while the gate is on
 * (pkg/controller/federatedtypeconfig). */
enum hub_collect plan_collects(const struct hub_plan *plan, const struct plan_type *type)
{
    if (!type->collects)
        return HUB_COLLECT_NOTHING;
    if (plan->settings.raw_status)
        return HUB_COLLECT_REMOTE;
    return type->status_resource[0] && strcmp(type->target_api_version, "v1") == 0 &&
                   strcmp(type->target_kind, "Service") == 0
               ? HUB_COLLECT_STATUSES
               : HUB_COLLECT_NOTHING;
}

enum fed_err hub_plan_type(
    struct hub_plan *plan, struct fed_span resource, struct hub_planned_type *out)
{
    const struct plan_type *type = fed_map_get(&plan->types, resource);

    if (!type || type->gone)
        return FED_ERR_NOT_FOUND;
    *out = (struct hub_planned_type){.target_kind = type->target_kind,
        .namespaced = type->namespaced,
        .enabled = type->enabled,
        .collect = plan_collects(plan, type),
        .status_resource = type->status_resource,
        .status_kind = type->status_kind,
        .status_api_version = type->status_api_version};
    return FED_OK;
}

static bool is_live(const struct plan_item *item)
{
    return item && item->type && !item->gone && !item->deleting && !item->ignored;
}

/* kind, in lower case, and "-": what is before the object's name. */
static bool begins_with_kind(struct fed_span name, const char *kind)
{
    size_t len = strlen(kind);

    if (name.len <= len || name.at[len] != '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)kind[i];

        if (name.at[i] != (c >= 'A' && c <= 'Z' ? c + 32 : c))
            return false;
    }
    return true;
}

enum fed_err hub_plan_version_object(struct hub_plan *plan, struct fed_span ns,
    struct fed_span version_name, struct fed_span object_name, struct hub_object_ref *out)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &plan->types);
    while (fed_map_iter_next(&it)) {
        const struct plan_type *type = it.value;
        struct hub_object_ref ref = {fed_span_text(type->resource), ns, object_name};

        if (type->gone || type->namespaced != (ns.len > 0) ||
            version_name.len != strlen(type->target_kind) + 1 + object_name.len ||
            !begins_with_kind(version_name, type->target_kind) ||
            !fed_span_eq(
                fed_span_sub(version_name, version_name.len - object_name.len, version_name.len),
                object_name) ||
            !is_live(plan_item_get(plan, &ref)))
            continue;
        *out = ref;
        return FED_OK;
    }
    return FED_ERR_NOT_FOUND;
}

enum fed_err hub_plan_status_object(struct hub_plan *plan, struct fed_span status_resource,
    struct fed_span ns, struct fed_span name, struct hub_object_ref *out)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &plan->types);
    while (fed_map_iter_next(&it)) {
        const struct plan_type *type = it.value;
        struct hub_object_ref ref = {fed_span_text(type->resource), ns, name};

        if (type->gone || plan_collects(plan, type) != HUB_COLLECT_STATUSES ||
            !fed_span_is(status_resource, type->status_resource) ||
            !is_live(plan_item_get(plan, &ref)))
            continue;
        *out = ref;
        return FED_OK;
    }
    return FED_ERR_NOT_FOUND;
}

bool hub_plan_work_index(struct hub_plan *plan, struct fed_span name, uint64_t revision,
    const struct fed_work *identity, size_t *index)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);

    if (!cluster || revision == 0)
        return false;
    if (cluster->now.revision == revision && !cluster->now.hollow)
        return plan_manifest_find(&cluster->now, identity, index);
    for (size_t i = 0; i < PLAN_HISTORY; i++) {
        if (cluster->past[i].revision == revision)
            return plan_manifest_find(&cluster->past[i], identity, index);
    }
    return false;
}

struct fed_span hub_plan_cluster_at(const struct hub_plan *plan, size_t index)
{
    return index < plan->n_clusters ? fed_span_text(plan->clusters[index]->name)
                                    : (struct fed_span){0};
}

void hub_plan_federated_objects(struct hub_plan *plan, hub_plan_each_federated *each, void *ctx)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &plan->items);
    while (fed_map_iter_next(&it)) {
        const struct plan_item *item = it.value;
        struct hub_object_ref ref = {item->resource, item->ns, item->name};

        if (is_live(item) && item->type->enabled)
            each(ctx, &ref);
    }
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

/* ---- admission ---- */

static enum fed_err ensure_finalizer(struct hub_admission *admission)
{
    struct fed_json *metadata =
        fed_json_ensure_object(admission->doc, admission->object, "metadata");
    struct fed_json *finalizers = fed_json_get(metadata, "finalizers");

    if (!metadata)
        return FED_ERR_NOMEM;
    if (plan_has_finalizer(admission->object))
        return FED_OK;
    if (!fed_json_is_array(finalizers)) {
        finalizers = fed_json_new_array(admission->doc);
        if (fed_json_set(admission->doc, metadata, "finalizers", finalizers))
            return FED_ERR_NOMEM;
    }
    return fed_json_append(finalizers, fed_json_new_text(admission->doc, PLAN_FINALIZER));
}

static bool has_cluster(void *plan, struct fed_span name)
{
    return plan_cluster_get(plan, name) != NULL;
}

static bool is_federated(void *plan, struct fed_span ns)
{
    return plan_namespace_item(plan, ns) || plan_namespace_labelled(plan, ns);
}

static bool is_labelled(void *plan, struct fed_span ns)
{
    return plan_namespace_labelled(plan, ns);
}

static void pass_warning(void *admission, const char *text)
{
    struct hub_admission *a = admission;

    a->warn(a, text);
}

enum fed_err hub_plan_admit(
    struct hub_plan *plan, struct hub_admission *admission, struct fed_diag *diag)
{
    const struct plan_type *type =
        fed_map_get(&plan->types, fed_span_text(admission->kind->resource));
    struct hub_kubefed_around around = {.ctx = plan,
        .has_cluster = has_cluster,
        .is_federated = is_federated,
        .is_labelled = is_labelled,
        .namespaced = type && type->target_namespaced,
        .is_namespace = type && type->is_namespace,
        .warn = pass_warning,
        .warn_ctx = admission};

    enum fed_err err;

    if (admission->operation == HUB_DELETE || admission->subresource.len)
        return FED_OK;
    err = plan_overrides_admit(plan, admission, diag);
    if (!err)
        err = plan_policy_admit_object(plan, admission, diag);
    if (err)
        return err;
    if (fed_json_find(admission->object, "metadata.deletionTimestamp"))
        return FED_OK;
    if (type)
        hub_kubefed_warn(admission->doc, admission->object, &around);
    return ensure_finalizer(admission);
}
