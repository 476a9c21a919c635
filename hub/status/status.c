/* status.c - see status.h: reports, liveness, and who is told. */
#include "hub/identity/identity.h"
#include "hub/status/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SWEEP_MS 5000u
#define REPORT_ARENA_MAX (64u << 20) /* keys of all works of a cluster */

/* ---- records ---- */

struct status_cluster *status_cluster_get(struct hub_status *status, struct fed_span name)
{
    return fed_map_get(&status->clusters, name);
}

static void cluster_free(struct hub_status *status, struct status_cluster *cluster)
{
    status_view_fini(status, &cluster->view);
    status_view_fini(status, &cluster->staged);
    fed_alloc_free(status->mem, cluster->facts, cluster->facts_len + 1);
    fed_alloc_free(status->mem, cluster->name, strlen(cluster->name) + 1);
    fed_alloc_free(status->mem, cluster, sizeof *cluster);
}

static enum fed_err cluster_new(
    struct hub_status *status, struct fed_span name, struct status_cluster **out)
{
    struct status_cluster *cluster = fed_alloc_zero(status->mem, sizeof *cluster);
    enum fed_err err = FED_ERR_NOMEM;

    if (!cluster)
        return err;
    cluster->name = fed_alloc_zero(status->mem, name.len + 1);
    if (cluster->name) {
        memcpy(cluster->name, name.at, name.len);
        err = fed_map_put(&status->clusters, name, cluster);
    }
    if (err) {
        fed_alloc_free(status->mem, cluster->name, name.len + 1);
        fed_alloc_free(status->mem, cluster, sizeof *cluster);
        return err;
    }
    *out = cluster;
    return FED_OK;
}

static enum fed_err cluster_ensure(
    struct hub_status *status, struct fed_span name, struct status_cluster **out)
{
    *out = status_cluster_get(status, name);
    return *out ? FED_OK : cluster_new(status, name, out);
}

/* ---- telling ---- */

struct telling {
    struct hub_status *status;
    uint64_t revision;
};

static void touch(void *ctx, const struct hub_object_ref *ref)
{
    struct telling *telling = ctx;
    struct status_object *object = status_object_get(telling->status, ref);

    if (object && object->revision < telling->revision)
        object->revision = telling->revision;
    if (object)
        object->touched_unix_s = fed_loop_unix_s(telling->status->loop);
    hub_objects_touch(telling->status->objects, ref, telling->revision);
}

static void touch_with_version(void *ctx, const struct hub_object_ref *ref)
{
    struct telling *telling = ctx;

    touch(telling, ref);
    status_versions_touch(telling->status, ref, telling->revision);
}

static struct hub_object_ref cluster_ref(const struct status_cluster *cluster)
{
    return (struct hub_object_ref){.resource = fed_span_text(STATUS_CLUSTERS),
        .ns = fed_span_text(HUB_SYSTEM_NAMESPACE),
        .name = fed_span_text(cluster->name)};
}

/* ---- rows ---- */

static struct fed_span row_key(const struct status_cluster *cluster, char key[300])
{
    int n = snprintf(key, 300, "s/%s", cluster->name);

    return fed_span_of(key, n > 0 && n < 300 ? (size_t)n : 0);
}

/* Durable with the sync that ends the turn. */
static enum fed_err row_stage(struct hub_status *status, const struct fed_store_op *ops, size_t n,
    uint64_t *revision, struct fed_diag *diag)
{
    enum fed_err err = hub_objects_stage(status->objects, NULL, 0, ops, n, revision, diag);

    return err || hub_objects_flush_soon(status->objects)
               ? err
               : hub_objects_flush(status->objects, diag);
}

