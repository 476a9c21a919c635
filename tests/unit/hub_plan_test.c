/* hub_plan_test.c - placement, namespaces and what is sent, on a real store. */
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
        &w, (const char *const[]){"{'zone':'a','tier':'web'}", "{'zone':'b'}", "{}"});
    *state = &w;
    return 0;
}

static void test_placement_table(void **state)
{
    static const struct {
        const char *placement;
        const char *clusters;
    } rows[] = {
        {"{}", ""},
        {"null", ""},
        {"{'clusterSelector':{}}", "c1 c2 c3"},
        {"{'clusterSelector':{'matchLabels':{}}}", "c1 c2 c3"},
        {"{'clusterSelector':{'matchLabels':{'zone':'a'}}}", "c1"},
        {"{'clusterSelector':{'matchLabels':{'zone':'a'},'matchExpressions':[{'key':'tier','"
         "operator':'Exists'}]}}",
            "c1"},
        {"{'clusterSelector':{'matchExpressions':[{'key':'zone','operator':'In','values':['a','b']}"
         "]}}",
            "c1 c2"},
        {"{'clusterSelector':{'matchExpressions':[{'key':'zone','operator':'NotIn','values':['a']}]"
         "}}",
            "c2 c3"},
        {"{'clusterSelector':{'matchExpressions':[{'key':'zone','operator':'DoesNotExist'}]}}",
            "c3"},
        {"{'clusters':[]}", ""},
        {"{'clusters':[],'clusterSelector':{}}", ""},
        {"{'clusters':null,'clusterSelector':{}}", "c1 c2 c3"},
        {"{'clusters':[{'name':'c2'},{'name':'nowhere'}]}", "c2"},
        {"{'clusters':[{'name':'c2'}],'clusterSelector':{}}", "c2"},
    };
    char spec[512];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(
            spec, sizeof spec, "{'template':{'data':{'k':'v'}},'placement':%s}", rows[i].placement);
        hub_world_put_map(*state, spec);
        if (strcmp(hub_world_where(*state, "ConfigMap/ns/x"), rows[i].clusters) != 0)
            fail_msg("placement %s: in \"%s\", expected \"%s\"", rows[i].placement,
                hub_world_where(*state, "ConfigMap/ns/x"), rows[i].clusters);
    }
}

static void test_bad_selector_keeps_what_is_there(void **state)
{
    hub_world_put_map(*state, "{'placement':{'clusters':[{'name':'c1'}]}}");
    assert_string_equal(hub_world_where(*state, "ConfigMap/ns/x"), "c1");
    hub_world_put_map(*state,
        "{'placement':{'clusterSelector':{'matchExpressions':[{'key':'a','operator':'Is'}]}}}");
    assert_string_equal(hub_world_where(*state, "ConfigMap/ns/x"), "c1");
    assert_non_null(
        strstr(hub_world_composed(*state, W_CONFIGMAPS, "ns", "x"), "ComputePlacementFailed"));
}

static void test_namespace_intersection(void **state)
{
    struct hub_world *w = *state;

    hub_world_put_map(w, "{'placement':{'clusterSelector':{}}}");
    hub_world_put(w, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns'},'spec':{'placement':{'clusters':[{'name':'c1'},"
        "{'name':'c3'}]}}}");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "c1 c3");
    assert_string_equal(hub_world_works(w, "c2"), "");
    hub_world_remove(w, W_NAMESPACES, "ns", "ns");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "");
    assert_non_null(
        strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "NamespaceNotFederated"));
    /* A FederatedNamespace under another name does not count. */
    hub_world_put(w, W_NAMESPACES, "ns", "other",
        "{'metadata':{'name':'other','namespace':'ns'},'spec':{'placement':{'clusterSelector':{}}}"
        "}");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "");
}

static bool counts_on(struct hub_world *w, const char *cluster)
{
    return hub_plan_namespace_in(w->plan, FED_SPAN_LIT("ns"), fed_span_text(cluster));
}

static void test_scheduler_counts_on_any_cluster_until_the_namespace_is_federated(void **state)
{
    struct hub_world *w = *state;

    assert_true(counts_on(w, "c1"));
    assert_true(counts_on(w, "c2"));
    hub_world_put(w, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns'},'spec':{'placement':{'clusters':[{'name':'c1'}]"
        "}}}");
    assert_true(counts_on(w, "c1"));
    assert_false(counts_on(w, "c2"));
    hub_world_remove(w, W_NAMESPACES, "ns", "ns");
    assert_true(counts_on(w, "c2"));
    assert_false(counts_on(w, "nobody"));
}

static void test_cluster_scoped_needs_no_namespace(void **state)
{
    hub_world_put(*state, W_CLUSTERROLES, "", "r",
        "{'metadata':{'name':'r'},'spec':{'placement':{'clusters':[{'name':'c2'}]}}}");
    assert_string_equal(hub_world_works(*state, "c2"), "Namespace//ns,ClusterRole//r");
}

