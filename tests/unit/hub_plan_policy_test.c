/* hub_plan_policy_test.c - PlacementPolicies: what is left out, what is refused, and how fast
 * copies leave. */
#include "hub/access/user.h"
#include "hub_world.h"
#include "refused_writes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define W_POLICIES "placementpolicies.fedlet.io"
#define WAIT_TRIES 2000

static int setup(void **state)
{
    static struct hub_world w;

    hub_world_open_three(&w, (const char *const[]){"{'zone':'a'}", "{'zone':'b'}", "{'zone':'b'}"});
    hub_world_put(&w, "namespaces", "", "ns", "{'metadata':{'name':'ns','labels':{'team':'x'}}}");
    *state = &w;
    return 0;
}

static void put_map(struct hub_world *w, const char *metadata)
{
    char json[1024];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'x','namespace':'ns'%s},'spec':{'template':{'data':{'k':'v'}},"
        "'placement':{'clusterSelector':{}}}}",
        metadata);
    hub_world_put(w, W_CONFIGMAPS, "ns", "x", json);
}

static void put_policy(struct hub_world *w, const char *name, const char *spec)
{
    char json[2048];

    snprintf(
        json, sizeof json, "{'metadata':{'name':'%s','generation':1},'spec':{%s}}", name, spec);
    hub_world_put(w, W_POLICIES, "", name, json);
}

static const char *policy_status(struct hub_world *w, const char *name)
{
    static char text[2048];
    struct hub_object_ref ref = {
        .resource = fed_span_text(W_POLICIES), .name = fed_span_text(name)};
    struct hub_kind_hooks hooks;
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct fed_buf out;
    uint64_t revision = 0;

    hub_plan_policy_hooks(w->plan, &hooks);
    fed_buf_init(&out, fed_alloc_system(), sizeof text - 1);
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    object = fed_json_new_object(doc);
    assert_int_equal(hooks.compose(hooks.ctx, &ref, doc, object, &revision), FED_OK);
    assert_int_equal(fed_json_put(&out, object), FED_OK);
    snprintf(text, sizeof text, "%s", fed_buf_cstr(&out));
    fed_buf_fini(&out);
    fed_json_doc_free(doc);
    return text;
}

/* The clusters let go of what was removed. */
static void confirm_all(struct hub_world *w)
{
    static const char *const clusters[] = {"c1", "c2", "c3"};

    for (size_t i = 0; i < 3; i++)
        hub_plan_removed(
            w->plan, fed_span_text(clusters[i]), hub_world_revision(w, clusters[i]), NULL, 0);
    hub_world_settle(w);
}

#define NOW "'deletionBudget':{'removals':'100%','period':'1h'}"
#define ONE_AN_HOUR "'deletionBudget':{'removals':1,'period':'1h'}"
#define MAPS "'kinds':[{'kind':'ConfigMap'}]"
#define DENY_ALL "'effect':'Deny','clusters':{'selector':{}}"

static void test_denied_clusters_are_left_out(void **state)
{
    struct hub_world *w = *state;
    const char *status;

    put_policy(
        w, "no-b", "'effect':'Deny'," MAPS ",'clusters':{'selector':{'matchLabels':{'zone':'b'}}}");
    put_map(w, "");
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c1");
    assert_string_equal(hub_world_where(w, "Namespace//ns"), "c1 c2 c3");
    status = hub_world_composed(w, W_CONFIGMAPS, "ns", "x");
    assert_non_null(strstr(status,
        "{\"name\":\"c2\",\"status\":\"ForbiddenByPolicy\",\"message\":\"PlacementPolicy "
        "\\\"no-b\\\" denies this cluster\"}"));
    assert_non_null(strstr(status, "\"type\":\"PlacementRestricted\",\"status\":\"True\""));
    /* A label brings it in, or out. */
    hub_world_cluster(w, "c2", "{'zone':'a'}");
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c1 c2");
    hub_world_remove(w, W_POLICIES, "", "no-b");
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c1 c2 c3");
    assert_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "PlacementRestricted"));
}

static void test_left_out_is_no_trouble(void **state)
{
    struct hub_world *w = *state;

    put_policy(w, "none", DENY_ALL);
    put_map(w, "");
    assert_string_equal(hub_world_where(w, "ConfigMap"), "");
    assert_non_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"),
        "\"type\":\"Propagation\",\"status\":\"True\""));
}

