#!/usr/bin/env bash
# chaos.sh - a random history against a hub, two agents and two real member control planes: changes of federated objects,
# foreign hands in the members, kills of every process; then each member must hold exactly what the hub's objects say.
#
#   CHAOS_SEED=N    the history (default 1; "new": another one each time, printed); the same seed asks for the same steps, the times differ
#   CHAOS_STEPS=N   its length (default 120)
#   CHAOS_SETTLE=S  seconds that the end may take (default 240)
set -euo pipefail
source "$(dirname "$0")/suite.sh"
export ROOT BIN KUBE FLEET FEDLET_BIN=$BIN FEDLET_KUBE=$KUBE
export CONSENT=off # placements that empty a member are what this is about
SEED=${CHAOS_SEED:-1}
[ "$SEED" != new ] || SEED=$((RANDOM * 32768 + RANDOM))
printf '# seed %s\n' "$SEED"

start_members() { members_up cluster1 cluster2; }
join_members() {
    join_cluster cluster1 --label region=north --label tier=edge
    join_cluster cluster2 --label region=south --label tier=edge
    configs_write cluster1 cluster2
}
history() {
    python3 "$(dirname "$0")/chaos.py" --seed "$SEED" --steps "${CHAOS_STEPS:-120}" --settle "${CHAOS_SETTLE:-240}" | tee "$FLEET/logs/history.out"
}

hub_start
must "two member control planes" start_members
must "both clusters join" join_members
try "seed $SEED: the members hold what the hub says after a random history" history
suite_end
