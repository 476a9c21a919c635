/* agent_parts_test.c - the agent's small pure parts: paths, lists, health, waits, options,
 * configuration. */
#include "agent/answer.h"
#include "agent/apply.h"
#include "agent/nodes.h"
#include "agent/options.h"
#include "agent/path.h"
#include "agent/retry.h"
#include "agent/scan.h"
#include "agent/seen.h"

#include "tests/unit/agent_answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_paths(void **state)
{
    struct fed_work work = {.api_version = FED_SPAN_LIT("apps/v1"),
        .plural = FED_SPAN_LIT("deployments"),
        .ns = FED_SPAN_LIT("web"),
        .name = FED_SPAN_LIT("a:b c")};
    struct fed_buf out;

    (void)state;
    fed_buf_init(&out, fed_alloc_system(), 1024);
    agent_path_put_object(&out, &work);
    assert_string_equal(fed_buf_cstr(&out), "/apis/apps/v1/namespaces/web/deployments/a%3Ab%20c");
    fed_buf_clear(&out);
    agent_path_put_kind(&out, FED_SPAN_LIT("v1"), FED_SPAN_LIT("configmaps"));
    assert_string_equal(fed_buf_cstr(&out), "/api/v1/configmaps");
    fed_buf_fini(&out);
}

static void test_nodes(void **state)
{
    static const struct {
        const char *text;
        uint64_t milli;
    } quantities[] = {{"4", 4000}, {"3920m", 3920}, {"1.5", 1500}, {"2k", 2000000},
        {"32937984Ki", 32937984ull * 1024000}, {"0.5Gi", (1000ull << 30) / 2},
        {"99999999999999999999", UINT64_MAX}};
    static const char *const bad[] = {"", "x", "-1", "1e3", "4 ", "1KiB"};
    static const char *const zones[] = {"b", "a", "b", "c"};
    struct agent_nodes nodes = {0};
    struct fed_json_doc *doc;
    struct fed_doc *facts = fed_doc_new_object();
    struct fed_buf out;
    uint64_t milli;

    (void)state;
    for (size_t i = 0; i < sizeof quantities / sizeof *quantities; i++) {
        assert_true(agent_quantity_milli(fed_span_text(quantities[i].text), &milli));
        assert_int_equal(milli, quantities[i].milli);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(agent_quantity_milli(fed_span_text(bad[i]), &milli));
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        struct fed_json *node;
        char text[300];

        snprintf(text, sizeof text,
            "{\"metadata\":{\"labels\":{\"topology.kubernetes.io/region\":\"r%zu\","
            "\"topology.kubernetes.io/zone\":\"%s\"}},\"status\":{\"allocatable\":{\"cpu\":"
            "\"1500m\",\"memory\":\"2Mi\"}}}",
            i, zones[i]);
        assert_int_equal(fed_json_parse(doc, fed_span_text(text), &node, NULL), FED_OK);
        agent_nodes_take(&nodes, node);
    }
    fed_buf_init(&out, fed_alloc_system(), 1024);
    assert_int_equal(agent_nodes_put(&nodes, facts), FED_OK);
    assert_int_equal(fed_doc_put(&out, facts), FED_OK);
    assert_string_equal(fed_buf_cstr(&out),
        "{\"nodes\":4,\"allocatable\":{\"cpu\":\"6000m\",\"memory\":\"8192Ki\"},\"region\":"
        "\"r0\",\"zones\":[\"a\",\"b\",\"c\"]}");
    fed_buf_fini(&out);
    fed_doc_free(facts);
    fed_json_doc_free(doc);
}

static enum fed_err collect(void *ctx, struct fed_span item)
{
    fed_buf_put(ctx, item);
    fed_buf_put_u8(ctx, '|');
    return FED_OK;
}

static enum fed_err scan(const char *text, struct fed_buf *items, struct fed_span *metadata)
{
    fed_buf_clear(items);
    return agent_scan_list(fed_span_text(text), collect, items, metadata);
}

