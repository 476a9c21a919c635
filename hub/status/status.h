/* status.h - what the agents said, stored once per cluster, and joined into objects when they are
 * read.
 *
 * Row "s/" cluster: report sequence, manifest revision, facts, and per work state, health, version,
 * reason, message (row.c); rows "r/": .status of members' objects (remote.c); rows "c/": times of
 * conditions (times.c). Liveness is memory only: receive time on the monotonic clock. */
#ifndef FEDLET_HUB_STATUS_STATUS_H
#define FEDLET_HUB_STATUS_STATUS_H

#include "hub/plan/plan.h"
#include "proto/bundle/report.h"

struct hub_status;

FED_MUST_USE enum fed_err hub_status_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, struct hub_objects *objects, struct hub_plan *plan, uint32_t heartbeat_s,
    struct hub_status **out, struct fed_diag *diag);
void hub_status_close(struct hub_status *status);
/* Hooks for federated kinds and for KubeFedCluster (compose; ctx is the status). */
void hub_status_federated_hooks(struct hub_status *status, struct hub_kind_hooks *hooks);
void hub_status_cluster_hooks(struct hub_status *status, struct hub_kind_hooks *hooks);
/* For PropagatedVersion and ClusterPropagatedVersion, which the status also keeps beside every
 * federated object, and for FederatedServiceStatus. */
void hub_status_version_hooks(struct hub_status *status, struct hub_kind_hooks *hooks);
void hub_status_statuses_hooks(struct hub_status *status, struct hub_kind_hooks *hooks);

/* The plan of an object changed (hub_plan_object_changed): whoever watches it is told. */
void hub_status_object_changed(
    struct hub_status *status, const struct hub_object_ref *ref, uint64_t revision);

/* What became of a work since the cluster's last report: applied, or failed. */
struct hub_status_outcome {
    struct hub_object_ref ref; /* the federated object */
    struct fed_span cluster;
    const struct fed_work *work;
    enum fed_work_state state;
    enum fed_work_deed deed; /* when applied; of a failure, what was tried, NONE when not known */
    struct fed_span reason;  /* of a failure, KubeFed's word */
    struct fed_span message;
};
typedef void hub_status_told(void *ctx, const struct hub_status_outcome *outcome);
/* told is called inside hub_status_report; it must not change objects there. */
void hub_status_on_outcome(struct hub_status *status, hub_status_told *told, void *ctx);

/* How the pods of a work fare, as the cluster's agent reported (report.h). told is called inside
 * hub_status_report, once for each work that the report says something of; it must not change
 * objects there, and may stage rows, which are durable with the report. */
typedef void hub_status_scaled(void *ctx, const struct hub_object_ref *ref, struct fed_span cluster,
    const struct fed_report_scale *scale);
void hub_status_on_scaled(struct hub_status *status, hub_status_scaled *told, void *ctx);
/* Whether the cluster is ready, and since when it is or is not (Unix seconds, 0 when it never
 * reported); since_unix_s may be NULL. */
bool hub_status_is_ready(struct hub_status *status, struct fed_span cluster, int64_t *since_unix_s);
/* Whether the cluster, as it last reported, holds a work with that identity. */
bool hub_status_is_applied(
    struct hub_status *status, struct fed_span cluster, const struct fed_work *identity);

/* Whether the cluster has an object for that work, as far as it reported: one that it could not
 * create is not there; of one that it did not speak of yet nothing is known, which counts as there.
 */
bool hub_status_has_object(
    struct hub_status *status, struct fed_span cluster, const struct fed_work *identity);

/* What is known of one work in a cluster, for whoever waits for it. Texts are valid until the next
 * report. */
struct hub_status_fact {
    bool confirmed; /* the agent spoke of this content; else state, health and texts say nothing */
    enum fed_work_state state;
    enum fed_work_health health;
    const char *reason; /* "" when none */
    const char *message;
    bool ready;           /* the cluster */
    bool offline;         /* it is out of reach, or its API server is */
    int64_t since_unix_s; /* of those two; 0 when it never reported */
};
/* since_revision: of the cluster's manifest, in which the work last changed; work NULL: of the
 * cluster only. */
void hub_status_fact(struct hub_status *status, struct fed_span cluster,
    const struct fed_work *work, uint64_t since_revision, struct hub_status_fact *out);
/* That may be another one now: of an object in the cluster, or (ref NULL) whether the cluster is
 * ready or out of reach. told is called inside hub_status_report and on changes of liveness, once
 * for each object that the report may have changed; it is to be O(1), and changes nothing there. */
typedef void hub_status_moved(void *ctx, const struct hub_object_ref *ref, struct fed_span cluster);
void hub_status_on_moved(struct hub_status *status, hub_status_moved *moved, void *ctx);

uint64_t hub_status_report_seq(
    struct hub_status *status, struct fed_span cluster); /* 0: none stored */
/* Takes a report: staged when FED_OK, and durable with the flush that ends the turn; whoever
 * acknowledges it waits for that. FED_ERR_CONFLICT when its sequence does not follow: the
 * agent sends a full one. FED_ERR_NOT_FOUND for a cluster that is not registered. */
FED_MUST_USE enum fed_err hub_status_report(struct hub_status *status, struct fed_span cluster,
    const struct fed_report *report, struct fed_diag *diag);
/* A session came, anything was heard, a session ended. */
void hub_status_connected(
    struct hub_status *status, struct fed_span cluster, const char *link, const char *address);
void hub_status_alive(struct hub_status *status, struct fed_span cluster);
void hub_status_disconnected(struct hub_status *status, struct fed_span cluster);
/* A cluster at a glance. Of drifted and failed: works; a contested one is drifted, too. */
enum hub_connectivity { HUB_ONLINE, HUB_LATE, HUB_OFFLINE, HUB_NEVER, HUB_QUARANTINED };
enum hub_delivery {
    HUB_IN_SYNC,
    HUB_SYNCING,
    HUB_WAITING, /* for a window, consent, the next month, something in the member, or its agent */
    HUB_DRIFTED,
    HUB_CONTESTED,
    HUB_FAILED /* a work, or the member's API server, is */
};
struct hub_status_glance {
    enum hub_connectivity connectivity;
    enum hub_delivery delivery; /* the worst; as it last reported */
    /* Late and offline: it was heard last; else the state began; 0: not known, or never. */
    int64_t since_unix_s;
    size_t drifted;
    size_t failed;
};
/* Costs a look at each of its works. Of a cluster that never came: HUB_NEVER. */
void hub_status_glance(
    struct hub_status *status, struct fed_span cluster, struct hub_status_glance *out);
/* What is not in its glance. The spans are the cluster's, until it next reports. */
struct hub_status_detail {
    bool came;     /* ever */
    size_t behind; /* works that it is still to apply or to remove, at least */
    struct fed_span agent_version;
    struct fed_span kubernetes_version;
};
/* Costs a look at each of its works. */
void hub_status_detail(
    struct hub_status *status, struct fed_span cluster, struct hub_status_detail *out);
/* Called when a glance may be another one; not for what time alone does to it (late, offline after
 * silence). The plan's changes are told elsewhere (hub_plan_on_change). */
typedef void hub_status_seen(void *ctx, struct fed_span cluster);
void hub_status_on_seen(struct hub_status *status, hub_status_seen *seen, void *ctx);

/* Two machines came as this cluster (condition CloneSuspected): the sentence, and since when.
 * message NULL: that is settled. Memory only; who notices keeps it. */
void hub_status_copied(
    struct hub_status *status, struct fed_span cluster, const char *message, int64_t since_unix_s);

#endif
