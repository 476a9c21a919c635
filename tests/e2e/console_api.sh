#!/usr/bin/env bash
# console_api.sh - what the web console asks of the hub, by curl: the page's files and headers, signing in with links and
# tokens, cross-site and forged writes, RBAC, the fleet and its event stream (resume, limits, end with the session), bandwidth,
# the audit log in pages, search; with a real agent on a real member.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
WORK=$FLEET/work
mkdir -p "$WORK"
SYSTEM=kube-federation-system
CLUSTERS=/apis/core.kubefed.io/v1beta1/namespaces/$SYSTEM/kubefedclusters
HUB_FLAGS=(--heartbeat-s 10 --audit-file-kib 64 --audit-files 4)

url() { echo "https://127.0.0.1:$(cut -d' ' -f1 "$FLEET/hub.ports")$1"; }
# ask METHOD PATH [curl options]: prints the body and, as the last line, the code. The answer's headers are in $WORK/head.
ask() {
    local method=$1 path=$2
    shift 2
    [ "$method" != HEAD ] || method="HEAD --head"
    # shellcheck disable=SC2086
    curl -sS --max-time 60 -A "$SUITE" -X $method --cacert "$FLEET/hub/ca.crt" -D "$WORK/head${LANE:-}" -w '\n%{http_code}\n' "$@" "$(url "$path")"
}
# gives CODE METHOD PATH [curl options]
gives() {
    local want=$1 out
    shift
    out=$(ask "$@")
    printf '%s\n' "$out" | tail -c 1500
    [ "$(tail -n 1 <<<"$out")" = "$want" ] || { echo "wanted $want of $*"; return 1; }
}
head_has() { grep -qiE -- "^$1" "$WORK/head${LANE:-}" || { cat "$WORK/head${LANE:-}"; echo "wanted the header $1"; return 1; }; }
# json EXPRESSION METHOD PATH [curl options]: what Python makes of the answer `d`.
json() {
    local expression=$1
    shift
    ask "$@" | sed '$d' | python3 -c 'import json,sys
d = json.load(sys.stdin)
value = eval(sys.argv[1])
print(value if isinstance(value, str) else json.dumps(value))' "$expression"
}
cert() { # the credentials of KUBECONFIG as files for curl: cert KUBECONFIG NAME
    python3 - "$1" "$WORK/$2" <<'PY'
import base64, re, sys
text = open(sys.argv[1]).read()
for key, end in (("client-certificate-data", ".crt"), ("client-key-data", ".key")):
    open(sys.argv[2] + end, "wb").write(base64.b64decode(re.search(key + r': *"?([A-Za-z0-9+/=]+)', text).group(1)))
PY
}
ADMIN=(--cert "$WORK/admin.crt" --key "$WORK/admin.key")
JSON=(-H 'content-type: application/json')
WRITE=(-H 'x-fedlet-console: 1' "${JSON[@]}")
code() { local link; link=$(fedctl console --print "$@"); echo "${link##*#code=}"; }
token_of() { sed -n 's/^ *token: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$1"; }
# sign_in NAME BODY: the cookie goes to $WORK/NAME, for curl -b.
sign_in() { gives 200 POST /console/session "${JSON[@]}" -c "$WORK/$1" -d "$2"; }
with() { echo "-b $WORK/$1"; }
# listen NAME [PATH [curl options]]: a stream with the admin's cookie into $WORK/NAME.stream; its pid is in $WORK/NAME.pid.
listen() {
    local name=$1 path=${2:-/console/stream}
    shift; [ $# -eq 0 ] || shift
    : >"$WORK/$name.stream"
    curl -sSN --cacert "$FLEET/hub/ca.crt" -b "$WORK/${JAR:-jar}" -A "$SUITE" "$@" "$(url "$path")" >"$WORK/$name.stream" 2>"$WORK/$name.err" </dev/null &
    echo $! >"$WORK/$name.pid"
    wait_for 10 "the stream $name" grep -q '^retry' "$WORK/$name.stream"
}
quiet() { kill "$(cat "$WORK/$1.pid")" 2>/dev/null || true; }
over() { ! process_alive "$(cat "$WORK/$1.pid")"; }
fleet_of() { json "[c for c in d['clusters'] if c[0] == '$1'][0][$2]" GET /console/fleet "${ADMIN[@]}"; }
version() { json "d['version']" GET /console/fleet "${ADMIN[@]}"; }
cluster() { # cluster NAME LABELS: as JSON
    printf '{"apiVersion":"core.kubefed.io/v1beta1","kind":"KubeFedCluster","metadata":{"name":"%s","labels":%s},"spec":{}}' "$1" "$2"
}

case_setup() {
    hub_start "${HUB_FLAGS[@]}"
    cert "$FLEET/hub/admin.kubeconfig" admin
    hubctl create namespace shop
    hubctl create namespace other
}

# ==== the page ====
case_page() {
    gives 200 GET /console/ --compressed
    for header in 'content-type: text/html' 'cache-control: no-store' 'content-encoding: gzip' 'x-content-type-options: nosniff' \
        'x-frame-options: DENY' 'referrer-policy: no-referrer' 'cross-origin-opener-policy: same-origin' \
        'cross-origin-resource-policy: same-origin'; do
        head_has "$header"
    done
    head_has "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self';.*base-uri 'none'; frame-ancestors 'none'"
    never grep -i 'unsafe-inline\|unsafe-eval\|https\?:\|set-cookie' "$WORK/head"
    gives 200 GET /console/clusters/shop-17 --compressed
    head_has 'content-type: text/html'
    gives 200 GET /console/ --compressed --http1.1
    gives 200 HEAD /console/ -H 'accept-encoding: gzip'
}
case_page_paths() {
    gives 308 GET /console
    head_has 'location: /console/'
    gives 404 GET /console/assets/none-0123abcd.js --compressed
    gives 404 GET /console/../hub.db --compressed --path-as-is
    gives 404 GET /console/assets/..%2f..%2fhub.db --compressed
    gives 404 GET /consoles "${ADMIN[@]}"
    gives 405 POST /console/ --compressed -d x
    gives 406 GET /console/
    gives 406 GET /console/ -H 'accept-encoding: gzip;q=0'
}
asset() { ask GET /console/ --compressed | grep -oE 'assets/[A-Za-z0-9_.-]+\.js' | sed -n 1p; }
case_assets() {
    local path etag
    path=/console/$(asset)
    gives 200 GET "$path" --compressed >/dev/null
    head_has 'cache-control: public, max-age=31536000, immutable'
    head_has 'content-type: text/javascript'
    head_has 'x-content-type-options: nosniff'
    etag=$(sed -n 's/^etag: *\([^\r]*\)\r*$/\1/Ip' "$WORK/head")
    gives 304 GET "$path" -H 'accept-encoding: gzip' -H "if-none-match: $etag"
    gives 200 GET "$path" --compressed -H 'if-none-match: "0"' >/dev/null
}
case_navigation() {
    for path in audit fleet stream search bandwidth column about session; do
        gives 200 GET /console/$path --compressed -H 'accept: text/html,application/xhtml+xml,*/*;q=0.8'
        head_has 'content-type: text/html'
    done
}
case_data_takes_a_user() {
    for path in audit fleet stream search bandwidth column about session; do
        gives 401 GET /console/$path
        gives 401 GET /console/$path -b '__Host-fedhub=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    done
    gives 401 POST /console/links "${JSON[@]}"
    gives 401 DELETE /console/session -H 'x-fedlet-console: 1'
}

# ==== signing in ====
case_link() {
    local one
    says '^https://127.0.0.1:[0-9]+/console/#code=[A-Za-z0-9_-]{43}$' fedctl console --print
    says 'signs one browser in, once' fedctl console
    says '"url":' fedctl console -o json
    fails 2 'ttl takes a duration from 10s to 15m' fedctl console --ttl 20m
    fails 2 '--ttl takes a duration' fedctl console --ttl soon
    one=$(code)
    sign_in jar "{\"code\":\"$one\"}"
    head_has 'set-cookie: __Host-fedhub=[A-Za-z0-9_-]{43}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=28800'
    head_has 'cache-control: no-store'
    is fedlet:admin json "d['user']" GET /console/session $(with jar)
    is session json "d['method']" GET /console/session $(with jar)
    is certificate json "d['method']" GET /console/session "${ADMIN[@]}"
    gives 401 POST /console/session "${JSON[@]}" -d "{\"code\":\"$one\"}"
}
case_bad_sign_ins() {
    gives 400 POST /console/session "${JSON[@]}" -d '{}'
    gives 400 POST /console/session "${JSON[@]}" -d '{"code":"a","token":"b"}'
    gives 400 POST /console/session "${JSON[@]}" -d '{"code":"a","user":"fedlet:admin"}'
    gives 400 POST /console/session "${JSON[@]}" -d '{"code":["a"]}'
    gives 400 POST /console/session "${JSON[@]}" -d '{"code":'
    gives 413 POST /console/session "${JSON[@]}" -d "{\"code\":\"$(head -c 20000 /dev/zero | tr '\0' a)\"}"
    gives 415 POST /console/session -d '{"code":"a"}'
    gives 415 POST /console/session -H 'content-type: text/plain' -d '{"code":"a"}'
    gives 405 PUT /console/session "${JSON[@]}" -d '{}'
    for header in 'sec-fetch-site: cross-site' 'sec-fetch-site: same-site' 'origin: https://evil.example' 'origin: null'; do
        gives 403 POST /console/session "${JSON[@]}" -H "$header" -d "{\"code\":\"$(code)\"}"
    done
}
case_no_fixation() {
    gives 200 POST /console/session "${JSON[@]}" -b '__Host-fedhub=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' -d "{\"code\":\"$(code)\"}"
    head_has 'set-cookie: __Host-fedhub='
    never grep 'fedhub=AAAA' "$WORK/head"
    sign_in fixed "{\"code\":\"$(code)\"}"
    cp "$WORK/fixed" "$WORK/before"
    gives 200 POST /console/session "${JSON[@]}" $(with fixed) -c "$WORK/fixed" -d "{\"code\":\"$(code)\"}"
    gives 401 GET /console/session $(with before)
    gives 200 GET /console/session $(with fixed)
}
case_link_for_nobody_else() {
    gives 403 POST /console/links "${ADMIN[@]}" "${JSON[@]}" -H 'impersonate-user: ann'
    gives 400 POST /console/links "${ADMIN[@]}" "${JSON[@]}" -d '{"ttl_s":0}'
    gives 400 POST /console/links "${ADMIN[@]}" "${JSON[@]}" -d '{"user":"ann"}'
    gives 405 GET /console/links "${ADMIN[@]}"
}

# ==== writes with a cookie ====
ns() { printf '{"metadata":{"name":"%s"}}' "$1"; }
case_writes() {
    local origin
    origin=$(url '')
    gives 201 POST /api/v1/namespaces $(with jar) "${WRITE[@]}" -d "$(ns w1)"
    gives 201 POST /api/v1/namespaces $(with jar) "${WRITE[@]}" -H 'sec-fetch-site: same-origin' -d "$(ns w2)"
    gives 201 POST /api/v1/namespaces $(with jar) "${WRITE[@]}" -H "origin: $origin" -d "$(ns w3)"
    gives 200 GET /api/v1/namespaces $(with jar)
    says '"verb":"create","resource":"namespaces","name":"w1","code":201,"via":"console"' cat "$FLEET/hub/audit.log"
}
case_forged_writes() {
    gives 403 POST /api/v1/namespaces $(with jar) "${JSON[@]}" -d "$(ns f1)"
    gives 403 POST /api/v1/namespaces $(with jar) -H 'content-type: text/plain' -d "$(ns f1)"
    gives 403 POST /api/v1/namespaces $(with jar) -H 'content-type: application/x-www-form-urlencoded' -d "a=b"
    gives 403 POST /api/v1/namespaces $(with jar) -H 'x-fedlet-console: 0' "${JSON[@]}" -d "$(ns f1)"
    for method in POST PUT PATCH DELETE; do
        gives 403 $method /api/v1/namespaces/w1 $(with jar) "${JSON[@]}"
    done
    for header in 'sec-fetch-site: cross-site' 'sec-fetch-site: same-site' 'origin: https://evil.example' 'origin: null' \
        "origin: $(url '' | sed 's/^https/http/')" 'origin: https://127.0.0.1' 'origin: https://127.0.0.1.evil.example:7443'; do
        gives 403 POST /api/v1/namespaces $(with jar) "${WRITE[@]}" -H "$header" -d "$(ns f1)"
    done
    lacks hubctl get namespace f1
    hubctl get namespace w1
}
# A browser that has the certificate sends it for any site.
case_forged_with_certificate() {
    gives 403 POST /api/v1/namespaces "${ADMIN[@]}" "${JSON[@]}" -H 'sec-fetch-site: cross-site' -d "$(ns f2)"
    gives 403 POST /api/v1/namespaces "${ADMIN[@]}" "${JSON[@]}" -H 'origin: https://evil.example' -d "$(ns f2)"
    gives 403 DELETE /api/v1/namespaces/w1 "${ADMIN[@]}" -H 'origin: https://evil.example'
    gives 200 GET /api/v1/namespaces "${ADMIN[@]}" -H 'sec-fetch-site: cross-site'
    lacks hubctl get namespace f2
}

# ==== rights ====
case_viewer() {
    fedctl user add vera --role viewer -o "$WORK/vera.kubeconfig"
    sign_in vera "{\"token\":\"$(token_of "$WORK/vera.kubeconfig")\"}"
    is "system:serviceaccount:$SYSTEM:vera" json "d['user']" GET /console/session $(with vera)
    gives 200 GET /console/fleet $(with vera)
    gives 200 GET /console/search?q=x $(with vera)
    gives 200 GET /console/about $(with vera)
    gives 403 GET /console/audit $(with vera)
    says 'cannot get path \\"/console/audit' ask GET /console/audit $(with vera)
    gives 403 POST /api/v1/namespaces $(with vera) "${WRITE[@]}" -d "$(ns v1)"
    gives 403 DELETE $CLUSTERS/c1 $(with vera) "${WRITE[@]}"
    gives 201 POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews $(with vera) "${WRITE[@]}" \
        -d '{"spec":{"resourceAttributes":{"verb":"list","group":"core.kubefed.io","resource":"kubefedclusters"}}}'
}
case_no_rights() {
    hubctl -n shop create serviceaccount nobody
    sign_in nobody "{\"token\":\"$(hubctl -n shop create token nobody)\"}"
    gives 200 GET /console/session $(with nobody)
    for path in fleet stream search bandwidth column about; do
        gives 403 GET /console/$path $(with nobody)
        says 'cannot list resource \\"kubefedclusters' ask GET /console/$path $(with nobody)
    done
}
case_removed_user() {
    JAR=vera listen vera
    fedctl user remove vera
    gives 401 GET /console/fleet $(with vera)
    wait_for 20 "the end of vera's stream" over vera
}
# However much a stream has to say: its rights are looked at between.
case_busy_stream_ends_with_its_token() {
    touched_until_over() { hubctl -n shop annotate --overwrite federatedconfigmap busy at="$(date +%s%N)" >/dev/null; over busy; }
    hubctl -n shop create serviceaccount busy
    hubctl create clusterrolebinding busy --clusterrole=fedlet:viewer --serviceaccount=shop:busy
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedConfigMap\nmetadata: {name: busy, namespace: shop}\nspec: {template: {data: {a: b}}, placement: {clusters: []}}\n' | hubctl apply -f -
    sign_in busy "{\"token\":\"$(hubctl -n shop create token busy)\"}"
    JAR=busy listen busy
    hubctl -n shop delete serviceaccount busy
    wait_for 25 "the end of a busy stream" touched_until_over
    grep -q 'shop/busy' "$WORK/busy.stream"
    hubctl delete clusterrolebinding busy
}
# A link of a ServiceAccount's rests on its token.
case_link_of_token() {
    local token one
    hubctl -n shop create serviceaccount temp
    token=$(hubctl -n shop create token temp)
    one=$(json "d['code']" POST /console/links "${JSON[@]}" -H "authorization: Bearer $token")
    sign_in temp "{\"code\":\"$one\"}"
    one=$(json "d['code']" POST /console/links "${JSON[@]}" -H "authorization: Bearer $token")
    hubctl -n shop delete serviceaccount temp
    gives 401 GET /console/session $(with temp)
    gives 401 POST /console/session "${JSON[@]}" -d "{\"code\":\"$one\"}"
}
case_agent_has_none() {
    local name=agent
    openssl ecparam -name prime256v1 -genkey -noout -out "$WORK/$name.key" 2>/dev/null
    openssl req -new -key "$WORK/$name.key" -subj "/O=fedlet:agents/CN=cluster:x" -out "$WORK/$name.csr"
    openssl x509 -req -in "$WORK/$name.csr" -CA "$FLEET/hub/ca.crt" -CAkey "$FLEET/hub/ca.key" -days 1 -out "$WORK/$name.crt" \
        -extfile <(echo extendedKeyUsage=clientAuth) 2>/dev/null
    for path in fleet session audit; do
        gives 403 GET /console/$path --cert "$WORK/$name.crt" --key "$WORK/$name.key"
    done
    gives 403 POST /console/links --cert "$WORK/$name.crt" --key "$WORK/$name.key" "${JSON[@]}"
}

# ==== sessions ====
# A watch is not ended with its session: it is short.
case_short_watch() {
    gives 200 GET '/api/v1/namespaces?watch=true' $(with jar) | tail -n 1
    gives 200 GET '/api/v1/namespaces?watch=true&timeoutSeconds=3600' $(with jar) | tail -n 1
}
case_sign_out() {
    sign_in out "{\"code\":\"$(code)\"}"
    JAR=out listen out
    gives 403 DELETE /console/session $(with out)
    gives 200 DELETE /console/session $(with out) -H 'x-fedlet-console: 1'
    head_has 'set-cookie: __Host-fedhub=;.*Max-Age=0'
    WAIT_FLOOR=10 wait_for 10 "the end of the stream" over out # which looks at its rights each 15 s
    gives 401 GET /console/fleet $(with out)
    gives 200 GET /console/fleet $(with jar)
}
case_sign_out_everywhere() {
    local one
    sign_in here "{\"code\":\"$(code)\"}"
    sign_in there "{\"code\":\"$(code)\"}"
    one=$(code)
    gives 200 DELETE /console/session?all=true $(with here) -H 'x-fedlet-console: 1'
    gives 401 GET /console/session $(with there)
    gives 401 POST /console/session "${JSON[@]}" -d "{\"code\":\"$one\"}"
    sign_in jar "{\"code\":\"$(code)\"}"
}
case_many_sessions() {
    local i
    sign_in first "{\"code\":\"$(code)\"}"
    sign_in jar "{\"code\":\"$(code)\"}"
    for i in $(seq 15); do
        gives 200 GET /console/session $(with jar) >/dev/null
        sign_in "s$i" "{\"code\":\"$(code)\"}" >/dev/null
    done
    gives 401 GET /console/session $(with first)
    gives 200 GET /console/session $(with jar)
    gives 200 GET /console/session $(with s15)
}

# ==== the fleet and its stream ====
case_fleet() {
    cluster ghost '{"region":"north","tier":"web"}' | hubctl -n $SYSTEM create -f -
    soon 5 3 fleet_of ghost 1
    is '{"region": "north", "tier": "web"}' json \
        "{d['labelKeys'][l[i]]: d['strings'][l[i+1]] for c in d['clusters'] if c[0] == 'ghost' for l in [c[6]] for i in range(0, len(l), 2)}" \
        GET /console/fleet "${ADMIN[@]}"
}
case_fleet_etag() {
    local etag
    gives 200 GET /console/fleet "${ADMIN[@]}" >/dev/null
    etag=$(sed -n 's/^etag: *\([^\r]*\)\r*$/\1/Ip' "$WORK/head")
    gives 304 GET /console/fleet "${ADMIN[@]}" -H "if-none-match: $etag"
    gives 200 GET /console/fleet "${ADMIN[@]}" -H 'if-none-match: W/"1"' >/dev/null
    gives 405 POST /console/fleet "${ADMIN[@]}" "${JSON[@]}"
}
case_stream() {
    local since
    since=$(version)
    listen live "/console/stream?since=$since"
    never grep '^event: \(fleet\|reset\)' "$WORK/live.stream"
    cluster ghost2 '{}' | hubctl -n $SYSTEM create -f -
    wait_for 5 "who came" grep -qE '^data: \{"version":[0-9]+,"changes":.*"added":\[\[[0-9]+,"ghost2"\]\]' "$WORK/live.stream"
    wait_for 5 "its name" grep -q "^data: {\"resource\":\"kubefedclusters.core.kubefed.io\",.*$SYSTEM/ghost2" "$WORK/live.stream"
    hubctl -n $SYSTEM label kubefedcluster ghost2 tier=db
    wait_for 5 "its label" grep -q '"labels":\[\[[0-9]*,\["tier","db"\]\]\]' "$WORK/live.stream"
    hubctl -n $SYSTEM label kubefedcluster ghost2 tier-
    wait_for 5 "no label" grep -q '"labels":\[\[[0-9]*,\[\]\]\]' "$WORK/live.stream"
    cluster ghost3 '{}' | hubctl -n $SYSTEM create -f -
    wait_for 5 "who came" grep -q '"ghost3"\]\]' "$WORK/live.stream"
    hubctl -n $SYSTEM delete kubefedcluster ghost3
    wait_for 5 "who left" grep -q '"removed":\[[0-9]*\]' "$WORK/live.stream"
    never grep '^event: reset' "$WORK/live.stream"
    quiet live
}
# A page does not get to see comments: that the hub is there is an event.
case_stream_beats() {
    listen beats "/console/stream?since=$(version)"
    wait_for 25 "a beat" grep -q '^event: beat' "$WORK/beats.stream"
    quiet beats
}
# What came of it can be read at once; what ended in order is whole.
case_stream_as_gzip() {
    local i raw=$WORK/squeezed.raw
    told() { { zcat "$raw" 2>/dev/null || true; } | grep "$1" >"$WORK/squeezed.found"; } # it is cut off as long as it goes on
    sign_in squeezed "{\"code\":\"$(code)\"}"
    curl -sSN --cacert "$FLEET/hub/ca.crt" -b "$WORK/squeezed" -A "$SUITE" -H 'accept-encoding: gzip' -D "$WORK/squeezed.head" \
        "$(url "/console/stream?since=$(version)")" >"$raw" 2>"$WORK/squeezed.err" </dev/null &
    echo $! >"$WORK/squeezed.pid"
    wait_for 10 "the stream" told '^retry'
    grep -qi '^content-encoding: gzip' "$WORK/squeezed.head"
    for i in $(seq 40); do cluster "many-$i" '{"region":"north"}'; echo; done | hubctl -n $SYSTEM create -f - >/dev/null
    wait_for 10 "the last of them" told '"many-40"'
    hubctl -n $SYSTEM delete kubefedclusters $(seq -f 'many-%g' 40) >/dev/null
    wait_for 10 "that they left" told '"removed":\['
    gives 200 DELETE /console/session $(with squeezed) -H 'x-fedlet-console: 1'
    wait_for 5 "the end of the stream" over squeezed
    gzip -t <"$raw"
    [ "$(stat -c %s "$raw")" -lt "$(zcat "$raw" | wc -c)" ] # short pieces are stored as they are
    ! zcat "$raw" | grep '^event: reset'
}
case_stream_begins_anew() {
    listen none
    wait_for 5 "a reset" grep -q '^event: reset' "$WORK/none.stream"
    quiet none
    listen old "/console/stream?since=17"
    wait_for 5 "a reset" grep -q '^event: reset' "$WORK/old.stream"
    quiet old
    listen new "/console/stream" -H "last-event-id: $(($(version) + 1000))"
    wait_for 5 "a reset" grep -q '^event: reset' "$WORK/new.stream"
    quiet new
}
case_stream_names_what_may_be_listed() {
    hubctl -n shop create serviceaccount half
    hubctl create clusterrole fleet-only --verb=list --resource=kubefedclusters.core.kubefed.io
    hubctl create clusterrolebinding half-fleet --clusterrole=fleet-only --serviceaccount=shop:half
    hubctl -n shop create rolebinding half --clusterrole=view --serviceaccount=shop:half
    hubctl -n shop create role fed --verb=list,get --resource=federatedconfigmaps.types.kubefed.io
    hubctl -n shop create rolebinding fed --role=fed --serviceaccount=shop:half
    sign_in half "{\"token\":\"$(hubctl -n shop create token half)\"}"
    JAR=half listen half
    listen whole
    for place in other shop; do
        printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedConfigMap\nmetadata: {name: seen-%s, namespace: %s}\nspec: {template: {data: {a: b}}, placement: {clusters: []}}\n' $place $place |
            hubctl apply -f -
    done
    wait_for 5 "all for the admin" grep -q 'other/seen-other' "$WORK/whole.stream"
    wait_for 5 "its own for half" grep -q 'shop/seen-shop' "$WORK/half.stream"
    never grep 'seen-other' "$WORK/half.stream"
    hubctl delete clusterrolebinding half-fleet
    wait_for 10 "the end of half's stream" over half
    quiet whole
}
case_many_streams() {
    local i
    for i in $(seq 32); do
        listen "m$i"
    done
    gives 503 GET /console/stream $(with jar)
    head_has 'retry-after: [0-9]'
    gives 200 GET /console/fleet $(with jar) >/dev/null
    for i in $(seq 32); do quiet "m$i"; done
    room() { listen again && quiet again; }
    wait_for 10 "room for a stream" room
}

# ==== with an agent ====
case_agent() {
    member_up cluster1
    agent_join cluster1 "$(fedctl token create)" --label region=south
    agent_start cluster1
    soon 60 0 fleet_of cluster1 1
    soon 60 0 fleet_of cluster1 2
}
case_delivery() {
    printf '%s\n' 'apiVersion: v1' 'kind: Namespace' 'metadata: {name: fed, labels: {federated: "true"}}' --- \
        'apiVersion: types.kubefed.io/v1beta1' 'kind: FederatedConfigMap' 'metadata: {name: good, namespace: fed}' \
        'spec: {template: {data: {a: b}}, placement: {clusters: [{name: cluster1}]}}' --- \
        'apiVersion: types.kubefed.io/v1beta1' 'kind: FederatedService' 'metadata: {name: bad, namespace: fed}' \
        'spec: {template: {spec: {ports: [{port: 99999}]}}, placement: {clusters: [{name: cluster1}]}}' | hubctl apply -f -
    soon 60 5 fleet_of cluster1 2
    is 1 fleet_of cluster1 5
    listen heal "/console/stream?since=$(version)"
    hubctl -n fed delete federatedservice bad --timeout=90s
    wait_for 30 "a change" grep -q '^event: fleet' "$WORK/heal.stream"
    soon 30 0 fleet_of cluster1 2
    wait_for 10 "in sync" grep -qE '"changes":\[.*\[[0-9]+,0,0,[0-9]+,0,0\]' "$WORK/heal.stream"
    quiet heal
}
# What was missed between two streams comes with the second one.
case_resume() {
    local id
    listen first "/console/stream?since=$(version)"
    agent_stop cluster1
    wait_for 60 "offline" grep -qE '"changes":\[.*\[[0-9]+,2,' "$WORK/first.stream"
    quiet first
    id=$(sed -n 's/^id: //p' "$WORK/first.stream" | tail -n 1)
    agent_start cluster1
    soon 60 0 fleet_of cluster1 1
    listen second /console/stream -H "last-event-id: $id"
    wait_for 5 "what was missed" grep -qE '^data: \{"version":[0-9]+,"changes":\[.*\[[0-9]+,0,' "$WORK/second.stream"
    never grep '^event: reset' "$WORK/second.stream"
    quiet second
}
case_columns() {
    is true json "sorted(d) == ['begun', 'ids', 'of', 'strings', 'values', 'version'] and len(d['ids']) == len(d['values']) > 0" \
        GET "/console/column?of=bytes" $(with jar)
    soon 10 true json "max(d['values']) > 100" GET "/console/column?of=bytes" $(with jar)
    soon 10 true json "0 in d['values']" GET "/console/column?of=behind" $(with jar)
    is true json "[s.startswith('v1.') for s in d['strings']] == [True] and 0 in d['values']" GET "/console/column?of=kubernetes" $(with jar)
    is true json "len(d['strings']) == 1" GET "/console/column?of=agent" $(with jar)
    is "$(json "d['begun']" GET /console/fleet $(with jar))" json "d['begun']" GET "/console/column?of=agent" $(with jar)
    gives 400 GET "/console/column?of=colour" $(with jar)
    gives 405 POST "/console/column?of=bytes" $(with jar) -H 'X-Fedlet-Console: 1'
}
case_bandwidth() {
    soon 10 true json "sum(s['from'][-1] + s['to'][-1] for s in d['series']) > 1000" GET /console/bandwidth $(with jar)
    is cluster1 json "d['top'][0]['name']" GET /console/bandwidth $(with jar)
    is true json "d['month']['to_bytes'] > 100" GET "/console/bandwidth?cluster=cluster1" $(with jar)
    is true json "d['step_s'] == 900 and len(d['series'][0]['to']) == 1 and d['series'][0]['to'][-1] > 100 and d['series'][0]['from'][-1] > 100" \
        GET "/console/bandwidth?cluster=cluster1" $(with jar)
    is 0 json "d['series'][0]['from'][-1]" GET "/console/bandwidth?cluster=ghost" $(with jar)
    gives 404 GET "/console/bandwidth?cluster=none" $(with jar)
}
case_about() {
    is true json "d['store_bytes'] > 4096 and d['sessions'] == 1 and d['settings']['heartbeat-s'] == 10 and d['ca_until_unix_s'] > d['server_certificate_until_unix_s']" \
        GET /console/about $(with jar)
    ! ask GET /console/about $(with jar) | grep -iE 'secret|private|BEGIN|token'
}
found() { json "','.join(c['name'] for c in d['clusters']) + '|' + ','.join(o['name'] for o in d['objects'])" GET "/console/search?q=$1" $(with "${2:-jar}"); }
case_search() {
    is 'cluster1|' found cluster
    is 'ghost,ghost2|' found 'ghost*'
    is 'ghost2|' found '*2'
    is 'ghost|' found region%3Dnorth
    is 'cluster1,ghost|' found 'region+in+(north,+south)'
    is 'ghost2|' found '!region'
    is 'ghost,ghost2|' found state:never
    is 'ghost|' found 'state:never+tier%3Dweb'
    is '|good' found 'ns:fed+kind:configmaps+goo'
    is '|' found nothing-has-this-name
    is '|good' found good
    for bad in state:red who:me 'a=b=c' 'region+in+(' %zz; do
        gives 400 GET "/console/search?q=$bad" $(with jar)
    done
    gives 400 GET "/console/search?q=$(head -c 1100 /dev/zero | tr '\0' a)" $(with jar)
    gives 400 GET "/console/search?q=a&limit=0" $(with jar)
    gives 400 GET "/console/search?q=a&limit=201" $(with jar)
}

# ==== rights in one namespace ====
case_namespaces() {
    hubctl create namespace apart
    hubctl -n apart create serviceaccount una
    hubctl -n apart create role reads --verb=get,list --resource=rollouts.fedlet.io
    hubctl -n apart create rolebinding una --role=reads --serviceaccount=apart:una
    hubctl -n default create rolebinding all-of-apart --clusterrole=fedlet:viewer --group=system:serviceaccounts:apart
    sign_in una "{\"token\":\"$(hubctl -n apart create token una)\"}"
    is 'apart default' json "' '.join(d['namespaces'])" GET /console/session $(with una)
    is '[]' json "d['namespaces']" GET /console/session "${ADMIN[@]}"
    hubctl -n default delete rolebinding all-of-apart
    is 'apart' json "' '.join(d['namespaces'])" GET /console/session $(with una)
}

# ==== the audit log ====
pages() { # pages QUERY: every record's name, newest first, through all pages of 50
    python3 - "$(url /console/audit)" "$FLEET/hub/ca.crt" "$WORK/admin" "$1" <<'PY'
import json, ssl, sys, urllib.request
base, ca, cert, query = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(cert + ".crt", cert + ".key")
cursor, n = None, 0
while n < 1000:
    url = f"{base}?limit=50&{query}" + (f"&before={cursor}" if cursor else "")
    page = json.load(urllib.request.urlopen(url, context=context))
    assert len(page["records"]) <= 50
    for record in page["records"]:
        print(record["time"], record.get("name", ""))
    cursor, n = page["next"], n + 1
    if not cursor:
        break
PY
}
case_audit() {
    gives 200 GET '/console/audit?limit=2' "${ADMIN[@]}"
    is 2 json "len(d['records'])" GET '/console/audit?limit=2' "${ADMIN[@]}"
    for i in $(seq 300); do printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a%03d, namespace: other}\n---\n' "$i"; done | hubctl create -f - >/dev/null
    pages 'resource=configmaps&verb=create&user=fedlet:admin' >"$WORK/pages"
    is "$(seq -f 'a%03.0f' 300 -1 1)" awk '$2 ~ /^a[0-9]+$/ {print $2}' "$WORK/pages"
    sort -r -c -k1,1 "$WORK/pages"
    is a123 awk '{print $2}' <<<"$(pages 'q=%22A123%22')"
    ls "$FLEET/hub/audit.log.1" # the pages went over more than one file
}
# A place stays where it was when the file gets another number.
# verified FIELD: of the whole log, part by part, as the page adds it up.
verified() {
    python3 - "$(url /console/audit/verify)" "$FLEET/hub/ca.crt" "$WORK/admin" "$1" <<'PY'
import json, ssl, sys, urllib.parse, urllib.request
url, ca, cert, field = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(cert + ".crt", cert + ".key")
sums, place = {"records": 0, "unchained": 0, "breaks": 0, "parts": 0, "broken": []}, None
while True:
    query = "?from=" + urllib.parse.quote(place) if place else ""
    part = json.load(urllib.request.urlopen(url + query, context=context))
    for name in sums:
        sums[name] += 1 if name == "parts" else part[name]
    place = part["next"]
    if place is None:
        break
print(sums[field] if field != "broken" else " ".join(b["file"] + ":" + b["why"] for b in sums[field]))
PY
}
case_audit_chain() {
    is 0 verified breaks
    is 0 verified unchained
    is "$(cat "$FLEET"/hub/audit.log* | grep -c .)" verified records
    gives 400 GET '/console/audit/verify?from=0-1' "${ADMIN[@]}"
    gives 400 GET '/console/audit/verify?from=0-0-0123456789abcdef-12' "${ADMIN[@]}"
    gives 410 GET '/console/audit/verify?from=0-0-0123456789abcdef-' "${ADMIN[@]}"
    gives 405 POST /console/audit/verify "${ADMIN[@]}" "${WRITE[@]}"
    gives 403 GET /console/audit/verify $(with una)
    wait_for 5 "the record of that, written behind the answer" says '"path":"/console/audit/verify".*"code":403' tail -n 1 "$FLEET/hub/audit.log"
    # With nothing but a shell, as docs/access.md says it.
    local last before record
    last=$(tail -n 1 "$FLEET/hub/audit.log")
    before=$(tail -n 2 "$FLEET/hub/audit.log" | sed -n 1p | sed 's/.*"chain":"\([0-9a-f]*\)"}$/\1/')
    record=$(sed 's/,"chain":"[0-9a-f]*"}$/}/' <<<"$last")
    is "$(sed 's/.*"chain":"\([0-9a-f]*\)"}$/\1/' <<<"$last")" eval 'printf %s "$before$record" | sha256sum | cut -c1-32'
    # Somebody who may write the files takes a record out of one, and the end off the other.
    sed -i 5d "$FLEET/hub/audit.log.1"
    is 1 verified breaks
    says 'audit.log.1:this record was changed' verified broken
    cp "$FLEET/hub/audit.log" "$WORK/whole.log"
    sed '$d' "$WORK/whole.log" >"$FLEET/hub/audit.log"
    is 2 verified breaks
    says 'audit.log:the end is not what the hub wrote last' verified broken
    cat "$WORK/whole.log" >"$FLEET/hub/audit.log"
    is 1 verified breaks
    # Or all of one: the break is behind it.
    mv "$FLEET/hub/audit.log.1" "$WORK/out.log"
    ls "$FLEET/hub/audit.log.2"
    is 1 verified breaks
    says 'audit.log:this record was changed' verified broken
    : >"$FLEET/hub/audit.log.1"
    is 1 verified breaks
    mv "$WORK/out.log" "$FLEET/hub/audit.log.1"
    is 1 verified breaks
}
case_chain_goes_on() {
    hubctl create namespace behind
    is 1 verified breaks
}
case_audit_rotates() {
    local next
    next=$(json "d['next']" GET '/console/audit?limit=5&resource=configmaps' "${ADMIN[@]}")
    json "' '.join(r['name'] for r in d['records'])" GET "/console/audit?limit=5&resource=configmaps&before=$next" "${ADMIN[@]}" >"$WORK/place"
    for i in $(seq 250); do printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: s%03d, namespace: other}\n---\n' "$i"; done | hubctl create -f - >/dev/null
    is "$(cat "$WORK/place")" json "' '.join(r['name'] for r in d['records'])" GET "/console/audit?limit=5&resource=configmaps&before=$next" "${ADMIN[@]}"
    gives 410 GET '/console/audit?before=0-100-0123456789abcdef' "${ADMIN[@]}"
    for bad in x 0-1 0-1-2 9999-1-0123456789abcdef 0-99999999999999999999-0123456789abcdef ../../etc/passwd; do
        gives 400 GET "/console/audit?before=$bad" "${ADMIN[@]}"
    done
    gives 400 GET '/console/audit?limit=501' "${ADMIN[@]}"
}

