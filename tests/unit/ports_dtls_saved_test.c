/* ports_dtls_saved_test.c - sessions that outlive their server, keys that come late, certificates
 * that change, and handshakes beyond their share: the server against the library's clients. */
#include "ports/dtls.h"
#include "ports/dtls/internal.h"
#include "tests/unit/ports_dtls_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define CLIENTS_MAX 200

static struct pki pki;
static struct pki other; /* another hub's */
static struct pki_id hub_id;
static struct pki_id other_hub_id;
static struct pki_id agent_id;
static struct pki_id other_agent_id;

static struct world {
    struct fed_linux_loop *linux_loop;
    struct fed_loop *loop;
    struct fed_timer *tick;
    struct fed_dtls_server *server;
    uint16_t port;
    struct client clients[CLIENTS_MAX];
    size_t n_clients;
    bool (*until)(void);
    uint64_t deadline_ms;
    bool timed_out;
    unsigned opened;
    unsigned received;
    unsigned closed;
    unsigned asked; /* for keys */
    struct fed_dtls_session *session;
} w;

static void on_opened(void *ctx, struct fed_dtls_session *session, const struct fed_dtls_peer *peer)
{
    (void)ctx;
    (void)peer;
    w.opened++;
    w.session = session;
}

static void on_received(void *ctx, struct fed_dtls_session *session, struct fed_span record)
{
    (void)ctx;
    w.received++;
    w.session = session;
    assert_int_equal(fed_dtls_send(session, record), FED_OK);
}

static void on_closed(void *ctx, struct fed_dtls_session *session, const char *why)
{
    (void)ctx;
    (void)session;
    (void)why;
    w.closed++;
}

static enum fed_err on_psk(void *ctx, struct fed_span identity, struct fed_buf *key)
{
    (void)ctx;
    (void)key;
    assert_true(fed_span_is(identity, "token-7"));
    w.asked++;
    return FED_ERR_BUSY;
}

static void on_tick(void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < w.n_clients; i++)
        client_step(&w.clients[i]);
    w.timed_out = fed_loop_now_ms(w.loop) >= w.deadline_ms;
    if (w.timed_out || (w.until && w.until()))
        w.loop->stop(w.loop->ctx);
    else
        w.loop->timer_set(w.loop->ctx, w.tick, fed_loop_now_ms(w.loop) + 2);
}

static bool run(bool (*until)(void), unsigned ms)
{
    w.until = until;
    w.timed_out = false;
    w.deadline_ms = fed_loop_now_ms(w.loop) + ms;
    w.loop->timer_set(w.loop->ctx, w.tick, fed_loop_now_ms(w.loop));
    assert_int_equal(fed_linux_loop_run(w.linux_loop), FED_OK);
    return !w.timed_out;
}

static void server_begin(struct fed_dtls_options options)
{
    struct fed_dtls_events events = {
        .opened = on_opened, .received = on_received, .closed = on_closed, .psk = on_psk};
    struct fed_diag diag = {""};
    char listen[32];

    snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)w.port);
    options.listen = listen;
    options.cert_pem = pki_cert(&hub_id);
    options.key_pem = pki_key(&hub_id);
    options.client_ca_pem = pki_cert(&pki.ca);
    options.sessions_max = options.sessions_max ? options.sessions_max : 100;
    options.handshakes_max = 4 * CLIENTS_MAX; /* of one host all of ours */
    options.session_idle_ms = 60000;
    if (fed_dtls_server_open(fed_alloc_system(), w.loop, NULL, &options, &events, &w.server, &diag))
        fail_msg("%s", diag.text);
    w.port = fed_dtls_server_port(w.server);
}

static void begin(struct fed_dtls_options options)
{
    struct fed_diag diag = {""};

    memset(&w, 0, sizeof w);
    assert_int_equal(fed_linux_loop_open(fed_alloc_system(), &w.linux_loop, &diag), FED_OK);
    w.loop = fed_linux_loop_port(w.linux_loop);
    assert_int_equal(w.loop->timer_new(w.loop->ctx, on_tick, NULL, &w.tick), FED_OK);
    w.port = server_kept_port();
    server_begin(options);
}

static void end(void)
{
    for (size_t i = 0; i < w.n_clients; i++)
        client_fini(&w.clients[i]);
    fed_dtls_server_close(w.server);
    w.loop->timer_free(w.loop->ctx, w.tick);
    fed_linux_loop_close(w.linux_loop);
}

static struct client *add(const struct client_options *options)
{
    struct client *c = &w.clients[w.n_clients++];

    client_init(c, w.port, options);
    return c;
}

