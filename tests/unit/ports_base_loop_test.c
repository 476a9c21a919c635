/* ports_base_loop_test.c - the Linux loop through ports/loop.h. */
#include "ports/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What happened, one letter each. */
struct world {
    struct fed_linux_loop *linux_loop;
    struct fed_loop *loop;
    char trace[256];
    size_t n;
};

/* One thing that can be called: notes its letter and does one more thing. */
struct actor {
    struct world *w;
    char letter;
    struct fed_timer *timer;
    struct fed_watch *watch;
    int fd;
    void (*then)(struct actor *a);
    struct actor *other;
    unsigned left;
    uint64_t at_ms;
};

static void note(struct world *w, char letter)
{
    assert_true(w->n + 1 < sizeof w->trace);
    w->trace[w->n++] = letter;
    w->trace[w->n] = '\0';
}

static void act(void *ctx)
{
    struct actor *a = ctx;

    note(a->w, a->letter);
    if (a->then)
        a->then(a);
}

static void act_ready(void *ctx, unsigned events)
{
    struct actor *a = ctx;

    note(a->w, events & FED_LOOP_ERROR ? '!' : events & FED_LOOP_READ ? 'r' : 'w');
    act(a);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct fed_diag diag = {{0}};

    assert_non_null(w);
    assert_int_equal(fed_linux_loop_open(fed_alloc_system(), &w->linux_loop, &diag), FED_OK);
    w->loop = fed_linux_loop_port(w->linux_loop);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    fed_linux_loop_close(w->linux_loop);
    free(w);
    return 0;
}

static void timer_make(struct actor *a)
{
    assert_int_equal(a->w->loop->timer_new(a->w->loop->ctx, act, a, &a->timer), FED_OK);
}

static void timer_set(struct actor *a, uint64_t due_ms)
{
    a->w->loop->timer_set(a->w->loop->ctx, a->timer, due_ms);
}

static void timer_free(struct actor *a)
{
    a->w->loop->timer_free(a->w->loop->ctx, a->timer);
    a->timer = NULL;
}

static void watch_make(struct actor *a, int fd, unsigned events)
{
    a->fd = fd;
    assert_int_equal(
        a->w->loop->watch_new(a->w->loop->ctx, fd, events, act_ready, a, &a->watch), FED_OK);
}

static void watch_free(struct actor *a)
{
    a->w->loop->watch_free(a->w->loop->ctx, a->watch);
    a->watch = NULL;
}

static void defer(struct actor *a)
{
    assert_int_equal(a->w->loop->defer(a->w->loop->ctx, act, a), FED_OK);
}

static void then_stop(struct actor *a)
{
    a->w->loop->stop(a->w->loop->ctx);
}

static void then_free_timer(struct actor *a)
{
    timer_free(a);
}

static void then_free_other_timer(struct actor *a)
{
    timer_free(a->other);
}

static void then_stop_other_timer(struct actor *a)
{
    a->w->loop->timer_stop(a->w->loop->ctx, a->other->timer);
}

static void run(struct world *w)
{
    assert_int_equal(fed_linux_loop_run(w->linux_loop), FED_OK);
}

/* ---- timers ---- */

static void timers_run_in_order_of_time_then_of_setting(void **state)
{
    struct world *w = *state;
    uint64_t now = fed_loop_now_ms(w->loop);
    static const struct {
        char letter;
        unsigned after_ms;
    } plan[] = {{'f', 12}, {'c', 5}, {'d', 5}, {'a', 1}, {'e', 8}, {'b', 3}, {'z', 20}};
    struct actor actors[sizeof plan / sizeof plan[0]];

    for (size_t i = 0; i < sizeof plan / sizeof plan[0]; i++) {
        actors[i] = (struct actor){.w = w, .letter = plan[i].letter};
        timer_make(&actors[i]);
        timer_set(&actors[i], now + plan[i].after_ms);
        if (plan[i].letter == 'z')
            actors[i].then = then_stop;
    }
    run(w);
    assert_string_equal(w->trace, "abcdefz");
    assert_true(fed_loop_now_ms(w->loop) >= now + 20);
    for (size_t i = 0; i < sizeof plan / sizeof plan[0]; i++)
        timer_free(&actors[i]);
}

