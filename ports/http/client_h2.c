/* client_h2.c - HTTP/2 for the client: all calls are streams of one link, or of more when one is
 * full. */
#include "ports/http/client.h"
#include "ports/http/memory.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

#define STREAM_WINDOW (256 * 1024)
#define CONNECTION_WINDOW (1024 * 1024)
#define OUT_MARK 32768u

struct h2 {
    struct fed_http_link *link;
    nghttp2_session *ng;
};

static struct fed_http_call *call_of(nghttp2_session *ng, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(ng, stream_id);
}

/* After a user's callback: nothing goes on when the client was closed in it. */
static int unless_closed(const struct h2 *h)
{
    return h->link->client->closed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static void h2_cancel(struct fed_http_link *link, struct fed_http_call *call)
{
    struct h2 *h = link->protocol;

    if (call->stream_id <= 0)
        return;
    nghttp2_session_set_stream_user_data(h->ng, call->stream_id, NULL);
    /* When memory is refused the stream stays open at the peer until the connection ends. */
    if (nghttp2_submit_rst_stream(h->ng, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_CANCEL))
        link->draining = true;
    call->stream_id = 0;
    fed_http_client_kick(link->client);
}

/* Ends a call whose answer we do not accept. */
static void refuse(struct h2 *h, struct fed_http_call *call, enum fed_err err, const char *text)
{
    struct fed_diag diag = {{0}};

    fed_diag_set(&diag, err, "%s: %s", h->link->client->authority, text);
    h2_cancel(h->link, call);
    fed_http_call_finish(call, err, &diag);
}

/* ---- nghttp2 callbacks ---- */
static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct h2 *h = user;
    struct fed_http_call *call = call_of(ng, frame->hd.stream_id);
    enum fed_err err;

    (void)flags;
    if (!call || call->headed)
        return 0;
    call->heard = true;
    err = fed_http_fields_add(
        &call->fields, fed_span_of(name, name_len), fed_span_of(value, value_len));
    if (!err)
        return 0;
    refuse(h, call, err, "answer's headers are too large");
    return unless_closed(h);
}

/* The header block of an answer, or of an interim one before it. */
static int on_head(struct h2 *h, struct fed_http_call *call)
{
    uint64_t status = 0;
    enum fed_err err = fed_span_to_u64(fed_http_fields_pseudo(&call->fields, ":status"), &status);

    if (!err && status < 200) {
        fed_http_fields_fini(&call->fields);
        fed_http_fields_init(&call->fields, h->link->client->mem, FED_HTTP_CLIENT_HEADER_MAX);
        return 0;
    }
    if (!err)
        err = fed_http_fields_finish(&call->fields);
    if (err) {
        refuse(h, call, err, "bad answer");
        return unless_closed(h);
    }
    call->status = (unsigned)status;
    (void)fed_http_call_head(call);
    return unless_closed(h);
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    struct fed_http_call *call;

    if (frame->hd.type == NGHTTP2_GOAWAY) {
        h->link->draining = true;
        fed_http_client_kick(h->link->client);
        return 0;
    }
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        fed_loop_call *pong = h->link->client->pong;

        h->link->client->pong = NULL;
        if (pong)
            pong(h->link->client->pong_ctx);
        return unless_closed(h);
    }
    if (frame->hd.type == NGHTTP2_SETTINGS)
        fed_http_client_kick(h->link->client);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    call = call_of(ng, frame->hd.stream_id);
    if (!call)
        return 0;
    call->ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_HEADERS && !call->headed)
        return on_head(h, call);
    return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t stream_id, const uint8_t *at,
    size_t len, void *user)
{
    struct h2 *h = user;
    struct fed_http_call *call = call_of(ng, stream_id);

    (void)flags;
    if (call)
        (void)fed_http_call_data(call, fed_span_of(at, len));
    return unless_closed(h);
}

