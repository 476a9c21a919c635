/* http.h - HTTP over TLS, server and client; HTTP/2 and HTTP/1.1 behind one face.
 *
 * Everything runs on the loop given and calls back on it. Implementation: ports/http (nghttp2,
 * llhttp) on ports/tls. */
#ifndef FEDLET_PORTS_HTTP_H
#define FEDLET_PORTS_HTTP_H

#include "ports/crypto.h"
#include "ports/log.h"
#include "ports/loop.h"
#include "proto/base/buf.h"

struct fed_http_header {
    struct fed_span name; /* lower case */
    struct fed_span value;
};

/* ---- server ---- */
struct fed_http_server;
struct fed_http_exchange; /* one request and its answer */

struct fed_http_request {
    struct fed_span method;                /* "GET" */
    struct fed_span path;                  /* before '?', percent-encoded as it came */
    struct fed_span query;                 /* after '?', empty when none */
    const struct fed_http_header *headers; /* without HTTP/2 pseudo headers; "host" is :authority */
    size_t n_headers;
    struct fed_span body; /* whole, inflated never */
    /* The TLS peer: NULL when it sent no certificate; else one that chains to client_ca and is in
     * its validity. */
    const struct fed_crypto_cert_info *peer;
    struct fed_span peer_address; /* "127.0.0.1:51234" */
};

/* Called once the request is complete. The request's spans live until the exchange ends. The
 * handler answers now or later, from the loop. */
typedef void fed_http_handler(
    void *ctx, struct fed_http_exchange *exchange, const struct fed_http_request *request);
/* Called once when the exchange is over without the handler having ended it: peer gone, reset,
 * time-out, server closing. After it the exchange must not be used. Never called from inside a
 * fed_http_* call on an exchange, only from the loop, from fed_http_server_shutdown (streaming
 * answers) and from fed_http_server_close. */
typedef void fed_http_closed(void *ctx, struct fed_http_exchange *exchange);

/* The body of what the port itself refuses before any handler knows of it: 400, 413, 414, 417, 431,
 * 501, 503 and 505. why is a sentence. Returns the content type; what it wrote is dropped when body
 * has an error. Called inside fed_http_server_* and the loop's callbacks. */
typedef const char *fed_http_refusal(
    void *ctx, unsigned status, const char *why, struct fed_buf *body);

/* A connection whose handshake is over, for who keeps something for each. */
struct fed_http_conn;
/* All called from the loop, none from inside a call of this header but closed, which
 * fed_http_server_close calls too. Members may be NULL; ctx is the server's. */
struct fed_http_conn_events {
    /* The peer proved its life: bytes of it came through TLS, an HTTP/2 PING for one. */
    void (*alive)(void *ctx, struct fed_http_conn *conn);
    /* The socket took all that HTTP had for it. Of a stream more may wait for the peer's window:
     * see fed_http_stream_waiting. */
    void (*flushed)(void *ctx, struct fed_http_conn *conn);
    /* It is over, and so are its exchanges. */
    void (*closed)(void *ctx, struct fed_http_conn *conn);
    /* The certificate that the peer showed in its handshake was refused; there never was a
     * connection. */
    void (*refused)(void *ctx, const char *address, const struct fed_diag *diag);
};

