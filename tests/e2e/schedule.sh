#!/usr/bin/env bash
# schedule.sh - ReplicaSchedulingPreferences end to end: a hub, two real member control planes, two agents, kubectl. First without
# nodes in the members, where no pod ever runs, as the real KubeFed was observed; then with nodes, which have room for some.
set -euo pipefail
source "$(dirname "$0")/suite.sh"

workload() { # workload KIND NAMESPACE NAME PLACEMENT OVERRIDES [CPU]: FederatedDeployment or FederatedReplicaSet
    cat <<YAML
apiVersion: types.kubefed.io/v1beta1
kind: $1
metadata: {name: $3, namespace: $2}
spec:
  template:
    spec:
      replicas: 3
      selector: {matchLabels: {app: $3}}
      template:
        metadata: {labels: {app: $3}}
        spec:
          containers: [{name: main, image: "nginx:1", resources: {requests: {cpu: "${6:-0}"}}}]
  placement: $4
  overrides: $5
YAML
}
preference() { # preference NAMESPACE NAME SPEC: the spec as JSON
    printf '{"apiVersion":"scheduling.kubefed.io/v1alpha1","kind":"ReplicaSchedulingPreference","metadata":{"name":"%s","namespace":"%s"},"spec":%s}' \
        "$2" "$1" "$3"
}
# What stands in the object: its clusters in order, then CLUSTER=REPLICAS by name.
shares() { # shares NAMESPACE RESOURCE NAME
    hubctl -n "$1" get "$2" "$3" -o json | python3 -c 'import json, sys
spec = json.load(sys.stdin)["spec"]
print(",".join(c["name"] for c in spec["placement"].get("clusters", [])),
      *sorted("%s=%s" % (o["clusterName"], c["value"]) for o in spec.get("overrides", [])
              for c in o["clusterOverrides"] if c["path"] == "/spec/replicas"))'
}
in_members() { # in_members NAMESPACE RESOURCE NAME: spec.replicas in cluster1 and cluster2, nothing where there is none
    local cluster
    for cluster in cluster1 cluster2; do
        printf '%s ' "$(memberctl "$cluster" -n "$1" get "$2" "$3" --ignore-not-found -o 'jsonpath={.spec.replicas}')"
    done
    echo
}
generation() { hub_jsonpath "$1" "$2" "$3" '{.metadata.generation}'; }
events() { # events NAMESPACE NAME: reasons of the preference's events
    hubctl -n "$1" get events --field-selector "involvedObject.kind=ReplicaSchedulingPreference,involvedObject.name=$2" \
        -o 'jsonpath={range .items[*]}{.type} {.reason}{"\n"}{end}'
}
has_event() { says "^$3\$" events "$1" "$2"; }
scheduled() { # scheduled NAME SPEC SHARES MEMBERS: a new deployment and its preference
    workload FederatedDeployment rsp "$1" '{clusterSelector: {}}' '[]' | hubctl apply -f -
    preference rsp "$1" "$2" | hubctl apply -f -
    soon 30 "$3" shares rsp federateddeployment "$1"
    soon 30 "$4 " in_members rsp deployment "$1"
    is '{}' hub_jsonpath rsp federateddeployment "$1" '{.spec.placement.clusterSelector}'
    is '' hub_jsonpath rsp rsp "$1" '{.status}'
    soon 30 'True ' propagation rsp federateddeployment "$1"
}

start() {
    hub_start --heartbeat-s 10
    members_up cluster1 cluster2
    join_cluster cluster1 --label region=north
    join_cluster cluster2 --label region=south
}
namespaces() {
    local ns
    for ns in rsp cases capacity; do
        hubctl create namespace "$ns"
        printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedNamespace\nmetadata: {name: %s, namespace: %s}\nspec: {placement: {clusterSelector: {}}}\n' \
            "$ns" "$ns" | hubctl apply -f -
    done
    soon 30 Active memberctl cluster1 get namespace capacity -o 'jsonpath={.status.phase}'
    soon 30 Active memberctl cluster2 get namespace capacity -o 'jsonpath={.status.phase}'
}

