/* staged.c - what a turn staged becomes durable, or is undone.
 *
 * A change goes from the staged list, when it is durable, to the ring and to the delivery queue. */
#include "hub/store/internal.h"

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
    struct objects_entry *entry;

    objects->staged_bytes = 0;
    if (err) {
        objects_entries_drop(&objects->staged);
    } else {
        while ((entry = objects_entries_next(&objects->staged)) != NULL) {
            objects_ring_put(objects, entry);
            objects_entries_take(&objects->queue, entry);
        }
        objects_deliver(objects);
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

enum fed_err objects_stage(struct hub_objects *objects, const struct fed_store_compare *compares,
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

void hub_objects_touch(
    struct hub_objects *objects, const struct hub_object_ref *ref, uint64_t revision)
{
    struct hub_change change = {.type = HUB_CHANGE_TOUCHED, .ref = *ref, .revision = revision};
    struct fed_buf bytes;
    struct objects_entry *entry = NULL;

    (void)hub_objects_flush(objects, NULL); /* it is told of what is durable */
    fed_buf_init(&bytes, objects->mem, FED_STORE_VALUE_MAX);
    if (!hub_objects_get(objects, ref, &bytes, NULL)) {
        change.bytes = fed_buf_span(&bytes);
        entry = objects_entry_new(objects->mem, &change);
    }
    fed_buf_fini(&bytes);
    if (!entry)
        return; /* gone, or no memory: a later read composes the present state */
    entry->change.before = entry->change.bytes;
    objects_entries_take(&objects->queue, entry);
    objects_deliver(objects);
}
