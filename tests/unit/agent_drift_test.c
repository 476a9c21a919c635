/* agent_drift_test.c - foreign changes: told, verified, put back at a bounded rate or only
 * reported; and lists, watches and kinds that misbehave. */
#include "agent/budget.h"
#include "agent/drift.h"
#include "proto/link/knows.h"
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NS_BLOB "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\"}"
#define MAP_A "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"a\"},\"kind\":\"ConfigMap\"}"
#define MAP_B "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"b\"},\"kind\":\"ConfigMap\"}"
#define MAP_REPORT                                                                                 \
    "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"a\"},\"kind\":\"ConfigMap\",\"metadata\":{"          \
    "\"annotations\":{\"fedlet.io/drift\":\"report\"}}}"
#define WEB_BLOB "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"spec\":{\"replicas\":1}}"

#define NS_PATH "/api/v1/namespaces/web"
#define MAP_PATH "/api/v1/namespaces/web/configmaps/settings"
#define WEB_PATH "/apis/apps/v1/namespaces/web/deployments/api"
#define MINUTE 60000u

static const struct world_work ns = {"Namespace", NULL, "web", NS_BLOB, NULL, 0};
static const struct world_work map_a = {"ConfigMap", "web", "settings", MAP_A, NULL, 0};
static const struct world_work map_b = {"ConfigMap", "web", "settings", MAP_B, NULL, 0};
static const struct world_work map_report = {"ConfigMap", "web", "settings", MAP_REPORT, NULL, 0};
static const struct world_work web = {"Deployment", "web", "api", WEB_BLOB, NULL, 0};

/* Order of identities: group, kind, namespace, name: the core group first. */
#define MAP_INDEX 0
#define NS_INDEX 1
#define WEB_INDEX 2

static struct world *world_with(struct world_work map, uint64_t knows)
{
    struct world_work works[] = {ns, map, web};
    struct world *w = world_new();

    w->hub_knows = knows;
    world_publish(w, 7, 1, works, 3);
    world_boot(w);
    world_pass(w, 3000);
    world_forget_requests(w);
    return w;
}

static struct world *world_with_three(void)
{
    return world_with(map_a, FED_LINK_KNOWS_ALL);
}

/* Somebody takes a field of ours, and the watch tells. */
static void steal(struct world *w, const char *path, const char *who, unsigned n)
{
    struct world_object *o = world_object(w, path);

    assert_non_null(o);
    snprintf(o->fields, sizeof o->fields, "stolen-%u", n);
    snprintf(o->other, sizeof o->other, "%s", who);
    snprintf(o->other_fields, sizeof o->other_fields, "{\"f:data\":{\"f:k\":{}}}");
    snprintf(o->spec, sizeof o->spec, "{\"n\":%u}", n);
    o->rv = ++w->next_rv;
    world_event(w, o, "MODIFIED");
}

/* Out of the watch's sight: the event has the object as it was, at a new version. */
static void hide(struct world *w, struct world_object *o)
{
    o->rv = ++w->next_rv;
    world_event(w, o, "DELETED");
}

/* ---- who changed what ---- */

static void find_text(const char *wanted, const char *object, char *out, size_t size)
{
    struct fed_arena arena;
    struct fed_json_doc *doc = NULL;
    struct fed_json *a = NULL;
    struct fed_json *b = NULL;
    struct agent_drift drift;
    struct fed_buf text;

    fed_arena_init(&arena, fed_alloc_system(), 1u << 20);
    fed_buf_init(&text, fed_alloc_system(), 4096);
    assert_int_equal(fed_json_doc_new(&arena.alloc, &doc), FED_OK);
    assert_int_equal(fed_json_parse(doc, fed_span_text(wanted), &a, NULL), FED_OK);
    assert_int_equal(fed_json_parse(doc, fed_span_text(object), &b, NULL), FED_OK);
    agent_drift_find(doc, a, b, &drift);
    agent_drift_put(&text, &drift);
    snprintf(out, size, "%s", fed_buf_cstr(&text));
    fed_buf_fini(&text);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
}

#define OURS(fields) "{\"manager\":\"fedlet\",\"operation\":\"Apply\",\"fieldsV1\":" fields "}"
#define THEIRS(name, time, fields)                                                                 \
    "{\"manager\":\"" name "\",\"operation\":\"Update\",\"time\":\"" time                          \
    "\",\"fieldsV1\":" fields "}"
#define META(managers) "\"metadata\":{\"name\":\"x\",\"managedFields\":[" managers "]}"
#define TWO                                                                                        \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"x\","            \
    "\"labels\":{\"kubefed.io/managed\":\"true\"}},\"spec\":{\"replicas\":2,\"none\":null,"        \
    "\"containers\":[{\"name\":\"main\",\"image\":\"a\",\"ports\":[{\"containerPort\":80}]}],"     \
    "\"args\":[\"p\"],\"finalizers\":[\"f\"]}}"
#define LABEL "\"f:metadata\":{\"f:labels\":{\"f:kubefed.io/managed\":{}}}"
#define REST "\"f:args\":{},\"f:finalizers\":{\"v:\\\"f\\\"\":{}}"
#define MAIN(image)                                                                                \
    "\"f:containers\":{\"k:{\\\"name\\\":\\\"main\\\"}\":{\".\":{},\"f:name\":{}" image            \
    ",\"f:ports\":{\"k:{\\\"containerPort\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{},"       \
    "\"f:containerPort\":{}}}}}"
