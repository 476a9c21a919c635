/* engine_parts.h - what the files behind engine.h share; nobody else includes it.
 *
 * Times are milliseconds of the engine's own clock: the wall clock of when the record was begun,
 * carried on by the monotonic one, so that it never jumps; offset_ms leads from it to the wall
 * clock of now. A cluster's place in the order is the hash of object and cluster: it is the same
 * after a restart, and no cluster is the canary of every object. */
#ifndef FEDLET_HUB_ROLLOUT_ENGINE_PARTS_H
#define FEDLET_HUB_ROLLOUT_ENGINE_PARTS_H

#include "hub/rollout/engine.h"
#include "proto/base/map.h"

#define ROLLOUT_WAVES (HUB_ROLLOUT_WAVES_MAX + 1u) /* with "rest" */
#define ROLLOUT_NO_WAVE 0xffu
#define ROLLOUT_USER_MAX 253u
#define ROLLOUT_CLOCK_SET_MS 2000 /* wall and monotonic clock apart: somebody set it */
#define ROLLOUT_GRACE_MS 60000    /* for the report of a cluster that is in reach again */
#define ROLLOUT_NEVER INT64_MAX

/* What is said of a failure, shared by all that say the same. */
struct rollout_cause {
    unsigned refs;
    unsigned count; /* scratch of hub_rollout_groups */
    size_t reason_len;
    size_t message_len;
    char text[]; /* reason, NUL, message: the key in the map */
};

/* What a person asked for is noted at the clusters, in as many steps as that takes; nothing else is
 * decided meanwhile, and the record says so. */
enum rollout_marking {
    ROLLOUT_MARKS_NONE,
    ROLLOUT_MARKS_ACCEPTED, /* what failed so far counts no more */
    ROLLOUT_MARKS_RETRIED,  /* what failed, or went back, has another turn */
    ROLLOUT_MARKS_N
};

enum rollout_reach { ROLLOUT_REACH_UNKNOWN, ROLLOUT_REACH_IN, ROLLOUT_REACH_OUT };

struct rollout_slot {
    struct rollout_slot *next_changed;
    struct rollout_slot *next_moved;
    struct rollout_cause *said;   /* of the copy as it is */
    struct rollout_cause *failed; /* of FAILED and STUCK, and of what went back because of it */
    uint64_t order;
    int64_t since_ms;     /* in its state */
    int64_t wait_ms;      /* the deadline counts from here */
    int64_t offline_ms;   /* out of reach since */
    int64_t in_ms;        /* in reach since */
    int64_t hold_ms;      /* changes of it wait since; 0: they do not */
    int64_t hold_until_s; /* unix; 0: not known */
    uint32_t match;       /* waves that have it by name or labels */
    uint8_t wave;
    uint8_t state;                           /* enum hub_rollout_state */
    uint8_t version;                         /* its answer: of versions, from 1; 0: nothing */
    uint8_t previous;                        /* before it was released */
    uint8_t tries[HUB_ROLLOUT_VERSIONS_MAX]; /* how often it was told to try a version again */
    uint8_t copy;                            /* enum hub_rollout_copy */
    uint8_t health;                          /* enum hub_rollout_health */
    uint8_t reach;                           /* enum rollout_reach */
    bool touched;  /* it was given another version than `from`, and had a chance to take it */
    bool forgiven; /* its failure does not count: a person went on all the same; or it is about
                      to fail, and was healthy in a rollout that is complete */
    bool again;    /* retried: it is told so with its next turn */
    bool pinned;   /* of a wave by size that has begun; or it was given `from`, which is `to` */
    bool told;     /* its labels are known */
    bool heard;    /* in reach since the engine was made */
    bool gone;
    bool kept;    /* its answer waits for its hold */
    bool held;    /* as of the last step */
    bool changed; /* in the list */
    bool moved;   /* in that list */
    bool answer_changed;
    bool row_changed;
    bool stored; /* it has a row */
    uint16_t zones[HUB_ROLLOUT_ZONE_LABELS_MAX];
    uint16_t name_len;
    char name[];
};

struct rollout_rest; /* engine_rest.c */

struct rollout_zone {
    const struct hub_zone *zone; /* NULL: UTC, or unknown */
    bool unknown;
    char name[HUB_ZONE_NAME_MAX + 1];
};

/* Whether a wave's windows are open in a zone, from `at` until `until` (unix). */
struct rollout_opening {
    int64_t at_s;
    int64_t until_s; /* when closed: it opens; 0: not computed */
    bool open;
};

