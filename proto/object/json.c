/* json.c - see json.h: documents, parsing, reading. */
#include "proto/object/json.h"

#include "proto/object/json_tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory: yyjson frees without a size, so each block carries its own in front ---- */

#define HEAD (_Alignof(max_align_t) > sizeof(size_t) ? _Alignof(max_align_t) : sizeof(size_t))

static void *block_resize(struct fed_alloc *mem, unsigned char *old, size_t old_size, size_t size)
{
    unsigned char *at;

    if (size > SIZE_MAX - HEAD)
        return NULL;
    at = mem->resize(mem->ctx, old, old ? old_size + HEAD : 0, size + HEAD);
    if (!at)
        return NULL;
    memcpy(at, &size, sizeof size);
    return at + HEAD;
}

static void *json_malloc(void *ctx, size_t size)
{
    return block_resize(ctx, NULL, 0, size);
}

static void *json_realloc(void *ctx, void *at, size_t old_size, size_t size)
{
    unsigned char *block = (unsigned char *)at - HEAD;

    (void)old_size;
    memcpy(&old_size, block, sizeof old_size);
    return block_resize(ctx, block, old_size, size);
}

static void json_free(void *ctx, void *at)
{
    unsigned char *block = at;
    size_t size;

    if (!at)
        return;
    block -= HEAD;
    memcpy(&size, block, sizeof size);
    fed_alloc_free(ctx, block, size + HEAD);
}

enum fed_err fed_json_doc_new(struct fed_alloc *mem, struct fed_json_doc **out)
{
    struct fed_json_doc *doc = fed_alloc_zero(mem, sizeof *doc);

    if (!doc)
        return FED_ERR_NOMEM;
    doc->mem = mem;
    doc->alc =
        (yyjson_alc){.malloc = json_malloc, .realloc = json_realloc, .free = json_free, .ctx = mem};
    doc->doc = yyjson_mut_doc_new(&doc->alc);
    if (!doc->doc) {
        fed_alloc_free(mem, doc, sizeof *doc);
        return FED_ERR_NOMEM;
    }
    *out = doc;
    return FED_OK;
}

void fed_json_doc_free(struct fed_json_doc *doc)
{
    if (!doc)
        return;
    yyjson_mut_doc_free(doc->doc);
    fed_alloc_free(doc->mem, doc, sizeof *doc);
}

/* ---- parsing ---- */

/* Deepest nesting of brackets outside strings, whatever else the text is. */
static size_t text_depth(struct fed_span text)
{
    size_t depth = 0;
    size_t deepest = 0;
    bool string = false;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                string = false;
        } else if (c == '"') {
            string = true;
        } else if (c == '{' || c == '[') {
            depth++;
            if (depth > deepest)
                deepest = depth;
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
        }
    }
    return deepest;
}

static enum fed_err parse_failed(
    struct fed_span text, const yyjson_read_err *failure, struct fed_diag *diag)
{
    size_t line = 1;
    size_t column = 1;

    if (failure->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for %zu bytes of JSON", text.len);
    for (size_t i = 0; i < failure->pos && i < text.len; i++) {
        column++;
        if (text.at[i] == '\n') {
            line++;
            column = 1;
        }
    }
    return fed_diag_set(diag, FED_ERR_INVALID, "JSON line %zu, column %zu: %s", line, column,
        failure->msg ? failure->msg : "invalid");
}

enum fed_err fed_json_parse(
    struct fed_json_doc *doc, struct fed_span text, struct fed_json **out, struct fed_diag *diag)
{
    yyjson_read_err failure = {0};
    yyjson_mut_val *copy;
    yyjson_doc *parsed;

