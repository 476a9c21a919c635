/* agent_renew_test.c - certificates and CAs over years, with real keys and a hub that a test plays.
 */
#include "agent/renew.h"
#include "agent/trust.h"
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY_S 86400
#define LIFE_S (360 * DAY_S)

struct ca {
    struct fed_buf key, cert;
};

struct play {
    struct world *w; /* its clock and store */
    int64_t unix_s;  /* at the clock's beginning */
    uint64_t since_ms;
    struct fed_crypto crypto;
    struct ca first, second, stranger;
    struct fed_buf vouch; /* second, signed by first */
    struct fed_buf key;
    struct agent_state state;
    struct agent_identity identity;
    struct fed_link link;
    struct agent_renew *renew;
    /* the hub */
    unsigned asked;
    fed_link_done *done;
    void *done_ctx;
    /* what the agent did */
    unsigned again;
    unsigned failed;
    char why[300];
};

/* Both clocks; the world's own moves the wall clock with its timers only. */
static void pass(struct play *p, uint64_t ms)
{
    world_pass(p->w, ms);
    p->w->unix_s = p->unix_s + (int64_t)(p->w->now_ms - p->since_ms) / 1000;
}

static void pass_days(struct play *p, unsigned days)
{
    for (unsigned i = 0; i < days; i++)
        pass(p, (uint64_t)DAY_S * 1000);
}

static void set_clock(struct play *p, int64_t further_s)
{
    p->unix_s += further_s;
    p->w->unix_s += further_s;
}

/* ---- keys and certificates ---- */

static void make_ca(struct play *p, struct ca *ca, const char *name)
{
    struct fed_diag diag = {""};

    fed_buf_init(&ca->key, fed_alloc_system(), 16384);
    fed_buf_init(&ca->cert, fed_alloc_system(), 16384);
    assert_int_equal(p->crypto.key_new(p->crypto.ctx, &ca->key), FED_OK);
    if (p->crypto.ca_new(p->crypto.ctx, fed_buf_span(&ca->key), name, p->w->unix_s - DAY_S,
            p->w->unix_s + (int64_t)3650 * DAY_S, &ca->cert, &diag))
        fail_msg("%s", diag.text);
}

static void put_text(char *out, size_t size, const struct fed_buf *a, const struct fed_buf *b,
    const struct fed_buf *c)
{
    const struct fed_buf *all[] = {a, b, c};
    size_t len = 0;

    for (size_t i = 0; i < 3; i++) {
        if (!all[i])
            continue;
        assert_true(len + all[i]->len < size);
        memcpy(out + len, all[i]->at, all[i]->len);
        len += all[i]->len;
    }
    out[len] = 0;
}

/* A certificate of the agent's key, from now on for so long. */
static void certify(
    struct play *p, const struct ca *ca, const char *name, int64_t life_s, char out[4096])
{
    static const char *const organizations[] = {"fedlet:agents"};
    struct fed_crypto_cert_request wanted = {.common_name = name,
        .organizations = organizations,
        .n_organizations = 1,
        .client = true,
        .not_before_unix_s = p->w->unix_s,
        .not_after_unix_s = p->w->unix_s + life_s};
    struct fed_diag diag = {""};
    struct fed_buf spki;
    struct fed_buf cert;

    fed_buf_init(&spki, fed_alloc_system(), 1024);
    fed_buf_init(&cert, fed_alloc_system(), 4095);
    assert_int_equal(
        p->crypto.key_public(p->crypto.ctx, fed_buf_span(&p->key), &spki, &diag), FED_OK);
    wanted.public_key = fed_buf_span(&spki);
    if (p->crypto.cert_issue(
            p->crypto.ctx, fed_buf_span(&ca->cert), fed_buf_span(&ca->key), &wanted, &cert, &diag))
        fail_msg("%s", diag.text);
    put_text(out, 4096, &cert, NULL, NULL);
    fed_buf_fini(&spki);
    fed_buf_fini(&cert);
}

/* ---- the hub ---- */

