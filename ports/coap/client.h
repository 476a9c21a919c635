/* client.h - the inside of the agent's CoAP client on libcoap: client.c (session, loop),
 * client_dtls.c (what has to be told to the TLS library behind libcoap), client_request.c
 * (requests, observation, ping), client_upload.c (blocks of a request), client_transfer.c and
 * fetch.c (blocks of an answer).
 *
 * libcoap has the socket, DTLS, the message format and the repetition of confirmable messages. Its
 * block handling and its observe bookkeeping stay off. A session has a libcoap context of its own,
 * because a context that once had a pre-shared key never uses a certificate again. */
#ifndef FEDLET_PORTS_COAP_CLIENT_H
#define FEDLET_PORTS_COAP_CLIENT_H

#include "ports/coap/fetch.h"
#include "ports/link.h"

#include <coap3/coap.h>
#include <mbedtls/ssl.h>

#define FED_COAP_CLIENT_REQUESTS_MAX 16u
#define FED_COAP_CLIENT_PAYLOAD_MAX                                                                \
    (64u << 10) /* of one request, as much as a hub takes (server.h) */
#define FED_COAP_CLIENT_PATH_MAX 64u
#define FED_COAP_CLIENT_QUERY_MAX 256u
#define FED_COAP_CLIENT_BODY_MAX                                                                   \
    (32u << 20) /* an answer; the largest frame is as large (proto/bundle/frame.h) */
#define FED_COAP_CLIENT_BLOCK 1024u
#define FED_COAP_CLIENT_SZX 6u
#define FED_COAP_CLIENT_MTU 1280u /* what libcoap may put into one datagram, DTLS included */
#define FED_COAP_CLIENT_NSTART 24u
#define FED_COAP_CLIENT_RETRANSMIT 4u
#define FED_COAP_CLIENT_ACK_MS 2000u /* until a round trip was measured, RFC 7252 section 4.8 */
#define FED_COAP_CLIENT_ACK_FLOOR_MS 1000u /* libcoap takes no less */

#define FED_COAP_RTO_MS 600u /* of a block, until a round trip was measured */
#define FED_COAP_RTO_FLOOR_MS 300u
#define FED_COAP_RTO_CEILING_MS 8000u
#define FED_COAP_PARTIAL_STEP                                                                      \
    ((256u << 10) / FED_COAP_UNIT) /* units between two calls of fed_link_events.partial */
#define FED_COAP_PARTIAL_FORMAT 1u
#define FED_COAP_RESTARTS_MAX 5u /* of one transfer, because the body changed */

struct fed_coap_client;

/* The rest of an answer whose first block came. */
struct fed_coap_transfer {
    struct fed_coap_fetch *fetch;
    uint8_t etag[8];
    size_t etag_len;
    unsigned code;
};

/* One that no session works on. */
struct fed_coap_kept {
    struct fed_coap_transfer *transfer; /* NULL: none */
    char path[FED_COAP_CLIENT_PATH_MAX + 1];
    char query[FED_COAP_CLIENT_QUERY_MAX + 1];
};

/* A payload that does not fit one datagram: its blocks are sent one after the other. */
struct fed_coap_client_upload {
    uint32_t num; /* block under way */
    size_t len;
    uint8_t bytes[];
};

enum fed_coap_kind { FED_COAP_KIND_REQUEST, FED_COAP_KIND_OBSERVE, FED_COAP_KIND_PING };

struct fed_coap_request {
    struct fed_coap_request *next;
    enum fed_coap_kind kind;
    enum fed_link_method method;
    uint16_t token;
    coap_mid_t mid;
    uint64_t started_ms;
    uint64_t retransmits; /* client's count when it was sent */
    uint64_t deadline_ms;
    unsigned restarts;
    fed_link_done *done;
    void *done_ctx;
    struct fed_coap_transfer *transfer; /* NULL: the first answer is awaited */
    struct fed_coap_client_upload *upload;
    char path[FED_COAP_CLIENT_PATH_MAX + 1];
    char query[FED_COAP_CLIENT_QUERY_MAX + 1];
};

struct fed_coap_observation {
    bool active;
    uint16_t token;
    bool fresh; /* no notification yet */
    uint32_t seq;
    uint64_t seen_ms;
};

enum fed_coap_state { FED_COAP_CLOSED, FED_COAP_CONNECTING, FED_COAP_UP, FED_COAP_FAILED };

struct fed_coap_client {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct fed_link_events events;
    struct fed_link port;
    struct fed_timer *timer;
    enum fed_coap_state state;
    char peer[280]; /* "hub.example:5684" for sentences */
    bool psk;
    uint64_t deadline_ms; /* of connecting */
    unsigned timeout_ms;
    uint64_t heard_ms; /* last datagram of the session */
    coap_context_t *context;
    coap_context_t *in_io; /* being processed, must not be freed */
    bool free_after_io;
    coap_session_t *session;
    struct fed_watch *watch;
    /* ---- what the TLS library is hooked with ---- */
    mbedtls_ssl_send_t *tls_send;
    mbedtls_ssl_recv_t *tls_recv;
    void *tls_bio;
    struct fed_link_stats stats;
    uint64_t received_before; /* datagrams, when connecting began */
    int alert;                /* of the peer, in the clear; -1 none */
    char refused[240];        /* why the hub's certificate is not accepted */
    /* ---- end of the session, told when no callback is on the stack ---- */
    enum fed_err down_err;
    struct fed_diag down_diag;
    /* ---- requests ---- */
    struct fed_coap_request *requests;
    unsigned n_requests;
    uint16_t next_token;
    struct fed_coap_observation observation;
    uint64_t retransmits;
    uint32_t srtt_ms; /* 0: not measured */
    uint32_t rttvar_ms;
    /* ---- large answers ---- */
    struct fed_coap_kept kept;
    uint32_t told; /* units that were there when the owner was last told of progress */
    bool small;    /* large blocks did not get through */
};

