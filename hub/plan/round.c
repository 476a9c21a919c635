/* round.c - the round that follows changes: dirty pairs are computed, new manifests recorded,
 * others told. */
#include "hub/plan/internal.h"

#include <stdio.h>
#include <string.h>

#define RETRY_MS 1000u

static enum fed_err compute_items(struct hub_plan *plan)
{
    enum fed_err err = FED_OK;

    for (struct plan_item *item = plan->touched; !err && item; item = item->next_touched) {
        if (!item->dirty)
            continue;
        for (size_t i = 0; !err && i < plan->n_clusters; i++)
            err = plan_pair_update(plan, item, plan->clusters[i]);
        item->dirty = err != FED_OK;
    }
    return err;
}

static enum fed_err compute_cluster(struct hub_plan *plan, struct plan_cluster *cluster)
{
    struct fed_map_iter it;
    enum fed_err err = FED_OK;

    fed_map_iter_init(&it, &plan->items);
    while (!err && fed_map_iter_next(&it)) {
        struct plan_item *item = it.value;
        struct plan_pair *pair = plan_pair_find(item, cluster);

        err = plan_pair_update(plan, item, cluster);
        if (pair || plan_pair_find(item, cluster))
            plan_item_touch(plan, item);
    }
    cluster->replan = err != FED_OK;
    return err;
}

static struct fed_span row_key(const struct plan_cluster *cluster, char key[300])
{
    int n = snprintf(key, 300, "b/%s", cluster->name);

    return fed_span_of(key, n < 0 || n >= 300 ? 299 : (size_t)n);
}

/* What the store remembers of the cluster's manifest, read once. */
static enum fed_err recall_row(struct hub_plan *plan, struct plan_cluster *cluster)
{
    struct fed_store *store = hub_objects_store(plan->objects);
    struct fed_buf value;
    char key[300];
    uint64_t revision;
    enum fed_err err;

    fed_buf_init(&value, plan->mem, FED_DIGEST_SIZE);
    err = store->get(store->ctx, row_key(cluster, key), &value, &revision);
    if (!err && value.len == FED_DIGEST_SIZE) {
        memcpy(cluster->now.digest.bytes, value.at, FED_DIGEST_SIZE);
        cluster->now.revision = revision;
        cluster->now.hollow = true;
        cluster->recorded = true;
    }
    fed_buf_fini(&value);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

/* Puts next in the place of now; now goes to the past when its content was known. */
static void turn(struct hub_plan *plan, struct plan_cluster *cluster, uint64_t revision)
{
    bool keep =
        !cluster->now.hollow && cluster->now.revision > 0 && revision != cluster->now.revision;

    if (keep) {
        plan_manifest_fini(plan, &cluster->past[PLAN_HISTORY - 1]);
        memmove(&cluster->past[1], &cluster->past[0], (PLAN_HISTORY - 1) * sizeof cluster->past[0]);
        cluster->past[0] = cluster->now;
    } else {
        plan_manifest_fini(plan, &cluster->now);
    }
    cluster->now = cluster->next;
    cluster->now.revision = revision;
    cluster->next = (struct plan_manifest){0};
    cluster->changing = false;
}

/* Digest of the next manifest; true in *same when that is what the cluster has anyway. */
static enum fed_err digest_next(struct hub_plan *plan, struct plan_cluster *cluster, bool *same)
{
    const struct fed_manifest *manifest;
    enum fed_err err = FED_OK;

