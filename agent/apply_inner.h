/* apply_inner.h - what the files of apply share: apply.c (schedule, requests), apply_order.c (what
 * waits for what), apply_applied.c and apply_failed.c (what becomes of requests), apply_await.c,
 * apply_clash.c, apply_read.c, apply_remove.c, apply_replace.c, apply_drift.c, apply_policy.c. */
#ifndef FEDLET_AGENT_APPLY_INNER_H
#define FEDLET_AGENT_APPLY_INNER_H

#include "agent/apply.h"
#include "agent/trouble.h"

#define PATH_MAX_BYTES 4096u

/* Waits, in milliseconds. */
#define RETRY_FLOOR_MS 500u /* the server's trouble */
#define RETRY_CEILING_MS 60000u
#define REFUSED_FLOOR_MS 5000u /* the object's trouble */
#define REFUSED_CEILING_MS 300000u
#define GONE_FLOOR_MS 300u /* until a deleted object is gone */
#define GONE_CEILING_MS 30000u

#define AGENT_REASON_CYCLE "DependencyCycle"
#define AGENT_REASON_IMMUTABLE "ImmutableField"
/* "PLURAL.GROUP", or the name of a namespace. */
#define AGENT_AWAIT_NAME_MAX 320u
/* Namespaces and definitions that are watched for at once; more are only asked for now and then. */
#define AGENT_AWAITS_MAX 8u

struct await; /* apply_await.c */

struct call { /* one request under way */
    struct agent_apply *apply;
    struct agent_entry *entry; /* NULL: free */
    enum agent_step step;
    uint8_t content[AGENT_CONTENT_SIZE]; /* of what is being applied */
    struct fed_kube_call *kube_call;
    bool paid; /* took of the budget of retries */
};

struct agent_apply {
    struct agent_ports ports;
    struct agent_state *state;
    struct agent_table *table;
    struct agent_apply_events events;
    struct fed_timer *timer;
    struct fed_timer *drift_timer; /* the next entry->fight that may be over */
    struct agent_budget retries;   /* requests that only repeat what failed */
    size_t turn;                   /* in the table: who is the first to get of that */
    struct agent_budget restores;  /* foreign changes that are looked at and put back */
    struct call calls[AGENT_INFLIGHT_MAX];
    size_t n_calls;
    struct await *awaits[AGENT_AWAITS_MAX];
    uint64_t quiet_ms; /* the API server asked to be left alone until then */
    uint32_t round;    /* of the table, when what waits was looked at last */
    uint32_t walk;     /* number of the last walk along dependencies */
    bool any_blocked;  /* an entry may be due never */
    bool scouting;     /* an entry may have found that a namespace or kind is missing */
    const struct agent_policy *policy; /* NULL: everything is allowed */
    struct fed_timer *policy_timer;    /* apply_policy.c */
    size_t judged; /* of the table at the revision, since the policy is this one */
    uint64_t judged_revision;
    bool paused;
    bool in_kick;
    struct agent_apply_counts counts;
    bool was_busy; /* something was started since the last `settled` */
};

uint64_t apply_now(const struct agent_apply *apply);
/* What a line of the log is about; reason: a word, NULL for none. Lives as long as *line. */
struct apply_line {
    struct fed_log_about about;
    char work[AGENT_ENTRY_NAME_SIZE];
};
const struct fed_log_about *apply_about(
    struct apply_line *line, const struct agent_entry *entry, const char *reason);
/* Starts a request; the entry is busy until its answer. false: it could not be started (already
 * planned again).
 *   path, body  of the request, NULL for no body: one that is not whole, for want of memory, would
 *               be about something else, and is not sent */
bool apply_start(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    const struct fed_kube_request *request, struct fed_buf *path, const struct fed_buf *body);
/* The same with a JSON patch of the object that was seen, as put writes it. */
void apply_start_patch(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    void (*put)(struct fed_buf *out, const struct agent_seen *seen), const struct agent_seen *seen);

/* What could not be rendered, or may not be applied: told, and tried again when that can help. */
void apply_render_failed(struct agent_apply *apply, struct agent_entry *entry, enum fed_err err,
    const char *reason, struct fed_diag *diag);

/* ---- apply_policy.c ---- */
/* The body of the entry's apply, when the policy allows it: FED_ERR_FORBIDDEN otherwise; *reason
 * changes on an error. */
FED_MUST_USE enum fed_err apply_policy_render(struct agent_apply *apply, struct agent_entry *entry,
    struct fed_buf *body, const char **reason, struct fed_diag *diag);
void apply_policy_timer(void *apply);

