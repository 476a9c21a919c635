/* From works to objects. */
#include "proto/object/render.h"

#include "tests/unit/proto_tree_test.h"

static void assert_rendered(
    uint32_t options, const char *blob, const char *overrides, const char *expected)
{
    struct fed_work work = {.api_version = TEXT("apps/v1"),
        .kind = TEXT("Deployment"),
        .plural = TEXT("deployments"),
        .ns = TEXT("prod"),
        .name = TEXT("web"),
        .options = options | FED_WORK_NAMESPACED,
        .overrides = TEXT(overrides)};
    struct fed_diag diag = {{0}};
    struct fed_json_doc *doc;
    struct fed_buf out;
    enum fed_err err;

    fed_buf_init(&out, fed_alloc_system(), 1u << 20);
    err = fed_render_work(fed_alloc_system(), &work, TEXT(blob), &out, &diag);
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    if (!expected) {
        assert_int_not_equal(err, FED_OK);
        assert_true(diag.text[0] != '\0');
        assert_int_equal(out.len, 0);
    } else {
        if (err || !fed_json_eq(tree_parse(doc, fed_buf_cstr(&out)), tree_parse(doc, expected)))
            fail_msg("%s %s", fed_buf_cstr(&out), diag.text);
    }
    fed_json_doc_free(doc);
    fed_buf_fini(&out);
}

#define META                                                                                       \
    "\"metadata\":{\"labels\":{\"kubefed.io/"                                                      \
    "managed\":\"true\"},\"name\":\"web\",\"namespace\":\"prod\"}"
#define HEAD "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\"," META

static void test_order(void **state)
{
    (void)state;
    assert_rendered(0, "{}", "", HEAD "}");
    assert_rendered(0,
        "{\"apiVersion\":\"apps/"
        "v2\",\"kind\":\"Other\",\"metadata\":{\"annotations\":{\"a\":\"b\"},"
        "\"finalizers\":[\"x\"],\"name\":\"y\",\"namespace\":\"z\"},\"status\":{\"a\":1}}",
        "", "{\"apiVersion\":\"apps/v2\",\"kind\":\"Deployment\"," META "}");
    assert_rendered(0, "{}",
        "[{\"op\":\"add\",\"path\":\"/metadata/annotations\",\"value\":{\"a\":\"b\"}},"
        "{\"op\":\"add\",\"path\":\"/metadata/labels\",\"value\":{\"kubefed.io/"
        "managed\":\"false\"}}]",
        "{\"apiVersion\":\"apps/"
        "v1\",\"kind\":\"Deployment\",\"metadata\":{\"annotations\":{\"a\":\"b\"},\"labels\":"
        "{\"kubefed.io/managed\":\"true\"},\"name\":\"web\",\"namespace\":\"prod\"}}");
}

static void test_retain_replicas(void **state)
{
    (void)state;
    assert_rendered(
        FED_WORK_RETAIN_REPLICAS, "{\"spec\":{\"replicas\":3}}", "", HEAD ",\"spec\":{}}");
    assert_rendered(0, "{\"spec\":{\"replicas\":3}}", "", HEAD ",\"spec\":{\"replicas\":3}}");
    assert_rendered(FED_WORK_RETAIN_REPLICAS, "{\"spec\":{\"replicas\":3}}",
        "[{\"path\":\"/spec/replicas\",\"value\":5}]", HEAD ",\"spec\":{\"replicas\":5}}");
    assert_rendered(FED_WORK_RETAIN_REPLICAS, "{\"spec\":{\"replicas\":3}}",
        "[{\"op\":\"remove\",\"path\":\"/spec/replicas\"}]", HEAD ",\"spec\":{}}");
}

static void test_refused(void **state)
{
    (void)state;
    assert_rendered(0, "[]", "", NULL);
    assert_rendered(0, "{", "", NULL);
    assert_rendered(0, "{\"metadata\":[]}", "", NULL);
    assert_rendered(0, "{\"metadata\":{\"labels\":7}}", "", NULL);
    assert_rendered(0, "{}", "[{\"path\":\"/kind\",\"value\":\"x\"}]", NULL);
    assert_rendered(0, "{}", "[{\"path\":\"/spec/a\",\"value\":\"x\"}]", NULL);
    assert_rendered(0, "{}", "not json", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order),
        cmocka_unit_test(test_retain_replicas), cmocka_unit_test(test_refused)};

    return cmocka_run_group_tests_name("proto_render", tests, NULL, NULL);
}
