#!/usr/bin/env bash
# consent.sh - removals in bulk that nobody ordered by name wait for a person: at the hub, at the agent, over restarts of either, from a
# hub that went back; and what is ordered by name does not wait. A hub, a real member, kubectl and fedctl.
set -euo pipefail
source "$(dirname "$0")/suite.sh"

SYSTEM=kube-federation-system
TIERED='{clusterSelector: {matchLabels: {tier: "on"}}}'
configs() { # configs FIRST LAST PLACEMENT: FederatedConfigMaps, c07 ...
    local i
    for i in $(seq -f %02g "$1" "$2"); do
        federated FederatedConfigMap shop "c$i" "{data: {k: \"${VALUE:-v}\"}}" "$3"
        echo ---
    done
}
in_member() { memberctl edge -n shop get configmaps -l kubefed.io/managed=true -o name | wc -l; }
label() { hubctl -n $SYSTEM label kubefedcluster edge --overwrite "$@"; }
annotate() { hubctl -n $SYSTEM annotate kubefedcluster edge --overwrite "$@"; }
removal() { hub_jsonpath $SYSTEM kubefedcluster edge "{.status.removal.$1}"; }
consent_word() { condition_word edge RemovalAwaitsConsent; }
word() { cluster_word shop federatedconfigmap "$1" edge status; }
reasons() { hubctl -n $SYSTEM get events -o 'jsonpath={.items[*].reason}'; }
# Whatever was to be removed would have been: a later change of the manifest is applied.
after_a_change() {
    local mark
    mark=mark$(now_ms) # cases run in shells of their own: a count would begin again
    VALUE=$mark configs 99 99 '{clusters: [{name: edge}]}' | hubctl apply -f -
    soon 20 "$mark" member_jsonpath edge shop configmap c99 '{.data.k}'
}
# Nothing is there, and the removals that were let through before are of works that come back.
fresh_start() {
    hubctl -n shop delete federatedconfigmaps --all --wait=true
    soon 30 0 in_member
    restart_agent
}
restart_agent() {
    agent_stop edge "${1:-TERM}"
    agent_start edge ${AGENT_FLAGS:-}
    soon 60 True ready_word edge
}
restart_hub() {
    hub_stop "${1:-TERM}"
    hub_start --heartbeat-s 10
    soon 60 True ready_word edge
}

