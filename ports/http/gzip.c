/* gzip.c - see gzip.h. */
#include "ports/http/gzip.h"

#include "ports/http/memory.h"

#include <zlib.h>

#define LEVEL 1 /* what the upstream API server uses: five times faster than 6, a fifth larger */
#define GZIP_WINDOW 31  /* 15 bits, gzip framing */
#define BARE_WINDOW -15 /* the same without framing */
#define STEP 65536u
#define STORED_BELOW 400u /* bytes: what deflate takes to begin is worth more than these */

static void *get(void *mem, uInt n, uInt size)
{
    return fed_http_memory_zero(n, size, mem);
}

static void put_back(void *mem, void *at)
{
    fed_http_memory_free(at, mem);
}

/* Runs deflate until it has said all: to the stream's end, or to the end of a block. */
static enum fed_err run(z_stream *z, struct fed_span body, int flush, struct fed_buf *out)
{
    size_t fed = 0;
    int rc = Z_OK;

    for (;;) {
        size_t piece = body.len - fed < STEP ? body.len - fed : STEP;
        size_t room = out->limit - out->len < STEP ? out->limit - out->len : STEP;
        bool last = fed + piece == body.len;

        if (room == 0)
            return FED_ERR_LIMIT;
        z->next_out = fed_buf_room(out, room);
        if (!z->next_out)
            return fed_buf_err(out);
        z->avail_out = (uInt)room;
        z->next_in = (Bytef *)(uintptr_t)(body.at + fed);
        z->avail_in = (uInt)piece;
        rc = deflate(z, last ? flush : Z_NO_FLUSH);
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            return FED_ERR_INTERNAL;
        fed += piece - z->avail_in;
        fed_buf_grew(out, room - z->avail_out);
        if (rc == Z_STREAM_END || (flush != Z_FINISH && fed == body.len && z->avail_out > 0))
            return FED_OK;
    }
}

static enum fed_err compress_all(
    struct fed_alloc *mem, struct fed_span body, int window, int flush, struct fed_buf *out)
{
    z_stream z = {.zalloc = get, .zfree = put_back, .opaque = mem};
    enum fed_err err;

    if (deflateInit2(&z, LEVEL, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return FED_ERR_NOMEM;
    err = run(&z, body, flush, out);
    deflateEnd(&z);
    return err;
}

enum fed_err fed_http_gzip(struct fed_alloc *mem, struct fed_span body, struct fed_buf *out)
{
    return compress_all(mem, body, GZIP_WINDOW, Z_FINISH, out);
}

/* ---- streams ---- */

struct fed_http_gzip_sum fed_http_gzip_sum(struct fed_span bytes)
{
    return (struct fed_http_gzip_sum){
        .crc = (uint32_t)crc32_z(0, bytes.at, bytes.len), .len = (uint32_t)bytes.len};
}

void fed_http_gzip_add(struct fed_http_gzip_sum *to, struct fed_http_gzip_sum more)
{
    to->crc = (uint32_t)crc32_combine(to->crc, more.crc, (z_off_t)more.len);
    to->len += more.len;
}

void fed_http_gzip_begin(struct fed_buf *out)
{
    static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff};

    fed_buf_put(out, fed_span_of(head, sizeof head));
}

static void put_u16(struct fed_buf *out, unsigned value) /* least byte first */
{
    fed_buf_put_u8(out, (uint8_t)value);
    fed_buf_put_u8(out, (uint8_t)(value >> 8));
}

static void put_stored(struct fed_buf *out, bool last, struct fed_span bytes)
{
    fed_buf_put_u8(out, last);
    put_u16(out, (unsigned)bytes.len);
    put_u16(out, ~(unsigned)bytes.len);
    fed_buf_put(out, bytes);
}

enum fed_err fed_http_gzip_piece(struct fed_alloc *mem, struct fed_span bytes, struct fed_buf *out)
{
    if (bytes.len >= STORED_BELOW)
        return compress_all(mem, bytes, BARE_WINDOW, Z_FULL_FLUSH, out);
    put_stored(out, false, bytes);
    return fed_buf_err(out);
}

void fed_http_gzip_end(struct fed_buf *out, struct fed_http_gzip_sum sum)
{
    put_stored(out, true, (struct fed_span){0});
    put_u16(out, sum.crc & 0xffff);
    put_u16(out, sum.crc >> 16);
    put_u16(out, sum.len & 0xffff);
    put_u16(out, sum.len >> 16);
}
