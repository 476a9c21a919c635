/* schema_check.c - see schema.h: prune, default, validate. Recursion is bounded by the depth of a
 * parsed document. */
#include "hub/api/schema_node.h"
#include "proto/base/map.h"
#include "proto/base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIQUE_TEXT_MAX 65536u /* bytes of the keys of one item */

/* ---- paths: "spec.placement.clusters[0].name", extended and cut back while walking ---- */
struct path {
    char text[256];
    size_t len;
};

static size_t path_member(struct path *path, struct fed_span key)
{
    size_t before = path->len;
    int n = snprintf(path->text + before, sizeof path->text - before, "%s" FED_SPAN_FMT,
        before ? "." : "", FED_SPAN_ARG(key));

    path->len = n < 0 || (size_t)n >= sizeof path->text - before ? sizeof path->text - 1
                                                                 : before + (size_t)n;
    return before;
}

static size_t path_index(struct path *path, size_t index)
{
    size_t before = path->len;
    int n = snprintf(path->text + before, sizeof path->text - before, "[%zu]", index);

    path->len = n < 0 || (size_t)n >= sizeof path->text - before ? sizeof path->text - 1
                                                                 : before + (size_t)n;
    return before;
}

static void path_back(struct path *path, size_t before)
{
    path->len = before;
    path->text[before] = '\0';
}

/* ---- prune ---- */

static enum fed_err prune(const struct hub_schema_node *node, struct fed_json *value,
    struct path *path, struct fed_buf *unknown);

static enum fed_err prune_object(const struct hub_schema_node *node, struct fed_json *object,
    struct path *path, struct fed_buf *unknown)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    fed_json_iter_init(&it, object);
    while (!err && fed_json_iter_next(&it)) {
        const struct hub_schema_property *property = hub_schema_property(node, it.key);
        const struct hub_schema_node *next = property ? property->node : node->additional;
        size_t before;

        if (!property && hub_schema_is_type_meta(node, it.key))
            continue;
        before = path_member(path, it.key);
        if (next) {
            err = prune(next, it.value, path, unknown);
        } else if (!node->additional_any && !node->preserve_unknown) {
            if (unknown)
                fed_buf_printf(unknown, "%s\n", path->text);
            fed_json_iter_remove(&it);
        }
        path_back(path, before);
    }
    return err;
}

static enum fed_err prune(const struct hub_schema_node *node, struct fed_json *value,
    struct path *path, struct fed_buf *unknown)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    if (fed_json_is_object(value) && (node->type == HUB_SCHEMA_OBJECT || node->n_properties))
        return prune_object(node, value, path, unknown);
    if (!fed_json_is_array(value) || !node->items)
        return FED_OK;
    fed_json_iter_init(&it, value);
    while (!err && fed_json_iter_next(&it)) {
        size_t before = path_index(path, it.index);

        err = prune(node->items, it.value, path, unknown);
        path_back(path, before);
    }
    return err;
}

enum fed_err hub_schema_prune(
    const struct hub_schema *schema, struct fed_json *object, struct fed_buf *unknown)
{
    struct path path = {.len = 0};
    enum fed_err err = prune(schema->root, object, &path, unknown);

    return err || !unknown ? err : fed_buf_err(unknown);
}

/* ---- default ---- */

static enum fed_err put_defaults(
    const struct hub_schema_node *node, struct fed_json_doc *doc, struct fed_json *value);

static bool is_bad_null(const struct hub_schema_node *node, const struct fed_json *value)
{
    return fed_json_type(value) == FED_JSON_NULL && !node->nullable;
}

/* A property that is absent gets its default. */
static enum fed_err default_property(
    const struct hub_schema_property *property, struct fed_json_doc *doc, struct fed_json *object)
{
    if (!property->node->otherwise || fed_json_get_span(object, property->key))
        return FED_OK;
    return fed_json_add_span(
        doc, object, property->key, fed_json_clone(doc, property->node->otherwise));
}

/* The value at the iterator: a null that must not be gives way to the default or goes (items of
 * lists stay), any other is searched for what it lacks. */
static enum fed_err default_at(const struct hub_schema_node *node, struct fed_json_doc *doc,
    struct fed_json_iter *it, bool member)
{
    struct fed_json *value = it->value;

    if (is_bad_null(node, value) && node->otherwise) {
        value = fed_json_clone(doc, node->otherwise);
        if (!value)
            return FED_ERR_NOMEM;
        fed_json_iter_replace(it, value);
    } else if (is_bad_null(node, value) && member) {
        fed_json_iter_remove(it);
        return FED_OK;
    }
    return put_defaults(node, doc, value);
}

