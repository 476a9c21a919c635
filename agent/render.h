/* render.h - the request bodies that the agent sends about one object. */
#ifndef FEDLET_AGENT_RENDER_H
#define FEDLET_AGENT_RENDER_H

#include "agent/state.h"

/* The body of the apply of what is in effect (trial.h): template from the store, overrides, label
 * (proto/object/render.h). *reason names KubeFed's status for the failure (static). An object that
 * is not there yet gets the replicas of its template also with FED_WORK_RETAIN_REPLICAS.
 * FED_ERR_NOT_FOUND when the template is not in the store, FED_ERR_INVALID, FED_ERR_LIMIT,
 * FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err agent_render_apply(struct agent_state *state,
    const struct agent_entry *entry, struct fed_buf *out, const char **reason,
    struct fed_diag *diag);

/* DeleteOptions: only the object with this uid; policy and grace period as the options of the work
 * say (FED_WORK_DELETE_POLICY), in the background when they say nothing. */
void agent_render_delete(struct fed_buf *out, const char *uid, uint32_t options);

/* JSON patch (RFC 6902) that takes the managed label and our managedFields entry off, and nothing
 * if the object has changed since it was seen. Fields stay as they are: an apply without them would
 * delete them. */
void agent_render_release(struct fed_buf *out, const struct agent_seen *seen);

/* JSON patch that makes spec.replicas nobody's, with the same precaution: the value stays, and
 * applies without the field do not touch it (Kubernetes, "Server-Side Apply", transferring
 * ownership; in one step, and whatever the value is). */
void agent_render_yield(struct fed_buf *out, const struct agent_seen *seen);
/* JSON patch of the object with this uid that makes the list or map at this path ("spec.ports",
 * which needs no escaping) what value says, whole. FED_ERR_NOT_FOUND when value is neither. */
FED_MUST_USE enum fed_err agent_render_part(
    struct fed_buf *out, const char *uid, const char *part, const struct fed_json *value);
/* Whether the work leaves spec.replicas to its member: retainReplicas, and no override sets it. */
bool agent_render_retains(struct fed_alloc *mem, const struct agent_entry *entry);

#endif
