/* yaml_scalar.c - YAML 1.1's core schema as kubectl's parser reads it: yes and on are booleans, 010
 * is eight, 1_000 a thousand. Source: yaml.org/type (bool, int, float, null). */
#include "ports/kube/yaml_scalar.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 64u

/* Characters beyond ASCII that YAML takes in escapes only, or as ends of lines (c-printable and
 * b-char of YAML 1.1, section 5): JSON that has them escaped is the same as YAML. The bytes that
 * one takes at the beginning of text, with its code; 0 when the first character is another. */
static size_t special(struct fed_span text, unsigned *code)
{
    static const struct {
        const char *bytes;
        unsigned code;
    } list[] = {{"\x7f", 0x7f}, {"\xe2\x80\xa8", 0x2028}, {"\xe2\x80\xa9", 0x2029},
        {"\xef\xbb\xbf", 0xfeff}, {"\xef\xbf\xbe", 0xfffe}, {"\xef\xbf\xbf", 0xffff}};

    if (text.len > 1 && text.at[0] == 0xc2 && text.at[1] < 0xa0) {
        *code = text.at[1];
        return 2;
    }
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        if (fed_span_starts(text, list[i].bytes)) {
            *code = list[i].code;
            return strlen(list[i].bytes);
        }
    }
    return 0;
}

void yaml_string_put(struct fed_buf *out, struct fed_span text)
{
    fed_buf_put_u8(out, '"');
    while (text.len > 0) {
        uint8_t c = text.at[0];
        unsigned code = c;
        size_t n = c < 0x20 ? 1 : c < 0x7f ? 0 : special(text, &code);

        if (n > 0)
            fed_buf_printf(out, "\\u%04x", code);
        else if (c == '"' || c == '\\')
            fed_buf_printf(out, "\\%c", c);
        else
            fed_buf_put_u8(out, c);
        text = fed_span_sub(text, n > 0 ? n : 1, text.len);
    }
    fed_buf_put_u8(out, '"');
}

static bool is_one_of(struct fed_span text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fed_span_is(text, words[i]))
            return true;
    }
    return false;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__})
#define COUNT(...) (sizeof(WORDS(__VA_ARGS__)) / sizeof(char *))
#define IS(text, ...) is_one_of(text, WORDS(__VA_ARGS__), COUNT(__VA_ARGS__))