static void a_timer_moves_stops_and_fires_once(void **state)
{
    struct world *w = *state;
    uint64_t now = fed_loop_now_ms(w->loop);
    struct actor a = {.w = w, .letter = 'a'};
    struct actor b = {.w = w, .letter = 'b'};
    struct actor c = {.w = w, .letter = 'c'};
    struct actor end = {.w = w, .letter = 'z', .then = then_stop};

    timer_make(&a);
    timer_make(&b);
    timer_make(&c);
    timer_make(&end);
    timer_set(&a, now + 1);
    timer_set(&a, now + 6); /* later */
    timer_set(&b, now + 100000);
    timer_set(&b, now + 3); /* earlier */
    timer_set(&c, now + 2);
    w->loop->timer_stop(w->loop->ctx, c.timer);
    w->loop->timer_stop(w->loop->ctx, c.timer); /* again is fine */
    timer_set(&end, now + 15);
    run(w);
    assert_string_equal(w->trace, "baz");
    timer_free(&a);
    timer_free(&b);
    timer_free(&c);
    timer_free(&end);
    w->loop->timer_free(w->loop->ctx, NULL);
}

static void a_timer_may_free_itself_and_others_that_are_due(void **state)
{
    struct world *w = *state;
    struct actor victim = {.w = w, .letter = 'x'};
    struct actor stopped = {.w = w, .letter = 'y'};
    struct actor self = {.w = w, .letter = 'a', .then = then_free_timer};
    struct actor killer = {.w = w, .letter = 'b', .then = then_free_other_timer, .other = &victim};
    struct actor stopper = {
        .w = w, .letter = 'c', .then = then_stop_other_timer, .other = &stopped};
    struct actor end = {.w = w, .letter = 'z', .then = then_stop};
    struct actor *order[] = {&self, &killer, &stopper, &victim, &stopped, &end};

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        timer_make(order[i]);
        timer_set(order[i], 0); /* all due in the same round */
    }
    run(w);
    assert_string_equal(w->trace, "abcz");
    timer_free(&killer);
    timer_free(&stopper);
    timer_free(&stopped);
    timer_free(&end);
}

static void then_again_in_the_past(struct actor *a)
{
    if (a->left-- > 0)
        timer_set(a, 0);
    else
        then_stop(a);
}

static void then_read_byte(struct actor *a)
{
    char byte;

    assert_int_equal(read(a->fd, &byte, 1), 1);
}

static void a_timer_set_to_the_past_does_not_starve_descriptors(void **state)
{
    struct world *w = *state;
    struct actor timer = {.w = w, .letter = 't', .then = then_again_in_the_past, .left = 3};
    struct actor reader = {.w = w, .letter = '.', .then = then_read_byte};
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "12", 2), 2);
    timer_make(&timer);
    timer_set(&timer, 0);
    watch_make(&reader, ends[0], FED_LOOP_READ);
    run(w);
    assert_string_equal(w->trace, "tr.tr.tt");
    watch_free(&reader);
    timer_free(&timer);
    close(ends[0]);
    close(ends[1]);
}

struct crowd {
    struct world *w;
    struct actor *actors;
    uint64_t last_ms;
    size_t called;
};

static void crowd_called(struct actor *a)
{
    struct crowd *crowd = (struct crowd *)(void *)a->other;

    assert_true(a->at_ms >= crowd->last_ms);
    assert_true(fed_loop_now_ms(a->w->loop) >= a->at_ms);
    crowd->last_ms = a->at_ms;
    crowd->called++;
    a->at_ms = UINT64_MAX; /* a second call would be noticed above, as the order breaks */
    a->w->n = 0;
}

/* 2,000 timers, set, moved and stopped at random: called in order, each once and as it was last
 * set. */
