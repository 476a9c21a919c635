/* hub_preview_world_test.c - what the plan would be with other labels of clusters, without some of
 * them, and with other policies: what is said is what then happens, and nothing of it stays. */
#include "hub/plan/policy.h"
#include "hub/plan/preview.h"
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define IN_ZONE(zone) "{'clusterSelector':{'matchLabels':{'zone':'" zone "'}}}"
#define MAP(name, spec)                                                                            \
    "{'metadata':{'name':'" name                                                                   \
    "','namespace':'ns','generation':1,'finalizers':['kubefed.io/sync-controller']},'spec':" spec  \
    "}"
#define DENY_B                                                                                     \
    "{'metadata':{'name':'p','generation':1},'spec':{'effect':'Deny','kinds':[{'kind':"            \
    "'ConfigMap'}],'clusters':{'selector':{'matchLabels':{'zone':'b'}}}}}"

static int setup(void **state)
{
    static struct hub_world w;

    hub_world_open_three(&w, (const char *const[]){"{'zone':'a'}", "{'zone':'b'}", "{}"});
    *state = &w;
    return 0;
}

static char text[4096]; /* "x c1=create c2=left; " */
static struct fed_diag said;

static void put(const char *format, ...)
{
    size_t len = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + len, sizeof text - len, format, args);
    va_end(args);
}

static enum fed_err told(void *ctx, const struct hub_preview_object *object)
{
    (void)ctx;
    assert_false(object->asked);
    put(FED_SPAN_FMT, FED_SPAN_ARG(object->ref.name));
    for (size_t i = 0; i < object->n_clusters; i++) {
        const struct hub_preview_cluster *row = &object->clusters[i];

        put(" " FED_SPAN_FMT "=%s", FED_SPAN_ARG(row->cluster),
            hub_preview_action_name(row->action));
        if (row->reason[0])
            put("(%s)", row->reason);
    }
    put("; ");
    return FED_OK;
}

static struct fed_json *read(struct fed_json_doc *doc, const char *json)
{
    char copy[1024];
    struct fed_json *out;

