/* json_build.c - see json.h: making and changing values. */
#include "proto/object/json_tree.h"

#include "proto/base/text.h"

#include <string.h>

struct fed_json *fed_json_new_null(struct fed_json_doc *doc)
{
    return fed_json_of(yyjson_mut_null(doc->doc));
}

struct fed_json *fed_json_new_bool(struct fed_json_doc *doc, bool value)
{
    return fed_json_of(yyjson_mut_bool(doc->doc, value));
}

struct fed_json *fed_json_new_int(struct fed_json_doc *doc, int64_t value)
{
    return fed_json_of(
        value < 0 ? yyjson_mut_sint(doc->doc, value) : yyjson_mut_uint(doc->doc, (uint64_t)value));
}

/* Each byte that begins no well-formed sequence becomes U+FFFD. */
static struct fed_json *new_repaired(struct fed_json_doc *doc, struct fed_span text)
{
    struct fed_buf fixed;
    struct fed_json *v = NULL;

    fed_buf_init(&fixed, doc->mem, FED_JSON_BYTES_MAX);
    while (text.len) {
        size_t n = text.len < 4 ? text.len : 4;

        while (n && !fed_text_is_utf8(fed_span_sub(text, 0, n)))
            n--;
        if (n)
            fed_buf_put(&fixed, fed_span_sub(text, 0, n));
        else
            fed_buf_put_text(&fixed, "\xef\xbf\xbd");
        text = fed_span_sub(text, n ? n : 1, text.len);
    }
    if (fed_buf_err(&fixed) == FED_OK)
        v = fed_json_of(yyjson_mut_strncpy(doc->doc, fed_buf_cstr(&fixed), fixed.len));
    fed_buf_fini(&fixed);
    return v;
}

struct fed_json *fed_json_new_string(struct fed_json_doc *doc, struct fed_span text)
{
    if (!fed_text_is_utf8(text))
        return new_repaired(doc, text);
    return fed_json_of(
        yyjson_mut_strncpy(doc->doc, text.len ? (const char *)text.at : "", text.len));
}

struct fed_json *fed_json_new_text(struct fed_json_doc *doc, const char *text)
{
    return fed_json_new_string(doc, fed_span_text(text));
}

struct fed_json *fed_json_new_array(struct fed_json_doc *doc)
{
    return fed_json_of(yyjson_mut_arr(doc->doc));
}

struct fed_json *fed_json_new_object(struct fed_json_doc *doc)
{
    return fed_json_of(yyjson_mut_obj(doc->doc));
}

/* ---- clone ---- */

static yyjson_mut_val *clone_one(struct fed_json_doc *doc, const yyjson_mut_val *from)
{
    yyjson_type type = unsafe_yyjson_get_type((void *)(uintptr_t)from);
    yyjson_mut_val *v;

    if (type == YYJSON_TYPE_ARR)
        return yyjson_mut_arr(doc->doc);
    if (type == YYJSON_TYPE_OBJ)
        return yyjson_mut_obj(doc->doc);
    if (type == YYJSON_TYPE_STR || type == YYJSON_TYPE_RAW) {
        struct fed_span text = fed_json_text_of(from);

        v = yyjson_mut_strncpy(doc->doc, (const char *)text.at, text.len);
        if (v)
            v->tag = from->tag;
        return v;
    }
    v = yyjson_mut_null(doc->doc);
    if (v) {
        v->tag = from->tag;
        v->uni = from->uni;
    }
    return v;
}

struct clone_frame {
    yyjson_mut_val *from; /* next key or item */
    yyjson_mut_val *to;
    size_t left;
};

/* Puts the copy of the frame's next child in place; *child and *copy are that child. */
static bool clone_child(
    struct fed_json_doc *doc, struct clone_frame *f, yyjson_mut_val **child, yyjson_mut_val **copy)
{
    yyjson_mut_val *key;

    f->left--;
    if (!unsafe_yyjson_is_obj(f->to)) {
        *child = f->from;
        f->from = f->from->next;
        *copy = clone_one(doc, *child);
        return *copy && yyjson_mut_arr_append(f->to, *copy);
    }
    key = clone_one(doc, f->from);
    *child = f->from->next;
    f->from = f->from->next->next;
    *copy = clone_one(doc, *child);
    return key && *copy && yyjson_mut_obj_add(f->to, key, *copy);
}

struct fed_json *fed_json_clone(struct fed_json_doc *doc, const struct fed_json *v)
{
    struct clone_frame frames[FED_JSON_TREE_DEPTH_MAX];
    yyjson_mut_val *from = fed_json_raw(v);
    yyjson_mut_val *root = v ? clone_one(doc, from) : NULL;
    yyjson_mut_val *copy = root;
    size_t depth = 0;

    while (copy) {
        if (unsafe_yyjson_is_ctn(from) && unsafe_yyjson_get_len(from)) {
            if (depth == FED_JSON_TREE_DEPTH_MAX)
                return NULL;
            frames[depth++] = (struct clone_frame){
                .from = fed_json_first(from), .to = copy, .left = unsafe_yyjson_get_len(from)};
        }
        while (depth && frames[depth - 1].left == 0)
            depth--;
        if (depth == 0)
            return fed_json_of(root);
        if (!clone_child(doc, &frames[depth - 1], &from, &copy))
            return NULL;
    }
    return NULL;
}

