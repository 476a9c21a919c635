#!/usr/bin/env bash
# chaos.sh - random histories, each against a hub, two agents and two real member control planes: changes of federated objects,
# foreign hands in the members, the end of every process; then each member must hold exactly what the hub's objects say, nothing else may
# have been touched, and everybody's status must agree. Several histories run beside each other; each prints its seed.
#
#   CHAOS_SEED=N    one history, that one ("new": another one each time, printed); the same seed asks for the same steps, the times differ
#   CHAOS_SEEDS=... the histories (default "1 2")
#   CHAOS_STEPS=N   the length of each (default 1000)
#   CHAOS_SETTLE=S  seconds that the end may take (default 240)
set -euo pipefail
source "$(dirname "$0")/suite.sh"
export ROOT BIN KUBE FLEET FEDLET_BIN=$BIN FEDLET_KUBE=$KUBE
export CONSENT=off # placements that empty a member are what this is about

# ---- several: each is this program with one seed and a folder of its own ----
side_by_side() { # side_by_side SEED...
    local seed pids=() code=0
    for seed in "$@"; do
        env -u FLEET CHAOS_SEED="$seed" "$0" >"$FLEET/logs/seed-$seed.tap" 2>&1 &
        pids+=($!)
    done
    for seed in "${pids[@]}"; do wait "$seed" || code=1; done
    return "$code"
}
tell() { # tell SEED: its cases become ours
    cat "$FLEET/logs/seed-$1.tap"
    grep -q '^# chaos' "$FLEET/logs/seed-$1.tap" && ! grep -q '^not ok' "$FLEET/logs/seed-$1.tap"
}
if [ -z "${CHAOS_SEED:-}" ]; then
    SEEDS=${CHAOS_SEEDS:-1 2}
    # shellcheck disable=SC2086
    side_by_side $SEEDS || true
    for seed in $SEEDS; do
        try "seed $seed: ${CHAOS_STEPS:-1000} steps: the members hold what the hub says, nothing else was touched, status agrees" tell "$seed"
    done
    suite_end
fi

SEED=$CHAOS_SEED
[ "$SEED" != new ] || SEED=$((RANDOM * 32768 + RANDOM))
SUITE=chaos-$SEED
printf '# seed %s\n' "$SEED"

start_members() { members_up cluster1 cluster2; }
join_members() {
    join_cluster cluster1 --label region=north --label tier=edge
    join_cluster cluster2 --label region=south --label tier=edge
    configs_write cluster1 cluster2
}
# Kinds that KubeFed does not federate by itself, one with a definition that comes and goes in the members. In JSON: chaos.py reads it, too.
more_kinds() {
    cat >"$FLEET/widgets.json" <<'JSON'
{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.chaos.example"},
 "spec": {"group": "chaos.example", "scope": "Namespaced",
  "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
  "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {
   "spec": {"type": "object", "properties": {"size": {"type": "integer"}, "colour": {"type": "string"},
    "parts": {"type": "array", "items": {"type": "string"}}}}}}}}]}}
JSON
    hubctl create -f "$FLEET/widgets.json"
    for kind in statefulsets.apps customresourcedefinitions.apiextensions.k8s.io widgets.chaos.example; do fedctl enable "$kind"; done
    for kind in statefulsets jobs customresourcedefinitions widgets; do wait_for 20 "federated $kind" hubctl get "federated$kind" -A; done
}
history() {
    python3 "$(dirname "$0")/chaos.py" --seed "$SEED" --steps "${CHAOS_STEPS:-1000}" --settle "${CHAOS_SETTLE:-240}" | tee "$FLEET/logs/history.out"
}

hub_start
must "two member control planes" start_members
must "both clusters join" join_members
must "more kinds are federated" more_kinds
try "seed $SEED: the members hold what the hub says after a random history" history
suite_end
