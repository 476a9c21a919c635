/* hub_owners_test.c - garbage collection: what goes with its owners, what waits, what stays. */
#include "hub_api_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OTHER "/api/v1/namespaces/other/configmaps"
#define ROLES "/apis/rbac.authorization.k8s.io/v1/clusterroles"
#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define WHILE_MS 20000u /* several of the collector's retries */

static int setup(void **state)
{
    int failed = world_setup(state);

    world_must(*state, 201, "POST", "/api/v1/namespaces", JSON, "{'metadata':{'name':'other'}}");
    return failed;
}

static unsigned there(struct world *w, const char *target)
{
    return world_call(w, "GET", target, "", NULL);
}

/* Makes an object; more is more of its metadata. uid: of 64 bytes, or NULL. */
static void make(struct world *w, const char *target, const char *name, const char *more, char *uid)
{
    char body[2048];

    snprintf(body, sizeof body, "{'metadata':{'name':'%s'%s}}", name, more);
    world_must(w, 201, "POST", target, JSON, body);
    if (uid)
        snprintf(uid, 64, "%s", world_at(w, "metadata.uid"));
}

/* One reference to a ConfigMap, for `more`. */
static const char *owned(const char *name, const char *uid, bool blocks)
{
    static char out[512];

    snprintf(out, sizeof out,
        ",'ownerReferences':[{'apiVersion':'v1','kind':'ConfigMap','name':'%s','uid':'%s',"
        "'blockOwnerDeletion':%s}]",
        name, uid, blocks ? "true" : "false");
    return out;
}

static const char *held(const char *references)
{
    static char out[640];

    snprintf(out, sizeof out, "%s,'finalizers':['example.com/hold']", references);
    return out;
}

static void delete_as(struct world *w, const char *target, const char *policy)
{
    char body[96];

    snprintf(body, sizeof body, "{'propagationPolicy':'%s'}", policy);
    world_must(w, 200, "DELETE", target, JSON, body);
}

static void let_go(struct world *w, const char *target)
{
    world_must(w, 200, "PATCH", target, MERGE, "{'metadata':{'finalizers':null}}");
}

/* The owner goes at once, what it owned behind it, and what that owned. */
static void background(void **state)
{
    struct world *w = *state;
    char a[64];
    char b[64];

    make(w, CM, "a", "", a);
    make(w, CM, "b", owned("a", a, true), b);
    make(w, CM, "c", owned("b", b, false), NULL);
    make(w, CM, "d", "", NULL);
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/b"), 200);
    delete_as(w, CM "/a", "Background");
    assert_int_equal(there(w, CM "/a"), 404);
    assert_int_equal(there(w, CM "/b"), 200);
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/b"), 404);
    assert_int_equal(there(w, CM "/c"), 404);
    assert_int_equal(there(w, CM "/d"), 200);
}

/* The owner stays until the dependents that block it are gone, each with its own. */
static void foreground(void **state)
{
    struct world *w = *state;
    char a[64];
    char b[64];

    make(w, CM, "a", "", a);
    make(w, CM, "b", owned("a", a, true), b);
    make(w, CM, "c", held(owned("b", b, true)), NULL);
    delete_as(w, CM "/a", "Foreground");
    assert_string_equal(world_at(w, "metadata.finalizers"), "[\"foregroundDeletion\"]");
    assert_int_not_equal(strlen(world_at(w, "metadata.deletionTimestamp")), 0);
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/a"), 200);
    assert_int_equal(there(w, CM "/b"), 200);
    assert_string_equal(world_at(w, "metadata.finalizers"), "[\"foregroundDeletion\"]");
    assert_int_equal(there(w, CM "/c"), 200);
    assert_int_not_equal(strlen(world_at(w, "metadata.deletionTimestamp")), 0);
    let_go(w, CM "/c");
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/c"), 404);
    assert_int_equal(there(w, CM "/b"), 404);
    assert_int_equal(there(w, CM "/a"), 404);
}

/* Without blockOwnerDeletion nobody waits; the dependent goes all the same. */
static void foreground_without_blocking(void **state)
{
    struct world *w = *state;
    char a[64];

    make(w, CM, "a", "", a);
    make(w, CM, "b", held(owned("a", a, false)), NULL);
    delete_as(w, CM "/a", "Foreground");
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/a"), 404);
    assert_int_equal(there(w, CM "/b"), 200);
    assert_int_not_equal(strlen(world_at(w, "metadata.deletionTimestamp")), 0);
    let_go(w, CM "/b");
    assert_int_equal(there(w, CM "/b"), 404);
}

