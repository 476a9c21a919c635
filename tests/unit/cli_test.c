/* cli_test.c - what fedctl decides without asking anybody: options, names of types, what it makes.
 */
#include "cli/agent_install.h"
#include "cli/federate.h"
#include "ports/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct cli_command command = {
    "test", "", "", "", "", NULL, CLI_OUTPUT_JSON}; /* for refusals */

static struct cli *world(void)
{
    static struct cli cli;

    cli = (struct cli){.mem = fed_alloc_system()};
    assert_int_equal(fed_json_doc_new(cli.mem, &cli.doc), FED_OK);
    return &cli;
}

static struct fed_json *parse(struct cli *cli, const char *text)
{
    struct fed_json *value = NULL;

    assert_int_equal(fed_json_parse(cli->doc, fed_span_text(text), &value, NULL), FED_OK);
    return value;
}

static const char *text_of(const struct fed_json *value)
{
    static char text[8192];
    struct fed_buf out;

    fed_buf_init(&out, fed_alloc_system(), sizeof text);
    assert_int_equal(fed_json_put_canonical(&out, value), FED_OK);
    snprintf(text, sizeof text, "%s", fed_buf_cstr(&out));
    fed_buf_fini(&out);
    return text;
}

/* ---- options ---- */

struct read {
    const char *ns;
    bool wide;
    struct cli_list skip;
    struct cli_common common;
    struct cli_arguments arguments;
};

static enum cli_exit read_words(struct read *r, const char *words)
{
    static char copy[512];
    static char name[] = "test";
    char *argv[32] = {name};
    int argc = 1;
    const struct cli_flag flags[] = {{"namespace", 'n', CLI_FLAG_TEXT, &r->ns},
        {"wide", 'w', CLI_FLAG_SWITCH, &r->wide}, {"skip", 's', CLI_FLAG_LIST, &r->skip}};

    memset(r, 0, sizeof *r);
    snprintf(copy, sizeof copy, "%s", words);
    for (char *at = copy; *at;) {
        size_t len = strcspn(at, " ");

        argv[argc++] = at;
        at += len;
        if (*at)
            *at++ = '\0';
    }
    return cli_flags_read(&command, argc, argv, flags, 3, &r->common, &r->arguments);
}

static void test_flags(void **state)
{
    static const char *const same[] = {"a b -n x -w", "a -nx b --wide", "-n=x a --wide=true b",
        "--namespace x a b -w=1", "--namespace=x -w a b", "a -n y --namespace x b -w",
        "-v 2 a b -n x -w", "--v=2 --logtostderr a b -n x -w", "a b -v4 -n x -w --skip_headers",
        "--stderrthreshold 2 a -n x b -w", "-n x -w -- a b"};
    struct read r;

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_int_equal(read_words(&r, same[i]), CLI_DONE);
        assert_string_equal(r.ns, "x");
        assert_true(r.wide);
        assert_int_equal(r.arguments.n, 2);
        assert_string_equal(r.arguments.at[1], "b");
        assert_string_equal(r.common.ns, CLI_SYSTEM_NAMESPACE);
        assert_false(r.common.dry_run);
    }
    assert_int_equal(read_words(&r, "-s a,b --skip c --dry-run -w=false -"), CLI_DONE);
    assert_int_equal(r.skip.n, 2);
    assert_string_equal(r.skip.at[0], "a,b");
    assert_true(r.common.dry_run);
    assert_false(r.wide);
    assert_string_equal(r.arguments.at[0], "-");
}

