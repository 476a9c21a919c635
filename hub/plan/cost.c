/* cost.c - what it takes to bring clusters to the latest version of an object. */
#include "hub/plan/cost.h"

#include "hub/plan/internal.h"

struct costing {
    struct hub_plan *plan;
    struct plan_item *item;
    struct fed_buf overrides, frame;
    size_t bytes, n;
};

/* The cluster is to get it, and has something else. */
static enum fed_err is_behind(
    const struct costing *c, const struct plan_cluster *cluster, bool *out)
{
    const struct plan_pair *pair = plan_pair_find(c->item, cluster);
    enum fed_err err = FED_OK;
    bool same = false;

    *out = false;
    if (!plan_item_selects(c->plan, c->item, cluster))
        return FED_OK;
    if (pair && pair->state == PLAN_PAIR_PRESENT)
        err = plan_version_gives(c->plan, c->item->latest, cluster, &pair->piece->work, &same);
    *out = !same;
    return err;
}

/* As the plan makes it, without the trial of rendering it. */
static enum fed_err latest_work(
    struct costing *c, const struct plan_cluster *cluster, struct fed_work *out)
{
    const struct plan_version *version = c->item->latest;
    struct plan_overrides overrides;
    enum fed_err err = FED_OK;

    plan_item_describe(c->plan, c->item, out);
    out->api_version = version->api_version;
    out->blob = version->blob->digest;
    plan_overrides_match(version, cluster, &overrides);
    fed_buf_clear(&c->overrides);
    if (overrides.n > 0)
        err = plan_overrides_join(&overrides, &c->overrides);
    out->overrides = fed_buf_span(&c->overrides);
    return err;
}

/* A change from a bundle with the object as it is there to one with the latest version: the bytes
 * of the frame that says it. */
static enum fed_err add_frame(struct costing *c, const struct plan_cluster *cluster)
{
    const struct plan_pair *pair = plan_pair_find(c->item, cluster);
    struct fed_work before = {.options = 0};
    struct fed_work after;
    struct fed_manifest base = {.epoch = 1, .revision = 1, .works = &before};
    struct fed_manifest target = {.epoch = 1, .revision = 2, .works = &after, .n_works = 1};
    enum fed_err err = latest_work(c, cluster, &after);

    if (pair && pair->piece && pair->state == PLAN_PAIR_PRESENT) {
        before = pair->piece->work;
        base.n_works = fed_work_cmp(&before, &after) == 0;
    }
    fed_buf_clear(&c->frame);
    if (!err)
        err =
            fed_frame_encode(c->plan->mem, &base, &target, hub_plan_blob, c->plan, NULL, &c->frame);
    if (err)
        return err;
    c->bytes += c->frame.len;
    c->n++;
    return FED_OK;
}

/* Those at even distances among them. */
static enum fed_err add_sample(struct costing *c, size_t behind)
{
    size_t step = (behind + HUB_PLAN_COST_SAMPLE - 1) / HUB_PLAN_COST_SAMPLE;
    enum fed_err err = FED_OK;
    size_t at = 0;

    for (size_t i = 0; !err && step > 0 && i < c->plan->n_clusters; i++) {
        bool is;

        err = is_behind(c, c->plan->clusters[i], &is);
        if (!err && is && at++ % step == 0)
            err = add_frame(c, c->plan->clusters[i]);
    }
    return err;
}

enum fed_err hub_plan_cost(
    struct hub_plan *plan, const struct hub_object_ref *ref, size_t behind, size_t *each_bytes)
{
    struct costing c = {.plan = plan, .item = plan_item_get(plan, ref)};
    enum fed_err err;

    *each_bytes = 0;
    if (!c.item || c.item->gone || c.item->latest->error[0] || !c.item->latest->blob)
        return FED_ERR_NOT_FOUND;
    fed_buf_init(&c.overrides, plan->mem, FED_WORK_OVERRIDES_MAX);
    fed_buf_init(&c.frame, plan->mem, FED_FRAME_MAX);
    err = add_sample(&c, behind);
    if (!err && c.n > 0)
        *each_bytes = (c.bytes + c.n - 1) / c.n;
    fed_buf_fini(&c.overrides);
    fed_buf_fini(&c.frame);
    return err;
}
