/* heap.c - which session's time comes first. */
#include "ports/dtls/internal.h"

static void put(struct dtls_heap *heap, size_t at, struct fed_dtls_session *session)
{
    heap->at[at] = session;
    session->heap_at = at;
}

static void up(struct dtls_heap *heap, size_t at)
{
    struct fed_dtls_session *session = heap->at[at];

    while (at > 1 && heap->at[at / 2]->due_ms > session->due_ms) {
        put(heap, at, heap->at[at / 2]);
        at /= 2;
    }
    put(heap, at, session);
}

static void down(struct dtls_heap *heap, size_t at)
{
    struct fed_dtls_session *session = heap->at[at];

    for (;;) {
        size_t child = at * 2;

        if (child < heap->count && heap->at[child + 1]->due_ms < heap->at[child]->due_ms)
            child++;
        if (child > heap->count || heap->at[child]->due_ms >= session->due_ms)
            break;
        put(heap, at, heap->at[child]);
        at = child;
    }
    put(heap, at, session);
}

static enum fed_err reserve(struct dtls_heap *heap, struct fed_alloc *mem)
{
    size_t cap = heap->cap ? heap->cap * 2 : 64;
    struct fed_dtls_session **at;

    if (heap->count + 1 < heap->cap)
        return FED_OK;
    at = mem->resize(mem->ctx, heap->at, heap->cap * sizeof(*at), cap * sizeof(*at));
    if (!at)
        return FED_ERR_NOMEM;
    heap->at = at;
    heap->cap = cap;
    return FED_OK;
}

enum fed_err dtls_heap_set(struct dtls_heap *heap, struct fed_alloc *mem,
    struct fed_dtls_session *session, uint64_t due_ms)
{
    if (session->heap_at == 0) {
        if (reserve(heap, mem))
            return FED_ERR_NOMEM;
        put(heap, ++heap->count, session);
    }
    session->due_ms = due_ms;
    up(heap, session->heap_at);
    down(heap, session->heap_at);
    return FED_OK;
}

void dtls_heap_remove(struct dtls_heap *heap, struct fed_dtls_session *session)
{
    size_t at = session->heap_at;
    struct fed_dtls_session *last;

    if (at == 0)
        return;
    session->heap_at = 0;
    last = heap->at[heap->count--];
    if (last == session)
        return;
    put(heap, at, last);
    up(heap, at);
    down(heap, last->heap_at);
}

struct fed_dtls_session *dtls_heap_first(const struct dtls_heap *heap)
{
    return heap->count > 0 ? heap->at[1] : NULL;
}

void dtls_heap_fini(struct dtls_heap *heap, struct fed_alloc *mem)
{
    fed_alloc_free(mem, heap->at, heap->cap * sizeof(*heap->at));
    *heap = (struct dtls_heap){0};
}
