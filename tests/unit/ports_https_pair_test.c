/* The agent's HTTPS client and the hub's HTTPS server, with each other. */
#include "ports/link.h"
#include "tests/unit/ports_http_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LARGE (24u << 20)

static struct world w;
static struct fed_buf chain;
static uint8_t *large;

/* ---- hub ---- */
static struct fed_https_server *server;
static char listen_at[40];
static struct fed_link_session *session;
static unsigned opened, closed, alive, delivered;
static char name[256];
static bool changed;

static void hub_opened(void *ctx, struct fed_link_session *now, const struct fed_link_peer *peer)
{
    (void)ctx;
    session = now;
    opened++;
    snprintf(name, sizeof name, "%s", peer->cert ? peer->cert->common_name : "");
}

static void hub_closed(void *ctx, struct fed_link_session *old, const char *why)
{
    (void)ctx;
    (void)why;
    if (old == session)
        session = NULL;
    closed++;
}

static void hub_alive(void *ctx, struct fed_link_session *of)
{
    (void)ctx;
    (void)of;
    alive++;
}

static void hub_request(void *ctx, struct fed_link_session *of, struct fed_link_exchange *exchange,
    const struct fed_link_server_request *request)
{
    (void)ctx;
    (void)of;
    if (fed_span_is(request->path, "b"))
        fed_https_answer(exchange, FED_LINK_CONTENT,
            fed_span_is(request->query, "large") ? fed_span_of(large + changed, LARGE)
                                                 : request->query,
            0);
    else if (fed_span_is(request->path, "s"))
        fed_https_answer(exchange, FED_LINK_CHANGED, request->payload, 0);
    else
        fed_https_answer(exchange, FED_LINK_UNAVAILABLE, FED_SPAN_LIT("later"), 9);
}

static void hub_notified(void *ctx, struct fed_link_session *of, uint64_t tag, bool well)
{
    (void)ctx;
    (void)of;
    delivered += well && tag == 77;
}

static void hub_start(void)
{
    struct fed_link_server_options options = {.listen = listen_at,
        .cert_pem = fed_buf_span(&chain),
        .key_pem = fed_buf_span(&w.server_pem.key),
        .client_ca_pem = fed_buf_span(&w.ca.cert)};
    struct fed_link_server_events events = {.opened = hub_opened,
        .closed = hub_closed,
        .alive = hub_alive,
        .request = hub_request,
        .notified = hub_notified};
    struct fed_diag diag = {""};

    if (fed_https_server_open(fed_alloc_system(), w.loop, NULL, &options, &events, &server, &diag))
        fail_msg("%s", diag.text);
    snprintf(listen_at, sizeof listen_at, "127.0.0.1:%u", fed_https_server_port(server));
}

/* ---- agent ---- */
static struct fed_https_client *client;
static struct fed_link *link_;
static unsigned ups, downs, dones, notes, told;
static enum fed_err done_err;
static unsigned done_code;
static uint32_t done_age;
static struct fed_buf body;

static void agent_up(void *ctx)
{
    (void)ctx;
    ups++;
}

static void agent_down(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    (void)ctx;
    (void)err;
    (void)diag;
    downs++;
}

static void agent_partial(void *ctx)
{
    (void)ctx;
    told++;
}

static void agent_note(void *ctx, const struct fed_link_message *message)
{
    (void)ctx;
    assert_true(fed_span_is(message->payload, "news"));
    notes++;
}

static void agent_done(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    (void)ctx;
    (void)diag;
    dones++;
    done_err = err;
    fed_buf_clear(&body);
    if (err)
        return;
    done_code = message->code;
    done_age = message->max_age_s;
    fed_buf_put(&body, message->payload);
}

static bool is_counted(void *counter)
{
    return *(unsigned *)counter > 0;
}

static void until(unsigned *counter)
{
    world_until(&w, is_counted, counter);
}

static uint64_t received(void)
{
    struct fed_link_stats stats;

    link_->stats(link_->ctx, &stats);
    return stats.received_bytes;
}

static bool has_begun(void *ctx)
{
    (void)ctx;
    return received() > LARGE / 8;
}

static void connect_agent(const struct pem *who, const struct fed_digest *pin)
{
    struct fed_link_client_identity identity = {.ca_pin = pin};
    struct fed_diag diag = {""};
    uint16_t port = (uint16_t)atoi(strrchr(listen_at, ':') + 1);

    if (who)
        identity = (struct fed_link_client_identity){.cert_pem = fed_buf_span(&who->cert),
            .key_pem = fed_buf_span(&who->key),
            .ca_pem = fed_buf_span(&w.ca.cert)};
    ups = downs = 0;
    assert_int_equal(
        link_->connect(link_->ctx, "127.0.0.1", port, &identity, 20000, &diag), FED_OK);
}