static int on_stream_close(nghttp2_session *ng, int32_t stream_id, uint32_t code, void *user)
{
    struct h2 *h = user;
    struct fed_http_call *call = call_of(ng, stream_id);
    struct fed_diag diag = {{0}};

    if (!call)
        return 0;
    call->stream_id = 0;
    nghttp2_session_set_stream_user_data(ng, stream_id, NULL);
    if (call->ended && call->headed) {
        fed_http_call_finish(call, FED_OK, NULL);
    } else {
        fed_diag_set(&diag, FED_ERR_NETWORK, "%s: stream reset: %s", h->link->client->authority,
            nghttp2_http2_strerror(code));
        fed_http_call_lost(call, code == NGHTTP2_REFUSED_STREAM, FED_ERR_NETWORK, &diag);
    }
    return unless_closed(h);
}

static nghttp2_ssize read_body(nghttp2_session *ng, int32_t stream_id, uint8_t *to, size_t size,
    uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct fed_http_call *call = call_of(ng, stream_id);
    struct fed_span piece;

    (void)source;
    (void)user;
    if (!call)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    piece = fed_span_sub(fed_buf_span(&call->body), call->body_sent, size);
    if (piece.len)
        memcpy(to, piece.at, piece.len);
    call->body_sent += piece.len;
    if (call->body_sent == call->body.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (nghttp2_ssize)piece.len;
}

/* ---- the link's operations ---- */
static int make_session(struct h2 *h)
{
    nghttp2_mem mem = {.mem_user_data = h->link->client->mem,
        .malloc = fed_http_memory_get,
        .free = fed_http_memory_free,
        .calloc = fed_http_memory_zero,
        .realloc = fed_http_memory_resize};
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, FED_HTTP_CLIENT_HEADER_MAX},
    };
    nghttp2_session_callbacks *callbacks = NULL;
    int rc = nghttp2_session_callbacks_new(&callbacks);

    if (rc)
        return rc;
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    rc = nghttp2_session_client_new3(&h->ng, callbacks, h, NULL, &mem);
    nghttp2_session_callbacks_del(callbacks);
    if (!rc)
        rc = nghttp2_submit_settings(
            h->ng, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0]));
    if (!rc)
        rc = nghttp2_session_set_local_window_size(h->ng, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    return rc;
}

static void h2_free(struct fed_http_link *link)
{
    struct h2 *h = link->protocol;

    nghttp2_session_del(h->ng);
    fed_alloc_free(link->client->mem, h, sizeof(*h));
    link->protocol = NULL;
}

static enum fed_err h2_start(struct fed_http_link *link)
{
    struct h2 *h = fed_alloc_zero(link->client->mem, sizeof(*h));

    if (!h)
        return FED_ERR_NOMEM;
    h->link = link;
    link->protocol = h;
    if (make_session(h) == 0)
        return FED_OK;
    h2_free(link);
    return FED_ERR_NOMEM;
}

static enum fed_err h2_feed(
    struct fed_http_link *link, struct fed_span bytes, struct fed_diag *diag)
{
    struct h2 *h = link->protocol;
    nghttp2_ssize rc = nghttp2_session_mem_recv2(h->ng, bytes.at, bytes.len);

    if (rc >= 0 || link->client->closed)
        return FED_OK;
    return fed_diag_set(diag, FED_ERR_NETWORK, "HTTP/2: %s", nghttp2_strerror((int)rc));
}

static enum fed_err h2_pull(struct fed_http_link *link, struct fed_diag *diag)
{
    struct h2 *h = link->protocol;

