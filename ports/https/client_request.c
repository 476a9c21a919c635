/* client_request.c - requests, the observation and pings of one session. Every call of ports/http
 * is a streaming one, so that what came of an answer is still there when its connection breaks;
 * their times are kept here. */
#include "ports/https/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "/fedlet/v1/"
#define PING_PATH "p"
#define STREAM_TYPE "application/vnd.fedlet.stream"
#define RETRY_DEFAULT_S 60u /* as for CoAP, RFC 7252 section 5.10.5 */

static uint64_t now_of(const struct fed_https_client *client)
{
    return fed_loop_now_ms(client->loop);
}

/* ---- the list ---- */

void fed_https_request_free(struct fed_https_request *r)
{
    struct fed_https_client *client = r->client;
    struct fed_https_request **at = &client->requests;

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    client->n_requests--;
    if (r->call)
        fed_http_call_cancel(r->call);
    fed_buf_fini(&r->body);
    fed_https_records_fini(&r->records);
    fed_alloc_free(client->mem, r, sizeof(*r));
}

/* Takes the request away and calls its owner once. */
static void finish(struct fed_https_request *r, enum fed_err err,
    const struct fed_link_message *message, const char *why)
{
    fed_link_done *done = r->answered ? NULL : r->done;
    struct fed_diag diag = {""};
    void *ctx = r->done_ctx;
    struct fed_buf body;

    if (err && err != FED_ERR_LIMIT)
        fed_https_kept_keep(r);
    body = r->body;
    fed_diag_set(&diag, err, "%s", why);
    fed_buf_init(&r->body, r->client->mem, FED_HTTPS_CLIENT_BODY_MAX);
    fed_https_request_free(r);
    if (done)
        done(ctx, err, err ? NULL : message, err ? &diag : NULL);
    fed_buf_fini(&body);
}

/* ---- loss ---- */

/* Part of an answer is here, and the rest of it can be asked for over another connection. */
static bool is_transfer(const struct fed_https_request *r)
{
    return !r->post && !r->answered && r->etag[0] &&
           (r->body.len > 0 || (r->stream && r->records.body.len > 0));
}

/* The session is over as soon as nothing is left that goes on over new connections. */
static void check_over(struct fed_https_client *client)
{
    if (!client->lost)
        return;
    for (const struct fed_https_request *r = client->requests; r; r = r->next) {
        if (is_transfer(r))
            return;
    }
    fed_https_client_fail(client, client->down_err, &client->down_diag);
}

static void session_lost(
    struct fed_https_client *client, enum fed_err err, const struct fed_diag *diag)
{
    if (!client->lost) {
        client->lost = true;
        client->down_err = err;
        client->down_diag = *diag;
    }
    check_over(client);
}

static bool can_resume(struct fed_https_request *r)
{
    if (r->kind == FED_HTTPS_KIND_OBSERVE && r->stream && !r->answered) {
        fed_buf_fini(&r->body);
        r->body = r->records.body;
        fed_https_records_init(&r->records, r->client->mem, FED_HTTPS_CLIENT_BODY_MAX);
        r->stream = false;
    }
    if (!is_transfer(r) || fed_buf_err(&r->body))
        return false;
    if (r->body.len > r->held)
        r->resumes = 0;
    return r->resumes < FED_HTTPS_CLIENT_RESUMES_MAX;
}

/* asked_s: by the hub. */
static void resume_later(struct fed_https_request *r, uint32_t asked_s)
{
    uint64_t wait_ms = (uint64_t)FED_HTTPS_CLIENT_RESUME_FLOOR_MS << r->resumes;

    if (wait_ms > FED_HTTPS_CLIENT_RESUME_CEILING_MS)
        wait_ms = FED_HTTPS_CLIENT_RESUME_CEILING_MS;
    if (wait_ms < (uint64_t)asked_s * 1000)
        wait_ms = (uint64_t)asked_s * 1000;
    r->resumes++;
    r->held = r->body.len;
    r->resume_ms = now_of(r->client) + wait_ms;
    fed_log(r->client->log, FED_LOG_DEBUG, "%s: %s after %zu bytes of an answer", r->client->peer,
        r->later ? "asked to come back" : "connection lost", r->body.len);
    fed_https_client_arm(r->client);
}

