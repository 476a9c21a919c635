/* psk.c - keys of pre-shared-key handshakes.
 *
 * The library wants a key at once. Its owner may have to ask another process, so the identity is
 * read from the ClientKeyExchange before the library sees it (RFC 4279 section 2; it travels in the
 * clear), and the datagram waits until the key is there. */
#include "ports/dtls/internal.h"

#include <mbedtls/platform_util.h>

#include <string.h>

#define RECORD_HEADER 13u
#define HANDSHAKE_HEADER 12u
#define CONTENT_HANDSHAKE 22u
#define CLIENT_KEY_EXCHANGE 16u

static void key_wipe(struct fed_buf *key)
{
    if (key->at)
        mbedtls_platform_zeroize(key->at, key->cap);
    fed_buf_fini(key);
}

int dtls_psk(void *ctx, mbedtls_ssl_context *ssl, const unsigned char *identity, size_t len)
{
    struct fed_dtls_server *server = ctx;
    struct dtls_handshake *handshake = server->current->handshake;
    struct fed_span given = fed_span_of(identity, len);
    struct fed_buf key;
    int code = MBEDTLS_ERR_SSL_UNKNOWN_IDENTITY;
    bool have = false;
    enum fed_err err;

    /* The one that was waited for, or one that came in pieces and has to be had at once. */
    if (len > 0 && fed_span_is(given, handshake->key_identity))
        have = true;
    if (len == 0 ||
        fed_span_to_cstr(given, handshake->psk_identity, sizeof(handshake->psk_identity)))
        return code;
    if (have)
        return handshake->psk_key.len > 0
                   ? mbedtls_ssl_set_hs_psk(ssl, handshake->psk_key.at, handshake->psk_key.len)
                   : code;
    fed_buf_init(&key, server->mem, DTLS_KEY_MAX);
    err = server->events.psk(server->events.ctx, given, &key);
    if (err == FED_OK && !key.err && key.len > 0)
        code = mbedtls_ssl_set_hs_psk(ssl, key.at, key.len);
    key_wipe(&key);
    return code;
}

/* The identity in a whole ClientKeyExchange of the datagram. Suites with certificates have a point
 * there, which never has the form of an identity: its first two bytes would be a length of 16 KiB.
 */
static bool find_identity(struct fed_span d, struct fed_span *out)
{
    struct fed_span body;
    uint16_t len;

    while (d.len > RECORD_HEADER + HANDSHAKE_HEADER) {
        size_t record = (size_t)(d.at[11] << 8 | d.at[12]);

        if (d.at[0] != CONTENT_HANDSHAKE || d.at[3] != 0 || d.at[4] != 0)
            return false;
        body = fed_span_sub(d, RECORD_HEADER, record);
        if (body.len == record && record > HANDSHAKE_HEADER && body.at[0] == CLIENT_KEY_EXCHANGE) {
            body = fed_span_sub(body, HANDSHAKE_HEADER, body.len);
            return !fed_span_take_u16(&body, &len) && !fed_span_take_bytes(&body, len, out) &&
                   body.len == 0 && len > 0;
        }
        d = fed_span_sub(d, RECORD_HEADER + record, d.len);
    }
    return false;
}

static struct dtls_parked *parked_new(struct fed_dtls_session *s, struct fed_span identity)
{
    struct fed_dtls_server *server = s->server;
    struct fed_span d = server->incoming;
    struct dtls_parked *p = fed_alloc_zero(server->mem, sizeof(*p) + d.len);

    if (!p)
        return NULL;
    p->session = s;
    p->from = server->from;
    p->len = d.len;
    memcpy(p->datagram, d.at, d.len);
    if (fed_span_to_cstr(identity, p->identity, sizeof(p->identity))) {
        fed_alloc_free(server->mem, p, sizeof(*p) + d.len);
        return NULL;
    }
    p->next = server->parked;
    p->link = &server->parked;
    if (p->next)
        p->next->link = &p->next;
    server->parked = p;
    return p;
}

static void parked_free(struct dtls_parked *p)
{
    struct fed_alloc *mem = p->session->server->mem;

    *p->link = p->next;
    if (p->next)
        p->next->link = p->link;
    p->session->handshake->parked = NULL;
    fed_alloc_free(mem, p, sizeof(*p) + p->len);
}

void dtls_psk_forget(struct fed_dtls_session *session)
{
    if (session->handshake->parked)
        parked_free(session->handshake->parked);
    key_wipe(&session->handshake->psk_key);
}

static void key_set(struct dtls_handshake *handshake, const char *identity, struct fed_span key,
    struct fed_alloc *mem)
{
    key_wipe(&handshake->psk_key);
    memcpy(handshake->key_identity, identity, sizeof(handshake->key_identity));
    fed_buf_init(&handshake->psk_key, mem, DTLS_KEY_MAX);
    fed_buf_put(&handshake->psk_key, key); /* without memory it is empty: refused */
}

/* What the library would be refused anyway (dtls_psk): nobody is asked for its key. */
static bool is_no_name(struct fed_span identity)
{
    return identity.len > DTLS_IDENTITY_MAX || fed_span_find(identity, 0) != identity.len;
}

bool dtls_psk_park(struct fed_dtls_session *session)
{
    struct fed_dtls_server *server = session->server;
    struct dtls_handshake *handshake = session->handshake;
    struct fed_span identity;
    struct fed_buf key;
    enum fed_err err;

    if (!server->events.psk || !find_identity(server->incoming, &identity) ||
        is_no_name(identity) || fed_span_is(identity, handshake->key_identity))
        return false;
    if (handshake->parked)
        return true; /* the same flight again */
    fed_buf_init(&key, server->mem, DTLS_KEY_MAX);
    err = server->events.psk(server->events.ctx, identity, &key);
    key_wipe(&key); /* had at once, it is asked for again by the library: rare, and cheap */
    if (err != FED_ERR_BUSY)
        return false;
    handshake->parked = parked_new(session, identity);
    return true;
}

void fed_dtls_server_psk(
    struct fed_dtls_server *server, struct fed_span identity, struct fed_span key)
{
    struct dtls_parked *p = server->parked;

    while (p) {
        struct fed_dtls_session *s = p->session;
        uint8_t datagram[DTLS_DATAGRAM_MAX];
        struct dtls_parked *next = p->next;

        if (fed_span_is(identity, p->identity)) {
            key_set(s->handshake, p->identity, key, server->mem);
            memcpy(datagram, p->datagram, p->len);
            server->from = p->from;
            server->incoming = fed_span_of(datagram, p->len);
            server->incoming_len = p->len;
            parked_free(p);
            dtls_session_feed(s);
            next = server->parked; /* callbacks may have ended any session */
        }
        p = next;
    }
    dtls_server_arm(server);
}
