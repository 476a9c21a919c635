/* schema_check.c - see schema.h: prune, default, validate. Recursion is bounded by the depth of a
 * parsed document. */
#include "hub/api/format.h"
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
    char text[sizeof((struct hub_cause *)0)->field];
    size_t len;
};

static void path_put(struct path *path, struct fed_span text)
{
    size_t room = sizeof path->text - 1 - path->len;
    size_t n = text.len < room ? text.len : room;

    if (n > 0)
        memcpy(path->text + path->len, text.at, n);
    path->len += n;
    path->text[path->len] = '\0';
}

static size_t path_member(struct path *path, struct fed_span key)
{
    size_t before = path->len;

    if (before > 0)
        path_put(path, FED_SPAN_LIT("."));
    path_put(path, key);
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

/* ---- prune ---- */

static enum fed_err prune(const struct hub_schema_node *node, struct fed_json *value,
    struct path *path, struct fed_buf *unknown);

/* The place of a value of which nothing is said: additionalProperties: true keeps the member, not
 * what is in it. */
static const struct hub_schema_node nothing = {.type = HUB_SCHEMA_OBJECT, .items = NULL};

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

        /* Also where the schema has them: what most definitions say of metadata is "an object". */
        if (hub_schema_is_type_meta(node, it.key))
            continue;
        before = path_member(path, it.key);
        if (next) {
            err = prune(next, it.value, path, unknown);
        } else if (node->additional_any && !node->preserve_unknown) {
            err = prune(&nothing, it.value, path, unknown);
        } else if (!node->preserve_unknown) {
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

    if (fed_json_is_object(value))
        return prune_object(node, value, path, unknown);
    if (!fed_json_is_array(value) || (!node->items && node->preserve_unknown))
        return FED_OK;
    fed_json_iter_init(&it, value);
    while (!err && fed_json_iter_next(&it)) {
        size_t before = path_index(path, it.index);

        err = prune(node->items ? node->items : &nothing, it.value, path, unknown);
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

/* What becomes of a member that is null, must not be, and has no default. */
enum nulls { NULLS_GO, NULLS_STAY };
struct defaulting {
    struct fed_json_doc *doc;
    enum nulls nulls;
};

static enum fed_err put_defaults(
    const struct hub_schema_node *node, const struct defaulting *how, struct fed_json *value);

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
static enum fed_err default_at(const struct hub_schema_node *node, const struct defaulting *how,
    struct fed_json_iter *it, bool member)
{
    struct fed_json *value = it->value;

    if (is_bad_null(node, value) && node->otherwise) {
        value = fed_json_clone(how->doc, node->otherwise);
        if (!value)
            return FED_ERR_NOMEM;
        fed_json_iter_replace(it, value);
    } else if (is_bad_null(node, value) && member && how->nulls == NULLS_GO) {
        fed_json_iter_remove(it);
        return FED_OK;
    }
    return put_defaults(node, how, value);
}

static enum fed_err default_object(
    const struct hub_schema_node *node, const struct defaulting *how, struct fed_json *object)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < node->n_properties; i++)
        err = default_property(&node->properties[i], how->doc, object);
    fed_json_iter_init(&it, object);
    while (!err && fed_json_iter_next(&it)) {
        const struct hub_schema_property *property = hub_schema_property(node, it.key);
        const struct hub_schema_node *next = property ? property->node : node->additional;

        if (next)
            err = default_at(next, how, &it, true);
    }
    return err;
}

static enum fed_err put_defaults(
    const struct hub_schema_node *node, const struct defaulting *how, struct fed_json *value)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    if (fed_json_is_object(value))
        return default_object(node, how, value);
    if (!fed_json_is_array(value) || !node->items)
        return FED_OK;
    fed_json_iter_init(&it, value);
    while (!err && fed_json_iter_next(&it))
        err = default_at(node->items, how, &it, false);
    return err;
}

