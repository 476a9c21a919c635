/* engine.c - see engine.h: its clusters, what is known of them, and what they are to have. */
#include "hub/rollout/engine_parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- slots ---- */

struct fed_span rollout_name(const struct rollout_slot *slot)
{
    return fed_span_of(slot->name, slot->name_len);
}

struct rollout_slot *rollout_find(const struct hub_rollout *r, struct fed_span cluster)
{
    struct rollout_slot *slot = fed_map_get(&r->by_name, cluster);

    return slot && !slot->gone ? slot : NULL;
}

void rollout_mark(struct hub_rollout *r, struct rollout_slot *slot, bool answer)
{
    slot->answer_changed = slot->answer_changed || answer;
    slot->row_changed = true;
    r->due = true;
    if (slot->changed)
        return;
    slot->changed = true;
    slot->next_changed = r->changes;
    r->changes = slot;
    r->n_changes++;
}

bool rollout_is_full(struct hub_rollout *r)
{
    if (r->options.step_max && r->n_changes >= r->options.step_max)
        r->cut = true;
    return r->cut;
}

/* Why a rollout went back is asked once it has. */
bool rollout_keeps_cause(enum hub_rollout_state state)
{
    return state == HUB_ROLLOUT_FAILED || state == HUB_ROLLOUT_STUCK ||
           state == HUB_ROLLOUT_RETURNING || state == HUB_ROLLOUT_RETURNED;
}

void rollout_set_state(
    struct hub_rollout *r, struct rollout_slot *slot, enum hub_rollout_state state)
{
    bool had_row = rollout_has_row(r, slot);

    if (!rollout_keeps_cause(state)) {
        rollout_cause_drop(r, slot->failed);
        slot->failed = NULL;
    }
    if (state != HUB_ROLLOUT_FAILED && state != HUB_ROLLOUT_STUCK && state != HUB_ROLLOUT_APPLIED)
        slot->forgiven = false;
    slot->state = (uint8_t)state;
    slot->since_ms = r->now_ms;
    if (had_row || rollout_has_row(r, slot))
        rollout_mark(r, slot, false);
}

static void forget_copy(struct hub_rollout *r, struct rollout_slot *slot)
{
    slot->copy = HUB_ROLLOUT_COPY_UNKNOWN;
    slot->health = HUB_ROLLOUT_HEALTH_UNKNOWN;
    rollout_cause_drop(r, slot->said);
    slot->said = NULL;
    rollout_mark(r, slot, true);
}

void rollout_give(struct hub_rollout *r, struct rollout_slot *slot, uint8_t version)
{
    if (slot->version == version)
        return;
    slot->version = version;
    forget_copy(r, slot);
}

/* Beyond 255 it counts from 1: what matters is that it is another number than before. */
void rollout_give_again(struct hub_rollout *r, struct rollout_slot *slot)
{
    uint8_t *tries = &slot->tries[slot->version - 1];

    *tries = *tries == UINT8_MAX ? 1 : (uint8_t)(*tries + 1);
    slot->again = false;
    forget_copy(r, slot);
}

bool rollout_was_told(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    for (size_t i = 0; i < r->n_versions; i++)
        if (slot->tries[i] > 0)
            return true;
    return false;
}

/* That it is deferred is seen again when its absence is told again. */
bool rollout_has_row(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    return !slot->gone &&
           (slot->touched || slot->pinned || slot->again || slot->version != r->from ||
               rollout_was_told(r, slot) ||
               (slot->state != HUB_ROLLOUT_PENDING && slot->state != HUB_ROLLOUT_DEFERRED));
}

static enum fed_err grow(struct hub_rollout *r)
{
    size_t cap = r->cap ? r->cap * 2 : 64;
    struct rollout_slot **slots;
    struct rollout_slot **sorted;

