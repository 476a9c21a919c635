/* objects.c - objects over the revisioned store, with a short memory of recent changes.
 *
 * A change goes from the staged list, when it is durable, to the ring and to the delivery queue.
 * Each change is one allocation, shared by the delivery queue and by the ring from which watches
 * resume. What is older than the ring is read from the store's own history. */
#include "hub/store/objects.h"

#include <string.h>

#define RING_ENTRIES 1024u
#define RING_BYTES_MAX (4u << 20)
#define HISTORY_ENTRIES_MAX 10000u /* a watcher further behind lists again */
#define RESOURCE_MAX 320u
#define STAGED_BYTES_MAX (16u << 20) /* of changes; more are flushed before the turn ends */

struct entry {
    struct entry *next;
    struct fed_alloc *mem;
    unsigned refs;
    size_t size;
    struct hub_change change;
    uint8_t bytes[];
};

struct hub_subscription {
    struct hub_objects *objects;
    struct hub_subscription *next;
    hub_objects_changed *changed;
    void *ctx;
    bool gone;
    size_t resource_len;
    uint8_t resource[RESOURCE_MAX];
};

struct entries {
    struct entry *first;
    struct entry *last;
};

struct hub_objects {
    struct fed_alloc *mem;
    struct fed_store *store;
    struct fed_store durable; /* what others use of it: flushed before every call */
    struct hub_subscription *subscriptions;
    struct entries staged; /* not durable yet */
    size_t staged_bytes;
    struct entries queue; /* being delivered */
    hub_objects_settled *settled;
    void *settled_ctx;
    bool delivering;
    bool some_gone;
    struct entry *ring[RING_ENTRIES];
    size_t ring_first;
    size_t ring_count;
    size_t ring_bytes;
    uint64_t ring_floor; /* every change after this revision is in the ring */
};

/* ---- keys ---- */
struct key {
    size_t len;
    uint8_t at[FED_STORE_KEY_MAX];
};

static bool has_nul(struct fed_span part)
{
    return fed_span_find(part, 0) != part.len;
}

static enum fed_err key_put(struct key *key, struct fed_span part)
{
    if (part.len > sizeof key->at - 2 - key->len)
        return FED_ERR_LIMIT;
    if (part.len > 0)
        memcpy(key->at + key->len, part.at, part.len);
    key->len += part.len;
    return FED_OK;
}

static struct fed_span key_span(const struct key *key)
{
    return fed_span_of(key->at, key->len);
}

/* "o/" resource NUL [ns NUL]: where a listing begins. */
static enum fed_err key_prefix(struct key *key, struct fed_span resource, struct fed_span ns)
{
    enum fed_err err;

    key->len = 0;
    if (resource.len == 0 || has_nul(resource) || has_nul(ns))
        return FED_ERR_INVALID;
    err = key_put(key, FED_SPAN_LIT("o/"));
    if (!err)
        err = key_put(key, resource);
    if (err)
        return err;
    key->at[key->len++] = 0;
    if (ns.len == 0)
        return FED_OK;
    err = key_put(key, ns);
    if (err)
        return err;
    key->at[key->len++] = 0;
    return FED_OK;
}

static enum fed_err key_of(struct key *key, const struct hub_object_ref *ref)
{
    enum fed_err err = key_prefix(key, ref->resource, ref->ns);

    if (err)
        return err;
    if (ref->ns.len == 0)
        key->at[key->len++] = 0;
    if (ref->name.len == 0 || has_nul(ref->name))
        return FED_ERR_INVALID;
    return key_put(key, ref->name);
}

static bool key_parse(struct fed_span key, struct hub_object_ref *ref)
{
    if (!fed_span_starts(key, "o/"))
        return false;
    key = fed_span_sub(key, 2, key.len);
    if (!fed_span_split(&key, 0, &ref->resource) || !fed_span_split(&key, 0, &ref->ns))
        return false;
    ref->name = key;
    return key.len > 0;
}

/* ---- entries ---- */
static struct fed_span entry_copy(struct entry *entry, size_t *used, struct fed_span part)
{
    struct fed_span copy = fed_span_of(entry->bytes + *used, part.len);