enum fed_err hub_schema_default(
    const struct hub_schema *schema, struct fed_json_doc *doc, struct fed_json *object)
{
    struct defaulting how = {doc, NULLS_GO};

    return put_defaults(schema->root, &how, object);
}

enum fed_err hub_schema_default_applied(
    const struct hub_schema *schema, struct fed_json_doc *doc, struct fed_json *object)
{
    struct defaulting how = {doc, NULLS_STAY};

    return put_defaults(schema->root, &how, object);
}

/* ---- validate; what is checked, in which order, and the sentences are those of kube-openapi's
 * validate and of apiextensions-apiserver, because people search for them ---- */

struct check {
    struct path path;
    const char *prefix; /* of the fields, not of the sentences: where the value is */
    struct hub_causes *causes;
};

/* What a part of the checks gave: `matches` counts as upstream does, to choose the alternative of
 * an anyOf or oneOf whose errors are shown. */
struct outcome {
    size_t matches;
    bool valid;
};

#define VALUE_TEXT 512u

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
    if (c->prefix[0] && (!field[0] || field[0] == '<'))
        field = "";
    snprintf(to->field, sizeof to->field, "%.*s%s%s", (int)(sizeof to->field / 2), c->prefix,
        c->prefix[0] && field[0] && field[0] != '[' ? "." : "", field);
    va_start(args, format);
    vsnprintf(to->message, sizeof to->message, format, args);
    va_end(args);
}

static size_t found(const struct check *c)
{
    return c->causes->n + c->causes->more;
}

/* ---- values in sentences, as Go writes them ---- */
static void put_quoted(struct fed_buf *out, struct fed_span text)
{
    static const char letters[] = "abfnrtv";
    static const char runes[] = "\a\b\f\n\r\t\v";

    fed_buf_put_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        const char *short_form = c ? strchr(runes, c) : NULL;

        if (c == '"' || c == '\\')
            fed_buf_printf(out, "\\%c", c);
        else if (short_form)
            fed_buf_printf(out, "\\%c", letters[short_form - runes]);
        else if (c < 0x20 || c == 0x7f)
            fed_buf_printf(out, "\\x%02x", c);
        else
            fed_buf_put_u8(out, c);
    }
    fed_buf_put_u8(out, '"');
}

/* %v of a float64: the fewest digits that read back, with an exponent below -4 and from 6 on. */
static void put_real(struct fed_buf *out, double value)
{
    char text[64];
    int digits = 1;
    int exponent;

    do {
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
    } while (strtod(text, NULL) != value && ++digits <= 17);
    exponent = strchr(text, 'e') ? (int)strtol(strchr(text, 'e') + 1, NULL, 10) : 0;
    if (exponent >= -4 && exponent < 6)
        snprintf(
            text, sizeof text, "%.*f", digits - 1 > exponent ? digits - 1 - exponent : 0, value);
    fed_buf_put_text(out, text);
}

/* Towards zero. */
static double whole_part(double value)
{
    return value > -9e18 && value < 9e18 ? (double)(int64_t)value : value;
}

/* An integer of 64 bits; 1.0 is one, too. */
static bool is_integer(const struct fed_json *value)
{
    return fed_json_int(value, 0) == fed_json_int(value, 1);
}

static bool is_int(const struct fed_json *value)
{
    return fed_json_type(value) == FED_JSON_INT && is_integer(value);
}

static bool is_number(const struct fed_json *value)
{
    return fed_json_type(value) == FED_JSON_INT || fed_json_type(value) == FED_JSON_REAL;
}

static void put_value(struct fed_buf *out, const struct fed_json *value)
{
    enum fed_err err = FED_OK;

    if (fed_json_is_string(value))
        put_quoted(out, fed_json_string(value));
    else if (is_number(value) && !is_int(value))
        put_real(out, fed_json_real(value, 0));
    else
        err = fed_json_put_canonical(out, value);
    if (err)
        fed_buf_clear(out);
}

