/* stream.h - TLS 1.2 and 1.3 (RFC 5246, RFC 8446) over a connected non-blocking socket, client and
 * server.
 *
 * The stream reads and writes the socket itself but never waits: what cannot go on returns
 * FED_ERR_BUSY, and fed_tls_stream_wants says which readiness to wait for before calling the same
 * function again. For http and link implementations under ports/; no other folder sees it. Call
 * fed_tls_crypto_open first. */
#ifndef FEDLET_PORTS_TLS_STREAM_H
#define FEDLET_PORTS_TLS_STREAM_H

#include "ports/crypto.h"

#define FED_TLS_ALPN_MAX 8u

/* ---- configuration: parsed once, shared by any number of streams ---- */
struct fed_tls_config;

struct fed_tls_server_options {
    struct fed_span cert_pem; /* own certificate, then its intermediates; copied, as all below */
    struct fed_span key_pem;
    /* Empty: client certificates are not asked for. Else they are asked for and a peer without one
     * is fine, while one that does not chain to these, is out of its validity or not meant for
     * clients fails the handshake. */
    struct fed_span client_ca_pem;
    /* A certificate of which nothing is wrong but that it has ended, or does not begin yet, passes:
     * whoever lets the peer do anything compares fed_tls_stream_peer's times. */
    bool client_may_have_ended;
    const char *const
        *alpn; /* n_alpn protocol names in order of preference, 0 for none; literals that live on */
    size_t n_alpn;
};

/* Whom a client takes for its server. */
enum fed_tls_trust {
    FED_TLS_TRUST_NAME, /* who has a certificate below ca_pem for server_name */
    /* ... below ca_pem that says serverAuth in so many words; the name is not looked at, as a hub
     * is reached by any address (docs/protocol.md section 3.1) */
    FED_TLS_TRUST_HUB,
    FED_TLS_TRUST_PIN /* as a hub, below the CA whose public key has the digest ca_pin, and which
                       * the server sends along; ca_pem is not used */
};

struct fed_tls_client_options {
    enum fed_tls_trust trust;
    const struct fed_digest *ca_pin; /* FED_TLS_TRUST_PIN: SHA-256 of the SubjectPublicKeyInfo */
    struct fed_span ca_pem; /* trust anchors; required unless insecure_skip_verify or a pin */
    /* DNS name or IP literal ("127.0.0.1", "::1", not bracketed). Checked against the certificate's
     * subjectAltName (RFC 6125, RFC 9525) unless trust says otherwise; a DNS name is also sent as
     * SNI. Required. */
    const char *server_name;
    bool insecure_skip_verify;
    struct fed_span cert_pem; /* client certificate with intermediates, may be empty */
    struct fed_span key_pem;  /* iff cert_pem */
    const char *const *alpn;
    size_t n_alpn;
};

/* FED_ERR_INVALID with a sentence for PEM that cannot be parsed, a key that does not belong to the
 * certificate, or a missing field; FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_tls_config_new_server(struct fed_alloc *mem,
    const struct fed_tls_server_options *options, struct fed_tls_config **out,
    struct fed_diag *diag);
FED_MUST_USE enum fed_err fed_tls_config_new_client(struct fed_alloc *mem,
    const struct fed_tls_client_options *options, struct fed_tls_config **out,
    struct fed_diag *diag);
/* Its streams go on with it, and the last one takes it along. NULL is fine. */
void fed_tls_config_free(struct fed_tls_config *config);

/* ---- one connection ---- */
struct fed_tls_stream;

#define FED_TLS_WANTS_READ 1u /* same bits as FED_LOOP_READ and FED_LOOP_WRITE */
#define FED_TLS_WANTS_WRITE 2u

/* fd: connected (or accepted), non-blocking, not SIGPIPE-prone (sends use MSG_NOSIGNAL); stays the
 * caller's. FED_ERR_NOMEM, FED_ERR_TLS. */
FED_MUST_USE enum fed_err fed_tls_stream_open(struct fed_alloc *mem, struct fed_tls_config *config,
    int fd, struct fed_tls_stream **out, struct fed_diag *diag);
/* Bytes of all records, both ways, as they go through the socket. */
struct fed_tls_traffic {
    uint64_t sent;
    uint64_t received;
};
/* Counts them into traffic from now on, which must live as long as the stream. */
void fed_tls_stream_count(struct fed_tls_stream *stream, struct fed_tls_traffic *traffic);
/* Sends nothing and does not close fd; NULL is fine. */
void fed_tls_stream_free(struct fed_tls_stream *stream);

/* All four: FED_ERR_BUSY = wait for fed_tls_stream_wants, call again. After any other error only
 * free is useful. FED_ERR_UNAUTHENTICATED  the peer's certificate was refused; diag: expired,
 * unknown CA, wrong name, ... FED_ERR_TLS              protocol error or a fatal alert of the peer;
 * diag names it FED_ERR_CLOSED           the peer ended the stream (close_notify, or a plain end of
 * file) FED_ERR_NETWORK          the socket failed; diag has the system's text With TLS 1.3 a
 * server judges the client's certificate after the client has finished its handshake: then the
 * refusal arrives at the client's first read. */
FED_MUST_USE enum fed_err fed_tls_stream_handshake(
    struct fed_tls_stream *stream, struct fed_diag *diag);
/* 1 <= *len <= size on FED_OK. Read until FED_ERR_BUSY: decrypted bytes may wait while the socket
 * has none. */
FED_MUST_USE enum fed_err fed_tls_stream_read(
    struct fed_tls_stream *stream, uint8_t *out, size_t size, size_t *len, struct fed_diag *diag);
/* Takes 1 <= *taken <= bytes.len (which must be > 0), one record at most. After FED_ERR_BUSY call
 * again with the same bytes or with a longer run that begins with them (they may have moved in
 * memory). Bytes that are left over must follow soon: what was taken may wait for them, up to
 * 200 ms, so that the kernel has less and larger segments to send. */
FED_MUST_USE enum fed_err fed_tls_stream_write(
    struct fed_tls_stream *stream, struct fed_span bytes, size_t *taken, struct fed_diag *diag);
/* For a stream that was silent for a while: gives back what its buffers take and do not use now,
 * two thirds of all that it has. They come back, as zeros, with the next bytes. */
void fed_tls_stream_rest(struct fed_tls_stream *stream);
/* Sends close_notify. */
FED_MUST_USE enum fed_err fed_tls_stream_close(struct fed_tls_stream *stream);

/* Readiness that the last FED_ERR_BUSY waits for: one of FED_TLS_WANTS_*. */
unsigned fed_tls_stream_wants(const struct fed_tls_stream *stream);
/* Facts after the handshake. */
const char *fed_tls_stream_alpn(
    const struct fed_tls_stream *stream); /* NULL when none was agreed */
const char *fed_tls_stream_version(const struct fed_tls_stream *stream); /* "TLSv1.3" */
/* The peer's verified certificate; NULL when it sent none (or insecure_skip_verify). Lives as long
 * as the stream. */
const struct fed_crypto_cert_info *fed_tls_stream_peer(const struct fed_tls_stream *stream);

#endif