    if (text.len == 0)
        return fed_diag_set(diag, FED_ERR_INVALID, "JSON: empty text");
    if (text.len > FED_JSON_BYTES_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "JSON of %zu bytes, at most %u are taken",
            text.len, FED_JSON_BYTES_MAX);
    if (text_depth(text) > FED_JSON_DEPTH_MAX)
        return fed_diag_set(
            diag, FED_ERR_LIMIT, "JSON is nested deeper than %u levels", FED_JSON_DEPTH_MAX);
    /* Not in situ: the text is only read, whatever the type of the argument says. */
    parsed = yyjson_read_opts(
        (char *)(uintptr_t)text.at, text.len, YYJSON_READ_BIGNUM_AS_RAW, &doc->alc, &failure);
    if (!parsed)
        return parse_failed(text, &failure, diag);
    copy = yyjson_val_mut_copy(doc->doc, yyjson_doc_get_root(parsed));
    yyjson_doc_free(parsed);
    if (!copy)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for %zu bytes of JSON", text.len);
    *out = fed_json_of(copy);
    return FED_OK;
}

/* ---- reading ---- */

enum fed_json_type fed_json_type(const struct fed_json *v)
{
    if (!v)
        return FED_JSON_ABSENT;
    switch (unsafe_yyjson_get_type(fed_json_raw(v))) {
    case YYJSON_TYPE_BOOL:
        return FED_JSON_BOOL;
    case YYJSON_TYPE_NUM:
        return unsafe_yyjson_is_real(fed_json_raw(v)) ? FED_JSON_REAL : FED_JSON_INT;
    case YYJSON_TYPE_RAW:
        return FED_JSON_REAL;
    case YYJSON_TYPE_STR:
        return FED_JSON_STRING;
    case YYJSON_TYPE_ARR:
        return FED_JSON_ARRAY;
    case YYJSON_TYPE_OBJ:
        return FED_JSON_OBJECT;
    default:
        return FED_JSON_NULL;
    }
}

bool fed_json_is_object(const struct fed_json *v)
{
    return fed_json_type(v) == FED_JSON_OBJECT;
}

bool fed_json_is_array(const struct fed_json *v)
{
    return fed_json_type(v) == FED_JSON_ARRAY;
}

bool fed_json_is_string(const struct fed_json *v)
{
    return fed_json_type(v) == FED_JSON_STRING;
}

struct fed_span fed_json_string(const struct fed_json *v)
{
    return fed_json_is_string(v) ? fed_json_text_of(fed_json_raw(v)) : fed_span_of(NULL, 0);
}

bool fed_json_bool(const struct fed_json *v, bool otherwise)
{
    return fed_json_type(v) == FED_JSON_BOOL ? unsafe_yyjson_get_bool(fed_json_raw(v)) : otherwise;
}

int64_t fed_json_int(const struct fed_json *v, int64_t otherwise)
{
    yyjson_mut_val *raw = fed_json_raw(v);
    enum fed_json_type type = fed_json_type(v);

    if (type == FED_JSON_INT) {
        if (unsafe_yyjson_is_uint(raw) && raw->uni.u64 > INT64_MAX)
            return otherwise;
        return raw->uni.i64;
    }
    if (type == FED_JSON_REAL && unsafe_yyjson_is_real(raw)) {
        double d = raw->uni.f64;

        if (d >= -9223372036854775808.0 && d < 9223372036854775808.0 && (double)(int64_t)d == d)
            return (int64_t)d;
    }
    return otherwise;
}

double fed_json_real(const struct fed_json *v, double otherwise)
{
    yyjson_mut_val *raw = fed_json_raw(v);
    double d;

    if (!v)
        return otherwise;
    if (unsafe_yyjson_get_type(raw) == YYJSON_TYPE_RAW) {
        d = strtod(raw->uni.str, NULL);
        return isfinite(d) ? d : otherwise;
    }
    return unsafe_yyjson_is_num(raw) ? unsafe_yyjson_get_num(raw) : otherwise;
}

size_t fed_json_count(const struct fed_json *v)
{
    return v && unsafe_yyjson_is_ctn(fed_json_raw(v)) ? unsafe_yyjson_get_len(fed_json_raw(v)) : 0;
}

struct fed_json *fed_json_get_span(const struct fed_json *v, struct fed_span key)
{
    yyjson_mut_val *found = NULL;
    yyjson_mut_val *at;

