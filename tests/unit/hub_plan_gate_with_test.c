/* hub_plan_gate_with_test.c - versions by answer together with what else decides: quiet windows,
 * urgency, stopped types, PlacementPolicies, consent, deletion, the works' options, status. */
#include "hub/plan/preview.h"
#include "hub_gate_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define W_POLICIES "placementpolicies.fedlet.io"

static void put(struct gate_world *g, const char *metadata, const char *spec)
{
    char json[2048];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'x','namespace':'ns','generation':2,'finalizers':['kubefed.io/"
        "sync-controller']%s},'spec':%s}",
        metadata, spec);
    hub_world_put(&g->w, W_CONFIGMAPS, "ns", "x", json);
}

static void put_type(struct gate_world *g, const char *propagation, const char *more)
{
    char json[1024];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'configmaps'},'spec':{'targetType':{'version':'v1','kind':"
        "'ConfigMap','pluralName':'configmaps','scope':'Namespaced'},'federatedType':{'group':"
        "'types.kubefed.io','version':'v1beta1','kind':'FederatedConfigMap','pluralName':"
        "'federatedconfigmaps','scope':'Namespaced'},'propagation':'%s'%s}}",
        propagation, more);
    hub_world_put(&g->w, W_TYPES, W_SYSTEM, "configmaps", json);
}

static void hold(struct gate_world *g, const char *cluster, const char *why)
{
    hub_plan_hold(g->w.plan, fed_span_text(cluster), why, 0);
    hub_world_settle(&g->w);
}

/* Everybody has 1; 2 is the latest. */
static void begin(struct gate_world *g, const char *answers)
{
    gate_put(g, 'a', GATE_SPEC("1"));
    gate_answer(g, answers);
    gate_put(g, 'b', GATE_SPEC("2"));
}

static void test_its_turn_comes_in_a_quiet_window(void **state)
{
    struct gate_world *g = *state;

    begin(g, "aa=");
    hold(g, "c1", "quiet until six");
    gate_turn(g, "c1", '=');
    assert_string_equal(gate_have(g), "1 1 2");
    assert_int_equal(hub_plan_held(g->w.plan, fed_span_text("c1")), 1);
    gate_restart_is_same(g); /* whose hold stands until it was looked at */
    gate_turn(g, "c1", 'a'); /* back, before it was sent */
    assert_int_equal(hub_plan_held(g->w.plan, fed_span_text("c1")), 0);
    gate_turn(g, "c1", '=');
    hold(g, "c1", "");
    assert_string_equal(gate_have(g), "2 1 2");
}

static void test_nothing_is_new_where_it_is_withheld(void **state)
{
    struct gate_world *g = *state;

    hold(g, "c1", "quiet until six");
    gate_answer(g, "=-=");
    gate_put(g, 'a', GATE_SPEC("1"));
    assert_string_equal(gate_have(g), "- - 1");
    assert_int_equal(hub_plan_held(g->w.plan, fed_span_text("c1")), 1);
    gate_turn(g, "c1", '-');
    assert_int_equal(hub_plan_held(g->w.plan, fed_span_text("c1")), 0);
    gate_restart_is_same(g);
    hold(g, "c1", "quiet until six");
    gate_turn(g, "c1", '=');
    gate_restart_is_same(g);
    hold(g, "c1", "");
    assert_string_equal(gate_have(g), "1 - 1");
}

static void test_urgent_does_not_pass_a_rollout(void **state)
{
    struct gate_world *g = *state;

    begin(g, "aaa");
    hold(g, "c1", "quiet until six");
    put(g, ",'annotations':{'fedlet.io/urgent':'true'}", GATE_SPEC("2"));
    assert_string_equal(gate_have(g), "1 1 1");
    gate_turn(g, "c1", '='); /* but the window */
    assert_string_equal(gate_have(g), "2 1 1");
}

static bool count(void *ctx, const struct hub_gated *gated)
{
    size_t *n = ctx;

    (void)gated;
    ++*n;
    return true;
}

