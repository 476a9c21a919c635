/* hub_rollout_engine_test.c - a rollout's rules, one table each: fleet, rules and events as text,
 * and what is to be seen after them.
 *
 *   rules JSON            the policy, with ' for "
 *   fleet NAME[JSON] ...  clusters, in reach, with labels
 *   adopt V | begin V     what everybody has | a change
 *   ok|bad|taken|applied|refused NAME...   what they say of their present answer (all: those that
 *                         have V: all:V)
 *   in|out|gone NAME...   in reach, out of it from now on, not selected any more
 *   label NAME JSON       other labels
 *   wait DURATION         in steps when the engine asks for them
 *   act ACTION [WAVE]     by "ann"; no ACTION [WAVE]: it does not fit
 *   restart | clock SECONDS
 *   = phase TEXT | = V NAME... (just these have it; none) | = count V N | = NAME STATE | = next
 * TEXT (a part of what or waits-for) | = when SECONDS (from now) | = wave NAME PHASE | = cond TYPE
 * REASON | = why NAME TEXT | = group N REASON | = writes N (rows since the last) */
#include "hub_rollout_world.h"
#include "proto/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub_rollout_cases.h"

static struct rollout_world w;
static char line[1024];

#define FAIL(...)                                                                                  \
    do {                                                                                           \
        print_error("in \"%s\", at \"%s\":\n", w.where, line);                                     \
        fail_msg(__VA_ARGS__);                                                                     \
    } while (0)

static char *word(char **rest)
{
    char *at = *rest;
    char *end;

    while (*at == ' ')
        at++;
    end = at;
    while (*end && *end != ' ')
        end++;
    *rest = *end ? end + 1 : end;
    *end = '\0';
    return at;
}

/* ---- events ---- */

static void say(struct world_cluster *c, const char *what)
{
    c->health = HUB_ROLLOUT_HEALTH_GOOD;
    c->copy = HUB_ROLLOUT_COPY_APPLIED;
    c->reason[0] = '\0';
    if (strcmp(what, "bad") == 0) {
        c->health = HUB_ROLLOUT_HEALTH_BAD;
        snprintf(c->reason, sizeof c->reason, "Unhealthy");
    } else if (strcmp(what, "applied") == 0) {
        c->health = HUB_ROLLOUT_HEALTH_UNKNOWN;
    } else if (strcmp(what, "taken") == 0) {
        c->copy = HUB_ROLLOUT_COPY_TAKEN;
    } else if (strcmp(what, "refused") == 0) {
        c->copy = HUB_ROLLOUT_COPY_FAILED;
        snprintf(c->reason, sizeof c->reason, "ApplyFailed");
    }
    c->has = c->answer;
    world_note(&w, c);
}

static void change(struct world_cluster *c, const char *what)
{
    if (strcmp(what, "gone") == 0) {
        world_gone(&w, c);
        return;
    }
    if (strcmp(what, "in") != 0 && strcmp(what, "out") != 0) {
        say(c, what);
        return;
    }
    c->in = what[0] == 'i';
    c->out_since_ms = w.now.unix_ms;
    world_reach(&w, c);
}

static void each_named(char *names, const char *what)
{
    while (*names) {
        const char *name = word(&names);

        if (strncmp(name, "all", 3) != 0) {
            change(world_find(&w, name), what);
            continue;
        }
        for (size_t i = 0; i < w.n; i++)
            if (w.at[i].member && (name[3] != ':' || w.at[i].answer == name[4]))
                change(&w.at[i], what);
    }
    world_step(&w);
}

static void fleet(char *rest)
{
    while (*rest) {
        char *one = word(&rest);
        char *labels = strchr(one, '{');
        char json[96] = "";

        if (labels) {
            snprintf(json, sizeof json, "%s", labels);
            *labels = '\0';
            for (char *at = json; *at; at++)
                *at = *at == '\'' ? '"' : *at;
        }
        world_add(&w, one, json);
    }
    world_step(&w);
}

static void act(char *rest, bool fits)
{
    const char *name = word(&rest);
    const char *wave = word(&rest);
    enum hub_rollout_action action;
    struct fed_diag diag = {""};
    enum fed_err err;

    assert_int_equal(hub_rollout_action_parse(fed_span_text(name), &action, &diag), FED_OK);
    world_rise(&w);
    err = hub_rollout_act(w.r, action, fed_span_text(wave), FED_SPAN_LIT("ann"), w.now, &diag);
    if (fits ? err != FED_OK : err != FED_ERR_CONFLICT)
        FAIL("%s: %s", fed_err_text(err), diag.text);
    world_step(&w);
}

