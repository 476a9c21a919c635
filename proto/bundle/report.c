/* report.c - see report.h. */
#include "proto/bundle/report.h"

#define FLAG_FULL 0x01u
#define FLAG_FACTS 0x02u
#define FLAG_MORE 0x04u
#define FLAG_REMOVED 0x08u
#define FLAG_REMOTE 0x10u
#define FLAG_REMOVED_CUT 0x20u /* only with FLAG_REMOVED */
#define FLAG_SCALES 0x40u
#define FLAGS_ALL 0x7fu

#define FORMAT 1u
/* On the wire: FED_WORK_APPLIED, then a reason and a message; FED_WORK_FAILED, after a version. */
#define APPLIED_NOTED 5u
#define FAILED_IN_PLACE 6u
#define ID_MAX (FED_WORK_API_VERSION_MAX + FED_WORK_KIND_MAX + 2 * FED_WORK_NAME_MAX + 3)
#define VERSION_MAX 64u /* resourceVersion */

const char *fed_work_state_name(enum fed_work_state state)
{
    static const char *const names[FED_WORK_STATES] = {[FED_WORK_PENDING] = "Pending",
        [FED_WORK_APPLIED] = "Applied",
        [FED_WORK_FAILED] = "Failed",
        [FED_WORK_WAITING] = "Waiting",
        [FED_WORK_REMOVING] = "Removing"};

    return (unsigned)state < FED_WORK_STATES ? names[state] : "Unknown";
}

const char *fed_work_health_name(enum fed_work_health health)
{
    static const char *const names[FED_HEALTHS] = {[FED_HEALTH_UNKNOWN] = "Unknown",
        [FED_HEALTH_HEALTHY] = "Healthy",
        [FED_HEALTH_PROGRESSING] = "Progressing",
        [FED_HEALTH_UNHEALTHY] = "Unhealthy"};

    return (unsigned)health < FED_HEALTHS ? names[health] : "Unknown";
}

static bool has_reason(enum fed_work_state state)
{
    return state == FED_WORK_FAILED || state == FED_WORK_WAITING || state == FED_WORK_REMOVING;
}

/* ---- encoding ---- */

/* Cut so that no character is torn: back to where a sequence begins. */
static struct fed_span cut(struct fed_span text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max && (text.at[max] & 0xc0) == 0x80)
        max--;
    return fed_span_sub(text, 0, max);
}

static void put_reason(struct fed_buf *out, struct fed_span reason, struct fed_span message)
{
    fed_buf_put_string(out, cut(reason, FED_REPORT_REASON_MAX));
    fed_buf_put_string(out, cut(message, FED_REPORT_MESSAGE_MAX));
}

static bool has_deed(enum fed_work_state state)
{
    return state == FED_WORK_APPLIED || state == FED_WORK_FAILED;
}

static bool is_noted(const struct fed_report_entry *e)
{
    return e->state == FED_WORK_APPLIED && (e->reason.len > 0 || e->message.len > 0);
}

static bool is_in_place(const struct fed_report_entry *e)
{
    return e->state == FED_WORK_FAILED && e->in_place;
}

static unsigned wire_state(const struct fed_report_entry *e)
{
    return is_noted(e) ? APPLIED_NOTED : is_in_place(e) ? FAILED_IN_PLACE : (unsigned)e->state;
}

static void put_entries(struct fed_buf *out, const struct fed_report *report)
{
    size_t previous = 0;

    fed_buf_put_varint(out, report->n_entries);
    for (size_t i = 0; i < report->n_entries; i++) {
        const struct fed_report_entry *e = &report->entries[i];

        fed_buf_put_varint(out, e->index - previous);
        previous = e->index;
        fed_buf_put_u8(out, (uint8_t)(wire_state(e) | (unsigned)e->health << 4 |
                                      (has_deed(e->state) ? (unsigned)e->deed << 6 : 0)));
        if (e->state == FED_WORK_APPLIED || is_in_place(e)) {
            fed_buf_put_varint(out, e->generation);
            if (e->generation == 0)
                fed_buf_put_string(out, cut(e->resource_version, VERSION_MAX));
        }
        if (has_reason(e->state) || is_noted(e))
            put_reason(out, e->reason, e->message);
    }
}

