/* Sets of paths: FieldsV1 in and out, algebra, and how elements are shown. */
#include "hub/api/field_set.h"

#include <string.h>

#include "tests/unit/proto_tree_test.h"

static struct fed_json_doc *doc;
static struct fed_arena arena;
static struct hub_field_context c;

static int setup(void **state)
{
    (void)state;
    fed_arena_init(&arena, fed_alloc_system(), 1u << 20);
    if (fed_json_doc_new(fed_alloc_system(), &doc))
        return -1;
    hub_field_context_init(&c, &arena.alloc, doc);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hub_field_context_fini(&c);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
    return 0;
}

static const struct hub_field_set *set(const char *text)
{
    const struct hub_field_set *got = hub_field_set_decode(&c, tree_parse(doc, text));

    if (c.err)
        fail_msg("%s: %s", text, fed_err_text(c.err));
    return got;
}

static void assert_set(const struct hub_field_set *got, const char *expected)
{
    struct fed_buf text;

    assert_int_equal(c.err, FED_OK);
    fed_buf_init(&text, fed_alloc_system(), 65536);
    assert_int_equal(fed_json_put(&text, hub_field_set_encode(&c, got)), FED_OK);
    assert_string_equal(fed_buf_cstr(&text), expected);
    fed_buf_fini(&text);
}

static void decoding_gives_one_canonical_form(void **state)
{
    (void)state;
    assert_set(set("{}"), "{}");
    assert_true(set("{}") == NULL);
    assert_set(set("{\"f:b\":{},\"f:a\":{\"f:x\":{},\".\":{}}}"),
        "{\"f:a\":{\".\":{},\"f:x\":{}},\"f:b\":{}}");
    /* keys sorted, numbers and spaces in one form, escapes as Go writes them */
    assert_set(set("{\"k:{ \\\"b\\\" : 1.0, \\\"a\\\":\\\"x\\\"}\":{}}"),
        "{\"k:{\\\"a\\\":\\\"x\\\",\\\"b\\\":1}\":{}}");
    assert_set(
        set("{\"v:\\\"a<b\\\"\":{},\"i:3\":{}}"), "{\"i:3\":{},\"v:\\\"a\\\\u003cb\\\"\":{}}");
    /* a leaf with no more than "." is a leaf; kinds that nobody knows are dropped; twins become one
     */
    assert_set(set("{\"f:a\":{\".\":{}},\"z:q\":{\"f:x\":{}}}"), "{\"f:a\":{}}");
    assert_set(
        set("{\"f:a\":{\"f:x\":{}},\"f:a\":{\"f:y\":{}}}"), "{\"f:a\":{\"f:x\":{},\"f:y\":{}}}");
}

static void what_is_no_set_is_refused(void **state)
{
    static const char *const bad[] = {"[]", "\"x\"", "1", "{\"a\":{}}", "{\"f\":{}}", "{\"\":{}}",
        "{\"f:a\":1}", "{\"k:[]\":{}}", "{\"k:{\":{}}", "{\"v:x\":{}}", "{\"i:-1\":{}}",
        "{\"i:\":{}}", "{\"i:1x\":{}}",
        "{\"k:{\\\"a\\\":1,\\\"b\\\":1,\\\"c\\\":1,\\\"d\\\":1,\\\"e\\\":1,\\\"f\\\":1,\\\"g\\\":1,"
        "\\\"h\\\":1,"
        "\\\"i\\\":1}\":{}}"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(hub_field_set_decode(&c, tree_parse(doc, bad[i])));
        if (c.err != FED_ERR_INVALID)
            fail_msg("%s: %s", bad[i], fed_err_text(c.err));
        c.err = FED_OK;
    }
}

static void algebra(void **state)
{
    static const char a[] = "{\"f:a\":{\".\":{},\"f:x\":{},\"f:y\":{}},\"f:b\":{}}";
    static const char b[] = "{\"f:a\":{\"f:y\":{},\"f:z\":{}},\"f:b\":{\"f:q\":{}}}";

    (void)state;
    assert_set(hub_field_set_union(&c, set(a), set(b)),
        "{\"f:a\":{\".\":{},\"f:x\":{},\"f:y\":{},\"f:z\":{}},\"f:b\":{\".\":{},\"f:q\":{}}}");
    assert_set(hub_field_set_intersection(&c, set(a), set(b)), "{\"f:a\":{\"f:y\":{}}}");
    assert_set(
        hub_field_set_difference(&c, set(a), set(b)), "{\"f:a\":{\".\":{},\"f:x\":{}},\"f:b\":{}}");
    assert_set(hub_field_set_difference(&c, set(b), set(a)),
        "{\"f:a\":{\"f:z\":{}},\"f:b\":{\"f:q\":{}}}");
    assert_true(hub_field_set_difference(&c, set(a), set(a)) == NULL);
    assert_set(hub_field_set_union(&c, NULL, set(b)), b);
    assert_true(hub_field_set_intersection(&c, NULL, set(b)) == NULL);
    assert_set(hub_field_set_without(&c, set(a), "f:a"), "{\"f:b\":{}}");
    assert_true(hub_field_set_eq(set(a), set(a)));
    assert_false(hub_field_set_eq(set(a), set(b)));
    assert_false(
        hub_field_set_eq(set("{\"f:a\":{\".\":{},\"f:x\":{}}}"), set("{\"f:a\":{\"f:x\":{}}}")));
    assert_true(hub_field_set_child(set(a), TEXT("f:b"))->member);
    assert_true(hub_field_set_child(set(a), TEXT("f:c")) == NULL);
}

static void memory_has_a_limit_and_the_error_sticks(void **state)
{
    struct fed_arena small;
    struct hub_field_context tight;
    struct fed_json *fields = tree_parse(doc, "{\"f:a\":{},\"f:b\":{},\"f:c\":{\"f:d\":{}}}");

    (void)state;
    fed_arena_init(&small, fed_alloc_system(), 64);
    hub_field_context_init(&tight, &small.alloc, doc);
    assert_null(hub_field_set_decode(&tight, fields));
    assert_int_equal(tight.err, FED_ERR_NOMEM);
    hub_field_context_fini(&tight);
    fed_arena_fini(&small);
}

static void elements_are_shown_as_conflicts_name_them(void **state)
{
    static const struct {
        const char *element, *shown;
    } cases[] = {
        {"f:spec", ".spec"},
        {"k:{\"name\":\"a\"}", "[name=\"a\"]"},
        {"k:{\"port\":80,\"protocol\":\"TCP\"}", "[port=80,protocol=\"TCP\"]"},
        {"v:\"x\"", "[=\"x\"]"},
        {"v:7", "[=7]"},
        {"v:\"a\\\"b\"", "[=\"a\\\"b\"]"},
        {"i:3", "[3]"},
    };
    struct fed_buf text;

    (void)state;
    fed_buf_init(&text, fed_alloc_system(), 4096);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fed_buf_clear(&text);
        hub_field_element_show(&c, TEXT(cases[i].element), &text);
        assert_string_equal(fed_buf_cstr(&text), cases[i].shown);
    }
    fed_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(decoding_gives_one_canonical_form, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_set_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(algebra, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_has_a_limit_and_the_error_sticks, setup, teardown),
        cmocka_unit_test_setup_teardown(elements_are_shown_as_conflicts_name_them, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
