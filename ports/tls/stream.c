/* stream.c - one TLS connection over a non-blocking socket. */
#include "ports/tls/stream.h"

#include "ports/tls/internal.h"
#include "ports/tls/pages.h"

#include <mbedtls/net_sockets.h>
#include <mbedtls/platform.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNTERS                                                                                   \
    8u /* bytes at a buffer's beginning that outlive a record; its header comes behind */

/* The beginning of a buffer whose memory was given back. */
struct kept {
    bool is_set;
    unsigned char bytes[COUNTERS];
};

struct fed_tls_stream {
    struct fed_alloc *mem;
    struct fed_tls_config *config;
    mbedtls_ssl_context ssl;
    struct fed_mbed_verify verify;
    int fd;
    int system_error; /* errno of the socket call that failed, 0 for none */
    unsigned wants;
    size_t writing;                  /* bytes of the record that is encrypted but not all sent */
    struct fed_tls_traffic *traffic; /* NULL: nobody counts */
    bool more; /* the next record follows at once: the kernel may wait for it */
    bool established;
    struct fed_crypto_cert_info *peer;
    struct kept kept_in;
    struct kept kept_out;
};

static void put_back(struct kept *kept, unsigned char *buf)
{
    if (kept->is_set)
        memcpy(buf, kept->bytes, COUNTERS);
    kept->is_set = false;
}

/* Before the library reads or writes in its buffers. */
static void wake(struct fed_tls_stream *s)
{
    put_back(&s->kept_in, s->ssl.MBEDTLS_PRIVATE(in_buf));
    put_back(&s->kept_out, s->ssl.MBEDTLS_PRIVATE(out_buf));
}

/* ---- the library's view of the socket ---- */

static int socket_result(struct fed_tls_stream *s, ssize_t n, int busy)
{
    if (n >= 0)
        return (int)n;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return busy;
    s->system_error = errno;
    return busy == MBEDTLS_ERR_SSL_WANT_READ ? MBEDTLS_ERR_NET_RECV_FAILED
                                             : MBEDTLS_ERR_NET_SEND_FAILED;
}

static int on_send(void *ctx, const unsigned char *bytes, size_t len)
{
    struct fed_tls_stream *s = ctx;
    ssize_t n;

    do {
        n = send(s->fd, bytes, len, MSG_NOSIGNAL | (s->more ? MSG_MORE : 0));
    } while (n < 0 && errno == EINTR);
    if (n > 0 && s->traffic)
        s->traffic->sent += (uint64_t)n;
    return socket_result(s, n, MBEDTLS_ERR_SSL_WANT_WRITE);
}

static int on_recv(void *ctx, unsigned char *out, size_t size)
{
    struct fed_tls_stream *s = ctx;
    ssize_t n;

    do {
        n = recv(s->fd, out, size, 0);
    } while (n < 0 && errno == EINTR);
    if (n > 0)
        wake(s); /* not before: most looks find nothing */
    if (n > 0 && s->traffic)
        s->traffic->received += (uint64_t)n;
    return socket_result(s, n, MBEDTLS_ERR_SSL_WANT_READ);
}

/* ---- open and free ---- */

enum fed_err fed_tls_stream_open(struct fed_alloc *mem, struct fed_tls_config *config, int fd,
    struct fed_tls_stream **out, struct fed_diag *diag)
{
    struct fed_tls_stream *s = fed_alloc_zero(mem, sizeof(*s));
    int code;

    if (!s)
        return fed_diag_set(diag, FED_ERR_NOMEM, "TLS connection: out of memory");
    s->mem = mem;
    s->config = config;
    config->users++;
    s->fd = fd;
    s->wants = FED_TLS_WANTS_READ;
    mbedtls_ssl_init(&s->ssl);
    code = mbedtls_ssl_setup(&s->ssl, &config->ssl);
    /* NULL switches the library's own name check off, which verify.c replaces. */
    if (!code && !config->server)
        code = mbedtls_ssl_set_hostname(
            &s->ssl, config->server_name_is_ip ? NULL : config->server_name);
    if (code) {
        fed_tls_stream_free(s);
        return fed_mbed_error(diag, FED_ERR_TLS, code, "TLS connection");
    }
    mbedtls_ssl_set_bio(&s->ssl, s, on_send, on_recv, NULL);
    if (config->verify)
        fed_mbed_verify_init(&s->verify, &s->ssl, config->peer, config->server_name);
    s->verify.pin = &config->pin;
    *out = s;
    return FED_OK;
}

void fed_tls_stream_count(struct fed_tls_stream *stream, struct fed_tls_traffic *traffic)
{
    stream->traffic = traffic;
}

