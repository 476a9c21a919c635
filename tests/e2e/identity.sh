#!/usr/bin/env bash
# identity.sh - who is who over years: certificates that are renewed, that ended, a CA that follows another, copies of an agent,
# revocation, and wrong identities on both bindings. Agents run without a member control plane: what they hold is not the matter.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
WORK=$FLEET/work
mkdir -p "$WORK"
SYSTEM=kube-federation-system

request() { hub_jsonpath $SYSTEM joinrequest "$1" "{.status.$2}"; }
fingerprint() { request "$1" certificateFingerprint; }
connected() { soon "${2:-40}" true status_field "$1" connected; }
not_connected() { soon "${2:-40}" false status_field "$1" connected; }
admit() { # admit CLUSTER [flags]: joins; its API server is nowhere
    local cluster=$1
    shift
    mkdir -p "$FLEET/$cluster/kube"
    cp "$FLEET/member/kube/admin.kubeconfig" "$FLEET/$cluster/kube/admin.kubeconfig"
    agent_join "$cluster" "$(fedctl token create)" "$@"
}
begin() {
    hub_start --heartbeat-s 10 --certificate-life "$1"
    mkdir -p "$FLEET/member/kube"
    sed 's/server: .*/server: https:\/\/127.0.0.1:1/' "$FLEET/hub/admin.kubeconfig" >"$FLEET/member/kube/admin.kubeconfig"
    gcc -shared -fPIC -O1 -D_GNU_SOURCE -o "$WORK/clock_shift.so" "$ROOT/tests/e2e/clock_shift.c" -ldl
}
restart_hub() {
    hub_stop
    hub_start --heartbeat-s 10 "$@"
}
ended() { # ended CLUSTER: its certificate
    local until
    until=$(request "$1" certificateNotAfter)
    [ -n "$until" ] && [ "$(date +%s)" -gt "$(date -d "$until" +%s)" ]
}

# ---- renewal ----
case_join() {
    local cluster
    for cluster in edge slow away late; do
        admit $cluster
        fingerprint $cluster >"$WORK/$cluster.first"
    done
    agent_start edge
    # A board without a clock of its own: half an hour behind, it would ask too late by that.
    LD_PRELOAD=$WORK/clock_shift.so CLOCK_SHIFT_S=-1800 ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" agent_start slow
    connected edge
    connected slow
}
renewed() { # renewed CLUSTER: it has another certificate than at first, and came with it
    local now
    now=$(fingerprint "$1")
    [ -n "$now" ] && [ "$now" != "$(cat "$WORK/$1.first")" ] && [ "$(request "$1" certificateInUse)" = "$now" ]
}
case_renewed() {
    local key cluster
    key=$(request edge publicKeyFingerprint)
    for cluster in edge slow; do
        wait_for 60 "a new certificate of $cluster" renewed $cluster
        connected $cluster
    done
    is "$key" request edge publicKeyFingerprint
    [ -n "$(request edge renewedAt)" ]
    grep -q 'a new certificate is stored' "$FLEET/logs/edge-agent.err"
    says 'Certificate: valid until 20' "$BIN/fedlet" status --state-dir "$FLEET/edge/state"
    # One that did not ask has the same as before.
    is "$(cat "$WORK/away.first")" fingerprint away
}

