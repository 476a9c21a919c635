/* hub_status_test.c - reports, sequences, readiness and the status that is composed of them. */
#include "hub_world.h"
#include "refused_writes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    static struct hub_world w;

    hub_world_open(&w);
    hub_world_types(&w);
    hub_world_cluster(&w, "c1", "{}");
    hub_world_put(&w, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns'},'spec':{'placement':{'clusterSelector':{}}}}");
    hub_world_put(&w, W_CONFIGMAPS, "ns", "x",
        "{'metadata':{'name':'x','namespace':'ns','generation':1,'finalizers':['kubefed.io/"
        "sync-controller']},'spec':"
        "{'placement':{'clusterSelector':{}}}}");
    *state = &w;
    return 0;
}

static const struct fed_span facts = {
    (const uint8_t
            *)"{\"kubernetesVersion\":\"v1.34.4\",\"healthz\":\"ok\",\"agentVersion\":\"0.2.0\"}",
    69};

static enum fed_err report(struct hub_world *w, bool full, uint64_t seq, size_t index,
    enum fed_work_state work_state, const char *reason, const char *message)
{
    struct fed_report_entry entry = {.index = index,
        .state = work_state,
        .health = FED_HEALTH_HEALTHY,
        .generation = 1,
        .reason = fed_span_text(reason),
        .message = fed_span_text(message)};
    struct fed_report r = {.full = full,
        .epoch = hub_plan_epoch(w->plan),
        .revision = hub_world_revision(w, "c1"),
        .seq = seq,
        .entries = &entry,
        .n_entries = 1,
        .facts = full ? facts : fed_span_text("")};
    struct fed_diag diag = {""};

    return hub_status_report(w->status, fed_span_text("c1"), &r, &diag);
}

static void assert_status(struct hub_world *w, const char *part)
{
    const char *text = hub_world_composed(w, W_CONFIGMAPS, "ns", "x");

    if (!strstr(text, part))
        fail_msg("no %s in %s", part, text);
}

