# kubectl.sh - the verbs of one kubectl, sourced by run.
#
#   kubectl_cases NAME          all of them, with KQ (kubectl with its server), NS and MINOR set; NAME begins the cases' names
#   kubectl_short_cases NAME    those in which releases of kubectl differ
#
# The federated kind is FederatedConfigMap; the scalable one a custom resource of our own.

# Objects of the cases.
map() { # map NAME VALUE [LABEL]
    cat <<YAML
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: $1, namespace: $NS, labels: {set: "${3:-none}"}}
spec:
  template: {data: {value: "$2"}}
  placement: {clusters: []}
YAML
}
with() { # with INPUT COMMAND...
    local input=$1
    shift
    "$@" <<<"$input"
}
kn() { k -n "$NS" "$@"; }
map_value() { kn get fcm "$1" -o 'jsonpath={.spec.template.data.value}'; }

kubectl_server() {
    says 'Server Version: (version.Info.*)?v?1' k version
    is ok k get --raw /healthz
    says '\[\+\]' k get --raw '/readyz?verbose'
}
kubectl_discovery() {
    says '^federatedconfigmaps +fcm +types.kubefed.io/v1beta1 +true +FederatedConfigMap' k api-resources
    says '^configmaps +cm +v1 +true +ConfigMap' k api-resources
    says '^types.kubefed.io/v1beta1$' k api-versions
    is "$(printf 'configmaps\nsecrets')" bash -c '"$@" | grep -E "^(configmaps|secrets)$" | sort' - "${KQ[@]}" api-resources \
        --namespaced --verbs=list -o name
}
# Whatever can be listed is listed, in one command.
kubectl_everything() {
    k get "$(k api-resources --verbs=list -o name | sort | paste -sd,)" -A
}
kubectl_create() {
    says 'configmap/a created' kn create configmap a --from-literal=k=v
    says 'secret/s created' kn create secret generic s --from-literal=k=v
    says 'federatedconfigmap.*/c created' with "$(map c 1)" k create -f -
    fails 1 'AlreadyExists' with "$(map c 1)" k create -f -
    is 'v' kn get cm a -o 'jsonpath={.data.k}'
    is 'dg==' kn get secret s -o 'jsonpath={.data.k}'
}
kubectl_refused() {
    fails 1 'unknown field "spec.zork"' with "$(map r 1 | sed 's/^spec:/spec:\n  zork: x/')" k create -f -
    fails 1 'The FederatedConfigMap "r" is invalid' with "$(map r 1 | sed 's/clusters: \[\]/clusters: [{}]/')" k create -f -
    fails 1 'NotFound' kn get cm nothing
    fails 1 "doesn't have a resource type" kn get nothings
    fails 1 'NotFound.*namespaces "no-such" not found|namespaces "no-such" not found' k -n no-such create configmap a
    fails 1 'not supported|415|the body of the request was in an unknown format' kn patch fcm c -p '{}'
}
kubectl_apply() {
    says 'created' with "$(map m 1)" k apply -f -
    says 'unchanged' with "$(map m 1)" k apply -f -
    fails 1 '^\+ +value: "2"' with "$(map m 2)" k diff -f -
    is "" with "$(map m 1)" k diff -f -
    says 'server dry run' with "$(map m 3)" k apply --dry-run=server -f -
    is 1 map_value m
    says 'configured' with "$(map m 2)" k apply -f -
    is "2 2" kn get fcm m -o 'jsonpath={.spec.template.data.value} {.metadata.generation}'
    says 'value: "2"' kn apply view-last-applied fcm m
}
kubectl_apply_core() { # strategic merge patches
    local map
    map=$(printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: strategic, namespace: %s}\ndata:\n  a: "1"\n' "$NS")
    says 'created' with "$map"$'\n  b: "1"' k apply -f -
    kn patch cm strategic --type=merge -p '{"data":{"c":"1"}}'
    says 'configured' with "$map" k apply -f -
    is '{"a":"1","c":"1"}' kn get cm strategic -o 'jsonpath={.data}'
}
kubectl_server_side() {
    says 'serverside-applied' with "$(map m 2)" k apply --server-side -f -
    is Apply kn get fcm m --show-managed-fields -o 'jsonpath={.metadata.managedFields[?(@.manager=="kubectl")].operation}'
    is "" kn get fcm m --show-managed-fields -o 'jsonpath={.metadata.managedFields[?(@.manager=="kubectl-client-side-apply")].operation}'
    says 'serverside-applied' with "$(map ssa 1)" k apply --server-side --field-manager=one -f -
    fails 1 'conflict with "one"' with "$(map ssa 2)" k apply --server-side --field-manager=two -f -
    says 'serverside-applied' with "$(map ssa 2)" k apply --server-side --field-manager=two --force-conflicts -f -
    fails 1 '^\+ +value: "3"' with "$(map ssa 3)" k diff --server-side --field-manager=two -f -
    is 2 map_value ssa
}
kubectl_get() {
    says '^NAME +.*AGE' kn get fcm
    says 'NAME +.*AGE' kn get fcm m -o wide
    says 'kind: FederatedConfigMap' kn get fcm m -o yaml
    says '"kind": "List"' kn get fcm -o json
    is 'NAME   VALUE
m      2' kn get fcm m -o custom-columns=NAME:.metadata.name,VALUE:.spec.template.data.value
    is federatedconfigmap.types.kubefed.io/m kn get fcm --field-selector metadata.name=m -o name
    says "^$NS +m " k get fcm -A
    says 'm .*set=none' kn get fcm --show-labels
    is "$(printf 'federatedconfigmap.types.kubefed.io/%s\n' c m ssa)" kn get fcm -l 'set in (none,other)' -o name
    is "$(printf 'federatedconfigmap.types.kubefed.io/%s\n' c m ssa)" kn get fcm --sort-by=.metadata.name -o name
    is "$(printf 'federatedconfigmap.types.kubefed.io/%s\n' c m ssa)" kn get fcm --chunk-size=2 -o name
    says 'federatedconfigmap.*/m' kn get federated
}
kubectl_watch() {
    local watch
    "${KQ[@]}" -n "$NS" get cm --field-selector metadata.name=seen -w --output-watch-events \
        -o 'custom-columns=EVENT:.type,NAME:.object.metadata.name,K:.object.data.k' >"$FLEET/logs/$NS.watch" 2>&1 &
    watch=$!
    kn create configmap marker
    # A watch from the list's revision may begin before or after this, and sees it in either case.
    kn create configmap seen --from-literal=k=1
    kn patch cm seen --type=merge -p '{"data":{"k":"2"}}'
    wait_for 10 "the patched object in the watch" grep -Eq '(ADDED|MODIFIED) +seen +2' "$FLEET/logs/$NS.watch"
    kn delete cm seen
    wait_for 10 "the deleted object in the watch" grep -Eq 'DELETED +seen +2' "$FLEET/logs/$NS.watch"
    kill "$watch"
}
kubectl_describe() {
    says '^Kind: +FederatedConfigMap' kn describe fcm m
    says '^Data' kn describe cm a
    says '^Status: +Active' k describe ns "$NS"
}
kubectl_explain() {
    says 'clusterSelector' k explain fcm.spec.placement
    says 'DESCRIPTION' k explain configmap.data
    says 'FIELD' k explain fcm --recursive
}
kubectl_edit() {
    says 'labeled' kn label cm a x=y
    says 'configmap/a' kn get cm -l x=y -o name
    says 'annotated?' kn annotate cm a n=1
    says 'patched' kn patch fcm c --type=merge -p '{"spec":{"template":{"data":{"value":"2"}}}}'
    says 'patched' kn patch fcm c --type=json -p '[{"op":"replace","path":"/spec/template/data/value","value":"3"}]'
    is 3 map_value c
    says 'patched' kn patch cm a -p '{"metadata":{"finalizers":null},"data":{"k":"w"}}'
    says 'replaced' with "$(map c 4)" k replace -f -
    printf '#!/bin/sh\nsed -i "s/value: .4./value: \\"5\\"/" "$1"\n' >"$FLEET/editor.$NS"
    chmod +x "$FLEET/editor.$NS"
    KUBE_EDITOR=$FLEET/editor.$NS says 'edited' kn edit fcm c
    is 5 map_value c
    says 'replaced' with "$(map c 6)" k replace --force -f -
    is "6 1" kn get fcm c -o 'jsonpath={.spec.template.data.value} {.metadata.generation}'
}
kubectl_wait() {
    says 'condition met' kn wait --for=jsonpath='{.metadata.generation}'=1 fcm/c --timeout=90s
    fails 1 'timed out' kn wait --for=condition=Nothing fcm/c --timeout=1s
    kn create configmap leaving >/dev/null
    kn wait --for=delete cm/leaving --timeout=90s >"$FLEET/logs/$NS.wait" 2>&1 &
    local waiting=$!
    kn delete cm leaving
    wait "$waiting"
}
kubectl_lists() {
    local folder=$FLEET/$NS.kustom
    mkdir -p "$folder"
    map k 1 pruned >"$folder/map.yaml"
    map l 1 pruned | sed 's/^/  /; 1s/^ /-/' | cat <(printf 'apiVersion: v1\nkind: List\nitems:\n') - >"$folder/list.yaml"
    printf 'resources: [map.yaml]\nnamePrefix: pre-\n' >"$folder/kustomization.yaml"
    says 'pre-k created' k apply -k "$folder"
    says 'l created' k apply -f "$folder/list.yaml"
    says '/pre-k pruned' k apply -f "$folder/list.yaml" --prune -l set=pruned \
        --prune-allowlist=types.kubefed.io/v1beta1/FederatedConfigMap
    lacks kn get fcm pre-k
    says 'l"? deleted' k delete -f "$folder/list.yaml"
}
kubectl_auth() {
    is yes kn auth can-i create fcm
    says '\*\.\*' kn auth can-i --list
    [ "$MINOR" -lt 28 ] || says 'system:masters' k auth whoami
}
kubectl_events() {
    says 'No events found|LAST SEEN' k events -A
    says 'No events found|LAST SEEN' kn events --for configmap/a
    k get events -A >/dev/null
}
kubectl_delete() {
    says 'deleted .*\(server dry run\)' kn delete fcm c --dry-run=server
    kn patch cm a --type=merge -p '{"metadata":{"finalizers":["clients.fedlet.io/hold"]}}'
    says 'deleted' kn delete cm a --wait=false
    says '^[0-9]' kn get cm a -o 'jsonpath={.metadata.deletionTimestamp}'
    kn patch cm a --type=json -p '[{"op":"remove","path":"/metadata/finalizers"}]'
    lacks kn get cm a
    says 'deleted' kn delete fcm c m --cascade=foreground
    says 'deleted' kn delete fcm ssa --cascade=orphan --now
    says 'deleted' kn delete secret --all
    is "" kn get fcm,secret -o name
}
# owned CHILD OWNER: a ConfigMap that belongs to another one.
owned() {
    kn create configmap "$1"
    kn patch cm "$1" --type=merge -p '{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"'"$2"'","uid":"'"$(
        kn get cm "$2" -o 'jsonpath={.metadata.uid}'
    )"'","blockOwnerDeletion":true}]}}'
}
kubectl_cascades() {
    local way
    for way in background foreground orphan; do
        kn create configmap "owner-$way"
        owned "child-$way" "owner-$way"
        says 'deleted' kn delete cm "owner-$way" "--cascade=$way" --timeout=90s
        lacks kn get cm "owner-$way"
    done
    gone 20 kn get cm child-background
    lacks kn get cm child-foreground
    is "" kn get cm child-orphan -o 'jsonpath={.metadata.ownerReferences}'
}
kubectl_scale() {
    says 'scaled' kn scale gizmo g --replicas=5
    is '5 Scale 5' bash -c 'printf "%s " "$("$@" get gizmo g -o "jsonpath={.spec.replicas}")" "$("$@" get --raw "$0" | sed "s/.*\"kind\": *\"Scale\".*/Scale/")"
        "$@" get gizmo g --subresource=scale -o "jsonpath={.spec.replicas}"' \
        "/apis/clients.fedlet.io/v1/namespaces/$NS/gizmos/g/scale" "${KQ[@]}" -n "$NS"
    fails 1 'Expected replicas|precondition' kn scale gizmo g --current-replicas=4 --replicas=6
}
kubectl_custom() {
    says 'created' with "$(printf 'apiVersion: clients.fedlet.io/v1\nkind: Gizmo\nmetadata: {name: g, namespace: %s}\nspec: {replicas: 2}' "$NS")" \
        k apply -f -
    says 'g +2 +blue' kn get gizmo
    says 'How many' k explain gizmo.spec.replicas
    kn patch gizmo g --type=merge --subresource=status -p '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
    says 'condition met' kn wait --for=condition=Ready gizmo/g --timeout=90s
    fails 1 'spec.replicas.*(Invalid|should be)' kn patch gizmo g --type=merge -p '{"spec":{"replicas":-1}}'
}
kubectl_namespace() {
    says 'deleted' k delete ns "$NS" --timeout=90s
    lacks k get ns "$NS"
    is "" kn get cm -o name
}