# ---- as KubeFed was observed, without nodes ----
case_total() {
    scheduled r1 '{"targetKind":"FederatedDeployment","totalReplicas":9}' 'cluster1,cluster2 cluster1=5 cluster2=4' '5 4'
    is 2 generation rsp federateddeployment r1
    says '"?manager"?: "?replica-scheduler' hubctl -n rsp get federateddeployment r1 -o yaml --show-managed-fields
    wait_for 20 'an event' has_event rsp r1 'Normal Scheduled'
}
case_rebalance() {
    scheduled r2 '{"targetKind":"FederatedDeployment","totalReplicas":10,"rebalance":true,"clusters":{"cluster1":{"weight":2},"cluster2":{"weight":3}}}' \
        'cluster1,cluster2 cluster1=4 cluster2=6' '4 6'
}
case_bounds() {
    scheduled r3 '{"targetKind":"FederatedDeployment","totalReplicas":9,"clusters":{"cluster1":{"minReplicas":4,"maxReplicas":6,"weight":1},"cluster2":{"minReplicas":4,"maxReplicas":8,"weight":2}}}' \
        'cluster1,cluster2 cluster1=4 cluster2=5' '4 5'
}
case_unplaced() {
    scheduled r4 '{"targetKind":"FederatedDeployment","totalReplicas":50,"clusters":{"cluster1":{"maxReplicas":20,"weight":1}}}' \
        'cluster1,cluster2 cluster1=20 cluster2=0' '20 0'
    wait_for 20 'an event' has_event rsp r4 'Warning ReplicasUnplaced'
}
case_others() {
    scheduled r5 '{"targetKind":"FederatedDeployment","totalReplicas":7,"clusters":{"*":{"weight":1}}}' \
        'cluster1,cluster2 cluster1=4 cluster2=3' '4 3'
}
case_overrides_kept() {
    workload FederatedDeployment rsp r6 '{clusterSelector: {}}' \
        '[{clusterName: cluster2, clusterOverrides: [{path: /spec/replicas, value: 30}, {path: /spec/minReadySeconds, value: 3}]},
          {clusterName: elsewhere, clusterOverrides: [{path: /spec/replicas, value: 8}]},
          {clusterName: nowhere, clusterOverrides: [{path: /spec/replicas, value: 8}, {path: /spec/paused, value: true}]}]' |
        hubctl apply -f -
    preference rsp r6 '{"targetKind":"FederatedDeployment","totalReplicas":4}' | hubctl apply -f -
    soon 30 'cluster1,cluster2 cluster1=2 cluster2=2' shares rsp federateddeployment r6
    soon 30 '2 2 ' in_members rsp deployment r6
    soon 30 3 member_jsonpath cluster2 rsp deployment r6 '{.spec.minReadySeconds}'
    is 'cluster2 nowhere cluster1' hub_jsonpath rsp federateddeployment r6 '{.spec.overrides[*].clusterName}'
    is '/spec/paused' hub_jsonpath rsp federateddeployment r6 '{.spec.overrides[1].clusterOverrides[*].path}'
}
case_unknown_kind() {
    workload FederatedDeployment rsp r7 '{clusterSelector: {}}' '[]' | hubctl apply -f -
    preference rsp r7 '{"targetKind":"FederatedStatefulSet","totalReplicas":4}' | hubctl apply -f -
    wait_for 20 'an event' has_event rsp r7 'Warning TargetKindUnknown'
    soon 30 '3 3 ' in_members rsp deployment r7
    is 1 generation rsp federateddeployment r7
}
case_total_missing() {
    fails 1 'spec.totalReplicas: Required value' hubctl apply -f - <<<"$(preference rsp r8 '{"targetKind":"FederatedDeployment"}')"
}
case_nothing_matches() {
    workload FederatedDeployment rsp r9 '{clusterSelector: {matchLabels: {no: match}}}' '[]' | hubctl apply -f -
    preference rsp r9 '{"targetKind":"FederatedDeployment","totalReplicas":6,"intersectWithClusterSelector":true}' | hubctl apply -f -
    wait_for 20 'an event' has_event rsp r9 'Warning NoClusters'
    is 1 generation rsp federateddeployment r9
    is '  ' in_members rsp deployment r9
}
case_fewer() {
    hubctl -n rsp patch rsp r1 --type=merge -p '{"spec":{"totalReplicas":3}}'
    soon 30 'cluster1,cluster2 cluster1=2 cluster2=1' shares rsp federateddeployment r1
    soon 30 '2 1 ' in_members rsp deployment r1
    is 3 generation rsp federateddeployment r1
}
case_put_back() {
    hubctl -n rsp patch federateddeployment r1 --type=json \
        -p '[{"op":"replace","path":"/spec/overrides/0/clusterOverrides/0/value","value":40}]'
    soon 30 5 generation rsp federateddeployment r1
    is 'cluster1,cluster2 cluster1=2 cluster2=1' shares rsp federateddeployment r1
    soon 30 '2 1 ' in_members rsp deployment r1
    # The placement, too.
    hubctl -n rsp patch federateddeployment r1 --type=merge -p '{"spec":{"placement":{"clusters":[{"name":"cluster2"}]}}}'
    soon 30 'cluster1,cluster2 cluster1=2 cluster2=1' shares rsp federateddeployment r1
}
case_deleted() {
    hubctl -n rsp delete rsp r2
    is 'cluster1,cluster2 cluster1=4 cluster2=6' shares rsp federateddeployment r2
    hubctl -n rsp patch federateddeployment r2 --type=json -p '[{"op":"replace","path":"/spec/overrides/0/clusterOverrides/0/value","value":1}]'
    soon 30 '1 6 ' in_members rsp deployment r2
    is 3 generation rsp federateddeployment r2
}