    if (!fed_json_is_object(v))
        return NULL;
    at = fed_json_first(fed_json_raw(v));
    for (size_t left = fed_json_count(v); left; left--) {
        if (fed_span_eq(fed_json_text_of(at), key))
            found = at->next;
        at = at->next->next;
    }
    return fed_json_of(found);
}

struct fed_json *fed_json_get(const struct fed_json *v, const char *key)
{
    return fed_json_get_span(v, fed_span_text(key));
}

struct fed_json *fed_json_at(const struct fed_json *v, size_t index)
{
    yyjson_mut_val *at;

    if (!fed_json_is_array(v) || index >= fed_json_count(v))
        return NULL;
    at = fed_json_first(fed_json_raw(v));
    while (index--)
        at = at->next;
    return fed_json_of(at);
}

struct fed_json *fed_json_find(const struct fed_json *v, const char *dotted)
{
    struct fed_span rest = fed_span_text(dotted);
    struct fed_json *at = fed_json_of(fed_json_raw(v));
    struct fed_span key;

    while (at && fed_span_split(&rest, '.', &key))
        at = fed_json_get_span(at, key);
    return at;
}

/* ---- iteration: state is container, previous key or item, present one (NULL when removed), how
 * many are left, index of the next one ---- */

enum { IT_CONTAINER, IT_PREVIOUS, IT_PRESENT, IT_LEFT, IT_INDEX };

void fed_json_iter_init(struct fed_json_iter *it, struct fed_json *container)
{
    size_t n = fed_json_count(container);

    *it = (struct fed_json_iter){0};
    it->state[IT_CONTAINER] = container;
    it->state[IT_LEFT] = (void *)(uintptr_t)n;
    if (n)
        it->state[IT_PREVIOUS] = fed_json_raw(container)->uni.ptr;
}

bool fed_json_iter_next(struct fed_json_iter *it)
{
    uintptr_t left = (uintptr_t)it->state[IT_LEFT];
    uintptr_t index = (uintptr_t)it->state[IT_INDEX];
    yyjson_mut_val *previous;
    yyjson_mut_val *present;

    if (left == 0)
        return false;
    if (it->state[IT_PRESENT])
        it->state[IT_PREVIOUS] = it->state[IT_PRESENT];
    previous = it->state[IT_PREVIOUS];
    if (unsafe_yyjson_is_obj(it->state[IT_CONTAINER])) {
        present = previous->next->next;
        it->key = fed_json_text_of(present);
        it->value = fed_json_of(present->next);
    } else {
        present = previous->next;
        it->value = fed_json_of(present);
    }
    it->index = index;
    it->state[IT_PRESENT] = present;
    it->state[IT_LEFT] = (void *)(left - 1);
    it->state[IT_INDEX] = (void *)(index + 1);
    return true;
}

void fed_json_iter_remove(struct fed_json_iter *it)
{
    yyjson_mut_val *container = it->state[IT_CONTAINER];
    yyjson_mut_val *previous = it->state[IT_PREVIOUS];
    yyjson_mut_val *present = it->state[IT_PRESENT];

    if (!present)
        return;
    if (unsafe_yyjson_is_obj(container))
        previous->next->next = present->next->next;
    else
        previous->next = present->next;
    if (container->uni.ptr == present)
        container->uni.ptr = previous;
    unsafe_yyjson_set_len(container, unsafe_yyjson_get_len(container) - 1);
    it->state[IT_PRESENT] = NULL;
    it->state[IT_INDEX] = (void *)((uintptr_t)it->state[IT_INDEX] - 1);
}

void fed_json_iter_replace(struct fed_json_iter *it, struct fed_json *value)
{
    yyjson_mut_val *container = it->state[IT_CONTAINER];
    yyjson_mut_val *previous = it->state[IT_PREVIOUS];
    yyjson_mut_val *present = it->state[IT_PRESENT];
    yyjson_mut_val *fresh = fed_json_raw(value);

    if (!present)
        return;
    if (unsafe_yyjson_is_obj(container)) {
        fresh->next = present->next->next;
        present->next = fresh;
    } else {
        fresh->next = present == previous ? fresh : present->next;
        previous->next = fresh;
        if (container->uni.ptr == present)
            container->uni.ptr = fresh;
        it->state[IT_PRESENT] = fresh;
    }
    it->value = value;
}
