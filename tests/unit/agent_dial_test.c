/* Choosing: every rule of agent/dial.h, with links that do what the test says. */
#include "agent/dial.h"
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fake {
    struct fed_link port;
    struct fed_link_events events;
    unsigned connects;
    bool open;
    unsigned resumes;
    unsigned suspends;
    char host[64];
    unsigned timeout_ms;
    enum fed_err refuse; /* of connect */
    fed_link_done *done; /* of the hello */
    void *done_ctx;
};

struct play {
    struct world *w;
    struct agent_ports ports;
    struct fake coap, https;
    struct agent_dial_slot slot;
    struct agent_dial *dial;
    const char (*hubs)[281];
    unsigned ups, downs, notes;
    bool may_not_move;
};

static const char two[][281] = {"coaps://udp.test:5684", "https://tcp.test:7444"};
static const char five[][281] = {"coaps://udp1.test:5684", "coaps://udp2.test:5684",
    "coaps://udp3.test:5684", "https://tcp1.test:7444", "https://tcp2.test:7444"};

/* ---- links ---- */

static enum fed_err fake_connect(void *ctx, const char *host, uint16_t port,
    const struct fed_link_client_identity *identity, unsigned timeout_ms, struct fed_diag *diag)
{
    struct fake *f = ctx;

    assert_false(f->open);
    assert_non_null(identity);
    assert_true(port > 0);
    f->connects++;
    f->timeout_ms = timeout_ms;
    snprintf(f->host, sizeof f->host, "%s", host);
    if (f->refuse)
        return fed_diag_set(diag, f->refuse, "refused at once");
    f->open = true;
    return FED_OK;
}

static void fake_disconnect(void *ctx)
{
    struct fake *f = ctx;
    fed_link_done *done = f->done;

    f->open = false;
    f->done = NULL;
    if (done)
        done(f->done_ctx, FED_ERR_CLOSED, NULL, NULL);
}

static enum fed_err fake_request(void *ctx, enum fed_link_method method, const char *path,
    const char *query, struct fed_span payload, unsigned timeout_ms, fed_link_done *done,
    void *done_ctx)
{
    struct fake *f = ctx;

    (void)method;
    (void)query;
    (void)payload;
    (void)timeout_ms;
    assert_true(f->open);
    if (strcmp(path, FED_LINK_PATH_AWAY) == 0)
        return FED_OK;
    assert_string_equal(path, FED_LINK_PATH_HELLO);
    f->done = done;
    f->done_ctx = done_ctx;
    return FED_OK;
}

static enum fed_err fake_suspend(void *ctx, struct fed_buf *out)
{
    struct fake *f = ctx;

    f->suspends++;
    fake_disconnect(ctx);
    fed_buf_put_text(out, "keys");
    return fed_buf_err(out);
}

static enum fed_err fake_resume(void *ctx, const char *host, uint16_t port, struct fed_span saved,
    unsigned timeout_ms, struct fed_diag *diag)
{
    struct fake *f = ctx;

    (void)timeout_ms;
    (void)diag;
    assert_false(f->open);
    assert_true(fed_span_is(saved, "keys") && port > 0);
    snprintf(f->host, sizeof f->host, "%s", host);
    f->resumes++;
    f->open = true;
    return FED_OK;
}

static void fake_stats(void *ctx, struct fed_link_stats *out)
{
    (void)ctx;
    *out = (struct fed_link_stats){.sent_bytes = 10, .received_bytes = 20};
}

static void fake_init(struct fake *f, struct play *p, enum agent_dial_binding binding)
{
    f->port = (struct fed_link){.ctx = f,
        .connect = fake_connect,
        .disconnect = fake_disconnect,
        .request = fake_request,
        .stats = fake_stats};
    if (binding == AGENT_DIAL_COAP) {
        f->port.suspend = fake_suspend;
        f->port.resume = fake_resume;
    }
    f->events = agent_dial_link_events(&p->slot, binding);
}

static void handshake(struct fake *f)
{
    assert_true(f->open);
    f->events.up(f->events.ctx);
}

