/* ports_coap_server_test.c - the hub's message layer, byte by byte, over a transport that only
 * remembers. Time is the test's. */
#include "ports/coap/server.h"
#include "tests/unit/still_loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SENT_MAX 64u

static void pass_ms(uint64_t ms)
{
    uint64_t end_ms = now_ms + ms;

    while (timer.due_ms <= end_ms) {
        now_ms = timer.due_ms;
        timer.due_ms = UINT64_MAX;
        timer.call(timer.ctx);
    }
    now_ms = end_ms;
}

/* ---- a transport that remembers ---- */

struct sent {
    size_t len;
    uint8_t bytes[FED_COAP_MESSAGE_MAX];
};
static struct sent sent[SENT_MAX];
static size_t n_sent;
static unsigned transport_closed;

static enum fed_err fake_send(void *session, struct fed_span record)
{
    (void)session;
    assert_true(n_sent < SENT_MAX && record.len <= FED_COAP_MESSAGE_MAX);
    sent[n_sent].len = record.len;
    memcpy(sent[n_sent++].bytes, record.at, record.len);
    return FED_OK;
}

static void fake_close(void *session)
{
    (void)session;
    transport_closed++;
}

static const struct fed_coap_transport transport = {.send = fake_send, .close = fake_close};

/* ---- a hub ---- */

static struct fed_link_server server;
static struct fed_link_session *peer;
static unsigned requests;
static unsigned alive;
static unsigned delivered;
static unsigned undelivered;
static struct fed_link_exchange *open_exchange;
static struct fed_buf body;
static struct fed_buf received; /* the last request's payload */
static bool again;              /* it was one that was answered before */
static bool close_in_request;

static void on_alive(void *ctx, struct fed_link_session *session)
{
    (void)ctx;
    (void)session;
    alive++;
}

static void on_request(void *ctx, struct fed_link_session *session,
    struct fed_link_exchange *exchange, const struct fed_link_server_request *request)
{
    (void)ctx;
    requests++;
    if (close_in_request) {
        fed_link_session_close(session);
        open_exchange = exchange;
    } else if (fed_span_is(request->path, "late")) {
        open_exchange = exchange;
    } else {
        again = request->again;
        fed_buf_clear(&received);
        fed_buf_put(&received, request->payload);
        fed_link_answer(exchange,
            request->method == FED_LINK_GET ? FED_LINK_CONTENT : FED_LINK_CHANGED,
            request->method == FED_LINK_GET ? fed_buf_span(&body) : (struct fed_span){NULL, 0}, 0);
    }
}

static void on_notified(void *ctx, struct fed_link_session *session, uint64_t tag, bool good)
{
    (void)ctx;
    (void)session;
    (void)tag;
    if (good)
        delivered++;
    else
        undelivered++;
}

static uint64_t unfit_tag;

static void on_unfit(void *ctx, struct fed_link_session *session, uint64_t tag)
{
    (void)ctx;
    (void)session;
    unfit_tag = tag;
}

static int setup(void **state)
{
    struct fed_link_server_events events = {
        .alive = on_alive, .request = on_request, .notified = on_notified, .unfit = on_unfit};

    (void)state;
    now_ms = 1000;
    n_sent = requests = alive = delivered = undelivered = transport_closed = 0;
    open_exchange = NULL;
    unfit_tag = 0;
    close_in_request = false;
    fed_buf_init(&body, fed_alloc_system(), 1u << 20);
    fed_buf_put_text(&body, "body");
    fed_buf_init(&received, fed_alloc_system(), 1u << 20);
    assert_int_equal(
        fed_coap_server_init(&server, fed_alloc_system(), &loop, NULL, &events, &transport),
        FED_OK);
    peer = fed_coap_peer_new(&server, NULL);
    assert_non_null(peer);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fed_coap_server_fini(&server);
    fed_buf_fini(&body);
    fed_buf_fini(&received);
    return 0;
}

static void receive(const void *bytes, size_t len)
{
    fed_coap_peer_received(peer, fed_span_of(bytes, len));
}
#define RECEIVE(text) receive(text, sizeof(text) - 1)

