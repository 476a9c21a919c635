/* rbac.h - which rules apply to whom: an index of roles and bindings in memory, kept by
 * subscription.
 *
 * The index maps (subject, namespace) to bindings and each binding to its role's compiled rules, so
 * that a decision costs one look-up per name and group of the user and then the rules that apply to
 * it. Rights only ever come from what is stored: an object that cannot be indexed grants nothing.
 *
 * ClusterRoles with an aggregationRule get the rules of the ClusterRoles that it selects, in the
 * order of their names, whenever one of them changes: kube-controller-manager's job elsewhere.
 * Source: Kubernetes "Using RBAC Authorization". */
#ifndef FEDLET_HUB_ACCESS_RBAC_H
#define FEDLET_HUB_ACCESS_RBAC_H

#include "hub/access/rule.h"
#include "hub/access/user.h"
#include "hub/store/objects.h"
#include "ports/log.h"

#define HUB_RBAC_GROUP "rbac.authorization.k8s.io"
#define HUB_RBAC_ROLES "roles." HUB_RBAC_GROUP
#define HUB_RBAC_BINDINGS "rolebindings." HUB_RBAC_GROUP
#define HUB_RBAC_CLUSTER_ROLES "clusterroles." HUB_RBAC_GROUP
#define HUB_RBAC_CLUSTER_BINDINGS "clusterrolebindings." HUB_RBAC_GROUP

struct hub_rbac;

/* Reads what is stored. objects, log (may be NULL) and mem outlive it. */
FED_MUST_USE enum fed_err hub_rbac_open(struct fed_alloc *mem, struct fed_log *log,
    struct hub_objects *objects, struct hub_rbac **out, struct fed_diag *diag);
void hub_rbac_close(struct hub_rbac *rbac); /* NULL is fine */

/* A sentence for people: "RBAC: allowed by ClusterRoleBinding ...", or what could not be resolved.
 */
struct hub_reason {
    char text[1200];
};
/* reason may be NULL. It is empty when nothing applies. */
bool hub_rbac_allows(const struct hub_rbac *rbac, const struct hub_user *user,
    const struct hub_access *access, struct hub_reason *reason);

/* Every rule that applies to the user in the namespace (empty: cluster-wide ones alone). Return
 * false to stop. */
typedef bool hub_rbac_each(void *ctx, const struct hub_rule *rule);
void hub_rbac_rules_of(const struct hub_rbac *rbac, const struct hub_user *user, struct fed_span ns,
    hub_rbac_each *each, void *ctx);
/* The namespaces in which RoleBindings name the user or one of the groups, in no order, some twice.
 * Looks at all bindings: for signing in, not for each request. Return false to stop. */
typedef bool hub_rbac_namespace_each(void *ctx, struct fed_span ns);
void hub_rbac_namespaces_of(const struct hub_rbac *rbac, const struct hub_user *user,
    hub_rbac_namespace_each *each, void *ctx);
/* The rules of the role that a binding names; NULL when there is none. ns: the binding's. */
const struct hub_rules *hub_rbac_role(
    const struct hub_rbac *rbac, bool cluster_role, struct fed_span ns, struct fed_span name);
/* FED_OK when the user holds all of the rules in the namespace; FED_ERR_FORBIDDEN with what is
 * missing in the words of kube-apiserver; FED_ERR_LIMIT (more rights than are compared). */
FED_MUST_USE enum fed_err hub_rbac_confirm_held(const struct hub_rbac *rbac,
    const struct hub_user *user, struct fed_span ns, const struct hub_rules *rules,
    struct fed_buf *message);

/* ---- aggregate.c ---- */
/* Brings every aggregated ClusterRole in line. */
FED_MUST_USE enum fed_err hub_rbac_aggregate(
    struct fed_alloc *mem, struct hub_objects *objects, struct fed_diag *diag);

#endif
