/* link.h - the link between agent and hub, whatever carries it: CoAP over DTLS, or HTTPS.
 *
 * Resources and payloads are those of proto/link/link.h. Codes are CoAP's (RFC 7252
 * section 12.1.2), written c.dd as c * 100 + dd; the HTTPS binding maps them. Everything runs and
 * calls back on the loop. */
#ifndef FEDLET_PORTS_LINK_H
#define FEDLET_PORTS_LINK_H

#include "ports/crypto.h"
#include "ports/log.h"
#include "ports/loop.h"
#include "proto/base/buf.h"

enum fed_link_method { FED_LINK_GET, FED_LINK_POST };
enum fed_link_code {
    FED_LINK_CREATED = 201,
    FED_LINK_CHANGED = 204,
    FED_LINK_CONTENT = 205,
    FED_LINK_BAD_REQUEST = 400,
    FED_LINK_UNAUTHORIZED = 401,
    FED_LINK_FORBIDDEN = 403,
    FED_LINK_NOT_FOUND = 404,
    FED_LINK_NOT_ALLOWED = 405,
    FED_LINK_CONFLICT = 409,
    FED_LINK_TOO_LARGE = 413,
    FED_LINK_INTERNAL = 500,
    FED_LINK_UNAVAILABLE = 503
};

/* ---- agent side ---- */
struct fed_link_message {
    unsigned code;           /* enum fed_link_code */
    struct fed_span payload; /* whole; blocks are put together below */
    uint32_t max_age_s;      /* with UNAVAILABLE: come back after this; else 0 */
};
struct fed_link_stats {
    uint64_t sent_bytes; /* payload of datagrams or TCP segments, all included */
    uint64_t received_bytes;
    uint64_t sent_datagrams;
    uint64_t received_datagrams;
};
struct fed_link_events {
    void *ctx;
    void (*up)(void *ctx); /* session established */
    /* Session over or could not be made; diag says why. The link does nothing by itself any more:
     * connect again. */
    void (*down)(void *ctx, enum fed_err err, const struct fed_diag *diag);
    /* A notification of the observed resource, in order, duplicates and older ones dropped (RFC
     * 7641 section 3.4). */
    void (*notification)(void *ctx, const struct fed_link_message *message);
    /* So much of a large answer came that keeping it is worth a write (fed_link.partial_get). NULL:
     * nobody keeps it. Not before 256 KiB came, and again when it has doubled. */
    void (*partial)(void *ctx);
};
/* Exactly one call per request; err FED_OK: message is set (whatever its code). */
typedef void fed_link_done(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag);

struct fed_link_client_identity {
    /* either a certificate ... */
    struct fed_span cert_pem;
    struct fed_span key_pem;
    struct fed_span ca_pem; /* the hub's CA: pinned, the only trust anchor */
    /* ... or a token (join) */
    const char *psk_identity;
    struct fed_span psk_key;
    /* ... or, over HTTPS, nothing but the digest of the CA's public key (join): the CA in the hub's
     * chain must have it, and have signed the hub's certificate. cert_pem and psk_identity are
     * empty. */
    const struct fed_digest *ca_pin;
};

