#!/usr/bin/env bash
# ctl.sh - fedctl's changing commands against a hub and a real member: what is federated (enable, disable, federate,
# orphaning-deletion) as kubefedctl does it, byte by byte where it prints YAML; the agent as a pod (join, unjoin); completion;
# and what is said when something is wrong.
# tests/e2e/ctl/: objects.yaml and what kubefedctl v0.10.0 printed for it and for `enable TYPE -o yaml`.
# No container runs in the member: the suite starts the agent itself, as the Deployment's containers would, with the files of
# the Secret and a token of the ServiceAccount, and nothing else.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
C=$BIN/fedctl
SYSTEM=kube-federation-system
GOLD=$ROOT/tests/e2e/ctl
# Contexts: fedlet is the hub, kube the member.
export KUBECONFIG=$FLEET/hub/admin.kubeconfig:$FLEET/m1/kube/admin.kubeconfig
ctl() { "$C" "$@"; }
said() { # said FILE PATTERN: what went to stderr
    grep -qE -- "$2" "$1" || { cat "$1"; echo "wanted: $2"; return 1; }
}

# ---- without a hub ----
case_federate_file() {
    env -u KUBECONFIG HOME=/nowhere "$C" federate -f "$GOLD/objects.yaml" 2>"$FLEET/said" | diff - "$GOLD/federated.yaml"
    said "$FLEET/said" '^Annotations defined for Namespace "shop" will not appear in the template of the federated resource: map\[a:one b:two\]$'
    "$C" federate -f - -v=2 --logtostderr <"$GOLD/objects.yaml" 2>/dev/null | diff - "$GOLD/federated.yaml"
    fails 1 'none.yaml.*No such file' "$C" federate -f "$FLEET/none.yaml"
    echo 'kind: Deployment' >"$FLEET/odd.yaml"
    fails 1 'odd.yaml.*document 1: an object without apiVersion' "$C" federate -f "$FLEET/odd.yaml"
    echo 'a: [' >"$FLEET/odd.yaml"
    fails 1 'odd.yaml.*line 2' "$C" federate -f "$FLEET/odd.yaml"
}
case_usage() {
    fails 2 'NAME is required' ctl enable
    fails 2 'takes one NAME' ctl enable a b
    fails 2 'unknown option --nosuch' ctl enable deployments --nosuch
    fails 2 'unknown option -x' ctl disable deployments -x
    fails 2 'needs a value' ctl enable deployments --federated-group
    fails 2 'not a domain with a dot' ctl enable deployments --federated-group types
    fails 2 'valid only with --delete-crd' ctl disable deployments.apps --version v1
    fails 2 'RESOURCE-NAME is required' ctl federate configmap
    fails 2 'does not take any args' ctl federate configmap x -f "$GOLD/objects.yaml"
    fails 2 "cannot be used with '--output" ctl federate configmap x -t -o yaml
    fails 2 '-o takes yaml, not "json"' ctl enable deployments -o json
    fails 2 '--dry-run takes true or false' ctl enable deployments --dry-run=perhaps
    fails 2 'resource name is required' ctl orphaning-deletion enable federateddeployment
    fails 2 'orphaning-deletion what' ctl orphaning-deletion
    fails 2 'did you mean: fedctl enable' ctl enabel deployments
    fails 2 'not a cluster name' ctl join Bad_Name
    fails 2 'is no KEY=VALUE' ctl join m1 --label nothing
    fails 2 '--timeout takes a duration' ctl join m1 --timeout soon
    fails 2 'exclude each other' ctl unjoin m1 --orphan --cleanup --cluster-context kube
    fails 2 '--cleanup needs --cluster-context' ctl unjoin m1 --cleanup
}
case_unreachable() {
    printf 'apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: "https://127.0.0.1:9", insecure-skip-tls-verify: true}}]\ncontexts: [{name: c, context: {cluster: c}}]\ncurrent-context: c\n' >"$FLEET/away"
    local command
    for command in 'enable deployments' 'disable deployments.apps' 'federate cm x' 'orphaning-deletion status fdeploy x' \
        'join m1 --cluster-context c' 'unjoin m1 --yes'; do
        # shellcheck disable=SC2086
        fails 1 'nothing listens there' env KUBECONFIG="$FLEET/away" "$C" $command
    done
}
complete_for() { # complete_for WORD...: what bash offers for the last word
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _fedctl
    printf '%s\n' "${COMPREPLY[@]}"
}
case_completion() {
    local shell
    for shell in bash zsh; do ctl completion $shell | bash -n; done
    # shellcheck disable=SC1090
    source <(ctl completion bash)
    is enable complete_for fedctl en
    [ "$(complete_for fedctl orphaning-deletion '' | head -3 | tr '\n' ' ')" = 'enable disable status ' ]
    is --delete-crd complete_for fedctl disable x --del
    is --federated-version complete_for fedctl enable --federated-v
    is --host-cluster-context complete_for fedctl join --host-cluster-c
    is replicas complete_for fedctl plan rep
    is fish complete_for fedctl completion f
    PATH=$BIN:$PATH
    is deployments.apps complete_for fedctl enable deplo
    fails 2 'has no names' ctl completion names nonsense
    fails 2 'one too many' ctl completion names clusters surplus
}
# asked WORD...: what kubectl_complete-fed answers, in one line
asked() { "$BIN/kubectl_complete-fed" "$@" | tr '\n' ' '; }
case_completion_kubectl() {
    is 'enable events :4 ' asked e
    is 'enable disable status :4 ' asked orphaning-deletion ''
    is '--federated-group --federated-version :4 ' asked enable --federated-
    is ':0 ' asked plan -f ''
    is ':0 ' asked status -o ''
    is 'deployments.apps :4 ' asked enable deployments.a
    is 'bash zsh fish :4 ' asked completion ''
    # As kubectl itself asks its plugin.
    PATH=$BIN:$PATH says '^unjoin$' "${KUBECTL[@]}" __complete fed unj
}
# zsh_for WORDS: what zsh completes them to, on a terminal of its own.
zsh_for() {
    python3 - "$BIN" "$1" <<'PY'
import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(PATH=sys.argv[1] + ":" + os.environ["PATH"], TERM="dumb", PS1="> ")
    os.execvp("zsh", ["zsh", "-f", "-i"])
got = b""
def until(mark, seconds=90):
    global got
    end = time.monotonic() + seconds
    while mark not in got:
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            sys.exit(f"no {mark!r} in {got!r}")
        got += os.read(fd, 65536)
os.write(fd, b"autoload -Uz compinit && compinit -u -D; source <(fedctl completion zsh); echo re''ady\n")
until(b"ready")
got = b""
os.write(fd, sys.argv[2].encode() + b"\t")
time.sleep(1)
os.write(fd, b"\x01echo \"<\x05>\"\n") # the line as it is now, said
until(b"\r\n<")
until(b">\r\n")
print(got.split(b"\r\n<")[-1].split(b">")[0].decode().strip())
os.close(fd)
PY
}
case_zsh() {
    ctl completion zsh | zsh -n
    is 'fedctl unjoin' zsh_for 'fedctl unj'
    is 'fedctl orphaning-deletion' zsh_for 'fedctl orph'
}
case_fish() {
    ctl completion fish >"$FLEET/fish"
    fish --no-execute "$FLEET/fish"
    fish_for() { PATH=$BIN:$PATH fish --no-config -c "source $FLEET/fish; complete -C '$1'" | cut -f1 | sort | tr '\n' ' '; }
    is 'unjoin ' fish_for 'fedctl unj'
    is 'disable enable status ' fish_for 'fedctl orphaning-deletion '
    is 'bash fish zsh ' fish_for 'fedctl completion '
    is '--federated-group --federated-version ' fish_for 'fedctl enable --federated-'
}
shell_case() { # shell_case SHELL
    if command -v "$1" >/dev/null; then try "completion in a real $1" "case_$1"; else skip "completion in a real $1" "$1 is not installed"; fi
}
case_completion_names() {
    # shellcheck disable=SC1090
    source <(ctl completion bash)
    PATH=$BIN:$PATH
    is m1 complete_for fedctl unjoin m
    is deployments.apps complete_for fedctl --context fedlet disable deplo
    is federateddeployments complete_for fedctl orphaning-deletion enable federatedd
}
case_plugin() {
    ln -sf "$C" "$FLEET/kubectl-fed"
    says '^usage: kubectl fed enable TYPE' "$FLEET/kubectl-fed" enable --help
    says '^  kubectl fed enable deployments.apps' "$FLEET/kubectl-fed" enable --help
    says 'usage: kubectl fed .--kubeconfig' "$FLEET/kubectl-fed" --help
    PATH=$FLEET:$PATH says '^fedctl 0' "${KUBECTL[@]}" fed version
}

