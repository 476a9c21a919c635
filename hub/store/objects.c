/* objects.c - objects over the revisioned store: reading them, and writing them. */
#include "hub/store/internal.h"

#include <string.h>

#define STAGED_BYTES_MAX (16u << 20) /* of changes; more are flushed before the turn ends */

/* ---- open, read ---- */
enum fed_err hub_objects_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_store *store,
    struct hub_objects **out, struct fed_diag *diag)
{
    struct hub_objects *objects = fed_alloc_zero(mem, sizeof *objects);

    if (!objects)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the object store");
    objects->mem = mem;
    objects->loop = loop;
    objects->store = store;
    objects->touched_end = &objects->touched;
    fed_map_init(&objects->touches, mem);
    objects->ring_floor = store->revision(store->ctx);
    objects_set_durable(objects);
    *out = objects;
    return FED_OK;
}

void hub_objects_close(struct hub_objects *objects)
{
    if (!objects)
        return;
    objects_entries_drop(&objects->staged);
    objects_entries_drop(&objects->queue);
    objects_touches_drop(objects);
    fed_map_fini(&objects->touches);
    while (objects->ring_count > 0)
        objects_ring_drop(objects);
    for (struct hub_subscription *s = objects->subscriptions; s; s = s->next)
        s->gone = true;
    objects_sweep(objects);
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

enum fed_err hub_objects_get_row(
    struct hub_objects *objects, struct fed_span key, struct fed_buf *value, uint64_t *revision)
{
    return objects->store->get(objects->store->ctx, key, value, revision);
}

enum fed_err hub_objects_get(struct hub_objects *objects, const struct hub_object_ref *ref,
    struct fed_buf *bytes, uint64_t *revision)
{
    struct objects_key key;
    enum fed_err err = objects_key_of(&key, ref);

    if (err)
        return FED_ERR_NOT_FOUND; /* too long, or with a NUL: nobody is called so */
    return objects->store->get(objects->store->ctx, objects_key_span(&key), bytes, revision);
}

struct list_call {
    hub_objects_each *each;
    void *ctx;
};

static bool list_item(void *ctx, const struct fed_store_item *item)
{
    struct list_call *call = ctx;
    struct hub_object object = {.bytes = item->value, .revision = item->revision};

    return !objects_key_parse(item->key, &object.ref) || call->each(call->ctx, &object);
}

/* The keys of a listing: [from, to). */
static enum fed_err list_keys(struct fed_span resource, struct fed_span ns,
    const struct hub_object_ref *after, struct objects_key *from, struct objects_key *to)
{
    enum fed_err err = objects_key_prefix(to, resource, ns);

    if (err)
        return err;
    *from = *to;
    to->at[to->len - 1] = 1;
    if (!after)
        return FED_OK;
    err = objects_key_of(from, after);
    if (!err)
        from->at[from->len++] = 0;
    return err;
}

enum fed_err hub_objects_list(struct hub_objects *objects, struct fed_span resource,
    struct fed_span ns, const struct hub_object_ref *after, hub_objects_each *each, void *ctx)
{
    struct fed_store *store = objects->store;
    struct list_call call = {each, ctx};
    struct objects_key from;
    struct objects_key to;
    enum fed_err err = list_keys(resource, ns, after, &from, &to);

    return err ? err
               : store->range(store->ctx, objects_key_span(&from), objects_key_span(&to), 0,
                     list_item, &call);
}

enum fed_err hub_objects_list_at(struct hub_objects *objects, uint64_t revision,
    struct fed_span resource, struct fed_span ns, const struct hub_object_ref *after,
    hub_objects_each *each, void *ctx)
{
    struct fed_store *store = objects->store;
    struct list_call call = {each, ctx};
    struct objects_key from;
    struct objects_key to;
    enum fed_err err = list_keys(resource, ns, after, &from, &to);

    if (err)
        return err;
    if (revision == store->revision(store->ctx))
        return store->range(
            store->ctx, objects_key_span(&from), objects_key_span(&to), 0, list_item, &call);
    return store->range_at(
        store->ctx, revision, objects_key_span(&from), objects_key_span(&to), 0, list_item, &call);
}

enum fed_err hub_objects_count_at(struct hub_objects *objects, uint64_t revision,
    struct fed_span resource, struct fed_span ns, const struct hub_object_ref *after, size_t *out)
{
    struct fed_store *store = objects->store;
    struct objects_key from;
    struct objects_key to;
    enum fed_err err = list_keys(resource, ns, after, &from, &to);

    if (err)
        return err;
    if (revision == store->revision(store->ctx))
        return store->count(store->ctx, objects_key_span(&from), objects_key_span(&to), out);
    return store->count_at(
        store->ctx, revision, objects_key_span(&from), objects_key_span(&to), out);
}

/* ---- commit ---- */
struct pending {
    struct objects_key key;
    struct objects_entry *entry;
};

/* The present state against what the write expects; the change that the write makes. */
static enum fed_err prepare(struct hub_objects *objects, const struct hub_object_write *write,
    struct fed_store_compare *compare, struct fed_store_op *op, struct pending *pending,
    struct fed_diag *diag)
{
    struct hub_change change = {.ref = write->ref};
    struct fed_buf before;
    uint64_t present = 0;
    enum fed_err err = objects_key_of(&pending->key, &write->ref);

    if (err)
        return fed_diag_set(diag, err, "not a key for an object");
    if (!write->remove && write->bytes.len > HUB_OBJECT_BYTES_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "object of %zu bytes, at most %u are stored",
            write->bytes.len, HUB_OBJECT_BYTES_MAX);
    fed_buf_init(&before, objects->mem, FED_STORE_VALUE_MAX);
    err = objects->store->get(
        objects->store->ctx, objects_key_span(&pending->key), &before, &present);
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
        pending->entry = objects_entry_new(objects->mem, &change);
        err = pending->entry ? FED_OK : FED_ERR_NOMEM;
    }
    if (!err && write->remove)
        pending->entry->change.before = pending->entry->change.bytes;
    fed_buf_fini(&before);
    *compare = (struct fed_store_compare){objects_key_span(&pending->key), present};
    *op = (struct fed_store_op){objects_key_span(&pending->key), write->bytes, write->remove};
    return err;
}

