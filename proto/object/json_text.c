/* json_text.c - see json_text.h. */
#include "proto/object/json_text.h"

#include <string.h>

/* Each returns the index behind what begins at i, SIZE_MAX when the text ends before. */
static size_t skip_string(struct fed_span text, size_t i)
{
    size_t at = i + 1;

    while (at < text.len) {
        const uint8_t *quote = memchr(text.at + at, '"', text.len - at);
        size_t escapes = 0;

        if (!quote)
            break;
        at = (size_t)(quote - text.at);
        while (text.at[at - 1 - escapes] == '\\')
            escapes++;
        at++;
        if (escapes % 2 == 0)
            return at;
    }
    return SIZE_MAX;
}

static size_t skip_nested(struct fed_span text, size_t i)
{
    size_t depth = 0;

    while (i < text.len) {
        uint8_t c = text.at[i];

        if (c == '"') {
            i = skip_string(text, i);
            continue;
        }
        i++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return i;
    }
    return SIZE_MAX;
}

static size_t skip_value(struct fed_span text, size_t i)
{
    size_t begin = i;

    if (i < text.len && text.at[i] == '"')
        return skip_string(text, i);
    if (i < text.len && (text.at[i] == '{' || text.at[i] == '['))
        return skip_nested(text, i);
    while (i < text.len && text.at[i] != ',' && text.at[i] != '}' && text.at[i] != ']')
        i++;
    return i == begin || i == text.len ? SIZE_MAX : i;
}

void fed_json_text_open(struct fed_json_text_cursor *c, struct fed_span object)
{
    *c = (struct fed_json_text_cursor){
        .object = object, .at = fed_span_starts(object, "{") ? 1 : object.len};
}

bool fed_json_text_next(struct fed_json_text_cursor *c)
{
    struct fed_span object = c->object;
    size_t key_end;
    size_t end;

    if (c->at >= object.len || object.at[c->at] != '"')
        return false;
    key_end = skip_string(object, c->at);
    if (key_end >= object.len || object.at[key_end] != ':')
        return false;
    end = skip_value(object, key_end + 1);
    if (end >= object.len)
        return false;
    c->key = fed_span_sub(object, c->at + 1, key_end - c->at - 2);
    c->value = fed_span_sub(object, key_end + 1, end - key_end - 1);
    c->at = object.at[end] == ',' ? end + 1 : object.len;
    return true;
}

bool fed_json_text_member_span(struct fed_span object, struct fed_span key, struct fed_span *value)
{
    struct fed_json_text_cursor c;
    bool found = false;

    *value = (struct fed_span){0};
    fed_json_text_open(&c, object);
    while (fed_json_text_next(&c)) {
        if (!fed_span_eq(c.key, key))
            continue;
        *value = c.value;
        found = true;
    }
    return found;
}

size_t fed_json_text_first(
    struct fed_span object, const char *const *keys, size_t n, struct fed_span *values)
{
    struct fed_json_text_cursor c;
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        values[i] = (struct fed_span){0};
    fed_json_text_open(&c, object);
    while (found < n && fed_json_text_next(&c)) {
        for (size_t i = 0; i < n; i++) {
            if (values[i].len == 0 && fed_span_is(c.key, keys[i])) {
                values[i] = c.value;
                found++;
                break;
            }
        }
    }
    return found;
}

bool fed_json_text_member(struct fed_span object, const char *key, struct fed_span *value)
{
    return fed_json_text_member_span(object, fed_span_text(key), value);
}

bool fed_json_text_string(struct fed_span value, struct fed_span *out)
{
    if (value.len < 2 || value.at[0] != '"' || memchr(value.at, '\\', value.len))
        return false;
    *out = fed_span_sub(value, 1, value.len - 2);
    return true;
}
