/* The agent's HTTPS client against a hub of a few lines on ports/http's server. */
#include "ports/http.h"
#include "ports/https/no_proxy.h"
#include "ports/https/records.h"
#include "ports/link.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY_S 86400
#define DEADLINE_MS 60000u
#define ETAG "\"00112233445566778899aabbccddeeff\""
#define BIG (300u * 1024u)

struct pem {
    struct fed_buf cert;
    struct fed_buf key;
};

static struct fed_linux_loop *linux_loop;
static struct fed_loop *loop;
static struct fed_crypto crypto;
static struct fed_timer *deadline;
static bool late;
static struct pem ca, other_ca, hub, agent, old_hub, other_hub;
static struct fed_buf hub_chain;

/* ---- the hub ---- */
static struct fed_http_server *server;
static uint16_t port;
static bool refuse_ping;
static bool cut_large;       /* half of a large answer, then nothing */
static bool changed;         /* it has another body now */
static unsigned busy_ranges; /* so many are answered 503, */
static const char *busy_age; /* with this Retry-After */
static char seen_session[40], seen_range[40], seen_type[40];
static unsigned n_pings;
static struct fed_http_exchange *stream, *half;

/* ---- the agent ---- */
static struct fed_https_client *client;
static struct fed_link *link_;
static unsigned ups, downs, n_done, n_notes;
static enum fed_err down_err, done_err;
static struct fed_diag down_diag, done_diag;
static unsigned done_code;
static uint32_t done_age;
static struct fed_buf done_body;
static char notes[200];

static void pem_init(struct pem *p)
{
    fed_buf_init(&p->cert, fed_alloc_system(), 65536);
    fed_buf_init(&p->key, fed_alloc_system(), 65536);
    assert_int_equal(crypto.key_new(crypto.ctx, &p->key), FED_OK);
}

static void pem_fini(struct pem *p)
{
    fed_buf_fini(&p->cert);
    fed_buf_fini(&p->key);
}

static void make_ca(struct pem *p, const char *name)
{
    int64_t now = fed_loop_unix_s(loop);

    pem_init(p);
    assert_int_equal(crypto.ca_new(crypto.ctx, fed_buf_span(&p->key), name, now - DAY_S,
                         now + DAY_S, &p->cert, NULL),
        FED_OK);
}

enum purpose { HUB, AGENT };
static void make_leaf(
    struct pem *p, const struct pem *issuer, const char *name, enum purpose purpose, int64_t to_s)
{
    int64_t now = fed_loop_unix_s(loop);
    struct fed_crypto_cert_request request = {.common_name = name,
        .not_before_unix_s = now - DAY_S,
        .not_after_unix_s = now + to_s,
        .server = purpose == HUB,
        .client = purpose == AGENT};
    struct fed_buf spki;

    pem_init(p);
    fed_buf_init(&spki, fed_alloc_system(), 4096);
    assert_int_equal(crypto.key_public(crypto.ctx, fed_buf_span(&p->key), &spki, NULL), FED_OK);
    request.public_key = fed_buf_span(&spki);
    assert_int_equal(crypto.cert_issue(crypto.ctx, fed_buf_span(&issuer->cert),
                         fed_buf_span(&issuer->key), &request, &p->cert, NULL),
        FED_OK);
    fed_buf_fini(&spki);
}

static void note_header(const struct fed_http_request *request, const char *name, char out[40])
{
    out[0] = 0;
    for (size_t i = 0; i < request->n_headers; i++)
        if (fed_span_is(request->headers[i].name, name))
            snprintf(out, 40, FED_SPAN_FMT, FED_SPAN_ARG(request->headers[i].value));
}

static uint8_t *big_body(void)
{
    static uint8_t body[BIG];

    for (size_t i = 0; i < BIG; i++)
        body[i] = (uint8_t)(i * 7 + (changed ? 1 : 0));
    return body;
}

static void put_record(struct fed_span body)
{
    struct fed_buf record;

    fed_buf_init(&record, fed_alloc_system(), 1u << 20);
    fed_buf_put_u32(&record, (uint32_t)body.len);
    fed_buf_put(&record, body);
    assert_int_equal(fed_http_stream_write(stream, fed_buf_span(&record)), FED_OK);
    fed_buf_fini(&record);
}

