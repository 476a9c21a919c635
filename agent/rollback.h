/* rollback.h - health deadlines: the clock of versions on trial (trial.h), and what follows when it
 * has run out.
 *
 * The clock of a version runs from its apply on, while the API server answers and the work is not
 * held. It is monotonic, goes on when the agent starts again, and begins anew when the machine
 * does; after every such pause at least AGENT_ROLLBACK_GRACE_MS remain, as what the member says
 * then is news to itself. When it is up, the object is read once more: only what was seen not to be
 * healthy at that moment is judged, never what a watch may have missed. Then
 *
 * - with an earlier version that was healthy, that one is put back: persisted first, then applied.
 *   The work is Failed, RolledBack, until the content of the work changes; meanwhile drift is put
 *   back to that version;
 * - without one the object stays, unhealthy with reason DeadlineExceeded, until it gets well or
 *   changes.
 *
 * A version that was healthy once has passed for good. The hub is not needed for any of this. */
#ifndef FEDLET_AGENT_ROLLBACK_H
#define FEDLET_AGENT_ROLLBACK_H

#include "agent/apply.h"

#define AGENT_ROLLBACK_GRACE_MS 30000u

struct agent_rollback;

struct agent_rollback_events {
    void *ctx;
    /* An entry's state or health changed. */
    void (*changed)(void *ctx, struct agent_entry *entry);
    /* Write what is dirty now: what follows must not be forgotten. */
    void (*persist)(void *ctx);
};

FED_MUST_USE enum fed_err agent_rollback_new(const struct agent_ports *ports,
    struct agent_state *state, struct agent_table *table, struct agent_apply *apply,
    const struct agent_rollback_events *events, struct agent_rollback **out);
void agent_rollback_free(struct agent_rollback *rollback); /* NULL is fine */

/* Something about the entry changed. It may become dirty. */
void agent_rollback_look(struct agent_rollback *rollback, struct agent_entry *entry);
/* The API server is away, or answers again. Away at first. */
void agent_rollback_pause(struct agent_rollback *rollback);
void agent_rollback_resume(struct agent_rollback *rollback);

#endif
