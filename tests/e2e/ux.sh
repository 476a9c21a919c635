#!/usr/bin/env bash
# ux.sh - what a new user meets: manual pages, service units, and every message on the way from an empty machine to a joined
# cluster, mistakes included. Needs no control plane.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
MAN=$ROOT/docs/man
STATE=$FLEET/state
export HOME=$FLEET/home
mkdir -p "$HOME"
unset KUBECONFIG
fedlet() { "$BIN/fedlet" "$@"; }
fedhub() { "$BIN/fedhub" "$@"; }
bare() { "$BIN/fedctl" "$@"; } # without the hub's kubeconfig

# refuses CODE PATTERN COMMAND...: ends with that code, says it on stderr, and stdout stays empty.
refuses() {
    local want=$1 pattern=$2 code=0
    shift 2
    timeout 60 "$@" >"$FLEET/logs/said.out" 2>"$FLEET/logs/said.err" || code=$?
    printf '$ %s\n%s\n(exit code %d)\n' "$*" "$(cat "$FLEET/logs/said.out" "$FLEET/logs/said.err")" "$code"
    [ "$code" -eq "$want" ] && [ ! -s "$FLEET/logs/said.out" ] && grep -qE -- "$pattern" "$FLEET/logs/said.err"
}
# answers PATTERN COMMAND...: succeeds, says it on stdout, and stderr stays empty.
answers() {
    local pattern=$1 code=0
    shift
    timeout 60 "$@" >"$FLEET/logs/said.out" 2>"$FLEET/logs/said.err" || code=$?
    printf '$ %s\n%s\n(exit code %d)\n' "$*" "$(cat "$FLEET/logs/said.out" "$FLEET/logs/said.err")" "$code"
    [ "$code" -eq 0 ] && [ ! -s "$FLEET/logs/said.err" ] && grep -qE -- "$pattern" "$FLEET/logs/said.out"
}
F=$BIN/fedlet H=$BIN/fedhub C=$BIN/fedctl

