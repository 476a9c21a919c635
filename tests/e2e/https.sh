#!/usr/bin/env bash
# https.sh - the hub's HTTPS port: a small agent that was written from docs/protocol.md joins there, prints its bundle and reports;
# every resource as every peer; wrong identities; slow, silent and deaf peers; ranges; and the hub's restart.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
WORK=$FLEET/work
mkdir -p "$WORK"
SYSTEM=kube-federation-system
PLACEMENT=$EVERYWHERE
agent() { timeout -k 5 900 "$ROOT/tests/wire/protocol/agent.py" "$@"; }
edit_token() { "$ROOT/tests/e2e/token.py" "$@"; }
port() { cut -d' ' -f3 "$FLEET/hub.ports"; }
peer() { # peer VERB ARGS...: at the hub's port
    local verb=$1
    shift
    timeout -k 5 900 "$ROOT/tests/e2e/https_peer.py" "$verb" "$(port)" "$@"
}
ask() { # ask METHOD PATH [OPTION=VALUE]...: status and body of a resource
    local method=$1 path=$2
    shift 2
    peer ask "$method" "/fedlet/v1/$path" "$@"
}
as() { echo "cert=$WORK/$1/cert.pem" "key=$WORK/$1/key.pem"; } # as CLUSTER: options of ask
# more_lines NUMBER PATTERN FILE: it has more than so many.
more_lines() { [ "$(grep -c -- "$2" "$3")" -gt "$1" ]; }
# logs_once PATTERN COMMAND...: the hub logs exactly one more such line.
logs_once() {
    local pattern=$1 before
    shift
    before=$(grep -c -- "$pattern" "$FLEET/logs/hub.err" || true)
    "$@"
    wait_for 10 "a line like $pattern" more_lines "$before" "$pattern" "$FLEET/logs/hub.err"
    ! more_lines $((before + 1)) "$pattern" "$FLEET/logs/hub.err"
}

# ---- a small agent ----
case_addresses() {
    # Those by CoAP first, as agents try them in order.
    is "coaps://127.0.0.1:$(cut -d' ' -f2 "$FLEET/hub.ports") https://127.0.0.1:$(port)" edit_token "$(fedctl token create)" print=addresses
    grep -q "^fedhub: ready .* agents=https://127.0.0.1:$(port)$" "$FLEET/logs/hub.out"
}
case_join() {
    local token
    token=$(fedctl token create)
    says '^joined as py$' agent join "$WORK/py" py "$token"
    is Approved hub_jsonpath $SYSTEM joinrequest py '{.status.state}'
    is 600 stat -c %a "$WORK/py/key.pem"
    # The same again is the same answer, and costs no use.
    says '^joined as py$' agent join "$WORK/py" py "$token"
    # The secret is not what a stranger can read from the request.
    says '^bundle [0-9]+ of epoch [0-9]+: 0 works$' agent bundle "$WORK/py"
}
case_report() {
    federated FederatedNamespace shop shop '{}' | { hubctl create namespace shop; hubctl apply -f -; }
    federated FederatedConfigMap shop settings '{data: {k: "v"}}' | hubctl apply -f -
    wait_for 20 "both works" says 'v1/ConfigMap/shop/settings .*"k":"v"' agent bundle "$WORK/py"
    says '^v1/Namespace//shop ' agent bundle "$WORK/py"
    says '^reported bundle [0-9]+$' agent report "$WORK/py"
    soon 20 True ready_word py
    says 'v0.0.0-python' hubctl -n $SYSTEM get kubefedcluster py -o yaml
    soon 20 'True ' propagation shop federatedconfigmap settings
    is '' cluster_word shop federatedconfigmap settings py status
    says '^py .*True' hubctl -n $SYSTEM get kubefedclusters py --no-headers
    # What failed is said by kubectl, with the agent's words.
    agent report "$WORK/py" "this member is a piece of paper"
    soon 20 CreationFailed cluster_word shop federatedconfigmap settings py status
    says 'a piece of paper' hubctl -n shop get federatedconfigmap settings -o yaml
    agent report "$WORK/py"
    soon 20 'True ' propagation shop federatedconfigmap settings
}
case_follow() {
    local i
    agent follow "$WORK/py" 4 >"$WORK/follow.out" 2>&1 &
    echo $! >"$FLEET/follow.pid"
    wait_for 20 "the first bundle" grep -q '^reported' "$WORK/follow.out"
    for i in 1 2 3; do
        federated FederatedConfigMap shop settings "{data: {k: \"v$i\"}}" | hubctl apply -f -
        wait_for 20 "change $i" grep -q "\"k\":\"v$i\"" "$WORK/follow.out"
        wait_for 20 "its report" more_lines "$i" '^reported' "$WORK/follow.out"
    done
    wait_for 20 "the end" process_gone "$FLEET/follow.pid"
    soon 20 'True ' propagation shop federatedconfigmap settings
    grep -q 'cluster py connected by https from 127.0.0.1:' "$FLEET/logs/hub.err"
}
process_gone() { ! process_alive "$(cat "$1")"; }
case_not_joined() {
    local token
    token=$(fedctl token create)
    fails 1 'not the hub of the token' agent join "$WORK/no" no "$(edit_token "$token" pin="$(printf '11%.0s' $(seq 32))")"
    fails 1 '403 the proof does not fit the token' agent join "$WORK/no" no "$(edit_token "$token" secret=00112233445566778899aabbccddeeff00112233)"
    fails 1 '403 ' agent join "$WORK/no" no "$(edit_token "$token" id=unknownid)"
    fails 1 '409 .*exists already|409 .*taken' agent join "$WORK/no" py "$token"
    fails 1 '403 .*for cluster only-me only' agent join "$WORK/no" no "$(fedctl token create --name only-me)"
    lacks hubctl -n $SYSTEM get kubefedcluster no
    says '^joined' agent join "$WORK/no" no "$token"
    fails 1 '403 .*used up' agent join "$WORK/no2" no2 "$token"
}

