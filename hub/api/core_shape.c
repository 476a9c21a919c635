/* core_shape.c - an object of a core kind as Go would decode it and write it again.
 *
 * A kube-apiserver holds core objects as Go structs: a member of the wrong type is refused while
 * decoding, nulls are zero values, what is empty is left out or not by the field's tag, times are
 * UTC and bytes canonical base64. The sentences are those of encoding/json, because people search
 * for them. */
#include "hub/api/core.h"
#include "hub/api/internal.h"

#include "proto/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* In whose words a value of the wrong type is refused. */
enum words {
    WORDS_JSON,   /* encoding/json */
    WORDS_CONVERT /* apimachinery's converter of unstructured objects */
};

struct shape {
    enum words words;
    struct fed_json_doc *doc;
    struct fed_alloc *mem;
    struct fed_diag *diag;
    char path[256];
    size_t len;
    struct fed_span owner; /* the struct whose field is looked at */
};

static enum fed_err shape_struct(
    struct shape *s, const struct hub_core_type *type, struct fed_json *object);

/* ---- refusals ---- */
/* "core.SecretType" is v1.SecretType in Go. */
static void put_go_name(struct fed_buf *out, struct fed_span name)
{
    size_t dot = fed_span_find(name, '.');

    if (dot < name.len)
        fed_buf_printf(out, "v1" FED_SPAN_FMT, FED_SPAN_ARG(fed_span_sub(name, dot, name.len)));
    else
        fed_buf_put(out, name);
}

/* A type with its containers: "map[string]core.X"; pointers are followed. */
static void put_go_type(struct fed_buf *out, struct fed_span go)
{
    while (fed_span_starts(go, "*") || fed_span_starts(go, "[]") || fed_span_starts(go, "map[")) {
        size_t n = fed_span_starts(go, "*") ? 1 : fed_span_starts(go, "[]") ? 2 : 11;

        if (n > 1)
            fed_buf_put(out, fed_span_sub(go, 0, n));
        go = fed_span_sub(go, n, go.len);
    }
    if (fed_span_is(go, "byte"))
        fed_buf_put_text(out, "uint8");
    else
        put_go_name(out, go);
}

static const char *json_word(const struct fed_json *value)
{
    switch (fed_json_type(value)) {
    case FED_JSON_BOOL:
        return "bool";
    case FED_JSON_INT:
    case FED_JSON_REAL:
        return "number";
    case FED_JSON_STRING:
        return "string";
    case FED_JSON_ARRAY:
        return "array";
    default:
        return "object";
    }
}

/* What reflect calls the kind of a value. */
static const char *kind_word(const struct fed_json *value)
{
    switch (fed_json_type(value)) {
    case FED_JSON_BOOL:
        return "bool";
    case FED_JSON_INT:
        return "int64";
    case FED_JSON_REAL:
        return "float64";
    case FED_JSON_STRING:
        return "string";
    case FED_JSON_ARRAY:
        return "slice";
    default:
        return "map";
    }
}

/* Go converts integers to strings, and numbers to numbers; what is lost thereby is refused in other
 * words than what cannot be converted at all. */
static bool is_convertible(const struct fed_json *found, const struct hub_core_type *type)
{
    bool integer = fed_json_type(found) == FED_JSON_INT;

    switch (type->basis) {
    case HUB_CORE_STRING:
        return integer;
    case HUB_CORE_INT32:
    case HUB_CORE_INT64:
    case HUB_CORE_FLOAT64:
        return integer || fed_json_type(found) == FED_JSON_REAL;
    default:
        return false;
    }
}

static const char *kind_of_basis(enum hub_core_basis basis)
{
    switch (basis) {
    case HUB_CORE_BOOL:
        return "bool";
    case HUB_CORE_INT32:
        return "int32";
    case HUB_CORE_INT64:
        return "int64";
    case HUB_CORE_FLOAT64:
        return "float64";
    default:
        return "string";
    }
}

/* A scalar or struct that stands where type is expected. */
static enum fed_err refuse_conversion(
    struct shape *s, const struct fed_json *found, const struct hub_core_type *type)
{
    const char *from = kind_word(found);
    struct fed_buf name;