    if (part.len > 0)
        memcpy(entry->bytes + *used, part.at, part.len);
    *used += part.len;
    return copy;
}

static struct entry *entry_new(struct fed_alloc *mem, const struct hub_change *change)
{
    const struct hub_object_ref *ref = &change->ref;
    size_t used = 0;
    size_t size = sizeof(struct entry) + ref->resource.len + ref->ns.len + ref->name.len +
                  change->bytes.len + change->before.len;
    struct entry *entry = fed_alloc_get(mem, size);

    if (!entry)
        return NULL;
    *entry = (struct entry){.mem = mem, .refs = 1, .size = size};
    entry->change.type = change->type;
    entry->change.revision = change->revision;
    entry->change.ref.resource = entry_copy(entry, &used, ref->resource);
    entry->change.ref.ns = entry_copy(entry, &used, ref->ns);
    entry->change.ref.name = entry_copy(entry, &used, ref->name);
    entry->change.bytes = entry_copy(entry, &used, change->bytes);
    entry->change.before = entry_copy(entry, &used, change->before);
    return entry;
}

static void entry_unref(struct entry *entry)
{
    if (entry && --entry->refs == 0)
        fed_alloc_free(entry->mem, entry, entry->size);
}

static void ring_drop(struct hub_objects *objects)
{
    struct entry *oldest = objects->ring[objects->ring_first];

    objects->ring_first = (objects->ring_first + 1) % RING_ENTRIES;
    objects->ring_count--;
    objects->ring_bytes -= oldest->size;
    objects->ring_floor = oldest->change.revision;
    entry_unref(oldest);
}

static void ring_put(struct hub_objects *objects, struct entry *entry)
{
    while (objects->ring_count > 0 && (objects->ring_count == RING_ENTRIES ||
                                          objects->ring_bytes + entry->size > RING_BYTES_MAX))
        ring_drop(objects);
    entry->refs++;
    objects->ring[(objects->ring_first + objects->ring_count) % RING_ENTRIES] = entry;
    objects->ring_count++;
    objects->ring_bytes += entry->size;
}

/* ---- delivery ---- */
static void entries_take(struct entries *entries, struct entry *entry)
{
    entry->next = NULL;
    if (entries->last)
        entries->last->next = entry;
    else
        entries->first = entry;
    entries->last = entry;
}

static struct entry *entries_next(struct entries *entries)
{
    struct entry *entry = entries->first;

    if (entry)
        entries->first = entry->next;
    if (!entries->first)
        entries->last = NULL;
    return entry;
}

static void entries_drop(struct entries *entries)
{
    struct entry *entry;

    while ((entry = entries_next(entries)) != NULL)
        entry_unref(entry);
}

static void sweep(struct hub_objects *objects)
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

static void deliver(struct hub_objects *objects)
{
    struct entry *entry;

    if (objects->delivering)
        return;
    objects->delivering = true;
    while ((entry = entries_next(&objects->queue)) != NULL) {
        for (struct hub_subscription *s = objects->subscriptions; s; s = s->next)
            if (wants(s, &entry->change))
                s->changed(s->ctx, &entry->change);
        entry_unref(entry);
    }
    objects->delivering = false;
    if (objects->some_gone)
        sweep(objects);
}

/* ---- staged, then durable or undone ---- */
bool hub_objects_staged(const struct hub_objects *objects)
{
    return objects->store->staged(objects->store->ctx);
}

void hub_objects_on_settled(struct hub_objects *objects, hub_objects_settled *settled, void *ctx)
{
    objects->settled = settled;
    objects->settled_ctx = ctx;
}

/* The store has nothing staged any more. Inside a delivery, whoever is delivering tells the
 * listener: its answers come after all that was delivered. */
static void settle(struct hub_objects *objects, enum fed_err err, const struct fed_diag *diag)
{
    bool outermost = !objects->delivering;
    struct entry *entry;

    objects->staged_bytes = 0;
    if (err) {
        entries_drop(&objects->staged);
    } else {
        while ((entry = entries_next(&objects->staged)) != NULL) {
            ring_put(objects, entry);
            entries_take(&objects->queue, entry);
        }
        deliver(objects);
    }
    if (outermost && objects->settled)
        objects->settled(objects->settled_ctx, err, diag);
}

