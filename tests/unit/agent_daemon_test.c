/* agent_daemon_test.c - the agent between a hub and a member that do what a test says. */
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NS_BLOB "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\"}"
#define MAP_A "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"a\"},\"kind\":\"ConfigMap\"}"
#define MAP_B "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"b\"},\"kind\":\"ConfigMap\"}"
#define WEB_BLOB "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"spec\":{\"replicas\":1}}"

#define NS_PATH "/api/v1/namespaces/web"
#define MAP_PATH "/api/v1/namespaces/web/configmaps/settings"
#define WEB_PATH "/apis/apps/v1/namespaces/web/deployments/api"

static const struct world_work ns = {"Namespace", NULL, "web", NS_BLOB, NULL, 0};
static const struct world_work map_a = {"ConfigMap", "web", "settings", MAP_A, NULL, 0};
static const struct world_work map_b = {"ConfigMap", "web", "settings", MAP_B, NULL, 0};
static const struct world_work web = {"Deployment", "web", "api", WEB_BLOB, NULL, 0};

/* Order of identities: group, kind, namespace, name: the core group first. */
#define MAP_INDEX 0
#define NS_INDEX 1
#define WEB_INDEX 2

static void publish(struct world *w, uint64_t revision, const struct world_work *works, size_t n)
{
    world_publish(w, 7, revision, works, n);
}

static struct world *world_with_three(void)
{
    struct world_work works[] = {ns, map_a, web};
    struct world *w = world_new();

    publish(w, 1, works, 3);
    world_boot(w);
    world_pass(w, 3000);
    return w;
}

static void test_first_delivery(void **state)
{
    struct world *w = world_with_three();

    (void)state;
    assert_non_null(world_object(w, NS_PATH));
    assert_non_null(world_object(w, MAP_PATH));
    assert_non_null(world_object(w, WEB_PATH));
    /* namespace, then configuration, then workloads */
    assert_true(
        strstr(w->requests, "PATCH " NS_PATH "\n") < strstr(w->requests, "PATCH " MAP_PATH));
    assert_true(strstr(w->requests, "PATCH " MAP_PATH) < strstr(w->requests, "PATCH " WEB_PATH));
    assert_int_equal(w->full_reports, 1);
    assert_int_equal(w->report.revision, 1);
    world_assert_state(w, NS_INDEX, "Applied/Healthy");
    world_assert_state(w, WEB_INDEX, "Applied/Progressing");
    world_free(w);
}

static void test_one_change_goes_out_at_once(void **state)
{
    struct world_work works[] = {ns, map_b, web};
    struct world *w = world_with_three();
    unsigned reports = w->reports;
    uint64_t then = w->now_ms;

    (void)state;
    world_forget_requests(w);
    publish(w, 2, works, 3);
    world_notify(w);
    assert_int_equal(w->now_ms, then); /* no timer was waited for */
    assert_string_equal(w->requests, "PATCH " MAP_PATH "\n");
    assert_non_null(strstr(w->last_body, "\"k\":\"b\""));
    assert_int_equal(w->reports, reports + 1);
    assert_int_equal(w->report.n_entries, 1);
    assert_int_equal(w->report.revision, 2);
    assert_false(w->report.full);
    world_free(w);
}

#define WELL                                                                                       \
    "{\"observedGeneration\":99,\"replicas\":1,\"updatedReplicas\":1,\"readyReplicas\":1,"         \
    "\"availableReplicas\":1}"

static void get_well(struct world *w)
{
    struct world_object *object = world_object(w, WEB_PATH);

    snprintf(object->status, sizeof object->status, WELL);
    object->rv = ++w->next_rv;
    world_event(w, object, "MODIFIED");
}

static void test_idle_writes_nothing(void **state)
{
    struct world *w = world_with_three();
    unsigned commits;
    unsigned reports;

    (void)state;
    get_well(w);
    world_pass(w, 10000);
    commits = w->commits;
    reports = w->reports;
    world_forget_requests(w);
    world_pass(w, 3600000);
    assert_int_equal(w->commits, commits);
    assert_int_equal(w->reports, reports);
    assert_string_equal(w->requests, "");
    assert_int_equal(w->connects, 1);
    world_free(w);
}

static void test_restart_goes_on_without_hub(void **state)
{
    struct world *w = world_with_three();
    struct world_object *map;

    (void)state;
    world_crash(w);
    w->hub_down = true;
    world_forget_requests(w);
    map = world_object(w, MAP_PATH);
    map->used = false; /* deleted while nobody looked */
    world_boot(w);
    world_pass(w, 2000);
    assert_non_null(world_object(w, MAP_PATH));
    assert_int_equal(world_asked(w, "PATCH"), 1); /* and nothing else was applied again */
    world_free(w);
}

static void test_crash_between_commit_and_apply(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct world_work less[] = {ns, web};
    struct world *w = world_with_three();

    (void)state;
    works[1] = map_b;
    w->api_hold = true;
    publish(w, 2, works, 3);
    world_notify(w);
    world_crash(w);
    w->api_hold = false;
    world_boot(w);
    world_pass(w, 2000);
    assert_non_null(strstr(w->last_body, "\"k\":\"b\""));
    world_assert_state(w, MAP_INDEX, "Applied");

    /* Applied, but the result was not written before the crash; then it leaves the bundle: not
     * forgotten. */
    publish(w, 3, less, 2);
    world_notify(w);
    world_pass(w, 2000);
    publish(w, 4, works, 3);
    world_notify(w);
    world_crash(w);
    assert_non_null(world_object(w, MAP_PATH));
    publish(w, 5, less, 2);
    world_boot(w);
    world_pass(w, 5000);
    assert_null(world_object(w, MAP_PATH));
    world_free(w);
}

static void test_one_bad_work(void **state)
{
    struct world_work works[] = {ns, map_b, web};
    struct world *w = world_new();

    (void)state;
    w->refuse_path = "configmaps";
    w->refuse_status = 422;
    w->refuse_body = "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"data: too odd\"}";
    publish(w, 1, works, 3);
    world_boot(w);
    world_pass(w, 3000);
    assert_non_null(world_object(w, WEB_PATH));
    world_assert_state(w, MAP_INDEX, "Failed/Unknown CreationFailed Invalid: data: too odd");
    world_assert_state(w, WEB_INDEX, "Applied");
    world_forget_requests(w);
    world_pass(w, 1500000);
    assert_int_equal(world_asked(w, "PATCH"), 2); /* the third try; then slowly, never given up */
    w->refuse_path = NULL;
    world_pass(w, 3600000);
    world_assert_state(w, MAP_INDEX, "Applied");
    world_free(w);
}

