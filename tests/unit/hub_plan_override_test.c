/* hub_plan_override_test.c - overrides by name and by selector, on a real store. */
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    static struct hub_world w;

    hub_world_open_three(
        &w, (const char *const[]){"{'zone':'a','tier':'web'}", "{'zone':'b'}", "{'zone':'a'}"});
    *state = &w;
    return 0;
}

static void put_map(struct hub_world *w, const char *overrides)
{
    char json[4096];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'x','namespace':'ns'},'spec':{'template':{'data':{'k':'v'}},"
        "'placement':{'clusterSelector':{}},'overrides':%s}}",
        overrides);
    hub_world_put(w, W_CONFIGMAPS, "ns", "x", json);
}

static const struct fed_work *work_in(struct hub_world *w, const char *cluster)
{
    const struct fed_manifest *manifest;

    assert_int_equal(hub_plan_manifest(w->plan, fed_span_text(cluster), &manifest), FED_OK);
    for (size_t i = 0; i < manifest->n_works; i++)
        if (fed_span_is(manifest->works[i].name, "x"))
            return &manifest->works[i];
    return NULL;
}

/* The operations that the cluster gets for ConfigMap ns/x. */
static const char *operations(struct hub_world *w, const char *cluster)
{
    static char text[4096];
    const struct fed_work *work = work_in(w, cluster);

    assert_non_null(work);
    snprintf(text, sizeof text, FED_SPAN_FMT, FED_SPAN_ARG(work->overrides));
    for (char *at = text; *at; at++)
        *at = (char)(*at == '"' ? '\'' : *at);
    return text;
}

#define OP(value) "{'path':'/data/k','value':'" value "'}"
#define NAMED(cluster, op) "{'clusterName':'" cluster "','clusterOverrides':[" op "]}"
#define LABELLED(key, value, op)                                                                   \
    "{'clusterSelector':{'matchLabels':{'" key "':'" value "'}},'clusterOverrides':[" op "]}"
#define EVERY(op) "{'clusterSelector':{},'clusterOverrides':[" op "]}"

static void test_a_selector_overrides_whom_it_matches(void **state)
{
    put_map(*state, "[" LABELLED("zone", "a", OP("a")) "]");
    assert_string_equal(operations(*state, "c1"), "[" OP("a") "]");
    assert_string_equal(operations(*state, "c2"), "");
    assert_string_equal(operations(*state, "c3"), "[" OP("a") "]");
    put_map(*state, "[" EVERY(OP("e")) "]");
    assert_string_equal(operations(*state, "c2"), "[" OP("e") "]");
}

static void test_all_that_match_apply_in_the_order_of_the_list(void **state)
{
    put_map(*state, "[" EVERY(OP("e")) "," NAMED("c1", OP("n")) "," LABELLED(
                        "zone", "a", OP("a")) "," LABELLED("zone", "b", "") "]");
    assert_string_equal(operations(*state, "c1"), "[" OP("e") "," OP("n") "," OP("a") "]");
    assert_string_equal(operations(*state, "c2"), "[" OP("e") "]");
    assert_string_equal(operations(*state, "c3"), "[" OP("e") "," OP("a") "]");
    /* The same, the other way round. */
    put_map(*state, "[" LABELLED("zone", "a", OP("a")) "," NAMED("c1", OP("n")) "]");
    assert_string_equal(operations(*state, "c1"), "[" OP("a") "," OP("n") "]");
}

static void test_a_later_entry_needs_what_an_earlier_one_made(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "[" LABELLED("zone", "a", "{'op':'add','path':'/extra','value':{}}") "," NAMED(
                   "c3", "{'op':'add','path':'/extra/more','value':'m'}") "," NAMED("c2",
                   "{'op':'add','path':'/extra/more','value':'m'}") "]");
    /* c2 has no /extra: it is refused, and nobody else is. */
    assert_non_null(work_in(w, "c1"));
    assert_null(work_in(w, "c2"));
    assert_non_null(work_in(w, "c3"));
    assert_non_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"),
        "{\"name\":\"c2\",\"status\":\"ApplyOverridesFailed\""));
}

static void test_one_path_stands_once_in_an_entry_and_a_name_in_one_entry(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "[" EVERY(OP("1") "," OP("2")) "]");
    assert_null(work_in(w, "c1"));
    assert_non_null(
        strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "appears more than once"));
    put_map(w, "[" NAMED("c1", OP("1")) "," EVERY(OP("2")) "," NAMED("c1", OP("3")) "]");
    assert_null(work_in(w, "c2"));
    assert_non_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"),
        "cluster \\\"c1\\\" appears more than once"));
    /* One selector may stand twice. */
    put_map(w, "[" EVERY(OP("1")) "," EVERY(OP("2")) "]");
    assert_string_equal(operations(w, "c1"), "[" OP("1") "," OP("2") "]");
}

static void test_both_name_and_selector_are_refused(void **state)
{
    put_map(*state, "[{'clusterName':'c1','clusterSelector':{},'clusterOverrides':[" OP("1") "]}]");
    assert_null(work_in(*state, "c1"));
    assert_non_null(
        strstr(hub_world_composed(*state, W_CONFIGMAPS, "ns", "x"), "exclude each other"));
    /* Neither is KubeFed's entry for no cluster. */
    put_map(*state, "[{'clusterOverrides':[" OP("1") "]}]");
    assert_string_equal(operations(*state, "c1"), "");
}

static void test_a_label_renders_again_only_what_it_touches(void **state)
{
    struct hub_world *w = *state;
    uint64_t before[2];
    struct hub_plan_counts counts[2];

    put_map(w, "[" LABELLED("tier", "web", OP("w")) "]");
    hub_world_put(w, W_CONFIGMAPS, "ns", "other",
        "{'metadata':{'name':'other','namespace':'ns'},'spec':{'template':{},'placement':{"
        "'clusters':[{'name':'c2'}]}}}");
    before[0] = hub_world_revision(w, "c1");
    before[1] = hub_world_revision(w, "c3");
    hub_plan_counts(w->plan, &counts[0]);
    hub_world_cluster(w, "c2", "{'zone':'b','tier':'web'}");
    hub_plan_counts(w->plan, &counts[1]);
    assert_string_equal(operations(w, "c2"), "[" OP("w") "]");
    assert_int_equal(hub_world_revision(w, "c1"), before[0]);
    assert_int_equal(hub_world_revision(w, "c3"), before[1]);
    assert_int_equal(counts[1].computed - counts[0].computed, 1);
    /* A label that nobody asks for touches nothing. */
    hub_world_cluster(w, "c2", "{'zone':'b','tier':'web','colour':'red'}");
    hub_plan_counts(w->plan, &counts[0]);
    assert_int_equal(counts[1].computed, counts[0].computed);
}

static void test_those_that_match_alike_share_a_work(void **state)
{
    struct hub_plan_counts counts;

    put_map(*state, "[" LABELLED("zone", "a", OP("a")) "," EVERY(OP("e")) "]");
    hub_plan_counts((*(struct hub_world **)state)->plan, &counts);
    /* Namespace ns, the map for zone a, the map for all others. */
    assert_int_equal(counts.works, 3);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_selector_overrides_whom_it_matches, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_all_that_match_apply_in_the_order_of_the_list, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_a_later_entry_needs_what_an_earlier_one_made, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_one_path_stands_once_in_an_entry_and_a_name_in_one_entry, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_both_name_and_selector_are_refused, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_a_label_renders_again_only_what_it_touches, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_those_that_match_alike_share_a_work, setup, hub_world_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
