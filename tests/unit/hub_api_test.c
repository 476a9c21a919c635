/* hub_api_test.c - the API as clients meet it: verbs, refusals, forms, patches, deletion. */
#include "hub_api_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_object_life(void **state)
{
    struct world *w = *state;
    char revision[32];

    world_make(w, "a", "");
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
    /* A header takes no control characters, and the whole answer would go with it. */
    assert_int_equal(
        world_call(w, "POST", CM, JSON, "{'metadata':{'name':'b'},'z\\u0001o\x7fk':1}"), 201);
    assert_string_equal(w->last.warning, "299 - \"unknown field \\\"z o k\\\"\"");
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

static void test_table(void **state)
{
    struct world *w = *state;

    world_make(w, "a", "");
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

static void test_strategic_patch_of_core_kinds(void **state)
{
    struct world *w = *state;

    world_make(w, "a", ",'finalizers':['x.io/a']");
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

    world_make(w, "a", ",'labels':{'x':'yes'}");
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

    world_make(w, "a", "");
    world_make(w, "b", "");
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

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_object_life),
        CASE(test_refusals),
        CASE(test_unknown_fields_warn),
        CASE(test_who_may),
        CASE(test_table),
        CASE(test_generation_and_status),
        CASE(test_finalizers_and_namespaces),
        CASE(test_texts),
        CASE(test_yaml_is_limited),
        CASE(test_timeout),
        CASE(test_metrics),
        CASE(test_strategic_patch_of_core_kinds),
        CASE(test_apply),
        CASE(test_protobuf),
        CASE(test_events_count),
        CASE(test_discovery),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
