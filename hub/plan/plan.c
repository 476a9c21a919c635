/* plan.c - see plan.h: what changes come in, the round that follows them, and the questions that
 * others ask. */
#include "hub/plan/internal.h"

#include <stdio.h>
#include <string.h>

#define RETRY_MS 1000u
#define CLUSTERS "kubefedclusters.core.kubefed.io"
#define TYPES "federatedtypeconfigs.core.kubefed.io"
#define NAMESPACES "namespaces"

/* ---- types ---- */

static bool copy_text(char *to, size_t size, const struct fed_json *from)
{
    return fed_span_to_cstr(fed_json_string(from), to, size) == FED_OK && to[0];
}

/* Reads a FederatedTypeConfig. false when it lacks what a plan needs (admission lets none through).
 */
static bool type_read(const struct fed_json *object, struct plan_type *out)
{
    const struct fed_json *target = fed_json_find(object, "spec.targetType");
    const struct fed_json *federated = fed_json_find(object, "spec.federatedType");
    struct fed_span group = fed_json_string(fed_json_get(target, "group"));
    struct fed_span version = fed_json_string(fed_json_get(target, "version"));
    int n;

    *out = (struct plan_type){.resource = ""};
    n = snprintf(out->target_api_version, sizeof out->target_api_version,
        FED_SPAN_FMT "%s" FED_SPAN_FMT, FED_SPAN_ARG(group), group.len ? "/" : "",
        FED_SPAN_ARG(version));
    if (n < 0 || (size_t)n >= sizeof out->target_api_version || version.len == 0)
        return false;
    n = snprintf(out->resource, sizeof out->resource, FED_SPAN_FMT "." FED_SPAN_FMT,
        FED_SPAN_ARG(fed_json_string(fed_json_get(federated, "pluralName"))),
        FED_SPAN_ARG(fed_json_string(fed_json_get(federated, "group"))));
    if (n < 0 || (size_t)n >= sizeof out->resource)
        return false;
    out->target_namespaced =
        fed_span_is(fed_json_string(fed_json_get(target, "scope")), "Namespaced");
    out->namespaced = fed_span_is(fed_json_string(fed_json_get(federated, "scope")), "Namespaced");
    out->enabled =
        fed_span_is(fed_json_string(fed_json_find(object, "spec.propagation")), "Enabled");
    if (!copy_text(out->target_kind, sizeof out->target_kind, fed_json_get(target, "kind")) ||
        !copy_text(
            out->target_plural, sizeof out->target_plural, fed_json_get(target, "pluralName")))
        return false;
    out->is_namespace = group.len == 0 && strcmp(out->target_kind, "Namespace") == 0;
    if (out->is_namespace)
        out->target_namespaced = false;
    return true;
}

static void mark_type(struct hub_plan *plan, const struct plan_type *type)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &plan->items);
    while (fed_map_iter_next(&it)) {
        struct plan_item *item = it.value;

        if (item->type == type || (type->is_namespace && !item->type))
            plan_item_mark(plan, item);
    }
}

static void take_change(void *ctx, const struct hub_change *change);

static bool load_one(void *ctx, const struct hub_object *object)
{
    struct hub_change change = {.type = HUB_CHANGE_ADDED,
        .ref = object->ref,
        .bytes = object->bytes,
        .revision = object->revision};

    take_change(ctx, &change);
    return true;
}

static enum fed_err load_resource(struct hub_plan *plan, const char *resource)
{
    return hub_objects_list(
        plan->objects, fed_span_text(resource), fed_span_text(""), NULL, load_one, plan);
}

static enum fed_err type_add(struct hub_plan *plan, const struct plan_type *from)
{
    struct plan_type *type = fed_alloc_get(plan->mem, sizeof *type);
    enum fed_err err;

    if (!type)
        return FED_ERR_NOMEM;
    *type = *from;
    err = fed_map_put(&plan->types, fed_span_text(type->resource), type);
    if (err) {
        fed_alloc_free(plan->mem, type, sizeof *type);
        return err;
    }
    if (type->is_namespace)
        plan->namespaces = type;
    /* While loading the list of types is still being read: their objects follow it. */
    return plan->loading ? FED_OK : load_resource(plan, type->resource);
}