static void expect_sent(size_t at, const void *bytes, size_t len)
{
    assert_true(at < n_sent);
    assert_int_equal(sent[at].len, len);
    assert_memory_equal(sent[at].bytes, bytes, len);
}
#define EXPECT(at, text) expect_sent(at, text, sizeof(text) - 1)

/* ---- message format ---- */

static void test_ping(void **state)
{
    (void)state;
    RECEIVE("\x40\x00\x12\x34");
    assert_int_equal(n_sent, 1);
    EXPECT(0, "\x70\x00\x12\x34");
    assert_int_equal(alive, 1);
}

static void test_malformed(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool reset;
    } cases[] = {
        {"", 0, false},
        {"\x40\x01\x12", 3, false},     /* too short */
        {"\x80\x01\x12\x34", 4, false}, /* version 2 */
        {"\x49\x01\x12\x34"
         "123456789",
            13, true}, /* token of nine bytes */
        {"\x42\x01\x12\x34"
         "1",
            5, true},                        /* token cut off */
        {"\x40\x00\x12\x34\x01", 5, true},   /* an empty message with something in it */
        {"\x40\x01\x12\x34\xff", 5, true},   /* a marker without payload */
        {"\x40\x01\x12\x34\xb5xx", 7, true}, /* an option cut off */
        {"\x40\x01\x12\x34\xf1x", 6, true},  /* reserved delta */
        {"\x40\x01\x12\x34\xbfx", 6, true},  /* reserved length */
        {"\x40\x20\x12\x34", 4, true},       /* reserved class 1 */
        {"\x40\xe1\x12\x34", 4, true},       /* reserved class 7 */
        {"\x40\x45\x12\x34", 4, true},       /* an answer that nobody asked for */
        {"\x50\x20\x12\x34", 4, false},      /* not confirmable: silence */
        {"\x60\x45\x12\x34", 4, false},
        {"\x70\x00\x12\x34", 4, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n_sent = 0;
        receive(cases[i].bytes, cases[i].len);
        assert_int_equal(n_sent, cases[i].reset ? 1 : 0);
        if (cases[i].reset)
            EXPECT(0, "\x70\x00\x12\x34");
    }
    assert_int_equal(requests, 0);
}

static void test_refusals(void **state)
{
    static const uint8_t block1[] = {0x40, 0x01, 0, 5, 0xb1, 's', 0xd1, 3, 0x08, 0xff, 'x'};

    (void)state;
    RECEIVE("\x41\x01\x00\x01T\xb1"
            "b\x61"
            "x"); /* option 17, critical, unknown here */
    EXPECT(0, "\x61\x82\x00\x01T");
    RECEIVE("\x41\x01\x00\x02T\xb3"
            "a/b"); /* a separator in a segment */
    EXPECT(1, "\x61\x80\x00\x02T");
    RECEIVE("\x41\x01\x00\x03T\xb1"
            "b\xc1\x07"); /* block size 7 is reserved */
    EXPECT(2, "\x61\x80\x00\x03T");
    RECEIVE("\x40\x03\x00\x04\xb1"
            "b"); /* PUT */
    EXPECT(3, "\x60\x85\x00\x04");
    receive(block1, sizeof(block1)); /* blocks of a GET: 4.13 with Size1 65536 */
    EXPECT(4, "\x60\x8d\x00\x05\xd1\x0e\x08\xd3\x14\x01\x00\x00");
    assert_int_equal(requests, 0);
    RECEIVE("\x41\x01\x00\x06T\xb1"
            "b\x71"
            "x"); /* option 18 is elective: ignored */
    EXPECT(5, "\x61\x45\x00\x06T\xff"
              "body");
    RECEIVE("\x51\x01\x00\x07T\xb1"
            "b"); /* not confirmable: answered likewise, with an id of ours */
    assert_int_equal(sent[6].bytes[0], 0x51);
    assert_int_equal(sent[6].bytes[1], 0x45);
}

/* ---- requests in blocks ---- */