static enum fed_err link_request(void *ctx, enum fed_link_method method, const char *path,
    const char *query, struct fed_span payload, unsigned timeout_ms, fed_link_done *done,
    void *done_ctx)
{
    struct play *p = ctx;

    (void)timeout_ms;
    assert_int_equal(method, FED_LINK_POST);
    assert_string_equal(path, "c");
    assert_null(query);
    assert_int_equal(payload.len, 0);
    p->asked++;
    p->done = done;
    p->done_ctx = done_ctx;
    return FED_OK;
}

static void respond(struct play *p, unsigned code, struct fed_span payload, uint32_t max_age_s)
{
    struct fed_link_message message = {.code = code, .payload = payload, .max_age_s = max_age_s};
    fed_link_done *done = p->done;

    assert_non_null(done);
    p->done = NULL;
    done(p->done_ctx, FED_OK, &message, NULL);
    world_settle(p->w);
}

static void give(struct play *p, const struct fed_join_answer *answer)
{
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), 65536);
    assert_int_equal(fed_join_answer_put(&text, answer), FED_OK);
    respond(p, FED_LINK_CHANGED, fed_buf_span(&text), 0);
    fed_buf_fini(&text);
}

/* Another certificate by the first CA. */
static void give_next(struct play *p, int64_t life_s)
{
    static struct fed_join_answer answer;

    answer = (struct fed_join_answer){.approved = true, .cluster = "shop-17"};
    certify(p, &p->first, "shop-17", life_s, answer.certificate);
    put_text(answer.ca, sizeof answer.ca, &p->first.cert, NULL, NULL);
    give(p, &answer);
}

static void come_up(struct play *p, const struct ca *trusted, const struct ca *and)
{
    struct fed_link_hello hello = {.unix_s = p->w->unix_s};
    struct fed_link_hello_items items = {.has_trust = true};
    struct fed_diag diag = {""};
    char pem[8192];

    put_text(pem, sizeof pem, &trusted->cert, and? &and->cert : NULL, NULL);
    assert_int_equal(agent_trust_mark(&p->crypto, fed_span_text(pem), items.trust, &diag), FED_OK);
    agent_renew_up(p->renew, &hello, &items);
    world_settle(p->w);
}

static void on_again(void *ctx)
{
    ((struct play *)ctx)->again++;
}

static void on_failed(void *ctx, const char *why, uint32_t asked_s)
{
    struct play *p = ctx;

    (void)asked_s;
    p->failed++;
    snprintf(p->why, sizeof p->why, "%s", why);
}

/* ---- a play ---- */

static void begin_renew(struct play *p)
{
    struct agent_ports ports = {.mem = fed_alloc_system(),
        .loop = &p->w->loop,
        .log = &p->w->log,
        .crypto = &p->crypto,
        .store = &p->w->store,
        .link = &p->link};
    struct agent_renew_options options = {
        .state = &p->state, .identity = &p->identity, .key_pem = fed_buf_span(&p->key)};
    struct agent_renew_events events = {.ctx = p, .again = on_again, .failed = on_failed};
    struct fed_diag diag = {""};

    if (agent_renew_new(&ports, &options, &events, &p->renew, &diag))
        fail_msg("%s", diag.text);
}

static struct play *play_new(const char *cluster)
{
    struct play *p = calloc(1, sizeof *p);
    struct fed_diag diag = {""};

    p->w = world_new();
    p->unix_s = p->w->unix_s;
    p->since_ms = p->w->now_ms;
    assert_int_equal(fed_tls_crypto_open(fed_alloc_system(), &p->crypto, &diag), FED_OK);
    make_ca(p, &p->first, "first CA");
    make_ca(p, &p->second, "second CA");
    make_ca(p, &p->stranger, "a stranger's CA");
    fed_buf_init(&p->vouch, fed_alloc_system(), 16384);
    assert_int_equal(p->crypto.ca_vouch(p->crypto.ctx, fed_buf_span(&p->first.cert),
                         fed_buf_span(&p->first.key), fed_buf_span(&p->second.cert),
                         p->w->unix_s - DAY_S, p->w->unix_s + DAY_S, &p->vouch, &diag),
        FED_OK);
    fed_buf_init(&p->key, fed_alloc_system(), 16384);
    assert_int_equal(p->crypto.key_new(p->crypto.ctx, &p->key), FED_OK);
    snprintf(p->identity.cluster, sizeof p->identity.cluster, "%s", cluster);
    snprintf(p->identity.hubs[0], sizeof p->identity.hubs[0], "coaps://hub.test:5684");
    p->identity.n_hubs = 1;
    put_text(p->identity.ca, sizeof p->identity.ca, &p->first.cert, NULL, NULL);
    certify(p, &p->first, cluster, LIFE_S, p->identity.certificate);
    agent_state_init(&p->state, fed_alloc_system(), &p->w->store);
    p->link = (struct fed_link){.ctx = p, .request = link_request};
    begin_renew(p);
    return p;
}

