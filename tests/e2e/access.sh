#!/usr/bin/env bash
# access.sh - who may do what: users and roles with real kubectl, tokens good and forged, acting as others, nobody granting
# what they do not hold, the audit log, and fedctl user.
set -euo pipefail
source "$(dirname "$0")/suite.sh"
WORK=$FLEET/work
mkdir -p "$WORK"
SYSTEM=kube-federation-system
AUDIT=$FLEET/hub/audit.log

apply() { # apply [kubectl flags] <<<YAML
    hubctl "$@" apply -f -
}
bound() { # bound NAME NAMESPACE ROLE_KIND ROLE SUBJECT: a RoleBinding as YAML
    printf 'apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: %s, namespace: %s}\n' "$1" "$2"
    printf 'roleRef: {apiGroup: rbac.authorization.k8s.io, kind: %s, name: "%s"}\nsubjects: [%s]\n' "$3" "$4" "$5"
}
user() { printf '{kind: User, name: "%s", apiGroup: rbac.authorization.k8s.io}' "$1"; }
rule_role() { # rule_role NAME RULES: a Role in shop
    printf 'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: %s, namespace: shop}\nrules: %s\n' "$1" "$2"
}

# ---- requests that kubectl would never send ----
url() { echo "https://127.0.0.1:$(cut -d' ' -f1 "$FLEET/hub.ports")$1"; }
bare() { # bare METHOD PATH [curl options]: prints body and code, with no credentials of its own
    local method=$1 path=$2
    shift 2
    curl -sS -A "$SUITE" --max-time 60 -X "$method" --cacert "$FLEET/hub/ca.crt" -w '\n%{http_code}\n' "$@" "$(url "$path")"
}
code_of() { # code_of CODE METHOD PATH [curl options]
    local want=$1 out
    shift
    out=$(bare "$@")
    printf '%s\n' "$out" | tail -c 1500
    [ "$(tail -n 1 <<<"$out")" = "$want" ] || { echo "wanted $want"; return 1; }
}
with_token() { # with_token TOKEN CODE PATH
    code_of "$2" GET "$3" -H "Authorization: Bearer $1"
}
bot_token() { hubctl -n shop create token bot "$@"; }
# forge TOKEN STATEMENT...: for each the token with header h, payload p (dictionaries) and signature s changed by it.
forge() {
    python3 - "$@" <<'PY'
import base64, json, sys
def dec(t): return base64.urlsafe_b64decode(t + "=" * (-len(t) % 4))
def enc(b): return base64.urlsafe_b64encode(b).rstrip(b"=").decode()
h, p, s = sys.argv[1].split(".")
for statement in sys.argv[2:]:
    v = {"h": json.loads(dec(h)), "p": json.loads(dec(p)), "s": dec(s)}
    exec(statement, v)
    print(".".join([enc(json.dumps(v["h"]).encode()), enc(json.dumps(v["p"]).encode()), enc(v["s"])]))
PY
}

case_setup() {
    hubctl create namespace shop
    hubctl -n shop create serviceaccount bot
    hubctl -n shop create configmap c --from-literal=k=v
    { rule_role reader '[{apiGroups: [""], resources: [configmaps], verbs: [get, list]}]'
      echo ---
      bound bot shop Role reader '{kind: ServiceAccount, name: bot}'
      echo ---
      bound ann shop ClusterRole edit "$(user ann)"
      echo ---
      bound adm shop ClusterRole admin "$(user adm)"; } | hubctl apply -f -
}

