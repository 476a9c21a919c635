/* buf.h - a growing byte buffer with a limit, and the writers that every encoder uses.
 *
 * Errors stick: after a refused write the buffer keeps the first error and ignores further writes,
 * so an encoder can write everything and check once with fed_buf_err. */
#ifndef FEDLET_PROTO_BASE_BUF_H
#define FEDLET_PROTO_BASE_BUF_H

#include "proto/base/alloc.h"
#include "proto/base/err.h"
#include "proto/base/span.h"

struct fed_buf {
    struct fed_alloc *mem;
    uint8_t *at;
    size_t len;
    size_t cap;
    size_t limit; /* len never exceeds it */
    enum fed_err err;
};

/* limit in bytes; nothing is allocated yet. A buffer of all zeros may be passed to fini and is
 * empty. */
void fed_buf_init(struct fed_buf *buf, struct fed_alloc *mem, size_t limit);
void fed_buf_fini(struct fed_buf *buf); /* NULL is fine; leaves it as after init */
/* Empties it and clears its error; keeps the memory. */
void fed_buf_clear(struct fed_buf *buf);
/* FED_OK, FED_ERR_NOMEM or FED_ERR_LIMIT: the first write that failed. */
FED_MUST_USE enum fed_err fed_buf_err(const struct fed_buf *buf);
struct fed_span fed_buf_span(const struct fed_buf *buf); /* valid until the next write */
/* Content with a NUL behind it that is not counted in len; "" when that cannot be had. */
const char *fed_buf_cstr(struct fed_buf *buf);

/* Room for n more bytes; NULL (and the error sticks) when refused. Follow with fed_buf_grew. */
uint8_t *fed_buf_room(struct fed_buf *buf, size_t n);
void fed_buf_grew(struct fed_buf *buf, size_t n);
/* Drops the first n bytes (all when n > len). */
void fed_buf_drop(struct fed_buf *buf, size_t n);
/* Cuts to len bytes when longer. */
void fed_buf_cut(struct fed_buf *buf, size_t len);

void fed_buf_put(struct fed_buf *buf, struct fed_span bytes);
void fed_buf_put_text(struct fed_buf *buf, const char *text);
/* None of the arguments may be in buf itself. */
FED_PRINTF(2, 3) void fed_buf_printf(struct fed_buf *buf, const char *format, ...);
void fed_buf_put_u8(struct fed_buf *buf, uint8_t value);
void fed_buf_put_u16(struct fed_buf *buf, uint16_t value); /* big endian, as below */
void fed_buf_put_u32(struct fed_buf *buf, uint32_t value);
void fed_buf_put_u64(struct fed_buf *buf, uint64_t value);
void fed_buf_put_varint(struct fed_buf *buf, uint64_t value);        /* LEB128, shortest */
void fed_buf_put_string(struct fed_buf *buf, struct fed_span bytes); /* varint length, bytes */

#endif
