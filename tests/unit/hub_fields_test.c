/* Server-side apply. The sequences are some of those that tests/e2e/fields_oracle.py runs next to a
 * real API server; here they stand with what that server answered. */
#include "hub/api/field_scale.h"
#include "hub/api/managed_fields.h"

#include <string.h>
#include <time.h>

#include "proto/base/text.h"
#include "tests/unit/proto_tree_test.h"

static const char document[] =
    "{'type':'object','properties':{'spec':{'type':'object','properties':{"
    "'replicas':{'type':'integer'},'image':{'type':'string'},"
    "'labels':{'type':'object','additionalProperties':{'type':'string'}},"
    "'selector':{'type':'object','additionalProperties':{'type':'string'},'x-kubernetes-map-type':'"
    "atomic'},"
    "'tags':{'type':'array','x-kubernetes-list-type':'set','items':{'type':'string'}},"
    "'args':{'type':'array','items':{'type':'string'}},"
    "'items':{'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['name'],'"
    "items':"
    "{'type':'object','required':['name'],'properties':{'name':{'type':'string'},'value':{'type':'"
    "string'}}}},"
    "'ports':{'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['port','"
    "protocol'],'items':"
    "{'type':'object','required':['port'],'properties':{'port':{'type':'integer'},"
    "'protocol':{'type':'string','default':'TCP'},'target':{'type':'integer'}}}},"
    "'free':{'type':'object','x-kubernetes-preserve-unknown-fields':true}}},"
    "'status':{'type':'object','properties':{'phase':{'type':'string'}}}}}";

static struct fed_json_doc *doc;
static struct hub_schema *schema;
static struct hub_causes causes;
static struct fed_buf why; /* what the last configuration was refused for */
static struct fed_json *live;
static int64_t now;

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
    fed_buf_init(&why, fed_alloc_system(), 65536);
    live = NULL;
    now = 0;
    if (fed_json_doc_new(fed_alloc_system(), &doc))
        return -1;
    return hub_schema_compile(fed_alloc_system(), parse(document), &schema, &diag) ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    fed_buf_fini(&why);
    hub_schema_unref(schema);
    fed_json_doc_free(doc);
    return 0;
}

/* {'apiVersion':..,'kind':..,'metadata':{'name':'o'}} and the members of the text. */
static struct fed_json *object(const char *members)
{
    struct fed_json *o = parse("{'apiVersion':'x/v1','kind':'Thing','metadata':{'name':'o'}}");
    struct fed_json *given = parse(members);
    struct fed_json_iter it;

    fed_json_iter_init(&it, given);
    while (fed_json_iter_next(&it))
        assert_int_equal(fed_json_set_span(doc, o, it.key, fed_json_clone(doc, it.value)), FED_OK);
    return o;
}

static struct hub_field_update update_by(const char *manager, const char *subresource, bool force)
{
    return (struct hub_field_update){.schema = schema,
        .manager = TEXT(manager),
        .api_version = TEXT("x/v1"),
        .subresource = TEXT(subresource),
        .now_unix_s = ++now,
        .force = force,
        .subject = "/o; x/v1, Kind=Thing"};
}

static enum fed_err apply_as(
    const char *manager, const char *subresource, bool force, const char *members)
{
    struct hub_field_update update = update_by(manager, subresource, force);
    struct fed_json *config = object(members);
    struct fed_json *next = NULL;
    enum fed_err err;

    memset(&causes, 0, sizeof causes);
    fed_buf_clear(&why);
    err = hub_fields_apply(doc, &update, live, config, &next, &causes, &why);
    assert_true(fed_json_eq(config, object(members))); /* inputs stay */
    if (!err)
        live = next;
    return err;
}

static enum fed_err apply(const char *manager, const char *members)
{
    return apply_as(manager, "", false, members);
}

static enum fed_err force(const char *manager, const char *members)
{
    return apply_as(manager, "", true, members);
}

/* fields: managedFields as the client sends them, or NULL. */
static void put_with(
    const char *manager, const char *subresource, const char *members, const char *fields)
{
    struct hub_field_update update = update_by(manager, subresource, false);
    struct fed_json *next = object(members);

    if (fields)
        assert_int_equal(
            fed_json_set(doc, fed_json_get(next, "metadata"), "managedFields", parse(fields)),
            FED_OK);
    assert_int_equal(hub_fields_update(doc, &update, live, next), FED_OK);
    live = next;
}

