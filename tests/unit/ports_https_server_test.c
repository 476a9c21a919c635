/* ports_https_server_test.c - the hub's end of the HTTPS binding, with ports/http's client as its
 * peer, over loopback and TLS. */
#include "ports/https/server.h"
#include "tests/unit/ports_http_world.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID_A "000102030405060708090a0b0c0d0e0f"
#define ID_B "ffffffffffffffffffffffffffffffff"
#define EXCHANGES 64
#define TAGS 8

static const struct fed_span nothing = {NULL, 0};

/* ---- a hub that notes what it is told ---- */
struct hub {
    struct world w;
    struct fed_https_server *server;
    struct fed_link_session *session; /* opened last */
    unsigned opened;
    unsigned closed;
    unsigned alive;
    unsigned requests;
    bool guest;
    char name[256];
    char why[64];
    char path[64];
    char query[64];
    struct fed_buf payload;
    struct fed_buf body;                          /* what GET body is answered */
    struct fed_link_exchange *waiting[EXCHANGES]; /* of "wait" */
    size_t n_waiting;
    uint64_t tags[TAGS]; /* told, with ... */
    bool delivered[TAGS];
    size_t n_tags;
    bool end_session; /* in the next request */
    unsigned refusals;
};

static void on_log(void *ctx, enum fed_log_level level, const char *text)
{
    struct hub *hub = ctx;

    if (level == FED_LOG_WARN && strstr(text, "refused"))
        hub->refusals++;
}

static void on_opened(void *ctx, struct fed_link_session *session, const struct fed_link_peer *peer)
{
    struct hub *hub = ctx;

    hub->opened++;
    hub->session = session;
    hub->guest = !peer->cert;
    assert_null(peer->psk_identity);
    assert_true(strncmp(peer->address, "127.0.0.1:", 10) == 0);
    snprintf(hub->name, sizeof(hub->name), "%s", peer->cert ? peer->cert->common_name : "");
    fed_https_session_set_user(session, hub);
}

static void on_closed(void *ctx, struct fed_link_session *session, const char *why)
{
    struct hub *hub = ctx;

    assert_ptr_equal(fed_https_session_user(session), hub);
    hub->closed++;
    snprintf(hub->why, sizeof(hub->why), "%s", why);
}

static void on_alive(void *ctx, struct fed_link_session *session)
{
    struct hub *hub = ctx;

    (void)session;
    hub->alive++;
}

static void on_request(void *ctx, struct fed_link_session *session,
    struct fed_link_exchange *exchange, const struct fed_link_server_request *request)
{
    struct hub *hub = ctx;
    uint64_t code = 0;

    hub->requests++;
    assert_int_equal(fed_span_to_cstr(request->path, hub->path, sizeof(hub->path)), FED_OK);
    assert_int_equal(fed_span_to_cstr(request->query, hub->query, sizeof(hub->query)), FED_OK);
    fed_buf_clear(&hub->payload);
    fed_buf_put(&hub->payload, request->payload);
    if (hub->end_session)
        fed_https_session_close(session);
    hub->end_session = false;
    if (fed_span_is(request->path, "body"))
        fed_https_answer(exchange, FED_LINK_CONTENT, fed_buf_span(&hub->body), 0);
    else if (fed_span_is(request->path, "wait"))
        hub->waiting[hub->n_waiting++] = exchange;
    else if (fed_span_is(request->path, "j"))
        fed_https_answer(exchange, FED_LINK_CHANGED, FED_SPAN_LIT("{}"), 0);
    else if (fed_span_to_u64(request->query, &code) == FED_OK)
        fed_https_answer(exchange, (unsigned)code, FED_SPAN_LIT("why"), 7);
    else
        fed_https_answer(exchange, FED_LINK_CHANGED, nothing, 0);
}

static void on_notified(void *ctx, struct fed_link_session *session, uint64_t tag, bool delivered)
{
    struct hub *hub = ctx;

    (void)session;
    assert_true(hub->n_tags < TAGS);
    hub->tags[hub->n_tags] = tag;
    hub->delivered[hub->n_tags++] = delivered;
}

static struct fed_log hub_log;

static void hub_open(struct hub *hub, const struct fed_link_server_options *wanted)
{
    struct fed_link_server_options options = wanted ? *wanted : (struct fed_link_server_options){0};
    struct fed_link_server_events events = {.ctx = hub,
        .opened = on_opened,
        .closed = on_closed,
        .alive = on_alive,
        .request = on_request,
        .notified = on_notified};
    struct fed_diag diag = {""};

    *hub = (struct hub){.opened = 0};
    world_open(&hub->w);
    hub_log = (struct fed_log){.ctx = hub, .write = on_log, .level = FED_LOG_INFO};
    fed_buf_init(&hub->payload, fed_alloc_system(), 1u << 20);
    fed_buf_init(&hub->body, fed_alloc_system(), 64u << 20);
    fed_buf_put_text(&hub->body, "0123456789");
    options.listen = "127.0.0.1:0";
    options.cert_pem = fed_buf_span(&hub->w.server_pem.cert);
    options.key_pem = fed_buf_span(&hub->w.server_pem.key);
    options.client_ca_pem = fed_buf_span(&hub->w.ca.cert);
    if (fed_https_server_open(
            fed_alloc_system(), hub->w.loop, &hub_log, &options, &events, &hub->server, &diag))
        fail_msg("server: %s", diag.text);
}

