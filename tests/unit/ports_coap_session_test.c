/* ports_coap_session_test.c - the agent's sessions: handshakes on a bad network, and going on with
 * a session in a later process, which here is another client. */
#include "tests/unit/ports_coap_world.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct world world;
static struct relay relay;
static struct fed_buf saved;
static const struct fed_span none = {NULL, 0};

static int setup(void **state)
{
    (void)state;
    world_init(&world);
    fed_buf_init(&saved, fed_alloc_system(), 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fed_buf_fini(&saved);
    world_fini(&world);
    return 0;
}

static uint16_t hub_port(void)
{
    return fed_coap_server_port(world.server);
}

static void connect_agent(uint16_t port)
{
    struct fed_link_client_identity identity = world_agent_identity(&world);

    world_connect(&world, port, &identity);
}

static struct fed_link_stats stats_now(void)
{
    struct fed_link_stats stats;

    world.link->stats(world.link->ctx, &stats);
    return stats;
}

/* ---- handshakes ---- */

/* Whatever single datagram is lost, the handshake ends well, a second or two later. */
static void test_each_lost_once(void **state)
{
    unsigned datagrams = 0;

    (void)state;
    for (unsigned drop = 0; drop == 0 || drop <= datagrams; drop++) {
        relay_init(&relay, &world, 1);
        relay.drop = drop;
        connect_agent(relay.port);
        world_get(&world, "h", NULL, 40000);
        assert_int_equal(world.done_err, FED_OK);
        if (drop == 0)
            datagrams = relay.seen - 2; /* of the handshake alone */
        else
            assert_int_equal(relay.lost, 1);
        world.link->disconnect(world.link->ctx);
        relay_fini(&relay);
    }
    print_message("    each of %u datagrams\n", datagrams);
    assert_in_range(datagrams, 6, 10);
}

static void test_lossy(void **state)
{
    (void)state;
    for (uint64_t seed = 21; seed < 24; seed++) {
        relay_init(&relay, &world, seed);
        relay.lose = 20;
        relay.twice = 20;
        relay.late = 30;
        connect_agent(relay.port);
        world.link->disconnect(world.link->ctx);
        relay_fini(&relay);
    }
}

/* ---- names of several addresses ---- */

typedef int resolver(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out);

/* In the place of the system's: "HOST,HOST" are the addresses of one name. */
int getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    resolver *real = (resolver *)(uintptr_t)dlsym(RTLD_NEXT, "getaddrinfo");
    struct addrinfo **end = out;
    char names[100];
    char *rest = names;
    char *one;

    if (!strchr(host, ','))
        return real(host, service, hints, out);
    if (hints->ai_flags & AI_NUMERICHOST)
        return EAI_NONAME;
    snprintf(names, sizeof(names), "%s", host);
    while ((one = strsep(&rest, ",")) != NULL) {
        assert_int_equal(real(one, service, hints, end), 0);
        end = &(*end)->ai_next;
    }
    return 0;
}

static uint64_t connect_name(const char *name, uint16_t port)
{
    struct fed_link_client_identity identity = world_agent_identity(&world);
    struct fed_diag diag = {""};
    uint64_t begin_ms = fed_loop_now_ms(world.loop);
    unsigned ups = world.ups;

    if (world.link->connect(world.link->ctx, name, port, &identity, 10000, &diag))
        fail_msg("%s", diag.text);
    world_until(&world, &world.ups, ups + 1, 60000);
    return fed_loop_now_ms(world.loop) - begin_ms;
}

static void test_refusing_address(void **state)
{
    (void)state;
    assert_in_range(connect_name("127.0.0.3,127.0.0.4,127.0.0.1", hub_port()), 0, 900);
    world_get(&world, "h", NULL, 40000);
    assert_int_equal(world.done_err, FED_OK);
}

