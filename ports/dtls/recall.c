/* recall.c - see recall.h. */
#include "ports/dtls/recall.h"

#include "proto/digest/sha256.h"

#include <mbedtls/oid.h>
#include <mbedtls/platform_util.h>

#include <string.h>

#define LABEL "EXPORTER-fedlet-recall"
#define RANDOM_SIZE 32u

void dtls_recall_make(void *ctx, mbedtls_ssl_key_export_type type, const unsigned char *secret,
    size_t len, const unsigned char client_random[RANDOM_SIZE],
    const unsigned char server_random[RANDOM_SIZE], mbedtls_tls_prf_types prf)
{
    struct dtls_recall_made *made = ctx;
    uint8_t randoms[2 * RANDOM_SIZE];
    uint8_t out[sizeof(made->mark) + sizeof(made->secret)];

    made->there = false;
    if (type != MBEDTLS_SSL_KEY_EXPORT_TLS12_MASTER_SECRET)
        return;
    memcpy(randoms, client_random, RANDOM_SIZE);
    memcpy(randoms + RANDOM_SIZE, server_random, RANDOM_SIZE);
    if (mbedtls_ssl_tls_prf(prf, secret, len, LABEL, randoms, sizeof(randoms), out, sizeof(out)) !=
        0)
        return;
    memcpy(made->mark, out, sizeof(made->mark));
    memcpy(made->secret, out + sizeof(made->mark), sizeof(made->secret));
    made->there = true;
    mbedtls_platform_zeroize(out, sizeof(out));
}

/* ---- the server's hello ---- */

#define HANDSHAKE 22u
#define SERVER_HELLO 2u
#define EXTENDED_MASTER_SECRET 23u

static bool skip(struct fed_span *from, size_t len)
{
    struct fed_span skipped;

    return fed_span_take_bytes(from, len, &skipped) == FED_OK;
}

/* Up to its extensions: version and random, session id, suite and compression, length. */
static bool has_extension(struct fed_span hello, uint16_t wanted)
{
    struct fed_span data;
    uint8_t id_len = 0;
    uint16_t type = 0;
    uint16_t len = 0;

    if (!skip(&hello, 2 + RANDOM_SIZE) || fed_span_take_u8(&hello, &id_len) ||
        !skip(&hello, id_len) || !skip(&hello, 3) || fed_span_take_u16(&hello, &len))
        return false;
    while (!fed_span_take_u16(&hello, &type) && !fed_span_take_u16(&hello, &len) &&
           !fed_span_take_bytes(&hello, len, &data))
        if (type == wanted)
            return true;
    return false;
}

/* The body of a hello that is whole in the record: behind type, length, number, and the part's
 * place and length. */
static bool take_hello(struct fed_span record, struct fed_span *body)
{
    struct fed_span head;

    return !fed_span_take_bytes(&record, 12, &head) && head.at[0] == SERVER_HELLO &&
           (head.at[6] | head.at[7] | head.at[8]) == 0 &&
           memcmp(head.at + 1, head.at + 9, 3) == 0 &&
           !fed_span_take_bytes(&record, (size_t)head.at[2] << 8 | head.at[3], body);
}

void dtls_recall_look(struct dtls_recall_made *made, struct fed_span datagram)
{
    struct fed_span head;
    struct fed_span record;
    struct fed_span hello;
    uint16_t len = 0;

    while (!fed_span_take_bytes(&datagram, 11, &head) && !fed_span_take_u16(&datagram, &len) &&
           !fed_span_take_bytes(&datagram, len, &record)) {
        bool clear = head.at[3] == 0 && head.at[4] == 0; /* epoch */

        if (head.at[0] == HANDSHAKE && clear && take_hello(record, &hello))
            made->extended = has_extension(hello, EXTENDED_MASTER_SECRET);
    }
}

/* ---- what is kept ---- */

void dtls_recall_watch(mbedtls_ssl_context *ssl, struct dtls_recall_made *made)
{
    if (made)
        made->there = made->extended = false;
    mbedtls_ssl_set_export_keys_cb(ssl, made ? dtls_recall_make : NULL, made);
}

static bool name_digest(const mbedtls_x509_crt *cert, struct fed_digest *out)
{
    const mbedtls_x509_name *name = &cert->subject;

    while (name && MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &name->oid) != 0)
        name = name->next;
    return name && fed_digest_of(fed_span_of(name->val.p, name->val.len), out) == FED_OK;
}

bool dtls_recall_is_of(const mbedtls_x509_crt *client, const uint8_t id[DTLS_RECALL_ID_SIZE])
{
    struct fed_digest name;

    return name_digest(client, &name) && memcmp(id, name.bytes, DTLS_RECALL_NAME_SIZE) == 0;
}

bool dtls_recall_of(const mbedtls_ssl_context *ssl, const struct dtls_recall_made *made,
    const mbedtls_x509_crt *client, struct dtls_recall *out)
{
    struct fed_digest name;

    if (!made->there || !made->extended || !client || !name_digest(client, &name))
        return false;
    memcpy(out->id, name.bytes, DTLS_RECALL_NAME_SIZE);
    memcpy(out->id + DTLS_RECALL_NAME_SIZE, made->mark, sizeof(made->mark));
    memcpy(out->secret, made->secret, sizeof(out->secret));
    out->suite = (uint16_t)ssl->MBEDTLS_PRIVATE(session)->MBEDTLS_PRIVATE(ciphersuite);
    return true;
}

void dtls_recall_put(const struct dtls_recall *recall, int endpoint, mbedtls_ssl_session *session)
{
    session->MBEDTLS_PRIVATE(tls_version) = MBEDTLS_SSL_VERSION_TLS1_2;
    session->MBEDTLS_PRIVATE(endpoint) = (uint8_t)endpoint;
    session->MBEDTLS_PRIVATE(ciphersuite) = recall->suite;
    session->MBEDTLS_PRIVATE(id_len) = DTLS_RECALL_ID_SIZE;
    memcpy(session->MBEDTLS_PRIVATE(id), recall->id, DTLS_RECALL_ID_SIZE);
    memcpy(session->MBEDTLS_PRIVATE(master), recall->secret, DTLS_RECALL_SECRET_SIZE);
}

bool dtls_recall_was(
    const mbedtls_ssl_context *ssl, const uint8_t id[DTLS_RECALL_ID_SIZE], size_t len)
{
    const mbedtls_ssl_session *session = ssl->MBEDTLS_PRIVATE(session);

    return session && session->MBEDTLS_PRIVATE(id_len) == DTLS_RECALL_ID_SIZE &&
           memcmp(session->MBEDTLS_PRIVATE(id), id, len) == 0;
}
