#!/usr/bin/env bash
# hub.sh - fedhub alone: what kubectl and other clients may rely on, bad input, and what becomes of the store when the process
# or the disk fails. The kubectl part runs once with the machine's kubectl, when it has one, and once with that of the test
# control plane.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
WORK=$FLEET/work
mkdir -p "$WORK"

# ---- files that the cases apply ----
federated() { # federated NAME IMAGE [EXTRA LINE]...: a FederatedDeployment in the namespace shop
    local name=$1 image=$2
    shift 2
    cat <<YAML
apiVersion: types.kubefed.io/v1beta1
kind: FederatedDeployment
metadata:
  name: $name
  namespace: shop
  labels: {app: $name}
spec:
  template:
    metadata:
      labels: {app: $name}
    spec:
      replicas: 1
      selector: {matchLabels: {app: $name}}
      template:
        metadata: {labels: {app: $name}}
        spec:
          containers: [{name: main, image: "$image"}]
  placement: {clusters: [{name: cluster1}]}
YAML
    [ $# -eq 0 ] || printf '%s\n' "$@"
}
config() { # config NAME VALUE: a ConfigMap as kubectl create takes it
    printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: shop}\ndata: {k: "%s"}\n' "$1" "$2"
}
image_of() { hub_jsonpath shop federateddeployment "$1" '{.spec.template.spec.template.spec.containers[0].image}'; }
version_of() { hub_jsonpath shop "$1" "$2" '{.metadata.resourceVersion}'; }

# ---- curl with the admin's certificate, for what kubectl would never send ----
admin_files() {
    local key
    for key in certificate-authority-data client-certificate-data client-key-data; do
        sed -n "s/.*$key: *\"\{0,1\}\([A-Za-z0-9+\/=]*\).*/\1/p" "$FLEET/hub/admin.kubeconfig" | base64 -d >"$WORK/$key.pem"
        [ -s "$WORK/$key.pem" ]
    done
    read -r api _ <"$FLEET/hub.ports"
    echo "https://127.0.0.1:$api" >"$WORK/url"
}
ask() { # ask METHOD PATH [curl options]: prints the code and the body, as the admin
    local method=$1 path=$2
    shift 2
    curl -sS -A "$SUITE" --max-time 120 -X "$method" --cacert "$WORK/certificate-authority-data.pem" \
        --cert "$WORK/client-certificate-data.pem" --key "$WORK/client-key-data.pem" \
        -w '\n%{http_code}\n' "$@" "$(cat "$WORK/url")$path"
}
answers() { # answers CODE PATTERN METHOD PATH [curl options]
    local code=$1 pattern=$2 out
    shift 2
    out=$(ask "$@") || { printf 'curl failed: %s\n' "$out"; return 1; }
    printf '%s\n' "$out" | tail -c 2000
    [ "$(tail -n 1 <<<"$out")" = "$code" ] || { echo "wanted $code"; return 1; }
    grep -qE -- "$pattern" <<<"$out" || { echo "wanted $pattern"; return 1; }
}

