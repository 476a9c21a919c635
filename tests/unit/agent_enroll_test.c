/* agent_enroll_test.c - joining, with real keys and certificates and a hub that a test plays. */
#include "agent/enroll.h"
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct play {
    struct world *w; /* its clock */
    struct fed_crypto crypto;
    struct fed_buf ca_key, ca_cert, other_key, other_cert, agent_key;
    struct fed_token token;
    struct agent_enroll *enroll;
    struct agent_enroll_slot slot;
    struct fed_link_events events;
    struct fed_link link;
    /* what the agent asked */
    char connected_to[300];
    unsigned connects;
    struct fed_buf request;
    fed_link_done *done;
    void *done_ctx;
    /* what came of it */
    unsigned finished;
    unsigned pending;
    enum fed_err err;
    struct fed_diag diag;
    struct agent_identity identity;
};

static enum fed_err link_connect(void *ctx, const char *host, uint16_t port,
    const struct fed_link_client_identity *identity, unsigned timeout_ms, struct fed_diag *diag)
{
    struct play *p = ctx;

    (void)timeout_ms;
    (void)diag;
    assert_string_equal(identity->psk_identity, "tok1");
    assert_int_equal(identity->psk_key.len, FED_TOKEN_SECRET_SIZE);
    snprintf(p->connected_to, sizeof p->connected_to, "%s:%u", host, port);
    p->connects++;
    return FED_OK;
}

static void link_disconnect(void *ctx)
{
    ((struct play *)ctx)->done = NULL;
}

static enum fed_err link_request(void *ctx, enum fed_link_method method, const char *path,
    const char *query, struct fed_span payload, unsigned timeout_ms, fed_link_done *done,
    void *done_ctx)
{
    struct play *p = ctx;

    (void)query;
    (void)timeout_ms;
    assert_int_equal(method, FED_LINK_POST);
    assert_string_equal(path, FED_LINK_PATH_JOIN);
    fed_buf_clear(&p->request);
    fed_buf_put(&p->request, payload);
    p->done = done;
    p->done_ctx = done_ctx;
    return FED_OK;
}

static void on_done(
    void *ctx, enum fed_err err, const struct agent_identity *identity, const struct fed_diag *diag)
{
    struct play *p = ctx;

    p->finished++;
    p->err = err;
    p->diag = *diag;
    if (!err)
        p->identity = *identity;
}

static void on_pending(void *ctx)
{
    ((struct play *)ctx)->pending++;
}

static void make_ca(struct play *p, struct fed_buf *key, struct fed_buf *cert)
{
    struct fed_diag diag = {""};

    fed_buf_init(key, fed_alloc_system(), 16384);
    fed_buf_init(cert, fed_alloc_system(), 16384);
    assert_int_equal(p->crypto.key_new(p->crypto.ctx, key), FED_OK);
    if (p->crypto.ca_new(p->crypto.ctx, fed_buf_span(key), "fedlet CA", p->w->unix_s - 3600,
            p->w->unix_s + 864000, cert, &diag))
        fail_msg("%s", diag.text);
}

static struct play *play_new(void)
{
    struct play *p = calloc(1, sizeof *p);
    struct fed_crypto_cert_info info;
    struct fed_diag diag = {""};

    p->w = world_new();
    assert_int_equal(fed_tls_crypto_open(fed_alloc_system(), &p->crypto, &diag), FED_OK);
    make_ca(p, &p->ca_key, &p->ca_cert);
    make_ca(p, &p->other_key, &p->other_cert);
    fed_buf_init(&p->agent_key, fed_alloc_system(), 16384);
    assert_int_equal(p->crypto.key_new(p->crypto.ctx, &p->agent_key), FED_OK);
    assert_int_equal(
        p->crypto.cert_info(p->crypto.ctx, fed_buf_span(&p->ca_cert), &info, &diag), FED_OK);
    p->token = (struct fed_token){.pin = info.public_key,
        .id = "tok1",
        .expires_unix_s = p->w->unix_s + 3600,
        .uses = 1,
        .n_addresses = 2,
        .addresses = {"https://hub.test:7444", "coaps://hub.test:5684"}};
    fed_buf_init(&p->request, fed_alloc_system(), FED_JOIN_MESSAGE_MAX);
    p->link = (struct fed_link){
        .ctx = p, .connect = link_connect, .disconnect = link_disconnect, .request = link_request};
    p->events = agent_enroll_link_events(&p->slot);
    return p;
}

