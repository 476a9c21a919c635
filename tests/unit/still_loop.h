/* still_loop.h - a loop for one timer whose clock stands still until the test moves now_ms: for
 * what has one timer and watches nothing. */
#ifndef FEDLET_TESTS_UNIT_STILL_LOOP_H
#define FEDLET_TESTS_UNIT_STILL_LOOP_H

#include "ports/loop.h"

struct fed_timer {
    fed_loop_call *call;
    void *ctx;
    uint64_t due_ms;
};

static uint64_t now_ms;
static struct fed_timer timer;

static uint64_t fake_now(void *ctx)
{
    (void)ctx;
    return now_ms;
}

static enum fed_err fake_timer_new(
    void *ctx, fed_loop_call *call, void *call_ctx, struct fed_timer **out)
{
    (void)ctx;
    timer = (struct fed_timer){.call = call, .ctx = call_ctx, .due_ms = UINT64_MAX};
    *out = &timer;
    return FED_OK;
}

static void fake_timer_set(void *ctx, struct fed_timer *t, uint64_t due_ms)
{
    (void)ctx;
    t->due_ms = due_ms;
}

static void fake_timer_stop(void *ctx, struct fed_timer *t)
{
    (void)ctx;
    t->due_ms = UINT64_MAX;
}

static void fake_timer_free(void *ctx, struct fed_timer *t)
{
    (void)ctx;
    (void)t;
}

static struct fed_loop loop = {.now_ms = fake_now,
    .timer_new = fake_timer_new,
    .timer_set = fake_timer_set,
    .timer_stop = fake_timer_stop,
    .timer_free = fake_timer_free};

#endif
