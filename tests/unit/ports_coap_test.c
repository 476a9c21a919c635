/* ports_coap_test.c - the agent's client against the hub's server, over a good network and over bad
 * ones. */
#include "ports/tls/mbed.h"
#include "tests/unit/ports_coap_world.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct world world;
static struct relay relay;

static int setup(void **state)
{
    (void)state;
    world_init(&world);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static void connect_agent(uint16_t port)
{
    struct fed_link_client_identity identity = world_agent_identity(&world);

    world_connect(&world, port ? port : fed_coap_server_port(world.server), &identity);
}

static void expect_body(void)
{
    assert_int_equal(world.done_err, FED_OK);
    assert_int_equal(world.done_code, FED_LINK_CONTENT);
    assert_true(fed_span_eq(fed_buf_span(&world.done_body), fed_buf_span(&world.body)));
}

static struct fed_link_stats stats_now(void)
{
    struct fed_link_stats stats;

    world.link->stats(world.link->ctx, &stats);
    return stats;
}

static uint64_t bytes_since(const struct fed_link_stats *before)
{
    struct fed_link_stats now = stats_now();

    return now.sent_bytes - before->sent_bytes + now.received_bytes - before->received_bytes;
}

/* ---- identities ---- */

static void test_token(void **state)
{
    struct fed_link_client_identity identity = world_token_identity();

    (void)state;
    world_connect(&world, fed_coap_server_port(world.server), &identity);
    assert_string_equal(world.peer_name, WORLD_TOKEN_ID);
    world_body_fill(&world, 5000, 1);
    world_post(&world, "echo", FED_SPAN_LIT("{\"v\":1}")); /* an answer in blocks to a POST */
    assert_int_equal(world.done_err, FED_OK);
    assert_int_equal(world.done_code, FED_LINK_CREATED);
    assert_true(fed_span_eq(fed_buf_span(&world.done_body), fed_buf_span(&world.body)));
    assert_int_equal(world.requests, 1);
}

static void test_certificates(void **state)
{
    (void)state;
    connect_agent(0);
    assert_string_equal(world.peer_name, "system:fedlet:berlin");
    world_get(&world, "b", NULL, 40000);
    expect_body();
    world_get(&world, "q", "e=7&r=12", 40000);
    assert_true(fed_span_is(fed_buf_span(&world.done_body), "e=7&r=12"));
    world_get(&world, "nothing", NULL, 40000);
    assert_int_equal(world.done_code, FED_LINK_NOT_FOUND);
    world_post(&world, "s", FED_SPAN_LIT("report"));
    assert_int_equal(world.done_code, FED_LINK_CHANGED);
    world_post(&world, "s", FED_SPAN_LIT("x"));
    assert_int_equal(world.done_code, FED_LINK_CONFLICT);
    world_get(&world, "busy", NULL, 40000);
    assert_int_equal(world.done_code, FED_LINK_UNAVAILABLE);
    assert_int_equal(world.done_max_age_s, 77);
}

/* A second session with the other kind of identity, by the same client. */
static void test_token_then_certificate(void **state)
{
    struct fed_link_client_identity identity = world_token_identity();

    (void)state;
    world_connect(&world, fed_coap_server_port(world.server), &identity);
    world.link->disconnect(world.link->ctx);
    connect_agent(0);
    assert_string_equal(world.peer_name, "system:fedlet:berlin");
    assert_int_equal(world.downs, 0);
}

static void expect_down(const struct fed_link_client_identity *identity, uint16_t port,
    unsigned timeout_ms, enum fed_err err, const char *words)
{
    struct fed_diag diag = {""};

    assert_int_equal(
        world.link->connect(world.link->ctx, "127.0.0.1", port, identity, timeout_ms, &diag),
        FED_OK);
    world_until(&world, &world.downs, 1, timeout_ms + 2000);
    print_message("    %s\n", world.down_diag.text);
    assert_int_equal(world.down_err, err);
    assert_non_null(strstr(world.down_diag.text, words));
    assert_int_equal(world.ups, 0);
    /* Down leaves a client that can be used again. */
    connect_agent(0);
}

static void test_wrong_ca(void **state)
{
    struct fed_link_client_identity identity = world_agent_identity(&world);

    (void)state;
    identity.ca_pem = pki_cert(&world.pki.other_ca);
    expect_down(&identity, fed_coap_server_port(world.server), 5000, FED_ERR_UNAUTHENTICATED,
        "CA that was pinned");
}

/* A certificate of the right CA without a purpose, which our own signing refuses to make. */
static void purposeless(struct pki_id *out)
{
    const struct fed_crypto *crypto = &world.pki.crypto;
    static unsigned char pem[4096];
    mbedtls_x509write_cert write;
    mbedtls_pk_context own;
    mbedtls_pk_context issuer;
    struct fed_diag diag = {""};

    fed_buf_init(&out->key_pem, fed_alloc_system(), 4096);
    fed_buf_init(&out->cert_pem, fed_alloc_system(), sizeof(pem));
    assert_int_equal(crypto->key_new(crypto->ctx, &out->key_pem), FED_OK);
    mbedtls_x509write_crt_init(&write);
    mbedtls_pk_init(&own);
    mbedtls_pk_init(&issuer);
    assert_int_equal(fed_mbed_key(pki_key(out), &own, &diag), FED_OK);
    assert_int_equal(fed_mbed_key(pki_key(&world.pki.ca), &issuer, &diag), FED_OK);
    mbedtls_x509write_crt_set_subject_key(&write, &own);
    mbedtls_x509write_crt_set_issuer_key(&write, &issuer);
    mbedtls_x509write_crt_set_md_alg(&write, MBEDTLS_MD_SHA256);
    assert_int_equal(mbedtls_x509write_crt_set_subject_name(&write, "CN=somebody"), 0);
    assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&write, "CN=test CA"), 0);
    assert_int_equal(mbedtls_x509write_crt_set_serial_raw(&write, (unsigned char[]){7}, 1), 0);
    assert_int_equal(
        mbedtls_x509write_crt_set_validity(&write, "20200101000000", "20490101000000"), 0);
    assert_int_equal(mbedtls_x509write_crt_pem(&write, pem, sizeof(pem), fed_mbed_random, NULL), 0);
    fed_buf_put_text(&out->cert_pem, (const char *)pem);
    mbedtls_x509write_crt_free(&write);
    mbedtls_pk_free(&own);
    mbedtls_pk_free(&issuer);
}