    snprintf(copy, sizeof copy, "%s", json);
    for (char *c = copy; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    assert_int_equal(fed_json_parse(doc, fed_span_text(copy), &out, NULL), FED_OK);
    return out;
}

struct question {
    const char *names; /* with spaces between */
    const char *labels;
    bool deleted;
    const char *policy; /* its name */
    const char *rules;  /* NULL: it is deleted */
};

static enum fed_err ask(struct hub_world *w, struct question q)
{
    struct fed_span names[8];
    struct hub_preview_policy policy = {.name = fed_span_text(q.policy ? q.policy : "")};
    struct hub_preview_ask ask = {.told = told,
        .clusters = {.names = names, .deleted = q.deleted},
        .policies = &policy,
        .n_policies = q.policy != NULL};
    struct fed_span left = fed_span_text(q.names ? q.names : "");
    struct fed_json_doc *doc;
    enum fed_err err;

    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    while (left.len > 0 && fed_span_split(&left, ' ', &names[ask.clusters.n_names]))
        ask.clusters.n_names++;
    if (q.labels)
        ask.clusters.labels = read(doc, q.labels);
    if (q.rules)
        policy.object = read(doc, q.rules);
    text[0] = said.text[0] = '\0';
    err = hub_plan_preview(w->plan, &ask, &said);
    fed_json_doc_free(doc);
    return err;
}

static const char *answer(struct hub_world *w, struct question q)
{
    uint64_t before = hub_world_revision(w, "c1") + hub_world_revision(w, "c2");

    assert_int_equal(ask(w, q), FED_OK);
    hub_world_settle(w);
    assert_int_equal(hub_world_revision(w, "c1") + hub_world_revision(w, "c2"), before);
    return text;
}

static void test_labels(void **state)
{
    struct hub_world *w = *state;

    hub_world_put(w, W_CONFIGMAPS, "ns", "x", MAP("x", "{'placement':" IN_ZONE("a") "}"));
    hub_world_put(w, W_CONFIGMAPS, "ns", "y",
        MAP("y",
            "{'placement':{'clusterSelector':{}},'overrides':[{'clusterSelector':"
            "{'matchLabels':{'zone':'b'}},'clusterOverrides':[{'path':'/data','value':{'k':'o'}}"
            "]}]}"));
    assert_string_equal(
        answer(w, (struct question){.names = "c3", .labels = "{'zone':'a'}"}), "x c3=create; ");
    assert_string_equal(
        answer(w, (struct question){.names = "c1", .labels = "{'zone':null}"}), "x c1=remove; ");
    answer(w, (struct question){.names = "c1 c3", .labels = "{'zone':'b'}"});
    assert_non_null(strstr(text, "x c1=remove; "));
    assert_non_null(strstr(text, "y c1=update c3=update; "));
    assert_string_equal(
        answer(w, (struct question){.names = "c1 c2 c3", .labels = "{'other':'1'}"}), "");
    /* And so it comes. */
    hub_world_cluster(w, "c3", "{'zone':'a'}");
    assert_non_null(strstr(hub_world_works(w, "c3"), "ConfigMap/ns/x"));
}

static void test_a_namespace_that_moves(void **state)
{
    struct hub_world *w = *state;

    hub_world_put(w, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns'},'spec':{'placement':" IN_ZONE("a") "}}");
    hub_world_put(w, W_CONFIGMAPS, "ns", "x", MAP("x", "{'placement':{'clusterSelector':{}}}"));
    answer(w, (struct question){.names = "c1 c2", .labels = "{'zone':'a'}"});
    assert_non_null(strstr(text, "ns c2=create; "));
    assert_non_null(strstr(text, "x c2=create; "));
    assert_null(strstr(text, "c1"));
}

static void test_deleted_clusters_keep_what_they_run(void **state)
{
    struct hub_world *w = *state;

    hub_world_put(w, W_CONFIGMAPS, "ns", "x", MAP("x", "{'placement':" IN_ZONE("a") "}"));
    answer(w, (struct question){.names = "c1 c2", .deleted = true});
    assert_non_null(strstr(text, "x c1=left; "));
    assert_non_null(strstr(text, "ns c1=left c2=left; "));
}

static void test_policies(void **state)
{
    struct hub_world *w = *state;

    hub_world_put(w, W_CONFIGMAPS, "ns", "x", MAP("x", "{'placement':{'clusterSelector':{}}}"));
    assert_string_equal(answer(w, (struct question){.policy = "p", .rules = DENY_B}),
        "x c2=remove(ForbiddenByPolicy); ");
    assert_string_equal(
        answer(w, (struct question){.policy = "p", .rules = DENY_B, .names = "c1"}), "");
    hub_world_put(w, "placementpolicies.fedlet.io", "", "p", DENY_B);
    hub_world_put(w, W_CONFIGMAPS, "ns", "y", MAP("y", "{'placement':{'clusterSelector':{}}}"));
    answer(w, (struct question){.policy = "p"});
    assert_non_null(strstr(text, "y c2=create; "));
    assert_string_equal(answer(w, (struct question){.policy = "p", .rules = DENY_B}), "");
    /* Labels bring a cluster under a policy. */
    answer(w, (struct question){.names = "c1", .labels = "{'zone':'b'}"});
    assert_non_null(strstr(text, "x c1=remove(ForbiddenByPolicy); "));
    /* What items have looked up meanwhile is not that of the question. */
    assert_non_null(plan_policy_find(w->plan, fed_span_text("p")));
    hub_world_put(
        w, W_CONFIGMAPS, "ns", "y", MAP("y", "{'template':{},'placement':{'clusterSelector':{}}}"));
    assert_null(strstr(hub_world_works(w, "c2"), "ConfigMap/ns/y"));
}

static void test_refused(void **state)
{
    struct hub_world *w = *state;

    assert_int_equal(
        ask(w, (struct question){.names = "c1 c9", .labels = "{}"}), FED_ERR_NOT_FOUND);
    assert_non_null(strstr(said.text, "c9"));
    assert_int_equal(
        ask(w, (struct question){.names = "c1 c2 c1 c1 c1 c2", .deleted = true}), FED_ERR_INVALID);
    assert_non_null(strstr(said.text, "stands twice"));
    assert_int_equal(
        ask(w, (struct question){.policy = "p", .rules = "{'spec':{'effect':'Maybe'}}"}),
        FED_ERR_INVALID);
    assert_non_null(strstr(said.text, "spec.effect"));
    /* More than is looked at in one go: a namespace and objects in it, and thousands of clusters.
     */
    hub_world_put(w, W_CONFIGMAPS, "ns", "x", MAP("x", "{}"));
    {
        static struct fed_span many[HUB_PREVIEW_PAIRS_MAX];
        struct hub_preview_ask large = {.told = told,
            .clusters = {.names = many, .n_names = HUB_PREVIEW_PAIRS_MAX, .deleted = true}};

        for (size_t i = 0; i < HUB_PREVIEW_PAIRS_MAX; i++)
            many[i] = fed_span_text("c1");
        assert_int_equal(hub_plan_preview(w->plan, &large, &said), FED_ERR_LIMIT);
        assert_non_null(strstr(said.text, "fewer clusters at a time"));
    }
    hub_world_restart(w);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, hub_world_end)
    const struct CMUnitTest tests[] = {
        CASE(test_labels),
        CASE(test_a_namespace_that_moves),
        CASE(test_deleted_clusters_keep_what_they_run),
        CASE(test_policies),
        CASE(test_refused),
    };
#undef CASE

    return cmocka_run_group_tests(tests, NULL, NULL);
}