#define IMAGE ",\"f:image\":{}"

static void test_find(void **state)
{
    static const struct {
        const char *object;
        const char *text;
    } rows[] = {
        /* all there: nothing is lost, whatever others have besides */
        {"{" META(
             OURS("{" LABEL ",\"f:spec\":{\"f:replicas\":{}," MAIN(IMAGE) "," REST "}}") "," THEIRS(
                 "other", "2026-01-01T00:00:00Z", "{\"f:spec\":{\"f:paused\":{}}}")) "}",
            "fields that the work sets are not its own any more"},
        /* a value, without contents; the latest of two that have it */
        {"{" META(OURS("{" LABEL ",\"f:spec\":{" MAIN(IMAGE) "," REST "}}") "," THEIRS(
             "old", "2026-01-01T00:00:00Z", "{\"f:spec\":{\"f:replicas\":{}}}") "," THEIRS("new",
             "2026-01-02T00:00:00Z", "{\"f:spec\":{\"f:replicas\":{}}}") "," THEIRS("else",
             "2026-01-03T00:00:00Z", "{\"f:spec\":{\"f:paused\":{}}}")) "}",
            "spec.replicas is set by \"new\" at 2026-01-02T00:00:00Z"},
        /* with contents, through a subresource */
        {"{\"kind\":\"Deployment\"," META(OURS("{" LABEL ",\"f:spec\":{" MAIN(
             IMAGE) "," REST
                    "}}") ","
                          "{\"manager\":\"hpa\",\"operation\":\"Update\",\"subresource\":\"scale\","
                          "\"fieldsV1\":{\"f:spec\":{\"f:replicas\":{}}}}") ",\"spec\":{"
                                                                            "\"replicas\":7}}",
            "spec.replicas is 7, not 2: set by \"hpa\" (scale)"},
        /* in an item of a list that has keys, defaulted ones among them */
        {"{\"kind\":\"Deployment\"," META(OURS("{" LABEL ",\"f:spec\":{\"f:replicas\":{}," MAIN(
             "") "," REST "}}") "," THEIRS("kubectl-set", "2026-01-02T00:00:00Z",
             "{\"f:spec\":{" MAIN(
                 IMAGE) "}}")) ",\"spec\":{\"containers\":[{\"name\":\"side\",\"image\":\"s\"},{"
                               "\"name\":\"main\",\"image\":\"b\"}]}}",
            "spec.containers[main].image is \"b\", not \"a\": set by \"kubectl-set\" at "
            "2026-01-02T00:00:00Z"},
        /* a list that is kept as one, a set, and a label: the first with a culprit is told */
        {"{\"kind\":\"PartialObjectMetadata\"," META(
             OURS("{\"f:spec\":{\"f:replicas\":{}," MAIN(IMAGE) "}}") "," THEIRS(
                 "ed", "2026-01-02T00:00:00Z", "{\"f:spec\":{\"f:args\":{}}}")) "}",
            "spec.args is set by \"ed\" at 2026-01-02T00:00:00Z, and 2 more"},
        /* taken away */
        {"{\"kind\":\"Deployment\"," META(
             OURS("{\"f:spec\":{\"f:replicas\":{}," MAIN(IMAGE) "," REST "}}")) "}",
            "metadata.labels[kubefed.io/managed] is gone, not \"true\": taken away"},
        /* our entry was cleared */
        {"{" META("") "}", "metadata.labels[kubefed.io/managed] was taken away, and 4 more"},
        {"{}", "metadata.labels[kubefed.io/managed] was taken away, and 4 more"},
        /* no fields, and what is no field set at all */
        {"{" META("7,null,{\"manager\":3},{\"fieldsV1\":[]}") "}",
            "metadata.labels[kubefed.io/managed] was taken away, and 4 more"},
    };
    char text[600];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        find_text(TWO, rows[i].object, text, sizeof text);
        if (strcmp(text, rows[i].text) != 0)
            fail_msg("row %zu: \"%s\", expected \"%s\"", i, text, rows[i].text);
    }
    find_text("{\"kind\":\"Secret\",\"data\":{\"k\":\"b3Vycw==\"}}",
        "{\"kind\":\"Secret\"," META(OURS("{}") "," THEIRS(
            "ed", "t", "{\"f:data\":{\"f:k\":{}}}")) ",\"data\":{\"k\":\"dGhlaXJz\"}}",
        text, sizeof text);
    assert_string_equal(text, "data.k is set by \"ed\" at t");
}

static void test_budget(void **state)
{
    struct agent_rate rate = {.each_ms = 100, .burst = 3};
    struct agent_budget budget = {0};
    uint64_t due_ms = 0;

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_true(agent_budget_take(&budget, rate, 1000, &due_ms));
    assert_false(agent_budget_take(&budget, rate, 1000, &due_ms));
    assert_int_equal(due_ms, 1100);
    assert_false(agent_budget_take(&budget, rate, 1099, &due_ms));
    assert_true(agent_budget_take(&budget, rate, 1100, &due_ms));
    agent_budget_give(&budget, rate, 2);
    assert_true(agent_budget_take(&budget, rate, 1100, &due_ms));
    assert_int_equal(agent_budget_reserve(&budget, rate, 1100), 1100);
    assert_int_equal(agent_budget_reserve(&budget, rate, 1100), 1200);
    assert_int_equal(agent_budget_reserve(&budget, rate, 1100), 1300);
    agent_budget_give(&budget, rate, 1000); /* never more than full */
    assert_int_equal(agent_budget_reserve(&budget, rate, 90000), 90000);
}

