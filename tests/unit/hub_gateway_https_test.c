/* hub_gateway_https_test.c - the gateway over the HTTPS binding: a cluster joins, follows its
 * bundle and reports through a real connection. What the gateway decides is in hub_gateway_test.c.
 */
#include "hub/gateway/gateway.h"
#include "ports/http.h"
#include "proto/bundle/frame.h"

#include "hub_join_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DEADLINE_MS 60000u
#define ID "000102030405060708090a0b0c0d0e0f"
#define OTHER_ID "ffffffffffffffffffffffffffffffff"
#define BODY_MAX (1u << 20)

struct world {
    struct join_world join;
    struct hub_gateway *gateway;
    struct fed_https_server *server;
    uint64_t end_ms;
};

static void on_changed(void *ctx, struct fed_span cluster, uint64_t revision)
{
    struct world *w = ctx;

    hub_gateway_plan_changed(w->gateway, cluster, revision);
}

static void on_object_changed(void *ctx, const struct hub_object_ref *ref, uint64_t revision)
{
    struct world *w = ctx;

    hub_status_object_changed(w->join.hub.status, ref, revision);
}

static int setup(void **state)
{
    static struct world w;
    struct hub_gateway_options options = {0};
    struct fed_link_server_events events;
    struct fed_link_server_options server = {.listen = "127.0.0.1:0"};
    struct fed_diag diag = {""};

    memset(&w, 0, sizeof w);
    join_world_open(&w.join);
    if (hub_gateway_open(fed_alloc_system(), &w.join.loop, NULL, w.join.hub.objects,
            w.join.hub.plan, w.join.hub.status, w.join.identity, &options, &w.gateway, &diag))
        fail_msg("%s", diag.text);
    assert_int_equal(hub_gateway_bind(w.gateway, fed_https_calls(), &events), FED_OK);
    server.cert_pem = hub_identity_server_cert_pem(w.join.identity);
    server.key_pem = hub_identity_server_key_pem(w.join.identity);
    server.client_ca_pem = hub_identity_ca_pem(w.join.identity);
    if (fed_https_server_open(
            fed_alloc_system(), &w.join.loop, NULL, &server, &events, &w.server, &diag))
        fail_msg("%s", diag.text);
    hub_plan_on_change(w.join.hub.plan, on_changed, on_object_changed, &w);
    hub_world_types(&w.join.hub);
    hub_world_put(&w.join.hub, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns','generation':1},'spec':{'placement':{'"
        "clusterSelector':{}}}}");
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    hub_plan_on_change(w->join.hub.plan, NULL, NULL, NULL);
    fed_https_server_close(w->server);
    hub_gateway_close(w->gateway);
    join_world_close(&w->join);
    return 0;
}

/* ---- requests ---- */
struct reply {
    bool done;
    enum fed_err err;
    unsigned status;
    struct fed_buf body;
};

static void on_head(void *ctx, const struct fed_http_response *response)
{
    ((struct reply *)ctx)->status = response->status;
}

static void on_data(void *ctx, struct fed_span bytes)
{
    fed_buf_put(&((struct reply *)ctx)->body, bytes);
}

static void on_done(void *ctx, enum fed_err err, const struct fed_http_response *response,
    const struct fed_diag *diag)
{
    struct reply *reply = ctx;

    (void)diag;
    reply->done = true;
    reply->err = err;
    if (response) {
        reply->status = response->status;
        fed_buf_put(&reply->body, response->body);
    }
}

struct until {
    struct world *w;
    const struct reply *reply;
    size_t len; /* of the body; 0: until it is done */
    bool late;
    struct fed_timer *timer;
};

static void look(void *ctx)
{
    struct until *u = ctx;
    struct fed_loop *loop = u->w->join.hub.loop;

    u->late = fed_loop_now_ms(loop) > u->w->end_ms;
    if (u->late || u->reply->done || (u->len && u->reply->body.len >= u->len))
        loop->stop(loop->ctx);
    else
        loop->timer_set(loop->ctx, u->timer, fed_loop_now_ms(loop) + 2);
}

