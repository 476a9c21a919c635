/* internal.h - the state of rollouts, shared by the files of the controller. Not for others.
 *
 * - policy: a RolloutPolicy, compiled
 * - subject: a federated object that is governed, or whose last rollout still decides
 * - paper: a Rollout as it is stored: what it is of; the last ones of a subject are its history
 * - present: the paper whose rollout the engine has; waiting: one that has not begun (its change
 *   waits for a policy, or for the end of the present one)
 *
 * Whatever changes an engine stages at once what follows from it and marks the subject unsettled:
 * with the flush it is durable (hub_rollout_kept), or the subject is read anew. */
#ifndef FEDLET_HUB_ROLLOUT_INTERNAL_H
#define FEDLET_HUB_ROLLOUT_INTERNAL_H

#include "hub/access/uuid.h"
#include "hub/rollout/content.h"
#include "hub/rollout/engine.h"
#include "hub/rollout/rollout.h"
#include "hub/traffic/zone.h"
#include "proto/base/map.h"

#define ROLLOUT_API_VERSION "fedlet.io/v1alpha1"
#define ROLLOUT_KIND "Rollout"
#define ROLLOUT_KIND_LABEL "fedlet.io/object-kind"
#define ROLLOUT_NAME_LABEL "fedlet.io/object-name"
#define ROLLOUT_CONFLICT "PolicyConflict" /* why a change waits */
#define ROLLOUT_POLICIES_MAX                                                                       \
    200u                    /* of a namespace: each is tried on every object that is written */
#define ROLLOUT_HISTORY 10u /* ended ones of an object */
#define ROLLOUT_ACTIONS_MAX 50u
#define ROLLOUT_STEP_MS 100u /* between two steps of a rollout */
#define ROLLOUT_STEP_CLUSTERS                                                                      \
    250u /* changed by a step, which with their manifests are 500 rows of a commit */
#define ROLLOUT_TURN_CLUSTERS 500u /* changed in a turn of the loop, by whatever steps */
#define ROLLOUT_TURN_MS 10u        /* that steps take in it */
#define ROLLOUT_SYNC_MS 60000u     /* all clusters are looked at, though nobody said anything */
#define ROLLOUT_RETRY_MS 2000u
#define ROLLOUT_REST_MS 300000u /* nothing was new for so long: its engine needs no clusters */
#define ROLLOUT_KEY_MAX (FED_STORE_KEY_MAX)
#define ROLLOUT_NAME_SIZE 254u
#define ROLLOUT_USER_MAX 253u

struct rollout_policy {
    char ns[64];
    char name[ROLLOUT_NAME_SIZE];
    struct hub_rollout_rules *rules; /* NULL: they are wrong */
    char message[480];               /* why */
    bool may_select;                 /* wrong, and it has a selector */
    int64_t generation;
    size_t n_objects;
    bool untold;            /* what is composed into it changed */
    uint64_t told_revision; /* as of which that was told */
};

/* Who governs an object. */
struct rollout_governor {
    struct rollout_policy *policy; /* NULL: nobody */
    bool blocked;                  /* nobody as long as what message says */
    char reason[32];
    char message[900];
};

struct rollout_version {
    struct fed_digest digest;
    int64_t generation; /* of the object, when it had it; 0: not known */
    bool has;
};

struct rollout_paper {
    struct rollout_paper *next; /* older */
    int64_t number;
    char name[ROLLOUT_NAME_SIZE];
    char uid[HUB_UUID_SIZE];
    struct rollout_version from, to;
    char policy[ROLLOUT_NAME_SIZE];
    char changed_by[ROLLOUT_USER_MAX + 1];
    bool ended;
    bool waits;      /* it has not begun */
    bool queued;     /* for the end of the present one, not for a policy */
    int64_t applied; /* number of the last action that took effect */
    int64_t steps;   /* status.step: who steps it */
};

