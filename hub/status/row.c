/* row.c - a cluster's row in the store.
 *
 * u8 format 2; varint seq, revision; u8 bits: 1 ready, 2 the list of removals is cut, 4 not ready
 * because nothing is heard of its API server; varint transition (Unix seconds); string facts;
 * varint n works, each: u8 state | health << 4, and 0x08 when the version is a resourceVersion,
 * 0x40 when there is a row of its remote status, varint version, string reason, string message;
 * varint n removed, each: string id, u8 state, string reason, string message.
 *
 * Format 1 had neither of those bits, and generations only. */
#include "hub/status/internal.h"
#include "proto/doc/doc.h"

#include <stdio.h>
#include <string.h>

#define ROW_FORMAT 2u
#define ROW_FORMAT_OLD 1u
#define WORK_BY_RV 0x08u
#define WORK_REMOTE 0x40u
#define ROW_READY 0x01u
#define ROW_REMOVED_CUT 0x02u
#define ROW_OFFLINE 0x04u

void status_row_put(
    struct fed_buf *out, const struct status_cluster *cluster, const struct status_view *view)
{
    size_t n = 0;

    fed_buf_put_u8(out, ROW_FORMAT);
    fed_buf_put_varint(out, view->seq);
    fed_buf_put_varint(out, view->revision);
    fed_buf_put_u8(out,
        (uint8_t)((cluster->ready ? ROW_READY : 0) | (view->removed_cut ? ROW_REMOVED_CUT : 0) |
                  (cluster->offline ? ROW_OFFLINE : 0)));
    fed_buf_put_varint(
        out, (uint64_t)(cluster->transition_unix_s > 0 ? cluster->transition_unix_s : 0));
    fed_buf_put_string(out, fed_span_of(cluster->facts, cluster->facts_len));
    fed_buf_put_varint(out, view->n_works);
    for (size_t i = 0; i < view->n_works; i++) {
        const struct status_work *work = &view->works[i];

        fed_buf_put_u8(
            out, (uint8_t)(work->state | work->health << 4 | (work->by_rv ? WORK_BY_RV : 0) |
                           (work->remote ? WORK_REMOTE : 0)));
        fed_buf_put_varint(out, work->version);
        fed_buf_put_string(out, fed_span_text(status_work_reason(work)));
        fed_buf_put_string(out, fed_span_text(status_work_message(work)));
    }
    for (const struct status_removed *r = view->removed; r; r = r->next)
        n++;
    fed_buf_put_varint(out, n);
    for (const struct status_removed *r = view->removed; r; r = r->next) {
        const char *reason = r->id + strlen(r->id) + 1;

        fed_buf_put_string(out, fed_span_text(r->id));
        fed_buf_put_u8(out, r->state);
        fed_buf_put_string(out, fed_span_text(reason));
        fed_buf_put_string(out, fed_span_text(reason + strlen(reason) + 1));
    }
}

struct row_version { /* what a row says of a work, beside what a report says */
    uint64_t version;
    uint8_t bits;
};

/* One work's byte of state: the bits of its version aside. */
static enum fed_err take_state(
    struct fed_span *from, uint8_t format, struct fed_report_entry *entry, uint8_t *bits)
{
    uint8_t byte = 0;
    enum fed_err err = fed_span_take_u8(from, &byte);

    *bits = format == ROW_FORMAT_OLD ? 0 : byte & (WORK_BY_RV | WORK_REMOTE);
    byte &= (uint8_t) ~*bits;
    entry->state = byte & 0x0f;
    entry->health = byte >> 4;
    if (!err && (entry->state >= FED_WORK_STATES || entry->health >= FED_HEALTHS))
        err = FED_ERR_INVALID;
    return err;
}

static enum fed_err take_works(struct fed_span *from, uint8_t format, struct fed_report *report,
    struct row_version **versions, struct fed_arena *arena)
{
    struct fed_report_entry *entries;
    uint64_t n;
    enum fed_err err = fed_span_take_varint(from, FED_WORKS_MAX, &n);