# ==== roles ====
case_first_roles() {
    hubctl get clusterrole cluster-admin admin edit view system:basic-user system:discovery fedlet:{admin,author,operator,viewer}
    says '"configmaps"' hubctl get clusterrole view -o json
    says 'system:authenticated' hubctl get clusterrolebinding system:basic-user -o yaml
}
case_role_allows() {
    is configmap/c hubctl -n shop get configmap c -o name --as system:serviceaccount:shop:bot
    says 'v' hubctl -n shop get configmap -o yaml --as system:serviceaccount:shop:bot
}
case_role_refuses() {
    fails 1 'configmaps "c" is forbidden: User "system:serviceaccount:shop:bot" cannot delete resource "configmaps" in API group "" in the namespace "shop"' \
        hubctl -n shop delete configmap c --as system:serviceaccount:shop:bot
    fails 1 'secrets is forbidden: User "system:serviceaccount:shop:bot" cannot list resource "secrets" in API group "" in the namespace "shop"' \
        hubctl -n shop get secrets --as system:serviceaccount:shop:bot
    fails 1 'namespaces is forbidden: User "ann" cannot list resource "namespaces" in API group "" at the cluster scope' \
        hubctl get ns --as ann
    fails 1 'kubefedclusters.core.kubefed.io is forbidden: User "ann" cannot list resource "kubefedclusters" in API group "core.kubefed.io"' \
        hubctl -n shop get kubefedclusters --as ann
}
case_namespace_of_ones_own() { is namespace/shop hubctl get ns shop -o name --as ann; }
case_paths() {
    says APIVersions hubctl get --raw /api --as ann
    fails 1 'forbidden: User "ann" cannot get path "/metrics"' hubctl get --raw /metrics --as ann
}
case_names() {
    rule_role one '[{apiGroups: [""], resources: [secrets], resourceNames: [s1], verbs: [get, list, watch]}]' | apply
    bound one shop Role one "$(user eve)" | apply
    hubctl -n shop create secret generic s1 --from-literal=k=v
    hubctl -n shop create secret generic s2 --from-literal=k=v
    is secret/s1 hubctl -n shop get secret s1 -o name --as eve
    fails 1 'secrets "s2" is forbidden' hubctl -n shop get secret s2 --as eve
    fails 1 'secrets is forbidden' hubctl -n shop get secrets --as eve
    is secret/s1 hubctl -n shop get secrets --field-selector metadata.name=s1 -o name --as eve
}
case_role_gone_at_once() {
    bound tmp shop ClusterRole view "$(user tom)" | apply
    hubctl -n shop get cm --as tom
    hubctl -n shop delete rolebinding tmp
    fails 1 '[Ff]orbidden' hubctl -n shop get cm --as tom
}
case_aggregation() {
    hubctl create clusterrole extra --verb=get --resource=configmaps --resource-name=zz
    says yes hubctl -n shop auth can-i get cm/c --as ann
    fails 1 no hubctl -n shop auth can-i get events.events.k8s.io --as zoe
    hubctl label clusterrole extra rbac.authorization.k8s.io/aggregate-to-view=true
    says '"zz"' hubctl get clusterrole view -o json
    hubctl delete clusterrole extra
    never grep '"zz"' <<<"$(hubctl get clusterrole view -o json)"
}
case_missing_role_is_said() {
    bound lost shop ClusterRole nowhere "$(user lou)" | apply
    fails 1 'RBAC: clusterrole.rbac.authorization.k8s.io "nowhere" not found' hubctl -n shop get cm --as lou
}
case_apply_needs_create() {
    rule_role patcher '[{apiGroups: [""], resources: [configmaps], verbs: [get, patch]}]' | apply
    bound patcher shop Role patcher "$(user pat)" | apply
    hubctl -n shop annotate cm c by=pat --as pat
    fails 1 'cannot create resource "configmaps"' hubctl -n shop apply --server-side --as pat -f - <<<'
apiVersion: v1
kind: ConfigMap
metadata: {name: made-by-patch}'
}

