/* waiting.c - copies that a policy forbids and that are there: they stay until their turn.
 *
 * A policy's deletion budget gives so many removals per period (budget.c). What waits and how far a
 * period is are rows of the store, written in the commit of the manifests that they explain, so
 * that a restart neither forgets a copy nor gives the budget anew:
 *   "h/" key of the object   names of the clusters in which it waits, sorted, NUL between
 *   "q/" name of the policy  u64 used, u64 peak of what waits, u64 milliseconds left */
#include "hub/plan/policy.h"
#include "proto/base/bisect.h"

#include <stdio.h>
#include <string.h>

#define ROWS_MAX 256u /* of one commit */
#define WAITING_KEY_MAX FED_STORE_KEY_MAX

static uint64_t now_ms(const struct hub_plan *plan)
{
    return fed_loop_now_ms(plan->loop);
}

/* ---- a pair ---- */

static void release(struct plan_item *item, struct plan_pair *pair)
{
    if (!pair->waiting)
        return;
    pair->waiting = false;
    pair->cluster->n_waiting--;
    pair->policy->pending--;
    item->n_waiting--;
    item->waiting_dirty = true;
    pair->policy->told = true;
}

void plan_pair_set_policy(struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair,
    struct plan_policy *policy, bool waiting)
{
    if (pair->policy == policy && pair->waiting == waiting)
        return;
    release(item, pair);
    if (policy)
        policy->refs++;
    plan_policy_unref(plan, pair->policy);
    pair->policy = policy;
    plan_item_touch(plan, item);
    if (!waiting)
        return;
    pair->waiting = true;
    pair->cluster->n_waiting++;
    policy->pending++;
    item->n_waiting++;
    item->waiting_dirty = true;
    policy->told = true;
}

/* ---- what waited when the hub stopped ---- */

struct among_recalled {
    const struct plan_item *item;
    struct fed_span name;
};

static int order_of_recalled(const void *ctx, size_t index)
{
    const struct among_recalled *among = ctx;

    return fed_span_cmp(among->item->recalled[index], among->name);
}

bool plan_waiting_recalled(const struct plan_item *item, const struct plan_cluster *cluster)
{
    struct among_recalled among = {item, fed_span_text(cluster->name)};
    size_t index;

    return fed_bisect(item->n_recalled, order_of_recalled, &among, &index);
}

static void forget_recalled(struct hub_plan *plan, struct plan_item *item)
{
    fed_alloc_free(plan->mem, item->recalled, item->recalled_size);
    item->recalled = NULL;
    item->n_recalled = item->recalled_size = 0;
}

/* A row that says what is so is not written again. */
void plan_waiting_computed(struct hub_plan *plan, struct plan_item *item)
{
    if (item->n_recalled == 0)
        return;
    item->waiting_dirty = item->n_waiting != item->n_recalled;
    if (item->waiting_dirty)
        plan_item_touch(plan, item);
    forget_recalled(plan, item);
}

static size_t count_names(struct fed_span text)
{
    size_t n = 0;
    struct fed_span one;

    while (fed_span_split(&text, '\0', &one))
        n++;
    return n;
}

/* One allocation: the list, and the text behind it. */
static enum fed_err recall_names(
    struct hub_plan *plan, struct plan_item *item, struct fed_span text)
{
    size_t n = count_names(text);
    size_t size = n * sizeof(struct fed_span) + text.len;
    struct fed_span *list;
    struct fed_span rest;
    uint8_t *copy;

    forget_recalled(plan, item);
    if (n == 0)
        return FED_OK;
    list = fed_alloc_get(plan->mem, size);
    if (!list)
        return FED_ERR_NOMEM;
    copy = (uint8_t *)(list + n);
    memcpy(copy, text.at, text.len);
    rest = fed_span_of(copy, text.len);
    for (size_t i = 0; i < n; i++)
        (void)fed_span_split(&rest, '\0', &list[i]);
    item->recalled = list;
    item->n_recalled = n;
    item->recalled_size = size;
    item->waiting_row = true;
    return FED_OK;
}

