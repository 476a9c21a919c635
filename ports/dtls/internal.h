/* internal.h - server and session as the files of this folder see them.
 *
 * A datagram is routed to a session by its connection ID or its address, or, a ClientHello, to the
 * scratch session. The scratch session is no state of anybody: it answers with a cookie and is
 * reset. Only when a ClientHello brings the cookie back does it become a handshake, and a new
 * scratch session is made for the next one.
 *
 *   scratch -> handshake -> open -> dead
 *
 * One session at most is in the library's hands at a time (server->current); a session that its own
 * callback closes is freed when the library has returned. */
#ifndef FEDLET_PORTS_DTLS_INTERNAL_H
#define FEDLET_PORTS_DTLS_INTERNAL_H

#include "ports/dtls.h"
#include "ports/dtls/address.h"
#include "ports/dtls/recall.h"
#include "ports/tls/mbed.h"

#include <mbedtls/ssl_cookie.h>

#define DTLS_CID_SIZE 8u
#define DTLS_DATAGRAM_MAX                                                                          \
    2048u /* larger ones are not ours: records are FED_DTLS_RECORD_MAX, flights DTLS_MTU */
#define DTLS_HELLO_MARK 4u       /* tells a ClientHello that comes late from a new one */
#define DTLS_BATCH 32u           /* datagrams per system call */
#define DTLS_BATCHES_PER_WAKE 8u /* then other descriptors get their turn */
#define DTLS_MTU 1232u           /* UDP payload of the smallest IPv6 link */
#define DTLS_MTU_NARROW                                                                            \
    448u /* then of a path that carries 500 bytes, with IPv6 headers; RFC 6347 section 4.1.1.1 */
#define DTLS_NARROW_TRIES 2u      /* time-outs of flights before that is tried */
#define DTLS_RETRY_FLOOR_MS 1000u /* RFC 6347 section 4.2.4.1 */
#define DTLS_RETRY_CEILING_MS 16000u
#define DTLS_HANDSHAKE_MS 40000u /* 1 + 2 + 4 + 8 + 16 s of retransmission, and some */
#define DTLS_HOST_PART 2u        /* one in so many of all handshakes at most is of one host */
#define DTLS_HOSTS 1024u         /* counters */
#define DTLS_WAITING 1024u       /* buckets of the table of ClientHellos that wait */
#define DTLS_WAITING_SIZE 512u   /* of one that is kept */
#define DTLS_WAITING_MS 20000u   /* one that is not repeated that long is forgotten */
#define DTLS_WAITING_LOOK_MS 10u /* while some wait, room is looked for that often */
#define DTLS_IDENTITY_MAX 128u   /* of a PSK */
#define DTLS_KEY_MAX 64u
#define DTLS_FAILURE_LOGS_PER_MINUTE 20u
#define DTLS_CREDIT_US 100000 /* time for handshakes that may be saved up, and overdrawn */
#define DTLS_COOKIE_CREDIT_US                                                                      \
    250000 /* for cookies: 10,000 peers that come back all at once get theirs */

enum dtls_state { DTLS_SCRATCH, DTLS_HANDSHAKE, DTLS_OPEN, DTLS_DEAD };

/* What only a handshake needs. */
struct dtls_handshake {
    struct fed_mbed_verify verify;
    uint64_t soft_due_ms; /* the library's retransmission timer; hard 0: not running */
    uint64_t hard_due_ms;
    uint64_t deadline_ms;
    unsigned tries;                           /* flights that were not answered in time */
    uint8_t client_random[32];                /* tells a repeated ClientHello from a new one */
    char psk_identity[DTLS_IDENTITY_MAX + 1]; /* empty: not a PSK handshake */
    struct dtls_parked *parked;               /* waits for its key */
    char key_identity[DTLS_IDENTITY_MAX + 1]; /* whose key was waited for */
    struct fed_buf psk_key;                   /* that came; empty: refused */
    struct dtls_recall_made made;             /* for the next time */
};

