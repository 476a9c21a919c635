/* engine_act.c - new changes, and what people do. */
#include "hub/rollout/engine_parts.h"

#include <string.h>

/* ---- texts ---- */

static const char *const action_texts[] = {"pause", "resume", "approve", "retry", "abort", "undo"};

enum fed_err hub_rollout_action_parse(
    struct fed_span text, enum hub_rollout_action *out, struct fed_diag *diag)
{
    for (size_t i = 0; i < sizeof action_texts / sizeof *action_texts; i++)
        if (fed_span_is(text, action_texts[i])) {
            *out = (enum hub_rollout_action)i;
            return FED_OK;
        }
    return fed_diag_set(
        diag, FED_ERR_INVALID, "must be one of pause, resume, approve, retry, abort, undo");
}

const char *hub_rollout_action_text(enum hub_rollout_action action)
{
    return action_texts[action];
}

/* ---- a new change ---- */

void hub_rollout_adopt(struct hub_rollout *r, const struct fed_digest *content)
{
    if (r->phase != HUB_ROLLOUT_NONE)
        return;
    r->versions[0] = *content;
    r->n_versions = 1;
    r->from = 1;
    r->record_changed = true;
    r->due = true;
    for (size_t i = 0; i < r->n_slots; i++)
        if (r->slots[i]->version != r->from) {
            r->slots[i]->version = r->from;
            rollout_mark(r, r->slots[i], true);
        }
}

/* Versions that are still of use, numbered anew. */
struct versions {
    struct fed_digest at[HUB_ROLLOUT_VERSIONS_MAX];
    uint8_t n;
    uint8_t numbers[HUB_ROLLOUT_VERSIONS_MAX + 1]; /* by the old number */
    uint8_t from, to;
};

/* 0: there is no room. */
static uint8_t add_version(struct versions *versions, const struct fed_digest *digest)
{
    for (uint8_t i = 0; i < versions->n; i++)
        if (fed_digest_eq(&versions->at[i], digest))
            return (uint8_t)(i + 1);
    if (versions->n == HUB_ROLLOUT_VERSIONS_MAX)
        return 0;
    versions->at[versions->n++] = *digest;
    return versions->n;
}

static bool renumber(const struct hub_rollout *r, const struct fed_digest *to, struct versions *out)
{
    uint8_t base = r->phase == HUB_ROLLOUT_COMPLETE ? r->to : r->from;

    memset(out, 0, sizeof *out);
    if (base)
        out->from = out->numbers[base] = add_version(out, &r->versions[base - 1]);
    out->to = add_version(out, to);
    for (size_t i = 0; i < r->n_slots; i++) {
        uint8_t old = r->slots[i]->version;

        if (r->slots[i]->gone || old == 0 || out->numbers[old])
            continue;
        out->numbers[old] = add_version(out, &r->versions[old - 1]);
        if (!out->numbers[old])
            return false;
    }
    return true;
}

/* What it was told of a version stays true of it: it would be another work. */
static void renumber_tries(struct rollout_slot *slot, const struct versions *versions)
{
    uint8_t tries[HUB_ROLLOUT_VERSIONS_MAX] = {0};

    for (size_t i = 0; i < HUB_ROLLOUT_VERSIONS_MAX; i++)
        if (versions->numbers[i + 1])
            tries[versions->numbers[i + 1] - 1] = slot->tries[i];
    memcpy(slot->tries, tries, sizeof tries);
}

static void begin_slot(
    struct hub_rollout *r, struct rollout_slot *slot, const struct versions *versions)
{
    uint8_t version = versions->numbers[slot->version];

    rollout_cause_drop(r, slot->failed);
    slot->failed = NULL;
    slot->touched = slot->touched && version != versions->from;
    slot->version = version;
    slot->previous = 0;
    slot->state = HUB_ROLLOUT_PENDING;
    slot->forgiven = slot->again = slot->pinned = slot->told = slot->stored = false;
    renumber_tries(slot, versions);
    slot->wave = ROLLOUT_NO_WAVE;
    slot->since_ms = r->now_ms;
    slot->wait_ms = 0;
}

