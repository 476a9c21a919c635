/* hub_rollout_property_test.c - random fleets, rules, illnesses, people and restarts; what must
 * hold is in hub_rollout_sim.c.
 *
 * SEEDS=N runs N fleets (default: as many as 16 seconds allow, and at most FLEETS) from FROM (1)
 * on, SEED=N just that one with its events. Every 64th fleet is large (up to 10,000 clusters). */
#include "hub_rollout_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define SECONDS 16
#define FLEETS 1500ul /* what only a fast machine would meet does not decide */
#define SETTLE_HOURS 240u

unsigned sim_below(struct sim *s, unsigned n)
{
    s->seed ^= s->seed << 13;
    s->seed ^= s->seed >> 7;
    s->seed ^= s->seed << 17;
    return (unsigned)((s->seed >> 16) % n);
}

bool sim_chance(struct sim *s, unsigned percent)
{
    return sim_below(s, 100) < percent;
}

#define TRACE(s, ...)                                                                              \
    do {                                                                                           \
        if ((s)->trace) {                                                                          \
            fprintf(stderr, "%8.1f ", (double)(s)->w.now.mono_ms / 1000);                          \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
        }                                                                                          \
    } while (0)

/* ---- rules ---- */

static void put(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct sim *s, const char *format, ...)
{
    size_t len = strlen(s->rules.json);
    va_list args;

    va_start(args, format);
    vsnprintf(s->rules.json + len, sizeof s->rules.json - len, format, args);
    va_end(args);
}

static struct sim_share share(struct sim *s, const char *name, unsigned least)
{
    struct sim_share one = {true, sim_chance(s, 50), 0};

    one.value = one.percent ? 1 + sim_below(s, 100) : least + sim_below(s, 8);
    put(s, ",'%s':%s%u%s", name, one.percent ? "'" : "", one.value, one.percent ? "%'" : "");
    return one;
}

static void wave_clusters(struct sim *s)
{
    unsigned kind = sim_below(s, 3);

    if (kind == 0)
        put(s, "{'names':['c%u','c%u']}", sim_below(s, 10), 10 + sim_below(s, 10));
    else if (kind == 1)
        put(s, "{'selector':{'matchLabels':{'k':'%u'}}}", sim_below(s, 3));
    else
        put(s, "{'size':'%u%%'}", 1 + sim_below(s, 60));
}

static void wave(struct sim *s, size_t index)
{
    struct sim_wave *one = &s->rules.waves[index];

    put(s, "%s{'name':'w%zu','clusters':", index ? "," : "", index);
    wave_clusters(s);
    if (sim_chance(s, 50)) {
        one->soak_s = 1 + sim_below(s, 3600);
        put(s, ",'soak':'%us'", one->soak_s);
    }
    if (sim_chance(s, 60))
        one->concurrency = share(s, "maxConcurrency", 1);
    if (sim_chance(s, 40))
        one->failures = share(s, "maxFailures", 0);
    if (sim_chance(s, 15)) {
        one->from_h = (int)sim_below(s, 20);
        one->to_h = one->from_h + 1 + (int)sim_below(s, 4);
        put(s, ",'windows':[{'from':'%02d:00','to':'%02d:00'}]", one->from_h, one->to_h);
    }
    one->approval = sim_chance(s, 20);
    put(s, "%s}", one->approval ? ",'approval':'Required'" : "");
}

