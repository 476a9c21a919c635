/* format.c - see format.h. What is a regular expression there is one here. */
#include "hub/api/format.h"

#include "hub/api/pattern.h"
#include "proto/base/text.h"

#include <string.h>

/* ---- words ---- */
static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static bool matches(const char *pattern, struct fed_span text)
{
    struct hub_pattern *compiled;
    bool ok = false;

    if (hub_pattern_new(fed_alloc_system(), fed_span_text(pattern), &compiled, NULL))
        return false;
    if (hub_pattern_match(compiled, text, &ok))
        ok = false;
    hub_pattern_free(compiled);
    return ok;
}

/* Between 1 and max digits; *out their value. */
static bool take_number(struct fed_span *text, size_t max, unsigned *out)
{
    size_t n = 0;

    for (*out = 0; n < text->len && n < max && is_digit(text->at[n]); n++)
        *out = *out * 10 + (unsigned)(text->at[n] - '0');
    *text = fed_span_sub(*text, n, text->len);
    return n > 0;
}

static bool take_char(struct fed_span *text, uint8_t c)
{
    if (text->len == 0 || text->at[0] != c)
        return false;
    *text = fed_span_sub(*text, 1, text->len);
    return true;
}

/* ---- addresses; leading zeros are allowed, as in netutils.ParseIPSloppy ---- */
static bool take_ipv4(struct fed_span text)
{
    for (int i = 0; i < 4; i++) {
        size_t before = text.len;
        unsigned n;

        if ((i > 0 && !take_char(&text, '.')) || !take_number(&text, 32, &n))
            return false;
        if (n > 255 || before - text.len > 32)
            return false;
    }
    return text.len == 0;
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

static bool take_ipv6(struct fed_span text)
{
    size_t groups = 0;
    bool gap = false;

    if (fed_span_starts(text, "::")) {
        gap = true;
        text = fed_span_sub(text, 2, text.len);
    }
    while (text.len > 0) {
        size_t n = 0;

        while (n < text.len && n < 5 && is_hex(text.at[n]))
            n++;
        if (n < text.len && text.at[n] == '.' && groups + 2 <= 8)
            return take_ipv4(text) && (gap ? groups + 2 < 8 : groups + 2 == 8);
        if (n == 0 || n > 4 || ++groups > 8)
            return false;
        text = fed_span_sub(text, n, text.len);
        if (text.len == 0)
            break;
        if (!take_char(&text, ':') || text.len == 0)
            return false;
        if (text.at[0] == ':') {
            if (gap)
                return false;
            gap = true;
            text = fed_span_sub(text, 1, text.len);
        }
    }
    return gap ? groups < 8 : groups == 8;
}

static bool is_ipv4(struct fed_span text)
{
    return take_ipv4(text);
}

static bool is_ipv6(struct fed_span text)
{
    return take_ipv6(text);
}

static bool is_cidr(struct fed_span text)
{
    size_t slash = fed_span_find(text, '/');
    struct fed_span address = fed_span_sub(text, 0, slash);
    struct fed_span bits = fed_span_sub(text, slash + 1, text.len);
    bool four = take_ipv4(address);
    unsigned n;

    return (four || take_ipv6(address)) && take_number(&bits, 3, &n) && bits.len == 0 &&
           n <= (four ? 32u : 128u);
}

static bool is_mac(struct fed_span text)
{
    static const char *const patterns[] = {"^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$",
        "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){7}$", "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){19}$",
        "^[0-9a-fA-F]{2}(-[0-9a-fA-F]{2}){5}$", "^[0-9a-fA-F]{2}(-[0-9a-fA-F]{2}){7}$",
        "^[0-9a-fA-F]{2}(-[0-9a-fA-F]{2}){19}$", "^[0-9a-fA-F]{4}(\\.[0-9a-fA-F]{4}){2}$",
        "^[0-9a-fA-F]{4}(\\.[0-9a-fA-F]{4}){3}$", "^[0-9a-fA-F]{4}(\\.[0-9a-fA-F]{4}){9}$"};

    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (matches(patterns[i], text))
            return true;
    return false;
}

/* Letters and symbols of other scripts count as letters. */
static bool is_hostname(struct fed_span text)
{
    struct fed_span label;

    if (text.len > 255 ||
        !matches("^([a-zA-Z0-9\\x{80}-\\x{10ffff}]((-?[a-zA-Z0-9\\x{80}-"
                 "\\x{10ffff}]{0,62})?)|([a-zA-Z0-9\\x{80}-\\x{10ffff}](([a-zA-Z0-"
                 "9\\x{80}-\\x{10ffff}-]{0,61}[a-zA-Z0-9\\x{80}-\\x{10ffff}])?)(\\"
                 ".)){1,}([a-zA-Z\\x{80}-\\x{10ffff}]){2,63})$",
            text))
        return false;
    while (fed_span_split(&text, '.', &label))
        if (label.len > 63)
            return false;
    return true;
}

static bool is_atext(uint8_t c)
{
    return is_letter(c) || is_digit(c) || c >= 0x80 || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* An address of RFC 5322 without comments: NAME <LOCAL@DOMAIN> or LOCAL@DOMAIN. */
static bool is_address(struct fed_span text)
{
    size_t at = fed_span_find(text, '@');
    bool word = false;

    if (at == 0 || at + 1 >= text.len)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (i == at || text.at[i] == '.') {
            if (!word)
                return false;
            word = false;
        } else if (!is_atext(text.at[i])) {
            return false;
        } else {
            word = true;
        }
    }
    return word;
}

static bool is_email(struct fed_span text)
{
    size_t open = fed_span_find(text, '<');

    while (text.len > 0 && text.at[0] == ' ')
        text = fed_span_sub(text, 1, text.len);
    if (open == text.len || text.len == 0 || text.at[text.len - 1] != '>')
        return is_address(text);
    open = fed_span_find(text, '<');
    for (size_t i = 0; i < open; i++)
        if (!is_atext(text.at[i]) && text.at[i] != ' ' && text.at[i] != '"' && text.at[i] != '.')
            return false;
    return is_address(fed_span_sub(text, open + 1, text.len - open - 2));
}

/* What Go's url.ParseRequestURI takes: an absolute URI or an absolute path. */
static bool is_uri(struct fed_span text)
{
    size_t colon = fed_span_find(text, ':');

    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < 0x20 || text.at[i] == 0x7f)
            return false;
        if (text.at[i] == '%' &&
            (i + 2 >= text.len || !is_hex(text.at[i + 1]) || !is_hex(text.at[i + 2])) &&
            i < fed_span_find(text, '?'))
            return false;
    }
    if (fed_span_starts(text, "/"))
        return true;
    if (colon == 0 || colon == text.len || !is_letter(text.at[0]))
        return false;
    for (size_t i = 1; i < colon; i++)
        if (!is_letter(text.at[i]) && !is_digit(text.at[i]) && !strchr("+-.", text.at[i]))
            return false;
    if (fed_span_sub(text, colon + 1, text.len).len == 0)
        return false;
    return !matches("^[^:]*://[^/?]* ", text);
}

