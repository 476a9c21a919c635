/* server_stream.c - the observation: an answer without end, of records.
 *
 * A record is its length in four bytes, most significant first, and so many bytes. One notification
 * is with HTTP at a time and one more waits, the newest: a peer that does not read costs no more.
 */
#include "ports/https/server.h"

static enum fed_err write_record(struct fed_https_exchange *x, struct fed_span body)
{
    struct fed_http_shared *record;
    struct fed_buf buf;
    enum fed_err err;

    fed_buf_init(&buf, x->server->mem, FED_HTTPS_RECORD_MAX + sizeof(uint32_t));
    fed_buf_put_u32(&buf, (uint32_t)body.len);
    fed_buf_put(&buf, body);
    err = fed_buf_err(&buf);
    record = err ? NULL : fed_http_shared_take(&buf);
    fed_buf_fini(&buf);
    if (!record)
        return err ? err : FED_ERR_NOMEM;
    err = fed_http_stream_share(x->http, record);
    fed_http_shared_unref(record);
    return err;
}

static void forget_notifications(struct fed_https_session *s)
{
    s->under_way = false;
    s->waiting = false;
    fed_buf_fini(&s->waiting_body);
}

void fed_https_stream_end(struct fed_https_session *s)
{
    struct fed_https_exchange *x = s->stream;

    forget_notifications(s);
    if (!x)
        return;
    s->stream = NULL;
    fed_http_stream_end(x->http);
    fed_https_exchange_free(x);
}

void fed_https_session_unobserve(struct fed_link_session *session)
{
    struct fed_https_session *s = (struct fed_https_session *)session;

    fed_https_stream_end(s);
    s->stream_conn = NULL;
}

/* The exchange leaves the requests that wait and becomes the stream. */
static void make_stream(struct fed_https_exchange *x)
{
    struct fed_https_session *s = x->session;
    struct fed_http_exchange *http = x->http;

    fed_https_stream_end(s);
    if (x->prev)
        x->prev->next = x->next;
    else
        s->exchanges = x->next;
    if (x->next)
        x->next->prev = x->prev;
    s->n_exchanges--;
    x->streaming = true;
    s->stream = x;
    s->stream_conn = fed_http_exchange_conn(http);
}

void fed_https_stream_begin(struct fed_https_exchange *x, struct fed_span body)
{
    struct fed_http_header headers[] = {
        {FED_SPAN_LIT("content-type"), FED_SPAN_LIT("application/vnd.fedlet.stream")},
        {FED_SPAN_LIT("cache-control"), FED_SPAN_LIT("no-store")}, {FED_SPAN_LIT("etag"), {0}}};
    size_t n_headers = 2;
    char etag[FED_HTTPS_ETAG_SIZE + 1];
    enum fed_err err;

    if (body.len > FED_HTTPS_RECORD_MAX) {
        fed_https_refuse(x->http, 500, "the answer is larger than a record", 0);
        fed_https_exchange_free(x);
        return;
    }
    /* So that a large first record which broke off can be completed by ranges. */
    if (body.len >= FED_HTTPS_RESUMABLE_MIN && fed_https_etag(body, etag) == FED_OK)
        headers[n_headers++].value = fed_span_text(etag);
    make_stream(x);
    err = fed_http_stream_begin(x->http, 200, headers, n_headers);
    if (!err)
        err = write_record(x, body);
    /* An answer that is cut off makes the agent ask again. */
    if (err)
        fed_https_stream_end(x->session);
}

/* ---- notifications ---- */
static void tell(struct fed_https_session *s, uint64_t tag, bool delivered)
{
    const struct fed_link_server_events *events = &s->server->events;

    if (!s->closed)
        events->notified(events->ctx, (struct fed_link_session *)s, tag, delivered);
}

void fed_https_stream_lost(struct fed_https_exchange *x)
{
    struct fed_https_session *s = x->session;
    bool under_way = s->under_way;
    bool waiting = s->waiting;
    uint64_t tag = s->tag;
    uint64_t waiting_tag = s->waiting_tag;

    s->stream = NULL;
    forget_notifications(s);
    fed_https_exchange_free(x);
    fed_https_session_enter(s);
    if (under_way)
        tell(s, tag, false);
    if (waiting)
        tell(s, waiting_tag, false);
    fed_https_session_leave(s);
}

static void send_waiting(struct fed_https_session *s)
{
    struct fed_buf body = s->waiting_body;

    fed_buf_init(&s->waiting_body, s->server->mem, FED_HTTPS_RECORD_MAX);
    s->waiting = false;
    s->tag = s->waiting_tag;
    s->under_way = true;
    if (write_record(s->stream, fed_buf_span(&body))) {
        fed_https_stream_end(s);
        tell(s, s->tag, false);
    }
    fed_buf_fini(&body);
}

void fed_https_stream_flushed(struct fed_https_session *s, const struct fed_http_conn *conn)
{
    if (!s->stream || s->stream_conn != conn || fed_http_stream_waiting(s->stream->http) > 0)
        return;
    fed_https_session_enter(s);
    if (s->under_way) {
        s->under_way = false;
        tell(s, s->tag, true);
    }
    if (!s->closed && s->stream && s->waiting && !s->under_way)
        send_waiting(s);
    fed_https_session_leave(s);
}

enum fed_err fed_https_notify(struct fed_link_session *session, struct fed_span body, uint64_t tag)
{
    struct fed_https_session *s = (struct fed_https_session *)session;
    enum fed_err err;

    if (!s->stream)
        return FED_ERR_NOT_FOUND;
    if (body.len > FED_HTTPS_RECORD_MAX)
        return FED_ERR_LIMIT;
    if (s->under_way || fed_http_stream_waiting(s->stream->http) > 0) {
        fed_buf_clear(&s->waiting_body);
        fed_buf_put(&s->waiting_body, body);
        err = fed_buf_err(&s->waiting_body);
        s->waiting = !err;
        s->waiting_tag = tag;
        return err;
    }
    err = write_record(s->stream, body);
    if (err)
        return err == FED_ERR_CLOSED ? FED_ERR_NOT_FOUND : err;
    s->under_way = true;
    s->tag = tag;
    return FED_OK;
}
