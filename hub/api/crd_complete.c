/* crd_complete.c - a definition that the hub needs, given by somebody else: KubeFed's own, one that
 * `kubefedctl enable` generated, one of an older hub.
 *
 * What is given stays, and gets what is missing of what the hub itself writes and reads: versions,
 * the status subresource, fields. What it demands beyond that is loosened, so that objects which
 * the hub writes are valid. A conflict is refused: another scope or kind, another stored version,
 * another type of a field. */
#include "hub/api/crd_parts.h"
#include "hub/api/internal.h"

#include <stdio.h>
#include <string.h>

#define PRESERVE "x-kubernetes-preserve-unknown-fields"
#define DEPTH_MAX 64u

struct completion {
    struct fed_json_doc *doc;
    struct fed_buf *kept; /* what is other than was asked for, behind "; " */
    struct fed_diag *diag;
    char path[256]; /* "version v1beta1.spec.a" */
    size_t len;
    unsigned depth;
};

static struct fed_span text_at(const struct fed_json *from, const char *key)
{
    return fed_json_string(fed_json_get(from, key));
}

static bool is_set(const struct fed_json *from, const char *key)
{
    return fed_json_bool(fed_json_get(from, key), false);
}

static size_t go(struct completion *c, const char *dot, struct fed_span name)
{
    size_t before = c->len;
    int n = snprintf(
        c->path + c->len, sizeof c->path - c->len, "%s" FED_SPAN_FMT, dot, FED_SPAN_ARG(name));

    if (n > 0)
        c->len += (size_t)n < sizeof c->path - c->len ? (size_t)n : sizeof c->path - c->len - 1;
    return before;
}

static void back(struct completion *c, size_t before)
{
    c->len = before;
    c->path[before] = 0;
}

static enum fed_err refuse(struct completion *c, const char *why)
{
    return fed_diag_set(c->diag, FED_ERR_FORBIDDEN, "%s %s", c->path, why);
}

static void note(struct completion *c, const char *what, struct fed_span name)
{
    fed_buf_printf(c->kept, "%s%s%s%s" FED_SPAN_FMT "%s", c->kept->len ? "; " : "", c->path, what,
        name.len ? " \"" : "", FED_SPAN_ARG(name), name.len ? "\"" : "");
}

/* ---- schemas ---- */
static bool names(const struct fed_json *list, struct fed_span name)
{
    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);)
        if (fed_span_eq(fed_json_string(it.value), name))
            return true;
    return false;
}

/* Fields that the hub knows and may leave out are not required. */
static void loosen(struct completion *c, const struct fed_json *ours, struct fed_json *theirs)
{
    struct fed_json *required = fed_json_get(theirs, "required");
    const struct fed_json *known = fed_json_get(ours, "properties");

    for (size_t i = fed_json_count(required); i-- > 0;) {
        struct fed_span name = fed_json_string(fed_json_at(required, i));

        if (!fed_json_get_span(known, name) || names(fed_json_get(ours, "required"), name))
            continue;
        note(c, " does not require", name);
        fed_json_remove_at(required, i);
    }
    if (required && fed_json_count(required) == 0)
        fed_json_remove(theirs, "required");
}

static enum fed_err complete_node(
    struct completion *c, const struct fed_json *ours, struct fed_json *theirs);

static enum fed_err complete_member(struct completion *c, const struct fed_json *ours,
    struct fed_json *properties, const struct fed_json *more, struct fed_span key)
{
    struct fed_json *there = fed_json_get_span(properties, key);
    enum fed_err err;
    size_t before = go(c, ".", key);

    if (there)
        err = complete_node(c, ours, there);
    else if (fed_json_is_object(more)) /* every member is one of those */
        err = fed_span_eq(text_at(ours, "type"), text_at(more, "type"))
                  ? FED_OK
                  : refuse(c, "has another type");
    else
        err = fed_json_set_span(c->doc, properties, key, fed_json_clone(c->doc, ours));
    back(c, before);
    return err;
}

static enum fed_err complete_members(
    struct completion *c, const struct fed_json *ours, struct fed_json *theirs)
{
    const struct fed_json *more = fed_json_get(theirs, "additionalProperties");
    bool open = is_set(theirs, PRESERVE) || fed_json_bool(more, false);
    struct fed_json *properties = fed_json_get(theirs, "properties");
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    if (!properties && !open && !fed_json_is_object(more) &&
        fed_json_count(fed_json_get(ours, "properties")) > 0) {
        properties = fed_json_ensure_object(c->doc, theirs, "properties");
        if (!properties)
            return FED_ERR_NOMEM;
    }
    fed_json_iter_init(&it, fed_json_get(ours, "properties"));
    while (!err && fed_json_iter_next(&it))
        if (!open || fed_json_get_span(properties, it.key))
            err = complete_member(c, it.value, properties, more, it.key);
    return err;
}

static bool is_untyped(const struct fed_json *node)
{
    return is_set(node, "x-kubernetes-int-or-string") || text_at(node, "type").len == 0;
}

