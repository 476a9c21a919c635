/* json_text.h - members of an object's text, without making a tree.
 *
 * For compact text that fed_json_put wrote: a list of ten thousand stored objects then costs a look
 * at the first bytes of each instead of ten thousand trees. Anything else that is no JSON gives
 * "absent", never a read beyond the end. */
#ifndef FEDLET_PROTO_OBJECT_JSON_TEXT_H
#define FEDLET_PROTO_OBJECT_JSON_TEXT_H

#include "proto/base/span.h"

/* One member after the other, in the order of the text; key and value are the present one's. */
struct fed_json_text_cursor {
    struct fed_span object;
    size_t at; /* of the next member */
    struct fed_span key;
    struct fed_span value;
};
void fed_json_text_open(struct fed_json_text_cursor *c, struct fed_span object);
bool fed_json_text_next(struct fed_json_text_cursor *c); /* false at the end */

/* The text of the member's value, from its first to its last byte; of members that stand twice the
 * last, as the readers of json.h. Keys are compared as they are written, so one that needs escapes
 * is never found. false: absent, or object is the text of something else; then *value is empty. */
bool fed_json_text_member(struct fed_span object, const char *key, struct fed_span *value);
bool fed_json_text_member_span(struct fed_span object, struct fed_span key, struct fed_span *value);
/* The first member under each of n keys, empty for an absent one, and how many there are. Reads no
 * further than the last of them, so it is for objects whose keys stand once. */
size_t fed_json_text_first(
    struct fed_span object, const char *const *keys, size_t n, struct fed_span *values);
/* What is between the quotes of a string without escapes; false for anything else. */
bool fed_json_text_string(struct fed_span value, struct fed_span *out);

#endif
