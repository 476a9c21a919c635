/* agent_policed_test.c - an agent whose gateway has a policy (policy.h), and another one while it
 * runs: what is refused is neither applied nor put back, may be removed, and goes on when it may.
 */
#include "agent/policy.h"
#include "proto/link/knows.h"
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NS_BLOB "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\"}"
#define MAP_BLOB "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"a\"},\"kind\":\"ConfigMap\"}"
#define WEB_BLOB "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"spec\":{\"replicas\":1}}"
#define MAP_PATH "/api/v1/namespaces/web/configmaps/settings"
#define WEB_PATH "/apis/apps/v1/namespaces/web/deployments/api"
#define NO_MAPS "{\"kinds\":{\"deny\":[\"ConfigMap\"]}}"
#define DENIED "Failed/Unknown PolicyDenied the policy of this gateway does not allow"
#define MAP_INDEX 0 /* the core group first, then by kind */

static const struct world_work ns = {"Namespace", NULL, "web", NS_BLOB, NULL, 0};
static const struct world_work map = {"ConfigMap", "web", "settings", MAP_BLOB, NULL, 0};
static const struct world_work web = {"Deployment", "web", "api", WEB_BLOB, NULL, 0};

static struct agent_policy *policy_of(const char *json)
{
    struct agent_policy *policy = NULL;
    struct fed_diag diag = {""};

    if (agent_policy_read(fed_alloc_system(), fed_span_text(json), &policy, &diag))
        fail_msg("%s", diag.text);
    return policy;
}

/* All three are in place, and the agent is quiet. */
static struct world *world_with_three(void)
{
    struct world_work works[] = {ns, map, web};
    struct world *w = world_new();

    w->hub_knows = FED_LINK_KNOWS_ALL;
    world_publish(w, 7, 1, works, 3);
    world_boot(w);
    world_pass(w, 3000);
    world_forget_requests(w);
    return w;
}

static void assert_denied(const struct world *w)
{
    if (!strstr(w->hub_states[MAP_INDEX], "PolicyDenied"))
        fail_msg("the hub has \"%s\"", w->hub_states[MAP_INDEX]);
}

static void test_refused_until_it_may(void **state)
{
    struct world_work works[] = {ns, map, web};
    struct agent_policy *policy = policy_of(NO_MAPS);
    struct world *w = world_new();

    (void)state;
    w->hub_knows = FED_LINK_KNOWS_ALL;
    world_publish(w, 7, 1, works, 1);
    world_boot(w);
    agent_daemon_set_policy(w->daemon, policy);
    world_publish(w, 7, 2, works, 3);
    world_notify(w);
    world_pass(w, 3000);
    assert_non_null(world_object(w, WEB_PATH)); /* holds up nobody */
    assert_null(world_object(w, MAP_PATH));
    if (strncmp(w->hub_states[MAP_INDEX], DENIED, strlen(DENIED)) != 0)
        fail_msg("the hub has \"%s\"", w->hub_states[MAP_INDEX]);
    world_forget_requests(w);
    world_pass(w, 3600000);
    assert_int_equal(world_asked(w, "PATCH"), 0); /* time alone changes nothing */
    agent_daemon_set_policy(w->daemon, NULL);
    world_pass(w, 3000);
    assert_non_null(world_object(w, MAP_PATH));
    assert_non_null(strstr(w->hub_states[MAP_INDEX], "Applied"));
    world_free(w);
    agent_policy_free(policy);
}

static void test_what_is_in_place_is_left(void **state)
{
    struct agent_policy *policy = policy_of(NO_MAPS);
    struct world *w = world_with_three();
    struct world_object *object = world_object(w, MAP_PATH);

    (void)state;
    agent_daemon_set_policy(w->daemon, policy);
    world_pass(w, 3000);
    assert_int_equal(world_asked(w, "PATCH") + world_asked(w, "DELETE"), 0);
    snprintf(object->fields, sizeof object->fields, "stolen");
    snprintf(object->other, sizeof object->other, "kubectl-edit");
    object->rv = ++w->next_rv;
    world_event(w, object, "MODIFIED");
    world_pass(w, 60000);
    assert_int_equal(world_asked(w, "PATCH"), 0); /* not put back */
    assert_denied(w);
    object->used = false;
    world_event(w, object, "DELETED");
    world_pass(w, 60000);
    assert_int_equal(world_asked(w, "PATCH"), 0); /* nor made again */
    agent_daemon_set_policy(w->daemon, NULL);
    world_pass(w, 60000);
    assert_non_null(world_object(w, MAP_PATH));
    assert_non_null(strstr(w->hub_states[MAP_INDEX], "Applied"));
    world_free(w);
    agent_policy_free(policy);
}

/* Another policy speaks of what is in place, too, without a word to the API server. */
static void test_what_is_in_place_is_told(void **state)
{
    struct agent_policy *policy = policy_of(NO_MAPS);
    struct agent_policy *other = policy_of("{\"kinds\":{\"deny\":[\"Secret\"]}}");
    struct world *w = world_with_three();

    (void)state;
    agent_daemon_set_policy(w->daemon, other);
    world_pass(w, 5000);
    assert_int_equal(world_asked(w, "PATCH") + world_asked(w, MAP_PATH), 0);
    assert_non_null(strstr(w->hub_states[MAP_INDEX], "Applied"));
    agent_daemon_set_policy(w->daemon, policy);
    world_pass(w, 5000);
    assert_int_equal(world_asked(w, "PATCH") + world_asked(w, MAP_PATH), 0);
    assert_denied(w);
    assert_non_null(strstr(w->hub_states[2], "Applied"));
    agent_daemon_set_policy(w->daemon, other);
    world_pass(w, 5000);
    assert_non_null(strstr(w->hub_states[MAP_INDEX], "Applied"));
    assert_null(strstr(w->hub_states[MAP_INDEX], "PolicyDenied"));
    world_free(w);
    agent_policy_free(policy);
    agent_policy_free(other);
}

/* What was let through before is told when it is done. */
static void test_what_is_busy_is_told_later(void **state)
{
    struct world_work works[] = {ns, map, web};
    struct agent_policy *policy = policy_of(NO_MAPS);
    struct world *w = world_with_three();

    (void)state;
    works[1].blob = "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"b\"},\"kind\":\"ConfigMap\"}";
    w->api_hold = true;
    world_publish(w, 7, 2, works, 3);
    world_notify(w);
    world_pass(w, 1000);
    agent_daemon_set_policy(w->daemon, policy);
    world_pass(w, 3000);
    w->api_hold = false;
    world_pass(w, 5000);
    assert_denied(w);
    world_free(w);
    agent_policy_free(policy);
}

static void test_removals_go_on(void **state)
{
    struct world_work works[] = {ns, web};
    struct agent_policy *policy = policy_of(NO_MAPS);
    struct world *w = world_with_three();

    (void)state;
    agent_daemon_set_policy(w->daemon, policy);
    world_publish(w, 7, 2, works, 2);
    world_notify(w);
    world_pass(w, 3000);
    assert_int_equal(world_asked(w, "DELETE " MAP_PATH), 1);
    assert_null(world_object(w, MAP_PATH));
    world_free(w);
    agent_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_until_it_may),
        cmocka_unit_test(test_what_is_in_place_is_left),
        cmocka_unit_test(test_what_is_in_place_is_told),
        cmocka_unit_test(test_what_is_busy_is_told_later),
        cmocka_unit_test(test_removals_go_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
