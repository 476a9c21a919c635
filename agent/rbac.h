/* rbac.h - the rights that the agent needs in its cluster: no more than the works it holds take.
 *
 * A ClusterRole to look (list and watch of each kind in use, since one watch per kind covers all
 * namespaces; the nodes for the facts about the cluster), a Role in each namespace to read, create,
 * patch and delete what the bundle has there, and the bindings. What the policy gives to
 * ServiceAccounts (policy.h) is bound to those; the agent then needs `impersonate` for them by name
 * instead. Rights over Roles do not include `bind` or `escalate`: what a bundle's Roles grant must
 * be granted to the account by a person first (Kubernetes, "Using RBAC", privilege escalation
 * prevention).
 *
 * Source of the verbs: server-side apply is patch, and create when the object is not there. */
#ifndef FEDLET_AGENT_RBAC_H
#define FEDLET_AGENT_RBAC_H

#include "agent/policy.h"
#include "agent/table.h"

struct agent_rbac_options {
    const struct agent_policy *policy; /* NULL for none */
    struct agent_account self;         /* the agent's own; ns "": a user of that name */
    bool json;                         /* one List as JSON; else YAML documents */
};

/* What the command line asks the running service: "rbac json|yaml NAMESPACE NAME", NAMESPACE "-"
 * for a user, whose name ends the line. */
#define AGENT_RBAC_REQUEST "rbac "
void agent_rbac_request(const struct agent_rbac_options *options, struct fed_buf *out);
/* All but the policy; spans point into request. FED_ERR_INVALID. */
FED_MUST_USE enum fed_err agent_rbac_parse(struct fed_span request, struct agent_rbac_options *out);

/* Appends the objects. Errors stick in out. */
void agent_rbac_put(
    const struct agent_table *table, const struct agent_rbac_options *options, struct fed_buf *out);

#endif
