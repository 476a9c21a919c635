/* text.c - see text.h: hex, base64, names, UTF-8. Times and durations are in time.c. */
#include "proto/base/text.h"

#define LABEL_MAX 63u
#define SUBDOMAIN_MAX 253u

static const char base64_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void fed_text_put_hex(struct fed_buf *out, struct fed_span bytes)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *to;

    if (bytes.len > SIZE_MAX / 2) {
        if (!out->err)
            out->err = FED_ERR_LIMIT;
        return;
    }
    to = fed_buf_room(out, bytes.len * 2);
    if (!to)
        return;
    for (size_t i = 0; i < bytes.len; i++) {
        to[2 * i] = (uint8_t)digits[bytes.at[i] >> 4];
        to[2 * i + 1] = (uint8_t)digits[bytes.at[i] & 15];
    }
    fed_buf_grew(out, bytes.len * 2);
}

/* 16 when it is no hex digit. */
static unsigned hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - (unsigned)'0';
    if (c >= 'a' && c <= 'f')
        return c - (unsigned)'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - (unsigned)'A' + 10;
    return 16;
}

enum fed_err fed_text_hex(struct fed_span text, uint8_t *out, size_t size, size_t *len)
{
    if (text.len % 2)
        return FED_ERR_INVALID;
    if (text.len / 2 > size)
        return FED_ERR_LIMIT;
    for (size_t i = 0; i < text.len; i++) {
        if (hex_digit(text.at[i]) > 15)
            return FED_ERR_INVALID;
    }
    for (size_t i = 0; i < text.len / 2; i++)
        out[i] = (uint8_t)(hex_digit(text.at[2 * i]) << 4 | hex_digit(text.at[2 * i + 1]));
    *len = text.len / 2;
    return FED_OK;
}

/* n is 1 to 3 bytes; writes n + 1 characters. */
static void put_group(uint8_t *to, const uint8_t *at, size_t n, const char *digits)
{
    uint32_t bits = (uint32_t)at[0] << 16;

    if (n > 1)
        bits |= (uint32_t)at[1] << 8;
    if (n > 2)
        bits |= at[2];
    for (size_t i = 0; i <= n; i++)
        to[i] = (uint8_t)digits[bits >> (18 - 6 * i) & 63];
}

static void put_base64(struct fed_buf *out, struct fed_span bytes, const char *digits, bool padded)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint8_t group[4] = {'=', '=', '=', '='};

        put_group(group, bytes.at + i, n, digits);
        fed_buf_put(out, fed_span_of(group, padded ? 4 : n + 1));
    }
}

void fed_text_put_base64(struct fed_buf *out, struct fed_span bytes)
{
    put_base64(out, bytes, base64_std, true);
}

void fed_text_put_base64url(struct fed_buf *out, struct fed_span bytes)
{
    put_base64(out, bytes, base64_url, false);
}

/* 64 when it is no digit of the alphabet whose last two are given. */
static unsigned base64_digit(uint8_t c, const char *digits)
{
    if (c >= 'A' && c <= 'Z')
        return c - (unsigned)'A';
    if (c >= 'a' && c <= 'z')
        return c - (unsigned)'a' + 26;
    if (c >= '0' && c <= '9')
        return c - (unsigned)'0' + 52;
    if (c == (uint8_t)digits[62])
        return 62;
    if (c == (uint8_t)digits[63])
        return 63;
    return 64;
}

/* One group of 2 to 4 characters. */
static enum fed_err take_group(const uint8_t *at, size_t n, const char *digits, struct fed_buf *out)
{
    uint32_t bits = 0;
    uint8_t bytes[3];

    for (size_t i = 0; i < 4; i++) {
        unsigned digit = i < n ? base64_digit(at[i], digits) : 0;

        if (digit > 63)
            return FED_ERR_INVALID;
        bits = bits << 6 | digit;
    }
    bytes[0] = (uint8_t)(bits >> 16);
    bytes[1] = (uint8_t)(bits >> 8);
    bytes[2] = (uint8_t)bits;
    for (size_t i = n - 1; i < 3; i++) {
        if (bytes[i])
            return FED_ERR_INVALID;
    }
    fed_buf_put(out, fed_span_of(bytes, n - 1));
    return FED_OK;
}

