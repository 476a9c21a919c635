#!/usr/bin/env bash
# operation.sh - the agent for who looks after a gateway: preflight, doctor (which names the layer that fails), support bundle,
# status with what is waited for, metrics, reload, install and uninstall, the systemd units, kubeconfigs that are replaced.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
FEDLET=$BIN/fedlet
WORK=$FLEET/work
mkdir -p "$WORK"
STATE=$FLEET/m1/state
CONFIG=$FLEET/m1/kube/admin.kubeconfig
export HOME=$WORK KUBECONFIG=
port() { cut -d' ' -f"$1" "$FLEET/hub.ports"; } # 1 API, 2 CoAP, 3 HTTPS
edit_token() { "$ROOT/tests/e2e/token.py" "$@"; }
preflight() { "$FEDLET" preflight "$@" --kubeconfig "$CONFIG" --state-dir "$WORK/new"; }
doctor() { "$FEDLET" doctor --state-dir "$STATE" --kubeconfig "$CONFIG" "$@"; }
# found ID RESULT [PATTERN] < JSON: such a finding is there, its reason matches, and it says what to do.
found() {
    python3 -c 'import json, re, sys
document = json.load(sys.stdin)
wanted, result, pattern = sys.argv[1:]
for one in document["checks"]:
    if one["id"] == wanted and one["result"] == result and re.search(pattern, one["reason"]):
        assert result not in ("warn", "fail") or one.get("remedy"), one
        sys.exit(0)
sys.exit("no %s %s /%s/ in %s" % (wanted, result, pattern, json.dumps(document, indent=1)))' "$1" "$2" "${3:-}"
}
# doctor_finds ID RESULT [PATTERN] [FLAGS...]: and its exit code says that something was found
doctor_finds() {
    local id=$1 result=$2 pattern=${3:-} code=0
    shift 3
    doctor -o json "$@" >"$WORK/doctor.json" || code=$?
    found "$id" "$result" "$pattern" <"$WORK/doctor.json" || return 1 # also where it is waited for, without -e
    [ "$result" = ok ] || [ "$code" -eq 1 ] || { echo "exit code $code"; return 1; }
}
connected() { [ "$(status_field m1 connected)" = true ]; }
wait_json() { # wait_json FOR: the wait of `fedlet status -o json`
    "$FEDLET" status --state-dir "$STATE" -o json | python3 -c 'import json, sys, time
status = json.load(sys.stdin)
for wait in status["waits"]:
    if wait["for"] == sys.argv[1]:
        assert wait["message"], wait
        assert 0 < wait["limit_s"] <= 3600, wait
        assert wait["next_try_unix_s"] <= time.time() + wait["limit_s"] + 2, wait
        print("found")
        break' "$1"
}

# ---- before joining ----

