/* apply_drift.c - what lists and watches say about an entry's object: health, versions, and foreign
 * changes, which are put back at a bounded rate or only reported (see apply.h, docs/drift.md).
 *
 * Whether something changed is told by the digest over our managedFields entry (seen.h). An object
 * that is out of sight (deleted, unlabelled, or missing in a list) is looked at by itself first,
 * with entry->verify: only what that finds is a change. */
#include "agent/apply_inner.h"

#include "agent/drift.h"
#include "agent/render.h"
#include "agent/trial.h"
#include "agent/wish.h"

#include <stdio.h>
#include <string.h>

#define CONTESTED "Contested"
#define DRIFTED "Drifted"
#define LEFT "; left so (fedlet.io/drift: report)"
#define BEING_DELETED "BeingDeleted"
#define DELETING_FLOOR_MS 15000u /* the watch says when it is gone */
#define DELETING_CEILING_MS 60000u

static void changed(struct agent_apply *apply, struct agent_entry *entry)
{
    apply->events.changed(apply->events.ctx, entry);
}

/* ---- the times of a foreign change ---- */

static void arm(struct agent_apply *apply)
{
    uint64_t next_ms = UINT64_MAX;

    for (size_t i = 0; i < apply->table->n; i++) {
        const struct agent_fight *fight = apply->table->at[i]->fight;

        if (fight && fight->quiet_ms < next_ms)
            next_ms = fight->quiet_ms;
    }
    if (next_ms != UINT64_MAX)
        agent_timer_at(&apply->ports, apply->drift_timer, next_ms);
}

/* NULL when memory is out: then it is put back like the first one. */
static struct agent_fight *fight_of(struct agent_apply *apply, struct agent_entry *entry)
{
    if (!entry->fight)
        entry->fight = fed_alloc_zero(apply->ports.mem, sizeof *entry->fight);
    return entry->fight;
}

static void quiet_in(struct agent_apply *apply, struct agent_fight *fight)
{
    fight->quiet_ms = apply_now(apply) + AGENT_FIGHT_WINDOW_MS + fight->wait_ms;
    arm(apply);
}

/* The next pause: it doubles, and half of it is random. */
static uint32_t next_pause(
    struct agent_apply *apply, struct agent_fight *fight, uint32_t floor_ms, uint32_t ceiling_ms)
{
    uint32_t full_ms = fight->pause_ms ? fight->pause_ms : floor_ms;

    fight->pause_ms = full_ms > ceiling_ms / 2 ? ceiling_ms : full_ms * 2;
    fight->wait_ms = full_ms / 2 + full_ms / 2 * (agent_spread(&apply->ports) + 1u) / 256u;
    return fight->wait_ms;
}

static bool has_reason(const struct agent_entry *entry, const char *reason)
{
    return strcmp(entry->reason, reason) == 0;
}

/* Nobody changes it any more. */
static void end_fight(struct agent_apply *apply, struct agent_entry *entry)
{
    char name[AGENT_ENTRY_NAME_SIZE];

    if (agent_entry_is_held_to(entry) && has_reason(entry, CONTESTED)) {
        fed_log(apply->ports.log, FED_LOG_INFO, "%s: nobody changes it any more",
            agent_entry_name(entry, name));
        agent_trial_settled(apply->table, entry);
        changed(apply, entry);
    }
    agent_entry_forget_fight(apply->ports.mem, entry);
}

void apply_drift_timer(void *ctx)
{
    struct agent_apply *apply = ctx;
    uint64_t now_ms = apply_now(apply);

    for (size_t i = 0; i < apply->table->n; i++) {
        struct agent_entry *entry = apply->table->at[i];

        if (!entry->fight || entry->fight->quiet_ms > now_ms)
            continue;
        if (entry->busy || entry->step != AGENT_STEP_NONE)
            entry->fight->quiet_ms = now_ms + AGENT_FIGHT_WINDOW_MS;
        else
            end_fight(apply, entry);
    }
    arm(apply);
}

/* ---- who did what ---- */

