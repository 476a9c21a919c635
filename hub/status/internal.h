/* internal.h - the status' state, shared by its files. Not for others.
 *
 * Works are kept as an array that runs parallel to the manifest at `revision`, a few bytes each;
 * texts only for what went wrong. When an agent reports another revision the array is laid anew
 * along the new manifest: what both have unchanged keeps its state, everything else is pending
 * until the agent says otherwise. */
#ifndef FEDLET_HUB_STATUS_INTERNAL_H
#define FEDLET_HUB_STATUS_INTERNAL_H

#include "hub/status/status.h"
#include "proto/base/map.h"

#define STATUS_CLUSTERS "kubefedclusters.core.kubefed.io"
#define STATUS_ROW_MAX (8u << 20)

struct status_work {
    uint8_t state;  /* enum fed_work_state */
    uint8_t health; /* enum fed_work_health */
    bool moved;     /* the last report changed its state */
    uint64_t generation;
    char *text; /* reason NUL message NUL, or NULL */
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
    char *facts; /* JSON document, NUL-terminated; NULL: none yet */
    size_t facts_len;
    char kubernetes_version[64];
    char healthz[128]; /* "ok", or what is wrong with the member's API server */
    bool ready;
    int64_t transition_unix_s; /* of ready */
    uint64_t row_revision;     /* store revision of its row, 0: none */
    bool unsettled;            /* its row was written in this turn */
    /* memory only */
    enum status_liveness liveness;
    uint64_t heard_ms;
    int64_t heard_unix_s;
    unsigned sessions;
    char link[16];
    char address[64];
};

struct status_object { /* what was last composed into an object */
    uint64_t revision;
    int64_t update_unix_s;
    int64_t transition_unix_s;
    char reason[32];
    bool known;
};

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
    hub_status_told *told; /* may be NULL */
    void *told_ctx;
    struct fed_map clusters; /* name -> status_cluster */
    struct fed_map seen;     /* resource NUL ns NUL name -> status_object */
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

/* ---- status.c ---- */
struct status_cluster *status_cluster_get(struct hub_status *status, struct fed_span name);
struct status_object *status_object_get(
    struct hub_status *status, const struct hub_object_ref *ref);

/* ---- compose.c ---- */
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