enum fed_err hub_objects_flush(struct hub_objects *objects, struct fed_diag *diag)
{
    struct fed_store *store = objects->store;
    struct fed_diag own = {""};
    enum fed_err err;

    if (!objects->staged.first && !store->staged(store->ctx))
        return FED_OK;
    diag = diag ? diag : &own;
    err = store->flush(store->ctx, diag);
    if (!store->staged(store->ctx))
        settle(objects, err, diag);
    return err;
}

/* Stages in the engine. An error that undid what was staged before is told like that of a flush. */
static enum fed_err stage(struct hub_objects *objects, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops, uint64_t *revision,
    struct fed_diag *diag)
{
    struct fed_store *store = objects->store;
    struct fed_diag own = {""};
    bool staged = store->staged(store->ctx);
    enum fed_err err;

    diag = diag ? diag : &own;
    err = store->stage(store->ctx, compares, n_compares, ops, n_ops, revision, diag);
    if (err && staged && !store->staged(store->ctx))
        settle(objects, err, diag);
    return err;
}

/* ---- the store as others use it ---- */
static struct fed_store *flushed(void *ctx)
{
    struct hub_objects *objects = ctx;

    (void)hub_objects_flush(objects, NULL); /* undone is as good here: it is not seen either */
    return objects->store;
}

static uint64_t durable_revision(void *ctx)
{
    struct fed_store *store = flushed(ctx);

    return store->revision(store->ctx);
}

static uint32_t durable_epoch(void *ctx)
{
    struct hub_objects *objects = ctx;

    return objects->store->epoch(objects->store->ctx);
}

static enum fed_err durable_get(
    void *ctx, struct fed_span key, struct fed_buf *value, uint64_t *revision)
{
    struct fed_store *store = flushed(ctx);

    return store->get(store->ctx, key, value, revision);
}

static enum fed_err durable_range(void *ctx, struct fed_span from, struct fed_span to, size_t limit,
    fed_store_each *each, void *each_ctx)
{
    struct fed_store *store = flushed(ctx);

    return store->range(store->ctx, from, to, limit, each, each_ctx);
}

static enum fed_err durable_count(void *ctx, struct fed_span from, struct fed_span to, size_t *out)
{
    struct fed_store *store = flushed(ctx);

    return store->count(store->ctx, from, to, out);
}

static enum fed_err durable_range_at(void *ctx, uint64_t revision, struct fed_span from,
    struct fed_span to, size_t limit, fed_store_each *each, void *each_ctx)
{
    struct fed_store *store = flushed(ctx);

    return store->range_at(store->ctx, revision, from, to, limit, each, each_ctx);
}

static enum fed_err durable_count_at(
    void *ctx, uint64_t revision, struct fed_span from, struct fed_span to, size_t *out)
{
    struct fed_store *store = flushed(ctx);

    return store->count_at(store->ctx, revision, from, to, out);
}

static enum fed_err durable_stage(void *ctx, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops, uint64_t *revision,
    struct fed_diag *diag)
{
    return stage(ctx, compares, n_compares, ops, n_ops, revision, diag);
}

static enum fed_err durable_flush(void *ctx, struct fed_diag *diag)
{
    return hub_objects_flush(ctx, diag);
}

static bool durable_staged(void *ctx)
{
    return hub_objects_staged(ctx);
}

/* Shares its sync with what is staged. */
static enum fed_err durable_commit(void *ctx, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops, uint64_t *revision,
    struct fed_diag *diag)
{
    uint64_t at = 0;
    enum fed_err err = stage(ctx, compares, n_compares, ops, n_ops, &at, diag);

    if (!err)
        err = hub_objects_flush(ctx, diag);
    if (!err && revision)
        *revision = at;
    return err;
}

static enum fed_err durable_changes(void *ctx, uint64_t since, struct fed_span from,
    struct fed_span to, fed_store_each *each, void *each_ctx)
{
    struct fed_store *store = flushed(ctx);

