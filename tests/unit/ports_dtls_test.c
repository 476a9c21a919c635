/* ports_dtls_test.c - the DTLS server against the library's clients, all on one loop over loopback.
 */
#include "ports/dtls.h"
#include "ports/dtls/internal.h"
#include "tests/unit/ports_dtls_client.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define CLIENTS_MAX 400
#define COOKIE_SHARE 1u /* percent */

static struct pki pki;
static struct pki_id hub_id;
static struct pki_id agent_id;

static struct world {
    struct fed_linux_loop *linux_loop;
    struct fed_loop *loop;
    struct fed_timer *tick;
    struct fed_dtls_server *server;
    uint16_t port;
    struct client *clients[CLIENTS_MAX]; /* stepped at each tick */
    size_t n_clients;
    bool (*until)(void);
    uint64_t deadline_ms;
    bool timed_out;
    /* what the server told */
    unsigned opened;
    unsigned received;
    unsigned closed;
    unsigned moved;
    unsigned proven;
    char name[256];
    bool by_cert;
    int64_t not_after_unix_s;
    char why[256];
    uint8_t record[2048];
    size_t record_len;
    struct fed_dtls_session *session; /* the last that opened */
    bool echo;
    bool close_at_record;
    char logged[512];
} w;

static void on_opened(void *ctx, struct fed_dtls_session *session, const struct fed_dtls_peer *peer)
{
    (void)ctx;
    w.opened++;
    w.session = session;
    w.by_cert = peer->cert != NULL;
    w.not_after_unix_s = peer->cert ? peer->cert->not_after_unix_s : 0;
    snprintf(
        w.name, sizeof(w.name), "%s", peer->cert ? peer->cert->common_name : peer->psk_identity);
    fed_dtls_session_set_user(session, &w);
}

static void on_received(void *ctx, struct fed_dtls_session *session, struct fed_span record)
{
    (void)ctx;
    w.received++;
    memcpy(w.record, record.at, record.len);
    w.record_len = record.len;
    assert_ptr_equal(fed_dtls_session_user(session), &w);
    if (w.echo)
        assert_int_equal(fed_dtls_send(session, record), FED_OK);
    if (w.close_at_record)
        fed_dtls_session_close(session);
}

static void on_closed(void *ctx, struct fed_dtls_session *session, const char *why)
{
    (void)ctx;
    w.closed++;
    snprintf(w.why, sizeof(w.why), "%s", why);
    if (w.session == session)
        w.session = NULL;
}

static void on_moved(void *ctx, struct fed_dtls_session *session, bool proven)
{
    (void)ctx;
    assert_ptr_equal(fed_dtls_session_user(session), &w);
    w.moved += !proven;
    w.proven += proven;
}

static enum fed_err on_psk(void *ctx, struct fed_span identity, struct fed_buf *key)
{
    (void)ctx;
    assert_int_equal(fed_span_find(identity, 0), identity.len); /* it becomes a C string */
    if (!fed_span_starts(identity, "token-"))
        return FED_ERR_NOT_FOUND;
    fed_buf_put_text(key, "a very secret key");
    return FED_OK;
}

static void on_log(void *ctx, enum fed_log_level level, const char *text)
{
    (void)ctx;
    (void)level;
    snprintf(w.logged, sizeof(w.logged), "%s", text);
}

static void on_tick(void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < w.n_clients; i++)
        client_step(w.clients[i]);
    w.timed_out = fed_loop_now_ms(w.loop) >= w.deadline_ms;
    if (w.timed_out || (w.until && w.until()))
        w.loop->stop(w.loop->ctx);
    else
        w.loop->timer_set(w.loop->ctx, w.tick, fed_loop_now_ms(w.loop) + 2);
}

/* Runs the loop until the condition holds; false after the time. NULL: just runs for that time. */
static bool run(bool (*until)(void), unsigned ms)
{
    w.until = until;
    w.timed_out = false;
    w.deadline_ms = fed_loop_now_ms(w.loop) + ms;
    w.loop->timer_set(w.loop->ctx, w.tick, fed_loop_now_ms(w.loop));
    assert_int_equal(fed_linux_loop_run(w.linux_loop), FED_OK);
    return !w.timed_out;
}

static void begin_with(struct fed_dtls_options options)
{
    static struct fed_log log = {.level = FED_LOG_DEBUG, .write = on_log};
    struct fed_dtls_events events = {.opened = on_opened,
        .received = on_received,
        .closed = on_closed,
        .moved = on_moved,
        .psk = on_psk};
    struct fed_diag diag = {""};

    memset(&w, 0, sizeof(w));
    assert_int_equal(fed_linux_loop_open(fed_alloc_system(), &w.linux_loop, &diag), FED_OK);
    w.loop = fed_linux_loop_port(w.linux_loop);
    assert_int_equal(w.loop->timer_new(w.loop->ctx, on_tick, NULL, &w.tick), FED_OK);
    options.listen = "127.0.0.1:0";
    options.cert_pem = pki_cert(&hub_id);
    options.key_pem = pki_key(&hub_id);
    options.client_ca_pem = pki_cert(&pki.ca);
    if (fed_dtls_server_open(fed_alloc_system(), w.loop, &log, &options, &events, &w.server, &diag))
        fail_msg("%s", diag.text);
    w.port = fed_dtls_server_port(w.server);
    assert_true(w.port > 0);
}

static void begin(void)
{
    begin_with((struct fed_dtls_options){
        .sessions_max = 2000, .handshakes_max = 2000, .session_idle_ms = 600000});
}