static void answer_hello(struct fake *f, unsigned code, uint32_t max_age_s)
{
    struct fed_link_hello hello = {.heartbeat_s = 60, .epoch = 7, .report_seq = 3};
    struct fed_link_message message = {.code = code, .max_age_s = max_age_s};
    fed_link_done *done = f->done;
    struct fed_buf out;

    assert_non_null(done);
    f->done = NULL;
    fed_buf_init(&out, fed_alloc_system(), 100);
    if (code == FED_LINK_CONTENT)
        fed_link_hello_put(&out, &hello);
    message.payload = fed_buf_span(&out);
    done(f->done_ctx, FED_OK, &message, NULL);
    fed_buf_fini(&out);
}

static void get_through(struct fake *f)
{
    handshake(f);
    answer_hello(f, FED_LINK_CONTENT, 0);
}

static void go_down(struct fake *f, enum fed_err err)
{
    struct fed_diag diag = {"it is gone"};
    fed_link_done *done = f->done;

    assert_true(f->open);
    f->open = false;
    f->done = NULL;
    if (done)
        done(f->done_ctx, FED_ERR_CLOSED, NULL, &diag);
    f->events.down(f->events.ctx, err, &diag);
}

/* ---- one file ---- */

static struct fed_buf file;

static enum fed_err fs_read(void *ctx, const char *path, struct fed_buf *out, struct fed_diag *diag)
{
    (void)ctx;
    (void)path;
    (void)diag;
    fed_buf_put(out, fed_buf_span(&file));
    return file.len ? fed_buf_err(out) : FED_ERR_NOT_FOUND;
}

static enum fed_err fs_write(
    void *ctx, const char *path, struct fed_span bytes, unsigned mode, struct fed_diag *diag)
{
    (void)ctx;
    (void)path;
    (void)mode;
    (void)diag;
    fed_buf_init(&file, fed_alloc_system(), 65536);
    fed_buf_put(&file, bytes);
    return fed_buf_err(&file);
}

static enum fed_err fs_remove(void *ctx, const char *path, struct fed_diag *diag)
{
    (void)ctx;
    (void)path;
    (void)diag;
    fed_buf_fini(&file);
    return FED_OK;
}

static enum fed_err fs_name(void *ctx, const char *path, struct fed_buf *out, struct fed_diag *diag)
{
    (void)ctx;
    (void)diag;
    fed_buf_put_text(out, path);
    return fed_buf_err(out);
}

static enum fed_err fs_touch(void *ctx, const char *path, struct fed_diag *diag)
{
    (void)ctx;
    (void)path;
    (void)diag;
    return FED_OK;
}

static struct fed_fs fs = {
    .read = fs_read, .write = fs_write, .remove = fs_remove, .name = fs_name, .touch = fs_touch};
static const struct agent_session_place place = {.fs = &fs, .path = "session", .anchor = "key"};

/* ---- the user ---- */

static void on_up(void *ctx, const struct fed_link_hello *hello, struct fed_span items)
{
    assert_int_equal(items.len, 0);
    assert_int_equal(hello->report_seq, 3);
    ((struct play *)ctx)->ups++;
}

static void on_down(void *ctx)
{
    ((struct play *)ctx)->downs++;
}

static void on_notification(void *ctx, const struct fed_link_message *message)
{
    (void)message;
    ((struct play *)ctx)->notes++;
}

static enum fed_err send_hello(
    void *ctx, struct fed_link *link, unsigned timeout_ms, fed_link_done *done, void *done_ctx)
{
    (void)ctx;
    return link->request(link->ctx, FED_LINK_GET, FED_LINK_PATH_HELLO, NULL, (struct fed_span){0},
        timeout_ms, done, done_ctx);
}

static bool may_move(void *ctx)
{
    return !((struct play *)ctx)->may_not_move;
}

