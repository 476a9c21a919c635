/* federate.h - a federated object from an ordinary one, as `kubefedctl federate` makes it
 * (sigs.k8s.io/kubefed v0.10.0, pkg/kubefedctl/federate).
 *
 * The template keeps everything but apiVersion, kind, status and all metadata except labels;
 * fields that a cluster's controllers set go as well: a Namespace's spec.finalizers, a
 * ServiceAccount's secrets, a Service's clusterIP, clusterIPs and nodePorts. Placement is every
 * cluster. */
#ifndef FEDLET_CLI_FEDERATE_H
#define FEDLET_CLI_FEDERATE_H

#include "cli/typeconfig.h"

/* A tree in cli->doc that takes parts of object, which is not to be used any more. Says on stderr
 * when annotations are left out. FED_ERR_INVALID with diag for an object without a name. */
FED_MUST_USE enum fed_err cli_federate(struct cli *cli, const struct cli_typeconfig *config,
    struct fed_json *object, struct fed_json **out, struct fed_diag *diag);

/* The type of an object of a file: names are guessed, as kubefedctl does without a server.
 * FED_ERR_INVALID with diag. */
FED_MUST_USE enum fed_err cli_federate_guess(
    const struct fed_json *object, struct cli_typeconfig *out, struct fed_diag *diag);

#endif