static void test_a_stopped_type_stays_as_it_is(void **state)
{
    struct gate_world *g = *state;
    struct hub_object_ref ref = gate_ref();
    size_t n = 0;

    begin(g, "=a-");
    assert_string_equal(gate_have(g), "2 1 -");
    put_type(g, "Disabled", "");
    assert_string_equal(hub_world_works(&g->w, "c1"), "ConfigMap/ns/x=,Namespace//ns");
    gate_turn_all(g, "a==");
    assert_string_equal(gate_have(g), "2 1 -");
    put_type(g, "Enabled", "");
    assert_string_equal(gate_have(g), "1 2 2");
    put_type(g, "Disabled", "");
    hub_world_put_map(
        &g->w, "{" GATE_DATA("2") ",'placement':{'clusters':[{'name':'c1'},{'name':'c2'}]}}");
    hub_world_restart(&g->w); /* after which it is held in every cluster */
    assert_string_equal(hub_world_where(&g->w, "ConfigMap/ns/x="), "c1 c2 c3");
    assert_int_equal(hub_plan_gated(g->w.plan, &ref, count, &n), FED_OK);
    assert_int_equal(n, 2);
    hub_world_put_map(&g->w, GATE_SPEC("2"));
    put_type(g, "Enabled", "");
    assert_string_equal(gate_have(g), "1 2 2");
    gate_restart_is_same(g);
}

static void put_policy(struct gate_world *g, const char *budget)
{
    char json[512];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'p','generation':1},'spec':{'kinds':[{'kind':'ConfigMap'}],'effect':"
        "'Deny','clusters':{'names':['c1','c2']},'deletionBudget':{%s,'period':'1h'}}}",
        budget);
    hub_world_put(&g->w, W_POLICIES, "", "p", json);
}

static void test_what_a_policy_forbids_is_not_asked_for(void **state)
{
    struct gate_world *g = *state;

    put_policy(g, "'removals':1");
    gate_answer(g, "-=-");
    gate_put(g, 'a', GATE_SPEC("1"));
    assert_int_equal(g->chosen, 1);
    assert_string_equal(gate_have(g), "- - -");
    assert_non_null(strstr(gate_said(g, "c1"), "ForbiddenByPolicy"));
    hub_world_remove(&g->w, W_POLICIES, "", "p");
    assert_string_equal(gate_have(g), "- 1 -");
    assert_null(strstr(gate_said(g, "c1"), "ForbiddenByPolicy"));
}

static void test_a_copy_that_waits_for_its_removal_follows_its_answer(void **state)
{
    struct gate_world *g = *state;

    gate_put(g, 'a', GATE_SPEC("1"));
    gate_answer(g, "aaa");
    put_policy(g, "'removals':1"); /* of c1 and c2 one leaves */
    assert_string_equal(gate_have(g), "- 1 1");
    gate_put(g, 'b', GATE_SPEC("2"));
    assert_string_equal(gate_have(g), "- 1 1");
    gate_turn(g, "c2", '=');
    assert_string_equal(gate_have(g), "- 2 1");
    gate_restart_is_same(g);
    assert_non_null(strstr(gate_said(g, "c2"), "WaitingForRemoval"));
    gate_turn(g, "c2", '-'); /* a roll back takes it away, whatever the budget */
    assert_string_equal(gate_have(g), "- - 1");
    hub_world_confirm(&g->w, "c2");
    assert_non_null(strstr(gate_said(g, "c2"), "ForbiddenByPolicy"));
    gate_restart_is_same(g);
}

static void approve(struct gate_world *g, const char *cluster)
{
    struct hub_plan_consent consent;
    char json[512];

    assert_true(hub_plan_consent(g->w.plan, fed_span_text(cluster), &consent));
    assert_int_equal(consent.n, 1);
    snprintf(json, sizeof json,
        "{'metadata':{'name':'%s','annotations':{'fedlet.io/removal-consent':'share=0%%,least=1',"
        "'fedlet.io/approve-removal':'%s'}},'spec':{}}",
        cluster, consent.id);
    hub_world_put(&g->w, W_CLUSTERS, W_SYSTEM, cluster, json);
}

static void ask_for_consent(struct gate_world *g, const char *cluster)
{
    char json[256];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'%s','annotations':{'fedlet.io/removal-consent':'share=0%%,least=1'}},"
        "'spec':{}}",
        cluster);
    hub_world_put(&g->w, W_CLUSTERS, W_SYSTEM, cluster, json);
}

static void test_going_back_to_nothing_may_need_consent(void **state)
{
    struct gate_world *g = *state;
    struct hub_plan_consent consent;

    gate_put(g, 'a', GATE_SPEC("1"));
    ask_for_consent(g, "c2");
    gate_turn_all(g, "---");
    assert_string_equal(gate_have(g), "- 1 -");
    assert_non_null(strstr(gate_said(g, "c2"), "WaitingForRemoval"));
    gate_restart_is_same(g);
    assert_true(hub_plan_consent(g->w.plan, fed_span_text("c2"), &consent));
    gate_turn(g, "c2", '='); /* taken back */
    assert_false(hub_plan_consent(g->w.plan, fed_span_text("c2"), &consent));
    gate_turn(g, "c2", '-');
    approve(g, "c2");
    assert_string_equal(gate_have(g), "- - -");
    gate_restart_is_same(g);
}

