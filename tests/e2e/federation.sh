#!/usr/bin/env bash
# federation.sh - propagation end to end: a hub, two real member control planes (one with pods), two agents, kubectl. KubeFed's
# semantics case by case are the tables of propagation.sh.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
WORK=$FLEET/work
mkdir -p "$WORK"

deployment() { # deployment NAMESPACE NAME PLACEMENT OVERRIDES: placement and overrides as one-line YAML
    cat <<YAML
apiVersion: types.kubefed.io/v1beta1
kind: FederatedDeployment
metadata: {name: $2, namespace: $1}
spec:
  template:
    metadata:
      labels: {app: $2}
    spec:
      replicas: 1
      selector: {matchLabels: {app: $2}}
      template:
        metadata: {labels: {app: $2}}
        spec:
          containers: [{name: main, image: "nginx:1"}]
  placement: $3
  overrides: $4
YAML
}
BOTH='{clusters: [{name: cluster1}, {name: cluster2}]}'
PLACEMENT=$BOTH
config() { federated FederatedConfigMap "$1" "$2" "{data: {k: \"$3\"}}" "${4:-$BOTH}"; }
place() { # place NAMESPACE RESOURCE NAME PLACEMENT as JSON
    hubctl -n "$1" patch "$2" "$3" --type=merge -p "{\"spec\":{\"placement\":$4}}"
}
in_member() { if [ -n "$2" ]; then member_jsonpath "$@"; else memberctl "$1" get "$3" "$4" -o "jsonpath=$5"; fi; }

start_members() {
    members_up cluster1
    # With pods where health is looked at.
    members_up cluster2 -- --pods
}
join_members() {
    join_cluster cluster1 --label region=north --label tier=edge
    join_cluster cluster2 --label region=south --label tier=edge
    is north hub_jsonpath kube-federation-system kubefedcluster cluster1 '{.metadata.labels.region}'
    says '^v1\.' hub_jsonpath kube-federation-system kubefedcluster cluster1 '{.status.kubernetesVersion}'
    says 'cluster1 +True +v1\.' fedctl clusters
}
make_namespace() {
    hubctl create namespace shop
    federated FederatedNamespace shop shop '{metadata: {labels: {team: web}}}' | hubctl apply -f -
    soon 30 Active in_member cluster1 shop namespace shop '{.status.phase}'
    soon 30 Active in_member cluster2 shop namespace shop '{.status.phase}'
    soon 30 'True ' propagation shop federatednamespace shop
    is web in_member cluster1 '' namespace shop '{.metadata.labels.team}'
}

# ---- placement ----
case_placement_names() {
    config shop names one '{clusters: [{name: cluster1}, {name: nobody}]}' | hubctl apply -f -
    soon 20 one in_member cluster1 shop configmap names '{.data.k}'
    soon 20 'True ' propagation shop federatedconfigmap names
    is cluster1 hub_jsonpath shop federatedconfigmap names '{.status.clusters[*].name}'
    lacks memberctl cluster2 -n shop get configmap names
    is true in_member cluster1 shop configmap names '{.metadata.labels.kubefed\.io/managed}'
}
case_placement_selector() {
    place shop federatedconfigmap names '{"clusters":null,"clusterSelector":{"matchLabels":{"region":"south"}}}'
    soon 20 one in_member cluster2 shop configmap names '{.data.k}'
    gone 20 memberctl cluster1 -n shop get configmap names
    place shop federatedconfigmap names \
        '{"clusterSelector":{"matchLabels":null,"matchExpressions":[{"key":"region","operator":"In","values":["north"]}]}}'
    soon 20 one in_member cluster1 shop configmap names '{.data.k}'
    gone 20 memberctl cluster2 -n shop get configmap names
    # An empty selector is everybody, a list of names hides the selector, an empty list is nobody.
    place shop federatedconfigmap names '{"clusterSelector":{"matchExpressions":null}}'
    soon 20 one in_member cluster2 shop configmap names '{.data.k}'
    soon 20 one in_member cluster1 shop configmap names '{.data.k}'
    place shop federatedconfigmap names '{"clusters":[{"name":"cluster2"}]}'
    gone 20 memberctl cluster1 -n shop get configmap names
    place shop federatedconfigmap names '{"clusters":[]}'
    gone 20 memberctl cluster2 -n shop get configmap names
}
case_namespace_intersection() {
    config shop both v | hubctl apply -f -
    soon 20 v in_member cluster1 shop configmap both '{.data.k}'
    soon 20 v in_member cluster2 shop configmap both '{.data.k}'
    place shop federatednamespace shop '{"clusters":[{"name":"cluster2"}]}'
    gone 40 memberctl cluster1 get namespace shop
    soon 20 cluster2 hub_jsonpath shop federatedconfigmap both '{.status.clusters[*].name}'
    is v in_member cluster2 shop configmap both '{.data.k}'
    place shop federatednamespace shop '{"clusters":[{"name":"cluster1"},{"name":"cluster2"}]}'
    soon 40 v in_member cluster1 shop configmap both '{.data.k}'
    hubctl -n shop delete federatedconfigmap both
}

