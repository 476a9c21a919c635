/* queue.h - bytes that wait to be sent: written at the end, taken from the front without moving
 * what stays. */
#ifndef FEDLET_PORTS_HTTP_QUEUE_H
#define FEDLET_PORTS_HTTP_QUEUE_H

#include "proto/base/buf.h"

struct fed_http_queue {
    struct fed_buf buf;
    size_t at; /* bytes of buf that were taken */
};

static inline void fed_http_queue_init(struct fed_http_queue *q, struct fed_alloc *mem)
{
    fed_buf_init(&q->buf, mem, SIZE_MAX / 2);
    q->at = 0;
}

static inline void fed_http_queue_fini(struct fed_http_queue *q)
{
    fed_buf_fini(&q->buf);
    q->at = 0;
}

static inline size_t fed_http_queue_len(const struct fed_http_queue *q)
{
    return q->buf.len - q->at;
}

/* What waits; valid until the next change. */
static inline struct fed_span fed_http_queue_span(const struct fed_http_queue *q)
{
    return fed_span_sub(fed_buf_span(&q->buf), q->at, SIZE_MAX);
}

/* Takes n bytes, n <= len. An empty queue gives its memory back: thousands of them are idle. */
static inline void fed_http_queue_drop(struct fed_http_queue *q, size_t n)
{
    q->at += n;
    if (q->at == q->buf.len) {
        fed_http_queue_fini(q);
    } else if (q->at >= 65536 && q->at > q->buf.len / 2) {
        fed_buf_drop(&q->buf, q->at);
        q->at = 0;
    }
}

#endif
