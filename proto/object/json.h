/* json.h - Kubernetes objects as trees, for the time of one request.
 *
 * Wraps yyjson (the only place that sees it) because it keeps 64-bit integers exactly, checks UTF-8
 * and is fast. A tree lives in a document and dies with it; stored objects are bytes, never trees.
 * Values are mutable. Member order is kept; fed_json_put_canonical writes sorted keys. Numbers that
 * fit neither int64, uint64 nor a finite double are kept as their text. NaN, Infinity, comments,
 * trailing commas and content after the value are refused.
 *
 * A `struct fed_json` pointer is a value inside a document. NULL stands for "absent": every reader
 * accepts NULL and answers as for an absent value, so look-ups chain without checks. */
#ifndef FEDLET_PROTO_OBJECT_JSON_H
#define FEDLET_PROTO_OBJECT_JSON_H

#include "proto/base/buf.h"

#define FED_JSON_DEPTH_MAX 128u /* nesting, as deep as kube-apiserver's own limit is generous */
#define FED_JSON_BYTES_MAX (16u << 20) /* one document's text */
#define FED_JSON_TREE_DEPTH_MAX                                                                    \
    512u /* a tree put together from parsed parts; what is deeper cannot be cloned                 \
          * (NULL), compared (unequal) or written (FED_ERR_LIMIT) */

struct fed_json;
struct fed_json_doc;

enum fed_json_type {
    FED_JSON_ABSENT, /* NULL pointer */
    FED_JSON_NULL,
    FED_JSON_BOOL,
    FED_JSON_INT,  /* integer that fits int64_t or uint64_t */
    FED_JSON_REAL, /* any other number */
    FED_JSON_STRING,
    FED_JSON_ARRAY,
    FED_JSON_OBJECT
};

/* An empty document. mem outlives it; all values are taken from it. FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_json_doc_new(struct fed_alloc *mem, struct fed_json_doc **out);
void fed_json_doc_free(struct fed_json_doc *doc);

/* Parses text into a value of doc (not attached to anything). FED_ERR_INVALID with line and column
 * in diag; FED_ERR_LIMIT for depth or size; FED_ERR_NOMEM. Duplicate keys are kept in order
 * (readers find the last one, as Go does); fed_json_duplicate_key finds them for strict validation.
 */
FED_MUST_USE enum fed_err fed_json_parse(
    struct fed_json_doc *doc, struct fed_span text, struct fed_json **out, struct fed_diag *diag);
/* Path ("spec.template") of the first object member that stands twice, written to path; false when
 * there is none. */
bool fed_json_duplicate_key(const struct fed_json *root, struct fed_buf *path);

/* ---- reading ---- */
enum fed_json_type fed_json_type(const struct fed_json *v);
bool fed_json_is_object(const struct fed_json *v);
bool fed_json_is_array(const struct fed_json *v);
bool fed_json_is_string(const struct fed_json *v);
/* The string's bytes, valid as long as the document; empty span when not a string. */
struct fed_span fed_json_string(const struct fed_json *v);
bool fed_json_bool(const struct fed_json *v, bool otherwise);
/* The integer when it is one and fits, else otherwise. A real with an integral value (1.0) counts
 * as an integer. */
int64_t fed_json_int(const struct fed_json *v, int64_t otherwise);
double fed_json_real(const struct fed_json *v, double otherwise);
size_t fed_json_count(const struct fed_json *v); /* items or members; 0 for others */
/* Member by key; NULL when absent or v is no object. */
struct fed_json *fed_json_get(const struct fed_json *v, const char *key);
struct fed_json *fed_json_get_span(const struct fed_json *v, struct fed_span key);
struct fed_json *fed_json_at(const struct fed_json *v, size_t index); /* array item */
/* Members down a path of keys "a.b.c" (keys without dots only). */
struct fed_json *fed_json_find(const struct fed_json *v, const char *dotted);
/* Deep equality; member order does not matter, 1 and 1.0 differ. */
bool fed_json_eq(const struct fed_json *a, const struct fed_json *b);

/* Iteration over an array or object (anything else has no items). Do not change the container
 * meanwhile, except by replacing the value of the present member with fed_json_iter_replace or
 * removing it with fed_json_iter_remove. */
struct fed_json_iter {
    void *state[6];
    struct fed_span key; /* member name; empty for arrays */
    struct fed_json *value;
    size_t index;
};
void fed_json_iter_init(struct fed_json_iter *it, struct fed_json *container);
/* The same over what is only read: neither remove nor replace. Long lists are gone through so;
 * fed_json_at counts from the start each time. */