static void ca_fini(struct ca *ca)
{
    fed_buf_fini(&ca->key);
    fed_buf_fini(&ca->cert);
}

static void play_free(struct play *p)
{
    agent_renew_free(p->renew);
    ca_fini(&p->first);
    ca_fini(&p->second);
    ca_fini(&p->stranger);
    fed_buf_fini(&p->vouch);
    fed_buf_fini(&p->key);
    fed_tls_crypto_close(&p->crypto);
    world_free(p->w);
    free(p);
}

static int64_t ends(struct play *p)
{
    struct agent_renew_status status;

    agent_renew_status(p->renew, &status);
    return status.not_after_unix_s;
}

static int64_t due(struct play *p)
{
    struct agent_renew_status status;

    agent_renew_status(p->renew, &status);
    return status.due_unix_s;
}

/* ---- tests ---- */

static void test_in_time(void **state)
{
    struct play *p = play_new("shop-17");
    struct agent_identity stored;
    struct fed_diag diag = {""};
    char before[4096];
    int64_t first = ends(p);

    (void)state;
    assert_in_range(due(p) - p->w->unix_s, LIFE_S / 3 * 2, LIFE_S / 4 * 3);
    come_up(p, &p->first, NULL);
    pass_days(p, 239);
    assert_int_equal(p->asked, 0);
    pass_days(p, 32);
    assert_int_equal(p->asked, 1);
    memcpy(before, p->identity.certificate, sizeof before);
    give_next(p, LIFE_S);
    assert_true(ends(p) > first + 200 * (int64_t)DAY_S);
    assert_string_not_equal(p->identity.certificate, before);
    assert_int_equal(agent_state_identity(&p->state, &stored, &diag), FED_OK);
    assert_string_equal(stored.certificate, p->identity.certificate);
    assert_string_equal(stored.ca, p->identity.ca);
    assert_string_equal(stored.hubs[0], "coaps://hub.test:5684");
    /* Used within a day, and then not asked for again before its time. */
    assert_int_equal(p->again, 0);
    pass_days(p, 1);
    assert_int_equal(p->again, 1);
    come_up(p, &p->first, NULL);
    pass_days(p, 200);
    assert_int_equal(p->asked, 1);
    assert_int_equal(p->again, 1);
    play_free(p);
}

/* A fleet that joined in one hour does not ask in one hour. */
static void test_spread(void **state)
{
    unsigned months[3] = {0};

    (void)state;
    for (unsigned i = 0; i < 24; i++) {
        char name[32];
        struct play *p;
        int64_t late_s;

        snprintf(name, sizeof name, "shop-%u", i);
        p = play_new(name);
        late_s = due(p) - p->w->unix_s - LIFE_S / 3 * 2;
        assert_in_range(late_s, 0, LIFE_S / 12);
        months[late_s * 3 / (LIFE_S / 12 + 1)]++;
        play_free(p);
    }
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(months[i], 2, 16);
}

/* The hub's clock counts: this machine's may be anything. */
static void test_clocks(void **state)
{
    struct play *p = play_new("shop-17");
    struct fed_link_hello hello = {.unix_s = p->w->unix_s + LIFE_S / 5 * 4};
    struct fed_link_hello_items items = {0};

    (void)state;
    agent_renew_up(p->renew, &hello, &items);
    world_settle(p->w);
    assert_int_equal(p->asked, 1);
    play_free(p);
    /* Ahead by years, and the hub says that there is time. */
    p = play_new("shop-17");
    hello.unix_s = p->w->unix_s;
    set_clock(p, (int64_t)5 * LIFE_S);
    agent_renew_up(p->renew, &hello, &items);
    pass_days(p, 10);
    assert_int_equal(p->asked, 0);
    play_free(p);
}

