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
#include "proto/bundle/consent.h"
#include "proto/bundle/frame.h"

struct hub_plan;
struct hub_gates;

/* Called after a round of changes, once per cluster whose manifest changed. */
typedef void hub_plan_changed(void *ctx, struct fed_span cluster, uint64_t revision);
/* Called when the planned state of a federated object changed (placement, error): status composes
 * it on read. */
typedef void hub_plan_object_changed(
    void *ctx, const struct hub_object_ref *ref, uint64_t revision);

/* gates: who decides which version of an object a cluster gets (gates.h); NULL: nobody. */
FED_MUST_USE enum fed_err hub_plan_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, struct hub_objects *objects, const struct hub_kinds *kinds,
    const struct hub_gates *gates, struct hub_plan **out, struct fed_diag *diag);
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
    HUB_POLICY_WAITS    /* the same, but the copy stays until its removal has its turn */
};
struct hub_planned_cluster {
    struct fed_span cluster;
    bool fresh;          /* its state is new with the round that is being told of */
    bool selected;       /* false: its removal is still awaited */
    const char *error;   /* "" or KubeFed's status: ApplyOverridesFailed, ComputeResourceFailed */
    const char *message; /* sentence for error or policy, "" when none */
    enum hub_planned_policy policy;
    const char *held;        /* why what is new for it waits; NULL: nothing does */
    bool gated;              /* so it is by a rollout (gates.h): it has not the latest version, or
                                is not to have it */
    bool awaits_consent;     /* it is to leave, and stays until somebody consents */
    uint64_t since_revision; /* manifest revision in which the work last changed, or was removed */
    size_t index; /* of the work in the cluster's present manifest; SIZE_MAX when it is not in it */
    uint64_t revision;           /* of the cluster's present manifest */
    const struct fed_work *work; /* what is sent or awaited; NULL when nothing could be */
};
/* Whether the members' .status comes back (work option FED_WORK_STATUS), and into what. */
enum hub_collect {
    HUB_COLLECT_NOTHING,
    HUB_COLLECT_REMOTE,  /* status.clusters[].remoteStatus: statusCollection of the type, and the
                            feature gate RawResourceStatusCollection */
    HUB_COLLECT_STATUSES /* objects of the type's statusType; KubeFed has them for services only,
                            and not while the gate is on */
};
struct hub_planned {
    enum hub_placement_problem problem;
    enum hub_collect collect;
    const char *message;
    const struct hub_planned_cluster *clusters; /* by name */
    size_t n_clusters;
    size_t n_forbidden, n_waiting; /* of them, by policies */
    int64_t observed_generation;
    bool deleting;
    bool orphan;               /* its copies are to stay */
    bool governed;             /* by a rollout policy: see gates.h */
    struct fed_work target;    /* kind, namespace and name in the member, nothing else */
    bool template_annotations; /* the template has some, which are left out */
    bool template_finalizers;
};
/* Whether the object is a FederatedNamespace whose name is not that of its namespace: then it means
 * nothing, and the plan has nothing else to say about it. */
bool hub_plan_is_misnamed(struct hub_plan *plan, const struct hub_object_ref *ref);
/* FED_ERR_NOT_FOUND. Valid until the next change. */
FED_MUST_USE enum fed_err hub_plan_object(
    struct hub_plan *plan, const struct hub_object_ref *ref, struct hub_planned *out);
/* What the FederatedTypeConfig of a federated resource says. Texts are valid until the next change.
 */
struct hub_planned_type {
    const char *target_kind;
    bool namespaced; /* the federated kind */
    bool enabled;
    enum hub_collect collect;
    const char *status_resource; /* of statusType, "" for none */
    const char *status_kind;
    const char *status_api_version;
};
/* FED_ERR_NOT_FOUND for a resource that is no federated type. */
FED_MUST_USE enum fed_err hub_plan_type(
    struct hub_plan *plan, struct fed_span resource, struct hub_planned_type *out);
