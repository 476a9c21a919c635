#!/usr/bin/env bash
# drift.sh - foreign changes against a real API server: each kind of change, what comes of it, and what the hub says (docs/drift.md).
set -euo pipefail
source "$(dirname "$0")/suite.sh"
export FLEET FEDLET_BIN=$BIN FEDLET_KUBE=$KUBE
HERE=$(dirname "$0")

config() { federated FederatedConfigMap shop "$1" "{data: {k: \"$2\"}}"; }
# Reported only. The annotation is one of the template's.
reported() { federated FederatedConfigMap shop "$1" "{metadata: {annotations: {fedlet.io/drift: report}}, data: {k: \"$2\"}}"; }
deployment() { # deployment NAME
    federated FederatedDeployment shop "$1" "{metadata: {labels: {app: $1}}, spec: {replicas: 2, selector: {matchLabels: {app: $1}}, template: {metadata: {labels: {app: $1}}, spec: {containers: [{name: main, image: \"nginx:1\"}]}}}}"
}
member() { memberctl cluster1 -n shop "$@"; }
field() { member get "$1" "$2" -o "jsonpath=$3"; }
set_value() { hubctl -n shop patch federatedconfigmap "$1" --type=merge -p "{\"spec\":{\"template\":{\"data\":{\"k\":\"$2\"}}}}"; }
word() { cluster_word shop "$1" "$2" cluster1 "$3"; } # word RESOURCE NAME FIELD
says_word() { says "$1" word "$2" "$3" "$4"; }
agent_log() { cat "$FLEET/logs/cluster1-agent.err"; }
logged() { agent_log | grep -cE -- "$1" || true; }
says_log() { says "$1" agent_log; }
other_than() { # other_than OLD COMMAND...: its output is there, and another
    local old=$1 now
    shift
    now=$("$@") && [ -n "$now" ] && [ "$now" != "$old" ]
}
cpu_ticks() { awk '{print $14 + $15}' "/proc/$(cat "$FLEET/cluster1.pid")/stat"; }

begin() {
    member_up cluster1
    hub_start --heartbeat-s 10
    join_cluster cluster1
    configs_write cluster1
    hubctl create namespace shop
    federated FederatedNamespace shop shop '{}' | hubctl apply -f -
    for name in plain owned label final moved hooked; do config $name one | hubctl apply -f -; done
    reported told one | hubctl apply -f -
    deployment web | hubctl apply -f -
    soon 30 one field configmap told '{.data.k}'
    soon 30 2 field deployment web '{.spec.replicas}'
    for name in plain owned label final moved hooked told; do soon 30 one field configmap $name '{.data.k}'; done
}

