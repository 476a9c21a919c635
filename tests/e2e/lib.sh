# lib.sh - what the demo and the end-to-end tests share: a hub, real member control planes, agents, and their end.
# Sourced by bash with `set -euo pipefail`. Everything is started on loopback with free ports, recorded by process id, and
# ended by fleet_down, which callers run on exit.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BIN=${FEDLET_BIN:-$ROOT/build/release/bin}
KUBE=${FEDLET_KUBE:-$ROOT/build/kube}
FLEET=${FLEET:-$(mktemp -d "${TMPDIR:-/tmp}/fedlet.XXXXXX")}
mkdir -p "$FLEET/logs"

# The machine's kubectl when it is there and young enough, else the one of the test control plane.
kubectl_find() {
    local minor
    if command -v kubectl >/dev/null; then
        minor=$(kubectl version --client -o json 2>/dev/null | sed -n 's/.*"minor": *"\([0-9]*\).*/\1/p' | head -1)
        if [ "${minor:-0}" -ge 28 ]; then
            KUBECTL=(kubectl)
            return
        fi
    fi
    KUBECTL=("$KUBE" kubectl)
}
kubectl_find
hubctl() { "${KUBECTL[@]}" --kubeconfig "$FLEET/hub/admin.kubeconfig" --cache-dir "$FLEET/kubectl-cache" "$@"; }
memberctl() { # memberctl CLUSTER ARGS...
    local cluster=$1
    shift
    "${KUBECTL[@]}" --kubeconfig "$FLEET/$cluster/kube/admin.kubeconfig" --cache-dir "$FLEET/kubectl-cache" "$@"
}
fedctl() { "$BIN/fedctl" --kubeconfig "$FLEET/hub/admin.kubeconfig" "$@"; }

now_ms() { date +%s%3N; }
note() { printf '%s\n' "$*" >&2; }
die() {
    note "error: $*"
    exit 1
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds; its last output is shown when it does not. A bound is for what
# does not come at all, and on a machine that does three other things half a minute is not long: no wait ends before WAIT_FLOOR.
# What is to be fast is measured (tests/bench), not awaited.
WAIT_FLOOR=${WAIT_FLOOR:-60}
wait_for() {
    local limit=$1 what=$2 end
    shift 2
    [ "$limit" -ge "$WAIT_FLOOR" ] || limit=$WAIT_FLOOR
    end=$(($(now_ms) + limit * 1000))
    until "$@" >"$FLEET/logs/wait${LANE:-}.out" 2>&1; do
        if [ "$(now_ms)" -ge "$end" ]; then
            note "waited $limit s for: $what"
            cat "$FLEET/logs/wait${LANE:-}.out" >&2
            return 1
        fi
        sleep 0.02
    done
}

# CONSENT (a limit, off) of a suite: which removals wait for consent, at the hub and at all agents; unset: as without it.
# hub_start [FLAGS...]: starts fedhub, always on the same ports, waits for its ready line.
hub_start() {
    local ports=()
    mkdir -p "$FLEET/hub"
    if [ -s "$FLEET/hub.ports" ]; then
        read -r -a ports <"$FLEET/hub.ports"
    else
        read -r -a ports < <("$ROOT/tests/e2e/free_ports.py" 3)
    fi
    : >"$FLEET/logs/hub.out"
    setsid "$BIN/fedhub" serve --data-dir "$FLEET/hub" --listen "127.0.0.1:${ports[0]}" \
        --coap-listen "127.0.0.1:${ports[1]}" --agent-listen "127.0.0.1:${ports[2]}" --advertise 127.0.0.1 ${CONSENT:+--removal-consent "$CONSENT"} "$@" \
        >"$FLEET/logs/hub.out" 2>>"$FLEET/logs/hub.err" </dev/null &
    echo $! >"$FLEET/hub.pid"
    local end=$(($(now_ms) + 90000))
    until grep -q '^fedhub: ready' "$FLEET/logs/hub.out"; do
        if ! process_alive "$(cat "$FLEET/hub.pid")" || [ "$(now_ms)" -ge "$end" ]; then
            tail -20 "$FLEET/logs/hub.err" >&2
            die "fedhub did not become ready"
        fi
        sleep 0.01
    done
    sed -n 's/.*api=https:\/\/[^ ]*:\([0-9]*\).*coap=coaps:\/\/[^ ]*:\([0-9]*\).*/\1 \2/p' \
        "$FLEET/logs/hub.out" >"$FLEET/hub.two"
    read -r api coap <"$FLEET/hub.two"
    agents=$(sed -n 's/.*agents=https:\/\/[^ ]*:\([0-9]*\).*/\1/p' "$FLEET/logs/hub.out")
    echo "$api $coap ${agents:-0}" >"$FLEET/hub.ports"
}

# process_alive PID: a zombie that nobody has waited for does not count.
process_alive() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    [ "${stat%% *}" != Z ]
}

