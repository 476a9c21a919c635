/* records.c - see records.h. */
#include "ports/https/records.h"

#include <string.h>

void fed_https_records_init(struct fed_https_records *r, struct fed_alloc *mem, size_t max)
{
    *r = (struct fed_https_records){0};
    fed_buf_init(&r->body, mem, max);
}

void fed_https_records_fini(struct fed_https_records *r)
{
    fed_buf_fini(&r->body);
}

/* The length, byte by byte. */
static enum fed_err take_head(struct fed_https_records *r, struct fed_span *from)
{
    while (r->n_head < sizeof(r->head) && from->len > 0) {
        r->head[r->n_head++] = from->at[0];
        *from = fed_span_sub(*from, 1, from->len);
    }
    if (r->n_head < sizeof(r->head))
        return FED_OK;
    r->left =
        (size_t)r->head[0] << 24 | (size_t)r->head[1] << 16 | (size_t)r->head[2] << 8 | r->head[3];
    return r->left > r->body.limit ? FED_ERR_LIMIT : FED_OK;
}

enum fed_err fed_https_records_take(
    struct fed_https_records *r, struct fed_span *from, bool *whole, struct fed_span *record)
{
    *whole = false;
    if (r->shown) {
        fed_buf_fini(&r->body); /* a large one is not kept for small ones */
        r->shown = false;
    }
    while (from->len > 0) {
        struct fed_span piece;
        enum fed_err err = r->n_head < sizeof(r->head) ? take_head(r, from) : FED_OK;

        if (err)
            return err;
        if (r->n_head < sizeof(r->head))
            return FED_OK;
        piece = fed_span_sub(*from, 0, r->left);
        fed_buf_put(&r->body, piece);
        if (fed_buf_err(&r->body))
            return fed_buf_err(&r->body);
        *from = fed_span_sub(*from, piece.len, from->len);
        r->left -= piece.len;
        if (r->left > 0)
            return FED_OK;
        r->n_head = 0;
        if (r->body.len == 0 && r->begun)
            continue;
        r->begun = r->shown = *whole = true;
        *record = fed_buf_span(&r->body);
        return FED_OK;
    }
    return FED_OK;
}