static void answer_stream(struct fed_http_exchange *x, const struct fed_http_request *request)
{
    struct fed_http_header headers[] = {
        {FED_SPAN_LIT("content-type"), FED_SPAN_LIT("application/vnd.fedlet.stream")},
        {FED_SPAN_LIT("etag"), FED_SPAN_LIT(ETAG)}};
    struct fed_http_exchange *older = stream;
    uint8_t head[4] = {0, BIG >> 16, BIG >> 8 & 255, BIG & 255};

    stream = x;
    fed_http_exchange_set_user(x, &stream);
    assert_int_equal(fed_http_stream_begin(x, 200, headers, 2), FED_OK);
    if (fed_span_is(request->query, "large")) {
        assert_int_equal(fed_http_stream_write(x, fed_span_of(head, 4)), FED_OK);
        assert_int_equal(fed_http_stream_write(x, fed_span_of(big_body(), BIG / 2)), FED_OK);
    } else {
        put_record(fed_span_sub(request->query, 0, request->query.len));
    }
    if (older) {
        fed_http_exchange_set_user(older, NULL);
        fed_http_stream_end(older);
    }
}

static void answer_large(struct fed_http_exchange *x)
{
    struct fed_http_header headers[] = {
        {FED_SPAN_LIT("etag"), changed ? FED_SPAN_LIT("\"other\"") : FED_SPAN_LIT(ETAG)},
        {FED_SPAN_LIT("content-range"), FED_SPAN_LIT("")}};
    struct fed_span body = fed_span_of(big_body(), BIG);
    uint64_t from = 0;
    char range[64];

    if (cut_large) {
        half = x;
        fed_http_exchange_set_user(x, &half);
        assert_int_equal(fed_http_stream_begin(x, 200, headers, 1), FED_OK);
        assert_int_equal(fed_http_stream_write(x, fed_span_sub(body, 0, BIG / 2)), FED_OK);
        return;
    }
    if (!seen_range[0] || changed) {
        fed_http_respond(x, 200, headers, 1, body);
        return;
    }
    if (busy_ranges > 0) {
        busy_ranges--;
        headers[0] = (struct fed_http_header){FED_SPAN_LIT("retry-after"), fed_span_text(busy_age)};
        fed_http_respond(x, 503, headers, 1, FED_SPAN_LIT("later"));
        return;
    }
    assert_int_equal(strncmp(seen_range, "bytes=", 6), 0);
    from = strtoull(seen_range + 6, NULL, 10);
    assert_true(from > 0 && from < BIG);
    snprintf(range, sizeof range, "bytes %u-%u/%u", (unsigned)from, BIG - 1, BIG);
    headers[1].value = fed_span_text(range);
    fed_http_respond(x, 206, headers, 2, fed_span_sub(body, (size_t)from, BIG));
}

static void on_request(
    void *ctx, struct fed_http_exchange *x, const struct fed_http_request *request)
{
    struct fed_http_header retry = {FED_SPAN_LIT("retry-after"), FED_SPAN_LIT("7")};
    char observe[40];

    (void)ctx;
    note_header(request, "fedlet-session", seen_session);
    note_header(request, "range", seen_range);
    note_header(request, "content-type", seen_type);
    note_header(request, "fedlet-observe", observe);
    if (fed_span_is(request->path, "/fedlet/v1/p")) {
        n_pings++;
        fed_http_respond(x, refuse_ping ? 401 : 204, NULL, 0,
            refuse_ping ? FED_SPAN_LIT("session ended") : (struct fed_span){0});
    } else if (observe[0]) {
        answer_stream(x, request);
    } else if (fed_span_is(request->path, "/fedlet/v1/s")) {
        fed_http_respond(x, request->body.len ? 200 : 204, NULL, 0, request->body);
    } else if (fed_span_is(request->path, "/fedlet/v1/busy")) {
        fed_http_respond(x, 503, &retry, 1, FED_SPAN_LIT("later"));
    } else if (fed_span_is(request->path, "/fedlet/v1/b")) {
        answer_large(x);
    } else if (fed_span_is(request->path, "/fedlet/v1/h")) {
        fed_http_respond(x, 200, NULL, 0, request->query);
    } else if (!fed_span_is(request->path, "/fedlet/v1/never")) {
        fed_http_respond(x, 404, NULL, 0, FED_SPAN_LIT("no such resource"));
    }
}

static void on_closed(void *ctx, struct fed_http_exchange *x)
{
    struct fed_http_exchange **slot = fed_http_exchange_user(x);

    (void)ctx;
    if (slot)
        *slot = NULL;
}

static void hub_start(struct fed_span cert, const struct pem *key)
{
    struct fed_http_server_options options = {.cert_pem = cert,
        .key_pem = fed_buf_span(&key->key),
        .client_ca_pem = fed_buf_span(&ca.cert),
        .body_max = 65536};
    struct fed_diag diag = {""};
    char listen_at[40];

    snprintf(listen_at, sizeof listen_at, "127.0.0.1:%u", port);
    options.listen = listen_at;
    if (fed_http_server_open(
            fed_alloc_system(), loop, NULL, &options, on_request, on_closed, NULL, &server, &diag))
        fail_msg("%s", diag.text);
    port = fed_http_server_port(server);
}

