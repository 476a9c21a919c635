/* format.h - the formats of strings that kube-apiserver checks in custom resources.
 *
 * Source: apiextensions-apiserver pkg/apiserver/validation/formats.go and k8s.io/kube-openapi
 * strfmt. Others (int32, int64, double and unknown ones among them) are ignored there, and here. */
#ifndef FEDLET_HUB_API_FORMAT_H
#define FEDLET_HUB_API_FORMAT_H

#include "proto/base/span.h"

/* 0: no format that is checked. */
unsigned hub_format_find(struct fed_span name);
const char *hub_format_name(unsigned format); /* as kube-apiserver names it */
bool hub_format_fits(unsigned format, struct fed_span text);

#endif
