/* hold.c - changes of a cluster that wait: its quiet time, a month's bytes that are spent.
 *
 * What is new for an object in such a cluster, and an object that is new there, waits as a whole:
 * the pair stays what it was, so the manifest does, and everything goes in one change when the hold
 * ends. What does not wait: objects that say so (annotation fedlet.io/urgent: "true"), namespaces,
 * which cost a few bytes and which urgent objects may need, and all that is to go: a deletion is
 * some forty bytes, and people wait for its finalizer.
 *
 * Templates that were replaced are nowhere else, so what waits is kept: row "g/" cluster: u8 format
 * 1, varint n, each: string key (resource NUL namespace NUL name), u8 whether a copy is there, and
 * if so its work (fed_work_put); rows "G/" digest: the blobs of these works. After a start a
 * cluster with such a row waits until somebody has looked at its hold again. */
#include "hub/plan/internal.h"

#include <stdio.h>
#include <string.h>

#define ROW_FORMAT 1u
#define KEY_MAX 300u
#define BLOB_KEY_SIZE (2 + FED_DIGEST_SIZE)

/* ---- pairs ---- */

bool plan_hold_keeps(const struct hub_plan *plan, struct plan_item *item,
    const struct plan_cluster *cluster, const struct plan_piece *wanted)
{
    const struct plan_pair *pair = plan_pair_find(item, cluster);

    if (!cluster->hold[0] || item->urgent || !item->type || item->type->is_namespace)
        return false;
    if (plan->loading && !(pair && pair->deferred))
        return false; /* it was sent before the hub stopped */
    if (!pair)
        return true;
    if (pair->state == PLAN_PAIR_RELEASING || pair->state == PLAN_PAIR_REMOVING)
        return false;
    return pair->state != PLAN_PAIR_PRESENT || !pair->piece ||
           !fed_work_same(&pair->piece->work, &wanted->work);
}

enum fed_err plan_hold_pair(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster)
{
    struct plan_pair *pair;
    enum fed_err err = plan_pair_add(plan, item, cluster, &pair);

    if (err)
        return err;
    if (pair->state == PLAN_PAIR_FORBIDDEN)
        plan_pair_set_state(pair, PLAN_PAIR_REFUSED);
    plan_pair_clear_fault(plan, pair);
    if (pair->deferred)
        return FED_OK;
    pair->deferred = true;
    cluster->n_deferred++;
    cluster->deferred_dirty = true;
    plan_item_touch(plan, item);
    return FED_OK;
}

void plan_hold_end_pair(struct plan_pair *pair)
{
    if (!pair->deferred)
        return;
    pair->deferred = false;
    pair->cluster->n_deferred--;
    pair->cluster->deferred_dirty = true;
}

/* ---- what others say and ask ---- */

void hub_plan_hold(
    struct hub_plan *plan, struct fed_span name, const char *why, int64_t until_unix_s)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);
    bool ended;

    if (!cluster || (strcmp(cluster->hold, why) == 0 && cluster->hold_until_unix_s == until_unix_s))
        return;
    ended = cluster->hold[0] && !why[0];
    cluster->hold_until_unix_s = until_unix_s;
    snprintf(cluster->hold, sizeof cluster->hold, "%s", why);
    if (ended && cluster->n_deferred > 0)
        plan_cluster_compute(plan, cluster);
    if (plan->gates.held)
        plan->gates.held(plan->gates.ctx, name);
}

size_t hub_plan_held(struct hub_plan *plan, struct fed_span name)
{
    const struct plan_cluster *cluster = plan_cluster_get(plan, name);

    return cluster ? cluster->n_deferred : 0;
}

/* ---- rows ---- */

struct rows {
    struct fed_arena arena;
    struct fed_store_op *ops;
    size_t n;
    size_t room;
};

static enum fed_err blob_op(struct rows *rows, struct plan_blob *blob)
{
    uint8_t *key;

    if (blob->stored)
        return FED_OK;
    key = fed_alloc_get(&rows->arena.alloc, BLOB_KEY_SIZE);
    if (!key)
        return FED_ERR_NOMEM;
    memcpy(key, "G/", 2);
    memcpy(key + 2, blob->digest.bytes, FED_DIGEST_SIZE);
    rows->ops[rows->n++] = (struct fed_store_op){
        .key = fed_span_of(key, BLOB_KEY_SIZE), .value = fed_span_of(blob->bytes, blob->len)};
    blob->stored = true;
    return FED_OK;
}

