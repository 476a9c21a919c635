/* policy.h - PlacementPolicies in the plan: which objects may be in which clusters. Not for others.
 *
 * A policy is for objects (by namespace, kind, and who wrote their placement) and clusters (by name
 * or label). Deny forbids its clusters; where any Allow is for an object, clusters that none of
 * them has are forbidden. A forbidden cluster is left out of what a placement selects, and says so.
 * A copy that is there already waits: it stays, and follows its template, until the deletion
 * budget of the policy gives it its turn (budget.c).
 *
 * Who wrote: at admission the policies with subjects that bind the writer of a placement are noted
 * in the object's annotation fedlet.io/placement-policies, which nobody else can set. */
#ifndef FEDLET_HUB_PLAN_POLICY_H
#define FEDLET_HUB_PLAN_POLICY_H

#include "hub/access/user.h"
#include "hub/plan/internal.h"

#define PLAN_POLICIES "placementpolicies.fedlet.io"
#define PLAN_POLICIES_MAX 1000u /* each that is for an object is tried on every cluster */
#define PLAN_BOUND_ANNOTATION "fedlet.io/placement-policies"
#define PLAN_PERIOD_MIN_MS 1000u
#define PLAN_PERIOD_MAX_MS (720u * 3600000u)

struct plan_policy_budget {
    bool percent;      /* of all that is to go, at its peak */
    uint64_t removals; /* or percent */
    uint64_t period_ms;
};

/* What a policy's spec says. */
struct plan_policy_rules {
    struct fed_alloc *mem;
    struct fed_json_doc *doc; /* owns spec */
    const struct fed_json *spec;
    struct fed_selector *namespaces; /* NULL: none */
    struct fed_selector *clusters;   /* NULL: none */
    struct fed_span *names;          /* of clusters, sorted; in spec */
    size_t n_names;
    bool deny;
    struct plan_policy_budget budget;
};

struct plan_policy {
    unsigned refs; /* of the plan and of pairs */
    char name[254];
    int64_t generation;
    struct plan_policy_rules rules;
    bool invalid;      /* stored all the same: it forbids nothing and removes nothing */
    bool gone;         /* deleted; here until its row is */
    char message[256]; /* what is wrong */
    char forbids[340]; /* sentences for status */
    char waits[420];
    /* the budget's progress, stored as row "q/" name: used, peak, left of the period in ms */
    uint64_t used;
    uint64_t peak;          /* of pending and used together, since pending was 0 */
    bool drained;           /* it is 0 */
    uint64_t period_end_ms; /* monotonic; 0: none runs */
    bool row_dirty;
    size_t pending; /* pairs that wait */
    bool told;      /* its status changed */
    uint64_t told_revision;
};

/* Whom the rules are asked about. */
struct plan_target {
    const struct plan_type *type; /* NULL: a Namespace */
    struct fed_span ns;           /* of a Namespace its own name; empty when cluster-scoped */
    struct fed_span ns_labels;    /* text */
    struct fed_span bound;        /* names of policies with subjects, comma between; or by: */
    const struct hub_user *who;   /* whoever writes it; NULL: it is written */
};

/* ---- policy_rules.c ---- */
/* FED_ERR_INVALID with field ("spec.clusters") and diag. */
FED_MUST_USE enum fed_err plan_policy_rules_read(struct fed_alloc *mem,
    const struct fed_json *object, struct plan_policy_rules *out, char field[256],
    struct fed_diag *diag);
void plan_policy_rules_fini(struct plan_policy_rules *rules);
bool plan_policy_has_subjects(const struct plan_policy *policy);
bool plan_policy_applies(const struct plan_policy *policy, const struct plan_target *target);
bool plan_policy_has_cluster(
    const struct plan_policy *policy, const char *cluster, const struct fed_json *labels);

/* ---- policy.c ---- */
/* One that is in no list, for a preview. FED_ERR_INVALID with diag. */
FED_MUST_USE enum fed_err plan_policy_make(struct hub_plan *plan, struct fed_span name,
    const struct fed_json *object, struct plan_policy **out, struct fed_diag *diag);
/* Whether it is for the item as it stands. */
bool plan_policy_concerns(
    struct hub_plan *plan, const struct plan_policy *policy, const struct plan_item *item);
FED_MUST_USE enum fed_err plan_policy_put(
    struct hub_plan *plan, struct fed_span name, struct fed_span bytes);
void plan_policy_remove(struct hub_plan *plan, struct fed_span name);
void plan_policy_unref(struct hub_plan *plan, struct plan_policy *policy);
void plan_policies_fini(struct hub_plan *plan);
struct plan_policy *plan_policy_find(struct hub_plan *plan, struct fed_span name);
struct plan_target plan_policy_target(struct hub_plan *plan, const struct plan_item *item);
/* The policy by which the cluster is forbidden, NULL when none is; the first by name. */
struct plan_policy *plan_policy_forbids_target(struct hub_plan *plan,
    const struct plan_target *target, const char *cluster, const struct fed_json *labels);
FED_MUST_USE enum fed_err plan_policy_forbids(struct hub_plan *plan, struct plan_item *item,
    const struct plan_cluster *cluster, struct plan_policy **out);
bool plan_policy_labels_matter(struct hub_plan *plan, struct plan_item *item,
    const struct fed_json *labels, const struct fed_json *other);

/* ---- waiting.c ---- */
/* What forbids the pair (NULL: nothing), and whether its copy waits. */
void plan_pair_set_policy(struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair,
    struct plan_policy *policy, bool waiting);
/* Whether a copy waited in the cluster when the hub stopped. */
bool plan_waiting_recalled(const struct plan_item *item, const struct plan_cluster *cluster);
void plan_waiting_computed(struct hub_plan *plan, struct plan_item *item);
/* Reads what waited, once items are loaded; and one policy's progress. */
FED_MUST_USE enum fed_err plan_waiting_load(struct hub_plan *plan);
FED_MUST_USE enum fed_err plan_policy_recall(struct hub_plan *plan, struct plan_policy *policy);
/* Stages the rows that changed; they are durable, or undone. */
FED_MUST_USE enum fed_err plan_policies_record(struct hub_plan *plan);
void plan_policies_kept(struct hub_plan *plan);
void plan_policies_undone(struct hub_plan *plan);

/* ---- budget.c ---- */
/* Takes away those whose turn it is. */
FED_MUST_USE enum fed_err plan_policies_spend(struct hub_plan *plan);
uint64_t plan_policy_limit(const struct plan_policy *policy);
void plan_policies_wake(void *plan);

/* ---- policy_admit.c ---- */
FED_MUST_USE enum fed_err plan_policy_admit_object(
    struct hub_plan *plan, struct hub_admission *admission, struct fed_diag *diag);

#endif