# process_stop PIDFILE [SIGNAL]: ends it and waits until it is gone. A signal that there is not is a mistake of the suite.
process_stop() {
    local pid
    [ -s "$1" ] || return 0
    pid=$(cat "$1")
    kill -l "${2:-TERM}" >/dev/null || return 1
    kill -"${2:-TERM}" "$pid" 2>/dev/null || true
    for _ in $(seq 1500); do
        process_alive "$pid" || break
        sleep 0.02
    done
    process_alive "$pid" && { kill -KILL "$pid" 2>/dev/null || true; }
    wait "$pid" 2>/dev/null || true
    rm -f "$1"
}
hub_stop() { process_stop "$FLEET/hub.pid" "$@"; }

# member_up CLUSTER [FLAGS...]: a real control plane.
member_up() {
    local cluster=$1
    shift
    mkdir -p "$FLEET/$cluster"
    "$KUBE" up --dir "$FLEET/$cluster/kube" "$@" >"$FLEET/$cluster/kubeconfig" 2>"$FLEET/logs/$cluster-kube.err" || {
        tail -20 "$FLEET/logs/$cluster-kube.err" >&2
        die "no control plane for $cluster"
    }
    local path
    path=$(cat "$FLEET/$cluster/kubeconfig")
    [ "$path" = "$FLEET/$cluster/kube/admin.kubeconfig" ] || ln -sf "$path" "$FLEET/$cluster/kube/admin.kubeconfig"
}

# LINK (coap, https) in the environment: how all agents reach their hub; unset: as they choose.
agent_join() { # agent_join CLUSTER TOKEN [FLAGS...]
    local cluster=$1 token=$2
    shift 2
    "$BIN/fedlet" join "$token" --name "$cluster" --state-dir "$FLEET/$cluster/state" \
        --kubeconfig "$FLEET/$cluster/kube/admin.kubeconfig" ${LINK:+--link "$LINK"} "$@"
}
agent_start() {
    local cluster=$1
    shift
    setsid "$BIN/fedlet" run --state-dir "$FLEET/$cluster/state" \
        --kubeconfig "$FLEET/$cluster/kube/admin.kubeconfig" ${LINK:+--link "$LINK"} ${CONSENT:+--removal-consent "$CONSENT"} "$@" \
        >>"$FLEET/logs/$cluster-agent.out" 2>>"$FLEET/logs/$cluster-agent.err" </dev/null &
    echo $! >"$FLEET/$cluster.pid"
}
agent_stop() {
    local cluster=$1
    shift
    process_stop "$FLEET/$cluster.pid" "$@"
}

# state_copy STATE_DIR FOLDER: an agent's state file as it is on disk, for others to read: it lets nobody else open its own.
state_copy() {
    rm -rf "$2"
    mkdir -p "$2"
    cp "$1"/state.db* "$2/"
}

# contexts_write FILE CLUSTER...: one kubeconfig with the contexts hub (the current one) and CLUSTER...
contexts_write() {
    local file=$1 cluster pairs=()
    shift
    for cluster in "$@"; do pairs+=("$cluster" "$FLEET/$cluster/kube/admin.kubeconfig"); done
    python3 "$ROOT/tests/e2e/contexts.py" "$file" hub "$FLEET/hub/admin.kubeconfig" "${pairs[@]}" -- "${KUBECTL[@]}"
}

# fleet_down: ends every process that was started here and removes the folder.
fleet_down() {
    local file dir
    for file in "$FLEET"/*.pid "$FLEET"/*/*.pid; do
        [ -e "$file" ] && process_stop "$file"
    done
    for dir in "$FLEET"/*/kube; do
        [ -d "$dir" ] && { "$KUBE" down --dir "$dir" >/dev/null 2>&1 || true; }
    done
    [ -n "${KEEP_FILES:-}" ] || rm -rf "$FLEET"
}
