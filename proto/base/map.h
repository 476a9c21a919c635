/* map.h - a hash map from bytes to pointers. Keys are copied; values are the caller's. */
#ifndef FEDLET_PROTO_BASE_MAP_H
#define FEDLET_PROTO_BASE_MAP_H

#include "proto/base/alloc.h"
#include "proto/base/span.h"

struct fed_map_entry; /* opaque */

struct fed_map {
    struct fed_alloc *mem;
    struct fed_map_entry **buckets;
    size_t n_buckets;
    size_t count;
};

void fed_map_init(struct fed_map *map, struct fed_alloc *mem);
void fed_map_fini(struct fed_map *map); /* values are not freed; NULL is fine */
void *fed_map_get(const struct fed_map *map, struct fed_span key); /* NULL when absent */
/* Puts or replaces; value must not be NULL. FED_ERR_NOMEM leaves the map unchanged. */
FED_MUST_USE enum fed_err fed_map_put(struct fed_map *map, struct fed_span key, void *value);
void *fed_map_remove(struct fed_map *map, struct fed_span key); /* the value, NULL when absent */

/* In no order. The entry just returned may be removed meanwhile; nothing may be put. */
struct fed_map_iter {
    const struct fed_map *map;
    size_t bucket;
    struct fed_map_entry *next;
    struct fed_span key;
    void *value;
};
void fed_map_iter_init(struct fed_map_iter *it, const struct fed_map *map);
bool fed_map_iter_next(struct fed_map_iter *it);

#endif
