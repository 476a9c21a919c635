/* proto_worker_test.c - what fedhub and its workers say: every message there and back, and what is
 * refused. */
#include "proto/worker/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct fed_buf put(const struct fed_worker_message *m)
{
    struct fed_buf out;

    fed_buf_init(&out, fed_alloc_system(), FED_WORKER_DOWN_MAX + 64);
    fed_worker_put(&out, m);
    assert_int_equal(fed_buf_err(&out), FED_OK);
    return out;
}

/* Written, read and written again it is the same; cut anywhere, or with a byte more, it is none; to
 * the other side it is none. */
static void there_and_back(const struct fed_worker_message *m, enum fed_worker_side side, bool both)
{
    struct fed_buf out = put(m);
    struct fed_span bytes = fed_buf_span(&out);
    struct fed_worker_message got;
    struct fed_buf again;
    size_t size;

    assert_int_equal(fed_worker_size(bytes, side, &size), FED_OK);
    assert_int_equal(size, bytes.len);
    assert_int_equal(fed_worker_take(bytes, side, &got), FED_OK);
    assert_int_equal(got.type, m->type);
    again = put(&got);
    assert_int_equal(again.len, out.len);
    assert_memory_equal(again.at, out.at, out.len);
    for (size_t len = 0; len < bytes.len; len++)
        assert_int_not_equal(fed_worker_take(fed_span_sub(bytes, 0, len), side, &got), FED_OK);
    if (!both)
        assert_int_equal(
            fed_worker_take(
                bytes, side == FED_WORKER_FEDHUB ? FED_WORKER_WORKER : FED_WORKER_FEDHUB, &got),
            FED_ERR_UNSUPPORTED);
    fed_buf_put_u8(&out, 0);
    assert_int_equal(fed_worker_take(fed_buf_span(&out), side, &got), FED_ERR_INVALID);
    out.at[3]++; /* the length says so, too */
    assert_int_equal(fed_worker_take(fed_buf_span(&out), side, &got), FED_ERR_INVALID);
    fed_buf_fini(&again);
    fed_buf_fini(&out);
}