struct fed_link {
    void *ctx;
    /* Begins a session; up or down follows, never before it returned. FED_ERR_BUSY when there is
     * one. timeout_ms: until established. A host that is a name is looked up anew each time; its
     * addresses are tried in turn. */
    enum fed_err (*connect)(void *ctx, const char *host, uint16_t port,
        const struct fed_link_client_identity *identity, unsigned timeout_ms,
        struct fed_diag *diag);
    void (*disconnect)(void *ctx); /* no down afterwards; open requests end with FED_ERR_CLOSED */
    /* path without leading slash, query without '?', NULL for none. payload is copied.
     * Retransmission and blocks are the link's; timeout_ms bounds the whole. FED_ERR_LIMIT: CoAP
     * carries 64 KiB of payload; FED_ERR_CLOSED: no session; FED_ERR_BUSY: too many are open.
     */
    enum fed_err (*request)(void *ctx, enum fed_link_method method, const char *path,
        const char *query, struct fed_span payload, unsigned timeout_ms, fed_link_done *done,
        void *done_ctx);
    /* Observes a resource; done gets the first answer, notifications follow. Only one observation
     * at a time: the next observe replaces it. */
    enum fed_err (*observe)(void *ctx, const char *path, const char *query, unsigned timeout_ms,
        fed_link_done *done, void *done_ctx);
    /* The smallest exchange that proves the peer's life. FED_ERR_TIMEOUT at done when it does not
     * answer. */
    enum fed_err (*ping)(void *ctx, unsigned timeout_ms, fed_link_done *done, void *done_ctx);
    void (*stats)(void *ctx, struct fed_link_stats *out);
    /* ---- going on with a large answer in a later process; NULL in a binding that cannot ---- */
    /* What came of an unfinished one, for partial_set; the bytes are the link's own.
     * FED_ERR_NOT_FOUND: there is none. */
    enum fed_err (*partial_get)(void *ctx, struct fed_buf *out);
    /* Before connecting. The next answer from the same path goes on from there when it is the same
     * body, else this is forgotten. No bytes, at any time: what no session works on is forgotten,
     * as it came another way or is not wanted any more. FED_ERR_INVALID, FED_ERR_TRUNCATED,
     * FED_ERR_LIMIT or FED_ERR_UNSUPPORTED for anything but such bytes. */
    enum fed_err (*partial_set)(void *ctx, struct fed_span bytes);
    /* ---- going on with a session in a later process; NULL in a binding that cannot ---- */
    /* Appends what that takes, keys included, and ends the session without a word: the hub keeps
     * its side until its idle limit. Open requests end with FED_ERR_CLOSED, no down. Any error ends
     * the session as disconnect does. What is appended MUST be resumed once at most: both would
     * encrypt different things in the same way. */
    enum fed_err (*suspend)(void *ctx, struct fed_buf *out);
    /* In the place of connect: up follows at once, nothing was sent by then, and the next request
     * shows whether the hub knows the session. down with FED_ERR_TIMEOUT when nothing came within
     * timeout_ms. The observation of before stands until the next observe. FED_ERR_UNSUPPORTED when
     * another build saved it, FED_ERR_INVALID, and as connect. */
    enum fed_err (*resume)(void *ctx, const char *host, uint16_t port, struct fed_span saved,
        unsigned timeout_ms, struct fed_diag *diag);
};

/* ports/coap on ports/dtls. */
struct fed_coap_client;
FED_MUST_USE enum fed_err fed_coap_client_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, const struct fed_link_events *events, struct fed_coap_client **out,
    struct fed_diag *diag);
void fed_coap_client_close(struct fed_coap_client *client); /* not inside one of its callbacks */
struct fed_link *fed_coap_client_port(struct fed_coap_client *client);

/* ports/https: on the client of ports/http (HTTP/2, else HTTP/1.1). A session is what goes under
 * one random number; its connections may change, as long as nothing is lost with them. The rest of
 * a large answer whose connection broke is asked for by ranges, for as long as the request has time
 * and something comes. Payloads have at most 64 KiB, answers and notifications 32 MiB. */
struct fed_https_client;
struct fed_https_client_options {
    /* "http://[USER[:PASSWORD]@]HOST[:PORT]", NULL or empty for none; copied. The password is in no
     * sentence. */
    const char *proxy;
    /* Hosts that are reached without it, as NO_PROXY of other programs: separated by commas, "*"
     * for all, names (also what is below them), addresses, networks as ADDRESS/BITS. NULL or empty
     * for none; at most 1,024 bytes, copied. Not looked at without a proxy. */
    const char *no_proxy;
    bool http1_only; /* HTTP/2 is not offered */
};
FED_MUST_USE enum fed_err fed_https_client_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, const struct fed_https_client_options *options,
    const struct fed_link_events *events, struct fed_https_client **out, struct fed_diag *diag);
void fed_https_client_close(struct fed_https_client *client); /* not inside one of its callbacks */
struct fed_link *fed_https_client_port(struct fed_https_client *client);
/* That a proxy's URL can be used. FED_ERR_INVALID with a sentence. */
FED_MUST_USE enum fed_err fed_https_proxy_check(const char *proxy, struct fed_diag *diag);

