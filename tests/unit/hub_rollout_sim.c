/* hub_rollout_sim.c - what must hold of a rollout, whatever happens; see hub_rollout_sim.h.
 *
 * Limits and gates are counted here again, from the rules as they were written and from what the
 * members said. */
#include "hub_rollout_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void sim_fail(struct sim *s, const char *what)
{
    struct hub_rollout_view view;

    hub_rollout_view(s->w.r, &view);
    fail_msg("%s: %s (phase %s, wave %zu; rules %s)", s->w.where, what,
        hub_rollout_phase_text(view.phase), view.wave, s->rules.json);
}

/* ---- what is seen after a step ---- */

struct seen {
    size_t all, total, updating, healthy, failed, forgiven, open, proven, released;
};

static void look_at(struct sim *s, size_t i, struct seen *waves)
{
    struct world_cluster *c = &s->w.at[i];
    struct sim_cluster *mine = &s->clusters[i];
    struct hub_rollout_cluster_view view;
    struct seen *wave;

    if (world_view(&s->w, c->name, &view))
        sim_fail(s, "a cluster is lost");
    wave = &waves[view.wave];
    wave->all++;
    wave->total += view.state != HUB_ROLLOUT_DEFERRED;
    wave->updating += view.state == HUB_ROLLOUT_RELEASED || view.state == HUB_ROLLOUT_APPLIED;
    wave->open += view.state == HUB_ROLLOUT_PENDING;
    wave->healthy += view.state == HUB_ROLLOUT_HEALTHY;
    wave->failed += view.state == HUB_ROLLOUT_FAILED;
    if (view.state != HUB_ROLLOUT_FAILED)
        mine->forgiven = false;
    wave->forgiven += mine->forgiven;
    if (view.state == HUB_ROLLOUT_HEALTHY && mine->good_ms &&
        s->w.now.mono_ms - mine->good_ms >= (uint64_t)s->rules.waves[view.wave].soak_s * 1000)
        wave->proven++;
    if (c->answer == s->to && mine->before != s->to && s->phase != HUB_ROLLOUT_NONE) {
        const struct sim_wave *rules = &s->rules.waves[view.wave];
        int64_t hour = s->w.now.unix_ms / 3600000 % 24;

        wave->released++;
        if (!c->in)
            sim_fail(s, "somebody out of reach got its turn");
        if (c->held)
            sim_fail(s, "somebody whose changes wait got its turn");
        if ((rules->from_h || rules->to_h) && (hour < rules->from_h || hour >= rules->to_h))
            sim_fail(s, "somebody got its turn outside its window");
    }
}

static size_t up(const struct sim_share *share, size_t total)
{
    if (!share->given)
        return SIZE_MAX;
    return share->percent ? (total * share->value + 99) / 100 : share->value;
}

static size_t down(const struct sim_share *share, size_t total)
{
    if (!share->given)
        return SIZE_MAX;
    return share->percent ? total * share->value / 100 : share->value;
}

static bool is_active(enum hub_rollout_phase phase)
{
    return phase == HUB_ROLLOUT_RUNNING || phase == HUB_ROLLOUT_SOAKING ||
           phase == HUB_ROLLOUT_AWAITING_APPROVAL;
}

/* ---- limits ---- */

static void check_limits(struct sim *s, const struct seen *waves, enum hub_rollout_phase phase)
{
    size_t total = 0;
    size_t failed = 0;
    size_t released = 0;

    for (size_t i = 0; i < s->rules.n_waves; i++) {
        const struct seen *wave = &waves[i];
        size_t failures = wave->failed - wave->forgiven;

        total += wave->total;
        failed += failures;
        released += wave->released;
        if (wave->released && wave->updating > up(&s->rules.waves[i].concurrency, wave->total))
            sim_fail(s, "more are updated at once than maxConcurrency");
        if (is_active(phase) && failures > down(&s->rules.waves[i].failures, wave->total))
            sim_fail(s, "more failed than a wave's maxFailures, and it goes on");
    }
    if (is_active(phase) && failed > down(&s->rules.failures, total))
        sim_fail(s, "more failed than maxFailures, and it goes on");
    if (released && !is_active(phase) && phase != HUB_ROLLOUT_COMPLETE)
        sim_fail(s, "somebody got its turn, and it neither runs nor is complete");
    if (released && !is_active(s->phase) && s->phase != HUB_ROLLOUT_COMPLETE)
        sim_fail(s, "somebody got its turn out of a pause");
}

/* ---- gates ---- */

static void check_gate(struct sim *s, const struct seen *waves, size_t wave)
{
    const struct seen *seen = &waves[wave];
    size_t proven = seen->proven;

    if (seen->updating || seen->open)
        sim_fail(s, "a wave opened before the one before it was through");
    if (seen->all == 0) {
        proven = 0;
        for (size_t i = 0; i <= wave; i++)
            proven += waves[i].healthy;
    }
    if (proven < s->rules.min_reported)
        sim_fail(s, "a wave opened on less proof than minReported, or less soak");
    if (s->rules.waves[wave].approval && !s->rules.waves[wave].approved)
        sim_fail(s, "a wave opened without approval");
}

static void check_gates(
    struct sim *s, const struct seen *waves, const struct hub_rollout_view *view)
{
    for (size_t i = 0; i < view->n_waves; i++) {
        struct hub_rollout_wave_view wave;

        hub_rollout_wave_view(s->w.r, i, &wave);
        if (i > 0 && wave.start_unix_s && !s->wave_start[i] && view->start_unix_s)
            check_gate(s, waves, i - 1);
        s->wave_start[i] = wave.start_unix_s;
        if (waves[i].released && !wave.start_unix_s && view->phase != HUB_ROLLOUT_COMPLETE)
            sim_fail(s, "somebody got its turn before its wave");
        if (wave.counts.total != waves[i].total || wave.counts.healthy != waves[i].healthy ||
            wave.counts.failed != waves[i].failed)
            sim_fail(s, "a wave's counts are not those of its clusters");
    }
}

