/* config.c - TLS configurations of servers and clients.
 *
 * No session tickets on the server: the library's TLS 1.3 tickets do not carry the client's
 * certificate, so a resumed connection would have lost its identity. */
#include "ports/tls/internal.h"

#include <arpa/inet.h>
#include <string.h>

/* P-256 first: it is what our own keys are on, and twice as fast here as the library's first
 * choice. */
static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

static enum fed_err config_begin(struct fed_alloc *mem, int endpoint, const char *const *alpn,
    size_t n_alpn, struct fed_tls_config **out, struct fed_diag *diag)
{
    struct fed_tls_config *c;
    int code;

    if (n_alpn > FED_TLS_ALPN_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "more than %u ALPN names", FED_TLS_ALPN_MAX);
    c = fed_alloc_zero(mem, sizeof(*c));
    if (!c)
        return fed_diag_set(diag, FED_ERR_NOMEM, "TLS configuration: out of memory");
    c->mem = mem;
    c->users = 1;
    c->server = endpoint == MBEDTLS_SSL_IS_SERVER;
    mbedtls_ssl_config_init(&c->ssl);
    mbedtls_x509_crt_init(&c->own);
    mbedtls_x509_crt_init(&c->ca);
    mbedtls_pk_init(&c->key);
    *out = c;
    code = mbedtls_ssl_config_defaults(
        &c->ssl, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (code)
        return fed_mbed_error(diag, FED_ERR_TLS, code, "TLS configuration");
    mbedtls_ssl_conf_rng(&c->ssl, fed_mbed_random, NULL);
    mbedtls_ssl_conf_min_tls_version(&c->ssl, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_groups(&c->ssl, groups);
    for (size_t i = 0; i < n_alpn; i++)
        c->alpn[i] = alpn[i];
    code = n_alpn > 0 ? mbedtls_ssl_conf_alpn_protocols(&c->ssl, c->alpn) : 0;
    return code ? fed_mbed_error(diag, FED_ERR_INVALID, code, "ALPN names") : FED_OK;
}

static enum fed_err config_own_cert(struct fed_tls_config *c, struct fed_span cert_pem,
    struct fed_span key_pem, struct fed_diag *diag)
{
    enum fed_err err = fed_mbed_certs(cert_pem, FED_MBED_PARSE_ALL, "certificate", &c->own, diag);
    int code;

    if (!err)
        err = fed_mbed_key(key_pem, &c->key, diag);
    if (!err)
        err = fed_mbed_key_matches(&c->own, &c->key, diag);
    if (err)
        return err;
    code = mbedtls_ssl_conf_own_cert(&c->ssl, &c->own, &c->key);
    return code ? fed_mbed_error(diag, FED_ERR_TLS, code, "certificate") : FED_OK;
}

static enum fed_err config_ca(struct fed_tls_config *c, struct fed_span pem, struct fed_diag *diag)
{
    enum fed_err err = fed_mbed_certs(pem, FED_MBED_PARSE_SOME, "CA certificates", &c->ca, diag);

    if (err)
        return err;
    mbedtls_ssl_conf_ca_chain(&c->ssl, &c->ca, NULL);
    c->verify = true;
    return FED_OK;
}

static enum fed_err config_server_name(
    struct fed_tls_config *c, const char *name, struct fed_diag *diag)
{
    uint8_t ip[16];

    size_t len = name ? strlen(name) : 0;

    if (len > 1 && name[len - 1] == '.')
        len--; /* the root's dot is no part of names in SNI and certificates */
    if (len == 0 || len >= sizeof(c->server_name))
        return fed_diag_set(diag, FED_ERR_INVALID, "server name: missing or longer than 255 bytes");
    memcpy(c->server_name, name, len);
    c->server_name_is_ip = inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1;
    return FED_OK;
}

enum fed_err fed_tls_config_new_server(struct fed_alloc *mem,
    const struct fed_tls_server_options *options, struct fed_tls_config **out,
    struct fed_diag *diag)
{
    struct fed_tls_config *c = NULL;
    enum fed_err err =
        config_begin(mem, MBEDTLS_SSL_IS_SERVER, options->alpn, options->n_alpn, &c, diag);

    if (!err)
        err = config_own_cert(c, options->cert_pem, options->key_pem, diag);
    if (!err && options->client_ca_pem.len > 0)
        err = config_ca(c, options->client_ca_pem, diag);
    if (err) {
        fed_tls_config_free(c);
        return err;
    }
    c->peer = options->client_may_have_ended ? FED_MBED_PEER_AGENT_OPTIONAL
                                             : FED_MBED_PEER_CLIENT_OPTIONAL;
    mbedtls_ssl_conf_authmode(
        &c->ssl, c->verify ? MBEDTLS_SSL_VERIFY_OPTIONAL : MBEDTLS_SSL_VERIFY_NONE);
    *out = c;
    return FED_OK;
}

static enum fed_err client_fill(
    struct fed_tls_config *c, const struct fed_tls_client_options *options, struct fed_diag *diag)
{
    static const enum fed_mbed_peer kinds[] = {[FED_TLS_TRUST_NAME] = FED_MBED_PEER_SERVER,
        [FED_TLS_TRUST_HUB] = FED_MBED_PEER_HUB,
        [FED_TLS_TRUST_PIN] = FED_MBED_PEER_PINNED};
    enum fed_err err = config_server_name(c, options->server_name, diag);

    if (!err && options->trust == FED_TLS_TRUST_PIN) {
        c->verify = true;
        c->pin = *options->ca_pin;
    } else if (!err && !options->insecure_skip_verify) {
        err = config_ca(c, options->ca_pem, diag);
    }
    if (!err && options->cert_pem.len > 0)
        err = config_own_cert(c, options->cert_pem, options->key_pem, diag);
    c->peer = kinds[options->trust];
    mbedtls_ssl_conf_authmode(&c->ssl, !c->verify ? MBEDTLS_SSL_VERIFY_NONE
                                       : options->trust == FED_TLS_TRUST_PIN
                                           ? MBEDTLS_SSL_VERIFY_OPTIONAL
                                           : MBEDTLS_SSL_VERIFY_REQUIRED);
    return err;
}

enum fed_err fed_tls_config_new_client(struct fed_alloc *mem,
    const struct fed_tls_client_options *options, struct fed_tls_config **out,
    struct fed_diag *diag)
{
    struct fed_tls_config *c = NULL;
    enum fed_err err =
        config_begin(mem, MBEDTLS_SSL_IS_CLIENT, options->alpn, options->n_alpn, &c, diag);

    if (!err)
        err = client_fill(c, options, diag);
    if (err) {
        fed_tls_config_free(c);
        return err;
    }
    *out = c;
    return FED_OK;
}

void fed_tls_config_free(struct fed_tls_config *config)
{
    if (!config || --config->users > 0)
        return;
    mbedtls_ssl_config_free(&config->ssl);
    mbedtls_x509_crt_free(&config->own);
    mbedtls_x509_crt_free(&config->ca);
    mbedtls_pk_free(&config->key);
    fed_alloc_free(config->mem, config, sizeof(*config));
}
