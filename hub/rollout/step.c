/* step.c - what is known goes into the engines, and what they decide is written and done. */
#include "hub/rollout/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- when ---- */

void rollout_wake(struct hub_rollouts *r, uint64_t due_ms)
{
    if (r->timer_ms <= due_ms)
        return;
    r->timer_ms = due_ms;
    r->o.loop->timer_set(r->o.loop->ctx, r->timer, due_ms);
}

/* Steps of one rollout keep their distance, however much is reported. */
void rollout_due(struct hub_rollouts *r, struct rollout_subject *s, uint64_t in_ms)
{
    uint64_t due_ms = fed_loop_now_ms(r->o.loop) + in_ms;

    if (s->stepped_ms && due_ms < s->stepped_ms + ROLLOUT_STEP_MS)
        due_ms = s->stepped_ms + ROLLOUT_STEP_MS;
    if (!s->due || due_ms < s->due_ms)
        s->due_ms = due_ms;
    s->due = true;
    if (r->plan)
        rollout_wake(r, s->due_ms);
}

/* ---- what is decided ---- */

struct regating {
    struct fed_arena *arena;
    struct fed_span *list;
    size_t n, cap;
    bool failed;
};

static void regate_change(void *ctx, const struct hub_rollout_change *change)
{
    struct regating *g = ctx;
    struct fed_span *list;

    if (!change->answer || g->failed)
        return;
    list = fed_alloc_more(&g->arena->alloc, g->list, g->n, &g->cap, sizeof *list, 64);
    g->failed = !list;
    if (g->failed)
        return;
    g->list = list;
    g->list[g->n++] = change->cluster;
}

static void regate_all(struct hub_rollouts *r, struct rollout_subject *s)
{
    if (!s->regate_all || !r->plan)
        return;
    s->regate_all = hub_plan_regate(r->plan, &s->ref, NULL, 0) == FED_ERR_NOMEM;
    if (s->regate_all)
        rollout_due(r, s, ROLLOUT_RETRY_MS);
}

/* Those with another answer are asked for again; all of them where that cannot be said. */
static void regate(struct hub_rollouts *r, struct rollout_subject *s, struct fed_arena *arena)
{
    struct regating g = {.arena = arena};
    enum fed_err err = FED_OK;

    if (!r->plan)
        return;
    hub_rollout_each_changed(s->engine, regate_change, &g);
    if (!g.failed && g.n > 0)
        err = hub_plan_regate(r->plan, &s->ref, g.list, g.n);
    if (g.failed || err) {
        s->regate_all = true;
        regate_all(r, s);
    }
}

struct changes {
    size_t n;
};

static void count_change(void *ctx, const struct hub_rollout_change *change)
{
    struct changes *changes = ctx;

    (void)change;
    changes->n++;
}

/* The Rollout as it is to be; *moved: whether it says anything new. */
static enum fed_err compose(struct hub_rollouts *r, struct rollout_subject *s,
    struct fed_json_doc *doc, struct fed_json **out, uint64_t *revision, bool *moved)
{
    const struct fed_json *before;
    struct fed_json *object;
    enum fed_err err = rollout_record_load(r, s, s->present, doc, &object, revision);

    if (err)
        return err;
    if (fed_json_int(fed_json_find(object, "status.step"), 0) != s->present->steps)
        return FED_ERR_CONFLICT;
    before = fed_json_clone(doc, fed_json_get(object, "status"));
    err = before ? rollout_compose(r, s, doc, object) : FED_ERR_NOMEM;
    if (err)
        return err;
    *moved = !fed_json_eq(before, fed_json_get(object, "status"));
    *out = object;
    return FED_OK;
}

static enum fed_err put_step(
    struct rollout_subject *s, struct fed_json_doc *doc, struct fed_json *object)
{
    s->present->steps++;
    return fed_json_set_int(doc, fed_json_get(object, "status"), "step", s->present->steps);
}