# ---- who may do what ----
case_resources() {
    local path me
    me=$(as py)
    for path in h 'b?e=0&r=0' k p; do
        # shellcheck disable=SC2086
        says '^20[04] ' ask GET "$path" $me
    done
    # shellcheck disable=SC2086
    {
        says '^400 query is' ask GET b $me
        says '^400 ' ask POST s $me body=10
        says '^403 ' ask POST j $me body=10
        says '^404 no such resource' ask GET nothing $me
        says '^404 no such resource' peer ask GET /h $me
        says '^404 no such resource' peer ask GET /api/v1/namespaces $me
        says '^405 ' ask POST h $me
        says '^405 ' ask PUT h $me
        says '^405 GET, POST' ask DELETE h $me show=allow
        says '^413 ' ask POST s $me body=65537
        says '^431 ' ask GET h $me "header.x-long=$(head -c 9000 /dev/zero | tr '\0' x)"
        says '^400 one header fedlet-session' ask GET h $me session=none
        says '^400 one header fedlet-session' ask GET h $me session=0123
        says '^400 fedlet-observe' ask GET 'b?e=0&r=0' $me header.fedlet-observe=poll
        says '^204 ' ask GET p $me tls=1.2
    }
    says '^200 ' ask GET k "cert=$WORK/py/cert.pem" "key=$WORK/py/key.pem" tls=1.2
}
case_nobody() {
    local path
    is '204 ' ask GET p
    for path in h 'b?e=0&r=0' k nothing; do
        says '^401 a certificate is needed' ask GET "$path"
    done
    says '^401 ' ask POST s body=10
    says '^401 ' peer ask GET /api/v1/secrets
    says '^400 ' ask POST j body=10
    # Once for a session, however often it asks.
    logs_once 'request for "h" refused: a certificate is needed' ask GET h times=5
}

