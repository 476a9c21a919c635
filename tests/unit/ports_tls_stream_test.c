/* ports_tls_stream_test.c - client and server streams over a socket pair in one process. */
#include "ports/tls/internal.h"
#include "ports/tls/stream.h"
#include "tests/unit/ports_tls_pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <mbedtls/platform.h>
#include <mbedtls/ssl_ticket.h>

#define RECORD                                                                                     \
    4000 /* content of one that any profile of the library sends whole: TLS 1.3 adds to it */

static struct pki pki;
static struct pki_id server_id; /* 127.0.0.1 */
static struct pki_id client_id;

static bool old_version; /* the server knows nothing newer than TLS 1.2 */

struct pair {
    int fds[2];
    struct fed_tls_config *configs[2]; /* 0 client, 1 server */
    struct fed_tls_stream *streams[2];
    enum fed_err err[2];
    struct fed_diag diag[2];
};

static void pair_open(struct pair *p, const struct fed_tls_client_options *client,
    const struct fed_tls_server_options *server)
{
    struct fed_alloc *mem = fed_alloc_system();

    memset(p, 0, sizeof(*p));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fds), 0);
    if (fed_tls_config_new_client(mem, client, &p->configs[0], &p->diag[0]))
        fail_msg("%s", p->diag[0].text);
    if (fed_tls_config_new_server(mem, server, &p->configs[1], &p->diag[1]))
        fail_msg("%s", p->diag[1].text);
    if (old_version)
        mbedtls_ssl_conf_max_tls_version(&p->configs[1]->ssl, MBEDTLS_SSL_VERSION_TLS1_2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            fed_tls_stream_open(mem, p->configs[i], p->fds[i], &p->streams[i], &p->diag[i]),
            FED_OK);
}

static void pair_close(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        fed_tls_stream_free(p->streams[i]);
        fed_tls_config_free(p->configs[i]);
        close(p->fds[i]);
    }
}

/* Until both are done, one way or the other. A client that finished then reads, as TLS 1.3 judges
 * it afterwards. */
static void pair_handshake(struct pair *p)
{
    uint8_t byte;
    size_t len;

    p->err[0] = p->err[1] = FED_ERR_BUSY;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 2; i++) {
            if (p->err[i] == FED_ERR_BUSY)
                p->err[i] = fed_tls_stream_handshake(p->streams[i], &p->diag[i]);
        }
    }
    if (p->err[0] == FED_OK && p->err[1] != FED_OK)
        p->err[0] = fed_tls_stream_read(p->streams[0], &byte, 1, &len, &p->diag[0]);
}

static struct fed_tls_client_options client_options(void)
{
    return (struct fed_tls_client_options){.ca_pem = pki_cert(&pki.ca), .server_name = "127.0.0.1"};
}

static struct fed_tls_server_options server_options(void)
{
    return (struct fed_tls_server_options){.cert_pem = pki_cert(&server_id),
        .key_pem = pki_key(&server_id),
        .client_ca_pem = pki_cert(&pki.ca)};
}

static void transfer(struct pair *p, int from, size_t total)
{
    uint8_t *sent = malloc(total);
    uint8_t *got = malloc(total + 1);
    size_t out = 0;
    size_t in = 0;

    assert_int_equal(pki.crypto.random(pki.crypto.ctx, sent, total), FED_OK);
    for (int round = 0; round < 100000 && in < total; round++) {
        size_t n = 0;
        enum fed_err err = FED_OK;

        while (out < total && !err) {
            err = fed_tls_stream_write(
                p->streams[from], fed_span_of(sent + out, total - out), &n, &p->diag[0]);
            if (!err)
                out += n;
            else
                assert_int_equal(err, FED_ERR_BUSY);
        }
        for (err = FED_OK; !err;) {
            err = fed_tls_stream_read(
                p->streams[1 - from], got + in, total + 1 - in, &n, &p->diag[1]);
            if (!err)
                in += n;
        }
        assert_int_equal(err, FED_ERR_BUSY);
        assert_int_equal(fed_tls_stream_wants(p->streams[1 - from]), FED_TLS_WANTS_READ);
    }
    assert_int_equal(in, total);
    assert_memory_equal(sent, got, total);
    free(sent);
    free(got);
}