static void test_wrong_flags(void **state)
{
    static const char *const wrong[] = {"--nosuch", "-x", "-n", "--wide=perhaps", "--names x",
        "--kubefed-namespace Up", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"};
    struct read r;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(read_words(&r, wrong[i]), CLI_USAGE);
}

/* ---- types ---- */

static void add(struct cli_resources *all, const char *group, const char *plural, const char *kind)
{
    struct cli_resource one = {.namespaced = true};

    snprintf(one.group, sizeof one.group, "%s", group);
    snprintf(one.version, sizeof one.version, "v1");
    snprintf(one.plural, sizeof one.plural, "%s", plural);
    snprintf(one.kind, sizeof one.kind, "%s", kind);
    assert_int_equal(cli_resources_add(all, &one), FED_OK);
}

static void test_names_of_types(void **state)
{
    static const char *const rows[][2] = {{"deployments", "deployments.apps"},
        {"Deployment", "deployments.apps"}, {"deployment", "deployments.apps"},
        {"DEPLOY", "deployments.apps"}, {"deployments.apps", "deployments.apps"},
        {"cm", "configmaps"}, {"events", "events"},
        {"events.events.k8s.io", "events.events.k8s.io"},
        {"widgets.a.example", "widgets.a.example"}};
    struct cli_resources all;
    const struct cli_resource *found;
    struct fed_diag diag = {""};
    char name[CLI_QUALIFIED_SIZE];

    (void)state;
    cli_resources_init(&all);
    add(&all, "a.example", "widgets", "Widget");
    add(&all, "b.example", "widgets", "Widget");
    assert_int_equal(cli_kinds_add(&all, NULL), FED_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(cli_resources_find(&all, rows[i][0], &found, &diag), FED_OK);
        assert_string_equal(cli_qualified(found->plural, found->group, name), rows[i][1]);
    }
    assert_int_equal(cli_resources_find(&all, "widgets", &found, &diag), FED_ERR_CONFLICT);
    assert_string_equal(diag.text,
        "Multiple resources are matched by \"widgets\": widgets.a.example, widgets.b.example. A "
        "group-qualified plural name must be provided.");
    assert_int_equal(cli_resources_find(&all, "nosuch", &found, &diag), FED_ERR_NOT_FOUND);
    assert_string_equal(diag.text, "Unable to find api resource named \"nosuch\".");
    cli_resources_fini(&all);
}

/* What a server has hides the row of the table, also in another version. */
static void test_server_before_table(void **state)
{
    struct cli_resources all;
    const struct cli_resource *found;
    struct fed_diag diag = {""};

    (void)state;
    cli_resources_init(&all);
    add(&all, "apps", "deployments", "Deployment");
    snprintf(all.at[0].version, sizeof all.at[0].version, "v9");
    assert_int_equal(cli_kinds_add(&all, NULL), FED_OK);
    assert_int_equal(cli_resources_find(&all, "deployments", &found, &diag), FED_OK);
    assert_string_equal(found->version, "v9");
    cli_resources_fini(&all);
    assert_int_equal(cli_kinds_add(&all, "v2"), FED_OK);
    assert_int_equal(all.n, 1); /* horizontalpodautoscalers */
    cli_resources_fini(&all);
}

static void test_paths(void **state)
{
    struct cli_resource one = {.namespaced = true, .group = "apps", .version = "v1", .plural = "x"};
    struct fed_buf path;

    (void)state;
    fed_buf_init(&path, fed_alloc_system(), 500);
    assert_int_equal(cli_resource_path(&path, &one, "ns", "a/b?c%"), FED_OK);
    assert_string_equal(fed_buf_cstr(&path), "/apis/apps/v1/namespaces/ns/x/a%2Fb%3Fc%25");
    fed_buf_clear(&path);
    one.namespaced = false;
    one.group[0] = '\0';
    assert_int_equal(cli_resource_path(&path, &one, "ns", "system:x"), FED_OK);
    assert_string_equal(fed_buf_cstr(&path), "/api/v1/x/system:x");
    fed_buf_fini(&path);
}

/* kubefedctl's own test (deprecatedapis_test.go): all APIs of a plural are equivalent. */
static void test_equivalent(void **state)
{
    static const char *const rows[][3] = {{"deployments", "extensions", "v1beta1"},
        {"deployments", "apps", "v1beta2"}, {"daemonsets", "extensions", "v1beta1"},
        {"statefulsets", "apps", "v1beta1"}, {"replicasets", "apps", "v1beta2"}};
    struct cli_resource a = {.group = "apps", .version = "v1"};
    struct cli_resource b;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(a.plural, sizeof a.plural, "%s", rows[i][0]);
        b = a;
        assert_false(cli_typeconfig_equivalent(&a, &b));
        snprintf(b.group, sizeof b.group, "%s", rows[i][1]);
        snprintf(b.version, sizeof b.version, "%s", rows[i][2]);
        assert_true(cli_typeconfig_equivalent(&a, &b));
    }
    snprintf(a.plural, sizeof a.plural, "jobs");
    b = a;
    snprintf(b.version, sizeof b.version, "v1beta1");
    assert_false(cli_typeconfig_equivalent(&a, &b));
}

