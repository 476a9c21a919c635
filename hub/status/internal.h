/* internal.h - the status' state, shared by its files. Not for others.
 *
 * Works are kept as an array that runs parallel to the manifest at `revision`, a few bytes each;
 * texts only for what went wrong. When an agent reports another revision the array is laid anew
 * along the new manifest: what both have unchanged keeps its state, everything else is pending
 * until the agent says otherwise. */
#ifndef FEDLET_HUB_STATUS_INTERNAL_H
#define FEDLET_HUB_STATUS_INTERNAL_H

#include "hub/status/go_hash.h"
#include "hub/status/status.h"
#include "proto/base/map.h"
#include "proto/object/json.h"

#define STATUS_ROW_MAX (8u << 20)
#define STATUS_TAKEN_MAX 8u                /* messages of reports that are known again */
#define STATUS_TAKEN_SIZE 8u               /* of the digest of each */
#define STATUS_UNREACHABLE "unreachable: " /* what the agent puts before its own trouble */

struct status_work {
    uint8_t state;    /* enum fed_work_state */
    uint8_t health;   /* enum fed_work_health */
    bool moved;       /* the last report changed its state */
    bool renewed;     /* the last report changed its version */
    bool by_rv;       /* version is a resourceVersion, for kinds without generation */
    bool remote;      /* a row has the .status of its object (remote.c) */
    uint64_t version; /* of the member's object, as reported last for this content; 0: not known */
    char *text;       /* reason NUL message NUL, or NULL */
    size_t text_len;
};

struct status_removed {
    struct status_removed *next;
    uint8_t state;
    char *id; /* id NUL reason NUL message NUL */
    size_t len;
};

struct status_view { /* what one report, or several, say */
    uint64_t seq;
    uint64_t revision;
    size_t n_works;
    struct status_work *works;
    struct status_removed *removed;
    bool removed_cut; /* there are more removals under way than those */
};

enum status_liveness { STATUS_NEVER, STATUS_HEARD, STATUS_LOST };

struct status_cluster {
    char *name;
    struct status_view view;
    struct status_view staged; /* parts of a full report, until its last one */
    bool staging;
    /* The messages that view and staged are made of, and some before them: one that comes once more
     * has no other effect. */
    uint8_t taken[STATUS_TAKEN_MAX][STATUS_TAKEN_SIZE];
    unsigned n_taken; /* so far; the last STATUS_TAKEN_MAX of them are there */
    char *facts;      /* JSON document, NUL-terminated; NULL: none yet */
    size_t facts_len;
    char kubernetes_version[64];
    char agent_version[32];
    char healthz[128]; /* "ok", or what is wrong with the member's API server */
    bool has_nodes;    /* the facts tell of nodes */
    bool ready;
    bool offline;              /* not ready because its API server is out of reach */
    int64_t transition_unix_s; /* of the two */
    uint64_t row_revision;     /* store revision of its row, 0: none */
    bool unsettled;            /* its row was written in this turn */
    /* memory only */
    enum status_liveness liveness;
    uint64_t heard_ms;
    int64_t heard_unix_s;
    unsigned sessions;
    char *copied; /* the sentence of CloneSuspected; NULL: no */
    int64_t copied_unix_s;
    char link[16];
    char address[64];
};

struct status_object { /* what was last composed into an object */
    uint64_t revision;
    int64_t touched_unix_s;    /* last told of; 0: not by this process */
    int64_t propagated_unix_s; /* a cluster said that it took something; 0: not to this process */
    /* the Propagation condition (times.c) */
    int64_t update_unix_s;
    int64_t transition_unix_s;
    char reason[32];
    bool known;
    bool stored; /* there is a row */
    bool dirty;  /* it differs from that */
    /* of its text (versions.c) */
    bool hashed;
    char uid[64];
    char template_hash[STATUS_HASH_SIZE];
    char overrides_hash[STATUS_HASH_SIZE];
};

struct status_ops { /* raw operations that go with a row */
    struct fed_arena *arena;
    struct fed_store_op *list;
    size_t n;
};

struct status_wanted;
struct hub_status {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct hub_objects *objects;
    struct hub_plan *plan;
    struct hub_subscription *subscription;
    struct hub_objects_member member;
    bool unsettled; /* a cluster is */
    struct fed_timer *sweep;
    uint32_t heartbeat_s;
    uint64_t started_ms;
    int64_t started_unix_s;
    hub_status_told *told; /* may be NULL */
    void *told_ctx;
    hub_status_scaled *scaled; /* may be NULL */
    void *scaled_ctx;
    hub_status_moved *moved; /* may be NULL */
    void *moved_ctx;
    hub_status_seen *seen_call; /* may be NULL */
    void *seen_ctx;
    struct fed_map clusters; /* name -> status_cluster */
    struct fed_map seen;     /* "c/" resource NUL ns NUL name -> status_object */
    struct fed_timer *times_timer;
    size_t n_dirty; /* of seen */
    struct fed_timer *versions_timer;
    struct fed_map wanted; /* objects whose versions may be missing, and in which order */
    struct status_wanted *wanted_first;
    struct status_wanted **wanted_end;
};

