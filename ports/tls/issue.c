/* issue.c - the hub's certificates: its own CA, servers and agents.
 *
 * Names are put into the certificate as bytes and never through the library's parser of
 * "CN=...,O=..." strings: a comma in a name must not become another name. */
#include "ports/tls/issue.h"

#include <mbedtls/asn1write.h>
#include <mbedtls/oid.h>
#include <psa/crypto.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAMES_MAX 64u
#define NAME_MAX_BYTES 253u
#define SUBJECT_NAME_MAX 127u /* fits struct fed_crypto_cert_info */
#define PEM_SIZE 32768u

/* ---- subject ---- */

static mbedtls_asn1_named_data *named(const char *oid, size_t oid_len, const char *text)
{
    mbedtls_asn1_named_data *head = NULL;

    if (!mbedtls_asn1_store_named_data(
            &head, oid, oid_len, (const unsigned char *)text, strlen(text)))
        return NULL;
    head->val.tag = MBEDTLS_ASN1_UTF8_STRING;
    return head;
}

/* One more name at the end of the subject. The list is written backwards, so that is its head. */
static enum fed_err subject_add(mbedtls_asn1_named_data **subject, const char *oid, size_t oid_len,
    const char *text, size_t max, struct fed_diag *diag)
{
    mbedtls_asn1_named_data *one;

    if (!text || !text[0] || strlen(text) > max)
        return fed_diag_set(
            diag, FED_ERR_INVALID, "certificate: subject name empty or longer than %zu bytes", max);
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return fed_diag_set(
                diag, FED_ERR_INVALID, "certificate: control character in the subject");
    }
    one = named(oid, oid_len, text);
    if (!one)
        return fed_diag_set(diag, FED_ERR_NOMEM, "certificate: out of memory");
    one->next = *subject;
    *subject = one;
    return FED_OK;
}

static enum fed_err subject_fill(
    mbedtls_x509write_cert *w, const struct fed_crypto_cert_request *r, struct fed_diag *diag)
{
    mbedtls_asn1_named_data **subject = &w->MBEDTLS_PRIVATE(subject);
    enum fed_err err = FED_OK;

    if (r->n_organizations > FED_CRYPTO_ORGANIZATIONS_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "certificate: more than %u organizations",
            FED_CRYPTO_ORGANIZATIONS_MAX);
    for (size_t i = 0; i < r->n_organizations && !err; i++)
        err = subject_add(subject, MBEDTLS_OID_AT_ORGANIZATION,
            MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_ORGANIZATION), r->organizations[i], SUBJECT_NAME_MAX,
            diag);
    if (!err)
        err = subject_add(subject, MBEDTLS_OID_AT_CN, MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_CN),
            r->common_name, 2 * SUBJECT_NAME_MAX, diag);
    return err;
}

/* A name repeats a CA's subject byte for byte in meaning: same names, order and string types. */
static enum fed_err name_copy(
    mbedtls_asn1_named_data **to, const mbedtls_x509_crt *ca, struct fed_diag *diag)
{
    for (const mbedtls_x509_name *name = &ca->subject; name && name->oid.p; name = name->next) {
        mbedtls_asn1_named_data *one = NULL;

        if (!mbedtls_asn1_store_named_data(
                &one, (const char *)name->oid.p, name->oid.len, name->val.p, name->val.len))
            return fed_diag_set(diag, FED_ERR_NOMEM, "certificate: out of memory");
        one->val.tag = name->val.tag;
        one->next = *to;
        *to = one;
    }
    return FED_OK;
}

static enum fed_err issuer_fill(
    mbedtls_x509write_cert *w, const mbedtls_x509_crt *ca, struct fed_diag *diag)
{
    return name_copy(&w->MBEDTLS_PRIVATE(issuer), ca, diag);
}

/* ---- subjectAltName ---- */

struct san {
    mbedtls_x509_san_list list[NAMES_MAX];
    uint8_t ip[NAMES_MAX][16];
};

static bool dns_name_ok(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > NAME_MAX_BYTES || name[0] == '.' || name[len - 1] == '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!alnum && c != '-' && c != '.' && c != '_' && !(c == '*' && i == 0 && name[1] == '.'))
            return false;
    }
    return true;
}