case_start() {
    hub_start --heartbeat-s 10
    join_cluster edge --label tier=on
    hubctl create namespace shop
    hubctl label namespace shop federated=true
    soon 30 Active memberctl edge get namespace shop -o 'jsonpath={.status.phase}'
}
case_waits() {
    { configs 1 12 "$TIERED"; configs 13 20 "$EVERYWHERE"; } | hubctl apply -f - >/dev/null
    soon 30 20 in_member
    label tier=off
    soon 20 True consent_word
    is 12 removal waiting
    is 21 removal works
    after_a_change
    is 21 in_member
    soon 20 WaitingForRemoval word c01
    soon 20 '' word c13
    is 'False CheckClusters' propagation shop federatedconfigmap c01
    says '^12 of 21 works \(57 %\).*since 20.*fedctl approve edge --removal' cluster_word shop federatedconfigmap c01 edge message
    says 'RemovalAwaitsConsent +True .*12 of 21 works' fold_describe
    says '^edge +True,RemovalAwaitsConsent ' fedctl clusters
    says 'edge: 12 removals wait for consent: fedctl approve edge --removal' fedctl status
    says 'WaitingForRemoval.*12 of 21 works.*Consent with' fold fedctl status federatedconfigmap/c01 -n shop
    says '12$' hubctl -n $SYSTEM get kubefedcluster edge -o wide
    wait_for 10 "the event" event RemovalAwaitsConsent
}
fold_describe() { hubctl -n $SYSTEM get kubefedcluster edge -o 'jsonpath={range .status.conditions[*]}{.type} {.status} {.message}{"\n"}{end}'; }
fold() { "$@" | tr -s '\n ' ' '; }
event() { says "$1" reasons; }
case_enforced() {
    local uid
    uid=$(member_jsonpath edge shop configmap c01 '{.metadata.uid}')
    memberctl edge -n shop delete configmap c02
    memberctl edge -n shop patch configmap c01 --type merge -p '{"data":{"k":"theirs"}}'
    soon 20 v member_jsonpath edge shop configmap c02 '{.data.k}'
    soon 20 v member_jsonpath edge shop configmap c01 '{.data.k}'
    is "$uid" member_jsonpath edge shop configmap c01 '{.metadata.uid}'
    VALUE=w configs 3 3 "$TIERED" | hubctl apply -f -
    soon 20 w member_jsonpath edge shop configmap c03 '{.data.k}'
}
case_restarts() {
    local id since
    id=$(removal approval)
    since=$(removal since)
    restart_hub KILL
    is 12 removal waiting
    is "$id" removal approval
    is "$since" removal since
    restart_agent KILL
    after_a_change
    is 21 in_member
    restart_hub
    restart_agent
    after_a_change
    is 21 in_member
    is True consent_word
    is "$id" removal approval
}
case_taken_back() {
    local before after
    before=$(memberctl edge -n shop get configmaps -o 'jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{"\n"}{end}')
    label tier=on
    soon 20 '' consent_word
    after_a_change
    after=$(memberctl edge -n shop get configmaps -o 'jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{"\n"}{end}')
    [ "$before" = "$after" ]
    is '' removal waiting
    soon 20 '' word c01
    wait_for 10 "the event" event RemovalTakenBack
    fails 1 'no removal of cluster edge waits' fedctl approve edge --removal
    fails any 'no removal of the cluster waits' annotate fedlet.io/approve-removal=00000000
}
case_approve_fedctl() {
    local id
    label tier=off
    soon 20 True consent_word
    id=$(removal approval)
    fails any "what waits for consent is now \"$id\"" annotate fedlet.io/approve-removal=00000000
    fedctl user add viewer --role viewer >"$FLEET/viewer.kubeconfig"
    fails 1 forbidden "$BIN/fedctl" --kubeconfig "$FLEET/viewer.kubeconfig" approve edge --removal
    is 21 in_member
    fedctl user add ops --role operator >"$FLEET/ops.kubeconfig"
    says '12 works leave cluster edge' "$BIN/fedctl" --kubeconfig "$FLEET/ops.kubeconfig" approve edge --removal
    soon 30 9 in_member
    soon 20 '' consent_word
    wait_for 10 "the event" event RemovalApproved
    says 'consented to by .*ops' hubctl -n $SYSTEM get events -o 'jsonpath={.items[*].message}'
    says 'user.*ops' grep -E '"verb":"patch".*"resource":"kubefedclusters".*"name":"edge"' "$FLEET/hub/audit.log"
    # The same annotation says nothing of the next.
    label tier=on
    soon 30 21 in_member
    label tier=off
    soon 20 True consent_word
    after_a_change
    is 21 in_member
    [ "$(removal approval)" != "$id" ]
}
case_right_to_approve() {
    # Who may write clusters, but not let them in, may not consent either.
    printf 'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: labeller}\nrules: [{apiGroups: [core.kubefed.io], resources: [kubefedclusters], verbs: [get, list, patch, update]}]\n' |
        hubctl apply -f -
    hubctl -n $SYSTEM create serviceaccount labeller
    hubctl create clusterrolebinding labeller --clusterrole labeller --serviceaccount $SYSTEM:labeller
    fails any 'joinrequests' annotate "fedlet.io/approve-removal=$(removal approval)" --as "system:serviceaccount:$SYSTEM:labeller"
    # Nor say that none is needed.
    fails any 'joinrequests' annotate fedlet.io/removal-consent=off --as "system:serviceaccount:$SYSTEM:labeller"
    annotate note=v --as "system:serviceaccount:$SYSTEM:labeller"
    is True consent_word
}
case_approve_kubectl() {
    annotate "fedlet.io/approve-removal=$(removal approval)"
    soon 30 9 in_member
    soon 20 '' consent_word
}
case_consent_while_away() {
    label tier=on
    soon 30 21 in_member
    label tier=off
    soon 20 True consent_word
    agent_stop edge KILL
    fedctl approve edge --removal
    restart_hub_only
    agent_start edge
    soon 60 9 in_member
    soon 20 '' consent_word
}
case_drip() {
    local i
    fresh_start
    VALUE=v configs 1 20 "$EVERYWHERE" | hubctl apply -f - >/dev/null
    soon 30 20 in_member
    # Ten per cent a step: the fourth one is too many. It joins nobody, and the fifth joins it.
    for i in 1 3 5; do
        configs $i $((i + 1)) '{clusters: []}' | hubctl apply -f - >/dev/null
        soon 20 $((19 - i)) in_member
    done
    is '' consent_word
    restart_hub
    restart_agent
    configs 7 8 '{clusters: []}' | hubctl apply -f - >/dev/null
    soon 20 True consent_word
    configs 9 9 '{clusters: []}' | hubctl apply -f - >/dev/null
    soon 20 3 removal waiting
    after_a_change
    is 15 in_member
    # By name it goes, and so does what waited.
    hubctl -n shop delete federatedconfigmap c07 --wait=true
    soon 20 2 removal waiting
    soon 20 14 in_member
    fedctl approve edge --removal
    soon 20 12 in_member
}
case_by_name() {
    fresh_start
    VALUE=v configs 1 20 "$EVERYWHERE" | hubctl apply -f - >/dev/null
    soon 30 20 in_member
    hubctl -n shop delete federatedconfigmaps --all --wait=true
    soon 30 0 in_member
    is '' consent_word
    # Also when the agent was away and a restarted hub has nothing but a full frame for it.
    VALUE=v configs 1 20 "$EVERYWHERE" | hubctl apply -f - >/dev/null
    soon 30 20 in_member
    agent_stop edge
    soon 120 True condition_word edge Offline
    hubctl -n shop delete federatedconfigmaps --all --wait=true
    restart_hub_only
    agent_start edge
    soon 60 0 in_member
    is '' consent_word
    # And a whole namespace.
    VALUE=v configs 1 20 "$EVERYWHERE" | hubctl apply -f - >/dev/null
    soon 30 20 in_member
    hubctl delete namespace shop --wait=true
    gone 60 memberctl edge get namespace shop
    is '' consent_word
    hubctl create namespace shop
    hubctl label namespace shop federated=true
    soon 30 Active memberctl edge get namespace shop -o 'jsonpath={.status.phase}'
}
restart_hub_only() {
    hub_stop
    hub_start --heartbeat-s 10
}
case_limits() {
    fails any 'must be share=N%' annotate fedlet.io/removal-consent=lots
    annotate fedlet.io/removal-consent=share=95%
    VALUE=v configs 1 10 "$TIERED" | hubctl apply -f - >/dev/null
    label tier=on
    soon 30 10 in_member
    AGENT_FLAGS='--removal-consent off' restart_agent
    label tier=off
    soon 30 0 in_member
    is '' consent_word
    annotate fedlet.io/removal-consent-
}
case_agent_is_stricter() {
    local uid
    fresh_start
    annotate fedlet.io/removal-consent=off
    VALUE=v configs 1 10 "$TIERED" | hubctl apply -f - >/dev/null
    label tier=on
    soon 30 10 in_member
    uid=$(member_jsonpath edge shop configmap c01 '{.metadata.uid}')
    label tier=off
    # The hub sends it; the agent holds it back, and the hub shows that.
    soon 30 True consent_word
    soon 20 10 removal heldByAgent
    after_a_change
    is 11 in_member
    is "$uid" member_jsonpath edge shop configmap c01 '{.metadata.uid}'
    soon 20 WaitingForRemoval word c01
    says 'left the bundle with too many others' cluster_word shop federatedconfigmap c01 edge message
    says 'Removals: +10 works left the bundle' "$BIN/fedlet" status --state-dir "$FLEET/edge/state"
    says 'Leaving +ConfigMap shop/c01: RemovalAwaitsConsent' "$BIN/fedlet" status --state-dir "$FLEET/edge/state"
    is 10 status_field edge works.removals_waiting
    # Enforced from the last template that it has, also by the next process.
    restart_agent KILL
    memberctl edge -n shop delete configmap c02
    soon 20 v member_jsonpath edge shop configmap c02 '{.data.k}'
    restart_hub KILL
    soon 20 10 removal heldByAgent
    fedctl approve edge --removal
    soon 30 1 in_member
    soon 20 '' consent_word
    # Taken back at the agent: the same object, never gone.
    label tier=on
    soon 30 11 in_member
    uid=$(member_jsonpath edge shop configmap c01 '{.metadata.uid}')
    label tier=off
    soon 30 True consent_word
    label tier=on
    soon 30 '' consent_word
    soon 20 '' word c01
    is 0 status_field edge works.removals_waiting
    is "$uid" member_jsonpath edge shop configmap c01 '{.metadata.uid}'
    annotate fedlet.io/removal-consent-
}
case_hub_goes_back() {
    local i
    fresh_start
    label tier=on
    VALUE=v configs 1 3 "$EVERYWHERE" | hubctl apply -f - >/dev/null
    soon 30 3 in_member
    # Somebody copies the store, and puts the copy back: no new epoch, and works that it never heard of.
    hub_stop
    cp -r "$FLEET/hub" "$FLEET/hub-copy"
    hub_start --heartbeat-s 10
    VALUE=v configs 4 15 "$EVERYWHERE" | hubctl apply -f - >/dev/null
    soon 60 15 in_member
    hub_stop
    rm -rf "$FLEET/hub"
    mv "$FLEET/hub-copy" "$FLEET/hub"
    hub_start --heartbeat-s 10
    # Its revisions grow past those that the agent has.
    for i in $(seq 1 40); do
        VALUE=r$i configs 1 3 "$EVERYWHERE" | hubctl apply -f - >/dev/null
    done
    soon 90 12 removal heldByAgent
    is 15 in_member
    memberctl edge -n shop delete configmap c09
    soon 20 v member_jsonpath edge shop configmap c09 '{.data.k}'
    # Whoever brings the objects again takes it back; the rest goes by consent.
    VALUE=v configs 4 9 "$EVERYWHERE" | hubctl apply -f - >/dev/null
    soon 30 6 removal heldByAgent
    fedctl approve edge --removal
    soon 30 9 in_member
    soon 20 '' consent_word
}
case_new_epoch() {
    local uid
    uid=$(member_jsonpath edge shop configmap c04 '{.metadata.uid}')
    hub_stop
    "$BIN/fedhub" backup "$FLEET/old.db" --data-dir "$FLEET/hub"
    hub_start --heartbeat-s 10
    VALUE=v configs 30 40 "$EVERYWHERE" | hubctl apply -f - >/dev/null
    soon 30 20 in_member
    hub_stop
    "$BIN/fedhub" restore "$FLEET/old.db" --data-dir "$FLEET/hub"
    hub_start --heartbeat-s 10
    soon 60 True ready_word edge
    after_a_change
    is 21 in_member # kept: a hub that lost its memory wants nothing gone
    is '' consent_word
    is "$uid" member_jsonpath edge shop configmap c04 '{.metadata.uid}'
    # They are nobody's: whoever deletes them sees them go for good.
    memberctl edge -n shop delete configmaps $(seq -f c%02g 30 40)
}
deny_all() {
    printf 'apiVersion: fedlet.io/v1alpha1\nkind: PlacementPolicy\nmetadata: {name: none}\nspec: {effect: Deny, kinds: [{kind: ConfigMap}], clusters: {selector: {}}, deletionBudget: {removals: "50%%", period: 1s}}\n'
}
case_policy() {
    fresh_start
    VALUE=v configs 1 10 "$EVERYWHERE" | hubctl apply -f - >/dev/null
    soon 30 10 in_member
    deny_all | hubctl apply -f -
    soon 20 True consent_word
    soon 20 10 removal waiting # five in each of two periods
    soon 20 WaitingForRemoval word c01
    hubctl delete placementpolicy none
    soon 20 '' consent_word
    is 10 in_member
    deny_all | hubctl apply -f -
    soon 20 10 removal waiting
    fedctl approve edge --removal
    soon 20 0 in_member # at the pace of the budget
    hubctl delete placementpolicy none
    soon 30 10 in_member
}
case_finalizer() {
    memberctl edge -n shop patch configmap c01 --type merge -p '{"metadata":{"finalizers":["example.com/slow"]}}'
    hubctl -n shop delete federatedconfigmap c01 --wait=false
    soon 30 WaitingForRemoval word c01
    wait_for 20 "the finalizer's name" finalizer_named
    says 'Removing +ConfigMap shop/c01: WaitingForRemoval: .*example.com/slow' "$BIN/fedlet" status --state-dir "$FLEET/edge/state"
    restart_agent KILL
    is '["example.com/slow"]' member_jsonpath edge shop configmap c01 '{.metadata.finalizers}'
    memberctl edge -n shop patch configmap c01 --type merge -p '{"metadata":{"finalizers":null}}'
    gone 20 memberctl edge -n shop get configmap c01
    gone 30 hubctl -n shop get federatedconfigmap c01
}
gadgets() { # gadgets BOOL: whether the member serves them as v1, too
    local any='{openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}'
    printf -- '---\n{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: gadgets.example.com}, spec: {group: example.com, scope: Namespaced, names: {plural: gadgets, singular: gadget, kind: Gadget}, versions: [{name: v1, served: %s, storage: true, schema: %s}, {name: v2, served: true, storage: false, schema: %s}]}}\n' \
        "$1" "$any" "$any" | memberctl edge apply -f -
}
gadget_versions() { memberctl edge get --raw /apis/example.com | tr -d ' \n' | grep -o '"groupVersion":"[^"]*"' | sort -u | wc -l; }
case_version_not_served() {
    example_crd gadgets Gadget | hubctl apply -f -
    hubctl wait --for=condition=Established --timeout=90s crd/gadgets.example.com
    fedctl enable gadgets.example.com
    gadgets true
    federated FederatedGadget shop g '{spec: {a: 1}}' "$EVERYWHERE" | hubctl apply -f -
    soon 60 g memberctl edge -n shop get gadgets.v2.example.com -o 'jsonpath={.items[*].metadata.name}'
    gadgets false
    soon 60 1 gadget_versions
    hubctl -n shop delete federatedgadget g --wait=true --timeout=90s
    is '' memberctl edge -n shop get gadgets.v2.example.com -o name
}
finalizer_named() { says 'example.com/slow' cluster_word shop federatedconfigmap c01 edge message; }
case_orphan_and_stray() {
    # Let go of on request: nobody is asked, as nothing is removed.
    hubctl -n shop annotate federatedconfigmaps --all kubefed.io/orphan=true
    hubctl -n shop delete federatedconfigmaps --all --wait=true
    soon 30 0 in_member
    is 9 unmanaged
    is '' consent_word
    # What carries the label and is of no work loses it, and stays.
    memberctl edge -n shop create configmap lonely --from-literal k=v
    memberctl edge -n shop label configmap lonely kubefed.io/managed=true
    after_a_change
    soon 60 '' member_jsonpath edge shop configmap lonely '{.metadata.labels}'
    is v member_jsonpath edge shop configmap lonely '{.data.k}'
}
unmanaged() { memberctl edge -n shop get configmaps -o name | grep -c '/c'; }
case_leave() {
    VALUE=v configs 50 60 "$EVERYWHERE" | hubctl apply -f - >/dev/null
    soon 30 12 in_member
    agent_stop edge
    "$BIN/fedlet" leave --state-dir "$FLEET/edge/state" --kubeconfig "$FLEET/edge/kube/admin.kubeconfig"
    is 0 in_member
}

must "a control plane" members_up edge
must "a hub and an agent" case_start
must "twelve works by label: they wait, and everybody says so" case_waits
try "what waits is enforced and follows its template" case_enforced
try "it waits over restarts and SIGKILL of hub and agent" case_restarts
try "taken back: nothing happened, nothing waits" case_taken_back
try "fedctl approve --removal: exactly these, by whom" case_approve_fedctl
try "who may not let clusters in may not consent" case_right_to_approve
try "the same with kubectl" case_approve_kubectl
try "consent while the agent is away" case_consent_while_away
try "a slow drip does not pass" case_drip
try "what is ordered by name does not wait" case_by_name
try "limits: the hub's, the cluster's, the agent's" case_limits
try "an agent with a stricter limit than the hub" case_agent_is_stricter
try "a hub that went back without a new epoch" case_hub_goes_back
try "a new epoch removes nothing" case_new_epoch
try "a policy's removals are asked for, too" case_policy
try "a finalizer that hangs is named and left" case_finalizer
try "a kind that the member serves by another version by now" case_version_not_served
try "orphaning and strays" case_orphan_and_stray
try "fedlet leave is an order" case_leave
suite_end
