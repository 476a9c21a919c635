/* hub_plan_gate_test.c - which version of a governed object a cluster gets, by the answers. */
#include "hub/plan/cost.h"
#include "hub_gate_world.h"
#include "proto/bundle/frame.h"
#include "proto/object/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ON(cluster) "{'name':'" cluster "'}"

static uint64_t computed(struct gate_world *g)
{
    struct hub_plan_counts counts;

    hub_plan_counts(g->w.plan, &counts);
    return counts.computed;
}

static size_t works(struct gate_world *g)
{
    struct hub_plan_counts counts;

    hub_plan_counts(g->w.plan, &counts);
    return counts.works;
}

static void test_nobody_asks_of_what_is_not_governed(void **state)
{
    struct gate_world *g = *state;

    g->governed = false;
    gate_answer(g, "---");
    gate_put(g, 'a', GATE_SPEC("1"));
    assert_string_equal(gate_have(g), "1 1 1");
    assert_string_equal(g->log, "written");
    gate_turn(g, "c1", '-');
    assert_int_equal(g->chosen, 0);
    assert_string_equal(gate_said(g, "c1"), "{\"name\":\"c1\",\"status\":\"ClusterNotReady\"}");
}

static void test_each_cluster_gets_the_version_of_its_answer(void **state)
{
    struct gate_world *g = *state;
    uint64_t before[3];
    uint64_t after[3];

    gate_put(g, 'a', GATE_SPEC("1"));
    gate_revisions(g, before);
    gate_answer(g, "=aa");
    gate_put(g, 'b', GATE_SPEC("2"));
    assert_string_equal(gate_have(g), "2 1 1");
    gate_revisions(g, after);
    assert_true(after[0] > before[0]);
    assert_memory_equal(&after[1], &before[1], 2 * sizeof before[0]);
    gate_turn(g, "c3", '=');
    assert_string_equal(gate_have(g), "2 1 2");
    gate_turn_all(g, "aaa"); /* a roll back */
    assert_string_equal(gate_have(g), "1 1 1");
    assert_int_equal(hub_world_revision(&g->w, "c2"), before[1]);
    gate_turn_all(g, "===");
    assert_string_equal(gate_have(g), "2 2 2");
}

static const struct fed_work *work_of(struct gate_world *g, const char *cluster)
{
    const struct fed_manifest *manifest;

    assert_int_equal(hub_plan_manifest(g->w.plan, fed_span_text(cluster), &manifest), FED_OK);
    for (size_t i = 0; i < manifest->n_works; i++)
        if (fed_span_is(manifest->works[i].kind, "ConfigMap"))
            return &manifest->works[i];
    fail();
    return NULL;
}

/* What the agent would apply. */
static const char *rendered(struct gate_world *g, const char *cluster)
{
    static char text[2][1024];
    static unsigned turn;
    const struct fed_work *work = work_of(g, cluster);
    struct fed_span blob;
    struct fed_buf out;
    char *to = text[turn++ % 2];

    assert_int_equal(hub_plan_blob(g->w.plan, &work->blob, &blob), FED_OK);
    fed_buf_init(&out, fed_alloc_system(), sizeof text[0] - 1);
    assert_int_equal(fed_render_work(fed_alloc_system(), work, blob, &out, NULL), FED_OK);
    snprintf(to, sizeof text[0], "%s", fed_buf_cstr(&out));
    fed_buf_fini(&out);
    return to;
}

/* Of two works, as the link would say it. */
static size_t frame_of(
    struct gate_world *g, const struct fed_work *before, const struct fed_work *after)
{
    struct fed_manifest base = {.epoch = 9, .revision = 1, .works = before, .n_works = 1};
    struct fed_manifest target = {.epoch = 9, .revision = 2, .works = after, .n_works = 1};
    struct fed_buf frame;
    size_t len;

    fed_buf_init(&frame, fed_alloc_system(), 1u << 20);
    assert_int_equal(fed_frame_encode(fed_alloc_system(), &base, &target, hub_plan_blob, g->w.plan,
                         NULL, &frame),
        FED_OK);
    len = frame.len;
    fed_buf_fini(&frame);
    return len;
}