/* Stages what the last step changed: the Rollout, the record, the rows. */
enum fed_err rollout_write(
    struct hub_rollouts *r, struct rollout_subject *s, bool acted, struct fed_diag *diag)
{
    struct hub_object_ref ref = rollout_paper_ref(s, s->present);
    struct changes changes = {0};
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct rollout_ops ops;
    uint64_t revision;
    bool moved = false;
    enum fed_err err = fed_json_doc_new(r->mem, &doc);

    if (err)
        return err;
    rollout_ops_init(&ops, r->mem);
    err = compose(r, s, doc, &object, &revision, &moved);
    hub_rollout_each_changed(s->engine, count_change, &changes);
    if (!err && s->respec)
        err = rollout_record_spec(s, s->present, s->rules, doc, object);
    if (!err && (moved || acted || changes.n > 0 || hub_rollout_record_changed(s->engine))) {
        err = put_step(s, doc, object);
        if (!err) {
            rollout_ops_write(&ops, &ref, object, revision);
            rollout_rows_put(r, s, &ops);
            err = rollout_ops_stage(r, s, &ops, diag);
        }
        if (!err)
            regate(r, s, &ops.arena);
        r->n_written += changes.n;
        s->respec = s->respec && err;
    } else if (!err && !s->unsettled) {
        hub_rollout_kept(s->engine); /* who left without a row does not count in the next step */
    }
    rollout_ops_fini(&ops);
    fed_json_doc_free(doc);
    return err;
}

/* ---- a step ---- */

static void tell_phase(
    struct hub_rollouts *r, struct rollout_subject *s, const struct hub_rollout_view *view)
{
    bool bad = view->phase == HUB_ROLLOUT_ROLLING_BACK || view->phase == HUB_ROLLOUT_ROLLED_BACK ||
               (view->phase == HUB_ROLLOUT_PAUSED && view->failed);
    char reason[48];

    snprintf(reason, sizeof reason, "Rollout%s", hub_rollout_phase_text(view->phase));
    rollout_tell(r, s, s->present, bad, reason,
        "rollout %s: %zu of %zu clusters updated, %zu failed, %zu deferred%s%s%s%s%s",
        s->present->name, view->counts.updated, view->counts.total + view->counts.deferred,
        view->counts.failed, view->counts.deferred, view->next.what[0] ? "; next: " : "",
        view->next.what, view->next.waits_for[0] ? " (" : "", view->next.waits_for,
        view->next.waits_for[0] ? ")" : "");
}

static void tell(struct hub_rollouts *r, struct rollout_subject *s)
{
    struct hub_rollout_view view;
    struct hub_rollout_wave_view wave;

    hub_rollout_view(s->engine, &view);
    if (s->told && s->told_phase != view.phase)
        tell_phase(r, s, &view);
    if (s->told && s->told_wave != view.wave && view.wave < view.n_waves &&
        !hub_rollout_phase_is_end(view.phase)) {
        hub_rollout_wave_view(s->engine, view.wave, &wave);
        rollout_tell(r, s, s->present, false, "RolloutWaveOpened",
            "rollout %s: wave " FED_SPAN_FMT " opened, %zu clusters", s->present->name,
            FED_SPAN_ARG(wave.name), wave.counts.total + wave.counts.deferred);
    }
    s->told = true;
    s->told_phase = view.phase;
    s->told_wave = view.wave;
    s->present->ended = hub_rollout_phase_is_end(view.phase);
}

/* Most of what is said of clusters is no news. */
static bool is_worth_while(const struct hub_rollouts *r, const struct rollout_subject *s)
{
    return hub_rollout_due(s->engine) || s->respec || s->waiting || !s->told ||
           hub_rollout_wake_ms(s->engine) <= fed_loop_now_ms(r->o.loop);
}

/* What is news to an engine that rests is told to it in the next turn, when it has its clusters. */
static enum fed_err step_rest(
    struct hub_rollouts *r, struct rollout_subject *s, struct fed_diag *diag)
{
    bool news = false;
    enum fed_err err = rollout_sync_rest(r, s, &news);

