# helm.sh - the life of a release, sourced by run.
#
#   helm_cases PROGRAM NAME    PROGRAM: helm 3 or 4; NAME: of the namespace, the release and the cases

helm_chart=$ROOT/tests/clients/chart

h() { timeout 60 "$HELM" --kubeconfig "$HUB_KUBECONFIG" -n "$NS" "$@"; }
helm_value() { k -n "$NS" get "$1" "$2" -o "jsonpath=$3"; } # of an object of the release
helm_objects() { k -n "$NS" get fdeploy,fcm,cm,secret -l "app.kubernetes.io/instance=shop" -o name | sort | tr '\n' ' '; }

all_objects="configmap/shop-local federatedconfigmap.types.kubefed.io/shop-settings \
federateddeployment.types.kubefed.io/shop-web secret/shop-key "

helm_versions() { says "Version:\"v|^v[34]\." h version; }
helm_dry_run() {
    says '  before: none' h install shop "$helm_chart" --dry-run=server
    is "" helm_objects
    is "" k -n "$NS" get secret -l owner=helm -o name
}
helm_install() {
    says 'STATUS: deployed' h install shop "$helm_chart" --wait --timeout 90s
    is "$all_objects" helm_objects
    is 1 helm_value cm shop-hook '{.data.revision}'
    is "helm.sh/release.v1 deployed" helm_value secret sh.helm.release.v1.shop.v1 '{.type} {.metadata.labels.status}'
}
helm_upgrade() {
    says 'STATUS: deployed' h upgrade shop "$helm_chart" --set image=nginx:1.28,colour=blue --wait --timeout 90s
    is 'nginx:1.28 2' helm_value fdeploy shop-web '{.spec.template.spec.template.spec.containers[0].image} {.metadata.generation}'
    is 'blue green' helm_value cm shop-local '{.data.colour} {.data.before}'
    is 2 helm_value cm shop-hook '{.data.revision}'
}
# What another writer added stays; what the chart says comes back.
helm_three_way() {
    k -n "$NS" patch fdeploy shop-web --type=merge -p '{"spec":{"template":{"spec":{"paused":true}}}}'
    says 'STATUS: deployed' h upgrade shop "$helm_chart" --set image=nginx:1.29,colour=blue
    is 'nginx:1.29 true' helm_value fdeploy shop-web '{.spec.template.spec.template.spec.containers[0].image} {.spec.template.spec.paused}'
}
helm_broken() {
    fails 1 'spec.placement.clusters\[0\].name.*[Rr]equired' h upgrade shop "$helm_chart" --set broken=true,image=nginx:1.29,colour=blue
    says 'STATUS: failed' h status shop
    is 'nginx:1.29' helm_value fdeploy shop-web '{.spec.template.spec.template.spec.containers[0].image}'
}
helm_rollback() {
    says 'Rollback was a success' h rollback shop 1 --wait --timeout 90s
    is 'nginx:1.27' helm_value fdeploy shop-web '{.spec.template.spec.template.spec.containers[0].image}'
    is 'green' helm_value fcm shop-settings '{.spec.template.data.colour}'
}
helm_history() {
    is "1 superseded 2 superseded 3 superseded 4 failed 5 deployed" bash -c '"$@" | awk "NR > 1 { printf \"%s%s %s\", sep, \$1, \$7; sep = \" \" }"' - \
        "$HELM" --kubeconfig "$HUB_KUBECONFIG" -n "$NS" history shop
    says '^shop' h list
    says 'colour: green' h get manifest shop
    says 'shop is in green' h get notes shop
}
helm_again() { # upgrade --install of what is not there, and with rollback on failure
    says 'has been upgraded|STATUS: deployed' h upgrade --install other "$helm_chart" --set replicas=1
    fails 1 'Required value|required' h upgrade --install other "$helm_chart" --set broken=true "$1" --timeout 30s
    is 1 helm_value fdeploy other-web '{.spec.template.spec.replicas}'
    says 'deployed' h status other
}
helm_uninstall() {
    says 'release "shop" uninstalled' h uninstall shop --wait --timeout 90s
    is "" helm_objects
    is "" k -n "$NS" get secret -l owner=helm,name=shop -o name
    says 'release "other" uninstalled' h uninstall other --keep-history
    says 'uninstalled' h history other
}

helm_cases() {
    HELM=$1 NAME=$2 NS=$2
    export HELM_CACHE_HOME=$FLEET/$NAME/cache HELM_CONFIG_HOME=$FLEET/$NAME/config HELM_DATA_HOME=$FLEET/$NAME/data
    local atomic=--atomic
    [ "$NAME" = helm3 ] || atomic=--rollback-on-failure
    k create ns "$NS" >/dev/null
    try "$NAME: version" helm_versions
    try "$NAME: install, dry run on the server" helm_dry_run
    try "$NAME: install --wait, with a hook" helm_install
    try "$NAME: upgrade, lookup sees what is there" helm_upgrade
    try "$NAME: upgrade keeps what others wrote" helm_three_way
    try "$NAME: an upgrade that the hub refuses" helm_broken
    try "$NAME: rollback" helm_rollback
    try "$NAME: history, list, get" helm_history
    try "$NAME: upgrade --install, and back when it fails" helm_again $atomic
    try "$NAME: uninstall" helm_uninstall
}
