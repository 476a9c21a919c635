/* yaml.h - YAML 1.1 as people and kubectl write it, to JSON text and back. Implementation:
 * ports/kube (libyaml). */
#ifndef FEDLET_PORTS_YAML_H
#define FEDLET_PORTS_YAML_H

#include "proto/base/buf.h"

#define FED_YAML_DEPTH_MAX 64u
#define FED_YAML_NODES_MAX 200000u /* after expanding aliases */

typedef bool fed_yaml_each(void *ctx, size_t index, struct fed_span json);
/* Each document of the stream as compact JSON, in order; empty documents are skipped. JSON input is
 * YAML. Core schema with YAML 1.1 booleans (y, yes, on), merge keys, no custom tags.
 * FED_ERR_INVALID with line and column; FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err fed_yaml_each_json(struct fed_alloc *mem, struct fed_span text,
    fed_yaml_each *each, void *ctx, struct fed_diag *diag);

#define FED_YAML_PUT_BYTES_MAX (8u << 20) /* of JSON: two objects of the largest size */
/* One JSON text as a YAML document, as kube-apiserver and kubectl print it. FED_ERR_LIMIT with diag
 * when the text is larger, FED_ERR_INVALID when it is no JSON; errors of out are returned, too. */
FED_MUST_USE enum fed_err fed_yaml_put_json(
    struct fed_alloc *mem, struct fed_span json, struct fed_buf *out, struct fed_diag *diag);

#endif
