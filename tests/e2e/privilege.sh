#!/usr/bin/env bash
# privilege.sh - an agent with no more rights than its bundle takes, acting as a ServiceAccount per namespace, and a gateway
# whose own policy limits the hub. Real API server, real RBAC, real impersonation.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
SELF=system:serviceaccount:kube-federation-system:fedlet
POLICY=$FLEET/policy.yaml

config() { federated FederatedConfigMap "${3:-shop}" "$1" "{data: {k: \"$2\"}}"; }
secret() { federated FederatedSecret shop "$1" "{stringData: {k: \"$2\"}}"; }
deployment() { # deployment NAME IMAGE [POD FIELDS]
    federated FederatedDeployment shop "$1" "{spec: {replicas: 1, selector: {matchLabels: {app: $1}}, template: {metadata: {labels: {app: $1}}, spec: {${3:-} containers: [{name: main, image: \"$2\"}]}}}}"
}
member() { memberctl cluster1 -n shop "$@"; }
field() { member get "$1" "$2" -o "jsonpath=$3"; }
value() { field configmap "$1" '{.data.k}'; }
word() { hubctl -n shop get "$1" "$2" -o 'jsonpath={.status.clusters[0].status}'; }
message() { hubctl -n shop get "$1" "$2" -o 'jsonpath={.status.clusters[0].message}'; }
may() { memberctl cluster1 auth can-i --as "$SELF" "$@" 2>/dev/null || true; }
# The agent with the ServiceAccount's token alone.
agent_begin() {
    setsid "$BIN/fedlet" run --state-dir "$FLEET/cluster1/state" --kubeconfig "$FLEET/account.kubeconfig" "$@" \
        >>"$FLEET/logs/cluster1-agent.out" 2>>"$FLEET/logs/cluster1-agent.err" </dev/null &
    echo $! >"$FLEET/cluster1.pid"
}
rbac() { "$BIN/fedlet" rbac --state-dir "$FLEET/cluster1/state" "$@"; }
grant() { rbac "$@" | memberctl cluster1 apply -f -; }
# Rights that were granted once and are no longer asked for.
revoke() {
    local ns
    memberctl cluster1 delete clusterrole,clusterrolebinding fedlet fedlet-apply --ignore-not-found
    for ns in shop web fleet kube-federation-system; do
        memberctl cluster1 -n "$ns" delete role,rolebinding --all
    done
}

begin() {
    member_up cluster1
    hub_start --heartbeat-s 10
    join_cluster cluster1
    for ns in shop web; do
        hubctl create namespace $ns
        federated FederatedNamespace $ns $ns '{}' | hubctl apply -f -
    done
    config plain one | hubctl apply -f -
    deployment web nginx:1 | hubctl apply -f -
    federated FederatedClusterRole shop readers '{rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]}' | hubctl apply -f - || true
    soon 30 one value plain
}
make_account() {
    local token
    memberctl cluster1 create namespace kube-federation-system
    memberctl cluster1 -n kube-federation-system create serviceaccount fedlet
    token=$(memberctl cluster1 -n kube-federation-system create token fedlet --duration 4h)
    memberctl cluster1 config view --raw -o json | python3 -c '
import json, sys
config = json.load(sys.stdin)
config["users"] = [{"name": user["name"], "user": {"token": sys.argv[1]}} for user in config["users"]]
json.dump(config, sys.stdout)' "$token" >"$FLEET/account.kubeconfig"
}

# ---- fedlet rbac ----
case_prints() {
    says 'kind: ClusterRole' rbac
    says '"resources": \["deployments"\], "verbs": \["get", "create", "patch", "delete"\]' rbac
    rbac -o json | python3 -c 'import json, sys; items = json.load(sys.stdin)["items"]; assert len(items) == 4, items'
    says '"kind": "User", "name": "gateway"' rbac --user gateway
    agent_stop cluster1
    rbac >"$FLEET/dead"
    agent_start cluster1
    soon 60 true status_field cluster1 connected
    rbac | diff "$FLEET/dead" -
}
case_usage() {
    fails 2 'no NAMESPACE/NAME' rbac --service-account plain
    fails 2 'not both' rbac --service-account a/b --user c
    fails 2 'without quotes' rbac --user 'a"b'
    fails 2 'unknown option' rbac --kind x
    fails 1 'has not joined' "$BIN/fedlet" rbac --state-dir "$FLEET/nowhere"
}
case_least() {
    make_account
    grant
    agent_stop cluster1
    agent_begin
    soon 60 true status_field cluster1 connected
    config plain two | hubctl apply -f -
    soon 30 two value plain
    member patch configmap plain --type=merge -p '{"data":{"k":"mine"}}'
    soon 30 two value plain
    member delete configmap plain
    soon 30 two value plain
    config other one | hubctl apply -f -
    soon 30 one value other
    hubctl -n shop delete federatedconfigmap other
    gone() { ! member get configmap other; }
    wait_for 30 "other to be gone" gone
}
case_nothing_else() {
    local verb what
    is yes may patch deployments.apps -n shop
    for what in secrets pods services roles.rbac.authorization.k8s.io; do
        for verb in get create patch delete; do is no may "$verb" "$what" -n shop; done
    done
    is yes may list pods -n shop # why a workload is not well
    is no may list pods -n web
    is no may list secrets -n shop
    is no may get nodes --subresource=proxy
    is no may create pods --subresource=exec -n shop
    is no may patch configmaps -n kube-system
    is no may create deployments.apps -n default
    is no may delete nodes
    is no may delete namespaces/default
    is no may escalate clusterroles.rbac.authorization.k8s.io
    is no may bind clusterroles.rbac.authorization.k8s.io
    is no may impersonate users
    is no may impersonate serviceaccounts -n shop
    is no may create tokenreviews.authentication.k8s.io
    is no may approve certificatesigningrequests.certificates.k8s.io
    is no may '*' '*'
}
case_new_kind() {
    secret key one | hubctl apply -f -
    soon 30 RetrievalFailed word federatedsecret key
    says 'cannot get resource "secrets"' message federatedsecret key
    grant
    soon 120 '' word federatedsecret key
    is b25l field secret key '{.data.k}'
}

