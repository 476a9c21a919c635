/* stage.h - from a frame to the next bundle: decoded and verified against the table, written in one
 * commit, then taken into the table. After FED_OK the bundle is durable and its works are planned;
 * after any error nothing has changed.
 *
 * A frame of the same epoch with an older revision is refused. A frame of another epoch must be a
 * full one; works that it does not contain are not removed but kept in place (agent_entry.kept)
 * until the hub names them again: a new epoch says that the hub lost its memory, not that somebody
 * wanted them gone.
 *
 * The first frame after a directory joined once more (agent_state_join_again) comes from a hub that
 * forgot the cluster on purpose. What it does not name is nobody's: in the epoch of before it loses
 * the managed label and stays, as what KubeFed finds in a cluster that joins; in another one it is
 * kept. */
#ifndef FEDLET_AGENT_STAGE_H
#define FEDLET_AGENT_STAGE_H

#include "agent/state.h"
#include "proto/bundle/frame.h"

struct agent_staged {
    size_t n_changed;  /* added or changed */
    size_t n_removed;  /* to be removed */
    size_t n_released; /* of those: left in place without the label after joining once more */
    size_t n_kept;     /* left in place through a change of epoch */
    size_t n_waiting;  /* left the bundle, and stay until that is settled (consent.h) */
    bool new_epoch;
};

/* FED_ERR_CONFLICT: does not start from what we hold; FED_ERR_GONE: older than what we hold; the
 * decoder's refusals (proto/bundle/frame.h); the store's errors; each with diag. */
FED_MUST_USE enum fed_err agent_stage(struct agent_state *state, struct agent_table *table,
    struct fed_span frame, uint64_t now_ms, struct agent_staged *out, struct fed_diag *diag);

#endif