/* The CA alone does not make a hub: agents have certificates of it too. (mbedTLS does not even let
 * a server start a handshake with an agent's own, so this one says nothing about its purpose.) */
static void test_false_hub(void **state)
{
    struct fed_link_client_identity identity = world_agent_identity(&world);
    struct fed_link_server *good = world.server;
    struct pki_id hub_id = world.hub_id;
    struct pki_id false_id;
    struct fed_link_server *false_hub;

    (void)state;
    purposeless(&false_id);
    world.hub_id = false_id;
    world_server_open(&world);
    false_hub = world.server;
    world.server = good;
    world.hub_id = hub_id;
    expect_down(
        &identity, fed_coap_server_port(false_hub), 5000, FED_ERR_UNAUTHENTICATED, "serverAuth");
    fed_coap_server_close(false_hub);
    pki_id_fini(&false_id);
}

static void test_foreign_agent(void **state)
{
    struct fed_link_client_identity identity = world_agent_identity(&world);
    struct pki_id foreign;

    (void)state;
    pki_issue(&world.pki, &world.pki.other_ca, "foreign", NULL, -60, 3600, &foreign);
    identity.cert_pem = pki_cert(&foreign);
    identity.key_pem = pki_key(&foreign);
    expect_down(&identity, fed_coap_server_port(world.server), 5000, FED_ERR_UNAUTHENTICATED,
        "refuses this agent");
    pki_id_fini(&foreign);
}

static void expect_token_refused(struct fed_link_client_identity *identity)
{
    struct fed_diag diag = {""};

    assert_int_equal(world.link->connect(world.link->ctx, "127.0.0.1",
                         fed_coap_server_port(world.server), identity, 3000, &diag),
        FED_OK);
    world_until(&world, &world.downs, 1, 60000);
    print_message("    %s\n", world.down_diag.text);
    assert_true(world.down_err == FED_ERR_UNAUTHENTICATED || world.down_err == FED_ERR_TIMEOUT);
    assert_non_null(strstr(world.down_diag.text, "mistyped, revoked, expired or used up"));
}

