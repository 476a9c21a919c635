/* schedule.h - spreads replicas: for each ReplicaSchedulingPreference (scheduling.kubefed.io) the
 * federated object of the same namespace and name gets its placement.clusters and one override of
 * /spec/replicas per cluster, as KubeFed's scheduler writes them.
 *
 * Source: KubeFed v0.10.0 pkg/schedulingtypes, pkg/controller/schedulingpreference. Arithmetic:
 * proto/schedule/replicas.h, key "namespace/name".
 *
 * What is different, and why:
 * - targetKind is any federated kind whose target has spec.replicas: Deployment, ReplicaSet,
 *   StatefulSet and ReplicationController, others when the template sets it.
 * - Only clusters count that the object's namespace is placed in, by list, selector or label, as
 *   soon as that is federated at all: replicas are not given to a cluster that could not have the
 *   object. KubeFed looks at the
 *   namespace with intersectWithClusterSelector alone, and then at its selector only.
 * - A cluster that is not ready keeps its share for KubeFedConfig's controllerDuration.
 *   unavailableDelay (60 s), whatever else changes meanwhile; one that was given up counts again
 *   availableDelay (20 s) after it came back. A cluster that is new counts at once for preferences
 *   that change, and for all others after availableDelay.
 * - A new preference waits up to 3 s for what agents say of pods, where a cluster holds the object
 *   already: what runs is not moved for want of knowing.
 * - A pod counts as running when its Ready condition is True; KubeFed takes any.
 *
 * What agents report of pods (proto/bundle/report.h) is kept in rows "p/" cluster NUL resource NUL
 * namespace NUL name: varints replicas, ready, running, unschedulable. It is acted on after 10 s,
 * KubeFed's own delay, so that a rollout is not answered step by step.
 *
 * Nothing happens without a change: no polling. A hand-edited override is put back, since the edit
 * is a change of the object. Deleting a preference leaves what it wrote. With the feature gate
 * SchedulerPreferences off, or the type's propagation disabled, nothing is written. What cannot be
 * done is told by Events on the preference. */
#ifndef FEDLET_HUB_SCHEDULE_SCHEDULE_H
#define FEDLET_HUB_SCHEDULE_SCHEDULE_H

#include "hub/api/events.h"
#include "hub/plan/plan.h"
#include "hub/status/status.h"

struct hub_schedule;

struct hub_schedule_options { /* all of it outlives the scheduler */
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct hub_objects *objects;
    const struct hub_kinds *kinds; /* NULL: nobody is noted as manager of the fields */
    struct hub_plan *plan;
    struct hub_status *status;
    struct hub_events *events; /* NULL: no events */
};
/* Takes over hub_status_on_scaled. */
FED_MUST_USE enum fed_err hub_schedule_open(
    const struct hub_schedule_options *options, struct hub_schedule **out, struct fed_diag *diag);
void hub_schedule_close(struct hub_schedule *schedule);
/* The plan of a federated object changed (hub_plan_object_changed). */
void hub_schedule_planned(struct hub_schedule *schedule, const struct hub_object_ref *ref);

#endif
