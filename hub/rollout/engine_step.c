/* engine_step.c - what is due: clusters go on by what is known of them, waves open, the next
 * clusters get their turn, or all goes back. */
#include "hub/rollout/engine_parts.h"

#include <string.h>

/* ---- one cluster ---- */

bool rollout_is_active(const struct hub_rollout *r)
{
    return r->phase == HUB_ROLLOUT_RUNNING || r->phase == HUB_ROLLOUT_SOAKING ||
           r->phase == HUB_ROLLOUT_AWAITING_APPROVAL;
}

/* Clusters may still be on their way to `to`. */
static bool goes_on(const struct hub_rollout *r)
{
    return rollout_is_active(r) || r->phase == HUB_ROLLOUT_PAUSED ||
           r->phase == HUB_ROLLOUT_COMPLETE;
}

/* Not all is well in its wave: whatever it had soaked is void, and so is what a person saw. */
static void disturb(struct hub_rollout *r, const struct rollout_slot *slot)
{
    struct rollout_wave *wave = &r->waves[slot->wave];

    if (wave->done || (!wave->ok_ms && !wave->approved))
        return;
    wave->ok_ms = 0;
    wave->approved = false;
    r->record_changed = true;
}

/* Memory out for the sentence: the failure counts all the same. That of one which was healthy with
 * the complete rollout is shown, and is no verdict on the version: whoever joins gets it. */
static void fail(struct hub_rollout *r, struct rollout_slot *slot, enum hub_rollout_state state,
    const char *otherwise)
{
    struct rollout_cause *cause =
        slot->said ? rollout_cause_keep(slot->said)
                   : rollout_cause_get(r, fed_span_text(otherwise), FED_SPAN_LIT(""));

    rollout_cause_drop(r, slot->failed);
    slot->failed = cause;
    slot->forgiven =
        r->phase == HUB_ROLLOUT_COMPLETE && (slot->state == HUB_ROLLOUT_HEALTHY || slot->forgiven);
    rollout_set_state(r, slot, state);
    if (state == HUB_ROLLOUT_FAILED)
        disturb(r, slot);
}

/* As far as is known it has not even fetched it, so it has its turn when it returns. */
static void take_back(struct hub_rollout *r, struct rollout_slot *slot)
{
    if (slot->state != HUB_ROLLOUT_RELEASED || slot->copy != HUB_ROLLOUT_COPY_UNKNOWN ||
        !slot->touched)
        return;
    rollout_give(r, slot, slot->previous);
    slot->touched = slot->previous != r->from && slot->previous != 0;
}

static void defer(struct hub_rollout *r, struct rollout_slot *slot)
{
    take_back(r, slot);
    rollout_set_state(r, slot, HUB_ROLLOUT_DEFERRED);
}

static bool is_to_defer(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    return !r->rules->hold && goes_on(r) && rollout_is_away(r, slot);
}

static void wait_anew(
    struct hub_rollout *r, struct rollout_slot *slot, enum hub_rollout_state state)
{
    slot->wait_ms = r->now_ms;
    rollout_set_state(r, slot, state);
}

static bool is_well(const struct rollout_slot *slot)
{
    return slot->copy == HUB_ROLLOUT_COPY_APPLIED && slot->health != HUB_ROLLOUT_HEALTH_BAD;
}

static bool is_bad(const struct rollout_slot *slot)
{
    return slot->copy == HUB_ROLLOUT_COPY_APPLIED && slot->health == HUB_ROLLOUT_HEALTH_BAD;
}

static bool is_refused(const struct rollout_slot *slot)
{
    return slot->copy == HUB_ROLLOUT_COPY_FAILED;
}

static void on_pending(struct hub_rollout *r, struct rollout_slot *slot)
{
    if (is_to_defer(r, slot))
        defer(r, slot);
}

static void on_released(struct hub_rollout *r, struct rollout_slot *slot)
{
    if (slot->kept && slot->previous != slot->version) { /* its hold began before it was sent */
        take_back(r, slot);
        rollout_set_state(r, slot, HUB_ROLLOUT_PENDING);
    } else if (is_refused(slot))
        fail(r, slot, HUB_ROLLOUT_FAILED, "Refused");
    else if (slot->copy == HUB_ROLLOUT_COPY_APPLIED)
        wait_anew(r, slot, HUB_ROLLOUT_APPLIED);
    else if (is_to_defer(r, slot))
        defer(r, slot);
    else if (rollout_is_late(r, slot))
        fail(r, slot, HUB_ROLLOUT_FAILED, "NotApplied");
}