# ---- wrong identities ----
sign() { # sign NAME SUBJECT USAGE CA_CERT CA_KEY [FLAGS...]: a key and a certificate in $WORK/NAME
    local name=$1 subject=$2 usage=$3 ca=$4 key=$5
    shift 5
    mkdir -p "$WORK/$name"
    openssl ecparam -name prime256v1 -genkey -noout -out "$WORK/$name/key.pem"
    openssl req -new -key "$WORK/$name/key.pem" -subj "$subject" -out "$WORK/$name/csr.pem"
    printf 'extendedKeyUsage=%s\n' "$usage" >"$WORK/$name/extensions"
    openssl x509 -req -in "$WORK/$name/csr.pem" -CA "$ca" -CAkey "$key" -set_serial "0x$(openssl rand -hex 8)" \
        -extfile "$WORK/$name/extensions" -out "$WORK/$name/cert.pem" "$@" 2>/dev/null
}
not_shaken() { # not_shaken NAME REASON: the handshake fails, and is logged once with the reason
    local tls
    for tls in 1.3 1.2; do
        # shellcheck disable=SC2046
        logs_once "https: handshake with .* refused: .*$2" is refused ask GET h $(as "$1") tls=$tls
    done
}
not_served() { # not_served NAME REASON: 403 for every resource, logged once for the session
    local path
    for path in h 'b?e=0&r=0' k nothing; do
        # shellcheck disable=SC2046
        says '^403 ' ask GET "$path" $(as "$1")
    done
    # shellcheck disable=SC2046
    {
        says '^403 ' ask POST s $(as "$1") body=10
        says '^403 ' ask POST j $(as "$1") body=10
        logs_once "request for \"h\" refused: .*$2" ask GET h $(as "$1") times=4
    }
}
case_strangers() {
    local hub=$FLEET/hub
    mkdir -p "$WORK/otherca"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$WORK/otherca/key.pem" \
        -out "$WORK/otherca/cert.pem" -subj "/CN=fedlet hub CA 00000000" -days 9 2>/dev/null
    sign other "/CN=py/O=fedlet:agents" clientAuth "$WORK/otherca/cert.pem" "$WORK/otherca/key.pem" -days 9
    not_shaken other 'unknown CA'
    not_shaken otherca 'unknown CA' # signed by itself
    sign server "/CN=py/O=fedlet:agents" serverAuth "$hub/ca.crt" "$hub/ca.key" -days 9
    not_shaken server 'extendedKeyUsage'
    mkdir -p "$WORK/hub"
    cp "$hub/server.crt" "$WORK/hub/cert.pem"
    cp "$hub/server.key" "$WORK/hub/key.pem"
    not_shaken hub 'extendedKeyUsage'
}
case_others_of_the_ca() {
    local hub=$FLEET/hub
    sign forged "/CN=py/O=fedlet:agents" clientAuth "$hub/ca.crt" "$hub/ca.key" -days 9
    not_served forged 'another key is recorded for cluster py'
    sign unknown "/CN=nobody-knows/O=fedlet:agents" clientAuth "$hub/ca.crt" "$hub/ca.key" -days 9
    not_served unknown 'cluster nobody-knows is not registered'
    sign guest "/CN=py/O=guests" clientAuth "$hub/ca.crt" "$hub/ca.key" -days 9
    not_served guest "not an agent's"
    # Without the key of the cluster, one that has ended is worth no more.
    sign expired "/CN=py/O=fedlet:agents" clientAuth "$hub/ca.crt" "$hub/ca.key" -days -1
    not_served expired 'another key is recorded for cluster py'
    mkdir -p "$WORK/admin"
    python3 - "$FLEET/hub/admin.kubeconfig" "$WORK/admin" <<'P'
import base64, re, sys
text = open(sys.argv[1]).read()
for key, name in (("client-certificate-data", "cert.pem"), ("client-key-data", "key.pem")):
    data = re.search(key + r'"?: *"?([A-Za-z0-9+/=]+)', text)[1]
    open(f"{sys.argv[2]}/{name}", "wb").write(base64.b64decode(data))
P
    not_served admin "not an agent's"
}
case_ended() {
    # A certificate that has ended is for getting a new one, if its key is the cluster's.
    local hub=$FLEET/hub path
    mkdir -p "$WORK/ended"
    cp "$WORK/py/key.pem" "$WORK/ended/"
    openssl req -new -key "$WORK/py/key.pem" -subj "/CN=py/O=fedlet:agents" -out "$WORK/ended/csr.pem"
    printf 'extendedKeyUsage=clientAuth\n' >"$WORK/ended/extensions"
    openssl x509 -req -in "$WORK/ended/csr.pem" -CA "$hub/ca.crt" -CAkey "$hub/ca.key" -set_serial 0x1234 -days -1 \
        -extfile "$WORK/ended/extensions" -out "$WORK/ended/cert.pem" 2>/dev/null
    # shellcheck disable=SC2046
    {
        for path in h 'b?e=0&r=0' k nothing; do says '^401 the certificate has ended' ask GET "$path" $(as ended); done
        says '^401 ' ask POST s $(as ended) body=10
        says '^200 application/json' ask POST c $(as ended) show=content-type
        says 'BEGIN CERTIFICATE' ask POST c $(as ended)
    }
    says '^bundle' agent bundle "$WORK/py"
}
case_revoked() {
    says '^joined' agent join "$WORK/gone" gone "$(fedctl token create)"
    # shellcheck disable=SC2046
    says '^200 ' ask GET h $(as gone)
    agent follow "$WORK/gone" 99 >"$WORK/gone.out" 2>&1 &
    echo $! >"$FLEET/gone.pid"
    wait_for 20 "its bundle" grep -q '^reported' "$WORK/gone.out"
    hubctl -n $SYSTEM delete joinrequest gone
    wait_for 20 "the end of its session" process_gone "$FLEET/gone.pid"
    grep -q 'the observation ended' "$WORK/gone.out"
    not_served gone 'no key is recorded for cluster gone'
}
case_replaced() {
    local id
    agent follow "$WORK/py" 99 >"$WORK/old.out" 2>&1 &
    echo $! >"$FLEET/old.pid"
    wait_for 20 "its bundle" grep -q '^reported' "$WORK/old.out"
    id=$(sed -n 's/^session //p' "$WORK/old.out")
    # A newer session of the cluster ends the older one, in order.
    # shellcheck disable=SC2046
    says '^200 ' ask GET h $(as py)
    wait_for 20 "the end of the older one" process_gone "$FLEET/old.pid"
    grep -q 'the observation ended' "$WORK/old.out"
    grep -q 'cluster py connected by https .* in place of its older session' "$FLEET/logs/hub.err"
    # Its id is not taken again: two that take turns would end each other for ever. Another certificate is another session.
    # shellcheck disable=SC2046
    {
        is '401 session ended' ask GET h $(as py) "session=$id"
        says '^401 a certificate is needed' ask GET h "session=$id"
        says '^200 ' ask GET h $(as py)
    }
}