/* ---- client.c ---- */
/* The session is over: requests end, then down is called, both from the timer. */
void fed_coap_client_fail(struct fed_coap_client *client, enum fed_err err, const char *format, ...)
    FED_PRINTF(3, 4);
void fed_coap_client_arm(struct fed_coap_client *client);

/* ---- client_dtls.c ---- */
FED_MUST_USE enum fed_err fed_coap_client_dtls_open(struct fed_coap_client *client,
    const coap_address_t *address, const struct fed_link_client_identity *identity,
    struct fed_diag *diag);
/* Why there is no session, as far as can be seen from here. */
void fed_coap_client_dtls_failed(struct fed_coap_client *client, bool timeout);

/* ---- client_request.c ---- */
enum fed_err fed_coap_client_request(void *ctx, enum fed_link_method method, const char *path,
    const char *query, struct fed_span payload, unsigned timeout_ms, fed_link_done *done,
    void *done_ctx);
enum fed_err fed_coap_client_observe(void *ctx, const char *path, const char *query,
    unsigned timeout_ms, fed_link_done *done, void *done_ctx);
enum fed_err fed_coap_client_ping(
    void *ctx, unsigned timeout_ms, fed_link_done *done, void *done_ctx);
coap_response_t fed_coap_client_response(coap_session_t *session, const coap_pdu_t *sent,
    const coap_pdu_t *received, const coap_mid_t mid);
void fed_coap_client_nack(coap_session_t *session, const coap_pdu_t *sent,
    const coap_nack_reason_t reason, const coap_mid_t mid);
/* Takes the request away and calls its owner once. message NULL unless err is FED_OK. */
void fed_coap_request_finish(struct fed_coap_client *client, struct fed_coap_request *r,
    enum fed_err err, const struct fed_link_message *message, const char *why);
void fed_coap_requests_end(struct fed_coap_client *client, enum fed_err err, const char *why);
uint64_t fed_coap_requests_due(
    const struct fed_coap_client *client); /* UINT64_MAX: nothing waits */
void fed_coap_requests_run(struct fed_coap_client *client);
/* A PDU with token, path, query and Block2; NULL when out of memory. ask NULL: for the first
 * answer. */
coap_pdu_t *fed_coap_request_pdu(struct fed_coap_client *client, const struct fed_coap_request *r,
    coap_pdu_type_t type, const struct fed_coap_ask *ask);
/* The first answer is asked for (again). */
FED_MUST_USE enum fed_err fed_coap_request_send(
    struct fed_coap_client *client, struct fed_coap_request *r, struct fed_span payload);
void fed_coap_rtt_add(struct fed_coap_client *client, uint64_t rtt_ms);

/* ---- client_upload.c ---- */
/* payload is copied. */
FED_MUST_USE enum fed_err fed_coap_upload_begin(
    struct fed_coap_client *client, struct fed_coap_request *r, struct fed_span payload);
struct fed_span fed_coap_upload_block(const struct fed_coap_client_upload *upload);
/* Block1, and Size1 in the first: where the block under way is, and whether more follow. */
bool fed_coap_upload_option(coap_pdu_t *pdu, const struct fed_coap_client_upload *upload);
/* The hub has a block and wants the next one. */
void fed_coap_upload_continue(struct fed_coap_client *client, struct fed_coap_request *r);

/* ---- client_transfer.c ---- */
struct fed_coap_block {
    uint32_t num;
    bool more;
    unsigned szx;
};
bool fed_coap_block_of(const coap_pdu_t *pdu, struct fed_coap_block *out);
/* The first block came and there are more. */
void fed_coap_transfer_begin(struct fed_coap_client *client, struct fed_coap_request *r,
    const coap_pdu_t *pdu, const struct fed_coap_block *block, struct fed_span payload);
void fed_coap_transfer_received(struct fed_coap_client *client, struct fed_coap_request *r,
    const coap_pdu_t *pdu, struct fed_span payload);
void fed_coap_transfer_free(struct fed_coap_client *client, struct fed_coap_transfer *t);
uint64_t fed_coap_transfer_due(const struct fed_coap_transfer *t);
void fed_coap_transfer_run(struct fed_coap_client *client, struct fed_coap_request *r);
/* Takes the transfer from a request that ends without it, for another session to go on with. */
void fed_coap_transfer_keep(struct fed_coap_client *client, struct fed_coap_request *r);
void fed_coap_kept_drop(struct fed_coap_client *client);
/* fed_link.partial_get and partial_set. */
enum fed_err fed_coap_partial_get(void *ctx, struct fed_buf *out);
enum fed_err fed_coap_partial_set(void *ctx, struct fed_span bytes);

#endif
