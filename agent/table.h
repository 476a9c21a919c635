/* table.h - the works of this cluster in memory: what the bundle asks for, what was applied, what
 * goes on.
 *
 * One entry per identity (fed_work_cmp), sorted; entries whose work left the bundle stay until
 * their object is gone. An entry's spans point into its own block, so the table is also the base
 * manifest of the next frame. Entries never move; one that is `busy` (a request is under way for
 * it) is not freed. */
#ifndef FEDLET_AGENT_TABLE_H
#define FEDLET_AGENT_TABLE_H

#include "agent/limits.h"
#include "agent/retry.h"
#include "agent/seen.h"
#include "proto/bundle/report.h"
#include "proto/bundle/work.h"

#define AGENT_CONTENT_SIZE 16u

/* The next request for an entry. */
enum agent_step {
    AGENT_STEP_NONE,    /* nothing until an event */
    AGENT_STEP_READ,    /* look at the object before acting */
    AGENT_STEP_APPLY,   /* server-side apply */
    AGENT_STEP_DELETE,  /* delete the object that has our uid */
    AGENT_STEP_RELEASE, /* take label and ownership off, leave the object */
    AGENT_STEP_YIELD,   /* a patch before the next apply: gives up spec.replicas, which is the
                           member's from now on, or ends a clash */
    AGENT_STEP_FIND,    /* the version of what is to go is not served: in which one it may be */
    AGENT_STEPS
};
const char *agent_step_name(enum agent_step step);

/* What others have is in the way of the template's (apply_clash.c). */
enum agent_clash {
    AGENT_CLASH_NONE,
    AGENT_CLASH_SET,   /* the list or map was set whole, or is being */
    AGENT_CLASH_MOVED, /* and what that left in managedFields moved, or tried to: once, or more */
    AGENT_CLASH_LAST = AGENT_CLASH_MOVED + 4
};

struct agent_wish;
struct agent_trial;

struct agent_fight {    /* somebody else changed the object lately (apply_drift.c): rare */
    uint64_t began_ms;  /* the first time of those that restores counts */
    uint64_t quiet_ms;  /* forgotten then, when nothing comes */
    uint64_t looked_ms; /* when a change that is only reported was looked at last */
    uint64_t drift_rv;  /* resourceVersion of what is being put back, 0: not known */
    uint32_t pause_ms;  /* the next full pause, 0: none yet */
    uint32_t wait_ms;   /* the pause that was chosen last */
    uint32_t restores;
    bool contested;
    char *what; /* by whom and of what it is contested, owned; NULL: not, or memory was out */
};

struct agent_entry {
    struct fed_work work; /* spans into block */
    uint8_t *block;       /* fed_work_put's encoding, owned */
    size_t block_len;

    /* persisted */
    bool in_manifest;
    bool removing; /* left the bundle; its object is to go */
    bool orphan;   /* while removing: leave the object, take the label off */
    bool kept; /* vanished through a change of epoch: left in place until the hub names it again */
    bool
        waits; /* left the bundle with too many others: held to it until that is settled (consent.h)
                */
    bool unclear; /* while it waits: whether it was ordered is not known yet */
    bool has_applied;
    uint8_t applied[AGENT_CONTENT_SIZE]; /* agent_entry_content when it was applied last */
    uint8_t fields[AGENT_FIELDS_SIZE];   /* digest of our managedFields entry after that */
    char uid[AGENT_UID_MAX + 1];         /* of the object in the member, "" when not known */
    uint64_t generation;                 /* after that apply */
    uint64_t resource_version;           /* after that apply */

    /* run time */
    bool dirty;   /* the persisted part differs from the file */
    bool dropped; /* done with; leaves the file at the next persist, the table when it was reported
                   */
    bool busy;
    bool may_retry;  /* its share of what may be asked again is set aside (apply.c) */
    bool again;      /* while busy: something came that asks for another look */
    bool report_due; /* the hub has not been told */
    bool reporting;  /* in the report that waits for its answer */
    bool listed;     /* seen in the list that is being read */
    bool seen_any;   /* an event came while busy; seen_fields and seen_rv are set */
    uint8_t seen_fields[AGENT_FIELDS_SIZE];
    uint64_t moved_generation; /* as the member moved it after our apply; with moved_rv */
    uint64_t moved_rv;         /* 0: it did not */
    bool version_due;          /* the hub is to hear of that, or of remote, when its time came */
    uint64_t version_ms;       /* not before that (report.h) */
    uint32_t version_gap_ms;
    bool status_wanted; /* .status is reported from now on, and was not looked at yet */
    uint64_t seen_rv;   /* newest resourceVersion seen */
    uint8_t state;      /* enum fed_work_state */
    uint8_t health;     /* enum fed_work_health, with why */
    uint8_t step;       /* enum agent_step */
    uint8_t trouble;    /* enum agent_trouble of the last attempt, or of what it waits for */
    uint8_t deed;       /* enum fed_work_deed, until the hub knows */
    uint8_t clash;      /* enum agent_clash */
    bool deed_sent;     /* it is in the report that waits for its answer */
    bool adopting;      /* the object that is there is not the federation's yet */
    bool searched;      /* while removing: another version is tried than the bundle had */
    bool nothing;       /* seen: the member has nothing of it, and was asked for nothing since */
    bool pods_fail;     /* health is what its pods say (pods.h) */
    bool late;          /* health is that of a deadline that has passed (rollback.h) */
    bool proven;        /* the present version was healthy once */
    bool trial_row;     /* the file has a row of the trial */
    bool trial_ends;    /* staging: it does so with the bundle that is being staged */
    bool yielded;       /* seen: replicas that the member retains are not ours */
    bool verify;        /* with AGENT_STEP_READ: applied, and perhaps changed by somebody else */
    uint32_t index;     /* in the manifest, when in it */
    uint32_t since_s;   /* monotonic: not as it is to be since then (wait.h); 0: it is */
    uint64_t due_ms;    /* of the step */
    struct agent_retry retry;
    struct agent_fight *fight; /* owned, NULL for none */
    const char *reason;        /* machine word, "" for none; static */
    char *message;             /* owned, NULL for none */
    char *why;                 /* of health: reason NUL message NUL, owned, NULL for nothing */
    char *remote;              /* JSON of .status that is to be reported, owned, NULL for none */
    size_t remote_len;
    uint8_t remote_digest[8]; /* of the .status reported or queued last */
    bool scale_known;         /* scale was found (pods.h) */
    bool scale_due;           /* and is to be reported */
    struct fed_report_scale scale;
    bool wish_known;           /* wish says what the template asks of the agent (wish.h) */
    struct agent_wish *wish;   /* owned, NULL for nothing */
    struct agent_trial *trial; /* owned, NULL: its versions are not on trial (trial.h) */
};

