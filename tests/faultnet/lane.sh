# lane.sh - what the rows of tests/e2e/faultnet.sh are made of. A lane is a member control plane with its agent, and a relay
# between that agent and the hub; it runs its rows one after the other, beside the other lanes. Sourced behind suite.sh.

FAULTNET=$ROOT/tests/faultnet/faultnet
LINK=${FAULTNET_LINK:-coap}
SEED=${SEED:-1}

# ---- relays ----
relay_start() { # relay_start NAME: before the hub
    local api coap agents out=$FLEET/logs/$1.ready end
    read -r api coap agents <"$FLEET/hub.ports"
    "$FAULTNET" --udp "0=127.0.0.1:$coap" --tcp "0=127.0.0.1:$agents" --seed "$SEED" --control "$FLEET/$1.net" \
        --stats "$FLEET/logs/$1.net.json" >"$out" 2>>"$FLEET/logs/$1.net.err" &
    echo $! >"$FLEET/$1.net.pid"
    end=$(($(now_ms) + 20000))
    until grep -q '^faultnet: ready' "$out"; do
        [ "$(now_ms)" -lt "$end" ] || die "the relay $1 does not start"
        sleep 0.02
    done
}
net() { # net NAME RULE...
    local name=$1
    shift
    "$FAULTNET" ctl "$FLEET/$name.net" "$@"
}
net_count() { # net_count NAME DIRECTION COUNTER
    net "$1" stats | python3 -c 'import json, sys
print(json.load(sys.stdin)[sys.argv[1]][sys.argv[2]][sys.argv[3]])' "$([ "$LINK" = https ] && echo tcp || echo udp)" "$2" "$3"
}
hub_url() { # hub_url NAME: of its relay
    local scheme=coaps protocol=udp
    [ "$LINK" = coap ] || scheme=https protocol=tcp
    sed -n "s/.* $protocol=\([^ ]*\).*/$scheme:\/\/\1/p" "$FLEET/logs/$1.ready"
}

# ---- agents ----
run_agent() { agent_start "$1" --link "$LINK" --hub "$(hub_url "$1")"; }
connected() { soon "$2" true status_field "$1" connected; }
# A token whose only address is that of the relay.
relay_token() { "$ROOT/tests/e2e/token.py" "$(fedctl token create)" "address=$(hub_url "$1")"; }

# ---- one object for each lane: a number that only grows, and so much that a change does not fit a datagram of 472 bytes ----
object() { # object LANE NUMBER
    local noise
    noise=$(head -c 450 /dev/urandom | base64 -w 0)
    federated FederatedConfigMap "$1" number "{data: {k: \"$2\", noise: \"$noise\"}}" "{clusters: [{name: $1}]}"
}
set_number() { object "$1" "$2" | hubctl apply -f - >/dev/null; }
number() { memberctl "$1" -n "$1" get configmap number -o 'jsonpath={.data.k}'; }
next_number() { # next_number LANE: written to the hub
    local n
    n=$(($(cat "$FLEET/$1.number" 2>/dev/null || echo 0) + 1))
    set_number "$1" "$n"
    echo "$n" >"$FLEET/$1.number"
    echo "$n"
}
# What the hub shows as the version is the member's object: the status of this very change is back.
status_is_back() {
    local live shown
    live=$(memberctl "$1" -n "$1" get configmap number -o 'jsonpath=rv:{.metadata.resourceVersion}')
    shown=$(cluster_word "$1" federatedconfigmap number "$1" version)
    echo "the member has $live, the hub shows $shown"
    [ -n "$live" ] && [ "$live" = "$shown" ]
}
arrives() { # arrives LANE NUMBER SECONDS: in the member, and its status at the hub
    local end=$(($(now_ms) + $3 * 1000)) began
    began=$(now_ms)
    soon "$3" "$2" number "$1"
    echo "# in the member after $(($(now_ms) - began)) ms"
    wait_for "$((($end - $(now_ms)) / 1000 + 1))" "the status of change $2" status_is_back "$1"
    echo "# at the hub after $(($(now_ms) - began)) ms"
}
# Every value that the member ever had, in its order.
watch_number() {
    memberctl "$1" -n "$1" get configmap number --watch -o 'jsonpath={.data.k}{"\n"}' >"$FLEET/logs/$1.seen" 2>/dev/null &
    echo $! >"$FLEET/$1.watch.pid"
}
never_older() { # never_older LANE
    [ -s "$FLEET/logs/$1.seen" ] || { echo "nothing was seen"; return 1; }
    sort -n -c "$FLEET/logs/$1.seen"
}

# ---- lanes ----
lane_up() { # lane_up LANE: joined over a good network, the object is there
    member_up "$1"
    relay_start "$1"
    agent_join "$1" "$(relay_token "$1")"
    run_agent "$1"
    soon 60 True ready_word "$1"
    hubctl create namespace "$1"
    federated FederatedNamespace "$1" "$1" '{}' "{clusters: [{name: $1}]}" | hubctl apply -f -
    arrives "$1" "$(next_number "$1")" 60
    watch_number "$1"
}

# under LANE CONNECT_S CHANGE_S JOIN_S RULE...: a change that waits while the agent is away, and one while it is there.
under() {
    local lane=$1 connect_s=$2 change_s=$3 join_s=$4 n rule
    shift 4
    agent_stop "$lane"
    n=$(next_number "$lane")
    net "$lane" clear
    for rule in "$@"; do
        # shellcheck disable=SC2086
        net "$lane" $rule
    done
    if [ "$join_s" -gt 0 ]; then
        rm -rf "$FLEET/$lane/other"
        timeout "$join_s" "$BIN/fedlet" join "$(relay_token "$lane")" --name "$lane-$n" --state-dir "$FLEET/$lane/other" \
            --kubeconfig "$FLEET/$lane/kube/admin.kubeconfig"
    fi
    run_agent "$lane"
    arrives "$lane" "$n" "$connect_s"
    arrives "$lane" "$(next_number "$lane")" "$change_s"
    net "$lane" rebind every off
    net "$lane" clear
    net "$lane" stats
}
# A partition that ends: nothing arrives meanwhile, everything afterwards.
parted() { # parted LANE SECONDS AFTER_S
    local n
    net "$1" clear
    connected "$1" 60
    net "$1" partition on
    n=$(next_number "$1")
    sleep "$2"
    [ "$(number "$1")" -lt "$n" ] || { echo "it arrived through a partition"; return 1; }
    net "$1" partition off
    arrives "$1" "$n" "$3"
}
