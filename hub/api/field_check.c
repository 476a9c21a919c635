/* field_check.c - see field_check.h.
 *
 * The walk and its sentences are those of sigs.k8s.io/structured-merge-diff (typed/validate.go,
 * typed/helpers.go; Copyright 2018 The Kubernetes Authors, Apache License 2.0) over the types that
 * k8s.io/kube-openapi makes of a schema. Only what a sentence must show is printed as Go prints it.
 */
#include "hub/api/field_check.h"

#include "hub/api/go_text.h"
#include "hub/api/schema_node.h"

#include <stdlib.h>

#define KEYS_MAX 8u

struct check {
    struct hub_field_context *c;
    struct fed_buf path; /* of the place that is looked at */
    struct fed_buf *why; /* lines, each behind "\n  " */
    size_t n;            /* lines */
    enum hub_field_repeats repeats;
};

struct place {
    const struct hub_schema_node *node;
    bool open; /* here and below it undeclared fields are fine */
};

static void check_value(struct check *k, const struct place *at, const struct fed_json *value);

/* ---- mistakes ---- */
static void line_begin(struct check *k)
{
    k->n++;
    fed_buf_put_text(k->why, "\n  ");
    fed_buf_put(k->why, fed_buf_span(&k->path));
    if (k->path.len > 0)
        fed_buf_put_text(k->why, ": ");
}

static void mistake(struct check *k, const char *text)
{
    line_begin(k);
    fed_buf_put_text(k->why, text);
}

/* "expected WHAT, got &{VALUE}" */
static void unexpected(struct check *k, const char *what, const struct fed_json *value)
{
    line_begin(k);
    fed_buf_printf(k->why, "expected %s, got &{", what);
    hub_go_put(k->why, value);
    fed_buf_put_text(k->why, "}");
}

static void no_string(struct check *k, const struct fed_json *value)
{
    line_begin(k);
    fed_buf_put_text(k->why, "expected string, got &value.valueUnstructured{Value:");
    hub_go_put_syntax(k->why, value);
    fed_buf_put_text(k->why, "}");
}

static void no_number(struct check *k, const struct fed_json *value)
{
    line_begin(k);
    fed_buf_printf(k->why, "expected numeric (int or float), got %s", hub_go_type_of(value));
}

/* ---- lists ---- */
static void no_keys(struct check *k, const struct hub_schema_node *node, size_t at)
{
    const char *keys[KEYS_MAX];
    size_t n = hub_schema_list_keys(node, keys);

    line_begin(k);
    fed_buf_printf(k->why,
        "element %zu: associative list with keys has an element that omits all key fields [", at);
    for (size_t i = 0; i < n; i++) {
        fed_buf_put_text(k->why, i ? " " : "");
        hub_put_quoted(k->why, fed_span_text(keys[i]));
    }
    fed_buf_put_text(k->why, "] (and doesn't have default values for any key fields)");
}

/* An item that nothing tells from the others. */
static void no_element(
    struct check *k, const struct hub_schema_node *node, const struct fed_json *item, size_t at)
{
    const char *text;

    if (hub_schema_list_type(node) == HUB_LIST_MAP && fed_json_is_object(item)) {
        no_keys(k, node, at);
        return;
    }
    if (hub_schema_list_type(node) == HUB_LIST_MAP)
        text = fed_json_type(item) == FED_JSON_NULL
                   ? "associative list with keys may not have a null element"
                   : "associative list with keys may not have non-map elements";
    else
        text = fed_json_is_object(item)
                   ? "associative list without keys has an element that's a map type"
               : fed_json_is_array(item)
                   ? "not supported: associative list with lists as elements"
                   : "associative list without keys has an element that's an explicit null";
    line_begin(k);
    fed_buf_printf(k->why, "element %zu: %s", at, text);
}

struct element {
    struct fed_span name;
    size_t at;
};

static int element_cmp(const void *a, const void *b)
{
    const struct element *left = a;
    const struct element *right = b;
    int order = fed_span_cmp(left->name, right->name);

    return order ? order : left->at < right->at ? -1 : left->at > right->at;
}

/* Marks in repeated, by position, the items whose element stands before them. */
static void find_repeated(
    struct hub_field_context *c, const struct fed_span *names, size_t n, bool *repeated)
{
    struct element *sorted = fed_alloc_array(c->mem, n, sizeof *sorted);

    if (!sorted) {
        c->err = c->err ? c->err : FED_ERR_NOMEM;
        return;
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct element){names[i], i};
    qsort(sorted, n, sizeof *sorted, element_cmp);
    for (size_t i = 1; i < n; i++)
        repeated[sorted[i].at] = fed_span_eq(sorted[i].name, sorted[i - 1].name);
}

static void check_item(struct check *k, const struct place *inner, struct fed_span name,
    bool repeated, const struct fed_json *item)
{
    size_t before = k->path.len;

    if (repeated && k->repeats == HUB_FIELD_REPEATS_REFUSED) {
        line_begin(k);
        fed_buf_put_text(k->why, "duplicate entries for key ");
        hub_field_element_show(k->c, name, k->why);
    }
    hub_field_element_show(k->c, name, &k->path);
    check_value(k, inner, item);
    fed_buf_cut(&k->path, before);
}

/* A keyed list or a set. What stands behind an item without an element is not looked at. */
static void check_elements(
    struct check *k, const struct place *at, const struct place *inner, const struct fed_json *list)
{
    size_t n = fed_json_count(list);
    struct fed_span *names = fed_alloc_array(k->c->mem, n, sizeof *names);
    bool *repeated = fed_alloc_zero(k->c->mem, n);
    struct fed_json_iter it;
    size_t named = 0;

