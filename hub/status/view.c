/* view.c - the states of one cluster's works, along a manifest. */
#include "hub/status/internal.h"
#include "proto/base/bisect.h"

#include <string.h>

static void work_text_free(struct hub_status *status, struct status_work *work)
{
    fed_alloc_free(status->mem, work->text, work->text_len);
    work->text = NULL;
    work->text_len = 0;
}

static void removed_free(struct hub_status *status, struct status_view *view)
{
    while (view->removed) {
        struct status_removed *next = view->removed->next;

        fed_alloc_free(status->mem, view->removed->id, view->removed->len);
        fed_alloc_free(status->mem, view->removed, sizeof *view->removed);
        view->removed = next;
    }
}

void status_view_fini(struct hub_status *status, struct status_view *view)
{
    for (size_t i = 0; i < view->n_works; i++)
        work_text_free(status, &view->works[i]);
    fed_alloc_free(status->mem, view->works, view->n_works * sizeof *view->works);
    removed_free(status, view);
    *view = (struct status_view){0};
}

const char *status_work_reason(const struct status_work *work)
{
    return work && work->text ? work->text : "";
}

const char *status_work_message(const struct status_work *work)
{
    return work && work->text ? work->text + strlen(work->text) + 1 : "";
}

static enum fed_err work_copy(
    struct hub_status *status, const struct status_work *from, struct status_work *to)
{
    *to = *from;
    if (!from->text)
        return FED_OK;
    to->text = fed_alloc_get(status->mem, from->text_len);
    if (!to->text) {
        to->text_len = 0;
        return FED_ERR_NOMEM;
    }
    memcpy(to->text, from->text, from->text_len);
    return FED_OK;
}

/* Both manifests are sorted alike, so one pass pairs them. */
static enum fed_err carry_over(struct hub_status *status, const struct fed_manifest *old,
    const struct status_view *from, const struct fed_manifest *manifest, struct status_view *to)
{
    size_t at = 0;

    for (size_t i = 0; i < manifest->n_works; i++) {
        while (at < old->n_works && fed_work_cmp(&old->works[at], &manifest->works[i]) < 0)
            at++;
        if (at >= old->n_works || at >= from->n_works)
            return FED_OK;
        if (fed_work_same(&old->works[at], &manifest->works[i]) &&
            work_copy(status, &from->works[at], &to->works[i]))
            return FED_ERR_NOMEM;
    }
    return FED_OK;
}

/* The plan hands out two manifests at a time, the present one and another: an old manifest is
 * copied aside first. */
static enum fed_err copy_works(struct hub_status *status, const struct fed_manifest *from,
    struct fed_work **works, struct fed_manifest *out)
{
    *works = fed_alloc_array(status->mem, from->n_works + 1, sizeof **works);
    if (!*works)
        return FED_ERR_NOMEM;
    if (from->n_works)
        memcpy(*works, from->works, from->n_works * sizeof **works);
    *out = *from;
    out->works = *works;
    return FED_OK;
}

enum fed_err status_view_along(struct hub_status *status, struct fed_span cluster,
    const struct status_view *from, uint64_t revision, struct status_view *out)
{
    const struct fed_manifest *manifest;
    struct fed_manifest old = {0};
    struct fed_work *old_works = NULL;
    enum fed_err err = FED_OK;

    *out = (struct status_view){.seq = from->seq, .revision = revision};
    if (from->n_works > 0) {
        err = hub_plan_manifest_at(status->plan, cluster, from->revision, &manifest);
        if (!err)
            err = copy_works(status, manifest, &old_works, &old);
    }
    if (!err)
        err = hub_plan_manifest_at(status->plan, cluster, revision, &manifest);
    if (!err && manifest->n_works > 0) {
        out->works = fed_alloc_zero(status->mem, manifest->n_works * sizeof *out->works);
        err = out->works ? FED_OK : FED_ERR_NOMEM;
        out->n_works = out->works ? manifest->n_works : 0;
    }
    if (!err && old_works)
        err = carry_over(status, &old, from, manifest, out);
    fed_alloc_free(status->mem, old_works, (old.n_works + 1) * sizeof *old_works);
    if (err)
        status_view_fini(status, out);
    return err;
}

/* "reason NUL message NUL" */
static char *text_pair(
    struct hub_status *status, struct fed_span first, struct fed_span second, size_t *len)
{
    char *text;