static struct play *play_new(const char (*hubs)[281], size_t n, enum agent_dial_mode mode)
{
    struct play *p = calloc(1, sizeof *p);
    struct agent_dial_events events = {.ctx = p,
        .up = on_up,
        .down = on_down,
        .notification = on_notification,
        .hello = send_hello,
        .may_move = may_move};
    struct agent_dial_options options = {
        .hubs = hubs, .n_hubs = n, .mode = mode, .session = &place};

    p->w = world_new();
    options.identity = &p->w->identity;
    fake_init(&p->coap, p, AGENT_DIAL_COAP);
    fake_init(&p->https, p, AGENT_DIAL_HTTPS);
    p->ports = (struct agent_ports){.mem = fed_alloc_system(),
        .loop = &p->w->loop,
        .log = &p->w->log,
        .crypto = &p->w->crypto, /* every random byte is 127: half of the full wait */
        .coap = &p->coap.port,
        .https = &p->https.port};
    assert_int_equal(agent_dial_new(&p->ports, &options, &events, &p->dial), FED_OK);
    p->slot.dial = p->dial;
    agent_dial_start(p->dial);
    return p;
}

static void play_free(struct play *p)
{
    p->slot.dial = NULL;
    agent_dial_free(p->dial);
    world_free(p->w);
    free(p);
}

static struct agent_dial_status status_of(struct play *p)
{
    struct agent_dial_status status;

    agent_dial_status(p->dial, &status);
    return status;
}

static bool uses(struct play *p, const char *hub)
{
    struct agent_dial_status status = status_of(p);

    return status.state == AGENT_DIAL_IN_USE && strcmp(status.hub, hub) == 0;
}

/* Lets time pass until that link is dialed once more; how long it took, limit when it was not. */
static uint64_t until_dialed(struct play *p, struct fake *f, uint64_t limit_ms)
{
    uint64_t since_ms = p->w->now_ms;
    unsigned before = f->connects;

    while (f->connects == before && p->w->now_ms - since_ms < limit_ms)
        world_pass(p->w, 100);
    return p->w->now_ms - since_ms;
}

/* UDP is blocked: HTTPS is in use after the head start. */
static struct play *play_blocked(void)
{
    struct play *p = play_new(two, 2, AGENT_DIAL_AUTO);

    world_pass(p->w, AGENT_DIAL_HEAD_START_MS);
    get_through(&p->https);
    agent_dial_ready(p->dial);
    assert_true(uses(p, two[1]));
    return p;
}

/* ---- cases ---- */

static void test_coap_is_preferred(void **state)
{
    struct play *p = play_new(two, 2, AGENT_DIAL_AUTO);
    struct fed_link_message message = {.code = FED_LINK_CONTENT};
    struct fed_link_stats stats;

    (void)state;
    assert_int_equal(p->coap.connects, 1);
    assert_string_equal(p->coap.host, "udp.test");
    world_pass(p->w, 3000);
    handshake(&p->coap);
    assert_int_equal(p->ups, 0); /* a handshake alone proves little */
    answer_hello(&p->coap, FED_LINK_CONTENT, 0);
    assert_int_equal(p->ups, 1);
    assert_true(uses(p, two[0]));
    assert_string_equal(status_of(p).link, "coap");
    agent_dial_ready(p->dial);
    world_pass(p->w, 3600000);
    assert_int_equal(p->https.connects, 0);
    p->coap.events.notification(p->coap.events.ctx, &message);
    p->https.events.notification(p->https.events.ctx, &message);
    assert_int_equal(p->notes, 1);
    agent_dial_port(p->dial)->stats(agent_dial_port(p->dial)->ctx, &stats);
    assert_int_equal(stats.sent_bytes, 20);
    play_free(p);
}

static void test_blocked_udp(void **state)
{
    struct play *p = play_new(two, 2, AGENT_DIAL_AUTO);

    (void)state;
    world_pass(p->w, AGENT_DIAL_HEAD_START_MS - 1);
    assert_int_equal(p->https.connects, 0);
    world_pass(p->w, 1);
    assert_int_equal(p->https.connects, 1);
    assert_true(AGENT_DIAL_HEAD_START_MS < 15000);
    assert_true(p->coap.open); /* it may still answer */
    get_through(&p->https);
    assert_true(uses(p, two[1]));
    assert_string_equal(status_of(p).link, "https");
    assert_false(p->coap.open);
    assert_true(status_of(p).coap_try_unix_s > 0);
    play_free(p);
}

