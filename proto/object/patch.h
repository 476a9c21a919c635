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

/* add, remove, replace, move, copy, test as kube-apiserver's library (evanphx/json-patch v4) does
 * them, which is less strict than RFC 6902: an absent member of an object is null to copy and test
 * and may be replaced, a value may be left out (null), an array may be counted from its end (-1
 * adds behind the last item), and only replace and test know the whole document. FED_ERR_CONFLICT
 * when a test fails (HTTP 422), FED_ERR_INVALID otherwise; *target is then half-changed and must be
 * thrown away. */
FED_MUST_USE enum fed_err fed_patch_json(struct fed_json_doc *doc, struct fed_json **target,
    const struct fed_json *patch, struct fed_diag *diag);

#endif