static void test_waits_for_namespace(void **state)
{
    struct world_work works[] = {map_a};
    struct world *w = world_new();

    (void)state;
    publish(w, 1, works, 1);
    world_boot(w);
    world_pass(w, 3000);
    world_assert_state(w, 0, "Waiting/Unknown CreationFailed NamespaceMissing: ");
    world_add_object(w, NS_PATH, "");
    world_pass(w, 60000);
    world_assert_state(w, 0, "Applied");
    world_free(w);
}

static void test_adoption(void **state)
{
    struct world_work works[] = {map_a};
    struct world *w = world_new();

    (void)state;
    world_add_object(w, NS_PATH, "");
    world_add_object(w, MAP_PATH, "");
    publish(w, 1, works, 1);
    world_boot(w);
    world_pass(w, 2000);
    world_assert_state(w, 0, "Failed/Unknown AlreadyExists");
    assert_int_equal(world_asked(w, "PATCH"), 0);

    works[0].options = FED_WORK_ADOPT;
    publish(w, 2, works, 1);
    world_notify(w);
    assert_int_equal(world_asked(w, "PATCH"), 1);

    snprintf(world_object(w, MAP_PATH)->managed, 8, "false");
    world_object(w, MAP_PATH)->rv = ++w->next_rv;
    world_event(w, world_object(w, MAP_PATH), "DELETED");
    world_pass(w, 5000);
    world_assert_state(w, 0, "Failed/Healthy ManagedLabelFalse");
    assert_int_equal(world_asked(w, "PATCH"), 1);

    works[0].blob = map_b.blob;
    publish(w, 3, works, 1);
    world_notify(w);
    world_pass(w, 5000);
    world_assert_state(w, 0, "Failed/Healthy ManagedLabelFalse");
    assert_int_equal(world_asked(w, "PATCH"), 1);
    world_free(w);
}

static void test_strays_lose_the_label_and_stay(void **state)
{
    struct world *w = world_with_three();
    char path[sizeof MAP_PATH + 16];

    (void)state;
    world_forget_requests(w);
    for (unsigned i = 0; i < 20; i++) { /* more than are dealt with at once */
        snprintf(path, sizeof path, MAP_PATH "-stray-%u", i);
        world_event(w, world_add_object(w, path, "true"), "MODIFIED");
    }
    snprintf(path, sizeof path, MAP_PATH "-own");
    world_event(w, world_add_object(w, path, ""), "DELETED"); /* as a watch by label tells it */
    world_pass(w, 20000);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(path, sizeof path, MAP_PATH "-stray-%u", i);
        assert_non_null(world_object(w, path));
        assert_string_equal(world_object(w, path)->managed, "");
    }
    assert_int_equal(world_asked(w, "PATCH"), 20);
    assert_string_equal(world_object(w, MAP_PATH)->managed, "true");
    world_free(w);
}

/* An older bundle does not know what the newest has: without the hub nothing is called a stray. */
static void test_without_the_hub_nothing_is_a_stray(void **state)
{
    struct world *w = world_with_three();
    const char *path = MAP_PATH "-stray";

    (void)state;
    world_crash(w);
    w->hub_down = true;
    world_add_object(w, path, "true");
    world_forget_requests(w);
    world_boot(w);
    world_pass(w, 20000);
    assert_string_equal(world_object(w, path)->managed, "true");
    assert_int_equal(world_asked(w, "PATCH"), 0);
    w->hub_down = false;
    world_pass(w, 600000);
    assert_string_equal(world_object(w, path)->managed, "");
    world_free(w);
}

#define SECRETS_PATH "/api/v1/namespaces/default/secrets/"

/* Also of kinds of which the cluster has no work: those there before, those that come, and not
 * before the first bundle says what is no stray. */
static void test_strays_of_every_federated_kind(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct world *w = world_new();

    (void)state;
    w->hub_has_kinds = true;
    world_add_object(w, SECRETS_PATH "before", "true");
    world_add_object(w, SECRETS_PATH "own", "");
    world_boot(w);
    world_pass(w, 5000);
    assert_string_equal(world_object(w, SECRETS_PATH "before")->managed, "true");
    publish(w, 1, works, 3);
    world_notify(w);
    world_pass(w, 5000);
    assert_string_equal(world_object(w, SECRETS_PATH "before")->managed, "");
    world_event(w, world_add_object(w, SECRETS_PATH "later", "true"), "ADDED");
    world_pass(w, 5000);
    assert_string_equal(world_object(w, SECRETS_PATH "later")->managed, "");
    assert_string_equal(world_object(w, MAP_PATH)->managed, "true");
    world_forget_requests(w);
    world_pass(w, 3600000);
    assert_in_range(w->gadgets_listed, 3, 30); /* the member has no such kind */
    assert_int_equal(w->kinds_asked, 1);
    world_notify_again(w);
    world_pass(w, 1000);
    assert_int_equal(w->kinds_asked, 2);
    world_free(w);
}

/* The kinds are on disk: the next process knows them before the hub answers, and does not ask for
 * the same again. */
static void test_kinds_are_remembered(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct world *w = world_new();

    (void)state;
    w->hub_has_kinds = true;
    w->hub_knows = FED_LINK_KNOWS_ALL;
    publish(w, 1, works, 3);
    world_boot(w);
    world_pass(w, 5000);
    assert_int_equal(w->kinds_asked, 1);
    world_crash(w);
    world_boot(w);
    world_pass(w, 5000);
    assert_int_equal(w->kinds_asked, 1);
    world_event(w, world_add_object(w, SECRETS_PATH "later", "true"), "ADDED");
    world_pass(w, 5000);
    assert_string_equal(world_object(w, SECRETS_PATH "later")->managed, "");
    world_crash(w);
    w->hub_knows = 0; /* a hub of before */
    world_boot(w);
    world_pass(w, 5000);
    assert_int_equal(w->kinds_asked, 2);
    world_free(w);
}

/* A hub that cannot say it now is asked again in the same session, with pauses. */
static void test_kinds_are_asked_for_again(void **state)
{
    static const unsigned codes[] = {FED_LINK_INTERNAL, FED_LINK_UNAVAILABLE};
    struct world_work works[] = {ns, map_a, web};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct world *w = world_new();
        unsigned asked;

        w->hub_has_kinds = true;
        w->hub_knows = FED_LINK_KNOWS_ALL;
        w->kinds_code = codes[i];
        world_add_object(w, SECRETS_PATH "before", "true");
        publish(w, 1, works, 3);
        world_boot(w);
        world_pass(w, 60000);
        assert_in_range(w->kinds_asked, 3, 20);
        assert_string_equal(world_object(w, SECRETS_PATH "before")->managed, "true");
        w->kinds_code = 0;
        world_pass(w, 600000);
        assert_string_equal(world_object(w, SECRETS_PATH "before")->managed, "");
        asked = w->kinds_asked;
        world_pass(w, 3600000);
        assert_int_equal(w->kinds_asked, asked);
        assert_int_equal(w->connects, 1);
        world_free(w);
    }
}

