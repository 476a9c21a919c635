/* buf.c - see buf.h. */
#include "proto/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void fed_buf_init(struct fed_buf *buf, struct fed_alloc *mem, size_t limit)
{
    *buf = (struct fed_buf){.mem = mem, .limit = limit};
}

void fed_buf_fini(struct fed_buf *buf)
{
    if (!buf || !buf->mem)
        return;
    fed_alloc_free(buf->mem, buf->at, buf->cap);
    fed_buf_init(buf, buf->mem, buf->limit);
}

void fed_buf_clear(struct fed_buf *buf)
{
    buf->len = 0;
    buf->err = FED_OK;
}

enum fed_err fed_buf_err(const struct fed_buf *buf)
{
    return buf->err;
}

struct fed_span fed_buf_span(const struct fed_buf *buf)
{
    return fed_span_of(buf->at, buf->len);
}

/* Capacity for need bytes; one byte more than the limit is allowed, for the NUL of fed_buf_cstr. */
static bool grow(struct fed_buf *buf, size_t need)
{
    size_t cap = buf->cap ? buf->cap : 64;
    uint8_t *at;

    if (need <= buf->cap)
        return true;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > buf->limit && need <= buf->limit)
        cap = buf->limit;
    at = buf->mem->resize(buf->mem->ctx, buf->at, buf->cap, cap);
    if (!at)
        return false;
    buf->at = at;
    buf->cap = cap;
    return true;
}

const char *fed_buf_cstr(struct fed_buf *buf)
{
    if (buf->len == SIZE_MAX || !buf->mem || !grow(buf, buf->len + 1))
        return "";
    buf->at[buf->len] = '\0';
    return (const char *)buf->at;
}

uint8_t *fed_buf_room(struct fed_buf *buf, size_t n)
{
    if (buf->err)
        return NULL;
    if (n > buf->limit - buf->len) {
        buf->err = FED_ERR_LIMIT;
        return NULL;
    }
    /* Room for nothing is a place, too: NULL is a refusal. */
    if (!grow(buf, n == 0 && !buf->at ? 1 : buf->len + n)) {
        buf->err = FED_ERR_NOMEM;
        return NULL;
    }
    return buf->at + buf->len;
}

void fed_buf_grew(struct fed_buf *buf, size_t n)
{
    buf->len += n;
}

void fed_buf_drop(struct fed_buf *buf, size_t n)
{
    if (n > buf->len)
        n = buf->len;
    if (n && n < buf->len)
        memmove(buf->at, buf->at + n, buf->len - n);
    buf->len -= n;
}

void fed_buf_cut(struct fed_buf *buf, size_t len)
{
    if (len < buf->len)
        buf->len = len;
}

void fed_buf_put(struct fed_buf *buf, struct fed_span bytes)
{
    uint8_t *to;

    if (bytes.len == 0)
        return;
    to = fed_buf_room(buf, bytes.len);
    if (!to)
        return;
    memcpy(to, bytes.at, bytes.len);
    fed_buf_grew(buf, bytes.len);
}

void fed_buf_put_text(struct fed_buf *buf, const char *text)
{
    fed_buf_put(buf, fed_span_text(text));
}

void fed_buf_printf(struct fed_buf *buf, const char *format, ...)
{
    size_t spare = buf->cap - buf->len;
    va_list args;
    va_list again;
    uint8_t *to;
    int n;

    va_start(args, format);
    va_copy(again, args);
    /* Most texts fit into what room there is. */
    n = vsnprintf(spare ? (char *)buf->at + buf->len : NULL, spare, format, args);
    va_end(args);
    to = n < 0 ? NULL : fed_buf_room(buf, (size_t)n);
    /* The NUL needs a byte that does not count against the limit. */
    if (to && buf->len + (size_t)n == SIZE_MAX)
        to = NULL;
    if (to && (size_t)n >= spare) {
        if (grow(buf, buf->len + (size_t)n + 1)) {
            vsnprintf((char *)buf->at + buf->len, (size_t)n + 1, format, again);
        } else {
            buf->err = FED_ERR_NOMEM;
            to = NULL;
        }
    }
    if (to)
        fed_buf_grew(buf, (size_t)n);
    va_end(again);
}

static void put_number(struct fed_buf *buf, uint64_t value, size_t n)
{
    uint8_t *to = fed_buf_room(buf, n);

    if (!to)
        return;
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)(value >> (8 * (n - 1 - i)));
    fed_buf_grew(buf, n);
}

void fed_buf_put_u8(struct fed_buf *buf, uint8_t value)
{
    uint8_t *to = fed_buf_room(buf, 1);

    if (!to)
        return;
    *to = value;
    fed_buf_grew(buf, 1);
}

void fed_buf_put_u16(struct fed_buf *buf, uint16_t value)
{
    put_number(buf, value, 2);
}

void fed_buf_put_u32(struct fed_buf *buf, uint32_t value)
{
    put_number(buf, value, 4);
}

void fed_buf_put_u64(struct fed_buf *buf, uint64_t value)
{
    put_number(buf, value, 8);
}

void fed_buf_put_varint(struct fed_buf *buf, uint64_t value)
{
    uint8_t bytes[10];
    size_t n = 0;

    do {
        bytes[n] = (uint8_t)(value & 0x7f);
        value >>= 7;
        if (value)
            bytes[n] |= 0x80;
        n++;
    } while (value);
    fed_buf_put(buf, fed_span_of(bytes, n));
}

void fed_buf_put_string(struct fed_buf *buf, struct fed_span bytes)
{
    fed_buf_put_varint(buf, bytes.len);
    fed_buf_put(buf, bytes);
}
