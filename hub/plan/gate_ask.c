/* gate_ask.c - what whoever decides on versions tells the plan, and asks of it. */
#include "hub/plan/gate.h"
#include "hub/plan/policy.h"

#include <string.h>

#define WHY_MAX 600u
#define WHY_OTHERWISE "a rollout of the object has not come to this cluster yet"

/* ---- answers that changed ---- */

enum fed_err hub_plan_regate(struct hub_plan *plan, const struct hub_object_ref *ref,
    const struct fed_span *clusters, size_t n)
{
    struct plan_item *item = plan_item_get(plan, ref);

    if (!item || item->gone || !item->governed)
        return FED_OK;
    item->regated = true;
    if (n == 0) {
        plan_gate_stale(plan, item);
        plan_item_mark(plan, item);
        return FED_OK;
    }
    for (size_t i = 0; i < n; i++) {
        const struct plan_cluster *cluster = plan_cluster_get(plan, clusters[i]);
        /* One without a pair is not selected, or is computed anyway. */
        struct plan_pair *pair = cluster ? plan_pair_find(item, cluster) : NULL;

        if (!pair || pair->regate)
            continue;
        pair->regate = true;
        item->n_regated++;
    }
    plan_item_touch(plan, item);
    plan_round_want(plan);
    return FED_OK;
}

enum fed_err hub_plan_govern(struct hub_plan *plan, const struct hub_object_ref *ref, bool governed)
{
    struct plan_item *item = plan_item_get(plan, ref);

    if (!item || item->gone || !item->type || item->type->is_namespace ||
        item->governed == governed || !plan->gates.choose)
        return FED_OK;
    item->governed = governed;
    item->regated = true;
    plan_gate_stale(plan, item);
    plan_item_mark(plan, item);
    return FED_OK;
}

void plan_regated_forget(struct plan_item *item)
{
    for (size_t i = 0; item->n_regated > 0 && i < item->n_pairs; i++) {
        item->n_regated -= item->pairs[i].regate;
        item->pairs[i].regate = false;
    }
}

enum fed_err plan_regated_compute(struct hub_plan *plan, struct plan_item *item)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && item->n_regated > 0 && i < item->n_pairs;) {
        struct plan_cluster *cluster = item->pairs[i].cluster;

        if (item->pairs[i].regate) {
            item->pairs[i].regate = false;
            item->n_regated--;
            err = plan_pair_update(plan, item, cluster);
        }
        if (i < item->n_pairs && item->pairs[i].cluster == cluster) /* it may have left */
            i++;
    }
    item->dirty = err != FED_OK;
    return err;
}

void plan_regated_undone(struct hub_plan *plan)
{
    for (struct plan_item *item = plan->touched; item; item = item->next_touched)
        if (item->regated)
            plan_item_mark(plan, item);
}

/* ---- what is so ---- */

/* One that is to leave says that. */
static bool is_gated(const struct plan_item *item, const struct plan_pair *pair)
{
    return item->governed && (pair->version || pair->withheld) &&
           (pair->state == PLAN_PAIR_PRESENT || pair->state == PLAN_PAIR_REFUSED) &&
           pair->consent != PLAN_CONSENT_AWAITS;
}

bool hub_plan_awaits_rollout(struct hub_plan *plan, struct fed_span name)
{
    const struct plan_cluster *cluster = plan_cluster_get(plan, name);

    for (size_t i = 0; cluster && i < cluster->n_items; i++) {
        struct plan_item *item = cluster->items[i];
        const struct plan_pair *pair = item->governed ? plan_pair_find(item, cluster) : NULL;

        if (pair && is_gated(item, pair))
            return true;
    }
    return false;
}

/* Most clusters of a wave wait for the same. */
static const char *keep_text(struct hub_plan *plan, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy;

    if (plan->out_why && strcmp(plan->out_why, text) == 0)
        return plan->out_why;
    copy = fed_alloc_get(&plan->out_text.alloc, size);
    if (!copy)
        return WHY_OTHERWISE;
    memcpy(copy, text, size);
    plan->out_why = copy;
    return copy;
}

const char *plan_gate_why(
    struct hub_plan *plan, const struct plan_item *item, const struct plan_pair *pair)
{
    struct hub_object_ref ref = {.resource = item->resource, .ns = item->ns, .name = item->name};
    const char *why = WHY_OTHERWISE;
    struct fed_buf text;