/* One that does not know the question is not asked again, until it speaks of kinds. */
static void test_kinds_nobody_knows(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct world *w = world_new();

    (void)state;
    publish(w, 1, works, 3);
    world_boot(w);
    world_pass(w, 3600000);
    assert_int_equal(w->kinds_asked, 1);
    world_free(w);
}

static uint64_t month_sent(struct world *w)
{
    struct fed_buf out;
    const char *at;
    uint64_t sent;

    fed_buf_init(&out, fed_alloc_system(), 4096);
    assert_int_equal(agent_daemon_status_json(w->daemon, &out), FED_OK);
    at = strstr(fed_buf_cstr(&out), "\"month_sent\":");
    assert_non_null(at);
    sent = strtoull(at + 13, NULL, 10);
    fed_buf_fini(&out);
    return sent;
}

/* The month's bytes go with what is written anyway: a process that is killed loses what came after,
 * and an idle one writes nothing. */
static void test_bytes_of_the_month(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct world *w = world_new();
    unsigned commits;

    (void)state;
    w->sent_bytes = 1000;
    publish(w, 1, works, 3);
    world_boot(w);
    world_pass(w, 5000);
    world_crash(w);
    world_boot(w);
    assert_int_equal(month_sent(w), 2000); /* of both processes */
    world_pass(w, 60000);
    commits = w->commits;
    w->sent_bytes = 1500;
    world_pass(w, 7200000);
    assert_int_equal(w->commits, commits);
    assert_int_equal(month_sent(w), 2500);
    w->unix_s += 40 * 86400; /* another month */
    assert_int_equal(month_sent(w), 0);
    w->sent_bytes = 1700;
    assert_int_equal(month_sent(w), 200);
    world_free(w);
}

static void test_how_to_delete(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct world_work less[] = {ns, web};
    struct world *w = world_with_three();

    (void)state;
    works[1].options |=
        FED_WORK_DELETE_WITH(FED_WORK_DELETE_ORPHAN) | FED_WORK_GRACE | 7u << FED_WORK_GRACE_SHIFT;
    world_forget_requests(w);
    publish(w, 2, works, 3);
    world_notify(w);
    assert_string_equal(w->requests, ""); /* it is about the end only */
    publish(w, 3, less, 2);
    world_notify(w);
    world_pass(w, 1000);
    assert_null(world_object(w, MAP_PATH));
    assert_non_null(strstr(w->last_body, "\"propagationPolicy\":\"Orphan\""));
    assert_non_null(strstr(w->last_body, "\"gracePeriodSeconds\":7"));
    world_free(w);
}

static void test_drift(void **state)
{
    struct world *w = world_with_three();
    struct world_object *map = world_object(w, MAP_PATH);

    (void)state;
    world_forget_requests(w);
    /* a write to fields that are not ours */
    map->rv = ++w->next_rv;
    world_event(w, map, "MODIFIED");
    world_pass(w, 1000);
    assert_string_equal(w->requests, "");
    /* kubectl took a field of ours */
    snprintf(map->fields, sizeof map->fields, "stolen");
    snprintf(map->other, sizeof map->other, "kubectl-edit");
    snprintf(map->other_fields, sizeof map->other_fields, "{\"f:data\":{\"f:k\":{}}}");
    map->rv = ++w->next_rv;
    world_event(w, map, "MODIFIED");
    world_settle(w);
    assert_string_equal(w->requests, "PATCH " MAP_PATH "\n");
    assert_true(world_logged(w, "data.k is set by \"kubectl-edit\""));
    /* deleted by hand */
    map->rv = ++w->next_rv;
    map->used = false;
    world_event(w, map, "DELETED");
    world_settle(w);
    assert_non_null(world_object(w, MAP_PATH));
    assert_true(world_logged(w, "deleted in the member; put back"));
    world_free(w);
}

/* What is held is left as it is, whatever happens to it, and put in order when it is not any more.
 */
static void test_held(void **state)
{
    struct world_work works[] = {ns, map_a, web, web};
    struct world *w = world_with_three();
    struct world_object *map = world_object(w, MAP_PATH);

    (void)state;
    works[1].options |= FED_WORK_HELD;
    works[3].name = "other"; /* never applied */
    works[3].options |= FED_WORK_HELD;
    world_forget_requests(w);
    publish(w, 2, works, 4);
    world_notify(w);
    snprintf(map->fields, sizeof map->fields, "stolen");
    map->rv = ++w->next_rv;
    world_event(w, map, "MODIFIED");
    world_pass(w, 60000);
    map->rv = ++w->next_rv;
    map->used = false;
    world_event(w, map, "DELETED");
    world_pass(w, 60000);
    world_crash(w);
    world_boot(w);
    world_pass(w, 60000);
    assert_int_equal(world_asked(w, "PATCH"), 0);
    assert_null(world_object(w, MAP_PATH));
    assert_int_equal(w->report.revision, 2);
    works[1].options &= ~(uint32_t)FED_WORK_HELD;
    publish(w, 3, works, 4);
    world_notify(w);
    assert_non_null(world_object(w, MAP_PATH));
    assert_int_equal(world_asked(w, "PATCH"), 1);
    works[1].options |= FED_WORK_HELD;
    publish(w, 4, works, 4);
    world_notify(w);
    publish(w, 5, works, 1); /* out of the bundle: removed as any other */
    world_notify(w);
    assert_null(world_object(w, MAP_PATH));
    assert_int_equal(world_asked(w, "DELETE"), 2);
    world_free(w);
}

static void test_stale_event_is_no_drift(void **state)
{
    struct world_work works[] = {ns, map_b, web};
    struct world *w = world_with_three();
    struct world_object before = *world_object(w, MAP_PATH);

    (void)state;
    publish(w, 2, works, 3);
    world_notify(w);
    world_forget_requests(w);
    world_event(w, &before, "MODIFIED"); /* the watch is behind our own apply */
    world_settle(w);
    assert_string_equal(w->requests, "");
    world_free(w);
}

static void test_drift_during_apply(void **state)
{
    struct world_work works[] = {ns, map_b, web};
    struct world *w = world_with_three();

    (void)state;
    world_forget_requests(w);
    w->thief = "racer"; /* after our write, but before its answer reached us */
    w->thief_path = MAP_PATH;
    w->thefts = 1;
    publish(w, 2, works, 3);
    world_notify(w);
    world_settle(w);
    assert_int_equal(world_asked(w, "PATCH " MAP_PATH), 2);
    assert_null(strstr(world_object(w, MAP_PATH)->fields, "stolen"));
    world_free(w);
}

