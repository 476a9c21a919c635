/* crd_structural.c - whether a schema is structural.
 *
 * Source: apiextensions-apiserver pkg/apiserver/schema (validation.go, complete.go); sentences are
 * what it answers. */
#include "hub/api/crd_walk.h"
#include "hub/api/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum level { LEVEL_ROOT, LEVEL_ITEM, LEVEL_FIELD };

/* ---- invariants ---- */

static bool is_int_or_string(const struct fed_json *any_of)
{
    const struct fed_json *first = fed_json_at(any_of, 0);
    const struct fed_json *second = fed_json_at(any_of, 1);

    return fed_json_count(any_of) == 2 && fed_json_count(first) == 1 &&
           fed_json_count(second) == 1 && fed_span_is(hub_crd_text(first, "type"), "integer") &&
           fed_span_is(hub_crd_text(second, "type"), "string");
}

static void check_nested(struct hub_crd_walk *w, const struct fed_json *node, bool skip_any_of);

static void check_list(
    struct hub_crd_walk *w, const struct fed_json *node, const char *key, bool skip_first_any_of)
{
    const struct fed_json *list = fed_json_get(node, key);

    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
        size_t before = hub_crd_go(w, ".%s[%zu]", key, it.index);

        check_nested(w, it.value, skip_first_any_of && it.index == 0);
        hub_crd_back(w, before);
    }
}

static void check_pattern(struct hub_crd_walk *w, const struct fed_json *node)
{
    struct fed_span text = hub_crd_text(node, "pattern");
    struct hub_pattern *pattern = NULL;
    struct fed_diag diag = {{0}};
    char why[sizeof diag.text + 64];

    if (text.len == 0)
        return;
    if (hub_pattern_new(w->mem, text, &pattern, &diag) == FED_ERR_INVALID) {
        snprintf(why, sizeof why, "must be a valid regular expression, but isn't: %s", diag.text);
        hub_crd_refuse(w, "pattern", text, why);
    }
    hub_pattern_free(pattern);
}

static void check_values(
    struct hub_crd_walk *w, const struct fed_json *node, bool skip_any_of, bool skip_first_all_of)
{
    const struct fed_json *inverted = fed_json_get(node, "not");

    if (!skip_any_of)
        check_list(w, node, "anyOf", false);
    check_list(w, node, "allOf", skip_first_all_of);
    check_list(w, node, "oneOf", false);
    if (fed_json_is_object(inverted)) {
        size_t before = hub_crd_go(w, ".not");

        check_nested(w, inverted, false);
        hub_crd_back(w, before);
    }
    check_pattern(w, node);
}

static void check_nested_words(struct hub_crd_walk *w, const struct fed_json *node)
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
            hub_crd_forbid(w, words[i].key, words[i].why);
    }
}

