/* crypto.c - randomness, HMAC, P-256 keys and the reading of certificates; all cryptography by PSA.
 */
#include "ports/tls/issue.h"

#include <mbedtls/pem.h>
#include <mbedtls/platform_util.h>
#include <psa/crypto.h>

#include <string.h>

#define POINT_SIZE 65u /* uncompressed P-256 point */
#define SCALAR_SIZE 32u

/* SubjectPublicKeyInfo of a P-256 key up to its point (RFC 5480 section 2). */
static const uint8_t spki_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
/* ECPrivateKey (RFC 5915 section 3): head, 32 bytes of scalar, middle with the curve, point. */
static const uint8_t sec1_head[] = {0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20};
static const uint8_t sec1_middle[] = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03,
    0x01, 0x07, 0xa1, 0x44, 0x03, 0x42, 0x00};
#define SEC1_SIZE (sizeof(sec1_head) + SCALAR_SIZE + sizeof(sec1_middle) + POINT_SIZE)

static enum fed_err crypto_random(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    return fed_mbed_random(NULL, out, len) == 0 ? FED_OK : FED_ERR_INTERNAL;
}

static enum fed_err status_err(psa_status_t status)
{
    if (status == PSA_SUCCESS)
        return FED_OK;
    return status == PSA_ERROR_INSUFFICIENT_MEMORY ? FED_ERR_NOMEM : FED_ERR_INTERNAL;
}

static enum fed_err crypto_hmac_sha256(
    void *ctx, struct fed_span key, struct fed_span text, uint8_t out[32])
{
    static const uint8_t zero =
        0; /* keys are padded with zeros (RFC 2104), so this is the empty key */
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_key_id_t id;
    psa_status_t status;
    size_t len;

    (void)ctx;
    if (key.len == 0)
        key = fed_span_of(&zero, 1);
    psa_set_key_type(&attributes, PSA_KEY_TYPE_HMAC);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_MESSAGE);
    psa_set_key_algorithm(&attributes, PSA_ALG_HMAC(PSA_ALG_SHA_256));
    status = psa_import_key(&attributes, key.at, key.len, &id);
    if (status != PSA_SUCCESS)
        return status_err(status);
    status = psa_mac_compute(id, PSA_ALG_HMAC(PSA_ALG_SHA_256), text.at, text.len, out, 32, &len);
    psa_destroy_key(id);
    return status_err(status);
}

static psa_status_t key_generate(uint8_t scalar[SCALAR_SIZE], uint8_t point[POINT_SIZE])
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_key_id_t id;
    psa_status_t status;
    size_t len;

    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
    psa_set_key_bits(&attributes, 256);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_EXPORT);
    status = psa_generate_key(&attributes, &id);
    if (status != PSA_SUCCESS)
        return status;
    status = psa_export_key(id, scalar, SCALAR_SIZE, &len);
    if (status == PSA_SUCCESS)
        status = psa_export_public_key(id, point, POINT_SIZE, &len);
    psa_destroy_key(id);
    return status;
}

static enum fed_err crypto_key_new(void *ctx, struct fed_buf *key_pem)
{
    uint8_t der[SEC1_SIZE];
    uint8_t *scalar = der + sizeof(sec1_head);
    uint8_t *middle = scalar + SCALAR_SIZE;
    unsigned char pem[512];
    size_t len = 0;
    enum fed_err err;

    (void)ctx;
    memcpy(der, sec1_head, sizeof(sec1_head));
    memcpy(middle, sec1_middle, sizeof(sec1_middle));
    err = status_err(key_generate(scalar, middle + sizeof(sec1_middle)));
    if (!err &&
        mbedtls_pem_write_buffer("-----BEGIN EC PRIVATE KEY-----\n",
            "-----END EC PRIVATE KEY-----\n", der, sizeof(der), pem, sizeof(pem), &len) != 0)
        err = FED_ERR_INTERNAL;
    if (!err) {
        fed_buf_put(key_pem, fed_span_of(pem, len - 1)); /* len counts the NUL */
        err = fed_buf_err(key_pem);
    }
    mbedtls_platform_zeroize(der, sizeof(der));
    mbedtls_platform_zeroize(pem, sizeof(pem));
    return err;
}

