#!/usr/bin/env bash
# crd.sh - CustomResourceDefinitions against a real fedhub with real kubectl: what people and tools do with them.
#
#   tests/e2e/crd.sh    binaries from FEDLET_BIN (default build/release/bin), the control plane's kubectl from build/kube
set -euo pipefail
source "$(dirname "$0")/suite.sh"

must "the hub starts" hub_start

# definition PLURAL KIND SCHEMA [MORE]: a definition of GROUP with one version v1; MORE stands in the version.
GROUP=crd.example.com
definition() {
    cat <<YAML
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: $1.$GROUP}
spec:
  group: $GROUP
  names: {kind: $2, plural: $1${4:-}}
  scope: Namespaced
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: $3}${5:-}}
YAML
}
object() { # object KIND NAME SPEC [VERSION]
    printf 'apiVersion: %s/%s\nkind: %s\nmetadata: {name: %s}\nspec: %s\n' "$GROUP" "${4:-v1}" "$1" "$2" "$3"
}
feed() { # feed TEXT COMMAND...: the text on its standard input
    local text=$1
    shift
    "$@" <<<"$text"
}
SIZED='{type: object, properties: {spec: {type: object, required: [size], properties: {size: {type: integer, minimum: 1, maximum: 9, description: "How large it is."}, color: {type: string, enum: [red, blue], default: red}, tags: {type: array, x-kubernetes-list-type: set, items: {type: string}}}}, status: {type: object, properties: {ready: {type: boolean}}}}}'
SUB=', subresources: {status: {}, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.replicas}}'

# ---- a definition and its kind ----
apply_definition() {
    says 'created' feed "$(definition sizeds Sized "$SIZED" ', shortNames: [sz], categories: [all]' \
        "$SUB"', additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}, {name: Color, type: string, jsonPath: .spec.color, priority: 1}]')" hubctl apply -f -
}
try "a definition is applied" apply_definition
try "it is established at once" hubctl wait --for=condition=Established --timeout=90s crd/sizeds.$GROUP
try "its names are accepted" is True hubctl get crd sizeds.$GROUP -o 'jsonpath={.status.conditions[?(@.type=="NamesAccepted")].status}'
try "names that were left out are filled in" is 'sized SizedList' hubctl get crd sizeds.$GROUP -o 'jsonpath={.spec.names.singular} {.spec.names.listKind}'
try "api-resources shows it" says 'sizeds +sz +crd.example.com/v1 +true +Sized' hubctl api-resources --api-group=$GROUP
try "the old discovery shows it" says '"name":"sizeds/scale","singularName":"","namespaced":true,"group":"autoscaling","version":"v1","kind":"Scale"' \
    hubctl get --raw /apis/$GROUP/v1
try "explain goes down to a field" says 'How large it is' hubctl explain sized.spec.size
try "an object is created" says created feed "$(object Sized a '{size: 3}')" hubctl create -f -
try "a default was put in" is red hubctl get sz a -o 'jsonpath={.spec.color}'
try "columns are shown" says '^a +3 *$' hubctl get sz --no-headers
try "and wide ones, too" says '^a +3 +red *$' hubctl get sz --no-headers -o wide
try "categories list it" says '^sized.crd.example.com/a|^a ' hubctl get all --no-headers

# ---- what is valid ----
try "a value that is too small is refused with its cause" \
    fails 1 'spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1' \
    feed "$(object Sized b '{size: 0}')" hubctl create -f -
try "a value outside of an enum" fails 1 'spec.color: Unsupported value: "green": supported values: "red", "blue"' \
    feed "$(object Sized b '{size: 1, color: green}')" hubctl create -f -
try "a required field" fails 1 'spec.size: Required value' feed "$(object Sized b '{}')" hubctl create -f -
try "a duplicate in a set" fails 1 'spec.tags\[1\]: Duplicate value: "x"' feed "$(object Sized b '{size: 1, tags: [x, x]}')" hubctl create -f -
try "an unknown field is an error where that is asked" fails 1 'unknown field "spec.shape"' \
    feed "$(object Sized b '{size: 1, shape: round}')" hubctl create --validate=strict -f -
pruned() {
    feed "$(object Sized pruned '{size: 1, shape: round}')" hubctl create --validate=ignore -f -
    is '{"color":"red","size":1}' hubctl get sz pruned -o 'jsonpath={.spec}'
}
try "and goes where not" pruned

# ---- subresources ----
status_alone() {
    hubctl patch sz a --subresource=status --type=merge -p '{"status":{"ready":true},"spec":{"size":9}}'
    is '3 true' hubctl get sz a -o 'jsonpath={.spec.size} {.status.ready}'
}
try "the status endpoint changes status alone" status_alone
scale_up() {
    says scaled hubctl scale sz/a --replicas=5
    is 5 hubctl get sz a -o 'jsonpath={.spec.size}'
    is scale hubctl get sz a --show-managed-fields -o 'jsonpath={.metadata.managedFields[?(@.manager=="kubectl")].subresource}'
}
try "kubectl scale" scale_up
try "a scale that the schema refuses" fails 1 'spec.size in body should be less than or equal to 9' hubctl scale sz/a --replicas=10
try "the scale is a Scale" is 'Scale autoscaling/v1 5' hubctl get sz a --subresource=scale -o 'jsonpath={.kind} {.apiVersion} {.spec.replicas}'

