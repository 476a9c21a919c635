#!/usr/bin/env bash
# killat.sh - SIGKILL at every system call of an agent that touches its state, and disks that fail there: one cycle (start, pull,
# stage, apply, report, change, remove, stop) against a real hub and a real member, once for each of them. killat.py judges.
#
#   KILLAT=all       every place (`make killat`); unset: KILLAT_SAMPLE (40) of them, chosen by the seed
#   KILLAT_SEED=N    which ones (1)
set -euo pipefail
source "$(dirname "$0")/suite.sh"
SEED=${KILLAT_SEED:-1}
SAMPLE=${KILLAT_SAMPLE:-40}
[ "${KILLAT:-}" != all ] || SAMPLE=0
export FLEET FEDLET_BIN=$BIN
printf '# seed %s\n' "$SEED"

begin() {
    member_up cluster1
    hub_start --heartbeat-s 10
    join_cluster cluster1
    hubctl create namespace shop
    federated FederatedNamespace shop shop '{}' '{clusters: [{name: cluster1}]}' | hubctl apply -f -
    soon 30 shop memberctl cluster1 get namespace shop -o 'jsonpath={.metadata.name}'
    # Of somebody else, with and without the label of those that are nobody's.
    memberctl cluster1 -n shop create configmap stranger --from-literal=k=v
    memberctl cluster1 -n shop create configmap stranger-too --from-literal=k=v
    agent_stop cluster1
    configs_write cluster1
}
judge() { # judge WHAT: its exit code; what it says goes to the suite's output, too
    local code=0
    TOKEN=$(fedctl token create --uses 1000) python3 "$ROOT/tests/e2e/killat.py" "$1" --seed "$SEED" --sample "$SAMPLE" \
        >"$FLEET/logs/killat-$1.out" 2>&1 || code=$?
    cat "$FLEET/logs/killat-$1.out"
    return $code
}

# PARTS="kill leave": only these.
part() { # part NAME TITLE
    [[ " ${PARTS:-kill errors attach join leave} " == *" $1 "* ]] || return 0
    try "$2" judge "$1"
}

if ! command -v strace >/dev/null; then
    skip "SIGKILL at system calls" "no strace (toolchains/setup trace)"
    suite_end
fi
must "a member, a hub, an agent, a namespace" begin
part kill "killed at system calls of a cycle: 0 violations"
part errors "a disk that fails from the N-th call on"
part attach "a disk that fails while it runs, and comes back"
part join "fedlet join, killed, is done again"
part leave "fedlet leave, killed, is done again"
grep -h '^# ' "$FLEET"/logs/killat-*.out || true
suite_end
