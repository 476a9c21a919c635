/* crypto.h - randomness, P-256 keys, X.509 certificates, HMAC. Implementation: ports/tls (mbedTLS,
 * PSA).
 *
 * Keys and certificates are PEM text outside; the hub builds every certificate itself from a bare
 * public key. */
#ifndef FEDLET_PORTS_CRYPTO_H
#define FEDLET_PORTS_CRYPTO_H

#include "proto/base/buf.h"
#include "proto/digest/sha256.h"

struct fed_crypto_cert_request {
    const char *common_name;
    const char *const *organizations; /* n_organizations; Kubernetes groups */
    size_t n_organizations;
    const char *const
        *names; /* subjectAltName: DNS names and IP addresses, told apart by their form */
    size_t n_names;
    struct fed_span public_key; /* SubjectPublicKeyInfo, DER */
    int64_t not_before_unix_s;
    int64_t not_after_unix_s;
    bool server; /* extendedKeyUsage serverAuth */
    bool client; /* extendedKeyUsage clientAuth */
};

#define FED_CRYPTO_ORGANIZATIONS_MAX 16u
struct fed_crypto_cert_info {
    char common_name[256];
    char organizations[FED_CRYPTO_ORGANIZATIONS_MAX][128];
    size_t n_organizations;
    struct fed_digest public_key;  /* SHA-256 of the SubjectPublicKeyInfo */
    struct fed_digest fingerprint; /* SHA-256 of the certificate's DER */
    int64_t not_before_unix_s;
    int64_t not_after_unix_s;
    bool is_ca;
};

struct fed_crypto {
    void *ctx;
    enum fed_err (*random)(void *ctx, uint8_t *out, size_t len);
    enum fed_err (*hmac_sha256)(
        void *ctx, struct fed_span key, struct fed_span text, uint8_t out[32]);
    /* New P-256 key: PKCS#8 or SEC1 PEM. */
    enum fed_err (*key_new)(void *ctx, struct fed_buf *key_pem);
    /* SubjectPublicKeyInfo (DER) of a private key. */
    enum fed_err (*key_public)(
        void *ctx, struct fed_span key_pem, struct fed_buf *spki_der, struct fed_diag *diag);
    /* Checks that the bytes are a P-256 SubjectPublicKeyInfo with a valid point. */
    enum fed_err (*public_key_check)(void *ctx, struct fed_span spki_der, struct fed_diag *diag);
    /* ES256 (RFC 7518 section 3.4): ECDSA over P-256 with SHA-256, r and s of 32 bytes each. */
    enum fed_err (*sign)(
        void *ctx, struct fed_span key_pem, struct fed_span message, uint8_t signature[64]);
    /* FED_ERR_FORBIDDEN when the key did not make it; FED_ERR_INVALID for what is no such key. */
    enum fed_err (*verify)(
        void *ctx, struct fed_span spki_der, struct fed_span message, const uint8_t signature[64]);
    /* Self-signed CA (basicConstraints CA, pathlen 1: it may vouch for the one that follows it, see
     * ca_vouch; keyCertSign, cRLSign). */
    enum fed_err (*ca_new)(void *ctx, struct fed_span key_pem, const char *common_name,
        int64_t not_before_unix_s, int64_t not_after_unix_s, struct fed_buf *cert_pem,
        struct fed_diag *diag);
    /* The certificate of a CA once more, subject and key unchanged, signed by another CA (pathlen
     * 0). Who trusts only the signer can follow a chain through it, unless the signer's own
     * certificate has pathlen 0, as those made before this was here. */
    enum fed_err (*ca_vouch)(void *ctx, struct fed_span ca_cert_pem, struct fed_span ca_key_pem,
        struct fed_span other_ca_pem, int64_t not_before_unix_s, int64_t not_after_unix_s,
        struct fed_buf *cert_pem, struct fed_diag *diag);
    /* Signs a certificate: random 128-bit serial, SHA-256, key usage digitalSignature, subject and
     * authority key ids. */
    enum fed_err (*cert_issue)(void *ctx, struct fed_span ca_cert_pem, struct fed_span ca_key_pem,
        const struct fed_crypto_cert_request *request, struct fed_buf *cert_pem,
        struct fed_diag *diag);
    enum fed_err (*cert_info)(void *ctx, struct fed_span cert_pem, struct fed_crypto_cert_info *out,
        struct fed_diag *diag);
    /* That cert was signed by ca and matches key (key may be empty); cert may bring its
     * intermediates, and ca may be several, of which one is enough. Validity times are not judged.
     */
    enum fed_err (*cert_check)(void *ctx, struct fed_span cert_pem, struct fed_span ca_pem,
        struct fed_span key_pem, struct fed_diag *diag);
};

#define FED_SEAL_KEY_SIZE 32u
#define FED_SEAL_EXTRA 28u /* nonce and tag */
/* ports/tls: AES-256-GCM with a random nonce in front. Appends to out. context is bound to it, not
 * in it. FED_ERR_DIGEST when the key, the context or a byte is another. */
FED_MUST_USE enum fed_err fed_tls_seal(const uint8_t key[FED_SEAL_KEY_SIZE],
    struct fed_span context, struct fed_span plain, struct fed_buf *out);
FED_MUST_USE enum fed_err fed_tls_unseal(const uint8_t key[FED_SEAL_KEY_SIZE],
    struct fed_span context, struct fed_span sealed, struct fed_buf *out);

/* ports/tls: by which time the certificates of hubs and servers are judged, in the whole process.
 * Without it, and for the certificates of clients and in a join, that is the system's clock. */
struct fed_tls_times {
    void *ctx;
    int64_t (*now)(void *ctx, bool hub); /* Unix seconds; 0: times are not judged */
    void (*refused)(void *ctx);          /* a hub's certificate was, and for its times alone */
};
void fed_tls_judge_by(const struct fed_tls_times *times); /* copied; NULL: the system's clock */

/* ports/tls: initialises the library once per process; call it before any TLS. */
/* ports/tls: gives so many buffers of 16 KiB (ports/tls/pages.h) pages of their own, for a process
 * with many connections; once, before any TLS. More than that are the C library's. FED_ERR_LIMIT
 * beyond 4 GiB of address space, FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_tls_pages_open(size_t slots, struct fed_diag *diag);
FED_MUST_USE enum fed_err fed_tls_crypto_open(
    struct fed_alloc *mem, struct fed_crypto *out, struct fed_diag *diag);
void fed_tls_crypto_close(struct fed_crypto *crypto);

#endif
