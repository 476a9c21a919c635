/* ports_worker_https_test.c - agents by HTTPS at gateway workers, which are this program again:
 * the clients of ports/https on one side, the functions of ports/link.h on the other. HTTP/1.1 has
 * a connection for each request under way, and the kernel gives each to any of the workers. */
#include "ports/link.h"
#include "tests/unit/ports_http_world.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ports/worker/pool.h"

#define AGENTS 6u
#define ROUNDS 4u
#define LARGE (1u << 20)

struct agent {
    struct fed_https_client *client;
    struct fed_link *link;
    unsigned ups;
    unsigned downs;
    unsigned dones;
    unsigned notes;
    unsigned code; /* of the last answer */
    size_t len;
};

static struct world w;
static struct fed_buf chain;
static struct fed_worker_pool *pool;
static char listen_at[40];
static struct agent agents[AGENTS];
static struct fed_link_session *sessions[AGENTS];
static unsigned opened, closed, requests, delivered, lost, quiet, saved;
static char why_closed[128];
static char large[LARGE];
static unsigned wanted;

/* ---- hub ---- */
static void hub_opened(void *ctx, struct fed_link_session *s, const struct fed_link_peer *peer)
{
    (void)ctx;
    assert_non_null(peer->cert);
    assert_string_equal(peer->cert->common_name, "alice");
    assert_non_null(strstr(peer->address, "127.0.0.1:"));
    assert_true(opened < AGENTS * ROUNDS);
    sessions[opened++ % AGENTS] = s;
    fed_worker_https_set_user(s, &w);
}

static void hub_closed(void *ctx, struct fed_link_session *s, const char *why)
{
    (void)ctx;
    assert_ptr_equal(fed_worker_https_user(s), &w);
    snprintf(why_closed, sizeof why_closed, "%s", why);
    closed++;
}

static void hub_alive(void *ctx, struct fed_link_session *s)
{
    (void)ctx;
    assert_ptr_equal(fed_worker_https_user(s), &w);
}

static void hub_request(void *ctx, struct fed_link_session *s, struct fed_link_exchange *exchange,
    const struct fed_link_server_request *request)
{
    (void)ctx;
    assert_ptr_equal(fed_worker_https_user(s), &w);
    requests++;
    if (request->observe || fed_span_is(request->path, "b"))
        fed_worker_answer(exchange, FED_LINK_CONTENT, FED_SPAN_LIT("bundle"), 0);
    else
        fed_worker_answer(exchange, FED_LINK_CHANGED, request->payload, 0);
}

static void hub_notified(void *ctx, struct fed_link_session *s, uint64_t tag, bool well)
{
    (void)ctx;
    assert_ptr_equal(fed_worker_https_user(s), &w);
    assert_int_equal(tag, 77);
    delivered += well;
}

static void hub_lost(void *ctx)
{
    (void)ctx;
    lost++;
}

static void pool_start(unsigned workers)
{
    struct fed_link_server_events events = {.opened = hub_opened,
        .closed = hub_closed,
        .alive = hub_alive,
        .request = hub_request,
        .notified = hub_notified};
    struct fed_worker_pool_options options = {.workers = workers,
        .server = {.listen = "127.0.0.1:0",
            .cert_pem = fed_buf_span(&w.server_pem.cert),
            .key_pem = fed_buf_span(&w.server_pem.key),
            .client_ca_pem = fed_buf_span(&w.ca.cert)},
        .https_events = &events,
        .lost = hub_lost};
    struct fed_diag diag = {""};

    options.https = options.server;
    options.https.listen = listen_at;
    options.https.cert_pem = fed_buf_span(&chain);
    options.https.sessions_max = 200;
    options.https.handshakes_max = 100;
    if (fed_worker_pool_open(fed_alloc_system(), w.loop, NULL, &options, &events, &pool, &diag))
        fail_msg("%s", diag.text);
    snprintf(listen_at, sizeof listen_at, "127.0.0.1:%u", fed_worker_pool_https_port(pool));
    fed_worker_pool_go(pool);
}

/* ---- agents ---- */
static void agent_up(void *ctx)
{
    ((struct agent *)ctx)->ups++;
}

static void agent_down(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    (void)err;
    (void)diag;
    ((struct agent *)ctx)->downs++;
}

static void agent_note(void *ctx, const struct fed_link_message *message)
{
    struct agent *a = ctx;

    a->notes++;
    a->len = message->payload.len;
}

static void agent_done(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent *a = ctx;

    (void)diag;
    a->dones++;
    a->code = err ? 0 : message->code;
}

static void agents_open(bool http1_only)
{
    struct fed_https_client_options options = {.http1_only = http1_only};
    struct fed_diag diag = {""};

    memset(agents, 0, sizeof agents);
    for (size_t i = 0; i < AGENTS; i++) {
        struct fed_link_events events = {
            .ctx = &agents[i], .up = agent_up, .down = agent_down, .notification = agent_note};

        assert_int_equal(fed_https_client_open(fed_alloc_system(), w.loop, NULL, &options, &events,
                             &agents[i].client, &diag),
            FED_OK);
        agents[i].link = fed_https_client_port(agents[i].client);
    }
}

