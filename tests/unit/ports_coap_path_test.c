/* ports_coap_path_test.c - agent and hub over a path that carries no large datagrams, and large
 * answers that go on: in another session, with another hub, in another process. */
#include "tests/unit/ports_coap_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NARROW 472u /* UDP payload of a packet of 500 bytes */

static struct world world;
static struct relay relay;

static int setup(void **state)
{
    (void)state;
    world_init(&world);
    relay_init(&relay, &world, 21);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (world.link)
        world.link->disconnect(world.link->ctx);
    relay_fini(&relay);
    world_fini(&world);
    return 0;
}

static void connect_agent(void)
{
    struct fed_link_client_identity identity = world_agent_identity(&world);

    world_connect(&world, relay.port, &identity);
}

static void expect_body(void)
{
    assert_int_equal(world.done_err, FED_OK);
    assert_true(fed_span_eq(fed_buf_span(&world.done_body), fed_buf_span(&world.body)));
}

/* ---- paths that carry no large datagrams ---- */

static void test_narrow(void **state)
{
    (void)state;
    relay.mtu = NARROW;
    connect_agent();
    world_body_fill(&world, 100, 1);
    world_get(&world, "b", "e=1&r=1", 40000);
    expect_body();
    world_body_fill(&world, 20000, 2);
    world_get(&world, "b", "e=1&r=2", 40000);
    expect_body();
    world_body_fill(&world, 5000, 3);
    world_post(&world, "s", fed_buf_span(&world.body));
    assert_int_equal(world.done_code, FED_LINK_CHANGED);
}

static void test_narrow_token(void **state)
{
    struct fed_link_client_identity identity = world_token_identity();

    (void)state;
    relay.mtu = NARROW;
    world_connect(&world, relay.port, &identity);
    world_body_fill(&world, 700, 4);
    world_post(&world, "s", fed_buf_span(&world.body));
    assert_int_equal(world.done_code, FED_LINK_CHANGED);
}

/* A small request whose answer is large: joining. */
static void test_narrow_answer_to_a_post(void **state)
{
    struct fed_link_client_identity identity = world_token_identity();

    (void)state;
    relay.mtu = NARROW;
    world_connect(&world, relay.port, &identity);
    world_body_fill(&world, 1500, 4);
    world_post(&world, "echo", FED_SPAN_LIT("small"));
    assert_int_equal(world.done_code, FED_LINK_CREATED);
    expect_body();
}

/* Neither side knows: a whole answer, a whole request and a block vanish. */
static void test_narrow_in_a_session(void **state)
{
    (void)state;
    connect_agent();
    world_get(&world, "h", NULL, 40000); /* a round trip is measured */
    relay.mtu = NARROW;
    world_body_fill(&world, 900, 5);
    world_get(&world, "b", "e=1&r=1", 40000);
    expect_body();
    world_post(&world, "s", fed_buf_span(&world.body));
    assert_int_equal(world.done_err, FED_OK);
    assert_int_equal(world.done_code, FED_LINK_CHANGED);
    relay.mtu = 0;
    world_body_fill(&world, 100000, 6);
    world_get(&world, "b", "e=1&r=2", 40000); /* and large ones again */
    expect_body();
    assert_true(relay.to_agent_bytes < 150000);
}

static void test_narrow_in_a_transfer(void **state)
{
    struct fed_span none = {NULL, 0};

    (void)state;
    relay.delay_ms = 10;
    connect_agent();
    world_body_fill(&world, 300000, 7);
    assert_int_equal(world.link->request(world.link->ctx, FED_LINK_GET, "b", "e=1&r=3", none, 60000,
                         world_done, &world),
        FED_OK);
    world_run_ms(&world, 100);
    assert_int_equal(world.dones, 0);
    relay.mtu = NARROW;
    world_until(&world, &world.dones, 1, 60000);
    expect_body();
}

/* ---- answers that go on ---- */

#define LARGE 600000u

static void fetch_third(void)
{
    struct fed_span none = {NULL, 0};

    relay.delay_ms = 10;
    connect_agent();
    world_body_fill(&world, LARGE, 8);
    assert_int_equal(world.link->request(world.link->ctx, FED_LINK_GET, "b", "e=1&r=3", none, 60000,
                         world_done, &world),
        FED_OK);
    for (unsigned i = 0; i < 500 && relay.to_agent_bytes < LARGE / 3; i++)
        world_run_ms(&world, 5);
    assert_int_equal(world.dones, 0);
    assert_true(relay.to_agent_bytes >= LARGE / 3);
}

/* A third of it comes, then the network is gone. */
static void fetch_part(void)
{
    fetch_third();
    relay.cut = true;
    world_run_ms(&world, 50);
    world.link->disconnect(world.link->ctx);
    relay.cut = false;
}

static void expect_rest(const char *query, bool whole)
{
    size_t before;

    connect_agent();
    before = relay.to_agent_bytes;
    world_get(&world, "b", query, 60000);
    expect_body();
    if (whole)
        assert_true(relay.to_agent_bytes - before > LARGE);
    else
        assert_in_range(
            relay.to_agent_bytes - before, 1, LARGE - 1); /* a busy machine asks twice */
    world.link->disconnect(world.link->ctx);
}

static void test_goes_on_in_a_new_session(void **state)
{
    (void)state;
    fetch_part();
    expect_rest("e=1&r=3", false);
    expect_rest("e=1&r=3", true); /* once */
}

