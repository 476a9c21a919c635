/* field_set.h - a set of paths into an object: what one manager owns.
 *
 * Source: Kubernetes FieldsV1. A set is a tree; each node has the text of its path element as
 * FieldsV1 writes it
 * (`f:name` a field, `k:{"name":"a"}` an item of a keyed list, `v:"x"` an item of a set, `i:0` an
 * index), says whether the path that ends here is in the set, and has its children sorted bytewise
 * by that text.
 *
 * Sets are immutable and share nodes. NULL is the empty set, and no node without a member below it
 * exists. All of them live in the memory of one context, whose first error sticks: after an
 * operation returned NULL, err tells whether that means "empty". Keys inside `k:` and values in
 * `v:` are in one canonical form, so equal elements have equal text. */
#ifndef FEDLET_HUB_API_FIELD_SET_H
#define FEDLET_HUB_API_FIELD_SET_H

#include "proto/object/json.h"

struct hub_field_set {
    struct fed_span name; /* empty at the root */
    bool member;
    size_t n;
    const struct hub_field_set **child;
};

struct hub_field_context {
    struct fed_alloc *mem;    /* an arena: nothing is freed one by one */
    struct fed_json_doc *doc; /* for parsing keys and for what encode makes */
    struct fed_buf scratch;
    enum fed_err err; /* FED_ERR_NOMEM, FED_ERR_LIMIT, FED_ERR_INVALID */
};

#define HUB_FIELD_ELEMENT_MAX 65536u /* bytes of one path element */

/* mem and doc outlive the context. */
void hub_field_context_init(
    struct hub_field_context *c, struct fed_alloc *mem, struct fed_json_doc *doc);
void hub_field_context_fini(struct hub_field_context *c);

/* Makes a node of n children (sorted, NULL ones are left out; the array is kept). NULL when it
 * would be empty. */
const struct hub_field_set *hub_field_set_node(struct hub_field_context *c, struct fed_span name,
    bool member, const struct hub_field_set **child, size_t n);
/* An array for so many children; NULL (error sticks) when out of memory. */
const struct hub_field_set **hub_field_set_room(struct hub_field_context *c, size_t n);
/* The set of one path of names "f:metadata", "f:name". */
const struct hub_field_set *hub_field_set_path(
    struct hub_field_context *c, const char *const *names, size_t n);

const struct hub_field_set *hub_field_set_union(
    struct hub_field_context *c, const struct hub_field_set *a, const struct hub_field_set *b);
const struct hub_field_set *hub_field_set_intersection(
    struct hub_field_context *c, const struct hub_field_set *a, const struct hub_field_set *b);
const struct hub_field_set *hub_field_set_difference(
    struct hub_field_context *c, const struct hub_field_set *a, const struct hub_field_set *b);
/* Without the top-level element name and all below it. */
const struct hub_field_set *hub_field_set_without(
    struct hub_field_context *c, const struct hub_field_set *a, const char *name);
/* NULL when there is none. */
const struct hub_field_set *hub_field_set_child(
    const struct hub_field_set *a, struct fed_span name);
/* The children in the order in which kube-apiserver lists paths: fields, items by their keys, items
 * by their values, indexes; numbers by their size. NULL when out of memory. */
const struct hub_field_set **hub_field_set_ordered(
    struct hub_field_context *c, const struct hub_field_set *a);
bool hub_field_set_eq(const struct hub_field_set *a, const struct hub_field_set *b);

/* From FieldsV1. What is no field set gives FED_ERR_INVALID in the context; elements of unknown
 * kinds are dropped. */
const struct hub_field_set *hub_field_set_decode(
    struct hub_field_context *c, const struct fed_json *fields);
/* To FieldsV1, a new value of the context's document; NULL when out of memory. */
struct fed_json *hub_field_set_encode(struct hub_field_context *c, const struct hub_field_set *a);

/* The text of one path element of a field, a keyed item and an item of a set, in c's memory. */
struct fed_span hub_field_element_member(struct hub_field_context *c, struct fed_span key);
/* names sorted; values[i] NULL: the key is absent. */
struct fed_span hub_field_element_key(struct hub_field_context *c, const char *const *names,
    const struct fed_json *const *values, size_t n);
struct fed_span hub_field_element_value(struct hub_field_context *c, const struct fed_json *value);
/* The element as conflict causes show it: `.replicas`, `[name="a"]`, `[="x"]`, `[0]`. */
void hub_field_element_show(
    struct hub_field_context *c, struct fed_span element, struct fed_buf *out);
/* Canonical JSON with the escapes for HTML that Go's encoder writes. Errors stick in c. */
void hub_field_put_json(
    struct hub_field_context *c, struct fed_buf *out, const struct fed_json *value);

#endif
