/* stream.c - see stream.h. */
#include "ports/worker/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_PART (64u << 10)
#define KEPT_BYTES (256u << 10) /* an empty buffer that is larger gives its memory back */

size_t worker_stream_waiting(const struct worker_stream *stream)
{
    return stream->out.len - stream->out_at;
}

void worker_stream_break(struct worker_stream *s)
{
    s->is_broken = true;
    /* An error would be told again and again, whatever is watched for. */
    if (s->watch)
        s->loop->watch_free(s->loop->ctx, s->watch);
    s->watch = NULL;
}

static void breaks(struct worker_stream *s, const char *why)
{
    if (s->is_broken)
        return;
    worker_stream_break(s);
    s->events.broken(s->events.ctx, why);
}

static void shrink(struct fed_buf *buf)
{
    struct fed_alloc *mem = buf->mem;
    size_t limit = buf->limit;

    if (buf->len > 0 || buf->cap <= KEPT_BYTES)
        return;
    fed_buf_fini(buf);
    fed_buf_init(buf, mem, limit);
}

/* ---- out ---- */

static void sent(struct worker_stream *s, size_t n)
{
    s->out_at += n;
    s->progress_ms = fed_loop_now_ms(s->loop);
    if (s->out_at == s->out.len) {
        fed_buf_clear(&s->out);
        s->out_at = 0;
        shrink(&s->out);
    } else if (s->out_at > s->out.len / 2) {
        fed_buf_drop(&s->out, s->out_at);
        s->out_at = 0;
    }
}

void worker_stream_flush(struct worker_stream *s)
{
    bool any = false;

    while (!s->is_broken && worker_stream_waiting(s) > 0) {
        ssize_t n = send(
            s->fd, s->out.at + s->out_at, worker_stream_waiting(s), MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n < 0) {
            breaks(s, strerror(errno));
            return;
        }
        sent(s, (size_t)n);
        any = true;
    }
    if (s->is_broken)
        return;
    s->loop->watch_set(s->loop->ctx, s->watch,
        FED_LOOP_READ | (worker_stream_waiting(s) > 0 ? FED_LOOP_WRITE : 0));
    if (any)
        s->events.drained(s->events.ctx);
}

static void on_flush(void *ctx)
{
    worker_stream_flush(ctx);
}

bool worker_stream_send(struct worker_stream *s, const struct fed_worker_message *message)
{
    if (s->is_broken)
        return false;
    if (worker_stream_waiting(s) == 0)
        s->progress_ms = fed_loop_now_ms(s->loop);
    fed_worker_put(&s->out, message);
    if (fed_buf_err(&s->out)) {
        worker_stream_break(s);
        return false;
    }
    s->loop->timer_set(s->loop->ctx, s->flush, fed_loop_now_ms(s->loop));
    return true;
}

/* ---- in ---- */

static enum fed_err take_all(struct worker_stream *s)
{
    size_t at = 0;
    enum fed_err err = FED_OK;

    while (!err && !s->is_broken) {
        struct fed_span rest = fed_span_sub(fed_buf_span(&s->in), at, s->in.len);
        struct fed_worker_message message;
        size_t size;

        err = fed_worker_size(rest, s->side, &size);
        if (err || size == 0 || size > rest.len)
            break;
        err = fed_worker_take(fed_span_sub(rest, 0, size), s->side, &message);
        if (!err)
            s->events.message(s->events.ctx, &message);
        at += size;
    }
    fed_buf_drop(&s->in, at);
    shrink(&s->in);
    return err;
}

static void on_ready(void *ctx, unsigned events)
{
    struct worker_stream *s = ctx;
    uint8_t *room;
    ssize_t n;
    enum fed_err err;

    if (events & FED_LOOP_WRITE)
        worker_stream_flush(s);
    if (s->is_broken || !(events & (FED_LOOP_READ | FED_LOOP_ERROR)))
        return;
    room = fed_buf_room(&s->in, READ_PART);
    if (!room) {
        breaks(s, fed_err_text(fed_buf_err(&s->in)));
        return;
    }
    do
        n = recv(s->fd, room, READ_PART, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    if (n <= 0) {
        breaks(s, n == 0 ? "it is gone" : strerror(errno));
        return;
    }
    fed_buf_grew(&s->in, (size_t)n);
    err = take_all(s);
    if (err)
        breaks(s, "it sent what is no message");
}

/* ---- begin and end ---- */

enum fed_err worker_stream_init(struct worker_stream *s, struct fed_alloc *mem,
    struct fed_loop *loop, int fd, enum fed_worker_side side, size_t out_max,
    const struct worker_stream_events *events)
{
    enum fed_err err;
    size_t in_max = side == FED_WORKER_FEDHUB ? FED_WORKER_UP_MAX : FED_WORKER_DOWN_MAX;

    *s =
        (struct worker_stream){.mem = mem, .loop = loop, .events = *events, .side = side, .fd = fd};
    fed_buf_init(&s->in, mem, FED_WORKER_HEAD_SIZE + in_max + READ_PART);
    fed_buf_init(&s->out, mem, out_max);
    err = loop->timer_new(loop->ctx, on_flush, s, &s->flush);

    return err ? err : loop->watch_new(loop->ctx, fd, FED_LOOP_READ, on_ready, s, &s->watch);
}

void worker_stream_fini(struct worker_stream *s)
{
    if (s->watch)
        s->loop->watch_free(s->loop->ctx, s->watch);
    s->loop->timer_free(s->loop->ctx, s->flush);
    if (s->fd >= 0)
        close(s->fd);
    s->watch = NULL;
    s->flush = NULL;
    s->fd = -1;
    s->is_broken = true;
    fed_buf_fini(&s->in);
    fed_buf_fini(&s->out);
    s->out_at = 0;
}
