/* federation_events.h - Events on federated objects: what was sent to which cluster, and what went
 * wrong, in KubeFed's words.
 *
 * Plan and status tell what happened; it is queued here and recorded outside of their rounds, a few
 * at a time. Bounded: what does not fit the queue or the rate is left out, and a line in the log
 * says how many. */
#ifndef FEDLET_HUB_FEDERATION_EVENTS_H
#define FEDLET_HUB_FEDERATION_EVENTS_H

#include "hub/api/events.h"
#include "hub/plan/plan.h"
#include "hub/status/status.h"

struct hub_federation_events;

/* All of it outlives the queue. */
FED_MUST_USE enum fed_err hub_federation_events_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, struct hub_objects *objects, const struct hub_kinds *kinds,
    struct hub_events *events, struct hub_federation_events **out);
void hub_federation_events_close(struct hub_federation_events *queue);
/* The plan of an object changed: placements that cannot be computed, clusters that get nothing or
 * are not ready, removals, what of the template is left out, a FederatedNamespace under a wrong
 * name. */
void hub_federation_events_planned(struct hub_federation_events *queue, struct hub_plan *plan,
    struct hub_status *status, const struct hub_object_ref *ref);
/* hub_status_told; ctx is the queue. */
void hub_federation_events_told(void *ctx, const struct hub_status_outcome *outcome);

#endif