/* ---- hub side ---- */
struct fed_link_server;
struct fed_link_session;  /* one authenticated peer; valid from opened to closed */
struct fed_link_exchange; /* one request; answer it exactly once, now or later */

struct fed_link_peer {
    /* certificate: info set; token: psk_identity set. The certificate is good but for one thing: it
     * may have ended (not_after_unix_s) or not begun (not_before_unix_s), and is then for getting a
     * new one only. */
    const struct fed_crypto_cert_info *cert;
    const char *psk_identity;
    const char *address; /* "192.0.2.1:5684" */
    /* Of a session that was saved (fed_coap_server_save) and goes on: what its owner kept with it.
     * Else empty. The peer knows of no interruption: an observation stands as it stood. */
    struct fed_span kept;
    /* Of a new session with a certificate, over CoAP: what the peer is known by when it comes back,
     * and what recall gives then; secret. Else both are empty. */
    struct fed_span recall_id;
    struct fed_span recall;
};
struct fed_link_server_request {
    enum fed_link_method method;
    struct fed_span path;  /* segments joined by '/', no leading slash */
    struct fed_span query; /* joined by '&' */
    struct fed_span payload;
    bool observe; /* asks to be notified; answer with fed_link_answer as usual, the observation
                     stands if the code is 2.05 */
    bool again;   /* it was answered before and comes once more: whichever of the answers arrives
                     first is taken, so nothing follows from this one */
};
struct fed_link_server_events {
    void *ctx;
    void (*opened)(void *ctx, struct fed_link_session *session, const struct fed_link_peer *peer);
    void (*closed)(void *ctx, struct fed_link_session *session, const char *why);
    /* Anything authenticated arrived (also pings): the time of life. */
    void (*alive)(void *ctx, struct fed_link_session *session);
    void (*request)(void *ctx, struct fed_link_session *session, struct fed_link_exchange *exchange,
        const struct fed_link_server_request *request);
    /* The peer acknowledged (delivered true) or did not (false: the observation is gone) the
     * notification with that tag. One that a newer one or a new observation replaced is not
     * reported. */
    void (*notified)(void *ctx, struct fed_link_session *session, uint64_t tag, bool delivered);
    /* The notification with that tag got no acknowledgement and is taken back, as the path may not
     * carry one of its size. The observation stands: send one of at most 256 bytes. NULL: it is
     * sent until it is given up. */
    void (*unfit)(void *ctx, struct fed_link_session *session, uint64_t tag);
    /* Key of a token by its id, for TLS-PSK. FED_ERR_NOT_FOUND refuses the handshake;
     * FED_ERR_BUSY: the server's _psk brings it later. */
    enum fed_err (*psk)(void *ctx, struct fed_span identity, struct fed_buf *key);
    /* What came with an earlier session under that identifier, of any process, when its certificate
     * still counts: the peer needs no whole handshake. Errors as of psk. NULL: it always does. */
    enum fed_err (*recall)(void *ctx, struct fed_span id, struct fed_buf *recall);
};
struct fed_link_server_options {
    const char *listen;       /* "0.0.0.0:5684" */
    struct fed_span cert_pem; /* copied */
    struct fed_span key_pem;
    struct fed_span client_ca_pem; /* agents' certificates chain to it */
    unsigned sessions_max;         /* 0: 20000 */
    unsigned handshakes_max;       /* under way at once; 0: 1000 */
    unsigned session_idle_ms;      /* closed when silent that long; 0: 10 min */
    int fd;               /* instead of listen: a bound socket, the server's from now on; 0: none */
    unsigned steer_index; /* as in struct fed_dtls_options */
    unsigned steer_count;
};
struct fed_link_server_stats {
    uint64_t handshakes;  /* completed, abbreviated ones too */
    uint64_t recalled;    /* of them: of peers that were known again */
    uint64_t failed;      /* begun and not completed */
    uint64_t turned_away; /* not begun: no room, or no time */
    uint64_t restored;    /* sessions of another process that went on */
    size_t sessions;
};
void fed_link_session_set_user(struct fed_link_session *session, void *user);
void *fed_link_session_user(const struct fed_link_session *session);
void fed_link_session_close(
    struct fed_link_session *session); /* close_notify; closed is not called */
