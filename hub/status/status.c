/* status.c - see status.h: its life, what it hears of others, and who is told. */
#include "hub/status/internal.h"

/* ---- telling ---- */

void status_touch(void *ctx, const struct hub_object_ref *ref)
{
    struct status_telling *telling = ctx;
    struct status_object *object = status_object_get(telling->status, ref);

    if (object && object->revision < telling->revision)
        object->revision = telling->revision;
    if (object)
        object->touched_unix_s = fed_loop_unix_s(telling->status->loop);
    hub_objects_touch(telling->status->objects, ref, telling->revision);
}

void status_touch_with_version(void *ctx, const struct hub_object_ref *ref)
{
    struct status_telling *telling = ctx;

    status_touch(telling, ref);
    status_versions_touch(telling->status, ref, telling->revision);
    if (telling->cluster && telling->status->moved)
        telling->status->moved(telling->status->moved_ctx, ref, fed_span_text(telling->cluster));
}

struct hub_object_ref status_cluster_ref(const struct status_cluster *cluster)
{
    return (struct hub_object_ref){.resource = fed_span_text(HUB_CLUSTERS),
        .ns = fed_span_text(HUB_SYSTEM_NAMESPACE),
        .name = fed_span_text(cluster->name)};
}

/* ---- what was staged is durable, or undone ---- */

/* No composed object is at a revision that has not been. */
static void recall_revisions(struct hub_status *status)
{
    uint64_t revision = hub_objects_revision(status->objects);
    struct fed_map_iter it;

    fed_map_iter_init(&it, &status->seen);
    while (fed_map_iter_next(&it)) {
        struct status_object *object = it.value;

        if (object->revision > revision)
            object->revision = revision;
        object->hashed = false;
    }
}

/* A member of the turn's commit. */
static void on_ended(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    struct hub_status *status = ctx;
    struct fed_map_iter it;
    size_t n = 0;

    if (err)
        recall_revisions(status);
    if (!status->unsettled)
        return;
    status->unsettled = false;
    fed_map_iter_init(&it, &status->clusters);
    while (fed_map_iter_next(&it)) {
        struct status_cluster *cluster = it.value;

        if (!cluster->unsettled)
            continue;
        cluster->unsettled = false;
        n++;
        if (err) {
            status_row_recall(status, cluster);
            status_seen(status, cluster);
        }
    }
    if (err)
        fed_log(status->log, FED_LOG_ERROR,
            "status: what %zu clusters told is not stored: %s; they are as they were", n,
            diag->text[0] ? diag->text : fed_err_text(err));
}

/* ---- changes elsewhere ---- */

static void cluster_gone(struct hub_status *status, struct fed_span name)
{
    struct status_cluster *cluster = fed_map_remove(&status->clusters, name);
    struct fed_store_op op = {.remove = true};
    struct fed_diag diag = {""};
    char key[300];

    if (!cluster)
        return;
    op.key = status_row_key(cluster, key);
    if (op.key.len && cluster->row_revision && status_row_stage(status, &op, 1, NULL, &diag))
        fed_log(status->log, FED_LOG_WARN, "status: cannot forget cluster %s: %s", cluster->name,
            diag.text);
    if (status_remote_forget(status, cluster, &diag))
        fed_log(status->log, FED_LOG_WARN, "status: remote statuses of cluster %s stay: %s",
            cluster->name, diag.text);
    status_cluster_free(status, cluster);
}

/* One of which nothing was ever heard is away like one that fell silent: a deletion that waited for
 * it would wait for ever. */
static void never_joined(struct hub_status *status, struct fed_span name)
{
    if (!status_cluster_get(status, name))
        hub_plan_away(status->plan, name, true);
}

static void on_change(void *ctx, const struct hub_change *change)
{
    struct hub_status *status = ctx;

    if (change->type == HUB_CHANGE_MODIFIED) {
        struct status_object *object = status_object_find(status, &change->ref);

        if (object)
            object->hashed = false;
        return;
    }
    if (change->type == HUB_CHANGE_ADDED && fed_span_is(change->ref.resource, HUB_CLUSTERS))
        never_joined(status, change->ref.name);
    if (change->type != HUB_CHANGE_DELETED)
        return;
    if (fed_span_is(change->ref.resource, HUB_CLUSTERS))
        cluster_gone(status, change->ref.name);
    status_object_forget(status, &change->ref);
    status_versions_changed(status, change);
}

/* ---- life ---- */

struct loading {
    struct hub_status *status;
    struct fed_diag *diag;
    enum fed_err err;
};

