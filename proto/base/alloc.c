/* alloc.c - see alloc.h. */
#include "proto/base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN 4096u
#define ALIGNMENT (_Alignof(max_align_t))

struct fed_arena_chunk {
    struct fed_arena_chunk *next;
    size_t size; /* of data */
    size_t used;
    _Alignas(max_align_t) unsigned char data[];
};

static void *system_resize(void *ctx, void *at, size_t old_size, size_t size)
{
    (void)ctx;
    (void)old_size;
    if (size == 0) {
        free(at);
        return NULL;
    }
    return realloc(at, size);
}

struct fed_alloc *fed_alloc_system(void)
{
    static struct fed_alloc system = {.ctx = NULL, .resize = system_resize};

    return &system;
}

void *fed_alloc_get(struct fed_alloc *mem, size_t size)
{
    return mem->resize(mem->ctx, NULL, 0, size ? size : 1);
}

void *fed_alloc_zero(struct fed_alloc *mem, size_t size)
{
    void *at = fed_alloc_get(mem, size);

    if (at)
        memset(at, 0, size);
    return at;
}

void fed_alloc_free(struct fed_alloc *mem, void *at, size_t size)
{
    if (at)
        mem->resize(mem->ctx, at, size, 0);
}

void *fed_alloc_array(struct fed_alloc *mem, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        return NULL;
    return fed_alloc_get(mem, n * size);
}

void *fed_alloc_more(
    struct fed_alloc *mem, void *list, size_t n, size_t *cap, size_t item_size, size_t least)
{
    size_t next = *cap ? *cap * 2 : least;
    void *more;

    if (n < *cap)
        return list;
    if (next > SIZE_MAX / item_size || next < *cap)
        return NULL;
    more = mem->resize(mem->ctx, list, *cap * item_size, next * item_size);
    if (more)
        *cap = next;
    return more;
}

static struct fed_arena_chunk *chunk_add(struct fed_arena *arena, size_t need)
{
    size_t size = need < CHUNK_MIN ? CHUNK_MIN : need;
    size_t whole;
    struct fed_arena_chunk *chunk;

    /* Grow geometrically, so that a large document does not make a long list. */
    if (arena->chunks && size < arena->chunks->size * 2 && arena->chunks->size < (1u << 20))
        size = arena->chunks->size * 2;
    if (size > SIZE_MAX - sizeof *chunk)
        return NULL;
    whole = size + sizeof *chunk;
    if (whole > arena->limit - arena->used) {
        size = need;
        whole = size + sizeof *chunk;
        if (need > SIZE_MAX - sizeof *chunk || whole > arena->limit - arena->used)
            return NULL;
    }
    chunk = fed_alloc_get(arena->mem, whole);
    if (!chunk)
        return NULL;
    *chunk = (struct fed_arena_chunk){.next = arena->chunks, .size = size};
    arena->chunks = chunk;
    arena->used += whole;
    return chunk;
}

bool fed_arena_reserve(struct fed_arena *arena, size_t size)
{
    const struct fed_arena_chunk *chunk = arena->chunks;

    return (chunk && size <= chunk->size - chunk->used) || chunk_add(arena, size);
}

static void *arena_take(struct fed_arena *arena, size_t size)
{
    struct fed_arena_chunk *chunk = arena->chunks;
    size_t need;
    void *at;

    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    need = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!chunk || need > chunk->size - chunk->used) {
        chunk = chunk_add(arena, need);
        if (!chunk)
            return NULL;
    }
    at = chunk->data + chunk->used;
    chunk->used += need;
    return at;
}

static void *arena_resize(void *ctx, void *at, size_t old_size, size_t size)
{
    struct fed_arena *arena = ctx;
    void *to;

    if (size == 0)
        return NULL;
    if (at && size <= old_size)
        return at;
    to = arena_take(arena, size);
    if (to && at)
        memcpy(to, at, old_size);
    return to;
}

void fed_arena_init(struct fed_arena *arena, struct fed_alloc *mem, size_t limit)
{
    *arena = (struct fed_arena){.mem = mem, .limit = limit};
    arena->alloc = (struct fed_alloc){.ctx = arena, .resize = arena_resize};
}

static void chunks_free(struct fed_arena *arena, struct fed_arena_chunk *chunk)
{
    while (chunk) {
        struct fed_arena_chunk *next = chunk->next;

        arena->used -= chunk->size + sizeof *chunk;
        fed_alloc_free(arena->mem, chunk, chunk->size + sizeof *chunk);
        chunk = next;
    }
}

void fed_arena_fini(struct fed_arena *arena)
{
    chunks_free(arena, arena->chunks);
    arena->chunks = NULL;
}

void fed_arena_reset(struct fed_arena *arena)
{
    if (!arena->chunks)
        return;
    chunks_free(arena, arena->chunks->next);
    arena->chunks->next = NULL;
    arena->chunks->used = 0;
}