static enum fed_err san_set(struct san *san, size_t i, const char *name, struct fed_diag *diag)
{
    mbedtls_x509_subject_alternative_name *node = &san->list[i].node;
    size_t ip_len = 0;

    if (inet_pton(AF_INET, name, san->ip[i]) == 1)
        ip_len = 4;
    else if (inet_pton(AF_INET6, name, san->ip[i]) == 1)
        ip_len = 16;
    if (ip_len == 0 && !dns_name_ok(name))
        return fed_diag_set(diag, FED_ERR_INVALID,
            "certificate: neither a DNS name nor an IP address: %.80s", name);
    node->type = ip_len ? MBEDTLS_X509_SAN_IP_ADDRESS : MBEDTLS_X509_SAN_DNS_NAME;
    node->san.unstructured_name.p = ip_len ? san->ip[i] : (unsigned char *)(uintptr_t)name;
    node->san.unstructured_name.len = ip_len ? ip_len : strlen(name);
    if (i > 0)
        san->list[i - 1].next = &san->list[i];
    return FED_OK;
}

static enum fed_err san_fill(
    mbedtls_x509write_cert *w, const struct fed_crypto_cert_request *r, struct fed_diag *diag)
{
    struct san *san;
    enum fed_err err = FED_OK;
    int code;

    if (r->n_names == 0)
        return FED_OK;
    if (r->n_names > NAMES_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "certificate: more than %u names", NAMES_MAX);
    san = calloc(1, sizeof(*san));
    if (!san)
        return fed_diag_set(diag, FED_ERR_NOMEM, "certificate: out of memory");
    for (size_t i = 0; i < r->n_names && !err; i++)
        err = san_set(san, i, r->names[i], diag);
    if (!err) {
        code = mbedtls_x509write_crt_set_subject_alternative_name(w, san->list);
        err = code ? fed_mbed_error(diag, FED_ERR_INTERNAL, code, "certificate names") : FED_OK;
    }
    free(san);
    return err;
}

/* ---- the rest of a certificate ---- */

static enum fed_err purpose_fill(
    mbedtls_x509write_cert *w, const struct fed_crypto_cert_request *r, struct fed_diag *diag)
{
    mbedtls_asn1_sequence uses[2] = {0};
    size_t n = 0;
    int code;

    if (r->server)
        uses[n++].buf =
            (mbedtls_asn1_buf){MBEDTLS_ASN1_OID, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH),
                (unsigned char *)(uintptr_t)MBEDTLS_OID_SERVER_AUTH};
    if (r->client)
        uses[n++].buf =
            (mbedtls_asn1_buf){MBEDTLS_ASN1_OID, MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH),
                (unsigned char *)(uintptr_t)MBEDTLS_OID_CLIENT_AUTH};
    if (n == 0)
        return fed_diag_set(diag, FED_ERR_INVALID, "certificate: for neither servers nor clients");
    if (n == 2)
        uses[0].next = &uses[1];
    code = mbedtls_x509write_crt_set_ext_key_usage(w, uses);
    return code ? fed_mbed_error(diag, FED_ERR_INTERNAL, code, "certificate purpose") : FED_OK;
}

static bool time_text(int64_t unix_s, char out[16])
{
    time_t t = (time_t)unix_s;
    struct tm tm;

    /* Years that RFC 5280 section 4.1.2.5 can write and that time_t holds. */
    return (int64_t)t == unix_s && gmtime_r(&t, &tm) && tm.tm_year >= 70 && tm.tm_year < 8100 &&
           strftime(out, 16, "%Y%m%d%H%M%S", &tm) == 14;
}

#define NO_CA (-1)