/* The call ended without its answer. */
static void on_lost(struct fed_https_request *r, enum fed_err err, const struct fed_diag *diag)
{
    struct fed_https_client *client = r->client;
    struct fed_diag why = *diag;

    if (r->kind == FED_HTTPS_KIND_OPEN) {
        fed_https_client_fail(client, err, &why);
        return;
    }
    if (can_resume(r)) {
        bool observation = r->kind == FED_HTTPS_KIND_OBSERVE;

        resume_later(r, 0);
        if (observation)
            session_lost(client, err, &why); /* its answer will come, but no notifications */
        return;
    }
    if (r->replaced && r->answered) {
        finish(r, FED_ERR_CLOSED, NULL, why.text);
        return;
    }
    fed_https_kept_keep(r);
    r->etag[0] = 0;
    session_lost(client, err, &why);
    finish(r, FED_ERR_CLOSED, NULL, why.text);
}

/* ---- answers ---- */

/* HTTP's codes are CoAP's with a digit in between, but for those of success. */
static unsigned code_of(const struct fed_https_request *r)
{
    if (r->status == 201)
        return FED_LINK_CREATED;
    if (r->status >= 200 && r->status < 300)
        return r->post ? FED_LINK_CHANGED : FED_LINK_CONTENT;
    return r->status;
}

static void answer(struct fed_https_request *r)
{
    struct fed_https_client *client = r->client;
    struct fed_link_message m = {.code = code_of(r), .payload = fed_buf_span(&r->body)};
    struct fed_diag diag = {""};

    if (m.code == FED_LINK_UNAVAILABLE)
        m.max_age_s = r->retry_after_s;
    r->etag[0] = 0; /* no transfer any more */
    if (r->kind == FED_HTTPS_KIND_OPEN) {
        /* A hub that is full says so to the next request as well, and how long to stay away. */
        if (m.code < FED_LINK_BAD_REQUEST || m.code == FED_LINK_UNAVAILABLE) {
            fed_https_request_free(r);
            fed_https_client_opened(client);
            return;
        }
        fed_diag_set(&diag, FED_ERR_FORBIDDEN, "%s: the hub answered %u: " FED_SPAN_FMT,
            client->peer, r->status, (int)(m.payload.len > 200 ? 200 : m.payload.len),
            (const char *)m.payload.at);
        fed_https_client_fail(client, FED_ERR_FORBIDDEN, &diag);
        return;
    }
    check_over(client);
    if (r->status < 200 || (r->status >= 300 && r->status < 400))
        finish(r, FED_ERR_NETWORK, NULL, "not an answer of a hub");
    else
        finish(r, FED_OK, &m, "");
}

/* ---- one call ---- */

static struct fed_span header_of(const struct fed_http_response *response, const char *name)
{
    struct fed_span value = {0};

    for (size_t i = 0; i < response->n_headers; i++)
        if (fed_span_is(response->headers[i].name, name))
            value = response->headers[i].value;
    return value;
}

/* "bytes FROM-TO/SIZE" */
static bool continues(struct fed_span content_range, size_t held)
{
    uint64_t from = 0;

    if (!fed_span_starts(content_range, "bytes "))
        return false;
    content_range = fed_span_sub(content_range, 6, content_range.len);
    content_range = fed_span_sub(content_range, 0, fed_span_find(content_range, '-'));
    return fed_span_to_u64(content_range, &from) == FED_OK && from == held;
}

/* A hub that is busy does not make what came of the answer wrong. When the request has no time for
 * what the hub asks for, its owner has to know. */
