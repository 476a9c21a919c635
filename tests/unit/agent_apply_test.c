/* agent_apply_test.c - what the agent does with works that the member does not take yet, or not at
 * all: order, dependencies, classes of trouble, replacing. */
#include "agent/wait.h"
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NS_PATH "/api/v1/namespaces/web"
#define MAPS "/api/v1/namespaces/web/configmaps/"
#define APPS "/apis/apps/v1/namespaces/web/deployments/"
#define WIDGETS "/apis/example.com/v1/namespaces/web/widgets/"
#define CRD_PATH "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com"

#define MAP(value, annotations)                                                                    \
    "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"" value "\"},\"kind\":\"ConfigMap\","                \
    "\"metadata\":{\"annotations\":{" annotations "}}}"
#define APP(value, annotations)                                                                    \
    "{\"apiVersion\":\"apps/"                                                                      \
    "v1\",\"kind\":\"Deployment\",\"metadata\":{\"annotations\":{" annotations                     \
    "}},\"spec\":{\"paused\":" value ",\"replicas\":1}}"
#define ON(names) "\"fedlet.io/depends-on\":\"" names "\""
#define REPLACE "\"fedlet.io/replace\":\"true\""
#define WIDGET "{\"apiVersion\":\"example.com/v1\",\"kind\":\"Widget\"}"
#define CRD "{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\"}"

#define READY                                                                                      \
    "{\"observedGeneration\":100,\"replicas\":1,\"updatedReplicas\":1,\"readyReplicas\":1,"        \
    "\"availableReplicas\":1}"
#define IMMUTABLE                                                                                  \
    "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"m\",\"details\":{\"causes\":["      \
    "{\"message\":\"Invalid value: 1: field is immutable\",\"field\":\"spec.x\"}]}}"

static struct world *world_with_namespace(void)
{
    struct world *w = world_new();

    world_add_object(w, NS_PATH, "");
    return w;
}

static void publish(struct world *w, uint64_t revision, const struct world_work *works, size_t n)
{
    world_publish(w, 7, revision, works, n);
    if (w->daemon)
        world_notify(w);
    else
        world_boot(w);
}

static void become(struct world *w, const char *path, const char *status)
{
    struct world_object *object = world_object(w, path);

    assert_non_null(object);
    snprintf(object->spec, sizeof object->spec, "{\"replicas\":1}");
    snprintf(object->status, sizeof object->status, "%s", status);
    object->rv = ++w->next_rv;
    world_event(w, object, "MODIFIED");
    world_settle(w);
}

struct waiting {
    const char *object;
    bool found;
};

static void on_wait(void *ctx, const struct agent_wait *wait)
{
    struct waiting *waiting = ctx;

    if (strcmp(wait->object, waiting->object) != 0)
        return;
    waiting->found = true;
    assert_int_equal(wait->next_try_unix_s, 0);
    assert_int_equal(wait->limit_s, 0);
}

static void assert_waits_for_an_event(struct world *w, const char *object)
{
    struct waiting waiting = {.object = object};

    agent_daemon_waits(w->daemon, on_wait, &waiting);
    assert_true(waiting.found);
}

/* ---- dependencies ---- */

static void test_waits_for_dependency(void **state)
{
    struct world_work works[] = {
        {"ConfigMap", "web", "after", MAP("a", ON("Deployment/api")), NULL, 0},
        {"Deployment", "web", "api", APP("false", ""), NULL, 0},
    };
    struct world *w = world_with_namespace();

    (void)state;
    publish(w, 1, works, 2);
    world_pass(w, 3000);
    assert_null(world_object(w, MAPS "after"));
    world_assert_state(
        w, 0, "Waiting/Unknown DependencyNotReady waits for Deployment web/api, which is not");
    world_forget_requests(w);
    world_pass(w, 3600000);
    assert_int_equal(world_asked(w, "PATCH"), 0);
    assert_int_equal(world_asked(w, "GET " MAPS), 0); /* nobody asks */
    assert_null(agent_daemon_stuck(w->daemon));
    assert_waits_for_an_event(w, "ConfigMap web/after");
    world_crash(w);
    world_boot(w);
    world_pass(w, 5000);
    assert_null(world_object(w, MAPS "after"));
    become(w, APPS "api", READY);
    assert_non_null(world_object(w, MAPS "after")); /* and no timer was waited for */
    assert_null(strstr(w->last_body, "fedlet.io"));
    world_pass(w, 2000);
    world_assert_state(w, 0, "Applied");
    world_free(w);
}

