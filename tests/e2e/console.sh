#!/usr/bin/env bash
# console.sh - the console in a browser: every page with real objects, agents of tests/swarm and a rollout; accessibility in
# both themes, keyboard alone, what a viewer is offered, live updates. Pictures of each page stay in build/console/screenshots.
# Without Chromium, Node.js or the built page it is skipped, and says so.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
here=$(cd "$(dirname "$0")" && pwd)
AGENTS=12
SHOTS=$ROOT/build/console/screenshots
CONSENT=off

BROWSER=
for name in chromium chromium-browser google-chrome; do
    [ -n "$BROWSER" ] || BROWSER=$(command -v "$name" || true)
done
export BROWSER SHOTS

lacking() {
    [ -n "$BROWSER" ] || { echo "no Chromium (Debian package: chromium)"; return; }
    command -v node >/dev/null || { echo "no Node.js"; return; }
    [ -d "$ROOT/console/node_modules/playwright-core" ] || { echo "the console is not built (console/build console/dist)"; return; }
    grep -q '/console/assets/' <<<"$(curl -sk --compressed "$BASE/console/")" || echo "this hub was built without the console"
}

swarm_start() { # swarm_start NAME AGENTS TOKEN
    local coap
    read -r _ coap _ <"$FLEET/hub.ports"
    mkfifo "$FLEET/$1.in"
    setsid "$BIN/swarm" --hub "coaps://127.0.0.1:$coap" --agents "$2" --state "$FLEET/$1.state" --token "$3" --name "$1" \
        <"$FLEET/$1.in" >"$FLEET/$1.out" 2>"$FLEET/logs/$1.err" &
    echo $! >"$FLEET/swarm-$1.pid"
}
# The swarm begins when told, and ends with its input: it is kept open by the suite.
exec_swarm() { exec 7>"$FLEET/shop.in"; }

cluster() { # cluster NAME REGION: one whose agent never came
    printf 'apiVersion: core.kubefed.io/v1beta1\nkind: KubeFedCluster\nmetadata: {name: %s, namespace: kube-federation-system, labels: {region: %s}}\nspec: {}\n---\n' "$1" "$2"
}
at() { # at NAME LATITUDE LONGITUDE
    hubctl -n kube-federation-system label kubefedcluster "$1" "fedlet.io/latitude=$2" "fedlet.io/longitude=$3"
}
change() { # change COLOR
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedConfigMap\nmetadata: {name: web, namespace: shop, labels: {tier: web}}\nspec: {template: {data: {color: %s}}, placement: {clusterSelector: {}}}\n' "$1" | hubctl apply -f -
}
phase() { hub_jsonpath shop rollout federatedconfigmap-web-1 '{.status.phase}'; }
in_order() { # clusters that have the object as asked
    hubctl -n shop get federatedconfigmap web -o 'jsonpath={range .status.clusters[*]}{.name} {.status}{"\n"}{end}' | grep -c '^shop-[0-9]* $'
}

case_setup() {
    local one
    { for one in 1 2 3 4; do cluster "ghost-$one" north; done; } | hubctl create -f -
    wait_for 60 "the agents" grep -q '"event":"ready"' "$FLEET/shop.out"
    at ghost-1 48.86N 2.35E
    at ghost-2 45.76 4.84
    at shop-000000 33.45S 70.66W
    at shop-000001 52.52 13.41
    at shop-000002 52.53 13.42
    hubctl create namespace shop
    federated FederatedNamespace shop shop '{}' | hubctl apply -f -
    # A version from before the policy: what a roll back goes back to.
    change blue
    soon 60 "$AGENTS" in_order
    printf '%s\n' 'apiVersion: fedlet.io/v1alpha1' 'kind: RolloutPolicy' 'metadata: {name: careful, namespace: shop}' \
        'spec: {selector: {matchLabels: {tier: web}}, waves: [{name: canary, clusters: {names: [shop-000001, shop-000002]}, approval: Required}, {name: some, clusters: {size: 50%}, maxConcurrency: 2, soak: 1h}], progressDeadline: 1h, offline: {after: 1s, then: Defer}}' \
        --- 'apiVersion: fedlet.io/v1alpha1' 'kind: PlacementPolicy' 'metadata: {name: no-jobs}' \
        'spec: {effect: Deny, clusters: {names: [ghost-1]}, kinds: [{group: batch, kind: Job}]}' | hubctl apply -f -
    change green
    soon 60 AwaitingApproval phase
}