static void check_nested(struct hub_crd_walk *w, const struct fed_json *node, bool skip_any_of)
{
    struct fed_json *properties = fed_json_get(node, "properties");
    const struct fed_json *items = fed_json_get(node, "items");
    struct fed_json_iter it;

    check_values(w, node, skip_any_of, false);
    if (fed_json_is_object(items)) {
        size_t before = hub_crd_go(w, ".items");

        check_nested(w, items, false);
        hub_crd_back(w, before);
    }
    fed_json_iter_init(&it, properties);
    while (fed_json_iter_next(&it)) {
        size_t before = hub_crd_go(w, ".properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(it.key));

        check_nested(w, it.value, false);
        hub_crd_back(w, before);
    }
    check_nested_words(w, node);
    if (fed_json_get(properties, "metadata"))
        hub_crd_forbid(w, "properties[metadata]", "must not be specified in a nested context");
}

static void check_type(struct hub_crd_walk *w, const struct fed_json *node, enum level level)
{
    static const char *const empty[] = {"must not be empty at the root",
        "must not be empty for specified array items",
        "must not be empty for specified object fields"};
    bool embedded = hub_crd_flag(node, "x-kubernetes-embedded-resource");
    struct fed_span type = hub_crd_text(node, "type");

    if (embedded && type.len == 0)
        hub_crd_require(w, "type", "must be object if x-kubernetes-embedded-resource is true");
    else if (embedded && !fed_span_is(type, "object"))
        hub_crd_refuse(w, "type", type, "must be object if x-kubernetes-embedded-resource is true");
    else if (type.len == 0 && !hub_crd_flag(node, "x-kubernetes-int-or-string") &&
             !hub_crd_flag(node, "x-kubernetes-preserve-unknown-fields"))
        hub_crd_require(w, "type", empty[level]);
    if (embedded && fed_json_get(node, "additionalProperties"))
        hub_crd_forbid(
            w, "additionalProperties", "must not be used if x-kubernetes-embedded-resource is set");
    if (level == LEVEL_ROOT && type.len > 0 && !fed_span_is(type, "object"))
        hub_crd_refuse(w, "type", type, "must be object at the root");
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

static void check_meta(struct hub_crd_walk *w, const struct fed_json *node, enum level level)
{
    const struct fed_json *properties = fed_json_get(node, "properties");
    struct fed_json *metadata = fed_json_get(properties, "metadata");
    bool embedded = hub_crd_flag(node, "x-kubernetes-embedded-resource");

    if (level != LEVEL_ROOT && !embedded)
        return;
    if (fed_json_get(properties, "kind") &&
        !fed_span_is(hub_crd_text(fed_json_get(properties, "kind"), "type"), "string"))
        hub_crd_refuse(w, "properties[kind].type",
            hub_crd_text(fed_json_get(properties, "kind"), "type"), "must be string");
    if (fed_json_get(properties, "apiVersion") &&
        !fed_span_is(hub_crd_text(fed_json_get(properties, "apiVersion"), "type"), "string"))
        hub_crd_refuse(w, "properties[apiVersion].type",
            hub_crd_text(fed_json_get(properties, "apiVersion"), "type"), "must be string");
    if (metadata && !fed_span_is(hub_crd_text(metadata, "type"), "object"))
        hub_crd_refuse(
            w, "properties[metadata].type", hub_crd_text(metadata, "type"), "must be object");
    if (metadata && level == LEVEL_ROOT && !is_plain_metadata(metadata))
        hub_crd_forbid(w, "properties[metadata]",
            "must not specify anything other than name and generateName, but metadata is "
            "implicitly specified");
}

static void check_structure(struct hub_crd_walk *w, const struct fed_json *node, enum level level)
{
    struct fed_json *properties = fed_json_get(node, "properties");
    const struct fed_json *additional = fed_json_get(node, "additionalProperties");
    const struct fed_json *items = fed_json_get(node, "items");
    const struct fed_json *first_all_of = fed_json_at(fed_json_get(node, "allOf"), 0);
    struct fed_json_iter it;
    size_t before;

    if (fed_span_is(hub_crd_text(node, "type"), "array") && !items)
        hub_crd_require(w, "items", "must be specified");
    if (fed_json_is_object(items)) {
        before = hub_crd_go(w, ".items");
        check_structure(w, items, LEVEL_ITEM);
        hub_crd_back(w, before);
    }
    fed_json_iter_init(&it, properties);
    while (fed_json_iter_next(&it)) {
        before = hub_crd_go(w, ".properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(it.key));
        check_structure(w, it.value, LEVEL_FIELD);
        hub_crd_back(w, before);
    }
    if (additional && level == LEVEL_ROOT)
        hub_crd_forbid(w, "additionalProperties", "must not be used at the root");
    if (fed_json_is_object(additional)) {
        before = hub_crd_go(w, ".additionalProperties");
        check_structure(w, additional, LEVEL_FIELD);
        hub_crd_back(w, before);
    }
    if (hub_crd_flag(node, "x-kubernetes-int-or-string") &&
        hub_crd_flag(node, "x-kubernetes-preserve-unknown-fields"))
        hub_crd_note(w, "FieldValueInvalid", "x-kubernetes-preserve-unknown-fields",
            "Invalid value: true: must be false if x-kubernetes-int-or-string is true");
    if (hub_crd_flag(node, "x-kubernetes-int-or-string") &&
        hub_crd_flag(node, "x-kubernetes-embedded-resource"))
        hub_crd_note(w, "FieldValueInvalid", "x-kubernetes-embedded-resource",
            "Invalid value: true: must be false if x-kubernetes-int-or-string is true");
    check_values(w, node, is_int_or_string(fed_json_get(node, "anyOf")),
        is_int_or_string(fed_json_get(first_all_of, "anyOf")));
    check_type(w, node, level);
    check_meta(w, node, level);
    if (hub_crd_flag(node, "x-kubernetes-embedded-resource") &&
        !hub_crd_flag(node, "x-kubernetes-preserve-unknown-fields") &&
        fed_json_count(properties) == 0)
        hub_crd_require(w, "properties",
            "must not be empty if x-kubernetes-embedded-resource is true without "
            "x-kubernetes-preserve-unknown-fields");
}

/* ---- what is validated is also declared ---- */

struct pair {
    struct hub_crd_walk at;    /* in the structure */
    struct hub_crd_walk where; /* in the validation */
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
    hub_crd_note(&p->at, "FieldValueRequired", "", "Required value: because it is defined in %s",
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
    if (fed_json_is_object(items)) {
        before = hub_crd_go(&p->at, ".items");
        other = hub_crd_go(&p->where, ".items");
        if (fed_json_get(node, "items"))
            check_complete_nested(p, items, fed_json_get(node, "items"));
        else
            check_declared(p, items, NULL);
        hub_crd_back(&p->at, before);
        hub_crd_back(&p->where, other);
    }
    fed_json_iter_init(&it, fed_json_get(values, "properties"));
    while (fed_json_iter_next(&it)) {
        const struct fed_json *declared =
            fed_json_get_span(fed_json_get(node, "properties"), it.key);

        before = hub_crd_go(&p->at, ".properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(it.key));
        other = hub_crd_go(&p->where, ".properties[" FED_SPAN_FMT "]", FED_SPAN_ARG(it.key));
        if (declared)
            check_complete_nested(p, it.value, declared);
        else
            check_declared(p, it.value, NULL);
        hub_crd_back(&p->at, before);
        hub_crd_back(&p->where, other);
    }
}

static void check_complete(
    struct pair *p, const struct fed_json *values, const struct fed_json *node)
{
    static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
    const struct fed_json *inverted = fed_json_get(values, "not");
    size_t other;

    if (fed_json_is_object(inverted)) {
        other = hub_crd_go(&p->where, ".not");
        check_complete_nested(p, inverted, node);
        hub_crd_back(&p->where, other);
    }
    for (size_t l = 0; l < 3; l++) {
        const struct fed_json *list = fed_json_get(values, lists[l]);

        for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
            other = hub_crd_go(&p->where, ".%s[%zu]", lists[l], it.index);
            check_complete_nested(p, it.value, node);
            hub_crd_back(&p->where, other);
        }
    }
}

/* ---- the whole ---- */

int hub_crd_cause_cmp(const void *a, const void *b)
{
    const struct hub_cause *left = a;
    const struct hub_cause *right = b;
    int order = strcmp(left->field, right->field);

    return order ? order : strcmp(left->message, right->message);
}

enum fed_err hub_crd_check_structural(const struct fed_json *schema, const char *path,
    struct fed_alloc *mem, struct hub_causes *causes)
{
    struct pair *pair = fed_alloc_zero(mem, sizeof *pair);

    if (!pair)
        return FED_ERR_NOMEM;
    pair->at.causes = pair->where.causes = causes;
    pair->at.mem = pair->where.mem = mem;
    hub_crd_go(&pair->at, "%s", path);
    hub_crd_go(&pair->where, "%s", path);
    check_structure(&pair->at, schema, LEVEL_ROOT);
    check_complete(pair, schema, schema);
    qsort(causes->list, causes->n, sizeof *causes->list, hub_crd_cause_cmp);
    fed_alloc_free(mem, pair, sizeof *pair);
    return FED_OK;
}
