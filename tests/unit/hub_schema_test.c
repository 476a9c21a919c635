/* Structural schemas. The sentences and fields of the causes are those that kube-apiserver 1.34
 * gave for the same schema and object. */
#include "hub/api/pattern.h"
#include "hub/api/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/proto_tree_test.h"

static const char document[] =
    "{'type':'object','required':['spec'],'properties':{'apiVersion':{'type':'string'},"
    "'kind':{'type':'string'},'metadata':{'type':'object'}," /* as generators write them */
    "'spec':{'type':'object','required':['need'],'properties':{"
    "'need':{'type':'string'},'num':{'type':'integer','minimum':1,'maximum':10},"
    "'i32':{'type':'integer','format':'int32'},'i64':{'type':'integer','format':'int64'},"
    "'real':{'type':'number','minimum':0.5},'str':{'type':'string','minLength':2,'maxLength':4},"
    "'pat':{'type':'string','pattern':'^[a-z]+$'},'enum':{'type':'string','enum':['A','B']},"
    "'enumi':{'type':'integer','enum':[1,2]},'date':{'type':'string','format':'date-time'},"
    "'byte':{'type':'string','format':'byte'},'ios':{'x-kubernetes-int-or-string':true},'bool':{'"
    "type':'boolean'},"
    "'list':{'type':'array','minItems':1,'maxItems':2,'items':{'type':'string'}},"
    "'set':{'type':'array','x-kubernetes-list-type':'set','items':{'type':'string'}},"
    "'map':{'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['name'],'"
    "items':"
    "{'type':'object','required':['name'],'properties':{'name':{'type':'string'},'v':{'type':'"
    "integer'}}}},"
    "'map2':{'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['p','q'],'"
    "items':"
    "{'type':'object','required':['p'],'properties':{'p':{'type':'integer'},'q':{'type':'string','"
    "default':'T'}}}},"
    "'m':{'type':'object','additionalProperties':{'type':'integer'}},'nul':{'type':'string','"
    "nullable':true},"
    "'obj':{'type':'object','required':['a','b'],'properties':{'a':{'type':'string'},'b':{'type':'"
    "string'}}},"
    "'pres':{'type':'object','x-kubernetes-preserve-unknown-fields':true,'properties':{'k':{'type':"
    "'integer'}}},"
    "'def':{'type':'object','default':{},'properties':{'x':{'type':'integer','default':5}}},"
    "'emb':{'type':'object','x-kubernetes-embedded-resource':true,'x-kubernetes-preserve-unknown-"
    "fields':true}}}}}";

static struct fed_json_doc *doc;
static struct hub_schema *schema;
static struct hub_causes causes;

/* Single quotes for double ones, which keeps the tables readable. */
static struct fed_json *parse(const char *quoted)
{
    char text[8192];
    size_t n = strlen(quoted);

    assert_true(n < sizeof text);
    for (size_t i = 0; i <= n; i++)
        text[i] = quoted[i] == '\'' ? '"' : quoted[i];
    return tree_parse(doc, text);
}

static int setup(void **state)
{
    struct fed_diag diag = {{0}};

    (void)state;
    memset(&causes, 0, sizeof causes);
    if (fed_json_doc_new(fed_alloc_system(), &doc))
        return -1;
    return hub_schema_compile(fed_alloc_system(), parse(document), &schema, &diag) ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    hub_schema_unref(schema);
    fed_json_doc_free(doc);
    return 0;
}

static struct fed_json *object(const char *spec)
{
    struct fed_json *o =
        parse("{'apiVersion':'x/v1','kind':'Check','metadata':{'name':'c'},'spec':{'need':'x'}}");
    struct fed_json *fields = parse(spec);
    struct fed_json_iter it;

    fed_json_iter_init(&it, fields);
    while (fed_json_iter_next(&it))
        assert_int_equal(
            fed_json_set_span(doc, fed_json_get(o, "spec"), it.key, fed_json_clone(doc, it.value)),
            FED_OK);
    return o;
}

