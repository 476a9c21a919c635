#!/usr/bin/env bash
# agent.sh - fedlet beside a real control plane when things go wrong: drift, kills, a hub that is away, a member API server that is
# away, a damaged state file; and what `fedlet status` says. SEED (1): the moments of the kills.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
SEED=${SEED:-1}
RANDOM=$SEED
echo "# seed $SEED"

config() { federated FederatedConfigMap shop "$1" "{data: {k: \"$2\"}}"; }
deployment() { # deployment NAME IMAGE
    federated FederatedDeployment shop "$1" "{metadata: {labels: {app: $1}}, spec: {replicas: 2, selector: {matchLabels: {app: $1}}, template: {metadata: {labels: {app: $1}}, spec: {containers: [{name: main, image: \"$2\"}]}}}}"
}
member() { memberctl cluster1 -n shop "$@"; }
field() { member get "$1" "$2" -o "jsonpath=$3"; }
set_value() { hubctl -n shop patch federatedconfigmap "$1" --type=merge -p "{\"spec\":{\"template\":{\"data\":{\"k\":\"$2\"}}}}"; }
connected() { soon "${1:-60}" true status_field cluster1 connected; }

# A kind that nothing here is federated of.
stray() { # stray NAME
    member create secret generic "$1" --from-literal=k=v
    member label secret "$1" kubefed.io/managed=true own=yes
}
is_left() { # is_left RESOURCE NAME: without the label, and still there
    soon 30 '{"own":"yes"}' field "$1" "$2" '{.metadata.labels}'
    is dg== field "$1" "$2" '{.data.k}'
}
case_strays() {
    stray one
    is_left secret one
    agent_stop cluster1
    stray two
    agent_start cluster1
    is_left secret two
    # A type that is enabled while the agent is connected.
    member create role three --verb=get --resource=pods
    member label role three kubefed.io/managed=true own=yes
    connected
    fedctl enable roles.rbac.authorization.k8s.io
    soon 30 '{"own":"yes"}' field role three '{.metadata.labels}'
}

begin() {
    member_up cluster1 --pods
    hub_start --heartbeat-s 10
    join_cluster cluster1
    hubctl create namespace shop
    federated FederatedNamespace shop shop '{}' | hubctl apply -f -
    config plain one | hubctl apply -f -
    deployment web nginx:1 | hubctl apply -f -
    soon 30 one field configmap plain '{.data.k}'
    soon 60 2 field deployment web '{.status.readyReplicas}'
}

# ---- drift ----
case_deleted() {
    local uid
    uid=$(field deployment web '{.metadata.uid}')
    member delete deployment web --wait=false
    other_uid() { local now; now=$(field deployment web '{.metadata.uid}') && [ -n "$now" ] && [ "$now" != "$uid" ]; }
    wait_for 20 'the Deployment again' other_uid
    soon 60 2 field deployment web '{.status.readyReplicas}'
}
case_edited() {
    member set image deployment/web main=nginx:evil
    soon 20 nginx:1 field deployment web '{.spec.template.spec.containers[0].image}'
    member patch configmap plain --type=merge -p '{"data":{"k":"changed"}}'
    soon 20 one field configmap plain '{.data.k}'
    member patch configmap plain --type=json -p '[{"op":"remove","path":"/data/k"}]'
    soon 20 one field configmap plain '{.data.k}'
}
case_scaled() {
    member scale deployment web --replicas=5
    soon 20 2 field deployment web '{.spec.replicas}'
}
case_label_removed() {
    member label configmap plain kubefed.io/managed-
    soon 20 true field configmap plain '{.metadata.labels.kubefed\.io/managed}'
    member label deployment web kubefed.io/managed- app-
    soon 20 true field deployment web '{.metadata.labels.kubefed\.io/managed}'
    soon 20 web field deployment web '{.metadata.labels.app}'
}
case_foreign_fields_stay() {
    # What the template does not set belongs to whoever set it.
    member patch configmap plain --type=merge -p '{"data":{"theirs":"yes"},"metadata":{"annotations":{"note":"kept"}}}'
    set_value plain two
    soon 20 two field configmap plain '{.data.k}'
    is 'yes kept' field configmap plain '{.data.theirs} {.metadata.annotations.note}'
}
case_drift_while_stopped() {
    agent_stop cluster1
    member delete configmap plain
    member scale deployment web --replicas=7
    agent_start cluster1
    soon 30 two field configmap plain '{.data.k}'
    soon 30 2 field deployment web '{.spec.replicas}'
}