static void test_allow_is_all_that_is_allowed_and_deny_wins(void **state)
{
    struct hub_world *w = *state;

    put_policy(w, "a", MAPS ",'effect':'Allow','clusters':{'names':['c1']}," NOW);
    put_map(w, "");
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c1");
    assert_non_null(
        strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "does not allow this cluster"));
    put_policy(w, "b", MAPS ",'effect':'Allow','clusters':{'names':['c3']}," NOW);
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c1 c3");
    put_policy(w, "c", MAPS ",'effect':'Deny','clusters':{'names':['c1']}," NOW);
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c3");
}

static void test_a_policy_is_for_its_namespaces_and_kinds(void **state)
{
    static const struct {
        const char *scope;
        const char *maps;
        const char *roles;
    } rows[] = {
        {"", "", ""},
        {"'namespaces':['ns'],", "", "c1 c2 c3"},
        {"'namespaces':['other'],", "c1 c2 c3", "c1 c2 c3"},
        {"'namespaceSelector':{'matchLabels':{'team':'x'}},", "", "c1 c2 c3"},
        {"'namespaceSelector':{'matchLabels':{'team':'y'}},", "c1 c2 c3", "c1 c2 c3"},
        {"'kinds':[{'kind':'ConfigMap','group':''}],", "", "c1 c2 c3"},
        {"'kinds':[{'kind':'ConfigMap','group':'apps'}],", "c1 c2 c3", "c1 c2 c3"},
        {"'kinds':[{'kind':'ClusterRole'}],", "c1 c2 c3", ""},
        /* Where the Namespace may not be, nothing in it may. */
        {"'kinds':[{'kind':'Namespace'}],", "", "c1 c2 c3"},
    };
    struct hub_world *w = *state;
    char spec[512];

    put_map(w, "");
    hub_world_put(w, W_CLUSTERROLES, "", "r",
        "{'metadata':{'name':'r'},'spec':{'placement':{'clusterSelector':{}}}}");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(spec, sizeof spec, "%s%s", rows[i].scope, DENY_ALL "," NOW);
        put_policy(w, "p", spec);
        if (strcmp(hub_world_where(w, "ConfigMap"), rows[i].maps) != 0)
            fail_msg("%s: maps in \"%s\"", rows[i].scope, hub_world_where(w, "ConfigMap"));
        if (strcmp(hub_world_where(w, "ClusterRole"), rows[i].roles) != 0)
            fail_msg("%s: roles in \"%s\"", rows[i].scope, hub_world_where(w, "ClusterRole"));
    }
}

static void test_a_namespace_that_gets_the_label_is_concerned(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "");
    put_policy(w, "p", "'namespaceSelector':{'matchLabels':{'team':'y'}}," DENY_ALL "," NOW);
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c1 c2 c3");
    hub_world_put(w, "namespaces", "", "ns", "{'metadata':{'name':'ns','labels':{'team':'y'}}}");
    assert_string_equal(hub_world_where(w, "ConfigMap"), "");
}

static void test_copies_leave_at_the_pace_of_the_budget(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "");
    put_policy(w, "p", MAPS "," DENY_ALL "," ONE_AN_HOUR);
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c2 c3");
    assert_non_null(strstr(policy_status(w, "p"), "\"pendingRemovals\":2"));
    assert_non_null(strstr(policy_status(w, "p"), "\"removalsThisPeriod\":1"));
    assert_non_null(strstr(policy_status(w, "p"), "\"nextRemovalTime\":\"20"));
    assert_non_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"),
        "{\"name\":\"c2\",\"status\":\"WaitingForRemoval\",\"message\":\"PlacementPolicy"));
    /* Those that wait follow their template. */
    hub_world_put(w, W_CONFIGMAPS, "ns", "x",
        "{'metadata':{'name':'x','namespace':'ns'},'spec':{'template':{'data':{'k':'w'}},"
        "'placement':{'clusterSelector':{}}}}");
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c2 c3");
    confirm_all(w);
    assert_non_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"),
        "{\"name\":\"c1\",\"status\":\"ForbiddenByPolicy\""));
    /* What its user takes away is not the policy's business. */
    hub_world_put(w, W_CONFIGMAPS, "ns", "x",
        "{'metadata':{'name':'x','namespace':'ns'},'spec':{'placement':{'clusters':[]}}}");
    assert_string_equal(hub_world_where(w, "ConfigMap"), "");
    assert_non_null(strstr(policy_status(w, "p"), "\"pendingRemovals\":0"));
}

