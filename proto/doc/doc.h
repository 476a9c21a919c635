/* doc.h - our own JSON documents (configuration, join messages, CLI output), by cJSON behind a
 * strict wrapper.
 *
 * Only for documents whose schema is ours: cJSON keeps numbers as doubles, so Kubernetes objects
 * never pass here (proto/object/json.h). Refused: content after the value, invalid UTF-8, "\u0000",
 * leading zeros, duplicate keys, nesting beyond 16, members that the reader did not ask for.
 * Integers are exact up to 2^53. */
#ifndef FEDLET_PROTO_DOC_DOC_H
#define FEDLET_PROTO_DOC_DOC_H

#include "proto/base/buf.h"

#define FED_DOC_BYTES_MAX (1u << 20)
#define FED_DOC_INT_MAX 9007199254740992

struct fed_doc; /* a value; the root owns all below it */

FED_MUST_USE enum fed_err fed_doc_parse(
    struct fed_span text, struct fed_doc **out, struct fed_diag *diag);
void fed_doc_free(struct fed_doc *root);

/* Reading; NULL is "absent" everywhere. */
const struct fed_doc *fed_doc_get(const struct fed_doc *object, const char *key);
const struct fed_doc *fed_doc_at(const struct fed_doc *array, size_t index);
size_t fed_doc_count(const struct fed_doc *v);
const char *fed_doc_key(
    const struct fed_doc *v); /* its member name, "" at the root and in arrays */
bool fed_doc_is_object(const struct fed_doc *v);
bool fed_doc_is_array(const struct fed_doc *v);
bool fed_doc_is_string(const struct fed_doc *v);
const char *fed_doc_text(const struct fed_doc *v, const char *otherwise);
bool fed_doc_bool(const struct fed_doc *v, bool otherwise);
/* FED_ERR_NOT_FOUND when absent, FED_ERR_INVALID when no integer, FED_ERR_LIMIT when outside [min,
 * max]. */
FED_MUST_USE enum fed_err fed_doc_int(
    const struct fed_doc *v, int64_t min, int64_t max, int64_t *out);
/* FED_ERR_INVALID naming the first member of object that is not in the NULL-terminated list. */
FED_MUST_USE enum fed_err fed_doc_only(
    const struct fed_doc *object, const char *const *keys, struct fed_diag *diag);

/* Writing. Makers return NULL when memory is out; adders take the value (also free it on failure).
 */
struct fed_doc *fed_doc_new_object(void);
struct fed_doc *fed_doc_new_array(void);
FED_MUST_USE enum fed_err fed_doc_set_take(
    struct fed_doc *object, const char *key, struct fed_doc *value);
FED_MUST_USE enum fed_err fed_doc_append_take(struct fed_doc *array, struct fed_doc *value);
FED_MUST_USE enum fed_err fed_doc_set_text(
    struct fed_doc *object, const char *key, const char *text);
FED_MUST_USE enum fed_err fed_doc_set_int(struct fed_doc *object, const char *key, int64_t value);
FED_MUST_USE enum fed_err fed_doc_set_bool(struct fed_doc *object, const char *key, bool value);
FED_MUST_USE enum fed_err fed_doc_append_text(struct fed_doc *array, const char *text);
/* compact; pretty with two spaces. */
FED_MUST_USE enum fed_err fed_doc_put(struct fed_buf *out, const struct fed_doc *v);
FED_MUST_USE enum fed_err fed_doc_put_pretty(struct fed_buf *out, const struct fed_doc *v);

#endif
