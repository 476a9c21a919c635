/* internal.h - the plan's state, shared by its files. Not for others.
 *
 * - type: one federated type, from its FederatedTypeConfig
 * - item: one federated object, or the namespace that a label federates
 * - version: what its spec says of content, parsed: placement, template, overrides; the latest one,
 *   and earlier ones that clusters have while a rollout goes on (gate.c)
 * - piece: one work, shared by all clusters that get the same; counted
 * - cluster: one registered cluster with its present manifest and the last few
 * - pair: what an item is in a cluster
 *
 * Held is a work whose type is stopped (stopped.c): it stays as it is. Waiting is a copy that a
 * policy forbids (waiting.c): it is removed when the policy's budget gives it its turn. Awaiting
 * consent is one that is to leave with too many others (consent.h).
 *
 * A round: changes mark items and clusters dirty; before the sync of the turn that brought them, so
 * that a burst is planned once, the round computes the dirty pairs, compares manifests by digest,
 * and stages new revisions in one commit. When that is durable, manifests are turned and others
 * told. */
#ifndef FEDLET_HUB_PLAN_INTERNAL_H
#define FEDLET_HUB_PLAN_INTERNAL_H

#include "hub/kubefed/config.h"
#include "hub/plan/consent.h"
#include "hub/plan/gates.h"
#include "hub/plan/plan.h"
#include "proto/base/map.h"
#include "proto/link/knows.h"
#include "proto/object/selector.h"

#define PLAN_FINALIZER "kubefed.io/sync-controller"
#define PLAN_URGENT_ANNOTATION "fedlet.io/urgent"
#define PLAN_HISTORY 4u                 /* manifests remembered besides the present one */
#define PLAN_ITEM_BYTES_MAX (16u << 20) /* parsed form of one object */

struct plan_type {
    char resource[320]; /* federated resource, "federateddeployments.types.kubefed.io" */
    char target_api_version[320];
    char target_kind[64];
    char target_plural[64];
    char federated_kind[64];
    bool target_namespaced;
    bool namespaced;   /* the federated kind's own scope */
    bool is_namespace; /* target is core Namespace */
    bool enabled;
    bool collects;             /* statusCollection: Enabled */
    char status_resource[320]; /* of statusType; "" when there is none */
    char status_kind[64];
    char status_api_version[320];
    bool gone;     /* its FederatedTypeConfig was deleted */
    bool recorded; /* the store says that it is gone: see stopped.c */
};

struct plan_blob {
    struct fed_digest digest;
    struct fed_alloc *mem;
    unsigned refs;
    bool stored; /* there is a row of it (hold.c) */
    size_t len;
    uint8_t bytes[];
};

struct plan_piece {
    unsigned refs;
    size_t size;          /* of the allocation */
    struct fed_work work; /* spans point behind the struct */
    struct plan_blob *blob;
    struct plan_item *owner; /* NULL once the item is gone */
    uint8_t text[];
};

enum plan_placement_mode { PLAN_NONE, PLAN_ABSENT, PLAN_NAMES, PLAN_SELECTOR };
struct plan_placement {
    enum plan_placement_mode mode; /* ABSENT: nothing said at all; NONE: an empty list */
    const struct fed_span *names;  /* sorted */
    size_t n_names;
    struct fed_selector *selector;
};

#define PLAN_OVERRIDE_SELECTORS_MAX 256u /* of one object: each is tried on every cluster */
struct plan_override {
    struct fed_span cluster;       /* by name; empty when there is a selector */
    struct fed_selector *selector; /* NULL: by name */
    struct fed_span operations;    /* canonical JSON; empty for none */
};
/* The entries that a cluster matches, in order. */
struct plan_overrides {
    const struct plan_override *entries[PLAN_OVERRIDE_SELECTORS_MAX + 1];
    size_t n;
    bool named; /* one of them is for this cluster alone */
};

/* What is wrong with a pair: owned by it. */
struct plan_fault {
    size_t size;       /* of the allocation */
    const char *error; /* KubeFed's word, a constant */
    char message[];
};

