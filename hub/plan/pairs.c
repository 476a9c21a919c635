/* pairs.c - the table of pairs: each is in its object's list, by cluster, and in its cluster's. */
#include "hub/plan/gate.h"
#include "hub/plan/policy.h"
#include "proto/base/bisect.h"

#include <string.h>

struct among_pairs {
    const struct plan_item *item;
    const char *cluster;
};

static int order_of_pairs(const void *ctx, size_t index)
{
    const struct among_pairs *among = ctx;

    return strcmp(among->item->pairs[index].cluster->name, among->cluster);
}

static bool pair_index(const struct plan_item *item, const char *cluster, size_t *index)
{
    struct among_pairs among = {item, cluster};

    return fed_bisect(item->n_pairs, order_of_pairs, &among, index);
}

struct plan_pair *plan_pair_find(struct plan_item *item, const struct plan_cluster *cluster)
{
    size_t index;

    return pair_index(item, cluster->name, &index) ? &item->pairs[index] : NULL;
}

static enum fed_err cluster_list(
    struct hub_plan *plan, struct plan_cluster *cluster, struct plan_item *item, uint32_t *place)
{
    if (cluster->n_items == cluster->cap_items) {
        size_t cap = cluster->cap_items ? cluster->cap_items * 2 : 8;
        struct plan_item **items = plan->mem->resize(plan->mem->ctx, cluster->items,
            cluster->cap_items * sizeof *items, cap * sizeof *items);

        if (!items)
            return FED_ERR_NOMEM;
        cluster->items = items;
        cluster->cap_items = cap;
    }
    *place = (uint32_t)cluster->n_items;
    cluster->items[cluster->n_items++] = item;
    return FED_OK;
}

/* The last one of the list takes its place. */
void plan_pair_unlist(struct plan_pair *pair)
{
    struct plan_cluster *cluster = pair->cluster;
    struct plan_item *last = cluster->items[--cluster->n_items];

    if (pair->place == cluster->n_items)
        return;
    cluster->items[pair->place] = last;
    plan_pair_find(last, cluster)->place = pair->place;
}

enum fed_err plan_pair_add(struct hub_plan *plan, struct plan_item *item,
    struct plan_cluster *cluster, struct plan_pair **out)
{
    size_t index;
    uint32_t place;

    if (pair_index(item, cluster->name, &index)) {
        *out = &item->pairs[index];
        return FED_OK;
    }
    if (item->n_pairs == item->cap_pairs) {
        size_t cap = item->cap_pairs ? item->cap_pairs * 2 : 4;
        struct plan_pair *pairs = plan->mem->resize(
            plan->mem->ctx, item->pairs, item->cap_pairs * sizeof *pairs, cap * sizeof *pairs);

        if (!pairs)
            return FED_ERR_NOMEM;
        item->pairs = pairs;
        item->cap_pairs = cap;
    }
    if (cluster_list(plan, cluster, item, &place))
        return FED_ERR_NOMEM;
    memmove(&item->pairs[index + 1], &item->pairs[index],
        (item->n_pairs - index) * sizeof *item->pairs);
    item->n_pairs++;
    item->pairs[index] =
        (struct plan_pair){.cluster = cluster, .state = PLAN_PAIR_REFUSED, .place = place};
    *out = &item->pairs[index];
    return FED_OK;
}

static bool is_awaited(enum plan_pair_state state)
{
    return state == PLAN_PAIR_RELEASING || state == PLAN_PAIR_REMOVING;
}

void plan_pair_set_state(struct plan_pair *pair, enum plan_pair_state state)
{
    pair->cluster->awaiting += is_awaited(state);
    pair->cluster->awaiting -= is_awaited((enum plan_pair_state)pair->state);
    pair->state = (uint8_t)state;
    pair->since = 0;
}

void plan_pair_clear_fault(struct hub_plan *plan, struct plan_pair *pair)
{
    if (pair->fault)
        fed_alloc_free(plan->mem, pair->fault, pair->fault->size);
    pair->fault = NULL;
}

void plan_pair_fini(struct hub_plan *plan, struct plan_pair *pair)
{
    plan_pair_clear_fault(plan, pair);
    plan_hold_end_pair(pair);
    plan_consent_set(pair, PLAN_CONSENT_NONE);
    plan_piece_unref(plan, pair->piece);
    plan_policy_unref(plan, pair->policy);
    pair->piece = NULL;
    pair->policy = NULL;
}

void plan_pair_drop(struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair)
{
    size_t index = (size_t)(pair - item->pairs);

    plan_pair_set_state(pair, PLAN_PAIR_REFUSED);
    plan_pair_set_policy(plan, item, pair, NULL, false);
    plan_gate_note(plan, item, pair, 0);
    item->n_regated -= pair->regate;
    plan_pair_unlist(pair);
    plan_pair_fini(plan, pair);
    item->n_pairs--;
    memmove(pair, pair + 1, (item->n_pairs - index) * sizeof *pair);
    plan_item_touch(plan, item);
}
