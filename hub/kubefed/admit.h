/* admit.h - the hooks of the kinds of core.kubefed.io: defaults where KubeFed has a mutating
 * webhook, refusals where it has a validating one.
 *
 * Source: KubeFed v0.10.0, pkg/controller/webhook. A refusal is 403 Forbidden with
 * `admission webhook "KINDS.core.kubefed.io" denied the request: FIELD: WHAT`. What of the schema
 * is wrong (422) is found before. */
#ifndef FEDLET_HUB_KUBEFED_ADMIT_H
#define FEDLET_HUB_KUBEFED_ADMIT_H

#include "hub/api/kinds.h"

/* ctx is not used in any of them. */
FED_MUST_USE enum fed_err hub_kubefed_admit_cluster(
    void *ctx, struct hub_admission *admission, struct fed_diag *diag);
FED_MUST_USE enum fed_err hub_kubefed_admit_config(
    void *ctx, struct hub_admission *admission, struct fed_diag *diag);
FED_MUST_USE enum fed_err hub_kubefed_fill_config(
    void *ctx, struct fed_json_doc *doc, struct fed_json *object);
/* The rules alone; the hub has more of its own (hub/api/federated_types.h). */
FED_MUST_USE enum fed_err hub_kubefed_admit_type(
    void *ctx, struct hub_admission *admission, struct fed_diag *diag);
FED_MUST_USE enum fed_err hub_kubefed_fill_type(
    void *ctx, struct fed_json_doc *doc, struct fed_json *object);

#endif