static void test_label_federates_a_namespace(void **state)
{
    struct hub_world *w = *state;

    hub_world_put(
        w, "namespaces", "", "shop", "{'metadata':{'name':'shop','labels':{'federated':'true'}}}");
    hub_world_put(w, W_CONFIGMAPS, "shop", "m",
        "{'metadata':{'name':'m','namespace':'shop'},'spec':{'template':{}}}");
    assert_string_equal(hub_world_works(w, "c3"), "ConfigMap/shop/m,Namespace//ns,Namespace//shop");
    /* A FederatedNamespace takes over. */
    hub_world_put(w, W_NAMESPACES, "shop", "shop",
        "{'metadata':{'name':'shop','namespace':'shop'},'spec':{'placement':{'clusters':[{'name':'"
        "c1'}]}}}");
    assert_string_equal(hub_world_works(w, "c3"), "Namespace//ns");
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/shop/m,Namespace//ns,Namespace//shop");
    hub_world_remove(w, W_NAMESPACES, "shop", "shop");
    hub_world_put(w, "namespaces", "", "shop", "{'metadata':{'name':'shop'}}");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
    /* The system's own namespaces are never propagated. */
    hub_world_put(w, "namespaces", "", "kube-system",
        "{'metadata':{'name':'kube-system','labels':{'federated':'true'}}}");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
}

static void put_shop(struct hub_world *w, const char *labels)
{
    char json[256];

    snprintf(json, sizeof json, "{'metadata':{'name':'shop','labels':%s}}", labels);
    hub_world_put(w, "namespaces", "", "shop", json);
}

static const char shop_federated[] =
    "{'metadata':{'name':'shop','namespace':'shop','finalizers':"
    "['kubefed.io/sync-controller']%s},'spec':{'placement':{'clusterSelector':{}}}}";

static void put_shop_federated(struct hub_world *w, const char *more)
{
    char json[512];

    snprintf(json, sizeof json, shop_federated, more);
    hub_world_put(w, W_NAMESPACES, "shop", "shop", json);
}

/* Label and FederatedNamespace stand for one object: as long as either asks for it, nobody may
 * remove it. */
static void test_label_keeps_what_the_federated_namespace_leaves(void **state)
{
    static const char gone[] = ",'deletionTimestamp':'2026-01-01T00:00:00Z'";
    static const char orphaned[] =
        ",'deletionTimestamp':'2026-01-01T00:00:00Z','annotations':{'kubefed.io/orphan':'true'}";
    const char *const ways[] = {gone, orphaned, NULL};
    struct hub_world *w = *state;

    put_shop(w, "{'federated':'true'}");
    for (size_t i = 0; i < 3; i++) {
        put_shop_federated(w, "");
        assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns,Namespace//shop");
        if (ways[i])
            put_shop_federated(w, ways[i]);
        else
            hub_world_remove(w, W_NAMESPACES, "shop", "shop");
        assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns,Namespace//shop");
        /* Nothing was taken from a member, so nobody has to confirm. */
        assert_string_equal(hub_world_composed(w, W_NAMESPACES, "shop", "shop"), "(absent)");
    }
    put_shop_federated(w, "");
    put_shop(w, "{}");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns,Namespace//shop");
    put_shop_federated(w, gone);
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
}

static void test_label_keeps_it_across_a_restart(void **state)
{
    struct hub_world *w = *state;

    put_shop_federated(w, "");
    put_shop_federated(w, ",'deletionTimestamp':'2026-01-01T00:00:00Z'");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
    put_shop(w, "{'federated':'true'}");
    hub_world_restart(w);
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns,Namespace//shop");
}

static void test_federated_namespace_that_cannot_be_sent_takes_nothing(void **state)
{
    struct hub_world *w = *state;

    put_shop(w, "{'federated':'true'}");
    hub_world_put(w, W_NAMESPACES, "shop", "shop",
        "{'metadata':{'name':'shop','namespace':'shop'},'spec':{'placement':{'clusterSelector':{}},"
        "'overrides':[{"
        "'clusterName':'c1','clusterOverrides':[{'op':'remove','path':'/metadata/labels/"
        "none'}]}]}}");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns,Namespace//shop");
    hub_world_remove(w, W_NAMESPACES, "shop", "shop");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns,Namespace//shop");
    put_shop(w, "{}");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
}

static void test_another_api_group_is_another_object(void **state)
{
    struct hub_world *w = *state;

    hub_world_put_map(
        w, "{'template':{'data':{'k':'v'}},'placement':{'clusters':[{'name':'c1'}]}}");
    hub_world_put_map(w, "{'template':{'apiVersion':'other.io/"
                         "v1','data':{'k':'v'}},'placement':{'clusters':[{'name':'c1'}]}}");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns,ConfigMap/ns/x");
    hub_world_put_map(w, "{'placement':{'clusters':[]}}");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
}

