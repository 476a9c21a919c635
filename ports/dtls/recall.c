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

void dtls_recall_watch(mbedtls_ssl_context *ssl, struct dtls_recall_made *made)
{
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

    if (!made->there || !client || !name_digest(client, &name))
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
