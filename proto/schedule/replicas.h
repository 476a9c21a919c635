/* replicas.h - how a total of replicas is spread over clusters: KubeFed's planner, number for
 * number.
 *
 * Source: KubeFed v0.10.0, pkg/controller/util/planner; user guide "ReplicaSchedulingPreference".
 * Pure integer arithmetic. Clusters are served by weight, the heaviest first, and among equal
 * weights by the 32-bit FNV-1 hash of cluster name and key, so that it is not always the same
 * cluster that gets the odd replica (equal hashes, which KubeFed leaves to chance: by name).
 *
 *   1. every cluster gets its minimum, as far as the total and its capacity go
 *   2. unless rebalancing, it keeps what it runs beyond that, up to its maximum and capacity
 *   3. what remains is dealt out by weight, rounded up, in passes; whoever meets its maximum or
 *      capacity takes no part in later ones. What capacity alone kept out is its overflow.
 *   4. unless rebalancing, an overflow is at most what found no place at all
 *
 * A pass is linear; there are few of them: each halves what is kept or closes clusters, and what
 * remains to be dealt out is at most the share of those just closed (for 10,000 clusters and any
 * weights well under 200 passes, commonly 1 to 3). */
#ifndef FEDLET_PROTO_SCHEDULE_REPLICAS_H
#define FEDLET_PROTO_SCHEDULE_REPLICAS_H

#include "proto/base/alloc.h"
#include "proto/base/span.h"

#define FED_REPLICAS_MAX INT32_MAX        /* the total, as in the API's int32 */
#define FED_REPLICAS_CLUSTERS_MAX 100000u /* of one plan */
#define FED_REPLICAS_UNBOUNDED INT64_MAX  /* maximum of a cluster that has none */

struct fed_replicas_preference {
    int64_t min;
    int64_t max; /* FED_REPLICAS_UNBOUNDED for none */
    int64_t weight;
};

struct fed_replicas_cluster {
    struct fed_span name;
    const struct fed_replicas_preference *preference; /* NULL: it gets nothing, but takes part */
    int64_t current;  /* replicas that run there, for step 2; 0 for none */
    int64_t capacity; /* at most so many can run; -1 when not known */
    /* the result; what is asked of the cluster is the sum: so room that came back is found */
    int64_t planned;
    int64_t overflow;
};

/* Fills in planned and overflow of every cluster; their order does not matter and stays.
 *   key  "namespace/name" of the federated object
 * FED_ERR_INVALID, with diag: a number below zero, a total above FED_REPLICAS_MAX, a cluster twice.
 * FED_ERR_LIMIT: weights whose sum, or whose product with the total, leaves 64 bits; more than
 * FED_REPLICAS_CLUSTERS_MAX clusters. FED_ERR_NOMEM. On error nothing is filled in. */
FED_MUST_USE enum fed_err fed_replicas_plan(struct fed_alloc *mem, struct fed_span key,
    int64_t total, bool rebalance, struct fed_replicas_cluster *clusters, size_t n,
    struct fed_diag *diag);

/* FNV-1, 32 bit, over both texts one after the other. */
uint32_t fed_replicas_hash(struct fed_span name, struct fed_span key);

#endif
