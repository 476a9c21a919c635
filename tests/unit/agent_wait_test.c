/* agent_wait_test.c - what a running agent waits for, what it tells Prometheus, and what may change
 * while it runs. */
#include "agent/dial.h"
#include "agent/wait.h"
#include "proto/doc/doc.h"
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BLOB(kind, name, more)                                                                     \
    "{\"apiVersion\":\"v1\",\"kind\":\"" kind "\",\"metadata\":{\"name\":\"" name "\"}" more "}"
static const struct world_work bundle[] = {
    {.kind = "ConfigMap", .ns = "web", .name = "a", .blob = BLOB("ConfigMap", "a", "")},
    {.kind = "ConfigMap", .ns = "web", .name = "b", .blob = BLOB("ConfigMap", "b", "")},
    {.kind = "Namespace", .name = "web", .blob = BLOB("Namespace", "web", "")},
};

static struct world *start(void)
{
    struct world *w = world_new();

    world_publish(w, 7, 1, bundle, 3);
    world_boot(w);
    world_pass(w, 3000);
    return w;
}

/* The only wait of that kind; its member as text or number. NULL: there is none. */
static struct fed_doc *status_of(struct world *w)
{
    struct fed_buf text;
    struct fed_doc *doc = NULL;

    fed_buf_init(&text, fed_alloc_system(), 1u << 20);
    assert_int_equal(agent_daemon_status_json(w->daemon, &text), FED_OK);
    assert_int_equal(fed_doc_parse(fed_buf_span(&text), &doc, NULL), FED_OK);
    fed_buf_fini(&text);
    return doc;
}

static const struct fed_doc *wait_for_what(const struct fed_doc *status, const char *what)
{
    const struct fed_doc *waits = fed_doc_get(status, "waits");
    const struct fed_doc *found = NULL;

    for (size_t i = 0; i < fed_doc_count(waits); i++) {
        const struct fed_doc *one = fed_doc_at(waits, i);

        if (strcmp(fed_doc_text(fed_doc_get(one, "for"), ""), what) == 0) {
            assert_null(found);
            found = one;
        }
    }
    return found;
}

static int64_t number(const struct fed_doc *wait, const char *key)
{
    int64_t value = 0;

    assert_int_equal(fed_doc_int(fed_doc_get(wait, key), 0, INT64_MAX, &value), FED_OK);
    return value;
}

/* It has a beginning, a next try that is not further away than its limit, and a reason. */
static void expect_wait(struct world *w, const char *what, const char *says, int64_t age_s)
{
    struct fed_doc *status = status_of(w);
    const struct fed_doc *wait = wait_for_what(status, what);
    int64_t left_s;

    if (!wait)
        fail_msg("nothing waits for %s", what);
    if (!strstr(fed_doc_text(fed_doc_get(wait, "message"), ""), says))
        fail_msg("%s: %s", what, fed_doc_text(fed_doc_get(wait, "message"), ""));
    assert_in_range(w->unix_s - number(wait, "since_unix_s"), age_s, age_s + 2);
    left_s = number(wait, "next_try_unix_s") - w->unix_s;
    assert_in_range(left_s + 1, 0, number(wait, "limit_s") + 1);
    assert_in_range(number(wait, "limit_s"), 1, 3600);
    fed_doc_free(status);
}

static void expect_none(struct world *w)
{
    struct fed_doc *status = status_of(w);

    assert_int_equal(fed_doc_count(fed_doc_get(status, "waits")), 0);
    fed_doc_free(status);
}

static void test_nothing_waits(void **state)
{
    struct world *w = start();

    (void)state;
    expect_none(w);
    assert_null(agent_daemon_stuck(w->daemon));
    world_free(w);
}

static void test_hub_away(void **state)
{
    struct world *w = start();
    struct fed_doc *status;
    int64_t since_s;
    bool up;

    (void)state;
    w->hub_down = true;
    w->pings_lost = true;
    do {
        world_pass(w, 1000);
        since_s = w->unix_s;
        status = status_of(w);
        up = fed_doc_bool(fed_doc_get(status, "connected"), false);
        fed_doc_free(status);
    } while (up);
    world_pass(w, 600000);
    expect_wait(w, "hub", "", (int64_t)(w->unix_s - since_s));
    world_free(w);
}

static void test_api_server_away(void **state)
{
    struct world *w = start();

    (void)state;
    w->api_down = true;
    world_pass(w, 120000);
    {
        struct fed_doc *status = status_of(w);
        const struct fed_doc *wait = wait_for_what(status, "api-server");

        assert_non_null(wait);
        assert_non_null(strstr(fed_doc_text(fed_doc_get(wait, "message"), ""), "unreachable"));
        assert_in_range(number(wait, "limit_s"), 1, 60);
        assert_true(number(wait, "next_try_unix_s") >= w->unix_s - 1);
        assert_true(number(wait, "next_try_unix_s") <= w->unix_s + 61);
        fed_doc_free(status);
    }
    w->api_down = false;
    world_pass(w, 61000);
    expect_none(w);
    world_free(w);
}