static void hub_close(struct hub *hub)
{
    fed_https_server_close(hub->server);
    fed_buf_fini(&hub->payload);
    fed_buf_fini(&hub->body);
    world_close(&hub->w);
}

/* ---- an agent ---- */
enum http { H2, H1 };

static struct fed_http_client *agent_as(struct hub *hub, enum http http, const struct pem *pem)
{
    struct fed_http_client_options options = {.host = "127.0.0.1",
        .port = fed_https_server_port(hub->server),
        .ca_pem = fed_buf_span(&hub->w.ca.cert),
        .http1_only = http == H1};

    if (pem) {
        options.cert_pem = fed_buf_span(&pem->cert);
        options.key_pem = fed_buf_span(&pem->key);
    }
    return world_client(&hub->w, &options);
}

static struct fed_http_client *agent(struct hub *hub, enum http http)
{
    return agent_as(hub, http, &hub->w.client_pem);
}

struct reply {
    unsigned done;
    unsigned heads;
    enum fed_err err;
    unsigned status;
    char type[64];
    char etag[64];
    char range[64];
    char retry[16];
    char allow[32];
    struct fed_buf body;
};

static void take_header(const struct fed_http_response *response, const char *name, char *out)
{
    out[0] = 0;
    for (size_t i = 0; i < response->n_headers; i++)
        if (fed_span_is(response->headers[i].name, name))
            assert_int_equal(
                fed_span_to_cstr(response->headers[i].value, out, strlen(name) < 8 ? 16 : 64),
                FED_OK);
}

static void take_head(struct reply *reply, const struct fed_http_response *response)
{
    reply->status = response->status;
    take_header(response, "content-type", reply->type);
    take_header(response, "content-range", reply->range);
    take_header(response, "retry-after", reply->retry);
    take_header(response, "allow", reply->allow);
    for (size_t i = 0; i < response->n_headers; i++)
        if (fed_span_is(response->headers[i].name, "etag"))
            assert_int_equal(fed_span_to_cstr(response->headers[i].value, reply->etag, 64), FED_OK);
}

static void on_head(void *ctx, const struct fed_http_response *response)
{
    struct reply *reply = ctx;

    reply->heads++;
    take_head(reply, response);
}

static void on_data(void *ctx, struct fed_span bytes)
{
    struct reply *reply = ctx;

    fed_buf_put(&reply->body, bytes);
}

static void on_done(void *ctx, enum fed_err err, const struct fed_http_response *response,
    const struct fed_diag *diag)
{
    struct reply *reply = ctx;

    (void)diag;
    reply->done++;
    reply->err = err;
    if (response && reply->heads == 0) {
        take_head(reply, response);
        fed_buf_put(&reply->body, response->body);
    }
}

struct ask {
    const char *method;
    const char *target;
    const char *id; /* NULL: none */
    const char *name;
    const char *value;
    const char *name2;
    const char *value2;
    struct fed_span body;
    bool stream;
};

static struct fed_http_call *begin(
    struct fed_http_client *client, struct reply *reply, const struct ask *ask)
{
    struct fed_http_header headers[3];
    struct fed_http_call_options options = {
        .method = ask->method, .target = ask->target, .headers = headers, .body = ask->body};
    struct fed_http_call_events events = {.ctx = reply, .done = on_done};
    struct fed_http_call *call = NULL;

    *reply = (struct reply){.done = 0};
    fed_buf_init(&reply->body, fed_alloc_system(), 64u << 20);
    if (ask->id)
        headers[options.n_headers++] =
            (struct fed_http_header){FED_SPAN_LIT("fedlet-session"), fed_span_text(ask->id)};
    if (ask->name)
        headers[options.n_headers++] =
            (struct fed_http_header){fed_span_text(ask->name), fed_span_text(ask->value)};
    if (ask->name2)
        headers[options.n_headers++] =
            (struct fed_http_header){fed_span_text(ask->name2), fed_span_text(ask->value2)};
    if (ask->stream) {
        events.head = on_head;
        events.data = on_data;
    }
    assert_int_equal(fed_http_call(client, &options, &events, &call), FED_OK);
    return call;
}

static bool is_done(void *ctx)
{
    return ((struct reply *)ctx)->done > 0;
}

static void ask_of(
    struct hub *hub, struct fed_http_client *client, struct reply *reply, const struct ask *ask)
{
    begin(client, reply, ask);
    world_until(&hub->w, is_done, reply);
    assert_int_equal(reply->done, 1);
}

static void end(struct reply *reply)
{
    fed_buf_fini(&reply->body);
}

