/* go_text.c - see go_text.h. */
#include "hub/api/go_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void hub_put_quoted(struct fed_buf *out, struct fed_span text)
{
    static const char hex[] = "0123456789abcdef";
    static const char names[] = "abtnvfr"; /* 7 to 13 */

    fed_buf_put_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (c == '"' || c == '\\') {
            fed_buf_put_u8(out, '\\');
            fed_buf_put_u8(out, c);
        } else if (c >= 7 && c <= 13) {
            fed_buf_put_u8(out, '\\');
            fed_buf_put_u8(out, (uint8_t)names[c - 7]);
        } else if (c < ' ' || c == 0x7f) {
            fed_buf_put_text(out, "\\x");
            fed_buf_put_u8(out, (uint8_t)hex[c >> 4]);
            fed_buf_put_u8(out, (uint8_t)hex[c & 15]);
        } else {
            fed_buf_put_u8(out, c);
        }
    }
    fed_buf_put_u8(out, '"');
}

/* How the two forms differ. */
struct style {
    const char *map_open, *map_between, *map_close;
    const char *list_open, *list_between, *list_close;
    const char *nothing;
    void (*put_text)(struct fed_buf *out, struct fed_span text);
};

static const struct style plain = {"map[", " ", "]", "[", " ", "]", "<nil>", fed_buf_put};
static const struct style syntax = {"map[string]interface {}{", ", ", "}", "[]interface {}{", ", ",
    "}", "interface {}(nil)", hub_put_quoted};

void hub_go_put_float(struct fed_buf *out, double value)
{
    char text[40];
    const char *e;
    long exponent;
    int decimals = 0;

    do /* 17 digits tell any two doubles apart */
        snprintf(text, sizeof text, "%.*e", decimals, value);
    while (strtod(text, NULL) != value && ++decimals < 17);
    e = strchr(text, 'e');
    exponent = e ? strtol(e + 1, NULL, 10) : 0;
    if (exponent >= -4 && exponent < 6)
        snprintf(
            text, sizeof text, "%.*f", decimals > exponent ? decimals - (int)exponent : 0, value);
    fed_buf_put_text(out, text);
}

struct member {
    struct fed_span key;
    const struct fed_json *value;
};

static int member_cmp(const void *a, const void *b)
{
    return fed_span_cmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static void put(struct fed_buf *out, const struct style *style, const struct fed_json *value);

static void put_map(struct fed_buf *out, const struct style *style, const struct fed_json *map)
{
    size_t n = fed_json_count(map);
    struct member *members = fed_alloc_array(fed_alloc_system(), n + 1, sizeof *members);
    struct fed_json_iter it;

    if (!members) {
        out->err = out->err ? out->err : FED_ERR_NOMEM;
        return;
    }
    fed_json_iter_init(&it, (struct fed_json *)map);
    while (fed_json_iter_next(&it))
        members[it.index] = (struct member){it.key, it.value};
    qsort(members, n, sizeof *members, member_cmp);
    fed_buf_put_text(out, style->map_open);
    for (size_t i = 0; i < n && !out->err; i++) {
        fed_buf_put_text(out, i ? style->map_between : "");
        style->put_text(out, members[i].key);
        fed_buf_put_text(out, ":");
        put(out, style, members[i].value);
    }
    fed_buf_put_text(out, style->map_close);
    fed_alloc_free(fed_alloc_system(), members, (n + 1) * sizeof *members);
}

static void put_list(struct fed_buf *out, const struct style *style, const struct fed_json *list)
{
    struct fed_json_iter it;

    fed_buf_put_text(out, style->list_open);
    fed_json_iter_init(&it, (struct fed_json *)list);
    while (!out->err && fed_json_iter_next(&it)) {
        fed_buf_put_text(out, it.index ? style->list_between : "");
        put(out, style, it.value);
    }
    fed_buf_put_text(out, style->list_close);
}

/* No deeper than a request may nest. */
static void put(struct fed_buf *out, const struct style *style, const struct fed_json *value)
{
    switch (fed_json_type(value)) {
    case FED_JSON_OBJECT:
        put_map(out, style, value);
        break;
    case FED_JSON_ARRAY:
        put_list(out, style, value);
        break;
    case FED_JSON_STRING:
        style->put_text(out, fed_json_string(value));
        break;
    case FED_JSON_BOOL:
        fed_buf_put_text(out, fed_json_bool(value, false) ? "true" : "false");
        break;
    case FED_JSON_INT:
        if (fed_json_put(out, value))
            out->err = out->err ? out->err : FED_ERR_NOMEM;
        break;
    case FED_JSON_REAL:
        hub_go_put_float(out, fed_json_real(value, 0));
        break;
    case FED_JSON_ABSENT:
    case FED_JSON_NULL:
        fed_buf_put_text(out, style->nothing);
        break;
    }
}

void hub_go_put(struct fed_buf *out, const struct fed_json *value)
{
    put(out, &plain, value);
}

void hub_go_put_syntax(struct fed_buf *out, const struct fed_json *value)
{
    put(out, &syntax, value);
}

const char *hub_go_type_of(const struct fed_json *value)
{
    static const char *const names[] = {
        [FED_JSON_ABSENT] = "<nil>",
        [FED_JSON_NULL] = "<nil>",
        [FED_JSON_BOOL] = "bool",
        [FED_JSON_INT] = "int64",
        [FED_JSON_REAL] = "float64",
        [FED_JSON_STRING] = "string",
        [FED_JSON_ARRAY] = "[]interface {}",
        [FED_JSON_OBJECT] = "map[string]interface {}",
    };

    return names[fed_json_type(value)];
}
