/* go_hash.c - see go_hash.h. The canonical text is turned into Go's, token by token. */
#include "hub/status/go_hash.h"

#include "proto/digest/sha256.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (24u << 20) /* the largest object, all of it characters that Go escapes */
#define NUMBER_MAX 400u      /* digits of a number; more are as good as that many */

enum numbers { NUMBERS_AS_THEY_ARE, NUMBERS_AS_DOUBLES };

/* ---- numbers ---- */

/* Shortest text that reads back as the same double. */
static void shortest(double value, char out[40])
{
    for (int digits = 1; digits <= DBL_DECIMAL_DIG; digits++) {
        snprintf(out, 40, "%.*e", digits - 1, value);
        if (strtod(out, NULL) == value)
            return;
    }
}

/* The digits, and noughts for the places that they do not reach. */
static void put_whole(struct fed_buf *out, struct fed_span digits, int noughts)
{
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.at[i] != '.')
            fed_buf_put_u8(out, digits.at[i]);
    }
    while (noughts-- > 0)
        fed_buf_put_u8(out, '0');
}

/* encoding/json floatEncoder: like ES6, an exponent below 1e-6 and from 1e21 on, of one digit where
 * one is enough. */
static void put_double(struct fed_buf *out, double value)
{
    double size = fabs(value);
    char text[40];
    char *exponent;
    int digits;

    if (value == 0) {
        fed_buf_put_text(out, signbit(value) ? "-0" : "0");
        return;
    }
    shortest(value, text);
    exponent = strchr(text, 'e');
    if (size >= 1e-6 && size < 1e21) {
        digits = (int)(exponent - text) - (text[0] == '-') - (strchr(text, '.') ? 1 : 0);
        digits -= 1 + (int)strtol(exponent + 1, NULL, 10); /* behind the point */
        if (digits > 0)
            fed_buf_printf(out, "%.*f", digits, value);
        else
            put_whole(out, fed_span_of(text, (size_t)(exponent - text)), -digits);
        return;
    }
    fed_buf_put(out, fed_span_of(text, (size_t)(exponent - text)));
    if (exponent[1] == '-' && exponent[2] == '0')
        fed_buf_printf(out, "e-%s", exponent + 3);
    else
        fed_buf_put_text(out, exponent);
}

static bool is_integer(struct fed_span number)
{
    char text[NUMBER_MAX + 1];
    uint64_t value;
    bool minus = fed_span_starts(number, "-");
    struct fed_span digits = fed_span_sub(number, minus, number.len);

    return fed_span_to_cstr(digits, text, sizeof text) == FED_OK &&
           fed_span_to_u64(digits, &value) == FED_OK &&
           value <= (uint64_t)INT64_MAX + (minus ? 1u : 0u);
}

static void put_number(struct fed_buf *out, struct fed_span number, enum numbers numbers)
{
    char text[NUMBER_MAX + 1];

    if (numbers == NUMBERS_AS_THEY_ARE && is_integer(number)) {
        fed_buf_put(out, number);
        return;
    }
    if (fed_span_to_cstr(fed_span_sub(number, 0, NUMBER_MAX), text, sizeof text) == FED_OK)
        put_double(out, strtod(text, NULL));
}

/* ---- strings ---- */

static void put_escape(struct fed_buf *out, unsigned code)
{
    fed_buf_printf(out, "\\u%04x", code);
}

/* One character of a string, at least one byte; returns how many. */
static size_t put_character(struct fed_buf *out, struct fed_span rest)
{
    uint8_t c = rest.at[0];

    if (c == '<' || c == '>' || c == '&') {
        put_escape(out, c);
        return 1;
    }
    if (c == 0xe2 && rest.len >= 3 && rest.at[1] == 0x80 && (rest.at[2] & 0xfe) == 0xa8) {
        put_escape(out, 0x2000u + (rest.at[2] & 0x3fu)); /* line and paragraph separator */
        return 3;
    }
    if (c == '\\' && rest.len >= 6 && rest.at[1] == 'u') { /* in lower case */
        for (size_t i = 0; i < 6; i++)
            fed_buf_put_u8(out,
                (uint8_t)(rest.at[i] >= 'A' && rest.at[i] <= 'F' ? rest.at[i] + 32 : rest.at[i]));
        return 6;
    }
    if (c == '\\' && rest.len >= 2) {
        fed_buf_put(out, fed_span_sub(rest, 0, 2));
        return 2;
    }
    fed_buf_put_u8(out, c);
    return 1;
}

static size_t put_string(struct fed_buf *out, struct fed_span rest)
{
    size_t at = 1;

    fed_buf_put_u8(out, '"');
    while (at < rest.len && rest.at[at] != '"')
        at += put_character(out, fed_span_sub(rest, at, rest.len));
    fed_buf_put_u8(out, '"');
    return at + 1;
}

/* ---- documents ---- */