static void end(void)
{
    fed_dtls_server_close(w.server);
    w.loop->timer_free(w.loop->ctx, w.tick);
    fed_linux_loop_close(w.linux_loop);
}

static struct client_options with_cert(void)
{
    return (struct client_options){.id = &agent_id, .ca = &pki.ca};
}

static struct client_options with_psk(void)
{
    return (struct client_options){.psk_identity = "token-7", .psk_key = "a very secret key"};
}

static void add(struct client *c, const struct client_options *options)
{
    client_init(c, w.port, options);
    w.clients[w.n_clients++] = c;
}

static bool all_settled(void)
{
    for (size_t i = 0; i < w.n_clients; i++) {
        if (w.clients[i]->code == MBEDTLS_ERR_SSL_WANT_READ)
            return false;
    }
    return true;
}

static bool all_open(void)
{
    return all_settled() && w.opened >= w.n_clients;
}

static bool got_record(void)
{
    return w.received > 0;
}

static bool client_got(void)
{
    return w.clients[0]->records > 0;
}

static bool client_got_two(void)
{
    return w.clients[0]->records > 1;
}

static bool got_two_records(void)
{
    return w.received > 1;
}

static bool got_all_records(void)
{
    return w.received >= w.n_clients;
}

static bool opened_two(void)
{
    return w.opened > 1;
}

static bool got_log(void)
{
    return w.logged[0] != 0;
}

static bool got_closed(void)
{
    return w.closed > 0;
}

static bool client_closed(void)
{
    return w.clients[0]->closed;
}

/* ---- opening ---- */

static void echo_check(struct client *c)
{
    uint8_t big[FED_DTLS_RECORD_MAX + 1];

    memset(big, 'x', sizeof(big));
    w.echo = true;
    client_send(c, big, FED_DTLS_RECORD_MAX);
    assert_true(run(client_got, WAIT_MS));
    assert_int_equal(c->plain_len, FED_DTLS_RECORD_MAX);
    assert_int_equal(fed_dtls_send(w.session, fed_span_of(big, sizeof(big))), FED_ERR_LIMIT);
}

static void test_mutual(void **state)
{
    struct client_options options = with_cert();
    struct fed_dtls_session_stats stats;
    struct client c;

    (void)state;
    begin();
    add(&c, &options);
    assert_true(run(all_open, WAIT_MS));
    assert_true(w.by_cert);
    assert_string_equal(w.name, "system:fedlet:agent");
    assert_string_equal(mbedtls_ssl_get_ciphersuite(&c.ssl), "TLS-ECDHE-ECDSA-WITH-AES-128-CCM-8");
    assert_int_equal(fed_dtls_server_sessions(w.server), 1);
    echo_check(&c);
    fed_dtls_session_stats(w.session, &stats);
    assert_true(stats.received_bytes > FED_DTLS_RECORD_MAX && stats.received_datagrams >= 3);
    assert_true(stats.sent_bytes > FED_DTLS_RECORD_MAX && stats.sent_datagrams >= 3);
    assert_non_null(strstr(fed_dtls_session_address(w.session), "127.0.0.1:"));
    client_fini(&c);
    end();
}

static void test_psk(void **state)
{
    struct client_options options = with_psk();
    struct client c;

    (void)state;
    begin();
    add(&c, &options);
    assert_true(run(all_open, WAIT_MS));
    assert_false(w.by_cert);
    assert_string_equal(w.name, "token-7");
    echo_check(&c);
    client_fini(&c);
    end();
}

static void test_no_cid(void **state)
{
    struct client_options options = with_psk();
    struct client c;

    (void)state;
    options.no_cid = true;
    begin();
    add(&c, &options);
    assert_true(run(all_open, WAIT_MS));
    echo_check(&c);
    client_fini(&c);
    end();
}

/* A handshake that must fail, and what the log says of it. */
static void refused(struct client_options options, const char *log)
{
    struct client c;

    options.impatient = true;
    begin();
    add(&c, &options);
    assert_true(run(all_settled, WAIT_MS));
    assert_int_not_equal(c.code, 0);
    assert_true(run(got_log, WAIT_MS));
    assert_int_equal(w.opened, 0);
    assert_int_equal(fed_dtls_server_sessions(w.server), 0);
    if (!strstr(w.logged, log))
        fail_msg("logged: %s", w.logged);
    client_fini(&c);
    end();
}

static void test_refused(void **state)
{
    struct client_options options = with_cert();
    struct pki_id id;

    (void)state;
    options.id = NULL;
    refused(options, "sent no certificate");
    pki_issue(&pki, &pki.other_ca, "foreign", NULL, -60, 3600, &id);
    options.id = &id;
    refused(options, "unknown CA");
    pki_id_fini(&id);
    pki_issue(&pki, &pki.other_ca, "foreign and old", NULL, -3600, -60, &id);
    refused(options, "expired on ");
    pki_id_fini(&id);
    pki_issue(&pki, &pki.ca, "server and old", "localhost", -3600, -60, &id);
    refused(options, "expired on ");
    pki_id_fini(&id);
    pki_issue(&pki, &pki.other_ca, "foreign and to come", NULL, 3600, 7200, &id);
    refused(options, "not valid before ");
    pki_id_fini(&id);
    options.id = &hub_id; /* a server's */
    refused(options, "extendedKeyUsage");
    options = with_cert();
    options.ca = &pki.other_ca; /* the client does not trust us */
    refused(options, "unknown CA");
    options = with_psk();
    options.psk_identity = "nobody";
    refused(options, "dentity");
    options.psk_identity = "token-7\0x";
    options.psk_identity_len = 9;
    refused(options, "dentity");
    options = with_psk();
    options.psk_key = "another key";
    refused(options, "MAC");
}