# ---- slow, silent and deaf peers ----
quick() { # quick: the hub answers within a second, though the machine is busy
    local since
    since=$(now_ms)
    # shellcheck disable=SC2046
    says '^200 ' ask GET h $(as py)
    [ $(($(now_ms) - since)) -lt 15000 ]
}
case_mute() {
    peer mute 60 40 40 75 >"$WORK/mute.out" 2>&1 &
    echo $! >"$FLEET/mute.pid"
    wait_for 60 "the silent ones" grep -q open "$WORK/mute.out"
    quick
    is ok hubctl get --raw /readyz
    says '^bundle' agent bundle "$WORK/py"
    wait_for 300 "the end of the silent ones" process_gone "$FLEET/mute.pid"
    grep -q '^60 40 40$' "$WORK/mute.out"
}
DEAF_ENDED='cluster deaf disconnected: its connection ended'
case_deaf() {
    # More than any socket takes, for one cluster; it observes and reads nothing of it.
    local i PLACEMENT='{clusters: [{name: deaf}, {name: py}]}'
    says '^joined' agent join "$WORK/deaf" deaf "$(fedctl token create)"
    for i in $(seq 16); do
        PLACEMENT='{clusters: [{name: deaf}]}' federated FederatedConfigMap shop "large-$i" \
            "{data: {k: \"$(openssl rand -base64 700000 | tr -d '\n')\"}}" | hubctl create -f -
    done
    wait_for 20 "its bundle" bundle_has deaf large-16
    "$ROOT/tests/e2e/https_peer.py" deaf "$(port)" "$WORK/deaf/cert.pem" "$WORK/deaf/key.pem" "$(query_of deaf)" 900 \
        >"$WORK/deaf.out" 2>&1 &
    echo $! >"$FLEET/deaf.pid"
    wait_for 20 "the observation" grep -q observing "$WORK/deaf.out"
    grep -c "$DEAF_ENDED" "$FLEET/logs/hub.err" >"$WORK/deaf.ended" || true
    agent follow "$WORK/py" 999 >"$WORK/other.out" 2>&1 &
    echo $! >"$FLEET/other.pid"
    wait_for 20 "the other's bundle" grep -q '^reported' "$WORK/other.out"
    for i in $(seq 30); do
        federated FederatedConfigMap shop settings "{data: {k: \"deaf $i\", x: \"$(openssl rand -hex 3000)\"}}" | hubctl apply -f -
    done >/dev/null
    wait_for 30 "the last change at the other one" grep -q '"k":"deaf 30"' "$WORK/other.out"
    quick
    process_stop "$FLEET/other.pid"
    ! more_lines "$(cat "$WORK/deaf.ended")" "$DEAF_ENDED" "$FLEET/logs/hub.err"
}
bundle_has() { # bundle_has CLUSTER NAME: a ConfigMap
    agent bundle "$WORK/$1" >"$WORK/$1.bundle"
    grep -q "^v1/ConfigMap/shop/$2 " "$WORK/$1.bundle"
}
query_of() { # query_of CLUSTER: of a bundle from nothing
    python3 - "$ROOT" "$WORK/$1" <<'P'
import sys
sys.path.insert(0, sys.argv[1] + "/tests/wire/protocol")
import agent, codec, https
hello = codec.take_hello(agent.open_session(sys.argv[2]).want("GET", "h"))
print(https.PREFIX + "b?" + codec.put_query(hello["epoch"], 0))
P
}
case_deaf_is_given_up() {
    wait_for 300 "the end of its session" more_lines "$(cat "$WORK/deaf.ended")" "$DEAF_ENDED" "$FLEET/logs/hub.err"
    process_alive "$(cat "$FLEET/deaf.pid")" # it was the hub that ended it
    process_stop "$FLEET/deaf.pid"
    # It is welcome again, and gets all of it.
    wait_for 20 "its bundle" bundle_has deaf large-16
}