# ---- who, and what ----
case_named() {
    member scale deployment web --replicas=5
    soon 20 2 field deployment web '{.spec.replicas}'
    wait_for 5 'the culprit of replicas' says_log 'Deployment shop/web: spec.replicas is 5, not 2: set by "kubectl" \(scale\)'
    member set image deployment/web main=nginx:evil
    soon 20 nginx:1 field deployment web '{.spec.template.spec.containers[0].image}'
    wait_for 5 'the culprit of the image' says_log 'shop/web: spec.template.spec.containers\[main\].image is "nginx:evil", not "nginx:1": set by "kubectl-set"'
    member patch configmap plain --type=merge --field-manager=ana -p '{"data":{"k":"hers"}}'
    soon 20 one field configmap plain '{.data.k}'
    wait_for 5 'the culprit of data' says_log 'ConfigMap shop/plain: data.k is set by "ana"'
}
case_taken_away() {
    member patch configmap plain --type=json -p '[{"op":"remove","path":"/data/k"}]'
    soon 20 one field configmap plain '{.data.k}'
    wait_for 5 'what was taken away' says_log 'ConfigMap shop/plain: data.k was taken away; put back'
}
case_forced() {
    printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: owned, namespace: shop}\ndata: {k: rival}\n' |
        member apply --server-side --force-conflicts --field-manager=rival -f -
    soon 20 one field configmap owned '{.data.k}'
    wait_for 5 'the rival' says_log 'ConfigMap shop/owned: data.k is set by "rival"'
}
case_client_side() {
    printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: owned, namespace: shop}\ndata: {k: mine, more: m}\n' | member apply -f -
    soon 20 'one m' field configmap owned '{.data.k} {.data.more}'
    wait_for 5 'the client' says_log 'ConfigMap shop/owned: data.k is set by "kubectl-client-side-apply"'
    # What it left behind is not fought: it has no field of ours any more.
    is 1 logged 'ConfigMap shop/owned: .*kubectl-client-side-apply'
    soon 20 'True ' propagation shop federatedconfigmap owned
}
managers() { field "$1" "$2" '{.metadata.managedFields[*].manager}'; }
case_cleared() {
    member patch configmap owned --type=json -p '[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]'
    wait_for 20 'our entry again' says '(^| )fedlet( |$)' managers configmap owned
    is one field configmap owned '{.data.k}'
}
case_labels() {
    member label configmap label kubefed.io/managed-
    soon 20 true field configmap label '{.metadata.labels.kubefed\.io/managed}'
    member label configmap label kubefed.io/managed=maybe --overwrite
    soon 20 true field configmap label '{.metadata.labels.kubefed\.io/managed}'
    both_told() { [ "$(logged 'ConfigMap shop/label: metadata.labels\[kubefed.io/managed\] (was taken away|is set by "kubectl-label".*); put back')" -ge 2 ]; }
    wait_for 5 'both to be told' both_told
    # Who says false means it, as in KubeFed.
    member label configmap label kubefed.io/managed=false --overwrite
    soon 20 ManagedLabelFalse word federatedconfigmap label status
    member patch configmap label --type=merge -p '{"data":{"k":"mine"}}'
    member label configmap label kubefed.io/managed=true --overwrite
    soon 40 one field configmap label '{.data.k}'
    soon 20 'True ' propagation shop federatedconfigmap label
}
case_no_drift() {
    local before
    before=$(logged 'put back')
    member rollout restart deployment/web
    member patch deployment web --subresource=status --type=merge -p '{"status":{"observedGeneration":1}}'
    member patch configmap plain --type=merge -p '{"data":{"theirs":"y"},"metadata":{"annotations":{"note":"n"},"labels":{"mine":"m"}}}'
    member patch deployment web --type=merge -p '{"spec":{"minReadySeconds":3}}'
    # What comes later is seen later.
    set_value plain two
    soon 20 two field configmap plain '{.data.k}'
    [ -n "$(field deployment web '{.spec.template.metadata.annotations.kubectl\.kubernetes\.io/restartedAt}')" ]
    is '3 y n m' printf '%s %s' "$(field deployment web '{.spec.minReadySeconds}')" \
        "$(field configmap plain '{.data.theirs} {.metadata.annotations.note} {.metadata.labels.mine}')"
    is "$before" logged 'put back'
}

# ---- objects ----
case_finalizer() {
    local uid
    uid=$(field configmap final '{.metadata.uid}')
    member patch configmap final --type=merge -p '{"metadata":{"finalizers":["example.com/slow"]}}'
    member delete configmap final --wait=false
    soon 20 BeingDeleted word federatedconfigmap final status
    says_word 'it waits for example.com/slow' federatedconfigmap final message
    is '["example.com/slow"]' field configmap final '{.metadata.finalizers}'
    member patch configmap final --type=merge -p '{"metadata":{"finalizers":null}}'
    wait_for 20 'another object' other_than "$uid" field configmap final '{.metadata.uid}'
    soon 20 'True ' propagation shop federatedconfigmap final
}
replaced_by() { # replaced_by SED: by another object of that name, made with this expression, while the agent is away
    local uid
    uid=$(field configmap moved '{.metadata.uid}')
    agent_stop cluster1
    sed "$1" "$FLEET/moved.yaml" | member replace --force -f -
    wait_for 5 'another object' other_than "$uid" field configmap moved '{.metadata.uid}'
    is strange field configmap moved '{.data.k}'
    agent_start cluster1
    soon 40 'one true' field configmap moved '{.data.k} {.metadata.labels.kubefed\.io/managed}'
    soon 20 'True ' propagation shop federatedconfigmap moved
}
case_replaced() {
    printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: moved, namespace: shop}\ndata: {k: strange}\n' >"$FLEET/moved.yaml"
    # A stranger, without the label: adopted or refused as the hub says, by default adopted as in KubeFed.
    replaced_by ''
    # With the label it is one of ours.
    replaced_by 's/namespace: shop}/namespace: shop, labels: {kubefed.io\/managed: "true"}}/'
}
case_namespace() {
    local uid
    uid=$(memberctl cluster1 get namespace shop -o 'jsonpath={.metadata.uid}')
    memberctl cluster1 delete namespace shop --wait=false
    wait_for 60 'another namespace' other_than "$uid" memberctl cluster1 get namespace shop -o 'jsonpath={.metadata.uid}'
    for name in owned label final moved; do soon 60 one field configmap $name '{.data.k}'; done
    soon 60 2 field deployment web '{.spec.replicas}'
    soon 30 'True ' propagation shop federatedconfigmap owned
}

