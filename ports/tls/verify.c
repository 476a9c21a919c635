/* verify.c - the judgement of a peer's certificate, with a reason that a person can act on.
 *
 * mbedTLS walks the chain and checks signatures and validity; its callback tells us of every
 * certificate, the peer's own last. There we check name and purpose ourselves: the library would
 * accept a common name where no subjectAltName is, and does not insist on purposes when a
 * certificate is optional. */
#include "ports/tls/mbed.h"

#include "proto/digest/sha256.h"

#include <mbedtls/oid.h>
#include <psa/crypto.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const mbedtls_x509_sequence *san_first(const mbedtls_x509_crt *cert)
{
    return cert->subject_alt_names.buf.p ? &cert->subject_alt_names : NULL;
}

static int san_type(const mbedtls_x509_sequence *san)
{
    return san->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
}

static size_t ip_bytes(const char *text, uint8_t out[16])
{
    if (inet_pton(AF_INET, text, out) == 1)
        return 4;
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

static bool text_is(const uint8_t *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && strncasecmp((const char *)a, b, a_len) == 0 && !memchr(a, 0, a_len);
}

static bool dns_matches(const mbedtls_x509_buf *pattern, const char *name)
{
    size_t len = strlen(name);
    const char *dot;

    if (text_is(pattern->p, pattern->len, name, len))
        return true;
    dot = memchr(name, '.', len);
    /* "*.example.com": a whole label, and something with a dot behind it. */
    if (pattern->len < 3 || pattern->p[0] != '*' || pattern->p[1] != '.' || !dot || dot == name ||
        !memchr(pattern->p + 2, '.', pattern->len - 2))
        return false;
    return text_is(pattern->p + 1, pattern->len - 1, dot, len - (size_t)(dot - name));
}

bool fed_mbed_name_matches(const mbedtls_x509_crt *cert, const char *name)
{
    uint8_t ip[16];
    size_t ip_len = ip_bytes(name, ip);

    for (const mbedtls_x509_sequence *san = san_first(cert); san; san = san->next) {
        if (ip_len > 0) {
            if (san_type(san) == MBEDTLS_X509_SAN_IP_ADDRESS && san->buf.len == ip_len &&
                memcmp(san->buf.p, ip, ip_len) == 0)
                return true;
        } else if (san_type(san) == MBEDTLS_X509_SAN_DNS_NAME && dns_matches(&san->buf, name)) {
            return true;
        }
    }
    return false;
}

/* ---- reasons ---- */

static void names_list(const mbedtls_x509_crt *cert, char *out, size_t size)
{
    size_t used = 0;

    out[0] = 0;
    for (const mbedtls_x509_sequence *san = san_first(cert); san && used < size; san = san->next) {
        char one[80] = "";

        if (san_type(san) == MBEDTLS_X509_SAN_DNS_NAME)
            snprintf(one, sizeof(one), "%.*s", (int)san->buf.len, (const char *)san->buf.p);
        else if (san_type(san) == MBEDTLS_X509_SAN_IP_ADDRESS &&
                 (san->buf.len == 4 || san->buf.len == 16))
            inet_ntop(san->buf.len == 4 ? AF_INET : AF_INET6, san->buf.p, one, sizeof(one));
        if (one[0])
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", one);
    }
    if (out[0] == 0)
        snprintf(out, size, "no name");
}

static void reason_set(
    struct fed_mbed_verify *v, const mbedtls_x509_crt *cert, int depth, uint32_t flags)
{
    const mbedtls_x509_time *to = &cert->valid_to;
    const mbedtls_x509_time *from = &cert->valid_from;
    const char *whose = depth > 0 ? "issuer " : "";
    char text[120] = "";
    char names[100];
    size_t len;

    mbedtls_x509_crt_verify_info(text, sizeof(text), "", flags);
    len = strcspn(text, "\n");
    text[len] = 0;
    if (flags & MBEDTLS_X509_BADCERT_EXPIRED) {
        snprintf(v->reason, sizeof(v->reason),
            "%sexpired on %04d-%02d-%02d %02d:%02d:%02d UTC (%s)", whose, to->year, to->mon,
            to->day, to->hour, to->min, to->sec, text);
    } else if (flags & MBEDTLS_X509_BADCERT_FUTURE) {
        snprintf(v->reason, sizeof(v->reason),
            "%snot valid before %04d-%02d-%02d %02d:%02d:%02d UTC (%s)", whose, from->year,
            from->mon, from->day, from->hour, from->min, from->sec, text);
    } else if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) {
        snprintf(v->reason, sizeof(v->reason), "unknown CA (%s)", text);
    } else if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) {
        names_list(cert, names, sizeof(names));
        snprintf(v->reason, sizeof(v->reason), "wrong name: it is for %s, not for %.64s", names,
            v->server_name);
    } else {
        snprintf(v->reason, sizeof(v->reason), "%s%s", whose, text);
    }
}

