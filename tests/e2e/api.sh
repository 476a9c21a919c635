#!/bin/bash
# api.sh - kubectl's verbs against a real fedhub: what people type, and what they must read.
#
#   tests/e2e/api.sh [FEDHUB]    FEDHUB: the binary, default fedhub in FEDLET_BIN, else in build/dev/bin
# KUBECTL names the kubectl (default: "build/kube kubectl", else the one in PATH). Prints TAP.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
fedhub=${1:-${FEDLET_BIN:-$root/build/dev/bin}/fedhub}
if [ -z "${KUBECTL:-}" ]; then
    if [ -x "$root/build/kube" ]; then KUBECTL="$root/build/kube kubectl"; else KUBECTL=kubectl; fi
fi
dir=$(mktemp -d)
hub=
passed=0
failed=0

finish() {
    [ -n "$hub" ] && kill "$hub" 2>/dev/null && wait "$hub" 2>/dev/null
    rm -rf "$dir"
}
trap finish EXIT

start_hub() {
    "$fedhub" serve --data-dir "$dir/hub" --listen 127.0.0.1:0 --coap-listen 127.0.0.1:0 \
        --agent-listen 127.0.0.1:0 >"$dir/out" 2>"$dir/err" &
    hub=$!
    for _ in $(seq 1800); do
        grep -q '^fedhub: ready ' "$dir/out" && return 0
        kill -0 "$hub" 2>/dev/null || break
        sleep 0.05
    done
    echo "fedhub did not start:" >&2
    cat "$dir/err" >&2
    exit 1
}

k() {
    # shellcheck disable=SC2086
    timeout 90 $KUBECTL --kubeconfig "$dir/hub/admin.kubeconfig" --cache-dir "$dir/cache" "$@" 2>&1
}

# expect NAME EXIT PATTERN COMMAND...: the command ends so and its output matches the extended regular expression.
expect() {
    local name=$1 code=$2 pattern=$3 out got
    shift 3
    out=$("$@")
    got=$?
    if [ "$got" -eq "$code" ] && printf '%s' "$out" | grep -qzE -- "$pattern"; then
        passed=$((passed + 1))
        echo "ok $((passed + failed)) - $name"
    else
        failed=$((failed + 1))
        echo "not ok $((passed + failed)) - $name"
        echo "# exit $got, wanted $code and /$pattern/; got:"
        sed 's/^/#   /' <<<"$out"
    fi
}

short_form() {
    cat <<YAML
apiVersion: v1
kind: Namespace
metadata: {name: fns, labels: {federated: "true"}}
---
apiVersion: types.kubefed.io/v1alpha2
kind: FederatedDeployment
metadata: {name: redis, namespace: fns}
spec:
  template:
    metadata: {labels: {app: redis}}
    spec: {containers: [{name: redis, image: "redis:$1"}]}
YAML
}
map() { # NAME SPEC
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedConfigMap\nmetadata: {name: %s, namespace: fns}\nspec: %s\n' "$1" "$2"
}
with() { # INPUT COMMAND...
    local input=$1
    shift
    "$@" <<<"$input"
}

start_hub
full=federateddeployments.v1beta1.types.kubefed.io
expect "version" 0 'Server Version: v1.34' k version
expect "get ns" 0 'default +Active.*kube-federation-system +Active' k get ns
expect "api-resources" 0 'federateddeployments +fdeploy +types.kubefed.io/v1beta1 +true +FederatedDeployment' k api-resources
expect "api-versions" 0 'types.kubefed.io/v1alpha2' k api-versions
expect "get ftc" 0 'deployments.apps' k -n kube-federation-system get ftc
expect "apply short form" 0 'redis created' with "$(short_form 1)" k apply -f -
expect "apply it again" 0 'redis unchanged' with "$(short_form 1)" k apply -f -
expect "stored in full" 0 '^1 redis redis:1$' k -n fns get $full redis \
    -o 'jsonpath={.spec.template.spec.replicas} {.spec.template.spec.selector.matchLabels.app} {.spec.template.spec.template.spec.containers[0].image}'
expect "diff shows the image" 1 '\+ .*image: redis:2' with "$(short_form 2)" k diff -f -
expect "apply another image" 0 'redis configured' with "$(short_form 2)" k apply -f -
expect "replicas through v1beta1" 0 'patched' k -n fns patch $full redis --type=json \
    -p '[{"op":"replace","path":"/spec/template/spec/replicas","value":3}]'
expect "short form keeps them" 0 'redis configured' with "$(short_form 3)" k apply -f -
expect "image and replicas" 0 '^3 redis:3$' k -n fns get $full redis \
    -o 'jsonpath={.spec.template.spec.replicas} {.spec.template.spec.template.spec.containers[0].image}'
