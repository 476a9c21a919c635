/* stream.h - messages over one non-blocking local socket, at either end.
 *
 * What is sent in one turn of the loop goes out together in the next. What the other end does not
 * take waits here, and the owner decides by its size what to do about it. */
#ifndef FEDLET_PORTS_WORKER_STREAM_H
#define FEDLET_PORTS_WORKER_STREAM_H

#include "ports/loop.h"
#include "proto/worker/worker.h"

struct worker_stream_events {
    void *ctx;
    void (*message)(void *ctx, const struct fed_worker_message *message);
    void (*drained)(void *ctx); /* something that waited went out */
    /* The other end is gone, or is not itself. Nothing is called any more; the owner calls fini
     * later, not inside. */
    void (*broken)(void *ctx, const char *why);
};
struct worker_stream {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct worker_stream_events events;
    enum fed_worker_side side; /* that reads here */
    int fd;
    struct fed_watch *watch;
    struct fed_buf in;
    struct fed_buf out;
    size_t out_at;           /* of out, so much is gone */
    uint64_t progress_ms;    /* when bytes went out last, or nothing waited */
    struct fed_timer *flush; /* set for now while something new is to go out */
    bool is_broken;
};

/* The descriptor is the stream's from now on. The struct must not move. out_max: FED_WORKER_*_MAX
 * at least. FED_ERR_NOMEM; call fini all the same. */
FED_MUST_USE enum fed_err worker_stream_init(struct worker_stream *stream, struct fed_alloc *mem,
    struct fed_loop *loop, int fd, enum fed_worker_side side, size_t out_max,
    const struct worker_stream_events *events);
void worker_stream_fini(struct worker_stream *stream);
/* False when there is no room or no memory: the stream is broken then (broken is not called). */
bool worker_stream_send(struct worker_stream *stream, const struct fed_worker_message *message);
void worker_stream_flush(struct worker_stream *stream);
/* Nothing is taken any more, and nothing called. */
void worker_stream_break(struct worker_stream *stream);
size_t worker_stream_waiting(const struct worker_stream *stream);

#endif