    if (type->basis == HUB_CORE_STRUCT)
        return fed_diag_set(s->diag, FED_ERR_INVALID, "cannot restore struct from: %s", from);
    if (type->basis == HUB_CORE_LIST)
        return fed_diag_set(s->diag, FED_ERR_INVALID, "cannot restore slice from %s", from);
    if (type->basis == HUB_CORE_TIME || type->basis == HUB_CORE_MICRO_TIME)
        return fed_diag_set(s->diag, FED_ERR_INVALID,
            "json: cannot unmarshal %s into Go value of type string", json_word(found));
    if (!is_convertible(found, type))
        return fed_diag_set(
            s->diag, FED_ERR_INVALID, "unrecognized type: %s", kind_of_basis(type->basis));
    fed_buf_init(&name, s->mem, 1024);
    put_go_type(&name, type->name);
    fed_diag_set(s->diag, FED_ERR_INVALID, "cannot convert %s to %s", from, fed_buf_cstr(&name));
    fed_buf_fini(&name);
    return FED_ERR_INVALID;
}

/* value: what stands behind "cannot unmarshal"; NULL: the word for found. */
static enum fed_err refuse_json(
    struct shape *s, const char *value, const struct fed_json *found, struct fed_span go)
{
    size_t dot = fed_span_find(s->owner, '.');
    struct fed_span owner = fed_span_sub(s->owner, dot + 1, s->owner.len);
    struct fed_buf type;

    fed_buf_init(&type, s->mem, 1024);
    put_go_type(&type, go);
    fed_diag_set(s->diag, FED_ERR_INVALID,
        "json: cannot unmarshal %s into Go struct field " FED_SPAN_FMT ".%s of type %s",
        value ? value : json_word(found), FED_SPAN_ARG(owner), s->path, fed_buf_cstr(&type));
    fed_buf_fini(&type);
    return FED_ERR_INVALID;
}

static enum fed_err refuse(
    struct shape *s, const struct fed_json *found, const struct hub_core_type *type)
{
    return s->words == WORDS_JSON ? refuse_json(s, NULL, found, type->name)
                                  : refuse_conversion(s, found, type);
}

/* What should be a list or a map. */
static enum fed_err refuse_container(
    struct shape *s, const struct fed_json *found, const struct hub_core_field *field)
{
    if (s->words == WORDS_JSON)
        return refuse_json(s, NULL, found, field->go);
    return fed_diag_set(s->diag, FED_ERR_INVALID, "cannot restore %s from %s",
        field->list ? "slice" : "map", kind_word(found));
}

/* ---- scalars ---- */
static bool is_null(const struct fed_json *value)
{
    return !value || fed_json_type(value) == FED_JSON_NULL;
}

static enum fed_err shape_int(
    struct shape *s, const struct hub_core_type *type, struct fed_json *value)
{
    bool whole =
        fed_json_type(value) == FED_JSON_INT && fed_json_int(value, 0) == fed_json_int(value, 1);
    int64_t number = fed_json_int(value, 0);
    struct fed_buf text;
    enum fed_err err;

    if (fed_json_type(value) != FED_JSON_INT && fed_json_type(value) != FED_JSON_REAL)
        return refuse(s, value, type);
    if (whole && (type->basis == HUB_CORE_INT64 || (number >= INT32_MIN && number <= INT32_MAX)))
        return FED_OK;
    if (s->words == WORDS_CONVERT)
        return refuse(s, value, type);
    fed_buf_init(&text, s->mem, 512);
    fed_buf_put_text(&text, "number ");
    err = fed_json_put(&text, value);
    err = err ? err : refuse_json(s, fed_buf_cstr(&text), value, type->name);
    fed_buf_fini(&text);
    return err;
}

/* Where base64 goes wrong. */
static size_t bad_base64(struct fed_span text)
{
    size_t bad = 0;

    while (bad < text.len && (text.at[bad] == '+' || text.at[bad] == '/' ||
                                 (text.at[bad] >= '0' && text.at[bad] <= '9') ||
                                 ((text.at[bad] | 32) >= 'a' && (text.at[bad] | 32) <= 'z')))
        bad++;
    return bad == text.len ? text.len & ~(size_t)3 : bad;
}

static const struct hub_core_type a_byte = {
    .name = {(const uint8_t *)"byte", 4}, .basis = HUB_CORE_INT32};

static enum fed_err refuse_byte(struct shape *s, const struct fed_json *found)
{
    struct fed_buf text;
    enum fed_err err;

    if (fed_json_type(found) != FED_JSON_INT && fed_json_type(found) != FED_JSON_REAL)
        return s->words == WORDS_JSON
                   ? refuse(s, found, &a_byte)
                   : fed_diag_set(s->diag, FED_ERR_INVALID, "unrecognized type: uint8");
    if (s->words == WORDS_CONVERT)
        return refuse(s, found, &a_byte);
    fed_buf_init(&text, s->mem, 512);
    fed_buf_put_text(&text, "number ");
    err = fed_json_put(&text, found);
    err = err ? err : refuse_json(s, fed_buf_cstr(&text), found, a_byte.name);
    fed_buf_fini(&text);
    return err;
}

