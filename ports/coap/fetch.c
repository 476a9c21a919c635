/* fetch.c - see fetch.h. */
#include "ports/coap/fetch.h"

#include <string.h>

#define LOSS_MARGIN_PERCENT 12u /* more than the path's own: the window is to blame */
#define QUEUE_SHORT                                                                                \
    2u                /* blocks that wait on the way because of us: few enough to ask for more,    \
                       */
#define QUEUE_LONG 6u /* so many that we ask for less */
#define QUEUE_FLOOR_MS 20u /* a busy machine, no queue */
#define JITTER_SHARE 8u    /* of a long path: its round trips differ by themselves */
#define ROUND_EVENTS 8u
#define BASE_EVENTS 256u /* then the older ones count half */
#define BACKOFF_MAX 2u
#define PROBE_GAP_MAX 1024u

static size_t bits_size(uint32_t n)
{
    return (n + 7) / 8;
}

static uint32_t units_of(unsigned szx)
{
    return 1u << (szx - FED_COAP_SZX_SMALL);
}

static bool has(const struct fed_coap_fetch *f, uint32_t unit)
{
    return f->have[unit / 8] & 1u << unit % 8;
}

/* ---- life ---- */

enum fed_err fed_coap_fetch_new(struct fed_alloc *mem, size_t size, struct fed_coap_fetch **out)
{
    struct fed_coap_fetch *f = fed_alloc_zero(mem, sizeof(*f));

    if (!f)
        return FED_ERR_NOMEM;
    f->mem = mem;
    f->size = size;
    f->units = (uint32_t)((size + FED_COAP_UNIT - 1) / FED_COAP_UNIT);
    /* Not zeroed: that would touch all of what a hub says will come. No byte of it is read before
     * it came: put_to leaves out what did not. */
    f->body = fed_alloc_get(mem, size);
    f->have = fed_alloc_zero(mem, bits_size(f->units));
    if (!f->body || !f->have) {
        fed_coap_fetch_free(f);
        return FED_ERR_NOMEM;
    }
    *out = f;
    return FED_OK;
}

void fed_coap_fetch_free(struct fed_coap_fetch *f)
{
    if (!f)
        return;
    fed_alloc_free(f->mem, f->body, f->size);
    fed_alloc_free(f->mem, f->have, bits_size(f->units));
    fed_alloc_free(f->mem, f, sizeof(*f));
}

void fed_coap_fetch_begin(struct fed_coap_fetch *f, unsigned szx, uint64_t now_ms)
{
    memset(f->slots, 0, sizeof(f->slots));
    f->szx = szx;
    f->next = 0;
    f->probing = false;
    f->small = f->silent = f->backoff = 0;
    f->probe_gap = FED_COAP_PROBE_BLOCKS;
    f->large_ms = szx == FED_COAP_SZX_LARGE ? now_ms : 0;
    f->window = (struct fed_coap_window){.size = FED_COAP_WINDOW, .round_ms = now_ms};
}

/* ---- blocks ---- */

bool fed_coap_fetch_put(struct fed_coap_fetch *f, uint32_t num, unsigned szx, struct fed_span data)
{
    size_t block = (size_t)16 << szx;
    size_t at = (size_t)num * block;
    uint32_t unit;

    if (szx < FED_COAP_SZX_SMALL || szx > FED_COAP_SZX_LARGE || at >= f->size ||
        data.len != (f->size - at < block ? f->size - at : block))
        return false;
    memcpy(f->body + at, data.at, data.len);
    unit = num * units_of(szx);
    for (uint32_t end = unit + units_of(szx); unit < end && unit < f->units; unit++) {
        f->count += !has(f, unit);
        f->have[unit / 8] |= (uint8_t)(1u << unit % 8);
    }
    return true;
}

/* ---- the window ---- */

static void window_measure(struct fed_coap_window *w, uint32_t rtt_ms)
{
    if (w->recent_ms == 0) {
        w->least_ms = w->recent_ms = rtt_ms;
        return;
    }
    w->least_ms = rtt_ms < w->least_ms ? rtt_ms : w->least_ms;
    w->recent_ms = (w->recent_ms * 7 + rtt_ms) / 8;
}

/* Of what is under way, the share that only waits (as in TCP Vegas). */
static uint32_t queued(const struct fed_coap_window *w)
{
    uint32_t calm_ms = w->least_ms + w->least_ms / JITTER_SHARE + QUEUE_FLOOR_MS;

    return w->recent_ms > calm_ms ? w->size * (w->recent_ms - calm_ms) / w->recent_ms : 0;
}

