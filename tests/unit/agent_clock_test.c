/* agent_clock_test.c - what time it is: boards without a clock, clocks that are put, years in which
 * 32 bits end. */
#include "agent/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1795000000 /* November 2026 */
#define YEAR 31557600

struct world {
    uint64_t now_ms;
    int64_t unix_s;
    bool kept;
    struct fed_loop loop;
    struct agent_clock clock;
    struct fed_tls_times times;
};

static uint64_t now_ms(void *ctx)
{
    return ((struct world *)ctx)->now_ms;
}

static int64_t unix_us(void *ctx)
{
    return ((struct world *)ctx)->unix_s * 1000000;
}

static bool is_kept(void *ctx)
{
    return ((struct world *)ctx)->kept;
}

static struct world *world_new(int64_t own_unix_s, int64_t floor_unix_s)
{
    struct world *w = calloc(1, sizeof *w);

    w->now_ms = 5000;
    w->unix_s = own_unix_s;
    w->loop =
        (struct fed_loop){.ctx = w, .now_ms = now_ms, .unix_us = unix_us, .clock_is_kept = is_kept};
    agent_clock_init(&w->clock, &w->loop, floor_unix_s);
    w->times = agent_clock_times(&w->clock);
    return w;
}

static int64_t judged_by(struct world *w)
{
    return w->times.now(w->times.ctx, true);
}

static void test_an_assumption_is_not_before_the_floor(void **state)
{
    struct world *w = world_new(0, NOW);

    (void)state;
    assert_true(agent_clock_unix_s(&w->clock) == NOW);
    assert_false(agent_clock_is_known(&w->clock));
    w->unix_s = NOW + 5;
    assert_true(judged_by(w) == NOW + 5);
    free(w);
}

/* The five clocks at boot that a hub of today must be reached with; what 32 bits hold ends in 2038
 * and 2106. */
static void test_the_hub_is_asked(void **state)
{
    static const int64_t clocks[] = {0, NOW - 10 * (int64_t)YEAR, NOW + 10 * (int64_t)YEAR,
        INT64_C(2147483648) + YEAR, INT64_C(4294967296) + YEAR};

    (void)state;
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        struct world *w = world_new(clocks[i], NOW - YEAR);

        /* Not by something else than times, such as an address where nobody answers. */
        assert_false(agent_clock_ask(&w->clock));
        w->times.refused(w->times.ctx);
        assert_true(agent_clock_ask(&w->clock));
        assert_true(judged_by(w) == 0);
        assert_true(w->times.now(w->times.ctx, false) != 0); /* that of the API server is */
        assert_int_equal(agent_clock_told(&w->clock, NOW), FED_ERR_CONFLICT);
        w->now_ms += 3000;
        assert_true(judged_by(w) == NOW + 3); /* the same hub again, by what it said */
        assert_int_equal(agent_clock_told(&w->clock, NOW + 3), FED_OK);
        assert_true(agent_clock_is_known(&w->clock));
        free(w);
    }
}

/* Its certificate has ended by its own word, so it may not even say what time it is. */
static void test_a_hub_that_ended_is_refused_by_its_own_time(void **state)
{
    struct world *w = world_new(0, NOW - YEAR);

    (void)state;
    w->times.refused(w->times.ctx);
    assert_true(agent_clock_ask(&w->clock));
    assert_int_equal(agent_clock_told(&w->clock, NOW + 9 * (int64_t)YEAR), FED_ERR_CONFLICT);
    w->times.refused(w->times.ctx);
    assert_false(agent_clock_ask(&w->clock)); /* this pass is over */
    assert_true(agent_clock_unix_s(&w->clock) == NOW - YEAR);
    w->times.refused(w->times.ctx);
    assert_true(agent_clock_ask(&w->clock)); /* the next one asks again */
    free(w);
}

static void test_a_time_before_the_floor_is_not_believed(void **state)
{
    struct world *w = world_new(0, NOW);

    (void)state;
    w->times.refused(w->times.ctx);
    assert_true(agent_clock_ask(&w->clock));
    assert_int_equal(agent_clock_told(&w->clock, NOW - AGENT_CLOCK_SLACK_S - 1), FED_ERR_INVALID);
    assert_true(agent_clock_unix_s(&w->clock) == NOW);
    w->times.refused(w->times.ctx);
    assert_true(agent_clock_ask(&w->clock));
    assert_int_equal(agent_clock_told(&w->clock, NOW - 60), FED_ERR_CONFLICT);
    free(w);
}

