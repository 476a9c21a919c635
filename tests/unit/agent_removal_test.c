/* agent_removal_test.c - what is to go, and is not where the bundle said: the member serves its
 * kind by another version by now, or not at all. */
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define V1_PATH "/apis/apps/v1/namespaces/web/deployments/web"
#define V2_PATH "/apis/apps/v2/namespaces/web/deployments/web"
#define V3_PATH "/apis/apps/v3/namespaces/web/deployments/web"
#define VERSION(name) "{\"groupVersion\":\"apps/" name "\",\"version\":\"" name "\"}"

static const struct world_work ns = {
    "Namespace", NULL, "web", "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\"}", NULL, 0};

static struct world_work web_work(uint32_t options)
{
    return (struct world_work){"Deployment", "web", "web",
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\"}", NULL, options};
}

/* Its Deployment is there, by the version of the bundle. */
static struct world *world_with_web(uint32_t options)
{
    struct world *w = world_new();
    struct world_work works[] = {web_work(options), ns};

    world_publish(w, 7, 1, works, 2);
    world_boot(w);
    world_pass(w, 3000);
    assert_non_null(world_object(w, V1_PATH));
    return w;
}

static void take_away(struct world *w)
{
    world_forget_requests(w);
    world_publish(w, 7, 2, &ns, 1);
    world_notify(w);
    world_pass(w, 5000);
}

/* The member has upgraded: the same object by another version. */
static void move(struct world *w, const char *path)
{
    struct world_object *o = world_object(w, V1_PATH);

    snprintf(o->path, sizeof o->path, "%s", path);
}

static void test_it_goes_by_the_version_that_is_served(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct world *w = world_with_web(i & 1 ? FED_WORK_ORPHAN : 0);

        move(w, V2_PATH);
        w->served = "apps/v2";
        w->groups = i & 2 ? VERSION("v3") "," VERSION("v1") "," VERSION("v2") : VERSION("v2");
        take_away(w);
        if (i & 1)
            assert_string_equal(world_object(w, V2_PATH)->managed, "");
        else
            assert_null(world_object(w, V2_PATH));
        assert_int_equal(world_asked(w, "DELETE " V2_PATH), i & 1 ? 0 : 1);
        assert_int_equal(world_asked(w, "GET " V3_PATH), i & 2 ? 1 : 0);
        assert_int_equal(w->report.n_removed, 0);
        assert_int_equal(agent_daemon_remaining(w->daemon), 0);
        world_free(w);
    }
}

/* Its definition went, and the objects with it. */
static void test_it_is_gone_with_its_kind(void **state)
{
    static const char *const groups[] = {NULL, VERSION("v2"), VERSION("v2") "," VERSION("v1")};

    (void)state;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        struct world *w = world_with_web(0);

        world_object(w, V1_PATH)->used = false;
        w->served = "apps/none";
        w->groups = groups[i];
        take_away(w);
        assert_int_equal(world_asked(w, "GET /apis/apps\n"), i + 1); /* one more than others */
        assert_int_equal(w->report.n_removed, 0);
        world_free(w);
    }
}

/* Where nobody says which versions there are it is not gone, and the hub hears why it waits. */
static void test_it_waits_while_nobody_says(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct world *w = world_with_web(0);

        move(w, V2_PATH);
        w->served = "apps/v2";
        w->groups = i ? "" : VERSION("v2");
        w->groups_status = i ? 0 : 403;
        take_away(w);
        assert_int_equal(w->report.n_removed, 1);
        assert_int_equal(w->report.removed[0].state, FED_WORK_REMOVING);
        if (i == 0)
            assert_true(fed_span_starts(w->report.removed[0].message, "Forbidden: "));
        assert_non_null(world_object(w, V2_PATH));
        world_crash(w);
        world_boot(w);
        world_pass(w, 60000);
        assert_non_null(world_object(w, V2_PATH));
        w->groups_status = 0;
        w->groups = VERSION("v2");
        world_pass(w, 600000);
        assert_null(world_object(w, V2_PATH));
        assert_int_equal(w->report.n_removed, 0);
        world_free(w);
    }
}

/* Named as something else than a version of its group, it is not asked for. */
static void test_a_version_that_is_none(void **state)
{
    static const char *const bad[] = {
        "{\"groupVersion\":\"batch/v1\"}", "{\"groupVersion\":\"apps/V 1\"}", "{}", "7"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct world *w = world_with_web(0);

        move(w, V2_PATH);
        w->served = "apps/v2";
        w->groups = bad[i];
        take_away(w);
        world_crash(w);
        world_boot(w);
        world_pass(w, 3000);
        assert_non_null(world_object(w, V2_PATH));
        world_free(w);
    }
}

/* It is seen, and the version goes before it is deleted. */
static void test_the_version_goes_meanwhile(void **state)
{
    struct world *w = world_with_web(0);

    (void)state;
    w->linger = true; /* somebody's finalizer */
    take_away(w);
    assert_int_equal(world_asked(w, "DELETE " V1_PATH), 1);
    move(w, V2_PATH);
    w->served = "apps/v2";
    w->groups = VERSION("v2");
    world_pass(w, 60000);
    assert_int_equal(w->report.n_removed, 1);
    assert_true(world_asked(w, "GET " V2_PATH) > 0);
    world_object(w, V2_PATH)->used = false;
    world_pass(w, 120000);
    assert_int_equal(w->report.n_removed, 0);
    world_free(w);
}

/* Let go of: none of our entries stays, whichever they are. */
static void test_all_entries_of_ours_are_let_go(void **state)
{
    struct world *w = world_with_web(FED_WORK_ORPHAN);
    const char *second;

    (void)state;
    world_object(w, V1_PATH)->twice = true;
    snprintf(world_object(w, V1_PATH)->other, 40, "kubectl");
    take_away(w);
    assert_string_equal(world_object(w, V1_PATH)->managed, "");
    second = strstr(w->last_body, "/metadata/managedFields/2\"");
    assert_non_null(second);
    assert_non_null(strstr(second, "/metadata/managedFields/1\""));
    assert_null(strstr(w->last_body, "/metadata/managedFields/0\""));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_goes_by_the_version_that_is_served),
        cmocka_unit_test(test_it_is_gone_with_its_kind),
        cmocka_unit_test(test_it_waits_while_nobody_says),
        cmocka_unit_test(test_a_version_that_is_none),
        cmocka_unit_test(test_the_version_goes_meanwhile),
        cmocka_unit_test(test_all_entries_of_ours_are_let_go),
    };

    return cmocka_run_group_tests_name("agent_removal", tests, NULL, NULL);
}