/* more: what is stored in the same commit; NULL for nothing. */
static enum fed_err row_write(struct hub_status *status, struct status_cluster *cluster,
    const struct status_view *view, const struct status_ops *more, struct fed_diag *diag)
{
    size_t n = more ? more->n : 0;
    struct fed_store_op *ops = fed_alloc_array(status->mem, n + 1, sizeof *ops);
    struct fed_buf row;
    char key[300];
    enum fed_err err;

    if (!ops)
        return FED_ERR_NOMEM;
    fed_buf_init(&row, status->mem, STATUS_ROW_MAX);
    status_row_put(&row, cluster, view);
    ops[0] = (struct fed_store_op){.key = row_key(cluster, key), .value = fed_buf_span(&row)};
    if (n)
        memcpy(ops + 1, more->list, n * sizeof *ops);
    err = ops[0].key.len ? fed_buf_err(&row) : FED_ERR_LIMIT;
    if (!err)
        err = row_stage(status, ops, n + 1, &cluster->row_revision, diag);
    fed_alloc_free(status->mem, ops, (n + 1) * sizeof *ops);
    if (!err)
        cluster->unsettled = status->unsettled = true;
    fed_buf_fini(&row);
    return err;
}

/* What was told since is undone: the cluster is as its row says again. Without one, or without
 * memory to read it, the agent is asked for a full report. */
static void row_recall(struct hub_status *status, struct status_cluster *cluster)
{
    struct fed_diag diag = {""};
    struct fed_buf row;
    char key[300];
    enum fed_err err;

    status_view_fini(status, &cluster->view);
    status_view_fini(status, &cluster->staged);
    status_facts_forget(status, cluster);
    cluster->staging = false;
    cluster->ready = cluster->offline = false;
    cluster->transition_unix_s = 0;
    cluster->row_revision = 0;
    fed_buf_init(&row, status->mem, STATUS_ROW_MAX);
    err = hub_objects_get_row(status->objects, row_key(cluster, key), &row, &cluster->row_revision);
    if (!err)
        err = status_row_take(status, fed_buf_span(&row), cluster, &diag);
    if (err && err != FED_ERR_NOT_FOUND) {
        status_view_fini(status, &cluster->view);
        fed_log(status->log, FED_LOG_ERROR,
            "status: the row of cluster %s cannot be read again: %s; its agent is asked for a full "
            "report",
            cluster->name, diag.text[0] ? diag.text : fed_err_text(err));
    }
    fed_buf_fini(&row);
}

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

/* A member of the turn's commit: what was staged is durable, or undone. */
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
        if (err)
            row_recall(status, cluster);
    }
    if (err)
        fed_log(status->log, FED_LOG_ERROR,
            "status: what %zu clusters told is not stored: %s; they are as they were", n,
            diag->text[0] ? diag->text : fed_err_text(err));
}

/* ---- readiness ---- */

/* After a start every cluster with a past keeps its last word until agents had time to come back.
 */
static bool in_grace(const struct hub_status *status, const struct status_cluster *cluster)
{
    return cluster->liveness == STATUS_NEVER && cluster->row_revision > 0 &&
           fed_loop_now_ms(status->loop) - status->started_ms <
               (uint64_t)status->heartbeat_s * 1500u;
}

static bool judge(const struct hub_status *status, const struct status_cluster *cluster)
{
    if (in_grace(status, cluster))
        return cluster->ready;
    return cluster->liveness == STATUS_HEARD && strcmp(cluster->healthz, "ok") == 0;
}

/* Nothing is heard of its API server: from its agent, or because nothing is heard of that. */
static bool is_offline(const struct hub_status *status, const struct status_cluster *cluster)
{
    if (in_grace(status, cluster))
        return cluster->offline;
    return cluster->liveness != STATUS_HEARD || !cluster->healthz[0] ||
           strncmp(cluster->healthz, STATUS_UNREACHABLE, strlen(STATUS_UNREACHABLE)) == 0;
}

/* A change of readiness is stored (so that its time survives a restart) and told to everything
 * placed there. */