/* ---- dates ---- */
static bool is_date(struct fed_span text)
{
    char full[32];
    int64_t ignored;

    if (text.len != 10)
        return false;
    memcpy(full, text.at, 10);
    memcpy(full + 10, "T00:00:00Z", 11);
    return fed_text_time_parse(fed_span_text(full), &ignored) == FED_OK;
}

static bool is_datetime(struct fed_span text)
{
    int64_t ignored;

    return fed_text_time_parse(text, &ignored) == FED_OK;
}

/* Go's durations, and words as of Scala: "3 days". */
static bool is_duration(struct fed_span text)
{
    return matches("^[-+]?(0|([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$", text) ||
           matches("(?i)([0-9]+)\\s*(nano|nanosecond|ns|micro|microsecond|us|milli|millisecond|ms|"
                   "second|sec|s\\b|minute|min|m\\b|hour|hr|h\\b|day|d\\b|week|wk|w\\b)",
               text);
}

/* ---- numbers with check digits ---- */
static size_t keep_digits(struct fed_span text, char out[64], bool with_x)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len && n < 63; i++)
        if (is_digit(text.at[i]) || (with_x && (text.at[i] | 32) == 'x'))
            out[n++] = (char)text.at[i];
    out[n] = 0;
    return n;
}

static bool is_isbn10(struct fed_span text)
{
    char digits[64];
    unsigned sum = 0;

    if (!matches("^[0-9 -]*[0-9xX]$", text) || keep_digits(text, digits, true) != 10)
        return false;
    for (unsigned i = 0; i < 9; i++)
        sum += (i + 1) * (unsigned)(digits[i] - '0');
    sum += 10 * ((digits[9] | 32) == 'x' ? 10 : (unsigned)(digits[9] - '0'));
    return sum % 11 == 0;
}

