/* rules.h - what a RolloutPolicy says: its spec read, checked and compiled. Pure.
 *
 *   selector          label selector of federated objects; absent: only objects that name the
 * policy waves[]           at most HUB_ROLLOUT_WAVES_MAX, in order name            a DNS label,
 * each once; "rest" is the implied last wave's clusters        one of names: [..], selector: {..},
 * size: 5 or 5% soak            0 to 30 d (Go's durations), default 0 approval        Required;
 * absent: none maxConcurrency  1.. or 1%..100% of the wave (rounded up, at least 1); absent: all
 *     maxFailures     0.. or 1%..100% of the wave (rounded down); absent: no limit of its own
 *     windows[]       at most 8 of {days: [Mon..], from: HH:MM, to: HH:MM, timeZoneLabel: key}
 *   progressDeadline  1s to 30 d, default 10m
 *   maxFailures       over all clusters, as above; default 0
 *   onFailure         Pause (default) or Rollback
 *   offline           {after: 0s to 30 d, then: Defer or Hold}; default 10m, Defer
 *   minReported       1.., default 1
 *   onNewChange       Replace (default) or Queue
 *
 * The windows of a wave have one timeZoneLabel: the cluster's label of that key names its time
 * zone, with "." for "/", which no label's value has (Europe.Berlin; the first "-" or "_" will do
 * as well: Europe-Berlin); absent: UTC. A window whose end is before its beginning goes on into the
 * next day; both the same is refused. What makes no sense (0 for concurrency, 0%, 101%, 5.5%,
 * unknown members) is refused, never reinterpreted. */
#ifndef FEDLET_HUB_ROLLOUT_RULES_H
#define FEDLET_HUB_ROLLOUT_RULES_H

#include "proto/object/json.h"
#include "proto/object/selector.h"

#define HUB_ROLLOUT_WAVES_MAX 32u /* of a policy, without "rest" */
#define HUB_ROLLOUT_WINDOWS_MAX 8u
#define HUB_ROLLOUT_ZONE_LABELS_MAX 4u /* different ones in a policy */
#define HUB_ROLLOUT_NAMES_MAX 10000u   /* of one wave's clusters */
#define HUB_ROLLOUT_FIELD_MAX 256u
#define HUB_ROLLOUT_DURATION_MAX_MS ((uint64_t)30 * 24 * 3600 * 1000)
#define HUB_ROLLOUT_NUMBER_MAX 1000000u
#define HUB_ROLLOUT_REST "rest"

struct hub_rollout_share {
    bool given;
    bool percent;
    uint32_t value;
};

struct hub_rollout_window {
    uint8_t days;         /* bit 0: Monday */
    int from_min, to_min; /* of the local day on which it begins; to up to 24 hours after from */
};

struct hub_rollout_wave {
    struct fed_span name;
    struct fed_span *names; /* of clusters, sorted */
    size_t n_names;
    struct fed_selector *selector; /* NULL: not by labels */
    struct hub_rollout_share size; /* not given: not by size */
    struct hub_rollout_share concurrency;
    struct hub_rollout_share failures;
    uint64_t soak_ms;
    bool approval;
    size_t n_windows;
    struct hub_rollout_window windows[HUB_ROLLOUT_WINDOWS_MAX];
    unsigned zone_label; /* of rules.zone_labels, for all its windows; UINT32_MAX: UTC */
};

struct hub_rollout_rules {
    struct fed_alloc *mem;
    unsigned refs;
    struct fed_json_doc *doc; /* a copy of the spec; names and labels are in it */
    const struct fed_json *spec;
    struct fed_selector *objects; /* NULL: only those that name the policy */
    size_t n_waves;               /* with "rest", which is the last; >= 1 */
    struct hub_rollout_wave *waves;
    unsigned n_zone_labels;
    struct fed_span zone_labels[HUB_ROLLOUT_ZONE_LABELS_MAX];
    struct hub_rollout_share failures;
    uint64_t deadline_ms;
    uint64_t offline_after_ms;
    uint32_t min_reported;
    bool rollback; /* onFailure */
    bool hold;     /* offline.then */
    bool queue;    /* onNewChange */
};

/* Reads a spec (NULL: an empty one). FED_ERR_INVALID or FED_ERR_LIMIT with the path of the field
 * ("spec.waves[1].maxConcurrency") and a sentence for whoever wrote it; FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err hub_rollout_rules_read(struct fed_alloc *mem, const struct fed_json *spec,
    struct hub_rollout_rules **out, char field[HUB_ROLLOUT_FIELD_MAX], struct fed_diag *diag);
/* One more holder; each lets go with free. */
struct hub_rollout_rules *hub_rollout_rules_keep(struct hub_rollout_rules *rules);
void hub_rollout_rules_free(struct hub_rollout_rules *rules); /* NULL is fine */

/* Whether the policy's selector is for an object with these labels (NULL: none). */
bool hub_rollout_rules_select(const struct hub_rollout_rules *rules, const struct fed_json *labels);
/* Waves, by bit of their index, that have the cluster by name or labels; sizes and "rest" are not
 * among them. */
uint32_t hub_rollout_rules_waves(
    const struct hub_rollout_rules *rules, struct fed_span cluster, const struct fed_json *labels);
/* Of total clusters: rounded up, at least 1 (0 of 0); all when not given. */
size_t hub_rollout_share_up(const struct hub_rollout_share *share, size_t total);
/* Rounded down; SIZE_MAX when not given. */
size_t hub_rollout_share_down(const struct hub_rollout_share *share, size_t total);

#endif