/* ---- lists, watches, kinds ---- */

static void test_lists_that_lie(void **state)
{
    (void)state;
    for (enum world_lie lie = WORLD_LIE_EMPTY; lie < WORLD_LIES; lie++) {
        struct world *w = world_with_three();

        world_crash(w);
        w->lie = lie;
        w->lies = 6;
        world_boot(w);
        world_pass(w, 2 * MINUTE);
        assert_int_equal(world_asked(w, "DELETE"), 0);
        assert_int_equal(world_asked(w, "PATCH"), 0);
        world_assert_state(w, MAP_INDEX, "Applied");
        assert_false(world_logged(w, "put back"));
        steal(w, MAP_PATH, "ed", 1); /* and it sees again */
        world_settle(w);
        assert_int_equal(world_asked(w, "PATCH " MAP_PATH), 1);
        world_free(w);
    }
}

static void test_a_lost_event_that_is_wrong(void **state)
{
    struct world *w = world_with_three();
    struct world_object *map = world_object(w, MAP_PATH);

    (void)state;
    hide(w, map);
    world_pass(w, 5000);
    assert_string_equal(w->requests, "GET " MAP_PATH "\n");
    assert_false(world_logged(w, "put back"));
    world_assert_state(w, MAP_INDEX, "Applied");
    world_free(w);
}

static void test_a_look_that_fails(void **state)
{
    struct world *w = world_with_three();

    (void)state;
    w->fail_gets = 4;
    hide(w, world_object(w, MAP_PATH));
    world_pass(w, 1500);
    assert_int_equal(strncmp(w->hub_states[MAP_INDEX], "Applied", 7) == 0, 0);
    world_pass(w, 2 * MINUTE);
    assert_int_equal(w->fail_gets, 0);
    assert_int_equal(world_asked(w, "PATCH"), 0);
    world_assert_state(w, MAP_INDEX, "Applied/Healthy  ");
    world_free(w);
}

static struct world_watch *watch_of(struct world *w, const char *plural)
{
    for (size_t i = 0; i < 16; i++) {
        if (w->watches[i].used && strstr(w->watches[i].path, plural))
            return &w->watches[i];
    }
    return NULL;
}

static void line(struct world *w, const char *text)
{
    struct world_watch *watch = watch_of(w, "/configmaps?");

    assert_non_null(watch);
    watch->events.line(watch->events.ctx, fed_span_text(text));
    world_settle(w);
}

static void test_watches(void **state)
{
    struct world *w = world_with_three();
    struct world_watch *watch = watch_of(w, "/configmaps?");
    unsigned lists = w->lists;
    unsigned watched = w->watched;

    (void)state;
    assert_non_null(strstr(watch->path, "allowWatchBookmarks=true"));
    assert_non_null(strstr(watch->path, "labelSelector=kubefed.io%2Fmanaged%3Dtrue"));
    /* bookmarks keep it alive, and say where to go on */
    for (unsigned i = 0; i < 10; i++) {
        world_pass(w, MINUTE);
        line(w, "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"900\"}}}");
    }
    assert_ptr_equal(watch_of(w, "/configmaps?"), watch);
    /* the other two kinds were silent: opened again, one from a list for both */
    assert_int_equal(w->watched - watched, 2 * 2);
    assert_int_equal(w->lists - lists, 2);
    lists = w->lists;
    /* one from before: the API server was set back, and would stay silent */
    line(w, "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"899\"}}}");
    assert_int_equal(w->lists, ++lists);
    watch = watch_of(w, "/configmaps?");
    line(w, "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"900\"}}}");
    /* silence: opened again, with one list for all */
    w->next_rv = 950;
    world_pass(w, 6 * MINUTE);
    assert_in_range(w->lists, lists + 1, lists + 2);
    lists = w->lists;
    /* ended at once, again and again: with pauses */
    watched = w->watched;
    for (unsigned i = 0; i < 600; i++) {
        watch = watch_of(w, "/configmaps?");
        if (watch) {
            watch->used = false;
            watch->events.ended(watch->events.ctx, FED_OK, NULL, NULL);
        }
        world_pass(w, 1000);
    }
    assert_in_range(w->watched - watched, 20, 100);
    lists += 2; /* the silent ones, twice */
    assert_int_equal(w->lists, lists);
    world_pass(w, MINUTE);
    /* too old, and what cannot be read: listed again */
    line(w, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}");
    world_pass(w, MINUTE);
    assert_int_equal(w->lists, lists + 1);
    line(w, "{\"type\":\"MODIFIED\",\"object\":{\"metada");
    world_pass(w, MINUTE);
    assert_int_equal(w->lists, lists + 2);
    assert_non_null(watch_of(w, "/configmaps?"));
    assert_int_equal(world_asked(w, "PATCH"), 0);
    world_free(w);
}