static enum fed_err type_put(struct hub_plan *plan, struct fed_span bytes)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct plan_type read;
    struct plan_type *type;
    enum fed_err err = fed_json_doc_new(plan->mem, &doc);

    if (err)
        return err;
    err = fed_json_parse(doc, bytes, &object, NULL);
    if (!err && !type_read(object, &read)) {
        fed_log(plan->log, FED_LOG_ERROR,
            "plan: FederatedTypeConfig " FED_SPAN_FMT " is incomplete and is ignored",
            FED_SPAN_ARG(fed_json_string(fed_json_find(object, "metadata.name"))));
        err = FED_ERR_INVALID;
    }
    fed_json_doc_free(doc);
    if (err)
        return err == FED_ERR_INVALID ? FED_OK : err;
    type = fed_map_get(&plan->types, fed_span_text(read.resource));
    if (!type)
        return type_add(plan, &read);
    *type = read;
    mark_type(plan, type);
    return FED_OK;
}

static void type_remove(struct hub_plan *plan, struct fed_span bytes)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct plan_type read;
    struct plan_type *type = NULL;

    if (fed_json_doc_new(plan->mem, &doc))
        return;
    if (!fed_json_parse(doc, bytes, &object, NULL) && type_read(object, &read))
        type = fed_map_get(&plan->types, fed_span_text(read.resource));
    fed_json_doc_free(doc);
    if (!type)
        return;
    type->gone = true;
    mark_type(plan, type);
}

/* ---- changes ---- */

/* Everything in the namespace depends on whether and where it is federated. */
static void mark_namespace(struct hub_plan *plan, struct fed_span ns)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &plan->items);
    while (fed_map_iter_next(&it)) {
        struct plan_item *item = it.value;

        if (item->type ? fed_span_eq(item->ns, ns) : fed_span_eq(item->name, ns))
            plan_item_mark(plan, item);
    }
}

static enum fed_err item_put(
    struct hub_plan *plan, const struct hub_change *change, struct plan_type *type)
{
    struct plan_item *item = plan_item_get(plan, &change->ref);
    enum fed_err err = FED_OK;

    if (!item)
        err = plan_item_new(plan, &change->ref, type, &item);
    if (err)
        return err;
    err = type ? plan_item_parse(plan, item, change->bytes)
               : plan_item_parse_namespace(plan, item, change->bytes);
    if (err)
        return err;
    plan_item_mark(plan, item);
    if (!type || type->is_namespace)
        mark_namespace(plan, item->name);
    return FED_OK;
}

static void item_remove(struct hub_plan *plan, const struct hub_change *change)
{
    struct plan_item *item = plan_item_get(plan, &change->ref);

    if (!item)
        return;
    item->gone = true;
    plan_item_mark(plan, item);
    if (!item->type || item->type->is_namespace)
        mark_namespace(plan, item->name);
}

static enum fed_err take(struct hub_plan *plan, const struct hub_change *change)
{
    bool deleted = change->type == HUB_CHANGE_DELETED;
    struct plan_type *type;
    struct plan_cluster *cluster;

    if (fed_span_is(change->ref.resource, CLUSTERS)) {
        if (!deleted)
            return plan_cluster_put(plan, change->ref.name, change->bytes);
        cluster = plan_cluster_get(plan, change->ref.name);
        if (cluster)
            plan_cluster_remove(plan, cluster);
        return FED_OK;
    }
    if (fed_span_is(change->ref.resource, TYPES)) {
        if (!deleted)
            return type_put(plan, change->bytes);
        type_remove(plan, change->bytes);
        return FED_OK;
    }
    type = fed_map_get(&plan->types, change->ref.resource);
    if (!type && !fed_span_is(change->ref.resource, NAMESPACES))
        return FED_OK;
    if (!deleted)
        return item_put(plan, change, type);
    item_remove(plan, change);
    return FED_OK;
}