static void test_wrong_key(void **state)
{
    struct fed_link_client_identity identity = world_token_identity();

    (void)state;
    identity.psk_key = FED_SPAN_LIT("another twenty bytes");
    expect_token_refused(&identity);
}

static void test_unknown_token(void **state)
{
    struct fed_link_client_identity identity = world_token_identity();

    (void)state;
    identity.psk_identity = "unknown";
    expect_token_refused(&identity);
}

/* ---- places without a hub ---- */

static void test_nothing_listens(void **state)
{
    struct fed_link_client_identity identity = world_agent_identity(&world);
    uint16_t port;

    (void)state;
    relay_init(&relay, &world, 1);
    port = relay.port;
    relay_fini(&relay);
    expect_down(&identity, port, 5000, FED_ERR_NETWORK, "nothing listens");
}

static void test_silence(void **state)
{
    struct fed_link_client_identity identity = world_agent_identity(&world);

    (void)state;
    relay_init(&relay, &world, 1);
    relay.cut = true;
    expect_down(&identity, relay.port, 700, FED_ERR_TIMEOUT, "no answer within 700 ms");
    relay_fini(&relay);
}

static void test_bad_arguments(void **state)
{
    struct fed_link_client_identity identity = world_agent_identity(&world);
    struct fed_link_client_identity empty = {0};
    struct fed_link *link = world.link;
    struct fed_span none = {NULL, 0};
    struct fed_diag diag = {""};
    static uint8_t large[(64u << 10) + 1];

    (void)state;
    assert_int_equal(
        link->request(link->ctx, FED_LINK_GET, "h", NULL, none, 1000, world_done, &world),
        FED_ERR_CLOSED);
    assert_int_equal(
        link->connect(link->ctx, "127.0.0.1", 1, &empty, 1000, &diag), FED_ERR_INVALID);
    identity.cert_pem = FED_SPAN_LIT("no certificate");
    assert_int_not_equal(link->connect(link->ctx, "127.0.0.1", 1, &identity, 1000, &diag), FED_OK);
    connect_agent(0);
    identity = world_agent_identity(&world);
    assert_int_equal(
        link->connect(link->ctx, "127.0.0.1", 1, &identity, 1000, &diag), FED_ERR_BUSY);
    assert_int_equal(link->request(link->ctx, FED_LINK_POST, "s", NULL,
                         fed_span_of(large, sizeof(large)), 1000, world_done, &world),
        FED_ERR_LIMIT);
    world_post(&world, "s", fed_span_of(large, 1024));
    assert_int_equal(world.done_code, FED_LINK_CHANGED);
}

/* Looked up beside the loop. */
static void test_names(void **state)
{
    struct fed_link_client_identity identity = world_agent_identity(&world);
    struct fed_link *link = world.link;
    uint16_t port = fed_coap_server_port(world.server);
    struct fed_diag diag = {""};

    (void)state;
    assert_int_equal(link->connect(link->ctx, "not a name", port, &identity, 20000, &diag), FED_OK);
    world_until(&world, &world.downs, 1, 60000);
    assert_int_equal(world.down_err, FED_ERR_NETWORK);
    assert_non_null(strstr(world.down_diag.text, "cannot be resolved"));
    assert_int_equal(link->connect(link->ctx, "localhost", port, &identity, 20000, &diag), FED_OK);
    world_until(&world, &world.ups, 1, 60000);
    link->disconnect(link->ctx);
    assert_int_equal(link->connect(link->ctx, "localhost", port, &identity, 20000, &diag), FED_OK);
    link->disconnect(link->ctx); /* the look-up is under way */
}

/* ---- notifications ---- */

static void notify(uint64_t number)
{
    uint8_t bytes[40] = {0};

    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    assert_int_equal(
        fed_link_notify(world.session, fed_span_of(bytes, sizeof(bytes)), number), FED_OK);
}

static void test_observe(void **state)
{
    uint8_t large[1025] = {0};

    (void)state;
    connect_agent(0);
    assert_int_equal(fed_link_notify(world.session, FED_SPAN_LIT("x"), 1), FED_ERR_NOT_FOUND);
    world_observe(&world, 40000);
    expect_body();
    assert_int_equal(
        fed_link_notify(world.session, fed_span_of(large, sizeof(large)), 1), FED_ERR_LIMIT);
    for (unsigned i = 1; i <= 300; i++) {
        notify(i);
        world_until(&world, &world.notified_good, i, 60000);
        assert_int_equal(world.notified_tag, i);
    }
    assert_int_equal(world.notifications, 300);
    assert_false(world.out_of_order);
    assert_int_equal(world.notified_bad, 0);
}