/* A dependent that comes when the owner is on its way out is waited for as well. */
static void foreground_while_dependents_come(void **state)
{
    struct world *w = *state;
    char a[64];

    make(w, CM, "a", "", a);
    make(w, CM, "b", held(owned("a", a, true)), NULL);
    delete_as(w, CM "/a", "Foreground");
    world_pass(w, WHILE_MS);
    make(w, CM, "late", held(owned("a", a, true)), NULL);
    let_go(w, CM "/b");
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/b"), 404);
    assert_int_equal(there(w, CM "/a"), 200);
    assert_int_equal(there(w, CM "/late"), 200);
    assert_int_not_equal(strlen(world_at(w, "metadata.deletionTimestamp")), 0);
    let_go(w, CM "/late");
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/a"), 404);
}

static void orphan(void **state)
{
    static const char *const bodies[] = {
        "{'propagationPolicy':'Orphan'}", "{'orphanDependents':true}"};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char a[64];

        make(w, CM, "a", "", a);
        make(w, CM, "b", owned("a", a, true), NULL);
        world_must(w, 200, "DELETE", CM "/a", JSON, bodies[i]);
        world_pass(w, WHILE_MS);
        assert_int_equal(there(w, CM "/a"), 404);
        assert_int_equal(there(w, CM "/b"), 200);
        assert_string_equal(world_at(w, "metadata.ownerReferences"), "");
        assert_string_equal(world_at(w, "metadata.deletionTimestamp"), "");
        delete_as(w, CM "/b", "Background");
    }
}

/* Of two owners one is enough; the reference to the one that is gone is taken away. */
static void one_of_two_owners(void **state)
{
    struct world *w = *state;
    char a[64];
    char b[64];
    char two[1024];

    make(w, CM, "a", "", a);
    make(w, CM, "b", "", b);
    snprintf(two, sizeof two,
        ",'ownerReferences':[{'apiVersion':'v1','kind':'ConfigMap','name':'a','uid':'%s'},"
        "{'apiVersion':'v1','kind':'ConfigMap','name':'b','uid':'%s'}]",
        a, b);
    make(w, CM, "c", two, NULL);
    delete_as(w, CM "/a", "Background");
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/c"), 200);
    assert_true(world_says(&w->last, b));
    assert_false(world_says(&w->last, a));
    delete_as(w, CM "/b", "Background");
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/c"), 404);
}

/* An owner is there when it has the name and the uid: another object of that name is not it. */
static void absent_owners(void **state)
{
    struct world *w = *state;
    char a[64];
    char b[64];

    make(w, CM, "a", "", a);
    make(w, CM, "nobody", owned("was-never", "6d7f1e6a-0000-4000-8000-000000000000", true), NULL);
    make(w, CM, "mistaken", owned("a", "6d7f1e6a-0000-4000-8000-000000000001", true), NULL);
    make(w, CM, "right", owned("a", a, true), NULL);
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/nobody"), 404);
    assert_int_equal(there(w, CM "/mistaken"), 404);
    assert_int_equal(there(w, CM "/right"), 200);
    /* Deleted and made anew before the collector looks. */
    delete_as(w, CM "/a", "Background");
    make(w, CM, "a", "", b);
    assert_string_not_equal(a, b);
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/right"), 404);
    assert_int_equal(there(w, CM "/a"), 200);
}

/* Namespaced owners are looked for in the namespace of the dependent. */
static void owners_in_another_namespace(void **state)
{
    struct world *w = *state;
    char a[64];

    make(w, CM, "a", "", a);
    make(w, OTHER, "b", owned("a", a, true), NULL);
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, OTHER "/b"), 404);
    assert_int_equal(there(w, CM "/a"), 200);
}

static const char *owned_by_role(const char *name, const char *uid)
{
    static char out[512];

    snprintf(out, sizeof out,
        ",'ownerReferences':[{'apiVersion':'rbac.authorization.k8s.io/v1','kind':'ClusterRole',"
        "'name':'%s','uid':'%s'}]",
        name, uid);
    return out;
}

/* A cluster-scoped object may own what is in namespaces, not the other way round. */
static void cluster_scoped(void **state)
{
    struct world *w = *state;
    char role[64];
    char a[64];

    make(w, ROLES, "owner", "", role);
    make(w, CM, "b", owned_by_role("owner", role), NULL);
    make(w, OTHER, "b", owned_by_role("owner", role), NULL);
    make(w, ROLES, "c", owned_by_role("owner", role), NULL);
    make(w, CM, "a", "", a);
    make(w, ROLES, "odd", owned("a", a, true), NULL);
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, OTHER "/b"), 200);
    delete_as(w, ROLES "/owner", "Background");
    delete_as(w, CM "/a", "Background");
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/b"), 404);
    assert_int_equal(there(w, OTHER "/b"), 404);
    assert_int_equal(there(w, ROLES "/c"), 404);
    assert_int_equal(there(w, ROLES "/odd"), 200); /* its owner can never be looked for */
}