expect "describe" 0 'Kind: +FederatedDeployment.*Events:' k -n fns describe fdeploy redis
expect "get -o wide" 0 'redis' k get fdeploy -A -o wide
expect "explain" 0 'clusterSelector.*LabelSelector|clusterSelector' k explain fdeploy.spec.placement
expect "create ns" 0 'created' k create ns other
expect "create configmap, secret" 0 'created' k -n other create configmap a --from-literal=k=v
expect "create secret" 0 'created' k -n other create secret generic s --from-literal=k=v
expect "label" 0 'labeled' k label ns other x=y
expect "select by label" 0 '^namespace/other$' k get ns -l x=y -o name
expect "annotate" 0 'annotated' k -n other annotate cm a n=1
expect "strategic patch of a core kind" 0 'patched' k -n other patch cm a -p '{"data":{"k":"w"}}'
expect "strategic patch refused elsewhere" 1 'not supported' k -n fns patch fdeploy redis -p '{}'
expect "unknown field" 1 'unknown field "spec.zork"' with "$(map a '{zork: 1}')" k create -f -
expect "wrong value" 1 'spec.placement.clusters\[0\].name: Required' with "$(map a '{placement: {clusters: [{}]}}')" k create -f -
expect "wrong name" 1 'a lowercase RFC 1123 subdomain' with "$(map A_b '{}')" k create -f -
expect "no such namespace" 1 'namespaces "nope" not found' k -n nope create configmap a
expect "server-side apply" 0 'serverside-applied' with "$(map m '{template: {data: {a: "1"}}}')" \
    k apply --server-side --field-manager=one -f -
expect "conflict" 1 'conflict with "one"' with "$(map m '{template: {data: {a: "2"}}}')" \
    k apply --server-side --field-manager=two -f -
expect "forced" 0 'serverside-applied' with "$(map m '{template: {data: {a: "2"}}}')" \
    k apply --server-side --field-manager=two --force-conflicts -f -
expect "server dry run" 0 'server dry run' with "$(map m '{template: {data: {a: "3"}}}')" k apply --dry-run=server -f -
expect "changed nothing" 0 '^2$' k -n fns get fcm m -o 'jsonpath={.spec.template.data.a}'
expect "replace" 0 'replaced' with "$(map m '{template: {data: {a: "4"}}}')" k replace -f -
printf '#!/bin/sh\nsed -i "s/ a: .*/ a: five/" "$1"\n' >"$dir/editor"
chmod +x "$dir/editor"
export KUBE_EDITOR="$dir/editor"
expect "edit" 0 'edited' k -n fns edit fcm m
expect "generation" 0 '^4$' k -n fns get fcm m -o 'jsonpath={.metadata.generation}'
expect "wait" 0 'condition met' k -n fns wait --for=jsonpath='{.metadata.generation}'=4 fcm/m --timeout=90s
expect "can-i" 0 'yes' k auth can-i create fdeploy
expect "can-i --list" 0 '\*\.\*' k auth can-i --list
expect "whoami" 0 'system:masters' k auth whoami
expect "events" 0 'No events found|LAST SEEN' k events -A
expect "pages" 0 'default.*other' k get ns --chunk-size=2
expect "delete" 0 'deleted' k -n fns delete fcm m
expect "deleted" 1 'NotFound' k -n fns get fcm m
expect "delete a namespace" 0 'deleted' k delete ns other
expect "with what was in it" 0 'No resources found' k -n other get cm
expect "default stays" 1 'may not be deleted' k delete ns default

k -n fns get cm -w -o name >"$dir/watch" &
watch=$!
k -n fns create configmap there >/dev/null # by its list, or as an event: then it watches
for _ in $(seq 800); do grep -q configmap/there "$dir/watch" && break; sleep 0.05; done
k -n fns create configmap seen >/dev/null
k -n fns delete configmap seen >/dev/null
for _ in $(seq 800); do [ "$(grep -c configmap/seen "$dir/watch")" -ge 2 ] && break; sleep 0.05; done
expect "get -w" 0 'configmap/seen.*configmap/seen' cat "$dir/watch"

kill -9 "$hub"
wait "$hub" 2>/dev/null
wait "$watch" 2>/dev/null
expect "verify after kill -9" 0 'is sound' "$fedhub" verify --data-dir "$dir/hub"
start_hub
expect "nothing lost" 0 '^redis:3$' k -n fns get $full redis -o 'jsonpath={.spec.template.spec.template.spec.containers[0].image}'
expect "one process per directory" 1 'in use' bash -c "'$fedhub' serve --data-dir '$dir/hub' --listen 127.0.0.1:0 2>&1"
kill -TERM "$hub"
wait "$hub"
expect "ends in order" 0 '^0$' echo $?
hub=

echo "1..$((passed + failed))"
echo "# api: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