/* One block of 16 bytes: POST /s with Block1 num/more/0. */
static void upload(uint16_t mid, unsigned num, bool more, size_t len)
{
    uint8_t bytes[64] = {0x40, 0x02, (uint8_t)(mid >> 8), (uint8_t)mid, 0xb1, 's', 0xd3, 3,
        (uint8_t)(num >> 12), (uint8_t)(num >> 4), (uint8_t)(num << 4 | (more ? 8u : 0u)), 0xff};

    memset(bytes + 12, (int)(num % 20) + 'a', len);
    receive(bytes, 12 + len);
}

static void test_upload(void **state)
{
    (void)state;
    upload(1, 0, true, 16);
    upload(1, 0, true, 16); /* repeated: confirmed again, and counted once */
    upload(2, 1, true, 16);
    assert_int_equal(requests, 0);
    upload(3, 2, false, 5);
    upload(3, 2, false, 5);
    assert_int_equal(requests, 1);
    assert_int_equal(received.len, 37);
    assert_memory_equal(received.at, "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccc", 37);
    assert_int_equal(n_sent, 5);
    EXPECT(0, "\x60\x5f\x00\x01\xd1\x0e\x08");
    EXPECT(1, "\x60\x5f\x00\x01\xd1\x0e\x08");
    EXPECT(2, "\x60\x5f\x00\x02\xd1\x0e\x18");
    EXPECT(3, "\x60\x44\x00\x03\xd1\x0e\x20");
    EXPECT(4, "\x60\x44\x00\x03\xd1\x0e\x20");
    assert_int_equal(server.uploads_size, 0);
}

static void test_upload_refusals(void **state)
{
    (void)state;
    upload(1, 1, true, 16); /* without a beginning: 4.08 */
    EXPECT(0, "\x60\x88\x00\x01\xd1\x0e\x18");
    upload(2, 0, true, 16);
    upload(3, 2, true, 16); /* with a hole, which ends it */
    EXPECT(2, "\x60\x88\x00\x03\xd1\x0e\x28");
    upload(4, 1, false, 5);
    EXPECT(3, "\x60\x88\x00\x04\xd1\x0e\x10");
    upload(5, 0, true, 15); /* not a whole block: 4.00 */
    EXPECT(4, "\x60\x80\x00\x05\xd1\x0e\x08");
    upload(6, 0, true, 16);
    pass_ms(FED_COAP_UPLOAD_MS); /* nobody went on */
    assert_int_equal(server.uploads_size, 0);
    upload(7, 1, false, 1);
    assert_int_equal(sent[6].bytes[1], 0x88);
    assert_int_equal(requests, 0);
}

static void test_upload_too_large(void **state)
{
    uint16_t mid = 0;

    (void)state;
    for (unsigned num = 0; num < FED_COAP_UPLOAD_MAX / 16; num++) {
        n_sent = 0;
        upload(++mid, num, true, 16);
        assert_int_equal(sent[0].bytes[1], 0x5f);
    }
    n_sent = 0;
    upload(++mid, FED_COAP_UPLOAD_MAX / 16, false, 1); /* 4.13 */
    assert_int_equal(sent[0].bytes[1], 0x8d);
    assert_int_equal(server.uploads_size, 0);
    assert_int_equal(requests, 0);
    server.uploads_size = FED_COAP_UPLOADS_MAX - 20; /* others have the room */
    upload(++mid, 0, true, 16);
    assert_int_equal(sent[1].bytes[1], 0x5f);
    upload(++mid, 1, true, 16); /* 5.03 */
    assert_int_equal(sent[2].bytes[1], 0xa3);
    assert_int_equal(server.uploads_size, FED_COAP_UPLOADS_MAX - 20);
}

/* ---- repetitions ---- */

static void test_repeated_post(void **state)
{
    (void)state;
    RECEIVE("\x41\x02\x00\x09T\xb1s\xffx");
    RECEIVE("\x41\x02\x00\x09T\xb1s\xffx");
    assert_int_equal(requests, 1);
    assert_int_equal(n_sent, 2);
    EXPECT(0, "\x61\x44\x00\x09T");
    EXPECT(1, "\x61\x44\x00\x09T");
    pass_ms(FED_COAP_EXCHANGE_LIFETIME_MS + 1); /* then the id may be used for something new */
    RECEIVE("\x41\x02\x00\x09T\xb1s\xffx");
    assert_int_equal(requests, 2);
}

