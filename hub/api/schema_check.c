/* schema_check.c - see schema.h: validate. Recursion is bounded by the depth of a parsed document.
 */
#include "hub/api/schema_check.h"
#include "proto/base/map.h"
#include "proto/base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIQUE_TEXT_MAX 65536u /* bytes of the keys of one item */

void hub_causes_add(
    struct hub_causes *causes, const char *reason, const char *field, const char *format, ...)
{
    struct hub_cause *cause;
    va_list args;

    if (!causes || causes->n == HUB_CAUSES_MAX) {
        if (causes)
            causes->more++;
        return;
    }
    cause = &causes->list[causes->n++];
    snprintf(cause->reason, sizeof cause->reason, "%s", reason);
    snprintf(cause->field, sizeof cause->field, "%s", field);
    va_start(args, format);
    vsnprintf(cause->message, sizeof cause->message, format, args);
    va_end(args);
}

/* What a part of the checks gave: `matches` counts as upstream does, to choose the alternative of
 * an anyOf or oneOf whose errors are shown. */
struct outcome {
    size_t matches;
    bool valid;
};

static size_t found(const struct hub_schema_check *c)
{
    return c->causes->n + c->causes->more;
}

/* ---- one value: what it was before an update forgives its errors where it has not changed ---- */
static struct outcome check_value(struct hub_schema_check *c, const struct hub_schema_node *node,
    const struct fed_json *value, const struct fed_json *before);

/* ---- allOf, anyOf, oneOf, not ---- */
FED_PRINTF(3, 4)
static void set_cause(struct hub_schema_check *c, size_t at, const char *format, ...)
{
    va_list args;

    if (at >= HUB_CAUSES_MAX)
        return;
    va_start(args, format);
    vsnprintf(c->causes->list[at].message, sizeof c->causes->list[at].message, format, args);
    va_end(args);
}

static void drop_causes(struct hub_schema_check *c, size_t n, size_t more)
{
    c->causes->n = n;
    c->causes->more = more;
}

/* One sentence first, behind it the errors of the alternative that comes closest. */
static size_t check_alternatives(struct hub_schema_check *c,
    const struct hub_schema_node *const *list, size_t n, bool exactly_one,
    const struct fed_json *value, const struct fed_json *before)
{
    size_t n_before = c->causes->n;
    size_t more_before = c->causes->more;
    size_t first;
    size_t end;
    size_t best = 0;
    size_t matches = 0;
    size_t valid = 0;
    bool any = false;

    hub_schema_cause(c, "FieldValueInvalid", "<nil>", "%s", "");
    first = c->causes->n;
    end = first;
    for (size_t i = 0; i < n && !(valid && !exactly_one); i++) {
        size_t from = c->causes->n;
        struct outcome outcome = check_value(c, list[i], value, before);

        if (outcome.valid) {
            matches = valid++ ? matches : outcome.matches;
            drop_causes(c, first, more_before);
            end = first;
        } else if (!valid && (!any || outcome.matches > best)) {
            memmove(c->causes->list + first, c->causes->list + from,
                (c->causes->n - from) * sizeof *c->causes->list);
            end = first + (c->causes->n - from);
            best = outcome.matches;
            any = true;
        }
        c->causes->n = end;
    }
    if (valid == 1 || (valid && !exactly_one)) {
        drop_causes(c, n_before, more_before);
        return matches;
    }
    if (exactly_one && valid > 1)
        set_cause(c, n_before,
            "Invalid value: \"\": \"%s\" must validate one and only one schema (oneOf). Found %zu "
            "valid alternatives",
            c->path.text, valid);
    else
        set_cause(c, n_before,
            exactly_one ? "Invalid value: \"\": \"%s\" must validate one and only one schema "
                          "(oneOf). Found none valid"
                        : "Invalid value: \"\": \"%s\" must validate at least one schema (anyOf)",
            c->path.text);
    return best;
}

static size_t check_every(struct hub_schema_check *c, const struct hub_schema_node *const *list,
    size_t n, const struct fed_json *value, const struct fed_json *before)
{
    size_t matches = 0;
    size_t valid = 0;

    for (size_t i = 0; i < n; i++) {
        struct outcome outcome = check_value(c, list[i], value, before);

        matches += outcome.matches;
        valid += outcome.valid;
    }
    if (valid < n)
        hub_schema_cause(c, "FieldValueInvalid", "<nil>",
            "Invalid value: \"\": \"%s\" must validate all the schemas (allOf)%s", c->path.text,
            valid ? "" : ". None validated");
    return matches;
}

