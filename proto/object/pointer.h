/* pointer.h - JSON Pointer (RFC 6901) steps, shared by override.c and patch.c; nobody else includes
 * it. */
#ifndef FEDLET_PROTO_OBJECT_POINTER_H
#define FEDLET_PROTO_OBJECT_POINTER_H

#include "proto/object/json.h"

#define FED_POINTER_MAX 4096u     /* bytes of one pointer */
#define FED_POINTER_KEY_MAX 1024u /* bytes of one unescaped step */

/* One unescaped step. */
struct fed_pointer_key {
    char text[FED_POINTER_KEY_MAX];
    size_t len;
};
struct fed_span fed_pointer_key_span(const struct fed_pointer_key *key);

/* Unescapes "~1" and "~0". FED_ERR_INVALID for another "~", FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err fed_pointer_unescape(struct fed_span step, struct fed_pointer_key *out);
/* The same, but another "~" stands for itself. FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err fed_pointer_unescape_loose(
    struct fed_span step, struct fed_pointer_key *out);

/* Index as RFC 6901 writes it: digits without leading zeros. FED_ERR_INVALID, FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err fed_pointer_index(struct fed_span step, size_t *out);

/* Nesting of a tree: 0 for scalars, 1 for [] and {}; FED_JSON_TREE_DEPTH_MAX + 1 for anything
 * deeper than that. *nodes (may be NULL) counts values and keys. */
size_t fed_pointer_depth(const struct fed_json *v, size_t *nodes);

#endif
