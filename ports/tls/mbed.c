/* mbed.c - see mbed.h. */
#include "ports/tls/mbed.h"

#include <mbedtls/asn1.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/platform_util.h>
#include <psa/crypto.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

int fed_mbed_random(void *unused, unsigned char *out, size_t len)
{
    (void)unused;
    while (len > 0) {
        size_t n = len > 1024 ? 1024 : len; /* one request of the generator */

        if (psa_generate_random(out, n) != PSA_SUCCESS)
            return MBEDTLS_ERR_ERROR_GENERIC_ERROR;
        out += n;
        len -= n;
    }
    return 0;
}

static bool is_nomem(int code)
{
    static const int codes[] = {MBEDTLS_ERR_SSL_ALLOC_FAILED, MBEDTLS_ERR_X509_ALLOC_FAILED,
        MBEDTLS_ERR_PK_ALLOC_FAILED, MBEDTLS_ERR_PEM_ALLOC_FAILED, MBEDTLS_ERR_ASN1_ALLOC_FAILED,
        PSA_ERROR_INSUFFICIENT_MEMORY};

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (code == codes[i])
            return true;
    }
    return false;
}

enum fed_err fed_mbed_error(struct fed_diag *diag, enum fed_err err, int code, const char *what)
{
    char text[160];

    mbedtls_strerror(code, text, sizeof(text));
    return fed_diag_set(diag, is_nomem(code) ? FED_ERR_NOMEM : err, "%s: %s (-0x%04x)", what, text,
        (unsigned)-code);
}

const char *fed_mbed_alert_text(unsigned alert)
{
    static const struct {
        unsigned number;
        const char *text;
    } alerts[] = {
        {0, "close notify"},
        {10, "unexpected message"},
        {20, "bad record MAC (a wrong key?)"},
        {22, "record overflow"},
        {40, "handshake failure: no common parameters"},
        {42, "bad certificate"},
        {43, "unsupported certificate"},
        {44, "certificate revoked"},
        {45, "certificate expired"},
        {46, "certificate unknown"},
        {47, "illegal parameter"},
        {48, "unknown CA"},
        {49, "access denied"},
        {50, "decode error"},
        {51, "decrypt error"},
        {70, "protocol version not supported"},
        {71, "insufficient security"},
        {80, "internal error"},
        {86, "inappropriate fallback"},
        {90, "user canceled"},
        {109, "missing extension"},
        {110, "unsupported extension"},
        {112, "unrecognized name"},
        {115, "unknown PSK identity"},
        {116, "certificate required"},
        {120, "no application protocol"},
    };

    for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
        if (alerts[i].number == alert)
            return alerts[i].text;
    }
    return "unknown alert";
}

/* The parsers tell PEM from DER by a NUL that is part of the length. */
static char *terminated(struct fed_span pem)
{
    char *text = malloc(pem.len + 1);

    if (text) {
        if (pem.len > 0)
            memcpy(text, pem.at, pem.len);
        text[pem.len] = 0;
    }
    return text;
}

static void forget(char *text, size_t len)
{
    mbedtls_platform_zeroize(text, len);
    free(text);
}

enum fed_err fed_mbed_certs(struct fed_span pem, enum fed_mbed_parse mode, const char *what,
    mbedtls_x509_crt *chain, struct fed_diag *diag)
{
    char *text;
    int code;

    if (pem.len == 0)
        return fed_diag_set(diag, FED_ERR_INVALID, "%s: empty", what);
    if (pem.len > FED_MBED_PEM_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "%s: more than %u bytes", what, FED_MBED_PEM_MAX);
    text = terminated(pem);
    if (!text)
        return fed_diag_set(diag, FED_ERR_NOMEM, "%s: out of memory", what);
    code = mbedtls_x509_crt_parse(chain, (const unsigned char *)text, pem.len + 1);
    free(text);
    if (code < 0)
        return fed_mbed_error(diag, FED_ERR_INVALID, code, what);
    if (chain->raw.len == 0)
        return fed_diag_set(diag, FED_ERR_INVALID, "%s: no certificate in it", what);
    if (code > 0 && mode == FED_MBED_PARSE_ALL)
        return fed_diag_set(
            diag, FED_ERR_INVALID, "%s: %d of its certificates cannot be read", what, code);
    return FED_OK;
}

enum fed_err fed_mbed_key(struct fed_span pem, mbedtls_pk_context *key, struct fed_diag *diag)
{
    char *text;
    int code;