static const struct {
    const char *spec;
    const char *causes; /* "reason field: message", one per line; NULL: valid */
} checks[] = {
    {"{'num':0}", "FieldValueInvalid spec.num: Invalid value: 0: spec.num in body should be "
                  "greater than or equal to 1"},
    {"{'num':11}", "FieldValueInvalid spec.num: Invalid value: 11: spec.num in body should be less "
                   "than or equal to 10"},
    {"{'num':'1'}", "FieldValueTypeInvalid spec.num: Invalid value: 'string': spec.num in body "
                    "must be of type integer: 'string'"},
    {"{'num':1.5}", "FieldValueTypeInvalid spec.num: Invalid value: 'number': spec.num in body "
                    "must be of type integer: 'number'"},
    {"{'num':1.0}", NULL},
    {"{'num':true}", "FieldValueTypeInvalid spec.num: Invalid value: 'boolean': spec.num in body "
                     "must be of type integer: 'boolean'"},
    {"{'i64':9223372036854775807}", NULL},
    {"{'i64':9223372036854775808}", "FieldValueTypeInvalid spec.i64: Invalid value: 'number': "
                                    "spec.i64 in body must be of type integer: 'number'"},
    {"{'i32':2147483648}", NULL}, /* the real server knows no such format */
    {"{'real':0.1}", "FieldValueInvalid spec.real: Invalid value: 0.1: spec.real in body should be "
                     "greater than or equal to 0.5"},
    {"{'real':1}", NULL},
    {"{'str':'a'}", "FieldValueInvalid spec.str: Invalid value: 'a': spec.str in body should be at "
                    "least 2 chars long"},
    {"{'str':'abcde'}", "FieldValueTooLong spec.str: Too long: may not be more than 4 bytes"},
    {"{'str':'\xc3\xa9\xc3\xa9'}", NULL},
    {"{'pat':'A'}",
        "FieldValueInvalid spec.pat: Invalid value: 'A': spec.pat in body should match #^[a-z]+$#"},
    {"{'pat':'az'}", NULL},
    {"{'enum':'C'}",
        "FieldValueNotSupported spec.enum: Unsupported value: 'C': supported values: 'A', 'B'"},
    {"{'enumi':3}",
        "FieldValueNotSupported spec.enumi: Unsupported value: 3: supported values: '1', '2'"},
    {"{'date':'x'}", "FieldValueTypeInvalid spec.date: Invalid value: 'x': spec.date in body must "
                     "be of type date-time: 'x'"},
    {"{'date':'2020-01-01T00:00:00.5+01:00'}", NULL},
    {"{'byte':'***'}", "FieldValueTypeInvalid spec.byte: Invalid value: '***': spec.byte in body "
                       "must be of type byte: '***'"},
    {"{'byte':'YQ=='}", NULL},
    {"{'ios':1}", NULL},
    {"{'ios':'a'}", NULL},
    {"{'ios':true}", "FieldValueTypeInvalid spec.ios: Invalid value: 'boolean': spec.ios in body "
                     "must be of type "
                     "integer,string: 'boolean'"},
    {"{'list':[]}", "FieldValueInvalid spec.list: Invalid value: 0: spec.list in body should have "
                    "at least 1 items"},
    {"{'list':['a','b','c']}",
        "FieldValueTooMany spec.list: Too many: 3: must have at most 2 items"},
    {"{'list':[1]}", "FieldValueTypeInvalid spec.list[0]: Invalid value: 'integer': spec.list[0] "
                     "in body must be of type "
                     "string: 'integer'"},
    {"{'list':[null]}", "FieldValueTypeInvalid spec.list[0]: Invalid value: 'null': spec.list[0] "
                        "in body must be of type "
                        "string: 'null'"},
    {"{'set':['a','b','a','b','a']}", "FieldValueDuplicate spec.set[2]: Duplicate value: 'a'\n"
                                      "FieldValueDuplicate spec.set[3]: Duplicate value: 'b'"},
    {"{'map':[{'name':'a'},{'name':'a','v':1}]}",
        "FieldValueDuplicate spec.map[1]: Duplicate value: {'name':'a'}"},
    {"{'map':[{'v':1}]}", "FieldValueRequired spec.map[0].name: Required value"},
    {"{'map2':[{'p':1},{'p':1,'q':'U'}]}", NULL},
    {"{'map2':[{'p':1},{'p':1,'q':'T'}]}",
        "FieldValueDuplicate spec.map2[1]: Duplicate value: {'p':1,'q':'T'}"},
    {"{'m':{'a':'x','b':1}}", "FieldValueTypeInvalid spec.m.a: Invalid value: 'string': spec.m.a "
                              "in body must be of type integer: 'string'"},
    {"{'nul':null}", NULL},
    {"{'need':null}", "FieldValueRequired spec.need: Required value"},
    {"{'obj':{}}", "FieldValueRequired spec.obj.a: Required value\nFieldValueRequired spec.obj.b: "
                   "Required value"},
    {"{'pres':{'k':'x','z':{'y':1}}}",
        "FieldValueTypeInvalid spec.pres.k: Invalid value: 'string': spec.pres.k in body "
        "must be of type integer: 'string'"},
    {"{'emb':{}}", "FieldValueRequired spec.emb.apiVersion: Required value\nFieldValueRequired "
                   "spec.emb.kind: Required value"},
    {"{'emb':{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x'},'q':1}}", NULL},
};

