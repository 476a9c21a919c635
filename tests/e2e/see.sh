#!/usr/bin/env bash
# see.sh - the looking commands of fedctl (status, tree, events, diff, plan) and PlanReview, on a hub with two real members, of
# which one stops and one refuses what it gets.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
WORK=$FLEET/work
mkdir -p "$WORK"
unset NO_COLOR COLUMNS
S="-n shop"

# json EXPRESSION COMMAND...: what Python makes of the command's JSON answer `d`; its exit code does not matter.
json() {
    local expression=$1
    shift
    { "$@" || true; } | python3 -c 'import json,sys
d = json.load(sys.stdin)
value = eval(sys.argv[1])
print(value if isinstance(value, str) else json.dumps(value))' "$expression"
}
# exits CODE COMMAND...: whatever it prints.
exits() {
    local want=$1 code=0
    shift
    "$@" || code=$?
    [ "$code" -eq "$want" ] || { echo "exit code $code, wanted $want"; return 1; }
}
map() { # map NAME COLOR [MORE OF spec]
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedConfigMap\nmetadata: {name: %s, namespace: shop}\nspec:\n' "$1"
    printf '  template: {data: {color: %s, size: small}}\n' "$2"
    printf '%s\n' "${3:-  placement: {clusterSelector: {\}\}}"
}
namespace() { # namespace PLACEMENT
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedNamespace\nmetadata: {name: shop, namespace: shop}\n'
    printf 'spec: {placement: %s}\n' "$1"
}
state_of() { json "[c['state'] for c in d['clusters'] if c['name'] == '$2'][0]" fedctl status "$1" $S -o json; }

start() {
    hub_start --heartbeat-s 10
    members_up one two
    join_cluster one
    join_cluster two
    hubctl create namespace shop
}
must "a hub and two members" start

# ---- before there is anything ----
nothing() {
    is '[2, 2, 0, 0]' json "[d['clusters']['total'], d['clusters']['ready'], d['objects']['total'], len(d['stuck'])]" fedctl status -o json
    says 'clusters   2: 2 ready' fedctl status
    fedctl status >"$WORK/out"
    ! grep approval "$WORK/out" || return 1
    exits 0 fedctl status --exit-code
    says 'no federated objects' fedctl tree shop
    exits 0 fedctl events
}
try "an empty federation" nothing

# ---- plan before it is there ----
plan_new() {
    { namespace '{clusterSelector: {}}'; echo ---; map web blue; } >"$WORK/new.yaml"
    says '^FederatedConfigMap shop/web   new$' fedctl plan -f "$WORK/new.yaml"
    says '^  create  *2  one, two   ' fedctl plan -f "$WORK/new.yaml"
    is '[4, 0, 0]' json "[d['totals'][k] for k in ('create', 'update', 'refused')]" fedctl plan -f "$WORK/new.yaml" -o json
    exits 1 fedctl plan -f "$WORK/new.yaml" --exit-code
    lacks hubctl $S get fcm web
    lacks memberctl one get namespace shop
}
try "plan: what a new namespace and object would do, and nothing is done" plan_new
plan_brings_namespace() {
    { printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: fresh}\n---\n'
      namespace '{clusterSelector: {}}' | sed 's/shop/fresh/g'; echo ---; map web blue | sed 's/shop/fresh/'; } |
        json "[(o['kind'], len(o['clusters'])) for o in d['objects']]" fedctl plan -f - -o json >"$WORK/out"
    is '[["Namespace", 0], ["FederatedNamespace", 2], ["FederatedConfigMap", 2]]' cat "$WORK/out"
}
try "plan: a file that brings its own namespace" plan_brings_namespace
apply_new() {
    hubctl apply -f "$WORK/new.yaml"
    soon 60 'True ' propagation shop federatedconfigmap web
    soon 60 'True ' propagation shop federatednamespace shop
    soon 60 'Healthy Healthy' hub_jsonpath shop federatedconfigmap web '{.status.clusters[*].health}'
    soon 60 'Healthy Healthy' hub_jsonpath shop federatednamespace shop '{.status.clusters[*].health}'
    exits 0 fedctl plan -f "$WORK/new.yaml" --exit-code
    is '[0, 4]' json "[d['totals'][k] for k in ('create', 'unchanged')]" fedctl plan -f "$WORK/new.yaml" -o json
}
must "what was planned is applied, and then there is nothing to change" apply_new

