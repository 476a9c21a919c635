#!/usr/bin/env bash
# versions.sh - what members report, and where it is shown: PropagatedVersion, remoteStatus, FederatedServiceStatus, the
# conditions of a KubeFedCluster. A hub, two real control planes (one with pods), two agents, kubectl.
set -euo pipefail
source "$(dirname "$0")/suite.sh"

SYSTEM=kube-federation-system
version() { hub_jsonpath shop propagatedversion "$1" "$2"; }
version_of() { version "$1" "{.status.clusterVersions[?(@.clusterName==\"$2\")].version}"; }
live() { # live CLUSTER RESOURCE NAME: its version, as KubeFed writes it
    memberctl "$1" -n shop get "$2" "$3" -o json | python3 -c 'import json, sys
meta = json.load(sys.stdin)["metadata"]
print("gen:%d" % meta["generation"] if meta.get("generation") else "rv:" + meta["resourceVersion"])'
}
# agree RESOURCE NAME CLUSTER: what the hub shows is the live object's.
agree() {
    local kind=$1 shown
    shown=$(version_of "$kind-$2" "$3")
    is "$shown" live "$3" "$kind" "$2"
}
agrees() { wait_for 20 "the version of $1 $2 in $3" agree "$@"; }

start() {
    members_up cluster1
    members_up cluster2 -- --pods
    hub_start --heartbeat-s 10
    join_cluster cluster1
    join_cluster cluster2
    hubctl create namespace shop
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedNamespace\nmetadata: {name: shop, namespace: shop}\nspec: {placement: {clusterSelector: {}}}\n' |
        hubctl apply -f -
    soon 30 'True ' propagation shop federatednamespace shop
}