static uint32_t percent_missed(uint32_t arrived, uint32_t missed)
{
    return arrived + missed > 0 ? missed * 100 / (arrived + missed) : 0;
}

static bool loses_more(const struct fed_coap_window *w)
{
    return percent_missed(
               w->round.arrived + w->before.arrived, w->round.missed + w->before.missed) >
           percent_missed(w->base.arrived, w->base.missed) + LOSS_MARGIN_PERCENT;
}

static void base_count(struct fed_coap_window *w)
{
    if (w->base.arrived + w->base.missed > BASE_EVENTS) {
        w->base.arrived /= 2;
        w->base.missed /= 2;
    }
    w->base.arrived += w->round.arrived;
    w->base.missed += w->round.missed;
}

static void window_shrink(struct fed_coap_window *w, uint32_t by, uint32_t least)
{
    w->slow = true;
    w->size = w->size > least + by ? w->size - by : least;
}

static void window_round(struct fed_coap_window *w, uint64_t now_ms)
{
    uint32_t waiting = queued(w);

    if (w->recent_ms == 0 || now_ms < w->round_ms + w->recent_ms ||
        w->round.arrived + w->round.missed < ROUND_EVENTS)
        return;
    /* The first round is one burst: it overflows queues that the same number of blocks, one for
     * each answer, does not. */
    if (w->size <= FED_COAP_WINDOW && w->rounds > 0)
        base_count(w);
    if (waiting > QUEUE_LONG)
        window_shrink(w, waiting / 2, FED_COAP_WINDOW_MIN);
    else if (loses_more(w) && w->size > FED_COAP_WINDOW)
        window_shrink(w, w->size / 4, FED_COAP_WINDOW);
    else if (waiting < QUEUE_SHORT && w->rounds > 0)
        w->size += w->slow ? 2 : w->round.arrived;
    w->size = w->size > FED_COAP_WINDOW_MAX ? FED_COAP_WINDOW_MAX : w->size;
    w->before = w->round;
    w->round = (struct fed_coap_count){0};
    w->round_ms = now_ms;
    w->rounds++;
}

/* ---- asking ---- */

static void slot_send(
    struct fed_coap_fetch *f, struct fed_coap_slot *slot, uint64_t now_ms, struct fed_coap_ask *out)
{
    slot->sent_ms = now_ms;
    slot->order = ++f->order;
    slot->first_order = slot->sends == 0 ? slot->order : slot->first_order;
    slot->passed = 0;
    slot->due = false;
    slot->sends = slot->sends < UINT8_MAX ? slot->sends + 1 : slot->sends;
    *out = (struct fed_coap_ask){.num = slot->unit / units_of(slot->szx), .szx = slot->szx};
}

static void slot_give_up(struct fed_coap_fetch *f, struct fed_coap_slot *slot)
{
    slot->used = false;
    f->next = slot->unit < f->next ? slot->unit : f->next;
}

/* No block of 1,024 bytes came since this one was asked for, and it was asked for often enough; or
 * nothing came for so many repetitions that it does not matter which of them were of this one: all
 * of the rest may have been under way already when the last one came. Of paths that lose 40 % each
 * way one silence in 130 is as long. */
static bool seems_too_large(const struct fed_coap_fetch *f, const struct fed_coap_slot *slot)
{
    if (slot->szx == FED_COAP_SZX_SMALL)
        return false;
    if (slot->probe)
        return slot->sends > 1;
    return f->silent >= FED_COAP_SILENT_LARGE ||
           (slot->sends >= FED_COAP_SENDS_LARGE && f->large_ms <= slot->first_ms);
}

static void become_small(struct fed_coap_fetch *f, struct fed_coap_slot *slot)
{
    if (slot->probe) {
        f->probing = false;
        f->probe_gap = f->probe_gap < PROBE_GAP_MAX ? f->probe_gap * 2 : f->probe_gap;
        slot_give_up(f, slot);
        return;
    }
    f->szx = FED_COAP_SZX_SMALL;
    f->probing = false;
    for (size_t i = 0; i < FED_COAP_WINDOW_MAX; i++)
        if (f->slots[i].used && f->slots[i].szx > FED_COAP_SZX_SMALL)
            slot_give_up(f, &f->slots[i]);
}

/* While nothing comes the path is jammed or gone: a few at once are enough to find out when it is
 * not, and then one at a time. */
static bool is_one_too_many(struct fed_coap_fetch *f, struct fed_coap_slot *slot, uint64_t now_ms)
{
    if (f->silent < FED_COAP_WINDOW_MIN || now_ms >= f->quiet_ms) {
        f->silent++;
        f->quiet_ms = now_ms + slot->rto_ms;
        return false;
    }
    slot->sent_ms = now_ms;
    return true;
}