static void test_mutual(void **state)
{
    static const char *const client_alpn[] = {"h2", "http/1.1"};
    static const char *const server_alpn[] = {"http/1.1", "h2"};
    struct fed_tls_client_options client = client_options();
    struct fed_tls_server_options server = server_options();
    struct fed_diag diag = {""};
    struct pair p;
    uint8_t byte;
    size_t len;

    (void)state;
    client.cert_pem = pki_cert(&client_id);
    client.key_pem = pki_key(&client_id);
    client.alpn = client_alpn;
    client.n_alpn = 2;
    server.alpn = server_alpn;
    server.n_alpn = 2;
    pair_open(&p, &client, &server);
    pair_handshake(&p);
    assert_int_equal(p.err[0], FED_OK);
    assert_int_equal(p.err[1], FED_OK);
    assert_string_equal(fed_tls_stream_version(p.streams[0]), old_version ? "TLSv1.2" : "TLSv1.3");
    assert_string_equal(
        fed_tls_stream_alpn(p.streams[0]), "http/1.1"); /* the server's preference */
    assert_string_equal(fed_tls_stream_alpn(p.streams[1]), "http/1.1");
    assert_string_equal(fed_tls_stream_peer(p.streams[1])->common_name, "system:fedlet:agent");
    assert_non_null(fed_tls_stream_peer(p.streams[0]));
    transfer(&p, 0, 1000000);
    transfer(&p, 1, 1000000);
    assert_int_equal(fed_tls_stream_close(p.streams[0]), FED_OK);
    assert_int_equal(fed_tls_stream_read(p.streams[1], &byte, 1, &len, &diag), FED_ERR_CLOSED);
    pair_close(&p);
}

static void rest(struct pair *p)
{
    fed_tls_stream_rest(p->streams[0]);
    fed_tls_stream_rest(p->streams[1]);
}

static void expect_rest_of(struct pair *p, const uint8_t *sent, size_t at, size_t len)
{
    uint8_t got[RECORD];
    size_t n = 0;

    assert_int_equal(fed_tls_stream_read(p->streams[1], got, sizeof(got), &n, &p->diag[1]), FED_OK);
    assert_int_equal(n, len - at);
    assert_memory_equal(got, sent + at, n);
}

/* Giving memory back loses nothing: neither counters nor keys, nor a record that was read in part
 * or came in part. */
static void test_rest(void **state)
{
    struct fed_tls_client_options client = client_options();
    struct fed_tls_server_options server = server_options();
    uint8_t sent[RECORD];
    uint8_t raw[2 * RECORD];
    struct pair p;
    size_t n = 0;
    ssize_t len;

    (void)state;
    pair_open(&p, &client, &server);
    rest(&p); /* during the handshake: nothing */
    pair_handshake(&p);
    for (int i = 0; i < 3; i++) {
        rest(&p);
        transfer(&p, 0, 100000);
        transfer(&p, 1, 100000);
    }
    assert_int_equal(pki.crypto.random(pki.crypto.ctx, sent, sizeof(sent)), FED_OK);
    assert_int_equal(
        fed_tls_stream_write(p.streams[0], fed_span_of(sent, sizeof(sent)), &n, &p.diag[0]),
        FED_OK);
    assert_int_equal(n, sizeof(sent));
    assert_int_equal(fed_tls_stream_read(p.streams[1], raw, 100, &n, &p.diag[1]), FED_OK);
    rest(&p);
    expect_rest_of(&p, sent, n, sizeof(sent));
    assert_int_equal(
        fed_tls_stream_write(p.streams[0], fed_span_of(sent, sizeof(sent)), &n, &p.diag[0]),
        FED_OK);
    len = recv(p.fds[1], raw, sizeof(raw), 0);
    assert_true(len > (ssize_t)RECORD);
    assert_int_equal(send(p.fds[0], raw, 3000, 0), 3000);
    assert_int_equal(
        fed_tls_stream_read(p.streams[1], raw + sizeof(raw) - 1, 1, &n, &p.diag[1]), FED_ERR_BUSY);
    rest(&p);
    assert_int_equal(send(p.fds[0], raw + 3000, (size_t)len - 3000, 0), len - 3000);
    expect_rest_of(&p, sent, 0, sizeof(sent));
    pair_close(&p);
}

/* ---- buffers that became small ----
 * Blocks of the library of the size that such buffers have: each at the end of a page, so that the
 * first whole page behind its beginning is a neighbour's. */