void fed_tls_stream_free(struct fed_tls_stream *stream)
{
    if (!stream)
        return;
    mbedtls_ssl_free(&stream->ssl);
    fed_tls_config_free(stream->config);
    fed_alloc_free(stream->mem, stream->peer, sizeof(*stream->peer));
    fed_alloc_free(stream->mem, stream, sizeof(*stream));
}

/* ---- working ---- */

static enum fed_err outcome(struct fed_tls_stream *s, int code, struct fed_diag *diag)
{
    if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) {
        s->wants = code == MBEDTLS_ERR_SSL_WANT_READ ? FED_TLS_WANTS_READ : FED_TLS_WANTS_WRITE;
        return FED_ERR_BUSY;
    }
    if (s->system_error)
        return fed_diag_set(
            diag, FED_ERR_NETWORK, "connection failed: %s", strerror(s->system_error));
    return fed_mbed_handshake_error(&s->verify, &s->ssl, code, diag);
}

/* Not a failure, just news that we do not need (tickets of TLS 1.3 servers). */
static bool is_news(int code)
{
    return code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
}

/* Of a client only the facts are kept: its parsed certificate is 3 KiB, and nothing of TLS needs it
 * any more. */
static void certificate_drop(struct fed_tls_stream *s)
{
    mbedtls_ssl_session *session = s->ssl.MBEDTLS_PRIVATE(session);
    mbedtls_x509_crt *cert = session->MBEDTLS_PRIVATE(peer_cert);

    session->MBEDTLS_PRIVATE(peer_cert) = NULL;
    mbedtls_x509_crt_free(cert);
    mbedtls_free(cert);
}

static enum fed_err peer_take(struct fed_tls_stream *s, struct fed_diag *diag)
{
    const mbedtls_x509_crt *cert = s->config->verify ? mbedtls_ssl_get_peer_cert(&s->ssl) : NULL;
    struct fed_crypto_cert_info *info;
    enum fed_err err;

    if (!cert)
        return FED_OK;
    info = fed_alloc_zero(s->mem, sizeof(*info));
    if (!info)
        return fed_diag_set(diag, FED_ERR_NOMEM, "TLS peer: out of memory");
    err = fed_mbed_cert_info(cert, info, diag);
    /* A server's subject is of no interest: names were checked against its subjectAltName. */
    if (err && s->config->server) {
        fed_alloc_free(s->mem, info, sizeof(*info));
        return err == FED_ERR_NOMEM ? err : FED_ERR_UNAUTHENTICATED;
    }
    s->peer = info;
    if (s->config->server)
        certificate_drop(s);
    return FED_OK;
}

/* What the library has for a handshake it keeps with TLS 1.3 for as long as the connection lives;
 * with 1.2 it does not. A server that gives no tickets has no more use for it. The two functions
 * are the library's own, for files of its own: in no header that is installed. */
void mbedtls_ssl_handshake_free(mbedtls_ssl_context *ssl);
void mbedtls_ssl_transform_free(mbedtls_ssl_transform *transform);

/* As mbedtls_ssl_free does it: what is NULL then is not looked at again. */
static void handshake_drop(mbedtls_ssl_context *ssl)
{
    if (!ssl->MBEDTLS_PRIVATE(handshake) || ssl->MBEDTLS_PRIVATE(session_negotiate))
        return;
    mbedtls_ssl_handshake_free(ssl);
    mbedtls_free(ssl->MBEDTLS_PRIVATE(handshake));
    ssl->MBEDTLS_PRIVATE(handshake) = NULL;
    if (ssl->MBEDTLS_PRIVATE(transform_negotiate))
        mbedtls_ssl_transform_free(ssl->MBEDTLS_PRIVATE(transform_negotiate));
    mbedtls_free(ssl->MBEDTLS_PRIVATE(transform_negotiate));
    ssl->MBEDTLS_PRIVATE(transform_negotiate) = NULL;
}

enum fed_err fed_tls_stream_handshake(struct fed_tls_stream *stream, struct fed_diag *diag)
{
    int code;
    enum fed_err err;

    if (stream->established)
        return FED_OK;
    do {
        code = mbedtls_ssl_handshake(&stream->ssl);
    } while (is_news(code));
    if (code)
        return outcome(stream, code, diag);
    if (stream->config->verify && stream->config->peer == FED_MBED_PEER_PINNED &&
        !stream->verify.judged)
        return fed_diag_set(diag, FED_ERR_UNAUTHENTICATED, "the peer sent no certificate");
    err = peer_take(stream, diag);
    if (err)
        return err;
    if (stream->config->server)
        handshake_drop(&stream->ssl);
    stream->established = true;
    return FED_OK;
}

enum fed_err fed_tls_stream_read(
    struct fed_tls_stream *stream, uint8_t *out, size_t size, size_t *len, struct fed_diag *diag)
{
    int code;

