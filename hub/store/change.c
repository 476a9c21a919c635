/* change.c - who hears of changes, now and later.
 *
 * Each change is one allocation, shared by the delivery queue and by the ring from which watches
 * resume. What is older than the ring is read from the store's own history. */
#include "hub/store/internal.h"

#include <string.h>

#define RING_BYTES_MAX (4u << 20)
#define HISTORY_ENTRIES_MAX 10000u /* a watcher further behind lists again */

/* ---- entries ---- */
static struct fed_span entry_copy(struct objects_entry *entry, size_t *used, struct fed_span part)
{
    struct fed_span copy = fed_span_of(entry->bytes + *used, part.len);

    if (part.len > 0)
        memcpy(entry->bytes + *used, part.at, part.len);
    *used += part.len;
    return copy;
}

struct objects_entry *objects_entry_new(struct fed_alloc *mem, const struct hub_change *change)
{
    const struct hub_object_ref *ref = &change->ref;
    size_t used = 0;
    size_t size = sizeof(struct objects_entry) + ref->resource.len + ref->ns.len + ref->name.len +
                  change->bytes.len + change->before.len;
    struct objects_entry *entry = fed_alloc_get(mem, size);

    if (!entry)
        return NULL;
    *entry = (struct objects_entry){.mem = mem, .refs = 1, .size = size};
    entry->change.type = change->type;
    entry->change.revision = change->revision;
    entry->change.ref.resource = entry_copy(entry, &used, ref->resource);
    entry->change.ref.ns = entry_copy(entry, &used, ref->ns);
    entry->change.ref.name = entry_copy(entry, &used, ref->name);
    entry->change.bytes = entry_copy(entry, &used, change->bytes);
    entry->change.before = entry_copy(entry, &used, change->before);
    return entry;
}

void objects_entry_unref(struct objects_entry *entry)
{
    if (entry && --entry->refs == 0)
        fed_alloc_free(entry->mem, entry, entry->size);
}

void objects_ring_drop(struct hub_objects *objects)
{
    struct objects_entry *oldest = objects->ring[objects->ring_first];

    objects->ring_first = (objects->ring_first + 1) % OBJECTS_RING_ENTRIES;
    objects->ring_count--;
    objects->ring_bytes -= oldest->size;
    objects->ring_floor = oldest->change.revision;
    objects_entry_unref(oldest);
}

void objects_ring_put(struct hub_objects *objects, struct objects_entry *entry)
{
    while (objects->ring_count > 0 && (objects->ring_count == OBJECTS_RING_ENTRIES ||
                                          objects->ring_bytes + entry->size > RING_BYTES_MAX))
        objects_ring_drop(objects);
    entry->refs++;
    objects->ring[(objects->ring_first + objects->ring_count) % OBJECTS_RING_ENTRIES] = entry;
    objects->ring_count++;
    objects->ring_bytes += entry->size;
}

/* ---- delivery ---- */
void objects_entries_take(struct objects_entries *entries, struct objects_entry *entry)
{
    entry->next = NULL;
    if (entries->last)
        entries->last->next = entry;
    else
        entries->first = entry;
    entries->last = entry;
}

struct objects_entry *objects_entries_next(struct objects_entries *entries)
{
    struct objects_entry *entry = entries->first;

    if (entry)
        entries->first = entry->next;
    if (!entries->first)
        entries->last = NULL;
    return entry;
}

void objects_entries_drop(struct objects_entries *entries)
{
    struct objects_entry *entry;

    while ((entry = objects_entries_next(entries)) != NULL)
        objects_entry_unref(entry);
}

void objects_sweep(struct hub_objects *objects)
{
    struct hub_subscription **at = &objects->subscriptions;

    while (*at) {
        struct hub_subscription *subscription = *at;

        if (!subscription->gone) {
            at = &subscription->next;
            continue;
        }
        *at = subscription->next;
        fed_alloc_free(objects->mem, subscription, sizeof *subscription);
    }
    objects->some_gone = false;
}

static bool wants(const struct hub_subscription *subscription, const struct hub_change *change)
{
    return !subscription->gone &&
           (subscription->resource_len == 0 ||
               fed_span_eq(fed_span_of(subscription->resource, subscription->resource_len),
                   change->ref.resource));
}