static void test_silent_address(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(hub_port())};
    int silent = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)state;
    assert_int_equal(inet_pton(AF_INET, "127.0.0.2", &address.sin_addr), 1);
    assert_int_equal(bind(silent, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_in_range(connect_name("127.0.0.2,127.0.0.1", hub_port()), 3400, 7000);
    world_get(&world, "h", NULL, 40000);
    assert_int_equal(world.done_err, FED_OK);
    close(silent);
}

static void test_no_address_answers(void **state)
{
    struct fed_link_client_identity identity = world_agent_identity(&world);
    struct fed_diag diag = {""};

    (void)state;
    assert_int_equal(world.link->connect(world.link->ctx, "127.0.0.3,127.0.0.4", hub_port(),
                         &identity, 5000, &diag),
        FED_OK);
    world_until(&world, &world.downs, 1, 60000);
    assert_int_equal(world.down_err, FED_ERR_NETWORK);
    assert_non_null(strstr(world.down_diag.text, "nothing listens there"));
    connect_agent(hub_port());
}

static void count_up(void *ctx)
{
    ++*(unsigned *)ctx;
    world.loop->stop(world.loop->ctx);
}

static unsigned disconnects;

static void disconnect_at_up(void *ctx)
{
    struct fed_link *link = world.link;

    (void)ctx;
    disconnects++;
    link->disconnect(link->ctx);
}

/* A session may be given up wherever the client calls out. */
static void test_disconnect_inside(void **state)
{
    struct fed_link_client_identity identity = world_agent_identity(&world);
    struct fed_link_events events = {.ctx = &world, .up = disconnect_at_up};
    struct fed_coap_client *client;
    struct fed_link *before = world.link;
    struct fed_diag diag = {""};

    (void)state;
    assert_int_equal(
        fed_coap_client_open(fed_alloc_system(), world.loop, NULL, &events, &client, &diag),
        FED_OK);
    world.link = fed_coap_client_port(client);
    assert_int_equal(
        world.link->connect(world.link->ctx, "127.0.0.1", hub_port(), &identity, 5000, &diag),
        FED_OK);
    world_until(&world, &world.closed, 1, 60000);
    assert_int_equal(disconnects, 1);
    fed_coap_client_close(client);
    world.link = before;
}

/* ---- no memory ---- */

static unsigned refused;
static bool refuse;

static void *resize(void *ctx, void *at, size_t old_size, size_t size)
{
    struct fed_alloc *system = fed_alloc_system();

    (void)ctx;
    if (refuse && size > old_size) {
        refused++;
        world.loop->stop(world.loop->ctx);
        return NULL;
    }
    return system->resize(system->ctx, at, old_size, size);
}

/* The smaller message that a silent path asks for cannot be made: the one of before goes on to
 * count, and is answered when the path works again. */
static void no_memory_to_shrink(struct fed_span payload)
{
    static struct fed_alloc mem = {.resize = resize};
    struct fed_link_client_identity identity = world_agent_identity(&world);
    unsigned ups = 0;
    struct fed_link_events events = {.ctx = &ups, .up = count_up};
    struct fed_coap_client *client;
    struct fed_link *link;
    struct fed_diag diag = {""};
    unsigned dones = world.dones;

    relay_init(&relay, &world, 1);
    assert_int_equal(fed_coap_client_open(&mem, world.loop, NULL, &events, &client, &diag), FED_OK);
    link = fed_coap_client_port(client);
    assert_int_equal(
        link->connect(link->ctx, "127.0.0.1", relay.port, &identity, 5000, &diag), FED_OK);
    world_until(&world, &ups, 1, 60000);
    relay.lose = 100;
    assert_int_equal(link->request(link->ctx, payload.len ? FED_LINK_POST : FED_LINK_GET,
                         payload.len ? "s" : "h", NULL, payload, 30000, world_done, &world),
        FED_OK);
    refused = 0;
    refuse = true;
    world_until(&world, &refused, 1, 60000);
    refuse = false;
    relay.lose = 0;
    world_until(&world, &world.dones, dones + 1, 60000);
    assert_int_equal(world.done_err, FED_OK);
    fed_coap_client_close(client);
    relay_fini(&relay);
}

static void test_no_memory_to_shrink(void **state)
{
    static const uint8_t payload[900];

    (void)state;
    no_memory_to_shrink(none);
    no_memory_to_shrink(fed_span_of(payload, sizeof(payload)));
}

/* ---- going on ---- */

static void suspend(void)
{
    fed_buf_clear(&saved);
    assert_int_equal(world.link->suspend(world.link->ctx, &saved), FED_OK);
    print_message("    %zu bytes are kept\n", saved.len);
}

static void resume_of(struct fed_link *link, uint16_t port, unsigned timeout_ms)
{
    struct fed_diag diag = {""};

    if (link->resume(link->ctx, "127.0.0.1", port, fed_buf_span(&saved), timeout_ms, &diag))
        fail_msg("%s", diag.text);
}

static void resume(uint16_t port)
{
    unsigned ups = world.ups;

    resume_of(world.link, port, 4000);
    assert_int_equal(world.ups, ups); /* not before it returned */
    world_until(&world, &world.ups, ups + 1, 60000);
}

static void test_goes_on(void **state)
{
    struct fed_link_stats before;
    struct fed_link_stats after;

    (void)state;
    connect_agent(hub_port());
    world_observe(&world, 40000);
    suspend();
    world_run_ms(&world, 50);
    assert_int_equal(world.closed, 0);
    before = stats_now();
    resume(hub_port());
    world_get(&world, "h", NULL, 40000);
    assert_int_equal(world.done_err, FED_OK);
    after = stats_now();
    assert_int_equal(after.sent_datagrams - before.sent_datagrams, 1);
    assert_int_equal(after.received_datagrams - before.received_datagrams, 1);
    world_observe(&world, 40000);
    assert_int_equal(fed_link_notify(world.session, FED_SPAN_LIT("x"), 7), FED_OK);
    world_until(&world, &world.notified_good, 1, 60000);
    assert_int_equal(world.opened, 1);
    assert_int_equal(world.downs, 0);
}

/* Message ids go on, or the hub would repeat its answers to the POSTs of before. */
static void test_posts(void **state)
{
    (void)state;
    connect_agent(hub_port());
    for (unsigned i = 1; i <= 20; i++) {
        world_post(&world, "s", FED_SPAN_LIT("report"));
        assert_int_equal(world.done_code, FED_LINK_CHANGED);
        assert_int_equal(world.requests, i);
        suspend();
        resume(hub_port());
    }
}

/* The second record proves the new address, so a large answer is not held back. */
static void test_large(void **state)
{
    uint64_t begin_ms;

    (void)state;
    connect_agent(hub_port());
    world_get(&world, "h", NULL, 40000);
    suspend();
    world_body_fill(&world, 60000, 4);
    resume(hub_port());
    begin_ms = fed_loop_now_ms(world.loop);
    world_get(&world, "h", NULL, 40000);
    world_get(&world, "b", NULL, 40000);
    assert_int_equal(world.done_err, FED_OK);
    assert_true(fed_span_eq(fed_buf_span(&world.done_body), fed_buf_span(&world.body)));
    assert_in_range(fed_loop_now_ms(world.loop) - begin_ms, 0, 900);
}

/* A notification that went to where the agent was: it comes again, and is not reset. */
static void test_notified_meanwhile(void **state)
{
    (void)state;
    connect_agent(hub_port());
    world_observe(&world, 40000);
    suspend();
    assert_int_equal(fed_link_notify(world.session, FED_SPAN_LIT("x"), 7), FED_OK);
    world_run_ms(&world, 100);
    resume(hub_port());
    world_get(&world, "h", NULL, 40000);
    world_until(&world, &world.notified_good, 1, 60000);
    assert_int_equal(world.notifications, 1);
    assert_int_equal(world.notified_bad, 0);
}

/* Another process goes on with what was gone on with already: the hub drops record numbers that it
 * has seen, and the second one learns nothing. */
static void test_twice(void **state)
{
    unsigned ups = 0;
    struct fed_link_events events = {.ctx = &ups, .up = count_up};
    struct fed_coap_client *second;
    struct fed_link *link;
    struct fed_diag diag = {""};
    unsigned dones;

    (void)state;
    connect_agent(hub_port());
    world_get(&world, "h", NULL, 40000);
    suspend();
    resume(hub_port());
    world_get(&world, "h", NULL, 40000);
    world_get(&world, "h", NULL, 40000);
    assert_int_equal(
        fed_coap_client_open(fed_alloc_system(), world.loop, NULL, &events, &second, &diag),
        FED_OK);
    link = fed_coap_client_port(second);
    resume_of(link, hub_port(), 60000);
    world_until(&world, &ups, 1, 60000);
    dones = world.dones;
    assert_int_equal(
        link->request(link->ctx, FED_LINK_GET, "h", NULL, none, 500, world_done, &world), FED_OK);
    world_until(&world, &world.dones, dones + 1, 60000);
    assert_int_equal(world.done_err, FED_ERR_TIMEOUT);
    fed_coap_client_close(second);
    world_get(&world, "h", NULL, 40000); /* the first one is not disturbed */
    assert_int_equal(world.done_err, FED_OK);
}

static void test_forgotten(void **state)
{
    (void)state;
    connect_agent(hub_port());
    world_get(&world, "h", NULL, 40000);
    suspend();
    fed_coap_server_close(world.server);
    world_server_open(&world);
    resume_of(world.link, hub_port(), 1500);
    world_until(&world, &world.ups, 2, 60000);
    assert_int_equal(world.link->request(
                         world.link->ctx, FED_LINK_GET, "h", NULL, none, 9000, world_done, &world),
        FED_OK);
    world_until(&world, &world.downs, 1, 60000);
    print_message("    %s\n", world.down_diag.text);
    assert_int_equal(world.down_err, FED_ERR_TIMEOUT);
    assert_int_equal(world.done_err, FED_ERR_CLOSED);
    connect_agent(hub_port());
}

/* The first request of a session that goes on is lost: it is sent again before the session is given
 * up. */
static void test_lost(void **state)
{
    (void)state;
    relay_init(&relay, &world, 1);
    connect_agent(relay.port);
    world_get(&world, "h", NULL, 40000);
    suspend();
    relay.drop = relay.seen + 1;
    resume(relay.port);
    world_get(&world, "h", NULL, 40000);
    assert_int_equal(world.done_err, FED_OK);
    assert_int_equal(relay.lost, 1);
    assert_int_equal(world.downs, 0);
    world.link->disconnect(world.link->ctx);
    relay_fini(&relay);
}

static void test_nothing_to_keep(void **state)
{
    struct fed_diag diag = {""};

    (void)state;
    assert_int_equal(world.link->suspend(world.link->ctx, &saved), FED_ERR_CLOSED);
    fed_buf_clear(&saved);
    assert_int_equal(
        world.link->resume(world.link->ctx, "127.0.0.1", 1, none, 1000, &diag), FED_ERR_INVALID);
}

/* Where the library's part begins, with the library's version. */
static size_t library_at(void)
{
    struct fed_span rest = fed_span_sub(fed_buf_span(&saved), 13, saved.len);
    uint64_t number;

    for (unsigned i = 0; i < 3; i++) /* round trip, variation, length */
        assert_int_equal(fed_span_take_varint(&rest, UINT64_MAX, &number), FED_OK);
    return saved.len - rest.len;
}

static void test_damaged(void **state)
{
    struct fed_diag diag = {""};

    (void)state;
    connect_agent(hub_port());
    world_get(&world, "h", NULL, 40000);
    suspend();
    for (size_t len = 0; len < saved.len; len++)
        assert_int_not_equal(world.link->resume(world.link->ctx, "127.0.0.1", hub_port(),
                                 fed_span_of(saved.at, len), 1000, &diag),
            FED_OK);
    saved.at[0]++;
    assert_int_equal(world.link->resume(world.link->ctx, "127.0.0.1", hub_port(),
                         fed_buf_span(&saved), 1000, &diag),
        FED_ERR_UNSUPPORTED);
    saved.at[0]--;
    saved.at[library_at()]++;
    assert_int_equal(world.link->resume(world.link->ctx, "127.0.0.1", hub_port(),
                         fed_buf_span(&saved), 1000, &diag),
        FED_ERR_UNSUPPORTED);
    print_message("    %s\n", diag.text);
    connect_agent(hub_port()); /* the client is as good as new */
}

/* ---- many ---- */

static long rss_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size = 0;
    long pages = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &size, &pages), 2);
    fclose(file);
    return pages * 4;
}