/* One that does not begin yet passes, too: its agent has no other, and is to get one. */
static void test_not_begun(void **state)
{
    struct client_options options = with_cert();
    struct client client;
    struct pki_id id;

    (void)state;
    pki_issue(&pki, &pki.ca, "to come", NULL, 3600, 7200, &id);
    options.id = &id;
    begin();
    add(&client, &options);
    assert_true(run(all_open, WAIT_MS));
    assert_string_equal(w.name, "system:fedlet:to come");
    assert_int_equal(w.not_after_unix_s, pki.now_unix_s + 7200);
    client_fini(&client);
    end();
    pki_id_fini(&id);
}

/* A certificate of which nothing is wrong but that it has ended passes, and what it opens is told
 * with its times. There is no resuming with it. */
static void test_ended(void **state)
{
    struct client_options options = with_cert();
    mbedtls_ssl_session saved;
    struct client first;
    struct client second;
    struct pki_id id;

    (void)state;
    pki_issue(&pki, &pki.ca, "old", NULL, -3600, -60, &id);
    options.id = &id;
    begin();
    add(&first, &options);
    assert_true(run(all_open, WAIT_MS));
    assert_true(w.by_cert);
    assert_string_equal(w.name, "system:fedlet:old");
    assert_int_equal(w.not_after_unix_s, pki.now_unix_s - 60);
    mbedtls_ssl_session_init(&saved);
    assert_int_equal(mbedtls_ssl_get_session(&first.ssl, &saved), 0);
    options.resume = &saved;
    add(&second, &options);
    assert_true(run(all_open, WAIT_MS));
    assert_true(second.received >= first.received); /* a whole handshake */
    mbedtls_ssl_session_free(&saved);
    client_fini(&first);
    client_fini(&second);
    end();
    pki_id_fini(&id);
}

/* A client that has the library's session of before, and would take a ticket, makes a whole
 * handshake again: neither is here. */
static void test_no_tickets(void **state)
{
    struct client_options options = with_cert();
    mbedtls_ssl_session saved;
    struct client first;
    struct client second;

    (void)state;
    begin();
    add(&first, &options);
    assert_true(run(all_open, WAIT_MS));
    mbedtls_ssl_session_init(&saved);
    assert_int_equal(mbedtls_ssl_get_session(&first.ssl, &saved), 0);
    options.resume = &saved;
    w.name[0] = 0;
    add(&second, &options);
    assert_true(run(all_open, WAIT_MS));
    assert_true(second.received >= first.received);
    assert_string_equal(w.name, "system:fedlet:agent");
    mbedtls_ssl_session_free(&saved);
    client_fini(&first);
    client_fini(&second);
    end();
}

/* A ClientHello that comes again when its handshake is over begins none. */
static bool said_hello(void)
{
    return w.clients[0]->sent >= 2;
}

static void test_late_hello(void **state)
{
    struct client_options options = with_cert();
    struct client c;
    uint8_t hello[2048];
    size_t len;

    (void)state;
    begin();
    add(&c, &options);
    assert_true(run(said_hello, WAIT_MS));
    len = c.last_len;
    memcpy(hello, c.last, len);
    assert_true(run(all_open, WAIT_MS));
    assert_int_equal(send(c.fd, hello, len, 0), (ssize_t)len);
    run(NULL, 50);
    assert_int_equal(w.server->handshakes, 0);
    hello[58] ^= 1; /* the end of its random: another one, without a good cookie */
    assert_int_equal(send(c.fd, hello, len, 0), (ssize_t)len);
    client_send(&c, "hello", 5);
    assert_true(run(got_record, WAIT_MS));
    client_fini(&c);
    end();
}

/* ---- addresses ---- */

static void test_forged_cid(void **state)
{
    struct client_options options = with_psk();
    struct client c;
    char before[80];
    uint8_t forged[2048];
    int fd;

    (void)state;
    begin();
    add(&c, &options);
    assert_true(run(all_open, WAIT_MS));
    client_send(&c, "hello", 5);
    assert_true(run(got_record, WAIT_MS));
    snprintf(before, sizeof(before), "%s", fed_dtls_session_address(w.session));
    fd = client_socket(w.port, 0);
    memcpy(forged, c.last, c.last_len);
    assert_int_equal(forged[0], 25); /* a record with a connection ID */
    forged[10] = (uint8_t)(forged[10] + 9);
    forged[c.last_len - 1] ^= 1;
    assert_int_equal(
        send(fd, forged, c.last_len, 0), (ssize_t)c.last_len); /* newer number, broken tag */
    assert_int_equal(
        send(fd, c.last, c.last_len, 0), (ssize_t)c.last_len); /* a true copy, already seen */
    run(NULL, 30);
    assert_string_equal(fed_dtls_session_address(w.session), before);
    assert_int_equal(w.received, 1);
    assert_int_equal(w.closed, 0);
    assert_int_equal(fed_dtls_send(w.session, FED_SPAN_LIT("push")), FED_OK);
    assert_true(run(client_got, WAIT_MS));
    assert_true(recv(fd, forged, sizeof(forged), MSG_DONTWAIT) < 0);
    close(fd);
    client_fini(&c);
    end();
}