static void test_refused_udp(void **state)
{
    struct play *p = play_new(two, 2, AGENT_DIAL_AUTO);

    (void)state;
    go_down(&p->coap, FED_ERR_NETWORK);
    assert_int_equal(p->https.connects, 1); /* nothing to wait for */
    get_through(&p->https);
    assert_true(uses(p, two[1]));
    play_free(p);
}

static void test_handshake_without_hello(void **state)
{
    struct play *p = play_new(two, 2, AGENT_DIAL_AUTO);

    (void)state;
    handshake(&p->coap);
    world_pass(p->w, AGENT_DIAL_HEAD_START_MS);
    get_through(&p->https);
    assert_true(uses(p, two[1]));
    assert_false(p->coap.open);
    play_free(p);
}

static void test_late_udp_wins(void **state)
{
    struct play *p = play_new(two, 2, AGENT_DIAL_AUTO);

    (void)state;
    world_pass(p->w, AGENT_DIAL_HEAD_START_MS + 1000);
    assert_true(p->https.open);
    get_through(&p->coap);
    assert_true(uses(p, two[0]));
    assert_false(p->https.open);
    play_free(p);
}

static void test_goes_back(void **state)
{
    struct play *p = play_blocked();
    uint64_t took_ms = until_dialed(p, &p->coap, 600000);

    (void)state;
    assert_in_range(took_ms, AGENT_DIAL_PROBE_FLOOR_MS / 2, AGENT_DIAL_PROBE_FLOOR_MS);
    assert_true(uses(p, two[1])); /* meanwhile */
    handshake(&p->coap);
    assert_true(uses(p, two[1])); /* not by a handshake alone */
    answer_hello(&p->coap, FED_LINK_CONTENT, 0);
    assert_true(uses(p, two[0]));
    assert_int_equal(p->downs, 1);
    assert_int_equal(p->ups, 2);
    assert_false(p->https.open);
    play_free(p);
}

static void test_probes_back_off(void **state)
{
    struct play *p = play_blocked();
    uint64_t full_ms = AGENT_DIAL_PROBE_FLOOR_MS;

    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        uint64_t took_ms = until_dialed(p, &p->coap, 2 * AGENT_DIAL_PROBE_CEILING_MS);

        assert_in_range(took_ms, full_ms / 2, full_ms + 100);
        if (i % 2)
            handshake(&p->coap); /* handshakes get through, the hello does not */
        assert_true(p->coap.timeout_ms <= 15000);
        go_down(&p->coap, FED_ERR_TIMEOUT);
        full_ms =
            full_ms * 2 > AGENT_DIAL_PROBE_CEILING_MS ? AGENT_DIAL_PROBE_CEILING_MS : full_ms * 2;
    }
    assert_int_equal(p->downs, 0); /* nothing of it was felt */
    assert_int_equal(p->https.connects, 1);
    play_free(p);
}