/* Objects may be so large that a page of them is more than is taken: then pages are smaller. */
static void test_large_objects(void **state)
{
    struct world *w = world_with_three();
    struct world_object *map = world_object(w, MAP_PATH);

    (void)state;
    w->page_max = 3;
    map->used = false; /* nobody tells */
    line(w, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}");
    world_pass(w, 10 * MINUTE);
    assert_non_null(world_object(w, MAP_PATH));
    assert_non_null(watch_of(w, "/configmaps?"));
    world_free(w);
}

static void test_versions_that_go_back(void **state)
{
    struct world *w = world_with_three();
    struct world_watch *watch = watch_of(w, "/configmaps?");

    (void)state;
    w->next_rv = 1; /* etcd restored from a backup; the objects are older, too */
    world_object(w, MAP_PATH)->rv = 1;
    watch->used = false;
    watch->events.ended(watch->events.ctx, FED_OK, &(struct fed_kube_answer){.status = 504}, NULL);
    world_pass(w, 5000);
    assert_true(world_logged(w, "data were set back"));
    assert_string_equal(w->requests, "");
    steal(w, MAP_PATH, "ed", 1);
    world_settle(w);
    assert_int_equal(world_asked(w, "PATCH " MAP_PATH), 1);
    world_free(w);
}

/* ... and so many writes since that the versions are beyond those of before. */
static void test_objects_that_are_older(void **state)
{
    struct world *w = world_with_three();
    struct world_watch *watch = watch_of(w, "/configmaps?");
    struct world_object *map = world_object(w, MAP_PATH);

    (void)state;
    w->next_rv += 100;
    map->rv = 1;
    snprintf(map->fields, sizeof map->fields, "older");
    watch->used = false;
    watch->events.ended(watch->events.ctx, FED_OK, &(struct fed_kube_answer){.status = 504}, NULL);
    world_pass(w, 5000);
    assert_true(world_logged(w, "data were set back"));
    assert_int_equal(world_asked(w, "PATCH " MAP_PATH), 1);
    world_free(w);
}

static void lose_connection(struct world *w)
{
    for (size_t i = 0; i < sizeof w->watches / sizeof *w->watches; i++) {
        struct world_watch *watch = &w->watches[i];

        if (!watch->used)
            continue;
        watch->used = false;
        watch->events.ended(watch->events.ctx, FED_ERR_NETWORK, NULL, NULL);
    }
}

/* It was away meanwhile. A watch from a version that it does not have is accepted and says nothing.
 */
static void test_back_with_older_data(void **state)
{
    struct world *w = world_with_three();
    struct world_object *map = world_object(w, MAP_PATH);
    unsigned lists = w->lists;

    (void)state;
    w->api_down = true;
    lose_connection(w);
    world_pass(w, MINUTE);
    assert_true(world_logged(w, "unreachable"));
    w->next_rv = 1;
    map->rv = 1;
    snprintf(map->fields, sizeof map->fields, "older");
    w->api_down = false;
    world_pass(w, 2 * MINUTE);
    assert_true(world_logged(w, "data were set back"));
    assert_int_equal(world_asked(w, "PATCH " MAP_PATH), 1);
    assert_in_range(w->lists - lists, 2, 12);
    /* with the same data the three kinds are not all listed */
    lists = w->lists;
    w->api_down = true;
    lose_connection(w);
    world_pass(w, MINUTE);
    w->api_down = false;
    world_pass(w, 2 * MINUTE);
    assert_in_range(w->lists - lists, 1, 2);
    world_free(w);
}

static void end_watches(struct world *w)
{
    for (size_t i = 0; i < sizeof w->watches / sizeof *w->watches; i++) {
        struct world_watch *watch = &w->watches[i];

        if (!watch->used)
            continue;
        watch->used = false;
        watch->events.ended(watch->events.ctx, FED_OK, NULL, NULL);
    }
}

/* It ended its watches in good order, after others that were short, so that nobody watched while it
 * was away. */
static void test_back_with_older_data_unseen(void **state)
{
    struct world_work works[] = {ns, map_a, {"Deployment", "web", "api", WEB_BLOB, "[]", 0}};
    struct world *w = world_with_three();
    struct world_object *map = world_object(w, MAP_PATH);

    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        end_watches(w);
        world_pass(w, 1000);
    }
    world_pass(w, 9000);
    end_watches(w);
    w->api_down = true;
    world_publish(w, 7, 2, works, 3);
    world_notify(w); /* what is to be applied finds out */
    world_pass(w, 4000);
    assert_true(world_logged(w, "unreachable"));
    w->next_rv = 1;
    map->rv = 1;
    snprintf(map->fields, sizeof map->fields, "older");
    world_forget_requests(w);
    w->api_down = false;
    world_pass(w, MINUTE);
    assert_true(world_logged(w, "data were set back"));
    assert_int_equal(world_asked(w, "PATCH " MAP_PATH), 1);
    world_free(w);
}

/* An API server that has too much to do is asked again when it wants to be. */
static void test_a_refused_watch_waits_as_long_as_it_was_asked_to(void **state)
{
    struct world *w = world_with_three();
    struct world_watch *watch = watch_of(w, "/configmaps?");
    unsigned lists = w->lists;

    (void)state;
    watch->used = false;
    watch->events.ended(watch->events.ctx, FED_OK,
        &(struct fed_kube_answer){.status = 429, .retry_after_s = 30}, NULL);
    world_pass(w, 29900);
    assert_int_equal(w->lists, lists);
    world_pass(w, 1000);
    assert_int_equal(w->lists, lists + 1);
    assert_non_null(watch_of(w, "/configmaps?"));
    world_free(w);
}

