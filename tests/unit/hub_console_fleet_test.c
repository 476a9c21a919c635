/* hub_console_fleet_test.c - clusters at a glance: what reports, labels and comings and goings do
 * to versions, and what those are told who have a version. */
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hub/console/fleet.h"
#include "ports/http/pieces.h"

static uint64_t clock_ms;

static uint64_t moved_clock(void *ctx)
{
    (void)ctx;
    return clock_ms;
}

struct world {
    struct hub_world hub;
    struct console_fleet *fleet;
    uint64_t seq;
    bool told_facts;
};

static int setup(void **state)
{
    static const char *const labels[3] = {"{'a':'1'}", "{}", "{}"};
    static struct world w;
    struct fed_diag diag = {""};

    memset(&w, 0, sizeof w);
    hub_world_open_three(&w.hub, labels);
    clock_ms = fed_loop_now_ms(w.hub.loop);
    w.hub.loop->now_ms = moved_clock;
    hub_world_put_map(&w.hub, "{'placement':{'clusterSelector':{}}}");
    if (console_fleet_open(
            fed_alloc_system(), w.hub.loop, w.hub.objects, w.hub.status, &w.fleet, &diag))
        fail_msg("%s", diag.text);
    console_fleet_look(w.fleet);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    console_fleet_close(w->fleet);
    hub_world_close(&w->hub);
    return 0;
}

static const struct console_fleet_cluster *look(struct world *w, size_t index)
{
    hub_world_settle(&w->hub);
    clock_ms += 500;
    console_fleet_look(w->fleet);
    assert_true(index < w->fleet->n);
    return w->fleet->list[index];
}

static const struct fed_span facts = {
    (const uint8_t *)"{\"kubernetesVersion\":\"v1.34.4\",\"healthz\":\"ok\"}", 46};

static void report(struct world *w, const char *cluster, enum fed_work_state work, const char *why)
{
    struct fed_report_entry entries[2] = {
        {.index = 0, .state = work, .reason = fed_span_text(why), .generation = 1},
        {.index = 1, .state = FED_WORK_APPLIED, .generation = 1}};
    struct fed_report r = {.full = true,
        .epoch = hub_plan_epoch(w->hub.plan),
        .revision = hub_world_revision(&w->hub, cluster),
        .seq = ++w->seq,
        .entries = entries,
        .n_entries = 2,
        .facts = w->told_facts ? fed_span_text("") : facts};
    struct fed_diag diag = {""};

    hub_status_connected(w->hub.status, fed_span_text(cluster), "coap", "127.0.0.1:1");
    if (hub_status_report(w->hub.status, fed_span_text(cluster), &r, &diag))
        fail_msg("%s", diag.text);
    w->told_facts = true; /* facts touch the cluster's object: later reports are heard of alone */
}

static void assert_glance(const struct console_fleet_cluster *cluster, enum hub_connectivity c,
    enum hub_delivery d, size_t drifted, size_t failed)
{
    assert_int_equal(cluster->glance.connectivity, c);
    assert_int_equal(cluster->glance.delivery, d);
    assert_int_equal(cluster->glance.drifted, drifted);
    assert_int_equal(cluster->glance.failed, failed);
}

static void test_reports_are_seen(void **state)
{
    struct world *w = *state;
    uint64_t version = w->fleet->version;

    assert_int_equal(w->fleet->n, 3);
    assert_glance(w->fleet->list[0], HUB_NEVER, HUB_WAITING, 0, 0);
    report(w, "c2", FED_WORK_APPLIED, "");
    assert_glance(look(w, 1), HUB_ONLINE, HUB_IN_SYNC, 0, 0);
    assert_int_equal(w->fleet->list[1]->changed, w->fleet->version);
    assert_true(w->fleet->version > version);
    assert_true(console_fleet_follows(w->fleet, version));
    version = w->fleet->version;
    report(w, "c2", FED_WORK_APPLIED, "");
    look(w, 1);
    assert_int_equal(w->fleet->version, version); /* nothing new */
    report(w, "c2", FED_WORK_APPLIED, "Drifted");
    assert_glance(look(w, 1), HUB_ONLINE, HUB_DRIFTED, 1, 0);
    report(w, "c2", FED_WORK_APPLIED, "Contested");
    assert_glance(look(w, 1), HUB_ONLINE, HUB_CONTESTED, 1, 0);
    report(w, "c2", FED_WORK_FAILED, "CreationFailed");
    assert_glance(look(w, 1), HUB_ONLINE, HUB_FAILED, 0, 1);
    report(w, "c2", FED_WORK_WAITING, "NoNamespace");
    assert_glance(look(w, 1), HUB_ONLINE, HUB_WAITING, 0, 0);
    report(w, "c2", FED_WORK_PENDING, "");
    assert_glance(look(w, 1), HUB_ONLINE, HUB_SYNCING, 0, 0);
    assert_int_equal(w->fleet->list[0]->changed, w->fleet->list[2]->changed);
}