    if (r->n_slots < r->cap)
        return FED_OK;
    slots = fed_alloc_array(r->mem, cap, sizeof(struct rollout_slot *));
    sorted = fed_alloc_array(r->mem, cap, sizeof(struct rollout_slot *));
    if (!slots || !sorted) {
        fed_alloc_free(r->mem, slots, cap * sizeof(struct rollout_slot *));
        fed_alloc_free(r->mem, sorted, cap * sizeof(struct rollout_slot *));
        return FED_ERR_NOMEM;
    }
    if (r->n_slots > 0)
        memcpy(slots, r->slots, r->n_slots * sizeof(struct rollout_slot *));
    fed_alloc_free(r->mem, r->slots, r->cap * sizeof(struct rollout_slot *));
    fed_alloc_free(r->mem, r->by_alphabet, r->cap * sizeof(struct rollout_slot *));
    r->slots = slots;
    r->by_alphabet = sorted;
    r->cap = cap;
    return FED_OK;
}

enum fed_err rollout_order_of(const struct hub_rollout *r, struct fed_span cluster, uint64_t *order)
{
    struct fed_digest_state state;
    struct fed_digest digest;
    struct fed_span head = {digest.bytes, 8};
    enum fed_err err = fed_digest_begin(&state);

    if (err)
        return err;
    err = fed_digest_add(&state, fed_span_of(r->uid, r->options.uid.len));
    if (!err)
        err = fed_digest_add(&state, fed_span_of("", 1));
    if (!err)
        err = fed_digest_add(&state, cluster);
    if (err) {
        fed_digest_abort(&state);
        return err;
    }
    err = fed_digest_end(&state, &digest);
    return err ? err : fed_span_take_u64(&head, order);
}

static void slot_reset(struct hub_rollout *r, struct rollout_slot *slot)
{
    rollout_cause_drop(r, slot->said);
    rollout_cause_drop(r, slot->failed);
    slot->said = NULL;
    slot->failed = NULL;
    slot->state = HUB_ROLLOUT_PENDING;
    slot->version = r->from;
    slot->previous = 0;
    slot->copy = HUB_ROLLOUT_COPY_UNKNOWN;
    slot->health = HUB_ROLLOUT_HEALTH_UNKNOWN;
    slot->reach = ROLLOUT_REACH_UNKNOWN;
    slot->touched = slot->forgiven = slot->again = slot->pinned = slot->told = slot->heard = false;
    memset(slot->tries, 0, sizeof slot->tries);
    slot->wave = ROLLOUT_NO_WAVE;
    slot->since_ms = 0;
    slot->wait_ms = 0;
    slot->hold_ms = 0;
    slot->kept = false;
}

static enum fed_err slot_add(
    struct hub_rollout *r, struct fed_span cluster, struct rollout_slot **out)
{
    struct rollout_slot *slot;
    enum fed_err err = grow(r);

    if (err)
        return err;
    slot = fed_alloc_zero(r->mem, sizeof *slot + cluster.len);
    if (!slot)
        return FED_ERR_NOMEM;
    slot->name_len = (uint16_t)cluster.len;
    memcpy(slot->name, cluster.at, cluster.len);
    err = rollout_order_of(r, cluster, &slot->order);
    if (!err)
        err = fed_map_put(&r->by_name, cluster, slot);
    if (err) {
        fed_alloc_free(r->mem, slot, sizeof *slot + cluster.len);
        return err;
    }
    r->slots[r->n_slots++] = slot;
    *out = slot;
    return FED_OK;
}

enum fed_err rollout_slot_new(
    struct hub_rollout *r, struct fed_span cluster, struct rollout_slot **out)
{
    struct rollout_slot *slot = fed_map_get(&r->by_name, cluster);
    enum fed_err err;

    if (cluster.len == 0 || cluster.len > 253)
        return FED_ERR_INVALID;
    if (!slot) {
        if (r->n_slots == HUB_ROLLOUT_CLUSTERS_MAX)
            return FED_ERR_LIMIT;
        err = slot_add(r, cluster, &slot);
        if (err)
            return err;
    }
    slot->gone = false;
    slot_reset(r, slot);
    r->regroup = true;
    r->alphabet_stale = true;
    r->due = true;
    *out = slot;
    return FED_OK;
}

