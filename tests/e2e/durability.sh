#!/usr/bin/env bash
# durability.sh - what was acknowledged stays: a hub that is killed while four clients write and two watch, a disk that is
# full while they do, a backup taken meanwhile and restored elsewhere. durability.py knows what every object must be. SEED (1):
# the moments.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
WORK=$FLEET/work
mkdir -p "$WORK"
HERE=$(cd "$(dirname "$0")" && pwd)
RANDOM=${SEED:-1}
echo "# SEED=${SEED:-1}"
CM=/api/v1/namespaces/default/configmaps

judge_start() { # judge_start NAME: writers and watchers, until judge_end
    rm -f "$WORK/$1.stop"
    python3 "$HERE/durability.py" "$FLEET/hub/admin.kubeconfig" "$WORK/$1.stop" "$1" \
        >"$FLEET/logs/judge-$1.out" 2>&1 &
    echo $! >"$WORK/$1.pid"
    wait_for 20 "writers and watchers" grep -q running "$FLEET/logs/judge-$1.out"
}
judge_end() { # judge_end NAME: its verdict
    local code=0
    touch "$WORK/$1.stop"
    wait "$(cat "$WORK/$1.pid")" || code=$?
    cat "$FLEET/logs/judge-$1.out"
    return "$code"
}
ask() { # ask PATH [curl options]: body, then the code
    local path=$1
    shift
    curl -sS -A "$SUITE" --max-time 30 --cacert "$WORK/ca" --cert "$WORK/cert" --key "$WORK/key" -w '\n%{http_code}' "$@" \
        "https://127.0.0.1:$(cut -d' ' -f1 "$FLEET/hub.ports")$path"
}
admin_files() {
    local pair
    for pair in certificate-authority-data:ca client-certificate-data:cert client-key-data:key; do
        sed -n "s/.*${pair%:*}: *\"\{0,1\}\([A-Za-z0-9+\/=]*\).*/\1/p" "$FLEET/hub/admin.kubeconfig" | base64 -d \
            >"$WORK/${pair#*:}"
    done
}
version_now() { ask "$CM" | sed -n 1p | python3 -c 'import json,sys; print(json.load(sys.stdin)["metadata"]["resourceVersion"])'; }
verified() { "$BIN/fedhub" verify --data-dir "$FLEET/hub"; }

# ---- killed again and again ----
killed() {
    local n
    judge_start kill
    for n in 1 2 3 4 5 6 7 8 9 10; do
        sleep "0.$((RANDOM % 8 + 1))$((RANDOM % 10))"
        hub_stop KILL
        [ $((RANDOM % 2)) = 0 ] || verified
        hub_start
    done
    sleep 0.5
    judge_end kill
    grep -Eq '^[1-9][0-9]{2,} writes acknowledged, [1-9]' "$FLEET/logs/judge-kill.out" || {
        echo "too little was written, or no kill cut a write: this shows nothing"
        return 1
    }
}
clean_at_the_end() {
    hub_stop
    verified
    hub_start
}

# ---- a full disk ----
can_mount() {
    [ "$(id -u)" = 0 ] && mkdir -p "$WORK/probe" && mount -t tmpfs -o size=1m tmpfs "$WORK/probe" 2>/dev/null &&
        umount "$WORK/probe"
}
refused_507() {
    local out
    out=$(ask "$CM" -X POST -H 'Content-Type: application/json' -d "{\"metadata\":{\"name\":\"probe-$RANDOM$RANDOM\"},\"data\":{\"k\":\"$(head -c 60000 /dev/zero | tr '\0' x)\"}}")
    [ "$(tail -1 <<<"$out")" = 507 ] || { cut -c1-300 <<<"$out"; return 1; }
    grep -q '"reason":"InsufficientStorage"' <<<"$out" && grep -q 'free some space' <<<"$out"
}
taken() {
    local out
    out=$(ask "$CM" -X POST -H 'Content-Type: application/json' -d "{\"metadata\":{\"name\":\"room-$RANDOM$RANDOM\"}}")
    [ "$(tail -1 <<<"$out")" = 201 ] || { cut -c1-300 <<<"$out"; return 1; }
}
reads_go_on() {
    local n
    for n in $(seq 20); do
        [ "$(ask "$CM?limit=1" | tail -1)" = 200 ] || return 1
    done
}
# No request has two records, and there are some of writes that the full disk refused: of those whose sync failed, too.
one_record_each() {
    python3 - "$FLEET"/hub/audit.log* <<'PY'
import collections, json, sys
records = [json.loads(line) for name in sys.argv[1:] for line in open(name, encoding="utf-8")]
codes = collections.defaultdict(list)
for record in records:
    if "id" in record:
        codes[record["id"]].append(record["code"])
twice = {key: value for key, value in codes.items() if len(value) > 1}
print(len(codes), "records,", sum(507 in value for value in codes.values()), "of a 507,", len(twice), "requests with several")
assert len(codes) > 100 and any(507 in value for value in codes.values()), "this shows nothing"
sys.exit(f"several records of one request: {list(twice.items())[:5]}" if twice else 0)
PY
}
full() {
    local before
    before=$(cat "$FLEET/hub.pid")
    judge_start full
    sleep 1
    head -c 1G /dev/zero >"$FLEET/hub/filler" 2>/dev/null || true
    wait_for 20 "a write that is refused with 507" refused_507
    wait_for 20 "a writer that was refused" grep -q 'undone\|answered 507' "$FLEET/logs/hub.err"
    reads_go_on
    sleep 1
    rm "$FLEET/hub/filler"
    wait_for 20 "a write that is taken again" taken
    sleep 1
    judge_end full
    one_record_each
    grep -q '507' "$FLEET/logs/judge-full.out" || { echo "no writer was refused: this shows nothing"; return 1; }
    [ "$(cat "$FLEET/hub.pid")" = "$before" ] && process_alive "$before"
}
full_disk() {
    local code=0
    hub_stop
    mv "$FLEET/hub" "$FLEET/hub.kept"
    mkdir "$FLEET/hub"
    mount -t tmpfs -o size=24m tmpfs "$FLEET/hub"
    cp -a "$FLEET/hub.kept/." "$FLEET/hub/"
    rm -f "$FLEET"/hub/hub.db* "$FLEET"/hub/audit.log*
    # The audit log is on another disk: it can tell what was answered meanwhile.
    : >"$WORK/audit.log"
    touch "$FLEET/hub/audit.log"
    mount --bind "$WORK/audit.log" "$FLEET/hub/audit.log"
    set +e # behind || the shell would go on after a failure
    (
        set -e
        hub_start
        full
        hub_stop
        verified
    )
    code=$?
    set -e
    hub_stop
    umount "$FLEET/hub/audit.log"
    umount "$FLEET/hub" || umount -l "$FLEET/hub"
    rmdir "$FLEET/hub"
    mv "$FLEET/hub.kept" "$FLEET/hub"
    hub_start
    return "$code"
}