static enum fed_err put_entries(
    struct rows *rows, const struct plan_cluster *cluster, struct fed_buf *out)
{
    fed_buf_put_u8(out, ROW_FORMAT);
    fed_buf_put_varint(out, cluster->n_deferred);
    for (size_t i = 0; i < cluster->n_items; i++) {
        struct plan_item *item = cluster->items[i];
        const struct plan_pair *pair = plan_pair_find(item, cluster);
        enum fed_err err;

        if (!pair->deferred)
            continue;
        fed_buf_put_string(out, fed_span_of(item->key, item->key_len));
        fed_buf_put_u8(out, pair->piece != NULL);
        if (!pair->piece)
            continue;
        fed_work_put(out, &pair->piece->work);
        err = blob_op(rows, pair->piece->blob);
        if (err)
            return err;
    }
    return fed_buf_err(out);
}

static enum fed_err cluster_op(
    struct hub_plan *plan, struct rows *rows, const struct plan_cluster *cluster)
{
    char *key = fed_alloc_get(&rows->arena.alloc, KEY_MAX);
    struct fed_store_op op = {.remove = cluster->n_deferred == 0};
    struct fed_buf value;
    enum fed_err err = FED_OK;

    if (!key)
        return FED_ERR_NOMEM;
    op.key = fed_span_of(key, (size_t)snprintf(key, KEY_MAX, "g/%s", cluster->name));
    fed_buf_init(&value, &rows->arena.alloc, FED_STORE_VALUE_MAX);
    if (!op.remove)
        err = put_entries(rows, cluster, &value);
    op.value = fed_buf_span(&value);
    if (err == FED_ERR_LIMIT) { /* thousands of large overrides */
        fed_log(plan->log, FED_LOG_WARN,
            "plan: what waits for cluster %s is too much to be kept: it goes out if the hub "
            "restarts",
            cluster->name);
        op.remove = true;
        err = FED_OK;
    }
    rows->ops[rows->n++] = op;
    return err;
}

static size_t count_ops(const struct hub_plan *plan)
{
    size_t n = 0;

    for (size_t i = 0; i < plan->n_clusters; i++)
        if (plan->clusters[i]->deferred_dirty)
            n += 1 + plan->clusters[i]->n_deferred;
    return n;
}

enum fed_err plan_holds_stage(struct hub_plan *plan)
{
    struct rows rows = {.room = count_ops(plan)};
    enum fed_err err = FED_OK;

    if (rows.room == 0)
        return FED_OK;
    fed_arena_init(&rows.arena, plan->mem, SIZE_MAX / 2);
    rows.ops = fed_alloc_array(&rows.arena.alloc, rows.room, sizeof *rows.ops);
    if (!rows.ops)
        err = FED_ERR_NOMEM;
    for (size_t i = 0; !err && i < plan->n_clusters; i++)
        if (plan->clusters[i]->deferred_dirty)
            err = cluster_op(plan, &rows, plan->clusters[i]);
    if (!err)
        err = hub_objects_stage(plan->objects, NULL, 0, rows.ops, rows.n, NULL, NULL);
    plan->planned = plan->planned || !err;
    for (size_t i = 0; !err && i < plan->n_clusters; i++) {
        struct plan_cluster *cluster = plan->clusters[i];

        cluster->deferred_staged = cluster->deferred_staged || cluster->deferred_dirty;
        cluster->deferred_dirty = false;
    }
    if (err)
        plan_holds_undone(plan);
    fed_arena_fini(&rows.arena);
    return err;
}

void plan_holds_staged(struct hub_plan *plan)
{
    for (size_t i = 0; i < plan->n_clusters; i++)
        plan->clusters[i]->deferred_staged = false;
}

void plan_holds_undone(struct hub_plan *plan)
{
    struct fed_map_iter it;

    for (size_t i = 0; i < plan->n_clusters; i++) {
        struct plan_cluster *cluster = plan->clusters[i];

        cluster->deferred_dirty = cluster->deferred_dirty || cluster->deferred_staged;
        cluster->deferred_staged = false;
    }
    fed_map_iter_init(&it, &plan->blobs);
    while (fed_map_iter_next(&it))
        ((struct plan_blob *)it.value)->stored = false;
}

/* ---- after a start ---- */

struct loading {
    struct hub_plan *plan;
    struct plan_blob **blobs; /* each with a reference */
    size_t n, cap;
    enum fed_err err;
};

