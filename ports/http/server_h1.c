/* server_h1.c - HTTP/1.1 (RFC 9112) for session.h: llhttp parses, one exchange at a time, the rest
 * waits unparsed. */
#include "ports/http/session.h"

#include <llhttp.h>
#include <string.h>

#define PENDING_MAX 65536u /* bytes of further requests kept while one is answered */
#define CHUNK_MAX 16384u

struct h1 {
    struct fed_http_session base;
    llhttp_t parser;
    struct fed_http_exchange *x; /* the present one */
    struct fed_buf pending;
    unsigned refuse; /* status with which the parser's callbacks refuse; 0: none */
    bool keep_alive; /* after this exchange */
    bool chunked;    /* this answer */
    bool close_delimited;
};

static struct h1 *of(struct fed_http_session *s)
{
    return (struct h1 *)(void *)s;
}

/* "" for those we do not name; the phrase is optional (RFC 9112 section 4). */
static const char *reason_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "";
}

/* ---- parser callbacks ---- */
static int refuse(struct h1 *h, unsigned status)
{
    h->refuse = status;
    return HPE_USER;
}

static int checked(struct h1 *h, enum fed_err err, unsigned over_limit)
{
    if (err)
        return refuse(h, err == FED_ERR_LIMIT ? over_limit : err == FED_ERR_NOMEM ? 503 : 400);
    return 0;
}

static int on_begin(llhttp_t *parser)
{
    struct h1 *h = parser->data;

    h->x = fed_http_exchange_new(&h->base);
    if (!h->x)
        return refuse(h, 503);
    h->base.header_since_ms = fed_loop_now_ms(h->base.engine->loop);
    return checked(h, fed_http_fields_name(&h->x->fields, FED_SPAN_LIT(":path")), 431);
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct h1 *h = parser->data;

    return checked(h, fed_http_fields_value(&h->x->fields, fed_span_of(at, len)), 414);
}

static int on_url_complete(llhttp_t *parser)
{
    struct h1 *h = parser->data;

    return checked(h, fed_http_fields_end(&h->x->fields), 414);
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    struct h1 *h = parser->data;

    /* Trailers are read and dropped. */
    if (h->x->request.method.len)
        return 0;
    return checked(h, fed_http_fields_name(&h->x->fields, fed_span_of(at, len)), 431);
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct h1 *h = parser->data;

    if (h->x->request.method.len)
        return 0;
    return checked(h, fed_http_fields_value(&h->x->fields, fed_span_of(at, len)), 431);
}

static int on_value_complete(llhttp_t *parser)
{
    struct h1 *h = parser->data;

    if (h->x->request.method.len)
        return 0;
    return checked(h, fed_http_fields_end(&h->x->fields), 431);
}

/* RFC 9112 section 3.2: exactly one Host in HTTP/1.1, at most one before. */
static bool host_ok(const struct h1 *h)
{
    const struct fed_http_request *request = &h->x->request;
    size_t n = fed_http_headers_count(request->headers, request->n_headers, "host");

    return n == 1 || (n == 0 && h->parser.http_minor == 0);
}

static int expect(struct h1 *h)
{
    const struct fed_http_request *request = &h->x->request;
    bool has_body = (h->parser.flags & F_CHUNKED) || h->parser.content_length > 0;
    struct fed_span value;

    if (!fed_http_headers_find(request->headers, request->n_headers, "expect", &value) ||
        h->parser.http_minor == 0)
        return 0;
    if (!fed_http_list_accepts(value, "100-continue"))
        return refuse(h, 417);
    if (has_body) {
        fed_buf_put_text(&h->base.out.buf, "HTTP/1.1 100 Continue\r\n\r\n");
        h->base.wake(h->base.wake_ctx);
    }
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct h1 *h = parser->data;
    struct fed_http_exchange *x = h->x;
    const char *method = llhttp_method_name(parser->method);
    int rc;

    h->base.header_since_ms = 0;
    if (parser->http_major != 1 || parser->http_minor > 1)
        return refuse(h, 505);
    if (parser->method == HTTP_CONNECT)
        return refuse(h, 501);
    rc = checked(
        h, fed_http_fields_add(&x->fields, FED_SPAN_LIT(":method"), fed_span_text(method)), 431);
    if (!rc)
        rc = checked(h, fed_http_exchange_headed(x), 431);
    if (rc)
        return rc;
    if (!host_ok(h))
        return refuse(h, 400);
    if (fed_http_exchange_count(x))
        return refuse(h, 503);
    if ((parser->flags & F_CONTENT_LENGTH) && parser->content_length > h->base.engine->body_max)
        return refuse(h, 413);
    /* An offer to change the protocol is not taken up: RFC 9110 section 7.8. */
    parser->upgrade = 0;
    return expect(h);
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct h1 *h = parser->data;

    fed_buf_put(&h->x->body, fed_span_of(at, len));
    fed_http_exchange_moved(h->x, len);
    if (!fed_buf_err(&h->x->body) && fed_http_exchange_count(h->x))
        return refuse(h, 503);
    return checked(h, fed_buf_err(&h->x->body), 413);
}