static void label(char *rest)
{
    struct world_cluster *c = world_find(&w, word(&rest));

    snprintf(c->labels, sizeof c->labels, "%s", rest);
    for (char *at = c->labels; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    world_tell(&w, c);
    world_step(&w);
}

/* NAME SECONDS: that long; 0: nobody knows; -: no more. */
static void hold(char *rest)
{
    struct world_cluster *c = world_find(&w, word(&rest));
    long seconds = atol(rest);

    c->held = rest[0] != '-';
    c->held_until_s = c->held && seconds ? w.now.unix_ms / 1000 + seconds : 0;
    world_hold(&w, c);
    world_step(&w);
}

static void pass(const char *text)
{
    uint64_t ms;

    assert_int_equal(fed_text_duration_ms(fed_span_text(text), &ms), FED_OK);
    world_wait(&w, ms);
}

/* ---- what is to be seen ---- */

static void has(char version, char *names)
{
    char expected[400] = "";
    char got[400] = "";

    for (size_t i = 0; i < w.n; i++)
        if (w.at[i].member && w.at[i].answer == version) {
            strncat(got, w.at[i].name, sizeof got - strlen(got) - 2);
            strcat(got, " ");
        }
    if (strcmp(names, "none") != 0)
        snprintf(expected, sizeof expected, "%s ", names);
    if (strcmp(got, expected) != 0)
        FAIL("%c is with: %s", version, got);
}

static void is_count(char *rest)
{
    char version = word(&rest)[0];
    size_t n = 0;

    for (size_t i = 0; i < w.n; i++)
        n += w.at[i].member && w.at[i].answer == version;
    if (n != (size_t)atol(rest))
        FAIL("%zu have %c", n, version);
}

static void is_phase(const char *expected)
{
    struct hub_rollout_view view;

    hub_rollout_view(w.r, &view);
    if (strcmp(hub_rollout_phase_text(view.phase), expected) != 0)
        FAIL("it is %s: %s, waits for %s", hub_rollout_phase_text(view.phase), view.next.what,
            view.next.waits_for);
}

static void is_next(const char *expected)
{
    struct hub_rollout_view view;

    hub_rollout_view(w.r, &view);
    if (!strstr(view.next.what, expected) && !strstr(view.next.waits_for, expected))
        FAIL("next: \"%s\" \"%s\"", view.next.what, view.next.waits_for);
}

static void is_when(const char *expected)
{
    struct hub_rollout_view view;
    long in_s;

    hub_rollout_view(w.r, &view);
    in_s = view.next.when_unix_s ? (long)(view.next.when_unix_s - w.now.unix_ms / 1000) : -1;
    if (in_s != atol(expected))
        FAIL("in %ld s", in_s);
}

static void is_wave(char *rest)
{
    const char *name = word(&rest);
    struct hub_rollout_view view;

    hub_rollout_view(w.r, &view);
    for (size_t i = 0; i < view.n_waves; i++) {
        struct hub_rollout_wave_view wave;

        hub_rollout_wave_view(w.r, i, &wave);
        if (!fed_span_is(wave.name, name))
            continue;
        if (strcmp(hub_rollout_wave_phase_text(wave.phase), rest) != 0)
            FAIL("wave %s is %s", name, hub_rollout_wave_phase_text(wave.phase));
        return;
    }
    FAIL("no wave %s", name);
}

static void is_condition(char *rest)
{
    const char *type = word(&rest);
    struct hub_rollout_condition list[HUB_ROLLOUT_CONDITIONS_MAX];
    size_t n = hub_rollout_conditions(w.r, list);

    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].type, type) == 0) {
            if (strcmp(list[i].reason, rest) != 0 && !strstr(list[i].message, rest))
                FAIL("%s: %s: %s", type, list[i].reason, list[i].message);
            return;
        }
    if (strcmp(rest, "none") != 0)
        FAIL("no condition %s", type);
}

