/* message.c - see message.h. */
#include "ports/coap/message.h"

#include <coap3/coap.h>

#include <string.h>

#define HEADER_SIZE 4u
#define PAYLOAD_MARKER 0xffu

/* ---- reading ---- */

/* Unsigned, big endian, shortest or not (RFC 7252 section 3.2). */
static bool uint_of(const coap_option_t *option, size_t len_max, uint32_t *out)
{
    uint32_t value = 0;

    if (option->length > len_max)
        return false;
    for (size_t i = 0; i < option->length; i++)
        value = value << 8 | option->value[i];
    *out = value;
    return true;
}

/* Appends one segment. The separator inside a segment would make two requests look alike. */
static bool join(char *out, size_t size, size_t *len, char separator, const coap_option_t *option)
{
    bool first = *len == 0;

    if (option->length + !first > size - *len || memchr(option->value, separator, option->length) ||
        memchr(option->value, 0, option->length))
        return false;
    if (!first)
        out[(*len)++] = separator;
    memcpy(out + *len, option->value, option->length);
    *len += option->length;
    return true;
}

static bool take_block2(const coap_option_t *option, struct fed_coap_message *m)
{
    uint32_t value;

    if (m->has_block2 || !uint_of(option, 3, &value) || (value & 7) > FED_COAP_SZX_MAX)
        return false;
    m->has_block2 = true;
    m->block2_num = value >> 4;
    m->block2_szx = value & 7;
    return true;
}

static bool take_block1(const coap_option_t *option, struct fed_coap_message *m)
{
    uint32_t value;

    if (m->has_block1 || !uint_of(option, 3, &value) || (value & 7) > FED_COAP_SZX_MAX)
        return false;
    m->has_block1 = true;
    m->block1_num = value >> 4;
    m->block1_more = value & 8;
    m->block1_szx = value & 7;
    return true;
}

static enum fed_coap_verdict take_option(
    unsigned number, const coap_option_t *option, struct fed_coap_message *m)
{
    bool good = true;

    switch (number) {
    case FED_COAP_OPTION_URI_PATH:
        good = join(m->path, sizeof(m->path), &m->path_len, '/', option);
        break;
    case FED_COAP_OPTION_URI_QUERY:
        good = join(m->query, sizeof(m->query), &m->query_len, '&', option);
        break;
    case FED_COAP_OPTION_OBSERVE:
        m->has_observe = uint_of(option, 3, &m->observe);
        break;
    case FED_COAP_OPTION_BLOCK2:
        good = take_block2(option, m);
        break;
    case FED_COAP_OPTION_BLOCK1:
        good = take_block1(option, m);
        break;
    case FED_COAP_OPTION_URI_HOST:
    case FED_COAP_OPTION_URI_PORT:
        break; /* there is one host here */
    default:
        return number & 1 ? FED_COAP_BAD_OPTION
                          : FED_COAP_GOOD; /* odd ones are critical (section 5.4.6) */
    }
    return good ? FED_COAP_GOOD : FED_COAP_BAD_REQUEST;
}

static enum fed_coap_verdict take_options(struct fed_span rest, struct fed_coap_message *m)
{
    enum fed_coap_verdict verdict = FED_COAP_GOOD;
    unsigned number = 0;

    for (unsigned n = 0; rest.len > 0 && rest.at[0] != PAYLOAD_MARKER; n++) {
        coap_option_t option;
        size_t size = coap_opt_parse(rest.at, rest.len, &option);
        enum fed_coap_verdict one;

        if (size == 0 || n == FED_COAP_OPTIONS_MAX || number + option.delta > UINT16_MAX)
            return FED_COAP_MALFORMED;
        number += option.delta;
        one = take_option(number, &option, m);
        if (verdict == FED_COAP_GOOD)
            verdict = one;
        rest = fed_span_sub(rest, size, rest.len - size);
    }
    if (rest.len == 1)
        return FED_COAP_MALFORMED; /* a marker with nothing behind it (section 3) */
    m->payload = rest.len > 0 ? fed_span_sub(rest, 1, rest.len - 1) : rest;
    return verdict;
}

enum fed_coap_verdict fed_coap_message_parse(struct fed_span bytes, struct fed_coap_message *out)
{
    size_t token_len;
    unsigned code_class;

    memset(out, 0, offsetof(struct fed_coap_message, path));
    out->query_len = 0;
    out->payload = (struct fed_span){NULL, 0};
    if (bytes.len < HEADER_SIZE || bytes.at[0] >> 6 != 1)
        return FED_COAP_IGNORE; /* other versions "MUST be silently ignored" */
    out->type = bytes.at[0] >> 4 & 3;
    out->code = bytes.at[1];
    out->mid = (uint16_t)(bytes.at[2] << 8 | bytes.at[3]);
    token_len = bytes.at[0] & 15;
    code_class = out->code >> 5;
    if (token_len > FED_COAP_TOKEN_MAX || bytes.len - HEADER_SIZE < token_len || code_class == 1 ||
        code_class > 5)
        return FED_COAP_MALFORMED;
    if (out->code == FED_COAP_CODE_EMPTY)
        return bytes.len == HEADER_SIZE ? FED_COAP_GOOD : FED_COAP_MALFORMED;
    memcpy(out->token, bytes.at + HEADER_SIZE, token_len);
    out->token_len = token_len;
    return take_options(
        fed_span_sub(bytes, HEADER_SIZE + token_len, bytes.len - HEADER_SIZE - token_len), out);
}

/* ---- writing ---- */

void fed_coap_writer_begin(struct fed_coap_writer *w, enum fed_coap_type type, uint8_t code,
    uint16_t mid, const uint8_t *token, size_t token_len)
{
    w->bytes[0] = (uint8_t)(1u << 6 | (unsigned)type << 4 | token_len);
    w->bytes[1] = code;
    w->bytes[2] = (uint8_t)(mid >> 8);
    w->bytes[3] = (uint8_t)mid;
    if (token_len > 0)
        memcpy(w->bytes + HEADER_SIZE, token, token_len);
    w->len = HEADER_SIZE + token_len;
    w->option = 0;
    w->failed = false;
}

void fed_coap_writer_option(
    struct fed_coap_writer *w, enum fed_coap_option_number number, struct fed_span value)
{
    size_t room = sizeof(w->bytes) - w->len;
    uint16_t delta = (uint16_t)((unsigned)number - w->option);
    size_t size = 0;

    if (!w->failed && coap_opt_encode_size(delta, value.len) < room)
        size = coap_opt_encode(w->bytes + w->len, room, delta, value.at, value.len);
    w->failed = w->failed || size == 0;
    w->len += size;
    w->option = number;
}

void fed_coap_writer_uint(
    struct fed_coap_writer *w, enum fed_coap_option_number number, uint32_t value)
{
    uint8_t bytes[4];
    unsigned len = coap_encode_var_safe(bytes, sizeof(bytes), value);

    fed_coap_writer_option(w, number, fed_span_of(bytes, len));
}

void fed_coap_writer_payload(struct fed_coap_writer *w, struct fed_span payload)
{
    if (payload.len == 0)
        return;
    if (w->failed || payload.len >= sizeof(w->bytes) - w->len) {
        w->failed = true;
        return;
    }
    w->bytes[w->len++] = PAYLOAD_MARKER;
    memcpy(w->bytes + w->len, payload.at, payload.len);
    w->len += payload.len;
}