void sim_rules(struct sim *s)
{
    size_t n = sim_below(s, SIM_WAVES_MAX);

    memset(&s->rules, 0, sizeof s->rules);
    s->rules.n_waves = n + 1;
    put(s, "{'waves':[");
    for (size_t i = 0; i < n; i++)
        wave(s, i);
    put(s, "]");
    s->rules.failures = (struct sim_share){.given = true};
    if (sim_chance(s, 70))
        s->rules.failures = share(s, "maxFailures", 0);
    s->rules.deadline_s = 60 + sim_below(s, 1800);
    s->rules.rollback = sim_chance(s, 50);
    s->rules.hold = sim_chance(s, 20);
    s->rules.min_reported = sim_chance(s, 70) ? 1 : 1 + sim_below(s, 3);
    put(s,
        ",'progressDeadline':'%us','onFailure':'%s','offline':{'after':'%us','then':'%s'},"
        "'minReported':%u}",
        s->rules.deadline_s, s->rules.rollback ? "Rollback" : "Pause", 60 + sim_below(s, 1200),
        s->rules.hold ? "Hold" : "Defer", s->rules.min_reported);
    world_rules(&s->w, s->rules.json);
}

/* ---- members ---- */

static void say(struct sim *s, size_t i, enum hub_rollout_copy copy, enum hub_rollout_health health)
{
    struct world_cluster *c = &s->w.at[i];

    c->copy = copy;
    c->health = health;
    c->has = c->answer;
    snprintf(c->reason, sizeof c->reason, "%s",
        copy == HUB_ROLLOUT_COPY_FAILED    ? "ApplyFailed"
        : health == HUB_ROLLOUT_HEALTH_BAD ? "Unhealthy"
                                           : "");
    if (copy != HUB_ROLLOUT_COPY_APPLIED || health == HUB_ROLLOUT_HEALTH_BAD)
        s->clusters[i].good_ms = 0;
    else if (!s->clusters[i].good_ms)
        s->clusters[i].good_ms = s->w.now.mono_ms;
    world_reach(&s->w, c); /* whoever is looked at is looked at whole */
    world_note(&s->w, c);
}

/* What a version does to a cluster: 0 well, 1 slow, 2 ill for long, 3 refused, 4 silent. */
static unsigned illness_of(struct sim *s, char version)
{
    unsigned bad = version >= 'A' && version <= 'Z' ? s->quality[version - 'A'] : 0;

    return sim_chance(s, bad) ? 2 + sim_below(s, 3) : sim_below(s, 2);
}

static void next_word(struct sim *s, size_t i)
{
    struct sim_cluster *mine = &s->clusters[i];

    mine->stage++;
    mine->due_ms = s->w.now.mono_ms + 1000 * (1 + sim_below(s, mine->illness == 0 ? 20 : 600));
    if (mine->stage == 1) {
        mine->illness = illness_of(s, s->w.at[i].answer);
    } else if (mine->illness == 4) {
        mine->due_ms = UINT64_MAX;
    } else if (mine->stage == 2) {
        say(s, i, HUB_ROLLOUT_COPY_TAKEN, HUB_ROLLOUT_HEALTH_UNKNOWN);
    } else if (mine->stage == 3 && mine->illness == 3) {
        say(s, i, HUB_ROLLOUT_COPY_FAILED, HUB_ROLLOUT_HEALTH_UNKNOWN);
    } else if (mine->stage == 3) {
        say(s, i, HUB_ROLLOUT_COPY_APPLIED, HUB_ROLLOUT_HEALTH_BAD);
        mine->due_ms += mine->illness == 2 ? 3600000 : 0;
    } else if (mine->stage == 4) {
        say(s, i, HUB_ROLLOUT_COPY_APPLIED, HUB_ROLLOUT_HEALTH_GOOD);
        mine->due_ms = UINT64_MAX;
    }
}

static void members(struct sim *s)
{
    for (size_t i = 0; i < s->w.n; i++)
        if (s->w.at[i].member && s->w.at[i].in && !s->w.at[i].kept &&
            s->clusters[i].due_ms <= s->w.now.mono_ms)
            next_word(s, i);
}

static void fall_ill(struct sim *s, size_t i)
{
    if (!s->w.at[i].member || !s->w.at[i].in || s->w.at[i].copy != HUB_ROLLOUT_COPY_APPLIED)
        return;
    TRACE(s, "%s falls ill", s->w.at[i].name);
    say(s, i, HUB_ROLLOUT_COPY_APPLIED, HUB_ROLLOUT_HEALTH_BAD);
    s->clusters[i].stage = 3;
    s->clusters[i].due_ms = s->w.now.mono_ms + 1000 * (1 + sim_below(s, 3000));
}

