/* client_dtls.c - the parts of a session that libcoap leaves to its TLS library or does not do:
 * which certificates are a hub's, why a handshake failed, how many bytes travelled.
 *
 * A hub is who has a certificate that chains to the pinned CA and that says serverAuth in so many
 * words. Its name is not looked at, as a hub may be reached by any address; agents have
 * certificates of the same CA, but for clientAuth.
 *
 * libcoap counts nothing, so the library's send and receive functions are wrapped as soon as
 * libcoap hands out the TLS context. The first ClientHello has left by then; its length is still in
 * the record header of the write buffer. */
#include "ports/coap/client.h"

#include "ports/tls/mbed.h"

#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>

#include <string.h>

#define RECORD_HEADER 13u
#define CONTENT_ALERT 21u
#define CONTENT_HANDSHAKE 22u

/* ---- bytes ---- */

static int on_send(void *ctx, const unsigned char *bytes, size_t len)
{
    struct fed_coap_client *client = ctx;
    int sent = client->tls_send(client->tls_bio, bytes, len);

    if (sent > 0) {
        client->stats.sent_bytes += (uint64_t)sent;
        client->stats.sent_datagrams++;
    }
    return sent;
}

/* A handshake that fails says why in an alert, which is not encrypted yet: type, version, epoch 0,
 * then level and description behind the header. Anybody may have sent it, so it explains, it does
 * not decide. */
static void alert_note(struct fed_coap_client *client, const unsigned char *bytes, int len)
{
    if (client->state == FED_COAP_CONNECTING && len >= (int)RECORD_HEADER + 2 &&
        bytes[0] == CONTENT_ALERT && bytes[3] == 0 && bytes[4] == 0)
        client->alert = bytes[RECORD_HEADER + 1];
}

static int on_recv(void *ctx, unsigned char *out, size_t size)
{
    struct fed_coap_client *client = ctx;
    int got = client->tls_recv(client->tls_bio, out, size);

    if (got > 0) {
        client->stats.received_bytes += (uint64_t)got;
        client->stats.received_datagrams++;
        alert_note(client, out, got);
    }
    return got;
}

static void first_flight_count(struct fed_coap_client *client, const mbedtls_ssl_context *ssl)
{
    const unsigned char *record = ssl->MBEDTLS_PRIVATE(out_buf);

    if (!record || record[0] != CONTENT_HANDSHAKE)
        return;
    client->stats.sent_bytes += RECORD_HEADER + ((size_t)record[11] << 8 | record[12]);
    client->stats.sent_datagrams++;
}

/* ---- the hub's certificate ---- */