struct rollout_wave {
    bool begun;
    bool done;
    bool approved;
    int64_t start_ms;
    int64_t ok_ms; /* 0: not all well */
    int64_t end_ms;
    char user[ROLLOUT_USER_MAX + 1];
};

struct rollout_tally {
    struct hub_rollout_counts counts;
    size_t all;      /* with the deferred */
    size_t failures; /* not forgiven */
    size_t proven;   /* healthy for as long as the wave soaks */
    size_t silent;   /* healthy, and not heard since the engine was made */
    size_t away;     /* healthy, out of reach for long, and the rules hold for them */
    size_t absent;   /* pending or in flight, out of reach */
    size_t nowhere;  /* held, and in no known time zone */
    size_t quiet;    /* held by their own hold */
};

struct hub_rollout {
    struct fed_alloc *mem;
    struct hub_rollout_options options;
    struct hub_rollout_rules *rules;
    struct fed_map by_name; /* struct rollout_slot */
    struct fed_map causes;
    struct rollout_slot **slots; /* by order once sorted */
    size_t n_slots;
    size_t cap;
    struct rollout_rest *rest;         /* instead of the slots; NULL: they are there */
    struct rollout_slot **by_alphabet; /* of hub_rollout_clusters */
    struct rollout_slot *changes;      /* list by next_changed */
    size_t n_changes;
    struct rollout_slot *moved; /* list by next_moved */
    struct rollout_zone *zones; /* [0] is UTC */
    size_t n_zones;
    struct rollout_opening *openings; /* by wave and zone */
    size_t n_openings;
    struct fed_digest versions[HUB_ROLLOUT_VERSIONS_MAX];
    uint8_t n_versions;
    uint8_t from; /* 0: none */
    uint8_t to;
    uint8_t phase;
    uint8_t marking; /* enum rollout_marking */
    bool failed;     /* a limit of failures ended it, or holds it */
    uint8_t open;    /* the last wave that has begun */
    struct rollout_wave waves[ROLLOUT_WAVES];
    struct rollout_tally tallies[ROLLOUT_WAVES];
    struct rollout_tally all;
    int64_t start_ms;
    int64_t end_ms;
    /* clock */
    int64_t base_ms; /* at base_mono_ms */
    uint64_t base_mono_ms;
    int64_t now_ms;
    int64_t offset_ms;
    int64_t wake_ms; /* of the engine's clock */
    int64_t held_until_ms;
    int64_t soaked_ms; /* when the soak of the open wave may be over */
    bool regroup;
    bool alphabet_stale;
    bool due;
    bool cut; /* the step is not at its end, and may change nothing more */
    bool record_changed;
    char uid[64];
};

/* ---- engine_clock.c ---- */
void rollout_clock(struct hub_rollout *r, struct hub_rollout_now now);
void rollout_clock_start(struct hub_rollout *r, struct hub_rollout_now now);
int64_t rollout_unix_s(const struct hub_rollout *r, int64_t ms); /* 0 of 0 */

/* ---- engine.c ---- */
struct fed_span rollout_name(const struct rollout_slot *slot);
struct rollout_slot *rollout_find(const struct hub_rollout *r, struct fed_span cluster);
void rollout_mark(struct hub_rollout *r, struct rollout_slot *slot, bool answer);
bool rollout_keeps_cause(enum hub_rollout_state state);
void rollout_set_state(
    struct hub_rollout *r, struct rollout_slot *slot, enum hub_rollout_state state);
/* Another answer: what was said of the copy before is of no use any more. */
void rollout_give(struct hub_rollout *r, struct rollout_slot *slot, uint8_t version);
/* The same answer, to be tried once more. */
void rollout_give_again(struct hub_rollout *r, struct rollout_slot *slot);
/* To try some version again. */
bool rollout_was_told(const struct hub_rollout *r, const struct rollout_slot *slot);
/* No more may change in this step; it is cut, then. */
bool rollout_is_full(struct hub_rollout *r);
/* Another one than the initial state of a cluster that was never touched. */
bool rollout_has_row(const struct hub_rollout *r, const struct rollout_slot *slot);
FED_MUST_USE enum fed_err rollout_slot_new(
    struct hub_rollout *r, struct fed_span cluster, struct rollout_slot **out);
void rollout_slot_gone(struct hub_rollout *r, struct rollout_slot *slot);
void rollout_slot_free(struct hub_rollout *r, struct rollout_slot *slot);
/* A cluster's place in the order. */
FED_MUST_USE enum fed_err rollout_order_of(
    const struct hub_rollout *r, struct fed_span cluster, uint64_t *order);