/* ---- view.c ---- */
void status_view_fini(struct hub_status *status, struct status_view *view);
/* A view along the manifest of a revision: states of `from` where the work is the same, else
 * pending. from may be empty. FED_ERR_NOT_FOUND when the plan does not remember both manifests. */
FED_MUST_USE enum fed_err status_view_along(struct hub_status *status, struct fed_span cluster,
    const struct status_view *from, uint64_t revision, struct status_view *out);
FED_MUST_USE enum fed_err status_view_take(
    struct hub_status *status, struct status_view *view, const struct fed_report *report);
/* Index of the work with that identity; false when there is none. */
bool status_manifest_find(
    const struct fed_manifest *manifest, const struct fed_work *identity, size_t *index);
const char *status_work_reason(const struct status_work *work);  /* "" when none */
const char *status_work_message(const struct status_work *work); /* "" when none */

/* ---- row.c ---- */
void status_row_put(
    struct fed_buf *out, const struct status_cluster *cluster, const struct status_view *view);
FED_MUST_USE enum fed_err status_row_take(struct hub_status *status, struct fed_span row,
    struct status_cluster *out, struct fed_diag *diag);
/* Facts of a report into the fields of the cluster. */
FED_MUST_USE enum fed_err status_facts_set(
    struct hub_status *status, struct status_cluster *cluster, struct fed_span facts);
void status_facts_forget(struct hub_status *status, struct status_cluster *cluster);

/* ---- records.c ---- */
struct status_cluster *status_cluster_get(struct hub_status *status, struct fed_span name);
FED_MUST_USE enum fed_err status_cluster_new(
    struct hub_status *status, struct fed_span name, struct status_cluster **out);
FED_MUST_USE enum fed_err status_cluster_ensure(
    struct hub_status *status, struct fed_span name, struct status_cluster **out);
void status_cluster_free(struct hub_status *status, struct status_cluster *cluster);
/* Key of its row in the store; empty when the name is too long for one. */
struct fed_span status_row_key(const struct status_cluster *cluster, char key[300]);
/* Durable with the sync that ends the turn. revision may be NULL. */
FED_MUST_USE enum fed_err status_row_stage(struct hub_status *status,
    const struct fed_store_op *ops, size_t n, uint64_t *revision, struct fed_diag *diag);
/* Stages the cluster's row with that view; more: what is stored in the same commit, NULL for
 * nothing. */
FED_MUST_USE enum fed_err status_row_write(struct hub_status *status,
    struct status_cluster *cluster, const struct status_view *view, const struct status_ops *more,
    struct fed_diag *diag);
/* What was told since is undone: the cluster is as its row says again. Without one, or without
 * memory to read it, the agent is asked for a full report. */
void status_row_recall(struct hub_status *status, struct status_cluster *cluster);

/* ---- ready.c ---- */
#define STATUS_SWEEP_MS 5000u
/* A change of readiness is stored (so that its time survives a restart) and told to everything
 * placed there. */
void status_ready_update(struct hub_status *status, struct status_cluster *cluster);
void status_ready_sweep(void *status); /* the timer's call */

/* ---- report.c ---- */
/* Tells the plan which removals are still under way: all others are over. A list that is cut
 * confirms nothing: a report after the next removals will. */
void status_removals_confirm(struct hub_status *status, const struct status_cluster *cluster);

/* ---- status.c ---- */
struct status_telling {
    struct hub_status *status;
    uint64_t revision;
    const char *cluster; /* whose report it is; NULL: nobody's */
};
/* Whoever watches the object is told that it is composed anew as of that revision; and, with
 * version, whoever watches what stands beside it. ctx is a struct status_telling. */
void status_touch(void *ctx, const struct hub_object_ref *ref);
void status_touch_with_version(void *ctx, const struct hub_object_ref *ref);
struct hub_object_ref status_cluster_ref(const struct status_cluster *cluster);

/* ---- glance.c ---- */
void status_seen(struct hub_status *status, const struct status_cluster *cluster);