static void test_fight_is_bounded_and_named(void **state)
{
    struct world *w = world_with_three();

    (void)state;
    world_forget_requests(w);
    for (unsigned i = 0; i < 600; i++) { /* ten minutes, each second */
        struct world_object *map = world_object(w, MAP_PATH);

        snprintf(map->fields, sizeof map->fields, "stolen-%u", i);
        snprintf(map->other, sizeof map->other, "rogue");
        snprintf(map->other_fields, sizeof map->other_fields, "{\"f:data\":{\"f:k\":{}}}");
        map->rv = ++w->next_rv;
        world_event(w, map, "MODIFIED");
        world_pass(w, 1000);
    }
    assert_in_range(world_asked(w, "PATCH"), 6, 14);
    world_assert_state(w, MAP_INDEX, "Failed/Healthy Contested data.k is set by \"rogue\"");
    world_free(w);
}

static void test_removal(void **state)
{
    struct world_work works[] = {ns, web};
    struct world *w = world_with_three();
    char uid[64];

    (void)state;
    snprintf(uid, sizeof uid, "\"uid\":\"%s\"", world_object(w, MAP_PATH)->uid);
    w->linger = true;
    world_forget_requests(w);
    publish(w, 2, works, 2);
    world_notify(w);
    assert_int_equal(world_asked(w, "DELETE " MAP_PATH), 1);
    assert_non_null(strstr(w->last_body, uid));
    assert_non_null(strstr(w->last_body, "Background"));
    world_pass(w, 1500);
    assert_int_equal(w->report.n_removed, 1);
    assert_true(fed_span_is(w->report.removed[0].id, "v1/ConfigMap/web/settings"));
    assert_int_equal(w->report.removed[0].state, FED_WORK_REMOVING);
    world_object(w, MAP_PATH)->used = false;
    world_pass(w, 60000);
    assert_int_equal(w->report.n_removed, 0);
    assert_int_equal(w->report.revision, 2);
    assert_int_equal(world_asked(w, "PATCH"), 0);
    world_free(w);
}

static void test_removal_spares_a_stranger(void **state)
{
    struct world_work works[] = {ns, web};
    struct world *w = world_with_three();
    struct world_object *map = world_object(w, MAP_PATH);

    (void)state;
    snprintf(map->uid, sizeof map->uid, "another");
    map->fields[0] = '\0';
    publish(w, 2, works, 2);
    world_notify(w);
    world_pass(w, 5000);
    assert_non_null(world_object(w, MAP_PATH));
    assert_int_equal(world_asked(w, "DELETE"), 0);
    assert_true(world_logged(w, "left in place"));
    world_free(w);
}

static void test_orphan(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct world *w = world_new();

    (void)state;
    works[1].options = FED_WORK_ORPHAN;
    publish(w, 1, works, 3);
    world_boot(w);
    works[1] = web;
    publish(w, 2, works, 2);
    world_notify(w);
    world_pass(w, 2000);
    assert_int_equal(world_asked(w, "DELETE"), 0);
    assert_non_null(world_object(w, MAP_PATH));
    assert_string_equal(world_object(w, MAP_PATH)->managed, "");
    assert_non_null(strstr(w->last_body, "/metadata/managedFields/0"));
    assert_int_equal(w->report.n_removed, 0);
    world_free(w);
}

/* Its cluster was unregistered and is registered anew: what nobody federates any more stays,
 * without the label; what is federated still is taken over as it is. */
static void test_joined_once_more(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct world *w = world_with_three();
    struct agent_state file;
    struct fed_diag diag = {""};

    (void)state;
    world_crash(w);
    agent_state_init(&file, fed_alloc_system(), &w->store);
    if (agent_state_join_again(&file, &diag))
        fail_msg("%s", diag.text);
    world_forget_requests(w);
    works[1] = web;
    publish(w, 4, works, 2);
    world_boot(w);
    world_pass(w, 5000);
    assert_int_equal(world_asked(w, "DELETE"), 0);
    assert_non_null(world_object(w, MAP_PATH));
    assert_string_equal(world_object(w, MAP_PATH)->managed, "");
    assert_string_equal(world_object(w, WEB_PATH)->managed, "true");
    world_assert_state(w, 1, "Applied");
    assert_true(world_logged(w, "joined once more; 1 objects that"));
    works[1] = map_a; /* and from here on all is as ever */
    works[1].options |= FED_WORK_ADOPT;
    works[2] = web;
    publish(w, 5, works, 3);
    world_notify(w);
    world_pass(w, 5000);
    assert_string_equal(world_object(w, MAP_PATH)->managed, "true");
    publish(w, 6, works, 1);
    world_notify(w);
    world_pass(w, 5000);
    assert_null(world_object(w, MAP_PATH));
    world_free(w);
}

/* The hub has another memory, too: nothing follows from what it does not name. */
static void test_joined_once_more_at_a_new_hub(void **state)
{
    struct world_work works[] = {ns};
    struct world *w = world_with_three();
    struct agent_state file;
    struct fed_diag diag = {""};

    (void)state;
    world_crash(w);
    agent_state_init(&file, fed_alloc_system(), &w->store);
    assert_int_equal(agent_state_join_again(&file, &diag), FED_OK);
    world_forget_requests(w);
    world_publish(w, 99, 1, works, 1);
    world_boot(w);
    world_pass(w, 5000);
    assert_int_equal(world_asked(w, "DELETE"), 0);
    assert_string_equal(world_object(w, MAP_PATH)->managed, "true");
    assert_string_equal(world_object(w, WEB_PATH)->managed, "true");
    world_free(w);
}

static void test_list_without_objects_deletes_nothing(void **state)
{
    struct world *w = world_with_three();

    (void)state;
    for (size_t i = 0; i < WORLD_OBJECTS; i++)
        w->objects[i].managed[0] = '\0'; /* the list comes back empty */
    world_crash(w);
    world_forget_requests(w);
    world_boot(w);
    world_pass(w, 5000);
    assert_int_equal(world_asked(w, "DELETE"), 0);
    assert_string_equal(world_object(w, MAP_PATH)->managed, "true");
    world_free(w);
}

static void test_missed_notification_is_pulled(void **state)
{
    struct world_work works[] = {ns, map_b, web};
    struct world *w = world_with_three();

    (void)state;
    publish(w, 2, works, 3); /* its notification is lost */
    works[1] = map_a;
    publish(w, 3, works, 3);
    world_notify(w); /* starts from revision 2 */
    world_pass(w, 3000);
    assert_int_equal(w->pulls, 1);
    assert_int_equal(w->report.revision, 3);
    world_free(w);
}