struct fed_http_server_options {
    const char *listen; /* "127.0.0.1:7443", "[::]:0" */
    int fd; /* instead of listen: a socket that listens, the server's from now on; 0: none */
    struct fed_span cert_pem;      /* chain, copied */
    struct fed_span key_pem;       /* copied */
    struct fed_span client_ca_pem; /* empty: client certificates are not asked for */
    bool client_may_have_ended;    /* as in ports/tls/stream.h; never for the API */
    fed_http_refusal *refusal;     /* NULL: plain text */
    size_t body_max;               /* bytes; more is answered 413 */
    size_t header_max;             /* bytes of all headers; more is 431; 0: 64 KiB */
    size_t queue_max; /* bytes queued on a streaming answer before the exchange is cut; 0: 4 MiB */
    unsigned connections_max; /* 0: 4096 */
    /* What one client may have of the server. A client is the common name of a certificate; until
     * the handshake is over, and without a certificate, it is an address. A connection too many
     * takes the place of one that is still in its handshake, else of the one that is idle for
     * longest: of the same client, or of the client with most when all are taken; when none is idle
     * it is closed at once. */
    unsigned client_connections_max; /* 0: a quarter of connections_max */
    /* Handshakes under way at once, and those of one address; one too many takes the place of the
     * oldest, of the same address or of the address with most, whose peer has been silent for two
     * seconds; when there is none it is closed at once. 0: only the above counts. */
    unsigned handshakes_max;
    unsigned client_handshakes_max;
    unsigned certificate_connections_max; /* for clients with a certificate; 0: the same */
    size_t client_requests_max; /* bytes of headers and bodies held; more is 503; 0: 64 MiB */
    size_t requests_max;        /* of all clients; 0: 256 MiB */
    /* bytes of answers not taken yet; from half of it on further requests of connections that have
     * not read theirs wait until they have, beyond it all do, and streams that have more than 64
     * KiB waiting are cut; 0: 128 MiB */
    size_t client_answers_max;
    size_t answers_max;        /* of all clients; 0: 512 MiB */
    unsigned streams_max;      /* per connection, HTTP/2; 0: 250 */
    unsigned idle_timeout_ms;  /* connection without an open exchange; 0: 120 s */
    unsigned first_request_ms; /* connection that has not had one yet; 0: idle_timeout_ms */
    bool
        no_probes; /* no keepalive of TCP: peers have a heartbeat of their own, and pay for bytes */
    unsigned header_timeout_ms;              /* TLS handshake and header block; 0: 10 s */
    struct fed_http_conn_events conn_events; /* all NULL: none are told */
};

FED_MUST_USE enum fed_err fed_http_server_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, const struct fed_http_server_options *options, fed_http_handler *handler,
    fed_http_closed *closed, void *ctx, struct fed_http_server **out, struct fed_diag *diag);
/* Stops listening, ends streaming answers in order (HTTP/2 GOAWAY), cuts what is left after
 * grace_ms and calls done, in which the server may be closed. */
void fed_http_server_shutdown(
    struct fed_http_server *server, unsigned grace_ms, fed_loop_call *done, void *done_ctx);
/* Cuts everything at once; done of a shutdown under way is not called any more. Not from inside
 * handler or closed. NULL is fine. */
void fed_http_server_close(struct fed_http_server *server);
uint16_t fed_http_server_port(const struct fed_http_server *server); /* the port it got */
/* While it is paused nobody is accepted, no handshake goes on and no request is given to the
 * handler; what was begun is sent. */
void fed_http_server_pause(struct fed_http_server *server, bool paused);
/* Another certificate, and who is trusted, for handshakes from now on; connections go on with what
 * they have. FED_ERR_INVALID with a sentence; then everything is as before. */
FED_MUST_USE enum fed_err fed_http_server_certificate(struct fed_http_server *server,
    struct fed_span cert_pem, struct fed_span key_pem, struct fed_span client_ca_pem,
    struct fed_diag *diag);
struct fed_http_server_stats {
    uint64_t handshakes;  /* completed */
    uint64_t failed;      /* begun and not completed */
    uint64_t turned_away; /* for want of room: at once, or to make it for another one */
    size_t connections;
};
void fed_http_server_stats(const struct fed_http_server *server, struct fed_http_server_stats *out);

/* ---- connections ---- */
struct fed_http_conn *fed_http_exchange_conn(const struct fed_http_exchange *exchange);
/* Free slot for the handler's own state, NULL at first. */
void fed_http_conn_set_user(struct fed_http_conn *conn, void *user);
void *fed_http_conn_user(const struct fed_http_conn *conn);
/* Takes no more requests, ends streams in order and closes once the answers that were begun are
 * sent; all of it later, from the loop. May be called from any callback. */
void fed_http_conn_end(struct fed_http_conn *conn);
/* Bytes of TLS on the socket, both ways, the handshake included. */
void fed_http_conn_bytes(const struct fed_http_conn *conn, uint64_t *sent, uint64_t *received);