static void on_applied(struct hub_rollout *r, struct rollout_slot *slot)
{
    if (is_refused(slot))
        fail(r, slot, HUB_ROLLOUT_FAILED, "Refused");
    else if (is_well(slot))
        rollout_set_state(r, slot, HUB_ROLLOUT_HEALTHY);
    else if (is_to_defer(r, slot))
        defer(r, slot);
    else if (rollout_is_late(r, slot))
        fail(r, slot, HUB_ROLLOUT_FAILED, "Unhealthy");
}

static void on_healthy(struct hub_rollout *r, struct rollout_slot *slot)
{
    if (is_refused(slot)) {
        fail(r, slot, HUB_ROLLOUT_FAILED, "Refused");
    } else if (is_bad(slot)) {
        wait_anew(r, slot, HUB_ROLLOUT_APPLIED);
        slot->forgiven = r->phase == HUB_ROLLOUT_COMPLETE;
        disturb(r, slot);
    } else if (!r->waves[slot->wave].done && is_to_defer(r, slot)) {
        defer(r, slot);
    }
}

/* Members find out why after a while: a pod's back-off comes after its crashes. */
static void on_failed(struct hub_rollout *r, struct rollout_slot *slot)
{
    if (is_well(slot)) {
        rollout_set_state(r, slot, HUB_ROLLOUT_HEALTHY);
    } else if (slot->said && slot->said != slot->failed) {
        rollout_cause_drop(r, slot->failed);
        slot->failed = rollout_cause_keep(slot->said);
        rollout_mark(r, slot, false);
    }
}

/* One that has the version already goes on from there; others wait for their turn. */
static void on_deferred(struct hub_rollout *r, struct rollout_slot *slot)
{
    if (slot->reach != ROLLOUT_REACH_IN ||
        (rollout_waits_long(r, slot) && rollout_is_away(r, slot)))
        return;
    if (slot->touched && slot->version == r->to)
        wait_anew(r, slot, HUB_ROLLOUT_RELEASED);
    else
        rollout_set_state(r, slot, HUB_ROLLOUT_PENDING);
}

static void on_returning(struct hub_rollout *r, struct rollout_slot *slot)
{
    if (slot->copy == HUB_ROLLOUT_COPY_APPLIED)
        rollout_set_state(r, slot, HUB_ROLLOUT_RETURNED);
    else if (is_refused(slot))
        fail(r, slot, HUB_ROLLOUT_STUCK, "Refused");
    else if (rollout_is_late(r, slot))
        fail(r, slot, HUB_ROLLOUT_STUCK, "NotApplied");
}

static void on_returned(struct hub_rollout *r, struct rollout_slot *slot)
{
    if (slot->state == HUB_ROLLOUT_STUCK && slot->copy == HUB_ROLLOUT_COPY_APPLIED)
        rollout_set_state(r, slot, HUB_ROLLOUT_RETURNED);
}

/* As far as it goes: a cluster may be released, applied and healthy at once. */
static void advance(struct hub_rollout *r, struct rollout_slot *slot)
{
    typedef void step_of(struct hub_rollout * r, struct rollout_slot * slot);
    static step_of *const steps[] = {on_pending, on_released, on_applied, on_healthy, on_failed,
        on_deferred, on_returning, on_returned, on_returned};
    uint8_t before;

    do {
        before = slot->state;
        steps[before](r, slot);
    } while (slot->state != before);
}

static void advance_all(struct hub_rollout *r)
{
    for (size_t i = 0; i < r->n_slots; i++) {
        if (!r->slots[i]->gone && !rollout_is_full(r))
            advance(r, r->slots[i]);
    }
}

/* ---- limits ---- */

size_t rollout_concurrency(const struct hub_rollout *r, size_t wave)
{
    return hub_rollout_share_up(&r->rules->waves[wave].concurrency, r->tallies[wave].counts.total);
}

bool rollout_over_limit(const struct hub_rollout *r)
{
    if (r->all.failures > hub_rollout_share_down(&r->rules->failures, r->all.counts.total))
        return true;
    for (size_t i = 0; i < r->rules->n_waves; i++)
        if (r->tallies[i].failures >
            hub_rollout_share_down(&r->rules->waves[i].failures, r->tallies[i].counts.total))
            return true;
    return false;
}

static void set_phase(struct hub_rollout *r, enum hub_rollout_phase phase)
{
    if (r->phase == phase)
        return;
    r->phase = (uint8_t)phase;
    r->end_ms = hub_rollout_phase_is_end(phase) ? r->now_ms : 0;
    r->record_changed = true;
}

/* Those that were touched and are not on their way back. */
static void return_some(struct hub_rollout *r)
{
    for (size_t i = 0; i < r->n_slots; i++) {
        struct rollout_slot *slot = r->slots[i];

        if (slot->gone || !slot->touched || slot->state >= HUB_ROLLOUT_RETURNING)
            continue;
        if (rollout_is_full(r))
            return;
        rollout_give(r, slot, r->from);
        wait_anew(r, slot, HUB_ROLLOUT_RETURNING);
    }
}