/* ---- roll back ---- */

static void check_return(struct sim *s)
{
    for (size_t i = 0; i < s->w.n; i++) {
        const struct world_cluster *c = &s->w.at[i];
        const struct sim_cluster *mine = &s->clusters[i];

        if (!c->member)
            continue;
        if (mine->touched && c->answer != s->from)
            sim_fail(s, "a touched cluster was not rolled back");
        if (!mine->touched && c->answer != mine->before)
            sim_fail(s, "a cluster that was not touched was rolled back");
    }
}

static void check_returned(struct sim *s)
{
    for (size_t i = 0; i < s->w.n; i++) {
        const struct world_cluster *c = &s->w.at[i];
        struct hub_rollout_cluster_view view;

        if (c->member && c->in && !c->kept && !world_view(&s->w, c->name, &view) &&
            view.state == HUB_ROLLOUT_RETURNING)
            sim_fail(s, "it is rolled back, and somebody in reach has not confirmed");
    }
}

/* ---- all ---- */

static void note_touched(struct sim *s)
{
    for (size_t i = 0; i < s->w.n; i++) {
        const struct world_cluster *c = &s->w.at[i];
        struct sim_cluster *mine = &s->clusters[i];

        if (!c->member || c->answer == mine->before)
            continue;
        mine->good_ms = 0;
        mine->due_ms = 0;
        mine->stage = 0;
        if (c->answer == s->to)
            mine->touched = s->to != s->from;
        else if (s->phase != HUB_ROLLOUT_ROLLING_BACK && c->answer == s->from)
            mine->touched = false; /* it lost its turn, out of reach */
    }
}

void sim_check_waits(struct sim *s)
{
    struct hub_rollout_view view;

    hub_rollout_view(s->w.r, &view);
    if (view.phase == HUB_ROLLOUT_NONE || hub_rollout_phase_is_end(view.phase))
        return;
    if (!view.next.what[0] || !view.next.waits_for[0])
        sim_fail(s, "it does not say what it waits for");
    if (view.next.when_unix_s && view.next.when_unix_s < s->w.now.unix_ms / 1000 - 1)
        sim_fail(s, "what is next was to be in the past");
}

static void check_step(struct sim *s)
{
    struct seen waves[SIM_WAVES_MAX] = {{0}};
    struct hub_rollout_view view;

    hub_rollout_view(s->w.r, &view);
    for (size_t i = 0; i < s->w.n; i++)
        if (s->w.at[i].member)
            look_at(s, i, waves);
    if (view.phase != HUB_ROLLOUT_NONE) {
        check_limits(s, waves, view.phase);
        check_gates(s, waves, &view);
    }
    if (s->phase != HUB_ROLLOUT_ROLLING_BACK && s->phase != HUB_ROLLOUT_ROLLED_BACK &&
        (view.phase == HUB_ROLLOUT_ROLLING_BACK || view.phase == HUB_ROLLOUT_ROLLED_BACK))
        check_return(s);
    else if (view.phase != HUB_ROLLOUT_ROLLING_BACK && view.phase != HUB_ROLLOUT_ROLLED_BACK)
        note_touched(s);
    if (view.phase == HUB_ROLLOUT_ROLLED_BACK && s->phase == HUB_ROLLOUT_ROLLING_BACK)
        check_returned(s);
    for (size_t i = 0; i < s->w.n; i++) {
        if (s->w.at[i].answer != s->clusters[i].before || s->w.at[i].tries != s->clusters[i].tries)
            s->clusters[i].good_ms = s->clusters[i].due_ms = s->clusters[i].stage = 0;
        s->clusters[i].before = s->w.at[i].answer;
        s->clusters[i].tries = s->w.at[i].tries;
    }
    s->phase = view.phase;
    sim_check_waits(s);
}

/* As the hub's clock sees it. */
static void end_holds(struct sim *s)
{
    for (size_t i = 0; i < s->w.n; i++) {
        struct world_cluster *c = &s->w.at[i];

        if (!c->member || !c->held || !c->held_until_s || s->w.now.unix_ms < c->held_until_s * 1000)
            continue;
        c->held = false;
        world_hold(&s->w, c);
    }
}

void sim_step(struct sim *s)
{
    end_holds(s);
    world_step(&s->w);
    check_step(s);
}

/* A new change has begun: what is touched is counted from its `from`. */
void sim_check_begin(struct sim *s)
{
    const struct fed_digest *from = hub_rollout_from(s->w.r);
    bool everywhere = true;

    s->from = from ? world_letter(from) : '-';
    s->to = world_letter(hub_rollout_to(s->w.r));
    s->phase = HUB_ROLLOUT_RUNNING;
    memset(s->wave_start, 0, sizeof s->wave_start);
    for (size_t i = 0; i < s->w.n; i++) {
        s->clusters[i].touched = s->clusters[i].touched && s->clusters[i].before != s->from;
        s->clusters[i].forgiven = false;
        everywhere = everywhere && (!s->w.at[i].member || s->clusters[i].before == s->to);
    }
    for (size_t i = 0; everywhere && i < SIM_WAVES_MAX; i++)
        s->wave_start[i] = 1; /* complete at once: there is nothing to prove */
    check_step(s);
}
