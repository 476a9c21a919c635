#!/usr/bin/env bash
# join.sh - how a cluster gets in, and who does not: tokens that ended, were used, revoked, mistyped or forged, another hub
# behind the address, names, approval, clocks, and the command lines of fedlet and fedctl.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
WORK=$FLEET/work
mkdir -p "$WORK"
SYSTEM=kube-federation-system
# url HOST [PORT]: an address of the hub, or of nobody, over the binding that is tested
url() {
    if [ "${LINK:-coap}" = coap ]; then
        echo "coaps://$1:${2:-$(cut -d' ' -f2 "$FLEET/hub.ports")}"
    else
        echo "https://$1:${2:-$(cut -d' ' -f3 "$FLEET/hub.ports")}"
    fi
}
edit_token() { "$ROOT/tests/e2e/token.py" "$@"; }
join() { # join CLUSTER TOKEN [flags]
    local cluster=$1 token=$2
    shift 2
    timeout -k 5 120 "$BIN/fedlet" join "$token" --name "$cluster" --state-dir "$FLEET/$cluster/state" \
        --kubeconfig "$FLEET/member/kube/admin.kubeconfig" --timeout 8s ${LINK:+--link "$LINK"} "$@"
}
not_joined() { lacks hubctl -n $SYSTEM get kubefedcluster "$1"; }