static void is_state(const char *name, const char *expected)
{
    struct hub_rollout_cluster_view view;
    const char *state;

    assert_int_equal(world_view(&w, name, &view), FED_OK);
    state = view.held ? "Held" : hub_rollout_state_text(view.state);
    if (strcmp(state, expected) != 0)
        FAIL("%s is %s", name, state);
}

static void is_why(char *rest)
{
    const char *name = word(&rest);
    struct fed_buf out;

    fed_buf_init(&out, fed_alloc_system(), 1024);
    hub_rollout_why(w.r, fed_span_text(name), &out);
    if (!strstr(fed_buf_cstr(&out), rest))
        FAIL("%s: %s", name, fed_buf_cstr(&out));
    fed_buf_fini(&out);
}

static void is_group(char *rest)
{
    struct hub_rollout_group groups[HUB_ROLLOUT_GROUPS_MAX];
    size_t n = hub_rollout_groups(w.r, groups);
    size_t count = (size_t)atol(word(&rest));

    if (n == 0 || groups[0].count != count || !fed_span_is(groups[0].reason, rest))
        FAIL("%zu groups, the first of %zu: " FED_SPAN_FMT, n, n ? groups[0].count : 0,
            FED_SPAN_ARG(n ? groups[0].reason : FED_SPAN_LIT("")));
}

static void is_tries(char *rest)
{
    const char *name = word(&rest);

    if (!world_cut_restarts && world_find(&w, name)->tries != (unsigned)atol(rest))
        FAIL("%s was told %u times", name, world_find(&w, name)->tries);
}

/* All of them together. */
static void is_told(long expected)
{
    long n = 0;

    for (size_t i = 0; i < w.n; i++)
        n += (long)w.at[i].tries;
    if (n != expected)
        FAIL("they were told %ld times", n);
}

static void look(char *rest)
{
    const char *what = word(&rest);

    if (strcmp(what, "phase") == 0)
        is_phase(rest);
    else if (strcmp(what, "next") == 0)
        is_next(rest);
    else if (strcmp(what, "when") == 0)
        is_when(rest);
    else if (strcmp(what, "wave") == 0)
        is_wave(rest);
    else if (strcmp(what, "cond") == 0)
        is_condition(rest);
    else if (strcmp(what, "why") == 0)
        is_why(rest);
    else if (strcmp(what, "count") == 0)
        is_count(rest);
    else if (strcmp(what, "tries") == 0)
        is_tries(rest);
    else if (strcmp(what, "told") == 0)
        is_told(atol(rest));
    else if (strcmp(what, "group") == 0)
        is_group(rest);
    else if (strcmp(what, "writes") == 0) {
        if (w.writes != (size_t)atol(rest))
            FAIL("%zu rows were written", w.writes);
        w.writes = 0;
    } else if ((what[0] == '-' || (what[0] >= 'A' && what[0] <= 'Z')) && !what[1])
        has(what[0], rest);
    else
        is_state(what, rest);
}

static void run_line(void)
{
    char copy[sizeof line];
    char *rest = copy;
    const char *what;

    snprintf(copy, sizeof copy, "%s", line);
    what = word(&rest);
    if (strcmp(what, "=") == 0)
        look(rest);
    else if (strcmp(what, "rules") == 0)
        world_rules(&w, rest);
    else if (strcmp(what, "fleet") == 0)
        fleet(rest);
    else if (strcmp(what, "adopt") == 0)
        world_adopt(&w, rest[0]);
    else if (strcmp(what, "begin") == 0)
        assert_int_equal(world_begin(&w, rest[0]), FED_OK);
    else if (strcmp(what, "busy") == 0)
        assert_int_equal(world_begin(&w, rest[0]), FED_ERR_BUSY);
    else if (strcmp(what, "wait") == 0)
        pass(rest);
    else if (strcmp(what, "act") == 0)
        act(rest, true);
    else if (strcmp(what, "no") == 0)
        act(rest, false);
    else if (strcmp(what, "label") == 0)
        label(rest);
    else if (strcmp(what, "hold") == 0)
        hold(rest);
    else if (strcmp(what, "rerule") == 0) {
        world_rise(&w);
        assert_int_equal(hub_rollout_set_rules(w.r, w.rules), FED_OK);
        world_retell(&w);
        world_step(&w);
    } else if (strcmp(what, "restart") == 0) {
        world_restart(&w);
        world_step(&w);
    } else if (strcmp(what, "clock") == 0) {
        w.now.unix_ms += atol(rest) * 1000;
        world_step(&w);
    } else
        each_named(rest, what);
}

