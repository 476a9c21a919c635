/* rollback.c - see rollback.h. One object is read at a time; the check holds a copy of the
 * identity, because the entry may be gone when the answer comes. */
#include "agent/rollback.h"

#include "agent/path.h"
#include "agent/trial.h"
#include "agent/wish.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define LATER_MS 5000u /* for what is being applied just now, or could not be read */
#define TIMEOUT_MS 60000u
#define PATH_BYTES_MAX 8192u

struct agent_rollback {
    struct agent_ports ports;
    struct agent_state *state;
    struct agent_table *table;
    struct agent_apply *apply;
    struct agent_rollback_events events;
    struct fed_timer *timer;
    bool paused;
    struct agent_entry *copy; /* of the work that is being read, NULL for none */
    struct fed_kube_call *call;
};

static uint64_t now_of(const struct agent_rollback *r)
{
    return fed_loop_now_ms(r->ports.loop);
}

/* ---- the clock ---- */

static void arm(struct agent_rollback *r)
{
    uint64_t next_ms = UINT64_MAX;

    agent_timer_stop(&r->ports, r->timer);
    if (r->paused || r->copy)
        return;
    for (size_t i = 0; i < r->table->n; i++) {
        const struct agent_trial *trial = r->table->at[i]->trial;

        if (trial && trial->runs && trial->due_ms < next_ms)
            next_ms = trial->due_ms;
    }
    if (next_ms != UINT64_MAX)
        agent_timer_at(&r->ports, r->timer, next_ms);
}

static void stop_clock(struct agent_rollback *r, struct agent_trial *trial)
{
    if (!trial || !trial->runs)
        return;
    trial->spent_ms = now_of(r) - trial->since_ms;
    trial->runs = false;
}

static uint32_t deadline_of(struct agent_rollback *r, struct agent_entry *entry)
{
    const struct agent_wish *wish;

    return agent_wish_of(r->state, entry, &wish, NULL) ? 0 : wish->deadline_ms;
}

static bool is_held(const struct agent_entry *entry)
{
    return entry->work.options & FED_WORK_HELD;
}

/* Its present version is on trial, whatever is under way for it. */
static bool is_tried(const struct agent_entry *entry)
{
    return agent_entry_is_held_to(entry) && entry->has_applied && !entry->proven && !entry->late &&
           !is_held(entry) && !agent_trial_is_back(entry);
}

/* ... and the member holds it. */
static bool is_in_place(const struct agent_entry *entry)
{
    return entry->state == FED_WORK_APPLIED && entry->step == AGENT_STEP_NONE && !entry->busy;
}

static void start_clock(struct agent_rollback *r, struct agent_entry *entry, uint32_t deadline_ms)
{
    struct agent_trial *trial = agent_trial_of(r->ports.mem, entry);
    uint32_t grace_ms =
        deadline_ms < AGENT_ROLLBACK_GRACE_MS ? deadline_ms : AGENT_ROLLBACK_GRACE_MS;

    if (!trial || trial->runs)
        return;
    if (trial->spent_ms > deadline_ms - grace_ms)
        trial->spent_ms = deadline_ms - grace_ms;
    trial->since_ms = now_of(r) - trial->spent_ms; /* may be before zero: only differences count */
    trial->due_ms = trial->since_ms + deadline_ms;
    trial->runs = true;
    if (trial->began_ms == 0) {
        trial->began_ms = now_of(r);
        entry->dirty = true;
    }
    arm(r);
}

void agent_rollback_look(struct agent_rollback *r, struct agent_entry *entry)
{
    uint32_t deadline_ms;

    if (!is_tried(entry) || !is_in_place(entry) || entry->health == FED_HEALTH_UNKNOWN)
        return;
    deadline_ms = deadline_of(r, entry);
    if (entry->health == FED_HEALTH_HEALTHY && deadline_ms > 0)
        agent_trial_passed(r->ports.mem, entry);
    else if (entry->health == FED_HEALTH_HEALTHY)
        entry->proven = true;
    else if (deadline_ms > 0 && !r->paused)
        start_clock(r, entry, deadline_ms);
}