static void connect_agent(struct agent *a)
{
    struct fed_link_client_identity identity = {.cert_pem = fed_buf_span(&w.client_pem.cert),
        .key_pem = fed_buf_span(&w.client_pem.key),
        .ca_pem = fed_buf_span(&w.ca.cert)};
    struct fed_diag diag = {""};
    uint16_t port = (uint16_t)strtoul(strrchr(listen_at, ':') + 1, NULL, 10);

    assert_int_equal(
        a->link->connect(a->link->ctx, "127.0.0.1", port, &identity, 20000, &diag), FED_OK);
}

static void ask(struct agent *a)
{
    assert_int_equal(a->link->request(a->link->ctx, FED_LINK_POST, "s", NULL, FED_SPAN_LIT("said"),
                         60000, agent_done, a),
        FED_OK);
}

static unsigned sum(size_t offset)
{
    unsigned n = 0;

    for (size_t i = 0; i < AGENTS; i++)
        n += *(const unsigned *)(const void *)((const char *)&agents[i] + offset);
    return n;
}

static bool all_up(void *ctx)
{
    (void)ctx;
    return sum(offsetof(struct agent, ups)) >= wanted;
}

static bool all_done(void *ctx)
{
    (void)ctx;
    return sum(offsetof(struct agent, dones)) >= wanted;
}

static bool all_down(void *ctx)
{
    (void)ctx;
    return sum(offsetof(struct agent, downs)) >= wanted;
}

static bool all_told(void *ctx)
{
    (void)ctx;
    return sum(offsetof(struct agent, notes)) >= wanted && delivered >= wanted;
}

static bool reached(void *counter)
{
    return *(unsigned *)counter >= wanted;
}

static void until(world_condition *condition, void *ctx, unsigned n)
{
    wanted = n;
    world_until(&w, condition, ctx);
}

static void all_connect_and_observe(void)
{
    for (size_t i = 0; i < AGENTS; i++)
        connect_agent(&agents[i]);
    until(all_up, NULL, AGENTS);
    for (size_t i = 0; i < AGENTS; i++)
        assert_int_equal(
            agents[i].link->observe(agents[i].link->ctx, "b", NULL, 60000, agent_done, &agents[i]),
            FED_OK);
    until(all_done, NULL, AGENTS);
}

/* How many of the sessions have connections at more than one worker. */
static unsigned spread(void)
{
    unsigned n = 0;

    for (size_t i = 0; i < AGENTS; i++)
        n += ((struct pool_joint *)sessions[i])->parts->next_part != NULL;
    return n;
}

static void notify_all(struct fed_span body)
{
    for (size_t i = 0; i < AGENTS; i++)
        assert_int_equal(fed_worker_https_notify(sessions[i], body, 77), FED_OK);
}

static int set_up(void **state)
{
    (void)state;
    world_open(&w);
    fed_buf_init(&chain, fed_alloc_system(), 65536);
    fed_buf_put(&chain, fed_buf_span(&w.server_pem.cert));
    fed_buf_put(&chain, fed_buf_span(&w.ca.cert));
    snprintf(listen_at, sizeof listen_at, "127.0.0.1:0");
    opened = closed = requests = delivered = lost = quiet = saved = 0;
    memset(large, 'x', sizeof large);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < AGENTS; i++)
        fed_https_client_close(agents[i].client);
    fed_worker_pool_close(pool);
    fed_buf_fini(&chain);
    world_close(&w);
    return 0;
}

/* ---- cases ---- */

/* Workers tell their figures once a second. */
static bool all_is_counted(void *ctx)
{
    struct fed_link_stats stats;
    struct fed_link_server_stats all;

    (void)ctx;
    fed_worker_https_stats(sessions[0], &stats);
    fed_worker_pool_https_stats(pool, &all);
    return stats.sent_bytes > LARGE && all.handshakes >= wanted && all.sessions >= wanted;
}

/* Whatever worker has a connection: it is one session, with one observation. */
static void connections_at_several_workers(void **state)
{
    (void)state;
    pool_start(3);
    agents_open(true);
    all_connect_and_observe();
    for (unsigned round = 1; round <= ROUNDS; round++) {
        for (size_t i = 0; i < AGENTS; i++)
            for (unsigned n = 0; n < 3; n++)
                ask(&agents[i]);
        until(all_done, NULL, AGENTS + round * 3 * AGENTS);
    }
    assert_int_equal(opened, AGENTS);
    assert_int_equal(closed, 0);
    assert_true(spread() > 0);
    for (size_t i = 0; i < AGENTS; i++)
        assert_int_equal(agents[i].code, FED_LINK_CHANGED);
    notify_all(FED_SPAN_LIT("news"));
    until(all_told, NULL, AGENTS);
    notify_all(fed_span_of(large, LARGE));
    until(all_told, NULL, 2 * AGENTS);
    for (size_t i = 0; i < AGENTS; i++)
        assert_int_equal(agents[i].len, LARGE);
    until(all_is_counted, NULL, AGENTS);
    assert_int_equal(sum(offsetof(struct agent, downs)), 0);
}