struct rollout_subject {
    struct rollout_subject *next; /* of those that are due */
    char *key;                    /* resource NUL ns NUL name */
    size_t key_len;
    struct hub_object_ref ref; /* in key */
    char uid[64];
    char kind[128];                 /* of the object, as it is stored */
    char api_version[320];          /* the same */
    char policy[ROLLOUT_NAME_SIZE]; /* that governs it; "": none */
    bool governed;                  /* by it, or blocked */
    bool blocked;
    char reason[32]; /* of blocked */
    char message[900];
    bool scaled;
    bool going;  /* it is on its way out */
    bool unborn; /* it was there before its type was federated, so clusters have nothing of it; its
                    first rollout is about to begin, or is not durable yet */
    struct rollout_version content;  /* of the object as it is stored */
    struct hub_rollout *engine;      /* NULL: nothing was rolled out yet, and all have `base` */
    struct hub_rollout_rules *rules; /* of the engine */
    struct rollout_version base;     /* without an engine: what clusters have; not has: it is new */
    struct rollout_paper *papers;    /* all that are stored, newest first */
    struct rollout_paper *present;   /* of the engine */
    struct rollout_paper *waiting;
    bool untold; /* the engine is to be told of all clusters and their labels */
    bool resync; /* all clusters are to be looked at, not those only that are said to have moved */
    bool looked; /* they were in this turn, and the step is the next one's */
    uint64_t synced_ms; /* when they were */
    bool recheck; /* what is stored does not agree with the object: at attach it is looked at */
    bool acted;   /* its Rollout was written by somebody: actions may be in it */
    bool due;
    bool unsettled;
    bool broken;                        /* it is to be read anew */
    uint64_t again_ms;                  /* not before, when that failed; */
    uint64_t wait_ms;                   /* it takes longer each time */
    char unreadable[ROLLOUT_NAME_SIZE]; /* of trouble: which Rollout */
    char trouble[300];                  /* what of it cannot be read; "": nothing */
    bool regate_all;                    /* the plan is to ask for all its clusters */
    bool respec;                        /* the Rollout's spec is to be written, too */
    uint64_t due_ms;
    uint64_t stepped_ms;
    uint64_t quiet_ms;    /* since then nothing was written, and the engine may rest; 0: no */
    size_t cluster_bytes; /* that a cluster is sent for it; 0: not known */
    bool told;            /* by events: */
    enum hub_rollout_phase told_phase;
    size_t told_wave;
};

struct rollout_lost { /* a stored Rollout that cannot be parsed: it has its name only */
    struct rollout_lost *next;
    char ns[64], name[ROLLOUT_NAME_SIZE];
    char what[300];
};

struct rollout_writer { /* of a federated object, in this turn */
    struct rollout_writer *next;
    size_t key_len;
    char key[700]; /* resource NUL ns NUL name */
    char user[ROLLOUT_USER_MAX + 1];
};

struct rollout_zone {
    char name[HUB_ZONE_NAME_MAX + 1];
    struct hub_zone zone;
};

struct rollout_event {
    struct rollout_event *next;
    char ns[64], rollout[ROLLOUT_NAME_SIZE], uid[HUB_UUID_SIZE];
    bool warning;
    char reason[48];
    char message[700];
};

struct rollout_sweep { /* rows that are to go */
    struct rollout_sweep *next;
    char uid[HUB_UUID_SIZE]; /* of the Rollout */
};

struct hub_rollouts {
    struct hub_rollouts_options o;
    struct fed_alloc *mem;
    struct fed_log *log;
    struct hub_objects *objects;
    struct hub_objects_member member;
    struct hub_plan *plan;     /* NULL until attached */
    struct hub_status *status; /* the same */
    struct hub_events *events; /* NULL: none */
    struct hub_subscription *subscriptions[4];
    struct hub_kind_hooks inner; /* of federated kinds */
    struct fed_timer *timer;
    uint8_t name_key[FED_DIGEST_SIZE]; /* name.c */
    uint64_t timer_ms;                 /* when it fires; UINT64_MAX: it is not set */
    int64_t started_unix_ms;
    struct rollout_policy **policies; /* by namespace and name */
    size_t n_policies, cap_policies;
    struct fed_map subjects; /* resource NUL ns NUL name -> rollout_subject */
    struct fed_map zones;    /* name -> rollout_zone */
    struct rollout_writer *writers;
    struct rollout_event *events_first, **events_end;
    size_t n_events;
    bool untold;    /* a policy is */
    bool unread;    /* a policy is stored, and could not be taken in */
    bool unlooked;  /* the same, and what it governs is to be looked at once it can */
    bool unsettled; /* a subject is */
    bool acted;     /* a subject's Rollout was written */
    bool broken;    /* a subject is to be read anew */
    bool troubled;  /* a subject was unreadable since the start */
    struct rollout_lost *lost;
    struct rollout_sweep *sweeps;
    bool recheck;      /* a subject was: its object is to be looked at */
    bool flush;        /* something is staged, and no flush could be asked for */
    size_t n_written;  /* clusters whose rows were staged in this turn */
    size_t next_slice; /* of the subjects: where the next turn goes on */
};