static enum fed_err default_object(
    const struct hub_schema_node *node, struct fed_json_doc *doc, struct fed_json *object)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < node->n_properties; i++)
        err = default_property(&node->properties[i], doc, object);
    fed_json_iter_init(&it, object);
    while (!err && fed_json_iter_next(&it)) {
        const struct hub_schema_property *property = hub_schema_property(node, it.key);
        const struct hub_schema_node *next = property ? property->node : node->additional;

        if (next)
            err = default_at(next, doc, &it, true);
    }
    return err;
}

static enum fed_err put_defaults(
    const struct hub_schema_node *node, struct fed_json_doc *doc, struct fed_json *value)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    if (fed_json_is_object(value))
        return default_object(node, doc, value);
    if (!fed_json_is_array(value) || !node->items)
        return FED_OK;
    fed_json_iter_init(&it, value);
    while (!err && fed_json_iter_next(&it))
        err = default_at(node->items, doc, &it, false);
    return err;
}

enum fed_err hub_schema_default(
    const struct hub_schema *schema, struct fed_json_doc *doc, struct fed_json *object)
{
    return put_defaults(schema->root, doc, object);
}

/* ---- validate; sentences as kube-apiserver's, because people search for them ---- */

struct check {
    struct path path;
    struct hub_causes *causes;
};

FED_PRINTF(4, 5)
static void cause(struct check *c, const char *reason, const char *field, const char *format, ...)
{
    struct hub_cause *to;
    va_list args;

    if (c->causes->n == HUB_CAUSES_MAX) {
        c->causes->more++;
        return;
    }
    to = &c->causes->list[c->causes->n++];
    snprintf(to->reason, sizeof to->reason, "%s", reason);
    snprintf(to->field, sizeof to->field, "%s", field);
    va_start(args, format);
    vsnprintf(to->message, sizeof to->message, format, args);
    va_end(args);
}

/* An integer of 64 bits; 1.0 is one, too. */
static bool is_integer(const struct fed_json *value)
{
    return fed_json_int(value, 0) == fed_json_int(value, 1);
}

static const char *type_name(const struct fed_json *value)
{
    static const char *const names[] = {
        "null", "null", "boolean", "integer", "number", "string", "array", "object"};
    enum fed_json_type type = fed_json_type(value);

    return names[type == FED_JSON_INT && !is_integer(value) ? FED_JSON_REAL : type];
}

static const char *const schema_type_names[] = {
    "any", "object", "array", "string", "integer", "number", "boolean"};

static bool type_fits(const struct hub_schema_node *node, const struct fed_json *value)
{
    enum fed_json_type type = fed_json_type(value);

    if (node->int_or_string)
        return is_integer(value) || type == FED_JSON_STRING;
    switch (node->type) {
    case HUB_SCHEMA_ANY:
        return true;
    case HUB_SCHEMA_OBJECT:
        return type == FED_JSON_OBJECT;
    case HUB_SCHEMA_ARRAY:
        return type == FED_JSON_ARRAY;
    case HUB_SCHEMA_STRING:
        return type == FED_JSON_STRING;
    case HUB_SCHEMA_INTEGER:
        return is_integer(value);
    case HUB_SCHEMA_NUMBER:
        return type == FED_JSON_INT || type == FED_JSON_REAL;
    case HUB_SCHEMA_BOOLEAN:
        return type == FED_JSON_BOOL;
    }
    return false;
}

/* The value for a sentence: short compact JSON. */
static void value_text(const struct fed_json *value, char out[128])
{
    struct fed_buf buf;

    fed_buf_init(&buf, fed_alloc_system(), 1u << 20);
    if (fed_json_put(&buf, value))
        snprintf(out, 128, "?");
    else
        snprintf(out, 128, "%s", fed_buf_cstr(&buf));
    if (strlen(out) == 127)
        memcpy(out + 124, "...", 4);
    fed_buf_fini(&buf);
}

static void check_enum(
    struct check *c, const struct hub_schema_node *node, const struct fed_json *value)
{
    char supported[256] = "";
    char text[128];
    size_t len = 0;

    for (size_t i = 0; i < fed_json_count(node->enums); i++) {
        const struct fed_json *one = fed_json_at(node->enums, i);
        int n;

        if (fed_json_eq(one, value))
            return;
        value_text(one, text);
        n = snprintf(supported + len, sizeof supported - len,
            fed_json_is_string(one) ? "%s%s" : "%s\"%s\"", len ? ", " : "", text);
        if (n > 0 && (size_t)n < sizeof supported - len)
            len += (size_t)n;
    }
    value_text(value, text);
    cause(c, "FieldValueNotSupported", c->path.text, "Unsupported value: %s: supported values: %s",
        text, supported);
}