# ---- overrides ----
case_overrides() {
    deployment shop web "$BOTH" '[{clusterName: cluster2, clusterOverrides: [
        {path: /spec/replicas, value: 3},
        {op: add, path: /metadata/annotations, value: {note: here}},
        {op: add, path: /spec/template/spec/containers/-, value: {name: side, image: "busybox:1"}},
        {op: replace, path: "/spec/template/spec/containers/0/image", value: "nginx:2"}]}]' | hubctl apply -f -
    soon 30 1 in_member cluster1 shop deployment web '{.spec.replicas}'
    soon 30 3 in_member cluster2 shop deployment web '{.spec.replicas}'
    is 'nginx:1' in_member cluster1 shop deployment web '{.spec.template.spec.containers[*].image}'
    is 'nginx:2 busybox:1' in_member cluster2 shop deployment web '{.spec.template.spec.containers[*].image}'
    is here in_member cluster2 shop deployment web '{.metadata.annotations.note}'
    soon 60 3 in_member cluster2 shop deployment web '{.status.readyReplicas}'
    soon 30 'True ' propagation shop federateddeployment web
}
case_override_removed() {
    hubctl -n shop patch federateddeployment web --type=merge -p '{"spec":{"overrides":[{"clusterName":"cluster2","clusterOverrides":[
        {"path":"/spec/replicas","value":2},{"op":"remove","path":"/spec/template/metadata/labels/none"}]}]}}'
    # A removal of what is not there is an error of that cluster's overrides.
    soon 20 ApplyOverridesFailed cluster_word shop federateddeployment web cluster2 status
    hubctl -n shop patch federateddeployment web --type=merge -p '{"spec":{"overrides":[{"clusterName":"cluster2","clusterOverrides":[
        {"path":"/spec/replicas","value":2}]}]}}'
    soon 20 2 in_member cluster2 shop deployment web '{.spec.replicas}'
    soon 20 'nginx:1' in_member cluster2 shop deployment web '{.spec.template.spec.containers[*].image}'
    soon 20 '' in_member cluster2 shop deployment web '{.metadata.annotations.note}'
    hubctl -n shop patch federateddeployment web --type=merge -p '{"spec":{"overrides":[]}}'
    soon 20 1 in_member cluster2 shop deployment web '{.spec.replicas}'
    soon 20 'True ' propagation shop federateddeployment web
}
case_bad_override() {
    deployment shop bad "$BOTH" '[{clusterName: cluster2, clusterOverrides: [{path: /spec/none/below, value: 1}]}]' | hubctl apply -f -
    config shop beside v | hubctl apply -f -
    soon 20 ApplyOverridesFailed cluster_word shop federateddeployment bad cluster2 status
    says '/spec/none/below' cluster_word shop federateddeployment bad cluster2 message
    soon 20 'False CheckClusters' propagation shop federateddeployment bad
    # The other cluster and the other works go on.
    soon 20 nginx:1 in_member cluster1 shop deployment bad '{.spec.template.spec.containers[0].image}'
    soon 20 '' cluster_word shop federateddeployment bad cluster1 status
    soon 20 v in_member cluster2 shop configmap beside '{.data.k}'
    lacks memberctl cluster2 -n shop get deployment bad
    hubctl -n shop patch federateddeployment bad --type=merge -p '{"spec":{"overrides":[]}}'
    soon 20 nginx:1 in_member cluster2 shop deployment bad '{.spec.template.spec.containers[0].image}'
    soon 20 'True ' propagation shop federateddeployment bad
    hubctl -n shop delete federateddeployment bad
    hubctl -n shop delete federatedconfigmap beside
}

