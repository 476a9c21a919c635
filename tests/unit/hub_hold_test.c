/* hub_hold_test.c - changes that wait for a cluster, and those that do not. */
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub/plan/internal.h"
#include "refused_writes.h"

static void hold(struct hub_world *w, const char *cluster, const char *why)
{
    hub_plan_hold(w->plan, fed_span_text(cluster), why, 0);
    hub_world_settle(w);
}

static void put_value(
    struct hub_world *w, const char *name, const char *value, const char *metadata)
{
    static unsigned generation;
    char json[1024];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'%s','namespace':'ns','generation':%u,'finalizers':['kubefed.io/"
        "sync-controller']%s},'spec':{'template':{'data':{'k':'%s'}},'placement':{"
        "'clusterSelector':{}}}}",
        name, ++generation, metadata, value);
    hub_world_put(w, W_CONFIGMAPS, "ns", name, json);
}

/* The value that a cluster's manifest has for the ConfigMap; "" when it has none. */
static const char *value_of(struct hub_world *w, const char *cluster, const char *name)
{
    static char text[128];
    const struct fed_manifest *manifest;
    struct fed_span blob;

    text[0] = '\0';
    assert_int_equal(hub_plan_manifest(w->plan, fed_span_text(cluster), &manifest), FED_OK);
    for (size_t i = 0; i < manifest->n_works; i++) {
        if (!fed_span_is(manifest->works[i].kind, "ConfigMap") ||
            !fed_span_is(manifest->works[i].name, name))
            continue;
        assert_int_equal(hub_plan_blob(w->plan, &manifest->works[i].blob, &blob), FED_OK);
        snprintf(text, sizeof text, FED_SPAN_FMT, FED_SPAN_ARG(blob));
    }
    return text;
}

static bool has(struct hub_world *w, const char *cluster, const char *name, const char *value)
{
    char part[64];

    snprintf(part, sizeof part, "\"k\":\"%s\"", value);
    return strstr(value_of(w, cluster, name), part) != NULL;
}

static size_t held(struct hub_world *w, const char *cluster)
{
    return hub_plan_held(w->plan, fed_span_text(cluster));
}

/* What is new waits, whole objects and new ones; everything goes in one revision. */
static void test_changes_wait_and_go_together(void **state)
{
    struct hub_world *w = *state;
    uint64_t before;
    unsigned told;

    put_value(w, "x", "1", "");
    before = hub_world_revision(w, "c1");
    hold(w, "c1", "quiet until six");
    put_value(w, "x", "2", "");
    put_value(w, "y", "1", "");
    put_value(w, "x", "3", "");
    assert_int_equal(hub_world_revision(w, "c1"), before);
    assert_true(has(w, "c1", "x", "1"));
    assert_true(has(w, "c2", "x", "3"));
    assert_int_equal(held(w, "c1"), 2);
    assert_int_equal(held(w, "c2"), 0);
    told = w->changed;
    hold(w, "c1", "");
    assert_int_equal(w->changed, told + 1);
    assert_true(has(w, "c1", "x", "3") && has(w, "c1", "y", "1"));
    assert_int_equal(held(w, "c1"), 0);
}

static void test_urgent_ones_and_removals_do_not_wait(void **state)
{
    struct hub_world *w = *state;

    put_value(w, "x", "1", "");
    put_value(w, "z", "1", "");
    hold(w, "c1", "quiet until six");
    put_value(w, "x", "2", "");
    put_value(w, "y", "1", ",'annotations':{'fedlet.io/urgent':'true'}");
    assert_true(has(w, "c1", "y", "1"));
    assert_true(has(w, "c1", "x", "1")); /* it takes nothing else along */
    put_value(w, "z", "1", ",'deletionTimestamp':'2026-01-01T00:00:00Z'");
    assert_string_equal(value_of(w, "c1", "z"), "");
    put_value(w, "x", "2", ",'annotations':{'fedlet.io/urgent':'true'}"); /* after all */
    assert_true(has(w, "c1", "x", "2"));
    assert_int_equal(held(w, "c1"), 0);
    hub_world_put(w, W_NAMESPACES, "more", "more",
        "{'metadata':{'name':'more','namespace':'more','generation':1},'spec':{'placement':{'"
        "clusterSelector':{}}}}");
    assert_non_null(strstr(hub_world_works(w, "c1"), "Namespace//more"));
}

/* What was changed back has nothing to wait for; what is deleted while it waits was never sent. */
static void test_what_waits_may_end_otherwise(void **state)
{
    struct hub_world *w = *state;
    uint64_t before;

    put_value(w, "x", "1", "");
    before = hub_world_revision(w, "c1");
    hold(w, "c1", "quiet until six");
    put_value(w, "x", "2", "");
    put_value(w, "y", "1", "");
    assert_int_equal(held(w, "c1"), 2);
    put_value(w, "x", "1", "");
    hub_world_remove(w, W_CONFIGMAPS, "ns", "y");
    assert_int_equal(held(w, "c1"), 0);
    assert_int_equal(hub_world_revision(w, "c1"), before);
}