static size_t characters(struct fed_span text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++)
        n += (text.at[i] & 0xc0) != 0x80;
    return n;
}

static void check_pattern(struct check *c, const struct hub_schema_node *node, struct fed_span text)
{
    struct fed_buf copy;
    bool matches;

    fed_buf_init(&copy, fed_alloc_system(), text.len + 1);
    fed_buf_put(&copy, text);
    matches = !fed_buf_err(&copy) && fed_span_find(text, 0) == text.len &&
              regexec(node->regex, fed_buf_cstr(&copy), 0, NULL, 0) == 0;
    if (!matches)
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: \"%.100s\": %s in body should match '" FED_SPAN_FMT "'",
            fed_buf_cstr(&copy), c->path.text, FED_SPAN_ARG(node->pattern));
    fed_buf_fini(&copy);
}

static void check_string_format(
    struct check *c, const struct hub_schema_node *node, struct fed_span text)
{
    const char *type = node->format == HUB_FORMAT_BYTE ? "byte" : "date-time";
    int shown = (int)(text.len > 100 ? 100 : text.len);
    const char *at = (const char *)text.at;
    struct fed_buf bytes;
    int64_t ignored;
    bool ok = true;

    if (node->format == HUB_FORMAT_DATE_TIME) {
        ok = fed_text_time_parse(text, &ignored) == FED_OK;
    } else if (node->format == HUB_FORMAT_BYTE) {
        fed_buf_init(&bytes, fed_alloc_system(), text.len + 4);
        ok = fed_text_base64(text, &bytes) == FED_OK;
        fed_buf_fini(&bytes);
    }
    if (!ok)
        cause(c, "FieldValueTypeInvalid", c->path.text,
            "Invalid value: \"%.*s\": %s in body must be of type %s: \"%.*s\"", shown, at,
            c->path.text, type, shown, at);
}

static void check_string(struct check *c, const struct hub_schema_node *node, struct fed_span text)
{
    size_t n = characters(text);

    if (node->min_length >= 0 && n < (uint64_t)node->min_length)
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: \"%.*s\": %s in body should be at least %" PRId64 " chars long",
            (int)(text.len > 100 ? 100 : text.len), (const char *)text.at, c->path.text,
            node->min_length);
    if (node->max_length >= 0 && n > (uint64_t)node->max_length)
        cause(c, "FieldValueTooLong", c->path.text,
            "Too long: may not be more than %" PRId64 " bytes", node->max_length);
    if (node->regex)
        check_pattern(c, node, text);
    check_string_format(c, node, text);
}

static void check_number(
    struct check *c, const struct hub_schema_node *node, const struct fed_json *value)
{
    double number = fed_json_real(value, 0);
    char text[128];

    value_text(value, text);
    if (node->has_minimum && number < node->minimum)
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %s: %s in body should be greater than or equal to %.15g", text,
            c->path.text, node->minimum);
    if (node->has_maximum && number > node->maximum)
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %s: %s in body should be less than or equal to %.15g", text,
            c->path.text, node->maximum);
    if (node->format == HUB_FORMAT_INT32 && (number < -2147483648.0 || number > 2147483647.0))
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %s: %s in body must be of type int32", text, c->path.text);
}

static void check_value(
    struct check *c, const struct hub_schema_node *node, const struct fed_json *value);

static void missing(struct check *c, struct fed_span key)
{
    size_t before = path_member(&c->path, key);

    cause(c, "FieldValueRequired", c->path.text, "Required value");
    path_back(&c->path, before);
}

static void check_required(
    struct check *c, const struct hub_schema_node *node, const struct fed_json *object)
{
    for (size_t i = 0; i < fed_json_count(node->required); i++) {
        struct fed_span key = fed_json_string(fed_json_at(node->required, i));

        if (!fed_json_get_span(object, key))
            missing(c, key);
    }
    if (node->embedded && fed_json_string(fed_json_get(object, "apiVersion")).len == 0)
        missing(c, FED_SPAN_LIT("apiVersion"));
    if (node->embedded && fed_json_string(fed_json_get(object, "kind")).len == 0)
        missing(c, FED_SPAN_LIT("kind"));
}

static void check_object(
    struct check *c, const struct hub_schema_node *node, struct fed_json *object)
{
    struct fed_json_iter it;

