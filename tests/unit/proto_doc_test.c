/* Our own documents: the strictness that cJSON lacks. */
#include "proto/doc/doc.h"

#include "tests/unit/proto_test.h"

static void test_refused(void **state)
{
    static const char *const wrong[] = {"", " ", "{} x", "{}{}", "01", "-", "1.", "1e", ".5", "+1",
        "[1,]", "{\"a\":1,}", "{a:1}", "{\"a\":1,\"a\":2}", "{\"x\":[{\"b\":1,\"c\":2,\"b\":3}]}",
        "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\x\"", "\"a\nb\"", "\"\xff\"",
        "\xef\xbb\xbf{}", "tru", "True", "[", "{\"a\"", "\"abc", "[1 2]", "{\"a\" 1}", "nul"};
    struct fed_doc *doc;
    struct fed_diag diag;

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        diag.text[0] = '\0';
        if (fed_doc_parse(TEXT(wrong[i]), &doc, &diag) != FED_ERR_INVALID)
            fail_msg("%s was taken", wrong[i]);
        assert_true(diag.text[0] != '\0');
    }
    assert_int_equal(
        fed_doc_parse(TEXT("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"), &doc, &diag), FED_ERR_LIMIT);
    assert_int_equal(fed_doc_parse(TEXT("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"), &doc, &diag), FED_OK);
    fed_doc_free(doc);
    assert_int_equal(fed_doc_parse(fed_span_of("\"a\0\"", 4), &doc, &diag), FED_ERR_INVALID);
}

static void test_reading(void **state)
{
    static const char *const keys[] = {"a", "b", NULL};
    static const char *const all[] = {"a", "A", "l", "n", "r", "s", "t", NULL};
    struct fed_doc *doc;
    struct fed_diag diag;
    int64_t value;

    (void)state;
    assert_int_equal(fed_doc_parse(TEXT(" {\"a\":1,\"A\":2,\"l\":[1,\"x\"],\"n\":9007199254740992,"
                                        "\"r\":1.5,\"s\":\"\\ud83d\\ude00\\/\",\"t\":true} "),
                         &doc, &diag),
        FED_OK);
    assert_int_equal(fed_doc_int(fed_doc_get(doc, "a"), 0, 10, &value), FED_OK);
    assert_int_equal(value, 1);
    assert_int_equal(fed_doc_int(fed_doc_get(doc, "n"), 0, FED_DOC_INT_MAX, &value), FED_OK);
    assert_true(value == FED_DOC_INT_MAX);
    assert_int_equal(fed_doc_int(fed_doc_get(doc, "a"), 2, 10, &value), FED_ERR_LIMIT);
    assert_int_equal(fed_doc_int(fed_doc_get(doc, "r"), 0, 10, &value), FED_ERR_INVALID);
    assert_int_equal(fed_doc_int(fed_doc_get(doc, "s"), 0, 10, &value), FED_ERR_INVALID);
    assert_int_equal(fed_doc_int(fed_doc_get(doc, "x"), 0, 10, &value), FED_ERR_NOT_FOUND);
    assert_string_equal(fed_doc_text(fed_doc_get(doc, "s"), ""), "\xf0\x9f\x98\x80/");
    assert_string_equal(fed_doc_text(fed_doc_get(doc, "a"), "none"), "none");
    assert_true(fed_doc_bool(fed_doc_get(doc, "t"), false));
    assert_int_equal(fed_doc_count(fed_doc_get(doc, "l")), 2);
    assert_string_equal(fed_doc_text(fed_doc_at(fed_doc_get(doc, "l"), 1), ""), "x");
    assert_null(fed_doc_at(fed_doc_get(doc, "l"), 2));
    assert_string_equal(fed_doc_key(fed_doc_get(doc, "A")), "A");
    assert_string_equal(fed_doc_key(doc), "");
    assert_int_equal(fed_doc_only(doc, keys, &diag), FED_ERR_INVALID);
    assert_string_equal(diag.text, "unknown member \"A\"");
    assert_int_equal(fed_doc_only(doc, all, &diag), FED_OK);
    fed_doc_free(doc);
}

static void test_writing(void **state)
{
    struct fed_doc *doc = fed_doc_new_object();
    struct fed_doc *list = fed_doc_new_array();
    struct fed_buf out;

    (void)state;
    fed_buf_init(&out, fed_alloc_system(), 1000);
    assert_int_equal(fed_doc_set_int(doc, "n", FED_DOC_INT_MAX), FED_OK);
    assert_int_equal(fed_doc_set_int(doc, "n", 1000000000000000), FED_OK);
    assert_int_equal(fed_doc_set_int(doc, "m", FED_DOC_INT_MAX + 1), FED_ERR_LIMIT);
    assert_int_equal(fed_doc_append_text(list, "a\"\\\n\x01"), FED_OK);
    assert_int_equal(fed_doc_append_text(list, "\xff"), FED_ERR_INVALID);
    assert_int_equal(fed_doc_set_take(doc, "l", list), FED_OK);
    assert_int_equal(fed_doc_set_bool(doc, "b", false), FED_OK);
    assert_int_equal(fed_doc_set_take(doc, "e", fed_doc_new_object()), FED_OK);
    assert_int_equal(fed_doc_append_take(doc, fed_doc_new_object()), FED_ERR_INVALID);
    assert_int_equal(fed_doc_put(&out, doc), FED_OK);
    assert_string_equal(fed_buf_cstr(&out),
        "{\"n\":1000000000000000,\"l\":[\"a\\\"\\\\\\n\\u0001\"],\"b\":false,\"e\":{}}");
    fed_buf_clear(&out);
    assert_int_equal(fed_doc_put_pretty(&out, doc), FED_OK);
    assert_string_equal(fed_buf_cstr(&out),
        "{\n  \"n\": 1000000000000000,\n  \"l\": [\n    "
        "\"a\\\"\\\\\\n\\u0001\"\n  ],\n  \"b\": false,\n  \"e\": {}\n}");
    fed_doc_free(doc);
    fed_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused),
        cmocka_unit_test(test_reading), cmocka_unit_test(test_writing)};

    return cmocka_run_group_tests_name("proto_doc", tests, NULL, NULL);
}