# ---- the short form ----
case_short_form() {
    cat >"$WORK/short.yaml" <<'YAML'
apiVersion: v1
kind: Namespace
metadata:
  name: short
  labels:
    federated: "true"
---
apiVersion: types.kubefed.io/v1alpha2
kind: FederatedDeployment
metadata:
  name: redis
  namespace: short
spec:
  template:
    metadata:
      labels:
        app: redis
    spec:
      containers:
      - name: redis
        image: redis:alpine
        ports:
        - containerPort: 6379
YAML
    local generation
    hubctl apply -f "$WORK/short.yaml"
    soon 30 redis:alpine in_member cluster1 short deployment redis '{.spec.template.spec.containers[0].image}'
    soon 30 redis:alpine in_member cluster2 short deployment redis '{.spec.template.spec.containers[0].image}'
    is '{"app":"redis"}' in_member cluster1 short deployment redis '{.spec.selector.matchLabels}'
    is 1 in_member cluster1 short deployment redis '{.spec.replicas}'
    soon 60 1 in_member cluster2 short deployment redis '{.status.readyReplicas}'
    generation=$(hub_jsonpath short federateddeployment redis '{.metadata.generation}')
    hubctl apply -f "$WORK/short.yaml"
    is "$generation" hub_jsonpath short federateddeployment redis '{.metadata.generation}'
    # What is stored is the whole form, as v1beta1.
    is '{"app":"redis"}' hub_jsonpath short federateddeployment.v1beta1.types.kubefed.io redis '{.spec.template.spec.selector.matchLabels}'
    sed -i 's/redis:alpine/redis:7/' "$WORK/short.yaml"
    says configured hubctl apply -f "$WORK/short.yaml"
    soon 30 redis:7 in_member cluster1 short deployment redis '{.spec.template.spec.containers[0].image}'
    soon 30 redis:7 in_member cluster2 short deployment redis '{.spec.template.spec.containers[0].image}'
    hubctl delete namespace short --timeout=180s
    gone 60 memberctl cluster1 get namespace short
}

# ---- going away ----
case_unplaced() {
    place shop federateddeployment web '{"clusters":[{"name":"cluster1"}]}'
    gone 20 memberctl cluster2 -n shop get deployment web
    soon 20 cluster1 hub_jsonpath shop federateddeployment web '{.status.clusters[*].name}'
    is 1 in_member cluster1 shop deployment web '{.spec.replicas}'
}
case_deletion() {
    is kubefed.io/sync-controller hub_jsonpath shop federateddeployment web '{.metadata.finalizers[*]}'
    # With its agent away the object waits for its copy to be gone.
    agent_stop cluster1
    hubctl -n shop delete federateddeployment web --wait=false
    sleep 1
    says . hub_jsonpath shop federateddeployment web '{.metadata.deletionTimestamp}'
    says . in_member cluster1 shop deployment web '{.metadata.uid}'
    agent_start cluster1
    gone 40 hubctl -n shop get federateddeployment web
    lacks memberctl cluster1 -n shop get deployment web
}

# ---- kinds ----
one_kind() { # one_kind FEDERATED_KIND TEMPLATE RESOURCE JSONPATH VALUE
    federated "$1" shop kind "$2" | hubctl apply -f -
    soon 30 "$5" in_member cluster1 shop "$3" kind "$4"
    soon 30 "$5" in_member cluster2 shop "$3" kind "$4"
    soon 30 'True ' propagation shop "federated$3" kind
    is true in_member cluster1 shop "$3" kind '{.metadata.labels.kubefed\.io/managed}'
    hubctl -n shop delete "federated$3" kind --timeout=90s
    gone 30 memberctl cluster1 -n shop get "$3" kind
}
case_cluster_role() {
    federated FederatedClusterRole '' fed-reader '{rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]}' >"$WORK/role.yaml"
    hubctl apply -f "$WORK/role.yaml"
    soon 30 pods in_member cluster1 '' clusterrole fed-reader '{.rules[0].resources[0]}'
    soon 30 pods in_member cluster2 '' clusterrole fed-reader '{.rules[0].resources[0]}'
    hubctl delete -f "$WORK/role.yaml" --timeout=90s
    gone 30 memberctl cluster1 get clusterrole fed-reader
}