static void test_a_kind_that_goes_and_comes(void **state)
{
    struct world *w = world_with_three();
    struct world_object *map = world_object(w, MAP_PATH);
    struct world_watch *watch = watch_of(w, "/configmaps?");

    (void)state;
    w->no_kind = true; /* its definition was deleted, and its objects with it */
    map->used = false;
    hide(w, map);
    watch->used = false;
    watch->events.ended(watch->events.ctx, FED_OK, &(struct fed_kube_answer){.status = 404}, NULL);
    world_pass(w, 30 * MINUTE);
    assert_int_equal(strncmp(w->hub_states[MAP_INDEX], "Applied", 7) == 0, 0);
    assert_in_range(world_asked(w, "PATCH " MAP_PATH), 5, 40);
    w->no_kind = false;
    world_pass(w, MINUTE); /* the next list finds it; its works do not wait for their own turn */
    assert_non_null(world_object(w, MAP_PATH));
    world_assert_state(w, MAP_INDEX, "Applied");
    world_free(w);
}

static void test_failing_is_bounded(void **state)
{
    struct world_work works[62] = {ns};
    char names[61][16];
    struct world *w = world_new();
    uint64_t minutes = 10;
    unsigned asked;

    (void)state;
    for (unsigned i = 0; i < 61; i++) {
        snprintf(names[i], sizeof names[i], "m-%02u", i);
        works[i + 1] = map_a;
        works[i + 1].name = names[i];
    }
    w->refuse_path = "/configmaps/";
    w->refuse_status = 500;
    w->refuse_body = "{}";
    world_publish(w, 7, 1, works, 62);
    world_boot(w);
    world_pass(w, minutes * MINUTE);
    asked = world_asked(w, "PATCH") + world_asked(w, "GET");
    assert_in_range(asked, 3 * 61, 3 * 61 + 20 + minutes * 60);
    /* well again: as fast as it answers */
    w->refuse_path = NULL;
    world_pass(w, MINUTE + 20000);
    for (unsigned i = 0; i < 61; i++)
        world_assert_state(w, i, "Applied");
    world_free(w);
}

/* ---- what people do ---- */

static void test_labels(void **state)
{
    static const char *const values[] = {"", "maybe", "True"};
    struct world *w = world_with_three();

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct world_object *map = world_object(w, MAP_PATH);
        struct world_object before = *map;

        world_forget_requests(w);
        snprintf(map->managed, sizeof map->managed, "%s", values[i]);
        snprintf(map->fields, sizeof map->fields, "less-%u", i);
        before.rv = map->rv = ++w->next_rv;
        world_event(w, &before, "DELETED");
        world_pass(w, MINUTE + 5000);
        assert_int_equal(world_asked(w, "GET " MAP_PATH), 1);
        assert_int_equal(world_asked(w, "PATCH"), 1);
        assert_string_equal(map->managed, "true");
    }
    /* who says false means it */
    world_forget_requests(w);
    snprintf(world_object(w, MAP_PATH)->managed, 8, "false");
    hide(w, world_object(w, MAP_PATH));
    world_pass(w, 5000);
    assert_int_equal(world_asked(w, "PATCH"), 0);
    world_assert_state(w, MAP_INDEX, "Failed/Healthy ManagedLabelFalse");
    world_free(w);
}

static void test_cleared_managed_fields(void **state)
{
    struct world *w = world_with_three();
    struct world_object *map = world_object(w, MAP_PATH);

    (void)state;
    map->fields[0] = '\0';
    map->rv = ++w->next_rv;
    world_event(w, map, "MODIFIED");
    world_settle(w);
    assert_string_equal(w->requests, "PATCH " MAP_PATH "\n");
    assert_true(map->fields[0]);
    assert_true(world_logged(w, "was taken away"));
    world_free(w);
}

static void test_status_is_no_drift(void **state)
{
    struct world *w = world_with_three();
    struct world_object *api = world_object(w, WEB_PATH);

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        snprintf(api->status, sizeof api->status, "{\"replicas\":%u}", i);
        snprintf(api->other, sizeof api->other, "kube-controller-manager");
        snprintf(api->other_fields, sizeof api->other_fields, "{\"f:status\":{}}");
        snprintf(api->other_part, sizeof api->other_part, "status");
        api->rv = ++w->next_rv;
        world_event(w, api, "MODIFIED");
        world_pass(w, 1000);
    }
    assert_int_equal(world_asked(w, "PATCH"), 0);
    world_free(w);
}

