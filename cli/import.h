/* import.h - what fedctl import takes over from a KubeFed installation, and in what order.
 *
 * Source: an API server where KubeFed v0.10 ran (--from CONTEXT), or what kubectl printed of it (-f
 * FILE: documents, lists). Of each object only what people wrote is kept: name, namespace, labels,
 * annotations, spec. Everything else belongs to the old installation (uid, finalizers, status,
 * ...).
 *
 * Not taken over, because the hub makes its own: status, PropagatedVersions,
 * CustomResourceDefinitions of federated types, the members' credentials. Clusters join by their
 * agents; their labels are added to those that have joined under the same name, because placements
 * select by them. */
#ifndef FEDLET_CLI_IMPORT_H
#define FEDLET_CLI_IMPORT_H

#include "cli/flags.h"
#include "cli/resource.h"

#define CLI_IMPORT_OBJECTS_MAX 200000u
#define CLI_IMPORT_PAGE 500u

/* The order in which they are written: a type is served before objects of it come, a namespace is
 * there before what lies in it. */
enum cli_import_stage {
    CLI_IMPORT_CONFIG,     /* KubeFedConfig */
    CLI_IMPORT_TYPES,      /* FederatedTypeConfig */
    CLI_IMPORT_NAMESPACES, /* Namespaces that hold federated objects */
    CLI_IMPORT_FEDERATED_NAMESPACES,
    CLI_IMPORT_FEDERATED,
    CLI_IMPORT_PREFERENCES, /* ReplicaSchedulingPreference */
    CLI_IMPORT_CLUSTERS,    /* KubeFedCluster: labels only */
    CLI_IMPORT_STAGES
};

struct cli_import {
    struct cli *cli;
    const char *system_ns;                     /* of the old installation */
    struct fed_json *stage[CLI_IMPORT_STAGES]; /* arrays of objects */
    struct fed_json *unknown;                  /* objects of kinds that no type read so far names */
    size_t n;
    size_t ignored;         /* objects of kinds that are not taken over */
    char ignored_kind[128]; /* the first of them */
    struct fed_diag *diag;
};

FED_MUST_USE enum fed_err cli_import_init(struct cli_import *import);
/* Reads all of it. FED_ERR_CONFLICT with diag when KubeFed still runs there and running is false:
 * two masters would write to the same clusters. */
FED_MUST_USE enum fed_err cli_import_read_server(
    struct cli_import *import, struct fed_kube *server, const char *context, bool running);
FED_MUST_USE enum fed_err cli_import_read_file(struct cli_import *import, const char *path);
/* A tree with only what people wrote; NULL when out of memory. */
struct fed_json *cli_import_clean(struct cli *cli, const struct fed_json *object);

#endif
