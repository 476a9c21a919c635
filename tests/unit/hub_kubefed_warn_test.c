/* What the writer of a federated object is told at once, case by case. */
#include "hub/kubefed/warn.h"

#include "tests/unit/proto_tree_test.h"

struct told {
    char text[4096]; /* sentences, each with its end of line */
};

static bool has_cluster(void *ctx, struct fed_span name)
{
    (void)ctx;
    return fed_span_is(name, "c1") || fed_span_is(name, "c2");
}

static bool is_labelled(void *ctx, struct fed_span ns)
{
    (void)ctx;
    return fed_span_is(ns, "labelled");
}

static bool is_federated(void *ctx, struct fed_span ns)
{
    return fed_span_is(ns, "ns") || is_labelled(ctx, ns);
}

static void tell(void *ctx, const char *text)
{
    struct told *told = ctx;
    size_t len = strlen(told->text);

    snprintf(told->text + len, sizeof told->text - len, "%s\n", text);
}

#define NOTHING                                                                                    \
    "spec.placement: neither clusters nor clusterSelector is given: no cluster gets the object\n"
#define LOST ": placement cannot be computed\n"
#define TERM "spec.placement.clusterSelector.matchExpressions"
#define NOBODY ": no cluster gets the object (ApplyOverridesFailed)\n"
#define PLACED "'placement':{'clusters':[{'name':'c1'}]}"
#define OVERRIDES(list) "{" PLACED ",'template':{'spec':{'replicas':1}},'overrides':" list "}"
#define PATH(i, j) "spec.overrides[" #i "].clusterOverrides[" #j "].path: "

enum type { MAP, NAMESPACE, ROLE };

