/* agent_install.h - the agent as a pod of a member: its manifests, by the member's API alone.
 *
 * In namespace kube-federation-system: ServiceAccount fedlet, bound to a ClusterRole of all rights
 * (what is federated may be of any kind, ClusterRoles among them; KubeFed's own has the same), a
 * Secret, and a Deployment of one replica, replaced and never doubled.
 *
 * State: an emptyDir. The agent's identity is its private key, which is made here, goes into the
 * Secret and nowhere else; the join token beside it is made for this one name. A pod that moved to
 * another node finds both, asks the hub again with the same key, gets the same certificate (no use
 * of the token is spent, and it may have ended), and pulls its bundle. Nothing needs a
 * PersistentVolume or a fixed node, and without the hub a restarted container goes on with what is
 * in the emptyDir. */
#ifndef FEDLET_CLI_AGENT_INSTALL_H
#define FEDLET_CLI_AGENT_INSTALL_H

#include "cli/flags.h"

#define CLI_AGENT "fedlet" /* name of ServiceAccount, Deployment, ClusterRole and its binding */
#define CLI_AGENT_SECRET "fedlet-identity"
#define CLI_AGENT_IMAGE "ghcr.io/fedlet/fedlet:v" FEDLET_VERSION
#define CLI_AGENT_CLUSTER "fedlet.io/cluster" /* annotation of the Secret: the cluster's name */
#define CLI_AGENT_TOKEN_ID "fedlet.io/token"  /* annotation of the Secret: the JoinToken's name */
#define CLI_AGENT_MANAGED                                                                          \
    "app.kubernetes.io/managed-by" /* label, "fedctl", also of a namespace                         \
                                      that was made here */

struct cli_agent {
    const char *cluster;
    const char *image;
    const char *secret; /* its name */
    const char *token_id;
    struct fed_span token;
    struct fed_span key_pem;
    const struct cli_list *labels; /* KEY=VALUE, of the cluster */
};
#define CLI_AGENT_MANIFESTS 6u
/* Namespace, ServiceAccount, ClusterRole, ClusterRoleBinding, Secret, Deployment, as trees in
 * cli->doc. FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err cli_agent_manifests(
    struct cli *cli, const struct cli_agent *agent, struct fed_json *out[CLI_AGENT_MANIFESTS]);
/* Where the manifest of that index is in the API. secret: the Secret's name. */
void cli_agent_path(size_t index, const char *secret, char out[400]);
/* Creates the namespace when it is not there, applies the rest over what is there. */
FED_MUST_USE enum fed_err cli_agent_apply(struct cli *cli, struct fed_kube *member,
    const char *secret, struct fed_json *const manifests[CLI_AGENT_MANIFESTS],
    struct fed_diag *diag);
/* Removes what is there: the Deployment first, and waits until its pods are gone; the namespace
 * only when it was made here. */
FED_MUST_USE enum fed_err cli_agent_stop(
    struct cli *cli, struct fed_kube *member, uint64_t timeout_ms, struct fed_diag *diag);
FED_MUST_USE enum fed_err cli_agent_remove(
    struct cli *cli, struct fed_kube *member, const char *secret, struct fed_diag *diag);
/* The Secret of an installed agent; FED_ERR_NOT_FOUND. */
FED_MUST_USE enum fed_err cli_agent_secret(struct cli *cli, struct fed_kube *member,
    const char *secret, struct fed_json **out, struct fed_diag *diag);
/* The annotation of the Secret, "" without it. */
struct fed_span cli_agent_note(const struct fed_json *secret, const char *key);

/* Deletes every object of the member that a federated one put there (label kubefed.io/managed:
 * "true"), namespaces and definitions last; the agent must have been stopped. *n: how many. */
FED_MUST_USE enum fed_err cli_member_clean(
    struct cli *cli, struct fed_kube *member, size_t *n, struct fed_diag *diag);

#endif
