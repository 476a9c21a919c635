#!/usr/bin/env bash
# link.sh - how an agent reaches its hub: HTTPS alone, CoAP while UDP gets through, HTTPS while it does not and back again, several
# addresses, proxies with and without password, a hub that restarts.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
MODE=$FLEET/udp
CLUSTER=shop

coaps() { echo "coaps://127.0.0.1:${1:-$(cut -d' ' -f2 "$FLEET/hub.ports")}"; }
https() { echo "https://127.0.0.1:${1:-$(cut -d' ' -f3 "$FLEET/hub.ports")}"; }
# helper NAME COMMAND...: starts a relay or proxy; its port goes to $FLEET/NAME.port
helper() {
    local name=$1
    shift
    setsid "$@" >"$FLEET/$name.port" 2>>"$FLEET/logs/$name.err" </dev/null &
    echo $! >"$FLEET/$name.pid"
    wait_for 10 "the port of $name" test -s "$FLEET/$name.port"
}
helper_port() { cat "$FLEET/$1.port"; }
free_port() { python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_'"$1"'); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
agent_log() { cat "$FLEET/logs/$CLUSTER-agent.err"; }
restart() { # restart [FLAGS...]: the agent with these, its log begun anew
    agent_stop $CLUSTER
    : >"$FLEET/logs/$CLUSTER-agent.err"
    agent_start $CLUSTER "$@"
}
in_use() { # in_use LINK: it is connected by that
    is "true $1" echo "$(status_field $CLUSTER connected) $(status_field $CLUSTER link)"
}
connected_by() { # connected_by SECONDS LINK
    wait_for "$1" "connected by $2" in_use "$2"
}
arrives() { # arrives VALUE: a change reaches the member, and the hub hears of it
    federated FederatedConfigMap shop greeting "{data: {value: \"$1\"}}" | hubctl apply -f -
    soon 30 "$1" member_jsonpath $CLUSTER shop configmap greeting '{.data.value}'
    wait_for 30 "the hub knows" is "True " propagation shop federatedconfigmap greeting
}

