/* client_session.c - the library's part of the agent's session: configuration, handshake, records,
 * which certificates are a hub's, and why a handshake failed. */
#include "ports/dtls/client.h"

#include <mbedtls/oid.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define RECORD_HEADER 13u
#define CONTENT_ALERT 21u
#define ALERT_FATAL 2u

/* As little as the hub needs to hear: what is offered travels in every handshake. */
static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
static const uint16_t signatures[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_NONE};
static const int suites_cert[] = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0};
static const int suites_psk[] = {
    MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, MBEDTLS_TLS_PSK_WITH_AES_128_GCM_SHA256, 0};

/* ---- what the library calls ---- */

/* A datagram that cannot go out is lost, as on any network. An error of an earlier one, which ICMP
 * brought, is told here though this one did not leave: it gets a second chance. */
static int on_send(void *ctx, const unsigned char *bytes, size_t len)
{
    struct dtls_client_session *s = ctx;
    struct fed_dtls_session_stats *stats = &s->client->stats;

    if (s->fd < 0)
        return (int)len;
    for (unsigned i = 0; i < 2; i++) {
        if (send(s->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
            stats->sent_bytes += len;
            stats->sent_datagrams++;
            break;
        }
        if (errno != ECONNREFUSED)
            break;
        if (s->handshake)
            s->handshake->unreachable = true;
    }
    return (int)len;
}

/* A handshake that fails says why in an alert, which is not encrypted yet: type, version, epoch 0,
 * then level and description behind the header. Anybody may have sent it, so it explains, it does
 * not decide. */
static void note_received(struct dtls_client_session *s, const unsigned char *bytes, size_t len)
{
    struct dtls_client_handshake *h = s->handshake;
    bool alert =
        len >= RECORD_HEADER + 2 && bytes[0] == CONTENT_ALERT && bytes[3] == 0 && bytes[4] == 0;

    if (!h) {
        s->doubted = s->doubted || alert;
        return;
    }
    h->heard = true;
    dtls_recall_look(&h->made, fed_span_of(bytes, len));
    if (alert && bytes[RECORD_HEADER] == ALERT_FATAL)
        h->alert = bytes[RECORD_HEADER + 1];
}

static int on_recv(void *ctx, unsigned char *out, size_t size)
{
    struct dtls_client_session *s = ctx;
    struct fed_dtls_session_stats *stats = &s->client->stats;

    while (s->fd >= 0) {
        ssize_t n = recv(s->fd, out, size, MSG_DONTWAIT);

        if (n > 0) {
            stats->received_bytes += (uint64_t)n;
            stats->received_datagrams++;
            note_received(s, out, (size_t)n);
            return (int)n;
        }
        if (n < 0 && errno == ECONNREFUSED && s->handshake)
            s->handshake->unreachable = true;
        /* In an open session it may be a hub that restarts and knows us again: repetition finds
         * out. */
        if (n < 0 && errno != ECONNREFUSED && errno != EINTR)
            break;
    }
    return MBEDTLS_ERR_SSL_WANT_READ;
}

static void on_timer_set(void *ctx, uint32_t soft_ms, uint32_t hard_ms)
{
    struct dtls_client_session *s = ctx;
    uint64_t now_ms = fed_loop_now_ms(s->client->loop);

    if (!s->handshake)
        return;
    s->handshake->soft_due_ms = now_ms + soft_ms;
    s->handshake->hard_due_ms = hard_ms ? now_ms + hard_ms : 0;
}

static int on_timer_get(void *ctx)
{
    struct dtls_client_session *s = ctx;
    uint64_t now_ms = fed_loop_now_ms(s->client->loop);

    if (!s->handshake || s->handshake->hard_due_ms == 0)
        return -1;
    if (now_ms >= s->handshake->hard_due_ms)
        return 2;
    return now_ms >= s->handshake->soft_due_ms;
}

/* A hub is who has a certificate that chains to the pinned CA and that says serverAuth in so many
 * words. */
static int on_verify(void *ctx, mbedtls_x509_crt *cert, int depth, uint32_t *flags)
{
    struct dtls_client_handshake *h = ctx;
    char text[120] = "";

    fed_mbed_times_judge(cert, true, flags);
    if (depth == 0 && (!mbedtls_x509_crt_has_ext_type(cert, MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE) ||
                          mbedtls_x509_crt_check_extended_key_usage(cert, MBEDTLS_OID_SERVER_AUTH,
                              MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) != 0))
        *flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
    h->flags |= *flags;
    if (depth == 0)
        fed_mbed_times_refused(h->flags);
    if (*flags == 0 || h->refused[0])
        return 0;
    mbedtls_x509_crt_verify_info(text, sizeof(text), "", *flags);
    text[strcspn(text, "\n")] = 0;
    if (*flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        snprintf(h->refused, sizeof(h->refused),
            "it is not signed by the CA that was pinned when joining");
    else if (*flags & MBEDTLS_X509_BADCERT_EXT_KEY_USAGE)
        snprintf(h->refused, sizeof(h->refused), "it is not a hub's (no serverAuth)");
    else
        snprintf(h->refused, sizeof(h->refused), "%s; is the clock right?", text);
    return 0;
}

/* ---- configuration ---- */

static enum fed_err set_certificates(
    struct dtls_client_session *s, const struct fed_dtls_identity *identity, struct fed_diag *diag)
{
    struct dtls_client_handshake *h = s->handshake;
    enum fed_err err =
        fed_mbed_certs(identity->cert_pem, FED_MBED_PARSE_ALL, "certificate", &h->own, diag);
    int code;

    if (!err)
        err = fed_mbed_certs(identity->ca_pem, FED_MBED_PARSE_ALL, "hub CA", &h->ca, diag);
    if (!err)
        err = fed_mbed_key(identity->key_pem, &h->key, diag);
    if (!err)
        err = fed_mbed_key_matches(&h->own, &h->key, diag);
    if (err)
        return err;
    mbedtls_ssl_conf_ca_chain(&s->config, &h->ca, NULL);
    code = mbedtls_ssl_conf_own_cert(&s->config, &h->own, &h->key);
    return code ? fed_mbed_error(diag, FED_ERR_TLS, code, "certificate")
                : dtls_client_who(s, identity);
}

static enum fed_err set_identity(
    struct dtls_client_session *s, const struct fed_dtls_identity *identity, struct fed_diag *diag)
{
    int code;

    mbedtls_ssl_conf_ciphersuites(
        &s->config, identity && identity->psk_identity ? suites_psk : suites_cert);
    if (!identity)
        return FED_OK;
    if (!identity->psk_identity)
        return set_certificates(s, identity, diag);
    s->handshake->psk = true;
    code = mbedtls_ssl_conf_psk(&s->config, identity->psk_key.at, identity->psk_key.len,
        (const unsigned char *)identity->psk_identity, strlen(identity->psk_identity));
    return code ? fed_mbed_error(diag, FED_ERR_INVALID, code, "pre-shared key") : FED_OK;
}

static int config_init(struct dtls_client_session *s)
{
    mbedtls_ssl_config *c = &s->config;
    int code = mbedtls_ssl_config_defaults(
        c, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT);

    /* Our side needs no connection ID: the hub's address does not change under a session. */
    if (!code)
        code = mbedtls_ssl_conf_cid(c, 0, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE);
    if (code)
        return code;
    mbedtls_ssl_conf_rng(c, fed_mbed_random, NULL);
    mbedtls_ssl_conf_max_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_groups(c, groups);
    mbedtls_ssl_conf_sig_algs(c, signatures);
    mbedtls_ssl_conf_encrypt_then_mac(c, MBEDTLS_SSL_ETM_DISABLED); /* no suite of ours has a MAC */
    mbedtls_ssl_conf_authmode(c, MBEDTLS_SSL_VERIFY_REQUIRED); /* suites with a PSK ask for none */
    mbedtls_ssl_conf_dtls_anti_replay(c, MBEDTLS_SSL_ANTI_REPLAY_ENABLED);
    mbedtls_ssl_conf_handshake_timeout(c, DTLS_CLIENT_RETRY_FLOOR_MS, DTLS_CLIENT_RETRY_CEILING_MS);
    /* Coming back takes no ticket (recall.h). */
    mbedtls_ssl_conf_session_tickets(c, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    return 0;
}

static int context_init(struct dtls_client_session *s)
{
    mbedtls_ssl_context *ssl = &s->ssl;
    int code = mbedtls_ssl_setup(ssl, &s->config);

    if (!code)
        code = mbedtls_ssl_set_cid(ssl, MBEDTLS_SSL_CID_ENABLED, NULL, 0);
    /* Says that the name is left unchecked on purpose; without it the library refuses to verify at
     * all. */
    if (!code)
        code = mbedtls_ssl_set_hostname(ssl, NULL);
    if (code)
        return code;
    mbedtls_ssl_set_bio(ssl, s, on_send, on_recv, NULL);
    mbedtls_ssl_set_timer_cb(ssl, s, on_timer_set, on_timer_get);
    mbedtls_ssl_set_mtu(ssl, DTLS_CLIENT_MTU);
    mbedtls_ssl_set_verify(ssl, on_verify, s->handshake);
    return 0;
}

enum fed_err dtls_client_session_init(
    struct dtls_client_session *s, const struct fed_dtls_identity *identity, struct fed_diag *diag)
{
    int code = config_init(s);
    enum fed_err err;

    if (code)
        return fed_mbed_error(diag, FED_ERR_TLS, code, "DTLS configuration");
    err = set_identity(s, identity, diag);
    if (err)
        return err;
    code = context_init(s);
    if (code)
        return fed_mbed_error(diag, FED_ERR_TLS, code, "DTLS session");
    return identity ? dtls_client_recall(s) : FED_OK;
}

static void keys_free(struct dtls_client_session *s)
{
    struct dtls_client_handshake *h = s->handshake;

    mbedtls_ssl_conf_ca_chain(&s->config, NULL, NULL);
    if (mbedtls_ssl_conf_own_cert(&s->config, NULL, NULL) != 0)
        return; /* it only empties the list */
    mbedtls_x509_crt_free(&h->own);
    mbedtls_x509_crt_free(&h->ca);
    mbedtls_pk_free(&h->key);
    mbedtls_platform_zeroize(&h->made, sizeof(h->made));
}

void dtls_client_session_fini(struct dtls_client_session *s)
{
    mbedtls_ssl_free(&s->ssl);
    if (s->handshake)
        keys_free(s);
    mbedtls_ssl_config_free(&s->config);
}

/* ---- handshake ---- */

void dtls_client_explain(struct dtls_client_session *s, bool timeout)
{
    struct dtls_client_handshake h = *s->handshake; /* it goes with the session */

    dtls_client_recall_failed(s, timeout);
    if (h.refused[0])
        dtls_client_over(
            s, FED_ERR_UNAUTHENTICATED, "the hub's certificate is refused: %s", h.refused);
    else if (h.alert > 0 && h.psk)
        dtls_client_over(s, FED_ERR_UNAUTHENTICATED,
            "the hub does not accept the join token (alert %d): it may be mistyped, revoked, "
            "expired or used up",
            h.alert);
    else if (h.alert > 0)
        dtls_client_over(s, FED_ERR_UNAUTHENTICATED,
            "the hub refuses this agent (alert %d): its certificate may have ended or belong to "
            "another hub",
            h.alert);
    else if (timeout && !h.heard)
        dtls_client_over(s, FED_ERR_TIMEOUT,
            "no answer within %u ms: wrong address, hub down, or UDP blocked on the way",
            h.timeout_ms);
    else if (timeout && h.psk)
        dtls_client_over(s, FED_ERR_TIMEOUT,
            "the hub answers, but no session within %u ms: the join token may be mistyped, "
            "revoked, expired or used up, or datagrams are lost",
            h.timeout_ms);
    else if (timeout)
        dtls_client_over(s, FED_ERR_TIMEOUT,
            "the hub answers, but no session within %u ms: large datagrams may be lost on the way",
            h.timeout_ms);
    else
        dtls_client_over(s, FED_ERR_TLS, "the DTLS handshake failed");
}

/* The library keeps 16 KiB for the largest record of TLS unless a smaller one was negotiated, which
 * costs bytes in each handshake. A record that does not fit in a datagram of ours is refused
 * anyway: told, once the hellos are over, that 2 KiB is the largest, a build whose buffers vary
 * gives the rest back at the end of the handshake. */
static void buffers_shrink(struct dtls_client_session *s)
{
    if (s->ssl.MBEDTLS_PRIVATE(state) >= MBEDTLS_SSL_SERVER_CERTIFICATE &&
        mbedtls_ssl_conf_max_frag_len(&s->config, MBEDTLS_SSL_MAX_FRAG_LEN_2048) != 0)
        return; /* it knows the number */
}

/* An open session needs neither keys nor the hub's certificate, which would also be saved. */
static void slim(struct dtls_client_session *s)
{
    mbedtls_ssl_session *session = s->ssl.MBEDTLS_PRIVATE(session);
    mbedtls_x509_crt *cert = session->MBEDTLS_PRIVATE(peer_cert);

    session->MBEDTLS_PRIVATE(peer_cert) = NULL;
    if (cert) {
        mbedtls_x509_crt_free(cert);
        mbedtls_free(cert);
    }
    keys_free(s);
}

static void opened(struct dtls_client_session *s)
{
    struct fed_dtls_client *client = s->client;

    dtls_client_keep(s);
    slim(s);
    mbedtls_ssl_set_verify(&s->ssl, NULL, NULL);
    mbedtls_ssl_set_mtu(&s->ssl, 0); /* records are one datagram each, whatever their size */
    fed_alloc_free(client->mem, s->handshake, sizeof(*s->handshake));
    s->handshake = NULL;
    dtls_client_arm(s);
    client->events.opened(client->events.ctx);
    dtls_client_read(s); /* the last flight may have had records behind it */
}

void dtls_client_handshake_step(struct dtls_client_session *s)
{
    int code = mbedtls_ssl_handshake(&s->ssl);

    if (code == 0) {
        opened(s);
    } else if (code != MBEDTLS_ERR_SSL_WANT_READ && code != MBEDTLS_ERR_SSL_WANT_WRITE) {
        dtls_client_explain(s, code == MBEDTLS_ERR_SSL_TIMEOUT);
    } else if (s->handshake->unreachable && !s->handshake->heard) {
        if (!dtls_client_next(s))
            dtls_client_over(s, FED_ERR_NETWORK, "nothing listens there");
    } else {
        buffers_shrink(s);
        dtls_client_arm(s);
    }
}

/* ---- records ---- */

static void read_failed(struct dtls_client_session *s, int code)
{
    struct fed_diag diag = {""};

    if (code == 0 || code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ||
        code == MBEDTLS_ERR_SSL_CONN_EOF) {
        dtls_client_over(s, FED_ERR_CLOSED, "the hub closed the session");
        return;
    }
    fed_mbed_handshake_error(NULL, &s->ssl, code, &diag);
    dtls_client_over(s, FED_ERR_CLOSED, "the session ended: %s", diag.text);
}

static void read_records(struct dtls_client_session *s)
{
    uint8_t plain[DTLS_CLIENT_DATAGRAM_MAX];

    for (unsigned i = 0; i < DTLS_CLIENT_RECORDS_PER_WAKE && s->client; i++) {
        int code = mbedtls_ssl_read(&s->ssl, plain, sizeof(plain));

        if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE)
            return;
        if (code <= 0) {
            read_failed(s, code);
            return;
        }
        if ((size_t)code <= FED_DTLS_RECORD_MAX)
            s->client->events.received(s->client->events.ctx, fed_span_of(plain, (size_t)code));
    }
}

void dtls_client_read(struct dtls_client_session *s)
{
    read_records(s);
    if (!s->client || !s->doubted)
        return;
    s->doubted = false;
    if (s->client->events.doubted)
        s->client->events.doubted(s->client->events.ctx);
}