static bool comes_later(const struct fed_https_request *r)
{
    return r->status == FED_LINK_UNAVAILABLE && r->held > 0 &&
           r->resumes < FED_HTTPS_CLIENT_RESUMES_MAX &&
           now_of(r->client) + (uint64_t)r->retry_after_s * 1000 < r->deadline_ms;
}

static void on_head(void *ctx, const struct fed_http_response *response)
{
    struct fed_https_request *r = ctx;
    struct fed_span etag = header_of(response, "etag");
    uint64_t retry_s = RETRY_DEFAULT_S;
    bool rest = response->status == 206 && r->held > 0 && fed_span_is(etag, r->etag) &&
                continues(header_of(response, "content-range"), r->held);

    r->status = response->status;
    if (fed_span_to_u64(header_of(response, "retry-after"), &retry_s))
        retry_s = RETRY_DEFAULT_S;
    r->retry_after_s = retry_s > 86400 ? 86400 : (uint32_t)retry_s;
    r->later = comes_later(r);
    if (r->later)
        return;
    if (!rest) {
        fed_buf_clear(&r->body);
        r->held = 0;
    }
    r->etag[0] = 0;
    if (response->status / 100 == 2 && fed_span_to_cstr(etag, r->etag, sizeof(r->etag)))
        r->etag[0] = 0; /* longer than ours are */
    r->stream = r->kind == FED_HTTPS_KIND_OBSERVE && response->status == 200 &&
                fed_span_starts(header_of(response, "content-type"), STREAM_TYPE);
}

static void on_data(void *ctx, struct fed_span bytes)
{
    struct fed_https_request *r = ctx;

    if (r->later)
        return;
    if (r->stream) {
        fed_https_request_records(r, bytes);
        return;
    }
    fed_buf_put(&r->body, bytes);
    if (fed_buf_err(&r->body))
        finish(r, fed_buf_err(&r->body), NULL, "the hub's answer is too large");
    else
        fed_https_partial_tell(r);
}

static void on_done(void *ctx, enum fed_err err, const struct fed_http_response *response,
    const struct fed_diag *diag)
{
    struct fed_https_request *r = ctx;
    struct fed_diag over = {""};

    (void)response;
    r->call = NULL;
    if (r->client->state != FED_HTTPS_CONNECTING && r->client->state != FED_HTTPS_UP)
        return; /* the end is on its way */
    if (!err && r->later) {
        resume_later(r, r->retry_after_s);
        return;
    }
    if (!err && !r->stream) {
        answer(r);
        return;
    }
    if (!err)
        fed_diag_set(&over, FED_ERR_CLOSED, "%s: the hub ended the session", r->client->peer);
    on_lost(r, err ? err : FED_ERR_CLOSED, err ? diag : &over);
}

static enum fed_err start_call(struct fed_https_request *r, struct fed_span payload)
{
    struct fed_https_client *client = r->client;
    bool json = strcmp(r->target, PREFIX "j") == 0;
    struct fed_http_header headers[5] = {
        {FED_SPAN_LIT("fedlet-session"), fed_span_text(client->session)}};
    struct fed_http_call_options options = {.method = r->post ? "POST" : "GET",
        .target = r->target,
        .headers = headers,
        .n_headers = 1,
        .body = payload};
    struct fed_http_call_events events = {
        .ctx = r, .head = on_head, .data = on_data, .done = on_done};
    uint64_t left_ms = r->deadline_ms - now_of(client);
    char range[40];

    options.timeout_ms = left_ms > UINT32_MAX / 2 ? UINT32_MAX / 2 : (unsigned)left_ms + 1000;
    r->held = r->body.len;
    r->resume_ms = 0;
    r->later = false;
    if (r->post)
        headers[options.n_headers++] = (struct fed_http_header){FED_SPAN_LIT("content-type"),
            json ? FED_SPAN_LIT("application/json") : FED_SPAN_LIT("application/octet-stream")};
    if (r->held > 0) {
        snprintf(range, sizeof(range), "bytes=%zu-", r->held);
        headers[options.n_headers++] =
            (struct fed_http_header){FED_SPAN_LIT("range"), fed_span_text(range)};
        headers[options.n_headers++] =
            (struct fed_http_header){FED_SPAN_LIT("if-range"), fed_span_text(r->etag)};
    } else if (r->kind == FED_HTTPS_KIND_OBSERVE) {
        headers[options.n_headers++] =
            (struct fed_http_header){FED_SPAN_LIT("fedlet-observe"), FED_SPAN_LIT("stream")};
    }
    return fed_http_call(client->http, &options, &events, &r->call);
}