/* A commit in the making: objects and rows that become durable together. */
struct rollout_ops {
    struct fed_arena arena; /* everything in it */
    struct fed_store_op *list;
    size_t n, cap;
    struct hub_object_write *writes;
    size_t n_writes, cap_writes;
    enum fed_err err; /* the first; sticks */
};
void rollout_ops_init(struct rollout_ops *ops, struct fed_alloc *mem);
void rollout_ops_fini(struct rollout_ops *ops);
/* Copies key and value; value NULL: remove. */
void rollout_ops_add(struct rollout_ops *ops, struct fed_span key, const struct fed_span *value);
/* The row of that operation gets this value instead. */
void rollout_ops_set(struct rollout_ops *ops, size_t index, struct fed_span value);
/* object NULL: remove; the ref is copied. */
void rollout_ops_write(struct rollout_ops *ops, const struct hub_object_ref *ref,
    const struct fed_json *object, uint64_t expected);
/* Stages all of it, with a flush at the end of the turn, and marks the subject unsettled. */
FED_MUST_USE enum fed_err rollout_ops_stage(struct hub_rollouts *r, struct rollout_subject *s,
    struct rollout_ops *ops, struct fed_diag *diag);

/* ---- policies.c ---- */
FED_MUST_USE enum fed_err rollout_policy_put(
    struct hub_rollouts *r, const struct hub_object_ref *ref, struct fed_span bytes);
void rollout_policy_remove(struct hub_rollouts *r, const struct hub_object_ref *ref);
/* All that are stored are known. An error: one could not be taken in, and cannot now; nobody can
 * say what it governs, so nothing is written meanwhile. */
FED_MUST_USE enum fed_err rollout_policies_ready(struct hub_rollouts *r);
struct rollout_policy *rollout_policy_find(
    struct hub_rollouts *r, struct fed_span ns, struct fed_span name);
/* Whom the policies of a namespace govern changed; _tell: watchers hear of it. */
void rollout_policies_moved(struct hub_rollouts *r, struct fed_span ns);
void rollout_policies_tell(struct hub_rollouts *r);
void rollout_policies_fini(struct hub_rollouts *r);
/* metadata: of the object. */
void rollout_govern(struct hub_rollouts *r, const struct hub_object_ref *ref,
    const struct fed_json *metadata, struct rollout_governor *out);

/* ---- subjects.c ---- */
struct rollout_subject *rollout_subject_get(
    struct hub_rollouts *r, const struct hub_object_ref *ref);
FED_MUST_USE enum fed_err rollout_subject_ensure(struct hub_rollouts *r,
    const struct hub_object_ref *ref, struct fed_span uid, struct rollout_subject **out);
void rollout_subject_free(struct hub_rollouts *r, struct rollout_subject *s);  /* out of the map */
void rollout_subject_clear(struct hub_rollouts *r, struct rollout_subject *s); /* engine, papers */
/* Who governs it is so from now on; counts of the policies follow. */
void rollout_subject_govern(
    struct hub_rollouts *r, struct rollout_subject *s, const struct rollout_governor *by);
FED_MUST_USE enum fed_err rollout_paper_new(
    struct hub_rollouts *r, struct rollout_subject *s, int64_t number, struct rollout_paper **out);
void rollout_paper_drop(
    struct hub_rollouts *r, struct rollout_subject *s, struct rollout_paper *paper);
