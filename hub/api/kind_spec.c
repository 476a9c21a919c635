/* kind_spec.c - a kind from a CustomResourceDefinition's spec. */
#include "hub/api/kinds.h"

#include <string.h>

struct take {
    struct fed_alloc *mem; /* an arena's */
    const struct hub_kinds *kinds;
    struct fed_diag *diag;
};

/* Strings of a parsed document end in NUL. */
static const char *text_of(const struct fed_json *from, const char *key)
{
    const struct fed_json *value = fed_json_get(from, key);

    return fed_json_is_string(value) ? (const char *)fed_json_string(value).at : NULL;
}

static enum fed_err take_text(
    struct take *t, const struct fed_json *from, const char *key, const char **out)
{
    const char *text = text_of(from, key);

    if (!text || !text[0])
        return fed_diag_set(t->diag, FED_ERR_INVALID, "%s: required", key);
    *out = text;
    return FED_OK;
}

static enum fed_err take_texts(
    struct take *t, const struct fed_json *list, const char *const **out, size_t *n)
{
    size_t count = fed_json_count(list);
    const char **texts = fed_alloc_array(t->mem, count, sizeof *texts);

    if (count > HUB_KIND_NAMES_MAX)
        return fed_diag_set(t->diag, FED_ERR_LIMIT, "more than %u names", HUB_KIND_NAMES_MAX);
    if (count > 0 && !texts)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct fed_json *one = fed_json_at(list, i);

        if (!fed_json_is_string(one))
            return fed_diag_set(t->diag, FED_ERR_INVALID, "a name is not a text");
        texts[i] = (const char *)fed_json_string(one).at;
    }
    *out = texts;
    *n = count;
    return FED_OK;
}

static enum fed_err take_column(struct take *t, const struct fed_json *from, struct hub_column *out)
{
    enum fed_err err = take_text(t, from, "name", &out->name);

    if (!err)
        err = take_text(t, from, "type", &out->type);
    if (!err)
        err = take_text(t, from, "jsonPath", &out->json_path);
    out->format = text_of(from, "format");
    out->description = text_of(from, "description");
    out->priority = (int)fed_json_int(fed_json_get(from, "priority"), 0);
    return err;
}

static enum fed_err take_columns(
    struct take *t, const struct fed_json *list, struct hub_kind_version *out)
{
    size_t n = fed_json_count(list);
    struct hub_column *columns = fed_alloc_array(t->mem, n, sizeof *columns);
    enum fed_err err = FED_OK;

    if (n > HUB_KIND_COLUMNS_MAX)
        return fed_diag_set(t->diag, FED_ERR_LIMIT, "more than %u columns", HUB_KIND_COLUMNS_MAX);
    if (n > 0 && !columns)
        return FED_ERR_NOMEM;
    for (size_t i = 0; !err && i < n; i++)
        err = take_column(t, fed_json_at(list, i), &columns[i]);
    out->columns = columns;
    out->n_columns = n;
    return err;
}

static enum fed_err take_selectable(
    struct take *t, const struct fed_json *list, struct hub_kind_version *out)
{
    size_t n = fed_json_count(list);
    const char **paths = fed_alloc_array(t->mem, n, sizeof *paths);
    enum fed_err err = FED_OK;

    if (n > HUB_KIND_SELECTABLE_MAX)
        return fed_diag_set(
            t->diag, FED_ERR_LIMIT, "more than %u selectable fields", HUB_KIND_SELECTABLE_MAX);
    if (n > 0 && !paths)
        return FED_ERR_NOMEM;
    for (size_t i = 0; !err && i < n; i++)
        err = take_text(t, fed_json_at(list, i), "jsonPath", &paths[i]);
    out->selectable = paths;
    out->n_selectable = n;
    return err;
}

static enum fed_err take_subresources(
    struct take *t, const struct fed_json *from, struct hub_kind_version *out)
{
    const struct fed_json *scale = fed_json_get(from, "scale");
    enum fed_err err = FED_OK;

    out->status_subresource = fed_json_get(from, "status") != NULL;
    if (!fed_json_is_object(scale))
        return FED_OK;
    err = take_text(t, scale, "specReplicasPath", &out->scale.spec_path);
    if (!err)
        err = take_text(t, scale, "statusReplicasPath", &out->scale.status_path);
    out->scale.selector_path = text_of(scale, "labelSelectorPath");
    return err;
}