static enum fed_err crypto_key_public(
    void *ctx, struct fed_span key_pem, struct fed_buf *spki_der, struct fed_diag *diag)
{
    mbedtls_pk_context key;
    unsigned char der[1024];
    enum fed_err err;
    int len;

    (void)ctx;
    mbedtls_pk_init(&key);
    err = fed_mbed_key(key_pem, &key, diag);
    if (err)
        goto done;
    len = mbedtls_pk_write_pubkey_der(&key, der, sizeof(der)); /* written at the end */
    if (len <= 0) {
        err = fed_mbed_error(diag, FED_ERR_INVALID, len, "public key");
        goto done;
    }
    fed_buf_put(spki_der, fed_span_of(der + sizeof(der) - (size_t)len, (size_t)len));
    err = fed_buf_err(spki_der);
done:
    mbedtls_pk_free(&key);
    return err;
}

enum fed_err fed_tls_public_key_check(struct fed_span spki_der, struct fed_diag *diag)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_key_id_t id;
    psa_status_t status;

    if (spki_der.len != sizeof(spki_head) + POINT_SIZE ||
        memcmp(spki_der.at, spki_head, sizeof(spki_head)) != 0)
        return fed_diag_set(diag, FED_ERR_INVALID,
            "public key: not a P-256 key in SubjectPublicKeyInfo form, uncompressed");
    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
    psa_set_key_bits(&attributes, 256);
    status = psa_import_key(&attributes, spki_der.at + sizeof(spki_head), POINT_SIZE, &id);
    if (status == PSA_ERROR_INSUFFICIENT_MEMORY)
        return fed_diag_set(diag, FED_ERR_NOMEM, "public key: out of memory");
    if (status != PSA_SUCCESS)
        return fed_diag_set(diag, FED_ERR_INVALID, "public key: not a point of P-256");
    psa_destroy_key(id);
    return FED_OK;
}

static enum fed_err crypto_public_key_check(
    void *ctx, struct fed_span spki_der, struct fed_diag *diag)
{
    (void)ctx;
    return fed_tls_public_key_check(spki_der, diag);
}

#define ES256 PSA_ALG_ECDSA(PSA_ALG_SHA_256)
#define ES256_SIZE 64u

static enum fed_err crypto_sign(
    void *ctx, struct fed_span key_pem, struct fed_span message, uint8_t signature[64])
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    mbedtls_pk_context key;
    psa_key_id_t id;
    size_t len = 0;
    enum fed_err err;

    (void)ctx;
    mbedtls_pk_init(&key);
    err = fed_mbed_key(key_pem, &key, NULL);
    if (!err && mbedtls_pk_get_psa_attributes(&key, PSA_KEY_USAGE_SIGN_MESSAGE, &attributes) != 0)
        err = FED_ERR_INVALID;
    psa_set_key_algorithm(&attributes, ES256);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_MESSAGE);
    if (!err && mbedtls_pk_import_into_psa(&key, &attributes, &id) != 0)
        err = FED_ERR_INVALID;
    if (!err) {
        err = status_err(
            psa_sign_message(id, ES256, message.at, message.len, signature, ES256_SIZE, &len));
        psa_destroy_key(id);
    }
    mbedtls_pk_free(&key);
    return err || len == ES256_SIZE ? err : FED_ERR_INVALID;
}

static enum fed_err crypto_verify(
    void *ctx, struct fed_span spki_der, struct fed_span message, const uint8_t signature[64])
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_key_id_t id;
    psa_status_t status;

    (void)ctx;
    if (spki_der.len != sizeof(spki_head) + POINT_SIZE ||
        memcmp(spki_der.at, spki_head, sizeof(spki_head)) != 0)
        return FED_ERR_INVALID;
    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
    psa_set_key_bits(&attributes, 256);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_MESSAGE);
    psa_set_key_algorithm(&attributes, ES256);
    status = psa_import_key(&attributes, spki_der.at + sizeof(spki_head), POINT_SIZE, &id);
    if (status != PSA_SUCCESS)
        return status == PSA_ERROR_INSUFFICIENT_MEMORY ? FED_ERR_NOMEM : FED_ERR_INVALID;
    status = psa_verify_message(id, ES256, message.at, message.len, signature, ES256_SIZE);
    psa_destroy_key(id);
    return status == PSA_ERROR_INVALID_SIGNATURE || status == PSA_ERROR_INVALID_ARGUMENT
               ? FED_ERR_FORBIDDEN
               : status_err(status);
}