# ==== with each kubectl ====
case_discovery() {
    says 'federateddeployments +fdeploy +types.kubefed.io/v1beta1 +true +FederatedDeployment' hubctl api-resources
    says 'kubefedclusters +kfc +core.kubefed.io/v1beta1 +true +KubeFedCluster' hubctl api-resources
    says '^types.kubefed.io/v1alpha2$' hubctl api-versions
    says '^fedlet.io/v1alpha1$' hubctl api-versions
    says 'Server Version' hubctl version
    is ok hubctl get --raw /readyz
}
case_namespace() {
    says 'namespace/shop created' hubctl create namespace shop
    fails 1 'AlreadyExists.*namespaces "shop" already exists' hubctl create namespace shop
    is Active hubctl get namespace shop -o 'jsonpath={.status.phase}'
    fails 1 'Forbidden' hubctl delete namespace kube-federation-system
}
case_apply() {
    federated web nginx:1 >"$WORK/web.yaml"
    federated web nginx:2 >"$WORK/web2.yaml"
    says 'federateddeployment.types.kubefed.io/web created' hubctl apply -f "$WORK/web.yaml"
    says 'unchanged' hubctl apply -f "$WORK/web.yaml"
    is 1 hub_jsonpath shop federateddeployment web '{.metadata.generation}'
    says 'configured' hubctl apply -f "$WORK/web2.yaml"
    is 2 hub_jsonpath shop federateddeployment web '{.metadata.generation}'
    is nginx:2 image_of web
}
case_get() {
    says '^NAME +.*AGE' hubctl -n shop get federateddeployments
    says '^web ' hubctl -n shop get fdeploy
    says '^web ' hubctl -n shop get fdeploy -o wide
    says '^shop +web ' hubctl get fdeploy -A
    is federateddeployment.types.kubefed.io/web hubctl -n shop get fdeploy web -o name
    says '^kind: FederatedDeployment' hubctl -n shop get fdeploy web -o yaml
    says 'app=web' hubctl -n shop get fdeploy --show-labels
    fails 1 'NotFound.*federateddeployments.types.kubefed.io "none" not found' hubctl -n shop get fdeploy none
    is '' hubctl -n shop get fdeploy none --ignore-not-found
}
case_describe() {
    says 'Name: +web' hubctl -n shop describe fdeploy web
    says 'Image: +nginx:2' hubctl -n shop describe fdeploy web
}
case_edit() {
    KUBE_EDITOR='sed -i s/nginx:2/nginx:3/' says 'edited' hubctl -n shop edit fdeploy web
    is nginx:3 image_of web
    KUBE_EDITOR=true says 'no changes made' hubctl -n shop edit fdeploy web
}
case_label() {
    hubctl -n shop label fdeploy web tier=front
    is federateddeployment.types.kubefed.io/web hubctl -n shop get fdeploy -l 'tier in (front,back),app=web' -o name
    is '' hubctl -n shop get fdeploy -l 'tier!=front' -o name
    is '' hubctl -n shop get fdeploy -l '!tier' -o name
    fails 1 'already has a value' hubctl -n shop label fdeploy web tier=back
    hubctl -n shop label fdeploy web tier-
    is '' hubctl -n shop get fdeploy -l tier -o name
    hubctl -n shop annotate fdeploy web example.com/note='a "quoted" note'
    is 'a "quoted" note' hub_jsonpath shop fdeploy web '{.metadata.annotations.example\.com/note}'
    is 3 hub_jsonpath shop fdeploy web '{.metadata.generation}'
    fails 1 'Invalid|invalid' hubctl -n shop label fdeploy web 'bad key=x'
    fails any 'label selector|unable to parse|invalid' hubctl -n shop get fdeploy -l 'a in'
}
case_fields() {
    federated other nginx:1 | hubctl apply -f -
    is federateddeployment.types.kubefed.io/other hubctl -n shop get fdeploy --field-selector metadata.name=other -o name
    is federateddeployment.types.kubefed.io/web \
        hubctl get fdeploy -A --field-selector metadata.namespace=shop,metadata.name!=other -o name
    fails 1 'BadRequest|field label not supported' hubctl -n shop get fdeploy --field-selector spec.nothing=1
    is 'other web' hubctl -n shop get fdeploy --chunk-size=1 -o 'jsonpath={.items[*].metadata.name}'
    hubctl -n shop delete fdeploy other
}
case_explain() {
    says 'FIELD: placement' hubctl explain federateddeployments.spec.placement
    says 'clusterSelector' hubctl explain federateddeployments.spec.placement
    fails 1 'does not exist' hubctl explain federateddeployments.spec.zork
}
case_can_i() {
    is yes hubctl auth can-i create federateddeployments.types.kubefed.io -n shop
    says 'fedlet:admin' hubctl auth whoami
    says 'system:masters' hubctl auth whoami
    says '\*\.\*' hubctl auth can-i --list
}
case_diff() {
    federated web nginx:4 >"$WORK/web4.yaml"
    hubctl -n shop get fdeploy web -o yaml >"$WORK/same.yaml"
    fails 1 '^\+.*nginx:4' hubctl diff -f "$WORK/web4.yaml"
    hubctl diff -f "$WORK/same.yaml"
    is nginx:3 image_of web
}
case_patch() {
    hubctl -n shop patch fdeploy web --type=merge -p '{"spec":{"template":{"spec":{"replicas":5}}}}'
    is 5 hub_jsonpath shop fdeploy web '{.spec.template.spec.replicas}'
    is nginx:3 image_of web
    hubctl -n shop patch fdeploy web --type=json -p '[{"op":"test","path":"/spec/template/spec/replicas","value":5},
        {"op":"replace","path":"/spec/template/spec/replicas","value":6}]'
    is 6 hub_jsonpath shop fdeploy web '{.spec.template.spec.replicas}'
    fails 1 'error|Error|invalid' hubctl -n shop patch fdeploy web --type=json -p '[{"op":"test","path":"/spec/template/spec/replicas","value":5}]'
    fails 1 'error|Error|invalid' hubctl -n shop patch fdeploy web --type=json -p '[{"op":"remove","path":"/spec/nowhere"}]'
    fails 1 'strategic-merge-patch\+json' hubctl -n shop patch fdeploy web --type=strategic -p '{"spec":{}}'
    is 6 hub_jsonpath shop fdeploy web '{.spec.template.spec.replicas}'
    config plain 1 | hubctl create -f -
    hubctl -n shop patch configmap plain -p '{"data":{"more":"2"}}'
    is '1 2' hub_jsonpath shop configmap plain '{.data.k} {.data.more}'
}
case_big_numbers() {
    federated numbers nginx:1 | sed 's/replicas: 1/revisionHistoryLimit: 9007199254740993/' | hubctl apply -f -
    is 9007199254740993 hub_jsonpath shop fdeploy numbers '{.spec.template.spec.revisionHistoryLimit}'
    hubctl -n shop delete fdeploy numbers
}
case_replace() {
    hubctl -n shop get fdeploy web -o yaml | sed 's/nginx:3/nginx:5/' >"$WORK/replace.yaml"
    says replaced hubctl replace -f "$WORK/replace.yaml"
    is nginx:5 image_of web
    # The same file again carries the resourceVersion of before.
    sed -i 's/nginx:5/nginx:6/' "$WORK/replace.yaml"
    fails 1 'Conflict.*the object has been modified' hubctl replace -f "$WORK/replace.yaml"
    fails 1 NotFound hubctl replace -f <(federated nobody nginx:1)
    is nginx:5 image_of web
    # replace has noted the file's resourceVersion as applied; the next apply would take it away, which custom kinds refuse.
    hubctl apply set-last-applied -f <(federated web nginx:5)
}
case_server_side() {
    federated side nginx:1 >"$WORK/side.yaml"
    federated side nginx:2 >"$WORK/side2.yaml"
    says 'serverside-applied' hubctl apply --server-side --field-manager=one -f "$WORK/side.yaml"
    hubctl apply --server-side --field-manager=one -f "$WORK/side.yaml"
    is 1 hub_jsonpath shop fdeploy side '{.metadata.generation}'
    fails 1 'conflict with "one"' hubctl apply --server-side --field-manager=two -f "$WORK/side2.yaml"
    is nginx:1 image_of side
    hubctl apply --server-side --field-manager=two --force-conflicts -f "$WORK/side2.yaml"
    is nginx:2 image_of side
    says 'manager: two' hubctl -n shop get fdeploy side -o yaml --show-managed-fields
    # What a manager no longer names goes away, unless somebody else has it.
    config owned 1 | hubctl apply --server-side --field-manager=one -f -
    printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: owned, namespace: shop}\ndata: {other: "2"}\n' |
        hubctl apply --server-side --field-manager=one -f -
    is '{"other":"2"}' hub_jsonpath shop configmap owned '{.data}'
}
case_dry_run() {
    local before
    before=$(version_of fdeploy web)
    says 'server dry run' hubctl apply --dry-run=server -f <(federated ghost nginx:1)
    lacks hubctl -n shop get fdeploy ghost
    says 'server dry run' hubctl apply --dry-run=server -f "$WORK/web4.yaml"
    hubctl -n shop delete fdeploy web --dry-run=server
    hubctl -n shop label fdeploy web dry=yes --dry-run=server
    is "$before" version_of fdeploy web
    fails 1 'strict decoding error' hubctl apply --dry-run=server -f <(federated ghost nginx:1 '  zork: 1')
}
watch_end() { kill "$1" 2>/dev/null || true; wait "$1" 2>/dev/null || true; }
case_watch() {
    local pid
    hubctl -n shop get fdeploy -w -o 'jsonpath={.metadata.name} {.metadata.labels.seen}{"\n"}' >"$WORK/watch.out" 2>&1 &
    pid=$!
    wait_for 10 'the first row' grep -q '^web' "$WORK/watch.out" || { watch_end $pid; return 1; }
    hubctl -n shop label fdeploy web seen=yes
    wait_for 10 'the change' grep -q '^web yes' "$WORK/watch.out" || { watch_end $pid; return 1; }
    federated later nginx:1 | hubctl apply -f -
    wait_for 10 'the new object' grep -q '^later' "$WORK/watch.out" || { watch_end $pid; return 1; }
    watch_end $pid
    hubctl -n shop get fdeploy -w >"$WORK/table.out" 2>&1 &
    pid=$!
    wait_for 10 'the table' grep -q '^web ' "$WORK/table.out" || { watch_end $pid; return 1; }
    watch_end $pid
    hubctl -n shop label fdeploy web seen-
}
case_wait() {
    hubctl -n shop wait --for='jsonpath={.spec.template.spec.replicas}=6' --timeout=90s fdeploy/web
    fails 1 'timed out' hubctl -n shop wait --for='jsonpath={.spec.template.spec.replicas}=7' --timeout=1s fdeploy/web
    hubctl -n shop wait --for=delete --timeout=90s fdeploy/later &
    local pid=$!
    sleep 0.5
    hubctl -n shop delete fdeploy later
    wait $pid
}
case_finalizers() {
    trap 'hubctl -n shop patch configmap held --type=merge -p "{\"metadata\":{\"finalizers\":null}}" || true' EXIT
    config held 1 | sed 's/namespace: shop/namespace: shop, finalizers: [example.com\/hold]/' | hubctl create -f -
    hubctl -n shop delete configmap held --wait=false
    says '.' hub_jsonpath shop configmap held '{.metadata.deletionTimestamp}'
    # Nothing may be added to what is going.
    fails 1 'metadata.finalizers: Forbidden: no new finalizers' hubctl -n shop patch configmap held --type=merge \
        -p '{"metadata":{"finalizers":["example.com/hold","example.com/more"]}}'
    hubctl -n shop patch configmap held --type=merge -p '{"metadata":{"finalizers":null}}'
    lacks hubctl -n shop get configmap held
    trap - EXIT
}
case_secret() {
    hubctl -n shop create secret generic pass --from-literal=word=open
    is b3Blbg== hub_jsonpath shop secret pass '{.data.word}'
    says 'word: +4 bytes' hubctl -n shop describe secret pass
}
case_delete() {
    says 'deleted' hubctl -n shop delete fdeploy web side
    gone 10 hubctl -n shop get fdeploy web
    fails 1 NotFound hubctl -n shop delete fdeploy web
}
case_namespace_goes() {
    hubctl delete namespace shop --timeout=90s
    lacks hubctl get namespace shop
    lacks hubctl -n shop get configmap plain
}
kubectl_part() {
    local k=$1
    rm -rf "$FLEET/kubectl-cache"
    must "$k: namespaces: create, again, protected" case_namespace
    try "$k: discovery, versions, health" case_discovery
    try "$k: apply: created, unchanged, configured" case_apply
    try "$k: get: tables, wide, yaml, name, all namespaces, not found" case_get
    try "$k: describe" case_describe
    try "$k: edit" case_edit
    try "$k: label, annotate, label selectors" case_label
    try "$k: field selectors, chunks" case_fields
    try "$k: explain" case_explain
    try "$k: auth can-i, whoami" case_can_i
    try "$k: diff" case_diff
    try "$k: patch: merge, JSON, strategic" case_patch
    try "$k: integers beyond 2^53 are kept" case_big_numbers
    try "$k: replace, and with an old version" case_replace
    try "$k: server-side apply, conflict, force, fields that go" case_server_side
    try "$k: dry run on the server stores nothing" case_dry_run
    try "$k: get --watch" case_watch
    try "$k: wait for a field, for a deletion" case_wait
    try "$k: finalizers hold what is deleted" case_finalizers
    try "$k: secrets" case_secret
    try "$k: delete" case_delete
    try "$k: a deleted namespace takes its objects along" case_namespace_goes
}

