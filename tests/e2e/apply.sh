#!/usr/bin/env bash
# apply.sh - works that a real API server does not take at once: what waits for what, each class of refusal with its word, its
# next try and its end, immutable fields, what admission webhooks do. The hub's status has the member's words.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
WORK=$FLEET/work
mkdir -p "$WORK/hook"

config() { federated FederatedConfigMap shop "$1" "{data: {k: \"$2\"}, metadata: {annotations: {${3:-}}}}"; } # NAME VALUE [ANNOTATIONS]
# deployment NAME SELECTOR [ANNOTATIONS [NODE]]: on NODE (a label's value), or anywhere
deployment() {
    federated FederatedDeployment shop "$1" "{metadata: {annotations: {${3:-}}}, spec: {replicas: 1, selector: {matchLabels: {app: $2}}, template: {metadata: {labels: {app: $2}}, spec: {nodeSelector: {${4:+zone: $4}}, containers: [{name: main, image: nginx}]}}}}"
}
on() { printf '"fedlet.io/depends-on": "%s"' "$1"; }
REPLACE='"fedlet.io/replace": "true"'
put() { "$@" | hubctl apply -f -; }
member() { memberctl cluster1 -n shop "$@"; }
field() { member get "$1" "$2" -o "jsonpath=$3"; }
set_value() { hubctl -n shop patch federatedconfigmap "$1" --type=merge -p "{\"spec\":{\"template\":{\"data\":{\"k\":\"$2\"}}}}"; }
word() { cluster_word shop "federated$1" "$2" cluster1 status; }
# told SECONDS KIND NAME STATUS PATTERN: what the hub's status says of cluster1
told() { wait_for "$1" "$4 of $2 $3" is_told "${@:2}"; }
is_told() { # is_told KIND NAME STATUS PATTERN
    is "$3" word "$1" "$2" && says "$4" cluster_word shop "federated$1" "$2" cluster1 message
}
applied() { soon "$1" '' word "$2" "$3"; } # SECONDS KIND NAME

begin() {
    member_up cluster1 --pods
    hub_start --heartbeat-s 10
    join_cluster cluster1
    hubctl create namespace shop
    federated FederatedNamespace shop shop '{}' | hubctl apply -f -
    put config first one
    soon 30 one field configmap first '{.data.k}'
}
must "a hub and a member" begin

# ---- what works wait for ----
case_kind_later() {
    local n since
    example_crd widgets Widget | hubctl apply -f -
    established hubctl widgets.example.com
    fedctl enable widgets.example.com
    for n in 1 2 3 4 5 6; do put federated FederatedWidget shop "w$n" '{spec: {size: 1}}'; done
    told 20 widget w1 CreationFailed '^KindMissing: no matches for kind "Widget" in version "example.com/v1"'
    told 20 widget w6 CreationFailed '^KindMissing: '
    set_value first two # holds up nobody
    soon 20 two field configmap first '{.data.k}'
    example_crd widgets Widget | memberctl cluster1 apply -f -
    established memberctl cluster1 widgets.example.com
    since=$(now_ms)
    for n in 1 2 3 4 5 6; do soon 20 1 field widget "w$n" '{.spec.size}'; done
    echo "applied after $(($(now_ms) - since)) ms"
    [ $(($(now_ms) - since)) -le 20000 ]
}
try "a kind that is not there: all wait, and go within seconds of its definition" case_kind_later

case_crd_in_bundle() {
    example_crd gadgets Gadget | hubctl apply -f -
    established hubctl gadgets.example.com
    fedctl enable gadgets.example.com
    fedctl enable customresourcedefinitions.apiextensions.k8s.io
    put federated FederatedGadget shop g '{spec: {size: 2}}'
    federated FederatedCustomResourceDefinition '' gadgets.example.com \
        '{spec: {group: example.com, scope: Namespaced, names: {plural: gadgets, singular: gadget, kind: Gadget, listKind: GadgetList}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}' |
        hubctl apply -f -
    soon 30 2 field gadget g '{.spec.size}'
    applied 20 gadget g
}
try "a definition in the bundle, and its objects" case_crd_in_bundle

