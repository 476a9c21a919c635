/* scan.c - see scan.h. */
#include "agent/scan.h"

struct cursor {
    struct fed_span text;
    size_t at;
};

static void skip_space(struct cursor *c)
{
    while (c->at < c->text.len) {
        uint8_t b = c->text.at[c->at];

        if (b != ' ' && b != '\t' && b != '\n' && b != '\r')
            return;
        c->at++;
    }
}

static bool take(struct cursor *c, uint8_t byte)
{
    skip_space(c);
    if (c->at >= c->text.len || c->text.at[c->at] != byte)
        return false;
    c->at++;
    return true;
}

static bool skip_string(struct cursor *c)
{
    if (!take(c, '"'))
        return false;
    while (c->at < c->text.len) {
        uint8_t b = c->text.at[c->at++];

        if (b == '"')
            return true;
        if (b == '\\')
            c->at++;
    }
    return false;
}

/* Brackets are counted, strings are stepped over; what stands between is not judged here. */
static bool skip_nested(struct cursor *c)
{
    size_t depth = 0;

    while (c->at < c->text.len) {
        uint8_t b = c->text.at[c->at];

        if (b == '"') {
            if (!skip_string(c))
                return false;
            continue;
        }
        c->at++;
        if (b == '{' || b == '[')
            depth++;
        else if (b == '}' || b == ']')
            depth--;
        if (depth == 0)
            return true;
    }
    return false;
}

static bool skip_value(struct cursor *c, struct fed_span *out)
{
    size_t start;

    skip_space(c);
    start = c->at;
    if (c->at >= c->text.len)
        return false;
    if (c->text.at[c->at] == '{' || c->text.at[c->at] == '[') {
        if (!skip_nested(c))
            return false;
    } else if (c->text.at[c->at] == '"') {
        if (!skip_string(c))
            return false;
    } else {
        while (c->at < c->text.len && c->text.at[c->at] != ',' && c->text.at[c->at] != '}' &&
               c->text.at[c->at] != ']')
            c->at++;
    }
    *out = fed_span_sub(c->text, start, c->at - start);
    return out->len > 0;
}

static enum fed_err scan_items(struct cursor *c, agent_scan_each *each, void *ctx)
{
    struct fed_span item;
    enum fed_err err;

    if (!take(c, '['))
        return skip_value(c, &item) ? FED_OK : FED_ERR_INVALID; /* null: no items */
    if (take(c, ']'))
        return FED_OK;
    do {
        if (!skip_value(c, &item))
            return FED_ERR_INVALID;
        err = each(ctx, item);
        if (err)
            return err;
    } while (take(c, ','));
    return take(c, ']') ? FED_OK : FED_ERR_INVALID;
}

static enum fed_err scan_member(
    struct cursor *c, agent_scan_each *each, void *ctx, struct fed_span *metadata)
{
    struct fed_span key;
    struct fed_span value;

    skip_space(c);
    if (c->at >= c->text.len || c->text.at[c->at] != '"' || !skip_value(c, &key) || !take(c, ':'))
        return FED_ERR_INVALID;
    if (fed_span_is(key, "\"items\""))
        return scan_items(c, each, ctx);
    if (!skip_value(c, &value))
        return FED_ERR_INVALID;
    if (fed_span_is(key, "\"metadata\""))
        *metadata = value;
    return FED_OK;
}

enum fed_err agent_scan_list(
    struct fed_span text, agent_scan_each *each, void *ctx, struct fed_span *metadata)
{
    struct cursor c = {.text = text};
    struct fed_span found = {0};
    enum fed_err err;

    if (!take(&c, '{'))
        return FED_ERR_INVALID;
    if (!take(&c, '}')) {
        do {
            err = scan_member(&c, each, ctx, &found);
            if (err)
                return err;
        } while (take(&c, ','));
        if (!take(&c, '}'))
            return FED_ERR_INVALID;
    }
    skip_space(&c);
    if (c.at != text.len)
        return FED_ERR_INVALID;
    *metadata = found;
    return FED_OK;
}
