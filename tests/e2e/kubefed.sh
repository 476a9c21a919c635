#!/usr/bin/env bash
# kubefed.sh - KubeFed's users bring their manifests: its definitions, types, configuration and samples as it publishes them, and
# the life of a type of their own, against a real member. Prints TAP.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
MODULE=sigs.k8s.io/kubefed@v0.10.0
MODULE_SUM=h1:CjsCeK++ytUpWV2IxUuoLpPHP+/5NJ4bIkGhZyL+ff8=
SYSTEM=kube-federation-system
WORK=$FLEET/work
mkdir -p "$WORK"

# KubeFed's own files, from its Go module; nothing of them is kept here.
kubefed_fetch() {
    local answer
    command -v go >/dev/null || { echo "Go is not installed"; return 1; }
    answer=$(cd / && GOFLAGS=-mod=mod go mod download -json "$MODULE" 2>/dev/null) || { echo "$MODULE cannot be had"; return 1; }
    KUBEFED=$(sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p' <<<"$answer")
    [ "$(sed -n 's/^\t"Sum": "\(.*\)",*$/\1/p' <<<"$answer")" = "$MODULE_SUM" ] || die "$MODULE: another checksum"
    CRDS=("$KUBEFED/charts/kubefed/crds/crds.yaml" "$KUBEFED/charts/kubefed/charts/controllermanager/crds/crds.yaml")
    TYPES=$KUBEFED/charts/kubefed/templates/federatedtypeconfig.yaml
}

# denied KINDS MESSAGE COMMAND...: as KubeFed's webhook says it, whole.
denied() {
    local kinds=$1 message=$2 out
    shift 2
    out=$("$@" 2>&1) && { printf 'not refused: %s\n%s\n' "$*" "$out"; return 1; }
    grep -qF "admission webhook \"$kinds.core.kubefed.io\" denied the request: $message" <<<"$out" ||
        { printf '%s\nwanted: %s\n' "$out" "$message"; return 1; }
}

# ---- definitions, types and samples as published ----
crds_applied() { # crds_applied FLAGS...: both files, twice
    for _ in 1 2; do
        for file in "${CRDS[@]}"; do
            hubctl apply "$@" -f "$file" 2>&1 || echo "error: exit code $?"
        done
    done >"$WORK/apply.out"
    cat "$WORK/apply.out"
    if grep -qiE 'error|forbidden|conflict' "$WORK/apply.out"; then return 1; fi
    hubctl wait --for=condition=Established --timeout=90s crd/kubefedclusters.core.kubefed.io \
        crd/federateddeployments.types.kubefed.io crd/replicaschedulingpreferences.scheduling.kubefed.io
}
crds_client_side() {
    crds_applied
    grep -q 'Warning: kubefedclusters.core.kubefed.io: kept as the hub itself needs it: .*spec does not require "secretRef"' "$WORK/apply.out"
    grep -q 'spec does not require "apiEndpoint"' "$WORK/apply.out"
}
crds_completed() {
    # What is given stays; what the hub needs besides is there.
    is age hubctl get crd kubefedclusters.core.kubefed.io -o 'jsonpath={.spec.versions[0].additionalPrinterColumns[0].name}'
    is 'v1beta1 v1alpha2' hubctl get crd federateddeployments.types.kubefed.io -o 'jsonpath={.spec.versions[*].name}'
    says 'string' hubctl get crd federateddeployments.types.kubefed.io \
        -o 'jsonpath={.spec.versions[0].schema.openAPIV3Schema.properties.status.properties.clusters.items.properties.message.type}'
    is 'boolean' hubctl get crd federateddeployments.types.kubefed.io \
        -o 'jsonpath={.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.retainReplicas.type}'
}
crds_after_restart() {
    local before
    before=$(hubctl get crd federatedsecrets.types.kubefed.io kubefedclusters.core.kubefed.io -o 'jsonpath={.items[*].metadata.generation}')
    hub_stop
    hub_start
    is "$before" hubctl get crd federatedsecrets.types.kubefed.io kubefedclusters.core.kubefed.io -o 'jsonpath={.items[*].metadata.generation}'
}
conflicts() {
    local crd=crd/federatedsecrets.types.kubefed.io at='/spec/versions/0'
    fails 1 'needs this definition: version v1beta1 is stored otherwise' hubctl patch $crd --type=json \
        -p "[{\"op\":\"replace\",\"path\":\"$at/storage\",\"value\":false},{\"op\":\"replace\",\"path\":\"/spec/versions/1/storage\",\"value\":true}]"
    fails 1 'needs this definition: version v1beta1.spec.template has another type' hubctl patch $crd --type=json \
        -p "[{\"op\":\"replace\",\"path\":\"$at/schema/openAPIV3Schema/properties/spec/properties/template\",\"value\":{\"type\":\"string\"}}]"
    says 'Warning: .*version v1beta1 is served' hubctl patch $crd --type=json -p "[{\"op\":\"replace\",\"path\":\"$at/served\",\"value\":false}]"
    is true hubctl get $crd -o 'jsonpath={.spec.versions[0].served}'
}
types_applied() {
    hubctl -n $SYSTEM apply -f "$TYPES"
    hubctl -n $SYSTEM apply --server-side --field-manager=other -f "$TYPES"
    is 'Running' hubctl -n $SYSTEM get federatedtypeconfig deployments.apps -o 'jsonpath={.status.propagationController}'
    is 'core.kubefed.io/federated-type-config' hubctl -n $SYSTEM get ftc configmaps -o 'jsonpath={.metadata.finalizers[*]}'
}
samples_applied() {
    hubctl apply -f "$KUBEFED/example/sample1/namespace.yaml"
    hubctl apply -f "$KUBEFED/example/sample1/federatednamespace.yaml"
    for file in "$KUBEFED"/example/sample1/federated*.yaml; do
        case $file in *rolebinding.yaml) continue ;; esac
        hubctl apply -f "$file"
        hubctl apply --server-side --force-conflicts -f "$file"
    done
    hubctl apply -f "$KUBEFED/example/scheduling/federateddeployment-rsp.yaml"
    says 10 hubctl -n test-namespace get rsp test-deployment -o 'jsonpath={.spec.totalReplicas}'
}
role_binding_type() {
    hubctl apply -f - <<YAML
apiVersion: core.kubefed.io/v1beta1
kind: FederatedTypeConfig
metadata: {name: clusterrolebindings.rbac.authorization.k8s.io, namespace: $SYSTEM}
spec:
  propagation: Enabled
  targetType: {kind: ClusterRoleBinding, version: v1, scope: Cluster}
  federatedType: {group: types.kubefed.io, version: v1beta1, kind: FederatedClusterRoleBinding, scope: Cluster}
YAML
    hubctl wait --for=condition=Established --timeout=90s crd/federatedclusterrolebindings.types.kubefed.io
    is clusterrolebindings hubctl -n $SYSTEM get ftc clusterrolebindings.rbac.authorization.k8s.io -o 'jsonpath={.spec.targetType.pluralName}'
    hubctl apply -f "$KUBEFED/example/sample1/federatedclusterrolebinding.yaml"
}

