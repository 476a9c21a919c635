/* commands.c - the table of commands, and the smallest one: version. */
#include "cli/cli.h"
#include "cli/rollout.h"

#include <stdio.h>
#include <string.h>

/* For scripts that were written for kubefedctl. */
#define COMMON                                                                                     \
    "  --kubefed-namespace NS   where type configurations are (default kube-federation-system)\n"  \
    "  --dry-run                say what would be done, write nothing\n\n"
#define ORPHANING "  -n, --namespace NS       its namespace (default: that of the context)\n" COMMON

/* Of every rollout command. */
#define ROLLOUT_NAME                                                                               \
    "KIND/NAME is the federated object, as in federateddeployment/web or deployment/web: the "     \
    "rollout that is\ngoing on, else the last one. rollout/NAME is a rollout itself.\n\n"          \
    "  -n, --namespace NS     its namespace (default: that of the context)\n"
#define ROLLOUT_REASON                                                                             \
    "      --reason TEXT      why, for events, the audit log and who comes after\n"
#define ROLLOUT_YES "  -y, --yes              do not ask; needed without a terminal\n"

/* A name that another one begins with comes after it. */
const struct cli_command cli_commands[] = {
    {"token create", "[--ttl 24h] [--uses 1] [--name CLUSTER] [--approve auto|manual] [-o json]",
        "make a join token and print it",
        "Prints the token alone, one line, to be given to `fedlet join` on the gateway. It cannot "
        "be shown again.\n\n"
        "  --ttl DURATION         how long it may be used (default 24h)\n"
        "  --uses N               how many clusters may join with it (default 1)\n"
        "  --name CLUSTER         only this cluster may join with it\n"
        "  --approve auto|manual  manual: each join waits for `fedctl approve CLUSTER` (default "
        "auto)\n\n"
        "examples:\n"
        "  fedctl token create\n"
        "  fedctl token create --ttl 1h --name shop-berlin --approve manual\n",
        "--ttl --uses --name --approve", cli_token_create, CLI_OUTPUT_JSON},
    {"token list", "[-o json]", "list join tokens, without their secrets",
        "example:\n  fedctl token list\n", "", cli_token_list, CLI_OUTPUT_JSON},
    {"token revoke", "ID", "make a join token worthless at once",
        "ID is the one that `fedctl token list` shows. Clusters that joined with it "
        "stay.\n\nexample:\n"
        "  fedctl token revoke joink4v9z\n",
        "", cli_token_revoke, CLI_OUTPUT_JSON},
    {"clusters", "[-o wide|json]", "list the clusters of the federation and whether they are ready",
        "-o wide adds how the agent is connected, the bytes of this month and the last, and the "
        "objects\nwhose changes wait, for a quiet window, the next month or the end of a "
        "cordon.\n\n"
        "examples:\n  fedctl clusters\n  fedctl clusters -o wide\n",
        "", cli_clusters, CLI_OUTPUT_JSON_WIDE},
    {"approve", "CLUSTER [--clone|--removal] [-o json]",
        "let a cluster in, or consent to a removal in bulk",
        "Without a flag: lets a cluster in that asked with a token of manual approval. "
        "`kubectl -n kube-federation-system get joinrequests` shows who waits.\n\n"
        "  --clone                  two machines came with the cluster's identity: the next that "
        "comes is\n"
        "                           the one that counts\n"
        "  --removal                consent to the works leaving that wait for it now, because "
        "many were\n"
        "                           to leave at once and nobody ordered that by name\n\n"
        "examples:\n"
        "  fedctl approve shop-berlin\n"
        "  fedctl approve shop-berlin --removal\n"
        "  fedctl approve shop-berlin --clone\n",
        "--clone --removal", cli_approve, CLI_OUTPUT_JSON},
    {"join",
        "CLUSTER [--cluster-context CTX] [--image IMAGE] [--label K=V]... [--no-wait] [-o yaml]",
        "install the agent as a pod in a cluster, which joins with it",
        "Makes in the cluster: namespace kube-federation-system, a ServiceAccount with all rights, "
        "a Secret with\nthe agent's key and a join token for this name, and a Deployment. Run "
        "again, it updates them. The cluster\nmust reach the hub; the hub never dials it.\n\n"
        "  --cluster-context CTX    the cluster's context in the kubeconfig (default: CLUSTER)\n"
        "  --host-cluster-context CTX\n"
        "                           the hub's context (default: the current one)\n"
        "  --image IMAGE            the agent's image, with /usr/bin/fedlet in it\n"
        "                           (default ghcr.io/fedlet/fedlet:vVERSION)\n"
        "  --label KEY=VALUE        label of the cluster, for placements; repeatable\n"
        "  --secret-name NAME       the Secret (default fedlet-identity)\n"
        "  --error-on-existing      fail when the agent is installed already\n"
        "  --timeout D              how long to wait until the cluster is ready (default 5m)\n"
        "  --no-wait                do not wait\n"
        "  -o yaml                  print the manifests instead, with a token; without "
        "--cluster-context the\n"
        "                           cluster is not asked\n"
        "  --host-cluster-name NAME accepted, as kubefedctl has it\n" COMMON "examples:\n"
        "  fedctl join shop-17 --cluster-context shop-17 --host-cluster-context hub\n"
        "  fedctl join shop-18 --label region=north -o yaml | ssh gateway kubectl apply -f -\n",
        "--cluster-context --host-cluster-context --host-cluster-name --image --label "
        "--secret-name --error-on-existing --timeout --no-wait --kubefed-namespace --dry-run",
        cli_join, CLI_OUTPUT_YAML},
    {"unjoin", "CLUSTER [--cluster-context CTX] [--cleanup] [--force] [--yes]",
        "take a cluster out of the federation",
        "The hub forgets the cluster and its key. What was propagated to it stays there, unless "
        "--cleanup.\n\n"
        "  --cluster-context CTX    also remove the agent's pod from the cluster of this context\n"
        "  --host-cluster-context CTX\n"
        "                           the hub's context (default: the current one)\n"
        "  --cleanup                delete what was propagated there first (label "
        "kubefed.io/managed)\n"
        "  --orphan                 leave it there, which is the default\n"
        "  --force                  go on when the cluster cannot be reached or cleaned\n"
        "  -y, --yes                do not ask; needed without a terminal\n"
        "  --secret-name NAME       the agent's Secret (default fedlet-identity)\n"
        "  --host-cluster-name NAME accepted, as kubefedctl has it\n" COMMON "examples:\n"
        "  fedctl unjoin shop-17 --yes\n"
        "  fedctl unjoin shop-17 --cluster-context shop-17 --cleanup\n",
        "--cluster-context --host-cluster-context --cleanup --orphan --force --yes --secret-name "
        "--host-cluster-name "
        "--kubefed-namespace --dry-run",
        cli_unjoin, CLI_OUTPUT_JSON},
    {"enable", "TYPE | -f FILE [--version V] [--cluster-context CTX] [-o yaml]",
        "federate a type of Kubernetes objects",
        "TYPE is a kind, plural, singular, short name or PLURAL.GROUP: what the hub serves, any "
        "kind of\nKubernetes itself, or, with --cluster-context, what that cluster serves.\n\n"
        "  -f, --filename FILE      an EnableTypeDirective, - for standard input\n"
        "  --version V              the version of the type (default: the preferred one)\n"
        "  --federated-group G      group of the federated type (default types.kubefed.io)\n"
        "  --federated-version V    version of the federated type (default v1beta1)\n"
        "  --cluster-context CTX    look for the type in the cluster of this context\n"
        "  --kind K --version V [--group G] [--scope Namespaced|Cluster]\n"
        "                           name a type that nothing serves yet; TYPE is its plural\n"
        "  -o yaml                  print what would be created, create nothing\n" COMMON
        "examples:\n"
        "  fedctl enable deployments.apps\n"
        "  fedctl enable widgets.example.com --cluster-context member1\n"
        "  fedctl enable cronjobs -o yaml > cronjobs.yaml\n",
        "--filename --version --federated-group --federated-version --cluster-context --kind "
        "--group --scope --kubefed-namespace --dry-run",
        cli_enable, CLI_OUTPUT_YAML},
    {"disable", "NAME [--delete-crd]", "federate a type no more",
        "Objects in clusters stay as they are. NAME is that of the FederatedTypeConfig, or a type "
        "as with enable.\n\n"
        "  --delete-crd             delete the federated type, too; refused while objects of it "
        "exist\n"
        "  --federated-group G, --version V\n"
        "                           of a type whose FederatedTypeConfig is gone, with "
        "--delete-crd\n" COMMON "examples:\n"
        "  fedctl disable deployments.apps\n"
        "  fedctl disable cronjobs.batch --delete-crd\n",
        "--delete-crd --federated-group --version --kubefed-namespace --dry-run", cli_disable,
        CLI_OUTPUT_JSON},
    {"federate",
        "TYPE NAME [-n NS] [-t] [-c] [-s TYPES] [--cluster-context CTX] [-o yaml] | -f FILE",
        "make a federated object from an ordinary one",
        "The object is read from the hub, or from the cluster of --cluster-context; the federated "
        "one goes to\nthe hub, for every cluster.\n\n"
        "  -n, --namespace NS       namespace of the object (default: that of the context)\n"
        "  -t, --enable-type        enable the type first when it is not\n"
        "  -c, --contents           of a namespace: all that is in it, too\n"
        "  -s, --skip-api-resources TYPES\n"
        "                           not these types or groups, separated by commas\n"
        "  -f, --filename FILE      objects of a file (- for standard input): the federated ones "
        "are printed\n"
        "  --cluster-context CTX    read from the cluster of this context\n"
        "  -o yaml                  print the federated object, create nothing\n" COMMON
        "examples:\n"
        "  fedctl federate configmap settings -n shop\n"
        "  fedctl federate deploy web -n shop --cluster-context member1 --enable-type\n"
        "  fedctl federate ns shop --contents -s pods,secrets,serviceaccounts,replicasets\n"
        "  fedctl federate -f deployment.yaml | kubectl apply -f -\n",
        "--namespace --enable-type --contents --skip-api-resources --filename --cluster-context "
        "--kubefed-namespace --dry-run",
        cli_federate_command, CLI_OUTPUT_YAML},
    {"orphaning-deletion enable", "TYPE NAME [-n NS]",
        "leave objects in clusters when their federated object is deleted",
        "TYPE NAME is the federated object.\n\n" ORPHANING
        "example:\n  fedctl orphaning-deletion enable federateddeployment web -n shop\n",
        "--namespace --kubefed-namespace --dry-run", cli_orphaning, CLI_OUTPUT_JSON},
    {"orphaning-deletion disable", "TYPE NAME [-n NS]",
        "delete objects in clusters when their federated object is deleted",
        "TYPE NAME is the federated object.\n\n" ORPHANING
        "example:\n  fedctl orphaning-deletion disable federateddeployment web -n shop\n",
        "--namespace --kubefed-namespace --dry-run", cli_orphaning, CLI_OUTPUT_JSON},
    {"orphaning-deletion status", "TYPE NAME [-n NS] [-o json]",
        "say whether objects would be left: Enabled or Disabled",
        "TYPE NAME is the federated object.\n\n" ORPHANING
        "example:\n  fedctl orphaning-deletion status fdeploy web -n shop\n",
        "--namespace --kubefed-namespace --dry-run", cli_orphaning, CLI_OUTPUT_JSON},
    {"status", "[RESOURCE/NAME] [-n NS] [-A] [--all] [--watch] [--exit-code] [-o json|wide]",
        "where a change stands, cluster by cluster, and why it is stuck",
        "Without a name: the federation, its clusters and objects by state, what is stuck and what "
        "to do.\nRESOURCE is a federated kind or the kind that it federates, in any form that "
        "kubectl knows.\nStates: applied, pending, removing, offline (the cluster is not heard "
        "of), refused (the hub\ncannot make what would be sent), failed (the cluster did not take "
        "it), forbidden (a\nPlacementPolicy leaves the cluster out).\n\n"
        "  -n, --namespace NS     its namespace (default: that of the context); without a name "
        "all\n"
        "  -A, --all-namespaces   objects of all namespaces\n"
        "      --all              all rows; without it the worst 20, and a summary\n"
        "  -w, --watch            again with each change, until interrupted\n"
        "      --exit-code        exit code 1 when not everything is applied (0 otherwise)\n\n"
        "examples:\n"
        "  fedctl status\n"
        "  fedctl status deployment/web -n shop --watch\n"
        "  fedctl status fdeploy/web -n shop -o json --exit-code\n",
        "--namespace --all-namespaces --all --watch --exit-code", cli_status, CLI_OUTPUT_JSON_WIDE},
    {"tree", "[RESOURCE/NAME | NAMESPACE] [-n NS] [-A] [--all] [-o json]",
        "federated namespaces, the objects in them, and the clusters of each",
        "  -n, --namespace NS     one namespace, or that of the object\n"
        "  -A, --all-namespaces   all (the default without a name)\n"
        "      --all              all clusters; without it the worst 20 of each object\n\n"
        "examples:\n"
        "  fedctl tree\n"
        "  fedctl tree shop\n"
        "  fedctl tree federateddeployment/web -n shop -o json\n",
        "--namespace --all-namespaces --all", cli_tree, CLI_OUTPUT_JSON},
    {"events", "[RESOURCE/NAME] [-n NS] [-A] [--watch] [-o json]",
        "what happened to an object, its namespace and its clusters, in order of time",
        "The hub keeps events for an hour. Without a name: those of all federated objects.\n\n"
        "  -n, --namespace NS     of this namespace, or the object's\n"
        "  -A, --all-namespaces   of all (the default without a name)\n"
        "  -w, --watch            later ones, too, until interrupted\n\n"
        "examples:\n"
        "  fedctl events deployment/web -n shop\n"
        "  fedctl events --watch\n",
        "--namespace --all-namespaces --watch", cli_events, CLI_OUTPUT_JSON},
    {"diff", "RESOURCE/NAME [-n NS] [--cluster CLUSTER] [--cluster-context CTX] [--all] [-o json]",
        "what the hub wants in clusters, against each other and against what is there",
        "Agents report states, not contents. So this shows how clusters differ by their overrides, "
        "and\nwhich do not hold what is wanted. With --cluster-context the cluster itself is asked "
        "what\napplying the wanted object would change there (a dry run; nothing is changed).\n"
        "Exit code as of kubectl diff: 0 no difference, 1 differences, 2 it failed.\n\n"
        "  -n, --namespace NS     its namespace (default: that of the context)\n"
        "      --cluster CLUSTER  of this cluster alone\n"
        "      --cluster-context CTX\n"
        "                         compare with the object in the cluster of this context\n"
        "      --all              name all clusters, not the first five\n\n"
        "examples:\n"
        "  fedctl diff deployment/web -n shop\n"
        "  fedctl diff deployment/web -n shop --cluster lyon --cluster-context lyon-admin\n",
        "--namespace --cluster --cluster-context --all", cli_diff, CLI_OUTPUT_JSON},
    {"import", "--from CONTEXT | -f FILE [--overwrite] [--while-running] [--dry-run] [-o json]",
        "take over the objects of a KubeFed installation",
        "Reads configuration, types, federated objects, scheduling preferences and their "
        "namespaces from the\ncluster that hosted KubeFed, or from what kubectl printed of it, and "
        "writes them to the hub. What is on\nthe hub already stays as it is. Clusters join by "
        "their agents; to those that did, under the same name,\nthe old labels are added.\n\n"
        "  --from CONTEXT           the cluster that hosted KubeFed; its controllers must be "
        "stopped\n"
        "  -f, --filename FILE      YAML or JSON, documents and lists (- for standard input)\n"
        "  --overwrite              replace the spec of objects that are here with another one\n"
        "  --while-running          although KubeFed's controllers run\n" COMMON "examples:\n"
        "  fedctl import --from old-host --dry-run\n"
        "  fedctl import --from old-host\n"
        "  kubectl --context old-host get federatedtypeconfigs,federateddeployments -A -o yaml | "
        "fedctl import -f -\n",
        "--from --filename --overwrite --while-running --kubefed-namespace --dry-run",
        cli_import_command, CLI_OUTPUT_JSON},
    {"console", "[--print] [--ttl 5m] [-o json]",
        "make a link that signs a browser in to the hub's console",
        "Prints an address. It signs one browser in, once, as you, with your rights, until your "
        "credentials end,\nand for at most the time that the hub allows (fedhub's "
        "console-session).\n\n"
        "  --ttl DURATION    how long the link may be used, from 10s to 15m (default 5m)\n"
        "  --print           nothing but the address\n\n"
        "examples:\n  fedctl console\n  xdg-open \"$(fedctl console --print)\"\n",
        "--print --ttl", cli_console, CLI_OUTPUT_JSON},
    {"user add",
        "NAME --role admin|author|operator|viewer|ROLE [--namespace NS] [--ttl D] [-o FILE]",
        "let a person or a program use the hub, and write its kubeconfig",
        "NAME becomes a ServiceAccount in kube-federation-system. Its kubeconfig goes to standard "
        "output, or to FILE (mode 0600); it counts until `fedctl user remove NAME`.\n\n"
        "  --role ROLE       admin: everything; author: federated objects; operator: clusters and\n"
        "                    rollouts; viewer: reads all but Secrets; else the name of a\n"
        "                    ClusterRole, or of a Role in NS\n"
        "  --namespace NS    the role counts in this namespace alone (-n)\n"
        "  --ttl DURATION    the kubeconfig ends by itself, after 10m to 24h\n"
        "  -o FILE           where the kubeconfig is written\n\n"
        "examples:\n"
        "  fedctl user add ann --role author -o ann.kubeconfig\n"
        "  fedctl user add ci --role edit --namespace shop --ttl 1h -o ci.kubeconfig\n",
        "--role --namespace --ttl", cli_user_add, CLI_OUTPUT_FILE},
    {"user list", "[-o json]", "list the users that were added, and what they may act as",
        "example:\n  fedctl user list\n", "", cli_user_list, CLI_OUTPUT_JSON},
    {"user remove", "NAME", "remove a user; its kubeconfig is worthless at once",
        "example:\n  fedctl user remove ann\n", "", cli_user_remove, CLI_OUTPUT_JSON},
    {"plan replicas", "-f|--filename FILE [-o json]",
        "say how the replica scheduler would spread replicas over clusters",
        "Runs the planner of a ReplicaSchedulingPreference on this machine, without a hub. FILE "
        "(-: standard\n"
        "input) is one JSON document; all but clusters and totalReplicas may be absent:\n\n"
        "  {\"key\": \"ns/name\", \"clusters\": [\"A\", \"B\"], \"totalReplicas\": 50, "
        "\"rebalance\": false,\n"
        "   \"preferences\": {\"*\": {\"weight\": 1, \"minReplicas\": 0, \"maxReplicas\": "
        "null}},\n"
        "   \"current\": {\"A\": 30}, \"capacity\": {\"A\": 10}}\n\n"
        "The answer is {\"plan\":{...},\"overflow\":{...}}: what runs where, and what would be "
        "asked of a cluster\n"
        "beyond its capacity. Clusters of equal weight are served by a hash of name and key.\n\n"
        "example:\n"
        "  echo '{\"clusters\":[\"a\",\"b\"],\"totalReplicas\":9}' | fedctl plan replicas -f -\n",
        "--filename", cli_plan_replicas, CLI_OUTPUT_JSON},
    {"plan", "-f FILE [-n NS] [--all] [--exit-code] [-o json|yaml]",
        "what would go where if these objects were stored; nothing is",
        "FILE holds federated objects, FederatedNamespaces and Namespaces, PlacementPolicies, and "
        "KubeFedClusters\n(of which labels count); YAML or JSON, - is standard input. Each takes "
        "the place of the stored one as a\nwhole. Objects that are not in the file and change "
        "because of it are shown, too. Bytes are those of\nwhat clusters have not got yet, before "
        "compression.\n\n"
        "Objects are planned with the policies and labels that the hub has now; so are policies, "
        "and each\ncluster. Left out, which is said: RolloutPolicies, and how a "
        "ReplicaSchedulingPreference will share\nreplicas anew.\n\n"
        "  -f, --filename FILE    what would be stored\n"
        "  -n, --namespace NS     of objects that name none (default: that of the context)\n"
        "      --all              name all clusters, not the first eight\n"
        "      --exit-code        exit code 1 when something would change or be refused\n\n"
        "examples:\n"
        "  fedctl plan -f shop.yaml\n"
        "  kustomize build . | fedctl plan -f - -o json\n",
        "--filename --namespace --all --exit-code", cli_plan, CLI_OUTPUT_JSON_YAML},
    {"rollout list", "[KIND/NAME | -n NS | -A] [--active] [-o json]",
        "list rollouts: how changes of federated objects get to the clusters",
        "Of each object the newest first; the hub keeps the last ten. A RolloutPolicy makes a "
        "rollout of each\nchange of the objects that it selects.\n\n"
        "  -n, --namespace NS     of this namespace (default: that of the context)\n"
        "  -A, --all-namespaces   of all\n"
        "      --active           only those that are not over\n\n"
        "examples:\n"
        "  fedctl rollout list -A --active\n"
        "  fedctl rollout list deployment/web -n shop\n",
        "--namespace --all-namespaces --active", cli_rollout_list, CLI_OUTPUT_JSON},
    {"rollout status", "KIND/NAME [-n NS] [--clusters [--state S] [--wave W]] [--diff] [-o json]",
        "where a rollout stands: its waves, what failed and why, what comes next",
        ROLLOUT_NAME
        "      --clusters         every cluster, with its state and why\n"
        "      --state STATE      of these the ones in that state, as in failed or held\n"
        "      --wave WAVE        of these the ones of that wave\n"
        "      --diff             what the change changes\n\n"
        "examples:\n"
        "  fedctl rollout status deployment/web -n shop\n"
        "  fedctl rollout status deployment/web -n shop --clusters --state failed\n"
        "  fedctl rollout status deployment/web -n shop --diff\n",
        "--namespace --clusters --state --wave --diff", cli_rollout_status, CLI_OUTPUT_JSON},
    {"rollout watch", "KIND/NAME [-n NS] [-o json]", "the same, live, until the rollout is over",
        ROLLOUT_NAME
        "\nOn a terminal the picture is painted anew; elsewhere each change is one line with its "
        "time, with -o json\none Rollout. Exit codes as of rollout wait.\n\n"
        "example:\n  fedctl rollout watch deployment/web -n shop\n",
        "--namespace", cli_rollout_watch, CLI_OUTPUT_JSON},
    {"rollout wait", "KIND/NAME [-n NS] [--timeout D] [-o json]",
        "wait until a rollout is over or needs somebody",
        ROLLOUT_NAME
        "      --timeout D        how long to wait, as in 30m (default: without end)\n\n"
        "Of an object the rollout of its last change counts. Exit codes: 0 complete; 1 rolled "
        "back, aborted or\nsuperseded, or an error; 2 paused, waiting for approval, or held by "
        "policies that conflict; 124 it goes\non after the time.\n\n"
        "example:\n"
        "  kubectl apply -f web.yaml && fedctl rollout wait deployment/web -n shop --timeout 1h\n",
        "--namespace --timeout", cli_rollout_wait, CLI_OUTPUT_JSON},
    {"rollout pause", "KIND/NAME [-n NS] [--reason TEXT] [-o json]",
        "release the change to no more clusters",
        "What a cluster has begun it ends.\n\n" ROLLOUT_NAME ROLLOUT_REASON
        "\nexample:\n  fedctl rollout pause deployment/web -n shop --reason 'errors in the shop'\n",
        "--namespace --reason", cli_rollout_act, CLI_OUTPUT_JSON},
    {"rollout resume", "KIND/NAME [-n NS] [--reason TEXT] [-o json]",
        "go on with a rollout that was paused",
        ROLLOUT_NAME ROLLOUT_REASON "\nexample:\n  fedctl rollout resume deployment/web -n shop\n",
        "--namespace --reason", cli_rollout_act, CLI_OUTPUT_JSON},
    {"rollout approve", "KIND/NAME [-n NS] [--wave WAVE] [--reason TEXT] [-o json]",
        "let the next wave open, where the policy wants somebody to say so",
        ROLLOUT_NAME "      --wave WAVE        the wave that is approved (default: the one that "
                     "waits)\n" ROLLOUT_REASON
                     "\nexample:\n  fedctl rollout approve deployment/web -n shop --reason 'canary "
                     "looks fine'\n",
        "--namespace --wave --reason", cli_rollout_act, CLI_OUTPUT_JSON},
    {"rollout retry", "KIND/NAME [-n NS] [--reason TEXT] [-o json]",
        "release the change again to clusters where it failed or was taken back",
        "From the first wave that is not done, by the policy as it is now; failures are counted "
        "anew.\n\n" ROLLOUT_NAME ROLLOUT_REASON
        "\nexample:\n  fedctl rollout retry deployment/web -n shop --reason 'registry is back'\n",
        "--namespace --reason", cli_rollout_act, CLI_OUTPUT_JSON},
    {"rollout abort", "KIND/NAME [-n NS] [--reason TEXT] [--yes] [-o json]",
        "end a rollout where it is: every cluster keeps what it has",
        "Says how many clusters have the change, and asks.\n\n" ROLLOUT_NAME ROLLOUT_REASON
            ROLLOUT_YES "\nexample:\n  fedctl rollout abort deployment/web -n shop\n",
        "--namespace --reason --yes", cli_rollout_act, CLI_OUTPUT_JSON},
    {"rollout undo", "KIND/NAME [-n NS] [--reason TEXT] [--yes] [-o json]",
        "give every cluster that has the change back what it had before",
        "Also after the rollout is complete. Says how many clusters that are, and asks. The "
        "federated object stays\nas it is: its status says that it is held back, until it is "
        "written again or `fedctl rollout retry`.\n\n" ROLLOUT_NAME ROLLOUT_REASON ROLLOUT_YES
        "\nexample:\n  fedctl rollout undo deployment/web -n shop --reason 'slow checkout'\n",
        "--namespace --reason --yes", cli_rollout_act, CLI_OUTPUT_JSON},
    {"completion", "bash|zsh|fish", "print a completion script for a shell",
        "Commands, options, names of clusters, tokens, users and types are completed. For names "
        "the script runs\n`fedctl completion names "
        "clusters|federated|kinds|objects|requests|rollouts|tokens|types|users`.\nkubectl "
        "completes "
        "`kubectl fed` by itself where kubectl_complete-fed is in the PATH.\n\n"
        "examples:\n  source <(fedctl completion bash)\n  fedctl completion fish > "
        "~/.config/fish/completions/fedctl.fish\n",
        "", cli_completion, CLI_OUTPUT_JSON},
    {"version", "[-o json]", "print the version", "example:\n  fedctl version\n", "", cli_version,
        CLI_OUTPUT_JSON},
};
const size_t cli_n_commands = sizeof cli_commands / sizeof cli_commands[0];

enum cli_exit cli_version(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return cli_misuse(self, "takes no arguments");
    if (cli->json)
        printf("{\"version\":\"%s\"}\n", FEDLET_VERSION);
    else
        printf("fedctl %s\n", FEDLET_VERSION);
    return CLI_DONE;
}
