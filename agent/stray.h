/* stray.h - objects in the member that carry the managed label and belong to no work: what a
 * cluster was left with when it was unregistered, or what somebody labelled by hand. They lose the
 * label and stay, as in KubeFed.
 *
 * A few at a time, each guarded by the resourceVersion it was seen at. What fails is found again by
 * the next event of the object or the next list of its kind. */
#ifndef FEDLET_AGENT_STRAY_H
#define FEDLET_AGENT_STRAY_H

#include "agent/ports.h"
#include "agent/seen.h"

struct agent_stray;

/* room  called outside of agent_stray_release when one was refused and there is room again
 * FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err agent_stray_new(
    const struct agent_ports *ports, void (*room)(void *ctx), void *ctx, struct agent_stray **out);
/* Cancels what is under way. NULL is fine. */
void agent_stray_free(struct agent_stray *stray);
/* Takes label and ownership off the object that was seen.
 *   object  api_version, plural, ns and name
 * false: too many at once; room is called when there is room again. */
bool agent_stray_release(
    struct agent_stray *stray, const struct fed_work *object, const struct agent_seen *seen);

#endif