/* A hub whose clock is put years ahead for a while: what is known stays, and the hub that is right
 * again is the one that fits. */
static void test_a_hub_that_is_ahead_is_not_believed(void **state)
{
    struct world *w = world_new(0, NOW - YEAR);

    (void)state;
    assert_int_equal(agent_clock_told(&w->clock, NOW), FED_OK); /* its certificate fitted */
    w->now_ms += 60000;
    assert_int_equal(agent_clock_told(&w->clock, NOW + 2 * (int64_t)YEAR), FED_OK);
    assert_true(judged_by(w) == NOW + 60);
    /* Its new certificate, of that time, is refused, and it is not asked. */
    w->times.refused(w->times.ctx);
    assert_false(agent_clock_ask(&w->clock));
    /* A day is no matter. */
    assert_int_equal(agent_clock_told(&w->clock, NOW + AGENT_CLOCK_SLACK_S), FED_OK);
    assert_true(judged_by(w) == NOW + AGENT_CLOCK_SLACK_S);
    /* But if no hub fits for hours it was we who were wrong; not by going back, though. */
    w->now_ms += AGENT_CLOCK_AGAIN_MS;
    w->times.refused(w->times.ctx);
    assert_true(agent_clock_ask(&w->clock));
    assert_int_equal(agent_clock_told(&w->clock, NOW - 2), FED_ERR_INVALID);
    w->times.refused(w->times.ctx);
    assert_true(agent_clock_ask(&w->clock));
    assert_int_equal(agent_clock_told(&w->clock, NOW + 2 * (int64_t)YEAR), FED_ERR_CONFLICT);
    assert_int_equal(agent_clock_told(&w->clock, NOW + 2 * (int64_t)YEAR + 3), FED_OK);
    assert_true(judged_by(w) == NOW + 2 * (int64_t)YEAR + 3);
    free(w);
}

/* The monotonic clock did not go on, but the battery did: two that say the same. */
static void test_a_machine_that_slept_for_days_believes_the_hub(void **state)
{
    struct world *w = world_new(NOW, NOW - YEAR);

    (void)state;
    assert_int_equal(agent_clock_told(&w->clock, NOW), FED_OK);
    w->unix_s = NOW + 9 * AGENT_CLOCK_SLACK_S;
    assert_int_equal(agent_clock_told(&w->clock, NOW + 9 * AGENT_CLOCK_SLACK_S + 60), FED_OK);
    assert_true(judged_by(w) == NOW + 9 * AGENT_CLOCK_SLACK_S + 60);
    free(w);
}

static void test_no_hub_is_asked_once_time_is_known(void **state)
{
    struct world *w = world_new(NOW, NOW - YEAR);

    (void)state;
    assert_int_equal(agent_clock_told(&w->clock, NOW + 2), FED_OK);
    w->times.refused(w->times.ctx);
    assert_false(agent_clock_ask(&w->clock));
    free(w);
    w = world_new(NOW, NOW - YEAR);
    w->kept = true;
    w->times.refused(w->times.ctx);
    assert_false(agent_clock_ask(&w->clock));
    assert_true(judged_by(w) == NOW);
    free(w);
}

/* Whatever this machine's clock is put to while the process runs. */
static void test_a_clock_that_is_put_changes_nothing(void **state)
{
    static const int64_t clocks[] = {0, NOW - 10 * (int64_t)YEAR, NOW + 10 * (int64_t)YEAR,
        INT64_C(2147483648), INT64_C(4294967296), -1};
    struct world *w = world_new(NOW, 0);

    (void)state;
    assert_int_equal(agent_clock_told(&w->clock, NOW), FED_OK);
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        w->unix_s = clocks[i];
        w->now_ms += 10000;
        assert_true(agent_clock_unix_s(&w->clock) == NOW + 10 * (int64_t)(i + 1));
    }
    w->kept = true; /* and is right from then on */
    w->unix_s = NOW + 100;
    assert_true(agent_clock_unix_s(&w->clock) == NOW + 100);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_assumption_is_not_before_the_floor),
        cmocka_unit_test(test_the_hub_is_asked),
        cmocka_unit_test(test_a_hub_that_ended_is_refused_by_its_own_time),
        cmocka_unit_test(test_a_time_before_the_floor_is_not_believed),
        cmocka_unit_test(test_a_hub_that_is_ahead_is_not_believed),
        cmocka_unit_test(test_a_machine_that_slept_for_days_believes_the_hub),
        cmocka_unit_test(test_no_hub_is_asked_once_time_is_known),
        cmocka_unit_test(test_a_clock_that_is_put_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
