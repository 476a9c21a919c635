/* server_h2.c - HTTP/2 (RFC 9113) for session.h: nghttp2 frames, exchanges are its streams.
 *
 * nghttp2's own limits stay on (CONTINUATION frames, SETTINGS entries, outstanding
 * acknowledgements); its stream reset limit is replaced by buckets of our own, which also charge
 * resets that the peer provokes and frames that do nothing. */
#include "ports/http/limit.h"
#include "ports/http/memory.h"
#include "ports/http/session.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>

#define STREAM_WINDOW (256 * 1024)
#define CONNECTION_WINDOW (1024 * 1024)
#define RESET_BURST 500u /* a controller that restarts cancels some hundred watches at once */
#define RESET_PER_S 100u
#define IDLE_FRAME_BURST 1000u /* SETTINGS, PING, PRIORITY, empty DATA */
#define IDLE_FRAME_PER_S 200u
#define FLOOD_FACTOR 4u /* a header block so many times over its limit ends the connection */
#define FRAME_HEAD 9u   /* RFC 9113 section 4.1 */
#define BODIES_MIN                                                                                 \
    (16u * 1024u * 1024u) /* all incomplete bodies of a connection, or four of body_max */

struct h2 {
    struct fed_http_session base;
    nghttp2_session *ng;
    struct fed_http_limit resets;
    struct fed_http_limit idle_frames;
    size_t flooded; /* header bytes of the present block beyond the limit */
    size_t bodies;  /* bytes of incomplete bodies */
};

static struct h2 *of(struct fed_http_session *s)
{
    return (struct h2 *)(void *)s;
}

static struct fed_http_exchange *exchange_of(struct h2 *h, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(h->ng, stream_id);
}

static uint64_t now_ms(const struct h2 *h)
{
    return fed_loop_now_ms(h->base.engine->loop);
}