struct recalling {
    struct hub_plan *plan;
    enum fed_err err;
};

static bool recall_item(void *ctx, const struct fed_store_item *row)
{
    struct recalling *recalling = ctx;
    struct fed_span key = fed_span_sub(row->key, 2, row->key.len);
    struct plan_item *item = fed_map_get(&recalling->plan->items, key);

    if (item)
        recalling->err = recall_names(recalling->plan, item, row->value);
    return recalling->err == FED_OK;
}

enum fed_err plan_waiting_load(struct hub_plan *plan)
{
    struct fed_store *store = hub_objects_store(plan->objects);
    struct recalling recalling = {plan, FED_OK};
    enum fed_err err;

    if (plan->n_policies == 0)
        return FED_OK;
    err = store->range(
        store->ctx, FED_SPAN_LIT("h/"), FED_SPAN_LIT("h0"), 0, recall_item, &recalling);
    return err ? err : recalling.err;
}

/* ---- how far a period is ---- */

static struct fed_span progress_key(const struct plan_policy *policy, char key[300])
{
    int n = snprintf(key, 300, "q/%s", policy->name);

    return fed_span_of(key, n < 0 || n >= 300 ? 299 : (size_t)n);
}

enum fed_err plan_policy_recall(struct hub_plan *plan, struct plan_policy *policy)
{
    struct fed_buf value;
    struct fed_span rest;
    char key[300];
    uint64_t left = 0;
    enum fed_err err;

    fed_buf_init(&value, plan->mem, 64);
    err = hub_objects_get_row(plan->objects, progress_key(policy, key), &value, NULL);
    rest = fed_buf_span(&value);
    if (!err)
        err = fed_span_take_u64(&rest, &policy->used);
    if (!err)
        err = fed_span_take_u64(&rest, &policy->peak);
    if (!err)
        err = fed_span_take_u64(&rest, &left);
    if (!err && left > 0)
        policy->period_end_ms =
            now_ms(plan) + (left < PLAN_PERIOD_MAX_MS ? left : PLAN_PERIOD_MAX_MS);
    fed_buf_fini(&value);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

/* ---- rows ---- */

struct rows {
    struct fed_store_op ops[ROWS_MAX];
    size_t n;
    struct fed_arena arena; /* their keys and values */
};

static enum fed_err stage(struct hub_plan *plan, struct rows *rows)
{
    enum fed_err err = FED_OK;

    if (rows->n > 0)
        err = hub_objects_stage(plan->objects, NULL, 0, rows->ops, rows->n, NULL, NULL);
    rows->n = 0;
    fed_arena_fini(&rows->arena);
    fed_arena_init(&rows->arena, plan->mem, SIZE_MAX);
    return err;
}

static enum fed_err add_row(
    struct hub_plan *plan, struct rows *rows, struct fed_span key, struct fed_span value)
{
    uint8_t *copy = fed_alloc_get(&rows->arena.alloc, key.len + value.len);

    if (!copy)
        return FED_ERR_NOMEM;
    memcpy(copy, key.at, key.len);
    if (value.len)
        memcpy(copy + key.len, value.at, value.len);
    rows->ops[rows->n++] = (struct fed_store_op){.key = fed_span_of(copy, key.len),
        .value = fed_span_of(copy + key.len, value.len),
        .remove = value.len == 0};
    return rows->n == ROWS_MAX ? stage(plan, rows) : FED_OK;
}

static enum fed_err add_progress(
    struct hub_plan *plan, struct rows *rows, struct plan_policy *policy)
{
    uint64_t now = now_ms(plan);
    struct fed_buf value;
    char key[300];
    enum fed_err err;