static bool load_row(void *ctx, const struct fed_store_item *item)
{
    struct loading *loading = ctx;
    struct fed_span name = fed_span_sub(item->key, 2, item->key.len);
    struct status_cluster *cluster;

    loading->err = status_cluster_new(loading->status, name, &cluster);
    if (!loading->err)
        loading->err = status_row_take(loading->status, item->value, cluster, loading->diag);
    if (loading->err)
        fed_diag_prefix(loading->diag, loading->err, "cluster " FED_SPAN_FMT, FED_SPAN_ARG(name));
    else
        cluster->row_revision = item->revision;
    return loading->err == FED_OK;
}

static enum fed_err load(struct hub_status *status, struct fed_diag *diag)
{
    struct fed_store *store = hub_objects_store(status->objects);
    struct loading loading = {.status = status, .diag = diag};
    struct fed_map_iter it;
    struct fed_span name;
    size_t at = 0;
    enum fed_err err =
        store->range(store->ctx, FED_SPAN_LIT("s/"), FED_SPAN_LIT("s0"), 0, load_row, &loading);

    err = err ? err : loading.err;
    if (!err)
        err = status_remote_sweep(status, FED_SPAN_LIT("r/"), FED_SPAN_LIT("r0"), diag);
    if (err)
        return fed_diag_prefix(diag, err, "status");
    while ((name = hub_plan_cluster_at(status->plan, at++)).at)
        never_joined(status, name);
    fed_map_iter_init(&it, &status->clusters);
    while (fed_map_iter_next(&it)) {
        struct status_cluster *cluster = it.value;

        hub_plan_away(status->plan, fed_span_text(cluster->name), !cluster->ready);
        status_removals_confirm(status, cluster);
    }
    return FED_OK;
}

enum fed_err hub_status_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    struct hub_objects *objects, struct hub_plan *plan, uint32_t heartbeat_s,
    struct hub_status **out, struct fed_diag *diag)
{
    struct hub_status *status = fed_alloc_zero(mem, sizeof *status);
    enum fed_err err;

    if (!status)
        return FED_ERR_NOMEM;
    status->mem = mem;
    status->loop = loop;
    status->log = log;
    status->objects = objects;
    status->plan = plan;
    status->heartbeat_s = heartbeat_s;
    status->started_ms = fed_loop_now_ms(loop);
    status->started_unix_s = fed_loop_unix_s(loop);
    fed_map_init(&status->clusters, mem);
    fed_map_init(&status->seen, mem);
    status->member = (struct hub_objects_member){.ctx = status, .ended = on_ended};
    hub_objects_join(objects, &status->member);
    err = loop->timer_new(loop->ctx, status_ready_sweep, status, &status->sweep);
    if (!err)
        err = loop->timer_new(loop->ctx, status_times_write, status, &status->times_timer);
    if (!err)
        err = load(status, diag);
    if (!err)
        err = status_versions_open(status);
    if (!err)
        err = hub_objects_subscribe(
            objects, fed_span_text(""), on_change, status, &status->subscription);
    if (err) {
        hub_status_close(status);
        return err;
    }
    loop->timer_set(loop->ctx, status->sweep, status->started_ms + STATUS_SWEEP_MS);
    *out = status;
    return FED_OK;
}

void hub_status_close(struct hub_status *status)
{
    struct fed_map_iter it;

    if (!status)
        return;
    hub_objects_leave(status->objects, &status->member);
    if (status->subscription)
        hub_objects_unsubscribe(status->subscription);
    status->loop->timer_free(status->loop->ctx, status->sweep);
    if (status->times_timer) {
        status_times_write(status);
        (void)hub_objects_flush(status->objects, NULL);
        status->loop->timer_free(status->loop->ctx, status->times_timer);
    }
    status_versions_close(status);
    fed_map_iter_init(&it, &status->clusters);
    while (fed_map_iter_next(&it))
        status_cluster_free(status, it.value);
    fed_map_iter_init(&it, &status->seen);
    while (fed_map_iter_next(&it))
        fed_alloc_free(status->mem, it.value, sizeof(struct status_object));
    fed_map_fini(&status->clusters);
    fed_map_fini(&status->seen);
    fed_alloc_free(status->mem, status, sizeof *status);
}

void hub_status_object_changed(
    struct hub_status *status, const struct hub_object_ref *ref, uint64_t revision)
{
    struct status_telling telling = {.status = status, .revision = revision};

    status_touch_with_version(&telling, ref);
    status_versions_want(status, ref);
}

static enum fed_err admit_federated(
    void *ctx, struct hub_admission *admission, struct fed_diag *diag)
{
    struct hub_status *status = ctx;

    return hub_plan_admit(status->plan, admission, diag);
}

void hub_status_federated_hooks(struct hub_status *status, struct hub_kind_hooks *hooks)
{
    *hooks = (struct hub_kind_hooks){
        .ctx = status, .admit = admit_federated, .compose = status_compose_federated};
}

void hub_status_cluster_hooks(struct hub_status *status, struct hub_kind_hooks *hooks)
{
    *hooks = (struct hub_kind_hooks){.ctx = status, .compose = status_compose_cluster};
}