static size_t check_junctors(struct hub_schema_check *c, const struct hub_schema_rules *rules,
    const struct fed_json *value, const struct fed_json *before)
{
    const struct hub_schema_node *const *all =
        (const struct hub_schema_node *const *)rules->junctors;
    size_t matches = 0;

    if (rules->n_any)
        matches += check_alternatives(c, all + rules->n_all, rules->n_any, false, value, before);
    if (rules->n_one)
        matches += check_alternatives(
            c, all + rules->n_all + rules->n_any, rules->n_one, true, value, before);
    if (rules->n_all)
        matches += check_every(c, all, rules->n_all, value, before);
    if (rules->inverted) {
        size_t n = c->causes->n;
        size_t more = c->causes->more;
        bool valid = check_value(c, rules->inverted, value, before).valid;

        drop_causes(c, n, more);
        if (valid)
            hub_schema_cause(c, "FieldValueInvalid", "<nil>",
                "Invalid value: \"\": \"%s\" must not validate the schema (not)", c->path.text);
    }
    return matches;
}

/* ---- objects and arrays ---- */
static void check_required(
    struct hub_schema_check *c, const struct hub_schema_node *node, const struct fed_json *object)
{
    for (struct fed_json_iter it = fed_json_items(node->required); fed_json_iter_next(&it);) {
        struct fed_span key = fed_json_string(it.value);
        size_t before;

        if (fed_json_get_span(object, key))
            continue;
        before = hub_schema_path_member(&c->path, key);
        hub_schema_cause(c, "FieldValueRequired", c->path.text, "Required value");
        hub_schema_path_back(&c->path, before);
    }
}

static size_t check_object(struct hub_schema_check *c, const struct hub_schema_node *node,
    struct fed_json *object, const struct fed_json *before)
{
    const struct hub_schema_rules *rules = node->rules;
    size_t n = fed_json_count(object);
    size_t matches = 0;
    struct fed_json_iter it;

    if (rules && rules->min_properties >= 0 && n < (uint64_t)rules->min_properties)
        hub_schema_cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %zu: %s in body should have at least %" PRId64 " properties", n,
            c->path.text, rules->min_properties);
    if (rules && rules->max_properties >= 0 && n > (uint64_t)rules->max_properties)
        hub_schema_cause(c, "FieldValueTooMany", c->path.text,
            "Too many: %zu: must have at most %" PRId64 " items", n, rules->max_properties);
    fed_json_iter_init(&it, object);
    while (fed_json_iter_next(&it)) {
        const struct hub_schema_property *property = hub_schema_property(node, it.key);
        const struct hub_schema_node *next = property ? property->node : node->additional;
        size_t at;

        if (!next)
            continue;
        at = hub_schema_path_member(&c->path, it.key);
        matches += check_value(c, next, it.value, fed_json_get_span(before, it.key)).matches;
        hub_schema_path_back(&c->path, at);
    }
    check_required(c, node, object);
    return matches;
}

static int key_cmp(const void *a, const void *b)
{
    return fed_span_cmp(*(const struct fed_span *)a, *(const struct fed_span *)b);
}

#define LIST_KEYS_MAX 8u

/* What makes an item of a set or map-list unique, as canonical text: itself, or the object of its
 * keys. */
static enum fed_err unique_text(
    const struct hub_schema_node *node, const struct fed_json *item, struct fed_buf *out)
{
    struct fed_span keys[LIST_KEYS_MAX];
    size_t n = 0;

    if (node->list_type == HUB_LIST_SET)
        return fed_json_put_canonical(out, item);
    for (; n < fed_json_count(node->list_keys) && n < LIST_KEYS_MAX; n++)
        keys[n] = fed_json_string(fed_json_at(node->list_keys, n));
    qsort(keys, n, sizeof *keys, key_cmp);
    fed_buf_put_text(out, "{");
    for (size_t i = 0; i < n; i++) {
        const struct fed_json *value = fed_json_get_span(item, keys[i]);

        if (!value)
            continue;
        fed_buf_printf(
            out, "%s\"" FED_SPAN_FMT "\":", out->len > 1 ? "," : "", FED_SPAN_ARG(keys[i]));
        if (fed_json_put_canonical(out, value))
            return FED_ERR_LIMIT;
    }
    fed_buf_put_text(out, "}");
    return fed_buf_err(out);
}