#define MANY 100u

/* What an idle client and its session at the hub take together, both in this process: without
 * sanitizers that says something. */
static void test_many(void **state)
{
    static struct fed_coap_client *clients[MANY];
    struct fed_link_client_identity identity = world_agent_identity(&world);
    unsigned ups = 0;
    struct fed_link_events events = {.ctx = &ups, .up = count_up};
    struct fed_diag diag = {""};
    long before_kib = 0;

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        struct fed_link *link;

        assert_int_equal(
            fed_coap_client_open(fed_alloc_system(), fed_linux_loop_port(world.linux_loop), NULL,
                &events, &clients[i], &diag),
            FED_OK);
        link = fed_coap_client_port(clients[i]);
        assert_int_equal(
            link->connect(link->ctx, "127.0.0.1", hub_port(), &identity, 5000, &diag), FED_OK);
        world_until(&world, &ups, i + 1, 60000);
        assert_int_equal(
            link->request(link->ctx, FED_LINK_GET, "h", NULL, none, 5000, world_done, &world),
            FED_OK);
        world_until(&world, &world.dones, i + 1, 60000);
        if (i == MANY / 10)
            before_kib = rss_kib();
    }
    print_message("    %ld bytes for a client and its session at the hub\n",
        (rss_kib() - before_kib) * 1024 / (long)(MANY - MANY / 10));
    for (unsigned i = 0; i < MANY; i++)
        fed_coap_client_close(clients[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_lost_once),
        TEST(test_lossy),
        TEST(test_refusing_address),
        TEST(test_silent_address),
        TEST(test_no_address_answers),
        TEST(test_disconnect_inside),
        TEST(test_no_memory_to_shrink),
        TEST(test_goes_on),
        TEST(test_posts),
        TEST(test_large),
        TEST(test_notified_meanwhile),
        TEST(test_twice),
        TEST(test_forgotten),
        TEST(test_lost),
        TEST(test_nothing_to_keep),
        TEST(test_damaged),
        TEST(test_many),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
