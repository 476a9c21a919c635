/* plan.h - from stored objects to what each cluster should run. A pure function of the objects,
 * kept up to date change by change: only what a change touches is computed again.
 *
 * Semantics: KubeFed's placement (absent is not empty), namespace intersection, overrides,
 * deletion; and the three conveniences of short forms: a Namespace labelled federated: "true" is
 * federated to every cluster; in such a namespace a federated object without any placement follows
 * the namespace's.
 *
 * A cluster's manifest has a revision: the store revision of the commit that recorded its change
 * (row "b/" cluster: revision, digest), so it survives restarts, and a restart that computes the
 * same manifest gives the same revision. */
#ifndef FEDLET_HUB_PLAN_PLAN_H
#define FEDLET_HUB_PLAN_PLAN_H

#include "hub/api/kinds.h"
#include "hub/store/objects.h"
#include "ports/log.h"
#include "proto/bundle/frame.h"

struct hub_plan;

/* Called after a round of changes, once per cluster whose manifest changed. */
typedef void hub_plan_changed(void *ctx, struct fed_span cluster, uint64_t revision);
/* Called when the planned state of a federated object changed (placement, error): status composes
 * it on read. */
typedef void hub_plan_object_changed(
    void *ctx, const struct hub_object_ref *ref, uint64_t revision);

FED_MUST_USE enum fed_err hub_plan_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, struct hub_objects *objects, const struct hub_kinds *kinds,
    struct hub_plan **out, struct fed_diag *diag);
void hub_plan_close(struct hub_plan *plan);
void hub_plan_on_change(struct hub_plan *plan, hub_plan_changed *changed,
    hub_plan_object_changed *object_changed, void *ctx);

/* How large it is, and how much was computed since the start: a change computes the pairs of object
 * and cluster that it touches. */
struct hub_plan_counts {
    size_t objects, clusters;
    size_t pairs; /* of an object and a cluster that has, or had, to do with it */
    size_t works; /* different ones: clusters that get the same share one */
    uint64_t computed;
};
void hub_plan_counts(const struct hub_plan *plan, struct hub_plan_counts *out);

/* The cluster's present manifest; valid until the next change. FED_ERR_NOT_FOUND for a cluster that
 * is not registered. */
FED_MUST_USE enum fed_err hub_plan_manifest(
    struct hub_plan *plan, struct fed_span cluster, const struct fed_manifest **out);
/* An earlier one that is still remembered (the last few revisions, in memory). FED_ERR_NOT_FOUND.
 */
FED_MUST_USE enum fed_err hub_plan_manifest_at(struct hub_plan *plan, struct fed_span cluster,
    uint64_t revision, const struct fed_manifest **out);
/* fed_blob_lookup over all blobs of remembered manifests; ctx is the plan. */
enum fed_err hub_plan_blob(void *plan, const struct fed_digest *digest, struct fed_span *out);
uint32_t hub_plan_epoch(const struct hub_plan *plan);

/* What the plan says about one federated object. */
enum hub_placement_problem {
    HUB_PLACEMENT_OK,
    HUB_PLACEMENT_NAMESPACE_NOT_FEDERATED,
    HUB_PLACEMENT_COMPUTE_FAILED, /* bad selector: diag in message */
};
/* What PlacementPolicies say of a cluster that is selected. */
enum hub_planned_policy {
    HUB_POLICY_FREE,
    HUB_POLICY_FORBIDS, /* it is left out; message names the policy */
    HUB_POLICY_HOLDS    /* the same, but the copy stays until its removal has its turn */
};
struct hub_planned_cluster {
    struct fed_span cluster;
    bool selected;       /* false: its removal is still awaited */
    const char *error;   /* "" or KubeFed's status: ApplyOverridesFailed, ComputeResourceFailed */
    const char *message; /* sentence for error or policy, "" when none */
    enum hub_planned_policy policy;
    uint64_t since_revision; /* manifest revision in which the work last changed, or was removed */
    size_t index; /* of the work in the cluster's present manifest; SIZE_MAX when it is not in it */
    uint64_t revision;           /* of the cluster's present manifest */
    const struct fed_work *work; /* what is sent or awaited; NULL when nothing could be */
};
struct hub_planned {
    enum hub_placement_problem problem;
    const char *message;
    const struct hub_planned_cluster *clusters; /* by name */
    size_t n_clusters;
    size_t n_forbidden, n_held; /* of them, by policies */
    int64_t observed_generation;
};
/* FED_ERR_NOT_FOUND. Valid until the next change. */
FED_MUST_USE enum fed_err hub_plan_object(
    struct hub_plan *plan, const struct hub_object_ref *ref, struct hub_planned *out);
/* The federated object that a work comes from, by the work's identity. FED_ERR_NOT_FOUND when the
 * cluster's present manifest has no such work. */
FED_MUST_USE enum fed_err hub_plan_work_object(struct hub_plan *plan, struct fed_span cluster,
    const struct fed_work *identity, struct hub_object_ref *out);
/* Every object with something planned or awaited in the cluster. */
typedef void hub_plan_each_object(void *ctx, const struct hub_object_ref *ref);
void hub_plan_cluster_objects(
    struct hub_plan *plan, struct fed_span cluster, hub_plan_each_object *each, void *ctx);
/* Those of them whose work changed after that revision of the manifest, or is on its way out. */
void hub_plan_cluster_objects_since(struct hub_plan *plan, struct fed_span cluster,
    uint64_t revision, hub_plan_each_object *each, void *ctx);

/* Admission of federated objects: refuses clusters that a PlacementPolicy forbids, keeps KubeFed's
 * finalizer on them, warns of overrides and clusters that cannot work. */
FED_MUST_USE enum fed_err hub_plan_admit(
    struct hub_plan *plan, struct hub_admission *admission, struct fed_diag *diag);

/* Hooks of PlacementPolicies: what is wrong with one, and how far its removals are. */
void hub_plan_policy_hooks(struct hub_plan *plan, struct hub_kind_hooks *hooks);

/* Told by status: the cluster confirmed that it holds nothing any more of works removed up to that
 * manifest revision except those listed ("apiVersion/Kind/namespace/name"). Finalizers of deleted
 * objects go when nobody is awaited. */
void hub_plan_removed(struct hub_plan *plan, struct fed_span cluster, uint64_t revision,
    const struct fed_span *still_there, size_t n_still_there);

#endif