static void test_rebind(void **state)
{
    struct client_options options = with_cert();
    uint8_t big[1000] = {0};
    struct client c;
    char before[80];

    (void)state;
    begin();
    add(&c, &options);
    assert_true(run(all_open, WAIT_MS));
    snprintf(before, sizeof(before), "%s", fed_dtls_session_address(w.session));
    client_rebind(&c);
    w.echo = true;
    client_send(&c, "hello", 5);
    assert_true(
        run(client_got, WAIT_MS)); /* the answer to the very first record goes to the new address */
    assert_string_not_equal(fed_dtls_session_address(w.session), before);
    assert_int_equal(w.opened, 1);
    assert_int_equal(w.moved, 1);
    assert_int_equal(w.proven, 0);
    /* One record proves little: a large push has to wait for the second. */
    assert_int_equal(fed_dtls_send(w.session, fed_span_of(big, sizeof(big))), FED_OK);
    run(NULL, 30);
    assert_int_equal(c.records, 1);
    w.echo = false;
    client_send(&c, "again", 5);
    assert_true(run(got_two_records, WAIT_MS));
    assert_int_equal(w.moved, 1);
    assert_int_equal(w.proven, 1);
    assert_int_equal(fed_dtls_send(w.session, fed_span_of(big, sizeof(big))), FED_OK);
    assert_true(run(client_got_two, WAIT_MS));
    client_fini(&c);
    end();
}

static void test_replay(void **state)
{
    struct client_options options = with_psk();
    struct client c;

    (void)state;
    begin();
    add(&c, &options);
    assert_true(run(all_open, WAIT_MS));
    client_send(&c, "once", 4);
    for (int i = 0; i < 3; i++)
        assert_int_equal(send(c.fd, c.last, c.last_len, 0), (ssize_t)c.last_len);
    run(NULL, 30);
    assert_int_equal(w.received, 1);
    client_fini(&c);
    end();
}

/* A client's port, which it leaves without a word, for the next one. */
static uint16_t port_of_gone(struct client *c)
{
    uint16_t port = client_local_port(c);

    close(c->fd);
    c->fd = dup(STDERR_FILENO);
    return port;
}

static void init_at(struct client *c, uint16_t port, const struct client_options *options)
{
    client_init(c, w.port, options);
    client_bind_to(c, port);
    w.clients[0] = c;
    w.n_clients = 1;
}

/* Sessions that are known by nothing but their address: the new one, once it is there, is the only
 * one. */
static void test_same_port_again(void **state)
{
    struct client_options options = with_cert();
    struct client_options bad = with_cert();
    struct client first;
    struct client second;
    struct client third;
    uint16_t port;

    (void)state;
    options.no_cid = true;
    begin();
    add(&first, &options);
    assert_true(run(all_open, WAIT_MS));
    port = port_of_gone(&first);
    bad.id = NULL;
    bad.impatient = true;
    init_at(&second, port, &bad);
    assert_true(run(all_settled, WAIT_MS));
    run(NULL, 20);
    assert_int_equal(w.closed, 0); /* a handshake that fails replaces nothing */
    assert_int_equal(fed_dtls_server_sessions(w.server), 1);
    (void)port_of_gone(&second);
    init_at(&third, port, &options);
    assert_true(run(got_closed, WAIT_MS));
    assert_non_null(strstr(w.why, "replaced"));
    assert_true(run(all_open, WAIT_MS));
    assert_int_equal(fed_dtls_server_sessions(w.server), 1);
    echo_check(&third);
    client_fini(&first);
    client_fini(&second);
    client_fini(&third);
    end();
}

/* A NAT gives the port of one agent to another. The one that had it has moved, and goes on. */
static void port_is_given_away(bool second_without_cid)
{
    struct client_options options = with_cert();
    struct client first;
    struct client second;
    struct fed_dtls_session *session;
    uint16_t port;

    begin();
    add(&first, &options);
    assert_true(run(all_open, WAIT_MS));
    session = w.session;
    port = port_of_gone(&first);
    options.no_cid = second_without_cid;
    init_at(&second, port, &options);
    assert_true(run(opened_two, WAIT_MS));
    assert_true(run(all_open, WAIT_MS));
    assert_int_equal(w.closed, 0);
    assert_int_equal(fed_dtls_server_sessions(w.server), 2);
    echo_check(&second);
    /* What is still sent to the first one there is nothing to the second. */
    assert_int_equal(fed_dtls_send(session, FED_SPAN_LIT("for the first")), FED_OK);
    run(NULL, 20);
    client_bind_to(&first, 0);
    w.received = 0;
    client_send(&first, "moved", 5);
    assert_true(run(got_record, WAIT_MS));
    assert_int_equal(w.moved, 1);
    w.clients[0]->records = 0;
    echo_check(&second);
    assert_int_equal(w.closed, 0);
    client_fini(&first);
    client_fini(&second);
    end();
}

static void test_port_is_given_away(void **state)
{
    (void)state;
    port_is_given_away(false);
    port_is_given_away(true);
}

/* ... and may be given that of one without a connection ID: records without one are not its own. */
static void test_moves_to_where_another_is(void **state)
{
    struct client_options options = with_cert();
    struct client plain;
    struct client c;
    uint16_t port;
    int fd;

    (void)state;
    options.no_cid = true;
    begin();
    add(&plain, &options);
    assert_true(run(all_open, WAIT_MS));
    options.no_cid = false;
    add(&c, &options);
    assert_true(run(all_open, WAIT_MS));
    port = port_of_gone(&plain);
    client_bind_to(&c, port);
    client_send(&c, "moved", 5);
    assert_true(run(got_record, WAIT_MS));
    assert_int_equal(w.moved, 1);
    fd = plain.fd; /* both are there now */
    plain.fd = dup(c.fd);
    close(fd);
    client_send(&plain, "plain", 5);
    assert_true(run(got_two_records, WAIT_MS));
    assert_memory_equal(w.record, "plain", 5);
    assert_int_equal(w.closed, 0);
    client_fini(&plain);
    client_fini(&c);
    end();
}