static void own(struct world *w, const char *target, const char *name, const char *uid)
{
    char body[640];

    snprintf(body, sizeof body, "{'metadata':{%s}}", owned(name, uid, true) + 1);
    world_must(w, 200, "PATCH", target, MERGE, body);
}

/* Two that own each other stay until one is deleted; waiting for each other is no way to stay. */
static void cycles(void **state)
{
    static const char *const policies[] = {"Background", "Foreground"};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        char a[64];
        char b[64];
        char c[64];

        make(w, CM, "a", "", a);
        make(w, CM, "b", owned("a", a, true), b);
        make(w, CM, "c", owned("b", b, true), c);
        own(w, CM "/a", "c", c);
        world_pass(w, WHILE_MS);
        assert_int_equal(there(w, CM "/a"), 200);
        assert_int_equal(there(w, CM "/b"), 200);
        delete_as(w, CM "/a", policies[i]);
        world_pass(w, 10 * WHILE_MS);
        assert_int_equal(there(w, CM "/a"), 404);
        assert_int_equal(there(w, CM "/b"), 404);
        assert_int_equal(there(w, CM "/c"), 404);
    }
}

/* Each is deleted in the foreground by its user, so that each waits for the next one. */
static void a_cycle_that_waits(void **state)
{
    struct world *w = *state;
    char a[64];
    char b[64];
    char c[64];
    char d[64];

    make(w, CM, "a", "", a);
    make(w, CM, "b", owned("a", a, true), b);
    make(w, CM, "c", owned("b", b, true), c);
    own(w, CM "/a", "c", c);
    make(w, CM, "d", owned("c", c, true), d);
    make(w, CM, "e", held(owned("d", d, true)), NULL);
    delete_as(w, CM "/d", "Foreground");
    delete_as(w, CM "/a", "Foreground");
    delete_as(w, CM "/b", "Foreground");
    delete_as(w, CM "/c", "Foreground");
    world_pass(w, WHILE_MS);
    /* What hangs on the cycle is waited for, the cycle is not. */
    assert_int_equal(there(w, CM "/d"), 200);
    assert_int_equal(there(w, CM "/c"), 200);
    let_go(w, CM "/e");
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/a"), 404);
    assert_int_equal(there(w, CM "/b"), 404);
    assert_int_equal(there(w, CM "/c"), 404);
    assert_int_equal(there(w, CM "/d"), 404);
}

static void its_own_owner(void **state)
{
    static const char *const policies[] = {"Background", "Foreground", "Orphan"};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        char a[64];

        make(w, CM, "a", "", a);
        own(w, CM "/a", "a", a);
        world_pass(w, WHILE_MS);
        assert_int_equal(there(w, CM "/a"), 200);
        delete_as(w, CM "/a", policies[i]);
        world_pass(w, 10 * WHILE_MS);
        assert_int_equal(there(w, CM "/a"), 404);
    }
}

/* The deletion and a new dependent in one turn of the loop: neither knows of the other. */
static void deleted_while_dependents_come(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange deletion = {.status = 0};
    struct fed_http_exchange creation = {.status = 0};
    char a[64];
    char body[512];

    make(w, CM, "a", "", a);
    snprintf(body, sizeof body,
        "{\"metadata\":{\"name\":\"b\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":"
        "\"ConfigMap\",\"name\":\"a\",\"uid\":\"%s\"}]}}",
        a);
    world_send(w, &deletion, "DELETE", CM "/a", NULL);
    world_send(w, &creation, "POST", CM, body);
    world_turn(w);
    assert_int_equal(deletion.status, 200);
    assert_int_equal(creation.status, 201);
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/b"), 404);
    fed_buf_fini(&deletion.body);
    fed_buf_fini(&creation.body);
}

