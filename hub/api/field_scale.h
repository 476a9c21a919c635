/* field_scale.h - who owns the replicas of an object, seen from its scale subresource.
 *
 * Source: apimachinery util/managedfields ScaleHandler. A Scale has entries of its own: those of
 * the object that own the replicas, as entries of autoscaling/v1. After a write of the Scale they
 * are put back. */
#ifndef FEDLET_HUB_API_FIELD_SCALE_H
#define FEDLET_HUB_API_FIELD_SCALE_H

#include "proto/object/json.h"

#define HUB_SCALE_API_VERSION "autoscaling/v1"

/* Where each version of the kind has its replicas. */
struct hub_field_replicas {
    const char *api_version;
    const char *path; /* ".spec.replicas"; NULL: the version has no scale subresource */
};
struct hub_field_scale {
    const struct hub_field_replicas *versions;
    size_t n;
};

/* Puts managedFields into scale: the entries of object that own the replicas. */
FED_MUST_USE enum fed_err hub_field_scale_take(struct fed_json_doc *doc,
    const struct hub_field_scale *kind, const struct fed_json *object, struct fed_json *scale);
/* Puts managedFields into object: its entries, with the replicas owned by whom scale names, in
 * api_version. Who owns the replicas without having applied them stands in an entry of its own that
 * says no time, and entries of versions that the kind does not have go: kube-apiserver has it so.
 */
FED_MUST_USE enum fed_err hub_field_scale_give(struct fed_json_doc *doc,
    const struct hub_field_scale *kind, const char *api_version, const struct fed_json *scale,
    struct fed_json *object);

#endif