static void cut_text(struct fed_buf *buf, char out[VALUE_TEXT])
{
    snprintf(out, VALUE_TEXT, "%s", fed_buf_cstr(buf));
    if (strlen(out) == VALUE_TEXT - 1)
        memcpy(out + VALUE_TEXT - 4, "...", 4);
    fed_buf_fini(buf);
}

static void value_text(const struct fed_json *value, char out[VALUE_TEXT])
{
    struct fed_buf buf;

    fed_buf_init(&buf, fed_alloc_system(), FED_JSON_BYTES_MAX);
    put_value(&buf, value);
    cut_text(&buf, out);
}

static void quoted_text(struct fed_span text, char out[VALUE_TEXT])
{
    struct fed_buf buf;

    fed_buf_init(&buf, fed_alloc_system(), FED_JSON_BYTES_MAX);
    put_quoted(&buf, text);
    cut_text(&buf, out);
}

static void real_text(double value, char out[40])
{
    struct fed_buf buf;

    fed_buf_init(&buf, fed_alloc_system(), 64);
    put_real(&buf, value);
    snprintf(out, 40, "%s", fed_buf_cstr(&buf));
    fed_buf_fini(&buf);
}

/* ---- type ---- */
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
        return is_number(value);
    case HUB_SCHEMA_BOOLEAN:
        return type == FED_JSON_BOOL;
    }
    return false;
}

static void wrong_type(struct check *c, const char *wanted, const char *shown)
{
    cause(c, "FieldValueTypeInvalid", c->path.text,
        "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", shown, c->path.text, wanted,
        shown);
}

/* A format decides in the type's place for whatever is no string. */
static bool check_type(
    struct check *c, const struct hub_schema_node *node, const struct fed_json *value)
{
    unsigned format = node->rules ? node->rules->format : 0;
    bool numeric =
        node->int_or_string || node->type == HUB_SCHEMA_INTEGER || node->type == HUB_SCHEMA_NUMBER;
    enum fed_json_type type = fed_json_type(value);

    if (format && !numeric && (type == FED_JSON_STRING || type == FED_JSON_ARRAY))
        return true;
    if (type_fits(node, value))
        return true;
    if (format && type != FED_JSON_NULL && type != FED_JSON_STRING && type != FED_JSON_ARRAY)
        wrong_type(c, hub_format_name(format),
            is_int(value) ? "int64" : (is_number(value) ? "float64" : ""));
    else
        wrong_type(c, node->int_or_string ? "integer,string" : schema_type_names[node->type],
            type_name(value));
    return false;
}

/* ---- enum ---- */
static bool enum_has(const struct fed_json *one, const struct fed_json *value)
{
    if (is_number(one) && is_number(value))
        return is_int(one) ? fed_json_int(one, 0) == (int64_t)fed_json_real(value, 0)
                           : fed_json_real(one, 0) == fed_json_real(value, 0);
    return fed_json_type(one) != FED_JSON_NULL && fed_json_eq(one, value);
}

static void check_enum(struct check *c, const struct fed_json *enums, const struct fed_json *value)
{
    struct fed_buf supported;
    char text[VALUE_TEXT];
    char list[VALUE_TEXT];

    for (size_t i = 0; i < fed_json_count(enums); i++)
        if (enum_has(fed_json_at(enums, i), value))
            return;
    fed_buf_init(&supported, fed_alloc_system(), FED_JSON_BYTES_MAX);
    for (size_t i = 0; i < fed_json_count(enums); i++) {
        const struct fed_json *one = fed_json_at(enums, i);
        struct fed_buf json;

        fed_buf_init(&json, fed_alloc_system(), FED_JSON_BYTES_MAX);
        fed_buf_put_text(&supported, i ? ", " : "");
        if (fed_json_is_string(one))
            put_quoted(&supported, fed_json_string(one));
        else if (!fed_json_put_canonical(&json, one))
            put_quoted(&supported, fed_buf_span(&json));
        fed_buf_fini(&json);
    }
    cut_text(&supported, list);
    value_text(value, text);
    cause(c, "FieldValueNotSupported", c->path.text, "Unsupported value: %s: supported values: %s",
        text, list);
}