# ---- changes of a definition ----
change_schema() {
    hubctl patch crd sizeds.$GROUP --type=json -p '[{"op":"replace","path":"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/size/maximum","value":20}]'
    says scaled hubctl scale sz/a --replicas=15
}
try "a changed schema holds at once" change_schema
try "a scope cannot change" fails 1 'spec.scope: Invalid value: "Cluster": field is immutable' \
    hubctl patch crd sizeds.$GROUP --type=merge -p '{"spec":{"scope":"Cluster"}}'
try "a strategic merge patch is understood" says patched \
    hubctl patch crd sizeds.$GROUP -p '{"metadata":{"labels":{"x":"y"}}}'
second_version() {
    hubctl patch crd sizeds.$GROUP --type=json -p '[{"op":"add","path":"/spec/versions/-","value":{"name":"v2","served":true,"storage":false,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}]'
    is "$GROUP/v2 15" hubctl get sizeds.v2.$GROUP a -o 'jsonpath={.apiVersion} {.spec.size}'
    is "$GROUP/v2" hubctl get --raw /apis/$GROUP -o 'jsonpath={.preferredVersion.groupVersion}' 2>/dev/null ||
        says '"preferredVersion":\{"groupVersion":"crd.example.com/v2"' hubctl get --raw /apis/$GROUP
}
try "a second version is the same objects" second_version
storage_moves() {
    hubctl patch crd sizeds.$GROUP --type=json -p '[{"op":"replace","path":"/spec/versions/0/storage","value":false},{"op":"replace","path":"/spec/versions/1/storage","value":true}]'
    is '["v1","v2"]' hubctl get crd sizeds.$GROUP -o 'jsonpath={.status.storedVersions}'
    is 15 hubctl get sizeds.v1.$GROUP a -o 'jsonpath={.spec.size}'
}
try "the storage version moves, and the former one is remembered" storage_moves
try "a version in which objects may be stored must stay" fails 1 'missing from spec.versions; v1 was previously a storage version' \
    hubctl patch crd sizeds.$GROUP --type=json -p '[{"op":"remove","path":"/spec/versions/0"}]'
two_versions() {
    feed "$(definition dials Dial '{type: object, properties: {metadata: {type: object}, spec: {type: object, properties: {new: {type: integer}, both: {type: integer}}}}}')
  - {name: v1beta1, served: true, storage: false, deprecated: true, schema: {openAPIV3Schema: {type: object, properties: {metadata: {type: object}, spec: {type: object, properties: {old: {type: integer}, both: {type: integer}}}}}}}" hubctl create -f -
    says 'Warning: crd.example.com/v1beta1 Dial is deprecated; use crd.example.com/v1 Dial' \
        feed "$(object Dial d '{old: 1, both: 2}' v1beta1)" hubctl create -f -
    is '{"both":2}' hubctl get dials.v1.$GROUP d -o 'jsonpath={.spec}'
    is '{"both":2}' hubctl get dials.v1beta1.$GROUP d -o 'jsonpath={.spec}'
    hubctl patch dials.v1.$GROUP d --type=merge -p '{"spec":{"new":3}}'
    is '{"both":2}' hubctl get dials.v1beta1.$GROUP d -o 'jsonpath={.spec}'
    is '{"both":2,"new":3}' hubctl get dials.v1.$GROUP d -o 'jsonpath={.spec}'
}
try "a version shows what its schema has, and says which one to use instead" two_versions

# ---- definitions that are wrong, or that clash ----
try "a schema that is not structural" fails 1 'spec.validation.openAPIV3Schema.properties\[spec\].type: Required value: must not be empty for specified object fields' \
    feed "$(definition wrongs Wrong '{type: object, properties: {spec: {}}}')" hubctl create -f -
try "a name that is not plural and group" fails 1 'must be spec.names.plural\+"."\+spec.group' \
    feed "$(definition wrongs Wrong '{type: object}' | sed 's/name: wrongs\./name: others./')" hubctl create -f -