static void readiness_update(struct hub_status *status, struct status_cluster *cluster)
{
    bool ready = judge(status, cluster);
    bool offline = is_offline(status, cluster);
    bool flips = ready != cluster->ready || cluster->transition_unix_s == 0;
    struct hub_object_ref ref = cluster_ref(cluster);
    struct telling telling = {.status = status};
    struct fed_diag diag = {""};

    if (!flips && offline == cluster->offline)
        return;
    cluster->ready = ready;
    cluster->offline = offline;
    hub_plan_away(status->plan, fed_span_text(cluster->name), !ready);
    cluster->transition_unix_s = fed_loop_unix_s(status->loop);
    if (row_write(status, cluster, &cluster->view, NULL, &diag)) {
        fed_log(status->log, FED_LOG_ERROR, "status: cannot store that cluster %s is %s: %s",
            cluster->name, ready ? "ready" : "not ready", diag.text);
        telling.revision = hub_objects_revision(status->objects);
    } else {
        telling.revision = cluster->row_revision;
    }
    touch(&telling, &ref);
    if (!flips)
        return; /* nothing that is placed there sees a difference */
    fed_log(
        status->log, FED_LOG_INFO, "cluster %s: %s", cluster->name, ready ? "ready" : "not ready");
    hub_plan_cluster_objects(status->plan, fed_span_text(cluster->name), touch, &telling);
}

static void sweep(void *ctx)
{
    struct hub_status *status = ctx;
    uint64_t now_ms = fed_loop_now_ms(status->loop);
    /* A beat and a half: one lost heartbeat is retransmitted within the half. */
    uint64_t limit_ms = (uint64_t)status->heartbeat_s * 1500u;
    struct fed_map_iter it;

    fed_map_iter_init(&it, &status->clusters);
    while (fed_map_iter_next(&it)) {
        struct status_cluster *cluster = it.value;

        if (cluster->liveness == STATUS_HEARD && now_ms - cluster->heard_ms > limit_ms)
            cluster->liveness = STATUS_LOST;
        readiness_update(status, cluster);
    }
    status->loop->timer_set(status->loop->ctx, status->sweep, now_ms + SWEEP_MS);
}

static void heard(struct hub_status *status, struct status_cluster *cluster)
{
    cluster->liveness = STATUS_HEARD;
    cluster->heard_ms = fed_loop_now_ms(status->loop);
    cluster->heard_unix_s = fed_loop_unix_s(status->loop);
    readiness_update(status, cluster);
}

void hub_status_connected(
    struct hub_status *status, struct fed_span name, const char *link, const char *address)
{
    struct status_cluster *cluster;

    if (cluster_ensure(status, name, &cluster))
        return;
    cluster->sessions++;
    snprintf(cluster->link, sizeof cluster->link, "%s", link);
    snprintf(cluster->address, sizeof cluster->address, "%s", address);
    heard(status, cluster);
}

void hub_status_alive(struct hub_status *status, struct fed_span name)
{
    struct status_cluster *cluster = status_cluster_get(status, name);

    if (cluster)
        heard(status, cluster);
}

/* Only silence makes a cluster offline: an agent that restarts or roams is back before that. */
void hub_status_disconnected(struct hub_status *status, struct fed_span name)
{
    struct status_cluster *cluster = status_cluster_get(status, name);

    if (cluster && cluster->sessions > 0)
        cluster->sessions--;
}

/* ---- reports ---- */

uint64_t hub_status_report_seq(struct hub_status *status, struct fed_span name)
{
    struct status_cluster *cluster = status_cluster_get(status, name);

    return cluster ? cluster->view.seq : 0;
}

static void tell_outcome(struct hub_status *status, const struct status_cluster *cluster,
    const struct fed_work *work, const struct fed_report_entry *entry)
{
    struct hub_status_outcome outcome = {.cluster = fed_span_text(cluster->name),
        .work = work,
        .state = entry->state,
        .deed = entry->deed,
        .reason = entry->reason,
        .message = entry->message};

    if (hub_plan_work_object(status->plan, outcome.cluster, work, &outcome.ref) == FED_OK)
        status->told(status->told_ctx, &outcome);
}

#define OUTCOMES_MAX 256u /* of one report */

