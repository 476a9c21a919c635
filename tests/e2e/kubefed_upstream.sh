#!/usr/bin/env bash
# kubefed_upstream.sh - KubeFed's own end-to-end tests, unchanged, against a hub and two real members with agents. Prints TAP.
#
#   tests/e2e/kubefed_upstream.sh [PATTERN]    only the tests whose names match the extended pattern
#
# The tests talk to the hub as they would to KubeFed's host cluster, and to members directly, with the endpoint and the token that
# a KubeFedCluster names. They run in lanes side by side; each test has a namespace of its own. tests/kubefed/left-out says what is
# not run and why; every other test has to be in exactly one lane.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/../kubefed/build" || exit 1
built=$here/../../build/kubefed
if [ ! -e "$built" ]; then
    echo "ok 1 - KubeFed's tests # SKIP $(cat "$built.missing")"
    echo "1..1"
    exit 0
fi
wanted=${1:-.}
source "$here/suite.sh"
export CONSENT=off # its tests place and take away in small clusters again and again
built=$(realpath "$built")
LANES=$FLEET/lanes HOST=$FLEET/host
mkdir -p "$LANES" "$HOST"
# For the tests that start a controller manager; and ginkgo is not to talk about its own future.
export PATH=$built:$PATH ACK_GINKGO_DEPRECATIONS=1.16.4
fedns() { hubctl -n kube-federation-system "$@"; }

# ---- what KubeFed's tests expect of their federation ----
join_members() {
    local cluster
    for cluster in cluster1 cluster2; do
        agent_join "$cluster" "$(fedctl token create)"
        agent_start "$cluster"
    done
    for cluster in cluster1 cluster2; do soon 60 True ready_word "$cluster"; done
}
# reachable CLUSTER URL CA: as kubefedctl join leaves it; the agents need none of this.
reachable() {
    fedns patch kubefedcluster "$1" --type=merge \
        -p "{\"spec\":{\"apiEndpoint\":\"$2\",\"caBundle\":\"$3\",\"secretRef\":{\"name\":\"$1-token\"}}}"
}
give_access() { # to the members
    local cluster
    for cluster in cluster1 cluster2; do
        memberctl "$cluster" -n default create serviceaccount kubefed
        memberctl "$cluster" create clusterrolebinding kubefed --clusterrole=cluster-admin --serviceaccount=default:kubefed
        memberctl "$cluster" -n default create token kubefed --duration=8h >"$HOST/$cluster.token"
        fedns create secret generic "$cluster-token" --from-literal=token="$(cat "$HOST/$cluster.token")"
    done
    reachable cluster2 "$(memberctl cluster2 config view --minify -o 'jsonpath={.clusters[0].cluster.server}')" \
        "$(memberctl cluster2 config view --minify --raw -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}')"
}
# cluster1 is the host of those tests that need one that is a member, too.
be_host() {
    local context
    setsid "$built/host" --hub "$FLEET/hub/admin.kubeconfig" --member "$FLEET/cluster1/kube/admin.kubeconfig" \
        --token "$HOST/cluster1.token" --out "$HOST" >"$FLEET/logs/host.out" 2>"$FLEET/logs/host.err" </dev/null &
    echo $! >"$FLEET/host.pid"
    wait_for 30 "the host" test -e "$HOST/ready"
    reachable cluster1 "$(cat "$HOST/merged.url")" "$(base64 -w0 <"$HOST/merged.ca")"
    # KubeFed's tests take the cluster that is called like the context for the host.
    context=$(hubctl config current-context)
    sed "s/\\b$context\\b/cluster1/" "$FLEET/hub/admin.kubeconfig" >"$HOST/primary.kubeconfig"
    is cluster1 "${KUBECTL[@]}" --kubeconfig "$HOST/primary.kubeconfig" config current-context
}
# KubeFed's chart turns this on for its tests.
collect_statuses() {
    fedns patch kubefedconfig kubefed --type=merge \
        -p '{"spec":{"featureGates":[{"name":"RawResourceStatusCollection","configuration":"Enabled"}]}}'
}

