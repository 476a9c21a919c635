/* ports_dtls_recall_test.c - the agent's DTLS client against the hub's server: who comes back needs
 * no whole handshake, and when it does all the same. */
#include "ports/dtls.h"
#include "ports/dtls/internal.h"
#include "tests/unit/ports_tls_pki.h"
#include "tests/unit/wire_vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define WHOLE_MS 10000u

static struct pki pki;
static struct pki_id hub_id;
static struct pki_id agent_id;
static struct pki_id other_id; /* the same name, another key and certificate */
static struct pki_id short_id; /* ends soon */

static struct world {
    struct fed_linux_loop *linux_loop;
    struct fed_loop *loop;
    struct fed_timer *tick;
    struct fed_dtls_server *server;
    struct fed_dtls_client *client;
    uint16_t port;
    uint64_t deadline_ms;
    bool (*until)(void);
    bool timed_out;
    /* what the server told, and is told */
    unsigned opened;
    struct fed_dtls_session *session; /* the last that opened */
    char name[256];
    struct fed_digest key;
    unsigned asked;
    bool later;  /* the answer comes by fed_dtls_server_recall */
    bool has_id; /* something was told with a session: */
    uint8_t id[FED_DTLS_RECALL_ID_SIZE];
    struct fed_buf recall;
    unsigned told;
    uint8_t asked_id[FED_DTLS_RECALL_ID_SIZE];
    /* what the client told */
    unsigned up;
    unsigned down;
    unsigned records;
} w;

/* ---- both ends ---- */

static void on_opened(void *ctx, struct fed_dtls_session *session, const struct fed_dtls_peer *peer)
{
    (void)ctx;
    w.opened++;
    w.session = session;
    assert_non_null(peer->cert);
    snprintf(w.name, sizeof(w.name), "%s", peer->cert->common_name);
    w.key = peer->cert->public_key;
    if (peer->recall.len == 0)
        return;
    assert_int_equal(peer->recall_id.len, sizeof(w.id));
    memcpy(w.id, peer->recall_id.at, sizeof(w.id));
    fed_buf_clear(&w.recall);
    fed_buf_put(&w.recall, peer->recall);
    w.has_id = true;
    w.told++;
}

static void on_received(void *ctx, struct fed_dtls_session *session, struct fed_span record)
{
    (void)ctx;
    assert_int_equal(fed_dtls_send(session, record), FED_OK);
}

static void on_closed(void *ctx, struct fed_dtls_session *session, const char *why)
{
    (void)ctx;
    (void)session;
    (void)why;
}

static enum fed_err on_recall(void *ctx, struct fed_span id, struct fed_buf *recall)
{
    (void)ctx;
    w.asked++;
    assert_int_equal(id.len, sizeof(w.asked_id));
    memcpy(w.asked_id, id.at, id.len);
    if (w.later)
        return FED_ERR_BUSY;
    if (!w.has_id || memcmp(id.at, w.id, sizeof(w.id)) != 0)
        return FED_ERR_NOT_FOUND;
    fed_buf_put(recall, fed_buf_span(&w.recall));
    return FED_OK;
}

static void on_up(void *ctx)
{
    (void)ctx;
    w.up++;
}

static void on_record(void *ctx, struct fed_span record)
{
    (void)ctx;
    (void)record;
    w.records++;
}

static void on_down(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    (void)ctx;
    (void)err;
    (void)diag;
    w.down++;
}

static void on_tick(void *ctx)
{
    (void)ctx;
    w.timed_out = fed_loop_now_ms(w.loop) >= w.deadline_ms;
    if (w.timed_out || w.until())
        w.loop->stop(w.loop->ctx);
    else
        w.loop->timer_set(w.loop->ctx, w.tick, fed_loop_now_ms(w.loop) + 2);
}

static bool run(bool (*until)(void))
{
    w.until = until;
    w.deadline_ms = fed_loop_now_ms(w.loop) + 60000;
    w.loop->timer_set(w.loop->ctx, w.tick, fed_loop_now_ms(w.loop));
    assert_int_equal(fed_linux_loop_run(w.linux_loop), FED_OK);
    return !w.timed_out;
}

static bool is_settled(void)
{
    return w.down > 0 || (w.up > 0 && w.opened > 0);
}

static bool was_asked(void)
{
    return w.asked > 0;
}

/* ---- the world ---- */