static enum fed_err crypto_cert_info(
    void *ctx, struct fed_span cert_pem, struct fed_crypto_cert_info *out, struct fed_diag *diag)
{
    mbedtls_x509_crt cert;
    enum fed_err err;

    (void)ctx;
    mbedtls_x509_crt_init(&cert);
    err = fed_mbed_certs(cert_pem, FED_MBED_PARSE_ALL, "certificate", &cert, diag);
    if (!err)
        err = fed_mbed_cert_info(&cert, out, diag);
    mbedtls_x509_crt_free(&cert);
    return err;
}

static enum fed_err chain_check(mbedtls_x509_crt *cert, mbedtls_x509_crt *ca, struct fed_diag *diag)
{
    uint32_t flags = 0;
    char text[160];
    int code = mbedtls_x509_crt_verify(cert, ca, NULL, NULL, &flags, NULL, NULL);

    if (code == 0)
        return FED_OK;
    if (code != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED)
        return fed_mbed_error(diag, FED_ERR_INVALID, code, "certificate");
    flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
    if (flags == 0)
        return FED_OK;
    mbedtls_x509_crt_verify_info(text, sizeof(text), "", flags);
    text[strcspn(text, "\n")] = 0;
    if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        return fed_diag_set(diag, FED_ERR_INVALID, "certificate: not signed by this CA (%s)", text);
    return fed_diag_set(diag, FED_ERR_INVALID, "certificate: %s", text);
}

static enum fed_err crypto_cert_check(void *ctx, struct fed_span cert_pem, struct fed_span ca_pem,
    struct fed_span key_pem, struct fed_diag *diag)
{
    mbedtls_x509_crt cert;
    mbedtls_x509_crt ca;
    mbedtls_pk_context key;
    enum fed_err err;

    (void)ctx;
    mbedtls_x509_crt_init(&cert);
    mbedtls_x509_crt_init(&ca);
    mbedtls_pk_init(&key);
    err = fed_mbed_certs(cert_pem, FED_MBED_PARSE_ALL, "certificate", &cert, diag);
    if (!err)
        err = fed_mbed_certs(ca_pem, FED_MBED_PARSE_SOME, "CA certificate", &ca, diag);
    if (!err)
        err = chain_check(&cert, &ca, diag);
    if (!err && key_pem.len > 0)
        err = fed_mbed_key(key_pem, &key, diag);
    if (!err && key_pem.len > 0)
        err = fed_mbed_key_matches(&cert, &key, diag);
    mbedtls_x509_crt_free(&cert);
    mbedtls_x509_crt_free(&ca);
    mbedtls_pk_free(&key);
    return err;
}

enum fed_err fed_tls_crypto_open(
    struct fed_alloc *mem, struct fed_crypto *out, struct fed_diag *diag)
{
    /* Once per process and after any fork: the generator's state must not be shared. Further calls
     * do nothing. */
    psa_status_t status = psa_crypto_init();

    if (status != PSA_SUCCESS)
        return fed_diag_set(
            diag, status_err(status), "cryptography cannot start (%d): no entropy?", (int)status);
    *out = (struct fed_crypto){
        .ctx = mem,
        .random = crypto_random,
        .hmac_sha256 = crypto_hmac_sha256,
        .key_new = crypto_key_new,
        .key_public = crypto_key_public,
        .public_key_check = crypto_public_key_check,
        .sign = crypto_sign,
        .verify = crypto_verify,
        .ca_new = fed_tls_ca_new,
        .ca_vouch = fed_tls_ca_vouch,
        .cert_issue = fed_tls_cert_issue,
        .cert_info = crypto_cert_info,
        .cert_check = crypto_cert_check,
    };
    return FED_OK;
}

void fed_tls_crypto_close(struct fed_crypto *crypto)
{
    /* The library stays: other parts of the process may use it. */
    if (crypto)
        *crypto = (struct fed_crypto){0};
}