static void test_complete(void **state)
{
    struct cli *cli = world();
    struct cli_resource target = {.group = "a.example",
        .version = "v1",
        .plural = "widgets",
        .kind = "Widget",
        .short_names = {"wi"},
        .n_short_names = 1};
    struct cli_typeconfig config;
    struct fed_json *wanted;
    struct fed_json *stored;
    bool changed = false;

    (void)state;
    assert_int_equal(
        cli_typeconfig_make(&target, CLI_FEDERATED_GROUP, "v1beta1", &config, NULL), FED_OK);
    wanted = cli_typeconfig_definition(cli, &config, true);
    stored = parse(cli,
        "{\"spec\":{\"names\":{\"kind\":\"K\"},\"versions\":[{\"name\":\"v1beta1\",\"schema\":{"
        "\"openAPIV3Schema\":{\"properties\":{\"spec\":{\"properties\":{\"own\":1,\"overrides\":"
        "{}}}}}}},{\"name\":\"v2\"}]}}");
    assert_int_equal(cli_typeconfig_complete(cli, stored, wanted, &changed), FED_OK);
    assert_true(changed);
    assert_non_null(strstr(text_of(stored), "\"shortNames\":[\"fwi\"]"));
    assert_non_null(strstr(text_of(stored), "\"overrides\":{},\"own\":1,"));
    assert_non_null(strstr(text_of(stored), "\"retainReplicas\":{\"type\":\"boolean\"}"));
    assert_non_null(strstr(text_of(stored), "{\"name\":\"v2\"}"));
    assert_int_equal(cli_typeconfig_complete(cli, stored, wanted, &changed), FED_OK);
    assert_false(changed);
    /* Another version: the wanted spec as a whole. */
    stored = parse(cli, "{\"spec\":{\"versions\":[{\"name\":\"v7\"}]}}");
    assert_int_equal(cli_typeconfig_complete(cli, stored, wanted, &changed), FED_OK);
    assert_true(changed);
    assert_true(fed_json_eq(fed_json_get(stored, "spec"), fed_json_get(wanted, "spec")));
    fed_json_doc_free(cli->doc);
}

static void test_long_names(void **state)
{
    struct cli_resource target = {.version = "v1", .kind = "K"};
    struct cli_typeconfig config;

    (void)state;
    memset(target.plural, 'a', 55);
    assert_int_equal(
        cli_typeconfig_make(&target, CLI_FEDERATED_GROUP, "v1", &config, NULL), FED_ERR_LIMIT);
    target.plural[54] = '\0';
    assert_int_equal(
        cli_typeconfig_make(&target, CLI_FEDERATED_GROUP, "v1", &config, NULL), FED_OK);
    assert_int_equal(strlen(config.federated.plural), 63);
}

/* ---- federate ---- */

static void test_guess(void **state)
{
    static const char *const rows[][2] = {{"NetworkPolicy", "networkpolicies"},
        {"Ingress", "ingresses"}, {"Deployment", "deployments"}, {"Endpoints", "endpoints"},
        {"Proxy", "proxies"}};
    struct cli *cli = world();
    struct cli_typeconfig config;
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text,
            "{\"apiVersion\":\"g/v1\",\"kind\":\"%s\",\"metadata\":{\"namespace\":\"n\"}}",
            rows[i][0]);
        assert_int_equal(cli_federate_guess(parse(cli, text), &config, NULL), FED_OK);
        assert_string_equal(config.target.plural, rows[i][1]);
        assert_string_equal(config.target.group, "g");
        assert_true(config.federated.namespaced);
    }
    assert_int_equal(
        cli_federate_guess(parse(cli, "{\"kind\":\"A\"}"), &config, NULL), FED_ERR_INVALID);
    assert_int_equal(cli_federate_guess(parse(cli, "[]"), &config, NULL), FED_ERR_INVALID);
    fed_json_doc_free(cli->doc);
}