static bool same_keys(
    const struct hub_schema_node *node, const struct fed_json *a, const struct fed_json *b)
{
    for (struct fed_json_iter it = fed_json_items(node->list_keys); fed_json_iter_next(&it);) {
        struct fed_span key = fed_json_string(it.value);

        if (!fed_json_eq(fed_json_get_span(a, key), fed_json_get_span(b, key)))
            return false;
    }
    return true;
}

#define CORRELATED_MAX 256u /* longer lists are compared as new */
static const struct fed_json *item_before(
    const struct hub_schema_node *node, const struct fed_json *item, const struct fed_json *before)
{
    if (node->list_type != HUB_LIST_MAP || fed_json_count(before) > CORRELATED_MAX)
        return NULL;
    for (struct fed_json_iter it = fed_json_items(before); fed_json_iter_next(&it);)
        if (same_keys(node, item, it.value))
            return it.value;
    return NULL;
}

static size_t check_array(struct hub_schema_check *c, const struct hub_schema_node *node,
    const struct fed_json *array, const struct fed_json *before)
{
    const struct hub_schema_rules *rules = node->rules;
    size_t n = fed_json_count(array);
    size_t matches = 1;
    struct fed_json_iter it;

    fed_json_iter_init(&it, (struct fed_json *)array);
    while (node->items && fed_json_iter_next(&it)) {
        size_t at = hub_schema_path_index(&c->path, it.index);

        matches +=
            check_value(c, node->items, it.value, item_before(node, it.value, before)).matches;
        hub_schema_path_back(&c->path, at);
    }
    if (rules && rules->min_items >= 0 && n < (uint64_t)rules->min_items)
        hub_schema_cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %zu: %s in body should have at least %" PRId64 " items", n,
            c->path.text, rules->min_items);
    if (rules && rules->max_items >= 0 && n > (uint64_t)rules->max_items)
        hub_schema_cause(c, "FieldValueTooMany", c->path.text,
            "Too many: %zu: must have at most %" PRId64 " items", n, rules->max_items);
    return matches;
}

/* One more for each validator that looks at a value of this kind, as upstream counts. */
static size_t check_kind(struct hub_schema_check *c, const struct hub_schema_node *node,
    const struct fed_json *value, const struct fed_json *before)
{
    const struct hub_schema_rules *rules = node->rules;

    switch (fed_json_type(value)) {
    case FED_JSON_STRING:
        if (rules)
            hub_schema_check_string(c, rules, fed_json_string(value));
        if (rules && rules->format)
            hub_schema_check_format(c, rules, fed_json_string(value));
        return rules && rules->format ? 2 : 1;
    case FED_JSON_INT:
    case FED_JSON_REAL:
        if (rules)
            hub_schema_check_number(c, rules, value);
        return 2;
    case FED_JSON_ARRAY:
        return check_array(c, node, value, before) + 1;
    default:
        return 0;
    }
}

static struct outcome check_value(struct hub_schema_check *c, const struct hub_schema_node *node,
    const struct fed_json *value, const struct fed_json *before)
{
    const struct hub_schema_rules *rules = node->rules;
    bool typed = node->type != HUB_SCHEMA_ANY || node->int_or_string || (rules && rules->format);
    size_t n = found(c);
    size_t matches = 0;

    if (before && fed_json_eq(before, value))
        return (struct outcome){.matches = 1, .valid = true};
    if (fed_json_type(value) == FED_JSON_NULL) {
        if (typed && !node->nullable)
            (void)hub_schema_check_type(c, node, value);
        if (rules && rules->enums)
            hub_schema_check_enum(c, rules->enums, value);
        return (struct outcome){.matches = 1, .valid = found(c) == n};
    }
    if (typed)
        matches += hub_schema_check_type(c, node, value) ? 2 : 1;
    if (rules)
        matches += check_junctors(c, rules, value, before);
    matches += 2 + check_kind(c, node, value, before);
    if (rules && rules->enums)
        hub_schema_check_enum(c, rules->enums, value);
    matches++;
    if (fed_json_is_object(value))
        matches += check_object(c, node, (struct fed_json *)value, before) + 1;
    return (struct outcome){.matches = matches + 1, .valid = found(c) == n};
}