static void test_no_flapping(void **state)
{
    struct play *p = play_blocked();
    uint64_t full_ms = AGENT_DIAL_PROBE_FLOOR_MS;

    (void)state;
    /* UDP lets handshake, hello and bundle through, and goes silent two minutes later; each time.
     */
    for (unsigned i = 0; i < 6; i++) {
        assert_in_range(
            until_dialed(p, &p->coap, 2 * AGENT_DIAL_PROBE_CEILING_MS), full_ms / 2, full_ms + 100);
        get_through(&p->coap);
        agent_dial_ready(p->dial);
        world_pass(p->w, 120000);
        agent_dial_lost(p->dial, AGENT_DIAL_SILENT, "it does not answer any more", 0);
        assert_int_equal(p->downs, 2 * i + 2);
        assert_true(until_dialed(p, &p->https, 60000) < 60000);
        assert_false(p->coap.open); /* HTTPS goes first now */
        get_through(&p->https);
        agent_dial_ready(p->dial);
        full_ms *= 2;
    }
    /* A CoAP session that lives for long is trusted again. */
    assert_true(until_dialed(p, &p->coap, 2 * AGENT_DIAL_PROBE_CEILING_MS) >= full_ms / 2);
    get_through(&p->coap);
    agent_dial_ready(p->dial);
    world_pass(p->w, AGENT_DIAL_TRUST_MS);
    agent_dial_lost(p->dial, AGENT_DIAL_SILENT, "it does not answer any more", 0);
    assert_true(until_dialed(p, &p->coap, 10000) < 10000);
    world_pass(p->w, AGENT_DIAL_HEAD_START_MS);
    get_through(&p->https);
    assert_in_range(until_dialed(p, &p->coap, 600000), AGENT_DIAL_PROBE_FLOOR_MS / 2,
        AGENT_DIAL_PROBE_FLOOR_MS + 100);
    play_free(p);
}

/* What the hub ends or refuses says nothing about UDP. */
static void test_trust_is_about_silence(void **state)
{
    struct play *p = play_new(two, 2, AGENT_DIAL_AUTO);

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        get_through(&p->coap);
        agent_dial_ready(p->dial);
        if (i % 2)
            agent_dial_lost(p->dial, AGENT_DIAL_REFUSED, "it ended the observation", 0);
        else
            go_down(&p->coap, FED_ERR_CLOSED);
        assert_true(until_dialed(p, &p->coap, 60000) < 60000);
    }
    assert_int_equal(p->https.connects, 0);
    play_free(p);
}

static void test_bundle_does_not_come(void **state)
{
    struct play *p = play_new(two, 2, AGENT_DIAL_AUTO);

    (void)state;
    get_through(&p->coap);
    world_pass(p->w, AGENT_DIAL_READY_MS - 1);
    assert_true(uses(p, two[0]));
    world_pass(p->w, 1);
    assert_int_equal(p->downs, 1);
    assert_true(until_dialed(p, &p->https, 10000) < 10000);
    get_through(&p->https);
    world_pass(p->w, AGENT_DIAL_READY_MS); /* HTTPS has what time it needs */
    assert_true(p->https.open);
    play_free(p);
}

static void test_no_move_while_busy(void **state)
{
    struct play *p = play_blocked();
    unsigned before = p->coap.connects;

    (void)state;
    p->may_not_move = true;
    world_pass(p->w, 300000);
    assert_int_equal(p->coap.connects, before);
    p->may_not_move = false;
    world_pass(p->w, 20000);
    assert_int_equal(p->coap.connects, before + 1);
    play_free(p);
}

/* A hub that knows of the new session by its handshake ends the old one before the hello. */
static void test_replaced_while_probing(void **state)
{
    struct play *p = play_blocked();
    unsigned before = p->https.connects;

    (void)state;
    assert_true(until_dialed(p, &p->coap, 600000) < 600000);
    handshake(&p->coap);
    go_down(&p->https, FED_ERR_CLOSED);
    assert_int_equal(p->downs, 1);
    assert_int_equal(status_of(p).state, AGENT_DIAL_DIALING);
    answer_hello(&p->coap, FED_LINK_CONTENT, 0);
    assert_true(uses(p, two[0]));
    assert_int_equal(p->https.connects, before);
    play_free(p);
}

static void test_replaced_and_silent(void **state)
{
    struct play *p = play_blocked();

    (void)state;
    assert_true(until_dialed(p, &p->coap, 600000) < 600000);
    handshake(&p->coap);
    go_down(&p->https, FED_ERR_CLOSED);
    /* The hello stays unanswered: back without a wait. */
    assert_true(until_dialed(p, &p->https, 60000) <= AGENT_DIAL_HEAD_START_MS + 100);
    get_through(&p->https);
    assert_true(uses(p, two[1]));
    assert_false(p->coap.open);
    play_free(p);
}

