/* hub_plan_stopped_test.c - types that are stopped: what is in the clusters stays, also across a
 * restart. */
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define W_CONFIGS "kubefedconfigs.core.kubefed.io"
#define ROLE ",ClusterRole//r"

static int setup(void **state)
{
    static struct hub_world w;

    hub_world_open(&w);
    hub_world_types(&w);
    hub_world_cluster(&w, "c1", "{}");
    hub_world_cluster(&w, "c2", "{}");
    hub_world_put(&w, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns'},'spec':{'placement':{'clusterSelector':{}}}}");
    hub_world_put(&w, W_CLUSTERROLES, "", "r",
        "{'metadata':{'name':'r'},'spec':{'placement':{'clusterSelector':{}}}}");
    *state = &w;
    return 0;
}

static void put_map(struct hub_world *w, const char *cluster, const char *data, const char *meta)
{
    char json[1024];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'x','namespace':'ns','generation':1,'finalizers':['kubefed.io/"
        "sync-controller']%s},'spec':{'template':{'data':{'k':'%s'}},'placement':{'clusters':[{"
        "'name':'%s'}]}}}",
        meta, data, cluster);
    hub_world_put(w, W_CONFIGMAPS, "ns", "x", json);
}

static void put_maps_type(struct hub_world *w, const char *propagation, const char *meta)
{
    char json[1024];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'configmaps'%s},'spec':{'targetType':{'version':'v1','kind':"
        "'ConfigMap','pluralName':'configmaps','scope':'Namespaced'},'federatedType':{'group':"
        "'types.kubefed.io','version':'v1beta1','kind':'FederatedConfigMap','pluralName':"
        "'federatedconfigmaps','scope':'Namespaced'},'propagation':'%s'}}",
        meta, propagation);
    hub_world_put(w, W_TYPES, W_SYSTEM, "configmaps", json);
}

static void put_config(struct hub_world *w, const char *spec)
{
    char json[512];

    snprintf(json, sizeof json, "{'metadata':{'name':'kubefed'},'spec':%s}", spec);
    hub_world_put(w, W_CONFIGS, W_SYSTEM, "kubefed", json);
}

static void confirm(struct hub_world *w, const char *cluster)
{
    hub_plan_removed(w->plan, fed_span_text(cluster), hub_world_revision(w, cluster), NULL, 0);
    hub_world_settle(w);
}

static void assert_works(struct hub_world *w, const char *c1, const char *c2)
{
    assert_string_equal(hub_world_works(w, "c1"), c1);
    assert_string_equal(hub_world_works(w, "c2"), c2);
}

#define ALL_HELD "ConfigMap/ns/x=,Namespace//ns" ROLE

static void test_disabled_type_holds(void **state)
{
    struct hub_world *w = *state;
    uint64_t before;

    put_map(w, "c1", "1", "");
    put_maps_type(w, "Disabled", "");
    assert_works(w, ALL_HELD, ALL_HELD);
    before = hub_world_revision(w, "c1");
    put_map(w, "c2", "2", ""); /* neither content nor placement goes out */
    assert_works(w, ALL_HELD, ALL_HELD);
    assert_int_equal(hub_world_revision(w, "c1"), before);
    hub_world_restart(w);
    assert_works(w, ALL_HELD, ALL_HELD);
    put_maps_type(w, "Enabled", "");
    assert_works(w, "Namespace//ns" ROLE, "ConfigMap/ns/x,Namespace//ns" ROLE);
}

static void test_held_is_shown_where_it_would_be(void **state)
{
    struct hub_world *w = *state;
    const char *composed;

    put_map(w, "c1", "1", "");
    put_maps_type(w, "Disabled", "");
    composed = hub_world_composed(w, W_CONFIGMAPS, "ns", "x");
    assert_non_null(strstr(composed, "\"name\":\"c1\""));
    assert_null(strstr(composed, "\"name\":\"c2\""));
}

static void test_deletion_waits_for_the_type(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "c1", "1", "");
    put_maps_type(w, "Enabled", ",'deletionTimestamp':'2026-01-01T00:00:00Z'");
    put_map(w, "c1", "1", ",'deletionTimestamp':'2026-01-01T00:00:00Z'");
    assert_works(w, ALL_HELD, ALL_HELD);
    hub_world_restart(w);
    assert_works(w, ALL_HELD, ALL_HELD);
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    put_maps_type(w, "Enabled", "");
    assert_works(w, "Namespace//ns" ROLE, "Namespace//ns" ROLE);
    confirm(w, "c1");
    confirm(w, "c2");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static void test_removed_type_holds(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "c1", "1", "");
    hub_world_remove(w, W_TYPES, W_SYSTEM, "configmaps");
    assert_works(w, ALL_HELD, ALL_HELD);
    hub_world_restart(w); /* which finds no FederatedTypeConfig */
    assert_works(w, ALL_HELD, ALL_HELD);
    put_maps_type(w, "Enabled", "");
    assert_works(w, "ConfigMap/ns/x,Namespace//ns" ROLE, "Namespace//ns" ROLE);
    hub_world_restart(w);
    assert_works(w, "ConfigMap/ns/x,Namespace//ns" ROLE, "Namespace//ns" ROLE);
}