static void test_states_become_words(void **state)
{
    struct hub_world *w = *state;

    assert_status(w, "\"status\":\"ClusterNotReady\"");
    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(report(w, true, 7, 1, FED_WORK_APPLIED, "", ""), FED_OK);
    assert_status(w, "\"status\":\"Pending\"");
    assert_status(w, "\"reason\":\"CheckClusters\"");
    assert_int_equal(
        report(w, false, 8, 0, FED_WORK_FAILED, "CreationFailed", "admission said no"), FED_OK);
    assert_status(w, "\"status\":\"CreationFailed\",\"message\":\"admission said no\"");
    assert_int_equal(report(w, false, 9, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    assert_status(
        w, "\"clusters\":[{\"name\":\"c1\",\"health\":\"Healthy\",\"version\":\"gen:1\"}]");
    assert_status(w, "\"type\":\"Propagation\",\"status\":\"True\"");
    assert_status(w, "\"observedGeneration\":1");
}

/* Why an applied object is not well is a message of its cluster, and no trouble of its propagation;
 * of a version that went back the one in place is shown. */
static void test_unhealthy_and_back(void **state)
{
    struct hub_world *w = *state;
    struct fed_report_entry entry = {.state = FED_WORK_APPLIED,
        .health = FED_HEALTH_UNHEALTHY,
        .generation = 4,
        .reason = FED_SPAN_LIT("ImagePullBackOff"),
        .message = FED_SPAN_LIT("pod web-1")};
    struct fed_report r = {.epoch = hub_plan_epoch(w->plan),
        .revision = hub_world_revision(w, "c1"),
        .seq = 2,
        .entries = &entry,
        .n_entries = 1};
    struct fed_diag diag = {""};

    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(report(w, true, 1, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    assert_int_equal(hub_status_report(w->status, fed_span_text("c1"), &r, &diag), FED_OK);
    assert_status(w, "\"clusters\":[{\"name\":\"c1\",\"message\":\"ImagePullBackOff: pod "
                     "web-1\",\"health\":\"Unhealthy\",\"version\":\"gen:4\"}]");
    assert_status(w, "\"type\":\"Propagation\",\"status\":\"True\"");
    entry = (struct fed_report_entry){.state = FED_WORK_FAILED,
        .in_place = true,
        .health = FED_HEALTH_HEALTHY,
        .generation = 5,
        .reason = FED_SPAN_LIT("RolledBack"),
        .message = FED_SPAN_LIT("not healthy within 5m")};
    r.seq = 3;
    assert_int_equal(hub_status_report(w->status, fed_span_text("c1"), &r, &diag), FED_OK);
    for (unsigned i = 0; i < 2; i++) { /* also of another process */
        assert_status(w, "{\"name\":\"c1\",\"status\":\"RolledBack\",\"message\":\"not healthy "
                         "within 5m\",\"health\":\"Healthy\",\"version\":\"gen:5\"}");
        assert_status(w, "CheckClusters");
        hub_world_restart(w);
        hub_world_settle(w);
        hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    }
}

static void test_sequence(void **state)
{
    struct hub_world *w = *state;

    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(report(w, false, 1, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    assert_int_equal(report(w, false, 1, 0, FED_WORK_APPLIED, "", ""), FED_ERR_CONFLICT);
    assert_int_equal(report(w, false, 3, 0, FED_WORK_APPLIED, "", ""), FED_ERR_CONFLICT);
    assert_int_equal(report(w, true, 3, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    assert_int_equal(hub_status_report_seq(w->status, fed_span_text("c1")), 3);
}

static void test_bad_reports_change_nothing(void **state)
{
    struct hub_world *w = *state;
    struct fed_report r = {.full = true, .epoch = 1, .revision = 1, .seq = 1};
    struct fed_diag diag = {""};

    assert_int_equal(
        hub_status_report(w->status, fed_span_text("c1"), &r, &diag), FED_ERR_CONFLICT);
    assert_int_equal(
        hub_status_report(w->status, fed_span_text("c9"), &r, &diag), FED_ERR_NOT_FOUND);
    assert_int_equal(report(w, true, 1, 99, FED_WORK_APPLIED, "", ""), FED_ERR_INVALID);
    assert_int_equal(hub_status_report_seq(w->status, fed_span_text("c1")), 0);
}

static void test_a_change_is_pending_until_reported(void **state)
{
    struct hub_world *w = *state;

    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(report(w, true, 1, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    assert_status(w, "\"status\":\"True\"");
    hub_world_put(w, W_CONFIGMAPS, "ns", "x",
        "{'metadata':{'name':'x','namespace':'ns','generation':2},'spec':{'template':{'data':{'a':'"
        "b'}},'placement':"
        "{'clusterSelector':{}}}}");
    assert_status(w, "\"status\":\"Pending\"");
    /* A report on the new revision that says nothing of this work leaves it pending: its content is
     * another one. */
    assert_int_equal(report(w, false, 2, 1, FED_WORK_APPLIED, "", ""), FED_OK);
    assert_status(w, "\"status\":\"Pending\"");
    assert_int_equal(report(w, false, 3, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    assert_status(w, "\"observedGeneration\":2");
    assert_status(w, "\"status\":\"True\"");
}

static void test_reports_survive_a_restart(void **state)
{
    struct hub_world *w = *state;

    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(
        report(w, true, 4, 0, FED_WORK_FAILED, "UpdateFailed", "spec.x: immutable"), FED_OK);
    hub_world_settle(w);
    hub_world_restart(w);
    assert_int_equal(hub_status_report_seq(w->status, fed_span_text("c1")), 4);
    assert_status(w, "\"message\":\"spec.x: immutable\"");
    assert_int_equal(report(w, false, 5, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    assert_status(w, "\"status\":\"True\"");
}

/* What there is to say of an applied object is said whole, is no trouble of its propagation, and is
 * kept. */
static void test_a_note_on_applied(void **state)
{
    struct hub_world *w = *state;
    char message[FED_REPORT_MESSAGE_MAX + 1] = "data.k is 2, not 1";
    char shown[FED_REPORT_MESSAGE_MAX + 64];

    memset(message + strlen(message), 'x', sizeof message - 1 - strlen(message));
    snprintf(shown, sizeof shown, "\"message\":\"Drifted: %s\"", message);
    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(report(w, true, 1, 0, FED_WORK_APPLIED, "Drifted", message), FED_OK);
    assert_status(w, shown);
    assert_status(w, "\"type\":\"Propagation\",\"status\":\"True\"");
    hub_world_settle(w);
    hub_world_restart(w);
    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_status(w, shown);
    assert_int_equal(report(w, false, 2, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    assert_status(
        w, "\"clusters\":[{\"name\":\"c1\",\"health\":\"Healthy\",\"version\":\"gen:1\"}]");
}

static void test_cluster_conditions(void **state)
{
    struct hub_world *w = *state;
    static const char down[] = "{\"healthz\":\"unreachable: connection refused\"}";
    struct fed_report r = {
        .epoch = hub_plan_epoch(w->plan), .revision = hub_world_revision(w, "c1"), .seq = 2};
    struct fed_diag diag = {""};

    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(report(w, true, 1, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    assert_non_null(strstr(hub_world_composed(w, W_CLUSTERS, W_SYSTEM, "c1"),
        "\"type\":\"Ready\",\"status\":\"True\""));
    assert_non_null(strstr(
        hub_world_composed(w, W_CLUSTERS, W_SYSTEM, "c1"), "\"kubernetesVersion\":\"v1.34.4\""));
    assert_non_null(
        strstr(hub_world_composed(w, W_CLUSTERS, W_SYSTEM, "c1"), "\"agentVersion\":\"0.2.0\""));
    r.facts = fed_span_text(down);
    assert_int_equal(hub_status_report(w->status, fed_span_text("c1"), &r, &diag), FED_OK);
    assert_non_null(strstr(hub_world_composed(w, W_CLUSTERS, W_SYSTEM, "c1"),
        "\"type\":\"Offline\",\"status\":\"True\""));
    assert_non_null(
        strstr(hub_world_composed(w, W_CLUSTERS, W_SYSTEM, "c1"), "connection refused"));
    assert_status(w, "ClusterNotReady");
}

static void test_a_full_report_in_parts(void **state)
{
    struct hub_world *w = *state;
    struct fed_report_entry entries[2] = {
        {.index = 0, .state = FED_WORK_APPLIED}, {.index = 1, .state = FED_WORK_APPLIED}};
    struct fed_report r = {
        .full = true, .more = true, .epoch = hub_plan_epoch(w->plan), .seq = 5, .facts = facts};
    struct fed_diag diag = {""};

    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    r.revision = hub_world_revision(w, "c1");
    r.entries = &entries[0];
    r.n_entries = 1;
    assert_int_equal(hub_status_report(w->status, fed_span_text("c1"), &r, &diag), FED_OK);
    assert_int_equal(
        hub_status_report_seq(w->status, fed_span_text("c1")), 0); /* does not count yet */
    r.more = false;
    r.seq = 6;
    r.facts = fed_span_text("");
    r.entries = &entries[1];
    assert_int_equal(hub_status_report(w->status, fed_span_text("c1"), &r, &diag), FED_OK);
    assert_int_equal(hub_status_report_seq(w->status, fed_span_text("c1")), 6);
    assert_status(w, "\"status\":\"True\"");
}

/* One part, as it comes from the link. */
static enum fed_err part(struct hub_world *w, uint64_t seq, size_t index, bool more)
{
    struct fed_report_entry entry = {.index = index, .state = FED_WORK_APPLIED};
    struct fed_report r = {.full = true,
        .more = more,
        .epoch = hub_plan_epoch(w->plan),
        .revision = hub_world_revision(w, "c1"),
        .seq = seq,
        .entries = &entry,
        .n_entries = 1,
        .facts = facts};
    struct fed_diag diag = {""};
    struct fed_report decoded;
    struct fed_arena arena;
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, fed_alloc_system(), FED_REPORT_MAX);
    fed_arena_init(&arena, fed_alloc_system(), 1u << 20);
    fed_report_put(&bytes, &r);
    assert_int_equal(fed_report_decode(&arena, fed_buf_span(&bytes), &decoded, &diag), FED_OK);
    err = hub_status_report(w->status, fed_span_text("c1"), &decoded, &diag);
    fed_arena_fini(&arena);
    fed_buf_fini(&bytes);
    return err;
}

/* The answer to a part was lost, or it was on its way for too long: it comes as another request, at
 * once or behind the next one. What was acknowledged stays. */
static void test_a_part_that_comes_twice(void **state)
{
    struct hub_world *w = *state;

    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(part(w, 5, 0, true), FED_OK);
    assert_int_equal(part(w, 6, 1, true), FED_OK);
    assert_int_equal(part(w, 6, 1, true), FED_OK);
    assert_int_equal(part(w, 5, 0, true), FED_OK);
    assert_int_equal(part(w, 7, 1, false), FED_OK);
    hub_world_settle(w);
    assert_int_equal(hub_status_report_seq(w->status, fed_span_text("c1")), 7);
    assert_status(w, "\"status\":\"True\"");
    /* So it is behind the last one, and behind what came after it. */
    assert_int_equal(part(w, 7, 1, false), FED_OK);
    assert_int_equal(report(w, false, 8, 1, FED_WORK_APPLIED, "", ""), FED_OK);
    assert_int_equal(part(w, 7, 1, false), FED_OK);
    assert_int_equal(hub_status_report_seq(w->status, fed_span_text("c1")), 8);
    assert_status(w, "\"status\":\"True\"");
}

/* An agent that begins anew, with numbers that were used for parts which do not count. */
static void test_parts_that_begin_anew(void **state)
{
    struct hub_world *w = *state;

    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(part(w, 1, 0, true), FED_OK);
    assert_int_equal(part(w, 2, 1, true), FED_OK);
    assert_int_equal(part(w, 9, 0, true), FED_OK); /* of another process: those two are dropped */
    assert_int_equal(part(w, 1, 0, true), FED_OK);
    assert_int_equal(part(w, 2, 1, false), FED_OK);
    assert_int_equal(hub_status_report_seq(w->status, fed_span_text("c1")), 2);
    assert_status(w, "\"status\":\"True\"");
}

static void test_a_list_that_is_cut_confirms_nothing(void **state)
{
    static const struct fed_report_removed other = {
        .id = {(const uint8_t *)"v1/ConfigMap/ns/other", 21}, .state = FED_WORK_REMOVING};
    struct hub_world *w = *state;
    struct fed_report r = {
        .epoch = hub_plan_epoch(w->plan), .seq = 2, .removed = &other, .n_removed = 1};
    struct fed_diag diag = {""};

    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(report(w, true, 1, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    hub_world_put(w, W_CONFIGMAPS, "ns", "x",
        "{'metadata':{'name':'x','namespace':'ns','deletionTimestamp':'2026-01-01T00:00:00Z','"
        "finalizers':"
        "['kubefed.io/sync-controller']},'spec':{'placement':{'clusterSelector':{}}}}");
    r.revision = hub_world_revision(w, "c1");
    r.removed_cut = true;
    assert_int_equal(hub_status_report(w->status, fed_span_text("c1"), &r, &diag), FED_OK);
    hub_world_settle(w);
    assert_status(w, "WaitingForRemoval");
    hub_world_restart(w);
    hub_world_settle(w);
    assert_status(w, "WaitingForRemoval");
    r.seq = 3;
    r.removed_cut = false;
    assert_int_equal(hub_status_report(w->status, fed_span_text("c1"), &r, &diag), FED_OK);
    hub_world_settle(w);
    assert_status(w, "(absent)");
}

/* After a restart the plan knows the present manifest alone: what was said along another one cannot
 * be carried over, and a report of changes would lose it. */
static void test_changes_to_a_forgotten_manifest_ask_for_all(void **state)
{
    struct hub_world *w = *state;

    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(report(w, true, 1, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    hub_world_put(w, W_NAMESPACES, "more", "more",
        "{'metadata':{'name':'more','namespace':'more'},'spec':{'placement':{'clusterSelector':{}}}"
        "}");
    hub_world_restart(w);
    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(report(w, false, 2, 1, FED_WORK_APPLIED, "", ""), FED_ERR_CONFLICT);
    assert_int_equal(hub_status_report_seq(w->status, fed_span_text("c1")), 1);
    assert_int_equal(report(w, true, 2, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    assert_status(w, "\"status\":\"True\"");
}

static void note_touched(void *ctx, const struct hub_change *change)
{
    char *text = ctx;
    size_t used = strlen(text);

    if (change->type == HUB_CHANGE_TOUCHED)
        snprintf(text + used, 128 - used, FED_SPAN_FMT " ", FED_SPAN_ARG(change->ref.name));
}

static void test_a_report_touches_what_it_settles(void **state)
{
    struct hub_world *w = *state;
    struct hub_subscription *subscription;
    char touched[128] = "";

    hub_world_put(w, W_CONFIGMAPS, "ns", "z",
        "{'metadata':{'name':'z','namespace':'ns'},'spec':{'placement':{'clusterSelector':{}}}}");
    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(report(w, true, 1, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    hub_world_put(w, W_CONFIGMAPS, "ns", "x",
        "{'metadata':{'name':'x','namespace':'ns','generation':2},'spec':{'template':{'data':{'a':'"
        "b'}},'placement':{'clusterSelector':{}}}}");
    assert_int_equal(
        hub_objects_subscribe(w->objects, fed_span_text(""), note_touched, touched, &subscription),
        FED_OK);
    /* x changed with this revision, z (1) has an entry; the namespace is as it was. */
    assert_int_equal(report(w, false, 2, 1, FED_WORK_FAILED, "UpdateFailed", "no"), FED_OK);
    hub_world_settle(w);
    assert_string_equal(touched, "x z ");
    touched[0] = '\0';
    assert_int_equal(report(w, false, 3, 1, FED_WORK_APPLIED, "", ""), FED_OK);
    hub_world_settle(w);
    assert_string_equal(touched, "z ");
    hub_objects_unsubscribe(subscription);
}

static unsigned commits;

static void count_commit(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    (void)ctx;
    (void)diag;
    commits += err == FED_OK;
}

static void test_the_reports_of_a_turn_share_a_commit(void **state)
{
    struct hub_world *w = *state;
    struct hub_objects_member counter = {.ended = count_commit};

    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    hub_world_settle(w);
    hub_objects_join(w->objects, &counter);
    commits = 0;
    assert_int_equal(report(w, true, 1, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(report(w, false, 2 + i, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    assert_int_equal(commits, 0);
    hub_world_settle(w);
    assert_int_equal(commits, 1);
    hub_objects_leave(w->objects, &counter);
    hub_world_restart(w);
    assert_int_equal(hub_status_report_seq(w->status, fed_span_text("c1")), 101);
}

static void refuse_flush(struct hub_world *w)
{
    test_writes_refuse();
    assert_int_not_equal(hub_objects_flush(w->objects, NULL), FED_OK);
    test_writes_allow();
    hub_world_settle(w);
}

static void test_a_report_that_is_undone_was_not_heard(void **state)
{
    struct hub_world *w = *state;
    struct hub_object_ref ref = {.resource = fed_span_text(W_CONFIGMAPS),
        .ns = fed_span_text("ns"),
        .name = fed_span_text("x")};
    struct hub_kind_hooks hooks;
    struct fed_json_doc *doc;
    uint64_t revision = 0;

    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(report(w, true, 1, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    refuse_flush(w); /* the first one: there was nothing before */
    assert_int_equal(hub_status_report_seq(w->status, fed_span_text("c1")), 0);
    assert_status(w, "\"status\":\"ClusterNotReady\"");
    assert_int_equal(report(w, true, 1, 0, FED_WORK_APPLIED, "", ""), FED_OK);
    hub_world_settle(w);
    assert_status(w, "\"status\":\"True\"");
    assert_int_equal(report(w, false, 2, 0, FED_WORK_FAILED, "UpdateFailed", "no"), FED_OK);
    assert_status(w, "\"status\":\"UpdateFailed\"");
    refuse_flush(w);
    assert_status(w, "\"status\":\"True\"");
    assert_int_equal(hub_status_report_seq(w->status, fed_span_text("c1")), 1);
    /* Nothing is at a revision that another change will have. */
    hub_status_federated_hooks(w->status, &hooks);
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    assert_int_equal(
        hooks.compose(hooks.ctx, &ref, doc, fed_json_new_object(doc), &revision), FED_OK);
    fed_json_doc_free(doc);
    assert_true(revision <= hub_objects_revision(w->objects));
    assert_int_equal(report(w, false, 2, 0, FED_WORK_FAILED, "UpdateFailed", "no"), FED_OK);
    hub_world_settle(w);
    assert_status(w, "\"status\":\"UpdateFailed\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_states_become_words, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_unhealthy_and_back, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_sequence, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_bad_reports_change_nothing, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_a_change_is_pending_until_reported, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_reports_survive_a_restart, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_a_note_on_applied, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_cluster_conditions, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_a_full_report_in_parts, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_a_part_that_comes_twice, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_parts_that_begin_anew, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_a_list_that_is_cut_confirms_nothing, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_changes_to_a_forgotten_manifest_ask_for_all, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_a_report_touches_what_it_settles, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_the_reports_of_a_turn_share_a_commit, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_a_report_that_is_undone_was_not_heard, setup, hub_world_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