static void test_a_change_is_under_way(void **state)
{
    struct world *w = *state;

    report(w, "c1", FED_WORK_APPLIED, "");
    assert_glance(look(w, 0), HUB_ONLINE, HUB_IN_SYNC, 0, 0);
    hub_world_put_map(
        &w->hub, "{'template':{'data':{'a':'b'}},'placement':{'clusterSelector':{}}}");
    console_fleet_stir(w->fleet, FED_SPAN_LIT("c1")); /* as the plan says */
    assert_glance(look(w, 0), HUB_ONLINE, HUB_SYNCING, 0, 0);
}

/* What is not in a glance: how far behind it is, and what it runs. */
static void test_details(void **state)
{
    struct world *w = *state;
    struct hub_status_detail detail;

    hub_status_detail(w->hub.status, FED_SPAN_LIT("c1"), &detail);
    assert_false(detail.came);
    assert_int_equal(detail.behind, 2); /* a namespace, and what is in it */
    assert_int_equal(detail.kubernetes_version.len, 0);
    report(w, "c1", FED_WORK_PENDING, "");
    hub_status_detail(w->hub.status, FED_SPAN_LIT("c1"), &detail);
    assert_true(detail.came);
    assert_int_equal(detail.behind, 1);
    assert_true(fed_span_is(detail.kubernetes_version, "v1.34.4"));
    report(w, "c1", FED_WORK_APPLIED, "");
    hub_status_detail(w->hub.status, FED_SPAN_LIT("c1"), &detail);
    assert_int_equal(detail.behind, 0);
    hub_world_put_map(
        &w->hub, "{'template':{'data':{'a':'b'}},'placement':{'clusterSelector':{}}}");
    hub_world_settle(&w->hub);
    hub_status_detail(w->hub.status, FED_SPAN_LIT("c1"), &detail);
    assert_int_equal(detail.behind, 1);
}

/* What time alone does is seen without being told: in ten looks at the latest. */
static void test_silence_is_seen(void **state)
{
    struct world *w = *state;
    uint64_t version;

    report(w, "c3", FED_WORK_APPLIED, "");
    assert_glance(look(w, 2), HUB_ONLINE, HUB_IN_SYNC, 0, 0);
    clock_ms += 125000; /* a beat of 120 s, and more; not yet silence */
    version = w->fleet->version;
    for (unsigned i = 0; i < CONSOLE_LOOKS; i++)
        look(w, 2);
    assert_true(w->fleet->version > version);
    assert_int_equal(w->fleet->list[2]->glance.connectivity, HUB_LATE);
    report(w, "c3", FED_WORK_APPLIED, "");
    assert_int_equal(look(w, 2)->glance.connectivity, HUB_ONLINE);
}

static void test_clones_are_quarantined(void **state)
{
    struct world *w = *state;

    report(w, "c1", FED_WORK_APPLIED, "");
    hub_status_copied(w->hub.status, FED_SPAN_LIT("c1"), "two machines", 1800000000);
    assert_int_equal(look(w, 0)->glance.connectivity, HUB_QUARANTINED);
    assert_int_equal(w->fleet->list[0]->glance.since_unix_s, 1800000000);
    hub_status_copied(w->hub.status, FED_SPAN_LIT("c1"), NULL, 0);
    assert_int_equal(look(w, 0)->glance.connectivity, HUB_ONLINE);
}

static const char *text_of(const struct fed_http_shared *shared)
{
    static char text[4096];

    assert_non_null(shared);
    assert_int_equal(fed_span_to_cstr(shared->bytes, text, sizeof text), FED_OK);
    return text;
}

/* What who has that version is told of behind the glances. */
static void assert_told(struct world *w, uint64_t since, const char *want)
{
    const char *text = text_of(console_fleet_changes(w->fleet, since));
    const char *behind = strstr(text, "],\"");
    char got[4096];

    assert_true(console_fleet_follows(w->fleet, since));
    snprintf(got, sizeof got, "%s}\n\n", want);
    assert_string_equal(behind ? behind + 2 : "}\n\n", got);
}