/* ---- times ---- */

#define BAD_TIMES (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)

static struct fed_tls_times times; /* of the process, as the library's own clock is */

void fed_tls_judge_by(const struct fed_tls_times *judge)
{
    times = judge ? *judge : (struct fed_tls_times){0};
}

void fed_mbed_times_judge(const mbedtls_x509_crt *cert, bool hub, uint32_t *flags)
{
    int64_t now_unix_s;

    if (!times.now)
        return;
    now_unix_s = times.now(times.ctx, hub);
    *flags &= ~(uint32_t)BAD_TIMES;
    if (now_unix_s == 0)
        return;
    if (now_unix_s > fed_mbed_time_unix_s(&cert->valid_to))
        *flags |= MBEDTLS_X509_BADCERT_EXPIRED;
    if (now_unix_s < fed_mbed_time_unix_s(&cert->valid_from))
        *flags |= MBEDTLS_X509_BADCERT_FUTURE;
}

bool fed_mbed_times_count(const mbedtls_x509_time *ends)
{
    int64_t now_unix_s;

    if (!times.now)
        return !mbedtls_x509_time_is_past(ends);
    now_unix_s = times.now(times.ctx, true);
    return now_unix_s != 0 && now_unix_s <= fed_mbed_time_unix_s(ends);
}

void fed_mbed_times_refused(uint32_t flags)
{
    if (times.refused && flags != 0 && (flags & ~(uint32_t)BAD_TIMES) == 0)
        times.refused(times.ctx);
}

/* ---- the callback ---- */

static bool is_hub(const struct fed_mbed_verify *v)
{
    return v->peer == FED_MBED_PEER_HUB || v->peer == FED_MBED_PEER_PINNED;
}

