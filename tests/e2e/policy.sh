#!/usr/bin/env bash
# policy.sh - who may be where: PlacementPolicies, and overrides by cluster selector; a hub, two real members, kubectl.
set -euo pipefail
source "$(dirname "$0")/suite.sh"

config() { # config NAME VALUE [PLACEMENT] [OVERRIDES]: placement and overrides as one-line YAML
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedConfigMap\nmetadata: {name: %s, namespace: shop}\nspec: {template: {data: {k: "%s"}}, placement: %s, overrides: %s}\n' \
        "$1" "$2" "${3:-$EVERYWHERE}" "${4:-[]}"
}
policy() { # policy NAME SPEC as one-line YAML
    printf 'apiVersion: fedlet.io/v1alpha1\nkind: PlacementPolicy\nmetadata: {name: %s}\nspec: %s\n' "$1" "$2"
}
value_in() { member_jsonpath "$1" shop configmap "$2" '{.data.k}'; }
policy_field() { hubctl get placementpolicy "$1" -o "jsonpath={.status.$2}"; }
restriction() { hub_jsonpath shop federatedconfigmap "$1" '{.status.conditions[?(@.type=="PlacementRestricted")].reason}'; }
no_policies() { hubctl delete placementpolicies --all --wait=true; }

start_members() { members_up cluster1 cluster2; }
join_members() {
    join_cluster cluster1 --label zone=lab
    join_cluster cluster2 --label zone=prod
    hubctl create namespace shop
    hubctl label namespace shop federated=true team=web
    soon 30 Active memberctl cluster1 get namespace shop -o 'jsonpath={.status.phase}'
    soon 30 Active memberctl cluster2 get namespace shop -o 'jsonpath={.status.phase}'
}

# ---- overrides by selector ----
case_override_selector() {
    config chosen base "$EVERYWHERE" '[{clusterSelector: {matchLabels: {zone: prod}}, clusterOverrides: [{path: /data/k, value: prod}]}]' |
        hubctl apply -f -
    soon 20 base value_in cluster1 chosen
    soon 20 prod value_in cluster2 chosen
    soon 20 'True ' propagation shop federatedconfigmap chosen
}
case_override_order() {
    config order base "$EVERYWHERE" '[{clusterSelector: {}, clusterOverrides: [{path: /data/k, value: all}]},
        {clusterName: cluster2, clusterOverrides: [{path: /data/k, value: named}]}]' | hubctl apply -f -
    soon 20 all value_in cluster1 order
    soon 20 named value_in cluster2 order
    config order base "$EVERYWHERE" '[{clusterName: cluster2, clusterOverrides: [{path: /data/k, value: named}]},
        {clusterSelector: {}, clusterOverrides: [{path: /data/k, value: all}]}]' | hubctl apply -f -
    soon 20 all value_in cluster2 order
}
case_override_label() {
    hubctl -n kube-federation-system label kubefedcluster cluster1 zone=prod --overwrite
    soon 20 prod value_in cluster1 chosen
    hubctl -n kube-federation-system label kubefedcluster cluster1 zone=lab --overwrite
    soon 20 base value_in cluster1 chosen
}
case_override_refused() {
    config both v "$EVERYWHERE" '[{clusterName: cluster1, clusterSelector: {}, clusterOverrides: []}]' >"$FLEET/both.yaml"
    fails 1 'spec.overrides\[0\]: Invalid value: clusterName and clusterSelector exclude each other' \
        hubctl apply -f "$FLEET/both.yaml"
    config wrong v "$EVERYWHERE" \
        '[{clusterSelector: {matchExpressions: [{key: zone, operator: Is}]}, clusterOverrides: []}]' >"$FLEET/wrong.yaml"
    fails 1 'spec.overrides\[0\].clusterSelector: Invalid value' hubctl apply -f "$FLEET/wrong.yaml"
    config nobody v "$EVERYWHERE" '[{clusterOverrides: [{path: /data/k, value: w}]}]' >"$FLEET/nobody.yaml"
    says 'Warning: spec.overrides\[0\]: neither clusterName nor clusterSelector' hubctl apply -f "$FLEET/nobody.yaml"
    soon 20 v value_in cluster1 nobody
    says 'Clusters by label' hubctl explain federatedconfigmap.spec.overrides.clusterSelector
}

