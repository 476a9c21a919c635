/* crd_schema.c - whether a version's schema is structural, and what of it the hub does not enforce.
 *
 * Source: apiextensions-apiserver pkg/apiserver/schema (validation.go, complete.go,
 * defaulting/validation.go) and pkg/apis/apiextensions/validation; sentences are what it answers.
 * Recursion is bounded by the depth of a parsed document. */
#include "hub/api/crd_parts.h"
#include "hub/api/internal.h"
#include "hub/api/pattern.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum level { LEVEL_ROOT, LEVEL_ITEM, LEVEL_FIELD };

struct walk {
    struct hub_causes *causes;
    struct fed_alloc *mem;
    char path[4096];
    size_t len;
};

FED_PRINTF(2, 3)
static size_t go(struct walk *w, const char *format, ...)
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

static void back(struct walk *w, size_t before)
{
    w->len = before;
    w->path[before] = 0;
}

FED_PRINTF(4, 5)
static void note(struct walk *w, const char *reason, const char *child, const char *format, ...)
{
    char message[sizeof w->causes->list[0].message];
    size_t before = go(w, "%s%s", child[0] ? "." : "", child);
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    hub_causes_add(w->causes, reason, w->path, "%s", message);
    back(w, before);
}

static void forbid(struct walk *w, const char *child, const char *why)
{
    note(w, "FieldValueForbidden", child, "Forbidden: %s", why);
}

static void require(struct walk *w, const char *child, const char *why)
{
    note(w, "FieldValueRequired", child, "Required value: %s", why);
}

static void refuse_text(struct walk *w, const char *child, struct fed_span value, const char *why)
{
    note(w, "FieldValueInvalid", child, "Invalid value: \"" FED_SPAN_FMT "\": %s",
        FED_SPAN_ARG(value), why);
}

static struct fed_span text_at(const struct fed_json *from, const char *key)
{
    return fed_json_string(fed_json_get(from, key));
}

static bool flag(const struct fed_json *from, const char *key)
{
    return fed_json_bool(fed_json_get(from, key), false);
}

static bool is_schema(const struct fed_json *value)
{
    return fed_json_is_object(value);
}

/* ---- structural: invariants ---- */
static bool is_int_or_string(const struct fed_json *any_of)
{
    const struct fed_json *first = fed_json_at(any_of, 0);
    const struct fed_json *second = fed_json_at(any_of, 1);

    return fed_json_count(any_of) == 2 && fed_json_count(first) == 1 &&
           fed_json_count(second) == 1 && fed_span_is(text_at(first, "type"), "integer") &&
           fed_span_is(text_at(second, "type"), "string");
}

static void check_nested(struct walk *w, const struct fed_json *node, bool skip_any_of);

static void check_list(
    struct walk *w, const struct fed_json *node, const char *key, bool skip_first_any_of)
{
    const struct fed_json *list = fed_json_get(node, key);

    for (size_t i = 0; i < fed_json_count(list); i++) {
        size_t before = go(w, ".%s[%zu]", key, i);

        check_nested(w, fed_json_at(list, i), skip_first_any_of && i == 0);
        back(w, before);
    }
}

static void check_pattern(struct walk *w, const struct fed_json *node)
{
    struct fed_span text = text_at(node, "pattern");
    struct hub_pattern *pattern = NULL;
    struct fed_diag diag = {{0}};
    char why[sizeof diag.text + 64];

    if (text.len == 0)
        return;
    if (hub_pattern_new(w->mem, text, &pattern, &diag) == FED_ERR_INVALID) {
        snprintf(why, sizeof why, "must be a valid regular expression, but isn't: %s", diag.text);
        refuse_text(w, "pattern", text, why);
    }
    hub_pattern_free(pattern);
}

static void check_values(
    struct walk *w, const struct fed_json *node, bool skip_any_of, bool skip_first_all_of)
{
    const struct fed_json *inverted = fed_json_get(node, "not");

    if (!skip_any_of)
        check_list(w, node, "anyOf", false);
    check_list(w, node, "allOf", skip_first_all_of);
    check_list(w, node, "oneOf", false);
    if (is_schema(inverted)) {
        size_t before = go(w, ".not");

        check_nested(w, inverted, false);
        back(w, before);
    }
    check_pattern(w, node);
}

