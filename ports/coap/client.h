/* client.h - the inside of the agent's CoAP client on ports/dtls: client.c (session, timer),
 * client_request.c (requests, observation, ping: what is sent, and sent again), client_received.c
 * (what comes back), client_upload.c (blocks of a request), client_transfer.c and
 * fetch.c (blocks of an answer), client_doubt.c (whether the hub still knows the session),
 * client_save.c (what a later process goes on with). */
#ifndef FEDLET_PORTS_COAP_CLIENT_H
#define FEDLET_PORTS_COAP_CLIENT_H

#include "ports/coap/fetch.h"
#include "ports/coap/message.h"
#include "ports/dtls.h"
#include "ports/link.h"

#define FED_COAP_CLIENT_REQUESTS_MAX 16u
#define FED_COAP_CLIENT_PAYLOAD_MAX                                                                \
    (64u << 10) /* of one request, as much as a hub takes (server.h) */
#define FED_COAP_CLIENT_BODY_MAX                                                                   \
    (32u << 20) /* an answer; the largest frame is as large (proto/bundle/frame.h) */
#define FED_COAP_CLIENT_TOKEN_MAX 2u /* one byte for the first 255 requests of a session */

/* RFC 7252 section 4.8; the first wait is measured as soon as there is a round trip. */
#define FED_COAP_CLIENT_RETRANSMIT 4u
#define FED_COAP_CLIENT_ACK_MS 2000u
#define FED_COAP_CLIENT_ACK_FLOOR_MS 1000u
#define FED_COAP_CLIENT_ACK_CEILING_MS 4000u
#define FED_COAP_CLIENT_LIFETIME_MS 247000u /* EXCHANGE_LIFETIME */
#define FED_COAP_CLIENT_RECENT_MAX                                                                 \
    4u /* message ids of the hub's CONs that are remembered; it has one under way at a time */

#define FED_COAP_RTO_MS 600u /* of a block, until a round trip was measured */
#define FED_COAP_RTO_FLOOR_MS 300u
#define FED_COAP_RTO_CEILING_MS 8000u
/* A session in which no block comes for so long, however often it is asked for, is dead. */
#define FED_COAP_SILENCE_MS 20000u
#define FED_COAP_SILENT_SENDS 12u
#define FED_COAP_PARTIAL_STEP                                                                      \
    ((256u << 10) / FED_COAP_UNIT) /* units between two calls of fed_link_events.partial */
#define FED_COAP_PARTIAL_FORMAT 2u
/* A path may carry no large datagrams (RFC 7252 section 4.6): after so many sends without an answer
 * the request asks for small blocks, or is sent in such. A GET may be served twice; a POST that is
 * sent anew is another one to the hub, so it gets one more where waits are short, as a round trip
 * is known. */
#define FED_COAP_CLIENT_SENDS_SMALL 2u
#define FED_COAP_CLIENT_SENDS_POST 3u
#define FED_COAP_RESTARTS_MAX 5u /* of one transfer, because the body changed */

/* A session that is in doubt is asked for with pings, each twice as patient as the one before. */
#define FED_COAP_DOUBT_PINGS 3u
#define FED_COAP_DOUBT_MS 1000u /* until a round trip was measured */
#define FED_COAP_DOUBT_FLOOR_MS 500u
#define FED_COAP_DOUBT_CEILING_MS 8000u
#define FED_COAP_DOUBT_PAUSE_MS 10000u /* whoever forges alerts causes no more than this */

struct fed_coap_client;

/* The rest of an answer whose first block came. */
struct fed_coap_transfer {
    struct fed_coap_fetch *fetch;
    uint8_t etag[FED_COAP_ETAG_MAX];
    size_t etag_len;
    unsigned code;
};

/* One that no session works on. */
struct fed_coap_kept {
    struct fed_coap_transfer *transfer; /* NULL: none */
    char path[FED_COAP_PATH_MAX + 1];
};

/* A payload that does not fit one datagram: its blocks are sent one after the other. */
struct fed_coap_client_upload {
    size_t at; /* of the block under way */
    unsigned szx;
    size_t len;
    uint8_t bytes[];
};

