/* engine_row.c - the record and the rows, as they are stored.
 *
 *   row     u8 1, u8 state, u8 flags (1 touched, 2 forgiven, 4 pinned, 8 again, 16
 *           tries), u8 version, u8 previous, u8 wave (255: none), u64 since, u64 wait, then of
 *           FAILED, STUCK, RETURNING and RETURNED string reason, string message, then with tries of
 *           each version u8
 *   record  u8 1, u8 phase, u8 flags (1 failed; 2 what failed is being accepted, 4 is being
 *           retried), u8 from, u8 to, u8 open, u64 offset (two's complement), u64 start, u64 end,
 *           u8 n versions, 32 bytes each, u8 n waves, of each: u8 flags (1 begun, 2 done, 4
 *           approved), u64 start, u64 ok, u64 end, string user
 *
 * Times are milliseconds of the engine's clock; numbers are big endian, strings have a varint
 * length. */
#include "hub/rollout/engine_parts.h"

#include <string.h>

#define FORMAT 1u
#define TIME_MAX ((uint64_t)1 << 52)

/* ---- writing ---- */

enum fed_err hub_rollout_row(
    const struct hub_rollout *r, struct fed_span cluster, struct fed_buf *out)
{
    const struct rollout_slot *slot = rollout_find(r, cluster);

    if (!slot || !rollout_has_row(r, slot))
        return FED_ERR_NOT_FOUND;
    fed_buf_put_u8(out, FORMAT);
    fed_buf_put_u8(out, slot->state);
    fed_buf_put_u8(out, (uint8_t)(slot->touched | slot->forgiven << 1 | slot->pinned << 2 |
                                  slot->again << 3 | rollout_was_told(r, slot) << 4));
    fed_buf_put_u8(out, slot->version);
    fed_buf_put_u8(out, slot->previous);
    fed_buf_put_u8(out, slot->wave);
    fed_buf_put_u64(out, (uint64_t)slot->since_ms);
    fed_buf_put_u64(out, (uint64_t)slot->wait_ms);
    if (rollout_keeps_cause((enum hub_rollout_state)slot->state)) {
        fed_buf_put_string(out, rollout_cause_reason(slot->failed));
        fed_buf_put_string(out, rollout_cause_message(slot->failed));
    }
    if (rollout_was_told(r, slot))
        fed_buf_put(out, fed_span_of(slot->tries, r->n_versions));
    return fed_buf_err(out);
}

static void put_wave(struct fed_buf *out, const struct rollout_wave *wave)
{
    fed_buf_put_u8(out, (uint8_t)(wave->begun | wave->done << 1 | wave->approved << 2));
    fed_buf_put_u64(out, (uint64_t)wave->start_ms);
    fed_buf_put_u64(out, (uint64_t)wave->ok_ms);
    fed_buf_put_u64(out, (uint64_t)wave->end_ms);
    fed_buf_put_string(out, fed_span_text(wave->user));
}

void hub_rollout_record(const struct hub_rollout *r, struct fed_buf *out)
{
    size_t n_waves = r->rules ? r->rules->n_waves : 0;

    fed_buf_put_u8(out, FORMAT);
    fed_buf_put_u8(out, r->phase);
    fed_buf_put_u8(out, (uint8_t)(r->failed | r->marking << 1));
    fed_buf_put_u8(out, r->from);
    fed_buf_put_u8(out, r->to);
    fed_buf_put_u8(out, r->open);
    fed_buf_put_u64(out, (uint64_t)r->offset_ms);
    fed_buf_put_u64(out, (uint64_t)r->start_ms);
    fed_buf_put_u64(out, (uint64_t)r->end_ms);
    fed_buf_put_u8(out, r->n_versions);
    for (size_t i = 0; i < r->n_versions; i++)
        fed_buf_put(out, fed_span_of(r->versions[i].bytes, FED_DIGEST_SIZE));
    fed_buf_put_u8(out, (uint8_t)n_waves);
    for (size_t i = 0; i < n_waves; i++)
        put_wave(out, &r->waves[i]);
}

/* ---- reading ---- */

static enum fed_err take_time(struct fed_span *from, int64_t *out)
{
    uint64_t ms;
    enum fed_err err = fed_span_take_u64(from, &ms);

