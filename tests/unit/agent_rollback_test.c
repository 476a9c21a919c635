/* agent_rollback_test.c - health deadlines: an agent whose member's Deployment gets well or does
 * not, by the version that was applied. */
#include "tests/unit/agent_world.h"

#include "agent/policy.h"
#include "proto/link/knows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NS_BLOB "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\"}"
#define WEB_PATH "/apis/apps/v1/namespaces/web/deployments/api"
#define WEB_INDEX 1
#define VERSIONS 64
#define DEADLINE_MS 300000u

/* Deployment with a deadline of five minutes; the world keeps "version" of what was applied. */
#define BLOB_SIZE 300
static const char *blob_of(unsigned version, const char *more)
{
    static char all[2 * VERSIONS][BLOB_SIZE]; /* the hub keeps pointers */
    char text[BLOB_SIZE];
    size_t i = 0;

    snprintf(text, BLOB_SIZE,
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"annotations\":{"
        "\"fedlet.io/health-deadline\":\"5m\"%s}},\"spec\":{\"replicas\":1,\"version\":\"%u\"}}",
        more, version);
    while (all[i][0] && strcmp(all[i], text) != 0)
        i++;
    assert_true(i + 1 < 2 * VERSIONS);
    memcpy(all[i], text, sizeof text);
    return all[i];
}

struct scene {
    struct world *w;
    struct world_work works[2];
    uint64_t revision;
    bool ill[VERSIONS]; /* versions that never get well */
};

static void scene_init(struct scene *s)
{
    *s = (struct scene){.w = world_new(),
        .works = {{"Namespace", NULL, "web", NS_BLOB, NULL, 0},
            {"Deployment", "web", "api", NULL, NULL, 0}}};
    s->w->hub_knows = FED_LINK_KNOWS_ALL;
    s->w->now_ms = 100000000; /* a machine that is up for a day */
}

static void scene_fini(struct scene *s)
{
    world_free(s->w);
}

static struct world_object *web(struct scene *s)
{
    return world_object(s->w, WEB_PATH);
}

static unsigned version(struct scene *s)
{
    return web(s) ? web(s)->version : 0;
}

/* The controllers of the member: status by the version that is in place. */
static void set_status(struct scene *s, bool well)
{
    struct world_object *o = web(s);
    char status[sizeof o->status];

    if (!o)
        return;
    snprintf(status, sizeof status,
        "{\"observedGeneration\":%u,\"replicas\":1,\"updatedReplicas\":1,"
        "\"readyReplicas\":%u,\"availableReplicas\":%u}",
        o->generation, well, well);
    if (strcmp(o->status, status) == 0)
        return;
    snprintf(o->status, sizeof o->status, "%s", status);
    o->rv = ++s->w->next_rv;
}

/* What passes in small steps, with controllers at work. */
static void pass(struct scene *s, uint64_t ms)
{
    for (uint64_t at = 0; at < ms; at += 1000) {
        world_pass(s->w, ms - at < 1000 ? ms - at : 1000);
        if (web(s)) {
            unsigned before = web(s)->rv;

            set_status(s, !s->ill[version(s)]);
            if (web(s)->rv != before)
                world_event(s->w, web(s), "MODIFIED");
        }
        world_settle(s->w);
    }
}

/* The agent's first process, and version 1. */
static void boot(struct scene *s, const char *more)
{
    s->works[1].blob = blob_of(1, more);
    world_publish(s->w, 7, ++s->revision, s->works, 2);
    world_boot(s->w);
}

static void publish_more(struct scene *s, unsigned number, const char *more)
{
    s->works[1].blob = blob_of(number, more);
    world_publish(s->w, 7, ++s->revision, s->works, 2);
    world_notify(s->w);
}

static void publish(struct scene *s, unsigned number)
{
    publish_more(s, number, "");
}

static size_t rows(const struct world *w, const char *prefix)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n_rows; i++)
        n += w->rows[i].key_len >= 2 && memcmp(w->rows[i].key, prefix, 2) == 0;
    return n;
}

static void assert_web(const struct scene *s, const char *expected)
{
    if (strncmp(s->w->hub_states[WEB_INDEX], expected, strlen(expected)) != 0)
        fail_msg("\"%s\", expected \"%s\"", s->w->hub_states[WEB_INDEX], expected);
}

