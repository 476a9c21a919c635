/* hub_versions_test.c - what stands beside a federated object: its PropagatedVersion, its remote
 * statuses, and the times of its condition. */
#include "hub/status/go_hash.h"
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SELECT_ALL "'placement':{'clusterSelector':{}}"
#define MAP_X                                                                                      \
    "{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedConfigMap','metadata':{'name':'x'," \
    "'namespace':'ns','uid':'u-x','generation':1},'spec':{'template':{'data':{'A':'ala ma "        \
    "kota'}}," SELECT_ALL "}}"
#define GATE_ON                                                                                    \
    "{'metadata':{'name':'kubefed'},'spec':{'featureGates':[{'name':'RawResourceStatusCollection'" \
    ",'configuration':'Enabled'}]}}"
#define MAPS_COLLECT                                                                               \
    "{'metadata':{'name':'configmaps'},'spec':{'propagation':'Enabled','statusCollection':"        \
    "'Enabled','targetType':{'version':'v1','kind':'ConfigMap','pluralName':'configmaps','scope':" \
    "'Namespaced'},'federatedType':{'group':'types.kubefed.io','version':'v1beta1','kind':"        \
    "'FederatedConfigMap','pluralName':'federatedconfigmaps','scope':'Namespaced'}}}"

static int setup(void **state)
{
    static struct hub_world w;

    hub_world_open(&w);
    hub_world_types(&w);
    hub_world_put(&w, "namespaces", "", "ns", "{'metadata':{'name':'ns'}}");
    hub_world_cluster(&w, "c1", "{}");
    hub_world_cluster(&w, "c2", "{}");
    hub_world_put(&w, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns','uid':'u-ns'},'spec':{" SELECT_ALL "}}");
    hub_world_put(&w, W_CONFIGMAPS, "ns", "x", MAP_X);
    for (unsigned i = 1; i < 3; i++) {
        char name[8];

        snprintf(name, sizeof name, "c%u", i);
        hub_status_connected(w.status, fed_span_text(name), "coap", "127.0.0.1:1");
    }
    *state = &w;
    return 0;
}

/* Work 0 is ConfigMap ns/x, 1 is Namespace ns. */
struct said {
    const char *cluster;
    uint64_t seq;
    uint64_t generation;
    const char *rv;
    const char *remote;
    const char *facts;
    enum fed_work_state state;
};

static enum fed_err say(struct hub_world *w, const struct said *said)
{
    struct fed_report_entry entry = {.state = said->state ? said->state : FED_WORK_APPLIED,
        .generation = said->generation,
        .resource_version = fed_span_text(said->rv ? said->rv : "")};
    struct fed_report_remote remote = {.status = fed_span_text(said->remote ? said->remote : "")};
    struct fed_report r = {.full = said->seq == 1,
        .epoch = hub_plan_epoch(w->plan),
        .revision = hub_world_revision(w, said->cluster),
        .seq = said->seq,
        .entries = &entry,
        .n_entries = 1,
        .remote = &remote,
        .n_remote = said->remote ? 1 : 0,
        .facts = fed_span_text(said->facts ? said->facts : "{\"healthz\":\"ok\"}")};
    struct fed_diag diag = {""};
    enum fed_err err = hub_status_report(w->status, fed_span_text(said->cluster), &r, &diag);

    hub_world_settle(w);
    return err;
}

static void assert_says(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no %s in %s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("%s in %s", part, text);
}

static const char *version(struct hub_world *w)
{
    return hub_world_composed(w, W_VERSIONS, "ns", "configmap-x");
}

static const char *object(struct hub_world *w)
{
    return hub_world_composed(w, W_CONFIGMAPS, "ns", "x");
}

/* ---- hashes ---- */

static void test_hashes_are_those_of_kubefed(void **state)
{
    static const struct {
        const char *object;
        const char *template;
        const char *overrides;
    } cases[] = {
        {"{}", "", ""},
        {"{\"spec\":{}}", "", "2979b7538b527abe06492021841caf47"},
        {"{\"spec\":{\"template\":{\"spec\":{\"foo\":null}}}}", "a5b8d4352d5aed51c51b93900258ccf3",
            "2979b7538b527abe06492021841caf47"},
        {"{\"spec\":{\"template\":{\"data\":{\"A\":\"ala ma kota\"}}}}",
            "63edc4c5d1171489b7a34eedad2dcf91", "2979b7538b527abe06492021841caf47"},
        /* as apimachinery's Unstructured.MarshalJSON and KubeFed's structs give it */
        {"{\"spec\":{\"template\":{\"z\":\"<a>&\\u2028\\u001F\\b\",\"f\":1.50,\"e\":1e21,\"s\":1e-"
         "7,"
         "\"i\":1.0,\"big\":12345678901234567890,\"n\":-0.000001,\"a\":[true,null,{}]},"
         "\"overrides\":[{\"clusterOverrides\":[{\"value\":{\"b\":5,\"a\":[1.0]},\"path\":\"/a<b\","
         "\"op\":\"add\"},{\"path\":\"/x\",\"value\":null},{\"path\":\"/y\",\"value\":false}],"
         "\"clusterName\":\"c1\"},{\"clusterName\":\"c2\"}]}}",
            "a2e887d960d2f73db7497db44425a8de", "55f1ce6976f06219ac8dde20c0073d6d"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fed_json_doc *doc;
        struct fed_json *value;
        char hash[STATUS_HASH_SIZE];

        assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
        assert_int_equal(fed_json_parse(doc, fed_span_text(cases[i].object), &value, NULL), FED_OK);
        assert_int_equal(status_hash_template(fed_alloc_system(), value, hash), FED_OK);
        assert_string_equal(hash, cases[i].template);
        assert_int_equal(status_hash_overrides(fed_alloc_system(), value, hash), FED_OK);
        assert_string_equal(hash, cases[i].overrides);
        fed_json_doc_free(doc);
    }
}

/* Another selector is another version; that of a name is KubeFed's. */
static void test_hash_of_selectors(void **state)
{
    static const char *const texts[] = {
        "{\"spec\":{\"overrides\":[{\"clusterSelector\":{\"matchLabels\":{\"a\":\"b\"}}}]}}",
        "{\"spec\":{\"overrides\":[{\"clusterSelector\":{\"matchLabels\":{\"a\":\"c\"}}}]}}",
        "{\"spec\":{\"overrides\":[{}]}}", "{\"spec\":{\"overrides\":[{\"clusterName\":\"\"}]}}"};
    char hashes[4][STATUS_HASH_SIZE];
    struct fed_json_doc *doc;
    struct fed_json *value;

    (void)state;
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(fed_json_parse(doc, fed_span_text(texts[i]), &value, NULL), FED_OK);
        assert_int_equal(status_hash_overrides(fed_alloc_system(), value, hashes[i]), FED_OK);
    }
    assert_string_not_equal(hashes[0], hashes[1]);
    assert_string_not_equal(hashes[0], hashes[2]);
    assert_string_equal(hashes[2], hashes[3]);
    fed_json_doc_free(doc);
}

/* ---- versions ---- */

static void test_a_version_stands_beside_each_object(void **state)
{
    struct hub_world *w = *state;
    const char *stored = hub_world_stored(w, W_VERSIONS, "ns", "configmap-x");

    assert_says(stored,
        "\"ownerReferences\":[{\"apiVersion\":\"types.kubefed.io/v1beta1\",\"kind\":"
        "\"FederatedConfigMap\",\"name\":\"x\",\"uid\":\"u-x\"}]");
    assert_lacks(stored, "\"status\"");
    assert_says(hub_world_stored(w, W_VERSIONS, "ns", "namespace-ns"), "\"u-ns\"");
    hub_world_put(w, W_CLUSTERROLES, "", "r",
        "{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedClusterRole','metadata':{'name':"
        "'r','uid':'u-r'},'spec':{" SELECT_ALL "}}");
    hub_world_settle(w);
    assert_says(hub_world_stored(w, W_CLUSTER_VERSIONS, "", "clusterrole-r"), "\"u-r\"");
}

static void test_it_shows_what_the_members_hold(void **state)
{
    struct hub_world *w = *state;

    assert_string_equal(version(w), "{\"templateVersion\":\"63edc4c5d1171489b7a34eedad2dcf91\","
                                    "\"overridesVersion\":\"2979b7538b527abe06492021841caf47\"}");
    assert_int_equal(say(w, &(struct said){.cluster = "c2", .seq = 1, .generation = 3}), FED_OK);
    assert_int_equal(say(w, &(struct said){.cluster = "c1", .seq = 1, .rv = "812"}), FED_OK);
    assert_says(version(w), "\"clusterVersions\":[{\"clusterName\":\"c1\",\"version\":\"rv:812\"},{"
                            "\"clusterName\":\"c2\",\"version\":\"gen:3\"}]");
    assert_says(object(w), "{\"name\":\"c1\",\"version\":\"rv:812\"}");
    /* What fails later keeps what it had; so does a restart. */
    assert_int_equal(
        say(w, &(struct said){.cluster = "c2", .seq = 2, .state = FED_WORK_FAILED}), FED_OK);
    hub_world_restart(w);
    assert_says(
        version(w), "\"version\":\"rv:812\"},{\"clusterName\":\"c2\",\"version\":\"gen:3\"");
    /* Another template: nobody holds it yet, and both hashes are of the present text. */
    hub_world_put(w, W_CONFIGMAPS, "ns", "x",
        "{'metadata':{'name':'x','namespace':'ns','uid':'u-x','generation':2},'spec':{'template':{"
        "'spec':{'foo':null}}," SELECT_ALL "}}");
    assert_says(version(w), "a5b8d4352d5aed51c51b93900258ccf3");
    assert_lacks(version(w), "clusterVersions");
}

static void test_one_that_is_deleted_is_made_again(void **state)
{
    struct hub_world *w = *state;
    char before[2048];

    snprintf(before, sizeof before, "%s", hub_world_stored(w, W_VERSIONS, "ns", "configmap-x"));
    hub_world_remove(w, W_VERSIONS, "ns", "configmap-x");
    hub_world_settle(w);
    assert_says(hub_world_stored(w, W_VERSIONS, "ns", "configmap-x"), "\"u-x\"");
    assert_string_not_equal(hub_world_stored(w, W_VERSIONS, "ns", "configmap-x"), before);
    /* Not in a namespace that goes, and not beside an object that does. */
    hub_world_put(w, "namespaces", "", "ns",
        "{'metadata':{'name':'ns','deletionTimestamp':'2026-01-01T00:00:00Z'}}");
    hub_world_remove(w, W_VERSIONS, "ns", "configmap-x");
    hub_world_settle(w);
    assert_string_equal(hub_world_stored(w, W_VERSIONS, "ns", "configmap-x"), "(absent)");
    hub_world_put(w, "namespaces", "", "ns", "{'metadata':{'name':'ns'}}");
    hub_world_settle(w);
    assert_says(hub_world_stored(w, W_VERSIONS, "ns", "configmap-x"), "\"u-x\"");
    hub_world_put(w, W_CONFIGMAPS, "ns", "x",
        "{'metadata':{'name':'x','namespace':'ns','uid':'u-x','deletionTimestamp':"
        "'2026-01-01T00:00:00Z','finalizers':['kubefed.io/sync-controller']},'spec':{" SELECT_ALL
        "}}");
    hub_world_remove(w, W_VERSIONS, "ns", "configmap-x");
    hub_world_settle(w);
    assert_string_equal(hub_world_stored(w, W_VERSIONS, "ns", "configmap-x"), "(absent)");
}

static void test_somebody_elses_is_left_alone(void **state)
{
    static const char own[] =
        "{'metadata':{'name':'configmap-x','namespace':'ns','ownerReferences':["
        "{'name':'x','uid':'other'}]},'status':{'templateVersion':'mine'}}";
    struct hub_world *w = *state;

    hub_world_put(w, W_VERSIONS, "ns", "configmap-x", own);
    assert_string_equal(version(w), "{\"templateVersion\":\"mine\"}");
    hub_world_put(w, W_CONFIGMAPS, "ns", "x", MAP_X);
    hub_world_settle(w);
    assert_string_equal(version(w), "{\"templateVersion\":\"mine\"}");
    hub_world_put(w, W_VERSIONS, "ns", "v1234-thing", "{'metadata':{'name':'v1234-thing'}}");
    hub_world_remove(w, W_VERSIONS, "ns", "v1234-thing");
    hub_world_settle(w);
    assert_string_equal(hub_world_stored(w, W_VERSIONS, "ns", "v1234-thing"), "(absent)");
}

static void note_touched(void *ctx, const struct hub_change *change)
{
    char *text = ctx;
    size_t used = strlen(text);

    if (change->type == HUB_CHANGE_TOUCHED)
        snprintf(text + used, 128 - used, FED_SPAN_FMT " ", FED_SPAN_ARG(change->ref.name));
}

static void test_watchers_hear_of_a_version(void **state)
{
    struct hub_world *w = *state;
    struct hub_subscription *subscription;
    char touched[128] = "";

    assert_int_equal(say(w, &(struct said){.cluster = "c1", .seq = 1, .generation = 1}), FED_OK);
    assert_int_equal(hub_objects_subscribe(w->objects, fed_span_text(W_VERSIONS), note_touched,
                         touched, &subscription),
        FED_OK);
    assert_int_equal(say(w, &(struct said){.cluster = "c1", .seq = 2, .generation = 2}), FED_OK);
    assert_string_equal(touched, "configmap-x ");
    hub_objects_unsubscribe(subscription);
}

static void test_versions_of_a_hub_that_had_none(void **state)
{
    struct hub_world *w = *state;

    hub_world_put(w, "namespaces", "", "ns",
        "{'metadata':{'name':'ns','deletionTimestamp':'2026-01-01T00:00:00Z'}}");
    hub_world_remove(w, W_VERSIONS, "ns", "configmap-x");
    hub_world_settle(w);
    assert_int_equal(hub_objects_commit(w->objects,
                         &(struct hub_object_write){.ref = {.resource = FED_SPAN_LIT("namespaces"),
                                                        .name = FED_SPAN_LIT("ns")},
                             .bytes = FED_SPAN_LIT("{\"metadata\":{\"name\":\"ns\"}}"),
                             .expected = HUB_ANY_REVISION},
                         1, NULL, 0, NULL, NULL),
        FED_OK);
    assert_string_equal(hub_world_stored(w, W_VERSIONS, "ns", "configmap-x"), "(absent)");
    hub_world_restart(w); /* before its turn came */
    hub_world_settle(w);
    assert_says(hub_world_stored(w, W_VERSIONS, "ns", "configmap-x"), "\"u-x\"");
}

/* Rows of the format before: generations, and no more than they had. */
static void test_an_old_row_is_read(void **state)
{
    struct hub_world *w = *state;
    struct fed_store_op op = {.key = FED_SPAN_LIT("s/c1")};
    struct fed_buf row;

    fed_buf_init(&row, fed_alloc_system(), 1024);
    fed_buf_put_u8(&row, 1);
    fed_buf_put_varint(&row, 41);
    fed_buf_put_varint(&row, hub_world_revision(w, "c1"));
    fed_buf_put_u8(&row, 1);
    fed_buf_put_varint(&row, 1767225600);
    fed_buf_put_string(&row, FED_SPAN_LIT("{\"healthz\":\"ok\"}"));
    fed_buf_put_varint(&row, 2);
    for (unsigned i = 0; i < 2; i++) {
        fed_buf_put_u8(&row, 0x11);
        fed_buf_put_varint(&row, 6);
        fed_buf_put_string(&row, FED_SPAN_LIT(""));
        fed_buf_put_string(&row, FED_SPAN_LIT(""));
    }
    fed_buf_put_varint(&row, 0);
    op.value = fed_buf_span(&row);
    assert_int_equal(hub_objects_stage(w->objects, NULL, 0, &op, 1, NULL, NULL), FED_OK);
    assert_int_equal(hub_objects_flush(w->objects, NULL), FED_OK);
    fed_buf_fini(&row);
    hub_world_restart(w);
    assert_int_equal(hub_status_report_seq(w->status, fed_span_text("c1")), 41);
    assert_says(object(w), "{\"name\":\"c1\",\"health\":\"Healthy\",\"version\":\"gen:6\"}");
}

/* ---- remote statuses ---- */

static void collect(struct hub_world *w)
{
    hub_world_put(w, "kubefedconfigs.core.kubefed.io", W_SYSTEM, "kubefed", GATE_ON);
    hub_world_put(w, W_TYPES, W_SYSTEM, "configmaps", MAPS_COLLECT);
}

static bool is_asked(struct hub_world *w)
{
    const struct fed_manifest *manifest;

    assert_int_equal(hub_plan_manifest(w->plan, fed_span_text("c1"), &manifest), FED_OK);
    assert_true(fed_span_is(manifest->works[0].kind, "ConfigMap"));
    return manifest->works[0].options & FED_WORK_STATUS;
}

static void test_statuses_are_asked_for_with_gate_and_type(void **state)
{
    struct hub_world *w = *state;

    assert_false(is_asked(w));
    hub_world_put(w, W_TYPES, W_SYSTEM, "configmaps", MAPS_COLLECT);
    assert_false(is_asked(w));
    hub_world_put(w, "kubefedconfigs.core.kubefed.io", "elsewhere", "kubefed", GATE_ON);
    assert_false(is_asked(w));
    hub_world_put(w, "kubefedconfigs.core.kubefed.io", W_SYSTEM, "kubefed", GATE_ON);
    assert_true(is_asked(w));
    hub_world_restart(w);
    assert_true(is_asked(w));
    hub_world_remove(w, "kubefedconfigs.core.kubefed.io", W_SYSTEM, "kubefed");
    assert_false(is_asked(w));
}

static void test_statuses_come_back(void **state)
{
    struct hub_world *w = *state;

    collect(w);
    assert_int_equal(
        say(w, &(struct said){.cluster = "c1", .seq = 1, .rv = "5", .remote = "{\"n\":1.5}"}),
        FED_OK);
    assert_int_equal(say(w, &(struct said){.cluster = "c2", .seq = 1, .rv = "6"}), FED_OK);
    assert_says(object(w), "{\"name\":\"c1\",\"version\":\"rv:5\",\"remoteStatus\":{\"n\":1.5}},{"
                           "\"name\":\"c2\",\"version\":\"rv:6\"}");
    assert_says(object(w), "\"status\":\"True\""); /* one without a status is no trouble */
    hub_world_restart(w);
    assert_says(object(w), "\"remoteStatus\":{\"n\":1.5}");
    /* Another content: the status is the live object's all the same. A full report without it does
     * not take it back either: the agent tells statuses apart from that. */
    hub_world_put(w, W_CONFIGMAPS, "ns", "x",
        "{'metadata':{'name':'x','namespace':'ns','uid':'u-x','generation':2},'spec':{'template':{"
        "'data':{}}," SELECT_ALL "}}");
    assert_says(object(w), "\"remoteStatus\":{\"n\":1.5}");
    hub_status_connected(w->status, fed_span_text("c1"), "coap", "127.0.0.1:1");
    assert_int_equal(say(w, &(struct said){.cluster = "c1", .seq = 1, .rv = "7"}), FED_OK);
    assert_says(object(w), "\"version\":\"rv:7\",\"remoteStatus\":{\"n\":1.5}");
    assert_int_equal(
        say(w, &(struct said){.cluster = "c1", .seq = 2, .rv = "7", .remote = "null"}), FED_OK);
    assert_lacks(object(w), "remoteStatus");
    assert_int_equal(
        say(w, &(struct said){.cluster = "c1", .seq = 3, .rv = "7", .remote = "{broken"}),
        FED_ERR_INVALID);
}

static size_t rows(struct hub_world *w)
{
    struct fed_store *store = hub_objects_store(w->objects);
    size_t n = 0;

    assert_int_equal(store->count(store->ctx, FED_SPAN_LIT("r/"), FED_SPAN_LIT("r0"), &n), FED_OK);
    return n;
}

static void test_statuses_go_with_their_work_and_cluster(void **state)
{
    struct hub_world *w = *state;

    collect(w);
    for (unsigned i = 1; i < 3; i++) {
        char name[8];

        snprintf(name, sizeof name, "c%u", i);
        assert_int_equal(
            say(w, &(struct said){.cluster = name, .seq = 1, .rv = "5", .remote = "{}"}), FED_OK);
    }
    assert_int_equal(rows(w), 2);
    hub_world_remove(w, W_CLUSTERS, W_SYSTEM, "c2");
    assert_int_equal(rows(w), 1);
    hub_world_restart(w);
    assert_int_equal(rows(w), 1);
    hub_world_remove(w, W_CONFIGMAPS, "ns", "x");
    assert_int_equal(say(w, &(struct said){.cluster = "c1", .seq = 1}), FED_OK);
    hub_world_restart(w); /* the manifest of the report before was forgotten with the first start */
    assert_int_equal(rows(w), 0);
}

static void test_service_statuses(void **state)
{
    struct hub_world *w = *state;

    hub_world_put(w, W_TYPES, W_SYSTEM, "services",
        "{'metadata':{'name':'services'},'spec':{'propagation':'Enabled','statusCollection':"
        "'Enabled','statusType':{'group':'core.kubefed.io','version':'v1alpha1','kind':"
        "'FederatedServiceStatus','pluralName':'federatedservicestatuses'},'targetType':{'version':"
        "'v1','kind':'Service','pluralName':'services','scope':'Namespaced'},'federatedType':{"
        "'group':'types.kubefed.io','version':'v1beta1','kind':'FederatedService','pluralName':"
        "'federatedservices','scope':'Namespaced'}}}");
    hub_world_remove(w, W_CONFIGMAPS, "ns", "x");
    hub_world_put(w, "federatedservices.types.kubefed.io", "ns", "s",
        "{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedService','metadata':{'name':'s',"
        "'namespace':'ns','uid':'u-s'},'spec':{'placement':{'clusters':[{'name':'c2'}]}}}");
    hub_world_settle(w);
    assert_int_equal(say(w, &(struct said){.cluster = "c1", .seq = 1}), FED_OK);
    {
        struct fed_report_entry entry = {.index = 1, .state = FED_WORK_APPLIED};
        struct fed_report_remote remote = {
            .index = 1, .status = FED_SPAN_LIT("{\"loadBalancer\":{}}")};
        struct fed_report r = {.full = true,
            .epoch = hub_plan_epoch(w->plan),
            .revision = hub_world_revision(w, "c2"),
            .seq = 1,
            .entries = &entry,
            .n_entries = 1,
            .remote = &remote,
            .n_remote = 1,
            .facts = FED_SPAN_LIT("{\"healthz\":\"ok\"}")};

        assert_int_equal(hub_status_report(w->status, fed_span_text("c2"), &r, NULL), FED_OK);
        hub_world_settle(w);
    }
    assert_says(hub_world_composed(w, W_SERVICE_STATUSES, "ns", "s"),
        "\"clusterStatus\":[{\"clusterName\":\"c1\",\"status\":{}},{\"clusterName\":\"c2\","
        "\"status\":{\"loadBalancer\":{}}}]");
    assert_says(hub_world_stored(w, W_SERVICE_STATUSES, "ns", "s"), "\"uid\":\"u-s\"");
    assert_lacks(
        hub_world_composed(w, "federatedservices.types.kubefed.io", "ns", "s"), "remoteStatus");
}

/* ---- times, and clusters ---- */

static void test_times_survive_a_restart(void **state)
{
    struct hub_world *w = *state;
    char before[8192];

    assert_int_equal(say(w, &(struct said){.cluster = "c1", .seq = 1, .generation = 1}), FED_OK);
    assert_int_equal(say(w, &(struct said){.cluster = "c2", .seq = 1, .generation = 1}), FED_OK);
    snprintf(before, sizeof before, "%s", object(w));
    assert_says(before, "\"status\":\"True\"");
    hub_world_restart(w);
    hub_world_wait(1100);
    assert_string_equal(object(w), before);
    /* What is propagated moves the time of the update alone. */
    assert_int_equal(say(w, &(struct said){.cluster = "c1", .seq = 2, .generation = 2}), FED_OK);
    assert_says(strstr(object(w), "lastTransitionTime"), strstr(before, "lastTransitionTime"));
    assert_string_not_equal(strstr(object(w), "lastUpdateTime"), strstr(before, "lastUpdateTime"));
}

static void test_nodes_of_a_cluster(void **state)
{
    struct hub_world *w = *state;

    assert_int_equal(
        say(w, &(struct said){.cluster = "c1",
                   .seq = 1,
                   .facts = "{\"healthz\":\"ok\",\"nodes\":2,\"region\":\"eu\",\"zones\":[\"a\"],"
                            "\"allocatable\":{\"cpu\":\"4000m\"},\"unschedulablePods\":3}"}),
        FED_OK);
    assert_says(hub_world_composed(w, W_CLUSTERS, W_SYSTEM, "c1"),
        "\"region\":\"eu\",\"zones\":[\"a\"],\"nodes\":2,\"allocatable\":{\"cpu\":\"4000m\"},"
        "\"unschedulablePods\":3");
    assert_int_equal(say(w, &(struct said){.cluster = "c1",
                                .seq = 2,
                                .facts = "{\"healthz\":\"ok\",\"nodes\":2,\"zones\":[7]}"}),
        FED_OK);
    assert_lacks(hub_world_composed(w, W_CLUSTERS, W_SYSTEM, "c1"), "zones");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes_are_those_of_kubefed),
        cmocka_unit_test(test_hash_of_selectors),
        cmocka_unit_test_setup_teardown(
            test_a_version_stands_beside_each_object, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_it_shows_what_the_members_hold, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_one_that_is_deleted_is_made_again, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_somebody_elses_is_left_alone, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_watchers_hear_of_a_version, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_versions_of_a_hub_that_had_none, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_an_old_row_is_read, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_statuses_are_asked_for_with_gate_and_type, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_statuses_come_back, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_statuses_go_with_their_work_and_cluster, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_service_statuses, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_times_survive_a_restart, setup, hub_world_end),
        cmocka_unit_test_setup_teardown(test_nodes_of_a_cluster, setup, hub_world_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