static void test_late_answer(void **state)
{
    (void)state;
    RECEIVE("\x41\x01\x00\x09T\xb4late");
    RECEIVE("\x41\x01\x00\x09T\xb4late");
    assert_int_equal(n_sent, 0);
    pass_ms(1000);
    assert_int_equal(n_sent, 1);
    EXPECT(0, "\x60\x00\x00\x09");
    RECEIVE("\x41\x01\x00\x09T\xb4late");
    EXPECT(1, "\x60\x00\x00\x09");
    assert_int_equal(requests, 1);
    fed_link_answer(open_exchange, FED_LINK_CONTENT, FED_SPAN_LIT("at last"), 0);
    assert_int_equal(n_sent, 3);
    assert_int_equal(sent[2].bytes[0], 0x41); /* confirmable, with an id of ours */
    pass_ms(3000);
    assert_int_equal(n_sent, 4); /* once more */
    assert_memory_equal(sent[3].bytes, sent[2].bytes, sent[2].len);
    receive((uint8_t[]){0x60, 0, sent[2].bytes[2], sent[2].bytes[3]}, 4);
    pass_ms(100000);
    assert_int_equal(n_sent, 4);
    assert_int_equal(timer.due_ms, UINT64_MAX);
}

/* The answer goes by itself, and the acknowledgement was lost: the request has no other effect. */
static void test_late_answer_to_a_post(void **state)
{
    (void)state;
    RECEIVE("\x41\x02\x00\x09T\xb4late");
    pass_ms(1000);
    EXPECT(0, "\x60\x00\x00\x09");
    fed_link_answer(open_exchange, FED_LINK_CHANGED, (struct fed_span){NULL, 0}, 0);
    assert_int_equal(n_sent, 2);
    RECEIVE("\x41\x02\x00\x09T\xb4late");
    assert_int_equal(requests, 1);
    assert_int_equal(n_sent, 3);
    EXPECT(2, "\x60\x00\x00\x09");
}

static void test_too_many_open(void **state)
{
    struct fed_link_exchange *kept[FED_COAP_EXCHANGES_MAX];
    uint8_t request[] = {0x40, 0x01, 0, 0, 0xb4, 'l', 'a', 't', 'e'};

    (void)state;
    for (unsigned i = 0; i < FED_COAP_EXCHANGES_MAX; i++) {
        request[3] = (uint8_t)i;
        receive(request, sizeof(request));
        kept[i] = open_exchange;
    }
    request[3] = 200;
    receive(request, sizeof(request));
    EXPECT(0, "\x60\xa3\x00\xc8\xd1\x01\x01"); /* 5.03, Max-Age 1 */
    for (unsigned i = 0; i < FED_COAP_EXCHANGES_MAX; i++)
        fed_link_answer(kept[i], FED_LINK_UNAVAILABLE, (struct fed_span){NULL, 0}, 300);
    EXPECT(1, "\x60\xa3\x00\x00\xd2\x01\x01\x2c"); /* Max-Age 300 */
}

/* ---- observation ---- */

static void observe(void)
{
    RECEIVE("\x41\x01\x00\x01O\x60\x51"
            "b");
    assert_int_equal(sent[n_sent - 1].bytes[0], 0x61);
    n_sent = 0;
}

static void test_notification(void **state)
{
    (void)state;
    assert_int_equal(fed_link_notify(peer, FED_SPAN_LIT("1"), 1), FED_ERR_NOT_FOUND);
    observe();
    assert_int_equal(fed_link_notify(peer, FED_SPAN_LIT("1"), 1), FED_OK);
    assert_int_equal(n_sent, 1);
    assert_memory_equal(sent[0].bytes, "\x41\x45", 2);
    assert_memory_equal(sent[0].bytes + 4,
        "O\x61\x02\xff"
        "1",
        5);
    pass_ms(200000); /* 2 s x 1 to 1.5, doubled four times: five sends, then it is given up */
    assert_int_equal(n_sent, 5);
    assert_int_equal(undelivered, 1);
    assert_int_equal(fed_link_notify(peer, FED_SPAN_LIT("2"), 2), FED_ERR_NOT_FOUND);
}

