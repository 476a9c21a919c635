/* ports_dtls_client.c - see ports_dtls_client.h. */
#include "tests/unit/ports_dtls_client.h"

#include <mbedtls/net_sockets.h>
#include <psa/crypto.h>

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Soon, as some tests lose a flight; and for 102 s in all, as a machine with much to do takes long
 * over hundreds of handshakes, and a client that gave up is never open. */
#define REPEAT_MS 100
#define REPEAT_MAX_MS 51200
#define REPEAT_IMPATIENT_MAX_MS 1600

static int rng(void *ctx, unsigned char *out, size_t len)
{
    (void)ctx;
    return psa_generate_random(out, len) == PSA_SUCCESS ? 0 : -1;
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int on_send(void *ctx, const unsigned char *bytes, size_t len)
{
    struct client *c = ctx;

    assert_true(len <= sizeof(c->last));
    memcpy(c->last, bytes, len);
    c->last_len = len;
    if (++c->sent != c->lose_sent)
        (void)!send(c->fd, bytes, len, 0);
    return (int)len;
}

static int on_recv(void *ctx, unsigned char *out, size_t size)
{
    struct client *c = ctx;
    ssize_t n = recv(c->fd, out, size, MSG_DONTWAIT);

    if (n < 0)
        return MBEDTLS_ERR_SSL_WANT_READ;
    return ++c->received == c->lose_received ? MBEDTLS_ERR_SSL_WANT_READ : (int)n;
}

static void on_timer_set(void *ctx, uint32_t soft_ms, uint32_t hard_ms)
{
    struct client *c = ctx;

    c->soft_due_ms = now_ms() + soft_ms;
    c->hard_due_ms = hard_ms ? now_ms() + hard_ms : 0;
}

static int on_timer_get(void *ctx)
{
    struct client *c = ctx;

    if (!c->hard_due_ms)
        return -1;
    return now_ms() >= c->hard_due_ms ? 2 : now_ms() >= c->soft_due_ms;
}

int client_socket(uint16_t server_port, uint16_t local_port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(server_port)};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(local_port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = from.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

uint16_t server_kept_port(void)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
    struct sockaddr_in at = {.sin_family = AF_INET};
    unsigned given = 32768; /* the first that the kernel gives */
    unsigned low = 10240;
    unsigned high;
    uint16_t number;
    bool taken = true;

    if (file && fscanf(file, "%u", &given) != 1)
        given = 32768;
    if (file)
        fclose(file);
    high = given > low + 1000 ? given : 65536;
    low = given > low + 1000 ? low : 61000;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    while (taken) {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(getrandom(&number, sizeof number, 0), sizeof number);
        at.sin_port = htons((uint16_t)(low + number % (high - low)));
        taken = bind(fd, (struct sockaddr *)&at, sizeof at) != 0;
        close(fd);
    }
    return ntohs(at.sin_port);
}

static void parse(mbedtls_x509_crt *crt, struct fed_span pem)
{
    char text[8192];

    assert_int_equal(fed_span_to_cstr(pem, text, sizeof(text)), FED_OK);
    assert_int_equal(mbedtls_x509_crt_parse(crt, (const unsigned char *)text, pem.len + 1), 0);
}

static void set_certificates(struct client *c, const struct client_options *o)
{
    char text[8192];

    if (o->ca) {
        parse(&c->ca, pki_cert(o->ca));
        mbedtls_ssl_conf_ca_chain(&c->config, &c->ca, NULL);
    }
    if (!o->id)
        return;
    parse(&c->own, pki_cert(o->id));
    assert_int_equal(fed_span_to_cstr(pki_key(o->id), text, sizeof(text)), FED_OK);
    assert_int_equal(mbedtls_pk_parse_key(&c->key, (const unsigned char *)text, strlen(text) + 1,
                         NULL, 0, rng, NULL),
        0);
    assert_int_equal(mbedtls_ssl_conf_own_cert(&c->config, &c->own, &c->key), 0);
}

static void set_config(struct client *c, const struct client_options *o)
{
    static const int with_psk[] = {MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, 0};
    static const int with_cert[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, 0};

    assert_int_equal(mbedtls_ssl_config_defaults(&c->config, MBEDTLS_SSL_IS_CLIENT,
                         MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT),
        0);
    mbedtls_ssl_conf_rng(&c->config, rng, NULL);
    mbedtls_ssl_conf_max_tls_version(&c->config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_handshake_timeout(
        &c->config, REPEAT_MS, o->impatient ? REPEAT_IMPATIENT_MAX_MS : REPEAT_MAX_MS);
    mbedtls_ssl_conf_authmode(
        &c->config, o->ca ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_ciphersuites(&c->config, o->psk_identity ? with_psk : with_cert);
    mbedtls_ssl_conf_cid(&c->config, 0, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE);
    if (o->psk_identity)
        assert_int_equal(mbedtls_ssl_conf_psk(&c->config, (const unsigned char *)o->psk_key,
                             strlen(o->psk_key), (const unsigned char *)o->psk_identity,
                             o->psk_identity_len ? o->psk_identity_len : strlen(o->psk_identity)),
            0);
    set_certificates(c, o);
}

void client_init(struct client *c, uint16_t port, const struct client_options *options)
{
    memset(c, 0, sizeof(*c));
    c->port = port;
    c->code = MBEDTLS_ERR_SSL_WANT_READ;
    c->fd = client_socket(port, 0);
    mbedtls_ssl_config_init(&c->config);
    mbedtls_ssl_init(&c->ssl);
    mbedtls_x509_crt_init(&c->ca);
    mbedtls_x509_crt_init(&c->own);
    mbedtls_pk_init(&c->key);
    set_config(c, options);
    assert_int_equal(mbedtls_ssl_setup(&c->ssl, &c->config), 0);
    assert_int_equal(mbedtls_ssl_set_hostname(&c->ssl, options->ca ? "hub.test" : NULL), 0);
    mbedtls_ssl_set_bio(&c->ssl, c, on_send, on_recv, NULL);
    mbedtls_ssl_set_timer_cb(&c->ssl, c, on_timer_set, on_timer_get);
    if (!options->no_cid)
        assert_int_equal(mbedtls_ssl_set_cid(&c->ssl, MBEDTLS_SSL_CID_ENABLED, NULL, 0), 0);
    if (options->resume)
        assert_int_equal(mbedtls_ssl_set_session(&c->ssl, options->resume), 0);
}

void client_fini(struct client *c)
{
    mbedtls_ssl_free(&c->ssl);
    mbedtls_ssl_config_free(&c->config);
    mbedtls_x509_crt_free(&c->ca);
    mbedtls_x509_crt_free(&c->own);
    mbedtls_pk_free(&c->key);
    close(c->fd);
}

void client_step(struct client *c)
{
    int n;

    if (c->code == MBEDTLS_ERR_SSL_WANT_READ || c->code == MBEDTLS_ERR_SSL_WANT_WRITE)
        c->code = mbedtls_ssl_handshake(&c->ssl);
    c->open = c->code == 0;
    while (c->open && !c->closed) {
        n = mbedtls_ssl_read(&c->ssl, c->plain, sizeof(c->plain));
        if (n == MBEDTLS_ERR_SSL_WANT_READ)
            return;
        if (n <= 0) {
            c->closed = true;
            return;
        }
        c->plain_len = (size_t)n;
        c->records++;
    }
}

void client_send(struct client *c, const void *bytes, size_t len)
{
    assert_int_equal(mbedtls_ssl_write(&c->ssl, bytes, len), (int)len);
}

uint16_t client_local_port(const struct client *c)
{
    struct sockaddr_in own;
    socklen_t len = sizeof(own);

    assert_int_equal(getsockname(c->fd, (struct sockaddr *)&own, &len), 0);
    return ntohs(own.sin_port);
}

void client_rebind(struct client *c)
{
    int fd = client_socket(c->port, 0); /* while the old one still holds its port */

    close(c->fd);
    c->fd = fd;
}

void client_bind_to(struct client *c, uint16_t local_port)
{
    close(c->fd);
    c->fd = client_socket(c->port, local_port);
}
