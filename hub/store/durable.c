/* durable.c - the store as others use it: what is staged is flushed before every call. */
#include "hub/store/internal.h"

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
    return objects_stage(ctx, compares, n_compares, ops, n_ops, revision, diag);
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
    enum fed_err err = objects_stage(ctx, compares, n_compares, ops, n_ops, &at, diag);

    return err ? err : objects_make_durable(ctx, at, revision, diag);
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

void objects_set_durable(struct hub_objects *objects)
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
