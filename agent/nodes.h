/* nodes.h - what a member's nodes amount to: how many, where, and what they can take.
 *
 * Region and zones are the labels topology.kubernetes.io/region and /zone; cpu and memory the sums
 * of status.allocatable, quantities as Kubernetes writes them (apimachinery, resource.Quantity).
 * Pure. */
#ifndef FEDLET_AGENT_NODES_H
#define FEDLET_AGENT_NODES_H

#include "proto/doc/doc.h"
#include "proto/object/json.h"

#define AGENT_NODES_ZONES_MAX 16u
#define AGENT_NODES_LABEL_MAX 63u /* of a label's value */

struct agent_nodes {
    uint64_t n;
    uint64_t cpu_milli;
    uint64_t memory_kib;
    char region[AGENT_NODES_LABEL_MAX + 1]; /* the first one seen; "" for none */
    char zones[AGENT_NODES_ZONES_MAX][AGENT_NODES_LABEL_MAX + 1]; /* sorted, each once */
    size_t n_zones;
    uint32_t unschedulable; /* pods that found no node for a minute (pods.h) */
};

/* Counts one Node in. */
void agent_nodes_take(struct agent_nodes *nodes, const struct fed_json *node);
/* Members "nodes", "allocatable" {"cpu", "memory"}, "region", "zones" and "unschedulablePods" of
 * the facts; those that are empty, or none, are left out. */
FED_MUST_USE enum fed_err agent_nodes_put(const struct agent_nodes *nodes, struct fed_doc *facts);
/* In thousandths; false for what is no quantity. Beyond uint64 it is the most there is. */
bool agent_quantity_milli(struct fed_span text, uint64_t *out);

#endif