void rollout_return(struct hub_rollout *r)
{
    set_phase(r, HUB_ROLLOUT_ROLLING_BACK);
    return_some(r);
}

/* True: from now on it is another phase's turn. */
static bool stop_at_limit(struct hub_rollout *r)
{
    if (!rollout_over_limit(r))
        return false;
    r->failed = true;
    r->record_changed = true;
    if (r->rules->rollback && r->from && r->from != r->to)
        rollout_return(r);
    else
        set_phase(r, HUB_ROLLOUT_PAUSED);
    return true;
}

/* ---- gates ---- */

bool rollout_is_last(const struct hub_rollout *r, size_t wave)
{
    for (size_t i = wave + 1; i < r->rules->n_waves; i++)
        if (r->tallies[i].all > 0)
            return false;
    return true;
}

/* Healthy clusters that speak for opening what follows: an empty wave has those before it. */
size_t rollout_proof(const struct hub_rollout *r, size_t wave)
{
    size_t proof = r->tallies[wave].counts.healthy;

    if (r->tallies[wave].all > 0)
        return proof;
    for (size_t i = 0; i < wave; i++)
        proof += r->tallies[i].counts.healthy;
    return proof;
}

int64_t rollout_soaked_ms(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    return slot->since_ms + (int64_t)r->rules->waves[slot->wave].soak_ms;
}

/* The wave was well for so long, and enough of those that are healthy now were all the time: one
 * that came late does not stand in for one that got lost. */
static bool is_soaked(const struct hub_rollout *r, size_t wave)
{
    if (r->now_ms - r->waves[wave].ok_ms < (int64_t)r->rules->waves[wave].soak_ms)
        return false;
    return r->tallies[wave].all == 0 || rollout_is_last(r, wave) ||
           r->tallies[wave].proven >= r->rules->min_reported;
}

static bool is_proven(const struct hub_rollout *r, size_t wave)
{
    if (rollout_is_last(r, wave))
        return r->all.counts.healthy > 0;
    return rollout_proof(r, wave) >= r->rules->min_reported;
}

static bool is_finished(const struct hub_rollout *r, size_t wave)
{
    const struct rollout_tally *tally = &r->tallies[wave];

    return tally->counts.pending == 0 && tally->counts.updating == 0 && tally->silent == 0 &&
           tally->away == 0;
}

static void set_ok(struct hub_rollout *r, struct rollout_wave *wave, int64_t ok_ms)
{
    if (wave->ok_ms == ok_ms)
        return;
    wave->ok_ms = ok_ms;
    r->record_changed = true;
}

static void close_wave(struct hub_rollout *r, struct rollout_wave *wave)
{
    wave->done = true;
    wave->end_ms = r->now_ms;
    r->record_changed = true;
}

/* Whether the gate behind the open wave lets through; the phase says what it waits for. */
static bool gate_opens(struct hub_rollout *r)
{
    const struct hub_rollout_wave *rules = &r->rules->waves[r->open];
    struct rollout_wave *wave = &r->waves[r->open];

    if (!wave->begun || !is_proven(r, r->open))
        set_ok(r, wave, 0);
    else if (!wave->ok_ms && is_finished(r, r->open))
        set_ok(r, wave, r->now_ms);
    if (wave->ok_ms && !is_soaked(r, r->open))
        set_phase(r, HUB_ROLLOUT_SOAKING);
    else if (wave->ok_ms && rules->approval && !wave->approved && !rollout_is_last(r, r->open))
        set_phase(r, HUB_ROLLOUT_AWAITING_APPROVAL);
    else if (!wave->ok_ms ||
             !is_finished(r, r->open)) /* somebody came late: one more to wait for */
        set_phase(r, HUB_ROLLOUT_RUNNING);
    else
        return true;
    return false;
}

/* The first one waits for somebody to be in it or behind it: who is in a wave by size is settled
 * when it begins. */
static void open_gates(struct hub_rollout *r)
{
    if (!r->waves[r->open].begun && r->all.all > 0 && !rollout_wave_begin(r, r->open))
        return;
    while (gate_opens(r)) {
        struct rollout_wave *wave = &r->waves[r->open];

        if (rollout_is_last(r, r->open)) {
            close_wave(r, wave);
            set_phase(r, HUB_ROLLOUT_COMPLETE);
            return;
        }
        set_phase(r, HUB_ROLLOUT_RUNNING);
        if (!rollout_wave_begin(r, r->open + 1u))
            return; /* and the gate is looked at once more */
        close_wave(r, wave);
    }
}