# ---- what the member has to say ----
case_rejected() {
    federated FederatedService shop refused '{spec: {ports: [{port: 70000}]}}' | hubctl apply -f -
    config shop fine v | hubctl apply -f -
    soon 20 v in_member cluster1 shop configmap fine '{.data.k}'
    soon 20 CreationFailed cluster_word shop federatedservice refused cluster1 status
    says 'spec.ports\[0\].port: Invalid value: 70000.*must be between 1 and 65535' \
        cluster_word shop federatedservice refused cluster1 message
    soon 20 'False CheckClusters' propagation shop federatedservice refused
    hubctl -n shop patch federatedservice refused --type=merge -p '{"spec":{"template":{"spec":{"ports":[{"port":7000}]}}}}'
    soon 30 7000 in_member cluster1 shop service refused '{.spec.ports[0].port}'
    soon 30 'True ' propagation shop federatedservice refused
    # An update that the member refuses.
    hubctl -n shop patch federatedservice refused --type=merge -p '{"spec":{"template":{"spec":{"ports":[{"port":-1}]}}}}'
    soon 20 UpdateFailed cluster_word shop federatedservice refused cluster1 status
    is 7000 in_member cluster1 shop service refused '{.spec.ports[0].port}'
    hubctl -n shop delete federatedservice refused
    hubctl -n shop delete federatedconfigmap fine
}
case_unknown_to_member() {
    config shop many v | hubctl apply -f -
    federated FederatedJob shop nonsense '{spec: {template: {spec: {restartPolicy: Sometimes, containers: []}}}}' | hubctl apply -f -
    soon 20 CreationFailed cluster_word shop federatedjob nonsense cluster2 status
    says 'restartPolicy|containers' cluster_word shop federatedjob nonsense cluster2 message
    soon 20 v in_member cluster2 shop configmap many '{.data.k}'
    hubctl -n shop delete federatedjob nonsense
    hubctl -n shop delete federatedconfigmap many
}

# ---- more at once ----
case_many() {
    local n
    for n in $(seq 60); do config shop "many-$n" "value $n"; echo ---; done | hubctl apply -f - >/dev/null
    many_there() {
        local names
        names=$(memberctl "$1" -n shop get configmaps -l kubefed.io/managed=true -o name) || return 1
        [ "$(grep -c many- <<<"$names")" = "$2" ]
    }
    wait_for 40 'all 60 in cluster1' many_there cluster1 60
    wait_for 40 'all 60 in cluster2' many_there cluster2 60
    for n in $(seq 60); do config shop "many-$n" v; echo ---; done >"$WORK/many.yaml"
    hubctl delete -f "$WORK/many.yaml" --wait=false >/dev/null
    wait_for 60 'none left in cluster1' many_there cluster1 0
    wait_for 60 'none left in cluster2' many_there cluster2 0
}
# Forty removals that wait are named in every report, which then is larger than a datagram: what else happens is still told.
case_many_held_up() {
    local i
    for i in $(seq 40); do
        config shop "held-by-a-finalizer-$i" "$i"
        echo ---
    done | hubctl apply -f - >/dev/null
    for i in $(seq 40); do
        soon 60 "$i" member_jsonpath cluster1 shop configmap "held-by-a-finalizer-$i" '{.data.k}'
        memberctl cluster1 -n shop patch configmap "held-by-a-finalizer-$i" --type=merge -p '{"metadata":{"finalizers":["test.example/hold"]}}'
    done >/dev/null
    hubctl -n shop delete federatedconfigmap --wait=false $(seq -f 'held-by-a-finalizer-%g' 40) >/dev/null
    for i in 1 40; do
        soon 60 WaitingForRemoval cluster_word shop federatedconfigmap "held-by-a-finalizer-$i" cluster1 status
    done
    config shop beside 1 | hubctl apply -f -
    soon 30 'True ' propagation shop federatedconfigmap beside
    soon 30 1 member_jsonpath cluster1 shop configmap beside '{.data.k}'
    for i in $(seq 40); do
        memberctl cluster1 -n shop patch configmap "held-by-a-finalizer-$i" --type=merge -p '{"metadata":{"finalizers":null}}'
    done >/dev/null
    for i in 1 40; do
        gone 60 hubctl -n shop get federatedconfigmap "held-by-a-finalizer-$i"
    done
    hubctl -n shop delete federatedconfigmap beside
}
case_large() {
    head -c 500000 /dev/urandom | base64 -w 0 >"$WORK/large"
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedConfigMap\nmetadata: {name: large, namespace: shop}\nspec:\n  placement: %s\n  template:\n    data:\n      k: "%s"\n' \
        "$BOTH" "$(cat "$WORK/large")" | hubctl create -f -
    large_there() { memberctl "$1" -n shop get configmap large -o 'jsonpath={.data.k}' | cmp - "$WORK/large"; }
    wait_for 60 'the large one in cluster1' large_there cluster1
    wait_for 60 'the large one in cluster2' large_there cluster2
    hubctl -n shop delete federatedconfigmap large --timeout=90s
}
case_type_at_run_time() {
    cat <<'YAML' | hubctl apply -f -
apiVersion: core.kubefed.io/v1beta1
kind: FederatedTypeConfig
metadata: {name: daemonsets.apps, namespace: kube-federation-system}
spec:
  targetType: {group: apps, version: v1, kind: DaemonSet, pluralName: daemonsets, scope: Namespaced}
  federatedType: {group: types.kubefed.io, version: v1beta1, kind: FederatedDaemonSet, pluralName: federateddaemonsets, scope: Namespaced}
  propagation: Enabled
YAML
    wait_for 20 'the new type' hubctl get federateddaemonsets -A
    federated FederatedDaemonSet shop node '{spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: main, image: "nginx:1"}]}}}}' |
        hubctl apply -f -
    soon 30 nginx:1 in_member cluster1 shop daemonset node '{.spec.template.spec.containers[0].image}'
    soon 30 1 in_member cluster2 shop daemonset node '{.status.numberReady}'
    hubctl -n shop delete federateddaemonset node --timeout=90s
}
case_namespace_deletion() {
    hubctl delete namespace shop --timeout=180s
    gone 60 memberctl cluster1 get namespace shop
    gone 60 memberctl cluster2 get namespace shop
}

