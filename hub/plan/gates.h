/* gates.h - who decides which version of an object a cluster gets: a fleet rollout.
 *
 * Without gates every cluster that a placement selects gets the object as it is stored (the latest
 * version). With them the plan asks, pair by pair, and the answer is part of its pure function: the
 * plan of stored objects and answers.
 *
 *   version   what an object's spec says of content: template, placement and overrides, without
 *             what a replica scheduler maintains (hub/rollout/content.h). Named by 32 bytes that
 *             whoever implements the gates gives to its canonical bytes, and who keeps those,
 *             durable in the same commit as the object that they come from.
 *
 * A cluster that the latest version does not select gets nothing new, whatever the answer: to take
 * a cluster away is a removal, which has its own budgets (PlacementPolicy) and its own consent. A
 * copy that stays until these let it go follows the answer's template, or the latest one where the
 * answer is nothing.
 * A cluster that the answer's version does not select gets nothing yet; what is there all the same
 * (after a roll back of what was newly placed) leaves as by any change of placement, that is:
 * consent is asked for when it is many at once.
 * What is not content is of the object as it is stored, in every version: retainReplicas, the
 * annotations of orphaning, deletion and urgency, what its type and the federation's settings say.
 * An urgent object (fedlet.io/urgent) goes past quiet windows, not past a rollout.
 * An object that is to go is held up by nobody, but the answers are still asked for at a start, so
 * that what is where is known again: they stay until it is gone. Namespaces and their
 * FederatedNamespaces are never gated. */
#ifndef FEDLET_HUB_PLAN_GATES_H
#define FEDLET_HUB_PLAN_GATES_H

#include "hub/store/objects.h"
#include "proto/digest/sha256.h"
#include "proto/object/json.h"

enum hub_gate_answer {
    HUB_GATE_LATEST,  /* the object as it is stored */
    HUB_GATE_VERSION, /* that of the digest */
    HUB_GATE_NOTHING, /* it has no earlier version: nothing yet */
    HUB_GATE_UNKNOWN  /* it cannot be said at present: the cluster keeps what it has, and nothing
                         new comes; its error is HUB_GATE_UNREADABLE */
};
#define HUB_GATE_UNREADABLE "RolloutUnreadable"

/* What was chosen for a cluster. */
struct hub_gate_choice {
    struct fed_digest digest; /* of VERSION */
    unsigned tries;           /* of LATEST and VERSION: how often the member was told to try it once
                                 more, 0: never. Each is another work, of the same object */
};

/* Why the plan takes an object in. */
enum hub_gate_taking {
    HUB_GATE_LOADED,  /* it was stored before: at a start, or when its kind became a federated one.
                         Nothing may be staged */
    HUB_GATE_WRITTEN, /* written, or, with the same bytes, what says how its replicas are spread
                         came or went. The one call in which rows and objects may be staged */
    HUB_GATE_UNDONE   /* the commit failed: these are the former bytes. Nothing may be staged */
};

/* What a write would bring, for previews. */
struct hub_gate_outlook {
    bool governed;
    bool begins;       /* a rollout */
    char policy[254];  /* name of the RolloutPolicy, "" for none or several */
    char message[300]; /* a sentence for people: "clusters change wave by wave: canary, shops, rest"
                        */
};

