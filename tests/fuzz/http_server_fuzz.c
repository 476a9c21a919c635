/* http_server_fuzz.c - see http_server_fuzz.h. */
#include "tests/fuzz/http_server_fuzz.h"

#include <assert.h>
#include <stdlib.h>

#define HELD_MAX 8

struct fuzz {
    struct fed_http_shares shares;
    struct fed_loop loop;
    uint64_t now_ms;
    struct fed_http_engine engine;
    struct fed_http_exchange *held[HELD_MAX];
    unsigned n_held;
};

static uint64_t now_of(void *ctx)
{
    return ((struct fuzz *)ctx)->now_ms;
}

static int64_t unix_of(void *ctx)
{
    return (int64_t)((struct fuzz *)ctx)->now_ms * 1000;
}

static void no_wake(void *ctx)
{
    (void)ctx;
}

static void hold(struct fuzz *f, struct fed_http_exchange *x)
{
    if (f->n_held < HELD_MAX)
        f->held[f->n_held++] = x;
    else
        fed_http_respond(x, 503, NULL, 0, fed_span_of(NULL, 0));
}

static void on_request(
    void *ctx, struct fed_http_exchange *x, const struct fed_http_request *request)
{
    struct fuzz *f = ctx;

    assert(request->path.len > 0);
    assert(request->body.len <= f->engine.body_max);
    for (size_t i = 0; i < request->n_headers; i++)
        assert(request->headers[i].name.len > 0);
    if (fed_span_starts(request->path, "/hold")) {
        hold(f, x);
    } else if (fed_span_starts(request->path, "/stream")) {
        if ((request->query.len > 0 ? fed_http_stream_begin_gzip(x, 200, NULL, 0)
                                    : fed_http_stream_begin(x, 200, NULL, 0)) == FED_OK)
            hold(f, x);
    } else {
        fed_http_respond(x, 200, request->headers, request->n_headers, request->body);
    }
}

static void forget(struct fuzz *f, struct fed_http_exchange *x)
{
    for (unsigned i = 0; i < f->n_held; i++)
        if (f->held[i] == x)
            f->held[i] = f->held[--f->n_held];
}

static void on_closed(void *ctx, struct fed_http_exchange *x)
{
    forget(ctx, x);
}

/* What the handler does while the peer goes on. */
static void act(struct fuzz *f, uint8_t choice)
{
    static const uint8_t text[600];
    struct fed_http_exchange *x = f->n_held ? f->held[choice % f->n_held] : NULL;

    f->now_ms += (uint64_t)choice * choice;
    if (!x)
        return;
    if (fed_http_stream_write(x, fed_span_of(text, (size_t)choice * 2 + 1)) == FED_OK && choice % 4)
        return;
    forget(f, x);
    if (x->state == FED_HTTP_STREAMING)
        fed_http_stream_end(x);
    else
        fed_http_respond(x, 200, NULL, 0, fed_span_of(text, choice));
}

static void feed(struct fed_http_session *session, struct fed_span bytes)
{
    fed_http_session_feed(session, bytes);
    if (!session->closing)
        fed_http_session_pull(session);
}

static void run(struct fuzz *f, struct fed_http_session *session, struct fed_span bytes)
{
    while (bytes.len && !session->closing) {
        uint8_t choice = bytes.at[0];
        size_t piece = 1 + (size_t)choice * 3;

        bytes = fed_span_sub(bytes, 1, SIZE_MAX);
        feed(session, fed_span_sub(bytes, 0, piece));
        bytes = fed_span_sub(bytes, piece, SIZE_MAX);
        if (f->engine.deferred && choice % 3)
            fed_http_session_turn(session);
        act(f, choice);
        if (choice & 1)
            fed_http_queue_fini(&session->out); /* a peer that reads */
        fed_http_session_reap(session);
        (void)fed_http_session_tick(session, f->now_ms);
    }
}

static void eased(void *ctx, struct fed_http_share *share)
{
    (void)ctx;
    (void)share;
}

void fuzz_http_server(const uint8_t *bytes, size_t len, bool http2, struct fed_span prefix)
{
    struct fuzz f = {.now_ms = 1000000};
    struct fed_http_session_options options = {
        .engine = &f.engine, .http2 = http2, .address = FED_SPAN_LIT("fuzz"), .wake = no_wake};
    struct fed_http_session *session = NULL;

    /* The last byte says whether turns are given, as the server does it. */
    f.engine.deferred = len && bytes[len - 1] & 1;
    f.shares = (struct fed_http_shares){
        .mem = fed_alloc_system(), .asked_max = 20000, .answered_max = 10000, .eased = eased};
    fed_map_init(&f.shares.by_name, fed_alloc_system());
    options.share = fed_http_share_take(&f.shares, "fuzz");
    if (!options.share)
        return;
    f.loop = (struct fed_loop){.ctx = &f, .now_ms = now_of, .unix_us = unix_of};
    f.engine = (struct fed_http_engine){.mem = fed_alloc_system(),
        .loop = &f.loop,
        .handler = on_request,
        .closed = on_closed,
        .ctx = &f,
        .body_max = 2000,
        .header_max = 4000,
        .queue_max = 4000,
        .streams_max = 20,
        .idle_timeout_ms = 120000,
        .header_timeout_ms = 10000,
        .deferred = f.engine.deferred};
    if (fed_http_session_new(&options, &session))
        abort();
    if (prefix.len)
        feed(session, prefix);
    run(&f, session, fed_span_of(bytes, len));
    fed_http_session_shutdown(session);
    fed_http_session_pull(session);
    fed_http_session_free(session);
    assert(f.n_held == 0);
    if (f.shares.asked || f.shares.answered || options.share->asked || options.share->answered)
        abort();
    fed_http_share_drop(options.share);
    fed_map_fini(&f.shares.by_name);
}