enum fed_coap_kind { FED_COAP_KIND_REQUEST, FED_COAP_KIND_OBSERVE, FED_COAP_KIND_PING };

/* A confirmable message that was not acknowledged yet, as it is sent again. */
struct fed_coap_unacknowledged {
    size_t payload_at;
    size_t len;
    uint8_t bytes[];
};

struct fed_coap_request {
    struct fed_coap_request *next;
    enum fed_coap_kind kind;
    enum fed_link_method method;
    uint16_t token;
    uint16_t mid;
    struct fed_coap_unacknowledged *sent; /* NULL: acknowledged, or asked for in blocks */
    unsigned tries;
    uint32_t wait_ms; /* until the next try */
    uint64_t retry_ms;
    uint64_t started_ms;
    uint64_t deadline_ms;
    unsigned restarts;
    bool shrunk; /* sent anew for a path that carries no large datagrams */
    fed_link_done *done;
    void *done_ctx;
    struct fed_coap_transfer *transfer; /* NULL: the first answer is awaited */
    struct fed_coap_client_upload *upload;
    char path[FED_COAP_PATH_MAX + 1];
    char query[FED_COAP_QUERY_MAX + 1];
};

struct fed_coap_observation {
    bool active;
    uint16_t token;
    bool fresh; /* no notification yet */
    uint32_t seq;
    uint64_t seen_ms;
};

/* A CON of the hub: a repetition gets the same reply and has no other effect (RFC 7252
 * section 4.2). */
struct fed_coap_client_recent {
    uint16_t mid;
    bool reset; /* else acknowledged */
    uint64_t expires_ms;
};

struct fed_coap_doubt {
    unsigned tries;   /* pings since the doubt; 0: there is none */
    uint64_t next_ms; /* none is taken before */
};

enum fed_coap_state { FED_COAP_CLOSED, FED_COAP_CONNECTING, FED_COAP_UP };

struct fed_coap_client {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct fed_link_events events;
    struct fed_link port;
    struct fed_dtls_client *dtls;
    struct fed_timer *timer;
    enum fed_coap_state state;
    bool announce;     /* a restored session is up, and nobody was told */
    uint64_t proof_ms; /* a restored session that is silent until then is dead; 0: proven */
    uint64_t heard_ms; /* last record of the session */
    uint64_t random;   /* jitter and first message ids, nothing secret */
    struct fed_coap_request *requests;
    unsigned n_requests;
    uint16_t next_token;
    uint16_t next_mid;
    struct fed_coap_observation observation;
    struct fed_coap_client_recent recent[FED_COAP_CLIENT_RECENT_MAX];
    unsigned recent_next;
    struct fed_coap_doubt doubt;
    uint32_t srtt_ms; /* 0: not measured */
    uint32_t rttvar_ms;
    /* ---- large answers, and what the path carries ---- */
    struct fed_coap_kept kept;
    uint32_t told;       /* units that were there when the owner was last told of progress */
    bool small;          /* large answers do not get through, as far as is known */
    bool small_requests; /* nor large requests */
    bool small_proven;   /* one got no answer until it was sent in small blocks */
};

/* ---- client.c ---- */
void fed_coap_client_arm(struct fed_coap_client *client);
/* The session is over: requests end, then down is called. Only from the loop. */
void fed_coap_client_over(
    struct fed_coap_client *client, enum fed_err err, const struct fed_diag *diag);
uint32_t fed_coap_client_random(struct fed_coap_client *client);
void fed_coap_client_send(struct fed_coap_client *client, const struct fed_coap_writer *w);
/* The state of a session that begins. */
void fed_coap_client_begin(struct fed_coap_client *client, enum fed_coap_state state);

/* ---- client_request.c ---- */
enum fed_err fed_coap_client_request(void *ctx, enum fed_link_method method, const char *path,
    const char *query, struct fed_span payload, unsigned timeout_ms, fed_link_done *done,
    void *done_ctx);
enum fed_err fed_coap_client_observe(void *ctx, const char *path, const char *query,
    unsigned timeout_ms, fed_link_done *done, void *done_ctx);
enum fed_err fed_coap_client_ping(
    void *ctx, unsigned timeout_ms, fed_link_done *done, void *done_ctx);
