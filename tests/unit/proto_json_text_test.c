/* Members of an object's text: what the tree finds, the text finds. */
#include "tests/unit/proto_test.h"

#include "proto/object/json.h"
#include "proto/object/json_text.h"
#include "proto/object/selector.h"

#include <stdlib.h>

static void assert_member(const char *object, const char *key, const char *expected)
{
    struct fed_span value;
    bool found = fed_json_text_member(TEXT(object), key, &value);

    assert_int_equal(found, expected != NULL);
    assert_span(value, expected ? expected : "");
}

static void test_members(void **state)
{
    static const char object[] =
        "{\"a\":1,\"b\":\"x,\\\"}\",\"c\":{\"d\":[1,{\"e\":\"]\"}],\"a\":2},\"f\":[],\"g\":null,"
        "\"h\\\\\":true,\"a\":\"last\"}";

    (void)state;
    assert_member(object, "a", "\"last\""); /* as the tree's readers */
    assert_member(object, "b", "\"x,\\\"}\"");
    assert_member(object, "c", "{\"d\":[1,{\"e\":\"]\"}],\"a\":2}");
    assert_member(object, "f", "[]");
    assert_member(object, "g", "null");
    assert_member(object, "d", NULL);
    assert_member(object, "h", NULL);
    assert_member(object, "", NULL);
    assert_member("{}", "a", NULL);
    assert_member("{\"\":7}", "", "7");
    assert_member("{\"a\":\"\\\\\",\"b\":1}", "b", "1");
}

static void test_first(void **state)
{
    static const char *const keys[] = {"b", "a", "z"};
    struct fed_span values[3];

    (void)state;
    assert_int_equal(
        fed_json_text_first(TEXT("{\"a\":1,\"b\":{\"a\":0},\"a\":2}"), keys, 3, values), 2);
    assert_span(values[0], "{\"a\":0}");
    assert_span(values[1], "1");
    assert_span(values[2], "");
    /* Nothing behind the last of them is looked at. */
    assert_int_equal(fed_json_text_first(TEXT("{\"a\":1,\"b\":2,oops"), keys, 2, values), 2);
    assert_int_equal(fed_json_text_first(TEXT("[]"), keys, 2, values), 0);
}

static void test_no_object(void **state)
{
    static const char *const texts[] = {"", "{", "[]", "null", "\"a\"", "{\"a", "{\"a\"",
        "{\"a\":", "{\"a\":1", "{\"a\":\"", "{\"a\":{", "{\"a\":[1}", "{a:1}", "{\"a\" :1}"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_member(texts[i], "b", NULL);
    /* Every beginning of an object is read without going beyond its end: the sanitizer watches. */
    for (size_t len = 0; len < 60; len++) {
        static const char object[] =
            "{\"k\":{\"l\":[\"\\\"\",1.5e3,{}],\"m\":\"\\\\\"},\"n\":false,\"o\":\"p\"}";
        char *copy = malloc(len + 1);
        struct fed_span value;

        assert_non_null(copy);
        memcpy(copy, object, len < sizeof object - 1 ? len : sizeof object - 1);
        (void)fed_json_text_member(
            fed_span_of(copy, len < sizeof object - 1 ? len : sizeof object - 1), "o", &value);
        free(copy);
    }
}

static void test_string(void **state)
{
    struct fed_span out = {0};

    (void)state;
    assert_true(fed_json_text_string(TEXT("\"abc\""), &out));
    assert_span(out, "abc");
    assert_false(fed_json_text_string(TEXT("\"a\\n\""), &out));
    assert_false(fed_json_text_string(TEXT("1"), &out));
}

/* Both ways of matching labels agree. */
static void test_selector(void **state)
{
    static const char *const selectors[] = {
        "", "a=b", "a!=b", "a in (b,c)", "a notin (b,c)", "a", "!a", "n>3", "n<3", "a=b,x=y", "e="};
    static const char *const labels[] = {"{}", "{\"a\":\"b\"}", "{\"a\":\"c\",\"x\":\"y\"}",
        "{\"a\":\"b\",\"x\":\"y\"}", "{\"n\":\"5\"}", "{\"n\":\"1\",\"e\":\"\"}"};
    struct fed_alloc *mem = fed_alloc_system();

    (void)state;
    for (size_t i = 0; i < COUNT(selectors); i++) {
        struct fed_selector *selector;

        assert_int_equal(
            fed_selector_parse(mem, TEXT(selectors[i]), &selector, NULL, NULL), FED_OK);
        assert_int_equal(fed_selector_is_everything(selector), i == 0);
        assert_int_equal(fed_selector_match_text(selector, (struct fed_span){0}),
            fed_selector_match(selector, NULL));
        for (size_t k = 0; k < COUNT(labels); k++) {
            struct fed_json_doc *doc;
            struct fed_json *tree;

            assert_int_equal(fed_json_doc_new(mem, &doc), FED_OK);
            assert_int_equal(fed_json_parse(doc, TEXT(labels[k]), &tree, NULL), FED_OK);
            assert_int_equal(fed_selector_match_text(selector, TEXT(labels[k])),
                fed_selector_match(selector, tree));
            fed_json_doc_free(doc);
        }
        fed_selector_free(selector);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_no_object),
        cmocka_unit_test(test_string),
        cmocka_unit_test(test_selector),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
