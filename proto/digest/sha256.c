/* sha256.c - see sha256.h. */
#include "proto/digest/sha256.h"

#include <psa/crypto.h>
#include <string.h>

_Static_assert(sizeof(psa_hash_operation_t) <= sizeof(struct fed_digest_state),
    "the state must hold the library's operation");
_Static_assert(_Alignof(psa_hash_operation_t) <= 16, "and be aligned for it");

static enum fed_err from_psa(psa_status_t status)
{
    if (status == PSA_SUCCESS)
        return FED_OK;
    return status == PSA_ERROR_INSUFFICIENT_MEMORY ? FED_ERR_NOMEM : FED_ERR_INTERNAL;
}

static psa_hash_operation_t *operation(struct fed_digest_state *state)
{
    return (psa_hash_operation_t *)(void *)state->opaque;
}

/* The library may not be handed NULL, which an empty span is allowed to be. */
static const uint8_t *start_of(struct fed_span bytes)
{
    return bytes.at ? bytes.at : (const uint8_t *)"";
}

enum fed_err fed_digest_of(struct fed_span bytes, struct fed_digest *out)
{
    struct fed_digest digest;
    size_t len = 0;
    enum fed_err err = from_psa(psa_hash_compute(
        PSA_ALG_SHA_256, start_of(bytes), bytes.len, digest.bytes, sizeof digest.bytes, &len));

    if (err)
        return err;
    if (len != FED_DIGEST_SIZE)
        return FED_ERR_INTERNAL;
    *out = digest;
    return FED_OK;
}

bool fed_digest_eq(const struct fed_digest *a, const struct fed_digest *b)
{
    unsigned difference = 0;

    for (size_t i = 0; i < FED_DIGEST_SIZE; i++)
        difference |= (unsigned)(a->bytes[i] ^ b->bytes[i]);
    return difference == 0;
}

enum fed_err fed_digest_begin(struct fed_digest_state *state)
{
    const psa_hash_operation_t fresh = PSA_HASH_OPERATION_INIT;

    memset(state, 0, sizeof *state);
    memcpy(state->opaque, &fresh, sizeof fresh);
    return from_psa(psa_hash_setup(operation(state), PSA_ALG_SHA_256));
}

enum fed_err fed_digest_add(struct fed_digest_state *state, struct fed_span bytes)
{
    return from_psa(psa_hash_update(operation(state), start_of(bytes), bytes.len));
}

enum fed_err fed_digest_end(struct fed_digest_state *state, struct fed_digest *out)
{
    struct fed_digest digest;
    size_t len = 0;
    enum fed_err err =
        from_psa(psa_hash_finish(operation(state), digest.bytes, sizeof digest.bytes, &len));

    if (err) {
        fed_digest_abort(state);
        return err;
    }
    if (len != FED_DIGEST_SIZE)
        return FED_ERR_INTERNAL;
    *out = digest;
    return FED_OK;
}

void fed_digest_abort(struct fed_digest_state *state)
{
    psa_hash_abort(operation(state));
}