void rollout_slot_gone(struct hub_rollout *r, struct rollout_slot *slot)
{
    rollout_mark(r, slot, false);
    slot->gone = true;
    r->regroup = true;
    r->alphabet_stale = true;
}

void rollout_slot_free(struct hub_rollout *r, struct rollout_slot *slot)
{
    rollout_cause_drop(r, slot->said);
    rollout_cause_drop(r, slot->failed);
    fed_alloc_free(r->mem, slot, sizeof *slot + slot->name_len);
}

static void forget_gone(struct hub_rollout *r)
{
    struct rollout_slot **moved = &r->moved;
    size_t kept = 0;

    while (*moved) {
        if ((*moved)->gone)
            *moved = (*moved)->next_moved;
        else
            moved = &(*moved)->next_moved;
    }
    for (size_t i = 0; i < r->n_slots; i++) {
        struct rollout_slot *slot = r->slots[i];

        if (!slot->gone) {
            r->slots[kept++] = slot;
            continue;
        }
        fed_map_remove(&r->by_name, rollout_name(slot));
        rollout_slot_free(r, slot);
    }
    r->alphabet_stale = r->alphabet_stale || kept < r->n_slots;
    r->n_slots = kept;
}

/* ---- making ---- */

enum fed_err hub_rollout_new(
    const struct hub_rollout_options *options, struct hub_rollout_now now, struct hub_rollout **out)
{
    struct hub_rollout *r;

    if (options->uid.len >= sizeof r->uid)
        return FED_ERR_LIMIT;
    r = fed_alloc_zero(options->mem, sizeof *r);
    if (!r)
        return FED_ERR_NOMEM;
    r->mem = options->mem;
    r->options = *options;
    if (options->uid.len > 0)
        memcpy(r->uid, options->uid.at, options->uid.len);
    fed_map_init(&r->by_name, r->mem);
    fed_map_init(&r->causes, r->mem);
    rollout_clock_start(r, now);
    r->wake_ms = ROLLOUT_NEVER;
    r->record_changed = true;
    r->zones = fed_alloc_zero(r->mem, sizeof *r->zones);
    if (!r->zones) {
        hub_rollout_free(r);
        return FED_ERR_NOMEM;
    }
    r->n_zones = 1;
    *out = r;
    return FED_OK;
}

void hub_rollout_free(struct hub_rollout *r)
{
    if (!r)
        return;
    rollout_rest_free(r);
    for (size_t i = 0; i < r->n_slots; i++)
        rollout_slot_free(r, r->slots[i]);
    fed_alloc_free(r->mem, r->slots, r->cap * sizeof(struct rollout_slot *));
    fed_alloc_free(r->mem, r->by_alphabet, r->cap * sizeof(struct rollout_slot *));
    fed_alloc_free(r->mem, r->zones, r->n_zones * sizeof *r->zones);
    fed_alloc_free(r->mem, r->openings, r->n_openings * sizeof *r->openings);
    fed_map_fini(&r->by_name);
    fed_map_fini(&r->causes);
    hub_rollout_rules_free(r->rules);
    fed_alloc_free(r->mem, r, sizeof *r);
}

void hub_rollout_ready(struct hub_rollout *r)
{
    for (size_t i = 0; i < r->n_slots; i++)
        if (!r->slots[i]->told && !r->slots[i]->gone)
            rollout_slot_gone(r, r->slots[i]);
}

/* ---- clusters ---- */

enum fed_err hub_rollout_cluster(
    struct hub_rollout *r, struct fed_span cluster, const struct fed_json *labels)
{
    struct rollout_slot *slot = rollout_find(r, cluster);
    enum fed_err err = slot ? FED_OK : rollout_slot_new(r, cluster, &slot);

    if (!err)
        err = rollout_wave_match(r, slot, labels);
    return err;
}

void hub_rollout_cluster_gone(struct hub_rollout *r, struct fed_span cluster)
{
    struct rollout_slot *slot = rollout_find(r, cluster);

    if (slot)
        rollout_slot_gone(r, slot);
}

