/* engine_reach.c - clusters that cannot be given anything at present: they are out of reach, or
 * what is new for them waits. */
#include "hub/rollout/engine_parts.h"

/* Nothing would be sent to it. */
bool rollout_has_it(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    return slot->version == r->to && !slot->again;
}

/* What it is to have, or would get with its turn, waits. */
bool rollout_waits(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    if (slot->hold_ms == 0)
        return false;
    if (slot->state == HUB_ROLLOUT_PENDING || slot->state == HUB_ROLLOUT_DEFERRED)
        return slot->kept || !rollout_has_it(r, slot);
    return slot->kept &&
           (slot->state == HUB_ROLLOUT_RELEASED || slot->state == HUB_ROLLOUT_RETURNING);
}

bool rollout_is_quiet(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    return rollout_waits(r, slot) && slot->hold_until_s != 0 &&
           slot->hold_until_s - rollout_unix_s(r, r->now_ms) <= HUB_ROLLOUT_HOLD_MAX_S;
}

bool rollout_waits_long(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    return rollout_waits(r, slot) && !rollout_is_quiet(r, slot);
}

bool rollout_is_away(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    int64_t after_ms = (int64_t)r->rules->offline_after_ms;

    return (slot->reach == ROLLOUT_REACH_OUT && r->now_ms - slot->offline_ms >= after_ms) ||
           (rollout_waits_long(r, slot) && r->now_ms - slot->hold_ms >= after_ms);
}

int64_t rollout_late_ms(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    int64_t deadline = (int64_t)r->rules->deadline_ms;
    int64_t heard = slot->in_ms + (deadline < ROLLOUT_GRACE_MS ? deadline : ROLLOUT_GRACE_MS);

    return slot->wait_ms + deadline > heard ? slot->wait_ms + deadline : heard;
}

bool rollout_is_late(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    return slot->reach == ROLLOUT_REACH_IN && !slot->kept && r->now_ms >= rollout_late_ms(r, slot);
}