static void ask(enum fed_link_method method, const char *path, const char *query)
{
    dones = 0;
    assert_int_equal(
        link_->request(link_->ctx, method, path, query, FED_SPAN_LIT(""), 60000, agent_done, NULL),
        FED_OK);
}

static void observe(const char *query)
{
    dones = 0;
    assert_int_equal(link_->observe(link_->ctx, "b", query, 60000, agent_done, NULL), FED_OK);
}

static int set_up(void **state)
{
    struct fed_https_client_options options = {0};
    struct fed_link_events events = {
        .up = agent_up, .down = agent_down, .notification = agent_note, .partial = agent_partial};
    struct fed_diag diag = {""};

    (void)state;
    world_open(&w);
    fed_buf_init(&chain, fed_alloc_system(), 65536);
    fed_buf_put(&chain, fed_buf_span(&w.server_pem.cert));
    fed_buf_put(&chain, fed_buf_span(&w.ca.cert));
    fed_buf_init(&body, fed_alloc_system(), 64u << 20);
    large = malloc(LARGE + 1);
    assert_non_null(large);
    for (size_t i = 0; i <= LARGE; i++)
        large[i] = (uint8_t)(i * 31 >> 3);
    snprintf(listen_at, sizeof listen_at, "127.0.0.1:0");
    opened = closed = alive = delivered = ups = downs = dones = notes = told = 0;
    changed = false;
    hub_start();
    assert_int_equal(
        fed_https_client_open(fed_alloc_system(), w.loop, NULL, &options, &events, &client, &diag),
        FED_OK);
    link_ = fed_https_client_port(client);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fed_https_client_close(client);
    fed_https_server_close(server);
    fed_buf_fini(&chain);
    fed_buf_fini(&body);
    free(large);
    world_close(&w);
    return 0;
}

static void session_of_an_agent(void **state)
{
    (void)state;
    connect_agent(&w.client_pem, NULL);
    until(&ups);
    assert_int_equal(opened, 1);
    assert_string_equal(name, "alice");
    observe("what-I-hold");
    until(&dones);
    assert_int_equal(done_code, FED_LINK_CONTENT);
    assert_true(fed_span_is(fed_buf_span(&body), "what-I-hold"));
    assert_int_equal(fed_https_notify(session, FED_SPAN_LIT("news"), 77), FED_OK);
    until(&notes);
    until(&delivered);
    ask(FED_LINK_GET, "x", NULL);
    until(&dones);
    assert_int_equal(done_code, FED_LINK_UNAVAILABLE);
    assert_int_equal(done_age, 9);
    alive = dones = 0;
    assert_int_equal(link_->ping(link_->ctx, 20000, agent_done, NULL), FED_OK);
    until(&dones);
    assert_true(alive > 0);
    assert_int_equal(downs, 0);
    /* The hub ends it; a new one is welcome at once. */
    fed_https_session_close(session);
    until(&downs);
    connect_agent(&w.client_pem, NULL);
    until(&ups);
    assert_int_equal(opened, 2);
    link_->disconnect(link_->ctx);
    closed = 0;
    until(&closed);
}

static void session_of_nobody(void **state)
{
    struct fed_crypto_cert_info info;

    (void)state;
    assert_int_equal(
        w.crypto.cert_info(w.crypto.ctx, fed_buf_span(&w.ca.cert), &info, NULL), FED_OK);
    connect_agent(NULL, &info.public_key);
    until(&ups);
    assert_string_equal(name, "");
}

static void wrong_agent(void **state)
{
    (void)state;
    connect_agent(&w.stranger_pem, NULL);
    until(&downs);
    assert_int_equal(ups, 0);
    assert_int_equal(opened, 0);
}

static void hub_restarts(void)
{
    world_until(&w, has_begun, NULL);
    assert_int_equal(dones, 0);
    fed_https_server_close(server);
    hub_start();
}

static void large_answer_goes_on(void **state)
{
    (void)state;
    connect_agent(&w.client_pem, NULL);
    until(&ups);
    ask(FED_LINK_GET, "b", "large");
    hub_restarts();
    until(&dones);
    assert_int_equal(done_err, FED_OK);
    assert_int_equal(body.len, LARGE);
    assert_memory_equal(body.at, large, LARGE);
    assert_true(received() < LARGE + LARGE / 8); /* nothing came twice but what was on its way */
    assert_int_equal(downs, 0);
}

