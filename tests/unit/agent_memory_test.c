/* agent_memory_test.c - an agent that runs out of memory: at each of its allocations in turn, once
 * or for a while, through a bundle, foreign changes, removals, a rollback and a restart. What
 * follows is what would have followed: nothing else is deleted or overwritten, nothing is missed.
 * EVERY=1 tries each allocation, not some. */
#include "agent/wait.h"
#include "proto/link/knows.h"
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NS_PATH "/api/v1/namespaces/web"
#define MAPS "/api/v1/namespaces/web/configmaps/"
#define APP_PATH "/apis/apps/v1/namespaces/web/deployments/d"
#define NS "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\"}"
#define MAP(version, annotations)                                                                  \
    "{\"apiVersion\":\"v1\",\"data\":{\"version\":\"" version "\"},\"kind\":\"ConfigMap\","        \
    "\"metadata\":{\"annotations\":{" annotations "}}}"
#define APP(version)                                                                               \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"annotations\":{"          \
    "\"fedlet.io/health-deadline\":\"1m\"}},\"spec\":{\"replicas\":1,\"version\":\"" version       \
    "\"}}"
#define MINUTE 60000u
#define SOME 150u /* allocations that are refused, unless all are */

/* ---- memory ---- */

struct memory {
    struct fed_alloc alloc;
    size_t asked;
    size_t from; /* refused from this one on ... */
    size_t n;    /* ... so many */
};

static void *memory_resize(void *ctx, void *at, size_t old_size, size_t size)
{
    struct memory *m = ctx;
    size_t number = size > 0 ? m->asked++ : 0;

    if (size > 0 && number >= m->from && number - m->from < m->n)
        return NULL;
    return fed_alloc_system()->resize(fed_alloc_system()->ctx, at, old_size, size);
}

/* ---- the world ---- */

struct scene {
    struct world *w;
    struct memory memory;
    struct world_work works[8];
    size_t n;
    uint64_t revision;
};

static unsigned judge(
    void *ctx, const char *method, const char *path, const char *body, struct fed_buf *out)
{
    (void)ctx;
    (void)body;
    (void)out;
    if (strcmp(method, "DELETE") == 0 && strcmp(path, MAPS "c") != 0)
        fail_msg("%s is deleted, and nobody ordered that", path);
    if (strcmp(path, MAPS "theirs") == 0)
        fail_msg("%s is written", path);
    return 0;
}

static void boot(struct scene *s)
{
    do
        world_boot(s->w);
    while (s->w->boot_err); /* as the service manager does it */
}

/* Versions with an odd number get well. */
static void control(struct scene *s)
{
    struct world_object *o = world_object(s->w, APP_PATH);
    char status[sizeof o->status];

    if (!o)
        return;
    snprintf(status, sizeof status,
        "{\"observedGeneration\":%u,\"replicas\":1,\"updatedReplicas\":1,\"readyReplicas\":%u,"
        "\"availableReplicas\":%u}",
        o->generation, o->version % 2, o->version % 2);
    if (strcmp(status, o->status) == 0)
        return;
    snprintf(o->spec, sizeof o->spec, "{\"replicas\":1}");
    snprintf(o->status, sizeof o->status, "%s", status);
    o->rv = ++s->w->next_rv;
    world_event(s->w, o, "MODIFIED");
}

static void pass(struct scene *s, unsigned ms)
{
    for (unsigned at = 0; at < ms; at += 5000) {
        world_pass(s->w, 5000);
        control(s);
        world_settle(s->w);
    }
}

static void publish(struct scene *s)
{
    world_publish(s->w, 7, ++s->revision, s->works, s->n);
    if (s->w->daemon)
        world_notify(s->w);
    pass(s, MINUTE);
}

static void steal(struct scene *s, const char *path)
{
    struct world_object *o = world_object(s->w, path);

    if (!o)
        return;
    o->rv = ++s->w->next_rv;
    snprintf(o->fields, sizeof o->fields, "stolen");
    world_event(s->w, o, "MODIFIED");
}

static void take_away(struct scene *s, const char *path)
{
    struct world_object *o = world_object(s->w, path);

    if (!o)
        return;
    o->rv = ++s->w->next_rv;
    o->used = false;
    world_event(s->w, o, "DELETED");
}

