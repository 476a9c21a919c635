/* ports_coap_fetch_test.c - fetching a body over simulated paths, in simulated time: long ones,
 * lossy ones, narrow ones, and ones that carry no large datagrams. */
#include "ports/coap/fetch.h"
#include "tests/unit/proto_test.h"

#include <stdlib.h>

#define ON_THE_WAY_MAX 4096u
#define OVERHEAD 60u /* of a datagram: IP, UDP, DTLS, CoAP */
#define HOUR_MS 3600000u

/* Of a path; each datagram is lost with that chance, on the way there and on the way back. */
struct path {
    uint32_t delay_ms; /* one way */
    unsigned loss_percent;
    uint32_t rate;  /* bytes a second from the hub; 0: no limit */
    uint32_t queue; /* bytes that wait before it */
    uint32_t mtu;   /* 0: no limit */
};

struct answer {
    uint64_t due_ms;
    uint32_t num;
    unsigned szx;
};

struct world {
    struct path path;
    uint8_t *body;
    size_t size;
    struct fed_coap_fetch *fetch;
    uint64_t now_ms;
    uint64_t line_free_us;
    uint32_t random;
    uint32_t srtt_ms;
    uint32_t rttvar_ms;
    size_t asked;
    size_t sent_bytes; /* by the hub */
    size_t dropped;    /* before the narrow line */
    uint32_t window_max;
    size_t n;
    struct answer on_the_way[ON_THE_WAY_MAX];
};

static unsigned chance(struct world *w)
{
    w->random = w->random * 1664525u + 1013904223u;
    return (w->random >> 8) % 100;
}

static struct fed_span block(const struct world *w, uint32_t num, unsigned szx)
{
    return fed_span_sub(fed_span_of(w->body, w->size), (size_t)num << (szx + 4), (size_t)16 << szx);
}

static void start(struct world *w, const struct path *path, size_t size, unsigned szx)
{
    memset(w, 0, sizeof(*w));
    w->path = *path;
    w->size = size;
    w->random = 7;
    w->body = malloc(size);
    assert_non_null(w->body);
    for (size_t i = 0; i < size; i++)
        w->body[i] = (uint8_t)(i * 2654435761u >> 13);
    assert_int_equal(fed_coap_fetch_new(fed_alloc_system(), size, &w->fetch), FED_OK);
    fed_coap_fetch_begin(w->fetch, szx, 0);
    assert_true(fed_coap_fetch_put(w->fetch, 0, szx, block(w, 0, szx)));
}

static void stop(struct world *w)
{
    fed_coap_fetch_free(w->fetch);
    free(w->body);
}

static uint32_t rto_ms(const struct world *w)
{
    uint32_t ms = w->srtt_ms ? w->srtt_ms + 4 * w->rttvar_ms : 600;

    ms = ms < 300 ? 300 : ms;
    return ms > 8000 ? 8000 : ms;
}

static void measured(struct world *w, uint32_t rtt_ms)
{
    uint32_t off = rtt_ms > w->srtt_ms ? rtt_ms - w->srtt_ms : w->srtt_ms - rtt_ms;

    w->rttvar_ms = w->srtt_ms ? (w->rttvar_ms * 3 + off) / 4 : rtt_ms / 2;
    w->srtt_ms = w->srtt_ms ? (w->srtt_ms * 7 + rtt_ms) / 8 : rtt_ms;
}

/* The hub's answer goes through the narrow line. */
static void answer(struct world *w, const struct fed_coap_ask *ask)
{
    size_t len = block(w, ask->num, ask->szx).len + OVERHEAD;
    uint64_t at_us = (w->now_ms + w->path.delay_ms) * 1000;

    if (chance(w) < w->path.loss_percent || (w->path.mtu && len > w->path.mtu))
        return;
    if (w->path.rate) {
        uint64_t start_us = w->line_free_us > at_us ? w->line_free_us : at_us;

        if ((start_us - at_us) * w->path.rate / 1000000 > w->path.queue) {
            w->dropped++;
            return;
        }
        at_us = w->line_free_us = start_us + (uint64_t)len * 1000000 / w->path.rate;
    }
    w->sent_bytes += len;
    if (chance(w) < w->path.loss_percent)
        return;
    assert_true(w->n < ON_THE_WAY_MAX);
    w->on_the_way[w->n++] = (struct answer){
        .due_ms = at_us / 1000 + w->path.delay_ms, .num = ask->num, .szx = ask->szx};
}

static void ask_all(struct world *w)
{
    struct fed_coap_ask ask;

    while (fed_coap_fetch_next(w->fetch, w->now_ms, rto_ms(w), &ask)) {
        w->asked++;
        answer(w, &ask);
    }
    if (w->fetch->window.size > w->window_max)
        w->window_max = w->fetch->window.size;
}

