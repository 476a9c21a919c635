/* patch.h - RFC 7396 merge patch and RFC 6902 JSON Patch on trees, as a Kubernetes API server
 * applies them. */
#ifndef FEDLET_PROTO_OBJECT_PATCH_H
#define FEDLET_PROTO_OBJECT_PATCH_H

#include "proto/object/json.h"

#define FED_PATCH_OPS_MAX 10000u /* kube-apiserver's own limit for JSON patches */

/* Merges patch into *target (created when NULL). patch is not changed. FED_ERR_NOMEM,
 * FED_ERR_INVALID when patch is no object. */
FED_MUST_USE enum fed_err fed_patch_merge(struct fed_json_doc *doc, struct fed_json **target,
    const struct fed_json *patch, struct fed_diag *diag);

/* add, remove, replace, move, copy, test; strict RFC 6902. FED_ERR_CONFLICT when a test fails (HTTP
 * 422), FED_ERR_INVALID otherwise; *target is then half-changed and must be thrown away. */
FED_MUST_USE enum fed_err fed_patch_json(struct fed_json_doc *doc, struct fed_json **target,
    const struct fed_json *patch, struct fed_diag *diag);

#endif
