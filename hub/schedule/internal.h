/* internal.h - the scheduler's state, shared by its files. Not for others. */
#ifndef FEDLET_HUB_SCHEDULE_INTERNAL_H
#define FEDLET_HUB_SCHEDULE_INTERNAL_H

#include "hub/kubefed/config.h"
#include "hub/schedule/schedule.h"
#include "proto/base/map.h"
#include "proto/object/json.h"

#define SCHEDULE_PREFERENCES "replicaschedulingpreferences.scheduling.kubefed.io"
#define SCHEDULE_API_VERSION "scheduling.kubefed.io/v1alpha1"
#define SCHEDULE_KIND "ReplicaSchedulingPreference"
#define SCHEDULE_PATH "/spec/replicas"
#define SCHEDULE_ARENA_MAX                                                                         \
    (64u << 20) /* of one preference: 10,000 clusters and their overrides                          \
                 */

struct schedule_cluster {
    char *name;
    struct fed_json_doc *doc; /* holds the labels */
    const struct fed_json *labels;
    bool ready;      /* says status */
    bool counted;    /* takes part */
    bool given_up;   /* took part, and was lost for too long */
    uint64_t due_ms; /* when counted follows ready; 0: they agree */
};

struct schedule_item { /* one preference */
    char *key;         /* ns NUL name */
    size_t key_len;
    struct fed_span ns, name;   /* in key */
    struct schedule_item *next; /* of the queue */
    bool queued;
    bool seen; /* with its target, once */
    uint64_t due_ms;
    uint64_t facts_by_ms; /* until then unknown pods are waited for; 0: no longer */
    uint32_t told;        /* hash of the last event */
};

struct schedule_fact { /* of one work in one cluster */
    uint32_t replicas;
    uint32_t ready;
    uint32_t running;
    uint32_t unschedulable;
};

struct hub_schedule {
    struct hub_schedule_options o;
    struct hub_subscription *subscriptions[3];
    struct fed_timer *timer;
    uint64_t timer_ms; /* when it fires; 0: it is not set */
    struct hub_kubefed_settings settings;
    struct fed_map clusters; /* name -> schedule_cluster */
    struct fed_map items;    /* ns NUL name -> schedule_item */
    struct fed_map facts;    /* cluster NUL resource NUL ns NUL name -> schedule_fact */
    struct schedule_item *queue;
    struct schedule_item *busy; /* is being looked at: freed only after that */
    bool busy_gone;
    uint64_t all_due_ms; /* when every preference is looked at again; 0: not */
    bool opening;
};

/* ---- schedule.c ---- */
void schedule_queue(struct hub_schedule *s, struct schedule_item *item, uint64_t in_ms);
void schedule_queue_all(struct hub_schedule *s, uint64_t in_ms);
/* Sees to it that the timer fires by then. */
void schedule_wake(struct hub_schedule *s, uint64_t due_ms);

/* ---- cluster.c ---- */
/* An object of KubeFedCluster changed, or its readiness; bytes NULL: it is gone. */
void schedule_cluster_look(
    struct hub_schedule *s, struct fed_span name, const struct fed_span *bytes);
/* Lets those take part, or not, whose time has come; gives the next time, 0 for none. */
uint64_t schedule_clusters_due(struct hub_schedule *s, uint64_t now_ms);
void schedule_clusters_fini(struct hub_schedule *s);

/* ---- facts.c ---- */
FED_MUST_USE enum fed_err schedule_facts_load(struct hub_schedule *s, struct fed_diag *diag);
void schedule_facts_fini(struct hub_schedule *s);
void schedule_facts_told(void *ctx, const struct hub_object_ref *ref, struct fed_span cluster,
    const struct fed_report_scale *scale); /* hub_status_scaled */
const struct schedule_fact *schedule_fact_of(
    const struct hub_schedule *s, const struct hub_object_ref *target, struct fed_span cluster);
/* The cluster has no such work any more. */
void schedule_fact_forget(
    struct hub_schedule *s, const struct hub_object_ref *target, struct fed_span cluster);
void schedule_facts_forget_cluster(struct hub_schedule *s, struct fed_span cluster);

/* ---- place.c ---- */
/* Looks at one preference and writes what follows from it. FED_ERR_CONFLICT: the object changed
 * meanwhile; FED_ERR_BUSY: pods are waited for, till facts_by_ms. */
FED_MUST_USE enum fed_err schedule_place(
    struct hub_schedule *s, struct schedule_item *item, struct fed_diag *diag);

/* ---- edit.c ---- */
struct schedule_share {
    struct fed_span cluster;
    int64_t replicas;
};
/* Brings placement and overrides of the federated object in line with the shares, which are by
 * name. *changed: whether anything was to be done. FED_ERR_INVALID with diag for overrides that
 * cannot be read (a cluster twice). */
FED_MUST_USE enum fed_err schedule_edit(struct fed_json_doc *doc, struct fed_json *object,
    const struct schedule_share *shares, size_t n, bool *changed, struct fed_diag *diag);

#endif