/* A hub believes what is acknowledged, also while its first answer is still coming in blocks. */
static void test_notification_before_the_first_answer(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct world *w = world_new();

    (void)state;
    w->hub_has_kinds = true;
    w->hub_knows = FED_LINK_KNOWS_ALL;
    w->hold_observe = true;
    publish(w, 1, works, 3);
    world_boot(w);
    works[1] = map_b;
    publish(w, 2, works, 3);
    world_notify(w);
    w->hold_observe = false;
    world_pass(w, 5000);
    assert_int_equal(w->pulls, 1);
    assert_int_equal(w->report.revision, 2);
    assert_int_equal(w->kinds_asked, 1);
    world_crash(w);
    w->hold_observe = true;
    world_boot(w);
    world_notify_again(w); /* other kinds */
    w->hold_observe = false;
    world_pass(w, 5000);
    assert_int_equal(w->kinds_asked, 2);
    world_crash(w);
    world_boot(w); /* nothing was missed */
    world_pass(w, 5000);
    assert_int_equal(w->pulls, 2);
    assert_int_equal(w->kinds_asked, 2);
    world_free(w);
}

static void test_end_before_the_first_answer(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct fed_link_message message = {.code = FED_LINK_NOT_FOUND};
    struct world *w = world_new();

    (void)state;
    w->hold_observe = true;
    publish(w, 1, works, 3);
    world_boot(w);
    w->link_events.notification(w->link_events.ctx, &message);
    assert_true(world_logged(w, "it ended the observation"));
    w->hold_observe = false;
    world_pass(w, 60000);
    assert_int_equal(w->connects, 2);
    assert_int_equal(w->report.revision, 1);
    world_free(w);
}

static void test_corrupt_frame_leads_to_full_pull(void **state)
{
    struct world_work works[] = {ns, map_b, web};
    struct world *w = world_with_three();

    (void)state;
    w->corrupt_delta = true;
    world_forget_requests(w);
    publish(w, 2, works, 3);
    world_notify(w);
    assert_string_equal(w->requests, ""); /* nothing of it was applied */
    assert_true(world_logged(w, "nothing of it was applied"));
    w->corrupt_delta = false;
    world_pass(w, 30000);
    assert_int_equal(w->report.revision, 2);
    assert_int_equal(world_asked(w, "PATCH " MAP_PATH), 1);
    world_free(w);
}

/* A hub that gave a number twice: whatever is held, all of it is asked for at once. */
static void test_same_revision_with_other_content(void **state)
{
    struct world_work works[] = {ns, map_b, web};
    struct world *w = world_with_three();

    (void)state;
    publish(w, 1, works, 3);
    w->revisions[0] = w->revisions[1];
    w->n_revisions = 1;
    world_notify_again(w);
    assert_true(world_logged(w, "the same revision with other content"));
    assert_true(world_logged(w, "pulling all of it"));
    world_pass(w, 3000);
    assert_int_equal(w->pulls, 1);
    assert_int_equal(world_asked(w, "PATCH " MAP_PATH), 2);
    world_free(w);
}

/* ---- part of a bundle ---- */

static unsigned parts_given;

static enum fed_err part_set(void *ctx, struct fed_span bytes)
{
    (void)ctx;
    parts_given += bytes.len > 0;
    return FED_OK;
}

static enum fed_err part_read(
    void *ctx, const char *path, struct fed_buf *out, struct fed_diag *diag)
{
    (void)ctx;
    (void)path;
    (void)diag;
    fed_buf_put_text(out, "what an earlier process had");
    return fed_buf_err(out);
}

static enum fed_err part_remove(void *ctx, const char *path, struct fed_diag *diag)
{
    (void)ctx;
    (void)path;
    (void)diag;
    return FED_OK;
}

/* Afterwards the link has more than the file. */
static void test_part_is_given_once(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct fed_fs fs = {.read = part_read, .remove = part_remove};
    struct agent_partial_place place = {.fs = &fs, .path = "partial"};
    struct fed_diag diag = {"cut"};
    struct world *w = world_new();

    (void)state;
    parts_given = 0;
    w->link.partial_set = part_set;
    w->partial = &place;
    publish(w, 1, works, 3);
    world_boot(w);
    assert_int_equal(parts_given, 1);
    w->link_events.down(w->link_events.ctx, FED_ERR_NETWORK, &diag);
    world_pass(w, 60000);
    assert_int_equal(w->connects, 2);
    assert_int_equal(parts_given, 1);
    world_free(w);
}

static void test_older_revision_is_refused(void **state)
{
    struct world_work works[] = {ns};
    struct world *w = world_with_three();
    struct fed_link_message message = {.code = FED_LINK_CONTENT};
    struct fed_buf frame;

    (void)state;
    works[0] = ns;
    publish(w, 5, works, 1);
    world_notify(w);
    world_pass(w, 5000);
    assert_null(world_object(w, MAP_PATH));
    world_frame(w, 0, 1, &frame);
    message.payload = fed_buf_span(&frame);
    w->link_events.notification(w->link_events.ctx, &message);
    world_pass(w, 5000);
    fed_buf_fini(&frame);
    assert_null(world_object(w, MAP_PATH));
    assert_true(world_logged(w, "is older than revision 5"));
    world_free(w);
}

static void test_new_epoch_removes_nothing(void **state)
{
    struct world_work works[] = {ns, map_a};
    struct world *w = world_with_three();

    (void)state;
    world_publish(w, 8, 1, works, 2); /* restored from a backup that did not know the Deployment */
    world_notify(w);
    world_pass(w, 10000);
    assert_non_null(world_object(w, WEB_PATH));
    assert_int_equal(world_asked(w, "DELETE"), 0);
    assert_true(world_logged(w, "Deployment web/api: not named by the hub's new epoch"));
    world_crash(w);
    world_boot(w);
    world_pass(w, 5000);
    assert_non_null(world_object(w, WEB_PATH));
    /* named again, and then taken out: now it was somebody's wish */
    works[1] = web;
    world_publish(w, 8, 2, works, 2);
    world_notify(w);
    world_pass(w, 2000);
    world_publish(w, 8, 3, works, 1);
    world_notify(w);
    world_pass(w, 5000);
    assert_null(world_object(w, WEB_PATH));
    world_free(w);
}

static void test_report_conflict_leads_to_full(void **state)
{
    struct world_work works[] = {ns, map_b, web};
    struct world *w = world_with_three();

    (void)state;
    w->hub_seq = 99; /* the hub lost count */
    publish(w, 2, works, 3);
    world_notify(w);
    world_pass(w, 10000);
    assert_int_equal(w->full_reports, 2);
    assert_int_equal(w->report.n_entries, 3);
    world_free(w);
}

static void test_dead_hub_is_noticed(void **state)
{
    struct world_work works[] = {ns, map_b, web};
    struct world *w = world_with_three();

    (void)state;
    w->pings_lost = true;
    publish(w, 2, works, 3); /* told on a session that is dead already */
    world_pass(w, 62000);
    assert_int_equal(w->connects, 2);
    assert_true(world_logged(w, "it does not answer any more"));
    assert_int_equal(w->report.revision, 2);
    world_free(w);
}

