/* The appendices of RFC 7396 and RFC 6902, and what kube-apiserver makes of the latter. */
#include "proto/object/patch.h"

#include "tests/unit/proto_tree_test.h"

/* RFC 7396 appendix A, without the patches that are no objects. */
static void test_merge_appendix(void **state)
{
    static const char *const rows[][3] = {{"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
        {"{\"a\":1,\"b\":{\"x\":1}}", "{\"b\":{\"y\":{\"z\":[null]}},\"c\":null}",
            "{\"a\":1,\"b\":{\"x\":1,\"y\":{\"z\":[null]}}}"},
        {"{\"a\":[1]}", "{\"a\":[{\"b\":null,\"c\":[{\"d\":null}]},null]}",
            "{\"a\":[{\"c\":[{}]},null]}"},
        {"{\"a\":{}}", "{\"a\":[{\"b\":null}]}", "{\"a\":[{\"b\":null}]}"}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_change(fed_patch_merge, rows[i][0], rows[i][1], FED_OK, rows[i][2]);
    assert_change(fed_patch_merge, "{\"a\":\"foo\"}", "null", FED_ERR_INVALID, NULL);
    assert_change(fed_patch_merge, "{\"a\":\"foo\"}", "\"bar\"", FED_ERR_INVALID, NULL);
    assert_change(fed_patch_merge, "[\"a\",\"b\"]", "[\"c\",\"d\"]", FED_ERR_INVALID, NULL);
}

/* RFC 6902 appendix A. */
static void test_json_appendix(void **state)
{
    static const char *const rows[][3] = {
        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
            "{\"baz\":\"qux\",\"foo\":\"bar\"}"},
        {"{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
            "{\"foo\":[\"bar\",\"qux\",\"baz\"]}"},
        {"{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]",
            "{\"foo\":\"bar\"}"},
        {"{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
            "{\"foo\":[\"bar\",\"baz\"]}"},
        {"{\"baz\":\"qux\",\"foo\":\"bar\"}",
            "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
            "{\"baz\":\"boo\",\"foo\":\"bar\"}"},
        {"{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}",
            "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"}]",
            "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}"},
        {"{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
            "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
            "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}"},
        {"{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
            "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},{\"op\":\"test\",\"path\":\"/"
            "foo/1\",\"value\":2}]",
            "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}"},
        {"{\"foo\":\"bar\"}",
            "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{\"grandchild\":{}}}]",
            "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}"},
        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":123}]",
            "{\"foo\":\"bar\",\"baz\":\"qux\"}"},
        {"{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]",
            "{\"/\":9,\"~1\":10}"},
        {"{\"foo\":[\"bar\"]}",
            "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"abc\",\"def\"]}]",
            "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}"},
        {"{\"a\":{\"b\":1}}",
            "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c\"},"
            "{\"op\":\"replace\",\"path\":\"/c/b\",\"value\":2}]",
            "{\"a\":{\"b\":1},\"c\":{\"b\":2}}"},
        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":[1]}]", "[1]"},
        {"{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]", "{\"a\":1}"}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_change(fed_patch_json, rows[i][0], rows[i][1], FED_OK, rows[i][2]);
}