/* The request to observe comes once more: its peer may have the answer and what followed. */
static void test_observation_asked_twice(void **state)
{
    (void)state;
    RECEIVE("\x41\x01\x00\x01O\x60\x51"
            "b");
    assert_false(again);
    assert_int_equal(fed_link_notify(peer, FED_SPAN_LIT("1"), 1), FED_OK);
    n_sent = 0;
    RECEIVE("\x41\x01\x00\x01O\x60\x51"
            "b");
    assert_true(again);
    assert_int_equal(n_sent, 1);
    assert_memory_equal(sent[0].bytes, "\x61\x45\x00\x01O\x61\x02\xff", 8); /* observes still */
    pass_ms(3000);
    assert_int_equal(n_sent, 2); /* the notification is repeated */
    receive((uint8_t[]){0x60, 0, sent[1].bytes[2], sent[1].bytes[3]}, 4);
    assert_int_equal(delivered, 1);
    /* A request with another id is another one. */
    RECEIVE("\x41\x01\x00\x02O\x60\x51"
            "b");
    assert_false(again);
    /* So is one with an id that was used long ago. */
    pass_ms(FED_COAP_EXCHANGE_LIFETIME_MS + 1);
    RECEIVE("\x41\x01\x00\x02O\x60\x51"
            "b");
    assert_false(again);
}

/* The blocks of a large answer that is being fetched stay those of the first answer. */
static void test_large_answer_asked_twice(void **state)
{
    uint8_t etag[FED_COAP_ETAG_SIZE];

    (void)state;
    fed_buf_clear(&body);
    for (unsigned i = 0; i < 3000; i++)
        fed_buf_put_u8(&body, (uint8_t)i);
    RECEIVE("\x41\x01\x00\x01O\x60\x51"
            "b");
    memcpy(etag, sent[0].bytes + 6, sizeof(etag));
    fed_buf_put_u8(&body, 1); /* another one by now */
    RECEIVE("\x41\x01\x00\x01O\x60\x51"
            "b");
    assert_int_equal(requests, 1);
    assert_int_equal(n_sent, 2);
    assert_int_equal(sent[1].len, sent[0].len);
    assert_memory_equal(sent[1].bytes, sent[0].bytes, sent[0].len);
    RECEIVE("\x41\x01\x00\x02P\xb1"
            "b\xc1\x16"); /* block 1 */
    assert_memory_equal(sent[2].bytes + 6, etag, sizeof(etag));
}

/* What went to the peer's old address is repeated at the new one: a ping first, until that is
 * proven. */
static void test_notification_moved(void **state)
{
    (void)state;
    observe();
    fed_coap_outgoing_moved(peer, false);
    fed_coap_outgoing_moved(peer, true);
    assert_int_equal(n_sent, 0); /* nothing is under way */
    assert_int_equal(fed_link_notify(peer, FED_SPAN_LIT("1"), 1), FED_OK);
    fed_coap_outgoing_moved(peer, false);
    assert_int_equal(n_sent, 2);
    assert_int_equal(sent[1].len, 4);
    assert_memory_equal(sent[1].bytes, "\x40\0", 2);
    assert_memory_not_equal(sent[1].bytes + 2, sent[0].bytes + 2, 2);
    receive((uint8_t[]){0x70, 0, sent[1].bytes[2], sent[1].bytes[3]}, 4); /* its answer */
    assert_int_equal(undelivered, 0);
    fed_coap_outgoing_moved(peer, true);
    assert_int_equal(n_sent, 3);
    assert_int_equal(sent[2].len, sent[0].len);
    assert_memory_equal(sent[2].bytes, sent[0].bytes, sent[0].len);
    receive((uint8_t[]){0x60, 0, sent[0].bytes[2], sent[0].bytes[3]}, 4);
    fed_coap_outgoing_moved(peer, true);
    assert_int_equal(n_sent, 3);
}

/* Whoever is heard again gets what it missed: with the second try or later, and no oftener than the
 * first gap. It is given up as if nothing had been heard. */
