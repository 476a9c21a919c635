/* Label selectors in both forms. */
#include "proto/object/selector.h"

#include "tests/unit/proto_tree_test.h"

static bool matches(const struct fed_selector *s, const char *labels)
{
    struct fed_json_doc *doc;
    bool result;

    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    result = fed_selector_match(s, labels ? tree_parse(doc, labels) : NULL);
    fed_json_doc_free(doc);
    return result;
}

static void test_strings(void **state)
{
    static const struct {
        const char *selector;
        const char *labels;
        bool match;
    } rows[] = {{"", NULL, true}, {"", "{\"a\":\"b\"}", true}, {"a=b", "{\"a\":\"b\"}", true},
        {"a==b", "{\"a\":\"c\"}", false}, {"a=b", NULL, false}, {"a!=b", NULL, true},
        {"a!=b", "{\"a\":\"b\"}", false}, {"a", "{\"a\":\"\"}", true}, {"a", "{}", false},
        {"!a", "{}", true}, {" ! a ", "{\"a\":\"1\"}", false},
        {"a in (x, y)", "{\"a\":\"y\"}", true}, {"a in (x,y)", "{\"a\":\"z\"}", false},
        {"a notin (x,y)", "{\"a\":\"z\"}", true}, {"a notin (x,y)", "{}", true},
        {"a in (,x)", "{\"a\":\"\"}", true}, {"a in ()", "{\"a\":\"\"}", true},
        {"a in ()", "{\"a\":\"x\"}", false}, {"a in (x,)", "{\"a\":\"\"}", true},
        {"a in (x,,y)", "{\"a\":\"\"}", true}, {"a>007", "{\"a\":\"6\"}", false},
        {"a=", "{\"a\":\"\"}", true}, {"a=,b=1", "{\"a\":\"\",\"b\":\"1\"}", true},
        {"a>5", "{\"a\":\"6\"}", true}, {"a<5", "{\"a\":\"6\"}", false},
        {"a>5", "{\"a\":\"x\"}", false},
        {"app in (a,b),tier!=x,!old,env", "{\"app\":\"b\",\"env\":\"\"}", true},
        {"app in (a,b),tier!=x,!old,env", "{\"app\":\"b\",\"env\":\"\",\"old\":\"1\"}", false},
        {"in in (in)", "{\"in\":\"in\"}", true}, {"x.io/a=b", "{\"x.io/a\":\"b\"}", true}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fed_selector *s;
        struct fed_diag diag = {{0}};

        if (fed_selector_parse(fed_alloc_system(), TEXT(rows[i].selector), &s, NULL, &diag))
            fail_msg("%s: %s", rows[i].selector, diag.text);
        if (matches(s, rows[i].labels) != rows[i].match)
            fail_msg("%s against %s", rows[i].selector, rows[i].labels);
        fed_selector_free(s);
    }
}

static void test_strings_refused(void **state)
{
    /* In the words of apimachinery's labels.Parse, but for keys and values that are none. */
    static const char *const wrong[][2] = {
        {"a in", "unable to parse requirement: found '' expected: '('"},
        {"a in b", "unable to parse requirement: found 'b' expected: '('"},
        {"a in (b", "unable to parse requirement: found '', expected: ',' or ')'"},
        {"a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"},
        {"a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"},
        {"a in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier"},
        {"a in (,=)", "unable to parse requirement: found '=', expected: ',', or identifier"},
        {"a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"},
        {",a", "found ',', expected: !, identifier, or 'end of string'"},
        {"a,", "found '', expected: identifier after ','"},
        {"a,,b", "found ',', expected: identifier after ','"},
        {"=b", "found '=', expected: !, identifier, or 'end of string'"},
        {"!", "unable to parse requirement: found '', expected: identifier"},
        {"!a=b", "found '=', expected: ',' or 'end of string'"},
        {"a in (b))", "found ')', expected: ',' or 'end of string'"},
        {"a===b", "unable to parse requirement: found '=', expected: identifier"},
        {"a=b c", "found 'c', expected: ',' or 'end of string'"},
        {"(a)", "found '(', expected: !, identifier, or 'end of string'"},
        {"-a", "\"-a\" is not a label key"},
        {"a/b/c", "\"a/b/c\" is not a label key"},
        {"a=-b", "\"-b\" is not a label value"},
        {"a>x", "\"x\" is not an integer"},
        {"a in (c,-d,-b)", "\"-b\" is not a label value"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct fed_selector *s;
        struct fed_diag diag = {{0}};

        if (!fed_selector_parse(fed_alloc_system(), TEXT(wrong[i][0]), &s, NULL, &diag))
            fail_msg("%s was taken", wrong[i][0]);
        assert_string_equal(diag.text, wrong[i][1]);
    }
}

static void test_objects(void **state)
{
    static const struct {
        const char *selector;
        const char *labels;
        int match; /* -1: refused */
    } rows[] = {{"{}", "{}", 1}, {"{\"matchLabels\":{}}", "{\"a\":\"b\"}", 1},
        {"{\"matchLabels\":{\"a\":\"b\"}}", "{\"a\":\"b\"}", 1},
        {"{\"matchLabels\":{\"a\":\"b\"},\"matchExpressions\":[{\"key\":\"c\",\"operator\":"
         "\"Exists\"}]}",
            "{\"a\":\"b\"}", 0},
        {"{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"In\",\"values\":[\"x\",\"y\"]}]}",
            "{\"c\":\"y\"}", 1},
        {"{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"NotIn\",\"values\":[\"x\"]}]}", "{}",
            1},
        {"{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"DoesNotExist\"}]}", "{\"c\":\"\"}",
            0},
        {"{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"In\",\"values\":[]}]}", "{}", -1},
        {"{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"Exists\",\"values\":[\"x\"]}]}",
            "{}", -1},
        {"{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"Equals\",\"values\":[\"x\"]}]}",
            "{}", -1},
        {"{\"matchExpressions\":[{\"key\":\"c\"}]}", "{}", -1},
        {"{\"matchLabels\":{\"a\":1}}", "{}", -1}, {"{\"matchLabels\":[]}", "{}", -1},
        {"{\"matchExpressions\":{}}", "{}", -1}, {"[]", "{}", -1}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fed_json_doc *doc;
        struct fed_selector *s;
        struct fed_diag diag = {{0}};
        enum fed_err err;

        assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
        err = fed_selector_from_object(
            fed_alloc_system(), tree_parse(doc, rows[i].selector), &s, &diag);
        if ((err == FED_OK) != (rows[i].match >= 0))
            fail_msg("%s: %s", rows[i].selector, diag.text);
        if (!err) {
            assert_int_equal(matches(s, rows[i].labels), rows[i].match);
            fed_selector_free(s);
        }
        fed_json_doc_free(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_strings),
        cmocka_unit_test(test_strings_refused), cmocka_unit_test(test_objects)};

    return cmocka_run_group_tests_name("proto_selector", tests, NULL, NULL);
}