/* Version 1 is well; version 2 will not be. */
static void begin_well(struct scene *s, const char *more)
{
    scene_init(s);
    s->ill[2] = true;
    boot(s, more);
    pass(s, 10000);
}

/* ... and its time is up. */
static void begin_rolled_back(struct scene *s)
{
    begin_well(s, "");
    assert_web(s, "Applied/Healthy");
    publish(s, 2);
    pass(s, DEADLINE_MS - 10000);
    assert_int_equal(version(s), 2);
    assert_web(s, "Applied/Progressing");
    pass(s, 20000);
}

static void test_goes_back(void **state)
{
    struct scene s;

    (void)state;
    begin_rolled_back(&s);
    assert_int_equal(version(&s), 1);
    assert_web(&s, "Failed/Healthy RolledBack not healthy within 5m: LessAvailable: 0 of 1");
    assert_true(s.w->report.n_entries > 0 && s.w->report.entries[0].in_place);
    assert_int_equal(s.w->report.entries[0].generation, web(&s)->generation);
    assert_int_equal(rows(s.w, "b/"), 3); /* of the namespace, and both versions */
    world_forget_requests(s.w);
    pass(&s, 3600000);
    assert_int_equal(world_asked(s.w, "PATCH"), 0);
    assert_int_equal(version(&s), 1);

    publish(&s, 3);
    pass(&s, 10000);
    assert_int_equal(version(&s), 3);
    assert_web(&s, "Applied/Healthy");
    assert_int_equal(rows(s.w, "b/"), 2);
    scene_fini(&s);
}

/* The last look is one in the name of the account that may look. */
static void test_looks_as_the_account(void **state)
{
    struct agent_policy *policy = NULL;
    struct scene s;

    (void)state;
    assert_int_equal(agent_policy_read(fed_alloc_system(),
                         FED_SPAN_LIT("{\"serviceAccounts\":{\"*\":\"deployer\"}}"), &policy, NULL),
        FED_OK);
    begin_well(&s, "");
    s.w->reader = "system:serviceaccount:web:deployer";
    agent_daemon_set_policy(s.w->daemon, policy);
    publish(&s, 2);
    pass(&s, DEADLINE_MS + 20000);
    assert_int_equal(version(&s), 1);
    assert_web(&s, "Failed/Healthy RolledBack");
    scene_fini(&s);
    agent_policy_free(policy);
}

static void test_drift_is_put_back_to_it(void **state)
{
    struct scene s;

    (void)state;
    begin_rolled_back(&s);
    snprintf(web(&s)->fields, sizeof web(&s)->fields, "changed");
    web(&s)->version = 0;
    web(&s)->rv = ++s.w->next_rv;
    world_event(s.w, web(&s), "MODIFIED");
    pass(&s, 5000);
    assert_int_equal(version(&s), 1);
    assert_web(&s, "Failed/Healthy RolledBack");
    web(&s)->used = false;
    world_crash(s.w);
    world_boot(s.w);
    pass(&s, 10000);
    assert_int_equal(version(&s), 1);
    assert_web(&s, "Failed/Healthy RolledBack");
    scene_fini(&s);
}

static void test_outlives_the_process(void **state)
{
    struct scene s;

    (void)state;
    begin_rolled_back(&s);
    world_crash(s.w);
    world_forget_requests(s.w);
    world_boot(s.w);
    pass(&s, 2 * DEADLINE_MS);
    assert_int_equal(version(&s), 1);
    assert_int_equal(world_asked(s.w, "PATCH"), 0);
    assert_web(&s, "Failed/Healthy RolledBack not healthy within 5m: LessAvailable: 0 of 1");
    publish(&s, 2); /* the same again is no reason to try it */
    pass(&s, 10000);
    assert_int_equal(version(&s), 1);
    scene_fini(&s);
}

