#!/usr/bin/env bash
# rollout.sh - changes that go through the fleet in waves: a hub and three real members with pods. Canaries that soak, wait for
# approval, fail and go back; clusters that are cut off; changes in the middle; a hub that is killed between the steps; who may
# steer; and the walk of README.md as it stands there.
#
#   tests/e2e/rollout.sh [CASE...]   only these, by the names of the functions below without case_
set -euo pipefail
source "$(dirname "$0")/suite.sh"
here=$(cd "$(dirname "$0")" && pwd)
HEARTBEAT_S=10
CONSENT=off
# Each case has a namespace of its own with one object, web.

# ---- what is written ----
space() { # space NAMESPACE
    hubctl create namespace "$1"
    federated FederatedNamespace "$1" "$1" '{}' | hubctl apply -f -
}
policy() { # policy NAMESPACE SPEC [NAME]
    printf 'apiVersion: fedlet.io/v1alpha1\nkind: RolloutPolicy\nmetadata: {name: %s, namespace: %s}\nspec: %s\n' "${3:-careful}" "$1" "$2" |
        hubctl apply -f -
}
map() { # map NAMESPACE COLOR [MORE OF metadata]: nothing can be wrong with it
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedConfigMap\nmetadata: {name: web, namespace: %s%s}\n' "$1" "${3:+, $3}"
    printf 'spec: {template: {data: {color: "%s"}}, placement: {clusterSelector: {}}}\n' "$2"
}
deployment() { # deployment NAMESPACE IMAGE [DOES] [OVERRIDES]: its pods do as told
    cat <<YAML
apiVersion: types.kubefed.io/v1beta1
kind: FederatedDeployment
metadata: {name: web, namespace: $1}
spec:
  template:
    spec:
      replicas: 2
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}, annotations: {fake-kubelet/does: "${3:-}"}}
        spec:
          terminationGracePeriodSeconds: 0
          containers: [{name: main, image: "$2"}]
  placement: {clusterSelector: {}}
  overrides: ${4:-[]}
YAML
}
change() { "$@" | hubctl apply -f -; } # change map|deployment ...

# ---- what is seen ----
ro() { # ro VERB NAMESPACE [FLAGS...]: of the namespace's object
    local verb=$1 ns=$2
    shift 2
    fedctl rollout "$verb" -n "$ns" "${OBJECT:-configmap}/web" "$@"
}
of() { # of NAMESPACE EXPRESSION: of the current Rollout r
    ro status "$1" -o json | python3 -c 'import json,sys
r = json.load(sys.stdin)
status = r.get("status", {})
waves = {w["name"]: w for w in status.get("waves", [])}
condition = {c["type"]: c for c in status.get("conditions", [])}
value = eval(sys.argv[1])
print(value if isinstance(value, str) else json.dumps(value))' "$2"
}
phase() { of "$1" 'status["phase"]'; }
count() { of "$1" "status['clusters'].get('$2', 0)"; }
phases() { # phases NAMESPACE: of all, the newest first
    ro list "$1" -o json | python3 -c 'import json,sys
print(" ".join(r["status"]["phase"] for r in json.load(sys.stdin)))'
}
exits() { # exits CODE COMMAND...: whatever it prints
    local want=$1 code=0
    shift
    "$@" || code=$?
    [ "$code" -eq "$want" ] || { echo "exit code $code, wanted $want"; return 1; }
}
waits() { # waits CODE NAMESPACE: how `fedctl rollout wait` ends
    exits "$1" ro wait "$2" --timeout "${3:-90s}"
}
color() { member_jsonpath "$1" "$2" configmap web '{.data.color}'; } # color CLUSTER NAMESPACE
colors() { # colors NAMESPACE: of cluster1 cluster2 cluster3
    printf '%s %s %s\n' "$(color cluster1 "$1")" "$(color cluster2 "$1")" "$(color cluster3 "$1")"
}
image() { member_jsonpath "$1" "$2" deployment web '{.spec.template.spec.containers[0].image}'; }
images() { printf '%s %s %s\n' "$(image cluster1 "$1")" "$(image cluster2 "$1")" "$(image cluster3 "$1")"; }
generation() { member_jsonpath "$1" "$2" deployment web '{.metadata.generation}'; }
# Where a rollout must not go it does not go after a while either; the proof is in what came meanwhile.
stays() { # stays EXPECTED COMMAND...: now and three times later
    local _
    for _ in 1 2 3; do
        is "$@"
        sleep 1
    done
}
everywhere() { # everywhere NAMESPACE map|deployment WHAT: the first version, without a policy
    space "$1"
    change "$2" "$1" "$3"
    case $2 in
    map) soon 60 "$3 $3 $3" colors "$1" ;;
    *)
        soon 60 "$3 $3 $3" images "$1"
        soon 60 'Healthy Healthy Healthy' healths "$1"
        ;;
    esac
}
healths() { hub_jsonpath "$1" federateddeployment web '{.status.clusters[*].health}'; }