    fed_buf_init(&value, plan->mem, 64);
    if (!policy->gone && policy->period_end_ms > now) {
        fed_buf_put_u64(&value, policy->used);
        fed_buf_put_u64(&value, policy->pending ? policy->peak : 0);
        fed_buf_put_u64(&value, policy->period_end_ms - now);
    }
    err = fed_buf_err(&value);
    if (!err)
        err = add_row(plan, rows, progress_key(policy, key), fed_buf_span(&value));
    fed_buf_fini(&value);
    policy->row_dirty = err != FED_OK;
    return err;
}

static enum fed_err add_waiting(struct hub_plan *plan, struct rows *rows, struct plan_item *item)
{
    char key[WAITING_KEY_MAX];
    struct fed_buf names;
    enum fed_err err;

    if (item->key_len + 2 > sizeof key)
        return FED_OK; /* the store would not have taken the object under such a key */
    memcpy(key, "h/", 2);
    memcpy(key + 2, item->key, item->key_len);
    fed_buf_init(&names, plan->mem, FED_STORE_VALUE_MAX);
    for (size_t i = 0; i < item->n_pairs && item->n_waiting > 0; i++) {
        if (!item->pairs[i].waiting)
            continue;
        if (names.len)
            fed_buf_put_u8(&names, 0);
        fed_buf_put_text(&names, item->pairs[i].cluster->name);
    }
    err = fed_buf_err(&names);
    if (!err)
        err = add_row(plan, rows, fed_span_of(key, item->key_len + 2), fed_buf_span(&names));
    fed_buf_fini(&names);
    item->waiting_dirty = err != FED_OK;
    item->waiting_row = item->waiting_row || item->n_waiting > 0;
    return err;
}

enum fed_err plan_policies_record(struct hub_plan *plan)
{
    struct rows *rows;
    enum fed_err err = FED_OK;

    if (plan->n_policies == 0)
        return FED_OK;
    rows = fed_alloc_get(plan->mem, sizeof *rows);
    if (!rows)
        return FED_ERR_NOMEM;
    rows->n = 0;
    fed_arena_init(&rows->arena, plan->mem, SIZE_MAX);
    for (size_t i = 0; !err && i < plan->n_policies; i++)
        if (plan->policies[i]->row_dirty)
            err = add_progress(plan, rows, plan->policies[i]);
    for (struct plan_item *item = plan->touched; !err && item; item = item->next_touched)
        if (item->waiting_dirty)
            err = add_waiting(plan, rows, item);
    if (!err)
        err = stage(plan, rows);
    if (err)
        plan_policies_undone(plan);
    fed_arena_fini(&rows->arena);
    fed_alloc_free(plan->mem, rows, sizeof *rows);
    return err;
}

void plan_policies_kept(struct hub_plan *plan)
{
    for (size_t i = plan->n_policies; i-- > 0;) {
        struct plan_policy *policy = plan->policies[i];
        struct hub_object_ref ref = {
            .resource = FED_SPAN_LIT(PLAN_POLICIES), .name = fed_span_text(policy->name)};

        if (policy->gone && !policy->row_dirty) {
            plan->n_policies--;
            memmove(&plan->policies[i], &plan->policies[i + 1],
                (plan->n_policies - i) * sizeof *plan->policies);
            plan->policies_stamp++;
            plan_policy_unref(plan, policy);
        } else if (policy->told) {
            policy->told = false;
            policy->told_revision = hub_objects_revision(plan->objects);
            hub_objects_touch(plan->objects, &ref, policy->told_revision);
        }
    }
}

/* All rows that may be other than what is so are written again. */
void plan_policies_undone(struct hub_plan *plan)
{
    struct fed_map_iter it;

    for (size_t i = 0; i < plan->n_policies; i++)
        plan->policies[i]->row_dirty = true;
    fed_map_iter_init(&it, &plan->items);
    while (plan->n_policies > 0 && fed_map_iter_next(&it)) {
        struct plan_item *item = it.value;

        if (!item->waiting_row && item->n_waiting == 0)
            continue;
        item->waiting_dirty = true;
        plan_item_touch(plan, item);
    }
}
