/* ports_http_session_test.c - the server's protocol engines, fed with bytes and without any socket:
 * what a hostile or broken peer can send. */
#include "ports/http/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <nghttp2/nghttp2.h>

struct bench {
    struct fed_loop loop;
    uint64_t now_ms;
    struct fed_http_engine engine;
    struct fed_http_session *session;
    struct fed_http_exchange *held; /* of /hold */
    unsigned n_handled;
    unsigned n_closed;
    char last_path[64];
    size_t last_body;
};

static uint64_t now_of(void *ctx)
{
    return ((struct bench *)ctx)->now_ms;
}

static int64_t unix_of(void *ctx)
{
    (void)ctx;
    return INT64_C(1766343813) * 1000000;
}

static void no_wake(void *ctx)
{
    (void)ctx;
}

static void on_request(
    void *ctx, struct fed_http_exchange *x, const struct fed_http_request *request)
{
    struct bench *b = ctx;

    b->n_handled++;
    b->last_body = request->body.len;
    assert_int_equal(fed_span_to_cstr(request->path, b->last_path, sizeof(b->last_path)), FED_OK);
    if (fed_span_is(request->path, "/hold"))
        b->held = x;
    else
        fed_http_respond(x, 200, NULL, 0, request->path);
}

static void on_closed(void *ctx, struct fed_http_exchange *x)
{
    struct bench *b = ctx;

    b->n_closed++;
    if (b->held == x)
        b->held = NULL;
}

static void open_bench(struct bench *b, bool http2)
{
    struct fed_http_session_options options = {
        .engine = &b->engine, .http2 = http2, .address = FED_SPAN_LIT("test"), .wake = no_wake};

    *b = (struct bench){.now_ms = 1000000};
    b->loop = (struct fed_loop){.ctx = b, .now_ms = now_of, .unix_us = unix_of};
    b->engine = (struct fed_http_engine){.mem = fed_alloc_system(),
        .loop = &b->loop,
        .handler = on_request,
        .closed = on_closed,
        .ctx = b,
        .body_max = 1000,
        .header_max = 4000,
        .queue_max = 100000,
        .streams_max = 50,
        .idle_timeout_ms = 120000,
        .header_timeout_ms = 10000};
    assert_int_equal(fed_http_session_new(&options, &b->session), FED_OK);
}

static void close_bench(struct bench *b)
{
    fed_http_session_free(b->session);
}

static void feed(struct bench *b, const void *at, size_t len)
{
    fed_http_session_feed(b->session, fed_span_of(at, len));
    fed_http_session_pull(b->session);
}

static void feed_text(struct bench *b, const char *text)
{
    feed(b, text, strlen(text));
}

/* What was answered so far, as text. */
static const char *answered(struct bench *b)
{
    struct fed_http_queue *out = &b->session->out;
    const char *text = fed_buf_cstr(&out->buf);

    return fed_http_queue_len(out) ? text + out->at : "";
}

static bool contains(struct bench *b, const char *text)
{
    return strstr(answered(b), text) != NULL;
}

static unsigned count(const char *in, const char *what)
{
    unsigned n = 0;

    for (const char *at = strstr(in, what); at; at = strstr(at + 1, what))
        n++;
    return n;
}