static void put_removed(struct fed_buf *out, const struct fed_report *report)
{
    fed_buf_put_varint(out, report->n_removed);
    for (size_t i = 0; i < report->n_removed; i++) {
        const struct fed_report_removed *r = &report->removed[i];

        fed_buf_put_string(out, r->id);
        fed_buf_put_u8(out, (uint8_t)r->state);
        put_reason(out, r->reason, r->message);
    }
}

static void put_remote(struct fed_buf *out, const struct fed_report *report)
{
    size_t previous = 0;

    fed_buf_put_varint(out, report->n_remote);
    for (size_t i = 0; i < report->n_remote; i++) {
        fed_buf_put_varint(out, report->remote[i].index - previous);
        previous = report->remote[i].index;
        fed_buf_put_string(out, report->remote[i].status);
    }
}

static void put_scales(struct fed_buf *out, const struct fed_report *report)
{
    size_t previous = 0;

    fed_buf_put_varint(out, report->n_scales);
    for (size_t i = 0; i < report->n_scales; i++) {
        const struct fed_report_scale *s = &report->scales[i];

        fed_buf_put_varint(out, s->index - previous);
        previous = s->index;
        fed_buf_put_varint(out, s->replicas);
        fed_buf_put_varint(out, s->ready);
        if (s->ready != s->replicas) {
            fed_buf_put_varint(out, s->running);
            fed_buf_put_varint(out, s->unschedulable);
        }
    }
}

void fed_report_put(struct fed_buf *out, const struct fed_report *report)
{
    size_t before = out->len;
    unsigned flags = (report->full ? FLAG_FULL : 0) | (report->more ? FLAG_MORE : 0) |
                     (report->n_removed ? FLAG_REMOVED : 0) | (report->n_remote ? FLAG_REMOTE : 0) |
                     (report->n_removed && report->removed_cut ? FLAG_REMOVED_CUT : 0) |
                     (report->n_scales ? FLAG_SCALES : 0) | (report->facts.len ? FLAG_FACTS : 0);

    fed_buf_put_u8(out, FORMAT);
    fed_buf_put_u8(out, (uint8_t)flags);
    fed_buf_put_u32(out, report->epoch);
    fed_buf_put_varint(out, report->revision);
    fed_buf_put_varint(out, report->seq);
    put_entries(out, report);
    if (report->n_removed)
        put_removed(out, report);
    if (report->n_remote)
        put_remote(out, report);
    if (report->n_scales)
        put_scales(out, report);
    if (report->facts.len)
        fed_buf_put_string(out, report->facts);
    if (!out->err && out->len - before > FED_REPORT_MAX)
        out->err = FED_ERR_LIMIT;
}

/* ---- decoding ---- */

static enum fed_err take_count(struct fed_span *from, size_t min_bytes, size_t *out)
{
    uint64_t n;
    enum fed_err err = fed_span_take_varint(from, FED_WORKS_MAX, &n);

    if (err)
        return err;
    if (n > from->len / min_bytes)
        return FED_ERR_TRUNCATED;
    *out = (size_t)n;
    return FED_OK;
}

/* Index as difference to the one before, which must ascend. */
static enum fed_err take_index(struct fed_span *from, bool first, size_t previous, size_t *out)
{
    uint64_t step;
    enum fed_err err = fed_span_take_varint(from, FED_WORKS_MAX, &step);

    if (err)
        return err;
    if ((!first && step == 0) || previous + step >= FED_WORKS_MAX)
        return FED_ERR_INVALID;
    *out = previous + (size_t)step;
    return FED_OK;
}

