/* limit.h - a token bucket: how often a peer may do what costs us more than it costs the peer. */
#ifndef FEDLET_PORTS_HTTP_LIMIT_H
#define FEDLET_PORTS_HTTP_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct fed_http_limit {
    uint32_t tokens;
    uint64_t since_ms; /* up to here the refill is counted */
};

/* Takes one token of at most burst, refilled by per_second; false when there is none. */
static inline bool fed_http_limit_take(
    struct fed_http_limit *limit, uint32_t burst, uint32_t per_second, uint64_t now_ms)
{
    uint64_t more = (now_ms - limit->since_ms) * per_second / 1000;

    if (more) {
        limit->since_ms = now_ms;
        limit->tokens = more > burst - limit->tokens ? burst : limit->tokens + (uint32_t)more;
    }
    if (limit->tokens == 0)
        return false;
    limit->tokens--;
    return true;
}

#endif
