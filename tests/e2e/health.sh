#!/usr/bin/env bash
# health.sh - how objects in members fare, and versions that are put back: a hub, a real control plane whose pods crash, hang or
# turn ready late (tests/kube), an agent, kubectl and fedctl.
set -euo pipefail
source "$(dirname "$0")/suite.sh"

PLACEMENT='{clusters: [{name: cluster1}]}'

# workload NAME IMAGE [DOES] [DEADLINE] [MORE]: a FederatedDeployment whose pods do as told; MORE are more annotations of the template.
workload() {
    cat <<YAML
apiVersion: types.kubefed.io/v1beta1
kind: FederatedDeployment
metadata: {name: $1, namespace: shop}
spec:
  template:
    metadata: {annotations: {${4:+fedlet.io/health-deadline: $4}${5:+, $5}}}
    spec:
      replicas: 2
      progressDeadlineSeconds: ${PROGRESS_S:-600}
      selector: {matchLabels: {app: $1}}
      template:
        metadata: {labels: {app: $1}, annotations: {fake-kubelet/does: "${3:-}"}}
        spec:
          terminationGracePeriodSeconds: 0
          containers: [{name: main, image: "$2"}]
  placement: $PLACEMENT
YAML
}
word() { cluster_word shop federateddeployment "$1" cluster1 "$2"; } # word NAME FIELD
image() { member_jsonpath cluster1 shop deployment "$1" '{.spec.template.spec.containers[0].image}'; }
message_has() { says "$2" word "$1" message; } # message_has NAME PATTERN
member_version() { echo "gen:$(member_jsonpath cluster1 shop deployment "$1" '{.metadata.generation}')"; }
version_is_of_member() { [ "$(word "$1" version)" = "$(member_version "$1")" ]; }

start() {
    hub_start --heartbeat-s 10
    member_up cluster1 --pods
    join_cluster cluster1
    hubctl create namespace shop
    federated FederatedNamespace shop shop '{}' | hubctl apply -f -
    soon 30 Active memberctl cluster1 get namespace shop -o 'jsonpath={.status.phase}'
}

# ---- health ----
case_ready() {
    workload good web:1 | hubctl apply -f -
    soon 60 Healthy word good health
    is '' word good status
    is '' word good message
}
case_late() {
    workload late web:1 ready-after=15s | hubctl apply -f - # long enough to be seen on the way
    soon 30 Progressing word late health
    soon 60 Healthy word late health
    is '' word late message
}
case_crash() {
    workload crash web:1 crash | hubctl apply -f -
    soon 60 Unhealthy word crash health
    wait_for 10 'the reason' message_has crash '^CrashLoopBackOff: pod crash-[-a-z0-9]+, container main'
    is '' word crash status
    says 'CrashLoopBackOff: pod crash-' fedctl status -n shop FederatedDeployment/crash
    says 'Unhealthy +Deployment shop/crash: CrashLoopBackOff: pod crash-' "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state"
    workload crash web:2 | hubctl apply -f -
    soon 60 Healthy word crash health
    is '' word crash message
}
case_no_image() {
    workload pull web:none pull | hubctl apply -f -
    soon 60 Unhealthy word pull health
    wait_for 10 'the reason' message_has pull '^ImagePullBackOff: pod pull-.*Back-off pulling image'
}
case_progress_deadline() {
    PROGRESS_S=12 workload stuck web:1 hang | hubctl apply -f -
    soon 60 Unhealthy word stuck health
    wait_for 10 'the reason' message_has stuck '^ProgressDeadlineExceeded: '
}
case_job() {
    local does
    for does in '' fail; do
        federated FederatedJob shop "job${does:+-$does}" "{spec: {backoffLimit: 0, template: {metadata: {annotations: {fake-kubelet/does: '$does'}}, spec: {restartPolicy: Never, containers: [{name: main, image: 'work:1'}]}}}}" |
            hubctl apply -f -
    done
    soon 60 Healthy cluster_word shop federatedjob job cluster1 health
    soon 60 Unhealthy cluster_word shop federatedjob job-fail cluster1 health
    is 'BackoffLimitExceeded: Job has reached the specified backoff limit' cluster_word shop federatedjob job-fail cluster1 message
}