enum plan_pair_state {
    PLAN_PAIR_PRESENT,   /* in the manifest */
    PLAN_PAIR_REFUSED,   /* selected, but there is nothing that could be sent */
    PLAN_PAIR_FORBIDDEN, /* selected, but left out by a policy */
    PLAN_PAIR_RELEASING, /* in the manifest with the options with which it is to leave, until the
                            agent confirms that revision */
    PLAN_PAIR_REMOVING   /* out of the manifest, until the agent confirms that nothing is left */
};
struct plan_pair { /* item x cluster */
    struct plan_cluster *cluster;
    struct plan_piece *piece; /* counted; for REMOVING what is being removed; NULL for REFUSED */
    uint64_t
        since; /* revision of the manifest since which this holds; 0 until the round is recorded */
    struct plan_fault *fault;   /* NULL: nothing is wrong */
    struct plan_policy *policy; /* counted; what forbids it, NULL: nothing */
    uint32_t place;             /* of the item in the cluster's list */
    uint8_t state;              /* enum plan_pair_state */
    bool fresh;                 /* since the round that is being told of */
    bool deferred;              /* what is new for it waits (hold.c) */
    bool waiting;    /* forbidden, and there until its removal has its turn (waiting.c) */
    bool withheld;   /* the version that it is to have gives it nothing (gate.h) */
    bool regate;     /* it is to be computed, as the answer changed */
    uint8_t version; /* slot of the version that it is to have; 0: the latest */
    uint8_t consent; /* enum plan_consent_state */
};

struct plan_version {
    struct fed_arena arena;
    struct plan_placement placement;
    struct plan_blob *blob;
    struct fed_span api_version; /* of the member object */
    struct plan_override *overrides;
    size_t n_overrides;
    size_t n_selecting;                                 /* of them by selector */
    const struct plan_override *const *named_overrides; /* the others, by name */
    size_t n_named_overrides;
    bool template_annotations, template_finalizers; /* which are left out */
    const char *error; /* for all clusters: "", ApplyOverridesFailed, ComputeResourceFailed */
    char message[300];
    enum hub_placement_problem problem;
    struct plan_piece
        *shared; /* counted: the work of clusters without overrides, made when first needed */
    struct fed_map variants; /* counted: works with overrides of which none is for one cluster
                                alone, by plan_overrides_key */
};

struct plan_item {
    struct plan_type *type;             /* NULL: a Namespace with the label */
    struct fed_span resource, ns, name; /* in key */
    char *key;                          /* resource NUL ns NUL name */
    size_t key_len;
    /* parsed */
    int64_t generation;
    bool deleting, orphan, retain_replicas, has_finalizer;
    uint32_t delete_options; /* of the work, when the object is deleted */
    char delete_error[160];  /* why they are none, "" */
    bool urgent;             /* waits for nothing (hold.c) */
    bool label_federated;    /* Namespace items: federated: "true" */
    struct fed_span labels;  /* of Namespace items: text; in latest */
    struct fed_span bound; /* names of the policies that bind who wrote the placement; in latest */
    struct plan_version *latest;  /* as it is stored; never NULL */
    bool governed;                /* its clusters' versions are asked for (gate.h) */
    bool regated;                 /* answers changed, and no round with them is durable yet */
    size_t n_regated;             /* pairs */
    struct plan_earlier *earlier; /* versions that pairs have besides the latest */
    size_t n_earlier;             /* slots */
    bool system;                  /* in or for a namespace that is never federated */
    bool ignored; /* a FederatedNamespace under a wrong name or for a system namespace */
    /* planned */
    struct plan_pair *pairs; /* by cluster name */
    size_t n_pairs, cap_pairs;
    struct plan_policy **policies; /* for it, then for the Namespace that it is in */
    size_t n_policies[2], cap_policies;
    uint64_t policies_stamp;   /* of the plan's, when they were looked up; 0: never */
    size_t n_waiting;          /* pairs */
    struct fed_span *recalled; /* clusters in which it waited when the hub stopped */
    size_t n_recalled, recalled_size;
    bool waiting_dirty; /* its row is to be written */
    bool waiting_row;   /* there may be one */
    uint64_t round;     /* in which it was last computed for all clusters */
    bool dirty, gone;   /* gone: deleted from the store, kept while removals are awaited */
    bool told;          /* object_changed is due */
    bool listed;        /* in plan->touched */
    struct plan_item *next_touched;
};