# ---- fights ----
case_contested() {
    local ticks corrections
    ticks=$(cpu_ticks)
    corrections=$(python3 "$HERE/flip.py" /api/v1/namespaces/shop/configmaps/plain '{"data":{"k":"theirs-%d"}}' kubectl-edit 30)
    ticks=$(($(cpu_ticks) - ticks))
    printf '%s corrections, %s ticks\n' "$corrections" "$ticks"
    [ "$corrections" -ge 3 ]
    [ "$corrections" -le 6 ]
    # A build with sanitizers takes ten times what a release does.
    [ "$ticks" -le 100 ]
    is Contested word federatedconfigmap plain status
    says_word '^data.k is set by "kubectl-edit".*; put back [56] times in [0-9]+ s, next try in [0-9]+ s$' federatedconfigmap plain message
    is 'False CheckClusters' propagation shop federatedconfigmap plain
    says 'shop/plain: Contested: data.k is set by "kubectl-edit"' "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state"
    # Nobody else's matter.
    is 'True ' propagation shop federatedconfigmap owned
}
case_autoscaler() {
    local corrections
    member autoscale deployment web --min=1 --max=9 --cpu-percent=50
    corrections=$(python3 "$HERE/flip.py" /apis/apps/v1/namespaces/shop/deployments/web/scale '{"spec":{"replicas":%d}}' kube-controller-manager 12 0.5)
    [ "$corrections" -le 6 ] || { printf '%s corrections\n' "$corrections"; return 1; }
    is Contested word federateddeployment web status
    says_word 'spec.replicas .*set by "kube-controller-manager" \(scale\)' federateddeployment web message
    # What is meant by an autoscaler is said so: then the replicas are the member's.
    hubctl -n shop patch federateddeployment web --type=merge -p '{"spec":{"retainReplicas":true}}'
    soon 30 'True ' propagation shop federateddeployment web
    member scale deployment web --replicas=7
    set_value owned later
    soon 20 later field configmap owned '{.data.k}'
    is 7 field deployment web '{.spec.replicas}'
    is 'True ' propagation shop federateddeployment web
}
case_fight_over() {
    soon 300 two field configmap plain '{.data.k}'
    soon 400 'True ' propagation shop federatedconfigmap plain
    says_log 'ConfigMap shop/plain: nobody changes it any more'
}
# A configuration counts, and ends to count, once the API server has read it.
mutated_to() { is "$1" member patch configmap hooked --type=merge -p '{"data":{"k":"probe"}}' --dry-run=server -o 'jsonpath={.data.k}'; }
# A webhook that changes what is applied, in the same request, is no foreign hand.
case_webhook() {
    local before
    webhook_start "$FLEET/webhook"
    webhooks "$FLEET/webhook" Mutating hooked.example.com "https://127.0.0.1:$(cat "$FLEET/webhook/port")/mutate" 10 >"$FLEET/webhook/configuration.yaml"
    memberctl cluster1 create -f "$FLEET/webhook/configuration.yaml"
    wait_for 20 'the webhook in force' mutated_to PROBE
    set_value hooked two
    soon 20 'TWO yes' field configmap hooked '{.data.k} {.data.extra}'
    before=$(logged 'put back')
    soon 20 'True ' propagation shop federatedconfigmap hooked
    for n in 1 2 3 4 5; do
        member label configmap hooked "n=$n" --overwrite
        soon 20 TWO field configmap hooked '{.data.k}'
    done
    is "$before" logged 'put back'
    memberctl cluster1 delete -f "$FLEET/webhook/configuration.yaml"
    wait_for 20 'no webhook' mutated_to probe
    set_value hooked three
    soon 20 three field configmap hooked '{.data.k}'
}

# ---- reported only ----
case_reported() {
    member patch configmap told --type=merge --field-manager=ana -p '{"data":{"k":"hers"}}'
    wait_for 20 'the change to be told' says_word '^Drifted: data.k is "hers", not "one": set by "ana" at [0-9TZ:-]+; left so' federatedconfigmap told message
    is '' word federatedconfigmap told status
    is 'True ' propagation shop federatedconfigmap told
    is hers field configmap told '{.data.k}'
    says 'shop/told: Drifted: data.k is "hers"' "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state"
    # Ends when it is put right. Nobody else owns the field then, so that is an apply of our own form.
    set_value told two
    soon 20 two field configmap told '{.data.k}'
    soon 20 '' word federatedconfigmap told message
    # Out of sight of the watch, and gone.
    member label configmap told kubefed.io/managed-
    wait_for 20 'the label to be told' says_word 'metadata.labels\[kubefed.io/managed\] is gone' federatedconfigmap told message
    member delete configmap told
    soon 60 Drifted word federatedconfigmap told status
    says_word '^deleted in the member; left so' federatedconfigmap told message
    lacks member get configmap told
    config told three | hubctl apply -f -
    hubctl -n shop patch federatedconfigmap told --type=merge -p '{"spec":{"template":{"metadata":{"annotations":null}}}}'
    soon 30 three field configmap told '{.data.k}'
    soon 20 'True ' propagation shop federatedconfigmap told
}