/* While one is under way only the newest waits. */
static void test_observe_replaces(void **state)
{
    (void)state;
    connect_agent(0);
    world_observe(&world, 40000);
    for (unsigned i = 1; i <= 50; i++)
        notify(i);
    world_until(&world, &world.notified_good, 2, 60000);
    assert_int_equal(world.notified_tag, 50);
    assert_int_equal(world.last_number, 50);
    assert_int_equal(world.notifications, 2);
}

/* A second observation takes the place of the first, and its notifications arrive. */
static void test_observe_again(void **state)
{
    (void)state;
    connect_agent(0);
    world_observe(&world, 40000);
    notify(1);
    world_observe(&world, 40000);
    notify(2);
    world_until(&world, &world.notified_good, 1, 60000);
    world_run_ms(&world, 50);
    assert_int_equal(world.last_number, 2);
    assert_int_equal(world.notified_bad, 0);
}

/* ---- time ---- */

static void test_ping(void **state)
{
    unsigned alive;

    (void)state;
    connect_agent(0);
    alive = world.alive;
    assert_int_equal(world.link->ping(world.link->ctx, 20000, world_done, &world), FED_OK);
    world_until(&world, &world.dones, 1, 60000);
    assert_int_equal(world.done_err, FED_OK);
    assert_int_equal(world.alive, alive + 1);
    assert_int_equal(world.requests, 0);
}

static void test_separate_answer(void **state)
{
    struct fed_span none = {NULL, 0};

    (void)state;
    connect_agent(0);
    assert_int_equal(world.link->request(world.link->ctx, FED_LINK_POST, "late", NULL, none, 20000,
                         world_done, &world),
        FED_OK);
    world_until(&world, &world.requests, 1, 60000);
    world_run_ms(&world, 3500); /* longer than the agent waits for an acknowledgement */
    assert_int_equal(world.requests, 1);
    assert_int_equal(world.dones, 0);
    fed_link_answer(world.late, FED_LINK_CREATED, FED_SPAN_LIT("approved"), 0);
    world_until(&world, &world.dones, 1, 60000);
    assert_int_equal(world.done_code, FED_LINK_CREATED);
    assert_true(fed_span_is(fed_buf_span(&world.done_body), "approved"));
}

static void test_answer_after_the_peer_went(void **state)
{
    struct fed_span none = {NULL, 0};

    (void)state;
    connect_agent(0);
    assert_int_equal(world.link->request(world.link->ctx, FED_LINK_GET, "late", NULL, none, 20000,
                         world_done, &world),
        FED_OK);
    world_until(&world, &world.requests, 1, 60000);
    world.link->disconnect(world.link->ctx);
    assert_int_equal(world.dones, 1);
    assert_int_equal(world.done_err, FED_ERR_CLOSED);
    world_until(&world, &world.closed, 1, 60000);
    fed_link_answer(world.late, FED_LINK_CONTENT, FED_SPAN_LIT("nobody is there"), 0);
    assert_int_equal(world.downs, 0);
}

static void test_hub_closes(void **state)
{
    (void)state;
    connect_agent(0);
    fed_link_session_close(world.session);
    world_until(&world, &world.downs, 1, 60000);
    assert_int_equal(world.down_err, FED_ERR_CLOSED);
    assert_int_equal(world.closed, 0);
    connect_agent(0);
}

static void test_hub_vanishes(void **state)
{
    (void)state;
    relay_init(&relay, &world, 1);
    connect_agent(relay.port);
    relay.cut = true;
    assert_int_equal(world.link->ping(world.link->ctx, 1000, world_done, &world), FED_OK);
    world_until(&world, &world.dones, 1, 60000);
    assert_int_equal(world.done_err, FED_ERR_TIMEOUT);
    assert_int_equal(world.downs, 0);
    relay.cut = false;
    world_get(&world, "h", NULL, 40000); /* the session is still there */
    assert_int_equal(world.done_err, FED_OK);
    world.link->disconnect(world.link->ctx);
    relay_fini(&relay);
}

