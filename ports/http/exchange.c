/* exchange.c - see session.h: what both protocols share, and the handler's face of ports/http.h. */
#include "ports/http/session.h"

#include <string.h>

#define GZIP_ABOVE (128u * 1024u)

const char *fed_http_engine_date(struct fed_http_engine *engine)
{
    int64_t now = fed_loop_unix_s(engine->loop);

    if (now != engine->date_unix_s || !engine->date[0]) {
        engine->date_unix_s = now;
        fed_http_date(now, engine->date);
    }
    return engine->date;
}

/* ---- refusals ---- */
static void put_why(const struct fed_http_engine *engine, unsigned status, struct fed_buf *out)
{
    switch (status) {
    case 413:
        fed_buf_printf(out, "the body is longer than %zu bytes", engine->body_max);
        break;
    case 414:
        fed_buf_printf(out, "the request's target is longer than %zu bytes", engine->header_max);
        break;
    case 417:
        fed_buf_put_text(out, "only 100-continue can be expected");
        break;
    case 431:
        fed_buf_printf(out, "the header fields take more than %zu bytes, with 32 for each",
            engine->header_max);
        break;
    case 501:
        fed_buf_put_text(out, "this is no proxy");
        break;
    case 503:
        fed_buf_put_text(out, "there is no room for another request at the moment");
        break;
    case 505:
        fed_buf_put_text(out, "only HTTP/1.0, HTTP/1.1 and, by ALPN, HTTP/2 are spoken");
        break;
    default:
        fed_buf_put_text(out, "the request is not well-formed HTTP");
    }
}

const char *fed_http_refusal_body(
    struct fed_http_engine *engine, unsigned status, const char *why, struct fed_buf *body)
{
    const char *type = "text/plain";
    struct fed_buf text;

    fed_buf_init(body, engine->mem, FED_HTTP_REFUSAL_MAX);
    fed_buf_init(&text, engine->mem, FED_HTTP_REFUSAL_MAX);
    if (why)
        fed_buf_put_text(&text, why);
    else
        put_why(engine, status, &text);
    if (engine->refusal)
        type = engine->refusal(engine->ctx, status, fed_buf_cstr(&text), body);
    else
        fed_buf_printf(body, "%s\n", fed_buf_cstr(&text));
    fed_buf_fini(&text);
    if (fed_buf_err(body))
        fed_buf_clear(body);
    return type;
}

/* ---- exchanges ---- */
struct fed_http_exchange *fed_http_exchange_new(struct fed_http_session *s)
{
    struct fed_http_engine *engine = s->engine;
    struct fed_http_exchange *x = fed_alloc_zero(engine->mem, sizeof(*x));

    if (!x)
        return NULL;
    x->session = s;
    x->moved_ms = fed_loop_now_ms(engine->loop);
    x->since_ms = x->moved_ms;
    fed_http_fields_init(&x->fields, engine->mem, engine->header_max);
    fed_buf_init(&x->body, engine->mem, engine->body_max);
    fed_http_pieces_init(&x->queue, engine->mem);
    x->next = s->exchanges;
    if (x->next)
        x->next->prev = x;
    s->exchanges = x;
    s->n_exchanges++;
    s->asked = true;
    return x;
}

void fed_http_exchange_free(struct fed_http_exchange *x)
{
    struct fed_http_session *s = x->session;

    if (x->prev)
        x->prev->next = x->next;
    else
        s->exchanges = x->next;
    if (x->next)
        x->next->prev = x->prev;
    s->n_exchanges--;
    s->n_ready -= x->state == FED_HTTP_READY;
    s->n_lost -= x->lost;
    s->idle_since_ms = fed_loop_now_ms(s->engine->loop);
    fed_http_fields_fini(&x->fields);
    fed_buf_fini(&x->body);
    fed_http_pieces_fini(&x->queue);
    fed_http_exchange_queued(x);
    fed_http_share_asked_less(s->share, x->asked);
    fed_alloc_free(s->engine->mem, x, sizeof(*x));
}

/* ---- what it holds ---- */
enum fed_err fed_http_exchange_count(struct fed_http_exchange *x)
{
    size_t now = x->fields.cost + x->body.len;

