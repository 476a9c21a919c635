/* doc_check.h - the strict grammar of RFC 8259 that cJSON does not insist on; only for doc.c. */
#ifndef FEDLET_PROTO_DOC_DOC_CHECK_H
#define FEDLET_PROTO_DOC_DOC_CHECK_H

#include "proto/base/span.h"

#define FED_DOC_DEPTH_MAX 16u

/* One value and nothing behind it, well-formed UTF-8, no "\u0000", no lone surrogate, depth <=
 * FED_DOC_DEPTH_MAX. FED_ERR_INVALID, FED_ERR_LIMIT with diag. */
FED_MUST_USE enum fed_err fed_doc_check(struct fed_span text, struct fed_diag *diag);

#endif
