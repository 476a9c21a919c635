/* gzip.h - whole bodies as gzip (RFC 1952), fast rather than small; and streams, of which each
 * piece is compressed by itself: blocks of one look at nothing of another and end at a byte (RFC
 * 1951 section 3.2), so that streams which say the same share them. */
#ifndef FEDLET_PORTS_HTTP_GZIP_H
#define FEDLET_PORTS_HTTP_GZIP_H

#include "proto/base/buf.h"

/* FED_ERR_LIMIT when it does not become shorter than out's limit; FED_ERR_NOMEM. out is appended
 * to. */
FED_MUST_USE enum fed_err fed_http_gzip(
    struct fed_alloc *mem, struct fed_span body, struct fed_buf *out);

/* What is said at the end of a stream of what was in it. Zero at first. */
struct fed_http_gzip_sum {
    uint32_t crc;
    uint32_t len; /* modulo 2^32 */
};
struct fed_http_gzip_sum fed_http_gzip_sum(struct fed_span bytes);
void fed_http_gzip_add(struct fed_http_gzip_sum *to, struct fed_http_gzip_sum more);
/* Append to out: a stream's first bytes; blocks with those bytes, none of them the last one; its
 * last bytes. Short pieces are stored as they are. */
void fed_http_gzip_begin(struct fed_buf *out);
FED_MUST_USE enum fed_err fed_http_gzip_piece(
    struct fed_alloc *mem, struct fed_span bytes, struct fed_buf *out);
void fed_http_gzip_end(struct fed_buf *out, struct fed_http_gzip_sum sum);
#define FED_HTTP_GZIP_ENDS 32u                                     /* bytes of _begin, of _end */
#define FED_HTTP_GZIP_PIECE_MAX(len) ((len) + (len) / 1000u + 64u) /* of a piece of so many */

#endif