# ==== nobody grants what they do not hold ====
case_escalation_role() {
    fails 1 'is forbidden: user "adm" \(groups=\["system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:' \
        hubctl -n shop create role up --verb=list --resource=jointokens.fedlet.io --as adm
    fails 1 '\{APIGroups:\["fedlet.io"\], Resources:\["jointokens"\], Verbs:\["list"\]\}' \
        hubctl -n shop create role up --verb=list --resource=jointokens.fedlet.io --as adm
    hubctl -n shop create role same --verb=get --resource=configmaps --as adm
    fails 1 'not currently held' hubctl -n shop patch role same --type=json --as adm \
        -p '[{"op":"add","path":"/rules/0/verbs/-","value":"impersonate"}]'
    fails 1 'roles.rbac.authorization.k8s.io is forbidden' hubctl -n shop create role x --verb=get --resource=configmaps --as ann
}
case_escalation_binding() {
    fails 1 'not currently held' hubctl -n shop create rolebinding up --clusterrole=cluster-admin --user=adm --as adm
    fails 1 'not currently held' hubctl -n shop create rolebinding up --clusterrole=fedlet:operator --user=adm --as adm
    hubctl -n shop create rolebinding down --clusterrole=view --user=bob --as adm
    fails 1 'clusterrolebindings.rbac.authorization.k8s.io is forbidden' \
        hubctl create clusterrolebinding up --clusterrole=view --user=adm --as adm
    fails 1 'rolebindings.rbac.authorization.k8s.io "nowhere" not found' \
        hubctl -n shop create rolebinding up --clusterrole=nowhere --user=adm --as adm
}
case_escalation_by_aggregation() {
    hubctl create clusterrole roles --verb='*' --resource=clusterroles.rbac.authorization.k8s.io
    hubctl create clusterrolebinding roles --clusterrole=roles --user=max
    hubctl create clusterrole cm --verb=get --resource=clusterroles.rbac.authorization.k8s.io --as max
    # The verb escalate came with '*', so max may; without it, not even an empty aggregating role.
    hubctl patch clusterrole roles --type=json -p \
        '[{"op":"replace","path":"/rules/0/verbs","value":["create","get","update","patch"]}]'
    fails 1 'must have cluster-admin privileges to use the aggregationRule' \
        hubctl create clusterrole sum --aggregation-rule=a=b --as max
    fails 1 'not currently held' hubctl create clusterrole cm2 --verb=delete --resource=secrets --as max
}
case_bind_and_escalate() {
    hubctl -n shop create role binder --verb=bind --resource=clusterroles.rbac.authorization.k8s.io --resource-name=view
    hubctl -n shop create role makes --verb=create,get --resource=rolebindings.rbac.authorization.k8s.io
    bound binder shop Role binder "$(user kim)" | apply
    bound makes shop Role makes "$(user kim)" | apply
    hubctl -n shop create rolebinding by-kim --clusterrole=view --user=nat --as kim
    fails 1 'not currently held' hubctl -n shop create rolebinding by-kim2 --clusterrole=edit --user=nat --as kim
}
case_role_ref_stays() {
    fails 1 'roleRef: Invalid value: .*cannot change roleRef' apply <<<"$(bound ann shop ClusterRole admin "$(user ann)")"
}
case_wrong_roles() {
    fails 1 'rules\[0\].nonResourceURLs: Invalid value: \["/x"\]: namespaced rules cannot apply to non-resource URLs' \
        apply <<<"$(rule_role bad '[{nonResourceURLs: [/x], verbs: [get]}]')"
    fails 1 'rules\[0\].resources: Required value: resource rules must supply at least one resource' \
        apply <<<"$(rule_role bad '[{apiGroups: [""], verbs: [get]}]')"
    fails 1 'roleRef.kind: Unsupported value: "Robot"' apply <<<"$(bound bad shop Robot x "$(user x)")"
    fails 1 'subjects\[0\].kind: Unsupported value: "Robot"' apply <<<"$(bound bad shop Role x '{kind: Robot, name: x}')"
}
case_reconcile() {
    says reconciled hubctl auth reconcile -f - <<<"$(rule_role reader '[{apiGroups: [""], resources: [configmaps], verbs: [watch]}]')"
    says '"watch"' hubctl -n shop get role reader -o json
    says '"list"' hubctl -n shop get role reader -o json
}

# ==== questions ====
case_can_i() {
    is yes hubctl -n shop auth can-i get cm --as system:serviceaccount:shop:bot
    fails 1 '^no$' hubctl -n shop auth can-i delete cm --as system:serviceaccount:shop:bot
    fails 1 '^no$' hubctl auth can-i '*' '*' --as adm
    is yes hubctl auth can-i '*' '*'
    says 'configmaps +\[\] +\[\] +\[get list' hubctl -n shop auth can-i --list --as system:serviceaccount:shop:bot
}
case_whoami() {
    says 'Username +ann' hubctl auth whoami --as ann --as-group g
    says 'g system:authenticated' hubctl auth whoami --as ann --as-group g
    says 'system:masters' hubctl auth whoami
}
review() { # review KIND SPEC [kubectl flags]: the status
    local kind=$1 spec=$2
    shift 2
    hubctl "$@" create -o json -f - <<<"{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"$kind\",\"metadata\":{${NS:-}},\"spec\":$spec}"
}
case_access_reviews() {
    local cm='"resourceAttributes":{"namespace":"shop","verb":"get","resource":"configmaps"}'
    says 'RBAC: allowed by RoleBinding \\"ann/shop\\" of ClusterRole \\"edit\\" to User \\"ann\\"' \
        review SubjectAccessReview "{\"user\":\"ann\",$cm}"
    says '"allowed": false' review SubjectAccessReview "{\"user\":\"zoe\",$cm}"
    NS='"namespace":"shop"' says '"allowed": true' review LocalSubjectAccessReview "{\"user\":\"ann\",$cm}"
    fails 1 'at least one of user or group must be specified' review SubjectAccessReview "{$cm}"
    fails 1 'subjectaccessreviews.authorization.k8s.io is forbidden' review SubjectAccessReview "{\"user\":\"ann\",$cm}" --as ann
}