    if (!err && news)
        err = rollout_rouse(r, s, diag);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

static enum fed_err step(struct hub_rollouts *r, struct rollout_subject *s, struct fed_diag *diag)
{
    bool all;
    enum fed_err err;

    if (hub_rollout_rests(s->engine))
        return step_rest(r, s, diag);
    err = rollout_sync(r, s, &all);
    if (err == FED_ERR_NOT_FOUND || (!err && !is_worth_while(r, s))) {
        s->looked = false;
        return FED_OK;
    }
    s->looked = !err && all && !s->looked;
    if (s->looked) { /* both in one turn would take too long */
        s->stepped_ms = 0;
        return FED_OK;
    }
    if (!err)
        err = hub_rollout_step(s->engine, rollout_now(r));
    if (!err)
        err = rollout_write(r, s, false, diag);
    if (!err && s->resync) /* that waited for the end of a step that was cut */
        rollout_due(r, s, 0);
    if (!err)
        tell(r, s);
    if (!err && s->waiting && s->present->ended)
        (void)rollout_begin_waiting(r, s);
    return err;
}

/* The engine decided something that is not even staged. */
static bool is_ahead(const struct rollout_subject *s)
{
    struct changes changes = {0};

    hub_rollout_each_changed(s->engine, count_change, &changes);
    return !s->unsettled && (changes.n > 0 || hub_rollout_record_changed(s->engine));
}

/* What waits for a policy waits for nothing else; its paper says why. */
static void look_at(struct hub_rollouts *r, struct rollout_subject *s)
{
    struct fed_diag diag = {""};
    uint64_t wake_ms;
    enum fed_err err;

    s->due = false;
    if (s->going || !s->engine || !s->present)
        return;
    s->stepped_ms = fed_loop_now_ms(r->o.loop);
    err = step(r, s, &diag);
    if (err == FED_ERR_CONFLICT) {
        fed_log(r->log, FED_LOG_WARN, "rollouts: %s was stepped by another hub: read again",
            s->present->name);
        s->broken = r->broken = true;
        rollout_due(r, s, 0);
        return;
    } else if (err) {
        fed_log(r->log, FED_LOG_ERROR, "rollouts: %s: %s; next try in %u s", s->present->name,
            diag.text[0] ? diag.text : fed_err_text(err), ROLLOUT_RETRY_MS / 1000u);
        if (err != FED_ERR_NOMEM || is_ahead(s))
            s->broken = r->broken = true;
        rollout_due(r, s, ROLLOUT_RETRY_MS);
        return;
    }
    if (s->engine && !s->governed && !s->unsettled && rollout_is_over(s))
        rollout_release_over(r, s);
    if (!s->engine)
        return;
    wake_ms = hub_rollout_wake_ms(s->engine);
    if (hub_rollout_is_cut(s->engine))
        s->stepped_ms = 0; /* it goes on at once, when this is durable */
    if (hub_rollout_due(s->engine) || s->looked)
        rollout_due(r, s, 0);
    else if (wake_ms != UINT64_MAX)
        rollout_due(r, s, wake_ms > s->stepped_ms ? wake_ms - s->stepped_ms : 0);
    rollout_rest(r, s);
}

/* ---- after a failure ---- */

struct rereading {
    struct hub_rollouts *r;
    struct rollout_subject *s;
    enum fed_err err;
};

static bool reread(void *ctx, const struct hub_object *object)
{
    struct rereading *reading = ctx;

    reading->err = rollout_record_take(reading->r, reading->s, object);
    return !reading->err;
}

/* In the turn that failed it may have been another object of that name. */
static enum fed_err reread_uid(
    struct hub_rollouts *r, struct rollout_subject *s, struct fed_span bytes)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    enum fed_err err = fed_json_doc_new(r->mem, &doc);