/* ---- engine_rest.c: the same as hub_rollout_..., of an engine that rests ---- */
void rollout_rest_free(struct hub_rollout *r);
bool rollout_rest_moved(struct hub_rollout *r, struct fed_span cluster);
bool rollout_rest_next_moved(struct hub_rollout *r, struct fed_span *cluster);
enum hub_rollout_answer rollout_rest_answer(
    const struct hub_rollout *r, struct fed_span cluster, struct fed_digest *digest);
unsigned rollout_rest_tries(const struct hub_rollout *r, struct fed_span cluster);
/* It has `to`. Also of one that does not rest: false. */
bool rollout_rest_knows(const struct hub_rollout *r, struct fed_span cluster);

/* ---- engine_cause.c: one more holder of what is said; NULL when memory is out ---- */
struct rollout_cause *rollout_cause_get(
    struct hub_rollout *r, struct fed_span reason, struct fed_span message);
struct rollout_cause *rollout_cause_keep(struct rollout_cause *cause);
void rollout_cause_drop(struct hub_rollout *r, struct rollout_cause *cause);
struct fed_span rollout_cause_reason(const struct rollout_cause *cause);
struct fed_span rollout_cause_message(const struct rollout_cause *cause);

/* ---- engine_act.c ---- */
/* As many clusters as this step may change. */
void rollout_mark_some(struct hub_rollout *r);

/* ---- engine_wave.c ---- */
FED_MUST_USE enum fed_err rollout_wave_match(
    struct hub_rollout *r, struct rollout_slot *slot, const struct fed_json *labels);
/* Other rules: what was computed of windows is of no use. */
void rollout_openings_forget(struct hub_rollout *r);
/* Which cluster is in which wave. */
void rollout_regroup(struct hub_rollout *r);
/* False: it has more members to be written down than this step may change. */
bool rollout_wave_begin(struct hub_rollout *r, size_t wave);
/* NULL: at any time. */
const struct rollout_opening *rollout_opening(
    struct hub_rollout *r, const struct rollout_slot *slot);
bool rollout_zone_unknown(const struct hub_rollout *r, const struct rollout_slot *slot);
/* The label that names its zone in its wave, and the label's value. */
struct fed_span rollout_zone_label(
    const struct hub_rollout *r, const struct rollout_slot *slot, const char **value);
/* Of one that is held: when it may go on (unix); 0: not known. */
int64_t rollout_held_until_s(struct hub_rollout *r, const struct rollout_slot *slot);

/* ---- engine_step.c ---- */
/* All that was touched gets `from`. */
void rollout_return(struct hub_rollout *r);
bool rollout_is_active(const struct hub_rollout *r);
/* ---- engine_reach.c ---- */
/* Nothing would be sent to it. */
bool rollout_has_it(const struct hub_rollout *r, const struct rollout_slot *slot);
/* What it is to have, or would get with its turn, waits. */
bool rollout_waits(const struct hub_rollout *r, const struct rollout_slot *slot);
bool rollout_waits_long(const struct hub_rollout *r, const struct rollout_slot *slot);
bool rollout_is_late(const struct hub_rollout *r, const struct rollout_slot *slot);
/* What is new for it waits, and not for long. */
bool rollout_is_quiet(const struct hub_rollout *r, const struct rollout_slot *slot);
/* Out of reach so long that nobody waits for it; or what is new for it waits, and for long. */
bool rollout_is_away(const struct hub_rollout *r, const struct rollout_slot *slot);
/* When it is late, if nothing is heard of it and it stays in reach. */
int64_t rollout_late_ms(const struct hub_rollout *r, const struct rollout_slot *slot);
/* ---- engine_step.c: gates and limits ---- */
/* No later wave has anybody. */
bool rollout_is_last(const struct hub_rollout *r, size_t wave);
size_t rollout_concurrency(const struct hub_rollout *r, size_t wave);
size_t rollout_proof(const struct hub_rollout *r, size_t wave);
/* When the cluster, which is healthy, will have been so as long as its wave soaks. */
int64_t rollout_soaked_ms(const struct hub_rollout *r, const struct rollout_slot *slot);
bool rollout_over_limit(const struct hub_rollout *r);

/* ---- engine_tally.c ---- */
void rollout_tally(struct hub_rollout *r);
void rollout_set_timers(struct hub_rollout *r);

/* ---- engine_say.c ---- */
void rollout_say_next(const struct hub_rollout *r, struct hub_rollout_next *out);

#endif