static int fatal_unless(bool allowed)
{
    return allowed ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int charge_reset(struct h2 *h)
{
    return fatal_unless(fed_http_limit_take(&h->resets, RESET_BURST, RESET_PER_S, now_ms(h)));
}

static int charge_idle_frame(struct h2 *h)
{
    return fatal_unless(
        fed_http_limit_take(&h->idle_frames, IDLE_FRAME_BURST, IDLE_FRAME_PER_S, now_ms(h)));
}

/* Takes the exchange off its stream. */
static void detach(struct h2 *h, struct fed_http_exchange *x)
{
    if (x->state == FED_HTTP_READING)
        h->bodies -= x->body.len;
    if (x->stream_id > 0)
        nghttp2_session_set_stream_user_data(h->ng, x->stream_id, NULL);
    x->stream_id = 0;
}

static void reset(struct h2 *h, struct fed_http_exchange *x, uint32_t code)
{
    int rc = nghttp2_submit_rst_stream(h->ng, NGHTTP2_FLAG_NONE, x->stream_id, code);

    h->base.closing = h->base.closing || nghttp2_is_fatal(rc);
    detach(h, x);
    fed_http_exchange_lose(x);
}

/* ---- answering ---- */
/* Says how much goes into the next frame; send_answer puts it there. */
static nghttp2_ssize read_answer(nghttp2_session *ng, int32_t stream_id, uint8_t *to, size_t size,
    uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct fed_http_exchange *x = nghttp2_session_get_stream_user_data(ng, stream_id);
    size_t n;

    (void)to;
    (void)source;
    (void)user;
    if (!x)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    n = x->queue.len < size ? x->queue.len : size;
    if (n == 0 && x->state != FED_HTTP_ENDED)
        return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (x->state == FED_HTTP_ENDED && n == x->queue.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (nghttp2_ssize)n;
}

static int send_answer(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t n,
    nghttp2_data_source *source, void *user)
{
    struct h2 *h = user;
    struct fed_http_exchange *x = exchange_of(h, frame->hd.stream_id);
    struct fed_buf *out = &h->base.out.buf;

    (void)ng;
    (void)source;
    if (!x)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (fed_http_queue_len(&h->base.out) >= FED_HTTP_OUT_MARK)
        return NGHTTP2_ERR_WOULDBLOCK; /* asked again by the next pull */
    fed_buf_put(out, fed_span_of(head, FRAME_HEAD));
    fed_http_pieces_move(&x->queue, n, out);
    fed_http_exchange_queued(x);
    fed_http_exchange_moved(x, n);
    return fatal_unless(!fed_buf_err(out));
}

static nghttp2_nv nv_of(struct fed_span name, struct fed_span value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.at,
        .value = (uint8_t *)(uintptr_t)value.at,
        .namelen = name.len,
        .valuelen = value.len};
}

static nghttp2_nv nv_text(const char *name, const char *value)
{
    return nv_of(fed_span_text(name), fed_span_text(value));
}

static enum fed_err submit(
    struct h2 *h, struct fed_http_exchange *x, const nghttp2_nv *nv, size_t n, bool with_body)
{
    nghttp2_data_provider2 provider = {.read_callback = read_answer};
    int rc = nghttp2_submit_response2(h->ng, x->stream_id, nv, n, with_body ? &provider : NULL);

    return rc == 0 ? FED_OK : rc == NGHTTP2_ERR_NOMEM ? FED_ERR_NOMEM : FED_ERR_INTERNAL;
}

static enum fed_err h2_answer(struct fed_http_exchange *x, const struct fed_http_answer *answer)
{
    struct h2 *h = of(x->session);
    struct fed_alloc *mem = h->base.engine->mem;
    size_t room = answer->n_headers + 6;
    nghttp2_nv *nv = fed_alloc_array(mem, room, sizeof(*nv));
    char status[16];
    char length[32];
    size_t n = 0;
    bool has_body;
    enum fed_err err;

    if (!nv)
        return FED_ERR_NOMEM;
    snprintf(status, sizeof(status), "%u", answer->status);
    snprintf(length, sizeof(length), "%zu", answer->length);
    nv[n++] = nv_text(":status", status);
    for (size_t i = 0; i < answer->n_headers; i++)
        if (!fed_http_header_is_framing(answer->headers[i].name))
            nv[n++] = nv_of(answer->headers[i].name, answer->headers[i].value);
    if (answer->has_length)
        nv[n++] = nv_text("content-length", length);
    if (answer->gzip) {
        nv[n++] = nv_text("content-encoding", "gzip");
        nv[n++] = nv_text("vary", "accept-encoding");
    }
    nv[n++] = nv_text("date", fed_http_engine_date(h->base.engine));
    has_body = answer->has_length ? answer->length > 0 : x->state == FED_HTTP_STREAMING;
    err = submit(h, x, nv, n, has_body && !x->head_only);
    fed_alloc_free(mem, nv, room * sizeof(*nv));
    return err;
}

static void h2_resume(struct fed_http_exchange *x)
{
    struct h2 *h = of(x->session);
    /* INVALID_ARGUMENT: it is not waiting for data; then it asks by itself. */
    int rc = nghttp2_session_resume_data(h->ng, x->stream_id);

    h->base.closing = h->base.closing || nghttp2_is_fatal(rc);
    h->base.wake(h->base.wake_ctx);
}

static void h2_cut(struct fed_http_exchange *x)
{
    struct fed_http_session *s = x->session;

    reset(of(s), x, NGHTTP2_INTERNAL_ERROR);
    s->wake(s->wake_ctx);
}

/* The port's own answer to a request that it does not take. What still comes of it is dropped. */
static void refuse(struct h2 *h, struct fed_http_exchange *x, unsigned status)
{
    struct fed_http_shared *body;
    struct fed_buf text;
    struct fed_http_header headers[2] = {{FED_SPAN_LIT("content-type"), fed_span_of(NULL, 0)},
        {FED_SPAN_LIT("retry-after"), FED_SPAN_LIT("1")}};
    struct fed_http_answer answer = {.status = status,
        .headers = headers,
        .n_headers = status == 503 ? 2 : 1,
        .has_length = true};

    if (x->state == FED_HTTP_READING)
        h->bodies -= x->body.len;
    fed_buf_fini(&x->body);
    (void)!fed_http_exchange_count(x);
    x->refused = true;
    x->state = FED_HTTP_ENDED;
    x->moved_ms = now_ms(h);
    x->since_ms = x->moved_ms;
    x->paced = 0;
    x->head_only = fed_span_is(fed_http_fields_pseudo(&x->fields, ":method"), "HEAD");
    headers[0].value = fed_span_text(fed_http_refusal_body(h->base.engine, status, NULL, &text));
    body = fed_http_shared_take(&text);
    fed_buf_fini(&text);
    if (body && !fed_http_pieces_put(&x->queue, body))
        answer.length = body->bytes.len;
    fed_http_shared_unref(body);
    fed_http_exchange_queued(x);
    if (h2_answer(x, &answer))
        reset(h, x, NGHTTP2_INTERNAL_ERROR);
}

/* ---- nghttp2 callbacks ---- */
static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    struct fed_http_exchange *x;

    h->flooded = 0;
    h->base.header_since_ms = now_ms(h);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    x = fed_http_exchange_new(&h->base);
    if (!x)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    x->stream_id = frame->hd.stream_id;
    if (nghttp2_session_set_stream_user_data(ng, x->stream_id, x) == 0)
        return 0;
    fed_http_exchange_free(x);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct h2 *h = user;
    struct fed_http_exchange *x = exchange_of(h, frame->hd.stream_id);
    enum fed_err err = FED_ERR_LIMIT;

    (void)ng;
    (void)flags;
    if (x && !x->refused && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        err = fed_http_fields_add(
            &x->fields, fed_span_of(name, name_len), fed_span_of(value, value_len));
    if (err == FED_OK)
        return 0;
    if (x && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        x->refused = true; /* answered when the block is complete */
    h->flooded += name_len + value_len + 32;
    return fatal_unless(h->flooded <= FLOOD_FACTOR * h->base.engine->header_max);
}

static void on_request_headers(struct h2 *h, struct fed_http_exchange *x, bool complete)
{
    struct fed_span length;
    uint64_t n = 0;
    enum fed_err err;

    if (x->refused) {
        refuse(h, x, 431);
        return;
    }
    err = fed_http_exchange_headed(x);
    if (err) {
        refuse(h, x, err == FED_ERR_NOMEM ? 503 : 400);
        return;
    }
    if (fed_http_exchange_count(x)) {
        refuse(h, x, 503);
        return;
    }
    if (complete)
        fed_http_exchange_ready(x);
    else if (fed_http_headers_find(
                 x->request.headers, x->request.n_headers, "content-length", &length) &&
             (fed_span_to_u64(length, &n) || n > h->base.engine->body_max))
        refuse(h, x, 413);
}

static int on_stream_frame(struct h2 *h, const nghttp2_frame *frame)
{
    struct fed_http_exchange *x = exchange_of(h, frame->hd.stream_id);
    bool complete = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

    if (frame->hd.type == NGHTTP2_HEADERS)
        h->base.header_since_ms = 0;
    if (frame->hd.type == NGHTTP2_DATA && frame->hd.length == 0 && !complete)
        return charge_idle_frame(h);
    if (!x || x->state != FED_HTTP_READING)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        on_request_headers(h, x, complete);
    } else if (complete) {
        h->bodies -= x->body.len;
        fed_http_exchange_ready(x);
    }
    return 0;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;

    (void)ng;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        return on_stream_frame(h, frame);
    case NGHTTP2_RST_STREAM:
        return charge_reset(h);
    case NGHTTP2_SETTINGS:
        h->base.header_since_ms = 0;
        return charge_idle_frame(h);
    case NGHTTP2_PING:
    case NGHTTP2_PRIORITY:
        return charge_idle_frame(h);
    default:
        return 0;
    }
}