# ==== bad input ====
PATH_CM=/api/v1/namespaces/default/configmaps
PATH_FD=/apis/types.kubefed.io/v1beta1/namespaces/default/federateddeployments
JSON=(-H 'Content-Type: application/json')
case_unknown_kind() {
    fails 1 'no matches for kind "FederatedNothing"' \
        hubctl apply -f <(printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedNothing\nmetadata: {name: a}\n')
    fails 1 'the server doesn.t have a resource type "nothings"' hubctl get nothings
    answers 404 'page not found' GET /apis/types.kubefed.io/v1beta1/namespaces/default/nothings
    answers 404 '"kind":"Status"|page not found' GET /apis/none.example.com/v1
    answers 422 'kind: Invalid value: .*must be FederatedDeployment' POST "$PATH_FD" "${JSON[@]}" \
        -d '{"apiVersion":"types.kubefed.io/v1beta1","kind":"FederatedService","metadata":{"name":"a"},"spec":{}}'
    answers 405 'MethodNotAllowed' POST /version "${JSON[@]}" -d '{}'
}
case_malformed() {
    local body
    for body in '{' '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},}' '[]' '"text"' '' 'apiVersion' \
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"\ud800"}}' \
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":[]}'; do
        answers 400 '"reason":"BadRequest"' POST "$PATH_CM" "${JSON[@]}" -d "$body" || { echo "body: $body"; return 1; }
    done
    printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"\xff\xfe"}}' >"$WORK/utf8"
    answers 400 BadRequest POST "$PATH_CM" "${JSON[@]}" --data-binary "@$WORK/utf8"
    # Deep nesting is refused, not followed.
    python3 -c 'print("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":" + "{\"a\":" * 20000 + "1" + "}" * 20001)' >"$WORK/deep"
    answers 400 'nested deeper' POST "$PATH_CM" "${JSON[@]}" --data-binary "@$WORK/deep"
    answers 415 UnsupportedMediaType POST "$PATH_CM" -H 'Content-Type: text/plain' -d '{}'
    is "kube-root-ca.crt" hubctl -n default get configmaps -o 'jsonpath={.items[*].metadata.name}'
}
case_too_long() {
    python3 -c 'print("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"" + "x" * (4 << 20) + "\"}}")' >"$WORK/long"
    # HTTP/2 by kubectl, because some releases of curl lose an answer that comes before they have sent the whole body.
    fails 1 '413|TooLarge' hubctl create --raw "$PATH_CM" -f "$WORK/long"
    # A hub that has no second for curl would be sent all of it, and takes no more than a part before it closes.
    answers 413 '' POST "$PATH_CM" "${JSON[@]}" --http1.1 --expect100-timeout 60 --data-binary "@$WORK/long"
    answers 413 '' POST "$PATH_CM" "${JSON[@]}" --http1.1 --expect100-timeout 60 -H 'Transfer-Encoding: chunked' \
        --data-binary "@$WORK/long"
    answers 431 '' GET /version -H "X-Long: $(head -c 100000 /dev/zero | tr '\0' a)" --http1.1
    answers 200 ok GET /readyz
}
case_strict() {
    federated strict nginx:1 '  zork: 1' | sed 's/namespace: shop/namespace: default/' >"$WORK/strict.yaml"
    fails 1 'strict decoding error: unknown field "spec.zork"' hubctl apply -f "$WORK/strict.yaml"
    lacks hubctl -n default get fdeploy strict
    fails 1 'unknown field "datum"' hubctl create -f <(config a 1 | sed 's/shop/default/; s/^data:/datum:/')
    says 'Warning: unknown field "spec.zork"' hubctl create --validate=warn -f "$WORK/strict.yaml"
    is '' hub_jsonpath default fdeploy strict '{.spec.zork}'
    answers 400 'duplicate field' POST "$PATH_CM?fieldValidation=Strict" "${JSON[@]}" \
        -d '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"1","k":"2"}}'
    hubctl -n default delete fdeploy strict
}
case_invalid() {
    local name
    for name in Upper under_score -begin end- 'a..b' "$(printf 'a%.0s' $(seq 254))"; do
        answers 422 '"reason":"Invalid".*metadata.name' POST "$PATH_CM" "${JSON[@]}" \
            -d "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"$name\"}}" || { echo "$name"; return 1; }
    done
    fails 1 'invalid' hubctl create namespace 'has.dot'
    answers 400 'BadRequest|namespace' POST "$PATH_CM" "${JSON[@]}" \
        -d '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"elsewhere"}}'
    answers 422 'name or generateName is required|metadata.name' POST "$PATH_CM" "${JSON[@]}" \
        -d '{"apiVersion":"v1","kind":"ConfigMap","metadata":{}}'
    answers 422 'spec.overrides|op' POST "$PATH_FD" "${JSON[@]}" -d '{"apiVersion":"types.kubefed.io/v1beta1",
        "kind":"FederatedDeployment","metadata":{"name":"a"},"spec":{"overrides":[{"clusterName":"c","clusterOverrides":[{"op":"move","path":"/a"}]}]}}'
    answers 400 'metadata.name' POST "$PATH_CM" "${JSON[@]}" -d '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":7}}'
    answers 422 'spec' POST /apis/core.kubefed.io/v1beta1/namespaces/kube-federation-system/kubefedclusters "${JSON[@]}" \
        -d '{"apiVersion":"core.kubefed.io/v1beta1","kind":"KubeFedCluster","metadata":{"name":"c"},"spec":7}'
    answers 422 'Invalid' POST "$PATH_CM?dryRun=Some" "${JSON[@]}" -d '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}'
    answers 400 'BadRequest' GET "$PATH_CM?limit=many"
    answers 400 'BadRequest' GET "$PATH_CM?continue=rubbish"
    answers 400 'BadRequest' GET '/api/v1/namespaces/%zz'
    fails 1 NotFound hubctl create -f <(config a 1 | sed 's/shop/nowhere/')
}
case_certificates() {
    local url out
    url=$(cat "$WORK/url")
    out=$(curl -sS -A "$SUITE" --max-time 60 --cacert "$WORK/certificate-authority-data.pem" -w ' %{http_code}' "$url/api/v1/namespaces")
    printf '%s\n' "$out"
    grep -q '"reason":"Unauthorized"' <<<"$out"
    grep -q ' 401$' <<<"$out"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$WORK/other.key" -out "$WORK/other.crt" \
        -days 2 -subj '/O=system:masters/CN=fedlet:admin' 2>/dev/null
    out=$(curl -sS -A "$SUITE" --max-time 60 --cacert "$WORK/certificate-authority-data.pem" --cert "$WORK/other.crt" \
        --key "$WORK/other.key" -w ' %{http_code}' "$url/api/v1/namespaces" 2>&1) || true
    printf '%s\n' "$out"
    # Refused in the handshake or with 401, but no data in either case.
    grep -qE 'curl: \((16|35|52|55|56)\)| 401$' <<<"$out"
    ! grep -q NamespaceList <<<"$out" || return 1
    # The admin's certificate with another key.
    out=$(curl -sS -A "$SUITE" --max-time 60 --cacert "$WORK/certificate-authority-data.pem" --cert "$WORK/client-certificate-data.pem" \
        --key "$WORK/other.key" "$url/api/v1/namespaces" 2>&1) && return 1
    # The hub is known by its own CA only.
    openssl verify -CAfile "$WORK/certificate-authority-data.pem" "$FLEET/hub/server.crt"
    is 600 stat -c %a "$FLEET/hub/admin.kubeconfig"
    is 600 stat -c %a "$FLEET/hub/ca.key"
}
case_http_versions() {
    answers 200 gitVersion GET /version --http1.1
    answers 200 gitVersion GET /version --http2
    # Several requests on one connection of each.
    is '200 200 200' curl -s --cacert "$WORK/certificate-authority-data.pem" --cert "$WORK/client-certificate-data.pem" \
        --key "$WORK/client-key-data.pem" --http1.1 -o /dev/null -o /dev/null -o /dev/null -w '%{http_code}%{stderr}' \
        "$(cat "$WORK/url")/version" "$(cat "$WORK/url")/version" "$(cat "$WORK/url")/version" ||
        is 200200200 curl -s --cacert "$WORK/certificate-authority-data.pem" --cert "$WORK/client-certificate-data.pem" \
            --key "$WORK/client-key-data.pem" --http1.1 -o /dev/null -o /dev/null -o /dev/null -w '%{http_code}' \
            "$(cat "$WORK/url")/version" "$(cat "$WORK/url")/version" "$(cat "$WORK/url")/version"
}