# ==== guesses, secrets, restarts ====
case_guesses() {
    local i
    for i in $(seq 30); do
        ask POST /console/session "${JSON[@]}" --interface 127.0.0.9 -d '{"code":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}' | tail -n 1
    done | sort | uniq -c | tee "$WORK/guesses"
    grep -q '10 401' "$WORK/guesses"
    grep -q '20 429' "$WORK/guesses"
    head_has 'retry-after: [0-9]'
    gives 429 POST /console/session "${JSON[@]}" --interface 127.0.0.9 -d "{\"code\":\"$(code)\"}"
    gives 200 POST /console/session "${JSON[@]}" --interface 127.0.0.8 -d "{\"code\":\"$(code)\"}"
}
case_no_secrets() {
    local one cookie
    one=$(code)
    sign_in secret "{\"code\":\"$one\"}"
    cookie=$(awk '/__Host-fedhub/ {print $NF}' "$WORK/secret")
    [ ${#cookie} -eq 43 ]
    gives 200 GET /console/fleet $(with secret) >/dev/null
    ! grep -rlaF -e "$one" -e "$cookie" "$FLEET/hub" "$FLEET/logs"
}
metric() { sed -n "s/^fedhub_console_$1 //p" "$WORK/metrics"; } # metric 'NAME{LABELS}', of the last scrape
scrape() { ask GET /metrics "${ADMIN[@]}" | sed '$d' >"$WORK/metrics"; }
streams() { scrape && metric streams; }
stream_bytes() { scrape && is $(($1 + $(stat -c %s "$WORK/counted.stream"))) metric stream_bytes_total; }
case_metrics() {
    local before
    scrape
    # The empty line is that between body and code, as ask writes them.
    never grep -vE '^(|# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.]+(e[+-][0-9]+)?)$' "$WORK/metrics"
    [ "$(metric sessions)" -gt 1 ]
    [ "$(metric 'sign_ins_total{result="accepted"}')" -gt 30 ]
    [ "$(metric 'sign_ins_total{result="wrong"}')" -ge 10 ]
    is 21 metric 'sign_ins_total{result="turned_away"}'
    [ "$(metric 'requests_total{code="5xx",path="stream"}')" -ge 1 ]
    [ "$(metric 'requests_total{code="2xx",path="page"}')" -gt 5 ]
    [ "$(metric 'requests_total{code="4xx",path="fleet"}')" -gt 2 ]
    soon 10 0 streams
    before=$(metric stream_bytes_total)
    listen counted "/console/stream?since=$(version)"
    soon 10 1 streams
    is $((before + 13)) metric stream_bytes_total # retry: 3000
    hubctl -n $SYSTEM label --overwrite kubefedcluster ghost tier=counted
    wait_for 5 "a label" grep -q counted "$WORK/counted.stream"
    wait_for 5 "who was touched" grep -q '^event: touched' "$WORK/counted.stream"
    wait_for 5 "as many bytes counted as came" stream_bytes "$before" # a beat may come between
    quiet counted
    soon 10 0 streams
    hubctl -n $SYSTEM label --overwrite kubefedcluster ghost tier=web
}
case_restart() {
    local id
    id=$(version)
    listen through "/console/stream?since=$id"
    hub_stop
    wait_for 10 "the end of the stream" over through
    hub_start "${HUB_FLAGS[@]}"
    gives 401 GET /console/fleet $(with jar)
    sign_in jar "{\"code\":\"$(code)\"}"
    listen after /console/stream -H "last-event-id: $id"
    wait_for 5 "a reset" grep -q '^event: reset' "$WORK/after.stream"
    quiet after
}

must "setup" case_setup
try "the page: headers" case_page
try "the page: paths" case_page_paths
if [ -n "$(asset)" ]; then
    try "the page: assets" case_assets
else
    skip "the page: assets" "the console is not in this build: console/build console/dist"
fi
try "a browser that goes to a path of data gets the page" case_navigation
try "data takes a user" case_data_takes_a_user
must "a link signs in once; the cookie's attributes" case_link
try "sign-ins that do not count" case_bad_sign_ins
try "a sign-in makes another cookie" case_no_fixation
try "a link is for who makes it" case_link_for_nobody_else
try "writes of the console" case_writes
try "writes that a cookie alone makes" case_forged_writes
try "writes that a browser's certificate alone makes" case_forged_with_certificate
try "a viewer" case_viewer
try "a user without rights" case_no_rights
try "a removed user's session and stream end" case_removed_user
try "a stream that has much to say ends with its token" case_busy_stream_ends_with_its_token
try "a link rests on its maker's token" case_link_of_token
try "an agent's certificate" case_agent_has_none
try "a watch is short" case_short_watch
try "signing out ends the stream" case_sign_out
try "signing out everywhere" case_sign_out_everywhere
try "many sessions of one user" case_many_sessions
try "the fleet" case_fleet
try "the fleet: etag" case_fleet_etag
try "the stream tells of clusters" case_stream
try "a stream says that the hub is there" case_stream_beats
try "the stream as gzip" case_stream_as_gzip
try "the stream: no version, unknown ones" case_stream_begins_anew
try "the stream names what may be listed, and ends with the right" case_stream_names_what_may_be_listed
try "many streams of one user" case_many_streams
must "an agent: online, in sync" case_agent
try "a work that fails, and is well again" case_delivery
try "the stream resumes" case_resume
try "bandwidth" case_bandwidth
try "columns: one more figure of each cluster" case_columns
try "about" case_about
try "search" case_search
try "whoever has rights in one namespace is told in which" case_namespaces
try "the audit log in pages" case_audit
try "the audit log rotates between two pages" case_audit_rotates
try "the audit log's chain: what was taken out of it is found" case_audit_chain
try "guesses" case_guesses
try "no secret in files and logs" case_no_secrets
try "metrics" case_metrics
try "a restart" case_restart
try "the audit log's chain goes on over a restart" case_chain_goes_on
suite_end
