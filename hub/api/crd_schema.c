/* crd_schema.c - the rules of one version's schema: its shape, its root, its defaults, and the
 * order in which all that is found is said.
 *
 * Source: apiextensions-apiserver pkg/apiserver/schema/defaulting/validation.go and
 * pkg/apis/apiextensions/validation; sentences are what it answers. */
#include "hub/api/crd_walk.h"

#include <stdlib.h>

/* ---- defaults fit their own schemas ---- */
static void check_default(struct hub_crd_walk *w, const struct fed_json *node)
{
    const struct fed_json *value = fed_json_get(node, "default");
    struct hub_schema *schema = NULL;
    struct fed_json_doc *doc = NULL;
    struct fed_json *copy;
    struct fed_buf shown;
    size_t before = hub_crd_go(w, ".default");
    size_t n = w->causes->n;

    fed_buf_init(&shown, w->mem, HUB_SCHEMA_BYTES_MAX);
    if (fed_json_doc_new(w->mem, &doc) || hub_schema_compile_value(w->mem, node, &schema, NULL)) {
        fed_json_doc_free(doc);
        hub_crd_back(w, before);
        return;
    }
    copy = fed_json_clone(doc, value);
    if (copy && !hub_schema_prune(schema, copy, NULL) && !fed_json_eq(copy, value) &&
        !fed_json_put(&shown, value))
        hub_crd_note(w, "FieldValueInvalid", "",
            "Invalid value: %.400s: must not have unknown fields", fed_buf_cstr(&shown));
    if (w->causes->n == n && hub_schema_validate_value(schema, value, w->path, w->causes))
        n = w->causes->n;
    fed_buf_fini(&shown);
    hub_schema_unref(schema);
    fed_json_doc_free(doc);
    hub_crd_back(w, before);
}

static void check_defaults(struct hub_crd_walk *w, const struct fed_json *node)
{
    const struct fed_json *items = fed_json_get(node, "items");
    struct fed_json_iter it;
    size_t before;

    if (fed_json_get(node, "default"))
        check_default(w, node);
    before = hub_crd_go(w, ".items");
    if (fed_json_is_object(items))
        check_defaults(w, items);
    hub_crd_back(w, before);
    fed_json_iter_init(&it, fed_json_get(node, "properties"));
    while (fed_json_iter_next(&it)) {
        before = hub_crd_go(w, ".properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(it.key));
        check_defaults(w, it.value);
        hub_crd_back(w, before);
    }
}

static bool at_root_with_status(struct fed_span key)
{
    static const char *const allowed[] = {"description", "type", "format", "title", "maximum",
        "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength", "pattern",
        "maxItems", "minItems", "uniqueItems", "multipleOf", "required", "items", "properties",
        "externalDocs", "example", "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations"};

    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (fed_span_is(key, allowed[i]))
            return true;
    return false;
}

static void check_root(struct hub_crd_walk *w, const struct fed_json *schema, bool status)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, (struct fed_json *)schema);
    while (status && fed_json_iter_next(&it)) {
        if (at_root_with_status(it.key))
            continue;
        hub_crd_note(w, "FieldValueInvalid", "",
            "Invalid value: \"" FED_SPAN_FMT
            "\": only [Description Type Format Title Maximum ExclusiveMaximum Minimum "
            "ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf "
            "Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations] "
            "fields are allowed at the root of the schema if the status subresource is enabled",
            FED_SPAN_ARG(it.key));
        break;
    }
    if (hub_crd_flag(schema, "nullable"))
        hub_crd_forbid(w, "nullable", "nullable cannot be true at the root");
}

/* Every place where a schema may stand holds one: what follows may rely on it. */
static bool check_shape(struct hub_crd_walk *w, const struct fed_json *node)
{
    static const char *const objects[] = {"not", "items"};
    static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
    struct fed_json *properties = fed_json_get(node, "properties");
    const struct fed_json *additional = fed_json_get(node, "additionalProperties");
    struct fed_json_iter it;
    bool ok = fed_json_is_object(node);

    if (!ok) {
        hub_crd_note(w, "FieldValueTypeInvalid", "", "Invalid value: a schema must be an object");
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        const struct fed_json *child = fed_json_get(node, objects[i]);
        size_t before = hub_crd_go(w, ".%s", objects[i]);

        if (child && !(i == 1 && fed_json_is_array(child)))
            ok = check_shape(w, child) && ok;
        hub_crd_back(w, before);
    }
    if (fed_json_is_object(additional)) {
        size_t before = hub_crd_go(w, ".additionalProperties");

        ok = check_shape(w, additional) && ok;
        hub_crd_back(w, before);
    }
    fed_json_iter_init(&it, properties);
    while (fed_json_iter_next(&it)) {
        size_t before = hub_crd_go(w, ".properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(it.key));

        ok = check_shape(w, it.value) && ok;
        hub_crd_back(w, before);
    }
    for (size_t l = 0; l < 3; l++) {
        const struct fed_json *list = fed_json_get(node, lists[l]);

        it = fed_json_each(list);
        while (fed_json_iter_next(&it)) {
            size_t before = hub_crd_go(w, ".%s[%zu]", lists[l], it.index);

            ok = check_shape(w, fed_json_is_array(list) ? it.value : NULL) && ok;
            hub_crd_back(w, before);
        }
    }
    return ok;
}

/* ---- the whole ---- */

static enum fed_err check_all(struct hub_crd_walk *w, const struct fed_json *schema, bool status,
    struct hub_causes *structural)
{
    struct hub_causes *causes = w->causes;
    size_t defaults;
    enum fed_err err;

    check_root(w, schema, status);
    err = hub_crd_check_structural(schema, w->path, w->mem, structural);
    if (err)
        return err;
    for (size_t i = 0; i < structural->n; i++)
        hub_causes_add(causes, structural->list[i].reason, structural->list[i].field, "%s",
            structural->list[i].message);
    causes->more += structural->more;
    defaults = causes->n;
    if (structural->n == 0)
        check_defaults(w, schema);
    if (causes->n > defaults)
        qsort(
            causes->list + defaults, causes->n - defaults, sizeof *causes->list, hub_crd_cause_cmp);
    hub_crd_check_openapi(w, schema, true);
    return FED_OK;
}

void hub_crd_check_schema(const struct fed_json *schema, const char *path, bool status,
    struct fed_alloc *mem, struct hub_causes *causes)
{
    struct hub_crd_walk *w;
    struct hub_causes *structural;
    enum fed_err err = FED_ERR_NOMEM;

    if (!schema)
        return;
    w = fed_alloc_zero(mem, sizeof *w);
    structural = fed_alloc_zero(mem, sizeof *structural);
    if (w && structural) {
        *w = (struct hub_crd_walk){.causes = causes, .mem = mem};
        hub_crd_go(w, "%s", path);
        err = check_shape(w, schema) ? check_all(w, schema, status, structural) : FED_OK;
    }
    if (err)
        hub_causes_add(causes, "FieldValueInvalid", path, "no memory to check it");
    fed_alloc_free(mem, structural, sizeof *structural);
    fed_alloc_free(mem, w, sizeof *w);
}