/* ---- apply_failed.c ---- */
/* Plans the entry's step again after a failure. */
void apply_retry(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    uint32_t floor_ms, uint32_t ceiling_ms, unsigned asked_s);
/* State, message and next attempt by the class of trouble (trouble.h). */
void apply_refused(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    struct agent_answer *answer, unsigned retry_after_s, const char *reason);
/* Plans the step again as the class of trouble has it. */
void apply_again(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    enum agent_trouble trouble, unsigned asked_s);
/* KubeFed's word for a failed apply of this entry. */
const char *apply_reason(const struct agent_entry *entry);
/* The request did not reach the API server, or its answer did not come. */
void apply_unreachable(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    enum fed_err err, const struct fed_diag *diag);
/* Parses an object in the answer; on failure the step is planned again. */
bool apply_parse(struct agent_apply *apply, struct agent_entry *entry, struct fed_json_doc *doc,
    struct fed_span body, struct agent_seen *out);

/* ---- apply_order.c ---- */
/* "PLURAL.GROUP", as its CustomResourceDefinition is called; false for the core group, which has no
 * definitions. */
bool apply_definition_name(const struct fed_work *work, char *out, size_t size);
/* Whether the entry's step has to wait for something else; then it is planned for when that moves,
 * and says so. */
bool apply_waits(struct agent_apply *apply, struct agent_entry *entry);
/* Until what it waits for moves. */
void apply_block(struct agent_apply *apply, struct agent_entry *entry, enum agent_trouble trouble);
/* Another entry that stands before the same missing namespace or kind and tries again by itself;
 * NULL: nobody does. */
const struct agent_entry *apply_scout(
    const struct agent_apply *apply, const struct agent_entry *entry);
/* Everything that waits is looked at again: entries came or went, or the API server is back. */
void apply_wake_all(struct agent_apply *apply);

/* ---- apply_await.c ---- */
/* Watches for the namespace or the definition of the kind that the entry found missing, so that it
 * is tried when that comes, not all the time. */
void apply_await(struct agent_apply *apply, const struct agent_entry *entry);
/* Ends the watches that nobody needs any more. */
void apply_await_tidy(struct agent_apply *apply);
void apply_await_end(struct agent_apply *apply);

/* ---- apply_replace.c ---- */
/* An update that failed for fields that cannot change: the object is replaced when the template
 * asks for that and nothing is lost with it, otherwise left as it is. */
void apply_immutable(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_answer *answer);
/* The answer to the deletion of an object that is to be made again. */
void apply_replace_answer(
    struct agent_apply *apply, struct agent_entry *entry, const struct fed_kube_answer *answer);

/* ---- apply_clash.c ---- */
/* After an apply that was refused: when that may be for what others have in a list or map, it is
 * set whole. false: it is not, or that was done before this apply. */
bool apply_clash_settle(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_answer *refusal);
/* After an apply: moves what that leaves in managedFields. false: nothing is there. */
bool apply_clash_tidy(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen);

/* ---- apply_applied.c ---- */
/* The answer to an apply of that content; superseded: the entry wants something else meanwhile. */
void apply_applied(struct agent_apply *apply, struct agent_entry *entry,
    const uint8_t content[AGENT_CONTENT_SIZE], const struct fed_kube_answer *answer,
    bool superseded);
/* What is to be reported of the object's status, for works with FED_WORK_STATUS. */
void apply_note_status(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen);

/* ---- apply_read.c, apply_remove.c, apply_drift.c ---- */
void apply_read_answer(
    struct agent_apply *apply, struct agent_entry *entry, const struct fed_kube_answer *answer);
/* Starts to give up spec.replicas of the object that was seen. */
void apply_start_yield(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen);
/* The answer to a patch that an apply follows. */
void apply_yield_answer(
    struct agent_apply *apply, struct agent_entry *entry, const struct fed_kube_answer *answer);
void apply_remove_seen(
    struct agent_apply *apply, struct agent_entry *entry, struct agent_seen *seen);
/* It is not there by the version that the bundle had: gone, or asked for by another one. */
void apply_remove_absent(
    struct agent_apply *apply, struct agent_entry *entry, const struct fed_kube_answer *answer);
void apply_find_answer(
    struct agent_apply *apply, struct agent_entry *entry, const struct fed_kube_answer *answer);
void apply_start_delete(struct agent_apply *apply, struct agent_entry *entry);
void apply_remove_answer(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    const struct fed_kube_answer *answer);
/* The entry is done with: its object is gone or released. */
void apply_drop(struct agent_entry *entry);
/* What a READ with entry->verify found; false: the entry is none of those, or the object is to be
 * treated like one that was never seen. */
bool apply_drift_present(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen);
bool apply_drift_absent(struct agent_apply *apply, struct agent_entry *entry);
/* After an apply: Applied, or still contested. */
void apply_drift_applied(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen);
/* Says that the object is being deleted, and which finalizers it waits for. */
void apply_set_deleting(struct agent_apply *apply, struct agent_entry *entry,
    enum fed_work_state state, const char *reason, const struct agent_seen *seen);
void apply_drift_timer(void *apply);
/* After an apply: did events that came meanwhile show another state than the one we made? */
void apply_check_meanwhile(struct agent_apply *apply, struct agent_entry *entry);

#endif