static void hub_stop(void)
{
    fed_http_server_close(server);
    server = NULL;
}

/* ---- the agent ---- */
static void on_up(void *ctx)
{
    (void)ctx;
    ups++;
}

static void on_down(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    (void)ctx;
    downs++;
    down_err = err;
    down_diag = *diag;
}

static void on_note(void *ctx, const struct fed_link_message *message)
{
    (void)ctx;
    assert_int_equal(message->code, FED_LINK_CONTENT);
    snprintf(notes + strlen(notes), sizeof notes - strlen(notes), FED_SPAN_FMT " ",
        FED_SPAN_ARG(message->payload));
    n_notes++;
}

static void on_done(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    (void)ctx;
    n_done++;
    done_err = err;
    fed_buf_clear(&done_body);
    if (err) {
        assert_null(message);
        done_diag = *diag;
        return;
    }
    done_code = message->code;
    done_age = message->max_age_s;
    fed_buf_put(&done_body, message->payload);
}

typedef bool condition(void);
static void on_deadline(void *ctx)
{
    (void)ctx;
    late = true;
}

static void until(condition *holds)
{
    loop->timer_set(loop->ctx, deadline, fed_loop_now_ms(loop) + DEADLINE_MS);
    while (!holds() && !late) {
        assert_int_equal(loop->defer(loop->ctx, loop->stop, loop->ctx), FED_OK);
        assert_int_equal(fed_linux_loop_run(linux_loop), FED_OK);
    }
    loop->timer_stop(loop->ctx, deadline);
    assert_false(late);
}

static bool is_up(void)
{
    return ups > 0 || downs > 0;
}
static bool is_down(void)
{
    return downs > 0;
}
static bool is_done(void)
{
    return n_done > 0;
}
static bool noted(void)
{
    return n_notes > 0;
}
static bool half_way(void)
{
    struct fed_link_stats stats;

    link_->stats(link_->ctx, &stats);
    return stats.received_bytes > BIG / 2;
}

static void connect_as(const struct pem *who, const struct fed_digest *pin)
{
    struct fed_link_client_identity identity = {.ca_pin = pin};
    struct fed_diag diag = {""};

    if (who) {
        identity.cert_pem = fed_buf_span(&who->cert);
        identity.key_pem = fed_buf_span(&who->key);
        identity.ca_pem = fed_buf_span(&ca.cert);
    }
    ups = downs = 0;
    assert_int_equal(
        link_->connect(link_->ctx, "127.0.0.1", port, &identity, 20000, &diag), FED_OK);
    assert_int_equal(
        link_->connect(link_->ctx, "127.0.0.1", port, &identity, 20000, &diag), FED_ERR_BUSY);
    until(is_up);
}

static void ask(
    enum fed_link_method method, const char *path, const char *query, struct fed_span payload)
{
    n_done = 0;
    assert_int_equal(
        link_->request(link_->ctx, method, path, query, payload, 20000, on_done, NULL), FED_OK);
    assert_int_equal(n_done, 0);
}

static void asked(
    enum fed_link_method method, const char *path, const char *query, struct fed_span payload)
{
    ask(method, path, query, payload);
    until(is_done);
}

static void observe(const char *query)
{
    n_done = 0;
    assert_int_equal(link_->observe(link_->ctx, "b", query, 20000, on_done, NULL), FED_OK);
}

static bool body_is(const char *text)
{
    return fed_span_is(fed_buf_span(&done_body), text);
}

static int set_up_with(bool http1_only)
{
    struct fed_link_events events = {.up = on_up, .down = on_down, .notification = on_note};
    struct fed_https_client_options options = {.http1_only = http1_only};
    struct fed_diag diag = {""};

    assert_int_equal(fed_linux_loop_open(fed_alloc_system(), &linux_loop, NULL), FED_OK);
    loop = fed_linux_loop_port(linux_loop);
    assert_int_equal(fed_tls_crypto_open(fed_alloc_system(), &crypto, NULL), FED_OK);
    assert_int_equal(loop->timer_new(loop->ctx, on_deadline, NULL, &deadline), FED_OK);
    make_ca(&ca, "fedlet hub CA");
    make_ca(&other_ca, "fedlet hub CA");
    make_leaf(&hub, &ca, "some hub", HUB, DAY_S);
    make_leaf(&old_hub, &ca, "some hub", HUB, -60);
    make_leaf(&other_hub, &other_ca, "some hub", HUB, DAY_S);
    make_leaf(&agent, &ca, "shop", AGENT, DAY_S);
    fed_buf_init(&hub_chain, fed_alloc_system(), 65536);
    fed_buf_put(&hub_chain, fed_buf_span(&hub.cert));
    fed_buf_put(&hub_chain, fed_buf_span(&ca.cert));
    fed_buf_init(&done_body, fed_alloc_system(), 64u << 20);
    port = 0;
    ups = downs = n_done = n_notes = n_pings = 0;
    busy_ranges = 0;
    refuse_ping = cut_large = changed = late = false;
    notes[0] = 0;
    hub_start(fed_buf_span(&hub_chain), &hub);
    if (fed_https_client_open(fed_alloc_system(), loop, NULL, &options, &events, &client, &diag))
        fail_msg("%s", diag.text);
    link_ = fed_https_client_port(client);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with(false);
}