/* ---- embedded resources ---- */
static void embedded_member(
    struct hub_schema_check *c, const struct fed_json *object, const char *key)
{
    const struct fed_json *value = fed_json_get(object, key);
    struct fed_span text = fed_json_string(value);
    size_t before = hub_schema_path_member(&c->path, fed_span_text(key));
    size_t slash = fed_span_find(text, '/');
    struct fed_span rest = fed_span_sub(text, slash + 1, text.len);
    char shown[HUB_SCHEMA_VALUE_TEXT];
    char lower[80];

    hub_schema_quoted_text(text, shown);
    snprintf(
        lower, sizeof lower, "%.*s", (int)(text.len > 70 ? 70 : text.len), (const char *)text.at);
    for (size_t i = 0; lower[i]; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z')
            lower[i] = (char)(lower[i] + ('a' - 'A'));
    if (!value)
        hub_schema_cause(c, "FieldValueRequired", c->path.text, "Required value");
    else if (!fed_json_is_string(value)) {
        hub_schema_value_text(value, shown);
        hub_schema_cause(
            c, "FieldValueInvalid", c->path.text, "Invalid value: %s: must be a string", shown);
    } else if (text.len == 0)
        hub_schema_cause(
            c, "FieldValueInvalid", c->path.text, "Invalid value: \"\": must not be empty");
    else if (strcmp(key, "kind") != 0 && fed_span_find(rest, '/') < rest.len)
        hub_schema_cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %s: unexpected GroupVersion string: " FED_SPAN_FMT, shown,
            FED_SPAN_ARG(text));
    else if (strcmp(key, "kind") == 0 &&
             (!fed_text_is_dns_label(fed_span_text(lower)) || lower[0] < 'a'))
        hub_schema_cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %s: may have mixed case, but should otherwise match: a DNS-1035 label "
            "must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
            "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
            shown);
    hub_schema_path_back(&c->path, before);
}

/* Calls visit for the value and for all in it that the schema knows. */
typedef void check_visit(
    struct hub_schema_check *c, const struct hub_schema_node *node, const struct fed_json *value);
static void walk(struct hub_schema_check *c, const struct hub_schema_node *node,
    struct fed_json *value, check_visit *visit)
{
    bool object = fed_json_is_object(value);
    struct fed_json_iter it;

    visit(c, node, value);
    if (!object && !(fed_json_is_array(value) && node->items))
        return;
    fed_json_iter_init(&it, value);
    while (fed_json_iter_next(&it)) {
        const struct hub_schema_property *property =
            object ? hub_schema_property(node, it.key) : NULL;
        const struct hub_schema_node *next =
            !object ? node->items : (property ? property->node : node->additional);
        size_t before;

        if (!next)
            continue;
        if (object)
            before = property ? hub_schema_path_member(&c->path, it.key)
                              : hub_schema_path_key(&c->path, it.key);
        else
            before = hub_schema_path_index(&c->path, it.index);
        walk(c, next, it.value, visit);
        hub_schema_path_back(&c->path, before);
    }
}

static void visit_embedded(
    struct hub_schema_check *c, const struct hub_schema_node *node, const struct fed_json *value)
{
    if (!node->embedded || c->path.len == 0 || !fed_json_is_object(value))
        return;
    embedded_member(c, value, "apiVersion");
    embedded_member(c, value, "kind");
}

/* ---- sets and map-lists ---- */
/* One item among those before it; each duplicate is reported once. */
static void check_unique_item(struct hub_schema_check *c, const struct hub_schema_node *node,
    const struct fed_json *item, struct fed_map *seen)
{
    static char once[] = "once";
    static char reported[] = "reported";
    const char *before;
    struct fed_buf key;

    fed_buf_init(&key, fed_alloc_system(), UNIQUE_TEXT_MAX);
    if (unique_text(node, item, &key)) {
        hub_schema_cause(
            c, "FieldValueInvalid", c->path.text, "Invalid value: too large to be compared");
        fed_buf_fini(&key);
        return;
    }
    before = fed_map_get(seen, fed_buf_span(&key));
    if (before == once)
        hub_schema_cause(
            c, "FieldValueDuplicate", c->path.text, "Duplicate value: %.300s", fed_buf_cstr(&key));
    if (before != reported && fed_map_put(seen, fed_buf_span(&key), before ? reported : once))
        hub_schema_cause(
            c, "FieldValueInvalid", c->path.text, "Invalid value: no memory to compare it");
    fed_buf_fini(&key);
}

