/* crd_openapi.c - which words of OpenAPI a schema may have, and where.
 *
 * Source: apiextensions-apiserver pkg/apis/apiextensions/validation; sentences are what it answers.
 */
#include "hub/api/crd_walk.h"

#include <stdio.h>

static void check_list_type(struct hub_crd_walk *w, const struct fed_json *node)
{
    struct fed_span list = hub_crd_text(node, "x-kubernetes-list-type");
    struct fed_span type = hub_crd_text(node, "type");
    const struct fed_json *items = fed_json_get(node, "items");
    struct fed_span item_type = hub_crd_text(items, "type");

    if (fed_json_get(node, "x-kubernetes-list-type") && !fed_span_is(type, "array")) {
        if (type.len == 0)
            hub_crd_require(w, "type", "must be array if x-kubernetes-list-type is specified");
        else
            hub_crd_refuse(w, "type", type, "must be array if x-kubernetes-list-type is specified");
    } else if (fed_span_is(list, "set") && fed_span_is(item_type, "array") &&
               fed_json_get(items, "x-kubernetes-list-type") &&
               !fed_span_is(hub_crd_text(items, "x-kubernetes-list-type"), "atomic")) {
        hub_crd_refuse(w, "items.x-kubernetes-list-type",
            hub_crd_text(items, "x-kubernetes-list-type"),
            "must be atomic as item of a list with x-kubernetes-list-type=set");
    } else if (fed_span_is(list, "set") && fed_span_is(item_type, "object") &&
               !fed_span_is(hub_crd_text(items, "x-kubernetes-map-type"), "atomic")) {
        hub_crd_note(w, "FieldValueInvalid", "items.x-kubernetes-map-type",
            "Invalid value: null: must be atomic as item of a list with "
            "x-kubernetes-list-type=set");
    }
    if (fed_json_get(node, "x-kubernetes-list-type") && !fed_span_is(list, "atomic") &&
        !fed_span_is(list, "set") && !fed_span_is(list, "map"))
        hub_crd_note(w, "FieldValueNotSupported", "x-kubernetes-list-type",
            "Unsupported value: \"" FED_SPAN_FMT
            "\": supported values: \"atomic\", \"set\", \"map\"",
            FED_SPAN_ARG(list));
}

static bool is_required(const struct fed_json *node, struct fed_span key)
{
    const struct fed_json *list = fed_json_get(node, "required");

    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);)
        if (fed_span_eq(fed_json_string(it.value), key))
            return true;
    return false;
}

static void check_map_key(struct hub_crd_walk *w, const struct fed_json *items, struct fed_span key,
    const struct fed_json *keys)
{
    const struct fed_json *property = fed_json_get_span(fed_json_get(items, "properties"), key);
    struct fed_span type = hub_crd_text(property, "type");
    struct fed_buf shown;
    char child[300];

    if (!property) {
        fed_buf_init(&shown, w->mem, 65536);
        if (fed_json_put(&shown, keys))
            fed_buf_clear(&shown);
        hub_crd_note(w, "FieldValueInvalid", "x-kubernetes-list-map-keys",
            "Invalid value: %.500s: entries must all be names of item properties",
            fed_buf_cstr(&shown));
        fed_buf_fini(&shown);
        return;
    }
    snprintf(child, sizeof child, "items.properties[%.*s].type",
        (int)(key.len > 200 ? 200 : key.len), (const char *)key.at);
    if (fed_span_is(type, "array") || fed_span_is(type, "object"))
        hub_crd_refuse(w, child, hub_crd_text(items, "type"),
            "must be a scalar type if parent array's x-kubernetes-list-type is map");
}

static void check_map_keys_given(
    struct hub_crd_walk *w, const struct fed_json *items, struct fed_span key)
{
    const struct fed_json *property = fed_json_get_span(fed_json_get(items, "properties"), key);
    size_t before;

