/* Definitions of others, completed with what the hub needs: what is added, what is loosened, and
 * what is a conflict. */
#include "hub/api/crd_parts.h"

#include "tests/unit/proto_tree_test.h"

/* A spec of one stored version with that schema and more. */
#define SPEC(more, schema)                                                                         \
    "{'scope':'Namespaced','names':{'kind':'K'},'versions':[{'name':'v1','served':true,'storage':" \
    "true" more ",'schema':{'openAPIV3Schema':" schema "}}]}"
#define STATUS ",'subresources':{'status':{}}"
#define OBJECT(properties) "{'type':'object','properties':" properties "}"
#define STRING "{'type':'string'}"
#define OPEN "'x-kubernetes-preserve-unknown-fields':true"

static const struct row {
    const char *ours, *theirs, *result; /* NULL: refused */
    const char *said;                   /* what is kept; or the refusal */
} rows[] = {
    /* nothing is missing */
    {SPEC("", OBJECT("{'a':" STRING "}")), SPEC("", OBJECT("{'a':" STRING ",'b':" STRING "}")),
        SPEC("", OBJECT("{'a':" STRING ",'b':" STRING "}")), ""},
    /* fields, at any depth */
    {SPEC("", OBJECT("{'a':" OBJECT("{'b':" STRING "}") "}")),
        SPEC("", OBJECT("{'a':" OBJECT("{}") ",'c':" STRING "}")),
        SPEC("", OBJECT("{'a':" OBJECT("{'b':" STRING "}") ",'c':" STRING "}")), ""},
    {SPEC("", OBJECT("{'a':" STRING "}")), SPEC("", "{'type':'object'}"),
        SPEC("", OBJECT("{'a':" STRING "}")), ""},
    {SPEC("", "{'type':'array','items':" OBJECT("{'a':" STRING "}") "}"),
        SPEC("", "{'type':'array','items':{'type':'object'}}"),
        SPEC("", "{'type':'array','items':" OBJECT("{'a':" STRING "}") "}"), ""},
    /* what takes anything has all of them; what the hub takes anything for is opened */
    {SPEC("", OBJECT("{'a':" STRING "}")), SPEC("", "{'type':'object'," OPEN "}"),
        SPEC("", "{'type':'object'," OPEN "}"), ""},
    {SPEC("", OBJECT("{'a':" STRING "}")),
        SPEC("", "{'type':'object','additionalProperties':" STRING "}"),
        SPEC("", "{'type':'object','additionalProperties':" STRING "}"), ""},
    {SPEC("", "{'type':'object'," OPEN "}"), SPEC("", OBJECT("{'a':" STRING "}")),
        SPEC("", "{'type':'object'," OPEN ",'properties':{'a':" STRING "}}"), ""},
    /* the status subresource, and versions */
    {SPEC(STATUS, "{'type':'object'}"), SPEC("", "{'type':'object'}"),
        SPEC(STATUS, "{'type':'object'}"), ""},
    {"{'scope':'Cluster','names':{'kind':'K'},'versions':[{'name':'v1','served':true,'storage':true"
     "},{'name':'v2','served':true,'storage':false}]}",
        "{'scope':'Cluster','names':{'kind':'K','shortNames':['k']},'versions':[{'name':'v1',"
        "'served':true,'storage':true}]}",
        "{'scope':'Cluster','names':{'kind':'K','shortNames':['k']},'versions':[{'name':'v1',"
        "'served':true,'storage':true},{'name':'v2','served':true,'storage':false}]}",
        ""},
    /* loosened, and said */
    {SPEC("", "{'type':'object','required':['a'],'properties':{'a':" STRING ",'b':" STRING "}}"),
        SPEC("", "{'type':'object','required':['a','b','c'],'properties':{'a':" STRING
                 ",'b':" STRING ",'c':" STRING "}}"),
        SPEC("", "{'type':'object','required':['a','c'],'properties':{'a':" STRING ",'b':" STRING
                 ",'c':" STRING "}}"),
        "version v1 does not require \"b\""},
    {SPEC("", OBJECT("{'a':" OBJECT("{'b':" STRING "}") "}")),
        SPEC("", OBJECT("{'a':{'type':'object','required':['b'],'properties':{'b':" STRING "}}}")),
        SPEC("", OBJECT("{'a':" OBJECT("{'b':" STRING "}") "}")),
        "version v1.a does not require \"b\""},
    {"{'scope':'Cluster','names':{'kind':'K'},'versions':[{'name':'v1','served':true,'storage':true"
     "}]}",
        "{'scope':'Cluster','names':{'kind':'K'},'versions':[{'name':'v1','served':false,'storage':"
        "true}]}",
        "{'scope':'Cluster','names':{'kind':'K'},'versions':[{'name':'v1','served':true,'storage':"
        "true}]}",
        "version v1 is served"},
    /* conflicts */
    {SPEC("", OBJECT("{'a':" OBJECT("{'b':" STRING "}") "}")),
        SPEC("", OBJECT("{'a':" OBJECT("{'b':{'type':'integer'}}") "}")), NULL,
        "version v1.a.b has another type than it needs"},
    {SPEC("", OBJECT("{'a':{'type':'integer'}}")),
        SPEC("", "{'type':'object','additionalProperties':" STRING "}"), NULL,
        "version v1.a has another type"},
    {SPEC("", "{'type':'object'}"),
        "{'scope':'Namespaced','names':{'kind':'K'},'versions':[{'name':'v1','served':true,"
        "'storage':false},{'name':'v2','served':true,'storage':true}]}",
        NULL, "version v1 is stored otherwise"},
    {SPEC("", "{'type':'object'}"),
        "{'scope':'Namespaced','names':{'kind':'K'},'versions':[{'name':'v2','served':true,"
        "'storage':true}]}",
        NULL, "version v1 is not there, which is the stored one"},
    {SPEC("", "{'type':'object'}"), "{'scope':'Cluster','names':{'kind':'K'},'versions':[]}", NULL,
        "its scope is Namespaced"},
    {SPEC("", "{'type':'object'}"), "{'scope':'Namespaced','names':{'kind':'L'},'versions':[]}",
        NULL, "its kind is K"},
};