static enum fed_err take_reason(
    struct fed_span *from, struct fed_span *reason, struct fed_span *message)
{
    enum fed_err err = fed_span_take_string(from, FED_REPORT_REASON_MAX, reason);

    return err ? err : fed_span_take_string(from, FED_REPORT_MESSAGE_MAX, message);
}

static enum fed_err take_version(struct fed_span *from, struct fed_report_entry *e)
{
    enum fed_err err = fed_span_take_varint(from, UINT64_MAX, &e->generation);

    if (!err && e->generation == 0)
        err = fed_span_take_string(from, VERSION_MAX, &e->resource_version);
    return err;
}

static enum fed_err take_entry(struct fed_span *from, struct fed_report_entry *e)
{
    uint8_t byte;
    unsigned state;
    bool noted;
    enum fed_err err = fed_span_take_u8(from, &byte);

    if (err)
        return err;
    state = byte & 15u;
    noted = state == APPLIED_NOTED;
    e->in_place = state == FAILED_IN_PLACE;
    if (!noted && !e->in_place && state >= FED_WORK_STATES)
        return FED_ERR_INVALID;
    e->state = noted         ? FED_WORK_APPLIED
               : e->in_place ? FED_WORK_FAILED
                             : (enum fed_work_state)state;
    e->health = (enum fed_work_health)(byte >> 4 & 3);
    e->deed = (enum fed_work_deed)(byte >> 6);
    if (!has_deed(e->state) && e->deed)
        return FED_ERR_INVALID;
    if (e->state == FED_WORK_APPLIED || e->in_place)
        err = take_version(from, e);
    if (!err && (has_reason(e->state) || noted))
        err = take_reason(from, &e->reason, &e->message);
    return !err && noted && !is_noted(e) ? FED_ERR_INVALID : err;
}

static enum fed_err take_entries(
    struct fed_arena *arena, struct fed_span *from, struct fed_report *report)
{
    struct fed_report_entry *entries;
    size_t n;
    enum fed_err err = take_count(from, 2, &n);

    if (err)
        return err;
    entries = fed_alloc_zero(&arena->alloc, n * sizeof *entries);
    if (!entries)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < n && !err; i++) {
        err = take_index(from, i == 0, i ? entries[i - 1].index : 0, &entries[i].index);
        if (!err)
            err = take_entry(from, &entries[i]);
    }
    report->entries = entries;
    report->n_entries = n;
    return err;
}

static enum fed_err take_removed(
    struct fed_arena *arena, struct fed_span *from, struct fed_report *report)
{
    struct fed_report_removed *removed;
    size_t n;
    enum fed_err err = take_count(from, 4, &n);

    if (err)
        return err;
    removed = fed_alloc_zero(&arena->alloc, n * sizeof *removed);
    if (!removed)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < n && !err; i++) {
        uint8_t state = 0;

        err = fed_span_take_string(from, ID_MAX, &removed[i].id);
        if (!err)
            err = fed_span_take_u8(from, &state);
        if (!err && state >= FED_WORK_STATES)
            err = FED_ERR_INVALID;
        removed[i].state = (enum fed_work_state)state;
        if (!err)
            err = take_reason(from, &removed[i].reason, &removed[i].message);
    }
    report->removed = removed;
    report->n_removed = n;
    return n ? err : FED_ERR_INVALID;
}

static enum fed_err take_remote(
    struct fed_arena *arena, struct fed_span *from, struct fed_report *report)
{
    struct fed_report_remote *remote;
    size_t n;
    enum fed_err err = take_count(from, 2, &n);

    if (err)
        return err;
    remote = fed_alloc_zero(&arena->alloc, n * sizeof *remote);
    if (!remote)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < n && !err; i++) {
        err = take_index(from, i == 0, i ? remote[i - 1].index : 0, &remote[i].index);
        if (!err)
            err = fed_span_take_string(from, FED_REPORT_REMOTE_MAX, &remote[i].status);
    }
    report->remote = remote;
    report->n_remote = n;
    return n ? err : FED_ERR_INVALID;
}