/* ---- what follows ---- */

static void say_wrong(
    const struct agent_entry *entry, uint32_t deadline_ms, char out[AGENT_TRIAL_WRONG_MAX + 1])
{
    char after[FED_TEXT_TIME_SIZE];
    const char *why = agent_entry_why(entry);
    const char *message = agent_entry_why_message(entry);

    fed_text_age(deadline_ms / 1000, after);
    snprintf(out, AGENT_TRIAL_WRONG_MAX + 1, "not healthy within %s%s%s%s%s", after,
        why[0] ? ": " : "", why, message[0] ? ": " : "", message);
}

static void give_up(struct agent_rollback *r, struct agent_entry *entry, uint32_t deadline_ms)
{
    struct agent_health health;
    char name[AGENT_ENTRY_NAME_SIZE];
    char wrong[AGENT_TRIAL_WRONG_MAX + 1];

    say_wrong(entry, deadline_ms, wrong);
    agent_health_say(
        &health, FED_HEALTH_UNHEALTHY, FED_SPAN_LIT("DeadlineExceeded"), fed_span_text(wrong));
    entry->late = true;
    agent_entry_say_health(r->ports.mem, entry, &health);
    fed_log(r->ports.log, FED_LOG_WARN, "%s: %s; there is no earlier version that was healthy",
        agent_entry_name(entry, name), wrong);
}

static void put_back(struct agent_rollback *r, struct agent_entry *entry, uint32_t deadline_ms)
{
    struct agent_trial *trial = entry->trial;
    char name[AGENT_ENTRY_NAME_SIZE];

    say_wrong(entry, deadline_ms, trial->wrong);
    trial->back = true;
    trial->began_ms = trial->spent_ms = 0;
    entry->pods_fail = false;
    entry->verify = false;
    entry->dirty = true;
    agent_entry_forget_fight(r->ports.mem, entry);
    agent_entry_forget_wish(r->ports.mem, entry); /* to be replaced once more, where it may be */
    agent_trial_settled(r->table, entry);
    agent_entry_plan(entry, AGENT_STEP_APPLY, now_of(r));
    fed_log(r->ports.log, FED_LOG_WARN, "%s: %s; the last version that was healthy is put back",
        agent_entry_name(entry, name), trial->wrong);
    r->events.persist(r->events.ctx);
}

static void judge(struct agent_rollback *r, struct agent_entry *entry)
{
    uint32_t deadline_ms = deadline_of(r, entry);

    stop_clock(r, entry->trial);
    if (entry->trial->good && deadline_ms > 0)
        put_back(r, entry, deadline_ms);
    else if (deadline_ms > 0)
        give_up(r, entry, deadline_ms);
    r->events.changed(r->events.ctx, entry);
    agent_apply_kick(r->apply);
}

/* ---- the last look ---- */

static void later(struct agent_rollback *r, struct agent_entry *entry)
{
    if (entry && entry->trial && entry->trial->runs)
        entry->trial->due_ms = now_of(r) + LATER_MS;
}

/* Takes in what the object is now; false when it cannot be read. */
static bool take(
    struct agent_rollback *r, struct agent_entry *entry, const struct fed_kube_answer *answer)
{
    struct fed_json_doc *doc = NULL;
    struct fed_arena arena;
    struct agent_seen seen;
    bool read;

    fed_arena_init(&arena, r->ports.mem, AGENT_OBJECT_ARENA_MAX);
    read = fed_json_doc_new(&arena.alloc, &doc) == FED_OK &&
           agent_seen_parse(r->ports.mem, doc, answer->body, entry->work.api_version,
               entry->work.kind, &seen, NULL) == FED_OK;
    if (read)
        agent_apply_seen(r->apply, entry, &seen);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
    return read;
}