/* ---- strings ---- */
static size_t characters(struct fed_span text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++)
        n += (text.at[i] & 0xc0) != 0x80;
    return n;
}

/* The first of length and pattern that does not hold. */
static void check_string(
    struct check *c, const struct hub_schema_rules *rules, struct fed_span text)
{
    size_t n = characters(text);
    bool matches = true;
    char shown[VALUE_TEXT];

    if (rules->max_length >= 0 && n > (uint64_t)rules->max_length) {
        cause(c, "FieldValueTooLong", c->path.text, "Too long: may not be more than %" PRId64 " %s",
            rules->max_length, rules->max_length == 1 ? "byte" : "bytes");
        return;
    }
    quoted_text(text, shown);
    if (rules->min_length >= 0 && n < (uint64_t)rules->min_length) {
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %s: %s in body should be at least %" PRId64 " chars long", shown,
            c->path.text, rules->min_length);
        return;
    }
    if (rules->pattern && hub_pattern_match(rules->pattern, text, &matches))
        matches = false;
    if (!matches)
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %s: %s in body should match '" FED_SPAN_FMT "'", shown, c->path.text,
            FED_SPAN_ARG(rules->pattern_text));
}

static void check_format(
    struct check *c, const struct hub_schema_rules *rules, struct fed_span text)
{
    char shown[VALUE_TEXT];

    if (hub_format_fits(rules->format, text))
        return;
    quoted_text(text, shown);
    cause(c, "FieldValueTypeInvalid", c->path.text,
        "Invalid value: %s: %s in body must be of type %s: %s", shown, c->path.text,
        hub_format_name(rules->format), shown);
}

/* ---- numbers; an integer is compared with the integer part of the bound ---- */
static bool is_multiple(double value, double factor)
{
    double times = factor < 1 ? 1 / factor * value : value / factor;
    double whole = whole_part(times < 0 ? times - 0.5 : times + 0.5);
    double off = times - whole;
    double size = times < 0 ? -times : times;

    return (off < 0 ? -off : off) < 1e-9 * (size > 1 ? size : 1);
}

static void check_multiple(
    struct check *c, const struct hub_schema_rules *rules, const struct fed_json *value)
{
    bool whole = is_int(value);
    double number = fed_json_real(value, 0);
    double factor =
        whole && rules->multiple_of >= 1 ? whole_part(rules->multiple_of) : rules->multiple_of;
    char text[VALUE_TEXT];
    char bound[40];

    if (rules->multiple_of <= 0 || is_multiple(number, factor))
        return;
    value_text(value, text);
    real_text(factor, bound);
    if (whole)
        snprintf(bound, sizeof bound, "%.0f", factor);
    cause(c, "FieldValueInvalid", c->path.text,
        "Invalid value: %s: %s in body should be a multiple of %s", text, c->path.text, bound);
}

static void check_bound(
    struct check *c, const struct fed_json *value, double bound, bool exclusive, bool upper)
{
    bool whole = is_int(value);
    double number = fed_json_real(value, 0);
    double limit = whole ? whole_part(bound) : bound;
    bool out = upper ? number > limit : number < limit;
    char text[VALUE_TEXT];
    char shown[40];

    if (whole && limit > -9e18 && limit < 9e18) {
        int64_t n = fed_json_int(value, 0);

        out = upper ? n > (int64_t)limit : n < (int64_t)limit;
        out = out || (exclusive && n == (int64_t)limit);
        snprintf(shown, sizeof shown, "%" PRId64, (int64_t)limit);
    } else {
        out = out || (exclusive && number == limit);
        real_text(limit, shown);
    }
    if (!out)
        return;
    value_text(value, text);
    cause(c, "FieldValueInvalid", c->path.text, "Invalid value: %s: %s in body should be %s%s %s",
        text, c->path.text, upper ? "less than" : "greater than", exclusive ? "" : " or equal to",
        shown);
}