    return store->changes(store->ctx, since, from, to, each, each_ctx);
}

static enum fed_err durable_compact(void *ctx, uint64_t revision)
{
    struct fed_store *store = flushed(ctx);

    return store->compact(store->ctx, revision);
}

static void set_durable(struct hub_objects *objects)
{
    objects->durable = (struct fed_store){
        .ctx = objects,
        .revision = durable_revision,
        .epoch = durable_epoch,
        .get = durable_get,
        .range = durable_range,
        .count = durable_count,
        .range_at = durable_range_at,
        .count_at = durable_count_at,
        .commit = durable_commit,
        .stage = durable_stage,
        .flush = durable_flush,
        .staged = durable_staged,
        .changes = durable_changes,
        .compact = durable_compact,
    };
}

/* ---- open, read ---- */
enum fed_err hub_objects_open(
    struct fed_alloc *mem, struct fed_store *store, struct hub_objects **out, struct fed_diag *diag)
{
    struct hub_objects *objects = fed_alloc_zero(mem, sizeof *objects);

    if (!objects)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the object store");
    objects->mem = mem;
    objects->store = store;
    objects->ring_floor = store->revision(store->ctx);
    set_durable(objects);
    *out = objects;
    return FED_OK;
}

void hub_objects_close(struct hub_objects *objects)
{
    if (!objects)
        return;
    entries_drop(&objects->staged);
    entries_drop(&objects->queue);
    while (objects->ring_count > 0)
        ring_drop(objects);
    for (struct hub_subscription *s = objects->subscriptions; s; s = s->next)
        s->gone = true;
    sweep(objects);
    fed_alloc_free(objects->mem, objects, sizeof *objects);
}

uint64_t hub_objects_revision(const struct hub_objects *objects)
{
    return objects->store->revision(objects->store->ctx);
}

struct fed_store *hub_objects_store(struct hub_objects *objects)
{
    return &objects->durable;
}

enum fed_err hub_objects_get(struct hub_objects *objects, const struct hub_object_ref *ref,
    struct fed_buf *bytes, uint64_t *revision)
{
    struct key key;
    enum fed_err err = key_of(&key, ref);

    if (err)
        return FED_ERR_NOT_FOUND; /* too long, or with a NUL: nobody is called so */
    return objects->store->get(objects->store->ctx, key_span(&key), bytes, revision);
}

struct list_call {
    hub_objects_each *each;
    void *ctx;
};

static bool list_item(void *ctx, const struct fed_store_item *item)
{
    struct list_call *call = ctx;
    struct hub_object object = {.bytes = item->value, .revision = item->revision};

    return !key_parse(item->key, &object.ref) || call->each(call->ctx, &object);
}

/* The keys of a listing: [from, to). */
static enum fed_err list_keys(struct fed_span resource, struct fed_span ns,
    const struct hub_object_ref *after, struct key *from, struct key *to)
{
    enum fed_err err = key_prefix(to, resource, ns);

    if (err)
        return err;
    *from = *to;
    to->at[to->len - 1] = 1;
    if (!after)
        return FED_OK;
    err = key_of(from, after);
    if (!err)
        from->at[from->len++] = 0;
    return err;
}

enum fed_err hub_objects_list(struct hub_objects *objects, struct fed_span resource,
    struct fed_span ns, const struct hub_object_ref *after, hub_objects_each *each, void *ctx)
{
    struct fed_store *store = objects->store;
    struct list_call call = {each, ctx};
    struct key from;
    struct key to;
    enum fed_err err = list_keys(resource, ns, after, &from, &to);

    return err ? err
               : store->range(store->ctx, key_span(&from), key_span(&to), 0, list_item, &call);
}

enum fed_err hub_objects_list_at(struct hub_objects *objects, uint64_t revision,
    struct fed_span resource, struct fed_span ns, const struct hub_object_ref *after,
    hub_objects_each *each, void *ctx)
{
    struct fed_store *store = objects->store;
    struct list_call call = {each, ctx};
    struct key from;
    struct key to;
    enum fed_err err = list_keys(resource, ns, after, &from, &to);

    if (err)
        return err;
    if (revision == store->revision(store->ctx))
        return store->range(store->ctx, key_span(&from), key_span(&to), 0, list_item, &call);
    return store->range_at(
        store->ctx, revision, key_span(&from), key_span(&to), 0, list_item, &call);
}

