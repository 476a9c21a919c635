/* doc_check.c - see doc_check.h. A scanner with a stack of brackets instead of recursion. */
#include "proto/doc/doc_check.h"

#include "proto/base/text.h"

struct scan {
    struct fed_span text;
    size_t at;
    size_t depth;
    char open[FED_DOC_DEPTH_MAX];
};

static int peek(const struct scan *s)
{
    return s->at < s->text.len ? s->text.at[s->at] : -1;
}

static bool take(struct scan *s, char c)
{
    if (peek(s) != (uint8_t)c)
        return false;
    s->at++;
    return true;
}

static void skip_space(struct scan *s)
{
    int c = peek(s);

    while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        s->at++;
        c = peek(s);
    }
}

static size_t take_digits(struct scan *s)
{
    size_t n = 0;

    while (peek(s) >= '0' && peek(s) <= '9') {
        s->at++;
        n++;
    }
    return n;
}

static bool scan_number(struct scan *s)
{
    take(s, '-');
    if (!take(s, '0') && take_digits(s) == 0)
        return false;
    if (take(s, '.') && take_digits(s) == 0)
        return false;
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+'))
            take(s, '-');
        return take_digits(s) > 0;
    }
    return true;
}

/* Four hex digits behind "\u". */
static bool scan_unit(struct scan *s, unsigned *unit)
{
    uint8_t bytes[2];
    size_t len;

    if (!take(s, 'u') || fed_text_hex(fed_span_sub(s->text, s->at, 4), bytes, sizeof bytes, &len) ||
        len != 2)
        return false;
    s->at += 4;
    *unit = (unsigned)bytes[0] << 8 | bytes[1];
    return true;
}

static bool scan_escape(struct scan *s)
{
    static const char letters[] = "\"\\/bfnrt";
    unsigned unit;

    for (const char *c = letters; *c; c++) {
        if (take(s, *c))
            return true;
    }
    if (!scan_unit(s, &unit) || unit == 0 || (unit >= 0xdc00 && unit <= 0xdfff))
        return false;
    if (unit < 0xd800 || unit > 0xdbff)
        return true;
    return take(s, '\\') && scan_unit(s, &unit) && unit >= 0xdc00 && unit <= 0xdfff;
}

static bool scan_string(struct scan *s)
{
    if (!take(s, '"'))
        return false;
    for (;;) {
        int c = peek(s);

        if (c < 0x20)
            return false;
        s->at++;
        if (c == '"')
            return true;
        if (c == '\\' && !scan_escape(s))
            return false;
    }
}

static bool scan_word(struct scan *s, const char *word)
{
    struct fed_span rest = fed_span_sub(s->text, s->at, s->text.len);

    if (!fed_span_starts(rest, word))
        return false;
    s->at += fed_span_text(word).len;
    return true;
}

static bool scan_scalar(struct scan *s)
{
    switch (peek(s)) {
    case '"':
        return scan_string(s);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    default:
        return scan_number(s);
    }
}

static bool scan_key(struct scan *s)
{
    skip_space(s);
    if (!scan_string(s))
        return false;
    skip_space(s);
    return take(s, ':');
}

/* Closes what ends here; *more says whether another value follows. */
static bool scan_after(struct scan *s, bool *more)
{
    while (s->depth) {
        char open = s->open[s->depth - 1];

        skip_space(s);
        if (take(s, ',')) {
            *more = true;
            return open == '[' || scan_key(s);
        }
        if (!take(s, open == '[' ? ']' : '}'))
            return false;
        s->depth--;
    }
    skip_space(s);
    *more = false;
    return s->at == s->text.len;
}

/* Opens a bracket; *empty when it was closed at once. FED_ERR_LIMIT, FED_ERR_INVALID. */
static enum fed_err scan_open(struct scan *s, bool *empty)
{
    char open = (char)s->text.at[s->at++];

    if (s->depth == FED_DOC_DEPTH_MAX)
        return FED_ERR_LIMIT;
    s->open[s->depth++] = open;
    skip_space(s);
    *empty = peek(s) == (open == '[' ? ']' : '}');
    if (*empty || open == '[')
        return FED_OK;
    return scan_key(s) ? FED_OK : FED_ERR_INVALID;
}

static enum fed_err scan_document(struct scan *s)
{
    bool more = true;

    while (more) {
        bool empty = false;

        skip_space(s);
        if (peek(s) == '{' || peek(s) == '[') {
            enum fed_err err = scan_open(s, &empty);

            if (err)
                return err;
            if (!empty)
                continue;
        } else if (!scan_scalar(s)) {
            return FED_ERR_INVALID;
        }
        if (!scan_after(s, &more))
            return FED_ERR_INVALID;
    }
    return FED_OK;
}

enum fed_err fed_doc_check(struct fed_span text, struct fed_diag *diag)
{
    struct scan s = {.text = text};
    enum fed_err err;

    if (!fed_text_is_utf8(text))
        return fed_diag_set(diag, FED_ERR_INVALID, "JSON: not UTF-8");
    err = scan_document(&s);
    if (err == FED_ERR_LIMIT)
        return fed_diag_set(diag, err, "JSON: nested deeper than %u levels", FED_DOC_DEPTH_MAX);
    if (err)
        return fed_diag_set(diag, err, "JSON: not valid at byte %zu", s.at);
    return FED_OK;
}
