/* yaml_scalar.h - what a plain YAML 1.1 scalar means. */
#ifndef FEDLET_PORTS_KUBE_YAML_SCALAR_H
#define FEDLET_PORTS_KUBE_YAML_SCALAR_H

#include "proto/base/buf.h"

/* Writes the scalar as a JSON value: null, boolean, number, or string. FED_ERR_INVALID for a number
 * that JSON has not (.inf, .nan). Errors of out stick there. */
FED_MUST_USE enum fed_err yaml_scalar_put(struct fed_buf *out, struct fed_span text);
/* As a JSON string, whatever it looks like; escaped so that it is the same string as YAML. */
void yaml_string_put(struct fed_buf *out, struct fed_span text);
/* Whether the text, written plain, is read as that text: no number, boolean, null, time or merge
 * key in YAML 1.1. Says nothing of the characters in it. */
bool yaml_scalar_is_text(struct fed_span text);

#endif