/* Killed after the decision was written and before it was carried out. */
static void test_killed_in_the_middle(void **state)
{
    struct scene s;

    (void)state;
    begin_well(&s, "");
    s.w->refuse_path = "deployments";
    s.w->refuse_status = 503;
    s.w->refuse_body = "{}";
    publish(&s, 2);
    pass(&s, DEADLINE_MS);
    assert_int_equal(version(&s), 1); /* never applied: no deadline runs */
    s.w->refuse_path = NULL;
    pass(&s, 70000);
    assert_int_equal(version(&s), 2);
    s.w->refuse_path = "deployments";
    pass(&s, DEADLINE_MS);
    assert_int_equal(version(&s), 2);
    assert_web(&s, "Waiting/Progressing RollbackFailed");
    world_crash(s.w);
    s.w->refuse_path = NULL;
    s.w->hub_down = true;
    world_forget_requests(s.w);
    world_boot(s.w);
    pass(&s, 2000);
    assert_int_equal(world_asked(s.w, "PATCH"), 1);
    assert_int_equal(version(&s), 1);
    scene_fini(&s);
}

/* Killed in the moment in which the member took the earlier version: what was decided stands in the
 * file already. */
static void test_killed_at_once(void **state)
{
    struct scene s;

    (void)state;
    begin_well(&s, "");
    publish(&s, 2);
    pass(&s, DEADLINE_MS - 10000);
    for (unsigned i = 0; i < 2000 && version(&s) == 2; i++)
        world_pass(s.w, 10);
    assert_int_equal(version(&s), 1);
    world_crash(s.w);
    world_forget_requests(s.w);
    world_boot(s.w);
    pass(&s, 20000);
    assert_int_equal(version(&s), 1);
    assert_web(&s, "Failed/Healthy RolledBack");
    scene_fini(&s);
}

/* A full disk does not stop it; when there is room again it is written. */
static void test_full_disk(void **state)
{
    struct scene s;

    (void)state;
    begin_well(&s, "");
    publish(&s, 2);
    pass(&s, 10000);
    s.w->commit_err = FED_ERR_IO;
    pass(&s, DEADLINE_MS);
    assert_int_equal(version(&s), 1);
    assert_web(&s, "Failed/Healthy RolledBack");
    s.w->commit_err = FED_OK;
    pass(&s, 90000);
    world_crash(s.w);
    world_boot(s.w);
    pass(&s, 10000);
    assert_int_equal(version(&s), 1);
    assert_web(&s, "Failed/Healthy RolledBack");
    scene_fini(&s);
}

static void test_no_earlier_version(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s);
    s.ill[1] = true;
    boot(&s, "");
    pass(&s, DEADLINE_MS + 20000);
    assert_int_equal(version(&s), 1);
    assert_web(&s, "Applied/Unhealthy DeadlineExceeded not healthy within 5m: LessAvailable");
    world_forget_requests(s.w);
    pass(&s, 3600000);
    assert_int_equal(world_asked(s.w, "PATCH"), 0);
    assert_web(&s, "Applied/Unhealthy DeadlineExceeded");
    snprintf(web(&s)->status, sizeof web(&s)->status,
        "{\"observedGeneration\":9,\"conditions\":[{\"type\":\"ReplicaFailure\",\"status\":"
        "\"True\"}]}");
    web(&s)->rv = ++s.w->next_rv;
    world_event(s.w, web(&s), "MODIFIED"); /* another word for the same */
    world_pass(s.w, 5000);
    assert_web(&s, "Applied/Unhealthy DeadlineExceeded");
    s.ill[1] = false;
    pass(&s, 10000);
    assert_web(&s, "Applied/Healthy");
    s.ill[2] = true;
    publish(&s, 2);
    pass(&s, DEADLINE_MS + 20000);
    assert_int_equal(version(&s), 1);
    scene_fini(&s);
}

/* Well within the time, and then not any more: that version has passed. */
static void test_late_and_in_time(void **state)
{
    struct scene s;

    (void)state;
    begin_well(&s, "");
    publish(&s, 2);
    pass(&s, DEADLINE_MS - 20000);
    s.ill[2] = false;
    pass(&s, 10000);
    assert_web(&s, "Applied/Healthy");
    assert_int_equal(rows(s.w, "b/"), 2); /* the one before is not needed any more */
    s.ill[2] = true;
    pass(&s, 3 * DEADLINE_MS);
    assert_int_equal(version(&s), 2);
    assert_web(&s, "Applied/Progressing");
    world_crash(s.w);
    world_boot(s.w);
    pass(&s, 3 * DEADLINE_MS);
    assert_int_equal(version(&s), 2);
    scene_fini(&s);
}