# ---- items of lists that cannot stand beside the template's ----
service() { federated FederatedService shop "$1" "{spec: {selector: {app: web}, ports: $2}}" | hubctl apply -f -; } # NAME PORTS
ports() { field service "$1" '{.spec.ports[*].port}'; }
container_ports() { field deployment listening '{.spec.template.spec.containers[*].ports[*].containerPort}'; }
# renumber RESOURCE NAME PATH PORT: as kubectl edit does it
renumber() { member patch "$1" "$2" --type=json --field-manager=kubectl-edit -p "[{\"op\":\"replace\",\"path\":\"$3\",\"value\":$4}]"; }
updaters() { field service "$1" '{.metadata.managedFields[?(@.operation=="Update")].manager}'; }
no_updater() { ! grep -qw fedlet <<<"$(updaters "$1")"; }
case_port_edited() {
    local n
    service door '[{name: p, port: 80}]'
    service bare '[{port: 80}]'
    federated FederatedDeployment shop listening '{spec: {selector: {matchLabels: {app: l}}, template: {metadata: {labels: {app: l}}, spec: {containers: [{name: main, image: "nginx:1", ports: [{name: http, containerPort: 80}]}]}}}}' | hubctl apply -f -
    soon 20 80 ports door
    soon 20 80 ports bare
    soon 20 80 container_ports
    for n in 86 87; do # each time
        renumber service door /spec/ports/0/port $n
        renumber service bare /spec/ports/0/port $n
        renumber deployment listening /spec/template/spec/containers/0/ports/0/containerPort $n
        soon 20 80 ports door
        soon 20 80 ports bare
        soon 20 80 container_ports
    done
    for n in service/door service/bare deployment/listening; do soon 20 'True ' propagation shop federated${n%/*} ${n#*/}; done
    wait_for 5 'the port to be told' says_log 'Service shop/door: spec.ports is .*, not .*: set by "kubectl-edit" at .*; put back'
    wait_for 5 'the list to be told' says_log 'Service shop/door: spec.ports is set whole: .*Duplicate value: "p"'
    wait_for 5 'what that leaves to go' no_updater door
}
case_port_shared() {
    printf 'apiVersion: v1\nkind: Service\nmetadata: {name: door, namespace: shop}\nspec: {ports: [{name: p, port: 80, protocol: TCP}]}\n' |
        member apply --server-side --field-manager=rival -f -
    service door '[{name: p, port: 81}, {name: q, port: 90}]'
    soon 20 '81 90' ports door
    soon 20 'True ' propagation shop federatedservice door
    wait_for 5 'what that leaves to go' no_updater door
    # Nobody keeps what leaves the template.
    service door '[{name: q, port: 90}]'
    soon 20 90 ports door
}
# Left in the member, where the API server has an entry of somebody else instead of ours, and federated again.
case_port_left() {
    member annotate service door note=n
    hubctl -n shop annotate federatedservice door kubefed.io/orphan=true
    hubctl -n shop delete federatedservice door
    soon 20 ' 90' field service door '{.metadata.labels.kubefed\.io/managed} {.spec.ports[*].port}'
    service door '[{name: q, port: 91}]'
    soon 20 91 ports door
    soon 20 'True ' propagation shop federatedservice door
    is n field service door '{.metadata.annotations.note}'
}
# What the server chose is in the way of the template's.
case_default_in_the_way() {
    soon 20 RollingUpdate field deployment listening '{.spec.strategy.type}'
    hubctl -n shop patch federateddeployment listening --type=merge -p '{"spec":{"template":{"spec":{"strategy":{"type":"Recreate"}}}}}'
    soon 20 Recreate field deployment listening '{.spec.strategy.type}'
    soon 20 'True ' propagation shop federateddeployment listening
    # Nothing of ours stays that the template gives up, nor what a patch of ours had left when something else came.
    member patch deployment listening --type=merge --field-manager=fedlet -p '{"spec":{"minReadySeconds":7}}'
    hubctl -n shop patch federateddeployment listening --type=merge -p '{"spec":{"template":{"spec":{"strategy":null}}}}'
    soon 20 'RollingUpdate ' field deployment listening '{.spec.strategy.type} {.spec.minReadySeconds}'
}
case_port_wrong() {
    service door '[{name: q, port: 91}, {name: q, port: 92}]'
    soon 20 UpdateFailed word federatedservice door status
    says_word '^Invalid: Service "door" is invalid: spec.ports\[1\].name: Duplicate value: "q"' federatedservice door message
    is 91 ports door
    service door '[{name: q, port: 93}]'
    soon 20 93 ports door
    soon 20 'True ' propagation shop federatedservice door
}