struct plan_entry {
    struct plan_piece *piece; /* counted */
};
struct plan_manifest {
    bool hollow; /* revision and digest are known from the store, the entries are not (after a
                    start) */
    uint64_t revision;
    struct fed_digest digest;
    struct plan_entry *entries;
    size_t n, cap;
};
struct plan_cluster {
    char *name;
    struct fed_json_doc *doc; /* holds the labels */
    const struct fed_json *labels;
    struct fed_json_doc *former_doc; /* NULL, or while replan: those that the plan knows */
    const struct fed_json *former;
    bool fresh; /* nothing was planned for it yet */
    struct plan_manifest now;
    struct plan_manifest next;               /* while dirty */
    struct plan_manifest past[PLAN_HISTORY]; /* newest first; revision 0: empty slot */
    bool changing;                           /* next is valid */
    uint64_t staged_revision; /* of next's row, until it is durable; 0: none is staged */
    struct fed_digest staged_digest;
    bool away;             /* nobody waits for what it still holds: see hub_plan_away */
    bool replan;           /* labels changed or new: those items that look at them, or all */
    bool leaving;          /* its deletion is not durable yet */
    bool returned;         /* made anew, as its deletion was undone: deletions await it again, as
                              after a start */
    bool recorded;         /* the store has a row for it */
    bool relearned;        /* all items are computed, whatever its labels */
    uint64_t knows;        /* of its agent (knows.c) */
    uint64_t knows_stored; /* as its row has it */
    char hold[160];        /* why changes wait (hold.c), "" when they do not */
    int64_t hold_until_unix_s; /* 0: not known */
    size_t n_deferred;         /* pairs */
    bool deferred_dirty;       /* its row is to be written */
    bool deferred_staged;      /* it is part of the commit */
    struct plan_item **items;  /* that have a pair with it, in no order */
    size_t n_items, cap_items;
    size_t awaiting;  /* pairs in RELEASING or REMOVING */
    size_t n_waiting; /* pairs */
    struct plan_consent consent;
};

struct hub_plan {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct hub_objects *objects;
    const struct hub_kinds *kinds;
    struct hub_objects_member member;
    struct hub_gates gates;      /* all NULL: none */
    enum hub_gate_taking taking; /* what is taken in now */
    uint64_t seen;               /* revision up to which changes were taken in */
    struct fed_timer *retry;     /* after a failed commit */
    uint32_t epoch;
    uint64_t round;    /* counts them */
    uint64_t computed; /* pairs, since the start */
    size_t n_pieces;
    struct plan_cluster **clusters; /* by name */
    size_t n_clusters, cap_clusters;
    struct fed_map types;   /* resource -> plan_type */
    struct fed_map items;   /* key -> plan_item */
    struct fed_map blobs;   /* digest -> plan_blob */
    struct fed_map scalers; /* preferences of replicas: ns NUL name -> plan_scaler */
    struct hub_kubefed_settings settings;
    struct plan_type
        *namespaces; /* the type whose target is core Namespace; NULL when there is none */
    struct plan_policy **policies; /* by name */
    size_t n_policies, cap_policies;
    uint64_t policies_stamp; /* moves with each change of them */
    struct fed_timer *policy_timer;
    struct fed_consent_limit consent_limit; /* of clusters without their own */
    struct fed_timer *consent_timer;        /* something is to be told */
    bool consent_telling;                   /* it is set */
    hub_plan_told *consent_told;            /* may be NULL */
    void *consent_ctx;
    hub_plan_orders_changed *orders_changed; /* may be NULL */
    void *orders_ctx;
    struct hub_kind_hooks consent_inner; /* what was hooked for clusters before */
    struct plan_item *touched; /* items whose `since` is to be filled in, and of which is to be
                                  told, when the round is durable */
    bool round_due;
    bool retrying;  /* with it, for the timer: the last one failed */
    bool preparing; /* it is asked for anyway */
    bool planned;   /* by a round that is not durable yet */
    bool loading;
    hub_plan_changed *changed;
    hub_plan_object_changed *object_changed;
    void *changed_ctx;
    char api_version[FED_WORK_API_VERSION_MAX + 1]; /* which an override gave */
    /* what the query functions hand out, valid until their next call */
    struct fed_work *scratch[2];
    size_t scratch_cap[2];
    struct fed_manifest out[2];
    struct hub_planned_cluster *out_clusters;
    size_t out_clusters_cap;
    struct fed_arena out_text;
    const char *out_why; /* in it, the last one; NULL: none */
};

