/* deflate.c - raw deflate with a preset dictionary, see dict.h. */
#include "proto/bundle/dict.h"

#include <string.h>
#include <zlib.h>

#define WINDOW_MAX 15
#define RATIO_MAX 1032u /* deflate cannot do better: 258 bytes from two bits */

/* zlib frees without a size, so each block carries its own in front. */
#define HEAD (_Alignof(max_align_t) > sizeof(size_t) ? _Alignof(max_align_t) : sizeof(size_t))

static voidpf block_get(voidpf ctx, uInt n, uInt size)
{
    size_t whole = (size_t)n * size + HEAD;
    unsigned char *at = fed_alloc_get(ctx, whole);

    if (!at)
        return Z_NULL;
    memcpy(at, &whole, sizeof whole);
    return at + HEAD;
}

static void block_free(voidpf ctx, voidpf at)
{
    unsigned char *block = (unsigned char *)at - HEAD;
    size_t whole;

    memcpy(&whole, block, sizeof whole);
    fed_alloc_free(ctx, block, whole);
}

/* Smallest window that reaches back over everything; 262 is what zlib keeps for itself. Both sides
 * compute it from the same two lengths. */
static int window_bits(size_t dictionary, size_t content)
{
    int bits = 9;

    while (bits < WINDOW_MAX && ((size_t)1 << bits) < dictionary + content + 262)
        bits++;
    return bits;
}

static enum fed_err from_zlib(int status)
{
    return status == Z_MEM_ERROR ? FED_ERR_NOMEM : FED_ERR_INVALID;
}

/* The part of a dictionary that counts. */
static struct fed_span tail_of(struct fed_span dictionary)
{
    size_t most = (size_t)1 << WINDOW_MAX;

    return dictionary.len > most ? fed_span_sub(dictionary, dictionary.len - most, most)
                                 : dictionary;
}

static enum fed_err run_deflate(z_stream *z, struct fed_span dictionary, struct fed_buf *out)
{
    size_t room = deflateBound(z, z->avail_in);
    uint8_t *to;

    if (dictionary.len && deflateSetDictionary(z, dictionary.at, (uInt)dictionary.len) != Z_OK)
        return FED_ERR_INTERNAL;
    /* More room than the buffer may take is of no use: what does not fit is too long. */
    if (room > out->limit - out->len)
        room = out->limit - out->len;
    to = fed_buf_room(out, room);
    if (!to)
        return fed_buf_err(out);
    z->next_out = to;
    z->avail_out = (uInt)room;
    if (deflate(z, Z_FINISH) != Z_STREAM_END) {
        out->err = FED_ERR_LIMIT;
        return FED_ERR_LIMIT;
    }
    fed_buf_grew(out, room - z->avail_out);
    return FED_OK;
}

enum fed_err fed_deflate(
    struct fed_alloc *mem, struct fed_span dictionary, struct fed_span in, struct fed_buf *out)
{
    z_stream z = {.zalloc = block_get, .zfree = block_free, .opaque = mem};
    enum fed_err err = fed_buf_err(out);
    int status;

    if (err)
        return err;
    if (in.len > UINT32_MAX / 2)
        return FED_ERR_LIMIT;
    dictionary = tail_of(dictionary);
    /* Memory level 8: with more, zlib makes longer blocks, whose one code fits no kind of object
     * well (3 % of 241 KB). */
    status = deflateInit2(
        &z, 9, Z_DEFLATED, -window_bits(dictionary.len, in.len), 8, Z_DEFAULT_STRATEGY);
    if (status != Z_OK)
        return from_zlib(status);
    z.next_in = (Bytef *)(uintptr_t)in.at;
    z.avail_in = (uInt)in.len;
    err = run_deflate(&z, dictionary, out);
    deflateEnd(&z);
    return err;
}

static enum fed_err run_inflate(
    z_stream *z, struct fed_span dictionary, size_t len, struct fed_buf *out)
{
    uint8_t *to = fed_buf_room(out, len);
    int status;

    if (!to)
        return fed_buf_err(out);
    if (dictionary.len && inflateSetDictionary(z, dictionary.at, (uInt)dictionary.len) != Z_OK)
        return FED_ERR_NOMEM;
    z->next_out = to;
    z->avail_out = (uInt)len;
    status = inflate(z, Z_FINISH);
    if (status == Z_MEM_ERROR)
        return FED_ERR_NOMEM;
    if (status != Z_STREAM_END || z->avail_out || z->avail_in)
        return FED_ERR_INVALID;
    fed_buf_grew(out, len);
    return FED_OK;
}

enum fed_err fed_inflate(struct fed_alloc *mem, struct fed_span dictionary, struct fed_span in,
    size_t len, struct fed_buf *out)
{
    z_stream z = {.zalloc = block_get, .zfree = block_free, .opaque = mem};
    enum fed_err err = fed_buf_err(out);
    int status;

    if (err)
        return err;
    if (in.len > UINT32_MAX / 2 || len > UINT32_MAX / 2)
        return FED_ERR_LIMIT;
    /* A length that this input can never reach is refused before memory is taken for it. */
    if (in.len == 0 || len == 0 || len / RATIO_MAX > in.len)
        return FED_ERR_INVALID;
    dictionary = tail_of(dictionary);
    z.next_in = (Bytef *)(uintptr_t)in.at;
    z.avail_in = (uInt)in.len;
    status = inflateInit2(&z, -window_bits(dictionary.len, len));
    if (status != Z_OK)
        return from_zlib(status);
    err = run_inflate(&z, dictionary, len, out);
    inflateEnd(&z);
    return err;
}