# ---- a backup while they write, restored elsewhere ----
backup_holds() { # every name that was acknowledged before is there, as it was then or later
    python3 - "$WORK/before.json" "$WORK/after.json" <<'PY'
import json, sys
before, after = (json.load(open(name)) for name in sys.argv[1:])
after = {item["metadata"]["name"]: item for item in after["items"]}
lost = []
for item in before["items"]:
    name = item["metadata"]["name"]
    if name.startswith("steady") and after.get(name, {}).get("data") != item.get("data"):
        lost.append(name)
    if name in after and int(after[name]["metadata"]["resourceVersion"]) < int(item["metadata"]["resourceVersion"]):
        lost.append(name + " is older")
assert any(item["metadata"]["name"].startswith("steady") for item in before["items"])
sys.exit(f"lost: {lost}" if lost else 0)
PY
}
backed_up() {
    local n
    judge_start backup
    for n in 1 2 3; do
        ask "$CM" -X POST -H 'Content-Type: application/json' -d "{\"metadata\":{\"name\":\"steady-$n\"},\"data\":{\"n\":\"$n\"}}" \
            | tail -1 | grep 201
    done
    ask "$CM" | sed -n 1p >"$WORK/before.json"
    "$BIN/fedhub" backup --data-dir "$FLEET/hub" "$WORK/copy.db"
    judge_end backup
    version_now >"$WORK/version.lost"
    hub_stop
    mkdir -p "$FLEET/hub.other"
    "$BIN/fedhub" restore --data-dir "$FLEET/hub.other" "$WORK/copy.db"
    mv "$FLEET/hub" "$FLEET/hub.lost"
    for n in "$FLEET"/hub.lost/*; do # the identity comes along; the store is the copy
        case ${n##*/} in hub.db* | lock) ;; *) cp -a "$n" "$FLEET/hub.other/" ;; esac
    done
    mv "$FLEET/hub.other" "$FLEET/hub"
    verified
    hub_start
    ask "$CM" | sed -n 1p >"$WORK/after.json"
    backup_holds
}
old_versions_are_refused() {
    local lost
    lost=$(cat "$WORK/version.lost")
    ask "$CM?watch=1&timeoutSeconds=5&resourceVersion=$lost" >"$WORK/watch.out"
    grep -q '"code":410' "$WORK/watch.out" || { cut -c1-300 "$WORK/watch.out"; return 1; }
    says '"code":410' ask "$CM?resourceVersionMatch=Exact&resourceVersion=$lost"
    says '"code":504' ask "$CM?resourceVersion=$(($(version_now) + 1000000))"
    taken
}

owner_and_mode() { stat -c '%u:%g %a' "$1"; }
restored_as_it_was() { # in place, and into a folder of somebody else's
    local other=$WORK/folder
    hub_stop
    chown 65534:65533 "$FLEET/hub/hub.db"
    chmod 640 "$FLEET/hub/hub.db"
    "$BIN/fedhub" restore --data-dir "$FLEET/hub" "$WORK/copy.db"
    [ "$(owner_and_mode "$FLEET/hub/hub.db")" = '65534:65533 640' ] || {
        owner_and_mode "$FLEET/hub/hub.db"
        return 1
    }
    mkdir -m 700 "$other"
    chown 65534:65533 "$other"
    "$BIN/fedhub" restore --data-dir "$other" "$WORK/copy.db"
    [ "$(stat -c '%u:%g' "$other/hub.db" "$other/lock" | sort -u)" = 65534:65533 ]
    hub_start
}

must "a hub starts" hub_start
must "the admin's files" admin_files
try "ten kills between writes: nothing acknowledged is lost, every change is told once and in order" killed
try "the store is whole afterwards" clean_at_the_end
if can_mount; then
    try "a full disk: writes are refused with 507, reads and watches go on, room is all it takes" full_disk
else
    skip "a full disk" "mounting a small tmpfs needs root"
fi
try "a backup taken while clients write holds all that was acknowledged before" backed_up
try "after a restore a resourceVersion from before is answered 410, one to come 504" old_versions_are_refused
if [ "$(id -u)" = 0 ]; then
    try "a restored store has the owner and the mode of the one before" restored_as_it_was
else
    skip "the owner of a restored store" "giving files to others needs root"
fi
suite_end