static enum fed_err take_base64(struct fed_span text, const char *digits, struct fed_buf *out)
{
    size_t before = out->len;

    if (text.len % 4 == 1)
        return FED_ERR_INVALID;
    for (size_t i = 0; i < text.len; i += 4) {
        size_t n = text.len - i < 4 ? text.len - i : 4;
        enum fed_err err = take_group(text.at + i, n, digits, out);

        if (err) {
            fed_buf_cut(out, before);
            return err;
        }
    }
    return fed_buf_err(out);
}

enum fed_err fed_text_base64(struct fed_span text, struct fed_buf *out)
{
    if (text.len % 4)
        return FED_ERR_INVALID;
    for (int i = 0; i < 2; i++) {
        if (text.len && text.at[text.len - 1] == '=')
            text.len--;
    }
    return take_base64(text, base64_std, out);
}

enum fed_err fed_text_base64url(struct fed_span text, struct fed_buf *out)
{
    return take_base64(text, base64_url, out);
}

static bool is_lower_alnum(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(uint8_t c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

bool fed_text_has_label_form(struct fed_span text)
{
    if (text.len == 0 || !is_lower_alnum(text.at[0]) || !is_lower_alnum(text.at[text.len - 1]))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_lower_alnum(text.at[i]) && text.at[i] != '-')
            return false;
    }
    return true;
}

bool fed_text_has_subdomain_form(struct fed_span text)
{
    struct fed_span rest = text;
    struct fed_span label;

    if (text.len == 0 || text.at[text.len - 1] == '.')
        return false;
    while (fed_span_split(&rest, '.', &label)) {
        if (!fed_text_has_label_form(label))
            return false;
    }
    return true;
}

bool fed_text_has_qualified_form(struct fed_span text)
{
    if (text.len == 0 || !is_alnum(text.at[0]) || !is_alnum(text.at[text.len - 1]))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (!is_alnum(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

bool fed_text_is_dns_label(struct fed_span text)
{
    return text.len <= LABEL_MAX && fed_text_has_label_form(text);
}

/* As apimachinery does it: the labels of a subdomain have no limit of their own. */
bool fed_text_is_dns_subdomain(struct fed_span text)
{
    return text.len <= SUBDOMAIN_MAX && fed_text_has_subdomain_form(text);
}

static bool is_qualified_name(struct fed_span text)
{
    return text.len <= LABEL_MAX && fed_text_has_qualified_form(text);
}

bool fed_text_is_label_key(struct fed_span text)
{
    size_t slash = fed_span_find(text, '/');

    if (slash == text.len)
        return is_qualified_name(text);
    return fed_text_is_dns_subdomain(fed_span_sub(text, 0, slash)) &&
           is_qualified_name(fed_span_sub(text, slash + 1, text.len));
}

bool fed_text_is_label_value(struct fed_span text)
{
    return text.len == 0 || is_qualified_name(text);
}

/* Length of the well-formed sequence at the front (RFC 3629 section 4), 0 when there is none. */
static size_t utf8_sequence(struct fed_span text)
{
    uint8_t c = text.at[0];
    uint8_t low = 0x80;
    uint8_t high = 0xbf;
    size_t n;

    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (c == 0xe0)
        low = 0xa0;
    if (c == 0xed)
        high = 0x9f;
    if (c == 0xf0)
        low = 0x90;
    if (c == 0xf4)
        high = 0x8f;
    if (text.len < n || text.at[1] < low || text.at[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if (text.at[i] < 0x80 || text.at[i] > 0xbf)
            return 0;
    }
    return n;
}

bool fed_text_is_utf8(struct fed_span text)
{
    while (text.len) {
        size_t n = utf8_sequence(text);

        if (n == 0)
            return false;
        text = fed_span_sub(text, n, text.len);
    }
    return true;
}