static void large_answer_is_another(void **state)
{
    (void)state;
    connect_agent(&w.client_pem, NULL);
    until(&ups);
    ask(FED_LINK_GET, "b", "large");
    world_until(&w, has_begun, NULL);
    changed = true;
    hub_restarts();
    until(&dones);
    assert_memory_equal(body.at, large + 1, LARGE);
}

static void large_first_record_goes_on(void **state)
{
    (void)state;
    connect_agent(&w.client_pem, NULL);
    until(&ups);
    observe("large");
    hub_restarts();
    until(&dones);
    assert_int_equal(done_err, FED_OK);
    assert_memory_equal(body.at, large, LARGE);
    assert_true(received() < LARGE + LARGE / 8);
    until(&downs); /* the observation went with the first connection */
}

/* Another client, as in another process, with what the first one had. */
static void client_again(struct fed_buf *kept, enum fed_err expected)
{
    struct fed_https_client_options options = {0};
    struct fed_link_events events = {
        .up = agent_up, .down = agent_down, .notification = agent_note, .partial = agent_partial};
    struct fed_diag diag = {""};

    fed_https_client_close(client);
    assert_int_equal(
        fed_https_client_open(fed_alloc_system(), w.loop, NULL, &options, &events, &client, &diag),
        FED_OK);
    link_ = fed_https_client_port(client);
    assert_int_equal(link_->partial_set(link_->ctx, fed_buf_span(kept)), expected);
    fed_buf_clear(&body);
    downs = dones = 0;
}

static void goes_on_in_another_client(void (*begin)(void))
{
    struct fed_buf kept;

    fed_buf_init(&kept, fed_alloc_system(), 64u << 20);
    assert_int_equal(link_->partial_get(link_->ctx, &kept), FED_ERR_NOT_FOUND);
    connect_agent(&w.client_pem, NULL);
    until(&ups);
    begin();
    world_until(&w, has_begun, NULL);
    link_->disconnect(link_->ctx);
    assert_true(told > 1);
    assert_true(told < 12); /* each time that it has doubled */
    assert_int_equal(link_->partial_get(link_->ctx, &kept), FED_OK);
    assert_true(kept.len > LARGE / 16);
    client_again(&kept, FED_OK);
    connect_agent(&w.client_pem, NULL);
    until(&ups);
    begin();
    until(&dones);
    assert_int_equal(done_err, FED_OK);
    assert_int_equal(body.len, LARGE);
    assert_memory_equal(body.at, changed ? large + 1 : large, LARGE);
    if (!changed)
        assert_true(received() < LARGE - kept.len + LARGE / 8);
    fed_buf_fini(&kept);
}

static void begin_request(void)
{
    ask(FED_LINK_GET, "b", "large");
}

static void begin_observation(void)
{
    observe("large");
}

static void kept_answer_goes_on(void **state)
{
    (void)state;
    goes_on_in_another_client(begin_request);
    assert_int_equal(downs, 0);
}

static void kept_record_goes_on(void **state)
{
    (void)state;
    goes_on_in_another_client(begin_observation);
    until(&downs); /* observed anew from what it brought */
}

static void begin_changed(void)
{
    changed = changed || told > 0;
    begin_request();
}

static void kept_answer_of_another_body(void **state)
{
    (void)state;
    goes_on_in_another_client(begin_changed);
}

static void what_cannot_be_kept_is_refused(void **state)
{
    static const char *const wrong[] = {"\x02", "H", "H\x01",
        "H\x01"
        "b",
        "H\x01"
        "b\x01"
        "e"};
    struct fed_buf bytes;

    (void)state;
    fed_buf_init(&bytes, fed_alloc_system(), 100);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        enum fed_err err = link_->partial_set(link_->ctx, fed_span_text(wrong[i]));

        assert_int_not_equal(err, FED_OK);
        assert_int_equal(link_->partial_get(link_->ctx, &bytes), FED_ERR_NOT_FOUND);
    }
    assert_int_equal(link_->partial_set(link_->ctx, FED_SPAN_LIT("H\x01"
                                                                 "b\x01"
                                                                 "e1234")),
        FED_OK);
    assert_int_equal(link_->partial_get(link_->ctx, &bytes), FED_OK);
    assert_int_equal(link_->partial_set(link_->ctx, (struct fed_span){0}), FED_OK);
    assert_int_equal(link_->partial_get(link_->ctx, &bytes), FED_ERR_NOT_FOUND);
    fed_buf_fini(&bytes);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(session_of_an_agent), CASE(session_of_nobody),
        CASE(wrong_agent), CASE(large_answer_goes_on), CASE(large_answer_is_another),
        CASE(large_first_record_goes_on), CASE(kept_answer_goes_on), CASE(kept_record_goes_on),
        CASE(kept_answer_of_another_body), CASE(what_cannot_be_kept_is_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
