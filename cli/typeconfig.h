/* typeconfig.h - a FederatedTypeConfig and the CustomResourceDefinition of its federated type, as
 * `kubefedctl enable` makes them (sigs.k8s.io/kubefed v0.10.0, pkg/kubefedctl/enable).
 *
 * Deviates in one point: spec.template is in the schema of every federated type. kubefedctl leaves
 * it out when the target is a custom resource without properties, and KubeFed then prunes every
 * template. */
#ifndef FEDLET_CLI_TYPECONFIG_H
#define FEDLET_CLI_TYPECONFIG_H

#include "cli/flags.h"
#include "cli/resource.h"

#define CLI_FEDERATED_GROUP "types.kubefed.io"
#define CLI_FEDERATED_VERSION "v1beta1"

struct cli_typeconfig {
    char name[CLI_QUALIFIED_SIZE]; /* PLURAL[.GROUP] of the target */
    struct cli_resource target;
    struct cli_resource federated;
};

/* FED_ERR_LIMIT with diag when a name of the federated type would be too long. */
FED_MUST_USE enum fed_err cli_typeconfig_make(const struct cli_resource *target, const char *group,
    const char *version, struct cli_typeconfig *out, struct fed_diag *diag);
/* From a stored FederatedTypeConfig. FED_ERR_INVALID with diag. */
FED_MUST_USE enum fed_err cli_typeconfig_read(
    const struct fed_json *object, struct cli_typeconfig *out, struct fed_diag *diag);
/* The stored one of that name. FED_ERR_NOT_FOUND. */
FED_MUST_USE enum fed_err cli_typeconfig_get(struct cli *cli, const char *ns, const char *name,
    struct fed_json **object, struct fed_diag *diag);

/* Trees in cli->doc; NULL when out of memory. retains: the schema has spec.retainReplicas. */
struct fed_json *cli_typeconfig_object(struct cli *cli, const struct cli_typeconfig *config);
struct fed_json *cli_typeconfig_definition(
    struct cli *cli, const struct cli_typeconfig *config, bool retains);

/* Adds to the spec of a stored definition what the wanted one has beyond it: properties and short
 * names. What it has itself stays, the hub's own fields and versions among it; a definition without
 * the wanted version gets the wanted spec instead. *changed: whether anything was. FED_ERR_NOMEM.
 */
FED_MUST_USE enum fed_err cli_typeconfig_complete(
    struct cli *cli, struct fed_json *stored, const struct fed_json *wanted, bool *changed);

/* Whether the target has spec.replicas as an int32: from its CustomResourceDefinition on that
 * server (NULL: the hub), else from resource->scaled. */
FED_MUST_USE enum fed_err cli_typeconfig_retains(struct cli *cli, struct fed_kube *server,
    const struct cli_resource *target, bool *out, struct fed_diag *diag);

/* Creates or updates both on the hub and says so on stdout as kubefedctl does; refuses what it
 * refuses. With common->dry_run it only says. */
FED_MUST_USE enum fed_err cli_typeconfig_install(struct cli *cli, const struct cli_common *common,
    const struct cli_typeconfig *config, bool retains, struct fed_diag *diag);

/* Whether two APIs of a plural are the same objects (extensions and apps, say). */
bool cli_typeconfig_equivalent(const struct cli_resource *a, const struct cli_resource *b);

/* "/apis/core.kubefed.io/v1beta1/namespaces/NS/federatedtypeconfigs[/NAME]" */
#define CLI_TYPECONFIG_PATH_SIZE 600u
void cli_typeconfig_path(const char *ns, const char *name, char out[CLI_TYPECONFIG_PATH_SIZE]);

#endif
