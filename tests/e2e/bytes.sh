#!/usr/bin/env bash
# bytes.sh - the bytes of a cluster's link, counted on both sides and by a relay between; budgets and quiet windows, with the hub's
# clock put where they need it; and an agent that knows less than the hub.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
SYSTEM=kube-federation-system
PLACEMENT='{clusters: [{name: cluster1}]}'
CLOCK=$FLEET/clock # seconds that the hub's clock is ahead
COUNTS=$FLEET/counts

start_members() { members_up cluster1; }
build_shift() {
    gcc -shared -fPIC -O1 -D_GNU_SOURCE -o "$FLEET/clock_shift.so" "$ROOT/tests/e2e/clock_shift.c" -ldl
    echo 0 >"$CLOCK"
}
hub_up() {
    LD_PRELOAD=$FLEET/clock_shift.so CLOCK_SHIFT_FILE=$CLOCK ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" hub_start "$@"
}
clock_to() { # clock_to UNIX_SECONDS: where the hub's clock stands now
    echo $(($1 - $(date +%s))) >"$CLOCK.new"
    mv "$CLOCK.new" "$CLOCK"
}
BEGAN=$(date +%s)
monday_at() { # monday_at HOURS: of the week after the one in which this began, UTC
    local monday=$(((BEGAN / 86400 + 3) / 7 * 7 + 4)) # 1970-01-05 was one
    echo $((monday * 86400 + $1 * 3600))
}
relay_start() {
    local port
    read -r _ port _ <"$FLEET/hub.ports"
    setsid python3 -B "$ROOT/tests/e2e/byte_relay.py" "$port" "$COUNTS" >"$FLEET/relay.port" 2>"$FLEET/logs/relay.err" </dev/null &
    echo $! >"$FLEET/relay.pid"
    wait_for 20 "the relay's port" test -s "$FLEET/relay.port"
}
agent_here() { agent_start cluster1 --hub "coaps://127.0.0.1:$(cat "$FLEET/relay.port")"; }
join_by_relay() {
    agent_join cluster1 "$(fedctl token create)"
    agent_here
    soon 60 True ready_word cluster1
    hubctl create namespace shop
    hubctl label namespace shop federated=true
    soon 30 Active memberctl cluster1 get namespace shop -o 'jsonpath={.status.phase}'
}
config() { federated FederatedConfigMap shop "$1" "{data: {k: \"$2\"}}" | hubctl apply -f -; }
value() { member_jsonpath cluster1 shop configmap "$1" '{.data.k}'; }
link() { hub_jsonpath $SYSTEM kubefedcluster cluster1 "{.status.link.$1}"; }
word() { cluster_word shop federatedconfigmap "$1" cluster1 status; }
metric() { hubctl get --raw /metrics | sed -n "s/^$1 //p"; }
relay_still() { # nothing passed for a second
    local before
    before=$(cat "$COUNTS")
    sleep 1
    [ "$before" = "$(cat "$COUNTS")" ]
}
near() { # near A B: within 2 %
    echo "$1 and $2"
    [ $((($1 > $2 ? $1 - $2 : $2 - $1) * 50)) -le "$2" ]
}