/* ---- item.c ---- */
bool plan_has_finalizer(const struct fed_json *object);
/* Parses the stored object into the item. FED_ERR_NOMEM only; what is wrong with the object is kept
 * in it. */
FED_MUST_USE enum fed_err plan_item_parse(
    struct hub_plan *plan, struct plan_item *item, struct fed_span bytes);
FED_MUST_USE enum fed_err plan_item_parse_namespace(
    struct hub_plan *plan, struct plan_item *item, struct fed_span bytes);
struct plan_item *plan_item_get(struct hub_plan *plan, const struct hub_object_ref *ref);
FED_MUST_USE enum fed_err plan_item_new(struct hub_plan *plan, const struct hub_object_ref *ref,
    struct plan_type *type, struct plan_item **out);
void plan_item_free(struct hub_plan *plan, struct plan_item *item);
/* The works that several clusters share are made anew: type or settings changed. */
void plan_item_forget_pieces(struct hub_plan *plan, struct plan_item *item);
void plan_item_mark(
    struct hub_plan *plan, struct plan_item *item); /* dirty, and a round is wanted */
void plan_item_touch(struct hub_plan *plan, struct plan_item *item);
/* What is wrong with where it should go. */
enum hub_placement_problem plan_item_problem(struct hub_plan *plan, const struct plan_item *item);

/* ---- version.c ---- */
/* An empty one, which selects nothing. */
FED_MUST_USE enum fed_err plan_version_new(struct hub_plan *plan, struct plan_version **out);
void plan_version_free(struct hub_plan *plan, struct plan_version *version);
/* Parses a spec into one that is empty. FED_ERR_NOMEM only; what is wrong with the spec is kept in
 * it. */
FED_MUST_USE enum fed_err plan_version_parse(struct hub_plan *plan, struct plan_version *version,
    const struct plan_type *type, struct fed_json_doc *doc, const struct fed_json *spec);
/* A copy that lives as long; at is NULL when memory is out. */
struct fed_span plan_version_keep(struct plan_version *version, struct fed_span text);
/* Whether the content of the work is what the version gives the cluster. */
FED_MUST_USE enum fed_err plan_version_gives(struct hub_plan *plan,
    const struct plan_version *version, const struct plan_cluster *cluster,
    const struct fed_work *work, bool *out);
void plan_version_forget_pieces(struct hub_plan *plan, struct plan_version *version);

/* ---- select.c ---- */
/* The FederatedNamespace of a namespace, NULL when there is none that counts; and whether the
 * Namespace has the label. */
struct plan_item *plan_namespace_item(struct hub_plan *plan, struct fed_span ns);
bool plan_namespace_labelled(struct hub_plan *plan, struct fed_span ns);
/* Whether what is in the namespace may be placed there. */
bool plan_namespace_places(
    struct hub_plan *plan, struct fed_span ns, const struct plan_cluster *cluster);
