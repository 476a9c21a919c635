/* kinds.c - which kinds are federated. */
#include "hub/plan/internal.h"

void hub_plan_kinds(struct hub_plan *plan, hub_plan_each_kind *each, void *ctx)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &plan->types);
    while (fed_map_iter_next(&it)) {
        const struct plan_type *type = it.value;
        struct hub_federated_kind kind = {.api_version = type->target_api_version,
            .kind = type->target_kind,
            .plural = type->target_plural};

        if (type->enabled && !type->gone && !each(ctx, &kind))
            return;
    }
}