drive() { # drive CASE [NAME=VALUE...]
    local name=$1
    shift
    env "$@" OBJECT=federatedconfigmaps.types.kubefed.io/shop/web ROLLOUT=shop/federatedconfigmap-web-1 CLUSTER=shop-000001 \
        node "$here/console/drive.mjs" "$name"
}
code() { fedctl console --print | sed 's/.*#code=//'; }
as_admin() { # as_admin CASE [NAME=VALUE...]
    local name=$1
    shift
    drive "$name" CODE="$(code)" "$@"
}

state_of_late() { hub_jsonpath kube-federation-system joinrequest late-000000 '{.status.state}'; }
case_approve() {
    soon 30 Pending state_of_late
    as_admin approveJoin JOINING=late-000000
    soon 30 Approved state_of_late
}
case_steer() {
    as_admin steer
    is "pause resume approve undo" hub_jsonpath shop rollout federatedconfigmap-web-1 '{.status.actions[*].action}'
    is "a look first" hub_jsonpath shop rollout federatedconfigmap-web-1 '{.status.actions[0].reason}'
}
case_retry() {
    as_admin retry
    is retry hub_jsonpath shop rollout federatedconfigmap-web-1 '{.status.actions[-1:].action}'
    is "once more" hub_jsonpath shop rollout federatedconfigmap-web-1 '{.status.actions[-1:].reason}'
}
case_viewer() {
    hubctl -n shop create serviceaccount vera
    hubctl create clusterrolebinding vera --clusterrole=fedlet:viewer --serviceaccount=shop:vera
    drive viewer TOKEN="$(hubctl -n shop create token vera)"
}
case_live() {
    as_admin live >"$FLEET/live.out" &
    local pid=$!
    wait_for 30 "the page" grep -q ready "$FLEET/live.out"
    cluster ghost-5 south | hubctl create -f -
    wait_for 20 "the new cluster on the page" grep -q came "$FLEET/live.out"
    hubctl -n kube-federation-system label kubefedcluster ghost-5 tier=gold
    wait_for 20 "its label on the page" grep -q labelled "$FLEET/live.out"
    hubctl -n kube-federation-system delete kubefedcluster ghost-5
    wait_for 20 "that it left" grep -q left "$FLEET/live.out"
    hub_stop
    wait "$pid"
    hub_start
}

