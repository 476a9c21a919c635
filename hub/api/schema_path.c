/* schema_path.c - see schema_path.h. */
#include "hub/api/schema_path.h"

#include <stdio.h>
#include <string.h>

static void path_put(struct hub_schema_path *path, struct fed_span text)
{
    size_t room = sizeof path->text - 1 - path->len;
    size_t n = text.len < room ? text.len : room;

    if (n > 0)
        memcpy(path->text + path->len, text.at, n);
    path->len += n;
    path->text[path->len] = '\0';
}

size_t hub_schema_path_member(struct hub_schema_path *path, struct fed_span key)
{
    size_t before = path->len;

    if (before > 0)
        path_put(path, FED_SPAN_LIT("."));
    path_put(path, key);
    return before;
}

size_t hub_schema_path_index(struct hub_schema_path *path, size_t index)
{
    size_t before = path->len;
    int n = snprintf(path->text + before, sizeof path->text - before, "[%zu]", index);

    path->len = n < 0 || (size_t)n >= sizeof path->text - before ? sizeof path->text - 1
                                                                 : before + (size_t)n;
    return before;
}

void hub_schema_path_back(struct hub_schema_path *path, size_t before)
{
    path->len = before;
    path->text[before] = '\0';
}

size_t hub_schema_path_key(struct hub_schema_path *path, struct fed_span key)
{
    size_t before = path->len;
    int n = snprintf(
        path->text + before, sizeof path->text - before, "[" FED_SPAN_FMT "]", FED_SPAN_ARG(key));

    path->len = n < 0 || (size_t)n >= sizeof path->text - before ? sizeof path->text - 1
                                                                 : before + (size_t)n;
    return before;
}