# ---- kinds, and the API server itself ----
case_kind() {
    example_crd widgets Widget | memberctl cluster1 create -f -
    established memberctl cluster1 widgets.example.com
    example_crd widgets Widget | hubctl create -f -
    fedctl enable widgets.example.com
    wait_for 20 'the federated kind' hubctl get federatedwidgets -A
    federated FederatedWidget shop w '{spec: {size: 1}}' | hubctl apply -f -
    soon 60 1 field widget w '{.spec.size}'
    memberctl cluster1 delete crd widgets.example.com
    wait_for 60 'the hub to hear that it is gone' other_than 'True ' propagation shop federatedwidget w
    example_crd widgets Widget | memberctl cluster1 create -f -
    soon 90 1 field widget w '{.spec.size}'
    soon 20 'True ' propagation shop federatedwidget w
    member patch widget w --type=merge -p '{"spec":{"size":9}}'
    soon 20 1 field widget w '{.spec.size}'
}
case_restarts() {
    local n before
    before=$(logged 'ConfigMap shop/owned: deleted in the member')
    set_value owned later
    soon 20 later field configmap owned '{.data.k}'
    for n in 1 2 3; do
        "$KUBE" stop --dir "$FLEET/cluster1/kube" apiserver --kill
        "$KUBE" start --dir "$FLEET/cluster1/kube" apiserver
        member patch configmap owned --type=merge -p "{\"data\":{\"k\":\"after-$n\"}}"
        soon 180 later field configmap owned '{.data.k}'
    done
    is "$before" logged 'ConfigMap shop/owned: deleted in the member'
}
# The member's etcd from a backup: what the agent knew by later versions must not blind it.
case_restored() {
    local kube=$FLEET/cluster1/kube n
    "$KUBE" stop --dir "$kube" all
    cp -a "$kube/etcd" "$FLEET/etcd.backup"
    "$KUBE" start --dir "$kube" all
    for n in $(seq 40); do memberctl cluster1 create configmap "noise-$n" --from-literal=n=$n >/dev/null; done
    set_value owned newest
    soon 30 newest field configmap owned '{.data.k}'
    "$KUBE" stop --dir "$kube" all
    rm -rf "$kube/etcd"
    mv "$FLEET/etcd.backup" "$kube/etcd"
    "$KUBE" start --dir "$kube" all
    # A watch from a version that is not there yet stays silent; the list of one kind tells.
    soon 180 newest field configmap owned '{.data.k}'
    member patch configmap owned --type=merge -p '{"data":{"k":"foreign"}}'
    soon 30 newest field configmap owned '{.data.k}'
    says_log 'configmaps: the API server.s data were set back'
}

must "a member, a hub, an agent and its works" begin
try "who changed what is told, and put back" case_named
try "a field that was taken away" case_taken_away
try "ownership taken by force" case_forced
try "kubectl apply of a client" case_client_side
try "managedFields cleared" case_cleared
try "the label: removed, changed, false" case_labels
try "restarts, status and fields of others are no drift" case_no_drift
try "a finalizer that hangs" case_finalizer
try "an object of the same name that is another" case_replaced
try "a webhook that changes what is applied" case_webhook
try "reported only" case_reported
try "a port that is renumbered is put back, each time" case_port_edited
try "a port that somebody else keeps gives way to the template's" case_port_shared
try "a port that was left gives way when its service is federated again" case_port_left
try "a default gives way to the template's" case_default_in_the_way
try "ports that are wrong in the template stay as they are" case_port_wrong
try "a namespace that is deleted comes back with all that is in it" case_namespace
try "a fight: at most six corrections in 30 s, and the culprit is named" case_contested
try "an autoscaler is named, and may have the replicas" case_autoscaler
try "a kind that is deleted and comes back" case_kind
try "API server restarts" case_restarts
try "the fight is over when the other stops" case_fight_over
try "the member's etcd restored from a backup" case_restored
try "no sanitizer report" no_sanitizer_report
suite_end