static void play_start(struct play *p)
{
    struct agent_ports ports = {.mem = fed_alloc_system(),
        .loop = &p->w->loop,
        .log = &p->w->log,
        .crypto = &p->crypto,
        .coap = &p->link};
    struct agent_enroll_options options = {.token = &p->token,
        .cluster = "shop-17",
        .key_pem = fed_buf_span(&p->agent_key),
        .timeout_ms = 60000};
    struct agent_enroll_events events = {.ctx = p, .done = on_done, .pending = on_pending};
    struct fed_diag diag = {""};

    if (agent_enroll_new(&ports, &options, &events, &p->enroll, &diag))
        fail_msg("%s", diag.text);
    p->slot.enroll = p->enroll;
    agent_enroll_start(p->enroll);
    world_settle(p->w);
}

static void play_free(struct play *p)
{
    agent_enroll_free(p->enroll);
    fed_buf_fini(&p->ca_key);
    fed_buf_fini(&p->ca_cert);
    fed_buf_fini(&p->other_key);
    fed_buf_fini(&p->other_cert);
    fed_buf_fini(&p->agent_key);
    fed_buf_fini(&p->request);
    fed_tls_crypto_close(&p->crypto);
    world_free(p->w);
    free(p);
}

static void respond(struct play *p, unsigned code, struct fed_span payload)
{
    struct fed_link_message message = {.code = code, .payload = payload};
    fed_link_done *done = p->done;

    assert_non_null(done);
    p->done = NULL;
    done(p->done_ctx, FED_OK, &message, NULL);
    world_settle(p->w);
}

/* An approving answer with a certificate valid from now + from_s. */
static void approve(struct play *p, const struct fed_buf *ca_key, const struct fed_buf *ca_cert,
    const char *name, int64_t from_s)
{
    struct fed_join_answer answer = {.approved = true};
    struct fed_crypto_cert_request wanted = {.common_name = name,
        .client = true,
        .not_before_unix_s = p->w->unix_s + from_s,
        .not_after_unix_s = p->w->unix_s + from_s + 7200};
    struct fed_join_request request;
    struct fed_diag diag = {""};
    struct fed_buf cert;
    struct fed_buf text;

    fed_buf_init(&cert, fed_alloc_system(), 16384);
    fed_buf_init(&text, fed_alloc_system(), 65536);
    if (fed_join_request_parse(fed_buf_span(&p->request), &request, &diag))
        fail_msg("%s", diag.text);
    assert_string_equal(request.name, "shop-17");
    wanted.public_key = fed_span_of(request.public_key, request.public_key_len);
    if (p->crypto.cert_issue(
            p->crypto.ctx, fed_buf_span(ca_cert), fed_buf_span(ca_key), &wanted, &cert, &diag))
        fail_msg("%s", diag.text);
    snprintf(answer.certificate, sizeof answer.certificate, "%s", fed_buf_cstr(&cert));
    snprintf(answer.ca, sizeof answer.ca, "%.*s", (int)ca_cert->len, (const char *)ca_cert->at);
    snprintf(answer.cluster, sizeof answer.cluster, "%s", name);
    assert_int_equal(fed_join_answer_put(&text, &answer), FED_OK);
    respond(p, FED_LINK_CREATED, fed_buf_span(&text));
    fed_buf_fini(&text);
    fed_buf_fini(&cert);
}

static void up(struct play *p)
{
    p->events.up(p->events.ctx);
    world_settle(p->w);
}