static int set_up_http1(void **state)
{
    (void)state;
    return set_up_with(true);
}

static int tear_down(void **state)
{
    (void)state;
    fed_https_client_close(client);
    fed_http_server_close(server);
    server = NULL;
    loop->timer_free(loop->ctx, deadline);
    pem_fini(&ca);
    pem_fini(&other_ca);
    pem_fini(&hub);
    pem_fini(&old_hub);
    pem_fini(&agent);
    pem_fini(&other_hub);
    fed_buf_fini(&hub_chain);
    fed_buf_fini(&done_body);
    fed_tls_crypto_close(&crypto);
    fed_linux_loop_close(linux_loop);
    return 0;
}

/* ---- cases ---- */

static void requests(void **state)
{
    char first[40];

    (void)state;
    assert_int_equal(link_->request(link_->ctx, FED_LINK_GET, "h", NULL, (struct fed_span){0}, 1000,
                         on_done, NULL),
        FED_ERR_CLOSED);
    connect_as(&agent, NULL);
    assert_int_equal(ups, 1);
    assert_int_equal(strlen(seen_session), 32);
    strcpy(first, seen_session);
    asked(FED_LINK_GET, "h", "e=1&r=2", (struct fed_span){0});
    assert_int_equal(done_err, FED_OK);
    assert_int_equal(done_code, FED_LINK_CONTENT);
    assert_true(body_is("e=1&r=2"));
    assert_string_equal(seen_session, first);
    asked(FED_LINK_POST, "s", NULL, (struct fed_span){0});
    assert_int_equal(done_code, FED_LINK_CHANGED);
    assert_string_equal(seen_type, "application/octet-stream");
    asked(FED_LINK_POST, "s", NULL, FED_SPAN_LIT("report"));
    assert_int_equal(done_code, FED_LINK_CHANGED);
    assert_true(body_is("report"));
    asked(FED_LINK_GET, "nothing", NULL, (struct fed_span){0});
    assert_int_equal(done_code, FED_LINK_NOT_FOUND);
    assert_true(body_is("no such resource"));
    asked(FED_LINK_GET, "busy", NULL, (struct fed_span){0});
    assert_int_equal(done_code, FED_LINK_UNAVAILABLE);
    assert_int_equal(done_age, 7);
    asked(FED_LINK_GET, "b", NULL, (struct fed_span){0});
    assert_int_equal(done_body.len, BIG);
    assert_memory_equal(done_body.at, big_body(), BIG);
    ask(FED_LINK_GET, "never", NULL, (struct fed_span){0});
    link_->disconnect(link_->ctx);
    assert_int_equal(n_done, 1);
    assert_int_equal(done_err, FED_ERR_CLOSED);
    assert_int_equal(downs, 0);
    connect_as(&agent, NULL);
    assert_string_not_equal(seen_session, first);
}

static void limits(void **state)
{
    static uint8_t large[(64u << 10) + 1];
    char query[500];

    (void)state;
    connect_as(&agent, NULL);
    assert_int_equal(link_->request(link_->ctx, FED_LINK_POST, "s", NULL,
                         fed_span_of(large, sizeof large), 1000, on_done, NULL),
        FED_ERR_LIMIT);
    memset(query, 'q', sizeof query);
    query[sizeof query - 1] = 0;
    assert_int_equal(link_->request(link_->ctx, FED_LINK_GET, "h", query, (struct fed_span){0},
                         1000, on_done, NULL),
        FED_ERR_LIMIT);
    for (unsigned i = 0; i < 16; i++)
        ask(FED_LINK_GET, "never", NULL, (struct fed_span){0});
    assert_int_equal(link_->request(link_->ctx, FED_LINK_GET, "h", NULL, (struct fed_span){0}, 1000,
                         on_done, NULL),
        FED_ERR_BUSY);
}