static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int code, void *user)
{
    struct h2 *h = user;

    (void)ng;
    (void)frame;
    (void)code;
    h->base.header_since_ms = 0;
    return charge_idle_frame(h);
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t stream_id, const uint8_t *at,
    size_t len, void *user)
{
    struct h2 *h = user;
    struct fed_http_exchange *x = exchange_of(h, stream_id);
    size_t bodies_max = 4 * h->base.engine->body_max;

    (void)flags;
    if (!x || x->state != FED_HTTP_READING)
        return nghttp2_session_consume_connection(ng, len);
    fed_buf_put(&x->body, fed_span_of(at, len));
    if (fed_buf_err(&x->body)) {
        refuse(h, x, fed_buf_err(&x->body) == FED_ERR_LIMIT ? 413 : 503);
        return nghttp2_session_consume_connection(ng, len);
    }
    fed_http_exchange_moved(x, len);
    h->bodies += len;
    if (h->bodies > (bodies_max > BODIES_MIN ? bodies_max : BODIES_MIN) ||
        fed_http_exchange_count(x)) {
        refuse(h, x, 503);
        return nghttp2_session_consume_connection(ng, len);
    }
    return nghttp2_session_consume(ng, stream_id, len);
}

/* A refused request's stream ends with its answer, whatever the peer still wants to send. */
static int on_frame_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    struct fed_http_exchange *x;

    if (frame->hd.type == NGHTTP2_RST_STREAM)
        return charge_reset(h);
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    x = exchange_of(h, frame->hd.stream_id);
    if (x && x->refused)
        return nghttp2_submit_rst_stream(
            ng, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t stream_id, uint32_t code, void *user)
{
    struct h2 *h = user;
    struct fed_http_exchange *x = exchange_of(h, stream_id);

    (void)ng;
    (void)code;
    if (x) {
        detach(h, x);
        fed_http_exchange_lose(x);
    }
    return 0;
}