static enum fed_err take_schema(
    struct take *t, const struct fed_json *from, struct hub_kind_version *out)
{
    const struct fed_json *openapi = fed_json_find(from, "schema.openAPIV3Schema");

    if (!openapi)
        return fed_diag_set(t->diag, FED_ERR_INVALID, "schema.openAPIV3Schema: required");
    out->schema = hub_schema_ref(hub_kinds_schema(t->kinds, openapi));
    return out->schema ? FED_OK
                       : hub_schema_compile(fed_alloc_system(), openapi, &out->schema, t->diag);
}

static enum fed_err take_version(
    struct take *t, const struct fed_json *from, struct hub_kind_version *out)
{
    enum fed_err err = take_text(t, from, "name", &out->name);

    out->served = fed_json_bool(fed_json_get(from, "served"), true);
    out->storage = fed_json_bool(fed_json_get(from, "storage"), false);
    out->deprecated = fed_json_bool(fed_json_get(from, "deprecated"), false);
    out->deprecation_warning = text_of(from, "deprecationWarning");
    if (!err)
        err = take_columns(t, fed_json_get(from, "additionalPrinterColumns"), out);
    if (!err)
        err = take_selectable(t, fed_json_get(from, "selectableFields"), out);
    if (!err)
        err = take_subresources(t, fed_json_get(from, "subresources"), out);
    if (!err)
        err = take_schema(t, from, out);
    return err ? fed_diag_prefix(t->diag, err, "version %s", out->name ? out->name : "without name")
               : FED_OK;
}

static enum fed_err take_names(struct take *t, const struct fed_json *spec, struct hub_kind *out)
{
    const struct fed_json *names = fed_json_get(spec, "names");
    enum fed_err err = take_text(t, names, "kind", &out->kind);

    if (!err)
        err = take_text(t, names, "plural", &out->plural);
    out->group = text_of(spec, "group") ? text_of(spec, "group") : "";
    out->singular = text_of(names, "singular");
    out->list_kind = text_of(names, "listKind");
    if (!err)
        err = take_texts(
            t, fed_json_get(names, "shortNames"), &out->short_names, &out->n_short_names);
    if (!err)
        err =
            take_texts(t, fed_json_get(names, "categories"), &out->categories, &out->n_categories);
    return err;
}

static enum fed_err take_versions(struct take *t, const struct fed_json *spec, struct hub_kind *out)
{
    const struct fed_json *list = fed_json_get(spec, "versions");
    size_t n = fed_json_count(list);
    struct hub_kind_version *versions;
    size_t storage = 0;

    if (n == 0 || n > HUB_KIND_VERSIONS_MAX)
        return fed_diag_set(t->diag, FED_ERR_INVALID, "versions: 1 to %u", HUB_KIND_VERSIONS_MAX);
    versions = fed_alloc_zero(t->mem, n * sizeof *versions);
    if (!versions)
        return FED_ERR_NOMEM;
    out->versions = versions;
    for (size_t i = 0; i < n; i++) {
        enum fed_err err;

        out->n_versions = i + 1;
        err = take_version(t, fed_json_at(list, i), &versions[i]);
        if (err)
            return err;
        storage += versions[i].storage;
    }
    if (storage != 1)
        return fed_diag_set(
            t->diag, FED_ERR_INVALID, "versions: exactly one is the storage version");
    return FED_OK;
}

enum fed_err hub_kind_from_spec(struct fed_alloc *mem, const struct hub_kinds *kinds,
    const struct fed_json *spec, struct hub_kind *out, struct fed_diag *diag)
{
    struct take t = {mem, kinds, diag};
    struct hub_kind kind = {.plural = ""};
    enum fed_err err = take_names(&t, spec, &kind);

    kind.namespaced = fed_span_is(fed_json_string(fed_json_get(spec, "scope")), "Namespaced");
    kind.read_only = fed_json_bool(fed_json_get(spec, "readOnly"), false);
    kind.counts_generation = true;
    if (!err)
        err = take_versions(&t, spec, &kind);
    if (err) {
        hub_kind_fini(&kind);
        return fed_diag_prefix(diag, err, "kind %s", kind.kind ? kind.kind : "without name");
    }
    *out = kind;
    return FED_OK;
}
