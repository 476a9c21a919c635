#!/bin/bash
# definitions.sh - what other projects publish (Gateway API, cert-manager, Cluster API, Tekton, Knative, Argo CD, Flux), on a hub and
# on a real kube-apiserver: their CustomResourceDefinitions and every object that they ship. Prints TAP.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
"$here/../definitions/build" || exit 1
if [ ! -e "$here/../../build/definitions" ]; then
    echo "ok 1 - definitions # SKIP $(cat "$here/../../build/definitions.missing")"
    echo "1..1"
    exit 0
fi
PARTS=published exec "$here/differential.sh" --definitions "$here/../../build/definitions" "$@"