/* What a change costs each cluster is what the link makes of it. */
static void test_what_a_change_costs(void **state)
{
    struct gate_world *g = *state;
    struct hub_object_ref ref = gate_ref();
    char large[1024];
    size_t bytes;
    size_t expected;
    size_t each;
    struct fed_work old;

    snprintf(large, sizeof large,
        "{'template':{'data':{'k':'1','long':'%.*s'}},'placement':{'clusterSelector':{}}}", 600,
        "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc"
        "abc"
        "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc"
        "abc"
        "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc"
        "abc"
        "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc"
        "abc");
    gate_put(g, 'a', large);
    assert_int_equal(hub_plan_cost(g->w.plan, &ref, 0, &each), FED_OK);
    assert_int_equal(each, 0);
    gate_answer(g, "aaa");
    large[22] = '2'; /* of k */
    gate_put(g, 'b', large);
    assert_int_equal(hub_plan_cost(g->w.plan, &ref, 3, &each), FED_OK);
    assert_true(each > 30 && each < 110);
    bytes = each;
    old = *work_of(g, "c1");
    gate_turn(g, "c2", '=');
    expected = frame_of(g, &old, work_of(g, "c2"));
    assert_int_equal(bytes, expected);
    assert_int_equal(hub_plan_cost(g->w.plan, &ref, 2, &each), FED_OK);
    assert_int_equal(each, expected);
    gate_turn_all(g, "---"); /* a first version is larger than a change */
    assert_int_equal(hub_plan_cost(g->w.plan, &ref, 3, &each), FED_OK);
    assert_true(each > expected);
}

/* Another work, and the same object: what it says is not sent again. */
static void test_a_member_is_told_to_try_again(void **state)
{
    static const char *const specs[] = {GATE_SPEC("1"),
        "{" GATE_DATA("1") "," GATE_ALL ",'overrides':[{'clusterName':'c1','clusterOverrides':"
                           "[{'path':'/data/k','value':'9'}]}]}"};
    struct gate_world *g = *state;

    for (size_t i = 0; i < 2; i++) {
        struct fed_digest blob;
        uint64_t before[3];
        uint64_t after[3];
        const char *object;

        g->tries[0] = 0;
        gate_put(g, 'a', specs[i]);
        gate_revisions(g, before);
        blob = work_of(g, "c1")->blob;
        object = rendered(g, "c1");
        for (g->tries[0] = 1; g->tries[0] < 4; g->tries[0]++) {
            gate_turn(g, "c1", g->tries[0] % 2 ? '=' : 'a');
            gate_revisions(g, after);
            assert_true(after[0] > before[0]);
            assert_int_equal(after[1], before[1]);
            before[0] = after[0];
            assert_string_equal(rendered(g, "c1"), object);
            assert_true(fed_digest_eq(&work_of(g, "c1")->blob, &blob));
            assert_true(work_of(g, "c1")->overrides.len < 160);
            gate_restart_is_same(g);
        }
    }
}

static void test_a_turn_computes_the_pairs_that_it_names(void **state)
{
    struct gate_world *g = *state;
    uint64_t before;

    gate_put(g, 'a', GATE_SPEC("1"));
    gate_answer(g, "aaa");
    gate_put(g, 'b', GATE_SPEC("2"));
    before = computed(g);
    gate_turn(g, "c2", '=');
    assert_int_equal(computed(g) - before, 1);
    gate_turn(g, "c9", '='); /* not registered */
    assert_int_equal(computed(g) - before, 1);
    gate_turn_all(g, "===");
    assert_int_equal(computed(g) - before, 4);
}

static void test_a_version_is_parsed_once_and_shared(void **state)
{
    struct gate_world *g = *state;
    size_t before;

    gate_put(g, 'a', GATE_SPEC("1"));
    before = works(g);
    gate_answer(g, "=aa");
    gate_put(g, 'b', GATE_SPEC("2"));
    assert_int_equal(g->read, 1);
    gate_turn(g, "c1", 'a');
    gate_turn(g, "c1", '=');
    assert_int_equal(g->read, 1);
    assert_true(works(g) <= before + 2); /* the latest; and what c1 got of the earlier one */
    gate_turn_all(g, "=aa");
    assert_int_equal(g->read, 2); /* asked once more, as anything may have moved */
    gate_turn_all(g, "===");
    gate_turn(g, "c1", 'a'); /* nobody had it any more */
    assert_int_equal(g->read, 3);
    hub_world_remove(&g->w, W_CLUSTERS, W_SYSTEM, "c1"); /* nor now */
    hub_world_cluster(&g->w, "c1", "{}");
    assert_int_equal(g->read, 4);
}