static void time_out(void **state)
{
    (void)state;
    connect_as(&agent, NULL);
    n_done = 0;
    assert_int_equal(link_->request(link_->ctx, FED_LINK_GET, "never", NULL, (struct fed_span){0},
                         50, on_done, NULL),
        FED_OK);
    until(is_done);
    assert_int_equal(done_err, FED_ERR_TIMEOUT);
    assert_int_equal(downs, 0);
    asked(FED_LINK_GET, "h", "still", (struct fed_span){0});
    assert_true(body_is("still"));
}

static void pings(void **state)
{
    struct fed_link_stats before, after;

    (void)state;
    connect_as(&agent, NULL);
    observe("first");
    until(is_done);
    link_->stats(link_->ctx, &before);
    n_done = 0;
    assert_int_equal(link_->ping(link_->ctx, 20000, on_done, NULL), FED_OK);
    assert_int_equal(link_->ping(link_->ctx, 20000, on_done, NULL), FED_ERR_BUSY);
    until(is_done);
    assert_int_equal(done_err, FED_OK);
    link_->stats(link_->ctx, &after);
    assert_in_range(after.sent_bytes - before.sent_bytes, 17, 60);
    assert_in_range(after.received_bytes - before.received_bytes, 17, 60);
    link_->disconnect(link_->ctx);
    link_->stats(link_->ctx, &before);
    assert_true(before.sent_bytes >= after.sent_bytes);
    assert_true(before.received_bytes >= after.received_bytes);
}

/* HTTP/1.1 has no PING: it is a request, beside the observation. */
static void pings_http1(void **state)
{
    unsigned before;

    (void)state;
    connect_as(&agent, NULL);
    observe("first");
    until(is_done);
    before = n_pings;
    n_done = 0;
    assert_int_equal(link_->ping(link_->ctx, 20000, on_done, NULL), FED_OK);
    until(is_done);
    assert_int_equal(done_err, FED_OK);
    assert_int_equal(n_pings, before + 1);
    put_record(FED_SPAN_LIT("a"));
    until(noted);
    assert_int_equal(downs, 0);
}

static void observation(void **state)
{
    uint8_t byte;
    struct fed_span split = {&byte, 1};

    (void)state;
    connect_as(&agent, NULL);
    observe("one");
    until(is_done);
    assert_int_equal(done_code, FED_LINK_CONTENT);
    assert_true(body_is("one"));
    put_record((struct fed_span){0}); /* keeps alive, and is not shown */
    for (size_t i = 0; i < 7; i++) {
        byte = (uint8_t) "\0\0\0\3abc"[i];
        assert_int_equal(fed_http_stream_write(stream, split), FED_OK);
        if (i < 6)
            assert_int_equal(n_notes, 0);
    }
    until(noted);
    put_record(FED_SPAN_LIT("d"));
    put_record(FED_SPAN_LIT("e"));
    n_notes = 0;
    until(noted);
    while (n_notes < 2)
        until(noted);
    assert_string_equal(notes, "abc d e ");
    /* A newer one takes its place, and its end is no loss. */
    observe("two");
    until(is_done);
    assert_true(body_is("two"));
    put_record(FED_SPAN_LIT("f"));
    n_notes = 0;
    until(noted);
    assert_string_equal(notes, "abc d e f ");
    assert_int_equal(downs, 0);
    /* The hub's end of it is the session's. */
    fed_http_exchange_set_user(stream, NULL);
    fed_http_stream_end(stream);
    stream = NULL;
    until(is_down);
    assert_int_equal(down_err, FED_ERR_CLOSED);
    assert_non_null(strstr(down_diag.text, "ended the session"));
}

static void large_record(void **state)
{
    (void)state;
    connect_as(&agent, NULL);
    observe("one");
    until(is_done);
    assert_int_equal(fed_http_stream_write(stream, FED_SPAN_LIT("\xff\xff\xff\xff...")), FED_OK);
    until(is_down);
    assert_int_equal(down_err, FED_ERR_LIMIT);
}

static void hub_restarts(void)
{
    until(half_way);
    hub_stop();
    cut_large = false;
    hub_start(fed_buf_span(&hub_chain), &hub);
}

static void resume(void **state)
{
    (void)state;
    connect_as(&agent, NULL);
    cut_large = true;
    ask(FED_LINK_GET, "b", "e=1&r=0", (struct fed_span){0});
    hub_restarts();
    until(is_done);
    assert_int_equal(done_err, FED_OK);
    assert_int_equal(strncmp(seen_range, "bytes=", 6), 0);
    assert_true(atoi(seen_range + 6) >= (int)(BIG / 4));
    assert_int_equal(done_body.len, BIG);
    assert_memory_equal(done_body.at, big_body(), BIG);
    assert_int_equal(downs, 0); /* nothing else was lost */
}

