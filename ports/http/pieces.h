/* pieces.h - bytes of an answer that wait to be sent, in pieces that other answers may share.
 *
 * A piece is immutable and counted; nothing of it is copied until it goes into the connection's
 * output. An empty queue holds no memory: thousands of them are idle. */
#ifndef FEDLET_PORTS_HTTP_PIECES_H
#define FEDLET_PORTS_HTTP_PIECES_H

#include "ports/http.h"
#include "ports/http/gzip.h"
#include "ports/http/share.h"

/* A client that waits for shared bytes: they are counted once for it, however many of its streams
 * have them. */
struct fed_http_holder {
    struct fed_http_share *share;
    size_t streams;
    struct fed_http_holder *next;
};

struct fed_http_shared {
    struct fed_alloc *mem;
    unsigned refs;
    bool gzip_tried;
    struct fed_http_shared *gzip;  /* the same, compressed; NULL: not shorter, or not tried */
    struct fed_http_shared *block; /* the same, as a piece of a stream of gzip; NULL: not made */
    struct fed_http_gzip_sum sum;  /* with block */
    struct fed_http_holder *holders;
    struct fed_buf taken; /* the bytes, unless they follow */
    struct fed_span bytes;
    uint8_t follow[];
};

/* A copy; NULL when memory is refused. */
struct fed_http_shared *fed_http_shared_copy(struct fed_alloc *mem, struct fed_span bytes);
/* The bytes as gzip, made once for all who ask; NULL when that is not shorter. No reference. */
struct fed_http_shared *fed_http_shared_gzip(struct fed_http_shared *shared);

/* The bytes as a piece of a stream of gzip, and sum, made once. NULL when memory is refused. No
 * reference. */
struct fed_http_shared *fed_http_shared_block(struct fed_http_shared *shared);

struct fed_http_pieces {
    struct fed_alloc *mem;
    struct fed_http_shared **ring;
    size_t cap;
    size_t first;
    size_t n;
    size_t at;                    /* bytes of the first that were taken */
    size_t len;                   /* bytes that wait */
    struct fed_http_share *share; /* of a stream: pieces are counted as what it holds, those that
                                     other streams of the client have as FED_HTTP_PIECE_COST; NULL:
                                     whoever has the queue counts len */
};

#define FED_HTTP_PIECE_COST 16u /* bytes of a piece's place in a queue that has just grown */

void fed_http_pieces_init(struct fed_http_pieces *q, struct fed_alloc *mem);
void fed_http_pieces_fini(struct fed_http_pieces *q); /* empty afterwards, usable, of its share */
/* Takes a reference of its own. FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_http_pieces_put(
    struct fed_http_pieces *q, struct fed_http_shared *shared);
/* Moves n bytes, n <= len, to the end of out, whose errors stick. */
void fed_http_pieces_move(struct fed_http_pieces *q, size_t n, struct fed_buf *out);

#endif