case_join_https() {
    local token
    token=$(fedctl token create)
    says "$(https)" "$ROOT/tests/e2e/token.py" "$token" print=addresses
    agent_join $CLUSTER "$token" --link https
    agent_start $CLUSTER --link https --log-level debug
    connected_by 20 https
    soon 30 True ready_word $CLUSTER
}
case_pin() {
    # Somebody else's hub at an https:// address: its CA is not the token's.
    local token
    mkdir -p "$FLEET/elsewhere/kube"
    cp "$FLEET/$CLUSTER/kube/admin.kubeconfig" "$FLEET/elsewhere/kube/"
    token=$("$ROOT/tests/e2e/token.py" "$(fedctl token create)" pin="$(printf '11%.0s' $(seq 32))" address="$(https)")
    fails 1 'not the one of the token|another hub' agent_join elsewhere "$token" --timeout 30s
    fails 1 'refused|forged|not the one|proof' agent_join elsewhere \
        "$("$ROOT/tests/e2e/token.py" "$(fedctl token create)" address="$(https)" secret=00112233445566778899aabbccddeeff00112233)" --timeout 30s
}
case_work_https() {
    hubctl create namespace shop
    hubctl apply -f - <<<"$(federated FederatedNamespace shop shop '{}')"
    arrives one
    arrives two
    hubctl -n shop delete federatedconfigmap greeting --wait=true --timeout=90s
    gone 20 memberctl $CLUSTER -n shop get configmap greeting
    # A frame that is too large for a notification, and a report of it.
    federated FederatedConfigMap shop large "{data: {value: \"$(head -c 150000 /dev/urandom | base64 -w0)\"}}" | hubctl apply -f -
    wait_for 30 "the large one is there" memberctl $CLUSTER -n shop get configmap large
}
case_hub_restarts() {
    hub_stop
    wait_for 20 "the loss is noticed" is false status_field $CLUSTER connected
    wait_for 20 "the reason" says 'Last error: .*127.0.0.1' "$BIN/fedlet" status --state-dir "$FLEET/$CLUSTER/state"
    says '"state":"(waiting|dialing)"' "$BIN/fedlet" status --state-dir "$FLEET/$CLUSTER/state" -o json
    hub_start
    connected_by 60 https
    arrives three
}
case_prefers_coap() {
    restart
    connected_by 20 coap
    arrives four
}
case_blocked() { # UDP blocked: HTTPS within 15 s of starting
    local since
    echo drop >"$MODE"
    helper relay "$ROOT/tests/e2e/link_relay.py" "$(cut -d' ' -f2 "$FLEET/hub.ports")" "$MODE"
    since=$(now_ms)
    restart --hub "$(coaps "$(helper_port relay)")" --hub "$(https)" --log-level debug
    connected_by 15 https
    echo "connected after $(($(now_ms) - since)) ms"
    says 'CoAP: +does not get through, next try in [0-9]+ s' "$BIN/fedlet" status --state-dir "$FLEET/$CLUSTER/state"
    arrives five
}
case_back() { # the hub may end the HTTPS session before the agent does
    echo pass >"$MODE"
    connected_by 300 coap
    arrives six
}
connections() { agent_log | grep -c ': connected$' || true; }
probes() { [ "$(agent_log | grep -c 'still not over CoAP')" -ge "$1" ] || { agent_log | tail -5; return 1; }; }
case_handshakes_only() {
    # Sessions can be made over UDP but carry nothing: HTTPS stays in use, and the probes do no harm.
    echo handshake >"$MODE"
    restart --hub "$(coaps "$(helper_port relay)")" --hub "$(https)" --log-level debug
    connected_by 15 https
    wait_for 300 "a probe" probes 1
    connected_by 15 https
    arrives seven
    # A hub that takes the session of a probe for the newer one ends the other: at most once for each.
    [ "$(connections)" -le 3 ] || { agent_log | grep 'hub' | tail -20; return 1; }
}
case_dead_address() {
    restart --hub "$(coaps "$(free_port DGRAM)")" --hub "$(coaps)"
    connected_by 30 coap
    restart --link https --hub "$(https "$(free_port STREAM)")" --hub "$(https)"
    connected_by 20 https
    arrives eight
}
case_silent_address() {
    # One that takes connections and says nothing.
    helper silent python3 -c 'import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(9); print(s.getsockname()[1], flush=True)
time.sleep(1000)'
    restart --link https --hub "$(https "$(helper_port silent)")" --hub "$(https)"
    connected_by 40 https
}
case_not_a_hub() {
    # Another agent of the same federation, in the hub's place: the right CA, but no serverAuth.
    agent_stop $CLUSTER
    state_copy "$FLEET/$CLUSTER/state" "$FLEET/state-copy"
    python3 - "$FLEET/state-copy/state.db" "$FLEET/agent.crt" <<'PY'
import json, re, sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute("select * from sqlite_master where type='table'"):
    for record in sqlite3.connect(sys.argv[1]).execute(f"select * from {row[1]}"):
        for value in record:
            if isinstance(value, bytes) and b'"certificate"' in value:
                open(sys.argv[2], "w").write(json.loads(value)["certificate"])
PY
    helper false_hub python3 -c 'import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(9); print(s.getsockname()[1], flush=True)
while True:
    try: context.wrap_socket(s.accept()[0], server_side=True).recv(1)
    except (OSError, ssl.SSLError): pass' "$FLEET/agent.crt" "$FLEET/$CLUSTER/state/key.pem"
    restart --link https --hub "$(https "$(helper_port false_hub)")"
    wait_for 20 "the refusal" says 'Last error: .*certificate was refused: .*extendedKeyUsage' "$BIN/fedlet" status --state-dir "$FLEET/$CLUSTER/state"
}
case_proxy() {
    helper proxy "$ROOT/tests/e2e/link_proxy.py" "$FLEET/logs/proxy.log"
    restart --link https --proxy "http://127.0.0.1:$(helper_port proxy)"
    connected_by 20 https
    arrives nine
    grep -q "^200 OK 127.0.0.1:$(cut -d' ' -f3 "$FLEET/hub.ports")$" "$FLEET/logs/proxy.log"
}
case_proxy_password() {
    local token
    helper guarded "$ROOT/tests/e2e/link_proxy.py" "$FLEET/logs/guarded.log" 'gate:p@ss word'
    cat >"$FLEET/agent.yaml" <<YAML
link: https
proxy: http://gate:p%40ss%20word@127.0.0.1:$(helper_port guarded)
YAML
    restart --config "$FLEET/agent.yaml"
    connected_by 20 https
    grep -q '^200 OK' "$FLEET/logs/guarded.log"
    arrives ten
    # Joining goes the same way.
    mkdir -p "$FLEET/second/kube"
    cp "$FLEET/$CLUSTER/kube/admin.kubeconfig" "$FLEET/second/kube/"
    agent_join second "$(fedctl token create)" --config "$FLEET/agent.yaml"
}
case_proxy_wrong_password() {
    local url
    for url in "http://gate:wrong@127.0.0.1:$(helper_port guarded)" "http://127.0.0.1:$(helper_port guarded)"; do
        restart --link https --proxy "$url"
        wait_for 20 "a clear error" says 'Last error: .*refuses the tunnel: HTTP/1.1 407 Proxy Authentication Required' \
            "$BIN/fedlet" status --state-dir "$FLEET/$CLUSTER/state"
        is false status_field $CLUSTER connected
    done
    says 'wants user and password' "$BIN/fedlet" status --state-dir "$FLEET/$CLUSTER/state"
    # Passwords are in no log.
    ! grep -rE 'p@ss|p%40ss|gate:wrong' "$FLEET/logs"/$CLUSTER-agent.* || return 1
    fails 2 'proxy' "$BIN/fedlet" run --state-dir "$FLEET/$CLUSTER/state" --proxy ftp://x
    fails 2 'proxy' "$BIN/fedlet" run --state-dir "$FLEET/$CLUSTER/state" --proxy http://user:secret@:1
}
case_proxy_environment() {
    HTTPS_PROXY=http://127.0.0.1:$(helper_port proxy) NO_PROXY=10.0.0.0/8,.example restart --link https
    : >"$FLEET/logs/proxy.log"
    connected_by 20 https
    HTTPS_PROXY=http://127.0.0.1:1 NO_PROXY=10.0.0.0/8,127.0.0.0/8 restart --link https
    connected_by 20 https
    HTTPS_PROXY=http://127.0.0.1:1 restart --link https --proxy none
    connected_by 20 https
    # Values for other programs are no obstacle where CoAP can be used.
    HTTPS_PROXY=socks5://127.0.0.1:1 restart
    connected_by 20 coap
    says 'HTTPS_PROXY: .*; going on without https:// addresses' agent_log
    # CoAP goes past it, and is chosen when nothing else is possible.
    HTTPS_PROXY=http://127.0.0.1:1 restart
    connected_by 20 coap
}

must "hub" hub_start
must "member" members_up $CLUSTER
must "joins over https://, without UDP" case_join_https
try "a false hub behind https://, and a forged token" case_pin
must "bundles, reports and removals over HTTPS" case_work_https
try "the hub restarts" case_hub_restarts
must "auto prefers CoAP" case_prefers_coap
try "UDP blocked: HTTPS within 15 s" case_blocked
try "UDP passes again: back to CoAP" case_back
try "UDP that carries handshakes only" case_handshakes_only
try "two addresses of which one is dead" case_dead_address
try "two addresses of which one is silent" case_silent_address
try "an agent's certificate is not a hub's" case_not_a_hub
try "through a proxy" case_proxy
try "through a proxy with a password" case_proxy_password
try "a wrong password is told" case_proxy_wrong_password
try "the proxy of the environment" case_proxy_environment
suite_end