/* Nothing of a dry run is there afterwards, and nobody is collected for it. */
static void dry_run(void **state)
{
    static const char *const policies[] = {"Background", "Foreground", "Orphan"};
    struct world *w = *state;
    char a[64];
    char version[32];
    char body[640];

    make(w, CM, "a", "", a);
    make(w, CM, "b", owned("a", a, true), NULL);
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/b"), 200);
    snprintf(version, sizeof version, "%s", world_at(w, "metadata.resourceVersion"));
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        snprintf(body, sizeof body, "{'propagationPolicy':'%s','dryRun':['All']}", policies[i]);
        world_must(w, 200, "DELETE", CM "/a", JSON, body);
        world_pass(w, WHILE_MS);
        assert_int_equal(there(w, CM "/a"), 200);
        assert_string_equal(world_at(w, "metadata.deletionTimestamp"), "");
        assert_string_equal(world_at(w, "metadata.finalizers"), "");
        assert_int_equal(there(w, CM "/b"), 200);
        assert_string_equal(world_at(w, "metadata.resourceVersion"), version);
    }
    snprintf(body, sizeof body, "{'metadata':{'name':'c'%s}}",
        owned("was-never", "6d7f1e6a-0000-4000-8000-000000000000", true));
    world_must(w, 201, "POST", CM "?dryRun=All", JSON, body);
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/c"), 404);
}

/* What was due when the hub stopped is done when it starts again, and the index is made anew. */
static void after_a_restart(void **state)
{
    struct world *w = *state;
    char a[64];
    char b[64];

    make(w, CM, "a", "", a);
    make(w, CM, "of-a", owned("a", a, true), NULL);
    make(w, CM, "b", "", b);
    make(w, CM, "of-b", held(owned("b", b, true)), NULL);
    world_pass(w, WHILE_MS);
    delete_as(w, CM "/b", "Foreground");
    delete_as(w, CM "/a", "Background");
    world_restart(w);
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/of-a"), 404);
    assert_int_equal(there(w, CM "/b"), 200);
    let_go(w, CM "/of-b");
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/b"), 404);
}

/* An owner of a kind that nobody knows may be there: its dependents stay, until the kind is known
 * and the owner is not. */
static void owners_of_unknown_kinds(void **state)
{
    struct world *w = *state;

    make(w, CM, "b",
        ",'ownerReferences':[{'apiVersion':'example.com/v1','kind':'Gadget','name':'g','uid':'"
        "6d7f1e6a-0000-4000-8000-000000000000'}]",
        NULL);
    world_pass(w, 10 * WHILE_MS);
    assert_int_equal(there(w, CM "/b"), 200);
    world_must(w, 201, "POST", CRDS, JSON,
        "{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition','metadata':{"
        "'name':'gadgets.example.com'},'spec':{'group':'example.com','scope':'Namespaced','names':{"
        "'plural':'gadgets','kind':'Gadget'},'versions':[{'name':'v1','served':true,'storage':true,"
        "'schema':{'openAPIV3Schema':{'type':'object'}}}]}}");
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, CM "/b"), 404);
}

/* A list that custom objects have in their spec by the name of that of namespaces is nobody's
 * business: they go with the last finalizer of their metadata. */
static void finalizers_of_their_own(void **state)
{
    static const char gadgets[] = "/apis/example.com/v1/namespaces/default/gadgets";
    static const char gadget[] =
        "{'apiVersion':'example.com/v1','kind':'Gadget','metadata':{'name':'g','finalizers':["
        "'example.com/hold']},'spec':{'finalizers':['mine']}}";
    struct world *w = *state;
    char target[128];

    world_must(w, 201, "POST", CRDS, JSON,
        "{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition','metadata':{"
        "'name':'gadgets.example.com'},'spec':{'group':'example.com','scope':'Namespaced','names':{"
        "'plural':'gadgets','kind':'Gadget'},'versions':[{'name':'v1','served':true,'storage':true,"
        "'schema':{'openAPIV3Schema':{'type':'object','x-kubernetes-preserve-unknown-fields':true}}"
        "}]}}");
    snprintf(target, sizeof target, "%s/g", gadgets);
    world_must(w, 201, "POST", gadgets, JSON, gadget);
    world_must(w, 200, "DELETE", target, "", NULL);
    let_go(w, target);
    assert_int_equal(there(w, target), 404);
    world_must(w, 201, "POST", gadgets, JSON, gadget);
    let_go(w, target);
    delete_as(w, target, "Foreground");
    world_pass(w, WHILE_MS);
    assert_int_equal(there(w, target), 404);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(background),
        TEST(foreground),
        TEST(foreground_without_blocking),
        TEST(foreground_while_dependents_come),
        TEST(orphan),
        TEST(one_of_two_owners),
        TEST(absent_owners),
        TEST(owners_in_another_namespace),
        TEST(cluster_scoped),
        TEST(cycles),
        TEST(finalizers_of_their_own),
        TEST(a_cycle_that_waits),
        TEST(its_own_owner),
        TEST(deleted_while_dependents_come),
        TEST(dry_run),
        TEST(after_a_restart),
        TEST(owners_of_unknown_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