/* ---- copied.c ---- */
void status_copied_clear(struct hub_status *status, struct status_cluster *cluster);
/* The condition, when there is one. */
FED_MUST_USE enum fed_err status_copied_put(
    const struct status_cluster *cluster, struct fed_json_doc *doc, struct fed_json *conditions);

/* ---- times.c ---- */
/* The object's record, made when there is none; NULL when memory is out. */
struct status_object *status_object_get(
    struct hub_status *status, const struct hub_object_ref *ref);
struct status_object *status_object_find(
    struct hub_status *status, const struct hub_object_ref *ref); /* NULL: none */
void status_object_forget(struct hub_status *status, const struct hub_object_ref *ref);
/* The reason of the condition as it is now: moves the times. */
void status_times_see(struct hub_status *status, struct status_object *object, const char *reason);
void status_times_write(void *status); /* the timer's call */

/* ---- remote.c ---- */
/* What of the report concerns remote statuses: sets their bits in next, and fills ops (its arena is
 * set) with what is to be stored in the commit of the cluster's row. FED_ERR_INVALID. */
FED_MUST_USE enum fed_err status_remote_take(struct hub_status *status,
    const struct status_cluster *cluster, const struct fed_report *report, struct status_view *next,
    struct status_ops *ops);
/* *out is NULL when nothing is known. */
FED_MUST_USE enum fed_err status_remote_get(struct hub_status *status, struct fed_span cluster,
    const struct fed_work *work, struct fed_json_doc *doc, struct fed_json **out);
/* Removes the rows in [from, to) that nobody needs. */
FED_MUST_USE enum fed_err status_remote_sweep(
    struct hub_status *status, struct fed_span from, struct fed_span to, struct fed_diag *diag);
/* The same for a cluster that is not among the clusters any more. */
FED_MUST_USE enum fed_err status_remote_forget(
    struct hub_status *status, const struct status_cluster *cluster, struct fed_diag *diag);

/* ---- versions.c ---- */
/* The stored object. FED_ERR_NOT_FOUND; revision may be NULL. */
FED_MUST_USE enum fed_err status_object_load(struct hub_status *status,
    const struct hub_object_ref *ref, struct fed_json_doc *doc, struct fed_json **out,
    uint64_t *revision);
/* Where the version of an object is, named in name; false when its name would be too long. */
bool status_version_ref(const struct hub_object_ref *of, const struct hub_planned_type *type,
    char name[254], struct hub_object_ref *out);
/* Whether it is the version, or the collected statuses, of the federated object by the name of
 * owner. */
bool status_is_companion(struct hub_status *status, const struct hub_object_ref *ref,
    struct fed_span owner, struct hub_object_ref *of);
/* Whoever watches what stands beside it is told. */
void status_versions_touch(
    struct hub_status *status, const struct hub_object_ref *of, uint64_t revision);
enum fed_err status_compose_version(void *ctx, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json *object, uint64_t *revision);
enum fed_err status_compose_statuses(void *ctx, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json *object, uint64_t *revision);

/* ---- versions_make.c ---- */
FED_MUST_USE enum fed_err status_versions_open(struct hub_status *status);
void status_versions_close(struct hub_status *status);
/* The federated object is there: what stands beside it is made when it is missing. */
void status_versions_want(struct hub_status *status, const struct hub_object_ref *of);
/* A change of any object. */
void status_versions_changed(struct hub_status *status, const struct hub_change *change);

/* ---- compose.c ---- */
/* The agent's word on the present content of a work; NULL when it has not spoken about it. */
const struct status_work *status_reported(struct hub_status *status,
    const struct status_cluster *cluster, const struct hub_planned_cluster *planned);
/* "gen:3", or "rv:812" for a kind without generation; "" when not known. As KubeFed writes them
 * (pkg/controller/util, ObjectVersion). */
#define STATUS_VERSION_SIZE 32u
void status_work_version(const struct status_work *work, char out[STATUS_VERSION_SIZE]);
/* Of the last report or change that is in the object's status. */
uint64_t status_composed_revision(
    struct hub_status *status, const struct hub_object_ref *ref, const struct hub_planned *planned);
enum fed_err status_compose_federated(void *ctx, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json *object, uint64_t *revision);
enum fed_err status_compose_cluster(void *ctx, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json *object, uint64_t *revision);

/* ---- restricted.c ---- */
/* The word for a cluster that a policy forbids; false when none does. */
bool status_policy_word(
    const struct hub_planned_cluster *planned, const char **status, const char **message);
/* Adds the condition PlacementRestricted to those that are there. */
FED_MUST_USE enum fed_err status_put_restricted(
    struct fed_json_doc *doc, struct fed_json *status, const struct hub_planned *planned);

#endif