case_depends() {
    put config after x "$(on Deployment/late)"
    told 20 configmap after DependencyNotReady 'waits for Deployment late, which is not part of the bundle'
    put deployment late late '' nowhere
    told 30 configmap after DependencyNotReady 'waits for Deployment shop/late, which is not healthy'
    lacks member get configmap after
    put deployment late late
    soon 60 x field configmap after '{.data.k}'
    applied 20 configmap after
    # It falls ill: what is there stays, a new version waits, another process knows.
    put deployment late late '' nowhere
    soon 30 nowhere field deployment late '{.spec.template.spec.nodeSelector.zone}'
    set_value after y
    told 30 configmap after DependencyNotReady 'waits for Deployment shop/late'
    agent_stop cluster1 KILL
    agent_start cluster1
    soon 60 true status_field cluster1 connected
    is x field configmap after '{.data.k}'
    put deployment late late
    soon 60 y field configmap after '{.data.k}'
}
try "depends-on: waits, says what for, and goes with the health; also after a kill" case_depends

case_cycle() {
    put config chicken x "$(on ConfigMap/egg)"
    put config egg x "$(on ConfigMap/chicken)"
    told 20 configmap egg DependencyCycle 'ConfigMap shop/(egg|chicken) -> ConfigMap shop/(egg|chicken) -> ConfigMap shop/(egg|chicken)'
    told 20 configmap chicken DependencyCycle 'ConfigMap shop/egg'
    put config egg x
    soon 20 x field configmap chicken '{.data.k}'
    applied 20 configmap egg
}
try "a cycle is named on each of its works, and ends with it" case_cycle

case_removal_order() {
    put config base x
    put config upper x "$(on ConfigMap/base)"
    soon 20 x field configmap upper '{.data.k}'
    member patch configmap upper --type=merge -p '{"metadata":{"finalizers":["example.com/hold"]}}'
    hubctl -n shop delete federatedconfigmap base --wait=false
    wait_for 30 'the removal that waits' says 'ConfigMap shop/base: WaitingForRemoval: waits until ConfigMap shop/upper' \
        "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state"
    hubctl -n shop delete federatedconfigmap upper --wait=false
    soon 30 '["example.com/hold"]' field configmap upper '{.metadata.finalizers}'
    wait_for 30 'the deletion' bash -c "[ -n \"\$(${KUBECTL[*]} --kubeconfig $FLEET/cluster1/kube/admin.kubeconfig -n shop get configmap upper -o 'jsonpath={.metadata.deletionTimestamp}')\" ]"
    is x field configmap base '{.data.k}'
    member patch configmap upper --type=merge -p '{"metadata":{"finalizers":null}}'
    gone 30 member get configmap base
    gone 30 hubctl -n shop get federatedconfigmap base
}
try "removals go the other way round" case_removal_order

case_namespace_terminating() {
    member create configmap held --from-literal=a=b
    member patch configmap held --type=merge -p '{"metadata":{"finalizers":["example.com/hold"]}}'
    memberctl cluster1 delete namespace shop --wait=false
    gone 30 member get configmap first
    put config fresh x
    told 30 configmap fresh CreationFailed '^NamespaceTerminating: .*being terminated'
    member patch configmap held --type=merge -p '{"metadata":{"finalizers":null}}'
    soon 60 x field configmap fresh '{.data.k}'
    soon 60 two field configmap first '{.data.k}'
    applied 30 configmap first
}
try "a namespace that is being deleted: waited for, and everything made again" case_namespace_terminating

# ---- refusals ----
case_quota() {
    member create quota full --hard=count/configmaps=1
    soon 20 1 field quota full '{.status.hard.count/configmaps}'
    put config more x
    told 20 configmap more CreationFailed '^QuotaExceeded: .*exceeded quota: full'
    member delete quota full
    applied 60 configmap more
}
try "a quota that is exceeded" case_quota

case_invalid() {
    put federated FederatedService shop odd '{spec: {ports: [{port: 70000}]}}'
    told 20 service odd CreationFailed '^Invalid: .*spec.ports\[0\].port: Invalid value: 70000'
    put federated FederatedService shop odd '{spec: {ports: [{port: 7000, nonsense: 1}]}}'
    told 20 service odd CreationFailed '^Invalid: .*nonsense: field not declared in schema'
    put federated FederatedService shop odd '{spec: {ports: [{port: 7000}]}}'
    applied 20 service odd
}
try "what is invalid, by value and by schema, goes with the next content" case_invalid

