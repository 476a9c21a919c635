/* agent_guard_test.c - where features of the agent meet: what none of them may delete or overwrite,
 * and what none of them may keep waiting for ever. */
#include "agent/policy.h"
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
#define NS_BLOB "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\"}"
#define MAP(value, annotations)                                                                    \
    "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"" value "\"},\"kind\":\"ConfigMap\","                \
    "\"metadata\":{\"annotations\":{" annotations "}}}"
#define ON(names) "\"fedlet.io/depends-on\":\"" names "\""
#define REPLACE "\"fedlet.io/replace\":\"true\""
#define IMMUTABLE                                                                                  \
    "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"m\",\"details\":{\"causes\":["      \
    "{\"message\":\"Invalid value: 1: field is immutable\",\"field\":\"spec.x\"}]}}"
#define DENIED "{\"kind\":\"Status\",\"message\":\"User \\\"fedlet\\\" cannot patch\"}"

static const struct world_work ns_work = {"Namespace", NULL, "web", NS_BLOB, NULL, 0};

static void publish(
    struct world *w, uint32_t epoch, uint64_t revision, const struct world_work *works, size_t n)
{
    world_publish(w, epoch, revision, works, n);
    if (w->daemon)
        world_notify(w);
    else
        world_boot(w);
    world_pass(w, 3000);
}

static struct agent_policy *policy_of(const char *json)
{
    struct agent_policy *policy = NULL;

    assert_int_equal(
        agent_policy_read(fed_alloc_system(), fed_span_text(json), &policy, NULL), FED_OK);
    return policy;
}

/* ---- what is not ours ---- */

static struct world *world_with_foreign_map(const char *blob, struct world_work *work)
{
    struct world *w = world_new();

    *work = (struct world_work){"ConfigMap", "web", "a", blob, NULL, FED_WORK_ADOPT};
    world_add_object(w, NS_PATH, "");
    world_add_object(w, MAPS "a", "");
    return w;
}

/* What was to be adopted, and never was, stays when its work goes. */
static void test_never_adopted_is_never_removed(void **state)
{
    struct agent_policy *policy = policy_of("{\"kinds\":{\"deny\":[\"ConfigMap\"]}}");

    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        struct world_work work;
        struct world *w = world_with_foreign_map(MAP("a", ""), &work);

        if (i & 1) {
            w->refuse_path = "configmaps";
            w->refuse_status = 403;
            w->refuse_body = DENIED;
        }
        world_boot(w);
        if (!(i & 1))
            agent_daemon_set_policy(w->daemon, policy);
        publish(w, 7, 1, &work, 1);
        world_assert_state(w, 0, "Failed");
        if (i & 2) {
            world_crash(w);
            w->api_down = true;
            world_boot(w);
            if (!(i & 1))
                agent_daemon_set_policy(w->daemon, policy);
            w->api_down = false;
            world_pass(w, 60000);
        }
        if (i & 8) { /* seen a second time */
            work.blob = MAP("b", "");
            publish(w, 7, 2, &work, 1);
            world_assert_state(w, 0, "Failed");
        }
        if (i & 4)
            agent_daemon_leave(w->daemon, false, NULL, NULL);
        else
            publish(w, 7, 3, NULL, 0);
        world_pass(w, 60000);
        assert_non_null(world_object(w, MAPS "a"));
        assert_int_equal(world_asked(w, "DELETE"), 0);
        assert_int_equal(agent_daemon_remaining(w->daemon), 0);
        world_free(w);
    }
    agent_policy_free(policy);
}

