/* hub_api_types_test.c - kinds that come and go at run time: federated types, definitions, schemas
 * that move. */
#include "hub_api_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
    assert_int_equal(world_call(w, "GET", DAEMONS, "", NULL), 200);
    /* The definition of a stopped type may go before or after its config, and does not come back.
     */
    assert_int_equal(
        world_call(w, "DELETE", CRDS "/federateddaemonsets.types.kubefed.io", "", NULL), 200);
    world_pass(w, 1);
    assert_int_equal(world_call(w, "GET", DAEMONS, "", NULL), 404);
    assert_int_equal(world_call(w, "PATCH", TYPES "/daemonsets.apps", MERGE,
                         "{'metadata':{'labels':{'a':'b'}}}"),
        200);
    world_restart(w);
    assert_int_equal(world_call(w, "GET", DAEMONS, "", NULL), 404);
    assert_int_equal(world_call(w, "PATCH", TYPES "/daemonsets.apps", MERGE,
                         "{'spec':{'propagation':'Enabled'}}"),
        200);
    assert_int_equal(world_call(w, "GET", DAEMONS, "", NULL), 200);
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
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_short_form),
        CASE(test_types_at_run_time),
        CASE(test_definitions),
        CASE(test_definitions_clash),
        CASE(test_schema_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
