/* The rules and defaults of KubeFed's own kinds, case by case (kubefed_cases.txt). */
#include "hub/kubefed/check.h"
#include "hub/kubefed/config.h"
#include "hub/kubefed/duration.h"
#include "proto/object/patch.h"

#include <stdlib.h>

#include "tests/unit/proto_tree_test.h"

#define CASES FEDLET_SOURCE_DIR "/tests/unit/kubefed_cases.txt"
#define CASES_MIN 100u

static const char valid_cluster[] =
    "{'metadata':{'name':'c'},'spec':{'apiEndpoint':'https://my.example.com:80/path/to/endpoint',"
    "'secretRef':{'name':'c-pw97k'}},'status':{'conditions':[{'type':'Ready','status':'True',"
    "'lastProbeTime':'2026-01-01T00:00:00Z'}]}}";
static const char valid_type[] =
    "{'metadata':{'name':'deployments.apps'},'spec':{'propagation':'Enabled','statusCollection':"
    "'Enabled','targetType':{'group':'apps','version':'v1','kind':'Deployment','pluralName':"
    "'deployments','scope':'Namespaced'},'federatedType':{'group':'types.kubefed.io','version':"
    "'v1beta1','kind':'FederatedDeployment','pluralName':'federateddeployments','scope':"
    "'Namespaced'},'statusType':{'group':'types.kubefed.io','version':'v1beta1','kind':"
    "'FederatedDeploymentStatus','pluralName':'federateddeploymentsstatus','scope':'Namespaced'}},"
    "'status':{'observedGeneration':1,'propagationController':'Running','statusController':"
    "'NotRunning'}}";
static const char empty_config[] = "{'metadata':{'name':'kubefed'},'spec':{'scope':'Cluster'}}";

static struct fed_json *parse(struct fed_json_doc *doc, const char *text)
{
    char plain[2048];
    struct fed_json *out;
    struct fed_diag diag = {{0}};

    snprintf(plain, sizeof plain, "%s", text);
    for (char *c = plain; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    if (fed_json_parse(doc, fed_span_text(plain), &out, &diag))
        fail_msg("%s: %s", plain, diag.text);
    return out;
}

static struct fed_json *valid_config(struct fed_json_doc *doc)
{
    struct fed_json *config = parse(doc, empty_config);

    assert_int_equal(hub_kubefed_default_config(doc, config), FED_OK);
    return config;
}

/* ---- the table ---- */
static struct fed_json *valid_of(struct fed_json_doc *doc, const char *kind)
{
    if (strcmp(kind, "cluster") == 0)
        return parse(doc, valid_cluster);
    return strcmp(kind, "type") == 0 ? parse(doc, valid_type) : valid_config(doc);
}

static void check(struct fed_json_doc *doc, const char *kind, const char *half,
    const struct fed_json *object, struct hub_kubefed_errors *errors)
{
    enum hub_kubefed_part part =
        strcmp(half, "status") == 0 ? HUB_KUBEFED_STATUS : HUB_KUBEFED_SPEC;

    if (strcmp(kind, "cluster") == 0)
        hub_kubefed_check_cluster(object, part, errors);
    else if (strcmp(kind, "type") == 0)
        hub_kubefed_check_type(object, part, errors);
    else
        hub_kubefed_check_config(object, valid_config(doc), errors);
}

static bool is_as_expected(const char *got, const char *expected)
{
    if (strcmp(expected, "ok") == 0)
        return !got[0];
    return strncmp(expected, "= ", 2) == 0 ? strcmp(got, expected + 2) == 0
                                           : strstr(got, expected) != NULL;
}

static bool run_case(const char *kind, const char *half, const char *patch, const char *expected)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct fed_json *change;
    struct hub_kubefed_errors errors;
    struct fed_buf text;
    struct fed_diag diag = {{0}};
    bool ok;

    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    if (fed_json_parse(doc, fed_span_text(patch), &change, &diag))
        fail_msg("%s: %s", patch, diag.text);
    object = valid_of(doc, kind);
    assert_int_equal(fed_patch_merge(doc, &object, change, &diag), FED_OK);
    hub_kubefed_errors_init(&errors, fed_alloc_system());
    fed_buf_init(&text, fed_alloc_system(), 1u << 20);
    check(doc, kind, half, object, &errors);
    hub_kubefed_errors_put(&errors, &text);
    ok = is_as_expected(fed_buf_cstr(&text), expected);
    if (!ok)
        print_error("%s %s %s\n  got      %s\n  expected %s\n", kind, half, patch,
            fed_buf_cstr(&text), expected);
    fed_buf_fini(&text);
    hub_kubefed_errors_fini(&errors);
    fed_json_doc_free(doc);
    return ok;
}

