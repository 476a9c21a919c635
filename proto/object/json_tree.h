/* json_tree.h - what the files behind json.h share; nobody else includes it.
 *
 * A struct fed_json is a yyjson_mut_val. Its containers are circular lists: uni.ptr of an array is
 * its last item, whose next is the first; uni.ptr of an object is its last key, key->next is the
 * value and value->next the next key. */
#ifndef FEDLET_PROTO_OBJECT_JSON_TREE_H
#define FEDLET_PROTO_OBJECT_JSON_TREE_H

#include "proto/object/json.h"

#include <yyjson.h>

struct fed_json_doc {
    struct fed_alloc *mem;
    yyjson_alc alc;
    yyjson_mut_doc *doc;
};

static inline yyjson_mut_val *fed_json_raw(const struct fed_json *v)
{
    return (yyjson_mut_val *)(uintptr_t)v;
}

static inline struct fed_json *fed_json_of(yyjson_mut_val *v)
{
    return (struct fed_json *)v;
}

static inline struct fed_span fed_json_text_of(const yyjson_mut_val *v)
{
    return fed_span_of(v->uni.str, unsafe_yyjson_get_len((void *)(uintptr_t)v));
}

/* First item or first key; NULL when there is none. */
yyjson_mut_val *fed_json_first(yyjson_mut_val *container);

/* A stack of object members, sorted by key. */
struct fed_json_pair {
    yyjson_mut_val *key; /* its next is the value */
    size_t index;        /* position in the object */
};
struct fed_json_pairs {
    struct fed_alloc *mem;
    struct fed_json_pair *at;
    size_t n;
    size_t cap;
};

/* Pushes the members of object, sorted bytewise by key, duplicates in order of position.
 * FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_json_pairs_push(struct fed_json_pairs *pairs, yyjson_mut_val *object);
/* The same with only the last of duplicates. */
FED_MUST_USE enum fed_err fed_json_pairs_push_last(
    struct fed_json_pairs *pairs, yyjson_mut_val *object);
void fed_json_pairs_fini(struct fed_json_pairs *pairs);

/* Same number, string, literal or raw text; false for containers. */
bool fed_json_scalar_eq(const yyjson_mut_val *a, const yyjson_mut_val *b);

#endif