void rollout_paper_put_name(const struct rollout_subject *s, struct rollout_paper *paper);
struct rollout_paper *rollout_paper_find(struct rollout_subject *s, struct fed_span name);
/* The subject whose paper has that name. */
struct rollout_subject *rollout_subject_of_paper(
    struct hub_rollouts *r, struct fed_span ns, struct fed_span name, struct rollout_paper **paper);
void rollout_unsettle(struct hub_rollouts *r, struct rollout_subject *s);
struct hub_rollout_now rollout_now(const struct hub_rollouts *r);
struct hub_object_ref rollout_paper_ref(
    const struct rollout_subject *s, const struct rollout_paper *paper);
struct hub_rollout_options rollout_engine_options(
    struct hub_rollouts *r, const struct rollout_subject *s);

/* ---- name.c ---- */
FED_MUST_USE enum fed_err rollout_names_open(struct hub_rollouts *r, struct fed_diag *diag);
/* Name of the content of an object that is s's (NULL: of no known one); its canonical bytes are
 * appended to out. Errors of hub_rollout_content, and of crypto; then out is as it was. */
FED_MUST_USE enum fed_err rollout_content_of(struct hub_rollouts *r,
    const struct rollout_subject *s, struct fed_span object, bool scaled, struct fed_digest *name,
    struct fed_buf *out);

/* ---- rows.c ---- */
/* Whether a ReplicaSchedulingPreference scales it. */
bool rollout_is_scaled(struct hub_rollouts *r, const struct hub_object_ref *ref, const char *kind);
/* Sees to it that these bytes are stored as a version, with what ops commits. */
void rollout_version_keep(struct hub_rollouts *r, const struct rollout_subject *s,
    const struct fed_digest *digest, struct fed_span bytes, struct rollout_ops *ops);
FED_MUST_USE enum fed_err rollout_version_load(struct hub_rollouts *r,
    const struct rollout_subject *s, const struct fed_digest *digest, struct fed_buf *out);
/* Nobody may need it any more: it goes, unless something still does. */
void rollout_version_forget(struct hub_rollouts *r, const struct rollout_subject *s,
    const struct rollout_version *version, struct rollout_ops *ops);
/* Nobody scales it any more: what the scheduler left in the object is in all of its versions from
 * now on, or clusters that wait for their turn would lose their replicas, and their placement. */
void rollout_versions_freeze(struct hub_rollouts *r, const struct rollout_subject *s,
    struct fed_span current, struct rollout_ops *ops);
/* Record and rows that changed since the engine was kept. */
void rollout_rows_put(
    struct hub_rollouts *r, const struct rollout_subject *s, struct rollout_ops *ops);
/* The record of a former rollout of its engine goes, and the rows behind it (sweep.c). */
void rollout_rows_forget(
    struct hub_rollouts *r, const struct rollout_paper *paper, struct rollout_ops *ops);
/* Whether any is stored, or that cannot be said. */
bool rollout_rows_are_there(struct hub_rollouts *r, const char *uid);
/* Removals of the first `limit` rows that are stored of a Rollout. */
FED_MUST_USE enum fed_err rollout_rows_each_removed(
    struct hub_rollouts *r, const char *uid, size_t limit, struct rollout_ops *ops);
/* Opens the engine of the present paper from its rows. FED_ERR_NOT_FOUND: there is no record. */
FED_MUST_USE enum fed_err rollout_engine_recall(struct hub_rollouts *r, struct rollout_subject *s,
    struct rollout_paper *paper, struct hub_rollout_rules *rules, struct fed_diag *diag);
/* The rows of the paper, into its engine. */
FED_MUST_USE enum fed_err rollout_rows_recall(struct hub_rollouts *r, struct rollout_subject *s,
    const struct rollout_paper *paper, struct fed_diag *diag);
/* Rows and versions of what is not there any more are removed, if all Rollouts can be read. */
FED_MUST_USE enum fed_err rollout_rows_collect(struct hub_rollouts *r, struct fed_diag *diag);

/* ---- sweep.c ---- */
void rollout_sweep_add(struct hub_rollouts *r, const struct rollout_paper *paper);
size_t rollout_sweep(struct hub_rollouts *r); /* the number of rows that are staged */
void rollout_sweeps_fini(struct hub_rollouts *r);