/* ---- turns ---- */

static bool is_next(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    return !slot->gone && slot->state == HUB_ROLLOUT_PENDING && slot->told &&
           slot->reach == ROLLOUT_REACH_IN &&
           (r->waves[slot->wave].begun || r->phase == HUB_ROLLOUT_COMPLETE);
}

static void release(struct hub_rollout *r, struct rollout_slot *slot)
{
    /* It has it from elsewhere: nothing is sent, and its copy is known. */
    bool has = rollout_has_it(r, slot);

    slot->previous = slot->version; /* which is never taken back from who has it */
    if (!has) {
        slot->touched = r->to != r->from;
        slot->pinned = slot->pinned || !slot->touched; /* in the wave that it had its turn in */
        rollout_give(r, slot, r->to);
    }
    if (slot->again)
        rollout_give_again(r, slot);
    wait_anew(r, slot, HUB_ROLLOUT_RELEASED);
    advance(r, slot);
}

/* True: it has its turn now. */
static bool has_turn(struct hub_rollout *r, struct rollout_slot *slot, size_t places)
{
    const struct rollout_opening *opening = NULL;
    bool has = rollout_has_it(r, slot);

    if (!has)
        opening = rollout_opening(r, slot);
    slot->held = (opening && !opening->open) || rollout_waits(r, slot);
    if (slot->held)
        return false;
    return places > 0 || (has && is_well(slot));
}

/* Of those that have the version already, or of the others. True when somebody got the turn. */
static bool release_those(struct hub_rollout *r, size_t places[ROLLOUT_WAVES], bool having)
{
    bool released = false;

    for (size_t i = 0; i < r->n_slots; i++) {
        struct rollout_slot *slot = r->slots[i];

        if (!is_next(r, slot) || rollout_has_it(r, slot) != having ||
            !has_turn(r, slot, places[slot->wave]) || rollout_is_full(r))
            continue;
        release(r, slot);
        released = true;
        if (slot->state == HUB_ROLLOUT_RELEASED || slot->state == HUB_ROLLOUT_APPLIED)
            places[slot->wave]--;
    }
    return released;
}

/* Those that have it first: what is known of them may stop it before anybody else begins. */
static bool release_all(struct hub_rollout *r)
{
    size_t places[ROLLOUT_WAVES];

    for (size_t i = 0; i < r->rules->n_waves; i++) {
        size_t limit = rollout_concurrency(r, i);
        size_t used = r->tallies[i].counts.updating;

        places[i] = limit > used ? limit - used : 0;
    }
    return release_those(r, places, true) || release_those(r, places, false);
}

/* Nobody in reach is waited for any more. */
static void end_return(struct hub_rollout *r)
{
    return_some(r);
    if (r->cut)
        return;
    for (size_t i = 0; i < r->n_slots; i++) {
        const struct rollout_slot *slot = r->slots[i];

        if (!slot->gone && slot->state == HUB_ROLLOUT_RETURNING && !slot->kept &&
            !rollout_is_away(r, slot))
            return;
    }
    set_phase(r, HUB_ROLLOUT_ROLLED_BACK);
}

/* ---- all ---- */

/* Whoever waits for a window is found again. */
static void forget_held(struct hub_rollout *r)
{
    for (size_t i = 0; i < r->n_slots; i++)
        r->slots[i]->held = false;
}

/* True: once more, as what it did may make more due. */
static bool decide(struct hub_rollout *r)
{
    forget_held(r);
    if (rollout_is_active(r)) {
        if (stop_at_limit(r))
            return true;
        open_gates(r);
        return release_all(r);
    }
    if (r->phase == HUB_ROLLOUT_COMPLETE && !rollout_over_limit(r))
        return release_all(r);
    if (r->phase == HUB_ROLLOUT_PAUSED && !r->failed && rollout_over_limit(r))
        r->failed = r->record_changed = true;
    if (r->phase == HUB_ROLLOUT_ROLLING_BACK)
        end_return(r);
    return false;
}

enum fed_err hub_rollout_step(struct hub_rollout *r, struct hub_rollout_now now)
{
    bool again;

    rollout_clock(r, now);
    if (r->phase == HUB_ROLLOUT_NONE || !r->rules || r->rest) {
        r->due = r->regroup = false;
        return FED_OK;
    }
    r->cut = false;
    rollout_mark_some(r);
    again = !r->cut;
    if (r->regroup)
        rollout_regroup(r);
    while (again) {
        advance_all(r);
        rollout_tally(r);
        again = !r->cut && decide(r) && !r->cut;
    }
    rollout_tally(r);
    rollout_set_timers(r);
    r->due = r->cut;
    return FED_OK;
}