# ==== acting as others ====
case_impersonation_words() {
    local out
    out=$(bare GET /api -H "Authorization: Bearer $(bot_token)" -H 'Impersonate-User: root')
    grep -F 'users \"root\" is forbidden: User \"system:serviceaccount:shop:bot\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope' <<<"$out"
    grep -F '"details":{"name":"root","kind":"users"}' <<<"$out"
}
case_impersonate() {
    local token
    hubctl create clusterrole acts --verb=impersonate --resource=users --resource-name=ann
    hubctl create clusterrolebinding acts --clusterrole=acts --serviceaccount=shop:bot
    token=$(bot_token)
    code_of 200 GET /api/v1/namespaces/shop/secrets -H "Authorization: Bearer $token" -H 'Impersonate-User: ann'
    code_of 403 GET /api/v1/namespaces/shop/secrets -H "Authorization: Bearer $token" -H 'Impersonate-User: adm'
    code_of 403 GET /api/v1/secrets -H "Authorization: Bearer $token" -H 'Impersonate-User: ann' -H 'Impersonate-Group: system:masters'
    code_of 403 GET /api -H "Authorization: Bearer $token" -H 'Impersonate-User: ann' -H 'Impersonate-Extra-Scopes: all'
    code_of 403 GET /api -H "Authorization: Bearer $token" -H 'Impersonate-User: ann' -H 'Impersonate-Uid: 1'
    code_of 403 GET /api -H "Authorization: Bearer $token" -H 'Impersonate-User: system:serviceaccount:shop:bot'
    code_of 500 GET /api -H "Authorization: Bearer $token" -H 'Impersonate-Group: system:masters'
    code_of 401 GET /api -H 'Impersonate-User: ann'
    code_of 401 GET /healthz -H 'Impersonate-User: ann'
}
case_agents() {
    # Whatever else a certificate claims, and whatever is bound to it: an agent stays an agent.
    hubctl create clusterrolebinding agents --clusterrole=cluster-admin --group=fedlet:agents
    fails 1 '[Ff]orbidden' hubctl get secrets -A --as c1 --as-group fedlet:agents
    fails 1 '[Ff]orbidden' hubctl get secrets -A --as c1 --as-group fedlet:agents --as-group system:masters
    fails 1 'forbidden|Forbidden' hubctl get --raw /apis --as c1 --as-group fedlet:agents
    is ok hubctl get --raw /healthz --as c1 --as-group fedlet:agents
    hubctl delete clusterrolebinding agents
}

# ==== strangers ====
case_strangers() {
    local path
    for path in /healthz /livez /readyz /version; do code_of 200 GET $path; done
    for path in / /api /apis /openapi/v2 /metrics /api/v1/namespaces /apis/authorization.k8s.io/v1 /healthz/../api /version/../api //api \
        /%61pi; do
        code_of 401 GET "$path" --path-as-is
    done
    code_of 401 POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews -H 'content-type: application/json' -d '{}'
    code_of 401 GET /healthz -H 'Authorization: Basic YTpi'
}

