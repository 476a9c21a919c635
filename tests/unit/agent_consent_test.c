/* agent_consent_test.c - the agent's own guard: which removals wait, what they are meanwhile, and
 * how that ends. */
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define POOL 24u
#define MAP_PATH "/api/v1/namespaces/web/configmaps/"
#define BLOB_FIRST "{\"data\":{\"version\":\"2\"}}" /* of the first four alone */
#define BLOB "{\"data\":{\"version\":\"1\"}}"

static struct world_work pool[POOL];
static char names[POOL][8];

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < POOL; i++) {
        snprintf(names[i], sizeof names[i], "m%02zu", i);
        pool[i] =
            (struct world_work){"ConfigMap", "web", names[i], i < 4 ? BLOB_FIRST : BLOB, NULL, 0};
    }
    return 0;
}

static struct world_object *object(struct world *w, size_t i)
{
    char path[300];

    snprintf(path, sizeof path, MAP_PATH "%s", names[i]);
    return world_object(w, path);
}

static size_t count(struct world *w)
{
    size_t n = 0;

    for (size_t i = 0; i < POOL; i++)
        n += object(w, i) != NULL;
    return n;
}

static void publish(struct world *w, const bool in[POOL])
{
    static uint64_t revision;
    struct world_work works[POOL];
    size_t n = 0;

    for (size_t i = 0; i < POOL; i++)
        if (in[i])
            works[n++] = pool[i];
    world_publish(w, 7, ++revision, works, n);
}

static void publish_first(struct world *w, size_t n)
{
    bool in[POOL] = {false};

    for (size_t i = 0; i < n; i++)
        in[i] = true;
    publish(w, in);
}

static struct world *world_of(size_t n)
{
    struct world *w = world_new();

    w->hub_has_orders = true;
    w->hub_knows = FED_LINK_KNOWS_ALL;
    world_add_object(w, "/api/v1/namespaces/web", "");
    publish_first(w, n);
    world_boot(w);
    world_pass(w, 3000);
    assert_int_equal(count(w), n);
    return w;
}

static void change(struct world *w, size_t n)
{
    publish_first(w, n);
    world_notify(w);
    world_pass(w, 3000);
}

static size_t reported(const struct world *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->report.n_removed; i++)
        n += w->report.removed[i].state == FED_WORK_WAITING &&
             fed_span_is(w->report.removed[i].reason, FED_CONSENT_REASON);
    return n;
}

static void test_few_go_and_many_wait(void **state)
{
    struct world *w = world_of(20);

    (void)state;
    change(w, 16);
    assert_int_equal(count(w), 16);
    assert_int_equal(w->removals_asked, 0);
    change(w, 13); /* with the four before: 7 of 20 */
    assert_int_equal(count(w), 16);
    assert_int_equal(reported(w), 3);
    assert_int_equal(w->removals_asked, 1);
    change(w, 12); /* joins them */
    assert_int_equal(reported(w), 4);
    assert_int_equal(count(w), 16);
    world_free(w);
}

static void test_what_is_not_there_does_not_wait(void **state)
{
    struct world *w = world_of(4);

    (void)state;
    w->refuse_path = MAP_PATH;
    w->refuse_status = 403;
    w->refuse_body = "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no\"}";
    change(w, 20);
    assert_int_equal(count(w), 4);
    change(w, 4); /* 16 of 20, of which nothing is there */
    assert_int_equal(reported(w), 0);
    assert_int_equal(w->removals_asked, 0);
    w->refuse_status = 500; /* the answer of one that may have been made */
    change(w, 20);
    change(w, 4);
    assert_int_equal(reported(w), 16);
    w->refuse_path = NULL;
    world_free(w);
    w = world_of(4); /* the first looks failed, those that followed did not */
    w->refuse_path = MAP_PATH;
    w->refuse_status = 403;
    w->refuse_body = "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no\"}";
    w->fail_gets = 16;
    change(w, 20);
    world_pass(w, 1800000);
    change(w, 4);
    assert_int_equal(reported(w), 0);
    world_free(w);
    w = world_of(20);
    change(w, 0);
    assert_int_equal(reported(w), 20);
    assert_int_equal(count(w), 20);
    world_free(w);
}