static void check_nested_words(struct walk *w, const struct fed_json *node)
{
    static const struct {
        const char *key;
        const char *why;
        bool is_flag;
    } words[] = {
        {"type", "must be empty to be structural", false},
        {"additionalProperties", "must be undefined to be structural", false},
        {"default", "must be undefined to be structural", false},
        {"title", "must be empty to be structural", false},
        {"description", "must be empty to be structural", false},
        {"nullable", "must be false to be structural", true},
        {"x-kubernetes-preserve-unknown-fields", "must be false to be structural", true},
        {"x-kubernetes-embedded-resource", "must be false to be structural", true},
        {"x-kubernetes-int-or-string", "must be false to be structural", true},
        {"x-kubernetes-list-map-keys", "must be empty to be structural", false},
        {"x-kubernetes-list-type", "must be undefined to be structural", false},
        {"x-kubernetes-map-type", "must be undefined to be structural", false},
        {"x-kubernetes-validations", "must be empty to be structural", false},
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const struct fed_json *value = fed_json_get(node, words[i].key);
        bool empty = fed_json_is_string(value) ? fed_json_string(value).len == 0
                                               : fed_json_is_array(value) && !fed_json_count(value);

        if (words[i].is_flag ? fed_json_bool(value, false) : value && !empty)
            forbid(w, words[i].key, words[i].why);
    }
}