    if (err)
        return err;
    entries = fed_alloc_array(&arena->alloc, (size_t)n + 1, sizeof *entries);
    *versions = fed_alloc_array(&arena->alloc, (size_t)n + 1, sizeof **versions);
    if (!entries || !*versions)
        return FED_ERR_NOMEM;
    for (size_t i = 0; !err && i < n; i++) {
        struct fed_report_entry *entry = &entries[i];
        struct row_version *version = &(*versions)[i];

        *entry = (struct fed_report_entry){.index = i};
        err = take_state(from, format, entry, &version->bits);
        if (!err)
            err = fed_span_take_varint(from, UINT64_MAX, &version->version);
        if (!err)
            err = fed_span_take_string(from, FED_REPORT_REASON_MAX, &entry->reason);
        if (!err)
            err = fed_span_take_string(from, FED_REPORT_MESSAGE_MAX, &entry->message);
    }
    report->entries = entries;
    report->n_entries = (size_t)n;
    return err;
}

static enum fed_err take_removed(
    struct fed_span *from, struct fed_report *report, struct fed_arena *arena)
{
    struct fed_report_removed *list;
    uint64_t n;
    enum fed_err err = fed_span_take_varint(from, FED_WORKS_MAX, &n);

    if (err)
        return err;
    list = fed_alloc_array(&arena->alloc, (size_t)n + 1, sizeof *list);
    if (!list)
        return FED_ERR_NOMEM;
    for (size_t i = 0; !err && i < n; i++) {
        uint8_t state = 0;

        err = fed_span_take_string(from, 2048, &list[i].id);
        if (!err)
            err = fed_span_take_u8(from, &state);
        list[i].state = state;
        if (!err)
            err = fed_span_take_string(from, FED_REPORT_REASON_MAX, &list[i].reason);
        if (!err)
            err = fed_span_take_string(from, FED_REPORT_MESSAGE_MAX, &list[i].message);
    }
    report->removed = list;
    report->n_removed = (size_t)n;
    return err;
}

void status_facts_forget(struct hub_status *status, struct status_cluster *cluster)
{
    fed_alloc_free(status->mem, cluster->facts, cluster->facts_len + 1);
    cluster->facts = NULL;
    cluster->facts_len = 0;
    cluster->has_nodes = false;
    cluster->kubernetes_version[0] = '\0';
    cluster->agent_version[0] = '\0';
    cluster->healthz[0] = '\0';
}

/* They become part of an object that typed clients read: all of it has its type, or is not shown.
 */
static bool nodes_fit(const struct fed_doc *facts)
{
    const struct fed_doc *region = fed_doc_get(facts, "region");
    const struct fed_doc *zones = fed_doc_get(facts, "zones");
    const struct fed_doc *allocatable = fed_doc_get(facts, "allocatable");
    const struct fed_doc *pods = fed_doc_get(facts, "unschedulablePods");
    int64_t n;

    if (fed_doc_int(fed_doc_get(facts, "nodes"), 0, FED_DOC_INT_MAX, &n) ||
        (pods && fed_doc_int(pods, 0, FED_DOC_INT_MAX, &n)) ||
        (region && !fed_doc_is_string(region)) || (zones && !fed_doc_is_array(zones)) ||
        (allocatable && !fed_doc_is_object(allocatable)))
        return false;
    for (size_t i = 0; i < fed_doc_count(zones); i++) {
        if (!fed_doc_is_string(fed_doc_at(zones, i)))
            return false;
    }
    for (size_t i = 0; i < fed_doc_count(allocatable); i++) {
        if (!fed_doc_is_string(fed_doc_at(allocatable, i)))
            return false;
    }
    return true;
}

enum fed_err status_facts_set(
    struct hub_status *status, struct status_cluster *cluster, struct fed_span facts)
{
    struct fed_doc *doc = NULL;
    char *copy;
    enum fed_err err = fed_doc_parse(facts, &doc, NULL);