/* Whoever sends it: a hub that answers is a hub that knows the session. */
static void test_knock_of_a_live_hub(void **state)
{
    unsigned alive;

    (void)state;
    connect_agent(0);
    world_get(&world, "h", NULL, 40000);
    alive = world.alive;
    fed_coap_server_knock(world.server, world.peer_address);
    world_until(&world, &world.alive, alive + 1, 60000);
    for (unsigned i = 0; i < 20; i++)
        fed_coap_server_knock(world.server, world.peer_address);
    world_run_ms(&world, 1500);
    assert_int_equal(world.alive, alive + 1); /* one question for all of them */
    assert_int_equal(world.downs, 0);
    world_get(&world, "h", NULL, 40000);
    assert_int_equal(world.done_err, FED_OK);
}

/* What the hub of fed_coap_server_knock sends, where nobody answers any more. */
static void test_knock_of_a_hub_that_forgot(void **state)
{
    static const uint8_t alert[] = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 90};
    uint64_t began_ms;

    (void)state;
    relay_init(&relay, &world, 1);
    connect_agent(relay.port);
    world_observe(&world, 40000);
    relay.cut = true;
    began_ms = fed_loop_now_ms(world.loop);
    assert_int_equal(sendto(relay.front, alert, sizeof alert, 0, (struct sockaddr *)relay.agent,
                         relay.agent_len),
        sizeof alert);
    world_until(&world, &world.downs, 1, 60000);
    assert_in_range(fed_loop_now_ms(world.loop) - began_ms, 3000, 12000);
    assert_int_equal(world.down_err, FED_ERR_CLOSED);
    assert_non_null(strstr(world.down_diag.text, "does not know this session any more"));
    relay.cut = false;
    connect_agent(relay.port);
    world.link->disconnect(world.link->ctx);
    relay_fini(&relay);
}

static void test_idle_is_quiet(void **state)
{
    unsigned wakes;
    struct fed_link_stats before;

    (void)state;
    connect_agent(0);
    world_observe(&world, 40000);
    world_run_ms(&world, 100);
    wakes = world.wakes;
    before = stats_now();
    world_run_ms(&world, 3000);
    assert_int_equal(world.wakes, wakes);
    assert_int_equal(bytes_since(&before), 0);
}

/* ---- bytes ---- */

static void expect_bytes(
    const char *what, const struct fed_link_stats *before, uint64_t low, uint64_t high)
{
    uint64_t bytes = bytes_since(before);

    print_message("    %s: %llu bytes\n", what, (unsigned long long)bytes);
    assert_in_range(bytes, low, high);
}

static void test_bytes(void **state)
{
    struct fed_link_stats before = stats_now();
    struct fed_link_stats agent;
    struct fed_link_stats hub;

    (void)state;
    connect_agent(0);
    world_run_ms(&world, 50);
    expect_bytes("handshake with certificates", &before, 1500, 2150);
    before = stats_now();
    world_get(&world, "h", NULL, 40000);
    expect_bytes("GET and 12 bytes", &before, 80, 105);
    world_observe(&world, 40000);
    before = stats_now();
    assert_int_equal(fed_link_notify(world.session, FED_SPAN_LIT("x"), 1), FED_OK);
    world_until(&world, &world.notified_good, 1, 60000);
    expect_bytes("notification of one byte and its acknowledgement", &before, 70, 92);
    before = stats_now();
    assert_int_equal(world.link->ping(world.link->ctx, 1000, world_done, &world), FED_OK);
    world_until(&world, &world.dones, 3, 60000);
    expect_bytes("ping", &before, 60, 78);
    /* Both sides count the same, the first ClientHello and its HelloVerifyRequest included. */
    agent = stats_now();
    fed_link_session_stats(world.session, &hub);
    assert_int_equal(agent.received_bytes, hub.sent_bytes);
    assert_int_equal(agent.received_datagrams, hub.sent_datagrams);
    assert_int_equal(agent.sent_bytes, hub.received_bytes);
    assert_int_equal(agent.sent_datagrams, hub.received_datagrams);
}

/* ---- large bodies ---- */