/* below: CAs that may stand between this one and a certificate; NO_CA for none. */
static enum fed_err frame_fill(mbedtls_x509write_cert *w, int64_t from_unix_s, int64_t to_unix_s,
    unsigned usage, int below, struct fed_diag *diag)
{
    unsigned char serial[16];
    char from[16];
    char to[16];
    int code;

    if (from_unix_s > to_unix_s || !time_text(from_unix_s, from) || !time_text(to_unix_s, to))
        return fed_diag_set(diag, FED_ERR_INVALID,
            "certificate: validity from %lld to %lld is no period", (long long)from_unix_s,
            (long long)to_unix_s);
    if (fed_mbed_random(NULL, serial, sizeof(serial)) != 0)
        return fed_diag_set(diag, FED_ERR_INTERNAL, "certificate: no random bytes");
    serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40); /* positive, and always sixteen bytes */
    mbedtls_x509write_crt_set_version(w, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(w, MBEDTLS_MD_SHA256);
    code = mbedtls_x509write_crt_set_serial_raw(w, serial, sizeof(serial));
    if (!code)
        code = mbedtls_x509write_crt_set_validity(w, from, to);
    if (!code)
        code = mbedtls_x509write_crt_set_basic_constraints(w, below >= 0, below);
#if defined(MBEDTLS_SHA1_C) /* which the agent's library, that makes them in tests alone, leaves   \
                               out */
    if (!code)
        code = mbedtls_x509write_crt_set_subject_key_identifier(w);
    if (!code)
        code = mbedtls_x509write_crt_set_authority_key_identifier(w);
#endif
    if (!code)
        code = mbedtls_x509write_crt_set_key_usage(w, usage);
    return code ? fed_mbed_error(diag, FED_ERR_INTERNAL, code, "certificate") : FED_OK;
}

static enum fed_err write_pem(struct fed_alloc *mem, mbedtls_x509write_cert *w,
    struct fed_buf *cert_pem, struct fed_diag *diag)
{
    unsigned char *pem = fed_alloc_get(mem, PEM_SIZE);
    int code;

    if (!pem)
        return fed_diag_set(diag, FED_ERR_NOMEM, "certificate: out of memory");
    code = mbedtls_x509write_crt_pem(w, pem, PEM_SIZE, fed_mbed_random, NULL);
    if (!code)
        fed_buf_put_text(cert_pem, (const char *)pem);
    fed_alloc_free(mem, pem, PEM_SIZE);
    if (code)
        return fed_mbed_error(diag, FED_ERR_INTERNAL, code, "certificate");
    return fed_buf_err(cert_pem);
}

/* ---- CA ---- */

enum fed_err fed_tls_ca_new(void *ctx, struct fed_span key_pem, const char *common_name,
    int64_t not_before_unix_s, int64_t not_after_unix_s, struct fed_buf *cert_pem,
    struct fed_diag *diag)
{
    struct fed_crypto_cert_request r = {.common_name = common_name};
    mbedtls_x509write_cert w;
    mbedtls_pk_context key;
    enum fed_err err;

    mbedtls_x509write_crt_init(&w);
    mbedtls_pk_init(&key);
    err = fed_mbed_key(key_pem, &key, diag);
    if (err)
        goto done;
    mbedtls_x509write_crt_set_subject_key(&w, &key);
    mbedtls_x509write_crt_set_issuer_key(&w, &key);
    err = subject_fill(&w, &r, diag);
    if (!err)
        err = subject_add(&w.MBEDTLS_PRIVATE(issuer), MBEDTLS_OID_AT_CN,
            MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_CN), common_name, 2 * SUBJECT_NAME_MAX, diag);
    if (!err)
        err = frame_fill(&w, not_before_unix_s, not_after_unix_s,
            MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN, 1, diag);
    if (!err)
        err = write_pem(ctx, &w, cert_pem, diag);
done:
    mbedtls_x509write_crt_free(&w);
    mbedtls_pk_free(&key);
    return err;
}

/* ---- certificates of servers and clients ---- */

struct issue {
    mbedtls_x509write_cert w;
    mbedtls_x509_crt ca;
    mbedtls_x509_crt other_ca;
    mbedtls_pk_context ca_key;
    mbedtls_pk_context subject_key;
};

static void issue_init(struct issue *i)
{
    mbedtls_x509write_crt_init(&i->w);
    mbedtls_x509_crt_init(&i->ca);
    mbedtls_x509_crt_init(&i->other_ca);
    mbedtls_pk_init(&i->ca_key);
    mbedtls_pk_init(&i->subject_key);
}

static void issue_fini(struct issue *i)
{
    mbedtls_x509write_crt_free(&i->w);
    mbedtls_x509_crt_free(&i->ca);
    mbedtls_x509_crt_free(&i->other_ca);
    mbedtls_pk_free(&i->ca_key);
    mbedtls_pk_free(&i->subject_key);
}

