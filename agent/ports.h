/* ports.h - the outside world as the agent's modules get it: contracts only, all borrowed for the
 * agent's life. */
#ifndef FEDLET_AGENT_PORTS_H
#define FEDLET_AGENT_PORTS_H

#include "ports/crypto.h"
#include "ports/fs.h"
#include "ports/kube.h"
#include "ports/link.h"
#include "ports/log.h"
#include "ports/loop.h"
#include "ports/store.h"

struct agent_clock; /* clock.h */

struct agent_ports {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct fed_crypto *crypto;
    struct fed_store *store;
    struct fed_kube *kube;
    struct agent_clock *clock; /* NULL: the loop's is right */
    struct fed_link *coap;     /* NULL: not there, as below */
    struct fed_link *https;
    struct fed_link *link; /* the session in use, whatever carries it (dial.h) */
};

/* A random byte for jitter; 128 when the entropy source fails, which only costs the jitter. */
static inline uint8_t agent_spread(const struct agent_ports *ports)
{
    uint8_t byte = 128;

    if (ports->crypto->random(ports->crypto->ctx, &byte, 1))
        return 128;
    return byte;
}

static inline void agent_timer_at(
    const struct agent_ports *ports, struct fed_timer *timer, uint64_t due_ms)
{
    ports->loop->timer_set(ports->loop->ctx, timer, due_ms);
}

static inline void agent_timer_stop(const struct agent_ports *ports, struct fed_timer *timer)
{
    ports->loop->timer_stop(ports->loop->ctx, timer);
}

#endif