static void is_out(struct hub_rollout *r, struct rollout_slot *slot, int64_t since_ms)
{
    if (slot->reach == ROLLOUT_REACH_OUT)
        return;
    slot->reach = ROLLOUT_REACH_OUT;
    slot->offline_ms = since_ms > r->now_ms ? r->now_ms : since_ms;
    r->due = true;
}

/* The time out of reach does not count for its deadline. */
static void is_in(struct hub_rollout *r, struct rollout_slot *slot)
{
    int64_t from = slot->offline_ms > slot->wait_ms ? slot->offline_ms : slot->wait_ms;

    if (slot->reach == ROLLOUT_REACH_IN)
        return;
    if (slot->reach == ROLLOUT_REACH_OUT && slot->wait_ms && r->now_ms > from) {
        slot->wait_ms += r->now_ms - from;
        rollout_mark(r, slot, false);
    }
    slot->reach = ROLLOUT_REACH_IN;
    slot->in_ms = r->now_ms;
    slot->heard = true;
    r->due = true;
}

bool hub_rollout_reach(struct hub_rollout *r, struct fed_span cluster, int64_t offline_since_ms,
    struct hub_rollout_now now)
{
    struct rollout_slot *slot = rollout_find(r, cluster);

    rollout_clock(r, now);
    if (!slot)
        return false;
    if (offline_since_ms)
        is_out(r, slot, offline_since_ms - r->offset_ms);
    else
        is_in(r, slot);
    return true;
}

/* Who is through, or goes nowhere any more, is so in reach and out of it. */
static bool minds_reach(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    switch (r->phase) {
    case HUB_ROLLOUT_NONE:
    case HUB_ROLLOUT_ABORTED:
        return false;
    case HUB_ROLLOUT_COMPLETE:
        return slot->state != HUB_ROLLOUT_HEALTHY && slot->state != HUB_ROLLOUT_FAILED;
    case HUB_ROLLOUT_ROLLING_BACK:
    case HUB_ROLLOUT_ROLLED_BACK:
        return slot->state != HUB_ROLLOUT_PENDING && slot->state < HUB_ROLLOUT_RETURNED;
    default:
        return true;
    }
}

bool hub_rollout_moved(struct hub_rollout *r, struct fed_span cluster, bool reach)
{
    struct rollout_slot *slot = rollout_find(r, cluster);

    if (r->rest)
        return !reach && rollout_rest_moved(r, cluster);
    if (!slot || (reach && !minds_reach(r, slot)))
        return false;
    if (slot->moved)
        return true;
    slot->moved = true;
    slot->next_moved = r->moved;
    r->moved = slot;
    return true;
}

bool hub_rollout_next_moved(struct hub_rollout *r, struct fed_span *cluster)
{
    struct rollout_slot *slot = r->moved;

    if (r->rest)
        return rollout_rest_next_moved(r, cluster);
    if (!slot)
        return false;
    r->moved = slot->next_moved;
    slot->moved = false;
    *cluster = rollout_name(slot);
    return true;
}

/* The time for which it waited does not count. */
void hub_rollout_hold(struct hub_rollout *r, struct fed_span cluster,
    const struct hub_rollout_hold *hold, struct hub_rollout_now now)
{
    struct rollout_slot *slot = rollout_find(r, cluster);

    rollout_clock(r, now);
    if (!slot)
        return;
    if (slot->kept && !hold->kept && slot->wait_ms) {
        slot->wait_ms = r->now_ms;
        rollout_mark(r, slot, false);
    }
    if (hold->held != (slot->hold_ms != 0) || hold->kept != slot->kept ||
        hold->until_unix_s != slot->hold_until_s)
        r->due = true;
    if (!hold->held)
        slot->hold_ms = 0;
    else if (slot->hold_ms == 0)
        slot->hold_ms = r->now_ms;
    slot->kept = hold->kept;
    slot->hold_until_s = hold->until_unix_s;
}

