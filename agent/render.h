/* render.h - the request bodies that the agent sends about one object. */
#ifndef FEDLET_AGENT_RENDER_H
#define FEDLET_AGENT_RENDER_H

#include "agent/state.h"

/* The body of the apply: template from the store, overrides, label (proto/object/render.h). *reason
 * names KubeFed's status for the failure (static). FED_ERR_NOT_FOUND when the template is not in
 * the store, FED_ERR_INVALID, FED_ERR_LIMIT, FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err agent_render_apply(struct agent_state *state,
    const struct agent_entry *entry, struct fed_buf *out, const char **reason,
    struct fed_diag *diag);

/* DeleteOptions: in the background, and only the object with this uid. */
void agent_render_delete(struct fed_buf *out, const char *uid);

/* JSON patch (RFC 6902) that takes the managed label and our managedFields entry off, and nothing
 * if the object has changed since it was seen. Fields stay as they are: an apply without them would
 * delete them. */
void agent_render_release(struct fed_buf *out, const struct agent_seen *seen);

#endif