# ---- KubeFed's own end-to-end cases, for both kinds ----
kubefed_case() { # kubefed_case KIND RESOURCE MEMBER_RESOURCE NAME SELECTOR SPEC SHARES
    workload "$1" cases "$4" "$5" '[]' | hubctl apply -f -
    preference cases "$4" "$6" | hubctl apply -f -
    soon 30 "$7" shares cases "$2" "$4"
    hubctl -n cases delete rsp "$4"
    hubctl -n cases delete "$2" "$4" --wait=false
    gone 30 memberctl cluster1 -n cases get "$3" "$4"
}
case_kubefed() { # case_kubefed KIND RESOURCE MEMBER_RESOURCE
    local weights='"clusters":{"cluster1":{"weight":2},"cluster2":{"weight":1}}'
    local minima='"clusters":{"cluster1":{"weight":2,"minReplicas":3},"cluster2":{"weight":1,"minReplicas":3}}'
    kubefed_case "$@" plain '{clusterSelector: {}}' "{\"targetKind\":\"$1\",\"totalReplicas\":4}" 'cluster1,cluster2 cluster1=2 cluster2=2'
    kubefed_case "$@" weights '{clusterSelector: {}}' "{\"targetKind\":\"$1\",\"totalReplicas\":6,$weights}" 'cluster1,cluster2 cluster1=4 cluster2=2'
    kubefed_case "$@" minima '{clusterSelector: {}}' "{\"targetKind\":\"$1\",\"totalReplicas\":6,$minima}" 'cluster1,cluster2 cluster1=3 cluster2=3'
    kubefed_case "$@" selector '{clusterSelector: {matchLabels: {region: north}}}' \
        "{\"targetKind\":\"$1\",\"totalReplicas\":6,\"intersectWithClusterSelector\":true,$minima}" 'cluster1 cluster1=6'
}