/* A datagram with a PSK identity whose key was asked for. */
struct dtls_parked {
    struct fed_dtls_session *session;
    struct dtls_parked *next;
    struct dtls_parked **link; /* to here from the server's list */
    struct dtls_address from;
    char identity[DTLS_IDENTITY_MAX + 1];
    size_t len;
    uint8_t datagram[];
};

/* A ClientHello with a good cookie: in the queue for a place, or with one, which it has while its
 * identifier is asked for. */
struct dtls_waiting {
    struct dtls_waiting *next; /* in the queue */
    struct dtls_waiting *previous;
    struct dtls_waiting *next_same; /* in the table */
    struct dtls_address from;
    uint64_t heard_ms; /* when it came last */
    bool asked;
    uint8_t id[DTLS_RECALL_ID_SIZE];
    size_t len;
    uint8_t datagram[];
};
struct dtls_queue {
    struct dtls_waiting *first; /* those that were not asked for yet */
    struct dtls_waiting *last;
    struct dtls_waiting *by_address[DTLS_WAITING]; /* all, by hash */
    size_t length;
    uint16_t hosts[DTLS_HOSTS]; /* of the queue, by hash of the host */
};

struct fed_dtls_session {
    struct fed_dtls_server *server;
    mbedtls_ssl_context ssl;
    struct dtls_handshake *handshake; /* NULL once open */
    struct fed_dtls_session *next_by_address;
    struct fed_dtls_session *next_by_cid;
    void *user;
    uint64_t due_ms;   /* key in the heap */
    size_t heap_at;    /* 0: not in the heap */
    uint64_t heard_ms; /* last authenticated record */
    struct fed_dtls_session_stats stats;
    struct dtls_address address;
    uint32_t
        unproven_budget; /* bytes that may go to an address which only one record has come from */
    bool unproven;
    bool with_cid;                  /* of an open one: its records come with our connection ID */
    uint8_t state;                  /* enum dtls_state */
    uint8_t hello[DTLS_HELLO_MARK]; /* of an open one: end of the client's random */
    uint8_t cid[DTLS_CID_SIZE];
};

/* Two chained hash tables over the same sessions. */
struct dtls_table {
    struct fed_dtls_session **by_address;
    struct fed_dtls_session **by_cid;
    size_t buckets; /* of each; a power of two */
    size_t count;
    uint64_t seed;
};

/* Binary heap on due_ms, at [1 .. count]. */
struct dtls_heap {
    struct fed_dtls_session **at;
    size_t count;
    size_t cap;
};

/* The newest are used; a handshake may be in the midst of using older ones. They are few: one set a
 * year. */
struct dtls_certs {
    struct dtls_certs *older;
    mbedtls_x509_crt own;
    mbedtls_pk_context key;
    mbedtls_x509_crt ca;
    void *listed; /* older ones: what the library's configuration said of them */
};

struct dtls_config {
    mbedtls_ssl_config ssl;
    struct dtls_certs *certs;
    mbedtls_ssl_cookie_ctx cookie;
};

/* Time of the processor, measured: it comes back at some per cent, and goes as it is used. */
struct dtls_credit {
    int64_t us;
    uint64_t at_us;
    unsigned rest; /* hundredths of a microsecond: looks may be that close together */
};

struct fed_dtls_server {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct fed_dtls_events events;
    unsigned sessions_max;
    unsigned handshakes_max;
    unsigned session_idle_ms;
    unsigned steer_index;
    unsigned steer_count;
    struct dtls_config config;
    int fd;
    uint16_t port;
    struct fed_watch *watch;
    struct fed_timer *timer;
    struct dtls_table table;
    struct dtls_heap heap;
    size_t handshakes;
    uint16_t hosts[DTLS_HOSTS]; /* handshakes, by hash of the host */
    struct fed_dtls_session *scratch;
    struct dtls_parked *parked;
    struct dtls_queue queue;
    size_t n_asked; /* count as handshakes */
    struct fed_dtls_server_stats stats;
    bool paused;

