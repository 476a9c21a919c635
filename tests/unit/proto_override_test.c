/* KubeFed's override engine, row by row as it was observed. */
#include "proto/object/override.h"

#include "tests/unit/proto_tree_test.h"

#define START "{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"replicas\":3,\"l\":[1,2,3]}}"
#define LABELS(labels)                                                                             \
    "{\"metadata\":{\"labels\":" labels "},\"spec\":{\"replicas\":3,\"l\":[1,2,3]}}"
#define SPEC(spec) "{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":" spec "}"
#define LIST(list) SPEC("{\"replicas\":3,\"l\":" list "}")

static void test_table(void **state)
{
    static const struct {
        const char *operations;
        const char *result; /* NULL: refused */
    } rows[] = {
        {"[{\"path\":\"/spec/replicas\",\"value\":5}]", SPEC("{\"replicas\":5,\"l\":[1,2,3]}")},
        {"[{\"op\":\"\",\"path\":\"/spec/replicas\",\"value\":5}]",
            SPEC("{\"replicas\":5,\"l\":[1,2,3]}")},
        {"[{\"op\":\"replace\",\"path\":\"/spec/paused\",\"value\":true}]",
            SPEC("{\"replicas\":3,\"l\":[1,2,3],\"paused\":true}")},
        {"[{\"op\":\"replace\",\"path\":\"/spec/x/y\",\"value\":1}]", NULL},
        {"[{\"op\":\"add\",\"path\":\"/metadata/annotations/foo\",\"value\":\"x\"}]", NULL},
        {"[{\"op\":\"add\",\"path\":\"/metadata/annotations\",\"value\":{\"foo\":\"bar\"}},"
         "{\"op\":\"remove\",\"path\":\"/metadata/annotations/foo\"}]",
            "{\"metadata\":{\"annotations\":{},\"labels\":{\"a\":\"b\"}},\"spec\":{\"replicas\":3,"
            "\"l\":[1,2,3]}}"},
        {"[{\"op\":\"add\",\"path\":\"/metadata/labels\",\"value\":{\"c\":\"d\"}}]",
            LABELS("{\"c\":\"d\"}")},
        {"[{\"op\":\"remove\",\"path\":\"/spec/none\"}]", NULL},
        {"[{\"op\":\"remove\",\"path\":\"/none/none\"}]", NULL},
        {"[{\"op\":\"remove\",\"path\":\"/spec/replicas\",\"value\":7}]", SPEC("{\"l\":[1,2,3]}")},
        {"[{\"op\":\"replace\",\"path\":\"/spec/l/1\",\"value\":9}]", LIST("[1,9,3]")},
        {"[{\"op\":\"replace\",\"path\":\"/spec/l/3\",\"value\":9}]", NULL},
        {"[{\"op\":\"add\",\"path\":\"/spec/l/0\",\"value\":9}]", LIST("[9,1,2,3]")},
        {"[{\"op\":\"add\",\"path\":\"/spec/l/3\",\"value\":9}]", LIST("[1,2,3,9]")},
        {"[{\"op\":\"add\",\"path\":\"/spec/l/-\",\"value\":9}]", LIST("[1,2,3,9]")},
        {"[{\"op\":\"add\",\"path\":\"/spec/l/4\",\"value\":9}]", NULL},
        {"[{\"op\":\"add\",\"path\":\"/spec/l/x\",\"value\":9}]", NULL},
        {"[{\"op\":\"replace\",\"path\":\"/spec/l/-\",\"value\":9}]", NULL},
        {"[{\"op\":\"replace\",\"path\":\"/spec/l/-1\",\"value\":9}]", LIST("[1,2,9]")},
        {"[{\"op\":\"replace\",\"path\":\"/spec/l/-3\",\"value\":9}]", LIST("[9,2,3]")},
        {"[{\"op\":\"replace\",\"path\":\"/spec/l/-4\",\"value\":9}]", NULL},
        {"[{\"op\":\"remove\",\"path\":\"/spec/l/-1\"}]", LIST("[1,2]")},
        {"[{\"op\":\"remove\",\"path\":\"/spec/l/-4\"}]", NULL},
        {"[{\"op\":\"add\",\"path\":\"/spec/l/-1\",\"value\":9}]", LIST("[1,2,3,9]")},
        {"[{\"op\":\"add\",\"path\":\"/spec/l/-4\",\"value\":9}]", LIST("[9,1,2,3]")},
        {"[{\"op\":\"add\",\"path\":\"/spec/l/-5\",\"value\":9}]", NULL},
        {"[{\"path\":\"/spec/replicas\",\"value\":null}]",
            SPEC("{\"replicas\":null,\"l\":[1,2,3]}")},
        {"[{\"op\":\"add\",\"path\":\"/spec/replicas\"}]",
            SPEC("{\"replicas\":null,\"l\":[1,2,3]}")},
        {"[{\"path\":\"/spec/replicas\",\"value\":false}]",
            SPEC("{\"replicas\":false,\"l\":[1,2,3]}")},
        {"[{\"path\":\"/spec/replicas\",\"value\":0}]", SPEC("{\"replicas\":0,\"l\":[1,2,3]}")},
        {"[{\"path\":\"/spec/replicas\",\"value\":\"\"}]",
            SPEC("{\"replicas\":\"\",\"l\":[1,2,3]}")},
        {"[{\"path\":\"/metadata/labels\",\"value\":{\"A\":null}}]", LABELS("{\"A\":null}")},
        {"[{\"op\":\"add\",\"path\":\"/metadata/labels/x~1y~0z\",\"value\":\"1\"}]",
            LABELS("{\"a\":\"b\",\"x/y~z\":\"1\"}")},
        {"[{\"op\":\"add\",\"path\":\"/metadata/labels/x~01\",\"value\":\"1\"}]",
            LABELS("{\"a\":\"b\",\"x~1\":\"1\"}")},
        {"[{\"op\":\"add\",\"path\":\"/metadata/labels/x/y\",\"value\":\"1\"}]", NULL},
        {"[{\"path\":\"spec/replicas\",\"value\":4}]",
            "{\"replicas\":4,\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"replicas\":3,"
            "\"l\":[1,2,3]}}"},
        {"[{\"path\":\"replicas\",\"value\":4}]", NULL},
        {"[{\"path\":\"\",\"value\":{\"x\":1}}]", "{\"x\":1}"},
        {"[{\"op\":\"remove\",\"path\":\"\"}]", NULL},
        {"[{\"op\":\"add\",\"path\":\"\",\"value\":{}}]", NULL},
        {"[{\"op\":\"test\",\"path\":\"/spec/replicas\",\"value\":3}]", NULL},
        {"[{\"op\":\"move\",\"from\":\"/spec/l\",\"path\":\"/spec/m\"}]", NULL},
        /* Larger integers than a double holds stay exact, unlike KubeFed's. */
        {"[{\"path\":\"/spec/replicas\",\"value\":9007199254740993}]",
            SPEC("{\"replicas\":9007199254740993,\"l\":[1,2,3]}")},
        {"[]", START}, {"null", START}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_change(fed_override_apply, START, rows[i].operations,
            rows[i].result ? FED_OK : FED_ERR_INVALID, rows[i].result);
}

static enum fed_err check(struct fed_json_doc *doc, struct fed_json **root,
    const struct fed_json *operations, struct fed_diag *diag)
{
    (void)doc;
    (void)root;
    return fed_override_check(fed_span_text(""), operations, diag);
}

static void test_check(void **state)
{
    static const char *const wrong[] = {"{}", "[1]", "[{\"value\":1}]", "[{\"path\":1}]",
        "[{\"path\":\"/a\",\"value\":1},{\"op\":\"remove\",\"path\":\"/a\"}]",
        "[{\"path\":\"/metadata/namespace\",\"value\":\"x\"}]",
        "[{\"path\":\"/metadata/name\",\"value\":\"x\"}]",
        "[{\"path\":\"/metadata/generateName\",\"value\":\"x\"}]",
        "[{\"path\":\"/kind\",\"value\":\"x\"}]", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1}]",
        "[{\"path\":\"/a\",\"value\":1,\"x\":2}]", "[{\"op\":1,\"path\":\"/a\"}]"};

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_change(check, "{}", wrong[i], FED_ERR_INVALID, NULL);
    assert_change(check, "{}",
        "[{\"path\":\"/metadata\",\"value\":{}},{\"path\":\"/apiVersion\",\"value\":\"x\"}]",
        FED_OK, NULL);
}