# ---- counting ----
counts_agree() { # as long as nothing passes meanwhile
    local from to n_from n_to
    relay_still && read -r from to n_from n_to <"$COUNTS" || return 1
    echo "the relay counted $(cat "$COUNTS"), the hub $(link bytes)"
    [ "$to" -gt 15000 ] && [ "$(link bytes.datagramsFromCluster)" -eq "$n_from" ] && [ "$(link bytes.datagramsToCluster)" -eq "$n_to" ] &&
        near "$(link bytes.fromCluster)" "$from" && near "$(link bytes.toCluster)" "$to" &&
        near "$(status_field cluster1 bytes.sent)" "$from" && near "$(status_field cluster1 bytes.received)" "$to" &&
        near "$(status_field cluster1 bytes.month_received)" "$to"
}
case_counted() {
    local i
    for i in $(seq 12); do config "filler$i" "$(head -c 2400 /dev/urandom | base64 -w0)"; done
    soon 30 'True ' propagation shop federatedconfigmap filler12
    wait_for 60 "the relay, the hub and the agent to agree" counts_agree
}
case_shown() {
    is coap link binding
    says '^127\.0\.0\.1:' link address
    says "^$(date -u +%Y-%m)" link month
    says 'LINK +CONNECTED +BYTES-MONTH +LAST-MONTH +HELD' hubctl -n $SYSTEM get kubefedclusters -o wide
    says 'cluster1 .* coap +[0-9]+[smh]+ +[0-9]{4,}' hubctl -n $SYSTEM get kubefedclusters -o wide
    says '^cluster1 .* coap +127.* KiB ' fedctl clusters -o wide
    says '"connectedSince":' fedctl clusters -o json
    says '^fedhub_link_sessions 1$' hubctl get --raw /metrics
    says '^fedhub_link_bytes_total\{binding="coap",direction="to_cluster"\} [0-9]{5}' hubctl get --raw /metrics
    says '^fedhub_link_requests_total\{code="2.04",resource="s"\} [1-9]' hubctl get --raw /metrics
    says '^fedhub_link_handshakes_total\{result="completed"\} [1-9]' hubctl get --raw /metrics
    says '^fedhub_store_syncs_total\{result="durable"\} [1-9]' hubctl get --raw /metrics
    says '^fedhub_clusters\{ready="true"\} 1$' hubctl get --raw /metrics
    says 'How the agent is connected|The agent' hubctl explain kubefedcluster.status.link
}
# A report of facts aside, nothing that is counted makes a new version of the object, or an event for who watches.
case_no_version() {
    local version before
    version=$(hub_jsonpath $SYSTEM kubefedcluster cluster1 '{.metadata.resourceVersion}')
    before=$(link bytes.total)
    config filler1 again
    soon 20 again value filler1
    wait_for 20 "more bytes" eval "[ \"\$(link bytes.total)\" -gt $before ]"
    is "$version" hub_jsonpath $SYSTEM kubefedcluster cluster1 '{.metadata.resourceVersion}'
}
case_restarts() {
    local before sent
    wait_for 30 "a still relay" relay_still
    before=$(link bytes.total)
    sent=$(status_field cluster1 bytes.month_sent)
    hub_stop
    hub_up
    soon 60 True ready_word cluster1
    config restarted one # the session goes on without a word
    [ "$(link bytes.total)" -ge "$before" ]
    config filler1 "once more" # the session may have gone on, and say nothing by itself
    soon 60 "once more" value filler1
    wait_for 20 "more bytes" eval "[ \"\$(link bytes.total)\" -gt $before ]"
    agent_stop cluster1
    agent_here
    soon 60 true status_field cluster1 connected
    [ "$(status_field cluster1 bytes.month_sent)" -gt "$sent" ]
    [ "$(status_field cluster1 bytes.sent)" -lt "$(status_field cluster1 bytes.month_sent)" ]
}
# The agent has the kinds on disk, the hub's hello says that they are the same.
case_kinds() {
    local asked='fedhub_link_requests_total{code="2.05",resource="k"}' before
    before=$(metric "$asked")
    agent_stop cluster1
    agent_here
    soon 60 true status_field cluster1 connected
    config kinds one
    soon 20 one value kinds
    is "$before" metric "$asked"
}

# ---- windows, budgets ----
annotate() { hubctl -n $SYSTEM annotate --overwrite kubefedcluster cluster1 "$@"; }
case_refused() {
    fails 1 'admission webhook "kubefedclusters.core.kubefed.io" denied the request: metadata.annotations\[fedlet.io/monthly-bytes\]: Invalid value: "50MB"' \
        annotate fedlet.io/monthly-bytes=50MB
    fails 1 'annotations\[fedlet.io/quiet-windows\]: Invalid value: "weekends": "weekends" is no day' annotate fedlet.io/quiet-windows=weekends
    fails 1 'time zone "Europe/Nowhere" is not in' annotate "fedlet.io/quiet-windows=08:00-09:00 Europe/Nowhere"
}
case_quiet() {
    config waits one
    soon 20 one value waits
    clock_to "$(monday_at 9)"
    annotate "fedlet.io/quiet-windows=Mon-Fri 08:00-18:00"
    soon 20 QuietWindow link held.reason
    config waits two
    config new one
    soon 20 Held word waits
    soon 20 Held word new
    soon 20 2 link held.changes
    says "until the end|end of the quiet window at $(date -u -d "@$(monday_at 18)" +%FT%TZ)" cluster_word shop federatedconfigmap waits cluster1 message
    soon 20 True condition_word cluster1 ChangesHeld
    says 'QuietWindow' hubctl -n $SYSTEM get kubefedclusters -o wide
    says '2 until' fedctl clusters -o wide
}
case_urgent() {
    hubctl -n shop annotate federatedconfigmap waits fedlet.io/urgent=true
    soon 20 two value waits
    lacks memberctl cluster1 -n shop get configmap new
    hubctl -n shop delete federatedconfigmap filler2 --wait=true --timeout=90s
    lacks memberctl cluster1 -n shop get configmap filler2
    lacks memberctl cluster1 -n shop get configmap new
}
case_quiet_restart() {
    config filler3 after
    soon 20 Held word filler3
    hub_stop KILL
    hub_up
    soon 60 True ready_word cluster1
    soon 20 Held word filler3
    soon 20 Held word new
    agent_stop cluster1
    agent_here # asks for its bundle in the quiet time
    soon 60 true status_field cluster1 connected
    soon 20 1 eval "status_field cluster1 works.pending | sed 's/^0$/1/'"
    lacks memberctl cluster1 -n shop get configmap new
}
case_released() {
    clock_to $(($(monday_at 18) + 1))
    soon 30 one value new
    soon 20 after value filler3
    soon 20 '' link held.reason
    soon 20 'True ' propagation shop federatedconfigmap new
    annotate fedlet.io/quiet-windows-
}
case_cordon() {
    annotate fedlet.io/cordon=true
    soon 20 Cordoned link held.reason
    config new three
    soon 20 Held word new
    says '1 until uncordoned' fedctl clusters -o wide
    is one value new
    annotate fedlet.io/cordon-
    soon 20 three value new
}
case_let_through() {
    annotate fedlet.io/quiet-windows=00:00-24:00
    soon 20 QuietWindow link held.reason
    config new four
    soon 20 Held word new
    annotate "fedlet.io/let-through-until=$(date -u -d "@$(($(date +%s) + $(cat "$CLOCK") + 3600))" +%FT%TZ)"
    soon 20 four value new
    soon 20 '' link held.reason
    annotate fedlet.io/quiet-windows- fedlet.io/let-through-until-
}
case_budget() {
    local used
    used=$(($(link bytes.total) + 28 * ($(link bytes.datagramsFromCluster) + $(link bytes.datagramsToCluster))))
    annotate "fedlet.io/monthly-bytes=$((used * 100 / 88))"
    soon 20 False condition_word cluster1 MonthlyBytesSpent
    wait_for 20 "an event" says MonthlyBytesNearEnd hubctl -n $SYSTEM get events
    config spends "$(head -c $((used / 4 + 9000)) /dev/urandom | base64 -w0)"
    soon 30 True condition_word cluster1 MonthlyBytesSpent
    wait_for 20 "an event" says 'MonthlyBytesSpent.*bytes of this month are used' hubctl -n $SYSTEM get events
    config spends small
    soon 20 Held word spends
    soon 20 MonthlyBytesSpent link held.reason
    clock_to "$(date -u -d "$(date -u -d "@$(($(date +%s) + $(cat "$CLOCK")))" +%Y-%m-01) + 1 month + 1 minute" +%s)"
    soon 30 small value spends
    soon 20 False condition_word cluster1 MonthlyBytesSpent
    [ "$(link lastMonth.total)" -ge "$((used / 2))" ]
    annotate fedlet.io/monthly-bytes-
}