/* The status of a request without anything. */
static unsigned status_of(struct hub *hub, struct fed_http_client *client, const char *method,
    const char *target, const char *id)
{
    struct reply reply;
    struct ask ask = {.method = method, .target = target, .id = id};

    ask_of(hub, client, &reply, &ask);
    end(&reply);
    assert_int_equal(reply.err, FED_OK);
    return reply.status;
}

static void assert_text(const struct fed_buf *buf, const char *text)
{
    assert_true(fed_span_is(fed_buf_span(buf), text));
}

/* ---- sessions ---- */
static bool is_closed(void *ctx)
{
    return ((struct hub *)ctx)->closed > 0;
}

static void check_session(enum http http)
{
    struct hub hub;
    struct fed_http_client *client;
    unsigned alive;

    hub_open(&hub, NULL);
    client = agent(&hub, http);
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/p", ID_A), 204);
    assert_int_equal(hub.opened, 1);
    assert_false(hub.guest);
    assert_string_equal(hub.name, "alice");
    assert_int_equal(hub.requests, 0);
    alive = hub.alive;
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/p", ID_A), 204);
    assert_true(hub.alive > alive);
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/h?e=1&r=2", ID_A), 204);
    assert_string_equal(hub.path, "h");
    assert_string_equal(hub.query, "e=1&r=2");
    assert_int_equal(hub.opened, 1);
    assert_int_equal(hub.closed, 0);
    fed_http_client_close(client);
    world_until(&hub.w, is_closed, &hub);
    assert_string_equal(hub.why, "its connection ended");
    hub_close(&hub);
}

static void session_h2(void **state)
{
    (void)state;
    check_session(H2);
}

static void session_h1(void **state)
{
    (void)state;
    check_session(H1);
}

static size_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static bool has_fewer(void *ctx)
{
    return open_descriptors() < *(size_t *)ctx;
}

static bool has_no_more(void *ctx)
{
    return open_descriptors() <= *(size_t *)ctx;
}