# ---- types ----
case_enable() {
    is 'customresourcedefinition.apiextensions.k8s.io/federatedcronjobs.types.kubefed.io created
federatedtypeconfig.core.kubefed.io/cronjobs.batch created in namespace kube-federation-system' \
        ctl enable cronjobs --host-cluster-context fedlet --v=2
    is 'customresourcedefinition.apiextensions.k8s.io/federatedcronjobs.types.kubefed.io updated
federatedtypeconfig.core.kubefed.io/cronjobs.batch updated in namespace kube-federation-system' ctl enable cj
    is fcj hub_jsonpath '' crd federatedcronjobs.types.kubefed.io '{.spec.names.shortNames[0]}'
    is Enabled hub_jsonpath $SYSTEM federatedtypeconfig cronjobs.batch '{.spec.propagation}'
    wait_for 10 "federatedcronjobs are served" hubctl get federatedcronjobs
    # One that the hub has from the start is complete: its definition stays as it is.
    local before
    before=$(hub_jsonpath '' crd federateddeployments.types.kubefed.io '{.metadata.generation}')
    says 'federatedtypeconfig.core.kubefed.io/deployments.apps updated' ctl enable deployments
    is "$before" hub_jsonpath '' crd federateddeployments.types.kubefed.io '{.metadata.generation}'
    is boolean hub_jsonpath '' crd federateddeployments.types.kubefed.io \
        '{.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.retainReplicas.type}'
}
case_enable_yaml() {
    local type before
    before=$(hubctl get crd,federatedtypeconfigs -A -o name | sort)
    for type in deployments namespaces clusterroles; do
        ctl enable $type -o yaml | diff - "$GOLD/enable-$type.yaml"
        ctl enable $type -o yaml --cluster-context kube | diff - "$GOLD/enable-$type.yaml"
    done
    [ "$(hubctl get crd,federatedtypeconfigs -A -o name | sort)" = "$before" ]
    # What is printed can be applied.
    ctl enable roles -o yaml >"$FLEET/roles.yaml"
    hubctl -n $SYSTEM apply --dry-run=server -f "$FLEET/roles.yaml"
}
case_table() {
    # What the hub does not serve is known without asking anybody, exactly as a real API server describes it.
    local type
    hubctl api-resources -o name >"$FLEET/at-hub"
    for type in $(memberctl m1 api-resources --verbs create,delete -o name); do
        case $type in pods|bindings*|*.metrics.k8s.io) continue ;; esac
        ctl enable "$type" -o yaml >"$FLEET/here.yaml" || return 1
        ctl enable "$type" -o yaml --cluster-context kube >"$FLEET/there.yaml" || return 1
        cmp -s "$FLEET/here.yaml" "$FLEET/there.yaml" || { echo "$type"; diff "$FLEET/here.yaml" "$FLEET/there.yaml"; return 1; }
    done
}
case_dry_run() {
    says 'federatedroles.types.kubefed.io created' ctl enable roles --dry-run
    lacks hubctl get crd federatedroles.types.kubefed.io
}
case_directive() {
    printf 'apiVersion: x/v1\nkind: EnableTypeDirective\nmetadata: {name: sts}\nspec: {targetVersion: v1, federatedVersion: v1alpha7, federatedGroup: example.io}\n' |
        says 'federatedstatefulsets.example.io created' ctl enable -f -
    is v1alpha7 hub_jsonpath $SYSTEM federatedtypeconfig statefulsets.apps '{.spec.federatedType.version}'
    fails 1 'Changing the federated type to "federatedstatefulsets.types.kubefed.io/v1beta1" is not supported' ctl enable statefulsets
    echo 'spec: {}' | fails 1 'metadata.name is missing' ctl enable -f -
}
case_unknown() {
    fails 1 'Unable to find api resource named "nosuch"\..*--cluster-context' ctl enable nosuch
    fails 1 'Unable to find api resource named "nosuch"\.$' ctl enable nosuch --cluster-context kube
    fails 1 'no context "nope"' ctl enable nosuch --cluster-context nope
    fails 1 'namespace "elsewhere" does not exist' ctl enable deployments --kubefed-namespace elsewhere
    fails 1 'already referencing a federated type CRD named "federateddeployments.types.kubefed.io"' \
        ctl enable deployments.example.com --kind Deployment --version v1
    fails 1 'already enabled for equivalent type "deployments.apps/v1" by FederatedTypeConfig' \
        ctl enable deployments.extensions --kind Deployment --version v1beta1
}
case_member_type() {
    example_crd widgets Widget Namespaced v2 '{replicas: {type: integer, format: int32}}' wi | memberctl m1 apply -f - # a type of the member alone
    established memberctl m1 widgets.example.com
    fails 1 'Unable to find' ctl enable widgets
    says 'federatedwidgets.types.kubefed.io created' ctl enable wi --cluster-context kube
    is fwi hub_jsonpath '' crd federatedwidgets.types.kubefed.io '{.spec.names.shortNames[0]}'
    is boolean hub_jsonpath '' crd federatedwidgets.types.kubefed.io \
        '{.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.retainReplicas.type}'
    says 'federatedgizmos.types.kubefed.io created' ctl enable gizmos --kind Gizmo --group example.com --version v1 --scope Cluster
    is Cluster hub_jsonpath $SYSTEM federatedtypeconfig gizmos.example.com '{.spec.targetType.scope}'
}
case_disable() {
    is 'Disabled propagation for FederatedTypeConfig "kube-federation-system/widgets.example.com"
Verifying propagation controller is stopped for FederatedTypeConfig "kube-federation-system/widgets.example.com"
Propagation controller for FederatedTypeConfig "kube-federation-system/widgets.example.com" is stopped
customresourcedefinition "federatedwidgets.types.kubefed.io" deleted
federatedtypeconfig "kube-federation-system/widgets.example.com" deleted' ctl disable widgets.example.com --delete-crd
    gone 20 hubctl get crd federatedwidgets.types.kubefed.io
    is 'FederatedTypeConfig "kube-federation-system/widgets.example.com" does not exist' ctl disable widgets.example.com
    fails 1 'Unable to find api resource named "nosuch"' ctl disable nosuch
    # Without --delete-crd the definition stays; it can be deleted later.
    ctl disable gizmos.example.com >/dev/null
    hubctl get crd federatedgizmos.types.kubefed.io
    says 'federatedtypeconfig "kube-federation-system/statefulsets.apps" deleted' ctl disable sts
    is 'FederatedTypeConfig "kube-federation-system/statefulsets.apps" does not exist
customresourcedefinition "federatedstatefulsets.example.io" deleted' ctl disable statefulsets.apps --delete-crd --federated-group example.io
}