static void test_join(void **state)
{
    struct play *p = play_new();

    (void)state;
    play_start(p);
    assert_string_equal(p->connected_to, "hub.test:5684");
    up(p);
    approve(p, &p->ca_key, &p->ca_cert, "shop-17", -60);
    assert_int_equal(p->finished, 1);
    assert_int_equal(p->err, FED_OK);
    assert_string_equal(p->identity.cluster, "shop-17");
    assert_int_equal(p->identity.n_hubs, 2);
    play_free(p);
}

static void test_proof_is_of_the_secret(void **state)
{
    struct play *p = play_new();
    struct fed_join_request request;
    struct fed_diag diag = {""};
    struct fed_buf text;
    uint8_t proof[32];

    (void)state;
    play_start(p);
    up(p);
    assert_int_equal(fed_join_request_parse(fed_buf_span(&p->request), &request, &diag), FED_OK);
    fed_buf_init(&text, fed_alloc_system(), 1024);
    fed_buf_put(&text, FED_SPAN_LIT("fedlet join 1\0shop-17\0"));
    fed_buf_put(&text, fed_span_of(request.public_key, request.public_key_len));
    assert_int_equal(
        p->crypto.hmac_sha256(p->crypto.ctx, fed_span_of(p->token.secret, FED_TOKEN_SECRET_SIZE),
            fed_buf_span(&text), proof),
        FED_OK);
    assert_memory_equal(proof, request.proof, sizeof proof);
    fed_buf_fini(&text);
    play_free(p);
}

static void test_waits_for_approval(void **state)
{
    struct fed_join_answer answer = {.retry_after_s = 5};
    struct play *p = play_new();
    struct fed_buf text;

    (void)state;
    play_start(p);
    up(p);
    fed_buf_init(&text, fed_alloc_system(), 65536);
    assert_int_equal(fed_join_answer_put(&text, &answer), FED_OK);
    respond(p, FED_LINK_CREATED, fed_buf_span(&text));
    world_pass(p->w, 5000);
    respond(p, FED_LINK_CREATED, fed_buf_span(&text));
    fed_buf_fini(&text);
    assert_int_equal(p->pending, 1); /* said once */
    world_pass(p->w, 5000);
    approve(p, &p->ca_key, &p->ca_cert, "shop-17", -60);
    assert_int_equal(p->err, FED_OK);
    play_free(p);
}

static void test_pin_mismatch(void **state)
{
    struct play *p = play_new();

    (void)state;
    play_start(p);
    up(p);
    approve(p, &p->other_key, &p->other_cert, "shop-17", -60);
    assert_int_equal(p->err, FED_ERR_FORBIDDEN);
    assert_non_null(strstr(p->diag.text, "the hub's CA is not the one of the token"));
    play_free(p);
}

static void test_certificate_of_another_ca(void **state)
{
    struct fed_join_answer answer = {.approved = true, .cluster = "shop-17"};
    struct play *p = play_new();
    struct fed_diag diag = {""};
    struct fed_buf trusted;

    (void)state;
    fed_buf_init(&trusted, fed_alloc_system(), 16384);
    /* The right CA is shown, but it did not sign. */
    snprintf(answer.ca, sizeof answer.ca, "%.*s", (int)p->ca_cert.len, (char *)p->ca_cert.at);
    snprintf(answer.certificate, sizeof answer.certificate, "%.*s", (int)p->other_cert.len,
        (char *)p->other_cert.at);
    assert_int_not_equal(agent_enroll_check(fed_alloc_system(), &p->crypto, &p->token, "shop-17",
                             fed_buf_span(&p->agent_key), p->w->unix_s, &answer, &trusted, &diag),
        FED_OK);
    assert_non_null(strstr(diag.text, "the certificate from the hub"));
    fed_buf_fini(&trusted);
    play_free(p);
}

