/* rollout.h - fleet rollouts: who decides which version of a federated object each cluster gets.
 *
 * A RolloutPolicy governs objects of its namespace. Each change of what such an object says (its
 * content: content.h) becomes a Rollout, which goes through the clusters as the policy says; the
 * engine (engine.h) decides, a pure function of what is stored, of what agents report and of time.
 * This part keeps what the engine needs, does what it says, and shows it.
 *
 *   stored write --taken()--> begin: Rollout, record, rows     in the commit of the write
 *   report, liveness, time, action --> step: facts in, decisions out --> record, rows, status
 *                                      in one commit with the manifests that follow from them
 *   plan --choose()--> version of an object for a cluster
 *
 * Stored beside the objects:
 *   V/ UID / NAME        a version's bytes (UID of the federated object, NAME 32 bytes: name.c)
 *   V-key                the key of versions' names
 *   w/ UID /             the record of a rollout (UID of the Rollout): varint number of the last
 *                        action that it has in it, then the engine's record
 *   w/ UID / CLUSTER     the engine's row of a cluster
 * A step is one commit, made on condition that nobody else stepped the rollout meanwhile
 * (status.step): whoever lost reads everything again. Nothing is kept in memory alone but facts,
 * which the agents' reports give again.
 *
 * Actions of people come as annotations of the Rollout, are checked and recorded at admission and
 * take effect in the same flush. */
#ifndef FEDLET_HUB_ROLLOUT_ROLLOUT_H
#define FEDLET_HUB_ROLLOUT_ROLLOUT_H

#include "hub/api/events.h"
#include "hub/plan/gates.h"
#include "hub/plan/plan.h"
#include "hub/status/status.h"
#include "ports/crypto.h"
#include "ports/fs.h"

#define HUB_ROLLOUTS "rollouts.fedlet.io"
#define HUB_ROLLOUT_POLICIES "rolloutpolicies.fedlet.io"
#define HUB_ROLLOUT_POLICY_ANNOTATION "fedlet.io/rollout-policy"
#define HUB_ROLLOUT_ACTION_ANNOTATION "fedlet.io/action"
#define HUB_ROLLOUT_REASON_ANNOTATION "fedlet.io/reason"

struct hub_rollouts;

struct hub_rollouts_options { /* all of it outlives the rollouts */
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct hub_objects *objects;
    struct fed_fs *fs;    /* of the time zones; NULL: none are known */
    const char *zone_dir; /* NULL: the system's */
    struct fed_crypto *crypto;
    uint32_t rest_ms; /* quiet time after which an engine rests (engine.h); 0: five minutes */
};
/* Reads policies, rollouts and their rows. Comes before the plan, which asks it. Rollouts of which
 * something cannot be read are shown with condition Readable "False", their clusters keep what they
 * have, and all others go on. */
FED_MUST_USE enum fed_err hub_rollouts_open(
    const struct hub_rollouts_options *options, struct hub_rollouts **out, struct fed_diag *diag);
/* For the plan. Between open and attach the answers are those of the stored rows. */
void hub_rollouts_gates(struct hub_rollouts *rollouts, struct hub_gates *out);
/* Plan and status are there: rollouts go on. events: NULL: none. Takes over hub_status_on_moved. */
FED_MUST_USE enum fed_err hub_rollouts_attach(struct hub_rollouts *rollouts, struct hub_plan *plan,
    struct hub_status *status, struct fed_diag *diag);
void hub_rollouts_tell(struct hub_rollouts *rollouts, struct hub_events *events);
/* Plan and status are not asked any more. */
void hub_rollouts_detach(struct hub_rollouts *rollouts);
void hub_rollouts_close(struct hub_rollouts *rollouts);

/* The plan of a federated object changed (hub_plan_object_changed). */
void hub_rollouts_planned(struct hub_rollouts *rollouts, const struct hub_object_ref *ref);

/* Hooks: RolloutPolicies are checked, Rollouts steered and read, and who writes a federated object
 * is noted (inner: the hooks that these had; kept in rollouts). */
void hub_rollouts_policy_hooks(struct hub_rollouts *rollouts, struct hub_kind_hooks *hooks);
void hub_rollouts_rollout_hooks(struct hub_rollouts *rollouts, struct hub_kind_hooks *hooks);
void hub_rollouts_federated_hooks(struct hub_rollouts *rollouts, struct hub_kind_hooks *hooks);

#endif