/* Bytes as a list of numbers, which Go takes, too. */
static enum fed_err shape_byte_list(struct shape *s, struct fed_json **value)
{
    struct fed_json_iter it;
    struct fed_buf bytes;
    struct fed_buf text;
    enum fed_err err = FED_OK;

    fed_buf_init(&bytes, s->mem, fed_json_count(*value) + 1);
    fed_buf_init(&text, s->mem, 2 * fed_json_count(*value) + 8);
    fed_json_iter_init(&it, *value);
    while (!err && fed_json_iter_next(&it)) {
        int64_t number = is_null(it.value) ? 0 : fed_json_int(it.value, -1);

        if (!is_null(it.value) &&
            (fed_json_type(it.value) != FED_JSON_INT || number < 0 || number > UINT8_MAX))
            err = refuse_byte(s, it.value);
        else
            fed_buf_put_u8(&bytes, (uint8_t)number);
    }
    if (!err) {
        fed_text_put_base64(&text, fed_buf_span(&bytes));
        *value = fed_json_new_string(s->doc, fed_buf_span(&text));
        err = *value ? fed_buf_err(&text) : FED_ERR_NOMEM;
    }
    fed_buf_fini(&text);
    fed_buf_fini(&bytes);
    return err;
}

/* Go's decoder skips line ends in base64; what is stored has none. */
static enum fed_err shape_bytes(
    struct shape *s, const struct hub_core_type *type, struct fed_json **value)
{
    struct fed_span text = fed_json_string(*value);
    struct fed_buf plain;
    struct fed_buf bytes;
    enum fed_err err;

    if (fed_json_is_array(*value))
        return shape_byte_list(s, value);
    if (!fed_json_is_string(*value))
        return s->words == WORDS_JSON ? refuse(s, *value, type)
                                      : fed_diag_set(s->diag, FED_ERR_INVALID,
                                            "cannot restore slice from %s", kind_word(*value));
    fed_buf_init(&plain, s->mem, text.len + 1);
    fed_buf_init(&bytes, s->mem, text.len + 4);
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] != '\n' && text.at[i] != '\r')
            fed_buf_put_u8(&plain, text.at[i]);
    err = fed_text_base64(fed_buf_span(&plain), &bytes);
    if (err == FED_ERR_INVALID) {
        fed_diag_set(s->diag, err, "%sillegal base64 data at input byte %zu",
            s->words == WORDS_JSON ? "" : "error decoding from json: ", bad_base64(text));
    } else if (!err && plain.len != text.len) {
        *value = fed_json_new_string(s->doc, fed_buf_span(&plain));
        err = *value ? FED_OK : FED_ERR_NOMEM;
    }
    fed_buf_fini(&plain);
    fed_buf_fini(&bytes);
    return err;
}

/* Microseconds behind the last dot; fed_text_time_parse reads whole seconds. */
static int64_t micros_of(struct fed_span text)
{
    size_t at = fed_span_find(text, '.');
    int64_t micros = 0;

    for (size_t i = 1; i <= 6; i++) {
        bool digit = at + i < text.len && text.at[at + i] >= '0' && text.at[at + i] <= '9';

        if (!digit)
            at = text.len; /* the rest are zeros */
        micros = micros * 10 + (digit ? text.at[at + i] - '0' : 0);
    }
    return micros;
}

/* Go's layout asks for six digits. */
static bool has_micros(struct fed_span text)
{
    size_t at = fed_span_find(text, '.');
    size_t n = 0;

    while (at + 1 + n < text.len && text.at[at + 1 + n] >= '0' && text.at[at + 1 + n] <= '9')
        n++;
    return n == 6;
}

static enum fed_err bad_time(
    struct shape *s, struct fed_span text, bool micro, struct fed_span at, const char *wanted)
{
    return fed_diag_set(s->diag, FED_ERR_INVALID,
        "parsing time \"" FED_SPAN_FMT "\" as \"%s\": cannot parse \"" FED_SPAN_FMT "\" as \"%s\"",
        FED_SPAN_ARG(text),
        micro ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00", FED_SPAN_ARG(at),
        wanted);
}

static enum fed_err shape_time(
    struct shape *s, const struct hub_core_type *type, struct fed_json **value)
{
    struct fed_span text = fed_json_string(*value);
    char out[FED_TEXT_TIME_SIZE];
    bool micro = type->basis == HUB_CORE_MICRO_TIME;
    int64_t at;

