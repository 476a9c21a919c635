/* content.h - what of a federated object a rollout is about: its version. Pure.
 *
 * The content is an object {"spec":{"overrides","placement","template"}} in canonical JSON (absent
 * members stay absent). Where a ReplicaSchedulingPreference of the
 * same name scales the object (scaled), what the scheduler maintains is left out of what is
 * compared: placement.clusters, and clusterOverrides of /spec/replicas for single clusters (with
 * entries that hold nothing else). So a move of the scheduler is no new version. */
#ifndef FEDLET_HUB_ROLLOUT_CONTENT_H
#define FEDLET_HUB_ROLLOUT_CONTENT_H

#include "proto/object/json.h"

/* Appends the version's bytes, without what a scheduler maintains when scaled.
 *   object   the federated object's bytes as stored
 * FED_ERR_INVALID when it is no JSON object, FED_ERR_LIMIT, FED_ERR_NOMEM; then out is cut back to
 * what it was. */
FED_MUST_USE enum fed_err hub_rollout_content(
    struct fed_alloc *mem, struct fed_span object, bool scaled, struct fed_buf *out);
/* Appends an earlier version's bytes with what a scheduler maintains as the current object has it;
 * not scaled: the version as it is. Errors as above. */
FED_MUST_USE enum fed_err hub_rollout_content_refresh(struct fed_alloc *mem,
    struct fed_span version, struct fed_span current, bool scaled, struct fed_buf *out);

#endif