/* The rest of an answer is no observation: when it is here the session is over, and the next one
 * observes from what it brought. */
static void rest_comes_first(struct fed_https_request *r)
{
    struct fed_diag why = {""};

    fed_diag_set(&why, FED_ERR_CLOSED, "%s: the rest of an answer came first", r->client->peer);
    session_lost(r->client, FED_ERR_CLOSED, &why);
}

static enum fed_err add(struct fed_https_client *client, const struct fed_https_request *asked,
    const char *path, const char *query, struct fed_span payload, unsigned timeout_ms)
{
    struct fed_https_request *r;
    enum fed_err err;
    int n;

    if (client->n_requests >= FED_HTTPS_CLIENT_REQUESTS_MAX)
        return FED_ERR_BUSY;
    if (payload.len > FED_HTTPS_CLIENT_PAYLOAD_MAX)
        return FED_ERR_LIMIT;
    r = fed_alloc_zero(client->mem, sizeof(*r));
    if (!r)
        return FED_ERR_NOMEM;
    *r = *asked;
    r->client = client;
    r->deadline_ms = now_of(client) + timeout_ms;
    fed_buf_init(&r->body, client->mem, FED_HTTPS_CLIENT_BODY_MAX);
    fed_https_records_init(&r->records, client->mem, FED_HTTPS_CLIENT_BODY_MAX);
    r->next = client->requests;
    client->requests = r;
    client->n_requests++;
    n = snprintf(
        r->target, sizeof(r->target), PREFIX "%s%s%s", path, query ? "?" : "", query ? query : "");
    err = n < 0 || (size_t)n >= sizeof(r->target) ? FED_ERR_LIMIT : FED_OK;
    if (!err && fed_https_kept_take(r) && r->kind == FED_HTTPS_KIND_OBSERVE)
        rest_comes_first(r);
    if (!err)
        err = start_call(r, payload);
    if (err)
        fed_https_request_free(r);
    else
        fed_https_client_arm(client);
    return err;
}

/* ---- the port's functions ---- */

enum fed_err fed_https_request_open(struct fed_https_client *client)
{
    struct fed_https_request r = {.kind = FED_HTTPS_KIND_OPEN};

    /* The client has a deadline for it, which says more. */
    return add(client, &r, PING_PATH, NULL, (struct fed_span){0}, client->timeout_ms + 1000);
}

enum fed_err fed_https_client_request(void *ctx, enum fed_link_method method, const char *path,
    const char *query, struct fed_span payload, unsigned timeout_ms, fed_link_done *done,
    void *done_ctx)
{
    struct fed_https_client *client = ctx;
    struct fed_https_request r = {.kind = FED_HTTPS_KIND_REQUEST,
        .post = method == FED_LINK_POST,
        .done = done,
        .done_ctx = done_ctx};

    if (client->state != FED_HTTPS_UP)
        return FED_ERR_CLOSED;
    return add(client, &r, path, query, payload, timeout_ms);
}

enum fed_err fed_https_client_observe(void *ctx, const char *path, const char *query,
    unsigned timeout_ms, fed_link_done *done, void *done_ctx)
{
    struct fed_https_client *client = ctx;
    struct fed_https_request r = {
        .kind = FED_HTTPS_KIND_OBSERVE, .done = done, .done_ctx = done_ctx};
    enum fed_err err;

    if (client->state != FED_HTTPS_UP)
        return FED_ERR_CLOSED;
    err = add(client, &r, path, query, (struct fed_span){0}, timeout_ms);
    if (err)
        return err;
    for (struct fed_https_request *at = client->requests->next; at; at = at->next)
        at->replaced = at->kind == FED_HTTPS_KIND_OBSERVE;
    return FED_OK;
}