CANARY='clusters: {names: [cluster1]}'

start() {
    hub_start --heartbeat-s "$HEARTBEAT_S"
    members_up cluster1 cluster2 cluster3 -- --pods
    join_cluster cluster1 --label site=a
    join_cluster cluster2 --label site=b
}
third() { join_cluster cluster3 --label site=b; }

# ---- a canary ----
case_canary() {
    everywhere canary map red
    policy canary "{selector: {}, waves: [{name: canary, $CANARY, soak: 15s, approval: Required}]}"
    fails 1 'has no rollout: no RolloutPolicy governs it, or it did not change' ro status canary
    change map canary blue
    soon 30 'blue red red' colors canary
    soon 30 Soaking phase canary
    waits 2 canary
    is AwaitingApproval phase canary
    stays 'blue red red' colors canary
    says 'canary +1 .*waits for approval' ro status canary
    says 'fedctl rollout approve -n canary rollout/federatedconfigmap-web-1' ro status canary
    says 'approv' of canary 'json.dumps(status["next"])'
    fails 1 'shops|canary' ro approve canary --wave shops
    ro approve canary --reason 'canary looks fine'
    waits 0 canary
    is 'blue blue blue' colors canary
    is '["approve", "canary", "canary looks fine"]' of canary '[status["actions"][-1][k] for k in ("action", "wave", "reason")]'
    is Done of canary 'waves["canary"]["phase"]'
    says 'approve' hubctl -n canary get events
    says 'canary looks fine' hubctl -n canary get events -o yaml
    is '' hub_jsonpath canary rollouts federatedconfigmap-web-1 '{.metadata.annotations.fedlet\.io/action}'
    grep -q '"rollouts"' "$FLEET/hub/audit.log"
}
# A first version has nothing to keep: clusters get it when it is their turn.
case_first() {
    space first
    policy first "{selector: {}, waves: [{name: canary, $CANARY, approval: Required}]}"
    hubctl -n first get rolloutpolicy careful -w -o 'jsonpath={.status.objects}{"\n"}' >"$FLEET/logs/governed" &
    local watcher=$!
    wait_for 20 'the watch' grep -qx 0 "$FLEET/logs/governed"
    change map first red
    wait_for 20 'a watcher of policies hears whom they govern' grep -qx 1 "$FLEET/logs/governed"
    kill "$watcher"
    waits 2 first
    is red color cluster1 first
    lacks memberctl cluster2 -n first get configmap web
    ro approve first
    waits 0 first
    is 'red red red' colors first
}
# Placement and overrides are content, too; what changes nothing of it is no rollout.
case_content() {
    everywhere content map red
    policy content "{selector: {}, waves: [{name: canary, $CANARY}]}"
    change map content red 'labels: {a: b}'
    fails 1 'has no rollout' ro status content
    hubctl -n content patch federatedconfigmap web --type merge \
        -p '{"spec":{"overrides":[{"clusterName":"cluster2","clusterOverrides":[{"path":"/data/color","value":"green"}]}]}}'
    waits 0 content
    is 'red green red' colors content
    is 1 of content 'r["spec"]["number"]'
    says '^\+ +value: green' ro status content --diff
}

