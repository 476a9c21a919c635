/* engine.h - one federated object's way through the fleet: which version each cluster gets, and
 * why.
 *
 * Pure: no I/O and no clock of its own. An engine lives as long as its object is governed, over all
 * its rollouts, one of which is the present one. What goes in: rules, clusters with labels, facts
 * of their copies, actions of people, time. What comes out: which clusters' answers and rows
 * changed, phase, counts, what happens next and when. Rules are those of docs/rollouts.md.
 *
 * Storage: a record (of the present rollout) and a row for each cluster whose state is not the
 * initial one (untouched, with `from`). The caller writes what changed in one commit, and calls
 * hub_rollout_kept once that is durable. When the commit is refused because another hub was faster,
 * throw the engine away and open it anew: record, rows, clusters, facts.
 *
 * Costs: a fact, a reach, an answer are O(1). A step goes over the clusters once, and once more for
 * each further wave that opens in it: nothing in it allocates but zones seen first and moves of
 * clusters between waves.
 *
 * Time: mono_ms is any monotonic clock, unix_ms the hub's wall clock. Waits (soak, deadlines) are
 * measured by the monotonic one, so that a wall clock that is set changes none of them; windows of
 * the week use the wall clock. Stored times are wall-clock times of when the engine began, and the
 * record says how far it was set since. */
#ifndef FEDLET_HUB_ROLLOUT_ENGINE_H
#define FEDLET_HUB_ROLLOUT_ENGINE_H

#include "hub/rollout/rules.h"
#include "hub/traffic/window.h"
#include "proto/digest/sha256.h"

#define HUB_ROLLOUT_VERSIONS_MAX 10u /* from, to, and 8 of rollouts that were superseded */
#define HUB_ROLLOUT_REASON_MAX 64u   /* longer ones are cut */
#define HUB_ROLLOUT_MESSAGE_MAX 256u
#define HUB_ROLLOUT_GROUPS_MAX 20u     /* of failures */
#define HUB_ROLLOUT_GROUP_CLUSTERS 10u /* named in each */
#define HUB_ROLLOUT_CONDITIONS_MAX 10u
#define HUB_ROLLOUT_ROW_MAX 512u     /* bytes of a cluster's row */
#define HUB_ROLLOUT_RECORD_MAX 4096u /* bytes of the record */
#define HUB_ROLLOUT_CLUSTERS_MAX 100000u

struct hub_rollout; /* the engine; opaque */

struct hub_rollout_now {
    int64_t unix_ms;
    uint64_t mono_ms;
};

enum hub_rollout_phase {
    HUB_ROLLOUT_NONE, /* governed, and nothing to roll out yet */
    HUB_ROLLOUT_RUNNING,
    HUB_ROLLOUT_SOAKING,
    HUB_ROLLOUT_AWAITING_APPROVAL,
    HUB_ROLLOUT_PAUSED,
    HUB_ROLLOUT_ROLLING_BACK,
    HUB_ROLLOUT_ROLLED_BACK,
    HUB_ROLLOUT_COMPLETE,
    HUB_ROLLOUT_ABORTED
};
enum hub_rollout_wave_phase {
    HUB_ROLLOUT_WAVE_WAITING,
    HUB_ROLLOUT_WAVE_RUNNING,
    HUB_ROLLOUT_WAVE_SOAKING,
    HUB_ROLLOUT_WAVE_AWAITING_APPROVAL,
    HUB_ROLLOUT_WAVE_DONE,
    HUB_ROLLOUT_WAVE_EMPTY
};
enum hub_rollout_state {  /* of a cluster; order is that of stored rows */
    HUB_ROLLOUT_PENDING,  /* not its turn yet; it keeps what it has */
    HUB_ROLLOUT_RELEASED, /* its answer is `to`; not confirmed */
    HUB_ROLLOUT_APPLIED,  /* confirmed, not healthy (any more) */
    HUB_ROLLOUT_HEALTHY,
    HUB_ROLLOUT_FAILED,
    HUB_ROLLOUT_DEFERRED,  /* out of reach for long; it catches up */
    HUB_ROLLOUT_RETURNING, /* its answer is `from` again; not confirmed */
    HUB_ROLLOUT_RETURNED,
    HUB_ROLLOUT_STUCK /* it could not be returned: see its reason */
};
/* "Running", "AwaitingApproval", "" for NONE ...; "Waiting" ...; "Pending", "Released" ... */
const char *hub_rollout_phase_text(enum hub_rollout_phase phase);
const char *hub_rollout_wave_phase_text(enum hub_rollout_wave_phase phase);
const char *hub_rollout_state_text(enum hub_rollout_state state);
/* The rollout ended; it may still have clusters that catch up. */
bool hub_rollout_phase_is_end(enum hub_rollout_phase phase);

