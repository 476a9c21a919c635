#!/usr/bin/env bash
# resume.sh - an agent that is stopped and started goes on with its session: no handshake, the change that waited arrives; and
# the sessions that must not be gone on with: of a copied directory, of a hub that forgot it, of an agent that was killed.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
STATE=$FLEET/one/state
HUB_LOG=$FLEET/logs/hub.err
LOG=$FLEET/logs/one-agent.err

config() { federated FederatedConfigMap shop "$1" "{data: {k: \"$2\"}}"; }
value() { memberctl one -n shop get configmap plain -o 'jsonpath={.data.k}'; }
connected() { soon 60 "${1:-true}" status_field one connected; }
sessions() { grep -c 'gateway: cluster one connected by coap' "$HUB_LOG"; }
back() { grep -c 'gateway: cluster one is back in its session' "$HUB_LOG" || true; }
kept() { [ -e "$STATE/session" ]; }

begin() {
    member_up one
    hub_start
    join_cluster one
    hubctl create namespace shop
    federated FederatedNamespace shop shop '{}' | hubctl apply -f -
}
case_goes_on() {
    local n before
    connected
    config plain first | hubctl apply -f -
    soon 30 first value
    n=$(sessions)
    before=$(back)
    agent_stop one
    is 600 stat -c %a "$STATE/session"
    config plain second | hubctl apply -f -
    agent_start one
    soon 30 second value
    connected
    ! kept || return 1
    is "$n" sessions
    is "$((before + 1))" back
}
# What it reports and is told afterwards travels in the same session.
case_lives_on() {
    config plain third | hubctl apply -f -
    soon 30 third value
    soon 30 'True ' propagation shop federatedconfigmap plain
}
case_ten_times() {
    local n i
    n=$(sessions)
    for i in $(seq 10); do
        agent_stop one
        config plain "round $i" | hubctl apply -f - >/dev/null
        agent_start one
        soon 30 "round $i" value
        connected
    done
    is "$n" sessions
}
# Both ends were stopped, and neither has forgotten.
case_both_restarted() {
    local n
    n=$(sessions)
    agent_stop one
    config plain both | hubctl apply -f -
    hub_stop
    hub_start
    agent_start one
    soon 30 both value
    connected
    is "$n" sessions
    ! grep -q 'making a new one' "$LOG" || return 1
}
# Two processes with one session would encrypt different things in the same way.
case_copied() {
    local n
    n=$(sessions)
    agent_stop one
    mv "$STATE" "$STATE.before"
    cp -a "$STATE.before" "$STATE"
    kept
    agent_start one
    soon 60 "$((n + 1))" sessions
    ! kept || return 1
    grep -q 'is not used: it was kept in another directory' "$LOG"
    agent_stop one
    rm -rf "$STATE.before"
    agent_start one
    connected
}
case_damaged() {
    local n
    n=$(sessions)
    agent_stop one
    python3 - "$STATE/session" <<'PY'
import sys
with open(sys.argv[1], "r+b") as file:
    data = bytearray(file.read())
    data[150] ^= 1
    file.seek(0)
    file.write(data)
PY
    agent_start one
    soon 60 "$((n + 1))" sessions
    ! kept || return 1
    grep -q 'is not used: digest does not match' "$LOG"
    connected
}
case_killed() {
    local n
    n=$(sessions)
    agent_stop one KILL
    ! kept || return 1
    agent_start one
    soon 60 "$((n + 1))" sessions
    connected
}
case_hub_forgot() {
    agent_stop one
    hub_stop KILL
    hub_start
    config plain after | hubctl apply -f -
    agent_start one
    soon 30 after value
    grep -q 'making a new one' "$LOG"
    ! kept || return 1
}
case_not_connected() {
    hub_stop KILL
    agent_stop one
    agent_start one
    sleep 1
    agent_stop one
    ! kept || return 1
    hub_start
    agent_start one
    connected
}

# After a crash of the hub the agent is known again: the handshake takes no certificates.
handshakes() { hubctl get --raw /metrics | sed -n "s/^fedhub_link_handshakes_total{result=\"$1\"} //p"; }
at_least() { [ "$("${@:2}")" -ge "$1" ]; }
crash() {
    hub_stop KILL
    hub_start
    config plain "$1" | hubctl apply -f -
    soon 60 "$1" value
    wait_for 10 "the handshake in the figures" at_least 1 handshakes completed
}
case_known_again() {
    local before whole
    connected
    crash crashed
    is "$(handshakes completed)" handshakes abbreviated
    # Also an agent that went on with its session in between, and after another crash.
    agent_stop one
    agent_start one
    connected
    crash 'crashed again'
    is "$(handshakes completed)" handshakes abbreviated
    # One that was killed has nothing: a whole handshake, and then it is known.
    before=$(handshakes abbreviated)
    whole=$(handshakes completed)
    agent_stop one KILL
    agent_start one
    wait_for 60 "another handshake" at_least $((whole + 1)) handshakes completed
    is "$before" handshakes abbreviated
    connected
    crash 'the hub alone'
    is "$(handshakes completed)" handshakes abbreviated
}
# What ends the certificate ends that.
case_revoked() {
    local n
    n=$(handshakes abbreviated)
    hubctl -n kube-federation-system delete joinrequest one
    wait_for 180 "another handshake" at_least 2 handshakes completed
    is "$n" handshakes abbreviated
    soon 30 false status_field one connected
    hub_stop KILL
    hub_start
    wait_for 180 "another handshake" at_least 1 handshakes completed
    is 0 handshakes abbreviated
    is false status_field one connected
}

must "a member, a hub, an agent" begin
try "stopped and started: the same session, and the change that waited" case_goes_on
try "the session lives on" case_lives_on
try "ten times" case_ten_times
try "hub and agent restarted: the same session still" case_both_restarted
try "a copied directory makes a session of its own" case_copied
try "a damaged file is of no use" case_damaged
try "a killed agent keeps nothing" case_killed
try "a hub that does not know the session any more" case_hub_forgot
try "without a session there is nothing to keep" case_not_connected
try "a crash of the hub: the agent is known again" case_known_again
try "a cluster whose key's record is gone is not known again" case_revoked
suite_end