static void many_timers_keep_their_order(void **state)
{
    struct world *w = *state;
    enum { N = 2000 };
    struct crowd crowd = {.w = w, .actors = calloc(N, sizeof(struct actor))};
    struct actor end = {.w = w, .letter = 'z', .then = then_stop};
    unsigned seed = 20240917;
    uint64_t now = fed_loop_now_ms(w->loop);
    size_t expected = 0;

    assert_non_null(crowd.actors);
    print_message("seed %u\n", seed);
    for (size_t i = 0; i < N; i++) {
        struct actor *a = &crowd.actors[i];

        *a = (struct actor){.w = w, .letter = 'x', .then = crowd_called};
        a->other = (struct actor *)(void *)&crowd;
        timer_make(a);
    }
    for (size_t i = 0; i < 4 * N; i++) {
        struct actor *a = &crowd.actors[(size_t)rand_r(&seed) % N];

        a->at_ms = now + 1 + (unsigned)rand_r(&seed) % 40;
        if (rand_r(&seed) % 4 == 0) {
            w->loop->timer_stop(w->loop->ctx, a->timer);
            a->at_ms = 0;
        } else {
            timer_set(a, a->at_ms);
        }
    }
    for (size_t i = 0; i < N; i++)
        expected += crowd.actors[i].at_ms > 0;
    timer_make(&end);
    timer_set(&end, now + 60);
    run(w);
    assert_int_equal(crowd.called, expected);
    for (size_t i = 0; i < N; i++)
        timer_free(&crowd.actors[i]);
    timer_free(&end);
    free(crowd.actors);
}

/* ---- descriptors ---- */

static void then_free_both_watches(struct actor *a)
{
    watch_free(a);
    watch_free(a->other);
    then_stop(a);
}

static void a_ready_watch_may_free_itself_and_the_other_ready_one(void **state)
{
    struct world *w = *state;
    struct actor a = {.w = w, .letter = 'a', .then = then_free_both_watches};
    struct actor b = {.w = w, .letter = 'a', .then = then_free_both_watches, .other = &a};
    int ends[2];

    a.other = &b;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(write(ends[0], "1", 1), 1);
    assert_int_equal(write(ends[1], "1", 1), 1);
    watch_make(&a, ends[0], FED_LOOP_READ);
    watch_make(&b, ends[1], FED_LOOP_READ);
    run(w);
    assert_string_equal(w->trace, "ra"); /* one of them, whichever came first */
    close(ends[0]);
    close(ends[1]);
}

static void then_silence_other(struct actor *a)
{
    a->w->loop->watch_set(a->w->loop->ctx, a->other->watch, 0);
    a->w->loop->watch_set(a->w->loop->ctx, a->watch, 0);
    then_stop(a);
}

static void a_changed_watch_is_not_called_for_what_it_no_longer_wants(void **state)
{
    struct world *w = *state;
    struct actor a = {.w = w, .letter = 'a', .then = then_silence_other};
    struct actor b = {.w = w, .letter = 'a', .then = then_silence_other, .other = &a};
    int ends[2];

    a.other = &b;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    watch_make(&a, ends[0], FED_LOOP_WRITE);
    watch_make(&b, ends[1], FED_LOOP_WRITE);
    run(w);
    assert_string_equal(w->trace, "wa");
    watch_free(&a);
    watch_free(&b);
    close(ends[0]);
    close(ends[1]);
}

static void the_other_end_closing_is_an_error_event(void **state)
{
    struct world *w = *state;
    struct actor a = {.w = w, .letter = 'a', .then = then_stop};
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    watch_make(&a, ends[0], 0);
    close(ends[1]);
    run(w);
    assert_string_equal(w->trace, "!a");
    watch_free(&a);
    close(ends[0]);
}

static void wrong_descriptors_are_refused(void **state)
{
    struct world *w = *state;
    struct actor a = {.w = w};
    struct fed_watch *watch = NULL;
    FILE *file = tmpfile();
    int ends[2];

    assert_non_null(file);
    assert_int_equal(pipe(ends), 0);
    watch_make(&a, ends[0], FED_LOOP_READ);
    assert_int_equal(
        w->loop->watch_new(w->loop->ctx, ends[0], FED_LOOP_READ, act_ready, &a, &watch),
        FED_ERR_EXISTS);
    assert_int_equal(
        w->loop->watch_new(w->loop->ctx, fileno(file), FED_LOOP_READ, act_ready, &a, &watch),
        FED_ERR_UNSUPPORTED);
    assert_int_equal(w->loop->watch_new(w->loop->ctx, -1, FED_LOOP_READ, act_ready, &a, &watch),
        FED_ERR_INVALID);
    assert_null(watch);
    watch_free(&a);
    fclose(file);
    close(ends[0]);
    close(ends[1]);
}

