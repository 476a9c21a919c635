/* pool.h - fedhub's side of the gateway workers, shared by its files.
 *
 *   pool.c          opening, closing, saving; what is the same for all workers
 *   pool_process.c  one worker's process: started, watched, started again
 *   pool_link.c     messages of workers as events of ports/link.h, and its functions as messages
 *   pool_https.c    sessions by HTTPS, which may have connections at several workers */
#ifndef FEDLET_PORTS_WORKER_POOL_H
#define FEDLET_PORTS_WORKER_POOL_H

#include "ports/link.h"
#include "ports/worker/stream.h"
#include "proto/base/map.h"

#include <sys/types.h>

#define POOL_IPC_FD 3 /* in a worker */
#define POOL_UDP_FD 4
#define POOL_TCP_FD 5

#define POOL_BODIES_MAX                                                                            \
    (48u << 20) /* waiting for one worker: beyond it agents are told to come back */
#define POOL_WAITING_MAX (96u << 20) /* beyond it the worker is ended */
#define POOL_STALL_MS 20000u
#define POOL_BACK_OFF_MS 100u
#define POOL_BACK_OFF_MAX_MS 10000u
#define POOL_SOUND_MS 60000u /* one that lived that long had no trouble with its start */
#define POOL_END_MS 3000u    /* for a worker to close its sessions and to end */
#define POOL_COME_BACK_S 5u
#define POOL_ADDRESS_SIZE 72u
#define POOL_NOTIFY_COAP_MAX 1024u /* a datagram */
#define POOL_ENDED_MAX 256u        /* sessions by HTTPS that are over and still known */
#define POOL_ENDED_MS 600000u
#define POOL_KEY_SIZE 32u
#define POOL_KNOCKS_MAX 2500u /* more would only wait for each other's handshakes */

enum pool_state {
    POOL_DOWN,    /* no process; started again when its timer says */
    POOL_RUNNING, /* may not have read its first message yet: they wait in order */
    POOL_QUIET,   /* takes no datagrams any more, everything before was given on */
    POOL_DONE     /* has saved its sessions */
};

struct pool_session {
    struct pool_worker *worker;
    uint64_t id;
    void *user;
    struct fed_link_stats stats; /* as told last */
    bool https;
    struct pool_joint *joint;       /* by HTTPS: what it is a part of; NULL: that is over */
    struct pool_session *next_part; /* of it */
    char address[POOL_ADDRESS_SIZE];
    struct pool_session *next;
    struct pool_session **link; /* to here from the worker's list */
};
/* A session by HTTPS: what its workers have of it. */
struct pool_joint {
    struct fed_worker_pool *pool;
    uint8_t key[POOL_KEY_SIZE]; /* the id that its peer gave it, half of its certificate's digest */
    void *user;
    struct pool_session *parts;  /* at least one */
    struct pool_session *stream; /* that carries the observation; NULL: none */
    struct fed_link_stats past;  /* of parts that are over */
    uint64_t touched_ms;         /* when the others were told of life at one */
};
struct pool_ended {
    uint8_t key[POOL_KEY_SIZE];
    uint64_t until_ms;
};
struct pool_exchange {
    struct fed_worker_pool *pool;
    struct pool_worker *worker; /* NULL: it ended */
    uint64_t id;
    uint64_t observer; /* the part that observes if the answer is good; 0: none */
    struct pool_exchange *next;
    struct pool_exchange **link;
};
struct pool_worker {
    struct fed_worker_pool *pool;
    unsigned index;
    int udp_fd;
    int tcp_fd; /* 0: no HTTPS */
    pid_t pid;
    enum pool_state state;
    struct worker_stream stream;
    bool stream_open;
    const char *lost;        /* it is to be ended, and why */
    bool watched;            /* the timer will look whether it takes what waits */
    struct fed_timer *timer; /* DOWN: start; else: look whether it takes what waits */
    uint64_t started_ms;
    uint32_t back_off_ms;
    struct fed_map by_id;
    struct pool_session *sessions;
    struct pool_exchange *exchanges;
    struct fed_buf knocks; /* where sessions were that the next process does not know */
    size_t n_knocks;
    struct fed_worker_stats stats; /* of the present process */
    struct fed_worker_stats https_stats;
};
struct fed_worker_pool {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct fed_link_server_events events;
    struct fed_link_server_events https_events;
    struct fed_map joints;
    struct pool_ended ended[POOL_ENDED_MAX];
    size_t ended_next;
    unsigned n;
    struct pool_worker *workers;
    uint16_t port;
    uint16_t https_port;
    bool going;
    bool ending;
    unsigned log_level;
    struct fed_link_server_options server;
    struct fed_link_server_options https; /* listen NULL: none */
    struct fed_buf cert_pem;
    struct fed_buf chain_pem;
    struct fed_buf key_pem;
    struct fed_buf client_ca_pem;
    struct fed_worker_stats before; /* of processes that have ended */
    struct fed_worker_stats https_before;
    struct pool_exchange *orphans; /* of workers that have ended */
    struct fed_timer *timer;       /* of saving */
    void (*lost)(void *ctx);       /* may be NULL */
    void *lost_ctx;
    void (*quiet)(void *ctx);
    fed_link_saved *each;
    void (*done)(void *ctx);
    void *save_ctx;
};

/* ---- pool.c ---- */
uint64_t pool_clock_ms(void); /* monotonic, of this moment: for waits outside the loop */
/* A worker reached another state while the pool is being saved. */
void pool_saving_goes_on(struct fed_worker_pool *pool);

/* ---- pool_process.c ---- */
/* Starts the process; when that fails it is tried again later. */
void pool_worker_start(struct pool_worker *worker);
/* Ends it whatever it does: its sessions are closed. It is started again unless the pool ends. */
void pool_worker_lose(struct pool_worker *worker, const char *why);
void pool_worker_due(void *worker); /* its timer */
/* Lets it end by itself, then waits for it; end_ms is monotonic. */
void pool_worker_end(struct pool_worker *worker, uint64_t end_ms);
/* Sends; what cannot be sent ends the worker (not inside the call). */
void pool_worker_send(struct pool_worker *worker, const struct fed_worker_message *message);

/* ---- pool_link.c ---- */
void pool_link_message(struct pool_worker *worker, const struct fed_worker_message *message);
/* Says to those whose sessions were lost with the process before that they should look. */
void pool_link_knock(struct pool_worker *worker);
/* All its sessions are closed, its exchanges orphaned. why NULL: closed is not called. */
void pool_link_clear(struct pool_worker *worker, const char *why);
/* The session of that name; NULL: it is over. */
struct pool_session *pool_link_find(const struct pool_worker *worker, uint64_t id);
/* The worker is to end it; nothing of it is here any more. */
void pool_link_end(struct pool_session *session);

/* ---- pool_https.c ---- */
/* A worker has a part of a session: the first one makes it, and opened is called; the part of one
 * that is over stays alone (joint NULL). False: there is no memory, and the part is freed. */
bool pool_https_opened(
    struct pool_session *part, struct fed_span id, const struct fed_link_peer *peer);
/* The part is over; so is the session, with its last one or the one that observes. Frees nothing of
 * the part. why NULL: closed is not called. */
void pool_https_left(struct pool_session *part, const char *why);
/* Life at one part. The session may be over afterwards. */
void pool_https_alive(struct pool_session *part);
/* The answer that makes it observe was sent. */
void pool_https_observes(struct pool_session *part);

#endif