static void set_reach(struct sim *s, size_t i, bool in)
{
    struct world_cluster *c = &s->w.at[i];
    struct fed_span moved;

    if (c->in == in || !c->member)
        return;
    TRACE(s, "%s is %s reach", c->name, in ? "in" : "out of");
    c->in = in;
    c->out_since_ms = s->w.now.unix_ms;
    if (!hub_rollout_moved(s->w.r, fed_span_text(c->name), true))
        return; /* it does not matter, and nobody tells it */
    if (!hub_rollout_next_moved(s->w.r, &moved) || !fed_span_is(moved, c->name))
        sim_fail(s, "what moved is not noted");
    world_reach(&s->w, c);
}

static void set_hold(struct sim *s, size_t i, bool held)
{
    static const int64_t ends_s[] = {0, 1800, 7200, 172800};
    struct world_cluster *c = &s->w.at[i];
    int64_t in_s = ends_s[sim_below(s, 4)];

    if ((c->held == held && !held) || !c->member)
        return;
    TRACE(s, "changes of %s %s", c->name, held ? "wait" : "wait no longer");
    c->held = held;
    c->held_until_s = held && in_s ? s->w.now.unix_ms / 1000 + in_s : 0;
    world_hold(&s->w, c);
}

/* ---- events ---- */

static void label(struct sim *s, char labels[32])
{
    snprintf(labels, 32, "{\"k\":\"%u\"}", sim_below(s, 4));
}

static void join(struct sim *s)
{
    char name[32];
    char labels[32];
    size_t i = s->w.n;

    if (s->w.n == WORLD_CLUSTERS_MAX)
        return;
    snprintf(name, sizeof name, "c%zu", s->w.n);
    label(s, labels);
    TRACE(s, "%s joins %s", name, labels);
    memset(&s->clusters[i], 0, sizeof *s->clusters);
    s->clusters[i].before = world_add(&s->w, name, labels)->answer;
}

static void change_label(struct sim *s, size_t i)
{
    char labels[32];

    if (!s->w.at[i].member)
        return;
    label(s, labels);
    TRACE(s, "%s has labels %s", s->w.at[i].name, labels);
    snprintf(s->w.at[i].labels, sizeof s->w.at[i].labels, "%s", labels);
    world_tell(&s->w, &s->w.at[i]);
}

static void begin(struct sim *s)
{
    char to = sim_chance(s, 15) && s->from != '-' ? s->from : s->next;

    if (sim_chance(s, 50))
        sim_rules(s);
    for (size_t i = 0; i < SIM_WAVES_MAX; i++)
        s->rules.waves[i].approved = false;
    TRACE(s, "begin %c with %s", to, s->rules.json);
    if (world_begin(&s->w, to))
        return; /* too many versions: it waits */
    if (to == s->next)
        s->next = s->next == 'Z' ? 'A' : (char)(s->next + 1);
    sim_check_begin(s);
}

static void forgive(struct sim *s)
{
    for (size_t i = 0; i < s->w.n; i++) {
        struct hub_rollout_cluster_view view;

        if (s->w.at[i].member && !world_view(&s->w, s->w.at[i].name, &view))
            s->clusters[i].forgiven = view.state == HUB_ROLLOUT_FAILED;
    }
}

/* All of it, or a part before it was aborted. */
static bool has_gone_back(struct sim *s, enum hub_rollout_phase phase)
{
    for (size_t i = 0; i < s->w.n; i++) {
        struct hub_rollout_cluster_view view;

        if (s->w.at[i].member && !world_view(&s->w, s->w.at[i].name, &view) &&
            view.state >= HUB_ROLLOUT_RETURNING)
            return true;
    }
    return phase == HUB_ROLLOUT_ROLLED_BACK;
}