# ==== processes and disks ====
# Another hub in a folder of its own: commands of lib.sh with FLEET set to it.
elsewhere() { # elsewhere NAME COMMAND...
    local FLEET=$FLEET/$1
    shift
    mkdir -p "$FLEET/logs"
    "$@"
}
serve() { # serve DATA_DIR [FLAGS]: in the foreground, for a start that fails; at most a minute
    local dir=$1
    shift
    timeout -k 5 60 "$BIN/fedhub" serve --data-dir "$dir" --listen 127.0.0.1:0 --coap-listen 127.0.0.1:0 \
        --agent-listen 127.0.0.1:0 "$@"
}
case_sigterm() {
    local pid code=0 end
    elsewhere term hub_start
    elsewhere term hubctl create namespace kept
    elsewhere term process_stop "$FLEET/term/hub.pid"
    # Started as our own child, to see how it ends, with a watch open.
    "$BIN/fedhub" serve --data-dir "$FLEET/term/hub" --listen "127.0.0.1:$(cut -d' ' -f1 "$FLEET/term/hub.ports")" \
        --coap-listen 127.0.0.1:0 --agent-listen 127.0.0.1:0 >"$WORK/term.out" 2>"$WORK/term.err" &
    pid=$!
    wait_for 20 ready grep -q '^fedhub: ready' "$WORK/term.out" || { kill -9 $pid; return 1; }
    elsewhere term is kept hubctl get namespace kept -o 'jsonpath={.metadata.name}' || { kill -9 $pid; return 1; }
    elsewhere term hubctl get namespaces -w >"$WORK/term.watch" 2>&1 &
    wait_for 10 'the watch' grep -q '^kept' "$WORK/term.watch" || { kill -9 $pid; return 1; }
    end=$(($(now_ms) + 20000))
    kill -TERM $pid
    wait $pid || code=$?
    cat "$WORK/term.err"
    [ "$code" -eq 0 ] || { echo "exit code $code"; return 1; }
    [ "$(now_ms)" -lt "$end" ] || { echo "took longer than 20 s"; return 1; }
}
case_port_taken() {
    read -r api coap agents <"$FLEET/hub.ports"
    fails 1 "$api.*([Ii]n use|EADDRINUSE)|([Ii]n use).*$api" serve "$FLEET/second" --listen "127.0.0.1:$api"
    fails 1 "$coap.*([Ii]n use|EADDRINUSE)|([Ii]n use).*$coap" serve "$FLEET/second" --coap-listen "127.0.0.1:$coap"
    fails 1 "agents: .*$agents \(TCP\): .*([Ii]n use|EADDRINUSE)" serve "$FLEET/second" --agent-listen "127.0.0.1:$agents"
}
case_second_process() {
    fails 1 'another|lock|in use|already' serve "$FLEET/hub"
    answers 200 ok GET /readyz
}
case_unwritable() {
    : >"$WORK/file"
    fails 1 "$WORK/file" serve "$WORK/file"
    fails 1 "$WORK/file" serve "$WORK/file/below"
    if [ "$(id -u)" != 0 ]; then
        mkdir -p "$WORK/closed"
        chmod 500 "$WORK/closed"
        fails 1 "$WORK/closed" serve "$WORK/closed"
    fi
    fails 1 '/proc/fedhub' serve /proc/fedhub
}
case_wrong_flags() {
    fails 2 'bogus' "$BIN/fedhub" serve --bogus
    fails 2 '.' "$BIN/fedhub" serve --listen
    fails 2 '.' "$BIN/fedhub" frobnicate
    fails 2 'listen|address' serve "$WORK/never" --listen not-an-address
    says serve "$BIN/fedhub" --help
    says '[0-9]+\.[0-9]+' "$BIN/fedhub" version
}
store_file() { find "$1" -maxdepth 1 -type f \( -name '*.db' -o -name '*.sqlite*' -o -name 'store*' \) | head -n 1; }
case_corrupt() {
    local file before way
    elsewhere corrupt hub_start
    elsewhere corrupt hubctl create namespace kept
    elsewhere corrupt hub_stop
    cp -a "$FLEET/corrupt/hub" "$FLEET/corrupt/good"
    for way in header middle cut empty; do
        rm -rf "$FLEET/corrupt/hub"
        cp -a "$FLEET/corrupt/good" "$FLEET/corrupt/hub"
        file=$(store_file "$FLEET/corrupt/hub")
        [ -n "$file" ]
        case $way in
            header) printf 'rubbish rubbish!' | dd of="$file" conv=notrunc bs=1 2>/dev/null ;;
            middle) python3 - "$file" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(0, 2)
    size = f.tell()
    for at in range(4096, size, 4096):
        f.seek(at)
        f.write(b"\xff" * 64)