static void put(const char *manager, const char *members)
{
    put_with(manager, "", members, NULL);
}

/* The entries: "MANAGER A|U[/SUBRESOURCE] @TIME {FIELDS}", times as seconds, one per line. */
static void owners_text(struct fed_buf *out)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, fed_json_find(live, "metadata.managedFields"));
    while (fed_json_iter_next(&it)) {
        struct fed_span subresource = fed_json_string(fed_json_get(it.value, "subresource"));
        struct fed_json *time = fed_json_get(it.value, "time");
        int64_t when = -1;

        if (time)
            assert_int_equal(fed_text_time_parse(fed_json_string(time), &when), FED_OK);
        fed_buf_printf(out, "%s" FED_SPAN_FMT " %c", it.index ? "\n" : "",
            FED_SPAN_ARG(fed_json_string(fed_json_get(it.value, "manager"))),
            fed_json_string(fed_json_get(it.value, "operation")).at[0]);
        if (subresource.len)
            fed_buf_printf(out, "/" FED_SPAN_FMT, FED_SPAN_ARG(subresource));
        fed_buf_printf(out, " @%d ", (int)when);
        assert_int_equal(fed_json_put(out, fed_json_get(it.value, "fieldsV1")), FED_OK);
    }
    for (size_t i = 0; i < out->len; i++)
        out->at[i] = out->at[i] == '"' ? '\'' : out->at[i];
}

static void assert_owners(const char *expected)
{
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), 65536);
    owners_text(&text);
    assert_string_equal(fed_buf_cstr(&text), expected);
    fed_buf_fini(&text);
}

static void assert_spec(const char *expected)
{
    struct fed_buf text;

    if (fed_json_eq(fed_json_get(live, "spec"), parse(expected)))
        return;
    fed_buf_init(&text, fed_alloc_system(), 65536);
    assert_int_equal(fed_json_put(&text, fed_json_get(live, "spec")), FED_OK);
    fail_msg("expected %s, got %s", expected, fed_buf_cstr(&text));
}

static void assert_cause(size_t i, const char *message, const char *field)
{
    assert_true(i < causes.n);
    assert_string_equal(causes.list[i].reason, "FieldManagerConflict");
    assert_string_equal(causes.list[i].message, message);
    assert_string_equal(causes.list[i].field, field);
}

static void a_created_object_belongs_to_who_made_it(void **state)
{
    (void)state;
    put("a", "{'metadata':{'name':'o','labels':{'l':'1'}},'spec':{'image':'x','tags':['t'],'labels'"
             ":{}}}");
    assert_owners("a U @1 {'f:metadata':{'f:labels':{'.':{},'f:l':{}}},"
                  "'f:spec':{'.':{},'f:image':{},'f:labels':{},'f:tags':{'.':{},'v:\\'t\\'':{}}}}");
}

static void apply_owns_what_the_configuration_states(void **state)
{
    (void)state;
    assert_int_equal(apply("a", "{'spec':{'image':'x','labels':{'k':'1'},'items':[{'name':'i','"
                                "value':'1'}],'args':['p'],"
                                "'selector':{'s':'1'},'free':{'m':{'n':[1]}}}}"),
        FED_OK);
    assert_owners("a A @1 {'f:spec':{'f:args':{},'f:free':{'f:m':{'.':{},'f:n':{}}},'f:image':{},"
                  "'f:items':{'k:{\\'name\\':\\'i\\'}':{'.':{},'f:name':{},'f:value':{}}},"
                  "'f:labels':{'f:k':{}},'f:selector':{}}}");
}

static void an_unchanged_object_stays_as_it_was(void **state)
{
    struct fed_json *before;

    (void)state;
    assert_int_equal(apply("a", "{'spec':{'image':'x','tags':['t','u']}}"), FED_OK);
    before = fed_json_clone(doc, live);
    assert_int_equal(apply("a", "{'spec':{'image':'x','tags':['t','u']}}"), FED_OK);
    assert_true(fed_json_eq(before, live));
    put_with("b", "", "{'spec':{'image':'x','tags':['t','u']}}", NULL);
    assert_true(fed_json_eq(before, live));
}