/* Ended by the hub, it is ended at all of its workers. */
static void the_hub_ends_them(void **state)
{
    (void)state;
    pool_start(3);
    agents_open(true);
    all_connect_and_observe();
    for (size_t i = 0; i < AGENTS; i++)
        for (unsigned n = 0; n < 3; n++)
            ask(&agents[i]);
    until(all_done, NULL, 4 * AGENTS);
    for (size_t i = 0; i < AGENTS; i++)
        fed_worker_https_close(sessions[i]);
    until(all_down, NULL, AGENTS);
    assert_int_equal(closed, 0);
    for (size_t i = 0; i < AGENTS; i++)
        connect_agent(&agents[i]);
    until(all_up, NULL, 2 * AGENTS);
    assert_int_equal(opened, 2 * AGENTS);
}

/* Those that leave are closed once. */
static void they_leave(void **state)
{
    (void)state;
    pool_start(2);
    agents_open(false);
    all_connect_and_observe();
    for (size_t i = 0; i < AGENTS; i++)
        agents[i].link->disconnect(agents[i].link->ctx);
    until(reached, &closed, AGENTS);
    assert_int_equal(closed, AGENTS);
}

/* A worker that ends takes the sessions that observe there along, and no others. */
static void a_worker_ends(void **state)
{
    unsigned there = 0;

    (void)state;
    pool_start(3);
    agents_open(true);
    all_connect_and_observe();
    for (size_t i = 0; i < AGENTS; i++)
        there += ((struct pool_joint *)sessions[i])->stream->worker->index == 0;
    kill(pool->workers[0].pid, SIGKILL);
    until(reached, &lost, 1);
    assert_in_range(closed, there, there);
    if (there > 0)
        assert_string_equal(why_closed, "its gateway worker ended");
    until(all_down, NULL, there);
    /* Who comes again is served, also by the one that started again. */
    for (size_t i = 0; i < AGENTS; i++)
        if (agents[i].downs > 0)
            connect_agent(&agents[i]);
    until(all_up, NULL, AGENTS + there);
    for (size_t i = 0; i < AGENTS; i++)
        ask(&agents[i]);
    until(all_done, NULL, 2 * AGENTS);
}

static void on_quiet(void *ctx)
{
    (void)ctx;
    quiet++;
}

static void on_each(void *ctx, struct fed_link_session *s, struct fed_span part, unsigned steer)
{
    (void)ctx;
    (void)s;
    (void)part;
    (void)steer;
    fail();
}

static void on_saved(void *ctx)
{
    (void)ctx;
    saved++;
}

/* In order: every session ends, and nothing is cut off. */
static void the_end_in_order(void **state)
{
    (void)state;
    pool_start(2);
    agents_open(false);
    all_connect_and_observe();
    notify_all(fed_span_of(large, LARGE));
    fed_worker_pool_save(pool, 20000, on_quiet, on_each, on_saved, NULL);
    until(reached, &saved, 1);
    assert_int_equal(quiet, 1);
    assert_int_equal(closed, AGENTS);
    until(all_down, NULL, AGENTS);
    assert_int_equal(sum(offsetof(struct agent, notes)), AGENTS);
}

static bool has_settled(void *ctx)
{
    struct agent *a = ctx;

    return a->ups + a->downs >= wanted;
}

/* Whether the agent, which is not connected, is let in now. */
static bool comes_in(struct agent *a)
{
    static unsigned tries;
    unsigned ups = a->ups;

    assert_true(tries++ < 1000);
    connect_agent(a);
    until(has_settled, a, a->ups + a->downs + 1);
    return a->ups > ups;
}

/* Another certificate for connections from now on; open ones go on. */
static void another_certificate(void **state)
{
    (void)state;
    pool_start(2);
    agents_open(true);
    all_connect_and_observe();
    /* Nobody can have signed the agents' certificates any more. */
    fed_worker_pool_certificate(pool, fed_buf_span(&w.server_pem.cert), fed_buf_span(&chain),
        fed_buf_span(&w.server_pem.key), fed_buf_span(&w.other_ca.cert));
    notify_all(FED_SPAN_LIT("news"));
    until(all_told, NULL, AGENTS);
    do
        agents[0].link->disconnect(agents[0].link->ctx);
    while (comes_in(&agents[0])); /* by a worker that has not taken it yet */
    fed_worker_pool_certificate(pool, fed_buf_span(&w.server_pem.cert), fed_buf_span(&chain),
        fed_buf_span(&w.server_pem.key), fed_buf_span(&w.ca.cert));
    while (!comes_in(&agents[0]))
        ;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASE(connections_at_several_workers),
        CASE(the_hub_ends_them), CASE(they_leave), CASE(a_worker_ends), CASE(the_end_in_order),
        CASE(another_certificate)};
    struct fed_diag diag = {""};

    if (argc == 2 && strcmp(argv[1], "gateway-worker") == 0)
        _exit(fed_worker_run(fed_alloc_system(), &diag) != FED_OK);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
