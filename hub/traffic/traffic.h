/* traffic.h - bytes to and from each cluster's agent; and what a cluster's link may be used for.
 *
 * Counted is what the bindings count (struct fed_link_stats): the payload of UDP datagrams, or of
 * TCP as TLS makes it; of a session, from its first message with a cookie to its end, handshakes,
 * retransmissions and acknowledgements included. Headers of IP, UDP and TCP are not in it;
 * datagrams are counted beside, so that they can be added (28 bytes each for IPv4, 48 for IPv6).
 * Months are UTC's.
 *
 * Rows "u/" cluster: the counters of this month and the last. Written once an hour for those that
 * moved, at an orderly stop, and when something is to be told; a hub that is killed loses an hour.
 *
 * What a cluster's annotations say (rules.c):
 *   fedlet.io/monthly-bytes: "50Mi"   bytes in both directions, 28 for each datagram's headers
 *                                     included. At 80 % there is a warning; at 100 % changes wait
 *                                     for the next month
 *   fedlet.io/quiet-windows: "Mon-Fri 08:00-18:00 Europe/Berlin"   changes wait for the end
 *                                     (window.h)
 *   fedlet.io/cordon: "true"          changes wait until it is taken away
 *   fedlet.io/let-through-until: "2026-11-30T17:00:00Z"   until then neither a window nor a spent
 *                                     month makes changes wait; a cordon does all the same
 * Which changes wait, and which do not: hub_plan_hold. Reports, heartbeats,
 * and whatever an agent pulls are not held up. Wall clock decides, looked at every
 * TRAFFIC_TICK_MS and when a hold ends.
 *
 * In KubeFedCluster: status.link, and the conditions ChangesHeld and MonthlyBytesSpent; joined when
 * it is read, so that counters make no new version of it. */
#ifndef FEDLET_HUB_TRAFFIC_TRAFFIC_H
#define FEDLET_HUB_TRAFFIC_TRAFFIC_H

#include "hub/api/kinds.h"
#include "hub/plan/plan.h"
#include "ports/fs.h"
#include "ports/link.h"
#include "ports/log.h"

#define HUB_TRAFFIC_BUDGET_ANNOTATION "fedlet.io/monthly-bytes"
#define HUB_TRAFFIC_WINDOWS_ANNOTATION "fedlet.io/quiet-windows"
#define HUB_TRAFFIC_CORDON_ANNOTATION "fedlet.io/cordon"
#define HUB_TRAFFIC_THROUGH_ANNOTATION "fedlet.io/let-through-until"

struct hub_traffic;

struct hub_traffic_options { /* all outlive it */
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct hub_objects *objects;
    struct hub_plan *plan;
    const struct fed_fs *fs; /* NULL: no zone has a name */
    const char *zone_dir;    /* NULL: /usr/share/zoneinfo */
};
FED_MUST_USE enum fed_err hub_traffic_open(
    const struct hub_traffic_options *options, struct hub_traffic **out, struct fed_diag *diag);
/* Counts, and stages what is not stored yet: before the sessions end with the service. */
void hub_traffic_save(struct hub_traffic *traffic);
void hub_traffic_close(struct hub_traffic *traffic);

/* Whoever knows the sessions is asked to count now; cluster empty: all. */
typedef void hub_traffic_collect(void *ctx, struct fed_span cluster);
void hub_traffic_on_collect(struct hub_traffic *traffic, hub_traffic_collect *collect, void *ctx);
/* Something to tell people: KubeFed's form of an Event about the cluster. */
typedef void hub_traffic_tell(
    void *ctx, struct fed_span cluster, bool warning, const char *reason, const char *message);
void hub_traffic_on_tell(struct hub_traffic *traffic, hub_traffic_tell *tell, void *ctx);

/* A session of the cluster began, moved so many bytes more (sent: by the hub), ended. binding:
 * "coap", "https". */
void hub_traffic_connected(
    struct hub_traffic *traffic, struct fed_span cluster, const char *binding, const char *address);
void hub_traffic_count(struct hub_traffic *traffic, struct fed_span cluster, const char *binding,
    const struct fed_link_stats *more);
void hub_traffic_disconnected(struct hub_traffic *traffic, struct fed_span cluster);

/* Adds to the hooks of KubeFedCluster: what is composed, and what of the annotations is refused. */
void hub_traffic_cluster_hooks(struct hub_traffic *traffic, struct hub_kind_hooks *hooks);

struct hub_traffic_counts {
    uint64_t from_bytes; /* of the cluster */
    uint64_t to_bytes;
    uint64_t from_datagrams;
    uint64_t to_datagrams;
};
/* Of all clusters by one binding since this process started. false: there is no such index. */
bool hub_traffic_total(struct hub_traffic *traffic, size_t index, const char **binding,
    struct hub_traffic_counts *out);
/* This month's, or the one's before, of one cluster, live sessions included; all zeros of one that
 * never came. */
void hub_traffic_of(struct hub_traffic *traffic, struct fed_span cluster, bool before,
    struct hub_traffic_counts *out);
/* A day of one cluster's bytes in steps (series.h), since this process started, live sessions
 * included. Steps end when hub_traffic_step is called, which counts first; who calls it keeps the
 * time. */
#define HUB_TRAFFIC_STEPS 96u
struct hub_traffic_steps {
    size_t n; /* oldest first, the one under way is the last */
    uint64_t from[HUB_TRAFFIC_STEPS];
    uint64_t to[HUB_TRAFFIC_STEPS];
};
void hub_traffic_step(struct hub_traffic *traffic);
/* All zeros of a cluster that did not come. */
void hub_traffic_steps(
    struct hub_traffic *traffic, struct fed_span cluster, struct hub_traffic_steps *out);

/* The clusters with most bytes in both directions this month, most first, as of the last count
 * (hub_traffic_total counts). Returns how many there are, at most max; names are valid until the
 * next change. */
struct hub_traffic_talker {
    struct fed_span cluster;
    struct hub_traffic_counts counts;
};
size_t hub_traffic_top(struct hub_traffic *traffic, struct hub_traffic_talker *out, size_t max);
struct hub_traffic_state {
    size_t connected;
    size_t held;  /* clusters whose changes wait */
    size_t spent; /* whose month's bytes are spent */
};
void hub_traffic_state(struct hub_traffic *traffic, struct hub_traffic_state *out);

#endif
