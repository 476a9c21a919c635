/* schema_scalar.c - see schema_check.h: the rules of one value by itself, type, enum, strings and
 * numbers, and how a refusal says it. */
#include "hub/api/format.h"
#include "hub/api/schema_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void hub_schema_cause(
    struct hub_schema_check *c, const char *reason, const char *field, const char *format, ...)
{
    struct hub_cause *to;
    va_list args;

    if (c->causes->n == HUB_CAUSES_MAX) {
        c->causes->more++;
        return;
    }
    to = &c->causes->list[c->causes->n++];
    snprintf(to->reason, sizeof to->reason, "%s", reason);
    if (c->prefix[0] && (!field[0] || field[0] == '<'))
        field = "";
    snprintf(to->field, sizeof to->field, "%.*s%s%s", (int)(sizeof to->field / 2), c->prefix,
        c->prefix[0] && field[0] && field[0] != '[' ? "." : "", field);
    va_start(args, format);
    vsnprintf(to->message, sizeof to->message, format, args);
    va_end(args);
}

/* ---- values in sentences, as Go writes them ---- */
static void put_quoted(struct fed_buf *out, struct fed_span text)
{
    static const char letters[] = "abfnrtv";
    static const char runes[] = "\a\b\f\n\r\t\v";

    fed_buf_put_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        const char *short_form = c ? strchr(runes, c) : NULL;

        if (c == '"' || c == '\\')
            fed_buf_printf(out, "\\%c", c);
        else if (short_form)
            fed_buf_printf(out, "\\%c", letters[short_form - runes]);
        else if (c < 0x20 || c == 0x7f)
            fed_buf_printf(out, "\\x%02x", c);
        else
            fed_buf_put_u8(out, c);
    }
    fed_buf_put_u8(out, '"');
}

/* %v of a float64: the fewest digits that read back, with an exponent below -4 and from 6 on. */
static void put_real(struct fed_buf *out, double value)
{
    char text[64];
    int digits = 1;
    int exponent;

    do {
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
    } while (strtod(text, NULL) != value && ++digits <= 17);
    exponent = strchr(text, 'e') ? (int)strtol(strchr(text, 'e') + 1, NULL, 10) : 0;
    if (exponent >= -4 && exponent < 6)
        snprintf(
            text, sizeof text, "%.*f", digits - 1 > exponent ? digits - 1 - exponent : 0, value);
    fed_buf_put_text(out, text);
}

/* Towards zero. */
static double whole_part(double value)
{
    return value > -9e18 && value < 9e18 ? (double)(int64_t)value : value;
}

/* An integer of 64 bits; 1.0 is one, too. */
static bool is_integer(const struct fed_json *value)
{
    return fed_json_int(value, 0) == fed_json_int(value, 1);
}

static bool is_int(const struct fed_json *value)
{
    return fed_json_type(value) == FED_JSON_INT && is_integer(value);
}

static bool is_number(const struct fed_json *value)
{
    return fed_json_type(value) == FED_JSON_INT || fed_json_type(value) == FED_JSON_REAL;
}

static void put_value(struct fed_buf *out, const struct fed_json *value)
{
    enum fed_err err = FED_OK;

    if (fed_json_is_string(value))
        put_quoted(out, fed_json_string(value));
    else if (is_number(value) && !is_int(value))
        put_real(out, fed_json_real(value, 0));
    else
        err = fed_json_put_canonical(out, value);
    if (err)
        fed_buf_clear(out);
}

static void cut_text(struct fed_buf *buf, char out[HUB_SCHEMA_VALUE_TEXT])
{
    snprintf(out, HUB_SCHEMA_VALUE_TEXT, "%s", fed_buf_cstr(buf));
    if (strlen(out) == HUB_SCHEMA_VALUE_TEXT - 1)
        memcpy(out + HUB_SCHEMA_VALUE_TEXT - 4, "...", 4);
    fed_buf_fini(buf);
}

void hub_schema_value_text(const struct fed_json *value, char out[HUB_SCHEMA_VALUE_TEXT])
{
    struct fed_buf buf;

    fed_buf_init(&buf, fed_alloc_system(), FED_JSON_BYTES_MAX);
    put_value(&buf, value);
    cut_text(&buf, out);
}

void hub_schema_quoted_text(struct fed_span text, char out[HUB_SCHEMA_VALUE_TEXT])
{
    struct fed_buf buf;

    fed_buf_init(&buf, fed_alloc_system(), FED_JSON_BYTES_MAX);
    put_quoted(&buf, text);
    cut_text(&buf, out);
}