static void on_object(
    void *ctx, enum fed_err err, const struct fed_kube_answer *answer, const struct fed_diag *diag)
{
    struct agent_rollback *r = ctx;
    struct agent_entry *entry = agent_table_find(r->table, &r->copy->work);
    bool same = entry && fed_work_same(&entry->work, &r->copy->work);

    (void)diag;
    r->call = NULL;
    agent_entry_free(r->ports.mem, r->copy);
    r->copy = NULL;
    if (same && is_tried(entry) && entry->trial && entry->trial->runs) {
        if (err || answer->status != 200 || !take(r, entry, answer) || !is_in_place(entry))
            later(r, entry);
        else if (is_tried(entry) && entry->health != FED_HEALTH_HEALTHY)
            judge(r, entry);
    }
    arm(r);
}

static void read_object(struct agent_rollback *r, struct agent_entry *entry)
{
    char user[AGENT_USER_SIZE];
    struct fed_buf path;
    enum fed_err err;

    r->copy = agent_entry_new(r->ports.mem, &entry->work);
    fed_buf_init(&path, r->ports.mem, PATH_BYTES_MAX);
    agent_path_put_object(&path, &entry->work);
    err = r->copy ? fed_buf_err(&path) : FED_ERR_NOMEM;
    if (!err)
        err = r->ports.kube->request(r->ports.kube->ctx,
            &(struct fed_kube_request){.method = "GET",
                .path = fed_buf_cstr(&path),
                .accept = agent_apply_accept(&entry->work),
                .impersonate = agent_apply_user(r->apply, &entry->work, user),
                .timeout_ms = TIMEOUT_MS},
            on_object, r, &r->call);
    fed_buf_fini(&path);
    if (err) {
        agent_entry_free(r->ports.mem, r->copy);
        r->copy = NULL;
        r->call = NULL;
        later(r, entry);
    }
}

static void on_timer(void *ctx)
{
    struct agent_rollback *r = ctx;
    uint64_t now_ms = now_of(r);

    for (size_t i = 0; i < r->table->n && !r->copy; i++) {
        struct agent_entry *entry = r->table->at[i];

        if (!entry->trial || !entry->trial->runs || entry->trial->due_ms > now_ms)
            continue;
        if (!is_tried(entry))
            stop_clock(r, entry->trial);
        else if (is_in_place(entry))
            read_object(r, entry);
        else
            later(r, entry);
    }
    arm(r);
}

/* ---- life ---- */

static void drop_call(struct agent_rollback *r)
{
    if (r->call)
        r->ports.kube->cancel(r->ports.kube->ctx, r->call);
    r->call = NULL;
    agent_entry_free(r->ports.mem, r->copy);
    r->copy = NULL;
}

void agent_rollback_pause(struct agent_rollback *r)
{
    r->paused = true;
    drop_call(r);
    for (size_t i = 0; i < r->table->n; i++)
        stop_clock(r, r->table->at[i]->trial);
    arm(r);
}

void agent_rollback_resume(struct agent_rollback *r)
{
    r->paused = false;
    for (size_t i = 0; i < r->table->n; i++)
        agent_rollback_look(r, r->table->at[i]);
    arm(r);
}

enum fed_err agent_rollback_new(const struct agent_ports *ports, struct agent_state *state,
    struct agent_table *table, struct agent_apply *apply,
    const struct agent_rollback_events *events, struct agent_rollback **out)
{
    struct agent_rollback *r = fed_alloc_zero(ports->mem, sizeof *r);
    enum fed_err err;

    if (!r)
        return FED_ERR_NOMEM;
    r->ports = *ports;
    r->state = state;
    r->table = table;
    r->apply = apply;
    r->events = *events;
    r->paused = true;
    err = ports->loop->timer_new(ports->loop->ctx, on_timer, r, &r->timer);
    if (err) {
        fed_alloc_free(ports->mem, r, sizeof *r);
        return err;
    }
    *out = r;
    return FED_OK;
}

void agent_rollback_free(struct agent_rollback *r)
{
    if (!r)
        return;
    drop_call(r);
    r->ports.loop->timer_free(r->ports.loop->ctx, r->timer);
    fed_alloc_free(r->ports.mem, r, sizeof *r);
}
