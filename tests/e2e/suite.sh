# suite.sh - how an end-to-end suite is written. Sourced at its top; the suite then calls `try NAME COMMAND...` once for each
# behaviour, and `suite_end` last. Prints TAP: `ok N - name`, `not ok N - name` with what was said, `ok N - name # SKIP why`,
# and the plan at the end. Whatever is started through lib.sh ends with the suite, also on Ctrl-C.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SUITE=$(basename "$0" .sh)${LINK:+-$LINK}
CASES=0
FAILURES=0
SUITE_STARTED=$(now_ms)

# Reports of the sanitizers go to files of their own, so that none is lost in a log or changes what a command prints.
export ASAN_OPTIONS="detect_leaks=1:log_path=$FLEET/logs/sanitizer${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export UBSAN_OPTIONS="print_stacktrace=1:log_path=$FLEET/logs/sanitizer${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"

suite_clean() {
    local code=$?
    trap - EXIT INT TERM
    set +e # whatever cannot be cleaned up does not decide
    if [ "$code" -ne 0 ] && [ -n "${FEDLET_TEST_LOGS:-}" ]; then
        mkdir -p "$FEDLET_TEST_LOGS"
        rm -rf "${FEDLET_TEST_LOGS:?}/$SUITE"
        cp -r "$FLEET/logs" "$FEDLET_TEST_LOGS/$SUITE"
        note "$SUITE: logs are in $FEDLET_TEST_LOGS/$SUITE"
    fi
    # shellcheck disable=SC2046
    kill $(jobs -p) 2>/dev/null || true
    fleet_down
    exit "$code"
}
trap suite_clean EXIT
trap 'exit 130' INT TERM

# try NAME COMMAND...: one behaviour; the command, usually a function, runs under `set -e` in a shell of its own.
try() {
    local name=$1 code=0 since
    shift
    CASES=$((CASES + 1))
    since=$(now_ms)
    set +e
    (
        trap - EXIT
        set -e
        "$@"
    ) >"$FLEET/logs/case${LANE:-}.out" 2>&1 </dev/null
    code=$?
    set -e
    if [ "$code" -eq 0 ]; then
        printf 'ok %d - %s (%d ms)\n' "$CASES" "$name" "$(($(now_ms) - since))"
        return 0
    fi
    FAILURES=$((FAILURES + 1))
    printf 'not ok %d - %s\n' "$CASES" "$name"
    tail -n 40 "$FLEET/logs/case${LANE:-}.out" | cut -c1-600 | sed 's/^/#   /'
}

# skip NAME WHY: loudly, and counted.
skip() {
    CASES=$((CASES + 1))
    printf 'ok %d - %s # SKIP %s\n' "$CASES" "$1" "$2"
}

# must NAME COMMAND...: like try, but the suite ends here when it fails: the rest needs it.
must() {
    local before=$FAILURES
    try "$@"
    [ "$FAILURES" -eq "$before" ] || {
        printf 'Bail out! the rest of the suite needs this\n'
        suite_end
    }
}

no_sanitizer_report() {
    local file
    for file in "$FLEET"/logs/sanitizer.* "$FLEET"/*/logs/sanitizer.*; do
        [ -e "$file" ] || continue
        cat "$file"
        return 1
    done
    # A gateway worker cannot open the file any more: it says so instead.
    ! grep -E -h -A 20 "runtime error:|(Address|Leak|UndefinedBehavior)Sanitizer|Can't open file: .*sanitizer" "$FLEET"/logs/*.err
}

suite_end() {
    try "no sanitizer report in any process" no_sanitizer_report
    printf '1..%d\n# %s: %d cases, %d failed, %d s\n' "$CASES" "$SUITE" "$CASES" "$FAILURES" \
        "$((($(now_ms) - SUITE_STARTED) / 1000))"
    [ "$FAILURES" -eq 0 ] || exit 1
    exit 0
}

# ---- what a case is made of ----

# fails CODE PATTERN COMMAND...: ends with that exit code and says something that matches the extended pattern. CODE may be
# `any` for any but 0. What a crash ends with is never right.
fails() {
    local want=$1 pattern=$2 code=0 out
    shift 2
    out=$("$@" 2>&1) || code=$?
    printf '$ %s\n%s\n(exit code %d)\n' "$*" "$out" "$code"
    [ "$code" -ne 0 ] && [ "$code" -lt 124 ] || return 1
    [ "$want" = any ] || [ "$code" -eq "$want" ] || { echo "wanted exit code $want"; return 1; }
    grep -qE -- "$pattern" <<<"$out" || { echo "wanted a line like: $pattern"; return 1; }
}

# says PATTERN COMMAND...: succeeds and prints something that matches.
says() {
    local pattern=$1 out
    shift
    out=$("$@" 2>&1) || { printf '$ %s\n%s\n' "$*" "$out"; return 1; }
    grep -qE -- "$pattern" <<<"$out" || { printf '$ %s\n%s\nwanted: %s\n' "$*" "$out" "$pattern"; return 1; }
}

# is EXPECTED COMMAND...: its whole output on stdout.
is() {
    local expected=$1 out
    shift
    out=$("$@") || return 1
    [ "$out" = "$expected" ] || { printf '$ %s\nprinted: %s\nwanted:  %s\n' "$*" "$out" "$expected"; return 1; }
}

# soon SECONDS EXPECTED COMMAND...: the output becomes that.
soon() {
    local limit=$1
    shift
    wait_for "$limit" "'$1' from ${*:2}" is "$@"
}

# lacks COMMAND...: kubectl says NotFound.
lacks() {
    local out
    out=$("$@" 2>&1) && { printf '$ %s\nis still there\n' "$*"; return 1; }
    grep -q NotFound <<<"$out" || { printf '$ %s\n%s\n' "$*" "$out"; return 1; }
}

# gone SECONDS COMMAND...: it becomes NotFound.
gone() {
    local limit=$1
    shift
    wait_for "$limit" "NotFound from $*" lacks "$@"
}

# never COMMAND...: ends with 1, which for grep is "not found". `! COMMAND` in the middle of a case checks nothing, as `set -e`
# passes over it; nor does the first part of `[ A ] && [ B ]`.
never() {
    local out code=0
    out=$("$@" 2>&1) || code=$?
    [ "$code" -eq 1 ] || { printf '$ %s\n%s\n(exit code %d)\nwanted 1\n' "$*" "$out" "$code"; return 1; }
}

# has_ended PID: whoever it was, also when nobody has waited for it.
has_ended() { ! process_alive "$1"; }

# established hubctl|memberctl [CLUSTER] CRD: until it is, and is served, which takes a moment more. `kubectl wait` gives up at once
# on a definition that is so new that the API server has not written conditions yet.
established() {
    local name=${*: -1}
    soon 60 True "${@:1:$#-1}" get crd "$name" -o 'jsonpath={.status.conditions[?(@.type=="Established")].status}'
    wait_for 60 "$name to be served" "${@:1:$#-1}" get "$name"
}

hub_jsonpath() { # hub_jsonpath NAMESPACE RESOURCE NAME PATH
    hubctl -n "$1" get "$2" "$3" -o "jsonpath=$4"
}
member_jsonpath() { # member_jsonpath CLUSTER NAMESPACE RESOURCE NAME PATH
    memberctl "$1" -n "$2" get "$3" "$4" -o "jsonpath=$5"
}
ready_word() { # ready_word CLUSTER: its Ready condition
    hubctl -n kube-federation-system get kubefedcluster "$1" \
        -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
}
condition_word() { # condition_word CLUSTER TYPE
    hubctl -n kube-federation-system get kubefedcluster "$1" \
        -o "jsonpath={.status.conditions[?(@.type==\"$2\")].status}"
}
propagation() { # propagation NAMESPACE RESOURCE NAME: status and reason
    hub_jsonpath "$1" "$2" "$3" '{.status.conditions[?(@.type=="Propagation")].status} {.status.conditions[?(@.type=="Propagation")].reason}'
}
cluster_word() { # cluster_word NAMESPACE RESOURCE NAME CLUSTER FIELD
    hub_jsonpath "$1" "$2" "$3" "{.status.clusters[?(@.name==\"$4\")].$5}"
}
status_field() { # status_field CLUSTER KEY.KEY: of `fedlet status -o json`
    "$BIN/fedlet" status --state-dir "$FLEET/$1/state" -o json |
        python3 -c 'import json,sys
value = json.load(sys.stdin)
for key in sys.argv[1].split("."): value = value[key]
print(json.dumps(value) if isinstance(value, bool) else value)' "$2"
}

EVERYWHERE='{clusterSelector: {}}'
# federated KIND NAMESPACE NAME TEMPLATE [PLACEMENT]: any federated kind, template and placement as one-line YAML. Without a
# PLACEMENT it is that of the suite, and everywhere when the suite sets none.
federated() {
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: %s\nmetadata: {name: %s%s}\nspec: {template: %s, placement: %s}\n' \
        "$1" "$3" "${2:+, namespace: $2}" "$4" "${5:-${PLACEMENT:-$EVERYWHERE}}"
}
# example_crd PLURAL KIND [SCOPE [VERSION [PROPERTIES [SHORT]]]]: a CRD of example.com. PROPERTIES are those of spec; without, it takes
# anything.
example_crd() {
    local schema='x-kubernetes-preserve-unknown-fields: true'
    [ -z "${5:-}" ] || schema="properties: {spec: {type: object, properties: $5}}"
    printf -- '---\n{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: %s.example.com}, spec: {group: example.com, scope: %s, names: {plural: %s, singular: %s, kind: %s%s}, versions: [{name: %s, served: true, storage: true, schema: {openAPIV3Schema: {type: object, %s}}}]}}\n' \
        "$1" "${3:-Namespaced}" "$1" "${1%s}" "$2" "${6:+, shortNames: [$6]}" "${4:-v1}" "$schema"
}
# webhook_start DIR: tests/e2e/webhook.py, until it listens.
webhook_start() {
    mkdir -p "$1"
    python3 "$ROOT/tests/e2e/webhook.py" "$1" 2>"$FLEET/logs/webhook.err" &
    echo $! >"$FLEET/webhook.pid"
    wait_for 20 'the webhook' test -s "$1/port"
}
# webhooks DIR KIND NAME URL [SECONDS]: the configuration of one, for configmaps that are called "hooked"
webhooks() {
    printf -- '---\n{apiVersion: admissionregistration.k8s.io/v1, kind: %sWebhookConfiguration, metadata: {name: %s}, webhooks: [{name: %s, admissionReviewVersions: [v1], sideEffects: None, timeoutSeconds: %s, failurePolicy: Fail, matchConditions: [{name: one, expression: "request.name == '"'hooked'"'"}], clientConfig: {url: "%s", caBundle: %s}, rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]}]}\n' \
        "$2" "$3" "$3" "${5:-1}" "$4" "$(base64 -w0 "$1/cert.pem")"
}

# join_cluster CLUSTER [FLAGS...]: a token and an agent, until the hub calls the cluster ready.
join_cluster() {
    local cluster=$1
    shift
    agent_join "$cluster" "$(fedctl token create)" "$@"
    agent_start "$cluster"
    soon 60 True ready_word "$cluster"
}
# configs_write CLUSTER...: kubeconfigs as JSON, for programs: hub.json and CLUSTER.json in $FLEET.
configs_write() {
    local cluster
    hubctl config view --raw -o json >"$FLEET/hub.json"
    for cluster in "$@"; do memberctl "$cluster" config view --raw -o json >"$FLEET/$cluster.json"; done
}
members_up() { # members_up CLUSTER...: side by side; what comes after -- are options for all
    local cluster pids=() options=() names=()
    while [ $# -gt 0 ]; do
        if [ "$1" = -- ]; then
            shift
            options=("$@")
            break
        fi
        names+=("$1")
        shift
    done
    for cluster in "${names[@]}"; do
        member_up "$cluster" ${options[@]+"${options[@]}"} &
        pids+=($!)
    done
    for cluster in "${pids[@]}"; do wait "$cluster"; done
}
