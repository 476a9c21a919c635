/* config.c - the library's configuration that all sessions share: keys, suites, cookies. */
#include "ports/dtls/internal.h"

#include <mbedtls/platform.h>

static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

/* Eight-byte tags first: they save bytes on every record (RFC 7925 section 4.2). */
static const int suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
    MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_PSK_WITH_AES_128_GCM_SHA256, 0};

/* ---- cookies ---- */

bool dtls_has_room(struct fed_dtls_server *server)
{
    return dtls_hosts_have_room(server, &server->from) &&
           server->table.count < server->sessions_max && dtls_credit_begin(server);
}

static int on_cookie_write(void *ctx, unsigned char **p, unsigned char *end,
    const unsigned char *client, size_t client_len)
{
    struct fed_dtls_server *server = ctx;

    /* The library would also let a ClientHello behind another record restart an open session: only
     * we decide that. */
    if (server->current->state != DTLS_SCRATCH)
        return MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE;
    return mbedtls_ssl_cookie_write(&server->config.cookie, p, end, client, client_len);
}

static int on_cookie_check(void *ctx, const unsigned char *cookie, size_t len,
    const unsigned char *client, size_t client_len)
{
    struct fed_dtls_server *server = ctx;

    if (server->current->state != DTLS_SCRATCH ||
        mbedtls_ssl_cookie_check(&server->config.cookie, cookie, len, client, client_len) != 0)
        return -1;
    /* Without room the peer gets no answer and tries again: better than a handshake that starves
     * the others. */
    server->cookie_good = dtls_has_room(server);
    server->turned_away = !server->cookie_good;
    server->stats.turned_away += server->turned_away;
    return server->cookie_good ? 0 : -1;
}

/* ---- certificates ---- */

static void certs_free(struct fed_alloc *mem, struct dtls_certs *certs)
{
    if (!certs)
        return;
    mbedtls_x509_crt_free(&certs->own);
    mbedtls_x509_crt_free(&certs->ca);
    mbedtls_pk_free(&certs->key);
    mbedtls_free(certs->listed);
    fed_alloc_free(mem, certs, sizeof(*certs));
}

static enum fed_err certs_parse(struct dtls_certs *certs, struct fed_span cert_pem,
    struct fed_span key_pem, struct fed_span client_ca_pem, struct fed_diag *diag)
{
    enum fed_err err =
        fed_mbed_certs(cert_pem, FED_MBED_PARSE_ALL, "certificate", &certs->own, diag);

    if (!err)
        err = fed_mbed_key(key_pem, &certs->key, diag);
    if (!err)
        err = fed_mbed_key_matches(&certs->own, &certs->key, diag);
    if (!err)
        err = fed_mbed_certs(client_ca_pem, FED_MBED_PARSE_SOME, "client CA", &certs->ca, diag);
    return err;
}

/* The library keeps a list of own certificates and takes the first that fits; handshakes under way
 * point into it. So the list begins anew, and its old entry lives on beside what it names. */
static int certs_use(struct dtls_config *c, struct dtls_certs *certs)
{
    void *listed = c->ssl.MBEDTLS_PRIVATE(key_cert);
    int code;

    c->ssl.MBEDTLS_PRIVATE(key_cert) = NULL;
    code = mbedtls_ssl_conf_own_cert(&c->ssl, &certs->own, &certs->key);
    if (code) {
        c->ssl.MBEDTLS_PRIVATE(key_cert) = listed;
        return code;
    }
    mbedtls_ssl_conf_ca_chain(&c->ssl, &certs->ca, NULL);
    if (c->certs)
        c->certs->listed = listed;
    certs->older = c->certs;
    c->certs = certs;
    return 0;
}

enum fed_err fed_dtls_server_certificate(struct fed_dtls_server *server, struct fed_span cert_pem,
    struct fed_span key_pem, struct fed_span client_ca_pem, struct fed_diag *diag)
{
    struct dtls_certs *certs = fed_alloc_zero(server->mem, sizeof(*certs));
    enum fed_err err;
    int code = 0;

    if (!certs)
        return fed_diag_set(diag, FED_ERR_NOMEM, "certificate: out of memory");
    mbedtls_x509_crt_init(&certs->own);
    mbedtls_x509_crt_init(&certs->ca);
    mbedtls_pk_init(&certs->key);
    err = certs_parse(certs, cert_pem, key_pem, client_ca_pem, diag);
    if (!err)
        code = certs_use(&server->config, certs);
    if (code)
        err = fed_mbed_error(diag, FED_ERR_TLS, code, "certificate");
    if (err)
        certs_free(server->mem, certs);
    return err;
}

/* ---- all of it ---- */

static int set_library(struct fed_dtls_server *server)
{
    struct dtls_config *c = &server->config;
    int code = mbedtls_ssl_config_defaults(
        &c->ssl, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT);

    if (!code)
        code = mbedtls_ssl_cookie_setup(&c->cookie, fed_mbed_random, NULL);
    if (!code)
        code = mbedtls_ssl_conf_cid(&c->ssl, DTLS_CID_SIZE, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE);
    if (!code)
        code = mbedtls_ssl_conf_max_frag_len(&c->ssl, MBEDTLS_SSL_MAX_FRAG_LEN_2048);
    if (code)
        return code;
    mbedtls_ssl_conf_rng(&c->ssl, fed_mbed_random, NULL);
    mbedtls_ssl_conf_max_tls_version(&c->ssl, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_ciphersuites(&c->ssl, suites);
    mbedtls_ssl_conf_groups(&c->ssl, groups);
    mbedtls_ssl_conf_authmode(
        &c->ssl, MBEDTLS_SSL_VERIFY_REQUIRED); /* suites with a PSK ask for none */
    mbedtls_ssl_conf_dtls_anti_replay(&c->ssl, MBEDTLS_SSL_ANTI_REPLAY_ENABLED);
    mbedtls_ssl_conf_handshake_timeout(&c->ssl, DTLS_RETRY_FLOOR_MS, DTLS_RETRY_CEILING_MS);
    mbedtls_ssl_conf_dtls_cookies(&c->ssl, on_cookie_write, on_cookie_check, server);
    if (server->events.recall)
        mbedtls_ssl_conf_session_cache(&c->ssl, server, dtls_returning_get, NULL);
    if (server->events.psk)
        mbedtls_ssl_conf_psk_cb(&c->ssl, dtls_psk, server);
    return 0;
}

enum fed_err dtls_config_init(
    struct fed_dtls_server *server, const struct fed_dtls_options *options, struct fed_diag *diag)
{
    struct dtls_config *c = &server->config;
    int code;

    mbedtls_ssl_config_init(&c->ssl);
    mbedtls_ssl_cookie_init(&c->cookie);
    code = set_library(server);
    if (code)
        return fed_mbed_error(diag, FED_ERR_TLS, code, "DTLS configuration");
    if (options->cert_pem.len > 0)
        return fed_dtls_server_certificate(
            server, options->cert_pem, options->key_pem, options->client_ca_pem, diag);
    if (!server->events.psk)
        return fed_diag_set(
            diag, FED_ERR_INVALID, "DTLS configuration: neither a certificate nor pre-shared keys");
    return FED_OK;
}

void dtls_config_fini(struct fed_dtls_server *server)
{
    struct dtls_config *config = &server->config;

    mbedtls_ssl_config_free(&config->ssl);
    while (config->certs) {
        struct dtls_certs *certs = config->certs;

        config->certs = certs->older;
        certs_free(server->mem, certs);
    }
    mbedtls_ssl_cookie_free(&config->cookie);
}