static void check_nested(struct walk *w, const struct fed_json *node, bool skip_any_of)
{
    struct fed_json *properties = fed_json_get(node, "properties");
    const struct fed_json *items = fed_json_get(node, "items");
    struct fed_json_iter it;

    check_values(w, node, skip_any_of, false);
    if (is_schema(items)) {
        size_t before = go(w, ".items");

        check_nested(w, items, false);
        back(w, before);
    }
    fed_json_iter_init(&it, properties);
    while (fed_json_iter_next(&it)) {
        size_t before = go(w, ".properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(it.key));

        check_nested(w, it.value, false);
        back(w, before);
    }
    check_nested_words(w, node);
    if (fed_json_get(properties, "metadata"))
        forbid(w, "properties[metadata]", "must not be specified in a nested context");
}

static void check_type(struct walk *w, const struct fed_json *node, enum level level)
{
    static const char *const empty[] = {"must not be empty at the root",
        "must not be empty for specified array items",
        "must not be empty for specified object fields"};
    bool embedded = flag(node, "x-kubernetes-embedded-resource");
    struct fed_span type = text_at(node, "type");

    if (embedded && type.len == 0)
        require(w, "type", "must be object if x-kubernetes-embedded-resource is true");
    else if (embedded && !fed_span_is(type, "object"))
        refuse_text(w, "type", type, "must be object if x-kubernetes-embedded-resource is true");
    else if (type.len == 0 && !flag(node, "x-kubernetes-int-or-string") &&
             !flag(node, "x-kubernetes-preserve-unknown-fields"))
        require(w, "type", empty[level]);
    if (embedded && fed_json_get(node, "additionalProperties"))
        forbid(
            w, "additionalProperties", "must not be used if x-kubernetes-embedded-resource is set");
    if (level == LEVEL_ROOT && type.len > 0 && !fed_span_is(type, "object"))
        refuse_text(w, "type", type, "must be object at the root");
}

/* metadata at the root says nothing, or limits the name. */
static bool is_plain_metadata(struct fed_json *metadata)
{
    struct fed_json *properties = fed_json_get(metadata, "properties");
    size_t names = (fed_json_get(properties, "name") != NULL) +
                   (fed_json_get(properties, "generateName") != NULL);
    struct fed_json_iter it;

    fed_json_iter_init(&it, metadata);
    while (fed_json_iter_next(&it))
        if (!fed_span_is(it.key, "type") && !fed_span_is(it.key, "properties") &&
            !fed_span_is(it.key, "default"))
            return false;
    return fed_json_count(properties) == names;
}

static void check_meta(struct walk *w, const struct fed_json *node, enum level level)
{
    const struct fed_json *properties = fed_json_get(node, "properties");
    struct fed_json *metadata = fed_json_get(properties, "metadata");
    bool embedded = flag(node, "x-kubernetes-embedded-resource");

    if (level != LEVEL_ROOT && !embedded)
        return;
    if (fed_json_get(properties, "kind") &&
        !fed_span_is(text_at(fed_json_get(properties, "kind"), "type"), "string"))
        refuse_text(w, "properties[kind].type", text_at(fed_json_get(properties, "kind"), "type"),
            "must be string");
    if (fed_json_get(properties, "apiVersion") &&
        !fed_span_is(text_at(fed_json_get(properties, "apiVersion"), "type"), "string"))
        refuse_text(w, "properties[apiVersion].type",
            text_at(fed_json_get(properties, "apiVersion"), "type"), "must be string");
    if (metadata && !fed_span_is(text_at(metadata, "type"), "object"))
        refuse_text(w, "properties[metadata].type", text_at(metadata, "type"), "must be object");
    if (metadata && level == LEVEL_ROOT && !is_plain_metadata(metadata))
        forbid(w, "properties[metadata]",
            "must not specify anything other than name and generateName, but metadata is "
            "implicitly specified");
}

static void check_structure(struct walk *w, const struct fed_json *node, enum level level)
{
    struct fed_json *properties = fed_json_get(node, "properties");
    const struct fed_json *additional = fed_json_get(node, "additionalProperties");
    const struct fed_json *items = fed_json_get(node, "items");
    const struct fed_json *first_all_of = fed_json_at(fed_json_get(node, "allOf"), 0);
    struct fed_json_iter it;
    size_t before;

    if (fed_span_is(text_at(node, "type"), "array") && !items)
        require(w, "items", "must be specified");
    if (is_schema(items)) {
        before = go(w, ".items");
        check_structure(w, items, LEVEL_ITEM);
        back(w, before);
    }
    fed_json_iter_init(&it, properties);
    while (fed_json_iter_next(&it)) {
        before = go(w, ".properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(it.key));
        check_structure(w, it.value, LEVEL_FIELD);
        back(w, before);
    }
    if (additional && level == LEVEL_ROOT)
        forbid(w, "additionalProperties", "must not be used at the root");
    if (is_schema(additional)) {
        before = go(w, ".additionalProperties");
        check_structure(w, additional, LEVEL_FIELD);
        back(w, before);
    }
    if (flag(node, "x-kubernetes-int-or-string") &&
        flag(node, "x-kubernetes-preserve-unknown-fields"))
        note(w, "FieldValueInvalid", "x-kubernetes-preserve-unknown-fields",
            "Invalid value: true: must be false if x-kubernetes-int-or-string is true");
    if (flag(node, "x-kubernetes-int-or-string") && flag(node, "x-kubernetes-embedded-resource"))
        note(w, "FieldValueInvalid", "x-kubernetes-embedded-resource",
            "Invalid value: true: must be false if x-kubernetes-int-or-string is true");
    check_values(w, node, is_int_or_string(fed_json_get(node, "anyOf")),
        is_int_or_string(fed_json_get(first_all_of, "anyOf")));
    check_type(w, node, level);
    check_meta(w, node, level);
    if (flag(node, "x-kubernetes-embedded-resource") &&
        !flag(node, "x-kubernetes-preserve-unknown-fields") && fed_json_count(properties) == 0)
        require(w, "properties",
            "must not be empty if x-kubernetes-embedded-resource is true without "
            "x-kubernetes-preserve-unknown-fields");
}

/* ---- structural: what is validated is also declared ---- */
struct pair {
    struct walk at;    /* in the structure */
    struct walk where; /* in the validation */
};

static void check_complete(
    struct pair *p, const struct fed_json *values, const struct fed_json *node);

static void check_declared(
    struct pair *p, const struct fed_json *values, const struct fed_json *node)
{
    if (node) {
        check_complete(p, values, node);
        return;
    }
    note(&p->at, "FieldValueRequired", "", "Required value: because it is defined in %s",
        p->where.path);
}

static void check_complete_nested(
    struct pair *p, const struct fed_json *values, const struct fed_json *node)
{
    const struct fed_json *items = fed_json_get(values, "items");
    struct fed_json_iter it;
    size_t before;
    size_t other;

    check_complete(p, values, node);
    if (is_schema(items)) {
        before = go(&p->at, ".items");
        other = go(&p->where, ".items");
        if (fed_json_get(node, "items"))
            check_complete_nested(p, items, fed_json_get(node, "items"));
        else
            check_declared(p, items, NULL);
        back(&p->at, before);
        back(&p->where, other);
    }
    fed_json_iter_init(&it, fed_json_get(values, "properties"));
    while (fed_json_iter_next(&it)) {
        const struct fed_json *declared =
            fed_json_get_span(fed_json_get(node, "properties"), it.key);

        before = go(&p->at, ".properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(it.key));
        other = go(&p->where, ".properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(it.key));
        if (declared)
            check_complete_nested(p, it.value, declared);
        else
            check_declared(p, it.value, NULL);
        back(&p->at, before);
        back(&p->where, other);
    }
}

static void check_complete(
    struct pair *p, const struct fed_json *values, const struct fed_json *node)
{
    static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
    const struct fed_json *inverted = fed_json_get(values, "not");
    size_t other;

    if (is_schema(inverted)) {
        other = go(&p->where, ".not");
        check_complete_nested(p, inverted, node);
        back(&p->where, other);
    }
    for (size_t l = 0; l < 3; l++) {
        const struct fed_json *list = fed_json_get(values, lists[l]);

        for (size_t i = 0; i < fed_json_count(list); i++) {
            other = go(&p->where, ".%s[%zu]", lists[l], i);
            check_complete_nested(p, fed_json_at(list, i), node);
            back(&p->where, other);
        }
    }
}

/* ---- OpenAPI ---- */
static void check_list_type(struct walk *w, const struct fed_json *node)
{
    struct fed_span list = text_at(node, "x-kubernetes-list-type");
    struct fed_span type = text_at(node, "type");
    const struct fed_json *items = fed_json_get(node, "items");
    struct fed_span item_type = text_at(items, "type");

    if (fed_json_get(node, "x-kubernetes-list-type") && !fed_span_is(type, "array")) {
        if (type.len == 0)
            require(w, "type", "must be array if x-kubernetes-list-type is specified");
        else
            refuse_text(w, "type", type, "must be array if x-kubernetes-list-type is specified");
    } else if (fed_span_is(list, "set") && fed_span_is(item_type, "array") &&
               fed_json_get(items, "x-kubernetes-list-type") &&
               !fed_span_is(text_at(items, "x-kubernetes-list-type"), "atomic")) {
        refuse_text(w, "items.x-kubernetes-list-type", text_at(items, "x-kubernetes-list-type"),
            "must be atomic as item of a list with x-kubernetes-list-type=set");
    } else if (fed_span_is(list, "set") && fed_span_is(item_type, "object") &&
               !fed_span_is(text_at(items, "x-kubernetes-map-type"), "atomic")) {
        note(w, "FieldValueInvalid", "items.x-kubernetes-map-type",
            "Invalid value: null: must be atomic as item of a list with "
            "x-kubernetes-list-type=set");
    }
    if (fed_json_get(node, "x-kubernetes-list-type") && !fed_span_is(list, "atomic") &&
        !fed_span_is(list, "set") && !fed_span_is(list, "map"))
        note(w, "FieldValueNotSupported", "x-kubernetes-list-type",
            "Unsupported value: \"" FED_SPAN_FMT
            "\": supported values: \"atomic\", \"set\", \"map\"",
            FED_SPAN_ARG(list));
}

static bool is_required(const struct fed_json *node, struct fed_span key)
{
    const struct fed_json *list = fed_json_get(node, "required");

    for (size_t i = 0; i < fed_json_count(list); i++)
        if (fed_span_eq(fed_json_string(fed_json_at(list, i)), key))
            return true;
    return false;
}

static void check_map_key(
    struct walk *w, const struct fed_json *items, struct fed_span key, const struct fed_json *keys)
{
    const struct fed_json *property = fed_json_get_span(fed_json_get(items, "properties"), key);
    struct fed_span type = text_at(property, "type");
    struct fed_buf shown;
    char child[300];

    if (!property) {
        fed_buf_init(&shown, w->mem, 65536);
        if (fed_json_put(&shown, keys))
            fed_buf_clear(&shown);
        note(w, "FieldValueInvalid", "x-kubernetes-list-map-keys",
            "Invalid value: %.500s: entries must all be names of item properties",
            fed_buf_cstr(&shown));
        fed_buf_fini(&shown);
        return;
    }
    snprintf(child, sizeof child, "items.properties[%.*s].type",
        (int)(key.len > 200 ? 200 : key.len), (const char *)key.at);
    if (fed_span_is(type, "array") || fed_span_is(type, "object"))
        refuse_text(w, child, text_at(items, "type"),
            "must be a scalar type if parent array's x-kubernetes-list-type is map");
}

static void check_map_keys_given(struct walk *w, const struct fed_json *items, struct fed_span key)
{
    const struct fed_json *property = fed_json_get_span(fed_json_get(items, "properties"), key);
    size_t before;

    if (!property)
        return;
    before = go(w, ".items.properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(key));
    if (!is_required(items, key) && !fed_json_get(property, "default"))
        require(w, "default",
            "this property is in x-kubernetes-list-map-keys, so it must have a default or be a "
            "required property");
    if (flag(property, "nullable"))
        forbid(w, "nullable",
            "this property is in x-kubernetes-list-map-keys, so it cannot be nullable");
    back(w, before);
}

static void check_map_list(struct walk *w, const struct fed_json *node)
{
    struct fed_span list = text_at(node, "x-kubernetes-list-type");
    const struct fed_json *keys = fed_json_get(node, "x-kubernetes-list-map-keys");
    const struct fed_json *items = fed_json_get(node, "items");
    bool map = fed_span_is(list, "map");

    if (fed_json_count(keys) > 0 && list.len == 0)
        require(
            w, "x-kubernetes-list-type", "must be map if x-kubernetes-list-map-keys is non-empty");
    else if (fed_json_count(keys) > 0 && !map)
        refuse_text(w, "x-kubernetes-list-type", list,
            "must be map if x-kubernetes-list-map-keys is non-empty");
    if (map && fed_json_count(keys) == 0)
        require(
            w, "x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map");
    if (map && !items)
        require(w, "items", "must have a schema if x-kubernetes-list-type is map");
    if (map && items && !fed_span_is(text_at(items, "type"), "object"))
        refuse_text(w, "items.type", text_at(items, "type"),
            "must be object if parent array's x-kubernetes-list-type is map");
    for (size_t i = 0;
         map && fed_span_is(text_at(items, "type"), "object") && i < fed_json_count(keys); i++)
        check_map_key(w, items, fed_json_string(fed_json_at(keys, i)), keys);
    if ((map || fed_span_is(list, "set")) && flag(items, "nullable")) {
        char why[96];

        snprintf(why, sizeof why, "cannot be nullable when x-kubernetes-list-type is " FED_SPAN_FMT,
            FED_SPAN_ARG(list));
        forbid(w, "items.nullable", why);
    }
    for (size_t i = 0; map && i < fed_json_count(keys); i++)
        check_map_keys_given(w, items, fed_json_string(fed_json_at(keys, i)));
}

static void check_words(struct walk *w, const struct fed_json *node)
{
    static const struct {
        const char *key;
        const char *why;
    } words[] = {{"id", "id is not supported"},
        {"additionalItems", "additionalItems is not supported"},
        {"patternProperties", "patternProperties is not supported"},
        {"definitions", "definitions is not supported"},
        {"dependencies", "dependencies is not supported"}, {"$ref", "$ref is not supported"}};
    static const char *const types[] = {
        "array", "boolean", "integer", "number", "object", "string"};
    struct fed_span type = text_at(node, "type");
    bool known = type.len == 0;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        known = known || fed_span_is(type, types[i]);
    if (!known)
        note(w, "FieldValueNotSupported", "type",
            "Unsupported value: \"" FED_SPAN_FMT
            "\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", "
            "\"string\"",
            FED_SPAN_ARG(type));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (fed_json_get(node, words[i].key))
            forbid(w, words[i].key, words[i].why);
    if (fed_span_is(type, "null"))
        forbid(w, "type", "type cannot be set to null, use nullable as an alternative");
    if (fed_json_is_array(fed_json_get(node, "items")))
        forbid(w, "items", "items must be a schema object and not an array");
    if (flag(node, "uniqueItems"))
        forbid(w, "uniqueItems",
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
}

static void check_openapi(struct walk *w, const struct fed_json *node, bool root);

static void check_children(struct walk *w, const struct fed_json *node)
{
    static const char *const singles[] = {"additionalProperties", "not", "items"};
    static const char *const lists[] = {"allOf", "oneOf", "anyOf"};
    struct fed_json_iter it;
    size_t before;

    for (size_t i = 0; i < 3; i++) {
        const struct fed_json *child = fed_json_get(node, singles[i]);

        before = go(w, ".%s", singles[i]);
        if (is_schema(child))
            check_openapi(w, child, false);
        back(w, before);
    }
    fed_json_iter_init(&it, fed_json_get(node, "properties"));
    while (fed_json_iter_next(&it)) {
        before = go(w, ".properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(it.key));
        check_openapi(w, it.value, false);
        back(w, before);
    }
    for (size_t l = 0; l < 3; l++)
        for (size_t i = 0; i < fed_json_count(fed_json_get(node, lists[l])); i++) {
            before = go(w, ".%s[%zu]", lists[l], i);
            check_openapi(w, fed_json_at(fed_json_get(node, lists[l]), i), false);
            back(w, before);
        }
}

static void check_rules(struct walk *w, const struct fed_json *node)
{
    const struct fed_json *rules = fed_json_get(node, "x-kubernetes-validations");
    char child[64];

    for (size_t i = 0; i < fed_json_count(rules); i++) {
        snprintf(child, sizeof child, "x-kubernetes-validations[%zu].rule", i);
        if (text_at(fed_json_at(rules, i), "rule").len == 0)
            require(w, child, "rule is not specified");
    }
}

static void check_openapi(struct walk *w, const struct fed_json *node, bool root)
{
    static const char *const meta[] = {"metadata", "kind", "apiVersion"};
    const struct fed_json *additional = fed_json_get(node, "additionalProperties");
    const struct fed_json *preserve = fed_json_get(node, "x-kubernetes-preserve-unknown-fields");
    struct fed_span map = text_at(node, "x-kubernetes-map-type");
    struct fed_span type = text_at(node, "type");

    check_words(w, node);
    if (additional && fed_json_count(fed_json_get(node, "properties")) > 0 &&
        (is_schema(additional) || !fed_json_bool(additional, false)))
        forbid(
            w, "additionalProperties", "additionalProperties and properties are mutual exclusive");
    for (size_t i = 0; root && i < 3; i++) {
        const struct fed_json *one = fed_json_get(fed_json_get(node, "properties"), meta[i]);
        char child[64];
        char why[64];

        snprintf(child, sizeof child, "properties[%s].default", meta[i]);
        snprintf(why, sizeof why, "must not be set in top-level %s", meta[i]);
        if (fed_json_get(one, "default"))
            forbid(w, child, why);
    }
    check_children(w, node);
    if (preserve && !fed_json_bool(preserve, true))
        note(w, "FieldValueInvalid", "x-kubernetes-preserve-unknown-fields",
            "Invalid value: false: must be true or undefined");
    if (map.len > 0 && type.len == 0)
        require(w, "type", "must be object if x-kubernetes-map-type is specified");
    else if (map.len > 0 && !fed_span_is(type, "object"))
        refuse_text(w, "type", type, "must be object if x-kubernetes-map-type is specified");
    if (map.len > 0 && !fed_span_is(map, "atomic") && !fed_span_is(map, "granular"))
        note(w, "FieldValueNotSupported", "x-kubernetes-map-type",
            "Unsupported value: \"" FED_SPAN_FMT "\": supported values: \"atomic\", \"granular\"",
            FED_SPAN_ARG(map));
    check_list_type(w, node);
    check_map_list(w, node);
    check_rules(w, node);
}

/* ---- defaults fit their own schemas ---- */
static void check_default(struct walk *w, const struct fed_json *node)
{
    const struct fed_json *value = fed_json_get(node, "default");
    struct hub_schema *schema = NULL;
    struct fed_json_doc *doc = NULL;
    struct fed_json *copy;
    struct fed_buf shown;
    size_t before = go(w, ".default");
    size_t n = w->causes->n;

    fed_buf_init(&shown, w->mem, HUB_SCHEMA_BYTES_MAX);
    if (fed_json_doc_new(w->mem, &doc) || hub_schema_compile_value(w->mem, node, &schema, NULL)) {
        fed_json_doc_free(doc);
        back(w, before);
        return;
    }
    copy = fed_json_clone(doc, value);
    if (copy && !hub_schema_prune(schema, copy, NULL) && !fed_json_eq(copy, value) &&
        !fed_json_put(&shown, value))
        note(w, "FieldValueInvalid", "", "Invalid value: %.400s: must not have unknown fields",
            fed_buf_cstr(&shown));
    if (w->causes->n == n && hub_schema_validate_value(schema, value, w->path, w->causes))
        n = w->causes->n;
    fed_buf_fini(&shown);
    hub_schema_unref(schema);
    fed_json_doc_free(doc);
    back(w, before);
}

static void check_defaults(struct walk *w, const struct fed_json *node)
{
    const struct fed_json *items = fed_json_get(node, "items");
    struct fed_json_iter it;
    size_t before;

    if (fed_json_get(node, "default"))
        check_default(w, node);
    before = go(w, ".items");
    if (is_schema(items))
        check_defaults(w, items);
    back(w, before);
    fed_json_iter_init(&it, fed_json_get(node, "properties"));
    while (fed_json_iter_next(&it)) {
        before = go(w, ".properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(it.key));
        check_defaults(w, it.value);
        back(w, before);
    }
}

/* ---- the whole ---- */
static int cause_cmp(const void *a, const void *b)
{
    const struct hub_cause *left = a;
    const struct hub_cause *right = b;
    int order = strcmp(left->field, right->field);

    return order ? order : strcmp(left->message, right->message);
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

static void check_root(struct walk *w, const struct fed_json *schema, bool status)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, (struct fed_json *)schema);
    while (status && fed_json_iter_next(&it)) {
        if (at_root_with_status(it.key))
            continue;
        note(w, "FieldValueInvalid", "",
            "Invalid value: \"" FED_SPAN_FMT
            "\": only [Description Type Format Title Maximum ExclusiveMaximum Minimum "
            "ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf "
            "Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations] "
            "fields are allowed at the root of the schema if the status subresource is enabled",
            FED_SPAN_ARG(it.key));
        break;
    }
    if (flag(schema, "nullable"))
        forbid(w, "nullable", "nullable cannot be true at the root");
}

/* Every place where a schema may stand holds one: what follows may rely on it. */
static bool check_shape(struct walk *w, const struct fed_json *node)
{
    static const char *const objects[] = {"not", "items"};
    static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
    struct fed_json *properties = fed_json_get(node, "properties");
    const struct fed_json *additional = fed_json_get(node, "additionalProperties");
    struct fed_json_iter it;
    bool ok = is_schema(node);

    if (!ok) {
        note(w, "FieldValueTypeInvalid", "", "Invalid value: a schema must be an object");
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        const struct fed_json *child = fed_json_get(node, objects[i]);
        size_t before = go(w, ".%s", objects[i]);

        if (child && !(i == 1 && fed_json_is_array(child)))
            ok = check_shape(w, child) && ok;
        back(w, before);
    }
    if (is_schema(additional)) {
        size_t before = go(w, ".additionalProperties");

        ok = check_shape(w, additional) && ok;
        back(w, before);
    }
    fed_json_iter_init(&it, properties);
    while (fed_json_iter_next(&it)) {
        size_t before = go(w, ".properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(it.key));

        ok = check_shape(w, it.value) && ok;
        back(w, before);
    }
    for (size_t l = 0; l < 3; l++)
        for (size_t i = 0; i < fed_json_count(fed_json_get(node, lists[l])); i++) {
            size_t before = go(w, ".%s[%zu]", lists[l], i);

            ok = check_shape(w, fed_json_at(fed_json_get(node, lists[l]), i)) && ok;
            back(w, before);
        }
    return ok;
}

static void check_all(struct walk *w, struct pair *pair, struct hub_causes *structural,
    const struct fed_json *schema, bool status)
{
    struct hub_causes *causes = w->causes;
    size_t defaults;

    check_root(w, schema, status);
    w->causes = structural;
    check_structure(w, schema, LEVEL_ROOT);
    check_complete(pair, schema, schema);
    w->causes = causes;
    qsort(structural->list, structural->n, sizeof *structural->list, cause_cmp);
    for (size_t i = 0; i < structural->n; i++)
        hub_causes_add(causes, structural->list[i].reason, structural->list[i].field, "%s",
            structural->list[i].message);
    causes->more += structural->more;
    defaults = causes->n;
    if (structural->n == 0)
        check_defaults(w, schema);
    if (causes->n > defaults)
        qsort(causes->list + defaults, causes->n - defaults, sizeof *causes->list, cause_cmp);
    check_openapi(w, schema, true);
}

void hub_crd_check_schema(const struct fed_json *schema, const char *path, bool status,
    struct fed_alloc *mem, struct hub_causes *causes)
{
    struct walk *w;
    struct pair *pair;
    struct hub_causes *structural;

    if (!schema)
        return;
    w = fed_alloc_zero(mem, sizeof *w);
    pair = fed_alloc_zero(mem, sizeof *pair);
    structural = fed_alloc_zero(mem, sizeof *structural);
    if (w && pair && structural) {
        *w = (struct walk){.causes = causes, .mem = mem};
        go(w, "%s", path);
        pair->at.causes = structural;
        pair->where.causes = structural;
        go(&pair->at, "%s", path);
        go(&pair->where, "%s", path);
        if (check_shape(w, schema))
            check_all(w, pair, structural, schema, status);
    } else {
        hub_causes_add(causes, "FieldValueInvalid", path, "no memory to check it");
    }
    fed_alloc_free(mem, structural, sizeof *structural);
    fed_alloc_free(mem, pair, sizeof *pair);
    fed_alloc_free(mem, w, sizeof *w);
}

/* ---- what is not enforced ---- */
struct unenforced {
    struct walk walk;
    bool patterns;
    size_t *n;
    struct fed_buf *out;
};

static void name_unenforced(struct unenforced *u, struct fed_span what)
{
    fed_buf_printf(u->out, "%s%s: %.*s", (*u->n)++ ? "; " : "", u->walk.path,
        (int)(what.len > 200 ? 200 : what.len), (const char *)what.at);
}

static void find_unenforced(struct unenforced *u, const struct fed_json *node);

static void find_below(struct unenforced *u, const struct fed_json *node, const char *key)
{
    struct fed_json *child = fed_json_get(node, key);
    bool named = strcmp(key, "properties") == 0;
    struct fed_json_iter it;
    size_t before;

    if (fed_json_is_object(child) && !named) {
        before = go(&u->walk, ".%s", key);
        find_unenforced(u, child);
        back(&u->walk, before);
        return;
    }
    fed_json_iter_init(&it, child);
    while (fed_json_iter_next(&it)) {
        before = named ? go(&u->walk, "." FED_SPAN_FMT, FED_SPAN_ARG(it.key))
                       : go(&u->walk, ".%s[%zu]", key, it.index);
        find_unenforced(u, it.value);
        back(&u->walk, before);
    }
}

static void find_unenforced(struct unenforced *u, const struct fed_json *node)
{
    static const char *const below[] = {
        "properties", "items", "additionalProperties", "not", "allOf", "anyOf", "oneOf"};
    const struct fed_json *rules = fed_json_get(node, "x-kubernetes-validations");
    struct fed_span text = text_at(node, "pattern");
    struct hub_pattern *pattern = NULL;

    for (size_t i = 0; !u->patterns && i < fed_json_count(rules); i++)
        name_unenforced(u, text_at(fed_json_at(rules, i), "rule"));
    if (u->patterns && text.len > 0 && hub_pattern_new(u->walk.mem, text, &pattern, NULL))
        name_unenforced(u, text);
    hub_pattern_free(pattern);
    for (size_t i = 0; i < sizeof below / sizeof *below; i++)
        find_below(u, node, below[i]);
}

void hub_crd_unenforced(const struct fed_json *spec, bool patterns, size_t *n, struct fed_buf *what)
{
    const struct fed_json *versions = fed_json_get(spec, "versions");
    struct unenforced *u = fed_alloc_zero(fed_alloc_system(), sizeof *u);

    for (size_t i = 0; u && i < fed_json_count(versions); i++) {
        const struct fed_json *version = fed_json_at(versions, i);

        *u = (struct unenforced){
            .walk.mem = fed_alloc_system(), .patterns = patterns, .n = n, .out = what};
        go(&u->walk, FED_SPAN_FMT, FED_SPAN_ARG(text_at(version, "name")));
        find_unenforced(u, fed_json_find(version, "schema.openAPIV3Schema"));
    }
    fed_alloc_free(fed_alloc_system(), u, sizeof *u);
}