/* ---- objects ---- */

enum fed_err fed_json_add_span(
    struct fed_json_doc *doc, struct fed_json *object, struct fed_span key, struct fed_json *value)
{
    struct fed_json *name;

    if (!value)
        return FED_ERR_NOMEM;
    if (!fed_json_is_object(object))
        return FED_ERR_INVALID;
    name = fed_json_new_string(doc, key);
    if (!name || !yyjson_mut_obj_add(fed_json_raw(object), fed_json_raw(name), fed_json_raw(value)))
        return FED_ERR_NOMEM;
    return FED_OK;
}

enum fed_err fed_json_set_span(
    struct fed_json_doc *doc, struct fed_json *object, struct fed_span key, struct fed_json *value)
{
    struct fed_json_iter it;
    bool placed = false;

    if (!value)
        return FED_ERR_NOMEM;
    if (!fed_json_is_object(object))
        return FED_ERR_INVALID;
    fed_json_iter_init(&it, object);
    while (fed_json_iter_next(&it)) {
        if (!fed_span_eq(it.key, key))
            continue;
        if (placed)
            fed_json_iter_remove(&it);
        else
            fed_json_iter_replace(&it, value);
        placed = true;
    }
    if (placed)
        return FED_OK;
    return fed_json_add_span(doc, object, key, value);
}

enum fed_err fed_json_set(
    struct fed_json_doc *doc, struct fed_json *object, const char *key, struct fed_json *value)
{
    return fed_json_set_span(doc, object, fed_span_text(key), value);
}

struct fed_json *fed_json_ensure_object(
    struct fed_json_doc *doc, struct fed_json *object, const char *key)
{
    struct fed_json *v = fed_json_get(object, key);
    enum fed_json_type type = fed_json_type(v);

    if (type == FED_JSON_OBJECT)
        return v;
    if (type != FED_JSON_ABSENT && type != FED_JSON_NULL)
        return NULL;
    v = fed_json_new_object(doc);
    return fed_json_set(doc, object, key, v) ? NULL : v;
}

bool fed_json_remove_span(struct fed_json *object, struct fed_span key)
{
    struct fed_json_iter it;
    bool found = false;

    if (!fed_json_is_object(object))
        return false;
    fed_json_iter_init(&it, object);
    while (fed_json_iter_next(&it)) {
        if (fed_span_eq(it.key, key)) {
            fed_json_iter_remove(&it);
            found = true;
        }
    }
    return found;
}

bool fed_json_remove(struct fed_json *object, const char *key)
{
    return fed_json_remove_span(object, fed_span_text(key));
}

/* ---- arrays ---- */

enum fed_err fed_json_append(struct fed_json *array, struct fed_json *value)
{
    if (!value)
        return FED_ERR_NOMEM;
    if (!fed_json_is_array(array))
        return FED_ERR_INVALID;
    yyjson_mut_arr_append(fed_json_raw(array), fed_json_raw(value));
    return FED_OK;
}

enum fed_err fed_json_insert(struct fed_json *array, size_t index, struct fed_json *value)
{
    if (!value)
        return FED_ERR_NOMEM;
    if (!fed_json_is_array(array) || index > fed_json_count(array))
        return FED_ERR_INVALID;
    yyjson_mut_arr_insert(fed_json_raw(array), fed_json_raw(value), index);
    return FED_OK;
}

enum fed_err fed_json_replace_at(struct fed_json *array, size_t index, struct fed_json *value)
{
    if (!value)
        return FED_ERR_NOMEM;
    if (!fed_json_is_array(array) || index >= fed_json_count(array))
        return FED_ERR_INVALID;
    yyjson_mut_arr_replace(fed_json_raw(array), index, fed_json_raw(value));
    return FED_OK;
}

bool fed_json_remove_at(struct fed_json *array, size_t index)
{
    if (!fed_json_is_array(array) || index >= fed_json_count(array))
        return false;
    return yyjson_mut_arr_remove(fed_json_raw(array), index) != NULL;
}

/* ---- convenience ---- */

enum fed_err fed_json_set_text(
    struct fed_json_doc *doc, struct fed_json *object, const char *key, const char *text)
{
    return fed_json_set(doc, object, key, fed_json_new_text(doc, text));
}

enum fed_err fed_json_set_string(
    struct fed_json_doc *doc, struct fed_json *object, const char *key, struct fed_span text)
{
    return fed_json_set(doc, object, key, fed_json_new_string(doc, text));
}

enum fed_err fed_json_set_int(
    struct fed_json_doc *doc, struct fed_json *object, const char *key, int64_t value)
{
    return fed_json_set(doc, object, key, fed_json_new_int(doc, value));
}

enum fed_err fed_json_set_bool(
    struct fed_json_doc *doc, struct fed_json *object, const char *key, bool value)
{
    return fed_json_set(doc, object, key, fed_json_new_bool(doc, value));
}
