/* client_recall.c - the next handshake goes by what the last session left, when the hub remembers
 * it too; else it is a whole one, without a round trip more. It proves the hub as its certificate
 * did: nobody else has the secret. */
#include "ports/dtls/client.h"

#include <mbedtls/platform_util.h>

#include <string.h>

void dtls_client_forget(struct dtls_client_kept *kept)
{
    mbedtls_platform_zeroize(kept, sizeof(*kept));
}

enum fed_err dtls_client_who(
    struct dtls_client_session *s, const struct fed_dtls_identity *identity)
{
    struct dtls_client_handshake *h = s->handshake;
    struct fed_digest_state state;
    enum fed_err err = fed_digest_begin(&state);

    if (!err)
        err = fed_digest_add(&state, identity->cert_pem);
    if (!err)
        err = fed_digest_add(&state, identity->ca_pem);
    if (err) {
        fed_digest_abort(&state);
        return err;
    }
    return fed_digest_end(&state, &h->who);
}

enum fed_err dtls_client_recall(struct dtls_client_session *s)
{
    struct dtls_client_kept *kept = &s->client->kept;
    struct dtls_client_handshake *h = s->handshake;
    mbedtls_ssl_session session;
    int code;

    h->recalls = false;
    if (h->psk)
        return FED_OK;
    dtls_recall_watch(&s->ssl, &h->made);
    if (!kept->there || !fed_digest_eq(&kept->who, &h->who) || !fed_mbed_times_count(&kept->ends))
        return FED_OK;
    mbedtls_ssl_session_init(&session);
    dtls_recall_put(&kept->recall, MBEDTLS_SSL_IS_CLIENT, &session);
    code = mbedtls_ssl_set_session(&s->ssl, &session);
    mbedtls_ssl_session_free(&session);
    h->recalls = code == 0;
    return code ? FED_ERR_NOMEM : FED_OK;
}

void dtls_client_keep(struct dtls_client_session *s)
{
    struct dtls_client_kept *kept = &s->client->kept;
    struct dtls_client_handshake *h = s->handshake;
    const mbedtls_x509_crt *hub = mbedtls_ssl_get_peer_cert(&s->ssl);

    dtls_recall_watch(&s->ssl, NULL);
    if (h->psk || (h->recalls && dtls_recall_was(&s->ssl, kept->recall.id, DTLS_RECALL_ID_SIZE)))
        return;
    dtls_client_forget(kept);
    /* What a hub left whose times were not looked at would spare it the look in the next handshake,
     * which is made for that. */
    if (!hub || !fed_mbed_times_count(&hub->valid_to) ||
        !dtls_recall_of(&s->ssl, &h->made, &h->own, &kept->recall))
        return;
    kept->who = h->who;
    kept->ends = hub->valid_to;
    kept->there = true;
}

void dtls_client_recall_failed(struct dtls_client_session *s, bool timeout)
{
    if (s->handshake->recalls &&
        (!timeout || s->ssl.MBEDTLS_PRIVATE(state) > MBEDTLS_SSL_SERVER_HELLO))
        dtls_client_forget(&s->client->kept);
}

/* ---- across processes, which are of the same build ---- */

void dtls_client_kept_put(const struct dtls_client_kept *kept, struct fed_buf *out)
{
    fed_buf_put_string(out, fed_span_of(kept, kept->there ? sizeof(*kept) : 0));
}

enum fed_err dtls_client_kept_take(struct fed_span *from, struct dtls_client_kept *out)
{
    struct fed_span bytes;
    enum fed_err err = fed_span_take_string(from, sizeof(*out), &bytes);

    if (!err && bytes.len > 0 && bytes.len != sizeof(*out))
        err = FED_ERR_INVALID;
    if (err)
        return err;
    dtls_client_forget(out);
    if (bytes.len > 0)
        memcpy(out, bytes.at, bytes.len);
    out->there = bytes.len > 0;
    return FED_OK;
}