/* An unhealthy dependency takes nothing back, holds up new versions, and no restoring. */
static void test_dependency_turns_bad(void **state)
{
    struct world_work works[] = {
        {"ConfigMap", "web", "after", MAP("a", ON("Deployment.apps/web/api")), NULL, 0},
        {"Deployment", "web", "api", APP("false", ""), NULL, 0},
    };
    struct world *w = world_with_namespace();
    struct world_object *map;

    (void)state;
    publish(w, 1, works, 2);
    become(w, APPS "api", READY);
    world_pass(w, 2000);
    works[1].blob = APP("true", "");
    publish(w, 2, works, 2);
    become(w, APPS "api", "{}");
    world_pass(w, 2000);
    map = world_object(w, MAPS "after");
    assert_non_null(map);
    world_assert_state(w, 0, "Applied");
    snprintf(map->fields, sizeof map->fields, "stolen");
    map->rv = ++w->next_rv;
    world_event(w, map, "MODIFIED");
    world_settle(w);
    assert_string_not_equal(map->fields, "stolen");
    works[0].blob = MAP("b", ON("Deployment.apps/web/api"));
    publish(w, 3, works, 2);
    world_pass(w, 2000);
    assert_null(strstr(w->last_body, "\"k\":\"b\""));
    world_assert_state(w, 0, "Waiting/Healthy DependencyNotReady");
    become(w, APPS "api", READY);
    assert_non_null(strstr(w->last_body, "\"k\":\"b\""));
    world_free(w);
}

static void test_dependency_that_is_not_there(void **state)
{
    struct world_work works[] = {
        {"ConfigMap", "web", "a", MAP("a", ON("ConfigMap/b, Deployment/none")), NULL, 0},
        {"ConfigMap", "web", "b", MAP("a", ""), NULL, 0},
        {"ConfigMap", "web", "c", MAP("a", ON("nonsense")), NULL, 0},
    };
    struct world *w = world_with_namespace();

    (void)state;
    publish(w, 1, works, 3);
    world_pass(w, 3000);
    world_assert_state(
        w, 0, "Waiting/Unknown DependencyNotReady waits for Deployment none, which is not part");
    world_assert_state(w, 1, "Applied");
    world_assert_state(
        w, 2, "Failed/Unknown ComputeResourceFailed metadata.annotations[fedlet.io/");
    works[0].blob = MAP("a", ON("ConfigMap/b"));
    publish(w, 2, works, 3);
    assert_non_null(world_object(w, MAPS "a"));
    world_free(w);
}