# ==== tokens ====
case_token() {
    local token
    token=$(bot_token --duration 11m)
    with_token "$token" 200 /api/v1/namespaces/shop/configmaps/c
    with_token "$token" 403 /api/v1/namespaces/shop/secrets
    forge "$token" 'import sys; assert p["exp"] - p["iat"] == 660 and p["sub"] == "system:serviceaccount:shop:bot" and h["alg"] == "ES256", p'
    is 'system:serviceaccounts system:serviceaccounts:shop system:authenticated' \
        "${KUBECTL[@]}" --server "$(url '')" --certificate-authority "$FLEET/hub/ca.crt" --token "$token" --kubeconfig /dev/null \
        auth whoami -o 'jsonpath={.status.userInfo.groups[0]} {.status.userInfo.groups[1]} {.status.userInfo.groups[2]}'
}
case_token_in_discovery() {
    says '"name":"serviceaccounts/token".*"kind":"TokenRequest"' hubctl get --raw /api/v1
    is yes hubctl -n shop auth can-i create serviceaccounts/token --as ann
}
case_token_bounds() {
    fails 1 'spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes' bot_token --duration 1m
    says 'requested expiration of 172800 seconds shortened to 86400 seconds' bot_token --duration 48h
    fails 1 'serviceaccounts "nobody" not found' hubctl -n shop create token nobody
    fails 1 'secrets "nothing" not found' bot_token --bound-object-kind Secret --bound-object-name nothing
}
case_token_needs_right() {
    fails 1 'cannot create resource "serviceaccounts/token"' hubctl -n shop create token bot --as system:serviceaccount:shop:bot
    hubctl -n shop create token bot --as ann
}
case_forged_tokens() {
    local token forged
    token=$(bot_token)
    with_token "$token" 200 /api
    forge "$token" 'h["alg"] = "none"; s = b""' 'h["alg"] = "HS256"' 'h["kid"] = "../../ca.key"' 'h["crit"] = ["exp"]' \
        'p["sub"] = "system:serviceaccount:kube-system:root"' 'p["exp"] += 99999' 'del p["exp"]' 's = bytes(64)' 's = s[:63]' \
        >"$WORK/forged"
    [ "$(wc -l <"$WORK/forged")" -eq 9 ]
    while read -r forged; do with_token "$forged" 401 /api; done <"$WORK/forged"
    with_token "${token%?}" 401 /api
    with_token "$token.x" 401 /api
    with_token "a.b.c" 401 /healthz
    with_token "$(head -c 30000 /dev/zero | tr '\0' A)" 401 /api
    with_token "$(bot_token --audience vault)" 401 /api
}
case_another_hubs_token() {
    # The same names and another key.
    local token other=$FLEET/other
    token=$(bot_token)
    mkdir -p "$other/logs"
    FLEET=$other hub_start
    (
        FLEET=$other
        hubctl create ns shop
        hubctl -n shop create sa bot
        hubctl -n shop create token bot >"$WORK/foreign"
    )
    FLEET=$other hub_stop
    with_token "$(cat "$WORK/foreign")" 401 /api
}
case_deleted_account() {
    local token
    hubctl -n shop create serviceaccount gone
    token=$(hubctl -n shop create token gone)
    with_token "$token" 200 /api
    hubctl -n shop delete serviceaccount gone
    with_token "$token" 401 /api
    hubctl -n shop create serviceaccount gone # the same name, another uid
    with_token "$token" 401 /api
}
case_bound_token() {
    local token
    hubctl -n shop create secret generic holds
    token=$(bot_token --bound-object-kind Secret --bound-object-name holds)
    with_token "$token" 200 /api
    hubctl -n shop delete secret holds
    with_token "$token" 401 /api
}
case_token_secret() {
    local token
    apply <<<'
apiVersion: v1
kind: Secret
type: kubernetes.io/service-account-token
metadata: {name: bot-token, namespace: shop, annotations: {kubernetes.io/service-account.name: bot}}'
    token=$(hub_jsonpath shop secret bot-token '{.data.token}' | base64 -d)
    is "$(cat "$FLEET/hub/ca.crt")" bash -c "$(declare -f hubctl); FLEET=$FLEET; KUBECTL=(${KUBECTL[*]}); hubctl -n shop get secret bot-token -o 'jsonpath={.data.ca\.crt}' | base64 -d"
    with_token "$token" 200 /api/v1/namespaces/shop/configmaps
    hubctl -n shop delete secret bot-token
    with_token "$token" 401 /api
    fails 1 'kubernetes.io/service-account.name\]: Required value' apply <<<'
apiVersion: v1
kind: Secret
type: kubernetes.io/service-account-token
metadata: {name: nobodys, namespace: shop}'
    # Of a ServiceAccount that is not there it does not stay.
    apply <<<'
apiVersion: v1
kind: Secret
type: kubernetes.io/service-account-token
metadata: {name: nobodys, namespace: shop, annotations: {kubernetes.io/service-account.name: nobody}}'
    gone 5 hubctl -n shop get secret nobodys
}
token_review() { # token_review TOKEN [AUDIENCE]: the status as JSON
    hubctl create -o 'jsonpath={.status}' -f - <<<"{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\",\"metadata\":{},\"spec\":{\"token\":\"$1\"${2:+,\"audiences\":[\"$2\"]}}}"
}
case_token_review() {
    local token
    token=$(bot_token)
    says '"authenticated":true.*"username":"system:serviceaccount:shop:bot"' token_review "$token"
    says '"error":"\[invalid bearer token, ' token_review "${token}x"
    says '"error":"\[invalid bearer token, ' token_review "$token" vault
    says '"audiences":\["vault"\]' token_review "$(bot_token --audience vault)" vault
}
case_tokens_survive_a_restart() {
    local token
    token=$(bot_token)
    is 600 stat -c %a "$FLEET/hub/service-account.key"
    hub_stop
    hub_start
    with_token "$token" 200 /api
    is configmap/c hubctl -n shop get configmap c -o name --as system:serviceaccount:shop:bot
}