/* No event told that it is well: the last look does. */
static void test_looks_before_it_judges(void **state)
{
    struct scene s;

    (void)state;
    begin_well(&s, "");
    publish(&s, 2);
    pass(&s, 10000);
    set_status(&s, true);
    world_pass(s.w, DEADLINE_MS);
    assert_int_equal(version(&s), 2);
    assert_web(&s, "Applied/Healthy");
    scene_fini(&s);
}

static void test_told_to_try_again(void **state)
{
    struct scene s;

    (void)state;
    begin_rolled_back(&s);
    s.works[1].options = FED_WORK_ORPHAN; /* how it is to end says nothing about the version */
    publish(&s, 2);
    pass(&s, 10000);
    assert_int_equal(version(&s), 1);
    assert_web(&s, "Failed/Healthy RolledBack");
    s.ill[2] = false;
    publish_more(&s, 2, ",\"fedlet.io/retry\":\"once more\"");
    pass(&s, 10000);
    assert_int_equal(version(&s), 2);
    assert_web(&s, "Applied/Healthy");
    scene_fini(&s);
}

static void test_other_overrides_are_another_version(void **state)
{
    struct scene s;

    (void)state;
    begin_rolled_back(&s);
    s.works[1].overrides = "[{\"op\":\"replace\",\"path\":\"/spec/version\",\"value\":\"5\"}]";
    publish(&s, 2);
    pass(&s, 10000);
    assert_int_equal(version(&s), 5);
    assert_web(&s, "Applied/Healthy");
    s.ill[6] = true;
    s.works[1].overrides = "[{\"op\":\"replace\",\"path\":\"/spec/version\",\"value\":\"6\"}]";
    publish(&s, 2);
    pass(&s, DEADLINE_MS + 20000);
    assert_int_equal(version(&s), 5); /* with the overrides of then */
    scene_fini(&s);
}

/* The hub itself goes back: that version was healthy, and is not on trial. */
static void test_hub_goes_back(void **state)
{
    struct scene s;

    (void)state;
    begin_rolled_back(&s);
    s.ill[1] = true;
    publish(&s, 1);
    pass(&s, 3 * DEADLINE_MS);
    assert_int_equal(version(&s), 1);
    assert_web(&s, "Applied/Progressing");
    assert_int_equal(rows(s.w, "b/"), 2);
    scene_fini(&s);
}

/* A third version takes the place of one on trial: what both would go back to is the first. */
static void test_goes_back_to_the_last_healthy_one(void **state)
{
    struct scene s;

    (void)state;
    begin_rolled_back(&s);
    s.ill[3] = s.ill[4] = true;
    publish(&s, 3);
    pass(&s, 60000);
    publish(&s, 4);
    pass(&s, DEADLINE_MS - 20000);
    assert_int_equal(version(&s), 4); /* with a clock of its own */
    pass(&s, 40000);
    assert_int_equal(version(&s), 1);
    assert_int_equal(rows(s.w, "b/"), 3);
    scene_fini(&s);
}

static void test_without_the_hub(void **state)
{
    struct scene s;

    (void)state;
    begin_well(&s, "");
    publish(&s, 2);
    world_crash(s.w);
    s.w->hub_down = true;
    world_boot(s.w);
    pass(&s, DEADLINE_MS + 20000);
    assert_int_equal(version(&s), 1);
    s.w->hub_down = false;
    pass(&s, 600000);
    assert_web(&s, "Failed/Healthy RolledBack");
    scene_fini(&s);
}

static void test_time_without_the_api_server(void **state)
{
    struct scene s;

    (void)state;
    begin_well(&s, "");
    publish(&s, 2);
    pass(&s, 60000);
    s.w->api_down = true;
    world_pass(s.w, 4 * DEADLINE_MS);
    s.w->api_down = false;
    pass(&s, 120000);
    assert_int_equal(version(&s), 2);
    pass(&s, 180000);
    assert_int_equal(version(&s), 1);
    scene_fini(&s);
}

