/* federated.h - the ClusterRole fedlet:federated-types: reading the kinds that FederatedTypeConfigs
 * make, all but those whose targets are Secrets.
 *
 * RBAC has no exceptions, so that "all but Secrets" has to be a list, and the list follows the
 * FederatedTypeConfigs. By its labels it is part of view and of fedlet:viewer. */
#ifndef FEDLET_HUB_ACCESS_FEDERATED_H
#define FEDLET_HUB_ACCESS_FEDERATED_H

#include "hub/store/objects.h"
#include "ports/crypto.h"
#include "ports/log.h"
#include "ports/loop.h"

#define HUB_FEDERATED_ROLE "fedlet:federated-types"

struct hub_federated_role;

/* Follows changes from now on; _update brings the role in line with what is stored. All outlives
 * it; log may be NULL. */
FED_MUST_USE enum fed_err hub_federated_role_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, struct fed_crypto *crypto, struct hub_objects *objects,
    struct hub_federated_role **out);
void hub_federated_role_close(struct hub_federated_role *role); /* NULL is fine */
FED_MUST_USE enum fed_err hub_federated_role_update(
    struct hub_federated_role *role, struct fed_diag *diag);

#endif