static void test_a_window_ends(void **state)
{
    struct world *w = world_of(20);

    (void)state;
    change(w, 14);
    assert_int_equal(count(w), 14);
    world_pass(w, FED_CONSENT_WINDOW_S * 1000u);
    change(w, 10);
    assert_int_equal(count(w), 10);
    change(w, 9); /* 5 of 14 */
    assert_int_equal(count(w), 10);
    world_pass(w, 3 * FED_CONSENT_WINDOW_S * 1000u); /* what waits does not pass with time */
    assert_int_equal(count(w), 10);
    change(w, 8);
    assert_int_equal(count(w), 10);
    world_free(w);
}

static void test_what_came_back_was_not_removed(void **state)
{
    struct world *w = world_of(20);

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        change(w, 16);
        assert_int_equal(count(w), 16);
        change(w, 20);
        assert_int_equal(count(w), 20);
    }
    world_free(w);
}

static void test_what_waits_is_enforced(void **state)
{
    struct world *w = world_of(20);
    char gone[300];

    (void)state;
    change(w, 4);
    assert_int_equal(count(w), 20);
    snprintf(gone, sizeof gone, "%s", object(w, 10)->path);
    world_event(w, object(w, 10), "DELETED");
    object(w, 10)->used = false;
    world_pass(w, 3000);
    assert_non_null(world_object(w, gone));
    world_crash(w); /* and by the next process, which has its template */
    world_boot(w);
    world_pass(w, 3000);
    world_event(w, object(w, 10), "DELETED");
    object(w, 10)->used = false;
    world_pass(w, 3000);
    assert_non_null(world_object(w, gone));
    assert_int_equal(count(w), 20);
    assert_int_equal(reported(w), 16);
    world_free(w);
}

static void test_taken_back_is_as_if_nothing_was(void **state)
{
    struct world *w = world_of(20);

    (void)state;
    change(w, 4);
    world_forget_requests(w);
    change(w, 20);
    assert_int_equal(reported(w), 0);
    assert_string_equal(w->requests, "");
    assert_int_equal(count(w), 20);
    change(w, 16); /* and no part of it counts */
    assert_int_equal(count(w), 16);
    world_free(w);
}

static void test_consent_is_for_what_it_names(void **state)
{
    struct world *w = world_of(20);

    (void)state;
    change(w, 4);
    for (size_t i = 4; i < 12; i++)
        world_order(w, &pool[i]);
    world_notify_again(w);
    world_pass(w, 3000);
    assert_int_equal(count(w), 12);
    assert_int_equal(reported(w), 8);
    for (size_t i = 12; i < 20; i++)
        world_order(w, &pool[i]);
    world_crash(w); /* asked for by the next process, too */
    world_boot(w);
    world_pass(w, 3000);
    assert_int_equal(count(w), 4);
    assert_int_equal(reported(w), 0);
    world_free(w);
}

/* An order that was on its way while its work came back, and left once more, is not one of now. */
static void test_an_answer_of_before_is_no_order(void **state)
{
    struct world *w = world_of(20);
    bool in[POOL] = {true, true, true, true};

    (void)state;
    change(w, 4);
    world_order(w, &pool[10]);
    w->hold_orders = true;
    world_notify_again(w);
    world_pass(w, 3000);
    w->n_orders = 0;
    in[10] = true;
    publish(w, in);
    world_notify(w);
    world_pass(w, 3000);
    change(w, 4);
    w->hold_orders = false;
    world_pass(w, 3000);
    assert_int_equal(count(w), 20);
    assert_int_equal(reported(w), 16);
    world_order(w, &pool[10]);
    world_notify_again(w);
    world_pass(w, 3000);
    assert_int_equal(count(w), 19);
    world_free(w);
}