/* ---- HTTP/1.1 ---- */
static void h1_refuses(void **state)
{
    static const struct {
        const char *request;
        const char *status;
    } cases[] = {
        {"nonsense\r\n\r\n", " 400 "},
        {"GET / HTTP/1.1\r\n\r\n", " 400 "}, /* no host */
        {"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", " 400 "},
        {"GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n folded\r\n\r\n", " 400 "},
        {"GET / HTTP/1.1\nhost: a\n\n", " 400 "},
        {"GET / HTTP/1.1\r\nhost : a\r\n\r\n", " 400 "},
        {"GET / HTTP/2.0\r\nhost: a\r\n\r\n", " 505 "},
        {"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
            " 400 "},
        {"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n",
            " 400 "},
        {"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc",
            " 400 "},
        {"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", " 400 "},
        {"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", " 400 "},
        {"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", " 400 "},
        {"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n", " 400 "},
        {"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1001\r\n\r\n", " 413 "},
        {"POST / HTTP/1.1\r\nhost: a\r\nexpect: tea\r\ncontent-length: 1\r\n\r\n", " 417 "},
        {"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", " 501 "},
        {"GET foo HTTP/1.1\r\nhost: a\r\n\r\n", " 400 "},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", " 400 "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench b;

        open_bench(&b, false);
        feed_text(&b, cases[i].request);
        if (!contains(&b, cases[i].status))
            fail_msg("case %zu: %s", i, answered(&b));
        assert_int_equal(b.n_handled, 0);
        assert_true(b.session->closing);
        assert_int_equal(b.session->n_exchanges, 0);
        close_bench(&b);
    }
}

static void h1_pipelines(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, false);
    feed_text(&b, "GET /hold HTTP/1.1\r\nhost: a\r\n\r\n"
                  "POST /two HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
                  "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\ntrailer: t\r\n\r\n"
                  "GET http://a/three?q HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\nGET /four");
    assert_int_equal(b.n_handled, 1);
    fed_http_respond(b.held, 200, NULL, 0, FED_SPAN_LIT("first"));
    fed_http_session_pull(b.session);
    assert_int_equal(b.n_handled, 3);
    assert_int_equal(count(answered(&b), "HTTP/1.1 200 OK"), 3);
    assert_true(strstr(answered(&b), "first") < strstr(answered(&b), "/two"));
    assert_string_equal(b.last_path, "/three");
    assert_true(contains(&b, "date: Sun, 21 Dec 2025 19:03:33 GMT"));
    assert_true(b.session->closing);
    close_bench(&b);
}

/* Each request byte by byte gives what it gives at once. */
static void h1_bytewise(void **state)
{
    static const char text[] =
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-Empty:\r\n\r\nhello"
        "GET /y HTTP/1.1\r\nhost: a\r\n\r\n";
    struct bench b;

    (void)state;
    open_bench(&b, false);
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        feed(&b, text + i, 1);
    assert_int_equal(b.n_handled, 2);
    assert_int_equal(count(answered(&b), "content-length: 2"), 2);
    assert_false(b.session->closing);
    close_bench(&b);
}

static void h1_continue(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, false);
    feed_text(
        &b, "PUT /x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    assert_string_equal(answered(&b), "HTTP/1.1 100 Continue\r\n\r\n");
    feed_text(&b, "ok");
    assert_int_equal(b.last_body, 2);
    assert_true(contains(&b, "200 OK"));
    close_bench(&b);
}

static void h1_limits(void **state)
{
    struct bench b;
    char many[6000];

    (void)state;
    open_bench(&b, false);
    feed_text(&b, "GET / HTTP/1.1\r\nhost: a\r\n");
    for (int i = 0; i < 200 && !b.session->closing; i++)
        feed_text(&b, "a: b\r\n");
    assert_true(contains(&b, " 431 "));
    close_bench(&b);

    open_bench(&b, false);
    memset(many, 'a', sizeof(many));
    feed_text(&b, "GET /");
    feed(&b, many, sizeof(many));
    assert_true(contains(&b, " 414 "));
    close_bench(&b);

    open_bench(&b, false);
    feed_text(&b, "PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1388\r\n");
    feed(&b, many, 5000);
    assert_true(contains(&b, " 413 "));
    close_bench(&b);

    /* Requests without end behind one that is not answered. */
    open_bench(&b, false);
    feed_text(&b, "GET /hold HTTP/1.1\r\nhost: a\r\n\r\n");
    for (int i = 0; i < 100 && !b.session->full; i++)
        feed(&b, many, sizeof(many));
    assert_true(b.session->full);
    close_bench(&b);
    assert_int_equal(b.n_closed, 1);
}

