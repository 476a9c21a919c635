/* loop.h - the one event loop of a process: time, timers, descriptors, deferred calls.
 *
 * Callbacks run one after the other in the loop's thread and must not block. All calls are made
 * from that thread, except where said. Implementations: ports/linux (epoll), ports/sim (simulated
 * clock). */
#ifndef FEDLET_PORTS_LOOP_H
#define FEDLET_PORTS_LOOP_H

#include "proto/base/alloc.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct fed_timer; /* opaque; owned by who made it */
struct fed_watch; /* a descriptor under watch */

#define FED_LOOP_READ 1u
#define FED_LOOP_WRITE 2u
#define FED_LOOP_ERROR 4u /* reported though not asked for: error or hang-up */

typedef void fed_loop_call(void *ctx);
typedef void fed_loop_ready(void *ctx, unsigned events);

struct fed_loop {
    void *ctx;
    uint64_t (*now_ms)(
        void *ctx); /* monotonic; the time at which the present callback round began */
    int64_t (*unix_us)(void *ctx); /* wall clock, microseconds; may jump */
    /* The kernel says that something keeps the wall clock right (NTP); putting it by hand ends
     * that. NULL: nobody knows. */
    bool (*clock_is_kept)(void *ctx);
    /* Monotonic and of this moment, for what is measured inside one callback; NULL: now_ms. */
    uint64_t (*clock_us)(void *ctx);
    /* A timer that is not set. */
    enum fed_err (*timer_new)(
        void *ctx, fed_loop_call *call, void *call_ctx, struct fed_timer **out);
    void (*timer_set)(
        void *ctx, struct fed_timer *timer, uint64_t due_ms); /* once; again to move it */
    void (*timer_stop)(void *ctx, struct fed_timer *timer);
    void (*timer_free)(
        void *ctx, struct fed_timer *timer); /* NULL is fine; also inside its own call */
    /* Watches a descriptor (owned by the caller). events: FED_LOOP_READ | FED_LOOP_WRITE, may be 0.
     * Level-triggered. */
    enum fed_err (*watch_new)(void *ctx, int fd, unsigned events, fed_loop_ready *ready,
        void *ready_ctx, struct fed_watch **out);
    void (*watch_set)(void *ctx, struct fed_watch *watch, unsigned events);
    void (*watch_free)(void *ctx,
        struct fed_watch *watch); /* before closing the descriptor; also inside its callback */
    /* Calls once, after the present callback, before waiting. FED_ERR_NOMEM. */
    enum fed_err (*defer)(void *ctx, fed_loop_call *call, void *call_ctx);
    /* Calls once at the end of the present turn: after everything that was ready in it, before
     * waiting. For work that is cheaper done once for many callbacks. FED_ERR_NOMEM. */
    enum fed_err (*turn_end)(void *ctx, fed_loop_call *call, void *call_ctx);
    void (*stop)(void *ctx); /* run returns after the present round */
};

static inline uint64_t fed_loop_now_ms(struct fed_loop *loop)
{
    return loop->now_ms(loop->ctx);
}

static inline uint64_t fed_loop_clock_us(struct fed_loop *loop)
{
    return loop->clock_us ? loop->clock_us(loop->ctx) : loop->now_ms(loop->ctx) * 1000;
}

static inline int64_t fed_loop_unix_s(struct fed_loop *loop)
{
    int64_t us = loop->unix_us(loop->ctx);

    return us >= 0 ? us / 1000000 : -((-us + 999999) / 1000000);
}

/* ---- ports/linux ---- */
struct fed_linux_loop;
FED_MUST_USE enum fed_err fed_linux_loop_open(
    struct fed_alloc *mem, struct fed_linux_loop **out, struct fed_diag *diag);
void fed_linux_loop_close(struct fed_linux_loop *linux_loop);
struct fed_loop *fed_linux_loop_port(struct fed_linux_loop *linux_loop);
/* Runs until stop, or until one of the signals given to _signals arrives with no handler set. */
FED_MUST_USE enum fed_err fed_linux_loop_run(struct fed_linux_loop *linux_loop);
/* Delivers a signal as a callback (signalfd; blocks its default action). */
typedef void fed_linux_signal_call(void *ctx, int signal_number);
FED_MUST_USE enum fed_err fed_linux_loop_on_signal(struct fed_linux_loop *linux_loop,
    int signal_number, fed_linux_signal_call *call, void *call_ctx);

#endif