static void test_goes_on_with_a_restarted_hub(void **state)
{
    (void)state;
    fetch_part();
    relay_fini(&relay);
    fed_coap_server_close(world.server);
    world_server_open(&world);
    relay_init(&relay, &world, 22);
    expect_rest("e=1&r=3", false);
}

/* Blocks are not confirmed, so nobody says that the hub has forgotten the session. */
static void test_silence_ends_the_session(void **state)
{
    (void)state;
    fetch_third();
    relay.cut = true;
    world_until(&world, &world.downs, 1, 60000);
    assert_int_equal(world.down_err, FED_ERR_TIMEOUT);
    assert_int_equal(world.done_err, FED_ERR_CLOSED);
    relay.cut = false;
    expect_rest("e=1&r=3", false);
}

static void test_another_body_begins_anew(void **state)
{
    (void)state;
    fetch_part();
    world_body_fill(&world, LARGE, 9);
    expect_rest("e=1&r=3", true);
}

/* The first question of a session says more than a later one. */
static void test_goes_on_with_another_question(void **state)
{
    (void)state;
    fetch_part();
    expect_rest("e=1&r=3&n=1", false);
}

static void test_other_large_answers_leave_it(void **state)
{
    (void)state;
    fetch_part();
    connect_agent();
    world_body_fill(&world, 5000, 9);
    world_post(&world, "echo", FED_SPAN_LIT("small"));
    expect_body();
    world.link->disconnect(world.link->ctx);
    world_body_fill(&world, LARGE, 8);
    expect_rest("e=1&r=3", false);
}

static void test_forgotten(void **state)
{
    struct fed_span none = {NULL, 0};
    struct fed_buf kept;

    (void)state;
    fed_buf_init(&kept, fed_alloc_system(), 2 * LARGE);
    assert_int_equal(world.link->partial_set(world.link->ctx, none), FED_OK);
    fetch_part();
    assert_int_equal(world.link->partial_set(world.link->ctx, none), FED_OK);
    assert_int_equal(world.link->partial_get(world.link->ctx, &kept), FED_ERR_NOT_FOUND);
    expect_rest("e=1&r=3", true);
    fed_buf_fini(&kept);
}

static void client_restart(void)
{
    struct fed_diag diag = {""};
    struct fed_link_events events = world_agent_events(&world);

    fed_coap_client_close(world.client);
    assert_int_equal(
        fed_coap_client_open(fed_alloc_system(), world.loop, NULL, &events, &world.client, &diag),
        FED_OK);
    world.link = fed_coap_client_port(world.client);
}

static void test_goes_on_in_a_new_process(void **state)
{
    struct fed_buf kept;
    struct fed_buf again;

    (void)state;
    fed_buf_init(&kept, fed_alloc_system(), 2 * LARGE);
    fed_buf_init(&again, fed_alloc_system(), 2 * LARGE);
    assert_int_equal(world.link->partial_get(world.link->ctx, &kept), FED_ERR_NOT_FOUND);
    fetch_part();
    assert_int_equal(world.link->partial_get(world.link->ctx, &kept), FED_OK);
    client_restart();
    for (size_t cut = 1; cut < 200; cut++) /* nothing but the whole is taken */
        assert_int_not_equal(
            world.link->partial_set(world.link->ctx, fed_span_sub(fed_buf_span(&kept), 0, cut)),
            FED_OK);
    assert_int_not_equal(world.link->partial_set(
                             world.link->ctx, fed_span_sub(fed_buf_span(&kept), 0, kept.len - 1)),
        FED_OK);
    assert_int_equal(world.link->partial_set(world.link->ctx, fed_buf_span(&kept)), FED_OK);
    assert_int_equal(world.link->partial_get(world.link->ctx, &again), FED_OK);
    assert_true(fed_span_eq(fed_buf_span(&kept), fed_buf_span(&again)));
    expect_rest("e=1&r=3", false);
    fed_buf_clear(&again);
    assert_int_equal(world.link->partial_get(world.link->ctx, &again), FED_ERR_NOT_FOUND);
    fed_buf_fini(&kept);
    fed_buf_fini(&again);
}

/* The owner hears of it when 256 KiB came, and when it has doubled. */
static void test_progress_is_told(void **state)
{
    (void)state;
    connect_agent();
    world_body_fill(&world, 200u << 10, 1);
    world_get(&world, "b", "r=1", 40000);
    assert_int_equal(world.partials, 0);
    world_body_fill(&world, 2u << 20, 2);
    world_get(&world, "b", "r=2", 40000);
    expect_body();
    assert_int_equal(world.partials, 3); /* 256 KiB, 512 KiB, 1 MiB; not at the end */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_narrow),
        TEST(test_narrow_token),
        TEST(test_narrow_answer_to_a_post),
        TEST(test_narrow_in_a_session),
        TEST(test_narrow_in_a_transfer),
        TEST(test_goes_on_in_a_new_session),
        TEST(test_goes_on_with_a_restarted_hub),
        TEST(test_silence_ends_the_session),
        TEST(test_another_body_begins_anew),
        TEST(test_goes_on_with_another_question),
        TEST(test_other_large_answers_leave_it),
        TEST(test_forgotten),
        TEST(test_goes_on_in_a_new_process),
        TEST(test_progress_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