case_preflight() {
    local token
    token=$(fedctl token create)
    preflight "$token" -o json >"$WORK/preflight.json"
    for id in token dns udp dtls tcp tls api-server rights state-dir memory clock; do
        found "$id" ok <"$WORK/preflight.json"
    done
    found tls ok 'pinned CA' <"$WORK/preflight.json"
    found api-server ok 'Kubernetes v1\.' <"$WORK/preflight.json"
    [ ! -e "$WORK/new" ] # nothing is left behind
    says '^ok +udp' preflight - <<<"$token"
    printf '%s\n' "$token" >"$WORK/token"
    says '^ok +tls' "$FEDLET" preflight --token-file "$WORK/token" --kubeconfig "$CONFIG" --state-dir "$WORK/new"
    # Looking does not use it up.
    agent_join m1 "$token"
}
case_preflight_fails() {
    local token bad
    token=$(fedctl token create)
    bad=$(edit_token "$token" address="coaps://127.0.0.1:9" address="https://127.0.0.1:9")
    fails 1 'FAIL +tcp .*127.0.0.1:9' preflight "$bad"
    fails 1 'FAIL +hub ' preflight "$bad"
    preflight "$bad" --ignore hub,tcp,udp >"$WORK/ignored"
    grep -q '^ignored tcp' "$WORK/ignored"
    bad=$(edit_token "$token" address="https://hub.invalid:7444")
    fails 1 'FAIL +dns .*hub.invalid' preflight "$bad"
    # Another hub behind the address: the pin says so.
    bad=$(edit_token "$token" pin="$(printf '11%.0s' $(seq 32))" address="https://127.0.0.1:$(port 3)")
    fails 1 'FAIL +tls ' preflight "$bad"
    bad=$(edit_token "$token" secret=00112233445566778899aabbccddeeff00112233 address="coaps://127.0.0.1:$(port 2)")
    fails 1 'FAIL +dtls .*token' preflight "$bad"
    fails 1 'FAIL +token .*ended' preflight "$(edit_token "$token" expires=1700000000)"
    fails 1 'FAIL +api-server ' "$FEDLET" preflight "$token" --kubeconfig "$WORK/none" --state-dir "$WORK/new"
    fails 2 'unknown option' preflight --purge
    fails any 'token' preflight nonsense
}
case_rights() {
    # A ServiceAccount that may do one thing: what is missing is named.
    local config=$WORK/limited secret
    memberctl m1 -n default create serviceaccount limited
    memberctl m1 create clusterrole limited --verb=patch,list,watch,delete --resource=configmaps
    memberctl m1 create clusterrolebinding limited --clusterrole=limited --serviceaccount=default:limited
    secret=$(memberctl m1 -n default create token limited)
    wait_for 20 "the binding" memberctl m1 auth can-i patch configmaps --as system:serviceaccount:default:limited
    python3 - "$CONFIG" "$config" "$secret" "${KUBECTL[@]}" <<'PY'
import json, subprocess, sys
source, to, token, *kubectl = sys.argv[1:]
config = json.loads(subprocess.check_output([*kubectl, "--kubeconfig", source, "config", "view", "--raw", "-o", "json"]))
config["users"][0]["user"] = {"token": token}
json.dump(config, open(to, "w"))
PY
    "$FEDLET" preflight -o json --kubeconfig "$config" --state-dir "$WORK/new" >"$WORK/rights.json"
    found rights warn 'patch deployments.apps' <"$WORK/rights.json"
    ! found rights warn ' configmaps' <"$WORK/rights.json" || return 1
    # Credentials that are refused are no matter of reachability.
    sed "s/$secret/none/" "$config" >"$WORK/wrong"
    fails 1 'FAIL +api-server .*credentials' "$FEDLET" preflight --kubeconfig "$WORK/wrong" --state-dir "$WORK/new"
}
case_kubeconfig_plugins() {
    for user in '{exec: {apiVersion: client.authentication.k8s.io/v1, command: aws}}' '{auth-provider: {name: gcp}}'; do
        printf '%s\n' 'clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]' \
            'contexts: [{name: c, context: {cluster: c, user: u}}]' 'current-context: c' \
            "users: [{name: u, user: $user}]" >"$WORK/plugin"
        fails 1 'credential plugin.*kubectl create token' "$FEDLET" preflight --kubeconfig "$WORK/plugin" --state-dir "$WORK/new"
        fails 1 'credential plugin' "$FEDLET" join "$(fedctl token create)" --name plugin --kubeconfig "$WORK/plugin" \
            --state-dir "$WORK/new"
    done
}
case_found_kubeconfig() {
    # The machine's own cluster, where nothing is named: k3s before kubeadm before MicroK8s.
    local host=$WORK/host
    mkdir -p "$host/etc/rancher/k3s"
    cp "$CONFIG" "$host/etc/rancher/k3s/k3s.yaml"
    FEDLET_HOST_ROOT=$host says 'ok +api-server' "$FEDLET" preflight --state-dir "$WORK/new"
}

# ---- while it runs ----