static void test_cases(void **state)
{
    FILE *file = fopen(CASES, "r");
    char line[4096];
    size_t n = 0;
    size_t bad = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        char kind[16];
        char half[16];
        char *patch = strstr(line, " | ");
        char *expected = patch ? strstr(patch + 3, " | ") : NULL;

        line[strcspn(line, "\n")] = 0;
        if (!line[0] || line[0] == '#')
            continue;
        if (!expected || sscanf(line, "%15s %15s", kind, half) != 2)
            fail_msg("no case: %s", line);
        *expected = 0;
        bad += !run_case(kind, half, patch + 3, expected + 3);
        n++;
    }
    fclose(file);
    assert_true(n >= CASES_MIN);
    assert_int_equal(bad, 0);
}

/* Scheme, host, port and path in every combination that KubeFed accepts. */
static void test_endpoints(void **state)
{
    static const char *const schemes[] = {"", "http://", "https://"};
    static const char *const hosts[] = {
        "example.com", "my.example.com", "192.0.2.219", "[2001:db8:25a4:8d2::1]"};
    static const char *const ports[] = {"", ":1", ":80", ":8080", ":65535"};
    static const char *const paths[] = {"", "/", "/path/to/endpoint"};
    size_t n = COUNT(schemes) * COUNT(hosts) * COUNT(ports) * COUNT(paths);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        const char *scheme = schemes[i % 3];
        const char *path = paths[i / 3 % 3];
        bool refused = !scheme[0] && path[0] && path[1];
        char patch[256];

        snprintf(patch, sizeof patch, "{\"spec\":{\"apiEndpoint\":\"%s%s%s%s\"}}", scheme,
            hosts[i / 9 % 4], ports[i / 36], path);
        assert_true(run_case(
            "cluster", "spec", patch, refused ? "host must be a URL or a host:port pair" : "ok"));
    }
}

static void test_many_errors(void **state)
{
    struct fed_json_doc *doc;
    struct hub_kubefed_errors errors;
    struct fed_buf text;
    char list[2048] = "{'status':{'conditions':[{}";

    (void)state;
    for (size_t i = 0; i < 40; i++)
        strcat(list, ",{}");
    strcat(list, "]}}");
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    hub_kubefed_errors_init(&errors, fed_alloc_system());
    fed_buf_init(&text, fed_alloc_system(), 1u << 20);
    hub_kubefed_check_cluster(parse(doc, list), HUB_KUBEFED_STATUS, &errors);
    assert_int_equal(errors.n, HUB_KUBEFED_ERRORS_MAX);
    hub_kubefed_errors_put(&errors, &text);
    assert_non_null(strstr(fed_buf_cstr(&text), ", and 91 more]"));
    fed_buf_fini(&text);
    hub_kubefed_errors_fini(&errors);
    fed_json_doc_free(doc);
}

/* ---- defaults ---- */
#define GATES(push, raw, scheduler)                                                                \
    "'featureGates':[{'name':'PushReconciler','configuration':'" push                              \
    "'},{'name':'RawResourceStatusCollection','configuration':'" raw                               \
    "'},{'name':'SchedulerPreferences','configuration':'" scheduler "'}]"