/* ---- deferred calls ---- */

static void then_defer_other(struct actor *a)
{
    defer(a->other);
}

static void deferred_calls_come_after_the_callback_in_order(void **state)
{
    struct world *w = *state;
    struct actor c = {.w = w, .letter = 'c', .then = then_stop};
    struct actor b = {.w = w, .letter = 'b', .then = then_defer_other, .other = &c};
    struct actor a = {.w = w, .letter = 'a', .then = then_defer_other, .other = &b};
    struct actor second = {.w = w, .letter = '2'};

    timer_make(&a);
    timer_make(&second);
    timer_set(&a, 0);
    timer_set(&second, 0);
    run(w); /* no other timer: that c is called at all shows that nothing was waited for */
    assert_string_equal(w->trace, "ab2c");
    timer_free(&a);
    timer_free(&second);
}

static void many_deferred_calls_keep_their_order(void **state)
{
    struct world *w = *state;
    struct actor actors[26];
    struct actor end = {.w = w, .letter = '.', .then = then_stop};

    for (size_t i = 0; i < 26; i++) {
        actors[i] = (struct actor){.w = w, .letter = (char)('a' + i)};
        defer(&actors[i]);
    }
    defer(&end);
    run(w);
    assert_string_equal(w->trace, "abcdefghijklmnopqrstuvwxyz.");
}

static void at_turn_end(struct actor *a)
{
    assert_int_equal(a->w->loop->turn_end(a->w->loop->ctx, act, a), FED_OK);
}

static void then_end_turn_with_other(struct actor *a)
{
    at_turn_end(a->other);
}

/* After all that was ready in the turn and what that deferred; what is asked for there comes with
 * the next turn, for which nothing is waited. */
static void the_end_of_a_turn_comes_after_all_that_was_ready(void **state)
{
    struct world *w = *state;
    struct actor last = {.w = w, .letter = '!', .then = then_stop};
    struct actor end = {.w = w, .letter = '.', .then = then_end_turn_with_other, .other = &last};
    struct actor deferred = {.w = w, .letter = 'd'};
    struct actor first = {.w = w, .letter = '1', .then = then_end_turn_with_other, .other = &end};
    struct actor second = {.w = w, .letter = '2', .then = then_defer_other, .other = &deferred};

    timer_make(&first);
    timer_make(&second);
    timer_set(&first, 0);
    timer_set(&second, 0);
    run(w);
    assert_string_equal(w->trace, "12d.!");
    timer_free(&first);
    timer_free(&second);
}

static void then_check_now(struct actor *a)
{
    uint64_t now = fed_loop_now_ms(a->w->loop);

    usleep(5000);
    assert_int_equal(fed_loop_now_ms(a->w->loop), now);
    then_stop(a);
}

static void time_stands_still_within_a_round(void **state)
{
    struct world *w = *state;
    struct actor a = {.w = w, .letter = 'a', .then = then_check_now};
    uint64_t before = fed_loop_now_ms(w->loop);

    defer(&a);
    run(w);
    assert_true(fed_loop_now_ms(w->loop) >= before + 5);
    assert_true(fed_loop_unix_s(w->loop) > 1700000000);
}

/* ---- signals ---- */

static void on_signal(void *ctx, int signal_number)
{
    struct world *w = ctx;

    note(w, signal_number == SIGUSR1 ? '1' : signal_number == SIGUSR2 ? '2' : '?');
    if (signal_number == SIGUSR2)
        w->loop->stop(w->loop->ctx);
}

static void then_raise(struct actor *a)
{
    (void)a;
    raise(SIGUSR1);
    raise(SIGUSR2);
}

