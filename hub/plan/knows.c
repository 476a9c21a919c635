/* knows.c - what the clusters' agents understand (proto/link/knows.h), and what of a work that
 * means.
 *
 * An agent refuses a bundle whole when it does not know something in it, so nothing of the kind is
 * sent: what only asks for a report is left out; a work that means something else without it is
 * held back, alone: the cluster keeps its last version and the object says AgentTooOld.
 *
 * Rows "v/" cluster: a varint, of those whose agents do not know what the first ones knew, or know
 * more: works are planned before an agent is there to ask. */
#include "hub/plan/internal.h"

#include <stdio.h>
#include <string.h>

#define ROW_KEY_MAX 300u
#define ROW_MAX 10u /* a varint */

/* What can be left out, with the bit of an agent that understands it. */
static const struct reporting {
    uint32_t option;
    uint64_t knows;
} reportings[] = {{FED_WORK_STATUS, FED_LINK_KNOWS_STATUS}, {FED_WORK_SCALE, FED_LINK_KNOWS_SCALE}};

static uint32_t left_out(uint32_t options, uint64_t knows)
{
    uint32_t out = 0;

    for (size_t i = 0; i < sizeof reportings / sizeof *reportings; i++)
        if ((options & reportings[i].option) && !(knows & reportings[i].knows))
            out |= reportings[i].option;
    return out;
}

/* Those that get the same share one: by the piece that it is made from and what is left out. One
 * that is for this cluster alone has nobody to share it with. */
static enum fed_err piece_less(struct hub_plan *plan, struct plan_item *item,
    struct plan_version *version, uint32_t options, struct plan_piece *from,
    struct plan_piece **out)
{
    struct fed_work work = from->work;
    uint8_t key[sizeof from + sizeof options];
    struct plan_piece *piece;
    enum fed_err err;

    memcpy(key, &from, sizeof from);
    memcpy(key + sizeof from, &options, sizeof options);
    piece = from->refs > 1 ? fed_map_get(&version->variants, fed_span_of(key, sizeof key)) : NULL;
    if (piece) {
        piece->refs++;
        *out = piece;
        return FED_OK;
    }
    work.options &= ~options;
    err = plan_piece_new(plan, item, &work, from->blob, &piece);
    if (!err && from->refs > 1) {
        err = fed_map_put(&version->variants, fed_span_of(key, sizeof key), piece);
        if (!err)
            piece->refs++;
        else
            plan_piece_unref(plan, piece);
    }
    if (!err)
        *out = piece;
    return err;
}

enum fed_err plan_knows_fit(struct hub_plan *plan, struct plan_item *item,
    struct plan_version *version, const struct plan_cluster *cluster, struct plan_piece **piece)
{
    uint32_t options = left_out((*piece)->work.options, cluster->knows);
    struct plan_piece *less;
    enum fed_err err;

    if (!options)
        return FED_OK;
    err = piece_less(plan, item, version, options, *piece, &less);
    if (err)
        return err;
    plan_piece_unref(plan, *piece);
    *piece = less;
    return FED_OK;
}

bool plan_knows_delete(const struct plan_cluster *cluster)
{
    return cluster->knows & FED_LINK_KNOWS_DELETE;
}

/* ---- what agents say ---- */

uint64_t hub_plan_knows(struct hub_plan *plan, struct fed_span name)
{
    const struct plan_cluster *cluster = plan_cluster_get(plan, name);

    return cluster ? cluster->knows : FED_LINK_KNOWS_FIRST;
}

void hub_plan_agent_knows(struct hub_plan *plan, struct fed_span name, uint64_t knows)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);
    uint64_t planned;

    if (!cluster || cluster->knows == knows)
        return;
    fed_log(plan->log, FED_LOG_INFO, "plan: the agent of cluster %s knows 0x%llx, before 0x%llx",
        cluster->name, (unsigned long long)knows, (unsigned long long)cluster->knows);
    planned = (cluster->knows ^ knows) & FED_LINK_KNOWS_FIRST; /* what works depend on */
    cluster->knows = knows;
    if (planned)
        plan_cluster_compute(plan, cluster);
    else
        plan_round_want(plan); /* for its row */
}

/* ---- rows ---- */

enum fed_err plan_knows_stage(struct hub_plan *plan)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < plan->n_clusters; i++) {
        const struct plan_cluster *cluster = plan->clusters[i];
        char key[ROW_KEY_MAX];
        int n = snprintf(key, sizeof key, "v/%s", cluster->name);
        struct fed_store_op op = {.key = fed_span_of(key, (size_t)n)};
        struct fed_buf value;

        if (cluster->knows == cluster->knows_stored)
            continue;
        fed_buf_init(&value, plan->mem, ROW_MAX);
        fed_buf_put_varint(&value, cluster->knows);
        op.value = fed_buf_span(&value);
        op.remove = cluster->knows == FED_LINK_KNOWS_FIRST;
        err = fed_buf_err(&value);
        if (!err)
            err = hub_objects_stage(plan->objects, NULL, 0, &op, 1, NULL, NULL);
        fed_buf_fini(&value);
        plan->planned = plan->planned || !err;
    }
    return err;
}

void plan_knows_staged(struct hub_plan *plan)
{
    for (size_t i = 0; i < plan->n_clusters; i++)
        plan->clusters[i]->knows_stored = plan->clusters[i]->knows;
}

/* Of a cluster that is not there any more the row stays; it may be registered again. */
static bool take_row(void *ctx, const struct fed_store_item *item)
{
    struct hub_plan *plan = ctx;
    struct plan_cluster *cluster =
        plan_cluster_get(plan, fed_span_sub(item->key, 2, item->key.len));
    struct fed_span value = item->value;
    uint64_t knows;

    if (cluster && !fed_span_take_varint(&value, UINT64_MAX, &knows))
        cluster->knows = cluster->knows_stored = knows;
    return true;
}

enum fed_err plan_knows_load(struct hub_plan *plan)
{
    struct fed_store *store = hub_objects_store(plan->objects);

    return store->range(store->ctx, FED_SPAN_LIT("v/"), FED_SPAN_LIT("v0"), 0, take_row, plan);
}