static void test_to_fedhub(void **state)
{
    const struct fed_worker_message messages[] = {
        {.type = FED_WORKER_READY, .port = 5684},
        {.type = FED_WORKER_FAILED, .text = fed_span_text("no key")},
        {.type = FED_WORKER_OPENED,
            .opened = {.session = 1,
                .address = fed_span_text("192.0.2.1:5684"),
                .has_cert = true,
                .cert = {.common_name = fed_span_text("cluster1"),
                    .organizations = {fed_span_text("fedlet:agents"), fed_span_text("x")},
                    .n_organizations = 2,
                    .public_key = {{1, 2, 3}},
                    .fingerprint = {{4, 5, 6}},
                    .not_before_unix_s = -1,
                    .not_after_unix_s = 4000000000,
                    .is_ca = true},
                .kept = fed_span_text("kept"),
                .recall_id = fed_span_text("identifier"),
                .recall = fed_span_text("what it is known by"),
                .counts = {5, 6, 7, 8}}},
        {.type = FED_WORKER_OPENED,
            .opened = {.session = 2, .psk_identity = fed_span_text("abc123")}},
        {.type = FED_WORKER_OPENED,
            .opened = {.session = 3, .https_id = fed_span_text("0123456789abcdef")}},
        {.type = FED_WORKER_CLOSED, .closed = {.session = 3, .why = fed_span_text("idle")}},
        {.type = FED_WORKER_ALIVE, .session = UINT64_MAX},
        {.type = FED_WORKER_REQUEST,
            .request = {.session = 4,
                .exchange = 5,
                .method = 1,
                .observe = true,
                .again = true,
                .path = fed_span_text("b"),
                .query = fed_span_text("e=1&r=2"),
                .payload = fed_span_text("payload")}},
        {.type = FED_WORKER_NOTIFIED, .notified = {.session = 6, .tag = 7, .delivered = true}},
        {.type = FED_WORKER_COUNTED, .counted = {.session = 6, .counts = {1, 2, 3, 4}}},
        {.type = FED_WORKER_UNFIT, .notified = {.session = 6, .tag = 8}},
        {.type = FED_WORKER_KEY_WANTED, .key = {.identity = fed_span_text("abc123")}},
        {.type = FED_WORKER_RECALL_WANTED, .recall = {.id = fed_span_text("identifier")}},
        {.type = FED_WORKER_STATS, .stats = {1, 2, 3, 4, 5, 6}},
        {.type = FED_WORKER_STATS_HTTPS, .stats = {1, 0, 2, 3, 0, 5}},
        {.type = FED_WORKER_SAVED,
            .saved = {.session = 8, .steer = 255, .part = fed_span_text("part")}},
        {.type = FED_WORKER_DONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        there_and_back(&messages[i], FED_WORKER_FEDHUB, false);
}

static void test_to_a_worker(void **state)
{
    const struct fed_worker_message messages[] = {
        {.type = FED_WORKER_START,
            .start = {.index = 1,
                .count = 2,
                .log_level = 3,
                .sessions_max = 4,
                .handshakes_max = 5,
                .session_idle_ms = 6,
                .https_sessions_max = 7,
                .https_handshakes_max = 8,
                .chain_pem = fed_span_text("chain"),
                .cert_pem = fed_span_text("cert"),
                .key_pem = fed_span_text("key"),
                .client_ca_pem = fed_span_text("ca")}},
        {.type = FED_WORKER_ANSWER,
            .answer =
                {.exchange = 1, .code = 503, .max_age_s = 10, .body = fed_span_text("later")}},
        {.type = FED_WORKER_NOTIFY,
            .notify = {.session = 1, .tag = 2, .body = fed_span_text("frame")}},
        {.type = FED_WORKER_CLOSE, .session = 9},
        {.type = FED_WORKER_RECALL,
            .recall = {.id = fed_span_text("identifier"), .bytes = fed_span_text("known by")}},
        {.type = FED_WORKER_RECALL, .recall = {.id = fed_span_text("identifier")}},
        {.type = FED_WORKER_TOUCH, .session = 10},
        {.type = FED_WORKER_UNOBSERVE, .session = 11},
        {.type = FED_WORKER_KEY,
            .key = {.identity = fed_span_text("abc123"), .key = fed_span_text("secret")}},
        {.type = FED_WORKER_CERTIFICATE,
            .start = {.cert_pem = fed_span_text("cert"), .key_pem = fed_span_text("key")}},
        {.type = FED_WORKER_RESTORE,
            .saved = {.away_ms = 200,
                .steer = FED_WORKER_STEER_NONE,
                .kept = fed_span_text("kept"),
                .part = fed_span_text("part")}},
        {.type = FED_WORKER_GO},
        {.type = FED_WORKER_KNOCK, .text = fed_span_text("192.0.2.1:5684")},
        {.type = FED_WORKER_SAVE},
    };
    struct fed_worker_message quiet = {.type = FED_WORKER_QUIET};

    (void)state;
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        there_and_back(&messages[i], FED_WORKER_WORKER, false);
    there_and_back(&quiet, FED_WORKER_WORKER, true);
    there_and_back(&quiet, FED_WORKER_FEDHUB, true);
}

static void refused(const struct fed_worker_message *m, enum fed_worker_side side, enum fed_err err)
{
    struct fed_buf out = put(m);
    struct fed_worker_message got;

    assert_int_equal(fed_worker_take(fed_buf_span(&out), side, &got), err);
    fed_buf_fini(&out);
}

static void test_refusals(void **state)
{
    static uint8_t large[FED_WORKER_REQUEST_MAX + 1];
    struct fed_worker_message m = {.type = FED_WORKER_FAILED, .text = fed_span_of("a\0b", 3)};

    (void)state;
    refused(&m, FED_WORKER_FEDHUB, FED_ERR_INVALID); /* it will be a C string */
    m.text = fed_span_of(large, FED_WORKER_TEXT_MAX + 1);
    refused(&m, FED_WORKER_FEDHUB, FED_ERR_LIMIT);
    m = (struct fed_worker_message){
        .type = FED_WORKER_REQUEST, .request = {.payload = fed_span_of(large, sizeof large)}};
    refused(&m, FED_WORKER_FEDHUB, FED_ERR_LIMIT);
    m.request = (struct fed_worker_request){.method = 2};
    refused(&m, FED_WORKER_FEDHUB, FED_ERR_INVALID);
    m = (struct fed_worker_message){.type = FED_WORKER_START, .start = {.index = 1, .count = 1}};
    refused(&m, FED_WORKER_WORKER, FED_ERR_INVALID);
    m = (struct fed_worker_message){.type = FED_WORKER_SAVED, .saved = {.steer = 256}};
    refused(&m, FED_WORKER_FEDHUB, FED_ERR_INVALID);
    m = (struct fed_worker_message){.type = (enum fed_worker_type)99};
    refused(&m, FED_WORKER_FEDHUB, FED_ERR_UNSUPPORTED);
    refused(&m, FED_WORKER_WORKER, FED_ERR_UNSUPPORTED);
}

/* A length is judged before anything is read for it. */
static void test_sizes(void **state)
{
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff};
    static const uint8_t empty[] = {0, 0, 0, 0};
    size_t size = 7;

    (void)state;
    assert_int_equal(
        fed_worker_size(fed_span_of(huge, 4), FED_WORKER_FEDHUB, &size), FED_ERR_LIMIT);
    assert_int_equal(
        fed_worker_size(fed_span_of(huge, 4), FED_WORKER_WORKER, &size), FED_ERR_LIMIT);
    assert_int_equal(
        fed_worker_size(fed_span_of(empty, 4), FED_WORKER_WORKER, &size), FED_ERR_INVALID);
    assert_int_equal(size, 7);
    assert_int_equal(fed_worker_size(fed_span_of(huge, 3), FED_WORKER_WORKER, &size), FED_OK);
    assert_int_equal(size, 0);
}

/* What does not fit leaves nothing behind. */
static void test_no_room(void **state)
{
    struct fed_worker_message m = {
        .type = FED_WORKER_ANSWER, .answer = {.body = fed_span_text("0123456789")}};
    struct fed_buf out;

    (void)state;
    fed_buf_init(&out, fed_alloc_system(), 24);
    fed_worker_put(&out, &m);
    assert_int_equal(fed_buf_err(&out), FED_ERR_LIMIT);
    assert_int_equal(out.len, 0);
    fed_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_fedhub),
        cmocka_unit_test(test_to_a_worker),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