/* A policy forbids it meanwhile: consent is what its removal waits for. */
static void test_going_back_where_a_policy_forbids_needs_consent_too(void **state)
{
    struct gate_world *g = *state;

    gate_put(g, 'a', GATE_SPEC("1"));
    ask_for_consent(g, "c2");
    put_policy(g, "'removals':0");
    gate_turn(g, "c2", '-');
    assert_string_equal(gate_have(g), "1 1 1");
    gate_restart_is_same(g);
    approve(g, "c2");
    assert_string_equal(gate_have(g), "1 - 1");
}

static void test_a_copy_that_awaits_consent_follows_its_answer(void **state)
{
    struct gate_world *g = *state;

    gate_put(g, 'a', GATE_SPEC("1"));
    ask_for_consent(g, "c1");
    gate_answer(g, "aaa");
    gate_put(g, 'b', "{" GATE_DATA("2") ",'placement':{'clusters':[{'name':'c3'}]}}");
    assert_string_equal(gate_have(g), "1 - 1");
    gate_restart_is_same(g);
    gate_turn_all(g, "===");
    assert_string_equal(gate_have(g), "2 - 2");
    gate_restart_is_same(g);
    approve(g, "c1");
    assert_string_equal(gate_have(g), "- - 2");
}

static void test_deletion_is_held_up_by_nobody(void **state)
{
    struct gate_world *g = *state;
    uint64_t before;

    begin(g, "=a-");
    put(g, ",'deletionTimestamp':'2026-01-01T00:00:00Z'", GATE_SPEC("2"));
    assert_string_equal(gate_have(g), "- - -");
    gate_restart_is_same(g);
    hub_world_confirm(&g->w, "c1");
    assert_string_not_equal(hub_world_stored(&g->w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    before = hub_world_revision(&g->w, "c3");
    hub_world_confirm(&g->w, "c2"); /* c3 never had it */
    assert_string_equal(hub_world_stored(&g->w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    assert_int_equal(hub_world_revision(&g->w, "c3"), before);
    assert_non_null(strstr(g->log, "written(gone)"));
}

static void test_what_is_let_go_of_is_the_version_that_was_there(void **state)
{
    struct gate_world *g = *state;

    begin(g, "=a-");
    put(g, ",'deletionTimestamp':'2026-01-01T00:00:00Z','annotations':{'kubefed.io/orphan':'true'}",
        GATE_SPEC("2"));
    assert_string_equal(gate_have(g), "2 1 -");
    assert_string_equal(hub_world_works(&g->w, "c2"), "ConfigMap/ns/x!,Namespace//ns");
    gate_restart_is_same(g);
    for (unsigned i = 0; i < 2; i++) {
        hub_world_confirm(&g->w, "c1");
        hub_world_confirm(&g->w, "c2");
    }
    assert_string_equal(hub_world_stored(&g->w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static uint32_t options(struct gate_world *g, const char *cluster)
{
    const struct fed_manifest *manifest;

    assert_int_equal(hub_plan_manifest(g->w.plan, fed_span_text(cluster), &manifest), FED_OK);
    return manifest->works[0].options;
}

static void test_what_is_not_content_is_of_the_object(void **state)
{
    struct gate_world *g = *state;

    begin(g, "=aa");
    put(g, "", "{" GATE_DATA("2") "," GATE_ALL ",'retainReplicas':true}");
    assert_true(options(g, "c2") & FED_WORK_RETAIN_REPLICAS);
    put_type(g, "Enabled", ",'statusCollection':'Enabled'");
    hub_world_put(&g->w, "kubefedconfigs.core.kubefed.io", W_SYSTEM, "kubefed",
        "{'metadata':{'name':'kubefed'},'spec':{'featureGates':[{'name':'RawResourceStatusCollecti"
        "on','configuration':'Enabled'}],'syncController':{'adoptResources':'Disabled'}}}");
    assert_string_equal(gate_have(g), "2 1 1");
    assert_int_equal(options(g, "c2"), options(g, "c1"));
    assert_true(options(g, "c2") & FED_WORK_STATUS);
    assert_true(options(g, "c2") & FED_WORK_RETAIN_REPLICAS);
    assert_false(options(g, "c2") & FED_WORK_ADOPT);
    gate_restart_is_same(g);
}

static void test_a_scheduler_takes_the_object_in_again(void **state)
{
    struct gate_world *g = *state;

    begin(g, "aaa");
    hub_plan_agent_knows(g->w.plan, fed_span_text("c2"), UINT64_MAX);
    g->log[0] = '\0';
    hub_world_put(&g->w, "replicaschedulingpreferences.scheduling.kubefed.io", "ns", "x",
        "{'metadata':{'name':'x','namespace':'ns'},'spec':{'targetKind':'FederatedConfigMap'}}");
    assert_string_equal(g->log, "written");
    assert_string_equal(gate_have(g), "1 1 1");
    assert_true(options(g, "c2") & FED_WORK_SCALE);
}

static void test_a_type_that_comes_later_finds_what_is_stored(void **state)
{
    struct gate_world *g = *state;

    hub_world_put(&g->w, GATE_SECRETS, "ns", "x",
        "{'metadata':{'name':'x','namespace':'ns'},'spec':{'placement':{'clusterSelector':{}}}}");
    assert_string_equal(g->log, "");
    gate_answer(g, "-=-");
    hub_world_put(&g->w, W_TYPES, W_SYSTEM, "secrets",
        "{'metadata':{'name':'secrets'},'spec':{'targetType':{'version':'v1','kind':'Secret',"
        "'pluralName':'secrets','scope':'Namespaced'},'federatedType':{'group':'types.kubefed.io',"
        "'version':'v1beta1','kind':'FederatedSecret','pluralName':'federatedsecrets','scope':"
        "'Namespaced'},'propagation':'Enabled'}}");
    assert_string_equal(g->log, "loaded");
    assert_string_equal(hub_world_where(&g->w, "Secret/ns/x"), "c2");
}

/* ---- status ---- */

static void report(struct gate_world *g, enum fed_work_state state, enum fed_work_health health,
    const char *reason, const char *message)
{
    static uint64_t seq;
    struct fed_report_entry entry = {.state = state,
        .health = health,
        .generation = 1,
        .reason = fed_span_text(reason),
        .message = fed_span_text(message)};
    struct fed_report r = {.full = true,
        .epoch = hub_plan_epoch(g->w.plan),
        .revision = hub_world_revision(&g->w, "c1"),
        .seq = ++seq,
        .entries = &entry,
        .n_entries = 1,
        .facts = fed_span_text("{\"kubernetesVersion\":\"v1.34.4\",\"healthz\":\"ok\"}")};
    struct fed_diag diag = {""};

    hub_status_connected(g->w.status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(hub_status_report(g->w.status, fed_span_text("c1"), &r, &diag), FED_OK);
}

static void test_status_says_who_waits_and_how_it_is(void **state)
{
    struct gate_world *g = *state;

    begin(g, "aaa");
    report(g, FED_WORK_APPLIED, FED_HEALTH_HEALTHY, "", "");
    assert_string_equal(gate_said(g, "c1"), "{\"name\":\"c1\",\"status\":\"Waiting\",\"message\":"
                                            "\"wave of c1 has not begun\",\"health\""
                                            ":\"Healthy\",\"version\":\"gen:1\"}");
    assert_non_null(strstr(hub_world_composed(&g->w, W_CONFIGMAPS, "ns", "x"), "CheckClusters"));
    report(g, FED_WORK_APPLIED, FED_HEALTH_UNHEALTHY, "ImagePullBackOff", "pod web-1");
    assert_non_null(strstr(gate_said(g, "c1"),
        "\"status\":\"Waiting\",\"message\":\"wave of c1 has not begun; what it has: "
        "ImagePullBackOff: pod web-1\",\"health\":\"Unhealthy\""));
    report(g, FED_WORK_FAILED, FED_HEALTH_UNKNOWN, "UpdateFailed", "quota");
    assert_string_equal(gate_said(g, "c1"), "{\"name\":\"c1\",\"status\":\"UpdateFailed\","
                                            "\"message\":\"quota\"}");
    gate_turn(g, "c1", '=');
    assert_string_equal(gate_said(g, "c1"), "{\"name\":\"c1\",\"status\":\"Pending\"}");
    gate_turn(g, "c1", '-');
    hub_world_confirm(&g->w, "c1");
    assert_string_equal(gate_said(g, "c1"),
        "{\"name\":\"c1\",\"status\":\"Waiting\",\"message\":\"wave of c1 has not begun\"}");
}

static void test_versions_are_of_those_that_have_the_latest(void **state)
{
    struct gate_world *g = *state;

    hub_world_put(&g->w, "namespaces", "", "ns", "{'metadata':{'name':'ns'}}");
    gate_keep(g, 'a', GATE_SPEC("1"));
    put(g, ",'uid':'u-x'", GATE_SPEC("1"));
    gate_answer(g, "aaa");
    put(g, ",'uid':'u-x'", GATE_SPEC("2"));
    report(g, FED_WORK_APPLIED, FED_HEALTH_HEALTHY, "", "");
    assert_null(
        strstr(hub_world_composed(&g->w, W_VERSIONS, "ns", "configmap-x"), "clusterVersions"));
    gate_turn(g, "c1", '=');
    report(g, FED_WORK_APPLIED, FED_HEALTH_HEALTHY, "", "");
    assert_non_null(strstr(hub_world_composed(&g->w, W_VERSIONS, "ns", "configmap-x"),
        "\"clusterVersions\":[{\"clusterName\":\"c1\",\"version\":\"gen:1\"}]"));
}

/* ---- previews ---- */

static enum fed_err told(void *ctx, const struct hub_preview_object *object)
{
    char *text = ctx;
    size_t len = 0;

    if (object->rollout)
        len += (size_t)snprintf(text, 512, "%s%s: %s;", object->rollout->begins ? "begins " : "",
            object->rollout->policy, object->rollout->message);
    for (size_t i = 0; i < object->n_clusters; i++)
        len += (size_t)snprintf(text + len, 512 - len, " %s%s%s",
            hub_preview_action_name(object->clusters[i].action),
            object->clusters[i].reason[0] ? " " : "", object->clusters[i].message);
    return FED_OK;
}

static const char *preview(struct gate_world *g, const char *name, const char *json)
{
    static char text[512];
    struct hub_preview_change change = {.ref = gate_ref(), .bytes = fed_span_text(json)};
    struct hub_preview_ask ask = {.changes = &change, .n_changes = 1, .told = told, .ctx = text};
    struct fed_diag diag = {""};

    change.ref.name = fed_span_text(name);
    text[0] = '\0';
    assert_int_equal(hub_plan_preview(g->w.plan, &ask, &diag), g->refuses);
    return text;
}

static void test_a_preview_shows_the_end_and_that_a_rollout_begins(void **state)
{
    static const char *const map =
        "{\"metadata\":{\"name\":\"x\",\"namespace\":\"ns\"},\"spec\":{\"template\":{"
        "\"data\":{\"k\":\"2\"}},\"placement\":{\"clusterSelector\":{}}}}";
    struct gate_world *g = *state;

    gate_put(g, 'a', "{" GATE_DATA("1") ",'placement':{'clusters':[{'name':'c1'}]}}");
    g->chosen = 0;
    g->log[0] = '\0';
    assert_string_equal(preview(g, "x", map), "begins careful: canary, rest; update create create");
    assert_string_equal(preview(g, "y", map), " create create create");
    assert_int_equal(g->chosen, 0);
    assert_string_equal(g->log, "");
    gate_answer(g, "=aa");
    gate_put(g, 'b', GATE_SPEC("2"));
    assert_string_equal(preview(g, "x", ""), "careful: canary, rest; unchanged create wave of c2 "
                                             "has not begun create wave of c3 has not "
                                             "begun");
    g->refuses = FED_ERR_NOMEM;
    assert_string_equal(preview(g, "x", map), "");
}

int main(void)
{
#define GATED(test) cmocka_unit_test_setup_teardown(test, gate_world_open, gate_world_close)
    const struct CMUnitTest tests[] = {
        GATED(test_its_turn_comes_in_a_quiet_window),
        GATED(test_nothing_is_new_where_it_is_withheld),
        GATED(test_urgent_does_not_pass_a_rollout),
        GATED(test_a_stopped_type_stays_as_it_is),
        GATED(test_what_a_policy_forbids_is_not_asked_for),
        GATED(test_a_copy_that_waits_for_its_removal_follows_its_answer),
        GATED(test_going_back_to_nothing_may_need_consent),
        GATED(test_going_back_where_a_policy_forbids_needs_consent_too),
        GATED(test_a_copy_that_awaits_consent_follows_its_answer),
        GATED(test_deletion_is_held_up_by_nobody),
        GATED(test_what_is_let_go_of_is_the_version_that_was_there),
        GATED(test_what_is_not_content_is_of_the_object),
        GATED(test_a_scheduler_takes_the_object_in_again),
        GATED(test_a_type_that_comes_later_finds_what_is_stored),
        GATED(test_status_says_who_waits_and_how_it_is),
        GATED(test_versions_are_of_those_that_have_the_latest),
        GATED(test_a_preview_shows_the_end_and_that_a_rollout_begins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