static enum fed_err take_replicas(struct fed_span *from, uint32_t *out)
{
    uint64_t n;
    enum fed_err err = fed_span_take_varint(from, FED_REPORT_REPLICAS_MAX, &n);

    if (!err)
        *out = (uint32_t)n;
    return err;
}

static enum fed_err take_scale(struct fed_span *from, struct fed_report_scale *s)
{
    enum fed_err err = take_replicas(from, &s->replicas);

    if (!err)
        err = take_replicas(from, &s->ready);
    s->running = s->ready;
    if (err || s->ready == s->replicas)
        return err;
    err = take_replicas(from, &s->running);
    return err ? err : take_replicas(from, &s->unschedulable);
}

static enum fed_err take_scales(
    struct fed_arena *arena, struct fed_span *from, struct fed_report *report)
{
    struct fed_report_scale *scales;
    size_t n;
    enum fed_err err = take_count(from, 3, &n);

    if (err)
        return err;
    scales = fed_alloc_zero(&arena->alloc, n * sizeof *scales);
    if (!scales)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < n && !err; i++) {
        err = take_index(from, i == 0, i ? scales[i - 1].index : 0, &scales[i].index);
        if (!err)
            err = take_scale(from, &scales[i]);
    }
    report->scales = scales;
    report->n_scales = n;
    return n ? err : FED_ERR_INVALID;
}

static enum fed_err take_head(struct fed_span *from, struct fed_report *report, unsigned *flags)
{
    uint8_t format;
    uint8_t bits;
    enum fed_err err = fed_span_take_u8(from, &format);

    if (!err && format != FORMAT)
        return FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_u8(from, &bits);
    if (!err && ((bits & ~FLAGS_ALL) || ((bits & FLAG_REMOVED_CUT) && !(bits & FLAG_REMOVED))))
        return FED_ERR_INVALID;
    if (!err)
        err = fed_span_take_u32(from, &report->epoch);
    if (!err)
        err = fed_span_take_varint(from, UINT64_MAX, &report->revision);
    if (!err)
        err = fed_span_take_varint(from, UINT64_MAX, &report->seq);
    if (err)
        return err;
    report->full = bits & FLAG_FULL;
    report->more = bits & FLAG_MORE;
    report->removed_cut = bits & FLAG_REMOVED_CUT;
    *flags = bits;
    return FED_OK;
}

enum fed_err fed_report_decode(
    struct fed_arena *arena, struct fed_span bytes, struct fed_report *out, struct fed_diag *diag)
{
    struct fed_report report = {.bytes = bytes};
    unsigned flags;
    enum fed_err err;

    if (bytes.len > FED_REPORT_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "report of %zu bytes, at most %u are taken",
            bytes.len, FED_REPORT_MAX);
    err = take_head(&bytes, &report, &flags);
    if (!err)
        err = take_entries(arena, &bytes, &report);
    if (!err && (flags & FLAG_REMOVED))
        err = take_removed(arena, &bytes, &report);
    if (!err && (flags & FLAG_REMOTE))
        err = take_remote(arena, &bytes, &report);
    if (!err && (flags & FLAG_SCALES))
        err = take_scales(arena, &bytes, &report);
    if (!err && (flags & FLAG_FACTS))
        err = fed_span_take_string(&bytes, FED_REPORT_FACTS_MAX, &report.facts);
    if (!err && ((flags & FLAG_FACTS) && report.facts.len == 0))
        err = FED_ERR_INVALID;
    if (!err && bytes.len)
        err = FED_ERR_INVALID;
    if (err)
        return fed_diag_set(diag, err, "report: %s", fed_err_text(err));
    *out = report;
    return FED_OK;
}