/* ---- record.c ---- */
/* The paper as a new Rollout, without status. */
FED_MUST_USE enum fed_err rollout_record_make(struct hub_rollouts *r,
    const struct rollout_subject *s, const struct rollout_paper *paper, struct fed_json_doc *doc,
    struct fed_json **out);
/* What it is of, and by which rules (NULL: none yet), into an object that is there. */
FED_MUST_USE enum fed_err rollout_record_spec(const struct rollout_subject *s,
    const struct rollout_paper *paper, const struct hub_rollout_rules *rules,
    struct fed_json_doc *doc, struct fed_json *object);
/* Reads a stored one into a paper of its subject, which is made when it is not there. only: those
 * of that subject; NULL: all. What cannot be read is noted (unreadable.c), and no error. */
FED_MUST_USE enum fed_err rollout_record_take(
    struct hub_rollouts *r, struct rollout_subject *only, const struct hub_object *object);
/* The stored one, staged or not. */
FED_MUST_USE enum fed_err rollout_record_load(struct hub_rollouts *r,
    const struct rollout_subject *s, const struct rollout_paper *paper, struct fed_json_doc *doc,
    struct fed_json **out, uint64_t *revision);

/* ---- unreadable.c ---- */
/* Something of that Rollout of the subject cannot be read: clusters keep what they have. */
void rollout_trouble(
    struct hub_rollouts *r, struct rollout_subject *s, struct fed_span name, const char *what);
void rollout_trouble_over(struct hub_rollouts *r, struct rollout_subject *s);
void rollout_again_later(struct hub_rollouts *r, struct rollout_subject *s);
/* After its papers were read: whether the one that is going on has its record. */
void rollout_check_records(struct hub_rollouts *r, struct rollout_subject *s);
bool rollout_is_named_after(const struct rollout_subject *s, struct fed_span name, int64_t *number);
FED_MUST_USE enum fed_err rollout_lost_add(
    struct hub_rollouts *r, const struct hub_object_ref *ref, const char *what);
void rollout_lost_look(struct hub_rollouts *r, struct rollout_subject *s);
void rollout_lost_fini(struct hub_rollouts *r);
enum fed_err rollout_compose_trouble(void *ctx, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json *object, uint64_t *revision);
/* Whether the object that is stored has that uid. */
FED_MUST_USE enum fed_err rollout_is_stored(
    struct hub_rollouts *r, const struct hub_object_ref *ref, struct fed_span uid, bool *out);

/* ---- compose.c ---- */
/* status of the present rollout as the engine has it; what people did stays. */
FED_MUST_USE enum fed_err rollout_compose(struct hub_rollouts *r, struct rollout_subject *s,
    struct fed_json_doc *doc, struct fed_json *object);
/* status of one that waits. */
FED_MUST_USE enum fed_err rollout_compose_waiting(struct hub_rollouts *r,
    const struct rollout_subject *s, const struct rollout_paper *paper, struct fed_json_doc *doc,
    struct fed_json *object);
/* Superseded, whatever it was. */
FED_MUST_USE enum fed_err rollout_compose_superseded(
    struct hub_rollouts *r, const char *by, struct fed_json_doc *doc, struct fed_json *object);

/* ---- begin.c ---- */
/* A new content, of which the version is kept: a rollout begins, or waits. */
FED_MUST_USE enum fed_err rollout_change(struct hub_rollouts *r, struct rollout_subject *s,
    const struct rollout_version *to, struct rollout_ops *ops);
/* What waits begins, when it may. */
enum fed_err rollout_begin_waiting(struct hub_rollouts *r, struct rollout_subject *s);
/* Nothing decides any more: clusters get the object as it is stored. The history stays. */
FED_MUST_USE enum fed_err rollout_release(
    struct hub_rollouts *r, struct rollout_subject *s, const char *by, struct rollout_ops *ops);
/* The same, of one whose policy went while it was under way, once it is over. */
void rollout_release_over(struct hub_rollouts *r, struct rollout_subject *s);

/* ---- taken.c ---- */
enum fed_err rollout_taken(void *ctx, const struct hub_object_ref *ref, struct fed_span bytes,
    enum hub_gate_taking why, bool *governed);