static void check_number(
    struct check *c, const struct hub_schema_rules *rules, const struct fed_json *value)
{
    check_multiple(c, rules, value);
    if (rules->has_minimum)
        check_bound(c, value, rules->minimum, rules->above_minimum, false);
    if (rules->has_maximum)
        check_bound(c, value, rules->maximum, rules->below_maximum, true);
}

/* ---- one value: what it was before an update forgives its errors where it has not changed ---- */
static struct outcome check_value(struct check *c, const struct hub_schema_node *node,
    const struct fed_json *value, const struct fed_json *before);

/* ---- allOf, anyOf, oneOf, not ---- */
FED_PRINTF(3, 4)
static void set_cause(struct check *c, size_t at, const char *format, ...)
{
    va_list args;

    if (at >= HUB_CAUSES_MAX)
        return;
    va_start(args, format);
    vsnprintf(c->causes->list[at].message, sizeof c->causes->list[at].message, format, args);
    va_end(args);
}

static void drop_causes(struct check *c, size_t n, size_t more)
{
    c->causes->n = n;
    c->causes->more = more;
}

/* One sentence first, behind it the errors of the alternative that comes closest. */
static size_t check_alternatives(struct check *c, const struct hub_schema_node *const *list,
    size_t n, bool exactly_one, const struct fed_json *value, const struct fed_json *before)
{
    size_t n_before = c->causes->n;
    size_t more_before = c->causes->more;
    size_t first;
    size_t end;
    size_t best = 0;
    size_t matches = 0;
    size_t valid = 0;
    bool any = false;

    cause(c, "FieldValueInvalid", "<nil>", "%s", "");
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

static size_t check_every(struct check *c, const struct hub_schema_node *const *list, size_t n,
    const struct fed_json *value, const struct fed_json *before)
{
    size_t matches = 0;
    size_t valid = 0;

    for (size_t i = 0; i < n; i++) {
        struct outcome outcome = check_value(c, list[i], value, before);

        matches += outcome.matches;
        valid += outcome.valid;
    }
    if (valid < n)
        cause(c, "FieldValueInvalid", "<nil>",
            "Invalid value: \"\": \"%s\" must validate all the schemas (allOf)%s", c->path.text,
            valid ? "" : ". None validated");
    return matches;
}

static size_t check_junctors(struct check *c, const struct hub_schema_rules *rules,
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
            cause(c, "FieldValueInvalid", "<nil>",
                "Invalid value: \"\": \"%s\" must not validate the schema (not)", c->path.text);
    }
    return matches;
}

/* ---- objects and arrays ---- */
static void check_required(
    struct check *c, const struct hub_schema_node *node, const struct fed_json *object)
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

static size_t check_object(struct check *c, const struct hub_schema_node *node,
    struct fed_json *object, const struct fed_json *before)
{
    const struct hub_schema_rules *rules = node->rules;
    size_t n = fed_json_count(object);
    size_t matches = 0;
    struct fed_json_iter it;