static void test_of_a_new_object_there_is_nothing_yet(void **state)
{
    struct gate_world *g = *state;

    gate_answer(g, "-=-");
    gate_put(g, 'a', GATE_SPEC("1"));
    assert_string_equal(gate_have(g), "- 1 -");
    assert_string_equal(gate_said(g, "c1"), "{\"name\":\"c1\",\"status\":\"ClusterNotReady\","
                                            "\"message\":\"wave of c1 has not begun\"}");
    gate_turn(g, "c1", '=');
    assert_string_equal(gate_have(g), "1 1 -");
    gate_restart_is_same(g);
    gate_turn_all(g, "===");
    assert_string_equal(gate_have(g), "1 1 1");
}

static void test_a_version_that_does_not_select_gives_nothing(void **state)
{
    struct gate_world *g = *state;
    uint64_t before[3];
    uint64_t after[3];

    gate_put(g, 'a', "{" GATE_DATA("1") ",'placement':{'clusters':[" ON("c1") "]}}");
    gate_revisions(g, before);
    gate_answer(g, "aaa");
    gate_put(g, 'b', GATE_SPEC("2"));
    assert_string_equal(gate_have(g), "1 - -");
    gate_revisions(g, after);
    assert_memory_equal(after, before, sizeof before);
    gate_turn(g, "c2", '=');
    assert_string_equal(gate_have(g), "1 2 -");
    gate_restart_is_same(g);
    gate_turn(g, "c2", 'a'); /* what was newly placed leaves, and is awaited */
    assert_string_equal(gate_have(g), "1 - -");
    assert_string_equal(gate_said(g, "c2"), "");
    hub_world_confirm(&g->w, "c2");
    assert_string_equal(gate_said(g, "c2"), "{\"name\":\"c2\",\"status\":\"ClusterNotReady\","
                                            "\"message\":\"wave of c2 has not begun\"}");
    gate_restart_is_same(g);
    gate_turn(g, "c2", '=');
    assert_string_equal(gate_have(g), "1 2 -");
}

static void test_back_again_before_the_cluster_let_go(void **state)
{
    struct gate_world *g = *state;

    gate_put(g, 'a', GATE_SPEC("1"));
    gate_turn(g, "c1", '-');
    assert_string_equal(gate_have(g), "- 1 1");
    gate_turn(g, "c1", '=');
    assert_string_equal(gate_have(g), "1 1 1");
    hub_world_confirm(&g->w, "c1");
    assert_string_equal(gate_have(g), "1 1 1");
}

static void test_what_the_latest_does_not_select_leaves(void **state)
{
    struct gate_world *g = *state;

    gate_put(g, 'a', GATE_SPEC("1"));
    gate_answer(g, "aaa");
    gate_put(g, 'b', "{" GATE_DATA("2") ",'placement':{'clusters':[" ON("c1") "]}}");
    assert_string_equal(gate_have(g), "1 - -");
    hub_world_confirm(&g->w, "c2");
    assert_string_equal(gate_said(g, "c2"), "");
    gate_restart_is_same(g);
}

#define BY_NAME(value)                                                                             \
    "{'clusterName':'c1','clusterOverrides':[{'path':'/data/k','value':'" value "'}]}"
#define BY_ZONE(zone, value)                                                                       \
    "{'clusterSelector':{'matchLabels':{'zone':'" zone "'}},'clusterOverrides':[{'path':'/data/"   \
    "z','op':'add','value':'" value "'}]}"

static void test_overrides_are_those_of_the_version(void **state)
{
    struct gate_world *g = *state;
    uint64_t before[3];
    uint64_t after[3];

    gate_put(g, 'a',
        "{" GATE_DATA("1") "," GATE_ALL ",'overrides':[" BY_NAME("8") "," BY_ZONE("q", "1") "]}");
    assert_string_equal(gate_have(g), "1+ 1+ 1");
    gate_revisions(g, before);
    gate_answer(g, "aaa");
    gate_put(g, 'b', "{" GATE_DATA("1") "," GATE_ALL ",'overrides':[" BY_ZONE("r", "2") "]}");
    assert_string_equal(gate_have(g), "1+ 1+ 1");
    gate_revisions(g, after);
    assert_memory_equal(after, before, sizeof before);
    gate_turn_all(g, "=a=");
    assert_string_equal(gate_have(g), "1 1+ 1+");
    gate_restart_is_same(g);
    hub_world_cluster(&g->w, "c2", "{'zone':'p'}"); /* no longer by the earlier one's selector */
    assert_string_equal(gate_have(g), "1 1 1+");
}

