/* hub_plan_gate_fault_test.c - versions by answer when commits fail, memory is out, and the hub
 * starts anew. */
#include "hub_gate_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hub/plan/internal.h"
#include "refused_writes.h"

#define ROW "zz/a-rollout"

static bool has_row(struct gate_world *g)
{
    struct fed_buf value;
    enum fed_err err;

    fed_buf_init(&value, fed_alloc_system(), 64);
    err = hub_objects_get_row(g->w.objects, fed_span_text(ROW), &value, NULL);
    fed_buf_fini(&value);
    return !err;
}

/* The plan waits a while after a failure; this ends it. */
static void retry(struct gate_world *g)
{
    plan_round_retry(g->w.plan);
    hub_world_settle(&g->w);
}

static unsigned commits;

static void count_commit(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    (void)ctx;
    (void)diag;
    commits += err == FED_OK;
}

static void test_what_begins_is_durable_with_the_change(void **state)
{
    struct gate_world *g = *state;
    struct hub_objects_member counter = {.ended = count_commit};

    hub_objects_join(g->w.objects, &counter);
    commits = 0;
    g->stages = ROW;
    gate_put(g, 'a', GATE_SPEC("1"));
    assert_true(has_row(g));
    assert_string_equal(gate_have(g), "1 1 1");
    assert_int_equal(commits, 1);
    hub_objects_leave(g->w.objects, &counter);
}

