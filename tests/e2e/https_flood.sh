#!/usr/bin/env bash
# https_flood.sh - the hub's HTTPS port under floods: those who are connected, by CoAP and by HTTPS, are served meanwhile,
# others may come, and what the flood holds is bounded. The flood is one host (127.0.0.2), the agents another.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
WORKERS=2
HUB=(--gateway-workers "$WORKERS" --heartbeat-s 10 --log-level debug)
WORK=$FLEET/work
mkdir -p "$WORK"
SYSTEM=kube-federation-system
HANDSHAKES=1000 # HUB_LIMIT_AGENT_HANDSHAKES; a worker has its part and a quarter of it more
agent() { timeout -k 5 300 "$ROOT/tests/wire/protocol/agent.py" "$@"; }
port() { cut -d' ' -f3 "$FLEET/hub.ports"; }
workers() { pgrep -P "$(cat "$FLEET/hub.pid")" | sort -n; }
descriptors() { # of all workers
    local pid n=0
    for pid in $(workers); do n=$((n + $(find "/proc/$pid/fd" -mindepth 1 | wc -l))); done
    echo "$n"
}
log_lines() { grep -c -E -- "$1" "$FLEET/logs/hub.err" || true; }
metric() { hubctl get --raw /metrics | sed -n "s/^fedhub_link_tls_handshakes_total{result=\"$1\"} //p"; }
ask() { # ask METHOD PATH [OPTION=VALUE]...: status and body of a resource
    local method=$1 path=$2
    shift 2
    timeout -k 5 90 "$ROOT/tests/e2e/https_peer.py" ask "$(port)" "$method" "/fedlet/v1/$path" "$@"
}

start() {
    hub_start "${HUB[@]}"
    members_up cluster1
    agent_join cluster1 "$(fedctl token create)"
    agent_start cluster1 --link coap
    soon 60 True ready_word cluster1
    hubctl create namespace shop
    federated FederatedNamespace shop shop '{}' | hubctl apply -f -
    says '^joined as py$' agent join "$WORK/py" py "$(fedctl token create)"
    agent follow "$WORK/py" 9999 >"$WORK/follow.out" 2>&1 &
    echo $! >"$FLEET/follow.pid"
    change first
}
change() { # change VALUE [SECONDS]: made at the hub, arrives at both
    federated FederatedConfigMap shop settings "{data: {k: \"$1\"}}" | hubctl apply -f - >/dev/null
    soon "${2:-20}" "$1" member_jsonpath cluster1 shop configmap settings '{.data.k}'
    wait_for "${2:-20}" "$1 by HTTPS" grep -q "\"k\":\"$1\"" "$WORK/follow.out"
}
flood() { # flood KIND: changes arrive meanwhile, and who comes is served
    local i pid since worst=0 took most=0 now connected
    connected=$(log_lines 'cluster (cluster1|py) connected')
    "$ROOT/tests/e2e/https_flood.py" "$1" "$(port)" 900 >"$FLEET/flood.out" 2>&1 &
    pid=$!
    sleep 2 # it is under way
    for i in 1 2 3 4 5; do
        since=$(now_ms)
        change "under-$1-$i" 15
        took=$(($(now_ms) - since))
        [ "$took" -le "$worst" ] || worst=$took
        now=$(descriptors)
        [ "$now" -le "$most" ] || most=$now
    done
    is '204 ' ask GET p # somebody who comes now
    says '^204 ' ask GET p "cert=$WORK/py/cert.pem" "key=$WORK/py/key.pem"
    kill "$pid"
    wait "$pid"
    cat "$FLEET/flood.out"
    echo "slowest of five changes: $worst ms; at most $most descriptors"
    # Nobody lost a session, but by the request of its own certificate just now.
    is "$connected" log_lines 'cluster (cluster1|py) connected'
    is "$WORKERS" sh -c "pgrep -P $(cat "$FLEET/hub.pid") | wc -l"
    # Half of all handshakes, of both workers, and what else is open.
    [ "$most" -lt $((HANDSHAKES / 2 * 5 / 4 + 2 * HANDSHAKES / 10)) ]
}
case_crowd() { # case_crowd KIND: more want to stay than may
    local said turned
    said=$(log_lines 'TLS handshakes are under way, .* with address 7f:00:00:02')
    turned=$(metric turned_away)
    flood "$1"
    [ "$(metric turned_away)" -gt "$turned" ]
    [ "$(log_lines 'TLS handshakes are under way, .* with address 7f:00:00:02')" -le $((said + 4)) ] # once a minute and worker
}
case_headers() {
    HANDSHAKES=$((2 * HANDSHAKES)) flood headers # guests of one address: as many as all handshakes
}
case_strangers() {
    local failed refused
    failed=$(metric failed)
    refused=$(log_lines 'https: handshake with 127.0.0.2.* refused')
    flood strangers
    [ "$(metric failed)" -gt $((failed + 20)) ]
    # Some are named, the others counted.
    [ "$(log_lines 'https: handshake with 127.0.0.2.* refused')" -le $((refused + 20 * 2 * 3)) ]
}
# What no agent says: the hub ends it, and nothing else.
case_key_update() {
    local connected
    connected=$(log_lines 'cluster (cluster1|py) connected')
    { sleep 1; echo K; sleep 3; } | timeout 20 openssl s_client -connect "127.0.0.1:$(port)" -tls1_3 -alpn http/1.1 \
        >"$WORK/key_update.out" 2>&1 || true
    grep -q KEYUPDATE "$WORK/key_update.out"
    change after-key-update
    is "$connected" log_lines 'cluster (cluster1|py) connected'
}

must "a hub with workers, an agent by CoAP and one by HTTPS" start
try "connections that say nothing" case_crowd open
try "half a handshake each" case_crowd half
try "ClientHellos a byte at a time" case_crowd loris
try "headers a byte at a time" case_headers
try "handshakes with certificates that nobody knows" case_strangers
try "random bytes" flood garbage
try "a key update after the handshake" case_key_update
suite_end
