/* agent_offline_test.c - weeks without a hub, without an API server, and without both. */
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000u
#define DAY_MS (24u * HOUR_MS)
#define MAPS 40u
/* Three datagrams of a ClientHello with their headers, and three of a TCP connection. */
#define TRY_BYTES (3u * (110u + 28u) + 3u * 60u)

#define NS_BLOB "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\"}"
#define MAP_BLOB "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"a\"},\"kind\":\"ConfigMap\"}"

static char names[MAPS][16];

static void path_of(unsigned i, char out[100])
{
    snprintf(out, 100, "/api/v1/namespaces/web/configmaps/%.15s", names[i]);
}

static struct world *world_with_maps(void)
{
    struct world_work works[MAPS + 1] = {{"Namespace", NULL, "web", NS_BLOB, NULL, 0}};
    struct world *w = world_new();

    for (unsigned i = 0; i < MAPS; i++) {
        snprintf(names[i], sizeof names[i], "map-%02u", i);
        works[i + 1] = (struct world_work){"ConfigMap", "web", names[i], MAP_BLOB, NULL, 0};
    }
    world_publish(w, 7, 1, works, MAPS + 1);
    world_boot(w);
    world_pass(w, 5000);
    return w;
}

/* Gone while the watch looks: it is put back. */
static void delete_one(struct world *w, unsigned i)
{
    struct world_object *object;
    char path[100];

    path_of(i, path);
    object = world_object(w, path);
    assert_non_null(object);
    object->used = false;
    world_event(w, object, "DELETED");
    world_pass(w, 5000);
    assert_non_null(world_object(w, path));
}

static void lose_hub(struct world *w)
{
    w->hub_down = w->pings_lost = true;
    world_pass(w, 10u * 60000u);
    assert_true(strstr(w->log_text, "does not answer any more") != NULL);
}

/* A week of drift and a reboot each day: all put back, bounded memory and traffic, and one report
 * of what is now. */
static void test_a_week_without_hub(void **state)
{
    struct world *w = world_with_maps();
    unsigned reports;
    unsigned drift = 0;
    unsigned worst = 0;

    (void)state;
    lose_hub(w);
    reports = w->reports;
    for (unsigned day = 0; day < 7; day++) {
        unsigned before = w->connects;

        for (unsigned hour = 0; hour < 24; hour++) {
            delete_one(w, drift++ % MAPS);
            world_pass(w, HOUR_MS - 5000);
            w->log_text[0] = '\0';
        }
        worst = w->connects - before > worst ? w->connects - before : worst;
        if (day % 2 == 1) { /* the power goes, too */
            world_crash(w);
            world_boot(w);
        }
    }
    print_message("at most %u tries a day, %u bytes\n", worst, worst * TRY_BYTES);
    assert_int_equal(w->reports, reports);
    assert_true(worst * TRY_BYTES <= 100000); /* a day with a reboot has its first hour */
    w->hub_down = w->pings_lost = false;
    reports = w->full_reports;
    world_pass(w, 2100000 + 60000);
    assert_int_equal(w->full_reports, reports + 1);
    for (unsigned i = 0; i < MAPS; i++)
        assert_memory_equal(w->hub_states[i], "Applied", 7);
    world_free(w);
}

/* Without a reboot: days behind the first. */
static void test_tries_of_a_day(void **state)
{
    struct world *w = world_with_maps();
    unsigned before;
    uint64_t since;

    (void)state;
    lose_hub(w);
    world_pass(w, DAY_MS);
    before = w->connects;
    world_pass(w, 10u * DAY_MS);
    /* The world's randomness is the middle of all waits. */
    print_message("%u tries in ten days, %u bytes a day\n", w->connects - before,
        (w->connects - before) * TRY_BYTES / 10);
    assert_true((w->connects - before) * TRY_BYTES / 10 <= 50000);
    assert_true(w->connects - before > 500);
    w->hub_down = w->pings_lost = false;
    since = w->now_ms;
    while (!strstr(w->log_text, "connected") && w->now_ms - since < 2200000)
        world_pass(w, 10000);
    assert_true(w->now_ms - since <= 2110000);
    world_free(w);
}

/* The hub hears of the member's absence, and of all that comes after it. */
static void test_both_away_at_boot(void **state)
{
    struct world *w = world_with_maps();
    char path[100];

    (void)state;
    for (unsigned first = 0; first < 2; first++) {
        world_crash(w);
        w->hub_down = w->api_down = true;
        for (unsigned i = 0; i < MAPS; i++) {
            path_of(i, path);
            world_object(w, path)->used = false;
        }
        world_boot(w);
        world_pass(w, 3u * HOUR_MS);
        if (first == 0) { /* the API server returns, and nobody else */
            w->api_down = false;
            world_pass(w, 120000);
            for (unsigned i = 0; i < MAPS; i++) {
                path_of(i, path);
                assert_non_null(world_object(w, path));
            }
            w->hub_down = false;
            world_pass(w, 2200000);
        } else { /* the hub returns first, and hears that it waits */
            w->hub_down = false;
            world_pass(w, 2200000);
            assert_int_equal(w->report.revision, 1);
            w->api_down = false;
            world_pass(w, 120000);
        }
        for (unsigned i = 0; i < MAPS; i++) {
            path_of(i, path);
            assert_non_null(world_object(w, path));
            assert_memory_equal(w->hub_states[i], "Applied", 7);
        }
    }
    world_free(w);
}

/* ---- a state file that lost something ---- */

static void lose_templates(struct world *w)
{
    size_t kept = 0;

    for (size_t i = 0; i < w->n_rows; i++) {
        if (w->rows[i].key[0] == 'b' && w->rows[i].key[1] == '/') {
            free(w->rows[i].key);
            free(w->rows[i].value);
        } else {
            w->rows[kept++] = w->rows[i];
        }
    }
    assert_true(kept < w->n_rows);
    w->n_rows = kept;
}

static void delete_object(struct world *w, const char *path)
{
    struct world_object *object = world_object(w, path);

    assert_non_null(object);
    object->used = false;
    world_event(w, object, "DELETED");
}

/* What is missing is had again from the hub, once it is there; nothing else is asked of it. */
static void test_a_lost_template_is_pulled(void **state)
{
    struct world *w = world_with_maps();
    unsigned pulls = w->pulls + w->observes;
    char path[100];

    (void)state;
    path_of(3, path);
    lose_templates(w);
    delete_object(w, path);
    world_pass(w, 15000);
    assert_non_null(world_object(w, path));
    assert_int_equal(w->pulls + w->observes, pulls + 1);
    assert_non_null(strstr(w->log_text, "missing in the state file; pulling all of it"));
    world_pass(w, DAY_MS / 4);
    pulls = w->pulls;
    delete_one(w, 4);
    assert_int_equal(w->pulls, pulls);

    lose_hub(w);
    lose_templates(w);
    delete_object(w, path);
    world_pass(w, HOUR_MS);
    assert_null(world_object(w, path));
    w->hub_down = w->pings_lost = false;
    world_pass(w, HOUR_MS);
    assert_non_null(world_object(w, path));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_week_without_hub),
        cmocka_unit_test(test_tries_of_a_day),
        cmocka_unit_test(test_both_away_at_boot),
        cmocka_unit_test(test_a_lost_template_is_pulled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