static const struct row {
    enum type type;
    const char *ns, *name, *spec, *told;
} rows[] = {
    {MAP, "ns", "x", "{" PLACED "}", ""},
    {MAP, "ns", "x", "{'placement':{'clusterSelector':{}}}", ""},
    {MAP, "ns", "x", "{'placement':{'clusters':[]}}", ""},
    /* placement */
    {MAP, "ns", "x", "{}", NOTHING},
    {MAP, "ns", "x", "{'placement':{}}", NOTHING},
    {MAP, "ns", "x", "{'placement':{'clusters':null}}", NOTHING},
    {MAP, "labelled", "x", "{}", ""},
    {NAMESPACE, "labelled", "labelled", "{}", ""},
    {ROLE, "", "x", "{}", NOTHING},
    {MAP, "ns", "x", "{'placement':{'clusters':[{'name':'c1'},{'name':'c9'}]}}",
        "spec.placement.clusters[1].name: no cluster \"c9\" is registered\n"},
    {MAP, "ns", "x",
        "{'placement':{'clusterSelector':{'matchExpressions':[{'key':'a','operator':'Exists'},{"
        "'key':'a','operator':'Near'}]}}}",
        TERM "[1].operator: \"Near\" is not one of In, NotIn, Exists, DoesNotExist" LOST},
    {MAP, "ns", "x",
        "{'placement':{'clusterSelector':{'matchExpressions':[{'key':'a','operator':'In'},{'key':"
        "'a','operator':'Exists','values':['x']}]}}}",
        TERM "[0].values: In needs at least one" LOST TERM "[1].values: Exists takes none" LOST},
    {MAP, "ns", "x",
        "{'placement':{'clusters':[],'clusterSelector':{'matchExpressions':[{'key':'a','operator':"
        "'Near'}]}}}",
        ""}, /* which does not count */
    /* place */
    {MAP, "elsewhere", "x", "{" PLACED "}",
        "metadata.namespace: \"elsewhere\" is not federated: no cluster gets the object until the "
        "namespace has a FederatedNamespace of its name\n"},
    {NAMESPACE, "elsewhere", "elsewhere", "{" PLACED "}", ""},
    {NAMESPACE, "ns", "other", "{" PLACED "}",
        "metadata.name: a FederatedNamespace federates the namespace that it is in and has its "
        "name, \"ns\": this one is ignored\n"},
    {NAMESPACE, "default", "default", "{" PLACED "}",
        "metadata.namespace: \"default\" is never propagated\n"},
    {ROLE, "", "x", "{" PLACED "}", ""},
    /* template */
    {MAP, "ns", "x",
        "{" PLACED ",'template':{'metadata':{'labels':{'a':'b'},'annotations':{'a':'b'},"
        "'finalizers':['a/b']}}}",
        "spec.template.metadata.annotations: is not propagated; an override can set it\n"
        "spec.template.metadata.finalizers: is not propagated; an override can set it\n"},
    {MAP, "ns", "x", "{" PLACED ",'template':{'metadata':{'annotations':{}}}}", ""},
    {MAP, "ns", "x",
        "{" PLACED ",'template':{'metadata':{'annotations':{'fedlet.io/replace':'true'}}}}", ""},
    /* overrides */
    {MAP, "ns", "x",
        OVERRIDES("[{'clusterName':'c1','clusterOverrides':[{'path':'/spec/replicas','value':2},{"
                  "'op':'add','path':'/metadata/annotations','value':{'a':'b'}},{'op':'remove',"
                  "'path':'/metadata/annotations/a'},{'path':'/spec/paused','value':true}]}]"),
        ""},
    {MAP, "ns", "x", OVERRIDES("[{'clusterName':'c9','clusterOverrides':[]}]"),
        "spec.overrides[0].clusterName: no cluster \"c9\" is registered\n"},
    {MAP, "ns", "x", OVERRIDES("[{'clusterName':'c1'},{'clusterName':'c2'},{'clusterName':'c1'}]"),
        "spec.overrides[2].clusterName: \"c1\" stands twice" NOBODY},
    {MAP, "ns", "x",
        OVERRIDES("[{'clusterName':'c1','clusterOverrides':[{'path':'/spec/replicas','value':2},{"
                  "'path':'/spec/replicas','value':3}]}]"),
        PATH(0, 1) "/spec/replicas stands twice" NOBODY},
    {MAP, "ns", "x",
        OVERRIDES("[{'clusterName':'c2','clusterOverrides':[{'path':'/metadata/namespace','value':"
                  "'a'},{'path':'/metadata/name','value':'a'},{'path':'/metadata/generateName',"
                  "'value':'a'},{'path':'/kind','value':'a'}]}]"),
        PATH(0, 0) "/metadata/namespace may not be overridden" NOBODY PATH(
            0, 1) "/metadata/name may not be overridden" NOBODY PATH(0,
            2) "/metadata/generateName may not be overridden" NOBODY PATH(0,
            3) "/kind may not be overridden" NOBODY},
    {MAP, "ns", "x",
        OVERRIDES("[{'clusterName':'c1'},{'clusterName':'c2','clusterOverrides':[{'path':"
                  "'/spec/x/y','value':2},{'path':'/also/not','value':2}]}]"),
        PATH(1, 0) "replace operation does not apply: doc is missing path: /spec/x/y: missing "
                   "value: this cluster does not get it "
                   "(ApplyOverridesFailed)\n"},
    {MAP, "ns", "x",
        OVERRIDES(
            "[{'clusterName':'c1','clusterOverrides':[{'op':'remove','path':'/spec/none'}]}]"),
        PATH(0, 0) "error in remove for path: '/spec/none': Unable to remove nonexistent key: "
                   "none: missing value: this cluster does not get it "
                   "(ApplyOverridesFailed)\n"},
    {MAP, "ns", "x",
        OVERRIDES("[{'clusterName':'c1','clusterOverrides':[{'path':'spec/replicas','value':2}]}]"),
        PATH(0, 0) "\"spec/replicas\" does not begin with a slash: what is before the first slash "
                   "is left out\n"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct told told = {""};
        struct hub_kubefed_around around = {.has_cluster = has_cluster,
            .is_federated = is_federated,
            .is_labelled = is_labelled,
            .namespaced = row->type == MAP,
            .is_namespace = row->type == NAMESPACE,
            .warn = tell,
            .warn_ctx = &told};
        struct fed_json_doc *doc;
        struct fed_json *object;
        struct fed_json *before;
        char text[2048];

        snprintf(text, sizeof text, "{'metadata':{'name':'%s'%s%s%s},'spec':%s}", row->name,
            row->ns[0] ? ",'namespace':'" : "", row->ns, row->ns[0] ? "'" : "", row->spec);
        for (char *c = text; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
        assert_int_equal(fed_json_parse(doc, TEXT(text), &object, NULL), FED_OK);
        before = fed_json_clone(doc, object);
        hub_kubefed_warn(doc, object, &around);
        if (strcmp(told.text, row->told) != 0)
            fail_msg("row %zu %s\ngot:\n%sexpected:\n%s", i, text, told.text, row->told);
        assert_true(fed_json_eq(before, object));
        fed_json_doc_free(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