# ---- lanes ----
declare -A lanes=() # by process id
# lane NAME PATTERN FLAGS...: the chosen tests that match; the rest stays for the lanes after it.
lane() {
    local name=$1 pattern=$2
    shift 2
    grep -E "$pattern" "$LANES/rest" >"$LANES/$name.names" || return 0
    grep -vE "$pattern" "$LANES/rest" >"$LANES/rest.new" || true
    mv "$LANES/rest.new" "$LANES/rest"
    # A test that waits for what never comes is ended: some of them wait for ever.
    timeout --signal=KILL 900 "$built/e2e" --single-call-timeout=180s --run "$LANES/$name.names" "$@" \
        >"$LANES/$name.out" 2>"$FLEET/logs/lane.$name.err" </dev/null &
    lanes[$!]=$name
}
lanes_end() {
    local pid name code
    for pid in "${!lanes[@]}"; do
        name=${lanes[$pid]} code=0
        wait "$pid" || code=$?
        [ "$code" -le 1 ] || printf 'not ok - lane %s ended with exit code %d\n' "$name" "$code" >>"$LANES/$name.out"
        cp "$LANES/$name.out" "$FLEET/logs/lane.$name.out"
    done
    lanes=()
}
# What the tests write themselves is in the logs.
show_lanes() {
    cat "$LANES"/*.out | grep -aE '^((not )?ok - |#   )' | sort_cases | tee "$FLEET/logs/all"
    FAILURES=$((FAILURES + $(grep -c '^not ok ' "$FLEET/logs/all" || true)))
    CASES=$((CASES + $(grep -cE '^(not )?ok ' "$FLEET/logs/all" || true)))
}
sort_cases() {
    awk -v n="$CASES" '/^(not )?ok / { n++; bad = /^not/; sub(/^(not )?ok - /, ""); printf "%s %d - KubeFed: %s\n", bad ? "not ok" : "ok", n, $0; next }
        { print }'
}
leave_out() {
    local pattern why name
    while IFS=$'\t' read -r pattern why; do
        case $pattern in '#'*) continue ;; esac
        grep -E "$pattern" "$LANES/rest" >"$LANES/out" || { echo "not ok - left-out: no test matches $pattern"; FAILURES=$((FAILURES + 1)); }
        while read -r name; do skip "KubeFed: $name" "$why"; done <"$LANES/out"
        grep -vE "$pattern" "$LANES/rest" >"$LANES/rest.new" || true
        mv "$LANES/rest.new" "$LANES/rest"
    done <"$here/../kubefed/left-out"
}
every_test_had_a_lane() {
    cat "$LANES/rest"
    [ ! -s "$LANES/rest" ]
}

hub_start
members_up cluster1 cluster2 -- --pods
must "two members join" join_members
must "their KubeFedClusters say how to reach them" give_access
must "one of them is the host" be_host
must "statuses are collected" collect_statuses

"$built/e2e" --list >"$LANES/rest" 2>"$FLEET/logs/list.err"
leave_out
if [ "$wanted" != . ]; then
    grep -E "$wanted" "$LANES/rest" >"$LANES/rest.new" || die "no test is called $wanted"
    mv "$LANES/rest.new" "$LANES/rest"
fi
hub=--kubeconfig=$FLEET/hub/admin.kubeconfig
# The longest first. Those of scheduling bring a scheduler of KubeFed's along, which may write nothing.
lane definitions '^Federated CRD resources' "--kubeconfig=$HOST/primary.kubeconfig"
lane scheduling '^Scheduling ' "--kubeconfig=$HOST/watched.kubeconfig"
lane configmaps '^Federated "(configmaps|services|ingresses)' "$hub"
lane types '^(Federated "|DeleteOptions)' "$hub"
lane interface '^(Core API Validation|Default KubeFedConfig|Federate |KubeFedCluster|VersionManager|Leader Elector)' "$hub"
lanes_end
# With KubeFed's controllers in the tests' own process, which check the clusters, too.
lane controllers '^FTC controller' "$hub" --in-memory-controllers
lanes_end
show_lanes
try "every other test of KubeFed ran" every_test_had_a_lane
suite_end
