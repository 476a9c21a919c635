/* stopped.c - types that are stopped: what is in the clusters stays as it is.
 *
 * Source: KubeFed stops a type's sync controller when its FederatedTypeConfig is disabled, is being
 * deleted or is gone; when namespaces have no FederatedTypeConfig, for namespaced types; when the
 * gate PushReconciler is off, for all. A stopped controller neither writes nor deletes.
 *
 * Agents remove what leaves their manifest, so the works of a stopped type stay in it, with
 * FED_WORK_HELD. After a start of the hub nobody knows which clusters had an object, and its
 * placement may have changed since: a held object is held in every cluster, which means nothing
 * where it is not. So is, after a start, an object of which nothing can be sent (its overrides do
 * not fit, its placement cannot be computed): the version that the cluster was sent last is not
 * known. Types whose FederatedTypeConfig is gone are remembered for that, in rows "f/" RESOURCE:
 * "APIVERSION KIND PLURAL SCOPES" of the target. */
#include "hub/plan/internal.h"

#include <stdio.h>
#include <string.h>

#define ROW_MAX 360u

bool plan_type_runs(const struct hub_plan *plan, const struct plan_type *type)
{
    if (!plan->settings.push)
        return false;
    if (!type)
        return true;
    if (!type->enabled || type->gone)
        return false;
    return type->target_namespaced ? plan->namespaces && !plan->namespaces->gone
                                   : !plan->settings.namespaced;
}

/* ---- pairs ---- */

/* Whether there may be something in clusters that came of it. Of namespaces only those that are
 * nobody else's: a FederatedNamespace holds its own. */
static bool may_be_there(struct hub_plan *plan, const struct plan_item *item)
{
    const struct plan_item *other = NULL;

    if (item->ignored || item->gone)
        return false;
    if (item->type)
        return true;
    if (plan->namespaces)
        other = plan_item_get(
            plan, &(struct hub_object_ref){.resource = fed_span_text(plan->namespaces->resource),
                      .ns = item->name,
                      .name = item->name});
    return !item->system && (!other || other->gone || other->ignored);
}

/* The work as it was sent last, or nothing but its name. */
static enum fed_err held_piece(struct hub_plan *plan, struct plan_item *item,
    const struct plan_pair *pair, struct plan_piece **out)
{
    struct plan_blob *blob = NULL;
    struct fed_work work;
    enum fed_err err = FED_OK;

    if (pair && pair->piece) {
        work = pair->piece->work;
        blob = pair->piece->blob;
        blob->refs++;
    } else {
        plan_item_describe(plan, item, &work);
        err = plan_blob_get(plan, FED_SPAN_LIT("{}"), &blob);
        if (!err)
            work.blob = blob->digest;
    }
    work.options |= FED_WORK_HELD;
    if (!err)
        err = fed_work_check(&work, NULL);
    if (!err)
        err = plan_piece_new(plan, item, &work, blob, out);
    plan_blob_unref(plan, blob);
    return err;
}

static bool is_held(const struct plan_pair *pair)
{
    return pair && pair->piece && pair->state == PLAN_PAIR_PRESENT &&
           (pair->piece->work.options & FED_WORK_HELD);
}

static enum fed_err hold(struct hub_plan *plan, struct plan_item *item,
    struct plan_cluster *cluster, struct plan_pair *pair)
{
    struct plan_piece *piece;
    enum fed_err err = held_piece(plan, item, pair, &piece);

    if (err == FED_ERR_INVALID) /* nothing by that name can ever have been sent */
        return FED_OK;
    if (err)
        return err;
    err = plan_cluster_set(plan, cluster, &piece->work, piece);
    if (!err)
        err = plan_pair_add(plan, item, cluster, &pair);
    if (!err) {
        plan_piece_unref(plan, pair->piece);
        pair->piece = piece;
        piece->refs++;
        plan_pair_clear_fault(plan, pair);
        plan_hold_end_pair(pair);
        plan_pair_set_state(pair, PLAN_PAIR_PRESENT);
    }
    plan_piece_unref(plan, piece);
    return err == FED_ERR_LIMIT ? FED_OK : err; /* it is full, and of this one it had nothing */
}

enum fed_err plan_pair_hold(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster)
{
    struct plan_pair *pair = plan_pair_find(item, cluster);
    /* Nobody comes back who could finish its deletion: agents let go of it. */
    bool leaving = item->gone || (item->deleting && item->type && item->type->gone);
    enum fed_err err = FED_OK;

