#!/usr/bin/env bash
# clock.sh - agents on machines whose clock is wrong when they start, or is put while they run: years in either direction, and the
# years in which 32 bits end. And what a hub's certificate that has ended is worth.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
CLOCK=$FLEET/clock # seconds that the agent's clock is ahead
YEAR=31557600

field() { member_jsonpath cluster1 shop configmap "$1" '{.data.k}'; }
set_value() { hubctl -n shop patch federatedconfigmap plain --type=merge -p "{\"spec\":{\"template\":{\"data\":{\"k\":\"$1\"}}}}"; }
connected() { soon "${1:-30}" true status_field cluster1 connected; }
begin() {
    gcc -shared -fPIC -O1 -D_GNU_SOURCE -o "$FLEET/clock_shift.so" "$ROOT/tests/e2e/clock_shift.c" -ldl
    member_up cluster1
    hub_start --heartbeat-s 10
    echo 0 >"$CLOCK"
    agent_join cluster1 "$(fedctl token create)"
    start
    soon 60 True ready_word cluster1
    hubctl create namespace shop
    federated FederatedNamespace shop shop '{}' | hubctl apply -f -
    federated FederatedConfigMap shop plain '{data: {k: one}}' | hubctl apply -f -
    soon 30 one field plain
}
# start [VARIABLE=VALUE...]: the agent, by the clock of that file.
start() {
    env LD_PRELOAD="$FLEET/clock_shift.so" CLOCK_SHIFT_FILE="$CLOCK" ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" "$@" \
        setsid "$BIN/fedlet" run --state-dir "$FLEET/cluster1/state" --kubeconfig "$FLEET/cluster1/kube/admin.kubeconfig" \
        ${LINK:+--link "$LINK"} >>"$FLEET/logs/cluster1-agent.out" 2>>"$FLEET/logs/cluster1-agent.err" </dev/null &
    echo $! >"$FLEET/cluster1.pid"
}
shift_to() { # shift_to UNIX_SECONDS: where the agent's clock stands from now on; an empty file, for a moment, would be today
    echo $(($1 - $(date +%s))) >"$CLOCK.new"
    mv "$CLOCK.new" "$CLOCK"
}
places() { # the clocks of faults that boards have
    echo 0 $(($(date +%s) - 10 * YEAR)) $(($(date +%s) + 10 * YEAR)) $((2147483648 + YEAR)) $((4294967296 + YEAR))
}
case_at_start() {
    local at month
    month=$(month_bytes)
    for at in $(places); do
        agent_stop cluster1
        shift_to "$at"
        start
        connected
        set_value "at-$at"
        soon 30 "at-$at" field plain
        says 'API server: +reachable' "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state"
        grep -q 'reachable' "$FLEET/logs/cluster1-agent.err"
    done
    # A month that has begun goes on.
    [ "$(month_bytes)" -gt "$month" ] || { echo "$month, then $(month_bytes)"; return 1; }
    grep -q "nobody keeps this machine's clock, asking the hub for the time" "$FLEET/logs/cluster1-agent.err"
}
month_bytes() {
    "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state" -o json |
        python3 -c 'import json,sys; print(json.load(sys.stdin)["bytes"]["month_sent"])'
}
case_put() {
    local at before
    agent_stop cluster1
    echo 0 >"$CLOCK"
    start
    connected
    before=$(grep -c ': connected' "$FLEET/logs/cluster1-agent.err")
    for at in $(places) $(date +%s); do
        shift_to "$at"
        memberctl cluster1 -n shop delete configmap plain
        set_value "put-$at"
        soon 30 "put-$at" field plain
        is true status_field cluster1 connected
    done
    is "$before" grep -c ': connected' "$FLEET/logs/cluster1-agent.err"
}
case_hub_away() {
    # A reboot into 1970, and nobody to ask: what is there is kept in order by the time of the last session.
    agent_stop cluster1
    hub_stop
    shift_to 0
    start
    wait_for 30 "the API server" api_reachable
    memberctl cluster1 -n shop delete configmap plain
    wait_for 30 "the object to come back" field plain
    hub_start --heartbeat-s 10
    connected 60
    set_value back
    soon 30 back field plain
}
api_reachable() { says 'API server: *reachable' "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state"; }
case_ended() {
    # Two years on, by a clock that is kept: the hub's certificate has ended, whoever shows it.
    agent_stop cluster1
    shift_to $(($(date +%s) + 2 * YEAR))
    start CLOCK_KEPT=1
    wait_for 20 "the refusal" said 'expired|certificate has expired'
    sleep 3
    is false status_field cluster1 connected
    # With one that nobody keeps that is no more than a clock that is wrong.
    agent_stop cluster1
    start
    connected
    agent_stop cluster1
    echo 0 >"$CLOCK"
    start CLOCK_KEPT=1
    connected
}
said() { says "$1" "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state"; }
case_floor() {
    # A hub that was two years ahead said so; what counted before that has ended for this machine, clock or not.
    local log=$FLEET/logs/cluster1-agent.err from
    agent_stop cluster1
    hub_stop
    cp -r "$FLEET/hub" "$FLEET/hub-before"
    LD_PRELOAD=$FLEET/clock_shift.so CLOCK_SHIFT_S=$((2 * YEAR)) ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" hub_start --heartbeat-s 10
    shift_to 0
    start
    connected 60
    agent_stop cluster1
    hub_stop
    rm -rf "$FLEET/hub"
    mv "$FLEET/hub-before" "$FLEET/hub"
    hub_start --heartbeat-s 10
    from=$(wc -l <"$log")
    start
    # The hub, for its part, finds that the certificate of two years on has not begun.
    wait_for 30 "the refusal" grep_after "$from" 'its clock is behind what a hub said before\|refused us' "$log"
    is false status_field cluster1 connected
    # The bound: a person with a token.
    agent_stop cluster1
    echo 0 >"$CLOCK"
    agent_join cluster1 "$(fedctl token create)" --again
    start
    connected
}
grep_after() { grep -q "$2" <<<"$(tail -n "+$(($1 + 1))" "$3")"; }

must "a member, a hub, an agent with a clock of its own" begin
try "1970, ten years behind and ahead, 2039, 2107 at the start" case_at_start
try "the same while it runs: no new session, drift and changes go on" case_put
try "1970 and no hub: enforced from the state" case_hub_away
try "a hub's certificate that has ended, by a clock that is kept and by one that is not" case_ended
try "what a hub said before is the bound" case_floor
suite_end