# ---- admission, as the webhook was seen to answer ----
cluster() { # cluster SPEC as JSON
    printf '{"apiVersion":"core.kubefed.io/v1beta1","kind":"KubeFedCluster","metadata":{"name":"bad","namespace":"%s"}%s}' $SYSTEM "${1:+,\"spec\":$1}" |
        hubctl create -f -
}
admission_clusters() {
    denied kubefedclusters 'spec.apiEndpoint: Required value' cluster '{"apiEndpoint":"","secretRef":{"name":"x"}}'
    denied kubefedclusters 'spec.apiEndpoint: Unsupported value: "tcp": supported values: "http", "https"' \
        cluster '{"apiEndpoint":"tcp://x","secretRef":{"name":"x"}}'
    denied kubefedclusters 'spec.disabledTLSValidations: Invalid value: []v1beta1.TLSValidation{"*", "SubjectName"}: when * is specified, it is expected to be the only option in list' \
        cluster '{"apiEndpoint":"https://x","secretRef":{"name":"x"},"disabledTLSValidations":["*","SubjectName"]}'
    denied kubefedclusters 'spec.proxyURL: Invalid value: "ftp://p": proxy URL scheme must be one of: [http, https, socks5]' \
        cluster '{"apiEndpoint":"https://x","secretRef":{"name":"x"},"proxyURL":"ftp://p"}'
    fails 1 'KubeFedCluster.core.kubefed.io "bad" is invalid: spec: Required value|spec: Required value' cluster ''
    cluster '{}' # its agent may come
    hubctl -n $SYSTEM delete kubefedcluster bad
}
patch_of() { # patch_of KIND NAME SPEC
    hubctl -n $SYSTEM patch "$1" "$2" --type=merge -p "{\"spec\":$3}"
}
admission_configs() {
    denied kubefedconfigs 'spec.scope: Invalid value: "Namespaced": field is immutable' patch_of kubefedconfig kubefed '{"scope":"Namespaced"}'
    denied kubefedconfigs 'spec.leaderElect.leaseDuration: Invalid value: v1.Duration{Duration:1000000000}: leaseDuration must be greater than renewDeadline' \
        patch_of kubefedconfig kubefed '{"leaderElect":{"leaseDuration":"1s"}}'
    denied kubefedconfigs 'spec.featureGates.name: Unsupported value: "Foo": supported values: "PushReconciler", "RawResourceStatusCollection", "SchedulerPreferences"' \
        patch_of kubefedconfig kubefed '{"featureGates":[{"name":"Foo","configuration":"Enabled"}]}'
    denied kubefedconfigs 'spec.clusterHealthCheck.failureThreshold: Invalid value: 0: should be greater than 0' \
        patch_of kubefedconfig kubefed '{"clusterHealthCheck":{"failureThreshold":0}}'
    denied kubefedconfigs 'spec.syncController.adoptResources: Unsupported value: "Maybe": supported values: "Enabled", "Disabled"' \
        patch_of kubefedconfig kubefed '{"syncController":{"adoptResources":"Maybe"}}'
}
admission_types() {
    denied federatedtypeconfigs 'spec.propagation: Unsupported value: "On": supported values: "Enabled", "Disabled"' patch_of ftc deployments.apps '{"propagation":"On"}'
    denied federatedtypeconfigs 'spec.federatedType.group: Invalid value: "types": should be a domain with at least one dot' \
        patch_of ftc deployments.apps '{"federatedType":{"group":"types"}}'
    denied federatedtypeconfigs 'spec.targetType.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"' \
        patch_of ftc deployments.apps '{"targetType":{"scope":"Galaxy"}}'
    denied federatedtypeconfigs 'spec.targetType.kind: Required value' patch_of ftc deployments.apps '{"targetType":{"kind":""}}'
    denied federatedtypeconfigs "name: Invalid value: \"wrongname\": name must be 'TARGET_PLURAL_NAME(.TARGET_GROUP_NAME)'" \
        hubctl create -f <(hubctl -n $SYSTEM get ftc deployments.apps -o yaml | sed 's/^  name: .*/  name: wrongname/; /resourceVersion/d; /uid/d')
    denied federatedtypeconfigs 'status.propagationController: Unsupported value: "Walking": supported values: "Running", "NotRunning"' \
        hubctl -n $SYSTEM patch ftc deployments.apps --subresource=status --type=merge -p '{"status":{"propagationController":"Walking"}}'
}
collects_status() {
    patch_of ftc services '{"statusCollection":"Enabled","statusType":{"group":"core.kubefed.io","version":"v1alpha1","kind":"FederatedServiceStatus","pluralName":"federatedservicestatuses","scope":"Namespaced"}}'
    says 'Running Running' controller_of services
    hubctl -n $SYSTEM patch kubefedconfig kubefed --type=merge -p '{"spec":{"featureGates":[{"name":"RawResourceStatusCollection","configuration":"Enabled"}]}}'
    says 'Running NotRunning' controller_of services
    hubctl -n $SYSTEM patch kubefedconfig kubefed --type=merge -p '{"spec":{"featureGates":[]}}'
    says 'Running Running' controller_of services
    patch_of ftc services '{"statusCollection":null,"statusType":null}'
    says 'Running NotRunning' controller_of services
}
default_config() {
    is '{"clusterHealthCheck":{"failureThreshold":3,"period":"10s","successThreshold":1,"timeout":"3s"},"controllerDuration":{"availableDelay":"20s","cacheSyncTimeout":"5m0s","unavailableDelay":"1m0s"},"featureGates":[{"configuration":"Enabled","name":"PushReconciler"},{"configuration":"Disabled","name":"RawResourceStatusCollection"},{"configuration":"Enabled","name":"SchedulerPreferences"}],"leaderElect":{"leaseDuration":"15s","renewDeadline":"10s","resourceLock":"configmaps","retryPeriod":"5s"},"scope":"Cluster","statusController":{"maxConcurrentReconciles":1},"syncController":{"adoptResources":"Enabled","maxConcurrentReconciles":1}}' \
        sorted_config
}
sorted_config() { hubctl -n $SYSTEM get kubefedconfig kubefed -o json | python3 -c 'import json,sys; print(json.dumps(json.load(sys.stdin)["spec"],sort_keys=True,separators=(",",":")))'; }
config_applied() {
    # It has a field of older versions, which is pruned.
    hubctl apply --validate=false -f "$KUBEFED/example/config/kubefedconfig.yaml"
    is 1m0s hubctl -n $SYSTEM get kubefedconfig kubefed -o 'jsonpath={.spec.controllerDuration.unavailableDelay}'
    hubctl -n $SYSTEM patch kubefedconfig kubefed --type=merge -p '{"spec":{"controllerDuration":{"availableDelay":"90s"},"featureGates":[]}}'
    is '1m30s' hubctl -n $SYSTEM get kubefedconfig kubefed -o 'jsonpath={.spec.controllerDuration.availableDelay}'
    is 'PushReconciler RawResourceStatusCollection SchedulerPreferences' hubctl -n $SYSTEM get kubefedconfig kubefed -o 'jsonpath={.spec.featureGates[*].name}'
}

