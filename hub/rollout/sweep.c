/* sweep.c - rows of rollouts that decide nothing any more: they go in pieces, in turns of their
 * own, behind the commit in which the record went. What a hub that ends leaves behind goes with the
 * next start (rollout_rows_collect). */
#include "hub/rollout/internal.h"

#include <string.h>

void rollout_sweep_add(struct hub_rollouts *r, const struct rollout_paper *paper)
{
    struct rollout_sweep *sweep = fed_alloc_zero(r->mem, sizeof *sweep);

    if (!sweep) /* at the next start, then */
        return;
    memcpy(sweep->uid, paper->uid, sizeof sweep->uid);
    sweep->next = r->sweeps;
    r->sweeps = sweep;
    rollout_wake(r, fed_loop_now_ms(r->o.loop));
}

static void drop_first(struct hub_rollouts *r)
{
    struct rollout_sweep *sweep = r->sweeps;

    r->sweeps = sweep->next;
    fed_alloc_free(r->mem, sweep, sizeof *sweep);
}

void rollout_sweeps_fini(struct hub_rollouts *r)
{
    while (r->sweeps)
        drop_first(r);
}

/* The commit in which its record went was refused. */
static bool is_present(const struct hub_rollouts *r, const char *uid)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &r->subjects);
    while (fed_map_iter_next(&it)) {
        const struct rollout_subject *s = it.value;

        if (s->present && strcmp(s->present->uid, uid) == 0)
            return true;
    }
    return false;
}

/* A piece of the first one, how many rows; fewer than a piece: that is all that can be done. */
static size_t sweep_some(struct hub_rollouts *r)
{
    struct rollout_ops ops;
    enum fed_err err;
    size_t n = 0;

    rollout_ops_init(&ops, r->mem);
    err = rollout_rows_each_removed(r, r->sweeps->uid, ROLLOUT_STEP_CLUSTERS, &ops);
    if (!err && ops.n > 0)
        err = hub_objects_stage(r->objects, NULL, 0, ops.list, ops.n, NULL, NULL);
    if (!err && ops.n > 0 && !hub_objects_flush_soon(r->objects))
        r->flush = true;
    if (!err)
        n = ops.n;
    rollout_ops_fini(&ops);
    return n;
}

/* Only where nothing is staged, so that the record is gone for good. */
size_t rollout_sweep(struct hub_rollouts *r)
{
    bool may = !r->broken && !hub_objects_staged(r->objects);
    size_t n = 0;

    if (!r->sweeps)
        return 0;
    if (may && !is_present(r, r->sweeps->uid))
        n = sweep_some(r);
    if (may && n < ROLLOUT_STEP_CLUSTERS)
        drop_first(r);
    if (r->sweeps)
        rollout_wake(
            r, fed_loop_now_ms(r->o.loop) + (r->broken ? ROLLOUT_RETRY_MS : ROLLOUT_STEP_MS));
    return n;
}