/* ---- loss, garbage, forged sources ---- */

static void lose(unsigned sent, unsigned received, bool cert)
{
    struct client_options options = cert ? with_cert() : with_psk();
    struct client c;

    begin();
    add(&c, &options);
    c.lose_sent = sent;
    c.lose_received = received;
    if (!run(all_open, WAIT_MS))
        fail_msg("lost datagram %u sent, %u received: client %x, server opened %u", sent, received,
            (unsigned)-c.code, w.opened);
    assert_true(c.sent >= sent && c.received >= received);
    c.records = 0;
    echo_check(&c);
    assert_int_equal(w.opened, 1);
    assert_int_equal(fed_dtls_server_sessions(w.server), 1);
    client_fini(&c);
    end();
}

static void test_lost_flights(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 3; i++) { /* ClientHello, ClientHello with cookie, the last flight */
        lose(i, 0, false);
        lose(i, 0, true);
    }
    for (unsigned i = 1; i <= 3; i++) { /* HelloVerifyRequest, ServerHello..., Finished */
        lose(0, i, false);
        lose(0, i, true);
    }
}

static void test_garbage(void **state)
{
    struct client_options options = with_psk();
    struct client c;
    uint8_t noise[2100];
    int fd;

    (void)state;
    begin();
    add(&c, &options);
    assert_true(run(all_open, WAIT_MS));
    client_send(&c, "x", 1);
    fd = client_socket(w.port, 0);
    srand(1);
    for (int i = 0; i < 3000; i++) {
        size_t len = (size_t)rand() % sizeof(noise);
        int from = i & 1 ? fd : c.fd; /* also from the address of a live session */

        for (size_t k = 0; k < len; k++)
            noise[k] = (uint8_t)rand();
        if (i % 3 && len > 14) { /* something like a record */
            noise[0] = (uint8_t)(20 + rand() % 6);
            noise[1] = 0xfe;
            noise[2] = 0xfd;
            noise[3] = 0;
            noise[4] = (uint8_t)(rand() % 2);
            noise[11] = (uint8_t)((len - 13) >> 8);
            noise[12] = (uint8_t)(len - 13);
            noise[13] = (uint8_t)(rand() % 21);
        }
        if (noise[0] == 25 && len > 20 && i % 5 == 0)
            memcpy(noise + 11, c.last + 11, 8);
        (void)!send(from, noise, len, 0);
        if (i % 50 == 0)
            run(NULL, 2);
    }
    run(NULL, 20);
    assert_int_equal(w.opened, 1);
    assert_int_equal(w.closed, 0);
    assert_int_equal(w.received, 1);
    echo_check(&c);
    close(fd);
    client_fini(&c);
    end();
}

/* The library would take a ClientHello behind another record for a client that starts anew, or end
 * the session when it is broken: anybody who forges the peer's address could do that. */
static void test_hidden_hello(void **state)
{
    static const uint8_t ccs[] = {20, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 1};
    struct client_options options = with_psk();
    uint8_t datagram[2048];
    struct client c;
    struct client other;
    size_t len;

    (void)state;
    begin();
    add(&c, &options);
    assert_true(run(all_open, WAIT_MS));
    client_send(&c, "x", 1);
    assert_true(run(got_record, WAIT_MS));
    client_init(&other, w.port, &options);
    other.lose_sent = 1;
    client_step(&other);
    memcpy(datagram, ccs, sizeof(ccs));
    memcpy(datagram + sizeof(ccs), other.last, other.last_len);
    len = sizeof(ccs) + other.last_len;
    assert_int_equal(send(c.fd, datagram, len, 0), (ssize_t)len);
    run(NULL, 20);
    datagram[sizeof(ccs) + 13 + 12 + 34] = 255; /* a session ID that runs out of the record */
    assert_int_equal(send(c.fd, datagram, len, 0), (ssize_t)len);
    run(NULL, 20);
    assert_int_equal(w.closed, 0);
    echo_check(&c);
    client_fini(&c);
    client_fini(&other);
    end();
}

/* Everything that comes back to an address that has not returned a cookie is smaller than what went
 * out. */
static void test_no_amplification(void **state)
{
    struct client_options options = with_cert();
    uint8_t hello[2048];
    uint8_t answer[2048];
    size_t hello_len;
    struct client c;
    int fd;

    (void)state;
    begin();
    client_init(&c, w.port, &options);
    c.lose_sent = 1;
    client_step(&c);
    hello_len = c.last_len;
    memcpy(hello, c.last, hello_len);
    fd = client_socket(w.port, 0);
    srand(2);
    for (int i = 0; i < 400; i++) {
        size_t len = hello_len;
        ssize_t n;
        ssize_t total = 0;

        memcpy(answer, hello, hello_len);
        if (i > 0) { /* changed in up to three places, cut in some cases */
            for (int k = rand() % 4; k > 0; k--)
                answer[(size_t)rand() % hello_len] = (uint8_t)rand();
            if (i % 4 == 0)
                len = (size_t)rand() % hello_len;
            if (len > 25 && i % 4 == 0) {
                answer[12] = (uint8_t)(len - 13);
                answer[11] = 0;
                answer[16] = answer[24] = (uint8_t)(len - 25);
            }
        }
        (void)!send(fd, answer, len, 0);
        run(NULL, 1);
        while ((n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT)) > 0) {
            total += n;
            assert_int_equal(answer[0], 22); /* a HelloVerifyRequest and nothing else */
            assert_int_equal(answer[13], 3);
        }
        assert_true(total <= (ssize_t)len);
        if (i == 0)
            assert_true(total > 0 && total * 2 < (ssize_t)len);
        assert_int_equal(fed_dtls_server_sessions(w.server), 0);
    }
    close(fd);
    client_fini(&c);
    end();
}

