/* apply.c - see apply.h: the schedule, and the requests. */
#include "agent/apply_inner.h"

#include "agent/health.h"
#include "agent/path.h"
#include "agent/render.h"
#include "agent/trial.h"
#include "agent/wish.h"

#include <stdio.h>
#include <string.h>

/* A request under way holds up later phases no longer than this: a slow admission webhook is nobody
 * else's trouble. */
#define PATIENCE_MS 2000u
/* Nobody reads the warnings that an API server makes by default, for which it reads the whole body
 * a second time. What its schema does not know server-side apply refuses either way. */
#define APPLY_QUERY "?fieldManager=" AGENT_FIELD_MANAGER "&force=true&fieldValidation=Ignore"

static const char *const phase_kinds[][8] = {
    {"Namespace"},
    {"CustomResourceDefinition"},
    {"ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ConfigMap",
        "Secret"},
    {"Service"},
    {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"},
};
#define PHASES_NAMED (sizeof phase_kinds / sizeof *phase_kinds)
#define PHASE_LAST (2 * PHASES_NAMED + 2)

unsigned agent_apply_phase(struct fed_span api_version, struct fed_span kind)
{
    (void)api_version;
    for (size_t phase = 0; phase < PHASES_NAMED; phase++) {
        for (size_t i = 0; i < 8 && phase_kinds[phase][i]; i++) {
            if (fed_span_is(kind, phase_kinds[phase][i]))
                return (unsigned)phase;
        }
    }
    return PHASES_NAMED;
}

/* Removals come after all applies, the other way round. */
static unsigned phase_of(const struct agent_entry *entry)
{
    unsigned phase = agent_apply_phase(entry->work.api_version, entry->work.kind);

    return entry->removing ? (unsigned)(2 * PHASES_NAMED + 1 - phase) : phase;
}

const char *agent_apply_accept(const struct fed_work *work)
{
    if ((work->options & FED_WORK_STATUS) ||
        agent_health_needs_content(work->api_version, work->kind))
        return AGENT_ACCEPT_FULL;
    return AGENT_ACCEPT_METADATA;
}

uint64_t apply_now(const struct agent_apply *apply)
{
    return fed_loop_now_ms(apply->ports.loop);
}

const struct fed_log_about *apply_about(
    struct apply_line *line, const struct agent_entry *entry, const char *reason)
{
    line->about =
        (struct fed_log_about){.work = agent_entry_name(entry, line->work), .reason = reason};
    return &line->about;
}

static void changed(struct agent_apply *apply, struct agent_entry *entry)
{
    apply->events.changed(apply->events.ctx, entry);
}

/* ---- requests ---- */

static void on_done(
    void *ctx, enum fed_err err, const struct fed_kube_answer *answer, const struct fed_diag *diag)
{
    struct call call = *(struct call *)ctx;
    struct agent_apply *apply = call.apply;
    struct agent_entry *entry = call.entry;
    bool superseded = entry->again;

    ((struct call *)ctx)->entry = NULL;
    apply->n_calls--;
    entry->busy = entry->again = false;
    if (superseded)
        entry->clash = AGENT_CLASH_NONE;
    if (err == FED_OK && call.step == AGENT_STEP_APPLY)
        apply_applied(apply, entry, call.content, answer, superseded);
    else if (superseded)
        ; /* the answer is about an older wish; the step of the newer one stands */
    else if (err)
        apply_unreachable(apply, entry, call.step, err, diag);
    else if (call.step == AGENT_STEP_YIELD)
        apply_yield_answer(apply, entry, answer);
    else if (call.step == AGENT_STEP_FIND)
        apply_find_answer(apply, entry, answer);
    else if (call.step == AGENT_STEP_READ)
        apply_read_answer(apply, entry, answer);
    else if (!entry->removing)
        apply_replace_answer(apply, entry, answer);
    else
        apply_remove_answer(apply, entry, call.step, answer);
    if (call.paid && entry->retry.attempts == 0) /* it came to something */
        agent_budget_give(&apply->retries, AGENT_RETRY_RATE, AGENT_RETRY_GAIN);
    changed(apply, entry);
    agent_apply_kick(apply);
}

const char *agent_apply_user(
    const struct agent_apply *apply, const struct fed_work *work, char out[AGENT_USER_SIZE])
{
    struct agent_account account;

    if (!agent_policy_account(apply->policy, work, &account))
        return NULL;
    agent_account_user(&account, out);
    return out;
}

bool apply_start(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    const struct fed_kube_request *request, struct fed_buf *path, const struct fed_buf *body)
{
    struct call *call = apply->calls;
    struct fed_kube *kube = apply->ports.kube;
    struct fed_kube_request in_name = *request;
    char user[AGENT_USER_SIZE];
    enum fed_err err;

    while (call < apply->calls + AGENT_INFLIGHT_MAX && call->entry)
        call++;
    if (call == apply->calls + AGENT_INFLIGHT_MAX) {
        entry->due_ms = apply_now(apply); /* stands as planned until a slot is free */
        return false;
    }
    call->apply = apply;
    call->entry = entry;
    call->step = step;
    call->kube_call = NULL;
    call->paid = entry->retry.attempts > 0;
    entry->may_retry = false;
    in_name.impersonate = agent_apply_user(apply, &entry->work, user);
    in_name.path = fed_buf_cstr(path);
    if (body)
        in_name.body = fed_buf_span(body);
    err = body && fed_buf_err(body) ? fed_buf_err(body) : fed_buf_err(path);
    if (!err)
        err = kube->request(kube->ctx, &in_name, on_done, call, &call->kube_call);
    if (err) {
        call->entry = NULL;
        apply_unreachable(apply, entry, step, err, NULL);
        return false;
    }
    apply->n_calls++;
    apply->was_busy = true;
    entry->due_ms = apply_now(apply);
    entry->busy = true;
    entry->seen_any = false;
    entry->step = (uint8_t)step;
    return true;
}

void apply_start_patch(struct agent_apply *apply, struct agent_entry *entry, enum agent_step step,
    void (*put)(struct fed_buf *out, const struct agent_seen *seen), const struct agent_seen *seen)
{
    struct fed_buf path;
    struct fed_buf body;

    fed_buf_init(&path, apply->ports.mem, PATH_MAX_BYTES);
    fed_buf_init(&body, apply->ports.mem, AGENT_BODY_MAX);
    agent_path_put_object(&path, &entry->work);
    fed_buf_put_text(&path, "?fieldManager=" AGENT_FIELD_MANAGER);
    put(&body, seen);
    apply_start(apply, entry, step,
        &(struct fed_kube_request){.method = "PATCH",
            .content_type = "application/json-patch+json",
            .accept = AGENT_ACCEPT_METADATA},
        &path, &body);
    fed_buf_fini(&body);
    fed_buf_fini(&path);
}

/* A change that is only reported is reported with its values. */
static const char *read_accept(const struct agent_entry *entry)
{
    bool values = entry->verify && entry->wish && entry->wish->report_drift;

    return values ? AGENT_ACCEPT_FULL : AGENT_ACCEPT_METADATA;
}

static void start_read(struct agent_apply *apply, struct agent_entry *entry)
{
    struct fed_buf path;

    fed_buf_init(&path, apply->ports.mem, PATH_MAX_BYTES);
    agent_path_put_object(&path, &entry->work);
    apply_start(apply, entry, AGENT_STEP_READ,
        &(struct fed_kube_request){.method = "GET", .accept = read_accept(entry)}, &path, NULL);
    fed_buf_fini(&path);
}

void apply_render_failed(struct agent_apply *apply, struct agent_entry *entry, enum fed_err err,
    const char *reason, struct fed_diag *diag)
{
    struct apply_line line;

    if (!diag->text[0])
        fed_diag_set(diag, err, "%s", fed_err_text(err));
    /* Only another bundle can change that, or another policy. */
    if (err == FED_ERR_INVALID || err == FED_ERR_LIMIT || err == FED_ERR_FORBIDDEN)
        agent_entry_plan(entry, AGENT_STEP_NONE, 0);
    else
        apply_retry(apply, entry, AGENT_STEP_APPLY, REFUSED_FLOOR_MS, REFUSED_CEILING_MS, 0);
    agent_entry_set(apply->table, entry, FED_WORK_FAILED, reason, diag->text);
    fed_log_about(
        apply->ports.log, FED_LOG_WARN, apply_about(&line, entry, reason), "%s", diag->text);
    changed(apply, entry);
}

static void start_apply(struct agent_apply *apply, struct agent_entry *entry)
{
    struct call *call = apply->calls;
    struct fed_diag diag = {""};
    const char *reason = "ComputeResourceFailed";
    const struct agent_wish *wish;
    uint8_t content[AGENT_CONTENT_SIZE];
    struct fed_buf path;
    struct fed_buf body;
    struct fed_work work = agent_trial_in_effect(entry);
    enum fed_err err;

    fed_buf_init(&path, apply->ports.mem, PATH_MAX_BYTES);
    fed_buf_init(&body, apply->ports.mem, AGENT_BODY_MAX);
    agent_path_put_object(&path, &entry->work);
    fed_buf_put_text(&path, APPLY_QUERY);
    err = agent_wish_of(apply->state, entry, &wish, &diag);
    if (!err)
        err = agent_entry_content(apply->ports.mem, &work, content);
    if (!err)
        err = apply_policy_render(apply, entry, &body, &reason, &diag);
    /* That of an earlier version, or of what is on its way out, is in no bundle. */
    if (err == FED_ERR_NOT_FOUND && entry->in_manifest && !agent_trial_is_back(entry))
        apply->events.missing(apply->events.ctx);
    if (err) {
        apply_render_failed(apply, entry, err, reason, &diag);
        goto done;
    }
    if (apply_start(apply, entry, AGENT_STEP_APPLY,
            &(struct fed_kube_request){.method = "PATCH",
                .content_type = "application/apply-patch+yaml",
                .accept = agent_apply_accept(&entry->work)},
            &path, &body)) {
        while (call->entry != entry)
            call++;
        memcpy(call->content, content, sizeof content);
    }
done:
    fed_buf_fini(&body);
    fed_buf_fini(&path);
}

static void start(struct agent_apply *apply, struct agent_entry *entry)
{
    switch ((enum agent_step)entry->step) {
    case AGENT_STEP_READ:
    case AGENT_STEP_RELEASE: /* always from a fresh look */
    case AGENT_STEP_YIELD:
    case AGENT_STEP_FIND:
        start_read(apply, entry);
        break;
    case AGENT_STEP_APPLY:
        if (entry->uid[0] && !entry->yielded && agent_render_retains(apply->ports.mem, entry))
            start_read(apply, entry);
        else
            start_apply(apply, entry);
        break;
    case AGENT_STEP_DELETE:
        apply_start_delete(apply, entry);
        break;
    default:
        break;
    }
}

/* ---- schedule ---- */

static bool is_due(const struct agent_entry *entry, uint64_t now_ms)
{
    return !entry->busy && entry->step != AGENT_STEP_NONE && !entry->dropped &&
           entry->due_ms <= now_ms;
}

/* What failed before and is due may go, as far as the budget reaches; the rest is put off. By
 * turns: the first of the table, failing for ever, would leave nothing for the others. */
static void share_out(struct agent_apply *apply, uint64_t now_ms)
{
    size_t first = apply->turn;

    for (size_t i = 0; i < apply->table->n; i++) {
        size_t at = (first + i) % apply->table->n;
        struct agent_entry *entry = apply->table->at[at];

        if (entry->retry.attempts == 0 || entry->may_retry || !is_due(entry, now_ms))
            continue;
        entry->may_retry =
            agent_budget_take(&apply->retries, AGENT_RETRY_RATE, now_ms, &entry->due_ms);
        if (entry->may_retry)
            apply->turn = at + 1;
    }
}

/* What failed before shares with all else that failed what the API server may be asked. */
static bool may_try(struct agent_apply *apply, struct agent_entry *entry, uint64_t now_ms)
{
    if (entry->retry.attempts == 0)
        return true;
    if (!entry->may_retry)
        share_out(apply, now_ms);
    return entry->may_retry;
}

/* Later phases wait for it: due, or under way and not overly slow. */
static bool holds_phase(const struct agent_entry *entry, uint64_t now_ms)
{
    return is_due(entry, now_ms) || (entry->busy && now_ms < entry->due_ms + PATIENCE_MS);
}

/* The next time at which the entry asks for a look; UINT64_MAX for never. */
static uint64_t next_look(const struct agent_entry *entry, uint64_t now_ms)
{
    uint64_t due_ms = entry->busy ? entry->due_ms + PATIENCE_MS : entry->due_ms;

    if (!entry->busy && (entry->step == AGENT_STEP_NONE || entry->dropped))
        return UINT64_MAX;
    return due_ms > now_ms ? due_ms : UINT64_MAX;
}

/* The lowest phase that has something under way or due; PHASE_LAST when none. *next_ms: earliest
 * later time. */
static unsigned find_phase(const struct agent_apply *apply, uint64_t now_ms, uint64_t *next_ms)
{
    unsigned lowest = PHASE_LAST;

    *next_ms = UINT64_MAX;
    for (size_t i = 0; i < apply->table->n; i++) {
        const struct agent_entry *entry = apply->table->at[i];

        uint64_t look_ms = next_look(entry, now_ms);

        *next_ms = look_ms < *next_ms ? look_ms : *next_ms;
        if (holds_phase(entry, now_ms)) {
            unsigned phase = phase_of(entry);

            lowest = phase < lowest ? phase : lowest;
        }
    }
    return lowest;
}

/* Starts what fits of one phase; false when an entry could only be put off, so that the phases must
 * be looked at again. */
static bool start_phase(struct agent_apply *apply, unsigned phase, uint64_t now_ms)
{
    bool stands = true;

    for (size_t i = 0; i < apply->table->n && !apply->paused; i++) {
        struct agent_entry *entry = apply->table->at[i];

        if (apply->n_calls == AGENT_INFLIGHT_MAX)
            break;
        if (!is_due(entry, now_ms) || phase_of(entry) != phase)
            continue;
        if (!apply_waits(apply, entry) && may_try(apply, entry, now_ms))
            start(apply, entry);
        if (!entry->busy)
            stands = false;
    }
    return stands;
}

static void schedule(struct agent_apply *apply)
{
    uint64_t now_ms = apply_now(apply);
    uint64_t next_ms = apply->quiet_ms;
    unsigned phase;

    agent_timer_stop(&apply->ports, apply->timer);
    if (apply->paused)
        return;
    if (apply->round != apply->table->round) {
        apply->round = apply->table->round;
        apply_wake_all(apply);
        apply_await_tidy(apply);
    }
    if (now_ms >= apply->quiet_ms) {
        do {
            phase = find_phase(apply, now_ms, &next_ms);
        } while (phase < PHASE_LAST && !start_phase(apply, phase, now_ms) && !apply->paused);
    }
    if (next_ms != UINT64_MAX && !apply->paused)
        agent_timer_at(&apply->ports, apply->timer, next_ms);
    if (apply->n_calls == 0 && apply->was_busy) {
        apply->was_busy = false;
        apply->events.settled(apply->events.ctx);
    }
}

void agent_apply_kick(struct agent_apply *apply)
{
    if (apply->in_kick)
        return;
    apply->in_kick = true;
    schedule(apply);
    apply->in_kick = false;
}

static void on_timer(void *ctx)
{
    agent_apply_kick(ctx);
}

const struct agent_apply_counts *agent_apply_counts(const struct agent_apply *apply)
{
    return &apply->counts;
}

void agent_apply_pause(struct agent_apply *apply)
{
    apply->paused = true;
    agent_timer_stop(&apply->ports, apply->timer);
}

void agent_apply_resume(struct agent_apply *apply)
{
    uint64_t now_ms = apply_now(apply);

    apply->paused = false;
    apply_wake_all(apply);
    for (size_t i = 0; i < apply->table->n; i++) {
        struct agent_entry *entry = apply->table->at[i];

        if (entry->step != AGENT_STEP_NONE && !entry->busy &&
            (entry->state == FED_WORK_WAITING || entry->state == FED_WORK_PENDING ||
                entry->state == FED_WORK_REMOVING))
            entry->due_ms = now_ms;
    }
    agent_apply_kick(apply);
}

enum fed_err agent_apply_new(const struct agent_ports *ports, struct agent_state *state,
    struct agent_table *table, const struct agent_apply_events *events, struct agent_apply **out)
{
    struct agent_apply *apply = fed_alloc_zero(ports->mem, sizeof *apply);
    enum fed_err err;

    if (!apply)
        return FED_ERR_NOMEM;
    apply->ports = *ports;
    apply->state = state;
    apply->table = table;
    apply->events = *events;
    err = ports->loop->timer_new(ports->loop->ctx, on_timer, apply, &apply->timer);
    if (!err)
        err =
            ports->loop->timer_new(ports->loop->ctx, apply_drift_timer, apply, &apply->drift_timer);
    if (!err)
        err = ports->loop->timer_new(
            ports->loop->ctx, apply_policy_timer, apply, &apply->policy_timer);
    if (err) {
        agent_apply_free(apply);
        return err;
    }
    *out = apply;
    return FED_OK;
}

void agent_apply_free(struct agent_apply *apply)
{
    if (!apply)
        return;
    for (size_t i = 0; i < AGENT_INFLIGHT_MAX; i++) {
        struct call *call = &apply->calls[i];

        if (!call->entry)
            continue;
        apply->ports.kube->cancel(apply->ports.kube->ctx, call->kube_call);
        call->entry->busy = false;
    }
    apply_await_end(apply);
    apply->ports.loop->timer_free(apply->ports.loop->ctx, apply->timer);
    apply->ports.loop->timer_free(apply->ports.loop->ctx, apply->drift_timer);
    apply->ports.loop->timer_free(apply->ports.loop->ctx, apply->policy_timer);
    fed_alloc_free(apply->ports.mem, apply, sizeof *apply);
}