static void server_open(unsigned handshakes_max)
{
    struct fed_dtls_options options = {.listen = "127.0.0.1:0",
        .cert_pem = pki_cert(&hub_id),
        .key_pem = pki_key(&hub_id),
        .client_ca_pem = pki_cert(&pki.ca),
        .sessions_max = 100,
        .handshakes_max = handshakes_max,
        .session_idle_ms = 600000};
    struct fed_dtls_events events = {
        .opened = on_opened, .received = on_received, .closed = on_closed, .recall = on_recall};
    static struct fed_log log = {.level = FED_LOG_ERROR};
    struct fed_diag diag = {""};

    log = fed_log_stderr(FED_LOG_ERROR);
    if (fed_dtls_server_open(fed_alloc_system(), w.loop, &log, &options, &events, &w.server, &diag))
        fail_msg("%s", diag.text);
    w.port = fed_dtls_server_port(w.server);
}

static struct fed_dtls_client *client_open(void)
{
    struct fed_dtls_client_events events = {
        .opened = on_up, .received = on_record, .closed = on_down};
    struct fed_dtls_client *client = NULL;

    assert_int_equal(
        fed_dtls_client_open(fed_alloc_system(), w.loop, &events, &client, NULL), FED_OK);
    return client;
}

static void begin(void)
{
    struct fed_diag diag = {""};

    memset(&w, 0, sizeof(w));
    fed_buf_init(&w.recall, fed_alloc_system(), FED_DTLS_RECALL_MAX);
    assert_int_equal(fed_linux_loop_open(fed_alloc_system(), &w.linux_loop, &diag), FED_OK);
    w.loop = fed_linux_loop_port(w.linux_loop);
    assert_int_equal(w.loop->timer_new(w.loop->ctx, on_tick, NULL, &w.tick), FED_OK);
    server_open(100);
    w.client = client_open();
}

static void end(void)
{
    fed_dtls_client_close(w.client);
    fed_dtls_server_close(w.server);
    w.loop->timer_free(w.loop->ctx, w.tick);
    fed_linux_loop_close(w.linux_loop);
    fed_buf_fini(&w.recall);
}

/* Another process: it knows what was stored, and nothing else. */
static void server_again(void)
{
    fed_dtls_server_close(w.server);
    server_open(100);
}

static void connect_start(const struct pki_id *id, unsigned timeout_ms)
{
    struct fed_dtls_identity identity = {
        .cert_pem = pki_cert(id), .key_pem = pki_key(id), .ca_pem = pki_cert(&pki.ca)};
    struct fed_diag diag = {""};

    fed_dtls_client_disconnect(w.client);
    w.up = w.down = w.opened = w.asked = w.told = 0;
    if (fed_dtls_client_connect(w.client, "127.0.0.1", w.port, &identity, timeout_ms, &diag))
        fail_msg("%s", diag.text);
}

static uint64_t recalled(void)
{
    struct fed_dtls_server_stats stats;

    fed_dtls_server_stats(w.server, &stats);
    return stats.recalled;
}

/* Connects; says whether that took no whole handshake. */
static bool comes_back(const struct pki_id *id)
{
    uint64_t before = recalled();

    connect_start(id, WHOLE_MS);
    assert_true(run(is_settled));
    assert_int_equal(w.down, 0);
    assert_string_equal(w.name, "system:fedlet:agent");
    return recalled() > before;
}

static int setup(void **state)
{
    (void)state;
    pki_init(&pki);
    pki_issue(&pki, &pki.ca, "hub", "", -3600, 3600, &hub_id);
    pki_issue(&pki, &pki.ca, "agent", NULL, -3600, 3600, &agent_id);
    pki_issue(&pki, &pki.ca, "agent", NULL, -3600, 3600, &other_id);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_id_fini(&hub_id);
    pki_id_fini(&agent_id);
    pki_id_fini(&other_id);
    pki_fini(&pki);
    return 0;
}

/* ---- tests ---- */

static void test_comes_back(void **state)
{
    struct fed_dtls_session_stats first;
    struct fed_dtls_session_stats second;
    struct fed_digest key;

    (void)state;
    begin();
    assert_false(comes_back(&agent_id));
    assert_int_equal(w.asked, 0); /* there was nothing to ask for */
    assert_int_equal(w.told, 1);
    key = w.key;
    fed_dtls_client_stats(w.client, &first);
    server_again();
    for (unsigned i = 0; i < 3; i++) {
        assert_true(comes_back(&agent_id));
        assert_int_equal(w.asked, 1);
        assert_int_equal(w.told, 0); /* the same serves again */
        assert_true(fed_digest_eq(&w.key, &key));
    }
    fed_dtls_client_stats(w.client, &second);
    /* Three of them take less than the whole one did. */
    assert_true(
        second.sent_bytes + second.received_bytes < 2 * (first.sent_bytes + first.received_bytes));
    end();
}

