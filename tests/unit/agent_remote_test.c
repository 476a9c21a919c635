/* agent_remote_test.c - what is told of members' objects that keep changing: nothing when it is not
 * about what the hub shows, and bounded when it is. */
#include "agent/remote.h"
#include "tests/unit/agent_world.h"

#include "proto/link/knows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_S 3600u
#define NS_BLOB "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\"}"
#define WEB_BLOB "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"spec\":{\"replicas\":1}}"
#define WEB_PATH "/apis/apps/v1/namespaces/web/deployments/api"

/* ---- what is left of a large status ---- */

static void put_fields(const char *fields, const char *text, struct fed_buf *out)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *status = NULL;

    fed_buf_clear(out);
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    assert_int_equal(fed_json_parse(doc, fed_span_text(text), &status, NULL), FED_OK);
    assert_int_equal(
        agent_remote_put(fed_alloc_system(), fed_span_text(fields), status, out), FED_OK);
    fed_json_doc_free(doc);
}

static void put(const char *text, struct fed_buf *out)
{
    put_fields("", text, out);
}

static char *filled(size_t n)
{
    char *text = malloc(n + 1);

    assert_non_null(text);
    memset(text, 'x', n);
    text[n] = '\0';
    return text;
}

static void test_large_statuses(void **state)
{
    char *big = filled(9000);
    char *most = filled(FED_REPORT_REMOTE_MAX - 8); /* {"a":""} around it */
    char *text = malloc(64000);
    struct fed_buf out;

    (void)state;
    assert_non_null(text);
    fed_buf_init(&out, fed_alloc_system(), 1u << 20);
    put("{\"b\":1,\"a\":[2]}", &out);
    assert_true(fed_span_is(fed_buf_span(&out), "{\"a\":[2],\"b\":1}"));
    snprintf(text, 64000, "{\"a\":\"%s\"}", most);
    put(text, &out);
    assert_string_equal(fed_buf_cstr(&out), text); /* as much as there may be */
    snprintf(text, 64000, "{\"a\":\"%sx\",\"b\":true}", most);
    put(text, &out);
    assert_string_equal(fed_buf_cstr(&out), "{\"b\":true,\"fedlet.io/omitted\":[\"a\"]}");
    snprintf(text, 64000, "{\"z\":\"%s\",\"c\":\"%s\",\"n\":7,\"b\":\"%sx\"}", big, big, big);
    put(text, &out);
    assert_non_null(
        strstr(fed_buf_cstr(&out), "\"fedlet.io/omitted\":[\"b\",\"c\"],\"n\":7,\"z\":\"xx"));
    assert_in_range(out.len, 9000, FED_REPORT_REMOTE_MAX);
    snprintf(text, 64000, "[\"%s\",\"%s\"]", big, big);
    put(text, &out);
    assert_int_equal(out.len, 0);
    fed_buf_fini(&out);
    free(text);
    free(most);
    free(big);
}

/* What is asked for alone, and only that is measured. */
static void test_fields(void **state)
{
    char *big = filled(20000);
    char *text = malloc(64000);
    struct fed_buf out;

    (void)state;
    assert_non_null(text);
    fed_buf_init(&out, fed_alloc_system(), 1u << 20);
    snprintf(text, 64000, "{\"c\":[{\"type\":\"A\",\"message\":\"%s\"}],\"n\":7}", big);
    put_fields("n,c[*].type", text, &out);
    assert_string_equal(fed_buf_cstr(&out), "{\"c\":[{\"type\":\"A\"}],\"n\":7}");
    put_fields("n,c", text, &out);
    assert_string_equal(fed_buf_cstr(&out), "{\"fedlet.io/omitted\":[\"c\"],\"n\":7}");
    put_fields("none", text, &out);
    assert_int_equal(out.len, 0);
    fed_buf_fini(&out);
    free(text);
    free(big);
}

/* So many members that what is left out cannot be listed. */
static void test_too_many_members(void **state)
{
    struct fed_buf text;
    struct fed_buf out;

    (void)state;
    fed_buf_init(&text, fed_alloc_system(), 1u << 20);
    for (unsigned i = 0; i < 3000; i++)
        fed_buf_printf(&text, "%s\"member-%u\":%u", i ? "," : "{", i, i);
    fed_buf_put_u8(&text, '}');
    fed_buf_init(&out, fed_alloc_system(), 1u << 20);
    put(fed_buf_cstr(&text), &out);
    assert_int_equal(out.len, 0);
    fed_buf_fini(&out);
    fed_buf_fini(&text);
}

/* ---- objects that keep changing ---- */

static struct world *begin_with(const char *blob, uint32_t options)
{
    static const struct world_work ns = {"Namespace", NULL, "web", NS_BLOB, NULL, 0};
    struct world_work works[] = {ns, {"Deployment", "web", "api", blob, NULL, options}};
    struct world *w = world_new();