enum fed_err hub_objects_count_at(struct hub_objects *objects, uint64_t revision,
    struct fed_span resource, struct fed_span ns, const struct hub_object_ref *after, size_t *out)
{
    struct fed_store *store = objects->store;
    struct key from;
    struct key to;
    enum fed_err err = list_keys(resource, ns, after, &from, &to);

    if (err)
        return err;
    if (revision == store->revision(store->ctx))
        return store->count(store->ctx, key_span(&from), key_span(&to), out);
    return store->count_at(store->ctx, revision, key_span(&from), key_span(&to), out);
}

/* ---- commit ---- */
struct pending {
    struct key key;
    struct entry *entry;
};

/* The present state against what the write expects; the change that the write makes. */
static enum fed_err prepare(struct hub_objects *objects, const struct hub_object_write *write,
    struct fed_store_compare *compare, struct fed_store_op *op, struct pending *pending,
    struct fed_diag *diag)
{
    struct hub_change change = {.ref = write->ref};
    struct fed_buf before;
    uint64_t present = 0;
    enum fed_err err = key_of(&pending->key, &write->ref);

    if (err)
        return fed_diag_set(diag, err, "not a key for an object");
    if (!write->remove && write->bytes.len > HUB_OBJECT_BYTES_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "object of %zu bytes, at most %u are stored",
            write->bytes.len, HUB_OBJECT_BYTES_MAX);
    fed_buf_init(&before, objects->mem, FED_STORE_VALUE_MAX);
    err = objects->store->get(objects->store->ctx, key_span(&pending->key), &before, &present);
    if (err == FED_ERR_NOT_FOUND) {
        present = 0;
        err = write->remove || (write->expected != 0 && write->expected != HUB_ANY_REVISION)
                  ? FED_ERR_NOT_FOUND
                  : FED_OK;
    } else if (!err && write->expected != HUB_ANY_REVISION && write->expected != present) {
        err = write->expected == 0 ? FED_ERR_EXISTS : FED_ERR_CONFLICT;
    }
    if (!err) {
        change.type = write->remove  ? HUB_CHANGE_DELETED
                      : present == 0 ? HUB_CHANGE_ADDED
                                     : HUB_CHANGE_MODIFIED;
        change.before = fed_buf_span(&before);
        change.bytes = write->remove ? change.before : write->bytes;
        if (write->remove)
            change.before = (struct fed_span){0};
        pending->entry = entry_new(objects->mem, &change);
        err = pending->entry ? FED_OK : FED_ERR_NOMEM;
    }
    if (!err && write->remove)
        pending->entry->change.before = pending->entry->change.bytes;
    fed_buf_fini(&before);
    *compare = (struct fed_store_compare){key_span(&pending->key), present};
    *op = (struct fed_store_op){key_span(&pending->key), write->bytes, write->remove};
    return err;
}

static void keep_staged(
    struct hub_objects *objects, struct pending *pending, size_t n, uint64_t revision)
{
    for (size_t i = 0; i < n; i++) {
        pending[i].entry->change.revision = revision;
        objects->staged_bytes += pending[i].entry->size;
        entries_take(&objects->staged, pending[i].entry);
    }
}