# ---- objects ----
case_federate() {
    hubctl create namespace shop
    hubctl -n shop create configmap plain --from-literal=k=v
    hubctl -n shop annotate configmap plain note=1
    ctl federate configmap plain -n shop -o yaml 2>"$FLEET/said" | diff - <(printf '%s\n' --- 'apiVersion: types.kubefed.io/v1beta1' \
        'kind: FederatedConfigMap' metadata: '  name: plain' '  namespace: shop' spec: '  placement:' '    clusterSelector:' \
        '      matchLabels: {}' '  template:' '    data:' '      k: v')
    said "$FLEET/said" '^Annotations defined for ConfigMap "shop/plain" will not .*: map\[note:1\]$'
    says '^Successfully created FederatedConfigMap "shop/plain" from ConfigMap$' ctl federate cm plain -n shop
    is v hub_jsonpath shop federatedconfigmap plain '{.spec.template.data.k}'
    fails 1 'Error creating federated resource "shop/plain": federatedconfigmaps.types.kubefed.io "plain" already exists' \
        ctl federate cm plain -n shop
    fails 1 'Error retrieving target ConfigMap "shop/nope": configmaps "nope" not found' ctl federate cm nope -n shop
    fails 1 'federatedtypeconfigs.core.kubefed.io "daemonsets.apps" not found. Consider using .--enable-type' \
        ctl federate daemonset x -n shop
    says 'Given namespace will itself be the container' ctl federate namespace shop
    hubctl -n shop get federatednamespace shop
}
case_federate_member() {
    memberctl m1 create namespace shop
    memberctl m1 -n shop create deployment web --image nginx --replicas 2
    memberctl m1 -n shop create service nodeport web --tcp 80:80
    fails 1 'the hub holds no deployments.apps: name the cluster' ctl federate deploy web -n shop
    says 'Successfully created FederatedDeployment "shop/web" from Deployment' \
        ctl federate deploy web -n shop --cluster-context kube
    is 2 hub_jsonpath shop federateddeployment web '{.spec.template.spec.replicas}'
    says 'Successfully created FederatedService "shop/web"' ctl federate svc web -n shop --cluster-context kube --enable-type
    is '' hub_jsonpath shop federatedservice web '{.spec.template.spec.clusterIP}{.spec.template.spec.ports[0].nodePort}'
    is 80 hub_jsonpath shop federatedservice web '{.spec.template.spec.ports[0].port}'
}
case_contents() {
    hubctl create namespace all
    hubctl -n all create configmap one --from-literal=a=1
    hubctl -n all create secret generic two --from-literal=b=2
    hubctl -n all create role three --verb=get --resource=configmaps
    fails 1 "Flag '--contents' can only be used with type 'namespaces'" ctl federate cm one -n all --contents
    # Roles are not enabled: nothing is created at all.
    fails 1 'Consider using' ctl federate ns all --contents
    lacks hubctl -n all get federatedconfigmap one
    says 'FederatedConfigMap "all/one"' ctl federate ns all --contents -s secrets,sa,leases -s roles,rolebindings
    lacks hubctl -n all get federatedsecret two
    hubctl -n all get federatednamespace all
    # As YAML, also what is not enabled.
    says 'kind: FederatedRole$' ctl federate ns all -c -s serviceaccounts -o yaml
}
case_disable_instances() {
    fails 1 'Cannot delete CRD "federatedconfigmaps.types.kubefed.io" while resource instances exist' \
        ctl disable configmaps --delete-crd
    is Enabled hub_jsonpath $SYSTEM federatedtypeconfig configmaps '{.spec.propagation}'
}
case_orphaning() {
    is Disabled ctl orphaning-deletion status federatedconfigmap plain -n shop
    is '' ctl orphaning-deletion enable FederatedConfigMap plain -n shop
    is Enabled ctl orphaning-deletion status fcm plain -n shop
    is true hub_jsonpath shop federatedconfigmap plain '{.metadata.annotations.kubefed\.io/orphan}'
    is '{"orphaningDeletion":"Enabled"}' ctl orphaning-deletion status fcm plain -n shop -o json
    ctl orphaning-deletion enable fcm plain -n shop
    is '' ctl orphaning-deletion disable fcm plain -n shop
    is Disabled ctl orphaning-deletion status fcm plain -n shop
    fails 1 'Failed to retrieve resource: "shop/nope"' ctl orphaning-deletion enable fcm nope -n shop
    says 'Warning: configmaps/v1 might not be a federated resource' ctl orphaning-deletion status cm plain -n shop
}
case_forbidden() {
    fedctl user add looker --role viewer -o "$FLEET/looker" 2>/dev/null
    local command
    for command in 'enable endpointslices' 'disable deployments.apps' 'orphaning-deletion enable fcm plain -n shop' \
        'unjoin m9 --yes' 'federate ns all -n all'; do
        # shellcheck disable=SC2086
        fails 1 'forbidden|no cluster m9|already exists' env KUBECONFIG="$FLEET/looker" "$C" $command
    done
    fails 1 'cannot create a token: .*forbidden' env KUBECONFIG="$FLEET/looker:$FLEET/m1/kube/admin.kubeconfig" \
        "$C" join m9 --cluster-context kube
}