static void test_later(void **state)
{
    struct play *p = play_new("shop-17");

    (void)state;
    come_up(p, &p->first, NULL);
    pass_days(p, 271);
    assert_int_equal(p->asked, 1);
    respond(p, FED_LINK_FORBIDDEN, fed_span_text("no"), 0);
    assert_non_null(strstr(p->w->log_text, "the hub refuses a new certificate: no"));
    assert_int_equal(p->failed, 0); /* the session is good for the rest */
    pass(p, 61000);
    assert_int_equal(p->asked, 2);
    respond(p, FED_LINK_UNAVAILABLE, fed_span_text(""), 300);
    pass(p, 300000);
    assert_int_equal(p->asked, 2); /* not earlier, and some jitter */
    pass(p, 121000);
    assert_int_equal(p->asked, 3);
    /* An older hub: once a day. */
    respond(p, FED_LINK_NOT_FOUND, fed_span_text(""), 0);
    pass(p, 86000000);
    assert_int_equal(p->asked, 3);
    pass(p, 600000);
    assert_int_equal(p->asked, 4);
    /* Not without a session. */
    respond(p, FED_LINK_INTERNAL, fed_span_text(""), 0);
    agent_renew_down(p->renew);
    pass_days(p, 3);
    assert_int_equal(p->asked, 4);
    play_free(p);
}

/* What would be no use is not stored. */
static void test_answers_refused(void **state)
{
    static struct fed_join_answer answer;
    struct play *p = play_new("shop-17");
    char before[4096];
    unsigned asked = 1;

    (void)state;
    memcpy(before, p->identity.certificate, sizeof before);
    come_up(p, &p->first, NULL);
    pass_days(p, 271);
    for (unsigned i = 0; i < 6; i++) {
        struct fed_buf key;

        assert_int_equal(p->asked, asked++);
        answer = (struct fed_join_answer){.approved = true, .cluster = "shop-17"};
        put_text(answer.ca, sizeof answer.ca, &p->first.cert, NULL, NULL);
        certify(p, i == 0 ? &p->stranger : &p->first, i == 1 ? "shop-18" : "shop-17", LIFE_S,
            answer.certificate);
        if (i == 2)
            snprintf(answer.cluster, sizeof answer.cluster, "shop-18");
        if (i == 3) { /* another CA, which nobody vouches for */
            put_text(answer.ca, sizeof answer.ca, &p->stranger.cert, NULL, NULL);
            certify(p, &p->stranger, "shop-17", LIFE_S, answer.certificate);
        }
        if (i == 4) { /* for another key */
            key = p->key;
            fed_buf_init(&p->key, fed_alloc_system(), 16384);
            assert_int_equal(p->crypto.key_new(p->crypto.ctx, &p->key), FED_OK);
            certify(p, &p->first, "shop-17", LIFE_S, answer.certificate);
            fed_buf_fini(&p->key);
            p->key = key;
        }
        if (i == 5)
            p->w->commit_err = FED_ERR_FULL; /* nowhere to put it */
        give(p, &answer);
        assert_string_equal(p->identity.certificate, before);
        pass(p, (uint64_t)AGENT_RENEW_CEILING_MS);
    }
    p->w->commit_err = FED_OK;
    give_next(p, LIFE_S);
    assert_string_not_equal(p->identity.certificate, before);
    play_free(p);
}

/* Near the end of a CA each certificate is as short as the last: no circle. */
static void test_short_ones(void **state)
{
    struct play *p = play_new("shop-17");
    unsigned asked = 0;

    (void)state;
    come_up(p, &p->first, NULL);
    pass_days(p, 270);
    for (unsigned i = 0; i < 1000 && ends(p) - p->w->unix_s > DAY_S; i++) {
        if (p->done) {
            asked++;
            give_next(p, ends(p) - p->w->unix_s); /* the end stays */
        }
        pass(p, (uint64_t)DAY_S * 1000 / 4);
        if (p->again) {
            p->again = 0;
            come_up(p, &p->first, NULL);
        }
    }
    assert_in_range(asked, 1, 40);
    play_free(p);
}