static void begin(struct scene *s, size_t from, size_t n)
{
    *s = (struct scene){.w = world_new(),
        .memory = {.from = from, .n = n},
        .works = {{"ConfigMap", "web", "a", MAP("1", ""), NULL, 0},
            {"ConfigMap", "web", "b", MAP("1", "\"fedlet.io/depends-on\":\"Deployment/d\""), NULL,
                0},
            {"ConfigMap", "web", "theirs", MAP("1", ""), NULL, 0},
            {"Namespace", NULL, "web", NS, NULL, 0},
            {"Deployment", "web", "d", APP("1"), NULL, FED_WORK_STATUS | FED_WORK_SCALE},
            {"ConfigMap", "web", "c", MAP("1", "\"fedlet.io/depends-on\":\"ConfigMap/a\""), NULL,
                0}},
        .n = 6};
    s->memory.alloc = (struct fed_alloc){.ctx = &s->memory, .resize = memory_resize};
    s->w->mem = &s->memory.alloc;
    s->w->hub_knows = FED_LINK_KNOWS_ALL;
    s->w->hub_has_kinds = s->w->hub_has_orders = true;
    s->w->judge = judge;
    s->w->now_ms = 100000000;
    world_add_object(s->w, MAPS "theirs", "");
    world_add_object(s->w, MAPS "stray", "true");
}

static void act(struct scene *s)
{
    world_publish(s->w, 7, ++s->revision, s->works, s->n);
    boot(s);
    pass(s, MINUTE);
    steal(s, MAPS "a");
    take_away(s, MAPS "b");
    pass(s, MINUTE);
    s->works[0].blob = MAP("2", "");
    world_order(s->w, &s->works[5]);
    s->n = 5; /* without c */
    publish(s);
    world_crash(s->w);
    boot(s);
    s->works[4].blob = APP("2"); /* never gets well */
    publish(s);
    take_away(s, MAPS "a");
    pass(s, 3 * MINUTE);
}

/* ---- what came of it ---- */

static void on_wait(void *ctx, const struct agent_wait *wait)
{
    const struct scene *s = ctx;

    if (!wait->reason ||
        (strcmp(wait->reason, "AlreadyExists") != 0 && strcmp(wait->reason, "RolledBack") != 0))
        fail_msg("from %zu: %s %s waits: %s %s", s->memory.from, wait->what, wait->object,
            wait->reason ? wait->reason : "", wait->message ? wait->message : "");
}

static void assert_version(const struct scene *s, const char *path, unsigned version)
{
    const struct world_object *o = world_object(s->w, path);

    if (!o || o->version != version || strcmp(o->managed, "true") != 0 || strstr(o->fields, "st"))
        fail_msg("from %zu: %s has version %u, label %s, expected %u", s->memory.from, path,
            o ? o->version : 0, o ? o->managed : "none", version);
}

static void assert_told(const struct scene *s, size_t index, const char *expected)
{
    if (strncmp(s->w->hub_states[index], expected, strlen(expected)) != 0)
        fail_msg("from %zu: the hub has \"%s\", expected \"%s\"", s->memory.from,
            s->w->hub_states[index], expected);
}

static void judge_all(struct scene *s)
{
    const struct world_object *o = world_object(s->w, MAPS "stray");

    s->memory.n = 0;
    for (unsigned i = 0; i < 90; i++) { /* longer than any pause */
        pass(s, MINUTE);
        world_pass_minutes(s->w, 1);
    }
    assert_version(s, MAPS "a", 2);
    assert_version(s, MAPS "b", 1);
    assert_version(s, APP_PATH, 1);
    assert_null(world_object(s->w, MAPS "c"));
    if (!o || o->managed[0])
        fail_msg("from %zu: the stray is %s", s->memory.from, o ? o->managed : "gone");
    assert_told(s, 0, "Applied/");
    assert_told(s, 1, "Applied/");
    assert_told(s, 2, "Failed/Unknown AlreadyExists");
    assert_told(s, 3, "Applied/");
    assert_told(s, 4, "Failed/Healthy RolledBack");
    assert_int_equal(s->w->report.revision, s->revision);
    agent_daemon_waits(s->w->daemon, on_wait, s);
    world_forget_requests(s->w);
    world_pass_minutes(s->w, 60);
    if (world_asked(s->w, "PATCH") > 0)
        fail_msg("from %zu: no quiet: %.500s", s->memory.from, s->w->requests);
}

/* Returns how many allocations there were. */
static size_t play(size_t from, size_t n)
{
    struct scene s;
    size_t asked;

    begin(&s, from, n);
    act(&s);
    asked = s.memory.asked;
    judge_all(&s);
    world_free(s.w);
    return asked;
}

static void sweep(size_t n)
{
    size_t all = play(SIZE_MAX, 0);
    size_t each = getenv("EVERY") ? 1 : all / SOME + 1;
    const char *only = getenv("FROM");

    if (only) {
        play(strtoul(only, NULL, 10), n);
        return;
    }
    for (size_t from = 0; from < all; from += each)
        play(from, n);
    print_message("%zu allocations, one in %zu\n", all, each);
}

static void test_once(void **state)
{
    (void)state;
    sweep(1);
}

static void test_for_a_while(void **state)
{
    (void)state;
    sweep(8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_for_a_while),
    };

    return cmocka_run_group_tests_name("agent_memory", tests, NULL, NULL);
}
