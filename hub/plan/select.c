/* select.c - which clusters a placement selects: by name, by label, and by way of the namespace. */
#include "hub/plan/policy.h"
#include "proto/base/bisect.h"

struct plan_item *plan_namespace_item(struct hub_plan *plan, struct fed_span ns)
{
    struct plan_item *item;

    if (!plan->namespaces)
        return NULL;
    item = plan_item_get(
        plan, &(struct hub_object_ref){
                  .resource = fed_span_text(plan->namespaces->resource), .ns = ns, .name = ns});
    return item && !item->gone && !item->deleting && !item->ignored ? item : NULL;
}

bool plan_namespace_labelled(struct hub_plan *plan, struct fed_span ns)
{
    struct plan_item *item = plan_item_get(
        plan, &(struct hub_object_ref){.resource = fed_span_text("namespaces"), .name = ns});

    return item && !item->gone && !item->deleting && item->label_federated;
}

struct among_names {
    const struct plan_placement *placement;
    struct fed_span name;
};

static int order_of_names(const void *ctx, size_t index)
{
    const struct among_names *among = ctx;

    return fed_span_cmp(among->placement->names[index], among->name);
}

static bool placement_names(
    const struct plan_placement *placement, const struct plan_cluster *cluster)
{
    struct among_names among = {placement, fed_span_text(cluster->name)};
    size_t index;

    return fed_bisect(placement->n_names, order_of_names, &among, &index);
}

static bool placement_selects(
    const struct plan_placement *placement, const struct plan_cluster *cluster)
{
    switch (placement->mode) {
    case PLAN_SELECTOR:
        return fed_selector_match(placement->selector, cluster->labels);
    case PLAN_NAMES:
        return placement_names(placement, cluster);
    case PLAN_NONE:
    case PLAN_ABSENT:
        break;
    }
    return false;
}

bool plan_namespace_places(
    struct hub_plan *plan, struct fed_span ns, const struct plan_cluster *cluster)
{
    struct plan_item *federated = plan_namespace_item(plan, ns);

    if (federated && federated->latest->placement.mode != PLAN_ABSENT)
        return placement_selects(&federated->latest->placement, cluster);
    return plan_namespace_labelled(plan, ns);
}

bool plan_version_selects(struct hub_plan *plan, const struct plan_item *item,
    const struct plan_version *version, const struct plan_cluster *cluster)
{
    if (item->type->namespaced && version->placement.mode == PLAN_ABSENT)
        return plan_namespace_labelled(plan, item->ns);
    return placement_selects(&version->placement, cluster);
}

bool plan_item_selects(
    struct hub_plan *plan, struct plan_item *item, const struct plan_cluster *cluster)
{
    if (item->gone || item->deleting || item->ignored)
        return false;
    if (!item->type) /* the label; a FederatedNamespace that counts takes over */
        return item->label_federated && !plan_namespace_item(plan, item->name);
    if (item->type->is_namespace)
        return plan_namespace_places(plan, item->name, cluster);
    if (item->type->namespaced && !plan_namespace_places(plan, item->ns, cluster))
        return false;
    return plan_version_selects(plan, item, item->latest, cluster);
}

static bool placement_differs(const struct plan_placement *placement, const struct fed_json *labels,
    const struct fed_json *other)
{
    return placement->mode == PLAN_SELECTOR && fed_selector_match(placement->selector, labels) !=
                                                   fed_selector_match(placement->selector, other);
}

bool plan_labels_matter(struct hub_plan *plan, struct plan_item *item,
    const struct fed_json *labels, const struct fed_json *other)
{
    const struct plan_item *federated = NULL;

    if (item->governed) /* also the answer may */
        return true;
    if (placement_differs(&item->latest->placement, labels, other) ||
        plan_overrides_differ(item->latest, labels, other) ||
        plan_policy_labels_matter(plan, item, labels, other))
        return true;
    if (item->type && !item->type->namespaced)
        return false;
    federated = plan_namespace_item(plan, item->type ? item->ns : item->name);
    return federated && placement_differs(&federated->latest->placement, labels, other);
}