    if (pair && (pair->state == PLAN_PAIR_RELEASING || pair->state == PLAN_PAIR_REMOVING))
        return FED_OK; /* said before it was stopped */
    if (!is_held(pair) &&
        (pair ? pair->piece || pair->consent != PLAN_CONSENT_NONE : may_be_there(plan, item)))
        err = hold(plan, item, cluster, pair);
    pair = plan_pair_find(item, cluster);
    if (err || !pair || !leaving)
        return err;
    if (is_held(pair))
        return plan_pair_release(plan, item, pair, FED_WORK_ORPHAN);
    plan_pair_drop(plan, item, pair);
    return FED_OK;
}

enum fed_err plan_pair_keep(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster)
{
    struct plan_pair *pair = plan_pair_find(item, cluster);

    if ((pair && pair->piece) || item->deleting || !may_be_there(plan, item))
        return FED_OK;
    return hold(plan, item, cluster, pair);
}

/* ---- types that are gone ---- */

static struct fed_span row_key(const struct plan_type *type, char key[ROW_MAX])
{
    int n = snprintf(key, ROW_MAX, "f/%s", type->resource);

    return fed_span_of(key, n < 0 || (unsigned)n >= ROW_MAX ? ROW_MAX - 1 : (size_t)n);
}

static enum fed_err write_row(struct hub_plan *plan, const struct plan_type *type)
{
    char key[ROW_MAX];
    char value[ROW_MAX + 200];
    struct fed_store_op op = {.key = row_key(type, key), .remove = !type->gone};
    int n = snprintf(value, sizeof value, "%s %s %s %c%c%c", type->target_api_version,
        type->target_kind, type->target_plural, type->target_namespaced ? 'n' : 'c',
        type->namespaced ? 'n' : 'c', type->is_namespace ? 'n' : '-');

    op.value = fed_span_of(value, n < 0 ? 0 : (size_t)n);
    return hub_objects_stage(plan->objects, NULL, 0, &op, 1, NULL, NULL);
}

enum fed_err plan_types_stage(struct hub_plan *plan)
{
    struct fed_map_iter it;
    enum fed_err err = FED_OK;

    fed_map_iter_init(&it, &plan->types);
    while (!err && fed_map_iter_next(&it)) {
        const struct plan_type *type = it.value;

        if (type->gone == type->recorded)
            continue;
        err = write_row(plan, type);
        plan->planned = plan->planned || !err;
    }
    return err;
}

void plan_types_staged(struct hub_plan *plan)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &plan->types);
    while (fed_map_iter_next(&it)) {
        struct plan_type *type = it.value;

        type->recorded = type->gone;
    }
}

static bool read_row(const struct fed_store_item *item, struct plan_type *out)
{
    struct fed_span resource = fed_span_sub(item->key, 2, item->key.len);
    struct fed_span rest = item->value;
    struct fed_span parts[4];

    for (size_t i = 0; i < 4; i++)
        if (!fed_span_split(&rest, ' ', &parts[i]))
            return false;
    *out = (struct plan_type){.gone = true, .recorded = true};
    if (parts[3].len != 3 || fed_span_to_cstr(resource, out->resource, sizeof out->resource) ||
        fed_span_to_cstr(parts[0], out->target_api_version, sizeof out->target_api_version) ||
        fed_span_to_cstr(parts[1], out->target_kind, sizeof out->target_kind) ||
        fed_span_to_cstr(parts[2], out->target_plural, sizeof out->target_plural))
        return false;
    out->target_namespaced = parts[3].at[0] == 'n';
    out->namespaced = parts[3].at[1] == 'n';
    out->is_namespace = parts[3].at[2] == 'n';
    return true;
}

struct loading {
    struct hub_plan *plan;
    enum fed_err err;
};

static bool take_row(void *ctx, const struct fed_store_item *item)
{
    struct loading *l = ctx;
    struct plan_type type;

    if (read_row(item, &type))
        l->err = plan_type_add(l->plan, &type);
    return !l->err;
}

enum fed_err plan_types_load(struct hub_plan *plan)
{
    struct fed_store *store = hub_objects_store(plan->objects);
    struct loading l = {.plan = plan};
    enum fed_err err =
        store->range(store->ctx, FED_SPAN_LIT("f/"), FED_SPAN_LIT("f0"), 0, take_row, &l);

    return err ? err : l.err;
}
