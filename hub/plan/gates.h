/* gates.h - who decides which version of an object a cluster gets: a fleet rollout.
 *
 * Without gates every cluster that a placement selects gets the object as it is stored (the latest
 * version). With them the plan asks, pair by pair, and the answer is part of its pure function: the
 * plan of stored objects and answers.
 *
 *   version   what an object's spec says of content: template, placement and overrides, without
 *             what a replica scheduler maintains (hub/rollout/content.h). Named by the SHA-256 of
 *             its canonical bytes. Whoever implements the gates keeps the bytes, durable in the
 *             same commit as the object that they come from.
 *
 * A cluster that the latest version does not select gets nothing, whatever the answer: to take a
 * cluster away is a removal, which has its own budgets (PlacementPolicy) and its own consent.
 * A cluster that the answer's version does not select gets nothing yet (or, after a roll back, no
 * longer). Objects that are to go, namespaces and their FederatedNamespaces are never gated. */
#ifndef FEDLET_HUB_PLAN_GATES_H
#define FEDLET_HUB_PLAN_GATES_H

#include "hub/store/objects.h"
#include "proto/digest/digest.h"
#include "proto/object/json.h"

enum hub_gate_answer {
    HUB_GATE_LATEST,  /* the object as it is stored */
    HUB_GATE_VERSION, /* that of the digest */
    HUB_GATE_NOTHING  /* it has no earlier version: nothing yet */
};

/* How the plan asks. ctx outlives the plan. Nothing may be staged from inside but in taken. */
struct hub_gates {
    void *ctx;
    /* A federated object that is, or may become, governed was read at the start (loading), or
     * written; called before anything of it is planned, in commit order, with what is staged.
     * bytes: as stored; empty: it was deleted. Whoever implements it begins a rollout here, and may
     * stage its rows and objects: they are durable together with the change, or neither is.
     * *governed: whether the plan is to ask `choose` for its clusters until it is told otherwise.
     * undone (a commit that failed) brings a call with the former bytes. FED_ERR_NOMEM. */
    enum fed_err (*taken)(void *ctx, const struct hub_object_ref *ref, struct fed_span bytes,
        bool loading, bool *governed);
    /* Which version the cluster is to have; labels are the cluster's (NULL: none). O(1): it is
     * asked for each pair that is computed. */
    enum hub_gate_answer (*choose)(void *ctx, const struct hub_object_ref *ref,
        struct fed_span cluster, const struct fed_json *labels, struct fed_digest *digest);
    /* Appends a version's bytes: an object {"spec":{"template","placement","overrides"}}.
     * FED_ERR_NOT_FOUND. The plan parses each once, and keeps it while clusters have it. */
    enum fed_err (*content)(void *ctx, const struct hub_object_ref *ref,
        const struct fed_digest *digest, struct fed_buf *out);
    /* Appends why the cluster does not have the latest version ("rollout web-7f3a: wave shops has
     * not begun"); nothing when it has. For people: hub_planned_cluster.held. */
    void (*why)(
        void *ctx, const struct hub_object_ref *ref, struct fed_span cluster, struct fed_buf *out);
};

struct fed_work;
struct hub_plan;

/* The answers for these clusters changed (n 0: for all that the object has to do with): their pairs
 * are computed in the next round, which is wanted by this call. FED_ERR_NOMEM: nothing changed, and
 * it is to be called again. */
FED_MUST_USE enum fed_err hub_plan_regate(struct hub_plan *plan, const struct hub_object_ref *ref,
    const struct fed_span *clusters, size_t n);
/* Whether the object is governed changed without a write of it (a policy came or went). */
FED_MUST_USE enum fed_err hub_plan_govern(
    struct hub_plan *plan, const struct hub_object_ref *ref, bool governed);
/* Every cluster that the latest version selects, or that has a work of the object, by name. Return
 * false to stop. FED_ERR_NOT_FOUND. */
struct hub_gated {
    struct fed_span cluster;
    const struct fed_json *labels;
    bool placed;             /* a work of it is in the cluster's manifest */
    bool selected;           /* by the latest version, policies allowing */
    bool same;               /* the latest version gives it the very work that it has */
    const char *error;       /* "" or why nothing could be made of the answer's version */
    uint64_t since_revision; /* of the cluster's manifest, for the present work */
    const struct fed_work *work;
};
typedef bool hub_plan_each_gated(void *ctx, const struct hub_gated *gated);
FED_MUST_USE enum fed_err hub_plan_gated(
    struct hub_plan *plan, const struct hub_object_ref *ref, hub_plan_each_gated *each, void *ctx);

#endif