#define GUARD_FROM 512u
#define GUARD_TO 8192u
#define GUARD_BEHIND 32768u
#define GUARD_BYTE 0xa5
#define GUARDS_MAX 256u

static struct guard {
    uint8_t *map;
    size_t size;
    uint8_t *block;
    size_t len;
} guards[GUARDS_MAX];
static size_t n_guards;

static bool guard_is_whole(const struct guard *g)
{
    const uint8_t *end = g->map + g->size;

    for (const uint8_t *at = g->block + g->len; at < end; at++)
        if (*at != GUARD_BYTE)
            return false;
    return true;
}

static void *guard_calloc(size_t n, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct guard g = {.len = n * size};

    if (g.len < GUARD_FROM || g.len > GUARD_TO || n_guards == GUARDS_MAX)
        return calloc(n, size);
    g.size = (g.len + page - 1) / page * page + GUARD_BEHIND;
    g.map = mmap(NULL, g.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED)
        return NULL;
    g.block = g.map + (g.size - GUARD_BEHIND - g.len) / 16 * 16;
    memset(g.block + g.len, GUARD_BYTE, (size_t)(g.map + g.size - g.block) - g.len);
    guards[n_guards++] = g;
    return g.block;
}

static void guard_free(void *at)
{
    for (size_t i = 0; i < n_guards; i++)
        if (guards[i].block == at) {
            munmap(guards[i].map, guards[i].size);
            guards[i] = guards[--n_guards];
            return;
        }
    free(at);
}

static void rest_of_small_buffers(unsigned char max_frag_len)
{
    struct fed_tls_client_options client = client_options();
    struct fed_tls_server_options server = server_options();
    struct pair p;

    pair_open(&p, &client, &server);
    assert_int_equal(mbedtls_ssl_conf_max_frag_len(&p.configs[0]->ssl, max_frag_len), 0);
    pair_handshake(&p);
    assert_int_equal(p.err[0], FED_OK);
    assert_int_equal(p.err[1], FED_OK);
    assert_string_equal(fed_tls_stream_version(p.streams[1]), "TLSv1.2");
    for (int i = 0; i < 3; i++) {
        rest(&p);
        for (size_t k = 0; k < n_guards; k++)
            assert_true(guard_is_whole(&guards[k]));
        transfer(&p, 0, 20000);
        transfer(&p, 1, 20000);
    }
    pair_close(&p);
}

/* A client of TLS 1.2 may have small records agreed on, and the library takes smaller buffers then:
 * what is given back is of them, and nothing of their neighbours. */
static void test_rest_of_small_buffers(void **state)
{
    (void)state;
    assert_int_equal(mbedtls_platform_set_calloc_free(guard_calloc, guard_free), 0);
    rest_of_small_buffers(MBEDTLS_SSL_MAX_FRAG_LEN_512);
    rest_of_small_buffers(MBEDTLS_SSL_MAX_FRAG_LEN_4096);
    assert_int_equal(n_guards, 0);
    assert_int_equal(mbedtls_platform_set_calloc_free(calloc, free), 0);
}

/* With pages of their own, buffers are given back from their first byte on. */
static void test_rest_in_pages(void **state)
{
    struct fed_diag diag = {""};

    assert_int_equal(fed_tls_pages_open(64, &diag), FED_OK);
    test_rest(state);
}

static void test_no_client_cert(void **state)
{
    struct fed_tls_client_options client = client_options();
    struct fed_tls_server_options server = server_options();
    struct pair p;

    (void)state;
    pair_open(&p, &client, &server);
    pair_handshake(&p);
    assert_int_equal(p.err[0], FED_OK);
    assert_int_equal(p.err[1], FED_OK);
    assert_null(fed_tls_stream_peer(p.streams[1]));
    assert_null(fed_tls_stream_alpn(p.streams[1]));
    transfer(&p, 0, 100);
    pair_close(&p);
}

/* A client certificate that the server must refuse; what both sides say. */
static void refuse_client(const struct pki_id *id, const char *server_says, const char *client_says)
{
    struct fed_tls_client_options client = client_options();
    struct fed_tls_server_options server = server_options();
    struct pair p;

    client.cert_pem = pki_cert(id);
    client.key_pem = pki_key(id);
    pair_open(&p, &client, &server);
    pair_handshake(&p);
    assert_int_equal(p.err[1], FED_ERR_UNAUTHENTICATED);
    assert_int_equal(p.err[0], FED_ERR_TLS);
    if (!strstr(p.diag[1].text, server_says))
        fail_msg("server: %s", p.diag[1].text);
    if (!strstr(p.diag[0].text, client_says))
        fail_msg("client: %s", p.diag[0].text);
    pair_close(&p);
}