static void test_addresses(void **state)
{
    struct play *p = play_new(five, 5, AGENT_DIAL_AUTO);

    (void)state;
    assert_string_equal(p->coap.host, "udp1.test");
    assert_true(p->coap.timeout_ms <= 15000); /* others wait behind it */
    go_down(&p->coap, FED_ERR_TIMEOUT);
    assert_string_equal(
        p->coap.host, "udp2.test"); /* at once: its failure says nothing of others */
    world_pass(p->w, AGENT_DIAL_HEAD_START_MS);
    assert_string_equal(p->https.host, "tcp1.test");
    go_down(&p->https, FED_ERR_NETWORK);
    assert_string_equal(p->https.host, "tcp2.test");
    go_down(&p->https, FED_ERR_NETWORK);
    assert_false(p->https.open); /* each once in a pass */
    go_down(&p->coap, FED_ERR_TIMEOUT);
    assert_string_equal(p->coap.host, "udp3.test");
    assert_int_equal(status_of(p).state, AGENT_DIAL_DIALING);
    go_down(&p->coap, FED_ERR_TIMEOUT);
    assert_int_equal(status_of(p).state, AGENT_DIAL_WAITING);
    assert_true(status_of(p).next_try_unix_s > 0);
    assert_non_null(strstr(status_of(p).why, "it is gone"));
    assert_true(until_dialed(p, &p->coap, 10000) <= 600);
    assert_string_equal(p->coap.host, "udp1.test");
    go_down(&p->coap, FED_ERR_TIMEOUT);
    get_through(&p->coap);
    assert_true(uses(p, five[1]));
    /* The one that works is the first of the next pass. */
    go_down(&p->coap, FED_ERR_CLOSED);
    assert_true(until_dialed(p, &p->coap, 10000) < 10000);
    assert_string_equal(p->coap.host, "udp2.test");
    play_free(p);
}

static void test_cannot_begin(void **state)
{
    struct play *p = play_new(two, 2, AGENT_DIAL_AUTO);

    (void)state;
    p->coap.refuse = p->https.refuse = FED_ERR_NETWORK;
    go_down(&p->coap, FED_ERR_TIMEOUT);
    assert_int_equal(status_of(p).state, AGENT_DIAL_WAITING);
    world_pass(p->w, 3600000);
    assert_in_range(p->coap.connects, 12, 60);
    play_free(p);
}

static void test_back_off(void **state)
{
    struct play *p = play_new(two, 1, AGENT_DIAL_AUTO);
    uint64_t full_ms = 500;

    (void)state;
    for (unsigned i = 0; i < 14; i++) {
        go_down(&p->coap, FED_ERR_TIMEOUT);
        /* Full jitter, of which this world draws the half. */
        assert_in_range(until_dialed(p, &p->coap, 600000), full_ms / 2, full_ms / 2 + 100);
        full_ms = full_ms * 2 > 300000 ? 300000 : full_ms * 2;
    }
    get_through(&p->coap);
    world_pass(p->w, 1000);
    go_down(&p->coap, FED_ERR_CLOSED); /* kicked: goes on where it was */
    assert_true(until_dialed(p, &p->coap, 600000) >= 150000);
    get_through(&p->coap);
    world_pass(p->w, 60000);
    go_down(&p->coap, FED_ERR_CLOSED); /* it lived long enough */
    assert_true(until_dialed(p, &p->coap, 600000) <= 600);
    play_free(p);
}

static void test_asked_to_wait(void **state)
{
    struct play *p = play_new(two, 2, AGENT_DIAL_AUTO);

    (void)state;
    handshake(&p->coap);
    answer_hello(&p->coap, FED_LINK_UNAVAILABLE, 30);
    assert_int_equal(p->https.connects, 0); /* it is one hub, whatever leads to it */
    assert_in_range(until_dialed(p, &p->coap, 600000), 30000, 31000);
    world_pass(p->w, AGENT_DIAL_HEAD_START_MS);
    handshake(&p->https);
    answer_hello(&p->https, FED_LINK_UNAVAILABLE, 40);
    assert_false(p->coap.open);
    assert_in_range(until_dialed(p, &p->coap, 600000), 40000, 42000);
    get_through(&p->coap);
    agent_dial_lost(p->dial, AGENT_DIAL_REFUSED, "it asks to come back later", 50);
    assert_in_range(until_dialed(p, &p->coap, 600000), 50000, 53000);
    play_free(p);
}