/* Without extended_master_secret neither end keeps anything (RFC 7627). */
static void test_nothing_is_kept_without_extended_master_secret(void **state)
{
    (void)state;
    begin();
    mbedtls_ssl_conf_extended_master_secret(
        &w.server->config.ssl, MBEDTLS_SSL_EXTENDED_MS_DISABLED);
    for (unsigned i = 0; i < 2; i++) {
        assert_false(comes_back(&agent_id));
        assert_int_equal(w.told, 0);
        assert_int_equal(w.asked, 0);
    }
    mbedtls_ssl_conf_extended_master_secret(&w.server->config.ssl, MBEDTLS_SSL_EXTENDED_MS_ENABLED);
    assert_false(comes_back(&agent_id));
    assert_int_equal(w.told, 1);
    assert_true(comes_back(&agent_id));
    end();
}

/* A hello in parts, one that is cut, and datagrams that are none say nothing. */
static void test_hellos_are_read_with_care(void **state)
{
    static const uint8_t hello[] = {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 56, /* record */
        2, 0, 0, 44, 0, 1, 0, 0, 0, 0, 0, 44,                                      /* handshake */
        0xfe, 0xfd, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
        23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 0, 0xc0, 0xac, 0, 0, 4, 0, 23, 0, 0};
    uint8_t other[sizeof(hello)];

    (void)state;
    for (size_t changed = 0; changed <= sizeof(hello); changed++) {
        struct dtls_recall_made made = {.extended = false};

        memcpy(other, hello, sizeof(hello));
        if (changed < sizeof(hello))
            other[changed] ^= 0x55;
        dtls_recall_look(&made, fed_span_of(other, sizeof(other)));
        if (changed == sizeof(hello))
            assert_true(made.extended);
        if (changed < 1 || (changed >= 19 && changed < 25) || changed == 13 || changed >= 66)
            assert_false(changed < sizeof(hello) && made.extended);
        for (size_t len = 0; len < sizeof(hello); len++) {
            made.extended = false;
            dtls_recall_look(&made, fed_span_of(other, len));
            assert_false(made.extended);
        }
    }
}

static int64_t judged_by_unix_s; /* 0: times are not judged */

static int64_t judge_by(void *ctx, bool hub)
{
    (void)ctx;
    assert_true(hub);
    return judged_by_unix_s;
}

static bool is_refused(void)
{
    connect_start(&agent_id, WHOLE_MS);
    assert_true(run(is_settled));
    return w.down == 1 && w.up == 0;
}

/* This machine's clock is behind. What a handshake left in which nobody looked at times shows
 * nothing of them, and what is kept ends by the time that certificates are judged by. */
static void test_judged_by_another_time(void **state)
{
    const struct fed_tls_times times = {.now = judge_by};

    (void)state;
    begin();
    fed_tls_judge_by(&times);
    judged_by_unix_s = 0;
    assert_false(comes_back(&agent_id));
    judged_by_unix_s = fed_loop_unix_s(w.loop) + 7200; /* as the hub said in that session */
    assert_true(is_refused());
    judged_by_unix_s = 0;
    assert_false(comes_back(&agent_id));
    assert_false(comes_back(&agent_id));
    judged_by_unix_s = fed_loop_unix_s(w.loop);
    assert_false(comes_back(&agent_id));
    assert_true(comes_back(&agent_id));
    judged_by_unix_s += 7200;
    assert_true(is_refused());
    fed_tls_judge_by(NULL);
    end();
}

static bool has_record(void)
{
    return w.records > 0;
}

static void echo(void)
{
    w.records = 0;
    assert_int_equal(fed_dtls_client_send(w.client, FED_SPAN_LIT("hello")), FED_OK);
    assert_true(run(has_record));
}

/* The session is one like any other: data both ways, and either end goes on with it elsewhere; the
 * agent's end is known again after that, too. */
