/* federated_types.h - Federated<Kind> kinds from FederatedTypeConfig objects, at run time.
 *
 * Source: KubeFed, what `kubefedctl enable` generates. Only objects in the system namespace count.
 * Each that is enabled keeps the CustomResourceDefinition of its federated type, which outlives it,
 * as with KubeFed; propagation: Disabled stops the delivery of the type (the plan reads that
 * itself) and leaves its definition to whoever wants to delete it. A FederatedTypeConfig has
 * KubeFed's finalizer, which goes when its type has stopped. */
#ifndef FEDLET_HUB_API_FEDERATED_TYPES_H
#define FEDLET_HUB_API_FEDERATED_TYPES_H

#include "hub/api/crd.h"
#include "hub/kubefed/config.h"
#include "ports/log.h"

struct hub_federated_types;

/* hooks: set on every federated kind (convert is ours and set here). kinds, objects, crds, log
 * outlive it; log may be NULL. */
FED_MUST_USE enum fed_err hub_federated_types_open(struct fed_alloc *mem, struct fed_log *log,
    struct hub_objects *objects, struct hub_kinds *kinds, struct hub_crds *crds,
    const struct hub_kind_hooks *hooks, struct hub_federated_types **out, struct fed_diag *diag);
/* Statuses follow the KubeFedConfig from now on. config outlives it, and its changes are the
 * types'. */
void hub_federated_types_follow(
    struct hub_federated_types *types, struct hub_kubefed_config *config);
void hub_federated_types_close(struct hub_federated_types *types);

#endif