static void resume_changed(void **state)
{
    (void)state;
    connect_as(&agent, NULL);
    cut_large = true;
    ask(FED_LINK_GET, "b", NULL, (struct fed_span){0});
    until(half_way);
    changed = true;
    hub_restarts();
    until(is_done);
    assert_int_equal(done_err, FED_OK);
    assert_memory_equal(done_body.at, big_body(), BIG);
}

/* The observation went with the connection: the answer still comes whole, then the session ends. */
static void resume_observation(void **state)
{
    (void)state;
    connect_as(&agent, NULL);
    observe("large");
    hub_restarts();
    until(is_done);
    assert_int_equal(done_err, FED_OK);
    assert_int_equal(done_body.len, BIG);
    assert_memory_equal(done_body.at, big_body(), BIG);
    until(is_down);
}

/* A transfer beside an observation. */
static void resume_beside(void **state)
{
    (void)state;
    connect_as(&agent, NULL);
    observe("one");
    until(is_done);
    cut_large = true;
    ask(FED_LINK_GET, "b", NULL, (struct fed_span){0});
    hub_restarts();
    until(is_done);
    assert_int_equal(done_err, FED_OK);
    assert_int_equal(done_body.len, BIG);
    until(is_down);
    assert_int_equal(n_done, 1);
}

/* The hub that came back is busy: what came before is kept. */
static void resume_busy(void **state)
{
    (void)state;
    connect_as(&agent, NULL);
    cut_large = true;
    busy_ranges = 2;
    busy_age = "1";
    ask(FED_LINK_GET, "b", NULL, (struct fed_span){0});
    hub_restarts();
    until(is_done);
    assert_int_equal(done_err, FED_OK);
    assert_int_equal(done_code, FED_LINK_CONTENT);
    assert_int_equal(busy_ranges, 0);
    assert_string_not_equal(seen_range, ""); /* not from the beginning */
    assert_int_equal(done_body.len, BIG);
    assert_memory_equal(done_body.at, big_body(), BIG);
    assert_int_equal(downs, 0);
}

/* For longer than the request has time: its owner has to know. */
static void resume_busy_for_long(void **state)
{
    (void)state;
    connect_as(&agent, NULL);
    cut_large = true;
    busy_ranges = 1;
    busy_age = "7000";
    ask(FED_LINK_GET, "b", NULL, (struct fed_span){0});
    hub_restarts();
    until(is_done);
    assert_int_equal(done_err, FED_OK);
    assert_int_equal(done_code, FED_LINK_UNAVAILABLE);
    assert_int_equal(done_age, 7000);
    assert_true(fed_span_is(fed_buf_span(&done_body), "later"));
}

static void resume_in_vain(void **state)
{
    (void)state;
    connect_as(&agent, NULL);
    observe("one");
    until(is_done);
    cut_large = true;
    ask(FED_LINK_GET, "b", NULL, (struct fed_span){0});
    until(half_way);
    hub_stop();
    until(is_done);
    assert_int_equal(done_err, FED_ERR_CLOSED);
    until(is_down);
    assert_int_equal(down_err, FED_ERR_NETWORK);
}

static void connection_lost(void **state)
{
    (void)state;
    connect_as(&agent, NULL);
    observe("one");
    until(is_done);
    ask(FED_LINK_GET, "never", NULL, (struct fed_span){0});
    hub_stop();
    until(is_down);
    assert_int_equal(done_err, FED_ERR_CLOSED);
    assert_int_equal(n_done, 1);
}

static void refused(enum fed_err err, const char *why)
{
    assert_int_equal(ups, 0);
    assert_int_equal(downs, 1);
    if (down_err != err || !strstr(down_diag.text, why))
        fail_msg("%s", down_diag.text);
    assert_int_equal(down_err, err);
}

static void wrong_hubs(void **state)
{
    (void)state;
    hub_stop();
    hub_start(fed_buf_span(&old_hub.cert), &old_hub);
    connect_as(&agent, NULL);
    refused(FED_ERR_UNAUTHENTICATED, "expired");
    hub_stop();
    hub_start(fed_buf_span(&other_hub.cert), &other_hub);
    connect_as(&agent, NULL);
    refused(FED_ERR_UNAUTHENTICATED, "unknown CA");
}