static void h1_times(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, false);
    assert_int_equal(fed_http_session_tick(b.session, b.now_ms), b.now_ms + 120000);
    feed_text(&b, "GET / HTTP/1.1\r\n");
    assert_int_equal(fed_http_session_tick(b.session, b.now_ms), b.now_ms + 10000);
    b.now_ms += 10000;
    (void)fed_http_session_tick(b.session, b.now_ms);
    assert_true(b.session->closing);
    close_bench(&b);

    open_bench(&b, false);
    b.engine.first_request_ms = 40000;
    assert_int_equal(fed_http_session_tick(b.session, b.now_ms), b.now_ms + 40000);
    feed_text(&b, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    fed_http_session_pull(b.session);
    assert_int_equal(fed_http_session_tick(b.session, b.now_ms), b.now_ms + 120000);
    close_bench(&b);

    open_bench(&b, false);
    feed_text(&b, "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc");
    assert_int_equal(fed_http_session_tick(b.session, b.now_ms), b.now_ms + FED_HTTP_STALL_MS);
    b.now_ms += FED_HTTP_STALL_MS;
    (void)fed_http_session_tick(b.session, b.now_ms);
    assert_true(b.session->closing);
    close_bench(&b);

    open_bench(&b, false);
    feed_text(&b, "GET /hold HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_true(fed_http_session_tick(b.session, b.now_ms) == FED_HTTP_NEVER);
    close_bench(&b);
}

static const char *refusal(void *ctx, unsigned status, const char *why, struct fed_buf *body)
{
    (void)ctx;
    fed_buf_printf(body, "{\"code\":%u,\"message\":\"%s\"}", status, why);
    return "application/json";
}

static void h1_says_why(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, false);
    b.engine.refusal = refusal;
    feed_text(&b, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1001\r\n\r\n");
    assert_true(contains(&b, "HTTP/1.1 413 Content Too Large\r\ncontent-type: application/json\r\n"
                             "content-length: 59\r\nconnection: close\r\n"));
    assert_true(
        contains(&b, "\r\n\r\n{\"code\":413,\"message\":\"the body is longer than 1000 bytes\"}"));
    close_bench(&b);
}

/* A body that drips is over its time though it never stands still. */
static void h1_pace(void **state)
{
    struct bench b;
    unsigned n = 0;

    (void)state;
    open_bench(&b, false);
    b.engine.body_max = 1000000;
    feed_text(&b, "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n");
    for (; n < 1000 && !b.session->closing; n++) {
        feed_text(&b, "x");
        b.now_ms += 1000;
        (void)fed_http_session_tick(b.session, b.now_ms);
    }
    assert_int_equal(n, 61); /* a minute, and what 60 bytes are worth */
    close_bench(&b);

    /* Twice as fast as it must be: for as long as it takes. */
    open_bench(&b, false);
    b.engine.body_max = 10000000;
    feed_text(&b, "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 10000000\r\n\r\n");
    for (n = 0; n < 300; n++) {
        static const uint8_t piece[2 * FED_HTTP_PACE];

        feed(&b, piece, sizeof(piece));
        b.now_ms += 1000;
        (void)fed_http_session_tick(b.session, b.now_ms);
    }
    assert_false(b.session->closing);
    close_bench(&b);
}

/* What one client may have the server hold of its requests, over all its connections. */
static void requests_of_one_client(void **state)
{
    struct fed_http_shares shares = {.mem = fed_alloc_system(), .asked_max = 1500};
    struct fed_http_session_options options = {.address = FED_SPAN_LIT("test"), .wake = no_wake};
    struct fed_http_session *second;
    char body[701];
    struct bench b;

    (void)state;
    memset(body, 'x', 700);
    body[700] = 0;
    open_bench(&b, false);
    close_bench(&b);
    fed_map_init(&shares.by_name, shares.mem);
    options.engine = &b.engine;
    options.share = fed_http_share_take(&shares, "client");
    assert_non_null(options.share);
    assert_int_equal(fed_http_session_new(&options, &b.session), FED_OK);
    assert_int_equal(fed_http_session_new(&options, &second), FED_OK);
    for (int i = 0; i < 2; i++) {
        struct fed_http_session *first = b.session;

        feed_text(&b, "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 701\r\n\r\n");
        feed_text(&b, body);
        assert_int_equal(contains(&b, " 503 "), i == 1);
        assert_int_equal(contains(&b, "retry-after: 1"), i == 1);
        b.session = second;
        second = first;
    }
    assert_true(shares.asked > 700 && shares.asked < 1000);
    close_bench(&b);
    fed_http_session_free(second);
    assert_int_equal(shares.asked, 0);
    fed_http_share_drop(options.share);
    fed_map_fini(&shares.by_name);
}

/* ---- HTTP/2 ---- */
static void put_frame(
    struct fed_buf *to, uint8_t type, uint8_t flags, uint32_t stream, struct fed_span payload)
{
    fed_buf_put_u8(to, (uint8_t)(payload.len >> 16));
    fed_buf_put_u16(to, (uint16_t)payload.len);
    fed_buf_put_u8(to, type);
    fed_buf_put_u8(to, flags);
    fed_buf_put_u32(to, stream);
    fed_buf_put(to, payload);
}

/* :method GET, :scheme https, :path /, :authority a (RFC 7541 appendix A) */
#define GET_ROOT                                                                                   \
    "\x82\x87\x84\x41\x01"                                                                         \
    "a"

static void feed_frame(
    struct bench *b, uint8_t type, uint8_t flags, uint32_t stream, struct fed_span payload)
{
    struct fed_buf frame;

    fed_buf_init(&frame, fed_alloc_system(), 1 << 20);
    put_frame(&frame, type, flags, stream, payload);
    feed(b, frame.at, frame.len);
    fed_buf_fini(&frame);
}

static void open_h2(struct bench *b)
{
    open_bench(b, true);
    feed_text(b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    feed_frame(b, NGHTTP2_SETTINGS, 0, 0, fed_span_of(NULL, 0));
}

/* Drops what was answered. */
static void swallow(struct bench *b)
{
    fed_http_queue_fini(&b->session->out);
}

static bool answered_frame(struct bench *b, uint8_t type, uint32_t stream, uint32_t *last_u32)
{
    struct fed_span out = fed_http_queue_span(&b->session->out);

    while (out.len >= 9) {
        size_t len = ((size_t)out.at[0] << 16) | ((size_t)out.at[1] << 8) | out.at[2];
        struct fed_span tail = fed_span_sub(out, 9, len);
        uint32_t id = ((uint32_t)out.at[5] << 24) | ((uint32_t)out.at[6] << 16) |
                      ((uint32_t)out.at[7] << 8) | out.at[8];

        if (out.at[3] == type && id == stream) {
            if (last_u32 && type == NGHTTP2_GOAWAY)
                tail = fed_span_sub(tail, 4, 4);
            if (last_u32)
                assert_int_equal(fed_span_take_u32(&tail, last_u32), FED_OK);
            return true;
        }
        out = fed_span_sub(out, 9 + len, SIZE_MAX);
    }
    return false;
}

static void h2_answers(void **state)
{
    struct bench b;
    uint32_t code = 99;

    (void)state;
    open_h2(&b);
    feed_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
        FED_SPAN_LIT(GET_ROOT));
    assert_int_equal(b.n_handled, 1);
    assert_string_equal(b.last_path, "/");
    assert_true(answered_frame(&b, NGHTTP2_DATA, 1, NULL));
    assert_int_equal(b.session->n_exchanges, 0);
    /* A body over the limit: answered, then reset. */
    feed_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 3,
        FED_SPAN_LIT("\x83\x87\x84\x41\x01"
                     "a"));
    feed_frame(&b, NGHTTP2_DATA, 0, 3, fed_span_of((const uint8_t[1001]){0}, 1001));
    assert_true(answered_frame(&b, NGHTTP2_HEADERS, 3, NULL));
    assert_true(answered_frame(&b, NGHTTP2_RST_STREAM, 3, &code));
    assert_int_equal(code, NGHTTP2_NO_ERROR);
    assert_int_equal(b.n_handled, 1);
    assert_int_equal(b.session->n_exchanges, 0);
    assert_false(b.session->closing);
    close_bench(&b);
}