/* ---- making ---- */

/* How time zones are found; the zone lives as long as the engine. NULL: none are known. */
struct hub_rollout_options {
    struct fed_alloc *mem;
    /* Clusters that one step may change, so that what is to be written with it is bounded: what is
     * left is done by the next ones (hub_rollout_is_cut). 0: no limit. */
    size_t step_max;
    struct fed_span uid; /* of the federated object: the order of clusters depends on it; copied */
    hub_zone_find *find_zone;
    void *zone_ctx;
};
/* An engine without rollout: phase NONE. now: of making. FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err hub_rollout_new(const struct hub_rollout_options *options,
    struct hub_rollout_now now, struct hub_rollout **out);
void hub_rollout_free(struct hub_rollout *rollout);
/* From its record (hub_rollout_record). rules: the rollout's, kept (NULL in phase NONE). Then
 * hub_rollout_recall for each row, hub_rollout_cluster for each cluster, hub_rollout_ready, reach
 * and facts of all, and a step. FED_ERR_CORRUPT, FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err hub_rollout_open(const struct hub_rollout_options *options,
    struct hub_rollout_rules *rules, struct fed_span record, struct hub_rollout_now now,
    struct hub_rollout **out);
/* A cluster's row. FED_ERR_CORRUPT, FED_ERR_EXISTS, FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err hub_rollout_recall(
    struct hub_rollout *rollout, struct fed_span cluster, struct fed_span row);
/* All clusters were told: what does not exist any more is dropped (row_gone). */
void hub_rollout_ready(struct hub_rollout *rollout);

/* ---- versions ---- */

/* The object gets governed with this content, that everybody has: it is `from`, nothing starts.
 * Only in phase NONE. */
void hub_rollout_adopt(struct hub_rollout *rollout, const struct fed_digest *content);
/* A new content: the present rollout, if it has not ended, is superseded by one to this. `from`
 * becomes the last complete version. rules are kept. All rows are due anew (they belong to another
 * rollout: hub_rollout_each_changed tells all that are to be written; the former rollout's may go).
 * Complete at once when every cluster has that content already.
 * Labels are not kept: tell all clusters again (hub_rollout_cluster, then hub_rollout_ready) before
 * the next step; whoever is not told gets nothing new.
 * FED_ERR_BUSY: clusters have too many versions as it is: let the present one end first;
 * FED_ERR_NOMEM. Then nothing changed. */
FED_MUST_USE enum fed_err hub_rollout_begin(struct hub_rollout *rollout,
    struct hub_rollout_rules *rules, const struct fed_digest *to, struct hub_rollout_now now);
/* NULL: none. */
const struct fed_digest *hub_rollout_from(const struct hub_rollout *rollout);
const struct fed_digest *hub_rollout_to(const struct hub_rollout *rollout);
/* All versions that clusters have or may get: 0 .. count - 1; the bytes of others may be dropped.
 * NULL beyond. */
const struct fed_digest *hub_rollout_version(const struct hub_rollout *rollout, size_t index);

/* ---- clusters ---- */

/* A cluster that the latest version selects or that has a copy: new, or its labels (NULL: none) may
 * have changed. A cluster that was touched stays in its wave. FED_ERR_NOMEM, FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err hub_rollout_cluster(
    struct hub_rollout *rollout, struct fed_span cluster, const struct fed_json *labels);
/* It is not selected any more, or gone: it drops out of every count. Unknown ones are no matter. */
void hub_rollout_cluster_gone(struct hub_rollout *rollout, struct fed_span cluster);
/* In reach (offline_since_ms 0), or out of it since then (unix; not before the hub's start, so that
 * a restart puts nobody off). Until the first call it is not known: nothing is released to it.
 * false: unknown cluster. */
bool hub_rollout_reach(struct hub_rollout *rollout, struct fed_span cluster,
    int64_t offline_since_ms, struct hub_rollout_now now);