static void set_versions(struct hub_rollout *r, const struct versions *versions)
{
    memcpy(r->versions, versions->at, sizeof r->versions);
    r->n_versions = versions->n;
    r->from = versions->from;
    r->to = versions->to;
}

static void take_rules(struct hub_rollout *r, struct hub_rollout_rules *rules)
{
    struct hub_rollout_rules *old = r->rules;

    r->rules = hub_rollout_rules_keep(rules);
    hub_rollout_rules_free(old);
    rollout_openings_forget(r);
    memset(r->waves, 0, sizeof r->waves);
    r->open = 0;
    r->regroup = true;
    r->due = true;
    r->record_changed = true;
}

/* Everybody has it: there is nothing to prove. Nobody known yet is not everybody. */
static bool is_everywhere(const struct hub_rollout *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_slots; i++) {
        if (r->slots[i]->gone)
            continue;
        if (r->slots[i]->version != r->to)
            return false;
        n++;
    }
    return n > 0 || r->from == r->to;
}

static void complete_at_once(struct hub_rollout *r)
{
    for (size_t i = 0; i < r->rules->n_waves; i++)
        r->waves[i] = (struct rollout_wave){
            .begun = true, .done = true, .start_ms = r->now_ms, .end_ms = r->now_ms};
    r->open = (uint8_t)(r->rules->n_waves - 1);
    r->phase = HUB_ROLLOUT_COMPLETE;
    r->end_ms = r->now_ms;
}

enum fed_err hub_rollout_begin(struct hub_rollout *r, struct hub_rollout_rules *rules,
    const struct fed_digest *to, struct hub_rollout_now now)
{
    struct versions versions;

    rollout_clock(r, now);
    if (!renumber(r, to, &versions))
        return FED_ERR_BUSY;
    for (size_t i = 0; i < r->n_slots; i++)
        begin_slot(r, r->slots[i], &versions);
    set_versions(r, &versions);
    take_rules(r, rules);
    r->marking = ROLLOUT_MARKS_NONE;
    r->failed = false;
    r->start_ms = r->now_ms;
    r->end_ms = 0;
    r->phase = HUB_ROLLOUT_RUNNING;
    for (size_t i = 0; i < r->n_slots; i++)
        if (rollout_has_row(r, r->slots[i]))
            rollout_mark(r, r->slots[i], false);
    if (is_everywhere(r))
        complete_at_once(r);
    return FED_OK;
}

enum fed_err hub_rollout_set_rules(struct hub_rollout *r, struct hub_rollout_rules *rules)
{
    if (r->rules && fed_json_eq(r->rules->spec, rules->spec))
        return FED_OK;
    take_rules(r, rules);
    for (size_t i = 0; i < r->n_slots; i++) {
        struct rollout_slot *slot = r->slots[i];

        slot->told = slot->pinned = false;
        slot->wave = ROLLOUT_NO_WAVE;
        if (slot->stored || rollout_has_row(r, slot))
            rollout_mark(r, slot, false);
    }
    return FED_OK;
}

/* ---- people ---- */

static enum fed_err no(const struct hub_rollout *r, struct fed_diag *diag, const char *why)
{
    const char *phase = hub_rollout_phase_text((enum hub_rollout_phase)r->phase);

    return fed_diag_set(
        diag, FED_ERR_CONFLICT, "the rollout is %s: %s", phase[0] ? phase : "not begun", why);
}

static enum fed_err may_approve(
    const struct hub_rollout *r, struct fed_span wave, struct fed_diag *diag)
{
    if (r->phase != HUB_ROLLOUT_AWAITING_APPROVAL)
        return no(r, diag, "no wave waits for approval");
    if (wave.len > 0 && !fed_span_eq(wave, r->rules->waves[r->open].name))
        return fed_diag_set(diag, FED_ERR_CONFLICT,
            "it is wave " FED_SPAN_FMT " that waits for approval",
            FED_SPAN_ARG(r->rules->waves[r->open].name));
    return FED_OK;
}