# ---- acting as ServiceAccounts ----
case_accounts() {
    memberctl cluster1 create namespace fleet
    member create serviceaccount deployer
    memberctl cluster1 -n fleet create serviceaccount web
    memberctl cluster1 -n fleet create serviceaccount root
    cat >"$POLICY" <<'YAML'
serviceAccounts: {shop: deployer, "*": fleet/web}
clusterServiceAccount: fleet/root
YAML
    revoke
    agent_stop cluster1
    agent_begin --policy "$POLICY"
    soon 60 true status_field cluster1 connected
    config plain three | hubctl apply -f -
    soon 30 UpdateFailed word federatedconfigmap plain
    config far one web | hubctl apply -f -
    grant
    config plain four | hubctl apply -f -
    soon 60 four value plain
    soon 120 one memberctl cluster1 -n web get configmap far -o 'jsonpath={.data.k}'
    # What the agent could do in its own name before, it now can in theirs alone.
    is no may patch configmaps -n shop
    is yes may impersonate serviceaccounts/deployer -n shop
    is no may impersonate serviceaccounts/default -n shop
    is yes may list configmaps -A
}
case_account_lacks() { # the API server's own words name the account
    member delete rolebinding fedlet
    config plain five | hubctl apply -f -
    soon 30 UpdateFailed word federatedconfigmap plain
    says 'system:serviceaccount:shop:deployer' message federatedconfigmap plain
    grant
    soon 120 five value plain
}