    if (now > x->asked && !fed_http_share_ask(x->session->share, now - x->asked))
        return FED_ERR_BUSY;
    if (now < x->asked)
        fed_http_share_asked_less(x->session->share, x->asked - now);
    x->asked = now;
    return FED_OK;
}

void fed_http_exchange_queued(struct fed_http_exchange *x)
{
    size_t now = x->queue.len;
    size_t before = x->answered;

    if (now == before)
        return;
    x->answered = now;
    x->session->answered = x->session->answered - before + now;
    if (!x->queue.share)
        fed_http_share_answered(x->session->share, before, now);
}

void fed_http_exchange_moved(struct fed_http_exchange *x, size_t n)
{
    x->moved_ms = fed_loop_now_ms(x->session->engine->loop);
    x->paced += n;
}

static void begin_to_move(struct fed_http_exchange *x)
{
    x->moved_ms = fed_loop_now_ms(x->session->engine->loop);
    x->since_ms = x->moved_ms;
    x->paced = 0;
}

/* An absolute-form target (RFC 9112 section 3.2.2) without its scheme and authority. */
static struct fed_span origin_form(struct fed_span target)
{
    size_t colon = fed_span_find(target, ':');
    struct fed_span rest = fed_span_sub(target, colon, SIZE_MAX);

    if (!fed_span_starts(target, "/") && fed_span_starts(rest, "://")) {
        rest = fed_span_sub(rest, 3, SIZE_MAX);
        target = fed_span_sub(rest, fed_span_find(rest, '/'), SIZE_MAX);
        if (target.len == 0)
            target = FED_SPAN_LIT("/");
    }
    return target;
}

enum fed_err fed_http_exchange_headed(struct fed_http_exchange *x)
{
    struct fed_http_request *request = &x->request;
    struct fed_span target;
    size_t mark;
    enum fed_err err = fed_http_fields_finish(&x->fields);

    if (err)
        return err;
    request->method = fed_http_fields_pseudo(&x->fields, ":method");
    target = origin_form(fed_http_fields_pseudo(&x->fields, ":path"));
    if (!fed_span_starts(target, "/") && !fed_span_is(target, "*"))
        return FED_ERR_INVALID;
    mark = fed_span_find(target, '?');
    request->path = fed_span_sub(target, 0, mark);
    request->query = fed_span_sub(target, mark + 1, SIZE_MAX);
    request->headers = x->fields.list;
    request->n_headers = x->fields.n_list;
    request->peer = x->session->peer;
    request->peer_address = x->session->address;
    x->head_only = fed_span_is(request->method, "HEAD");
    return FED_OK;
}

void fed_http_exchange_ready(struct fed_http_exchange *x)
{
    x->request.body = fed_buf_span(&x->body);
    x->state = FED_HTTP_READY;
    x->session->n_ready++;
}

static bool with_handler(const struct fed_http_exchange *x)
{
    return x->state == FED_HTTP_HANDLED || x->state == FED_HTTP_STREAMING;
}

void fed_http_exchange_lose(struct fed_http_exchange *x)
{
    if (!with_handler(x)) {
        fed_http_exchange_free(x);
        return;
    }
    if (!x->lost) {
        x->lost = true;
        x->session->n_lost++;
        fed_http_pieces_fini(&x->queue);
        fed_http_exchange_queued(x);
        x->session->wake(x->session->wake_ctx);
    }
}

static void close_exchange(struct fed_http_exchange *x)
{
    struct fed_http_engine *engine = x->session->engine;

    engine->closed(engine->ctx, x);
    fed_http_exchange_free(x);
}

void fed_http_session_reap(struct fed_http_session *s)
{
    while (s->n_lost) {
        struct fed_http_exchange *x = s->exchanges;

        while (!x->lost)
            x = x->next;
        close_exchange(x);
    }
}

void fed_http_session_turn(struct fed_http_session *s)
{
    struct fed_http_exchange *oldest = NULL;

    for (struct fed_http_exchange *x = s->exchanges; x; x = x->next)
        if (x->state == FED_HTTP_READY)
            oldest = x;
    if (!oldest)
        return;
    s->n_ready--;
    oldest->state = FED_HTTP_HANDLED;
    begin_to_move(oldest);
    s->engine->handler(s->engine->ctx, oldest, &oldest->request);
}

