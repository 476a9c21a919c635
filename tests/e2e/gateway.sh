#!/usr/bin/env bash
# gateway.sh - the agents' sessions: in worker processes, over restarts and crashes of the hub, under floods, and with
# forged datagrams on the way. A real hub, a real control plane, a real agent.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
WORKERS=2
HUB=(--gateway-workers "$WORKERS" --heartbeat-s 10 --log-level debug)

start() {
    hub_start "${HUB[@]}"
    members_up cluster1
    agent_join cluster1 "$(fedctl token create)"
    agent_here
    soon 60 True ready_word cluster1
    hubctl create namespace shop
    federated FederatedNamespace shop shop '{}' | hubctl apply -f -
    change first
}
# By CoAP alone: it is CoAP's sessions that are looked at here.
agent_here() { agent_start cluster1 --link coap "$@"; }
change() { # change VALUE [SECONDS]: made at the hub, arrives at the member
    federated FederatedConfigMap shop settings "{data: {k: \"$1\"}}" | hubctl apply -f - >/dev/null
    soon "${2:-20}" "$1" member_jsonpath cluster1 shop configmap settings '{.data.k}'
}
# The workers of the hub: its children.
workers() { pgrep -P "$(cat "$FLEET/hub.pid")" | sort -n; }
workers_are() { [ "$(workers | wc -l)" -eq "$1" ]; }
log_lines() { # log_lines FILE PATTERN: how many
    grep -c -E -- "$2" "$FLEET/logs/$1" || true
}
handshakes() { # of the process that stopped last
    sed -n 's/.*sessions saved; \([0-9]*\) handshakes, .*/\1/p' "$FLEET/logs/hub.err" | tail -1
}

# ---- workers ----
case_workers() {
    local pid
    workers_are "$WORKERS"
    for pid in $(workers); do
        is / readlink "/proc/$pid/cwd"
        grep -q '^NoNewPrivs:.*1$' "/proc/$pid/status"
        # Builds with sanitizers have no filter of system calls: these make calls that no worker makes.
        grep -q __asan_init "$BIN/fedhub" || grep -q '^Seccomp:.*2$' "/proc/$pid/status"
        grep -q '^CapEff:.*0000000000000000$' "/proc/$pid/status"
        # As many descriptors as connections by HTTPS may be: 1,000 handshakes, and sessions.
        is 1 awk '/^Max open files/ { print ($4 == $5 && $4 < 30000) }' "/proc/$pid/limits"
        # The socket to fedhub, the UDP socket, the one that listens, the event loop, and the three that everybody has.
        is 7 sh -c "ls /proc/$pid/fd | wc -l"
    done
}
case_worker_by_hand() {
    fails 2 'started by serve' "$BIN/fedhub" gateway-worker now
    # Without its descriptors it does nothing and ends.
    fails any '' timeout 90 "$BIN/fedhub" gateway-worker 3<&- 4<&-
}
case_worker_killed() {
    local pid
    for pid in $(workers); do kill -KILL "$pid"; done
    # Those that were killed count as workers until the hub has seen it.
    wait_for 10 "the hub saw it" grep -q 'cluster cluster1 disconnected: its gateway worker ended' "$FLEET/logs/hub.err"
    wait_for 10 "workers again" workers_are "$WORKERS"
    # Its agent is told to look, and finds out by what is not answered.
    soon 300 True ready_word cluster1
    change after-worker-crash 300
}

# ---- restarts ----
agent_says() { grep -v ' bundle [0-9]*: ' "$FLEET/logs/cluster1-agent.err"; }
case_restart_in_order() {
    local i connected
    connected=$(log_lines hub.err 'cluster cluster1 connected by coap')
    agent_says >"$FLEET/agent.before"
    for i in 1 2 3 4 5; do
        hub_stop
        [ "$i" -eq 1 ] || is 0 handshakes
        [ -s "$FLEET/hub/sessions" ]
        is 600 stat -c %a "$FLEET/hub/sessions"
        is 600 stat -c %a "$FLEET/hub/sessions.key"
        hub_start "${HUB[@]}"
        change "restart-$i" 5
        [ ! -e "$FLEET/hub/sessions" ]
        [ ! -e "$FLEET/hub/sessions.key" ]
    done
    is "$connected" log_lines hub.err 'cluster cluster1 connected by coap'
    # The agent has noticed nothing but the changes.
    agent_says | diff "$FLEET/agent.before" -
}
case_other_number_of_workers() {
    local n connected
    connected=$(log_lines hub.err 'cluster cluster1 connected by coap')
    for n in 3 1 0 "$WORKERS"; do
        hub_stop
        hub_start "${HUB[@]}" --gateway-workers "$n"
        change "with-$n-workers" 5
        workers_are "$n"
    done
    is "$connected" log_lines hub.err 'cluster cluster1 connected by coap'
}
case_crash() {
    local since
    hub_stop KILL
    since=$(now_ms)
    [ ! -e "$FLEET/hub/sessions" ]
    hub_start "${HUB[@]}"
    change after-crash 30
    echo "back $(($(now_ms) - since)) ms after the crash"
}
spoil() { # spoil FILE AT: that byte is another, whatever it was
    python3 -c 'import sys
with open(sys.argv[1], "r+b") as file:
    byte = file.read()[int(sys.argv[2])]
    file.seek(int(sys.argv[2]))
    file.write(bytes([byte ^ 1]))' "$1" "$2"
}
# Sessions are good for one process: a copy of the file, kept and put back, must not be taken.
case_old_sessions() {
    hub_stop
    cp "$FLEET/hub/sessions" "$FLEET/hub/sessions.key" "$FLEET/"
    spoil "$FLEET/hub/sessions" 100
    hub_start "${HUB[@]}"
    wait_for 10 'the hub to say so' says 'saved sessions do not go on' cat "$FLEET/logs/hub.err"
    [ ! -e "$FLEET/hub/sessions" ]
    # Whole, but put back.
    hub_stop
    mv "$FLEET/sessions" "$FLEET/sessions.key" "$FLEET/hub/"
    hub_start "${HUB[@]}"
    wait_for 10 'the hub to say so' says 'or they are a copy' cat "$FLEET/logs/hub.err"
    [ ! -e "$FLEET/hub/sessions" ]
    change after-old-sessions 40
}