/* The federated object whose PropagatedVersion has that name: lower case target kind, "-", the
 * object's name. ns empty: those of the cluster-scoped types. FED_ERR_NOT_FOUND. */
FED_MUST_USE enum fed_err hub_plan_version_object(struct hub_plan *plan, struct fed_span ns,
    struct fed_span version_name, struct fed_span object_name, struct hub_object_ref *out);
/* The federated object with that name of the type that has this statusType. FED_ERR_NOT_FOUND. */
FED_MUST_USE enum fed_err hub_plan_status_object(struct hub_plan *plan,
    struct fed_span status_resource, struct fed_span ns, struct fed_span name,
    struct hub_object_ref *out);
/* Where a work of that identity stands in the cluster's manifest of that revision, present or
 * remembered. false when there is no such manifest or no such work. */
bool hub_plan_work_index(struct hub_plan *plan, struct fed_span cluster, uint64_t revision,
    const struct fed_work *identity, size_t *index);
/* Names of the registered clusters, in order; empty behind the last. Valid until the next change.
 */
struct fed_span hub_plan_cluster_at(const struct hub_plan *plan, size_t index);
/* Every federated object of the enabled types that is not on its way out. */
typedef void hub_plan_each_federated(void *ctx, const struct hub_object_ref *ref);
void hub_plan_federated_objects(struct hub_plan *plan, hub_plan_each_federated *each, void *ctx);
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

/* The federated type of a kind ("FederatedDeployment"), as a replica scheduler sees it. Texts are
 * valid until the next change. FED_ERR_NOT_FOUND. */
struct hub_scaled_type {
    const char *resource;
    const char *target_api_version;
    const char *target_kind;
    bool namespaced;
    bool enabled;
};
FED_MUST_USE enum fed_err hub_plan_scaled_type(
    struct hub_plan *plan, struct fed_span federated_kind, struct hub_scaled_type *out);
/* The members' kinds of all types whose objects are propagated. Texts are valid until the next
 * change. Return false to stop. */
struct hub_federated_kind {
    const char *api_version;
    const char *kind;
    const char *plural;
};
typedef bool hub_plan_each_kind(void *ctx, const struct hub_federated_kind *kind);
void hub_plan_kinds(struct hub_plan *plan, hub_plan_each_kind *each, void *ctx);
/* Whether a scheduler may count on the cluster for objects of the namespace: its
 * FederatedNamespace's placement, by list or selector, or the namespace's label, says so, or
 * nothing says where the namespace goes, in which case KubeFed's scheduler takes any cluster, too.
 */
bool hub_plan_namespace_in(struct hub_plan *plan, struct fed_span ns, struct fed_span cluster);

/* Whether PlacementPolicies let the object be in the cluster; so they do while its copy there waits
 * for its removal. True for what is not planned. */
bool hub_plan_may_be_in(
    struct hub_plan *plan, const struct hub_object_ref *ref, struct fed_span cluster);

/* Admission of federated objects: refuses clusters that a PlacementPolicy forbids, keeps KubeFed's
 * finalizer on them, warns of what cannot work (hub/kubefed/warn.h). */
FED_MUST_USE enum fed_err hub_plan_admit(
    struct hub_plan *plan, struct hub_admission *admission, struct fed_diag *diag);

/* Told by status: whether the cluster is out of reach. What it still holds of objects that are to
 * go is not waited for then: its manifest has no such works any more, so its agent removes them
 * from its own inventory when it is back. Copies that must stay, or go with certain options, are
 * waited for: only the manifest says so. */
void hub_plan_away(struct hub_plan *plan, struct fed_span cluster, bool away);

/* From now on what is new for the cluster waits, and why is what its objects say; "": no longer,
 * and what waited goes in one change. Urgent objects (annotation fedlet.io/urgent: "true"),
 * namespaces, and whatever is to go, do not wait. until_unix_s: as far as is known; 0: it is not.
 */