# ---- the gateway's policy ----
policy() { # policy TEXT: of the agent from now on
    printf '%s\n' "$1" >"$POLICY"
    agent_stop cluster1
    agent_start cluster1 --policy "$POLICY"
    soon 60 true status_field cluster1 connected
}
refused() { # refused RESOURCE NAME PATTERN
    soon 30 PolicyDenied word "$1" "$2"
    says "$3" message "$1" "$2"
}
case_kinds() {
    policy '{kinds: {deny: [Secret, "*.rbac.authorization.k8s.io"]}}'
    secret key two | hubctl apply -f -
    refused federatedsecret key 'does not allow the kind Secret \(kinds.deny\)'
    is b25l field secret key '{.data.k}'
    # What is there is not put back either, and others go on.
    member patch secret key --type=merge -p '{"data":{"k":"bWluZQ=="}}'
    config plain six | hubctl apply -f -
    soon 30 six value plain
    is bWluZQ== field secret key '{.data.k}'
    says 'PolicyDenied|does not allow' "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state"
}
case_lifted() {
    policy '{}'
    soon 30 '' word federatedsecret key
    is dHdv field secret key '{.data.k}'
}
case_namespaces() {
    policy '{namespaces: {allow: ["sho*"]}}'
    config far two web | hubctl apply -f -
    soon 30 PolicyDenied hubctl -n web get federatedconfigmap far -o 'jsonpath={.status.clusters[0].status}'
    config plain seven | hubctl apply -f -
    soon 30 seven value plain
}
case_images() {
    policy '{images: {allow: ["registry.example/", "docker.io/library/nginx"]}}'
    deployment web nginx:2 | hubctl apply -f -
    soon 30 nginx:2 field deployment web '{.spec.template.spec.containers[0].image}'
    deployment web evil.example/nginx:3 | hubctl apply -f -
    refused federateddeployment web 'image evil.example/nginx:3 \(images.allow\)'
    is nginx:2 field deployment web '{.spec.template.spec.containers[0].image}'
    hubctl -n shop patch federateddeployment web --type=merge -p '{"spec":{"overrides":[{"clusterName":"cluster1","clusterOverrides":[{"path":"/spec/template/spec/containers/0/image","value":"registry.example/web:1"}]}]}}'
    soon 30 registry.example/web:1 field deployment web '{.spec.template.spec.containers[0].image}'
}
case_reload() { # SIGHUP, with another content of the file, and with another file
    local pid
    config quiet one | hubctl apply -f -
    printf 'policy: %s\n' "$POLICY" >"$FLEET/reload.yaml"
    printf 'kinds: {deny: [Secret]}\n' >"$POLICY"
    agent_stop cluster1
    agent_start cluster1 --config "$FLEET/reload.yaml"
    pid=$(cat "$FLEET/cluster1.pid")
    soon 60 one value quiet
    soon 30 PolicyDenied word federatedsecret key # in place, and nothing of it was changed
    soon 30 '' word federatedconfigmap quiet
    printf 'kinds: {deny: [ConfigMap]}\n' >"$POLICY"
    kill -HUP "$pid"
    soon 30 PolicyDenied word federatedconfigmap quiet
    says 'does not allow the kind ConfigMap \(kinds.deny\)' message federatedconfigmap quiet
    soon 30 '' word federatedsecret key
    config quiet two | hubctl apply -f -
    member patch configmap quiet --type=merge -p '{"data":{"k":"mine"}}'
    secret key four | hubctl apply -f - # what is allowed again goes on, and is how we know that the agent got there
    soon 30 Zm91cg== field secret key '{.data.k}'
    is mine value quiet
    says 'shop/quiet: PolicyDenied' "$BIN/fedlet" status --state-dir "$FLEET/cluster1/state"
    # A file that makes no sense changes nothing, and is told.
    printf 'kinds: 7\n' >"$POLICY"
    kill -HUP "$pid"
    wait_for 20 'a word about the file' grep -q 'policy .*kinds.*going on with the one before' "$FLEET/logs/cluster1-agent.err"
    is PolicyDenied word federatedconfigmap quiet
    is mine value quiet
    printf '{}\n' >"$FLEET/reload.yaml" # no policy any more
    kill -HUP "$pid"
    soon 30 two value quiet
    soon 30 '' word federatedconfigmap quiet
    is "$pid" cat "$FLEET/cluster1.pid"
    kill -0 "$pid"
    hubctl -n shop delete federatedconfigmap quiet
}
case_pods() {
    policy '{podSecurity: baseline}'
    deployment host nginx:1 'hostNetwork: true,' | hubctl apply -f -
    refused federateddeployment host "the host's namespaces"
    fails any NotFound member get deployment host
    deployment host nginx:1 | hubctl apply -f -
    soon 30 nginx:1 field deployment host '{.spec.template.spec.containers[0].image}'
}
case_removal() { # what is refused may still be taken away
    policy '{kinds: {allow: [Namespace, ConfigMap]}}'
    hubctl -n shop delete federateddeployment host
    away() { ! member get deployment host; }
    wait_for 30 "host to be gone" away
}
case_bad_file() {
    local run=("$BIN/fedlet" run --state-dir "$FLEET/cluster1/state" --policy "$POLICY")
    agent_stop cluster1
    printf 'kind: {}\n' >"$POLICY"
    fails 1 'policy .*policy.yaml: .*kind' "${run[@]}"
    : >"$POLICY"
    fails 1 'an empty file' "${run[@]}"
    fails 1 'policy .*/none' "$BIN/fedlet" run --state-dir "$FLEET/cluster1/state" --policy "$FLEET/none"
    printf 'policy: %s\n' "$POLICY" >"$FLEET/config.yaml"
    fails 1 'an empty file' "$BIN/fedlet" config --check --config "$FLEET/config.yaml"
    printf 'podSecurity: restricted\n' >"$POLICY"
    fails 1 'podSecurity' "$BIN/fedlet" config --check --config "$FLEET/config.yaml"
    printf 'podSecurity: baseline\n' >"$POLICY"
    says ok "$BIN/fedlet" config --check --config "$FLEET/config.yaml"
}

must "a member, a hub, an agent" begin
try "fedlet rbac prints roles, with and without the service" case_prints
try "wrong usage" case_usage
try "with these rights alone everything goes on" case_least
try "and nothing else is allowed" case_nothing_else
try "a kind that comes later is refused until it is granted" case_new_kind
try "acting as a ServiceAccount per namespace" case_accounts
try "an account that lacks a right is named" case_account_lacks
try "policy: kinds" case_kinds
try "policy: lifted" case_lifted
try "policy: namespaces" case_namespaces
try "policy: images, also through overrides" case_images
try "policy: another one by SIGHUP" case_reload
try "policy: pods" case_pods
try "policy: removals go on" case_removal
try "a policy that makes no sense stops the agent at its start" case_bad_file
suite_end