/* ---- the session ---- */
static void h2_feed(struct fed_http_session *s, struct fed_span bytes)
{
    struct h2 *h = of(s);
    nghttp2_ssize rc = nghttp2_session_mem_recv2(h->ng, bytes.at, bytes.len);

    if (rc < 0) {
        uint32_t code =
            rc == NGHTTP2_ERR_NOMEM ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_ENHANCE_YOUR_CALM;

        /* The last word; when even that fails there is none. */
        s->closing = true;
        if (rc != NGHTTP2_ERR_BAD_CLIENT_MAGIC &&
            nghttp2_session_terminate_session(h->ng, code) == 0)
            s->ops->pull(s);
        return;
    }
    if (!nghttp2_session_want_read(h->ng) && !nghttp2_session_want_write(h->ng))
        s->closing = true;
    fed_http_session_dispatch(s);
}

static void h2_pull(struct fed_http_session *s)
{
    struct h2 *h = of(s);

    while (fed_http_queue_len(&s->out) < FED_HTTP_OUT_MARK) {
        const uint8_t *at;
        nghttp2_ssize n = nghttp2_session_mem_send2(h->ng, &at);

        if (n > 0)
            fed_buf_put(&s->out.buf, fed_span_of(at, (size_t)n));
        if (n < 0 || fed_buf_err(&s->out.buf))
            s->closing = true;
        if (n <= 0 || fed_buf_err(&s->out.buf))
            break;
    }
    if (!nghttp2_session_want_read(h->ng) && !nghttp2_session_want_write(h->ng))
        s->closing = true;
}

static void h2_shutdown(struct fed_http_session *s)
{
    struct h2 *h = of(s);
    int32_t last = nghttp2_session_get_last_proc_stream_id(h->ng);

    if (nghttp2_submit_goaway(h->ng, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0))
        s->closing = true;
    s->wake(s->wake_ctx);
}

static void h2_free(struct fed_http_session *s)
{
    struct h2 *h = of(s);

    nghttp2_session_del(h->ng);
    fed_alloc_free(s->engine->mem, h, sizeof(*h));
}

static const struct fed_http_session_ops ops = {
    .free = h2_free,
    .feed = h2_feed,
    .pull = h2_pull,
    .answer = h2_answer,
    .resume = h2_resume,
    .cut = h2_cut,
    .shutdown = h2_shutdown,
};

static int make_callbacks(nghttp2_session_callbacks **out)
{
    int rc = nghttp2_session_callbacks_new(out);

    if (rc)
        return rc;
    nghttp2_session_callbacks_set_on_begin_headers_callback(*out, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(*out, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(*out, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(*out, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(*out, on_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(*out, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(*out, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(*out, send_answer);
    return 0;
}

static int make_options(nghttp2_option **out)
{
    int rc = nghttp2_option_new(out);

    if (rc)
        return rc;
    nghttp2_option_set_no_auto_window_update(*out, 1);
    nghttp2_option_set_no_closed_streams(*out, 1);
    nghttp2_option_set_server_fallback_rfc7540_priorities(*out, 0);
    nghttp2_option_set_max_continuations(*out, 8);
    nghttp2_option_set_stream_reset_rate_limit(*out, UINT32_MAX, UINT32_MAX); /* see charge_reset */
    return 0;
}

static int make_session(struct h2 *h)
{
    nghttp2_mem mem = {.mem_user_data = h->base.engine->mem,
        .malloc = fed_http_memory_get,
        .free = fed_http_memory_free,
        .calloc = fed_http_memory_zero,
        .realloc = fed_http_memory_resize};
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h->base.engine->streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)h->base.engine->header_max},
    };
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int rc = make_callbacks(&callbacks);

    if (!rc)
        rc = make_options(&option);
    if (!rc)
        rc = nghttp2_session_server_new3(&h->ng, callbacks, h, option, &mem);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    if (!rc)
        rc = nghttp2_submit_settings(
            h->ng, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0]));
    if (!rc)
        rc = nghttp2_session_set_local_window_size(h->ng, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    return rc;
}

enum fed_err fed_http_session_init_h2(
    const struct fed_http_session_options *options, struct fed_http_session **out)
{
    struct fed_alloc *mem = options->engine->mem;
    struct h2 *h = fed_alloc_zero(mem, sizeof(*h));

    if (!h)
        return FED_ERR_NOMEM;
    h->base = (struct fed_http_session){.ops = &ops,
        .engine = options->engine,
        .peer = options->peer,
        .address = options->address,
        .wake = options->wake,
        .wake_ctx = options->wake_ctx,
        .header_since_ms = fed_loop_now_ms(options->engine->loop)};
    fed_http_queue_init(&h->base.out, mem);
    h->resets = (struct fed_http_limit){RESET_BURST, fed_loop_now_ms(options->engine->loop)};
    h->idle_frames = (struct fed_http_limit){IDLE_FRAME_BURST, h->resets.since_ms};
    if (make_session(h)) {
        nghttp2_session_del(h->ng);
        fed_alloc_free(mem, h, sizeof(*h));
        return FED_ERR_NOMEM;
    }
    *out = &h->base;
    return FED_OK;
}