# ---- failure ----
case_rollback() {
    OBJECT=deployment
    everywhere back deployment web:1
    policy back "{selector: {}, progressDeadline: 20s, onFailure: Rollback, waves: [{name: canary, $CANARY, soak: 5s}]}"
    local before touched
    before=$(member_jsonpath cluster1 back deployment web '{.spec}')
    touched="$(generation cluster2 back) $(generation cluster3 back)"
    change deployment back web:2 crash
    soon 30 web:2 image cluster1 back
    waits 1 back
    is RolledBack phase back
    is 'web:1 web:1 web:1' images back
    is "$before" member_jsonpath cluster1 back deployment web '{.spec}'
    is "$touched" echo "$(generation cluster2 back) $(generation cluster3 back)"
    soon 60 'Healthy Healthy Healthy' healths back
    # Why: in the rollout, for people and programs, and at the object.
    says 'CrashLoopBackOff' ro status back
    is '["cluster1"]' of back '[c for f in status["failures"] for c in f["clusters"]]'
    is True of back 'condition["RolledBack"]["status"]'
    says 'RolledBack' ro list back
    says 'rollout|held' fedctl status -n back deployment/web
    is web:2 hub_jsonpath back federateddeployment web '{.spec.template.spec.template.spec.containers[0].image}'
    # Writing the old content ends the hold; the next change goes its way.
    change deployment back web:1
    change deployment back web:3
    waits 0 back
    is 'web:3 web:3 web:3' images back
}
# One whose pods never become ready, within what is allowed.
case_within_limits() {
    OBJECT=deployment
    everywhere limits deployment web:1
    policy limits '{selector: {}, progressDeadline: 30s, maxFailures: 1, waves: [{name: all, clusters: {selector: {}}, maxFailures: 1}]}'
    change deployment limits web:2 '' '[{clusterName: cluster2, clusterOverrides: [{path: /spec/template/metadata/annotations/fake-kubelet~1does, value: hang}]}]'
    waits 0 limits
    is '[1, 2]' of limits '[status["clusters"][k] for k in ("failed", "healthy")]'
    is '["cluster2"]' of limits 'status["failures"][0]["clusters"]'
    says '^cluster2 +all +[Ff]ailed' ro status limits --clusters
}
# By default a failure stops the rollout: what has begun goes on, nothing else is released.
case_pause_on_failure() {
    OBJECT=deployment
    everywhere stop deployment web:1
    policy stop "{selector: {}, progressDeadline: 5s, waves: [{name: canary, $CANARY}]}"
    change deployment stop web:2 crash
    waits 2 stop
    is Paused phase stop
    # The member finds out why later than the deadline; pods' names are no part of a cause.
    wait_for 30 'the cause' says CrashLoopBackOff ro status stop
    ro status stop >"$FLEET/logs/stop"
    ! grep 'pod web-' "$FLEET/logs/stop" || return 1
    stays 'web:2 web:1 web:1' images stop
    # The next change is the cure, and has time.
    policy stop "{selector: {}, progressDeadline: 60s, waves: [{name: canary, $CANARY}]}"
    change deployment stop web:3
    waits 0 stop
    is 'web:3 web:3 web:3' images stop
    is 'Complete Superseded' phases stop
}
refuse_red() { # refuse_red CLUSTER NAMESPACE: from now on the member takes no red ConfigMap there
    memberctl "$1" apply -f - <<YAML
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-red-$2}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: $2}}
  validations: [{expression: "!has(object.data) || !('color' in object.data) || object.data.color != 'red'", message: red is out of stock}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-red-$2}
spec: {policyName: no-red-$2, validationActions: [Deny]}
YAML
    wait_for 60 'the policy to be in force' fails 1 'out of stock' memberctl "$1" -n "$2" create configmap try --from-literal=color=red --dry-run=server
}
case_retry() {
    everywhere again map blue
    refuse_red cluster1 again
    policy again "{selector: {}, progressDeadline: 15s, onFailure: Rollback, waves: [{name: canary, $CANARY}]}"
    change map again red
    waits 1 again
    says 'out of stock' ro status again
    is 'blue blue blue' colors again
    memberctl cluster1 delete validatingadmissionpolicybinding,validatingadmissionpolicy no-red-again
    wait_for 60 'the policy to be gone' memberctl cluster1 -n again create configmap try --from-literal=color=red --dry-run=server
    ro retry again --reason 'red is there again'
    waits 0 again
    is 'red red red' colors again
    is 1 of again 'r["spec"]["number"]'
}

# A member that went back by itself does not try the same again until it is told.
case_told() {
    OBJECT=deployment
    everywhere told deployment web:1
    hubctl -n told patch federateddeployment web --type merge -p '{"spec":{"template":{"metadata":{"annotations":{"fedlet.io/health-deadline":"8s"}}}}}'
    soon 60 'Healthy Healthy Healthy' healths told
    policy told "{selector: {}, progressDeadline: 2m, waves: [{name: canary, $CANARY}]}"
    hubctl -n told patch federateddeployment web --type merge \
        -p '{"spec":{"template":{"spec":{"template":{"metadata":{"annotations":{"fake-kubelet/does":"hang"}},"spec":{"containers":[{"name":"main","image":"web:2"}]}}}}}}'
    soon 30 web:2 image cluster1 told
    waits 2 told
    is RolledBack of told 'status["failures"][0]["reason"]'
    soon 30 web:1 image cluster1 told
    ro retry told --reason 'the registry is there again'
    soon 30 web:2 image cluster1 told
    waits 2 told
    is RolledBack of told 'status["failures"][0]["reason"]'
    is 'web:1 web:1' echo "$(image cluster2 told) $(image cluster3 told)"
}

