#!/usr/bin/env bash
# examples.sh - every README of docs/examples, command by command, on a hub and two real member control planes with pods.
#
#   tests/e2e/examples.sh [EXAMPLE...]   only these folders of docs/examples
set -euo pipefail
source "$(dirname "$0")/suite.sh"
here=$(cd "$(dirname "$0")" && pwd)

start_members() { members_up cluster1 cluster2 -- --pods; }
join_members() {
    join_cluster cluster1 --label region=north --label kind=shop
    join_cluster cluster2 --label region=south --label kind=shop
}

# What the examples type: kubectl, fedctl and kubectl-fed, and a kubeconfig with the contexts that they name.
write_kubeconfig() {
    contexts_write "$FLEET/config" cluster1 cluster2
    mkdir -p "$FLEET/bin"
    KUBECTL[0]=$(command -v "${KUBECTL[0]}") # by its path: the one that is written here comes first in PATH
    printf '#!/bin/sh\nexec %s --cache-dir "%s/kubectl-cache" "$@"\n' "$(printf '"%s" ' "${KUBECTL[@]}")" "$FLEET" >"$FLEET/bin/kubectl"
    chmod +x "$FLEET/bin/kubectl"
    ln -sf "$BIN/fedctl" "$FLEET/bin/fedctl"
    ln -sf "$BIN/fedctl" "$FLEET/bin/kubectl-fed"
}

# Each example has namespaces of its own, so several walk side by side.
walk_all() {
    printf '%s\n' "$@" | KUBECONFIG=$FLEET/config PATH=$FLEET/bin:$PATH OUT=$FLEET/logs xargs -P 4 -I '{}' bash -c \
        'code=0; python3 "$0/examples/walk.py" "{}/README.md" >"$OUT/example-{}.out" 2>&1 || code=$?; echo "$code" >"$OUT/example-{}.code"' "$here"
}
verdict() {
    cat "$FLEET/logs/example-$1.out"
    [ "$(cat "$FLEET/logs/example-$1.code")" = 0 ]
}

hub_start
must "two member control planes with pods" start_members
must "both clusters join" join_members
must "one kubeconfig with three contexts" write_kubeconfig
cd "$ROOT/docs/examples"
examples=("$@")
[ $# -gt 0 ] || examples=(*/)
walk_all "${examples[@]%/}"
for example in "${examples[@]%/}"; do
    try "docs/examples/$example does what it says" verdict "$example"
done
suite_end