    /* What handshakes may take of the processor, and answers with cookies; less while the
     * socket could not be read until it was empty. */
    bool behind;
    unsigned handshake_share;
    unsigned cookie_share;
    struct dtls_credit handshake_credit;
    struct dtls_credit cookie_credit;

    /* The datagram and session at work. */
    struct fed_dtls_session *current;
    struct fed_span incoming; /* empty once the library has taken it */
    struct dtls_address from;
    size_t incoming_len;
    uint64_t window_before; /* newest authenticated record number before this datagram */
    bool cookie_good;       /* the ClientHello in the scratch session brought a valid cookie */
    bool turned_away;       /* it did, but there is no room */
    uint8_t recall_id[DTLS_RECALL_ID_SIZE];
    struct fed_span recall; /* what there is under that identifier, for the ClientHello at work */

    uint64_t failure_minute;
    unsigned failure_logs;
    char address_text[DTLS_ADDRESS_TEXT_SIZE];
    uint8_t plain[DTLS_DATAGRAM_MAX];
    uint8_t datagrams[DTLS_BATCH][DTLS_DATAGRAM_MAX];
};

/* ---- config.c ---- */
FED_MUST_USE enum fed_err dtls_config_init(
    struct fed_dtls_server *server, const struct fed_dtls_options *options, struct fed_diag *diag);
void dtls_config_fini(struct fed_dtls_server *server);
/* Whether one more handshake may begin, from where the datagram at work came from. */
bool dtls_has_room(struct fed_dtls_server *server);

/* ---- table.c ---- */
FED_MUST_USE enum fed_err dtls_table_init(struct dtls_table *table, struct fed_alloc *mem);
void dtls_table_fini(struct dtls_table *table, struct fed_alloc *mem);
void dtls_table_add(
    struct dtls_table *table, struct fed_alloc *mem, struct fed_dtls_session *session);
void dtls_table_remove(struct dtls_table *table, struct fed_dtls_session *session);
/* The address of a session in the table changes. */
void dtls_table_move(
    struct dtls_table *table, struct fed_dtls_session *session, const struct dtls_address *address);
/* The latest session of an address in that state; NULL. */
struct fed_dtls_session *dtls_table_by_address(
    const struct dtls_table *table, const struct dtls_address *address, enum dtls_state state);
/* The open session of an address whose records come without a connection ID: there is one at most;
 * NULL. */
struct fed_dtls_session *dtls_table_without_cid(
    const struct dtls_table *table, const struct dtls_address *address);
struct fed_dtls_session *dtls_table_by_cid(
    const struct dtls_table *table, const uint8_t cid[DTLS_CID_SIZE]);
struct fed_dtls_session *dtls_table_any(const struct dtls_table *table);

/* ---- heap.c ---- */
/* Sets a session's time, adding it when it is not in the heap. FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err dtls_heap_set(struct dtls_heap *heap, struct fed_alloc *mem,
    struct fed_dtls_session *session, uint64_t due_ms);
void dtls_heap_remove(struct dtls_heap *heap, struct fed_dtls_session *session);
struct fed_dtls_session *dtls_heap_first(const struct dtls_heap *heap); /* NULL when empty */
void dtls_heap_fini(struct dtls_heap *heap, struct fed_alloc *mem);

/* ---- server.c ---- */
void dtls_server_arm(struct fed_dtls_server *server); /* the timer, after sessions' times changed */

/* ---- credit.c ---- */
/* Whether a handshake may begin, and whether one that began may go on: the latter may overdraw. */
bool dtls_credit_begin(struct fed_dtls_server *server);
bool dtls_credit_goes_on(struct fed_dtls_server *server);
/* Whether a ClientHello without a good cookie may be answered with one. */
bool dtls_credit_cookie(struct fed_dtls_server *server);
/* Around the library's work for a handshake, or for a cookie. */
uint64_t dtls_credit_start(struct fed_dtls_server *server);
void dtls_credit_stop(
    struct fed_dtls_server *server, struct dtls_credit *credit, uint64_t started_us);