static void test_the_budget_survives_restarts(void **state)
{
    struct hub_world *w = *state;
    uint64_t revision;

    put_map(w, "");
    put_policy(w, "p", MAPS "," DENY_ALL "," ONE_AN_HOUR);
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c2 c3");
    for (int i = 0; i < 3; i++) {
        revision = hub_objects_revision(w->objects);
        hub_world_restart(w);
        assert_string_equal(hub_world_where(w, "ConfigMap"), "c2 c3");
        assert_non_null(strstr(policy_status(w, "p"), "\"pendingRemovals\":2"));
        assert_non_null(strstr(policy_status(w, "p"), "\"removalsThisPeriod\":1"));
        assert_int_equal(hub_objects_revision(w->objects), revision); /* nothing to write */
    }
    /* Nor does a new start give what a policy took. */
    hub_world_remove(w, W_POLICIES, "", "p");
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c1 c2 c3");
    hub_world_restart(w);
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c1 c2 c3");
}

static void test_the_next_period_takes_the_next(void **state)
{
    struct hub_world *w = *state;
    int tries = 0;

    put_map(w, "");
    put_policy(w, "p", MAPS "," DENY_ALL ",'deletionBudget':{'removals':1,'period':'3s'}");
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c2 c3");
    while (hub_world_where(w, "ConfigMap")[0] && tries++ < WAIT_TRIES) {
        usleep(5000);
        hub_world_settle(w);
    }
    assert_string_equal(hub_world_where(w, "ConfigMap"), "");
    assert_non_null(strstr(policy_status(w, "p"), "\"pendingRemovals\":0"));
}

static void test_a_percentage_is_of_what_waits(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "");
    put_policy(w, "p", MAPS "," DENY_ALL ",'deletionBudget':{'removals':'34%','period':'1h'}");
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c3"); /* 1.02 are two */
    put_policy(w, "p", MAPS "," DENY_ALL ",'deletionBudget':{'removals':'0%','period':'1h'}");
    hub_world_restart(w);
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c3");
    put_policy(w, "p", MAPS "," DENY_ALL ",'deletionBudget':{'removals':3,'period':'1h'}");
    assert_string_equal(hub_world_where(w, "ConfigMap"), ""); /* two are used, one is left */
}

static void test_a_namespace_goes_last(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "");
    put_policy(w, "p",
        "'namespaces':['ns'],'effect':'Deny','clusters':{'names':['c1']},"
        "" ONE_AN_HOUR);
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
    put_policy(w, "p",
        "'namespaces':['ns'],'effect':'Deny','clusters':{'names':['c1']},"
        "'deletionBudget':{'removals':2,'period':'1h'}");
    assert_string_equal(hub_world_works(w, "c1"), "");
}

static void test_an_invalid_policy_removes_nothing(void **state)
{
    static const char *const wrong[] = {
        "'effect':'Never','clusters':{'selector':{}}," NOW,
        "'effect':'Deny','clusters':{}," NOW,
        "'effect':'Deny','clusters':{'selector':{'matchExpressions':[{'key':'a','operator':'Is'}]}"
        "}," NOW,
        DENY_ALL ",'namespaceSelector':{'matchExpressions':[{'key':'a','operator':'In'}]}," NOW,
        DENY_ALL ",'deletionBudget':{'removals':'101%'}",
        DENY_ALL ",'deletionBudget':{'removals':-1}",
        DENY_ALL ",'deletionBudget':{'period':'1ms'}",
        DENY_ALL ",'subjects':[{'kind':'User'}]," NOW,
        DENY_ALL ",'subjects':[{'kind':'ServiceAccount','name':'a'}]," NOW,
    };
    struct hub_world *w = *state;

    put_map(w, "");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        put_policy(w, "p", wrong[i]);
        if (strcmp(hub_world_where(w, "ConfigMap"), "c1 c2 c3") != 0)
            fail_msg("%s: in \"%s\"", wrong[i], hub_world_where(w, "ConfigMap"));
        if (!strstr(policy_status(w, "p"), "\"Accepted\",\"status\":\"False\""))
            fail_msg("%s: %s", wrong[i], policy_status(w, "p"));
    }
    hub_world_restart(w);
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c1 c2 c3");
}