    if (rules && rules->min_properties >= 0 && n < (uint64_t)rules->min_properties)
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %zu: %s in body should have at least %" PRId64 " properties", n,
            c->path.text, rules->min_properties);
    if (rules && rules->max_properties >= 0 && n > (uint64_t)rules->max_properties)
        cause(c, "FieldValueTooMany", c->path.text,
            "Too many: %zu: must have at most %" PRId64 " items", n, rules->max_properties);
    fed_json_iter_init(&it, object);
    while (fed_json_iter_next(&it)) {
        const struct hub_schema_property *property = hub_schema_property(node, it.key);
        const struct hub_schema_node *next = property ? property->node : node->additional;
        size_t at;

        if (!next)
            continue;
        at = path_member(&c->path, it.key);
        matches += check_value(c, next, it.value, fed_json_get_span(before, it.key)).matches;
        path_back(&c->path, at);
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
    for (size_t i = 0; i < fed_json_count(node->list_keys); i++) {
        struct fed_span key = fed_json_string(fed_json_at(node->list_keys, i));

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
    for (size_t i = 0; i < fed_json_count(before); i++)
        if (same_keys(node, item, fed_json_at(before, i)))
            return fed_json_at(before, i);
    return NULL;
}

static size_t check_array(struct check *c, const struct hub_schema_node *node,
    const struct fed_json *array, const struct fed_json *before)
{
    const struct hub_schema_rules *rules = node->rules;
    size_t n = fed_json_count(array);
    size_t matches = 1;
    struct fed_json_iter it;

    fed_json_iter_init(&it, (struct fed_json *)array);
    while (node->items && fed_json_iter_next(&it)) {
        size_t at = path_index(&c->path, it.index);

        matches +=
            check_value(c, node->items, it.value, item_before(node, it.value, before)).matches;
        path_back(&c->path, at);
    }
    if (rules && rules->min_items >= 0 && n < (uint64_t)rules->min_items)
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %zu: %s in body should have at least %" PRId64 " items", n,
            c->path.text, rules->min_items);
    if (rules && rules->max_items >= 0 && n > (uint64_t)rules->max_items)
        cause(c, "FieldValueTooMany", c->path.text,
            "Too many: %zu: must have at most %" PRId64 " items", n, rules->max_items);
    return matches;
}

/* One more for each validator that looks at a value of this kind, as upstream counts. */
static size_t check_kind(struct check *c, const struct hub_schema_node *node,
    const struct fed_json *value, const struct fed_json *before)
{
    const struct hub_schema_rules *rules = node->rules;

    switch (fed_json_type(value)) {
    case FED_JSON_STRING:
        if (rules)
            check_string(c, rules, fed_json_string(value));
        if (rules && rules->format)
            check_format(c, rules, fed_json_string(value));
        return rules && rules->format ? 2 : 1;
    case FED_JSON_INT:
    case FED_JSON_REAL:
        if (rules)
            check_number(c, rules, value);
        return 2;
    case FED_JSON_ARRAY:
        return check_array(c, node, value, before) + 1;
    default:
        return 0;
    }
}

static struct outcome check_value(struct check *c, const struct hub_schema_node *node,
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
            (void)check_type(c, node, value);
        if (rules && rules->enums)
            check_enum(c, rules->enums, value);
        return (struct outcome){.matches = 1, .valid = found(c) == n};
    }
    if (typed)
        matches += check_type(c, node, value) ? 2 : 1;
    if (rules)
        matches += check_junctors(c, rules, value, before);
    matches += 2 + check_kind(c, node, value, before);
    if (rules && rules->enums)
        check_enum(c, rules->enums, value);
    matches++;
    if (fed_json_is_object(value))
        matches += check_object(c, node, (struct fed_json *)value, before) + 1;
    return (struct outcome){.matches = matches + 1, .valid = found(c) == n};
}

