/* report.c - takes what agents report, and says who is to hear of it. */
#include "hub/status/internal.h"

#include "proto/bundle/consent.h"

#include <inttypes.h>
#include <string.h>

#define REPORT_ARENA_MAX (64u << 20) /* keys of all works of a cluster */

/* ---- telling ---- */

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

static void tell_report(struct hub_status *status, struct status_cluster *cluster,
    const struct fed_report *report, uint64_t old_revision)
{
    struct status_telling telling = {
        .status = status, .revision = cluster->row_revision, .cluster = cluster->name};
    struct hub_object_ref ref = status_cluster_ref(cluster);
    struct hub_object_ref object;

    if (report->facts.len)
        status_touch(&telling, &ref);
    note_propagated(status, cluster, report);
    if (report->full || report->n_removed) {
        hub_plan_cluster_objects(
            status->plan, fed_span_text(cluster->name), status_touch_with_version, &telling);
        return;
    }
    /* Another revision may settle works that need no entry, removals among them; what is the same
     * in both keeps its state. */
    if (old_revision != report->revision)
        hub_plan_cluster_objects_since(status->plan, fed_span_text(cluster->name), old_revision,
            status_touch_with_version, &telling);
    for (size_t i = 0; i < report->n_entries; i++) {
        if (entry_object(status, cluster, report, &report->entries[i], &object))
            status_touch_with_version(&telling, &object);
    }
}

/* What the agent holds back by itself, and asks consent for. */
static void tell_asked(
    struct hub_status *status, const struct status_cluster *cluster, struct fed_span *ids)
{
    size_t n = 0;

    for (const struct status_removed *r = cluster->view.removed; r; r = r->next) {
        const char *reason = r->id + strlen(r->id) + 1;

        if (r->state == FED_WORK_WAITING && strcmp(reason, FED_CONSENT_REASON) == 0)
            ids[n++] = fed_span_text(r->id);
    }
    hub_plan_asked(status->plan, fed_span_text(cluster->name), ids, n);
}

void status_removals_confirm(struct hub_status *status, const struct status_cluster *cluster)
{
    struct fed_span *ids;
    size_t n = 0;
    size_t cap = 1;

    for (const struct status_removed *r = cluster->view.removed; r; r = r->next)
        cap++;
    ids = fed_alloc_array(status->mem, cap, sizeof *ids);
    if (!ids)
        return; /* the next report confirms again */
    for (const struct status_removed *r = cluster->view.removed; r; r = r->next)
        ids[n++] = fed_span_text(r->id);
    if (!cluster->view.removed_cut)
        hub_plan_removed(
            status->plan, fed_span_text(cluster->name), cluster->view.revision, ids, n);
    tell_asked(status, cluster, ids);
    fed_alloc_free(status->mem, ids, cap * sizeof *ids);
}

/* ---- messages that come twice ----
 *
 * An answer is lost, and its report comes once more as another request (docs/protocol.md section
 * 5.3.1), perhaps behind the next one. Part of a full report would then begin the whole anew, and
 * what the parts before it said would be forgotten although it was acknowledged. */

static bool digest_of(const struct fed_report *report, struct fed_digest *out)
{
    return report->bytes.len > 0 && !fed_digest_of(report->bytes, out);
}

static bool is_taken(const struct status_cluster *cluster, const struct fed_digest *digest)
{
    for (unsigned i = 0; i < cluster->n_taken && i < STATUS_TAKEN_MAX; i++)
        if (memcmp(cluster->taken[i], digest->bytes, STATUS_TAKEN_SIZE) == 0)
            return true;
    return false;
}

static void note_taken(struct status_cluster *cluster, const struct fed_digest *digest)
{
    memcpy(cluster->taken[cluster->n_taken++ % STATUS_TAKEN_MAX], digest->bytes, STATUS_TAKEN_SIZE);
}

/* ---- taking ---- */

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
    enum fed_err err = more->n ? status_row_stage(status, more->list, more->n, NULL, diag) : FED_OK;

    if (err) {
        status_view_fini(status, next);
        return err;
    }
    /* When that is not stored after all, the part was not taken. */
    if (more->n)
        cluster->unsettled = status->unsettled = true;
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
        cluster->n_taken = 0; /* its parts are to be had again */
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
        err = status_row_write(status, cluster, &next, &more, diag);
    if (err) {
        status_view_fini(status, &next);
        return err;
    }
    status_view_fini(status, &cluster->staged);
    cluster->staging = false;
    status_view_fini(status, &cluster->view);
    cluster->view = next;
    status_ready_update(status, cluster);
    tell_outcomes(status, cluster, &cluster->view, report);
    tell_report(status, cluster, report, old_revision);
    status_removals_confirm(status, cluster);
    status_seen(status, cluster);
    return FED_OK;
}

enum fed_err hub_status_report(struct hub_status *status, struct fed_span name,
    const struct fed_report *report, struct fed_diag *diag)
{
    const struct fed_manifest *manifest;
    struct status_cluster *cluster;
    struct fed_digest digest;
    struct fed_arena arena;
    bool known = digest_of(report, &digest);
    enum fed_err err = hub_plan_manifest(status->plan, name, &manifest);

    if (err)
        return fed_diag_set(diag, FED_ERR_NOT_FOUND, "cluster " FED_SPAN_FMT " is not registered",
            FED_SPAN_ARG(name));
    err = status_cluster_ensure(status, name, &cluster);
    if (err || (known && is_taken(cluster, &digest)))
        return err;
    fed_arena_init(&arena, status->mem, REPORT_ARENA_MAX);
    err = take_report(status, cluster, report, &arena, diag);
    fed_arena_fini(&arena);
    if (!err && known)
        note_taken(cluster, &digest);
    return err;
}

uint64_t hub_status_report_seq(struct hub_status *status, struct fed_span name)
{
    struct status_cluster *cluster = status_cluster_get(status, name);

    return cluster ? cluster->view.seq : 0;
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