static void test_large(void **state)
{
    static const size_t sizes[] = {1024, 1025, 2048, 2049, 10240, 102400, 1048576};

    (void)state;
    connect_agent(0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        world_body_fill(&world, sizes[i], (unsigned)i);
        world_get(&world, "b", "e=1&r=5", 40000);
        expect_body();
    }
    assert_int_equal(
        world.requests, sizeof(sizes) / sizeof(sizes[0])); /* blocks do not ask the handler */
}

static void test_large_observed(void **state)
{
    (void)state;
    connect_agent(0);
    world_body_fill(&world, 50000, 9);
    world_observe(&world, 40000);
    expect_body();
    notify(1);
    world_until(&world, &world.notifications, 1, 60000);
}

/* Another large answer took the place of this one: what is left of it has another ETag, so all
 * begins anew. */
static void test_large_changes(void **state)
{
    struct fed_span none = {NULL, 0};

    (void)state;
    relay_init(&relay, &world, 3);
    relay.delay_ms = 20;
    connect_agent(relay.port);
    world_body_fill(&world, 60000, 10);
    assert_int_equal(world.link->request(world.link->ctx, FED_LINK_GET, "b", "r=1", none, 20000,
                         world_done, &world),
        FED_OK);
    world_run_ms(&world, 100);
    assert_int_equal(world.dones, 0);
    world_body_fill(&world, 70000, 11);
    assert_int_equal(world.link->request(world.link->ctx, FED_LINK_GET, "b", "r=2", none, 20000,
                         world_done, &world),
        FED_OK);
    world_until(&world, &world.dones, 1, 60000);
    expect_body();
    world_until(&world, &world.dones, 2, 60000);
    expect_body();
    world.link->disconnect(world.link->ctx);
    relay_fini(&relay);
}

static void test_large_leaves_early(void **state)
{
    struct fed_span none = {NULL, 0};

    (void)state;
    relay_init(&relay, &world, 3);
    relay.delay_ms = 20;
    connect_agent(relay.port);
    world_body_fill(&world, 600000, 10);
    assert_int_equal(world.link->request(
                         world.link->ctx, FED_LINK_GET, "b", NULL, none, 300, world_done, &world),
        FED_OK);
    world_until(&world, &world.dones, 1, 60000);
    assert_int_equal(world.done_err, FED_ERR_TIMEOUT);
    world_get(&world, "h", NULL, 40000); /* late blocks do no harm */
    assert_int_equal(world.done_err, FED_OK);
    world.link->disconnect(world.link->ctx);
    relay_fini(&relay);
}

/* ---- bad networks ---- */

static void bad_network(
    uint64_t seed, size_t size, unsigned lose, unsigned delay_ms, unsigned limit_ms)
{
    uint64_t begin_ms;

    print_message("    seed %llu\n", (unsigned long long)seed);
    relay_init(&relay, &world, seed);
    relay.delay_ms = delay_ms;
    connect_agent(relay.port);
    relay.lose = lose;
    relay.twice = 5;
    relay.late = 20;
    world_body_fill(&world, size, (unsigned)seed);
    begin_ms = fed_loop_now_ms(world.loop);
    world_get(&world, "b", "e=1&r=5", limit_ms);
    expect_body();
    print_message("    %zu bytes, %u%% lost, %u ms round trip: %llu ms, %u datagrams, %u lost\n",
        size, lose, 2 * delay_ms, (unsigned long long)(fed_loop_now_ms(world.loop) - begin_ms),
        relay.forwarded, relay.lost);
    world.link->disconnect(world.link->ctx);
    relay_fini(&relay);
}

static void test_bad_network_100k(void **state)
{
    (void)state;
    bad_network(11, 102400, 2, 100, 10000);
}

static void test_bad_network_1m(void **state)
{
    (void)state;
    bad_network(12, 1048576, 10, 10, 40000);
}

static void test_bad_network_observe(void **state)
{
    (void)state;
    relay_init(&relay, &world, 13);
    connect_agent(relay.port);
    world_observe(&world, 40000);
    relay.lose = 1;
    relay.twice = 20;
    relay.late = 40;
    for (unsigned i = 1; i <= 200; i++) {
        notify(i);
        world_until(&world, &world.notified_good, i, 60000);
    }
    assert_int_equal(world.notifications, 200);
    assert_int_equal(world.last_number, 200);
    assert_false(world.out_of_order);
    assert_int_equal(world.notified_bad, 0);
    print_message("    %u datagrams, %u lost\n", relay.forwarded, relay.lost);
    world.link->disconnect(world.link->ctx);
    relay_fini(&relay);
}