/* The hub ends the session, and another one is made. */
static void reconnect(struct world *w)
{
    unsigned before = w->connects;
    struct fed_diag diag = {"closed"};

    w->link_events.down(w->link_events.ctx, FED_ERR_CLOSED, &diag);
    world_pass(w, 3000);
    assert_int_equal(w->connects, before + 1);
}

static bool says_kept(const struct world *w)
{
    return strstr(w->observe_query, "&n=1") != NULL;
}

static void test_marks_of_the_hub(void **state)
{
    struct world *w = world_new();
    unsigned commits;

    (void)state;
    w->hub_mark = 7;
    world_boot(w);
    assert_ptr_equal(strstr(w->hello_query, "n=0"), w->hello_query);
    assert_true(says_kept(w));
    /* Said once, and written once. */
    commits = w->commits;
    world_pass(w, 1900000);
    assert_int_equal(w->commits, commits);
    assert_false(says_kept(w)); /* the observation was renewed */
    w->hub_mark = 8;
    reconnect(w);
    assert_non_null(strstr(w->hello_query, "n=0000000700000000"));
    assert_true(says_kept(w));
    /* One that cannot be stored is not used. */
    w->hub_mark = 9;
    w->commit_err = FED_ERR_FULL;
    reconnect(w);
    assert_non_null(strstr(w->hello_query, "n=0000000800000000"));
    assert_false(says_kept(w));
    w->commit_err = FED_OK;
    reconnect(w);
    assert_non_null(strstr(w->hello_query, "n=0000000800000000"));
    assert_true(says_kept(w));
    /* An answer that was slower than a later one. */
    w->hub_mark = 3;
    reconnect(w);
    assert_non_null(strstr(w->hello_query, "n=0000000900000000"));
    assert_false(says_kept(w));
    /* Kept over a restart; a copy is spoken of. */
    world_crash(w);
    w->hub_mark = 10;
    w->hub_saw_copy = true;
    world_boot(w);
    assert_non_null(strstr(w->hello_query, "n=0000000900000000"));
    assert_true(world_logged(w, "another machine came to the hub with this cluster's identity"));
    world_free(w);
}

/* One ping, after a fifth more than the heartbeat, and no new observation. */
static void test_liveness_over_https(void **state)
{
    struct world *w = world_new();

    (void)state;
    snprintf(w->identity.hubs[0], sizeof w->identity.hubs[0], "https://hub.test:7444");
    world_boot(w);
    assert_int_equal(w->connects, 1);
    world_pass(w, 7200000);
    assert_int_equal(w->observes, 1);
    assert_int_equal(w->connects, 1);
    w->pings_lost = true;
    world_pass(w, 71000);
    w->pings_lost = false;
    world_pass(w, 1500);
    assert_int_equal(w->connects, 1);
    w->pings_lost = true;
    world_pass(w, 72000);
    assert_true(w->connects > 1);
    assert_true(world_logged(w, "it does not answer any more"));
    world_free(w);
}

static void test_lost_observation_is_renewed(void **state)
{
    struct world_work works[] = {ns, map_b, web};
    struct world *w = world_with_three();

    (void)state;
    publish(w, 2, works, 3); /* the hub has forgotten whom to tell; the session lives */
    world_pass(w, 1900000);
    assert_int_equal(w->connects, 1);
    assert_int_equal(w->observes, 2);
    assert_int_equal(w->report.revision, 2);
    world_free(w);
}

static void test_hub_that_refuses_is_not_hammered(void **state)
{
    struct world *w = world_new();

    (void)state;
    w->hub_down = true;
    world_boot(w);
    world_pass(w, 3600000);
    assert_in_range(w->connects, 10, 40);
    world_free(w);
}

static void test_api_server_away(void **state)
{
    struct world_work works[] = {ns, map_b, web};
    struct world *w = world_with_three();

    (void)state;
    w->api_down = true;
    publish(w, 2, works, 3);
    world_notify(w);
    world_pass(w, 20000);
    assert_true(
        strstr((const char *)w->report.facts.at, "unreachable") || w->report.facts.len == 0);
    assert_true(world_logged(w, "member API server: unreachable: connection refused"));
    w->api_down = false;
    world_pass(w, 20000);
    world_assert_state(w, MAP_INDEX, "Applied");
    assert_non_null(strstr(w->last_body, "\"k\":\"b\""));
    world_free(w);
}

static void test_full_disk_stages_nothing(void **state)
{
    struct world_work works[] = {ns, map_b, web};
    struct world *w = world_with_three();

    (void)state;
    w->commit_err = FED_ERR_FULL;
    world_forget_requests(w);
    publish(w, 2, works, 3);
    world_notify(w);
    assert_string_equal(w->requests, "");
    w->commit_err = FED_OK;
    world_pass(w, 30000);
    assert_int_equal(w->report.revision, 2);
    world_free(w);
}

static void test_corrupt_state_is_refused(void **state)
{
    struct world *w = world_with_three();
    struct agent_table table;
    struct agent_state file;
    struct fed_diag diag = {""};

    (void)state;
    world_crash(w);
    for (size_t i = 0; i < w->n_rows; i++) {
        if (w->rows[i].key[0] == 'w')
            w->rows[i].value[12] ^= 0x20;
    }
    agent_table_init(&table, fed_alloc_system());
    agent_state_init(&file, fed_alloc_system(), &w->store);
    assert_int_equal(agent_state_load(&file, &table, 0, &diag), FED_ERR_CORRUPT);
    assert_non_null(strstr(diag.text, "nothing was changed"));
    agent_table_fini(&table);
    world_free(w);
}

static void test_bad_override_names_its_place(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct world *w = world_new();

    (void)state;
    works[1].overrides = "[{\"op\":\"remove\",\"path\":\"/data/none\"}]";
    publish(w, 1, works, 3);
    world_boot(w);
    world_pass(w, 3000);
    world_assert_state(w, MAP_INDEX, "Failed/Unknown ApplyOverridesFailed");
    world_assert_state(w, WEB_INDEX, "Applied");
    world_free(w);
}