    w->hub_knows = FED_LINK_KNOWS_ALL;
    world_publish(w, 7, 1, works, 2);
    world_boot(w);
    world_pass(w, 5000);
    return w;
}

static struct world *begin(uint32_t options)
{
    return begin_with(WEB_BLOB, options);
}

/* One more status: well, and seen by nobody but whoever reads all of it. */
static void tick(struct world *w, unsigned second, bool well)
{
    struct world_object *o = world_object(w, WEB_PATH);

    snprintf(o->status, sizeof o->status,
        "{\"observedGeneration\":99,\"replicas\":1,\"updatedReplicas\":1,\"readyReplicas\":%u,"
        "\"availableReplicas\":%u,\"beat\":%u}",
        well, well, second);
    o->rv = ++w->next_rv;
    world_event(w, o, "MODIFIED");
    world_pass(w, 1000);
}

static void test_what_nobody_shows_is_not_sent(void **state)
{
    struct world *w = begin(0);
    unsigned reports;
    unsigned commits;

    (void)state;
    tick(w, 0, true);
    world_pass(w, 60000);
    reports = w->reports;
    commits = w->commits;
    for (unsigned second = 1; second <= HOUR_S; second++)
        tick(w, second, true);
    assert_int_equal(w->reports, reports);
    assert_int_equal(w->commits, commits);
    world_free(w);
}

/* An unhealthy one whose numbers change: the hub was told that it is not well. */
static void test_messages_are_not_sent_for_themselves(void **state)
{
    struct world *w = begin(0);
    struct world_object *o = world_object(w, WEB_PATH);
    unsigned reports = 0;

    (void)state;
    for (unsigned second = 0; second < HOUR_S; second++) {
        snprintf(o->status, sizeof o->status,
            "{\"observedGeneration\":99,\"conditions\":[{\"type\":\"ReplicaFailure\",\"status\":"
            "\"True\",\"reason\":\"FailedCreate\",\"message\":\"try %u\"}]}",
            second);
        o->rv = ++w->next_rv;
        world_event(w, o, "MODIFIED");
        world_pass(w, 1000);
        if (second == 60)
            reports = w->reports;
    }
    assert_int_equal(w->reports, reports);
    assert_non_null(strstr(w->hub_states[1], "Applied/Unhealthy FailedCreate try"));
    world_free(w);
}

#define FIELDS_BLOB                                                                                \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"annotations\":{"          \
    "\"fedlet.io/status-fields\":\"readyReplicas\"}},\"spec\":{\"replicas\":1}}"

static bool was_sent(const struct world *w, const char *status)
{
    return w->report.n_remote == 1 && fed_span_is(w->report.remote[0].status, status);
}

/* What was not asked for may change as it likes. */
static void test_fields_alone_are_sent(void **state)
{
    struct world *w = begin_with(FIELDS_BLOB, FED_WORK_STATUS);
    struct world_object *o = world_object(w, WEB_PATH);
    unsigned reports;

    (void)state;
    tick(w, 0, true);
    world_pass(w, 60000);
    assert_true(was_sent(w, "{\"readyReplicas\":1}"));
    reports = w->reports;
    for (unsigned second = 1; second <= 600; second++)
        tick(w, second, true);
    assert_int_equal(w->reports, reports);
    tick(w, 601, false);
    world_pass(w, 60000);
    assert_in_range(w->reports, reports + 1, reports + 2); /* with the object's health */
    snprintf(o->status, sizeof o->status, "{\"observedGeneration\":99}");
    o->rv = ++w->next_rv;
    world_event(w, o, "MODIFIED");
    world_pass(w, 60000);
    assert_true(was_sent(w, "null"));
    world_free(w);
}

static void test_statuses_are_sent_with_pauses(void **state)
{
    struct world *w = begin(FED_WORK_STATUS);
    unsigned reports;

    (void)state;
    tick(w, 0, true);
    world_pass(w, 60000);
    reports = w->reports;
    for (unsigned second = 1; second <= HOUR_S; second++)
        tick(w, second, true);
    assert_in_range(w->reports - reports, 5, 14);
    world_pass(w, 900000);
    assert_non_null(memmem(w->report.remote[0].status.at, w->report.remote[0].status.len,
        "\"beat\":3600", 11)); /* and the last one arrives */
    reports = w->reports;
    world_pass(w, 3600000);
    assert_int_equal(w->reports, reports);
    tick(w, 5000, false); /* health does not wait, and takes the status with it */
    world_pass(w, 1000);
    assert_int_equal(w->reports, reports + 1);
    assert_int_equal(w->report.n_remote, 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_statuses),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_too_many_members),
        cmocka_unit_test(test_what_nobody_shows_is_not_sent),
        cmocka_unit_test(test_messages_are_not_sent_for_themselves),
        cmocka_unit_test(test_fields_alone_are_sent),
        cmocka_unit_test(test_statuses_are_sent_with_pauses),
    };

    return cmocka_run_group_tests_name("agent_remote", tests, NULL, NULL);
}