/* What carries the label, and was never written by us, is not ours to delete either. */
static void test_never_allowed_is_never_removed(void **state)
{
    struct agent_policy *policy = policy_of("{\"kinds\":{\"deny\":[\"ConfigMap\"]}}");
    struct world_work work;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct world *w = world_with_foreign_map(MAP("a", ""), &work);

        snprintf(world_object(w, MAPS "a")->managed, 8, "true");
        world_boot(w);
        agent_daemon_set_policy(w->daemon, policy);
        publish(w, 7, 1, &work, 1);
        world_assert_state(w, 0, "Failed");
        if (i & 1) {
            work.blob = MAP("b", "");
            publish(w, 7, 2, &work, 1);
            world_crash(w);
            w->api_down = true;
            world_boot(w);
            agent_daemon_set_policy(w->daemon, policy);
            w->api_down = false;
            world_pass(w, 60000);
        }
        if (i & 2)
            agent_daemon_leave(w->daemon, false, NULL, NULL);
        else
            publish(w, 7, 3, NULL, 0);
        world_pass(w, 60000);
        assert_non_null(world_object(w, MAPS "a"));
        assert_int_equal(world_asked(w, "DELETE"), 0);
        assert_int_equal(agent_daemon_remaining(w->daemon), 0);
        world_free(w);
    }
    agent_policy_free(policy);
}

/* Neither is it replaced. */
static void test_never_adopted_is_never_replaced(void **state)
{
    struct world_work work;
    struct world *w = world_with_foreign_map(MAP("a", REPLACE), &work);

    (void)state;
    w->refuse_path = "configmaps";
    w->refuse_status = 422;
    w->refuse_body = IMMUTABLE;
    publish(w, 7, 1, &work, 1);
    world_pass(w, 3600000);
    assert_int_equal(world_asked(w, "DELETE"), 0);
    world_assert_state(w, 0, "Failed/Unknown ImmutableField");
    w->refuse_path = NULL;
    world_pass(w, 7200000);
    world_assert_state(w, 0, "Applied");
    world_free(w);
}

#define QUOTA "{\"kind\":\"Status\",\"message\":\"exceeded quota: small\"}"

/* Made by somebody else while we could not: in time, or in place of what was ours. */
static void test_made_by_others_meanwhile(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct world_work work = {
            "ConfigMap", "web", "a", MAP("a", ""), NULL, i & 4 ? FED_WORK_ADOPT : 0};
        const char *label = i & 1 || i & 4 ? "false" : "";
        struct world *w = world_new();
        struct world_object *map;

        world_add_object(w, NS_PATH, "");
        if (i & 2) {
            publish(w, 7, 1, &work, 1);
            world_assert_state(w, 0, "Applied");
        }
        w->refuse_path = "configmaps";
        w->refuse_status = 403;
        w->refuse_body = QUOTA;
        work.blob = MAP("b", "");
        publish(w, 7, 2, &work, 1);
        world_pass(w, 60000);
        world_assert_state(w, 0, i & 2 ? "Failed/Healthy UpdateFailed Quota" : "Failed/Unknown Cr");
        map = world_object(w, MAPS "a");
        if (map) { /* the watch is silent, or late */
            map->used = false;
            map->rv = ++w->next_rv;
            if (i & 1)
                world_event(w, map, "DELETED");
        }
        map = world_add_object(w, MAPS "a", label);
        w->refuse_path = NULL;
        world_pass(w, 3600000);
        assert_string_equal(map->managed, label);
        assert_string_equal(map->fields, "");
        if (!strstr(w->hub_states[0], label[0] ? "ManagedLabelFalse" : "AlreadyExists"))
            fail_msg("%u: the hub has \"%s\"", i, w->hub_states[0]);
        publish(w, 7, 3, NULL, 0);
        assert_int_equal(world_asked(w, "DELETE"), 0);
        world_free(w);
    }
}

/* ---- what is held, and what is kept ---- */

static void test_another_policy_leaves_held_and_kept_alone(void **state)
{
    struct agent_policy *policy = policy_of("{\"kinds\":{\"deny\":[\"ConfigMap\"]}}");

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct world_work work = {"ConfigMap", "web", "a", MAP("a", ""), NULL, 0};
        struct world *w = world_new();

        world_add_object(w, NS_PATH, "");
        world_boot(w);
        agent_daemon_set_policy(w->daemon, policy);
        publish(w, 7, 1, &work, 1);
        world_assert_state(w, 0, "Failed/Unknown PolicyDenied");
        work.options = FED_WORK_HELD;
        publish(w, i ? 8 : 7, i ? 1 : 2, &work, i ? 0 : 1);
        world_forget_requests(w);
        agent_daemon_set_policy(w->daemon, NULL);
        world_pass(w, 600000);
        assert_string_equal(w->requests, "");
        assert_null(world_object(w, MAPS "a"));
        world_free(w);
    }
    agent_policy_free(policy);
}

