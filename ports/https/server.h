/* server.h - the inside of the hub's HTTPS binding, on ports/http: server.c (opening, times, what
 * arrives), server_session.c (whose connections belong together), server_answer.c (codes, ranges)
 * and server_stream.c (the observation).
 *
 * A session is what its client made of a random id and its certificate. Its connections come and
 * go; with the last one it ends, and so it does with the one that carries its observation: whatever
 * was under way there is unknown then, and the agent has to say what it holds. */
#ifndef FEDLET_PORTS_HTTPS_SERVER_H
#define FEDLET_PORTS_HTTPS_SERVER_H

#include "ports/https/ask.h"
#include "ports/link.h"
#include "proto/base/map.h"

#define FED_HTTPS_SESSIONS_DEFAULT 20000u
#define FED_HTTPS_HANDSHAKES_DEFAULT 1000u /* of one address, with its guests; of all, alone */
#define FED_HTTPS_HOST_PART 2u             /* one in so many handshakes is of one address */
#define FED_HTTPS_IDLE_MS 600000u
#define FED_HTTPS_GUEST_IDLE_MS 120000u /* without a certificate there is only to join */
#define FED_HTTPS_HANDSHAKE_MS 40000u   /* also a header block, and until the first request */
#define FED_HTTPS_GUESTS_PART 4u        /* a quarter of the sessions may be guests' */
#define FED_HTTPS_CONNECTIONS_MAX 8u    /* of one session */
#define FED_HTTPS_EXCHANGES_MAX 16u     /* unanswered requests of one session */
#define FED_HTTPS_REQUEST_MAX (64u << 10)
#define FED_HTTPS_HEADER_MAX (8u << 10)
#define FED_HTTPS_RECORD_MAX (32u << 20) /* a frame is no larger */
#define FED_HTTPS_RESUMABLE_MIN 4096u    /* first records from here on have an ETag */
#define FED_HTTPS_ENDED_MAX 256u         /* sessions that we ended and still know */
#define FED_HTTPS_ENDED_MS 600000u
#define FED_HTTPS_RETRY_S 30u     /* there is no room for a session */
#define FED_HTTPS_REFUSALS_MAX 20 /* refused certificates that are logged in a minute */

struct fed_https_key {
    uint8_t id[FED_HTTPS_ID_SIZE];
    uint8_t cert[FED_HTTPS_ID_SIZE]; /* first half of the certificate's digest; zeros for none */
};

struct fed_https_session;
struct fed_https_exchange { /* behind the opaque struct fed_link_exchange */
    struct fed_https_server *server;
    struct fed_https_session *session; /* NULL: it is over */
    struct fed_http_exchange *http;    /* NULL: its peer is gone */
    struct fed_https_exchange *prev;   /* in the list of its session, or of the server's orphans */
    struct fed_https_exchange *next;
    bool get;
    bool json;
    bool observe;
    bool streaming; /* it is the session's stream, and the gateway knows it no longer */
    bool has_range;
    uint64_t from;
    struct fed_span if_range; /* in the HTTP request, which lives as long as http */
};

struct fed_https_sessions { /* that was silent for longest first */
    struct fed_https_session *first;
    struct fed_https_session *last;
    size_t n;
    uint64_t idle_ms;
};

struct fed_https_session { /* behind the opaque struct fed_link_session */
    struct fed_https_server *server;
    struct fed_https_sessions *list;
    struct fed_https_session *prev;
    struct fed_https_session *next;
    struct fed_https_key key;
    void *user;
    uint64_t alive_ms;
    unsigned busy; /* calls on the stack that still need it */
    bool closed;   /* freed when they have returned */
    struct fed_http_conn *conns[FED_HTTPS_CONNECTIONS_MAX];
    size_t n_conns;
    uint64_t past_sent; /* bytes of connections that are over */
    uint64_t past_received;
    struct fed_https_exchange *exchanges;
    size_t n_exchanges;
    /* the observation */
    struct fed_https_exchange *stream;
    struct fed_http_conn *stream_conn; /* of the last one */
    bool under_way;                    /* a notification, not all with the socket yet */
    uint64_t tag;
    bool waiting; /* one more, behind it */
    uint64_t waiting_tag;
    struct fed_buf waiting_body;
};

struct fed_https_ended {
    struct fed_https_key key;
    uint64_t until_ms;
};

struct fed_https_server {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct fed_link_server_events events;
    struct fed_http_server *http;
    struct fed_timer *timer;
    struct fed_map by_key;
    struct fed_https_sessions agents; /* with a certificate, whatever it is worth */
    struct fed_https_sessions guests;
    struct fed_https_exchange *orphans; /* not answered yet, their session is over */
    size_t sessions_max;
    struct fed_https_ended ended[FED_HTTPS_ENDED_MAX];
    size_t ended_next;
    uint64_t refusals_since_ms;
    size_t refusals;
};

/* ---- server_session.c ---- */
/* The session of a request, made when it is the first of its id; entered. FED_ERR_CLOSED: that one
 * was ended; FED_ERR_INVALID: the connection is another one's; FED_ERR_BUSY: no room;
 * FED_ERR_LIMIT: too many connections; FED_ERR_NOMEM; each with a sentence. */
FED_MUST_USE enum fed_err fed_https_session_of(struct fed_https_server *server,
    struct fed_http_exchange *http, const struct fed_https_ask *ask, struct fed_https_session **out,
    struct fed_diag *diag);
/* Whose connection it is, NULL when nobody's (yet, or any more). */
struct fed_https_session *fed_https_session_at(
    const struct fed_https_server *server, const struct fed_http_conn *conn);
void fed_https_session_alive(struct fed_https_session *session);
/* A connection of it is over; the session with it, when it was the last or its stream's. */
void fed_https_session_left(struct fed_https_session *session, struct fed_http_conn *conn);
/* Between enter and leave a callback may close the session. */
void fed_https_session_enter(struct fed_https_session *session);
void fed_https_session_leave(struct fed_https_session *session);
/* Ends those that were silent for too long; when to look again, UINT64_MAX for never. */
uint64_t fed_https_sessions_tick(struct fed_https_server *server);
void fed_https_sessions_free(struct fed_https_server *server);

/* ---- server_answer.c ---- */
/* NULL when memory is refused, or there are too many. */
struct fed_https_exchange *fed_https_exchange_new(struct fed_https_session *session,
    struct fed_http_exchange *http, const struct fed_https_ask *ask);
/* The gateway still has it, but its session is over. */
void fed_https_exchange_orphan(struct fed_https_exchange *x);
void fed_https_exchange_free(struct fed_https_exchange *x);
/* An answer of the binding's own. */
void fed_https_refuse(
    struct fed_http_exchange *http, unsigned status, const char *why, uint32_t retry_after_s);

/* ---- server_stream.c ---- */
/* Makes the exchange the session's observation, with its first record. */
void fed_https_stream_begin(struct fed_https_exchange *x, struct fed_span body);
/* In order, because a newer one begins or the session is over. */
void fed_https_stream_end(struct fed_https_session *session);
/* Its HTTP exchange is gone. */
void fed_https_stream_lost(struct fed_https_exchange *x);
/* The socket took what was written. */
void fed_https_stream_flushed(struct fed_https_session *session, const struct fed_http_conn *conn);

#endif