/* How the plan asks. ctx outlives the plan. Only ctx may be NULL, and what its call says. */
struct hub_gates {
    void *ctx;
    /* A federated object was read or written; called before anything of it is planned, in commit
     * order, with what is staged.
     * bytes: as stored; empty: it was deleted. Whoever implements it begins a rollout here, and may
     * stage its rows and objects when it was written: they are durable together with the change, or
     * neither is.
     * *governed: whether the plan is to ask `choose` for its clusters until it is told otherwise;
     * false before the call. An error: the object stays as the plan knew it, and when it was
     * written, the write is refused with all of its turn's commit. FED_ERR_NOMEM. */
    enum fed_err (*taken)(void *ctx, const struct hub_object_ref *ref, struct fed_span bytes,
        enum hub_gate_taking why, bool *governed);
    /* All objects of a kind that became a federated one were read (LOADED; not at a start): what
     * follows from that may be staged, and is durable together with the kind. NULL: nothing does.
     */
    void (*federated)(void *ctx);
    /* Which version the cluster is to have; labels are the cluster's (NULL: none). O(1): it is
     * asked for each pair that is computed. *out is zero before the call. */
    enum hub_gate_answer (*choose)(void *ctx, const struct hub_object_ref *ref,
        struct fed_span cluster, const struct fed_json *labels, struct hub_gate_choice *out);
    /* Appends a version's bytes: an object {"spec":{"template","placement","overrides"}}.
     * FED_ERR_NOT_FOUND. The plan parses each once, and keeps it while clusters have it; it asks
     * for the bytes again, as what a replica scheduler maintains may have moved, once the object
     * was written, or regated or governed as a whole. */
    enum fed_err (*content)(void *ctx, const struct hub_object_ref *ref,
        const struct fed_digest *digest, struct fed_buf *out);
    /* Appends why the cluster does not have the latest version ("rollout web-7f3a: wave shops has
     * not begun"); nothing when it has. For people: hub_planned_cluster.held. */
    void (*why)(
        void *ctx, const struct hub_object_ref *ref, struct fed_span cluster, struct fed_buf *out);
    /* What is new for the cluster waits from now on, or waits no longer, or until another time
     * (hub_plan_hold): hub_gated says what. The plan must not be changed from inside. NULL: nobody
     * asks. */
    void (*held)(void *ctx, struct fed_span cluster);
    /* What would be if the object were written like this (bytes empty: as it is stored). out is
     * zero. NULL: previews say nothing of rollouts. FED_ERR_NOMEM. */
    enum fed_err (*outlook)(void *ctx, const struct hub_object_ref *ref, struct fed_span bytes,
        struct hub_gate_outlook *out);
};

struct fed_work;
struct hub_plan;

/* The most versions of one object that clusters have at a time, besides the latest. The pair of a
 * cluster that is to have one more is refused. */
#define HUB_GATE_VERSIONS_MAX 64u

/* The answers for these clusters changed (n 0: for all that the object has to do with): their pairs
 * are computed in the next round, which is wanted by this call. When the commit of that round
 * fails, the plan asks for all of the object's clusters again by itself. Of an object or a cluster
 * that the plan does not know nothing is computed. FED_ERR_NOMEM: nothing changed, and it is to be
 * called again. */
FED_MUST_USE enum fed_err hub_plan_regate(struct hub_plan *plan, const struct hub_object_ref *ref,
    const struct fed_span *clusters, size_t n);
/* Whether the object is governed changed without a write of it (a policy came or went). */
FED_MUST_USE enum fed_err hub_plan_govern(
    struct hub_plan *plan, const struct hub_object_ref *ref, bool governed);
/* Whether a rollout keeps the latest version of some object from the cluster, as of the last
 * round. */
bool hub_plan_awaits_rollout(struct hub_plan *plan, struct fed_span cluster);
/* Every cluster that the latest version selects, or that has a work of the object, by name, as of
 * the last round (selected: as of what is staged). Return false to stop. The plan must not be
 * changed from inside. FED_ERR_NOT_FOUND, FED_ERR_NOMEM. */
struct hub_gated {
    struct fed_span cluster;
    const struct fed_json *labels;
    bool placed;                 /* a work of it is in the cluster's manifest */
    bool selected;               /* by the latest version, policies allowing */
    bool same;                   /* the latest version gives it the very work that it has */
    bool pending;                /* it is computed again in the next round, or what was computed is
                                    not durable: the rest may be of another version */
    bool deferred;               /* what is new for it waits for the cluster's own hold */
    bool held;                   /* what would be new for it would wait */
    int64_t held_until_unix_s;   /* the same, until then; 0: not known */
    bool awaits_consent;         /* it is to leave, and stays until somebody consents */
    const char *error;           /* "" or why nothing could be made of the answer's version */
    const char *message;         /* a sentence with it, "" */
    uint64_t since_revision;     /* of the cluster's manifest, for the present work */
    const struct fed_work *work; /* what it has, or what is awaited to be gone; NULL: nothing */
    /* That it was last asked to be made of (of a deferred one: that it is to be); NULL: the latest.
     */
    const struct fed_digest *version;
};
typedef bool hub_plan_each_gated(void *ctx, const struct hub_gated *gated);
FED_MUST_USE enum fed_err hub_plan_gated(
    struct hub_plan *plan, const struct hub_object_ref *ref, hub_plan_each_gated *each, void *ctx);
/* The same of one cluster: each is called once, or not at all. O(log n). */
FED_MUST_USE enum fed_err hub_plan_gated_in(struct hub_plan *plan, const struct hub_object_ref *ref,
    struct fed_span cluster, hub_plan_each_gated *each, void *ctx);

#endif