/* Works that come to depend on each other; one of them is held. */
static void test_cycle_leaves_held_alone(void **state)
{
    struct world_work works[] = {
        {"ConfigMap", "web", "a", MAP("a", ""), NULL, 0},
        {"ConfigMap", "web", "b", MAP("a", ""), NULL, 0},
    };
    struct world *w = world_new();

    (void)state;
    world_add_object(w, NS_PATH, "");
    publish(w, 7, 1, works, 2);
    works[0] = (struct world_work){
        "ConfigMap", "web", "a", MAP("b", ON("ConfigMap/b")), NULL, FED_WORK_HELD};
    works[1].blob = MAP("b", ON("ConfigMap/a"));
    world_forget_requests(w);
    publish(w, 7, 2, works, 2);
    world_assert_state(w, 1, "Failed/Healthy DependencyCycle");
    works[1].blob = MAP("b", "");
    publish(w, 7, 3, works, 2);
    world_pass(w, 600000);
    world_assert_state(w, 1, "Applied");
    assert_int_equal(world_asked(w, "PATCH " MAPS "b"), 1);
    assert_int_equal(world_asked(w, "PATCH " MAPS "a"), 0);
    world_free(w);
}

/* ---- what is there without us ---- */

/* A namespace that the federation may not take over, or make, holds nobody up once it is there. */
static void test_namespace_of_somebody_else(void **state)
{
    struct agent_policy *policy = policy_of("{\"kinds\":{\"deny\":[\"Namespace\"]}}");

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct world_work works[] = {{"ConfigMap", "web", "a", MAP("a", ""), NULL, 0}, ns_work};
        struct world *w = world_new();

        if (i == 0)
            world_add_object(w, NS_PATH, "");
        if (i == 1)
            world_add_object(w, NS_PATH, "false");
        world_boot(w);
        if (i == 2)
            agent_daemon_set_policy(w->daemon, policy);
        publish(w, 7, 1, works, 2);
        world_assert_state(w, 1, "Failed/Unknown ");
        if (i == 2) {
            world_assert_state(w, 0, "Waiting/Unknown CreationFailed NamespaceMissing");
            world_event(w, world_add_object(w, NS_PATH, ""), "ADDED");
            world_pass(w, 3000);
        }
        world_assert_state(w, 0, "Applied");
        world_free(w);
    }
    agent_policy_free(policy);
}

/* ---- fairness ---- */

#define BAD 100u

/* However many fail for ever, each of the others gets its next try. */
static void test_everyone_gets_another_try(void **state)
{
    static struct world_work works[BAD + 1];
    static char names[BAD][8];
    struct world *w = world_new();

    (void)state;
    world_add_object(w, NS_PATH, "");
    for (size_t i = 0; i < BAD; i++) {
        snprintf(names[i], sizeof names[i], "m%03zu", i);
        works[i] = (struct world_work){"ConfigMap", "web", names[i], MAP("a", ""), NULL, 0};
    }
    works[BAD] = (struct world_work){
        "Deployment", "web", "z", "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\"}", NULL, 0};
    w->refuse_path = "/namespaces/web/";
    w->refuse_status = 500;
    w->refuse_body = "{\"kind\":\"Status\",\"message\":\"no\"}";
    publish(w, 7, 1, works, BAD + 1);
    world_pass(w, 600000);
    w->refuse_path = "configmaps";
    world_pass(w, 600000);
    assert_non_null(world_object(w, APPS "z"));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_adopted_is_never_removed),
        cmocka_unit_test(test_never_allowed_is_never_removed),
        cmocka_unit_test(test_never_adopted_is_never_replaced),
        cmocka_unit_test(test_made_by_others_meanwhile),
        cmocka_unit_test(test_another_policy_leaves_held_and_kept_alone),
        cmocka_unit_test(test_cycle_leaves_held_alone),
        cmocka_unit_test(test_namespace_of_somebody_else),
        cmocka_unit_test(test_everyone_gets_another_try),
    };

    return cmocka_run_group_tests_name("agent_guard", tests, NULL, NULL);
}
