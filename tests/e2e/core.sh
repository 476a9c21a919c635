#!/usr/bin/env bash
# core.sh - the kinds that every Kubernetes API server has, on the hub: kubectl's commands for them, garbage collection by owner
# references, events, and everything side by side with a real API server, CORE_PATCHES (60) random patches of CORE_SEED (1).
set -euo pipefail
source "$(dirname "$0")/suite.sh"
KUBECTL=("$KUBE" kubectl)
WORK=$FLEET/work
mkdir -p "$WORK"
k() { hubctl -n core "$@"; }

# ---- kubectl's own commands ----
absent() { lacks k get "$@"; }
case_create() {
    k create configmap made --from-literal=a=1 --from-literal=b=2
    k create secret generic made --from-literal=p=secret
    k create serviceaccount made
    k create role made --verb=get,list --resource=configmaps
    k create rolebinding made --role=made --user=somebody --group=some --serviceaccount=core:made
    hubctl create clusterrole core-made --verb=get --non-resource-url=/metrics
    hubctl create clusterrolebinding core-made --clusterrole=core-made --serviceaccount=core:made
    is "1 2" k get configmap made -o 'jsonpath={.data.a} {.data.b}'
    is c2VjcmV0 k get secret made -o 'jsonpath={.data.p}'
    is "Opaque" k get secret made -o 'jsonpath={.type}'
    is "rbac.authorization.k8s.io ServiceAccount" \
        k get rolebinding made -o 'jsonpath={.roleRef.apiGroup} {.subjects[2].kind}'
}
case_tables() {
    says '^made +2 +' k get configmap made --no-headers
    says '^made +Opaque +1 +' k get secret made --no-headers
    says '^made +0 +' k get serviceaccount made --no-headers
    says '^made +20[0-9-]+T[0-9:]+Z' k get role made --no-headers
    says '^made +Role/made +[0-9]+[smh].* somebody +some +core/made' k get rolebinding made -o wide --no-headers
    says '^core +Active +' hubctl get namespace core --no-headers
}
case_explain() {
    local what
    for what in configmap.data secret.stringData serviceaccount.secrets.name lease.spec.holderIdentity role.rules.verbs \
        rolebinding.roleRef namespace.status.conditions event.involvedObject; do
        says '^FIELDS?:' hubctl explain "$what"
    done
}
case_apply() {
    printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, labels: {set: x}}\ndata: {k: v}\n---\n' p1 p2 >"$WORK/two.yaml"
    printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p1, labels: {set: x}}\ndata: {k: w}\n' >"$WORK/one.yaml"
    k apply -f "$WORK/two.yaml"
    k apply --prune -l set=x --prune-allowlist=core/v1/ConfigMap -f "$WORK/one.yaml"
    is w k get configmap p1 -o 'jsonpath={.data.k}'
    absent configmap p2
    k apply --server-side --force-conflicts -f "$WORK/one.yaml"
    k delete configmap p1
}
case_applyset() {
    export KUBECTL_APPLYSET=true
    sed 's/set: x/in: set/' "$WORK/two.yaml" >"$WORK/set2.yaml"
    sed 's/set: x/in: set/' "$WORK/one.yaml" >"$WORK/set1.yaml"
    k apply --prune --applyset=configmaps/theset -f "$WORK/set2.yaml"
    k get configmap p1 p2
    k apply --prune --applyset=configmaps/theset -f "$WORK/set1.yaml"
    absent configmap p2
}
case_edit_patch() {
    k create configmap patched --from-literal=a=1
    k patch configmap patched -p '{"metadata":{"finalizers":["example.com/a","example.com/b"]}}'
    k patch configmap patched -p '{"metadata":{"$deleteFromPrimitiveList/finalizers":["example.com/a"]}}'
    is '["example.com/b"]' k get configmap patched -o 'jsonpath={.metadata.finalizers}'
    k patch configmap patched -p '{"metadata":{"finalizers":null},"data":{"$patch":"replace","z":"1"}}'
    is '{"z":"1"}' k get configmap patched -o 'jsonpath={.data}'
    k label configmap patched l=v
    k annotate configmap patched n=v
    k delete configmap patched
}
case_default_objects() {
    wait_for 10 "the default ServiceAccount" k get serviceaccount default
    wait_for 10 "the CA bundle" k get configmap kube-root-ca.crt
    says 'BEGIN CERTIFICATE' k get configmap kube-root-ca.crt -o 'jsonpath={.data.ca\.crt}'
    k delete serviceaccount default
    wait_for 10 "the default ServiceAccount again" k get serviceaccount default
}