# ---- a certificate that has ended ----
case_return() {
    wait_for 90 "the end of the certificate of away" ended away
    agent_start away
    connected away
    wait_for 60 "the new certificate to be in use" renewed away
    grep -q 'the certificate has ended; asking for another' "$FLEET/logs/away-agent.err"
    is Approved request away state
}
case_return_is_over() {
    wait_for 90 "the end of the certificate of late" ended late
    sleep 1.1
    restart_hub --certificate-life 1m --certificate-return 1s
    agent_start late
    wait_for 30 "the refusal of late" grep -q 'longer ago than this hub takes one back: join again with a token' \
        "$FLEET/logs/late-agent.err"
    is false status_field late connected
    is "$(cat "$WORK/late.first")" fingerprint late
    # With a token it is in again.
    agent_stop late
    agent_join late "$(fedctl token create)" --again
    agent_start late
    connected late
}
case_ended_is_for_nothing_else() {
    # By hand, with a certificate that has ended: the bundle is not for it, and neither is the API.
    local key code path
    key=$FLEET/away/state/key.pem
    agent_stop away
    sqlite_identity "$FLEET/away/state" certificate >"$WORK/away.now.crt"
    restart_hub --certificate-life 1m
    wait_for 90 "the end of the second certificate of away" ended away
    for path in h 'b?e=0&r=0' k nosuch; do
        code=$(ask_https "$WORK/away.now.crt" "$key" GET "$path")
        [ "$code" = 401 ] || { echo "$path: $code"; cat "$WORK/body"; return 1; }
    done
    code=$(ask_https "$WORK/away.now.crt" "$key" POST s x)
    [ "$code" = 401 ]
    is refused curl_api "$WORK/away.now.crt" "$key"
    code=$(ask_https "$WORK/away.now.crt" "$key" POST c '{}')
    [ "$code" = 400 ]
    code=$(ask_https "$WORK/away.now.crt" "$key" POST c)
    [ "$code" = 200 ]
    grep -q 'BEGIN CERTIFICATE' "$WORK/body"
}
curl_api() { # curl_api CERT KEY: what the API's port makes of it
    curl -sS --max-time 60 -k --cert "$1" --key "$2" -o /dev/null "https://127.0.0.1:$(cut -d' ' -f1 "$FLEET/hub.ports")/api" \
        2>/dev/null && echo served || echo refused
}
ask_https() { # ask_https CERT KEY METHOD PATH [BODY]: the status; the answer is in $WORK/body
    local cert=$1 key=$2 method=$3 path=$4
    curl -sS --max-time 60 -k --cert "$cert" --key "$key" -X "$method" ${5:+-d "$5"} -o "$WORK/body" -w '%{http_code}' \
        -H "fedlet-session: $(python3 -c 'import os; print(os.urandom(16).hex())')" \
        "https://127.0.0.1:$(cut -d' ' -f3 "$FLEET/hub.ports")/fedlet/v1/$path"
}
sqlite_identity() { # sqlite_identity STATE_DIR MEMBER: of the stored identity
    state_copy "$1" "$WORK/state"
    python3 - "$WORK/state/state.db" "$2" <<'PY'
import json, sqlite3, sys
rows = sqlite3.connect(sys.argv[1])
tables = [name for (name,) in rows.execute("select name from sqlite_master where type='table'")]
for table in tables:
    columns = [column[1] for column in rows.execute(f"pragma table_info({table})")]
    for row in rows.execute(f"select * from {table}"):
        if any(value in ("identity", b"identity") for value in row):
            for value in row:
                text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
                if text.startswith("{"):
                    print(json.loads(text)[sys.argv[2]], end="")
                    sys.exit(0)
sys.exit("no identity found")
PY
}

