/* ports_tls_pki.h - keys and certificates for the tests of ports/tls and ports/dtls. */
#ifndef FEDLET_TESTS_UNIT_PORTS_TLS_PKI_H
#define FEDLET_TESTS_UNIT_PORTS_TLS_PKI_H

#include "ports/crypto.h"

struct pki_id {
    struct fed_buf key_pem;
    struct fed_buf cert_pem;
};
struct pki {
    struct fed_crypto crypto;
    int64_t now_unix_s;
    struct pki_id ca;
    struct pki_id other_ca;
};

/* Everything asserts success. */
void pki_init(struct pki *pki);
void pki_fini(struct pki *pki);
/* A certificate signed by ca for "system:fedlet:NAME" in two groups, valid from now + from_s to now
 * + to_s. san: a server's name, "" for a server without one, NULL for a client's certificate. */
void pki_issue(struct pki *pki, const struct pki_id *ca, const char *name, const char *san,
    int64_t from_s, int64_t to_s, struct pki_id *out);
void pki_id_fini(struct pki_id *id);
struct fed_span pki_cert(const struct pki_id *id);
struct fed_span pki_key(const struct pki_id *id);

#endif