static enum fed_err find(struct agent_apply *apply, struct agent_entry *entry,
    const struct agent_seen *seen, struct fed_buf *body, struct agent_drift *drift)
{
    const char *reason;
    struct fed_json_doc *doc = NULL;
    struct fed_json *wanted = NULL;
    struct fed_arena arena;
    enum fed_err err;

    fed_arena_init(&arena, apply->ports.mem, AGENT_OBJECT_ARENA_MAX);
    err = agent_render_apply(apply->state, entry, body, &reason, NULL);
    if (!err)
        err = fed_json_doc_new(&arena.alloc, &doc);
    if (!err)
        err = fed_json_parse(doc, fed_buf_span(body), &wanted, NULL);
    if (!err)
        agent_drift_find(doc, wanted, seen->object, drift);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
    return err;
}

/* "spec.replicas is set by \"kubectl\"", or how the object itself came to be another. */
static void describe(struct agent_apply *apply, struct agent_entry *entry,
    const struct agent_seen *seen, char out[AGENT_DRIFT_TEXT_MAX + 1])
{
    struct agent_drift drift;
    struct fed_buf body;
    struct fed_buf text;

    if (!seen || strcmp(seen->uid, entry->uid) != 0) {
        snprintf(out, AGENT_DRIFT_TEXT_MAX + 1,
            seen ? "another object of that name is there" : "deleted in the member");
        return;
    }
    fed_buf_init(&body, apply->ports.mem, AGENT_BODY_MAX);
    fed_buf_init(&text, apply->ports.mem, 1024);
    if (find(apply, entry, seen, &body, &drift))
        drift = (struct agent_drift){0};
    agent_drift_put(&text, &drift);
    snprintf(
        out, AGENT_DRIFT_TEXT_MAX + 1, "%s", fed_buf_err(&text) ? "changed" : fed_buf_cstr(&text));
    fed_buf_fini(&text);
    fed_buf_fini(&body);
}

/* ---- putting back ---- */

/* Counts one more, waited for until due_ms; true when it is one too many. What the total rate makes
 * it wait does not count: slowness does not make a fight peace. */
static bool is_fight(struct agent_fight *fight, uint64_t now_ms, uint64_t due_ms)
{
    if (!fight->contested && now_ms > fight->began_ms + AGENT_FIGHT_WINDOW_MS)
        *fight = (struct agent_fight){.began_ms = now_ms};
    fight->restores++;
    if (!fight->contested)
        fight->began_ms += due_ms - now_ms;
    fight->contested = fight->contested || fight->restores > AGENT_FIGHT_RESTORES;
    return fight->contested;
}

static void contest(struct agent_apply *apply, struct agent_entry *entry, const char *what)
{
    struct agent_fight *fight = entry->fight;
    uint64_t now_ms = apply_now(apply);
    uint32_t pause_ms =
        next_pause(apply, fight, AGENT_FIGHT_PAUSE_FLOOR_MS, AGENT_FIGHT_PAUSE_CEILING_MS);
    struct fed_diag message;
    struct apply_line line;

    if (entry->due_ms < now_ms + pause_ms)
        entry->due_ms = now_ms + pause_ms;
    fed_diag_set(&message, FED_OK, "%s; put back %u times in %llu s, next try in %llu s", what,
        (unsigned)(fight->restores - 1),
        (unsigned long long)(now_ms > fight->began_ms ? now_ms - fight->began_ms + 999 : 999) /
            1000,
        (unsigned long long)(entry->due_ms - now_ms + 999) / 1000);
    agent_entry_note_fight(apply->ports.mem, entry, what);
    agent_entry_set(apply->table, entry, FED_WORK_FAILED, CONTESTED, message.text);
    fed_log_about(apply->ports.log, FED_LOG_WARN, apply_about(&line, entry, CONTESTED),
        "contested: %s", message.text);
    changed(apply, entry);
}

static void put_back(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    const struct agent_seen *seen)
{
    uint64_t now_ms = apply_now(apply);
    struct agent_fight *fight = fight_of(apply, entry);
    struct apply_line line;
    char what[AGENT_DRIFT_TEXT_MAX + 1];

    describe(apply, entry, seen, what);
    if (step == AGENT_STEP_APPLY)
        memcpy(entry->uid, seen ? seen->uid : "", seen ? sizeof entry->uid : 1);
    agent_entry_plan(
        entry, step, agent_budget_reserve(&apply->restores, AGENT_RESTORE_RATE, now_ms));
    if (fight && is_fight(fight, now_ms, entry->due_ms)) {
        apply->counts.contested++;
        contest(apply, entry, what);
    } else {
        apply->counts.restored++;
        fed_log_about(apply->ports.log, FED_LOG_INFO, apply_about(&line, entry, DRIFTED),
            "%s; put back", what);
    }
    if (fight) {
        fight->drift_rv = seen ? seen->resource_version : 0;
        quiet_in(apply, fight);
    }
    agent_apply_kick(apply);
}