void hub_plan_hold(
    struct hub_plan *plan, struct fed_span cluster, const char *why, int64_t until_unix_s);
size_t hub_plan_held(struct hub_plan *plan, struct fed_span cluster); /* objects that wait */

/* Told by the gateway: what the cluster's agent understands (proto/link/knows.h). Remembered with
 * the store; FED_LINK_KNOWS_FIRST until it was told. */
void hub_plan_agent_knows(struct hub_plan *plan, struct fed_span cluster, uint64_t knows);
uint64_t hub_plan_knows(struct hub_plan *plan, struct fed_span cluster);

/* ---- removals in bulk that nobody ordered by name (proto/bundle/consent.h) ---- */
/* The limit of clusters that have none of their own (annotation fedlet.io/removal-consent). */
void hub_plan_consent_limit(struct hub_plan *plan, const struct fed_consent_limit *limit);
struct hub_plan_consent {
    size_t n;             /* works that stay until somebody consents */
    size_t n_agent;       /* of them: out of the manifest, and held back by the cluster's agent */
    size_t works;         /* that the cluster had when the first began to wait */
    int64_t since_unix_s; /* when that was */
    const char *id;       /* which consent names: annotation fedlet.io/approve-removal */
};
/* false: nothing waits. Valid until the next change. */
bool hub_plan_consent(struct hub_plan *plan, struct fed_span cluster, struct hub_plan_consent *out);
/* The sentence for people. */
void hub_plan_consent_say(
    const struct hub_plan_consent *consent, struct fed_span cluster, struct fed_buf *out);
/* Adds to the hooks of KubeFedCluster: status.removal and the condition RemovalAwaitsConsent; and
 * who may write the two annotations, and what. */
void hub_plan_consent_hooks(struct hub_plan *plan, struct hub_kind_hooks *hooks);
/* Something to tell people: an Event about the cluster. */
typedef void hub_plan_told(
    void *ctx, struct fed_span cluster, bool warning, const char *reason, const char *message);
void hub_plan_on_consent(struct hub_plan *plan, hub_plan_told *told, void *ctx);
/* Told by status: what the cluster's agent holds back by itself, by the ids of reports. */
void hub_plan_asked(
    struct hub_plan *plan, struct fed_span cluster, const struct fed_span *ids, size_t n);
/* Called when the cluster's agent should ask for its orders. */
typedef void hub_plan_orders_changed(void *ctx, struct fed_span cluster);
void hub_plan_on_orders(struct hub_plan *plan, hub_plan_orders_changed *changed, void *ctx);
/* Appends the answer to GET /r. FED_ERR_NOT_FOUND for a cluster that is not registered,
 * FED_ERR_CORRUPT while nobody knows: it is to ask again (consent.h). */
FED_MUST_USE enum fed_err hub_plan_orders_put(
    struct hub_plan *plan, struct fed_span cluster, struct fed_buf *out);
/* hub_plan_manifest_at, as the base of a frame: works that left by an order or by consent have the
 * mark FED_WORK_ORDERED, when the cluster's agent understands it. */
FED_MUST_USE enum fed_err hub_plan_manifest_base(struct hub_plan *plan, struct fed_span cluster,
    uint64_t revision, const struct fed_manifest **out);

/* Hooks of PlacementPolicies: what is wrong with one, and how far its removals are. */
void hub_plan_policy_hooks(struct hub_plan *plan, struct hub_kind_hooks *hooks);

/* Told by status: the cluster confirmed that it holds nothing any more of works removed up to that
 * manifest revision except those listed ("apiVersion/Kind/namespace/name"). Finalizers of deleted
 * objects go when nobody is awaited. */
void hub_plan_removed(struct hub_plan *plan, struct fed_span cluster, uint64_t revision,
    const struct fed_span *still_there, size_t n_still_there);

#endif