# ---- warnings ----
warnings() {
    cat >"$WORK/bad.yaml" <<'YAML'
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: warned, namespace: nowhere}
spec:
  template: {metadata: {annotations: {a: b}}, data: {k: v}}
  placement: {clusterSelector: {matchExpressions: [{key: a, operator: Near}]}}
  overrides:
  - {clusterName: nobody, clusterOverrides: [{path: /data/x/y, value: 1}]}
YAML
    hubctl create namespace nowhere
    hubctl apply -f "$WORK/bad.yaml" 2>&1 | tee "$WORK/warned"
    for field in 'metadata.namespace: "nowhere" is not federated' 'matchExpressions\[0\].operator: "Near"' \
        'spec.template.metadata.annotations: is not propagated' 'spec.overrides\[0\].clusterName: no cluster "nobody"' \
        'spec.overrides\[0\].clusterOverrides\[0\].path: replace operation does not apply: doc is missing path: /data/x/y'; do
        grep -q "^Warning: .*$field" "$WORK/warned" || { echo "no warning: $field"; return 1; }
    done
    says 'Warning: spec.placement: neither clusters nor clusterSelector' hubctl -n nowhere patch federatedconfigmap warned --type=merge -p '{"spec":{"placement":null}}'
    says 'Warning: spec.overrides.1..clusterName: "nobody" stands twice' hubctl apply --server-side --force-conflicts \
        -f <(sed '$p' "$WORK/bad.yaml")
    says 'Warning: metadata.name: a FederatedNamespace' hubctl apply -f - <<'YAML'
