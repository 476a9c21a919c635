#!/usr/bin/env bash
# propagation.sh - KubeFed's propagation as tables: what is sent, what KubeFed makes of it, what fedlet must make of it.
# One hub, two real members, two agents; the tables are propagation/*.json, their form is told in propagation/run.py.
#
# PROPAGATION_ONLY   runs the cases whose title contains this text
set -euo pipefail
source "$(dirname "$0")/suite.sh"
TABLES=$(dirname "$0")/propagation
export FLEET FEDLET_BIN=$BIN FEDLET_KUBE=$KUBE

start_members() { members_up cluster1 cluster2; }
join_members() {
    join_cluster cluster1 --label env=prod
    join_cluster cluster2
    configs_write cluster1 cluster2
}
# The runner prints one line for each case, "ok NAME" or "not ok NAME: why"; here each becomes a case of the suite.
table() {
    local line
    python3 "$TABLES/run.py" --only "${PROPAGATION_ONLY:-}" "$@" >"$FLEET/logs/$(basename "$1").out" 2>&1 || true
    while IFS= read -r line; do
        case $line in
        *"# SKIP "*) skip "$(sed 's/^ok //; s/ # SKIP .*//' <<<"$line")" "${line#*# SKIP }" ;;
        "ok "*) try "${line#ok }" true ;;
        "not ok "*) try "$(cut -d: -f1 <<<"${line#not ok }")" tell "$line" ;;
        *) printf '#   %s\n' "$line" ;;
        esac
    done <"$FLEET/logs/$(basename "$1").out"
    try "$(basename "$1") was run to its end" grep -q '^# done' "$FLEET/logs/$(basename "$1").out"
}
tell() {
    printf '%s\n' "$1"
    return 1
}

must "two real members start" start_members
must "fedhub starts, and hears every ten seconds of its agents" hub_start --heartbeat-s 10
must "both join, cluster1 with env=prod" join_members
table "$TABLES"
suite_end