/* Over a restart the copy keeps its version, which nobody else remembers. */
static void test_it_waits_over_a_restart(void **state)
{
    struct hub_world *w = *state;
    uint64_t before;

    put_value(w, "x", "1", "");
    put_value(w, "same", "1", "");
    before = hub_world_revision(w, "c1");
    hold(w, "c1", "quiet until six");
    put_value(w, "x", "2", "");
    put_value(w, "y", "1", "");
    for (int i = 0; i < 2; i++) {
        hub_world_restart(w);
        assert_int_equal(hub_world_revision(w, "c1"), before);
        assert_true(has(w, "c1", "x", "1") && has(w, "c1", "same", "1"));
        assert_true(has(w, "c2", "x", i ? "3" : "2"));
        assert_int_equal(held(w, "c1"), 2);
        assert_string_equal(value_of(w, "c1", "y"), "");
        hold(w, "c1", "quiet until six");
        put_value(w, "x", i ? "4" : "3", "");
        assert_true(has(w, "c1", "x", "1"));
    }
    hold(w, "c1", "");
    assert_true(has(w, "c1", "x", "4") && has(w, "c1", "y", "1"));
    before = hub_world_revision(w, "c1");
    hub_world_restart(w);
    assert_int_equal(held(w, "c1"), 0);
    assert_true(has(w, "c1", "x", "4"));
    assert_int_equal(hub_world_revision(w, "c1"), before);
}

/* A change that the disk refused waits for nothing; the same again, taken, is kept like any other.
 */
static void test_a_refused_sync(void **state)
{
    static const char changed[] =
        "{\"metadata\":{\"name\":\"x\",\"namespace\":\"ns\",\"generation\":9,\"finalizers\":["
        "\"kubefed.io/sync-controller\"]},\"spec\":{\"template\":{\"data\":{\"k\":\"2\"}},"
        "\"placement\":{\"clusterSelector\":{}}}}";
    struct hub_world *w = *state;
    struct hub_object_write write = {.ref = {.resource = fed_span_text(W_CONFIGMAPS),
                                         .ns = FED_SPAN_LIT("ns"),
                                         .name = FED_SPAN_LIT("x")},
        .expected = HUB_ANY_REVISION,
        .bytes = fed_span_text(changed)};

    put_value(w, "x", "1", "");
    hold(w, "c1", "quiet until six");
    assert_int_equal(hub_objects_stage(w->objects, &write, 1, NULL, 0, NULL, NULL), FED_OK);
    test_writes_refuse();
    assert_int_not_equal(hub_objects_flush(w->objects, NULL), FED_OK);
    test_writes_allow();
    hub_world_wait(1100); /* the plan waits a while after a failure */
    hub_world_settle(w);
    assert_int_equal(held(w, "c1"), 0);
    assert_true(has(w, "c2", "x", "1"));
    put_value(w, "x", "2", "");
    assert_int_equal(held(w, "c1"), 1);
    hub_world_restart(w);
    assert_int_equal(held(w, "c1"), 1);
    assert_true(has(w, "c1", "x", "1") && has(w, "c2", "x", "2"));
}

static void test_status_says_why(void **state)
{
    struct hub_world *w = *state;
    struct fed_report report = {.full = true,
        .seq = 1,
        .facts = FED_SPAN_LIT("{\"kubernetesVersion\":\"v1.34.4\",\"healthz\":\"ok\"}")};
    struct fed_diag diag = {""};

    put_value(w, "x", "1", "");
    report.epoch = hub_plan_epoch(w->plan);
    report.revision = hub_world_revision(w, "c1");
    hub_status_connected(w->status, FED_SPAN_LIT("c1"), "test", "192.0.2.1:1");
    assert_int_equal(hub_status_report(w->status, FED_SPAN_LIT("c1"), &report, &diag), FED_OK);
    hold(w, "c1", "quiet until six");
    put_value(w, "x", "2", "");
    assert_non_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"),
        "\"name\":\"c1\",\"status\":\"Held\",\"message\":\"quiet until six\""));
    hold(w, "c1", "");
    assert_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "\"Held\""));
}

/* A cluster of the same name that is registered anew has nothing to wait for. */
static void test_a_cluster_that_went(void **state)
{
    struct hub_world *w = *state;

    put_value(w, "x", "1", "");
    hold(w, "c1", "quiet until six");
    put_value(w, "x", "2", "");
    hub_world_remove(w, W_CLUSTERS, W_SYSTEM, "c1");
    hub_world_cluster(w, "c1", "{}");
    assert_true(has(w, "c1", "x", "2"));
    hub_world_restart(w);
    assert_true(has(w, "c1", "x", "2"));
    assert_int_equal(held(w, "c1"), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, hub_world_three, hub_world_end)
    const struct CMUnitTest tests[] = {
        CASE(test_changes_wait_and_go_together),
        CASE(test_urgent_ones_and_removals_do_not_wait),
        CASE(test_what_waits_may_end_otherwise),
        CASE(test_it_waits_over_a_restart),
        CASE(test_a_refused_sync),
        CASE(test_status_says_why),
        CASE(test_a_cluster_that_went),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