static void the_session_is_named_in_every_request(void **state)
{
    static const char *const wrong[] = {NULL, "", "0", ID_A "0", "0" ID_A,
        "g00102030405060708090a0b0c0d0e0f", "000102030405060708090a0b0c0d0e0", ID_A ", " ID_A};
    struct ask twice = {.method = "GET",
        .target = "/fedlet/v1/h",
        .id = ID_A,
        .name = "fedlet-session",
        .value = ID_A};
    struct reply reply;
    struct hub hub;
    struct fed_http_client *client;
    size_t before;

    (void)state;
    hub_open(&hub, NULL);
    before = open_descriptors(); /* without any connection */
    client = agent(&hub, H2);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/h", wrong[i]), 400);
    ask_of(&hub, client, &reply, &twice);
    assert_int_equal(reply.status, 400);
    end(&reply);
    assert_int_equal(hub.opened, 0);
    /* such a connection does not stay */
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/h", NULL), 400);
    world_until(&hub.w, has_no_more, &before);
    /* upper case is the same id */
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/h", ID_B), 204);
    assert_int_equal(
        status_of(&hub, client, "GET", "/fedlet/v1/h", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"), 204);
    assert_int_equal(hub.opened, 1);
    fed_http_client_close(client);
    hub_close(&hub);
}

static void a_connection_is_one_sessions(void **state)
{
    struct hub hub;
    struct fed_http_client *client;

    (void)state;
    hub_open(&hub, NULL);
    client = agent(&hub, H2);
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/h", ID_A), 204);
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/h", ID_B), 400);
    assert_int_equal(hub.opened, 1);
    fed_http_client_close(client);
    hub_close(&hub);
}

/* The same id of another certificate, or of none, is another session. */
static void a_session_is_its_certificates(void **state)
{
    struct hub hub;
    struct fed_http_client *clients[3];

    (void)state;
    hub_open(&hub, NULL);
    clients[0] = agent(&hub, H2);
    clients[1] = agent_as(&hub, H2, &hub.w.server_pem);
    clients[2] = agent_as(&hub, H2, NULL);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(status_of(&hub, clients[i], "GET", "/fedlet/v1/h", ID_A), 204);
        assert_int_equal(hub.opened, i + 1);
        assert_int_equal(hub.guest, i == 2);
    }
    for (unsigned i = 0; i < 3; i++)
        fed_http_client_close(clients[i]);
    hub_close(&hub);
}

/* Its connections go with it. */
static void a_session_that_the_hub_ends_is_disconnected(void **state)
{
    struct hub hub;
    struct fed_http_client *client;
    size_t before;

    (void)state;
    hub_open(&hub, NULL);
    client = agent(&hub, H2);
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/h", ID_A), 204);
    before = open_descriptors();
    fed_https_session_close(hub.session);
    world_until(&hub.w, has_fewer, &before);
    fed_http_client_close(client);
    hub_close(&hub);
}

static void a_session_that_the_hub_ended_stays_ended(void **state)
{
    struct hub hub;
    struct fed_http_client *client;
    struct fed_http_client *again;

    (void)state;
    hub_open(&hub, NULL);
    client = agent(&hub, H2);
    hub.end_session = true;
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/h", ID_A), 204);
    assert_int_equal(hub.closed, 0);
    again = agent(&hub, H2);
    assert_int_equal(status_of(&hub, again, "GET", "/fedlet/v1/h", ID_A), 401);
    assert_int_equal(hub.opened, 1);
    assert_int_equal(status_of(&hub, again, "GET", "/fedlet/v1/h", ID_B), 204);
    assert_int_equal(hub.opened, 2);
    fed_http_client_close(client);
    fed_http_client_close(again);
    hub_close(&hub);
}

static void silence_ends_a_session(void **state)
{
    struct fed_link_server_options options = {.session_idle_ms = 1100};
    struct hub hub;
    struct fed_http_client *client;

    (void)state;
    hub_open(&hub, &options);
    client = agent(&hub, H2);
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/h", ID_A), 204);
    world_until(&hub.w, is_closed, &hub);
    assert_string_equal(hub.why, "silent for 1 s");
    fed_http_client_close(client);
    hub_close(&hub);
}

/* An HTTP/2 PING is a sign of life. */
static void a_ping_keeps_a_session(void **state)
{
    struct fed_link_server_options options = {.session_idle_ms = 2000};
    struct ask ask = {.method = "GET",
        .target = "/fedlet/v1/body",
        .id = ID_A,
        .name = "fedlet-observe",
        .value = "stream",
        .stream = true};
    struct fed_http_client_options how = {.host = "127.0.0.1", .keepalive_ms = 500};
    struct reply reply;
    struct hub hub;
    struct fed_http_client *client;

    (void)state;
    hub_open(&hub, &options);
    how.port = fed_https_server_port(hub.server);
    how.ca_pem = fed_buf_span(&hub.w.ca.cert);
    client = world_client(&hub.w, &how);
    begin(client, &reply, &ask);
    world_run_ms(&hub.w, 4500);
    assert_int_equal(hub.opened, 1);
    assert_int_equal(hub.closed, 0);
    assert_true(hub.alive > 3);
    fed_http_client_close(client);
    end(&reply);
    hub_close(&hub);
}

static void sessions_are_limited(void **state)
{
    struct fed_link_server_options options = {.sessions_max = 4};
    struct ask ask = {.method = "GET", .target = "/fedlet/v1/h", .id = ID_A};
    struct reply reply;
    struct hub hub;
    struct fed_http_client *clients[6];
    char id[33];

    (void)state;
    hub_open(&hub, &options);
    for (unsigned i = 0; i < 6; i++)
        clients[i] = agent_as(&hub, H2, i < 2 ? NULL : &hub.w.client_pem);
    /* a quarter is for those without a certificate */
    assert_int_equal(status_of(&hub, clients[0], "GET", "/fedlet/v1/h", ID_A), 204);
    ask.id = ID_B;
    ask_of(&hub, clients[1], &reply, &ask);
    assert_int_equal(reply.status, 503);
    assert_string_equal(reply.retry, "30");
    end(&reply);
    for (unsigned i = 2; i < 6; i++) {
        snprintf(id, sizeof(id), "%032u", i);
        assert_int_equal(status_of(&hub, clients[i], "GET", "/fedlet/v1/h", id), i < 5 ? 204 : 503);
    }
    assert_int_equal(hub.opened, 4);
    for (unsigned i = 0; i < 6; i++)
        fed_http_client_close(clients[i]);
    hub_close(&hub);
}

static void connections_of_a_session_are_limited(void **state)
{
    struct hub hub;
    struct fed_http_client *clients[FED_HTTPS_CONNECTIONS_MAX + 1];

    (void)state;
    hub_open(&hub, NULL);
    for (unsigned i = 0; i <= FED_HTTPS_CONNECTIONS_MAX; i++) {
        clients[i] = agent(&hub, H2);
        assert_int_equal(status_of(&hub, clients[i], "GET", "/fedlet/v1/h", ID_A),
            i < FED_HTTPS_CONNECTIONS_MAX ? 204 : 503);
    }
    assert_int_equal(hub.opened, 1);
    for (unsigned i = 0; i <= FED_HTTPS_CONNECTIONS_MAX; i++)
        fed_http_client_close(clients[i]);
    world_until(&hub.w, is_closed, &hub);
    hub_close(&hub);
}

static void a_certificate_of_strangers_is_refused_and_logged(void **state)
{
    struct ask ask = {.method = "GET", .target = "/fedlet/v1/p", .id = ID_A};
    struct reply reply;
    struct hub hub;
    struct fed_http_client *client;

    (void)state;
    hub_open(&hub, NULL);
    client = agent_as(&hub, H2, &hub.w.stranger_pem);
    ask_of(&hub, client, &reply, &ask);
    assert_int_not_equal(reply.err, FED_OK);
    end(&reply);
    assert_int_equal(hub.opened, 0);
    assert_int_equal(hub.refusals, 1);
    fed_http_client_close(client);
    hub_close(&hub);
}

/* ---- requests ---- */
static void codes_become_statuses(void **state)
{
    static const struct {
        const char *target;
        unsigned status;
        const char *type;
        const char *retry;
    } cases[] = {
        {"/fedlet/v1/x?201", 201, "application/octet-stream", ""},
        {"/fedlet/v1/x?204", 200, "application/octet-stream", ""},
        {"/fedlet/v1/x?205", 200, "application/octet-stream", ""},
        {"/fedlet/v1/x?400", 400, "text/plain; charset=utf-8", ""},
        {"/fedlet/v1/x?401", 401, "text/plain; charset=utf-8", ""},
        {"/fedlet/v1/x?403", 403, "text/plain; charset=utf-8", ""},
        {"/fedlet/v1/x?404", 404, "text/plain; charset=utf-8", ""},
        {"/fedlet/v1/x?409", 409, "text/plain; charset=utf-8", ""},
        {"/fedlet/v1/x?413", 413, "text/plain; charset=utf-8", ""},
        {"/fedlet/v1/x?500", 500, "text/plain; charset=utf-8", ""},
        {"/fedlet/v1/x?503", 503, "text/plain; charset=utf-8", "7"},
        {"/fedlet/v1/x?600", 500, "text/plain; charset=utf-8", ""},
        {"/fedlet/v1/x", 204, "", ""},
        {"/fedlet/v1/j", 200, "application/json", ""},
    };
    struct hub hub;
    struct fed_http_client *client;

    (void)state;
    hub_open(&hub, NULL);
    client = agent(&hub, H2);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ask ask = {.method = "POST", .target = cases[i].target, .id = ID_A};
        struct reply reply;

        ask_of(&hub, client, &reply, &ask);
        assert_int_equal(reply.status, cases[i].status);
        assert_string_equal(reply.type, cases[i].type);
        assert_string_equal(reply.retry, cases[i].retry);
        if (cases[i].status != 204 && strcmp(reply.type, "application/json") != 0)
            assert_text(&reply.body, "why");
        end(&reply);
    }
    fed_http_client_close(client);
    hub_close(&hub);
}