# ---- versions ----
case_config_map() {
    federated FederatedConfigMap shop settings '{data: {A: "ala ma kota"}}' | hubctl apply -f -
    soon 20 'True ' propagation shop federatedconfigmap settings
    is 63edc4c5d1171489b7a34eedad2dcf91 version configmap-settings '{.status.templateVersion}'
    is 2979b7538b527abe06492021841caf47 version configmap-settings '{.status.overridesVersion}'
    is 'cluster1 cluster2' version configmap-settings '{.status.clusterVersions[*].clusterName}'
    is "FederatedConfigMap settings $(hub_jsonpath shop federatedconfigmap settings '{.metadata.uid}')" \
        version configmap-settings '{.metadata.ownerReferences[0].kind} {.metadata.ownerReferences[0].name} {.metadata.ownerReferences[0].uid}'
    agrees configmap settings cluster1
    agrees configmap settings cluster2
    says '^rv:[0-9]+$' version_of configmap-settings cluster1
    is "$(version_of configmap-settings cluster1)" cluster_word shop federatedconfigmap settings cluster1 version
}
case_deployment() {
    federated FederatedDeployment shop web '{spec: {replicas: 1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: "nginx:1"}]}}}}' |
        hubctl apply -f -
    soon 20 'True ' propagation shop federateddeployment web
    agrees deployment web cluster1
    agrees deployment web cluster2
    hubctl -n shop patch federateddeployment web --type=merge -p '{"spec":{"template":{"spec":{"replicas":2}}}}'
    soon 20 gen:2 live cluster1 deployment web
    agrees deployment web cluster1
    agrees deployment web cluster2
}
case_member_moves() {
    # A field that nobody federates: it stays, and the version follows.
    memberctl cluster1 -n shop annotate configmap settings by=somebody
    agrees configmap settings cluster1
    memberctl cluster1 -n shop patch deployment web --type=merge -p '{"spec":{"revisionHistoryLimit":3}}'
    soon 20 gen:3 live cluster1 deployment web
    agrees deployment web cluster1
    # A field of ours: put back, which moves it again.
    memberctl cluster1 -n shop patch configmap settings --type=merge -p '{"data":{"A":"spoiled"}}'
    soon 20 'ala ma kota' member_jsonpath cluster1 shop configmap settings '{.data.A}'
    agrees configmap settings cluster1
}
case_namespace_and_cluster_scope() {
    says '^rv:' version_of namespace-shop cluster1
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedClusterRole\nmetadata: {name: reader}\nspec: {template: {rules: []}, placement: {clusterSelector: {}}}\n' |
        hubctl apply -f -
    soon 20 "rv:$(memberctl_rv cluster1)" hubctl get clusterpropagatedversion clusterrole-reader \
        -o 'jsonpath={.status.clusterVersions[0].version}'
    hubctl delete federatedclusterrole reader
    gone 20 hubctl get clusterpropagatedversion clusterrole-reader
}
memberctl_rv() {
    wait_for 20 "the role in $1" memberctl "$1" get clusterrole reader >&2
    memberctl "$1" get clusterrole reader -o 'jsonpath={.metadata.resourceVersion}'
}
case_out_of_band() {
    local uid
    uid=$(version configmap-settings '{.metadata.uid}')
    hubctl -n shop patch propagatedversion configmap-settings --subresource=status --type=merge \
        -p '{"status":{"templateVersion":"wrong","overridesVersion":"wrong","clusterVersions":[]}}'
    is 63edc4c5d1171489b7a34eedad2dcf91 version configmap-settings '{.status.templateVersion}'
    agrees configmap settings cluster1
    hubctl -n shop delete propagatedversion configmap-settings
    wait_for 20 'another one' made_again "$uid"
    agrees configmap settings cluster2
}
made_again() {
    local now
    now=$(version configmap-settings '{.metadata.uid}')
    [ -n "$now" ] && [ "$now" != "$1" ]
}
case_watch() {
    hubctl -n shop get propagatedversion configmap-settings --watch -o 'jsonpath={.status.clusterVersions[0].version}{"\n"}' \
        >"$FLEET/logs/watch.out" &
    echo $! >"$FLEET/watch.pid"
    wait_for 10 'the first version' grep -q rv: "$FLEET/logs/watch.out"
    memberctl cluster1 -n shop annotate --overwrite configmap settings by=another
    wait_for 20 'the next one' grep -qF "$(live cluster1 configmap settings)" "$FLEET/logs/watch.out"
    process_stop "$FLEET/watch.pid"
}
case_own_versions() {
    hubctl -n shop create configmap mine
    printf 'apiVersion: core.kubefed.io/v1alpha1\nkind: PropagatedVersion\nmetadata: {name: v1-mine, namespace: shop, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: mine, uid: %s}]}\n' \
        "$(hub_jsonpath shop configmap mine '{.metadata.uid}')" | hubctl create -f -
    hubctl -n shop patch propagatedversion v1-mine --subresource=status --type=merge \
        -p '{"status":{"templateVersion":"t","overridesVersion":"","clusterVersions":[{"clusterName":"c","version":"gen:1"}]}}'
    is 't gen:1' version v1-mine '{.status.templateVersion} {.status.clusterVersions[0].version}'
    hubctl -n shop delete configmap mine
    gone 30 hubctl -n shop get propagatedversion v1-mine
}
case_gone_with_owner() {
    hubctl -n shop delete federatedconfigmap settings
    gone 30 hubctl -n shop get propagatedversion configmap-settings
}
case_restart() {
    local before
    before=$(hub_jsonpath shop federateddeployment web '{.status.conditions}')
    wait_for 10 'its time to be kept' sqlite_has_time
    hub_stop
    hub_start --heartbeat-s 10
    soon 30 True ready_word cluster1
    soon 30 True ready_word cluster2
    soon 20 'True ' propagation shop federateddeployment web
    agrees deployment web cluster1
    printf 'before: %s\nafter: %s\n' "$before" "$(hub_jsonpath shop federateddeployment web '{.status.conditions}')"
    is "$before" hub_jsonpath shop federateddeployment web '{.status.conditions}'
}
sqlite_has_time() {
    python3 - "$FLEET/hub/hub.db" <<'PY'
import sqlite3, sys
store = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
tables = [r[0] for r in store.execute("select name from sqlite_master where type='table'")]
found = any(b"c/federateddeployments" in bytes(v if isinstance(v, bytes) else str(v).encode())
            for t in tables for row in store.execute(f"select * from {t}") for v in row)
sys.exit(0 if found else 1)
PY
}

