/* memory.c - see memory.h. */
#include "ports/http/memory.h"

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
    fresh = alloc->resize(alloc->ctx, old, old ? old->size : 0, size + sizeof(*fresh));
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
        alloc->resize(alloc->ctx, old, old->size, 0);
}
