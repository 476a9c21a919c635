#!/usr/bin/env bash
# import.sh - moving over from KubeFed: a control plane that holds a KubeFed installation's objects, a hub, and a member that
# still runs what KubeFed put there.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
SYSTEM=kube-federation-system

start_clusters() { members_up old cluster1; }
join_member() { join_cluster cluster1; }

# The definitions are those of the hub's own types, made plain: what KubeFed installs is the same in all that counts here.
definitions() {
    hubctl get crd kubefedclusters.core.kubefed.io kubefedconfigs.core.kubefed.io federatedtypeconfigs.core.kubefed.io \
        replicaschedulingpreferences.scheduling.kubefed.io federatednamespaces.types.kubefed.io \
        federatedconfigmaps.types.kubefed.io federateddeployments.types.kubefed.io --ignore-not-found -o json | python3 -c '
import json, sys
for item in json.load(sys.stdin)["items"]:
    meta = item["metadata"]
    item["metadata"] = {"name": meta["name"]}
    item.pop("status", None)
    for version in item["spec"]["versions"]:
        version.pop("additionalPrinterColumns", None)
    print(json.dumps(item))'
}
fill_old() {
    definitions | memberctl old apply -f -
    # Not `kubectl wait`, which gives up on a definition that has no conditions yet, and is content before it is served.
    wait_for 60 'all types' memberctl old get kubefedclusters,kubefedconfigs,federatedtypeconfigs,federatednamespaces,federatedconfigmaps -A
    memberctl old create namespace "$SYSTEM"
    memberctl old create namespace shop
    memberctl old create namespace unrelated
    hubctl -n "$SYSTEM" get federatedtypeconfigs namespaces configmaps deployments.apps -o json | python3 -c '
import json, sys
for item in json.load(sys.stdin)["items"]:
    item["metadata"] = {"name": item["metadata"]["name"], "namespace": item["metadata"]["namespace"]}
    item.pop("status", None)
    print(json.dumps(item))' | memberctl old create -f -
    memberctl old create -f - <<YAML
apiVersion: core.kubefed.io/v1beta1
kind: KubeFedCluster
metadata: {name: cluster1, namespace: $SYSTEM, labels: {region: north}}
spec: {apiEndpoint: "https://cluster1.example:6443", secretRef: {name: cluster1-abcde}}
---
apiVersion: core.kubefed.io/v1beta1
kind: KubeFedCluster
metadata: {name: cluster2, namespace: $SYSTEM, labels: {region: south}}
spec: {apiEndpoint: "https://cluster2.example:6443", secretRef: {name: cluster2-abcde}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedNamespace
metadata: {name: shop, namespace: shop, finalizers: [kubefed.io/sync-controller]}
spec: {placement: {clusterSelector: {}}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: settings, namespace: shop, labels: {team: web}, finalizers: [kubefed.io/sync-controller]}
spec: {template: {data: {k: v}}, placement: {clusterSelector: {matchLabels: {region: north}}}}
YAML
    memberctl old -n "$SYSTEM" create deployment kubefed-controller-manager --image=kubefed:v0.10.0
    # What KubeFed left in the member.
    memberctl cluster1 create namespace shop
    memberctl cluster1 label namespace shop kubefed.io/managed=true
    memberctl cluster1 -n shop create configmap settings --from-literal=k=v
    memberctl cluster1 -n shop label configmap settings kubefed.io/managed=true
    memberctl cluster1 -n shop get configmap settings -o 'jsonpath={.metadata.uid}' >"$FLEET/uid"
    contexts_write "$FLEET/config" old cluster1
}
import() { "$BIN/fedctl" --kubeconfig "$FLEET/config" import "$@"; }

needs_one_source() {
    fails 2 'needs one of --from CONTEXT and -f FILE' import
    fails 2 'needs one of' import --from old -f -
    fails 1 'nowhere' import --from nowhere
    fails 1 'context cluster1 has no FederatedTypeConfigs: no KubeFed was there' import --from cluster1
    fails 1 'No such file' import -f "$FLEET/nothing.yaml"
}
not_while_running() {
    fails 1 'KubeFed still runs there' import --from old
    fails 1 'scale deployment kubefed-controller-manager --replicas=0' import --from old
    lacks hubctl get namespace shop
}
dry_run() {
    says 'federatedconfigmaps.types.kubefed.io/shop/settings created \(dry run\)' import --from old --dry-run
    lacks hubctl get namespace shop
}
move() {
    memberctl old -n "$SYSTEM" scale deployment kubefed-controller-manager --replicas=0
    import --from old >"$FLEET/moved" 2>&1 || { cat "$FLEET/moved"; return 1; }
    cat "$FLEET/moved"
    grep -qx 'namespaces/shop created' "$FLEET/moved"
    ! grep -q unrelated "$FLEET/moved" || return 1
    grep -qx 'federatednamespaces.types.kubefed.io/shop/shop created' "$FLEET/moved"
    grep -qx 'federatedconfigmaps.types.kubefed.io/shop/settings created' "$FLEET/moved"
    grep -qx "kubefedclusters.core.kubefed.io/$SYSTEM/cluster1 labelled" "$FLEET/moved"
    grep -qx "kubefedclusters.core.kubefed.io/$SYSTEM/cluster2 has not joined here yet" "$FLEET/moved"
    is web hub_jsonpath shop federatedconfigmap settings '{.metadata.labels.team}'
    is north hub_jsonpath "$SYSTEM" kubefedcluster cluster1 '{.metadata.labels.region}'
}
adopted() {
    soon 30 'True ' propagation shop federatedconfigmap settings
    soon 30 cluster1 hub_jsonpath shop federatedconfigmap settings '{.status.clusters[*].name}'
    is "$(cat "$FLEET/uid")" member_jsonpath cluster1 shop configmap settings '{.metadata.uid}'
    is true member_jsonpath cluster1 shop configmap settings '{.metadata.labels.kubefed\.io/managed}'
}
again() {
    says 'federatedconfigmaps.types.kubefed.io/shop/settings unchanged' import --from old
    says '"result": *"unchanged"' import --from old -o json
    hubctl -n shop patch federatedconfigmap settings --type=merge -p '{"spec":{"template":{"data":{"k":"ours"}}}}'
    fails 1 'shop/settings is different, left as it is' import --from old
    is ours hub_jsonpath shop federatedconfigmap settings '{.spec.template.data.k}'
    says 'shop/settings replaced' import --from old --overwrite
    is v hub_jsonpath shop federatedconfigmap settings '{.spec.template.data.k}'
}
from_a_file() {
    memberctl old create namespace later
    memberctl old -n later create -f - <<'YAML'
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: late}
spec: {template: {data: {k: v}}}
YAML
    hubctl create namespace later
    memberctl old get federatedconfigmaps,namespaces,configmaps -A -o yaml >"$FLEET/all.yaml"
    says 'federatedconfigmaps.types.kubefed.io/later/late created' import -f "$FLEET/all.yaml"
    says 'not of KubeFed, left out: [0-9]+ objects, such as a ConfigMap' import -f "$FLEET/all.yaml"
    fails 1 'document 1: an object without kind or metadata.name' import -f - <<<'{"kind": "FederatedConfigMap"}'
}

hub_start
must "a former host and a member" start_clusters
must "the member joins" join_member
must "the former host holds what KubeFed held" fill_old
try "wrong use is told apart" needs_one_source
try "not while KubeFed runs" not_while_running
try "a dry run writes nothing" dry_run
must "everything moves over in order" move
try "the member's objects are taken over as they are" adopted
try "once more: nothing, what differs stays, or is replaced" again
try "from what kubectl printed" from_a_file
suite_end