static void test_what_is_deleted_after_its_type_is_released(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "c1", "1", "");
    hub_world_remove(w, W_TYPES, W_SYSTEM, "configmaps");
    put_map(w, "c1", "1", ",'deletionTimestamp':'2026-01-01T00:00:00Z'");
    assert_works(w, "ConfigMap/ns/x=!,Namespace//ns" ROLE, "ConfigMap/ns/x=!,Namespace//ns" ROLE);
    hub_world_restart(w);
    assert_works(w, "ConfigMap/ns/x=!,Namespace//ns" ROLE, "ConfigMap/ns/x=!,Namespace//ns" ROLE);
    confirm(w, "c1");
    confirm(w, "c2");
    confirm(w, "c1");
    confirm(w, "c2");
    assert_works(w, "Namespace//ns" ROLE, "Namespace//ns" ROLE);
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static void test_namespaces_are_needed(void **state)
{
    static const char held[] = "ConfigMap/ns/x=,Namespace//ns=" ROLE;
    struct hub_world *w = *state;

    put_map(w, "c1", "1", "");
    hub_world_remove(w, W_TYPES, W_SYSTEM, "namespaces");
    assert_works(w, held, held);
    hub_world_restart(w);
    assert_works(w, held, held);
    hub_world_types(w);
    assert_works(w, "ConfigMap/ns/x,Namespace//ns" ROLE, "Namespace//ns" ROLE);
}

static void test_without_push_nothing_goes_out(void **state)
{
    static const char held[] = "ConfigMap/ns/x=,Namespace//labelled=,Namespace//ns=" ROLE "=";
    struct hub_world *w = *state;

    put_map(w, "c1", "1", "");
    hub_world_put(w, "namespaces", "", "labelled",
        "{'metadata':{'name':'labelled','labels':{'federated':'true'}}}");
    hub_world_put(w, "namespaces", "", "kube-system", "{'metadata':{'name':'kube-system'}}");
    put_config(w, "{'featureGates':[{'name':'PushReconciler','configuration':'Disabled'}]}");
    assert_works(w, held, held);
    hub_world_put(w, "namespaces", "", "labelled", "{'metadata':{'name':'labelled'}}");
    hub_world_restart(w);
    assert_works(w, held, held);
    put_config(w, "{}");
    assert_works(w, "ConfigMap/ns/x,Namespace//ns" ROLE, "Namespace//ns" ROLE);
}

static uint32_t options_of_map(struct hub_world *w)
{
    const struct fed_manifest *manifest;

    assert_int_equal(hub_plan_manifest(w->plan, fed_span_text("c1"), &manifest), FED_OK);
    for (size_t i = 0; i < manifest->n_works; i++)
        if (fed_span_is(manifest->works[i].kind, "ConfigMap"))
            return manifest->works[i].options;
    return 0;
}

static void test_adopting(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "c1", "1", "");
    assert_true(options_of_map(w) & FED_WORK_ADOPT);
    put_config(w, "{'syncController':{'adoptResources':'Disabled'}}");
    assert_false(options_of_map(w) & FED_WORK_ADOPT);
    hub_world_restart(w);
    assert_false(options_of_map(w) & FED_WORK_ADOPT);
    hub_world_remove(w, W_CONFIGS, W_SYSTEM, "kubefed");
    assert_true(options_of_map(w) & FED_WORK_ADOPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_disabled_type_holds, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_held_is_shown_where_it_would_be, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_deletion_waits_for_the_type, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_removed_type_holds, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_what_is_deleted_after_its_type_is_released, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_namespaces_are_needed, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_without_push_nothing_goes_out, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_adopting, setup, hub_world_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
