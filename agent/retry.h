/* retry.h - when to try something again.
 *
 * Full jitter, doubling up to a ceiling, and the other side's own wish when it gives one (Max-Age
 * of a CoAP 5.03, RFC 7252 section 5.9.3.4; Retry-After over HTTP). Pure: the caller brings time
 * and randomness. A retry of all zeros has not failed yet; it takes no memory beyond itself. */
#ifndef FEDLET_AGENT_RETRY_H
#define FEDLET_AGENT_RETRY_H

#include <stdint.h>

struct agent_retry {
    uint32_t wait_ms;  /* the next full wait, before jitter; 0: not failed yet */
    uint32_t attempts; /* failures since the last success */
};

/* Notes a failure and returns the monotonic time of the next attempt.
 *   floor_ms, ceiling_ms  first and longest wait, 0 < floor_ms <= ceiling_ms
 *   spread    random byte: the wait is (spread + 1)/256 of the full one
 *   asked_ms  what the other side asked for, 0 for nothing; never waited less than this */
uint64_t agent_retry_failed(struct agent_retry *retry, uint64_t now_ms, uint32_t floor_ms,
    uint32_t ceiling_ms, uint8_t spread, uint32_t asked_ms);

/* Forgets the failures. */
void agent_retry_reset(struct agent_retry *retry);

#endif