# ---- statuses ----
gate() { # gate STATE
    printf 'apiVersion: core.kubefed.io/v1beta1\nkind: KubeFedConfig\nmetadata: {name: kubefed, namespace: %s}\nspec: {scope: Cluster, featureGates: [{name: RawResourceStatusCollection, configuration: %s}]}\n' \
        "$SYSTEM" "$1" | hubctl apply -f -
}
remote() { # remote CLUSTER: readyReplicas as the hub shows them
    cluster_word shop federateddeployment web "$1" remoteStatus.readyReplicas
}
case_remote_status() {
    is '' hub_jsonpath shop federateddeployment web '{.status.clusters[*].remoteStatus}'
    hubctl -n $SYSTEM patch federatedtypeconfig deployments.apps --type=merge -p '{"spec":{"statusCollection":"Enabled"}}'
    gate Enabled
    soon 60 2 remote cluster2
    # No controllers in cluster1: its Deployment has an empty status, which is one.
    wait_for 20 'a status of cluster1' says . cluster_word shop federateddeployment web cluster1 remoteStatus
    hubctl -n shop patch federateddeployment web --type=merge -p '{"spec":{"template":{"spec":{"replicas":1}}}}'
    soon 60 1 remote cluster2
    soon 20 'True ' propagation shop federateddeployment web
    is "$(memberctl cluster2 -n shop get deployment web -o 'jsonpath={.status.observedGeneration}')" \
        cluster_word shop federateddeployment web cluster2 remoteStatus.observedGeneration
}
fields_patch() { # fields_patch VALUE
    printf '{"spec":{"template":{"metadata":{"annotations":{"fedlet.io/status-fields":%s}}}}}' "$1"
}
case_selected_fields() {
    fails 1 'fedlet.io/status-fields]: Invalid value: .*not a list of paths' hubctl -n shop patch federateddeployment web --type=merge -p "$(fields_patch '"conditions[0]"')"
    hubctl -n shop patch federateddeployment web --type=merge -p "$(fields_patch '"readyReplicas, conditions[*].type"')"
    soon 60 '{"conditions":[{"type":"Available"},{"type":"Progressing"}],"readyReplicas":1}' sorted_status cluster2
    is '' memberctl cluster2 -n shop get deployment web -o 'jsonpath={.metadata.annotations.fedlet\.io/status-fields}'
    hubctl -n shop patch federateddeployment web --type=merge -p "$(fields_patch null)"
    wait_for 60 'the whole status' says '"observedGeneration"' sorted_status cluster2
}
sorted_status() { # sorted_status CLUSTER: its remoteStatus, conditions by type
    hubctl -n shop get federateddeployment web -o json | python3 -c '
import json, sys
for row in json.load(sys.stdin)["status"]["clusters"]:
    if row["name"] == sys.argv[1]:
        status = row.get("remoteStatus") or {}
        if "conditions" in status:
            status["conditions"].sort(key=lambda one: one["type"])
        print(json.dumps(status, sort_keys=True, separators=(",", ":")))' "$1"
}
case_no_status_is_no_trouble() {
    hubctl -n $SYSTEM patch federatedtypeconfig configmaps --type=merge -p '{"spec":{"statusCollection":"Enabled"}}'
    federated FederatedConfigMap shop plain '{data: {a: b}}' | hubctl apply -f -
    soon 20 'True ' propagation shop federatedconfigmap plain
    is '' hub_jsonpath shop federatedconfigmap plain '{.status.clusters[*].remoteStatus}'
}
case_service_status() {
    hubctl -n $SYSTEM patch federatedtypeconfig services --type=merge \
        -p '{"spec":{"statusCollection":"Enabled","statusType":{"group":"core.kubefed.io","version":"v1alpha1","kind":"FederatedServiceStatus","pluralName":"federatedservicestatuses","scope":"Namespaced"}}}'
    gate Disabled
    federated FederatedService shop front '{spec: {type: LoadBalancer, ports: [{port: 80}], selector: {app: web}}}' | hubctl apply -f -
    soon 20 'True ' propagation shop federatedservice front
    soon 20 'cluster1 cluster2' hub_jsonpath shop federatedservicestatus front '{.clusterStatus[*].clusterName}'
    memberctl cluster1 -n shop patch service front --subresource=status --type=merge \
        -p '{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.7"}]}}}'
    soon 20 192.0.2.7 hub_jsonpath shop federatedservicestatus front \
        '{.clusterStatus[?(@.clusterName=="cluster1")].status.loadBalancer.ingress[0].ip}'
    is '' hub_jsonpath shop federatedservice front '{.status.clusters[*].remoteStatus}'
    is '' hub_jsonpath shop federateddeployment web '{.status.clusters[*].remoteStatus}'
    hubctl -n shop delete federatedservice front
    gone 30 hubctl -n shop get federatedservicestatus front
}