static enum fed_err issuer_keys(
    struct issue *i, struct fed_span ca_cert_pem, struct fed_span ca_key_pem, struct fed_diag *diag)
{
    enum fed_err err =
        fed_mbed_certs(ca_cert_pem, FED_MBED_PARSE_ALL, "CA certificate", &i->ca, diag);

    if (!err)
        err = fed_mbed_key(ca_key_pem, &i->ca_key, diag);
    if (!err)
        err = fed_mbed_key_matches(&i->ca, &i->ca_key, diag);
    if (!err && mbedtls_x509_crt_get_ca_istrue(&i->ca) != 1)
        err = fed_diag_set(diag, FED_ERR_INVALID, "CA certificate: it is not a CA");
    return err;
}

static enum fed_err issue_keys(struct issue *i, struct fed_span ca_cert_pem,
    struct fed_span ca_key_pem, struct fed_span public_key, struct fed_diag *diag)
{
    enum fed_err err = issuer_keys(i, ca_cert_pem, ca_key_pem, diag);
    int code;

    if (!err)
        err = fed_tls_public_key_check(public_key, diag);
    if (err)
        return err;
    code = mbedtls_pk_parse_public_key(&i->subject_key, public_key.at, public_key.len);
    return code ? fed_mbed_error(diag, FED_ERR_INVALID, code, "public key") : FED_OK;
}

enum fed_err fed_tls_cert_issue(void *ctx, struct fed_span ca_cert_pem, struct fed_span ca_key_pem,
    const struct fed_crypto_cert_request *request, struct fed_buf *cert_pem, struct fed_diag *diag)
{
    struct issue i;
    enum fed_err err;

    issue_init(&i);
    err = issue_keys(&i, ca_cert_pem, ca_key_pem, request->public_key, diag);
    if (err)
        goto done;
    mbedtls_x509write_crt_set_subject_key(&i.w, &i.subject_key);
    mbedtls_x509write_crt_set_issuer_key(&i.w, &i.ca_key);
    err = subject_fill(&i.w, request, diag);
    if (!err)
        err = issuer_fill(&i.w, &i.ca, diag);
    if (!err)
        err = san_fill(&i.w, request, diag);
    if (!err)
        err = frame_fill(&i.w, request->not_before_unix_s, request->not_after_unix_s,
            MBEDTLS_X509_KU_DIGITAL_SIGNATURE, NO_CA, diag);
    if (!err)
        err = purpose_fill(&i.w, request, diag);
    if (!err)
        err = write_pem(ctx, &i.w, cert_pem, diag);
done:
    issue_fini(&i);
    return err;
}

/* ---- the certificate of a CA, signed by another ---- */

static enum fed_err vouch_fill(
    struct issue *i, int64_t from_unix_s, int64_t to_unix_s, struct fed_diag *diag)
{
    enum fed_err err = name_copy(&i->w.MBEDTLS_PRIVATE(subject), &i->other_ca, diag);

    mbedtls_x509write_crt_set_subject_key(&i->w, &i->other_ca.pk);
    mbedtls_x509write_crt_set_issuer_key(&i->w, &i->ca_key);
    if (!err)
        err = issuer_fill(&i->w, &i->ca, diag);
    return err ? err
               : frame_fill(&i->w, from_unix_s, to_unix_s,
                     MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN, 0, diag);
}

enum fed_err fed_tls_ca_vouch(void *ctx, struct fed_span ca_cert_pem, struct fed_span ca_key_pem,
    struct fed_span other_ca_pem, int64_t not_before_unix_s, int64_t not_after_unix_s,
    struct fed_buf *cert_pem, struct fed_diag *diag)
{
    struct issue i;
    enum fed_err err;

    issue_init(&i);
    err = issuer_keys(&i, ca_cert_pem, ca_key_pem, diag);
    if (!err)
        err = fed_mbed_certs(
            other_ca_pem, FED_MBED_PARSE_ALL, "the other CA's certificate", &i.other_ca, diag);
    if (!err && mbedtls_x509_crt_get_ca_istrue(&i.other_ca) != 1)
        err = fed_diag_set(diag, FED_ERR_INVALID, "the other CA's certificate: it is not a CA");
    if (!err)
        err = vouch_fill(&i, not_before_unix_s, not_after_unix_s, diag);
    if (!err)
        err = write_pem(ctx, &i.w, cert_pem, diag);
    issue_fini(&i);
    return err;
}
