/* namespace_status.h - what a namespace that is being deleted says of what is left in it, as the
 * conditions that kube-controller-manager sets. */
#ifndef FEDLET_HUB_API_NAMESPACE_STATUS_H
#define FEDLET_HUB_API_NAMESPACE_STATUS_H

#include "hub/api/internal.h"

#define HUB_REMAINS_FINALIZERS_MAX 32u /* different ones that are named */

struct hub_remains {
    struct fed_buf resources; /* "configmaps. has 1 resource instances, ..." */
    struct fed_buf errors;
    size_t n_errors;
    struct {
        struct fed_span name; /* in the request's memory */
        size_t n;
    } finalizers[HUB_REMAINS_FINALIZERS_MAX];
    size_t n_finalizers;
};

void hub_remains_init(struct hub_remains *remains, struct fed_alloc *mem);
void hub_remains_kind(struct hub_remains *remains, const struct hub_kind *kind, size_t n);
/* object: as it is left behind; it lives as long as remains. */
void hub_remains_object(struct hub_remains *remains, const struct fed_json *object);
void hub_remains_error(struct hub_remains *remains, const char *message);
/* Stores the conditions when they differ from those that are there. */
FED_MUST_USE enum fed_err hub_remains_store(
    struct hub_request *r, const struct hub_remains *remains, const struct hub_object_ref *ref);

#endif