# ---- the agent dies ----
case_killed() {
    local round n
    for n in 1 2 3 4 5; do config "kill-$n" start | hubctl apply -f - >/dev/null; done
    for round in $(seq 10); do
        for n in 1 2 3 4 5; do set_value "kill-$n" "round $round" >/dev/null & done
        sleep "0.$(printf '%03d' $((RANDOM % 600)))"
        agent_stop cluster1 KILL
        wait || true
        # Half of the time something goes and comes while it is away.
        if [ $((RANDOM % 2)) = 0 ]; then member delete configmap kill-1 --ignore-not-found >/dev/null; fi
        agent_start cluster1
        for n in 1 2 3 4 5; do soon 30 "round $round" field configmap "kill-$n" '{.data.k}' || { echo "round $round"; return 1; }; done
    done
    for n in 1 2 3 4 5; do
        soon 20 'True ' propagation shop federatedconfigmap "kill-$n"
        hubctl -n shop delete federatedconfigmap "kill-$n" --wait=false
    done
    # A kill while things are being removed.
    agent_stop cluster1 KILL
    agent_start cluster1
    for n in 1 2 3 4 5; do gone 40 member get configmap "kill-$n"; gone 20 hubctl -n shop get federatedconfigmap "kill-$n"; done
}

# ---- the hub is away ----
case_hub_down() {
    connected
    hub_stop
    agent_stop cluster1
    member delete configmap plain
    agent_start cluster1
    soon 30 two field configmap plain '{.data.k}'
    is false status_field cluster1 connected
    member delete configmap plain
    soon 20 two field configmap plain '{.data.k}'
    hub_start --heartbeat-s 10
    connected 90
    soon 60 True ready_word cluster1
}
case_hub_killed() {
    local before
    before=$(status_field cluster1 epoch)
    process_stop "$FLEET/hub.pid" KILL
    hub_start --heartbeat-s 10
    set_value plain three
    soon 90 three field configmap plain '{.data.k}'
    # The same store, so the same epoch.
    is "$before" status_field cluster1 epoch
    soon 60 True ready_word cluster1
    soon 30 'True ' propagation shop federatedconfigmap plain
}
case_hub_killed_during_changes() {
    local round
    for round in 1 2; do
        set_value plain "kill $round" >/dev/null
        sleep "0.0$((RANDOM % 90 + 10))"
        process_stop "$FLEET/hub.pid" KILL
        hub_start --heartbeat-s 10
        soon 90 "kill $round" field configmap plain '{.data.k}'
    done
}

# ---- the member's API server is away ----
case_member_down() {
    "$KUBE" stop --dir "$FLEET/cluster1/kube" apiserver
    member_down_body || { "$KUBE" start --dir "$FLEET/cluster1/kube"; return 1; }
}
member_down_body() {
    soon 60 True condition_word cluster1 Offline || return 1
    says 'cluster is not reachable' hubctl -n kube-federation-system get kubefedcluster cluster1 \
        -o 'jsonpath={.status.conditions[0].message}' || return 1
    says 'not reachable' "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state" || return 1
    set_value plain pending || return 1
    "$KUBE" start --dir "$FLEET/cluster1/kube" apiserver || return 1
    soon 90 pending field configmap plain '{.data.k}' || return 1
    soon 60 True ready_word cluster1
}
case_member_down_at_start() {
    agent_stop cluster1
    "$KUBE" stop --dir "$FLEET/cluster1/kube" apiserver
    agent_start cluster1
    set_value plain later || true
    sleep 2
    "$KUBE" start --dir "$FLEET/cluster1/kube" apiserver
    process_alive "$(cat "$FLEET/cluster1.pid")"
    soon 90 later field configmap plain '{.data.k}'
    soon 60 True ready_word cluster1
}
case_both_away_at_start() {
    # Neither hub nor API server when it starts: enforced as soon as the API server is there, told as soon as the hub is.
    connected
    agent_stop cluster1
    member delete configmap plain
    hub_stop
    "$KUBE" stop --dir "$FLEET/cluster1/kube" apiserver
    agent_start cluster1
    soon 20 false status_field cluster1 connected
    says 'API server: +not reachable' "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state"
    "$KUBE" start --dir "$FLEET/cluster1/kube" apiserver
    soon 60 later field configmap plain '{.data.k}'
    is false status_field cluster1 connected
    hub_start --heartbeat-s 10
    connected 90
    soon 60 True ready_word cluster1
    # The hub first.
    agent_stop cluster1
    "$KUBE" stop --dir "$FLEET/cluster1/kube" apiserver
    hub_stop
    agent_start cluster1
    soon 20 false status_field cluster1 connected
    hub_start --heartbeat-s 10
    connected 90
    set_value plain both
    "$KUBE" start --dir "$FLEET/cluster1/kube" apiserver
    soon 90 both field configmap plain '{.data.k}'
    soon 60 True ready_word cluster1
}
case_agent_silent() {
    # Nothing heard for three heartbeats or so: offline, and ready again when it is back.
    agent_stop cluster1 KILL
    soon 90 True condition_word cluster1 Offline
    agent_start cluster1
    soon 60 True ready_word cluster1
}