# ---- versions that go back ----
case_goes_back() {
    workload back web:1 '' 120s | hubctl apply -f - # what gets well has the time that a busy machine takes
    soon 120 Healthy word back health
    workload back web:2 pull 8s | hubctl apply -f -
    soon 30 web:2 image back
    soon 60 web:1 image back
    soon 30 RolledBack word back status
    wait_for 10 'why' message_has back '^not healthy within 8s: .*; the last version that was healthy, of template [0-9a-f]{8}, is in place'
    soon 30 Healthy word back health
    wait_for 20 'the version in place' version_is_of_member back
    soon 10 'False CheckClusters' propagation shop federateddeployment back
    says 'RolledBack' fedctl status -n shop FederatedDeployment/back
    says 'change its annotation fedlet.io/retry' fedctl status -n shop FederatedDeployment/back
    says 'Failed +Deployment shop/back: RolledBack' "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state"
}
case_stays_back() {
    memberctl cluster1 -n shop set image deployment/back main=web:other
    soon 30 web:1 image back
    wait_for 20 'the version in place' version_is_of_member back
    local before
    before=$(member_version back)
    agent_stop cluster1 KILL
    agent_start cluster1
    hubctl -n shop annotate federateddeployment back touched=yes
    federated FederatedConfigMap shop marker '{data: {a: "1"}}' | hubctl apply -f -
    soon 60 1 member_jsonpath cluster1 shop configmap marker '{.data.a}' # the new process has the bundle and acts on it
    soon 30 '' cluster_word shop federatedconfigmap marker cluster1 status
    is RolledBack word back status
    is "$before" member_version back
    is web:1 image back
}
case_retry() {
    workload back web:2 '' 120s | hubctl apply -f - # another template: its pods get well
    soon 60 web:2 image back
    soon 60 '' word back status
    soon 120 Healthy word back health
    workload back web:3 crash 8s | hubctl apply -f -
    soon 60 RolledBack word back status
    soon 30 web:2 image back
    workload back web:3 crash 8s 'fedlet.io/retry: "1"' | hubctl apply -f -
    soon 30 web:3 image back
    soon 60 web:2 image back
}
case_nothing_to_go_back_to() {
    workload first web:1 hang 5s | hubctl apply -f -
    soon 60 Unhealthy word first health
    wait_for 10 'why' message_has first '^DeadlineExceeded: not healthy within 5s: '
    is web:1 image first
    is '' word first status
    workload first web:2 '' 5s | hubctl apply -f -
    soon 60 Healthy word first health
}
# Killed at any moment between the apply and the end of the rollback; the hub away from the apply on.
case_killed_without_hub() {
    local i
    workload kill web:1 '' 120s | hubctl apply -f -
    soon 120 Healthy word kill health
    workload kill web:2 pull 6s | hubctl apply -f -
    soon 30 web:2 image kill
    hub_stop KILL
    for i in 1 2 3 4 5 6 7 8; do
        sleep 1 # moments, spread over the deadline and what follows
        agent_stop cluster1 KILL
        agent_start cluster1
    done
    soon 90 web:1 image kill
    agent_stop cluster1 KILL
    agent_start cluster1
    hub_start --heartbeat-s 10
    soon 90 RolledBack word kill status
    is web:1 image kill
    soon 60 Healthy word kill health
}
case_leaves() {
    hubctl -n shop delete federateddeployment back --wait=false
    gone 60 memberctl cluster1 -n shop get deployment back
}

must "a hub, a member with pods" start
try "a deployment gets ready" case_ready
try "one that gets ready late" case_late
try "pods that crash are the reason" case_crash
try "an image that is not there is the reason" case_no_image
try "a progress deadline" case_progress_deadline
try "jobs that end well, and badly" case_job
try "a version that does not get healthy in time goes back" case_goes_back
try "it stays back: drift, kill -9, changes that are none" case_stays_back
try "a new template is tried, and one with a word more" case_retry
try "nothing to go back to" case_nothing_to_go_back_to
try "the agent killed in the middle, without the hub" case_killed_without_hub
try "a work that is back leaves" case_leaves
suite_end
