/* mbed.h - what our folders on mbedTLS share: texts for its errors, PEM parsing with limits,
 * certificate facts, and the judgement of a peer's certificate. Seen by ports/tls and ports/dtls
 * only. */
#ifndef FEDLET_PORTS_TLS_MBED_H
#define FEDLET_PORTS_TLS_MBED_H

#include "ports/crypto.h"

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#define FED_MBED_PEM_MAX                                                                           \
    (512u * 1024u) /* a system's whole bundle of trust anchors is about half of it */

/* PSA's generator in the shape that mbedTLS's older calls want. */
int fed_mbed_random(void *unused, unsigned char *out, size_t len);

/* Sets "WHAT: TEXT OF mbedTLS" and returns FED_ERR_NOMEM for its out-of-memory codes, else err. */
FED_MUST_USE enum fed_err fed_mbed_error(
    struct fed_diag *diag, enum fed_err err, int code, const char *what);
/* The name of a TLS alert (RFC 8446 section 6), "unknown alert" for others. */
const char *fed_mbed_alert_text(unsigned alert);

/* Parses certificates in PEM into an initialised chain. strict: every one must parse; else one is
 * enough, as bundles of trust anchors hold kinds of keys that the library does not know.
 * FED_ERR_INVALID, FED_ERR_LIMIT, FED_ERR_NOMEM. */
enum fed_mbed_parse { FED_MBED_PARSE_ALL, FED_MBED_PARSE_SOME };
FED_MUST_USE enum fed_err fed_mbed_certs(struct fed_span pem, enum fed_mbed_parse mode,
    const char *what, mbedtls_x509_crt *chain, struct fed_diag *diag);
/* A private key, PKCS#8 or SEC1 or PKCS#1, not encrypted. */
FED_MUST_USE enum fed_err fed_mbed_key(
    struct fed_span pem, mbedtls_pk_context *key, struct fed_diag *diag);
/* That the private key belongs to the certificate. */
FED_MUST_USE enum fed_err fed_mbed_key_matches(
    const mbedtls_x509_crt *cert, const mbedtls_pk_context *key, struct fed_diag *diag);

int64_t fed_mbed_time_unix_s(const mbedtls_x509_time *time);
/* Facts of one parsed certificate. FED_ERR_INVALID when its subject cannot be an identity: two
 * common names, bytes that are not printable UTF-8, a string type nobody uses; FED_ERR_LIMIT when a
 * name is too long or there are too many. */
FED_MUST_USE enum fed_err fed_mbed_cert_info(
    const mbedtls_x509_crt *cert, struct fed_crypto_cert_info *out, struct fed_diag *diag);

/* ---- judging a peer's certificate (verify.c) ---- */
/* Replaces what the library said of one certificate's times (fed_tls_judge_by). */
void fed_mbed_times_judge(const mbedtls_x509_crt *cert, bool hub, uint32_t *flags);
/* Whether what ends then counts now, by the same time; not while times are not judged. */
bool fed_mbed_times_count(const mbedtls_x509_time *ends);
/* With all flags of a hub's chain: says so when it is refused for its times alone. */
void fed_mbed_times_refused(uint32_t flags);

enum fed_mbed_peer {
    FED_MBED_PEER_SERVER,          /* we are the client: chain, validity, name, purpose */
    FED_MBED_PEER_HUB,             /* chain, validity, serverAuth in so many words; any name */
    FED_MBED_PEER_PINNED,          /* as a hub, below the CA with the pin, which it brings along */
    FED_MBED_PEER_CLIENT,          /* we are the server and insist on a certificate */
    FED_MBED_PEER_CLIENT_OPTIONAL, /* none is fine, a bad one is fatal */
    /* The same two for who exchanges certificates that have ended: one of which nothing else is
     * wrong passes, and whoever lets the peer do anything looks at its times. */
    FED_MBED_PEER_AGENT,
    FED_MBED_PEER_AGENT_OPTIONAL,
};
struct fed_mbed_verify {
    mbedtls_ssl_context *ssl;
    enum fed_mbed_peer peer;
    const char *server_name; /* FED_MBED_PEER_SERVER: what the certificate must be for; borrowed */
    const struct fed_digest *pin; /* FED_MBED_PEER_PINNED: of the CA's public key; borrowed */
    bool judged;                  /* FED_MBED_PEER_PINNED: the chain was found good */
    uint32_t flags;               /* MBEDTLS_X509_BADCERT_*, of all certificates of the chain */
    char reason[240]; /* "expired on 2026-01-01 00:00:00 UTC (...)"; empty when nothing was found */
};
/* Installs it for one connection; verify must live as long as ssl. With FED_MBED_PEER_PINNED the
 * caller sets pin behind it, leaves the library's own judgement optional, and looks at judged after
 * the handshake. */
void fed_mbed_verify_init(struct fed_mbed_verify *verify, mbedtls_ssl_context *ssl,
    enum fed_mbed_peer peer, const char *server_name);
/* RFC 9525 (which replaced RFC 6125): IP literals against iPAddress entries byte for byte, names
 * against dNSName entries without regard to case, "*" as a whole left-most label only. The common
 * name is never looked at. */
bool fed_mbed_name_matches(const mbedtls_x509_crt *cert, const char *name);
/* A failed handshake's code as our error and sentence; verify's reason when the certificate was the
 * cause. verify may be NULL. The sentence may be all that is wanted. */
enum fed_err fed_mbed_handshake_error(const struct fed_mbed_verify *verify,
    const mbedtls_ssl_context *ssl, int code, struct fed_diag *diag);

#endif