/* With turns the handler sees one request at a time, the oldest first; what the client does not
 * read keeps its next requests waiting, and cuts its streams when it is too much. */
static void h2_turns(void **state)
{
    struct fed_http_shares shares = {.mem = fed_alloc_system(), .answered_max = 100000};
    struct fed_http_session_options options = {
        .http2 = true, .address = FED_SPAN_LIT("test"), .wake = no_wake};
    static const uint8_t much[60000];
    struct bench b;

    (void)state;
    open_bench(&b, true);
    close_bench(&b);
    b.engine.deferred = true;
    b.engine.queue_max = 1000000;
    fed_map_init(&shares.by_name, shares.mem);
    options.engine = &b.engine;
    options.share = fed_http_share_take(&shares, "client");
    assert_non_null(options.share);
    assert_int_equal(fed_http_session_new(&options, &b.session), FED_OK);
    feed_text(&b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    /* SETTINGS_INITIAL_WINDOW_SIZE 0: it never reads. */
    feed_frame(&b, NGHTTP2_SETTINGS, 0, 0, FED_SPAN_LIT("\0\4\0\0\0\0"));
    for (uint32_t i = 0; i < 3; i++)
        feed_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
            1 + 2 * i,
            FED_SPAN_LIT("\x82\x87\x04\x05/hold\x41\x01"
                         "a"));
    assert_int_equal(b.n_handled, 0);
    assert_int_equal(b.session->n_ready, 3);
    fed_http_session_turn(b.session);
    assert_int_equal(b.n_handled, 1);
    fed_http_respond(b.held, 200, NULL, 0, fed_span_of(much, sizeof(much)));
    assert_int_equal(shares.answered, sizeof(much));
    assert_int_equal(b.session->answered, sizeof(much));
    assert_false(fed_http_share_may_answer(options.share, FED_HTTP_SHARE_READS + 1));
    /* A connection of the same client that reads goes on in the other half of the room. */
    assert_true(fed_http_share_may_answer(options.share, FED_HTTP_SHARE_READS));
    fed_http_session_turn(b.session);
    assert_int_equal(fed_http_stream_begin(b.held, 200, NULL, 0), FED_OK);
    assert_int_equal(fed_http_stream_write(b.held, fed_span_of(much, sizeof(much))), FED_OK);
    assert_true(fed_http_share_full(options.share));
    assert_false(fed_http_share_may_answer(options.share, 0));
    /* 60,000 bytes may wait even so; more may not. */
    assert_int_equal(fed_http_stream_write(b.held, fed_span_of(much, 6000)), FED_OK);
    assert_int_equal(fed_http_stream_write(b.held, fed_span_of(much, 1)), FED_ERR_LIMIT);
    close_bench(&b);
    assert_true(fed_http_share_may_answer(options.share, 1));
    assert_int_equal(shares.answered, 0);
    fed_http_share_drop(options.share);
    fed_map_fini(&shares.by_name);
}