static bool take_blob(void *ctx, const struct fed_store_item *item)
{
    struct loading *l = ctx;
    struct plan_blob **all;

    all = fed_alloc_more(l->plan->mem, l->blobs, l->n, &l->cap, sizeof *all, 16);
    if (!all) {
        l->err = FED_ERR_NOMEM;
        return false;
    }
    l->blobs = all;
    l->err = plan_blob_get(l->plan, item->value, &l->blobs[l->n]);
    if (!l->err)
        l->blobs[l->n++]->stored = true;
    return !l->err;
}

/* The copy as it was before the hub stopped. */
static enum fed_err place_former(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair, struct fed_work *work)
{
    struct plan_blob *blob =
        fed_map_get(&plan->blobs, fed_span_of(work->blob.bytes, sizeof work->blob.bytes));
    struct plan_piece *piece;
    enum fed_err err;

    if (!blob)
        return FED_OK; /* it gets what is there now */
    err = plan_piece_new(plan, item, work, blob, &piece);
    if (err)
        return err;
    err = plan_cluster_set(plan, pair->cluster, &piece->work, piece);
    if (!err) {
        pair->piece = piece;
        plan_pair_set_state(pair, PLAN_PAIR_PRESENT);
        return FED_OK;
    }
    plan_piece_unref(plan, piece);
    return err;
}

static enum fed_err take_entry(
    struct hub_plan *plan, struct plan_cluster *cluster, struct fed_span *from)
{
    struct fed_work work;
    struct plan_item *item;
    struct plan_pair *pair;
    struct fed_span key;
    uint8_t present;
    enum fed_err err = fed_span_take_string(from, 1024, &key);

    if (!err)
        err = fed_span_take_u8(from, &present);
    if (!err && present)
        err = fed_work_take(from, &work, NULL);
    item = err ? NULL : fed_map_get(&plan->items, key);
    if (!item)
        return err;
    err = plan_hold_pair(plan, item, cluster);
    pair = plan_pair_find(item, cluster);
    return err || !present ? err : place_former(plan, item, pair, &work);
}

static bool take_row(void *ctx, const struct fed_store_item *item)
{
    struct loading *l = ctx;
    struct plan_cluster *cluster =
        plan_cluster_get(l->plan, fed_span_sub(item->key, 2, item->key.len));
    struct fed_span from = item->value;
    uint8_t format = 0;
    uint64_t n = 0;
    enum fed_err err = fed_span_take_u8(&from, &format);

    if (!cluster)
        return true;
    if (!err)
        err = format == ROW_FORMAT ? fed_span_take_varint(&from, FED_WORKS_MAX, &n)
                                   : FED_ERR_UNSUPPORTED;
    if (!err)
        snprintf(cluster->hold, sizeof cluster->hold, "the hub has just started");
    for (uint64_t i = 0; !err && i < n; i++)
        err = take_entry(l->plan, cluster, &from);
    cluster->deferred_dirty = false;
    if (err && err != FED_ERR_NOMEM) {
        fed_log(l->plan->log, FED_LOG_ERROR,
            "plan: what waits for cluster %s cannot be read: %s; it gets what is there now",
            cluster->name, fed_err_text(err));
        err = FED_OK;
    }
    l->err = err;
    return !err;
}

/* Blobs of nobody who waits any more. */
static enum fed_err sweep(struct loading *l)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; i < l->n; i++) {
        uint8_t key[BLOB_KEY_SIZE] = {'G', '/'};
        struct fed_store_op op = {.key = fed_span_of(key, sizeof key), .remove = true};

        memcpy(key + 2, l->blobs[i]->digest.bytes, FED_DIGEST_SIZE);
        l->blobs[i]->stored = l->blobs[i]->refs > 1;
        if (!err && !l->blobs[i]->stored)
            err = hub_objects_stage(l->plan->objects, NULL, 0, &op, 1, NULL, NULL);
        plan_blob_unref(l->plan, l->blobs[i]);
    }
    fed_alloc_free(l->plan->mem, l->blobs, l->cap * sizeof *l->blobs);
    return err;
}

enum fed_err plan_holds_load(struct hub_plan *plan)
{
    struct fed_store *store = hub_objects_store(plan->objects);
    struct loading l = {.plan = plan};
    enum fed_err swept;
    enum fed_err err =
        store->range(store->ctx, FED_SPAN_LIT("G/"), FED_SPAN_LIT("G0"), 0, take_blob, &l);

    err = err ? err : l.err;
    if (!err)
        err = store->range(store->ctx, FED_SPAN_LIT("g/"), FED_SPAN_LIT("g0"), 0, take_row, &l);
    err = err ? err : l.err;
    swept = sweep(&l);
    return err ? err : swept;
}