/* kubefedctl's own test (federate_test.go), and odd shapes, which must not harm. */
static void test_federate(void **state)
{
    static const char *const odd[] = {
        "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"a\"},\"spec\":[]}",
        "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"a\"},\"spec\":{"
        "\"ports\":[1,{\"nodePort\":1}]}}",
        "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"a\",\"labels\":7,"
        "\"annotations\":[1]},\"spec\":\"x\"}"};
    struct cli *cli = world();
    struct cli_typeconfig config;
    struct fed_diag diag = {""};
    struct fed_json *out;
    struct fed_json *object = parse(cli,
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"a\","
        "\"namespace\":\"testns\"},\"spec\":{\"replicas\":\"2\"}}");

    (void)state;
    assert_int_equal(cli_federate_guess(object, &config, NULL), FED_OK);
    assert_int_equal(cli_federate(cli, &config, object, &out, &diag), FED_OK);
    assert_string_equal(text_of(out),
        "{\"apiVersion\":\"types.kubefed.io/v1beta1\",\"kind\":\"FederatedDeployment\","
        "\"metadata\":{\"name\":\"a\",\"namespace\":\"testns\"},\"spec\":{\"placement\":{"
        "\"clusterSelector\":{\"matchLabels\":{}}},\"template\":{\"spec\":{\"replicas\":\"2\"}}}}");
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        object = parse(cli, odd[i]);
        assert_int_equal(cli_federate_guess(object, &config, NULL), FED_OK);
        assert_int_equal(cli_federate(cli, &config, object, &out, &diag), FED_OK);
    }
    object = parse(cli, "{\"apiVersion\":\"v1\",\"kind\":\"Secret\"}");
    assert_int_equal(cli_federate_guess(object, &config, NULL), FED_OK);
    assert_int_equal(cli_federate(cli, &config, object, &out, &diag), FED_ERR_INVALID);
    fed_json_doc_free(cli->doc);
}

/* ---- the agent's manifests ---- */

static void test_manifests(void **state)
{
    struct cli *cli = world();
    struct cli_list labels = {.at = {"region=north"}, .n = 1};
    struct cli_agent agent = {.cluster = "c1",
        .image = "i:1",
        .secret = "s",
        .token_id = "t1",
        .token = fed_span_text("token"),
        .key_pem = fed_span_text("key"),
        .labels = &labels};
    struct fed_json *m[CLI_AGENT_MANIFESTS];
    const char *text;

    (void)state;
    assert_int_equal(cli_agent_manifests(cli, &agent, m), FED_OK);
    assert_true(fed_span_is(cli_agent_note(m[4], CLI_AGENT_CLUSTER), "c1"));
    assert_true(fed_span_is(cli_agent_note(m[4], CLI_AGENT_TOKEN_ID), "t1"));
    assert_string_equal(
        text_of(fed_json_get(m[4], "data")), "{\"key.pem\":\"a2V5\",\"token\":\"dG9rZW4=\"}");
    text = text_of(fed_json_find(m[5], "spec.template.spec"));
    assert_non_null(
        strstr(text, "\"args\":[\"join\",\"--token-file\",\"/etc/fedlet/token\",\"--name\",\"c1\","
                     "\"--state-dir\",\"/var/lib/fedlet\",\"--label\",\"region=north\"]"));
    assert_non_null(strstr(text, "\"secretName\":\"s\""));
    /* The token is nowhere but in the Secret. */
    assert_null(strstr(text, "dG9rZW4"));
    fed_json_doc_free(cli->doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_wrong_flags),
        cmocka_unit_test(test_names_of_types),
        cmocka_unit_test(test_server_before_table),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_equivalent),
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_guess),
        cmocka_unit_test(test_federate),
        cmocka_unit_test(test_manifests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
