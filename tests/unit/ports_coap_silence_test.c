/* ports_coap_silence_test.c - a hub that is there no more is noticed without anybody's time limit,
 * when all repetitions of a message were in vain. By itself, because that takes most of a minute.
 */
#include "tests/unit/ports_coap_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct world world;
static struct relay relay;

static void test_silence(void **state)
{
    struct fed_link_client_identity identity;

    (void)state;
    world_init(&world);
    relay_init(&relay, &world, 1);
    identity = world_agent_identity(&world);
    world_connect(&world, relay.port, &identity);
    world_get(&world, "h", NULL, 40000);
    relay.cut = true;
    assert_int_equal(world.link->ping(world.link->ctx, 100000, world_done, &world), FED_OK);
    world_until(&world, &world.downs, 1, 60000);
    print_message("    %s\n", world.down_diag.text);
    assert_int_equal(world.down_err, FED_ERR_TIMEOUT);
    assert_non_null(strstr(world.down_diag.text, "no answer to 5 sends"));
    assert_int_equal(world.dones, 2);
    assert_int_equal(world.done_err, FED_ERR_TIMEOUT);
    relay.cut = false;
    world_connect(&world, relay.port, &identity);
    world.link->disconnect(world.link->ctx);
    relay_fini(&relay);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_silence)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