/* The clock goes on over a restart of the agent, and begins anew with the machine. */
static void test_clock_over_restarts(void **state)
{
    struct scene s;

    (void)state;
    begin_well(&s, "");
    publish(&s, 2);
    pass(&s, 200000);
    world_crash(s.w);
    s.w->now_ms = 40000;
    world_boot(s.w);
    pass(&s, DEADLINE_MS - 20000);
    assert_int_equal(version(&s), 2);
    world_crash(s.w);
    world_boot(s.w);
    pass(&s, 25000);
    assert_int_equal(version(&s), 2); /* what the member says is to be news first */
    pass(&s, 25000);
    assert_int_equal(version(&s), 1);
    scene_fini(&s);
}

static void test_leaves_the_bundle(void **state)
{
    struct scene s;

    (void)state;
    begin_rolled_back(&s);
    assert_int_equal(rows(s.w, "h/"), 1);
    world_publish(s.w, 7, ++s.revision, s.works, 1);
    world_notify(s.w);
    world_pass(s.w, 5000);
    assert_null(web(&s));
    assert_int_equal(rows(s.w, "h/"), 0);
    assert_int_equal(rows(s.w, "b/"), 1);
    publish(&s, 2); /* back again: on trial, with nothing to go back to */
    pass(&s, DEADLINE_MS + 20000);
    assert_int_equal(version(&s), 2);
    assert_web(&s, "Applied/Unhealthy DeadlineExceeded");
    scene_fini(&s);
}

static void test_held(void **state)
{
    struct scene s;

    (void)state;
    begin_well(&s, "");
    publish(&s, 2);
    pass(&s, 60000);
    s.works[1].options = FED_WORK_HELD;
    publish(&s, 2);
    pass(&s, 3 * DEADLINE_MS);
    assert_int_equal(version(&s), 2); /* its object stays as it is */
    s.works[1].options = 0;
    publish(&s, 2);
    pass(&s, DEADLINE_MS + 20000);
    assert_int_equal(version(&s), 1);
    s.works[1].options = FED_WORK_HELD;
    publish(&s, 2);
    world_crash(s.w); /* the next process says so, too */
    world_boot(s.w);
    pass(&s, 20000);
    assert_web(&s, "Failed/Healthy RolledBack");
    s.works[1].options = 0;
    publish(&s, 2);
    pass(&s, 20000);
    assert_int_equal(version(&s), 1);
    assert_web(&s, "Failed/Healthy RolledBack");
    scene_fini(&s);
}

/* The member refuses the earlier version: said, and tried with pauses. */
static void test_cannot_be_put_back(void **state)
{
    struct scene s;

    (void)state;
    begin_well(&s, "");
    publish(&s, 2);
    pass(&s, 10000);
    s.w->refuse_path = "deployments";
    s.w->refuse_status = 422;
    s.w->refuse_body = "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"immutable\"}";
    world_forget_requests(s.w);
    pass(&s, DEADLINE_MS + 600000);
    assert_web(&s, "Failed/Progressing RollbackFailed Invalid: immutable");
    assert_in_range(world_asked(s.w, "PATCH"), 2, 12);
    s.w->refuse_path = NULL;
    pass(&s, 3600000);
    assert_int_equal(version(&s), 1);
    assert_web(&s, "Failed/Healthy RolledBack");
    scene_fini(&s);
}

/* An earlier version with another value of a field that cannot change: replaced, where that is
 * allowed, as the newer one was. */
static void test_is_replaced_to_be_put_back(void **state)
{
    static const char replace[] = ",\"fedlet.io/replace\":\"true\"";
    struct scene s;

    (void)state;
    begin_well(&s, replace);
    publish_more(&s, 2, replace);
    pass(&s, 10000);
    s.w->refuse_path = "deployments";
    s.w->refuse_status = 422;
    s.w->refuse_body =
        "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"field is "
        "immutable\",\"details\":{"
        "\"causes\":[{\"reason\":\"FieldValueInvalid\",\"field\":\"spec.selector\",\"message\":"
        "\"Invalid value: {}: field is immutable\"}]}}";
    world_forget_requests(s.w);
    for (unsigned i = 0; i < 400 && world_asked(s.w, "DELETE") == 0; i++)
        pass(&s, 1000);
    assert_int_equal(world_asked(s.w, "DELETE"), 1);
    s.w->refuse_path = NULL;
    pass(&s, 30000);
    assert_int_equal(version(&s), 1);
    assert_web(&s, "Failed/Healthy RolledBack");
    assert_int_equal(world_asked(s.w, "DELETE"), 1);
    scene_fini(&s);
}