# ---- a CA that follows another ----
pin_of() { openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1; }
of_new_ca() { # of_new_ca CLUSTER: it came with a certificate of the CA that issues now
    [ "$(request "$1" certificateAuthority)" = "$(pin_of "$FLEET/hub/ca.crt")" ] &&
        [ "$(request "$1" certificateInUse)" = "$(fingerprint "$1")" ]
}
hub_issuer() { # of the certificate that the API's port shows
    openssl s_client -connect "127.0.0.1:$(cut -d' ' -f1 "$FLEET/hub.ports")" </dev/null 2>/dev/null |
        openssl x509 -noout -issuer | sed 's/.*= *//'
}
case_rotate() {
    local cluster
    hub_stop
    rm -rf "$FLEET/hub" "$FLEET"/{edge,slow,away,late}.pid
    for cluster in edge slow away late; do rm -rf "${FLEET:?}/$cluster"; done
    hub_start --heartbeat-s 10 --certificate-life 5m
    admit online
    admit offline
    agent_start online
    connected online
    fedctl token create --uses 5 >"$WORK/old.token"
    cp "$FLEET/hub/admin.kubeconfig" "$WORK/old.kubeconfig"
    cp "$FLEET/hub/ca.crt" "$WORK/old.ca"
    says 'State: +one CA' "$BIN/fedhub" ca status --data-dir "$FLEET/hub"
    fails 1 'no rotation is under way' "$BIN/fedhub" ca finish --data-dir "$FLEET/hub"
    says 'A new CA was made' "$BIN/fedhub" ca rotate --data-dir "$FLEET/hub" # beside the service
    connected online
    restart_hub --certificate-life 5m
    is "$(openssl x509 -in "$WORK/old.ca" -noout -subject | sed 's/.*= *//')" hub_issuer
    wait_for 90 "online to come with a certificate of the new CA" of_new_ca online
    connected online
    says '1 of 2 came with a certificate of the new CA' "$BIN/fedhub" ca status --data-dir "$FLEET/hub"
    says '^  offline$' "$BIN/fedhub" ca status --data-dir "$FLEET/hub"
    fails 1 '1 of 2 clusters .* will have to join again' "$BIN/fedhub" ca drop --data-dir "$FLEET/hub"
    fails 1 'a rotation is under way' "$BIN/fedhub" ca rotate --data-dir "$FLEET/hub"
    # Both CAs are in what people and pods are given.
    is 2 certificates_in "$FLEET/hub/admin.kubeconfig"
    hubctl get namespaces >/dev/null
    kubectl_with "$WORK/old.kubeconfig" get namespaces >/dev/null
}
certificates_in() { sed -n 's/.*certificate-authority-data: //p' "$1" | base64 -d | grep -c BEGIN; }
kubectl_with() {
    local file=$1
    shift
    "${KUBECTL[@]}" --kubeconfig "$file" --cache-dir "$FLEET/kubectl-cache" "$@"
}
case_switch() {
    says 'made by the new CA' "$BIN/fedhub" ca finish --data-dir "$FLEET/hub"
    restart_hub --certificate-life 5m
    is "$(openssl x509 -in "$FLEET/hub/ca.crt" -noout -subject | sed 's/.*= *//')" hub_issuer
    connected online
    # Who knows only the old CA follows to the new one: an agent that was away, a token, a person.
    kubectl_with "$WORK/old.kubeconfig" get namespaces >/dev/null
    agent_start offline
    connected offline
    mkdir -p "$FLEET/joiner/kube"
    cp "$FLEET/member/kube/admin.kubeconfig" "$FLEET/joiner/kube/"
    agent_join joiner "$(cat "$WORK/old.token")"
    agent_start joiner
    connected joiner
    # A token of the new CA, and one of the old by HTTPS, where the chain shows the pin.
    admit newcomer
    agent_start newcomer
    connected newcomer
    mkdir -p "$FLEET/byhttps/kube"
    cp "$FLEET/member/kube/admin.kubeconfig" "$FLEET/byhttps/kube/"
    agent_join byhttps "$(cat "$WORK/old.token")" --link https
    agent_start byhttps --link https
    connected byhttps
    for cluster in online offline joiner newcomer byhttps; do
        wait_for 90 "$cluster to come with a certificate of the new CA" of_new_ca $cluster
    done
    says '5 of 5 came' "$BIN/fedhub" ca status --data-dir "$FLEET/hub"
    agent_stop newcomer
    agent_stop byhttps
}
trusts() { # trusts CLUSTER: how many CAs
    sqlite_identity "$FLEET/$1/state" ca | grep -c BEGIN
}
case_drop() {
    soon 20 2 trusts online # from a file that is in use
    says 'counts no more' "$BIN/fedhub" ca drop --data-dir "$FLEET/hub"
    restart_hub --certificate-life 5m
    for cluster in online offline joiner; do connected $cluster; done
    is 1 certificates_in "$FLEET/hub/admin.kubeconfig"
    hubctl get namespaces >/dev/null
    fails any 'certificate|x509' kubectl_with "$WORK/old.kubeconfig" get namespaces
    mkdir -p "$FLEET/straggler/kube"
    cp "$FLEET/member/kube/admin.kubeconfig" "$FLEET/straggler/kube/"
    fails 1 'another hub|not the one of the token' agent_join straggler "$(cat "$WORK/old.token")" --timeout 20s
    # Agents forget it, too.
    soon 60 1 trusts online
}