/* The causes as text, with single quotes for double ones and # for single ones. */
static void causes_text(struct fed_buf *out)
{
    for (size_t i = 0; i < causes.n; i++)
        fed_buf_printf(out, "%s%s %s: %s", i ? "\n" : "", causes.list[i].reason,
            causes.list[i].field, causes.list[i].message);
    for (size_t i = 0; i < out->len; i++)
        out->at[i] = out->at[i] == '"' ? '\'' : out->at[i] == '\'' ? '#' : out->at[i];
}

static void sentences_are_those_of_the_real_server(void **state)
{
    struct fed_buf text;

    (void)state;
    fed_buf_init(&text, fed_alloc_system(), 65536);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct fed_json *o = object(checks[i].spec);
        enum fed_err err;

        memset(&causes, 0, sizeof causes);
        fed_buf_clear(&text);
        assert_int_equal(hub_schema_default(schema, doc, o), FED_OK);
        err = hub_schema_validate(schema, o, &causes);
        causes_text(&text);
        if (strcmp(fed_buf_cstr(&text), checks[i].causes ? checks[i].causes : "") != 0)
            fail_msg("%s: got %s", checks[i].spec, fed_buf_cstr(&text));
        assert_int_equal(err, checks[i].causes ? FED_ERR_INVALID : FED_OK);
    }
    fed_buf_fini(&text);
}

static void causes_beyond_the_list_are_counted(void **state)
{
    struct fed_buf text;
    struct fed_json *o;

    (void)state;
    fed_buf_init(&text, fed_alloc_system(), 65536);
    fed_buf_put_text(&text, "{'m':{");
    for (int i = 0; i < 40; i++)
        fed_buf_printf(&text, "%s'k%d':'x'", i ? "," : "", i);
    fed_buf_put_text(&text, "}}");
    o = object(fed_buf_cstr(&text));
    assert_int_equal(hub_schema_validate(schema, o, &causes), FED_ERR_INVALID);
    assert_int_equal(causes.n, HUB_CAUSES_MAX);
    assert_int_equal(causes.more, 40 - HUB_CAUSES_MAX);
    fed_buf_fini(&text);
}

static void long_lists_are_checked_in_a_moment(void **state)
{
    struct fed_json *o = object("{'set':[]}");
    struct fed_json *set = fed_json_find(o, "spec.set");
    clock_t begin;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        char name[16];

        snprintf(name, sizeof name, "n%d", i == 99999 ? 0 : i);
        assert_int_equal(fed_json_append(set, fed_json_new_text(doc, name)), FED_OK);
    }
    begin = clock();
    assert_int_equal(hub_schema_validate(schema, o, &causes), FED_ERR_INVALID);
    assert_int_equal(causes.n, 1);
    assert_string_equal(causes.list[0].field, "spec.set[99999]");
    assert_true((clock() - begin) / CLOCKS_PER_SEC < 20); /* comparing all pairs takes minutes */
}

static void assert_spec(const struct fed_json *o, const char *expected)
{
    struct fed_buf text;

    if (fed_json_eq(fed_json_get(o, "spec"), parse(expected)))
        return;
    fed_buf_init(&text, fed_alloc_system(), 65536);
    assert_int_equal(fed_json_put(&text, fed_json_get(o, "spec")), FED_OK);
    fail_msg("expected %s, got %s", expected, fed_buf_cstr(&text));
}

