/* engine_clock.c - the engine's own time (engine_parts.h). */
#include "hub/rollout/engine_parts.h"

void rollout_clock(struct hub_rollout *r, struct hub_rollout_now now)
{
    int64_t passed = now.mono_ms > r->base_mono_ms ? (int64_t)(now.mono_ms - r->base_mono_ms) : 0;
    int64_t apart;

    if (r->base_ms + passed > r->now_ms)
        r->now_ms = r->base_ms + passed;
    apart = now.unix_ms - r->now_ms - r->offset_ms;
    if (apart < ROLLOUT_CLOCK_SET_MS && apart > -ROLLOUT_CLOCK_SET_MS)
        return;
    r->offset_ms += apart;
    r->record_changed = true;
}

int64_t rollout_unix_s(const struct hub_rollout *r, int64_t ms)
{
    return ms == 0 ? 0 : (ms + r->offset_ms) / 1000;
}

void rollout_clock_start(struct hub_rollout *r, struct hub_rollout_now now)
{
    /* A wall clock before 1970: times are above 0, which stands for none. */
    if (now.unix_ms - r->offset_ms < 1)
        r->offset_ms = now.unix_ms - 1;
    r->base_mono_ms = now.mono_ms;
    r->base_ms = now.unix_ms - r->offset_ms;
    r->now_ms = r->base_ms;
}

uint64_t hub_rollout_wake_ms(const struct hub_rollout *r)
{
    if (r->wake_ms == ROLLOUT_NEVER)
        return UINT64_MAX;
    if (r->wake_ms <= r->base_ms)
        return r->base_mono_ms;
    return r->base_mono_ms + (uint64_t)(r->wake_ms - r->base_ms);
}