/* How many datagrams wait there. */
static unsigned answers(int fd)
{
    uint8_t answer[2048];
    unsigned n = 0;

    while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
        n++;
    return n;
}

/* What an answer to a ClientHello takes of the time for cookies on this machine, at least. */
static int64_t cookie_cost_us(int fd, const struct client *hello)
{
    int64_t least_us = INT64_MAX;

    w.server->cookie_share = 0; /* all are answered, and no time comes back */
    for (int i = 0; i < 50; i++) {
        w.server->cookie_credit.us = 0;
        assert_int_equal(send(fd, hello->last, hello->last_len, 0), (ssize_t)hello->last_len);
        run(NULL, 2);
        if (answers(fd) == 1 && -w.server->cookie_credit.us < least_us)
            least_us = -w.server->cookie_credit.us;
    }
    w.server->cookie_share = COOKIE_SHARE;
    return least_us > 0 ? least_us : 1;
}

/* A flood of ClientHellos gets answers for its share of the time; what is left is for reading, so
 * that records of open sessions are not lost in front of a full buffer. Who has his cookie already
 * is not held up, and newcomers come in when there is time again. */
static void test_flood_of_hellos(void **state)
{
    struct client_options options = with_cert();
    struct client waits;
    struct client late;
    struct client c;
    unsigned answered = 0;
    uint64_t begun_us;
    int64_t took_us;
    int64_t cost_us;
    int fd;

    (void)state;
    begin_with((struct fed_dtls_options){.sessions_max = 2000,
        .handshakes_max = 2000,
        .cookie_share = COOKIE_SHARE,
        .session_idle_ms = 600000});
    add(&c, &options);
    assert_true(run(all_open, WAIT_MS));
    client_send(&c, "x", 1);
    assert_true(run(got_record, WAIT_MS));
    client_init(&waits, w.port, &options);
    client_step(&waits);
    fd = client_socket(w.port, 0);
    cost_us = cookie_cost_us(fd, &waits);
    begun_us = fed_loop_clock_us(w.loop);
    w.server->cookie_credit = (struct dtls_credit){.us = 1, .at_us = begun_us};
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k < 50; k++)
            assert_int_equal(send(fd, waits.last, waits.last_len, 0), (ssize_t)waits.last_len);
        run(NULL, 2);
        answered += answers(fd);
    }
    took_us = (int64_t)(fed_loop_clock_us(w.loop) - begun_us);
    assert_in_range(answered, 1, 2 + 2 * (took_us * COOKIE_SHARE / 100 / cost_us));
    w.server->cookie_credit.us = -1000000; /* a hundred seconds */
    send(fd, waits.last, waits.last_len, 0);
    run(NULL, 20);
    assert_int_equal(answers(fd), 0);
    echo_check(&c);
    w.clients[w.n_clients++] = &waits; /* whose cookie came before */
    assert_true(run(all_open, WAIT_MS));
    w.server->cookie_credit.us = 1;
    add(&late, &options);
    assert_true(run(all_open, WAIT_MS));
    close(fd);
    client_fini(&late);
    client_fini(&waits);
    client_fini(&c);
    end();
}

/* ---- limits and ends ---- */

static void test_limits(void **state)
{
    struct client_options options = with_psk();
    struct client c[3];

    (void)state;
    begin_with((struct fed_dtls_options){
        .sessions_max = 2, .handshakes_max = 1, .session_idle_ms = 600000});
    for (int i = 0; i < 3; i++)
        add(&c[i], &options);
    assert_true(run(opened_two, WAIT_MS));
    run(NULL, 400); /* several ClientHellos of the third */
    assert_int_equal(w.opened, 2);
    assert_int_equal(fed_dtls_server_sessions(w.server), 2);
    assert_int_equal(c[0].open + c[1].open + c[2].open, 2);
    fed_dtls_session_close(w.session); /* room again: the third's next ClientHello gets in */
    w.opened = 2;
    assert_true(run(all_open, WAIT_MS));
    for (int i = 0; i < 3; i++)
        client_fini(&c[i]);
    end();
}

static bool opened_one(void)
{
    return w.opened > 0;
}

/* Answers with the cookie, and then nothing more. */
static void begin_only(struct client *c, const struct client_options *options)
{
    client_init(c, w.port, options);
    for (int i = 0; i < 500 && c->sent < 2; i++) {
        client_step(c);
        run(NULL, 2);
    }
    assert_int_equal(c->sent, 2);
    run(NULL, 10);
}

static void come_from_elsewhere(struct client *c)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(w.port)};

    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    close(c->fd);
    c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(c->fd, (struct sockaddr *)&from, sizeof(from)), 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&to, sizeof(to)), 0);
}