menu() { printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedConfigMap\nmetadata: {name: menu, namespace: shop}\nspec: {template: {data: {soup: %s}}, placement: {clusterSelector: {}}}\n' "$1" | hubctl apply -f -; }
case_start() {
    menu onion
    as_admin start
    is "shop-000003 shop-000004 shop-000005" hub_jsonpath shop rolloutpolicy menu-selected '{.spec.waves[1].clusters.names[*]}'
    is pea hub_jsonpath shop federatedconfigmap menu '{.spec.template.data.soup}'
    as_admin startRefused
    is "shop-000003 shop-000004 shop-000005" hub_jsonpath shop rolloutpolicy menu-selected '{.spec.waves[1].clusters.names[*]}'
    is pea hub_jsonpath shop federatedconfigmap menu '{.spec.template.data.soup}'
    hubctl -n shop create serviceaccount arthur
    hubctl create clusterrolebinding arthur --clusterrole=fedlet:author --serviceaccount=shop:arthur
    drive startAsAuthor TOKEN="$(hubctl -n shop create token arthur)"
    is "shop-000007=leek shop-000008=leek " hub_jsonpath shop federatedconfigmap menu '{range .spec.overrides[*]}{.clusterName}={.clusterOverrides[0].value} {end}'
}
MANAGED=shop-000005
SYSTEM=kube-federation-system
annotation() { hubctl -n $SYSTEM get kubefedcluster $MANAGED -o "jsonpath={.metadata.annotations.fedlet\\.io/$1}"; }
held() { hub_jsonpath $SYSTEM kubefedcluster $MANAGED "{.status.link.held.$1}"; }
plain() { # plain COLOR: no policy governs it
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedConfigMap\nmetadata: {name: plain, namespace: shop}\nspec: {template: {data: {color: %s}}, placement: {clusters: [{name: %s}]}}\n' "$1" $MANAGED | hubctl apply -f -
}
case_cordon() {
    plain red
    as_admin cordon MANAGED=$MANAGED
    is true annotation cordon
    plain blue
    soon 20 1 held changes
    as_admin uncordon MANAGED=$MANAGED
    is '' annotation cordon
}
case_link() {
    as_admin linkRules MANAGED=$MANAGED
    is 500Mi annotation monthly-bytes
    is '00:00-12:00; 12:00-24:00 UTC' annotation quiet-windows
    plain green
    soon 20 QuietWindow held reason
    soon 20 1 held changes
    as_admin syncNow MANAGED=$MANAGED
    soon 20 '' held reason
    hubctl -n $SYSTEM annotate kubefedcluster $MANAGED fedlet.io/monthly-bytes- fedlet.io/quiet-windows- fedlet.io/let-through-until-
}
case_plans() {
    printf '%s\n' 'apiVersion: types.kubefed.io/v1beta1' 'kind: FederatedConfigMap' 'metadata: {name: labelled, namespace: shop}' \
        'spec: {template: {data: {a: b}}, placement: {clusterSelector: {matchLabels: {lab: x}}}}' | hubctl apply -f -
    as_admin plans MANAGED=$MANAGED
    is x hubctl -n $SYSTEM get kubefedcluster $MANAGED -o 'jsonpath={.metadata.labels.lab}'
    is Allow hubctl get placementpolicy no-jobs -o 'jsonpath={.spec.effect}'
    hubctl -n shop get rolloutpolicy careful # every dialog about it was left
}
case_apart() {
    hubctl -n shop create serviceaccount una
    hubctl -n shop create role una --verb=get,list,watch --resource=federatedconfigmaps.types.kubefed.io,rollouts.fedlet.io,rollouts.fedlet.io/clusters,rollouts.fedlet.io/versions,rolloutpolicies.fedlet.io
    hubctl -n shop create rolebinding una --role=una --serviceaccount=shop:una
    drive apart TOKEN="$(hubctl -n shop create token una)"
}
case_many() {
    local n
    for n in 0 1 2; do printf -- '---\napiVersion: v1\nkind: Namespace\nmetadata: {name: many-%s}\n' "$n"; done >"$FLEET/many.yaml"
    for n in $(seq 510); do
        printf -- '---\napiVersion: fedlet.io/v1alpha1\nkind: RolloutPolicy\nmetadata: {name: many-%s, namespace: many-%s}\nspec: {selector: {matchLabels: {none: "%s"}}, waves: [{name: first, clusters: {size: 1}}]}\n' "$n" "$((n % 3))" "$n"
    done >>"$FLEET/many.yaml"
    hubctl create -f "$FLEET/many.yaml" >"$FLEET/many.out"
    as_admin many
    hubctl delete namespace many-0 many-1 many-2 --wait=false
}

hub_start
read -r api _ <"$FLEET/hub.ports"
export BASE=https://127.0.0.1:$api
why=$(lacking)
if [ -n "$why" ]; then
    skip "the console in a browser" "$why"
    suite_end
fi
swarm_start shop "$AGENTS" "$(fedctl token create --uses "$AGENTS")"
exec_swarm
printf 'start\nready\n' >&7
must "setup" case_setup
try "every page: no exception, no refusal by its policy, nothing foreign" as_admin pages
try "the first view is small" as_admin firstView
try "no serious accessibility findings, both themes" as_admin axe
try "the grid: query, keys, table, Ctrl-K" as_admin grid
try "the grid: a brush selects, and what it selected is a link" as_admin brush
try "the grid: the keyboard selects as well" as_admin brushKeys
try "the grid: a finger selects when it is told to" as_admin brushTouch
try "the grid: other figures, loaded when they are asked for" as_admin colours
try "a selection is cordoned and uncordoned" as_admin cordonMany
try "the map: where clusters are, by pointer and keyboard" as_admin map
try "what is dangerous shows what it touches, and wants the name" as_admin typedName
try "a viewer is offered nothing that it may not do" case_viewer
try "a cluster is cordoned and uncordoned by keyboard" case_cordon
try "a cluster's budget and quiet windows, and sync now" case_link
try "labels, clusters and policies: the hub's plan before they change" case_plans
try "rights in one namespace: its pages, and no others" case_apart
try "the audit log's chain is verified" as_admin verify
try "a list of more than 500 says so, and goes on" case_many
try "more rollouts than one page: those that wait are found" as_admin manyRollouts
try "a rollout starts from a selection, by who may; a policy it replaced is put back when the object is refused" case_start
try "pictures of each page, none too wide" as_admin screenshots
swarm_start late 1 "$(fedctl token create --approve manual)"
exec 6>"$FLEET/late.in"
echo start >&6
try "a join is approved by keyboard" case_approve
try "a rollout is paused, resumed, approved and rolled back by keyboard" case_steer
try "what went back in a selection is tried again" case_retry
try "live: a change is shown, a hub that is away is said to be" case_live
suite_end