/* Runs the loop until the reply is there, or so much of it. */
static void await(struct world *w, const struct reply *reply, size_t len)
{
    struct fed_loop *loop = w->join.hub.loop;
    struct until u = {.w = w, .reply = reply, .len = len};

    w->end_ms = fed_loop_now_ms(loop) + DEADLINE_MS;
    assert_int_equal(loop->timer_new(loop->ctx, look, &u, &u.timer), FED_OK);
    loop->timer_set(loop->ctx, u.timer, fed_loop_now_ms(loop));
    assert_int_equal(fed_linux_loop_run(w->join.hub.linux_loop), FED_OK);
    loop->timer_free(loop->ctx, u.timer);
    assert_false(u.late);
}

static void begin(struct fed_http_client *client, struct reply *reply, const char *id,
    const char *method, const char *target, struct fed_span body, bool observe)
{
    struct fed_http_header headers[] = {{FED_SPAN_LIT("fedlet-session"), fed_span_text(id)},
        {FED_SPAN_LIT("fedlet-observe"), FED_SPAN_LIT("stream")}};
    struct fed_http_call_options options = {.method = method,
        .target = target,
        .headers = headers,
        .n_headers = observe ? 2 : 1,
        .body = body};
    struct fed_http_call_events events = {.ctx = reply,
        .head = observe ? on_head : NULL,
        .data = observe ? on_data : NULL,
        .done = on_done};

    *reply = (struct reply){.done = false};
    fed_buf_init(&reply->body, fed_alloc_system(), BODY_MAX);
    assert_int_equal(fed_http_call(client, &options, &events, NULL), FED_OK);
}

/* Leaves the body in reply. */
static unsigned ask(struct world *w, struct fed_http_client *client, struct reply *reply,
    const char *id, const char *method, const char *target, struct fed_span body)
{
    begin(client, reply, id, method, target, body, false);
    await(w, reply, 0);
    assert_int_equal(reply->err, FED_OK);
    return reply->status;
}

static unsigned status_of(struct world *w, struct fed_http_client *client, const char *id,
    const char *method, const char *target)
{
    struct reply reply;
    unsigned status = ask(w, client, &reply, id, method, target, FED_SPAN_LIT(""));

    fed_buf_fini(&reply.body);
    return status;
}

static struct fed_http_client *client_new(
    struct world *w, struct fed_span cert_pem, struct fed_span key_pem)
{
    struct fed_http_client_options options = {.host = "127.0.0.1",
        .port = fed_https_server_port(w->server),
        .ca_pem = hub_identity_ca_pem(w->join.identity),
        .cert_pem = cert_pem,
        .key_pem = key_pem};
    struct fed_http_client *client = NULL;
    struct fed_diag diag = {""};

    if (fed_http_client_open(fed_alloc_system(), w->join.hub.loop, NULL, &options, &client, &diag))
        fail_msg("%s", diag.text);
    return client;
}

/* Joins over the binding. */
static struct fed_http_client *join(struct world *w, struct join_agent *agent)
{
    struct fed_http_client *nobody = client_new(w, fed_span_of(NULL, 0), fed_span_of(NULL, 0));
    struct fed_http_client *client;
    struct fed_join_request request;
    struct fed_join_answer answer;
    struct fed_token token;
    struct fed_buf text;
    struct reply reply;

    join_world_token(&w->join, "abcdef0123", "{}", &token);
    join_agent_init(&w->join, agent, "edge");
    join_agent_request(&w->join, agent, &token, &request);
    fed_buf_init(&text, fed_alloc_system(), FED_JOIN_MESSAGE_MAX);
    assert_int_equal(fed_join_request_put(&text, &request), FED_OK);
    assert_int_equal(status_of(w, nobody, ID, "GET", "/fedlet/v1/h"), 401);
    assert_int_equal(ask(w, nobody, &reply, ID, "POST", "/fedlet/v1/j", fed_buf_span(&text)), 200);
    assert_int_equal(fed_join_answer_parse(fed_buf_span(&reply.body), &answer, NULL), FED_OK);
    assert_true(answer.approved);
    fed_buf_fini(&reply.body);
    fed_buf_fini(&text);
    fed_http_client_close(nobody);
    client = client_new(w, fed_span_text(answer.certificate), fed_buf_span(&agent->key));
    return client;
}