# ---- clusters that are cut off ----
case_deferred() {
    everywhere defer map red
    policy defer "{selector: {}, offline: {after: 2s}, waves: [{name: canary, $CANARY}]}"
    agent_stop cluster3
    soon 60 True condition_word cluster3 Offline
    change map defer blue
    waits 0 defer
    is 'blue blue red' colors defer
    is 1 count defer deferred
    says '^cluster3 +rest +[Dd]eferred' ro status defer --clusters
    agent_start cluster3
    soon 60 'blue blue blue' colors defer
    soon 30 0 count defer deferred
    is Complete phase defer
}
case_hold() {
    everywhere hold map red
    policy hold '{selector: {}, offline: {after: 2s, then: Hold}, waves: [{name: far, clusters: {names: [cluster3]}}]}'
    agent_stop cluster3
    soon 60 True condition_word cluster3 Offline
    change map hold blue
    exits 124 ro wait hold --timeout 5s
    is 'red red red' colors hold
    says 'cluster3|far' ro status hold
    agent_start cluster3
    waits 0 hold
    is 'blue blue blue' colors hold
}
# Cut off in the middle of its update.
case_cut_off() {
    everywhere cut map red
    policy cut '{selector: {}, offline: {after: 2s}, progressDeadline: 300s, waves: [{name: far, clusters: {names: [cluster2, cluster3]}}]}'
    process_pause cluster3
    change map cut blue
    soon 30 blue color cluster2 cut
    waits 0 cut 300s
    is 'blue blue red' colors cut
    process_continue cluster3
    soon 90 'blue blue blue' colors cut
    soon 30 0 count cut deferred
}
process_pause() { kill -STOP "$(cat "$FLEET/$1.pid")"; }
process_continue() { kill -CONT "$(cat "$FLEET/$1.pid")"; }

# ---- changes in the middle ----
case_replaced() {
    everywhere replace map red
    policy replace "{selector: {}, waves: [{name: canary, $CANARY, approval: Required}]}"
    change map replace blue
    waits 2 replace
    change map replace green
    waits 2 replace
    is 'green red red' colors replace
    is 'AwaitingApproval Superseded' phases replace
    exits 1 fedctl rollout wait -n replace rollout/federatedconfigmap-web-1
    ro approve replace
    waits 0 replace
    is 'green green green' colors replace
}
case_queued() {
    everywhere queue map red
    policy queue "{selector: {}, onNewChange: Queue, waves: [{name: canary, $CANARY, approval: Required}]}"
    change map queue blue
    waits 2 queue
    change map queue green
    change map queue white
    stays 'blue red red' colors queue
    says Queued phases queue
    is AwaitingApproval phase queue
    ro approve queue
    waits 2 queue
    soon 30 'white blue blue' colors queue
    ro approve queue
    waits 0 queue
    is 'white white white' colors queue
}

# A namespace that is deleted in the middle: nobody gets the new version on its last day, nothing is left, and another one of
# its name begins anew.
case_deleted() {
    everywhere deleted map red
    policy deleted "{selector: {}, onNewChange: Queue, waves: [{name: canary, $CANARY, approval: Required}]}"
    change map deleted blue
    waits 2 deleted
    change map deleted green
    soon 30 'Queued AwaitingApproval' phases deleted
    memberctl cluster2 -n deleted get configmap web -w -o 'jsonpath={.data.color}{"\n"}' >"$FLEET/logs/colors" &
    local watcher=$!
    wait_for 30 'the watch' grep -qx red "$FLEET/logs/colors"
    hubctl delete namespace deleted --wait --timeout=90s
    lacks hubctl get namespace deleted
    soon 60 '' eval 'memberctl cluster2 get namespace deleted --ignore-not-found -o name'
    kill "$watcher"
    is red eval 'sort -u "$FLEET/logs/colors"'
    is '' hubctl get rollouts -A --field-selector metadata.namespace=deleted -o name
    space deleted
    change map deleted green
    soon 60 'green green green' colors deleted
    fails 1 'has no rollout' ro status deleted
}