/* Answers a request. body may be large: it is copied and served in blocks with one ETag. max_age_s
 * only with FED_LINK_UNAVAILABLE. */
void fed_link_answer(
    struct fed_link_exchange *exchange, unsigned code, struct fed_span body, uint32_t max_age_s);
/* Sends a confirmable notification to the session's observation. One is under way at a time: a
 * newer one replaces a waiting one. FED_ERR_NOT_FOUND when nothing is observed; FED_ERR_LIMIT when
 * body does not fit one datagram (1,024), or is larger than the blocks that the peer asks for. */
FED_MUST_USE enum fed_err fed_link_notify(
    struct fed_link_session *session, struct fed_span body, uint64_t tag);
void fed_link_session_stats(const struct fed_link_session *session, struct fed_link_stats *out);

/* What each binding has of its own: the functions above, or those that stand for them below. */
struct fed_link_calls {
    const char *name; /* "coap", "https": as people are told of it */
    void (*set_user)(struct fed_link_session *session, void *user);
    void *(*user)(const struct fed_link_session *session);
    void (*close)(struct fed_link_session *session);
    void (*answer)(struct fed_link_exchange *exchange, unsigned code, struct fed_span body,
        uint32_t max_age_s);
    enum fed_err (*notify)(struct fed_link_session *session, struct fed_span body, uint64_t tag);
    /* Of the session so far; NULL: its bytes are not counted. */
    void (*stats)(const struct fed_link_session *session, struct fed_link_stats *out);
};
/* fed_link_*, fed_https_*, and what stands for each where sessions are in worker processes. */
const struct fed_link_calls *fed_coap_calls(void);
const struct fed_link_calls *fed_https_calls(void);
const struct fed_link_calls *fed_worker_calls(void);
const struct fed_link_calls *fed_worker_https_calls(void);

/* ports/coap on ports/dtls. */
FED_MUST_USE enum fed_err fed_coap_server_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, const struct fed_link_server_options *options,
    const struct fed_link_server_events *events, struct fed_link_server **out,
    struct fed_diag *diag);
void fed_coap_server_close(struct fed_link_server *server); /* not inside one of its callbacks */
/* Tells an agent that was connected from there that its session is not known here, so that it looks
 * (fed_dtls_server_knock). server is the struct fed_link_server. */
void fed_coap_server_knock(void *server, const char *address);
uint16_t fed_coap_server_port(const struct fed_link_server *server);
void fed_coap_server_stats(const struct fed_link_server *server, struct fed_link_server_stats *out);
/* As the functions of ports/dtls.h of these names. */
void fed_coap_server_pause(struct fed_link_server *server, bool paused);
void fed_coap_server_psk(
    struct fed_link_server *server, struct fed_span identity, struct fed_span key);
void fed_coap_server_recall(
    struct fed_link_server *server, struct fed_span id, struct fed_span recall);
FED_MUST_USE enum fed_err fed_coap_server_certificate(struct fed_link_server *server,
    struct fed_span cert_pem, struct fed_span key_pem, struct fed_span client_ca_pem,
    struct fed_diag *diag);

/* ---- sessions that outlive their process ---- */
#define FED_LINK_SAVED_MAX 8192u
#define FED_LINK_STEER_NONE 0xffffu
/* session's user pointer and its _stats are good for the call, nothing else of it. saved holds
 * keys: encrypt it, and let it be used once. steer: first byte of the session's connection ID, or
 * _STEER_NONE. */
typedef void fed_link_saved(
    void *ctx, struct fed_link_session *session, struct fed_span saved, unsigned steer);
/* Ends every session: each is called for those that another process can go on with, the others are
 * closed with a word to their peers; closed is called for none. Answer what was asked before: what
 * is not answered is lost. Close the server afterwards. */
void fed_coap_server_save(struct fed_link_server *server, fed_link_saved *each, void *ctx);
/* Makes a session again; opened is called, with kept. Errors as fed_dtls_session_restore; the
 * session is lost then, and its peer finds out by itself. */