static void pinned(void **state)
{
    struct fed_crypto_cert_info info;
    struct fed_digest wrong = {{1, 2, 3}};

    (void)state;
    assert_int_equal(crypto.cert_info(crypto.ctx, fed_buf_span(&ca.cert), &info, NULL), FED_OK);
    connect_as(NULL, &info.public_key);
    assert_int_equal(ups, 1);
    asked(FED_LINK_POST, "s", NULL, FED_SPAN_LIT("join"));
    assert_true(body_is("join"));
    link_->disconnect(link_->ctx);
    connect_as(NULL, &wrong);
    refused(FED_ERR_UNAUTHENTICATED, "unknown CA");
    hub_stop();
    hub_start(fed_buf_span(&hub.cert), &hub); /* without its CA */
    connect_as(NULL, &info.public_key);
    refused(FED_ERR_UNAUTHENTICATED, "unknown CA");
    hub_stop();
    fed_buf_clear(&hub_chain);
    fed_buf_put(&hub_chain, fed_buf_span(&old_hub.cert));
    fed_buf_put(&hub_chain, fed_buf_span(&ca.cert));
    hub_start(fed_buf_span(&hub_chain), &old_hub);
    connect_as(NULL, &info.public_key);
    refused(FED_ERR_UNAUTHENTICATED, "expired");
    /* The right CA, but it did not sign that certificate. */
    hub_stop();
    fed_buf_clear(&hub_chain);
    fed_buf_put(&hub_chain, fed_buf_span(&other_hub.cert));
    fed_buf_put(&hub_chain, fed_buf_span(&ca.cert));
    hub_start(fed_buf_span(&hub_chain), &other_hub);
    connect_as(NULL, &info.public_key);
    refused(FED_ERR_UNAUTHENTICATED, "unknown CA");
}

static void nobody_there(void **state)
{
    struct fed_link_client_identity identity = {.cert_pem = fed_buf_span(&agent.cert),
        .key_pem = fed_buf_span(&agent.key),
        .ca_pem = fed_buf_span(&ca.cert)};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    struct fed_diag diag = {""};
    int silent = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    hub_stop();
    connect_as(&agent, NULL);
    refused(FED_ERR_NETWORK, "refused");
    assert_int_equal(bind(silent, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(silent, 1), 0);
    assert_int_equal(getsockname(silent, (struct sockaddr *)&at, &len), 0);
    ups = downs = 0;
    assert_int_equal(
        link_->connect(link_->ctx, "127.0.0.1", ntohs(at.sin_port), &identity, 100, &diag), FED_OK);
    until(is_down);
    refused(FED_ERR_TIMEOUT, "no session within 100 ms");
    ups = downs = 0;
    assert_int_equal(
        link_->connect(link_->ctx, "no-such-host.invalid", 1, &identity, 20000, &diag), FED_OK);
    until(is_down);
    refused(FED_ERR_NETWORK, "cannot be resolved");
    close(silent);
}

static void refused_session(void **state)
{
    (void)state;
    refuse_ping = true;
    connect_as(&agent, NULL);
    refused(FED_ERR_FORBIDDEN, "the hub answered 401: session ended");
}

/* The system's resolver answers beside the loop, and every address is tried. */
static void names(void **state)
{
    struct fed_link_client_identity identity = {.cert_pem = fed_buf_span(&agent.cert),
        .key_pem = fed_buf_span(&agent.key),
        .ca_pem = fed_buf_span(&ca.cert)};
    struct fed_diag diag = {""};

    (void)state;
    assert_int_equal(
        link_->connect(link_->ctx, "localhost", port, &identity, 20000, &diag), FED_OK);
    until(is_up);
    assert_int_equal(ups, 1);
    link_->disconnect(link_->ctx);
    assert_int_equal(
        link_->connect(link_->ctx, "localhost", port, &identity, 20000, &diag), FED_OK);
    link_->disconnect(link_->ctx); /* the look-up is under way */
}

static void proxies(void **state)
{
    static const struct {
        const char *url;
        enum fed_err err;
    } cases[] = {{"", FED_OK}, {"http://proxy.example:3128", FED_OK},
        {"http://proxy.example", FED_OK}, {"http://proxy.example:3128/", FED_OK},
        {"http://user:secret@10.0.0.1:8080", FED_OK}, {"http://user:p%40ss@[::1]:8080", FED_OK},
        {"http://u@p@proxy:1", FED_OK}, {"https://proxy.example:3128", FED_ERR_INVALID},
        {"proxy.example:3128", FED_ERR_INVALID}, {"http://", FED_ERR_INVALID},
        {"http://:3128", FED_ERR_INVALID}, {"http://proxy:0", FED_ERR_INVALID},
        {"http://proxy:65536", FED_ERR_INVALID}, {"http://proxy:x", FED_ERR_INVALID},
        {"http://user:%zz@proxy:1", FED_ERR_INVALID}, {"http://[::1:1", FED_ERR_INVALID},
        {"http://pro xy:1", FED_ERR_INVALID}, {"http://secret:secret@", FED_ERR_INVALID}};
    char large[600] = "http://";

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fed_diag diag = {""};

        if (fed_https_proxy_check(cases[i].url, &diag) != cases[i].err)
            fail_msg("%s: %s", cases[i].url, diag.text);
        assert_null(strstr(diag.text, "secret"));
    }
    memset(large + 7, 'a', sizeof large - 8);
    assert_int_equal(fed_https_proxy_check(large, NULL), FED_ERR_INVALID);
}