static bool has_failed(const struct hub_rollout *r)
{
    if (r->marking == ROLLOUT_MARKS_RETRIED) /* it is being seen to */
        return false;
    for (size_t i = 0; i < r->n_slots; i++)
        if (!r->slots[i]->gone &&
            (r->slots[i]->state == HUB_ROLLOUT_FAILED || r->slots[i]->state == HUB_ROLLOUT_STUCK))
            return true;
    return false;
}

static enum fed_err may_retry(const struct hub_rollout *r, struct fed_diag *diag)
{
    if (r->phase == HUB_ROLLOUT_PAUSED || r->phase == HUB_ROLLOUT_ROLLED_BACK ||
        r->phase == HUB_ROLLOUT_ABORTED)
        return FED_OK;
    if ((rollout_is_active(r) || r->phase == HUB_ROLLOUT_COMPLETE) && has_failed(r))
        return FED_OK;
    return no(r, diag,
        r->phase == HUB_ROLLOUT_ROLLING_BACK ? "retry it when it is rolled back"
                                             : "no cluster has failed");
}

static enum fed_err may_undo(const struct hub_rollout *r, struct fed_diag *diag)
{
    if (r->phase == HUB_ROLLOUT_NONE || r->phase == HUB_ROLLOUT_ROLLING_BACK ||
        r->phase == HUB_ROLLOUT_ROLLED_BACK)
        return no(r, diag, "there is nothing to undo");
    if (!r->from)
        return no(r, diag, "there is no version before it");
    if (r->from == r->to)
        return no(r, diag, "it goes to the version that was before it");
    return FED_OK;
}

enum fed_err hub_rollout_may(const struct hub_rollout *r, enum hub_rollout_action action,
    struct fed_span wave, struct fed_diag *diag)
{
    bool going = rollout_is_active(r) || r->phase == HUB_ROLLOUT_PAUSED;

    switch (action) {
    case HUB_ROLLOUT_PAUSE:
        return rollout_is_active(r) ? FED_OK : no(r, diag, "there is nothing to pause");
    case HUB_ROLLOUT_RESUME:
        return r->phase == HUB_ROLLOUT_PAUSED ? FED_OK : no(r, diag, "it is not paused");
    case HUB_ROLLOUT_APPROVE:
        return may_approve(r, wave, diag);
    case HUB_ROLLOUT_RETRY:
        return may_retry(r, diag);
    case HUB_ROLLOUT_ABORT:
        return going || r->phase == HUB_ROLLOUT_ROLLING_BACK
                   ? FED_OK
                   : no(r, diag, "there is nothing to abort");
    case HUB_ROLLOUT_UNDO:
        return may_undo(r, diag);
    }
    return FED_ERR_INVALID;
}

/* The member may have given the version up, or gone back from it by itself: it does not try the
 * same again until it is told. One that has the version before is given this one anew. */
static bool is_given_up(const struct rollout_slot *slot)
{
    return slot->copy == HUB_ROLLOUT_COPY_FAILED || slot->state == HUB_ROLLOUT_RETURNING ||
           slot->state == HUB_ROLLOUT_STUCK;
}

/* Each is for whom it is for until it is done. */
static bool is_to_mark(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    bool failed = slot->state == HUB_ROLLOUT_FAILED;

    if (slot->gone)
        return false;
    return r->marking == ROLLOUT_MARKS_ACCEPTED ? failed && !slot->forgiven
                                                : failed || slot->state >= HUB_ROLLOUT_RETURNING;
}

/* What failed has another deadline. */
static void retry_one(struct hub_rollout *r, struct rollout_slot *slot)
{
    slot->again = is_given_up(slot);
    slot->touched = slot->touched && slot->state == HUB_ROLLOUT_FAILED;
    slot->wait_ms = 0;
    rollout_set_state(r, slot, HUB_ROLLOUT_PENDING);
    rollout_mark(r, slot, false);
    r->regroup = true;
}