/* A full report says again what was said: a deed only once, a failure not of the same work. */
static void tell_outcomes(struct hub_status *status, const struct status_cluster *cluster,
    const struct status_view *view, const struct fed_report *report)
{
    const struct fed_manifest *manifest;
    size_t n = 0;

    if (!status->told || hub_plan_manifest_at(status->plan, fed_span_text(cluster->name),
                             report->revision, &manifest))
        return;
    for (size_t i = 0; i < report->n_entries && n < OUTCOMES_MAX; i++) {
        const struct fed_report_entry *entry = &report->entries[i];
        bool failed = entry->state == FED_WORK_FAILED && entry->index < view->n_works &&
                      view->works[entry->index].moved;

        bool done = entry->state == FED_WORK_APPLIED && entry->deed != FED_DEED_NONE;

        if (entry->index < manifest->n_works && (done || failed)) {
            tell_outcome(status, cluster, &manifest->works[entry->index], entry);
            n++;
        }
    }
}

void hub_status_on_outcome(struct hub_status *status, hub_status_told *told, void *ctx)
{
    status->told = told;
    status->told_ctx = ctx;
}

static void tell_scales(struct hub_status *status, const struct status_cluster *cluster,
    const struct fed_report *report)
{
    struct fed_span name = fed_span_text(cluster->name);
    const struct fed_manifest *manifest;
    struct hub_object_ref ref;

    if (!status->scaled || report->n_scales == 0 ||
        hub_plan_manifest_at(status->plan, name, report->revision, &manifest))
        return;
    for (size_t i = 0; i < report->n_scales; i++) {
        if (report->scales[i].index < manifest->n_works &&
            !hub_plan_work_object(
                status->plan, name, &manifest->works[report->scales[i].index], &ref))
            status->scaled(status->scaled_ctx, &ref, name, &report->scales[i]);
    }
}

void hub_status_on_scaled(struct hub_status *status, hub_status_scaled *told, void *ctx)
{
    status->scaled = told;
    status->scaled_ctx = ctx;
}

bool hub_status_is_ready(struct hub_status *status, struct fed_span name, int64_t *since_unix_s)
{
    const struct status_cluster *cluster = status_cluster_get(status, name);

    if (since_unix_s)
        *since_unix_s = cluster ? cluster->transition_unix_s : 0;
    return cluster && cluster->ready;
}

/* The federated object that an entry is about. */
static bool entry_object(struct hub_status *status, const struct status_cluster *cluster,
    const struct fed_report *report, const struct fed_report_entry *entry,
    struct hub_object_ref *out)
{
    const struct fed_manifest *manifest;

    return !hub_plan_manifest_at(
               status->plan, fed_span_text(cluster->name), report->revision, &manifest) &&
           entry->index < manifest->n_works &&
           !hub_plan_work_object(
               status->plan, fed_span_text(cluster->name), &manifest->works[entry->index], out);
}

/* What the cluster took since its last word: lastUpdateTime moves with it. A full report says again
 * what was said. */
static void note_propagated(struct hub_status *status, const struct status_cluster *cluster,
    const struct fed_report *report)
{
    struct hub_object_ref ref;

    for (size_t i = 0; !report->full && i < report->n_entries; i++) {
        const struct fed_report_entry *entry = &report->entries[i];
        const struct status_work *work =
            entry->index < cluster->view.n_works ? &cluster->view.works[entry->index] : NULL;
        struct status_object *object;

        if (!work || (!work->moved && !work->renewed) ||
            !entry_object(status, cluster, report, entry, &ref))
            continue;
        object = status_object_get(status, &ref);
        if (object)
            object->propagated_unix_s = fed_loop_unix_s(status->loop);
    }
}

bool hub_status_is_applied(
    struct hub_status *status, struct fed_span name, const struct fed_work *identity)
{
    const struct status_cluster *cluster = status_cluster_get(status, name);
    const struct fed_manifest *manifest;
    size_t index;

    return cluster &&
           !hub_plan_manifest_at(status->plan, name, cluster->view.revision, &manifest) &&
           status_manifest_find(manifest, identity, &index) && index < cluster->view.n_works &&
           cluster->view.works[index].state == FED_WORK_APPLIED;
}