static void keep_staged(
    struct hub_objects *objects, struct pending *pending, size_t n, uint64_t revision)
{
    for (size_t i = 0; i < n; i++) {
        pending[i].entry->change.revision = revision;
        objects->staged_bytes += pending[i].entry->size;
        objects_entries_take(&objects->staged, pending[i].entry);
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
        err = objects_stage(objects, compares, n_writes, ops, n_writes + n_extra, revision, diag);
    if (!err)
        keep_staged(objects, pending, ready, *revision);
    for (size_t i = 0; err && i < ready; i++)
        objects_entry_unref(pending[i].entry);
    fed_alloc_free(objects->mem, ops, (n_writes + n_extra + 1) * sizeof *ops);
    fed_alloc_free(objects->mem, compares, (n_writes + 1) * sizeof *compares);
    fed_alloc_free(objects->mem, pending, (n_writes + 1) * sizeof *pending);
    return err;
}

/* Whether what was staged is to be flushed at once. An engine that made it durable has it settled;
 * who stages while members are asked is part of a flush already. */
static bool is_due(const struct hub_objects *objects)
{
    return !objects->preparing &&
           (objects->staged_bytes > STAGED_BYTES_MAX || !hub_objects_staged(objects));
}

enum fed_err hub_objects_stage(struct hub_objects *objects, const struct hub_object_write *writes,
    size_t n_writes, const struct fed_store_op *extra, size_t n_extra, uint64_t *revision,
    struct fed_diag *diag)
{
    uint64_t at = 0;
    enum fed_err err = stage_writes(objects, writes, n_writes, extra, n_extra, &at, diag);

    if (err || is_due(objects))
        return err ? err : objects_make_durable(objects, at, revision, diag);
    if (revision)
        *revision = at;
    return FED_OK;
}

enum fed_err hub_objects_commit(struct hub_objects *objects, const struct hub_object_write *writes,
    size_t n_writes, const struct fed_store_op *extra, size_t n_extra, uint64_t *revision,
    struct fed_diag *diag)
{
    uint64_t at = 0;
    enum fed_err err = stage_writes(objects, writes, n_writes, extra, n_extra, &at, diag);

    return err ? err : objects_make_durable(objects, at, revision, diag);
}