static void take_change(void *ctx, const struct hub_change *change)
{
    struct hub_plan *plan = ctx;
    enum fed_err err;

    if (change->type == HUB_CHANGE_TOUCHED)
        return;
    err = take(plan, change);
    if (err)
        fed_log(plan->log, FED_LOG_ERROR,
            "plan: cannot take in " FED_SPAN_FMT " " FED_SPAN_FMT "/" FED_SPAN_FMT
            ": %s; its clusters keep what they have until its next change",
            FED_SPAN_ARG(change->ref.resource), FED_SPAN_ARG(change->ref.ns),
            FED_SPAN_ARG(change->ref.name), fed_err_text(err));
}

/* ---- the round ---- */

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

static void run_round(void *ctx)
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
    plan->round_due = plan->loop->defer(plan->loop->ctx, run_round, plan) == FED_OK;
    if (!plan->round_due)
        plan->loop->timer_set(plan->loop->ctx, plan->retry, fed_loop_now_ms(plan->loop) + RETRY_MS);
}

/* ---- life ---- */

static enum fed_err load(struct hub_plan *plan, struct fed_diag *diag)
{
    static const char *const resources[] = {CLUSTERS, NAMESPACES, TYPES};
    struct fed_map_iter it;
    enum fed_err err = FED_OK;

    plan->loading = true;
    for (size_t i = 0; !err && i < sizeof resources / sizeof resources[0]; i++)
        err = load_resource(plan, resources[i]);
    fed_map_iter_init(&it, &plan->types);
    while (!err && fed_map_iter_next(&it))
        err = load_resource(plan, ((const struct plan_type *)it.value)->resource);
    if (!err)
        run_round(plan);
    plan->loading = false;
    if (plan->touched)
        plan_round_want(plan);
    return err ? fed_diag_prefix(diag, err, "plan: cannot read the objects") : FED_OK;
}

enum fed_err hub_plan_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    struct hub_objects *objects, const struct hub_kinds *kinds, struct hub_plan **out,
    struct fed_diag *diag)
{
    struct hub_plan *plan = fed_alloc_zero(mem, sizeof *plan);
    struct fed_store *store = hub_objects_store(objects);
    enum fed_err err;

    if (!plan)
        return FED_ERR_NOMEM;
    plan->mem = mem;
    plan->loop = loop;
    plan->log = log;
    plan->objects = objects;
    plan->kinds = kinds;
    plan->epoch = store->epoch(store->ctx);
    fed_map_init(&plan->types, mem);
    fed_map_init(&plan->items, mem);
    fed_map_init(&plan->blobs, mem);
    err = loop->timer_new(loop->ctx, run_round, plan, &plan->retry);
    if (!err)
        err = hub_objects_subscribe(
            objects, fed_span_text(""), take_change, plan, &plan->subscription);
    if (!err)
        err = load(plan, diag);
    if (err) {
        hub_plan_close(plan);
        return err;
    }
    *out = plan;
    return FED_OK;
}

static void free_items(struct hub_plan *plan)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &plan->items);
    while (fed_map_iter_next(&it))
        plan_item_free(plan, it.value);
}

void hub_plan_close(struct hub_plan *plan)
{
    struct fed_map_iter it;

    if (!plan)
        return;
    if (plan->subscription)
        hub_objects_unsubscribe(plan->subscription);
    plan->loop->timer_free(plan->loop->ctx, plan->retry);
    free_items(plan);
    for (size_t i = 0; i < plan->n_clusters; i++)
        plan_cluster_free(plan, plan->clusters[i]);
    fed_alloc_free(plan->mem, plan->clusters, plan->cap_clusters * sizeof *plan->clusters);
    fed_map_iter_init(&it, &plan->types);
    while (fed_map_iter_next(&it))
        fed_alloc_free(plan->mem, it.value, sizeof(struct plan_type));
    fed_map_fini(&plan->types);
    fed_map_fini(&plan->items);
    fed_map_fini(&plan->blobs);
    for (size_t i = 0; i < 2; i++)
        fed_alloc_free(
            plan->mem, plan->scratch[i], plan->scratch_cap[i] * sizeof *plan->scratch[i]);
    fed_alloc_free(
        plan->mem, plan->out_clusters, plan->out_clusters_cap * sizeof *plan->out_clusters);
    fed_alloc_free(plan->mem, plan, sizeof *plan);
}