# ---- where replicas may go at all ----
case_namespace_by_list() {
    hubctl -n cases patch federatednamespace cases --type=merge -p '{"spec":{"placement":{"clusters":[{"name":"cluster2"}]}}}'
    workload FederatedDeployment cases listed '{clusterSelector: {}}' '[]' | hubctl apply -f -
    preference cases listed '{"targetKind":"FederatedDeployment","totalReplicas":6,"intersectWithClusterSelector":true}' | hubctl apply -f -
    soon 30 'cluster2 cluster2=6' shares cases federateddeployment listed
    soon 30 6 member_jsonpath cluster2 cases deployment listed '{.spec.replicas}'
    hubctl -n cases patch federatednamespace cases --type=merge -p '{"spec":{"placement":{"clusters":null}}}'
    soon 30 'cluster1,cluster2 cluster1=3 cluster2=3' shares cases federateddeployment listed
    # A label of a cluster decides as well.
    hubctl -n cases patch federateddeployment listed --type=merge -p '{"spec":{"placement":{"clusterSelector":{"matchLabels":{"wave":"one"}}}}}'
    wait_for 20 'an event' has_event cases listed 'Warning NoClusters'
    hubctl -n kube-federation-system label kubefedcluster cluster2 wave=one
    soon 30 'cluster2 cluster2=6' shares cases federateddeployment listed
}
case_type_disabled() {
    hubctl -n kube-federation-system patch federatedtypeconfig replicasets.apps --type=merge -p '{"spec":{"propagation":"Disabled"}}'
    workload FederatedReplicaSet cases idle '{clusterSelector: {}}' '[]' | hubctl apply -f -
    preference cases idle '{"targetKind":"FederatedReplicaSet","totalReplicas":5}' | hubctl apply -f -
    wait_for 20 'an event' has_event cases idle 'Warning TargetTypeDisabled'
    is 1 generation cases federatedreplicaset idle
    hubctl -n kube-federation-system patch federatedtypeconfig replicasets.apps --type=merge -p '{"spec":{"propagation":"Enabled"}}'
    soon 30 'cluster1,cluster2 cluster1=2 cluster2=3' shares cases federatedreplicaset idle
}
case_target_later() {
    preference cases later '{"targetKind":"FederatedDeployment","totalReplicas":4}' | hubctl apply -f -
    wait_for 20 'an event' has_event cases later 'Warning TargetNotFound'
    workload FederatedDeployment cases later '{clusterSelector: {}}' '[]' | hubctl apply -f -
    soon 30 'cluster1,cluster2 cluster1=2 cluster2=2' shares cases federateddeployment later
}
settings() { # settings SPEC: of the federation, as JSON
    hubctl -n kube-federation-system patch kubefedconfig kubefed --type=merge -p "{\"spec\":$1}"
}
case_gate() {
    settings '{"featureGates":[{"name":"SchedulerPreferences","configuration":"Disabled"}]}'
    hubctl -n rsp patch rsp r5 --type=merge -p '{"spec":{"totalReplicas":2}}'
    hubctl -n rsp patch federateddeployment r5 --type=json -p '[{"op":"replace","path":"/spec/overrides/0/clusterOverrides/0/value","value":6}]'
    soon 30 6 member_jsonpath cluster1 rsp deployment r5 '{.spec.replicas}'
    is 'cluster1,cluster2 cluster1=6 cluster2=3' shares rsp federateddeployment r5
    hubctl -n rsp patch rsp r5 --type=merge -p '{"spec":{"totalReplicas":7}}'
    settings '{"featureGates":[{"name":"SchedulerPreferences","configuration":"Enabled"}]}'
    soon 30 'cluster1,cluster2 cluster1=4 cluster2=3' shares rsp federateddeployment r5
}
case_plan_replicas() {
    local question='{"key":"ns/name","clusters":["A","B"],"totalReplicas":50,"rebalance":false,"preferences":{"*":{"weight":1,"minReplicas":0,"maxReplicas":null}},"current":{"A":30},"capacity":{"A":10}}'
    echo "$question" >"$FLEET/question.json"
    is '{"plan":{"A":10,"B":40},"overflow":{}}' "$BIN/fedctl" plan replicas -f "$FLEET/question.json"
    is '{"plan":{"A":10,"B":40},"overflow":{}}' "$BIN/fedctl" plan replicas -o json -f - <<<"$question"
    fails 1 'clusters: a list of names is required' "$BIN/fedctl" plan replicas -f - <<<'{"totalReplicas":1}'
    fails 1 'no-such-file' "$BIN/fedctl" plan replicas -f "$FLEET/no-such-file"
    fails 2 'needs a document' "$BIN/fedctl" plan replicas
    fails 2 'unexpected argument' "$BIN/fedctl" plan replicas -f - more </dev/null
}
case_restart() {
    local before
    before=$(generation rsp federateddeployment r5)
    hub_stop
    hub_start --heartbeat-s 10
    soon 60 True ready_word cluster1
    soon 60 True ready_word cluster2
    is 'cluster1,cluster2 cluster1=4 cluster2=3' shares rsp federateddeployment r5
    is "$before" generation rsp federateddeployment r5
}

# ---- a cluster that is away ----
case_lost() {
    settings '{"controllerDuration":{"availableDelay":"10s","unavailableDelay":"30s"}}'
    agent_stop cluster2
    soon 60 True condition_word cluster2 Offline
    # What changes meanwhile moves nothing to the others.
    hubctl -n rsp patch rsp r5 --type=merge -p '{"spec":{"totalReplicas":9}}'
    soon 20 'cluster1,cluster2 cluster1=5 cluster2=4' shares rsp federateddeployment r5
    soon 180 'cluster1 cluster1=9' shares rsp federateddeployment r5
    soon 20 9 member_jsonpath cluster1 rsp deployment r5 '{.spec.replicas}'
}
case_back() {
    agent_start cluster2
    soon 30 True ready_word cluster2
    is 'cluster1 cluster1=9' shares rsp federateddeployment r5
    soon 60 'cluster1 cluster2' hub_jsonpath rsp federateddeployment r5 '{.spec.placement.clusters[*].name}'
    soon 60 'True ' propagation rsp federateddeployment r5
}