static void test_cycle(void **state)
{
    struct world_work works[] = {
        {"ConfigMap", "web", "a", MAP("a", ON("ConfigMap/b")), NULL, 0},
        {"ConfigMap", "web", "b", MAP("a", ON("ConfigMap/c")), NULL, 0},
        {"ConfigMap", "web", "c", MAP("a", ON("ConfigMap/d,ConfigMap/a")), NULL, 0},
        {"ConfigMap", "web", "d", MAP("a", ""), NULL, 0},
        {"ConfigMap", "web", "e", MAP("a", ON("ConfigMap/a")), NULL, 0},
        {"ConfigMap", "web", "self", MAP("a", ON("ConfigMap/self")), NULL, 0},
    };
    struct world *w = world_with_namespace();

    (void)state;
    publish(w, 1, works, 6);
    world_pass(w, 3000);
    world_assert_state(
        w, 0, "Failed/Unknown DependencyCycle ConfigMap web/a -> ConfigMap web/b -> Con");
    world_assert_state(w, 1, "Failed/Unknown DependencyCycle ");
    world_assert_state(w, 2, "Failed/Unknown DependencyCycle ");
    world_assert_state(w, 3, "Applied");
    world_assert_state(
        w, 4, "Waiting/Unknown DependencyNotReady waits for ConfigMap web/a, which fai");
    world_assert_state(
        w, 5, "Failed/Unknown DependencyCycle ConfigMap web/self -> ConfigMap web/self");
    world_forget_requests(w);
    world_pass(w, 3600000);
    assert_string_equal(w->requests, "");
    works[2].blob = MAP("a", ON("ConfigMap/d"));
    publish(w, 2, works, 6);
    world_pass(w, 3000);
    for (size_t i = 0; i < 5; i++)
        world_assert_state(w, i, "Applied");
    /* Closed again by a new version of one: what was applied stays, and all are told. */
    works[2].blob = MAP("b", ON("ConfigMap/a"));
    publish(w, 3, works, 6);
    world_pass(w, 3000);
    world_assert_state(w, 0, "Failed/Healthy DependencyCycle ");
    world_assert_state(w, 1, "Failed/Healthy DependencyCycle ");
    assert_non_null(world_object(w, MAPS "a"));
    works[2].blob = MAP("b", "");
    publish(w, 4, works, 6);
    world_pass(w, 3000);
    world_assert_state(w, 0, "Applied");
    world_assert_state(w, 1, "Applied");
    world_free(w);
}

static unsigned blobs_of(const struct world *w)
{
    unsigned n = 0;

    for (size_t i = 0; i < w->n_rows; i++)
        n += w->rows[i].key[0] == 'b' && w->rows[i].key[1] == '/';
    return n;
}

static void test_removal_the_other_way_round(void **state)
{
    struct world_work works[] = {
        {"ConfigMap", "web", "a", MAP("a", ""), NULL, 0},
        {"ConfigMap", "web", "b", MAP("b", ON("ConfigMap/a")), NULL, 0},
        {"ConfigMap", "web", "c", MAP("c", ON("ConfigMap/b")), NULL, 0},
        {"ConfigMap", "web", "d", MAP("d", ""), NULL, 0},
    };
    struct world *w = world_with_namespace();

    (void)state;
    publish(w, 1, works, 4);
    world_pass(w, 3000);
    world_crash(w); /* nothing was read by this process */
    world_boot(w);
    world_pass(w, 3000);
    w->linger = true;
    world_forget_requests(w);
    publish(w, 2, works + 3, 1);
    world_pass(w, 3000);
    assert_int_equal(world_asked(w, "DELETE " MAPS "c"), 1);
    assert_int_equal(world_asked(w, "DELETE"), 1);
    assert_int_equal(w->report.n_removed, 3);
    world_crash(w);
    world_boot(w);
    world_pass(w, 3000);
    assert_int_equal(world_asked(w, "DELETE " MAPS "a"), 0);
    assert_int_equal(world_asked(w, "DELETE " MAPS "b"), 0);
    w->linger = false;
    world_object(w, MAPS "c")->used = false;
    world_pass(w, 60000);
    assert_null(world_object(w, MAPS "a"));
    assert_null(world_object(w, MAPS "b"));
    assert_true(strstr(w->requests, "DELETE " MAPS "b") < strstr(w->requests, "DELETE " MAPS "a"));
    assert_int_equal(w->report.n_removed, 0);
    assert_int_equal(blobs_of(w), 1); /* nothing of theirs is left */
    world_free(w);
}

