/* issue.h - writing certificates (RFC 5280), and the check of a bare public key that goes into one.
 */
#ifndef FEDLET_PORTS_TLS_ISSUE_H
#define FEDLET_PORTS_TLS_ISSUE_H

#include "ports/tls/mbed.h"

/* The functions of struct fed_crypto; ctx is the struct fed_alloc. */
FED_MUST_USE enum fed_err fed_tls_ca_new(void *ctx, struct fed_span key_pem,
    const char *common_name, int64_t not_before_unix_s, int64_t not_after_unix_s,
    struct fed_buf *cert_pem, struct fed_diag *diag);
FED_MUST_USE enum fed_err fed_tls_ca_vouch(void *ctx, struct fed_span ca_cert_pem,
    struct fed_span ca_key_pem, struct fed_span other_ca_pem, int64_t not_before_unix_s,
    int64_t not_after_unix_s, struct fed_buf *cert_pem, struct fed_diag *diag);
FED_MUST_USE enum fed_err fed_tls_cert_issue(void *ctx, struct fed_span ca_cert_pem,
    struct fed_span ca_key_pem, const struct fed_crypto_cert_request *request,
    struct fed_buf *cert_pem, struct fed_diag *diag);
FED_MUST_USE enum fed_err fed_tls_public_key_check(struct fed_span spki_der, struct fed_diag *diag);

#endif