static void mark_one(struct hub_rollout *r, struct rollout_slot *slot)
{
    if (r->marking == ROLLOUT_MARKS_RETRIED) {
        retry_one(r, slot);
        return;
    }
    slot->forgiven = true;
    rollout_mark(r, slot, false);
}

void rollout_mark_some(struct hub_rollout *r)
{
    for (size_t i = 0; r->marking && i < r->n_slots; i++) {
        if (!is_to_mark(r, r->slots[i]))
            continue;
        if (rollout_is_full(r))
            return;
        mark_one(r, r->slots[i]);
    }
    if (r->marking)
        r->record_changed = true;
    r->marking = ROLLOUT_MARKS_NONE;
}

/* Somebody acts again: what was asked for before comes first, all of it. */
static void mark_all(struct hub_rollout *r)
{
    for (size_t i = 0; r->marking && i < r->n_slots; i++)
        if (is_to_mark(r, r->slots[i]))
            mark_one(r, r->slots[i]);
    r->marking = ROLLOUT_MARKS_NONE;
}

static void go_on(struct hub_rollout *r)
{
    r->phase = HUB_ROLLOUT_RUNNING;
    r->failed = false;
    r->end_ms = 0;
}

/* A person has seen what failed. */
static void resume(struct hub_rollout *r)
{
    if (r->failed)
        r->marking = ROLLOUT_MARKS_ACCEPTED;
    go_on(r);
}

static void approve(struct hub_rollout *r, struct fed_span user)
{
    struct rollout_wave *wave = &r->waves[r->open];

    wave->approved = true;
    if (fed_span_to_cstr(fed_span_sub(user, 0, ROLLOUT_USER_MAX), wave->user, sizeof wave->user))
        wave->user[0] = '\0';
}

static bool has_gone_back(const struct hub_rollout *r)
{
    for (size_t i = 0; i < r->n_slots; i++)
        if (!r->slots[i]->gone && r->slots[i]->state >= HUB_ROLLOUT_RETURNING)
            return true;
    return r->phase == HUB_ROLLOUT_ROLLED_BACK;
}

/* What went back, be it in part, begins anew with the first wave: what opened the gates is no proof
 * any more. */
static void retry(struct hub_rollout *r)
{
    bool anew = has_gone_back(r);

    r->marking = ROLLOUT_MARKS_RETRIED;
    if (anew)
        memset(r->waves, 0, sizeof r->waves);
    if (anew)
        r->open = 0;
    r->regroup = true;
    go_on(r);
    r->waves[r->open].done = false;
    r->waves[r->open].approved = false;
    r->waves[r->open].ok_ms = 0;
    r->waves[r->open].end_ms = 0;
}

enum fed_err hub_rollout_act(struct hub_rollout *r, enum hub_rollout_action action,
    struct fed_span wave, struct fed_span user, struct hub_rollout_now now, struct fed_diag *diag)
{
    enum fed_err err = hub_rollout_may(r, action, wave, diag);

    if (err)
        return err;
    rollout_clock(r, now);
    mark_all(r);
    r->record_changed = true;
    r->due = true;
    switch (action) {
    case HUB_ROLLOUT_PAUSE:
        r->phase = HUB_ROLLOUT_PAUSED;
        break;
    case HUB_ROLLOUT_RESUME:
        resume(r);
        break;
    case HUB_ROLLOUT_APPROVE:
        approve(r, user);
        break;
    case HUB_ROLLOUT_RETRY:
        retry(r);
        break;
    case HUB_ROLLOUT_ABORT:
        r->phase = HUB_ROLLOUT_ABORTED;
        r->end_ms = r->now_ms;
        break;
    case HUB_ROLLOUT_UNDO:
        r->failed = false;
        rollout_return(r);
        break;
    }
    return FED_OK;
}