# ---- all is well ----
well() {
    says '^FederatedConfigMap shop/web   generation 1   applied everywhere' fedctl status configmap/web $S
    says '^2 clusters: 2 applied$' fedctl status fcm/web $S
    says '^one +applied +- +[0-9a-z]+ +Healthy +rv:[0-9]+ +ready' fedctl status federatedconfigmaps/web $S -o wide
    exits 0 fedctl status FederatedConfigMap/web $S --exit-code
    is '["applied", 1, 1, 2]' json "[d['state'], d['generation'], d['observedGeneration'], d['counts']['applied']]" fedctl status cm/web $S -o json
    is '[["one", true], ["two", true]]' json "[(c['name'], 'since' in c) for c in d['clusters']]" fedctl status cm/web $S -o json
    is '[2, 0]' json "[d['objects']['counts']['applied'], len(d['stuck'])]" fedctl status -o json
    says '^FederatedNamespace shop/shop' fedctl status ns/shop
}
try "status: all is applied, under every name of the kind" well
tree() {
    LC_ALL=C fedctl tree shop >"$WORK/tree"
    diff - "$WORK/tree" <<'T'
shop
|- federatednamespace/shop   2 applied
|  |- one   applied   Healthy
|  `- two   applied   Healthy
`- federatedconfigmap/web   2 applied
   |- one   applied   Healthy
   `- two   applied   Healthy
T
    is '["shop", "FederatedNamespace", "web", "one", "applied"]' json "(lambda n: [n['name'], n['federatedNamespace']['kind'],
        n['objects'][0]['name'], n['objects'][0]['clusters'][0]['name'], n['objects'][0]['clusters'][0]['state']])(d['namespaces'][0])" fedctl tree -o json
    says 'federatedconfigmap/web' fedctl tree cm/web $S
    hubctl create namespace labelled
    map marked red | sed "s/namespace: shop/namespace: labelled/" | hubctl apply -f -
    says 'labelled +\(no FederatedNamespace of its name\)' fedctl tree labelled
    hubctl label namespace labelled federated=true
    says 'labelled +\(federated by its label\)' fedctl tree labelled
    hubctl delete namespace labelled
}
try "tree: namespace, objects, clusters" tree
events() {
    wait_for 30 "the events" says 'Creating Namespace "shop" in cluster "two"' fedctl events cm/web $S
    wait_for 30 "the events of one" says 'ConfigMap "shop/web" in cluster "one"' fedctl events cm/web $S
    is true json "[e['lastTimestamp'] for e in d] == sorted(e['lastTimestamp'] for e in d) and len(d) >= 4" fedctl events -o json
}
try "events: of the object and its namespace, in order of time" events
complete_words() { KUBECONFIG=$FLEET/hub/admin.kubeconfig "$BIN/kubectl_complete-fed" "$@" | tr '\n' ' '; }
completion() {
    is 'configmap/web namespace/shop' bash -c '"$@" | sort | tr "\n" " " | sed "s/ $//"' - "$BIN/fedctl" --kubeconfig "$FLEET/hub/admin.kubeconfig" completion names objects $S
    is 'configmap/web :4 ' complete_words diff $S conf
    is 'namespace/shop :4 ' complete_words tree -n shop name
    is ':4 ' complete_words events -n nowhere conf
    is ':4 ' complete_words status -n ../x conf
    # shellcheck disable=SC1090
    source <(fedctl completion bash)
    PATH=$BIN:$PATH KUBECONFIG=$FLEET/hub/admin.kubeconfig
    export KUBECONFIG
    COMP_WORDS=(fedctl status -n shop configm) COMP_CWORD=4 COMPREPLY=()
    _fedctl
    is configmap/web echo "${COMPREPLY[@]}"
}
try "completion: federated objects by their names" completion
same_everywhere() {
    exits 0 fedctl diff cm/web $S
    is '' fedctl diff cm/web $S
}
try "diff: nothing differs" same_everywhere

# ---- overrides ----
overrides() {
    map web blue '  placement: {clusterSelector: {}}
  overrides: [{clusterName: two, clusterOverrides: [{path: /data/color, value: red}]}]' >"$WORK/over.yaml"
    is '["unchanged", "update"]' json "[c['action'] for c in d['objects'][0]['clusters']]" fedctl plan -f "$WORK/over.yaml" -o json
    hubctl apply -f "$WORK/over.yaml"
    soon 60 red member_jsonpath two shop configmap web '{.data.color}'
    soon 30 'True ' propagation shop federatedconfigmap web
    exits 1 fedctl diff cm/web $S >"$WORK/diff"
    diff - "$WORK/diff" <<'T'
--- 1 cluster: one
+++ 1 cluster: two
@@ -1,6 +1,6 @@
 apiVersion: v1
 data:
-  color: blue
+  color: red
   size: small
 kind: ConfigMap
 metadata:
T
    exits 0 fedctl diff cm/web $S --cluster one
    exits 1 fedctl diff cm/web $S --cluster two
    is '[true, 2]' json "[d['differs'], len(d['variants'])]" fedctl diff cm/web $S -o json
}
try "diff: how clusters differ by their overrides" overrides

# ---- plan: what goes ----
plan_less() {
    map web green '  placement: {clusters: [{name: one}]}' | fedctl plan -f - >"$WORK/out"
    grep -qE '^  update +1  one ' "$WORK/out"
    grep -qE '^  remove +1  two' "$WORK/out"
    namespace '{clusters: [{name: two}]}' | fedctl plan -f - >"$WORK/out"
    grep -q 'FederatedConfigMap shop/web   follows from the above' "$WORK/out"
    grep -q '^total: 2 remove, 2 unchanged' "$WORK/out"
    namespace '{clusters: [{name: two}]}' | fedctl plan -f - -o yaml >"$WORK/out"
    grep -qE '^  remove: 2' "$WORK/out"
}
try "plan: what would be removed, and what a namespace takes along" plan_less
plan_refused() {
    map web blue '  placement: {clusterSelector: {}}
  overrides: [{clusterName: two, clusterOverrides: [{path: /no/such/place, value: 1}]}]' | fedctl plan -f - >"$WORK/out"
    grep -qE '^  refused +1  two \(ApplyOverridesFailed: ' "$WORK/out"
    map web blue '  placment: {}' | fails 1 'unknown field "spec.placment"' fedctl plan -f -
    printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n' | fails 1 'no federated object' fedctl plan -f -
    printf ': [' | fails 1 'line 1' fedctl plan -f -
    fails 1 'nowhere.yaml' fedctl plan -f "$WORK/nowhere.yaml"
    fails 2 'needs -f FILE' fedctl plan
}
try "plan: overrides that do not fit, and files that are wrong" plan_refused
plan_policy() {
    local policy='apiVersion: fedlet.io/v1alpha1\nkind: PlacementPolicy\nmetadata: {name: not-two}\nspec: {effect: %s, clusters: {names: [two]}, kinds: [{kind: ConfigMap}]}\n---\n'
    # shellcheck disable=SC2059
    { printf "$policy" Deny; hubctl $S get fcm web -o yaml; } >"$WORK/policy.yaml"
    fedctl plan -f "$WORK/policy.yaml" >"$WORK/out"
    sed -n '/^PlacementPolicy not-two$/,$p' "$WORK/out" | grep -E '^  remove +1  two'
    is '[1, {"kind": "PlacementPolicy", "names": ["not-two"]}]' json "[d['totals']['remove'], [o['because'] for o in d['objects'] if o['name'] == 'web' and 'because' in o][0]]" \
        fedctl plan -f "$WORK/policy.yaml" -o json
    exits 1 fedctl plan -f "$WORK/policy.yaml" --exit-code
    # shellcheck disable=SC2059
    printf "$policy" Perhaps | fails 1 'effect' fedctl plan -f -
    printf 'apiVersion: fedlet.io/v1alpha1\nkind: PlacementPolicy\nmetadata: {name: nobody}\nspec: {effect: Deny, clusters: {names: [two]}, kinds: [{group: batch, kind: Job}]}\n' >"$WORK/nobody.yaml"
    says '^PlacementPolicy nobody   changes nothing in clusters$' fedctl plan -f "$WORK/nobody.yaml"
    exits 0 fedctl plan -f "$WORK/nobody.yaml" --exit-code
    { printf 'apiVersion: fedlet.io/v1alpha1\nkind: RolloutPolicy\nmetadata: {name: slow, namespace: shop}\nspec: {}\n---\n'; map web blue; } >"$WORK/rollouts.yaml"
    says 'RolloutPolicy slow: left out of the plan, which goes by the RolloutPolicies that the hub has now' fedctl plan -f "$WORK/rollouts.yaml"
    is 1 json "len(d['objects'])" fedctl plan -f "$WORK/rollouts.yaml" -o json
    lacks hubctl get placementpolicy not-two
}
try "plan: PlacementPolicies, and what moves because of them; RolloutPolicies are left out, which is said" plan_policy
plan_labels() {
    local cluster='hubctl -n kube-federation-system get kubefedcluster'
    map picky blue '  placement: {clusterSelector: {matchLabels: {shelf: top}}}' | hubctl apply -f -
    $cluster one -o yaml | hubctl label --local --dry-run=client -o yaml -f - shelf=top >"$WORK/one.yaml"
    fedctl plan -f "$WORK/one.yaml" >"$WORK/out"
    grep -q '^KubeFedCluster one$' "$WORK/out"
    grep -q '^FederatedConfigMap shop/picky   follows from the above$' "$WORK/out"
    grep -qE '^  create +1  one ' "$WORK/out"
    { cat "$WORK/one.yaml"; echo ---; $cluster two -o yaml; } >"$WORK/both.yaml"
    says '^KubeFedCluster two   changes nothing in clusters$' fedctl plan -f "$WORK/both.yaml"
    is '[1, 1, ["one"]]' json "[len(d['objects']), d['totals']['create'], d['objects'][0]['because']['names']]" fedctl plan -f "$WORK/both.yaml" -o json
    sed 's/name: one/name: nine/; /resourceVersion:/d; /uid:/d' "$WORK/one.yaml" >"$WORK/nine.yaml"
    fails 1 'KubeFedCluster nine: not registered yet' fedctl plan -f "$WORK/nine.yaml"
    hubctl apply -f "$WORK/one.yaml"
    soon 60 'True ' propagation shop federatedconfigmap picky
    $cluster one -o yaml | hubctl label --local --dry-run=client -o yaml -f - shelf- >"$WORK/less.yaml"
    says '^  remove +1  one' fedctl plan -f "$WORK/less.yaml"
    hubctl $S delete fcm picky
    hubctl -n kube-federation-system label kubefedcluster one shelf-
}
try "plan: labels of clusters, put on and taken off" plan_labels
plan_scaled() {
    local preference='apiVersion: scheduling.kubefed.io/v1alpha1\nkind: ReplicaSchedulingPreference\nmetadata: {name: %s, namespace: shop}\nspec: {targetKind: FederatedDeployment, totalReplicas: 9}\n---\n'
    deployment() {
        printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedDeployment\nmetadata: {name: %s, namespace: shop}\n' "$1"
        printf 'spec: {placement: {clusterSelector: {}}, template: {spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}}}\n---\n'
    }
    # shellcheck disable=SC2059
    printf "$preference" stored | hubctl apply -f -
    # shellcheck disable=SC2059
    { deployment stored; deployment plain; deployment brought; printf "$preference" brought; } >"$WORK/scaled.yaml"
    is '["stored", "brought"]' json "[o['name'] for o in d['objects'] if o.get('scaled')]" fedctl plan -f "$WORK/scaled.yaml" -o json
    says 'ReplicaSchedulingPreference brought: how it would share replicas is not foreseen' fedctl plan -f "$WORK/scaled.yaml"
    is 2 bash -c '"$@" | grep -c "a ReplicaSchedulingPreference scales it: how it shares replicas anew is not foreseen"' - "$BIN/fedctl" --kubeconfig "$FLEET/hub/admin.kubeconfig" plan -f "$WORK/scaled.yaml"
    hubctl $S delete replicaschedulingpreference stored
}
try "plan: where a preference scales an object, that its shares are not foreseen" plan_scaled
plan_rollout() {
    printf 'apiVersion: fedlet.io/v1alpha1\nkind: RolloutPolicy\nmetadata: {name: careful, namespace: shop}\nspec: {selector: {}, waves: [{name: canary, clusters: {names: [one]}}]}\n' |
        hubctl create -f -
    map web violet | fedctl plan -f - >"$WORK/out"
    grep -qE '^  begins a rollout by RolloutPolicy careful: .*canary' "$WORK/out"
    grep -qE '^  update +2  one, two ' "$WORK/out"
    is true json "d['objects'][0]['rollout']['begins']" fedctl plan -f <(map web violet) -o json
    hubctl $S get fcm web -o json >"$WORK/web.json"
    says 'begins no rollout by RolloutPolicy careful' fedctl plan -f "$WORK/web.json"
    hubctl $S delete rolloutpolicy careful
    map web violet | fedctl plan -f - >"$WORK/out"
    ! grep rollout "$WORK/out" || return 1
}
try "plan: of a governed object, that a rollout begins and how it ends" plan_rollout

# ---- the API ----
review() {
    printf '{"apiVersion":"fedlet.io/v1alpha1","kind":"PlanReview","spec":{"objects":[%s],"render":true}}' \
        '{"apiVersion":"types.kubefed.io/v1beta1","kind":"FederatedConfigMap","metadata":{"name":"api","namespace":"shop"},"spec":{"template":{"data":{"a":"b"}},"placement":{"clusterSelector":{}}}}' >"$WORK/review.json"
    is 'create create' hubctl create -f "$WORK/review.json" -o 'jsonpath={.status.objects[0].clusters[*].action}'
    is b hubctl create -f "$WORK/review.json" -o 'jsonpath={.status.objects[0].variants[0].data.a}'
    fails 1 'MethodNotAllowed' hubctl get planreviews
    fails 1 'cannot create federatedconfigmaps.types.kubefed.io "api" in namespace shop' hubctl create -f "$WORK/review.json" --as lou
    hubctl -n shop create role mapper --verb=create,update,get --resource=federatedconfigmaps.types.kubefed.io
    hubctl -n shop create rolebinding lou --role=mapper --user=lou
    is 'create create' hubctl create -f "$WORK/review.json" --as lou -o 'jsonpath={.status.objects[0].clusters[*].action}'
    sed 's/"FederatedConfigMap"/"ConfigMap"/; s#types.kubefed.io/v1beta1#v1#' "$WORK/review.json" >"$WORK/wrong.json"
    fails 1 'not a federated kind' hubctl create -f "$WORK/wrong.json"
    lacks hubctl $S get fcm api
}
try "PlanReview: create only, with the rights of the objects in it" review
hidden_followers() {
    printf '{"apiVersion":"fedlet.io/v1alpha1","kind":"PlanReview","spec":{"objects":[%s]}}' \
        '{"apiVersion":"types.kubefed.io/v1beta1","kind":"FederatedNamespace","metadata":{"name":"shop","namespace":"shop"},"spec":{"placement":{"clusters":[]}}}' >"$WORK/ns.json"
    hubctl -n shop create role nser --verb=update --resource=federatednamespaces.types.kubefed.io
    hubctl -n shop create rolebinding eve --role=nser --user=eve
    is '1 1' hubctl create -f "$WORK/ns.json" --as eve -o 'jsonpath={.status.objects[*].asked} {.status.hidden}' | sed 's/^true/1/'
}
seen_by_eve() { hubctl create -f "$WORK/ns.json" --as eve -o 'jsonpath={.status.objects[*].name} {.status.hidden}'; }
hidden() { hidden_followers || true; is 'shop 1' seen_by_eve; }
try "PlanReview: what follows and may not be seen is only counted" hidden

# Clusters with other labels, without one, and other policies: what follows, and only that.
world_review() { # world_review SPEC [kubectl's arguments]
    local spec=$1
    shift
    printf '{"apiVersion":"fedlet.io/v1alpha1","kind":"PlanReview","spec":%s}' "$spec" >"$WORK/world.json"
    hubctl create -f "$WORK/world.json" "$@"
}
rows_of() { # rows_of NAME SPEC: "one=create two=remove"
    local name=$1
    shift
    world_review "$@" -o "jsonpath={range .status.objects[?(@.name==\"$name\")].clusters[*]}{.name}={.action} {end}"
}
world() {
    printf '{"apiVersion":"types.kubefed.io/v1beta1","kind":"FederatedConfigMap","metadata":{"name":"zoned","namespace":"shop"},"spec":{"template":{"data":{"a":"b"}},"placement":{"clusterSelector":{"matchLabels":{"zone":"x"}}}}}' | hubctl create -f -
    is 'one=create two=create ' rows_of zoned '{"clusters":{"names":["one","two"],"labels":{"zone":"x"}}}'
    is '' rows_of zoned '{"clusters":{"names":["one"],"labels":{"zone":"y"}}}'
    hubctl -n kube-federation-system label kubefedcluster one zone=x
    soon 20 b memberctl one -n shop get configmap zoned -o 'jsonpath={.data.a}'
    is 'one=remove ' rows_of zoned '{"clusters":{"names":["one"],"labels":{"zone":null}}}'
    is 'one=left ' rows_of zoned '{"clusters":{"names":["one"],"deleted":true}}'
    is 'one=remove ' rows_of zoned '{"policies":[{"metadata":{"name":"not-one"},"spec":{"effect":"Deny","clusters":{"names":["one"]},"kinds":[{"kind":"ConfigMap"}]}}]}'
    fails 1 'cannot patch kubefedclusters.core.kubefed.io' world_review '{"clusters":{"names":["one"],"labels":{"zone":"y"}}}' --as lou
    fails 1 'cannot delete kubefedclusters.core.kubefed.io' world_review '{"clusters":{"names":["one"],"deleted":true}}' --as lou
    fails 1 'cannot delete placementpolicies.fedlet.io "not-one"' world_review '{"withoutPolicies":["not-one"]}' --as lou
    fails 1 'PlacementPolicy "not-one" not found' world_review '{"withoutPolicies":["not-one"]}'
    fails 1 'no cluster "ninth" is registered' world_review '{"clusters":{"names":["ninth"],"labels":{"zone":"y"}}}'
    fails 1 'spec.effect' world_review '{"policies":[{"metadata":{"name":"wrong"},"spec":{"effect":"Perhaps"}}]}'
    hubctl $S delete fcm zoned
    hubctl -n kube-federation-system label kubefedcluster one zone-
}
try "PlanReview: clusters and policies that are others than they are" world

# ---- one fails, one stops ----
HC=$(hubctl config current-context)
two_contexts() { # the hub's kubeconfig with a context for each member
    local cluster files=$FLEET/hub/admin.kubeconfig
    for cluster in one two; do
        sed "s/\bkube\b/m-$cluster/g; s/kube-admin/$cluster-admin/g" "$FLEET/$cluster/kube/admin.kubeconfig" >"$WORK/$cluster.kubeconfig"
        files=$files:$WORK/$cluster.kubeconfig
    done
    KUBECONFIG=$files "${KUBECTL[@]}" config view --flatten >"$WORK/all.kubeconfig"
}
both() { "$BIN/fedctl" --kubeconfig "$WORK/all.kubeconfig" --context "$HC" "$@"; }
live() {
    two_contexts
    exits 0 both diff cm/web $S --cluster one --cluster-context m-one
    exits 0 both diff cm/web $S --cluster two --cluster-context m-two
    fails 2 'clusters differ; --cluster says which' both diff cm/web $S --cluster-context m-one
    agent_stop one
    memberctl one -n shop patch configmap web --type merge -p '{"data":{"size":"large","own":"kept"}}'
    exits 1 both diff cm/web $S --cluster one --cluster-context m-one >"$WORK/diff"
    grep -qx -- '-  size: large' "$WORK/diff"
    grep -qx -- '+  size: small' "$WORK/diff"
    ! grep '^[-+] *own' "$WORK/diff" || return 1
    memberctl one -n shop delete configmap web
    exits 1 both diff cm/web $S --cluster one --cluster-context m-one >"$WORK/diff"
    ! grep '^-[^-]' "$WORK/diff" || return 1
    agent_start one
    soon 60 blue member_jsonpath one shop configmap web '{.data.color}'
}
try "diff --cluster-context: what the member has against what is wanted" live

fail_one() { # a member that takes no more: its quota is used up
    memberctl one -n shop create quota none --hard=configmaps=0
    memberctl one -n shop delete configmap kube-root-ca.crt --ignore-not-found
    wait_for 60 "the quota to count" fails 1 'exceeded quota' memberctl one -n shop create configmap try --from-literal=a=b --dry-run=server
    map full blue | hubctl apply -f -
    wait_for 60 "the failure" is failed state_of cm/full one
    wait_for 60 "the other" is applied state_of cm/full two
    exits 0 fedctl status cm/full $S
    exits 1 fedctl status cm/full $S --exit-code
    says '^one +failed +[0-9a-z]+ .*CreationFailed: .*exceeded quota' fedctl status cm/full $S
    says 'Raise the ResourceQuota' fedctl status cm/full $S
    is '["failed", "CreationFailed", true, true, true]' json "(lambda c: [c['state'], c['status'], 'exceeded quota' in c['message'],
        c['remedy'].startswith('Raise'), 'since' in c])(d['clusters'][0])" fedctl status cm/full $S -o json
    is '[["failed", 1, "one"]]' json "[(g['state'], g['clusters'], g['example']) for g in d['groups']]" fedctl status cm/full $S -o json
    is '[["full", "failed", 1, 2]]' json "[(s['name'], s['state'], s['notApplied'], s['clusters']) for s in d['stuck']]" fedctl status -o json
    says '^shop federatedconfigmap/full +failed +1 of 2' fedctl status
    exits 1 fedctl status --exit-code
    says '# one: failed: CreationFailed' bash -c '"$@" || true' - "$BIN/fedctl" --kubeconfig "$FLEET/hub/admin.kubeconfig" diff cm/full $S
    says 'Warning +CreateInClusterFailed .*exceeded quota' fedctl events cm/full $S
    fedctl events cm/full $S >"$WORK/out"
    ! grep -E 'Warning +UpdateInCluster' "$WORK/out" || return 1
}
try "a cluster that refuses: state, reason, since when, what to do" fail_one

# Off a terminal each change is appended.
watching() {
    "$BIN/fedctl" --kubeconfig "$FLEET/hub/admin.kubeconfig" status cm/web $S --watch >"$WORK/watch" &
    echo $! >"$WORK/watch.pid"
    wait_for 30 "the first round" grep -q 'generation 2 ' "$WORK/watch"
    hubctl $S patch fcm web --type merge -p '{"spec":{"template":{"data":{"more":"yes"}}}}'
    wait_for 60 "the next rounds" grep -qE 'generation 3 +applied everywhere' "$WORK/watch"
    process_stop "$WORK/watch.pid"
    [ "$(grep -c '^# 20' "$WORK/watch")" -ge 2 ]
    ! grep -q $'\033' "$WORK/watch" || return 1
}
try "status --watch: again with each change" watching
watching_events() {
    "$BIN/fedctl" --kubeconfig "$FLEET/hub/admin.kubeconfig" events cm/web $S --watch >"$WORK/events" &
    echo $! >"$WORK/events.pid"
    wait_for 30 "what was" grep -q 'Creating Namespace' "$WORK/events"
    hubctl $S patch fcm web --type merge -p '{"spec":{"template":{"data":{"more":"again"}}}}'
    wait_for 60 "what comes" bash -c '[ "$(grep -c "Updating ConfigMap" "$1")" -ge 3 ]' - "$WORK/events"
    process_stop "$WORK/events.pid"
    [ "$(grep -c 'Creating Namespace "shop" in cluster "one"' "$WORK/events")" -eq 1 ]
}
try "events --watch: each one once" watching_events

stop_two() {
    agent_stop two
    soon 400 True condition_word two Offline
    is offline state_of cm/web two
    says '^two +offline ' fedctl status cm/web $S
    says '^clusters   2: 1 ready, 0 not ready, 1 offline' fedctl status
    says 'it is sent|It is sent as soon as' fedctl status cm/web $S
    map web yellow | fedctl plan -f - >"$WORK/out"
    grep -q '1 not heard of now' "$WORK/out"
}
try "a cluster that is not there: offline, and what a plan says of it" stop_two

# ---- many ----
many() {
    for i in $(seq 100 169); do
        printf 'apiVersion: core.kubefed.io/v1beta1\nkind: KubeFedCluster\nmetadata: {name: c%s, namespace: kube-federation-system}\nspec: {apiEndpoint: "https://c%s.invalid", secretRef: {name: none}}\n---\n' "$i" "$i"
    done >"$WORK/many.yaml"
    hubctl apply -f "$WORK/many.yaml"
    wait_for 30 "72 clusters" is 72 json "len(d['clusters'])" fedctl status cm/web $S -o json
    fedctl status cm/web $S >"$WORK/out"
    grep -q '^... and 52 more; all of them with --all$' "$WORK/out"
    grep -qE '^7[01] offline \(c100, ...\)$' "$WORK/out"
    fedctl status cm/web $S --all >"$WORK/out"
    [ "$(grep -c '^c1[0-6][0-9] ' "$WORK/out")" -eq 70 ]
    says 'and 52 more' fedctl tree cm/web $S
    says ', \.\.\.' fedctl plan -f "$WORK/over.yaml"
}
try "many clusters are summed up" many

# ---- mistakes ----
mistakes() {
    fails 1 'did you mean: web' fedctl status cm/wbe $S
    fails 1 'did you mean: federatedconfigmaps' fedctl status configmpas/web
    fails 1 'is no federated kind' fedctl tree nonsense/web
    fails 2 'is not RESOURCE/NAME' fedctl status web
    fails 2 'RESOURCE/NAME' fedctl diff
    fails 2 'exclude each other' fedctl status -A -n shop
    fails 2 'unknown option --nope' fedctl events --nope
    fails 2 'json or wide' fedctl status -o yaml
    fails 2 'not found' fedctl diff cm/nothere $S
    fails 2 'did you mean: fedctl events' fedctl evnts
}
try "mistakes: what is wrong, and what may have been meant" mistakes

suite_end