    if (!err && ms > TIME_MAX)
        err = FED_ERR_CORRUPT;
    if (!err)
        *out = (int64_t)ms;
    return err;
}

static enum fed_err take_offset(struct fed_span *from, int64_t *out)
{
    uint64_t bits;
    enum fed_err err = fed_span_take_u64(from, &bits);

    if (!err && bits > TIME_MAX && ~bits >= TIME_MAX)
        err = FED_ERR_CORRUPT;
    if (!err)
        *out = bits > TIME_MAX ? -(int64_t)~bits - 1 : (int64_t)bits;
    return err;
}

static enum fed_err take_u8s(struct fed_span *from, uint8_t *const *outs, size_t n)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < n; i++)
        err = fed_span_take_u8(from, outs[i]);
    return err;
}

static enum fed_err take_cause(
    struct hub_rollout *r, struct fed_span *from, struct rollout_cause **out)
{
    struct fed_span reason;
    struct fed_span message;
    enum fed_err err = fed_span_take_string(from, HUB_ROLLOUT_REASON_MAX, &reason);

    if (!err)
        err = fed_span_take_string(from, HUB_ROLLOUT_MESSAGE_MAX, &message);
    if (err || reason.len + message.len == 0)
        return err; /* it goes back, and did not fail */
    *out = rollout_cause_get(r, reason, message);
    return *out ? FED_OK : FED_ERR_NOMEM;
}

struct row {
    uint8_t format, state, flags, version, previous, wave;
    int64_t since_ms, wait_ms;
    struct rollout_cause *failed;
    struct fed_span tries; /* in the row */
};

static bool row_is_sound(const struct hub_rollout *r, const struct row *row)
{
    return row->format == FORMAT && row->state <= HUB_ROLLOUT_STUCK && row->flags < 32 &&
           row->version <= r->n_versions && row->previous <= r->n_versions &&
           (row->wave == ROLLOUT_NO_WAVE || (r->rules && row->wave < r->rules->n_waves));
}

static enum fed_err take_row(struct hub_rollout *r, struct fed_span from, struct row *row)
{
    uint8_t *const numbers[] = {
        &row->format, &row->state, &row->flags, &row->version, &row->previous, &row->wave};
    enum fed_err err = take_u8s(&from, numbers, sizeof numbers / sizeof *numbers);

    if (!err)
        err = take_time(&from, &row->since_ms);
    if (!err)
        err = take_time(&from, &row->wait_ms);
    if (!err && !row_is_sound(r, row))
        err = FED_ERR_CORRUPT;
    if (!err && rollout_keeps_cause((enum hub_rollout_state)row->state))
        err = take_cause(r, &from, &row->failed);
    if (!err && row->flags & 16)
        err = fed_span_take_bytes(&from, r->n_versions, &row->tries);
    if (!err && from.len > 0)
        err = FED_ERR_CORRUPT;
    if (err)
        rollout_cause_drop(r, row->failed);
    return err && err != FED_ERR_NOMEM ? FED_ERR_CORRUPT : err;
}

/* The clock may be behind what it was. */
static int64_t not_later(const struct hub_rollout *r, int64_t ms)
{
    return ms > r->now_ms ? r->now_ms : ms;
}

enum fed_err hub_rollout_recall(
    struct hub_rollout *r, struct fed_span cluster, struct fed_span bytes)
{
    struct rollout_slot *slot;
    struct row row = {0};
    enum fed_err err;

    if (rollout_find(r, cluster))
        return FED_ERR_EXISTS;
    err = take_row(r, bytes, &row);
    if (err)
        return err;
    err = rollout_slot_new(r, cluster, &slot);
    if (err) {
        rollout_cause_drop(r, row.failed);
        return err == FED_ERR_INVALID ? FED_ERR_CORRUPT : err;
    }
    slot->state = row.state;
    slot->touched = row.flags & 1;
    slot->forgiven = row.flags >> 1 & 1;
    slot->pinned = row.flags >> 2 & 1;
    slot->again = row.flags >> 3 & 1;
    if (row.tries.len > 0)
        memcpy(slot->tries, row.tries.at, row.tries.len);
    slot->version = row.version;
    slot->previous = row.previous;
    slot->wave = row.wave;
    slot->since_ms = not_later(r, row.since_ms);
    slot->wait_ms = not_later(r, row.wait_ms);
    slot->failed = row.failed;
    slot->stored = true;
    return FED_OK;
}