void hub_plan_on_change(struct hub_plan *plan, hub_plan_changed *changed,
    hub_plan_object_changed *object_changed, void *ctx)
{
    plan->changed = changed;
    plan->object_changed = object_changed;
    plan->changed_ctx = ctx;
}

uint32_t hub_plan_epoch(const struct hub_plan *plan)
{
    return plan->epoch;
}

/* ---- questions ---- */

enum fed_err hub_plan_manifest(
    struct hub_plan *plan, struct fed_span name, const struct fed_manifest **out)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);

    if (!cluster || cluster->now.hollow || cluster->now.revision == 0)
        return FED_ERR_NOT_FOUND;
    return plan_manifest_lay_out(plan, &cluster->now, 0, out);
}

enum fed_err hub_plan_manifest_at(
    struct hub_plan *plan, struct fed_span name, uint64_t revision, const struct fed_manifest **out)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);

    if (!cluster || revision == 0)
        return FED_ERR_NOT_FOUND;
    if (cluster->now.revision == revision && !cluster->now.hollow)
        return plan_manifest_lay_out(plan, &cluster->now, 1, out);
    for (size_t i = 0; i < PLAN_HISTORY; i++) {
        if (cluster->past[i].revision == revision)
            return plan_manifest_lay_out(plan, &cluster->past[i], 1, out);
    }
    return FED_ERR_NOT_FOUND;
}

static enum hub_placement_problem problem_of(struct hub_plan *plan, const struct plan_item *item)
{
    if (item->problem)
        return item->problem;
    if (item->type && item->type->namespaced && !item->type->is_namespace &&
        !plan_namespace_item(plan, item->ns) && !plan_namespace_labelled(plan, item->ns))
        return HUB_PLACEMENT_NAMESPACE_NOT_FEDERATED;
    return HUB_PLACEMENT_OK;
}

static void pair_show(const struct plan_pair *pair, struct hub_planned_cluster *out)
{
    bool in_manifest = pair->state == PLAN_PAIR_PRESENT || pair->state == PLAN_PAIR_RELEASING;

    *out = (struct hub_planned_cluster){.cluster = fed_span_text(pair->cluster->name),
        .selected = pair->state == PLAN_PAIR_PRESENT || pair->state == PLAN_PAIR_REFUSED,
        .error = pair->error,
        .message = pair->message,
        .since_revision = pair->since,
        .index = SIZE_MAX,
        .revision = pair->cluster->now.revision,
        .work = pair->piece ? &pair->piece->work : NULL};
    if (in_manifest && !plan_manifest_find(&pair->cluster->now, &pair->piece->work, &out->index))
        out->index = SIZE_MAX;
}

enum fed_err hub_plan_object(
    struct hub_plan *plan, const struct hub_object_ref *ref, struct hub_planned *out)
{
    struct plan_item *item = plan_item_get(plan, ref);

    if (!item || item->gone || item->ignored)
        return FED_ERR_NOT_FOUND;
    if (item->n_pairs > plan->out_clusters_cap) {
        struct hub_planned_cluster *all = fed_alloc_array(plan->mem, item->n_pairs, sizeof *all);

        if (!all)
            return FED_ERR_NOMEM;
        fed_alloc_free(plan->mem, plan->out_clusters, plan->out_clusters_cap * sizeof *all);
        plan->out_clusters = all;
        plan->out_clusters_cap = item->n_pairs;
    }
    for (size_t i = 0; i < item->n_pairs; i++)
        pair_show(&item->pairs[i], &plan->out_clusters[i]);
    *out = (struct hub_planned){.problem = problem_of(plan, item),
        .message = item->message,
        .clusters = plan->out_clusters,
        .n_clusters = item->n_pairs,
        .observed_generation = item->generation};
    return FED_OK;
}

enum fed_err hub_plan_work_object(struct hub_plan *plan, struct fed_span name,
    const struct fed_work *identity, struct hub_object_ref *out)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);
    const struct plan_item *owner;
    size_t index;

    if (!cluster || !plan_manifest_find(&cluster->now, identity, &index))
        return FED_ERR_NOT_FOUND;
    owner = cluster->now.entries[index].piece->owner;
    if (!owner)
        return FED_ERR_NOT_FOUND;
    *out =
        (struct hub_object_ref){.resource = owner->resource, .ns = owner->ns, .name = owner->name};
    return FED_OK;
}