static void test_list_scan(void **state)
{
    static const char *const bad[] = {"", "[]", "{", "{\"items\":[{}", "{\"items\":[{},]}",
        "{\"items\":[{}]} x", "{\"a\":\"x", "{\"a\" 1}", "{\"items\":[\"\\", "{\"a\":}"};
    struct fed_span metadata = {0};
    struct fed_buf items;

    (void)state;
    fed_buf_init(&items, fed_alloc_system(), 1024);
    assert_int_equal(scan("{\"kind\":\"L\",\"items\":[ {\"a\":\"]}\\\"\"}, {\"b\":[1,{}]} ],"
                          "\"metadata\":{\"resourceVersion\":\"7\"}}",
                         &items, &metadata),
        FED_OK);
    assert_string_equal(fed_buf_cstr(&items), "{\"a\":\"]}\\\"\"}|{\"b\":[1,{}]}|");
    assert_true(fed_span_is(metadata, "{\"resourceVersion\":\"7\"}"));
    assert_int_equal(scan("{\"items\":null,\"metadata\":{}}", &items, &metadata), FED_OK);
    assert_int_equal(items.len, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(scan(bad[i], &items, &metadata), FED_ERR_INVALID);
    fed_buf_fini(&items);
}

static void test_retry(void **state)
{
    struct agent_retry retry = {0};
    uint64_t last = 0;

    (void)state;
    assert_int_equal(agent_retry_failed(&retry, 1000, 500, 60000, 255, 0), 1500);
    assert_int_equal(agent_retry_failed(&retry, 1000, 500, 60000, 255, 0), 2000);
    assert_true(agent_retry_failed(&retry, 1000, 500, 60000, 0, 30000) > 31000);
    for (unsigned i = 0; i < 40; i++)
        last = agent_retry_failed(&retry, 0, 500, 60000, 255, 0);
    assert_int_equal(last, 60000);
    agent_retry_reset(&retry);
    assert_int_equal(retry.attempts, 0);
}

static void test_phases(void **state)
{
    static const char *const order[] = {
        "Namespace", "CustomResourceDefinition", "Secret", "Service", "Deployment", "Gadget"};

    (void)state;
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(agent_apply_phase(FED_SPAN_LIT("v1"), fed_span_text(order[i])), i);
}

static void read_answer(unsigned status, const char *body, struct agent_answer *out)
{
    struct fed_kube_answer answer = {.status = status, .body = fed_span_text(body)};

    agent_answer_read(fed_alloc_system(), &answer, out);
}

static void test_answers(void **state)
{
    struct agent_answer out;

    (void)state;
    for (size_t i = 0; i < agent_answer_n_rows; i++) {
        const struct agent_answer_row *row = &agent_answer_rows[i];

        read_answer(row->status, row->body, &out);
        if (agent_trouble_of(&out, 0) != row->trouble || strcmp(out.field, row->field) != 0)
            fail_msg("%u %s: \"%s\" \"%s\"", row->status, out.message,
                agent_trouble_rule(agent_trouble_of(&out, 0))->word, out.field);
    }
    read_answer(503, "", &out);
    assert_int_equal(agent_trouble_of(&out, 5), AGENT_TROUBLE_THROTTLED);
    assert_string_equal(out.message, "HTTP status 503");
    read_answer(404, "404 page not found\n", &out);
    assert_string_equal(out.message, "404 page not found ");
}

static enum fed_err parse_object(const char *text, struct agent_seen *out)
{
    struct fed_json_doc *doc = NULL;
    enum fed_err err;

    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    err = agent_seen_parse(fed_alloc_system(), doc, fed_span_text(text), FED_SPAN_LIT("v1"),
        FED_SPAN_LIT("ConfigMap"), out, NULL);
    fed_json_doc_free(doc);
    return err;
}

#define OBJECT(fields, more)                                                                       \
    "{\"metadata\":{\"name\":\"m\",\"uid\":\"u-1\",\"resourceVersion\":\"12\",\"managedFields\":"  \
    "[" more "{\"manager\":\"fedlet\",\"operation\":\"Apply\",\"time\":\"2026-01-01T00:00:00Z\","  \
    "\"fieldsV1\":" fields "}]}}"
#define KUBECTL                                                                                    \
    "{\"manager\":\"kubectl\",\"operation\":\"Update\",\"time\":\"2026-01-02T00:00:00Z\"},"

static void test_seen(void **state)
{
    struct agent_seen a;
    struct agent_seen b;
    struct agent_seen c;

    (void)state;
    assert_int_equal(parse_object(OBJECT("{\"f:a\":{},\"f:b\":{}}", ""), &a), FED_OK);
    assert_int_equal(parse_object(OBJECT("{\"f:b\":{}, \"f:a\":{}}", KUBECTL), &b), FED_OK);
    assert_int_equal(parse_object(OBJECT("{\"f:a\":{}}", KUBECTL), &c), FED_OK);
    assert_memory_equal(a.fields, b.fields, AGENT_FIELDS_SIZE); /* order and others do not count */
    assert_memory_not_equal(a.fields, c.fields, AGENT_FIELDS_SIZE);
    /* what we applied at another time is something else, though it has the same fields */
    assert_int_equal(parse_object("{\"metadata\":{\"name\":\"m\",\"managedFields\":[{\"manager\":"
                                  "\"fedlet\",\"operation\":\"Apply\",\"time\":\"2026-01-01T00:00:"
                                  "01Z\",\"fieldsV1\":{\"f:a\":{},\"f:b\":{}}}]}}",
                         &c),
        FED_OK);
    assert_memory_not_equal(a.fields, c.fields, AGENT_FIELDS_SIZE);
    assert_int_equal(b.fields_index, 1);
    assert_int_equal(a.resource_version, 12);
    assert_string_equal(a.uid, "u-1");
    assert_int_equal(
        parse_object("{\"metadata\":{\"name\":\"m\",\"uid\":\"a\\\"b\"}}", &a), FED_ERR_INVALID);
    assert_int_equal(parse_object("{}", &a), FED_ERR_INVALID);
}

static enum fed_err parse_options(struct agent_options *out, struct fed_diag *diag, int n, ...)
{
    char *argv[16] = {(char *)(uintptr_t) "fedlet"};
    va_list args;

    va_start(args, n);
    for (int i = 0; i < n; i++)
        argv[i + 1] = va_arg(args, char *);
    va_end(args);
    return agent_options_parse(n + 1, argv, out, diag);
}

static void test_options(void **state)
{
    struct agent_options *o = calloc(1, sizeof *o);
    struct fed_diag diag = {""};

    (void)state;
    assert_int_equal(parse_options(o, &diag, 8, "join", "fedlet1.x", "--name", "shop-17", "--label",
                         "region=north", "--timeout", "90s"),
        FED_OK);
    assert_string_equal(o->token, "fedlet1.x");
    assert_int_equal(o->timeout_ms, 90000);
    assert_string_equal(o->labels[0].value, "north");
    assert_int_equal(
        parse_options(o, &diag, 5, "run", "--hub", "coaps://a:1", "--link", "coap"), FED_OK);
    assert_int_equal(o->n_overrides, 2);
    assert_int_equal(parse_options(o, &diag, 2, "join", "-"), FED_ERR_INVALID);
    assert_int_equal(
        parse_options(o, &diag, 4, "join", "x", "--name", "Not_A_Name"), FED_ERR_INVALID);
    assert_int_equal(parse_options(o, &diag, 1, "cure"), FED_ERR_INVALID);
    assert_int_equal(parse_options(o, &diag, 1, "doctor"), FED_OK);
    assert_int_equal(parse_options(o, &diag, 4, "preflight", "-", "--ignore", "udp,dns"), FED_OK);
    assert_string_equal(o->token, "-");
    assert_string_equal(o->ignore, "udp,dns");
    assert_int_equal(
        parse_options(o, &diag, 4, "preflight", "x", "--token-file", "y"), FED_ERR_INVALID);
    assert_int_equal(parse_options(o, &diag, 1, "support-bundle"), FED_ERR_INVALID);
    assert_int_equal(parse_options(o, &diag, 2, "support-bundle", "-"), FED_OK);
    assert_string_equal(o->file, "-");
    assert_int_equal(parse_options(o, &diag, 3, "support-bundle", "a", "b"), FED_ERR_INVALID);
    assert_int_equal(parse_options(o, &diag, 4, "install", "--dry-run", "--root", "/mnt"), FED_OK);
    assert_true(o->dry_run);
    assert_int_equal(parse_options(o, &diag, 2, "install", "--purge"), FED_ERR_INVALID);
    assert_int_equal(parse_options(o, &diag, 2, "uninstall", "--purge"), FED_OK);
    assert_int_equal(parse_options(o, &diag, 3, "doctor", "--root", "/mnt"), FED_OK);
    assert_int_equal(o->n_overrides, 1); /* no key of the configuration: refused there */
    assert_int_equal(parse_options(o, &diag, 3, "status", "-o", "yaml"), FED_ERR_INVALID);
    assert_int_equal(parse_options(o, &diag, 2, "version", "--hub"), FED_ERR_INVALID);
    assert_int_equal(parse_options(o, &diag, 0), FED_ERR_INVALID);
    free(o);
}

static void test_config(void **state)
{
    struct agent_config *c = calloc(1, sizeof *c);
    struct fed_diag diag = {""};
    bool first = true;

    (void)state;
    agent_config_defaults(c);
    assert_string_equal(c->state_dir, "/var/lib/fedlet");
    assert_int_equal(
        agent_config_read(c,
            FED_SPAN_LIT("{\"stateDir\":\"/s\",\"hubs\":[\"coaps://a:1\",\"coaps://b:2\"],"
                         "\"logLevel\":\"debug\"}"),
            &diag),
        FED_OK);
    assert_int_equal(c->n_hubs, 2);
    assert_int_equal(agent_config_log_level(c), FED_LOG_DEBUG);
    /* the command line replaces the list */
    assert_int_equal(agent_config_option(c, "--hub", "coaps://c:3", &first, &diag), FED_OK);
    assert_int_equal(c->n_hubs, 1);
    assert_int_equal(agent_config_option(c, "--hub", "ftp://c", &first, &diag), FED_ERR_INVALID);
    assert_int_equal(agent_config_option(c, "--link", "udp", &first, &diag), FED_ERR_INVALID);
    assert_int_equal(agent_config_option(c, "--nothing", "x", &first, &diag), FED_ERR_NOT_FOUND);
    assert_int_not_equal(
        agent_config_read(c, FED_SPAN_LIT("{\"statedir\":\"/s\"}"), &diag), FED_OK);
    assert_non_null(strstr(diag.text, "statedir"));
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_list_scan),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_seen),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_config),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
