/* seal.c - bytes that only we can read again (ports/crypto.h). */
#include "ports/crypto.h"

#include <psa/crypto.h>

#define NONCE_SIZE 12u
#define TAG_SIZE (FED_SEAL_EXTRA - NONCE_SIZE)

static enum fed_err key_import(
    const uint8_t key[FED_SEAL_KEY_SIZE], psa_key_usage_t usage, psa_key_id_t *out)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_status_t status;

    psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
    psa_set_key_algorithm(&attributes, PSA_ALG_GCM);
    psa_set_key_usage_flags(&attributes, usage);
    status = psa_import_key(&attributes, key, FED_SEAL_KEY_SIZE, out);
    if (status == PSA_ERROR_INSUFFICIENT_MEMORY)
        return FED_ERR_NOMEM;
    return status == PSA_SUCCESS ? FED_OK : FED_ERR_INTERNAL;
}

enum fed_err fed_tls_seal(const uint8_t key[FED_SEAL_KEY_SIZE], struct fed_span context,
    struct fed_span plain, struct fed_buf *out)
{
    uint8_t *room = fed_buf_room(out, FED_SEAL_EXTRA + plain.len);
    psa_key_id_t id = 0;
    size_t len = 0;
    enum fed_err err;

    if (!room)
        return fed_buf_err(out);
    err = key_import(key, PSA_KEY_USAGE_ENCRYPT, &id);
    if (err)
        return err;
    if (psa_generate_random(room, NONCE_SIZE) != PSA_SUCCESS ||
        psa_aead_encrypt(id, PSA_ALG_GCM, room, NONCE_SIZE, context.at, context.len, plain.at,
            plain.len, room + NONCE_SIZE, plain.len + TAG_SIZE, &len) != PSA_SUCCESS)
        err = FED_ERR_INTERNAL;
    psa_destroy_key(id);
    if (!err)
        fed_buf_grew(out, NONCE_SIZE + len);
    return err;
}

enum fed_err fed_tls_unseal(const uint8_t key[FED_SEAL_KEY_SIZE], struct fed_span context,
    struct fed_span sealed, struct fed_buf *out)
{
    size_t plain_len = sealed.len < FED_SEAL_EXTRA ? 0 : sealed.len - FED_SEAL_EXTRA;
    uint8_t *room;
    psa_key_id_t id = 0;
    psa_status_t status;
    size_t len = 0;
    enum fed_err err;

    if (sealed.len < FED_SEAL_EXTRA)
        return FED_ERR_DIGEST;
    room = fed_buf_room(out, plain_len + 1);
    if (!room)
        return fed_buf_err(out);
    err = key_import(key, PSA_KEY_USAGE_DECRYPT, &id);
    if (err)
        return err;
    status = psa_aead_decrypt(id, PSA_ALG_GCM, sealed.at, NONCE_SIZE, context.at, context.len,
        sealed.at + NONCE_SIZE, sealed.len - NONCE_SIZE, room, plain_len, &len);
    psa_destroy_key(id);
    if (status != PSA_SUCCESS)
        return status == PSA_ERROR_INVALID_SIGNATURE ? FED_ERR_DIGEST : FED_ERR_INTERNAL;
    fed_buf_grew(out, len);
    return FED_OK;
}