static void test_bad_client_certs(void **state)
{
    struct pki_id id;

    (void)state;
    pki_issue(&pki, &pki.ca, "old", NULL, -3600, -60, &id);
    refuse_client(&id, "expired on ", "certificate expired");
    pki_id_fini(&id);
    pki_issue(&pki, &pki.ca, "new", NULL, 600, 3600, &id);
    refuse_client(&id, "not valid before ", "bad certificate");
    pki_id_fini(&id);
    pki_issue(&pki, &pki.other_ca, "foreign", NULL, -60, 3600, &id);
    refuse_client(&id, "unknown CA", "unknown CA");
    pki_id_fini(&id);
    refuse_client(
        &server_id, "extendedKeyUsage", "unsupported certificate"); /* a server's certificate */
}

/* Where agents come: what has ended, or not begun, passes when nothing else is wrong. */
static void end_client(const struct pki_id *id, enum fed_err err)
{
    struct fed_tls_client_options client = client_options();
    struct fed_tls_server_options server = server_options();
    struct pair p;

    client.cert_pem = pki_cert(id);
    client.key_pem = pki_key(id);
    server.client_may_have_ended = true;
    pair_open(&p, &client, &server);
    pair_handshake(&p);
    if (p.err[1] != err)
        fail_msg("%s", p.diag[1].text);
    if (!err)
        assert_true(fed_tls_stream_peer(p.streams[1])->not_after_unix_s < pki.now_unix_s ||
                    fed_tls_stream_peer(p.streams[1])->not_before_unix_s > pki.now_unix_s);
    pair_close(&p);
}

static void test_ended_client_certs(void **state)
{
    struct pki_id id;

    (void)state;
    pki_issue(&pki, &pki.ca, "old", NULL, -3600, -60, &id);
    end_client(&id, FED_OK);
    pki_id_fini(&id);
    pki_issue(&pki, &pki.other_ca, "old and foreign", NULL, -3600, -60, &id);
    end_client(&id, FED_ERR_UNAUTHENTICATED);
    pki_id_fini(&id);
    pki_issue(&pki, &pki.ca, "old server", "localhost", -3600, -60, &id);
    end_client(&id, FED_ERR_UNAUTHENTICATED);
    pki_id_fini(&id);
    pki_issue(&pki, &pki.ca, "new", NULL, 600, 3600, &id);
    end_client(&id, FED_OK);
    pki_id_fini(&id);
    pki_issue(&pki, &pki.other_ca, "new and foreign", NULL, 600, 3600, &id);
    end_client(&id, FED_ERR_UNAUTHENTICATED);
    pki_id_fini(&id);
}

/* A server whose certificate the client must refuse. */
static void refuse_server(const struct pki_id *id, const char *name, const char *client_says)
{
    struct fed_tls_client_options client = client_options();
    struct fed_tls_server_options server = server_options();
    struct pair p;

    client.server_name = name;
    server.cert_pem = pki_cert(id);
    server.key_pem = pki_key(id);
    pair_open(&p, &client, &server);
    pair_handshake(&p);
    if (p.err[0] != FED_ERR_UNAUTHENTICATED || !strstr(p.diag[0].text, client_says))
        fail_msg("client: %s", p.diag[0].text);
    assert_int_equal(p.err[1], FED_ERR_TLS);
    pair_close(&p);
}

static void test_bad_servers(void **state)
{
    struct pki_id id;

    (void)state;
    refuse_server(&server_id, "127.0.0.2", "wrong name: it is for 127.0.0.1, not for 127.0.0.2");
    refuse_server(&server_id, "localhost", "wrong name: it is for 127.0.0.1, not for localhost");
    pki_issue(&pki, &pki.ca, "s", "127.0.0.1", -3600, -60, &id);
    refuse_server(&id, "127.0.0.1", "expired on ");
    pki_id_fini(&id);
    pki_issue(&pki, &pki.other_ca, "s", "127.0.0.1", -60, 3600, &id);
    refuse_server(&id, "127.0.0.1", "unknown CA");
    pki_id_fini(&id);
    /* The common name alone is no name. */
    pki_issue(&pki, &pki.ca, "s", "", -60, 3600, &id);
    refuse_server(&id, "system:fedlet:s", "wrong name: it is for no name");
    pki_id_fini(&id);
}

