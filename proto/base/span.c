/* span.c - see span.h. */
#include "proto/base/span.h"

#include <string.h>

struct fed_span fed_span_of(const void *at, size_t len)
{
    return (struct fed_span){.at = at, .len = len};
}

struct fed_span fed_span_text(const char *text)
{
    return fed_span_of(text, text ? strlen(text) : 0);
}

bool fed_span_eq(struct fed_span a, struct fed_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool fed_span_is(struct fed_span a, const char *text)
{
    return fed_span_eq(a, fed_span_text(text));
}

bool fed_span_starts(struct fed_span a, const char *prefix)
{
    struct fed_span p = fed_span_text(prefix);

    return a.len >= p.len && fed_span_eq(fed_span_of(a.at, p.len), p);
}

bool fed_span_ends(struct fed_span a, const char *suffix)
{
    struct fed_span s = fed_span_text(suffix);

    return a.len >= s.len && fed_span_eq(fed_span_sub(a, a.len - s.len, s.len), s);
}

int fed_span_cmp(struct fed_span a, struct fed_span b)
{
    size_t both = a.len < b.len ? a.len : b.len;
    int order = both ? memcmp(a.at, b.at, both) : 0;

    if (order)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

size_t fed_span_find(struct fed_span a, uint8_t byte)
{
    const uint8_t *hit = a.len ? memchr(a.at, byte, a.len) : NULL;

    return hit ? (size_t)(hit - a.at) : a.len;
}

struct fed_span fed_span_sub(struct fed_span a, size_t at, size_t len)
{
    if (at > a.len)
        at = a.len;
    if (len > a.len - at)
        len = a.len - at;
    return fed_span_of(a.at ? a.at + at : NULL, len);
}

bool fed_span_split(struct fed_span *rest, uint8_t separator, struct fed_span *head)
{
    size_t at;

    if (rest->len == 0)
        return false;
    at = fed_span_find(*rest, separator);
    *head = fed_span_sub(*rest, 0, at);
    *rest = fed_span_sub(*rest, at + 1, rest->len);
    return true;
}

enum fed_err fed_span_to_u64(struct fed_span a, uint64_t *out)
{
    uint64_t value = 0;

    if (a.len == 0 || (a.len > 1 && a.at[0] == '0'))
        return FED_ERR_INVALID;
    for (size_t i = 0; i < a.len; i++) {
        unsigned digit = (unsigned)a.at[i] - '0';

        if (digit > 9)
            return FED_ERR_INVALID;
        if (value > (UINT64_MAX - digit) / 10)
            return FED_ERR_LIMIT;
        value = value * 10 + digit;
    }
    *out = value;
    return FED_OK;
}

enum fed_err fed_span_to_cstr(struct fed_span a, char *out, size_t size)
{
    if (a.len >= size)
        return FED_ERR_LIMIT;
    if (fed_span_find(a, 0) != a.len)
        return FED_ERR_INVALID;
    if (a.len)
        memcpy(out, a.at, a.len);
    out[a.len] = '\0';
    return FED_OK;
}

/* Big-endian number of n bytes, n <= 8. */
static enum fed_err take_number(struct fed_span *from, size_t n, uint64_t *out)
{
    uint64_t value = 0;

    if (from->len < n)
        return FED_ERR_TRUNCATED;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | from->at[i];
    *from = fed_span_sub(*from, n, from->len);
    *out = value;
    return FED_OK;
}

enum fed_err fed_span_take_u8(struct fed_span *from, uint8_t *out)
{
    uint64_t value;
    enum fed_err err = take_number(from, 1, &value);

    if (!err)
        *out = (uint8_t)value;
    return err;
}

enum fed_err fed_span_take_u16(struct fed_span *from, uint16_t *out)
{
    uint64_t value;
    enum fed_err err = take_number(from, 2, &value);

    if (!err)
        *out = (uint16_t)value;
    return err;
}

enum fed_err fed_span_take_u32(struct fed_span *from, uint32_t *out)
{
    uint64_t value;
    enum fed_err err = take_number(from, 4, &value);

    if (!err)
        *out = (uint32_t)value;
    return err;
}

enum fed_err fed_span_take_u64(struct fed_span *from, uint64_t *out)
{
    return take_number(from, 8, out);
}

enum fed_err fed_span_take_varint(struct fed_span *from, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 10; i++) {
        uint8_t byte;

        if (i >= from->len)
            return FED_ERR_TRUNCATED;
        byte = from->at[i];
        if (i == 9 && byte > 1)
            return FED_ERR_INVALID;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        if (i > 0 && byte == 0)
            return FED_ERR_INVALID;
        if (value > max)
            return FED_ERR_LIMIT;
        *from = fed_span_sub(*from, i + 1, from->len);
        *out = value;
        return FED_OK;
    }
    return FED_ERR_INVALID;
}

enum fed_err fed_span_take_bytes(struct fed_span *from, size_t len, struct fed_span *out)
{
    if (from->len < len)
        return FED_ERR_TRUNCATED;
    *out = fed_span_sub(*from, 0, len);
    *from = fed_span_sub(*from, len, from->len);
    return FED_OK;
}

enum fed_err fed_span_take_string(struct fed_span *from, size_t max, struct fed_span *out)
{
    struct fed_span rest = *from;
    uint64_t len;
    enum fed_err err = fed_span_take_varint(&rest, max, &len);

    if (err)
        return err;
    err = fed_span_take_bytes(&rest, (size_t)len, out);
    if (err)
        return err;
    *from = rest;
    return FED_OK;
}