static void signals_become_callbacks(void **state)
{
    struct world *w = *state;
    struct actor a = {.w = w, .letter = 'a', .then = then_raise};

    assert_int_equal(fed_linux_loop_on_signal(w->linux_loop, SIGUSR1, on_signal, w), FED_OK);
    assert_int_equal(fed_linux_loop_on_signal(w->linux_loop, SIGUSR2, on_signal, w), FED_OK);
    defer(&a);
    run(w);
    assert_string_equal(w->trace, "a12");
}

static void a_signal_without_handler_ends_the_run(void **state)
{
    struct world *w = *state;

    assert_int_equal(fed_linux_loop_on_signal(w->linux_loop, SIGTERM, NULL, NULL), FED_OK);
    raise(SIGTERM);
    run(w);
    assert_int_equal(fed_linux_loop_on_signal(w->linux_loop, SIGKILL, NULL, NULL), FED_ERR_INVALID);
    assert_int_equal(fed_linux_loop_on_signal(w->linux_loop, 0, NULL, NULL), FED_ERR_INVALID);
}

static void closing_gives_signals_back(void **state)
{
    struct world *w = *state;
    sigset_t blocked;

    assert_int_equal(fed_linux_loop_on_signal(w->linux_loop, SIGUSR1, on_signal, w), FED_OK);
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    assert_true(sigismember(&blocked, SIGUSR1));
    fed_linux_loop_close(w->linux_loop);
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGUSR1));
    assert_int_equal(fed_linux_loop_open(fed_alloc_system(), &w->linux_loop, NULL), FED_OK);
}

/* ---- refused memory ---- */

static void *refuse(void *ctx, void *at, size_t old_size, size_t size)
{
    unsigned *left = ctx;

    if (size > old_size) {
        if (*left == 0)
            return NULL;
        (*left)--;
    }
    return fed_alloc_system()->resize(NULL, at, old_size, size);
}

static void every_refused_allocation_is_reported(void **state)
{
    (void)state;
    for (unsigned allowed = 0; allowed < 5; allowed++) {
        unsigned left = allowed;
        struct fed_alloc mem = {.ctx = &left, .resize = refuse};
        struct fed_linux_loop *linux_loop = NULL;
        struct fed_timer *timer = NULL;
        struct fed_watch *watch = NULL;
        enum fed_err err = fed_linux_loop_open(&mem, &linux_loop, NULL);
        struct fed_loop *loop;

        if (err) {
            assert_int_equal(err, FED_ERR_NOMEM);
            assert_null(linux_loop);
            continue;
        }
        loop = fed_linux_loop_port(linux_loop);
        err = loop->timer_new(loop->ctx, act, NULL, &timer);
        if (!err)
            err = loop->watch_new(loop->ctx, 0, 0, act_ready, NULL, &watch);
        if (!err || err == FED_ERR_UNSUPPORTED || err == FED_ERR_INVALID)
            err = loop->defer(loop->ctx, act, NULL);
        assert_int_equal(err, FED_ERR_NOMEM);
        if (watch)
            loop->watch_free(loop->ctx, watch);
        loop->timer_free(loop->ctx, timer);
        fed_linux_loop_close(linux_loop);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(timers_run_in_order_of_time_then_of_setting),
        TEST(a_timer_moves_stops_and_fires_once),
        TEST(a_timer_may_free_itself_and_others_that_are_due),
        TEST(a_timer_set_to_the_past_does_not_starve_descriptors),
        TEST(many_timers_keep_their_order),
        TEST(a_ready_watch_may_free_itself_and_the_other_ready_one),
        TEST(a_changed_watch_is_not_called_for_what_it_no_longer_wants),
        TEST(the_other_end_closing_is_an_error_event),
        TEST(wrong_descriptors_are_refused),
        TEST(deferred_calls_come_after_the_callback_in_order),
        TEST(many_deferred_calls_keep_their_order),
        TEST(the_end_of_a_turn_comes_after_all_that_was_ready),
        TEST(time_stands_still_within_a_round),
        TEST(signals_become_callbacks),
        TEST(a_signal_without_handler_ends_the_run),
        TEST(closing_gives_signals_back),
        TEST(every_refused_allocation_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
