/* select.c - field selectors: metadata of all kinds, and the few other fields that kube-apiserver
 * indexes for core kinds (k8s.io/kubernetes registry strategies). */
#include "hub/api/internal.h"

#include <string.h>

struct field_name {
    const char *plural; /* of a core kind; NULL: every kind */
    const char *path;
};

static const struct field_name field_names[] = {
    {NULL, "metadata.name"},
    {NULL, "metadata.namespace"},
    {"events", "involvedObject.kind"},
    {"events", "involvedObject.namespace"},
    {"events", "involvedObject.name"},
    {"events", "involvedObject.uid"},
    {"events", "involvedObject.apiVersion"},
    {"events", "involvedObject.resourceVersion"},
    {"events", "involvedObject.fieldPath"},
    {"events", "reason"},
    {"events", "reportingComponent"},
    {"events", "source.component"},
    {"events", "type"},
    {"secrets", "type"},
    {"namespaces", "status.phase"},
};

static bool field_known(const struct hub_kind *kind, struct fed_span path)
{
    for (size_t i = 0; i < sizeof field_names / sizeof *field_names; i++) {
        const struct field_name *name = &field_names[i];

        if (fed_span_is(path, name->path) &&
            (!name->plural || (kind->group[0] == 0 && strcmp(kind->plural, name->plural) == 0)))
            return true;
    }
    return false;
}

/* Cuts the next term at an unescaped comma. */
static bool next_term(struct fed_span *rest, struct fed_span *term)
{
    size_t i = 0;

    if (rest->len == 0)
        return false;
    while (i < rest->len && rest->at[i] != ',')
        i += rest->at[i] == '\\' ? 2 : 1;
    if (i > rest->len)
        i = rest->len;
    *term = fed_span_sub(*rest, 0, i);
    *rest = fed_span_sub(*rest, i + 1, rest->len);
    return true;
}

static enum fed_err unescape(struct fed_alloc *mem, struct fed_span in, struct fed_span *out)
{
    uint8_t *to = fed_alloc_get(mem, in.len + 1);
    size_t len = 0;

    if (!to)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < in.len; i++) {
        if (in.at[i] == '\\' && i + 1 < in.len)
            i++;
        to[len++] = in.at[i];
    }
    *out = fed_span_of(to, len);
    return FED_OK;
}

static enum fed_err parse_term(struct hub_request *r, struct fed_alloc *mem, struct fed_span term,
    struct hub_field_selector *out)
{
    size_t equals = fed_span_find(term, '=');
    struct fed_span path = fed_span_sub(term, 0, equals);
    struct fed_span value = fed_span_sub(term, equals + 1, term.len);

    if (equals == term.len || out->n == HUB_FIELD_TERMS_MAX)
        return hub_fail(r, 400, "BadRequest", "invalid field selector: \"" FED_SPAN_FMT "\"",
            FED_SPAN_ARG(term));
    if (fed_span_ends(path, "!")) {
        out->terms[out->n].not_equal = true;
        path.len--;
    }
    if (fed_span_starts(value, "="))
        value = fed_span_sub(value, 1, value.len);
    if (!field_known(r->kind, path))
        return hub_fail(
            r, 400, "BadRequest", "field label not supported: " FED_SPAN_FMT, FED_SPAN_ARG(path));
    if (unescape(mem, path, &out->terms[out->n].path))
        return FED_ERR_NOMEM;
    return unescape(mem, value, &out->terms[out->n++].value);
}

enum fed_err hub_field_selector_parse(struct hub_request *r, struct fed_alloc *mem,
    struct fed_span text, struct hub_field_selector *out)
{
    struct fed_span term;
    enum fed_err err = FED_OK;

    *out = (struct hub_field_selector){.n = 0};
    while (!err && next_term(&text, &term))
        if (term.len > 0)
            err = parse_term(r, mem, term, out);
    return err;
}

static struct fed_span field_value(const struct fed_json *object, struct fed_span path)
{
    struct fed_span key;

    while (fed_span_split(&path, '.', &key))
        object = fed_json_get_span(object, key);
    return fed_json_string(object);
}

bool hub_field_selector_match(
    const struct hub_field_selector *selector, const struct fed_json *object)
{
    for (size_t i = 0; i < selector->n; i++) {
        bool equal =
            fed_span_eq(field_value(object, selector->terms[i].path), selector->terms[i].value);

        if (equal == selector->terms[i].not_equal)
            return false;
    }
    return true;
}

bool hub_field_selector_is_of_ref(const struct hub_field_selector *selector)
{
    for (size_t i = 0; i < selector->n; i++)
        if (!fed_span_is(selector->terms[i].path, "metadata.name") &&
            !fed_span_is(selector->terms[i].path, "metadata.namespace"))
            return false;
    return true;
}

bool hub_field_selector_match_ref(
    const struct hub_field_selector *selector, const struct hub_object_ref *ref)
{
    for (size_t i = 0; i < selector->n; i++) {
        bool by_name = fed_span_is(selector->terms[i].path, "metadata.name");
        bool equal = fed_span_eq(by_name ? ref->name : ref->ns, selector->terms[i].value);

        if (equal == selector->terms[i].not_equal)
            return false;
    }
    return true;
}