    if (!names || !repeated) {
        k->c->err = FED_ERR_NOMEM;
        return;
    }
    fed_json_iter_init(&it, (struct fed_json *)list);
    while (fed_json_iter_next(&it)) {
        names[named] = hub_field_walk_element(k->c, at->node, it.value);
        if (names[named].len == 0)
            break;
        named++;
    }
    find_repeated(k->c, names, named, repeated);
    fed_json_iter_init(&it, (struct fed_json *)list);
    for (size_t i = 0; i < named && !k->c->err && fed_json_iter_next(&it); i++)
        check_item(k, inner, names[i], repeated[i], it.value);
    if (named < n && !k->c->err && fed_json_iter_next(&it))
        no_element(k, at->node, it.value, named);
}

static void check_list(struct check *k, const struct place *at, const struct fed_json *list)
{
    struct place inner = {hub_schema_item(at->node), at->open};
    struct fed_json_iter it;

    if (fed_json_count(list) == 0)
        return;
    if (hub_schema_list_type(at->node) != HUB_LIST_ATOMIC) {
        check_elements(k, at, &inner, list);
        return;
    }
    fed_json_iter_init(&it, (struct fed_json *)list);
    while (inner.node && !k->c->err && fed_json_iter_next(&it)) {
        size_t before = k->path.len;

        fed_buf_printf(&k->path, "[%zu]", it.index);
        check_value(k, &inner, it.value);
        fed_buf_cut(&k->path, before);
    }
}

/* ---- maps ---- */
/* Whether a member that is not declared may stand there. */
static bool takes_any(const struct place *at)
{
    const struct hub_schema_node *node = at->node;

    return at->open || node->additional || node->additional_any ||
           (node->n_properties == 0 && !node->embedded);
}

static void check_map(struct check *k, const struct place *at, const struct fed_json *map)
{
    static struct hub_schema_node text = {.type = HUB_SCHEMA_STRING};
    bool closed = !takes_any(at);
    struct fed_json_iter it;

    fed_json_iter_init(&it, (struct fed_json *)map);
    while (!k->c->err && fed_json_iter_next(&it)) {
        struct place inner = {hub_schema_member(at->node, it.key), at->open};
        size_t before = k->path.len;
        bool undeclared = closed && !hub_schema_is_declared(at->node, it.key);

        if (!inner.node && hub_schema_is_type_meta(at->node, it.key))
            inner.node = &text;
        fed_buf_put_text(&k->path, ".");
        fed_buf_put(&k->path, it.key);
        if (undeclared)
            mistake(k, "field not declared in schema");
        else
            check_value(k, &inner, it.value);
        fed_buf_cut(&k->path, before);
        if (undeclared)
            return;
    }
}

/* ---- any value ---- */
static bool is_scalar(const struct fed_json *value)
{
    return !fed_json_is_object(value) && !fed_json_is_array(value);
}

static bool is_number(const struct fed_json *value)
{
    return fed_json_type(value) == FED_JSON_INT || fed_json_type(value) == FED_JSON_REAL;
}

static void check_string(
    struct check *k, const struct hub_schema_node *node, const struct fed_json *value)
{
    if (node->formatted && !is_scalar(value))
        unexpected(k, "any scalar", value);
    else if (!node->formatted && !fed_json_is_string(value))
        no_string(k, value);
}

static void check_any(struct check *k, const struct place *at, const struct fed_json *value)
{
    if (fed_json_is_object(value))
        check_map(k, at, value);
    else if (fed_json_is_array(value))
        check_list(k, at, value);
}

static void check_typed(struct check *k, const struct place *at, const struct fed_json *value)
{
    switch (at->node->type) {
    case HUB_SCHEMA_ANY:
        check_any(k, at, value);
        break;
    case HUB_SCHEMA_OBJECT:
        if (fed_json_is_object(value))
            check_map(k, at, value);
        else
            unexpected(k, "map", value);
        break;
    case HUB_SCHEMA_ARRAY:
        if (fed_json_is_array(value))
            check_list(k, at, value);
        else
            unexpected(k, "list", value);
        break;
    case HUB_SCHEMA_STRING:
        check_string(k, at->node, value);
        break;
    case HUB_SCHEMA_INTEGER:
    case HUB_SCHEMA_NUMBER:
        if (!is_number(value))
            no_number(k, value);
        break;
    case HUB_SCHEMA_BOOLEAN:
        if (fed_json_type(value) != FED_JSON_BOOL)
            unexpected(k, "boolean", value);
        break;
    }
}

/* Null is fine everywhere, and so is anything where there is no schema. */
static void check_value(struct check *k, const struct place *at, const struct fed_json *value)
{
    struct place here = *at;

    if (!here.node || fed_json_type(value) == FED_JSON_NULL)
        return;
    here.open = here.open || here.node->preserve_unknown;
    check_typed(k, &here, value);
}

enum fed_err hub_field_check(struct hub_field_context *c, const struct hub_schema_node *node,
    const struct fed_json *value, enum hub_field_repeats repeats, struct fed_buf *why)
{
    struct check k = {.c = c, .why = why, .repeats = repeats};
    struct place root = {node, false};
    enum fed_err err;

    fed_buf_init(&k.path, fed_alloc_system(), HUB_FIELD_ELEMENT_MAX);
    fed_buf_put_text(why, "errors:");
    check_value(&k, &root, value);
    err = c->err ? c->err : fed_buf_err(&k.path);
    fed_buf_fini(&k.path);
    if (!err)
        err = fed_buf_err(why);
    if (!err && k.n == 0)
        fed_buf_clear(why);
    if (!err && k.n == 1)
        fed_buf_drop(why, sizeof "errors:\n  " - 1);
    return !err && k.n > 0 ? FED_ERR_INVALID : err;
}