static void pong_end(struct fed_https_client *client, enum fed_err err, const char *why)
{
    struct fed_link_message pong = {.code = FED_LINK_CHANGED};
    fed_link_done *done = client->pong;
    struct fed_diag diag = {""};

    client->pong = NULL;
    fed_diag_set(&diag, err, "%s", why);
    if (done)
        done(client->pong_ctx, err, err ? NULL : &pong, err ? &diag : NULL);
}

static void on_pong(void *ctx)
{
    pong_end(ctx, FED_OK, "");
}

enum fed_err fed_https_client_ping(
    void *ctx, unsigned timeout_ms, fed_link_done *done, void *done_ctx)
{
    struct fed_https_client *client = ctx;
    struct fed_https_request r = {.kind = FED_HTTPS_KIND_PING, .done = done, .done_ctx = done_ctx};
    enum fed_err err;

    if (client->state != FED_HTTPS_UP)
        return FED_ERR_CLOSED;
    if (client->pong)
        return FED_ERR_BUSY;
    /* 17 bytes each way, where a request takes some 50. */
    err = fed_http_client_ping(client->http, on_pong, client);
    if (err == FED_ERR_UNSUPPORTED)
        return add(client, &r, PING_PATH, NULL, (struct fed_span){0}, timeout_ms);
    if (err)
        return err;
    client->pong = done;
    client->pong_ctx = done_ctx;
    client->pong_deadline_ms = now_of(client) + timeout_ms;
    fed_https_client_arm(client);
    return FED_OK;
}

/* ---- times and ends ---- */

void fed_https_requests_end(struct fed_https_client *client, enum fed_err err, const char *why)
{
    pong_end(client, err, why);
    while (client->requests) {
        struct fed_https_request *r = client->requests;

        if (r->kind == FED_HTTPS_KIND_OPEN)
            r->answered = true; /* nobody asked for it */
        finish(r, err, NULL, why);
    }
}

static uint64_t due_of(const struct fed_https_request *r)
{
    return r->resume_ms && r->resume_ms < r->deadline_ms ? r->resume_ms : r->deadline_ms;
}

uint64_t fed_https_requests_due(const struct fed_https_client *client)
{
    uint64_t due_ms = client->pong ? client->pong_deadline_ms : FED_HTTPS_NEVER;

    for (const struct fed_https_request *r = client->requests; r; r = r->next)
        if (due_of(r) < due_ms)
            due_ms = due_of(r);
    return due_ms;
}

static struct fed_https_request *first_due(struct fed_https_client *client)
{
    struct fed_https_request *r = client->requests;

    while (r && due_of(r) > now_of(client))
        r = r->next;
    return r;
}

/* One request's time has come. */
static void run(struct fed_https_request *r)
{
    struct fed_https_client *client = r->client;
    struct fed_diag diag = {""};
    enum fed_err err;

    if (r->deadline_ms <= now_of(client)) {
        fed_https_kept_keep(r);
        r->etag[0] = 0;
        check_over(client);
        finish(r, FED_ERR_TIMEOUT, NULL, "no answer in time");
        return;
    }
    err = start_call(r, (struct fed_span){0});
    if (err) {
        fed_diag_set(&diag, err, "%s: %s", client->peer, fed_err_text(err));
        fed_https_client_fail(client, err, &diag);
    }
}

void fed_https_requests_run(struct fed_https_client *client)
{
    struct fed_https_request *r;

    if (client->pong && client->pong_deadline_ms <= now_of(client))
        pong_end(client, FED_ERR_TIMEOUT, "no answer in time");
    while (client->state == FED_HTTPS_UP && (r = first_due(client)))
        run(r);
}