    if (pem.len == 0)
        return fed_diag_set(diag, FED_ERR_INVALID, "private key: empty");
    if (pem.len > FED_MBED_PEM_MAX)
        return fed_diag_set(
            diag, FED_ERR_LIMIT, "private key: more than %u bytes", FED_MBED_PEM_MAX);
    text = terminated(pem);
    if (!text)
        return fed_diag_set(diag, FED_ERR_NOMEM, "private key: out of memory");
    code = mbedtls_pk_parse_key(
        key, (const unsigned char *)text, pem.len + 1, NULL, 0, fed_mbed_random, NULL);
    forget(text, pem.len);
    return code ? fed_mbed_error(diag, FED_ERR_INVALID, code, "private key") : FED_OK;
}

enum fed_err fed_mbed_key_matches(
    const mbedtls_x509_crt *cert, const mbedtls_pk_context *key, struct fed_diag *diag)
{
    int code = mbedtls_pk_check_pair(&cert->pk, key, fed_mbed_random, NULL);

    if (code == 0)
        return FED_OK;
    if (is_nomem(code))
        return fed_mbed_error(diag, FED_ERR_NOMEM, code, "private key");
    return fed_diag_set(
        diag, FED_ERR_INVALID, "the private key does not belong to the certificate");
}

/* ---- facts of a certificate ---- */

static enum fed_err name_copy(
    const mbedtls_asn1_buf *value, char *out, size_t size, struct fed_diag *diag)
{
    if (value->tag != MBEDTLS_ASN1_UTF8_STRING && value->tag != MBEDTLS_ASN1_PRINTABLE_STRING &&
        value->tag != MBEDTLS_ASN1_IA5_STRING)
        return fed_diag_set(
            diag, FED_ERR_INVALID, "certificate: subject in string type %d", value->tag);
    if (value->len >= size)
        return fed_diag_set(diag, FED_ERR_LIMIT,
            "certificate: subject name of %zu bytes, at most %zu", value->len, size - 1);
    for (size_t i = 0; i < value->len; i++) {
        if (value->p[i] < 0x20 || value->p[i] == 0x7f)
            return fed_diag_set(
                diag, FED_ERR_INVALID, "certificate: control character in the subject");
    }
    if (value->len > 0)
        memcpy(out, value->p, value->len);
    out[value->len] = 0;
    return FED_OK;
}

static enum fed_err info_name(
    const mbedtls_x509_name *name, struct fed_crypto_cert_info *out, struct fed_diag *diag)
{
    if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &name->oid) == 0) {
        if (out->common_name[0])
            return fed_diag_set(diag, FED_ERR_INVALID, "certificate: two common names");
        return name_copy(&name->val, out->common_name, sizeof(out->common_name), diag);
    }
    if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_ORGANIZATION, &name->oid) == 0) {
        if (out->n_organizations == FED_CRYPTO_ORGANIZATIONS_MAX)
            return fed_diag_set(diag, FED_ERR_LIMIT, "certificate: more than %u organizations",
                FED_CRYPTO_ORGANIZATIONS_MAX);
        return name_copy(&name->val, out->organizations[out->n_organizations++],
            sizeof(out->organizations[0]), diag);
    }
    return FED_OK;
}

int64_t fed_mbed_time_unix_s(const mbedtls_x509_time *t)
{
    struct tm tm = {.tm_year = t->year - 1900,
        .tm_mon = t->mon - 1,
        .tm_mday = t->day,
        .tm_hour = t->hour,
        .tm_min = t->min,
        .tm_sec = t->sec};

    return (int64_t)timegm(&tm);
}

static enum fed_err digest(
    const mbedtls_x509_buf *bytes, struct fed_digest *out, struct fed_diag *diag)
{
    size_t len;
    psa_status_t status = psa_hash_compute(
        PSA_ALG_SHA_256, bytes->p, bytes->len, out->bytes, sizeof(out->bytes), &len);

    return status == PSA_SUCCESS
               ? FED_OK
               : fed_diag_set(diag, FED_ERR_INTERNAL, "SHA-256 failed (%d)", (int)status);
}

enum fed_err fed_mbed_cert_info(
    const mbedtls_x509_crt *cert, struct fed_crypto_cert_info *out, struct fed_diag *diag)
{
    struct fed_crypto_cert_info info = {0};
    enum fed_err err;

    for (const mbedtls_x509_name *name = &cert->subject; name; name = name->next) {
        err = name->oid.p ? info_name(name, &info, diag) : FED_OK;
        if (err)
            return err;
    }
    err = digest(&cert->pk_raw, &info.public_key, diag);
    if (!err)
        err = digest(&cert->raw, &info.fingerprint, diag);
    if (err)
        return err;
    info.not_before_unix_s = fed_mbed_time_unix_s(&cert->valid_from);
    info.not_after_unix_s = fed_mbed_time_unix_s(&cert->valid_to);
    info.is_ca = mbedtls_x509_crt_get_ca_istrue(cert) == 1;
    *out = info;
    return FED_OK;
}