# ---- steering ----
case_pause() {
    everywhere pause map red
    policy pause "{selector: {}, waves: [{name: canary, $CANARY, soak: 20s}]}" # time enough to pause in it
    change map pause blue
    soon 30 'blue red red' colors pause
    ro pause pause --reason 'lunch'
    waits 2 pause
    is Paused phase pause
    sleep 21 # longer than the soak
    is 'blue red red' colors pause
    fails 1 'cannot pause it' ro pause pause
    ro resume pause
    waits 0 pause
    is 'blue blue blue' colors pause
    fails 1 'cannot resume it: .*Complete' ro resume pause
}
case_abort() {
    everywhere abort map red
    policy abort "{selector: {}, waves: [{name: canary, $CANARY, approval: Required}]}"
    change map abort blue
    waits 2 abort
    fails 2 'say --yes' ro abort abort
    ro abort abort --yes --reason 'wrong colour'
    waits 1 abort
    is Aborted phase abort
    stays 'blue red red' colors abort
    change map abort green
    waits 2 abort
    is 'green red red' colors abort
    ro approve abort
    waits 0 abort
    is 'green green green' colors abort
}
case_undo() {
    everywhere undo map red
    policy undo "{selector: {}, waves: [{name: canary, $CANARY}]}"
    change map undo blue
    waits 0 undo
    fails 2 'say --yes' ro undo undo
    ro undo undo --yes --reason 'too blue'
    soon 60 'red red red' colors undo
    soon 30 RolledBack phase undo
    is blue hub_jsonpath undo federatedconfigmap web '{.spec.template.data.color}'
    # It is held back until somebody says otherwise, through a restart, too.
    hub_stop
    local waiter code=0
    fedctl rollout wait -n undo configmap/web --timeout 300s >"$FLEET/logs/away.out" 2>&1 &
    waiter=$!
    wait_for 30 'it to be told' grep -q 'trying again' "$FLEET/logs/away.out"
    hub_start --heartbeat-s "$HEARTBEAT_S"
    wait "$waiter" || code=$?
    is 1 echo "$code"
    soon 60 True ready_word cluster1
    stays 'red red red' colors undo
    ro retry undo
    waits 0 undo
    is 'blue blue blue' colors undo
}
case_kubectl() {
    everywhere bykubectl map red
    policy bykubectl "{selector: {}, waves: [{name: canary, $CANARY, approval: Required}]}"
    change map bykubectl blue
    waits 2 bykubectl
    says 'AwaitingApproval +canary +1/3' hubctl -n bykubectl get rollouts
    fails any 'one of pause, resume' hubctl -n bykubectl annotate rollout federatedconfigmap-web-1 fedlet.io/action=nonsense
    fails any 'not paused' hubctl -n bykubectl annotate rollout federatedconfigmap-web-1 fedlet.io/action=resume
    fails any 'wave|other' hubctl -n bykubectl annotate rollout federatedconfigmap-web-1 fedlet.io/action=approve:other
    # As fedctl and the console do: the one that was looked at, and no later one of its name.
    fails any 'uid' hubctl -n bykubectl patch rollout federatedconfigmap-web-1 --type merge \
        -p '{"metadata":{"uid":"another","annotations":{"fedlet.io/action":"approve"}}}'
    fails any '' hubctl -n bykubectl patch rollout federatedconfigmap-web-1 --type merge -p '{"spec":{"policy":"other"}}'
    fails any '' hubctl -n bykubectl patch rollout federatedconfigmap-web-1 --type merge --subresource status -p '{"status":{"phase":"Complete"}}'
    hubctl -n bykubectl annotate rollout federatedconfigmap-web-1 fedlet.io/action=approve fedlet.io/reason='by kubectl'
    hubctl -n bykubectl wait --for=jsonpath='{.status.phase}'=Complete --timeout=180s rollout/federatedconfigmap-web-1
    is 'by kubectl' of bykubectl 'status["actions"][-1]["reason"]'
}
# Whoever has fedlet:operator steers, and writes neither templates nor the rules nor what a rollout says of itself. A right to
# rollouts alone is enough to steer.
case_rights() {
    everywhere rights map red
    policy rights "{selector: {}, waves: [{name: canary, $CANARY, approval: Required}]}"
    change map rights blue
    waits 2 rights
    fedctl user add olga --role operator -o "$FLEET/olga"
    fedctl user add vera --role viewer -o "$FLEET/vera"
    hubctl -n rights create role steer --verb=get,list,watch,patch --resource=rollouts.fedlet.io
    fedctl user add sam --role steer --namespace rights -o "$FLEET/sam"
    as() { KUBECONFIG=$FLEET/$1 "$BIN/fedctl" rollout "$2" -n rights rollout/federatedconfigmap-web-1 "${@:3}"; }
    says AwaitingApproval as vera status
    fails 1 'which fedlet:operator has' as vera approve
    as sam pause
    as olga resume --reason 'by the operator'
    soon 20 AwaitingApproval phase rights
    as olga approve
    waits 0 rights
    is 'blue blue blue' colors rights
    says 'olga' of rights 'status["actions"][-1]["user"]'
    says 'sam' of rights 'status["actions"][0]["user"]'
    fails any 'cannot|forbidden' hub_as sam -n rights patch federatedconfigmap web --type merge -p '{"spec":{"template":{"data":{"color":"black"}}}}'
    fails any 'cannot|forbidden' hub_as olga -n rights patch federatedconfigmap web --type merge -p '{"spec":{"template":{"data":{"color":"black"}}}}'
    fails any 'cannot|forbidden' hub_as olga -n rights patch rolloutpolicy careful --type merge -p '{"spec":{"waves":[]}}'
    fails any '' hub_as olga -n rights patch rollout federatedconfigmap-web-1 --type merge -p '{"spec":{"policy":"other"}}'
    fails any '' hub_as olga -n rights delete rollout federatedconfigmap-web-1
}
hub_as() { "${KUBECTL[@]}" --kubeconfig "$FLEET/$1" --cache-dir "$FLEET/kubectl-cache" "${@:2}"; }

