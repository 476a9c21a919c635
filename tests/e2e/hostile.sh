#!/usr/bin/env bash
# hostile.sh - fedhub's API and those who mean it no good: each request is answered with a Status or its connection is closed,
# the hub's memory stays bounded, and others are served meanwhile.
set -euo pipefail
source "$(dirname "$0")/suite.sh"

# Freed memory that the sanitizer keeps aside is no figure of the hub's; and with it everything takes several times as long.
export ASAN_OPTIONS="quarantine_size_mb=8:$ASAN_OPTIONS"
if grep -q __asan_init "$BIN/fedhub"; then
    export HOSTILE_LATENCY_MS=${HOSTILE_LATENCY_MS:-15000} HOSTILE_RSS_MIB=${HOSTILE_RSS_MIB:-1200}
fi

hostile() { # hostile CASE: see hostile/__main__.py
    PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/e2e/hostile" "$FLEET/hub/admin.kubeconfig" "$(cat "$FLEET/hub.pid")" "$1"
}

must "the hub starts" hub_start
try "bodies that are no objects" hostile bodies
try "patches that are none" hostile patches
try "paths and queries" hostile paths
try "HTTP/1.1 that is none" hostile http1
try "no request is smuggled behind another" hostile smuggling
try "floods of HTTP/2 frames end their connection" hostile frames
try "lies in HTTP/2" hostile lies
try "TLS that is none, and peers that do not go on" hostile slow
try "answers that nobody reads" hostile lists
try "a watch that nobody reads" hostile unread
try "watches without end" hostile watches
try "connections without end" hostile storm
hub_stop
try "the store is sound" says 'is sound' "$BIN/fedhub" verify --data-dir "$FLEET/hub"
suite_end