    if (!property)
        return;
    before = hub_crd_go(w, ".items.properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(key));
    if (!is_required(items, key) && !fed_json_get(property, "default"))
        hub_crd_require(w, "default",
            "this property is in x-kubernetes-list-map-keys, so it must have a default or be a "
            "required property");
    if (hub_crd_flag(property, "nullable"))
        hub_crd_forbid(w, "nullable",
            "this property is in x-kubernetes-list-map-keys, so it cannot be nullable");
    hub_crd_back(w, before);
}

static void check_map_list(struct hub_crd_walk *w, const struct fed_json *node)
{
    struct fed_span list = hub_crd_text(node, "x-kubernetes-list-type");
    const struct fed_json *keys = fed_json_get(node, "x-kubernetes-list-map-keys");
    const struct fed_json *items = fed_json_get(node, "items");
    bool map = fed_span_is(list, "map");

    if (fed_json_count(keys) > 0 && list.len == 0)
        hub_crd_require(
            w, "x-kubernetes-list-type", "must be map if x-kubernetes-list-map-keys is non-empty");
    else if (fed_json_count(keys) > 0 && !map)
        hub_crd_refuse(w, "x-kubernetes-list-type", list,
            "must be map if x-kubernetes-list-map-keys is non-empty");
    if (map && fed_json_count(keys) == 0)
        hub_crd_require(
            w, "x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map");
    if (map && !items)
        hub_crd_require(w, "items", "must have a schema if x-kubernetes-list-type is map");
    if (map && items && !fed_span_is(hub_crd_text(items, "type"), "object"))
        hub_crd_refuse(w, "items.type", hub_crd_text(items, "type"),
            "must be object if parent array's x-kubernetes-list-type is map");
    for (size_t i = 0;
         map && fed_span_is(hub_crd_text(items, "type"), "object") && i < fed_json_count(keys); i++)
        check_map_key(w, items, fed_json_string(fed_json_at(keys, i)), keys);
    if ((map || fed_span_is(list, "set")) && hub_crd_flag(items, "nullable")) {
        char why[96];

        snprintf(why, sizeof why, "cannot be nullable when x-kubernetes-list-type is " FED_SPAN_FMT,
            FED_SPAN_ARG(list));
        hub_crd_forbid(w, "items.nullable", why);
    }
    for (struct fed_json_iter it = fed_json_items(keys); map && fed_json_iter_next(&it);)
        check_map_keys_given(w, items, fed_json_string(it.value));
}

static void check_words(struct hub_crd_walk *w, const struct fed_json *node)
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
    struct fed_span type = hub_crd_text(node, "type");
    bool known = type.len == 0;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        known = known || fed_span_is(type, types[i]);
    if (!known)
        hub_crd_note(w, "FieldValueNotSupported", "type",
            "Unsupported value: \"" FED_SPAN_FMT
            "\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", "
            "\"string\"",
            FED_SPAN_ARG(type));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (fed_json_get(node, words[i].key))
            hub_crd_forbid(w, words[i].key, words[i].why);
    if (fed_span_is(type, "null"))
        hub_crd_forbid(w, "type", "type cannot be set to null, use nullable as an alternative");
    if (fed_json_is_array(fed_json_get(node, "items")))
        hub_crd_forbid(w, "items", "items must be a schema object and not an array");
    if (hub_crd_flag(node, "uniqueItems"))
        hub_crd_forbid(w, "uniqueItems",
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
}

static void check_children(struct hub_crd_walk *w, const struct fed_json *node)
{
    static const char *const singles[] = {"additionalProperties", "not", "items"};
    static const char *const lists[] = {"allOf", "oneOf", "anyOf"};
    struct fed_json_iter it;
    size_t before;

    for (size_t i = 0; i < 3; i++) {
        const struct fed_json *child = fed_json_get(node, singles[i]);

        before = hub_crd_go(w, ".%s", singles[i]);
        if (fed_json_is_object(child))
            hub_crd_check_openapi(w, child, false);
        hub_crd_back(w, before);
    }
    fed_json_iter_init(&it, fed_json_get(node, "properties"));
    while (fed_json_iter_next(&it)) {
        before = hub_crd_go(w, ".properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(it.key));
        hub_crd_check_openapi(w, it.value, false);
        hub_crd_back(w, before);
    }
    for (size_t l = 0; l < 3; l++) {
        it = fed_json_items(fed_json_get(node, lists[l]));
        while (fed_json_iter_next(&it)) {
            before = hub_crd_go(w, ".%s[%zu]", lists[l], it.index);
            hub_crd_check_openapi(w, it.value, false);
            hub_crd_back(w, before);
        }
    }
}

static void check_rules(struct hub_crd_walk *w, const struct fed_json *node)
{
    const struct fed_json *rules = fed_json_get(node, "x-kubernetes-validations");
    char child[64];

    for (struct fed_json_iter it = fed_json_items(rules); fed_json_iter_next(&it);) {
        snprintf(child, sizeof child, "x-kubernetes-validations[%zu].rule", it.index);
        if (hub_crd_text(it.value, "rule").len == 0)
            hub_crd_require(w, child, "rule is not specified");
    }
}

void hub_crd_check_openapi(struct hub_crd_walk *w, const struct fed_json *node, bool root)
{
    static const char *const meta[] = {"metadata", "kind", "apiVersion"};
    const struct fed_json *additional = fed_json_get(node, "additionalProperties");
    const struct fed_json *preserve = fed_json_get(node, "x-kubernetes-preserve-unknown-fields");
    struct fed_span map = hub_crd_text(node, "x-kubernetes-map-type");
    struct fed_span type = hub_crd_text(node, "type");

    check_words(w, node);
    if (additional && fed_json_count(fed_json_get(node, "properties")) > 0 &&
        (fed_json_is_object(additional) || !fed_json_bool(additional, false)))
        hub_crd_forbid(
            w, "additionalProperties", "additionalProperties and properties are mutual exclusive");
    for (size_t i = 0; root && i < 3; i++) {
        const struct fed_json *one = fed_json_get(fed_json_get(node, "properties"), meta[i]);
        char child[64];
        char why[64];

        snprintf(child, sizeof child, "properties[%s].default", meta[i]);
        snprintf(why, sizeof why, "must not be set in top-level %s", meta[i]);
        if (fed_json_get(one, "default"))
            hub_crd_forbid(w, child, why);
    }
    check_children(w, node);
    if (preserve && !fed_json_bool(preserve, true))
        hub_crd_note(w, "FieldValueInvalid", "x-kubernetes-preserve-unknown-fields",
            "Invalid value: false: must be true or undefined");
    if (map.len > 0 && type.len == 0)
        hub_crd_require(w, "type", "must be object if x-kubernetes-map-type is specified");
    else if (map.len > 0 && !fed_span_is(type, "object"))
        hub_crd_refuse(w, "type", type, "must be object if x-kubernetes-map-type is specified");
    if (map.len > 0 && !fed_span_is(map, "atomic") && !fed_span_is(map, "granular"))
        hub_crd_note(w, "FieldValueNotSupported", "x-kubernetes-map-type",
            "Unsupported value: \"" FED_SPAN_FMT "\": supported values: \"atomic\", \"granular\"",
            FED_SPAN_ARG(map));
    check_list_type(w, node);
    check_map_list(w, node);
    check_rules(w, node);
}
