#!/usr/bin/env bash
# rollout_hub.sh - rollouts as the hub keeps them: killed at every step, restored from a backup, who may steer, what goes with
# the object; a hub, two real members, kubectl.
set -euo pipefail
source "$(dirname "$0")/suite.sh"

config() { # config VALUE
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedConfigMap\nmetadata: {name: web, namespace: shop, labels: {tier: web}}\nspec: {template: {data: {k: "%s"}}, placement: {clusterSelector: {}}}\n' "$1"
}
policy() { # policy NAME SPEC as one-line YAML
    printf 'apiVersion: fedlet.io/v1alpha1\nkind: RolloutPolicy\nmetadata: {name: %s, namespace: shop}\nspec: %s\n' "$1" "$2"
}
CANARY='{selector: {matchLabels: {tier: web}}, waves: [{name: canary, clusters: {names: [cluster1]}, approval: Required}]}'
value_in() { member_jsonpath "$1" shop configmap web '{.data.k}'; }
rollout() { echo "federatedconfigmap-web-$1"; }
phase() { hubctl -n shop get rollout "$(rollout "$1")" -o 'jsonpath={.status.phase}'; }
act() { # act NUMBER ACTION [KUBECTL FLAGS...]
    local number=$1 action=$2
    shift 2
    hubctl -n shop annotate rollout "$(rollout "$number")" "fedlet.io/action=$action" fedlet.io/reason=because "$@"
}
# Agents notice a killed hub late; started again they connect at once.
again() {
    local cluster
    hub_stop KILL
    hub_start
    for cluster in cluster1 cluster2; do
        agent_stop "$cluster"
        agent_start "$cluster"
    done
}

start() {
    local cluster
    members_up cluster1 cluster2
    hub_start
    hubctl create namespace shop
    hubctl label namespace shop federated=true
    for cluster in cluster1 cluster2; do
        join_cluster "$cluster"
        soon 30 Active memberctl "$cluster" get namespace shop -o 'jsonpath={.status.phase}'
    done
    config one | hubctl apply -f -
    soon 20 one value_in cluster1
    soon 20 one value_in cluster2
}

