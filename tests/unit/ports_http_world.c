/* ports_http_world.c - see ports_http_world.h. */
#include "tests/unit/ports_http_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY_S 86400

/* ---- certificates ---- */
static void pem_init(struct pem *p)
{
    fed_buf_init(&p->cert, fed_alloc_system(), 65536);
    fed_buf_init(&p->key, fed_alloc_system(), 65536);
}

static void pem_fini(struct pem *p)
{
    fed_buf_fini(&p->cert);
    fed_buf_fini(&p->key);
}

static void make_ca(struct world *w, struct pem *p, const char *name)
{
    struct fed_diag diag = {{0}};
    int64_t now = fed_loop_unix_s(w->loop);

    pem_init(p);
    assert_int_equal(w->crypto.key_new(w->crypto.ctx, &p->key), FED_OK);
    assert_int_equal(w->crypto.ca_new(w->crypto.ctx, fed_buf_span(&p->key), name, now - DAY_S,
                         now + DAY_S, &p->cert, &diag),
        FED_OK);
}

static void make_leaf(struct world *w, struct pem *p, const struct pem *ca, const char *name)
{
    static const char *const names[] = {"127.0.0.1", "localhost"};
    static const char *const groups[] = {"testers"};
    struct fed_diag diag = {{0}};
    struct fed_buf spki;
    int64_t now = fed_loop_unix_s(w->loop);
    struct fed_crypto_cert_request request = {.common_name = name,
        .organizations = groups,
        .n_organizations = 1,
        .names = names,
        .n_names = 2,
        .not_before_unix_s = now - DAY_S,
        .not_after_unix_s = now + DAY_S,
        .server = true,
        .client = true};

    pem_init(p);
    fed_buf_init(&spki, fed_alloc_system(), 4096);
    assert_int_equal(w->crypto.key_new(w->crypto.ctx, &p->key), FED_OK);
    assert_int_equal(
        w->crypto.key_public(w->crypto.ctx, fed_buf_span(&p->key), &spki, &diag), FED_OK);
    request.public_key = fed_buf_span(&spki);
    assert_int_equal(w->crypto.cert_issue(w->crypto.ctx, fed_buf_span(&ca->cert),
                         fed_buf_span(&ca->key), &request, &p->cert, &diag),
        FED_OK);
    fed_buf_fini(&spki);
}

/* ---- the server's side ---- */
static void answer_big(struct fed_http_exchange *x, struct fed_span etag)
{
    size_t len = 300 * 1024;
    char *text = malloc(len);
    struct fed_http_header headers[2] = {
        {FED_SPAN_LIT("content-type"), FED_SPAN_LIT("text/plain")}, {FED_SPAN_LIT("etag"), etag}};

    assert_non_null(text);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + i % 23);
    fed_http_respond(x, 200, headers, etag.len > 0 ? 2 : 1, fed_span_of(text, len));
    free(text);
}

/* An answer that takes as long to make as a round of the loop has for all. */
static void answer_slowly(struct world *w, struct fed_http_exchange *x)
{
    int64_t until_us = w->loop->unix_us(w->loop->ctx) + 6000;

    while (w->loop->unix_us(w->loop->ctx) < until_us)
        ;
    fed_http_respond(x, 200, NULL, 0, FED_SPAN_LIT("at last"));
}

static void begin_stream(struct world *w, struct fed_http_exchange *x, bool gzip)
{
    struct fed_http_header type = {FED_SPAN_LIT("content-type"), FED_SPAN_LIT("application/json")};

    assert_true(w->n_streams < WORLD_STREAMS);
    fed_http_exchange_set_user(x, &w->streams[w->n_streams]);
    w->streams[w->n_streams++] = x;
    assert_int_equal(gzip ? fed_http_stream_begin_gzip(x, 200, &type, 1)
                          : fed_http_stream_begin(x, 200, &type, 1),
        FED_OK);
}

static void on_request(
    void *ctx, struct fed_http_exchange *x, const struct fed_http_request *request)
{
    struct world *w = ctx;
    struct fed_http_header type = {FED_SPAN_LIT("content-type"), FED_SPAN_LIT("text/plain")};
    struct fed_http_header evil = {FED_SPAN_LIT("x-evil"), FED_SPAN_LIT("a\r\nb: c")};

    w->n_handled++;
    if (fed_span_is(request->path, "/hello"))
        fed_http_respond(x, 200, &type, 1, FED_SPAN_LIT("hello"));
    else if (fed_span_is(request->path, "/echo"))
        fed_http_respond(x, 200, &type, 1, request->body);
    else if (fed_span_is(request->path, "/query"))
        fed_http_respond(x, 200, &type, 1, request->query);
    else if (fed_span_is(request->path, "/peer"))
        fed_http_respond(x, 200, &type, 1,
            request->peer ? fed_span_text(request->peer->common_name) : FED_SPAN_LIT("nobody"));
    else if (fed_span_is(request->path, "/big"))
        answer_big(x, request->query); /* the etag, when there is one */
    else if (fed_span_is(request->path, "/evil"))
        fed_http_respond(x, 200, &evil, 1, FED_SPAN_LIT("never seen"));
    else if (fed_span_is(request->path, "/empty"))
        fed_http_respond(x, 204, NULL, 0, fed_span_of(NULL, 0));
    else if (fed_span_is(request->path, "/slow"))
        answer_slowly(w, x);
    else if (fed_span_is(request->path, "/stream"))
        begin_stream(w, x, fed_span_is(request->query, "gzip"));
    else if (!fed_span_is(request->path, "/never"))
        fed_http_respond(x, 404, &type, 1, FED_SPAN_LIT("no such path"));
}