kubectl_short_cases() {
    k create ns "$NS" >/dev/null
    try "$1: version, health" kubectl_server
    try "$1: create" kubectl_create
    try "$1: apply, diff, dry run" kubectl_apply
    try "$1: server-side apply, conflicts, migration" kubectl_server_side
    try "$1: get --watch" kubectl_watch
    try "$1: explain" kubectl_explain
    try "$1: auth" kubectl_auth
    try "$1: delete a namespace" kubectl_namespace
}

kubectl_cases() {
    k create ns "$NS" >/dev/null
    try "$1: version, health" kubectl_server
    if k get --raw /api/v1/services >/dev/null 2>&1; then
        try "$1: cluster-info" says 'is running at' k cluster-info
    else
        skip "$1: cluster-info" "the server has no services"
    fi
    try "$1: discovery" kubectl_discovery
    try "$1: create" kubectl_create
    try "$1: refusals" kubectl_refused
    try "$1: apply, diff, dry run" kubectl_apply
    try "$1: apply of a core kind" kubectl_apply_core
    try "$1: server-side apply, conflicts, migration" kubectl_server_side
    try "$1: get in every form" kubectl_get
    try "$1: get of everything that can be listed" kubectl_everything
    try "$1: get --watch" kubectl_watch
    try "$1: describe" kubectl_describe
    try "$1: explain" kubectl_explain
    try "$1: label, annotate, patch, replace, edit" kubectl_edit
    try "$1: wait" kubectl_wait
    try "$1: lists, kustomize, prune" kubectl_lists
    try "$1: auth" kubectl_auth
    try "$1: events" kubectl_events
    if k get crd gizmos.clients.fedlet.io >/dev/null 2>&1; then
        try "$1: custom resource, status, wait" kubectl_custom
        try "$1: scale" kubectl_scale
    else
        skip "$1: custom resource, status, wait" "the server takes no CustomResourceDefinition"
        skip "$1: scale" "the server takes no CustomResourceDefinition"
    fi
    try "$1: delete, finalizers" kubectl_delete
    try "$1: delete cascades" kubectl_cascades
    try "$1: delete a namespace" kubectl_namespace
}
