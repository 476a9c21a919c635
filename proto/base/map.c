/* map.c - see map.h. Chained buckets, FNV-1a; keys come from authenticated peers and are bounded in
 * number by their owners, so a keyed hash is not needed. */
#include "proto/base/map.h"

#include <string.h>

struct fed_map_entry {
    struct fed_map_entry *next;
    void *value;
    uint32_t hash;
    size_t key_len;
    uint8_t key[];
};

static uint32_t hash_of(struct fed_span key)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ key.at[i]) * 16777619u;
    return hash;
}

void fed_map_init(struct fed_map *map, struct fed_alloc *mem)
{
    *map = (struct fed_map){.mem = mem};
}

static size_t entry_size(const struct fed_map_entry *entry)
{
    return sizeof *entry + entry->key_len;
}

void fed_map_fini(struct fed_map *map)
{
    if (!map || !map->mem)
        return;
    for (size_t i = 0; i < map->n_buckets; i++) {
        struct fed_map_entry *entry = map->buckets[i];

        while (entry) {
            struct fed_map_entry *next = entry->next;

            fed_alloc_free(map->mem, entry, entry_size(entry));
            entry = next;
        }
    }
    fed_alloc_free(map->mem, map->buckets, map->n_buckets * sizeof *map->buckets);
    fed_map_init(map, map->mem);
}

/* The link that points to the key's entry, or NULL. */
static struct fed_map_entry **find(const struct fed_map *map, struct fed_span key, uint32_t hash)
{
    struct fed_map_entry **link;

    if (map->n_buckets == 0)
        return NULL;
    for (link = &map->buckets[hash % map->n_buckets]; *link; link = &(*link)->next) {
        if ((*link)->hash == hash && fed_span_eq(fed_span_of((*link)->key, (*link)->key_len), key))
            return link;
    }
    return NULL;
}

void *fed_map_get(const struct fed_map *map, struct fed_span key)
{
    struct fed_map_entry **link = find(map, key, hash_of(key));

    return link ? (*link)->value : NULL;
}

/* A map that cannot grow still works, only slower; but it must have buckets at all. */
static bool grow(struct fed_map *map)
{
    size_t n = map->n_buckets ? map->n_buckets * 2 : 16;
    struct fed_map_entry **buckets;

    if (map->count < map->n_buckets)
        return true;
    buckets = fed_alloc_array(map->mem, n, sizeof *buckets);
    if (!buckets)
        return map->n_buckets > 0;
    memset(buckets, 0, n * sizeof *buckets);
    for (size_t i = 0; i < map->n_buckets; i++) {
        while (map->buckets[i]) {
            struct fed_map_entry *entry = map->buckets[i];

            map->buckets[i] = entry->next;
            entry->next = buckets[entry->hash % n];
            buckets[entry->hash % n] = entry;
        }
    }
    fed_alloc_free(map->mem, map->buckets, map->n_buckets * sizeof *map->buckets);
    map->buckets = buckets;
    map->n_buckets = n;
    return true;
}

enum fed_err fed_map_put(struct fed_map *map, struct fed_span key, void *value)
{
    uint32_t hash = hash_of(key);
    struct fed_map_entry **link = find(map, key, hash);
    struct fed_map_entry *entry;

    if (link) {
        (*link)->value = value;
        return FED_OK;
    }
    if (!grow(map))
        return FED_ERR_NOMEM;
    entry = fed_alloc_get(map->mem, sizeof *entry + key.len);
    if (!entry)
        return FED_ERR_NOMEM;
    *entry = (struct fed_map_entry){.value = value, .hash = hash, .key_len = key.len};
    if (key.len)
        memcpy(entry->key, key.at, key.len);
    entry->next = map->buckets[hash % map->n_buckets];
    map->buckets[hash % map->n_buckets] = entry;
    map->count++;
    return FED_OK;
}

void *fed_map_remove(struct fed_map *map, struct fed_span key)
{
    struct fed_map_entry **link = find(map, key, hash_of(key));
    struct fed_map_entry *entry;
    void *value;

    if (!link)
        return NULL;
    entry = *link;
    value = entry->value;
    *link = entry->next;
    fed_alloc_free(map->mem, entry, entry_size(entry));
    map->count--;
    return value;
}

void fed_map_iter_init(struct fed_map_iter *it, const struct fed_map *map)
{
    *it = (struct fed_map_iter){.map = map};
}

bool fed_map_iter_next(struct fed_map_iter *it)
{
    struct fed_map_entry *entry = it->next;

    while (!entry) {
        if (it->bucket >= it->map->n_buckets)
            return false;
        entry = it->map->buckets[it->bucket++];
    }
    it->next = entry->next;
    it->key = fed_span_of(entry->key, entry->key_len);
    it->value = entry->value;
    return true;
}