static void test_another_object_of_that_name(void **state)
{
    struct world *w = world_with_three();
    struct world_object *map = world_object(w, MAP_PATH);

    (void)state;
    snprintf(map->uid, sizeof map->uid, "uid-other"); /* with the label: one of ours, put right */
    snprintf(map->fields, sizeof map->fields, "other");
    map->rv = ++w->next_rv;
    world_event(w, map, "MODIFIED");
    world_settle(w);
    assert_string_equal(w->requests, "GET " MAP_PATH "\nPATCH " MAP_PATH "\n");
    assert_true(world_logged(w, "another object of that name is there; put back"));
    world_forget_requests(w);
    hide(w, map); /* without it: a stranger's, and left */
    map->managed[0] = map->fields[0] = '\0';
    snprintf(map->uid, sizeof map->uid, "uid-stranger");
    world_pass(w, 5000);
    assert_int_equal(world_asked(w, "PATCH"), 0);
    world_assert_state(w, MAP_INDEX, "Failed/Healthy AlreadyExists");
    world_free(w);
}

static void test_a_finalizer_that_hangs(void **state)
{
    struct world *w = world_with_three();
    struct world_object *map = world_object(w, MAP_PATH);

    (void)state;
    map->deleting = true;
    snprintf(map->finalizers, sizeof map->finalizers, "\"example.com/slow\",\"b\"");
    map->rv = ++w->next_rv;
    world_event(w, map, "MODIFIED");
    world_pass(w, 60 * MINUTE);
    world_assert_state(w, MAP_INDEX,
        "Waiting/Progressing BeingDeleted the object in the member is being deleted; it waits for "
        "example.com/slow, b");
    assert_in_range(world_asked(w, "GET " MAP_PATH), 60, 200);
    assert_int_equal(world_asked(w, "PATCH"), 0);
    map->used = false;
    hide(w, map);
    world_pass(w, 2000);
    assert_non_null(world_object(w, MAP_PATH));
    world_assert_state(w, MAP_INDEX, "Applied");
    world_free(w);
}

static void test_a_namespace_that_goes(void **state)
{
    struct world *w = world_with_three();
    static const char *const paths[] = {MAP_PATH, WEB_PATH, NS_PATH};

    (void)state;
    world_object(w, NS_PATH)->deleting = true;
    world_object(w, NS_PATH)->rv = ++w->next_rv;
    world_event(w, world_object(w, NS_PATH), "MODIFIED");
    world_pass(w, 2000);
    world_assert_state(w, NS_INDEX, "Waiting/Progressing BeingDeleted");
    w->refuse_path = "/namespaces/web/";
    w->refuse_status = 403;
    w->refuse_body =
        "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"unable to create new "
        "content in namespace web because it is being terminated\",\"details\":{"
        "\"causes\":[{\"reason\":\"NamespaceTerminating\"}]}}";
    for (unsigned i = 0; i < 3; i++) {
        struct world_object *o = world_object(w, paths[i]);

        o->used = false;
        hide(w, o);
        if (i == 2)
            w->refuse_path = NULL;
        world_pass(w, 5000);
    }
    world_pass(w, 10000);
    for (unsigned i = 0; i < 3; i++) {
        assert_non_null(world_object(w, paths[i]));
        world_assert_state(w, i, "Applied");
    }
    world_free(w);
}

/* ---- fights ---- */

static void test_a_fight(void **state)
{
    struct world *w = world_with_three();

    (void)state;
    for (unsigned i = 0; i < 30; i++) { /* each second */
        steal(w, MAP_PATH, "kubectl-edit", i);
        world_pass(w, 1000);
    }
    assert_in_range(world_asked(w, "PATCH"), 5, 6);
    world_assert_state(w, MAP_INDEX,
        "Failed/Healthy Contested data.k is set by \"kubectl-edit\" at 2026-01-02T00:00:00Z");
    assert_non_null(strstr(w->hub_states[MAP_INDEX], " times in "));
    assert_non_null(strstr(w->hub_states[MAP_INDEX], " s, next try in "));
    world_assert_state(w, WEB_INDEX, "Applied"); /* nobody else's matter */
    /* the other stops: put back once more, and not contested any more after a while */
    world_pass(w, 3 * MINUTE);
    assert_null(strstr(world_object(w, MAP_PATH)->fields, "stolen"));
    world_assert_state(w, MAP_INDEX, "Applied/Healthy  ");
    assert_true(world_logged(w, "nobody changes it any more"));
    world_free(w);
}

static void test_a_fight_that_somebody_else_ends(void **state)
{
    struct world *w = world_with_three();
    struct world_object *map = world_object(w, MAP_PATH);
    char fields[sizeof map->fields];
    unsigned asked;

    (void)state;
    snprintf(fields, sizeof fields, "%s", map->fields);
    for (unsigned i = 0; i < 8; i++) {
        steal(w, MAP_PATH, "rogue", i);
        world_pass(w, 1000);
    }
    asked = world_asked(w, "PATCH");
    snprintf(map->fields, sizeof map->fields, "%s", fields);
    map->rv = ++w->next_rv;
    world_event(w, map, "MODIFIED");
    world_pass(w, 5 * MINUTE);
    assert_int_equal(world_asked(w, "PATCH"), asked);
    world_assert_state(w, MAP_INDEX, "Applied");
    world_free(w);
}

/* Against so many works that the rate of all makes each of them wait: still a fight. */
#define MANY 200u