void hub_plan_cluster_objects(
    struct hub_plan *plan, struct fed_span name, hub_plan_each_object *each, void *ctx)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);
    struct fed_map_iter it;

    if (!cluster)
        return;
    fed_map_iter_init(&it, &plan->items);
    while (fed_map_iter_next(&it)) {
        struct plan_item *item = it.value;
        struct hub_object_ref ref = {
            .resource = item->resource, .ns = item->ns, .name = item->name};

        if (item->type && !item->gone && plan_pair_find(item, cluster))
            each(ctx, &ref);
    }
}

static bool is_still_there(const struct plan_item *item, const struct plan_pair *pair,
    const struct fed_span *still_there, size_t n)
{
    struct fed_buf id;
    bool found = false;

    if (n == 0)
        return false;
    fed_buf_init(&id, fed_alloc_system(), FED_WORK_ID_MAX);
    plan_pair_id(item, pair, &id);
    for (size_t i = 0; i < n && !found; i++)
        found = fed_span_eq(fed_buf_span(&id), still_there[i]);
    fed_buf_fini(&id);
    return found;
}

void hub_plan_removed(struct hub_plan *plan, struct fed_span name, uint64_t revision,
    const struct fed_span *still_there, size_t n_still_there)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);
    struct fed_map_iter it;

    if (!cluster || cluster->awaiting == 0)
        return;
    fed_map_iter_init(&it, &plan->items);
    while (fed_map_iter_next(&it)) {
        struct plan_item *item = it.value;
        struct plan_pair *pair = plan_pair_find(item, cluster);

        if (!pair || (pair->state != PLAN_PAIR_RELEASING && pair->state != PLAN_PAIR_REMOVING))
            continue;
        if (pair->since == 0 || pair->since > revision ||
            is_still_there(item, pair, still_there, n_still_there))
            continue;
        if (plan_pair_confirmed(plan, item, pair))
            continue; /* out of memory: the next report confirms again */
        plan_item_touch(plan, item);
        plan_round_want(plan);
    }
}

/* ---- admission ---- */

static enum fed_err ensure_finalizer(struct hub_admission *admission)
{
    struct fed_json *metadata =
        fed_json_ensure_object(admission->doc, admission->object, "metadata");
    struct fed_json *finalizers = fed_json_get(metadata, "finalizers");

    if (!metadata)
        return FED_ERR_NOMEM;
    if (plan_has_finalizer(admission->object))
        return FED_OK;
    if (!fed_json_is_array(finalizers)) {
        finalizers = fed_json_new_array(admission->doc);
        if (fed_json_set(admission->doc, metadata, "finalizers", finalizers))
            return FED_ERR_NOMEM;
    }
    return fed_json_append(finalizers, fed_json_new_text(admission->doc, PLAN_FINALIZER));
}

static void warn_of_clusters(struct hub_plan *plan, struct hub_admission *admission,
    const struct fed_json *list, const char *member, const char *field)
{
    for (size_t i = 0; i < fed_json_count(list); i++) {
        struct fed_span name = fed_json_string(fed_json_get(fed_json_at(list, i), member));
        char text[400];

        if (name.len == 0 || plan_cluster_get(plan, name))
            continue;
        snprintf(text, sizeof text, "%s[%zu].%s: no cluster \"" FED_SPAN_FMT "\" is registered",
            field, i, member, FED_SPAN_ARG(name));
        admission->warn(admission, text);
    }
}

enum fed_err hub_plan_admit(
    struct hub_plan *plan, struct hub_admission *admission, struct fed_diag *diag)
{
    const struct fed_json *spec = fed_json_get(admission->object, "spec");

    (void)diag;
    if (admission->operation == HUB_DELETE || admission->subresource.len)
        return FED_OK;
    warn_of_clusters(plan, admission, fed_json_find(spec, "placement.clusters"), "name",
        "spec.placement.clusters");
    warn_of_clusters(
        plan, admission, fed_json_get(spec, "overrides"), "clusterName", "spec.overrides");
    if (fed_json_find(admission->object, "metadata.deletionTimestamp"))
        return FED_OK;
    return ensure_finalizer(admission);
}