/* ---- exchanges ---- */
/* Free slot for the handler's own state, NULL at first. */
void fed_http_exchange_set_user(struct fed_http_exchange *exchange, void *user);
void *fed_http_exchange_user(const struct fed_http_exchange *exchange);
const struct fed_http_request *fed_http_exchange_request(const struct fed_http_exchange *exchange);
/* A whole answer; ends the exchange (its pointer is dead afterwards). Adds content-length and date.
 * body is copied. gzip is used when the client accepts it and body is longer than 128 KiB, but not
 * with a strong etag, which names the bytes as they are, or a content-encoding. */
void fed_http_respond(struct fed_http_exchange *exchange, unsigned status,
    const struct fed_http_header *headers, size_t n_headers, struct fed_span body);
/* Bytes that any number of answers send without copying them: counted, never changed. */
struct fed_http_shared;
/* Takes the buffer's memory, which must not be an arena's; the buffer is empty afterwards. The
 * reference is the caller's. NULL when memory is refused. */
struct fed_http_shared *fed_http_shared_take(struct fed_buf *bytes);
struct fed_http_shared *fed_http_shared_ref(struct fed_http_shared *shared); /* another one */
void fed_http_shared_unref(struct fed_http_shared *shared);                  /* NULL is fine */
/* As fed_http_respond; takes a reference of its own. Compressed once, however many ask for that. */
void fed_http_respond_shared(struct fed_http_exchange *exchange, unsigned status,
    const struct fed_http_header *headers, size_t n_headers, struct fed_http_shared *body);
/* A streaming answer: begin, then write as often as needed, then end. FED_ERR_LIMIT when the queue
 * is full (FED_ERR_NOMEM when memory is refused): the exchange has been cut then and closed is
 * called, later from the loop, unless the handler ends it before; FED_ERR_CLOSED when it is over
 * already. begin: FED_ERR_INVALID for a status without a body or a header that cannot be sent; then
 * nothing was begun. */
FED_MUST_USE enum fed_err fed_http_stream_begin(struct fed_http_exchange *exchange, unsigned status,
    const struct fed_http_header *headers, size_t n_headers);
/* The same, sent as gzip (content-encoding and vary are added) when the client accepts that: what
 * is written is compressed by itself, at once, and what is shared is compressed once for all. */
FED_MUST_USE enum fed_err fed_http_stream_begin_gzip(struct fed_http_exchange *exchange,
    unsigned status, const struct fed_http_header *headers, size_t n_headers);
FED_MUST_USE enum fed_err fed_http_stream_write(
    struct fed_http_exchange *exchange, struct fed_span bytes);
/* As _write; takes a reference of its own. */
FED_MUST_USE enum fed_err fed_http_stream_share(
    struct fed_http_exchange *exchange, struct fed_http_shared *bytes);
/* Bytes written that did not go yet to what the socket is given next. */
size_t fed_http_stream_waiting(const struct fed_http_exchange *exchange);
/* Bytes written so far, as they are sent: compressed. */
uint64_t fed_http_stream_bytes(const struct fed_http_exchange *exchange);
void fed_http_stream_end(struct fed_http_exchange *exchange); /* its pointer is dead afterwards */

/* ---- client ---- */
struct fed_http_client;
struct fed_http_call; /* one request under way */

/* Whom the client takes for its server. */
enum fed_http_trust {
    FED_HTTP_TRUST_NAME, /* a certificate below ca_pem for server_name */
    FED_HTTP_TRUST_HUB,  /* below ca_pem, serverAuth in so many words; whatever its name */
    FED_HTTP_TRUST_PIN   /* the same below the CA with ca_pin, which the server sends along */
};

#define FED_HTTP_PROXY_MAX 512u /* bytes of a proxy's URL */
#define FED_HTTP_NO_KEEPALIVE UINT32_MAX