void fed_http_session_dispatch(struct fed_http_session *s)
{
    while (s->n_ready && !s->engine->deferred)
        fed_http_session_turn(s);
}

/* ---- sessions ---- */
enum fed_err fed_http_session_new(
    const struct fed_http_session_options *options, struct fed_http_session **out)
{
    struct fed_http_session *s = NULL;
    enum fed_err err = options->http2 ? fed_http_session_init_h2(options, &s)
                                      : fed_http_session_init_h1(options, &s);

    if (err)
        return err;
    s->conn = options->conn;
    s->share = options->share ? options->share : &s->own_share;
    s->idle_since_ms = fed_loop_now_ms(options->engine->loop);
    *out = s;
    return FED_OK;
}

void fed_http_session_free(struct fed_http_session *s)
{
    if (!s)
        return;
    while (s->exchanges) {
        if (with_handler(s->exchanges))
            close_exchange(s->exchanges);
        else
            fed_http_exchange_free(s->exchanges);
    }
    fed_http_queue_fini(&s->out);
    s->ops->free(s);
}

void fed_http_session_feed(struct fed_http_session *s, struct fed_span bytes)
{
    if (!s->closing)
        s->ops->feed(s, bytes);
    fed_http_session_reap(s);
}

void fed_http_session_pull(struct fed_http_session *s)
{
    s->ops->pull(s);
    fed_http_session_reap(s);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When this exchange is over its time; FED_HTTP_NEVER while it is the handler's turn. A stream may
 * be slow: what it may be behind is bounded. */
static uint64_t exchange_due(const struct fed_http_exchange *x)
{
    bool whole = x->state == FED_HTTP_READING || x->state == FED_HTTP_ENDED;
    uint64_t due = FED_HTTP_NEVER;

    if (x->lost)
        return due;
    if (whole || x->queue.len > 0)
        due = x->moved_ms + FED_HTTP_STALL_MS;
    if (whole)
        due =
            least(due, x->since_ms + FED_HTTP_STALL_MS + (uint64_t)x->paced * 1000 / FED_HTTP_PACE);
    return due;
}

uint64_t fed_http_session_tick(struct fed_http_session *s, uint64_t now_ms)
{
    struct fed_http_exchange *next;
    uint64_t due = FED_HTTP_NEVER;

    for (struct fed_http_exchange *x = s->exchanges; x; x = next) {
        uint64_t mine = exchange_due(x);

        next = x->next;
        if (mine <= now_ms)
            s->ops->cut(x);
        else
            due = least(due, mine);
    }
    fed_http_session_reap(s);
    if (s->header_since_ms) {
        uint64_t mine = s->header_since_ms + s->engine->header_timeout_ms;

        s->closing = s->closing || mine <= now_ms;
        due = least(due, mine);
    }
    if (s->n_exchanges == 0) {
        bool first = !s->asked && s->engine->first_request_ms;
        uint64_t mine =
            s->idle_since_ms + (first ? s->engine->first_request_ms : s->engine->idle_timeout_ms);

        if (mine <= now_ms)
            fed_http_session_shutdown(s);
        due = least(due, mine);
    }
    return due;
}

/* Streams have no end of their own: ends one behind what is queued, and tells the handler. */
static bool end_one_stream(struct fed_http_session *s)
{
    struct fed_http_exchange *x = s->exchanges;

    while (x && (x->state != FED_HTTP_STREAMING || x->lost))
        x = x->next;
    if (!x)
        return false;
    fed_http_stream_last(x);
    if (x->lost) /* it was cut: the handler is told of that */
        return true;
    x->state = FED_HTTP_ENDED;
    begin_to_move(x);
    s->engine->closed(s->engine->ctx, x);
    s->ops->resume(x);
    return true;
}

void fed_http_session_shutdown(struct fed_http_session *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    s->ops->shutdown(s);
    while (end_one_stream(s))
        ;
}

/* ---- the handler's face ---- */
void fed_http_exchange_set_user(struct fed_http_exchange *exchange, void *user)
{
    exchange->user = user;
}

void *fed_http_exchange_user(const struct fed_http_exchange *exchange)
{
    return exchange->user;
}

const struct fed_http_request *fed_http_exchange_request(const struct fed_http_exchange *exchange)
{
    return &exchange->request;
}

struct fed_http_conn *fed_http_exchange_conn(const struct fed_http_exchange *exchange)
{
    return exchange->session->conn;
}

bool fed_http_answer_has_body(unsigned status)
{
    return status >= 200 && status != 204 && status != 304;
}

/* A strong one names the bytes as they are (RFC 9110 section 8.8.3). */
static bool has_strong_etag(const struct fed_http_answer *answer)
{
    struct fed_span etag;

    return fed_http_headers_find(answer->headers, answer->n_headers, "etag", &etag) &&
           !fed_span_starts(etag, "W/");
}

bool fed_http_exchange_takes_gzip(const struct fed_http_exchange *x)
{
    struct fed_span accepted;

    return fed_http_headers_find(
               x->request.headers, x->request.n_headers, "accept-encoding", &accepted) &&
           fed_http_list_accepts(accepted, "gzip");
}

static bool wants_gzip(const struct fed_http_exchange *x, const struct fed_http_answer *answer)
{
    return answer->length > GZIP_ABOVE && !x->head_only &&
           fed_http_answer_has_body(answer->status) && fed_http_exchange_takes_gzip(x) &&
           !fed_http_headers_find(answer->headers, answer->n_headers, "content-encoding", NULL) &&
           !has_strong_etag(answer);
}

/* Puts the body into the queue, as gzip when that is wanted and shorter. */
static enum fed_err queue_body(
    struct fed_http_exchange *x, struct fed_http_answer *answer, struct fed_http_shared *body)
{
    struct fed_http_shared *gzip = wants_gzip(x, answer) ? fed_http_shared_gzip(body) : NULL;

    if (gzip) {
        answer->gzip = true;
        answer->length = gzip->bytes.len;
        body = gzip;
    }
    return x->head_only || !fed_http_answer_has_body(answer->status)
               ? FED_OK
               : fed_http_pieces_put(&x->queue, body);
}

bool fed_http_answer_ok(const struct fed_http_answer *answer)
{
    if (answer->status < 200 || answer->status > 599)
        return false;
    for (size_t i = 0; i < answer->n_headers; i++)
        if (!fed_http_header_ok(&answer->headers[i]))
            return false;
    return true;
}

void fed_http_exchange_let_go(struct fed_http_exchange *x)
{
    x->state = FED_HTTP_ENDED;
    begin_to_move(x);
    if (x->lost)
        fed_http_exchange_free(x);
    else
        x->session->ops->resume(x);
}

void fed_http_respond_shared(struct fed_http_exchange *exchange, unsigned status,
    const struct fed_http_header *headers, size_t n_headers, struct fed_http_shared *body)
{
    struct fed_http_answer answer = {.status = status,
        .headers = headers,
        .n_headers = n_headers,
        .has_length = fed_http_answer_has_body(status),
        .length = body->bytes.len};
    struct fed_http_session *s = exchange->session;
    enum fed_err err = FED_OK;

    if (exchange->lost) {
        fed_http_exchange_let_go(exchange);
        return;
    }
    if (fed_http_answer_ok(&answer))
        err = queue_body(exchange, &answer, body);
    else
        answer = (struct fed_http_answer){.status = 500, .has_length = true};
    fed_http_exchange_queued(exchange);
    if (!err)
        err = s->ops->answer(exchange, &answer);
    if (err)
        s->ops->cut(exchange);
    fed_http_exchange_let_go(exchange);
}

void fed_http_respond(struct fed_http_exchange *exchange, unsigned status,
    const struct fed_http_header *headers, size_t n_headers, struct fed_span body)
{
    struct fed_http_shared *copy = fed_http_shared_copy(exchange->session->engine->mem, body);

    if (copy) {
        fed_http_respond_shared(exchange, status, headers, n_headers, copy);
        fed_http_shared_unref(copy);
        return;
    }
    if (!exchange->lost)
        exchange->session->ops->cut(exchange);
    fed_http_exchange_let_go(exchange);
}