static void test_work_refused(void **state)
{
    struct world *w = world_new();

    (void)state;
    w->refuse_path = "configmaps/b";
    w->refuse_status = 403;
    w->refuse_body = "{\"kind\":\"Status\",\"message\":\"b is forbidden: User \\\"a\\\" cannot\"}";
    world_publish(w, 7, 1, bundle, 3);
    world_boot(w);
    expect_wait(w, "work", "forbidden", 0);
    world_pass(w, 100000);
    expect_wait(w, "work", "forbidden", 100);
    assert_null(agent_daemon_stuck(w->daemon));
    w->refuse_path = NULL;
    world_pass(w, 300000);
    expect_none(w);
    world_free(w);
}

static void test_disk_full(void **state)
{
    struct world *w = start();

    (void)state;
    w->commit_err = FED_ERR_FULL;
    world_object(w, "/api/v1/namespaces/web/configmaps/a")->uid[0] ^= 1;
    agent_daemon_leave(w->daemon, true, NULL, NULL); /* the inventory has news */
    world_pass(w, 20000);
    expect_wait(w, "disk", "", 18);
    w->commit_err = FED_OK;
    world_pass(w, 120000);
    {
        struct fed_doc *status = status_of(w);

        assert_null(wait_for_what(status, "disk"));
        fed_doc_free(status);
    }
    world_free(w);
}

/* ---- metrics: the text format, strictly ---- */

struct scrape {
    char families[64][80];
    size_t n_families;
    char series[200][160];
    size_t n_series;
};

static bool is_name(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!(text[i] == '_' || (text[i] >= 'a' && text[i] <= 'z') ||
                (i > 0 && text[i] >= '0' && text[i] <= '9')))
            return false;
    return len > 0;
}

/* {a="b",c="d"}: where it ends. */
static const char *take_labels(const char *at)
{
    size_t n = 0;

    assert_int_equal(*at++, '{');
    for (;;) {
        size_t len = strcspn(at, "=");

        assert_true(is_name(at, len));
        at += len;
        assert_memory_equal(at, "=\"", 2);
        at += 2;
        len = strcspn(at, "\"\\\n");
        assert_true(len > 0 && len < 40);
        at += len;
        assert_int_equal(*at++, '"');
        assert_true(++n <= 2);
        if (*at == '}')
            return at + 1;
        assert_int_equal(*at++, ',');
    }
}

static void take_series(struct scrape *s, const char *line)
{
    const char *family = s->families[s->n_families - 1];
    size_t len = strcspn(line, "{ ");
    const char *at = line + len;
    char *end;

    assert_true(len == strlen(family) && memcmp(line, family, len) == 0);
    if (*at == '{')
        at = take_labels(at);
    assert_int_equal(*at, ' ');
    snprintf(s->series[s->n_series], sizeof s->series[0], "%.*s", (int)(at - line), line);
    for (size_t i = 0; i < s->n_series; i++)
        assert_string_not_equal(s->series[i], s->series[s->n_series]);
    assert_true(++s->n_series < 200);
    strtod(at + 1, &end);
    assert_true(end > at + 1 && *end == '\0');
}

/* "# TYPE name type", then its series, each family once. */
static void take_scrape(struct scrape *s, char *text)
{
    char *rest = NULL;

    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char name[80] = "";
        char type[20] = "";

        if (sscanf(line, "# TYPE %79s %19s", name, type) == 2) {
            assert_memory_equal(name, "fedlet_", 7);
            assert_true(is_name(name, strlen(name)));
            for (size_t i = 0; i < s->n_families; i++)
                assert_string_not_equal(s->families[i], name);
            snprintf(s->families[s->n_families++], sizeof s->families[0], "%s", name);
            assert_true(strcmp(type, "gauge") == 0 || strcmp(type, "counter") == 0);
            /* A counter is called one, and nothing else is. */
            assert_int_equal(strcmp(type, "counter") == 0,
                strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0);
        } else {
            take_series(s, line);
        }
    }
}