static void arrive(struct world *w)
{
    for (size_t i = 0; i < w->n;) {
        struct answer a = w->on_the_way[i];
        uint32_t rtt_ms;

        if (a.due_ms > w->now_ms) {
            i++;
            continue;
        }
        memmove(&w->on_the_way[i], &w->on_the_way[i + 1], (--w->n - i) * sizeof(a));
        fed_coap_fetch_received(w->fetch, a.num, a.szx, block(w, a.num, a.szx), w->now_ms, &rtt_ms);
        if (rtt_ms)
            measured(w, rtt_ms);
        ask_all(w);
    }
}

static void step(struct world *w)
{
    arrive(w);
    ask_all(w);
    w->now_ms++;
}

/* Until it is complete, or so much is here; in milliseconds. */
static uint64_t run(struct world *w, uint32_t units)
{
    while (w->fetch->count < units && w->now_ms < HOUR_MS)
        step(w);
    if (units == w->fetch->units) {
        assert_true(fed_coap_fetch_complete(w->fetch));
        assert_memory_equal(w->fetch->body, w->body, w->size);
    }
    return w->now_ms;
}

static uint64_t fetch(struct world *w, const struct path *path, size_t size)
{
    start(w, path, size, FED_COAP_SZX_LARGE);
    return run(w, w->fetch->units);
}

#define MIB (1u << 20)

static void test_calm(void **state)
{
    struct world w;

    (void)state;
    assert_in_range(fetch(&w, &(struct path){.delay_ms = 1}, 100000), 1, 100);
    assert_int_equal(w.asked, (100000 + 1023) / 1024 - 1); /* none twice */
    stop(&w);
}

/* A window of ten takes 2.0 s for the first. */
static void test_long_path(void **state)
{
    struct world w;

    (void)state;
    assert_in_range(fetch(&w, &(struct path){.delay_ms = 100}, 100000), 1, 1300);
    stop(&w);
    assert_in_range(fetch(&w, &(struct path){.delay_ms = 300}, MIB), 1, 15000);
    assert_int_equal(w.window_max, FED_COAP_WINDOW_MAX);
    stop(&w);
}

static void test_loss(void **state)
{
    struct world w;

    (void)state;
    assert_in_range(fetch(&w, &(struct path){.delay_ms = 300, .loss_percent = 20}, MIB), 1, 40000);
    assert_true(w.sent_bytes < 3 * MIB / 2);
    stop(&w);
    assert_in_range(fetch(&w, &(struct path){.delay_ms = 300, .loss_percent = 40}, MIB), 1, 120000);
    stop(&w);
}

/* A line of 1 Mbit/s with a deep queue: used to nine tenths, and the queue stays short. */
static void test_narrow_line(void **state)
{
    struct path path = {.delay_ms = 50, .rate = 125000, .queue = 256 << 10};
    struct world w;

    (void)state;
    assert_in_range(fetch(&w, &path, MIB), 8300, 10500);
    assert_int_equal(w.dropped, 0);
    assert_in_range(w.fetch->window.recent_ms, 100, 350);
    stop(&w);
}

/* One that drops what is too much: it is used, and most of what is asked for arrives. */
static void test_policer(void **state)
{
    struct path path = {.delay_ms = 100, .rate = 60000, .queue = 3000};
    struct world w;

    (void)state;
    assert_in_range(fetch(&w, &path, MIB), 17000, 40000);
    assert_true(w.dropped < w.asked / 2);
    stop(&w);
}

/* 16 kbit/s: a window of ten would fill five seconds of queue. */
static void test_very_narrow_line(void **state)
{
    struct path path = {.delay_ms = 100, .rate = 2000, .queue = 64 << 10};
    struct world w;

    (void)state;
    assert_in_range(fetch(&w, &path, 50000), 25000, 40000);
    assert_true(w.asked < 75); /* of 48 */
    stop(&w);
}

/* Datagrams beyond 500 bytes vanish from the start, or from the middle on, or until the middle. */
static void test_small_datagrams(void **state)
{
    struct path path = {.delay_ms = 50, .mtu = 500};
    struct world w;

    (void)state;
    assert_in_range(fetch(&w, &path, 100000), 1, 6000);
    assert_int_equal(w.fetch->szx, FED_COAP_SZX_SMALL);
    stop(&w);

    path.mtu = 0;
    start(&w, &path, 400000, FED_COAP_SZX_LARGE);
    run(&w, w.fetch->units / 4);
    w.path.mtu = 500;
    assert_in_range(run(&w, w.fetch->units), 1, 20000);
    assert_int_equal(w.fetch->szx, FED_COAP_SZX_SMALL);
    stop(&w);

    path.mtu = 500;
    start(&w, &path, 400000, FED_COAP_SZX_SMALL);
    run(&w, w.fetch->units / 4);
    w.path.mtu = 0;
    run(&w, w.fetch->units);
    assert_int_equal(w.fetch->szx, FED_COAP_SZX_LARGE);
    stop(&w);
}

/* How long nothing comes when large datagrams vanish from that unit on. */
static uint64_t narrow_from(uint32_t unit, uint32_t delay_ms)
{
    struct path path = {.delay_ms = delay_ms, .rate = 500000, .queue = 200000};
    struct world w;
    uint64_t from_ms;

    start(&w, &path, 300000, FED_COAP_SZX_LARGE);
    from_ms = run(&w, unit);
    w.path.mtu = 500;
    w.n = 0;
    if (w.fetch->count < w.fetch->units)
        for (unit = w.fetch->count; w.fetch->count == unit && w.now_ms < from_ms + 30000;)
            step(&w);
    from_ms = w.now_ms - from_ms;
    stop(&w);
    return from_ms;
}