    if (!fed_json_is_string(*value))
        return s->words == WORDS_JSON ? refuse_json(s, NULL, *value, FED_SPAN_LIT("string"))
                                      : refuse(s, *value, type);
    if (fed_text_time_parse(text, &at))
        return bad_time(s, text, micro, text, "2006");
    if (micro && !has_micros(text)) {
        size_t seconds = fed_span_find(text, 'T') + 9; /* "T03:04:05" */

        return bad_time(s, text, micro, fed_span_sub(text, seconds, text.len), ".000000");
    }
    if (micro)
        fed_text_time_micro(at * 1000000 + micros_of(text), out);
    else
        fed_text_time(at, out);
    if (fed_span_is(text, out))
        return FED_OK;
    *value = fed_json_new_text(s->doc, out);
    return *value ? FED_OK : FED_ERR_NOMEM;
}

static enum fed_err shape_value(
    struct shape *s, const struct hub_core_type *type, struct fed_json **value);

static enum fed_err shape_items(
    struct shape *s, const struct hub_core_type *type, struct fed_json *container)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    fed_json_iter_init(&it, container);
    while (!err && fed_json_iter_next(&it)) {
        struct fed_json *value = it.value;

        err = shape_value(s, type, &value);
        if (!err && value != it.value)
            fed_json_iter_replace(&it, value);
    }
    return err;
}

/* What null stands for, other than in a pointer. */
static struct fed_json *zero_of(struct fed_json_doc *doc, const struct hub_core_type *type)
{
    switch (type->basis) {
    case HUB_CORE_STRING:
    case HUB_CORE_BYTES:
        return fed_json_new_text(doc, "");
    case HUB_CORE_BOOL:
        return fed_json_new_bool(doc, false);
    case HUB_CORE_INT32:
    case HUB_CORE_INT64:
    case HUB_CORE_FLOAT64:
        return fed_json_new_int(doc, 0);
    case HUB_CORE_STRUCT:
        return fed_json_new_object(doc);
    default:
        return fed_json_new_null(doc);
    }
}

/* The struct of a union, or a list of such, whichever was chosen. */
static enum fed_err shape_choice(
    struct shape *s, const struct hub_core_type *type, struct fed_json *value)
{
    bool list = fed_json_is_array(value);

    for (size_t i = 0; i < type->n_fields; i++) {
        const struct hub_core_field *field = &type->fields[i];

        if (field->type->basis != HUB_CORE_STRUCT || field->list != list)
            continue;
        if (list)
            return shape_items(s, field->type, value);
        return fed_json_is_object(value) ? shape_struct(s, field->type, value) : FED_OK;
    }
    return FED_OK;
}

static enum fed_err shape_value(
    struct shape *s, const struct hub_core_type *type, struct fed_json **value)
{
    if (is_null(*value)) {
        *value = zero_of(s->doc, type);
        if (!*value)
            return FED_ERR_NOMEM;
        return type->basis == HUB_CORE_STRUCT ? shape_struct(s, type, *value) : FED_OK;
    }
    switch (type->basis) {
    case HUB_CORE_STRING:
        return fed_json_is_string(*value) ? FED_OK : refuse(s, *value, type);
    case HUB_CORE_BOOL:
        return fed_json_type(*value) == FED_JSON_BOOL ? FED_OK : refuse(s, *value, type);
    case HUB_CORE_INT32:
    case HUB_CORE_INT64:
        return shape_int(s, type, *value);
    case HUB_CORE_FLOAT64:
        return fed_json_type(*value) == FED_JSON_INT || fed_json_type(*value) == FED_JSON_REAL
                   ? FED_OK
                   : refuse(s, *value, type);
    case HUB_CORE_BYTES:
        return shape_bytes(s, type, value);
    case HUB_CORE_TIME:
    case HUB_CORE_MICRO_TIME:
        return shape_time(s, type, value);
    case HUB_CORE_LIST:
        return fed_json_is_array(*value) ? shape_items(s, type->item, *value)
                                         : refuse(s, *value, type);
    case HUB_CORE_STRUCT:
        return fed_json_is_object(*value) ? shape_struct(s, type, *value) : refuse(s, *value, type);
    case HUB_CORE_UNION:
        return shape_choice(s, type, *value);
    case HUB_CORE_RAW:
        break;
    }
    return FED_OK;
}

/* ---- structs ---- */
static enum fed_err shape_member(
    struct shape *s, const struct hub_core_field *field, struct fed_json **value)
{
    size_t before = s->len;
    int n = snprintf(s->path + before, sizeof s->path - before, "%s" FED_SPAN_FMT,
        before ? "." : "", FED_SPAN_ARG(field->name));
    enum fed_err err = FED_OK;

