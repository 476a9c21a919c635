/* hub_api_test.c - the API as clients meet it: verbs, refusals, forms, watches, patches, deletion.
 */
#include "hub_api_world.h"
#include "tests/unit/refused_writes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define JSON "application/json"
#define MERGE "application/merge-patch+json"
#define CM "/api/v1/namespaces/default/configmaps"
#define FD "/apis/types.kubefed.io/v1beta1/namespaces/default/federateddeployments"
#define FD_SHORT "/apis/types.kubefed.io/v1alpha2/namespaces/default/federateddeployments"
#define FD_HEAD "'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedDeployment',"

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    world_open(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

static void make(struct world *w, const char *name, const char *more)
{
    char body[1024];

    snprintf(body, sizeof body,
        "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'%s'%s},'data':{'k':'1'}}", name,
        more);
    if (world_call(w, "POST", CM, JSON, body) != 201)
        fail_msg("%s", (const char *)w->last.body.at);
}

static void test_object_life(void **state)
{
    struct world *w = *state;
    char revision[32];

    make(w, "a", "");
    assert_int_equal(strlen(world_at(w, "metadata.uid")), 36);
    assert_int_equal(world_at(w, "metadata.uid")[14], '4');
    assert_int_equal(world_call(w, "POST", CM, JSON, "{'metadata':{'name':'a'}}"), 409);
    assert_string_equal(world_at(w, "reason"), "AlreadyExists");
    assert_int_equal(world_call(w, "GET", CM "/a/", "", NULL), 200);
    snprintf(revision, sizeof revision, "%s", world_at(w, "metadata.resourceVersion"));
    /* The same content again is no new revision. */
    assert_int_equal(
        world_call(w, "PUT", CM "/a", JSON, "{'metadata':{'name':'a'},'data':{'k':'1'}}"), 200);
    assert_string_equal(world_at(w, "metadata.resourceVersion"), revision);
    assert_int_equal(world_call(w, "PATCH", CM "/a", MERGE, "{'data':{'k':'2'}}"), 200);
    assert_string_equal(world_at(w, "data.k"), "2");
    assert_int_equal(world_call(w, "PUT", CM "/a", JSON,
                         "{'metadata':{'name':'a','resourceVersion':'2'},'data':{}}"),
        409);
    assert_string_equal(world_at(w, "reason"), "Conflict");
    assert_int_equal(world_call(w, "DELETE", CM "/a", JSON, "{'preconditions':{'uid':'x'}}"), 409);
    assert_int_equal(world_call(w, "DELETE", CM "/a", JSON, "{'dryRun':['All']}"), 200);
    assert_int_equal(
        world_call(w, "DELETE", CM "/a", JSON, "{'propagationPolicy':'Background'}"), 200);
    assert_string_equal(world_at(w, "status"), "Success");
    assert_int_equal(world_call(w, "GET", CM "/a", "", NULL), 404);
    assert_string_equal(world_at(w, "message"), "configmaps \"a\" not found");
}

static void test_refusals(void **state)
{
    static const struct {
        const char *method;
        const char *target;
        const char *type;
        const char *body;
        unsigned status;
        const char *says;
    } cases[] = {
        {"POST", CM, JSON, "{", 400, "BadRequest"},
        {"POST", CM, JSON, "[]", 400, "cannot unmarshal array into Go value"},
        {"POST", CM, "text/plain", "x", 415, "UnsupportedMediaType"},
        {"POST", CM, JSON, "{'metadata':{'name':'Bad_Name'}}", 422, "metadata.name"},
        {"POST", CM, JSON, "{'metadata':{}}", 422, "name or generateName is required"},
        {"POST", CM, JSON, "{'kind':'Secret','metadata':{'name':'a'}}", 400,
            "Secret in version \\\"v1\\\" cannot be handled as a ConfigMap"},
        {"POST", CM, JSON, "{'metadata':{'name':'a','namespace':'other'}}", 400, "namespace"},
        {"POST", CM, JSON, "{'metadata':{'name':'a','labels':{'a b':'c'}}}", 422,
            "metadata.labels"},
        {"POST", CM, JSON, "{'metadata':{'name':'a'},'data':{'k':1}}", 400,
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"},
        {"POST", CM "?fieldValidation=Strict", JSON, "{'metadata':{'name':'a'},'zork':1}", 400,
            "unknown field \\\"zork\\\""},
        {"POST", CM "?fieldValidation=Strict", JSON,
            "{'metadata':{'name':'a'},'data':{'k':'1','k':'2'}}", 400,
            "duplicate field \\\"data.k\\\""},
        {"POST", CM "?fieldValidation=Never", JSON, "{'metadata':{'name':'a'}}", 422,
            "fieldValidation"},
        {"POST", CM "?dryRun=Some", JSON, "{'metadata':{'name':'a'}}", 422, "dryRun"},
        {"POST", "/api/v1/namespaces/nope/configmaps", JSON, "{'metadata':{'name':'a'}}", 404,
            "namespaces \\\"nope\\\" not found"},
        {"GET", CM "?limit=x", "", NULL, 400, "parsing \\\"x\\\": invalid syntax"},
        {"GET", CM "?labelSelector=a%20in", "", NULL, 400, "unable to parse"},
        {"GET", CM "?fieldSelector=spec.x%3D1", "", NULL, 400,
            "is not a known field selector: only"},
        {"GET", CM "?fieldSelector=x", "", NULL, 400,
            "invalid selector: 'x'; can't understand 'x'"},
        {"GET", CM "?fieldSelector=metadata.name=a=b", "", NULL, 400,
            "invalid field selector: unescaped character in value: 61"},
        {"GET", CM "?fieldSelector=metadata.name!=a%5Cb", "", NULL, 400,
            "invalid field selector: invalid escape sequence: \\\\b"},
        {"GET", CM "?fieldSelector=metadata.name=a%5C%5C%5C,%5C=,==", "", NULL, 200, "[]"},
        {"GET", CM "?continue=zzz", "", NULL, 400, "continue"},
        {"GET", CM "?resourceVersion=999999", "", NULL, 504, "ResourceVersionTooLarge"},
        {"GET", CM "?watch=1&resourceVersion=999999", "", NULL, 410, "Expired"},
        {"GET", "/api/v1/pods", "", NULL, 404, "could not find the requested resource"},
        {"GET", "/api/v1/namespaces/default/configmaps/a/scale", "", NULL, 404, "could not find"},
        {"GET", "/api/v1/%zz", "", NULL, 400, "percent"},
        {"PATCH", FD "/x", "application/strategic-merge-patch+json", "{}", 415,
            "accepted media types"},
        {"PATCH", FD "/x", MERGE, "{}", 404,
            "federateddeployments.types.kubefed.io \\\"x\\\" not found"},
        {"PATCH", FD "/x", "application/apply-patch+yaml", "{}", 422, "fieldManager"},
        {"PUT", CM, JSON, "{}", 405, "MethodNotAllowed"},
        {"DELETE", "/api/v1/namespaces/default", "", NULL, 403, "may not be deleted"},
        {"POST", FD, JSON,
            "{" FD_HEAD
            "'metadata':{'name':'a'},'spec':{'overrides':[{'clusterName':'c','clusterOverrides':[{"
            "'op':'test','path':'/a'}]}]}}",
            422, "spec.overrides[0].clusterOverrides[0].op"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned status =
            world_call(w, cases[i].method, cases[i].target, cases[i].type, cases[i].body);

        fed_buf_put_u8(&w->last.body, 0);
        if (status != cases[i].status || !world_says(&w->last, cases[i].says))
            fail_msg("%s %s: %u %s", cases[i].method, cases[i].target, status,
                (const char *)w->last.body.at);
    }
}

static void test_unknown_fields_warn(void **state)
{
    struct world *w = *state;

    assert_int_equal(world_call(w, "POST", CM, JSON, "{'metadata':{'name':'a'},'zork':1}"), 201);
    assert_string_equal(w->last.warning, "299 - \"unknown field \\\"zork\\\"\"");
    assert_string_equal(world_at(w, "zork"), "");
}

static void test_who_may(void **state)
{
    struct world *w = *state;

    snprintf(w->peer.organizations[0], sizeof w->peer.organizations[0], "fedlet:agents");
    assert_int_equal(world_call(w, "GET", "/api/v1/namespaces", "", NULL), 403);
    assert_int_equal(world_call(w, "GET", "/healthz", "", NULL), 200);
    /* An agent that also calls itself an administrator is an agent. */
    snprintf(w->peer.organizations[1], sizeof w->peer.organizations[1], "system:masters");
    w->peer.n_organizations = 2;
    assert_int_equal(world_call(w, "GET", "/api/v1/namespaces", "", NULL), 403);
    snprintf(w->peer.organizations[0], sizeof w->peer.organizations[0], "somebody");
    w->peer.n_organizations = 1;
    assert_int_equal(world_call(w, "GET", "/api/v1/namespaces", "", NULL), 403);
    assert_int_equal(
        world_call(w, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", JSON,
            "{'spec':{'resourceAttributes':{'verb':'get','resource':'secrets'}}}"),
        201);
    assert_string_equal(world_at(w, "status.allowed"), "false");
    w->peer.common_name[0] = 0;
    assert_int_equal(world_call(w, "GET", "/api/v1/namespaces", "", NULL), 401);
    assert_int_equal(world_call(w, "GET", "/version/", "", NULL), 200);
    assert_int_equal(world_call(w, "GET", "/openapi/v3", "", NULL), 401);
}

static void test_pages_and_selectors(void **state)
{
    struct world *w = *state;
    char target[512];

    make(w, "a", ",'labels':{'app':'web'}");
    make(w, "b", ",'labels':{'app':'db'}");
    make(w, "c", ",'labels':{'app':'web'}");
    assert_int_equal(
        world_call(w, "GET", CM "?labelSelector=app+in+%28web%29&limit=1", "", NULL), 200);
    assert_true(world_says(&w->last, "\"name\":\"a\""));
    assert_false(world_says(&w->last, "\"name\":\"b\""));
    snprintf(target, sizeof target, CM "?labelSelector=app%%3Dweb&limit=1&continue=%s",
        world_at(w, "metadata.continue"));
    assert_int_equal(world_call(w, "GET", target, "", NULL), 200);
    assert_true(world_says(&w->last, "\"name\":\"c\""));
    assert_string_equal(world_at(w, "metadata.continue"), "");
    assert_int_equal(world_call(w, "GET", CM "?fieldSelector=metadata.name%3Db", "", NULL), 200);
    assert_true(world_says(&w->last, "\"name\":\"b\""));
    assert_false(world_says(&w->last, "\"name\":\"a\""));
}

/* The items of a list, as text. */
static char *list_items(struct world *w, const char *target)
{
    char *items;

    assert_int_equal(world_call(w, "GET", target, "", NULL), 200);
    items = strdup(world_at(w, "items"));
    assert_non_null(items);
    return items;
}

/* One value is looked up in the index, two are not: they say the same after any history. */
static void test_label_index(void **state)
{
    struct world *w = *state;
    unsigned seed = 7;

    make(w, "o0", ",'labels':{'g':'0'}");
    for (unsigned step = 0; step < 120; step++) {
        char target[160];
        char body[160];
        char *indexed;
        char *scanned;
        unsigned of;
        unsigned value;

        seed = seed * 1103515245u + 12345u;
        of = (seed >> 16) % 6;
        value = (seed >> 20) % 3;
        snprintf(target, sizeof target, CM "/o%u", of);
        if ((seed >> 24) % 4 == 0)
            (void)world_call(w, "DELETE", target, "", NULL);
        snprintf(body, sizeof body, "{'metadata':{'labels':{'g':'%u','all':'yes'}}}", value);
        if (world_call(w, "PATCH", target, MERGE, body) == 404) {
            snprintf(
                body, sizeof body, "{'metadata':{'name':'o%u','labels':{'g':'%u'}}}", of, value);
            assert_int_equal(world_call(w, "POST", CM, JSON, body), 201);
        }
        snprintf(target, sizeof target, CM "?labelSelector=g%%3D%u", value);
        indexed = list_items(w, target);
        snprintf(target, sizeof target, CM "?labelSelector=g+in+(%u,zz)", value);
        scanned = list_items(w, target);
        assert_string_equal(indexed, scanned);
        assert_non_null(strstr(indexed, "\"name\":\"o"));
        free(scanned);
        free(indexed);
    }
    /* In pages, of all namespaces. */
    assert_int_equal(
        world_call(w, "GET", "/api/v1/configmaps?labelSelector=all%3Dyes&limit=2", "", NULL), 200);
    assert_string_not_equal(world_at(w, "metadata.continue"), "");
}

static void test_table(void **state)
{
    struct world *w = *state;

    make(w, "a", "");
    world_pass(w, 65000);
    w->accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    assert_int_equal(world_call(w, "GET", CM "/a", "", NULL), 200);
    assert_string_equal(world_at(w, "kind"), "Table");
    assert_true(world_says(&w->last, "\"cells\":[\"a\",1,\"65s\"]"));
    assert_true(world_says(&w->last, "PartialObjectMetadata"));
    w->accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    assert_int_equal(world_call(w, "GET", CM, "", NULL), 200);
    assert_false(world_says(&w->last, "\"data\""));
    w->accept = "application/cbor";
    assert_int_equal(world_call(w, "GET", CM, "", NULL), 406);
}

static void test_watch(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange *all;
    struct fed_http_exchange *labelled;
    struct fed_http_exchange *since;
    char target[128];

    make(w, "a", "");
    snprintf(target, sizeof target, CM "?watch=true&resourceVersion=%s",
        world_at(w, "metadata.resourceVersion"));
    all = world_watch(w, CM "?watch=1");
    labelled = world_watch(w, CM "?watch=True&resourceVersion=0&labelSelector=x");
    assert_string_equal(world_events(all), "ADDED a");
    assert_int_equal(
        world_call(w, "PATCH", CM "/a", MERGE, "{'metadata':{'labels':{'x':'1'}}}"), 200);
    assert_int_equal(
        world_call(w, "PATCH", CM "/a", MERGE, "{'metadata':{'labels':{'x':'2'}}}"), 200);
    assert_int_equal(
        world_call(w, "PATCH", CM "/a", MERGE, "{'metadata':{'labels':{'x':null}}}"), 200);
    assert_int_equal(world_call(w, "DELETE", CM "/a", "", NULL), 200);
    assert_string_equal(world_events(all), "MODIFIED a,MODIFIED a,MODIFIED a,DELETED a");
    assert_string_equal(world_events(labelled), "ADDED a,MODIFIED a,DELETED a");
    since = world_watch(w, target);
    assert_string_equal(world_events(since), "MODIFIED a,MODIFIED a,MODIFIED a,DELETED a");
    /* Unasked bookmarks confuse kubectl. */
    make(w, "b", "");
    world_pass(w, 70000);
    assert_string_equal(world_events(all), "ADDED b");
    world_unwatch(w, all);
    world_unwatch(w, labelled);
    world_unwatch(w, since);
}

/* ---- lists as of a revision ---- */
static const char *names(struct world *w)
{
    static char out[256];
    struct fed_json_doc *doc;
    struct fed_json *root;
    struct fed_json *items;

    out[0] = 0;
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    assert_int_equal(fed_json_parse(doc, fed_buf_span(&w->last.body), &root, NULL), FED_OK);
    items = fed_json_get(root, "items");
    for (size_t i = 0; i < fed_json_count(items); i++)
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s" FED_SPAN_FMT, i ? " " : "",
            FED_SPAN_ARG(fed_json_string(fed_json_find(fed_json_at(items, i), "metadata.name"))));
    fed_json_doc_free(doc);
    return out;
}

static void test_pages_show_one_state(void **state)
{
    struct world *w = *state;
    char revision[32];
    char token[256];
    char target[600];

    for (char name[2] = "a"; name[0] <= 'f'; name[0]++)
        make(w, name, "");
    assert_int_equal(world_call(w, "GET", CM "?limit=2", "", NULL), 200);
    assert_string_equal(names(w), "a b");
    assert_string_equal(world_at(w, "metadata.remainingItemCount"), "4");
    snprintf(revision, sizeof revision, "%s", world_at(w, "metadata.resourceVersion"));
    snprintf(token, sizeof token, "%s", world_at(w, "metadata.continue"));
    assert_int_equal(world_call(w, "DELETE", CM "/c", "", NULL), 200);
    assert_int_equal(world_call(w, "PATCH", CM "/d", MERGE, "{'data':{'k':'2'}}"), 200);
    make(w, "bb", "");
    make(w, "z", "");
    snprintf(target, sizeof target, CM "?limit=3&continue=%s", token);
    assert_int_equal(world_call(w, "GET", target, "", NULL), 200);
    assert_string_equal(names(w), "c d e");
    assert_string_equal(world_at(w, "metadata.resourceVersion"), revision);
    assert_string_equal(world_at(w, "metadata.remainingItemCount"), "1");
    assert_true(world_says(&w->last, "\"k\":\"1\""));
    assert_false(world_says(&w->last, "\"k\":\"2\""));
    snprintf(target, sizeof target, CM "?resourceVersionMatch=Exact&resourceVersion=%s", revision);
    assert_int_equal(world_call(w, "GET", target, "", NULL), 200);
    assert_string_equal(names(w), "a b c d e f");
    /* The old way to say the same is a limit; without one it is no more than a lower bound. */
    snprintf(target, sizeof target, CM "?limit=3&resourceVersion=%s", revision);
    assert_int_equal(world_call(w, "GET", target, "", NULL), 200);
    assert_string_equal(names(w), "a b c");
    snprintf(target, sizeof target, CM "?resourceVersion=%s", revision);
    assert_int_equal(world_call(w, "GET", target, "", NULL), 200);
    assert_string_equal(names(w), "a b bb d e f z");
    assert_int_equal(world_call(w, "GET", CM "?limit=2&resourceVersion=0", "", NULL), 200);
    assert_string_equal(names(w), "a b bb d e f z");
    assert_int_equal(world_call(w, "GET", CM "?limit=2&labelSelector=!x", "", NULL), 200);
    assert_string_equal(world_at(w, "metadata.remainingItemCount"), "");
}

static void test_a_page_of_a_forgotten_state(void **state)
{
    struct world *w = *state;
    struct fed_store *store = hub_objects_store(w->objects);
    char target[600];
    char token[256];

    for (char name[2] = "a"; name[0] <= 'd'; name[0]++)
        make(w, name, "");
    assert_int_equal(world_call(w, "GET", "/api/v1/configmaps?limit=2", "", NULL), 200);
    snprintf(target, sizeof target, "/api/v1/configmaps?limit=9&continue=%s",
        world_at(w, "metadata.continue"));
    make(w, "cc", "");
    assert_int_equal(store->compact(store->ctx, hub_objects_revision(w->objects)), FED_OK);
    assert_int_equal(world_call(w, "GET", target, "", NULL), 410);
    assert_string_equal(world_at(w, "reason"), "Expired");
    snprintf(token, sizeof token, "%s", world_at(w, "metadata.continue"));
    snprintf(target, sizeof target, "/api/v1/configmaps?limit=9&continue=%s", token);
    assert_int_equal(world_call(w, "GET", target, "", NULL), 200);
    assert_string_equal(names(w), "c cc d");
    assert_int_equal(
        world_call(w, "GET", CM "?resourceVersionMatch=Exact&resourceVersion=2", "", NULL), 410);
    assert_string_equal(
        world_at(w, "message"), "The resourceVersion for the provided list is too old.");
    assert_string_equal(world_at(w, "metadata"), "{}");
}

static void test_pages_that_are_refused(void **state)
{
    static const struct {
        const char *query;
        unsigned status;
        const char *message;
    } cases[] = {
        {"continue=a.b", 400,
            "invalid continue token: continue key is not valid: illegal base64 data at input "
            "byte 1"},
        {"continue=eyJ2IjoieCIsInJ2Ijo1LCJzdGFydCI6ImEifQ", 400,
            "invalid continue token: continue key is not valid: server does not recognize this "
            "encoded version x"},
        {"continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MCwic3RhcnQiOiJhIn0", 400,
            "invalid continue token: continue key is not valid: incorrect encoded start "
            "resourceVersion (version meta.k8s.io/v1)"},
        {"continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NX0", 400,
            "invalid continue token: continue key is not valid: encoded start key empty (version "
            "meta.k8s.io/v1)"},
        {"continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NSwic3RhcnQiOiIuLi9hIn0", 400,
            "invalid continue token: continue key is not valid: ../a"},
        {"continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjIzLCJzdGFydCI6Ii9iXHUwMDAwIn0"
         "&resourceVersion=2",
            400, "specifying resource version is not allowed when using continue"},
    };
    struct world *w = *state;
    char target[400];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(target, sizeof target, CM "?limit=2&%s", cases[i].query);
        assert_int_equal(world_call(w, "GET", target, "", NULL), cases[i].status);
        assert_string_equal(world_at(w, "message"), cases[i].message);
    }
    assert_int_equal(world_call(w, "GET",
                         CM "?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6OTk5OTk5OTksInN0YXJ0Ijoi"
                            "L2JcdTAwMDAifQ",
                         "", NULL),
        504);
    assert_true(world_says(&w->last, "Too large resource version: 99999999, current: "));
    assert_true(world_says(&w->last, "\"retryAfterSeconds\":1"));
}

static const char cm_b[] = "{\"metadata\":{\"name\":\"b\"}}";

static void test_answers_wait_for_the_sync(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange before = {.status = 0};
    struct fed_http_exchange post = {.status = 0};
    struct fed_http_exchange again = {.status = 0};
    struct fed_http_exchange get = {.status = 0};
    struct fed_http_exchange health = {.status = 0};
    struct fed_http_exchange *watch = world_watch(w, CM "?watch=1");

    world_send(w, &before, "GET", CM "/b", NULL);
    assert_int_equal(before.status, 404); /* nothing is staged: at once */
    world_send(w, &post, "POST", CM, cm_b);
    world_send(w, &again, "POST", CM, cm_b);
    world_send(w, &get, "GET", CM "/b", NULL);
    world_send(w, &health, "GET", "/healthz", NULL);
    assert_int_equal(health.status, 200);
    assert_int_equal(post.status + again.status + get.status, 0);
    assert_string_equal(world_events(watch), "");
    world_turn(w);
    assert_int_equal(post.status, 201);
    assert_int_equal(again.status, 409);
    assert_int_equal(get.status, 200);
    assert_string_equal(post.content_type, "application/json");
    assert_true(world_says(&post, "\"name\":\"b\""));
    assert_string_equal(world_events(watch), "ADDED b");
    fed_buf_fini(&before.body);
    fed_buf_fini(&post.body);
    fed_buf_fini(&again.body);
    fed_buf_fini(&get.body);
    fed_buf_fini(&health.body);
    world_unwatch(w, watch);
}

static void test_a_sync_that_fails_undoes_the_turn(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange post = {.status = 0};
    struct fed_http_exchange get = {.status = 0};
    struct fed_http_exchange list = {.status = 0};
    struct fed_http_exchange gone = {.status = 0};
    struct fed_http_exchange *watch = world_watch(w, CM "?watch=1");

    world_send(w, &post, "POST", CM, cm_b);
    world_send(w, &get, "GET", CM "/b", NULL);
    world_send(w, &list, "GET", CM, NULL);
    world_send(w, &gone, "GET", CM "/b", NULL);
    hub_api_closed(w->api, &gone); /* its client left meanwhile */
    test_writes_refuse();
    world_turn(w);
    test_writes_allow();
    assert_int_equal(post.status, 500);
    assert_true(world_says(&post, "cannot commit"));
    assert_int_equal(get.status, 404); /* answered again, from what is there */
    assert_int_equal(list.status, 200);
    assert_false(world_says(&list, "\"b\""));
    assert_int_equal(gone.status, 0);
    assert_string_equal(world_events(watch), "");
    assert_int_equal(world_call(w, "POST", CM, JSON, cm_b), 201);
    assert_string_equal(world_events(watch), "ADDED b");
    fed_buf_fini(&post.body);
    fed_buf_fini(&get.body);
    fed_buf_fini(&list.body);
    fed_buf_fini(&gone.body);
    world_unwatch(w, watch);
}

/* Each request once, with what it was answered, be it that its client left. */
static void test_a_record_says_what_was_answered(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange made = {.status = 0};
    struct fed_http_exchange again = {.status = 0};
    struct fed_http_exchange gone = {.status = 0};

    fed_buf_clear(&w->audited);
    world_send(w, &made, "POST", CM, cm_b);
    world_send(w, &again, "POST", CM, cm_b);
    world_send(w, &gone, "POST", CM, "{\"metadata\":{\"name\":\"c\"}}");
    hub_api_closed(w->api, &gone);
    assert_int_equal(w->audited.len, 0); /* nobody knows yet */
    world_turn(w);
    assert_int_equal(world_audited(w, "\"code\":201"), 2);
    assert_int_equal(world_audited(w, "\"code\":409,\"reason\":\"AlreadyExists\""), 1);
    assert_int_equal(world_audited(w, ""), 3);
    assert_int_equal(world_call(w, "GET", CM "/c", "", NULL), 200);
    fed_buf_fini(&made.body);
    fed_buf_fini(&again.body);
}

static void test_a_record_of_what_was_undone(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange post = {.status = 0};
    struct fed_http_exchange deletion = {.status = 0};
    struct fed_http_exchange gone = {.status = 0};

    make(w, "a", "");
    fed_buf_clear(&w->audited);
    world_send(w, &post, "POST", CM, cm_b);
    world_send(w, &deletion, "DELETE", CM "/a", NULL);
    world_send(w, &gone, "POST", CM, "{\"metadata\":{\"name\":\"c\"}}");
    hub_api_closed(w->api, &gone);
    test_writes_refuse();
    world_turn(w);
    test_writes_allow();
    assert_int_equal(post.status, 500);
    assert_int_equal(deletion.status, 500);
    assert_int_equal(world_audited(w, "\"verb\":\"create\""), 1);
    assert_int_equal(world_audited(w, "\"verb\":\"delete\""), 1);
    assert_int_equal(world_audited(w, "\"code\":500,\"reason\":\"InternalError\""), 2);
    assert_int_equal(world_audited(w, ""), 2); /* none of what was neither stored nor answered */
    fed_buf_fini(&post.body);
    fed_buf_fini(&deletion.body);
}

static void test_a_watch_begins_with_what_is_durable(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange post = {.status = 0};
    struct fed_http_exchange *watch;

    world_send(w, &post, "POST", CM, cm_b);
    watch = world_watch(w, CM "?watch=1");
    assert_int_equal(post.status, 201);
    assert_string_equal(world_events(watch), "ADDED b");
    world_turn(w);
    assert_string_equal(world_events(watch), "");
    fed_buf_fini(&post.body);
    world_unwatch(w, watch);
}

static void test_watch_list_and_end(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange *x;

    make(w, "a", "");
    x = world_watch(w, CM "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
                          "&allowWatchBookmarks=true&timeoutSeconds=90");
    assert_true(world_says(x, "k8s.io/initial-events-end"));
    assert_string_equal(world_events(x), "ADDED a,BOOKMARK");
    assert_int_equal(
        world_call(w, "POST", "/api/v1/namespaces", JSON, "{'metadata':{'name':'other'}}"), 201);
    world_pass(w, 61000);
    assert_string_equal(world_events(x), "BOOKMARK");
    assert_false(x->ended);
    world_pass(w, 30000);
    assert_true(x->ended);
    world_unwatch(w, x);
}

static void test_watch_resumes_after_restart(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange *x;
    char target[128];

    make(w, "a", "");
    snprintf(target, sizeof target, CM "?watch=1&resourceVersion=%s",
        world_at(w, "metadata.resourceVersion"));
    assert_int_equal(world_call(w, "PATCH", CM "/a", MERGE, "{'data':{'k':'2'}}"), 200);
    world_restart(w);
    x = world_watch(w, target);
    assert_string_equal(world_events(x), "MODIFIED a");
    world_unwatch(w, x);
    assert_int_equal(world_call(w, "GET", CM "/a", "", NULL), 200);
    snprintf(target, sizeof target, CM "?watch=1&resourceVersion=%s",
        world_at(w, "metadata.resourceVersion"));
    assert_int_equal(world_call(w, "DELETE", CM "/a", "", NULL), 200);
    world_restart(w);
    x = world_watch(w, target);
    assert_string_equal(world_events(x), "DELETED a");
    world_unwatch(w, x);
}

static void test_watch_too_old(void **state)
{
    struct world *w = *state;
    struct fed_store *store;
    struct fed_http_exchange *x;

    make(w, "a", "");
    world_restart(w);
    store = hub_objects_store(w->objects);
    assert_int_equal(store->compact(store->ctx, hub_objects_revision(w->objects)), FED_OK);
    x = world_watch(w, CM "?watch=1&resourceVersion=1");
    assert_true(world_says(x, "\"code\":410"));
    assert_true(x->ended);
    world_unwatch(w, x);
}

static void test_touches_gather(void **state)
{
    struct world *w = *state;
    struct hub_object_ref ref = {
        FED_SPAN_LIT("configmaps"), FED_SPAN_LIT("default"), FED_SPAN_LIT("a")};
    struct fed_http_exchange *x;

    make(w, "a", "");
    x = world_watch(w, CM "?watch=1");
    assert_string_equal(world_events(x), "ADDED a");
    for (unsigned i = 0; i < 5; i++)
        hub_objects_touch(w->objects, &ref, 100 + i);
    assert_string_equal(world_events(x), "MODIFIED a");
    world_pass(w, 1100);
    assert_true(world_says(x, "\"resourceVersion\":\"104\""));
    assert_string_equal(world_events(x), "MODIFIED a");
    world_pass(w, 5000);
    assert_string_equal(world_events(x), "");
    world_unwatch(w, x);
}

static void test_generation_and_status(void **state)
{
    struct world *w = *state;

    assert_int_equal(
        world_call(w, "POST", FD, JSON,
            "{" FD_HEAD "'metadata':{'name':'d'},'spec':{'template':{'spec':{'replicas':1}}},'"
            "status':{'x':1}}"),
        201);
    assert_string_equal(world_at(w, "metadata.generation"), "1");
    assert_string_equal(world_at(w, "status"), "");
    assert_int_equal(
        world_call(w, "PATCH", FD "/d", MERGE, "{'metadata':{'labels':{'a':'b'}}}"), 200);
    assert_string_equal(world_at(w, "metadata.generation"), "1");
    assert_int_equal(
        world_call(w, "PATCH", FD "/d/status", MERGE,
            "{'spec':{'template':{'spec':{'replicas':9}}},'status':{'observedGeneration':1}}"),
        200);
    assert_string_equal(world_at(w, "status.observedGeneration"), "1");
    assert_string_equal(world_at(w, "spec.template.spec.replicas"), "1");
    assert_int_equal(world_call(w, "PATCH", FD "/d?dryRun=All", MERGE,
                         "{'spec':{'template':{'spec':{'replicas':2}}}}"),
        200);
    assert_string_equal(world_at(w, "metadata.generation"), "2");
    assert_int_equal(world_call(w, "GET", FD "/d", "", NULL), 200);
    assert_string_equal(world_at(w, "metadata.generation"), "1");
    assert_string_equal(world_at(w, "status.observedGeneration"), "1");
}

static void test_finalizers_and_namespaces(void **state)
{
    struct world *w = *state;

    assert_int_equal(
        world_call(w, "POST", "/api/v1/namespaces", JSON, "{'metadata':{'name':'n'}}"), 201);
    assert_string_equal(world_at(w, "status.phase"), "Active");
    assert_int_equal(world_call(w, "POST", "/api/v1/namespaces/n/configmaps", JSON,
                         "{'metadata':{'name':'a','finalizers':['x.io/y']}}"),
        201);
    assert_int_equal(
        world_call(w, "POST", "/api/v1/namespaces/n/configmaps", JSON, "{'metadata':{'name':'b'}}"),
        201);
    assert_int_equal(world_call(w, "DELETE", "/api/v1/namespaces/n", "", NULL), 200);
    assert_string_equal(world_at(w, "status.phase"), "Terminating");
    /* Its content stays for a moment, for a client that goes on to delete that as well. */
    assert_int_equal(world_call(w, "GET", "/api/v1/namespaces/n/configmaps/b", "", NULL), 200);
    world_pass(w, 600);
    assert_int_equal(world_call(w, "GET", "/api/v1/namespaces/n/configmaps/b", "", NULL), 404);
    assert_int_equal(world_call(w, "GET", "/api/v1/namespaces/n/configmaps/a", "", NULL), 200);
    assert_string_not_equal(world_at(w, "metadata.deletionTimestamp"), "");
    assert_int_equal(
        world_call(w, "POST", "/api/v1/namespaces/n/configmaps", JSON, "{'metadata':{'name':'c'}}"),
        403);
    world_restart(w); /* it goes on afterwards */
    world_pass(w, 10);
    assert_int_equal(
        world_call(w, "PATCH", "/api/v1/namespaces/n/configmaps/a", "application/json-patch+json",
            "[{'op':'remove','path':'/metadata/finalizers'}]"),
        200);
    world_pass(w, 600);
    assert_int_equal(world_call(w, "GET", "/api/v1/namespaces/n", "", NULL), 404);
}

#define SHORT(image)                                                                               \
    "{'apiVersion':'types.kubefed.io/v1alpha2','kind':'FederatedDeployment','metadata':{"          \
    "'name':'r'},'spec':{'template':{'metadata':{'labels':{'app':'r'}},"                           \
    "'spec':{'containers':[{'name':'r','image':'" image "'}]}}}}"

static void test_short_form(void **state)
{
    struct world *w = *state;

    assert_int_equal(world_call(w, "POST", FD_SHORT, JSON, SHORT("r:1")), 201);
    assert_int_equal(world_call(w, "GET", FD "/r", "", NULL), 200);
    assert_string_equal(world_at(w, "spec.template"),
        "{\"spec\":{\"replicas\":1,\"selector\":{\"matchLabels\":{\"app\":\"r\"}},\"template\":{"
        "\"metadata\":{\"labels\":"
        "{\"app\":\"r\"}},\"spec\":{\"containers\":[{\"name\":\"r\",\"image\":\"r:1\"}]}}},"
        "\"metadata\":{\"labels\":{\"app\":"
        "\"r\"}}}");
    assert_int_equal(world_call(w, "GET", FD_SHORT "/r", "", NULL), 200);
    assert_string_equal(world_at(w, "spec.template.spec.replicas"), "");
    assert_string_equal(world_at(w, "apiVersion"), "types.kubefed.io/v1alpha2");
    /* kubectl's patch for a changed image in the short form. */
    assert_int_equal(
        world_call(w, "PATCH", FD_SHORT "/r", MERGE,
            "{'spec':{'template':{'spec':{'containers':[{'name':'r','image':'r:2'}]}}}}"),
        200);
    assert_int_equal(world_call(w, "GET", FD "/r", "", NULL), 200);
    assert_true(world_says(&w->last, "r:2"));
    assert_string_equal(world_at(w, "metadata.generation"), "2");
    /* No longer what a short form makes: shown in full, and a short patch still changes the image
     * alone. */
    assert_int_equal(
        world_call(w, "PATCH", FD "/r", MERGE, "{'spec':{'template':{'spec':{'replicas':3}}}}"),
        200);
    assert_int_equal(world_call(w, "GET", FD_SHORT "/r", "", NULL), 200);
    assert_string_equal(world_at(w, "spec.template.spec.replicas"), "3");
    assert_int_equal(
        world_call(w, "PATCH", FD_SHORT "/r", MERGE,
            "{'spec':{'template':{'spec':{'containers':[{'name':'r','image':'r:4'}]}}}}"),
        200);
    assert_int_equal(world_call(w, "GET", FD "/r", "", NULL), 200);
    assert_string_equal(world_at(w, "spec.template.spec.replicas"), "3");
    assert_string_equal(world_at(w, "spec.template.spec.containers"), "");
    assert_true(world_says(&w->last, "r:4"));
}

static void test_types_at_run_time(void **state)
{
    static const char type[] = "{'apiVersion':'core.kubefed.io/"
                               "v1beta1','kind':'FederatedTypeConfig','metadata':{'name':'"
                               "daemonsets.apps'},'spec':{'propagation':'"
                               "Enabled','targetType':{'version':'v1','kind':"
                               "'DaemonSet','scope':'Namespaced'},'federatedType':{'group':'types."
                               "kubefed.io','version':'v1beta1','kind':"
                               "'FederatedDaemonSet','scope':'Namespaced'}}}";
#define TYPES "/apis/core.kubefed.io/v1beta1/namespaces/kube-federation-system/federatedtypeconfigs"
#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define DAEMONS "/apis/types.kubefed.io/v1beta1/federateddaemonsets"
    struct world *w = *state;

    assert_int_equal(world_call(w, "GET", DAEMONS, "", NULL), 404);
    assert_int_equal(world_call(w, "POST", TYPES, JSON, type), 201);
    assert_string_equal(world_at(w, "spec.federatedType.pluralName"), "federateddaemonsets");
    assert_string_equal(world_at(w, "spec.targetType.group"), "apps");
    assert_string_equal(world_at(w, "status.propagationController"), "Running");
    assert_int_equal(world_call(w, "GET", DAEMONS, "", NULL), 200);
    assert_int_equal(world_call(w, "GET", "/apis/types.kubefed.io/v1alpha2", "", NULL), 200);
    assert_true(world_says(&w->last, "\"fds\""));
    world_restart(w);
    assert_int_equal(world_call(w, "GET", DAEMONS, "", NULL), 200);
    /* It is protected while the type is enabled. */
    assert_int_equal(
        world_call(w, "DELETE", CRDS "/federateddaemonsets.types.kubefed.io", "", NULL), 403);
    assert_true(world_says(&w->last, "FederatedTypeConfig daemonsets.apps needs this definition"));
    assert_int_equal(world_call(w, "PATCH", TYPES "/daemonsets.apps", MERGE,
                         "{'spec':{'propagation':'Disabled'}}"),
        200);
    assert_string_equal(world_at(w, "status.propagationController"), "NotRunning");
    /* The definition outlives the config, as with KubeFed. */
    assert_int_equal(world_call(w, "DELETE", TYPES "/daemonsets.apps", "", NULL), 200);
    assert_int_equal(world_call(w, "GET", DAEMONS, "", NULL), 200);
    assert_int_equal(
        world_call(w, "DELETE", CRDS "/federateddaemonsets.types.kubefed.io", "", NULL), 200);
    world_pass(w, 1);
    assert_int_equal(world_call(w, "GET", DAEMONS, "", NULL), 404);
    assert_int_equal(
        world_call(w, "POST", TYPES, JSON,
            "{'apiVersion':'core.kubefed.io/"
            "v1beta1','kind':'FederatedTypeConfig','metadata':{'name':'x'},'spec':{}}"),
        422);
    assert_true(world_says(&w->last, "spec.targetType"));
}

/* A definition and all that comes of it, without a turn of the loop in between. */
static void test_definitions(void **state)
{
    static const char definition[] =
        "{'metadata':{'name':'things.test.example.com'},'spec':{'group':'test.example.com','scope':"
        "'Namespaced','names':{'plural':'things','kind':'Thing','shortNames':['th']},'versions':[{"
        "'name':'v1','served':true,'storage':true,'subresources':{'scale':{'specReplicasPath':"
        "'.spec.n','statusReplicasPath':'.status.n'}},'schema':{'openAPIV3Schema':{'type':'object',"
        "'properties':{'spec':{'type':'object','properties':{'n':{'type':'integer','maximum':5}}},"
        "'status':{'type':'object','properties':{'n':{'type':'integer'}}}}}}}]}}";
#define THINGS "/apis/test.example.com/v1/namespaces/default/things"
    struct world *w = *state;

    assert_int_equal(world_call(w, "GET", THINGS, "", NULL), 404);
    assert_int_equal(world_call(w, "POST", CRDS "?dryRun=All", JSON, definition), 201);
    assert_int_equal(world_call(w, "GET", THINGS, "", NULL), 404);
    assert_int_equal(world_call(w, "POST", CRDS, JSON, definition), 201);
    assert_string_equal(world_at(w, "status.acceptedNames.listKind"), "ThingList");
    assert_true(world_says(&w->last, "\"reason\":\"InitialNamesAccepted\""));
    assert_int_equal(world_call(w, "GET", THINGS, "", NULL), 200);
    assert_int_equal(
        world_call(w, "POST", THINGS, JSON,
            "{'apiVersion':'test.example.com/"
            "v1','kind':'Thing','metadata':{'name':'a','finalizers':['x.io/a']},'spec':{'n':2}}"),
        201);
    assert_int_equal(
        world_call(w, "PATCH", THINGS "/a/scale", MERGE, "{'spec':{'replicas':4}}"), 200);
    assert_string_equal(world_at(w, "kind"), "Scale");
    assert_int_equal(
        world_call(w, "PATCH", THINGS "/a/scale", MERGE, "{'spec':{'replicas':6}}"), 422);
    assert_true(world_says(&w->last, "should be less than or equal to 5"));
    world_restart(w);
    assert_int_equal(world_call(w, "GET", THINGS "/a", "", NULL), 200);
    assert_string_equal(world_at(w, "spec.n"), "4");
    assert_int_equal(world_call(w, "DELETE", CRDS "/things.test.example.com", "", NULL), 200);
    assert_true(world_says(&w->last, "customresourcecleanup.apiextensions.k8s.io"));
    world_pass(w, 1);
    assert_int_equal(
        world_call(w, "POST", THINGS, JSON,
            "{'apiVersion':'test.example.com/v1','kind':'Thing','metadata':{'name':'b'}}"),
        403);
    assert_int_equal(world_call(w, "GET", CRDS "/things.test.example.com", "", NULL), 200);
    assert_true(world_says(&w->last, "InstanceDeletionInProgress"));
    assert_int_equal(
        world_call(w, "PATCH", THINGS "/a", MERGE, "{'metadata':{'finalizers':null}}"), 200);
    world_pass(w, 1);
    assert_int_equal(world_call(w, "GET", CRDS "/things.test.example.com", "", NULL), 404);
    assert_int_equal(world_call(w, "GET", THINGS, "", NULL), 404);
}

/* A name that is taken is refused in the status, and given when it becomes free. */
static void test_definitions_clash(void **state)
{
#define CLASH(plural, kind)                                                                        \
    "{'metadata':{'name':'" plural ".test.example.com'},'spec':{'group':'test.example.com',"       \
    "'scope':'Cluster','names':{'plural':'" plural "','kind':'" kind "','shortNames':['same']},"   \
    "'versions':[{'name':'v1','served':true,'storage':true,'schema':{'openAPIV3Schema':{'type':"   \
    "'object'}}}]}}"
    struct world *w = *state;

    assert_int_equal(world_call(w, "POST", CRDS, JSON, CLASH("ones", "One")), 201);
    assert_int_equal(world_call(w, "POST", CRDS, JSON, CLASH("twos", "Two")), 201);
    assert_true(world_says(&w->last, "ShortNamesConflict"));
    assert_int_equal(world_call(w, "GET", "/apis/test.example.com/v1/twos", "", NULL), 404);
    assert_int_equal(world_call(w, "DELETE", CRDS "/ones.test.example.com", "", NULL), 200);
    world_pass(w, 1);
    assert_int_equal(world_call(w, "GET", "/apis/test.example.com/v1/ones", "", NULL), 404);
    assert_int_equal(world_call(w, "GET", "/apis/test.example.com/v1/twos", "", NULL), 200);
    assert_int_equal(world_call(w, "DELETE", CRDS "/jointokens.fedlet.io", "", NULL), 403);
}

static void test_strategic_patch_of_core_kinds(void **state)
{
    struct world *w = *state;

    make(w, "a", ",'finalizers':['x.io/a']");
    assert_int_equal(world_call(w, "PATCH", CM "/a", "application/strategic-merge-patch+json",
                         "{'metadata':{'finalizers':['x.io/b'],'$setElementOrder/"
                         "finalizers':['x.io/a','x.io/b']},"
                         "'data':{'k':null,'l':'2'}}"),
        200);
    assert_string_equal(world_at(w, "metadata.finalizers"), "[\"x.io/a\",\"x.io/b\"]");
    assert_string_equal(world_at(w, "data"), "{\"l\":\"2\"}");
    assert_int_equal(world_call(w, "PATCH", CM "/a", "application/strategic-merge-patch+json",
                         "{'metadata':{'$deleteFromPrimitiveList/finalizers':['x.io/a']}}"),
        200);
    assert_string_equal(world_at(w, "metadata.finalizers"), "[\"x.io/b\"]");
}

static void test_apply(void **state)
{
    struct world *w = *state;
    static const char config[] =
        "{'apiVersion':'types.kubefed.io/"
        "v1beta1','kind':'FederatedDeployment','spec':{'template':{'a':'1'}}}";
    static const char other[] =
        "{'apiVersion':'types.kubefed.io/"
        "v1beta1','kind':'FederatedDeployment','spec':{'template':{'a':'2'}}}";
#define APPLY "application/apply-patch+yaml"

    assert_int_equal(world_call(w, "PATCH", FD "/x?fieldManager=m", APPLY, config), 201);
    assert_int_equal(world_call(w, "PATCH", FD "/x?fieldManager=m", APPLY, config), 200);
    assert_string_equal(world_at(w, "metadata.generation"), "1");
    assert_int_equal(world_call(w, "PATCH", FD "/x?fieldManager=n", APPLY, other), 409);
    assert_true(world_says(&w->last, "FieldManagerConflict"));
    assert_int_equal(
        world_call(w, "PATCH", FD "/x?fieldManager=n&force=true&dryRun=All", APPLY, other), 200);
    assert_int_equal(world_call(w, "GET", FD "/x", "", NULL), 200);
    assert_string_equal(world_at(w, "spec.template.a"), "1");
    assert_int_equal(world_call(w, "PATCH", FD "/x?fieldManager=n&force=true", APPLY, other), 200);
    assert_string_equal(world_at(w, "spec.template.a"), "2");
}

static void test_protobuf(void **state)
{
    static const uint8_t body[] =
        "k8s\0\x0a\x0f\x0a\x02v1\x12\x09Namespace\x12\x07\x0a\x05\x0a\x03pbn";
    struct world *w = *state;
    struct fed_http_header headers[] = {
        {FED_SPAN_LIT("content-type"), FED_SPAN_LIT("application/vnd.kubernetes.protobuf")}};
    struct fed_http_exchange x = {.request = {.method = FED_SPAN_LIT("POST"),
                                      .path = FED_SPAN_LIT("/api/v1/namespaces"),
                                      .headers = headers,
                                      .n_headers = 1,
                                      .peer = &w->peer}};

    for (size_t len = 0; len < sizeof body; len++) { /* every cut is refused, the whole is taken */
        x.status = 0;
        x.request.body = fed_span_of(body, len);
        fed_buf_init(&x.body, fed_alloc_system(), 65536);
        hub_api_handle(w->api, &x, &x.request);
        world_turn(w);
        assert_int_equal(x.status / 100, len == sizeof body - 1 ? 2 : 4);
        fed_buf_fini(&x.body);
    }
    assert_int_equal(world_call(w, "GET", "/api/v1/namespaces/pbn", "", NULL), 200);
}

static void test_events_count(void **state)
{
    struct world *w = *state;
    struct hub_event event = {.api_version = "v1",
        .kind = "ConfigMap",
        .ns = FED_SPAN_LIT("default"),
        .name = FED_SPAN_LIT("a"),
        .uid = FED_SPAN_LIT("u"),
        .reason = "Tested",
        .message = "it was",
        .component = "test"};

#define EVENTS                                                                                     \
    "/api/v1/namespaces/default/"                                                                  \
    "events?fieldSelector=involvedObject.uid%3Du%2CinvolvedObject.kind%3DConfigMap"
    hub_events_record(w->events, &event);
    world_pass(w, 5000);
    hub_events_record(w->events, &event);
    assert_int_equal(world_call(w, "GET", EVENTS, "", NULL), 200);
    assert_true(world_says(&w->last, "\"count\":2"));
    world_pass(w, 4000000);
    assert_int_equal(world_call(w, "GET", EVENTS, "", NULL), 200);
    assert_string_equal(world_at(w, "items"), "[]");
}

static void test_discovery(void **state)
{
    struct world *w = *state;

    assert_int_equal(world_call(w, "GET", "/apis/", "", NULL), 200);
    assert_string_equal(world_at(w, "kind"), "APIGroupList");
    w->accept =
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    assert_int_equal(world_call(w, "GET", "/apis?timeout=32s", "", NULL), 200);
    assert_string_equal(w->last.content_type,
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    assert_true(world_says(&w->last, "\"shortNames\":[\"fdeploy\"]"));
    w->accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    assert_int_equal(world_call(w, "GET", "/openapi/v2", "", NULL), 200);
    assert_int_equal(w->last.body.len, 18);
    w->accept = "application/json";
    assert_int_equal(
        world_call(w, "GET", "/openapi/v3/apis/types.kubefed.io/v1beta1", "", NULL), 200);
    assert_true(world_says(&w->last, "\"name\":\"fieldValidation\""));
    assert_int_equal(world_call(w, "GET", "/openapi/v3/apis/none/v1", "", NULL), 404);
}

/* ---- the text of an answer ---- */
static void test_texts(void **state)
{
    struct world *w = *state;

    make(w, "a", ",'labels':{'x':'yes'}");
    w->accept = "application/yaml";
    assert_int_equal(world_call(w, "GET", CM "/a", "", NULL), 200);
    assert_string_equal(w->last.content_type, "application/yaml");
    assert_true(world_says(&w->last, "apiVersion: v1\ndata:\n  k: \"1\"\nkind: ConfigMap\n"));
    assert_true(world_says(&w->last, "  labels:\n    x: \"yes\"\n"));
    assert_int_equal(world_call(w, "GET", CM, "", NULL), 200);
    assert_true(world_says(&w->last, "\nitems:\n- data:\n    k: \"1\"\n  metadata:\n"));
    assert_int_equal(world_call(w, "GET", CM "/none", "", NULL), 404);
    assert_true(world_says(&w->last, "\nmessage: configmaps \"none\" not found\n"));
    assert_int_equal(world_call(w, "GET", CM "?watch=1", "", NULL), 406);
    assert_true(world_says(&w->last, "application/json;stream=watch"));
    w->accept = "application/json;q=0.5, application/yaml";
    assert_int_equal(world_call(w, "GET", "/api/v1", "", NULL), 200);
    assert_true(world_says(&w->last, "groupVersion: v1\nkind: APIResourceList\n"));
    w->accept = "application/json";
    assert_int_equal(world_call(w, "GET", CM "/a?pretty=true", "", NULL), 200);
    assert_true(world_says(&w->last, "\n  \"kind\": \"ConfigMap\",\n"));
    assert_int_equal(world_call(w, "GET", CM "?pretty=0", "", NULL), 200);
    assert_true(world_says(&w->last, "\"kind\":\"ConfigMapList\""));
}

/* More than is written as YAML: the client is told what to do instead, and writes still work. */
static void test_yaml_is_limited(void **state)
{
    static const char head[] =
        "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
        "\"big%d\"},\"data\":{\"k\":\"";
    struct world *w = *state;
    struct fed_http_exchange x;
    char body[10200];

    for (int i = 0; i < 900; i++) {
        int n = snprintf(body, sizeof body, head, i);

        memset(body + n, 'x', 10000);
        snprintf(body + n + 10000, sizeof body - (size_t)n - 10000, "\"}}");
        world_send(w, &x, "POST", CM, body);
        world_turn(w);
        assert_int_equal(x.status, 201);
        fed_buf_fini(&x.body);
    }
    w->accept = "application/yaml";
    assert_int_equal(world_call(w, "GET", CM, "", NULL), 413);
    assert_true(world_says(&w->last, "ask for fewer objects with limit=, or for JSON"));
    assert_int_equal(world_call(w, "GET", CM "?limit=2", "", NULL), 200);
}

/* ---- timeout= ---- */
static uint64_t ticks_us;
static uint64_t ticking(void *ctx)
{
    (void)ctx;
    return ticks_us += 1000;
}

static void test_timeout(void **state)
{
    struct world *w = *state;

    assert_int_equal(world_call(w, "GET", CM "?timeout=x", "", NULL), 400);
    assert_string_equal(world_at(w, "message"),
        "invalid timeout specified in the request URL - time: invalid duration \"x\"");
    assert_int_equal(world_call(w, "GET", CM "?timeout=5q", "", NULL), 400);
    assert_true(world_says(&w->last, "unknown unit \\\"q\\\" in duration \\\"5q\\\""));
    w->loop.clock_us = ticking;
    assert_int_equal(world_call(w, "GET", CM "?timeout=32s", "", NULL), 200);
    assert_int_equal(world_call(w, "GET", CM "?timeout=0", "", NULL), 200);
    assert_int_equal(world_call(w, "GET", CM "?timeout=500us", "", NULL), 504);
    assert_string_equal(
        world_at(w, "message"), "Timeout: request did not complete within the allotted timeout");
}

/* ---- /metrics ---- */
static void test_metrics(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange *x;

    make(w, "a", "");
    make(w, "b", "");
    assert_int_equal(world_call(w, "GET", CM "/none", "", NULL), 404);
    assert_int_equal(world_call(w, "GET", "/api/v1/namespaces/default/zorks/x/y", "", NULL), 404);
    x = world_watch(w, CM "?watch=1");
    assert_int_equal(world_call(w, "GET", "/metrics", "", NULL), 200);
    assert_string_equal(w->last.content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert_true(world_says(&w->last, "\napiserver_request_total{code=\"201\",group=\"\",resource="
                                     "\"configmaps\",subresource=\"\","
                                     "verb=\"POST\",version=\"v1\"} 2\n"));
    assert_true(world_says(&w->last,
        "{code=\"404\",group=\"\",resource=\"configmaps\",subresource=\"\",verb=\"GET\","
        "version=\"v1\"} 1\n"));
    assert_true(world_says(
        &w->last, "\napiserver_request_duration_seconds_bucket{verb=\"POST\",le=\"0.005\"} 2\n"));
    assert_true(world_says(&w->last, "\napiserver_longrunning_requests{verb=\"WATCH\"} 1\n"));
    assert_false(world_says(&w->last, "zorks")); /* a client makes no series */
    world_unwatch(w, x);
    w->peer.common_name[0] = 0;
    assert_int_equal(world_call(w, "GET", "/metrics", "", NULL), 401);
}

/* ---- objects that are older than their schema ---- */
#define MOVED "/apis/test.example.com/v1/namespaces/default/moved"
#define MOVED_CRD CRDS "/moved.test.example.com"
#define MOVED_SCHEMA(properties)                                                                   \
    "'schema':{'openAPIV3Schema':{'type':'object','properties':{'spec':{'type':'object',"          \
    "'properties':{" properties "}}}}}"
#define MOVED_VERSIONS(properties)                                                                 \
    "'versions':[{'name':'v1','served':true,'storage':true," MOVED_SCHEMA(properties) "}]"
#define MOVED_HEAD "'apiVersion':'test.example.com/v1','kind':'Moved',"

static void test_schema_moves(void **state)
{
    static const char definition[] =
        "{'metadata':{'name':'moved.test.example.com'},'spec':{'group':'test.example.com','scope':"
        "'Namespaced','names':{'plural':'moved','kind':'Moved'}," MOVED_VERSIONS(
            "'old':{'type':'string'},'n':{'type':'integer'}") "}}";
    static const char after[] = "{'spec':{" MOVED_VERSIONS(
        "'n':{'type':'integer'},'m':{'type':'integer','default':7}") "}}";
    struct world *w = *state;
    struct fed_http_exchange *x;
    char revision[32];

    assert_int_equal(world_call(w, "POST", CRDS, JSON, definition), 201);
    assert_int_equal(world_call(w, "POST", MOVED, JSON,
                         "{" MOVED_HEAD "'metadata':{'name':'a'},'spec':{'n':1,'old':'x'}}"),
        201);
    snprintf(revision, sizeof revision, "%s", world_at(w, "metadata.resourceVersion"));
    assert_int_equal(world_call(w, "PATCH", MOVED_CRD, MERGE, after), 200);
    for (int i = 0; i < 2; i++) { /* as well by a process that did not see the schema move */
        assert_int_equal(world_call(w, "GET", MOVED "/a", "", NULL), 200);
        assert_string_equal(world_at(w, "spec"), "{\"n\":1,\"m\":7}");
        assert_string_equal(world_at(w, "metadata.resourceVersion"), revision);
        assert_int_equal(world_call(w, "GET", MOVED, "", NULL), 200);
        assert_true(world_says(&w->last, "\"spec\":{\"n\":1,\"m\":7}"));
        x = world_watch(w, MOVED "?watch=1");
        assert_true(world_says(x, "\"spec\":{\"n\":1,\"m\":7}"));
        world_unwatch(w, x);
        world_restart(w);
    }
    /* Of what is shown already nobody becomes the owner, and it is no change of the spec. */
    assert_int_equal(
        world_call(w, "PATCH", MOVED "/a", MERGE, "{'metadata':{'labels':{'x':'1'}}}"), 200);
    assert_string_equal(world_at(w, "metadata.generation"), "1");
    assert_false(world_says(&w->last, "\"f:m\""));
    /* Replaced as it is shown, it is stored as it is shown. */
    assert_int_equal(world_call(w, "POST", MOVED, JSON,
                         "{" MOVED_HEAD "'metadata':{'name':'b'},'spec':{'n':1}}"),
        201);
    assert_string_equal(world_at(w, "spec"), "{\"n\":1,\"m\":7}");
    x = world_watch(w, MOVED "?watch=1");
    (void)world_events(x);
    assert_int_equal(world_call(w, "DELETE", MOVED "/a", "", NULL), 200);
    assert_true(world_says(x, "\"m\":7"));
    world_unwatch(w, x);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_object_life),
        CASE(test_refusals),
        CASE(test_unknown_fields_warn),
        CASE(test_who_may),
        CASE(test_pages_and_selectors),
        CASE(test_label_index),
        CASE(test_table),
        CASE(test_watch),
        CASE(test_pages_show_one_state),
        CASE(test_a_page_of_a_forgotten_state),
        CASE(test_pages_that_are_refused),
        CASE(test_answers_wait_for_the_sync),
        CASE(test_a_sync_that_fails_undoes_the_turn),
        CASE(test_a_record_says_what_was_answered),
        CASE(test_a_record_of_what_was_undone),
        CASE(test_a_watch_begins_with_what_is_durable),
        CASE(test_watch_list_and_end),
        CASE(test_watch_resumes_after_restart),
        CASE(test_watch_too_old),
        CASE(test_touches_gather),
        CASE(test_generation_and_status),
        CASE(test_finalizers_and_namespaces),
        CASE(test_short_form),
        CASE(test_types_at_run_time),
        CASE(test_definitions),
        CASE(test_definitions_clash),
        CASE(test_texts),
        CASE(test_yaml_is_limited),
        CASE(test_timeout),
        CASE(test_schema_moves),
        CASE(test_metrics),
        CASE(test_strategic_patch_of_core_kinds),
        CASE(test_apply),
        CASE(test_protobuf),
        CASE(test_events_count),
        CASE(test_discovery),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