static void test_refused_hello(void **state)
{
    struct play *p = play_new(two, 1, AGENT_DIAL_AUTO);

    (void)state;
    handshake(&p->coap);
    answer_hello(&p->coap, FED_LINK_FORBIDDEN, 0);
    assert_non_null(strstr(status_of(p).why, "it answered 4.03 to the hello"));
    assert_int_equal(status_of(p).state, AGENT_DIAL_WAITING);
    play_free(p);
}

static void test_modes(void **state)
{
    struct agent_dial_options options = {.hubs = two, .n_hubs = 2};
    struct fed_diag diag = {""};
    struct play *p = play_new(two, 2, AGENT_DIAL_COAP_ONLY);

    (void)state;
    world_pass(p->w, 600000);
    assert_int_equal(p->https.connects, 0);
    play_free(p);
    p = play_new(two, 2, AGENT_DIAL_HTTPS_ONLY);
    assert_int_equal(p->https.connects, 1);
    get_through(&p->https);
    world_pass(p->w, 7200000);
    assert_int_equal(p->coap.connects, 0);
    assert_int_equal(status_of(p).coap_try_unix_s, 0);
    play_free(p);
    assert_int_equal(agent_dial_mode_of("auto"), AGENT_DIAL_AUTO);
    assert_int_equal(agent_dial_mode_of("coap"), AGENT_DIAL_COAP_ONLY);
    assert_int_equal(agent_dial_mode_of("https"), AGENT_DIAL_HTTPS_ONLY);
    options.mode = AGENT_DIAL_HTTPS_ONLY;
    assert_int_equal(agent_dial_check(&options, &diag), FED_OK);
    options.n_hubs = 1;
    assert_int_equal(agent_dial_check(&options, &diag), FED_ERR_UNSUPPORTED);
    assert_non_null(strstr(diag.text, "https://"));
}

/* A session that is in use, kept by an orderly stop. */
static void keep_one(void)
{
    struct play *p = play_new(five, 5, AGENT_DIAL_AUTO);

    go_down(&p->coap, FED_ERR_TIMEOUT);
    get_through(&p->coap);
    assert_true(uses(p, five[1]));
    agent_dial_suspend(p->dial, 60000);
    assert_int_equal(p->coap.suspends, 1);
    assert_int_equal(p->downs, 0);
    assert_true(file.len > 0);
    play_free(p);
}

static void test_goes_on(void **state)
{
    struct play *p;

    (void)state;
    keep_one();
    p = play_new(five, 5, AGENT_DIAL_AUTO);
    assert_int_equal(file.len, 0);
    assert_int_equal(p->coap.resumes, 1);
    assert_string_equal(p->coap.host, "udp2.test");
    get_through(&p->coap);
    assert_true(uses(p, five[1]));
    assert_int_equal(p->coap.connects, 0);
    play_free(p);
}

static void test_cannot_go_on(void **state)
{
    struct play *p;

    (void)state;
    keep_one();
    p = play_new(five, 5, AGENT_DIAL_AUTO);
    handshake(&p->coap);
    world_pass(p->w, 4000);
    go_down(&p->coap, FED_ERR_TIMEOUT); /* the hub does not know it */
    assert_int_equal(p->coap.connects, 1);
    assert_string_equal(p->coap.host, "udp2.test");
    /* From here on as if there had been none. */
    world_pass(p->w, AGENT_DIAL_HEAD_START_MS - 1);
    assert_int_equal(p->https.connects, 0);
    world_pass(p->w, 1);
    assert_int_equal(p->https.connects, 1);
    get_through(&p->coap);
    assert_true(uses(p, five[1]));
    play_free(p);
}