apiVersion: types.kubefed.io/v1beta1
kind: FederatedNamespace
metadata: {name: other, namespace: nowhere}
spec: {placement: {clusterSelector: {}}}
YAML
    hubctl delete namespace nowhere
}

# ---- a type of one's own ----
# What kubefedctl enable writes, by hand: the definition first, and then the type.
enable() { # enable PLURAL KIND SCOPE
    cat >"$WORK/$1.yaml" <<YAML
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: federated$1.types.kubefed.io}
spec:
  group: types.kubefed.io
  scope: $3
  names: {plural: federated$1, singular: federated${1%s}, kind: Federated$2, listKind: Federated$2List}
  versions:
  - name: v1beta1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            properties:
              template: {type: object, x-kubernetes-preserve-unknown-fields: true}
              placement:
                type: object
                properties:
                  clusters: {type: array, items: {type: object, required: [name], properties: {name: {type: string}}}}
                  clusterSelector: {type: object, properties: {matchLabels: {type: object, additionalProperties: {type: string}}}}
---
apiVersion: core.kubefed.io/v1beta1
kind: FederatedTypeConfig
metadata: {name: $1.example.com, namespace: $SYSTEM}
spec:
  propagation: Enabled
  targetType: {group: example.com, version: v1, kind: $2, pluralName: $1, scope: $3}
  federatedType: {group: types.kubefed.io, version: v1beta1, kind: Federated$2, pluralName: federated$1, scope: $3}