struct fed_coap_request *fed_coap_request_of_token(struct fed_coap_client *client, uint16_t token);
/* One that waits for the acknowledgement of that message. */
struct fed_coap_request *fed_coap_request_of_mid(struct fed_coap_client *client, uint16_t mid);
/* The message arrived: it is not sent again. How long it took is counted. */
void fed_coap_request_acknowledged(struct fed_coap_client *client, struct fed_coap_request *r);
/* A new token for what is asked from now on. */
void fed_coap_request_renew(struct fed_coap_client *client, struct fed_coap_request *r);
/* Takes the request away and calls its owner once. message NULL unless err is FED_OK. */
void fed_coap_request_finish(struct fed_coap_client *client, struct fed_coap_request *r,
    enum fed_err err, const struct fed_link_message *message, const char *why);
void fed_coap_requests_end(struct fed_coap_client *client, enum fed_err err, const char *why);
uint64_t fed_coap_requests_due(
    const struct fed_coap_client *client); /* UINT64_MAX: nothing waits */
void fed_coap_requests_run(struct fed_coap_client *client);
/* A message with token, path, query and the block that is asked for; NULL for the first answer. */
void fed_coap_request_put(struct fed_coap_client *client, const struct fed_coap_request *r,
    enum fed_coap_type type, const struct fed_coap_ask *ask, struct fed_coap_writer *w);
/* The first answer is asked for (again). FED_ERR_LIMIT when it is too large, FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_coap_request_send(
    struct fed_coap_client *client, struct fed_coap_request *r, struct fed_span payload);
void fed_coap_rtt_add(struct fed_coap_client *client, uint64_t rtt_ms);

/* ---- client_received.c ---- */
/* One authenticated record. A callback may end the session. */
void fed_coap_client_received(struct fed_coap_client *client, struct fed_span record);

/* ---- client_doubt.c ---- */
void fed_coap_client_doubt(struct fed_coap_client *client);

/* ---- client_upload.c ---- */
/* payload is copied. */
FED_MUST_USE enum fed_err fed_coap_upload_begin(
    struct fed_coap_client *client, struct fed_coap_request *r, struct fed_span payload);
struct fed_span fed_coap_upload_block(const struct fed_coap_client_upload *upload);
/* The size of the largest block in which this client sends requests. */
static inline size_t fed_coap_upload_size(const struct fed_coap_client *client)
{
    return (size_t)16 << (client->small_requests ? FED_COAP_SZX_SMALL : FED_COAP_SZX_LARGE);
}
/* Block1: where the block under way is, and whether more follow. */
uint32_t fed_coap_upload_option(const struct fed_coap_client_upload *upload);
/* The hub has a block and wants the next one. */
void fed_coap_upload_continue(struct fed_coap_client *client, struct fed_coap_request *r);

/* ---- client_transfer.c ---- */
/* The first block came and there are more. */
void fed_coap_transfer_begin(
    struct fed_coap_client *client, struct fed_coap_request *r, const struct fed_coap_message *m);
void fed_coap_transfer_received(
    struct fed_coap_client *client, struct fed_coap_request *r, const struct fed_coap_message *m);
void fed_coap_transfer_free(struct fed_coap_client *client, struct fed_coap_transfer *t);
uint64_t fed_coap_transfer_due(const struct fed_coap_transfer *t);
void fed_coap_transfer_run(struct fed_coap_client *client, struct fed_coap_request *r);
/* Takes the transfer from a request that ends without it, for another session to go on with. */
void fed_coap_transfer_keep(struct fed_coap_client *client, struct fed_coap_request *r);
void fed_coap_kept_drop(struct fed_coap_client *client);
/* fed_link.partial_get and partial_set. */
enum fed_err fed_coap_partial_get(void *ctx, struct fed_buf *out);
enum fed_err fed_coap_partial_set(void *ctx, struct fed_span bytes);

/* ---- client_save.c ---- */
enum fed_err fed_coap_client_suspend(void *ctx, struct fed_buf *out);
enum fed_err fed_coap_client_resume(void *ctx, const char *host, uint16_t port,
    struct fed_span saved, unsigned timeout_ms, struct fed_diag *diag);

#endif