static void on_closed(void *ctx, struct fed_http_exchange *x)
{
    struct world *w = ctx;
    struct fed_http_exchange **slot = fed_http_exchange_user(x);

    w->n_closed++;
    if (slot)
        *slot = NULL;
}

void world_serve(struct world *w, const struct fed_http_server_options *options)
{
    struct fed_http_server_options o = options ? *options : (struct fed_http_server_options){0};
    struct fed_diag diag = {{0}};
    static struct fed_log log;
    enum fed_err err;

    log = fed_log_stderr(FED_LOG_DEBUG);
    if (!o.listen)
        o.listen = "127.0.0.1:0";
    o.cert_pem = fed_buf_span(&w->server_pem.cert);
    o.key_pem = fed_buf_span(&w->server_pem.key);
    o.client_ca_pem = fed_buf_span(&w->ca.cert);
    if (!o.body_max)
        o.body_max = 3 * 1024 * 1024;
    err = fed_http_server_open(fed_alloc_system(), w->loop, getenv("HTTP_LOG") ? &log : NULL, &o,
        on_request, on_closed, w, &w->server, &diag);
    if (err)
        fail_msg("server: %s", diag.text);
}

/* ---- the loop ---- */
static void on_deadline(void *ctx)
{
    struct world *w = ctx;

    w->late = true;
    w->loop->stop(w->loop->ctx);
}

struct until {
    struct world *world;
    world_condition *condition;
    void *ctx;
    struct fed_timer *timer;
};

static void check_condition(void *ctx)
{
    struct until *u = ctx;
    struct fed_loop *loop = u->world->loop;

    if (u->condition(u->ctx))
        loop->stop(loop->ctx);
    else
        loop->timer_set(loop->ctx, u->timer, fed_loop_now_ms(loop) + 2);
}

void world_until(struct world *w, world_condition *condition, void *ctx)
{
    struct until u = {.world = w, .condition = condition, .ctx = ctx};

    assert_int_equal(w->loop->timer_new(w->loop->ctx, check_condition, &u, &u.timer), FED_OK);
    w->late = false;
    w->loop->timer_set(w->loop->ctx, u.timer, fed_loop_now_ms(w->loop));
    w->loop->timer_set(w->loop->ctx, w->deadline, fed_loop_now_ms(w->loop) + WORLD_DEADLINE_MS);
    assert_int_equal(fed_linux_loop_run(w->linux_loop), FED_OK);
    w->loop->timer_stop(w->loop->ctx, w->deadline);
    w->loop->timer_free(w->loop->ctx, u.timer);
    if (w->late)
        fail_msg("the condition did not come true in time");
}

void world_run_ms(struct world *w, unsigned ms)
{
    w->loop->timer_set(w->loop->ctx, w->deadline, fed_loop_now_ms(w->loop) + ms);
    assert_int_equal(fed_linux_loop_run(w->linux_loop), FED_OK);
}

/* ---- life ---- */
void world_open(struct world *w)
{
    struct fed_diag diag = {{0}};

    *w = (struct world){0};
    assert_int_equal(fed_linux_loop_open(fed_alloc_system(), &w->linux_loop, &diag), FED_OK);
    w->loop = fed_linux_loop_port(w->linux_loop);
    assert_int_equal(fed_tls_crypto_open(fed_alloc_system(), &w->crypto, &diag), FED_OK);
    assert_int_equal(w->loop->timer_new(w->loop->ctx, on_deadline, w, &w->deadline), FED_OK);
    make_ca(w, &w->ca, "test ca");
    make_ca(w, &w->other_ca, "other ca");
    make_leaf(w, &w->server_pem, &w->ca, "server");
    make_leaf(w, &w->client_pem, &w->ca, "alice");
    make_leaf(w, &w->stranger_pem, &w->other_ca, "mallory");
}

void world_close(struct world *w)
{
    fed_http_server_close(w->server);
    w->loop->timer_free(w->loop->ctx, w->deadline);
    pem_fini(&w->ca);
    pem_fini(&w->other_ca);
    pem_fini(&w->server_pem);
    pem_fini(&w->client_pem);
    pem_fini(&w->stranger_pem);
    fed_linux_loop_close(w->linux_loop);
    fed_tls_crypto_close(&w->crypto);
}