static void test_what_a_scheduler_maintains_moves_in_every_version(void **state)
{
    struct gate_world *g = *state;

    gate_put(g, 'a', GATE_SPEC("1"));
    gate_answer(g, "aaa");
    gate_put(g, 'b', GATE_SPEC("2"));
    assert_string_equal(gate_have(g), "1 1 1");
    gate_keep(g, 'a', "{" GATE_DATA("1") "," GATE_ALL ",'overrides':[" BY_NAME("8") "]}");
    gate_put(g, 'b', "{" GATE_DATA("2") "," GATE_ALL ",'overrides':[" BY_NAME("8") "]}");
    assert_string_equal(gate_have(g), "1+ 1 1");
    gate_keep(g, 'a', GATE_SPEC("1"));
    gate_turn_all(g, "aaa");
    assert_string_equal(gate_have(g), "1 1 1");
}

static void test_a_version_that_is_lost_changes_nothing(void **state)
{
    struct gate_world *g = *state;

    gate_put(g, 'a', GATE_SPEC("1"));
    gate_answer(g, "=zz");
    gate_put(g, 'b', GATE_SPEC("2"));
    assert_string_equal(gate_have(g), "2 1 1");
    assert_non_null(strstr(gate_said(g, "c2"),
        "\"status\":\"ComputeResourceFailed\",\"message\":\"the version 7a7a7a7a7a7a that its "
        "rollout gives it cannot be read"));
    gate_turn(g, "c2", 'a');
    assert_string_equal(gate_have(g), "2 1 1");
    assert_null(strstr(gate_said(g, "c2"), "ComputeResourceFailed"));
}

static void test_a_version_that_was_wrong_changes_nothing(void **state)
{
    struct gate_world *g = *state;

    gate_put(g, 'a', GATE_SPEC("1"));
    gate_keep(g, 'b',
        "{" GATE_DATA("2") ",'placement':{'clusterSelector':{'matchExpressions':[{'"
                           "key':'a','operator':'Perhaps'}]}}}");
    gate_keep(g, 'c', "{'template':7," GATE_ALL "}");
    gate_answer(g, "bc=");
    gate_put(g, 'd', GATE_SPEC("4"));
    assert_string_equal(gate_have(g), "1 1 4");
    assert_non_null(strstr(gate_said(g, "c2"), "ComputeResourceFailed"));
    /* The latest may be wrong instead. */
    gate_answer(g, "aa=");
    hub_world_put_map(&g->w, "{'template':7," GATE_ALL "}");
    assert_string_equal(gate_have(g), "1 1 4");
    assert_non_null(strstr(gate_said(g, "c3"), "ComputeResourceFailed"));
    assert_null(strstr(gate_said(g, "c1"), "ComputeResourceFailed"));
}

static void test_labels_and_new_clusters_ask_again(void **state)
{
    struct gate_world *g = *state;

    gate_put(g, 'a', GATE_SPEC("1"));
    g->zone = 's';
    gate_put(g, 'b', GATE_SPEC("2"));
    assert_string_equal(gate_have(g), "2 2 2");
    hub_world_cluster(&g->w, "c2", "{'zone':'s'}");
    assert_string_equal(gate_have(g), "2 1 2");
    hub_world_cluster(&g->w, "c2", "{}");
    assert_string_equal(gate_have(g), "2 2 2");
    hub_world_remove(&g->w, W_CLUSTERS, W_SYSTEM, "c3");
    gate_answer(g, "==a");
    hub_world_cluster(&g->w, "c3", "{}");
    assert_string_equal(gate_have(g), "2 2 1");
}

static void test_a_policy_comes_and_goes(void **state)
{
    struct gate_world *g = *state;
    struct hub_object_ref ref = gate_ref();

    g->governed = false;
    gate_answer(g, "aaa");
    gate_put(g, 'a', GATE_SPEC("1"));
    gate_put(g, 'b', GATE_SPEC("2"));
    assert_string_equal(gate_have(g), "2 2 2");
    assert_int_equal(hub_plan_govern(g->w.plan, &ref, true), FED_OK);
    hub_world_settle(&g->w);
    assert_string_equal(gate_have(g), "1 1 1");
    assert_int_equal(hub_plan_govern(g->w.plan, &ref, false), FED_OK);
    hub_world_settle(&g->w);
    assert_string_equal(gate_have(g), "2 2 2");
    ref.name = fed_span_text("nowhere");
    assert_int_equal(hub_plan_govern(g->w.plan, &ref, true), FED_OK);
    assert_int_equal(hub_plan_regate(g->w.plan, &ref, NULL, 0), FED_OK);
    assert_int_equal(hub_plan_gated(g->w.plan, &ref, NULL, NULL), FED_ERR_NOT_FOUND);
}