/* Something may be new of it (its reach, its copy): a note for whoever tells facts, O(1), kept
 * until it is asked for. reach: no more than that it came into reach, or out of it, or that its
 * hold began or ended, which may matter no more. False: it is unknown, or does not matter, and is
 * not noted. */
bool hub_rollout_moved(struct hub_rollout *rollout, struct fed_span cluster, bool reach);
/* One of those, in no order, which is noted no more; false: there is none. */
bool hub_rollout_next_moved(struct hub_rollout *rollout, struct fed_span *cluster);

/* What is new for the cluster waits: its quiet window, a month's bytes that are spent, a cordon. */
struct hub_rollout_hold {
    bool held;
    bool kept;            /* its answer waits, too: it was not sent */
    int64_t until_unix_s; /* 0: not known */
};
/* Such a cluster has its turn when the hold ends, as with a closed window of its wave; where that
 * is not within HUB_ROLLOUT_HOLD_MAX_S it counts as one out of reach. Unknown clusters are no
 * matter.
 */
#define HUB_ROLLOUT_HOLD_MAX_S 86400
void hub_rollout_hold(struct hub_rollout *rollout, struct fed_span cluster,
    const struct hub_rollout_hold *hold, struct hub_rollout_now now);

enum hub_rollout_copy {
    HUB_ROLLOUT_COPY_UNKNOWN, /* not sent, or nothing heard of it */
    HUB_ROLLOUT_COPY_TAKEN,   /* the member has it and has not applied it yet (also: it waits) */
    HUB_ROLLOUT_COPY_APPLIED, /* confirmed; also that there is to be none */
    HUB_ROLLOUT_COPY_FAILED   /* refused for good, undone by the member, or never made by the hub */
};
enum hub_rollout_health {
    HUB_ROLLOUT_HEALTH_UNKNOWN, /* no rule for its kind: applied is enough */
    HUB_ROLLOUT_HEALTH_GOOD,
    HUB_ROLLOUT_HEALTH_BAD /* not (yet) healthy */
};
struct hub_rollout_fact {
    /* The version that the copy was made of, so that a report of the version before does not speak
     * for this one; all zeros: it has none. Other than the present answer: the fact is no news. */
    struct fed_digest version;
    enum hub_rollout_copy copy;
    enum hub_rollout_health health;
    struct fed_span reason; /* of FAILED and BAD: "Unhealthy" */
    struct fed_span message;
};
/* What is known of the copy that the cluster has, whenever that changes. FED_ERR_NOT_FOUND,
 * FED_ERR_NOMEM (then nothing changed). */
FED_MUST_USE enum fed_err hub_rollout_note(struct hub_rollout *rollout, struct fed_span cluster,
    const struct hub_rollout_fact *fact, struct hub_rollout_now now);

enum hub_rollout_answer { HUB_ROLLOUT_ANSWER_VERSION, HUB_ROLLOUT_ANSWER_NOTHING };
/* What the cluster is to have; a cluster that is not known yet: `from`. In phase NONE without
 * `from`: nothing. */
enum hub_rollout_answer hub_rollout_answer(
    const struct hub_rollout *rollout, struct fed_span cluster, struct fed_digest *digest);
/* How often it was told to try its answer again: a member that gave a version up, or went back from
 * it, does not try the same once more unless it is told. Each number is another work of the same
 * version. */
unsigned hub_rollout_tries(const struct hub_rollout *rollout, struct fed_span cluster);
/* Appends why the cluster does not have `to`: "wave shops has not begun"; nothing when it has. */
void hub_rollout_why(
    const struct hub_rollout *rollout, struct fed_span cluster, struct fed_buf *out);

/* ---- people ---- */

enum hub_rollout_action {
    HUB_ROLLOUT_PAUSE,
    HUB_ROLLOUT_RESUME,
    HUB_ROLLOUT_APPROVE,
    HUB_ROLLOUT_RETRY,
    HUB_ROLLOUT_ABORT,
    HUB_ROLLOUT_UNDO
};
/* "pause" ...; FED_ERR_INVALID with the list. */
FED_MUST_USE enum fed_err hub_rollout_action_parse(
    struct fed_span text, enum hub_rollout_action *out, struct fed_diag *diag);
const char *hub_rollout_action_text(enum hub_rollout_action action);
/* Whether it fits: FED_ERR_CONFLICT with a sentence ("the rollout is Complete: there is nothing to
 * pause"). wave: APPROVE only, the wave that is meant, empty: whichever waits. */