# ---- the agent as a pod ----
field() { memberctl m1 -n $SYSTEM get "$1" "$2" -o "jsonpath=$3"; }
# pod_start: what the kubelet would do: the files of the Secret, a token of the ServiceAccount, and the containers' own words.
pod_files() {
    mkdir -p "$FLEET/pod/sa" "$FLEET/pod/state"
    field secret fedlet-identity '{.data.key\.pem}' | base64 -d >"$FLEET/pod/state/key.pem"
    field secret fedlet-identity '{.data.token}' | base64 -d >"$FLEET/pod/token"
    memberctl m1 -n $SYSTEM create token "$(field deployment fedlet '{.spec.template.spec.serviceAccountName}')" >"$FLEET/pod/sa/token"
    memberctl m1 -n $SYSTEM get configmap kube-root-ca.crt -o 'jsonpath={.data.ca\.crt}' >"$FLEET/pod/sa/ca.crt"
    printf %s $SYSTEM >"$FLEET/pod/sa/namespace"
}
container() { # container initContainers|containers: its command line, with the paths of this pod
    field deployment fedlet "{range .spec.template.spec.$1[0].args[*]}{@}{\"\n\"}{end}" |
        sed "s|/etc/fedlet/token|$FLEET/pod/token|; s|/var/lib/fedlet|$FLEET/pod/state|"
}
pod_start() {
    local server words environment
    pod_files
    server=$(sed -n 's|.*server: https://||p' "$FLEET/m1/kube/admin.kubeconfig")
    environment=(HOME=/nowhere "ASAN_OPTIONS=$ASAN_OPTIONS" "UBSAN_OPTIONS=$UBSAN_OPTIONS" "KUBERNETES_SERVICE_HOST=${server%:*}"
        "KUBERNETES_SERVICE_PORT=${server##*:}" "FEDLET_SERVICE_ACCOUNT_DIR=$FLEET/pod/sa")
    mapfile -t words < <(container initContainers)
    env -i "${environment[@]}" "$BIN/fedlet" "${words[@]}"
    mapfile -t words < <(container containers)
    env -i "${environment[@]}" setsid "$BIN/fedlet" "${words[@]}" >>"$FLEET/logs/pod.out" 2>>"$FLEET/logs/pod.err" </dev/null &
    echo $! >"$FLEET/pod.pid"
}
case_join_yaml() {
    ctl join m1 -o yaml --image example/fedlet:1 --label region=north >"$FLEET/manifests.yaml"
    grep -q 'image: example/fedlet:1' "$FLEET/manifests.yaml"
    [ "$(grep -c '^kind:' "$FLEET/manifests.yaml")" -eq 6 ]
    memberctl m1 apply --dry-run=client -f "$FLEET/manifests.yaml"
    says 'm1' ctl token list
    ctl token list -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)[-1]["metadata"]["name"])' >"$FLEET/id"
    ctl token revoke "$(cat "$FLEET/id")"
}
case_join_waits() {
    is 0 dry
    fails 1 'no context "m1"' ctl join m1
    says 'would install the agent of cluster m1' ctl join m1 --cluster-context kube --dry-run
    lacks memberctl m1 get namespace $SYSTEM
    fails 1 'waiting for the agent in cluster m1.*|not ready in time' \
        ctl join m1 --cluster-context kube --host-cluster-context fedlet --label region=north --timeout 1s
    says '^ghcr.io/fedlet/fedlet:v' field deployment fedlet '{.spec.template.spec.containers[0].image}'
}
dry() { ctl join m1 --cluster-context kube --dry-run 2>/dev/null | wc -l; }
case_join_again() {
    local key
    key=$(field secret fedlet-identity '{.data.key\.pem}')
    fails 1 'is installed there already' ctl join m1 --cluster-context kube --error-on-existing
    fails 1 'an agent of cluster "m1" is installed there already' ctl join m2 --cluster-context kube
    says 'agent of cluster m1 updated' ctl join m1 --cluster-context kube --label region=north --no-wait
    [ "$(field secret fedlet-identity '{.data.key\.pem}')" = "$key" ]
    # The token of the first time counts no more: one is there.
    [ "$(ctl token list | grep -c ' m1 ')" -eq 1 ]
}
case_joined() {
    # The pod starts while fedctl waits for it.
    ctl join m1 --cluster-context kube --label region=north --timeout 180s >"$FLEET/join.out" 2>"$FLEET/join.said" &
    local waiting=$!
    wait_for 20 "fedctl waits" grep -q 'waiting for the agent in cluster m1' "$FLEET/join.said"
    pod_start || { kill $waiting; return 1; }
    wait $waiting || { cat "$FLEET/join.said" "$FLEET/logs/pod.err"; return 1; }
    said "$FLEET/join.said" '^cluster m1 is ready$'
    [ ! -s "$FLEET/join.out" ]
    is north hub_jsonpath $SYSTEM kubefedcluster m1 '{.metadata.labels.region}'
    says '^m1 +True' ctl clusters
}
case_pod_applies() {
    # With the rights of that ServiceAccount alone: also what grants rights.
    soon 60 v member_jsonpath m1 shop configmap plain '{.data.k}'
    printf 'apiVersion: types.kubefed.io/v1beta1\nkind: FederatedClusterRole\nmetadata: {name: reader}\nspec: {placement: {clusters: [{name: m1}]}, template: {rules: [{apiGroups: [""], resources: [nodes], verbs: [list]}]}}\n' | hubctl apply -f -
    soon 60 nodes memberctl m1 get clusterrole reader -o 'jsonpath={.rules[0].resources[0]}'
}
case_pod_moves() {
    # Another node: nothing is left but the Secret. The same key gets the same certificate, and no use of the token is spent.
    local before
    before=$(hub_jsonpath $SYSTEM joinrequest m1 '{.status.certificateFingerprint}')
    process_stop "$FLEET/pod.pid"
    rm -rf "$FLEET/pod"
    hubctl -n shop patch federatedconfigmap plain --type merge -p '{"spec":{"template":{"data":{"k":"moved"}}}}'
    pod_start
    soon 60 moved member_jsonpath m1 shop configmap plain '{.data.k}'
    is "$before" hub_jsonpath $SYSTEM joinrequest m1 '{.status.certificateFingerprint}'
}
case_name_taken() {
    # Somebody else's name is not taken over: the key is another one.
    memberctl m1 -n $SYSTEM get secret fedlet-identity -o yaml >"$FLEET/secret.yaml"
    memberctl m1 -n $SYSTEM delete secret fedlet-identity
    fails 1 'the hub has a cluster of that name already, with another key' ctl join m1 --cluster-context kube
    memberctl m1 apply -f "$FLEET/secret.yaml"
}
case_unjoin_asks() {
    fails 2 'there is no terminal to ask at: say --yes' ctl unjoin m1 --cluster-context kube
    fails 1 'there is no cluster nosuch' ctl unjoin nosuch --yes
    says 'would take cluster m1 out, and remove its agent' ctl unjoin m1 --cluster-context kube --dry-run
    fails 1 'no context "nope"' ctl unjoin m1 --cluster-context nope --yes
    hubctl -n $SYSTEM get kubefedcluster m1
    if command -v script >/dev/null; then
        script -qec "'$C' unjoin m1 --cluster-context kube" "$FLEET/typescript" <<<n >/dev/null || true
        grep -q 'What was propagated there stays. .y/N.' "$FLEET/typescript"
        hubctl -n $SYSTEM get kubefedcluster m1
    fi
}
case_unjoin() {
    # No kubelet ends the pod here.
    process_stop "$FLEET/pod.pid"
    says 'cluster m1 is out of the federation' ctl unjoin m1 --cluster-context kube --yes
    lacks hubctl -n $SYSTEM get kubefedcluster m1
    lacks hubctl -n $SYSTEM get joinrequest m1
    [ "$(ctl token list | grep -c ' m1 ')" -eq 0 ]
    lacks memberctl m1 get clusterrole fedlet
    lacks memberctl m1 get clusterrolebinding fedlet
    gone 60 memberctl m1 get namespace $SYSTEM
    # What was propagated stays, with its label.
    is moved member_jsonpath m1 shop configmap plain '{.data.k}'
    is true member_jsonpath m1 shop configmap plain '{.metadata.labels.kubefed\.io/managed}'
}
case_rejoin_cleanup() {
    ctl join m1 --cluster-context kube --no-wait
    rm -rf "$FLEET/pod"
    pod_start
    soon 60 True ready_word m1
    memberctl m1 -n shop create configmap mine --from-literal=k=v
    process_stop "$FLEET/pod.pid"
    # The namespace itself was federated: it goes with all that is in it.
    says 'and [1-9][0-9]* objects that it had applied' ctl unjoin m1 --cluster-context kube --cleanup --yes
    gone 60 memberctl m1 -n shop get configmap plain
    gone 60 memberctl m1 get clusterrole reader
    fails 1 'is no pod in the cluster' ctl unjoin m1 --cluster-context kube --cleanup --yes
}
case_unjoin_force() {
    local token
    token=$(fedctl token create)
    "$BIN/fedlet" join "$token" --name far --state-dir "$FLEET/far" --kubeconfig "$FLEET/m1/kube/admin.kubeconfig"
    fails 1 'refused' env KUBECONFIG="$FLEET/hub/admin.kubeconfig:$FLEET/away" "$C" unjoin far --cluster-context c --yes
    hubctl -n $SYSTEM get kubefedcluster far
    says 'going on without the member' env KUBECONFIG="$FLEET/hub/admin.kubeconfig:$FLEET/away" \
        "$C" unjoin far --cluster-context c --yes --force
    lacks hubctl -n $SYSTEM get kubefedcluster far
}