/* Many at once on a worse network: those between may be left out, the last one arrives. */
static void test_bad_network_observe_burst(void **state)
{
    (void)state;
    relay_init(&relay, &world, 15);
    connect_agent(relay.port);
    world_observe(&world, 40000);
    relay.lose = 20;
    for (unsigned i = 1; i <= 100; i++) {
        notify(i);
        world_run_ms(&world, 2);
    }
    for (unsigned wait_ms = 0; world.last_number < 100 && wait_ms < 60000; wait_ms += 100)
        world_run_ms(&world, 100);
    assert_int_equal(world.last_number, 100);
    assert_false(world.out_of_order);
    world.link->disconnect(world.link->ctx);
    relay_fini(&relay);
}

/* Requests in blocks: what arrives is what was sent, once, and the answer may come in blocks too.
 */
static void test_upload(void **state)
{
    static const size_t sizes[] = {1025, 2048, 2049, 16384, 64u << 10};
    struct fed_buf sent;

    (void)state;
    connect_agent(0);
    fed_buf_init(&sent, fed_alloc_system(), 1u << 20);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        world_body_fill(&world, sizes[i], (unsigned)i);
        fed_buf_clear(&sent);
        fed_buf_put(&sent, fed_buf_span(&world.body));
        world_post(&world, "mirror", fed_buf_span(&sent));
        assert_int_equal(world.done_err, FED_OK);
        assert_int_equal(world.done_code, FED_LINK_CREATED);
        assert_true(fed_span_eq(fed_buf_span(&world.done_body), fed_buf_span(&sent)));
        assert_int_equal(world.requests, i + 1);
    }
    fed_buf_fini(&sent);
}

static void test_bad_network_uploads(void **state)
{
    (void)state;
    relay_init(&relay, &world, 15);
    connect_agent(relay.port);
    relay.lose = 10;
    relay.twice = 50;
    world_body_fill(&world, 5000, 3);
    for (unsigned i = 1; i <= 5; i++) {
        world_post(&world, "s", fed_buf_span(&world.body));
        assert_int_equal(world.done_code, FED_LINK_CHANGED);
        assert_int_equal(world.requests, i);
    }
    world.link->disconnect(world.link->ctx);
    relay_fini(&relay);
}

/* Every report takes effect once, however often its datagrams come. */
static void test_bad_network_posts(void **state)
{
    (void)state;
    relay_init(&relay, &world, 14);
    connect_agent(relay.port);
    relay.lose = 10;
    relay.twice = 50;
    for (unsigned i = 1; i <= 30; i++) {
        world_post(&world, "s", FED_SPAN_LIT("report"));
        assert_int_equal(world.done_code, FED_LINK_CHANGED);
        assert_int_equal(world.requests, i);
    }
    world.link->disconnect(world.link->ctx);
    relay_fini(&relay);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_token),
        TEST(test_certificates),
        TEST(test_token_then_certificate),
        TEST(test_wrong_ca),
        TEST(test_false_hub),
        TEST(test_foreign_agent),
        TEST(test_wrong_key),
        TEST(test_unknown_token),
        TEST(test_nothing_listens),
        TEST(test_silence),
        TEST(test_bad_arguments),
        TEST(test_names),
        TEST(test_observe),
        TEST(test_observe_replaces),
        TEST(test_observe_again),
        TEST(test_ping),
        TEST(test_separate_answer),
        TEST(test_answer_after_the_peer_went),
        TEST(test_hub_closes),
        TEST(test_hub_vanishes),
        TEST(test_knock_of_a_live_hub),
        TEST(test_knock_of_a_hub_that_forgot),
        TEST(test_idle_is_quiet),
        TEST(test_bytes),
        TEST(test_large),
        TEST(test_large_observed),
        TEST(test_large_changes),
        TEST(test_large_leaves_early),
        TEST(test_upload),
        TEST(test_bad_network_uploads),
        TEST(test_bad_network_100k),
        TEST(test_bad_network_1m),
        TEST(test_bad_network_observe),
        TEST(test_bad_network_observe_burst),
        TEST(test_bad_network_posts),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