# ==== the three roles ====
case_viewer() {
    fedctl user add vera --role viewer -o "$WORK/vera"
    is 600 stat -c %a "$WORK/vera"
    vera() { "${KUBECTL[@]}" --kubeconfig "$WORK/vera" "$@"; }
    vera get ns
    vera get federateddeployments,federatedconfigmaps,kubefedclusters,jointokens -A
    fails 1 '[Ff]orbidden' vera get secrets -A
    fails 1 '[Ff]orbidden' vera get federatedsecrets -A
    fails 1 '[Ff]orbidden' vera -n shop create configmap x
    fails 1 '[Ff]orbidden' vera -n shop create token bot
}
case_operator() {
    fedctl user add otto --role operator -o "$WORK/otto"
    otto() { "${KUBECTL[@]}" --kubeconfig "$WORK/otto" "$@"; }
    fails 1 '[Ff]orbidden' otto create ns ottos
    fails 1 '[Ff]orbidden' otto -n shop create configmap x
    otto get federatedconfigmaps -A
    otto get jointokens -A
    says '^NAME' "$BIN/fedctl" --kubeconfig "$WORK/otto" clusters
    fails 1 forbidden "$BIN/fedctl" --kubeconfig "$WORK/otto" token create
    fails 1 '[Ff]orbidden' otto get secrets -A
    fails 1 '[Ff]orbidden' otto -n $SYSTEM create token vera
    fails 1 '[Ff]orbidden' otto create clusterrolebinding up --clusterrole=cluster-admin --user=otto
    fails 1 '[Ff]orbidden' otto get ns --as admin
    fails 1 forbidden "$BIN/fedctl" --kubeconfig "$WORK/otto" user add x --role viewer
}
case_author() {
    fedctl user add arno --role author -o "$WORK/arno"
    arno() { "${KUBECTL[@]}" --kubeconfig "$WORK/arno" "$@"; }
    arno apply -f - <<<'
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: fed, namespace: shop}
spec: {template: {data: {a: b}}, placement: {clusters: []}}'
    arno -n shop delete federatedconfigmap fed
    arno create ns arnos
    fails 1 '^no' arno auth can-i patch kubefedclusters.core.kubefed.io -n $SYSTEM
    fails 1 '^no' arno auth can-i patch rollouts.fedlet.io -n shop
    fails 1 '[Ff]orbidden' arno get jointokens -A
    fails 1 '[Ff]orbidden' arno get secrets -A
    fails 1 '[Ff]orbidden' arno create clusterrolebinding up --clusterrole=cluster-admin --user=arno
}
case_admin() {
    fedctl user add ada --role admin -o "$WORK/ada"
    "$BIN/fedctl" --kubeconfig "$WORK/ada" user add eli --role viewer >"$WORK/eli"
    is 'yes' "${KUBECTL[@]}" --kubeconfig "$WORK/ada" auth can-i '*' '*'
    "${KUBECTL[@]}" --kubeconfig "$WORK/eli" get ns
}
case_user_in_namespace() {
    fedctl user add nina --role edit --namespace shop --ttl 10m -o "$WORK/nina"
    "${KUBECTL[@]}" --kubeconfig "$WORK/nina" create configmap nina
    fails 1 '[Ff]orbidden' "${KUBECTL[@]}" --kubeconfig "$WORK/nina" -n default get configmaps
    says '^nina +edit +shop' fedctl user list
    says '^vera +fedlet:viewer +\*' fedctl user list
}
case_watch_removed() { # whoever is removed does not go on reading in a watch that is open
    local pid
    fedctl user add wim --role viewer -o "$WORK/wim"
    "${KUBECTL[@]}" --kubeconfig "$WORK/wim" -n shop get configmaps -w >"$WORK/wim.out" 2>&1 &
    pid=$!
    wait_for 20 "the watch to begin" grep -q '^c ' "$WORK/wim.out"
    fedctl user remove wim
    wait_for 40 "the watch to end" ended "$pid"
    wait "$pid" || true
}
ended() { ! kill -0 "$1" 2>/dev/null; }
case_user_removed() {
    fedctl user remove vera
    fails 1 'Unauthorized' "${KUBECTL[@]}" --kubeconfig "$WORK/vera" get ns
    lacks hubctl -n $SYSTEM get secret vera-token
    lacks hubctl get clusterrolebinding fedlet:user:vera
    fedctl user remove nina
    lacks hubctl -n shop get rolebinding fedlet:user:nina
    fails 1 'there is no user vera' fedctl user remove vera
    fails 1 'there is no user default' fedctl user remove default
}
case_user_usage() {
    fails 2 'needs one name' fedctl user add --role viewer
    fails 2 'needs --role' fedctl user add x
    fails 2 'not a user.s name' fedctl user add 'X;Y' --role viewer
    fails 2 'not the name of a role' fedctl user add x --role 'a/../b'
    fails 2 'from 10m to 24h' fedctl user add x --role viewer --ttl 5m
    fails 1 'there is no role nowhere' fedctl user add x --role nowhere
    fails 1 'there is a user otto already' fedctl user add otto --role viewer
    fails 1 'cannot add full' fedctl user add full --role viewer -o /nowhere/at/all
    lacks hubctl -n $SYSTEM get serviceaccount full # whole or not at all
    lacks hubctl get clusterrolebinding fedlet:user:full
    fails 2 'user what' fedctl user
    fails 2 '-o takes json' fedctl user list -o yaml
    says 'user\)' fedctl completion bash
    says '^example' fedctl user add --help
}