case_join() {
    local token
    token=$(fedctl token create)
    [ "$(wc -l <<<"$token")" -eq 1 ]
    [[ $token == fedlet1.* ]]
    says "coaps://127.0.0.1:$(cut -d' ' -f2 "$FLEET/hub.ports")" edit_token "$token" print=addresses
    join plain "$token" --label region=north --timeout 50s
    is north hub_jsonpath $SYSTEM kubefedcluster plain '{.metadata.labels.region}'
    is Approved hub_jsonpath $SYSTEM joinrequest plain '{.status.state}'
    is 700 stat -c %a "$FLEET/plain/state"
    # The private key is for nobody else, and never at the hub.
    [ -z "$(find "$FLEET/plain/state" -type f -perm /077)" ]
    hubctl -n $SYSTEM get joinrequest plain -o yaml >"$WORK/request"
    ! grep -q 'PRIVATE KEY' "$WORK/request" || return 1
}
case_stdin() {
    fedctl token create | timeout 60 "$BIN/fedlet" join - --name piped --state-dir "$FLEET/piped/state" \
        --kubeconfig "$FLEET/member/kube/admin.kubeconfig"
    is piped hub_jsonpath $SYSTEM kubefedcluster piped '{.metadata.name}'
}
case_again() {
    # A machine that is in already and has its key may run the command again; it says so or gets the same answer.
    local before token
    before=$(hub_jsonpath $SYSTEM joinrequest plain '{.status.publicKeyFingerprint}')
    token=$(fedctl token create)
    join plain "$token" || true
    is "$before" hub_jsonpath $SYSTEM joinrequest plain '{.status.publicKeyFingerprint}'
}
case_expired() {
    local token
    token=$(fedctl token create --ttl 1s)
    sleep 2.1
    fails 1 'expired|ended' join late "$token"
    not_joined late
    # A later expiry written into the text does not help: the hub knows better.
    fails 1 'ended|expired|refused' join late "$(edit_token "$token" expires=4000000000)"
    not_joined late
}
case_used_up() {
    local token
    token=$(fedctl token create)
    join first "$token" --timeout 50s
    fails 1 'used up' join second "$token"
    not_joined second
    token=$(fedctl token create --uses 2)
    join second "$token" --timeout 50s
    join third "$token" --timeout 50s
    fails 1 'used up' join fourth "$token"
}
case_revoked() {
    local token
    token=$(fedctl token create --uses 5)
    fedctl token revoke "$(edit_token "$token" print=id)"
    fails 1 'revoked|refused' join revoked "$token"
    not_joined revoked
    fails 1 'not found' fedctl token revoke nosuchtoken
}
case_mistyped() {
    local token at wrong
    token=$(fedctl token create)
    for at in 9 40 ${#token}; do
        wrong=$(python3 -c 'import sys
text, at = sys.argv[1], int(sys.argv[2]) - 1
print(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1:])' "$token" "$at")
        fails any 'token' join mistyped "$wrong" || { echo "character $at"; return 1; }
    done
    fails any 'token' join mistyped "${token%?}"
    fails any 'token' join mistyped "${token}A"
    fails any 'token' join mistyped fedlet1.
    fails any 'token' join mistyped nonsense
    fails any 'token' join mistyped "fedlet1.$(head -c 5000 /dev/zero | tr '\0' A)"
    [ ! -e "$FLEET/mistyped/state/fedlet.db" ]
    join mistyped "$token" --timeout 50s
}
case_forged() {
    local token
    token=$(fedctl token create)
    fails 1 'refused.*(forged|revoked|proof)' join forged "$(edit_token "$token" secret=00112233445566778899aabbccddeeff00112233)"
    fails 1 'refused.*(forged|revoked|proof)' join forged "$(edit_token "$token" id=unknownid)"
    not_joined forged
    # The real one still works: a wrong guess spends nothing.
    join forged "$token" --timeout 50s
}
case_wrong_pin() {
    local token
    token=$(fedctl token create)
    fails 1 'not the one of the token|another hub' join pinned \
        "$(edit_token "$token" pin="$(printf '11%.0s' $(seq 32))")"
    # What the wrong hub answered is not kept: the cluster cannot run with it.
    fails 1 'join' timeout 20 "$BIN/fedlet" run --state-dir "$FLEET/pinned/state" --kubeconfig "$FLEET/member/kube/admin.kubeconfig"
}
elsewhere() {
    local FLEET=$FLEET/$1
    shift
    mkdir -p "$FLEET/logs"
    "$@"
}
case_other_hub() {
    local token
    elsewhere other hub_start
    token=$(elsewhere other fedctl token create)
    fails 1 'refused|another hub' join stranger "$(edit_token "$token" address="$(url 127.0.0.1)")"
    not_joined stranger
    elsewhere other hub_stop
}
case_wrong_address() {
    local token
    token=$(fedctl token create)
    # Nobody listens there; a name that cannot be found; a port where something else listens.
    fails 1 '127.0.0.1:9' join nowhere "$(edit_token "$token" address="$(url 127.0.0.1 9)")" --timeout 4s
    fails 1 'hub.invalid' join nowhere "$(edit_token "$token" address="$(url hub.invalid 5684)")" --timeout 4s
    fails any 'address' join nowhere "$(edit_token "$token" address=ftp://127.0.0.1:1)" --timeout 4s
    not_joined nowhere
    join nowhere "$token" --timeout 50s
}
case_second_address() {
    local token
    token=$(fedctl token create)
    # The hub is found by name, too.
    join byname "$(edit_token "$token" address="$(url localhost)")" --timeout 50s
}
case_bound_name() {
    local token
    token=$(fedctl token create --name shop-1)
    fails 1 'for cluster shop-1 only' join shop-2 "$token"
    not_joined shop-2
    join shop-1 "$token" --timeout 50s
}
case_name_taken() {
    local token
    token=$(fedctl token create)
    rm -rf "$FLEET/thief"
    fails 1 'taken|exists already' timeout 60 "$BIN/fedlet" join "$token" --name plain --state-dir "$FLEET/thief/state" \
        --kubeconfig "$FLEET/member/kube/admin.kubeconfig" --timeout 8s
    is north hub_jsonpath $SYSTEM kubefedcluster plain '{.metadata.labels.region}'
}
case_bad_names() {
    local name token
    token=$(fedctl token create)
    for name in Upper under_score -a a- 'a b' '' "$(printf 'a%.0s' $(seq 254))"; do
        fails 2 'name' timeout 20 "$BIN/fedlet" join "$token" --name "$name" --state-dir "$FLEET/bad/state" ||
            fails 1 'name' timeout 20 "$BIN/fedlet" join "$token" --name "$name" --state-dir "$FLEET/bad/state" ||
            { echo "name: $name"; return 1; }
    done
    fails any 'label' join labels "$token" --label 'not a label=x'
    fails any 'label' join labels "$token" --label "key=not a value"
    fails any 'label' join labels "$token" --label nothing
}
case_many_labels() { # a request of several datagrams
    local i labels=()
    for i in $(seq 60); do labels+=(--label "example.com/a-label-with-a-long-name-$i=a-value-that-is-long-as-well-$i"); done
    join labelled "$(fedctl token create)" "${labels[@]}" --timeout 50s
    is a-value-that-is-long-as-well-60 hub_jsonpath $SYSTEM kubefedcluster labelled \
        '{.metadata.labels.example\.com/a-label-with-a-long-name-60}'
}
case_manual() {
    local token pid
    token=$(fedctl token create --approve manual)
    "$BIN/fedlet" join "$token" --name waiting --state-dir "$FLEET/waiting/state" \
        --kubeconfig "$FLEET/member/kube/admin.kubeconfig" --timeout 180s >"$WORK/waiting.out" 2>&1 &
    pid=$!
    soon 60 Pending hub_jsonpath $SYSTEM joinrequest waiting '{.status.state}' || { kill $pid; return 1; }
    not_joined waiting || { kill $pid; return 1; }
    fedctl approve waiting || { kill $pid; return 1; }
    wait $pid || { cat "$WORK/waiting.out"; return 1; }
    is Approved hub_jsonpath $SYSTEM joinrequest waiting '{.status.state}'
    is waiting hub_jsonpath $SYSTEM kubefedcluster waiting '{.metadata.name}'
    grep -qi 'approv' "$WORK/waiting.out"
}
fedctl_json() { # fedctl_json EXPRESSION ARGUMENTS...: what Python makes of the answer `d`
    local expression=$1
    shift
    fedctl "$@" | python3 -c 'import json,sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$expression"
}
case_manual_timeout() {
    local token
    token=$(fedctl token create --approve manual)
    fails 1 'approv' join patient "$token" --timeout 8s
    is 'JoinRequest True' fedctl_json "d['kind'] + ' ' + str(d['spec']['approved'])" approve patient -o json
    # Asking again with the same key and token is not another use.
    join patient "$token" --timeout 50s
}
case_denied() {
    local token
    token=$(fedctl token create --approve manual)
    fails 1 'approv' join denied "$token" --timeout 8s
    hubctl -n $SYSTEM patch joinrequest denied --subresource=status --type=merge -p '{"status":{"state":"Denied"}}'
    fails 1 'denied' join denied "$token"
    not_joined denied
    fails 1 'not found' fedctl approve nobody
}
shifted() { # shifted SECONDS COMMAND...
    local seconds=$1
    shift
    LD_PRELOAD=$WORK/clock_shift.so CLOCK_SHIFT_S=$seconds ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" "$@"
}
case_clock() {
    gcc -shared -fPIC -O1 -D_GNU_SOURCE -o "$WORK/clock_shift.so" "$ROOT/tests/e2e/clock_shift.c" -ldl
    is 1970 shifted "-$(date +%s)" date -u +%Y
    fails 1 "this machine's clock says 20[01].*set the clock" shifted -630720000 timeout 60 "$BIN/fedlet" join "$(fedctl token create)" \
        --name past --state-dir "$FLEET/past/state" --kubeconfig "$FLEET/member/kube/admin.kubeconfig" --timeout 8s
    fails 1 'clock|expired' shifted 630720000 timeout 60 "$BIN/fedlet" join "$(fedctl token create)" --name future \
        --state-dir "$FLEET/future/state" --kubeconfig "$FLEET/member/kube/admin.kubeconfig" --timeout 8s
    # Some minutes are no reason to refuse.
    shifted -240 timeout 60 "$BIN/fedlet" join "$(fedctl token create)" --name slow --state-dir "$FLEET/slow/state" \
        --kubeconfig "$FLEET/member/kube/admin.kubeconfig" --timeout 50s
}
case_hub_starts_later() {
    local token pid
    token=$(fedctl token create)
    hub_stop
    "$BIN/fedlet" join "$token" --name early --state-dir "$FLEET/early/state" \
        --kubeconfig "$FLEET/member/kube/admin.kubeconfig" --timeout 180s >"$WORK/early.out" 2>&1 &
    pid=$!
    sleep 1.5
    hub_start
    wait $pid || { cat "$WORK/early.out"; return 1; }
    is early hub_jsonpath $SYSTEM kubefedcluster early '{.metadata.name}'
}
case_agent_certificate() {
    # What an agent holds opens its own bundle on the agents' port and nothing of the API.
    local key code
    key=$FLEET/plain/state/key.pem
    hub_jsonpath $SYSTEM joinrequest plain '{.status.certificate}' >"$WORK/agent.crt"
    for path in /api/v1/secrets /apis/core.kubefed.io/v1beta1/kubefedclusters /api/v1/namespaces/$SYSTEM/secrets; do
        code=$(curl -sS --max-time 60 -k --cert "$WORK/agent.crt" --key "$key" -o "$WORK/agent.out" -w '%{http_code}' \
            "https://127.0.0.1:$(cut -d' ' -f1 "$FLEET/hub.ports")$path")
        cat "$WORK/agent.out"
        [ "$code" = 403 ] || [ "$code" = 401 ] || { echo "$path: $code"; return 1; }
    done
}
case_token_list() {
    local token id
    token=$(fedctl token create --ttl 2h --uses 3 --name listed)
    id=$(edit_token "$token" print=id)
    says "^$id +listed +auto +3 " fedctl token list
    fedctl token list -o json | python3 -c 'import json,sys; assert any(t["metadata"]["name"] == sys.argv[1] for t in json.load(sys.stdin))' "$id"
    # The secret was shown once: neither the API nor the list has it.
    { hubctl -n $SYSTEM get jointoken "$id" -o yaml; fedctl token list -o json; hubctl get jointokens -A -o yaml; } >"$WORK/tokens"
    grep -q "$id" "$WORK/tokens"
    ! grep -qF -e "${token#fedlet1.}" -e "$(edit_token "$token" print=secret)" "$WORK/tokens" || return 1
    fails 2 'takes a duration from 1s' fedctl token create --ttl forever
    fails any 'uses' fedctl token create --uses 0
    fails 2 'approve' fedctl token create --approve perhaps
}
case_fedlet_usage() {
    fails 2 '.' "$BIN/fedlet"
    fails 2 'frobnicate' "$BIN/fedlet" frobnicate
    fails 2 'bogus' "$BIN/fedlet" join x --name a --bogus
    fails 2 'name' "$BIN/fedlet" join x
    fails 2 '.' "$BIN/fedlet" join
    fails 2 'link' "$BIN/fedlet" run --link pigeon --state-dir "$WORK/none"
    fails 2 'hub' "$BIN/fedlet" run --hub nonsense --state-dir "$WORK/none"
    fails 2 '.' "$BIN/fedlet" status -o xml
    fails 2 '.' "$BIN/fedlet" run surplus
    fails 1 'join' "$BIN/fedlet" run --state-dir "$WORK/none"
    fails 1 'no service' "$BIN/fedlet" status --state-dir "$WORK/none"
    fails any 'link' "$BIN/fedlet" config --check --config <(printf 'link: pigeon\n')
    "$BIN/fedlet" config --sample >"$WORK/sample.yaml"
    "$BIN/fedlet" config --check --config "$WORK/sample.yaml"
    says '^fedlet [0-9]+\.[0-9]+\.[0-9]+' "$BIN/fedlet" version
    local command
    for command in join run status leave config; do
        says 'Example' "$BIN/fedlet" "$command" --help
        says "fedlet $command" "$BIN/fedlet" "$command" --help
    done
    is '' bash -c '"$1" --help 2>&1 >/dev/null' - "$BIN/fedlet"
}
case_fedctl_usage() {
    local command
    fails 2 '.' "$BIN/fedctl"
    fails 2 'frobnicate' "$BIN/fedctl" frobnicate
    fails 2 'bogus' fedctl token create --bogus
    fails 2 'json' fedctl clusters -o xml
    fails 2 'surplus' fedctl token create surplus
    fails 2 '.' fedctl approve
    fails 1 'no-such-file' "$BIN/fedctl" --kubeconfig "$WORK/no-such-file" clusters
    fails 1 'nowhere' "$BIN/fedctl" --kubeconfig "$FLEET/hub/admin.kubeconfig" --context nowhere clusters
    says '^fedctl [0-9]+\.[0-9]+\.[0-9]+' "$BIN/fedctl" version
    for command in 'token create' 'token list' 'token revoke' clusters approve completion; do
        # shellcheck disable=SC2086
        says "usage: fedctl $command" "$BIN/fedctl" $command --help
        # shellcheck disable=SC2086
        says "example|Example" "$BIN/fedctl" $command --help
    done
    KUBECONFIG=$FLEET/hub/admin.kubeconfig says 'plain' "$BIN/fedctl" clusters
    "$BIN/fedctl" completion bash >"$WORK/completion"
    bash -n "$WORK/completion"
}

must "fedhub starts" hub_start
# Joining does not talk to the member cluster; its kubeconfig is looked at when the service runs.
mkdir -p "$FLEET/member/kube"
sed 's/server: .*/server: https:\/\/127.0.0.1:1/' "$FLEET/hub/admin.kubeconfig" >"$FLEET/member/kube/admin.kubeconfig"
must "a token, a join, a registered cluster" case_join
try "the token from stdin" case_stdin
try "joining again with the same key" case_again
try "a token that expired" case_expired
try "a token is used up by its uses" case_used_up
try "a revoked token" case_revoked
try "typing errors in a token" case_mistyped
try "a forged secret, an unknown id" case_forged
try "a hub that does not have the pinned key" case_wrong_pin
try "a token of another hub" case_other_hub
try "wrong addresses" case_wrong_address
try "the hub by its name" case_second_address
try "a token bound to a name" case_bound_name
try "a name that is taken" case_name_taken
try "names and labels that are none" case_bad_names
try "sixty labels" case_many_labels
try "approval by hand" case_manual
try "approval after the command gave up" case_manual_timeout
try "a denied request" case_denied
try "a clock twenty years off, and one that is some minutes off" case_clock
try "a hub that starts later" case_hub_starts_later
try "an agent's certificate opens nothing of the API" case_agent_certificate
try "token list; the secret is shown once" case_token_list
try "fedlet: wrong usage, help, sample configuration" case_fedlet_usage
try "fedctl: wrong usage, help, completion" case_fedctl_usage
suite_end
