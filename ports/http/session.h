/* session.h - the server's half of one HTTP connection without any I/O: bytes in, exchanges, bytes
 * out.
 *
 * The owner (a connection of server_conn.c, or a test) feeds what arrived, pulls what is to be sent
 * into session->out and asks when to tick. The protocol is chosen once, at _new. The handler is
 * called from _feed and _pull only, closed from _feed, _pull, _reap and _free only; never from
 * inside a call that the handler makes. With deferred set in the engine the handler is called from
 * _turn alone, one request each, so that the owner can let others go first.
 *
 * An exchange belongs to the handler from its dispatch until fed_http_respond, fed_http_stream_end
 * or closed. Before and after that the session alone knows it, and frees it when its stream is
 * over. */
#ifndef FEDLET_PORTS_HTTP_SESSION_H
#define FEDLET_PORTS_HTTP_SESSION_H

#include "ports/http/fields.h"
#include "ports/http/pieces.h"
#include "ports/http/queue.h"
#include "ports/http/share.h"

#define FED_HTTP_OUT_MARK 32768u /* out is not filled beyond this and one frame */
#define FED_HTTP_STALL_MS 60000u /* a body or an answer that does not move at all */
#define FED_HTTP_PACE                                                                              \
    16384u /* bytes a second that a body or a whole answer makes on average, once it took as long  \
            * as that */
#define FED_HTTP_NEVER UINT64_MAX

/* What all sessions of a server share. */
struct fed_http_engine {
    struct fed_alloc *mem;
    struct fed_loop *loop; /* its clocks alone */
    fed_http_handler *handler;
    fed_http_closed *closed;
    fed_http_refusal *refusal; /* NULL: plain text */
    void *ctx;
    size_t body_max;
    size_t header_max;
    size_t queue_max;
    unsigned streams_max;
    unsigned idle_timeout_ms;
    unsigned first_request_ms; /* 0: as the others */
    unsigned header_timeout_ms;
    bool deferred;       /* the owner gives turns */
    int64_t date_unix_s; /* of date */
    char date[FED_HTTP_DATE_SIZE];
};

/* The present time for the date header. */
const char *fed_http_engine_date(struct fed_http_engine *engine);

enum fed_http_exchange_state {
    FED_HTTP_READING,   /* the request is coming */
    FED_HTTP_READY,     /* complete, the handler does not know it yet */
    FED_HTTP_HANDLED,   /* with the handler, no answer yet */
    FED_HTTP_STREAMING, /* with the handler, answer begun */
    FED_HTTP_ENDED,     /* answered whole; queue may still hold bytes */
};

struct fed_http_session;
struct fed_http_exchange {
    struct fed_http_session *session;
    struct fed_http_exchange *prev;
    struct fed_http_exchange *next;
    enum fed_http_exchange_state state;
    bool lost;         /* its stream is over; closed is due when the handler has it */
    bool refused;      /* answered by the port itself; what still comes of the body is dropped */
    bool head_only;    /* HEAD: no body is sent */
    int32_t stream_id; /* HTTP/2 */
    uint64_t moved_ms; /* last progress of the body or the answer */
    uint64_t since_ms; /* when the body or the whole answer began to move */
    bool squeezed;     /* a stream that is sent as gzip */
    struct fed_http_gzip_sum sum; /* of it */
    uint64_t streamed;            /* bytes of a stream that were queued */
    size_t paced;                 /* bytes that moved since then */
    size_t asked;                 /* bytes that the share counts for the request */
    size_t answered;              /* and for the answer */
    struct fed_http_fields fields;
    struct fed_http_request request;
    struct fed_buf body;
    struct fed_http_pieces queue; /* answer body not yet given to the protocol */
    void *user;
};

/* How an answer's body is delimited. */
struct fed_http_answer {
    unsigned status;
    const struct fed_http_header *headers;
    size_t n_headers;
    bool has_length; /* else a stream */
    size_t length;
    bool gzip;
};

struct fed_http_session_ops {
    void (*free)(struct fed_http_session *s); /* the protocol's own; exchanges are gone */
    /* FED_OK also when the peer broke the protocol: then closing is set and out may hold a last
     * word. */
    void (*feed)(struct fed_http_session *s, struct fed_span bytes);
    void (*pull)(struct fed_http_session *s);
    enum fed_err (*answer)(struct fed_http_exchange *x, const struct fed_http_answer *answer);
    void (*resume)(struct fed_http_exchange *x); /* queue or state changed */
    void (*cut)(struct fed_http_exchange *x);    /* ends the stream at once; sets lost */
    void (*shutdown)(struct fed_http_session
            *s); /* takes no new requests; closing when the present ones are done */
};