try "federate -f: the bytes of kubefedctl, without any server" case_federate_file
try "wrong usage ends with 2 and one sentence" case_usage
try "a hub that does not answer" case_unreachable
try "as a plugin of kubectl" case_plugin
try "completion" case_completion
try "completion for kubectl" case_completion_kubectl
shell_case zsh
shell_case fish
must "the hub starts" hub_start
must "a member starts" member_up m1
try "enable" case_enable
try "enable -o yaml: the bytes of kubefedctl" case_enable_yaml
try "every kind of Kubernetes is known as its API server describes it" case_table
try "enable --dry-run" case_dry_run
try "enable -f" case_directive
try "types that cannot be enabled" case_unknown
try "types of a member, and types that nothing serves" case_member_type
try "disable" case_disable
try "federate" case_federate
try "federate from a member" case_federate_member
try "federate --contents" case_contents
try "disable --delete-crd with instances" case_disable_instances
try "orphaning-deletion" case_orphaning
try "without rights" case_forbidden
try "join -o yaml" case_join_yaml
try "join installs, waits, and says what for" case_join_waits
try "join again" case_join_again
try "the manifests suffice: the agent as they describe it becomes ready" case_joined
try "the agent has the rights that it needs" case_pod_applies
try "the pod moves to another node" case_pod_moves
try "completion of names that the hub knows" case_completion_names
try "a name that is taken" case_name_taken
try "unjoin asks first" case_unjoin_asks
try "unjoin" case_unjoin
try "join again, unjoin --cleanup" case_rejoin_cleanup
try "unjoin --force" case_unjoin_force
suite_end