static void retried(struct sim *s, size_t wave, bool anew)
{
    for (size_t i = 0; i < s->w.n; i++) {
        struct hub_rollout_cluster_view view;

        if (!s->w.at[i].member || world_view(&s->w, s->w.at[i].name, &view))
            continue;
        if (s->w.at[i].answer == s->from)
            s->clusters[i].touched = false;
    }
    s->rules.waves[wave].approved = false;
    if (!anew)
        return;
    memset(s->wave_start, 0, sizeof s->wave_start);
    for (size_t i = 0; i < SIM_WAVES_MAX; i++)
        s->rules.waves[i].approved = false;
}

static void act(struct sim *s, enum hub_rollout_action action)
{
    struct fed_diag diag = {""};
    struct hub_rollout_view view;
    bool back;

    hub_rollout_view(s->w.r, &view);
    back = has_gone_back(s, view.phase);
    if (hub_rollout_may(s->w.r, action, FED_SPAN_LIT(""), &diag))
        return;
    TRACE(s, "%s", hub_rollout_action_text(action));
    if (action == HUB_ROLLOUT_RESUME && view.failed)
        forgive(s);
    world_rise(&s->w);
    if (hub_rollout_act(s->w.r, action, FED_SPAN_LIT(""), FED_SPAN_LIT("sim"), s->w.now, &diag))
        sim_fail(s, "what fits was refused");
    if (action == HUB_ROLLOUT_APPROVE)
        s->rules.waves[view.wave].approved = true;
    for (size_t i = 0; hub_rollout_phase_is_end(view.phase) && i < s->w.n; i++)
        if (s->w.at[i].member) /* for some of them it did not matter where they are */
            world_reach(&s->w, &s->w.at[i]);
    if (action == HUB_ROLLOUT_RETRY)
        retried(s, view.wave, back);
    if (action == HUB_ROLLOUT_RESUME || action == HUB_ROLLOUT_RETRY)
        s->phase = HUB_ROLLOUT_RUNNING;
}

/* Answers before and after are the same, and so are rows. */
static void restart(struct sim *s)
{
    uint64_t before_ms = s->w.now.mono_ms;
    uint64_t ahead;

    TRACE(s, "the hub restarts");
    sim_step(s);
    world_restart(&s->w);
    ahead = s->w.now.mono_ms - before_ms;
    for (size_t i = 0; i < s->w.n; i++) { /* its clock is another one; the test's are on it */
        struct sim_cluster *c = &s->clusters[i];

        c->due_ms += c->due_ms == UINT64_MAX ? 0 : ahead;
        c->good_ms += c->good_ms ? ahead : 0;
    }
    for (size_t i = 0; i < s->w.n; i++) {
        struct fed_buf row;

        if (!s->w.at[i].member)
            continue;
        fed_buf_init(&row, fed_alloc_system(), HUB_ROLLOUT_ROW_MAX);
        if (s->w.at[i].answer != s->clusters[i].before)
            sim_fail(s, "a restart changed an answer");
        if ((hub_rollout_row(s->w.r, fed_span_text(s->w.at[i].name), &row) == FED_OK) !=
            s->w.at[i].stored)
            sim_fail(s, "a restart made or lost a row");
        fed_buf_fini(&row);
    }
}

static void event(struct sim *s)
{
    unsigned what = sim_below(s, 100);
    size_t i = sim_below(s, (unsigned)s->w.n);

    if (what < 22)
        set_reach(s, i, sim_chance(s, 50));
    else if (what < 34)
        fall_ill(s, i);
    else if (what < 40)
        join(s);
    else if (what < 43 && s->w.at[i].member) {
        TRACE(s, "%s leaves", s->w.at[i].name);
        world_gone(&s->w, &s->w.at[i]);
    } else if (what < 49)
        change_label(s, i);
    else if (what < 53)
        restart(s);
    else if (what < 56 && !s->calm)
        s->w.now.unix_ms += ((int64_t)sim_below(s, 200000) - 100000) * 1000;
    else if (what < 60) {
        sim_step(s); /* whatever is noted belongs to the one before */
        begin(s);
    } else if (what < 66)
        act(s, HUB_ROLLOUT_APPROVE);
    else if (what < 80)
        act(s, (enum hub_rollout_action)sim_below(s, HUB_ROLLOUT_UNDO + 1));
    else if (what < 88 && !s->calm)
        set_hold(s, i, sim_chance(s, 50));
}