/* Whether a creation or an update failed does not follow from the reason alone. */
static void test_failures_say_what_was_tried(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct world *w = world_new();

    (void)state;
    works[1].overrides = "[{\"op\":\"remove\",\"path\":\"/data/none\"}]";
    publish(w, 1, works, 3);
    world_boot(w);
    world_pass(w, 3000);
    world_assert_state(w, MAP_INDEX, "Failed/");
    assert_int_equal(w->hub_deeds[MAP_INDEX], FED_DEED_CREATED);
    works[1].overrides = NULL;
    publish(w, 2, works, 3);
    world_notify(w);
    world_pass(w, 3000);
    world_assert_state(w, MAP_INDEX, "Applied");
    works[1].overrides = "[{\"op\":\"remove\",\"path\":\"/data/none\"}]";
    publish(w, 3, works, 3);
    world_notify(w);
    world_pass(w, 3000);
    world_assert_state(w, MAP_INDEX, "Failed/");
    assert_int_equal(w->hub_deeds[MAP_INDEX], FED_DEED_UPDATED);
    world_free(w);
}

static void test_remote_status(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct world *w = world_new();
    struct world_object *object;

    (void)state;
    works[2].options = FED_WORK_STATUS;
    publish(w, 1, works, 3);
    world_boot(w);
    world_pass(w, 3000);
    object = world_object(w, WEB_PATH);
    snprintf(object->status, sizeof object->status, "{\"readyReplicas\":1}");
    object->rv = ++w->next_rv;
    world_event(w, object, "MODIFIED");
    world_pass(w, 2000);
    assert_int_equal(w->report.n_remote, 1);
    assert_true(fed_span_is(w->report.remote[0].status, "{\"readyReplicas\":1}"));
    assert_int_equal(w->report.remote[0].index, WEB_INDEX);
    world_free(w);
}

/* An older hub refuses a report with a section that it does not know. */
static void test_older_hub_gets_what_it_knows(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct world *w = world_new();
    struct world_object *object;

    (void)state;
    works[2].options = FED_WORK_STATUS;
    w->hub_knows = FED_LINK_KNOWS_DELETE;
    publish(w, 1, works, 3);
    world_boot(w);
    world_pass(w, 3000);
    object = world_object(w, WEB_PATH);
    snprintf(object->status, sizeof object->status, "{\"readyReplicas\":1}");
    object->rv = ++w->next_rv;
    world_event(w, object, "MODIFIED");
    world_pass(w, 2000);
    assert_int_equal(w->report.n_remote, 0);
    assert_int_equal(w->report.n_entries, 1);
    world_free(w);
}

static void move(struct world *w, const char *path, unsigned generation)
{
    struct world_object *object = world_object(w, path);

    object->rv = ++w->next_rv;
    object->generation = generation;
    world_event(w, object, "MODIFIED");
}

static void test_a_version_that_the_member_moves_is_told(void **state)
{
    struct world *w = world_with_three();
    unsigned reports;

    (void)state;
    world_pass(w, 5000);
    reports = w->reports;
    move(w, WEB_PATH, 7);
    world_pass(w, 2000);
    assert_int_equal(w->reports, reports + 1);
    assert_int_equal(w->report.n_entries, 1);
    assert_int_equal(w->report.entries[0].index, WEB_INDEX);
    assert_int_equal(w->report.entries[0].generation, 7);
    move(
        w, WEB_PATH, 7); /* its resourceVersion alone: of no interest where there is a generation */
    world_pass(w, 60000);
    assert_int_equal(w->reports, reports + 1);
    move(w, MAP_PATH, 0);
    world_pass(w, 2000);
    assert_int_equal(w->reports, reports + 2);
    assert_int_equal(w->report.entries[0].generation, 0);
    {
        char rv[16];

        snprintf(rv, sizeof rv, "%u", w->next_rv);
        assert_true(fed_span_is(w->report.entries[0].resource_version, rv));
    }
    world_free(w);
}

static void test_a_version_that_never_rests_is_told_with_growing_pauses(void **state)
{
    struct world *w = world_with_three();
    unsigned reports;
    char rv[16];

    (void)state;
    world_pass(w, 5000);
    reports = w->reports;
    for (unsigned s = 0; s < 3600; s++) {
        move(w, MAP_PATH, 0);
        world_pass(w, 1000);
    }
    assert_in_range(w->reports - reports, 4, 13);
    reports = w->reports;
    world_pass(w, 1000000); /* the last one is told too */
    assert_int_equal(w->reports, reports + 1);
    snprintf(rv, sizeof rv, "%u", w->next_rv);
    assert_true(fed_span_is(w->report.entries[0].resource_version, rv));
    world_pass(w, 1000000); /* it rested: told at once again */
    move(w, MAP_PATH, 0);
    world_pass(w, 2000);
    assert_int_equal(w->reports, reports + 2);
    world_free(w);
}

static void test_a_status_that_is_gone_is_taken_back(void **state)
{
    struct world_work works[] = {ns, map_a, web};
    struct world *w = world_with_three();
    struct world_object *object = world_object(w, WEB_PATH);

    (void)state;
    snprintf(object->status, sizeof object->status, "{\"readyReplicas\":1}");
    object->rv = ++w->next_rv;
    world_event(w, object, "MODIFIED");
    world_pass(w, 2000);
    assert_int_equal(w->report.n_remote, 0);
    works[2].options = FED_WORK_STATUS; /* what stands as it is is read again for its status */
    publish(w, 2, works, 3);
    world_notify(w);
    world_pass(w, 3000);
    assert_int_equal(w->report.n_remote, 1);
    assert_true(fed_span_is(w->report.remote[0].status, "{\"readyReplicas\":1}"));
    object->status[0] = '\0';
    object->rv = ++w->next_rv;
    world_event(w, object, "MODIFIED");
    world_pass(w, 2000);
    assert_int_equal(w->report.n_remote, 1);
    assert_true(fed_span_is(w->report.remote[0].status, "null"));
    world_free(w);
}

static void test_health_is_doubted_three_times(void **state)
{
    struct world *w = world_with_three();
    unsigned reports;

    (void)state;
    world_pass(w, 5000);
    reports = w->reports;
    w->healthz = "etcd failed";
    world_pass(w, 60000); /* two probes */
    assert_int_equal(w->reports, reports);
    w->healthz = NULL;
    world_pass(w, 60000);
    w->healthz = "etcd failed";
    world_pass(w, 8000); /* two more: they do not count with the first */
    assert_int_equal(w->reports, reports);
    world_pass(w, 20000);
    assert_int_equal(w->reports, reports + 1);
    assert_non_null(memmem(w->report.facts.at, w->report.facts.len, "etcd failed", 11));
    w->healthz = NULL;
    world_pass(w, 8000); /* one is enough for the other way */
    assert_int_equal(w->reports, reports + 2);
    world_free(w);
}