static void paths_outside_are_nobodys(void **state)
{
    struct hub hub;
    struct fed_http_client *client;

    (void)state;
    hub_open(&hub, NULL);
    client = agent(&hub, H2);
    assert_int_equal(status_of(&hub, client, "GET", "/h", ID_A), 204);
    assert_string_equal(hub.path, "/h");
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v2/h", ID_A), 204);
    assert_string_equal(hub.path, "/fedlet/v2/h");
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/", ID_A), 204);
    assert_string_equal(hub.path, "");
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/%68", ID_A), 204);
    assert_string_equal(hub.path, "%68");
    assert_int_equal(status_of(&hub, client, "POST", "/fedlet/v1/p", ID_A), 204);
    assert_int_equal(hub.requests, 5);
    fed_http_client_close(client);
    hub_close(&hub);
}

static void other_methods_are_not_allowed(void **state)
{
    static const char *const methods[] = {"PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"};
    struct hub hub;
    struct fed_http_client *client;

    (void)state;
    hub_open(&hub, NULL);
    client = agent(&hub, H1);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct ask ask = {.method = methods[i], .target = "/fedlet/v1/h", .id = ID_A};
        struct reply reply;

        ask_of(&hub, client, &reply, &ask);
        assert_int_equal(reply.status, 405);
        assert_string_equal(reply.allow, "GET, POST");
        end(&reply);
    }
    assert_int_equal(hub.requests, 0);
    fed_http_client_close(client);
    hub_close(&hub);
}

static void payloads_have_a_limit(void **state)
{
    uint8_t *bytes = malloc(FED_HTTPS_REQUEST_MAX + 1);
    struct ask ask = {.method = "POST", .target = "/fedlet/v1/s", .id = ID_A};
    struct reply reply;
    struct hub hub;
    struct fed_http_client *client;

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 7, FED_HTTPS_REQUEST_MAX + 1);
    hub_open(&hub, NULL);
    client = agent(&hub, H2);
    ask.body = fed_span_of(bytes, FED_HTTPS_REQUEST_MAX);
    ask_of(&hub, client, &reply, &ask);
    assert_int_equal(reply.status, 204);
    assert_true(fed_span_eq(fed_buf_span(&hub.payload), ask.body));
    end(&reply);
    ask.body = fed_span_of(bytes, FED_HTTPS_REQUEST_MAX + 1);
    ask_of(&hub, client, &reply, &ask);
    assert_int_equal(reply.status, 413);
    end(&reply);
    assert_int_equal(hub.requests, 1);
    fed_http_client_close(client);
    hub_close(&hub);
    free(bytes);
}

static bool all_wait(void *ctx)
{
    return ((struct hub *)ctx)->n_waiting == FED_HTTPS_EXCHANGES_MAX;
}