static void real_text(double value, char out[40])
{
    struct fed_buf buf;

    fed_buf_init(&buf, fed_alloc_system(), 64);
    put_real(&buf, value);
    snprintf(out, 40, "%s", fed_buf_cstr(&buf));
    fed_buf_fini(&buf);
}

/* ---- type ---- */
static const char *type_name(const struct fed_json *value)
{
    static const char *const names[] = {
        "null", "null", "boolean", "integer", "number", "string", "array", "object"};
    enum fed_json_type type = fed_json_type(value);

    return names[type == FED_JSON_INT && !is_integer(value) ? FED_JSON_REAL : type];
}

static const char *const schema_type_names[] = {
    "any", "object", "array", "string", "integer", "number", "boolean"};

static bool type_fits(const struct hub_schema_node *node, const struct fed_json *value)
{
    enum fed_json_type type = fed_json_type(value);

    if (node->int_or_string)
        return is_integer(value) || type == FED_JSON_STRING;
    switch (node->type) {
    case HUB_SCHEMA_ANY:
        return true;
    case HUB_SCHEMA_OBJECT:
        return type == FED_JSON_OBJECT;
    case HUB_SCHEMA_ARRAY:
        return type == FED_JSON_ARRAY;
    case HUB_SCHEMA_STRING:
        return type == FED_JSON_STRING;
    case HUB_SCHEMA_INTEGER:
        return is_integer(value);
    case HUB_SCHEMA_NUMBER:
        return is_number(value);
    case HUB_SCHEMA_BOOLEAN:
        return type == FED_JSON_BOOL;
    }
    return false;
}

static void wrong_type(struct hub_schema_check *c, const char *wanted, const char *shown)
{
    hub_schema_cause(c, "FieldValueTypeInvalid", c->path.text,
        "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", shown, c->path.text, wanted,
        shown);
}

bool hub_schema_check_type(
    struct hub_schema_check *c, const struct hub_schema_node *node, const struct fed_json *value)
{
    unsigned format = node->rules ? node->rules->format : 0;
    bool numeric =
        node->int_or_string || node->type == HUB_SCHEMA_INTEGER || node->type == HUB_SCHEMA_NUMBER;
    enum fed_json_type type = fed_json_type(value);

    if (format && !numeric && (type == FED_JSON_STRING || type == FED_JSON_ARRAY))
        return true;
    if (type_fits(node, value))
        return true;
    if (format && type != FED_JSON_NULL && type != FED_JSON_STRING && type != FED_JSON_ARRAY)
        wrong_type(c, hub_format_name(format),
            is_int(value) ? "int64" : (is_number(value) ? "float64" : ""));
    else
        wrong_type(c, node->int_or_string ? "integer,string" : schema_type_names[node->type],
            type_name(value));
    return false;
}

/* ---- enum ---- */
static bool enum_has(const struct fed_json *one, const struct fed_json *value)
{
    if (is_number(one) && is_number(value))
        return is_int(one) ? fed_json_int(one, 0) == (int64_t)fed_json_real(value, 0)
                           : fed_json_real(one, 0) == fed_json_real(value, 0);
    return fed_json_type(one) != FED_JSON_NULL && fed_json_eq(one, value);
}

void hub_schema_check_enum(
    struct hub_schema_check *c, const struct fed_json *enums, const struct fed_json *value)
{
    struct fed_buf supported;
    char text[HUB_SCHEMA_VALUE_TEXT];
    char list[HUB_SCHEMA_VALUE_TEXT];

    for (struct fed_json_iter it = fed_json_items(enums); fed_json_iter_next(&it);)
        if (enum_has(it.value, value))
            return;
    fed_buf_init(&supported, fed_alloc_system(), FED_JSON_BYTES_MAX);
    for (struct fed_json_iter it = fed_json_items(enums); fed_json_iter_next(&it);) {
        const struct fed_json *one = it.value;
        struct fed_buf json;

        fed_buf_init(&json, fed_alloc_system(), FED_JSON_BYTES_MAX);
        fed_buf_put_text(&supported, it.index ? ", " : "");
        if (fed_json_is_string(one))
            put_quoted(&supported, fed_json_string(one));
        else if (!fed_json_put_canonical(&json, one))
            put_quoted(&supported, fed_buf_span(&json));
        fed_buf_fini(&json);
    }
    cut_text(&supported, list);
    hub_schema_value_text(value, text);
    hub_schema_cause(c, "FieldValueNotSupported", c->path.text,
        "Unsupported value: %s: supported values: %s", text, list);
}