/* Time passes in steps when the engine asks for them; a step that it did not ask for does nothing.
 */
static void pass(struct sim *s, uint64_t ms)
{
    uint64_t end_ms = s->w.now.mono_ms + ms;

    while (s->w.now.mono_ms < end_ms) {
        uint64_t wake_ms = hub_rollout_wake_ms(s->w.r);
        uint64_t next = wake_ms < end_ms ? wake_ms : end_ms;
        size_t writes = s->w.writes;
        enum hub_rollout_phase phase = s->phase;

        if (next <= s->w.now.mono_ms)
            next = s->w.now.mono_ms + 1;
        s->w.now.unix_ms += (int64_t)(next - s->w.now.mono_ms);
        s->w.now.mono_ms = next;
        sim_step(s);
        if (next < wake_ms && (s->w.writes != writes || s->phase != phase))
            sim_fail(s, "something was due that it did not ask to be woken for");
    }
}

/* ---- a fleet ---- */

static void trail(struct sim *s, const void *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        s->trail = (s->trail ^ ((const uint8_t *)at)[i]) * 0x100000001b3u;
}

/* When the deadline counts from matters to those that have one. */
static void trail_row(struct sim *s, const struct world_cluster *c)
{
    enum hub_rollout_state state = (enum hub_rollout_state)c->row[1];
    bool waits = state == HUB_ROLLOUT_RELEASED || state == HUB_ROLLOUT_APPLIED ||
                 state == HUB_ROLLOUT_RETURNING;

    trail(s, c->row, 14);
    trail(s, c->row + (waits ? 14 : 22), c->row_len - (waits ? 14 : 22));
}

/* What is decided, shown and stored, for comparing two that live the same. */
static void follow(struct sim *s)
{
    struct hub_rollout_view view;

    hub_rollout_view(s->w.r, &view);
    trail(s, &view.phase, sizeof view.phase);
    trail(s, &view.counts, sizeof view.counts);
    trail(s, s->w.record.at, s->w.record.len);
    for (size_t i = 0; i < s->w.n; i++) {
        const struct world_cluster *c = &s->w.at[i];

        if (!c->member)
            continue;
        trail(s, &c->answer, 1);
        trail(s, &c->tries, sizeof c->tries);
        if (c->stored)
            trail_row(s, c);
    }
}

static void live(struct sim *s, size_t rounds)
{
    for (size_t i = 0; i < rounds; i++) {
        event(s);
        members(s);
        sim_step(s);
        pass(s, 1 + sim_below(s, sim_chance(s, 10) ? 40000000 : 400000));
        follow(s);
    }
}

/* Everybody is in reach and well; people let it go on. */
static void heal(struct sim *s)
{
    for (size_t i = 0; i < s->w.n; i++) {
        if (!s->w.at[i].member)
            continue;
        set_reach(s, i, true);
        set_hold(s, i, false);
        if (s->w.at[i].answer != '-')
            say(s, i, HUB_ROLLOUT_COPY_APPLIED, HUB_ROLLOUT_HEALTH_GOOD);
    }
}

static bool has_condition(struct sim *s, const char *type)
{
    struct hub_rollout_condition list[HUB_ROLLOUT_CONDITIONS_MAX];
    size_t n = hub_rollout_conditions(s->w.r, list);

    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].type, type) == 0)
            return true;
    return false;
}