static void answers_may_come_late(void **state)
{
    struct ask ask = {.method = "POST", .target = "/fedlet/v1/wait", .id = ID_A};
    struct reply replies[FED_HTTPS_EXCHANGES_MAX];
    struct hub hub;
    struct fed_http_client *client;

    (void)state;
    hub_open(&hub, NULL);
    client = agent(&hub, H2);
    for (size_t i = 0; i < FED_HTTPS_EXCHANGES_MAX; i++)
        begin(client, &replies[i], &ask);
    world_until(&hub.w, all_wait, &hub);
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/h", ID_A), 503);
    fed_https_answer(hub.waiting[0], FED_LINK_CHANGED, nothing, 0);
    world_until(&hub.w, is_done, &replies[0]);
    assert_int_equal(replies[0].status, 204);
    /* its session is ended: it is answered still */
    fed_https_session_close(hub.session);
    fed_https_answer(hub.waiting[1], FED_LINK_CHANGED, nothing, 0);
    world_until(&hub.w, is_done, &replies[1]);
    assert_int_equal(replies[1].status, 204);
    /* its peer is gone */
    fed_http_client_close(client);
    world_run_ms(&hub.w, 100);
    for (size_t i = 2; i < FED_HTTPS_EXCHANGES_MAX - 1; i++)
        fed_https_answer(hub.waiting[i], FED_LINK_CHANGED, nothing, 0);
    for (size_t i = 0; i < FED_HTTPS_EXCHANGES_MAX; i++)
        end(&replies[i]);
    hub_close(&hub); /* with one that is never answered */
}

/* ---- ranges ---- */
static void the_rest_of_an_answer(void **state)
{
    struct ask ask = {.method = "GET",
        .target = "/fedlet/v1/body",
        .id = ID_A,
        .name = "range",
        .name2 = "if-range"};
    static const struct {
        const char *range;
        const char *if_range; /* NULL: the right one */
        unsigned status;
        const char *body;
    } cases[] = {
        {"bytes=4-", NULL, 206, "456789"},
        {"bytes=0-", NULL, 206, "0123456789"},
        {"bytes=9-", NULL, 206, "9"},
        {"bytes=10-", NULL, 200, "0123456789"},
        {"bytes=4-6", NULL, 200, "0123456789"},
        {"bytes=-4", NULL, 200, "0123456789"},
        {"bytes=4-,6-", NULL, 200, "0123456789"},
        {"bytes=-", NULL, 200, "0123456789"},
        {"lines=4-", NULL, 200, "0123456789"},
        {"bytes=99999999999999999999-", NULL, 200, "0123456789"},
        {"bytes=4-", "\"00000000000000000000000000000000\"", 200, "0123456789"},
        {"bytes=4-", "*", 200, "0123456789"},
        {"bytes=4-", "Sun, 29 Nov 2026 22:57:03 GMT", 200, "0123456789"},
    };
    struct reply whole;
    struct hub hub;
    struct fed_http_client *client;
    char etag[64];

    (void)state;
    hub_open(&hub, NULL);
    client = agent(&hub, H2);
    ask_of(&hub, client, &whole, &(struct ask){.method = "GET", .target = ask.target, .id = ID_A});
    assert_int_equal(whole.status, 200);
    /* SHA-256 of 0123456789 */
    assert_string_equal(whole.etag, "\"84d89877f0d4041efb6bf91a16f0248f\"");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reply reply;

        ask.value = cases[i].range;
        ask.value2 = cases[i].if_range ? cases[i].if_range : whole.etag;
        ask_of(&hub, client, &reply, &ask);
        assert_int_equal(reply.status, cases[i].status);
        assert_text(&reply.body, cases[i].body);
        assert_string_equal(reply.etag, whole.etag);
        end(&reply);
    }
    ask.value = "bytes=4-";
    ask.value2 = memcpy(etag, whole.etag, sizeof(etag));
    end(&whole);
    ask_of(&hub, client, &whole, &ask);
    assert_string_equal(whole.range, "bytes 4-9/10");
    end(&whole);
    /* another body by then */
    fed_buf_put_text(&hub.body, "x");
    ask_of(&hub, client, &whole, &ask);
    assert_int_equal(whole.status, 200);
    assert_text(&whole.body, "0123456789x");
    end(&whole);
    fed_http_client_close(client);
    hub_close(&hub);
}

/* A range counts the bytes that the ETag names: they are not compressed. */
static void what_has_an_etag_is_sent_as_it_is(void **state)
{
    struct ask ask = {.method = "GET",
        .target = "/fedlet/v1/body",
        .id = ID_A,
        .name = "accept-encoding",
        .value = "gzip"};
    struct reply reply;
    struct hub hub;
    struct fed_http_client *client;

    (void)state;
    hub_open(&hub, NULL);
    for (unsigned i = 0; i < 30000; i++)
        fed_buf_put_text(&hub.body, "0123456789");
    client = agent(&hub, H2);
    ask_of(&hub, client, &reply, &ask);
    assert_int_equal(reply.status, 200);
    assert_true(fed_span_eq(fed_buf_span(&reply.body), fed_buf_span(&hub.body)));
    end(&reply);
    fed_http_client_close(client);
    hub_close(&hub);
}

