/* resource.h - kinds of the Kubernetes API by the names that people give them.
 *
 * Source: kubefedctl's LookupAPIResource. A name is a kind, plural, singular, short name or
 * PLURAL.GROUP, in any case; the core group wins, any other ambiguity is refused. kubefedctl asks
 * the cluster that hosts KubeFed, which serves every type; the hub serves but a few, so that what
 * it does not serve is looked up in a table of the kinds that every Kubernetes serves
 * (cli/kinds.c). Types of a member alone are found by asking it (--cluster-context). */
#ifndef FEDLET_CLI_RESOURCE_H
#define FEDLET_CLI_RESOURCE_H

#include "cli/cli.h"

#define CLI_SHORT_NAMES_MAX 4u
#define CLI_RESOURCES_MAX 4096u /* of one API server */

struct cli_resource {
    char group[128]; /* "" for the core group */
    char version[64];
    char plural[64];
    char singular[64];
    char kind[64];
    char short_names[CLI_SHORT_NAMES_MAX][32];
    size_t n_short_names;
    bool namespaced;
    bool listed; /* can be listed */
    bool served; /* by the server that was asked, not only in the table */
    bool scaled; /* has spec.replicas (table) or a scale subresource (server) */
};

struct cli_resources {
    struct cli_resource *at;
    size_t n;
    size_t cap;
};
void cli_resources_init(struct cli_resources *all);
void cli_resources_fini(struct cli_resources *all);
FED_MUST_USE enum fed_err cli_resources_add(
    struct cli_resources *all, const struct cli_resource *one);

/* Adds what a server serves, of each resource one version: the group's preferred one, or `version`
 * when it is not NULL. server NULL: the hub. */
FED_MUST_USE enum fed_err cli_discover(struct cli *cli, struct fed_kube *server,
    const char *version, struct cli_resources *all, struct fed_diag *diag);
/* Adds the kinds of every Kubernetes that are not there yet (by plural and group), of that version
 * when it is not NULL. */
FED_MUST_USE enum fed_err cli_kinds_add(struct cli_resources *all, const char *version);

bool cli_resource_matches(const struct cli_resource *resource, const char *name);
/* The one that the name means. FED_ERR_NOT_FOUND, FED_ERR_CONFLICT with kubefedctl's sentence. */
FED_MUST_USE enum fed_err cli_resources_find(const struct cli_resources *all, const char *name,
    const struct cli_resource **out, struct fed_diag *diag);

/* The three above: of the member when server is not NULL, else of hub and table. */
FED_MUST_USE enum fed_err cli_resource_lookup(struct cli *cli, struct fed_kube *server,
    const char *name, const char *version, struct cli_resource *out, struct fed_diag *diag);

#define CLI_QUALIFIED_SIZE 200u
/* "deployments.apps", "configmaps". */
const char *cli_qualified(const char *plural, const char *group, char out[CLI_QUALIFIED_SIZE]);
/* "/apis/apps/v1/namespaces/NS/deployments[/NAME]": ns NULL or "" and name NULL leave them out;
 * both are percent-encoded. */
FED_MUST_USE enum fed_err cli_resource_path(
    struct fed_buf *out, const struct cli_resource *resource, const char *ns, const char *name);

#endif