static void equal_values_are_shared_and_others_conflict(void **state)
{
    (void)state;
    assert_int_equal(apply("a", "{'spec':{'replicas':1}}"), FED_OK);
    assert_int_equal(apply("b", "{'spec':{'replicas':1}}"), FED_OK);
    assert_owners("b A @-1 {'f:spec':{'f:replicas':{}}}\na A @1 {'f:spec':{'f:replicas':{}}}");
    assert_int_equal(apply("c", "{'spec':{'replicas':2}}"), FED_ERR_CONFLICT);
    assert_int_equal(causes.n, 2);
    assert_cause(0, "conflict with \"b\"", ".spec.replicas");
    assert_cause(1, "conflict with \"a\"", ".spec.replicas");
    assert_int_equal(force("c", "{'spec':{'replicas':2}}"), FED_OK);
    assert_owners("c A @4 {'f:spec':{'f:replicas':{}}}");
}

static void conflicts_name_the_item_and_the_endpoint(void **state)
{
    (void)state;
    put("a", "{'spec':{'items':[{'name':'i','value':'1'}]}}");
    assert_int_equal(apply("b", "{'spec':{'items':[{'name':'i','value':'2'}]}}"), FED_ERR_CONFLICT);
    assert_int_equal(causes.n, 1);
    assert_cause(0, "conflict with \"a\" using x/v1", ".spec.items[name=\"i\"].value");
    put_with("s", "status",
        "{'spec':{'items':[{'name':'i','value':'1'}]},'status':{'phase':'Ready'}}", NULL);
    assert_int_equal(
        apply_as("b", "status", false, "{'status':{'phase':'Busy'}}"), FED_ERR_CONFLICT);
    assert_cause(0, "conflict with \"s\" with subresource \"status\" using x/v1", ".status.phase");
}

static void what_nobody_owns_any_more_goes(void **state)
{
    (void)state;
    assert_int_equal(
        apply(
            "a", "{'spec':{'image':'x','replicas':1,'labels':{'k':'1','l':'1'},'tags':['t','u']}}"),
        FED_OK);
    assert_int_equal(
        apply("b", "{'spec':{'image':'x','labels':{'l':'1'},'tags':['u','v']}}"), FED_OK);
    assert_int_equal(apply("a", "{'spec':{'replicas':1}}"), FED_OK);
    assert_spec("{'image':'x','replicas':1,'labels':{'l':'1'},'tags':['u','v']}");
    assert_int_equal(apply("b", "{}"), FED_OK);
    assert_spec("{'replicas':1}");
    assert_owners("a A @3 {'f:spec':{'f:replicas':{}}}");
}

static void an_update_takes_what_it_changes(void **state)
{
    (void)state;
    assert_int_equal(apply("a", "{'spec':{'image':'x','replicas':1,'labels':{'k':'1'}}}"), FED_OK);
    put("b", "{'spec':{'image':'y','replicas':1}}");
    assert_owners("a A @1 {'f:spec':{'f:replicas':{}}}\nb U @2 {'f:spec':{'f:image':{}}}");
    put("b", "{'spec':{'image':'y','replicas':2}}");
    assert_owners("b U @3 {'f:spec':{'f:image':{},'f:replicas':{}}}");
    put("c", "{'spec':{'replicas':2}}"); /* what only goes changes no time */
    assert_owners("b U @3 {'f:spec':{'f:replicas':{}}}");
}