    s->len =
        n < 0 || (size_t)n >= sizeof s->path - before ? sizeof s->path - 1 : before + (size_t)n;
    if (is_null(*value) && (field->list || field->map || field->pointer))
        err = FED_OK; /* stays null, and mostly goes */
    else if (field->list || field->map)
        err = (field->list ? fed_json_is_array(*value) : fed_json_is_object(*value))
                  ? shape_items(s, field->type, *value)
                  : refuse_container(s, *value, field);
    else
        err = shape_value(s, field->type, value);
    s->len = before;
    s->path[before] = '\0';
    return err;
}

static bool is_empty(const struct hub_core_field *field, const struct fed_json *value)
{
    if (is_null(value))
        return true;
    if (field->list || field->map)
        return fed_json_count(value) == 0;
    if (field->pointer)
        return false;
    switch (field->type->basis) {
    case HUB_CORE_STRING:
    case HUB_CORE_BYTES:
        return fed_json_string(value).len == 0;
    case HUB_CORE_BOOL:
        return !fed_json_bool(value, false);
    case HUB_CORE_INT32:
    case HUB_CORE_INT64:
        return fed_json_int(value, 1) == 0;
    case HUB_CORE_LIST:
    case HUB_CORE_STRUCT:
        return fed_json_count(value) == 0;
    default:
        return false;
    }
}

static bool is_left_out(const struct hub_core_field *field, const struct fed_json *value)
{
    bool plain_struct =
        !field->list && !field->map && !field->pointer &&
        (field->type->basis == HUB_CORE_STRUCT || field->type->basis == HUB_CORE_TIME ||
            field->type->basis == HUB_CORE_MICRO_TIME);

    if (!is_empty(field, value))
        return false;
    return field->omit_zero || (field->omit_empty && !plain_struct);
}

/* A field that Go writes although nobody gave it. */
static enum fed_err add_missing(
    struct shape *s, const struct hub_core_field *field, struct fed_json *object)
{
    struct fed_json *value = NULL;
    enum fed_err err;

    if (fed_json_get_span(object, field->name))
        return FED_OK;
    if (field->list || field->map || field->pointer)
        value = fed_json_new_null(s->doc);
    else
        value = zero_of(s->doc, field->type);
    if (!value)
        return FED_ERR_NOMEM;
    if (is_left_out(field, value))
        return FED_OK;
    err = shape_member(s, field, &value);
    return err ? err : fed_json_add_span(s->doc, object, field->name, value);
}

static enum fed_err shape_struct(
    struct shape *s, const struct hub_core_type *type, struct fed_json *object)
{
    struct fed_span owner = s->owner;
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    s->owner = type->name;
    fed_json_iter_init(&it, object);
    while (!err && fed_json_iter_next(&it)) {
        const struct hub_core_field *field = hub_core_field(type, it.key);
        struct fed_json *value = it.value;

        if (!field)
            continue;
        err = shape_member(s, field, &value);
        if (!err && is_left_out(field, value))
            fed_json_iter_remove(&it);
        else if (!err && value != it.value)
            fed_json_iter_replace(&it, value);
    }
    for (size_t i = 0; !err && i < type->n_fields; i++)
        err = add_missing(s, &type->fields[i], object);
    s->owner = owner;
    return err;
}

enum fed_err hub_core_shape(struct fed_alloc *mem, struct fed_json_doc *doc,
    const struct hub_core_type *type, struct fed_json *object, struct fed_diag *diag)
{
    struct shape s = {.doc = doc, .mem = mem, .diag = diag};

    return shape_struct(&s, type, object);
}

enum fed_err hub_core_convert(struct fed_alloc *mem, struct fed_json_doc *doc,
    const struct hub_core_type *type, struct fed_json *object, struct fed_diag *diag)
{
    struct shape s = {.words = WORDS_CONVERT, .doc = doc, .mem = mem, .diag = diag};

    return shape_struct(&s, type, object);
}

enum fed_err hub_core_settle(
    const struct hub_core_type *type, struct fed_json_doc *doc, struct fed_json *object)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < type->n_fields; i++) {
        const struct hub_core_field *field = &type->fields[i];
        const struct fed_json *value = fed_json_get_span(object, field->name);

        if (field->list && fed_json_is_array(value) && fed_json_count(value) == 0)
            err = fed_json_set_span(doc, object, field->name, fed_json_new_null(doc));
    }
    return err;
}