static void test_what_was_undone_is_tried_again(void **state)
{
    struct hub_world *w = *state;
    struct hub_object_write write = {
        .ref = {fed_span_text(W_POLICIES), fed_span_text(""), fed_span_text("p")},
        .bytes = fed_span_text("{\"metadata\":{\"name\":\"p\"},\"spec\":{\"effect\":\"Deny\","
                               "\"clusters\":{\"selector\":{}},\"deletionBudget\":{\"removals\":1,"
                               "\"period\":\"1h\"},\"kinds\":[{\"kind\":\"ConfigMap\"}]}}"),
        .expected = 0};
    enum fed_err refused;

    put_map(w, "");
    test_writes_refuse();
    refused = hub_objects_commit(w->objects, &write, 1, NULL, 0, NULL, NULL);
    test_writes_allow();
    assert_int_not_equal(refused, FED_OK);
    for (int i = 0; i < WAIT_TRIES && strcmp(hub_world_where(w, "ConfigMap"), "c1 c2 c3") != 0;
         i++) {
        usleep(5000);
        hub_world_settle(w);
    }
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c1 c2 c3"); /* there is no policy */
    assert_int_equal(hub_objects_commit(w->objects, &write, 1, NULL, 0, NULL, NULL), FED_OK);
    for (int i = 0; i < WAIT_TRIES && strcmp(hub_world_where(w, "ConfigMap"), "c2 c3") != 0; i++) {
        usleep(5000);
        hub_world_settle(w);
    }
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c2 c3");
    hub_world_restart(w);
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c2 c3");
}

static void test_a_deletion_needs_no_turn(void **state)
{
    struct hub_world *w = *state;

    put_map(w, ",'finalizers':['kubefed.io/sync-controller']");
    put_policy(w, "p", MAPS "," DENY_ALL "," ONE_AN_HOUR);
    put_map(w, ",'finalizers':['kubefed.io/"
               "sync-controller'],'deletionTimestamp':'2026-01-01T00:00:00Z'");
    assert_string_equal(hub_world_where(w, "ConfigMap"), "");
    confirm_all(w);
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    assert_non_null(strstr(policy_status(w, "p"), "\"pendingRemovals\":0"));
}

static void test_an_unregistered_cluster_holds_nothing(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "");
    put_policy(w, "p", MAPS "," DENY_ALL "," ONE_AN_HOUR);
    hub_world_remove(w, W_CLUSTERS, W_SYSTEM, "c2");
    assert_non_null(strstr(policy_status(w, "p"), "\"pendingRemovals\":1"));
    hub_world_restart(w);
    assert_non_null(strstr(policy_status(w, "p"), "\"pendingRemovals\":1"));
}

/* What a replica scheduler asks: a copy that waits is still there. */
static void test_may_be_in(void **state)
{
    static const char *const said[] = {"c1", "c2", "c3"};
    struct hub_world *w = *state;
    const struct hub_object_ref ref = {
        fed_span_text(W_CONFIGMAPS), fed_span_text("ns"), fed_span_text("x")};

    put_map(w, "");
    for (size_t i = 0; i < 3; i++)
        assert_true(hub_plan_may_be_in(w->plan, &ref, fed_span_text(said[i])));
    put_policy(w, "p", MAPS "," DENY_ALL "," ONE_AN_HOUR);
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c2 c3");
    assert_false(hub_plan_may_be_in(w->plan, &ref, fed_span_text("c1")));
    assert_true(hub_plan_may_be_in(w->plan, &ref, fed_span_text("c2")));
}

/* A type that is stopped neither loses nor gets anything; when it runs again what is held waits. */
static void test_a_stopped_type_is_left_alone(void **state)
{
    static const char type[] =
        "{'metadata':{'name':'configmaps'},'spec':{'propagation':'%s','targetType':{'version':'v1',"
        "'kind':'ConfigMap','pluralName':'configmaps','scope':'Namespaced'},'federatedType':{"
        "'group':'types.kubefed.io','version':'v1beta1','kind':'FederatedConfigMap','pluralName':"
        "'federatedconfigmaps','scope':'Namespaced'}}}";
    struct hub_world *w = *state;
    char json[1024];

    put_map(w, "");
    snprintf(json, sizeof json, type, "Disabled");
    hub_world_put(w, W_TYPES, W_SYSTEM, "configmaps", json);
    put_policy(w, "p", MAPS "," DENY_ALL "," ONE_AN_HOUR);
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c1 c2 c3");
    hub_world_restart(w);
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c1 c2 c3");
    snprintf(json, sizeof json, type, "Enabled");
    hub_world_put(w, W_TYPES, W_SYSTEM, "configmaps", json);
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c2 c3");
    hub_world_restart(w);
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c2 c3");
    snprintf(json, sizeof json, type, "Disabled");
    hub_world_put(w, W_TYPES, W_SYSTEM, "configmaps", json);
    put_policy(w, "p", MAPS "," DENY_ALL "," NOW);
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c2 c3");
}

