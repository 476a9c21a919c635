/* scratch.c - ClientHellos: the session that is nobody's answers them with a cookie, and becomes a
 * handshake when the cookie comes back. */
#include "ports/dtls/internal.h"

#include <string.h>

#define COOKIE_SIZE 32u /* of the library */
#define HELLO_VERIFY_SIZE (13u + 12u + 3u + COOKIE_SIZE)
#define CLIENT_RANDOM_AT 27u /* record header 13, handshake header 12, version 2 */

static void scratch_adopt(struct fed_dtls_server *server, struct fed_dtls_session *s)
{
    struct fed_dtls_session *before =
        dtls_table_by_address(&server->table, &s->address, DTLS_HANDSHAKE);

    if (before)
        dtls_session_drop(before); /* the client started anew */
    server->scratch = NULL;
    server->handshakes++;
    dtls_hosts_enter(server, &s->address);
    s->state = DTLS_HANDSHAKE;
    s->handshake->deadline_ms = fed_loop_now_ms(server->loop) + DTLS_HANDSHAKE_MS;
    dtls_table_add(&server->table, server->mem, s);
    (void)dtls_session_arm(s);
}

static void scratch_log(struct fed_dtls_session *s, int code)
{
    struct fed_diag diag = {""};

    fed_mbed_handshake_error(&s->handshake->verify, &s->ssl, code, &diag);
    dtls_handshake_failed(s, diag.text);
}

/* What came and went before the cookie was nobody's yet: the same hello without it, and the request
 * for it (RFC 6347 section 4.2.1), headers of record and message included. */
static void count_cookie(struct fed_dtls_session *s, size_t hello_len)
{
    if (hello_len < COOKIE_SIZE)
        return;
    s->stats.received_bytes += hello_len - COOKIE_SIZE;
    s->stats.received_datagrams++;
    s->stats.sent_bytes += HELLO_VERIFY_SIZE;
    s->stats.sent_datagrams++;
}

void dtls_scratch_hello(struct fed_dtls_server *server)
{
    struct fed_dtls_session *s = server->scratch ? server->scratch : dtls_session_new(server);
    struct fed_span hello = server->incoming;
    uint64_t started_us = dtls_credit_start(server);
    int code;

    server->scratch = s;
    if (!s)
        return;
    s->address = server->from;
    s->stats =
        (struct fed_dtls_session_stats){.received_bytes = hello.len, .received_datagrams = 1};
    server->cookie_good = server->turned_away = false;
    dtls_work_begin(s);
    code = mbedtls_ssl_set_client_transport_id(
        &s->ssl, (const unsigned char *)&s->address, sizeof(s->address));
    if (!code)
        code = mbedtls_ssl_set_cid(&s->ssl, MBEDTLS_SSL_CID_ENABLED, s->cid, sizeof(s->cid));
    if (!code)
        code = mbedtls_ssl_handshake(&s->ssl);
    dtls_credit_stop(server,
        server->cookie_good ? &server->handshake_credit : &server->cookie_credit, started_us);
    if (server->cookie_good && code == MBEDTLS_ERR_SSL_WANT_READ) {
        if (hello.len >= CLIENT_RANDOM_AT + sizeof(s->handshake->client_random))
            memcpy(s->handshake->client_random, hello.at + CLIENT_RANDOM_AT,
                sizeof(s->handshake->client_random));
        count_cookie(s, hello.len);
        scratch_adopt(server, s);
    } else {
        if (server->cookie_good)
            scratch_log(s, code);
        if (mbedtls_ssl_session_reset(&s->ssl) != 0) {
            server->scratch = NULL;
            s->state = DTLS_DEAD;
        }
    }
    dtls_work_end(s);
}