static void test_comings_and_goings_are_told(void **state)
{
    struct world *w = *state;
    uint64_t first = w->fleet->version;
    uint64_t version = first;

    hub_world_cluster(&w->hub, "b9", "{'z':'1'}");
    look(w, 0);
    assert_int_equal(w->fleet->n, 4);
    assert_string_equal(w->fleet->list[0]->name, "b9"); /* by name, whatever its number */
    assert_told(w, version, "\"added\":[[3,\"b9\"]],\"labels\":[[3,[\"z\",\"1\"]]]");
    assert_false(console_fleet_follows(w->fleet, w->fleet->version + 1));
    version = w->fleet->version;
    hub_world_remove(&w->hub, W_CLUSTERS, W_SYSTEM, "c2");
    look(w, 0);
    assert_int_equal(w->fleet->n, 3);
    assert_told(w, version, "\"removed\":[1]");
    version = w->fleet->version;
    hub_world_cluster(&w->hub, "c1", "{'a':'2','b':''}");
    look(w, 0);
    assert_told(w, version, "\"labels\":[[0,[\"a\",\"2\",\"b\",\"\"]]]");
    assert_told(w, first,
        "\"removed\":[1],\"added\":[[3,\"b9\"]],"
        "\"labels\":[[3,[\"z\",\"1\"]],[0,[\"a\",\"2\",\"b\",\"\"]]]");
    version = w->fleet->version;
    hub_world_put(&w->hub, W_CLUSTERS, W_SYSTEM, "c1",
        "{'metadata':{'name':'c1','labels':{'a':'2','b':''},'annotations':{'x':'y'}},'spec':{}}");
    look(w, 0);
    assert_told(w, version, ""); /* nothing that is shown */
    hub_world_cluster(&w->hub, "c1", "{}");
    look(w, 0);
    assert_told(w, version, "\"labels\":[[0,[]]]");
}

/* Between a change and the look at it, what is shown is the version before, without who is new. */
static void test_a_snapshot_is_of_its_version(void **state)
{
    struct world *w = *state;
    char begun[64];
    const char *shown;

    snprintf(begun, sizeof begun, "\"begun\":%llu,", (unsigned long long)w->fleet->begun);
    hub_world_remove(&w->hub, W_CLUSTERS, W_SYSTEM, "c2");
    look(w, 0);
    hub_world_cluster(&w->hub, "d1", "{}");
    hub_world_settle(&w->hub);
    shown = text_of(console_fleet_snapshot(w->fleet));
    assert_non_null(strstr(shown, begun));
    assert_non_null(strstr(shown, "\"ids\":[0,2]"));
    assert_null(strstr(shown, "\"d1\""));
    look(w, 0);
    shown = text_of(console_fleet_snapshot(w->fleet));
    assert_non_null(strstr(shown, "\"ids\":[0,2,1]")); /* 0, 2, 3: as differences */
    assert_non_null(strstr(shown, "\"d1\""));
}

/* So many have left that who looked before the first of them cannot be told any more. */
static void test_who_left_long_ago_is_forgotten(void **state)
{
    struct world *w = *state;
    uint64_t first = w->fleet->version;
    uint64_t second;

    hub_world_remove(&w->hub, W_CLUSTERS, W_SYSTEM, "c1");
    look(w, 0);
    second = w->fleet->version;
    for (size_t i = 0; i < CONSOLE_LEFT_MAX; i++) {
        assert_true(console_fleet_follows(w->fleet, first));
        hub_world_cluster(&w->hub, "x", "{}");
        look(w, 0);
        hub_world_remove(&w->hub, W_CLUSTERS, W_SYSTEM, "x");
        look(w, 0);
    }
    assert_false(console_fleet_follows(w->fleet, first));
    assert_true(console_fleet_follows(w->fleet, second));
}

/* One that is told of, and gone before anybody looks. */
static void test_gone_before_the_look(void **state)
{
    struct world *w = *state;

    report(w, "c2", FED_WORK_APPLIED, "");
    hub_world_remove(&w->hub, W_CLUSTERS, W_SYSTEM, "c2");
    hub_world_cluster(&w->hub, "c2", "{}");
    look(w, 1);
    assert_int_equal(w->fleet->n, 3);
    assert_string_equal(w->fleet->list[1]->name, "c2");
}

static void test_snapshots_are_shared(void **state)
{
    struct world *w = *state;
    struct fed_http_shared *first = console_fleet_snapshot(w->fleet);
    uint64_t version = w->fleet->version;

    assert_non_null(first);
    assert_ptr_equal(console_fleet_snapshot(w->fleet), first);
    report(w, "c2", FED_WORK_APPLIED, "");
    look(w, 1);
    assert_non_null(console_fleet_changes(w->fleet, version));
    assert_ptr_equal(
        console_fleet_changes(w->fleet, version), console_fleet_changes(w->fleet, version));
    assert_non_null(console_fleet_snapshot(w->fleet));
    assert_int_equal(w->fleet->snapshot_version, w->fleet->version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reports_are_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_change_is_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_details, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clones_are_quarantined, setup, teardown),
        cmocka_unit_test_setup_teardown(test_comings_and_goings_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_snapshot_is_of_its_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_left_long_ago_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone_before_the_look, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshots_are_shared, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