static void settle(struct sim *s)
{
    struct hub_rollout_view view;
    size_t healthy = 0;

    for (size_t i = 0; i < SETTLE_HOURS; i++) {
        hub_rollout_view(s->w.r, &view);
        if (i == SETTLE_HOURS - 30) /* more than a day before: a window has opened since */
            healthy = view.counts.healthy;
        if (hub_rollout_phase_is_end(view.phase) || view.phase == HUB_ROLLOUT_NONE)
            return;
        if (view.phase == HUB_ROLLOUT_PAUSED)
            act(s, HUB_ROLLOUT_RESUME);
        act(s, HUB_ROLLOUT_APPROVE);
        heal(s);
        sim_step(s);
        pass(s, 3600000);
    }
    if (!has_condition(s, "WaveEmpty") && !has_condition(s, "NotEnoughClusters") &&
        view.counts.total > 0 && view.counts.healthy <= healthy)
        sim_fail(s, "it neither ends nor says why");
}

static size_t rested; /* engines, over all fleets */

static uint64_t fleet(uint64_t seed, size_t n, size_t rounds, bool trace)
{
    struct sim s = {
        .seed = seed * 0x9e3779b97f4a7c15u + 1, .trace = trace, .next = 'B', .from = 'A'};
    char where[64];

    s.calm = seed % 2 == 0;
    snprintf(where, sizeof where, "SEED=%llu", (unsigned long long)seed);
    /* Some with steps that are cut, and gone on with at once. */
    world_step_max = seed % 3 == 1 ? 1 + seed % 7 + n / 10 : 0;
    world_init(&s.w, where);
    s.w.where = where;
    s.clusters = calloc(WORLD_CLUSTERS_MAX, sizeof *s.clusters);
    for (size_t i = 0; i < 26; i++)
        s.quality[i] = sim_chance(&s, 50) ? 0 : sim_chance(&s, 60) ? 3 : 40;
    sim_rules(&s);
    if (sim_chance(&s, 80))
        world_adopt(&s.w, 'A');
    else
        s.from = '-';
    for (size_t i = 0; i < n; i++)
        join(&s);
    sim_step(&s);
    begin(&s);
    live(&s, rounds);
    settle(&s);
    follow(&s);
    rested += s.w.rests;
    free(s.clusters);
    world_fini(&s.w);
    return s.trail;
}

/* The same life with engines that rest wherever they may, and with none: nobody sees a difference,
 * but that one which is made again sees absences by the clock as it is set then, and has a hold
 * since then. */
static void twins(uint64_t seed, size_t n, size_t rounds, bool trace)
{
    uint64_t awake = fleet(seed, n, rounds, trace);
    uint64_t resting;

    world_rests = true;
    resting = fleet(seed, n, rounds, trace);
    world_rests = false;
    if (awake != resting && seed % 2 == 0)
        fail_msg("SEED=%llu: with engines that rest it went another way", (unsigned long long)seed);
}

static void one(uint64_t seed, bool trace)
{
    struct sim pick = {.seed = seed + 77};

    for (unsigned i = 0; i < 9; i++)
        sim_below(&pick, 7);
    if (seed % 64 == 63)
        twins(seed, seed % 256 == 255 ? 9000 : 1000, 12, trace);
    else
        twins(seed, 1 + sim_below(&pick, 40), 60, trace);
}

static void test_fleets(void **state)
{
    const char *only = getenv("SEED");
    const char *asked = getenv("SEEDS");
    const char *from = getenv("FROM");
    unsigned long first = from ? strtoul(from, NULL, 10) : 1;
    unsigned long n = asked ? strtoul(asked, NULL, 10) : FLEETS;
    time_t end = time(NULL) + SECONDS;
    unsigned long i = 0;

    (void)state;
    if (only) {
        one(strtoul(only, NULL, 10), true);
        return;
    }
    for (; i < n && (asked || time(NULL) < end); i++)
        one(first + i, false);
    print_message("%lu fleets, engines rested %zu times\n", i, rested);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fleets)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