static enum fed_err complete_node(
    struct completion *c, const struct fed_json *ours, struct fed_json *theirs)
{
    enum fed_err err = FED_OK;

    if (!fed_json_is_object(theirs) || ++c->depth > DEPTH_MAX)
        return refuse(c, "is no schema");
    if (!is_untyped(ours) && !is_untyped(theirs) &&
        !fed_span_eq(text_at(ours, "type"), text_at(theirs, "type")))
        return refuse(c, "has another type than it needs");
    /* Anything may stand there: a type would keep most of it out. KubeFed's remoteStatus has one,
     * and objects are what it is for. */
    if (is_set(ours, PRESERVE) && !is_set(theirs, PRESERVE))
        err = fed_json_set_bool(c->doc, theirs, PRESERVE, true);
    if (!err && fed_json_is_object(fed_json_get(ours, "items"))) {
        size_t before = go(c, "", FED_SPAN_LIT("[]"));

        err = fed_json_get(theirs, "items")
                  ? complete_node(c, fed_json_get(ours, "items"), fed_json_get(theirs, "items"))
                  : fed_json_set(c->doc, theirs, "items",
                        fed_json_clone(c->doc, fed_json_get(ours, "items")));
        back(c, before);
    }
    if (!err)
        err = complete_members(c, ours, theirs);
    if (!err)
        loosen(c, ours, theirs);
    c->depth--;
    return err;
}

/* ---- versions ---- */
static struct fed_json *version_named(const struct fed_json *spec, struct fed_span name)
{
    const struct fed_json *versions = fed_json_get(spec, "versions");

    for (struct fed_json_iter it = fed_json_items(versions); fed_json_iter_next(&it);)
        if (fed_span_eq(text_at(it.value, "name"), name))
            return it.value;
    return NULL;
}

static enum fed_err complete_schema(
    struct completion *c, const struct fed_json *ours, struct fed_json *theirs)
{
    const struct fed_json *needed = fed_json_find(ours, "schema.openAPIV3Schema");
    struct fed_json *given = fed_json_find(theirs, "schema.openAPIV3Schema");

    if (!needed)
        return FED_OK;
    if (given)
        return complete_node(c, needed, given);
    return fed_json_set(
        c->doc, theirs, "schema", fed_json_clone(c->doc, fed_json_get(ours, "schema")));
}

static enum fed_err complete_version(
    struct completion *c, const struct fed_json *ours, struct fed_json *theirs)
{
    enum fed_err err = FED_OK;

    if (is_set(ours, "storage") != is_set(theirs, "storage"))
        return refuse(c, "is stored otherwise");
    if (!is_set(theirs, "served")) {
        note(c, " is served", (struct fed_span){0});
        err = fed_json_set_bool(c->doc, theirs, "served", true);
    }
    if (!err && fed_json_find(ours, "subresources.status") &&
        !fed_json_find(theirs, "subresources.status")) {
        struct fed_json *sub = fed_json_ensure_object(c->doc, theirs, "subresources");

        err =
            sub ? fed_json_set(c->doc, sub, "status", fed_json_new_object(c->doc)) : FED_ERR_NOMEM;
    }
    return err ? err : complete_schema(c, ours, theirs);
}

static enum fed_err complete_versions(
    struct completion *c, const struct fed_json *ours, struct fed_json *theirs)
{
    const struct fed_json *needed = fed_json_get(ours, "versions");
    struct fed_json *given = fed_json_get(theirs, "versions");
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < fed_json_count(needed); i++) {
        const struct fed_json *version = fed_json_at(needed, i);
        struct fed_json *there = version_named(theirs, text_at(version, "name"));
        size_t before = go(c, "version ", text_at(version, "name"));

        if (there)
            err = complete_version(c, version, there);
        else if (is_set(version, "storage"))
            err = refuse(c, "is not there, which is the stored one");
        else
            err = fed_json_append(given, fed_json_clone(c->doc, version));
        back(c, before);
    }
    return err;
}

enum fed_err hub_crd_complete(struct fed_json_doc *doc, const struct fed_json *ours,
    struct fed_json *theirs, struct fed_buf *kept, struct fed_diag *diag)
{
    struct completion c = {.doc = doc, .kept = kept, .diag = diag};

    if (!fed_span_eq(text_at(ours, "scope"), text_at(theirs, "scope")))
        return fed_diag_set(diag, FED_ERR_FORBIDDEN, "its scope is " FED_SPAN_FMT,
            FED_SPAN_ARG(text_at(ours, "scope")));
    if (!fed_span_eq(text_at(fed_json_get(ours, "names"), "kind"),
            text_at(fed_json_get(theirs, "names"), "kind")))
        return fed_diag_set(diag, FED_ERR_FORBIDDEN, "its kind is " FED_SPAN_FMT,
            FED_SPAN_ARG(text_at(fed_json_get(ours, "names"), "kind")));
    return complete_versions(&c, ours, theirs);
}