    while (fed_http_queue_len(&link->out) < OUT_MARK) {
        const uint8_t *at;
        nghttp2_ssize n = nghttp2_session_mem_send2(h->ng, &at);

        if (n < 0)
            return fed_diag_set(diag, FED_ERR_NETWORK, "HTTP/2: %s", nghttp2_strerror((int)n));
        if (n == 0)
            break;
        fed_buf_put(&link->out.buf, fed_span_of(at, (size_t)n));
        if (fed_buf_err(&link->out.buf))
            return fed_buf_err(&link->out.buf);
    }
    if (!nghttp2_session_want_read(h->ng) && !nghttp2_session_want_write(h->ng)) {
        link->draining = true;
        if (link->n_calls && fed_http_queue_len(&link->out) == 0)
            return fed_diag_set(diag, FED_ERR_NETWORK, "HTTP/2 session ended");
    }
    return FED_OK;
}

static bool h2_takes(struct fed_http_link *link)
{
    struct h2 *h = link->protocol;
    uint32_t most =
        nghttp2_session_get_remote_settings(h->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

    if (!nghttp2_session_check_request_allowed(h->ng)) {
        link->draining = true; /* stream numbers are used up, or GOAWAY */
        return false;
    }
    return link->n_calls < most;
}

static nghttp2_nv nv_of(struct fed_span name, struct fed_span value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.at,
        .value = (uint8_t *)(uintptr_t)value.at,
        .namelen = name.len,
        .valuelen = value.len};
}

static size_t write_fields(const struct fed_http_call *call, nghttp2_nv *nv)
{
    const struct fed_http_fields *request = &call->request;
    struct fed_span authority = fed_span_text(call->client->authority);
    size_t n = 0;

    (void)fed_http_headers_find(request->list, request->n_list, "host", &authority);
    nv[n++] = nv_of(FED_SPAN_LIT(":method"), fed_http_fields_pseudo(request, ":method"));
    nv[n++] = nv_of(FED_SPAN_LIT(":scheme"), FED_SPAN_LIT("https"));
    nv[n++] = nv_of(FED_SPAN_LIT(":authority"), authority);
    nv[n++] = nv_of(FED_SPAN_LIT(":path"), fed_http_fields_pseudo(request, ":path"));
    for (size_t i = 0; i < request->n_list; i++) {
        nghttp2_nv field = nv_of(request->list[i].name, request->list[i].value);

        if (fed_span_is(request->list[i].name, "host"))
            continue;
        if (fed_span_is(request->list[i].name, "authorization"))
            field.flags = NGHTTP2_NV_FLAG_NO_INDEX; /* RFC 7541 section 7.1.3 */
        nv[n++] = field;
    }
    return n;
}

static enum fed_err h2_submit(struct fed_http_link *link, struct fed_http_call *call)
{
    struct h2 *h = link->protocol;
    size_t room = call->request.n_list + 4;
    nghttp2_nv *nv = fed_alloc_array(link->client->mem, room, sizeof(*nv));
    nghttp2_data_provider2 body = {.read_callback = read_body};
    int32_t id;

    if (!nv)
        return FED_ERR_NOMEM;
    id = nghttp2_submit_request2(
        h->ng, NULL, nv, write_fields(call, nv), call->body.len ? &body : NULL, call);
    fed_alloc_free(link->client->mem, nv, room * sizeof(*nv));
    if (id < 0)
        return id == NGHTTP2_ERR_NOMEM ? FED_ERR_NOMEM : FED_ERR_NETWORK;
    call->stream_id = id;
    return FED_OK;
}

static void h2_eof(struct fed_http_link *link)
{
    link->draining = true;
}

static enum fed_err h2_ping(struct fed_http_link *link)
{
    struct h2 *h = link->protocol;

    return nghttp2_submit_ping(h->ng, NGHTTP2_FLAG_NONE, NULL) ? FED_ERR_NOMEM : FED_OK;
}

const struct fed_http_link_ops fed_http_link_h2 = {
    .start = h2_start,
    .free = h2_free,
    .feed = h2_feed,
    .pull = h2_pull,
    .takes = h2_takes,
    .submit = h2_submit,
    .cancel = h2_cancel,
    .eof = h2_eof,
    .ping = h2_ping,
};