PY
                ;;
            cut) truncate -s 5000 "$file" ;;
            empty) printf 'not a database at all\n' >"$file" ;;
        esac
        rm -f "$file-wal" "$file-shm"
        before=$(sha256sum <"$file")
        fails 1 "$(basename "$file").*|corrupt|damaged|malformed|not a database" serve "$FLEET/corrupt/hub" ||
            { echo "way: $way"; return 1; }
        [ "$(sha256sum <"$file")" = "$before" ] || { echo "$way: the file was changed"; return 1; }
    done
    rm -rf "$FLEET/corrupt/hub"
    mv "$FLEET/corrupt/good" "$FLEET/corrupt/hub"
    elsewhere corrupt hub_start
    elsewhere corrupt is kept hubctl get namespace kept -o 'jsonpath={.metadata.name}'
    elsewhere corrupt hub_stop
}
can_mount() {
    [ "$(id -u)" = 0 ] && mkdir -p "$WORK/probe" && mount -t tmpfs -o size=1m tmpfs "$WORK/probe" 2>/dev/null &&
        umount "$WORK/probe"
}
case_full() {
    local n dir=$FLEET/full/hub code=0 last=
    mkdir -p "$dir"
    mount -t tmpfs -o size=3m tmpfs "$dir"
    full_body "$dir" || code=$?
    elsewhere full hub_stop
    umount "$dir" || umount -l "$dir"
    return "$code"
}
full_body() { # data directory: writes until it is full, looks what still works, then gives room
    local n out refused=
    elsewhere full hub_start
    head -c 200000 /dev/urandom | base64 -w 0 >"$WORK/bulk"
    for n in $(seq 40); do
        if ! out=$(elsewhere full hubctl -n default create configmap "bulk-$n" --from-file=k="$WORK/bulk" 2>&1); then
            refused=$out
            break
        fi
    done
    printf '%s\n' "$refused"
    grep -qiE 'storage|full|no space' <<<"$refused" || { echo "not refused as full after $n"; return 1; }
    # Reading still works, nothing of what was refused is there, all before it is.
    elsewhere full lacks hubctl -n default get configmap "bulk-$n" || return 1
    elsewhere full says . hubctl -n default get configmap "bulk-$((n - 1))" || return 1
    process_alive "$(cat "$FLEET/full/hub.pid")" || return 1
    mount -o remount,size=32m "$1"
    elsewhere full hubctl -n default create configmap after --from-literal=k=v || return 1
    elsewhere full process_stop "$FLEET/full/hub.pid" KILL
    elsewhere full hub_start
    elsewhere full says . hubctl -n default get configmap after "bulk-$((n - 1))" || return 1
}
case_full_at_start() {
    local dir=$FLEET/full-start code=0
    mkdir -p "$dir"
    mount -t tmpfs -o size=64k tmpfs "$dir"
    head -c 100000 /dev/zero >"$dir/filler" 2>/dev/null || true
    fails 1 'full|space|storage' serve "$dir/hub" || code=$?
    umount "$dir" || umount -l "$dir"
    return "$code"
}
some_written() { [ "$(wc -l <"$WORK/writer.out")" -ge "$1" ]; }
case_killed() {
    local round writer acknowledged have
    elsewhere killed hub_start
    : >"$WORK/acknowledged"
    for round in 1 2 3 4 5; do
        "$ROOT/tests/e2e/writer.py" "$FLEET/killed/hub/admin.kubeconfig" "round-$round" >"$WORK/writer.out" 2>"$WORK/writer.err" &
        writer=$!
        wait_for 60 'some writes' some_written 5 || return 1
        sleep "0.$((RANDOM % 90 + 10))"
        kill -9 "$(cat "$FLEET/killed/hub.pid")"
        wait $writer || { cat "$WORK/writer.err"; return 1; }
        cat "$WORK/writer.out" >>"$WORK/acknowledged"
        elsewhere killed hub_start
    done
    # Without the ConfigMap that every namespace has.
    elsewhere killed hubctl -n default get configmaps -o 'jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}' |
        grep '^round-' | sort >"$WORK/have"
    sort "$WORK/acknowledged" >"$WORK/want"
    acknowledged=$(wc -l <"$WORK/want")
    have=$(wc -l <"$WORK/have")
    echo "$acknowledged acknowledged, $have there"
    [ "$acknowledged" -ge 20 ]
    [ -z "$(comm -23 "$WORK/want" "$WORK/have")" ] || { comm -23 "$WORK/want" "$WORK/have"; return 1; }
    # At most the one that was under way at each kill may be there without an acknowledgement.
    [ $((have - acknowledged)) -le 5 ]
    elsewhere killed hub_stop
}
case_restart_keeps() {
    hubctl create namespace keeps
    hubctl -n keeps create configmap a --from-literal=k=v
    local before
    before=$(hub_jsonpath keeps configmap a '{.metadata.uid} {.metadata.resourceVersion}')
    hub_stop
    hub_start
    is "$before" hub_jsonpath keeps configmap a '{.metadata.uid} {.metadata.resourceVersion}'
    hubctl -n keeps patch configmap a --type=merge -p '{"data":{"k":"w"}}'
    [ "$(hub_jsonpath keeps configmap a '{.metadata.resourceVersion}')" -gt "${before#* }" ]
}

