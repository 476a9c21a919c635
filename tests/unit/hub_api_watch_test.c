/* hub_api_watch_test.c - watches: what they begin with, send and end with; and pages of lists. */
#include "hub_api_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char cm_b[] = "{\"metadata\":{\"name\":\"b\"}}";

static void test_pages_and_selectors(void **state)
{
    struct world *w = *state;
    char target[512];

    world_make(w, "a", ",'labels':{'app':'web'}");
    world_make(w, "b", ",'labels':{'app':'db'}");
    world_make(w, "c", ",'labels':{'app':'web'}");
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

/* Names of roles may hold what JSON escapes: the page behind one is found all the same. */
static void test_pages_behind_any_name(void **state)
{
    static const char *const names[] = {"a\\\"b", "a\\\\c", "a\\u0001d"};
    static const char path[] = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    struct world *w = *state;
    char text[512];

    for (size_t i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "{\"metadata\":{\"name\":\"%s\"},\"rules\":[]}", names[i]);
        world_must(w, 201, "POST", path, JSON, text);
    }
    snprintf(text, sizeof text, "%s?limit=1", path);
    for (unsigned left = 64; left > 0; left--) {
        assert_int_equal(world_call(w, "GET", text, "", NULL), 200);
        if (!world_at(w, "metadata.continue")[0])
            return;
        snprintf(
            text, sizeof text, "%s?limit=1&continue=%s", path, world_at(w, "metadata.continue"));
    }
    fail_msg("the pages have no end");
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

    world_make(w, "o0", ",'labels':{'g':'0'}");
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

static void test_watch(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange *all;
    struct fed_http_exchange *labelled;
    struct fed_http_exchange *since;
    char target[128];

    world_make(w, "a", "");
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
    world_make(w, "b", "");
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
        world_make(w, name, "");
    assert_int_equal(world_call(w, "GET", CM "?limit=2", "", NULL), 200);
    assert_string_equal(names(w), "a b");
    assert_string_equal(world_at(w, "metadata.remainingItemCount"), "4");
    snprintf(revision, sizeof revision, "%s", world_at(w, "metadata.resourceVersion"));
    snprintf(token, sizeof token, "%s", world_at(w, "metadata.continue"));
    assert_int_equal(world_call(w, "DELETE", CM "/c", "", NULL), 200);
    assert_int_equal(world_call(w, "PATCH", CM "/d", MERGE, "{'data':{'k':'2'}}"), 200);
    world_make(w, "bb", "");
    world_make(w, "z", "");
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
        world_make(w, name, "");
    assert_int_equal(world_call(w, "GET", "/api/v1/configmaps?limit=2", "", NULL), 200);
    snprintf(target, sizeof target, "/api/v1/configmaps?limit=9&continue=%s",
        world_at(w, "metadata.continue"));
    world_make(w, "cc", "");
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

    world_make(w, "a", "");
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

    world_make(w, "a", "");
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

    world_make(w, "a", "");
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

    world_make(w, "a", "");
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

/* ---- what is composed, and comes late ---- */
static uint64_t composed_a;
static uint64_t composed_b;

static enum fed_err compose(void *ctx, const struct hub_object_ref *ref, struct fed_json_doc *doc,
    struct fed_json *object, uint64_t *revision)
{
    uint64_t composed = fed_span_is(ref->name, "a")   ? composed_a
                        : fed_span_is(ref->name, "b") ? composed_b
                                                      : 0;

    (void)ctx;
    (void)doc;
    (void)object;
    if (composed > *revision)
        *revision = composed;
    return FED_OK;
}

/* ConfigMaps a and b, of which a part is composed. */
static void make_composed(struct world *w)
{
    const struct hub_kind_hooks hooks = {.compose = compose};

    composed_a = composed_b = 0;
    assert_int_equal(hub_kinds_hook(w->kinds, "", "configmaps", &hooks), FED_OK);
    world_make(w, "a", "");
    world_make(w, "b", "");
}

/* The store goes on by something that nobody watches. */
static uint64_t move_on(struct world *w)
{
    static unsigned n;
    char body[64];

    snprintf(body, sizeof body, "{'metadata':{'labels':{'n':'%u'}}}", n++);
    world_must(w, 200, "PATCH", "/api/v1/namespaces/default", MERGE, body);
    return hub_objects_revision(w->objects);
}

static uint64_t change_b(struct world *w)
{
    static unsigned n;
    char body[64];

    snprintf(body, sizeof body, "{'data':{'k':'b%u'}}", n++);
    world_must(w, 200, "PATCH", CM "/b", MERGE, body);
    return hub_objects_revision(w->objects);
}

static void touch_again(struct world *w, const char *name, uint64_t revision)
{
    struct hub_object_ref ref = {
        FED_SPAN_LIT("configmaps"), FED_SPAN_LIT("default"), fed_span_text(name)};

    hub_objects_touch(w->objects, &ref, revision);
}

static void touch(struct world *w, const char *name, uint64_t *composed)
{
    *composed = move_on(w);
    touch_again(w, name, *composed);
}

static void touch_a(struct world *w)
{
    touch(w, "a", &composed_a);
}

static struct fed_http_exchange *watch_from(struct world *w, uint64_t revision)
{
    static char target[128]; /* kept by the exchange */

    snprintf(
        target, sizeof target, CM "?watch=1&resourceVersion=%llu", (unsigned long long)revision);
    return world_watch(w, target);
}

static void resumes_with(struct world *w, uint64_t revision, const char *events)
{
    struct fed_http_exchange *x = watch_from(w, revision);

    assert_string_equal(world_events(x), events);
    world_unwatch(w, x);
}

/* A touch that is gathered is told behind what is newer. Who was cut before it goes on from there,
 * and gets it all the same, before it was told to others and after. */
static void test_resume_behind_a_late_touch(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange *x;
    uint64_t seen;

    make_composed(w);
    x = watch_from(w, 0);
    assert_string_equal(world_events(x), "ADDED a,ADDED b");
    touch_a(w);
    assert_string_equal(world_events(x), "MODIFIED a");
    touch_a(w);
    seen = change_b(w);
    assert_string_equal(world_events(x), "MODIFIED b");
    world_unwatch(w, x);
    resumes_with(w, seen, "MODIFIED a,MODIFIED b"); /* b for nothing */
    world_pass(w, 2500);
    resumes_with(w, seen, "MODIFIED a,MODIFIED b");
    /* What was known before it came late, and what came after it, is as ever. */
    (void)move_on(w);
    seen = change_b(w);
    resumes_with(w, seen, "");
    touch_a(w);
    resumes_with(w, seen, "MODIFIED a");
    /* More than are remembered one by one: some are told again for nothing, none is forgotten. */
    x = watch_from(w, hub_objects_revision(w->objects));
    touch(w, "b", &composed_b);
    touch(w, "b", &composed_b);
    seen = move_on(w);
    for (unsigned i = 0; i < 610; i++) {
        touch_a(w);
        touch_again(w, "a", composed_a);
        world_pass(w, 1000);
    }
    world_unwatch(w, x);
    resumes_with(w, seen, "MODIFIED a,MODIFIED b");
}

/* What was gathered is told before the hub stops. */
static void test_stop_behind_a_touch(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange *x;

    make_composed(w);
    x = watch_from(w, 0);
    touch_a(w);
    touch_a(w);
    (void)world_events(x);
    hub_api_stop(w->api);
    assert_string_equal(world_events(x), "MODIFIED a");
    assert_true(x->ended);
    world_unwatch(w, x);
}

/* Both are older than what the history names: they come first and as of where the client is, so
 * that it can be cut anywhere and still asks for the rest. */
static void test_resume_tells_what_is_composed_first(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange *x;
    char own[64];
    uint64_t since;

    make_composed(w);
    since = move_on(w);
    composed_a = move_on(w);
    (void)change_b(w);
    x = watch_from(w, since);
    snprintf(own, sizeof own, "\"resourceVersion\":\"%llu\"", (unsigned long long)since);
    assert_true(world_says(x, own));
    assert_string_equal(world_events(x), "MODIFIED a,MODIFIED b");
    world_unwatch(w, x);
}

static void test_resume_without_memory(void **state)
{
    struct world *w = *state;
    bool refused = true;
    uint64_t since;

    make_composed(w);
    since = move_on(w);
    composed_a = move_on(w);
    for (long n = 0; refused; n++) {
        struct fed_http_exchange *x;

        world_ration(w, n);
        x = watch_from(w, since);
        refused = w->memory.refused;
        world_ration(w, -1);
        if (x->status == 200 && !x->ended && !world_says(x, "MODIFIED"))
            fail_msg("allocation %ld refused: the watch goes on without what was composed", n);
        world_unwatch(w, x);
    }
}

/* ---- for how long ---- */
#define RBAC "/apis/rbac.authorization.k8s.io/v1/namespaces/default/"

static void be(struct world *w, const char *name, const char *group)
{
    snprintf(w->peer.common_name, sizeof w->peer.common_name, "%s", name);
    snprintf(w->peer.organizations[0], sizeof w->peer.organizations[0], "%s", group);
}

static void test_watch_ends_with_the_right(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange *own;
    struct fed_http_exchange *other;

    world_must(w, 201, "POST", RBAC "roles", JSON,
        "{'metadata':{'name':'r'},'rules':[{'apiGroups':[''],'resources':['configmaps'],"
        "'resourceNames':['a'],'verbs':['watch']}]}");
    world_must(w, 201, "POST", RBAC "rolebindings", JSON,
        "{'metadata':{'name':'r'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io','kind':'Role',"
        "'name':'r'},'subjects':[{'apiGroup':'rbac.authorization.k8s.io','kind':'Group','name':"
        "'readers'}]}");
    world_make(w, "a", "");
    other = world_watch(w, CM "?watch=1");
    be(w, "ann", "readers");
    own = world_watch(w, CM "?watch=1&timeoutSeconds=86400&fieldSelector=metadata.name%3Da");
    be(w, "admin", "system:masters");
    assert_string_equal(world_events(own), "ADDED a");
    world_pass(w, 60000);
    assert_false(own->ended);
    world_must(w, 200, "DELETE", RBAC "rolebindings/r", "", NULL);
    world_pass(w, 17000);
    assert_true(own->ended);
    assert_false(other->ended);
    world_unwatch(w, own);
    world_unwatch(w, other);
}

static void test_watch_without_an_end_has_one(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange *x = world_watch(w, CM "?watch=1");

    world_pass(w, 1799000);
    assert_false(x->ended);
    world_pass(w, 1802000);
    assert_true(x->ended);
    world_unwatch(w, x);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_pages_and_selectors),
        CASE(test_pages_behind_any_name),
        CASE(test_label_index),
        CASE(test_watch),
        CASE(test_pages_show_one_state),
        CASE(test_a_page_of_a_forgotten_state),
        CASE(test_pages_that_are_refused),
        CASE(test_a_watch_begins_with_what_is_durable),
        CASE(test_watch_list_and_end),
        CASE(test_watch_resumes_after_restart),
        CASE(test_watch_too_old),
        CASE(test_resume_behind_a_late_touch),
        CASE(test_stop_behind_a_touch),
        CASE(test_resume_tells_what_is_composed_first),
        CASE(test_resume_without_memory),
        CASE(test_watch_ends_with_the_right),
        CASE(test_watch_without_an_end_has_one),
        CASE(test_touches_gather),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