static void test_config_defaults(void **state)
{
    static const char all[] =
        "{'spec':{'scope':'Cluster','controllerDuration':{'availableDelay':'20s',"
        "'unavailableDelay':'1m0s','cacheSyncTimeout':'5m0s'},'leaderElect':{'leaseDuration':'15s',"
        "'renewDeadline':'10s','retryPeriod':'5s','resourceLock':'configmaps'},"
        "'clusterHealthCheck':{'period':'10s','failureThreshold':3,'successThreshold':1,"
        "'timeout':'3s'},'syncController':{'maxConcurrentReconciles':1,'adoptResources':'Enabled'},"
        "'statusController':{'maxConcurrentReconciles':1}," GATES(
            "Enabled", "Disabled", "Enabled") "},'metadata':{'name':'kubefed'}}";
    /* What is set stays; durations get Go's spelling. given: a merge patch before, expected: after
     * all defaults. */
    static const struct {
        const char *given;
        const char *expected;
    } rows[] = {
        {"{}", "{}"},
        {"{'spec':{'controllerDuration':{'availableDelay':'51s'}}}", NULL},
        {"{'spec':{'controllerDuration':{'unavailableDelay':'1m31s'}}}", NULL},
        {"{'spec':{'controllerDuration':{'cacheSyncTimeout':'5m31s'}}}", NULL},
        {"{'spec':{'leaderElect':{'leaseDuration':'26s'}}}", NULL},
        {"{'spec':{'leaderElect':{'renewDeadline':'21s'}}}", NULL},
        {"{'spec':{'leaderElect':{'retryPeriod':'16s'}}}", NULL},
        {"{'spec':{'leaderElect':{'resourceLock':'endpoints'}}}", NULL},
        {"{'spec':{'clusterHealthCheck':{'period':'21s'}}}", NULL},
        {"{'spec':{'clusterHealthCheck':{'failureThreshold':8}}}", NULL},
        {"{'spec':{'clusterHealthCheck':{'successThreshold':4}}}", NULL},
        {"{'spec':{'clusterHealthCheck':{'timeout':'16s'}}}", NULL},
        {"{'spec':{'syncController':{'maxConcurrentReconciles':4}}}", NULL},
        {"{'spec':{'syncController':{'adoptResources':'Disabled'}}}", NULL},
        {"{'spec':{'statusController':{'maxConcurrentReconciles':4}}}", NULL},
        {"{'spec':{'featureGates':[]}}", "{'spec':{" GATES("Enabled", "Disabled", "Enabled") "}}"},
        {"{'spec':{'featureGates':[{'name':'SchedulerPreferences','configuration':'Disabled'}]}}",
            "{'spec':{" GATES("Enabled", "Disabled", "Disabled") "}}"},
        {"{'spec':{'featureGates':[{'name':'RawResourceStatusCollection','configuration':'Enabled'"
         "},{'name':'PushReconciler','configuration':'Disabled'}]}}",
            "{'spec':{" GATES("Disabled", "Enabled", "Enabled") "}}"},
        {"{'spec':{'featureGates':[{'name':'Aaa','configuration':'Enabled'},{'name':"
         "'PushReconciler','configuration':'Enabled'}]}}",
            "{'spec':{'featureGates':[{'name':'Aaa','configuration':'Enabled'},{'name':"
            "'PushReconciler','configuration':'Enabled'},{'name':'RawResourceStatusCollection',"
            "'configuration':'Disabled'},{'name':'SchedulerPreferences','configuration':'Enabled'"
            "}]}}"},
        {"{'spec':{'controllerDuration':{'unavailableDelay':'60s','cacheSyncTimeout':'0.1h'}}}",
            "{'spec':{'controllerDuration':{'cacheSyncTimeout':'6m0s'}}}"},
        {"{'spec':{'leaderElect':{'retryPeriod':'never'}}}", NULL},
        {"{'spec':{'leaderElect':7,'featureGates':'none'}}", NULL},
    };
    struct fed_diag diag = {{0}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fed_json_doc *doc;
        struct fed_json *got;
        struct fed_json *expected;

        assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
        got = parse(doc, empty_config);
        expected = parse(doc, all);
        assert_int_equal(fed_patch_merge(doc, &got, parse(doc, rows[i].given), &diag), FED_OK);
        assert_int_equal(
            fed_patch_merge(doc, &expected,
                parse(doc, rows[i].expected ? rows[i].expected : rows[i].given), &diag),
            FED_OK);
        assert_int_equal(hub_kubefed_default_config(doc, got), FED_OK);
        if (!fed_json_eq(got, expected))
            fail_msg("defaults of %s", rows[i].given);
        fed_json_doc_free(doc);
    }
}

