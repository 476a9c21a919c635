/* server.h - the inside of the hub's CoAP server: one struct per peer, shared by server.c (opening,
 * timer), peer.c (what arrives), upload.c (requests in blocks), answer.c (what is answered) and
 * outgoing.c (confirmable messages of our own).
 *
 * The session layer below is reached through three functions, so that the message layer can be
 * driven without DTLS. */
#ifndef FEDLET_PORTS_COAP_SERVER_H
#define FEDLET_PORTS_COAP_SERVER_H

#include "ports/coap/due.h"
#include "ports/coap/message.h"
#include "ports/dtls.h"
#include "ports/link.h"

/* RFC 7252 section 4.8 */
#define FED_COAP_ACK_TIMEOUT_MS 2000u
#define FED_COAP_ACK_SPREAD_MS 1000u /* ACK_RANDOM_FACTOR 1.5 */
#define FED_COAP_MAX_RETRANSMIT 4u
#define FED_COAP_EXCHANGE_LIFETIME_MS 247000u

#define FED_COAP_SEPARATE_MS                                                                       \
    1000u /* a request not answered by then gets an empty acknowledgement */
#define FED_COAP_EXCHANGES_MAX 16u       /* unanswered requests of one peer */
#define FED_COAP_OUTGOING_MAX 17u        /* a late answer for each of them and one notification */
#define FED_COAP_RECENT_MAX 4u           /* POSTs whose answer can be repeated */
#define FED_COAP_SERVED_MAX 4u           /* GETs that are known again */
#define FED_COAP_REQUEST_MAX 1024u       /* payload of one datagram; more comes in blocks */
#define FED_COAP_UPLOAD_MAX (64u << 10)  /* of one request in blocks: a report is no larger */
#define FED_COAP_UPLOADS_MAX (64u << 20) /* begun ones of all peers together */
#define FED_COAP_UPLOAD_MS 120000u       /* one waits that long for its next block */
#define FED_COAP_NOTIFY_MAX 1024u
#define FED_COAP_NOTIFY_SMALL 256u /* gets through anywhere: never asked to be smaller */
#define FED_COAP_NOTIFY_SENDS                                                                      \
    2u                           /* of a larger one, before its owner is asked for a smaller one   \
                                  */
#define FED_COAP_BODY_MS 180000u /* a large answer waits that long for its next block, */
#define FED_COAP_BODY_LAST_MS 20000u     /* and that long once its last block was sent */
#define FED_COAP_BODIES_MAX (512u << 20) /* large answers of all peers together */
#define FED_COAP_KEY_MAX (2u + FED_COAP_PATH_MAX + FED_COAP_QUERY_MAX)

/* What makes two requests ask for the same thing: method, path, query. */
struct fed_coap_key {
    size_t len;
    uint8_t bytes[FED_COAP_KEY_MAX];
};

struct fed_link_exchange {
    struct fed_link_server *server;
    struct fed_link_session *session; /* NULL: the peer is gone */
    struct fed_link_exchange *next;
    enum fed_coap_type type;
    uint8_t method;
    bool acknowledged; /* by an empty acknowledgement: the answer travels by itself */
    bool observe;
    bool again;
    uint16_t mid;
    size_t token_len;
    uint8_t token[FED_COAP_TOKEN_MAX];
    uint32_t block_num;
    unsigned block_szx;
    bool has_block1; /* the request came in blocks; its last one is confirmed with the answer */
    uint32_t block1;
    uint64_t ack_due_ms;
    struct fed_coap_key key;
};

/* First bytes of the body's SHA-256. Each block carries them, so they are few: they only tell two
 * bodies of one resource apart while one is fetched; what was fetched is checked by its own
 * digests. */
#define FED_COAP_ETAG_SIZE 4u

/* A large answer while its blocks are fetched. */
struct fed_coap_body {
    struct fed_coap_key key;
    uint8_t code;
    uint8_t etag[FED_COAP_ETAG_SIZE];
    uint64_t expires_ms;
    size_t len;
    uint8_t bytes[];
};

/* A request while its blocks arrive (RFC 7959 section 2.5), one per peer. */
struct fed_coap_upload {
    struct fed_coap_key key;
    uint64_t expires_ms;
    struct fed_buf bytes;
    size_t counted; /* in the server's uploads_size */
};

/* A confirmable message of ours. */
struct fed_coap_outgoing {
    struct fed_coap_outgoing *next;
    bool notification;
    uint64_t tag;
    uint16_t mid;
    size_t token_len;
    uint8_t token[FED_COAP_TOKEN_MAX];
    size_t len;
    uint8_t bytes[];
};

/* An answered POST: a repetition gets the same bytes and has no other effect (RFC 7252
 * section 4.2). */
struct fed_coap_recent {
    uint64_t expires_ms;
    uint16_t mid;
    size_t len;
    uint8_t *bytes; /* NULL: none */
};

/* A GET that was answered: a repetition is answered anew, but says nothing of what its peer has. */
struct fed_coap_served {
    uint64_t expires_ms; /* 0: none */
    uint16_t mid;
};