static bool check_map_items(struct hub_schema_check *c, const struct fed_json *array)
{
    for (struct fed_json_iter it = fed_json_items(array); fed_json_iter_next(&it);) {
        const struct fed_json *item = it.value;
        char shown[HUB_SCHEMA_VALUE_TEXT];
        size_t before;

        if (fed_json_is_object(item) || fed_json_type(item) == FED_JSON_NULL)
            continue;
        before = hub_schema_path_index(&c->path, it.index);
        hub_schema_value_text(item, shown);
        hub_schema_cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %s: must be an object for an array of list-type map", shown);
        hub_schema_path_back(&c->path, before);
        return false;
    }
    return true;
}

static void visit_list(
    struct hub_schema_check *c, const struct hub_schema_node *node, const struct fed_json *value)
{
    struct fed_json_iter it;
    struct fed_map seen;

    if (node->list_type == HUB_LIST_ATOMIC || !fed_json_is_array(value))
        return;
    if (node->list_type == HUB_LIST_MAP && !check_map_items(c, value))
        return;
    fed_map_init(&seen, fed_alloc_system());
    fed_json_iter_init(&it, (struct fed_json *)value);
    while (fed_json_iter_next(&it)) {
        size_t before = hub_schema_path_index(&c->path, it.index);

        check_unique_item(c, node, it.value, &seen);
        hub_schema_path_back(&c->path, before);
    }
    fed_map_fini(&seen);
}

/* ---- the whole ---- */
static bool lists_fit(const struct hub_schema *schema, const struct fed_json *object)
{
    struct hub_causes *causes = fed_alloc_zero(fed_alloc_system(), sizeof *causes);
    struct hub_schema_check c = {.prefix = "", .causes = causes};
    bool fit;

    if (!causes)
        return true;
    walk(&c, schema->root, (struct fed_json *)object, visit_list);
    fit = causes->n == 0;
    fed_alloc_free(fed_alloc_system(), causes, sizeof *causes);
    return fit;
}

/* What holds of places all over the object. */
static void check_places(struct hub_schema_check *c, const struct hub_schema *schema,
    const struct fed_json *object, const struct fed_json *before)
{
    size_t n_lists;
    size_t more_lists;

    walk(c, schema->root, (struct fed_json *)object, visit_embedded);
    n_lists = c->causes->n;
    more_lists = c->causes->more;
    walk(c, schema->root, (struct fed_json *)object, visit_list);
    if (before && found(c) > n_lists + more_lists && !lists_fit(schema, before))
        drop_causes(c, n_lists, more_lists);
}

static enum fed_err validate_at(const struct hub_schema *schema, const struct fed_json *object,
    const struct fed_json *before, const char *path, struct hub_causes *causes)
{
    struct hub_schema_check c = {.prefix = path, .causes = causes};
    size_t n = found(&c);

    (void)check_value(&c, schema->root, object, before);
    check_places(&c, schema, object, before);
    return found(&c) > n ? FED_ERR_INVALID : FED_OK;
}

enum fed_err hub_schema_validate_status(const struct hub_schema *schema,
    const struct fed_json *object, const struct fed_json *before, struct hub_causes *causes)
{
    const struct hub_schema_property *status =
        hub_schema_property(schema->root, FED_SPAN_LIT("status"));
    const struct fed_json *value = fed_json_get(object, "status");
    const struct fed_json *present = fed_json_get(before, "status");
    struct hub_schema_check c = {.prefix = "status", .causes = causes};
    size_t n = found(&c);

    if (status && value && (present || fed_json_type(value) != FED_JSON_NULL))
        (void)check_value(&c, status->node, value, present);
    c.prefix = "";
    check_places(&c, schema, object, before);
    return found(&c) > n ? FED_ERR_INVALID : FED_OK;
}

enum fed_err hub_schema_validate(
    const struct hub_schema *schema, const struct fed_json *object, struct hub_causes *causes)
{
    return validate_at(schema, object, NULL, "", causes);
}

enum fed_err hub_schema_validate_update(const struct hub_schema *schema,
    const struct fed_json *object, const struct fed_json *before, struct hub_causes *causes)
{
    return validate_at(schema, object, before, "", causes);
}

enum fed_err hub_schema_validate_value(const struct hub_schema *schema,
    const struct fed_json *value, const char *path, struct hub_causes *causes)
{
    return validate_at(schema, value, NULL, path, causes);
}