/* What still stands on it keeps it, until it is gone or asks for it no more. */
static void test_removal_of_what_is_needed(void **state)
{
    struct world_work works[] = {
        {"ConfigMap", "web", "base", MAP("a", ""), NULL, 0},
        {"ConfigMap", "web", "upper", MAP("b", ON("ConfigMap/base")), NULL, 0},
    };
    struct world *w = world_with_namespace();

    (void)state;
    publish(w, 1, works, 2);
    world_pass(w, 3000);
    publish(w, 2, works + 1, 1);
    world_pass(w, 3600000);
    assert_non_null(world_object(w, MAPS "base"));
    assert_int_equal(w->report.n_removed, 1);
    assert_memory_equal(w->report.removed[0].message.at, "waits until ConfigMap web/upper", 31);
    works[1].blob = MAP("b", "");
    publish(w, 3, works + 1, 1);
    world_pass(w, 3000);
    assert_null(world_object(w, MAPS "base"));
    world_free(w);
}

/* ---- kinds and namespaces ---- */

#define TWENTY 20u

struct twenty {
    struct world_work works[TWENTY];
    char names[TWENTY][12]; /* as gcc sees it, a number may be as long as all */
};

static void publish_twenty(struct world *w, struct twenty *many, const char *kind, const char *blob)
{
    for (unsigned i = 0; i < TWENTY; i++) {
        snprintf(many->names[i], sizeof many->names[i], "m%u", i);
        many->works[i] = (struct world_work){kind, "web", many->names[i], blob, NULL, 0};
    }
    publish(w, 1, many->works, TWENTY);
}

static void assert_twenty(const struct world *w, const char *state)
{
    for (unsigned i = 0; i < TWENTY; i++)
        world_assert_state(w, i, state);
}

static void test_kind_appears(void **state)
{
    struct world *w = world_with_namespace();
    struct twenty many;

    (void)state;
    w->refuse_path = "widgets";
    w->refuse_status = 404;
    w->refuse_body = "404 page not found\n";
    publish_twenty(w, &many, "Widget", WIDGET);
    world_pass(w, 3000);
    assert_twenty(w, "Waiting/Unknown CreationFailed KindMissing: no matches for kind \"Wid");
    assert_in_range(world_asked(w, "PATCH"), 1, 12); /* those that were under way, then one */
    world_forget_requests(w);
    world_pass(w, 3600000);
    assert_in_range(world_asked(w, "PATCH"), 5, 40);
    /* The definition comes; it is served some seconds later. */
    world_event(w, world_add_object(w, CRD_PATH, ""), "ADDED");
    world_pass(w, 3000);
    w->refuse_path = NULL;
    world_pass(w, 5000);
    assert_twenty(w, "Applied");
    world_free(w);
}

static void test_namespace_appears(void **state)
{
    struct world_work works[] = {
        {"ConfigMap", "web", "a", MAP("a", ""), NULL, 0},
        {"ConfigMap", "web", "b", MAP("a", ""), NULL, 0},
    };
    struct world *w = world_new();

    (void)state;
    publish(w, 1, works, 2);
    world_pass(w, 600000);
    world_assert_state(w, 0, "Waiting/Unknown CreationFailed NamespaceMissing: ");
    world_event(w, world_add_object(w, NS_PATH, ""), "ADDED");
    world_settle(w);
    assert_non_null(world_object(w, MAPS "a"));
    assert_non_null(world_object(w, MAPS "b"));
    world_free(w);
}

