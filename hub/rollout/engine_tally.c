/* engine_tally.c - how many clusters are where, and when something is due by time alone. */
#include "hub/rollout/engine_parts.h"

#include <string.h>

#define HOLD_AGAIN_MS 5000

/* ---- counts ---- */

static void count_state(
    const struct hub_rollout *r, const struct rollout_slot *slot, struct rollout_tally *tally)
{
    struct hub_rollout_counts *counts = &tally->counts;

    switch ((enum hub_rollout_state)slot->state) {
    case HUB_ROLLOUT_PENDING:
        counts->pending++;
        counts->held += slot->held;
        tally->quiet += slot->held && slot->hold_ms != 0;
        tally->nowhere += slot->held && rollout_zone_unknown(r, slot);
        break;
    case HUB_ROLLOUT_RELEASED:
    case HUB_ROLLOUT_APPLIED:
        counts->updating++;
        counts->updated += slot->state == HUB_ROLLOUT_APPLIED;
        break;
    case HUB_ROLLOUT_HEALTHY:
        counts->healthy++;
        counts->updated++;
        tally->proven += r->now_ms >= rollout_soaked_ms(r, slot);
        tally->silent += !slot->heard;
        tally->away += r->rules->hold && rollout_is_away(r, slot);
        break;
    case HUB_ROLLOUT_FAILED:
        counts->failed++;
        tally->failures += !slot->forgiven;
        break;
    case HUB_ROLLOUT_DEFERRED:
        counts->deferred++;
        break;
    case HUB_ROLLOUT_RETURNING:
        counts->returning++;
        break;
    case HUB_ROLLOUT_RETURNED:
        counts->returned++;
        break;
    case HUB_ROLLOUT_STUCK:
        counts->stuck++;
        break;
    }
}

static void count(
    const struct hub_rollout *r, const struct rollout_slot *slot, struct rollout_tally *tally)
{
    tally->all++;
    tally->counts.total += slot->state != HUB_ROLLOUT_DEFERRED;
    tally->absent += slot->reach != ROLLOUT_REACH_IN && slot->state <= HUB_ROLLOUT_APPLIED;
    count_state(r, slot, tally);
}

static void add_counts(struct rollout_tally *to, const struct rollout_tally *from)
{
    to->counts.total += from->counts.total;
    to->counts.deferred += from->counts.deferred;
    to->counts.pending += from->counts.pending;
    to->counts.held += from->counts.held;
    to->counts.updating += from->counts.updating;
    to->counts.updated += from->counts.updated;
    to->counts.healthy += from->counts.healthy;
    to->counts.failed += from->counts.failed;
    to->counts.returning += from->counts.returning;
    to->counts.returned += from->counts.returned;
    to->counts.stuck += from->counts.stuck;
    to->all += from->all;
    to->failures += from->failures;
    to->proven += from->proven;
    to->silent += from->silent;
    to->away += from->away;
    to->absent += from->absent;
    to->nowhere += from->nowhere;
    to->quiet += from->quiet;
}

void rollout_tally(struct hub_rollout *r)
{
    memset(r->tallies, 0, sizeof r->tallies);
    memset(&r->all, 0, sizeof r->all);
    for (size_t i = 0; i < r->n_slots; i++)
        if (!r->slots[i]->gone)
            count(r, r->slots[i], &r->tallies[r->slots[i]->wave]);
    for (size_t i = 0; i < r->rules->n_waves; i++)
        add_counts(&r->all, &r->tallies[i]);
}

/* ---- timers ---- */

static void wake_at(struct hub_rollout *r, int64_t ms)
{
    if (ms < r->wake_ms)
        r->wake_ms = ms;
}

static bool has_deadline(const struct rollout_slot *slot)
{
    return slot->reach == ROLLOUT_REACH_IN && !slot->kept &&
           (slot->state == HUB_ROLLOUT_RELEASED || slot->state == HUB_ROLLOUT_APPLIED ||
               slot->state == HUB_ROLLOUT_RETURNING);
}

/* Whoever knows of the hold may see its end a little later. */
static int64_t later(const struct hub_rollout *r, int64_t ms)
{
    return ms > r->now_ms ? ms : r->now_ms + HOLD_AGAIN_MS;
}

/* From when on it counts as away, and when that ends. */
static void timer_of_hold(struct hub_rollout *r, const struct rollout_slot *slot, bool settled)
{
    if (!rollout_waits(r, slot))
        return;
    if (!settled && rollout_waits_long(r, slot) && !rollout_is_away(r, slot))
        wake_at(r, later(r, slot->hold_ms + (int64_t)r->rules->offline_after_ms));
    if (slot->hold_until_s != 0 && rollout_waits_long(r, slot)) /* then it is waited for again */
        wake_at(r, later(r, (slot->hold_until_s - HUB_ROLLOUT_HOLD_MAX_S) * 1000 - r->offset_ms));
    if (slot->hold_until_s != 0 && (slot->kept || slot->state == HUB_ROLLOUT_DEFERRED))
        wake_at(r, later(r, slot->hold_until_s * 1000 - r->offset_ms));
}

static void timer_of(struct hub_rollout *r, const struct rollout_slot *slot)
{
    bool settled = slot->state == HUB_ROLLOUT_FAILED || slot->state == HUB_ROLLOUT_DEFERRED ||
                   slot->state == HUB_ROLLOUT_RETURNED || slot->state == HUB_ROLLOUT_STUCK;

    if (r->phase == HUB_ROLLOUT_SOAKING && slot->state == HUB_ROLLOUT_HEALTHY &&
        slot->wave == r->open && rollout_soaked_ms(r, slot) > r->now_ms &&
        rollout_soaked_ms(r, slot) < r->soaked_ms)
        r->soaked_ms = rollout_soaked_ms(r, slot);
    if (has_deadline(slot))
        wake_at(r, rollout_late_ms(r, slot));
    if (slot->reach == ROLLOUT_REACH_OUT && !settled && !rollout_is_away(r, slot))
        wake_at(r, slot->offline_ms + (int64_t)r->rules->offline_after_ms);
    timer_of_hold(r, slot, settled);
    if (slot->held) {
        int64_t until_s = rollout_held_until_s(r, slot);
        int64_t until_ms = until_s ? until_s * 1000 - r->offset_ms : ROLLOUT_NEVER;

        wake_at(r, later(r, until_ms));
        if (until_ms > r->now_ms && until_ms < r->held_until_ms)
            r->held_until_ms = until_ms;
    }
}

void rollout_set_timers(struct hub_rollout *r)
{
    int64_t soaked_ms = r->waves[r->open].ok_ms + (int64_t)r->rules->waves[r->open].soak_ms;

    r->wake_ms = ROLLOUT_NEVER;
    r->held_until_ms = ROLLOUT_NEVER;
    r->soaked_ms = ROLLOUT_NEVER;
    for (size_t i = 0; i < r->n_slots; i++)
        if (!r->slots[i]->gone)
            timer_of(r, r->slots[i]);
    if (soaked_ms > r->now_ms)
        r->soaked_ms = soaked_ms;
    if (r->phase == HUB_ROLLOUT_SOAKING)
        wake_at(r, r->soaked_ms);
}