static void proxies_passed_by(void **state)
{
    static const struct {
        const char *list;
        const char *host;
        bool matches;
    } cases[] = {{"", "hub.example", false}, {"*", "hub.example", true},
        {"example", "hub.example", true}, {".example", "hub.EXAMPLE", true},
        {"other, hub.example ,x", "hub.example", true}, {"b.example", "hub.example", false},
        {"a.hub.example", "hub.example", false}, {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1", "10.0.0.10", false}, {"10.0.0.0/8", "10.200.0.1", true},
        {"10.0.0.0/8", "11.0.0.1", false}, {"10.0.0.0/9", "10.200.0.1", false},
        {"0.0.0.0/0", "192.0.2.1", true}, {"10.0.0.0/33", "10.0.0.0", false},
        {"10.0.0.0/x", "10.0.0.0", false}, {"::1", "::1", true}, {"fd00::/8", "fd12::1", true},
        {"fd00::/8", "fe80::1", false}, {"10.0.0.0/8", "::1", false}, {",,", "hub", false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (fed_https_no_proxy(cases[i].list, cases[i].host) != cases[i].matches)
            fail_msg("%s: %s", cases[i].list, cases[i].host);
}

/* Meant for other programs as well, which may take more. */
static void no_proxy_limit(void **state)
{
    static char list[FED_HTTPS_NO_PROXY_MAX + 2];
    struct fed_https_client_options options = {.no_proxy = list};
    struct fed_link_events events = {.up = on_up};
    struct fed_https_client *other;
    struct fed_diag diag = {""};

    (void)state;
    memset(list, 'x', sizeof list - 1);
    assert_int_equal(
        fed_https_client_open(fed_alloc_system(), loop, NULL, &options, &events, &other, &diag),
        FED_OK);
    fed_https_client_close(other);
    options.proxy = "http://proxy.example:3128";
    assert_int_equal(
        fed_https_client_open(fed_alloc_system(), loop, NULL, &options, &events, &other, &diag),
        FED_ERR_LIMIT);
}

static void records(void **state)
{
    static const char bytes[] = "\0\0\0\0"
                                "\0\0\0\0"
                                "\0\0\0\2xy"
                                "\0\0\0\5";
    struct fed_https_records r;
    struct fed_span from, record;
    unsigned n = 0;
    bool whole;

    (void)state;
    fed_https_records_init(&r, fed_alloc_system(), 4);
    for (size_t i = 0; i < 14; i++) {
        from = fed_span_of(bytes + i, 1);
        assert_int_equal(fed_https_records_take(&r, &from, &whole, &record), FED_OK);
        assert_int_equal(from.len, 0);
        n += whole;
        if (whole && n == 1)
            assert_int_equal(record.len, 0); /* the first may be empty */
        else if (whole)
            assert_true(fed_span_is(record, "xy"));
    }
    assert_int_equal(n, 2);
    from = fed_span_of(bytes + 14, 4);
    assert_int_equal(fed_https_records_take(&r, &from, &whole, &record), FED_ERR_LIMIT);
    fed_https_records_fini(&r);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
/* Over HTTP/1.1, too, where the observation has a connection of its own. */
#define BOTH(name)                                                                                 \
    CASE(name),                                                                                    \
    {                                                                                              \
#name "_http1", name, set_up_http1, tear_down, NULL                                        \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {BOTH(requests), BOTH(limits), BOTH(time_out), CASE(pings),
        cmocka_unit_test_setup_teardown(pings_http1, set_up_http1, tear_down), BOTH(observation),
        BOTH(large_record), BOTH(resume), BOTH(resume_changed), BOTH(resume_observation),
        BOTH(resume_beside), BOTH(resume_busy), BOTH(resume_busy_for_long), BOTH(resume_in_vain),
        BOTH(connection_lost), CASE(wrong_hubs), CASE(pinned), CASE(nobody_there),
        CASE(refused_session), CASE(names), CASE(no_proxy_limit), cmocka_unit_test(proxies),
        cmocka_unit_test(proxies_passed_by), cmocka_unit_test(records)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