YAML
    hubctl apply -f "$WORK/$1.yaml"
    hubctl wait --for=condition=Established --timeout=90s "crd/federated$1.types.kubefed.io"
    is Running hubctl -n $SYSTEM get ftc "$1.example.com" -o 'jsonpath={.status.propagationController}'
    # It is the user's, and has what the hub needs.
    says array hubctl get crd "federated$1.types.kubefed.io" -o 'jsonpath={.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.overrides.type}'
}
put() { # put PLURAL KIND NAMESPACE NAME SIZE
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: Federated%s\nmetadata: {name: %s%s}\nspec: {template: {spec: {size: %s}}, placement: {clusters: [{name: cluster1}]}}\n' \
        "$2" "$4" "${3:+, namespace: $3}" "$5" | hubctl apply -f -
}
size_of() { # size_of RESOURCE NAME [NAMESPACE]
    memberctl cluster1 ${3:+-n "$3"} get "$1" "$2" -o 'jsonpath={.spec.size}'
}
version_of() { memberctl cluster1 ${3:+-n "$3"} get "$1" "$2" -o 'jsonpath={.metadata.uid} {.metadata.resourceVersion} {.metadata.labels}'; }
controller_of() { hubctl -n $SYSTEM get ftc "$1" -o 'jsonpath={.status.observedGeneration} {.status.propagationController} {.status.statusController}'; }
join_member() {
    members_up cluster1
    join_cluster cluster1
    example_crd widgets Widget Namespaced v1 "{size: {type: integer}}" | memberctl cluster1 apply -f -
    example_crd gadgets Gadget Cluster v1 "{size: {type: integer}}" | memberctl cluster1 apply -f -
    # Not `kubectl wait`, which gives up on a definition that has no conditions yet, and is content before it is served.
    wait_for 60 'both definitions' memberctl cluster1 get widgets,gadgets -A
    hubctl create namespace shop
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedNamespace\nmetadata: {name: shop, namespace: shop}\nspec: {placement: {clusterSelector: {}}}\n' | hubctl apply -f -
}
enabled() {
    enable widgets Widget Namespaced
    enable gadgets Gadget Cluster
    put widgets Widget shop w 1
    put gadgets Gadget '' g 1
    soon 30 1 size_of widgets w shop
    soon 30 1 size_of gadgets g
}
# settled: whatever was sent before has arrived: a ConfigMap that is sent last is there.
settled() {
    local name
    name=mark-$(now_ms)
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedClusterRole\nmetadata: {name: %s}\nspec: {template: {rules: []}, placement: {clusterSelector: {}}}\n' "$name" | hubctl apply -f -
    wait_for 30 "a mark in the member" memberctl cluster1 get clusterrole "$name"
}
stopped_and_kept() { # stopped_and_kept RESOURCE NAME NAMESPACE PLURAL KIND: while it is stopped
    local before
    before=$(version_of "$1" "$2" "$3")
    put "$4" "$5" "$3" "$2" 7
    [ "${6:-}" = no-mark ] || settled
    is "$before" version_of "$1" "$2" "$3"
}
disabled() {
    patch_of ftc widgets.example.com '{"propagation":"Disabled"}'
    is '2 NotRunning NotRunning' controller_of widgets.example.com
    stopped_and_kept widgets w shop widgets Widget
    # Drift stays, across restarts of both.
    memberctl cluster1 -n shop patch widget w --type=merge -p '{"spec":{"size":99}}'
    hub_stop
    hub_start
    agent_stop cluster1
    agent_start cluster1
    soon 60 True ready_word cluster1
    settled
    is 99 size_of widgets w shop
    patch_of ftc widgets.example.com '{"propagation":"Enabled"}'
    is '3 Running NotRunning' controller_of widgets.example.com
    soon 30 7 size_of widgets w shop
}
type_deleted() {
    local before
    before=$(version_of gadgets g)
    hubctl -n $SYSTEM delete ftc gadgets.example.com --timeout=90s
    settled
    is "$before" version_of gadgets g
    says Gadget hubctl get federatedgadget g -o 'jsonpath={.kind}'
    hub_stop
    hub_start
    soon 60 True ready_word cluster1
    settled
    is "$before" version_of gadgets g
    stopped_and_kept gadgets g '' gadgets Gadget
    hubctl apply -f "$WORK/gadgets.yaml"
    soon 30 7 size_of gadgets g
}
namespaces_deleted() {
    local before
    hubctl -n $SYSTEM get ftc namespaces -o yaml | sed '/resourceVersion/d; /uid:/d; /creationTimestamp/d' >"$WORK/namespaces.yaml"
    before=$(memberctl cluster1 get namespace shop -o 'jsonpath={.metadata.uid} {.metadata.resourceVersion}')
    hubctl -n $SYSTEM delete ftc namespaces --timeout=90s
    is '3 NotRunning NotRunning' controller_of widgets.example.com
    says ' Running NotRunning' controller_of gadgets.example.com
    put widgets Widget shop w 8
    settled
    is 7 size_of widgets w shop
    is "$before" memberctl cluster1 get namespace shop -o 'jsonpath={.metadata.uid} {.metadata.resourceVersion}'
    hubctl apply -f "$WORK/namespaces.yaml"
    says ' Running ' controller_of widgets.example.com
    soon 30 8 size_of widgets w shop
}
push_off() {
    hubctl -n $SYSTEM patch kubefedconfig kubefed --type=merge -p '{"spec":{"featureGates":[{"name":"PushReconciler","configuration":"Disabled"}]}}'
    says ' NotRunning ' controller_of gadgets.example.com
    local before
    before=$(version_of widgets w shop)
    put widgets Widget shop w 9
    put gadgets Gadget '' g 9
    hubctl -n $SYSTEM patch kubefedconfig kubefed --type=merge -p '{"spec":{"featureGates":[]}}'
    soon 30 9 size_of widgets w shop
    soon 30 9 size_of gadgets g
    [ "$before" != "$(version_of widgets w shop)" ]
}
adopting_off() {
    hubctl -n $SYSTEM patch kubefedconfig kubefed --type=merge -p '{"spec":{"syncController":{"adoptResources":"Disabled"}}}'
    printf 'apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: theirs, namespace: shop}\nspec: {size: 3}\n' | memberctl cluster1 create -f -
    put widgets Widget shop theirs 4
    soon 30 AlreadyExists hubctl -n shop get federatedwidget theirs -o 'jsonpath={.status.clusters[0].status}'
    is 3 size_of widgets theirs shop
    hubctl -n $SYSTEM patch kubefedconfig kubefed --type=merge -p '{"spec":{"syncController":{"adoptResources":"Enabled"}}}'
    soon 60 4 size_of widgets theirs shop
}
with_definition() { # the way of kubefedctl disable --delete-crd
    patch_of ftc widgets.example.com '{"propagation":"Disabled"}'
    hubctl -n shop get federatedwidgets -o name
    patch_of ftc widgets.example.com '{"propagation":"Enabled"}'
    hubctl -n shop delete federatedwidgets --all --timeout=90s
    fails 1 'FederatedTypeConfig widgets.example.com needs this definition' hubctl delete crd federatedwidgets.types.kubefed.io
    patch_of ftc widgets.example.com '{"propagation":"Disabled"}'
    hubctl delete crd federatedwidgets.types.kubefed.io --timeout=90s
    hub_stop
    hub_start
    lacks hubctl get crd federatedwidgets.types.kubefed.io
    patch_of ftc widgets.example.com '{"propagation":"Enabled"}'
    hubctl wait --for=condition=Established --timeout=90s crd/federatedwidgets.types.kubefed.io
    patch_of ftc widgets.example.com '{"propagation":"Disabled"}'
    hubctl delete crd federatedwidgets.types.kubefed.io --timeout=90s
    hubctl -n $SYSTEM delete ftc widgets.example.com --timeout=90s
}