static enum fed_err take_wave(
    const struct hub_rollout *r, struct fed_span *from, struct rollout_wave *out)
{
    struct rollout_wave wave = {0};
    struct fed_span user;
    uint8_t flags;
    enum fed_err err = fed_span_take_u8(from, &flags);

    if (!err)
        err = take_time(from, &wave.start_ms);
    if (!err)
        err = take_time(from, &wave.ok_ms);
    if (!err)
        err = take_time(from, &wave.end_ms);
    if (!err)
        err = fed_span_take_string(from, ROLLOUT_USER_MAX, &user);
    if (!err)
        err = fed_span_to_cstr(user, wave.user, sizeof wave.user);
    if (err || flags > 7)
        return FED_ERR_CORRUPT;
    wave.ok_ms = not_later(r, wave.ok_ms);
    wave.begun = flags & 1;
    wave.done = flags >> 1 & 1;
    wave.approved = flags >> 2 & 1;
    *out = wave;
    return FED_OK;
}

static enum fed_err take_versions(struct hub_rollout *r, struct fed_span *from)
{
    enum fed_err err = fed_span_take_u8(from, &r->n_versions);

    if (err || r->n_versions > HUB_ROLLOUT_VERSIONS_MAX) {
        r->n_versions = 0;
        return FED_ERR_CORRUPT;
    }
    for (size_t i = 0; !err && i < r->n_versions; i++) {
        struct fed_span bytes;

        err = fed_span_take_bytes(from, FED_DIGEST_SIZE, &bytes);
        if (!err)
            memcpy(r->versions[i].bytes, bytes.at, FED_DIGEST_SIZE);
    }
    return err;
}

static enum fed_err take_waves(struct hub_rollout *r, struct fed_span *from)
{
    uint8_t n;
    enum fed_err err = fed_span_take_u8(from, &n);

    if (!err && n != (r->rules ? r->rules->n_waves : 0))
        err = FED_ERR_CORRUPT;
    for (size_t i = 0; !err && i < n; i++)
        err = take_wave(r, from, &r->waves[i]);
    return err;
}

static bool record_is_sound(const struct hub_rollout *r, uint8_t format, uint8_t flags)
{
    bool none = r->phase == HUB_ROLLOUT_NONE;

    return format == FORMAT && flags >> 1 < ROLLOUT_MARKS_N && r->phase <= HUB_ROLLOUT_ABORTED &&
           none == !r->rules && none == !r->to && (none || r->open < r->rules->n_waves);
}

static enum fed_err take_record(
    struct hub_rollout *r, struct fed_span from, struct hub_rollout_now now)
{
    uint8_t format;
    uint8_t flags;
    uint8_t *const numbers[] = {&format, &r->phase, &flags, &r->from, &r->to, &r->open};
    enum fed_err err = take_u8s(&from, numbers, sizeof numbers / sizeof *numbers);

    if (!err)
        err = take_offset(&from, &r->offset_ms);
    if (!err)
        rollout_clock_start(r, now);
    if (!err)
        err = take_time(&from, &r->start_ms);
    if (!err)
        err = take_time(&from, &r->end_ms);
    if (!err && !record_is_sound(r, format, flags))
        err = FED_ERR_CORRUPT;
    if (!err)
        err = take_versions(r, &from);
    if (!err)
        err = take_waves(r, &from);
    if (err || from.len > 0 || r->from > r->n_versions || r->to > r->n_versions)
        return FED_ERR_CORRUPT;
    r->failed = flags & 1;
    r->marking = flags >> 1;
    r->record_changed = false;
    r->due = true;
    return FED_OK;
}

enum fed_err hub_rollout_open(const struct hub_rollout_options *options,
    struct hub_rollout_rules *rules, struct fed_span record, struct hub_rollout_now now,
    struct hub_rollout **out)
{
    struct hub_rollout *r;
    enum fed_err err = hub_rollout_new(options, now, &r);

    if (err)
        return err;
    r->rules = hub_rollout_rules_keep(rules);
    err = take_record(r, record, now);
    if (err)
        hub_rollout_free(r);
    else
        *out = r;
    return err;
}