static bool put_word(struct fed_buf *out, struct fed_span text)
{
    if (text.len == 0 || IS(text, "~", "null", "Null", "NULL"))
        fed_buf_put_text(out, "null");
    else if (IS(text, "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
        fed_buf_put_text(out, "true");
    else if (IS(text, "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
        fed_buf_put_text(out, "false");
    else
        return false;
    return true;
}

/* Without underscores, as a C string; false when it cannot be a number. */
static bool number_text(struct fed_span text, char out[NUMBER_MAX])
{
    size_t n = 0;

    if (text.len == 0 || text.len >= NUMBER_MAX ||
        !(isdigit(text.at[0]) || strchr("+-.", text.at[0])))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '_' && i > 0)
            continue;
        if (text.at[i] == '\0')
            return false;
        out[n++] = (char)text.at[i];
    }
    out[n] = '\0';
    return true;
}

static bool all(const char *text, int (*is)(int))
{
    if (!*text)
        return false;
    for (; *text; text++) {
        if (!is((unsigned char)*text))
            return false;
    }
    return true;
}

static int is_octal(int c)
{
    return c >= '0' && c <= '7';
}

static int is_binary(int c)
{
    return c == '0' || c == '1';
}

static bool put_based(struct fed_buf *out, bool negative, const char *digits, int base)
{
    char *end;
    unsigned long long value = strtoull(digits, &end, base);

    if (*end || value == ULLONG_MAX)
        return false;
    fed_buf_printf(out, "%s%llu", negative && value ? "-" : "", value);
    return true;
}

static bool put_integer(struct fed_buf *out, const char *text)
{
    bool negative = *text == '-';

    if (*text == '+' || *text == '-')
        text++;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X') && all(text + 2, isxdigit))
        return put_based(out, negative, text + 2, 16);
    if (text[0] == '0' && text[1] == 'b' && all(text + 2, is_binary))
        return put_based(out, negative, text + 2, 2);
    if (text[0] == '0' && text[1] == 'o' && all(text + 2, is_octal))
        return put_based(out, negative, text + 2, 8);
    if (text[0] == '0' && all(text, is_octal) && text[1])
        return put_based(out, negative, text, 8);
    if (!all(text, isdigit) || (text[0] == '0' && text[1]))
        return false;
    fed_buf_printf(out, "%s%s", negative ? "-" : "", text);
    return true;
}

/* Digits, one dot, an exponent: what strtod would also take of words and hex is not a YAML float.
 */
static bool looks_like_float(const char *text)
{
    bool digit = false;
    bool dot_or_exponent = false;

    for (size_t i = text[0] == '+' || text[0] == '-'; text[i]; i++) {
        if (isdigit((unsigned char)text[i]))
            digit = true;
        else if (text[i] == '.' || ((text[i] == 'e' || text[i] == 'E') && digit))
            dot_or_exponent = true;
        else if (!((text[i] == '+' || text[i] == '-') && i > 0 &&
                     (text[i - 1] == 'e' || text[i - 1] == 'E')))
            return false;
    }
    return digit && dot_or_exponent;
}

static enum fed_err put_float(struct fed_buf *out, const char *text, bool *done)
{
    char *end;
    double value;

    *done = false;
    if (IS(fed_span_text(text), ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf",
            "-.INF", ".nan", ".NaN", ".NAN"))
        return FED_ERR_INVALID;
    if (!looks_like_float(text))
        return FED_OK;
    value = strtod(text, &end);
    if (*end || !isfinite(value))
        return *end ? FED_OK : FED_ERR_INVALID;
    *done = true;
    if (value == floor(value) && fabs(value) < 1e15)
        fed_buf_printf(out, "%.0f", value);
    else
        fed_buf_printf(out, "%.17g", value);
    return FED_OK;
}

enum fed_err yaml_scalar_put(struct fed_buf *out, struct fed_span text)
{
    char number[NUMBER_MAX];
    bool done = false;
    enum fed_err err;

    if (put_word(out, text))
        return FED_OK;
    if (number_text(text, number)) {
        if (put_integer(out, number))
            return FED_OK;
        err = put_float(out, number, &done);
        if (err || done)
            return err;
    }
    yaml_string_put(out, text);
    return FED_OK;
}

/* ---- what must be quoted; source: go.yaml.in/yaml/v2 resolve.go, encode.go ---- */
#define PLAIN_MAX 512u

/* Digits at *at, at most max of them, whose value is below limit; moves *at behind them. */
static bool take_digits(const char **at, unsigned max, unsigned limit)
{
    unsigned value = 0;
    unsigned n = 0;

    for (; n < max && isdigit((unsigned char)**at); n++)
        value = value * 10 + (unsigned)(*(*at)++ - '0');
    return n > 0 && value < limit;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static bool skip_fraction(const char **at)
{
    if (!take_char(at, '.'))
        return true;
    if (!isdigit((unsigned char)**at))
        return false;
    while (isdigit((unsigned char)**at))
        (*at)++;
    return true;
}

static bool take_zone(const char **at)
{
    if (take_char(at, 'Z'))
        return true;
    return (take_char(at, '+') || take_char(at, '-')) && take_digits(at, 2, 25) &&
           take_char(at, ':') && take_digits(at, 2, 61);
}

/* A date, or a date and a time: behind T with a zone, behind a space without. */
static bool is_timestamp(const char *text)
{
    const char *at = text;
    bool zone;

    if (!take_digits(&at, 4, 10000) || at - text != 4 || !take_char(&at, '-') ||
        !take_digits(&at, 2, 13) || !take_char(&at, '-') || !take_digits(&at, 2, 32))
        return false;
    if (!*at)
        return true;
    zone = *at == 'T' || *at == 't';
    if (!zone && *at != ' ')
        return false;
    at++;
    if (!take_digits(&at, 2, 24) || !take_char(&at, ':') || !take_digits(&at, 2, 60) ||
        !take_char(&at, ':') || !take_digits(&at, 2, 60) || !skip_fraction(&at))
        return false;
    return (!zone || take_zone(&at)) && !*at;
}

/* Base 60, which YAML 1.1 has for times of the day: 12:30:45, 190:20.5. */
static bool is_base60(const char *at)
{
    bool some = false;

    if (*at == '+' || *at == '-')
        at++;
    if (!isdigit((unsigned char)*at))
        return false;
    while (isdigit((unsigned char)*at) || *at == '_')
        at++;
    while (*at == ':') {
        at++;
        if (!take_digits(&at, 2, 60))
            return false;
        some = true;
    }
    if (some && *at == '.')
        for (at++; isdigit((unsigned char)*at) || *at == '_';)
            at++;
    return some && !*at;
}

/* 0x1f, 0o17, 0b101; more than 64 bits are no number. */
static bool is_based(const char *text)
{
    static const struct {
        char letter;
        size_t digits; /* of 64 bits */
        int (*is)(int);
    } bases[] = {{'x', 16, isxdigit}, {'o', 22, is_octal}, {'b', 64, is_binary}};

    if (*text == '+' || *text == '-')
        text++;
    for (size_t i = 0; text[0] == '0' && i < sizeof bases / sizeof *bases; i++)
        if (tolower((unsigned char)text[1]) == bases[i].letter && all(text + 2, bases[i].is))
            return strlen(text + 2 + strspn(text + 2, "0")) <= bases[i].digits;
    return false;
}

static bool is_decimal(const char *text)
{
    size_t digits;
    char *end;

    text += *text == '+' || *text == '-';
    digits = strspn(text, "0123456789");
    if (digits == 0 && !(text[0] == '.' && isdigit((unsigned char)text[1])))
        return false;
    if (strspn(text, "0123456789.eE+-") != strlen(text))
        return false;
    return isfinite(strtod(text, &end)) && !*end;
}

bool yaml_scalar_is_text(struct fed_span text)
{
    char given[PLAIN_MAX];
    char plain[PLAIN_MAX];
    size_t n = 0;

    if (text.len == 0 ||
        IS(text, "~", "null", "Null", "NULL", "<<", ".inf", ".Inf", ".INF", "+.inf", "+.Inf",
            "+.INF", "-.inf", "-.Inf", "-.INF", ".nan", ".NaN", ".NAN") ||
        IS(text, "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON") ||
        IS(text, "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
        return false;
    if (!isdigit(text.at[0]) && !strchr("+-.", text.at[0]))
        return true;
    if (fed_span_to_cstr(text, given, sizeof given))
        return text.len < sizeof given; /* with a NUL it is no number; what is long is quoted */
    for (size_t i = 0; given[i]; i++)
        if (given[i] != '_')
            plain[n++] = given[i];
    plain[n] = '\0';
    return !is_timestamp(given) && !is_base60(given) && !is_based(plain) && !is_decimal(plain);
}