static bool accepted(const char *san, const char *name)
{
    struct fed_tls_client_options client = client_options();
    struct fed_tls_server_options server = server_options();
    struct pki_id id;
    struct pair p;
    bool ok;

    pki_issue(&pki, &pki.ca, "s", san, -60, 3600, &id);
    client.server_name = name;
    server.cert_pem = pki_cert(&id);
    server.key_pem = pki_key(&id);
    pair_open(&p, &client, &server);
    pair_handshake(&p);
    ok = p.err[0] == FED_OK && p.err[1] == FED_OK;
    pair_close(&p);
    pki_id_fini(&id);
    return ok;
}

static void test_names(void **state)
{
    (void)state;
    assert_true(accepted("hub.example.com", "hub.example.com"));
    assert_true(accepted("Hub.Example.com", "hUB.example.COM"));
    assert_true(accepted("hub.example.com", "hub.example.com."));
    assert_true(accepted("*.example.com", "a.example.com"));
    assert_false(accepted("*.example.com", "a.b.example.com"));
    assert_false(accepted("*.example.com", "example.com"));
    assert_false(accepted("*.com", "example.com"));
    assert_false(accepted("hub.example.com", "hub.example.co"));
    assert_false(accepted("hub.example.com", "xhub.example.com"));
    assert_true(accepted("::1", "::1"));
    assert_true(accepted("fe80::1", "fe80:0::0:1"));
    assert_false(accepted("::1", "::2"));
    assert_false(accepted("127.0.0.1", "::ffff:127.0.0.1"));
}

static void test_insecure(void **state)
{
    struct fed_tls_client_options client = client_options();
    struct fed_tls_server_options server = server_options();
    struct pair p;

    (void)state;
    client.ca_pem = fed_span_text(NULL);
    client.server_name = "somewhere.else";
    client.insecure_skip_verify = true;
    server.client_ca_pem = fed_span_text(NULL);
    pair_open(&p, &client, &server);
    pair_handshake(&p);
    assert_int_equal(p.err[0], FED_OK);
    assert_int_equal(p.err[1], FED_OK);
    assert_null(fed_tls_stream_peer(p.streams[0]));
    pair_close(&p);
}

static void test_alpn_mismatch(void **state)
{
    static const char *const h2[] = {"h2"};
    static const char *const coap[] = {"coap"};
    struct fed_tls_client_options client = client_options();
    struct fed_tls_server_options server = server_options();
    struct pair p;

    (void)state;
    client.alpn = h2;
    client.n_alpn = 1;
    server.alpn = coap;
    server.n_alpn = 1;
    pair_open(&p, &client, &server);
    pair_handshake(&p);
    assert_int_equal(p.err[0], FED_ERR_TLS);
    assert_non_null(strstr(p.diag[0].text, "no application protocol"));
    pair_close(&p);
}

