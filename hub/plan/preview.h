/* preview.h - what would go where if these objects were stored: the plan, without doing it.
 *
 * The objects take the place of the stored ones while the questions are asked, and are gone before
 * the call returns; placement, namespaces, overrides and rendering are those of the real plan
 * (plan_pair_wish); which version a rollout lets a cluster have meanwhile is left out. What follows
 * from them is told as well: a FederatedNamespace that selects fewer clusters takes the objects of
 * its namespace from there. Nothing is stored, nobody is notified. Compared with what was planned
 * last; changes of the same turn of the loop are not seen yet. */
#ifndef FEDLET_HUB_PLAN_PREVIEW_H
#define FEDLET_HUB_PLAN_PREVIEW_H

#include "hub/plan/gates.h"
#include "hub/plan/plan.h"

#define HUB_PREVIEW_OBJECTS_MAX 500u
#define HUB_PREVIEW_PAIRS_MAX 200000u /* of object and cluster, looked at for other clusters */
#define HUB_PREVIEW_VARIANTS_MAX 64u   /* rendered contents of one object */

struct hub_preview_change {
    struct hub_object_ref ref;
    struct fed_span bytes; /* JSON, as it would be stored; empty: as it is stored */
};

enum hub_preview_action {
    HUB_PREVIEW_CREATE,
    HUB_PREVIEW_UPDATE,
    HUB_PREVIEW_UNCHANGED,
    HUB_PREVIEW_REMOVE,
    HUB_PREVIEW_REMOVING,  /* on its way out already */
    HUB_PREVIEW_REFUSED,   /* selected, but nothing can be sent; what the cluster has stays */
    HUB_PREVIEW_FORBIDDEN, /* selected, but a PlacementPolicy leaves it out */
    HUB_PREVIEW_LEFT,      /* stays in a cluster that the hub knows no longer */
    HUB_PREVIEW_ACTIONS
};
const char *hub_preview_action_name(enum hub_preview_action action); /* "create" ... */

struct hub_preview_cluster {
    struct fed_span cluster;
    enum hub_preview_action action;
    const char *reason;  /* of a refusal, KubeFed's word; ForbiddenByPolicy, also of a copy that is
                            there and waits for its removal; of an object that is seen as it is
                            stored Waiting, where a rollout has not come to the cluster; "" */
    const char *message; /* a sentence with it; "" */
    size_t bytes;        /* of template and overrides that this cluster has not got yet; they travel
                            compressed */
    size_t variant;      /* index of what would be there; SIZE_MAX: nothing, or not rendered */
};

struct hub_preview_object {
    struct hub_object_ref ref;
    bool asked;          /* false: it follows from one that was */
    bool stored;         /* there is such an object today */
    bool frozen;         /* what is there stays; message says why */
    const char *reason;  /* Propagation's word of the whole object, "" */
    const char *message; /* "" */
    const struct hub_preview_cluster
        *clusters; /* by name; those with nothing to say are left out */
    size_t n_clusters;
    const struct fed_span *variants; /* JSON; objects for members, each different one once */
    size_t n_variants;
    bool variants_cut;                      /* there are more than HUB_PREVIEW_VARIANTS_MAX */
    const struct hub_gate_outlook *rollout; /* NULL: the object is not governed; else clusters say
                                               what becomes of them in the end */
};
/* Everything is valid during the call. An error ends the preview. */
typedef enum fed_err hub_preview_told(void *ctx, const struct hub_preview_object *object);

/* Clusters that are others than they are. Names of none: all of them. */
struct hub_preview_clusters {
    const struct fed_span *names;
    size_t n_names;
    const struct fed_json *labels; /* merged into each one's: strings; null takes one off; NULL:
                                      they stay */
    bool deleted;
};
struct hub_preview_policy {
    struct fed_span name;
    const struct fed_json *object; /* the PlacementPolicy as it would be stored; NULL: deleted */
};

struct hub_preview_ask {
    struct hub_preview_clusters clusters;
    const struct hub_preview_policy *policies;
    size_t n_policies;
    const struct hub_preview_change *changes;
    size_t n_changes;
    struct fed_span cluster; /* this one alone; empty: all */
    bool render;
    hub_preview_told *told;
    void *ctx;
};
/* Tells of each change in its order, then of what follows; then of each object that is somewhere
 * else, or another one there, when clusters or policies are those of the question: only the
 * clusters where that is so (FED_ERR_LIMIT when it is too much to look at in one go).
 * FED_ERR_NOT_FOUND with diag: not a federated kind, or an object that is to be seen as it is
 * stored and is not; FED_ERR_LIMIT, FED_ERR_INVALID (bytes that are no JSON), FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err hub_plan_preview(
    struct hub_plan *plan, const struct hub_preview_ask *ask, struct fed_diag *diag);

#endif
