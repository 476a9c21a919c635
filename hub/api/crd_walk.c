/* crd_walk.c - see crd_walk.h. */
#include "hub/api/crd_walk.h"

#include <stdarg.h>
#include <stdio.h>

FED_PRINTF(2, 3)
size_t hub_crd_go(struct hub_crd_walk *w, const char *format, ...)
{
    size_t before = w->len;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(w->path + before, sizeof w->path - before, format, args);
    va_end(args);
    w->len =
        n < 0 || (size_t)n >= sizeof w->path - before ? sizeof w->path - 1 : before + (size_t)n;
    return before;
}

void hub_crd_back(struct hub_crd_walk *w, size_t before)
{
    w->len = before;
    w->path[before] = 0;
}

FED_PRINTF(4, 5)
void hub_crd_note(
    struct hub_crd_walk *w, const char *reason, const char *child, const char *format, ...)
{
    char message[sizeof w->causes->list[0].message];
    size_t before = hub_crd_go(w, "%s%s", child[0] ? "." : "", child);
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    hub_causes_add(w->causes, reason, w->path, "%s", message);
    hub_crd_back(w, before);
}

void hub_crd_forbid(struct hub_crd_walk *w, const char *child, const char *why)
{
    hub_crd_note(w, "FieldValueForbidden", child, "Forbidden: %s", why);
}

void hub_crd_require(struct hub_crd_walk *w, const char *child, const char *why)
{
    hub_crd_note(w, "FieldValueRequired", child, "Required value: %s", why);
}

void hub_crd_refuse(
    struct hub_crd_walk *w, const char *child, struct fed_span value, const char *why)
{
    hub_crd_note(w, "FieldValueInvalid", child, "Invalid value: \"" FED_SPAN_FMT "\": %s",
        FED_SPAN_ARG(value), why);
}

struct fed_span hub_crd_text(const struct fed_json *from, const char *key)
{
    return fed_json_string(fed_json_get(from, key));
}

bool hub_crd_flag(const struct fed_json *from, const char *key)
{
    return fed_json_bool(fed_json_get(from, key), false);
}