# ---- status, end, state ----
hub_address() { # the one that the agents use
    if [ "${LINK:-coap}" = coap ]; then
        echo "coaps://127.0.0.1:$(cut -d' ' -f2 "$FLEET/hub.ports")"
    else
        echo "https://127.0.0.1:$(cut -d' ' -f3 "$FLEET/hub.ports")"
    fi
}
case_status() {
    connected
    soon 60 3 status_field cluster1 works.applied
    soon 60 ok status_field cluster1 api_server.health
    "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state" -o json >"$FLEET/status.json"
    python3 - "$FLEET/status.json" "$(hub_address)" "${LINK:-coap}" <<'PY'
import json, sys, time
status = json.load(open(sys.argv[1], encoding="utf-8"))
print(json.dumps(status, indent=1))
assert list(status) == ["cluster", "hub", "link", "connected", "since_unix_s", "dial", "epoch", "revision", "works", "bytes", "certificate", "clone_suspected", "api_server", "clock", "waits", "n_waits"], list(status)
assert list(status["works"]) == ["total", "applied", "pending", "failed", "removals_waiting"], status["works"]
assert list(status["bytes"]) == ["sent", "received", "month_sent", "month_received"], status["bytes"]
assert list(status["certificate"]) == ["not_after_unix_s", "renewal_unix_s"], status["certificate"]
assert status["cluster"] == "cluster1" and status["link"] == sys.argv[3] and status["connected"] is True
assert status["hub"] == sys.argv[2], status["hub"]
assert status["dial"]["state"] == "in use" and status["hub"] in status["dial"]["hubs"], status["dial"]
assert status["works"] == {"total": 3, "applied": 3, "pending": 0, "failed": 0, "removals_waiting": 0}, status["works"]
assert status["revision"] > 0 and status["epoch"] > 0
now = time.time()
assert now - 3600 < status["since_unix_s"] <= now + 1
assert 0 < status["bytes"]["sent"] <= status["bytes"]["month_sent"] and 0 < status["bytes"]["received"] <= status["bytes"]["month_received"]
assert status["clone_suspected"] is False
assert status["api_server"]["reachable"] is True and status["api_server"]["health"] == "ok", status["api_server"]
assert status["waits"] == [] and status["n_waits"] == 0, status["waits"]
assert status["clock"]["trust"] == "hub" and -2 < status["clock"]["ahead_s"] < 2, status["clock"]
assert now < status["certificate"]["renewal_unix_s"] < status["certificate"]["not_after_unix_s"]
assert now + 30 * 86400 < status["certificate"]["not_after_unix_s"] < now + 400 * 86400
PY
    "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state" >"$FLEET/status.txt"
    cat "$FLEET/status.txt"
    grep -Eq '^Cluster: +cluster1$' "$FLEET/status.txt"
    grep -Eq '^Hub: +(coaps|https)://127.0.0.1:[0-9]+, connected since [0-9-]+T[0-9:]+Z$' "$FLEET/status.txt"
    grep -Eq '^Works: +3: 3 applied, 0 pending, 0 failed$' "$FLEET/status.txt"
    grep -Eq '^API server: +reachable$' "$FLEET/status.txt"
}
case_status_failed() {
    federated FederatedService shop broken '{spec: {ports: [{port: 70000}]}}' | hubctl apply -f -
    soon 20 1 status_field cluster1 works.failed
    is 3 status_field cluster1 works.applied
    says 'shop/broken.*70000' "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state"
    hubctl -n shop delete federatedservice broken --timeout=90s
    soon 20 3 status_field cluster1 works.total
}
case_second_agent() {
    fails 1 'running|another|lock|in use' timeout 90 "$BIN/fedlet" run --state-dir "$FLEET/cluster1/state" \
        --kubeconfig "$FLEET/cluster1/kube/admin.kubeconfig"
    is true status_field cluster1 connected
}
case_sigterm() {
    local pid code=0 since
    agent_stop cluster1
    "$BIN/fedlet" run --state-dir "$FLEET/cluster1/state" --kubeconfig "$FLEET/cluster1/kube/admin.kubeconfig" \
        >>"$FLEET/logs/cluster1-agent.out" 2>>"$FLEET/logs/cluster1-agent.err" &
    pid=$!
    connected || { kill -9 $pid; return 1; }
    since=$(now_ms)
    kill -TERM $pid
    wait_for 60 "its end" has_ended $pid || { kill -9 $pid; return 1; }
    wait $pid || code=$?
    [ "$code" -eq 0 ] || { echo "exit code $code"; return 1; }
    [ $(($(now_ms) - since)) -lt 20000 ] || { echo "took longer than 20 s"; return 1; }
    fails 1 'no service' "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state"
    agent_start cluster1
    connected
}
case_bad_kubeconfig() {
    agent_stop cluster1
    # Started before there is a kubeconfig at all: it waits for it, says so, and works once it is there.
    "$BIN/fedlet" run --state-dir "$FLEET/cluster1/state" --kubeconfig "$FLEET/none.kubeconfig" \
        >"$FLEET/none.out" 2>"$FLEET/logs/none.err" &
    local pid=$!
    wait_for 20 'the missing file to be named' grep -q 'none.kubeconfig' "$FLEET/logs/none.err" || { kill -9 $pid; return 1; }
    if process_alive $pid; then
        cp "$FLEET/cluster1/kube/admin.kubeconfig" "$FLEET/none.kubeconfig"
        set_value plain kubeconfig
        soon 60 kubeconfig field configmap plain '{.data.k}' || { kill -9 $pid; return 1; }
        kill -TERM $pid
        wait $pid
    else
        local code=0
        wait $pid || code=$?
        [ "$code" -eq 1 ]
    fi
    agent_start cluster1
    connected
}
damage() { # damage WAY FILE
    case $1 in
        header) printf 'rubbish rubbish!' | dd of="$2" conv=notrunc bs=1 2>/dev/null ;;
        cut) truncate -s 5000 "$2" ;;
        text) printf 'not a database at all\n' >"$2" ;;
        gone) rm "$2" ;;
        bit) python3 - "$2" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(0, 2)
    middle = f.tell() // 2
    f.seek(middle)
    byte = f.read(1)[0]
    f.seek(middle)
    f.write(bytes([byte ^ 1]))
