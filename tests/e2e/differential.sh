#!/bin/bash
# differential.sh - the hub next to a real kube-apiserver of the same minor version, with the same kinds: the same requests to
# both, and every difference that docs/kubernetes-api.md does not list. Prints TAP.
#
#   tests/e2e/differential.sh [OPTIONS of differential/main.py]
# PARTS (wire,verbs,random): requests as they stand; the real kubectl; seeded operations, OPERATIONS (5000) of SEED (1), which a
# kube-apiserver answers in half a minute when it has two processors for itself.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/suite.sh"

[ -x "$KUBE" ] || {
    skip "differential" "no control plane: tests/kube/build"
    suite_end
}
member_up theirs &
upstream=$!
hub_start
wait "$upstream"
code=0
python3 "$(dirname "${BASH_SOURCE[0]}")/differential/main.py" --theirs "$FLEET/theirs/kube/admin.kubeconfig" \
    --ours "$FLEET/hub/admin.kubeconfig" --kubectl "$KUBE kubectl" --folder "$FLEET/kubectl" --parts "${PARTS:-wire,verbs,random}" \
    --operations "${OPERATIONS:-5000}" --seed "${SEED:-1}" "$@" || code=$?
exit "$code"
