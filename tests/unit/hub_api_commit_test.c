/* hub_api_commit_test.c - answers and records wait for the sync of the turn. */
#include "hub_api_world.h"
#include "tests/unit/refused_writes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char cm_b[] = "{\"metadata\":{\"name\":\"b\"}}";

static void test_answers_wait_for_the_sync(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange before = {.status = 0};
    struct fed_http_exchange post = {.status = 0};
    struct fed_http_exchange again = {.status = 0};
    struct fed_http_exchange get = {.status = 0};
    struct fed_http_exchange health = {.status = 0};
    struct fed_http_exchange *watch = world_watch(w, CM "?watch=1");

    world_send(w, &before, "GET", CM "/b", NULL);
    assert_int_equal(before.status, 404); /* nothing is staged: at once */
    world_send(w, &post, "POST", CM, cm_b);
    world_send(w, &again, "POST", CM, cm_b);
    world_send(w, &get, "GET", CM "/b", NULL);
    world_send(w, &health, "GET", "/healthz", NULL);
    assert_int_equal(health.status, 200);
    assert_int_equal(post.status + again.status + get.status, 0);
    assert_string_equal(world_events(watch), "");
    world_turn(w);
    assert_int_equal(post.status, 201);
    assert_int_equal(again.status, 409);
    assert_int_equal(get.status, 200);
    assert_string_equal(post.content_type, "application/json");
    assert_true(world_says(&post, "\"name\":\"b\""));
    assert_string_equal(world_events(watch), "ADDED b");
    fed_buf_fini(&before.body);
    fed_buf_fini(&post.body);
    fed_buf_fini(&again.body);
    fed_buf_fini(&get.body);
    fed_buf_fini(&health.body);
    world_unwatch(w, watch);
}

static void test_a_sync_that_fails_undoes_the_turn(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange post = {.status = 0};
    struct fed_http_exchange get = {.status = 0};
    struct fed_http_exchange list = {.status = 0};
    struct fed_http_exchange gone = {.status = 0};
    struct fed_http_exchange *watch = world_watch(w, CM "?watch=1");

    world_send(w, &post, "POST", CM, cm_b);
    world_send(w, &get, "GET", CM "/b", NULL);
    world_send(w, &list, "GET", CM, NULL);
    world_send(w, &gone, "GET", CM "/b", NULL);
    hub_api_closed(w->api, &gone); /* its client left meanwhile */
    test_writes_refuse();
    world_turn(w);
    test_writes_allow();
    assert_int_equal(post.status, 500);
    assert_true(world_says(&post, "cannot commit"));
    assert_int_equal(get.status, 404); /* answered again, from what is there */
    assert_int_equal(list.status, 200);
    assert_false(world_says(&list, "\"b\""));
    assert_int_equal(gone.status, 0);
    assert_string_equal(world_events(watch), "");
    assert_int_equal(world_call(w, "POST", CM, JSON, cm_b), 201);
    assert_string_equal(world_events(watch), "ADDED b");
    fed_buf_fini(&post.body);
    fed_buf_fini(&get.body);
    fed_buf_fini(&list.body);
    fed_buf_fini(&gone.body);
    world_unwatch(w, watch);
}

/* Each request once, with what it was answered, be it that its client left. */
static void test_a_record_says_what_was_answered(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange made = {.status = 0};
    struct fed_http_exchange again = {.status = 0};
    struct fed_http_exchange gone = {.status = 0};

    fed_buf_clear(&w->audited);
    world_send(w, &made, "POST", CM, cm_b);
    world_send(w, &again, "POST", CM, cm_b);
    world_send(w, &gone, "POST", CM, "{\"metadata\":{\"name\":\"c\"}}");
    hub_api_closed(w->api, &gone);
    assert_int_equal(w->audited.len, 0); /* nobody knows yet */
    world_turn(w);
    assert_int_equal(world_audited(w, "\"code\":201"), 2);
    assert_int_equal(world_audited(w, "\"code\":409,\"reason\":\"AlreadyExists\""), 1);
    assert_int_equal(world_audited(w, ""), 3);
    assert_int_equal(world_call(w, "GET", CM "/c", "", NULL), 200);
    fed_buf_fini(&made.body);
    fed_buf_fini(&again.body);
}

static void test_a_record_of_what_was_undone(void **state)
{
    struct world *w = *state;
    struct fed_http_exchange post = {.status = 0};
    struct fed_http_exchange deletion = {.status = 0};
    struct fed_http_exchange gone = {.status = 0};

    world_make(w, "a", "");
    fed_buf_clear(&w->audited);
    world_send(w, &post, "POST", CM, cm_b);
    world_send(w, &deletion, "DELETE", CM "/a", NULL);
    world_send(w, &gone, "POST", CM, "{\"metadata\":{\"name\":\"c\"}}");
    hub_api_closed(w->api, &gone);
    test_writes_refuse();
    world_turn(w);
    test_writes_allow();
    assert_int_equal(post.status, 500);
    assert_int_equal(deletion.status, 500);
    assert_int_equal(world_audited(w, "\"verb\":\"create\""), 1);
    assert_int_equal(world_audited(w, "\"verb\":\"delete\""), 1);
    assert_int_equal(world_audited(w, "\"code\":500,\"reason\":\"InternalError\""), 2);
    assert_int_equal(world_audited(w, ""), 2); /* none of what was neither stored nor answered */
    fed_buf_fini(&post.body);
    fed_buf_fini(&deletion.body);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_answers_wait_for_the_sync),
        CASE(test_a_sync_that_fails_undoes_the_turn),
        CASE(test_a_record_says_what_was_answered),
        CASE(test_a_record_of_what_was_undone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