static size_t rests; /* of engines */

static void run_case(const struct rollout_case *one)
{
    const char *at = one->text;

    world_init(&w, "4b6e6c1e-uid");
    w.where = one->name;
    while (*at) {
        size_t len = strcspn(at, "\n");

        snprintf(line, sizeof line, "%.*s", (int)len, at);
        if (len > 0)
            run_line();
        at += len + (at[len] != '\0');
    }
    rests += w.rests;
    world_fini(&w);
}

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rollout_cases / sizeof *rollout_cases; i++)
        run_case(&rollout_cases[i]);
}

static void test_peers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rollout_peers / sizeof *rollout_peers; i++)
        run_case(&rollout_peers[i]);
}

/* Each case again, with a restart behind every line: nothing is seen of it, but that deadlines
 * begin anew and that a healthy cluster is heard of once more. */
static void test_restarts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rollout_cases / sizeof *rollout_cases; i++) {
        const char *at = rollout_cases[i].text;

        if (rollout_cases[i].alone)
            continue;
        world_init(&w, "4b6e6c1e-uid");
        w.where = rollout_cases[i].name;
        while (*at) {
            size_t len = strcspn(at, "\n");

            snprintf(line, sizeof line, "%.*s", (int)len, at);
            if (len > 0)
                run_line();
            at += len + (at[len] != '\0');
            if (len > 0 && w.n > 0 && line[0] != '=' && strncmp(line, "rules", 5) != 0) {
                world_restart(&w);
                world_step(&w);
            }
        }
        world_fini(&w);
    }
}

/* Each case again, with steps that change one cluster, or three, and are gone on with at once:
 * nothing is seen of it. */
static void test_steps_that_are_cut(void **state)
{
    for (world_step_max = 1; world_step_max <= 3; world_step_max += 2) {
        test_rules(state);
        test_peers(state);
    }
    world_step_max = 0;
}

/* And the hub is killed wherever a step was cut. */
static void test_restarts_in_the_midst_of_a_step(void **state)
{
    (void)state;
    world_step_max = 1;
    world_cut_restarts = true;
    for (size_t i = 0; i < sizeof rollout_cases / sizeof *rollout_cases; i++)
        if (!rollout_cases[i].alone)
            run_case(&rollout_cases[i]);
    world_cut_restarts = false;
    world_step_max = 0;
}

static void fifty(const char *rules)
{
    world_init(&w, "4b6e6c1e-uid");
    w.where = rules;
    for (int i = 0; i < 50; i++) {
        char name[16];

        snprintf(name, sizeof name, "c%d", i);
        world_add(&w, name, "");
    }
    world_adopt(&w, 'A');
    world_rules(&w, rules);
    w.most = 0;
    assert_int_equal(world_begin(&w, 'B'), FED_OK);
}

static void act_for_all(const char *action)
{
    char text[16];

    w.most = 0;
    snprintf(text, sizeof text, "%s", action);
    act(text, true);
    assert_int_equal(w.most, world_step_max);
}

/* Whatever begins, and whatever a person does: what one commit writes is bounded. */
static void test_no_commit_is_long(void **state)
{
    (void)state;
    world_step_max = 5;
    fifty("{'waves':[{'name':'w','clusters':{'size':'100%'},'maxConcurrency':1}]}");
    assert_int_equal(w.most, world_step_max);
    world_fini(&w);
    fifty("{}");
    for (size_t i = 0; i < w.n; i++)
        say(&w.at[i], "refused");
    world_step(&w);
    is_phase("Paused");
    act_for_all("resume");
    is_phase("Running");
    act_for_all("retry");
    act_for_all("undo");
    world_fini(&w);
    world_step_max = 0;
}

/* Each case again, with engines that give their clusters up wherever they may: nothing is seen of
 * it. */
static void test_rest(void **state)
{
    world_rests = true;
    test_rules(state);
    test_peers(state);
    world_rests = false;
    assert_true(rests > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules), cmocka_unit_test(test_peers),
        cmocka_unit_test(test_restarts), cmocka_unit_test(test_steps_that_are_cut),
        cmocka_unit_test(test_restarts_in_the_midst_of_a_step),
        cmocka_unit_test(test_no_commit_is_long), cmocka_unit_test(test_rest)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
