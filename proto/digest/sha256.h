/* sha256.h - SHA-256 (FIPS 180-4) by PSA; the only folder of proto that sees the crypto library.
 * Pure: needs no psa_crypto_init. */
#ifndef FEDLET_PROTO_DIGEST_SHA256_H
#define FEDLET_PROTO_DIGEST_SHA256_H

#include "proto/base/span.h"

#define FED_DIGEST_SIZE 32u

struct fed_digest {
    uint8_t bytes[FED_DIGEST_SIZE];
};

/* FED_ERR_NOMEM or FED_ERR_INTERNAL when the library fails. */
FED_MUST_USE enum fed_err fed_digest_of(struct fed_span bytes, struct fed_digest *out);
bool fed_digest_eq(const struct fed_digest *a, const struct fed_digest *b); /* constant time */

/* Stepwise, for content that is not in one piece. */
struct fed_digest_state {
    _Alignas(16) unsigned char opaque[256];
};
FED_MUST_USE enum fed_err fed_digest_begin(struct fed_digest_state *state);
FED_MUST_USE enum fed_err fed_digest_add(struct fed_digest_state *state, struct fed_span bytes);
FED_MUST_USE enum fed_err fed_digest_end(struct fed_digest_state *state, struct fed_digest *out);
void fed_digest_abort(struct fed_digest_state *state);

/* MD5 of KubeFed's PropagatedVersion (a compatibility name, not a protection). */
FED_MUST_USE enum fed_err fed_digest_md5(struct fed_span bytes, uint8_t out[16]);

#endif