static void test_ended(void **state)
{
    struct play *p = play_new("shop-17");
    struct fed_link other = p->link; /* the one that said so */

    (void)state;
    set_clock(p, (int64_t)3 * LIFE_S);
    assert_true(agent_renew_ended(p->renew, &other));
    assert_int_equal(p->asked, 1);
    assert_false(agent_renew_ended(p->renew, &other)); /* once is enough */
    respond(p, FED_LINK_FORBIDDEN, fed_span_text("longer ago than this hub takes one back"), 0);
    assert_int_equal(p->failed, 1);
    assert_non_null(strstr(p->why, "longer ago"));
    assert_true(agent_renew_ended(p->renew, &other));
    give_next(p, LIFE_S);
    assert_int_equal(p->again, 1); /* at once */
    assert_true(ends(p) > p->w->unix_s);
    /* The hub says so of the new one, too: no circle. */
    assert_false(agent_renew_ended(p->renew, &other));
    pass(p, 9000);
    assert_false(agent_renew_ended(p->renew, &other));
    assert_int_equal(p->asked, 2);
    pass(p, 2000);
    assert_true(agent_renew_ended(p->renew, &other));
    assert_int_equal(p->asked, 3);
    play_free(p);
}

/* ---- a hub whose clock is, or was, wrong ---- */

static bool clock_is_kept(void *ctx)
{
    (void)ctx;
    return true;
}

static void give_of(struct play *p, int64_t ahead_s)
{
    static struct fed_join_answer answer;

    answer = (struct fed_join_answer){.approved = true, .cluster = "shop-17"};
    p->w->unix_s += ahead_s;
    certify(p, &p->first, "shop-17", LIFE_S, answer.certificate);
    p->w->unix_s -= ahead_s;
    put_text(answer.ca, sizeof answer.ca, &p->first.cert, NULL, NULL);
    give(p, &answer);
}

static void test_hub_was_ahead(void **state)
{
    struct play *p = play_new("shop-17");
    struct fed_link_hello hello = {.unix_s = p->w->unix_s + (int64_t)2 * LIFE_S};
    struct fed_link_hello_items items = {.has_trust = false};
    struct fed_link other = p->link;

    (void)state;
    agent_renew_up(p->renew, &hello, &items);
    agent_renew_down(p->renew);
    assert_true(agent_renew_ended(p->renew, &other));
    give_of(p, 0);
    assert_int_equal(p->failed, 0);
    assert_int_equal(p->again, 1);
    play_free(p);
}

static void test_hub_is_wrong(void **state)
{
    struct play *p = play_new("shop-17");
    struct fed_link other = p->link;
    char before[4096];

    (void)state;
    memcpy(before, p->identity.certificate, sizeof before);
    p->w->loop.clock_is_kept = clock_is_kept;
    for (int years = -2; years <= 2; years += 4) {
        assert_true(agent_renew_ended(p->renew, &other));
        give_of(p, (int64_t)years * LIFE_S);
        assert_string_equal(p->identity.certificate, before);
        assert_non_null(strstr(p->why, years > 0 ? "of the future" : "has ended"));
    }
    assert_int_equal(p->failed, 2);
    /* Minutes are no reason; nor is it, where nothing keeps the clock, how long it is. */
    assert_true(agent_renew_ended(p->renew, &other));
    give_of(p, 3600);
    assert_string_not_equal(p->identity.certificate, before);
    p->w->loop.clock_is_kept = NULL;
    memcpy(before, p->identity.certificate, sizeof before);
    pass(p, 11000);
    assert_true(agent_renew_ended(p->renew, &other));
    give_of(p, (int64_t)2 * LIFE_S);
    assert_string_not_equal(p->identity.certificate, before);
    play_free(p);
}

/* ---- another CA ---- */