/* Doubling stops at four times the first wait: the window bounds the load, and on a path that loses
 * a third of the exchanges a longer wait would only make the transfer longer. */
static bool slot_repeat(struct fed_coap_fetch *f, struct fed_coap_slot *slot, uint64_t now_ms,
    uint32_t rto_ms, struct fed_coap_ask *out)
{
    if (seems_too_large(f, slot)) {
        become_small(f, slot);
        return false;
    }
    if (!slot->due) {
        f->backoff = f->backoff < BACKOFF_MAX ? f->backoff + 1 : f->backoff;
        slot->rto_ms = slot->rto_ms * 2 < 4 * rto_ms ? slot->rto_ms * 2 : 4 * rto_ms;
        if (is_one_too_many(f, slot, now_ms))
            return false;
    } else {
        slot->rto_ms = rto_ms << f->backoff;
    }
    f->window.round.missed++;
    slot_send(f, slot, now_ms, out);
    return true;
}

static bool is_under_way(const struct fed_coap_fetch *f, uint32_t unit)
{
    for (size_t i = 0; i < FED_COAP_WINDOW_MAX; i++) {
        const struct fed_coap_slot *slot = &f->slots[i];

        if (slot->used && unit >= slot->unit && unit < slot->unit + units_of(slot->szx))
            return true;
    }
    return false;
}

/* The size for a new request: blocks begin at multiples of their size. */
static unsigned szx_at(struct fed_coap_fetch *f, bool *probe)
{
    unsigned szx = f->szx;

    *probe = szx < FED_COAP_SZX_LARGE && !f->probing && f->small >= f->probe_gap &&
             f->next % units_of(FED_COAP_SZX_LARGE) == 0;
    if (*probe) {
        f->small = 0;
        f->probing = true;
        return FED_COAP_SZX_LARGE;
    }
    while (f->next % units_of(szx) != 0)
        szx--;
    return szx;
}

static bool slot_fill(struct fed_coap_fetch *f, struct fed_coap_slot *slot, uint64_t now_ms,
    uint32_t rto_ms, struct fed_coap_ask *out)
{
    bool probe;
    unsigned szx;

    while (f->next < f->units && (has(f, f->next) || is_under_way(f, f->next)))
        f->next++;
    if (f->next >= f->units)
        return false;
    szx = szx_at(f, &probe);
    *slot = (struct fed_coap_slot){.used = true,
        .probe = probe,
        .szx = (uint8_t)szx,
        .unit = f->next,
        .rto_ms = rto_ms << f->backoff,
        .first_ms = now_ms};
    f->next += units_of(szx);
    slot_send(f, slot, now_ms, out);
    return true;
}

bool fed_coap_fetch_next(
    struct fed_coap_fetch *f, uint64_t now_ms, uint32_t rto_ms, struct fed_coap_ask *out)
{
    struct fed_coap_slot *unused = NULL;
    uint32_t under_way = 0;

    for (size_t i = 0; i < FED_COAP_WINDOW_MAX; i++) {
        struct fed_coap_slot *slot = &f->slots[i];

        if (slot->used && (slot->due || slot->sent_ms + slot->rto_ms <= now_ms) &&
            slot_repeat(f, slot, now_ms, rto_ms, out))
            return true;
    }
    for (size_t i = 0; i < FED_COAP_WINDOW_MAX; i++) {
        under_way += f->slots[i].used;
        if (!f->slots[i].used)
            unused = &f->slots[i];
    }
    return unused && under_way < f->window.size && slot_fill(f, unused, now_ms, rto_ms, out);
}

uint64_t fed_coap_fetch_due(const struct fed_coap_fetch *f)
{
    uint64_t due_ms = UINT64_MAX;

    for (size_t i = 0; i < FED_COAP_WINDOW_MAX; i++) {
        const struct fed_coap_slot *slot = &f->slots[i];
        uint64_t at_ms = slot->due ? 0 : slot->sent_ms + slot->rto_ms;

        if (slot->used && at_ms < due_ms)
            due_ms = at_ms;
    }
    return due_ms;
}

/* ---- what arrives ---- */

static struct fed_coap_slot *slot_of(struct fed_coap_fetch *f, uint32_t num, unsigned szx)
{
    for (size_t i = 0; i < FED_COAP_WINDOW_MAX; i++) {
        struct fed_coap_slot *slot = &f->slots[i];

        if (slot->used && slot->szx == szx && slot->unit == num * units_of(szx))
            return slot;
    }
    return NULL;
}