/* What kept it from being put back is over, the fight is not. */
static void still_contested(struct agent_apply *apply, struct agent_entry *entry)
{
    const struct agent_fight *fight = entry->fight;
    struct fed_diag message;

    fed_diag_set(&message, FED_OK, "%s; put back %u times", fight->what ? fight->what : "changed",
        (unsigned)fight->restores);
    agent_entry_set(apply->table, entry, FED_WORK_FAILED, CONTESTED, message.text);
}

/* An apply that moved nothing had nothing to put back. */
void apply_drift_applied(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen)
{
    struct agent_fight *fight = entry->fight;

    if (fight && fight->drift_rv != 0 && fight->drift_rv == seen->resource_version) {
        agent_entry_forget_fight(apply->ports.mem, entry);
        fight = NULL;
    }
    if (fight)
        quiet_in(apply, fight);
    /* Contested it stays until nobody changed it for a while. */
    if (!fight || !fight->contested)
        agent_trial_settled(apply->table, entry);
    else if (!has_reason(entry, CONTESTED))
        still_contested(apply, entry);
}

/* ---- only reporting ---- */

static bool is_reported_only(struct agent_apply *apply, struct agent_entry *entry)
{
    const struct agent_wish *wish;

    /* A template that cannot be read now could not be put back either. */
    return agent_wish_of(apply->state, entry, &wish, NULL) || wish->report_drift;
}

/* Looks at the object by itself; at one of which changes are only reported with its contents, and
 * with growing pauses while it keeps changing. */
static void look_again(struct agent_apply *apply, struct agent_entry *entry)
{
    struct agent_fight *fight = fight_of(apply, entry);
    uint64_t due_ms = agent_budget_reserve(&apply->restores, AGENT_RESTORE_RATE, apply_now(apply));

    if (fight && fight->looked_ms + fight->wait_ms > due_ms)
        due_ms = fight->looked_ms + fight->wait_ms;
    entry->verify = true;
    agent_entry_plan(entry, AGENT_STEP_READ, due_ms);
    agent_apply_kick(apply);
}

static void report_drift(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen)
{
    struct agent_fight *fight = fight_of(apply, entry);
    bool applied = seen && !agent_trial_is_back(entry);
    enum fed_work_state state = applied ? FED_WORK_APPLIED : FED_WORK_FAILED;
    char name[AGENT_ENTRY_NAME_SIZE];
    char what[AGENT_DRIFT_TEXT_MAX + 1];
    struct fed_diag message;

    describe(apply, entry, seen, what);
    fed_diag_set(&message, FED_OK, "%s" LEFT, what);
    if (!has_reason(entry, DRIFTED) || !entry->message || strcmp(entry->message, message.text) != 0)
        fed_log(
            apply->ports.log, FED_LOG_WARN, "%s: %s", agent_entry_name(entry, name), message.text);
    agent_entry_set(apply->table, entry, state, DRIFTED, message.text);
    agent_entry_plan(entry, AGENT_STEP_NONE, 0);
    if (!fight)
        return;
    fight->quiet_ms = UINT64_MAX;
    fight->looked_ms = apply_now(apply);
    next_pause(apply, fight, AGENT_DRIFT_LOOK_FLOOR_MS, AGENT_DRIFT_LOOK_CEILING_MS);
    /* The watch sees what has the label. */
    if (!seen || !fed_span_is(seen->managed, "true"))
        look_again(apply, entry);
}

/* ---- what is there ---- */

/* The object is as we left it. What looking at it came to meanwhile (an API server that did not
 * answer, a finalizer) is over, and so is a change that was reported. */
