/* kind_spec.c - a kind from a document shaped like a CustomResourceDefinition's spec. */
#include "hub/api/kinds.h"

#include <stdio.h>
#include <string.h>

static enum fed_err take_text(const struct fed_json *from, const char *key, char *out, size_t size,
    bool required, struct fed_diag *diag)
{
    struct fed_span text = fed_json_string(fed_json_get(from, key));
    enum fed_err err = fed_span_to_cstr(text, out, size);

    if (err)
        return fed_diag_set(diag, err, "%s: not a text of at most %zu bytes", key, size - 1);
    if (required && text.len == 0)
        return fed_diag_set(diag, FED_ERR_INVALID, "%s: required", key);
    return FED_OK;
}

static enum fed_err take_texts(
    const struct fed_json *list, char out[][64], size_t *n, struct fed_diag *diag)
{
    for (size_t i = 0; i < fed_json_count(list); i++) {
        enum fed_err err;

        if (*n == HUB_KIND_NAMES_MAX)
            return fed_diag_set(diag, FED_ERR_LIMIT, "more than %u names", HUB_KIND_NAMES_MAX);
        err = fed_span_to_cstr(fed_json_string(fed_json_at(list, i)), out[*n], 64);
        if (err)
            return fed_diag_set(diag, err, "a name is longer than 63 bytes");
        (*n)++;
    }
    return FED_OK;
}

static enum fed_err take_column(
    const struct fed_json *from, struct hub_column *out, struct fed_diag *diag)
{
    enum fed_err err = take_text(from, "name", out->name, sizeof out->name, true, diag);

    if (!err)
        err = take_text(from, "type", out->type, sizeof out->type, true, diag);
    if (!err)
        err = take_text(from, "format", out->format, sizeof out->format, false, diag);
    if (!err)
        err =
            take_text(from, "description", out->description, sizeof out->description, false, diag);
    if (!err)
        err = take_text(from, "jsonPath", out->json_path, sizeof out->json_path, true, diag);
    out->priority = (int)fed_json_int(fed_json_get(from, "priority"), 0);
    return err;
}

static enum fed_err take_version(struct fed_alloc *mem, const struct fed_json *from,
    struct hub_kind_version *out, struct fed_diag *diag)
{
    const struct fed_json *columns = fed_json_get(from, "additionalPrinterColumns");
    const struct fed_json *schema = fed_json_find(from, "schema.openAPIV3Schema");
    enum fed_err err = take_text(from, "name", out->name, sizeof out->name, true, diag);

    out->served = fed_json_bool(fed_json_get(from, "served"), true);
    out->storage = fed_json_bool(fed_json_get(from, "storage"), false);
    if (!err && fed_json_count(columns) > HUB_KIND_COLUMNS_MAX)
        err = fed_diag_set(diag, FED_ERR_LIMIT, "more than %u columns", HUB_KIND_COLUMNS_MAX);
    for (size_t i = 0; !err && i < fed_json_count(columns); i++) {
        err = take_column(fed_json_at(columns, i), &out->columns[i], diag);
        out->n_columns = i + 1;
    }
    if (!err && !schema)
        err = fed_diag_set(diag, FED_ERR_INVALID, "schema.openAPIV3Schema: required");
    if (!err)
        err = hub_schema_compile(mem, schema, &out->schema, diag);
    return err ? fed_diag_prefix(diag, err, "version %s", out->name) : FED_OK;
}

static enum fed_err take_names(
    const struct fed_json *spec, struct hub_kind *out, struct fed_diag *diag)
{
    const struct fed_json *names = fed_json_get(spec, "names");
    enum fed_err err = take_text(spec, "group", out->group, sizeof out->group, false, diag);

    if (!err)
        err = take_text(names, "kind", out->kind, sizeof out->kind, true, diag);
    if (!err)
        err = take_text(names, "plural", out->plural, sizeof out->plural, true, diag);
    if (!err)
        err = take_text(names, "singular", out->singular, sizeof out->singular, false, diag);
    if (!err)
        err = take_text(names, "listKind", out->list_kind, sizeof out->list_kind, false, diag);
    if (!err)
        err = take_texts(
            fed_json_get(names, "shortNames"), out->short_names, &out->n_short_names, diag);
    if (!err)
        err = take_texts(
            fed_json_get(names, "categories"), out->categories, &out->n_categories, diag);
    if (err)
        return err;
    if (!out->list_kind[0])
        snprintf(out->list_kind, sizeof out->list_kind, "%sList", out->kind);
    if (!out->singular[0])
        for (size_t i = 0; out->kind[i]; i++)
            out->singular[i] = out->kind[i] >= 'A' && out->kind[i] <= 'Z'
                                   ? (char)(out->kind[i] + ('a' - 'A'))
                                   : out->kind[i];
    snprintf(out->resource, sizeof out->resource, "%s%s%s", out->plural, out->group[0] ? "." : "",
        out->group);
    return FED_OK;
}

static enum fed_err take_versions(
    struct fed_alloc *mem, const struct fed_json *spec, struct hub_kind *out, struct fed_diag *diag)
{
    const struct fed_json *versions = fed_json_get(spec, "versions");
    size_t n = fed_json_count(versions);
    size_t storage = 0;

    if (n == 0 || n > HUB_KIND_VERSIONS_MAX)
        return fed_diag_set(diag, FED_ERR_INVALID, "versions: 1 to %u", HUB_KIND_VERSIONS_MAX);
    for (size_t i = 0; i < n; i++) {
        enum fed_err err = take_version(mem, fed_json_at(versions, i), &out->versions[i], diag);

        out->n_versions = i + 1;
        if (err)
            return err;
        if (out->versions[i].storage)
            storage++;
        if (fed_json_find(fed_json_at(versions, i), "subresources.status"))
            out->status_subresource = true;
    }
    if (storage != 1)
        return fed_diag_set(diag, FED_ERR_INVALID, "versions: exactly one is the storage version");
    return FED_OK;
}

enum fed_err hub_kind_from_spec(
    struct fed_alloc *mem, const struct fed_json *spec, struct hub_kind *out, struct fed_diag *diag)
{
    struct hub_kind *kind = fed_alloc_zero(mem, sizeof *kind);
    enum fed_err err;

    if (!kind)
        return FED_ERR_NOMEM;
    err = take_names(spec, kind, diag);
    kind->namespaced = fed_span_is(fed_json_string(fed_json_get(spec, "scope")), "Namespaced");
    kind->read_only = fed_json_bool(fed_json_get(spec, "readOnly"), false);
    kind->strategic_patches = fed_json_bool(fed_json_get(spec, "strategicPatches"), false);
    if (!err)
        err = take_versions(mem, spec, kind, diag);
    if (err) {
        for (size_t i = 0; i < kind->n_versions; i++)
            hub_schema_unref(kind->versions[i].schema);
        fed_diag_prefix(diag, err, "kind %s", kind->kind[0] ? kind->kind : "without name");
    } else {
        *out = *kind;
    }
    fed_alloc_free(mem, kind, sizeof *kind);
    return err;
}