static void test_nodes_are_facts(void **state)
{
    static const char facts[] =
        "{\"kubernetesVersion\":\"v1.34.4\",\"healthz\":\"ok\",\"agentVersion\":\"" FEDLET_VERSION
        "\",\"nodes\":1,\"allocatable\":{"
        "\"cpu\":\"4000m\",\"memory\":\"8192Ki\"},\"region\":\"eu\",\"zones\":[\"eu-a\"]}";
    struct world *w = world_with_three();
    unsigned reports;

    (void)state;
    world_pass(w, 5000);
    reports = w->reports;
    w->nodes =
        "{\"metadata\":{\"name\":\"n\",\"labels\":{\"topology.kubernetes.io/region\":\"eu\","
        "\"topology.kubernetes.io/zone\":\"eu-a\"}},\"status\":{\"allocatable\":{\"cpu\":\"4\","
        "\"memory\":\"8Mi\"}}}";
    world_pass(w, 700000);
    assert_int_equal(w->reports, reports + 1);
    assert_true(fed_span_is(w->report.facts, facts));
    w->pods =
        "{\"status\":{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":"
        "\"False\",\"reason\":\"Unschedulable\",\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"}]}"
        "}";
    world_pass(w, 700000);
    assert_int_equal(w->reports, reports + 2);
    assert_non_null(
        memmem(w->report.facts.at, w->report.facts.len, ",\"unschedulablePods\":1}", 23));
    world_pass(w, 3600000);
    assert_int_equal(w->reports, reports + 2);
    world_free(w);
}

static void test_status_document(void **state)
{
    struct world *w = world_with_three();
    struct fed_buf out;

    (void)state;
    fed_buf_init(&out, fed_alloc_system(), 65536);
    assert_int_equal(agent_daemon_status_json(w->daemon, &out), FED_OK);
    assert_string_equal(fed_buf_cstr(&out),
        "{\"cluster\":\"cluster1\",\"hub\":\"coaps://hub.test:5684\",\"link\":\"coap\","
        "\"connected\":true,\"since_unix_s\":1795000000,"
        "\"dial\":{\"state\":\"in use\",\"hubs\":[\"coaps://hub.test:5684\"]},"
        "\"epoch\":7,\"revision\":1,"
        "\"works\":{\"total\":3,\"applied\":3,\"pending\":0,\"failed\":0,\"removals_waiting\":0},"
        "\"bytes\":{\"sent\":1000,\"received\":2000,\"month_sent\":1000,\"month_received\":2000},"
        "\"certificate\":{\"not_after_unix_s\":0,\"renewal_unix_s\":0},\"clone_suspected\":false,"
        "\"api_server\":{\"reachable\":true,\"version\":\"v1.34.4\",\"health\":\"ok\"},\"clock\":{"
        "\"trust\":\"machine\"},\"waits\":[],\"n_waits\":0}");
    fed_buf_fini(&out);
    world_free(w);
}

static void note_left(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void test_leave(void **state)
{
    struct world *w = world_with_three();
    unsigned left = 0;

    (void)state;
    agent_daemon_leave(w->daemon, false, note_left, &left);
    world_pass(w, 20000);
    assert_int_equal(left, 1);
    assert_null(world_object(w, NS_PATH));
    assert_null(world_object(w, WEB_PATH));
    world_free(w);
}

static void test_many_works(void **state)
{
    static char names[60][16];
    struct world_work works[61] = {ns};
    struct world *w = world_new();

    (void)state;
    for (size_t i = 0; i < 60; i++) {
        snprintf(names[i], sizeof names[i], "map-%02zu", i);
        works[i + 1] = map_a;
        works[i + 1].name = names[i];
    }
    publish(w, 1, works, 61);
    world_boot(w);
    world_pass(w, 10000);
    for (size_t i = 0; i < 61; i++)
        world_assert_state(w, i, "Applied/Healthy");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_delivery),
        cmocka_unit_test(test_one_change_goes_out_at_once),
        cmocka_unit_test(test_idle_writes_nothing),
        cmocka_unit_test(test_restart_goes_on_without_hub),
        cmocka_unit_test(test_crash_between_commit_and_apply),
        cmocka_unit_test(test_one_bad_work),
        cmocka_unit_test(test_waits_for_namespace),
        cmocka_unit_test(test_adoption),
        cmocka_unit_test(test_strays_lose_the_label_and_stay),
        cmocka_unit_test(test_without_the_hub_nothing_is_a_stray),
        cmocka_unit_test(test_strays_of_every_federated_kind),
        cmocka_unit_test(test_how_to_delete),
        cmocka_unit_test(test_drift),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_stale_event_is_no_drift),
        cmocka_unit_test(test_drift_during_apply),
        cmocka_unit_test(test_fight_is_bounded_and_named),
        cmocka_unit_test(test_removal),
        cmocka_unit_test(test_removal_spares_a_stranger),
        cmocka_unit_test(test_orphan),
        cmocka_unit_test(test_joined_once_more),
        cmocka_unit_test(test_joined_once_more_at_a_new_hub),
        cmocka_unit_test(test_list_without_objects_deletes_nothing),
        cmocka_unit_test(test_missed_notification_is_pulled),
        cmocka_unit_test(test_notification_before_the_first_answer),
        cmocka_unit_test(test_end_before_the_first_answer),
        cmocka_unit_test(test_part_is_given_once),
        cmocka_unit_test(test_corrupt_frame_leads_to_full_pull),
        cmocka_unit_test(test_same_revision_with_other_content),
        cmocka_unit_test(test_older_revision_is_refused),
        cmocka_unit_test(test_new_epoch_removes_nothing),
        cmocka_unit_test(test_report_conflict_leads_to_full),
        cmocka_unit_test(test_dead_hub_is_noticed),
        cmocka_unit_test(test_marks_of_the_hub),
        cmocka_unit_test(test_liveness_over_https),
        cmocka_unit_test(test_lost_observation_is_renewed),
        cmocka_unit_test(test_hub_that_refuses_is_not_hammered),
        cmocka_unit_test(test_api_server_away),
        cmocka_unit_test(test_full_disk_stages_nothing),
        cmocka_unit_test(test_corrupt_state_is_refused),
        cmocka_unit_test(test_bad_override_names_its_place),
        cmocka_unit_test(test_failures_say_what_was_tried),
        cmocka_unit_test(test_remote_status),
        cmocka_unit_test(test_older_hub_gets_what_it_knows),
        cmocka_unit_test(test_kinds_are_remembered),
        cmocka_unit_test(test_kinds_are_asked_for_again),
        cmocka_unit_test(test_kinds_nobody_knows),
        cmocka_unit_test(test_bytes_of_the_month),
        cmocka_unit_test(test_a_version_that_the_member_moves_is_told),
        cmocka_unit_test(test_a_version_that_never_rests_is_told_with_growing_pauses),
        cmocka_unit_test(test_a_status_that_is_gone_is_taken_back),
        cmocka_unit_test(test_health_is_doubted_three_times),
        cmocka_unit_test(test_nodes_are_facts),
        cmocka_unit_test(test_status_document),
        cmocka_unit_test(test_leave),
        cmocka_unit_test(test_many_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