/* Which of several requests for a block was answered is not known: the first may have been. */
static void mark_passed(struct fed_coap_fetch *f, uint64_t order)
{
    for (size_t i = 0; i < FED_COAP_WINDOW_MAX; i++) {
        struct fed_coap_slot *slot = &f->slots[i];

        if (slot->used && slot->order < order && ++slot->passed >= FED_COAP_PASSED_MAX)
            slot->due = true;
    }
}

static void note_size(struct fed_coap_fetch *f, const struct fed_coap_slot *slot, uint64_t now_ms)
{
    if (slot->szx == FED_COAP_SZX_LARGE) {
        f->szx = FED_COAP_SZX_LARGE;
        f->large_ms = now_ms;
        f->probing = false;
        f->probe_gap = FED_COAP_PROBE_BLOCKS;
    } else {
        f->small++;
    }
}

/* An answer to a repetition may be one to what was sent before it: it says nothing (Karn's rule).
 * But while nothing else is known, the longer of the two times is better than a guess. */
static uint32_t slot_measure(
    struct fed_coap_fetch *f, const struct fed_coap_slot *slot, uint64_t now_ms)
{
    uint32_t rtt_ms = (uint32_t)(now_ms - slot->first_ms) + 1;

    if (slot->sends > 1 && f->window.recent_ms > 0)
        return 0;
    if (slot->sends == 1)
        f->backoff = 0;
    window_measure(&f->window, rtt_ms);
    return rtt_ms;
}

bool fed_coap_fetch_received(struct fed_coap_fetch *f, uint32_t num, unsigned szx,
    struct fed_span payload, uint64_t now_ms, uint32_t *rtt_ms)
{
    struct fed_coap_slot *slot;

    *rtt_ms = 0;
    if (szx < FED_COAP_SZX_SMALL || szx > FED_COAP_SZX_LARGE || num >= f->units)
        return false;
    slot = slot_of(f, num, szx);
    if (!slot || !fed_coap_fetch_put(f, num, szx, payload))
        return false;
    slot->used = false;
    f->silent = 0;
    note_size(f, slot, now_ms);
    *rtt_ms = slot_measure(f, slot, now_ms);
    f->window.round.arrived++;
    window_round(&f->window, now_ms);
    mark_passed(f, slot->first_order);
    return true;
}

/* ---- keeping ---- */

static size_t unit_size(const struct fed_coap_fetch *f, uint32_t unit)
{
    size_t left = f->size - (size_t)unit * FED_COAP_UNIT;

    return left < FED_COAP_UNIT ? left : FED_COAP_UNIT;
}

void fed_coap_fetch_put_to(const struct fed_coap_fetch *f, struct fed_buf *out)
{
    fed_buf_put_u32(out, (uint32_t)f->size);
    fed_buf_put(out, fed_span_of(f->have, bits_size(f->units)));
    for (uint32_t unit = 0; unit < f->units; unit++)
        if (has(f, unit))
            fed_buf_put(
                out, fed_span_of(f->body + (size_t)unit * FED_COAP_UNIT, unit_size(f, unit)));
}

/* Nothing may follow, and no bit stand behind that of the last unit. */
static enum fed_err units_take(struct fed_coap_fetch *f, struct fed_span *from)
{
    struct fed_span bytes;

    for (uint32_t unit = 0; unit < f->units; unit++) {
        if (!has(f, unit))
            continue;
        if (fed_span_take_bytes(from, unit_size(f, unit), &bytes))
            return FED_ERR_INVALID;
        memcpy(f->body + (size_t)unit * FED_COAP_UNIT, bytes.at, bytes.len);
        f->count++;
    }
    if (from->len > 0 || (f->units % 8 != 0 && f->have[f->units / 8] >> f->units % 8 != 0))
        return FED_ERR_INVALID;
    return FED_OK;
}

enum fed_err fed_coap_fetch_take_from(
    struct fed_alloc *mem, struct fed_span *from, size_t size_max, struct fed_coap_fetch **out)
{
    struct fed_coap_fetch *f;
    struct fed_span have;
    uint32_t size;
    enum fed_err err = fed_span_take_u32(from, &size);

    if (err || size == 0 || size > size_max ||
        fed_span_take_bytes(from, bits_size((size + FED_COAP_UNIT - 1) / FED_COAP_UNIT), &have))
        return FED_ERR_INVALID;
    err = fed_coap_fetch_new(mem, size, &f);
    if (err)
        return err;
    memcpy(f->have, have.at, have.len);
    err = units_take(f, from);
    if (err) {
        fed_coap_fetch_free(f);
        return err;
    }
    *out = f;
    return FED_OK;
}