PY
            ;;
    esac
}
case_corrupt() {
    # Set aside as it was, and made anew from the hub and the cluster: what is there is recognised, and nothing goes.
    local file=$FLEET/cluster1/state/state.db way before uid round=0
    uid=$(field deployment web '{.metadata.uid}')
    for way in header cut text bit gone; do
        round=$((round + 1))
        config "lost$round" l | hubctl apply -f -
        soon 30 'True ' propagation shop "federatedconfigmap" "lost$round"
        agent_stop cluster1
        # Nobody will remember that this was asked for.
        hubctl -n shop delete federatedconfigmap "lost$round" --wait=false
        cp -a "$FLEET/cluster1/state" "$FLEET/state-before"
        damage $way "$file"
        rm -f "$file-wal"
        before=$([ ! -e "$file" ] || sha256sum <"$file")
        set_value plain "after-$way"
        agent_start cluster1
        connected
        soon 30 "after-$way" field configmap plain '{.data.k}'
        is "$uid" field deployment web '{.metadata.uid}'
        [ -z "$before" ] || [ "$(sha256sum <"$file.damaged-1")" = "$before" ] || { echo "$way: what is set aside was changed"; return 1; }
        soon 30 '' field configmap "lost$round" '{.metadata.labels}'
        is l field configmap "lost$round" '{.data.k}'
        gone 30 hubctl -n shop get federatedconfigmap "lost$round"
        soon 30 'True ' propagation shop federatedconfigmap plain
    done
    # Not more than two are kept, and the hub takes none of this for a copy.
    is 'state.db.damaged-1 state.db.damaged-2' aside
    [ "$(condition_word cluster1 CloneSuspected)" != True ]
    is 2 field deployment web '{.spec.replicas}'
    grep -q 'set aside as state.db.damaged-1' "$FLEET/logs/cluster1-agent.err"
}
aside() { (cd "$FLEET/cluster1/state" && echo *.damaged-?); }
case_corrupt_twice() {
    # Both copies of the identity: it has to join again, says so, and leaves the cluster alone.
    local state=$FLEET/cluster1/state uid
    uid=$(field deployment web '{.metadata.uid}')
    agent_stop cluster1
    damage header "$state/state.db"
    damage bit "$state/identity"
    fails 1 'not joined' timeout -k 5 90 "$BIN/fedlet" run --state-dir "$state" --kubeconfig "$FLEET/cluster1/kube/admin.kubeconfig"
    agent_join cluster1 "$(fedctl token create)" --again
    agent_start cluster1
    connected
    set_value plain joined-again
    soon 30 joined-again field configmap plain '{.data.k}'
    is "$uid" field deployment web '{.metadata.uid}'
}
case_newer() {
    # Of a version to come: refused, and not a byte is written.
    local state=$FLEET/cluster1/state before
    agent_stop cluster1
    cp -a "$state" "$FLEET/good-state"
    printf '\4' | dd of="$state/state.db" conv=notrunc bs=1 seek=63 2>/dev/null
    before=$(cd "$state" && sha256sum state.db* identity)
    fails 1 'written by a newer version.*left as it is' timeout -k 5 90 "$BIN/fedlet" run --state-dir "$state" \
        --kubeconfig "$FLEET/cluster1/kube/admin.kubeconfig" || { newer_restore; return 1; }
    is "$before" bash -c "cd '$state' && sha256sum state.db* identity" || { newer_restore; return 1; }
    newer_restore
    connected
}
newer_restore() {
    rm -rf "$FLEET/cluster1/state"
    mv "$FLEET/good-state" "$FLEET/cluster1/state"
    agent_start cluster1
}
case_unwritable() {
    : >"$FLEET/a-file"
    fails 1 "$FLEET/a-file" timeout 90 "$BIN/fedlet" run --state-dir "$FLEET/a-file" --kubeconfig "$FLEET/cluster1/kube/admin.kubeconfig"
}
case_again() {
    # Unregistered, and registered anew with what it has: nothing vanishes.
    local token
    connected
    config left l | hubctl apply -f -
    soon 30 l field configmap left '{.data.k}'
    soon 30 'True ' propagation shop federatedconfigmap left
    hubctl -n kube-federation-system delete kubefedcluster cluster1 --timeout=90s
    hubctl -n shop delete federatedconfigmap left --timeout=90s
    set_value plain again
    agent_stop cluster1
    token=$(fedctl token create)
    is 'joined already as cluster1' agent_join cluster1 "$token"
    is 'joined as cluster1' agent_join cluster1 "$token" --again
    agent_start cluster1
    soon 60 again field configmap plain '{.data.k}'
    soon 30 'True ' propagation shop federatedconfigmap plain
    soon 30 '' field configmap left '{.metadata.labels}'
    is l field configmap left '{.data.k}'
    is true field configmap plain '{.metadata.labels.kubefed\.io/managed}'
}
case_revoked_cluster() {
    # Deleting the KubeFedCluster cuts the agent off: it keeps what it has and says that it is refused.
    hubctl -n kube-federation-system delete kubefedcluster cluster1 --timeout=90s
    set_value plain unseen || true
    soon 60 false status_field cluster1 connected
    sleep 1
    never is unseen field configmap plain '{.data.k}'
    is 2 field deployment web '{.spec.replicas}'
    process_alive "$(cat "$FLEET/cluster1.pid")"
}

