/* token.c - join tokens, see link.h. */
#include "proto/link/link.h"

#include "proto/base/text.h"

#include <string.h>

#define PREFIX "fedlet1."
#define FORMAT 1u
#define CHECK_SIZE 4u

static bool is_id(struct fed_span text)
{
    if (text.len == 0 || text.len > FED_TOKEN_ID_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
            return false;
    }
    return true;
}

static enum fed_err put_bytes(struct fed_buf *out, const struct fed_token *token)
{
    struct fed_digest digest;
    enum fed_err err;

    fed_buf_put_u8(out, FORMAT);
    fed_buf_put(out, fed_span_of(token->pin.bytes, sizeof token->pin.bytes));
    fed_buf_put_string(out, fed_span_text(token->id));
    fed_buf_put_string(out, fed_span_of(token->secret, sizeof token->secret));
    fed_buf_put_varint(out, (uint64_t)token->expires_unix_s);
    fed_buf_put_varint(out, token->uses);
    fed_buf_put_varint(out, token->n_addresses);
    for (size_t i = 0; i < token->n_addresses; i++)
        fed_buf_put_string(out, fed_span_text(token->addresses[i]));
    err = fed_buf_err(out);
    if (!err)
        err = fed_digest_of(fed_buf_span(out), &digest);
    if (err)
        return err;
    fed_buf_put(out, fed_span_of(digest.bytes, CHECK_SIZE));
    return fed_buf_err(out);
}

enum fed_err fed_token_put(struct fed_buf *out, const struct fed_token *token)
{
    struct fed_buf bytes;
    enum fed_err err;

    if (!is_id(fed_span_text(token->id)) || token->expires_unix_s < 0 || token->n_addresses == 0 ||
        token->n_addresses > FED_TOKEN_ADDRESSES_MAX)
        return FED_ERR_INVALID;
    fed_buf_init(&bytes, fed_alloc_system(), FED_TOKEN_TEXT_MAX);
    err = put_bytes(&bytes, token);
    if (!err && (bytes.len * 4 + 2) / 3 + sizeof PREFIX - 1 > FED_TOKEN_TEXT_MAX)
        err = FED_ERR_LIMIT;
    if (!err) {
        fed_buf_put_text(out, PREFIX);
        fed_text_put_base64url(out, fed_buf_span(&bytes));
        err = fed_buf_err(out);
    }
    fed_buf_fini(&bytes);
    return err;
}

static enum fed_err take_address(struct fed_span *from, char *out, struct fed_diag *diag)
{
    struct fed_link_address address;
    struct fed_span text;
    enum fed_err err = fed_span_take_string(from, FED_TOKEN_ADDRESS_MAX, &text);

    if (!err)
        err = fed_link_address_parse(text, &address, diag);
    return err ? err : fed_span_to_cstr(text, out, FED_TOKEN_ADDRESS_MAX + 1);
}

static enum fed_err take_fields(
    struct fed_span *from, struct fed_token *token, struct fed_diag *diag)
{
    struct fed_span pin;
    struct fed_span id;
    struct fed_span secret;
    uint64_t number = 0;
    enum fed_err err = fed_span_take_bytes(from, FED_DIGEST_SIZE, &pin);

    if (!err)
        err = fed_span_take_string(from, FED_TOKEN_ID_MAX, &id);
    if (!err)
        err = fed_span_take_string(from, FED_TOKEN_SECRET_SIZE, &secret);
    if (err)
        return err;
    if (!is_id(id) || secret.len != FED_TOKEN_SECRET_SIZE)
        return FED_ERR_INVALID;
    memcpy(token->pin.bytes, pin.at, FED_DIGEST_SIZE);
    memcpy(token->id, id.at, id.len);
    memcpy(token->secret, secret.at, FED_TOKEN_SECRET_SIZE);
    err = fed_span_take_varint(from, INT64_MAX, &number);
    token->expires_unix_s = (int64_t)number;
    if (!err)
        err = fed_span_take_varint(from, UINT32_MAX, &number);
    token->uses = (uint32_t)number;
    if (!err)
        err = fed_span_take_varint(from, FED_TOKEN_ADDRESSES_MAX, &number);
    if (!err && number == 0)
        err = FED_ERR_INVALID;
    for (token->n_addresses = 0; !err && token->n_addresses < number; token->n_addresses++)
        err = take_address(from, token->addresses[token->n_addresses], diag);
    return err;
}

static enum fed_err take_token(
    struct fed_span bytes, struct fed_token *token, struct fed_diag *diag)
{
    struct fed_digest digest;
    struct fed_span check;
    uint8_t format;
    enum fed_err err;

    if (bytes.len < CHECK_SIZE + 1)
        return fed_diag_set(diag, FED_ERR_TRUNCATED, "the token is cut off");
    check = fed_span_sub(bytes, bytes.len - CHECK_SIZE, CHECK_SIZE);
    bytes = fed_span_sub(bytes, 0, bytes.len - CHECK_SIZE);
    err = fed_digest_of(bytes, &digest);
    if (err)
        return err;
    if (!fed_span_eq(check, fed_span_of(digest.bytes, CHECK_SIZE)))
        return fed_diag_set(diag, FED_ERR_INVALID,
            "the token has a typing error or is not complete: its check sum does not fit");
    err = fed_span_take_u8(&bytes, &format);
    if (!err && format != FORMAT)
        return fed_diag_set(diag, FED_ERR_UNSUPPORTED, "token of format %u", format);
    if (!err)
        err = take_fields(&bytes, token, diag);
    if (!err && bytes.len)
        err = FED_ERR_INVALID;
    return err;
}

enum fed_err fed_token_parse(struct fed_span text, struct fed_token *out, struct fed_diag *diag)
{
    struct fed_token token = {0};
    struct fed_buf bytes;
    enum fed_err err;

    if (diag)
        diag->text[0] = '\0';
    if (text.len > FED_TOKEN_TEXT_MAX)
        return fed_diag_set(
            diag, FED_ERR_LIMIT, "a token has at most %u characters", FED_TOKEN_TEXT_MAX);
    if (!fed_span_starts(text, PREFIX))
        return fed_diag_set(diag, FED_ERR_INVALID, "a join token begins with " PREFIX);
    fed_buf_init(&bytes, fed_alloc_system(), FED_TOKEN_TEXT_MAX);
    err = fed_text_base64url(fed_span_sub(text, sizeof PREFIX - 1, text.len), &bytes);
    if (err == FED_ERR_INVALID)
        err = fed_diag_set(diag, err,
            "the token has a typing error: it holds a character that no token has, or is cut off");
    else if (!err)
        err = take_token(fed_buf_span(&bytes), &token, diag);
    fed_buf_fini(&bytes);
    if (err)
        return fed_diag_prefix(diag, err, "token");
    *out = token;
    return FED_OK;
}