/* Opens and cancels at once: CVE-2023-44487. */
static void h2_rapid_reset(void **state)
{
    struct bench b;
    struct fed_buf bytes;
    uint32_t code = 0;
    unsigned n;

    (void)state;
    open_h2(&b);
    fed_buf_init(&bytes, fed_alloc_system(), 1 << 24);
    for (n = 0; n < 5000 && !b.session->closing; n++) {
        fed_buf_clear(&bytes);
        put_frame(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
            1 + 2 * n, FED_SPAN_LIT(GET_ROOT));
        put_frame(&bytes, NGHTTP2_RST_STREAM, 0, 1 + 2 * n, FED_SPAN_LIT("\0\0\0\x08"));
        swallow(&b);
        feed(&b, bytes.at, bytes.len);
    }
    assert_true(n > 400 && n < 700);
    assert_true(answered_frame(&b, NGHTTP2_GOAWAY, 0, &code));
    assert_int_equal(code, NGHTTP2_ENHANCE_YOUR_CALM);
    assert_int_equal(b.n_handled, 0); /* cancelled in the same bytes: the handler never saw them */
    fed_buf_fini(&bytes);
    close_bench(&b);
}

static void flood(uint8_t type, uint8_t flags, uint32_t stream, struct fed_span payload)
{
    struct bench b;
    unsigned n;

    open_h2(&b);
    if (stream)
        feed_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream, FED_SPAN_LIT(GET_ROOT));
    for (n = 0; n < 20000 && !b.session->closing; n++) {
        swallow(&b);
        feed_frame(&b, type, flags, stream, payload);
    }
    if (n >= 20000)
        fail_msg("frames of type %u are taken without end", type);
    close_bench(&b);
}