FED_MUST_USE enum fed_err fed_coap_server_restore(
    struct fed_link_server *server, struct fed_span saved, struct fed_span kept, uint32_t away_ms);

/* ---- ports/worker: a CoAP and an HTTPS server whose sessions live in worker processes ----
 *
 * Each worker is this executable again, with the arguments `gateway-worker`, and has one of several
 * sockets on each of two ports. The kernel sends a record with a connection ID to the worker that
 * gave it, and others, and connections, by the hash of both addresses. Connections of one session
 * by HTTPS may be with several workers; here it is one. A worker that ends is started again, its
 * sessions are closed; one that takes nothing for 20 s is ended. */
struct fed_worker_pool;
struct fed_worker_pool_options {
    unsigned workers;                      /* 1 .. FED_WORKER_POOL_MAX */
    unsigned log_level;                    /* enum fed_log_level */
    struct fed_link_server_options server; /* _max: of all workers together; fd, steer unused */
    struct fed_link_server_options https;  /* the same; cert_pem is the chain; listen NULL: none */
    const struct fed_link_server_events *https_events;
    /* A worker ended without being asked to: its sessions were closed, and their agents do not
     * know. May be NULL. */
    void (*lost)(void *ctx);
    void *lost_ctx;
};
#define FED_WORKER_POOL_MAX 64u
/* Starts the workers; they take no datagrams before _go. A port that is taken is tried for 3 s: the
 * workers of a hub that was killed are gone by then. */
FED_MUST_USE enum fed_err fed_worker_pool_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, const struct fed_worker_pool_options *options,
    const struct fed_link_server_events *events, struct fed_worker_pool **out,
    struct fed_diag *diag);
/* Ends the workers, which close their sessions; closed is called for none. */
void fed_worker_pool_close(struct fed_worker_pool *pool);
uint16_t fed_worker_pool_port(const struct fed_worker_pool *pool);
uint16_t fed_worker_pool_https_port(const struct fed_worker_pool *pool);
void fed_worker_pool_stats(const struct fed_worker_pool *pool, struct fed_link_server_stats *out);
void fed_worker_pool_https_stats(
    const struct fed_worker_pool *pool, struct fed_link_server_stats *out);
/* A session that was saved, by any number of workers, to the worker that it belongs to now. Between
 * _open and _go. */
void fed_worker_pool_restore(struct fed_worker_pool *pool, struct fed_span saved,
    struct fed_span kept, unsigned steer, uint32_t away_ms);
void fed_worker_pool_go(struct fed_worker_pool *pool);
void fed_worker_pool_knock(void *pool, const char *address); /* as fed_coap_server_knock */
/* What is not sent yet goes to workers that start later, too. chain_pem is shown by HTTPS. */
void fed_worker_pool_certificate(struct fed_worker_pool *pool, struct fed_span cert_pem,
    struct fed_span chain_pem, struct fed_span key_pem, struct fed_span client_ca_pem);
/* Stops in order: no more datagrams and connections are taken; quiet is called when every request
 * that was taken has been given to request, so that its owner can answer what it holds; then each
 * is called for every session by CoAP, those by HTTPS end, and done is called when all workers have
 * ended (or did not within timeout_ms). Close the pool afterwards, not inside done. */
void fed_worker_pool_save(struct fed_worker_pool *pool, unsigned timeout_ms,
    void (*quiet)(void *ctx), fed_link_saved *each, void (*done)(void *ctx), void *ctx);
/* The functions above for the pool's sessions and exchanges. fed_worker_notify knows neither
 * whether something is observed (what is not sent is not reported) nor whether the body fits the
 * peer's blocks (then unfit is called). */
void fed_worker_session_set_user(struct fed_link_session *session, void *user);
void *fed_worker_session_user(const struct fed_link_session *session);
void fed_worker_session_close(struct fed_link_session *session);
void fed_worker_answer(
    struct fed_link_exchange *exchange, unsigned code, struct fed_span body, uint32_t max_age_s);
FED_MUST_USE enum fed_err fed_worker_notify(
    struct fed_link_session *session, struct fed_span body, uint64_t tag);