static void test_crd_of_the_bundle(void **state)
{
    struct world_work works[] = {
        {"CustomResourceDefinition", NULL, "widgets.example.com", CRD, NULL, 0},
        {"Widget", "web", "w", WIDGET, NULL, 0},
        {"ConfigMap", "web", "a", MAP("a", ""), NULL, 0},
    };
    struct world *w = world_with_namespace();

    (void)state;
    publish(w, 1, works, 3);
    world_pass(w, 3600000);
    assert_non_null(world_object(w, MAPS "a")); /* it holds up its own objects only */
    assert_int_equal(world_asked(w, "GET " WIDGETS), 0);
    assert_int_equal(world_asked(w, "PATCH " WIDGETS), 0);
    world_assert_state(
        w, 2, "Waiting/Unknown CreationFailed KindMissing: CustomResourceDefinition wid");
    w->refuse_path = "/widgets/";
    w->refuse_status = 404;
    w->refuse_body = "404 page not found\n";
    become(w, CRD_PATH, "{\"conditions\":[{\"type\":\"Established\",\"status\":\"True\"}]}");
    world_pass(w, 10000);
    assert_in_range(world_asked(w, "PATCH " WIDGETS), 2, 8);
    w->refuse_path = NULL;
    world_pass(w, 10000);
    world_assert_state(w, 2, "Applied");
    world_free(w);
}

/* ---- classes of trouble ---- */

static struct world *refused(unsigned status, const char *body)
{
    static const struct world_work works[] = {
        {"ConfigMap", "web", "a", MAP("a", ""), NULL, 0},
        {"Deployment", "web", "b", APP("false", ""), NULL, 0},
    };
    struct world *w = world_with_namespace();

    w->refuse_path = "configmaps";
    w->refuse_status = status;
    w->refuse_body = body;
    publish(w, 1, works, 2);
    world_pass(w, 5000);
    assert_non_null(world_object(w, APPS "b"));
    return w;
}

static void test_rates(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
        const char *told;
        unsigned least, most; /* tries in an hour */
    } rows[] = {
        {500,
            "{\"kind\":\"Status\",\"message\":\"Internal error occurred: failed calling webhook "
            "\\\"x\\\": no\"}",
            "Waiting/Unknown CreationFailed WebhookUnavailable: Internal error occurred: fa", 15,
            40},
        {403, "{\"kind\":\"Status\",\"message\":\"exceeded quota: q\"}",
            "Failed/Unknown CreationFailed QuotaExceeded: exceeded quota: q", 15, 40},
        {403, "{\"kind\":\"Status\",\"message\":\"User \\\"u\\\" cannot\"}",
            "Failed/Unknown CreationFailed Forbidden: User \"u\" cannot", 15, 40},
        {403, "{\"kind\":\"Status\",\"message\":\"PodSecurity\"}",
            "Failed/Unknown CreationFailed Denied: PodSecurity", 3, 4},
        {413, "", "Failed/Unknown CreationFailed TooLarge: HTTP status 413", 3, 4},
        {422, "", "Failed/Unknown CreationFailed Invalid: HTTP status 422", 3, 4},
        {409, "", "Waiting/Unknown CreationFailed Conflict: HTTP status 409", 60, 150},
        {504, "", "Waiting/Unknown CreationFailed ServerTrouble: HTTP status 504", 60, 150},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = refused(rows[i].status, rows[i].body);

        world_assert_state(w, 0, rows[i].told);
        world_pass(w, 3600000);
        assert_in_range(world_asked(w, "PATCH " MAPS), rows[i].least, rows[i].most);
        w->refuse_path = NULL;
        world_pass(w, 3600000);
        world_assert_state(w, 0, "Applied");
        world_free(w);
    }
}

/* Any one of a bundle fails, in any way, and the agent is killed: the others are in place, and the
 * next process sends only the one. */