/* ---- who writes ---- */

static char warned[512];

static void warn(struct hub_admission *admission, const char *text)
{
    (void)admission;
    snprintf(warned, sizeof warned, "%s", text);
}

struct write {
    enum fed_err err;
    char text[512];
    char note[64]; /* the annotation that was left */
};

static const struct fed_json *parse(struct fed_json_doc *doc, const char *json)
{
    struct fed_json *object;
    char text[2048];
    size_t len = strlen(json);

    assert_true(len < sizeof text);
    for (size_t i = 0; i <= len; i++)
        text[i] = (char)(json[i] == '\'' ? '"' : json[i]);
    assert_int_equal(fed_json_parse(doc, fed_span_of(text, len), &object, NULL), FED_OK);
    return object;
}

static struct write write_as(
    struct hub_world *w, const char *user, const char *object, const char *before)
{
    static const struct hub_kind kind = {.resource = W_CONFIGMAPS};
    struct hub_user who;
    struct fed_json_doc *doc;
    struct fed_diag diag = {""};
    struct hub_admission admission = {
        .operation = before ? HUB_UPDATE : HUB_CREATE, .kind = &kind, .who = &who, .warn = warn};
    struct write out = {.err = FED_OK};
    struct fed_span note;

    warned[0] = '\0';
    hub_user_init(&who);
    assert_int_equal(hub_user_set_name(&who, fed_span_text(user)), FED_OK);
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    admission.doc = doc;
    admission.object = (struct fed_json *)(uintptr_t)parse(doc, object);
    admission.before = before ? parse(doc, before) : NULL;
    out.err = hub_plan_admit(w->plan, &admission, &diag);
    note = fed_json_string(fed_json_get(
        fed_json_find(admission.object, "metadata.annotations"), "fedlet.io/placement-policies"));
    snprintf(out.note, sizeof out.note, FED_SPAN_FMT, FED_SPAN_ARG(note));
    snprintf(out.text, sizeof out.text, "%s", diag.text);
    fed_json_doc_free(doc);
    return out;
}

#define MAP(annotations, data, placement)                                                          \
    "{'metadata':{'name':'x','namespace':'ns'" annotations                                         \
    "},'spec':{'template':{'data':{'k':'" data "'}},'placement':" placement "}}"
#define IN_C2 "{'clusters':[{'name':'c2'}]}"
#define EVERYWHERE "{'clusterSelector':{}}"
#define NOTED(note) ",'annotations':{'fedlet.io/placement-policies':'" note "'}"

static void test_a_forbidden_name_is_refused(void **state)
{
    struct hub_world *w = *state;
    struct write write;

    put_policy(w, "no-c2", "'effect':'Deny','clusters':{'names':['c2']}");
    write = write_as(w, "ana", MAP("", "v", IN_C2), NULL);
    assert_int_equal(write.err, FED_ERR_FORBIDDEN);
    assert_string_equal(write.text,
        "federatedconfigmaps.types.kubefed.io \"x\" is forbidden: PlacementPolicy \"no-c2\" "
        "denies cluster \"c2\" for it: spec.placement.clusters[0].name");
    assert_int_equal(write_as(w, "ana", MAP("", "v", EVERYWHERE), NULL).err, FED_OK);
    /* Who named it before the policy came may go on writing, and is told. */
    assert_int_equal(write_as(w, "ana", MAP("", "w", IN_C2), MAP("", "v", IN_C2)).err, FED_OK);
    assert_non_null(strstr(warned, "PlacementPolicy \"no-c2\" denies this cluster"));
    assert_int_equal(
        write_as(w, "ana", MAP("", "v", IN_C2), MAP("", "v", EVERYWHERE)).err, FED_ERR_FORBIDDEN);
}