/* One host does not get all handshakes, whether it ends them or not. */
static void test_host_limit(void **state)
{
    struct client_options options = with_psk();
    struct client_options bad = with_psk();
    struct fed_dtls_server_stats stats;
    struct client silent[2];
    struct client third;
    struct client elsewhere;

    (void)state;
    begin_with((struct fed_dtls_options){
        .sessions_max = 100, .handshakes_max = 2 * DTLS_HOST_PART, .session_idle_ms = 600000});
    for (int i = 0; i < 2; i++)
        begin_only(&silent[i], &options);
    add(&third, &options);
    run(NULL, 400); /* several ClientHellos */
    assert_int_equal(w.opened, 0);
    fed_dtls_server_stats(w.server, &stats);
    assert_int_equal(stats.turned_away, 0);
    assert_int_equal(w.server->queue.length, 1); /* it waits, once */
    add(&elsewhere, &options);
    come_from_elsewhere(&elsewhere);
    assert_true(run(opened_one, WAIT_MS));
    assert_true(elsewhere.open && !third.open);
    w.clients[w.n_clients++] = &silent[0]; /* ends what it began: there is room for the third */
    assert_true(run(all_open, WAIT_MS));
    for (int i = 0; i < 2; i++)
        client_fini(&silent[i]);
    client_fini(&third);
    client_fini(&elsewhere);
    w.n_clients = 0;
    bad.psk_key = "another key";
    for (int i = 0; i < 10; i++) { /* none of those that failed counts */
        add(&third, &bad);
        assert_true(run(all_settled, WAIT_MS));
        client_fini(&third);
        w.n_clients = 0;
    }
    w.opened = 0;
    add(&third, &options);
    assert_true(run(all_open, WAIT_MS));
    client_fini(&third);
    end();
}

/* More than there are places for: each is taken in its turn, and none turned away. */
static void test_queue(void **state)
{
    struct client_options options = with_psk();
    struct fed_dtls_server_stats stats;
    struct client *clients = calloc(40, sizeof(*clients));

    (void)state;
    assert_non_null(clients);
    begin_with((struct fed_dtls_options){
        .sessions_max = 200, .handshakes_max = 2 * DTLS_HOST_PART, .session_idle_ms = 600000});
    for (int i = 0; i < 40; i++)
        add(&clients[i], &options);
    assert_true(run(all_open, WAIT_MS));
    fed_dtls_server_stats(w.server, &stats);
    assert_int_equal(stats.handshakes, 40);
    assert_int_equal(stats.turned_away, 0);
    assert_int_equal(stats.failed, 0);
    assert_int_equal(w.server->queue.length, 0);
    assert_int_equal(w.server->handshakes, 0);
    for (int i = 0; i < 40; i++)
        client_fini(&clients[i]);
    free(clients);
    end();
}

/* One host has its part of the queue, and who begins anew one place in it. */
static void test_queue_limit(void **state)
{
    struct client_options options = with_psk();
    struct fed_dtls_server_stats stats;
    struct client c[5];

    (void)state;
    begin_with((struct fed_dtls_options){
        .sessions_max = 3 * DTLS_HOST_PART, .handshakes_max = 1, .session_idle_ms = 600000});
    for (int i = 0; i < 5; i++)
        begin_only(&c[i], &options);
    assert_int_equal(w.server->handshakes, 1);
    assert_int_equal(w.server->queue.length, 3);
    fed_dtls_server_stats(w.server, &stats);
    assert_int_equal(stats.turned_away, 1);
    assert_int_equal(mbedtls_ssl_session_reset(&c[2].ssl), 0);
    c[2].sent = 0;
    c[2].code = MBEDTLS_ERR_SSL_WANT_READ;
    for (int i = 0; i < 500 && c[2].sent < 2; i++) {
        client_step(&c[2]);
        run(NULL, 2);
    }
    run(NULL, 10);
    assert_int_equal(w.server->queue.length, 3);
    for (int i = 0; i < 5; i++)
        w.clients[w.n_clients++] = &c[i];
    assert_true(run(all_open, WAIT_MS));
    for (int i = 0; i < 5; i++)
        client_fini(&c[i]);
    end();
}

static bool same_host(const char *a, const char *b)
{
    static struct fed_dtls_server server;
    struct fed_dtls_session session = {.server = &server};
    struct dtls_address other;
    bool same;

    server.handshakes_max = DTLS_HOST_PART;
    assert_int_equal(dtls_address_parse(a, &session.address, NULL), FED_OK);
    assert_int_equal(dtls_address_parse(b, &other, NULL), FED_OK);
    dtls_hosts_enter(&server, &session.address);
    same = !dtls_hosts_have_room(&server, &other);
    dtls_hosts_leave(&server, &session.address);
    assert_true(dtls_hosts_have_room(&server, &other));
    return same;
}

/* Whose addresses they are: one of IPv4, a network of 64 bits of IPv6. */
static void test_hosts(void **state)
{
    (void)state;
    assert_true(same_host("192.0.2.1:1", "192.0.2.1:2"));
    assert_false(same_host("192.0.2.1:1", "192.0.2.2:1"));
    assert_true(same_host("[2001:db8::1]:1", "[2001:db8::ffff:0:0:2]:2"));
    assert_false(same_host("[2001:db8::1]:1", "[2001:db8:0:1::1]:1"));
    assert_true(same_host("[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]:2"));
    assert_false(same_host("[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:1"));
}

static void test_close(void **state)
{
    struct client_options options = with_psk();
    struct client a;
    struct client b;
    struct client c;

    (void)state;
    begin();
    add(&a, &options);
    assert_true(run(all_open, WAIT_MS));
    assert_int_equal(mbedtls_ssl_close_notify(&a.ssl), 0); /* by the peer */
    assert_true(run(got_closed, WAIT_MS));
    assert_string_equal(w.why, "the peer closed the session");
    assert_int_equal(fed_dtls_server_sessions(w.server), 0);
    w.n_clients = 0;
    w.opened = w.closed = 0;
    add(&b, &options);
    assert_true(run(all_open, WAIT_MS));
    fed_dtls_session_close(w.session); /* by us */
    assert_true(run(client_closed, WAIT_MS));
    assert_int_equal(w.closed, 0);
    w.n_clients = 0;
    w.opened = 0;
    add(&c, &options);
    assert_true(run(all_open, WAIT_MS));
    w.close_at_record = true; /* by us, in the callback */
    client_send(&c, "x", 1);
    assert_true(run(client_closed, WAIT_MS));
    assert_int_equal(fed_dtls_server_sessions(w.server), 0);
    client_fini(&a);
    client_fini(&b);
    client_fini(&c);
    end();
}

