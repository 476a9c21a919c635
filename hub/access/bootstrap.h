/* bootstrap.h - the roles that every hub has.
 *
 * bootstrap.json, embedded, lists ClusterRoles and ClusterRoleBindings: kube-apiserver's own for
 * users (cluster-admin, admin, edit, view, system:basic-user, system:discovery ...), and ours, each
 * bound to the group of its name in the plural: fedlet:admin (everything), fedlet:operator
 * (federated objects, clusters and their joining, namespaces; neither RBAC nor the hub's Secrets
 * nor tokens), fedlet:viewer (reads everything but Secrets and FederatedSecrets; aggregated from
 * roles labelled fedlet.io/aggregate-to-viewer, such as that of federated.h).
 *
 * At each start what is missing is made, and rules and subjects that are missing from one that is
 * there are added; what people added stays. An object with the annotation
 * rbac.authorization.kubernetes.io/autoupdate: "false" is left alone. */
#ifndef FEDLET_HUB_ACCESS_BOOTSTRAP_H
#define FEDLET_HUB_ACCESS_BOOTSTRAP_H

#include "hub/store/objects.h"
#include "ports/crypto.h"
#include "ports/loop.h"

/* FED_ERR_CORRUPT when a stored role cannot be read; else the store's errors, with diag. */
FED_MUST_USE enum fed_err hub_access_bootstrap(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_crypto *crypto, struct hub_objects *objects, struct fed_diag *diag);

/* The embedded document. */
extern const unsigned char hub_access_bootstrap_text[];
extern const size_t hub_access_bootstrap_size;

#endif