# ---- clusters ----
cluster_condition() { # cluster_condition CLUSTER: type=status reason, of all
    hubctl -n $SYSTEM get kubefedcluster "$1" \
        -o 'jsonpath={range .status.conditions[*]}{.type}={.status} {.reason};{end}'
}
message() { hubctl -n $SYSTEM get kubefedcluster "$1" -o 'jsonpath={.status.conditions[0].message}'; }
case_columns() {
    says '^NAME +AGE +READY +KUBERNETES-VERSION$' hubctl -n $SYSTEM get kubefedclusters
    says "^cluster1 +[0-9]+[a-z].* +True +v1\.[0-9]+\.[0-9]+$" hubctl -n $SYSTEM get kubefedclusters
    is 'Ready=True ClusterReady;' cluster_condition cluster1
    is '/healthz responded with ok' message cluster1
    says '^20..-..-..T..:..:..Z$' hubctl -n $SYSTEM get kubefedcluster cluster1 -o 'jsonpath={.status.conditions[0].lastProbeTime}'
}
case_nodes() {
    memberctl cluster1 create -f - <<'YAML'
apiVersion: v1
kind: Node
metadata: {name: edge-1, labels: {topology.kubernetes.io/region: north, topology.kubernetes.io/zone: north-a}}
status: {allocatable: {cpu: "4", memory: 8Gi}}
YAML
    agent_stop cluster1
    agent_start cluster1
    soon 30 'north ["north-a"] 1 4000m' hubctl -n $SYSTEM get kubefedcluster cluster1 \
        -o 'jsonpath={.status.region} {.status.zones} {.status.nodes} {.status.allocatable.cpu}'
}
case_api_server_away() {
    local since
    since=$(hubctl -n $SYSTEM get kubefedcluster cluster1 -o 'jsonpath={.status.conditions[0].lastTransitionTime}')
    "$KUBE" stop --dir "$FLEET/cluster1/kube" apiserver
    soon 300 'Offline=True ClusterNotReachable;' cluster_condition cluster1
    says '^cluster is not reachable: .' message cluster1
    is '' hub_jsonpath $SYSTEM kubefedcluster cluster1 '{.status.kubernetesVersion}'
    is ClusterNotReady cluster_word shop federateddeployment web cluster1 status
    is 'False CheckClusters' propagation shop federateddeployment web
    "$KUBE" start --dir "$FLEET/cluster1/kube" apiserver
    soon 300 'Ready=True ClusterReady;' cluster_condition cluster1
    soon 20 'True ' propagation shop federateddeployment web
    [ "$(hubctl -n $SYSTEM get kubefedcluster cluster1 -o 'jsonpath={.status.conditions[0].lastTransitionTime}')" != "$since" ]
}
case_agent_away() {
    agent_stop cluster2 KILL
    soon 300 'Offline=True ClusterNotReachable;' cluster_condition cluster2
    says '^cluster is not reachable: its agent was last heard at 20' message cluster2
    # The version that it had is still what is known.
    agree deployment web cluster2
    agent_start cluster2
    soon 60 'Ready=True ClusterReady;' cluster_condition cluster2
}

must "a hub, two members, a federated namespace" start
try "a ConfigMap's version: both hashes, rv: of each live object, owner" case_config_map
try "a Deployment's version: gen:, and it follows a change" case_deployment
try "what the member moves is followed" case_member_moves
try "a namespace's version, and one of a cluster-scoped kind" case_namespace_and_cluster_scope
try "out of band: a status is not kept, a deleted one comes back" case_out_of_band
try "a watch shows the next version" case_watch
try "somebody's own PropagatedVersion is theirs, and goes with its owner" case_own_versions
try "versions go with their object" case_gone_with_owner
try "a restart keeps versions and times" case_restart
try "remoteStatus with gate and type" case_remote_status
try "fields of the status that the template names" case_selected_fields
try "a kind without status propagates all the same" case_no_status_is_no_trouble
try "FederatedServiceStatus" case_service_status
try "columns and conditions of a ready cluster" case_columns
try "region, zones and what nodes can take" case_nodes
try "an API server that does not answer" case_api_server_away
try "an agent that is not heard" case_agent_away
suite_end
