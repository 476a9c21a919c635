/* worker.h - a gateway worker, shared by its files.
 *
 *   worker.c          its life, and what fedhub says
 *   worker_events.c   what its servers tell fedhub
 *   worker_https.c    its HTTPS server, and both as one
 *   worker_confine.c  what it gives up
 *   worker_filter.c   which system calls are left to it */
#ifndef FEDLET_PORTS_WORKER_WORKER_H
#define FEDLET_PORTS_WORKER_WORKER_H

#include "ports/link.h"
#include "ports/worker/stream.h"
#include "proto/base/map.h"

#define WORKER_COME_BACK_S 5u

struct worker;
struct worker_binding {
    struct worker *worker;
    const struct fed_link_calls *calls;
    bool https;
    struct fed_map exchanges; /* id -> struct fed_link_exchange */
};
struct worker_session {
    struct worker_binding *binding;
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
    struct fed_https_server *https_server; /* NULL: none */
    struct worker_binding coap;
    struct worker_binding https;
    struct fed_map sessions; /* id -> struct worker_session */
    uint64_t last_id;
    struct fed_worker_start start; /* without its texts */
    struct worker_session *moved;
    struct fed_timer *tick;
    struct fed_worker_stats told;
    struct fed_worker_stats https_told;
    uint64_t made;     /* handshakes and the like, a tick ago */
    uint64_t trimmed;  /* and when memory was given back last */
    bool going;        /* it may take something ... */
    bool slow;         /* ... unless fedhub does not */
    bool quiet;        /* ... or the end is near */
    const char *ended; /* why */
};

/* ---- worker.c ---- */
void worker_send(struct worker *w, const struct fed_worker_message *message);

/* ---- worker_https.c ---- */
/* What the binding's events and calls need. */
void worker_bindings_init(struct worker *w);
void worker_bindings_fini(struct worker *w);
FED_MUST_USE enum fed_err worker_https_open(
    struct worker *w, const struct fed_worker_start *start, struct fed_diag *diag);
/* Descriptors that its connections take, and some more. */
unsigned worker_https_descriptors(const struct fed_worker_start *start);
/* Whether both take anything. */
void worker_pause(struct worker *w);
/* Tells figures that are others than those told before. */
void worker_tell_stats(struct worker *w);
/* Ends all sessions by HTTPS in order, then tells DONE. */
void worker_https_finish(struct worker *w);

/* ---- worker_events.c ---- */
struct fed_link_server_events worker_events(struct worker_binding *binding);
struct fed_span worker_id_key(const uint64_t *id);
/* Something came or went: its counts are told at the next tick. */
void worker_session_moves(struct worker *w, struct worker_session *s);
void worker_tell_moved(struct worker *w);
void worker_session_free(struct worker *w, struct worker_session *s);
/* Also for what the server refused to send. */
void worker_notified(void *binding, struct fed_link_session *link, uint64_t tag, bool delivered);
void worker_unfit(void *binding, struct fed_link_session *link, uint64_t tag);

/* ---- worker_confine.c ---- */
/* No capabilities, no gain of them by a program that it might start, no new process (unless it is
 * root's), no core file with keys, and no descriptor beyond so many: with 0 no file, socket or pipe
 * can be opened any more; else there are as many as connections may be accepted. Where the kernel
 * has Landlock, no file is removed, renamed or cut short either, no other process's memory read,
 * and (Linux 6.12) no signal sent to one. What is left is what it has: its UDP socket, the socket
 * to fedhub, standard error, and system calls that need no descriptor. What cannot be given up is
 * kept: the kernel may be old. */
void worker_confine(unsigned descriptors);

/* ---- worker_filter.c ---- */
/* From here on a system call that no worker makes ends the process. Needs no_new_privs. False where
 * there is no filter: a kernel without, another architecture, or a build with sanitizers. */
bool worker_filter(void);

#endif