try "a pattern that is none" fails 1 "must be a valid regular expression, but isn't: error parsing regexp: missing closing \)" \
    feed "$(definition wrongs Wrong '{type: object, properties: {spec: {type: string, pattern: "("}}}')" hubctl create -f -
try "conversion by webhook is refused with a reason" fails 1 'spec.conversion.strategy: .*this server calls no conversion webhooks' \
    feed "$(definition wrongs Wrong '{type: object}')
  conversion: {strategy: Webhook, webhook: {conversionReviewVersions: [v1], clientConfig: {url: 'https://x.example.com'}}}" hubctl create -f -
clash() {
    feed "$(definition clashes Clash '{type: object}' ', shortNames: [sz]')" hubctl create -f -
    is 'False ShortNamesConflict "sz" is already in use' hubctl get crd clashes.$GROUP \
        -o 'jsonpath={.status.conditions[?(@.type=="NamesAccepted")].status} {.status.conditions[?(@.type=="NamesAccepted")].reason} {.status.conditions[?(@.type=="NamesAccepted")].message}'
    fails 1 'could not find the requested resource|NotFound' hubctl get --raw /apis/$GROUP/v1/clashes
}
try "a name that is taken is not accepted" clash
rules() {
    feed "$(definition ruleds Ruled '{type: object, properties: {spec: {type: object, properties: {n: {type: integer}}, x-kubernetes-validations: [{rule: "self.n > 1"}]}}}')" hubctl create -f -
    is 'True 1 CEL rule is kept and not enforced by this server: v1.spec: self.n > 1' hubctl get crd ruleds.$GROUP \
        -o 'jsonpath={.status.conditions[?(@.type=="ValidationRulesNotEnforced")].status} {.status.conditions[?(@.type=="ValidationRulesNotEnforced")].message}'
}
try "CEL rules are kept, and named as not enforced" rules

# ---- the hub's own ----
try "the hub's own kinds are definitions" is 'kubefedclusters.core.kubefed.io' hubctl get crd kubefedclusters.core.kubefed.io -o 'jsonpath={.metadata.name}'
try "federated types, too" says 'federateddeployments.types.kubefed.io' hubctl get crd -o name
try "the hub's own may not be deleted" fails 1 'forbidden: the hub itself needs this definition' hubctl delete crd jointokens.fedlet.io
try "nor those of an enabled type" fails 1 'forbidden: FederatedTypeConfig deployments.apps needs this definition' \
    hubctl delete crd federateddeployments.types.kubefed.io
field_kept() {
    local at=/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/approved
    hubctl patch crd joinrequests.fedlet.io --type=json -p "[{\"op\":\"remove\",\"path\":\"$at\"}]"
    is boolean hubctl get crd joinrequests.fedlet.io -o 'jsonpath={.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.approved.type}'
    fails 1 'forbidden: the hub itself needs this definition: .*spec.approved has another type' \
        hubctl patch crd joinrequests.fedlet.io --type=json -p "[{\"op\":\"replace\",\"path\":\"$at\",\"value\":{\"type\":\"string\"}}]"
}
try "nor lose a field that the hub needs" field_kept
try "a short name of one's own is fine" says patched \
    hubctl patch crd jointokens.fedlet.io --type=merge -p '{"spec":{"names":{"shortNames":["jt"]}}}'
own_short_name() { says 'No resources|NAME' hubctl -n kube-federation-system get jt; }
try "and is served" own_short_name
federated_elsewhere() {
    feed "$(object Sized z '{size: 2}' v1)" hubctl create -f -
    hubctl create -f - <<YAML
apiVersion: core.kubefed.io/v1beta1
kind: FederatedTypeConfig
metadata: {name: sizeds.$GROUP, namespace: kube-federation-system}
spec:
  propagation: Enabled
  targetType: {group: $GROUP, version: v1, kind: Sized, pluralName: sizeds, scope: Namespaced}
  federatedType: {group: types.kubefed.io, version: v1beta1, kind: FederatedSized, pluralName: federatedsizeds, scope: Namespaced}
YAML
    established hubctl federatedsizeds.types.kubefed.io
}
try "a FederatedTypeConfig makes the definition of its type" federated_elsewhere

# ---- restart, deletion ----
restart() {
    hub_stop
    hub_start
    is 15 hubctl get sz a -o 'jsonpath={.spec.size}'
    is jt hubctl get crd jointokens.fedlet.io -o 'jsonpath={.spec.names.shortNames[0]}'
}
must "definitions, objects and changes survive a restart" restart
held() {
    hubctl patch sz a --type=merge -p '{"metadata":{"finalizers":["example.com/hold"]}}'
    hubctl delete crd sizeds.$GROUP --wait=false
    soon 5 'InstanceDeletionInProgress' hubctl get crd sizeds.$GROUP -o 'jsonpath={.status.conditions[?(@.type=="Terminating")].reason}'
    gone 5 hubctl get sz z
    fails 1 'create not allowed while custom resource definition is terminating' feed "$(object Sized late '{size: 1}')" hubctl create -f -
}
try "a definition that is deleted waits for an object with a finalizer" held
released() {
    hubctl get --raw "/apis/$GROUP/v1/sizeds?watch=true" >"$FLEET/logs/watch.out" 2>&1 &
    local watch=$!
    wait_for 5 "the watch to begin" grep -q ADDED "$FLEET/logs/watch.out"
    hubctl patch sz a --type=merge -p '{"metadata":{"finalizers":null}}'
    gone 5 hubctl get crd sizeds.$GROUP
    fails 1 "doesn't have a resource type|NotFound" hubctl get sizeds.v2.$GROUP
    wait_for 20 "the end of the watch" has_ended "$watch"
    grep -q DELETED "$FLEET/logs/watch.out"
}
try "and goes with the last one, kind, watches and all" released
freed() {
    soon 5 True hubctl get crd clashes.$GROUP -o 'jsonpath={.status.conditions[?(@.type=="Established")].status}'
    says 'No resources|NAME' hubctl get clashes
}
try "whoever waited for the name has it" freed

suite_end