/* What depends on it waits while an earlier version is back. */
static void test_dependants_wait(void **state)
{
    static const char before[] =
        "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"1\"},\"kind\":\"ConfigMap\",\"metadata\":{"
        "\"annotations\":{\"fedlet.io/depends-on\":\"Deployment/api\"}}}";
    static const char after[] =
        "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"2\"},\"kind\":\"ConfigMap\",\"metadata\":{"
        "\"annotations\":{\"fedlet.io/depends-on\":\"Deployment/api\"}}}";
    struct world_work works[3];
    struct scene s;

    (void)state;
    scene_init(&s);
    s.ill[2] = true;
    memcpy(works, s.works, sizeof s.works);
    works[1].blob = blob_of(1, "");
    works[2] = (struct world_work){"ConfigMap", "web", "settings", before, NULL, 0};
    world_publish(s.w, 7, 1, works, 3);
    world_boot(s.w);
    pass(&s, 10000);
    assert_true(strncmp(s.w->hub_states[0], "Applied", 7) == 0);
    works[1].blob = blob_of(2, "");
    works[2].blob = after;
    world_publish(s.w, 7, 2, works, 3);
    world_notify(s.w);
    pass(&s, DEADLINE_MS + 20000);
    assert_int_equal(version(&s), 1);
    if (!strstr(s.w->hub_states[0], "Waiting/Healthy DependencyNotReady"))
        fail_msg("%s", s.w->hub_states[0]);
    works[1].blob = blob_of(3, "");
    world_publish(s.w, 7, 3, works, 3);
    world_notify(s.w);
    pass(&s, 10000);
    assert_true(strncmp(s.w->hub_states[0], "Applied", 7) == 0);
    scene_fini(&s);
}

/* A hub that was put back from a backup, or another one, names the same again. */
static void test_another_epoch(void **state)
{
    struct scene s;

    (void)state;
    begin_rolled_back(&s);
    world_publish(s.w, 8, 1, s.works, 2);
    world_notify(s.w);
    pass(&s, 20000);
    assert_int_equal(version(&s), 1);
    assert_web(&s, "Failed/Healthy RolledBack");
    world_publish(s.w, 9, 1, s.works, 1); /* not named: kept as it is */
    world_notify(s.w);
    pass(&s, 20000);
    assert_int_equal(version(&s), 1);
    world_publish(s.w, 9, 2, s.works, 2);
    world_notify(s.w);
    pass(&s, 20000);
    assert_int_equal(version(&s), 1);
    assert_web(&s, "Failed/Healthy RolledBack");
    scene_fini(&s);
}

/* Waits for consent while an earlier version is back, is removed, and comes back before it is gone:
 * nothing is known of its versions then. */
static void test_comes_back_after_consent(void **state)
{
    struct scene s;

    (void)state;
    begin_rolled_back(&s);
    s.w->hub_has_orders = s.w->hub_has_no_base = s.w->linger = true;
    world_publish(s.w, 7, ++s.revision, s.works, 1);
    world_notify(s.w);
    pass(&s, 3000);
    assert_true(web(&s)->deleting);
    publish(&s, 2);
    pass(&s, 3000);
    s.w->linger = false;
    web(&s)->used = false;
    pass(&s, 60000);
    assert_int_equal(version(&s), 2);
    assert_web(&s, "Applied/Progressing");
    pass(&s, DEADLINE_MS);
    assert_web(&s, "Applied/Unhealthy DeadlineExceeded");
    scene_fini(&s);
}

