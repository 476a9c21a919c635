/* consent.h - the agent's own guard against removals in bulk (proto/bundle/consent.h has the rule,
 * section 9.3 of docs/protocol.md what is said of it).
 *
 * A work that leaves the manifest is removed when the frame says that this was ordered, when it is
 * to be let go of, or when there is nothing in the member. The others of one frame are judged
 * together. Those that have to wait stay as they are: applied, watched, put back, from their last
 * template; they are listed in reports as removals that wait. A full frame does not say what was
 * ordered, so its absent works wait, unclear, until the hub said which ones were: then the rest is
 * judged. What waits ends by the hub's word, or by a bundle that names it again.
 *
 * Row "consent": u8 format 1, the window, varint the wall clock when the last one passed. After
 * a start a window goes on for its full time, unless that clock says that it is over. */
#ifndef FEDLET_AGENT_CONSENT_H
#define FEDLET_AGENT_CONSENT_H

#include "agent/table.h"
#include "ports/loop.h"
#include "proto/bundle/consent.h"

struct agent_state;

struct agent_consent {
    struct fed_consent_limit limit;
    struct fed_consent_window window;
    struct fed_loop *clock; /* NULL: the wall clock is not known */
};
#define AGENT_CONSENT_SAYS                                                                         \
    "it left the bundle with too many others, and nobody ordered that by name: it stays until "    \
    "somebody consents (fedctl approve CLUSTER --removal)"

/* Whether the object is held to what the hub said last: part of the manifest, or waiting to go. */
static inline bool agent_entry_is_held_to(const struct agent_entry *entry)
{
    return entry->in_manifest || entry->waits;
}

size_t agent_consent_waiting(const struct agent_table *table);
/* Whether there is something in the member that a removal would take. */
bool agent_consent_counts(const struct agent_entry *entry);
/* Whether n more have to wait; with what waits already, they do. */
bool agent_consent_needed(
    struct agent_consent *consent, const struct agent_table *table, size_t n, uint64_t now_ms);
/* FED_ERR_CORRUPT when the row cannot be read. */
FED_MUST_USE enum fed_err agent_consent_load(struct agent_state *state, uint64_t now_ms);
/* From now on; with `off` what waits is unclear again, and goes at the hub's next word. */
void agent_consent_limit(
    struct agent_state *state, struct agent_table *table, const struct fed_consent_limit *limit);
/* The row of the window as it is. */
void agent_consent_put(const struct agent_consent *consent, struct fed_buf *out);
#define AGENT_CONSENT_ROW "consent"

/* What the hub says of the removals that wait (fed_removals_take): those that are ordered go, and
 * so do unclear ones that are few enough. Durable on FED_OK; *n: how many go. The store's errors,
 * with diag; then nothing has changed. */
FED_MUST_USE enum fed_err agent_consent_answer(struct agent_state *state, struct agent_table *table,
    const struct fed_removal_id *ids, size_t n_ids, uint64_t now_ms, size_t *n,
    struct fed_diag *diag);

#endif