case_explained() {
    says 'healthy before the next one opens' hubctl explain rolloutpolicy.spec.waves.soak
    says 'Who did what' hubctl explain rollout.status.actions
    policy bad '{waves: [{name: a, clusters: {size: 101%}}]}' >"$FLEET/bad.yaml"
    fails 1 'spec.waves\[0\].clusters.size' hubctl apply -f "$FLEET/bad.yaml"
    policy bad '{waves: [{name: a, clusters: {names: [cluster1]}, maxConcurrency: 0}]}' >"$FLEET/bad.yaml"
    fails 1 'spec.waves\[0\].maxConcurrency' hubctl apply -f "$FLEET/bad.yaml"
}
case_killed() {
    policy careful "$CANARY" | hubctl apply -f -
    soon 10 1 hubctl -n shop get rpol careful -o 'jsonpath={.status.objects}'
    config two | hubctl apply -f -
    again # it has just begun
    soon 30 two value_in cluster1
    soon 20 AwaitingApproval phase 1
    again
    soon 20 AwaitingApproval phase 1
    is one value_in cluster2
    act 1 approve
    again # the approval is as durable as its answer
    soon 30 two value_in cluster2
    soon 20 Complete phase 1
    says '"user":"fedlet:admin"' hubctl -n shop get rollout "$(rollout 1)" -o 'jsonpath={.status.actions}'
    act 1 undo
    again
    soon 30 one value_in cluster1
    soon 30 one value_in cluster2
    soon 20 RolledBack phase 1
    is two hubctl -n shop get federatedconfigmap web -o 'jsonpath={.spec.template.data.k}'
}
case_read() {
    local path=/apis/fedlet.io/v1alpha1/namespaces/shop/rollouts/$(rollout 1)
    says '"from":.*"one".*"to":.*"two"' hubctl get --raw "$path/versions"
    says '"name":"cluster1".*"state":"Returned".*"continue":"cluster1"' hubctl get --raw "$path/clusters?limit=1"
    says '"name":"cluster2".*"continue":""' hubctl get --raw "$path/clusters?limit=1&continue=cluster1"
    says '"clusters":\[\]' hubctl get --raw "$path/clusters?state=Failed"
    says 'because' hubctl -n shop get events
}
case_who() {
    config three | hubctl apply -f -
    soon 20 AwaitingApproval phase 2
    fedctl user add vera --role viewer -o "$FLEET/vera"
    fedctl user add otto --role operator -o "$FLEET/otto"
    fails 1 '[Ff]orbidden' "${KUBECTL[@]}" --kubeconfig "$FLEET/vera" -n shop annotate rollout "$(rollout 2)" fedlet.io/action=approve
    fails 1 '[Ff]orbidden' "${KUBECTL[@]}" --kubeconfig "$FLEET/otto" -n shop delete rolloutpolicy careful
    fails 1 'keeps it' hubctl -n shop patch rollout "$(rollout 2)" --type=merge -p '{"spec":{"policy":"mine"}}'
    fails 1 'decides which version' hubctl -n shop delete rollout "$(rollout 2)"
    fails 1 'Invalid value' act 2 resume
    "${KUBECTL[@]}" --kubeconfig "$FLEET/otto" -n shop annotate rollout "$(rollout 2)" fedlet.io/action=pause
    is Paused phase 2
    says '"user":"[^"]*otto"' hubctl -n shop get rollout "$(rollout 2)" -o 'jsonpath={.status.actions}'
    says 'rollouts.*otto|otto.*rollouts' cat "$FLEET/hub/audit.log"
}
case_restored() {
    "$BIN/fedhub" backup "$FLEET/backup.db" --data-dir "$FLEET/hub"
    act 2 resume
    act 2 approve
    soon 20 three value_in cluster2
    hub_stop
    "$BIN/fedhub" restore "$FLEET/backup.db" --data-dir "$FLEET/hub"
    hub_start
    agent_stop cluster1 && agent_start cluster1
    agent_stop cluster2 && agent_start cluster2
    is Paused phase 2
    soon 30 one value_in cluster2 # as it was: the plan is of what is stored
    is three value_in cluster1
    act 2 resume
    act 2 approve
    soon 30 three value_in cluster2
    soon 20 Complete phase 2
}
case_conflict() {
    policy other '{selector: {}}' | hubctl apply -f -
    config four | hubctl apply -f -
    soon 20 Pending phase 3
    says 'name the one that is meant' hubctl -n shop get rollout "$(rollout 3)" -o 'jsonpath={.status.conditions}'
    is three value_in cluster1
    says PolicyConflict hubctl -n shop get rpol other -o 'jsonpath={.status.conditions}'
    hubctl -n shop annotate federatedconfigmap web fedlet.io/rollout-policy=other
    soon 20 four value_in cluster1
    soon 20 Complete phase 3
}
record() { # record spoil|mend: of the rollout that goes on, in the store of a hub that is stopped
    python3 - "$FLEET/hub/hub.db" "$FLEET/record" "$1" <<'PY'
import sqlite3, sys
store, kept = sqlite3.connect(sys.argv[1]), sys.argv[2]
key, value = store.execute("SELECT key, value FROM item WHERE key >= x'772f' AND key < x'7730' ORDER BY key").fetchone()
if sys.argv[3] == "spoil":
    open(kept, "wb").write(value)
    value = b"\xff\xff"
else:
    value = open(kept, "rb").read()
store.execute("UPDATE item SET value = ? WHERE key = ?", (value, key))
store.commit()
PY
}
readable() { hubctl -n shop get rollout "$(rollout "$1")" -o 'jsonpath={.status.conditions[?(@.type=="Readable")].message}'; }
case_unreadable() {
    hubctl -n shop annotate federatedconfigmap web fedlet.io/rollout-policy=careful --overwrite
    config five | hubctl apply -f -
    soon 20 AwaitingApproval phase 4
    soon 20 five value_in cluster1
    hub_stop
    record spoil
    hub_start # it does, and everything else goes on
    says 'record.*Restore a backup' readable 4
    fails 1 'cannot be read' act 4 approve
    hubctl -n shop create configmap other --from-literal=k=v
    agent_stop cluster1 && agent_start cluster1
    agent_stop cluster2 && agent_start cluster2
    config six | hubctl apply -f -
    soon 30 True hubctl -n kube-federation-system get kubefedcluster cluster1 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    soon 30 True hubctl -n kube-federation-system get kubefedcluster cluster2 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    is five value_in cluster1
    is four value_in cluster2
    hub_stop
    record mend
    hub_start
    soon 120 AwaitingApproval phase 5
    soon 120 six value_in cluster1
    is four value_in cluster2
    act 5 approve
    soon 120 six value_in cluster2
    soon 20 Complete phase 5
}
limits() { # limits CPU
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedLimitRange\nmetadata: {name: most, namespace: shop, annotations: {fedlet.io/rollout-policy: careful}}\nspec: {template: {spec: {limits: [{type: Container, max: {cpu: "%s"}}]}}, placement: {clusterSelector: {}}}\n' "$1"
}
limit_in() { member_jsonpath "$1" shop limitrange most '{.spec.limits[0].max.cpu}'; }
later() { hubctl -n shop get rollout federatedlimitrange-most-1 -o 'jsonpath={.status.phase}'; }
# The definition first, then an object, then the FederatedTypeConfig; and the hub is killed behind its answer.
case_later() {
    fedctl enable limitranges -o yaml >"$FLEET/limitranges.yaml"
    python3 - "$FLEET/limitranges.yaml" "$FLEET/definition.yaml" "$FLEET/type.yaml" <<'PY'
import sys
for part in open(sys.argv[1]).read().split("---\n"):
    if "kind: CustomResourceDefinition" in part:
        open(sys.argv[2], "w").write(part)
    elif "kind: FederatedTypeConfig" in part:
        open(sys.argv[3], "w").write(part)
PY
    hubctl apply -f "$FLEET/definition.yaml"
    hubctl wait --for=condition=Established --timeout=20s crd/federatedlimitranges.types.kubefed.io
    limits 2 >"$FLEET/limits.yaml"
    wait_for 20 "a FederatedLimitRange" hubctl apply -f "$FLEET/limits.yaml"
    hubctl apply -f "$FLEET/type.yaml"
    again
    soon 120 AwaitingApproval later
    soon 120 2 limit_in cluster1
    lacks memberctl cluster2 -n shop get limitrange most
    hubctl -n shop annotate rollout federatedlimitrange-most-1 fedlet.io/action=approve:canary
    soon 120 2 limit_in cluster2
    soon 20 Complete later
    hubctl -n shop delete federatedlimitrange most --wait=true
}
case_gone() {
    hubctl -n shop delete federatedconfigmap web --wait=true
    soon 20 '' hubctl -n shop get rollouts -o name
}

must "a hub, two members, an object in both" start
try "the kinds are explained, and refuse what makes no sense" case_explained
try "killed at every step it goes on, and nothing twice" case_killed
try "versions and clusters are read below a rollout" case_read
try "who may steer" case_who
try "a restored hub goes on from there" case_restored
try "policies that conflict let nothing out" case_conflict
try "a rollout that cannot be read holds its object, and nothing else" case_unreadable
try "what was there before its type is new to every cluster" case_later
try "rollouts go with their object" case_gone
suite_end