/* A foreign change that is only reported does not make the version that failed an applied one. */
static void test_drift_that_is_reported(void **state)
{
    static const char report[] = ",\"fedlet.io/drift\":\"report\"";
    struct scene s;

    (void)state;
    begin_well(&s, report);
    publish_more(&s, 2, report);
    pass(&s, DEADLINE_MS + 20000);
    assert_web(&s, "Failed/Healthy RolledBack");
    snprintf(web(&s)->fields, sizeof web(&s)->fields, "stolen");
    web(&s)->rv = ++s.w->next_rv;
    world_event(s.w, web(&s), "MODIFIED");
    pass(&s, 30000);
    assert_web(&s, "Failed/Healthy Drifted");
    assert_int_equal(version(&s), 1);
    scene_fini(&s);
}

/* An earlier hub gets neither a version with a failure nor a reason with an applied one. */
static void test_older_hub(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s);
    s.w->hub_knows = 0;
    s.ill[1] = true;
    boot(&s, "");
    pass(&s, DEADLINE_MS + 20000);
    assert_string_equal(s.w->hub_states[WEB_INDEX], "Applied/Unhealthy  ");
    assert_false(s.w->report.entries[0].in_place);
    scene_fini(&s);
}

/* ---- whatever happens ---- */

static unsigned draw(uint32_t *seed, unsigned n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % n;
}

/* After quiet: the newest version when it is well or was never judged, else the last one that was
 * well when it was replaced. Two versions never take turns: each PATCH but the last one is another
 * version, or an end of quiet. */
static void run_random(uint32_t seed)
{
    struct scene s;
    unsigned newest = 1;
    unsigned good = 0; /* the last one that was seen well */

    scene_init(&s);
    boot(&s, "");
    for (unsigned step = 0; step < 24; step++) {
        switch (draw(&seed, 5)) {
        case 0:
        case 1:
            if (newest + 1 < WORLD_REVISIONS) {
                s.ill[++newest] = draw(&seed, 2);
                publish(&s, newest);
            }
            break;
        case 2:
            world_crash(s.w);
            world_boot(s.w);
            break;
        case 3:
            pass(&s, 1000u * (1 + draw(&seed, 200)));
            break;
        default:
            s.w->hub_down = draw(&seed, 2);
            break;
        }
        pass(&s, 5000);
        if (!s.ill[version(&s)])
            good = version(&s);
    }
    s.w->hub_down = false;
    pass(&s, 3 * DEADLINE_MS);
    if (!s.ill[newest] || good == 0)
        assert_int_equal(version(&s), newest);
    else
        assert_int_equal(version(&s), good);
    world_forget_requests(s.w);
    pass(&s, 4 * DEADLINE_MS);
    assert_int_equal(world_asked(s.w, "PATCH"), 0);
    scene_fini(&s);
}

static void test_whatever_happens(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 60; seed++) {
        print_message("seed %u\n", seed);
        run_random(seed * 7919u);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_back),
        cmocka_unit_test(test_looks_as_the_account),
        cmocka_unit_test(test_drift_is_put_back_to_it),
        cmocka_unit_test(test_outlives_the_process),
        cmocka_unit_test(test_killed_in_the_middle),
        cmocka_unit_test(test_killed_at_once),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_no_earlier_version),
        cmocka_unit_test(test_late_and_in_time),
        cmocka_unit_test(test_looks_before_it_judges),
        cmocka_unit_test(test_told_to_try_again),
        cmocka_unit_test(test_other_overrides_are_another_version),
        cmocka_unit_test(test_hub_goes_back),
        cmocka_unit_test(test_goes_back_to_the_last_healthy_one),
        cmocka_unit_test(test_without_the_hub),
        cmocka_unit_test(test_time_without_the_api_server),
        cmocka_unit_test(test_clock_over_restarts),
        cmocka_unit_test(test_leaves_the_bundle),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_cannot_be_put_back),
        cmocka_unit_test(test_is_replaced_to_be_put_back),
        cmocka_unit_test(test_dependants_wait),
        cmocka_unit_test(test_another_epoch),
        cmocka_unit_test(test_comes_back_after_consent),
        cmocka_unit_test(test_drift_that_is_reported),
        cmocka_unit_test(test_older_hub),
        cmocka_unit_test(test_whatever_happens),
    };

    return cmocka_run_group_tests_name("agent_rollback", tests, NULL, NULL);
}