static void h2_floods(void **state)
{
    (void)state;
    flood(NGHTTP2_SETTINGS, 0, 0, fed_span_of(NULL, 0));
    flood(NGHTTP2_PING, 0, 0, FED_SPAN_LIT("12345678"));
    flood(NGHTTP2_DATA, 0, 1, fed_span_of(NULL, 0));
    flood(NGHTTP2_PRIORITY, 0, 1, FED_SPAN_LIT("\0\0\0\0\x10"));
    flood(NGHTTP2_WINDOW_UPDATE, 0, 1, FED_SPAN_LIT("\0\0\0\0")); /* an error each time */
}

static void h2_continuation_flood(void **state)
{
    struct bench b;
    static const uint8_t big[16000];
    unsigned n;

    (void)state;
    open_h2(&b);
    feed_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, FED_SPAN_LIT(GET_ROOT));
    for (n = 0; n < 1000 && !b.session->closing; n++)
        feed_frame(&b, NGHTTP2_CONTINUATION, 0, 1,
            FED_SPAN_LIT("\x40\x01"
                         "a\x01"
                         "b"));
    assert_true(n <= 10);
    close_bench(&b);

    /* One field that fills the table, named again and again: RFC 7541 makes a byte into four
     * thousand. */
    open_h2(&b);
    {
        struct fed_buf block;

        fed_buf_init(&block, fed_alloc_system(), 1 << 16);
        fed_buf_put(&block, FED_SPAN_LIT(GET_ROOT "\x40\x01"
                                                  "a\x7f\xd1\x1d")); /* length 127 + 3793 */
        fed_buf_put(&block, fed_span_of(big, 3920));
        for (size_t i = fed_buf_span(&block).len - 3920; i < block.len; i++)
            block.at[i] = 'v';
        for (int i = 0; i < 10000; i++)
            fed_buf_put_u8(&block, 0xbe);
        feed_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
            fed_buf_span(&block));
        fed_buf_fini(&block);
    }
    assert_true(b.session->closing);
    assert_int_equal(b.n_handled, 0);
    close_bench(&b);
}

