/* override.h - KubeFed's override operations, exactly.
 *
 * A subset of JSON Patch (RFC 6902) as KubeFed 0.10's engine runs it: `add`, `remove`, `replace`;
 * an absent or empty op means replace; replace of a missing member whose parent exists acts as add;
 * negative array indices count from the end; a path without leading slash loses its first segment.
 * Source: KubeFed pkg/controller/util/overrides.go and the JSON patch library it uses, as observed.
 */
#ifndef FEDLET_PROTO_OBJECT_OVERRIDE_H
#define FEDLET_PROTO_OBJECT_OVERRIDE_H

#include "proto/object/json.h"

#define FED_OVERRIDE_OPS_MAX 256u /* operations for one cluster */

/* Checks one cluster's list ([{"op","path","value"}]) before it is used: shape, op, unknown
 * members, path given, no path twice, none of /metadata/namespace, /metadata/name,
 * /metadata/generateName, /kind. What it refuses makes KubeFed report ApplyOverridesFailed for
 * every cluster. FED_ERR_INVALID, FED_ERR_LIMIT with diag, in KubeFed's sentences where cluster,
 * which they name, is not empty. */
FED_MUST_USE enum fed_err fed_override_check(
    struct fed_span cluster, const struct fed_json *operations, struct fed_diag *diag);

/* The same for a cluster's whole list, which may be that of several entries, one behind the other:
 * a later one may change what an earlier one did, so a path may stand twice. */
FED_MUST_USE enum fed_err fed_override_check_joined(
    const struct fed_json *operations, struct fed_diag *diag);

/* Applies the list, in order, to *root (which may be replaced: path ""). FED_ERR_INVALID with diag
 * in the words of that engine
 * ("replace operation does not apply: doc is missing path: /spec/x/y: missing value"); *root is
 * then half-changed and must be thrown away. */
FED_MUST_USE enum fed_err fed_override_apply(struct fed_json_doc *doc, struct fed_json **root,
    const struct fed_json *operations, struct fed_diag *diag);

#endif
