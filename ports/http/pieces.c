/* pieces.c - see pieces.h. */
#include "ports/http/pieces.h"

#include <string.h>

/* ---- shared bytes ---- */
struct fed_http_shared *fed_http_shared_copy(struct fed_alloc *mem, struct fed_span bytes)
{
    struct fed_http_shared *shared = fed_alloc_get(mem, sizeof(*shared) + bytes.len);

    if (!shared)
        return NULL;
    *shared = (struct fed_http_shared){
        .mem = mem, .refs = 1, .bytes = fed_span_of(shared->follow, bytes.len)};
    if (bytes.len)
        memcpy(shared->follow, bytes.at, bytes.len);
    return shared;
}

struct fed_http_shared *fed_http_shared_take(struct fed_buf *bytes)
{
    struct fed_http_shared *shared = fed_alloc_get(bytes->mem, sizeof(*shared));

    if (!shared)
        return NULL;
    *shared = (struct fed_http_shared){
        .mem = bytes->mem, .refs = 1, .taken = *bytes, .bytes = fed_buf_span(bytes)};
    fed_buf_init(bytes, bytes->mem, bytes->limit);
    return shared;
}

struct fed_http_shared *fed_http_shared_ref(struct fed_http_shared *shared)
{
    shared->refs++;
    return shared;
}

void fed_http_shared_unref(struct fed_http_shared *shared)
{
    size_t follow;

    if (!shared || --shared->refs > 0)
        return;
    follow = shared->taken.mem ? 0 : shared->bytes.len;
    fed_http_shared_unref(shared->gzip);
    fed_http_shared_unref(shared->block);
    fed_buf_fini(&shared->taken);
    fed_alloc_free(shared->mem, shared, sizeof(*shared) + follow);
}

struct fed_http_shared *fed_http_shared_gzip(struct fed_http_shared *shared)
{
    struct fed_buf out;

    if (shared->gzip_tried)
        return shared->gzip;
    shared->gzip_tried = true;
    fed_buf_init(&out, shared->mem, shared->bytes.len - 1);
    if (!fed_http_gzip(shared->mem, shared->bytes, &out))
        shared->gzip = fed_http_shared_take(&out);
    fed_buf_fini(&out);
    return shared->gzip;
}

struct fed_http_shared *fed_http_shared_block(struct fed_http_shared *shared)
{
    struct fed_buf out;

    if (shared->block)
        return shared->block;
    fed_buf_init(&out, shared->mem, FED_HTTP_GZIP_PIECE_MAX(shared->bytes.len));
    if (!fed_http_gzip_piece(shared->mem, shared->bytes, &out))
        shared->block = fed_http_shared_take(&out);
    fed_buf_fini(&out);
    shared->sum = fed_http_gzip_sum(shared->bytes);
    return shared->block;
}

/* ---- what a client holds ---- */
static struct fed_http_holder **holder_of(
    struct fed_http_shared *shared, const struct fed_http_share *share)
{
    struct fed_http_holder **at = &shared->holders;

    while (*at && (*at)->share != share)
        at = &(*at)->next;
    return at;
}

static bool hold(struct fed_http_shared *shared, struct fed_http_share *share)
{
    struct fed_http_holder **at = holder_of(shared, share);

    if (!*at) {
        *at = fed_alloc_zero(shared->mem, sizeof **at);
        if (!*at)
            return false;
        (*at)->share = share;
        fed_http_share_answered(share, 0, shared->bytes.len);
    }
    (*at)->streams++;
    fed_http_share_answered(share, 0, FED_HTTP_PIECE_COST);
    return true;
}

static void let_go(struct fed_http_shared *shared, struct fed_http_share *share)
{
    struct fed_http_holder **at = holder_of(shared, share);
    struct fed_http_holder *holder = *at;

    if (--holder->streams == 0) {
        *at = holder->next;
        fed_alloc_free(shared->mem, holder, sizeof *holder);
        fed_http_share_answered(share, shared->bytes.len, 0);
    }
    fed_http_share_answered(share, FED_HTTP_PIECE_COST, 0);
}

static void drop(struct fed_http_pieces *q, struct fed_http_shared *shared)
{
    if (q->share)
        let_go(shared, q->share);
    fed_http_shared_unref(shared);
}

/* ---- the queue ---- */
void fed_http_pieces_init(struct fed_http_pieces *q, struct fed_alloc *mem)
{
    *q = (struct fed_http_pieces){.mem = mem};
}

void fed_http_pieces_fini(struct fed_http_pieces *q)
{
    struct fed_http_share *share = q->share;

    for (size_t i = 0; i < q->n; i++)
        drop(q, q->ring[(q->first + i) % q->cap]);
    fed_alloc_free(q->mem, q->ring, q->cap * sizeof(struct fed_http_shared *));
    fed_http_pieces_init(q, q->mem);
    q->share = share;
}

static bool grow(struct fed_http_pieces *q)
{
    size_t cap = q->cap ? q->cap * 2 : 4;
    struct fed_http_shared **ring = fed_alloc_array(q->mem, cap, sizeof(struct fed_http_shared *));

    if (!ring)
        return false;
    for (size_t i = 0; i < q->n; i++)
        ring[i] = q->ring[(q->first + i) % q->cap];
    fed_alloc_free(q->mem, q->ring, q->cap * sizeof(struct fed_http_shared *));
    q->ring = ring;
    q->cap = cap;
    q->first = 0;
    return true;
}

enum fed_err fed_http_pieces_put(struct fed_http_pieces *q, struct fed_http_shared *shared)
{
    if (shared->bytes.len == 0)
        return FED_OK;
    if ((q->n == q->cap && !grow(q)) || (q->share && !hold(shared, q->share)))
        return FED_ERR_NOMEM;
    q->ring[(q->first + q->n) % q->cap] = fed_http_shared_ref(shared);
    q->n++;
    q->len += shared->bytes.len;
    return FED_OK;
}

void fed_http_pieces_move(struct fed_http_pieces *q, size_t n, struct fed_buf *out)
{
    q->len -= n;
    while (n > 0) {
        struct fed_http_shared *shared = q->ring[q->first];
        struct fed_span piece = fed_span_sub(shared->bytes, q->at, n);

        fed_buf_put(out, piece);
        q->at += piece.len;
        n -= piece.len;
        if (q->at < shared->bytes.len)
            continue;
        q->at = 0;
        q->first = (q->first + 1) % q->cap;
        q->n--;
        drop(q, shared);
    }
    if (q->n == 0)
        fed_http_pieces_fini(q);
}