    if (!cluster->recorded && cluster->now.revision == 0)
        err = recall_row(plan, cluster);
    if (!err)
        err = plan_manifest_lay_out(plan, &cluster->next, 1, &manifest);
    if (!err)
        err = fed_manifest_digest(manifest, &cluster->next.digest);
    if (!err)
        *same = cluster->recorded && fed_digest_eq(&cluster->next.digest, &cluster->now.digest);
    return err;
}

/* Rows of all clusters whose manifest differs, in one commit. Their number goes to *n; turned
 * clusters have replan cleared and are told about by the caller through the list. */
static enum fed_err record(struct hub_plan *plan, struct plan_cluster **list, size_t *n)
{
    struct fed_store *store = hub_objects_store(plan->objects);
    struct fed_store_op *ops = fed_alloc_array(plan->mem, plan->n_clusters + 1, sizeof *ops);
    char(*keys)[300] = fed_alloc_array(plan->mem, plan->n_clusters + 1, sizeof *keys);
    struct fed_diag diag = {""};
    uint64_t revision = 0;
    enum fed_err err = ops && keys ? FED_OK : FED_ERR_NOMEM;

    *n = 0;
    for (size_t i = 0; !err && i < plan->n_clusters; i++) {
        struct plan_cluster *cluster = plan->clusters[i];
        bool same = false;

        if (!cluster->changing)
            continue;
        err = digest_next(plan, cluster, &same);
        if (!err && same)
            turn(plan, cluster, cluster->now.revision);
        if (err || same)
            continue;
        ops[*n] = (struct fed_store_op){.key = row_key(cluster, keys[*n]),
            .value = fed_span_of(cluster->next.digest.bytes, FED_DIGEST_SIZE)};
        list[(*n)++] = cluster;
    }
    if (!err && *n > 0)
        err = store->commit(store->ctx, NULL, 0, ops, *n, &revision, &diag);
    for (size_t i = 0; !err && i < *n; i++) {
        turn(plan, list[i], revision);
        list[i]->recorded = true;
    }
    if (err)
        fed_log(plan->log, FED_LOG_ERROR, "plan: cannot record new bundles: %s; next try in %u ms",
            diag.text[0] ? diag.text : fed_err_text(err), RETRY_MS);
    fed_alloc_free(plan->mem, ops, (plan->n_clusters + 1) * sizeof *ops);
    fed_alloc_free(plan->mem, keys, (plan->n_clusters + 1) * sizeof *keys);
    return err;
}

static void fill_since(struct plan_item *item)
{
    for (size_t i = 0; i < item->n_pairs; i++) {
        if (item->pairs[i].since == 0)
            item->pairs[i].since = item->pairs[i].cluster->now.revision;
    }
}

/* Takes our finalizer off an object of which no copy is left; the object goes when it was the last
 * one. */
static enum fed_err release_object(
    struct hub_plan *plan, const struct hub_object_ref *ref, struct fed_diag *diag)
{
    struct hub_object_write write = {.ref = *ref};
    struct fed_json_doc *doc = NULL;
    struct fed_json *object;
    struct fed_json *finalizers;
    struct fed_buf bytes;
    struct fed_buf next;
    enum fed_err err;

