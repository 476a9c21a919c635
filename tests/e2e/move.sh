#!/usr/bin/env bash
# move.sh - the life of an agent on machines as docs/operations.md has it: installed, upgraded from an older version (another
# version string, an older state file, less that it knows) and back, moved to another machine by a token and by its state
# directory, removed. A machine is a folder into which `fedlet install --root` puts all; its program runs with its state.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
HUB_LOG=$FLEET/logs/hub.err
SYSTEM=kube-federation-system
CONFIG=$FLEET/shop-17/kube/admin.kubeconfig
# What an older version did not know.
LACKS='["Note","InPlace","RemovalConsent"]'

fedlet() { # fedlet MACHINE COMMAND...: the program that is installed there, with the state of there
    local machine=$FLEET/$1 command=$2
    shift 2
    "$machine/usr/local/bin/fedlet" "$command" "$@" --state-dir "$machine/var/lib/fedlet"
}
install_on() { # install_on MACHINE PROGRAM: copied there, and run as the page says
    mkdir -p "$FLEET/$1/tmp"
    cp "$BIN/$2" "$FLEET/$1/tmp/fedlet"
    "$FLEET/$1/tmp/fedlet" install --root "$FLEET/$1" --kubeconfig "$CONFIG"
}
service_start() { # service_start MACHINE: as its unit does
    setsid "$FLEET/$1/usr/local/bin/fedlet" run --state-dir "$FLEET/$1/var/lib/fedlet" --kubeconfig "$CONFIG" ${LINK:+--link "$LINK"} \
        >>"$FLEET/logs/$1.out" 2>>"$FLEET/logs/$1.err" </dev/null &
    echo $! >"$FLEET/$1.pid"
}
service_stop() { process_stop "$FLEET/$1.pid"; }
joins() { # joins MACHINE [FLAGS...]: the token comes by stdin
    local machine=$1
    shift
    fedctl token create | fedlet "$machine" join - --name shop-17 --kubeconfig "$CONFIG" ${LINK:+--link "$LINK"} "$@"
}
connected_word() {
    fedlet "$1" status -o json | python3 -c 'import json, sys
print(json.dumps(json.load(sys.stdin)["connected"]))'
}
connected() { soon 60 true connected_word "$1"; }
sessions() { grep -c 'gateway: cluster shop-17 connected by' "$HUB_LOG" || true; }
agent_version() { hubctl -n $SYSTEM get kubefedcluster shop-17 -o 'jsonpath={.status.agentVersion}'; }
lacks_word() { hubctl -n $SYSTEM get kubefedcluster shop-17 -o 'jsonpath={.status.link.agentLacks}'; }
value() { memberctl shop-17 -n shop get configmap "$1" -o 'jsonpath={.data.k}'; }
config() { federated FederatedConfigMap shop "$1" "{data: {k: \"$2\"}}" | hubctl apply -f -; }
# objects: what came from the hub, each with its identity and version: the same as long as nobody writes it. Without the one
# that a case changes to see that changes arrive.
objects() {
    memberctl shop-17 get namespaces,configmaps,deployments -A -l kubefed.io/managed=true \
        -o 'jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.uid} {.metadata.resourceVersion}{"\n"}{end}' | grep -v ' fresh '
}
arrives() { # arrives VALUE: whatever the agent might find to do before is done then
    config fresh "$1"
    soon 30 "$1" value fresh
    soon 30 'True ' propagation shop federatedconfigmap fresh
}
state_version() { # of the file, from a copy
    state_copy "$FLEET/$1/var/lib/fedlet" "$FLEET/look"
    python3 -c 'import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("PRAGMA user_version").fetchone()[0])' "$FLEET/look/state.db"
}
# As a version 1 wrote it: without the room for sums at the end of each page.
state_of_version_1() {
    local dir=$FLEET/$1/var/lib/fedlet
    python3 - "$dir/state.db" <<'PY'
import os, sqlite3, sys
path = sys.argv[1]
old, new = sqlite3.connect(path), sqlite3.connect(path + ".new")
new.executescript("PRAGMA page_size=4096;" + "\n".join(old.iterdump()))
new.execute("PRAGMA user_version=1")
new.execute("PRAGMA application_id=%d" % old.execute("PRAGMA application_id").fetchone()[0])
new.execute("PRAGMA journal_mode=WAL")
new.commit()
for one in (old, new):
    one.close()
with open(path + ".new", "rb") as file:
    assert file.read(21)[20] == 0, "reserved bytes"
os.chmod(path + ".new", 0o600)
os.rename(path + ".new", path)
for end in ("-wal", "-shm"):
    if os.path.exists(path + end):
        os.remove(path + end)
PY
}