    if (err)
        return err;
    err = fed_json_parse(doc, bytes, &object, NULL);
    if (!err)
        err = fed_span_to_cstr(
            fed_json_string(fed_json_find(object, "metadata.uid")), s->uid, sizeof s->uid);
    fed_json_doc_free(doc);
    return err;
}

/* Object and Rollouts as they are stored. FED_ERR_NOT_FOUND: there is no object. */
static enum fed_err read_again(
    struct hub_rollouts *r, struct rollout_subject *s, struct fed_buf *bytes)
{
    struct rereading reading = {.r = r, .s = s};
    enum fed_err err = hub_objects_get(r->objects, &s->ref, bytes, NULL);

    if (!err)
        err = reread_uid(r, s, fed_buf_span(bytes));
    s->broken = false;
    if (!err) {
        err = hub_objects_list(
            r->objects, FED_SPAN_LIT(HUB_ROLLOUTS), s->ref.ns, NULL, reread, &reading);
        err = err ? err : reading.err;
    }
    if (!err)
        rollout_check_records(r, s);
    return err;
}

/* Its memory is what is stored. Answers may be others than before: the plan asks for all. */
static void recover(struct hub_rollouts *r, struct rollout_subject *s)
{
    static const struct rollout_governor nobody;
    struct fed_buf bytes;
    bool governed;
    enum fed_err err;

    rollout_subject_clear(r, s);
    s->unsettled = false;
    s->content = (struct rollout_version){0};
    fed_buf_init(&bytes, r->mem, HUB_OBJECT_BYTES_MAX);
    err = read_again(r, s, &bytes);
    if (!err && !s->broken) {
        rollout_trouble_over(r, s);
        err = rollout_taken(r, &s->ref, fed_buf_span(&bytes), HUB_GATE_UNDONE, &governed);
    }
    fed_buf_fini(&bytes);
    if (err == FED_ERR_NOT_FOUND)
        rollout_subject_govern(r, s, &nobody); /* its write did not become durable */
    else if (err)
        fed_log(r->log, FED_LOG_ERROR,
            "rollouts: " FED_SPAN_FMT "/" FED_SPAN_FMT
            " cannot be read again: %s; next try in %u s",
            FED_SPAN_ARG(s->ref.ns), FED_SPAN_ARG(s->ref.name), fed_err_text(err),
            ROLLOUT_RETRY_MS / 1000u);
    if (s->broken || (err && err != FED_ERR_NOT_FOUND))
        rollout_again_later(r, s);
    s->regate_all = true;
    if (!s->broken && r->plan)
        err = hub_plan_govern(r->plan, &s->ref, rollout_decides(s));
    r->recheck = r->recheck || s->recheck;
    s->acted = s->engine != NULL; /* there may be one that did not take effect */
    r->acted = r->acted || s->acted;
    rollout_due(r, s, s->broken ? ROLLOUT_RETRY_MS : 0);
}

void rollout_break(struct hub_rollouts *r, struct rollout_subject *s)
{
    s->broken = r->broken = true;
    s->again_ms = 0;
    rollout_wake(r, fed_loop_now_ms(r->o.loop));
}

void rollout_look_soon(struct hub_rollouts *r)
{
    r->recheck = true;
    rollout_wake(r, fed_loop_now_ms(r->o.loop));
}

static void recover_all(struct hub_rollouts *r)
{
    struct fed_map_iter it;

    r->broken = false;
    fed_map_iter_init(&it, &r->subjects);
    while (fed_map_iter_next(&it)) {
        struct rollout_subject *s = it.value;

        if (s->broken && (s->unsettled || s->again_ms > fed_loop_now_ms(r->o.loop)))
            r->broken = true; /* first what is staged of it; or it is not time yet */
        else if (s->broken)
            recover(r, s);
        if (!rollout_decides(s) && !s->papers)
            rollout_subject_free(r, s);
    }
}