# ---- with nodes ----
with_nodes() {
    local cluster
    for cluster in cluster1 cluster2; do
        member_up "$cluster" --pods
    done
    soon 60 True ready_word cluster1
    soon 60 True ready_word cluster2
}
ready_in() { # ready_in CLUSTER NAMESPACE NAME
    member_jsonpath "$1" "$2" deployment "$3" '{.status.readyReplicas}'
}
# A node has 16 CPUs: five of these fit. What does not run is given away first.
case_no_room() {
    workload FederatedDeployment capacity big '{clusterSelector: {}}' '[]' 3 | hubctl apply -f -
    preference capacity big '{"targetKind":"FederatedDeployment","totalReplicas":8,"clusters":{"cluster1":{"weight":1},"cluster2":{"weight":3}}}' |
        hubctl apply -f -
    soon 400 'cluster1,cluster2 cluster1=3 cluster2=5' shares capacity federateddeployment big
    soon 60 3 ready_in cluster1 capacity big
    soon 60 5 ready_in cluster2 capacity big
}
# Rebalancing goes by weight alone. When the sixth has found no node for a minute the other cluster gets one more; the sixth is
# still asked for, so that room is noticed.
case_capacity() {
    workload FederatedDeployment capacity full '{clusterSelector: {}}' '[]' 3 | hubctl apply -f -
    preference capacity full '{"targetKind":"FederatedDeployment","totalReplicas":8,"rebalance":true,"clusters":{"cluster1":{"weight":1},"cluster2":{"weight":3}}}' |
        hubctl apply -f -
    soon 30 'cluster1,cluster2 cluster1=2 cluster2=6' shares capacity federateddeployment full
    soon 60 5 ready_in cluster2 capacity full
    sleep 15 # well within the minute, however long the ones before took to be ready
    is 'cluster1,cluster2 cluster1=2 cluster2=6' shares capacity federateddeployment full
    soon 400 'cluster1,cluster2 cluster1=3 cluster2=6' shares capacity federateddeployment full
    soon 60 3 ready_in cluster1 capacity full
}
case_stable() {
    local before
    before=$(generation capacity federateddeployment full)
    sleep 25 # longer than what is reported by then takes to be acted on
    is "$before" generation capacity federateddeployment full
    is 'cluster1,cluster2 cluster1=3 cluster2=6' shares capacity federateddeployment full
}
# What runs is not moved by a preference that comes later, unless it may rebalance.
case_running_stays() {
    workload FederatedDeployment capacity run '{clusterSelector: {}}' \
        '[{clusterName: cluster1, clusterOverrides: [{path: /spec/replicas, value: 6}]}, {clusterName: cluster2, clusterOverrides: [{path: /spec/replicas, value: 1}]}]' |
        hubctl apply -f -
    soon 60 6 ready_in cluster1 capacity run
    soon 60 1 ready_in cluster2 capacity run
    # ... and the hub has heard of it: it goes by what is reported.
    soon 60 'Healthy Healthy' hub_jsonpath capacity federateddeployment run '{.status.clusters[*].health}'
    preference capacity run '{"targetKind":"FederatedDeployment","totalReplicas":8}' | hubctl apply -f -
    soon 30 'cluster1,cluster2 cluster1=6 cluster2=2' shares capacity federateddeployment run
    hubctl -n capacity patch rsp run --type=merge -p '{"spec":{"rebalance":true}}'
    soon 30 'cluster1,cluster2 cluster1=4 cluster2=4' shares capacity federateddeployment run
}

must "a hub, two members, two agents" start
must "namespaces" namespaces
try "a total is spread evenly" case_total
try "weights, rebalancing" case_rebalance
try "minima and maxima" case_bounds
try "what finds no place is told" case_unplaced
try "* stands for the others" case_others
try "other overrides stay, stale ones go" case_overrides_kept
try "an unknown kind changes nothing" case_unknown_kind
try "a preference needs a total" case_total_missing
try "no cluster of the selector: nothing happens" case_nothing_matches
try "a smaller total" case_fewer
try "what is edited by hand is put back" case_put_back
try "a deleted preference leaves what it wrote" case_deleted
try "KubeFed's cases, FederatedDeployment" case_kubefed FederatedDeployment federateddeployment deployment
try "KubeFed's cases, FederatedReplicaSet" case_kubefed FederatedReplicaSet federatedreplicaset replicaset
try "a namespace placed by list, and labels of clusters" case_namespace_by_list
try "a disabled type is left alone until it is enabled" case_type_disabled
try "the target may come later" case_target_later
try "fedctl asks the planner alone" case_plan_replicas
try "the feature gate" case_gate
try "a restart of the hub changes nothing" case_restart
try "a lost cluster keeps its share for unavailableDelay" case_lost
try "a cluster that is back gets its share again" case_back
must "nodes in the members" with_nodes
try "running replicas stay where they are, unless rebalancing" case_running_stays
try "what does not run is given away first" case_no_room
hubctl -n capacity delete federateddeployment big --wait=false >/dev/null
gone 60 memberctl cluster2 -n capacity get deployment big
try "what finds no node for a minute goes elsewhere" case_capacity
try "and stays there" case_stable
suite_end
