/* agent_health_test.c - health_cases.jsonl: objects as API servers show them, and what is said of
 * each. */
#include "agent/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CASES_MAX (1u << 20)
#define CASES_LEAST 120

static struct fed_span text_of(const struct fed_json *of, const char *key)
{
    return fed_json_string(fed_json_get(of, key));
}

static struct fed_json *parse(struct fed_json_doc *doc, struct fed_span text)
{
    struct fed_json *value = NULL;
    struct fed_diag diag = {""};

    if (fed_json_parse(doc, text, &value, &diag))
        fail_msg("%s", diag.text);
    return value;
}

static void check_said(const struct fed_json *c, const struct agent_health *health, const char *how)
{
    struct fed_span name = text_of(c, "name");

    if (!fed_span_is(text_of(c, "health"), fed_work_health_name(health->state)) ||
        !fed_span_is(text_of(c, "reason"), health->reason) ||
        !fed_span_is(text_of(c, "message"), health->message))
        fail_msg(FED_SPAN_FMT " (%s): %s, \"%s\", \"%s\"", FED_SPAN_ARG(name), how,
            fed_work_health_name(health->state), health->reason, health->message);
}

static void check(struct fed_span line)
{
    struct fed_json_doc *doc = NULL;
    struct agent_health health;
    struct fed_json *object;
    struct fed_json *c;
    struct fed_span api_version;
    struct fed_span kind;

    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    c = parse(doc, line);
    object = fed_json_get(c, "object");
    api_version = text_of(object, "apiVersion");
    kind = text_of(object, "kind");
    agent_health_of(api_version, kind, object, &health);
    check_said(c, &health, "whole");
    if (!agent_health_needs_content(api_version, kind)) { /* as it is watched then */
        fed_json_remove(object, "spec");
        fed_json_remove(object, "status");
        agent_health_of(api_version, kind, object, &health);
        check_said(c, &health, "metadata");
    }
    fed_json_doc_free(doc);
}

static void test_cases(void **state)
{
    FILE *file = fopen(FEDLET_SOURCE_DIR "/tests/unit/health_cases.jsonl", "r");
    char *text = malloc(CASES_MAX);
    struct fed_span rest;
    struct fed_span line;
    int n = 0;

    (void)state;
    assert_non_null(file);
    assert_non_null(text);
    rest = fed_span_of(text, fread(text, 1, CASES_MAX, file));
    fclose(file);
    assert_true(rest.len < CASES_MAX);
    for (; fed_span_split(&rest, '\n', &line); n++)
        check(line);
    assert_in_range(n, CASES_LEAST, 100000);
    free(text);
}

/* The fields that a rule reads may be of any type and absent: no object is too odd for an answer,
 * and an answer always fits. */
static void test_odd_objects(void **state)
{
    static const char *const values[] = {"null", "7", "\"x\"", "[]", "{}", "[[]]",
        "{\"conditions\":[{\"type\":\"Ready\"}],\"phase\":7,\"replicas\":-1}",
        "{\"conditions\":[{\"type\":7}],\"observedGeneration\":\"1\"}",
        "{\"containerStatuses\":[7,{\"state\":{\"waiting\":7}}],\"updatedReplicas\":1e300}"};
    static const char *const kinds[][2] = {{"apps/v1", "Deployment"}, {"apps/v1", "ReplicaSet"},
        {"apps/v1", "StatefulSet"}, {"apps/v1", "DaemonSet"}, {"batch/v1", "Job"}, {"v1", "Pod"},
        {"v1", "PersistentVolumeClaim"}, {"v1", "Service"},
        {"apiextensions.k8s.io/v1", "CustomResourceDefinition"},
        {"apiregistration.k8s.io/v1", "APIService"}, {"autoscaling/v2", "HorizontalPodAutoscaler"},
        {"example.com/v1", "Gadget"}};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
            struct fed_json_doc *doc = NULL;
            struct agent_health health = {.state = FED_HEALTHS};
            char text[400];

            snprintf(text, sizeof text, "{\"metadata\":%s,\"spec\":%s,\"status\":%s}", values[j],
                values[(j + 1) % 9], values[j]);
            assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
            agent_health_of(fed_span_text(kinds[i][0]), fed_span_text(kinds[i][1]),
                parse(doc, fed_span_text(text)), &health);
            assert_in_range(health.state, FED_HEALTH_HEALTHY, FED_HEALTH_UNHEALTHY);
            fed_json_doc_free(doc);
        }
    }
}

static void test_which_kinds(void **state)
{
    (void)state;
    assert_true(agent_health_needs_content(FED_SPAN_LIT("apps/v1"), FED_SPAN_LIT("Deployment")));
    assert_true(agent_health_needs_content(FED_SPAN_LIT("a.example/v1"), FED_SPAN_LIT("Gadget")));
    assert_true(agent_health_needs_content(
        FED_SPAN_LIT("gateway.networking.k8s.io/v1"), FED_SPAN_LIT("Gateway")));
    assert_false(agent_health_needs_content(FED_SPAN_LIT("v1"), FED_SPAN_LIT("Secret")));
    assert_false(
        agent_health_needs_content(FED_SPAN_LIT("networking.k8s.io/v1"), FED_SPAN_LIT("Ingress")));
    assert_true(agent_health_has_pods(FED_SPAN_LIT("batch/v1"), FED_SPAN_LIT("Job")));
    assert_false(agent_health_has_pods(FED_SPAN_LIT("batch/v1"), FED_SPAN_LIT("CronJob")));
    assert_false(agent_health_has_pods(FED_SPAN_LIT("v1"), FED_SPAN_LIT("Pod")));
    assert_false(agent_health_has_pods(FED_SPAN_LIT("x/v1"), FED_SPAN_LIT("Deployment")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_odd_objects),
        cmocka_unit_test(test_which_kinds),
    };

    return cmocka_run_group_tests_name("agent_health", tests, NULL, NULL);
}