static void test_session_of_it(void **state)
{
    struct fed_crypto_cert_info *info = calloc(1, sizeof(*info));
    struct fed_dtls_session *session;
    struct fed_diag diag = {""};
    struct fed_buf saved;
    unsigned steer;

    (void)state;
    assert_non_null(info);
    begin();
    (void)comes_back(&agent_id);
    assert_true(comes_back(&agent_id));
    echo();
    fed_buf_init(&saved, fed_alloc_system(), 2 * FED_DTLS_SAVED_MAX);
    session = w.session;
    assert_int_equal(fed_dtls_session_save(session, &saved, &steer), FED_OK);
    fed_dtls_session_forget(session);
    assert_int_equal(
        fed_dtls_session_restore(w.server, fed_buf_span(&saved), 0, info, &session), FED_OK);
    assert_string_equal(info->common_name, w.name);
    echo();
    fed_buf_clear(&saved);
    assert_int_equal(fed_dtls_client_save(w.client, &saved), FED_OK);
    fed_dtls_client_close(w.client);
    w.client = client_open();
    if (fed_dtls_client_restore(w.client, "127.0.0.1", w.port, fed_buf_span(&saved), &diag))
        fail_msg("%s", diag.text);
    echo();
    assert_true(comes_back(&agent_id));
    fed_buf_fini(&saved);
    free(info);
    end();
}

static void test_unknown(void **state)
{
    (void)state;
    begin();
    (void)comes_back(&agent_id);
    w.has_id = false; /* revoked, or lost */
    assert_false(comes_back(&agent_id));
    assert_int_equal(w.asked, 1);
    assert_int_equal(w.told, 1);
    assert_true(comes_back(&agent_id)); /* by the new one */
    end();
}

static void answer_later(struct fed_span bytes)
{
    connect_start(&agent_id, WHOLE_MS);
    assert_true(run(was_asked));
    assert_int_equal(w.opened, 0);
    fed_dtls_server_recall(w.server, fed_span_of(w.asked_id, sizeof(w.asked_id)), bytes);
    assert_true(run(is_settled));
    assert_int_equal(w.down, 0);
}

static void test_answered_later(void **state)
{
    uint64_t before;

    (void)state;
    begin();
    (void)comes_back(&agent_id);
    w.later = true;
    before = recalled();
    answer_later(fed_buf_span(&w.recall));
    assert_int_equal(recalled(), before + 1);
    answer_later((struct fed_span){0});
    assert_int_equal(recalled(), before + 1);
    assert_int_equal(w.told, 1);
    end();
}

/* A repeated ClientHello is the one that waits; it holds a place, and what waits is given up with
 * the server. */
static bool asked_and_repeated(void)
{
    struct fed_dtls_session_stats stats;

    fed_dtls_client_stats(w.client, &stats);
    return w.asked > 0 && stats.sent_datagrams >= 4;
}

static void test_waits_once(void **state)
{
    (void)state;
    begin();
    (void)comes_back(&agent_id);
    w.later = true;
    connect_start(&agent_id, WHOLE_MS);
    assert_true(run(was_asked));
    assert_int_equal(w.server->n_asked, 1);
    assert_true(run(asked_and_repeated));
    assert_int_equal(w.asked, 1);
    assert_int_equal(w.server->n_asked, 1);
    end();
}

/* Whatever is stored is no more than a promise: nothing of it is believed that does not fit. */
static void test_spoilt(void **state)
{
    (void)state;
    begin();
    (void)comes_back(&agent_id);
    for (size_t i = 0; i < 8; i++) {
        fed_buf_cut(&w.recall, w.recall.len - 1 - i * 40);
        assert_false(comes_back(&agent_id));
    }
    end();
}

/* Who has the identifier alone cannot come in; who is refused for it makes a whole handshake. */
/* A worker that was taken over tells what it likes of its sessions: what it left under one name,
 * with the certificate of another one, makes nobody that one. */
static void test_of_another_name(void **state)
{
    struct pki_id spy_id;
    mbedtls_x509_crt agent;

    (void)state;
    pki_issue(&pki, &pki.ca, "spy", NULL, -3600, 3600, &spy_id);
    mbedtls_x509_crt_init(&agent);
    assert_int_equal(
        fed_mbed_certs(pki_cert(&agent_id), FED_MBED_PARSE_ALL, "agent", &agent, NULL), FED_OK);
    begin();
    connect_start(&spy_id, WHOLE_MS);
    assert_true(run(is_settled));
    assert_int_equal(w.told, 1);
    fed_buf_cut(&w.recall, 1 + 2 + 48);
    fed_buf_put_string(&w.recall, fed_span_of(agent.raw.p, agent.raw.len));
    connect_start(&spy_id, WHOLE_MS);
    assert_true(run(is_settled));
    assert_int_equal(w.asked, 1);
    assert_int_equal(w.down, 0);
    assert_string_equal(w.name, "system:fedlet:spy");
    assert_int_equal(recalled(), 0);
    end();
    mbedtls_x509_crt_free(&agent);
    pki_id_fini(&spy_id);
}

