/* trial.h - versions of a work on trial: what an entry remembers of them, and how that is stored.
 *
 * Only works whose template has fedlet.io/health-deadline (wish.h) have a trial. A new version is
 * on trial from being staged until it was healthy once (agent_entry.proven); meanwhile the last one
 * that was is kept, blob included. When its time is up (rollback.h) that one takes its place: it is
 * `back`, and is what the agent enforces, until the content of the work changes. The bundle is not
 * touched by this: entry->work stays what the hub asked for.
 *
 * Row of the store: "h/" and the rest of the work's key (state.h): u8 format 1; u8 flags: 0x01
 * proven, 0x02 back, 0x04 a good version follows; varint monotonic time in milliseconds at which
 * the trial began, 0 for not yet; then the good version (fed_work_put); then, when it is back,
 * string: what was wrong. A row of another format, or that makes no sense, counts as none: the
 * version in place then is on trial, with nothing to go back to. */
#ifndef FEDLET_AGENT_TRIAL_H
#define FEDLET_AGENT_TRIAL_H

#include "agent/state.h"
#include "proto/bundle/frame.h"

#define AGENT_TRIAL_WRONG_MAX 199u
/* Reasons of Failed: an earlier version is in place; it could not be put back. */
#define AGENT_REASON_ROLLED_BACK "RolledBack"
#define AGENT_REASON_ROLLBACK_FAILED "RollbackFailed"

struct agent_trial {
    struct agent_entry *good;              /* a copy, of its work alone; NULL: none is known */
    bool back;                             /* good is in place, or on its way there */
    bool let_go;                           /* of gone, at the next persist */
    struct fed_digest gone;                /* a template that a good version needed */
    char wrong[AGENT_TRIAL_WRONG_MAX + 1]; /* while back */
    /* the clock (rollback.c) */
    uint64_t began_ms; /* when the trial began, 0: not yet; maybe of a process before */
    bool runs;
    uint64_t since_ms; /* while it runs: began, without the time that does not count */
    uint64_t spent_ms; /* while it does not */
    uint64_t due_ms;   /* of the next look, while it runs */
};

void agent_trial_free(struct fed_alloc *mem, struct agent_trial *trial); /* NULL is fine */
/* The entry's trial; made when there is none. NULL when memory is out. */
struct agent_trial *agent_trial_of(struct fed_alloc *mem, struct agent_entry *entry);

/* Whether an earlier version stands in place of the one that the hub asks for. */
bool agent_trial_is_back(const struct agent_entry *entry);
/* What is to be in place: entry->work, or the version that is back, with the options of the
 * present one. Spans live as long as the entry's. */
struct fed_work agent_trial_in_effect(const struct agent_entry *entry);
/* The member holds what is in effect: state Applied, or Failed with reason RolledBack. */
void agent_trial_settled(struct agent_table *table, struct agent_entry *entry);
/* What is in place was healthy: no earlier version is needed any more. */
void agent_trial_passed(struct fed_alloc *mem, struct agent_entry *entry);

/* ---- staging ---- */

/* Whether the version has a deadline. What asks for one in a way that makes no sense is not
 * applied, so what was in place before it still matters: true.
 *   blob  its template, without bytes: the store has it
 * FED_ERR_NOMEM, the store's errors. */
FED_MUST_USE enum fed_err agent_trial_is_wanted(
    struct agent_state *state, struct fed_span blob, const struct fed_work *work, bool *out);
/* The trial of the version that follows.
 *   content  of work
 *   wanted   the new version has a deadline
 * *out is owned, NULL for none; *proven: it is the good version itself. The old entry is not
 * changed. FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err agent_trial_next(struct fed_alloc *mem, const struct agent_entry *old,
    const struct fed_work *work, const uint8_t content[AGENT_CONTENT_SIZE], bool wanted,
    struct agent_trial **out, bool *proven);

/* ---- rows ---- */

void agent_trial_put_key(struct fed_buf *out, const struct fed_work *work);
void agent_trial_put_row(struct fed_buf *out, const struct agent_trial *trial, bool proven);
/* Adds the row of the entry's trial as it will be; next NULL: its removal, where there is one. In
 * memory of arena. FED_ERR_NOMEM, FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err agent_trial_put_op(struct fed_alloc *arena,
    const struct agent_entry *entry, const struct agent_trial *next, bool proven,
    struct fed_store_op *ops, size_t *n);
/* They are written. */
void agent_trial_written(struct agent_entry *entry);
/* Reads all rows into a table that was just loaded; where an earlier version is back, that is what
 * the entry's next step is about. FED_ERR_NOMEM, the store's errors. */
FED_MUST_USE enum fed_err agent_trial_load(
    struct agent_state *state, struct agent_table *table, uint64_t now_ms);

#endif
