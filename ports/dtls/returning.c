/* returning.c - peers that were here before, in this process or in one that is gone: whoever keeps
 * what a session left is asked for it before the library sees the ClientHello (docs/protocol.md
 * section 3.5).
 *
 *   format 1, u16 suite, secret, string certificate (DER)
 *
 * The library looks sessions up in a call of its own, in which nothing can be waited for; so the
 * identifier is read in front of it, as with pre-shared keys (psk.c), and the datagram waits with a
 * place among the handshakes under way (queue.c). */
#include "ports/dtls/internal.h"

#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>

#include <string.h>

#define FORMAT 1u
#define RANDOM_END (13u + 12u + 2u + 32u) /* headers of record and message, version, random */
#define CERT_MAX (FED_DTLS_RECALL_MAX - 128u)

/* ---- the ClientHello ---- */

/* Identifier and cookie. A peer that keeps nothing has an empty identifier, or one of another form.
 */
static bool hello_parts(struct fed_span d, struct fed_span *id, struct fed_span *cookie)
{
    uint8_t len = 0;

    d = fed_span_sub(d, RANDOM_END, d.len);
    return !fed_span_take_u8(&d, &len) && !fed_span_take_bytes(&d, len, id) &&
           !fed_span_take_u8(&d, &len) && len > 0 && !fed_span_take_bytes(&d, len, cookie);
}

bool dtls_returning_has_cookie(struct fed_dtls_server *server)
{
    struct fed_span id;
    struct fed_span cookie;

    return hello_parts(server->incoming, &id, &cookie) &&
           mbedtls_ssl_cookie_check(&server->config.cookie, cookie.at, cookie.len,
               (const unsigned char *)&server->from, sizeof(server->from)) == 0;
}

void dtls_returning_answered(
    struct fed_dtls_server *server, struct fed_span id, struct fed_span recall)
{
    memcpy(server->recall_id, id.at, sizeof(server->recall_id));
    server->recall = recall;
    dtls_scratch_hello(server);
    server->recall = (struct fed_span){0};
}

/* Asks for it. false: a whole handshake. */
static bool ask(struct fed_dtls_server *server, struct fed_span id)
{
    struct fed_buf recall;
    enum fed_err err;
    bool done = false;

    fed_buf_init(&recall, server->mem, FED_DTLS_RECALL_MAX);
    err = server->events.recall(server->events.ctx, id, &recall);
    if (err == FED_ERR_BUSY) {
        done = dtls_queue_ask(server, id);
    } else if (!err && !fed_buf_err(&recall)) {
        dtls_returning_answered(server, id, fed_buf_span(&recall));
        done = true;
    }
    if (recall.at)
        mbedtls_platform_zeroize(recall.at, recall.cap);
    fed_buf_fini(&recall);
    return done;
}

void dtls_returning_begin(struct fed_dtls_server *server)
{
    struct fed_span id;
    struct fed_span cookie;

    if (!server->events.recall || !hello_parts(server->incoming, &id, &cookie) ||
        id.len != DTLS_RECALL_ID_SIZE || !ask(server, id))
        dtls_scratch_hello(server);
}

/* ---- the library's part ---- */

static enum fed_err recall_take(
    struct fed_span from, struct dtls_recall *out, struct fed_span *cert)
{
    struct fed_span secret;
    uint8_t format = 0;
    enum fed_err err = fed_span_take_u8(&from, &format);

    if (!err && format != FORMAT)
        err = FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_u16(&from, &out->suite);
    if (!err)
        err = fed_span_take_bytes(&from, sizeof(out->secret), &secret);
    if (!err)
        err = fed_span_take_string(&from, CERT_MAX, cert);
    if (!err)
        memcpy(out->secret, secret.at, sizeof(out->secret));
    return err || from.len == 0 ? err : FED_ERR_CORRUPT;
}

/* A peer does not come back by a certificate that has ended: a whole handshake sees to that. */
static bool is_good(const mbedtls_x509_crt *cert)
{
    return !mbedtls_x509_time_is_past(&cert->valid_to) &&
           !mbedtls_x509_time_is_future(&cert->valid_from);
}

/* Whoever keeps the rows knows whose identifier it is, and cannot look into them: a certificate of
 * another name is no peer's that left one. */
static mbedtls_x509_crt *cert_new(struct fed_span der, const unsigned char *id)
{
    mbedtls_x509_crt *cert = mbedtls_calloc(1, sizeof(*cert));

    if (!cert)
        return NULL;
    mbedtls_x509_crt_init(cert);
    if (mbedtls_x509_crt_parse_der(cert, der.at, der.len) == 0 && is_good(cert) &&
        dtls_recall_is_of(cert, id))
        return cert;
    mbedtls_x509_crt_free(cert);
    mbedtls_free(cert);
    return NULL;
}

int dtls_returning_get(void *ctx, const unsigned char *id, size_t len, mbedtls_ssl_session *session)
{
    struct fed_dtls_server *server = ctx;
    struct dtls_recall recall;
    struct fed_span der;
    mbedtls_x509_crt *cert;

    if (server->recall.len == 0 || len != sizeof(server->recall_id) ||
        memcmp(id, server->recall_id, len) != 0 || recall_take(server->recall, &recall, &der))
        return MBEDTLS_ERR_SSL_CACHE_ENTRY_NOT_FOUND;
    cert = cert_new(der, id);
    if (cert) {
        memcpy(recall.id, id, sizeof(recall.id));
        dtls_recall_put(&recall, MBEDTLS_SSL_IS_SERVER, session);
        session->MBEDTLS_PRIVATE(peer_cert) = cert;
    }
    mbedtls_platform_zeroize(&recall, sizeof(recall));
    return cert ? 0 : MBEDTLS_ERR_SSL_CACHE_ENTRY_NOT_FOUND;
}

/* ---- an established session ---- */

void dtls_returning_put(
    struct fed_dtls_session *s, uint8_t id[DTLS_RECALL_ID_SIZE], struct fed_buf *out)
{
    const mbedtls_x509_crt *cert = mbedtls_ssl_get_peer_cert(&s->ssl);
    struct dtls_recall recall;

    if (!dtls_recall_of(&s->ssl, &s->handshake->made, cert, &recall) || cert->raw.len > CERT_MAX)
        return;
    if (dtls_recall_was(&s->ssl, recall.id, DTLS_RECALL_NAME_SIZE)) {
        s->server->stats.recalled++;
    } else {
        memcpy(id, recall.id, sizeof(recall.id));
        fed_buf_put_u8(out, FORMAT);
        fed_buf_put_u16(out, recall.suite);
        fed_buf_put(out, fed_span_of(recall.secret, sizeof(recall.secret)));
        fed_buf_put_string(out, fed_span_of(cert->raw.p, cert->raw.len));
    }
    mbedtls_platform_zeroize(&recall, sizeof(recall));
}