    *len = first.len + second.len + 2;
    text = fed_alloc_zero(status->mem, *len);
    if (!text)
        return NULL;
    if (first.len)
        memcpy(text, first.at, first.len);
    if (second.len)
        memcpy(text + first.len + 1, second.at, second.len);
    return text;
}

/* A work that fails later keeps the version that it had, as KubeFed's record does. */
static void take_version(struct status_work *work, const struct fed_report_entry *entry)
{
    uint64_t version = entry->generation;
    bool by_rv = false;

    work->renewed = false;
    if (entry->state != FED_WORK_APPLIED && !entry->in_place)
        return;
    if (version == 0) {
        by_rv = fed_span_to_u64(entry->resource_version, &version) == FED_OK && version != 0;
        version = by_rv ? version : 0;
    }
    work->renewed = work->version != version || work->by_rv != by_rv;
    work->version = version;
    work->by_rv = by_rv;
}

static enum fed_err take_entry(
    struct hub_status *status, struct status_work *work, const struct fed_report_entry *entry)
{
    work_text_free(status, work);
    work->moved = work->state != (uint8_t)entry->state;
    work->state = (uint8_t)entry->state;
    work->health = (uint8_t)entry->health;
    take_version(work, entry);
    if (entry->reason.len == 0 && entry->message.len == 0)
        return FED_OK;
    work->text = text_pair(status, entry->reason, entry->message, &work->text_len);
    return work->text ? FED_OK : FED_ERR_NOMEM;
}

static enum fed_err take_removed(
    struct hub_status *status, struct status_view *view, const struct fed_report_removed *from)
{
    struct status_removed *removed = fed_alloc_zero(status->mem, sizeof *removed);

    if (!removed)
        return FED_ERR_NOMEM;
    removed->len = from->id.len + from->reason.len + from->message.len + 3;
    removed->id = fed_alloc_zero(status->mem, removed->len);
    if (!removed->id) {
        fed_alloc_free(status->mem, removed, sizeof *removed);
        return FED_ERR_NOMEM;
    }
    memcpy(removed->id, from->id.at, from->id.len);
    if (from->reason.len)
        memcpy(removed->id + from->id.len + 1, from->reason.at, from->reason.len);
    if (from->message.len)
        memcpy(
            removed->id + from->id.len + from->reason.len + 2, from->message.at, from->message.len);
    removed->state = (uint8_t)from->state;
    removed->next = view->removed;
    view->removed = removed;
    return FED_OK;
}

/* The list of removals under way stands whole in every report: what is not in it is done, unless it
 * says to be cut. */
enum fed_err status_view_take(
    struct hub_status *status, struct status_view *view, const struct fed_report *report)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < report->n_entries; i++) {
        if (report->entries[i].index >= view->n_works)
            return FED_ERR_INVALID;
        err = take_entry(status, &view->works[report->entries[i].index], &report->entries[i]);
    }
    if (err)
        return err;
    removed_free(status, view);
    for (size_t i = 0; !err && i < report->n_removed; i++)
        err = take_removed(status, view, &report->removed[i]);
    view->removed_cut = report->removed_cut;
    view->seq = report->seq;
    return err;
}

/* ---- manifests ---- */

struct in_manifest {
    const struct fed_manifest *manifest;
    const struct fed_work *identity;
};

static int order_in_manifest(const void *ctx, size_t index)
{
    const struct in_manifest *in = ctx;

    return fed_work_cmp(&in->manifest->works[index], in->identity);
}

bool status_manifest_find(
    const struct fed_manifest *manifest, const struct fed_work *identity, size_t *index)
{
    struct in_manifest in = {manifest, identity};

    return fed_bisect(manifest->n_works, order_in_manifest, &in, index);
}

bool hub_status_has_object(
    struct hub_status *status, struct fed_span name, const struct fed_work *identity)
{
    static const char *const absent[] = {"CreationFailed", "CreationTimedOut", "AlreadyExists"};
    const struct status_cluster *cluster = status_cluster_get(status, name);
    const struct fed_manifest *manifest;
    const char *reason;
    size_t index;

    if (!cluster || hub_plan_manifest_at(status->plan, name, cluster->view.revision, &manifest) ||
        !status_manifest_find(manifest, identity, &index) || index >= cluster->view.n_works)
        return true;
    reason = status_work_reason(&cluster->view.works[index]);
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        if (strcmp(reason, absent[i]) == 0)
            return false;
    return true;
}