static void tell_report(struct hub_status *status, struct status_cluster *cluster,
    const struct fed_report *report, uint64_t old_revision)
{
    struct telling telling = {.status = status, .revision = cluster->row_revision};
    struct hub_object_ref ref = cluster_ref(cluster);
    struct hub_object_ref object;

    if (report->facts.len)
        touch(&telling, &ref);
    note_propagated(status, cluster, report);
    if (report->full || report->n_removed) {
        hub_plan_cluster_objects(
            status->plan, fed_span_text(cluster->name), touch_with_version, &telling);
        return;
    }
    /* Another revision may settle works that need no entry, removals among them; what is the same
     * in both keeps its state. */
    if (old_revision != report->revision)
        hub_plan_cluster_objects_since(
            status->plan, fed_span_text(cluster->name), old_revision, touch_with_version, &telling);
    for (size_t i = 0; i < report->n_entries; i++) {
        if (entry_object(status, cluster, report, &report->entries[i], &object))
            touch_with_version(&telling, &object);
    }
}

/* A list that is cut confirms nothing: a report after the next removals will. */
static void confirm_removals(struct hub_status *status, const struct status_cluster *cluster)
{
    struct fed_span *ids;
    size_t n = 0;
    size_t cap = 1;

    if (cluster->view.removed_cut)
        return;
    for (const struct status_removed *r = cluster->view.removed; r; r = r->next)
        cap++;
    ids = fed_alloc_array(status->mem, cap, sizeof *ids);
    if (!ids)
        return; /* the next report confirms again */
    for (const struct status_removed *r = cluster->view.removed; r; r = r->next)
        ids[n++] = fed_span_text(r->id);
    hub_plan_removed(status->plan, fed_span_text(cluster->name), cluster->view.revision, ids, n);
    fed_alloc_free(status->mem, ids, cap * sizeof *ids);
}

/* The view after this report, in *next. FED_ERR_NOT_FOUND when the plan does not remember the
 * report's manifest. */
static enum fed_err next_view(struct hub_status *status, struct status_cluster *cluster,
    const struct fed_report *report, struct status_view *next)
{
    static const struct status_view nothing;
    const struct status_view *from = &cluster->view;
    enum fed_err err;

    if (cluster->staging && report->full)
        from = &cluster->staged;
    else if (report->full)
        from = &nothing;
    err = status_view_along(status, fed_span_text(cluster->name), from, report->revision, next);
    if (err)
        return err;
    err = status_view_take(status, next, report);
    if (err)
        status_view_fini(status, next);
    return err;
}

static enum fed_err stage_part(struct hub_status *status, struct status_cluster *cluster,
    const struct fed_report *report, struct status_view *next, const struct status_ops *more,
    struct fed_diag *diag)
{
    enum fed_err err = more->n ? row_stage(status, more->list, more->n, NULL, diag) : FED_OK;

    if (err) {
        status_view_fini(status, next);
        return err;
    }
    status_view_fini(status, &cluster->staged);
    cluster->staged = *next;
    cluster->staging = true;
    tell_outcomes(status, cluster, &cluster->staged, report);
    return FED_OK;
}

static enum fed_err check_sequence(struct hub_status *status, struct status_cluster *cluster,
    const struct fed_report *report, struct fed_diag *diag)
{
    if (report->epoch != hub_plan_epoch(status->plan))
        return fed_diag_set(diag, FED_ERR_CONFLICT,
            "report of epoch %08" PRIx32 ", the hub's is %08" PRIx32, report->epoch,
            hub_plan_epoch(status->plan));
    if (cluster->staging && report->full && report->seq != cluster->staged.seq + 1) {
        status_view_fini(status, &cluster->staged);
        cluster->staging = false;
    }
    if (!report->full && report->seq != cluster->view.seq + 1)
        return fed_diag_set(diag, FED_ERR_CONFLICT, "report %" PRIu64 ", expected %" PRIu64,
            report->seq, cluster->view.seq + 1);
    return FED_OK;
}