static void test_wrong_secret(void **state)
{
    (void)state;
    begin();
    (void)comes_back(&agent_id);
    w.recall.at[10] ^= 1;
    connect_start(&agent_id, 1500);
    assert_true(run(is_settled));
    assert_int_equal(w.down, 1);
    assert_int_equal(w.opened, 0);
    assert_false(comes_back(&agent_id));
    assert_int_equal(w.asked, 0);
    assert_true(comes_back(&agent_id));
    end();
}

/* Another certificate is another session, and so is another trust. */
static void test_other_certificate(void **state)
{
    (void)state;
    begin();
    (void)comes_back(&agent_id);
    assert_false(comes_back(&other_id));
    assert_int_equal(w.asked, 0);
    assert_true(comes_back(&other_id));
    end();
}

/* Comes back with a certificate that ends so many seconds from now. false: it took so long that the
 * certificate may have ended before. */
static bool back_in_time(int seconds, int64_t *end_unix_s)
{
    bool back;

    *end_unix_s = fed_loop_unix_s(w.loop) + seconds;
    pki_issue(&pki, &pki.ca, "agent", NULL, -3600, (int)(*end_unix_s - pki.now_unix_s), &short_id);
    connect_start(&short_id, WHOLE_MS);
    assert_true(run(is_settled));
    back = w.down == 0 && comes_back(&short_id);
    assert_true(back || fed_loop_unix_s(w.loop) >= *end_unix_s);
    return back;
}

static void test_ended(void **state)
{
    int64_t end_unix_s;

    (void)state;
    begin();
    for (int seconds = 2; !back_in_time(seconds, &end_unix_s); seconds *= 2)
        pki_id_fini(&short_id);
    while (fed_loop_unix_s(w.loop) < end_unix_s + 2)
        usleep(100000);
    assert_false(comes_back(&short_id)); /* which its owner lets renew, and nothing else */
    assert_int_equal(w.asked, 1);
    pki_id_fini(&short_id);
    end();
}

/* What docs/protocol.md says is kept. */
static void test_vectors(void **state)
{
    struct fed_json_iter it;
    struct vectors v;

    (void)state;
    vectors_open(&v, "recalls");
    it = fed_json_each(fed_json_get(v.root, "recalls"));
    while (fed_json_iter_next(&it)) {
        struct fed_span identifier = vector_hex(&v, it.value, "identifier");
        struct dtls_recall_made made = {.there = false};
        struct fed_digest name;

        dtls_recall_make(&made, MBEDTLS_SSL_KEY_EXPORT_TLS12_MASTER_SECRET,
            vector_hex(&v, it.value, "master").at, 48, vector_hex(&v, it.value, "clientRandom").at,
            vector_hex(&v, it.value, "serverRandom").at, MBEDTLS_SSL_TLS_PRF_SHA256);
        assert_true(made.there);
        assert_int_equal(fed_digest_of(vector_text(it.value, "cluster"), &name), FED_OK);
        vector_bytes(it.value, fed_span_of(name.bytes, DTLS_RECALL_NAME_SIZE),
            fed_span_sub(identifier, 0, DTLS_RECALL_NAME_SIZE));
        vector_bytes(it.value, fed_span_of(made.mark, sizeof(made.mark)),
            fed_span_sub(identifier, DTLS_RECALL_NAME_SIZE, identifier.len));
        vector_bytes(it.value, fed_span_of(made.secret, sizeof(made.secret)),
            vector_hex(&v, it.value, "secret"));
    }
    vectors_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_nothing_is_kept_without_extended_master_secret),
        cmocka_unit_test(test_hellos_are_read_with_care),
        cmocka_unit_test(test_judged_by_another_time),
        cmocka_unit_test(test_session_of_it),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_answered_later),
        cmocka_unit_test(test_waits_once),
        cmocka_unit_test(test_spoilt),
        cmocka_unit_test(test_of_another_name),
        cmocka_unit_test(test_wrong_secret),
        cmocka_unit_test(test_other_certificate),
        cmocka_unit_test(test_ended),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