# ---- clocks, versions ----
# Life is judged by monotonic clocks: months forward and back change nothing.
case_clock() {
    local opened days since
    opened=$(metric 'fedhub_link_sessions_opened_total{peer="agent"}')
    for days in 3 200 1 0; do # certificates are of this year
        clock_to $(($(date +%s) + days * 86400))
        since=$(now_ms)
        while [ $(($(now_ms) - since)) -lt 7000 ]; do # longer than the hub's sweep
            is True ready_word cluster1
            sleep 0.5
        done
    done
    is "$opened" metric 'fedhub_link_sessions_opened_total{peer="agent"}'
    config clock one
    soon 20 one value clock
}
case_lacking() {
    agent_stop cluster1
    setsid "$BIN/fedlet_lacking" run --state-dir "$FLEET/cluster1/state" --kubeconfig "$FLEET/cluster1/kube/admin.kubeconfig" \
        >>"$FLEET/logs/cluster1-agent.out" 2>>"$FLEET/logs/cluster1-agent.err" </dev/null &
    echo $! >"$FLEET/cluster1.pid"
    soon 60 '["DeleteOptions","Dictionary1","Note","InPlace","RemovalConsent"]' link agentLacks
    config plain one
    soon 20 one value plain # sections that are not deflated
    hubctl -n shop annotate federatedconfigmap plain 'kubefed.io/deleteoption={"propagationPolicy":"Foreground"}'
    hubctl -n shop delete federatedconfigmap plain --wait=false
    soon 20 AgentTooOld word plain
    says 'does not know the deletion options' cluster_word shop federatedconfigmap plain cluster1 message
    config kinds two # everything else goes on
    soon 20 two value kinds
    hub_stop
    hub_up
    soon 60 True ready_word cluster1
    soon 20 AgentTooOld word plain
    agent_stop cluster1
    agent_here
    soon 60 '' link agentLacks
    gone 30 memberctl cluster1 -n shop get configmap plain
    gone 30 hubctl -n shop get federatedconfigmap plain
}

must "a real member starts" start_members
must "the clock's shift is built" build_shift
must "fedhub starts" hub_up
must "a relay that counts starts" relay_start
must "the agent joins, and comes by the relay" join_by_relay
try "both sides count what passes, within 2 %" case_counted
try "it is shown: kubectl, fedctl, metrics" case_shown
try "counting makes no versions" case_no_version
try "the month survives restarts of both" case_restarts
try "kinds that are known are not asked for" case_kinds
try "annotations that are wrong are refused, in KubeFed's words" case_refused
try "in a quiet window changes wait, and say so" case_quiet
try "urgent ones and removals do not, and take nothing along" case_urgent
try "a killed hub and a new session keep what waits" case_quiet_restart
try "the end of the window lets all of it go" case_released
try "a cordon holds changes until it is taken away" case_cordon
try "what waits for a window is let through for a while" case_let_through
try "a month's bytes: warned of, spent, and new" case_budget
try "clocks that are put do not end a life" case_clock
try "an agent that knows less gets what it knows, the rest waits for the next" case_lacking
suite_end