    if (!is_gated(item, pair))
        return NULL;
    fed_buf_init(&text, plan->mem, WHY_MAX);
    plan->gates.why(plan->gates.ctx, &ref, fed_span_text(pair->cluster->name), &text);
    if (text.len > 0 && !fed_buf_err(&text))
        why = keep_text(plan, fed_buf_cstr(&text));
    fed_buf_fini(&text);
    return why;
}

void plan_gate_forget_why(struct hub_plan *plan)
{
    fed_arena_fini(&plan->out_text);
    plan->out_why = NULL;
}

enum fed_err plan_gate_outlook(struct hub_plan *plan, const struct plan_type *type,
    const struct hub_object_ref *ref, struct fed_span bytes, struct hub_gate_outlook *out)
{
    if (!plan->gates.outlook || !type || type->is_namespace)
        return FED_OK;
    return plan->gates.outlook(plan->gates.ctx, ref, bytes, out);
}

static enum fed_err is_same(
    struct hub_plan *plan, const struct plan_item *item, const struct plan_pair *pair, bool *out)
{
    *out = false;
    if (pair->state != PLAN_PAIR_PRESENT || (pair->piece->work.options & FED_WORK_HELD))
        return FED_OK;
    return plan_version_gives(plan, item->latest, pair->cluster, &pair->piece->work, out);
}

static enum fed_err pair_tell(struct hub_plan *plan, const struct plan_item *item,
    const struct plan_pair *pair, struct hub_gated *out)
{
    out->pending = item->dirty || (pair && (pair->regate || pair->since == 0));
    if (!pair)
        return FED_OK;
    out->placed = pair->state == PLAN_PAIR_PRESENT || pair->state == PLAN_PAIR_RELEASING;
    out->deferred = pair->deferred;
    if (pair->version > 0)
        out->version = &item->earlier[pair->version - 1].digest;
    out->awaits_consent = pair->consent == PLAN_CONSENT_AWAITS;
    if (pair->fault) {
        out->error = pair->fault->error;
        out->message = pair->fault->message;
    }
    out->since_revision = pair->since;
    out->work = pair->piece ? &pair->piece->work : NULL;
    return is_same(plan, item, pair, &out->same);
}

static enum fed_err tell(struct hub_plan *plan, struct plan_item *item,
    const struct plan_cluster *cluster, struct hub_gated *out)
{
    struct plan_policy *policy = NULL;
    enum fed_err err = FED_OK;

    *out = (struct hub_gated){.cluster = fed_span_text(cluster->name),
        .labels = cluster->labels,
        .selected = plan_item_selects(plan, item, cluster),
        .held = cluster->hold[0] && !item->urgent,
        .held_until_unix_s = cluster->hold_until_unix_s,
        .error = "",
        .message = ""};
    if (out->selected)
        err = plan_policy_forbids(plan, item, cluster, &policy);
    out->selected = out->selected && !policy;
    return err ? err : pair_tell(plan, item, plan_pair_find(item, cluster), out);
}

/* A work that is held while its type is stopped says nothing of where the object is. */
static bool is_told(const struct hub_gated *gated)
{
    return gated->selected || (gated->work && !(gated->work->options & FED_WORK_HELD));
}

enum fed_err hub_plan_gated(
    struct hub_plan *plan, const struct hub_object_ref *ref, hub_plan_each_gated *each, void *ctx)
{
    struct plan_item *item = plan_item_get(plan, ref);
    enum fed_err err = FED_OK;

    if (!item || item->gone || item->ignored)
        return FED_ERR_NOT_FOUND;
    for (size_t i = 0; i < plan->n_clusters; i++) {
        struct hub_gated gated;

        err = tell(plan, item, plan->clusters[i], &gated);
        if (err || (is_told(&gated) && !each(ctx, &gated)))
            break;
    }
    return err;
}

enum fed_err hub_plan_gated_in(struct hub_plan *plan, const struct hub_object_ref *ref,
    struct fed_span name, hub_plan_each_gated *each, void *ctx)
{
    struct plan_item *item = plan_item_get(plan, ref);
    const struct plan_cluster *cluster = plan_cluster_get(plan, name);
    struct hub_gated gated;
    enum fed_err err;

    if (!item || item->gone || item->ignored)
        return FED_ERR_NOT_FOUND;
    if (!cluster)
        return FED_OK;
    err = tell(plan, item, cluster, &gated);
    if (!err && is_told(&gated))
        (void)each(ctx, &gated);
    return err;
}