static void test_type_defaults(void **state)
{
    static const struct {
        const char *name, *spec, *expected;
    } rows[] = {
        {"deployments.apps", "{'targetType':{'kind':'Deployment'}}",
            "{'targetType':{'kind':'Deployment','pluralName':'deployments','group':'apps'}}"},
        {"configmaps", "{'targetType':{'kind':'ConfigMap','group':''}}",
            "{'targetType':{'kind':'ConfigMap','group':'','pluralName':'configmaps'}}"},
        {"x", "{'federatedType':{'kind':'FederatedIngress'}}",
            "{'federatedType':{'kind':'FederatedIngress','pluralName':'federatedingresses'}}"},
        {"x", "{'federatedType':{'kind':'FederatedNetworkPolicy'}}",
            "{'federatedType':{'kind':'FederatedNetworkPolicy','pluralName':"
            "'federatednetworkpolicies'}}"},
        {"x", "{'federatedType':{'kind':'FederatedPatch'}}",
            "{'federatedType':{'kind':'FederatedPatch','pluralName':'federatedpatches'}}"},
        {"x",
            "{'federatedType':{'kind':'A','pluralName':'as','group':'a.b','version':'v1'},"
            "'statusType':{'kind':'Box'}}",
            "{'federatedType':{'kind':'A','pluralName':'as','group':'a.b','version':'v1'},"
            "'statusType':{'kind':'Box','pluralName':'boxes','group':'a.b','version':'v1'}}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fed_json_doc *doc;
        struct fed_json *object;
        char text[512];

        assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
        snprintf(
            text, sizeof text, "{'metadata':{'name':'%s'},'spec':%s}", rows[i].name, rows[i].spec);
        object = parse(doc, text);
        assert_int_equal(hub_kubefed_default_type(doc, object), FED_OK);
        if (strcmp(rows[i].name, "x") == 0)
            fed_json_remove(fed_json_find(object, "spec.targetType"), "pluralName");
        if (!fed_json_eq(fed_json_get(object, "spec"), parse(doc, rows[i].expected)))
            fail_msg("defaults of %s", rows[i].spec);
        fed_json_doc_free(doc);
    }
}

/* ---- settings ---- */
static void test_settings(void **state)
{
    struct fed_json_doc *doc;
    struct hub_kubefed_settings s;

    (void)state;
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    s = hub_kubefed_settings_of(parse(doc, empty_config));
    assert_true(s.adopt && s.push && s.scheduler && !s.raw_status && !s.namespaced);
    s = hub_kubefed_settings_of(parse(
        doc, "{'spec':{'scope':'Namespaced','syncController':{'adoptResources':'Disabled'}," GATES(
                 "Disabled", "Enabled", "Disabled") "}}"));
    assert_true(!s.adopt && !s.push && !s.scheduler && s.raw_status && s.namespaced);
    fed_json_doc_free(doc);
}

/* ---- durations ---- */
static void test_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
        const char *again; /* NULL: the same */
    } rows[] = {{"0s", 0, NULL}, {"0", 0, "0s"}, {"1ns", 1, NULL}, {"1us", 1000, "1\xc2\xb5s"},
        {"1.5ms", 1500000, NULL}, {"300ms", 300000000, NULL}, {"1s", 1000000000, NULL},
        {"1.25s", 1250000000, NULL}, {"60s", 60000000000, "1m0s"}, {"5m", 300000000000, "5m0s"},
        {"1h", 3600000000000, "1h0m0s"}, {"1.5h", 5400000000000, "1h30m0s"},
        {"-1m1s", -61000000000, NULL}, {"+2s", 2000000000, "2s"}, {".5s", 500000000, "500ms"},
        {"1h1m1.001s", 3661001000000, NULL}, {"2562047h47m16.854775807s", INT64_MAX, NULL}};
    static const char *const bad[] = {
        "", "1", "s", "1x", "1 s", "-", ".s", "1s2", "9223372036854775808ns", "3000000h"};
    char text[HUB_DURATION_TEXT_SIZE];
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(hub_duration_parse(TEXT(rows[i].text), &ns), FED_OK);
        assert_true(ns == rows[i].ns);
        hub_duration_text(ns, text);
        assert_string_equal(text, rows[i].again ? rows[i].again : rows[i].text);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(hub_duration_parse(TEXT(bad[i]), &ns), FED_ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_many_errors),
        cmocka_unit_test(test_config_defaults),
        cmocka_unit_test(test_type_defaults),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_durations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