    check_required(c, node, object);
    fed_json_iter_init(&it, object);
    while (fed_json_iter_next(&it)) {
        const struct hub_schema_property *property = hub_schema_property(node, it.key);
        const struct hub_schema_node *next = property ? property->node : node->additional;
        size_t before;

        if (!next)
            continue;
        before = path_member(&c->path, it.key);
        check_value(c, next, it.value);
        path_back(&c->path, before);
    }
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

/* One item among those before it; each duplicate is reported once. */
static void check_unique_item(struct check *c, const struct hub_schema_node *node,
    const struct fed_json *item, struct fed_map *seen)
{
    static char once[] = "once";
    static char reported[] = "reported";
    const char *before;
    struct fed_buf key;

    fed_buf_init(&key, fed_alloc_system(), UNIQUE_TEXT_MAX);
    if (unique_text(node, item, &key)) {
        cause(c, "FieldValueInvalid", c->path.text, "Invalid value: too large to be compared");
        fed_buf_fini(&key);
        return;
    }
    before = fed_map_get(seen, fed_buf_span(&key));
    if (before == once)
        cause(
            c, "FieldValueDuplicate", c->path.text, "Duplicate value: %.300s", fed_buf_cstr(&key));
    if (before != reported && fed_map_put(seen, fed_buf_span(&key), before ? reported : once))
        cause(c, "FieldValueInvalid", c->path.text, "Invalid value: no memory to compare it");
    fed_buf_fini(&key);
}

static void check_unique(
    struct check *c, const struct hub_schema_node *node, const struct fed_json *array)
{
    struct fed_json_iter it;
    struct fed_map seen;

    if (node->list_type == HUB_LIST_ATOMIC)
        return;
    fed_map_init(&seen, fed_alloc_system());
    fed_json_iter_init(&it, (struct fed_json *)array);
    while (fed_json_iter_next(&it)) {
        size_t before = path_index(&c->path, it.index);

        check_unique_item(c, node, it.value, &seen);
        path_back(&c->path, before);
    }
    fed_map_fini(&seen);
}

static void check_array(
    struct check *c, const struct hub_schema_node *node, const struct fed_json *array)
{
    size_t n = fed_json_count(array);
    struct fed_json_iter it;

    if (node->min_length >= 0 && n < (uint64_t)node->min_length)
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %zu: %s in body should have at least %" PRId64 " items", n,
            c->path.text, node->min_length);
    if (node->max_length >= 0 && n > (uint64_t)node->max_length) {
        cause(c, "FieldValueTooMany", c->path.text,
            "Too many: %zu: must have at most %" PRId64 " items", n, node->max_length);
        return;
    }
    check_unique(c, node, array);
    fed_json_iter_init(&it, (struct fed_json *)array);
    while (node->items && fed_json_iter_next(&it)) {
        size_t before = path_index(&c->path, it.index);

        check_value(c, node->items, it.value);
        path_back(&c->path, before);
    }
}

static void check_value(
    struct check *c, const struct hub_schema_node *node, const struct fed_json *value)
{
    if (fed_json_type(value) == FED_JSON_NULL && (node->nullable || node->type == HUB_SCHEMA_ANY))
        return;
    if (!type_fits(node, value)) {
        cause(c, "FieldValueTypeInvalid", c->path.text,
            "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", type_name(value),
            c->path.text, node->int_or_string ? "integer,string" : schema_type_names[node->type],
            type_name(value));
        return;
    }
    if (node->enums)
        check_enum(c, node, value);
    switch (fed_json_type(value)) {
    case FED_JSON_OBJECT:
        check_object(c, node, (struct fed_json *)value);
        break;
    case FED_JSON_ARRAY:
        check_array(c, node, value);
        break;
    case FED_JSON_STRING:
        check_string(c, node, fed_json_string(value));
        break;
    case FED_JSON_INT:
    case FED_JSON_REAL:
        check_number(c, node, value);
        break;
    default:
        break;
    }
}

enum fed_err hub_schema_validate(
    const struct hub_schema *schema, const struct fed_json *object, struct hub_causes *causes)
{
    return hub_schema_validate_value(schema, object, "", causes);
}

enum fed_err hub_schema_validate_value(const struct hub_schema *schema,
    const struct fed_json *object, const char *path, struct hub_causes *causes)
{
    struct check c = {.causes = causes};
    size_t before = causes->n + causes->more;

    if (path[0])
        (void)path_member(&c.path, fed_span_text(path));

    check_value(&c, schema->root, object);
    return causes->n + causes->more > before ? FED_ERR_INVALID : FED_OK;
}