# ---- ranges, and the restart ----
case_ranges() {
    local query etag size
    query=$(query_of py)
    query=${query#/fedlet/v1/}
    # shellcheck disable=SC2046
    {
        etag=$(ask GET "$query" $(as py) show=etag | cut -d' ' -f2)
        size=$(ask GET "$query" $(as py) show=content-length | cut -d' ' -f2)
        is "206 bytes 5-$((size - 1))/$size" ask GET "$query" $(as py) header.range=bytes=5- "header.if-range=$etag" show=content-range
        is "200 $size" ask GET "$query" $(as py) header.range=bytes=5- 'header.if-range="00000000000000000000000000000000"' show=content-length
        # What a hub sent before its restart goes on after it.
        hub_stop
        hub_start
        is "206 bytes 7-$((size - 1))/$size" ask GET "$query" $(as py) header.range=bytes=7- "header.if-range=$etag" show=content-range
    }
}
case_restart() {
    agent follow "$WORK/py" 99 >"$WORK/stop.out" 2>&1 &
    echo $! >"$FLEET/stop.pid"
    wait_for 20 "its bundle" grep -q '^reported' "$WORK/stop.out"
    hub_stop
    wait_for 20 "the end" process_gone "$FLEET/stop.pid"
    # In order: the body ends, it does not break off.
    grep -q '^agent: the observation ended$' "$WORK/stop.out"
    hub_start
    says '^bundle' agent bundle "$WORK/py"
}

must "fedhub starts" hub_start
try "join tokens and the ready line name the HTTPS port" case_addresses
must "an agent written from docs/protocol.md joins" case_join
try "it prints its bundle, and kubectl shows what it reports" case_report
try "it follows its bundle" case_follow
try "joins that are refused" case_not_joined
try "every resource, as an agent" case_resources
try "every resource, as nobody" case_nobody
try "certificates that are none of the hub's agents" case_strangers
try "certificates of the hub's CA that speak for no cluster" case_others_of_the_ca
try "a certificate that has ended" case_ended
try "a revoked cluster" case_revoked
try "a newer session replaces the older one" case_replaced
try "ranges, also across a restart of the hub" case_ranges
try "a restart ends observations in order" case_restart
try "a peer that observes and never reads" case_deaf
try "peers that say nothing, or a byte a second" case_mute
try "a peer that never reads is given up" case_deaf_is_given_up
suite_end
