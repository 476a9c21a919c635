/* message.c - see message.h. */
#include "ports/coap/message.h"

#include <string.h>

#define HEADER_SIZE 4u
#define PAYLOAD_MARKER 0xffu

#define NIBBLE_ONE_MORE 13u /* the value minus 13 follows in one byte, */
#define NIBBLE_TWO_MORE 14u /* minus 269 in two (RFC 7252 section 3.1) */
#define ONE_MORE_FROM 13u
#define TWO_MORE_FROM 269u

/* ---- reading ---- */

static bool take_number(struct fed_span *from, unsigned nibble, unsigned *out)
{
    uint16_t two;
    uint8_t one;

    if (nibble < NIBBLE_ONE_MORE) {
        *out = nibble;
        return true;
    }
    if (nibble == NIBBLE_ONE_MORE) {
        if (fed_span_take_u8(from, &one))
            return false;
        *out = one + ONE_MORE_FROM;
        return true;
    }
    if (nibble != NIBBLE_TWO_MORE || fed_span_take_u16(from, &two))
        return false; /* 15 is reserved */
    *out = two + TWO_MORE_FROM;
    return true;
}

/* One option: what its number adds to the one before, and its value. */
static bool take_head(struct fed_span *from, unsigned *delta, struct fed_span *value)
{
    unsigned len;
    uint8_t head;

    return fed_span_take_u8(from, &head) == FED_OK && take_number(from, head >> 4, delta) &&
           take_number(from, head & 15u, &len) && fed_span_take_bytes(from, len, value) == FED_OK;
}

/* Unsigned, big endian, shortest or not (RFC 7252 section 3.2). */
static bool uint_of(struct fed_span option, size_t len_max, uint32_t *out)
{
    uint32_t value = 0;

    if (option.len > len_max)
        return false;
    for (size_t i = 0; i < option.len; i++)
        value = value << 8 | option.at[i];
    *out = value;
    return true;
}

/* Appends one segment. The separator inside a segment would make two requests look alike. */
static bool join(char *out, size_t size, size_t *len, char separator, struct fed_span option)
{
    bool first = *len == 0;

    if (option.len + !first > size - *len ||
        fed_span_find(option, (uint8_t)separator) < option.len ||
        fed_span_find(option, 0) < option.len)
        return false;
    if (!first)
        out[(*len)++] = separator;
    if (option.len > 0)
        memcpy(out + *len, option.at, option.len);
    *len += option.len;
    return true;
}

static bool take_block2(struct fed_span option, struct fed_coap_message *m)
{
    uint32_t value;

    if (m->has_block2 || !uint_of(option, 3, &value) || (value & 7) > FED_COAP_SZX_MAX)
        return false;
    m->has_block2 = true;
    m->block2_num = value >> 4;
    m->block2_more = value & 8;
    m->block2_szx = value & 7;
    return true;
}

static bool take_block1(struct fed_span option, struct fed_coap_message *m)
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

/* Options that may be ignored are, when their value cannot be taken (RFC 7252 section 5.4.3). */
static void take_elective(unsigned number, struct fed_span option, struct fed_coap_message *m)
{
    switch (number) {
    case FED_COAP_OPTION_ETAG:
        if (m->etag_len > 0 || option.len == 0 || option.len > sizeof(m->etag))
            return;
        memcpy(m->etag, option.at, option.len);
        m->etag_len = option.len;
        break;
    case FED_COAP_OPTION_MAX_AGE:
        m->has_max_age = uint_of(option, 4, &m->max_age_s);
        break;
    case FED_COAP_OPTION_SIZE2:
        if (!uint_of(option, 4, &m->size2))
            m->size2 = 0;
        break;
    default:
        break;
    }
}

static enum fed_coap_verdict take_option(
    unsigned number, struct fed_span option, struct fed_coap_message *m)
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
        if (number & 1)
            return FED_COAP_BAD_OPTION; /* odd ones are critical (section 5.4.6) */
        take_elective(number, option, m);
        break;
    }
    return good ? FED_COAP_GOOD : FED_COAP_BAD_REQUEST;
}

static enum fed_coap_verdict take_options(struct fed_span rest, struct fed_coap_message *m)
{
    enum fed_coap_verdict verdict = FED_COAP_GOOD;
    unsigned number = 0;

    for (unsigned n = 0; rest.len > 0 && rest.at[0] != PAYLOAD_MARKER; n++) {
        enum fed_coap_verdict one;
        struct fed_span value;
        unsigned delta;

        if (n == FED_COAP_OPTIONS_MAX || !take_head(&rest, &delta, &value) ||
            number + delta > UINT16_MAX)
            return FED_COAP_MALFORMED;
        number += delta;
        one = take_option(number, value, m);
        if (verdict == FED_COAP_GOOD)
            verdict = one;
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

static unsigned nibble_of(size_t value)
{
    if (value < ONE_MORE_FROM)
        return (unsigned)value;
    return value < TWO_MORE_FROM ? NIBBLE_ONE_MORE : NIBBLE_TWO_MORE;
}

/* What of a value does not fit its nibble. */
static size_t put_more(uint8_t *out, size_t value)
{
    switch (nibble_of(value)) {
    case NIBBLE_ONE_MORE:
        out[0] = (uint8_t)(value - ONE_MORE_FROM);
        return 1;
    case NIBBLE_TWO_MORE:
        out[0] = (uint8_t)((value - TWO_MORE_FROM) >> 8);
        out[1] = (uint8_t)(value - TWO_MORE_FROM);
        return 2;
    default:
        return 0;
    }
}

void fed_coap_writer_option(
    struct fed_coap_writer *w, enum fed_coap_option_number number, struct fed_span value)
{
    size_t delta = (unsigned)number - w->option;
    uint8_t head[5]; /* nibbles, and at most two bytes of each */
    size_t len = 1;

    head[0] = (uint8_t)(nibble_of(delta) << 4 | nibble_of(value.len));
    len += put_more(head + len, delta);
    len += put_more(head + len, value.len);
    if (w->failed || len + value.len > sizeof(w->bytes) - w->len) {
        w->failed = true;
        return;
    }
    memcpy(w->bytes + w->len, head, len);
    if (value.len > 0)
        memcpy(w->bytes + w->len + len, value.at, value.len);
    w->len += len + value.len;
    w->option = number;
}

/* Without leading zeros: 0 has no bytes at all (RFC 7252 section 3.2). */
void fed_coap_writer_uint(
    struct fed_coap_writer *w, enum fed_coap_option_number number, uint32_t value)
{
    uint8_t bytes[4] = {
        (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    size_t zeros = 0;

    while (zeros < sizeof(bytes) && bytes[zeros] == 0)
        zeros++;
    fed_coap_writer_option(w, number, fed_span_of(bytes + zeros, sizeof(bytes) - zeros));
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