no_webhooks() { memberctl cluster1 delete validatingwebhookconfiguration,mutatingwebhookconfiguration --all; }
HOOK=
must "an admission webhook" webhook_start "$WORK/hook"
HOOK=https://127.0.0.1:$(cat "$WORK/hook/port")
reviews() { grep -c "$1 hooked" "$WORK/hook/log" || true; }
# A configuration counts once the API server has read it.
in_force() { # in_force PATTERN: of the refusal of a dry run
    refused() { grep -qE "$1" <<<"$(member create configmap hooked --from-literal=k=v --dry-run=server 2>&1)"; }
    wait_for 20 "the webhook in force" refused "$1"
}
case_webhook_down() {
    webhooks "$WORK/hook" Validating down.example.com https://127.0.0.1:1/ | memberctl cluster1 apply -f -
    in_force 'failed calling webhook'
    put config hooked x
    told 20 configmap hooked CreationFailed '^WebhookUnavailable: .*failed calling webhook "down.example.com"'
    no_webhooks
    applied 60 configmap hooked
    hubctl -n shop delete federatedconfigmap hooked
}
try "a webhook that is down is named, and waited for" case_webhook_down

case_webhook_hangs() {
    webhooks "$WORK/hook" Validating slow.example.com "$HOOK/hang" | memberctl cluster1 apply -f -
    in_force 'failed calling webhook'
    put config hooked x
    put config beside x
    soon 20 x field configmap beside '{.data.k}'
    told 30 configmap hooked CreationFailed '^WebhookUnavailable: .*"slow.example.com"'
    no_webhooks
    applied 60 configmap hooked
    hubctl -n shop delete federatedconfigmap hooked beside
}
try "one that never answers holds up nobody else" case_webhook_hangs

case_webhook_denies() {
    webhooks "$WORK/hook" Validating no.example.com "$HOOK/deny" | memberctl cluster1 apply -f -
    in_force 'denied the request'
    rm -f "$WORK/hook/log"
    put config hooked x
    told 20 configmap hooked CreationFailed '^Denied: admission webhook "no.example.com" denied the request: not on a Friday'
    wait_for 30 'the second try' bash -c "[ \$(grep -c '/deny hooked' '$WORK/hook/log') -ge 2 ]"
    set_value hooked other # a new content is tried at once
    wait_for 10 'the try of another content' bash -c "[ \$(grep -c '/deny hooked' '$WORK/hook/log') -ge 3 ]"
    no_webhooks
    set_value hooked third
    applied 60 configmap hooked
    [ "$(reviews /deny)" -le 6 ]
    hubctl -n shop delete federatedconfigmap hooked
}
try "one that says no is asked rarely, and at once about another content" case_webhook_denies

# What somebody else made while ours was refused is theirs, and so is what took the place of ours.
guarded() { # a policy of the API server that takes no "refused"
    cat <<'YAML'
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: guard}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]}
  validations: [{expression: "!has(object.data) || !('k' in object.data) || object.data.k != 'refused'"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: guard}
spec: {policyName: guard, validationActions: [Deny]}
YAML
}
case_taken() {
    local name
    put config swapped one
    soon 20 one field configmap swapped '{.data.k}'
    guarded | memberctl cluster1 apply -f -
    wait_for 20 "the policy in force" fails 1 'denied request' member create configmap probe --from-literal=k=refused --dry-run=server
    put config taken refused
    set_value swapped refused
    told 20 configmap taken CreationFailed '^Denied: '
    told 20 configmap swapped UpdateFailed '^Denied: '
    member delete configmap swapped
    for name in taken swapped; do
        printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, labels: {kubefed.io/managed: "false"}}\ndata: {k: theirs}\n' $name | member create -f -
    done
    guarded | memberctl cluster1 delete -f -
    for name in taken swapped; do
        told 300 configmap $name ManagedLabelFalse 'kubefed.io/managed: false'
        is 'theirs false' field configmap $name '{.data.k} {.metadata.labels.kubefed\.io/managed}'
    done
    hubctl -n shop delete federatedconfigmap taken swapped
    for name in taken swapped; do is theirs field configmap $name '{.data.k}'; done
}
try "what somebody else made meanwhile is not taken" case_taken