static void is_fine(struct agent_apply *apply, struct agent_entry *entry)
{
    struct agent_fight *fight = entry->fight;

    if (has_reason(entry, DRIFTED) || (entry->verify && !has_reason(entry, CONTESTED))) {
        agent_entry_forget_fight(apply->ports.mem, entry);
        agent_trial_settled(apply->table, entry);
    } else if (fight && entry->step != AGENT_STEP_NONE) { /* somebody else has put it right */
        quiet_in(apply, fight);
    }
    entry->verify = false;
    agent_entry_plan(entry, AGENT_STEP_NONE, 0);
}

static bool is_same(const struct agent_entry *entry, const struct agent_seen *seen)
{
    return strcmp(seen->uid, entry->uid) == 0 &&
           memcmp(seen->fields, entry->fields, AGENT_FIELDS_SIZE) == 0;
}

static void put_finalizers(struct fed_buf *out, const struct agent_seen *seen)
{
    struct fed_json_iter it = fed_json_items(fed_json_find(seen->object, "metadata.finalizers"));
    bool any = false;

    while (fed_json_iter_next(&it)) {
        fed_buf_printf(out, "%s" FED_SPAN_FMT, any ? ", " : "; it waits for ",
            FED_SPAN_ARG(fed_json_string(it.value)));
        any = true;
    }
}

void apply_set_deleting(struct agent_apply *apply, struct agent_entry *entry,
    enum fed_work_state state, const char *reason, const struct agent_seen *seen)
{
    struct fed_buf text;

    fed_buf_init(&text, apply->ports.mem, 4096);
    fed_buf_put_text(&text, "the object in the member is being deleted");
    put_finalizers(&text, seen);
    agent_entry_set(apply->table, entry, state, reason,
        fed_buf_err(&text) ? "the object in the member is being deleted" : fed_buf_cstr(&text));
    fed_buf_fini(&text);
}

/* Somebody deletes it, and something keeps it: made again when it is gone. Finalizers are not ours
 * to take off. */
static void await_gone(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen)
{
    entry->verify = true;
    apply_retry(apply, entry, AGENT_STEP_READ, DELETING_FLOOR_MS, DELETING_CEILING_MS, 0);
    apply_set_deleting(apply, entry, FED_WORK_WAITING, BEING_DELETED, seen);
    agent_apply_kick(apply);
}

/* What a look at an object that was out of sight, or that is only reported on, has found. */
bool apply_drift_present(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen)
{
    bool ours = fed_span_is(seen->managed, "true") || seen->has_fields ||
                strcmp(seen->uid, entry->uid) == 0;

    if (!entry->verify)
        return false;
    if (ours && !seen->deleting && is_same(entry, seen) && fed_span_is(seen->managed, "true")) {
        is_fine(apply, entry);
        return true;
    }
    entry->verify = false;
    if (fed_span_is(seen->managed, "false") || !ours)
        return false; /* as for any object that is not ours */
    if (seen->deleting) {
        await_gone(apply, entry, seen);
    } else if (is_reported_only(apply, entry)) {
        report_drift(apply, entry, seen);
    } else {
        put_back(apply, entry, AGENT_STEP_APPLY, seen);
    }
    return true;
}

bool apply_drift_absent(struct agent_apply *apply, struct agent_entry *entry)
{
    if (!entry->verify)
        return false;
    entry->verify = false;
    if (is_reported_only(apply, entry)) {
        report_drift(apply, entry, NULL);
        return true;
    }
    entry->adopting = false;
    put_back(apply, entry, AGENT_STEP_APPLY, NULL);
    return true;
}

/* ---- events ---- */

/* What changes in the member stays changed. */
static bool is_held(const struct agent_entry *entry)
{
    return agent_entry_is_held_to(entry) && (entry->work.options & FED_WORK_HELD);
}

/* Nothing is to be done for the entry but, perhaps, about a foreign change. */
static bool is_settled(const struct agent_entry *entry)
{
    return agent_entry_is_held_to(entry) && entry->has_applied && !is_held(entry) && !entry->busy &&
           (entry->step == AGENT_STEP_NONE || entry->verify || has_reason(entry, CONTESTED));
}

static void judge(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen)
{
    bool pending = entry->step != AGENT_STEP_NONE;

    if (seen->deleting) {
        if (!has_reason(entry, BEING_DELETED))
            await_gone(apply, entry, seen);
    } else if (is_same(entry, seen)) {
        is_fine(apply, entry);
    } else if (pending) {
        return; /* it is known, and its time comes */
    } else if (is_reported_only(apply, entry)) {
        look_again(apply, entry);
    } else {
        put_back(apply, entry,
            strcmp(seen->uid, entry->uid) == 0 ? AGENT_STEP_APPLY : AGENT_STEP_READ, seen);
    }
}