/* Changes that came while what is stored was not known; and objects whose kind became a federated
 * one, which no cluster has. */
void rollout_recheck_all(struct hub_rollouts *r)
{
    struct fed_map_iter it;

    r->recheck = false;
    fed_map_iter_init(&it, &r->subjects);
    while (fed_map_iter_next(&it)) {
        struct rollout_subject *s = it.value;

        if (!s->recheck || s->broken)
            continue;
        s->recheck = false;
        if (!s->going && (s->governed || s->engine) && rollout_recheck(r, s))
            rollout_break(r, s);
    }
}

/* ---- the timer ---- */

/* When it is due next. */
static uint64_t step_one(struct hub_rollouts *r, struct rollout_subject *s, uint64_t now_ms)
{
    if (s->unsettled || s->broken)
        return UINT64_MAX; /* settling makes it due again */
    if (s->regate_all) {   /* facts are of answers that may be no more: first the plan asks */
        regate_all(r, s);
        rollout_due(r, s, ROLLOUT_STEP_MS);
        if (s->due_ms <= now_ms)
            s->due_ms = now_ms + ROLLOUT_STEP_MS;
    }
    if (s->due && s->due_ms <= now_ms)
        look_at(r, s);
    return s->due ? s->due_ms : UINT64_MAX;
}

/* The loop's time stands still in a callback. */
static bool is_turn_over(const struct hub_rollouts *r, uint64_t began_us)
{
    return r->n_written >= ROLLOUT_TURN_CLUSTERS ||
           fed_loop_clock_us(r->o.loop) >= began_us + ROLLOUT_TURN_MS * 1000;
}

struct turn {
    uint64_t now_ms;
    uint64_t began_us; /* by the clock */
    uint64_t next_ms;  /* when the next one is due */
    bool over;
};

static void turn_to(struct hub_rollouts *r, struct turn *turn, struct rollout_subject *s, size_t at)
{
    uint64_t due_ms = s->due && !s->unsettled && !s->broken ? s->due_ms : UINT64_MAX;

    if (!turn->over) {
        due_ms = step_one(r, s, turn->now_ms);
        turn->over = is_turn_over(r, turn->began_us);
        r->next_slice = turn->over ? at + 1 : 0;
    }
    turn->next_ms = due_ms < turn->next_ms ? due_ms : turn->next_ms;
}

/* As far as the turn goes; the next one goes on behind it, so that nobody is left out. */
static void step_all(struct hub_rollouts *r, uint64_t now_ms)
{
    struct turn turn = {
        .now_ms = now_ms, .began_us = fed_loop_clock_us(r->o.loop), .next_ms = UINT64_MAX};
    size_t first = r->next_slice < r->subjects.count ? r->next_slice : 0;

    for (int half = 0; half < 2; half++) {
        struct fed_map_iter it;

        fed_map_iter_init(&it, &r->subjects);
        for (size_t at = 0; fed_map_iter_next(&it); at++)
            if ((at < first) == (half == 1))
                turn_to(r, &turn, it.value, at);
    }
    if (turn.next_ms != UINT64_MAX)
        rollout_wake(r, turn.next_ms);
}

void rollout_timer(void *ctx)
{
    struct hub_rollouts *r = ctx;

    r->timer_ms = UINT64_MAX;
    if (!r->plan)
        return;
    if (r->broken) {
        (void)hub_objects_flush(r->objects, NULL); /* reading would, in the midst of it */
        recover_all(r);
    }
    if (r->recheck)
        rollout_recheck_all(r);
    rollout_policies_retry(r);
    if (r->broken)
        rollout_wake(r, fed_loop_now_ms(r->o.loop) + ROLLOUT_RETRY_MS);
    r->n_written = rollout_sweep(r);
    step_all(r, fed_loop_now_ms(r->o.loop));
    rollout_events_record(r);
    if (r->flush)
        (void)hub_objects_flush(r->objects, NULL);
    r->flush = false;
}