# Whatever it makes of our fields: that is not a foreign change, and nothing is applied again.
case_webhook_mutates() {
    webhooks "$WORK/hook" Mutating loud.example.com "$HOOK/mutate" | memberctl cluster1 apply -f -
    rm -f "$WORK/hook/log"
    in_force_mutating() { [ "$(member create configmap hooked --from-literal=k=v --dry-run=server -o 'jsonpath={.data.extra}')" = yes ]; }
    wait_for 20 'the webhook in force' in_force_mutating
    put config hooked one
    soon 20 ONE field configmap hooked '{.data.k}'
    applied 20 configmap hooked
    rm -f "$WORK/hook/log"
    member annotate configmap hooked x=y # an event, and another mutation
    wait_for 10 'the review' test -s "$WORK/hook/log"
    set_value first three
    soon 20 three field configmap first '{.data.k}' # whatever there was to put back would have gone first
    [ "$(reviews /mutate)" -eq 1 ]
    never grep 'hooked: changed by' "$FLEET/logs/cluster1-agent.err"
    no_webhooks
    hubctl -n shop delete federatedconfigmap hooked
}
try "one that changes objects makes no drift" case_webhook_mutates

# ---- fields that cannot change ----
case_immutable() {
    local uid
    put deployment fixed one
    applied 60 deployment fixed
    uid=$(field deployment fixed '{.metadata.uid}')
    put deployment fixed two
    told 20 deployment fixed ImmutableField '^spec.selector: field is immutable; the object is left as it is: the annotation fedlet.io/replace'
    is "$uid" field deployment fixed '{.metadata.uid}'
    is one field deployment fixed '{.spec.selector.matchLabels.app}'
    put deployment fixed two "$REPLACE"
    soon 60 two field deployment fixed '{.spec.selector.matchLabels.app}'
    applied 60 deployment fixed
    [ "$(field deployment fixed '{.metadata.uid}')" != "$uid" ]
    uid=$(field deployment fixed '{.metadata.uid}')
    put deployment fixed two "$REPLACE" nowhere # what can change does
    soon 30 nowhere field deployment fixed '{.spec.template.spec.nodeSelector.zone}'
    is "$uid" field deployment fixed '{.metadata.uid}'
}
try "an immutable field: told, left, and replaced when asked" case_immutable

job() { federated FederatedJob shop once "{metadata: {annotations: {$2}}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: $1}]}}}}"; }
case_job() {
    put job one ''
    applied 60 job once
    put job two ''
    told 20 job once ImmutableField '^spec.template: field is immutable'
    put job two "$REPLACE"
    soon 60 two field job once '{.spec.template.spec.containers[0].image}'
    applied 60 job once
}
try "a Job's template" case_job

claim() { federated FederatedPersistentVolumeClaim shop data "{metadata: {annotations: {$REPLACE}}, spec: {storageClassName: $1, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}"; }
case_claim() {
    fedctl enable persistentvolumeclaims
    put claim one
    applied 30 persistentvolumeclaim data
    put claim two
    told 20 persistentvolumeclaim data ImmutableField 'its kind is never replaced'
    is one field pvc data '{.spec.storageClassName}'
}
try "a claim is never replaced" case_claim

# ---- rights ----
# The agent as a user of its own: everything but Services.
case_forbidden() {
    member create configmap unrelated --from-literal=a=b
    memberctl cluster1 create serviceaccount agent -n default
    memberctl cluster1 create clusterrole most --verb='*' --resource=configmaps,secrets,namespaces,deployments.apps,jobs.batch,persistentvolumeclaims,nodes,pods
    memberctl cluster1 create clusterrolebinding most --clusterrole=most --serviceaccount=default:agent
    cp "$(readlink -f "$FLEET/cluster1/kube/admin.kubeconfig")" "$WORK/limited"
    "${KUBECTL[@]}" --kubeconfig "$WORK/limited" config set-credentials limited \
        --token "$(memberctl cluster1 create token agent -n default --duration=1h)"
    "${KUBECTL[@]}" --kubeconfig "$WORK/limited" config set-context --current --user=limited
    agent_stop cluster1
    agent_start cluster1 --kubeconfig "$WORK/limited"
    soon 60 true status_field cluster1 connected
    put federated FederatedService shop wanted '{spec: {ports: [{port: 80}]}}'
    put config allowed x
    soon 30 x field configmap allowed '{.data.k}'
    soon 30 RetrievalFailed word service wanted
    says '^Forbidden: services "wanted" is forbidden: User .* cannot get resource "services"' \
        cluster_word shop federatedservice wanted cluster1 message
    memberctl cluster1 create clusterrole services --verb='*' --resource=services
    memberctl cluster1 create clusterrolebinding services --clusterrole=services --serviceaccount=default:agent
    applied 90 service wanted
}
try "a right that is missing is named, and its coming noticed" case_forbidden

suite_end