static void test_garbage(void **state)
{
    struct fed_tls_server_options server = server_options();
    struct fed_tls_client_options client = client_options();
    struct fed_diag diag = {""};
    struct pair p;

    (void)state;
    pair_open(&p, &client, &server);
    assert_int_equal(send(p.fds[0], "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    assert_int_equal(fed_tls_stream_handshake(p.streams[1], &diag), FED_ERR_TLS);
    assert_true(diag.text[0] != 0);
    shutdown(p.fds[1], SHUT_WR);
    while (fed_tls_stream_handshake(p.streams[0], &diag) == FED_ERR_BUSY)
        ;
    assert_true(strstr(diag.text, "alert") || strstr(diag.text, "closed"));
    pair_close(&p);
}

static void test_config_refuses(void **state)
{
    struct fed_tls_client_options client = client_options();
    struct fed_tls_server_options server = server_options();
    struct fed_tls_config *config = NULL;
    struct fed_alloc *mem = fed_alloc_system();
    struct fed_diag diag = {""};

    (void)state;
    server.key_pem = pki_key(&client_id);
    assert_int_equal(fed_tls_config_new_server(mem, &server, &config, &diag), FED_ERR_INVALID);
    assert_non_null(strstr(diag.text, "does not belong"));
    server.key_pem = FED_SPAN_LIT("rubbish");
    assert_int_equal(fed_tls_config_new_server(mem, &server, &config, &diag), FED_ERR_INVALID);
    client.server_name = NULL;
    assert_int_equal(fed_tls_config_new_client(mem, &client, &config, &diag), FED_ERR_INVALID);
    client = client_options();
    client.ca_pem = fed_span_text(NULL); /* no anchors is not "anything goes" */
    assert_int_equal(fed_tls_config_new_client(mem, &client, &config, &diag), FED_ERR_INVALID);
    client.ca_pem = FED_SPAN_LIT("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_int_equal(fed_tls_config_new_client(mem, &client, &config, &diag), FED_ERR_INVALID);
    assert_null(config);
}

/* A configuration that its owner gave up serves the connections that have it, to their end. */
static void test_replaced(void **state)
{
    struct fed_tls_client_options client = client_options();
    struct fed_tls_server_options server = server_options();
    struct pair p;

    (void)state;
    pair_open(&p, &client, &server);
    fed_tls_config_free(p.configs[1]);
    p.configs[1] = NULL;
    pair_handshake(&p);
    assert_int_equal(p.err[0], FED_OK);
    assert_int_equal(p.err[1], FED_OK);
    transfer(&p, 1, 50000);
    transfer(&p, 0, 50000);
    pair_close(&p);
}

/* Servers of others send tickets when they like; between records they are no failure. */
static void test_tickets(void **state)
{
    struct fed_tls_client_options client = client_options();
    struct fed_tls_server_options server = server_options();
    mbedtls_ssl_ticket_context ticket;
    struct pair p;

    (void)state;
    mbedtls_ssl_ticket_init(&ticket);
    assert_int_equal(
        mbedtls_ssl_ticket_setup(&ticket, fed_mbed_random, NULL, MBEDTLS_CIPHER_AES_256_GCM, 3600),
        0);
    pair_open(&p, &client, &server);
    mbedtls_ssl_conf_session_tickets_cb(
        &p.configs[1]->ssl, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &ticket);
    mbedtls_ssl_conf_new_session_tickets(&p.configs[1]->ssl, 3);
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        &p.configs[0]->ssl, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
    pair_handshake(&p);
    assert_int_equal(p.err[0], FED_OK);
    assert_int_equal(p.err[1], FED_OK);
    transfer(&p, 1, 50000);
    transfer(&p, 0, 50000);
    pair_close(&p);
    mbedtls_ssl_ticket_free(&ticket);
}

static int version_old(void **state)
{
    (void)state;
    old_version = true;
    return 0;
}

static int version_new(void **state)
{
    (void)state;
    old_version = false;
    return 0;
}

static int setup(void **state)
{
    (void)state;
    pki_init(&pki);
    pki_issue(&pki, &pki.ca, "hub", "127.0.0.1", -60, 3600, &server_id);
    pki_issue(&pki, &pki.ca, "agent", NULL, -60, 3600, &client_id);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_id_fini(&server_id);
    pki_id_fini(&client_id);
    pki_fini(&pki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutual),
        cmocka_unit_test(test_rest),
        /* before there are pages, which the library allocates with from then on */
        cmocka_unit_test_setup_teardown(test_rest_of_small_buffers, version_old, version_new),
        cmocka_unit_test(test_rest_in_pages),
        cmocka_unit_test(test_no_client_cert),
        cmocka_unit_test(test_bad_client_certs),
        cmocka_unit_test(test_ended_client_certs),
        cmocka_unit_test(test_bad_servers),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_insecure),
        cmocka_unit_test(test_alpn_mismatch),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_config_refuses),
        cmocka_unit_test(test_tickets),
        cmocka_unit_test(test_replaced),
        cmocka_unit_test_setup_teardown(test_mutual, version_old, version_new),
        cmocka_unit_test_setup_teardown(test_rest, version_old, version_new),
        cmocka_unit_test_setup_teardown(test_rest_in_pages, version_old, version_new),
        cmocka_unit_test_setup_teardown(test_no_client_cert, version_old, version_new),
        cmocka_unit_test_setup_teardown(test_bad_client_certs, version_old, version_new),
        cmocka_unit_test_setup_teardown(test_bad_servers, version_old, version_new),
        cmocka_unit_test_setup_teardown(test_insecure, version_old, version_new),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