/* ---- the observation ---- */
struct length {
    struct reply *reply;
    size_t len;
};

static bool has_length(void *ctx)
{
    struct length *length = ctx;

    return length->reply->body.len >= length->len || length->reply->done;
}

static void until_length(struct hub *hub, struct reply *reply, size_t len)
{
    struct length length = {reply, len};

    world_until(&hub->w, has_length, &length);
    assert_int_equal(reply->body.len, len);
}

static bool is_notified(void *ctx)
{
    return ((struct hub *)ctx)->n_tags > 0;
}

static const struct ask observe = {.method = "GET",
    .target = "/fedlet/v1/body",
    .id = ID_A,
    .name = "fedlet-observe",
    .value = "stream",
    .stream = true};

static void check_observation(enum http http)
{
    struct reply first;
    struct reply second;
    struct hub hub;
    struct fed_http_client *client;

    hub_open(&hub, NULL);
    client = agent(&hub, http);
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/h", ID_A), 204);
    assert_int_equal(fed_https_notify(hub.session, FED_SPAN_LIT("n"), 1), FED_ERR_NOT_FOUND);
    begin(client, &first, &observe);
    until_length(&hub, &first, 14);
    assert_int_equal(first.status, 200);
    assert_string_equal(first.type, "application/vnd.fedlet.stream");
    assert_memory_equal(first.body.at,
        "\0\0\0\x0a"
        "0123456789",
        14);
    assert_int_equal(fed_https_notify(hub.session, FED_SPAN_LIT("news"), 5), FED_OK);
    until_length(&hub, &first, 22);
    assert_memory_equal(first.body.at + 14, "\0\0\0\x04news", 8);
    world_until(&hub.w, is_notified, &hub);
    assert_int_equal(hub.n_tags, 1);
    assert_int_equal(hub.tags[0], 5);
    assert_true(hub.delivered[0]);
    /* requests go on beside it */
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/h", ID_A), 204);
    /* a newer one ends it in order */
    begin(client, &second, &observe);
    world_until(&hub.w, is_done, &first);
    assert_int_equal(first.err, FED_OK);
    until_length(&hub, &second, 14);
    assert_int_equal(fed_https_notify(hub.session, FED_SPAN_LIT(""), 6), FED_OK);
    until_length(&hub, &second, 18);
    assert_int_equal(hub.opened, 1);
    assert_int_equal(hub.closed, 0);
    fed_http_client_close(client);
    end(&first);
    end(&second);
    world_until(&hub.w, is_closed, &hub);
    hub_close(&hub);
}

static void observation_h2(void **state)
{
    (void)state;
    check_observation(H2);
}

static void observation_h1(void **state)
{
    (void)state;
    check_observation(H1);
}

static void only_a_good_answer_is_an_observation(void **state)
{
    struct ask ask = observe;
    struct reply reply;
    struct hub hub;
    struct fed_http_client *client;

    (void)state;
    hub_open(&hub, NULL);
    client = agent(&hub, H2);
    ask.target = "/fedlet/v1/x?503";
    ask_of(&hub, client, &reply, &ask);
    assert_int_equal(reply.status, 503);
    assert_string_equal(reply.retry, "7");
    end(&reply);
    assert_int_equal(fed_https_notify(hub.session, FED_SPAN_LIT("n"), 1), FED_ERR_NOT_FOUND);
    ask = observe;
    ask.value = "poll";
    ask_of(&hub, client, &reply, &ask);
    assert_int_equal(reply.status, 400);
    end(&reply);
    ask = observe;
    ask.method = "POST";
    ask_of(&hub, client, &reply, &ask);
    assert_int_equal(reply.status, 400);
    end(&reply);
    fed_http_client_close(client);
    hub_close(&hub);
}

static bool two_notified(void *ctx)
{
    return ((struct hub *)ctx)->n_tags == 2;
}

/* What is not sent yet is replaced by what is newer, and the record that is under way stays whole.
 */
static void a_newer_notification_replaces_one_that_waits(void **state)
{
    const size_t big = 4u << 20;
    struct fed_buf body;
    struct reply reply;
    struct hub hub;
    struct fed_http_client *client;

    (void)state;
    hub_open(&hub, NULL);
    fed_buf_init(&body, fed_alloc_system(), big);
    assert_non_null(fed_buf_room(&body, big));
    memset(fed_buf_room(&body, big), 'x', big);
    fed_buf_grew(&body, big);
    client = agent(&hub, H2);
    begin(client, &reply, &observe);
    until_length(&hub, &reply, 14);
    assert_int_equal(fed_https_notify(hub.session, fed_buf_span(&body), 1), FED_OK);
    assert_int_equal(fed_https_notify(hub.session, FED_SPAN_LIT("two"), 2), FED_OK);
    assert_int_equal(fed_https_notify(hub.session, FED_SPAN_LIT("three"), 3), FED_OK);
    until_length(&hub, &reply, 14 + 4 + big + 4 + 5);
    assert_memory_equal(reply.body.at + 14 + 4 + big, "\0\0\0\x05three", 9);
    world_until(&hub.w, two_notified, &hub);
    assert_int_equal(hub.tags[0], 1);
    assert_int_equal(hub.tags[1], 3);
    assert_true(hub.delivered[0] && hub.delivered[1]);
    fed_http_client_close(client);
    end(&reply);
    fed_buf_fini(&body);
    hub_close(&hub);
}