static bool is_isbn13(struct fed_span text)
{
    char digits[64];
    unsigned sum = 0;

    if (!matches("^[0-9 -]+$", text) || keep_digits(text, digits, false) != 13)
        return false;
    for (unsigned i = 0; i < 13; i++)
        sum += (i % 2 ? 3 : 1) * (unsigned)(digits[i] - '0');
    return sum % 10 == 0;
}

static bool is_isbn(struct fed_span text)
{
    return is_isbn10(text) || is_isbn13(text);
}

static bool is_creditcard(struct fed_span text)
{
    char digits[64];
    size_t n = keep_digits(text, digits, false);
    unsigned sum = 0;

    if (!matches("^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47]["
                 "0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\\d{3})\\d{11})$",
            fed_span_text(digits)))
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = (unsigned)(digits[n - 1 - i] - '0') * (i % 2 ? 2 : 1);

        sum += digit > 9 ? digit - 9 : digit;
    }
    return sum % 10 == 0;
}

static bool is_byte(struct fed_span text)
{
    return text.len > 0 &&
           matches(
               "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$",
               text);
}

static bool is_password(struct fed_span text)
{
    (void)text;
    return true;
}

static const struct format {
    const char *name; /* without hyphens */
    bool (*fits)(struct fed_span text);
    const char *pattern; /* when fits is NULL */
} formats[] = {
    {"", NULL, ""},
    {"bsonobjectid", NULL, "^[0-9a-fA-F]{24}$"},
    {"uri", is_uri, NULL},
    {"email", is_email, NULL},
    {"hostname", is_hostname, NULL},
    {"ipv4", is_ipv4, NULL},
    {"ipv6", is_ipv6, NULL},
    {"cidr", is_cidr, NULL},
    {"mac", is_mac, NULL},
    {"uuid", NULL, "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"},
    {"uuid3", NULL, "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$"},
    {"uuid4", NULL,
        "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"},
    {"uuid5", NULL,
        "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"},
    {"isbn", is_isbn, NULL},
    {"isbn10", is_isbn10, NULL},
    {"isbn13", is_isbn13, NULL},
    {"creditcard", is_creditcard, NULL},
    {"ssn", NULL, "^\\d{3}[- ]?\\d{2}[- ]?\\d{4}$"},
    {"hexcolor", NULL, "^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"},
    {"rgbcolor", NULL,
        "^rgb\\(\\s*(0|[1-9]\\d?|1\\d\\d?|2[0-4]\\d|25[0-5])\\s*,\\s*(0|[1-9]\\d?|1\\d\\d?|2[0-4]"
        "\\d|25["
        "0-5])\\s*,\\s*(0|[1-9]\\d?|1\\d\\d?|2[0-4]\\d|25[0-5])\\s*\\)$"},
    {"byte", is_byte, NULL},
    {"password", is_password, NULL},
    {"date", is_date, NULL},
    {"duration", is_duration, NULL},
    {"datetime", is_datetime, NULL},
};

unsigned hub_format_find(struct fed_span name)
{
    char plain[16];
    size_t n = 0;

    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] == '-')
            continue;
        if (n == sizeof plain - 1)
            return 0;
        plain[n++] = (char)name.at[i];
    }
    plain[n] = 0;
    for (unsigned i = 1; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, plain) == 0)
            return i;
    return 0;
}

const char *hub_format_name(unsigned format)
{
    if (format == 0 || format >= sizeof formats / sizeof *formats)
        return "";
    return strcmp(formats[format].name, "datetime") == 0 ? "date-time" : formats[format].name;
}

bool hub_format_fits(unsigned format, struct fed_span text)
{
    if (format == 0 || format >= sizeof formats / sizeof *formats)
        return true;
    return formats[format].fits ? formats[format].fits(text)
                                : matches(formats[format].pattern, text);
}