/* HTTPS has no session that could be kept. */
static void test_keeps_nothing(void **state)
{
    struct play *p = play_blocked();

    (void)state;
    agent_dial_suspend(p->dial, 60000);
    assert_false(p->https.open);
    assert_int_equal(file.len, 0);
    play_free(p);
}

static void change_certificate(struct play *p)
{
    snprintf(p->w->identity.certificate, sizeof p->w->identity.certificate, "another");
}

/* Another certificate was stored, but not used yet: the session of the old one would put that off
 * for as long as it lives. */
static void test_keeps_no_old_certificate(void **state)
{
    struct play *p = play_new(two, 2, AGENT_DIAL_AUTO);

    (void)state;
    get_through(&p->coap);
    change_certificate(p);
    agent_dial_suspend(p->dial, 60000);
    assert_int_equal(p->coap.suspends, 0);
    assert_false(p->coap.open);
    assert_int_equal(file.len, 0);
    play_free(p);
}

/* It is stored while a session is made. */
static void test_certificate_changes(void **state)
{
    struct play *p = play_new(two, 2, AGENT_DIAL_COAP_ONLY);

    (void)state;
    change_certificate(p);
    handshake(&p->coap);
    assert_false(p->coap.open);
    assert_string_equal(status_of(p).why, "the certificate changed");
    until_dialed(p, &p->coap, 10000);
    get_through(&p->coap);
    assert_true(uses(p, two[0]));
    play_free(p);
    p = play_blocked(); /* a probe, which asked for its hello */
    until_dialed(p, &p->coap, AGENT_DIAL_PROBE_CEILING_MS);
    handshake(&p->coap);
    change_certificate(p);
    answer_hello(&p->coap, FED_LINK_CONTENT, 0);
    assert_true(uses(p, two[1]));
    assert_false(p->coap.open);
    assert_int_equal(p->downs, 0);
    play_free(p);
    keep_one(); /* a session that goes on */
    p = play_new(five, 5, AGENT_DIAL_AUTO);
    handshake(&p->coap);
    change_certificate(p);
    answer_hello(&p->coap, FED_LINK_CONTENT, 0);
    assert_int_equal(p->coap.connects, 1);
    get_through(&p->coap);
    assert_true(uses(p, five[1]));
    play_free(p);
}

static void test_stop(void **state)
{
    struct play *p = play_new(two, 2, AGENT_DIAL_AUTO);

    (void)state;
    world_pass(p->w, AGENT_DIAL_HEAD_START_MS);
    agent_dial_stop(p->dial);
    assert_false(p->coap.open);
    assert_false(p->https.open);
    world_pass(p->w, 600000);
    assert_int_equal(p->coap.connects + p->https.connects, 2);
    assert_int_equal(p->downs, 0);
    play_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_coap_is_preferred),
        cmocka_unit_test(test_blocked_udp), cmocka_unit_test(test_refused_udp),
        cmocka_unit_test(test_handshake_without_hello), cmocka_unit_test(test_late_udp_wins),
        cmocka_unit_test(test_goes_back), cmocka_unit_test(test_probes_back_off),
        cmocka_unit_test(test_no_flapping), cmocka_unit_test(test_trust_is_about_silence),
        cmocka_unit_test(test_bundle_does_not_come), cmocka_unit_test(test_no_move_while_busy),
        cmocka_unit_test(test_replaced_while_probing), cmocka_unit_test(test_replaced_and_silent),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_cannot_begin),
        cmocka_unit_test(test_back_off), cmocka_unit_test(test_asked_to_wait),
        cmocka_unit_test(test_refused_hello), cmocka_unit_test(test_modes),
        cmocka_unit_test(test_goes_on), cmocka_unit_test(test_cannot_go_on),
        cmocka_unit_test(test_keeps_nothing), cmocka_unit_test(test_keeps_no_old_certificate),
        cmocka_unit_test(test_certificate_changes), cmocka_unit_test(test_stop)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
