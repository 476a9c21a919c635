/* schema_check.c - see schema.h: prune, default, validate. Recursion is bounded by the depth of a parsed document. */
#include "hub/api/schema_node.h"
#include "proto/base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- paths: "spec.placement.clusters[0].name", extended and cut back while walking ---- */
struct path {
    char text[256];
    size_t len;
};

static size_t path_member(struct path *path, struct fed_span key)
{
    size_t before = path->len;
    int n = snprintf(path->text + before, sizeof path->text - before, "%s" FED_SPAN_FMT, before ? "." : "",
        FED_SPAN_ARG(key));

    path->len = n < 0 || (size_t)n >= sizeof path->text - before ? sizeof path->text - 1 : before + (size_t)n;
    return before;
}

static size_t path_index(struct path *path, size_t index)
{
    size_t before = path->len;
    int n = snprintf(path->text + before, sizeof path->text - before, "[%zu]", index);

    path->len = n < 0 || (size_t)n >= sizeof path->text - before ? sizeof path->text - 1 : before + (size_t)n;
    return before;
}

static void path_back(struct path *path, size_t before)
{
    path->len = before;
    path->text[before] = '\0';
}

/* ---- prune ---- */

static enum fed_err prune(
    const struct hub_schema_node *node, struct fed_json *value, struct path *path, struct fed_buf *unknown);

static enum fed_err prune_object(
    const struct hub_schema_node *node, struct fed_json *object, struct path *path, struct fed_buf *unknown)
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

static enum fed_err prune(
    const struct hub_schema_node *node, struct fed_json *value, struct path *path, struct fed_buf *unknown)
{
    enum fed_err err = FED_OK;

    if (fed_json_is_object(value) && (node->type == HUB_SCHEMA_OBJECT || node->n_properties))
        return prune_object(node, value, path, unknown);
    if (!fed_json_is_array(value) || !node->items)
        return FED_OK;
    for (size_t i = 0; !err && i < fed_json_count(value); i++) {
        size_t before = path_index(path, i);

        err = prune(node->items, fed_json_at(value, i), path, unknown);
        path_back(path, before);
    }
    return err;
}

enum fed_err hub_schema_prune(const struct hub_schema *schema, struct fed_json *object, struct fed_buf *unknown)
{
    struct path path = {.len = 0};
    enum fed_err err = prune(schema->root, object, &path, unknown);

    return err || !unknown ? err : fed_buf_err(unknown);
}

/* ---- default ---- */

static enum fed_err put_defaults(
    const struct hub_schema_node *node, struct fed_json_doc *doc, struct fed_json *value);

static enum fed_err default_property(
    const struct hub_schema_property *property, struct fed_json_doc *doc, struct fed_json *object)
{
    struct fed_json *present = fed_json_get_span(object, property->key);
    const struct hub_schema_node *node = property->node;

    if (fed_json_type(present) == FED_JSON_NULL && !node->nullable && node->otherwise)
        present = NULL;
    if (!present && node->otherwise) {
        present = fed_json_clone(doc, node->otherwise);
        if (fed_json_set_span(doc, object, property->key, present))
            return FED_ERR_NOMEM;
    }
    return present ? put_defaults(node, doc, present) : FED_OK;
}

static enum fed_err default_object(
    const struct hub_schema_node *node, struct fed_json_doc *doc, struct fed_json *object)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < node->n_properties; i++)
        err = default_property(&node->properties[i], doc, object);
    if (!node->additional)
        return err;
    fed_json_iter_init(&it, object);
    while (!err && fed_json_iter_next(&it)) {
        if (!hub_schema_property(node, it.key))
            err = put_defaults(node->additional, doc, it.value);
    }
    return err;
}

static enum fed_err put_defaults(
    const struct hub_schema_node *node, struct fed_json_doc *doc, struct fed_json *value)
{
    enum fed_err err = FED_OK;

    if (fed_json_is_object(value))
        return default_object(node, doc, value);
    if (!fed_json_is_array(value) || !node->items)
        return FED_OK;
    for (size_t i = 0; !err && i < fed_json_count(value); i++)
        err = put_defaults(node->items, doc, fed_json_at(value, i));
    return err;
}

enum fed_err hub_schema_default(const struct hub_schema *schema, struct fed_json_doc *doc, struct fed_json *object)
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

static const char *type_name(const struct fed_json *value)
{
    static const char *const names[] = {
        "null", "null", "boolean", "integer", "number", "string", "array", "object"};

    return names[fed_json_type(value)];
}

static const char *const schema_type_names[] = {
    "any", "object", "array", "string", "integer", "number", "boolean"};

static bool type_fits(const struct hub_schema_node *node, const struct fed_json *value)
{
    enum fed_json_type type = fed_json_type(value);

    if (node->int_or_string)
        return type == FED_JSON_INT || type == FED_JSON_STRING;
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
        return type == FED_JSON_INT;
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

static void check_enum(struct check *c, const struct hub_schema_node *node, const struct fed_json *value)
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
        n = snprintf(supported + len, sizeof supported - len, "%s%s", len ? ", " : "", text);
        if (n > 0 && (size_t)n < sizeof supported - len)
            len += (size_t)n;
    }
    value_text(value, text);
    cause(c, "FieldValueNotSupported", c->path.text, "Unsupported value: %s: supported values: %s", text, supported);
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
            "Invalid value: \"%.100s\": %s in body should match '" FED_SPAN_FMT "'", fed_buf_cstr(&copy),
            c->path.text, FED_SPAN_ARG(node->pattern));
    fed_buf_fini(&copy);
}

