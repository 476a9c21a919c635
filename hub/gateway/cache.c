/* cache.c - deflated blob sections by their key, the least recently used leave first. */
#include "hub/gateway/internal.h"

#include <string.h>

struct gateway_cache_entry {
    struct gateway_cache_entry *newer;
    struct gateway_cache_entry *older;
    struct fed_digest key;
    size_t len;
    uint8_t bytes[];
};

static size_t size_of(const struct gateway_cache_entry *entry)
{
    return sizeof *entry + entry->len;
}

static struct fed_span key_of(const struct fed_digest *key)
{
    return fed_span_of(key->bytes, sizeof key->bytes);
}

static void take_out(struct gateway_cache *cache, struct gateway_cache_entry *entry)
{
    if (entry->newer)
        entry->newer->older = entry->older;
    else
        cache->newest = entry->older;
    if (entry->older)
        entry->older->newer = entry->newer;
    else
        cache->oldest = entry->newer;
}

static void put_first(struct gateway_cache *cache, struct gateway_cache_entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    if (cache->newest)
        cache->newest->newer = entry;
    else
        cache->oldest = entry;
    cache->newest = entry;
}

static void drop(struct gateway_cache *cache, struct gateway_cache_entry *entry)
{
    fed_map_remove(&cache->entries, key_of(&entry->key));
    take_out(cache, entry);
    cache->bytes -= size_of(entry);
    fed_alloc_free(cache->mem, entry, size_of(entry));
}

void gateway_cache_init(struct gateway_cache *cache, struct fed_alloc *mem)
{
    *cache = (struct gateway_cache){.mem = mem};
    fed_map_init(&cache->entries, mem);
}

void gateway_cache_fini(struct gateway_cache *cache)
{
    while (cache->oldest)
        drop(cache, cache->oldest);
    fed_map_fini(&cache->entries);
}

bool gateway_cache_get(void *ctx, const struct fed_digest *key, struct fed_span *out)
{
    struct gateway_cache *cache = ctx;
    struct gateway_cache_entry *entry = fed_map_get(&cache->entries, key_of(key));

    if (!entry)
        return false;
    take_out(cache, entry);
    put_first(cache, entry);
    *out = fed_span_of(entry->bytes, entry->len);
    return true;
}

void gateway_cache_put(void *ctx, const struct fed_digest *key, struct fed_span deflated)
{
    struct gateway_cache *cache = ctx;
    size_t size = sizeof(struct gateway_cache_entry) + deflated.len;
    struct gateway_cache_entry *entry;

    /* A quarter is enough for one: a bundle of megabytes must not push out a hundred small changes.
     */
    if (size > GATEWAY_CACHE_BYTES / 4 || fed_map_get(&cache->entries, key_of(key)))
        return;
    while (cache->oldest && cache->bytes + size > GATEWAY_CACHE_BYTES)
        drop(cache, cache->oldest);
    entry = fed_alloc_get(cache->mem, size);
    if (!entry)
        return;
    *entry = (struct gateway_cache_entry){.key = *key, .len = deflated.len};
    if (deflated.len > 0)
        memcpy(entry->bytes, deflated.at, deflated.len);
    if (fed_map_put(&cache->entries, key_of(key), entry)) {
        fed_alloc_free(cache->mem, entry, size);
        return;
    }
    put_first(cache, entry);
    cache->bytes += size;
}
