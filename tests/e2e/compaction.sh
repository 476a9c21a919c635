#!/usr/bin/env bash
# compaction.sh - a hub that keeps little history, under heavy writing: whoever is too late is told 410, lists again, and has
# lost and repeated nothing. compaction.py knows what every object must be.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
WORK=$FLEET/work
mkdir -p "$WORK"
HERE=$(cd "$(dirname "$0")" && pwd)
KIB=64

judge() { # judge NAME SECONDS
    local code=0
    python3 "$HERE/compaction.py" "$FLEET/hub/admin.kubeconfig" "$WORK/$1.stop" "$1" >"$FLEET/logs/$1.out" 2>&1 &
    local pid=$!
    wait_for 20 "writers and readers" grep -q running "$FLEET/logs/$1.out"
    sleep "$2"
    touch "$WORK/$1.stop"
    wait "$pid" || code=$?
    cat "$FLEET/logs/$1.out"
    return "$code"
}
refused_option() { fails any "history-kib.*64 to 4194304" "$BIN/fedhub" serve --data-dir "$WORK/none" --history-kib 63; }
late_by_size() { judge size 12; }
log_is_bounded() { # what the file keeps of changes, in KiB; one commit may go beyond the limit before it is cut
    hub_stop
    "$BIN/fedhub" verify --data-dir "$FLEET/hub"
    python3 - "$FLEET/hub/hub.db" "$KIB" <<'PY'
import sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
kept = db.execute("SELECT coalesce(sum(length(value) + coalesce(length(before), 0)), 0) FROM log").fetchone()[0] // 1024
print(f"{kept} KiB of changes are kept, the limit is {sys.argv[2]} KiB")
sys.exit(kept > int(sys.argv[2]))
PY
}
version_now() { hubctl get --raw /api/v1/namespaces/default/configmaps | python3 -c 'import json,sys; print(json.load(sys.stdin)["metadata"]["resourceVersion"])'; }
at_version() { hubctl get --raw "/api/v1/namespaces/default/configmaps?resourceVersionMatch=Exact&resourceVersion=$1"; }
late_by_time() { # at the least, 10 s; read at a version that something was written after
    local version
    hub_start --history-s 10
    version=$(version_now)
    hubctl create configmap after
    at_version "$version" >"$WORK/past.json"
    if grep -q '"name":"after"' "$WORK/past.json"; then return 1; fi
    wait_for 30 "the past to be forgotten" fails any 'too old' at_version "$version"
    says '"name":"after"' at_version "$(version_now)"
}

must "a hub that keeps $KIB KiB of history starts" hub_start --history-kib "$KIB"
try "less than the least is refused, and the range named" refused_option
try "watches and pages that are too late for the size of the history" late_by_size
try "the log of changes stays within its limit, and the store is whole" log_is_bounded
try "a version of longer ago than history is kept cannot be read any more" late_by_time
suite_end