# ---- floods ----
coap_port() { awk '{print $2}' "$FLEET/hub.ports"; }
flood_while_changing() { # flood_while_changing KIND: changes arrive meanwhile, within their time
    local i pid since worst=0 took
    python3 "$ROOT/tests/e2e/flood.py" "$1" "$(coap_port)" 120 >"$FLEET/flood.out" 2>&1 &
    pid=$!
    # shellcheck disable=SC2064
    trap "kill $pid 2>/dev/null || true" EXIT # also when a change does not arrive: the next case has no flood
    sleep 1                                   # it is under way
    for i in 1 2 3 4 5; do
        since=$(now_ms)
        change "under-$1-$i" 10
        took=$(($(now_ms) - since))
        [ "$took" -le "$worst" ] || worst=$took
    done
    sleep 2 # figures of some seconds, also when the changes were fast
    kill "$pid" # it was, all the time
    wait "$pid"
    trap - EXIT
    cat "$FLEET/flood.out"
    echo "slowest of five changes: $worst ms"
}
case_flood_of_hellos() {
    flood_while_changing hello
    # What comes back before the cookie is less than what was sent.
    python3 -c 'import re, sys; sys.exit(float(re.search("factor=([0-9.]+)", open(sys.argv[1]).read())[1]) >= 1)' \
        "$FLEET/flood.out"
}
case_flood_of_handshakes() {
    flood_while_changing cookie
    # Some were begun, and not as many as were wanted: the rest of the time was for others.
    says 'begun=[1-9]' cat "$FLEET/flood.out"
}
nothing_lost() { # the agent's session is the one that it had
    is "$1" log_lines hub.err 'cluster cluster1 connected by coap'
    workers_are "$WORKERS"
}
case_floods() {
    local connected
    connected=$(log_lines hub.err 'cluster cluster1 connected by coap')
    "case_flood_of_$1"
    nothing_lost "$connected"
}
case_flood_of_garbage() { flood_while_changing garbage; }

# ---- somebody on the way ----
forge() { # forge WORDS...: a command to the relay, its answer
    echo "$*" >&"${RELAY[1]}"
    local answer
    read -r -t 120 answer <&"${RELAY[0]}"
    echo "$*: $answer" >&2
    echo "$answer"
}
case_forger() {
    local connected sent got
    agent_stop cluster1
    rm -f "$FLEET/forge.port"
    coproc RELAY { python3 "$ROOT/tests/e2e/forge.py" "$(coap_port)" "$FLEET/forge.port"; }
    wait_for 10 "the relay" test -s "$FLEET/forge.port"
    agent_here --hub "coaps://127.0.0.1:$(cat "$FLEET/forge.port")"
    is live forge live
    change through-the-relay 30
    connected=$(log_lines hub.err 'cluster cluster1 connected by coap')
    # The live connection ID, from elsewhere, with garbage: nothing moves, nothing is answered.
    is got=0 forge forge 2000
    change after-forged 10
    # A genuine record, again: it is known already.
    is got=0 forge replay
    change after-replay 10
    # A genuine record that comes first from elsewhere: its sender gets at most three times what it sent, until the
    # agent's own next record shows where it is.
    forge steal >"$FLEET/steal.out" 2>&1
    sent=$(sed -n 's/.*sent=\([0-9]*\) got.*/\1/p' "$FLEET/steal.out" | tail -1)
    got=$(sed -n 's/.*got=\([0-9]*\)$/\1/p' "$FLEET/steal.out" | tail -1)
    [ "$sent" -gt 0 ]
    [ "$got" -le $((3 * sent)) ]
    change after-steal 60
    # And the agent may move: the session goes on from its new address.
    forge rebind
    change after-rebind 60
    is "$connected" log_lines hub.err 'cluster cluster1 connected by coap'
    agent_stop cluster1
    agent_here
    change without-the-relay 60
}

must "a hub with workers, one agent" start
try "workers have given up what they do not need" case_workers
try "a worker by hand" case_worker_by_hand
try "five restarts in order: no handshake, the agent notices nothing" case_restart_in_order
try "sessions go on with another number of workers" case_other_number_of_workers
try "a flood of ClientHellos: little comes back, changes arrive" case_floods hellos
try "a flood of handshakes with cookies: changes arrive" case_floods handshakes
try "a flood of garbage, oversized too" case_floods garbage
try "forged, replayed and stolen records; another address" case_forger
try "the hub is killed: its agent is told, and comes back" case_crash
try "spoilt sessions are not taken" case_old_sessions
try "a worker is killed: its agent comes back" case_worker_killed
suite_end