static void test_certificate_for_another_name(void **state)
{
    struct play *p = play_new();

    (void)state;
    play_start(p);
    up(p);
    approve(p, &p->ca_key, &p->ca_cert, "shop-18", -60);
    assert_int_equal(p->err, FED_ERR_INVALID);
    assert_non_null(strstr(p->diag.text, "\"shop-18\", not for \"shop-17\""));
    play_free(p);
}

static void test_clock_far_off(void **state)
{
    struct play *p = play_new();

    (void)state;
    play_start(p);
    up(p);
    approve(p, &p->ca_key, &p->ca_cert, "shop-17", 86400);
    assert_int_equal(p->err, FED_ERR_INVALID);
    assert_non_null(strstr(p->diag.text, "this machine's clock says 2026-11-18T"));
    assert_non_null(strstr(p->diag.text, "valid from 2026-11-19T"));
    play_free(p);
}

static void test_token_refused(void **state)
{
    struct play *p = play_new();
    struct fed_diag diag = {"fatal alert: unknown PSK identity"};

    (void)state;
    play_start(p);
    p->events.down(p->events.ctx, FED_ERR_TLS, &diag);
    assert_int_equal(p->err, FED_ERR_UNAUTHENTICATED);
    assert_non_null(strstr(p->diag.text, "revoked, forged, or made by another hub"));
    play_free(p);
}

static void test_expired_token_is_named(void **state)
{
    struct play *p = play_new();

    (void)state;
    play_start(p);
    up(p);
    respond(p, FED_LINK_FORBIDDEN, FED_SPAN_LIT("the token expired at 2026-11-01T00:00:00Z"));
    assert_int_equal(p->err, FED_ERR_FORBIDDEN);
    assert_non_null(strstr(p->diag.text, "the token expired at 2026-11-01"));
    play_free(p);
}

static void test_name_taken(void **state)
{
    struct play *p = play_new();

    (void)state;
    play_start(p);
    up(p);
    respond(p, FED_LINK_CONFLICT, FED_SPAN_LIT("joined on Monday"));
    assert_int_equal(p->err, FED_ERR_EXISTS);
    assert_non_null(strstr(p->diag.text, "the name \"shop-17\" is taken"));
    play_free(p);
}

static void test_no_answer(void **state)
{
    struct play *p = play_new();
    struct fed_diag diag = {"no answer from 192.0.2.1"};

    (void)state;
    play_start(p);
    p->events.down(p->events.ctx, FED_ERR_TIMEOUT, &diag);
    assert_int_equal(p->finished, 0);
    world_pass(p->w, 10000);
    assert_true(p->connects >= 2); /* tried again */
    world_pass(p->w, 60000);
    assert_int_equal(p->finished, 1);
    assert_int_equal(p->err, FED_ERR_TIMEOUT);
    assert_non_null(strstr(p->diag.text, "did not answer in time"));
    assert_non_null(strstr(p->diag.text, "192.0.2.1"));
    play_free(p);
}

/* The hub asks for more milliseconds than 32 bits hold. */
static void test_asked_for_long(void **state)
{
    struct fed_link_message message = {.code = FED_LINK_UNAVAILABLE, .max_age_s = 4294967};
    struct play *p = play_new();
    fed_link_done *done;

    (void)state;
    play_start(p);
    up(p);
    done = p->done;
    p->done = NULL;
    done(p->done_ctx, FED_OK, &message, NULL);
    world_pass(p->w, 50000);
    assert_null(p->done); /* not asked again */
    assert_int_equal(p->finished, 0);
    play_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_proof_is_of_the_secret),
        cmocka_unit_test(test_waits_for_approval),
        cmocka_unit_test(test_pin_mismatch),
        cmocka_unit_test(test_certificate_of_another_ca),
        cmocka_unit_test(test_certificate_for_another_name),
        cmocka_unit_test(test_clock_far_off),
        cmocka_unit_test(test_token_refused),
        cmocka_unit_test(test_expired_token_is_named),
        cmocka_unit_test(test_name_taken),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_asked_for_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