/* Also when few of many blocks under way were asked for after the last one came. */
static void test_narrow_at_any_time(void **state)
{
    uint64_t longest_ms = 0;

    (void)state;
    for (uint32_t unit = 8; unit < 1100; unit += 39) {
        for (uint32_t delay_ms = 5; delay_ms <= 80; delay_ms *= 4) {
            uint64_t took_ms = narrow_from(unit, delay_ms);

            longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
        }
    }
    print_message("small blocks after %llu ms at most\n", (unsigned long long)longest_ms);
    assert_in_range(longest_ms, 1, 18000); /* at 20 s the session ends */
}

static void test_loss_is_no_small_path(void **state)
{
    struct world w;

    (void)state;
    start(&w, &(struct path){.delay_ms = 100, .loss_percent = 40}, MIB, FED_COAP_SZX_LARGE);
    while (!fed_coap_fetch_complete(w.fetch)) {
        assert_true(run(&w, w.fetch->count + 1) < HOUR_MS);
        assert_int_equal(w.fetch->szx, FED_COAP_SZX_LARGE);
    }
    stop(&w);
}

static void test_wrong_blocks(void **state)
{
    struct world w;
    struct fed_coap_ask ask;
    uint32_t rtt_ms;
    struct fed_span good;

    (void)state;
    start(&w, &(struct path){0}, 5000, FED_COAP_SZX_LARGE);
    assert_true(fed_coap_fetch_next(w.fetch, 0, 300, &ask));
    assert_int_equal(ask.num, 1);
    good = block(&w, 1, 6);
    assert_false(
        fed_coap_fetch_received(w.fetch, 4, 6, block(&w, 4, 6), 1, &rtt_ms)); /* not asked */
    assert_false(fed_coap_fetch_received(w.fetch, 1, 7, good, 1, &rtt_ms));
    assert_false(fed_coap_fetch_received(w.fetch, 1, 0, good, 1, &rtt_ms));
    assert_false(fed_coap_fetch_received(w.fetch, 0xfffffff, 6, good, 1, &rtt_ms));
    assert_false(fed_coap_fetch_received(
        w.fetch, 1, 6, fed_span_sub(good, 0, 1000), 1, &rtt_ms)); /* too short */
    assert_true(fed_coap_fetch_received(w.fetch, 1, 6, good, 1, &rtt_ms));
    assert_false(fed_coap_fetch_received(w.fetch, 1, 6, good, 1, &rtt_ms)); /* again */
    stop(&w);
}

static void test_kept(void **state)
{
    struct world w;
    struct fed_buf kept;
    struct fed_span from;
    struct fed_coap_fetch *again;
    size_t before;
    size_t have;

    (void)state;
    start(&w, &(struct path){.delay_ms = 20, .loss_percent = 10}, 300001, FED_COAP_SZX_LARGE);
    run(&w, w.fetch->units / 2);
    fed_buf_init(&kept, fed_alloc_system(), MIB);
    fed_coap_fetch_put_to(w.fetch, &kept);
    have = (size_t)w.fetch->count * FED_COAP_UNIT; /* nothing but what came */
    assert_in_range(kept.len, have, have + 4 + (w.fetch->units + 7) / 8);
    from = fed_buf_span(&kept);
    assert_int_equal(
        fed_coap_fetch_take_from(fed_alloc_system(), &from, 300000, &again), FED_ERR_INVALID);
    from = fed_span_sub(fed_buf_span(&kept), 0, kept.len - 1);
    assert_int_equal(
        fed_coap_fetch_take_from(fed_alloc_system(), &from, MIB, &again), FED_ERR_INVALID);
    from = fed_buf_span(&kept);
    assert_int_equal(fed_coap_fetch_take_from(fed_alloc_system(), &from, MIB, &again), FED_OK);
    assert_int_equal(from.len, 0);
    assert_int_equal(again->count, w.fetch->count);
    fed_coap_fetch_free(w.fetch);
    w.fetch = again;
    fed_coap_fetch_begin(w.fetch, FED_COAP_SZX_LARGE, w.now_ms);
    before = w.sent_bytes;
    w.n = 0;
    run(&w, w.fetch->units);
    assert_true(w.sent_bytes - before < 300001 * 2 / 3);
    fed_buf_fini(&kept);
    stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_calm),
        cmocka_unit_test(test_long_path), cmocka_unit_test(test_loss),
        cmocka_unit_test(test_narrow_line), cmocka_unit_test(test_policer),
        cmocka_unit_test(test_very_narrow_line), cmocka_unit_test(test_small_datagrams),
        cmocka_unit_test(test_narrow_at_any_time), cmocka_unit_test(test_loss_is_no_small_path),
        cmocka_unit_test(test_wrong_blocks), cmocka_unit_test(test_kept)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
