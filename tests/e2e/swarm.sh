#!/usr/bin/env bash
# swarm.sh - fleets of agents without clusters (tests/swarm), one by each binding, and one hub: joining, a change for all,
# restarts, storms.
set -euo pipefail
source "$(dirname "$0")/suite.sh"

declare -A AGENTS=([coap]="${COAP_AGENTS:-200}" [https]="${HTTPS_AGENTS:-50}") # of each swarm
ALL=$((AGENTS[coap] + AGENTS[https]))
LIMIT=600 # seconds in which anything here is to be over, on a busy machine

# ---- the swarms: lines on stdin, events in the output ----
mkfifo "$FLEET/coap.in" "$FLEET/https.in"
exec 7<>"$FLEET/coap.in" 8<>"$FLEET/https.in"
touch "$FLEET/coap.out" "$FLEET/https.out"
declare -A INPUT=([coap]=7 [https]=8)

swarm_start() { # swarm_start SWARM URL TOKEN
    setsid "$BIN/swarm" --hub "$2" --agents "${AGENTS[$1]}" --state "$FLEET/$1.state" --token "$3" --name "$1" \
        <"$FLEET/$1.in" >>"$FLEET/$1.out" 2>>"$FLEET/logs/$1.err" 7>&- 8>&- &
    echo $! >"$FLEET/swarm-$1.pid"
}
# What is said from here on is what the next swarm_event may find.
swarm_mark() { wc -l <"$FLEET/$1.out" >"$FLEET/$1.seen"; }
swarm_say() { # swarm_say SWARM LINE
    local swarm=$1
    shift
    echo "$*" >&"${INPUT[$swarm]}"
}
swarm_has() { tail -n +$(($(cat "$FLEET/$1.seen") + 1)) "$FLEET/$1.out" | grep "\"event\":\"$2\""; }
swarm_event() { # swarm_event SWARM NAME: the event
    wait_for "$LIMIT" "$2 from the swarm by $1" swarm_has "$1" "$2" || {
        swarm_say "$1" progress
        swarm_say "$1" stats
        sleep 1
        tail -n 2 "$FLEET/$1.out" >&2
        return 1
    }
    swarm_has "$1" "$2" | head -n 1
}
swarm_ask() { # swarm_ask SWARM LINE EVENT
    swarm_mark "$1"
    swarm_say "$1" "$2"
    swarm_event "$1" "$3"
}
number() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"; } # number KEY: of an event
count_of() { # count_of KEY: of both together
    echo $(($(swarm_ask coap stats stats | number "$1") + $(swarm_ask https stats stats | number "$1")))
}
both_say() { swarm_say coap "$1" && swarm_say https "$1"; }
both_mark() { swarm_mark coap && swarm_mark https; }
both_event() { swarm_event coap "$1" && swarm_event https "$1"; }
both_ask() { both_mark && both_say "$1" && both_event "$2"; }

settings() { # settings VALUE: a federated ConfigMap for all
    federated FederatedConfigMap shop settings "{data: {k: \"$1\"}}" | hubctl apply -f -
}
# All hold the value, and the hub has the word of each.
all_get() { # all_get VALUE
    both_mark
    both_say "expect $1"
    settings "$1"
    both_event met
}
ready_clusters() {
    hubctl -n kube-federation-system get kubefedclusters -o \
        'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -c '^True$'
}
# What an agent must never see, and what the hub must never answer.
nothing_wrong() {
    local swarm stats key
    for swarm in coap https; do
        stats=$(swarm_ask "$swarm" stats stats)
        echo "$stats"
        for key in older refused errors; do [ "$(number "$key" <<<"$stats")" = 0 ]; done
    done
}

# ---- the cases ----
case_join() {
    local api coap https token
    read -r api coap https <"$FLEET/hub.ports"
    echo "ports: $api $coap $https"
    token=$(fedctl token create --uses "$ALL")
    both_mark
    swarm_start coap "coaps://127.0.0.1:$coap" "$token"
    swarm_start https "https://127.0.0.1:$https" "$token"
    both_event enrolled
    both_ask ready ready
    hubctl create namespace shop
    hubctl label namespace shop federated=true
    all_get first
    soon 30 "$ALL" ready_clusters
}
case_change() {
    all_get second
    soon 30 "True " propagation shop federatedconfigmap settings
    [ "$(hub_jsonpath shop federatedconfigmap settings '{range .status.clusters[*]}{.name}{"\n"}{end}' | wc -l)" = "$ALL" ]
    nothing_wrong
}
case_storm() {
    local before after
    before=$(count_of frames)
    both_say drop
    both_ask ready ready
    after=$(count_of frames)
    echo "frames: $before before, $after after"
    [ "$before" = "$after" ] # who holds the bundle gets no frame again
    all_get after-the-storm
    nothing_wrong
}
# Somebody reads while all report; one read waits for no more than a moment.
case_reports() {
    local since worst=0 took
    both_mark
    both_say report
    for _ in 1 2 3 4 5; do
        since=$(now_ms)
        hubctl get --raw '/apis/core.kubefed.io/v1beta1/kubefedclusters?limit=1' >/dev/null
        took=$(($(now_ms) - since))
        [ "$took" -le "$worst" ] || worst=$took
    done
    echo "the longest of five reads took $worst ms"
    both_event met
    [ "$worst" -lt 15000 ]
    nothing_wrong
}
# Each goes on from what it holds: nobody is sent everything again.
case_restart() { # case_restart VALUE SIGNAL
    local before after
    before=$(count_of full_frames)
    hub_stop "$2"
    hub_start
    all_get "$1"
    after=$(count_of full_frames)
    echo "full frames: $before before, $after after"
    [ "$before" = "$after" ]
    soon 30 "$ALL" ready_clusters
    nothing_wrong
}
# Sessions by CoAP go on where they were.
case_stop() {
    local before after
    before=$(swarm_ask coap stats stats | number sessions)
    case_restart after-the-stop TERM
    after=$(swarm_ask coap stats stats | number sessions)
    echo "sessions by CoAP: $before before, $after after"
    [ "$before" = "$after" ]
}
# fedhub knocks at the agents of a worker that died, long before their heartbeat.
case_worker() {
    local before after
    before=$(swarm_ask coap stats stats | number sessions)
    kill -KILL "$(pgrep -P "$(cat "$FLEET/hub.pid")" | head -n 1)"
    all_get after-the-worker
    after=$(swarm_ask coap stats stats | number sessions)
    echo "sessions by CoAP: $before before, $after after"
    [ "$after" -gt "$before" ]
    nothing_wrong
}
not_alive() { ! process_alive "$1"; }
case_quit() {
    local swarm
    both_say quit
    for swarm in coap https; do
        wait_for 30 "the end of the swarm" not_alive "$(cat "$FLEET/swarm-$swarm.pid")"
        rm "$FLEET/swarm-$swarm.pid"
    done
}

must "a hub" hub_start
must "${AGENTS[coap]} agents by CoAP and ${AGENTS[https]} by HTTPS join and connect, and get an object" case_join
try "a change reaches all, and the hub has the word of each" case_change
try "all sessions end at once: all come back, and get nothing again" case_storm
try "the API answers while all report everything" case_reports
try "after an orderly restart all get the next change, by CoAP in the same sessions" case_stop
try "a gateway worker is killed: its agents come back and get the next change" case_worker
try "after kill -9 all come back and get the next change, none an older one" case_restart after-the-crash KILL
try "the swarms end" case_quit
suite_end