static void defaults(void **state)
{
    static const struct {
        const char *spec, *after;
    } cases[] = {
        {"{}", "{'need':'x','def':{'x':5}}"},
        {"{'def':{'x':7}}", "{'need':'x','def':{'x':7}}"},
        {"{'def':null}", "{'need':'x','def':{'x':5}}"},
        {"{'def':{'x':null}}", "{'need':'x','def':{'x':5}}"},
        {"{'map2':[{'p':1}]}", "{'need':'x','def':{'x':5},'map2':[{'p':1,'q':'T'}]}"},
        /* a null that must not be and has no default goes, one that may be stays */
        {"{'num':null,'nul':null,'m':{'a':null,'b':1},'pres':{'k':null,'z':null}}",
            "{'need':'x','def':{'x':5},'nul':null,'m':{'b':1},'pres':{'z':null}}"},
        {"{'list':[null]}", "{'need':'x','def':{'x':5},'list':[null]}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fed_json *o = object(cases[i].spec);

        assert_int_equal(hub_schema_default(schema, doc, o), FED_OK);
        assert_spec(o, cases[i].after);
    }
}

static void unknown_members_go_and_are_named(void **state)
{
    struct fed_json *o =
        object("{'zork':1,'obj':{'a':'x','c':1},'map':[{'name':'a','w':1}],'m':{'any':1},"
               "'pres':{'k':1,'free':{'x':1}},'emb':{'apiVersion':'v1','metadata':{'q':1}}}");
    struct fed_buf unknown;

    (void)state;
    assert_int_equal(fed_json_set_int(doc, o, "extra", 1), FED_OK);
    fed_buf_init(&unknown, fed_alloc_system(), 4096);
    assert_int_equal(hub_schema_prune(schema, o, &unknown), FED_OK);
    assert_string_equal(fed_buf_cstr(&unknown), "spec.zork\nspec.obj.c\nspec.map[0].w\nextra\n");
    assert_spec(o, "{'need':'x','obj':{'a':'x'},'map':[{'name':'a'}],'m':{'any':1},'pres':{'k':1,'"
                   "free':{'x':1}},"
                   "'emb':{'apiVersion':'v1','metadata':{'q':1}}}");
    assert_non_null(fed_json_find(o, "metadata.name"));
    assert_null(fed_json_get(o, "extra"));
    fed_buf_fini(&unknown);
}

/* Where a value is of another type than its place, nothing is known of what is in it. */
static void unknown_members_below_another_type_go_too(void **state)
{
    struct fed_json *o = object("{'m':[{'q':1},'x'],'num':{'z':1},'list':{'y':1}}");
    struct fed_buf unknown;

    (void)state;
    fed_buf_init(&unknown, fed_alloc_system(), 4096);
    assert_int_equal(hub_schema_prune(schema, o, &unknown), FED_OK);
    assert_string_equal(fed_buf_cstr(&unknown), "spec.m[0].q\nspec.num.z\nspec.list.y\n");
    fed_buf_fini(&unknown);
}

static void nulls_of_an_apply_stay_for_validation(void **state)
{
    struct fed_json *o = object("{'num':null,'nul':null,'def':null,'need':'x'}");

    (void)state;
    memset(&causes, 0, sizeof causes);
    assert_int_equal(hub_schema_default_applied(schema, doc, o), FED_OK);
    assert_spec(o, "{'num':null,'nul':null,'def':{'x':5},'need':'x'}");
    assert_int_equal(hub_schema_validate(schema, o, &causes), FED_ERR_INVALID);
    assert_string_equal(causes.list[0].field, "spec.num");
}

static void what_is_not_structural_is_refused(void **state)
{
    static const struct {
        const char *schema, *says;
    } cases[] = {
        {"[]", "must be an object"},
        {"{'type':'thing'}", "is not one of a structural schema"},
        {"{'type':'object','properties':{'a':{'type':'array','items':{'type':'q'}}}}",
            "properties.a: items"},
        {"{'type':'string','pattern':'('}", "pattern: error parsing regexp: missing closing )"},
        {"{'type':'object','required':'a'}", "required must be a list"},
        {"{'type':'object','enum':'a'}", "enum must be a list"},
        {"{'type':'array','x-kubernetes-list-map-keys':'k'}",
            "x-kubernetes-list-map-keys must be a list"},
        {"{'type':'array','x-kubernetes-list-map-keys':['k',{}]}",
            "x-kubernetes-list-map-keys must be strings"},
        {"{'type':'object','anyOf':[1]}", "anyOf[0]: a schema must be an object"},
        {"{'type':'object','properties':{'a':1}}", "properties.a"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hub_schema *out = NULL;
        struct fed_diag diag = {{0}};

        assert_int_equal(
            hub_schema_compile(fed_alloc_system(), parse(cases[i].schema), &out, &diag),
            FED_ERR_INVALID);
        assert_null(out);
        if (!strstr(diag.text, cases[i].says))
            fail_msg("%s: %s", cases[i].schema, diag.text);
    }
}

static void the_walk_knows_lists_and_metadata(void **state)
{
    const struct hub_schema_node *root = hub_schema_root(schema);
    const struct hub_schema_node *spec = hub_schema_member(root, TEXT("spec"));
    const struct hub_schema_node *metadata = hub_schema_member(root, TEXT("metadata"));
    const char *keys[8];

    (void)state;
    assert_int_equal(hub_schema_list_type(hub_schema_member(spec, TEXT("set"))), HUB_LIST_SET);
    assert_int_equal(hub_schema_list_type(hub_schema_member(spec, TEXT("list"))), HUB_LIST_ATOMIC);
    assert_int_equal(hub_schema_list_keys(hub_schema_member(spec, TEXT("map2")), keys), 2);
    assert_string_equal(keys[1], "q");
    assert_int_equal(
        hub_schema_list_keys(hub_schema_member(metadata, TEXT("ownerReferences")), keys), 1);
    assert_string_equal(keys[0], "uid");
    assert_int_equal(
        hub_schema_list_type(hub_schema_member(metadata, TEXT("finalizers"))), HUB_LIST_SET);
    assert_true(hub_schema_is_declared(root, TEXT("metadata")));
    assert_true(hub_schema_is_declared(spec, TEXT("num")));
    assert_false(hub_schema_is_declared(hub_schema_member(spec, TEXT("m")), TEXT("num")));
    assert_null(hub_schema_member(hub_schema_member(spec, TEXT("pres")), TEXT("other")));
    assert_false(hub_schema_is_declared(NULL, TEXT("x")));
    assert_null(hub_schema_otherwise(spec));
}

/* ---- what a real API server answered: tests/e2e/schema_oracle.py writes and compares the file
 * ---- */
static void read_file(const char *path, struct fed_buf *out)
{
    FILE *file = fopen(path, "r");
    char chunk[4096];
    size_t n;

    assert_non_null(file);
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        fed_buf_put(out, fed_span_of(chunk, n));
    fclose(file);
    assert_int_equal(fed_buf_err(out), FED_OK);
}

static struct fed_json *wrap(const char *key, const struct fed_json *inner)
{
    struct fed_json *outer = fed_json_new_object(doc);

    assert_non_null(outer);
    assert_int_equal(fed_json_set(doc, outer, key, fed_json_clone(doc, inner)), FED_OK);
    return outer;
}

static struct fed_json *object_schema(const char *key, const struct fed_json *inner)
{
    struct fed_json *o = wrap("properties", wrap(key, inner));

    assert_int_equal(fed_json_set_text(doc, o, "type", "object"), FED_OK);
    return o;
}

static int text_cmp(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void sorted_causes(struct fed_buf *out, char lines[HUB_CAUSES_MAX][2048], size_t n)
{
    qsort(lines, n, sizeof lines[0], text_cmp);
    for (size_t i = 0; i < n; i++)
        fed_buf_printf(out, "%s\n", lines[i]);
}

static void check_case(const struct fed_json *one)
{
    static char lines[HUB_CAUSES_MAX][2048];
    const char *field = (const char *)fed_json_string(fed_json_get(one, "field")).at;
    const struct fed_json *wanted = fed_json_get(one, "causes");
    struct hub_schema *compiled = NULL;
    struct fed_json *o = wrap("spec", wrap(field, fed_json_get(one, "value")));
    struct fed_diag diag = {{0}};
    struct fed_buf got;
    struct fed_buf want;

    fed_buf_init(&got, fed_alloc_system(), 1u << 20);
    fed_buf_init(&want, fed_alloc_system(), 1u << 20);
    memset(&causes, 0, sizeof causes);
    if (hub_schema_compile(fed_alloc_system(),
            object_schema("spec", object_schema(field, fed_json_get(one, "schema"))), &compiled,
            &diag))
        fail_msg("%s: %s", field, diag.text);
    assert_int_equal(hub_schema_prune(compiled, o, NULL), FED_OK);
    assert_int_equal(hub_schema_default(compiled, doc, o), FED_OK);
    assert_int_equal(hub_schema_validate(compiled, o, &causes),
        fed_json_get(one, "causes") ? FED_ERR_INVALID : FED_OK);
    for (size_t i = 0; i < causes.n; i++)
        snprintf(lines[i], sizeof lines[i], "%s %s: %s", causes.list[i].reason,
            causes.list[i].field, causes.list[i].message);
    sorted_causes(&got, lines, causes.n);
    for (size_t i = 0; i < fed_json_count(wanted); i++)
        snprintf(lines[i], sizeof lines[i], "%s %s: %s",
            (const char *)fed_json_string(fed_json_at(fed_json_at(wanted, i), 0)).at,
            (const char *)fed_json_string(fed_json_at(fed_json_at(wanted, i), 1)).at,
            (const char *)fed_json_string(fed_json_at(fed_json_at(wanted, i), 2)).at);
    sorted_causes(&want, lines, fed_json_count(wanted));
    if (!wanted) {
        const struct fed_json *result = fed_json_get(fed_json_get(o, "spec"), field);

        assert_int_equal(result != NULL, fed_json_bool(fed_json_get(one, "present"), false));
        /* 1.0 is shown as 1 by a real server, which decodes it. */
        if (result && fed_json_real(result, -1) != fed_json_real(fed_json_get(one, "result"), -1))
            assert_int_equal(fed_json_put_canonical(&got, result), FED_OK);
        else if (result && fed_json_type(result) > FED_JSON_REAL) {
            assert_int_equal(fed_json_put_canonical(&got, result), FED_OK);
            assert_int_equal(fed_json_put_canonical(&want, fed_json_get(one, "result")), FED_OK);
        }
    }
    if (strcmp(fed_buf_cstr(&got), fed_buf_cstr(&want)) != 0)
        fail_msg("%s: got\n%swanted\n%s", field, fed_buf_cstr(&got), fed_buf_cstr(&want));
    fed_buf_fini(&got);
    fed_buf_fini(&want);
    hub_schema_unref(compiled);
}

static void values_are_taken_as_the_real_server_takes_them(void **state)
{
    struct fed_json *all;
    struct fed_buf text;

    (void)state;
    fed_buf_init(&text, fed_alloc_system(), 4u << 20);
    read_file(FEDLET_SOURCE_DIR "/tests/unit/schema_cases.json", &text);
    assert_int_equal(fed_json_parse(doc, fed_buf_span(&text), &all, NULL), FED_OK);
    all = fed_json_get(all, "values");
    assert_true(fed_json_count(all) >= 300);
    for (size_t i = 0; i < fed_json_count(all); i++)
        check_case(fed_json_at(all, i));
    fed_buf_fini(&text);
}

/* Pattern, text and answer of Go's regexp, separated by tabs. */
static void patterns_match_as_in_go(void **state)
{
    struct fed_buf text;
    struct fed_span rest;
    struct fed_span line;
    size_t n = 0;

    (void)state;
    fed_buf_init(&text, fed_alloc_system(), 4u << 20);
    read_file(FEDLET_SOURCE_DIR "/tests/unit/pattern_cases.txt", &text);
    rest = fed_buf_span(&text);
    while (fed_span_split(&rest, '\n', &line) && line.len > 0) {
        size_t first = fed_span_find(line, '\t');
        struct fed_span after = fed_span_sub(line, first + 1, line.len);
        size_t second = after.len;
        struct fed_span wanted;
        struct hub_pattern *pattern = NULL;
        struct fed_diag diag = {{0}};
        bool matches = false;

        while (after.at[second - 1] != '\t') /* the text may hold tabs */
            second--;
        wanted = fed_span_sub(after, second--, after.len);
        if (hub_pattern_new(fed_alloc_system(), fed_span_sub(line, 0, first), &pattern, &diag)) {
            assert_true(fed_span_starts(wanted, "E "));
            if (!fed_span_is(fed_span_sub(wanted, 2, wanted.len), diag.text))
                fail_msg(FED_SPAN_FMT ": %s", FED_SPAN_ARG(line), diag.text);
        } else {
            assert_int_equal(
                hub_pattern_match(pattern, fed_span_sub(after, 0, second), &matches), FED_OK);
            if (!fed_span_is(wanted, matches ? "true" : "false"))
                fail_msg(FED_SPAN_FMT, FED_SPAN_ARG(line));
        }
        hub_pattern_free(pattern);
        n++;
    }
    assert_true(n > 400);
    fed_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sentences_are_those_of_the_real_server, setup, teardown),
        cmocka_unit_test_setup_teardown(causes_beyond_the_list_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(long_lists_are_checked_in_a_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_members_go_and_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_members_below_another_type_go_too, setup, teardown),
        cmocka_unit_test_setup_teardown(nulls_of_an_apply_stay_for_validation, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_structural_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_walk_knows_lists_and_metadata, setup, teardown),
        cmocka_unit_test_setup_teardown(
            values_are_taken_as_the_real_server_takes_them, setup, teardown),
        cmocka_unit_test(patterns_match_as_in_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
