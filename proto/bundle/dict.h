/* dict.h - the built-in deflate dictionary: common Kubernetes JSON, most common last. Never changed
 * in place: another text is another number, and frames say which format they use. Also the two pure
 * deflate calls. */
#ifndef FEDLET_PROTO_BUNDLE_DICT_H
#define FEDLET_PROTO_BUNDLE_DICT_H

#include "proto/base/buf.h"

/* Dictionary of frame format 1. */
struct fed_span fed_dict_builtin(void);

/* Raw deflate, level 9, window as large as needed. Appends to out. FED_ERR_NOMEM, FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err fed_deflate(
    struct fed_alloc *mem, struct fed_span dictionary, struct fed_span in, struct fed_buf *out);
/* in must inflate to exactly len bytes and end there. FED_ERR_INVALID, FED_ERR_LIMIT,
 * FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_inflate(struct fed_alloc *mem, struct fed_span dictionary,
    struct fed_span in, size_t len, struct fed_buf *out);

#endif