# ---- owners ----
uid_of() { k get configmap "$1" -o 'jsonpath={.metadata.uid}'; }
# owned NAME OWNER[:UID]...: a ConfigMap that blocks its owners; the uid is the owner's unless given
owned() {
    local name=$1 refs="" owner uid
    shift
    for owner in "$@"; do
        uid=${owner#*:}
        [ "$uid" != "$owner" ] || uid=$(uid_of "$owner")
        refs="$refs{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"${owner%%:*}\",\"uid\":\"$uid\",\"blockOwnerDeletion\":true},"
    done
    printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"%s","ownerReferences":[%s]%s}}' "$name" "${refs%,}" \
        "${FINALIZERS:+,\"finalizers\":[\"$FINALIZERS\"]}" | k create -f -
}
case_background() {
    k create configmap owner
    owned one owner
    owned two one
    k delete configmap owner
    wait_for 10 "dependents of dependents are gone" absent configmap two
    absent configmap one
}
case_two_owners() {
    k create configmap a
    k create configmap b
    owned both a b
    k delete configmap a
    wait_for 10 "only the other owner is left" is b k get configmap both -o 'jsonpath={.metadata.ownerReferences[*].name}'
    k delete configmap b
    wait_for 10 "gone with its last owner" absent configmap both
}
case_orphan() {
    k create configmap owner
    owned kept owner
    k delete configmap owner --cascade=orphan
    wait_for 10 "the owner is gone" absent configmap owner
    is "" k get configmap kept -o 'jsonpath={.metadata.ownerReferences}'
    k delete configmap kept
}
case_foreground() {
    k create configmap owner
    FINALIZERS=example.com/held owned held owner
    k delete configmap owner --cascade=foreground --wait=false
    is foregroundDeletion k get configmap owner -o 'jsonpath={.metadata.finalizers[0]}'
    deleted() { [ -n "$(k get configmap held -o 'jsonpath={.metadata.deletionTimestamp}')" ]; }
    wait_for 10 "the dependent is being deleted" deleted
    hub_stop KILL
    hub_start
    k get configmap owner
    k patch configmap held --type=merge -p '{"metadata":{"finalizers":null}}'
    wait_for 10 "the owner goes after its dependent" absent configmap owner
    absent configmap held
}
case_circle() {
    k create configmap first
    FINALIZERS= owned second first
    k patch configmap first --type=merge -p "{\"metadata\":{\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"second\",
        \"uid\":\"$(uid_of second)\",\"blockOwnerDeletion\":true}]}}"
    k delete configmap first --cascade=foreground --wait=false
    wait_for 10 "a circle ends" absent configmap second
    wait_for 10 "a circle ends" absent configmap first
}
case_dangling() {
    k create configmap there
    owned lost nobody:00000000-0000-0000-0000-000000000000
    wait_for 10 "an object whose owner never was is gone" absent configmap lost
    owned lost there:00000000-0000-0000-0000-000000000000
    wait_for 10 "an object whose owner is another object of that name is gone" absent configmap lost
    hubctl -n default create configmap far
    owned lost "far:$(hubctl -n default get configmap far -o 'jsonpath={.metadata.uid}')"
    wait_for 10 "owners are of the same namespace" absent configmap lost
    printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kept","ownerReferences":[{"apiVersion":"unknown.example.com/v1",
        "kind":"Thing","name":"x","uid":"u"}]}}' | k create -f -
    owned after nobody:00000000-0000-0000-0000-000000000001
    wait_for 10 "the collector went on" absent configmap after
    k get configmap kept
    k delete configmap kept there
    hubctl -n default delete configmap far
}
case_while_down() { # what was to be collected when the hub ended is collected when it starts
    k create configmap owner
    owned left owner
    k delete configmap owner --wait=false
    hub_stop KILL
    hub_start
    wait_for 10 "collected after a kill" absent configmap left
}
case_namespace_hangs() {
    hubctl create namespace hangs
    printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"held","finalizers":["example.com/held"]}}' | hubctl -n hangs create -f -
    hubctl -n hangs create secret generic other
    hubctl delete namespace hangs --wait=false
    condition() { [ "$(hubctl get namespace hangs -o "jsonpath={.status.conditions[?(@.type==\"$1\")].status}")" = "$2" ]; }
    wait_for 10 "the namespace says what it waits for" condition NamespaceContentRemaining True
    condition NamespaceFinalizersRemaining True
    condition NamespaceDeletionContentFailure False
    says 'example.com/held in 1 resource instances' hubctl get namespace hangs -o 'jsonpath={.status.conditions[*].message}'
    hubctl -n hangs patch configmap held --type=merge -p '{"metadata":{"finalizers":null}}'
    wait_for 10 "the namespace goes" namespace_gone hangs
}
case_finalize() { # a namespace that hangs is let go by hand
    hubctl create namespace stuck
    printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"held","finalizers":["example.com/held"]}}' | hubctl -n stuck create -f -
    hubctl delete namespace stuck --wait=false
    printf '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"stuck"},"spec":{"finalizers":[]}}' |
        hubctl replace --raw /api/v1/namespaces/stuck/finalize -f -
    namespace_gone stuck
}
namespace_gone() { lacks hubctl get namespace "$1"; }

# ---- events of the federation ----
case_federation_events() {
    cat >"$WORK/fed.yaml" <<'YAML'
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: told, namespace: core}
spec:
  template: {data: {k: v}}
  placement: {clusters: [{name: nowhere}]}
  overrides: [{clusterName: nowhere, clusterOverrides: [{path: /no/such/path, op: remove}]}]
YAML
    cat >"$WORK/cluster.yaml" <<'YAML'
apiVersion: core.kubefed.io/v1beta1
kind: KubeFedCluster
metadata: {name: nowhere, namespace: kube-federation-system}
spec: {apiEndpoint: "https://nowhere.invalid", secretRef: {name: x}}
YAML
    hubctl apply -f "$WORK/cluster.yaml"
    wait_for 10 "a namespace is federated" hubctl -n core apply -f - <<'YAML'
apiVersion: types.kubefed.io/v1beta1
kind: FederatedNamespace
metadata: {name: core, namespace: core}
spec: {placement: {clusters: [{name: nowhere}]}}
YAML
    hubctl apply -f "$WORK/fed.yaml"
    wait_for 10 "an event says why it does not propagate" says nowhere \
        hubctl -n core get events --field-selector involvedObject.name=told,type=Warning -o 'jsonpath={.items[*].message}'
    says 'Warning +CreateInClusterFailed' hubctl -n core describe federatedconfigmap told
    says 'Warning +CreateInClusterFailed' hubctl -n core events --for federatedconfigmap/told
}