static bool tell(void *ctx, const struct hub_gated *gated)
{
    char *text = ctx;
    size_t len = strlen(text);

    snprintf(text + len, 512 - len, "%s" FED_SPAN_FMT ":%s%s%s%s%s%s%s", len ? " " : "",
        FED_SPAN_ARG(gated->cluster), gated->selected ? "s" : "", gated->placed ? "p" : "",
        gated->same ? "=" : "", gated->deferred ? "d" : "", gated->work ? "w" : "",
        gated->error[0] ? "!" : "", gated->since_revision ? "" : "?");
    return true;
}

static const char *gated(struct gate_world *g)
{
    static char text[512];
    struct hub_object_ref ref = gate_ref();

    text[0] = '\0';
    assert_int_equal(hub_plan_gated(g->w.plan, &ref, tell, text), FED_OK);
    return text;
}

static void test_who_has_what_is_told(void **state)
{
    struct gate_world *g = *state;

    gate_put(g, 'a',
        "{" GATE_DATA("1") ",'placement':{'clusters':[" ON("c1") "," ON(
            "c2") "]},"
                  "'overrides':[" BY_NAME("8") "]}");
    assert_string_equal(gated(g), "c1:sp=w c2:sp=w");
    gate_answer(g, "aaa");
    gate_put(g, 'b',
        "{" GATE_DATA("1") ",'placement':{'clusters':[" ON("c1") "," ON(
            "c3") "]},"
                  "'overrides':[" BY_NAME("9") "]}");
    assert_string_equal(gated(g), "c1:spw c2:w c3:s");
    assert_true(hub_plan_awaits_rollout(g->w.plan, FED_SPAN_LIT("c1")));
    assert_false(hub_plan_awaits_rollout(g->w.plan, FED_SPAN_LIT("c2"))); /* it leaves */
    assert_true(hub_plan_awaits_rollout(g->w.plan, FED_SPAN_LIT("c3")));
    assert_false(hub_plan_awaits_rollout(g->w.plan, FED_SPAN_LIT("none")));
    gate_turn(g, "c1", '=');
    gate_turn(g, "c3", 'z');
    assert_string_equal(gated(g), "c1:sp=w c2:w c3:s!");
    hub_world_confirm(&g->w, "c2");
    gate_turn(g, "c3", '=');
    assert_string_equal(gated(g), "c1:sp=w c3:sp=w");
    hub_plan_hold(g->w.plan, fed_span_text("c1"), "quiet", 0);
    gate_turn_all(g, "===");
    assert_false(hub_plan_awaits_rollout(g->w.plan, FED_SPAN_LIT("c3")));
    gate_put(g, 'b', "{" GATE_DATA("2") "," GATE_ALL "}");
    assert_string_equal(gated(g), "c1:spdw c2:sp=w c3:sp=w");
}

int main(void)
{
#define GATED(test) cmocka_unit_test_setup_teardown(test, gate_world_open, gate_world_close)
    const struct CMUnitTest tests[] = {
        GATED(test_nobody_asks_of_what_is_not_governed),
        GATED(test_each_cluster_gets_the_version_of_its_answer),
        GATED(test_a_member_is_told_to_try_again),
        GATED(test_what_a_change_costs),
        GATED(test_a_turn_computes_the_pairs_that_it_names),
        GATED(test_a_version_is_parsed_once_and_shared),
        GATED(test_of_a_new_object_there_is_nothing_yet),
        GATED(test_a_version_that_does_not_select_gives_nothing),
        GATED(test_back_again_before_the_cluster_let_go),
        GATED(test_what_the_latest_does_not_select_leaves),
        GATED(test_overrides_are_those_of_the_version),
        GATED(test_what_a_scheduler_maintains_moves_in_every_version),
        GATED(test_a_version_that_is_lost_changes_nothing),
        GATED(test_a_version_that_was_wrong_changes_nothing),
        GATED(test_labels_and_new_clusters_ask_again),
        GATED(test_a_policy_comes_and_goes),
        GATED(test_who_has_what_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
