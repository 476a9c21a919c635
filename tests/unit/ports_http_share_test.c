/* ports_http_share_test.c - one client beside another: turns, and places for connections. */
#include "ports/http/pieces.h"
#include "ports/http/share.h"
#include "tests/unit/ports_http_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALLS 40

static const struct fed_span nothing = {NULL, 0};

static struct fed_http_client *named_client(struct world *w)
{
    struct fed_http_client_options options = world_client_options(w);

    options.cert_pem = fed_buf_span(&w->client_pem.cert);
    options.key_pem = fed_buf_span(&w->client_pem.key);
    return world_client(w, &options);
}

static void greet(struct world *w, struct fed_http_client *client)
{
    struct outcome o;

    world_ask(w, client, &o, "GET", "/hello", nothing);
    assert_int_equal(o.status, 200);
    outcome_fini(&o);
}

static bool all_done(void *ctx)
{
    struct outcome *o = ctx;

    for (size_t i = 0; i < CALLS; i++)
        if (!o[i].n_done)
            return false;
    return true;
}

/* One connection that asks for much and one that asks for little: the latter is served next. */
static void share_turns(
    struct world *w, struct fed_http_client *greedy, struct fed_http_client *modest)
{
    static struct outcome many[CALLS];
    struct outcome one;
    unsigned before = 0;

    greet(w, greedy);
    greet(w, modest);
    for (size_t i = 0; i < CALLS; i++) {
        outcome_init(&many[i], w);
        (void)world_call(greedy, &many[i], "GET", "/slow", nothing);
    }
    outcome_init(&one, w);
    (void)world_call(modest, &one, "GET", "/slow", nothing);
    world_until(w, outcome_done, &one);
    assert_int_equal(one.status, 200);
    for (size_t i = 0; i < CALLS; i++)
        before += many[i].n_done;
    if (before > CALLS / 4)
        fail_msg("%u of %u requests of another connection came first", before, CALLS);
    world_until(w, all_done, many);
    for (size_t i = 0; i < CALLS; i++) {
        assert_int_equal(many[i].status, 200);
        outcome_fini(&many[i]);
    }
    outcome_fini(&one);
    fed_http_client_close(greedy);
    fed_http_client_close(modest);
}

static void turns_of_clients(void **state)
{
    struct world w;

    (void)state;
    world_open(&w);
    world_serve(&w, NULL);
    share_turns(&w, named_client(&w), world_client(&w, NULL));
    world_close(&w);
}

/* Two programs with one certificate. */
static void turns_of_one_client(void **state)
{
    struct world w;

    (void)state;
    world_open(&w);
    world_serve(&w, NULL);
    share_turns(&w, named_client(&w), named_client(&w));
    world_close(&w);
}

static int raw_connect(const struct world *w)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(fed_http_server_port(w->server))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static bool is_closed(void *ctx)
{
    char byte;

    return recv(*(int *)ctx, &byte, 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN && errno != EINTR);
}

/* Silent connections make room for one that speaks, those of a certificate are counted on their
 * own. */
static void places(void **state)
{
    struct fed_http_server_options options = {.connections_max = 8, .client_connections_max = 3};
    struct world w;
    int silent[4];
    struct fed_http_client *named;
    struct fed_http_client *nameless;

    (void)state;
    world_open(&w);
    world_serve(&w, &options);
    named = named_client(&w);
    greet(&w, named);
    for (size_t i = 0; i < 4; i++)
        silent[i] = raw_connect(&w);
    world_until(&w, is_closed, &silent[0]);
    for (size_t i = 1; i < 4; i++)
        assert_false(is_closed(&silent[i]));
    nameless = world_client(&w, NULL);
    greet(&w, nameless);
    assert_true(is_closed(&silent[1]));
    greet(&w, named);
    /* Two more take the places of the silent ones; the idle connection that spoke goes last. */
    for (size_t i = 0; i < 2; i++) {
        close(silent[i]);
        silent[i] = raw_connect(&w);
    }
    world_until(&w, is_closed, &silent[3]);
    greet(&w, nameless);
    for (size_t i = 0; i < 4; i++)
        close(silent[i]);
    fed_http_client_close(named);
    fed_http_client_close(nameless);
    world_close(&w);
}

/* A connection with a request under way is never given up for another. */
static void busy_places(void **state)
{
    struct fed_http_server_options options = {.connections_max = 8, .client_connections_max = 2};
    struct world w;
    struct outcome o[3];
    struct fed_http_client *clients[3];

    (void)state;
    world_open(&w);
    world_serve(&w, &options);
    for (size_t i = 0; i < 3; i++) {
        clients[i] = named_client(&w);
        outcome_init(&o[i], &w);
        (void)world_stream(clients[i], &o[i], "/stream");
        if (i < 2)
            while (!o[i].heads)
                world_run_ms(&w, 2);
    }
    world_until(&w, outcome_done, &o[2]);
    assert_int_not_equal(o[2].err, FED_OK);
    assert_int_equal(o[0].n_done + o[1].n_done, 0);
    for (size_t i = 0; i < 3; i++) {
        fed_http_client_close(clients[i]);
        outcome_fini(&o[i]);
    }
    world_close(&w);
}

/* An event that many streams wait for is held once for each client, until the last of its streams
 * has taken all of it. */
static void streams_share_what_they_hold(void **state)
{
    struct fed_http_shares all = {.mem = fed_alloc_system()};
    static const uint8_t bytes[1000];
    struct fed_http_pieces queues[3];
    struct fed_http_shared *event;
    struct fed_http_share *share;
    struct fed_http_share *other;
    struct fed_buf out;

    (void)state;
    fed_map_init(&all.by_name, all.mem);
    fed_buf_init(&out, all.mem, 10000);
    share = fed_http_share_take(&all, "a");
    other = fed_http_share_take(&all, "b");
    event = fed_http_shared_copy(all.mem, fed_span_of(bytes, sizeof bytes));
    assert_true(share && other && event);
    for (size_t i = 0; i < 3; i++) {
        fed_http_pieces_init(&queues[i], all.mem);
        queues[i].share = i < 2 ? share : other;
        assert_int_equal(fed_http_pieces_put(&queues[i], event), FED_OK);
    }
    fed_http_shared_unref(event);
    assert_int_equal(share->answered, 1000 + 2 * FED_HTTP_PIECE_COST);
    assert_int_equal(other->answered, 1000 + FED_HTTP_PIECE_COST);
    assert_int_equal(all.answered, share->answered + other->answered);
    fed_http_pieces_move(&queues[0], 1000, &out);
    fed_http_pieces_move(&queues[1], 999, &out);
    assert_int_equal(share->answered, 1000 + FED_HTTP_PIECE_COST);
    fed_http_pieces_move(&queues[1], 1, &out);
    assert_int_equal(share->answered, 0);
    fed_http_pieces_fini(&queues[2]);
    assert_int_equal(all.answered, 0);
    fed_http_share_drop(share);
    fed_http_share_drop(other);
    fed_buf_fini(&out);
    fed_map_fini(&all.by_name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_share_what_they_hold),
        cmocka_unit_test(turns_of_clients),
        cmocka_unit_test(turns_of_one_client),
        cmocka_unit_test(places),
        cmocka_unit_test(busy_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