FED_MUST_USE enum fed_err hub_rollout_may(const struct hub_rollout *rollout,
    enum hub_rollout_action action, struct fed_span wave, struct fed_diag *diag);
/* The same, and does it; a step is due. user: of an approval, shown with its wave (at most 253
 * bytes are kept). */
FED_MUST_USE enum fed_err hub_rollout_act(struct hub_rollout *rollout,
    enum hub_rollout_action action, struct fed_span wave, struct fed_span user,
    struct hub_rollout_now now, struct fed_diag *diag);
/* Before a RETRY: other rules, kept, for the rest of the rollout; waves are numbered anew, and all
 * clusters are to be told again, as after hub_rollout_begin. Rules of the same spec change nothing:
 * waves that are done stay so. FED_ERR_NOMEM: nothing changed. */
FED_MUST_USE enum fed_err hub_rollout_set_rules(
    struct hub_rollout *rollout, struct hub_rollout_rules *rules);

/* ---- stepping ---- */

/* Does all that is due now. FED_ERR_NOMEM: part of it is done and stands; call it again. */
FED_MUST_USE enum fed_err hub_rollout_step(struct hub_rollout *rollout, struct hub_rollout_now now);
/* The last step left something for the next one, which may come at once: it stopped at step_max.
 * What it did is whole: facts are all counted before anything is decided on them. */
bool hub_rollout_is_cut(const struct hub_rollout *rollout);
/* Something was noted since the last step that may matter: a step is worth while now. */
bool hub_rollout_due(const struct hub_rollout *rollout);
/* Monotonic time at which the next step is due by time alone; UINT64_MAX: never. */
uint64_t hub_rollout_wake_ms(const struct hub_rollout *rollout);

struct hub_rollout_change {
    struct fed_span cluster;
    bool answer; /* hub_plan_regate it */
    bool row;    /* write hub_rollout_row; row_gone: delete it */
    bool row_gone;
};
typedef void hub_rollout_each_change(void *ctx, const struct hub_rollout_change *change);
/* What changed since hub_rollout_kept, in no order. */
void hub_rollout_each_changed(
    const struct hub_rollout *rollout, hub_rollout_each_change *each, void *ctx);
/* Whether the record is to be written. */
bool hub_rollout_record_changed(const struct hub_rollout *rollout);
/* All of it is durable. */
void hub_rollout_kept(struct hub_rollout *rollout);
/* Append. FED_ERR_NOT_FOUND: it has no row. */
FED_MUST_USE enum fed_err hub_rollout_row(
    const struct hub_rollout *rollout, struct fed_span cluster, struct fed_buf *out);
void hub_rollout_record(const struct hub_rollout *rollout, struct fed_buf *out);

/* ---- rest ---- */

/* A rollout that is complete, where every cluster is healthy and nothing is expected, does not need
 * its clusters in memory: their rows say what they are. An engine that rests has ten bytes of each,
 * for its answers, and everything that is not of a single cluster: versions, answers, tries, why,
 * record, views of all and of waves, conditions, and whether an action fits are as if it did not.
 * Before anything else (what changes it, rows, views of clusters) it is made again: all rows are
 * recalled, then hub_rollout_rise; then it is what it was, and as after hub_rollout_open it is to
 * be told of all clusters before the next step. */
bool hub_rollout_may_rest(const struct hub_rollout *rollout);
/* FED_ERR_BUSY: it may not; FED_ERR_NOMEM. Then nothing changed. */
FED_MUST_USE enum fed_err hub_rollout_rest(struct hub_rollout *rollout);
bool hub_rollout_rests(const struct hub_rollout *rollout);
/* Only of one that rests: how many clusters it has; whether a change of labels may move one of them
 * to another wave; and whether the fact (or the cluster) would change anything, so that it is to be
 * made again. Reach and holds change nothing. */
size_t hub_rollout_rest_count(const struct hub_rollout *rollout);
bool hub_rollout_rest_minds_labels(const struct hub_rollout *rollout);
bool hub_rollout_rest_is_news(const struct hub_rollout *rollout, struct fed_span cluster,
    const struct hub_rollout_fact *fact);
