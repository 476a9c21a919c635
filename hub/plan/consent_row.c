/* consent_row.c - what is stored of a cluster's removals that wait (consent.h has the form). */
#include "hub/plan/policy.h"

#include <string.h>

#define ROW_FORMAT 2u
#define WINDOW_MS (FED_CONSENT_WINDOW_S * 1000u)

static void put_pairs(const struct plan_cluster *cluster, struct fed_buf *out)
{
    size_t n = 0;

    for (size_t pass = 0; pass < 2; pass++) {
        if (pass == 1)
            fed_buf_put_varint(out, n);
        for (size_t i = 0; i < cluster->n_items; i++) {
            struct plan_item *item = cluster->items[i];
            const struct plan_pair *pair = plan_pair_find(item, cluster);
            bool given = pair->consent == PLAN_CONSENT_GIVEN && pair->state == PLAN_PAIR_PRESENT;

            if (pair->consent != PLAN_CONSENT_AWAITS && !given)
                continue;
            n += pass == 0;
            if (pass == 0)
                continue;
            fed_buf_put_string(out, fed_span_of(item->key, item->key_len));
            fed_buf_put_u8(out, given);
        }
    }
}

enum fed_err plan_consent_put(
    const struct plan_cluster *cluster, uint64_t now_ms, struct fed_buf *out)
{
    const struct plan_consent *consent = &cluster->consent;
    bool runs = consent->window.n > 0 && consent->window.end_ms > now_ms;

    if (consent->n_orders == 0 && plan_consent_waiting(cluster) == 0 && !runs)
        return FED_OK;
    fed_buf_put_u8(out, ROW_FORMAT);
    fed_consent_window_put(&consent->window, out);
    fed_buf_put_varint(out, runs ? consent->window.end_ms - now_ms : 0);
    fed_buf_put_varint(out, (uint64_t)consent->since_unix_s);
    fed_buf_put_varint(out, consent->began);
    fed_buf_put_varint(out, consent->works);
    put_pairs(cluster, out);
    fed_buf_put_varint(out, consent->n_orders);
    for (size_t i = 0; i < consent->n_orders; i++) {
        fed_buf_put(out, fed_span_of(consent->orders[i].id.bytes, FED_REMOVAL_ID_SIZE));
        fed_buf_put_varint(out, consent->orders[i].revision);
    }
    return fed_buf_err(out);
}

/* ---- after a start ---- */

struct loading {
    struct hub_plan *plan;
    enum fed_err err;
};

/* The pair is made now, so that computing it finds what it waits for. */
static enum fed_err take_pair(
    struct hub_plan *plan, struct plan_cluster *cluster, struct fed_span *from)
{
    struct plan_item *item;
    struct plan_pair *pair;
    struct fed_span key;
    uint8_t given = 0;
    enum fed_err err = fed_span_take_string(from, 1024, &key);

    if (!err)
        err = fed_span_take_u8(from, &given);
    item = err ? NULL : fed_map_get(&plan->items, key);
    if (!item)
        return err;
    err = plan_pair_add(plan, item, cluster, &pair);
    if (!err)
        plan_consent_set(pair, given ? PLAN_CONSENT_GIVEN : PLAN_CONSENT_AWAITS);
    return err;
}

static enum fed_err take_order(
    struct hub_plan *plan, struct plan_cluster *cluster, struct fed_span *from, uint64_t row)
{
    struct plan_consent *consent = &cluster->consent;
    struct fed_removal_id id;
    struct fed_span bytes;
    uint64_t revision = 0;
    enum fed_err err = fed_span_take_bytes(from, FED_REMOVAL_ID_SIZE, &bytes);

    if (!err)
        err = fed_span_take_varint(from, UINT64_MAX, &revision);
    if (err)
        return err;
    memcpy(id.bytes, bytes.at, sizeof id.bytes);
    err = plan_order_add_id(plan, cluster, &id);
    for (size_t i = 0; !err && i < consent->n_orders; i++)
        if (fed_removal_id_cmp(&consent->orders[i].id, &id) == 0)
            consent->orders[i].revision = revision ? revision : row;
    return err;
}

static enum fed_err take_row(
    struct hub_plan *plan, struct plan_cluster *cluster, struct fed_span from, uint64_t revision)
{
    struct plan_consent *consent = &cluster->consent;
    uint64_t left = 0;
    uint64_t since = 0;
    uint64_t began = 0;
    uint64_t works = 0;
    uint64_t n = 0;
    uint8_t format = 0;
    enum fed_err err = fed_span_take_u8(&from, &format);

    if (!err && format != ROW_FORMAT)
        err = FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_consent_window_take(&from, &consent->window);
    if (!err)
        err = fed_span_take_varint(&from, WINDOW_MS, &left);
    if (!err)
        err = fed_span_take_varint(&from, INT64_MAX, &since);
    if (!err)
        err = fed_span_take_varint(&from, UINT64_MAX, &began);
    if (!err)
        err = fed_span_take_varint(&from, FED_WORKS_MAX * 2, &works);
    if (!err)
        err = fed_span_take_varint(&from, FED_WORKS_MAX, &n);
    for (uint64_t i = 0; !err && i < n; i++)
        err = take_pair(plan, cluster, &from);
    if (!err)
        err = fed_span_take_varint(&from, FED_WORKS_MAX, &n);
    for (uint64_t i = 0; !err && i < n; i++)
        err = take_order(plan, cluster, &from, revision);
    if (!err && from.len > 0)
        err = FED_ERR_INVALID;
    consent->window.end_ms = fed_loop_now_ms(plan->loop) + left;
    consent->since_unix_s = (int64_t)since;
    consent->began = began;
    consent->works = (size_t)works;
    consent->moved = true;
    consent->dirty = consent->orders_moved = false;
    return err;
}

/* Nothing of a row that cannot be read counts: half of it could name another object. */
static void lose(struct hub_plan *plan, struct plan_cluster *cluster, enum fed_err why)
{
    struct plan_consent *consent = &cluster->consent;

    fed_log(plan->log, FED_LOG_ERROR,
        "plan: which removals of cluster %s wait for consent cannot be read: %s; all that left it "
        "waits at its agent until somebody consents",
        cluster->name, fed_err_text(why));
    for (size_t i = 0; i < cluster->n_items; i++)
        plan_consent_set(plan_pair_find(cluster->items[i], cluster), PLAN_CONSENT_NONE);
    fed_consent_window_fini(&consent->window);
    consent->n_orders = 0;
    consent->since_unix_s = 0;
    consent->began = 0;
    consent->works = 0;
    consent->dirty = consent->orders_moved = false;
    consent->moved = consent->lost = true;
}

static bool load_row(void *ctx, const struct fed_store_item *item)
{
    struct loading *l = ctx;
    struct plan_cluster *cluster =
        plan_cluster_get(l->plan, fed_span_sub(item->key, 2, item->key.len));

    if (cluster)
        l->err = take_row(l->plan, cluster, item->value, item->revision);
    if (l->err && l->err != FED_ERR_NOMEM) {
        lose(l->plan, cluster, l->err);
        l->err = FED_OK;
    }
    return !l->err;
}

enum fed_err plan_consent_load(struct hub_plan *plan)
{
    struct fed_store *store = hub_objects_store(plan->objects);
    struct loading l = {.plan = plan};
    enum fed_err err =
        store->range(store->ctx, FED_SPAN_LIT("x/"), FED_SPAN_LIT("x0"), 0, load_row, &l);

    return err ? err : l.err;
}