static bool is_version(
    const struct hub_rollout *r, uint8_t version, const struct fed_digest *digest)
{
    static const struct fed_digest none;

    return fed_digest_eq(version ? &r->versions[version - 1] : &none, digest);
}

static bool has_cause(const struct hub_rollout_fact *fact)
{
    return fact->copy == HUB_ROLLOUT_COPY_FAILED || fact->health == HUB_ROLLOUT_HEALTH_BAD;
}

static bool says_same(const struct rollout_slot *slot, const struct hub_rollout_fact *fact)
{
    if (slot->copy != fact->copy || slot->health != fact->health)
        return false;
    return !has_cause(fact) || (fed_span_eq(rollout_cause_reason(slot->said), fact->reason) &&
                                   fed_span_eq(rollout_cause_message(slot->said), fact->message));
}

enum fed_err hub_rollout_note(struct hub_rollout *r, struct fed_span cluster,
    const struct hub_rollout_fact *fact, struct hub_rollout_now now)
{
    struct rollout_slot *slot = rollout_find(r, cluster);
    struct rollout_cause *said = NULL;

    rollout_clock(r, now);
    if (!slot)
        return FED_ERR_NOT_FOUND;
    if (!is_version(r, slot->version, &fact->version) || says_same(slot, fact))
        return FED_OK;
    if (has_cause(fact)) {
        said = rollout_cause_get(r, fact->reason, fact->message);
        if (!said)
            return FED_ERR_NOMEM;
    }
    rollout_cause_drop(r, slot->said);
    slot->said = said;
    slot->copy = (uint8_t)fact->copy;
    slot->health = (uint8_t)fact->health;
    r->due = true;
    return FED_OK;
}

enum hub_rollout_answer hub_rollout_answer(
    const struct hub_rollout *r, struct fed_span cluster, struct fed_digest *digest)
{
    const struct rollout_slot *slot = rollout_find(r, cluster);
    uint8_t version = slot ? slot->version : r->from;

    if (r->rest)
        return rollout_rest_answer(r, cluster, digest);
    if (version == 0)
        return HUB_ROLLOUT_ANSWER_NOTHING;
    *digest = r->versions[version - 1];
    return HUB_ROLLOUT_ANSWER_VERSION;
}

unsigned hub_rollout_tries(const struct hub_rollout *r, struct fed_span cluster)
{
    const struct rollout_slot *slot = rollout_find(r, cluster);

    if (r->rest)
        return rollout_rest_tries(r, cluster);
    return slot && slot->version ? slot->tries[slot->version - 1] : 0;
}

/* ---- what changed ---- */

bool hub_rollout_due(const struct hub_rollout *r)
{
    return r->due || r->regroup;
}

bool hub_rollout_is_cut(const struct hub_rollout *r)
{
    return r->cut;
}

void hub_rollout_each_changed(const struct hub_rollout *r, hub_rollout_each_change *each, void *ctx)
{
    for (const struct rollout_slot *slot = r->changes; slot; slot = slot->next_changed) {
        bool row = rollout_has_row(r, slot);
        struct hub_rollout_change change = {.cluster = rollout_name(slot),
            .answer = slot->answer_changed && !slot->gone,
            .row = slot->row_changed && row,
            .row_gone = slot->row_changed && !row && slot->stored};

        if (change.answer || change.row || change.row_gone)
            each(ctx, &change);
    }
}

bool hub_rollout_record_changed(const struct hub_rollout *r)
{
    return r->record_changed;
}

void hub_rollout_kept(struct hub_rollout *r)
{
    struct rollout_slot *next;
    bool gone = false;

    for (struct rollout_slot *slot = r->changes; slot; slot = next) {
        next = slot->next_changed;
        slot->stored = rollout_has_row(r, slot);
        slot->changed = slot->answer_changed = slot->row_changed = false;
        slot->next_changed = NULL;
        gone = gone || slot->gone;
    }
    r->changes = NULL;
    r->n_changes = 0;
    r->record_changed = false;
    if (gone)
        forget_gone(r);
}
