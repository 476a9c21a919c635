/* memory.c - see memory.h. */
#include "ports/http/memory.h"

#include "ports/tls/pages.h"

#include <stdint.h>
#include <string.h>

union head {
    size_t size; /* of the block with its head */
    max_align_t align;
};

void *fed_http_memory_get(size_t size, void *mem)
{
    return fed_http_memory_resize(NULL, size ? size : 1, mem);
}

void *fed_http_memory_zero(size_t n, size_t size, void *mem)
{
    void *at;

    if (size && n > SIZE_MAX / 2 / size)
        return NULL;
    at = fed_http_memory_get(n * size, mem);
    if (at)
        memset(at, 0, n * size);
    return at;
}

static void head_free(struct fed_alloc *alloc, union head *head)
{
    if (fed_pages_own(head))
        fed_pages_free(head);
    else
        alloc->resize(alloc->ctx, head, head->size, 0);
}

/* A frame's buffer has pages of its own. NULL: as any other block. */
static union head *to_pages(struct fed_alloc *alloc, union head *old, size_t size)
{
    union head *fresh = fed_pages_get(size);

    if (fresh && old) {
        memcpy(fresh, old, old->size < size ? old->size : size);
        head_free(alloc, old);
    }
    return fresh;
}

static union head *resize(struct fed_alloc *alloc, union head *old, size_t size)
{
    union head *fresh;

    if (!old || !fed_pages_own(old))
        return alloc->resize(alloc->ctx, old, old ? old->size : 0, size);
    fresh = alloc->resize(alloc->ctx, NULL, 0, size);
    if (fresh) {
        memcpy(fresh, old, old->size < size ? old->size : size);
        fed_pages_free(old);
    }
    return fresh;
}

void *fed_http_memory_resize(void *at, size_t size, void *mem)
{
    struct fed_alloc *alloc = mem;
    union head *old = at ? (union head *)at - 1 : NULL;
    union head *fresh;

    if (size > SIZE_MAX / 2)
        return NULL;
    if (at && size == 0) {
        fed_http_memory_free(at, mem);
        return NULL;
    }
    fresh = to_pages(alloc, old, size + sizeof(*fresh));
    if (!fresh)
        fresh = resize(alloc, old, size + sizeof(*fresh));
    if (!fresh)
        return NULL;
    fresh->size = size + sizeof(*fresh);
    return fresh + 1;
}

void fed_http_memory_free(void *at, void *mem)
{
    struct fed_alloc *alloc = mem;
    union head *old = at ? (union head *)at - 1 : NULL;

    if (old)
        head_free(alloc, old);
}