static struct fed_json *parse(struct fed_json_doc *doc, const char *text)
{
    char plain[2048];
    struct fed_json *out;

    snprintf(plain, sizeof plain, "%s", text);
    for (char *c = plain; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    assert_int_equal(fed_json_parse(doc, TEXT(plain), &out, NULL), FED_OK);
    return out;
}

static void check_row(const struct row *row)
{
    struct fed_diag diag = {""};
    struct fed_json_doc *doc;
    struct fed_json *theirs;
    struct fed_buf kept;
    enum fed_err err;

    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    fed_buf_init(&kept, fed_alloc_system(), 1024);
    theirs = parse(doc, row->theirs);
    err = hub_crd_complete(doc, parse(doc, row->ours), theirs, &kept, &diag);
    assert_int_equal(err, row->result ? FED_OK : FED_ERR_FORBIDDEN);
    assert_string_equal(row->result ? fed_buf_cstr(&kept) : diag.text, row->said);
    if (row->result) {
        assert_true(fed_json_eq(theirs, parse(doc, row->result)));
        /* Again, it is complete. */
        fed_buf_clear(&kept);
        assert_int_equal(
            hub_crd_complete(doc, parse(doc, row->ours), theirs, &kept, &diag), FED_OK);
        assert_int_equal(kept.len, 0);
        assert_true(fed_json_eq(theirs, parse(doc, row->result)));
    }
    fed_buf_fini(&kept);
    fed_json_doc_free(doc);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        print_message("row %zu\n", i);
        check_row(&rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