must "two real members start" start_members
must "fedhub starts" hub_start
must "both join with labels and become ready" join_members
must "FederatedNamespace makes the namespace" make_namespace
try "placement by names, unknown names ignored" case_placement_names
try "placement by selector, empty selector, empty list" case_placement_selector
try "the namespace's placement limits its objects" case_namespace_intersection
try "overrides add and replace; pods become ready" case_overrides
try "overrides change and go" case_override_removed
try "a bad override fails its cluster only" case_bad_override
try "the short form: applied, again, changed" case_short_form
try "out of the placement is gone" case_unplaced
try "deletion waits for the copies" case_deletion
try "FederatedConfigMap" one_kind FederatedConfigMap '{data: {k: v}}' configmap '{.data.k}' v
try "FederatedSecret" one_kind FederatedSecret '{type: Opaque, data: {k: b3Blbg==}}' secret '{.data.k}' b3Blbg==
try "FederatedService" one_kind FederatedService '{spec: {selector: {a: b}, ports: [{port: 80, targetPort: 8080}]}}' service \
    '{.spec.ports[0].targetPort}' 8080
try "FederatedServiceAccount" one_kind FederatedServiceAccount '{automountServiceAccountToken: false}' serviceaccount \
    '{.automountServiceAccountToken}' false
try "FederatedJob" one_kind FederatedJob \
    '{spec: {completions: 2, template: {spec: {restartPolicy: Never, containers: [{name: main, image: "busybox:1"}]}}}}' job \
    '{.spec.completions}' 2
try "FederatedIngress" one_kind FederatedIngress \
    '{spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}}' ingress '{.spec.defaultBackend.service.name}' web
try "FederatedReplicaSet" one_kind FederatedReplicaSet \
    '{spec: {replicas: 0, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: main, image: "nginx:1"}]}}}}' \
    replicaset '{.spec.replicas}' 0
try "FederatedClusterRole" case_cluster_role
try "what a member refuses is shown in its own words, others go on" case_rejected
try "nonsense in a template is the member's refusal" case_unknown_to_member
try "sixty objects at once, and away" case_many
try "forty removals held up, others go on" case_many_held_up
try "an object of 667 KB" case_large
try "a type enabled at run time" case_type_at_run_time
try "deleting the namespace removes it everywhere" case_namespace_deletion
suite_end
