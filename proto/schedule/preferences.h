/* preferences.h - what is wanted of the replica planner, as JSON: the preferences of a
 * ReplicaSchedulingPreference (KubeFed, scheduling.kubefed.io/v1alpha1, spec.clusters), and the
 * document that asks for one plan.
 *
 * The document:
 *   {"key": "ns/name", "clusters": ["A", "B"], "totalReplicas": 50, "rebalance": false,
 *    "preferences": {"*": {"weight": 1, "minReplicas": 0, "maxReplicas": null}},
 *    "current": {"A": 30}, "capacity": {"A": 10}}
 * clusters and totalReplicas are required; what else is absent or null is empty, false or 0, and no
 * preferences at all mean {"*": {"weight": 1}}, as with KubeFed. Numbers of clusters that are not
 * in the list are checked and then count for nothing. The answer:
 *   {"plan": {"A": 30, "B": 20}, "overflow": {}}
 * by name; overflow names only those that have some.
 *
 * It goes through proto/object because its integers have 64 bits, like those of the API. */
#ifndef FEDLET_PROTO_SCHEDULE_PREFERENCES_H
#define FEDLET_PROTO_SCHEDULE_PREFERENCES_H

#include "proto/base/buf.h"
#include "proto/object/json.h"
#include "proto/schedule/replicas.h"

#define FED_PREFERENCES_BYTES_MAX (16u << 20) /* of a document */

struct fed_preference_entry {
    struct fed_span name;
    struct fed_replicas_preference preference;
};
struct fed_preferences {
    const struct fed_preference_entry *entries; /* by name */
    size_t n;
    const struct fed_replicas_preference *others; /* of "*"; NULL: the others get nothing */
};

/* clusters: an object by cluster name, or absent. Arrays are of the arena, names point into the
 * JSON. FED_ERR_INVALID with diag: not of that form, an unknown member, a number below zero.
 * FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_preferences_read(struct fed_arena *arena,
    const struct fed_json *clusters, struct fed_preferences *out, struct fed_diag *diag);
/* Of a cluster: its own, else that of "*", else NULL. */
const struct fed_replicas_preference *fed_preferences_of(
    const struct fed_preferences *preferences, struct fed_span cluster);

struct fed_replicas_question {
    struct fed_span key;
    int64_t total;
    bool rebalance;
    struct fed_replicas_cluster *clusters;
    size_t n;
};
/* Spans point into doc, arrays are of the arena. FED_ERR_INVALID, FED_ERR_LIMIT, FED_ERR_NOMEM with
 * diag. What fed_replicas_plan refuses is left to it. */
FED_MUST_USE enum fed_err fed_replicas_question_read(struct fed_arena *arena,
    struct fed_json_doc *doc, struct fed_span text, struct fed_replicas_question *out,
    struct fed_diag *diag);
/* The answer as compact JSON. Errors stick in out; FED_ERR_NOMEM otherwise. */
FED_MUST_USE enum fed_err fed_replicas_answer_put(
    struct fed_buf *out, struct fed_json_doc *doc, const struct fed_replicas_question *question);

#endif
