/* alloc.h - memory through one interface, so that a test can refuse it, and arenas for short-lived
 * work.
 *
 * The system allocator is fed_alloc_system(). An arena is itself usable as a struct fed_alloc: its
 * free does nothing and everything goes at fed_arena_fini. */
#ifndef FEDLET_PROTO_BASE_ALLOC_H
#define FEDLET_PROTO_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

struct fed_alloc {
    void *ctx;
    /* realloc semantics: at NULL allocates, size 0 frees and returns NULL. old_size is the size
     * that was asked for before (0 when at is NULL). Returns NULL when refused; then the old block
     * stays. Alignment: max_align_t. */
    void *(*resize)(void *ctx, void *at, size_t old_size, size_t size);
};

/* malloc and free. Lives for ever. */
struct fed_alloc *fed_alloc_system(void);

/* NULL when refused. */
void *fed_alloc_get(struct fed_alloc *mem, size_t size);
void *fed_alloc_zero(struct fed_alloc *mem, size_t size);          /* zeroed */
void fed_alloc_free(struct fed_alloc *mem, void *at, size_t size); /* at may be NULL */
/* n * size with overflow check; NULL when refused. */
void *fed_alloc_array(struct fed_alloc *mem, size_t n, size_t size);
/* The list with room for one more than n items: the same, or a larger one in its place, of twice
 * the room (at first `least` items). NULL when refused; then the list stays as it is. */
void *fed_alloc_more(
    struct fed_alloc *mem, void *list, size_t n, size_t *cap, size_t item_size, size_t least);

/* An arena: bump allocation in chunks, up to a limit. */
struct fed_arena_chunk;
struct fed_arena {
    struct fed_alloc alloc; /* pass &arena.alloc; valid between init and fini */
    struct fed_alloc *mem;
    struct fed_arena_chunk *chunks;
    size_t used;  /* bytes handed out and chunk overhead */
    size_t limit; /* refused beyond this */
};

/* limit: bytes the arena may take from mem in all. The struct must not move afterwards. */
void fed_arena_init(struct fed_arena *arena, struct fed_alloc *mem, size_t limit);
void fed_arena_fini(struct fed_arena *arena);
/* Makes sure that the next size bytes can be had, so that what must not fail later does not. False
 * when refused. */
bool fed_arena_reserve(struct fed_arena *arena, size_t size);
/* Forgets all content, keeps one chunk for reuse. */
void fed_arena_reset(struct fed_arena *arena);

#endif
