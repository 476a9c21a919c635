/* hub_plan_delete_test.c - deletions: who is waited for, and how copies are deleted. */
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_deletion_waits_for_every_cluster(void **state)
{
    struct hub_world *w = *state;
    uint64_t stale;
    struct fed_span still = fed_span_text("v1/ConfigMap/ns/x");

    hub_world_put_map(w, "{'placement':{'clusterSelector':{}}}");
    stale = hub_world_revision(w, "c1");
    hub_world_put_deleting_map(w, "");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "");
    hub_world_confirm(w, "c2");
    hub_world_confirm(w, "c3");
    /* An older report, and one that still holds the object, confirm nothing. */
    hub_plan_removed(w->plan, fed_span_text("c1"), stale, NULL, 0);
    hub_plan_removed(w->plan, fed_span_text("c1"), hub_world_revision(w, "c1"), &still, 1);
    hub_world_settle(w);
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    hub_world_confirm(w, "c1");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static void test_deletion_goes_on_after_a_restart(void **state)
{
    struct hub_world *w = *state;

    hub_world_put_map(w, "{'placement':{'clusterSelector':{}}}");
    hub_world_put_deleting_map(w, "");
    hub_world_restart(w);
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    hub_world_confirm(w, "c1");
    hub_world_confirm(w, "c2");
    hub_world_confirm(w, "c3");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static void test_unregistered_cluster_is_not_waited_for(void **state)
{
    struct hub_world *w = *state;

    hub_world_put_map(w, "{'placement':{'clusters':[{'name':'c1'}]}}");
    hub_world_put_deleting_map(w, "");
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    hub_world_remove(w, W_CLUSTERS, W_SYSTEM, "c1");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static void test_who_is_away_is_not_waited_for(void **state)
{
    struct hub_world *w = *state;

    hub_world_put_map(w, "{'placement':{'clusterSelector':{}}}");
    hub_world_put_deleting_map(w, "");
    hub_world_confirm(w, "c2");
    hub_world_confirm(w, "c3");
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    hub_plan_away(w->plan, fed_span_text("c1"), true);
    hub_world_settle(w);
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    /* It has left the manifest, so the agent removes it when it is back; a new one of the name
     * comes to all. */
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
    hub_world_put_map(w, "{'placement':{'clusterSelector':{}}}");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "c1 c2 c3");
    hub_world_confirm(w, "c1");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "c1 c2 c3");
}

static void test_who_never_joined_is_not_waited_for(void **state)
{
    struct hub_world *w = *state;

    hub_world_put(w, W_CLUSTERS, W_SYSTEM, "c4", "{'metadata':{'name':'c4'},'spec':{}}");
    hub_world_put_map(w, "{'placement':{'clusters':[{'name':'c4'}]}}");
    hub_world_put_deleting_map(w, "");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static void test_copies_that_stay_are_waited_for_also_where_it_is_away(void **state)
{
    struct hub_world *w = *state;

    hub_world_put_map(w, "{'placement':{'clusters':[{'name':'c1'}]}}");
    hub_plan_away(w->plan, fed_span_text("c1"), true);
    hub_world_put_deleting_map(w, ",'annotations':{'kubefed.io/orphan':'true'}");
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/ns/x!,Namespace//ns");
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    hub_world_confirm(w, "c1");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static uint32_t options_of_map(struct hub_world *w, const char *cluster)
{
    const struct fed_manifest *manifest;

    assert_int_equal(hub_plan_manifest(w->plan, fed_span_text(cluster), &manifest), FED_OK);
    for (size_t i = 0; i < manifest->n_works; i++)
        if (fed_span_is(manifest->works[i].kind, "ConfigMap"))
            return manifest->works[i].options & FED_WORK_DELETE_ALL;
    fail_msg("no ConfigMap in %s", cluster);
    return 0;
}

static void test_how_to_delete_comes_before_the_deletion(void **state)
{
    struct hub_world *w = *state;
    uint32_t foreground = FED_WORK_DELETE_WITH(FED_WORK_DELETE_FOREGROUND) | FED_WORK_GRACE |
                          30u << FED_WORK_GRACE_SHIFT;

    hub_world_put_map(w, "{'placement':{'clusters':[{'name':'c1'}]}}");
    assert_int_equal(options_of_map(w, "c1"), 0);
    hub_world_put_deleting_map(w,
        ",'annotations':{'kubefed.io/deleteoption':'{\\\"propagationPolicy\\\":\\\"Foreground\\\","
        "\\\"gracePeriodSeconds\\\":30}'}");
    assert_int_equal(options_of_map(w, "c1"), foreground);
    hub_world_confirm(w, "c1");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
    hub_world_confirm(w, "c1");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static void test_unusable_delete_options_block_and_say_so(void **state)
{
    static const char *const rows[][2] = {{"{oops", "deleteoption: "}, {"[]", "not an object"},
        {"{\\\"propagationPolicy\\\":\\\"Sideways\\\"}", "none of Orphan"},
        {"{\\\"gracePeriodSeconds\\\":-1}", "gracePeriodSeconds"},
        {"{\\\"gracePeriodSeconds\\\":2097152}", "gracePeriodSeconds"},
        {"{\\\"preconditions\\\":{\\\"uid\\\":\\\"u\\\"}}", "preconditions"}};
    struct hub_world *w = *state;
    char annotation[200];

    hub_world_put_map(w, "{'placement':{'clusters':[{'name':'c1'}]}}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(annotation, sizeof annotation, ",'annotations':{'kubefed.io/deleteoption':'%s'}",
            rows[i][0]);
        hub_world_put_deleting_map(w, annotation);
        assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "c1");
        assert_non_null(
            strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "\"DeletionFailed\""));
        assert_non_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), rows[i][1]));
    }
    hub_world_put_deleting_map(w, ",'annotations':{'kubefed.io/deleteoption':'{}'}");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "");
}

static void test_orphaning_releases_before_it_removes(void **state)
{
    struct hub_world *w = *state;

    hub_world_put_map(w, "{'placement':{'clusters':[{'name':'c1'}]}}");
    hub_world_put_deleting_map(w, ",'annotations':{'kubefed.io/orphan':'true'}");
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/ns/x!,Namespace//ns");
    hub_world_confirm(w, "c1");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
    hub_world_confirm(w, "c1");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_deletion_waits_for_every_cluster, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_deletion_goes_on_after_a_restart, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_unregistered_cluster_is_not_waited_for, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_who_is_away_is_not_waited_for, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_who_never_joined_is_not_waited_for, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(test_copies_that_stay_are_waited_for_also_where_it_is_away,
            hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_how_to_delete_comes_before_the_deletion, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_unusable_delete_options_block_and_say_so, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_orphaning_releases_before_it_removes, hub_world_three, hub_world_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
