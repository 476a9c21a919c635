/* agent_pods_test.c - how pods are counted, and what of it is reported when. */
#include "agent/pods.h"
#include "agent_world.h"
#include "proto/link/knows.h"
#include "proto/link/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/text.h"
#include "proto/object/json.h"

#define WEB_PATH "/apis/apps/v1/namespaces/shop/deployments/web"
#define RUNNING                                                                                    \
    "{\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]" \
    "}}"
#define RUNNING_UNREADY                                                                            \
    "{\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}" \
    "]}}"
#define STARTING "{\"status\":{\"phase\":\"Pending\",\"conditions\":[]}}"

static const struct world_work ns = {
    .kind = "Namespace", .name = "shop", .blob = "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}"};
static const struct world_work web = {.kind = "Deployment",
    .ns = "shop",
    .name = "web",
    .blob = "{\"spec\":{\"replicas\":4}}",
    .options = FED_WORK_SCALE};

/* A pod that found no node at that time. */
static const char *unschedulable(int64_t since_unix_s)
{
    static char text[300];
    char time[FED_TEXT_TIME_SIZE];

    fed_text_time(since_unix_s, time);
    snprintf(text, sizeof text,
        "{\"status\":{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":"
        "\"False\",\"reason\":\"Unschedulable\",\"lastTransitionTime\":\"%s\"}]}}",
        time);
    return text;
}

/* ---- counting: KubeFed's pod_helper_test ---- */

static void count(struct agent_pods_count *c, const char *pod, int64_t now_unix_s)
{
    struct fed_json_doc *doc;
    struct fed_json *object;

    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    assert_int_equal(fed_json_parse(doc, fed_span_text(pod), &object, NULL), FED_OK);
    agent_pods_take(c, object, now_unix_s);
    fed_json_doc_free(doc);
}

static void test_count(void **state)
{
    struct agent_pods_count c = {0};
    int64_t now = 1800000000;

    (void)state;
    for (int i = 0; i < 3; i++)
        count(&c, RUNNING, now);
    count(&c, unschedulable(now - 600), now);
    count(&c, unschedulable(now - 61), now);
    assert_int_equal(c.next_unix_s, 0);
    count(&c, unschedulable(now - 60), now); /* has its minute only after this second */
    count(&c, unschedulable(now), now);
    count(&c, RUNNING_UNREADY, now); /* KubeFed would take it */
    count(&c, STARTING, now);
    count(&c, "{}", now);
    assert_int_equal(c.running, 3);
    assert_int_equal(c.unschedulable, 2);
    assert_int_equal(c.next_unix_s, now);
}