static uint32_t own_checks(const struct fed_mbed_verify *v, const mbedtls_x509_crt *cert)
{
    uint32_t flags = 0;
    bool server = v->peer == FED_MBED_PEER_SERVER || is_hub(v);
    const char *oid = server ? MBEDTLS_OID_SERVER_AUTH : MBEDTLS_OID_CLIENT_AUTH;

    if (mbedtls_x509_crt_check_extended_key_usage(
            cert, oid, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) != 0)
        flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
    /* Agents have certificates of the same CA: what a certificate does not say, it does not allow.
     */
    if (is_hub(v) && !mbedtls_x509_crt_has_ext_type(cert, MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE))
        flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
    if (!server && mbedtls_x509_crt_check_key_usage(cert, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0)
        flags |= MBEDTLS_X509_BADCERT_KEY_USAGE;
    if (v->peer == FED_MBED_PEER_SERVER && !fed_mbed_name_matches(cert, v->server_name))
        flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    return flags;
}

/* Whoever lets an agent do anything looks at the times: what its certificate is good for outside of
 * them is another one. One of the future was made while our clock was wrong. */
static bool is_out_of_time(enum fed_mbed_peer peer, uint32_t flags)
{
    return flags != 0 && (flags & ~(uint32_t)BAD_TIMES) == 0 &&
           (peer == FED_MBED_PEER_AGENT || peer == FED_MBED_PEER_AGENT_OPTIONAL);
}

static bool is_optional(enum fed_mbed_peer peer)
{
    return peer == FED_MBED_PEER_CLIENT_OPTIONAL || peer == FED_MBED_PEER_AGENT_OPTIONAL;
}

static unsigned char alert_for(uint32_t flags)
{
    if (flags & MBEDTLS_X509_BADCERT_EXPIRED)
        return MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED;
    if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        return MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA;
    if (flags & (MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE))
        return MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT;
    return MBEDTLS_SSL_ALERT_MSG_BAD_CERT;
}

/* A TLS 1.3 client that has sent its Finished reads with the application keys (RFC 8446
 * section 4.4.4), but the library's server still writes with those of the handshake: the alert
 * would look like a broken record to the client. */
static void alert_keys(mbedtls_ssl_context *ssl, enum fed_mbed_peer peer)
{
    mbedtls_ssl_transform *application = ssl->MBEDTLS_PRIVATE(transform_application);

    if (peer == FED_MBED_PEER_PINNED ||
        mbedtls_ssl_get_version_number(ssl) != MBEDTLS_SSL_VERSION_TLS1_3 || !application)
        return;
    ssl->MBEDTLS_PRIVATE(transform_out) = application;
    memset(ssl->MBEDTLS_PRIVATE(cur_out_ctr), 0, sizeof(ssl->MBEDTLS_PRIVATE(cur_out_ctr)));
}

static bool is_pinned(const struct fed_mbed_verify *v, const mbedtls_x509_crt *ca)
{
    struct fed_digest key;

    return mbedtls_x509_crt_get_ca_istrue(ca) == 1 &&
           fed_digest_of(fed_span_of(ca->pk_raw.p, ca->pk_raw.len), &key) == FED_OK &&
           fed_digest_eq(&key, v->pin);
}

/* The chain is judged again with the pinned CA out of it as the only anchor: a copy, as others
 * follow the original in its list. */
static uint32_t below_pin(const struct fed_mbed_verify *v, mbedtls_x509_crt *cert)
{
    const mbedtls_x509_crt *ca = cert->next;
    uint32_t flags = 0;
    mbedtls_x509_crt only;

    while (ca && !is_pinned(v, ca))
        ca = ca->next;
    if (!ca)
        return MBEDTLS_X509_BADCERT_NOT_TRUSTED;
    mbedtls_x509_crt_init(&only);
    if (mbedtls_x509_crt_parse_der(&only, ca->raw.p, ca->raw.len) ||
        (mbedtls_x509_crt_verify(cert, &only, NULL, NULL, &flags, NULL, NULL) && flags == 0))
        flags = MBEDTLS_X509_BADCERT_NOT_TRUSTED;
    mbedtls_x509_crt_free(&only);
    return flags;
}

static int on_cert(void *ctx, mbedtls_x509_crt *cert, int depth, uint32_t *flags)
{
    struct fed_mbed_verify *v = ctx;

    /* The library knows of no anchor then, and finds fault with everything. */
    if (v->peer == FED_MBED_PEER_PINNED)
        *flags = depth == 0 ? below_pin(v, cert) : 0;
    if (v->peer == FED_MBED_PEER_HUB || v->peer == FED_MBED_PEER_SERVER)
        fed_mbed_times_judge(cert, v->peer == FED_MBED_PEER_HUB, flags);
    if (depth == 0 && is_hub(v))
        *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH; /* the name went out for SNI alone */
    if (depth == 0)
        *flags |= own_checks(v, cert);
    /* The peer's own, and nothing else wrong with it or with the chain. */
    if (depth == 0 && v->flags == 0 && is_out_of_time(v->peer, *flags))
        *flags = 0;
    if (*flags)
        reason_set(v, cert, depth, *flags);
    v->flags |= *flags;
    if (depth == 0 && v->peer == FED_MBED_PEER_HUB)
        fed_mbed_times_refused(v->flags);
    v->judged = depth == 0 && v->flags == 0;
    if (depth > 0 || v->flags == 0 || (!is_optional(v->peer) && v->peer != FED_MBED_PEER_PINNED))
        return 0;
    /* The library forgives anything when a certificate is optional, except a failure of this
     * callback, and then it would send "access denied": the peer shall learn what is wrong. */
    alert_keys(v->ssl, v->peer);
    mbedtls_ssl_send_alert_message(v->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert_for(v->flags));
    return MBEDTLS_ERR_X509_FATAL_ERROR;
}

void fed_mbed_verify_init(struct fed_mbed_verify *verify, mbedtls_ssl_context *ssl,
    enum fed_mbed_peer peer, const char *server_name)
{
    *verify = (struct fed_mbed_verify){.ssl = ssl, .peer = peer, .server_name = server_name};
    mbedtls_ssl_set_verify(ssl, on_cert, verify);
}

/* ---- the code of a failed handshake ---- */

static unsigned last_alert(const mbedtls_ssl_context *ssl)
{
    /* After MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE the record is still there: level, description. */
    const unsigned char *message = ssl->MBEDTLS_PRIVATE(in_msg);

    return message ? message[1] : 255;
}

enum fed_err fed_mbed_handshake_error(const struct fed_mbed_verify *verify,
    const mbedtls_ssl_context *ssl, int code, struct fed_diag *diag)
{
    if (verify && verify->flags)
        return fed_diag_set(diag, FED_ERR_UNAUTHENTICATED, "the peer's certificate was refused: %s",
            verify->reason);
    switch (code) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE: {
        unsigned alert = last_alert(ssl);

        return fed_diag_set(diag, FED_ERR_TLS, "the peer refused us: %s (alert %u)",
            fed_mbed_alert_text(alert), alert);
    }
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
        return fed_diag_set(diag, FED_ERR_UNAUTHENTICATED, "the peer sent no certificate");
    case MBEDTLS_ERR_SSL_CONN_EOF:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        return fed_diag_set(diag, FED_ERR_CLOSED, "the peer closed the connection");
    case MBEDTLS_ERR_SSL_TIMEOUT:
        return fed_diag_set(diag, FED_ERR_TIMEOUT, "no answer to the handshake");
    default:
        return fed_mbed_error(diag, FED_ERR_TLS, code, "TLS");
    }
}