static void test_subjects_are_bound(void **state)
{
    struct hub_world *w = *state;
    struct write write;

    put_policy(w, "bob",
        "'effect':'Deny','clusters':{'names':['c2']},'subjects':[{'kind':'User','name':'bob'}],"
        "" NOW);
    assert_int_equal(write_as(w, "ana", MAP("", "v", IN_C2), NULL).err, FED_OK);
    write = write_as(w, "bob", MAP("", "v", IN_C2), NULL);
    assert_int_equal(write.err, FED_ERR_FORBIDDEN);
    assert_non_null(strstr(write.text, "PlacementPolicy \"bob\" denies cluster \"c2\""));
    /* By selector: noted, and left out. */
    write = write_as(w, "bob", MAP("", "v", EVERYWHERE), NULL);
    assert_int_equal(write.err, FED_OK);
    assert_string_equal(write.note, "bob");
    put_map(w, NOTED("bob"));
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c1 c3");
    /* The note is nobody's to take off, nor to put. */
    write = write_as(w, "bob", MAP("", "w", EVERYWHERE), MAP(NOTED("bob"), "v", EVERYWHERE));
    assert_string_equal(write.note, "bob");
    write = write_as(w, "ana", MAP(NOTED("bob"), "v", EVERYWHERE), NULL);
    assert_string_equal(write.note, "");
    write = write_as(w, "ana", MAP("", "w", EVERYWHERE), MAP(NOTED("bob"), "v", EVERYWHERE));
    assert_string_equal(write.note, "bob"); /* its placement is still bob's */
    write = write_as(w, "ana", MAP("", "w", IN_C2), MAP(NOTED("bob"), "v", EVERYWHERE));
    assert_string_equal(write.note, "");
}

static void test_subjects_change_nothing_in_others_clusters(void **state)
{
    struct hub_world *w = *state;
    struct write write;

    put_map(w, "");
    put_policy(w, "bob",
        "'effect':'Deny','clusters':{'names':['c2']},'subjects':[{'kind':'User','name':'bob'}]");
    assert_string_equal(hub_world_where(w, "ConfigMap"), "c1 c2 c3");
    write = write_as(w, "bob", MAP("", "w", EVERYWHERE), MAP("", "v", EVERYWHERE));
    assert_int_equal(write.err, FED_ERR_FORBIDDEN);
    assert_non_null(strstr(write.text, "the object is in that cluster"));
    /* Labels and the like are not what runs there. */
    write =
        write_as(w, "bob", MAP(",'labels':{'a':'b'}", "v", EVERYWHERE), MAP("", "v", EVERYWHERE));
    assert_int_equal(write.err, FED_OK);
}

static void test_one_bad_object_stalls_no_other(void **state)
{
    struct hub_world *w = *state;

    hub_world_put(w, W_CONFIGMAPS, "ns", "bad",
        "{'metadata':{'name':'bad','namespace':'ns'},'spec':{'placement':{'clusterSelector':{}},"
        "'overrides':[{'clusterSelector':{'matchLabels':{'zone':'b'}},'clusterOverrides':[{"
        "'op':'remove','path':'/none'}]},{'clusterSelector':5}]}}");
    hub_world_put(w, W_CONFIGMAPS, "ns", "half",
        "{'metadata':{'name':'half','namespace':'ns'},'spec':{'placement':{'clusterSelector':{}},"
        "'overrides':[{'clusterSelector':{'matchLabels':{'zone':'b'}},'clusterOverrides':[{"
        "'op':'remove','path':'/none'}]}]}}");
    put_policy(w, "broken", "'effect':'Deny','clusters':{}");
    put_map(w, "");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "c1 c2 c3");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/half"), "c1");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/bad"), "");
    hub_world_restart(w);
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "c1 c2 c3");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, hub_world_end)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_denied_clusters_are_left_out),
        TEST(test_left_out_is_no_trouble),
        TEST(test_allow_is_all_that_is_allowed_and_deny_wins),
        TEST(test_a_policy_is_for_its_namespaces_and_kinds),
        TEST(test_a_namespace_that_gets_the_label_is_concerned),
        TEST(test_copies_leave_at_the_pace_of_the_budget),
        TEST(test_the_budget_survives_restarts),
        TEST(test_the_next_period_takes_the_next),
        TEST(test_a_percentage_is_of_what_waits),
        TEST(test_a_namespace_goes_last),
        TEST(test_an_invalid_policy_removes_nothing),
        TEST(test_what_was_undone_is_tried_again),
        TEST(test_a_deletion_needs_no_turn),
        TEST(test_an_unregistered_cluster_holds_nothing),
        TEST(test_may_be_in),
        TEST(test_a_stopped_type_is_left_alone),
        TEST(test_a_forbidden_name_is_refused),
        TEST(test_subjects_are_bound),
        TEST(test_subjects_change_nothing_in_others_clusters),
        TEST(test_one_bad_object_stalls_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