/* ---- hosts.c ---- */
/* Whether a handshake from there may be under way beside the others. */
bool dtls_hosts_have_room(struct fed_dtls_server *server, const struct dtls_address *from);
/* A handshake from there is under way, and is no more. */
void dtls_hosts_enter(struct fed_dtls_server *server, const struct dtls_address *from);
void dtls_hosts_leave(struct fed_dtls_server *server, const struct dtls_address *from);
/* The same for the queue. */
bool dtls_hosts_may_queue(struct fed_dtls_server *server, const struct dtls_address *from);
void dtls_hosts_queue(struct fed_dtls_server *server, const struct dtls_address *from);
void dtls_hosts_unqueue(struct fed_dtls_server *server, const struct dtls_address *from);

/* ---- psk.c ---- */
/* The library's callback. */
int dtls_psk(void *ctx, mbedtls_ssl_context *ssl, const unsigned char *identity, size_t len);
/* Whether the datagram that came in has an identity whose key must be waited for: then it is kept,
 * and fed when the key is there. */
bool dtls_psk_park(struct fed_dtls_session *session);
void dtls_psk_forget(struct fed_dtls_session *session);

/* ---- queue.c ---- */
/* Whether the ClientHello at work was dealt with; else it has no good cookie. */
bool dtls_queue_hello(struct fed_dtls_server *server);
/* The ClientHello at work has a place, and waits for what is asked for. false: no memory. */
bool dtls_queue_ask(struct fed_dtls_server *server, struct fed_span id);
/* Takes from the queue as many as have room. */
void dtls_queue_serve(struct fed_dtls_server *server);
void dtls_queue_fini(struct fed_dtls_server *server);

/* ---- returning.c ---- */
bool dtls_returning_has_cookie(struct fed_dtls_server *server); /* the ClientHello at work: good */
/* The ClientHello at work begins its handshake: at once, or when it is found out who comes. */
void dtls_returning_begin(struct fed_dtls_server *server);
/* It goes on with what was found out; nothing: a whole handshake. */
void dtls_returning_answered(
    struct fed_dtls_server *server, struct fed_span id, struct fed_span recall);
/* The library's callback. */
int dtls_returning_get(
    void *ctx, const unsigned char *id, size_t len, mbedtls_ssl_session *session);
/* Appends what the peer of an established session is known by the next time, and says under what.
 * Nothing when it was known again, or has no certificate. */
void dtls_returning_put(
    struct fed_dtls_session *session, uint8_t id[DTLS_RECALL_ID_SIZE], struct fed_buf *out);

/* ---- session.c ---- */
/* A session in the state of the scratch one, in no table. NULL without memory. */
struct fed_dtls_session *dtls_session_new(struct fed_dtls_server *server);
/* Frees one that is in no table. */
void dtls_session_free(struct fed_dtls_session *session);
void dtls_handshake_free(struct fed_dtls_session *session);
/* Sets its time in the heap. False when there was no memory: the session is gone. */
bool dtls_session_arm(struct fed_dtls_session *session);
/* Feeds the server's incoming datagram to a handshake or an open session. The session may be gone
 * afterwards. */
void dtls_session_feed(struct fed_dtls_session *session);
/* Its time in the heap has come. */
void dtls_session_due(struct fed_dtls_session *session, uint64_t now_ms);
/* Takes it out of all tables: it is dead. */
void dtls_session_unlist(struct fed_dtls_session *session);
/* And frees it, now or when the library has returned. Sends and calls
 * nothing. */
void dtls_session_drop(struct fed_dtls_session *session);
/* Everything the library does for a session happens between these two. */
void dtls_work_begin(struct fed_dtls_session *session);
void dtls_work_end(struct fed_dtls_session *session);
/* Counts and logs it; the session is dropped by whoever calls. */
void dtls_handshake_failed(struct fed_dtls_session *session, const char *why);

/* ---- scratch.c ---- */
/* Feeds the ClientHello at work to the scratch session. */
void dtls_scratch_hello(struct fed_dtls_server *server);

#endif