static void merged_lists_keep_both_orders(void **state)
{
    static const struct {
        const char *live, *config, *merged;
    } cases[] = {
        {"['a','b','c','d']", "['d','x','b']", "['a','c','d','x','b']"},
        {"['a','b']", "['b','a']", "['b','a']"},
        {"['a','b']", "['x']", "['a','b','x']"},
        {"['a','b','c']", "['b','d','c']", "['a','b','d','c']"},
        {"['a','b','c','d']", "['c','a']", "['b','c','d','a']"},
        {"[]", "['b','a']", "['b','a']"},
        {"['a']", "[]", "['a']"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char members[256];

        live = NULL;
        snprintf(members, sizeof members, "{'spec':{'tags':%s}}", cases[i].live);
        put("a", members);
        snprintf(members, sizeof members, "{'spec':{'tags':%s}}", cases[i].config);
        assert_int_equal(apply("b", members), FED_OK);
        snprintf(members, sizeof members, "{'tags':%s}", cases[i].merged);
        assert_spec(members);
    }
}

static void keys_have_their_defaults(void **state)
{
    (void)state;
    put("a", "{'spec':{'ports':[{'port':80,'protocol':'TCP'}]}}");
    assert_int_equal(
        apply("b", "{'spec':{'ports':[{'port':80},{'port':80,'protocol':'UDP'}]}}"), FED_OK);
    assert_spec("{'ports':[{'port':80,'protocol':'TCP'},{'port':80,'protocol':'UDP'}]}");
}

static void what_does_not_fit_its_type_is_refused(void **state)
{
    static const char prefix[] = "failed to create typed patch object (/o; x/v1, Kind=Thing): ";
    static const struct {
        const char *members, *why;
    } cases[] = {
        {"{'spec':{'zork':1}}", ".spec.zork: field not declared in schema"},
        {"{'zork':1}", ".zork: field not declared in schema"},
        {"{'metadata':{'name':'o','zork':1}}", ".metadata.zork: field not declared in schema"},
        {"{'spec':7}", ".spec: expected map, got &{7}"},
        {"{'spec':{'labels':['x',3000000000,1000000.0,0.5,null]}}",
            ".spec.labels: expected map, got &{[x 3000000000 1e+06 0.5 <nil>]}"},
        {"{'spec':{'tags':{'b':1.5,'a':true}}}",
            ".spec.tags: expected list, got &{map[a:true b:1.5]}"},
        {"{'spec':{'replicas':'x'}}",
            ".spec.replicas: expected numeric (int or float), got string"},
        {"{'spec':{'replicas':{}}}",
            ".spec.replicas: expected numeric (int or float), got map[string]interface {}"},
        {"{'spec':{'image':7}}",
            ".spec.image: expected string, got &value.valueUnstructured{Value:7}"},
        {"{'spec':{'image':{'b':['x',null],'a':{}}}}",
            ".spec.image: expected string, got &value.valueUnstructured{Value:"
            "map[string]interface {}{\"a\":map[string]interface {}{}, "
            "\"b\":[]interface {}{\"x\", interface {}(nil)}}}"},
        {"{'metadata':{'name':'o','labels':{'a':1}}}",
            ".metadata.labels.a: expected string, got &value.valueUnstructured{Value:1}"},
        {"{'metadata':{'name':'o','creationTimestamp':[]}}",
            ".metadata.creationTimestamp: expected any scalar, got &{[]}"},
        {"{'spec':{'args':[1]}}",
            ".spec.args[0]: expected string, got &value.valueUnstructured{Value:1}"},
        {"{'spec':{'tags':['t','u','t','t']}}",
            "errors:\n  .spec.tags: duplicate entries for key [=\"t\"]"
            "\n  .spec.tags: duplicate entries for key [=\"t\"]"},
        {"{'spec':{'items':[{'name':'i'},{'name':'i','value':1}]}}",
            "errors:\n  .spec.items: duplicate entries for key [name=\"i\"]"
            "\n  .spec.items[name=\"i\"].value: expected string, got "
            "&value.valueUnstructured{Value:1}"},
        {"{'spec':{'items':[{'name':'a','x':1},{'value':'1'},{'name':'a'}]}}",
            "errors:\n  .spec.items[name=\"a\"].x: field not declared in schema"
            "\n  .spec.items: element 1: associative list with keys has an element that omits all "
            "key fields [\"name\"] (and doesn't have default values for any key fields)"},
        {"{'spec':{'items':[null]}}",
            ".spec.items: element 0: associative list with keys may not have a null element"},
        {"{'spec':{'items':['x']}}",
            ".spec.items: element 0: associative list with keys may not have non-map elements"},
        {"{'spec':{'tags':[null]}}", ".spec.tags: element 0: associative list without keys has an "
                                     "element that's an explicit null"},
        {"{'spec':{'tags':[{}]}}", ".spec.tags: element 0: associative list without keys has an "
                                   "element that's a map type"},
        {"{'spec':{'tags':[[]]}}",
            ".spec.tags: element 0: not supported: associative list with lists as elements"},
        {"{'spec':{'ports':[{'protocol':7},{}]}}",
            ".spec.ports[protocol=7].protocol: expected string, got "
            "&value.valueUnstructured{Value:7}"},
        {"{'spec':{'ports':[{'port':[{},1,null],'protocol':{'a':'x','b':true}}]}}",
            "errors:\n  .spec.ports[port=[,1,null],protocol=a=\"x\"b=true].port: expected numeric "
            "(int or float), got []interface {}"
            "\n  .spec.ports[port=[,1,null],protocol=a=\"x\"b=true].protocol: expected string, got "
            "&value.valueUnstructured{Value:map[string]interface {}{\"a\":\"x\", \"b\":true}}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(apply("a", cases[i].members), FED_ERR_INVALID);
        assert_memory_equal(fed_buf_cstr(&why), prefix, sizeof prefix - 1);
        assert_string_equal(fed_buf_cstr(&why) + sizeof prefix - 1, cases[i].why);
    }
}

static void an_object_that_does_not_fit_is_nobodys(void **state)
{
    (void)state;
    put("a", "{'spec':{'image':'x'}}");
    put("b", "{'spec':{'image':'x','tags':['t','t'],'zork':1}}");
    assert_owners("");
    assert_int_equal(apply("c", "{'spec':{'image':'x'}}"), FED_ERR_INVALID);
    assert_string_equal(fed_buf_cstr(&why),
        "failed to create manager for existing fields: failed to convert new object (/o; x/v1, "
        "Kind=Thing) to smd typed: .spec.zork: field not declared in schema");
    put("b", "{'spec':{'image':'x'}}");
    assert_int_equal(apply("c", "{'spec':{'image':'x'}}"), FED_OK);
}

static bool knows_version(void *ctx, struct fed_span api_version)
{
    return fed_span_is(api_version, ctx);
}

static void entries_of_unknown_versions_go(void **state)
{
    struct hub_field_update update = update_by("b", "", false);
    struct fed_json *next = object("{'spec':{'image':'y','replicas':1}}");
    char known[] = "x/v1";

    (void)state;
    update.knows_version = knows_version;
    update.ctx = known;
    put("a", "{'spec':{'image':'x'}}");
    assert_int_equal(
        fed_json_set(doc, fed_json_get(next, "metadata"), "managedFields",
            parse("[{'manager':'z','operation':'Apply','apiVersion':'x/v0',"
                  "'fieldsType':'FieldsV1','fieldsV1':{'f:spec':{'f:replicas':{}}}}]")),
        FED_OK);
    assert_int_equal(hub_fields_update(doc, &update, live, next), FED_OK);
    live = next;
    assert_owners("b U @1 {'f:spec':{'f:image':{},'f:replicas':{}}}");
}

static void conflicts_are_listed_by_the_size_of_numbers(void **state)
{
    static const char *const fields[] = {".spec.ports[port=80,protocol=\"TCP\"].target",
        ".spec.ports[port=80,protocol=\"UDP\"].target",
        ".spec.ports[port=443,protocol=\"TCP\"].target"};

    (void)state;
    put("a", "{'spec':{'ports':[{'port':443,'protocol':'TCP','target':1},"
             "{'port':80,'protocol':'UDP','target':1},{'port':80,'protocol':'TCP','target':1}]}}");
    assert_int_equal(
        apply("b", "{'spec':{'ports':[{'port':443,'target':2},"
                   "{'port':80,'protocol':'UDP','target':2},{'port':80,'target':2}]}}"),
        FED_ERR_CONFLICT);
    assert_int_equal(causes.n, COUNT(fields));
    for (size_t i = 0; i < COUNT(fields); i++)
        assert_cause(i, "conflict with \"a\" using x/v1", fields[i]);
}

static void null_and_free_places_fit(void **state)
{
    (void)state;
    assert_int_equal(
        apply("a", "{'spec':{'replicas':null,'tags':null,'items':null,'image':null}}"), FED_OK);
    assert_int_equal(
        apply("a", "{'spec':{'free':{'a':[null,{'b':1},[1]],'c':{'d':null}}}}"), FED_OK);
    assert_int_equal(apply("a", "{'spec':{'replicas':1.5},'status':{}}"), FED_OK);
}

static void the_client_may_give_the_entries(void **state)
{
    static const char given[] =
        "[{'manager':'z','operation':'Apply','apiVersion':'x/v1','fieldsType':'FieldsV1',"
        "'fieldsV1':{'f:spec':{'f:image':{},'f:replicas':{}}},'time':'1970-01-01T00:00:09Z'}]";

    (void)state;
    assert_int_equal(apply("a", "{'spec':{'image':'x'}}"), FED_OK);
    put_with("b", "", "{'spec':{'image':'x'}}", "[{'manager':'z','operation':'Guess'}]");
    assert_owners("a A @1 {'f:spec':{'f:image':{}}}");
    put_with("b", "status", "{'spec':{'image':'x'}}", given);
    assert_owners("a A @1 {'f:spec':{'f:image':{}}}");
    put_with("b", "", "{'spec':{'image':'x'}}", given);
    assert_owners("z A @9 {'f:spec':{'f:image':{},'f:replicas':{}}}");
    put_with("b", "", "{'spec':{'image':'y'}}", "[]");
    assert_owners("");
    put("b", "{'spec':{'image':'q'}}"); /* not tracked before it is applied */
    assert_owners("");
    assert_int_equal(apply("c", "{'spec':{'image':'r'}}"), FED_ERR_CONFLICT);
    assert_cause(0, "conflict with \"before-first-apply\" using x/v1", ".spec.image");
    assert_int_equal(apply("c", "{'spec':{'replicas':1}}"), FED_OK);
    assert_owners("c A @8 {'f:spec':{'f:replicas':{}}}\nbefore-first-apply U @8 "
                  "{'f:spec':{'.':{},'f:image':{}}}");
}

static void spec_and_status_have_their_own_owners(void **state)
{
    (void)state;
    put("a", "{'spec':{'image':'x'},'status':{'phase':'No'}}");
    assert_owners("a U @1 {'f:spec':{'.':{},'f:image':{}}}");
    put_with("a", "status", "{'spec':{'image':'ignored'},'status':{'phase':'Ready'}}", NULL);
    assert_owners(
        "a U @1 {'f:spec':{'.':{},'f:image':{}}}\na U/status @2 {'f:status':{'f:phase':{}}}");
    assert_int_equal(apply_as("b", "status", true, "{'status':{'phase':'Busy'}}"), FED_OK);
    assert_owners(
        "b A/status @3 {'f:status':{'f:phase':{}}}\na U @1 {'f:spec':{'.':{},'f:image':{}}}");
}

static void old_updates_become_one(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        char members[512] = "{'spec':{'labels':{";
        char manager[16];

        for (int j = 0; j <= i; j++)
            snprintf(members + strlen(members), sizeof members - strlen(members), "%s'%c':'1'",
                j ? "," : "", 'a' + j);
        snprintf(members + strlen(members), sizeof members - strlen(members), "}}}");
        snprintf(manager, sizeof manager, "u%d", i);
        put(manager, members);
    }
    assert_int_equal(fed_json_count(fed_json_find(live, "metadata.managedFields")), 10);
    assert_true(
        fed_span_is(fed_json_string(fed_json_get(
                        fed_json_at(fed_json_find(live, "metadata.managedFields"), 0), "manager")),
            "ancient-changes"));
    assert_true(fed_json_eq(
        fed_json_get(fed_json_at(fed_json_find(live, "metadata.managedFields"), 0), "fieldsV1"),
        parse("{'f:spec':{'.':{},'f:labels':{'.':{},'f:a':{},'f:b':{},'f:c':{}}}}")));
}

static void kubectl_takes_over_what_it_applied_on_the_client_side(void **state)
{
    struct fed_json *config;
    struct fed_span note;

    (void)state;
    put("kubectl-client-side-apply", "{'metadata':{'name':'o'},'spec':{'image':'x','replicas':1}}");
    config = fed_json_new_object(doc);
    assert_int_equal(
        fed_json_set_text(doc, config, "kubectl.kubernetes.io/last-applied-configuration",
            "{\"apiVersion\":\"x/"
            "v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"o\"},\"spec\":{\"image\":\"x\"}}\n"),
        FED_OK);
    assert_int_equal(
        fed_json_set(doc, fed_json_get(live, "metadata"), "annotations", config), FED_OK);
    assert_int_equal(apply("other", "{'spec':{'image':'y'}}"), FED_ERR_CONFLICT);
    assert_int_equal(apply("kubectl", "{'spec':{'image':'y','replicas':2}}"), FED_ERR_CONFLICT);
    assert_int_equal(causes.n, 1);
    assert_cause(0, "conflict with \"kubectl-client-side-apply\" using x/v1", ".spec.replicas");
    assert_int_equal(apply("kubectl", "{'spec':{'image':'<y>'}}"), FED_OK);
    note = fed_json_string(fed_json_get(fed_json_find(live, "metadata.annotations"),
        "kubectl.kubernetes.io/last-applied-configuration"));
    assert_span(note, "{\"apiVersion\":\"x/"
                      "v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"o\"},\"spec\":{\"image\":"
                      "\"\\u003cy\\u003e\"}}\n");
}

/* A write of the Scale: replicas as they were when negative. */
static void scale_by(const char *manager, int64_t replicas)
{
    static const struct hub_field_replicas versions[] = {
        {"x/v1", ".spec.replicas"}, {"x/v2", NULL}};
    static const struct hub_field_scale kind = {versions, COUNT(versions)};
    struct hub_field_update update = update_by(manager, "scale", false);
    struct fed_json *before = parse("{'metadata':{'name':'o'},'spec':{}}");
    struct fed_json *next;

    update.schema = NULL;
    update.api_version = TEXT(HUB_SCALE_API_VERSION);
    assert_int_equal(fed_json_set(doc, fed_json_get(before, "spec"), "replicas",
                         fed_json_clone(doc, fed_json_find(live, "spec.replicas"))),
        FED_OK);
    assert_int_equal(hub_field_scale_take(doc, &kind, live, before), FED_OK);
    next = fed_json_clone(doc, before);
    if (replicas >= 0)
        assert_int_equal(
            fed_json_set_int(doc, fed_json_get(next, "spec"), "replicas", replicas), FED_OK);
    assert_int_equal(hub_fields_update(doc, &update, before, next), FED_OK);
    live = fed_json_clone(doc, live);
    if (replicas >= 0)
        assert_int_equal(
            fed_json_set_int(doc, fed_json_get(live, "spec"), "replicas", replicas), FED_OK);
    assert_int_equal(hub_field_scale_give(doc, &kind, "x/v1", next, live), FED_OK);
}

static void who_scales_takes_the_replicas(void **state)
{
    (void)state;
    assert_int_equal(apply("a", "{'spec':{'replicas':1,'image':'x'}}"), FED_OK);
    scale_by("s", 2);
    assert_owners("a A @1 {'f:spec':{'f:image':{}}}\ns U/scale @-1 {'f:spec':{'f:replicas':{}}}");
    assert_int_equal(apply("a", "{'spec':{'replicas':1}}"), FED_ERR_CONFLICT);
    assert_cause(0, "conflict with \"s\" with subresource \"scale\" using x/v1", ".spec.replicas");
    scale_by("t", 3);
    assert_owners("a A @1 {'f:spec':{'f:image':{}}}\nt U/scale @-1 {'f:spec':{'f:replicas':{}}}");
}

static void who_applied_the_replicas_keeps_them_when_nothing_changes(void **state)
{
    (void)state;
    assert_int_equal(apply("a", "{'spec':{'replicas':1,'image':'x'}}"), FED_OK);
    scale_by("s", 1);
    assert_owners("a A @1 {'f:spec':{'f:image':{},'f:replicas':{}}}");
}

/* An update's entry is split, and of the two that have one key the next write knows the later one.
 */
static void who_updated_the_replicas_loses_them_with_the_time(void **state)
{
    (void)state;
    put("a", "{'spec':{'replicas':1,'image':'x'}}");
    scale_by("s", -1);
    assert_owners("a U @-1 {'f:spec':{'f:replicas':{}}}\na U @1 {'f:spec':{'.':{},'f:image':{}}}");
    put("b", "{'spec':{'replicas':1,'image':'y'}}");
    assert_owners("a U @1 {'f:spec':{}}\nb U @3 {'f:spec':{'f:image':{}}}");
}

static void replicas_of_nobody_stay_so(void **state)
{
    (void)state;
    assert_int_equal(apply("a", "{'spec':{'image':'x'}}"), FED_OK);
    assert_int_equal(fed_json_set_int(doc, fed_json_get(live, "spec"), "replicas", 1), FED_OK);
    scale_by("s", 2);
    assert_owners("a A @1 {'f:spec':{'f:image':{}}}");
}

static void long_lists_and_maps_take_a_moment(void **state)
{
    struct fed_json *spec = fed_json_get(object("{'spec':{}}"), "spec");
    struct hub_field_update update = update_by("a", "", false);
    struct fed_json *config = object("{}");
    struct fed_json *tags = fed_json_new_array(doc);
    struct fed_json *labels = fed_json_new_object(doc);
    struct fed_json *next;
    clock_t begin;

    (void)state;
    for (int i = 0; i < 30000; i++) {
        char name[16];

        snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(fed_json_append(tags, fed_json_new_text(doc, name)), FED_OK);
        assert_int_equal(
            fed_json_add_span(doc, labels, TEXT(name), fed_json_new_text(doc, "1")), FED_OK);
    }
    spec = fed_json_new_object(doc);
    assert_int_equal(fed_json_set(doc, spec, "tags", tags), FED_OK);
    assert_int_equal(fed_json_set(doc, spec, "labels", labels), FED_OK);
    assert_int_equal(fed_json_set(doc, config, "spec", spec), FED_OK);
    begin = clock();
    assert_int_equal(hub_fields_apply(doc, &update, NULL, config, &live, &causes, &why), FED_OK);
    assert_int_equal(hub_fields_apply(doc, &update, live, config, &next, &causes, &why), FED_OK);
    assert_true(fed_json_eq(live, next));
    update = update_by("b", "", false);
    assert_int_equal(hub_fields_apply(doc, &update, next, object("{'spec':{'tags':['x']}}"), &live,
                         &causes, &why),
        FED_OK);
    assert_int_equal(fed_json_count(fed_json_find(live, "spec.tags")), 30001);
    assert_true(
        (clock() - begin) / CLOCKS_PER_SEC < 30); /* with the sanitizers; all pairs take minutes */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_created_object_belongs_to_who_made_it, setup, teardown),
        cmocka_unit_test_setup_teardown(apply_owns_what_the_configuration_states, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unchanged_object_stays_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(
            equal_values_are_shared_and_others_conflict, setup, teardown),
        cmocka_unit_test_setup_teardown(conflicts_name_the_item_and_the_endpoint, setup, teardown),
        cmocka_unit_test_setup_teardown(what_nobody_owns_any_more_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(an_update_takes_what_it_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(merged_lists_keep_both_orders, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_have_their_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit_its_type_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_object_that_does_not_fit_is_nobodys, setup, teardown),
        cmocka_unit_test_setup_teardown(entries_of_unknown_versions_go, setup, teardown),
        cmocka_unit_test_setup_teardown(
            conflicts_are_listed_by_the_size_of_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(null_and_free_places_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(the_client_may_give_the_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(spec_and_status_have_their_own_owners, setup, teardown),
        cmocka_unit_test_setup_teardown(old_updates_become_one, setup, teardown),
        cmocka_unit_test_setup_teardown(
            kubectl_takes_over_what_it_applied_on_the_client_side, setup, teardown),
        cmocka_unit_test_setup_teardown(who_scales_takes_the_replicas, setup, teardown),
        cmocka_unit_test_setup_teardown(
            who_applied_the_replicas_keeps_them_when_nothing_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(
            who_updated_the_replicas_loses_them_with_the_time, setup, teardown),
        cmocka_unit_test_setup_teardown(replicas_of_nobody_stay_so, setup, teardown),
        cmocka_unit_test_setup_teardown(long_lists_and_maps_take_a_moment, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