static void test_overrides(void **state)
{
    struct hub_world *w = *state;

    hub_world_put_map(w,
        "{'template':{'data':{'k':'v'}},'placement':{'clusterSelector':{}},'overrides':[{'"
        "clusterName':'c2',"
        "'clusterOverrides':[{'path':'/data/k','value':'w'}]}]}");
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/ns/x,Namespace//ns");
    assert_string_equal(hub_world_works(w, "c2"), "ConfigMap/ns/x+,Namespace//ns");
}

static void test_override_that_does_not_fit_keeps_the_last_version(void **state)
{
    struct hub_world *w = *state;
    uint64_t before;

    hub_world_put_map(w, "{'template':{'data':{'k':'v'}},'placement':{'clusterSelector':{}}}");
    before = hub_world_revision(w, "c2");
    hub_world_put_map(w,
        "{'template':{'data':{'k':'v2'}},'placement':{'clusterSelector':{}},'overrides':[{'"
        "clusterName':'c2',"
        "'clusterOverrides':[{'op':'remove','path':'/nothing/here'}]}]}");
    assert_int_equal(hub_world_revision(w, "c2"), before);
    assert_true(hub_world_revision(w, "c1") > before);
    assert_non_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"),
        "\"name\":\"c2\",\"status\":\"ApplyOverridesFailed\""));
}

static void test_invalid_override_refuses_all(void **state)
{
    struct hub_world *w = *state;

    hub_world_put_map(w, "{'placement':{'clusterSelector':{}},'overrides':[{'clusterName':'c2','"
                         "clusterOverrides':[{'path':'/kind',"
                         "'value':'w'}]}]}");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "");
    hub_world_put_map(w, "{'placement':{'clusterSelector':{}},'overrides':[{'clusterName':'c2','"
                         "clusterOverrides':[]},{'clusterName':"
                         "'c2','clusterOverrides':[]}]}");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "");
}

static void test_unchanged_objects_move_nothing(void **state)
{
    struct hub_world *w = *state;
    uint64_t before;
    unsigned told;

    hub_world_put_map(w, "{'template':{'a':{'x':1,'y':2}},'placement':{'clusterSelector':{}}}");
    before = hub_world_revision(w, "c1");
    told = w->changed;
    hub_world_put_map(w, "{'placement':{'clusterSelector':{}},'template':{'a':{'y':2,'x':1}}}");
    assert_int_equal(hub_world_revision(w, "c1"), before);
    assert_int_equal(w->changed, told);
}

static void test_labels_replan_only_that_cluster(void **state)
{
    struct hub_world *w = *state;
    uint64_t before;

    hub_world_put_map(w, "{'placement':{'clusterSelector':{'matchLabels':{'zone':'a'}}}}");
    before = hub_world_revision(w, "c1");
    hub_world_cluster(w, "c2", "{'zone':'a'}");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "c1 c2");
    assert_int_equal(hub_world_revision(w, "c1"), before);
    hub_world_cluster(w, "c1", "{'zone':'z'}");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "c2");
}

static void test_overrides_may_change_the_version_and_not_the_identity(void **state)
{
    struct hub_world *w = *state;
    const struct fed_manifest *manifest;

    hub_world_put_map(w,
        "{'placement':{'clusters':[{'name':'c1'},{'name':'c2'}]},'overrides':["
        "{'clusterName':'c1','clusterOverrides':[{'path':'/apiVersion','value':'v2'}]},"
        "{'clusterName':'c2','clusterOverrides':[{'path':'/metadata','value':{}}]}]}");
    assert_int_equal(hub_plan_manifest(w->plan, fed_span_text("c1"), &manifest), FED_OK);
    assert_true(fed_span_is(manifest->works[0].api_version, "v2"));
    assert_string_equal(hub_world_works(w, "c2"), "Namespace//ns");
    assert_non_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "\"CreationFailed\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_placement_table, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_bad_selector_keeps_what_is_there, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_namespace_intersection, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_scheduler_counts_on_any_cluster_until_the_namespace_is_federated, setup,
            hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_cluster_scoped_needs_no_namespace, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_label_federates_a_namespace, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_label_keeps_what_the_federated_namespace_leaves, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_label_keeps_it_across_a_restart, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_federated_namespace_that_cannot_be_sent_takes_nothing, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_another_api_group_is_another_object, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_overrides, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_override_that_does_not_fit_keeps_the_last_version, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_invalid_override_refuses_all, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_unchanged_objects_move_nothing, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_labels_replan_only_that_cluster, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_overrides_may_change_the_version_and_not_the_identity, setup, hub_world_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