/* Whether placement selects the cluster, whatever becomes of it. */
bool plan_item_selects(
    struct hub_plan *plan, struct plan_item *item, const struct plan_cluster *cluster);
/* Whether a version's placement does, of a cluster that the latest one's selects. */
bool plan_version_selects(struct hub_plan *plan, const struct plan_item *item,
    const struct plan_version *version, const struct plan_cluster *cluster);
/* Whether what the item means for a cluster may differ with its labels. */
bool plan_labels_matter(struct hub_plan *plan, struct plan_item *item,
    const struct fed_json *labels, const struct fed_json *other);

/* ---- pairs.c ---- */
struct plan_pair *plan_pair_find(struct plan_item *item, const struct plan_cluster *cluster);
/* The pair, made (REFUSED) when there is none; others of the item may move. */
FED_MUST_USE enum fed_err plan_pair_add(struct hub_plan *plan, struct plan_item *item,
    struct plan_cluster *cluster, struct plan_pair **out);
/* Takes the item out of the cluster's list. */
void plan_pair_unlist(struct plan_pair *pair);
void plan_pair_set_state(struct plan_pair *pair, enum plan_pair_state state);
void plan_pair_clear_fault(struct hub_plan *plan, struct plan_pair *pair);
/* Lets go of what it holds. */
void plan_pair_fini(struct hub_plan *plan, struct plan_pair *pair);
void plan_pair_drop(struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair);

/* ---- pair.c ---- */
/* What the item means for the cluster, whatever the pair is now. */
struct plan_wish {
    bool frozen; /* what is there stays: a disabled type, or a placement that cannot be computed */
    bool selected;              /* when not frozen */
    bool handed_over;           /* not selected, but the other form of the same namespace has it */
    struct plan_policy *policy; /* that forbids the cluster: a copy that is there waits, and
                                   follows its template; NULL: none */
    const char *error;          /* KubeFed's word, "" */
    struct plan_piece *piece;   /* what would be sent, counted; NULL: not selected, or an error */
    struct fed_diag diag;       /* the sentence of an error */
};
FED_MUST_USE enum fed_err plan_pair_wish(struct hub_plan *plan, struct plan_item *item,
    const struct plan_cluster *cluster, struct plan_wish *out);
/* Computes what the item means for the cluster and brings pair and next manifest in line. */
FED_MUST_USE enum fed_err plan_pair_update(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster);
/* The agent confirmed: RELEASING leaves the manifest, REMOVING is over. */
FED_MUST_USE enum fed_err plan_pair_confirmed(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair);
/* The work gets the options with which it is to leave (FED_WORK_ORPHAN: the agent lets go of the
 * object; how to delete it), and leaves the manifest when the agent has confirmed that it has them.
 */
FED_MUST_USE enum fed_err plan_pair_release(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair, uint32_t options);
/* Nothing is wanted there any more: the pair leaves, or is on its way. */
FED_MUST_USE enum fed_err plan_pair_unplace(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair);
/* The pair gets what the item is now, whether it is selected or not. */
FED_MUST_USE enum fed_err plan_pair_place(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster);
/* A copy that waits has its turn. */
FED_MUST_USE enum fed_err plan_pair_take_away(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair);

/* ---- delete.c ---- */
/* The annotation kubefed.io/deleteoption; NULL for none. What is wrong with it is kept in the item.
 */
void plan_delete_options_parse(struct plan_item *item, const struct fed_json *annotation);

/* ---- override.c ---- */
/* FED_ERR_INVALID, FED_ERR_LIMIT with diag: the object is refused for all clusters. */
FED_MUST_USE enum fed_err plan_overrides_parse(struct hub_plan *plan, struct plan_version *version,
    const struct fed_json *overrides, struct fed_diag *diag);
void plan_overrides_fini(struct plan_version *version);
void plan_overrides_match(const struct plan_version *version, const struct plan_cluster *cluster,
    struct plan_overrides *out);
/* All their operations as one list; at least one entry. */
FED_MUST_USE enum fed_err plan_overrides_join(
    const struct plan_overrides *from, struct fed_buf *out);