/* FED_ERR_CORRUPT: the rows are not those that it gave up; it rests as before. */
FED_MUST_USE enum fed_err hub_rollout_rise(struct hub_rollout *rollout, struct hub_rollout_now now);
/* Rows could not all be recalled: it rests as before. */
void hub_rollout_lie_down(struct hub_rollout *rollout);

/* ---- looking: all of it as of the last step ---- */

struct hub_rollout_counts {
    size_t total;    /* without the deferred: */
    size_t deferred; /* of all */
    size_t pending;  /* with the held */
    size_t held;     /* its wave is open, and it waits for its window */
    size_t updating; /* released or applied */
    size_t updated;  /* has `to`, confirmed: applied, healthy; */
    size_t healthy;
    size_t failed;
    size_t returning;
    size_t returned;
    size_t stuck;
};
struct hub_rollout_next {
    char what[160];      /* "wave shops opens"; "" when nothing is to come */
    int64_t when_unix_s; /* 0: not a matter of time */
    char waits_for[256]; /* "soak of wave canary", "approval of wave canary" */
};
struct hub_rollout_view {
    enum hub_rollout_phase phase;
    size_t n_waves; /* with "rest"; 0 in phase NONE */
    size_t wave;    /* the one that is going on (the last that is open) */
    struct hub_rollout_counts counts;
    bool failed; /* it was paused, or rolled back, by a limit of failures */
    int64_t start_unix_s;
    int64_t end_unix_s; /* 0: it has not ended */
    struct hub_rollout_next next;
};
struct hub_rollout_wave_view {
    struct fed_span name; /* lives as long as the rules */
    enum hub_rollout_wave_phase phase;
    struct hub_rollout_counts counts;
    size_t concurrency;      /* clusters */
    size_t failures_allowed; /* SIZE_MAX: no limit of its own */
    int64_t start_unix_s;    /* 0: not yet, as below */
    int64_t healthy_unix_s;  /* since then, without a break */
    int64_t end_unix_s;
    const char *approved_by; /* "" */
};
void hub_rollout_view(const struct hub_rollout *rollout, struct hub_rollout_view *out);
/* index < n_waves */
void hub_rollout_wave_view(
    const struct hub_rollout *rollout, size_t index, struct hub_rollout_wave_view *out);

/* Failures by reason and message, also of clusters that went back because of them, largest first;
 * the number of groups, at most HUB_ROLLOUT_GROUPS_MAX. Spans live until the next call that changes
 * anything. */
struct hub_rollout_group {
    struct fed_span reason;
    struct fed_span message;
    size_t count;
    size_t n_clusters; /* the first by the order of the rollout */
    struct fed_span clusters[HUB_ROLLOUT_GROUP_CLUSTERS];
};
size_t hub_rollout_groups(
    const struct hub_rollout *rollout, struct hub_rollout_group groups[HUB_ROLLOUT_GROUPS_MAX]);

struct hub_rollout_condition {
    const char *type; /* Progressing Healthy WaveEmpty NotEnoughClusters WindowNeverOpens RolledBack
                         CatchUpStopped */
    bool is_true;
    const char *reason;
    char message[600]; /* with the remedy where there is one */
};
size_t hub_rollout_conditions(const struct hub_rollout *rollout,
    struct hub_rollout_condition conditions[HUB_ROLLOUT_CONDITIONS_MAX]);

struct hub_rollout_cluster_view {
    struct fed_span name;
    size_t wave;
    enum hub_rollout_state state;
    bool held;    /* PENDING, and a window is what it waits for, of its wave or its own */
    bool by_hold; /* it is its own */
    int64_t held_until_unix_s;        /* 0: not known (never) */
    int64_t since_unix_s;             /* 0: not known */
    const struct fed_digest *version; /* its answer; NULL: nothing */
    struct fed_span reason, message;
};
FED_MUST_USE enum fed_err hub_rollout_cluster_view(const struct hub_rollout *rollout,
    struct fed_span cluster, struct hub_rollout_cluster_view *out); /* FED_ERR_NOT_FOUND */
/* By name, those behind `after`. Return false to stop. FED_ERR_NOMEM. */
typedef bool hub_rollout_each_cluster(void *ctx, const struct hub_rollout_cluster_view *cluster);
FED_MUST_USE enum fed_err hub_rollout_clusters(
    struct hub_rollout *rollout, struct fed_span after, hub_rollout_each_cluster *each, void *ctx);

#endif