static void test_orders_do_not_wait(void **state)
{
    struct world *w = world_of(20);

    (void)state;
    for (size_t i = 2; i < 20; i++)
        world_order(w, &pool[i]);
    change(w, 10); /* the frame says so */
    assert_int_equal(count(w), 10);
    assert_int_equal(w->removals_asked, 0);
    w->hub_has_no_base = true; /* a full one does not, and is asked about */
    change(w, 2);
    assert_int_equal(count(w), 2);
    assert_int_equal(w->removals_asked, 1);
    world_free(w);
}

static void test_a_full_frame_is_judged_when_the_hub_has_answered(void **state)
{
    struct world *w = world_of(20);

    (void)state;
    w->hub_has_no_base = true;
    change(w, 17);
    assert_int_equal(count(w), 17); /* few: asked, and let through */
    change(w, 10);
    assert_int_equal(count(w), 17);
    assert_int_equal(reported(w), 7);
    world_free(w);
}

static void test_a_hub_that_knows_nothing_of_it(void **state)
{
    struct world *w = world_of(20);

    (void)state;
    w->hub_has_orders = false;
    w->hub_has_no_base = true;
    change(w, 17);
    assert_int_equal(count(w), 17);
    change(w, 4);
    assert_int_equal(count(w), 17);
    change(w, 20);
    assert_int_equal(count(w), 20);
    world_free(w);
}

static void test_orphans_and_what_is_nowhere_do_not_count(void **state)
{
    struct world *w = world_new();
    struct world_work works[POOL];

    (void)state;
    world_add_object(w, "/api/v1/namespaces/web", "");
    w->hub_has_orders = true;
    memcpy(works, pool, sizeof works);
    for (size_t i = 10; i < POOL; i++)
        works[i].options = i < 17 ? FED_WORK_ORPHAN : FED_WORK_HELD;
    world_publish(w, 7, 1000, works, POOL);
    world_boot(w);
    world_pass(w, 3000);
    world_publish(w, 7, 1001, works, 10);
    world_notify(w);
    world_pass(w, 3000);
    assert_int_equal(reported(w), 0);
    assert_int_equal(count(w), 17); /* let go of, and still there */
    world_free(w);
}

static void test_leaving_asks_nobody(void **state)
{
    struct world *w = world_of(20);

    (void)state;
    change(w, 4);
    agent_daemon_leave(w->daemon, false, NULL, NULL);
    world_settle(w);
    world_pass(w, 3000);
    assert_int_equal(count(w), 0);
    world_free(w);
}

/* ---- the rule, over random histories ---- */

struct history {
    struct world *w;
    unsigned seed;
    bool in[POOL];      /* the bundle */
    bool there[POOL];   /* as it was before the step */
    bool ordered[POOL]; /* its removal */
    bool passed[POOL];  /* gone without an order, in this window */
    uint64_t last_ms;   /* when one did last */
};

static unsigned draw(struct history *h, unsigned n)
{
    h->seed = h->seed * 1103515245u + 12345u;
    return (h->seed >> 16) % n;
}

static void forget_order(struct history *h, size_t i)
{
    struct fed_work work = {.api_version = FED_SPAN_LIT("v1"),
        .kind = FED_SPAN_LIT("ConfigMap"),
        .ns = FED_SPAN_LIT("web"),
        .name = fed_span_text(names[i])};
    struct fed_removal_id id;

    h->ordered[i] = false;
    assert_int_equal(fed_removal_id_of(&work, &id), FED_OK);
    for (size_t k = 0; k < h->w->n_orders; k++)
        if (fed_removal_id_cmp(&h->w->orders[k], &id) == 0)
            h->w->orders[k] = h->w->orders[--h->w->n_orders];
}

static void order(struct history *h, size_t i)
{
    h->ordered[i] = true;
    world_order(h->w, &pool[i]);
}

