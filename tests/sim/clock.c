/* clock.c - the hub's event loop on the simulated clock. */
#include "tests/sim/sim.h"

#include <assert.h>
#include <stdlib.h>

struct fed_timer {
    struct sim_loop *loop;
    fed_loop_call *call;
    void *ctx;
    uint64_t due_ms; /* SIM_NEVER: not set */
    struct fed_timer *next;
};

struct call {
    fed_loop_call *call;
    void *ctx;
    struct call *next;
};

struct sim_loop {
    struct sim *sim;
    struct fed_loop port;
    struct fed_timer *timers;
    struct call *deferred;
    struct call *at_end;
};

static uint64_t now_ms(void *ctx)
{
    return ((struct sim_loop *)ctx)->sim->now_ms;
}

static int64_t unix_us(void *ctx)
{
    return ((struct sim_loop *)ctx)->sim->unix_s * 1000000;
}

static enum fed_err timer_new(
    void *ctx, fed_loop_call *call, void *call_ctx, struct fed_timer **out)
{
    struct sim_loop *loop = ctx;
    struct fed_timer *timer = calloc(1, sizeof *timer);

    if (!timer)
        return FED_ERR_NOMEM;
    *timer = (struct fed_timer){
        .loop = loop, .call = call, .ctx = call_ctx, .due_ms = SIM_NEVER, .next = loop->timers};
    loop->timers = timer;
    *out = timer;
    return FED_OK;
}

static void timer_set(void *ctx, struct fed_timer *timer, uint64_t due_ms)
{
    (void)ctx;
    timer->due_ms = due_ms;
}

static void timer_stop(void *ctx, struct fed_timer *timer)
{
    (void)ctx;
    timer->due_ms = SIM_NEVER;
}

static void timer_free(void *ctx, struct fed_timer *timer)
{
    struct sim_loop *loop = ctx;
    struct fed_timer **at = &loop->timers;

    if (!timer)
        return;
    while (*at != timer)
        at = &(*at)->next;
    *at = timer->next;
    free(timer);
}

static enum fed_err push(struct call **list, fed_loop_call *call, void *ctx)
{
    struct call *added = calloc(1, sizeof *added);

    if (!added)
        return FED_ERR_NOMEM;
    *added = (struct call){.call = call, .ctx = ctx};
    while (*list)
        list = &(*list)->next;
    *list = added;
    return FED_OK;
}

static bool pop(struct call **list)
{
    struct call *first = *list;

    if (!first)
        return false;
    *list = first->next;
    first->call(first->ctx);
    free(first);
    return true;
}

static enum fed_err defer(void *ctx, fed_loop_call *call, void *call_ctx)
{
    return push(&((struct sim_loop *)ctx)->deferred, call, call_ctx);
}

static enum fed_err turn_end(void *ctx, fed_loop_call *call, void *call_ctx)
{
    return push(&((struct sim_loop *)ctx)->at_end, call, call_ctx);
}

struct sim_loop *sim_loop_new(struct sim *sim)
{
    struct sim_loop *loop = calloc(1, sizeof *loop);

    assert(loop);
    loop->sim = sim;
    loop->port = (struct fed_loop){.ctx = loop,
        .now_ms = now_ms,
        .unix_us = unix_us,
        .timer_new = timer_new,
        .timer_set = timer_set,
        .timer_stop = timer_stop,
        .timer_free = timer_free,
        .defer = defer,
        .turn_end = turn_end};
    return loop;
}

void sim_loop_free(struct sim_loop *loop)
{
    struct call *next;

    assert(!loop->timers);
    for (struct call *c = loop->deferred; c; c = next) {
        next = c->next;
        free(c);
    }
    for (struct call *c = loop->at_end; c; c = next) {
        next = c->next;
        free(c);
    }
    free(loop);
}

struct fed_loop *sim_loop_port(struct sim_loop *loop)
{
    return &loop->port;
}

static struct fed_timer *first_timer(const struct sim_loop *loop)
{
    struct fed_timer *first = NULL;

    for (struct fed_timer *t = loop->timers; t; t = t->next)
        if (t->due_ms != SIM_NEVER && (!first || t->due_ms < first->due_ms))
            first = t;
    return first;
}

uint64_t sim_loop_due(const struct sim_loop *loop)
{
    const struct fed_timer *first = first_timer(loop);

    return first ? first->due_ms : SIM_NEVER;
}

void sim_loop_turn(struct sim_loop *loop)
{
    for (unsigned rounds = 0;; rounds++) {
        struct fed_timer *due = first_timer(loop);

        SIM_CHECK(loop->sim, rounds < 100000, "the hub's loop does not come to rest");
        if (pop(&loop->deferred))
            continue;
        if (due && due->due_ms <= loop->sim->now_ms) {
            due->due_ms = SIM_NEVER;
            due->call(due->ctx);
            continue;
        }
        if (!pop(&loop->at_end))
            return;
    }
}