case_healthy() {
    agent_start m1 --config "$WORK/config.yaml"
    wait_for 30 "a session" connected
    doctor >"$WORK/doctor"
    grep -q '^ok +service\|^ok  *service' "$WORK/doctor"
    doctor_finds identity ok 'cluster m1' --state-dir "$STATE"
    doctor_finds dtls ok 'in use by the service' --state-dir "$STATE"
    doctor_finds works ok 'none' --state-dir "$STATE"
    # Looking does not take the session away.
    is 1 grep -c ': connected' "$FLEET/logs/m1-agent.err"
    is '[]' bash -c "'$FEDLET' status --state-dir '$STATE' -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"waits\"])'"
}
case_metrics() {
    curl -sf --unix-socket "$WORK/metrics.sock" http://localhost/metrics >"$WORK/metrics"
    python3 "$ROOT/tests/e2e/scrape.py" <"$WORK/metrics"
    grep -qx 'fedlet_hub_connected 1' "$WORK/metrics"
    grep -q '^fedlet_state_bytes [1-9]' "$WORK/metrics"
    is 404 curl -s -o /dev/null -w '%{http_code}' --unix-socket "$WORK/metrics.sock" http://localhost/
    is 405 curl -s -o /dev/null -w '%{http_code}' -X POST --unix-socket "$WORK/metrics.sock" http://localhost/metrics
    fails 2 'metrics' "$FEDLET" run --state-dir "$WORK/new" --metrics 0.0.0.0:9100
}
case_log_json() {
    python3 -c 'import json, sys
for line in sys.stdin:
    one = json.loads(line)
    assert {"time", "level", "message"} <= set(one) <= {"time", "level", "message", "cluster", "work", "reason"}, one
    assert one.get("cluster", "m1") == "m1", one' <"$FLEET/logs/m1-agent.err"
}
case_reload() {
    local pid before
    pid=$(cat "$FLEET/m1.pid")
    before=$(grep -c . "$FLEET/logs/m1-agent.err")
    printf 'logLevel: debug\nlink: https\nhubs: ["coaps://localhost:%s", "https://localhost:%s"]\n' "$(port 2)" "$(port 3)" \
        >"$WORK/config.yaml"
    kill -HUP "$pid"
    wait_for 20 "the other address" bash -c "'$FEDLET' status --state-dir '$STATE' | grep -q 'coaps://localhost:.*, connected'"
    tail -n "+$((before + 1))" "$FLEET/logs/m1-agent.err" >"$WORK/after"
    grep -q 'another link needs a restart' "$WORK/after"
    grep -q 'configuration: read again' "$WORK/after"
    grep -q '^DEBUG' "$WORK/after" # level and form
    [ ! -e "$WORK/metrics.sock" ]
    # What cannot be read changes nothing.
    printf 'logLevel: [\n' >"$WORK/config.yaml"
    kill -HUP "$pid"
    wait_for 10 "the complaint" grep -q 'going on with the one before' "$FLEET/logs/m1-agent.err"
    connected
    printf 'logLevel: info\n' >"$WORK/config.yaml"
    kill -HUP "$pid"
    wait_for 20 "the address of the token" bash -c "'$FEDLET' status --state-dir '$STATE' | grep -q 'coaps://127.0.0.1:.*, connected'"
    [ "$pid" = "$(cat "$FLEET/m1.pid")" ] && process_alive "$pid"
}
case_failing_work() {
    hubctl create namespace shop
    federated FederatedNamespace shop shop '{}' | hubctl apply -f -
    federated FederatedConfigMap shop good '{data: {a: b}}' | hubctl apply -f -
    federated FederatedService shop bad '{spec: {ports: [{port: 99999}]}}' | hubctl apply -f -
    wait_for 60 "a finding" doctor_finds works warn 'Service shop/bad: .*99999' --state-dir "$STATE"
    soon 10 found wait_json work
    says 'Service shop/bad: .*next try in' "$FEDLET" status --state-dir "$STATE"
    hubctl -n shop delete federatedservice bad
    wait_for 60 "nothing to find" doctor
}
case_api_server_away() {
    "$KUBE" stop --dir "$FLEET/m1/kube" apiserver
    wait_for 300 "not reachable" bash -c "'$FEDLET' status --state-dir '$STATE' | grep -q 'API server:  not reachable'"
    soon 10 found wait_json api-server
    doctor_finds api-server fail '' --state-dir "$STATE"
    "$KUBE" start --dir "$FLEET/m1/kube" apiserver
    wait_for 300 "reachable again" bash -c "'$FEDLET' status --state-dir '$STATE' | grep -q 'API server:  reachable'"
}
case_kubeconfig_replaced() {
    # As k3s does: another content under the same name; the agent notices without a restart.
    agent_stop m1
    cp "$CONFIG" "$WORK/live"
    setsid "$FEDLET" run --state-dir "$STATE" --kubeconfig "$WORK/live" >>"$FLEET/logs/m1-agent.out" \
        2>>"$FLEET/logs/m1-agent.err" </dev/null &
    echo $! >"$FLEET/m1.pid"
    wait_for 30 "a session" connected
    sed 's/127.0.0.1/127.0.0.9/' "$CONFIG" >"$WORK/other" # nobody is there
    mv "$WORK/other" "$WORK/live"
    wait_for 300 "not reachable" bash -c "'$FEDLET' status --state-dir '$STATE' | grep -q 'API server:  not reachable'"
    printf 'clusters: [' >"$WORK/half" # half written
    mv "$WORK/half" "$WORK/live"
    wait_for 300 "the complaint" grep -q 'member API server: .*going on with the one before' "$FLEET/logs/m1-agent.err"
    cp "$CONFIG" "$WORK/other"
    mv "$WORK/other" "$WORK/live"
    wait_for 300 "reachable again" bash -c "'$FEDLET' status --state-dir '$STATE' | grep -q 'API server:  reachable'"
    agent_stop m1
    agent_start m1
    wait_for 30 "a session" connected
}
case_token_rotates() {
    # The ServiceAccount of a pod: its token file is replaced, as kubelet does hourly.
    local account=$WORK/account host port
    mkdir -p "$account"
    memberctl m1 create clusterrolebinding agent --clusterrole=cluster-admin --serviceaccount=default:limited
    memberctl m1 config view --raw -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}' | base64 -d >"$account/ca.crt"
    [ -s "$account/ca.crt" ] || cp "$(memberctl m1 config view --raw -o 'jsonpath={.clusters[0].cluster.certificate-authority}')" "$account/ca.crt"
    memberctl m1 -n default create token limited >"$account/token"
    host=$(memberctl m1 config view --raw -o 'jsonpath={.clusters[0].cluster.server}')
    port=${host##*:}
    # The API server takes a moment to know of the binding.
    FEDLET_SERVICE_ACCOUNT_DIR=$account KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=${port%/} \
        wait_for 20 "the rights" says 'ok +rights' "$FEDLET" preflight --state-dir "$WORK/new"
}
# token_bound N: one that ends when the Secret bound-N goes
token_bound() {
    memberctl m1 -n default create secret generic "bound-$1" >/dev/null
    memberctl m1 -n default create token limited --bound-object-kind Secret --bound-object-name "bound-$1"
}
refused_by_server() { is 401 curl -s -o /dev/null -w '%{http_code}' --cacert "$WORK/account/ca.crt" -H "Authorization: Bearer $1" "$2/api"; }
case_token_ends() {
    # ... under a running agent, which does not know that the one that it has read is worth nothing any more.
    local account=$WORK/account server port n before
    server=$(memberctl m1 config view --raw -o 'jsonpath={.clusters[0].cluster.server}')
    port=${server##*:}
    agent_stop m1
    token_bound 0 >"$account/token"
    FEDLET_SERVICE_ACCOUNT_DIR=$account KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=${port%/} \
        setsid "$FEDLET" run --state-dir "$STATE" >>"$FLEET/logs/m1-agent.out" 2>>"$FLEET/logs/m1-agent.err" </dev/null &
    echo $! >"$FLEET/m1.pid"
    wait_for 30 "a session" connected
    federated FederatedConfigMap shop turning '{data: {k: "0"}}' | hubctl apply -f -
    soon 30 0 member_jsonpath m1 shop configmap turning '{.data.k}'
    for n in 1 2; do
        before=$(cat "$account/token")
        token_bound "$n" >"$account/token.new"
        mv "$account/token.new" "$account/token"
        memberctl m1 -n default delete secret "bound-$((n - 1))"
        wait_for 30 "the end of the old token" refused_by_server "$before" "$server"
        hubctl -n shop patch federatedconfigmap turning --type=merge -p "{\"spec\":{\"template\":{\"data\":{\"k\":\"$n\"}}}}"
        # One refusal, and the try after it. The file is looked at each minute otherwise.
        WAIT_FLOOR=40 soon 40 "$n" member_jsonpath m1 shop configmap turning '{.data.k}'
        memberctl m1 -n shop patch configmap turning --type=merge -p '{"data":{"k":"theirs"}}'
        soon 20 "$n" member_jsonpath m1 shop configmap turning '{.data.k}'
    done
    agent_stop m1
    agent_start m1
    wait_for 30 "a session" connected
}

# ---- what is broken ----

case_hub_stopped() {
    hub_stop
    wait_for 300 "the loss" bash -c "'$FEDLET' status --state-dir '$STATE' | grep -q 'not connected'"
    soon 10 found wait_json hub
    doctor_finds service fail 'not connected' --state-dir "$STATE"
    doctor_finds udp warn '127.0.0.1' --state-dir "$STATE"
    doctor_finds tcp fail '127.0.0.1' --state-dir "$STATE"
    doctor_finds hub fail 'no address' --state-dir "$STATE"
    doctor_finds api-server ok '' --state-dir "$STATE"
    hub_start --heartbeat-s 10
    wait_for 60 "the session again" connected
}
case_udp_blocked() {
    # A network between that takes every datagram and lets TCP through.
    local out=$WORK/faultnet.out udp
    "$ROOT/tests/faultnet/faultnet" --udp "0=127.0.0.1:$(port 2)" --rule 'udp partition on' >"$out" 2>&1 &
    echo $! >"$FLEET/faultnet.pid"
    wait_for 10 "the relay" grep -q '^faultnet: ready' "$out"
    udp=$(sed -n 's/^faultnet: ready.* udp=\([^ ]*\).*/\1/p' "$out")
    agent_stop m1
    doctor_finds udp warn 'no answer' --hub "coaps://$udp" --hub "https://127.0.0.1:$(port 3)"
    for id in tcp tls certificate; do found "$id" ok <"$WORK/doctor.json"; done
    process_stop "$FLEET/faultnet.pid"
}
case_dead() {
    # From the files alone, which stay as they are.
    local before
    before=$(cd "$STATE" && sha256sum state.db key.pem)
    doctor_finds service fail 'no service' --state-dir "$STATE"
    for id in dtls tls certificate identity api-server rights state-dir clock; do found "$id" ok <"$WORK/doctor.json"; done
    found works ok 'all were applied' <"$WORK/doctor.json"
    [ "$before" = "$(cd "$STATE" && sha256sum state.db key.pem)" ]
    is '0600' printf '0%s' "$(stat -c %a "$STATE/state.db")"
}
case_wrong_clock() {
    # Years before this program was made, and days before the certificate was.
    local shift
    for shift in -900000000 -500000; do
        fails 1 'FAIL +clock .*(before|never set)' env LD_PRELOAD="$CLOCK" CLOCK_SHIFT_S=$shift \
            ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" "$FEDLET" doctor --state-dir "$STATE" --kubeconfig "$CONFIG"
    done
    # A service whose hub told it the time knows by how much this machine is off.
    LD_PRELOAD=$CLOCK CLOCK_SHIFT_S=7200 ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" agent_start m1
    wait_for 30 "a session" connected
    doctor_finds clock warn '7(19|20)[0-9] s ahead' --state-dir "$STATE"
    agent_stop m1
}
case_disk_full() {
    local dir=$WORK/small
    mkdir -p "$dir"
    mount -t tmpfs -o size=256k,mode=700 tmpfs "$dir"
    cp -a "$STATE/." "$dir/" 2>/dev/null || true
    dd if=/dev/zero of="$dir/fill" bs=4k 2>/dev/null || true
    code=0
    "$FEDLET" doctor --state-dir "$dir" --kubeconfig "$CONFIG" -o json >"$WORK/disk.json" || code=$?
    umount "$dir"
    [ "$code" -eq 1 ]
    found state-dir fail '' <"$WORK/disk.json"
}
case_corrupt() {
    local dir=$WORK/corrupt
    cp -a "$STATE" "$dir"
    rm -f "$dir"/state.db-*
    printf 'not a database, not at all' >"$dir/state.db"
    fails 1 'FAIL +state-dir ' "$FEDLET" doctor --state-dir "$dir" --kubeconfig "$CONFIG"
}
case_unregistered() {
    # Its certificate is good, and the hub does not want it any more.
    hubctl -n kube-federation-system delete kubefedcluster m1
    wait_for 60 "the refusal" doctor_finds certificate fail '4\.0' --state-dir "$STATE"
    grep -q 'join --again' "$WORK/doctor.json"
    "$FEDLET" join "$(fedctl token create)" --name m1 --again --state-dir "$STATE" --kubeconfig "$CONFIG"
    agent_start m1
    wait_for 30 "a session" connected
    doctor_finds identity ok '' --state-dir "$STATE"
}

# ---- support bundle ----

CANARIES="canary-in-secret canary-in-proxy canary-in-token"
no_canary() { # no_canary FILE: nor any of the keys and credentials
    local file=$1 word line
    for word in $CANARIES 'PRIVATE KEY' 'BEGIN CERTIFICATE' client-key; do
        ! grep -qF -- "$word" "$file" || { echo "$word is in it"; return 1; }
    done
    # Every line of the private key, and of the credentials in the kubeconfig.
    while read -r line; do
        [ "${#line}" -lt 20 ] || ! grep -qF -- "$line" "$file" || { echo "a key is in it: $line"; return 1; }
    done < <(grep -v -- '-----' "$STATE/key.pem"
        memberctl m1 config view --raw -o 'jsonpath={.users[0].user.client-key-data}{"\n"}{.users[0].user.token}{"\n"}'
        cat "$WORK/token" 2>/dev/null)
}
bundle_is_whole() { # bundle_is_whole FILE SECTION...
    [ "$(stat -c %s "$1")" -le 1048576 ]
    python3 -c 'import json, sys
document = json.load(open(sys.argv[1]))
names = [one["name"] for one in document["manifest"]]
for name in sys.argv[2:]:
    assert name in names and name in document, name
assert sorted(names) == sorted(set(document) - {"format", "manifest"}), names
assert all(one["what"] for one in document["manifest"])' "$@"
}
bundle() { "$FEDLET" support-bundle "$1" --state-dir "$STATE" --kubeconfig "$CONFIG" --proxy http://user:canary-in-proxy@127.0.0.1:9; }
case_bundle() {
    # A Secret that arrives, and one that the API server refuses while quoting what is in it.
    federated FederatedSecret shop good '{stringData: {password: canary-in-secret}}' | hubctl apply -f -
    federated FederatedSecret shop bad '{type: kubernetes.io/tls, stringData: {password: canary-in-secret}, immutable: "canary-in-secret"}' |
        hubctl apply -f - || true
    federated FederatedSecret shop ugly '{type: kubernetes.io/tls, stringData: {password: canary-in-secret}}' | hubctl apply -f -
    soon 60 canary-in-secret bash -c "'${KUBECTL[0]}' ${KUBECTL[1]:-} --kubeconfig '$CONFIG' -n shop get secret good -o 'jsonpath={.data.password}' | base64 -d"
    wait_for 60 "the refusal" bash -c "'$FEDLET' status --state-dir '$STATE' | grep -q 'Secret shop/ugly'"
    bundle "$WORK/bundle.json"
    is 600 stat -c %a "$WORK/bundle.json"
    bundle_is_whole "$WORK/bundle.json" facts doctor status log
    no_canary "$WORK/bundle.json"
    grep -q 'Secret shop/ugly' "$WORK/bundle.json" # that it fails is told
    bundle - >"$WORK/stdout.json"
    bundle_is_whole "$WORK/stdout.json" status
    no_canary "$WORK/stdout.json"
}
case_bundle_dead() {
    agent_stop m1 KILL
    bundle "$WORK/dead.json"
    bundle_is_whole "$WORK/dead.json" facts doctor works log
    no_canary "$WORK/dead.json"
    # That it was applied may have been lost with the last second; what was asked for is not.
    grep -qE 'Secret shop/good: (not )?applied' "$WORK/dead.json"
    # Nothing there at all: still a document.
    "$FEDLET" support-bundle - --state-dir "$WORK/new" --kubeconfig "$WORK/none" >"$WORK/nothing.json"
    bundle_is_whole "$WORK/nothing.json" facts doctor
    fails 1 '/nowhere/' "$FEDLET" support-bundle /nowhere/b --state-dir "$WORK/new"
    fails 2 'needs a file' "$FEDLET" support-bundle
}

# ---- install ----

case_install() {
    local host=$WORK/image
    mkdir -p "$host/etc/kubernetes"
    cp "$CONFIG" "$host/etc/kubernetes/admin.conf"
    "$FEDLET" install --root "$host" --dry-run >"$WORK/dry"
    [ "$(find "$host" -type f | wc -l)" -eq 1 ] # nothing yet
    grep -q "^would: write $host/etc/systemd/system/fedlet.service" "$WORK/dry"
    "$FEDLET" install --root "$host" >"$WORK/did"
    cmp "$FEDLET" "$host/usr/local/bin/fedlet"
    is 755 stat -c %a "$host/usr/local/bin/fedlet"
    is 700 stat -c %a "$host/var/lib/fedlet"
    is /etc/systemd/system/fedlet.service readlink "$host/etc/systemd/system/multi-user.target.wants/fedlet.service"
    grep -q '^LoadCredential=kubeconfig:/etc/kubernetes/admin.conf$' "$host/etc/systemd/system/fedlet.service"
    grep -q '^PathChanged=/etc/kubernetes/admin.conf$' "$host/etc/systemd/system/fedlet-kubeconfig.path"
    # Again: nothing to do; what was changed by somebody is repaired.
    "$FEDLET" install --root "$host" >"$WORK/again"
    ! grep -v -e 'as it is to be$' -e '^kubeconfig:' "$WORK/again" || return 1
    echo '# mine' >>"$host/etc/systemd/system/fedlet.service"
    says "^write $host/etc/systemd/system/fedlet.service" "$FEDLET" install --root "$host"
    # Another kubeconfig.
    "$FEDLET" install --root "$host" --kubeconfig /srv/kube.yaml >/dev/null
    grep -q '^LoadCredential=kubeconfig:/srv/kube.yaml$' "$host/etc/systemd/system/fedlet.service"
    fails 1 'must begin with /' "$FEDLET" install --root "$host" --kubeconfig 'kube.yaml'
    fails 1 'must begin with /' "$FEDLET" install --root "$host" --kubeconfig '/a b$(reboot)'
    # Away again; what was learnt stays until it is to go, too.
    touch "$host/var/lib/fedlet/key.pem" "$host/var/lib/fedlet/mine"
    "$FEDLET" uninstall --root "$host" >"$WORK/gone"
    [ ! -e "$host/usr/local/bin/fedlet" ]
    [ ! -e "$host/etc/systemd/system/fedlet.service" ]
    [ -z "$(find "$host/etc/systemd" -name '*fedlet*')" ]
    [ -e "$host/var/lib/fedlet/key.pem" ]
    "$FEDLET" uninstall --purge --root "$host" >"$WORK/purged"
    [ ! -e "$host/var/lib/fedlet/key.pem" ]
    [ -e "$host/var/lib/fedlet/mine" ]
    grep -q 'not empty, it stays' "$WORK/purged"
    says 'nothing of it is here' "$FEDLET" uninstall --root "$host"
}
case_install_refused() {
    [ -d /run/systemd/system ] && return 0
    fails 1 'not started by systemd' "$FEDLET" install
    fails 1 'not started by systemd' "$FEDLET" uninstall --purge
}
case_units() {
    local host=$WORK/units unit score
    mkdir -p "$host"
    "$FEDLET" install --root "$host" --kubeconfig /etc/rancher/k3s/k3s.yaml >/dev/null
    # What is installed is what is in the sources.
    for unit in fedlet.service fedlet-kubeconfig.path fedlet-kubeconfig.service; do
        diff <(grep -v -e '^#' -e '^$' "$ROOT/deploy/$unit") "$host/etc/systemd/system/$unit"
    done
    score=$(systemd-analyze security --offline=true "$ROOT/deploy/fedlet.service" | sed -n 's/.*exposure level for .*: \([0-9.]*\).*/\1/p')
    awk -v score="$score" 'BEGIN { exit !(score > 0 && score <= 1.5) }' || { echo "exposure $score"; return 1; }
    mkdir -p "$host/verify"
    cp "$host"/etc/systemd/system/fedlet* "$host/verify/" 2>/dev/null || true
    sed -i "s|/usr/local/bin/fedlet|$FEDLET|" "$host/verify/fedlet.service"
    systemd-analyze verify --man=no "$host/verify/fedlet.service" "$host/verify/fedlet-kubeconfig.path" \
        "$host/verify/fedlet-kubeconfig.service" 2>"$WORK/verify" || { cat "$WORK/verify"; return 1; }
    ! grep -i -e 'unknown' -e 'failed to parse' "$WORK/verify"
}
case_notify() {
    # As the service manager hears it: ready with a status, the watchdog, a reload, the end.
    local socket=$WORK/notify
    python3 "$ROOT/tests/e2e/notified.py" "$socket" >"$WORK/notified" &
    echo $! >"$FLEET/notified.pid"
    wait_for 10 "the socket" test -S "$socket"
    NOTIFY_SOCKET=$socket WATCHDOG_USEC=400000 agent_start m1 --config "$WORK/config.yaml"
    wait_for 30 "ready" grep -q 'READY=1' "$WORK/notified"
    wait_for 30 "the watchdog" grep -q 'WATCHDOG=1.*STATUS=connected over .*works: ' "$WORK/notified"
    : >"$WORK/notified"
    kill -HUP "$(cat "$FLEET/m1.pid")"
    wait_for 20 "the reload" grep -q 'RELOADING=1.*MONOTONIC_USEC=[1-9]' "$WORK/notified"
    wait_for 20 "ready again" grep -q 'READY=1' "$WORK/notified"
    agent_stop m1
    wait_for 10 "the end" grep -q 'STOPPING=1' "$WORK/notified"
    process_stop "$FLEET/notified.pid"
}

PLACEMENT='{clusterSelector: {}}'
printf 'logLevel: info\nlog: json\nmetrics: "unix:%s/metrics.sock"\n' "$WORK" >"$WORK/config.yaml"
CLOCK=$FLEET/clock_shift.so
gcc -shared -fPIC -O1 -D_GNU_SOURCE -o "$CLOCK" "$ROOT/tests/e2e/clock_shift.c" -ldl
must "a hub" hub_start --heartbeat-s 10
must "a member" member_up m1
must "preflight finds all in order, and leaves nothing behind" case_preflight
try "preflight names the check that fails" case_preflight_fails
try "rights that are missing are named" case_rights
try "credential plugins are refused with a hint" case_kubeconfig_plugins
try "the machine's own kubeconfig is found" case_found_kubeconfig
try "the token of a ServiceAccount is read from its file" case_token_rotates
must "doctor finds nothing while all is well" case_healthy
try "metrics parse strictly" case_metrics
try "log lines are JSON" case_log_json
try "SIGHUP takes what can change and says what cannot" case_reload
try "doctor and status name a work that fails" case_failing_work
try "an API server that is away is waited for and named" case_api_server_away
try "a kubeconfig that is replaced is noticed without a restart" case_kubeconfig_replaced
try "a token that ends under a running agent is exchanged with the next request" case_token_ends
try "doctor names the hub that is away" case_hub_stopped
try "doctor names UDP that is blocked" case_udp_blocked
try "doctor reads the files of a service that is dead" case_dead
try "doctor names the clock" case_wrong_clock
if [ "$(id -u)" -eq 0 ] && mkdir -p "$WORK/probe" && mount -t tmpfs tmpfs "$WORK/probe" 2>/dev/null; then
    umount "$WORK/probe"
    try "doctor names the disk that is full" case_disk_full
else
    skip "doctor names the disk that is full" "no tmpfs can be mounted here"
fi
try "doctor names a state file that cannot be read" case_corrupt
try "doctor names a certificate that the hub refuses" case_unregistered
try "the support bundle is whole and holds no secret" case_bundle
try "so does that of a dead agent" case_bundle_dead
try "the service manager hears of everything" case_notify
try "install and uninstall, twice each" case_install
try "install refuses a machine without systemd" case_install_refused
if command -v systemd-analyze >/dev/null; then
    try "the units are sound, and expose at most 1.5" case_units
else
    skip "the units are sound, and expose at most 1.5" "no systemd-analyze here"
fi
suite_end