static void test_a_fight_against_all(void **state)
{
    static struct world_work works[MANY + 1];
    static char names[MANY][16];
    struct world *w = world_new();
    unsigned asked = 0;

    (void)state;
    works[0] = ns;
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "m-%03u", i);
        works[i + 1] = map_a;
        works[i + 1].name = names[i];
    }
    world_publish(w, 7, 1, works, MANY + 1);
    world_boot(w);
    world_pass(w, 5000);
    world_forget_requests(w);
    for (unsigned t = 0; t < 150; t++) {
        for (unsigned i = 0; i < MANY; i++) {
            char path[100 + sizeof names]; /* as gcc sees it, a name may be as long as all */

            snprintf(path, sizeof path, "/api/v1/namespaces/web/configmaps/%s", names[i]);
            steal(w, path, "rogue", t);
        }
        world_pass(w, 1000);
        if (t == 59)
            assert_in_range(world_asked(w, "PATCH"), 600, 100 + 600);
    }
    asked = world_asked(w, "PATCH");
    assert_in_range(asked, 5 * MANY, 100 + 1500);
    for (unsigned i = 0; i < MANY; i++)
        world_assert_state(w, i, "Failed/Healthy Contested");
    world_free(w);
}

static void test_a_fight_of_deletions(void **state)
{
    struct world *w = world_with_three();

    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        struct world_object *map = world_object(w, MAP_PATH);

        if (map) {
            map->used = false;
            hide(w, map);
        }
        world_pass(w, 1000);
    }
    assert_in_range(world_asked(w, "PATCH"), 5, 8);
    world_assert_state(w, MAP_INDEX, "Failed/Healthy Contested deleted in the member; put back ");
    world_pass(w, 5 * MINUTE);
    assert_non_null(world_object(w, MAP_PATH));
    world_assert_state(w, MAP_INDEX, "Applied");
    world_free(w);
}

static void test_a_fight_ends_with_new_content(void **state)
{
    struct world_work works[] = {ns, map_b, web};
    struct world *w = world_with_three();

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        steal(w, MAP_PATH, "rogue", i);
        world_pass(w, 1000);
    }
    world_publish(w, 7, 2, works, 3);
    world_notify(w);
    world_pass(w, 2000);
    world_assert_state(w, MAP_INDEX, "Applied");
    world_free(w);
}

static void test_a_fight_and_a_refusal(void **state)
{
    struct world *w = world_with_three();

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        steal(w, MAP_PATH, "rogue", i);
        world_pass(w, 1000);
    }
    w->refuse_path = "/configmaps/";
    w->refuse_status = 403;
    w->refuse_body = "{}";
    world_pass(w, MINUTE);
    world_assert_state(w, MAP_INDEX, "Failed/Healthy UpdateFailed");
    w->refuse_path = NULL;
    world_pass(w, 10 * MINUTE);
    world_assert_state(w, MAP_INDEX, "Applied/Healthy  ");
    world_free(w);
}

/* The API server is away when the fight's next try is due. Back again, it is still a fight, which
 * ends as any other does. */
static void test_a_fight_and_a_restart(void **state)
{
    struct world *w = world_with_three();

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        steal(w, MAP_PATH, "rogue", i);
        world_pass(w, 1000);
    }
    world_assert_state(w, MAP_INDEX, "Failed/Healthy Contested");
    w->refuse_path = "/configmaps/";
    w->refuse_status = 0;
    world_pass(w, MINUTE);
    world_assert_state(w, MAP_INDEX, "Waiting/Healthy UpdateTimedOut");
    w->refuse_path = NULL;
    for (unsigned i = 0; i < 60 && strstr(world_object(w, MAP_PATH)->fields, "stolen"); i++)
        world_pass(w, 1000);
    assert_null(strstr(world_object(w, MAP_PATH)->fields, "stolen"));
    world_pass(w, 1000);
    world_assert_state(w, MAP_INDEX, "Failed/Healthy Contested data.k is set by \"rogue\"");
    world_pass(w, 3 * MINUTE);
    world_assert_state(w, MAP_INDEX, "Applied/Healthy  ");
    assert_true(world_logged(w, "nobody changes it any more"));
    world_free(w);
}

/* An apply that moves nothing put nothing back: bookkeeping of the API server is no fight. */
static void test_nothing_to_put_back(void **state)
{
    struct world *w = world_with_three();
    struct world_object *map = world_object(w, MAP_PATH);
    char fields[sizeof map->fields];

    (void)state;
    snprintf(fields, sizeof fields, "%s", map->fields);
    for (unsigned i = 0; i < 20; i++) {
        struct world_object seen = *map;

        snprintf(seen.fields, sizeof seen.fields, "another-%u", i);
        seen.rv = map->rv = ++w->next_rv;
        world_event(w, &seen, "MODIFIED");
        world_pass(w, 1000);
    }
    assert_int_equal(world_asked(w, "PATCH"), 20);
    world_assert_state(w, MAP_INDEX, "Applied");
    world_free(w);
}

/* ---- reporting only ---- */