struct fed_http_client_options world_client_options(struct world *w)
{
    return (struct fed_http_client_options){.host = "127.0.0.1",
        .port = fed_http_server_port(w->server),
        .ca_pem = fed_buf_span(&w->ca.cert)};
}

struct fed_http_client *world_client(struct world *w, const struct fed_http_client_options *options)
{
    struct fed_http_client_options o = options ? *options : world_client_options(w);
    struct fed_http_client *client = NULL;
    struct fed_diag diag = {{0}};

    if (fed_http_client_open(fed_alloc_system(), w->loop, NULL, &o, &client, &diag))
        fail_msg("client: %s", diag.text);
    return client;
}

/* ---- calls ---- */
void outcome_init(struct outcome *o, struct world *w)
{
    *o = (struct outcome){.world = w};
    fed_buf_init(&o->body, fed_alloc_system(), 64u * 1024 * 1024);
}

void outcome_fini(struct outcome *o)
{
    fed_buf_fini(&o->body);
}

static void copy_head(struct outcome *o, const struct fed_http_response *response)
{
    o->status = response->status;
    for (size_t i = 0; i < response->n_headers; i++) {
        const struct fed_http_header *header = &response->headers[i];
        enum fed_err err = FED_OK;

        if (fed_span_is(header->name, "content-type"))
            err = fed_span_to_cstr(header->value, o->content_type, sizeof(o->content_type));
        if (fed_span_is(header->name, "content-encoding"))
            err = fed_span_to_cstr(header->value, o->encoding, sizeof(o->encoding));
        assert_int_equal(err, FED_OK);
    }
}

static void on_head(void *ctx, const struct fed_http_response *response)
{
    struct outcome *o = ctx;

    o->heads++;
    copy_head(o, response);
    if (o->cancel_at_head)
        fed_http_call_cancel(o->cancel_at_head);
}

static void on_data(void *ctx, struct fed_span bytes)
{
    struct outcome *o = ctx;

    fed_buf_put(&o->body, bytes);
}

static void on_done(void *ctx, enum fed_err err, const struct fed_http_response *response,
    const struct fed_diag *diag)
{
    struct outcome *o = ctx;

    o->n_done++;
    o->err = err;
    if (diag)
        snprintf(o->diag, sizeof(o->diag), "%s", diag->text);
    if (response) {
        copy_head(o, response);
        fed_buf_put(&o->body, response->body);
    }
}

struct fed_http_call *world_call(struct fed_http_client *client, struct outcome *o,
    const char *method, const char *target, struct fed_span body)
{
    struct fed_http_header accept = {FED_SPAN_LIT("accept"), FED_SPAN_LIT("text/plain")};
    struct fed_http_call_options options = {
        .method = method, .target = target, .headers = &accept, .n_headers = 1, .body = body};
    struct fed_http_call_events events = {.ctx = o, .done = on_done};
    struct fed_http_call *call = NULL;

    assert_int_equal(fed_http_call(client, &options, &events, &call), FED_OK);
    assert_int_equal(o->n_done, 0);
    return call;
}

struct fed_http_call *world_call_with(struct fed_http_client *client, struct outcome *o,
    const char *target, const struct fed_http_header *header)
{
    struct fed_http_call_options options = {
        .method = "GET", .target = target, .headers = header, .n_headers = 1};
    struct fed_http_call_events events = {.ctx = o, .done = on_done};
    struct fed_http_call *call = NULL;

    assert_int_equal(fed_http_call(client, &options, &events, &call), FED_OK);
    return call;
}

struct fed_http_call *world_stream_with(struct fed_http_client *client, struct outcome *o,
    const char *target, const struct fed_http_header *header)
{
    struct fed_http_call_options options = {
        .method = "GET", .target = target, .headers = header, .n_headers = header ? 1 : 0};
    struct fed_http_call_events events = {
        .ctx = o, .head = on_head, .data = on_data, .done = on_done};
    struct fed_http_call *call = NULL;

    assert_int_equal(fed_http_call(client, &options, &events, &call), FED_OK);
    return call;
}

struct fed_http_call *world_stream(
    struct fed_http_client *client, struct outcome *o, const char *target)
{
    return world_stream_with(client, o, target, NULL);
}

bool outcome_done(void *outcome)
{
    return ((struct outcome *)outcome)->n_done > 0;
}

void world_ask(struct world *w, struct fed_http_client *client, struct outcome *o,
    const char *method, const char *target, struct fed_span body)
{
    outcome_init(o, w);
    (void)world_call(client, o, method, target, body);
    world_until(w, outcome_done, o);
    assert_int_equal(o->n_done, 1);
}