static void test_notification_heard(void **state)
{
    unsigned before;

    (void)state;
    observe();
    assert_int_equal(fed_link_notify(peer, FED_SPAN_LIT("1"), 1), FED_OK);
    RECEIVE("\x40\x00\x00\x10");
    assert_int_equal(n_sent, 2); /* itself, and the reset */
    pass_ms(23000);              /* four sends, and the fifth comes after 30 s at the earliest */
    before = n_sent;
    assert_int_equal(before, 5);
    RECEIVE("\x40\x00\x00\x11");
    assert_int_equal(n_sent, before + 2);
    assert_int_equal(sent[before].bytes[0], 0x70);
    assert_int_equal(sent[before + 1].len, sent[0].len);
    assert_memory_equal(sent[before + 1].bytes, sent[0].bytes, sent[0].len);
    RECEIVE("\x40\x00\x00\x12");
    assert_int_equal(n_sent, before + 3); /* a reset */
    pass_ms(180000);
    assert_int_equal(n_sent, before + 4); /* the fifth */
    assert_int_equal(undelivered, 1);
    RECEIVE("\x40\x00\x00\x13");
    assert_int_equal(n_sent, before + 5); /* a reset */
}

/* Larger than 256 bytes and not acknowledged twice: the path may not carry it. A small one is sent
 * as often as any, and the observation stands. */
static void test_notification_unfit(void **state)
{
    uint8_t large[600] = {1};

    (void)state;
    observe();
    assert_int_equal(fed_link_notify(peer, fed_span_of(large, sizeof(large)), 5), FED_OK);
    pass_ms(12000);
    assert_int_equal(n_sent, 2);
    assert_int_equal(unfit_tag, 5);
    assert_int_equal(undelivered, 0);
    assert_int_equal(timer.due_ms, UINT64_MAX);
    assert_int_equal(fed_link_notify(peer, FED_SPAN_LIT("1"), 6), FED_OK);
    pass_ms(200000);
    assert_int_equal(n_sent, 2 + 5);
    assert_int_equal(undelivered, 1);
    assert_int_equal(unfit_tag, 5);
}

/* Who asks for small blocks takes no larger notification. */
static void test_notification_of_small_blocks(void **state)
{
    uint8_t large[257] = {1};

    (void)state;
    RECEIVE("\x41\x01\x00\x01O\x60\x51"
            "b\xc1\x04");
    assert_int_equal(fed_link_notify(peer, fed_span_of(large, 257), 1), FED_ERR_LIMIT);
    assert_int_equal(fed_link_notify(peer, fed_span_of(large, 256), 1), FED_OK);
}

static void test_notification_reset(void **state)
{
    (void)state;
    observe();
    assert_int_equal(fed_link_notify(peer, FED_SPAN_LIT("1"), 1), FED_OK);
    assert_int_equal(fed_link_notify(peer, FED_SPAN_LIT("2"), 2), FED_OK);
    receive((uint8_t[]){0x70, 0, sent[0].bytes[2], sent[0].bytes[3]}, 4);
    assert_int_equal(undelivered, 1);
    assert_int_equal(n_sent, 1);
    assert_int_equal(fed_link_notify(peer, FED_SPAN_LIT("3"), 3), FED_ERR_NOT_FOUND);
    assert_int_equal(timer.due_ms, UINT64_MAX);
}

static void test_notification_of_old_observation(void **state)
{
    (void)state;
    observe();
    assert_int_equal(fed_link_notify(peer, FED_SPAN_LIT("1"), 1), FED_OK);
    RECEIVE("\x41\x01\x00\x02P\x60\x51"
            "b"); /* observes again, by another token */
    receive((uint8_t[]){0x70, 0, sent[0].bytes[2], sent[0].bytes[3]},
        4); /* does not know the old one */
    assert_int_equal(undelivered, 0);
    n_sent = 0;
    assert_int_equal(fed_link_notify(peer, FED_SPAN_LIT("2"), 2), FED_OK);
    assert_int_equal(sent[0].bytes[4], 'P');
    RECEIVE("\x41\x01\x00\x03P\x61\x01\x51"
            "b"); /* Observe 1: no more */
    assert_int_equal(fed_link_notify(peer, FED_SPAN_LIT("3"), 3), FED_ERR_NOT_FOUND);
}

