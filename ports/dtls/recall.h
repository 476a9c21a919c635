/* recall.h - what both ends of a session keep, so that the same peer comes back without a whole
 * handshake (docs/protocol.md section 3.5): an identifier and a secret, both made from the
 * session's master secret (RFC 5705), neither of which was ever sent. They take the places of
 * session id and master secret in an abbreviated handshake (RFC 5246 section 7.3). */
#ifndef FEDLET_PORTS_DTLS_RECALL_H
#define FEDLET_PORTS_DTLS_RECALL_H

#include "proto/base/buf.h"

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#define DTLS_RECALL_ID_SIZE 32u
#define DTLS_RECALL_NAME_SIZE 16u /* of it, in front: digest of the client's common name */
#define DTLS_RECALL_SECRET_SIZE 48u

/* As it comes from the handshake. */
struct dtls_recall_made {
    uint8_t mark[DTLS_RECALL_ID_SIZE - DTLS_RECALL_NAME_SIZE]; /* the rest of the identifier */
    uint8_t secret[DTLS_RECALL_SECRET_SIZE];
    bool there;
    bool extended; /* the server's hello takes extended_master_secret (RFC 7627) */
};
struct dtls_recall {
    uint8_t id[DTLS_RECALL_ID_SIZE];
    uint8_t secret[DTLS_RECALL_SECRET_SIZE];
    uint16_t suite;
};

/* The library's callback; ctx is the struct dtls_recall_made. */
void dtls_recall_make(void *ctx, mbedtls_ssl_key_export_type type, const unsigned char *secret,
    size_t len, const unsigned char client_random[32], const unsigned char server_random[32],
    mbedtls_tls_prf_types prf);
/* Every new session of that context leaves there what is made of its master secret; NULL: none
 * does any more. */
void dtls_recall_watch(mbedtls_ssl_context *ssl, struct dtls_recall_made *made);
/* A datagram of the server's, as it is sent or received: what its hello says, when it is one. In
 * several parts it says nothing, and nothing is kept. */
void dtls_recall_look(struct dtls_recall_made *made, struct fed_span datagram);
/* Of an established session, with the client's certificate. false when nothing can be kept:
 * without extended_master_secret another session may have the same secrets (RFC 7627, section 1).
 */
bool dtls_recall_of(const mbedtls_ssl_context *ssl, const struct dtls_recall_made *made,
    const mbedtls_x509_crt *client, struct dtls_recall *out);
/* Whether an identifier can be one of that client. */
bool dtls_recall_is_of(const mbedtls_x509_crt *client, const uint8_t id[DTLS_RECALL_ID_SIZE]);
/* The library's session that an abbreviated handshake goes by. */
void dtls_recall_put(const struct dtls_recall *recall, int endpoint, mbedtls_ssl_session *session);
/* Whether the session was established by that identifier, or by one whose first len bytes are the
 * same: those of a whole handshake are random. */
bool dtls_recall_was(
    const mbedtls_ssl_context *ssl, const uint8_t id[DTLS_RECALL_ID_SIZE], size_t len);

#endif