struct fed_span plan_overrides_key(const struct plan_overrides *from);
/* Whether a cluster with the one labels gets other overrides than with the others. */
bool plan_overrides_differ(const struct plan_version *version, const struct fed_json *labels,
    const struct fed_json *other);
FED_MUST_USE enum fed_err plan_overrides_admit(
    struct hub_plan *plan, struct hub_admission *admission, struct fed_diag *diag);
/* ---- stopped.c ---- */
/* Whether objects of a type (NULL: namespaces with the label) are propagated. */
bool plan_type_runs(const struct hub_plan *plan, const struct plan_type *type);
/* The object stays in the cluster as it is, whether it is there or not. */
FED_MUST_USE enum fed_err plan_pair_hold(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster);
/* After a start: whatever is there stays, as nothing can be sent. */
FED_MUST_USE enum fed_err plan_pair_keep(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster);
/* Which types are gone is part of the round's commit: stages the rows that are to change; and when
 * they are durable. */
FED_MUST_USE enum fed_err plan_types_stage(struct hub_plan *plan);
void plan_types_staged(struct hub_plan *plan);
/* Adds those that were gone when the hub stopped; before anything else is loaded. */
FED_MUST_USE enum fed_err plan_types_load(struct hub_plan *plan);

/* ---- hold.c ---- */
/* Whether what is wanted for the pair is to wait. */
bool plan_hold_keeps(const struct hub_plan *plan, struct plan_item *item,
    const struct plan_cluster *cluster, const struct plan_piece *wanted);
/* The pair stays what it is, and says that something waits. */
FED_MUST_USE enum fed_err plan_hold_pair(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster);
void plan_hold_end_pair(struct plan_pair *pair);
/* Part of the round's commit; when that is durable, or undone. */
FED_MUST_USE enum fed_err plan_holds_stage(struct hub_plan *plan);
void plan_holds_staged(struct hub_plan *plan);
void plan_holds_undone(struct hub_plan *plan);
FED_MUST_USE enum fed_err plan_holds_load(struct hub_plan *plan); /* once items are loaded */

/* ---- knows.c ---- */
/* Takes from the piece, a reference of the caller's, what only asks for reports that the cluster's
 * agent does not know. */
FED_MUST_USE enum fed_err plan_knows_fit(struct hub_plan *plan, struct plan_item *item,
    struct plan_version *version, const struct plan_cluster *cluster, struct plan_piece **piece);
/* Whether its agent understands how a work is to be deleted. */
bool plan_knows_delete(const struct plan_cluster *cluster);
/* Part of the round's commit; and when that is durable. */
FED_MUST_USE enum fed_err plan_knows_stage(struct hub_plan *plan);
void plan_knows_staged(struct hub_plan *plan);
FED_MUST_USE enum fed_err plan_knows_load(struct hub_plan *plan); /* once clusters are loaded */

/* ---- cluster.c ---- */
/* Everything is computed for it in the next round. */
void plan_cluster_compute(struct hub_plan *plan, struct plan_cluster *cluster);
struct plan_cluster *plan_cluster_get(struct hub_plan *plan, struct fed_span name);
/* The plan knows its labels now. */
void plan_cluster_planned(struct plan_cluster *cluster);
FED_MUST_USE enum fed_err plan_cluster_put(
    struct hub_plan *plan, struct fed_span name, struct fed_span bytes);
void plan_cluster_remove(struct hub_plan *plan, struct plan_cluster *cluster);
void plan_cluster_free(struct hub_plan *plan, struct plan_cluster *cluster);
/* Sets (piece) or takes away (NULL) the work with that identity in the next manifest. */
FED_MUST_USE enum fed_err plan_cluster_set(struct hub_plan *plan, struct plan_cluster *cluster,
    const struct fed_work *identity, struct plan_piece *piece);
/* Index in a manifest; false when absent. */
bool plan_manifest_find(
    const struct plan_manifest *manifest, const struct fed_work *identity, size_t *index);