static enum fed_err take_report(struct hub_status *status, struct status_cluster *cluster,
    const struct fed_report *report, struct fed_arena *arena, struct fed_diag *diag)
{
    struct status_ops more = {.arena = arena};
    uint64_t old_revision = cluster->view.revision;
    struct status_view next;
    enum fed_err err = check_sequence(status, cluster, report, diag);

    if (err)
        return err;
    if (report->facts.len && status_facts_set(status, cluster, report->facts))
        return fed_diag_set(diag, FED_ERR_INVALID, "facts are not a JSON document");
    err = next_view(status, cluster, report, &next);
    if (err)
        return fed_diag_prefix(diag, err == FED_ERR_NOT_FOUND ? FED_ERR_CONFLICT : err,
            "report on revision %" PRIu64, report->revision);
    /* Each stands for itself, also in a part of a full report. */
    tell_scales(status, cluster, report);
    err = status_remote_take(status, cluster, report, &next, &more);
    if (err)
        fed_diag_set(diag, err, "remote statuses: %s", fed_err_text(err));
    if (!err && report->full && report->more)
        return stage_part(status, cluster, report, &next, &more, diag);
    if (!err)
        err = row_write(status, cluster, &next, &more, diag);
    if (err) {
        status_view_fini(status, &next);
        return err;
    }
    status_view_fini(status, &cluster->staged);
    cluster->staging = false;
    status_view_fini(status, &cluster->view);
    cluster->view = next;
    readiness_update(status, cluster);
    tell_outcomes(status, cluster, &cluster->view, report);
    tell_report(status, cluster, report, old_revision);
    confirm_removals(status, cluster);
    return FED_OK;
}

enum fed_err hub_status_report(struct hub_status *status, struct fed_span name,
    const struct fed_report *report, struct fed_diag *diag)
{
    const struct fed_manifest *manifest;
    struct status_cluster *cluster;
    struct fed_arena arena;
    enum fed_err err = hub_plan_manifest(status->plan, name, &manifest);

    if (err)
        return fed_diag_set(diag, FED_ERR_NOT_FOUND, "cluster " FED_SPAN_FMT " is not registered",
            FED_SPAN_ARG(name));
    err = cluster_ensure(status, name, &cluster);
    if (err)
        return err;
    fed_arena_init(&arena, status->mem, REPORT_ARENA_MAX);
    err = take_report(status, cluster, report, &arena, diag);
    fed_arena_fini(&arena);
    return err;
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
    op.key = row_key(cluster, key);
    if (op.key.len && cluster->row_revision && row_stage(status, &op, 1, NULL, &diag))
        fed_log(status->log, FED_LOG_WARN, "status: cannot forget cluster %s: %s", cluster->name,
            diag.text);
    if (status_remote_forget(status, cluster, &diag))
        fed_log(status->log, FED_LOG_WARN, "status: remote statuses of cluster %s stay: %s",
            cluster->name, diag.text);
    cluster_free(status, cluster);
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
    if (change->type != HUB_CHANGE_DELETED)
        return;
    if (fed_span_is(change->ref.resource, STATUS_CLUSTERS))
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

    loading->err = cluster_new(loading->status, name, &cluster);
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
    enum fed_err err =
        store->range(store->ctx, FED_SPAN_LIT("s/"), FED_SPAN_LIT("s0"), 0, load_row, &loading);

    err = err ? err : loading.err;
    if (!err)
        err = status_remote_sweep(status, FED_SPAN_LIT("r/"), FED_SPAN_LIT("r0"), diag);
    if (err)
        return fed_diag_prefix(diag, err, "status");
    fed_map_iter_init(&it, &status->clusters);
    while (fed_map_iter_next(&it)) {
        struct status_cluster *cluster = it.value;

        hub_plan_away(status->plan, fed_span_text(cluster->name), !cluster->ready);
        confirm_removals(status, cluster);
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
    err = loop->timer_new(loop->ctx, sweep, status, &status->sweep);
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
    loop->timer_set(loop->ctx, status->sweep, status->started_ms + SWEEP_MS);
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
        cluster_free(status, it.value);
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
    struct telling telling = {.status = status, .revision = revision};

    touch_with_version(&telling, ref);
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