struct fed_http_client_options {
    const char *host; /* name or address, for DNS and connect */
    uint16_t port;
    enum fed_http_trust trust;
    const struct fed_digest *ca_pin; /* SHA-256 of the CA's SubjectPublicKeyInfo; copied */
    /* "http://[USER[:PASSWORD]@]HOST[:PORT]": a tunnel through this proxy (CONNECT, RFC 9110
     * section 9.3.6; Basic authentication, RFC 7617); TLS is with the host, inside of it. NULL or
     * empty: none. Port 80 when none is given. */
    const char *proxy;
    const char *server_name;   /* for SNI and certificate check; NULL: host */
    struct fed_span ca_pem;    /* trust anchors; copied */
    bool insecure_skip_verify; /* kubeconfig insecure-skip-tls-verify: certificate not checked */
    struct fed_span cert_pem;  /* client certificate, may be empty; copied */
    struct fed_span key_pem;
    bool http1_only;
    unsigned connect_timeout_ms; /* 0: 10 s */
    /* HTTP/2 PING when silent that long while calls are open; 0: 30 s; FED_HTTP_NO_KEEPALIVE: no
     * PING and no probes of TCP either, as the caller has a heartbeat of its own. */
    unsigned keepalive_ms;
    size_t response_max; /* buffered answers; 0: 16 MiB */
    /* What fed_http_client_traffic said last, with the goodbyes, is added here when all is closed;
     * NULL for nothing. */
    uint64_t *total_sent;
    uint64_t *total_received;
};

struct fed_http_response {
    unsigned status;
    const struct fed_http_header *headers;
    size_t n_headers;
    struct fed_span body; /* whole for buffered calls, empty for streaming ones at the head */
};

/* Exactly one `done` per call. err FED_OK: response is set (for streams: the stream ended in
 * order). Else response is NULL and diag says why. */
struct fed_http_call_events {
    void *ctx;
    /* Streaming calls only: status and headers; then data pieces. NULL for a buffered call. */
    void (*head)(void *ctx, const struct fed_http_response *response);
    void (*data)(void *ctx, struct fed_span bytes);
    void (*done)(void *ctx, enum fed_err err, const struct fed_http_response *response,
        const struct fed_diag *diag);
};

struct fed_http_call_options {
    const char *method;
    const char *target; /* path and query, percent-encoded */
    const struct fed_http_header *headers;
    size_t n_headers;
    struct fed_span body; /* copied */
    unsigned timeout_ms;  /* whole call; for streams until the head; 0: 30 s */
};

/* Lazily connects (a host name is looked up then, beside the loop, and all its addresses are
 * tried); one connection, all calls on it (HTTP/2), or a pool of up to 64 for HTTP/1.1 servers.
 * After a lost connection open calls fail with FED_ERR_NETWORK and the next call connects again. */
FED_MUST_USE enum fed_err fed_http_client_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, const struct fed_http_client_options *options,
    struct fed_http_client **out, struct fed_diag *diag);
/* Fails open calls with FED_ERR_CLOSED (their done is called) and frees. May be called from any
 * callback of a call. */
void fed_http_client_close(struct fed_http_client *client);
/* Never calls back before it returned. Connection errors arrive at done. FED_ERR_INVALID for a
 * method, target or header that cannot be sent, FED_ERR_LIMIT for more than 64 KiB of headers. out
 * may be NULL. A call that the server did not touch (REFUSED_STREAM, GOAWAY), or an idempotent one
 * on a connection that had served before, is tried once more. */
FED_MUST_USE enum fed_err fed_http_call(struct fed_http_client *client,
    const struct fed_http_call_options *options, const struct fed_http_call_events *events,
    struct fed_http_call **out);
/* Ends a call without done. */
void fed_http_call_cancel(struct fed_http_call *call);
/* An HTTP/2 PING on the open connection; pong is called when it was answered, never when the
 * connection is lost before. One at a time: the next one replaces it. FED_ERR_UNSUPPORTED when no
 * HTTP/2 connection is open, FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_http_client_ping(
    struct fed_http_client *client, fed_loop_call *pong, void *ctx);
/* Bytes of all TLS records, and of talking to the proxy, of all connections so far. */
void fed_http_client_traffic(
    const struct fed_http_client *client, uint64_t *sent, uint64_t *received);
/* That a proxy's URL can be used. FED_ERR_INVALID with a sentence without its password. */
FED_MUST_USE enum fed_err fed_http_proxy_check(const char *url, struct fed_diag *diag);

#endif