if ! why=$(kubefed_fetch); then
    skip "KubeFed's own manifests" "$why"
    MANIFESTS=
else
    kubefed_fetch
    MANIFESTS=yes
fi
must "fedhub starts" hub_start
try "the KubeFedConfig is there, with its defaults" default_config
if [ -n "$MANIFESTS" ]; then
    try "KubeFed's definitions are applied server-side over the hub's" crds_applied --server-side --field-manager=helm
    try "and as kubectl apply does" crds_client_side
    try "and completed with what the hub needs" crds_completed
    try "a restart changes nothing of them" crds_after_restart
    try "what is in conflict is refused, or kept as it must be" conflicts
    try "the chart's FederatedTypeConfigs, both ways" types_applied
    try "sample1 and the scheduling example" samples_applied
    try "a type that the samples need, enabled" role_binding_type
    try "KubeFed's sample configuration" config_applied
fi
try "admission of KubeFedCluster" admission_clusters
try "admission of KubeFedConfig" admission_configs
try "admission of FederatedTypeConfig" admission_types
try "a status controller runs for services that are collected" collects_status
try "warnings to the writer of a federated object" warnings
must "a member joins" join_member
must "types of one's own, namespaced and cluster-scoped" enabled
try "a disabled type stays as it is" disabled
try "a type without its FederatedTypeConfig, too" type_deleted
try "namespaced types need namespaces" namespaces_deleted
try "without PushReconciler nothing goes out" push_off
try "adoptResources" adopting_off
try "a type goes with its definition" with_definition
suite_end