    if (err)
        return err;
    copy = fed_alloc_get(status->mem, facts.len + 1);
    if (!copy) {
        fed_doc_free(doc);
        return FED_ERR_NOMEM;
    }
    memcpy(copy, facts.at, facts.len);
    copy[facts.len] = '\0';
    status_facts_forget(status, cluster);
    cluster->facts = copy;
    cluster->facts_len = facts.len;
    snprintf(cluster->kubernetes_version, sizeof cluster->kubernetes_version, "%s",
        fed_doc_text(fed_doc_get(doc, "kubernetesVersion"), ""));
    snprintf(cluster->healthz, sizeof cluster->healthz, "%s",
        fed_doc_text(fed_doc_get(doc, "healthz"), ""));
    snprintf(cluster->agent_version, sizeof cluster->agent_version, "%s",
        fed_doc_text(fed_doc_get(doc, "agentVersion"), ""));
    cluster->has_nodes = fed_doc_get(doc, "nodes") && nodes_fit(doc);
    fed_doc_free(doc);
    return FED_OK;
}

static enum fed_err take_head(struct fed_span *from, struct status_cluster *out, uint8_t *format,
    struct fed_report *report, struct fed_span *facts)
{
    uint8_t bits = 0;
    uint64_t transition = 0;
    enum fed_err err = fed_span_take_u8(from, format);

    if (!err && *format != ROW_FORMAT && *format != ROW_FORMAT_OLD)
        err = FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_varint(from, UINT64_MAX, &report->seq);
    if (!err)
        err = fed_span_take_varint(from, UINT64_MAX, &report->revision);
    if (!err)
        err = fed_span_take_u8(from, &bits);
    if (!err && (bits & ~(ROW_READY | ROW_REMOVED_CUT | ROW_OFFLINE)))
        err = FED_ERR_INVALID;
    if (!err)
        err = fed_span_take_varint(from, INT64_MAX, &transition);
    if (!err)
        err = fed_span_take_string(from, FED_REPORT_FACTS_MAX, facts);
    out->ready = bits & ROW_READY;
    out->offline = bits & ROW_OFFLINE;
    report->removed_cut = bits & ROW_REMOVED_CUT;
    out->transition_unix_s = (int64_t)transition;
    return err;
}

enum fed_err status_row_take(struct hub_status *status, struct fed_span row,
    struct status_cluster *out, struct fed_diag *diag)
{
    struct fed_report report = {0};
    struct row_version *versions = NULL;
    struct fed_span facts = {0};
    struct fed_arena arena;
    uint8_t format = 0;
    enum fed_err err;

    fed_arena_init(&arena, status->mem, STATUS_ROW_MAX * 4);
    err = take_head(&row, out, &format, &report, &facts);
    if (!err)
        err = take_works(&row, format, &report, &versions, &arena);
    if (!err)
        err = take_removed(&row, &report, &arena);
    if (!err && row.len)
        err = FED_ERR_INVALID;
    if (!err && facts.len)
        err = status_facts_set(status, out, facts);
    if (!err && report.n_entries) {
        out->view.works = fed_alloc_zero(status->mem, report.n_entries * sizeof *out->view.works);
        err = out->view.works ? FED_OK : FED_ERR_NOMEM;
        out->view.n_works = err ? 0 : report.n_entries;
    }
    if (!err)
        err = status_view_take(status, &out->view, &report);
    for (size_t i = 0; !err && i < out->view.n_works; i++) {
        out->view.works[i].version = versions[i].version;
        out->view.works[i].by_rv = versions[i].bits & WORK_BY_RV;
        out->view.works[i].remote = versions[i].bits & WORK_REMOTE;
    }
    out->view.revision = report.revision;
    fed_arena_fini(&arena);
    return err ? fed_diag_set(
                     diag, FED_ERR_CORRUPT, "its status row is damaged (%s)", fed_err_text(err))
               : FED_OK;
}