struct fed_http_session {
    const struct fed_http_session_ops *ops;
    struct fed_http_engine *engine;
    struct fed_http_conn *conn; /* NULL: another owner's */
    const struct fed_crypto_cert_info *peer;
    struct fed_span address;
    struct fed_http_share *share;
    struct fed_http_share own_share; /* when the owner has none */
    void (*wake)(void *ctx);         /* there is something to pull or reap */
    void *wake_ctx;
    struct fed_http_exchange *exchanges; /* newest first */
    size_t n_exchanges;
    size_t n_ready;
    size_t n_lost;
    size_t answered; /* bytes that the share counts for the answers of all of them */
    struct fed_http_queue out;
    uint64_t idle_since_ms;   /* when the last exchange ended */
    uint64_t header_since_ms; /* a header block is incomplete since then; 0: none is */
    bool closing;             /* nothing is read any more; close when out is empty */
    bool linger;   /* ... but drop what still arrives for a moment, so that the peer can read the
                      answer */
    bool full;     /* does not want to be fed now */
    bool stopping; /* shutdown was called */
    bool asked;    /* there was an exchange */
};

struct fed_http_session_options {
    struct fed_http_engine *engine;
    bool http2;
    struct fed_http_conn *conn;              /* whose session it is, may be NULL */
    const struct fed_crypto_cert_info *peer; /* may be NULL; lives on */
    struct fed_span address;                 /* lives on */
    struct fed_http_share *share;            /* lives on; NULL: nothing is limited */
    void (*wake)(void *ctx);
    void *wake_ctx;
};

FED_MUST_USE enum fed_err fed_http_session_new(
    const struct fed_http_session_options *options, struct fed_http_session **out);
/* Calls closed for the exchanges that the handler has. NULL is fine. */
void fed_http_session_free(struct fed_http_session *s);
void fed_http_session_feed(struct fed_http_session *s, struct fed_span bytes);
/* Calls the handler for the oldest READY exchange, of n_ready. */
void fed_http_session_turn(struct fed_http_session *s);
/* Fills out up to its mark. */
void fed_http_session_pull(struct fed_http_session *s);
/* Calls closed for lost exchanges. */
void fed_http_session_reap(struct fed_http_session *s);
/* Ends streams and the session when they are over their time; returns when to ask again,
 * FED_HTTP_NEVER for not. */
uint64_t fed_http_session_tick(struct fed_http_session *s, uint64_t now_ms);
void fed_http_session_shutdown(struct fed_http_session *s);

/* ---- for the protocols ---- */
enum fed_err fed_http_session_init_h1(
    const struct fed_http_session_options *options, struct fed_http_session **out);
enum fed_err fed_http_session_init_h2(
    const struct fed_http_session_options *options, struct fed_http_session **out);
/* A READING exchange; NULL when memory is refused. */
struct fed_http_exchange *fed_http_exchange_new(struct fed_http_session *s);
void fed_http_exchange_free(struct fed_http_exchange *x);
/* The header block is complete: builds request but for its body. FED_ERR_INVALID, FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_http_exchange_headed(struct fed_http_exchange *x);
/* Counts what the request holds by now; FED_ERR_BUSY when the client has no room for it. */
FED_MUST_USE enum fed_err fed_http_exchange_count(struct fed_http_exchange *x);
bool fed_http_answer_ok(const struct fed_http_answer *answer); /* status and headers */
bool fed_http_answer_has_body(unsigned status);
bool fed_http_exchange_takes_gzip(const struct fed_http_exchange *x); /* its client does */
/* Queues what a stream's encoding has behind all that was written; may cut it. */
void fed_http_stream_last(struct fed_http_exchange *x);
/* The exchange is no longer the handler's. */
void fed_http_exchange_let_go(struct fed_http_exchange *x);
/* Counts what waits in queue; after each change of it. */
void fed_http_exchange_queued(struct fed_http_exchange *x);
/* n bytes of the body came, or of the answer went. */
void fed_http_exchange_moved(struct fed_http_exchange *x, size_t n);
/* The request is complete. */
void fed_http_exchange_ready(struct fed_http_exchange *x);
/* The stream is over: frees the exchange, or leaves it to reap when the handler has it. */
void fed_http_exchange_lose(struct fed_http_exchange *x);
#define FED_HTTP_REFUSAL_MAX 4096u
/* The body of a refusal of the port's own; body is made here, the caller ends it. Returns the
 * content type. why: NULL for the usual sentence. */
const char *fed_http_refusal_body(
    struct fed_http_engine *engine, unsigned status, const char *why, struct fed_buf *body);
/* Calls the handler for each READY exchange, oldest first, unless the owner gives turns. */
void fed_http_session_dispatch(struct fed_http_session *s);

#endif
