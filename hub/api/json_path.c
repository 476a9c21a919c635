/* json_path.c - the part of JSONPath that printer columns use: .a.b, ['k'], [0], [*],
 * [?(@.k=="v")], escaped dots.
 *
 * Source: Kubernetes "JSONPath Support"; the first match counts, as for a table's cell. */
#include "hub/api/internal.h"

#include <string.h>

static bool is_end_of_name(char c)
{
    return c == 0 || c == '.' || c == '[' || c == '|';
}

/* Reads a name with "\." escapes; *path moves behind it. */
static const struct fed_json *step_name(const struct fed_json *from, const char **path)
{
    char name[256];
    size_t len = 0;

    while (!is_end_of_name(**path)) {
        if (**path == '\\' && (*path)[1])
            (*path)++;
        if (len < sizeof name - 1)
            name[len++] = **path;
        (*path)++;
    }
    return len > 0 ? fed_json_get_span(from, fed_span_of(name, len)) : from;
}

/* [?(@.KEY=="VALUE")] */
static const struct fed_json *step_filter(const struct fed_json *from, struct fed_span inside)
{
    struct fed_span key = fed_span_sub(inside, 4, inside.len);
    size_t equals = fed_span_find(key, '=');
    struct fed_span value = fed_span_sub(key, equals + 2, key.len);

    key = fed_span_sub(key, 0, equals);
    if (value.len < 3)
        return NULL;
    value = fed_span_sub(value, 1, value.len - 3); /* quotes and the closing bracket */
    for (size_t i = 0; i < fed_json_count(from); i++) {
        const struct fed_json *item = fed_json_at(from, i);

        if (fed_span_eq(fed_json_string(fed_json_get_span(item, key)), value))
            return item;
    }
    return NULL;
}

static const struct fed_json *step_bracket(const struct fed_json *from, const char **path)
{
    const char *end = strchr(*path, ']');
    struct fed_span inside;
    uint64_t index;

    if (!end)
        return NULL;
    inside = fed_span_of(*path + 1, (size_t)(end - *path) - 1);
    *path = end + 1;
    if (fed_span_starts(inside, "?(@."))
        return step_filter(from, inside);
    if (fed_span_starts(inside, "'") && inside.len > 2)
        return fed_json_get_span(from, fed_span_sub(inside, 1, inside.len - 2));
    if (fed_span_is(inside, "*"))
        return fed_json_at(from, 0);
    return fed_span_to_u64(inside, &index) ? NULL : fed_json_at(from, (size_t)index);
}

const struct fed_json *hub_json_path(const struct fed_json *from, const char *path)
{
    while (from && *path && *path != '|') {
        if (*path == '.')
            path++;
        if (*path == '[')
            from = step_bracket(from, &path);
        else
            from = step_name(from, &path);
    }
    return from;
}