static void step_bundle(struct history *h)
{
    unsigned how = draw(h, 4);

    for (size_t i = 0; i < POOL; i++) {
        if (h->in[i] && draw(h, how == 0 ? 2 : 12) == 0) {
            h->in[i] = false;
            if (draw(h, 3) == 0)
                order(h, i);
        } else if (!h->in[i] && draw(h, 4) == 0) {
            h->in[i] = true;
            forget_order(h, i);
        }
    }
    publish(h->w, h->in);
    if (draw(h, 4))
        world_notify(h->w);
}

static void step(struct history *h)
{
    for (size_t i = 0; i < POOL; i++)
        h->there[i] = object(h->w, i) != NULL;
    switch (draw(h, 8)) {
    case 0:
        world_crash(h->w);
        world_boot(h->w);
        break;
    case 1:
        world_pass(h->w, (uint64_t)(draw(h, 90) + 1) * 60000u);
        break;
    case 2:
        h->w->hub_has_no_base = !h->w->hub_has_no_base;
        break;
    case 3: /* consent, or an order for what waits */
        for (size_t i = 0; i < POOL; i++)
            if (!h->in[i] && draw(h, 3) == 0)
                order(h, i);
        world_notify_again(h->w);
        break;
    default:
        step_bundle(h);
    }
    world_pass(h->w, 5000);
}

/* Never more than the rule allows went without an order. */
static void check(struct history *h)
{
    size_t before = 0;
    size_t passed = 0;
    size_t fresh = 0;

    if (h->w->now_ms - h->last_ms >= 2 * FED_CONSENT_WINDOW_S * 1000u)
        memset(h->passed, 0, sizeof h->passed);
    for (size_t i = 0; i < POOL; i++) {
        bool now = object(h->w, i) != NULL;

        before += h->there[i];
        if (now)
            h->passed[i] = false;
        else if (h->there[i] && !h->ordered[i])
            fresh += h->passed[i] = true;
        passed += h->passed[i];
    }
    if (fresh == 0)
        return;
    h->last_ms = h->w->now_ms;
    /* Works that came with the same step are works of the cluster, too. */
    if (fresh >= FED_CONSENT_LEAST && fresh * 100 > FED_CONSENT_SHARE * (before + passed))
        fail_msg("%zu of %zu went at once", fresh, before);
}

static void finish(struct history *h)
{
    for (size_t i = 0; i < POOL; i++)
        if (!h->in[i])
            order(h, i);
    world_notify(h->w);
    world_pass(h->w, 400000);
    world_notify_again(h->w);
    world_pass(h->w, 400000);
    for (size_t i = 0; i < POOL; i++)
        if ((object(h->w, i) != NULL) != h->in[i])
            fail_msg("%s is %s", names[i], h->in[i] ? "missing" : "still there");
    assert_int_equal(reported(h->w), 0);
}

static void test_random_histories(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 40; seed++) {
        struct history h = {.w = world_of(20), .seed = seed};

        for (size_t i = 0; i < 20; i++)
            h.in[i] = true;
        for (unsigned i = 0; i < 60; i++) {
            step(&h);
            check(&h);
        }
        finish(&h);
        world_free(h.w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_there_does_not_wait),
        cmocka_unit_test(test_few_go_and_many_wait),
        cmocka_unit_test(test_a_window_ends),
        cmocka_unit_test(test_what_came_back_was_not_removed),
        cmocka_unit_test(test_what_waits_is_enforced),
        cmocka_unit_test(test_taken_back_is_as_if_nothing_was),
        cmocka_unit_test(test_consent_is_for_what_it_names),
        cmocka_unit_test(test_an_answer_of_before_is_no_order),
        cmocka_unit_test(test_orders_do_not_wait),
        cmocka_unit_test(test_a_full_frame_is_judged_when_the_hub_has_answered),
        cmocka_unit_test(test_a_hub_that_knows_nothing_of_it),
        cmocka_unit_test(test_orphans_and_what_is_nowhere_do_not_count),
        cmocka_unit_test(test_leaving_asks_nobody),
        cmocka_unit_test(test_random_histories),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