static void test_report_only(void **state)
{
    struct world_work works[] = {ns, map_b, web};
    struct world *w = world_with(map_report, FED_LINK_KNOWS_ALL);
    struct world_object *map = world_object(w, MAP_PATH);
    char fields[sizeof map->fields];
    unsigned reports;

    (void)state;
    snprintf(fields, sizeof fields, "%s", map->fields);
    steal(w, MAP_PATH, "kubectl-edit", 1);
    world_pass(w, 2000);
    assert_string_equal(w->requests, "GET " MAP_PATH "\n");
    world_assert_state(w, MAP_INDEX,
        "Applied/Healthy Drifted data.k is gone, not \"a\": set by \"kubectl-edit\" at "
        "2026-01-02T00:00:00Z");
    assert_non_null(strstr(w->hub_states[MAP_INDEX], "; left so (fedlet.io/drift: report)"));
    /* told once; one that keeps changing is looked at with pauses */
    reports = w->reports;
    world_pass(w, 30 * MINUTE);
    assert_in_range(w->reports - reports, 0, 1);
    world_forget_requests(w);
    for (unsigned i = 0; i < 600; i++) {
        steal(w, MAP_PATH, "kubectl-edit", i);
        world_pass(w, 1000);
    }
    assert_int_equal(world_asked(w, "PATCH"), 0);
    assert_in_range(world_asked(w, "GET"), 2, 12);
    /* a new process finds it again */
    world_crash(w);
    world_boot(w);
    world_pass(w, 5000);
    assert_int_equal(world_asked(w, "PATCH"), 0);
    world_assert_state(w, MAP_INDEX, "Applied/Healthy Drifted");
    /* put right by whoever it was */
    snprintf(map->fields, sizeof map->fields, "%s", fields);
    map->rv = ++w->next_rv;
    world_event(w, map, "MODIFIED");
    world_pass(w, 2000);
    world_assert_state(w, MAP_INDEX, "Applied/Healthy  ");
    /* new content takes its place */
    steal(w, MAP_PATH, "kubectl-edit", 2);
    world_pass(w, 2000);
    world_assert_state(w, MAP_INDEX, "Applied/Healthy Drifted");
    world_publish(w, 7, 2, works, 3);
    world_notify(w);
    world_pass(w, 2000);
    assert_int_equal(world_asked(w, "PATCH"), 1);
    world_assert_state(w, MAP_INDEX, "Applied/Healthy  ");
    world_free(w);
}

static void test_report_only_of_what_is_out_of_sight(void **state)
{
    struct world *w = world_with(map_report, FED_LINK_KNOWS_ALL);
    struct world_object *map = world_object(w, MAP_PATH);
    char fields[sizeof map->fields];

    (void)state;
    snprintf(fields, sizeof fields, "%s", map->fields);
    hide(w, map); /* the label is taken off */
    map->managed[0] = '\0';
    snprintf(map->fields, sizeof map->fields, "less");
    world_pass(w, 2000);
    world_assert_state(w, MAP_INDEX, "Applied/Healthy Drifted");
    snprintf(map->managed, sizeof map->managed, "true"); /* no event tells of it */
    snprintf(map->fields, sizeof map->fields, "%s", fields);
    map->rv = ++w->next_rv;
    world_pass(w, 10 * MINUTE);
    world_assert_state(w, MAP_INDEX, "Applied/Healthy  ");
    map->used = false;
    hide(w, map);
    world_pass(w, 60 * MINUTE);
    assert_null(world_object(w, MAP_PATH));
    world_assert_state(w, MAP_INDEX,
        "Failed/Healthy Drifted deleted in the member; left so (fedlet.io/drift: report)");
    assert_int_equal(world_asked(w, "PATCH"), 0);
    world_free(w);
}

static void test_an_older_hub_hears_applied(void **state)
{
    struct world *w = world_with(map_report, FED_LINK_KNOWS_FIRST);

    (void)state;
    steal(w, MAP_PATH, "kubectl-edit", 1);
    world_pass(w, 5000);
    assert_int_equal(world_asked(w, "PATCH"), 0);
    world_assert_state(w, MAP_INDEX, "Applied/Healthy  ");
    world_free(w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_lists_that_lie),
        cmocka_unit_test(test_a_lost_event_that_is_wrong),
        cmocka_unit_test(test_a_look_that_fails),
        cmocka_unit_test(test_watches),
        cmocka_unit_test(test_large_objects),
        cmocka_unit_test(test_versions_that_go_back),
        cmocka_unit_test(test_objects_that_are_older),
        cmocka_unit_test(test_back_with_older_data),
        cmocka_unit_test(test_back_with_older_data_unseen),
        cmocka_unit_test(test_a_refused_watch_waits_as_long_as_it_was_asked_to),
        cmocka_unit_test(test_a_kind_that_goes_and_comes),
        cmocka_unit_test(test_failing_is_bounded),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_cleared_managed_fields),
        cmocka_unit_test(test_status_is_no_drift),
        cmocka_unit_test(test_another_object_of_that_name),
        cmocka_unit_test(test_a_finalizer_that_hangs),
        cmocka_unit_test(test_a_namespace_that_goes),
        cmocka_unit_test(test_a_fight),
        cmocka_unit_test(test_a_fight_that_somebody_else_ends),
        cmocka_unit_test(test_a_fight_against_all),
        cmocka_unit_test(test_a_fight_of_deletions),
        cmocka_unit_test(test_a_fight_ends_with_new_content),
        cmocka_unit_test(test_a_fight_and_a_refusal),
        cmocka_unit_test(test_a_fight_and_a_restart),
        cmocka_unit_test(test_nothing_to_put_back),
        cmocka_unit_test(test_report_only),
        cmocka_unit_test(test_report_only_of_what_is_out_of_sight),
        cmocka_unit_test(test_an_older_hub_hears_applied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
