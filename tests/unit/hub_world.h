/* hub_world.h - a store, objects, a plan and a status in a temporary folder, for tests of what
 * stands on them. */
#ifndef FEDLET_TESTS_UNIT_HUB_WORLD_H
#define FEDLET_TESTS_UNIT_HUB_WORLD_H

#include "hub/plan/gates.h"
#include "hub/plan/plan.h"
#include "hub/status/status.h"

struct hub_world;
/* What a test opens and closes with the rest of the world; each call may be NULL. */
struct hub_world_part {
    void *ctx;
    void (*before_plan)(void *ctx, struct hub_world *w); /* may set w->gates */
    void (*opened)(void *ctx, struct hub_world *w);
    void (*planned)(void *ctx, const struct hub_object_ref *ref); /* hub_plan_object_changed */
    void (*closing)(void *ctx, struct hub_world *w);              /* all is there still */
    void (*closed)(void *ctx, struct hub_world *w); /* the objects are, plan and status are not */
};

struct hub_world {
    char dir[64];
    struct fed_linux_loop *linux_loop;
    struct fed_loop *loop;
    struct fed_sqlite_store *sqlite;
    struct hub_objects *objects;
    struct hub_plan *plan;
    struct hub_status *status;
    unsigned changed;                  /* calls of hub_plan_changed */
    struct fed_alloc *plan_mem;        /* the same; NULL: the system's */
    const struct hub_gates *gates;     /* of the plan, when it is opened; NULL: none */
    const struct hub_world_part *part; /* NULL: none */
};

void hub_world_open(struct hub_world *w);
void hub_world_open_with(struct hub_world *w, const struct hub_world_part *part);
/* With the types, clusters c1, c2 and c3 of those labels, and FederatedNamespace ns in all of them.
 */
void hub_world_open_three(struct hub_world *w, const char *const labels[3]);
void hub_world_make_three(struct hub_world *w, const char *const labels[3]); /* what is in it */
void hub_world_close(struct hub_world *w);
/* cmocka's set-up of a world of three clusters without labels, and the tear-down of any. */
int hub_world_three(void **state);
int hub_world_end(void **state);
void hub_world_restart(struct hub_world *w); /* all but the store's file is made anew */
void hub_world_settle(struct hub_world *w);  /* runs what is deferred */
/* Writes (JSON with single quotes for double ones) or removes, then settles. */
void hub_world_put(
    struct hub_world *w, const char *resource, const char *ns, const char *name, const char *json);
/* The same of one write, NULL: a removal, that is neither flushed nor settled. */
void hub_world_stage(
    struct hub_world *w, const char *resource, const char *ns, const char *name, const char *json);
void hub_world_remove(struct hub_world *w, const char *resource, const char *ns, const char *name);
void hub_world_cluster(struct hub_world *w, const char *name, const char *labels);
void hub_world_types(struct hub_world *w); /* Namespace, ConfigMap, Deployment, ClusterRole */
/* FederatedConfigMap ns/x with KubeFed's finalizer; and one that is being deleted, with more in its
 * metadata. */
void hub_world_put_map(struct hub_world *w, const char *spec);
void hub_world_put_deleting_map(struct hub_world *w, const char *metadata);
/* The cluster says that nothing is left of what it was to remove. */
void hub_world_confirm(struct hub_world *w, const char *cluster);
size_t hub_world_maps(struct hub_world *w, const char *cluster); /* ConfigMaps of its manifest */
/* The clusters, of c1 c2 c3, whose manifest has a work like "ConfigMap/ns/x": "c1 c3". */
const char *hub_world_where(struct hub_world *w, const char *work);
/* "NAME[+ overrides][= held][! orphan]" of the cluster's works of a kind, sorted, comma-separated:
 * "ConfigMap/ns/a,Namespace//ns". */
const char *hub_world_works(struct hub_world *w, const char *cluster);
uint64_t hub_world_revision(struct hub_world *w, const char *cluster);
/* The object with its composed status, compact JSON. */
const char *hub_world_composed(
    struct hub_world *w, const char *resource, const char *ns, const char *name);

/* The object as it is stored, "(absent)" when it is not. */
const char *hub_world_stored(
    struct hub_world *w, const char *resource, const char *ns, const char *name);
void hub_world_wait(unsigned ms); /* for what has seconds in it */

#define W_VERSIONS "propagatedversions.core.kubefed.io"
#define W_CLUSTER_VERSIONS "clusterpropagatedversions.core.kubefed.io"
#define W_SERVICE_STATUSES "federatedservicestatuses.core.kubefed.io"
#define W_CONFIGMAPS "federatedconfigmaps.types.kubefed.io"
#define W_DEPLOYMENTS "federateddeployments.types.kubefed.io"
#define W_NAMESPACES "federatednamespaces.types.kubefed.io"
#define W_CLUSTERROLES "federatedclusterroles.types.kubefed.io"
#define W_CLUSTERS "kubefedclusters.core.kubefed.io"
#define W_TYPES "federatedtypeconfigs.core.kubefed.io"
#define W_SYSTEM "kube-federation-system"

#endif