# ---- two machines ----
clone_word() { condition_word "$1" CloneSuspected; }
case_clone() {
    agent_stop online
    cp -r "$FLEET/online" "$FLEET/copy"
    agent_start online
    connected online
    agent_start copy
    soon 30 True clone_word online
    wait_for 20 "the copy to be told" grep -q 'another machine has this cluster' "$FLEET/logs/copy-agent.err"
    is false status_field copy connected
    says 'another machine has' "$BIN/fedlet" status --state-dir "$FLEET/copy/state"
    # Who was there first is served, and hears of it.
    connected online
    soon 30 true status_field online clone_suspected
    says 'Clone: +another machine' "$BIN/fedlet" status --state-dir "$FLEET/online/state"
    says '^online +[A-Za-z]+,CloneSuspected' fedctl clusters
    wait_for 20 "an event" says CloneSuspected hubctl -n $SYSTEM get events -o "jsonpath={.items[*].reason}"
    says 'two machines.*127.0.0.1.*127.0.0.1' hub_jsonpath $SYSTEM kubefedcluster online \
        '{.status.conditions[?(@.type=="CloneSuspected")].message}'
    # It stays so over a restart of the hub.
    restart_hub --certificate-life 5m
    is True clone_word online
    connected online
}
case_clone_accepted() {
    # The copy is the machine to go on with.
    agent_stop online
    fedctl approve online --clone
    soon 30 '' clone_word online
    agent_stop copy # it waits longer with each refusal
    agent_start copy
    connected copy
    agent_start online
    soon 30 True clone_word online
    wait_for 30 "the first machine to be refused" grep -q 'another machine has this cluster' "$FLEET/logs/online-agent.err"
    is false status_field online connected
}
case_clone_joins_again() {
    # ... and with a token in hand, the first one is.
    agent_stop copy
    agent_stop online
    agent_join online "$(fedctl token create)" --again
    agent_start online
    connected online
    soon 30 '' clone_word online
    agent_start copy
    soon 30 True clone_word online
    connected online
    agent_stop copy
}
case_restored_hub() {
    local i
    fedctl approve offline --clone # whatever there was
    "$BIN/fedhub" backup "$WORK/hub.db" --data-dir "$FLEET/hub"
    for i in 1 2 3; do
        agent_stop offline
        agent_start offline
        connected offline
    done
    hub_stop
    "$BIN/fedhub" restore "$WORK/hub.db" --data-dir "$FLEET/hub"
    hub_start --heartbeat-s 10 --certificate-life 5m
    connected offline
    agent_stop offline
    agent_start offline
    connected offline
    is '' clone_word offline
}

# ---- revocation ----
case_revoked() {
    local link
    for link in coap https; do
        admit "out-$link"
        agent_start "out-$link" --link $link
        connected "out-$link"
        is $link status_field "out-$link" link
    done
    # By its join request and by its cluster: the session ends at once, and no other comes.
    hubctl -n $SYSTEM delete joinrequest out-coap
    not_connected out-coap 10
    fedctl unjoin out-https --yes
    not_connected out-https 10
    for link in coap https; do
        wait_for 30 "out-$link to be refused" grep -qE 'not registered|no key is recorded' "$FLEET/logs/out-$link-agent.err"
        is false status_field "out-$link" connected
        agent_stop "out-$link"
    done
}
metric() { hubctl get --raw /metrics | awk -v name="$1" '$1 == name { print $2 }'; }
counted() { [ "$(metric "$2")" -ge "$1" ]; } # counted AT_LEAST METRIC
case_wrong_identities() {
    local token revoked requests handshakes
    requests=$(metric fedhub_link_refused_total)
    handshakes=$(metric 'fedhub_link_handshakes_total{result="failed"}')
    token=$(fedctl token create --uses 5)
    revoked=$(fedctl token create)
    fedctl token revoke "$("$ROOT/tests/e2e/token.py" "$revoked" print=id)"
    python3 "$ROOT/tests/e2e/identities.py" "$FLEET" "$WORK/identities" online "$token" "$revoked"
    # All of it is counted.
    wait_for 20 "the refused requests in the figures" counted $((requests + 100)) fedhub_link_refused_total
    wait_for 20 "the failed handshakes in the figures" counted $((handshakes + 8)) 'fedhub_link_handshakes_total{result="failed"}'
}