static void test_metrics(void **state)
{
    static const char *const wanted[] = {"fedlet_build_info{version=\"" FEDLET_VERSION "\"}",
        "fedlet_hub_connected", "fedlet_hub_rtt_seconds",
        "fedlet_sync_last_success_timestamp_seconds", "fedlet_generation",
        "fedlet_objects{state=\"applied\"}", "fedlet_apply_total{result=\"applied\"}",
        "fedlet_drift_corrections_total{outcome=\"restored\"}",
        "fedlet_wire_bytes_total{transport=\"coap\",direction=\"sent\"}",
        "fedlet_handshakes_total{kind=\"full\"}", "fedlet_handshakes_total{kind=\"resumed\"}",
        "fedlet_handshakes_total{kind=\"failed\"}", "fedlet_state_bytes", "fedlet_fsync_total",
        "fedlet_clock_trust", "fedlet_certificate_expiry_timestamp_seconds"};
    struct world *w = start();
    struct scrape *s = calloc(1, sizeof *s);
    struct fed_buf text;

    (void)state;
    assert_non_null(s);
    fed_buf_init(&text, fed_alloc_system(), 1u << 16);
    assert_int_equal(agent_daemon_metrics(w->daemon, 4096, &text), FED_OK);
    assert_non_null(strstr(fed_buf_cstr(&text), "\nfedlet_objects{state=\"applied\"} 3\n"));
    assert_non_null(strstr(fed_buf_cstr(&text), "\nfedlet_apply_total{result=\"applied\"} 3\n"));
    assert_non_null(strstr(fed_buf_cstr(&text), "\nfedlet_hub_connected 1\n"));
    assert_non_null(strstr(fed_buf_cstr(&text), "\nfedlet_state_bytes 4096\n"));
    assert_int_equal(text.at[text.len - 1], '\n');
    take_scrape(s, (char *)text.at);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        bool found = false;

        for (size_t k = 0; k < s->n_series; k++)
            found = found || strcmp(s->series[k], wanted[i]) == 0;
        if (!found)
            fail_msg("no %s", wanted[i]);
    }
    fed_buf_fini(&text);
    free(s);
    world_free(w);
}

/* The same work under many names: the series are the same. */
static void test_metrics_do_not_grow(void **state)
{
    static char names[40][20];
    struct world_work works[41];
    struct world *w = start();
    struct fed_buf few;
    struct fed_buf many;
    size_t lines[2] = {0};

    (void)state;
    fed_buf_init(&few, fed_alloc_system(), 1u << 16);
    fed_buf_init(&many, fed_alloc_system(), 1u << 16);
    assert_int_equal(agent_daemon_metrics(w->daemon, 0, &few), FED_OK);
    for (size_t i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "name-%02zu", i);
        works[i] = (struct world_work){
            .kind = "ConfigMap", .ns = "web", .name = names[i], .blob = bundle[0].blob};
    }
    works[40] = bundle[2];
    world_publish(w, 7, 2, works, 41);
    world_notify(w);
    world_settle(w);
    assert_int_equal(agent_daemon_metrics(w->daemon, 0, &many), FED_OK);
    for (size_t i = 0; i < few.len; i++)
        lines[0] += few.at[i] == '\n';
    for (size_t i = 0; i < many.len; i++)
        lines[1] += many.at[i] == '\n';
    assert_int_equal(lines[0], lines[1]);
    assert_null(strstr(fed_buf_cstr(&many), "name-"));
    fed_buf_fini(&few);
    fed_buf_fini(&many);
    world_free(w);
}

/* ---- what may change ---- */

static void test_other_hubs(void **state)
{
    static const char hubs[2][281] = {"coaps://other.test:5684", "coaps://third.test:5684"};
    struct world *w = start();
    struct fed_doc *status;

    (void)state;
    agent_daemon_hubs(w->daemon, hubs, 2);
    world_settle(w);
    world_pass(w, 1000);
    status = status_of(w);
    assert_string_equal(fed_doc_text(fed_doc_get(status, "hub"), ""), "coaps://other.test:5684");
    assert_true(fed_doc_bool(fed_doc_get(status, "connected"), false));
    assert_int_equal(fed_doc_count(fed_doc_get(fed_doc_get(status, "dial"), "hubs")), 2);
    fed_doc_free(status);
    world_free(w);
}

/* A request that never ends, though it has a limit: the loop turns, and nothing gets on. */
static void test_stuck(void **state)
{
    struct world *w = start();

    (void)state;
    world_pass(w, 3600000);
    assert_null(agent_daemon_stuck(w->daemon));
    w->api_hold = true;
    world_pass(w, 3600000);
    assert_non_null(agent_daemon_stuck(w->daemon));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_waits),
        cmocka_unit_test(test_hub_away),
        cmocka_unit_test(test_api_server_away),
        cmocka_unit_test(test_work_refused),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_metrics_do_not_grow),
        cmocka_unit_test(test_other_hubs),
        cmocka_unit_test(test_stuck),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