must "a member with pods, a hub, an agent, two works" begin
try "drift: deleted comes back" case_deleted
try "drift: edited is put back" case_edited
try "drift: scaled is put back" case_scaled
try "drift: removed labels are put back" case_label_removed
try "fields of others stay" case_foreign_fields_stay
try "drift while the agent was stopped" case_drift_while_stopped
try "strays of every federated kind lose the label and stay" case_strays
try "status, as JSON and as text" case_status
try "status names what failed" case_status_failed
try "ten kills at random moments during changes" case_killed
try "the hub down: enforced from the state, also after a restart" case_hub_down
try "the hub killed and started: a change flows" case_hub_killed
try "the hub killed while changes flow" case_hub_killed_during_changes
try "the member's API server away: Offline, then Ready, the change is applied" case_member_down
try "the member's API server away when the agent starts" case_member_down_at_start
try "hub and API server away when the agent starts" case_both_away_at_start
try "a silent agent is Offline until it is back" case_agent_silent
try "a second agent on the same state is refused" case_second_agent
try "SIGTERM ends it in order" case_sigterm
try "a kubeconfig that is not there" case_bad_kubeconfig
try "a damaged state file is set aside and made anew, five ways" case_corrupt
try "a damaged state file and a damaged identity: joins again" case_corrupt_twice
try "a state file of a newer version is refused and left as it is" case_newer
try "a state directory that cannot be written" case_unwritable
try "an unregistered cluster joins again with its state directory" case_again
try "a deleted KubeFedCluster cuts its agent off" case_revoked_cluster
suite_end