/* One that is given up is told, and takes its session along when the connection is gone. */
static void a_lost_observation_is_told(void **state)
{
    struct fed_http_call *call;
    struct reply reply;
    struct hub hub;
    struct fed_http_client *client;

    (void)state;
    hub_open(&hub, NULL);
    client = agent(&hub, H2);
    call = begin(client, &reply, &observe);
    until_length(&hub, &reply, 14);
    assert_int_equal(fed_https_notify(hub.session, FED_SPAN_LIT("n"), 9), FED_OK);
    fed_http_call_cancel(call);
    fed_http_client_close(client);
    world_until(&hub.w, is_closed, &hub);
    assert_int_equal(hub.n_tags, 1);
    assert_int_equal(hub.tags[0], 9);
    end(&reply);
    hub_close(&hub);
}

/* In HTTP/1.1 the observation has a connection of its own: without it, the session is over. */
static void a_session_ends_with_its_observations_connection(void **state)
{
    struct fed_http_call *call;
    struct reply reply;
    struct hub hub;
    struct fed_http_client *client;

    (void)state;
    hub_open(&hub, NULL);
    client = agent(&hub, H1);
    call = begin(client, &reply, &observe);
    until_length(&hub, &reply, 14);
    assert_int_equal(status_of(&hub, client, "GET", "/fedlet/v1/h", ID_A), 204);
    assert_int_equal(hub.closed, 0);
    fed_http_call_cancel(call);
    world_until(&hub.w, is_closed, &hub);
    assert_string_equal(hub.why, "the connection of its notifications ended");
    fed_http_client_close(client);
    end(&reply);
    hub_close(&hub);
}

/* ---- the end ---- */
static void on_shut_down(void *ctx)
{
    ((struct hub *)ctx)->w.n_done++;
}

static bool is_shut_down(void *ctx)
{
    return ((struct hub *)ctx)->w.n_done > 0;
}

static void shutdown_ends_observations_in_order(void **state)
{
    struct reply reply;
    struct hub hub;
    struct fed_http_client *client;
    struct fed_link_stats stats;

    (void)state;
    hub_open(&hub, NULL);
    client = agent(&hub, H2);
    begin(client, &reply, &observe);
    until_length(&hub, &reply, 14);
    fed_https_session_stats(hub.session, &stats);
    assert_true(stats.sent_bytes > 1000 && stats.received_bytes > 1000);
    fed_https_server_shutdown(hub.server, 5000, on_shut_down, &hub);
    world_until(&hub.w, is_shut_down, &hub);
    assert_int_equal(hub.closed, 1);
    world_until(&hub.w, is_done, &reply);
    assert_int_equal(reply.err, FED_OK);
    fed_http_client_close(client);
    end(&reply);
    hub_close(&hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_h2),
        cmocka_unit_test(session_h1),
        cmocka_unit_test(the_session_is_named_in_every_request),
        cmocka_unit_test(a_connection_is_one_sessions),
        cmocka_unit_test(a_session_is_its_certificates),
        cmocka_unit_test(a_session_that_the_hub_ends_is_disconnected),
        cmocka_unit_test(a_session_that_the_hub_ended_stays_ended),
        cmocka_unit_test(silence_ends_a_session),
        cmocka_unit_test(a_ping_keeps_a_session),
        cmocka_unit_test(sessions_are_limited),
        cmocka_unit_test(connections_of_a_session_are_limited),
        cmocka_unit_test(a_certificate_of_strangers_is_refused_and_logged),
        cmocka_unit_test(codes_become_statuses),
        cmocka_unit_test(paths_outside_are_nobodys),
        cmocka_unit_test(other_methods_are_not_allowed),
        cmocka_unit_test(payloads_have_a_limit),
        cmocka_unit_test(answers_may_come_late),
        cmocka_unit_test(the_rest_of_an_answer),
        cmocka_unit_test(what_has_an_etag_is_sent_as_it_is),
        cmocka_unit_test(observation_h2),
        cmocka_unit_test(observation_h1),
        cmocka_unit_test(only_a_good_answer_is_an_observation),
        cmocka_unit_test(a_newer_notification_replaces_one_that_waits),
        cmocka_unit_test(a_lost_observation_is_told),
        cmocka_unit_test(a_session_ends_with_its_observations_connection),
        cmocka_unit_test(shutdown_ends_observations_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
