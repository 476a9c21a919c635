#!/usr/bin/env bash
# disk.sh - an agent whose state directory is full or read-only: it goes on enforcing what it has, takes no bundle that it cannot
# keep, says so, and is in order within a minute after there is room again. The directory is a small tmpfs. (Read-only while it
# runs is killat.sh's: no mount becomes that while somebody writes.)
set -euo pipefail
source "$(dirname "$0")/suite.sh"
STATE=$FLEET/cluster1/state
RECOVERY_S=90 # a try at least each 45 s, and what a busy machine takes

field() { member_jsonpath cluster1 shop configmap "$1" '{.data.k}'; }
set_value() { hubctl -n shop patch federatedconfigmap "$1" --type=merge -p "{\"spec\":{\"template\":{\"data\":{\"k\":\"$2\"}}}}"; }
connected() { soon "${1:-30}" true status_field cluster1 connected; }
fill() { dd if=/dev/zero of="$STATE/filler" bs=4k 2>/dev/null || true; }
begin() {
    member_up cluster1
    hub_start --heartbeat-s 10
    mkdir -p "$STATE"
    mount -t tmpfs -o size=4m,mode=700 tmpfs "$STATE"
    agent_join cluster1 "$(fedctl token create)"
    agent_start cluster1
    soon 60 True ready_word cluster1
    hubctl create namespace shop
    federated FederatedNamespace shop shop '{}' | hubctl apply -f -
    federated FederatedConfigMap shop a '{data: {k: "1"}}' | hubctl apply -f -
    federated FederatedConfigMap shop b '{data: {k: "1"}}' | hubctl apply -f -
    soon 30 1 field b
    soon 30 'True ' propagation shop federatedconfigmap b
}
# What holds while nothing can be written: a change of a is not taken, b is put back, nothing ends.
holds() { # holds OLD NEW
    local log=$FLEET/logs/cluster1-agent.err from
    from=$(wc -l <"$log")
    set_value a "$2"
    wait_for 30 "the refusal of the bundle" grep_after "$from" 'bundle refused: .*nothing of it was applied' "$log"
    memberctl cluster1 -n shop delete configmap b
    wait_for 30 "the object to come back" field b
    is "$1" field a
    connected
    process_alive "$(cat "$FLEET/cluster1.pid")"
    is True ready_word cluster1
}
grep_after() { grep -q "$2" <<<"$(tail -n "+$(($1 + 1))" "$3")"; }
recovers() { # recovers NEW
    local since
    since=$(now_ms)
    soon $RECOVERY_S "$1" field a
    soon 30 'True ' propagation shop federatedconfigmap a
    printf 'in order after %d ms\n' $(($(now_ms) - since)) | tee -a "$FLEET/logs/recovery.txt"
}
case_full() {
    fill
    holds 1 2
    sleep 12 # tries are further apart by now
    rm "$STATE/filler"
    recovers 2
}
case_full_at_start() {
    agent_stop cluster1 # which gives room
    fill
    agent_start cluster1
    connected
    holds 2 3
    rm "$STATE/filler"
    recovers 3
    # And after a crash: what is beside the file is taken in, without room.
    agent_stop cluster1 KILL
    fill
    agent_start cluster1
    connected
    holds 3 4
    rm "$STATE/filler"
    recovers 4
}
case_read_only_at_start() {
    # It cannot hold the directory against another one: it says why, and the service manager tries again.
    agent_stop cluster1
    mount -o remount,ro "$STATE"
    fails 1 'Read-only file system' timeout 90 "$BIN/fedlet" run --state-dir "$STATE" --kubeconfig "$FLEET/cluster1/kube/admin.kubeconfig"
    mount -o remount,rw "$STATE"
    set_value a 6
    agent_start cluster1
    recovers 6
}
case_damaged_and_full() {
    # No room for a new state file either: it begins as soon as there is, with who it is.
    agent_stop cluster1
    truncate -s 5000 "$STATE/state.db"
    fill
    fails 1 'full|No space' timeout 90 "$BIN/fedlet" run --state-dir "$STATE" --kubeconfig "$FLEET/cluster1/kube/admin.kubeconfig"
    rm "$STATE/filler"
    set_value a 7
    agent_start cluster1
    recovers 7
    wait_for 10 "b" field b
}
down() {
    agent_stop cluster1
    umount "$STATE" 2>/dev/null || true
}

if ! { mkdir -p "$FLEET/probe" && mount -t tmpfs -o size=64k tmpfs "$FLEET/probe" 2>/dev/null; }; then
    skip "full and read-only disks" "this machine does not let us mount"
    suite_end
fi
umount "$FLEET/probe"
trap 'code=$?; set +e; down; (exit $code); suite_clean' EXIT
must "a member, a hub, an agent on 4 MiB" begin
try "full: nothing new, everything else goes on, and then the change" case_full
try "full when it starts, after an orderly end and after a crash" case_full_at_start
try "read-only when it starts" case_read_only_at_start
try "damaged, and no room for a new one" case_damaged_and_full
sed 's/^/# /' "$FLEET/logs/recovery.txt"
down
suite_end
