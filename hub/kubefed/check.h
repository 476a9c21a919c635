/* check.h - the rules of KubeFed's admission webhooks, and their defaults, over plain objects.
 *
 * Source: KubeFed v0.10.0, pkg/apis/core/v1beta1/validation and .../defaults. An absent member is
 * what an empty one is in Go. Whether members have their types is the schema's business. */
#ifndef FEDLET_HUB_KUBEFED_CHECK_H
#define FEDLET_HUB_KUBEFED_CHECK_H

#include "hub/kubefed/errors.h"

enum hub_kubefed_part { HUB_KUBEFED_SPEC, HUB_KUBEFED_STATUS };

/* KubeFedCluster. Its members are reached by their agents, so a cluster may leave out how the hub
 * would reach it; what is given must be what KubeFed accepts, and whole:
 *   - spec without any of apiEndpoint, secretRef, caBundle, proxyURL and disabledTLSValidations
 *     stands for a cluster whose agent has joined or will: nothing more is asked. That is how a
 *     cluster is registered by hand before its agent comes, to give it its labels.
 *   - a spec with any of them is one that was made for KubeFed: apiEndpoint and secretRef.name are
 *     then required as KubeFed requires them. They are kept for clients and never used: such a
 *     cluster, too, is ready only when an agent has joined under its name. */
void hub_kubefed_check_cluster(
    const struct fed_json *object, enum hub_kubefed_part part, struct hub_kubefed_errors *errors);

/* KubeFedConfig; before: NULL on create. */
void hub_kubefed_check_config(const struct fed_json *object, const struct fed_json *before,
    struct hub_kubefed_errors *errors);
/* Fills in what is absent, spells durations as Go does, and sorts the feature gates by name. */
FED_MUST_USE enum fed_err hub_kubefed_default_config(
    struct fed_json_doc *doc, struct fed_json *object);

/* FederatedTypeConfig. */
void hub_kubefed_check_type(
    const struct fed_json *object, enum hub_kubefed_part part, struct hub_kubefed_errors *errors);
/* pluralName and group of the target from the object's name; plural names of the others from their
 * kinds; group and version of the status type from the federated type. */
FED_MUST_USE enum fed_err hub_kubefed_default_type(
    struct fed_json_doc *doc, struct fed_json *object);

#endif