static struct client *add_agent(bool no_cid)
{
    struct client_options options = {.id = &agent_id, .ca = &pki.ca, .no_cid = no_cid};

    return add(&options);
}

static bool all_open(void)
{
    for (size_t i = 0; i < w.n_clients; i++)
        if (w.clients[i].code != 0)
            return false;
    return w.opened >= w.n_clients;
}

static unsigned echoes_wanted;

static bool got_echoes(void)
{
    unsigned n = 0;

    for (size_t i = 0; i < w.n_clients; i++)
        n += w.clients[i].records;
    return n >= echoes_wanted;
}

static void echo(struct client *c)
{
    echoes_wanted = c->records + 1;
    client_send(c, "hello", 5);
    assert_true(run(got_echoes, WAIT_MS));
}

static struct fed_buf save(struct fed_dtls_session *session, unsigned *steer)
{
    struct fed_buf out;

    fed_buf_init(&out, fed_alloc_system(), FED_DTLS_SAVED_MAX);
    assert_int_equal(fed_dtls_session_save(session, &out, steer), FED_OK);
    assert_int_equal(fed_dtls_send(session, FED_SPAN_LIT("x")), FED_ERR_CLOSED);
    fed_dtls_session_forget(session);
    return out;
}

static enum fed_err restore(const struct fed_buf *saved, uint32_t away_ms)
{
    struct fed_crypto_cert_info cert;
    struct fed_dtls_session *session = NULL;
    enum fed_err err =
        fed_dtls_session_restore(w.server, fed_buf_span(saved), away_ms, &cert, &session);

    if (!err) {
        assert_non_null(session);
        assert_string_equal(cert.common_name, "system:fedlet:agent");
    }
    return err;
}

/* Another server goes on with it; the client cannot tell, also when it comes from elsewhere. */
static void goes_on(bool no_cid)
{
    struct fed_dtls_server_stats stats;
    struct fed_buf saved;
    struct client *c;
    unsigned steer;

    begin((struct fed_dtls_options){0});
    c = add_agent(no_cid);
    assert_true(run(all_open, WAIT_MS));
    echo(c);
    saved = save(w.session, &steer);
    assert_int_equal(steer == FED_DTLS_STEER_NONE, no_cid);
    assert_int_equal(fed_dtls_server_sessions(w.server), 0);
    fed_dtls_server_close(w.server);
    server_begin((struct fed_dtls_options){0});
    assert_int_equal(restore(&saved, 500), FED_OK);
    assert_int_equal(fed_dtls_server_sessions(w.server), 1);
    echo(c);
    if (!no_cid)
        client_rebind(c);
    echo(c);
    fed_dtls_server_stats(w.server, &stats);
    assert_int_equal(stats.handshakes, 0);
    assert_int_equal(stats.restored, 1);
    assert_int_equal(w.opened, 1);
    assert_int_equal(w.closed, 0);
    assert_false(c->closed);
    fed_buf_fini(&saved);
    end();
}

static void test_goes_on(void **state)
{
    (void)state;
    goes_on(false);
    goes_on(true);
}

/* A record that the first server saw is known to the second. */
static void test_replay_is_known(void **state)
{
    struct fed_buf saved;
    struct client *c;
    unsigned steer;
    unsigned before;

    (void)state;
    begin((struct fed_dtls_options){0});
    c = add_agent(false);
    assert_true(run(all_open, WAIT_MS));
    echo(c);
    saved = save(w.session, &steer);
    fed_dtls_server_close(w.server);
    server_begin((struct fed_dtls_options){0});
    assert_int_equal(restore(&saved, 0), FED_OK);
    before = w.received;
    assert_true(send(c->fd, c->last, c->last_len, 0) > 0);
    run(NULL, 100);
    assert_int_equal(w.received, before);
    fed_buf_fini(&saved);
    end();
}

static void test_not_restored(void **state)
{
    struct fed_buf saved;
    struct fed_buf changed;
    struct client *c;
    unsigned steer;

    (void)state;
    begin((struct fed_dtls_options){0});
    c = add_agent(false);
    assert_true(run(all_open, WAIT_MS));
    echo(c);
    saved = save(w.session, &steer);
    assert_int_equal(restore(&saved, 60000), FED_ERR_GONE); /* as long as it may be silent */
    for (size_t len = 0; len < saved.len; len += 7) {
        changed = saved;
        changed.len = len;
        assert_int_not_equal(restore(&changed, 0), FED_OK);
    }
    saved.at[0]++;
    assert_int_equal(restore(&saved, 0), FED_ERR_UNSUPPORTED);
    saved.at[0]--;
    assert_int_equal(restore(&saved, 0), FED_OK);
    assert_int_equal(restore(&saved, 0), FED_ERR_CORRUPT); /* it is there already */
    fed_dtls_server_close(w.server);
    server_begin((struct fed_dtls_options){.steer_index = (steer + 1) % 3, .steer_count = 3});
    assert_int_equal(restore(&saved, 0), FED_ERR_UNSUPPORTED); /* its records go elsewhere */
    assert_int_equal(fed_dtls_server_sessions(w.server), 0);
    fed_buf_fini(&saved);
    end();
}