static void h2_limits(void **state)
{
    struct bench b;
    struct fed_buf block;
    uint32_t code = 0;

    (void)state;
    open_h2(&b);
    fed_buf_init(&block, fed_alloc_system(), 1 << 16);
    fed_buf_put(&block, FED_SPAN_LIT(GET_ROOT));
    for (int i = 0; i < 150; i++)
        fed_buf_put(&block, FED_SPAN_LIT("\x00\x01"
                                         "a\x01"
                                         "b"));
    feed_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
        fed_buf_span(&block));
    fed_buf_fini(&block);
    assert_int_equal(b.n_handled, 0);
    assert_true(answered_frame(&b, NGHTTP2_HEADERS, 1, NULL));
    assert_false(b.session->closing);
    /* More streams at once than allowed. */
    swallow(&b);
    for (uint32_t i = 0; i < 60; i++)
        feed_frame(
            &b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 3 + 2 * i, FED_SPAN_LIT(GET_ROOT));
    assert_int_equal(b.session->n_exchanges, 50);
    assert_true(answered_frame(&b, NGHTTP2_GOAWAY, 0, &code) ||
                answered_frame(&b, NGHTTP2_RST_STREAM, 3 + 2 * 55, &code));
    close_bench(&b);

    open_bench(&b, true);
    feed_text(&b, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_true(b.session->closing);
    close_bench(&b);

    open_bench(&b, true);
    b.now_ms += 10000;
    (void)fed_http_session_tick(b.session, b.now_ms);
    assert_true(b.session->closing); /* nothing came, not even SETTINGS */
    close_bench(&b);
}

static void h2_goaway_when_idle(void **state)
{
    struct bench b;
    uint32_t code = 99;

    (void)state;
    open_h2(&b);
    feed_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
        FED_SPAN_LIT(GET_ROOT));
    assert_int_equal(fed_http_session_tick(b.session, b.now_ms), b.now_ms + 120000);
    b.now_ms += 120000;
    (void)fed_http_session_tick(b.session, b.now_ms);
    fed_http_session_pull(b.session);
    assert_true(answered_frame(&b, NGHTTP2_GOAWAY, 0, &code));
    assert_int_equal(code, NGHTTP2_NO_ERROR);
    assert_true(b.session->closing);
    close_bench(&b);
}

/* ---- every allocation refused in turn ---- */
struct stingy {
    struct fed_alloc alloc;
    int left;
};

static void *stingy_resize(void *ctx, void *at, size_t old_size, size_t size)
{
    struct stingy *s = ctx;

    if (size > old_size && s->left-- <= 0)
        return NULL;
    return fed_alloc_system()->resize(fed_alloc_system()->ctx, at, old_size, size);
}

static void run_refused(bool http2, int left)
{
    struct bench b;
    struct stingy stingy = {.left = left};
    struct fed_http_session_options options = {
        .engine = &b.engine, .http2 = http2, .address = FED_SPAN_LIT("test"), .wake = no_wake};

    open_bench(&b, http2);
    close_bench(&b);
    stingy.alloc = (struct fed_alloc){.ctx = &stingy, .resize = stingy_resize};
    b.engine.mem = &stingy.alloc;
    if (fed_http_session_new(&options, &b.session))
        return;
    if (http2) {
        feed_text(&b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        feed_frame(&b, NGHTTP2_SETTINGS, 0, 0, fed_span_of(NULL, 0));
        feed_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, FED_SPAN_LIT(GET_ROOT));
        feed_frame(&b, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, FED_SPAN_LIT("body"));
    } else {
        feed_text(&b, "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabcGET /b "
                      "HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    close_bench(&b);
}

static void no_memory(void **state)
{
    (void)state;
    for (int left = 0; left < 120; left++) {
        run_refused(false, left);
        run_refused(true, left);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h1_refuses),
        cmocka_unit_test(h1_pipelines),
        cmocka_unit_test(h1_bytewise),
        cmocka_unit_test(h1_continue),
        cmocka_unit_test(h1_limits),
        cmocka_unit_test(h1_times),
        cmocka_unit_test(h1_says_why),
        cmocka_unit_test(h1_pace),
        cmocka_unit_test(requests_of_one_client),
        cmocka_unit_test(h2_answers),
        cmocka_unit_test(h2_turns),
        cmocka_unit_test(h2_rapid_reset),
        cmocka_unit_test(h2_floods),
        cmocka_unit_test(h2_continuation_flood),
        cmocka_unit_test(h2_limits),
        cmocka_unit_test(h2_goaway_when_idle),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
