/* server.h - inside the server: the listener and its connections. */
#ifndef FEDLET_PORTS_HTTP_SERVER_H
#define FEDLET_PORTS_HTTP_SERVER_H

#include "ports/http/session.h"
#include "ports/http/transport.h"

struct fed_http_conn;

struct fed_http_server {
    struct fed_http_engine engine;
    struct fed_http_shares shares;
    uint64_t round_ms; /* the loop's round, by its time, in which ... */
    int64_t spent_us;  /* ... that much went into handshakes and handlers: see turn.h */
    struct fed_log *log;
    struct fed_tls_config *tls;
    int listen_fd; /* -1: none any more */
    struct fed_watch *listen_watch;
    struct fed_timer *listen_timer; /* to listen again when descriptors ran out */
    uint16_t port;
    unsigned connections_max;
    bool no_probes;
    bool paused;
    bool client_may_have_ended;
    unsigned handshakes_max;
    unsigned client_handshakes_max;
    size_t n_handshakes;           /* under way: */
    struct fed_http_conn *shaking; /* oldest first */
    struct fed_http_conn *shaking_last;
    struct fed_http_server_stats stats; /* but for connections */
    unsigned client_connections_max;
    unsigned certificate_connections_max;
    struct fed_http_conn_events events;
    struct fed_http_conn *conns;
    size_t n_conns;
    struct fed_http_conn *dirty; /* to be stepped, oldest first */
    struct fed_http_conn *dirty_last;
    size_t n_dirty;
    struct fed_timer *flush_timer; /* steps the dirty ones */
    struct fed_timer *grace_timer; /* while shutting down */
    fed_loop_call *done;
    void *done_ctx;
    bool stopping;
    uint64_t crowded_ms; /* when it was said that connections are many; 0: never */
};

enum fed_http_place { FED_HTTP_NOWHERE, FED_HTTP_WAITING, FED_HTTP_PARKED };

struct fed_http_conn {
    struct fed_http_server *server;
    struct fed_http_share *share;
    enum fed_http_place place; /* in the share's queues */
    struct fed_http_conn *prev_waiting;
    struct fed_http_conn *next_waiting;
    struct fed_http_conn *prev;
    struct fed_http_conn *next;
    struct fed_http_conn *next_dirty;
    struct fed_http_conn *prev_shaking; /* of the handshakes under way */
    struct fed_http_conn *next_shaking;
    bool shaking;
    uint64_t heard_ms; /* while it is: when its peer made it go on */
    struct fed_http_transport transport;
    struct fed_http_session *session; /* after the handshake */
    struct fed_timer *timer;
    uint64_t moved_ms; /* last time that bytes went out, or the present state began */
    size_t discarded;  /* bytes while lingering */
    bool dirty;
    bool stepping;
    bool lingering;
    bool greeted;     /* the first byte was looked at */
    bool ending;      /* fed_http_conn_end was called */
    bool unflushed;   /* bytes went since flushed was told */
    bool resting;     /* its buffers were given back, and no bytes moved since */
    uint64_t rest_ms; /* when they are to be */
    struct fed_tls_traffic traffic;
    void *user;
    char address[64];
};

/* Takes fd in any case, and the place in share. */
void fed_http_conn_open(
    struct fed_http_server *server, int fd, const char *address, struct fed_http_share *share);
/* Whether it can be given up for another one without taking anything from its client. */
bool fed_http_conn_is_idle(const struct fed_http_conn *conn);
/* Whether the client's room for answers has some for this connection; a handshake needs none. */
bool fed_http_conn_may_answer(const struct fed_http_conn *conn);
/* Counts conn for another client, from when it is known who that is; false: that one has too many.
 */
FED_MUST_USE bool fed_http_server_recount(struct fed_http_conn *conn, const char *client);
/* Handlers that have its exchanges are told. */
void fed_http_conn_free(struct fed_http_conn *conn);
/* Reads, answers and writes as far as it goes; may free the connection. */
void fed_http_conn_step(struct fed_http_conn *conn);
/* The same with a turn: its handshake or one of its requests is due. */
void fed_http_conn_turn(struct fed_http_conn *conn);
/* Has it stepped soon. */
void fed_http_conn_mark(struct fed_http_conn *conn);

#endif
