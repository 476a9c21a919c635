/* hub_federation_events_test.c - which word an event has: whether the object was new to the
 * cluster. */
#include "hub/federation_events.h"
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MAP(spec)                                                                                  \
    "{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedConfigMap','metadata':{'name':"     \
    "'x','namespace':'ns','uid':'1','generation':1,'finalizers':['kubefed.io/sync-controller']},"  \
    "'spec':{'placement':{'clusterSelector':{}}" spec "}}"
#define BAD_OVERRIDE                                                                               \
    ",'overrides':[{'clusterName':'c1','clusterOverrides':[{'path':'/no/such','value':1}]}]"

struct desk {
    struct hub_world w;
    struct hub_kinds *kinds;
    struct hub_events *events;
    struct hub_federation_events *queue;
    char seen[4096]; /* "CreateInCluster UpdateInClusterFailed " */
    uint64_t seq;
};

static int setup(void **state)
{
    static struct desk d;
    struct hub_kind kind = {.group = "types.kubefed.io",
        .kind = "FederatedConfigMap",
        .plural = "federatedconfigmaps",
        .namespaced = true,
        .versions = &(struct hub_kind_version){.name = "v1beta1", .served = true, .storage = true},
        .n_versions = 1};

    memset(&d, 0, sizeof d);
    hub_world_open(&d.w);
    hub_world_types(&d.w);
    hub_world_cluster(&d.w, "c1", "{}");
    hub_world_put(&d.w, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns'},'spec':{'placement':{'clusterSelector':{}}}}");
    assert_int_equal(hub_kinds_new(fed_alloc_system(), &d.kinds), FED_OK);
    assert_int_equal(hub_kinds_put(d.kinds, &kind), FED_OK);
    assert_int_equal(
        hub_events_open(fed_alloc_system(), d.w.loop, NULL, d.w.objects, &d.events), FED_OK);
    assert_int_equal(hub_federation_events_open(fed_alloc_system(), d.w.loop, NULL, d.w.objects,
                         d.kinds, d.events, &d.queue),
        FED_OK);
    hub_status_on_outcome(d.w.status, hub_federation_events_told, d.queue);
    hub_status_connected(d.w.status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    *state = &d;
    return 0;
}

static int teardown(void **state)
{
    struct desk *d = *state;

    hub_federation_events_close(d->queue);
    hub_events_close(d->events);
    hub_kinds_free(d->kinds);
    hub_world_close(&d->w);
    return 0;
}

static void report(
    struct desk *d, enum fed_work_state work_state, enum fed_work_deed deed, const char *reason)
{
    struct fed_report_entry entry = {.state = work_state,
        .deed = deed,
        .generation = 1,
        .reason = fed_span_text(reason),
        .message = fed_span_text(work_state == FED_WORK_FAILED ? "no" : "")};
    struct fed_report r = {.full = d->seq == 0,
        .epoch = hub_plan_epoch(d->w.plan),
        .revision = hub_world_revision(&d->w, "c1"),
        .seq = ++d->seq,
        .entries = &entry,
        .n_entries = 1};
    struct fed_diag diag = {""};

    if (hub_status_report(d->w.status, fed_span_text("c1"), &r, &diag))
        fail_msg("%s", diag.text);
}

static bool note(void *ctx, const struct hub_object *object)
{
    struct desk *d = ctx;
    const char *at = memmem(object->bytes.at, object->bytes.len, "\"reason\":\"", 10);
    size_t len = strlen(d->seen);

    assert_non_null(at);
    at += 10;
    snprintf(d->seen + len, sizeof d->seen - len, "%.*s ", (int)strcspn(at, "\""), at);
    return true;
}

static void wait_for(struct desk *d, const char *word)
{
    for (unsigned i = 0; i < 6000; i++) {
        hub_world_settle(&d->w);
        d->seen[0] = '\0';
        assert_int_equal(hub_objects_list(d->w.objects, fed_span_text("events"), fed_span_text(""),
                             NULL, note, d),
            FED_OK);
        if (strstr(d->seen, word))
            return;
        hub_world_wait(10);
    }
    fail_msg("no %s in %s", word, d->seen);
}

static void planned(struct desk *d)
{
    struct hub_object_ref ref = {
        fed_span_text(W_CONFIGMAPS), fed_span_text("ns"), fed_span_text("x")};

    hub_federation_events_planned(d->queue, d->w.plan, d->w.status, &ref);
}

/* The agent says what it tried: the reason alone does not tell. */
static void test_a_failed_creation(void **state)
{
    struct desk *d = *state;

    hub_world_put(&d->w, W_CONFIGMAPS, "ns", "x", MAP(""));
    report(d, FED_WORK_FAILED, FED_DEED_CREATED, "ApplyOverridesFailed");
    wait_for(d, "CreateInClusterFailed");
    assert_null(strstr(d->seen, "Update"));
    report(d, FED_WORK_APPLIED, FED_DEED_CREATED, "");
    report(d, FED_WORK_FAILED, FED_DEED_UPDATED, "ApplyOverridesFailed");
    wait_for(d, "UpdateInClusterFailed");
}

/* What is sent is no proof that the cluster took it. */
static void test_refused_after_a_failed_creation(void **state)
{
    struct desk *d = *state;

    hub_world_put(&d->w, W_CONFIGMAPS, "ns", "x", MAP(""));
    report(d, FED_WORK_FAILED, FED_DEED_CREATED, "CreationFailed");
    hub_world_put(&d->w, W_CONFIGMAPS, "ns", "x", MAP(BAD_OVERRIDE));
    planned(d);
    wait_for(d, "CreateInClusterFailed");
    assert_null(strstr(d->seen, "Update"));
    hub_world_put(&d->w, W_CONFIGMAPS, "ns", "x", MAP(""));
    report(d, FED_WORK_APPLIED, FED_DEED_CREATED, "");
    hub_world_put(&d->w, W_CONFIGMAPS, "ns", "x", MAP(BAD_OVERRIDE));
    planned(d);
    wait_for(d, "UpdateInClusterFailed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_failed_creation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_after_a_failed_creation, setup, teardown)};

    return cmocka_run_group_tests_name("hub_federation_events", tests, NULL, NULL);
}
