/* policy.h - what this gateway lets the hub do, whatever the hub says: a local file that only its
 * owner changes, and the accounts as which the agent acts.
 *
 *   kinds:        {allow: ["*"], deny: ["*.admissionregistration.k8s.io"]}
 *   namespaces:   {allow: ["shop", "web-*"], deny: ["kube-*"]}
 *   images:       {allow: ["registry.example/shop/"], deny: []}
 *   clusterScoped: true          # objects outside of namespaces; Namespaces count by their name
 *   podSecurity:  privileged     # or baseline: Kubernetes' Pod Security Standard of that name
 *   serviceAccounts: {shop: deployer, "*": fleet/deployer}
 *   clusterServiceAccount: fleet/deployer
 *
 * Every key may be left out; what is not limited is allowed, deny wins over allow.
 *   kinds       KIND (of any group) or KIND.GROUP, "*" for any run of characters in each; an object
 *               of another kind than its work's is never let through
 *   namespaces  the object's, or a Namespace's own name
 *   images      beginnings of whole names, up to a "/", ":" or "@", or the end; short names are
 *               completed as container runtimes do (nginx is docker.io/library/nginx), and a
 *               registry is the same in capitals, with ":443", and as index.docker.io. Every
 *               container of whatever kind is looked at, wherever it stands in the object, and
 *               image volumes
 *   serviceAccounts  namespace (or pattern) to NAME, of that namespace, or NAMESPACE/NAME: requests
 *               about an object there are made in that account's name (impersonation), the longest
 *               pattern first. An account that lacks a right limits the hub as RBAC says
 *
 * What is refused is neither applied nor put back; it stays as it is, and may still be removed,
 * since the agent removes only what it made. Pure. */
#ifndef FEDLET_AGENT_POLICY_H
#define FEDLET_AGENT_POLICY_H

#include "proto/bundle/work.h"

#define AGENT_POLICY_BYTES_MAX (64u << 10) /* of the file */
#define AGENT_POLICY_PATTERNS_MAX 256u     /* in one list */
#define AGENT_POLICY_PATTERN_MAX 512u

struct agent_policy;

/* From the file's document as JSON. FED_ERR_INVALID, FED_ERR_LIMIT with the key in diag,
 * FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err agent_policy_read(
    struct fed_alloc *mem, struct fed_span json, struct agent_policy **out, struct fed_diag *diag);
void agent_policy_free(struct agent_policy *policy); /* NULL is fine */

/* Whether the rendered object (JSON) of the work may be applied; policy NULL allows everything.
 * FED_ERR_FORBIDDEN with a sentence that names the rule; FED_ERR_NOMEM, FED_ERR_INVALID. */
FED_MUST_USE enum fed_err agent_policy_check(const struct agent_policy *policy,
    struct fed_alloc *mem, const struct fed_work *work, struct fed_span object,
    struct fed_diag *diag);

/* In whose name requests about the work's object are made; false for the agent's own. Spans point
 * into policy or work. */
struct agent_account {
    struct fed_span ns;
    struct fed_span name;
};
bool agent_policy_account(
    const struct agent_policy *policy, const struct fed_work *work, struct agent_account *out);
/* "system:serviceaccount:NS:NAME", as the API server knows it. */
#define AGENT_USER_SIZE 540
void agent_account_user(const struct agent_account *account, char out[AGENT_USER_SIZE]);

/* ---- for tests and policy_pods.c ---- */

/* "*" stands for any run of characters. */
bool agent_glob(struct fed_span pattern, struct fed_span text);
/* Whether the image is below one of the prefixes. */
bool agent_policy_image_below(struct fed_span prefix, struct fed_span image);

#endif