begin() {
    member_up shop-17
    hub_start --heartbeat-s 10
    hubctl create namespace shop
    federated FederatedNamespace shop shop '{}' | hubctl apply -f -
    install_on old fedlet_older
    joins old
    service_start old
    connected old
    for name in a b c; do config $name one; done
    federated FederatedDeployment shop web '{spec: {replicas: 1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: "nginx:1"}]}}}}' | hubctl apply -f -
    for name in a b c; do soon 30 'True ' propagation shop federatedconfigmap $name; done
    soon 30 'True ' propagation shop federateddeployment web
}
case_older() {
    is 'fedlet 0.0.1' "$FLEET/old/usr/local/bin/fedlet" version
    soon 30 0.0.1 agent_version
    is "$LACKS" lacks_word
    is 1 state_version old
}
upgrade() {
    service_stop old
    state_of_version_1 old
    install_on old fedlet
    service_start old
    connected old
    arrives "$1"
}
case_upgraded() {
    local n before version
    version=$("$BIN/fedlet" version)
    n=$(sessions)
    before=$(objects)
    upgrade one
    is "$before" objects
    is "$version" "$FLEET/old/usr/local/bin/fedlet" version
    soon 30 "${version#fedlet }" agent_version
    soon 30 '' lacks_word
    is 3 state_version old
    # By CoAP with its session, which the directory kept.
    [ "${LINK:-coap}" = https ] || is "$n" sessions
    [ ! -e "$FLEET/old/var/lib/fedlet/state.db.damaged-1" ]
}
case_back() {
    local sum n
    service_stop old
    sum=$(cd "$FLEET/old/var/lib/fedlet" && sha256sum state.db)
    install_on old fedlet_older
    service_start old
    wait_for 30 "the refusal" grep -q 'was written by a newer version' "$FLEET/logs/old.err"
    service_stop old
    is "$sum" bash -c "cd '$FLEET/old/var/lib/fedlet' && sha256sum state.db"
    # As docs/state.md says for who must go back: without the file, with the identity.
    (cd "$FLEET/old/var/lib/fedlet" && mkdir "$FLEET/aside" && mv state.db* "$FLEET/aside/")
    service_start old
    connected old
    soon 30 0.0.1 agent_version
    arrives back
    # ... and forth.
    upgrade forth
    soon 30 '' lacks_word
}
# Another machine for the same cluster; the old one and its key are lost.
case_moved_by_token() {
    local before
    before=$(objects)
    service_stop old
    install_on new fedlet
    # The name is that of a key, which a token does not replace.
    fails 1 'fedctl unjoin|kubefedcluster|another key' joins new
    hubctl -n $SYSTEM delete kubefedcluster shop-17
    joins new
    service_start new
    connected new
    arrives moved
    is "$before" objects
    # The old one comes back all the same, and is refused. It enforces what it had, as any agent without a hub does: the page
    # says that it is to be stopped for good.
    service_start old
    wait_for 30 "the refusal of the old one" grep -q 'another key is recorded for cluster shop-17' "$FLEET/logs/old.err"
    is false connected_word old
    connected new
    service_stop old
    arrives 'after all'
    is "$before" objects
}
# ... and with the state directory of the one before.
case_moved_by_copy() {
    local before
    before=$(objects)
    service_stop new
    install_on third fedlet
    cp -a "$FLEET/new/var/lib/fedlet/." "$FLEET/third/var/lib/fedlet/"
    service_start third
    connected third
    arrives copied
    is "$before" objects
    # Only one may live: who comes later is told, and the hub says so.
    service_start new
    wait_for 30 "the one before to be told" grep -q 'another machine has this cluster' "$FLEET/logs/new.err"
    is false connected_word new
    soon 30 True condition_word shop-17 CloneSuspected
    fails 1 'FAIL +service .*another machine has this cluster' fedlet new doctor --kubeconfig "$CONFIG"
    wait_for 30 "the served one to be told" fails 1 'FAIL +clone ' fedlet third doctor --kubeconfig "$CONFIG"
    service_stop new
    arrives 'by the third'
    is "$before" objects
}
case_removed() {
    service_stop third
    fedlet third leave --kubeconfig "$CONFIG"
    gone 10 memberctl shop-17 -n shop get configmap a
    gone 30 memberctl shop-17 get namespace shop
    "$FLEET/third/usr/local/bin/fedlet" uninstall --purge --root "$FLEET/third"
    [ -z "$(find "$FLEET/third" -path "$FLEET/third/tmp" -prune -o -name '*fedlet*' -print)" ]
    hubctl -n $SYSTEM delete kubefedcluster shop-17
    gone 30 hubctl -n $SYSTEM get kubefedcluster shop-17
}

must "an older version is installed, joins, and has works" begin
must "it is an older one, and the hub knows" case_older
try "the new program goes on: nothing is applied again, no new session, its state file is upgraded" case_upgraded
try "back: a state file of the newer version is left as it was; without it the older one goes on" case_back
try "another machine, by a token: what is there is taken over as it is, the old machine is refused" case_moved_by_token
try "another machine, by its state directory: goes on; of two the later one is told" case_moved_by_copy
try "leave, uninstall: nothing of it is left" case_removed
suite_end
