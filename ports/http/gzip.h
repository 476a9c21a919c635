/* gzip.h - whole bodies as gzip (RFC 1952), fast rather than small. */
#ifndef FEDLET_PORTS_HTTP_GZIP_H
#define FEDLET_PORTS_HTTP_GZIP_H

#include "proto/base/buf.h"

/* FED_ERR_LIMIT when it does not become shorter than out's limit; FED_ERR_NOMEM. out is appended
 * to. */
FED_MUST_USE enum fed_err fed_http_gzip(
    struct fed_alloc *mem, struct fed_span body, struct fed_buf *out);

#endif