/* ---- strings ---- */
static size_t characters(struct fed_span text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++)
        n += (text.at[i] & 0xc0) != 0x80;
    return n;
}

void hub_schema_check_string(
    struct hub_schema_check *c, const struct hub_schema_rules *rules, struct fed_span text)
{
    size_t n = characters(text);
    bool matches = true;
    char shown[HUB_SCHEMA_VALUE_TEXT];

    if (rules->max_length >= 0 && n > (uint64_t)rules->max_length) {
        hub_schema_cause(c, "FieldValueTooLong", c->path.text,
            "Too long: may not be more than %" PRId64 " %s", rules->max_length,
            rules->max_length == 1 ? "byte" : "bytes");
        return;
    }
    hub_schema_quoted_text(text, shown);
    if (rules->min_length >= 0 && n < (uint64_t)rules->min_length) {
        hub_schema_cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %s: %s in body should be at least %" PRId64 " chars long", shown,
            c->path.text, rules->min_length);
        return;
    }
    if (rules->pattern && hub_pattern_match(rules->pattern, text, &matches))
        matches = false;
    if (!matches)
        hub_schema_cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %s: %s in body should match '" FED_SPAN_FMT "'", shown, c->path.text,
            FED_SPAN_ARG(rules->pattern_text));
}

void hub_schema_check_format(
    struct hub_schema_check *c, const struct hub_schema_rules *rules, struct fed_span text)
{
    char shown[HUB_SCHEMA_VALUE_TEXT];

    if (hub_format_fits(rules->format, text))
        return;
    hub_schema_quoted_text(text, shown);
    hub_schema_cause(c, "FieldValueTypeInvalid", c->path.text,
        "Invalid value: %s: %s in body must be of type %s: %s", shown, c->path.text,
        hub_format_name(rules->format), shown);
}

/* ---- numbers; an integer is compared with the integer part of the bound ---- */
static bool is_multiple(double value, double factor)
{
    double times = factor < 1 ? 1 / factor * value : value / factor;
    double whole = whole_part(times < 0 ? times - 0.5 : times + 0.5);
    double off = times - whole;
    double size = times < 0 ? -times : times;

    return (off < 0 ? -off : off) < 1e-9 * (size > 1 ? size : 1);
}

static void check_multiple(
    struct hub_schema_check *c, const struct hub_schema_rules *rules, const struct fed_json *value)
{
    bool whole = is_int(value);
    double number = fed_json_real(value, 0);
    double factor =
        whole && rules->multiple_of >= 1 ? whole_part(rules->multiple_of) : rules->multiple_of;
    char text[HUB_SCHEMA_VALUE_TEXT];
    char bound[40];

    if (rules->multiple_of <= 0 || is_multiple(number, factor))
        return;
    hub_schema_value_text(value, text);
    real_text(factor, bound);
    if (whole)
        snprintf(bound, sizeof bound, "%.0f", factor);
    hub_schema_cause(c, "FieldValueInvalid", c->path.text,
        "Invalid value: %s: %s in body should be a multiple of %s", text, c->path.text, bound);
}

static void check_bound(struct hub_schema_check *c, const struct fed_json *value, double bound,
    bool exclusive, bool upper)
{
    bool whole = is_int(value);
    double number = fed_json_real(value, 0);
    double limit = whole ? whole_part(bound) : bound;
    bool out = upper ? number > limit : number < limit;
    char text[HUB_SCHEMA_VALUE_TEXT];
    char shown[40];

    if (whole && limit > -9e18 && limit < 9e18) {
        int64_t n = fed_json_int(value, 0);

        out = upper ? n > (int64_t)limit : n < (int64_t)limit;
        out = out || (exclusive && n == (int64_t)limit);
        snprintf(shown, sizeof shown, "%" PRId64, (int64_t)limit);
    } else {
        out = out || (exclusive && number == limit);
        real_text(limit, shown);
    }
    if (!out)
        return;
    hub_schema_value_text(value, text);
    hub_schema_cause(c, "FieldValueInvalid", c->path.text,
        "Invalid value: %s: %s in body should be %s%s %s", text, c->path.text,
        upper ? "less than" : "greater than", exclusive ? "" : " or equal to", shown);
}

void hub_schema_check_number(
    struct hub_schema_check *c, const struct hub_schema_rules *rules, const struct fed_json *value)
{
    check_multiple(c, rules, value);
    if (rules->has_minimum)
        check_bound(c, value, rules->minimum, rules->above_minimum, false);
    if (rules->has_maximum)
        check_bound(c, value, rules->maximum, rules->below_maximum, true);
}