    fed_buf_init(&bytes, plan->mem, HUB_OBJECT_BYTES_MAX);
    fed_buf_init(&next, plan->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_objects_get(plan->objects, ref, &bytes, &write.expected);
    if (!err)
        err = fed_json_doc_new(plan->mem, &doc);
    if (!err)
        err = fed_json_parse(doc, fed_buf_span(&bytes), &object, diag);
    if (err)
        goto done;
    finalizers = fed_json_find(object, "metadata.finalizers");
    for (size_t i = fed_json_count(finalizers); i-- > 0;) {
        if (fed_span_is(fed_json_string(fed_json_at(finalizers, i)), PLAN_FINALIZER))
            fed_json_remove_at(finalizers, i);
    }
    if (fed_json_count(finalizers) == 0)
        fed_json_remove(fed_json_get(object, "metadata"), "finalizers");
    write.remove = fed_json_count(finalizers) == 0;
    err = fed_json_put(&next, object);
    write.bytes = write.remove ? fed_buf_span(&bytes) : fed_buf_span(&next);
    if (!err)
        err = hub_objects_commit(plan->objects, &write, 1, NULL, 0, NULL, diag);
done:
    fed_json_doc_free(doc);
    fed_buf_fini(&bytes);
    fed_buf_fini(&next);
    return err;
}

static void finish_item(struct hub_plan *plan, struct plan_item *item)
{
    struct hub_object_ref ref = {.resource = item->resource, .ns = item->ns, .name = item->name};
    struct fed_diag diag = {""};
    enum fed_err err;

    fill_since(item);
    if (item->gone && item->n_pairs == 0) {
        plan_item_free(plan, item);
        return;
    }
    if (item->told && plan->object_changed && item->type && !item->gone)
        plan->object_changed(plan->changed_ctx, &ref, hub_objects_revision(plan->objects));
    item->told = false;
    if (!item->deleting || item->gone || !item->has_finalizer || item->n_pairs > 0)
        return;
    err = release_object(plan, &ref, &diag);
    if (!err || err == FED_ERR_NOT_FOUND || err == FED_ERR_CONFLICT)
        return; /* whoever changed it meanwhile made it dirty */
    fed_log(plan->log, FED_LOG_ERROR,
        "plan: cannot finish the deletion of " FED_SPAN_FMT "/" FED_SPAN_FMT
        ": %s; next try in %u ms",
        FED_SPAN_ARG(item->ns), FED_SPAN_ARG(item->name),
        diag.text[0] ? diag.text : fed_err_text(err), RETRY_MS);
    plan_item_touch(plan, item);
    plan->loop->timer_set(plan->loop->ctx, plan->retry, fed_loop_now_ms(plan->loop) + RETRY_MS);
}

/* Items may be freed and others touched meanwhile (by the changes that a finished deletion makes):
 * those wait for the next round. */
static void finish_items(struct hub_plan *plan)
{
    struct plan_item *item = plan->touched;

    plan->touched = NULL;
    while (item) {
        struct plan_item *next = item->next_touched;

        item->next_touched = NULL;
        item->listed = false;
        if (item->dirty)
            plan_item_touch(plan, item);
        else
            finish_item(plan, item);
        item = next;
    }
}

void plan_round_run(void *ctx)
{
    struct hub_plan *plan = ctx;
    struct plan_cluster **list = fed_alloc_array(plan->mem, plan->n_clusters + 1, sizeof *list);
    size_t list_cap = plan->n_clusters + 1;
    size_t n = 0;
    enum fed_err err = list ? FED_OK : FED_ERR_NOMEM;

    plan->round_due = false;
    (void)hub_objects_flush(plan->objects, NULL); /* clusters are told of what is durable only */
    if (!err)
        err = compute_items(plan);
    for (size_t i = 0; !err && i < plan->n_clusters; i++) {
        if (plan->clusters[i]->replan || !plan->clusters[i]->recorded) {
            err = compute_cluster(plan, plan->clusters[i]);
            /* Also a cluster without works has a first, empty manifest. */
            if (!err && !plan->clusters[i]->changing && !plan->clusters[i]->recorded)
                plan->clusters[i]->changing = true;
        }
    }
    if (!err)
        err = record(plan, list, &n);
    if (err) {
        plan->loop->timer_set(plan->loop->ctx, plan->retry, fed_loop_now_ms(plan->loop) + RETRY_MS);
    } else {
        finish_items(plan);
        for (size_t i = 0; plan->changed && i < n; i++)
            plan->changed(plan->changed_ctx, fed_span_text(list[i]->name), list[i]->now.revision);
    }
    fed_alloc_free(plan->mem, list, list_cap * sizeof *list);
}

void plan_round_want(struct hub_plan *plan)
{
    if (plan->round_due || plan->loading)
        return;
    plan->round_due = plan->loop->defer(plan->loop->ctx, plan_round_run, plan) == FED_OK;
    if (!plan->round_due)
        plan->loop->timer_set(plan->loop->ctx, plan->retry, fed_loop_now_ms(plan->loop) + RETRY_MS);
}
