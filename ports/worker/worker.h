/* worker.h - a gateway worker, shared by its files.
 *
 *   worker.c          its life, and what fedhub says
 *   worker_events.c   what its CoAP server tells fedhub
 *   worker_confine.c  what it gives up */
#ifndef FEDLET_PORTS_WORKER_WORKER_H
#define FEDLET_PORTS_WORKER_WORKER_H

#include "ports/link.h"
#include "ports/worker/stream.h"
#include "proto/base/map.h"

#define WORKER_COME_BACK_S 5u

struct worker_session {
    struct fed_link_session *link;
    uint64_t id;
    uint64_t alive_ms;                 /* told last */
    struct worker_session *next_moved; /* in the list of those whose counts are to be told, */
    struct worker_session **moved;     /* to here from it; NULL: not in it */
};
struct worker {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log log;
    struct worker_stream stream;
    struct fed_link_server *server;
    struct fed_map sessions;  /* id -> struct worker_session */
    struct fed_map exchanges; /* id -> struct fed_link_exchange */
    uint64_t last_id;
    struct fed_worker_start start; /* without its texts */
    struct worker_session *moved;
    struct fed_timer *tick;
    struct fed_worker_stats told;
    uint64_t made;    /* handshakes and the like, a tick ago */
    uint64_t trimmed; /* and when memory was given back last */
    bool slow;
    bool quiet;
    const char *ended; /* why */
};

/* ---- worker.c ---- */
void worker_send(struct worker *w, const struct fed_worker_message *message);

/* ---- worker_events.c ---- */
struct fed_link_server_events worker_events(struct worker *w);
struct fed_span worker_id_key(const uint64_t *id);
/* Something came or went: its counts are told at the next tick. */
void worker_session_moves(struct worker *w, struct worker_session *s);
void worker_tell_moved(struct worker *w);
void worker_session_free(struct worker *w, struct worker_session *s);
/* Also for what the server refused to send. */
void worker_notified(void *worker, struct fed_link_session *link, uint64_t tag, bool delivered);
void worker_unfit(void *worker, struct fed_link_session *link, uint64_t tag);

/* ---- worker_confine.c ---- */
/* No capabilities, no gain of them by a program that it might start, no new process (unless it is
 * root's), no core file with keys, and no new descriptor: so no file, socket or pipe can be opened
 * any more. Where the kernel has Landlock, no file is removed, renamed or cut short either, no
 * other process's memory read, and (Linux 6.12) no signal sent to one. What is left is what it has:
 * its UDP socket, the socket to fedhub, standard error, and system calls that need no descriptor.
 * What cannot be given up is kept: the kernel may be old. */
void worker_confine(void);

#endif