# ==== the audit log ====
last_record() { tail -n 1 "$AUDIT"; }
case_audit_write() {
    is 600 stat -c %a "$AUDIT"
    hubctl -n shop create configmap seen
    says '"user":"fedlet:admin".*"verb":"create","resource":"configmaps","namespace":"shop","name":"seen","code":201.*"agent":"kubectl' last_record
    hubctl -n shop create configmap acted --as ann
    says '"user":"ann","groups":\["system:authenticated"\],"impersonatedBy":"fedlet:admin".*"code":201,"reason":"RBAC: allowed by RoleBinding' last_record
}
case_audit_refused() {
    fails 1 '[Ff]orbidden' hubctl -n shop create secret generic never --from-literal=k=xyzzy --as zoe
    wait_for 5 "the record of a refusal, written behind the answer" says '"user":"zoe".*"code":403,"reason":"Forbidden"' last_record
    code_of 401 GET /api/v1/secrets
    wait_for 5 "the record of a refused stranger" bash -c "tail -n 1 '$AUDIT' | grep -q '\"user\":\"system:anonymous\".*\"code\":401'"
}
case_audit_id() {
    local id
    id=$(curl -sS --max-time 60 --cacert "$FLEET/hub/ca.crt" -D - -o /dev/null "$(url /api)" | tr -d '\r' | sed -n 's/^audit-id: //Ip')
    [[ $id =~ ^[0-9a-f-]{36}$ ]]
    wait_for 5 "the record of that id" grep -q "\"id\":\"$id\"" "$AUDIT"
}
case_audit_keeps_secrets() {
    local token
    token=$(bot_token)
    hubctl -n shop create secret generic canary --from-literal=k=canary-2b7e1516
    with_token "$token" 403 "/api/v1/secrets?x=canary-28aed2a6"
    ! grep -e canary-2b7e1516 -e canary-28aed2a6 -e "$(printf canary-2b7e1516 | base64)" -e "${token##*.}" "$AUDIT" "$FLEET"/logs/hub.err
}
case_audit_injection() {
    # What a client writes stays inside its text.
    code_of 401 GET /api -H 'User-Agent: x","user":"root'
    wait_for 5 "the record" grep -q '"agent":"x\\",\\"user\\":\\"root"' "$AUDIT"
    python3 -c 'import json,sys; [json.loads(line) for line in open(sys.argv[1])]' "$AUDIT"
}
case_audit_reads() {
    local before
    before=$(wc -l <"$AUDIT")
    hubctl -n shop get cm
    [ "$(wc -l <"$AUDIT")" = "$before" ]
    hub_stop
    hub_start --audit-reads 1
    hubctl -n shop get cm c
    wait_for 5 "the record of a read" grep -q '"verb":"get","resource":"configmaps","namespace":"shop","name":"c","code":200' "$AUDIT"
}
case_audit_full_disk() {
    # A log that cannot be written loses records, not requests, and says how many.
    hub_stop
    rm "$AUDIT"
    mkdir "$AUDIT"
    hub_start
    hubctl -n shop create configmap unrecorded
    rmdir "$AUDIT"
    hubctl -n shop create configmap recorded
    says '"name":"recorded"' cat "$AUDIT"
    says '"lost":[1-9]' cat "$AUDIT"
    says 'audit: .*unrecorded until it works again' cat "$FLEET/logs/hub.err"
}

