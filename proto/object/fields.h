/* fields.h - which part of a Kubernetes object is meant: a list of paths, and what of a tree they
 * leave. Format: docs/protocol.md, section 9.4; a part of the paths that `kubectl get -o jsonpath`
 * takes, without indices, slices, filters and `..`, so that what is left keeps its shape. */
#ifndef FEDLET_PROTO_OBJECT_FIELDS_H
#define FEDLET_PROTO_OBJECT_FIELDS_H

#include "proto/object/json.h"

#define FED_FIELDS_TEXT_MAX 1024u
#define FED_FIELDS_MAX 16u
#define FED_FIELDS_DEPTH_MAX 8u

/* In the template's metadata: which members of the .status are reported. */
#define FED_FIELDS_STATUS_ANNOTATION "fedlet.io/status-fields"

struct fed_fields { /* spans into the text */
    size_t n;
    struct fed_field {
        size_t n;
        struct fed_span steps[FED_FIELDS_DEPTH_MAX]; /* a member's name; empty: each child */
    } at[FED_FIELDS_MAX];
};

/* FED_ERR_INVALID, FED_ERR_LIMIT with diag; out is undefined then. */
FED_MUST_USE enum fed_err fed_fields_parse(
    struct fed_span text, struct fed_fields *out, struct fed_diag *diag);

/* Takes out of an object or list what no path leads to, and what that leaves empty. false when
 * nothing is left; anything but an object or list has nothing to leave. */
bool fed_fields_select(const struct fed_fields *fields, struct fed_json *value);

#endif