# ---- rules that cannot be followed ----
case_conflict() {
    everywhere conflict map red
    policy conflict "{selector: {}, waves: [{name: canary, $CANARY}]}" one
    policy conflict '{selector: {}}' two
    change map conflict blue
    waits 2 conflict
    is Pending phase conflict
    is True of conflict 'condition["PolicyConflict"]["status"]'
    says 'fedlet.io/rollout-policy' of conflict 'condition["PolicyConflict"]["message"]'
    says 'PolicyConflict: .*fedlet.io/rollout-policy' ro status conflict
    soon 10 True hub_jsonpath conflict rolloutpolicy one '{.status.conditions[?(@.type=="Conflict")].status}'
    stays 'red red red' colors conflict
    hubctl -n conflict annotate federatedconfigmap web fedlet.io/rollout-policy=two
    waits 0 conflict
    is 'blue blue blue' colors conflict
    is two of conflict 'r["spec"]["policy"]'
}
case_empty_wave() {
    everywhere empty map red
    policy empty '{selector: {}, waves: [{name: nobody, clusters: {selector: {matchLabels: {site: moon}}}}]}'
    change map empty blue
    wait_for 30 'the condition' is True of empty 'condition["WaveEmpty"]["status"]'
    says 'wave nobody .*"site":"moon".*policy' of empty 'condition["WaveEmpty"]["message"]'
    stays 'red red red' colors empty
    # A cluster that comes into the wave is its proof.
    hubctl -n kube-federation-system label kubefedcluster cluster3 site=moon --overwrite
    waits 0 empty
    hubctl -n kube-federation-system label kubefedcluster cluster3 site=b --overwrite
    is 'blue blue blue' colors empty
}
case_windows() {
    everywhere windows map red
    local day date
    date=$(date -u -d '+3 days' +%F)
    day=$(date -u -d "$date" +%a)
    policy windows "{selector: {}, waves: [{name: night, clusters: {names: [cluster1]}, windows: [{days: [$day], from: '02:00', to: '05:00'}]}]}"
    change map windows blue
    soon 30 1 count windows held
    says '^cluster1 +night +Held' ro status windows --clusters
    says "${date}T02:00:00Z" ro status windows --clusters
    stays 'red red red' colors windows
    ro abort windows --yes
}
# A cluster's own quiet window is a closed one; a cordon, which nobody knows the end of, is absence.
annotate_cluster() { hubctl -n kube-federation-system annotate kubefedcluster "$@" --overwrite; }
case_quiet() {
    everywhere quiet map red
    local end # read once: the minute may turn before it is looked for
    end=$(date -u -d '+2 hours' +%FT%H:%M)
    policy quiet "{selector: {}, offline: {after: 2s}, waves: [{name: two, clusters: {names: [cluster1, cluster2]}}]}"
    annotate_cluster cluster2 "fedlet.io/quiet-windows=$(date -u -d '-1 hour' +%H:%M)-${end#*T}"
    annotate_cluster cluster3 fedlet.io/cordon=true
    change map quiet blue
    soon 30 'blue red red' colors quiet
    soon 30 1 count quiet held
    soon 30 1 count quiet deferred
    says "^cluster2 +two +Held .*ChangesHeld.*until $end:00Z" ro status quiet --clusters
    says '^cluster3 +rest +Deferred' ro status quiet --clusters
    says 'held until changes of the cluster wait no longer' ro status quiet
    stays 'blue red red' colors quiet
    annotate_cluster cluster2 fedlet.io/quiet-windows-
    waits 0 quiet
    is 'blue blue red' colors quiet
    is 1 count quiet deferred
    annotate_cluster cluster3 fedlet.io/cordon-
    soon 30 'blue blue blue' colors quiet
    soon 30 0 count quiet deferred
}
case_refused() {
    space refused
    local bad
    for bad in 'maxFailures: "0%"' 'maxFailures: "101%"' 'maxFailures: "5.5%"' 'maxFailures: -1' 'minReported: 0' 'progressDeadline: soon' \
        'waves: [{name: a, clusters: {size: 0}}]' 'waves: [{name: a, clusters: {size: "0%"}}]' 'waves: [{name: a, clusters: {}, maxConcurrency: 0}]' \
        'waves: [{name: a, clusters: {size: 1}, maxConcurrency: "101%"}]' 'waves: [{name: a, clusters: {size: 1}, soak: 721h}]' \
        'waves: [{name: a, clusters: {size: 1}}, {name: a, clusters: {size: 1}}]' 'waves: [{name: rest, clusters: {size: 1}}]' 'onFailure: Hope'; do
        fails any "${bad%%:*}" policy refused "{selector: {}, $bad}"
    done
}

