/* beside.c - what stands beside a federated object: versions, collected statuses; and the types
 * that say so. */
#include "hub/plan/internal.h"

#include <string.h>

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