void objects_deliver(struct hub_objects *objects)
{
    struct objects_entry *entry;

    if (objects->delivering)
        return;
    objects->delivering = true;
    while ((entry = objects_entries_next(&objects->queue)) != NULL) {
        for (struct hub_subscription *s = objects->subscriptions; s; s = s->next)
            if (wants(s, &entry->change))
                s->changed(s->ctx, &entry->change);
        objects_entry_unref(entry);
    }
    objects->delivering = false;
    if (objects->some_gone)
        objects_sweep(objects);
}

/* ---- subscriptions ---- */
enum fed_err hub_objects_subscribe(struct hub_objects *objects, struct fed_span resource,
    hub_objects_changed *changed, void *ctx, struct hub_subscription **out)
{
    struct hub_subscription **at = &objects->subscriptions;
    struct hub_subscription *subscription;

    if (resource.len > OBJECTS_RESOURCE_MAX)
        return FED_ERR_LIMIT;
    subscription = fed_alloc_zero(objects->mem, sizeof *subscription);
    if (!subscription)
        return FED_ERR_NOMEM;
    subscription->objects = objects;
    subscription->changed = changed;
    subscription->ctx = ctx;
    subscription->resource_len = resource.len;
    if (resource.len > 0)
        memcpy(subscription->resource, resource.at, resource.len);
    while (*at)
        at = &(*at)->next;
    *at = subscription;
    *out = subscription;
    return FED_OK;
}

void hub_objects_unsubscribe(struct hub_subscription *subscription)
{
    struct hub_objects *objects;

    if (!subscription)
        return;
    objects = subscription->objects;
    subscription->gone = true;
    objects->some_gone = true;
    if (!objects->delivering)
        objects_sweep(objects);
}

/* ---- resuming ---- */
static void since_ring(struct hub_objects *objects, struct fed_span resource, uint64_t since,
    hub_objects_changed *each, void *ctx)
{
    size_t count = objects->ring_count;
    size_t first = objects->ring_first;

    for (size_t i = 0; i < count; i++) {
        struct objects_entry *entry = objects->ring[(first + i) % OBJECTS_RING_ENTRIES];

        if (entry->change.revision > since && fed_span_eq(entry->change.ref.resource, resource))
            each(ctx, &entry->change);
    }
}

struct history {
    hub_objects_changed *each;
    void *ctx;
    size_t n;
    enum fed_err err;
};

static bool history_item(void *ctx, const struct fed_store_item *item)
{
    struct history *history = ctx;
    struct hub_change change = {.revision = item->revision, .bytes = item->value};

    if (!objects_key_parse(item->key, &change.ref))
        return true;
    if (history->n++ == HISTORY_ENTRIES_MAX) {
        history->err = FED_ERR_GONE;
        return false;
    }
    change.type = item->deleted    ? HUB_CHANGE_DELETED
                  : !item->existed ? HUB_CHANGE_ADDED
                                   : HUB_CHANGE_MODIFIED;
    change.before = item->deleted ? item->value : item->before;
    history->each(history->ctx, &change);
    return true;
}

static enum fed_err since_history(struct hub_objects *objects, struct fed_span resource,
    uint64_t since, hub_objects_changed *each, void *ctx)
{
    struct fed_store *store = objects->store;
    struct history history = {.each = each, .ctx = ctx};
    struct objects_key from;
    struct objects_key to;
    enum fed_err err = objects_key_prefix(&from, resource, (struct fed_span){0});

    if (err)
        return err;
    to = from;
    to.at[to.len - 1] = 1;
    err = store->changes(
        store->ctx, since, objects_key_span(&from), objects_key_span(&to), history_item, &history);
    if (err == FED_ERR_UNSUPPORTED)
        return FED_ERR_GONE;
    return err ? err : history.err;
}

enum fed_err hub_objects_since(struct hub_objects *objects, struct fed_span resource,
    uint64_t since, hub_objects_changed *each, void *ctx)
{
    if (since < objects->ring_floor)
        return since_history(objects, resource, since, each, ctx);
    since_ring(objects, resource, since, each, ctx);
    return FED_OK;
}
