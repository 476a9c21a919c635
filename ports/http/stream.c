/* stream.c - answers that are written piece by piece, as they are or as gzip. */
#include "ports/http/session.h"

#define CROWDED_QUEUE_MAX 65536u /* of a stream whose client has no more room for answers */

static enum fed_err stream_begin(struct fed_http_exchange *exchange, struct fed_http_answer *answer)
{
    enum fed_err err;

    if (exchange->lost)
        return FED_ERR_CLOSED;
    if (!fed_http_answer_ok(answer) || !fed_http_answer_has_body(answer->status))
        return FED_ERR_INVALID;
    exchange->state = FED_HTTP_STREAMING;
    exchange->queue.share = exchange->session->share;
    err = exchange->session->ops->answer(exchange, answer);
    if (err) {
        exchange->session->ops->cut(exchange);
        return err;
    }
    exchange->session->ops->resume(exchange);
    return FED_OK;
}

enum fed_err fed_http_stream_begin(struct fed_http_exchange *exchange, unsigned status,
    const struct fed_http_header *headers, size_t n_headers)
{
    struct fed_http_answer answer = {.status = status, .headers = headers, .n_headers = n_headers};

    return stream_begin(exchange, &answer);
}

static enum fed_err queue_shared(struct fed_http_exchange *exchange, struct fed_http_shared *bytes)
{
    size_t waiting = exchange->queue.len;

    if (waiting > exchange->session->engine->queue_max ||
        bytes->bytes.len > exchange->session->engine->queue_max - waiting ||
        (waiting > CROWDED_QUEUE_MAX && fed_http_share_full(exchange->session->share))) {
        exchange->session->ops->cut(exchange);
        return FED_ERR_LIMIT;
    }
    if (waiting == 0)
        exchange->moved_ms = fed_loop_now_ms(exchange->session->engine->loop);
    if (fed_http_pieces_put(&exchange->queue, bytes)) {
        exchange->session->ops->cut(exchange);
        return FED_ERR_NOMEM;
    }
    exchange->streamed += bytes->bytes.len;
    fed_http_exchange_queued(exchange);
    exchange->session->ops->resume(exchange);
    return FED_OK;
}

/* One of gzip's own, at the begin or the end. */
static enum fed_err queue_frame(struct fed_http_exchange *exchange, struct fed_buf *frame)
{
    struct fed_http_shared *copy = NULL;
    enum fed_err err;

    if (!fed_buf_err(frame))
        copy = fed_http_shared_copy(exchange->session->engine->mem, fed_buf_span(frame));
    fed_buf_fini(frame);
    if (!copy) {
        exchange->session->ops->cut(exchange);
        return FED_ERR_NOMEM;
    }
    err = queue_shared(exchange, copy);
    fed_http_shared_unref(copy);
    return err;
}

enum fed_err fed_http_stream_begin_gzip(struct fed_http_exchange *exchange, unsigned status,
    const struct fed_http_header *headers, size_t n_headers)
{
    struct fed_http_answer answer = {.status = status,
        .headers = headers,
        .n_headers = n_headers,
        .gzip = !exchange->head_only && fed_http_exchange_takes_gzip(exchange)};
    struct fed_buf frame;
    enum fed_err err = stream_begin(exchange, &answer);

    if (err || !answer.gzip)
        return err;
    exchange->squeezed = true;
    fed_buf_init(&frame, exchange->session->engine->mem, FED_HTTP_GZIP_ENDS);
    fed_http_gzip_begin(&frame);
    return queue_frame(exchange, &frame);
}

static enum fed_err queue_block(struct fed_http_exchange *exchange, struct fed_http_shared *bytes)
{
    struct fed_http_shared *block = fed_http_shared_block(bytes);

    if (!block) {
        exchange->session->ops->cut(exchange);
        return FED_ERR_NOMEM;
    }
    fed_http_gzip_add(&exchange->sum, bytes->sum);
    return queue_shared(exchange, block);
}

enum fed_err fed_http_stream_share(
    struct fed_http_exchange *exchange, struct fed_http_shared *bytes)
{
    if (exchange->lost || exchange->state != FED_HTTP_STREAMING)
        return FED_ERR_CLOSED;
    if (exchange->head_only || bytes->bytes.len == 0)
        return FED_OK;
    return exchange->squeezed ? queue_block(exchange, bytes) : queue_shared(exchange, bytes);
}

enum fed_err fed_http_stream_write(struct fed_http_exchange *exchange, struct fed_span bytes)
{
    struct fed_http_shared *copy;
    enum fed_err err;

    if (exchange->lost || exchange->state != FED_HTTP_STREAMING)
        return FED_ERR_CLOSED;
    copy = fed_http_shared_copy(exchange->session->engine->mem, bytes);
    if (!copy) {
        exchange->session->ops->cut(exchange);
        return FED_ERR_NOMEM;
    }
    err = fed_http_stream_share(exchange, copy);
    fed_http_shared_unref(copy);
    return err;
}

size_t fed_http_stream_waiting(const struct fed_http_exchange *exchange)
{
    return exchange->queue.len;
}

uint64_t fed_http_stream_bytes(const struct fed_http_exchange *exchange)
{
    return exchange->streamed;
}

void fed_http_stream_last(struct fed_http_exchange *exchange)
{
    struct fed_buf frame;

    if (!exchange->squeezed || exchange->lost)
        return;
    fed_buf_init(&frame, exchange->session->engine->mem, FED_HTTP_GZIP_ENDS);
    fed_http_gzip_end(&frame, exchange->sum);
    (void)queue_frame(exchange, &frame); /* else it was cut, which is an end, too */
}

void fed_http_stream_end(struct fed_http_exchange *exchange)
{
    fed_http_stream_last(exchange);
    fed_http_exchange_let_go(exchange);
}