void apply_check_meanwhile(struct agent_apply *apply, struct agent_entry *entry)
{
    if (!entry->seen_any || !is_settled(entry) ||
        memcmp(entry->seen_fields, entry->fields, AGENT_FIELDS_SIZE) == 0)
        return;
    if (entry->seen_rv != 0 && entry->seen_rv <= entry->resource_version)
        return; /* an echo of what was there before */
    entry->seen_any = false;
    look_again(apply, entry);
}

/* Remembers an event; false when it is older than what we know. */
static bool note_version(struct agent_entry *entry, uint64_t resource_version)
{
    if (resource_version == 0)
        return true;
    if (resource_version < entry->seen_rv || resource_version < entry->resource_version)
        return false;
    entry->seen_rv = resource_version;
    return true;
}

void agent_apply_set_back(struct agent_entry *entry)
{
    entry->seen_rv = entry->resource_version = entry->moved_rv = 0;
    entry->dirty = true;
}

static void note_meanwhile(struct agent_entry *entry, const uint8_t *fields)
{
    entry->seen_any = true;
    if (fields)
        memcpy(entry->seen_fields, fields, AGENT_FIELDS_SIZE);
    else
        memset(entry->seen_fields, 0, AGENT_FIELDS_SIZE);
}

/* The hub shows the version of the live object, whoever moved it: the generation, or the
 * resourceVersion of kinds without one. What moved only that waits for its time (report.h). */
static void note_moved(struct agent_entry *entry, const struct agent_seen *seen)
{
    uint64_t generation;
    uint64_t resource_version;

    agent_entry_version(entry, &generation, &resource_version);
    if (seen->resource_version <= resource_version)
        return;
    entry->moved_generation = seen->generation;
    entry->moved_rv = seen->resource_version;
    if ((entry->state == FED_WORK_APPLIED || agent_trial_is_back(entry)) && !entry->busy &&
        (seen->generation == 0 || seen->generation != generation))
        entry->version_due = true;
}

void agent_apply_seen(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen)
{
    entry->nothing = false; /* only what has the managed label is watched */
    if (!note_version(entry, seen->resource_version) || !agent_entry_is_held_to(entry))
        return;
    note_moved(entry, seen);
    agent_entry_set_health(apply->ports.mem, entry, &seen->health);
    apply_note_status(apply, entry, seen);
    if (entry->work.options & FED_WORK_SCALE)
        apply->events.scaled(apply->events.ctx, entry);
    if (entry->busy)
        note_meanwhile(entry, seen->fields);
    else if (is_settled(entry))
        judge(apply, entry, seen);
    if (entry->report_due || entry->version_due)
        changed(apply, entry);
}

void agent_apply_lost(
    struct agent_apply *apply, struct agent_entry *entry, uint64_t resource_version)
{
    if (!note_version(entry, resource_version))
        return;
    if (entry->busy) {
        note_meanwhile(entry, NULL);
    } else if (is_settled(entry) && (entry->step == AGENT_STEP_NONE || entry->verify)) {
        look_again(apply, entry);
    } else if ((entry->removing && !entry->dropped) ||
               (agent_entry_is_held_to(entry) && entry->step == AGENT_STEP_READ &&
                   entry->state == FED_WORK_WAITING)) {
        agent_entry_plan(entry, AGENT_STEP_READ, apply_now(apply));
        agent_apply_kick(apply);
    }
}

/* ---- kinds that come back ---- */

void agent_apply_kind_back(
    struct agent_apply *apply, struct fed_span api_version, struct fed_span plural)
{
    for (size_t i = 0; i < apply->table->n; i++) {
        struct agent_entry *entry = apply->table->at[i];

        if (entry->busy || entry->retry.attempts == 0 || !fed_span_eq(entry->work.plural, plural) ||
            !fed_span_eq(entry->work.api_version, api_version))
            continue;
        agent_entry_plan(entry, (enum agent_step)entry->step, apply_now(apply));
    }
    agent_apply_kick(apply);
}