must "fedhub starts" hub_start
must "a namespace" hubctl create namespace core
try "kubectl create for each kind" case_create
try "tables" case_tables
try "kubectl explain" case_explain
try "apply, prune" case_apply
try "apply sets" case_applyset
try "strategic merge patches, labels, annotations" case_edit_patch
try "each namespace has its ServiceAccount and CA bundle" case_default_objects
try "owners: in the background" case_background
try "owners: the last one counts" case_two_owners
try "owners: orphans" case_orphan
try "owners: in the foreground, over a kill" case_foreground
try "owners: a circle" case_circle
try "owners: dangling references" case_dangling
try "owners: work that a kill interrupted" case_while_down
try "a namespace that hangs says why" case_namespace_hangs
try "a namespace's finalizers are taken by hand" case_finalize
try "events of the federation" case_federation_events
try "a real API server" member_up oracle
try "the table of core kinds is what the API server gives" \
    "$ROOT/hub/api/builtin/compile" --check --kubeconfig "$FLEET/oracle/kube/admin.kubeconfig"
try "core kinds side by side with it" python3 "$ROOT/tests/e2e/core_oracle.py" \
    --hub "$FLEET/hub/admin.kubeconfig" --kube "$FLEET/oracle/kube/admin.kubeconfig" --patches "${CORE_PATCHES:-60}" --seed "${CORE_SEED:-1}"
suite_end