    do {
        code = mbedtls_ssl_read(&stream->ssl, out, size);
    } while (is_news(code));
    if (code > 0) {
        *len = (size_t)code;
        return FED_OK;
    }
    if (code == 0)
        return fed_diag_set(diag, FED_ERR_CLOSED, "the peer closed the connection");
    return outcome(stream, code, diag);
}

enum fed_err fed_tls_stream_write(
    struct fed_tls_stream *stream, struct fed_span bytes, size_t *taken, struct fed_diag *diag)
{
    /* A record that is under way must be asked for again with its own length. */
    size_t n = stream->writing > 0 ? stream->writing : bytes.len;
    int code;

    if (bytes.len == 0 || n > bytes.len)
        return fed_diag_set(diag, FED_ERR_INVALID, "TLS write: not the bytes that were begun");
    if (n > MBEDTLS_SSL_OUT_CONTENT_LEN)
        n = MBEDTLS_SSL_OUT_CONTENT_LEN;
    wake(stream);
    stream->more = n < bytes.len;
    do {
        code = mbedtls_ssl_write(&stream->ssl, bytes.at, n);
    } while (is_news(code));
    stream->more = false;
    if (code > 0) {
        stream->writing = 0;
        *taken = (size_t)code;
        return FED_OK;
    }
    if (code == MBEDTLS_ERR_SSL_WANT_WRITE)
        stream->writing = n;
    return outcome(stream, code, diag);
}

/* The whole pages inside of a buffer, or all of its slot. Its beginning, with the record counters,
 * is set aside when it has its first page for itself, else it stays. */
static void give_back(unsigned char *buf, size_t len, struct kept *kept)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    bool alone = (uintptr_t)buf % page == 0;
    uintptr_t from = ((uintptr_t)buf + (alone ? 0 : COUNTERS) + page - 1) / page * page;
    uintptr_t to = ((uintptr_t)buf + (fed_pages_own(buf) ? FED_PAGES_SLOT : len)) / page * page;

    if (!buf || from >= to || kept->is_set)
        return;
    memcpy(kept->bytes, buf, COUNTERS);
    kept->is_set = madvise((void *)from, to - from, MADV_DONTNEED) == 0 && alone;
}

/* How long a buffer is, or at least is: with TLS 1.2 a peer may have small records agreed
 * on, and then the library takes smaller buffers. */
static size_t in_size(const mbedtls_ssl_context *ssl)
{
#if defined(MBEDTLS_SSL_VARIABLE_BUFFER_LENGTH)
    return ssl->MBEDTLS_PRIVATE(in_buf_len);
#else
    (void)ssl;
    return MBEDTLS_SSL_IN_CONTENT_LEN;
#endif
}

static size_t out_size(const mbedtls_ssl_context *ssl)
{
#if defined(MBEDTLS_SSL_VARIABLE_BUFFER_LENGTH)
    return ssl->MBEDTLS_PRIVATE(out_buf_len);
#else
    (void)ssl;
    return MBEDTLS_SSL_OUT_CONTENT_LEN;
#endif
}

void fed_tls_stream_rest(struct fed_tls_stream *stream)
{
    mbedtls_ssl_context *ssl = &stream->ssl;

    if (!stream->established)
        return;
    /* No part of a record came, and none is decrypted and not read. */
    if (ssl->MBEDTLS_PRIVATE(in_left) == 0 && !ssl->MBEDTLS_PRIVATE(in_offt))
        give_back(ssl->MBEDTLS_PRIVATE(in_buf), in_size(ssl), &stream->kept_in);
    if (ssl->MBEDTLS_PRIVATE(out_left) == 0 && stream->writing == 0)
        give_back(ssl->MBEDTLS_PRIVATE(out_buf), out_size(ssl), &stream->kept_out);
}

enum fed_err fed_tls_stream_close(struct fed_tls_stream *stream)
{
    int code;

    wake(stream);
    code = mbedtls_ssl_close_notify(&stream->ssl);
    return code ? outcome(stream, code, NULL) : FED_OK;
}

/* ---- facts ---- */

unsigned fed_tls_stream_wants(const struct fed_tls_stream *stream)
{
    return stream->wants;
}

const char *fed_tls_stream_alpn(const struct fed_tls_stream *stream)
{
    return mbedtls_ssl_get_alpn_protocol(&stream->ssl);
}

const char *fed_tls_stream_version(const struct fed_tls_stream *stream)
{
    return mbedtls_ssl_get_version(&stream->ssl);
}

const struct fed_crypto_cert_info *fed_tls_stream_peer(const struct fed_tls_stream *stream)
{
    return stream->peer;
}
