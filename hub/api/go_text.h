/* go_text.h - JSON values as Go's fmt prints them, for sentences of kube-apiserver that quote a
 * value.
 *
 * Source: Go fmt and strconv. Integers are int64, other numbers float64; maps are shown in the
 * order of their keys. */
#ifndef FEDLET_HUB_API_GO_TEXT_H
#define FEDLET_HUB_API_GO_TEXT_H

#include "proto/object/json.h"

/* As %q shows a string. */
void hub_put_quoted(struct fed_buf *out, struct fed_span text);
/* As %v: map[a:1 b:[x <nil>]]. Errors stick in out. */
void hub_go_put(struct fed_buf *out, const struct fed_json *value);
/* As %#v: map[string]interface {}{"a":1, "b":[]interface {}{"x", interface {}(nil)}}. */
void hub_go_put_syntax(struct fed_buf *out, const struct fed_json *value);
/* As %T. */
const char *hub_go_type_of(const struct fed_json *value);
/* As %v of a float64: the fewest digits that read back the same, 3e+09 from a million on. */
void hub_go_put_float(struct fed_buf *out, double value);

#endif