must "fedhub starts and says where" hub_start
must "the admin's kubeconfig" admin_files
PICKED=("${KUBECTL[@]}")
if [ "${KUBECTL[0]}" = kubectl ]; then
    kubectl_part "kubectl $(kubectl version --client -o json | sed -n 's/.*"minor": *"\([0-9]*\).*/1.\1/p' | head -1)"
fi
KUBECTL=("$KUBE" kubectl)
kubectl_part "kubectl $("$KUBE" kubectl version --client -o json | sed -n 's/.*"minor": *"\([0-9]*\).*/1.\1/p' | head -1)"
KUBECTL=("${PICKED[@]}")
try "unknown kinds, resources and groups" case_unknown_kind
try "malformed bodies" case_malformed
try "over-long bodies and headers" case_too_long
try "strict field validation, warnings" case_strict
try "invalid names, fields and parameters" case_invalid
try "no certificate, a stranger's certificate, a wrong key" case_certificates
try "HTTP/1.1 and HTTP/2" case_http_versions
try "wrong flags" case_wrong_flags
try "a port in use is named" case_port_taken
try "a second process on the same data is refused" case_second_process
try "data directories that cannot be written" case_unwritable
try "a damaged store is refused and left as it is" case_corrupt
if can_mount; then
    try "a full data directory: refused, reading goes on, room helps" case_full
    try "no room to start" case_full_at_start
else
    skip "a full data directory" "mounting a small tmpfs needs root"
fi
try "SIGTERM ends in order" case_sigterm
try "a restart keeps objects and versions" case_restart_keeps
try "kill -9 while writing, five times, loses nothing acknowledged" case_killed
suite_end