struct agent_table {
    struct fed_alloc *mem;
    struct agent_entry **at;
    size_t n;
    size_t cap;
    uint32_t epoch;
    uint64_t revision;
    uint8_t digest[16]; /* of the manifest */
    size_t n_manifest;  /* entries in the manifest */
    bool forgotten;     /* the manifest leaves the file, too, with the next that is written */
    uint32_t round;     /* counts up when entries come or go: what was found before may not stand */
};

void agent_table_init(struct agent_table *table, struct fed_alloc *mem);
void agent_table_fini(struct agent_table *table); /* no entry may be busy */

/* An entry for a copy of the work, not in any table. NULL when memory is out. */
struct agent_entry *agent_entry_new(struct fed_alloc *mem, const struct fed_work *work);
void agent_entry_free(struct fed_alloc *mem, struct agent_entry *entry); /* NULL is fine */
/* The work's content has changed, or is about to: what it wished is read again (wish.h). */
void agent_entry_forget_wish(struct fed_alloc *mem, struct agent_entry *entry);
/* Foreign changes of before are no part of what comes. */
void agent_entry_forget_fight(struct fed_alloc *mem, struct agent_entry *entry);
/* Who contests what in its fight, of which there may be none; copied. */
void agent_entry_note_fight(struct fed_alloc *mem, struct agent_entry *entry, const char *what);
/* Digest over what decides the rendered object. */
FED_MUST_USE enum fed_err agent_entry_content(
    struct fed_alloc *mem, const struct fed_work *work, uint8_t out[AGENT_CONTENT_SIZE]);
/* Sets state, reason and message; notes whether the hub must be told. message may be NULL. */
void agent_entry_set(struct agent_table *table, struct agent_entry *entry,
    enum fed_work_state state, const char *reason, const char *message);
/* What the object itself says of its health. What its pods say stands as long as the object is on
 * its way only, what a deadline says until it is healthy. The hub is told of another health or
 * reason; of another message with whatever is told next. */
void agent_entry_set_health(
    struct fed_alloc *mem, struct agent_entry *entry, const struct agent_health *health);
/* The same from elsewhere, as it is. */
void agent_entry_say_health(
    struct fed_alloc *mem, struct agent_entry *entry, const struct agent_health *health);
/* Why it is not healthy: the reason and the message, "" when nothing is known. */
const char *agent_entry_why(const struct agent_entry *entry);
const char *agent_entry_why_message(const struct agent_entry *entry);
/* The version of the member's object: after our apply, or as the member moved it since. */
void agent_entry_version(
    const struct agent_entry *entry, uint64_t *generation, uint64_t *resource_version);
/* Plans a step for this time and forgets earlier failures. AGENT_DUE_NEVER: when what it waits for
 * moves (apply.h). */
#define AGENT_DUE_NEVER UINT64_MAX
void agent_entry_plan(struct agent_entry *entry, enum agent_step step, uint64_t due_ms);
/* "Deployment web/api", for people. */
#define AGENT_ENTRY_NAME_SIZE 600
const char *agent_entry_name(const struct agent_entry *entry, char out[AGENT_ENTRY_NAME_SIZE]);

/* The entry with this identity, or NULL. */
struct agent_entry *agent_table_find(const struct agent_table *table, const struct fed_work *work);
/* Appends at the sorted end. FED_ERR_INVALID when it is not greater than the last; takes the entry
 * on FED_OK. */
FED_MUST_USE enum fed_err agent_table_append_take(
    struct agent_table *table, struct agent_entry *entry);
/* Takes out and frees every entry that is dropped, written and reported. */
void agent_table_sweep(struct agent_table *table);
/* Numbers the entries of the manifest. */
void agent_table_reindex(struct agent_table *table);
/* The manifest as the frames know it; the works array is taken from mem (an arena). */
FED_MUST_USE enum fed_err agent_table_manifest(
    const struct agent_table *table, struct fed_alloc *mem, struct fed_manifest *out);

#endif