/* As of some moment of the last second; complete when closed is called. */
void fed_worker_session_stats(const struct fed_link_session *session, struct fed_link_stats *out);
/* The same for sessions by HTTPS; fed_worker_answer is for both. _notify takes what
 * fed_https_notify takes, unless more waits for the worker than it should (FED_ERR_LIMIT: a small
 * one fits). */
void fed_worker_https_set_user(struct fed_link_session *session, void *user);
void *fed_worker_https_user(const struct fed_link_session *session);
void fed_worker_https_close(struct fed_link_session *session);
FED_MUST_USE enum fed_err fed_worker_https_notify(
    struct fed_link_session *session, struct fed_span body, uint64_t tag);
void fed_worker_https_stats(const struct fed_link_session *session, struct fed_link_stats *out);
/* The worker's whole life, on the descriptors that fedhub gave it (3, the socket to fedhub; 4, the
 * UDP socket; 5, if there is one, the TCP socket that listens). Returns when fedhub wants it to end
 * or is gone. By then the process can open no file any more: leave it with _exit. */
FED_MUST_USE enum fed_err fed_worker_run(struct fed_alloc *mem, struct fed_diag *diag);

/* ports/https on ports/http: the same events and the same contract for HTTPS. cert_pem is the chain
 * that peers are shown; tokens are nothing here: psk is not called, and a peer without a
 * certificate has neither cert nor psk_identity. Sessions and exchanges are its own: use them with
 * the functions below only. sessions_max, handshakes_max (half of them of one address; as many
 * connections of one address with its peers that have no certificate), session_idle_ms and fd
 * (which listens) as above. */
#define FED_LINK_ID_SIZE 16u
struct fed_https_server;
FED_MUST_USE enum fed_err fed_https_server_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, const struct fed_link_server_options *options,
    const struct fed_link_server_events *events, struct fed_https_server **out,
    struct fed_diag *diag);
/* Stops listening, ends observations in order and connections when their answers are sent, cuts
 * what is left after grace_ms and calls done, in which the server may be closed. */
void fed_https_server_shutdown(
    struct fed_https_server *server, unsigned grace_ms, fed_loop_call *done, void *done_ctx);
void fed_https_server_close(struct fed_https_server *server); /* not inside one of its callbacks */
uint16_t fed_https_server_port(const struct fed_https_server *server);
/* restored is 0. */
void fed_https_server_stats(
    const struct fed_https_server *server, struct fed_link_server_stats *out);
/* While it is paused nobody is accepted and no request is passed on; what was begun is sent. */
void fed_https_server_pause(struct fed_https_server *server, bool paused);
/* Another certificate with its chain, for connections from now on. FED_ERR_INVALID with a sentence;
 * then everything is as before. */
FED_MUST_USE enum fed_err fed_https_server_certificate(struct fed_https_server *server,
    struct fed_span cert_pem, struct fed_span key_pem, struct fed_span client_ca_pem,
    struct fed_diag *diag);
void fed_https_session_set_user(struct fed_link_session *session, void *user);
void *fed_https_session_user(const struct fed_link_session *session);
/* Ends what was answered in order, then the connections; closed is not called. */
void fed_https_session_close(struct fed_link_session *session);
void fed_https_answer(
    struct fed_link_exchange *exchange, unsigned code, struct fed_span body, uint32_t max_age_s);
/* As fed_link_notify, but body may have 32 MiB. Delivered means that the socket took all of it. */
FED_MUST_USE enum fed_err fed_https_notify(
    struct fed_link_session *session, struct fed_span body, uint64_t tag);
/* Bytes of the connections' TLS; datagrams are 0. */
void fed_https_session_stats(const struct fed_link_session *session, struct fed_link_stats *out);
/* For who joins what several servers, on one port, have of one session: what its peer calls it, ...
 */
void fed_https_session_id(const struct fed_link_session *session, uint8_t out[FED_LINK_ID_SIZE]);
/* ... that it showed life elsewhere, ... */
void fed_https_session_touch(struct fed_link_session *session);
/* ... that it observes elsewhere now: what it observed here ends in order. */
void fed_https_session_unobserve(struct fed_link_session *session);

#endif
