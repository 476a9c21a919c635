/* hub_knows_test.c - agents that know less, and more, than the plan would send. */
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub/plan/internal.h"

#define DELETING                                                                                   \
    ",'annotations':{'kubefed.io/deleteoption':'{\\\"propagationPolicy\\\":\\\"Foreground\\\"}'}"

static void know(struct hub_world *w, const char *cluster, uint64_t knows)
{
    hub_plan_agent_knows(w->plan, fed_span_text(cluster), knows);
    hub_world_settle(w);
}

static const struct fed_work *map_of(struct hub_world *w, const char *cluster)
{
    const struct fed_manifest *manifest;

    assert_int_equal(hub_plan_manifest(w->plan, fed_span_text(cluster), &manifest), FED_OK);
    for (size_t i = 0; i < manifest->n_works; i++)
        if (fed_span_is(manifest->works[i].kind, "ConfigMap"))
            return &manifest->works[i];
    fail_msg("no ConfigMap in %s", cluster);
    return NULL;
}

static size_t pieces(struct hub_world *w)
{
    struct hub_plan_counts counts;

    hub_plan_counts(w->plan, &counts);
    return counts.works;
}

/* Statuses are collected: an agent that cannot report them gets the work all the same. */
static void test_what_asks_for_reports_is_left_out(void **state)
{
    struct hub_world *w = *state;
    size_t before;

    hub_world_put(w, W_TYPES, W_SYSTEM, "configmaps",
        "{'metadata':{'name':'configmaps'},'spec':{'propagation':'Enabled','statusCollection':"
        "'Enabled','targetType':{'version':'v1','kind':'ConfigMap','pluralName':'configmaps',"
        "'scope':'Namespaced'},'federatedType':{'group':'types.kubefed.io','version':'v1beta1',"
        "'kind':'FederatedConfigMap','pluralName':'federatedconfigmaps','scope':'Namespaced'},"
        "'statusType':{'group':'types.kubefed.io','version':'v1','kind':'S','pluralName':'ss',"
        "'scope':'Namespaced'}}}");
    hub_world_put(w, "kubefedconfigs.core.kubefed.io", W_SYSTEM, "kubefed",
        "{'metadata':{'name':'kubefed'},'spec':{'scope':'Cluster','featureGates':[{'name':"
        "'RawResourceStatusCollection','configuration':'Enabled'}]}}");
    hub_world_put_map(w, "{'placement':{'clusterSelector':{}}}");
    assert_true(map_of(w, "c1")->options & FED_WORK_STATUS);
    before = pieces(w);
    know(w, "c1", FED_LINK_KNOWS_FIRST & ~(uint64_t)FED_LINK_KNOWS_STATUS);
    know(w, "c2", FED_LINK_KNOWS_FIRST & ~(uint64_t)FED_LINK_KNOWS_STATUS);
    assert_false(map_of(w, "c1")->options & FED_WORK_STATUS);
    assert_false(map_of(w, "c2")->options & FED_WORK_STATUS);
    assert_true(map_of(w, "c3")->options & FED_WORK_STATUS);
    assert_int_equal(pieces(w), before + 1); /* which they share */
    know(w, "c1", FED_LINK_KNOWS_FIRST);
    assert_true(map_of(w, "c1")->options & FED_WORK_STATUS);
}

/* A deletion that an agent would not understand waits for another agent, alone. */
static void test_a_deletion_that_is_not_understood_waits(void **state)
{
    struct hub_world *w = *state;

    hub_world_put_map(w, "{'placement':{'clusters':[{'name':'c1'},{'name':'c2'}]}}");
    know(w, "c1", FED_LINK_KNOWS_FIRST & ~(uint64_t)FED_LINK_KNOWS_DELETE);
    hub_world_put_deleting_map(w, DELETING);
    assert_int_equal(map_of(w, "c1")->options & FED_WORK_DELETE_ALL, 0);
    assert_true(map_of(w, "c2")->options & FED_WORK_DELETE_ALL);
    assert_non_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "\"AgentTooOld\""));
    know(w, "c1", FED_LINK_KNOWS_FIRST);
    assert_true(map_of(w, "c1")->options & FED_WORK_DELETE_ALL);
    assert_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "AgentTooOld"));
}

static void test_it_is_remembered(void **state)
{
    struct hub_world *w = *state;
    uint64_t revision;

    know(w, "c2", 3);
    know(w, "c3", FED_LINK_KNOWS_FIRST | 1u << 30); /* a later one */
    hub_world_put_map(w, "{'placement':{'clusterSelector':{}}}");
    revision = hub_world_revision(w, "c2");
    hub_world_restart(w);
    assert_int_equal(hub_plan_knows(w->plan, FED_SPAN_LIT("c1")), FED_LINK_KNOWS_FIRST);
    assert_int_equal(hub_plan_knows(w->plan, FED_SPAN_LIT("c2")), 3);
    assert_int_equal(hub_plan_knows(w->plan, FED_SPAN_LIT("c3")), FED_LINK_KNOWS_FIRST | 1u << 30);
    assert_int_equal(hub_world_revision(w, "c2"), revision);
    know(w, "c2", FED_LINK_KNOWS_FIRST);
    assert_int_equal(hub_world_revision(w, "c2"), revision); /* nothing that it means differs */
    hub_world_restart(w);
    assert_int_equal(hub_plan_knows(w->plan, FED_SPAN_LIT("c2")), FED_LINK_KNOWS_FIRST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_what_asks_for_reports_is_left_out, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_a_deletion_that_is_not_understood_waits, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(test_it_is_remembered, hub_world_three, hub_world_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