static bool is_of_number(uint8_t c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static void put_text(struct fed_buf *out, struct fed_span text, enum numbers numbers)
{
    size_t at = 0;

    while (at < text.len && !out->err) {
        uint8_t c = text.at[at];
        size_t n = 1;

        if (c == '"') {
            at += put_string(out, fed_span_sub(text, at, text.len));
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            while (at + n < text.len && is_of_number(text.at[at + n]))
                n++;
            put_number(out, fed_span_sub(text, at, n), numbers);
            at += n;
        } else {
            fed_buf_put_u8(out, c);
            at++;
        }
    }
}

static enum fed_err put_value(
    struct fed_alloc *mem, struct fed_buf *out, const struct fed_json *value, enum numbers numbers)
{
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, mem, TEXT_MAX);
    err = fed_json_put_canonical(&text, value);
    if (!err)
        put_text(out, fed_buf_span(&text), numbers);
    fed_buf_fini(&text);
    return err ? err : fed_buf_err(out);
}

static enum fed_err hash(struct fed_span text, char out[STATUS_HASH_SIZE])
{
    uint8_t digest[16];
    enum fed_err err = fed_digest_md5(text, digest);

    for (size_t i = 0; !err && i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return err;
}

enum fed_err status_hash_template(
    struct fed_alloc *mem, const struct fed_json *object, char out[STATUS_HASH_SIZE])
{
    const struct fed_json *template = fed_json_find(object, "spec.template");
    struct fed_buf text;
    enum fed_err err;

    out[0] = '\0';
    if (!fed_json_is_object(template))
        return FED_OK;
    fed_buf_init(&text, mem, TEXT_MAX);
    err = put_value(mem, &text, template, NUMBERS_AS_THEY_ARE);
    fed_buf_put_u8(&text, '\n');
    if (!err)
        err = fed_buf_err(&text);
    if (!err)
        err = hash(fed_buf_span(&text), out);
    fed_buf_fini(&text);
    return err;
}

/* ---- overrides: Go structs, so members in their order, and empty ones left out ---- */

static enum fed_err put_text_member(struct fed_alloc *mem, struct fed_buf *out, const char *key,
    const struct fed_json *from, bool always)
{
    const struct fed_json *value = fed_json_get(from, key);

    if (fed_json_string(value).len == 0) {
        if (always)
            fed_buf_printf(out, "\"%s\":\"\"", key);
        return FED_OK;
    }
    fed_buf_printf(out, "\"%s\":", key);
    return put_value(mem, out, value, NUMBERS_AS_DOUBLES);
}

static enum fed_err put_operation(
    struct fed_alloc *mem, struct fed_buf *out, const struct fed_json *operation)
{
    const struct fed_json *value = fed_json_get(operation, "value");
    enum fed_err err;

    fed_buf_put_u8(out, '{');
    err = put_text_member(mem, out, "op", operation, false);
    if (!err && fed_json_string(fed_json_get(operation, "op")).len)
        fed_buf_put_u8(out, ',');
    if (!err)
        err = put_text_member(mem, out, "path", operation, true);
    if (!err && value && fed_json_type(value) != FED_JSON_NULL) {
        fed_buf_put_text(out, ",\"value\":");
        err = put_value(mem, out, value, NUMBERS_AS_DOUBLES);
    }
    fed_buf_put_u8(out, '}');
    return err;
}

static enum fed_err put_override(
    struct fed_alloc *mem, struct fed_buf *out, const struct fed_json *override)
{
    const struct fed_json *list = fed_json_get(override, "clusterOverrides");
    const struct fed_json *selector = fed_json_get(override, "clusterSelector");
    enum fed_err err;

    fed_buf_put_u8(out, '{');
    err = put_text_member(mem, out, "clusterName", override, true);
    /* Ours, so only where there is one: KubeFed's own forms keep their sums. */
    if (!err && fed_json_is_object(selector)) {
        fed_buf_put_text(out, ",\"clusterSelector\":");
        err = fed_json_put_canonical(out, selector);
    }
    if (!err && fed_json_count(list) > 0)
        fed_buf_put_text(out, ",\"clusterOverrides\":[");
    for (struct fed_json_iter it = fed_json_items(list); !err && fed_json_iter_next(&it);) {
        if (it.index)
            fed_buf_put_u8(out, ',');
        err = put_operation(mem, out, it.value);
    }
    fed_buf_put_text(out, fed_json_count(list) > 0 ? "]}" : "}");
    return err;
}

enum fed_err status_hash_overrides(
    struct fed_alloc *mem, const struct fed_json *object, char out[STATUS_HASH_SIZE])
{
    const struct fed_json *spec = fed_json_get(object, "spec");
    const struct fed_json *list = fed_json_get(spec, "overrides");
    struct fed_json_iter it = fed_json_each(list);
    struct fed_buf text;
    enum fed_err err = FED_OK;

    out[0] = '\0';
    if (!fed_json_is_object(spec))
        return FED_OK;
    fed_buf_init(&text, mem, TEXT_MAX);
    fed_buf_put_text(&text, fed_json_is_array(list) ? "{\"overrides\":[" : "{\"overrides\":null");
    while (!err && fed_json_iter_next(&it)) {
        if (it.index)
            fed_buf_put_u8(&text, ',');
        err = put_override(mem, &text, it.value);
    }
    fed_buf_put_text(&text, fed_json_is_array(list) ? "]}\n" : "}\n");
    if (!err)
        err = fed_buf_err(&text);
    if (!err)
        err = hash(fed_buf_span(&text), out);
    fed_buf_fini(&text);
    return err;
}