# ---- policies ----
case_policy_refused() {
    local spec
    policy bad '{effect: Deny, clusters: {}}' >"$FLEET/bad.yaml"
    fails 1 'spec.clusters: Required value' hubctl apply -f "$FLEET/bad.yaml"
    policy bad '{effect: Never, clusters: {selector: {}}}' >"$FLEET/bad.yaml"
    fails 1 'spec.effect: Unsupported value' hubctl apply -f "$FLEET/bad.yaml"
    policy bad '{effect: Deny, clusters: {selector: {}}, deletionBudget: {removals: 101%}}' >"$FLEET/bad.yaml"
    fails 1 'spec.deletionBudget.removals: Invalid value' hubctl apply -f "$FLEET/bad.yaml"
    policy bad '{effect: Deny, clusters: {selector: {}}, deletionBudget: {period: soon}}' >"$FLEET/bad.yaml"
    fails 1 'spec.deletionBudget.period: Invalid value' hubctl apply -f "$FLEET/bad.yaml"
    policy bad '{effect: Deny, clusters: {selector: {}}, subjects: [{kind: ServiceAccount, name: a}]}' >"$FLEET/bad.yaml"
    fails 1 'spec.subjects\[0\]: Required value: the namespace' hubctl apply -f "$FLEET/bad.yaml"
    lacks hubctl get placementpolicy bad
}
case_policy_names() {
    policy no-prod '{effect: Deny, clusters: {selector: {matchLabels: {zone: prod}}}, kinds: [{kind: ConfigMap}],
        namespaceSelector: {matchLabels: {team: web}}, deletionBudget: {removals: 0, period: 1h}}' | hubctl apply -f -
    config named v '{clusters: [{name: cluster2}]}' >"$FLEET/named.yaml"
    fails 1 'federatedconfigmaps.types.kubefed.io "named" is forbidden: PlacementPolicy "no-prod" denies cluster "cluster2"' \
        hubctl apply -f "$FLEET/named.yaml"
    is True policy_field no-prod 'conditions[0].status'
    says 'no-prod +Deny +True' hubctl get ppol
    says 'How many copies are removed in a period' hubctl explain placementpolicy.spec.deletionBudget
}
case_policy_left_out() {
    config left v | hubctl apply -f -
    soon 20 v value_in cluster1 left
    soon 20 'True ' propagation shop federatedconfigmap left
    is ForbiddenByPolicy cluster_word shop federatedconfigmap left cluster2 status
    says 'PlacementPolicy "no-prod" denies this cluster' cluster_word shop federatedconfigmap left cluster2 message
    is ForbiddenByPolicy restriction left
    lacks memberctl cluster2 -n shop get configmap left
    wait_for 20 "an event" says 'ForbiddenByPolicy.*no-prod' hubctl -n shop get events
}
# `chosen` was in cluster2 before the policy came.
case_policy_holds() {
    is WaitingForRemoval cluster_word shop federatedconfigmap chosen cluster2 status
    is prod value_in cluster2 chosen
    says '^[1-9]' policy_field no-prod pendingRemovals
    hubctl patch placementpolicy no-prod --type=merge -p '{"spec":{"deletionBudget":{"removals":"100%"}}}'
    gone 20 memberctl cluster2 -n shop get configmap chosen
    soon 20 ForbiddenByPolicy cluster_word shop federatedconfigmap chosen cluster2 status
    soon 20 0 policy_field no-prod pendingRemovals
    no_policies
    soon 20 prod value_in cluster2 chosen
    is '' restriction chosen
}
copies() { memberctl "$1" -n shop get configmaps -l batch=yes -o 'jsonpath={.items[*].metadata.name}' | wc -w | tr -d ' '; }
case_budget() {
    local i
    for i in 1 2 3 4 5; do
        printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedConfigMap\nmetadata: {name: batch%s, namespace: shop}\nspec: {template: {metadata: {labels: {batch: "yes"}}}, placement: {clusters: [{name: cluster2}]}}\n---\n' "$i"
    done | hubctl apply -f -
    soon 30 5 copies cluster2
    for i in 1 2 3 4 5; do soon 20 'True ' propagation shop federatedconfigmap "batch$i"; done
    policy slow '{effect: Allow, clusters: {names: [cluster1]}, kinds: [{kind: ConfigMap}], namespaces: [shop],
        deletionBudget: {removals: 2, period: 1h}}' | hubctl apply -f -
    soon 20 2 policy_field slow removalsThisPeriod
    says '^[0-9-]*T[0-9:]*Z$' policy_field slow nextRemovalTime
}
held_words() { hubctl -n shop get federatedconfigmaps -o 'jsonpath={.items[*].status.clusters[?(@.name=="cluster2")].status}' | tr ' ' '\n' | grep -c WaitingForRemoval; }
case_budget_restart() {
    local pending before cluster
    pending=$(policy_field slow pendingRemovals)
    [ "$pending" -ge 3 ]
    wait_for 20 "two removed" is "$pending" held_words
    before=$(memberctl cluster2 -n shop get configmaps -o name | sort)
    hub_stop KILL
    hub_start
    is "$pending" policy_field slow pendingRemovals
    is 2 policy_field slow removalsThisPeriod
    # Agents notice a killed hub late; started again they connect at once.
    for cluster in cluster1 cluster2; do
        agent_stop "$cluster"
        agent_start "$cluster"
    done
    is "$pending" held_words
    # A change that reaches the member shows that whatever would be removed had been.
    config after v '{clusters: [{name: cluster1}]}' | hubctl apply -f -
    soon 30 v value_in cluster1 after
    soon 30 true status_field cluster2 connected
    is "$before" eval 'memberctl cluster2 -n shop get configmaps -o name | sort'
}
# More than a third of the cluster's works in an hour: the budget sets the pace, and a person consents.
goes_with_consent() {
    fedctl approve cluster2 --removal
    is 0 policy_field slow pendingRemovals
}
case_budget_goes_on() {
    hubctl patch placementpolicy slow --type=merge -p '{"spec":{"deletionBudget":{"removals":2,"period":"2s"}}}'
    wait_for 60 "all of them to go" goes_with_consent
    soon 30 0 copies cluster2
    no_policies
    soon 30 5 copies cluster2
    hubctl -n shop delete federatedconfigmaps --all --wait=true
    soon 30 0 copies cluster2
}
case_subjects() {
    hubctl create clusterrolebinding bob --clusterrole=fedlet:author --user=bob
    hubctl create clusterrolebinding ana --clusterrole=fedlet:author --user=ana
    policy bob '{effect: Deny, clusters: {names: [cluster2]}, subjects: [{kind: User, name: bob}]}' | hubctl apply -f -
    config his v '{clusters: [{name: cluster2}]}' >"$FLEET/his.yaml"
    fails 1 'PlacementPolicy "bob" denies cluster "cluster2" for it and whoever writes it' \
        hubctl --as bob apply -f "$FLEET/his.yaml"
    hubctl --as ana apply -f "$FLEET/his.yaml"
    soon 20 v value_in cluster2 his
    config his w '{clusters: [{name: cluster2}]}' >"$FLEET/his.yaml"
    fails 1 'PlacementPolicy "bob" denies cluster "cluster2"' hubctl --as bob apply -f "$FLEET/his.yaml"
    # By selector: he gets what he may have, whoever looks.
    config wide v | hubctl --as bob apply -f -
    soon 20 v value_in cluster1 wide
    soon 20 'True ' propagation shop federatedconfigmap wide
    is ForbiddenByPolicy cluster_word shop federatedconfigmap wide cluster2 status
    is bob hub_jsonpath shop federatedconfigmap wide '{.metadata.annotations.fedlet\.io/placement-policies}'
    hubctl --as bob -n shop annotate federatedconfigmap wide fedlet.io/placement-policies-
    is bob hub_jsonpath shop federatedconfigmap wide '{.metadata.annotations.fedlet\.io/placement-policies}'
    lacks memberctl cluster2 -n shop get configmap wide
    no_policies
    soon 20 v value_in cluster2 wide
}
case_nobody_stalls() {
    config odd v "$EVERYWHERE" '[{clusterSelector: {matchLabels: {zone: prod}}, clusterOverrides: [{op: remove, path: /nothing}]}]' |
        hubctl apply -f -
    config even v | hubctl apply -f -
    soon 20 v value_in cluster1 odd
    soon 20 v value_in cluster2 even
    soon 20 ApplyOverridesFailed cluster_word shop federatedconfigmap odd cluster2 status
}

must "two real members start" start_members
must "fedhub starts" hub_start
must "both join with labels" join_members
try "an override by selector" case_override_selector
try "all overrides that match apply, the last one wins" case_override_order
try "a cluster's label changes its overrides" case_override_label
try "an override with name and selector is refused, one with neither is warned of" case_override_refused
try "a policy that is wrong is refused by field" case_policy_refused
try "a forbidden cluster that is named is refused, with the policy's name" case_policy_names
try "a forbidden cluster that is selected is left out, and says why" case_policy_left_out
try "what is there waits for its turn, and goes" case_policy_holds
try "removals keep to the budget" case_budget
try "the budget and what waits survive a killed hub" case_budget_restart
try "the next periods take the rest; without the policy all is back" case_budget_goes_on
try "a policy for a user binds what the user writes" case_subjects
try "a bad override stalls nobody else" case_nobody_stalls
suite_end