/* ---- blocks ---- */

static void test_blocks(void **state)
{
    (void)state;
    fed_buf_clear(&body);
    for (unsigned i = 0; i < 2500; i++)
        fed_buf_put_u8(&body, (uint8_t)(i / 10));
    RECEIVE("\x40\x01\x00\x01\xb1"
            "b");
    assert_int_equal(requests, 1);
    fed_buf_put_u8(&body, 7); /* the resource changes; the blocks do not */
    RECEIVE("\x50\x01\x00\x02\xb1"
            "b\xc1\x26");
    assert_int_equal(requests, 1);
    assert_int_equal(sent[1].len, 4 + 5 + 3 + 1 + 452);
    assert_memory_equal(sent[1].bytes + 4, sent[0].bytes + 4, 5); /* ETag */
    assert_memory_equal(sent[1].bytes + 9, "\xd1\x06\x26\xff", 4);
    assert_memory_equal(sent[1].bytes + 13, body.at + 2048, 452);
    RECEIVE("\x40\x01\x00\x03\xb1"
            "b\xc1\x36"); /* beyond the end */
    EXPECT(2, "\x60\x80\x00\x03");
    pass_ms(FED_COAP_BODY_MS + 1); /* forgotten: the resource is asked again */
    RECEIVE("\x40\x01\x00\x04\xb1"
            "b\xc1\x16");
    assert_int_equal(requests, 2);
    assert_memory_not_equal(sent[3].bytes + 4, sent[0].bytes + 4, 9);
    RECEIVE("\x40\x02\x00\x05\xb1s\xc1\x16"); /* but never a POST */
    EXPECT(4, "\x60\x88\x00\x05");
    assert_int_equal(requests, 2);
}

/* Blocks of the size that is asked for, of one body, also mixed. */
static void test_small_blocks(void **state)
{
    (void)state;
    fed_buf_clear(&body);
    for (unsigned i = 0; i < 2500; i++)
        fed_buf_put_u8(&body, (uint8_t)(i / 10));
    RECEIVE("\x40\x01\x00\x01\xb1"
            "b\xc1\x04"); /* Block2 0/0/4 */
    assert_int_equal(sent[0].len, 4 + 5 + 2 + 4 + 1 + 256);
    assert_memory_equal(sent[0].bytes + 9, "\xd1\x06\x0c\x52\x09\xc4\xff", 7); /* 0/1/4, Size2 */
    RECEIVE("\x50\x01\x00\x02\xb1"
            "b\xc1\x94"); /* the last, 9 */
    assert_int_equal(sent[1].len, 4 + 5 + 3 + 1 + 2500 - 9 * 256);
    RECEIVE("\x50\x01\x00\x03\xb1"
            "b\xc1\x16"); /* 1/0/6 */
    assert_memory_equal(sent[2].bytes + 13, body.at + 1024, 1024);
    assert_int_equal(requests, 1);
}

static void test_close_inside(void **state)
{
    (void)state;
    close_in_request = true;
    RECEIVE("\x40\x01\x00\x01\xb1"
            "b");
    assert_int_equal(transport_closed, 1);
    assert_null(server.sessions);
    fed_link_answer(open_exchange, FED_LINK_CONTENT, FED_SPAN_LIT("x"), 0);
    assert_int_equal(n_sent, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ping),
        TEST(test_malformed),
        TEST(test_refusals),
        TEST(test_upload),
        TEST(test_upload_refusals),
        TEST(test_upload_too_large),
        TEST(test_repeated_post),
        TEST(test_late_answer),
        TEST(test_late_answer_to_a_post),
        TEST(test_too_many_open),
        TEST(test_notification),
        TEST(test_observation_asked_twice),
        TEST(test_large_answer_asked_twice),
        TEST(test_notification_unfit),
        TEST(test_notification_moved),
        TEST(test_notification_heard),
        TEST(test_notification_of_small_blocks),
        TEST(test_notification_reset),
        TEST(test_notification_of_old_observation),
        TEST(test_blocks),
        TEST(test_small_blocks),
        TEST(test_close_inside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