/* What is stored is looked at again: a policy, or a preference, changed. */
FED_MUST_USE enum fed_err rollout_look(struct hub_rollouts *r, const struct hub_object_ref *ref);
/* Of one that was read at the start: its version is stored, and its change begins, if they did not
 * before. */
FED_MUST_USE enum fed_err rollout_recheck(struct hub_rollouts *r, struct rollout_subject *s);
/* Whether the plan is to ask for the object's clusters. */
bool rollout_decides(const struct rollout_subject *s);
/* Nothing is under way, and nobody has less than the latest version. */
bool rollout_is_over(const struct rollout_subject *s);
/* Who writes it, in this turn. */
void rollout_note_writer(
    struct hub_rollouts *r, const struct hub_object_ref *ref, struct fed_span user);
void rollout_forget_writers(struct hub_rollouts *r);

/* ---- rollout.c ---- */
/* The cluster came into reach, or went out of it; or what is new for it waits, or no longer. */
void rollout_cluster_moved(struct hub_rollouts *r, struct fed_span cluster);
/* Policies that could not be taken in, once more. */
void rollout_policies_retry(struct hub_rollouts *r);

/* ---- step.c ---- */
void rollout_due(struct hub_rollouts *r, struct rollout_subject *s, uint64_t in_ms);
void rollout_wake(struct hub_rollouts *r, uint64_t due_ms);
void rollout_timer(void *ctx);
/* Subjects that are to be looked at again are, in a turn of their own; or now. */
void rollout_look_soon(struct hub_rollouts *r);
void rollout_recheck_all(struct hub_rollouts *r);
/* Stages what the engine changed: the Rollout, the record, the rows; the plan asks again. acted:
 * something else is new in it. FED_ERR_CONFLICT: another hub stepped it. */
FED_MUST_USE enum fed_err rollout_write(
    struct hub_rollouts *r, struct rollout_subject *s, bool acted, struct fed_diag *diag);
/* A write failed, or another hub made one: everything is to be read again from the store, in a turn
 * of its own, for what is staged would be flushed by reading. */
void rollout_break(struct hub_rollouts *r, struct rollout_subject *s);

/* ---- facts.c ---- */
/* Tells the engine which clusters there are, and what is known of their copies: of those that
 * moved, or of all. In the midst of a step that was cut it is only those: the others wait for its
 * end. FED_ERR_NOT_FOUND: the plan has no such object. */
FED_MUST_USE enum fed_err rollout_sync(
    struct hub_rollouts *r, struct rollout_subject *s, bool *all);

/* Of an engine that rests: whether anything that moved is news to it. */
FED_MUST_USE enum fed_err rollout_sync_rest(
    struct hub_rollouts *r, struct rollout_subject *s, bool *news);

/* ---- rest.c ---- */
/* Behind a look at it: the engine rests, when it may and was quiet for long; or it is due then. */
void rollout_rest(struct hub_rollouts *r, struct rollout_subject *s);
/* Whoever needs more of an engine than one that rests can say has its clusters made again; they are
 * told anew before the next step. FED_ERR_NOMEM: it rests as before; others: it is read anew. */
FED_MUST_USE enum fed_err rollout_rouse(
    struct hub_rollouts *r, struct rollout_subject *s, struct fed_diag *diag);

/* ---- actions.c ---- */
/* Actions that were written in this turn take effect. */
void rollout_act_all(struct hub_rollouts *r);

/* ---- reads.c ---- */
extern const char *const rollout_reads[];
enum fed_err rollout_read(void *ctx, struct hub_kind_read *read, struct fed_diag *diag);

/* ---- events.c ---- */
FED_PRINTF(6, 7)
void rollout_tell(struct hub_rollouts *r, const struct rollout_subject *s,
    const struct rollout_paper *paper, bool warning, const char *reason, const char *format, ...);
void rollout_events_record(struct hub_rollouts *r);
void rollout_events_fini(struct hub_rollouts *r);

/* ---- zones.c ---- */
enum fed_err rollout_zone_find(
    void *ctx, struct fed_span name, const struct hub_zone **out, struct fed_diag *diag);
void rollout_zones_fini(struct hub_rollouts *r);

#endif