static void test_half_applied(void **state)
{
    static const unsigned statuses[] = {500, 403, 422, 0};
    static const char *const names[] = {"m0", "m1", "m2", "m3", "m4"};
    struct world_work works[5];
    char path[100];

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        struct world *w = world_with_namespace();
        size_t bad = i % 5;

        for (size_t k = 0; k < 5; k++)
            works[k] = (struct world_work){"ConfigMap", "web", names[k], MAP("a", ""), NULL, 0};
        publish(w, 1, works, 5);
        world_pass(w, 3000);
        for (size_t k = 0; k < 5; k++)
            works[k].blob = MAP("b", "");
        snprintf(path, sizeof path, MAPS "m%zu", bad);
        w->refuse_path = path;
        w->refuse_status = statuses[i / 5];
        w->refuse_body = "{\"kind\":\"Status\",\"message\":\"no\"}";
        publish(w, 2, works, 5);
        world_pass(w, 3000);
        for (size_t k = 0; k < 5; k++)
            world_assert_state(w, k, k != bad ? "Applied" : statuses[i / 5] ? "Failed" : "Waiting");
        world_crash(w);
        w->refuse_path = NULL;
        world_forget_requests(w);
        world_boot(w);
        world_pass(w, 600000);
        assert_int_equal(world_asked(w, "PATCH"), 1);
        world_assert_state(w, bad, "Applied");
        world_free(w);
    }
}

/* Nothing at all is asked before the API server's time is up, and then all is tried. */
static void test_throttled(void **state)
{
    struct world *w = world_with_namespace();
    struct twenty many;

    (void)state;
    w->refuse_path = "configmaps";
    w->refuse_status = 429;
    w->refuse_retry_after_s = 7;
    w->refuse_body = "Too many requests, please try again later.\n";
    publish_twenty(w, &many, "ConfigMap", MAP("a", ""));
    world_pass(w, 1000);
    assert_in_range(world_asked(w, "PATCH"), 1, 8);
    world_forget_requests(w);
    world_pass(w, 5900);
    assert_string_equal(w->requests, "");
    w->refuse_path = NULL;
    world_pass(w, 20000);
    assert_twenty(w, "Applied");
    world_free(w);
}

/* ---- replacing ---- */

static void test_immutable_is_left(void **state)
{
    struct world_work work = {"ConfigMap", "web", "a", MAP("a", ""), NULL, 0};
    struct world *w = world_with_namespace();

    (void)state;
    publish(w, 1, &work, 1);
    world_pass(w, 2000);
    w->refuse_path = "configmaps";
    w->refuse_status = 422;
    w->refuse_body = IMMUTABLE;
    work.blob = MAP("b", "");
    publish(w, 2, &work, 1);
    world_pass(w, 2000);
    world_assert_state(
        w, 0, "Failed/Healthy ImmutableField spec.x: field is immutable; the object is left as");
    world_pass(w, 3600000);
    assert_int_equal(world_asked(w, "DELETE"), 0);
    assert_in_range(world_asked(w, "PATCH"), 3, 5);
    world_free(w);
}

static void test_immutable_is_replaced(void **state)
{
    struct world_work work = {"ConfigMap", "web", "a", MAP("a", REPLACE), NULL, 0};
    struct world *w = world_with_namespace();
    char uid[40];

    (void)state;
    publish(w, 1, &work, 1);
    world_pass(w, 2000);
    snprintf(uid, sizeof uid, "%s", world_object(w, MAPS "a")->uid);
    w->refuse_path = "configmaps";
    w->refuse_status = 422;
    w->refuse_body = IMMUTABLE;
    w->linger = true;
    work.blob = MAP("b", REPLACE);
    publish(w, 2, &work, 1);
    world_pass(w, 2000);
    assert_int_equal(world_asked(w, "DELETE"), 1);
    assert_non_null(strstr(w->requests, "DELETE " MAPS "a"));
    world_assert_state(w, 0, "Waiting/Healthy ");
    w->linger = false;
    w->refuse_path = NULL;
    world_object(w, MAPS "a")->used = false;
    world_pass(w, 60000);
    world_assert_state(w, 0, "Applied");
    assert_string_not_equal(world_object(w, MAPS "a")->uid, uid);
    assert_int_equal(world_asked(w, "DELETE"), 1);
    world_free(w);
}