static int on_verify(void *ctx, mbedtls_x509_crt *cert, int depth, uint32_t *flags)
{
    struct fed_coap_client *client = ctx;
    char text[160] = "";

    if (depth == 0 && (!mbedtls_x509_crt_has_ext_type(cert, MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE) ||
                          mbedtls_x509_crt_check_extended_key_usage(cert, MBEDTLS_OID_SERVER_AUTH,
                              MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) != 0))
        *flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
    if (*flags == 0 || client->refused[0])
        return 0;
    mbedtls_x509_crt_verify_info(text, sizeof(text), "", *flags);
    text[strcspn(text, "\n")] = 0;
    if (*flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        snprintf(client->refused, sizeof(client->refused),
            "it is not signed by the CA that was pinned when joining");
    else if (*flags & MBEDTLS_X509_BADCERT_EXT_KEY_USAGE)
        snprintf(client->refused, sizeof(client->refused), "it is not a hub's (no serverAuth)");
    else
        snprintf(client->refused, sizeof(client->refused), "%s; is the clock right?", text);
    return 0;
}

static enum fed_err hook(struct fed_coap_client *client, struct fed_diag *diag)
{
    coap_tls_library_t library = COAP_TLS_LIBRARY_NOTLS;
    mbedtls_ssl_context *ssl = coap_session_get_tls(client->session, &library);

    if (!ssl || library != COAP_TLS_LIBRARY_MBEDTLS)
        return fed_diag_set(diag, FED_ERR_INTERNAL, "libcoap was built for another TLS library");
    client->tls_send = ssl->MBEDTLS_PRIVATE(f_send);
    client->tls_recv = ssl->MBEDTLS_PRIVATE(f_recv);
    client->tls_bio = ssl->MBEDTLS_PRIVATE(p_bio);
    mbedtls_ssl_set_bio(ssl, client, on_send, on_recv, NULL);
    mbedtls_ssl_set_verify(ssl, on_verify, client);
    first_flight_count(client, ssl);
    /* libcoap resumes nothing: not asking for a session ticket saves 800 bytes. The ClientHello
     * that carries the cookie is written anew, and need not repeat the extensions of the first (RFC
     * 6347 section 4.2.1). */
    mbedtls_ssl_conf_session_tickets(
        (mbedtls_ssl_config *)ssl->MBEDTLS_PRIVATE(conf), MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    /* Says that the name is left unchecked on purpose; without it the library refuses to verify at
     * all. */
    if (mbedtls_ssl_set_hostname(ssl, NULL) != 0)
        return fed_diag_set(diag, FED_ERR_NOMEM, "out of memory");
    return FED_OK;
}

/* ---- sessions ---- */

static coap_session_t *session_psk(struct fed_coap_client *client, const coap_address_t *address,
    const struct fed_link_client_identity *identity)
{
    coap_dtls_cpsk_t setup = {.version = COAP_DTLS_CPSK_SETUP_VERSION, .use_cid = 1};

    setup.psk_info.identity.s = (const uint8_t *)identity->psk_identity;
    setup.psk_info.identity.length = strlen(identity->psk_identity);
    setup.psk_info.key.s = identity->psk_key.at;
    setup.psk_info.key.length = identity->psk_key.len;
    return coap_new_client_session_psk2(client->context, NULL, address, COAP_PROTO_DTLS, &setup);
}

/* The PEM parser wants a NUL at the end, counted. */
static void pem_copy(struct fed_buf *out, struct fed_span pem)
{
    fed_buf_put(out, pem);
    fed_buf_put_u8(out, 0);
}

static coap_session_t *session_pki(struct fed_coap_client *client, const coap_address_t *address,
    const struct fed_link_client_identity *identity)
{
    coap_dtls_pki_t setup = {.version = COAP_DTLS_PKI_SETUP_VERSION,
        .verify_peer_cert = 1,
        .check_common_ca = 1,
        .cert_chain_validation = 1,
        .cert_chain_verify_depth = 2,
        .allow_no_crl = 1,
        .use_cid = 1};
    coap_pki_key_pem_buf_t *pem = &setup.pki_key.key.pem_buf;
    coap_session_t *session = NULL;
    size_t cert_at;
    size_t key_at;
    struct fed_buf all;

    fed_buf_init(&all, client->mem, 65536);
    pem_copy(&all, identity->ca_pem);
    cert_at = all.len;
    pem_copy(&all, identity->cert_pem);
    key_at = all.len;
    pem_copy(&all, identity->key_pem);
    if (!all.err) {
        setup.pki_key.key_type = COAP_PKI_KEY_PEM_BUF;
        pem->ca_cert = all.at;
        pem->ca_cert_len = cert_at;
        pem->public_cert = all.at + cert_at;
        pem->public_cert_len = key_at - cert_at;
        pem->private_key = all.at + key_at;
        pem->private_key_len = all.len - key_at;
        session =
            coap_new_client_session_pki(client->context, NULL, address, COAP_PROTO_DTLS, &setup);
    }
    if (all.at)
        memset(all.at, 0, all.len);
    fed_buf_fini(&all);
    return session;
}

/* libcoap says nothing of what it cannot parse, and forgets to free it. */
static enum fed_err pki_check(
    const struct fed_link_client_identity *identity, struct fed_diag *diag)
{
    mbedtls_x509_crt own;
    mbedtls_x509_crt ca;
    mbedtls_pk_context key;
    enum fed_err err;

    mbedtls_x509_crt_init(&own);
    mbedtls_x509_crt_init(&ca);
    mbedtls_pk_init(&key);
    err = fed_mbed_certs(identity->cert_pem, FED_MBED_PARSE_ALL, "certificate", &own, diag);
    if (!err)
        err = fed_mbed_certs(identity->ca_pem, FED_MBED_PARSE_ALL, "hub CA", &ca, diag);
    if (!err)
        err = fed_mbed_key(identity->key_pem, &key, diag);
    if (!err)
        err = fed_mbed_key_matches(&own, &key, diag);
    mbedtls_x509_crt_free(&own);
    mbedtls_x509_crt_free(&ca);
    mbedtls_pk_free(&key);
    return err;
}

enum fed_err fed_coap_client_dtls_open(struct fed_coap_client *client,
    const coap_address_t *address, const struct fed_link_client_identity *identity,
    struct fed_diag *diag)
{
    enum fed_err err = identity->psk_identity ? FED_OK : pki_check(identity, diag);

    if (err)
        return err;
    client->psk = identity->psk_identity != NULL;
    client->alert = -1;
    client->refused[0] = 0;
    client->session = client->psk ? session_psk(client, address, identity)
                                  : session_pki(client, address, identity);
    if (!client->session)
        return fed_diag_set(diag, FED_ERR_TLS,
            "%s: no DTLS session can be begun: no route, or out of memory", client->peer);
    return hook(client, diag);
}

static void failed_psk(struct fed_coap_client *client)
{
    fed_coap_client_fail(client, FED_ERR_UNAUTHENTICATED,
        "%s: the hub does not accept the join token (alert %d): it may be mistyped, revoked, "
        "expired or used up",
        client->peer, client->alert);
}

void fed_coap_client_dtls_failed(struct fed_coap_client *client, bool timeout)
{
    bool heard = client->stats.received_datagrams > client->received_before;

    if (client->refused[0])
        fed_coap_client_fail(client, FED_ERR_UNAUTHENTICATED,
            "%s: the hub's certificate is refused: %s", client->peer, client->refused);
    else if (client->alert > 0 && client->psk)
        failed_psk(client);
    else if (client->alert > 0)
        fed_coap_client_fail(client, FED_ERR_UNAUTHENTICATED,
            "%s: the hub refuses this agent (alert %d): its certificate may have ended or belong "
            "to another hub",
            client->peer, client->alert);
    else if (timeout && !heard)
        fed_coap_client_fail(client, FED_ERR_TIMEOUT,
            "%s: no answer within %u ms: wrong address, hub down, or UDP blocked on the way",
            client->peer, client->timeout_ms);
    else if (timeout && client->psk)
        fed_coap_client_fail(client, FED_ERR_TIMEOUT,
            "%s: the hub answers, but no session within %u ms: the join token may be mistyped, "
            "revoked, expired or "
            "used up, or datagrams are lost",
            client->peer, client->timeout_ms);
    else if (timeout)
        fed_coap_client_fail(client, FED_ERR_TIMEOUT,
            "%s: the hub answers, but no session within %u ms: large datagrams may be lost on the "
            "way",
            client->peer, client->timeout_ms);
    else
        fed_coap_client_fail(client, FED_ERR_TLS, "%s: the DTLS handshake failed", client->peer);
}