static inline struct fed_json_iter fed_json_each(const struct fed_json *container)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, (struct fed_json *)(uintptr_t)container);
    return it;
}
/* The same over an array's items; anything else has none. */
static inline struct fed_json_iter fed_json_items(const struct fed_json *list)
{
    return fed_json_each(fed_json_is_array(list) ? list : NULL);
}
bool fed_json_iter_next(struct fed_json_iter *it); /* false at the end */
void fed_json_iter_remove(struct fed_json_iter *it);
/* value must not be NULL and is in no container. */
void fed_json_iter_replace(struct fed_json_iter *it, struct fed_json *value);

/* ---- writing; every maker returns NULL when memory is out. Bytes that are not UTF-8 become
 * U+FFFD, as in Go ---- */
struct fed_json *fed_json_new_null(struct fed_json_doc *doc);
struct fed_json *fed_json_new_bool(struct fed_json_doc *doc, bool value);
struct fed_json *fed_json_new_int(struct fed_json_doc *doc, int64_t value);
struct fed_json *fed_json_new_string(struct fed_json_doc *doc, struct fed_span text); /* copied */
struct fed_json *fed_json_new_text(struct fed_json_doc *doc, const char *text);       /* copied */
struct fed_json *fed_json_new_array(struct fed_json_doc *doc);
struct fed_json *fed_json_new_object(struct fed_json_doc *doc);
struct fed_json *fed_json_clone(
    struct fed_json_doc *doc, const struct fed_json *v); /* deep; v may be of another doc */

/* Puts value under key (copied), replacing what was there in place (duplicates of it go). A value
 * is in at most one container. FED_ERR_INVALID when object is no object; FED_ERR_NOMEM, also when
 * value is NULL, so that fed_json_set(doc, o, "a", fed_json_new_int(doc, 1)) needs one check. */
FED_MUST_USE enum fed_err fed_json_set(
    struct fed_json_doc *doc, struct fed_json *object, const char *key, struct fed_json *value);
FED_MUST_USE enum fed_err fed_json_set_span(
    struct fed_json_doc *doc, struct fed_json *object, struct fed_span key, struct fed_json *value);
/* Puts a member that the caller knows to be absent: at the end, without looking, so that building a
 * large object stays linear. Errors as above. */
FED_MUST_USE enum fed_err fed_json_add_span(
    struct fed_json_doc *doc, struct fed_json *object, struct fed_span key, struct fed_json *value);
/* The object member under key, made when absent or null. NULL when out of memory or when it is
 * something else. */
struct fed_json *fed_json_ensure_object(
    struct fed_json_doc *doc, struct fed_json *object, const char *key);
/* Removes the member; true when there was one. */
bool fed_json_remove(struct fed_json *object, const char *key);
bool fed_json_remove_span(struct fed_json *object, struct fed_span key);
FED_MUST_USE enum fed_err fed_json_append(struct fed_json *array, struct fed_json *value);
/* index <= count. FED_ERR_INVALID beyond. */
FED_MUST_USE enum fed_err fed_json_insert(
    struct fed_json *array, size_t index, struct fed_json *value);
FED_MUST_USE enum fed_err fed_json_replace_at(
    struct fed_json *array, size_t index, struct fed_json *value);
bool fed_json_remove_at(struct fed_json *array, size_t index);
/* Convenience: sets a text / integer / boolean member. */
FED_MUST_USE enum fed_err fed_json_set_text(
    struct fed_json_doc *doc, struct fed_json *object, const char *key, const char *text);
FED_MUST_USE enum fed_err fed_json_set_string(
    struct fed_json_doc *doc, struct fed_json *object, const char *key, struct fed_span text);
FED_MUST_USE enum fed_err fed_json_set_int(
    struct fed_json_doc *doc, struct fed_json *object, const char *key, int64_t value);
FED_MUST_USE enum fed_err fed_json_set_bool(
    struct fed_json_doc *doc, struct fed_json *object, const char *key, bool value);

/* ---- text ---- */
/* Compact, member order as it is. Errors stick in out; FED_ERR_NOMEM otherwise. */
FED_MUST_USE enum fed_err fed_json_put(struct fed_buf *out, const struct fed_json *v);
/* Canonical: compact, members sorted bytewise by key, last duplicate only, shortest escapes. The
 * same tree always gives the same bytes; object digests are taken over these. */
FED_MUST_USE enum fed_err fed_json_put_canonical(struct fed_buf *out, const struct fed_json *v);
/* Indented by two spaces, for people. */
FED_MUST_USE enum fed_err fed_json_put_pretty(struct fed_buf *out, const struct fed_json *v);

#endif
