/* retry.c - see retry.h. */
#include "agent/retry.h"

uint64_t agent_retry_failed(struct agent_retry *retry, uint64_t now_ms, uint32_t floor_ms,
    uint32_t ceiling_ms, uint8_t spread, uint32_t asked_ms)
{
    uint64_t full_ms = retry->wait_ms ? retry->wait_ms : floor_ms;
    uint64_t wait_ms = full_ms * (spread + 1u) / 256u;

    /* The wish is a floor, and jitter goes on top: everybody was told the same second. */
    if (asked_ms > 0)
        wait_ms += asked_ms;

    retry->attempts++;
    retry->wait_ms = full_ms > ceiling_ms / 2 ? ceiling_ms : (uint32_t)full_ms * 2;
    return now_ms + (wait_ms ? wait_ms : 1);
}

void agent_retry_reset(struct agent_retry *retry)
{
    *retry = (struct agent_retry){0};
}
