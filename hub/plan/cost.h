/* cost.h - what it takes to bring clusters to the latest version of an object. */
#ifndef FEDLET_HUB_PLAN_COST_H
#define FEDLET_HUB_PLAN_COST_H

#include "hub/plan/plan.h"

#define HUB_PLAN_COST_SAMPLE 64u /* clusters: they differ by overrides, and by what they have */

/* Bytes that a cluster is sent, on average over those that are to have the latest version and have
 * something else: the change alone, as a frame of the link, compressed (proto/bundle/frame.h), from
 * what each has to what it gets; without headers and acknowledgements of the transport. Of more
 * than HUB_PLAN_COST_SAMPLE clusters so many at even distances are looked at. 0: there are none.
 *   behind  how many there are (hub_gated: selected, and not the same)
 * FED_ERR_NOT_FOUND: no such object, or nothing can be sent of it; FED_ERR_LIMIT, FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err hub_plan_cost(
    struct hub_plan *plan, const struct hub_object_ref *ref, size_t behind, size_t *each_bytes);

#endif