void plan_manifest_fini(struct hub_plan *plan, struct plan_manifest *manifest);
/* Lays it out for proto, in one of the two scratch places. */
FED_MUST_USE enum fed_err plan_manifest_lay_out(struct hub_plan *plan,
    const struct plan_manifest *manifest, size_t place, const struct fed_manifest **out);

/* ---- piece.c ---- */
FED_MUST_USE enum fed_err plan_blob_get(
    struct hub_plan *plan, struct fed_span bytes, struct plan_blob **out);
void plan_blob_unref(struct hub_plan *plan, struct plan_blob *blob);
FED_MUST_USE enum fed_err plan_piece_new(struct hub_plan *plan, struct plan_item *owner,
    const struct fed_work *work, struct plan_blob *blob, struct plan_piece **out);
void plan_piece_unref(struct hub_plan *plan, struct plan_piece *piece);
/* The version's piece for this cluster: the shared one, or one with its overrides, which those
 * share that match the same entries; the caller gets a reference. FED_ERR_INVALID, FED_ERR_LIMIT
 * with diag when the overrides do not fit the template; FED_ERR_CONFLICT: a member would refuse it.
 *   tries  how often the member was told to try the version again (gates.h): not 0, the work says
 *          so in a way that changes nothing of the object. Where the overrides leave no room for
 *          that the work is as it was. */
FED_MUST_USE enum fed_err plan_piece_for(struct hub_plan *plan, struct plan_item *item,
    struct plan_version *version, unsigned tries, const struct plan_cluster *cluster,
    struct plan_piece **out, struct fed_diag *diag);
/* Whether what was sent differs from that work in nothing but that the member was told to try it
 * again. */
bool plan_work_is_again(const struct fed_work *sent, const struct fed_work *work);
/* The item's work without content and options of its own. */
void plan_item_describe(
    const struct hub_plan *plan, const struct plan_item *item, struct fed_work *work);
/* "apiVersion/Kind/namespace/name", as reports name removed works. */
void plan_pair_id(const struct plan_item *item, const struct plan_pair *pair, struct fed_buf *out);

/* ---- plan.c ---- */
/* A copy of a type that is not there yet. */
FED_MUST_USE enum fed_err plan_type_add(struct hub_plan *plan, const struct plan_type *from);
/* What is staged and was not seen yet. */
void plan_take_staged(struct hub_plan *plan);
/* Takes the object in once more, as the store has it. */
void plan_take_again(struct hub_plan *plan, const struct hub_object_ref *ref);
/* What is staged is undone: it is read again. */
void plan_undo_staged(struct hub_plan *plan);

/* ---- scale.c ---- */
#define PLAN_SCALERS "replicaschedulingpreferences.scheduling.kubefed.io"
FED_MUST_USE enum fed_err plan_scaler_take(struct hub_plan *plan, const struct hub_change *change);
bool plan_is_scaled(const struct hub_plan *plan, const struct plan_item *item);
void plan_scalers_fini(struct hub_plan *plan);

/* ---- beside.c ---- */
/* What is kept of the copies of a type's objects. */
enum hub_collect plan_collects(const struct hub_plan *plan, const struct plan_type *type);

/* ---- record.c ---- */
#define PLAN_RETRY_MS 1000u /* after a round that could not be stored */
/* Stages the rows of all clusters whose next manifest differs from what they have. */
FED_MUST_USE enum fed_err plan_manifests_record(struct hub_plan *plan);
/* Puts next in the place of now; now goes to the past when its content was known. */
void plan_manifest_turn(struct hub_plan *plan, struct plan_cluster *cluster, uint64_t revision);

/* ---- round.c ---- */
void plan_round_want(struct hub_plan *plan);
void plan_round_retry(void *plan);
/* The plan's part in a commit; ctx is the plan. */
void plan_round_prepare(void *ctx);
void plan_round_ended(void *ctx, enum fed_err err, const struct fed_diag *diag);

#endif
