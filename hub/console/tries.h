/* tries.h - how often an address got it wrong: guesses of codes and tokens are few a minute, and
 * whoever guesses keeps nobody else out. */
#ifndef FEDLET_HUB_CONSOLE_TRIES_H
#define FEDLET_HUB_CONSOLE_TRIES_H

#include "proto/base/span.h"

#define CONSOLE_TRIES_ADDRESSES 256u /* beyond, the one that was wrong longest ago is forgotten */
#define CONSOLE_TRIES_MAX 10u        /* in a minute */
#define CONSOLE_TRIES_MS 60000u

struct console_tries { /* zero at first */
    struct {
        char address[48];
        uint64_t since_ms; /* 0: free */
        unsigned n;
    } list[CONSOLE_TRIES_ADDRESSES];
};
/* peer: "127.0.0.1:51234", "[::1]:51234"; the port does not count. Seconds to wait; 0: none. */
unsigned console_tries_wait_s(
    const struct console_tries *tries, struct fed_span peer, uint64_t now_ms);
void console_tries_wrong(struct console_tries *tries, struct fed_span peer, uint64_t now_ms);

#endif
