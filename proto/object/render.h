/* render.h - from a work to the body that is applied in a member. Pure, used by agent and tests;
 * the hub uses it to warn about overrides that cannot work. */
#ifndef FEDLET_PROTO_OBJECT_RENDER_H
#define FEDLET_PROTO_OBJECT_RENDER_H

#include "proto/bundle/work.h"
#include "proto/object/json.h"

#define FED_RENDER_MANAGED_LABEL "kubefed.io/managed"

/* Makes the object in KubeFed's order: the template; without metadata.annotations,
 * metadata.finalizers and status; name and namespace of the work; its kind; its apiVersion unless
 * the template sets one; the overrides; the label kubefed.io/managed: "true". With
 * FED_WORK_RETAIN_REPLICAS spec.replicas is left out, unless an override sets it, so that
 * server-side apply leaves the field to its owner. blob  the template's bytes, canonical JSON
 * Result: compact JSON in *out. FED_ERR_INVALID with diag when template or overrides are not
 * usable. */
FED_MUST_USE enum fed_err fed_render_work(struct fed_alloc *mem, const struct fed_work *work,
    struct fed_span blob, struct fed_buf *out, struct fed_diag *diag);
/* The same with metadata.uid, so that nothing but that very object can be changed by it: an API
 * server answers 409 when there is none of the name, 422 when there is another. uid empty: as
 * fed_render_work. */
FED_MUST_USE enum fed_err fed_render_work_onto(struct fed_alloc *mem, const struct fed_work *work,
    struct fed_span uid, struct fed_span blob, struct fed_buf *out, struct fed_diag *diag);
/* Annotations of templates with this prefix are for the agent (agent/wish.h). */
#define FED_RENDER_WISH_PREFIX "fedlet.io/"
/* Whether a template's annotations hold something that is left out and means nothing to anybody. */
bool fed_render_drops(const struct fed_json *annotations);
/* Whether one of the work's overrides sets spec.replicas; true when they cannot be read. */
bool fed_render_sets_replicas(struct fed_alloc *mem, const struct fed_work *work);

#endif