# ---- the hub's own certificate ----
later() { # hub and agents with one clock, which can be put
    LD_PRELOAD=$WORK/clock_shift.so CLOCK_SHIFT_FILE=$WORK/clock ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" "$@"
}
days_later() { echo $(($1 * 86400)) >"$WORK/clock"; }
own() { openssl x509 -in "$FLEET/hub/server.crt" -noout -fingerprint; }
shown() { # shown PORT [flags]: what certificate is there
    timeout 20 openssl s_client "${@:2}" -connect "127.0.0.1:$1" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint
}
shown_everywhere() {
    local api coap agents
    read -r api coap agents <"$FLEET/hub.ports"
    soon 10 "$1" shown "$api"
    soon 10 "$1" shown "$agents"
    soon 10 "$1" shown "$coap" -dtls1_2 -cert "$WORK/new-coap.crt" -key "$FLEET/new-coap/state/key.pem"
}
came() { grep -c "gateway: cluster $1 connected by" "$FLEET/logs/hub.err" || true; }
is_another() { [ "$(own)" != "$1" ]; }
is_another_admin() { [ "$(grep client-certificate-data "$FLEET/hub/admin.kubeconfig")" != "$1" ]; }
case_own_certificate() {
    local link first admin cluster
    hub_stop
    days_later 0
    later hub_start --heartbeat-s 10 --certificate-life 17520h
    for cluster in own-coap own-https new-coap new-https; do admit "$cluster"; done
    sqlite_identity "$FLEET/new-coap/state" certificate >"$WORK/new-coap.crt"
    for link in coap https; do
        later agent_start "own-$link" --link $link
        connected "own-$link"
    done
    first=$(own)
    admin=$(grep client-certificate-data "$FLEET/hub/admin.kubeconfig")
    shown_everywhere "$first"
    # Less than two months before its end it is another one, at each of the ports, and the admin's with it.
    days_later 310
    wait_for 90 "another certificate of the hub" is_another "$first"
    shown_everywhere "$(own)"
    wait_for 20 "the admin's, too" is_another_admin "$admin"
    # The first one has ended: who comes is shown the other, and who was there has not noticed.
    days_later 370
    for link in coap https; do
        later agent_start "new-$link" --link $link
        wait_for 40 "new-$link" grep -q "gateway: cluster new-$link connected by $link" "$FLEET/logs/hub.err"
    done
    for link in coap https; do
        is 1 came "own-$link"
        is 1 came "new-$link"
    done
    for cluster in own-coap own-https new-coap new-https; do agent_stop "$cluster"; done
}

must "fedhub starts" begin 1m
must "clusters join for a minute" case_join
try "certificates are renewed in time, also without a clock" case_renewed
try "an agent returns with a certificate that has ended" case_return
try "a hub that takes back for a second only" case_return_is_over
try "a certificate that has ended is good for a new one alone" case_ended_is_for_nothing_else
for cluster in edge slow away late; do agent_stop $cluster; done
must "a new CA; both count" case_rotate
try "the hub switches; who was away follows" case_switch
try "the old CA is dropped" case_drop
try "a copied state directory" case_clone
try "a person decides for the copy" case_clone_accepted
try "a token decides for the first" case_clone_joins_again
try "a restored hub cries no clone" case_restored_hub
try "a revoked cluster is out at once, by both bindings" case_revoked
try "wrong identities at every resource, by both bindings" case_wrong_identities
try "the hub's own certificate is made again while it runs, and no session ends" case_own_certificate
suite_end