# ---- a hub that is killed between the steps ----
case_killed() {
    OBJECT=deployment
    everywhere killed deployment web:1
    policy killed '{selector: {}, waves: [{name: one, clusters: {names: [cluster1]}, soak: 1s}, {name: two, clusters: {names: [cluster2]}, soak: 1s}]}'
    local before after code=0
    before="$(generation cluster1 killed) $(generation cluster2 killed) $(generation cluster3 killed)"
    change deployment killed web:2
    fedctl rollout wait -n killed rollout/federateddeployment-web-1 --timeout 600s >"$FLEET/logs/killed.out" 2>&1 &
    local waiter=$!
    for _ in 1 2 3 4 5 6; do
        kill -0 "$waiter" 2>/dev/null || break
        hub_stop KILL
        hub_start --heartbeat-s "$HEARTBEAT_S"
        sleep 1
    done
    wait "$waiter" || code=$?
    cat "$FLEET/logs/killed.out"
    [ "$code" -eq 0 ]
    is 'web:2 web:2 web:2' images killed
    after="$(generation cluster1 killed) $(generation cluster2 killed) $(generation cluster3 killed)"
    python3 -c 'import sys
before, after = ([int(n) for n in text.split()] for text in sys.argv[1:])
sys.exit(0 if after == [n + 1 for n in before] else f"{before} became {after}: not each once")' "$before" "$after"
    is '["Done", "Done"]' of killed '[waves[w]["phase"] for w in ("one", "two")]'
    is 1 of killed 'r["spec"]["number"]'
}