# ---- manual pages ----
flags_in() { grep -oE -- '(^|[^a-zA-Z0-9-])--?[a-z][a-z-]*' | sed -E 's/^[^-]*//' | grep -E '^(--[a-z][a-z-]+|-[a-z])$' | sort -u; }
# Every flag that the help of the program and of its commands shows.
flags_of_help() {
    local program=$1 command
    shift
    {
        "$BIN/$program" --help
        # shellcheck disable=SC2086
        for command in "$@"; do echo && "$BIN/$program" $command --help; done
    } | sed -E 's/`[^`]*`//g; /^examples?:/I,/^$/d' | flags_in
}
# Every flag that the page has as an option macro.
flags_of_page() {
    grep -oE '(^\.It |^\.|[^A-Za-z])Fl -?[a-z][a-z-]*' "$1" | sed -E 's/.*Fl /-/' | sort -u
}
same_flags() { # same_flags PROGRAM PAGE COMMAND...
    local program=$1 page=$2
    shift 2
    flags_of_help "$program" "$@" >"$FLEET/help.flags"
    flags_of_page "$MAN/$page" | grep -vxE -- '--(help|version)|-[ho]|--output' >"$FLEET/page.flags"
    grep -vxE -- '--(help|version)|-[ho]|--output' "$FLEET/help.flags" >"$FLEET/help.some"
    diff "$FLEET/help.some" "$FLEET/page.flags"
}
mapfile -t FEDLET_COMMANDS < <("$F" --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')
mapfile -t FEDCTL_COMMANDS < <("$C" --help | sed -n '/^commands:/,/^$/s/^  \([a-z][a-z -]*[a-z]\)  .*/\1/p')
try "fedlet(8) has the flags of the program, and no others" same_flags fedlet fedlet.8 "${FEDLET_COMMANDS[@]}"
try "fedhub(8) has the flags of the program, and no others" same_flags fedhub fedhub.8 serve
try "fedctl(1) has the flags of the program, and no others" same_flags fedctl fedctl.1 "${FEDCTL_COMMANDS[@]}"

# ---- completion ----
complete_for() { # complete_for WORD...: what bash offers for the last word
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _fedlet
    echo "${COMPREPLY[*]}"
}
case_bash() {
    local shell command
    for shell in bash zsh; do fedlet completion $shell | bash -n; done
    # shellcheck disable=SC1090
    source <(fedlet completion bash)
    is 'run rbac' complete_for fedlet r
    is "$(printf '%s\n' "${FEDLET_COMMANDS[@]}" help | sort)" sort <(complete_for fedlet '' | tr ' ' '\n')
    is '--keep-objects --kubeconfig' complete_for fedlet leave --k
    is '' complete_for fedlet run --sam # of another command, which the help of this one names
    is 'coap' complete_for fedlet run --link c
    is 'warn' complete_for fedlet run --log-level w
    is '' complete_for fedlet run --config '' # bash offers files then
    is 'fish' complete_for fedlet completion f
    refuses 2 'the name of a shell: bash, zsh, fish' "$F" completion tcsh
    refuses 2 'the name of a shell: bash, zsh, fish' "$F" completion
}
case_zsh() {
    fedlet completion zsh | zsh -n
    says '^_fedlet$' env PATH="$BIN:$PATH" zsh -f -c 'autoload -Uz compinit && compinit -u -D; source <(fedlet completion zsh); echo ${functions[(I)_fedlet]}'
}
case_fish() {
    fedlet completion fish >"$FLEET/fish"
    fish --no-execute "$FLEET/fish"
    fish_for() { fish --no-config -c "source $FLEET/fish; complete -C '$1'" | sort | tr '\t\n' ':;'; }
    is 'rbac:the rights that the agent needs in its cluster;run:the service;' fish_for 'fedlet r'
    is '--keep-objects;--kubeconfig;' fish_for 'fedlet leave --k'
    is 'bash;fish;zsh;' fish_for 'fedlet completion '
}
try "completion of fedlet in bash" case_bash
for shell in zsh fish; do
    if command -v $shell >/dev/null; then try "completion of fedlet in a real $shell" "case_$shell"; else skip "completion of fedlet in a real $shell" "$shell is not installed"; fi
done

defaults_in_page() { # what `fedhub --help` calls a default stands in the page
    local value
    while read -r value; do
        grep -qF -- "$value" "$MAN/fedhub.8" || { echo "fedhub.8 lacks $value"; return 1; }
    done < <(fedhub --help | sed -n 's/.*(default \(.*\))$/\1/p')
    for value in $(fedhub config --sample | sed -n 's/^#\{0,1\}\([a-z-]*\):.*/--\1/p'); do
        grep -q "Fl ${value#-}" "$MAN/fedhub.8" || { echo "fedhub.8 lacks $value"; return 1; }
    done
    for value in $(fedlet config --sample | sed -n 's/^\([a-zA-Z]*\):.*/\1/p'); do
        grep -qw "$value" "$MAN/fedlet.8" || { echo "fedlet.8 lacks $value"; return 1; }
    done
}
try "the pages have every default and every key of a configuration file" defaults_in_page
clean_groff() { local out; out=$(groff -mandoc -ww -Tutf8 "$MAN/$1" 2>&1 >/dev/null) && [ -z "$out" ] || { echo "$out"; return 1; }; }
clean_man() { local out; out=$(man --warnings -l "$MAN/$1" 2>&1 >/dev/null </dev/null) && [ -z "$out" ] || { echo "$out"; return 1; }; }
clean_mandoc() { local out; out=$(mandoc -Tlint -Wwarning "$MAN/$1" 2>&1) && [ -z "$out" ] || { echo "$out"; return 1; }; }
for tool in groff man mandoc; do
    for page in fedlet.8 fedhub.8 fedctl.1; do
        if command -v $tool >/dev/null; then
            try "$page: $tool finds nothing to complain of" clean_$tool $page
        else
            skip "$page: $tool finds nothing to complain of" "$tool is not installed"
        fi
    done
done

# ---- service units ----
unit() { # unit NAME COMMAND...: with the unit, its program where it was built
    mkdir -p "$FLEET/units"
    sed "s#/usr/local/bin/#$BIN/#" "$ROOT/deploy/$1.service" >"$FLEET/units/$1.service"
    "${@:2}" "$FLEET/units/$1.service"
}
verified() { local out; out=$(systemd-analyze verify --man=no "$1" 2>&1) && [ -z "$out" ] || { echo "$out"; return 1; }; }
exposure_of() { systemd-analyze security --offline=true --no-pager "$1" | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p'; }
hardened() {
    EXPOSURE=$(exposure_of "$1")
    echo "exposure $EXPOSURE"
    awk -v e="$EXPOSURE" 'BEGIN { exit !(e != "" && e <= 1.5) }'
}
for name in fedlet fedhub; do
    if command -v systemd-analyze >/dev/null; then
        try "$name.service: systemd-analyze verify finds nothing" unit $name verified
        try "$name.service: exposure is $(unit $name exposure_of), at most 1.5" unit $name hardened
    else
        skip "$name.service: verified, exposure at most 1.5" "systemd-analyze is not installed"
    fi
done

# ---- before there is a hub ----
try "fedhub alone shows its usage" refuses 2 '^usage:' "$H"
try "fedctl alone shows its usage" refuses 2 '^commands:' "$C"
try "fedlet alone says how to get help" refuses 2 'fedlet --help' "$F"
for program in fedlet fedhub fedctl; do
    try "$program: help goes to stdout, with examples or where to find them" answers 'xample|--help' "$BIN/$program" --help
    try "$program: version" answers "^$program [0-9]+\\.[0-9]+" "$BIN/$program" version
    try "$program: --version" answers "^$program [0-9]+\\.[0-9]+" "$BIN/$program" --version
    try "$program: version as JSON" answers '^\{"version":"[0-9.]+"\}$' "$BIN/$program" version -o json
    try "$program: an unknown command is named" refuses 2 'stauts' "$BIN/$program" stauts
done
for command in "${FEDLET_COMMANDS[@]}"; do try "fedlet $command --help" answers "^fedlet $command" "$F" "$command" --help; done
for command in "${FEDCTL_COMMANDS[@]}"; do
    # shellcheck disable=SC2086
    try "fedctl $command --help" answers "^usage: fedctl $command" "$C" $command --help
done
try "fedctl token alone lists what there is" refuses 2 'fedctl token create' "$C" token
try "fedctl help COMMAND" answers '^usage: fedctl clusters' "$C" help clusters
one_suggested() { refuses 2 'did you mean: fedctl rollout pause$' "$C" rollout pauze && [ "$(grep -c 'did you mean' "$FLEET/logs/said.err")" = 1 ]; }
try "of a mistyped second word what is near" one_suggested
try "a mistyped fedctl command is suggested" refuses 2 'did you mean: fedctl clusters' "$C" clutsers
try "a mistyped setting of fedhub is named" refuses 2 '"data-dri"' "$H" serve --data-dri x
try "a setting of fedhub without its value" refuses 2 'needs a value: --data-dir' "$H" serve --data-dir
try "a number out of range is refused with the range" refuses 2 'from 10 to 86400' "$H" serve --heartbeat-s 5
try "a port that is none is refused" refuses 2 '127.0.0.1:99999.*65535' "$H" serve --data-dir "$FLEET/h1" --listen 127.0.0.1:99999
try "an address without a port is refused" refuses 2 'ADDRESS:PORT' "$H" serve --data-dir "$FLEET/h1" --listen 127.0.0.1
try "a mistyped option of fedlet is named" refuses 2 '--state-dri' "$F" status --state-dri x
try "--option=value works as well" refuses 1 "$STATE" "$F" status "--state-dir=$STATE"
try "an unknown log level is refused with the choices" refuses 2 'error warn info debug' "$F" run --log-level loud
try "a hub address without scheme is refused" refuses 2 'coaps://' "$F" run --hub hub.example
try "a label without value is refused" refuses 2 'KEY=VALUE' "$F" join t --name x --label foo
try "join without a name" refuses 2 '--name CLUSTER' "$F" join t
try "join with something that is no token" refuses 1 'begins with fedlet1' "$F" join t --name x --state-dir "$STATE"
try "join from an empty stdin" refuses 1 'no token on stdin' "$F" join - --name x --state-dir "$STATE"
try "run before joining" refuses 1 'has not joined.*fedlet join' "$F" run --state-dir "$STATE"
try "leave before joining" refuses 1 'has not joined' "$F" leave --state-dir "$STATE"
try "status without a running service" refuses 1 "no service runs on $STATE; start it" "$F" status --state-dir "$STATE"
samples() {
    fedhub config --sample >"$FLEET/hub.yaml"
    fedlet config --sample >"$FLEET/agent.yaml"
    answers 'valid' "$H" config --check "$FLEET/hub.yaml"
    answers 'valid' "$H" config --check --config "$FLEET/hub.yaml" &&
    answers 'ok' "$F" config --check --config "$FLEET/agent.yaml"
    echo 'stateDri: x' >"$FLEET/wrong.yaml"
    refuses 1 'wrong.yaml.*"stateDri"' "$F" config --check --config "$FLEET/wrong.yaml"
    refuses 1 'wrong.yaml.*"stateDri"' "$H" config --check "$FLEET/wrong.yaml"
    refuses 1 'none.yaml.*No such file' "$H" config --check "$FLEET/none.yaml"
    printf 'a: [1\n' >"$FLEET/wrong.yaml"
    refuses 1 'wrong.yaml: line 2' "$F" config --check --config "$FLEET/wrong.yaml"
}
try "sample configurations are valid; mistakes are named with file and place" samples
try "no kubeconfig anywhere" refuses 1 'KUBECONFIG is not set.*~/.kube/config' "$C" clusters
try "a kubeconfig that is not there" refuses 1 '/none: No such file' "$C" --kubeconfig "$FLEET/none" clusters
try "a kubeconfig that is no YAML" refuses 1 'wrong.yaml: line' "$C" --kubeconfig "$FLEET/wrong.yaml" clusters
try "-o without json" refuses 2 '-o takes json' "$C" clusters -o yaml
try "verify, backup and restore without a store or a file" eval '
    refuses 1 "hub.db: cannot be read: No such file" "$H" verify --data-dir "$FLEET/h2" &&
    refuses 1 "hub.db: cannot be read" "$H" backup "$FLEET/b.db" --data-dir "$FLEET/h2" &&
    refuses 1 "none: cannot be read: No such file" "$H" restore "$FLEET/none" --data-dir "$FLEET/h2" &&
    refuses 2 "FILE is missing" "$H" backup'
full_output() {
    local program code
    for program in fedlet fedhub fedctl; do
        code=0
        "$BIN/$program" --help >/dev/full 2>"$FLEET/logs/full.err" || code=$?
        [ "$code" -eq 1 ] && grep -q 'standard output: No space' "$FLEET/logs/full.err" || { echo "$program: $code"; return 1; }
    done
}
try "output that cannot be written is a failure" full_output
completions() {
    bare completion bash | bash -n
    grep -q 'complete -c fedctl' <(bare completion fish)
    answers 'compdef fedctl' "$C" completion zsh
    refuses 2 'bash, zsh, fish' "$C" completion tcsh
}
try "completion scripts" completions

# ---- with a hub ----
must "the hub starts" hub_start
KC=(--kubeconfig "$FLEET/hub/admin.kubeconfig")
modes() {
    local file
    [ "$(stat -c %a "$FLEET/hub")" = 755 ] || [ "$(stat -c %a "$FLEET/hub")" = 700 ]
    for file in admin.kubeconfig ca.key server.key hub.db; do
        [ "$(stat -c %a "$FLEET/hub/$file")" = 600 ] || { stat -c '%a %n' "$FLEET/hub/$file"; return 1; }
    done
}
try "keys, kubeconfig and store are for their owner alone" modes
second_hub() { refuses 1 'data directory is in use' "$H" serve --data-dir "$FLEET/hub" --listen 127.0.0.1:0 --coap-listen 127.0.0.1:0; }
try "a second hub on the same directory is refused" second_hub
taken() {
    local port
    read -r port _ <"$FLEET/hub.ports"
    refuses 1 "API at 127.0.0.1:$port.*in use" "$H" serve --data-dir "$FLEET/h3" --listen "127.0.0.1:$port" --coap-listen 127.0.0.1:0
}
try "a port in use is named" taken
no_clusters() {
    local out
    out=$(fedctl clusters 2>"$FLEET/logs/said.err")
    [ "$out" = "NAME   READY   KUBERNETES-VERSION   AGE" ]
    grep -q 'fedctl token create' "$FLEET/logs/said.err"
    is '[]' fedctl clusters -o json
}
try "no clusters yet: the next step is told, beside the data" no_clusters
json_everywhere() {
    fedctl clusters -o json | python3 -m json.tool >/dev/null
    fedctl token list -o json | python3 -m json.tool >/dev/null
    fedctl token create -o json | python3 -c 'import json,sys; assert json.load(sys.stdin)["status"]["token"].startswith("fedlet1.")'
}
try "-o json is JSON" json_everywhere
plain() {
    NO_COLOR=1 fedctl clusters >"$FLEET/logs/plain" 2>&1
    script -qec "NO_COLOR=1 $C ${KC[*]} clusters" /dev/null >>"$FLEET/logs/plain"
    grep -q NAME "$FLEET/logs/plain"
    ! grep -q $'\033' "$FLEET/logs/plain" || return 1
}
if command -v script >/dev/null; then try "NO_COLOR on a terminal" plain; else skip "NO_COLOR on a terminal" "script(1) is not installed"; fi
closed_pipe() {
    local code
    set +eo pipefail
    { "$C" "${KC[@]}" token list; echo $? >"$FLEET/code"; } 2>"$FLEET/logs/said.err" | true
    set -eo pipefail
    code=$(cat "$FLEET/code")
    [ "$code" -eq 0 ] || { [ "$code" -eq 1 ] && grep -q 'Broken pipe' "$FLEET/logs/said.err"; }
}
try "a closed pipe behind fedctl ends it in order" closed_pipe
one_line() { [ "$(fedctl token create | tee "$FLEET/token" | wc -l)" = 1 ] && grep -qE '^fedlet1\.[A-Za-z0-9_-]+$' "$FLEET/token"; }
try "token create prints the token alone" one_line
token_ids() { fedctl token list | awk 'NR > 1 {print $1}' | sort; }
unprinted() {
    token_ids >"$FLEET/ids"
    fails 1 'No space left on device' bash -c '"$@" >/dev/full' - "$C" "${KC[@]}" token create
    fails 1 'was revoked again' bash -c '"$@" >/dev/full' - "$C" "${KC[@]}" token create
    token_ids | diff "$FLEET/ids" -
}
try "a token that cannot be printed is revoked again" unprinted
try "a time to live that is none" refuses 2 'as in 24h, not "foo"' "$C" "${KC[@]}" token create --ttl foo
try "a time to live that is too long" refuses 2 'from 1s to 8760h' "$C" "${KC[@]}" token create --ttl 8761h
try "more uses than a token may have" refuses 2 'from 1 to 100000' "$C" "${KC[@]}" token create --uses 100001
try "a name that no cluster may have" refuses 2 'Bad_Name' "$C" "${KC[@]}" token create --name Bad_Name
try "revoking what is not there" refuses 1 '"nosuch" not found' "$C" "${KC[@]}" token revoke nosuch
try "approving who has not asked" refuses 1 '"nosuch" not found.*get joinrequests' "$C" "${KC[@]}" approve nosuch
try "a context that is not there" refuses 1 'no context "nope"' "$C" "${KC[@]}" --context nope clusters

# ---- joining ----
try "join with a kubeconfig that is not there" refuses 1 'none: No such file' \
    "$F" join "$(fedctl token create)" --name c0 --state-dir "$FLEET/s0" --kubeconfig "$FLEET/none"
TOKEN=$(fedctl token create)
try "a token with a letter too many" refuses 1 'typing error' "$F" join "${TOKEN}x" --name c1 --state-dir "$FLEET/s1"
try "a token that was cut off" refuses 1 'typing error|complete' "$F" join "${TOKEN:0:60}" --name c1 --state-dir "$FLEET/s1"
try "join, the token from stdin" eval 'fedctl token create >"$FLEET/token" && is "joined as c2" fedlet join - --name c2 --state-dir "$FLEET/s2" <"$FLEET/token"'
try "join" answers '^joined as c1$' "$F" join "$TOKEN" --name c1 --state-dir "$FLEET/s1" --label region=north
try "join again is no error" answers '^joined already as c1$' "$F" join "$TOKEN" --name c1 --state-dir "$FLEET/s1"
try "join again under another name" refuses 1 'has joined as "c1" already.*fedlet leave' "$F" join "$TOKEN" --name c9 --state-dir "$FLEET/s1"
try "a token that is used up" refuses 1 'used up' "$F" join "$TOKEN" --name c3 --state-dir "$FLEET/s3"
try "a name that is taken" refuses 1 '"c1" is taken' "$F" join "$(fedctl token create)" --name c1 --state-dir "$FLEET/s4"
expired() {
    local token
    token=$(fedctl token create --ttl 1s)
    sleep 2
    refuses 1 'ended at|expired at' "$F" join "$token" --name c5 --state-dir "$FLEET/s5"
}
try "a token that has ended" expired
revoked() {
    local json
    json=$(fedctl token create -o json)
    field() { python3 -c 'import json,sys; d=json.load(sys.stdin)
for k in sys.argv[1].split("."): d=d[k]
print(d)' "$1" <<<"$json"; }
    fedctl token revoke "$(field metadata.name)"
    refuses 1 'revoked' "$F" join "$(field status.token)" --name c6 --state-dir "$FLEET/s6"
}
try "a token that was revoked" revoked
try "a state directory that is a file" refuses 1 'hub.yaml is not a folder' \
    "$F" join "$(fedctl token create)" --name c7 --state-dir "$FLEET/hub.yaml"
private_state() {
    [ "$(stat -c %a "$FLEET/s1")" = 700 ]
    [ "$(stat -c %a "$FLEET/s1/key.pem" "$FLEET/s1/state.db" | sort -u)" = 600 ]
}
try "the agent's key and state are for their owner alone" private_state
as_nobody() {
    chmod 755 "$FLEET"
    refuses 1 "$FLEET/s1.*Permission denied" setpriv --reuid=65534 --regid=65534 --clear-groups "$F" run --state-dir "$FLEET/s1"
    refuses 1 "$FLEET/s1.*Permission denied" setpriv --reuid=65534 --regid=65534 --clear-groups "$F" status --state-dir "$FLEET/s1"
}
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    cp "$F" "$FLEET/fedlet.copy" && chmod 755 "$FLEET/fedlet.copy" && F_SAVED=$F F=$FLEET/fedlet.copy
    try "a state directory that one may not read" as_nobody
    F=$F_SAVED
    full_disk() {
        mkdir "$FLEET/small"
        mount -t tmpfs -o size=16k tmpfs "$FLEET/small"
        dd if=/dev/zero of="$FLEET/small/fill" bs=1k count=12 2>/dev/null
        code=0
        refuses 1 'disk is full|No space left' "$F" join "$(fedctl token create)" --name c8 --state-dir "$FLEET/small/s" || code=1
        rm "$FLEET/small/fill"
        umount "$FLEET/small"
        return $code
    }
    if mkdir "$FLEET/probe" && mount -t tmpfs -o size=16k tmpfs "$FLEET/probe" 2>/dev/null; then
        umount "$FLEET/probe"
        try "join with a full disk" full_disk
    else
        skip "join with a full disk" "this machine allows no mounts"
    fi
else
    skip "a state directory that one may not read; a full disk" "not root"
fi
manual() {
    local token pid code=0
    token=$(fedctl token create --approve manual)
    # Job control gives the child its own SIGINT.
    set -m
    "$F" join "$token" --name m1 --state-dir "$FLEET/m1" >"$FLEET/logs/m1.out" 2>"$FLEET/logs/m1.said" &
    pid=$!
    set +m
    wait_for 20 "waiting for approval" grep -q 'fedctl approve m1' "$FLEET/logs/m1.said"
    refuses 1 'stop it first.*m1/lock' "$F" leave --state-dir "$FLEET/m1"
    kill -INT "$pid"
    wait "$pid" || code=$?
    echo "exit code $code"
    cat "$FLEET/logs/m1.said"
    [ "$code" -eq 1 ]
    [ ! -s "$FLEET/logs/m1.out" ]
    grep -q 'stopped' "$FLEET/logs/m1.said"
    refuses 1 'not approved in time.*run the same command again' "$F" join "$token" --name m1 --state-dir "$FLEET/m1" --timeout 8s
    fedctl approve m1
    is 'joined as m1' fedlet join "$token" --name m1 --state-dir "$FLEET/m1"
}
try "a join that waits for approval can be interrupted and taken up again" manual
listed() { fedctl clusters | grep -E '^c1 +Unknown +- +[0-9]+[smh]$'; }
try "a cluster that joined and was not heard of is listed as such" listed

# ---- the hub stops ----
private_backup() {
    "$H" backup "$FLEET/backup.db" --data-dir "$FLEET/hub"
    [ "$(stat -c %a "$FLEET/backup.db")" = 600 ]
    refuses 1 'exists already; name a new file' "$H" backup "$FLEET/backup.db" --data-dir "$FLEET/hub"
}
try "a backup while the hub runs is for its owner alone, and replaces nothing" private_backup
try "restore and verify while the hub runs are refused" eval '
    refuses 1 "data directory is in use" "$H" restore "$FLEET/backup.db" --data-dir "$FLEET/hub" &&
    refuses 1 "data directory is in use" "$H" verify --data-dir "$FLEET/hub"'
LAST=$(fedctl token create)
hub_stop
try "fedctl with the hub stopped" refuses 1 'nothing listens there; is fedhub running there' "$C" "${KC[@]}" clusters
try "join with the hub stopped" refuses 1 'did not answer in time.*nothing listens' \
    "$F" join "$LAST" --name c9 --state-dir "$FLEET/s9" --timeout 5s
try "verify, restore and verify again" eval '
    answers "is sound" "$H" verify --data-dir "$FLEET/hub" &&
    "$H" restore "$FLEET/backup.db" --data-dir "$FLEET/hub" && answers "is sound" "$H" verify --data-dir "$FLEET/hub"'
try "a file that is no backup is refused" refuses 1 'hub.yaml: is not a store' "$H" restore "$FLEET/hub.yaml" --data-dir "$FLEET/hub"
left() {
    local out
    "$F" leave --state-dir "$FLEET/s1" --keep-objects --timeout 5s --kubeconfig "$FLEET/none" >"$FLEET/logs/said.out" 2>"$FLEET/logs/said.err"
    [ "$(cat "$FLEET/logs/said.out")" = "left as c1" ]
    grep -q 'delete kubefedcluster c1' "$FLEET/logs/said.err"
    [ ! -e "$FLEET/s1/key.pem" ] && [ ! -e "$FLEET/s1/state.db" ]
}
try "leave says what to do at the hub" left
suite_end