/* ---- embedded resources ---- */
static void embedded_member(struct check *c, const struct fed_json *object, const char *key)
{
    const struct fed_json *value = fed_json_get(object, key);
    struct fed_span text = fed_json_string(value);
    size_t before = path_member(&c->path, fed_span_text(key));
    size_t slash = fed_span_find(text, '/');
    struct fed_span rest = fed_span_sub(text, slash + 1, text.len);
    char shown[VALUE_TEXT];
    char lower[80];

    quoted_text(text, shown);
    snprintf(
        lower, sizeof lower, "%.*s", (int)(text.len > 70 ? 70 : text.len), (const char *)text.at);
    for (size_t i = 0; lower[i]; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z')
            lower[i] = (char)(lower[i] + ('a' - 'A'));
    if (!value)
        cause(c, "FieldValueRequired", c->path.text, "Required value");
    else if (!fed_json_is_string(value)) {
        value_text(value, shown);
        cause(c, "FieldValueInvalid", c->path.text, "Invalid value: %s: must be a string", shown);
    } else if (text.len == 0)
        cause(c, "FieldValueInvalid", c->path.text, "Invalid value: \"\": must not be empty");
    else if (strcmp(key, "kind") != 0 && fed_span_find(rest, '/') < rest.len)
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %s: unexpected GroupVersion string: " FED_SPAN_FMT, shown,
            FED_SPAN_ARG(text));
    else if (strcmp(key, "kind") == 0 &&
             (!fed_text_is_dns_label(fed_span_text(lower)) || lower[0] < 'a'))
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %s: may have mixed case, but should otherwise match: a DNS-1035 label "
            "must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
            "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
            shown);
    path_back(&c->path, before);
}

static size_t path_key(struct path *path, struct fed_span key)
{
    size_t before = path->len;
    int n = snprintf(
        path->text + before, sizeof path->text - before, "[" FED_SPAN_FMT "]", FED_SPAN_ARG(key));

    path->len = n < 0 || (size_t)n >= sizeof path->text - before ? sizeof path->text - 1
                                                                 : before + (size_t)n;
    return before;
}

/* Calls visit for the value and for all in it that the schema knows. */
typedef void check_visit(
    struct check *c, const struct hub_schema_node *node, const struct fed_json *value);
static void walk(
    struct check *c, const struct hub_schema_node *node, struct fed_json *value, check_visit *visit)
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
            before = property ? path_member(&c->path, it.key) : path_key(&c->path, it.key);
        else
            before = path_index(&c->path, it.index);
        walk(c, next, it.value, visit);
        path_back(&c->path, before);
    }
}

static void visit_embedded(
    struct check *c, const struct hub_schema_node *node, const struct fed_json *value)
{
    if (!node->embedded || c->path.len == 0 || !fed_json_is_object(value))
        return;
    embedded_member(c, value, "apiVersion");
    embedded_member(c, value, "kind");
}

/* ---- sets and map-lists ---- */
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

static bool check_map_items(struct check *c, const struct fed_json *array)
{
    for (size_t i = 0; i < fed_json_count(array); i++) {
        const struct fed_json *item = fed_json_at(array, i);
        char shown[VALUE_TEXT];
        size_t before;

        if (fed_json_is_object(item) || fed_json_type(item) == FED_JSON_NULL)
            continue;
        before = path_index(&c->path, i);
        value_text(item, shown);
        cause(c, "FieldValueInvalid", c->path.text,
            "Invalid value: %s: must be an object for an array of list-type map", shown);
        path_back(&c->path, before);
        return false;
    }
    return true;
}

static void visit_list(
    struct check *c, const struct hub_schema_node *node, const struct fed_json *value)
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
        size_t before = path_index(&c->path, it.index);

        check_unique_item(c, node, it.value, &seen);
        path_back(&c->path, before);
    }
    fed_map_fini(&seen);
}

/* ---- the whole ---- */
static bool lists_fit(const struct hub_schema *schema, const struct fed_json *object)
{
    struct hub_causes *causes = fed_alloc_zero(fed_alloc_system(), sizeof *causes);
    struct check c = {.prefix = "", .causes = causes};
    bool fit;

    if (!causes)
        return true;
    walk(&c, schema->root, (struct fed_json *)object, visit_list);
    fit = causes->n == 0;
    fed_alloc_free(fed_alloc_system(), causes, sizeof *causes);
    return fit;
}

/* What holds of places all over the object. */
static void check_places(struct check *c, const struct hub_schema *schema,
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
    struct check c = {.prefix = path, .causes = causes};
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
    struct check c = {.prefix = "status", .causes = causes};
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