# ---- watching ----
on_terminal() { # on_terminal SECONDS COMMAND...: what it writes to a terminal of 100 columns
    python3 - "$@" <<'PY'
import os, pty, select, signal, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(TERM="xterm", COLUMNS="100")
    os.execvp(sys.argv[2], sys.argv[2:])
out, end = b"", time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    if select.select([fd], [], [], 0.1)[0]:
        try:
            part = os.read(fd, 65536)
        except OSError:
            break
        if not part:
            break
        out += part
else:
    os.kill(pid, signal.SIGINT)
os.waitpid(pid, 0)
sys.stdout.write(out.decode(errors="replace"))
PY
}
case_watch() {
    everywhere watch map red
    policy watch "{selector: {}, waves: [{name: canary, $CANARY, soak: 15s}]}" # time enough to be there
    change map watch blue
    # What is called beside the suite's functions is given by its path.
    on_terminal 300 "$BIN/fedctl" --kubeconfig "$FLEET/hub/admin.kubeconfig" rollout watch -n watch configmap/web >"$FLEET/logs/painted" &
    local painter=$!
    ro watch watch >"$FLEET/logs/lines"
    wait "$painter"
    cat "$FLEET/logs/lines"
    says 'Z federatedconfigmap-web-1 Soaking wave canary: 1/3 updated' cat "$FLEET/logs/lines"
    says 'Z federatedconfigmap-web-1 Complete' tail -n 1 "$FLEET/logs/lines"
    [ "$(sort "$FLEET/logs/lines" | uniq -d | wc -l)" -eq 0 ]
    ! grep -q $'\033' "$FLEET/logs/lines" || return 1
    grep -q $'\033\\[H\033\\[2J' "$FLEET/logs/painted"
    says 'Complete' cat "$FLEET/logs/painted"
    says '^\{"' ro watch watch -o json
}

# ---- the walk of README.md ----
# Its section by itself, with the files that it names: what the YAML blocks hold is written by their reader.
case_readme() {
    local walk=$FLEET/walk
    mkdir -p "$walk" "$FLEET/bin"
    python3 - "$ROOT/README.md" "$walk" <<'PY'
import re, sys
text = open(sys.argv[1], encoding="utf-8").read()
section = re.search(r"^## A change in waves\n(.*?)(?=^## )", text, re.M | re.S).group(1)
blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)
redis = next(b for b in blocks if "FederatedDeployment" in b)
careful = next(b for b in blocks if "kind: RolloutPolicy" in b)
open(sys.argv[2] + "/README.md", "w", encoding="utf-8").write(section)
open(sys.argv[2] + "/redis.yaml", "w", encoding="utf-8").write(redis)
open(sys.argv[2] + "/careful.yaml", "w", encoding="utf-8").write(careful)
PY
    KUBECTL[0]=$(command -v "${KUBECTL[0]}")
    printf '#!/bin/sh\nexec %s --cache-dir "%s/kubectl-cache" "$@"\n' "$(printf '"%s" ' "${KUBECTL[@]}")" "$FLEET" >"$FLEET/bin/kubectl"
    chmod +x "$FLEET/bin/kubectl"
    ln -sf "$BIN/fedctl" "$FLEET/bin/fedctl"
    export KUBECONFIG=$FLEET/hub/admin.kubeconfig PATH=$FLEET/bin:$PATH
    kubectl apply -f "$walk/redis.yaml"
    kubectl -n federated-namespace wait --for=jsonpath='{.status.conditions[?(@.type=="Propagation")].status}'=True --timeout=60s federateddeployment/redis
    python3 "$here/examples/walk.py" "$walk/README.md"
}

wanted() { [ -z "$ONLY" ] || [[ " $ONLY " = *" $1 "* ]]; }
ONLY=$*
must "a hub and three members with pods" start
# README's reader has two clusters.
! wanted readme || try "README's walk, word by word" case_readme
must "the third one joins" third
for one in "a canary soaks, waits for approval, and then all have it:canary" \
    "a first version comes in waves, too:first" \
    "overrides are content, labels are not:content" \
    "a canary fails: exactly what was touched goes back to exactly what it had:rollback" \
    "a cluster whose pods never become ready, within the limits:within_limits" \
    "by default a failure pauses, and the next change is the cure:pause_on_failure" \
    "retry, after the cause is gone:retry" \
    "retry of what a member took back by itself:told" \
    "a cluster that is away is deferred, and catches up:deferred" \
    "or its wave waits for it:hold" \
    "cut off in the middle:cut_off" \
    "a new change takes the place of the running one:replaced" \
    "or waits for its end, and only the newest does:queued" \
    "a namespace deleted in the middle:deleted" \
    "pause and resume:pause" \
    "abort: everybody keeps what they have:abort" \
    "undo, also of a complete one, and through a restart:undo" \
    "the same by kubectl:kubectl" \
    "who may steer:rights" \
    "policies that conflict let nothing out, and say so:conflict" \
    "a wave without clusters holds, and says so:empty_wave" \
    "windows hold:windows" \
    "so do the quiet windows of clusters:quiet" \
    "numbers that make no sense are refused:refused" \
    "a hub killed between the steps: each cluster gets it once:killed" \
    "watch, painted and in lines:watch"; do
    ! wanted "${one##*:}" || try "${one%:*}" "case_${one##*:}"
done
suite_end
