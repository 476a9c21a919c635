/* tries.c - see tries.h. */
#include "hub/console/tries.h"

#include <string.h>

static struct fed_span address_of(struct fed_span peer)
{
    size_t len = peer.len;

    while (len > 0 && peer.at[len - 1] != ':')
        len--;
    peer = fed_span_sub(peer, 0, len > 0 ? len - 1 : peer.len);
    return fed_span_sub(peer, 0, sizeof((struct console_tries *)0)->list[0].address - 1);
}

static size_t find(const struct console_tries *tries, struct fed_span address)
{
    size_t i = 0;

    while (i < CONSOLE_TRIES_ADDRESSES &&
           !(tries->list[i].since_ms > 0 && fed_span_is(address, tries->list[i].address)))
        i++;
    return i;
}

unsigned console_tries_wait_s(
    const struct console_tries *tries, struct fed_span peer, uint64_t now_ms)
{
    size_t i = find(tries, address_of(peer));
    uint64_t until_ms;

    if (i == CONSOLE_TRIES_ADDRESSES || tries->list[i].n < CONSOLE_TRIES_MAX)
        return 0;
    until_ms = tries->list[i].since_ms + CONSOLE_TRIES_MS;
    return until_ms > now_ms ? (unsigned)((until_ms - now_ms + 999) / 1000) : 0;
}

void console_tries_wrong(struct console_tries *tries, struct fed_span peer, uint64_t now_ms)
{
    struct fed_span address = address_of(peer);
    size_t at = find(tries, address);

    if (at == CONSOLE_TRIES_ADDRESSES) {
        at = 0;
        for (size_t i = 1; i < CONSOLE_TRIES_ADDRESSES; i++)
            if (tries->list[i].since_ms < tries->list[at].since_ms)
                at = i;
        tries->list[at].since_ms = 0;
    }
    if (tries->list[at].since_ms == 0 || now_ms - tries->list[at].since_ms >= CONSOLE_TRIES_MS) {
        memset(&tries->list[at], 0, sizeof tries->list[at]);
        memcpy(tries->list[at].address, address.at, address.len);
        tries->list[at].since_ms = now_ms > 0 ? now_ms : 1;
    }
    tries->list[at].n++;
}