static int on_message_complete(llhttp_t *parser)
{
    struct h1 *h = parser->data;

    h->keep_alive = llhttp_should_keep_alive(parser) && parser->http_minor == 1;
    fed_http_exchange_ready(h->x);
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_url_complete = on_url_complete,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ---- reading ---- */
/* Answers what could not be understood, and closes: nobody knows where the next request would
 * begin. */
static void refuse_request(struct h1 *h, unsigned status)
{
    struct fed_buf *out = &h->base.out.buf;
    struct fed_buf body;
    const char *type = fed_http_refusal_body(h->base.engine, status, NULL, &body);

    if (h->x) {
        fed_http_exchange_free(h->x);
        h->x = NULL;
    }
    fed_buf_printf(out,
        "HTTP/1.1 %u %s\r\ncontent-type: %s\r\ncontent-length: %zu\r\n%sconnection: close\r\n"
        "date: %s\r\n\r\n",
        status, reason_of(status), type, body.len, status == 503 ? "retry-after: 1\r\n" : "",
        fed_http_engine_date(h->base.engine));
    fed_buf_put(out, fed_buf_span(&body));
    fed_buf_fini(&body);
    h->base.header_since_ms = 0;
    h->base.closing = true;
    h->base.linger = true;
}

static bool accepts_request(const struct h1 *h)
{
    return !h->base.closing && (!h->x || h->x->state == FED_HTTP_READING);
}

/* Parses up to the end of one request; returns what is left. */
static struct fed_span parse(struct h1 *h, struct fed_span bytes)
{
    const char *at = (const char *)bytes.at;
    llhttp_errno_t rc = llhttp_execute(&h->parser, at, bytes.len);
    size_t used = bytes.len;

    if (rc == HPE_PAUSED) {
        used = (size_t)(llhttp_get_error_pos(&h->parser) - at);
        llhttp_resume(&h->parser);
    } else if (rc != HPE_OK) {
        refuse_request(h, h->refuse ? h->refuse : 400);
    }
    return fed_span_sub(bytes, used, SIZE_MAX);
}

/* Keeps what comes before its turn. */
static void keep(struct h1 *h, struct fed_span bytes)
{
    fed_buf_put(&h->pending, bytes);
    if (fed_buf_err(&h->pending))
        h->base.closing = true;
    h->base.full = h->pending.len > PENDING_MAX / 2;
}

static void h1_feed(struct fed_http_session *s, struct fed_span bytes)
{
    struct h1 *h = of(s);

    while (bytes.len && accepts_request(h)) {
        bytes = parse(h, bytes);
        fed_http_session_dispatch(s);
    }
    if (bytes.len && !s->closing)
        keep(h, bytes);
}

/* ---- answering ---- */
static enum fed_err h1_answer(struct fed_http_exchange *x, const struct fed_http_answer *answer)
{
    struct h1 *h = of(x->session);
    struct fed_buf *out = &h->base.out.buf;

    if (h->base.stopping)
        h->keep_alive = false;
    h->close_delimited = !answer->has_length && h->parser.http_minor == 0;
    h->chunked = !answer->has_length && !h->close_delimited && x->state == FED_HTTP_STREAMING;
    fed_buf_printf(out, "HTTP/1.1 %u %s\r\n", answer->status, reason_of(answer->status));
    for (size_t i = 0; i < answer->n_headers; i++) {
        const struct fed_http_header *header = &answer->headers[i];

        if (fed_http_header_is_framing(header->name))
            continue;
        fed_buf_put(out, header->name);
        fed_buf_put_text(out, ": ");
        fed_buf_put(out, header->value);
        fed_buf_put_text(out, "\r\n");
    }
    if (answer->has_length)
        fed_buf_printf(out, "content-length: %zu\r\n", answer->length);
    if (answer->gzip)
        fed_buf_put_text(out, "content-encoding: gzip\r\nvary: accept-encoding\r\n");
    if (h->chunked)
        fed_buf_put_text(out, "transfer-encoding: chunked\r\n");
    if (!h->keep_alive || h->close_delimited)
        fed_buf_put_text(out, "connection: close\r\n");
    fed_buf_printf(out, "date: %s\r\n\r\n", fed_http_engine_date(h->base.engine));
    return fed_buf_err(out);
}

static void h1_resume(struct fed_http_exchange *x)
{
    x->session->wake(x->session->wake_ctx);
}

static void h1_cut(struct fed_http_exchange *x)
{
    struct h1 *h = of(x->session);

    /* HTTP/1.1 has one way to break an answer off. What was not sent of it is dropped. */
    h->x = NULL;
    h->base.closing = true;
    h->base.linger = false;
    fed_http_queue_fini(&h->base.out);
    h->base.wake(h->base.wake_ctx);
    fed_http_exchange_lose(x);
}

/* Moves up to CHUNK_MAX bytes of the answer; false when there is nothing to move now. */
static bool move(struct h1 *h)
{
    struct fed_http_exchange *x = h->x;
    struct fed_buf *out = &h->base.out.buf;
    size_t n = x->queue.len < CHUNK_MAX ? x->queue.len : CHUNK_MAX;

    if (n > 0) {
        if (h->chunked)
            fed_buf_printf(out, "%zx\r\n", n);
        fed_http_pieces_move(&x->queue, n, out);
        if (h->chunked)
            fed_buf_put_text(out, "\r\n");
        fed_http_exchange_queued(x);
        fed_http_exchange_moved(x, n);
        return true;
    }
    if (x->state != FED_HTTP_ENDED)
        return false;
    if (h->chunked && !x->head_only)
        fed_buf_put_text(out, "0\r\n\r\n");
    fed_http_exchange_free(x);
    h->x = NULL;
    h->base.closing = h->base.closing || !h->keep_alive || h->close_delimited;
    return true;
}

/* Feeds what waited for its turn. */
static void next_request(struct h1 *h)
{
    struct fed_buf pending = h->pending;

    fed_buf_init(&h->pending, h->base.engine->mem, PENDING_MAX);
    h->base.full = false;
    h1_feed(&h->base, fed_buf_span(&pending));
    fed_buf_fini(&pending);
}

static void h1_pull(struct fed_http_session *s)
{
    struct h1 *h = of(s);

    while (fed_http_queue_len(&s->out) < FED_HTTP_OUT_MARK) {
        if (h->x && h->x->state != FED_HTTP_READING) {
            if (!move(h))
                break;
        } else if (h->pending.len && !s->closing) {
            next_request(h);
        } else {
            break;
        }
    }
    if (fed_buf_err(&s->out.buf) && h->x)
        h1_cut(h->x);
}

static void h1_shutdown(struct fed_http_session *s)
{
    struct h1 *h = of(s);

    h->keep_alive = false;
    s->closing = s->closing || !h->x || h->x->state == FED_HTTP_READING;
    s->wake(s->wake_ctx);
}

static void h1_free(struct fed_http_session *s)
{
    struct h1 *h = of(s);

    fed_buf_fini(&h->pending);
    fed_alloc_free(s->engine->mem, h, sizeof(*h));
}

static const struct fed_http_session_ops ops = {
    .free = h1_free,
    .feed = h1_feed,
    .pull = h1_pull,
    .answer = h1_answer,
    .resume = h1_resume,
    .cut = h1_cut,
    .shutdown = h1_shutdown,
};

enum fed_err fed_http_session_init_h1(
    const struct fed_http_session_options *options, struct fed_http_session **out)
{
    struct fed_alloc *mem = options->engine->mem;
    struct h1 *h = fed_alloc_zero(mem, sizeof(*h));

    if (!h)
        return FED_ERR_NOMEM;
    h->base = (struct fed_http_session){.ops = &ops,
        .engine = options->engine,
        .peer = options->peer,
        .address = options->address,
        .wake = options->wake,
        .wake_ctx = options->wake_ctx};
    fed_http_queue_init(&h->base.out, mem);
    fed_buf_init(&h->pending, mem, PENDING_MAX);
    llhttp_init(&h->parser, HTTP_REQUEST, &settings);
    h->parser.data = h;
    *out = &h->base;
    return FED_OK;
}
