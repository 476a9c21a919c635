#!/usr/bin/env bash
# swarm.sh - a fleet of agents without clusters (tests/swarm) and one hub: joining, a change for all, restarts, storms.
set -euo pipefail
source "$(dirname "$0")/suite.sh"

AGENTS=${AGENTS:-200}
LIMIT=60 # seconds in which anything here is to be over, on a busy machine

# ---- the swarm: lines on its stdin, events in its output ----
mkfifo "$FLEET/swarm.in"
exec 7<>"$FLEET/swarm.in"
: >"$FLEET/swarm.out"

swarm_start() { # swarm_start URL TOKEN
    setsid "$BIN/swarm" --hub "$1" --agents "$AGENTS" --state "$FLEET/swarm.state" --token "$2" \
        <"$FLEET/swarm.in" >>"$FLEET/swarm.out" 2>>"$FLEET/logs/swarm.err" 7>&- &
    echo $! >"$FLEET/swarm.pid"
}
# What is said from here on is what the next swarm_event may find.
swarm_mark() { wc -l <"$FLEET/swarm.out" >"$FLEET/swarm.seen"; }
swarm_say() { echo "$*" >&7; }
swarm_has() { tail -n +$(($(cat "$FLEET/swarm.seen") + 1)) "$FLEET/swarm.out" | grep "\"event\":\"$1\""; }
swarm_event() { # swarm_event NAME: the event
    wait_for "$LIMIT" "the swarm's $1" swarm_has "$1" || {
        swarm_say progress
        swarm_say stats
        sleep 1
        tail -n 2 "$FLEET/swarm.out" >&2
        return 1
    }
    swarm_has "$1" | head -n 1
}
swarm_ask() { # swarm_ask LINE EVENT
    swarm_mark
    swarm_say "$1"
    swarm_event "$2"
}
number() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"; } # number KEY: of an event
count_of() { swarm_ask stats stats | number "$1"; }

settings() { # settings VALUE: a federated ConfigMap for all
    federated FederatedConfigMap shop settings "{data: {k: \"$1\"}}" | hubctl apply -f -
}
# All hold the value, and the hub has the word of each.
all_get() { # all_get VALUE
    swarm_mark
    swarm_say "expect $1"
    settings "$1"
    swarm_event met
}
ready_clusters() {
    hubctl -n kube-federation-system get kubefedclusters -o \
        'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -c '^True$'
}
# What an agent must never see, and what the hub must never answer.
nothing_wrong() {
    local stats key
    stats=$(swarm_ask stats stats)
    echo "$stats"
    for key in older refused errors; do [ "$(number "$key" <<<"$stats")" = 0 ]; done
}

# ---- the cases ----
case_join() {
    local token
    token=$(fedctl token create --uses "$AGENTS")
    swarm_mark
    swarm_start "$SWARM_URL" "$token"
    swarm_event enrolled
    swarm_ask ready ready
    hubctl create namespace shop
    hubctl label namespace shop federated=true
    all_get first
    soon 30 "$AGENTS" ready_clusters
}
case_change() {
    all_get second
    soon 30 "True " propagation shop federatedconfigmap settings
    [ "$(hub_jsonpath shop federatedconfigmap settings '{range .status.clusters[*]}{.name}{"\n"}{end}' | wc -l)" = "$AGENTS" ]
    nothing_wrong
}
case_storm() {
    local before after
    before=$(count_of frames)
    swarm_say drop
    swarm_ask ready ready
    after=$(count_of frames)
    echo "frames: $before before, $after after"
    [ "$before" = "$after" ] # who holds the bundle gets no frame again
    all_get after-the-storm
    nothing_wrong
}
# Somebody reads while all report; one read waits for no more than a moment.
case_reports() {
    local since worst=0 took
    swarm_mark
    swarm_say report
    for _ in 1 2 3 4 5; do
        since=$(now_ms)
        hubctl get --raw '/apis/core.kubefed.io/v1beta1/kubefedclusters?limit=1' >/dev/null
        took=$(($(now_ms) - since))
        [ "$took" -le "$worst" ] || worst=$took
    done
    echo "the longest of five reads took $worst ms"
    swarm_event met
    [ "$worst" -lt 5000 ]
    nothing_wrong
}
case_stop() {
    local before after
    before=$(count_of full_frames)
    hub_stop
    hub_start "${HUB_FLAGS[@]}"
    all_get after-the-stop
    after=$(count_of full_frames)
    [ "$before" = "$after" ]
    nothing_wrong
}
case_crash() {
    local before after
    before=$(count_of full_frames)
    hub_stop KILL
    hub_start "${HUB_FLAGS[@]}"
    all_get after-the-crash
    after=$(count_of full_frames)
    echo "full frames: $before before, $after after"
    soon 30 "$AGENTS" ready_clusters
    nothing_wrong
}
case_quit() {
    local pid
    pid=$(cat "$FLEET/swarm.pid")
    swarm_say quit
    wait_for 30 "the end of the swarm" not_alive "$pid"
    rm "$FLEET/swarm.pid"
}
not_alive() { ! process_alive "$1"; }

HUB_FLAGS=()
must "a hub" hub_start
read -r _ COAP_PORT HTTPS_PORT <"$FLEET/hub.ports"
SWARM_URL=coaps://127.0.0.1:$COAP_PORT
must "$AGENTS agents join and connect, and get an object" case_join
try "a change reaches all, and the hub has the word of each" case_change
try "all sessions end at once: all come back, and get nothing again" case_storm
try "the API answers while all report everything" case_reports
try "after an orderly restart all get the next change" case_stop
try "after kill -9 all come back and get the next change, none an older one" case_crash
try "the swarm ends" case_quit
suite_end
