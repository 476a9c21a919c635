/* apply_drift.c - what the watch says about an entry's object: health, and drift that is put back
 * at a bounded rate (see apply.h). */
#include "agent/apply_inner.h"

#include <stdio.h>
#include <string.h>

/* Whether this restore is one too many. Counts within a window; once contested, the window grows
 * with the pause, so that a slow fight stays one. */
static bool is_fight(struct agent_entry *entry, uint64_t now_ms)
{
    uint64_t window_ms = AGENT_FIGHT_WINDOW_MS + 2u * (uint64_t)entry->fight.wait_ms;

    if (entry->restores == 0 || now_ms - entry->window_ms > window_ms) {
        agent_retry_reset(&entry->fight);
        entry->restores = 0;
        entry->window_ms = now_ms;
    }
    if (entry->restores < AGENT_FIGHT_RESTORES) {
        entry->restores++;
        return false;
    }
    entry->window_ms = now_ms;
    return true;
}

static void restore(
    struct agent_apply *apply, struct agent_entry *entry, enum agent_step step, const char *manager)
{
    const char *who = manager[0] ? manager : "another client";
    uint64_t now_ms = apply_now(apply);
    char name[AGENT_ENTRY_NAME_SIZE];
    struct fed_diag message;

    agent_entry_plan(entry, step, now_ms);
    if (!is_fight(entry, now_ms)) {
        fed_log(apply->ports.log, FED_LOG_INFO, "%s: %s by \"%s\", put back",
            agent_entry_name(entry, name),
            step == AGENT_STEP_READ ? "deleted or unlabelled" : "changed", who);
    } else {
        entry->due_ms = agent_retry_failed(&entry->fight, now_ms, FIGHT_FLOOR_MS, FIGHT_CEILING_MS,
            agent_spread(&apply->ports), 0);
        fed_diag_set(&message, FED_OK,
            "\"%s\" keeps changing the object in the member; it is put back with growing pauses",
            who);
        agent_entry_set(apply->table, entry, FED_WORK_FAILED, "UpdateFailed", message.text);
        fed_log(apply->ports.log, FED_LOG_WARN, "%s: %s, next in %llu s",
            agent_entry_name(entry, name), message.text,
            (unsigned long long)(entry->due_ms - now_ms + 999) / 1000);
    }
    agent_apply_kick(apply);
}

/* What changes in the member stays changed. */
static bool is_held(const struct agent_entry *entry)
{
    return agent_entry_is_held_to(entry) && (entry->work.options & FED_WORK_HELD);
}

static bool is_zero(const uint8_t fields[AGENT_FIELDS_SIZE])
{
    static const uint8_t zero[AGENT_FIELDS_SIZE];

    return memcmp(fields, zero, sizeof zero) == 0;
}

void apply_check_meanwhile(struct agent_apply *apply, struct agent_entry *entry)
{
    if (!entry->seen_any || is_held(entry) ||
        memcmp(entry->seen_fields, entry->fields, AGENT_FIELDS_SIZE) == 0)
        return;
    if (entry->seen_rv != 0 && entry->seen_rv <= entry->resource_version)
        return; /* an echo of what was there before */
    entry->seen_any = false;
    restore(apply, entry, is_zero(entry->seen_fields) ? AGENT_STEP_READ : AGENT_STEP_APPLY, "");
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
    if (entry->state == FED_WORK_APPLIED && !entry->busy &&
        (seen->generation == 0 || seen->generation != generation))
        entry->version_due = true;
}

void agent_apply_seen(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen)
{
    if (!note_version(entry, seen->resource_version) || !agent_entry_is_held_to(entry))
        return;
    note_moved(entry, seen);
    agent_entry_set_health(entry, seen->health);
    apply_note_status(apply, entry, seen);
    if (entry->work.options & FED_WORK_SCALE)
        apply->events.scaled(apply->events.ctx, entry);
    if (entry->busy)
        note_meanwhile(entry, seen->fields);
    else if (entry->has_applied && entry->step == AGENT_STEP_NONE && !seen->deleting &&
             !is_held(entry)) {
        if (strcmp(seen->uid, entry->uid) != 0)
            restore(apply, entry, AGENT_STEP_READ, seen->other_manager);
        else if (memcmp(seen->fields, entry->fields, AGENT_FIELDS_SIZE) != 0)
            restore(apply, entry, AGENT_STEP_APPLY, seen->other_manager);
    }
    if (entry->report_due || entry->version_due)
        apply->events.changed(apply->events.ctx, entry);
}

void agent_apply_lost(struct agent_apply *apply, struct agent_entry *entry,
    uint64_t resource_version, const char *manager)
{
    if (!note_version(entry, resource_version))
        return;
    if (entry->busy) {
        note_meanwhile(entry, NULL);
        return;
    }
    if ((entry->removing && !entry->dropped) ||
        (agent_entry_is_held_to(entry) && entry->step == AGENT_STEP_READ)) {
        entry->step = AGENT_STEP_READ;
        entry->due_ms = apply_now(apply);
        agent_apply_kick(apply);
    } else if (agent_entry_is_held_to(entry) && entry->has_applied &&
               entry->step == AGENT_STEP_NONE && !is_held(entry)) {
        restore(apply, entry, AGENT_STEP_READ, manager);
        apply->events.changed(apply->events.ctx, entry);
    }
}