/* Where kube-apiserver's library is less strict than RFC 6902. */
static void test_json_beyond_the_appendix(void **state)
{
    static const char *const rows[][3] = {
        {"{}", "[{'op':'replace','path':'/x','value':1}]", "{'x':1}"},
        {"{'a':1}", "[{'op':'copy','from':'/x','path':'/a'}]", "{'a':null}"},
        {"{}", "[{'op':'test','path':'/x','value':null}]", "{}"},
        {"{'x':null}", "[{'op':'test','path':'/x','value':null}]", "{'x':null}"},
        {"{}", "[{'op':'add','path':'/x'}]", "{'x':null}"},
        {"{'x':1}", "[{'op':'replace','path':'/x'}]", "{'x':null}"},
        {"[1,2]", "[{'op':'add','path':'/-1','value':3}]", "[1,2,3]"},
        {"[1,2]", "[{'op':'add','path':'/-3','value':3}]", "[3,1,2]"},
        {"[1,2]", "[{'op':'replace','path':'/-1','value':3}]", "[1,3]"},
        {"[1,2]", "[{'op':'remove','path':'/-2'}]", "[2]"},
        {"[1,2]", "[{'op':'test','path':'/-1','value':2}]", "[1,2]"},
        {"[1,2]", "[{'op':'add','path':'/+01','value':3}]", "[1,3,2]"},
        {"{}", "[{'op':'add','path':'x/y','value':1}]", "{'y':1}"},
        {"{}", "[{'op':'add','path':'/~2','value':1}]", "{'~2':1}"},
        {"{'a':1}", "[{'op':'replace','path':'','value':7}]", "{'a':1}"},
        {"{'a':1}", "[{'op':'test','path':'','value':{'a':1}}]", "{'a':1}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[3][256];

        for (size_t k = 0; k < 3; k++)
            for (size_t at = 0; at == 0 || rows[i][k][at - 1]; at++)
                text[k][at] = rows[i][k][at] == '\'' ? '"' : rows[i][k][at];
        assert_change(fed_patch_json, text[0], text[1], FED_OK, text[2]);
    }
}

static void test_json_refused(void **state)
{
    static const struct {
        const char *before;
        const char *patch;
        enum fed_err err;
    } rows[] = {{"{\"baz\":\"qux\"}", "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"bar\"}]",
                    FED_ERR_CONFLICT},
        {"{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":\"10\"}]",
            FED_ERR_CONFLICT},
        {"{}", "[{\"op\":\"test\",\"path\":\"/x\",\"value\":1}]", FED_ERR_CONFLICT},
        {"{\"x\":1}", "[{\"op\":\"test\",\"path\":\"/x\",\"value\":null}]", FED_ERR_CONFLICT},
        {"{}", "[{\"op\":\"test\",\"path\":\"/x/y\",\"value\":null}]", FED_ERR_INVALID},
        {"[]", "[{\"op\":\"test\",\"path\":\"/0\",\"value\":null}]", FED_ERR_INVALID},
        {"{}", "[{\"op\":\"test\",\"path\":\"/x\"}]", FED_ERR_INVALID},
        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":\"qux\"}]",
            FED_ERR_INVALID},
        {"[]", "[{\"op\":\"replace\",\"path\":\"/0\",\"value\":1}]", FED_ERR_INVALID},
        {"[]", "[{\"op\":\"replace\",\"path\":\"/-\",\"value\":1}]", FED_ERR_INVALID},
        {"{}", "[{\"op\":\"replace\",\"path\":\"\"}]", FED_ERR_INVALID},
        {"{}", "[{\"op\":\"add\",\"path\":\"\",\"value\":{}}]", FED_ERR_INVALID},
        {"{}", "[{\"op\":\"move\",\"from\":\"/x\",\"path\":\"/y\"}]", FED_ERR_INVALID},
        {"[]", "[{\"op\":\"copy\",\"from\":\"/0\",\"path\":\"/-\"}]", FED_ERR_INVALID},
        {"{}", "[{\"op\":\"remove\",\"path\":\"/x\"}]", FED_ERR_INVALID},
        {"{}", "[{\"op\":\"remove\",\"path\":\"\"}]", FED_ERR_INVALID},
        {"[1]", "[{\"op\":\"add\",\"path\":\"/2\",\"value\":1}]", FED_ERR_INVALID},
        {"[1]", "[{\"op\":\"add\",\"path\":\"/1x\",\"value\":1}]", FED_ERR_INVALID},
        {"[1]", "[{\"op\":\"add\",\"path\":\"/-3\",\"value\":1}]", FED_ERR_INVALID},
        {"{}", "[{\"op\":\"add\",\"path\":\"x\",\"value\":1}]", FED_ERR_INVALID},
        {"{}", "[{\"op\":\"spam\",\"path\":\"/x\"}]", FED_ERR_INVALID},
        {"{}", "[{\"op\":\"add\"}]", FED_ERR_INVALID}, {"{}", "{}", FED_ERR_INVALID},
        {"{\"a\":{}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]", FED_ERR_INVALID},
        {"{}", "[{\"op\":\"copy\",\"path\":\"/x\"}]", FED_ERR_INVALID}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_change(fed_patch_json, rows[i].before, rows[i].patch, rows[i].err, NULL);
}

/* Each copy doubles the object. */
static void test_copies_are_bounded(void **state)
{
    struct fed_buf patch;

    (void)state;
    fed_buf_init(&patch, fed_alloc_system(), 1u << 20);
    for (unsigned i = 0; i < 60; i++)
        fed_buf_printf(&patch, "%c{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/%s%u\"}",
            i ? ',' : '[', "k", i);
    fed_buf_put_u8(&patch, ']');
    assert_change(fed_patch_json, "{\"a\":{}}", fed_buf_cstr(&patch), FED_ERR_LIMIT, NULL);
    fed_buf_fini(&patch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_merge_appendix),
        cmocka_unit_test(test_json_appendix), cmocka_unit_test(test_json_beyond_the_appendix),
        cmocka_unit_test(test_json_refused), cmocka_unit_test(test_copies_are_bounded)};

    return cmocka_run_group_tests_name("proto_patch", tests, NULL, NULL);
}