static void test_not_saved(void **state)
{
    struct fed_buf out;
    unsigned steer;

    (void)state;
    begin((struct fed_dtls_options){0});
    add_agent(false);
    assert_true(run(all_open, WAIT_MS));
    fed_buf_init(&out, fed_alloc_system(), FED_DTLS_SAVED_MAX);
    /* No data yet: its last flight may still have to be repeated. */
    assert_int_equal(fed_dtls_session_save(w.session, &out, &steer), FED_ERR_UNSUPPORTED);
    assert_int_equal(out.len, 0);
    assert_int_equal(fed_dtls_server_sessions(w.server), 1);
    echo(&w.clients[0]);
    fed_buf_fini(&out);
    end();
}

/* The first byte of each connection ID leads to its server. */
static void test_steer(void **state)
{
    struct fed_buf saved;
    unsigned steer;

    (void)state;
    for (unsigned count = 2; count <= 64; count += 31) {
        begin((struct fed_dtls_options){.steer_index = count - 1, .steer_count = count});
        for (unsigned i = 0; i < 4; i++) {
            struct client *c = add_agent(false);

            assert_true(run(all_open, WAIT_MS));
            echo(c);
            saved = save(w.session, &steer);
            assert_int_equal(steer % count, count - 1);
            fed_buf_fini(&saved);
            client_fini(c);
            w.n_clients = 0;
            w.opened = 0;
        }
        end();
    }
}

/* ---- keys that come late ---- */

static bool key_asked(void)
{
    return w.asked > 0;
}

static void add_token(void)
{
    struct client_options options = {.psk_identity = "token-7", .psk_key = "a very secret key"};

    add(&options);
}

static void test_late_key(void **state)
{
    struct fed_buf out;
    unsigned steer;

    (void)state;
    begin((struct fed_dtls_options){0});
    add_token();
    assert_true(run(key_asked, WAIT_MS));
    run(NULL, 50);
    assert_int_equal(w.opened, 0);
    fed_dtls_server_psk(w.server, fed_span_text("token-8"), fed_span_text("of somebody else"));
    run(NULL, 50);
    assert_int_equal(w.opened, 0);
    fed_dtls_server_psk(w.server, fed_span_text("token-7"), fed_span_text("a very secret key"));
    assert_true(run(all_open, WAIT_MS));
    assert_int_equal(w.asked, 1);
    echo(&w.clients[0]);
    fed_buf_init(&out, fed_alloc_system(), FED_DTLS_SAVED_MAX);
    assert_int_equal(fed_dtls_session_save(w.session, &out, &steer), FED_ERR_UNSUPPORTED);
    fed_buf_fini(&out);
    end();
}

static bool refused(void)
{
    return w.clients[0].code != MBEDTLS_ERR_SSL_WANT_READ;
}

static void test_no_key(void **state)
{
    struct fed_dtls_server_stats stats;

    (void)state;
    begin((struct fed_dtls_options){0});
    add_token();
    assert_true(run(key_asked, WAIT_MS));
    fed_dtls_server_psk(w.server, fed_span_text("token-7"), fed_span_text(""));
    assert_true(run(refused, WAIT_MS));
    assert_int_not_equal(w.clients[0].code, 0);
    assert_int_equal(w.opened, 0);
    fed_dtls_server_stats(w.server, &stats);
    assert_int_equal(stats.failed, 1);
    end();
}

/* The server is closed while a handshake waits: nothing is left, nothing is used. */
static void test_closed_while_it_waits(void **state)
{
    (void)state;
    begin((struct fed_dtls_options){0});
    add_token();
    assert_true(run(key_asked, WAIT_MS));
    end();
}

/* ---- certificates ---- */