/* Stages ns/x (spec NULL: its removal) for a sync that the disk refuses. */
static void put_refused(struct gate_world *g, const char *spec)
{
    struct hub_object_write write = {
        .ref = gate_ref(), .expected = HUB_ANY_REVISION, .remove = spec == NULL};
    char text[1024];
    char *c;

    snprintf(text, sizeof text, "{'metadata':{'name':'x','namespace':'ns'},'spec':%s}",
        spec ? spec : "{}");
    for (c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    write.bytes = fed_span_text(text);
    assert_int_equal(hub_objects_stage(g->w.objects, &write, 1, NULL, 0, NULL, NULL), FED_OK);
    test_writes_refuse();
    assert_int_not_equal(hub_objects_flush(g->w.objects, NULL), FED_OK);
    test_writes_allow();
    hub_world_settle(&g->w);
}

static void test_what_was_undone_never_began(void **state)
{
    struct gate_world *g = *state;
    uint64_t before[3];
    uint64_t after[3];

    gate_put(g, 'a', GATE_SPEC("1"));
    gate_revisions(g, before);
    g->log[0] = '\0';
    g->stages = ROW;
    gate_answer(g, "=aa");
    put_refused(g, GATE_SPEC("2"));
    assert_string_equal(g->log, "written undone");
    assert_false(has_row(g));
    gate_answer(g, "==="); /* as whoever answers takes back what it began */
    retry(g);
    gate_revisions(g, after);
    assert_string_equal(gate_have(g), "1 1 1");
    assert_memory_equal(after, before, sizeof before);
    put_refused(g, NULL);
    assert_string_equal(g->log, "written undone written(gone) undone");
    retry(g);
    assert_string_equal(gate_have(g), "1 1 1");
    gate_restart_is_same(g);
}

static void test_a_new_object_that_was_undone(void **state)
{
    struct gate_world *g = *state;

    put_refused(g, GATE_SPEC("1"));
    assert_string_equal(g->log, "written undone(gone)");
    retry(g);
    assert_string_equal(gate_have(g), "- - -");
}

/* The step of a rollout whose commit fails: its answers are taken back without another word. */
static void test_answers_that_were_undone(void **state)
{
    struct gate_world *g = *state;
    struct hub_object_ref ref = gate_ref();
    struct fed_span name = fed_span_text("c1");
    uint64_t before[3];
    uint64_t after[3];

    gate_put(g, 'a', GATE_SPEC("1"));
    gate_answer(g, "aaa");
    gate_put(g, 'b', GATE_SPEC("2"));
    gate_revisions(g, before);
    gate_answer(g, "=aa");
    assert_int_equal(hub_plan_regate(g->w.plan, &ref, &name, 1), FED_OK);
    test_writes_refuse();
    assert_int_not_equal(hub_objects_flush(g->w.objects, NULL), FED_OK);
    test_writes_allow();
    gate_answer(g, "aaa");
    retry(g);
    assert_string_equal(gate_have(g), "1 1 1");
    gate_revisions(g, after);
    assert_memory_equal(after, before, sizeof before);
    gate_turn(g, "c1", '=');
    assert_string_equal(gate_have(g), "2 1 1");
}

/* It is the disk's fault alone: the answers stand. */
static void test_answers_whose_manifests_were_undone(void **state)
{
    struct gate_world *g = *state;
    struct hub_object_ref ref = gate_ref();

    gate_put(g, 'a', GATE_SPEC("1"));
    gate_answer(g, "aaa");
    gate_put(g, 'b', GATE_SPEC("2"));
    gate_answer(g, "=a-");
    assert_int_equal(hub_plan_regate(g->w.plan, &ref, NULL, 0), FED_OK);
    test_writes_refuse();
    assert_int_not_equal(hub_objects_flush(g->w.objects, NULL), FED_OK);
    test_writes_allow();
    assert_string_equal(gate_have(g), "1 1 1");
    retry(g);
    assert_string_equal(gate_have(g), "2 1 -");
    gate_restart_is_same(g);
}

/* Nor does the write become durable: after a start it would be everywhere. */
static void test_whoever_cannot_begin_leaves_the_object_as_it_was(void **state)
{
    struct gate_world *g = *state;
    struct hub_object_write write = {
        .ref = gate_ref(), .expected = HUB_ANY_REVISION, .bytes = FED_SPAN_LIT("{}")};
    struct fed_diag diag = {""};

    gate_put(g, 'a', GATE_SPEC("1"));
    g->refuses = FED_ERR_NOMEM;
    assert_int_equal(
        hub_objects_commit(g->w.objects, &write, 1, NULL, 0, NULL, &diag), FED_ERR_NOMEM);
    assert_non_null(strstr(diag.text, "write it again"));
    g->refuses = FED_OK;
    retry(g);
    hub_world_settle(&g->w);
    assert_string_equal(gate_have(g), "1 1 1");
    hub_world_cluster(&g->w, "c1", "{'zone':'z'}");
    assert_string_equal(gate_have(g), "1 1 1");
    gate_put(g, 'b', GATE_SPEC("2"));
    assert_string_equal(gate_have(g), "2 2 2");
}

static void late_turn(void *ctx)
{
    struct gate_world *g = ctx;
    struct hub_object_ref ref = gate_ref();
    struct fed_span name = fed_span_text("c2");

    if (g->answers[1] == '=')
        return;
    g->answers[1] = '=';
    assert_int_equal(hub_plan_regate(g->w.plan, &ref, &name, 1), FED_OK);
}

/* Somebody whose part in the commit comes after the plan's. */
static void test_a_turn_behind_the_round_is_for_the_next(void **state)
{
    struct gate_world *g = *state;
    struct hub_objects_member late = {.ctx = g, .prepare = late_turn};

    gate_put(g, 'a', GATE_SPEC("1"));
    gate_answer(g, "aaa");
    gate_put(g, 'b', GATE_SPEC("2"));
    hub_objects_join(g->w.objects, &late);
    gate_turn(g, "c1", '=');
    hub_objects_leave(g->w.objects, &late);
    assert_string_equal(gate_have(g), "2 2 1");
}

static void test_a_turn_of_a_cluster_that_leaves(void **state)
{
    struct gate_world *g = *state;
    struct hub_object_ref ref = gate_ref();
    struct fed_span names[] = {fed_span_text("c1"), fed_span_text("c2")};

    gate_put(g, 'a', GATE_SPEC("1"));
    gate_answer(g, "aaa");
    gate_put(g, 'b', GATE_SPEC("2"));
    gate_answer(g, "==a");
    assert_int_equal(hub_plan_regate(g->w.plan, &ref, names, 2), FED_OK);
    hub_world_remove(&g->w, W_CLUSTERS, W_SYSTEM, "c1");
    assert_int_equal(plan_item_get(g->w.plan, &ref)->n_regated, 0);
    hub_world_cluster(&g->w, "c1", "{}");
    assert_string_equal(gate_have(g), "2 2 1");
}

/* All that a start has to find again. */
static void test_a_start_finds_each_cluster_as_it_was(void **state)
{
    struct gate_world *g = *state;

    gate_put(g, 'a',
        "{" GATE_DATA("1") "," GATE_ALL ",'overrides':[{'clusterName':'c1','clusterOverrides':[{"
                           "'path':'/data/k','value':'8'}]},{'clusterSelector':{'matchLabels':{"
                           "'zone':'q'}},'clusterOverrides':[{'path':'/data/z','op':'add','value':"
                           "'1'}]}]}");
    gate_answer(g, "a=a");
    gate_put(g, 'b', GATE_SPEC("2"));
    gate_answer(g, "ba-");
    gate_put(g, 'c', "{" GATE_DATA("3") ",'placement':{'clusters':[{'name':'c1'},{'name':'c2'}]}}");
    assert_string_equal(gate_have(g), "2 1+ -");
    gate_restart_is_same(g);
    assert_string_equal(g->log + strlen(g->log) - 6, "loaded");
    gate_turn_all(g, "cc=");
    assert_string_equal(gate_have(g), "3 3 -");
    gate_restart_is_same(g);
    gate_turn_all(g, "===");
    assert_string_equal(gate_have(g), "3 3 -");
    gate_restart_is_same(g);
}

/* A change and a turn of a rollout, with one allocation of the plan refused. */
static void change_and_turn(struct gate_world *g, char former, char next, const char *spec)
{
    const char from[] = {'=', former, former, '\0'};

    gate_answer(g, from);
    gate_put(g, next, spec);
    gate_turn(g, "c2", '=');
}

static char of_c3(const char *have)
{
    return have[strlen(have) - 1];
}

static void test_memory_that_is_out(void **state)
{
    static const char *const specs[] = {
        "{" GATE_DATA("1") "," GATE_ALL ",'overrides':[{'clusterName':'c1','clusterOverrides':[{'"
                           "path':'/data/k','value':'8'}]}]}",
        "{" GATE_DATA("2") "," GATE_ALL ",'overrides':[{'clusterSelector':{'matchLabels':{'zone':"
                           "'q'}},'clusterOverrides':[{'path':'/data/k','value':'9'}]}]}"};
    static const char *const after[] = {"1+ 1 2", "2 2+ 1"};
    struct gate_world *g = *state;
    unsigned rounds = 0;

    gate_put(g, 'b', specs[1]);
    for (long n = 0; rounds == 0 || g->refused; n++, rounds++) {
        size_t next = rounds % 2;

        g->refused = false;
        g->refuse_after = n;
        change_and_turn(g, (char)('b' - next), (char)('a' + next), specs[next]);
        g->refuse_after = -1;
        assert_int_equal(of_c3(gate_have(g)), of_c3(after[next])); /* nobody gets it by a failure */
        /* What was not taken in comes with its next change; the rest is made up for. */
        if (g->refused)
            hub_world_put_map(&g->w, specs[next]);
        retry(g);
        assert_string_equal(gate_have(g), after[next]);
        gate_turn_all(g, "===");
    }
    print_message("%u allocations refused\n", rounds - 1);
    assert_true(rounds > 30); /* that many allocations were refused */
    gate_restart_is_same(g);
}

static bool no_more(void *ctx, const struct hub_gated *gated)
{
    size_t *n = ctx;

    (void)gated;
    return ++*n < 2;
}

static void test_questions_without_memory(void **state)
{
    struct gate_world *g = *state;
    struct hub_object_ref ref = gate_ref();
    struct hub_planned planned;
    size_t n = 0;

    gate_put(g, 'a',
        "{" GATE_DATA("1") "," GATE_ALL ",'overrides':[{'clusterName':'c1','clusterOverrides':[{"
                           "'path':'/data/k','value':'8'}]}]}");
    g->refuse_after = 0;
    assert_int_equal(hub_plan_gated(g->w.plan, &ref, no_more, &n), FED_ERR_NOMEM);
    g->refuse_after = -1;
    assert_int_equal(hub_plan_gated(g->w.plan, &ref, no_more, &n), FED_OK);
    assert_int_equal(n, 2);
    gate_turn_all(g, "aaa");
    assert_int_equal(hub_plan_object(g->w.plan, &ref, &planned), FED_OK);
    assert_string_equal(planned.clusters[2].held, "wave of c3 has not begun");
    g->refuse_after = 0; /* it still says that it waits */
    assert_int_equal(hub_plan_object(g->w.plan, &ref, &planned), FED_OK);
    assert_true(planned.clusters[0].gated && planned.clusters[0].held);
    assert_string_not_equal(planned.clusters[0].held, "wave of c1 has not begun");
    g->refuse_after = -1;
}

int main(void)
{
#define GATED(test) cmocka_unit_test_setup_teardown(test, gate_world_open, gate_world_close)
    const struct CMUnitTest tests[] = {
        GATED(test_what_begins_is_durable_with_the_change),
        GATED(test_what_was_undone_never_began),
        GATED(test_a_new_object_that_was_undone),
        GATED(test_answers_that_were_undone),
        GATED(test_answers_whose_manifests_were_undone),
        GATED(test_whoever_cannot_begin_leaves_the_object_as_it_was),
        GATED(test_a_turn_behind_the_round_is_for_the_next),
        GATED(test_a_turn_of_a_cluster_that_leaves),
        GATED(test_a_start_finds_each_cluster_as_it_was),
        GATED(test_memory_that_is_out),
        GATED(test_questions_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