static void test_rotation(void **state)
{
    static struct fed_join_answer answer;
    struct play *p = play_new("shop-17");
    char both[8192];

    (void)state;
    come_up(p, &p->first, NULL);
    pass(p, 700000);
    assert_int_equal(p->asked, 0);
    /* The hub names two: within ten minutes. */
    come_up(p, &p->first, &p->second);
    pass(p, (uint64_t)AGENT_RENEW_TRUST_SPREAD_S * 1000 + 1000);
    assert_int_equal(p->asked, 1);
    answer = (struct fed_join_answer){.approved = true, .cluster = "shop-17"};
    certify(p, &p->second, "shop-17", LIFE_S, answer.certificate);
    put_text(answer.ca, sizeof answer.ca, &p->first.cert, &p->second.cert, &p->vouch);
    give(p, &answer);
    put_text(both, sizeof both, &p->first.cert, &p->second.cert, NULL);
    assert_string_equal(p->identity.ca, both);
    assert_string_equal(p->identity.certificate, answer.certificate);
    /* In whatever order the hub names them: these. */
    pass_days(p, 1);
    assert_int_equal(p->again, 1);
    come_up(p, &p->second, &p->first);
    pass_days(p, 1);
    assert_int_equal(p->asked, 1);
    /* One is dropped. */
    come_up(p, &p->second, NULL);
    pass_days(p, 91);
    assert_int_equal(p->asked, 2);
    put_text(answer.ca, sizeof answer.ca, &p->second.cert, NULL, NULL);
    give(p, &answer);
    put_text(both, sizeof both, &p->second.cert, NULL, NULL);
    assert_string_equal(p->identity.ca, both);
    play_free(p);
}

static void test_trust(void **state)
{
    struct play *p = play_new("shop-17");
    struct fed_crypto_cert_info info;
    struct fed_digest pin;
    struct fed_diag diag = {""};
    struct fed_buf out;
    const struct {
        const struct fed_buf *pem[3];
        bool by_pin;
        enum fed_err err;
    } cases[] = {
        {{&p->first.cert}, false, FED_OK},
        {{&p->first.cert}, true, FED_OK},
        {{&p->first.cert, &p->second.cert, &p->vouch}, false, FED_OK},
        {{&p->second.cert, &p->vouch, &p->first.cert}, true, FED_OK},
        {{&p->second.cert, &p->vouch}, false, FED_OK},
        {{&p->second.cert, &p->vouch}, true, FED_ERR_FORBIDDEN}, /* the pinned one is not there */
        {{&p->first.cert, &p->second.cert}, false, FED_ERR_FORBIDDEN},
        {{&p->first.cert, &p->second.cert}, true, FED_ERR_FORBIDDEN},
        {{&p->first.cert, &p->stranger.cert, &p->vouch}, false, FED_ERR_FORBIDDEN},
        {{&p->stranger.cert}, false, FED_ERR_FORBIDDEN},
        {{&p->vouch}, false, FED_ERR_INVALID}, /* nothing to trust in it */
        {{&p->key}, false, FED_ERR_INVALID},
    };

    (void)state;
    assert_int_equal(
        p->crypto.cert_info(p->crypto.ctx, fed_buf_span(&p->first.cert), &info, &diag), FED_OK);
    pin = info.public_key;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct agent_trust trust = {.pin = cases[i].by_pin ? &pin : NULL,
            .known_pem = cases[i].by_pin ? fed_span_text("") : fed_buf_span(&p->first.cert)};
        char pem[8192];
        enum fed_err err;

        fed_buf_init(&out, fed_alloc_system(), 16384);
        put_text(pem, sizeof pem, cases[i].pem[0], cases[i].pem[1], cases[i].pem[2]);
        err = agent_trust_take(
            fed_alloc_system(), &p->crypto, &trust, fed_span_text(pem), &out, &diag);
        if (err != cases[i].err)
            fail_msg("case %zu: %s", i, fed_err_text(err));
        fed_buf_fini(&out);
    }
    /* An agent's own certificate is none to trust. */
    fed_buf_init(&out, fed_alloc_system(), 16384);
    assert_int_equal(agent_trust_take(fed_alloc_system(), &p->crypto,
                         &(struct agent_trust){.known_pem = fed_buf_span(&p->first.cert)},
                         fed_span_text(p->identity.certificate), &out, &diag),
        FED_ERR_INVALID);
    fed_buf_fini(&out);
    play_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_time),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_later),
        cmocka_unit_test(test_answers_refused),
        cmocka_unit_test(test_short_ones),
        cmocka_unit_test(test_ended),
        cmocka_unit_test(test_hub_was_ahead),
        cmocka_unit_test(test_hub_is_wrong),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_trust),
    };

    return cmocka_run_group_tests_name("agent_renew", tests, NULL, NULL);
}