static enum fed_err check_joined(struct fed_json_doc *doc, struct fed_json **root,
    const struct fed_json *operations, struct fed_diag *diag)
{
    (void)doc;
    (void)root;
    return fed_override_check_joined(operations, diag);
}

/* Lists of several entries: what one made, the next may change. */
static void test_check_of_joined_lists(void **state)
{
    static const char twice[] = "[{\"path\":\"/a\",\"value\":1},{\"path\":\"/a\",\"value\":2}]";

    (void)state;
    assert_change(check, "{}", twice, FED_ERR_INVALID, NULL);
    assert_change(check_joined, "{}", twice, FED_OK, NULL);
    assert_change(fed_override_apply, "{}", twice, FED_OK, "{\"a\":2}");
    assert_change(
        check_joined, "{}", "[{\"path\":\"/kind\",\"value\":\"x\"}]", FED_ERR_INVALID, NULL);
}

static void test_diag_names_the_place(void **state)
{
    struct fed_json_doc *doc;
    struct fed_json *root;
    struct fed_diag diag;

    (void)state;
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    root = tree_parse(doc, START);
    assert_int_equal(fed_override_apply(doc, &root,
                         tree_parse(doc, "[{\"path\":\"/spec/replicas\",\"value\":1},"
                                         "{\"path\":\"/spec/x/y\",\"value\":1}]"),
                         &diag),
        FED_ERR_INVALID);
    assert_string_equal(diag.text,
        "replace operation does not apply: doc is missing path: /spec/x/y: missing value");
    fed_json_doc_free(doc);
}

/* Each step hangs its value below the one before. */
static void test_depth_is_limited(void **state)
{
    struct fed_buf operations;
    struct fed_buf path;

    (void)state;
    fed_buf_init(&operations, fed_alloc_system(), 1u << 20);
    fed_buf_init(&path, fed_alloc_system(), 1u << 16);
    for (unsigned i = 0; i < 130; i++) {
        fed_buf_put_text(&path, "/a");
        fed_buf_printf(
            &operations, "%c{\"path\":\"%s\",\"value\":{}}", i ? ',' : '[', fed_buf_cstr(&path));
    }
    fed_buf_put_u8(&operations, ']');
    assert_change(fed_override_apply, "{}", fed_buf_cstr(&operations), FED_ERR_LIMIT, NULL);
    fed_buf_fini(&operations);
    fed_buf_fini(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_check),
        cmocka_unit_test(test_check_of_joined_lists), cmocka_unit_test(test_diag_names_the_place),
        cmocka_unit_test(test_depth_is_limited)};

    return cmocka_run_group_tests_name("proto_override", tests, NULL, NULL);
}