static void check_string_format(struct check *c, const struct hub_schema_node *node, struct fed_span text)
{
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
        cause(c, "FieldValueInvalid", c->path.text, "Invalid value: \"%.*s\": %s in body must be of type %s",
            (int)(text.len > 100 ? 100 : text.len), (const char *)text.at, c->path.text,
            node->format == HUB_FORMAT_BYTE ? "byte" : "date-time");
}

static void check_string(struct check *c, const struct hub_schema_node *node, struct fed_span text)
{
    size_t n = characters(text);

    if (node->min_length >= 0 && n < (uint64_t)node->min_length)
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: \"%.*s\": %s in body should be at least %" PRId64 " chars long",
            (int)(text.len > 100 ? 100 : text.len), (const char *)text.at, c->path.text, node->min_length);
    if (node->max_length >= 0 && n > (uint64_t)node->max_length)
        cause(c, "FieldValueTooLong", c->path.text, "Too long: may not be more than %" PRId64 " bytes",
            node->max_length);
    if (node->regex)
        check_pattern(c, node, text);
    check_string_format(c, node, text);
}

static void check_number(struct check *c, const struct hub_schema_node *node, const struct fed_json *value)
{
    double number = fed_json_real(value, 0);
    char text[128];

    value_text(value, text);
    if (node->has_minimum && number < node->minimum)
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %s: %s in body should be greater than or equal to %.15g", text, c->path.text,
            node->minimum);
    if (node->has_maximum && number > node->maximum)
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %s: %s in body should be less than or equal to %.15g", text, c->path.text,
            node->maximum);
    if (node->format == HUB_FORMAT_INT32 && (number < -2147483648.0 || number > 2147483647.0))
        cause(c, "FieldValueInvalid", c->path.text, "Invalid value: %s: %s in body must be of type int32", text,
            c->path.text);
}

static void check_value(struct check *c, const struct hub_schema_node *node, const struct fed_json *value);

static void check_required(struct check *c, const struct hub_schema_node *node, const struct fed_json *object)
{
    for (size_t i = 0; i < fed_json_count(node->required); i++) {
        struct fed_span key = fed_json_string(fed_json_at(node->required, i));
        size_t before;

        if (fed_json_get_span(object, key))
            continue;
        before = path_member(&c->path, key);
        cause(c, "FieldValueRequired", c->path.text, "Required value");
        path_back(&c->path, before);
    }
}

static void check_object(struct check *c, const struct hub_schema_node *node, struct fed_json *object)
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

/* Whether two items of a set are equal, or two of a map-list have equal keys. */
static bool same_item(const struct hub_schema_node *node, const struct fed_json *a, const struct fed_json *b)
{
    if (node->list_type == HUB_LIST_SET)
        return fed_json_eq(a, b);
    for (size_t i = 0; i < fed_json_count(node->list_keys); i++) {
        struct fed_span key = fed_json_string(fed_json_at(node->list_keys, i));
        const struct fed_json *left = fed_json_get_span(a, key);
        const struct fed_json *right = fed_json_get_span(b, key);

        if (left != right && !fed_json_eq(left, right))
            return false;
    }
    return true;
}

static void check_unique(struct check *c, const struct hub_schema_node *node, const struct fed_json *array)
{
    if (node->list_type == HUB_LIST_ATOMIC)
        return;
    for (size_t i = 1; i < fed_json_count(array); i++) {
        for (size_t j = 0; j < i; j++) {
            char text[128];
            size_t before;

            if (!same_item(node, fed_json_at(array, i), fed_json_at(array, j)))
                continue;
            value_text(fed_json_at(array, i), text);
            before = path_index(&c->path, i);
            cause(c, "FieldValueDuplicate", c->path.text, "Duplicate value: %s", text);
            path_back(&c->path, before);
            break;
        }
    }
}

static void check_array(struct check *c, const struct hub_schema_node *node, const struct fed_json *array)
{
    size_t n = fed_json_count(array);

    if (node->min_length >= 0 && n < (uint64_t)node->min_length)
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %zu: %s in body should have at least %" PRId64 " items", n, c->path.text,
            node->min_length);
    if (node->max_length >= 0 && n > (uint64_t)node->max_length) {
        cause(c, "FieldValueTooMany", c->path.text, "Too many: %zu: must have at most %" PRId64 " items", n,
            node->max_length);
        return;
    }
    check_unique(c, node, array);
    for (size_t i = 0; node->items && i < n; i++) {
        size_t before = path_index(&c->path, i);

        check_value(c, node->items, fed_json_at(array, i));
        path_back(&c->path, before);
    }
}

static void check_value(struct check *c, const struct hub_schema_node *node, const struct fed_json *value)
{
    if (fed_json_type(value) == FED_JSON_NULL && (node->nullable || node->type == HUB_SCHEMA_ANY))
        return;
    if (!type_fits(node, value)) {
        cause(c, "FieldValueTypeInvalid", c->path.text, "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"",
            type_name(value), c->path.text, node->int_or_string ? "integer,string" : schema_type_names[node->type],
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
    struct check c = {.causes = causes};
    size_t before = causes->n + causes->more;

    check_value(&c, schema->root, object);
    return causes->n + causes->more > before ? FED_ERR_INVALID : FED_OK;
}