/* ---- tests ---- */
static void hello(struct world *w, struct fed_http_client *client, struct fed_link_hello *out)
{
    struct reply reply;
    struct fed_span bytes;

    assert_int_equal(ask(w, client, &reply, ID, "GET", "/fedlet/v1/h", FED_SPAN_LIT("")), 200);
    bytes = fed_buf_span(&reply.body);
    assert_int_equal(fed_link_hello_take(&bytes, out), FED_OK);
    fed_buf_fini(&reply.body);
}

static uint32_t length_at(const struct fed_buf *body, size_t at)
{
    struct fed_span rest = fed_span_sub(fed_buf_span(body), at, body->len);
    uint32_t length = 0;

    assert_int_equal(fed_span_take_u32(&rest, &length), FED_OK);
    return length;
}

static void a_cluster_joins_and_follows_its_bundle(void **state)
{
    struct world *w = *state;
    struct join_agent agent;
    struct fed_http_client *client = join(w, &agent);
    struct fed_link_hello hub;
    struct reply stream;
    char target[64];
    size_t first;

    hello(w, client, &hub);
    snprintf(target, sizeof target, "/fedlet/v1/b?e=%u&r=0", (unsigned)hub.epoch);
    begin(client, &stream, ID, "GET", target, FED_SPAN_LIT(""), true);
    await(w, &stream, 8);
    first = 4 + length_at(&stream.body, 0);
    await(w, &stream, first);
    assert_int_equal(stream.status, 200);
    assert_int_equal(stream.body.len, first);
    /* A change is a record more, and the next one comes, as that was delivered. */
    for (unsigned i = 0; i < 3; i++) {
        char spec[128];
        size_t at = stream.body.len;

        snprintf(spec, sizeof spec,
            "{'template':{'data':{'k':'%u'}},'placement':{'clusterSelector':{}}}", i);
        hub_world_put_map(&w->join.hub, spec);
        await(w, &stream, at + 8);
        await(w, &stream, at + 4 + length_at(&stream.body, at));
        assert_int_equal(stream.body.len, at + 4 + length_at(&stream.body, at));
    }
    fed_http_client_close(client);
    fed_buf_fini(&stream.body);
    join_agent_fini(&agent);
}

static void who_may_do_what(void **state)
{
    struct world *w = *state;
    struct join_agent agent;
    struct fed_http_client *client = join(w, &agent);

    assert_int_equal(status_of(w, client, ID, "GET", "/fedlet/v1/k"), 200);
    assert_int_equal(status_of(w, client, ID, "POST", "/fedlet/v1/j"), 403);
    assert_int_equal(status_of(w, client, ID, "GET", "/fedlet/v1/nothing"), 404);
    assert_int_equal(status_of(w, client, ID, "GET", "/h"), 404);
    assert_int_equal(status_of(w, client, ID, "POST", "/fedlet/v1/h"), 405);
    assert_int_equal(status_of(w, client, ID, "GET", "/fedlet/v1/b"), 400);
    assert_int_equal(status_of(w, client, ID, "POST", "/fedlet/v1/s"), 400);
    fed_http_client_close(client);
    join_agent_fini(&agent);
}

/* Deleting the record of a cluster's key ends its session, in order, and the next one is refused.
 */
static void a_revoked_cluster_loses_its_session(void **state)
{
    struct world *w = *state;
    struct join_agent agent;
    struct fed_http_client *client = join(w, &agent);
    struct fed_link_hello hub;
    struct reply stream;
    char target[64];

    hello(w, client, &hub);
    snprintf(target, sizeof target, "/fedlet/v1/b?e=%u&r=0", (unsigned)hub.epoch);
    begin(client, &stream, ID, "GET", target, FED_SPAN_LIT(""), true);
    await(w, &stream, 8);
    assert_int_equal(join_world_delete(&w->join, JW_REQUESTS, "edge"), FED_OK);
    await(w, &stream, 0);
    assert_int_equal(stream.err, FED_OK);
    assert_int_equal(status_of(w, client, ID, "GET", "/fedlet/v1/h"), 401);
    assert_int_equal(status_of(w, client, OTHER_ID, "GET", "/fedlet/v1/h"), 403);
    fed_http_client_close(client);
    fed_buf_fini(&stream.body);
    join_agent_fini(&agent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cluster_joins_and_follows_its_bundle, setup, teardown),
        cmocka_unit_test_setup_teardown(who_may_do_what, setup, teardown),
        cmocka_unit_test_setup_teardown(a_revoked_cluster_loses_its_session, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
