/* The first change that a policy governs, with each allocation of the rollouts refused in turn: of
 * such an object nothing is stored that says what clusters have, so the change is held back, or the
 * write is refused. It never goes to all of them at once. */
#include "hub_rollouts_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define POLICY "'selector':{'matchLabels':{'tier':'web'}}," R_CANARY
#define WEB ",'labels':{'tier':'web'}"
#define MOST 400 /* allocations of a change */

static enum fed_err put(struct rollout_world *r, const char *resource, const char *name,
    const char *format, int generation, char letter)
{
    struct hub_object_write write = {.expected = HUB_ANY_REVISION,
        .ref = {fed_span_text(resource), fed_span_text("ns"), fed_span_text(name)}};
    struct fed_diag diag = {""};
    char json[1024];
    enum fed_err err;

    snprintf(json, sizeof json, format, generation, letter);
    for (char *c = json; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    write.bytes = fed_span_text(json);
    err = hub_objects_commit(r->w.objects, &write, 1, NULL, 0, NULL, &diag);
    if (err)
        assert_true(diag.text[0]);
    return err;
}

static enum fed_err put_map(
    struct rollout_world *r, const char *labels, int generation, char letter)
{
    char format[600];

    snprintf(format, sizeof format,
        "{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedConfigMap','metadata':{'name':"
        "'x','namespace':'ns','uid':'u-x'%s,'generation':%%d},'spec':{'template':{'data':{'k':'%%c'"
        "}},'placement':{'clusterSelector':{}}}}",
        labels);
    return put(r, W_CONFIGMAPS, "x", format, generation, letter);
}

static void settle(struct rollout_world *r)
{
    for (int i = 0; i < 3; i++) {
        hub_world_settle(&r->w);
        hub_world_wait(1);
    }
    hub_world_settle(&r->w);
}

/* How it comes to be governed. */
struct way {
    const char *name;
    const char *before; /* labels of what is there before; NULL: nothing is */
    const char *kept;   /* what other clusters than the canary have to the end */
    bool policy_late;   /* the policy itself is what is short of memory */
};

static void prepare(struct rollout_world *r, const struct way *way)
{
    if (way->before) {
        assert_int_equal(put_map(r, way->before, 1, '1'), FED_OK);
        rollout_wait_have(r, "1 1 1");
    }
    if (!way->policy_late)
        rollout_policy(r, "careful", POLICY);
    rollout_run(r, 5);
}

static void refuse(struct rollout_world *r, long after)
{
    r->refused = false;
    r->refuse_after = after;
}

static void assert_kept(struct rollout_world *r, const struct way *way, long after)
{
    const char *have = rollout_have(r);

    if (strcmp(have + 2, way->kept) != 0)
        fail_msg("%s: allocation %ld refused: clusters have %s", way->name, after, have);
}

/* One life of a hub. */
static bool one(struct rollout_world *r, const struct way *way, long after)
{
    enum fed_err err;

    prepare(r, way);
    refuse(r, after);
    if (way->policy_late) {
        rollout_policy(r, "careful", POLICY); /* answered before it is taken in */
        r->refuse_after = r->refused ? 0 : r->refuse_after;
    }
    err = put_map(r, WEB, 2, '2');
    if (err)
        assert_true(r->refused);
    r->refuse_after = -1;
    settle(r);
    assert_kept(r, way, after);
    if (after % 16 == 9)
        rollout_run(r, 2500); /* it goes on by itself, after a while */
    else
        rollout_restart(r);
    assert_kept(r, way, after);
    assert_int_equal(put_map(r, WEB, 3, '2'), FED_OK);
    rollout_wait(r, R_NAME("1"), "\"phase\":\"AwaitingApproval\"");
    assert_int_equal(rollout_have(r)[0], '2');
    assert_kept(r, way, after);
    return r->refused;
}

static void each_refused(const struct way *way)
{
    void *state;
    long after = 0;
    bool refused;

    do {
        rollout_world_open(&state);
        refused = one(state, way, after++);
        rollout_world_close(&state);
    } while (refused && after < MOST);
    assert_true(after > 10 && after < MOST);
}

static void test_of_an_object_that_a_policy_found(void **state)
{
    (void)state;
    each_refused(&(struct way){"found", WEB, "1 1", false});
}

static void test_of_an_object_that_gets_the_label_with_it(void **state)
{
    (void)state;
    each_refused(&(struct way){"labelled", "", "1 1", false});
}

static void test_of_a_new_object(void **state)
{
    (void)state;
    each_refused(&(struct way){"new", NULL, "- -", false});
}

/* A policy that is stored and could not be taken in governs nothing: nothing is written until it
 * is. */
static void test_of_a_policy_that_could_not_be_taken_in(void **state)
{
    (void)state;
    each_refused(&(struct way){"policy", WEB, "1 1", true});
}

/* ---- a step ---- */

static bool is_rest_open(struct rollout_world *r)
{
    return strstr(rollout_shown(r, R_NAME("1")), "\"wave\":\"rest\"") != NULL;
}

/* The next wave is due, and some allocation of the step is refused. */
static bool one_step(struct rollout_world *r, long after)
{
    const struct hub_object_ref x = {
        fed_span_text(W_CONFIGMAPS), fed_span_text("ns"), fed_span_text("x")};
    struct hub_gate_choice choice = {.tries = 0};
    enum hub_gate_answer answer;

    assert_int_equal(put_map(r, WEB, 1, '1'), FED_OK);
    rollout_wait_have(r, "1 1 1");
    rollout_policy(
        r, "careful", "'selector':{},'waves':[{'name':'canary','clusters':{'names':['c1']}}]");
    rollout_run(r, 5);
    r->bad[0] = "Unhealthy";
    assert_int_equal(put_map(r, WEB, 2, '2'), FED_OK);
    rollout_wait(r, R_NAME("1"), "\"updated\":1");
    r->bad[0] = NULL;
    refuse(r, after);
    for (int i = 0; i < 40 && !r->refused && !is_rest_open(r); i++)
        rollout_run(r, 0);
    r->refuse_after = -1;
    answer = r->gates.choose(r->gates.ctx, &x, fed_span_text("c2"), NULL, &choice);
    if (answer == HUB_GATE_LATEST && !is_rest_open(r))
        fail_msg("allocation %ld refused: c2 is to have what is not stored", after);
    rollout_restart(r);
    rollout_wait_have(r, "2 2 2");
    return r->refused;
}

/* Nobody gets what was decided and could not be stored. */
static void test_of_a_step(void **state)
{
    long after = 0;
    bool refused;

    do {
        rollout_world_open(state);
        refused = one_step(*state, after++);
        rollout_world_close(state);
    } while (refused && after < MOST);
    assert_true(after > 10 && after < MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_an_object_that_a_policy_found),
        cmocka_unit_test(test_of_an_object_that_gets_the_label_with_it),
        cmocka_unit_test(test_of_a_new_object),
        cmocka_unit_test(test_of_a_policy_that_could_not_be_taken_in),
        cmocka_unit_test(test_of_a_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