static void test_new_certificate(void **state)
{
    struct client_options options = {.id = &other_agent_id, .ca = &other.ca};
    struct fed_diag diag = {""};
    struct client *old;

    (void)state;
    begin((struct fed_dtls_options){0});
    old = add_agent(false);
    assert_true(run(all_open, WAIT_MS));
    echo(old);
    /* A key that does not fit changes nothing. */
    assert_int_not_equal(fed_dtls_server_certificate(w.server, pki_cert(&other_hub_id),
                             pki_key(&hub_id), pki_cert(&other.ca), &diag),
        FED_OK);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(fed_dtls_server_certificate(w.server, pki_cert(&other_hub_id),
                             pki_key(&other_hub_id), pki_cert(&other.ca), &diag),
            FED_OK);
    add(&options);
    assert_true(run(all_open, WAIT_MS));
    echo(old);
    end();
}

/* ---- their share of the processor ---- */

static bool one_open(void)
{
    return w.opened > 0;
}

static bool one_turned_away(void)
{
    struct fed_dtls_server_stats stats;

    fed_dtls_server_stats(w.server, &stats);
    return stats.turned_away > 0;
}

/* All come at once: what was saved up is for some of them. Who is turned away hears nothing, comes
 * again, and gets in when there is time again. */
static void test_share(void **state)
{
    (void)state;
    begin((struct fed_dtls_options){.handshake_share = 5});
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        add_agent(false);
    assert_true(run(one_turned_away, WAIT_MS));
    assert_true(run(one_open, WAIT_MS));
    end();
}

static uint64_t clock_us_now;

static uint64_t clock_us(void *ctx)
{
    (void)ctx;
    return clock_us_now;
}

/* While the socket is not read until it is empty, an eighth comes back, also later for that time.
 */
static void test_credit_behind(void **state)
{
    static struct fed_dtls_server server;
    struct fed_loop loop = {.clock_us = clock_us};

    (void)state;
    server = (struct fed_dtls_server){.loop = &loop,
        .handshake_share = 50,
        .cookie_share = 50,
        .handshake_credit = {.us = -10, .at_us = clock_us_now},
        .cookie_credit = {.us = -10, .at_us = clock_us_now},
        .behind = true};
    clock_us_now += 80; /* five come back, of ten */
    assert_false(dtls_credit_begin(&server));
    assert_false(dtls_credit_cookie(&server));
    server.behind = false;
    clock_us_now += 10;
    assert_false(dtls_credit_begin(&server));
    assert_false(dtls_credit_cookie(&server));
    clock_us_now += 2;
    assert_true(dtls_credit_begin(&server));
    assert_true(dtls_credit_cookie(&server));
}

/* However often it is looked at, the credit grows by the share of the time. */
static void test_credit_of_short_times(void **state)
{
    static struct fed_dtls_server server;
    static const unsigned shares[] = {1, 5, 75, 100};
    struct fed_loop loop = {.clock_us = clock_us};

    (void)state;
    for (size_t i = 0; i < sizeof(shares) / sizeof(*shares); i++)
        for (uint64_t step = 1; step <= 35; step += 2) {
            uint64_t end_us = clock_us_now + 1000000;
            uint64_t wanted_us = (uint64_t)DTLS_CREDIT_US * shares[i] / 100;
            uint64_t passed_us = 0;

            server = (struct fed_dtls_server){.loop = &loop,
                .handshake_share = shares[i],
                .handshake_credit = {.us = -DTLS_CREDIT_US, .at_us = clock_us_now}};
            for (; passed_us < DTLS_CREDIT_US; passed_us += step, clock_us_now += step)
                (void)dtls_credit_goes_on(&server);
            assert_true(clock_us_now < end_us);
            assert_in_range(
                server.handshake_credit.us + DTLS_CREDIT_US, wanted_us - step, wanted_us + step);
        }
}

static int setup(void **state)
{
    (void)state;
    pki_init(&pki);
    pki_init(&other);
    pki_issue(&pki, &pki.ca, "hub", "hub.test", -60, 3600, &hub_id);
    pki_issue(&pki, &pki.ca, "agent", NULL, -60, 3600, &agent_id);
    pki_issue(&other, &other.ca, "hub", "hub.test", -60, 3600, &other_hub_id);
    pki_issue(&other, &other.ca, "agent", NULL, -60, 3600, &other_agent_id);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_id_fini(&hub_id);
    pki_id_fini(&agent_id);
    pki_id_fini(&other_hub_id);
    pki_id_fini(&other_agent_id);
    pki_fini(&pki);
    pki_fini(&other);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_replay_is_known),
        cmocka_unit_test(test_not_restored),
        cmocka_unit_test(test_not_saved),
        cmocka_unit_test(test_steer),
        cmocka_unit_test(test_late_key),
        cmocka_unit_test(test_no_key),
        cmocka_unit_test(test_closed_while_it_waits),
        cmocka_unit_test(test_new_certificate),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_credit_of_short_times),
        cmocka_unit_test(test_credit_behind),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