struct fed_link_session {
    struct fed_coap_due_item due; /* first: the heap's items are sessions */
    struct fed_link_server *server;
    void *transport;
    void *user;
    unsigned busy; /* calls on the stack that still need it */
    bool closed;   /* freed when they have returned */
    uint16_t next_mid;
    struct fed_link_session *next;
    struct fed_link_session **link; /* to here from the server's list */
    struct fed_link_exchange *exchanges;
    unsigned n_exchanges;
    struct fed_coap_recent recent[FED_COAP_RECENT_MAX];
    unsigned recent_next;
    struct fed_coap_served served[FED_COAP_SERVED_MAX];
    unsigned served_next;
    struct fed_coap_outgoing *outgoing; /* the first is under way */
    unsigned n_outgoing;
    unsigned tries;
    uint32_t timeout_ms;
    uint64_t retry_ms;
    uint64_t sent_ms; /* the first of outgoing, last */
    bool observed;
    size_t observe_token_len;
    uint8_t observe_token[FED_COAP_TOKEN_MAX];
    uint32_t observe_seq;
    unsigned szx; /* of the blocks that it asked for last: it takes no larger notification */
    struct fed_coap_body *body;
    struct fed_coap_upload *upload;
};

struct fed_coap_transport {
    enum fed_err (*send)(void *session, struct fed_span record);
    void (*close)(void *session);
    void (*stats)(const void *session, struct fed_link_stats *out);
};

struct fed_link_server {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct fed_link_server_events events;
    const struct fed_coap_transport *transport;
    struct fed_dtls_server *dtls;
    struct fed_timer *timer;
    struct fed_coap_due due;
    struct fed_link_session *sessions;
    struct fed_link_exchange *orphans; /* not answered yet, their peer is gone */
    size_t bodies_size;
    size_t uploads_size;
    uint64_t random; /* jitter and first message ids, nothing secret */
};

/* ---- server.c ---- */
FED_MUST_USE enum fed_err fed_coap_server_init(struct fed_link_server *server,
    struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    const struct fed_link_server_events *events, const struct fed_coap_transport *transport);
void fed_coap_server_fini(struct fed_link_server *server);
uint32_t fed_coap_server_random(struct fed_link_server *server);
void fed_coap_server_arm(struct fed_link_server *server);

/* ---- peer.c ---- */
struct fed_link_session *fed_coap_peer_new(struct fed_link_server *server, void *transport);
void fed_coap_peer_free(
    struct fed_link_session *session); /* at once, or when the last call in it returns */
void fed_coap_peer_received(struct fed_link_session *session, struct fed_span bytes);
void fed_coap_peer_due(struct fed_link_session *session);
void fed_coap_peer_arm(struct fed_link_session *session);
void fed_coap_peer_ping(struct fed_link_session *session); /* RFC 7252 section 4.3 */
void fed_coap_peer_send(struct fed_link_session *session, struct fed_span bytes);
/* Between enter and leave a callback may close the session. */
void fed_coap_peer_enter(struct fed_link_session *session);
void fed_coap_peer_leave(struct fed_link_session *session);

/* Passes a request on; payload instead of the message's own. again: a GET that was answered. */
void fed_coap_peer_request(struct fed_link_session *session, const struct fed_coap_message *m,
    const struct fed_coap_key *key, struct fed_span payload, bool again);

/* ---- upload.c ---- */
/* One block of a request. The last one passes the whole on. */
void fed_coap_peer_upload(struct fed_link_session *session, const struct fed_coap_message *m,
    const struct fed_coap_key *key);
void fed_coap_peer_upload_free(struct fed_link_session *session);

/* ---- answer.c ---- */
/* key NULL: for an answer that is given at once. */
struct fed_link_exchange fed_coap_exchange_of(struct fed_link_session *session,
    const struct fed_coap_message *m, const struct fed_coap_key *key, bool again);
/* A code alone, at once, to a message that does not become an exchange. */
void fed_coap_answer_code(
    struct fed_link_session *session, const struct fed_coap_message *m, unsigned code);
/* A block of the kept body, when the message asks for one that is not the first, or again. */
bool fed_coap_answer_block(struct fed_link_session *session, const struct fed_coap_message *m,
    const struct fed_coap_key *key, bool again);
void fed_coap_body_free(struct fed_link_session *session);
void fed_coap_exchange_free(struct fed_link_exchange *exchange);

/* ---- outgoing.c ---- */
/* The peer's address is another one, or is proven to be. */
void fed_coap_outgoing_moved(struct fed_link_session *session, bool proven);
FED_MUST_USE enum fed_err fed_coap_outgoing_add(struct fed_link_session *session,
    const struct fed_coap_writer *w, bool notification, uint64_t tag);
void fed_coap_outgoing_answered(struct fed_link_session *session, const struct fed_coap_message *m);
void fed_coap_outgoing_due(struct fed_link_session *session);
void fed_coap_outgoing_heard(struct fed_link_session *session);
void fed_coap_observation_drop(struct fed_link_session *session);
void fed_coap_outgoing_clear(struct fed_link_session *session);

#endif