#define IDLE_MS 600u

/* Opens a session and uses it for longer than it may be idle. false: the machine was so busy that
 * it may have been idle all the same. */
static bool use_often(struct client *c)
{
    struct client_options options = with_psk();
    uint64_t last_ms;
    uint64_t now_ms;

    begin_with((struct fed_dtls_options){
        .sessions_max = 2, .handshakes_max = 2, .session_idle_ms = IDLE_MS});
    add(c, &options);
    last_ms = fed_loop_now_ms(w.loop);
    if (!run(all_open, IDLE_MS / 2))
        return false;
    for (int i = 0; i < 4; i++) {
        run(NULL, IDLE_MS / 3);
        client_send(c, "x", 1);
        now_ms = fed_loop_now_ms(w.loop);
        if (now_ms - last_ms > IDLE_MS * 9 / 10)
            return false;
        last_ms = now_ms;
    }
    return true;
}

static void test_idle(void **state)
{
    struct client c;

    (void)state;
    for (int tries = 1; !use_often(&c); tries++) {
        assert_true(tries < 100);
        client_fini(&c);
        end();
    }
    assert_int_equal(w.closed, 0);
    assert_true(run(got_closed, WAIT_MS));
    assert_string_equal(w.why, "idle");
    assert_true(run(client_closed, WAIT_MS));
    client_fini(&c);
    end();
}

static void many(struct client_options options, size_t n, const char *what)
{
    static struct client clients[CLIENTS_MAX];
    size_t before;
    size_t after;

    begin();
    for (size_t i = 0; i < n; i++)
        add(&clients[i], &options);
    assert_true(run(all_open, 2 * WAIT_MS));
    assert_int_equal(w.opened, n);
    assert_int_equal(fed_dtls_server_sessions(w.server), n);
    for (size_t i = 0; i < n; i++)
        client_send(&clients[i], "ping", 4);
    assert_true(run(got_all_records, WAIT_MS));
    before = mallinfo2().uordblks;
    fed_dtls_server_close(w.server);
    after = mallinfo2().uordblks;
    w.server = NULL;
    if (before > after) { /* not under a sanitizer, whose allocator does not count there */
        print_message("memory per open %s session: %zu bytes\n", what, (before - after) / n);
        assert_true((before - after) / n < 12 * 1024);
    }
    for (size_t i = 0; i < n; i++)
        client_fini(&clients[i]);
    end();
}

static void test_many(void **state)
{
    (void)state;
    many(with_psk(), CLIENTS_MAX, "PSK");
    many(with_cert(), 100, "certificate");
}

static void test_options_refused(void **state)
{
    struct fed_dtls_options options = {
        .listen = "localhost", .sessions_max = 1, .handshakes_max = 1};
    struct fed_dtls_events events = {
        .opened = on_opened, .received = on_received, .closed = on_closed};
    struct fed_dtls_server *server = NULL;
    struct fed_diag diag = {""};
    char taken[32];

    (void)state;
    begin();
    assert_int_equal(
        fed_dtls_server_open(fed_alloc_system(), w.loop, NULL, &options, &events, &server, &diag),
        FED_ERR_INVALID);
    assert_non_null(strstr(diag.text, "neither a certificate nor"));
    events.psk = on_psk;
    assert_int_equal(
        fed_dtls_server_open(fed_alloc_system(), w.loop, NULL, &options, &events, &server, &diag),
        FED_ERR_INVALID);
    snprintf(taken, sizeof(taken), "127.0.0.1:%u", (unsigned)w.port);
    options.listen = taken;
    assert_int_equal(
        fed_dtls_server_open(fed_alloc_system(), w.loop, NULL, &options, &events, &server, &diag),
        FED_ERR_EXISTS);
    assert_non_null(strstr(diag.text, "cannot listen"));
    options.cert_pem = pki_cert(&hub_id);
    options.key_pem = pki_key(&agent_id);
    assert_int_equal(
        fed_dtls_server_open(fed_alloc_system(), w.loop, NULL, &options, &events, &server, &diag),
        FED_ERR_INVALID);
    assert_null(server);
    end();
}

static int setup(void **state)
{
    (void)state;
    pki_init(&pki);
    pki_issue(&pki, &pki.ca, "hub", "hub.test", -60, 3600, &hub_id);
    pki_issue(&pki, &pki.ca, "agent", NULL, -60, 3600, &agent_id);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_id_fini(&hub_id);
    pki_id_fini(&agent_id);
    pki_fini(&pki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutual),
        cmocka_unit_test(test_psk),
        cmocka_unit_test(test_no_cid),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_ended),
        cmocka_unit_test(test_not_begun),
        cmocka_unit_test(test_no_tickets),
        cmocka_unit_test(test_late_hello),
        cmocka_unit_test(test_forged_cid),
        cmocka_unit_test(test_rebind),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_same_port_again),
        cmocka_unit_test(test_port_is_given_away),
        cmocka_unit_test(test_moves_to_where_another_is),
        cmocka_unit_test(test_lost_flights),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_hidden_hello),
        cmocka_unit_test(test_no_amplification),
        cmocka_unit_test(test_flood_of_hellos),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_host_limit),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_queue_limit),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_options_refused),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