must "a hub starts" hub_start
must "roles, bindings and a ServiceAccount are made" case_setup
try "the first roles are there" case_first_roles
try "a Role allows what it says" case_role_allows
try "and nothing else, in a real API server's words" case_role_refuses
try "a namespace may be read by who has a role in it" case_namespace_of_ones_own
try "paths" case_paths
try "names, also in lists of one name" case_names
try "a binding that is deleted counts no more" case_role_gone_at_once
try "aggregated ClusterRoles follow" case_aggregation
try "a binding to no role says so" case_missing_role_is_said
try "apply that creates needs create" case_apply_needs_create
try "nobody makes a role of what they do not hold" case_escalation_role
try "nor binds one" case_escalation_binding
try "nor gathers one by aggregation" case_escalation_by_aggregation
try "verbs bind and escalate" case_bind_and_escalate
try "roleRef stays" case_role_ref_stays
try "wrong roles and bindings" case_wrong_roles
try "auth reconcile" case_reconcile
try "auth can-i, --list" case_can_i
try "auth whoami" case_whoami
try "access reviews, with reasons" case_access_reviews
try "acting as others takes the right, header by header" case_impersonate
try "and its refusal is a real API server's" case_impersonation_words
try "agents stay agents" case_agents
try "strangers get four paths" case_strangers
try "a token" case_token
try "its bounds" case_token_bounds
try "tokens are discovered" case_token_in_discovery
try "who may make one" case_token_needs_right
try "forged tokens" case_forged_tokens
try "another hub's token" case_another_hubs_token
try "the token of a deleted ServiceAccount" case_deleted_account
try "a token bound to a Secret" case_bound_token
try "a token in a Secret" case_token_secret
try "TokenReview" case_token_review
try "tokens and roles survive a restart" case_tokens_survive_a_restart
try "fedctl user add: viewer" case_viewer
try "fedctl user add: operator" case_operator
try "fedctl user add: author" case_author
try "fedctl user add: admin" case_admin
try "fedctl user add: in one namespace, for some minutes" case_user_in_namespace
try "fedctl user remove" case_user_removed
try "a watch ends with its user" case_watch_removed
try "fedctl user: usage" case_user_usage
try "audit: a write, an impersonation" case_audit_write
try "audit: refused" case_audit_refused
try "audit: the id of the answer" case_audit_id
try "audit: no secrets" case_audit_keeps_secrets
try "audit: nothing injected" case_audit_injection
try "audit: reads when asked for" case_audit_reads
try "audit: a log that cannot be written" case_audit_full_disk
suite_end
