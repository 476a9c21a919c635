/* go_hash.h - the two hashes of KubeFed's PropagatedVersion.
 *
 * MD5, in lower case hex, over what Go's encoding/json writes: compact, object keys sorted, <, >
 * and & as \u003c and so on, a newline at the end. Source: KubeFed pkg/controller/sync/resource.go
 * (GetTemplateHash, GetOverrideHash), Go encoding/json. Pure. */
#ifndef FEDLET_HUB_STATUS_GO_HASH_H
#define FEDLET_HUB_STATUS_GO_HASH_H

#include "proto/object/json.h"

#define STATUS_HASH_SIZE 33u

/* Of spec.template; "" when there is none. FED_ERR_NOMEM, FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err status_hash_template(
    struct fed_alloc *mem, const struct fed_json *object, char out[STATUS_HASH_SIZE]);
/* Of {"overrides": ...} with clusterName, clusterOverrides, op, path and value alone, numbers as
 * doubles; "" when there is no spec. */
FED_MUST_USE enum fed_err status_hash_overrides(
    struct fed_alloc *mem, const struct fed_json *object, char out[STATUS_HASH_SIZE]);

#endif