static enum fed_err stage_writes(struct hub_objects *objects, const struct hub_object_write *writes,
    size_t n_writes, const struct fed_store_op *extra, size_t n_extra, uint64_t *revision,
    struct fed_diag *diag)
{
    struct pending *pending = fed_alloc_array(objects->mem, n_writes + 1, sizeof *pending);
    struct fed_store_compare *compares =
        fed_alloc_array(objects->mem, n_writes + 1, sizeof *compares);
    struct fed_store_op *ops = fed_alloc_array(objects->mem, n_writes + n_extra + 1, sizeof *ops);
    size_t ready = 0;
    enum fed_err err = pending && compares && ops ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < n_writes; i++) {
        err = prepare(objects, &writes[i], &compares[i], &ops[i], &pending[i], diag);
        if (!err)
            ready++;
    }
    if (!err && n_extra > 0)
        memcpy(ops + n_writes, extra, n_extra * sizeof *extra);
    if (!err)
        err = stage(objects, compares, n_writes, ops, n_writes + n_extra, revision, diag);
    if (!err)
        keep_staged(objects, pending, ready, *revision);
    for (size_t i = 0; err && i < ready; i++)
        entry_unref(pending[i].entry);
    fed_alloc_free(objects->mem, ops, (n_writes + n_extra + 1) * sizeof *ops);
    fed_alloc_free(objects->mem, compares, (n_writes + 1) * sizeof *compares);
    fed_alloc_free(objects->mem, pending, (n_writes + 1) * sizeof *pending);
    return err;
}

enum fed_err hub_objects_stage(struct hub_objects *objects, const struct hub_object_write *writes,
    size_t n_writes, const struct fed_store_op *extra, size_t n_extra, uint64_t *revision,
    struct fed_diag *diag)
{
    uint64_t at = 0;
    enum fed_err err = stage_writes(objects, writes, n_writes, extra, n_extra, &at, diag);

    /* An engine that made it durable at once has settled it. */
    if (!err && (objects->staged_bytes > STAGED_BYTES_MAX || !hub_objects_staged(objects)))
        err = hub_objects_flush(objects, diag);
    if (!err && revision)
        *revision = at;
    return err;
}

enum fed_err hub_objects_commit(struct hub_objects *objects, const struct hub_object_write *writes,
    size_t n_writes, const struct fed_store_op *extra, size_t n_extra, uint64_t *revision,
    struct fed_diag *diag)
{
    uint64_t at = 0;
    enum fed_err err = stage_writes(objects, writes, n_writes, extra, n_extra, &at, diag);

    if (!err)
        err = hub_objects_flush(objects, diag);
    if (!err && revision)
        *revision = at;
    return err;
}

void hub_objects_touch(
    struct hub_objects *objects, const struct hub_object_ref *ref, uint64_t revision)
{
    struct hub_change change = {.type = HUB_CHANGE_TOUCHED, .ref = *ref, .revision = revision};
    struct fed_buf bytes;
    struct entry *entry = NULL;

    (void)hub_objects_flush(objects, NULL); /* it is told of what is durable */
    fed_buf_init(&bytes, objects->mem, FED_STORE_VALUE_MAX);
    if (!hub_objects_get(objects, ref, &bytes, NULL)) {
        change.bytes = fed_buf_span(&bytes);
        entry = entry_new(objects->mem, &change);
    }
    fed_buf_fini(&bytes);
    if (!entry)
        return; /* gone, or no memory: a later read composes the present state */
    entry->change.before = entry->change.bytes;
    entries_take(&objects->queue, entry);
    deliver(objects);
}

/* ---- subscriptions ---- */
enum fed_err hub_objects_subscribe(struct hub_objects *objects, struct fed_span resource,
    hub_objects_changed *changed, void *ctx, struct hub_subscription **out)
{
    struct hub_subscription **at = &objects->subscriptions;
    struct hub_subscription *subscription;

    if (resource.len > RESOURCE_MAX)
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
        sweep(objects);
}

/* ---- resuming ---- */
static void since_ring(struct hub_objects *objects, struct fed_span resource, uint64_t since,
    hub_objects_changed *each, void *ctx)
{
    size_t count = objects->ring_count;
    size_t first = objects->ring_first;

    for (size_t i = 0; i < count; i++) {
        struct entry *entry = objects->ring[(first + i) % RING_ENTRIES];

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

    if (!key_parse(item->key, &change.ref))
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
    struct key from;
    struct key to;
    enum fed_err err = key_prefix(&from, resource, (struct fed_span){0});

    if (err)
        return err;
    to = from;
    to.at[to.len - 1] = 1;
    err = store->changes(store->ctx, since, key_span(&from), key_span(&to), history_item, &history);
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