/* Once for a content, whatever comes after; another restart does not make it twice. */
static void test_replaced_once(void **state)
{
    struct world_work work = {"ConfigMap", "web", "a", MAP("a", REPLACE), NULL, 0};
    struct world *w = world_with_namespace();

    (void)state;
    publish(w, 1, &work, 1);
    world_pass(w, 2000);
    w->refuse_path = "configmaps";
    w->refuse_status = 422;
    w->refuse_body = IMMUTABLE;
    w->linger = true;
    work.blob = MAP("b", REPLACE);
    publish(w, 2, &work, 1);
    world_object(w, MAPS "a")->deleting = false; /* as if somebody had made it anew */
    world_pass(w, 3600000);
    assert_int_equal(world_asked(w, "DELETE"), 1);
    work.blob = MAP("c", REPLACE);
    w->refuse_body = "{\"kind\":\"Status\",\"message\":\"bad: field is immutable\"}";
    publish(w, 3, &work, 1);
    world_pass(w, 3600000);
    assert_int_equal(world_asked(w, "DELETE"), 1); /* another error */
    world_free(w);
}

static void test_data_is_not_replaced(void **state)
{
    static const char claim[] = "{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\","
                                "\"metadata\":{\"annotations\":{" REPLACE "}}}";
    static const char other[] = "{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\","
                                "\"metadata\":{\"annotations\":{" REPLACE "}},\"spec\":{}}";
    struct world_work work = {"PersistentVolumeClaim", "web", "a", claim, NULL, 0};
    struct world *w = world_with_namespace();

    (void)state;
    publish(w, 1, &work, 1);
    world_pass(w, 2000);
    w->refuse_path = "persistentvolumeclaims";
    w->refuse_status = 422;
    w->refuse_body = IMMUTABLE;
    work.blob = other;
    publish(w, 2, &work, 1);
    world_pass(w, 3600000);
    world_assert_state(w, 0, "Failed/Progressing ImmutableField spec.x: field is immutable");
    assert_int_equal(world_asked(w, "DELETE"), 0);
    world_free(w);
}

/* The API server names the value that it does not understand. */
static void test_secret_is_not_told(void **state)
{
    struct world_work work = {"Secret", "web", "pin",
        "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"stringData\":{\"pin\":13371337}}", NULL, 0};
    struct world *w = world_with_namespace();

    (void)state;
    w->refuse_path = "/secrets/";
    w->refuse_status = 500;
    w->refuse_body = "{\"kind\":\"Status\",\"code\":500,\"message\":\"failed to create typed patch "
                     "object (web/pin; /v1, Kind=Secret): .stringData.pin: expected string, got "
                     "&value.valueUnstructured{Value:13371337}\"}";
    publish(w, 1, &work, 1);
    world_pass(w, 3600000);
    world_assert_state(w, 0, "Failed/Unknown CreationFailed Invalid: failed to create typed patch");
    assert_non_null(strstr(w->hub_states[0], ".stringData.pin: expected string"));
    assert_null(strstr(w->hub_states[0], "1337"));
    assert_null(strstr(w->log_text, "1337"));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_for_dependency),
        cmocka_unit_test(test_dependency_turns_bad),
        cmocka_unit_test(test_dependency_that_is_not_there),
        cmocka_unit_test(test_cycle),
        cmocka_unit_test(test_removal_the_other_way_round),
        cmocka_unit_test(test_removal_of_what_is_needed),
        cmocka_unit_test(test_kind_appears),
        cmocka_unit_test(test_namespace_appears),
        cmocka_unit_test(test_crd_of_the_bundle),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_half_applied),
        cmocka_unit_test(test_throttled),
        cmocka_unit_test(test_immutable_is_left),
        cmocka_unit_test(test_immutable_is_replaced),
        cmocka_unit_test(test_replaced_once),
        cmocka_unit_test(test_data_is_not_replaced),
        cmocka_unit_test(test_secret_is_not_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