static void test_selectors(void **state)
{
    static const struct {
        const char *selector;
        const char *text; /* NULL: none */
    } rows[] = {
        {"{\"matchLabels\":{\"a\":\"b\",\"c\":\"d\"}}", "a=b,c=d"},
        {"{\"matchLabels\":{\"a\":\"b\"},\"matchExpressions\":[{\"key\":\"x\",\"operator\":\"In\","
         "\"values\":[\"1\",\"2\"]},{\"key\":\"y\",\"operator\":\"NotIn\",\"values\":[\"3\"]},{"
         "\"key\":\"z\",\"operator\":\"Exists\"},{\"key\":\"w\",\"operator\":\"DoesNotExist\"}]}",
            "a=b,x in (1,2),y notin (3),z,!w"},
        {"{\"app\":\"old\"}", "app=old"}, /* a ReplicationController's */
        {"{\"matchLabels\":{}}", NULL},
        {"{}", NULL},
        {"null", NULL},
        {"{\"matchLabels\":{\"a\":1}}", NULL},
        {"{\"matchExpressions\":[{\"operator\":\"Exists\"}]}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fed_json_doc *doc;
        struct fed_json *selector;
        struct fed_buf out;

        fed_buf_init(&out, fed_alloc_system(), 1000);
        assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
        assert_int_equal(
            fed_json_parse(doc, fed_span_text(rows[i].selector), &selector, NULL), FED_OK);
        assert_int_equal(agent_pods_selector(&out, selector), rows[i].text != NULL);
        if (rows[i].text)
            assert_string_equal(fed_buf_cstr(&out), rows[i].text);
        fed_json_doc_free(doc);
        fed_buf_fini(&out);
    }
}

/* ---- reporting ---- */

static void set(struct world *w, unsigned replicas, unsigned ready)
{
    struct world_object *object = world_object(w, WEB_PATH);

    snprintf(object->spec, sizeof object->spec,
        "{\"replicas\":%u,\"selector\":{\"matchLabels\":{\"app\":\"web\"}}}", replicas);
    snprintf(object->status, sizeof object->status,
        "{\"observedGeneration\":99,\"replicas\":%u,\"updatedReplicas\":%u,\"readyReplicas\":%u,"
        "\"availableReplicas\":%u}",
        replicas, replicas, ready, ready);
    object->rv = ++w->next_rv;
    world_event(w, object, "MODIFIED");
}

static struct world *begin(void)
{
    struct world_work works[] = {ns, web};
    struct world *w = world_new();

    world_publish(w, 1, 1, works, 2);
    world_boot(w);
    world_pass(w, 5000);
    return w;
}

static void assert_scale(const struct world *w, unsigned replicas, unsigned ready, unsigned running,
    unsigned unschedulable_pods)
{
    assert_int_equal(w->report.n_scales, 1);
    assert_int_equal(w->report.scales[0].index, 1);
    assert_int_equal(w->report.scales[0].replicas, replicas);
    assert_int_equal(w->report.scales[0].ready, ready);
    assert_int_equal(w->report.scales[0].running, running);
    assert_int_equal(w->report.scales[0].unschedulable, unschedulable_pods);
}

static void test_all_ready(void **state)
{
    struct world *w = begin();
    unsigned reports;

    (void)state;
    set(w, 4, 4);
    world_pass(w, 5000);
    assert_scale(w, 4, 4, 4, 0);
    assert_string_equal(w->pods_path, ""); /* nobody asks for pods that are all ready */
    reports = w->reports;
    world_forget_requests(w);
    world_pass_minutes(w, 60);
    assert_int_equal(w->reports, reports);
    assert_int_equal(world_asked(w, "GET " WEB_PATH), 0);
    world_free(w);
}

static void test_not_all_ready(void **state)
{
    struct world *w = begin();
    char pods[1200];

    (void)state;
    snprintf(
        pods, sizeof pods, RUNNING "," RUNNING "," RUNNING_UNREADY ",%s", unschedulable(w->unix_s));
    w->pods = pods;
    set(w, 4, 2);
    world_pass(w, 5000);
    assert_scale(w, 4, 2, 2, 0);
    assert_string_equal(
        w->pods_path, "/api/v1/namespaces/shop/pods?limit=100&labelSelector=app%3Dweb");
    world_pass(w, 50000);
    assert_scale(w, 4, 2, 2, 0);
    world_pass(w, 20000); /* without an event: its minute is over */
    assert_scale(w, 4, 2, 2, 1);
    w->pods = RUNNING "," RUNNING "," RUNNING "," RUNNING;
    set(w, 4, 4);
    world_pass(w, 5000);
    assert_scale(w, 4, 4, 4, 0);
    world_free(w);
}

/* What a pod waits for may take long: the pauses grow. */
static void test_pauses(void **state)
{
    struct world *w = begin();
    unsigned asked;

    (void)state;
    w->pods = STARTING;
    set(w, 1, 0);
    world_pass(w, 5000);
    assert_scale(w, 1, 0, 0, 0);
    world_forget_requests(w);
    world_pass_minutes(w, 60);
    asked = world_asked(w, "GET " WEB_PATH);
    assert_in_range(asked, 5, 12);
    world_free(w);
}

static void test_full_report_says_it_again(void **state)
{
    struct world *w = begin();
    unsigned full;

    (void)state;
    set(w, 4, 4);
    world_pass(w, 5000);
    full = w->full_reports;
    w->report_code = FED_LINK_CONFLICT;
    set(w, 5, 5);
    world_pass(w, 3000);
    w->report_code = 0;
    world_pass(w, 60000);
    assert_true(w->full_reports > full);
    assert_scale(w, 5, 5, 5, 0);
    world_free(w);
}

/* The option that comes later, goes, and comes again. */
static void test_option(void **state)
{
    struct world_work works[] = {ns, web};
    struct world *w = world_new();
    unsigned asked;

    (void)state;
    works[1].options = 0;
    world_publish(w, 1, 1, works, 2);
    world_boot(w);
    world_pass(w, 5000);
    set(w, 4, 4);
    world_pass(w, 5000);
    assert_int_equal(w->report.n_scales, 0);
    for (uint64_t revision = 2; revision < 6; revision++) {
        works[1].options = revision % 2 ? 0 : FED_WORK_SCALE;
        w->report.n_scales = 0;
        asked = world_asked(w, "GET " WEB_PATH);
        world_publish(w, 1, revision, works, 2);
        world_notify(w);
        world_pass(w, 5000);
        if (works[1].options)
            assert_scale(w, 4, 4, 4, 0);
        else
            assert_int_equal(world_asked(w, "GET " WEB_PATH), asked);
    }
    world_free(w);
}

/* A rollout that does not get on is looked at, whoever asks for its numbers: a pod that fails is
 * the reason, as long as there is one. */
static void test_what_is_wrong(void **state)
{
    static const char *const bad = "{\"metadata\":{\"name\":\"api-7f\"},\"status\":{\"phase\":"
                                   "\"Pending\",\"containerStatuses\":[{"
                                   "\"name\":\"main\",\"state\":{\"waiting\":{\"reason\":"
                                   "\"ErrImagePull\",\"message\":\"no such "
                                   "tag\"}}}]}}";
    struct world_work works[] = {ns, web};
    struct world *w = world_new();
    struct world_object *object;

    (void)state;
    works[1].options = 0;
    w->hub_knows = FED_LINK_KNOWS_ALL;
    w->pods = bad;
    world_publish(w, 1, 1, works, 2);
    world_boot(w);
    object = world_object(w, WEB_PATH);
    snprintf(object->spec, sizeof object->spec,
        "{\"replicas\":2,\"selector\":{\"matchLabels\":{\"app\":\"web\"}}}");
    world_pass(w, 8000);
    assert_string_equal(w->hub_states[1], "Applied/Progressing  ");
    world_pass(w, 5000);
    assert_string_equal(w->hub_states[1],
        "Applied/Unhealthy ImagePullBackOff pod api-7f, container main: no such tag");
    assert_int_equal(w->report.n_scales, 0);
    snprintf(object->status, sizeof object->status,
        "{\"observedGeneration\":99,\"replicas\":2,\"updatedReplicas\":1}");
    object->rv = ++w->next_rv;
    world_event(w, object, "MODIFIED"); /* on its way, by its own word: the pod says more */
    world_pass(w, 2000);
    assert_non_null(strstr(w->hub_states[1], "Applied/Unhealthy ImagePullBackOff"));
    w->pods = NULL;
    world_pass(w, 60000);
    assert_string_equal(w->hub_states[1], "Applied/Progressing  ");
    w->pods = bad;
    world_pass(w, 200000);
    assert_non_null(strstr(w->hub_states[1], "Applied/Unhealthy ImagePullBackOff"));
    set(w, 2, 2);
    world_pass(w, 2000);
    assert_string_equal(w->hub_states[1], "Applied/Healthy  ");
    world_forget_requests(w);
    world_pass(w, 7200000);
    assert_in_range(world_asked(w, "GET " WEB_PATH), 0, 1);
    world_free(w);
}

/* An API server that refuses, or does not answer, is asked with pauses that grow; and at once when
 * it is back. */
static void test_cannot_look(void **state)
{
    struct world *w = begin();
    struct world_object *object = world_object(w, WEB_PATH);

    (void)state;
    set(w, 4, 2);
    w->pods = RUNNING "," RUNNING;
    world_pass(w, 5000);
    w->reader = "nobody";
    set(w, 4, 3);
    world_forget_requests(w);
    world_pass_minutes(w, 60);
    assert_in_range(world_asked(w, "GET " WEB_PATH), 5, 12);
    assert_scale(w, 4, 2, 2, 0);
    w->reader = NULL;
    w->api_down = true;
    world_pass_minutes(w, 60);
    world_forget_requests(w);
    snprintf(
        object->status, sizeof object->status, "{\"observedGeneration\":99,\"readyReplicas\":4}");
    w->api_down = false;
    world_pass(w, 20000);
    assert_in_range(world_asked(w, "GET " WEB_PATH), 1, 3);
    assert_scale(w, 4, 4, 4, 0);
    world_free(w);
}

/* A kind without spec.replicas has nothing to tell. */
static void test_no_replicas(void **state)
{
    struct world *w = begin();
    struct world_object *object = world_object(w, WEB_PATH);

    (void)state;
    snprintf(object->spec, sizeof object->spec, "{\"size\":4}");
    object->rv = ++w->next_rv;
    world_event(w, object, "MODIFIED");
    world_pass(w, 5000);
    assert_int_equal(w->report.n_scales, 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_all_ready),
        cmocka_unit_test(test_what_is_wrong),
        cmocka_unit_test(test_not_all_ready),
        cmocka_unit_test(test_pauses),
        cmocka_unit_test(test_full_report_says_it_again),
        cmocka_unit_test(test_option),
        cmocka_unit_test(test_cannot_look),
        cmocka_unit_test(test_no_replicas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
