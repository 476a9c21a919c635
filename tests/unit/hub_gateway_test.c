/* hub_gateway_test.c - the link's resources through a link that keeps what it is given, with
 * proto's decoder as the agent. */
#include "hub_join_world.h"
#include "refused_writes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub/gateway/internal.h"

/* ---- a link that keeps what it is given ---- */

struct fed_link_session {
    void *user;
    bool closed;
    bool observed;
    unsigned notifications;
    size_t limit; /* larger ones do not fit; 0: none */
    uint64_t tag;
    struct fed_buf body; /* of the last notification */
};
struct fed_link_exchange {
    unsigned answers;
    unsigned code;
    uint32_t max_age_s;
    struct fed_buf body;
};

static void link_set_user(struct fed_link_session *session, void *user)
{
    session->user = user;
}

static void *link_user(const struct fed_link_session *session)
{
    return session->user;
}

static void link_close(struct fed_link_session *session)
{
    session->closed = true;
}

static void link_answer(
    struct fed_link_exchange *exchange, unsigned code, struct fed_span body, uint32_t max_age_s)
{
    exchange->answers++;
    exchange->code = code;
    exchange->max_age_s = max_age_s;
    fed_buf_put(&exchange->body, body);
}

static unsigned notified_in_all;

static enum fed_err link_notify(
    struct fed_link_session *session, struct fed_span body, uint64_t tag)
{
    assert_false(session->closed);
    assert_true(body.len <= FED_LINK_NOTIFY_BODY_MAX);
    if (!session->observed)
        return FED_ERR_NOT_FOUND;
    if (session->limit && body.len > session->limit)
        return FED_ERR_LIMIT;
    session->notifications++;
    session->tag = tag;
    notified_in_all++;
    fed_buf_clear(&session->body);
    fed_buf_put(&session->body, body);
    return FED_OK;
}

static const struct fed_link_calls test_link = {.name = "test",
    .set_user = link_set_user,
    .user = link_user,
    .close = link_close,
    .answer = link_answer,
    .notify = link_notify};

/* ---- the world ---- */

struct world {
    struct join_world join;
    struct hub_gateway *gateway;
    struct fed_link_server_events events;
    struct fed_link_exchange last;
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
    struct fed_diag diag = {""};

    memset(&w, 0, sizeof w);
    notified_in_all = 0;
    join_world_open(&w.join);
    if (hub_gateway_open(fed_alloc_system(), &w.join.loop, NULL, w.join.hub.objects,
            w.join.hub.plan, w.join.hub.status, w.join.identity, &options, &w.gateway, &diag))
        fail_msg("%s", diag.text);
    assert_int_equal(hub_gateway_bind(w.gateway, &test_link, &w.events), FED_OK);
    hub_plan_on_change(w.join.hub.plan, on_changed, on_object_changed, &w);
    fed_buf_init(&w.last.body, fed_alloc_system(), FED_FRAME_MAX);
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
    hub_gateway_close(w->gateway);
    fed_buf_fini(&w->last.body);
    join_world_close(&w->join);
    return 0;
}

/* A ConfigMap with a value of so many bytes that hardly deflate. */
static void put_configmap(struct world *w, const char *name, size_t size)
{
    static unsigned long seed = 1;
    char json[8192];
    char value[4096];

    assert_true(size < sizeof value);
    for (size_t i = 0; i < size; i++) {
        seed = seed * 6364136223846793005ul + 1442695040888963407ul;
        value[i] =
            (char)("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[seed >> 58]);
    }
    value[size] = '\0';
    snprintf(json, sizeof json,
        "{'metadata':{'name':'%s','namespace':'ns','generation':1,'finalizers':['kubefed.io/"
        "sync-controller']},'spec':"
        "{'template':{'data':{'k':'%s'}},'placement':{'clusterSelector':{}}}}",
        name, value);
    hub_world_put(&w->join.hub, W_CONFIGMAPS, "ns", name, json);
}

static bool asks_again; /* what was answered already */

static unsigned ask(struct world *w, struct fed_link_session *session, enum fed_link_method method,
    const char *path, const char *query, struct fed_span payload, bool observe)
{
    struct fed_link_server_request request = {.method = method,
        .path = fed_span_text(path),
        .query = fed_span_text(query),
        .payload = payload,
        .observe = observe,
        .again = asks_again};

    fed_buf_clear(&w->last.body);
    w->last.answers = 0;
    w->events.request(w->events.ctx, session, &w->last, &request);
    (void)hub_objects_flush(w->join.hub.objects, NULL); /* as at the end of the turn */
    assert_int_equal(w->last.answers, 1);
    if (observe && w->last.code == FED_LINK_CONTENT)
        session->observed = true;
    return w->last.code;
}

static unsigned get(struct world *w, struct fed_link_session *session, const char *path)
{
    return ask(w, session, FED_LINK_GET, path, "", fed_span_text(""), false);
}

static unsigned pull(struct world *w, struct fed_link_session *session, uint32_t epoch,
    uint64_t revision, bool observe)
{
    char query[64];

    snprintf(
        query, sizeof query, "e=%lu&r=%llu", (unsigned long)epoch, (unsigned long long)revision);
    return ask(w, session, FED_LINK_GET, "b", query, fed_span_text(""), observe);
}

static void open_session(struct world *w, struct fed_link_session *session,
    const struct fed_crypto_cert_info *cert, const char *psk_identity)
{
    struct fed_link_peer peer = {
        .cert = cert, .psk_identity = psk_identity, .address = "192.0.2.7:40000"};

    memset(session, 0, sizeof *session);
    fed_buf_init(&session->body, fed_alloc_system(), 2048);
    w->events.opened(w->events.ctx, session, &peer);
}

static void end_session(struct world *w, struct fed_link_session *session)
{
    if (!session->closed)
        w->events.closed(w->events.ctx, session, "test over");
    fed_buf_fini(&session->body);
}

/* A cluster that has joined, and its certificate. */
static void join_cluster(struct world *w, const char *name, struct fed_crypto_cert_info *cert)
{
    static unsigned n;
    struct fed_join_answer answer;
    struct fed_token token;
    struct join_agent agent;
    struct fed_diag diag;
    char id[16];

    snprintf(id, sizeof id, "token%05u", n++);
    join_world_token(&w->join, id, "{}", &token);
    join_agent_init(&w->join, &agent, name);
    if (join_agent_join(&w->join, &agent, &token, &answer, &diag))
        fail_msg("%s", diag.text);
    assert_int_equal(w->join.crypto.cert_info(
                         w->join.crypto.ctx, fed_span_text(answer.certificate), cert, &diag),
        FED_OK);
    join_agent_fini(&agent);
}

/* ---- what an agent holds ---- */

#define VIEW_FRAMES 16u
struct view {
    struct fed_arena arenas[VIEW_FRAMES];
    struct fed_frame frames[VIEW_FRAMES];
    size_t n;
    struct fed_manifest now;
};

static enum fed_err view_blob(void *ctx, const struct fed_digest *digest, struct fed_span *out)
{
    struct view *view = ctx;

    for (size_t f = 0; f < view->n; f++)
        for (size_t i = 0; i < view->frames[f].n_blobs; i++)
            if (fed_digest_eq(&view->frames[f].blob_digests[i], digest)) {
                *out = view->frames[f].blobs[i];
                return FED_OK;
            }
    return FED_ERR_NOT_FOUND;
}

/* Takes a frame in as an agent does. */
static enum fed_err view_take(struct view *view, struct fed_span bytes)
{
    struct fed_manifest nothing = {0};
    struct fed_frame_head head;
    struct fed_span rest = bytes;
    struct fed_diag diag = {""};
    enum fed_err err = fed_frame_head_take(&rest, &head);
    struct fed_span copy;
    uint8_t *kept;

    assert_int_equal(err, FED_OK);
    assert_true(view->n < VIEW_FRAMES);
    fed_arena_init(&view->arenas[view->n], fed_alloc_system(), 8u << 20);
    kept = fed_alloc_get(&view->arenas[view->n].alloc, bytes.len);
    memcpy(kept, bytes.at, bytes.len);
    copy = fed_span_of(kept, bytes.len);
    err = fed_frame_decode(&view->arenas[view->n], copy, head.base_revision ? &view->now : &nothing,
        view_blob, view, &view->frames[view->n], &diag);
    if (err) {
        fed_arena_fini(&view->arenas[view->n]);
        return err;
    }
    view->now = view->frames[view->n].target;
    view->n++;
    return FED_OK;
}

static void view_fini(struct view *view)
{
    while (view->n > 0)
        fed_arena_fini(&view->arenas[--view->n]);
}

static bool view_is_present(struct world *w, const struct view *view, const char *cluster)
{
    const struct fed_manifest *present;
    struct fed_digest a;
    struct fed_digest b;

    assert_int_equal(hub_plan_manifest(w->join.hub.plan, fed_span_text(cluster), &present), FED_OK);
    assert_int_equal(fed_manifest_digest(present, &a), FED_OK);
    assert_int_equal(fed_manifest_digest(&view->now, &b), FED_OK);
    return present->revision == view->now.revision && present->epoch == view->now.epoch &&
           fed_digest_eq(&a, &b);
}

static bool has_body(struct fed_span frame)
{
    struct fed_frame_head head;

    assert_int_equal(fed_frame_head_take(&frame, &head), FED_OK);
    return head.has_body;
}

/* ---- tests ---- */

static void test_join(void **state)
{
    struct world *w = *state;
    struct fed_link_session session;
    struct fed_join_request request;
    struct fed_join_answer answer;
    struct fed_token token;
    struct join_agent agent;
    struct fed_diag diag = {""};
    struct fed_buf key;
    struct fed_buf text;

    join_world_token(&w->join, "abcdef0123", "{}", &token);
    join_agent_init(&w->join, &agent, "cluster1");
    fed_buf_init(&key, fed_alloc_system(), 64);
    fed_buf_init(&text, fed_alloc_system(), FED_JOIN_MESSAGE_MAX);
    assert_int_equal(
        w->events.psk(w->events.ctx, FED_SPAN_LIT("nosuch0000"), &key), FED_ERR_NOT_FOUND);
    assert_int_equal(w->events.psk(w->events.ctx, FED_SPAN_LIT("abcdef0123"), &key), FED_OK);
    assert_true(fed_span_eq(fed_buf_span(&key), fed_span_of(token.secret, sizeof token.secret)));
    open_session(w, &session, NULL, "abcdef0123");
    assert_int_equal(
        ask(w, &session, FED_LINK_POST, "j", "", FED_SPAN_LIT("{}"), false), FED_LINK_BAD_REQUEST);
    assert_true(w->last.body.len > 0);
    assert_int_equal(get(w, &session, "j"), FED_LINK_NOT_ALLOWED);
    join_agent_request(&w->join, &agent, &token, &request);
    assert_int_equal(fed_join_request_put(&text, &request), FED_OK);
    assert_int_equal(
        ask(w, &session, FED_LINK_POST, "j", "", fed_buf_span(&text), false), FED_LINK_CHANGED);
    assert_int_equal(fed_join_answer_parse(fed_buf_span(&w->last.body), &answer, &diag), FED_OK);
    assert_true(answer.approved);
    assert_string_equal(answer.cluster, "cluster1");
    fed_buf_clear(&text);
    request.proof[0] ^= 1;
    assert_int_equal(fed_join_request_put(&text, &request), FED_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(w, &session, FED_LINK_POST, "j", "", fed_buf_span(&text), false),
            FED_LINK_FORBIDDEN);
    assert_int_equal(
        ask(w, &session, FED_LINK_POST, "j", "", fed_buf_span(&text), false), FED_LINK_UNAVAILABLE);
    assert_int_equal(w->last.max_age_s, 60);
    end_session(w, &session);
    fed_buf_fini(&key);
    fed_buf_fini(&text);
    join_agent_fini(&agent);
}

/* Every resource for every kind of session. */
static void test_rights(void **state)
{
    static const char *const paths[] = {"h", "b", "s", "j", "", "x", "B", "b/", "h/cluster2"};
    struct world *w = *state;
    struct fed_link_session token;
    struct fed_link_session nobody;
    struct fed_link_session stranger;
    struct fed_link_session agent;
    struct fed_crypto_cert_info cert;
    struct fed_crypto_cert_info other;
    struct hub_gateway_stats stats;

    join_cluster(w, "cluster1", &cert);
    other = cert;
    snprintf(other.common_name, sizeof other.common_name, "cluster2");
    open_session(w, &token, NULL, "abcdef0123");
    open_session(w, &nobody, NULL, NULL);
    open_session(w, &stranger, &other, NULL);
    open_session(w, &agent, &cert, NULL);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        bool join = strcmp(paths[i], "j") == 0;

        assert_int_equal(
            get(w, &token, paths[i]), join ? FED_LINK_NOT_ALLOWED : FED_LINK_UNAUTHORIZED);
        assert_int_equal(
            get(w, &nobody, paths[i]), join ? FED_LINK_NOT_ALLOWED : FED_LINK_UNAUTHORIZED);
        assert_int_equal(get(w, &stranger, paths[i]), FED_LINK_FORBIDDEN);
    }
    assert_non_null(strstr(fed_buf_cstr(&w->last.body), "cluster2 is not registered"));
    assert_int_equal(get(w, &agent, "j"), FED_LINK_FORBIDDEN);
    assert_int_equal(get(w, &agent, "h"), FED_LINK_CONTENT);
    assert_int_equal(get(w, &agent, "s"), FED_LINK_NOT_ALLOWED);
    assert_int_equal(get(w, &agent, "x"), FED_LINK_NOT_FOUND);
    assert_int_equal(get(w, &agent, "h/cluster2"), FED_LINK_NOT_FOUND);
    assert_int_equal(get(w, &agent, "b"), FED_LINK_BAD_REQUEST); /* no query */
    hub_gateway_stats(w->gateway, &stats);
    assert_int_equal(stats.sessions, 1);
    assert_int_equal(stats.refused, 8 + 8 + 9 + 1);
    end_session(w, &token);
    end_session(w, &nobody);
    end_session(w, &stranger);
    end_session(w, &agent);
    hub_gateway_stats(w->gateway, &stats);
    assert_int_equal(stats.sessions, 0);
}

static void test_hello_and_report(void **state)
{
    struct world *w = *state;
    struct fed_link_session session;
    struct fed_crypto_cert_info cert;
    struct fed_link_hello hello;
    struct fed_link_hello_items items;
    struct fed_span from;
    struct fed_buf report;
    struct fed_report said = {.full = true,
        .seq = 1,
        .facts = FED_SPAN_LIT("{\"kubernetesVersion\":\"v1.34.4\",\"healthz\":\"ok\"}")};
    static uint8_t huge[FED_REPORT_MAX + 1];

    join_cluster(w, "cluster1", &cert);
    open_session(w, &session, &cert, NULL);
    assert_int_equal(get(w, &session, "h"), FED_LINK_CONTENT);
    from = fed_buf_span(&w->last.body);
    assert_int_equal(fed_link_hello_take(&from, &hello), FED_OK);
    assert_int_equal(hello.heartbeat_s, 120);
    assert_int_equal(hello.epoch, hub_plan_epoch(w->join.hub.plan));
    assert_int_equal(hello.report_seq, 0);
    fed_link_hello_items_take(from, &items);
    assert_int_equal(items.knows, FED_LINK_KNOWS_ALL);
    assert_in_range(
        hello.unix_s, fed_loop_unix_s(&w->join.loop) - 5, fed_loop_unix_s(&w->join.loop) + 5);
    said.epoch = hello.epoch;
    said.revision = hub_world_revision(&w->join.hub, "cluster1");
    fed_buf_init(&report, fed_alloc_system(), FED_REPORT_MAX);
    fed_report_put(&report, &said);
    assert_int_equal(
        ask(w, &session, FED_LINK_POST, "s", "", fed_buf_span(&report), false), FED_LINK_CHANGED);
    assert_int_equal(get(w, &session, "h"), FED_LINK_CONTENT);
    from = fed_buf_span(&w->last.body);
    assert_int_equal(fed_link_hello_take(&from, &hello), FED_OK);
    assert_int_equal(hello.report_seq, 1);
    assert_non_null(
        strstr(hub_world_composed(&w->join.hub, W_CLUSTERS, W_SYSTEM, "cluster1"), "v1.34.4"));
    said.full = false;
    said.seq = 7;
    fed_buf_clear(&report);
    fed_report_put(&report, &said);
    assert_int_equal(
        ask(w, &session, FED_LINK_POST, "s", "", fed_buf_span(&report), false), FED_LINK_CONFLICT);
    assert_int_equal(ask(w, &session, FED_LINK_POST, "s", "", FED_SPAN_LIT("\377garbage"), false),
        FED_LINK_BAD_REQUEST);
    assert_true(w->last.body.len > 0);
    assert_int_equal(
        ask(w, &session, FED_LINK_POST, "s", "", fed_span_of(huge, sizeof huge), false),
        FED_LINK_TOO_LARGE);
    fed_buf_fini(&report);
    end_session(w, &session);
}

static void post_report(struct world *w, struct fed_link_session *session, const char *cluster,
    uint64_t seq, struct fed_link_exchange *exchange)
{
    struct fed_report said = {.full = seq == 1,
        .epoch = hub_plan_epoch(w->join.hub.plan),
        .revision = hub_world_revision(&w->join.hub, cluster),
        .seq = seq};
    struct fed_link_server_request request = {
        .method = FED_LINK_POST, .path = FED_SPAN_LIT("s"), .query = FED_SPAN_LIT("")};
    struct fed_buf report;

    *exchange = (struct fed_link_exchange){.answers = 0};
    fed_buf_init(&exchange->body, fed_alloc_system(), 1024);
    fed_buf_init(&report, fed_alloc_system(), FED_REPORT_MAX);
    fed_report_put(&report, &said);
    request.payload = fed_buf_span(&report);
    w->events.request(w->events.ctx, session, exchange, &request);
    fed_buf_fini(&report);
}

static void assert_answer(struct fed_link_exchange *exchange, unsigned code)
{
    assert_int_equal(exchange->answers, 1);
    assert_int_equal(exchange->code, code);
    fed_buf_fini(&exchange->body);
}

static void test_reports_are_acknowledged_when_they_are_durable(void **state)
{
    struct world *w = *state;
    struct fed_link_session sessions[2];
    struct fed_link_exchange exchanges[2];
    struct fed_crypto_cert_info cert;

    join_cluster(w, "cluster1", &cert);
    open_session(w, &sessions[0], &cert, NULL);
    join_cluster(w, "cluster2", &cert);
    open_session(w, &sessions[1], &cert, NULL);
    post_report(w, &sessions[0], "cluster1", 1, &exchanges[0]);
    post_report(w, &sessions[1], "cluster2", 1, &exchanges[1]);
    assert_int_equal(exchanges[0].answers + exchanges[1].answers, 0);
    hub_world_settle(&w->join.hub);
    assert_answer(&exchanges[0], FED_LINK_CHANGED);
    assert_answer(&exchanges[1], FED_LINK_CHANGED);
    post_report(w, &sessions[0], "cluster1", 2, &exchanges[0]);
    post_report(w, &sessions[1], "cluster2", 2, &exchanges[1]);
    end_session(w, &sessions[1]); /* its report stays, whoever hears of it */
    test_writes_refuse();
    assert_int_not_equal(hub_objects_flush(w->join.hub.objects, NULL), FED_OK);
    test_writes_allow();
    assert_int_equal(exchanges[0].max_age_s, GATEWAY_RETRY_STORE_S);
    assert_answer(&exchanges[0], FED_LINK_UNAVAILABLE);
    assert_answer(&exchanges[1], FED_LINK_UNAVAILABLE);
    post_report(w, &sessions[0], "cluster1", 2, &exchanges[0]); /* again, as it was told */
    hub_world_settle(&w->join.hub);
    assert_answer(&exchanges[0], FED_LINK_CHANGED);
    end_session(w, &sessions[0]);
}

static void test_pull(void **state)
{
    struct world *w = *state;
    struct fed_link_session session;
    struct fed_crypto_cert_info cert;
    struct view view = {.n = 0};
    uint32_t epoch = hub_plan_epoch(w->join.hub.plan);
    uint64_t first;
    size_t full;

    put_configmap(w, "a", 600);
    put_configmap(w, "b", 600);
    join_cluster(w, "cluster1", &cert);
    open_session(w, &session, &cert, NULL);
    assert_int_equal(pull(w, &session, 0, 0, false), FED_LINK_CONTENT);
    assert_int_equal(view_take(&view, fed_buf_span(&w->last.body)), FED_OK);
    assert_true(view_is_present(w, &view, "cluster1"));
    assert_int_equal(view.now.n_works, 3); /* the namespace, and the two */
    full = w->last.body.len;
    first = view.now.revision;
    /* The same again: only a head. */
    assert_int_equal(pull(w, &session, epoch, first, false), FED_LINK_CONTENT);
    assert_false(has_body(fed_buf_span(&w->last.body)));
    assert_true(w->last.body.len < 40);
    put_configmap(w, "a", 100);
    assert_int_equal(pull(w, &session, epoch, first, false), FED_LINK_CONTENT);
    assert_true(w->last.body.len < full / 3);
    assert_int_equal(view_take(&view, fed_buf_span(&w->last.body)), FED_OK);
    assert_true(view_is_present(w, &view, "cluster1"));
    assert_int_equal(view.frames[view.n - 1].n_changed, 1);
    /* Another epoch, or a revision that nobody remembers: everything. */
    assert_int_equal(pull(w, &session, epoch + 1, view.now.revision, false), FED_LINK_CONTENT);
    assert_int_equal(view_take(&view, fed_buf_span(&w->last.body)), FED_OK);
    assert_true(view_is_present(w, &view, "cluster1"));
    assert_int_equal(view.frames[view.n - 1].head.base_revision, 0);
    assert_int_equal(pull(w, &session, epoch, 999999999, false), FED_LINK_CONTENT);
    assert_int_equal(view_take(&view, fed_buf_span(&w->last.body)), FED_OK);
    assert_int_equal(view.frames[view.n - 1].head.base_revision, 0);
    assert_true(view_is_present(w, &view, "cluster1"));
    assert_int_equal(ask(w, &session, FED_LINK_GET, "b", "e=1&r=x", fed_span_text(""), false),
        FED_LINK_BAD_REQUEST);
    view_fini(&view);
    end_session(w, &session);
}

static void test_notify(void **state)
{
    struct world *w = *state;
    struct fed_link_session session;
    struct fed_crypto_cert_info cert;
    struct view view = {.n = 0};
    uint64_t tag;

    put_configmap(w, "a", 100);
    join_cluster(w, "cluster1", &cert);
    open_session(w, &session, &cert, NULL);
    put_configmap(w, "a", 101);
    assert_int_equal(session.notifications, 0); /* nothing is observed */
    assert_int_equal(pull(w, &session, 0, 0, true), FED_LINK_CONTENT);
    assert_int_equal(view_take(&view, fed_buf_span(&w->last.body)), FED_OK);
    hub_world_settle(&w->join.hub);
    assert_int_equal(session.notifications, 0); /* the answer said it all */
    put_configmap(w, "a", 102);
    assert_int_equal(session.notifications, 1);
    assert_true(has_body(fed_buf_span(&session.body)));
    assert_int_equal(view_take(&view, fed_buf_span(&session.body)), FED_OK);
    assert_true(view_is_present(w, &view, "cluster1"));
    tag = session.tag;
    put_configmap(w, "a", 103);
    put_configmap(w, "b", 20);
    assert_int_equal(session.notifications, 1);                 /* one under way */
    w->events.notified(w->events.ctx, &session, tag + 5, true); /* of another time */
    hub_world_settle(&w->join.hub);
    assert_int_equal(session.notifications, 1);
    w->events.notified(w->events.ctx, &session, tag, true);
    hub_world_settle(&w->join.hub);
    assert_int_equal(
        session.notifications, 2); /* both changes in one, from what was acknowledged */
    assert_int_equal(view_take(&view, fed_buf_span(&session.body)), FED_OK);
    assert_true(view_is_present(w, &view, "cluster1"));
    w->events.notified(w->events.ctx, &session, session.tag, true);
    hub_world_settle(&w->join.hub);
    assert_int_equal(session.notifications, 2); /* nothing new */
    /* Not acknowledged: the observation is over. */
    put_configmap(w, "b", 21);
    assert_int_equal(session.notifications, 3);
    w->events.notified(w->events.ctx, &session, session.tag, false);
    put_configmap(w, "b", 22);
    assert_int_equal(session.notifications, 3);
    /* Observed again with what is held. */
    assert_int_equal(pull(w, &session, view.now.epoch, view.now.revision, true), FED_LINK_CONTENT);
    assert_int_equal(view_take(&view, fed_buf_span(&w->last.body)), FED_OK);
    put_configmap(w, "b", 23);
    assert_int_equal(session.notifications, 4);
    assert_int_equal(view_take(&view, fed_buf_span(&session.body)), FED_OK);
    assert_true(view_is_present(w, &view, "cluster1"));
    view_fini(&view);
    end_session(w, &session);
}

/* A request comes once more, and the agent has taken its first answer: it is told of what the
 * second one would have said. */
static void test_notify_behind_a_repetition(void **state)
{
    struct world *w = *state;
    struct fed_link_session session;
    struct fed_crypto_cert_info cert;
    struct view view = {.n = 0};
    uint64_t first;

    put_configmap(w, "a", 100);
    join_cluster(w, "cluster1", &cert);
    open_session(w, &session, &cert, NULL);
    assert_int_equal(pull(w, &session, 0, 0, true), FED_LINK_CONTENT);
    assert_int_equal(view_take(&view, fed_buf_span(&w->last.body)), FED_OK);
    first = view.now.revision;
    put_configmap(w, "a", 101);
    assert_int_equal(session.notifications, 1);
    assert_int_equal(view_take(&view, fed_buf_span(&session.body)), FED_OK);
    put_configmap(w, "a", 102);
    asks_again = true;
    for (unsigned observe = 0; observe < 2; observe++) {
        assert_int_equal(pull(w, &session, 0, 0, observe), FED_LINK_CONTENT);
        assert_true(has_body(fed_buf_span(&w->last.body)));
    }
    asks_again = false;
    hub_world_settle(&w->join.hub);
    assert_int_equal(session.notifications, 1);
    w->events.notified(w->events.ctx, &session, session.tag, true);
    hub_world_settle(&w->join.hub);
    assert_int_equal(session.notifications, 2);
    assert_int_equal(view_take(&view, fed_buf_span(&session.body)), FED_OK);
    assert_true(view_is_present(w, &view, "cluster1"));
    assert_true(view.now.revision > first + 1);
    view_fini(&view);
    end_session(w, &session);
}

/* What the path does not carry is only announced, and pulled; the next change is tried whole again.
 */
static void test_notify_narrow(void **state)
{
    struct world *w = *state;
    struct fed_link_session session;
    struct fed_crypto_cert_info cert;
    struct view view = {.n = 0};

    put_configmap(w, "a", 100);
    join_cluster(w, "cluster1", &cert);
    open_session(w, &session, &cert, NULL);
    assert_int_equal(pull(w, &session, 0, 0, true), FED_LINK_CONTENT);
    assert_int_equal(view_take(&view, fed_buf_span(&w->last.body)), FED_OK);
    put_configmap(w, "a", 101);
    assert_true(has_body(fed_buf_span(&session.body)));
    w->events.unfit(w->events.ctx, &session, session.tag + 1); /* of another one */
    hub_world_settle(&w->join.hub);
    assert_int_equal(session.notifications, 1);
    w->events.unfit(w->events.ctx, &session, session.tag);
    hub_world_settle(&w->join.hub);
    assert_int_equal(session.notifications, 2);
    assert_false(has_body(fed_buf_span(&session.body)));
    w->events.notified(w->events.ctx, &session, session.tag, true);
    assert_int_equal(pull(w, &session, view.now.epoch, view.now.revision, false), FED_LINK_CONTENT);
    assert_int_equal(view_take(&view, fed_buf_span(&w->last.body)), FED_OK);
    assert_true(view_is_present(w, &view, "cluster1"));
    put_configmap(w, "a", 102);
    assert_true(has_body(fed_buf_span(&session.body)));
    assert_int_equal(view_take(&view, fed_buf_span(&session.body)), FED_OK);
    w->events.notified(w->events.ctx, &session, session.tag, true);
    /* The link knows that this agent takes none that large. */
    session.limit = 40;
    put_configmap(w, "a", 103);
    assert_int_equal(session.notifications, 4);
    assert_false(has_body(fed_buf_span(&session.body)));
    view_fini(&view);
    end_session(w, &session);
}

/* The session goes on in another process of the hub, with what the gateway kept of it. */
static void go_on(struct world *w, struct fed_link_session *session,
    const struct fed_crypto_cert_info *cert, const struct fed_buf *kept)
{
    struct fed_link_peer peer = {
        .cert = cert, .address = "192.0.2.7:40000", .kept = fed_buf_span(kept)};

    memset(session, 0, sizeof *session);
    fed_buf_init(&session->body, fed_alloc_system(), 2048);
    session->observed = true; /* the link kept that */
    w->events.opened(w->events.ctx, session, &peer);
}

static void test_saved_session_goes_on(void **state)
{
    struct world *w = *state;
    struct fed_link_session session;
    struct fed_link_session next;
    struct fed_crypto_cert_info cert;
    struct view view = {.n = 0};
    struct fed_buf kept;

    put_configmap(w, "a", 100);
    join_cluster(w, "cluster1", &cert);
    open_session(w, &session, &cert, NULL);
    assert_int_equal(pull(w, &session, 0, 0, true), FED_LINK_CONTENT);
    assert_int_equal(view_take(&view, fed_buf_span(&w->last.body)), FED_OK);
    hub_world_settle(&w->join.hub);
    fed_buf_init(&kept, fed_alloc_system(), 256);
    hub_gateway_quiet(w->gateway, &test_link);
    assert_false(session.closed);
    assert_int_equal(hub_gateway_session_save(&test_link, &session, &kept), FED_OK);
    assert_null(session.user);
    fed_buf_fini(&session.body);
    put_configmap(w, "a", 101); /* nobody is there to be told */
    go_on(w, &next, &cert, &kept);
    hub_world_settle(&w->join.hub);
    assert_false(next.closed);
    assert_int_equal(next.notifications, 1);
    assert_true(has_body(fed_buf_span(&next.body))); /* the change from what it holds */
    assert_int_equal(view_take(&view, fed_buf_span(&next.body)), FED_OK);
    assert_true(view_is_present(w, &view, "cluster1"));
    end_session(w, &next);
    /* What is no such thing ends the session: its agent asks anew. */
    fed_buf_cut(&kept, kept.len - 1);
    go_on(w, &next, &cert, &kept);
    assert_true(next.closed);
    fed_buf_fini(&next.body);
    fed_buf_fini(&kept);
    view_fini(&view);
}

static void test_not_worth_saving(void **state)
{
    static const struct fed_link_calls other_link = {.name = "other"};
    struct world *w = *state;
    struct fed_link_session fresh;
    struct fed_link_session unheard;
    struct fed_crypto_cert_info cert1;
    struct fed_crypto_cert_info cert2;

    put_configmap(w, "a", 100);
    join_cluster(w, "cluster1", &cert1);
    join_cluster(w, "cluster2", &cert2);
    open_session(w, &fresh, &cert1, NULL);
    open_session(w, &unheard, &cert2, NULL);
    assert_int_equal(pull(w, &unheard, 0, 0, true), FED_LINK_CONTENT);
    put_configmap(w, "a", 101);
    assert_int_equal(unheard.notifications, 1);
    w->events.notified(w->events.ctx, &unheard, unheard.tag, false);
    hub_gateway_quiet(w->gateway, &other_link);
    assert_false(fresh.closed || unheard.closed); /* another binding's */
    hub_gateway_quiet(w->gateway, &test_link);
    assert_true(fresh.closed);   /* it has not said hello */
    assert_true(unheard.closed); /* it missed a change */
    fed_buf_fini(&fresh.body);
    fed_buf_fini(&unheard.body);
}

/* More than can be taken at once are told to come back, later ones later. */
static void test_too_many_hellos(void **state)
{
    struct world *w = *state;
    struct fed_link_session session;
    struct fed_crypto_cert_info cert;
    uint32_t later_s = 0;

    join_cluster(w, "cluster1", &cert);
    open_session(w, &session, &cert, NULL);
    for (unsigned i = 0; i < 3 * GATEWAY_HELLOS_PER_S; i++)
        (void)gateway_admit(w->gateway, &later_s);
    assert_int_equal(later_s, 3);
    assert_int_equal(get(w, &session, "h"), FED_LINK_UNAVAILABLE);
    assert_int_equal(w->last.max_age_s, 3);
    /* What is no hello counts for nothing. */
    w->gateway->hellos = 0;
    for (unsigned i = 0; i < GATEWAY_HELLOS_PER_S; i++)
        assert_int_equal(ask(w, &session, FED_LINK_GET, "h", "n=x", fed_span_text(""), false),
            FED_LINK_BAD_REQUEST);
    assert_int_equal(w->gateway->hellos, 0);
    assert_int_equal(get(w, &session, "h"), FED_LINK_CONTENT);
    end_session(w, &session);
}

/* Whoever has a token, or a certificate that counts no more, takes no place of agents: the oldest
 * of these sessions ends for each that is too many. */
static void test_strangers(void **state)
{
    enum { N = GATEWAY_STRANGERS_MAX + 2 };
    struct world *w = *state;
    struct fed_link_session *strangers = calloc(N, sizeof *strangers);
    struct fed_link_session agent;
    struct fed_link_session nobody;
    struct fed_crypto_cert_info cert;
    struct fed_crypto_cert_info other;

    assert_non_null(strangers);
    join_cluster(w, "cluster1", &cert);
    other = cert;
    snprintf(other.common_name, sizeof other.common_name, "cluster2");
    open_session(w, &agent, &cert, NULL);
    open_session(w, &nobody, NULL, NULL);
    assert_int_equal(get(w, &agent, "h"), FED_LINK_CONTENT);
    for (size_t i = 0; i < N; i++)
        open_session(w, &strangers[i], i % 2 ? &other : NULL, i % 2 ? NULL : "abcdef0123");
    for (size_t i = 0; i < N; i++)
        assert_int_equal(strangers[i].closed, i < 2);
    assert_false(agent.closed);
    assert_false(nobody.closed);
    end_session(w, &strangers[N - 1]); /* of any place in the list */
    end_session(w, &strangers[7]);
    strangers[7].closed = true;
    open_session(w, &strangers[N - 1], &other, NULL);
    open_session(w, &strangers[0], NULL, "abcdef0123");
    assert_false(strangers[2].closed);
    open_session(w, &strangers[1], &other, NULL);
    assert_true(strangers[2].closed);
    assert_false(strangers[3].closed);
    for (size_t i = 0; i < N; i++)
        end_session(w, &strangers[i]);
    assert_int_equal(w->gateway->n_strangers, 0);
    end_session(w, &agent);
    end_session(w, &nobody);
    free(strangers);
}

static unsigned ask_hello(struct world *w, struct fed_link_session *session, const char *query,
    struct fed_link_hello_items *out)
{
    unsigned code = ask(w, session, FED_LINK_GET, "h", query, fed_span_text(""), false);
    struct fed_span from = fed_buf_span(&w->last.body);
    struct fed_link_hello fields;

    if (code != FED_LINK_CONTENT)
        return code;
    assert_int_equal(fed_link_hello_take(&from, &fields), FED_OK);
    fed_link_hello_items_take(from, out);
    return code;
}

/* A session may be silent for two heartbeats and a half, whatever the heartbeat is. */
static void test_idle_time_follows_the_heartbeat(void **state)
{
    static const uint32_t rows[][2] = {
        {0, 600000}, {120, 600000}, {240, 600000}, {600, 1500000}, {3600, 9000000}};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hub_gateway_options options = {.heartbeat_s = rows[i][0]};
        struct hub_gateway *gateway;
        struct fed_diag diag = {""};

        assert_int_equal(
            hub_gateway_open(fed_alloc_system(), &w->join.loop, NULL, w->join.hub.objects,
                w->join.hub.plan, w->join.hub.status, w->join.identity, &options, &gateway, &diag),
            FED_OK);
        assert_int_equal(hub_gateway_idle_ms(gateway), rows[i][1]);
        hub_gateway_close(gateway);
    }
}

/* What the hello says of the kinds is what the answer to k has; and a change between hello and
 * observation is told. */
static void test_kinds_in_the_hello(void **state)
{
    struct world *w = *state;
    uint8_t digest[FED_LINK_KINDS_DIGEST_SIZE];
    struct fed_link_session session;
    struct fed_crypto_cert_info cert;
    struct fed_link_hello_items said;

    join_cluster(w, "cluster1", &cert);
    open_session(w, &session, &cert, NULL);
    assert_int_equal(ask_hello(w, &session, "v=15", &said), FED_LINK_CONTENT);
    assert_int_equal(get(w, &session, "k"), FED_LINK_CONTENT);
    assert_int_equal(fed_link_kinds_digest(fed_buf_span(&w->last.body), digest), FED_OK);
    assert_memory_equal(said.kinds, digest, sizeof digest);
    hub_world_remove(&w->join.hub, W_TYPES, W_SYSTEM, "configmaps");
    assert_int_equal(pull(w, &session, 0, 0, true), FED_LINK_CONTENT);
    hub_world_settle(&w->join.hub);
    assert_int_equal(session.notifications, 1);
    w->events.notified(w->events.ctx, &session, session.tag, true);
    assert_int_equal(pull(w, &session, 0, 0, true), FED_LINK_CONTENT);
    hub_world_settle(&w->join.hub);
    assert_int_equal(session.notifications, 1); /* once */
    end_session(w, &session);
}

#define FRAME_DEFLATED 6u /* flags of a frame: either section */

/* Sections travel as they are to an agent without the dictionary. */
static void test_agent_without_dictionary(void **state)
{
    struct world *w = *state;
    struct fed_link_session session;
    struct fed_crypto_cert_info cert;
    struct fed_link_hello_items said;
    size_t deflated;

    join_cluster(w, "cluster1", &cert);
    open_session(w, &session, &cert, NULL);
    put_configmap(w, "a", 20);
    assert_int_equal(ask_hello(w, &session, "v=x", &said), FED_LINK_BAD_REQUEST);
    assert_int_equal(ask_hello(w, &session, "", &said), FED_LINK_CONTENT);
    assert_int_equal(pull(w, &session, 0, 0, false), FED_LINK_CONTENT);
    deflated = w->last.body.len;
    assert_true(w->last.body.at[1] & FRAME_DEFLATED);
    assert_int_equal(ask_hello(w, &session, "v=7", &said), FED_LINK_CONTENT);
    assert_int_equal(pull(w, &session, 0, 0, false), FED_LINK_CONTENT);
    assert_int_equal(w->last.body.at[1] & FRAME_DEFLATED, 0);
    assert_true(w->last.body.len > deflated);
    end_session(w, &session);
}

/* An agent asks for the kinds when it is told of what it has once more. */
static void test_kinds_that_change(void **state)
{
    struct world *w = *state;
    struct fed_link_kind kinds[8];
    struct fed_link_session session;
    struct fed_crypto_cert_info cert;
    struct fed_frame_head head;
    struct fed_span from;
    uint64_t revision;
    size_t n;

    join_cluster(w, "cluster1", &cert);
    open_session(w, &session, &cert, NULL);
    assert_int_equal(pull(w, &session, 0, 0, true), FED_LINK_CONTENT);
    assert_int_equal(get(w, &session, "k"), FED_LINK_CONTENT);
    assert_int_equal(fed_link_kinds_take(fed_buf_span(&w->last.body), kinds, 8, &n), FED_OK);
    assert_int_equal(n, 4);
    revision = hub_world_revision(&w->join.hub, "cluster1");
    hub_world_put(&w->join.hub, W_TYPES, W_SYSTEM, "secrets",
        "{'metadata':{'name':'secrets'},'spec':{'federatedType':{'group':'types.kubefed.io',"
        "'kind':'FederatedSecret','pluralName':'federatedsecrets','scope':'Namespaced','version':"
        "'v1beta1'},'propagation':'Enabled','targetType':{'kind':'Secret','pluralName':'secrets',"
        "'scope':'Namespaced','version':'v1'}}}");
    assert_int_equal(session.notifications, 1);
    from = fed_buf_span(&session.body);
    assert_int_equal(fed_frame_head_take(&from, &head), FED_OK);
    assert_false(head.has_body);
    assert_int_equal(head.revision, revision);
    w->events.notified(w->events.ctx, &session, session.tag, true);
    hub_world_settle(&w->join.hub);
    assert_int_equal(session.notifications, 1);
    assert_int_equal(get(w, &session, "k"), FED_LINK_CONTENT);
    assert_int_equal(fed_link_kinds_take(fed_buf_span(&w->last.body), kinds, 8, &n), FED_OK);
    assert_int_equal(n, 5);
    end_session(w, &session);
}

/* What was given up is not told again in this session: without a new one the agent would wait for
 * its own renewal. */
static void test_missed_notification_ends_the_session(void **state)
{
    struct world *w = *state;
    struct fed_link_session session;
    struct fed_crypto_cert_info cert;

    put_configmap(w, "a", 100);
    join_cluster(w, "cluster1", &cert);
    open_session(w, &session, &cert, NULL);
    assert_int_equal(pull(w, &session, 0, 0, true), FED_LINK_CONTENT);
    put_configmap(w, "a", 101);
    w->events.notified(w->events.ctx, &session, session.tag, false);
    assert_false(session.closed); /* roaming: silence alone is no reason */
    assert_int_equal(pull(w, &session, 0, 0, true), FED_LINK_CONTENT);
    w->events.alive(w->events.ctx, &session);
    assert_false(session.closed); /* it asked by itself */
    put_configmap(w, "a", 102);
    w->events.notified(w->events.ctx, &session, session.tag, false);
    w->events.alive(w->events.ctx, &session);
    assert_true(session.closed);
    assert_null(session.user);
    end_session(w, &session);
}

static unsigned go_away(struct world *w, struct fed_link_session *session)
{
    return ask(w, session, FED_LINK_POST, "a", "", fed_span_text(""), false);
}

/* An agent that stops keeps its session: nothing is sent to where it was, so nothing is given up,
 * and it finds its session again, however much changed meanwhile. */
static void test_away(void **state)
{
    struct world *w = *state;
    struct fed_link_session session;
    struct fed_crypto_cert_info cert;
    struct hub_gateway_stats stats;

    put_configmap(w, "a", 100);
    join_cluster(w, "cluster1", &cert);
    open_session(w, &session, &cert, NULL);
    assert_int_equal(pull(w, &session, 0, 0, true), FED_LINK_CONTENT);
    put_configmap(w, "a", 101);
    assert_int_equal(session.notifications, 1); /* under way when it stops */
    assert_int_equal(go_away(w, &session), FED_LINK_CHANGED);
    w->events.notified(w->events.ctx, &session, session.tag, false);
    put_configmap(w, "a", 102);
    assert_int_equal(session.notifications, 1);
    w->events.alive(w->events.ctx, &session);
    assert_false(session.closed);
    hub_gateway_stats(w->gateway, &stats);
    assert_int_equal(stats.sessions, 1);
    assert_int_equal(get(w, &session, "h"), FED_LINK_CONTENT);
    assert_int_equal(pull(w, &session, 0, 0, true), FED_LINK_CONTENT);
    put_configmap(w, "a", 103);
    assert_int_equal(session.notifications, 2);
    assert_int_equal(
        ask(w, &session, FED_LINK_GET, "a", "", fed_span_text(""), false), FED_LINK_NOT_ALLOWED);
    assert_int_equal(go_away(w, &session), FED_LINK_CHANGED);
    assert_int_equal(go_away(w, &session), FED_LINK_CHANGED);
    end_session(w, &session); /* it does not come back */
    open_session(w, &session, NULL, "token");
    assert_int_equal(go_away(w, &session), FED_LINK_UNAUTHORIZED);
    end_session(w, &session);
}

static void test_notify_large(void **state)
{
    struct world *w = *state;
    struct fed_link_session session;
    struct fed_crypto_cert_info cert;
    struct view view = {.n = 0};

    join_cluster(w, "cluster1", &cert);
    open_session(w, &session, &cert, NULL);
    assert_int_equal(pull(w, &session, 0, 0, true), FED_LINK_CONTENT);
    assert_int_equal(view_take(&view, fed_buf_span(&w->last.body)), FED_OK);
    put_configmap(w, "a", 3000);
    assert_int_equal(session.notifications, 1);
    assert_false(has_body(fed_buf_span(&session.body)));
    w->events.notified(w->events.ctx, &session, session.tag, true);
    hub_world_settle(&w->join.hub);
    assert_int_equal(session.notifications, 1); /* told once */
    /* What was only announced is not held: the next change still starts from before it. */
    put_configmap(w, "b", 20);
    assert_int_equal(session.notifications, 2);
    assert_false(has_body(fed_buf_span(&session.body)));
    /* The pull overtakes the acknowledgement. */
    assert_int_equal(pull(w, &session, view.now.epoch, view.now.revision, false), FED_LINK_CONTENT);
    assert_int_equal(view_take(&view, fed_buf_span(&w->last.body)), FED_OK);
    assert_true(view_is_present(w, &view, "cluster1"));
    w->events.notified(w->events.ctx, &session, session.tag, true);
    hub_world_settle(&w->join.hub);
    assert_int_equal(session.notifications, 2);
    put_configmap(w, "b", 21);
    assert_int_equal(session.notifications, 3);
    assert_true(has_body(fed_buf_span(&session.body)));
    assert_int_equal(view_take(&view, fed_buf_span(&session.body)), FED_OK);
    assert_true(view_is_present(w, &view, "cluster1"));
    view_fini(&view);
    end_session(w, &session);
}

static void test_sessions(void **state)
{
    struct world *w = *state;
    struct fed_link_session older;
    struct fed_link_session newer;
    struct fed_link_session third;
    struct fed_crypto_cert_info cert;
    struct fed_crypto_cert_info second;

    join_cluster(w, "cluster1", &cert);
    join_cluster(w, "cluster2", &second);
    open_session(w, &older, &cert, NULL);
    assert_int_equal(pull(w, &older, 0, 0, true), FED_LINK_CONTENT);
    /* A handshake alone drives nobody out. */
    open_session(w, &newer, &cert, NULL);
    assert_false(older.closed);
    assert_int_equal(pull(w, &newer, 0, 0, true), FED_LINK_CONTENT);
    assert_true(older.closed);
    assert_null(older.user);
    assert_false(newer.closed);
    put_configmap(w, "a", 10);
    assert_int_equal(older.notifications, 0);
    assert_int_equal(newer.notifications, 1);
    w->events.alive(w->events.ctx, &newer);
    open_session(w, &third, &second, NULL); /* asks for nothing yet */
    hub_world_remove(&w->join.hub, W_CLUSTERS, W_SYSTEM, "cluster1");
    assert_true(newer.closed);
    assert_false(third.closed);
    assert_int_equal(join_world_delete(&w->join, JW_REQUESTS, "cluster2"), FED_OK);
    assert_true(third.closed);
    /* Back again: told that it is out. */
    end_session(w, &newer);
    open_session(w, &newer, &cert, NULL);
    assert_int_equal(pull(w, &newer, 0, 0, true), FED_LINK_FORBIDDEN);
    end_session(w, &older);
    end_session(w, &newer);
    end_session(w, &third);
}

/* An agent that makes handshake after handshake and asks for nothing has one session. */
static void test_handshakes_alone(void **state)
{
    struct world *w = *state;
    struct fed_link_session counts;
    struct fed_link_session silent[4];
    struct fed_link_session other;
    struct fed_crypto_cert_info cert;
    struct fed_crypto_cert_info second;

    join_cluster(w, "cluster1", &cert);
    join_cluster(w, "cluster2", &second);
    open_session(w, &counts, &cert, NULL);
    assert_int_equal(get(w, &counts, "h"), FED_LINK_CONTENT);
    open_session(w, &other, &second, NULL);
    for (size_t i = 0; i < 4; i++) {
        open_session(w, &silent[i], &cert, NULL);
        assert_true(i == 0 || silent[i - 1].closed);
        assert_false(silent[i].closed);
    }
    assert_null(silent[0].user);
    assert_false(counts.closed);
    assert_false(other.closed);
    /* The last one counts when it asks; then the next has the place. */
    assert_int_equal(get(w, &silent[3], "h"), FED_LINK_CONTENT);
    assert_true(counts.closed);
    end_session(w, &silent[0]);
    open_session(w, &silent[0], &cert, NULL);
    assert_false(silent[3].closed);
    end_session(w, &silent[1]);
    end_session(w, &silent[0]); /* its agent ends it: nothing of it is left */
    open_session(w, &silent[1], &cert, NULL);
    assert_false(silent[1].closed);
    /* Nor does one whose certificate has ended have more. */
    cert.not_after_unix_s = 1;
    open_session(w, &silent[0], &cert, NULL);
    assert_true(silent[1].closed);
    assert_false(silent[3].closed);
    for (size_t i = 0; i < 4; i++)
        end_session(w, &silent[i]);
    end_session(w, &counts);
    end_session(w, &other);
}

/* ---- after a crash ---- */

struct knocks {
    struct fed_loop *loop;
    unsigned n;
    char last[64];
};

static void on_knocked(void *ctx, const char *address)
{
    struct knocks *knocks = ctx;

    knocks->n++;
    snprintf(knocks->last, sizeof knocks->last, "%s", address);
    knocks->loop->stop(knocks->loop->ctx);
}

static void stop_loop(void *ctx)
{
    struct fed_loop *loop = ctx;

    loop->stop(loop->ctx);
}

/* Runs the loop until somebody stops it, or for so long. */
static void run_ms(struct world *w, unsigned ms)
{
    struct fed_loop *loop = w->join.hub.loop;
    struct fed_timer *timer;

    assert_int_equal(loop->timer_new(loop->ctx, stop_loop, loop, &timer), FED_OK);
    loop->timer_set(loop->ctx, timer, fed_loop_now_ms(loop) + ms);
    assert_int_equal(fed_linux_loop_run(w->join.hub.linux_loop), FED_OK);
    loop->timer_free(loop->ctx, timer);
}

static void reopen_gateway(struct world *w, const struct fed_link_calls *link)
{
    struct hub_gateway_options options = {0};
    struct fed_diag diag = {""};

    hub_gateway_close(w->gateway);
    if (hub_gateway_open(fed_alloc_system(), &w->join.loop, NULL, w->join.hub.objects,
            w->join.hub.plan, w->join.hub.status, w->join.identity, &options, &w->gateway, &diag))
        fail_msg("%s", diag.text);
    assert_int_equal(hub_gateway_bind(w->gateway, link, &w->events), FED_OK);
}

/* The hub's process ends without a word, and the next one knocks at who is not back. */
static void test_knock(void **state)
{
    struct fed_link_calls coap = test_link;
    struct world *w = *state;
    struct knocks knocks = {.loop = w->join.hub.loop};
    struct fed_link_session sessions[2];
    struct fed_crypto_cert_info certs[2];
    struct hub_gateway_stats stats;

    coap.name = "coap";
    reopen_gateway(w, &coap);
    join_cluster(w, "cluster1", &certs[0]);
    join_cluster(w, "cluster2", &certs[1]);
    open_session(w, &sessions[0], &certs[0], NULL);
    open_session(w, &sessions[1], &certs[1], NULL);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(get(w, &sessions[i], "h"), FED_LINK_CONTENT);
    hub_gateway_quiet(w->gateway, &coap); /* it stops: addresses are stored at once */
    reopen_gateway(w, &coap);
    fed_buf_fini(&sessions[0].body);
    fed_buf_fini(&sessions[1].body);
    open_session(w, &sessions[1], &certs[1], NULL);
    assert_int_equal(get(w, &sessions[1], "h"), FED_LINK_CONTENT);
    hub_gateway_knock_by(w->gateway, on_knocked, &knocks);
    run_ms(w, 3000);
    assert_int_equal(knocks.n, 1); /* cluster1 alone: the other one is back */
    assert_string_equal(knocks.last, "192.0.2.7:40000");
    hub_gateway_stats(w->gateway, &stats);
    assert_int_equal(stats.knocked, 1);
    run_ms(w, 8000); /* a second time, and never again */
    assert_int_equal(knocks.n, 2);
    hub_gateway_knock_by(w->gateway, NULL, NULL);
    /* Who is no longer registered is forgotten. */
    hub_world_remove(&w->join.hub, W_CLUSTERS, W_SYSTEM, "cluster1");
    hub_gateway_knock_by(w->gateway, on_knocked, &knocks);
    run_ms(w, 1500);
    assert_int_equal(knocks.n, 2);
    hub_gateway_knock_by(w->gateway, NULL, NULL);
    end_session(w, &sessions[1]);
}

/* ---- agents that come back ---- */

static void known_as(const char *cluster, uint8_t last, uint8_t id[32])
{
    struct fed_digest name;

    assert_int_equal(fed_digest_of(fed_span_text(cluster), &name), FED_OK);
    memcpy(id, name.bytes, 16);
    memset(id + 16, last, 16);
}

static void open_known(struct world *w, struct fed_link_session *session,
    const struct fed_crypto_cert_info *cert, const uint8_t id[32], const char *recall)
{
    struct fed_link_peer peer = {.cert = cert,
        .address = "192.0.2.7:40000",
        .recall_id = fed_span_of(id, 32),
        .recall = fed_span_text(recall)};

    memset(session, 0, sizeof *session);
    fed_buf_init(&session->body, fed_alloc_system(), 2048);
    w->events.opened(w->events.ctx, session, &peer);
}

/* What is known under the identifier; "" for nothing. */
static const char *known(struct world *w, const uint8_t id[32])
{
    static char text[64];
    struct fed_buf out;
    enum fed_err err;

    fed_buf_init(&out, fed_alloc_system(), 2048);
    err = w->events.recall(w->events.ctx, fed_span_of(id, 32), &out);
    snprintf(text, sizeof text, "%s", err ? "" : fed_buf_cstr(&out));
    fed_buf_fini(&out);
    return text;
}

static bool stored_clear(void *ctx, const struct fed_store_item *item)
{
    unsigned *rows = ctx;

    ++*rows;
    assert_null(memmem(item->value.at, item->value.len, "secret", 6));
    return true;
}

static unsigned known_rows(struct world *w)
{
    struct fed_store *store = hub_objects_store(w->join.hub.objects);
    unsigned rows = 0;

    assert_int_equal(hub_objects_flush(w->join.hub.objects, NULL), FED_OK);
    assert_int_equal(
        store->range(store->ctx, FED_SPAN_LIT("y/"), FED_SPAN_LIT("y0"), 0, stored_clear, &rows),
        FED_OK);
    return rows;
}

/* What a session left outlives it and the process, and ends with what the certificate is good for.
 */
static void test_known_again(void **state)
{
    struct fed_link_calls coap = test_link;
    struct world *w = *state;
    struct fed_link_session sessions[3];
    struct fed_crypto_cert_info certs[2];
    uint8_t one[32];
    uint8_t two[32];
    uint8_t other[32];

    coap.name = "coap";
    join_cluster(w, "cluster1", &certs[0]);
    join_cluster(w, "cluster2", &certs[1]);
    known_as("cluster1", 1, one);
    known_as("cluster2", 2, two);
    known_as("cluster1", 3, other);
    assert_string_equal(known(w, one), "");
    open_known(w, &sessions[0], &certs[0], one, "secret 1");
    open_known(w, &sessions[1], &certs[1], two, "secret 2");
    assert_string_equal(known(w, one), "secret 1");
    assert_int_equal(known_rows(w), 2);
    end_session(w, &sessions[0]);
    end_session(w, &sessions[1]);
    reopen_gateway(w, &coap);
    assert_string_equal(known(w, one), "secret 1");
    assert_string_equal(known(w, two), "secret 2");
    assert_string_equal(known(w, other), ""); /* right of the cluster, wrong of the session */
    /* A session speaks for its own cluster, and only by a certificate that counts. */
    open_known(w, &sessions[2], &certs[1], other, "secret 3");
    assert_string_equal(known(w, other), "");
    assert_string_equal(known(w, one), "secret 1");
    end_session(w, &sessions[2]);
    certs[0].not_after_unix_s = 1;
    open_known(w, &sessions[2], &certs[0], other, "secret 4");
    assert_string_equal(known(w, other), "");
    end_session(w, &sessions[2]);
    /* Its key's record goes, or the cluster does. */
    assert_int_equal(join_world_delete(&w->join, JW_REQUESTS, "cluster1"), FED_OK);
    assert_string_equal(known(w, one), "");
    hub_world_remove(&w->join.hub, W_CLUSTERS, W_SYSTEM, "cluster2");
    assert_string_equal(known(w, two), "");
    assert_int_equal(known_rows(w), 0);
}

/* ---- certificates that have ended ---- */

static unsigned certificate(struct world *w, struct fed_link_session *session, const char *payload)
{
    return ask(w, session, FED_LINK_POST, "c", "", fed_span_text(payload), false);
}

static void test_certificate(void **state)
{
    static struct fed_join_answer answer;
    struct world *w = *state;
    struct fed_link_session session;
    struct fed_link_session other;
    struct fed_crypto_cert_info cert;
    struct fed_crypto_cert_info second;
    struct fed_crypto_cert_info next;
    struct fed_crypto_cert_info again;
    struct fed_diag diag;

    join_cluster(w, "cluster1", &cert);
    join_cluster(w, "cluster2", &second);
    open_session(w, &session, &cert, NULL);
    open_session(w, &other, &second, NULL);
    assert_int_equal(certificate(w, &session, "{}"), FED_LINK_BAD_REQUEST);
    assert_int_equal(get(w, &session, "c"), FED_LINK_NOT_ALLOWED);
    join_world_pass(300 * 86400);
    assert_int_equal(certificate(w, &session, ""), FED_LINK_CHANGED);
    assert_int_equal(fed_join_answer_parse(fed_buf_span(&w->last.body), &answer, &diag), FED_OK);
    assert_true(answer.approved);
    assert_string_equal(answer.cluster, "cluster1");
    assert_int_equal(w->join.crypto.cert_info(
                         w->join.crypto.ctx, fed_span_text(answer.certificate), &next, &diag),
        FED_OK);
    assert_true(fed_digest_eq(&next.public_key, &cert.public_key));
    assert_true(next.not_after_unix_s > cert.not_after_unix_s + 299 * 86400);
    /* Who asks in a circle gets the same again, and takes nothing from the others. */
    for (unsigned i = 0; i < 2 * GATEWAY_CERTIFICATES_PER_S; i++)
        assert_int_equal(certificate(w, &session, ""), FED_LINK_CHANGED);
    assert_int_equal(fed_join_answer_parse(fed_buf_span(&w->last.body), &answer, &diag), FED_OK);
    assert_int_equal(w->join.crypto.cert_info(
                         w->join.crypto.ctx, fed_span_text(answer.certificate), &again, &diag),
        FED_OK);
    assert_true(fed_digest_eq(&again.fingerprint, &next.fingerprint));
    /* The hub takes its time when many are to be signed. */
    w->gateway->certificates = GATEWAY_CERTIFICATES_PER_S;
    assert_int_equal(certificate(w, &other, ""), FED_LINK_UNAVAILABLE);
    assert_in_range(w->last.max_age_s, 10, 70);
    assert_int_equal(certificate(w, &session, ""), FED_LINK_CHANGED);
    w->gateway->certificates = GATEWAY_CERTIFICATES_PER_S - 1;
    assert_int_equal(certificate(w, &other, ""), FED_LINK_CHANGED);
    end_session(w, &session);
    end_session(w, &other);
}

/* What a certificate that has ended may do: get a new one. */
static void test_ended(void **state)
{
    static const char *const others[] = {"h", "b", "k", "j", "", "nosuch"};
    static struct fed_join_answer answer;
    struct world *w = *state;
    struct fed_link_session session;
    struct fed_link_session open;
    struct fed_link_session mute;
    struct fed_crypto_cert_info cert;
    struct fed_crypto_cert_info stranger;
    struct hub_gateway_stats stats;
    struct fed_diag diag;

    join_cluster(w, "cluster1", &cert);
    open_session(w, &open, &cert, NULL);
    assert_int_equal(get(w, &open, "h"), FED_LINK_CONTENT);
    open_session(w, &mute, &cert, NULL);
    w->events.alive(w->events.ctx, &mute);
    assert_false(mute.closed);
    join_world_pass(366 * 86400);
    /* One that was open ends at its next sign of life, also when it has asked nothing so far. */
    w->events.alive(w->events.ctx, &open);
    assert_true(open.closed);
    w->events.alive(w->events.ctx, &mute);
    assert_true(mute.closed);
    open_session(w, &session, &cert, NULL);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(get(w, &session, others[i]), FED_LINK_UNAUTHORIZED);
    assert_int_equal(
        ask(w, &session, FED_LINK_POST, "s", "", fed_span_text("x"), false), FED_LINK_UNAUTHORIZED);
    hub_gateway_stats(w->gateway, &stats);
    assert_int_equal(stats.sessions, 0); /* the cluster is not connected by that */
    assert_int_equal(stats.refused, 7);
    assert_int_equal(certificate(w, &session, ""), FED_LINK_CHANGED);
    assert_int_equal(fed_join_answer_parse(fed_buf_span(&w->last.body), &answer, &diag), FED_OK);
    end_session(w, &session);
    assert_int_equal(w->join.crypto.cert_info(
                         w->join.crypto.ctx, fed_span_text(answer.certificate), &stranger, &diag),
        FED_OK);
    open_session(w, &session, &stranger, NULL);
    assert_int_equal(get(w, &session, "h"), FED_LINK_CONTENT);
    end_session(w, &session);
    /* Another key's, and that of a cluster that is gone. */
    stranger = cert;
    stranger.public_key.bytes[0] ^= 1;
    open_session(w, &session, &stranger, NULL);
    assert_int_equal(certificate(w, &session, ""), FED_LINK_FORBIDDEN);
    end_session(w, &session);
    open_session(w, &session, &cert, NULL);
    hub_world_remove(&w->join.hub, W_CLUSTERS, W_SYSTEM, "cluster1");
    assert_true(session.closed);
    end_session(w, &session);
    open_session(w, &session, &cert, NULL);
    assert_int_equal(certificate(w, &session, ""), FED_LINK_FORBIDDEN);
    end_session(w, &session);
    end_session(w, &open);
    end_session(w, &mute);
}

/* The hub's clock was ahead when it issued a certificate: that is good for another one. */
static void test_not_begun(void **state)
{
    static struct fed_join_answer answer;
    struct world *w = *state;
    struct fed_link_session session;
    struct fed_link_session open;
    struct fed_crypto_cert_info cert;
    struct fed_diag diag;

    join_world_pass((int64_t)400 * 86400);
    join_cluster(w, "cluster1", &cert);
    open_session(w, &open, &cert, NULL);
    assert_int_equal(get(w, &open, "h"), FED_LINK_CONTENT);
    join_world_pass((int64_t)-400 * 86400);
    w->events.alive(w->events.ctx, &open);
    assert_true(open.closed);
    open_session(w, &session, &cert, NULL);
    assert_int_equal(get(w, &session, "h"), FED_LINK_UNAUTHORIZED);
    assert_non_null(strstr(fed_buf_cstr(&w->last.body), "does not begin yet"));
    assert_int_equal(certificate(w, &session, ""), FED_LINK_CHANGED);
    assert_int_equal(fed_join_answer_parse(fed_buf_span(&w->last.body), &answer, &diag), FED_OK);
    end_session(w, &session);
    assert_int_equal(w->join.crypto.cert_info(
                         w->join.crypto.ctx, fed_span_text(answer.certificate), &cert, &diag),
        FED_OK);
    assert_true(cert.not_before_unix_s <= fed_loop_unix_s(&w->join.loop));
    open_session(w, &session, &cert, NULL);
    assert_int_equal(get(w, &session, "h"), FED_LINK_CONTENT);
    end_session(w, &session);
    end_session(w, &open);
}

/* ---- two machines ---- */

struct machine {
    struct fed_link_session session;
    uint8_t mark[FED_LINK_MARK_SIZE]; /* stored */
    bool has_mark;
    bool copied; /* it was told */
};

/* A session with a hello; whether the mark is stored, and whether the hub hears that. */
enum keeps { KEEPS, KEEPS_UNTOLD, KEEPS_NOT };

static unsigned hello(struct world *w, struct machine *m, enum keeps keeps)
{
    struct fed_link_hello_items items = {0};
    struct fed_link_hello got;
    struct fed_span from;
    struct fed_buf query;
    unsigned code;

    fed_buf_init(&query, fed_alloc_system(), 64);
    fed_link_hello_query_put(&query, m->has_mark ? m->mark : NULL);
    code = ask(w, &m->session, FED_LINK_GET, "h", fed_buf_cstr(&query), fed_span_text(""), false);
    fed_buf_fini(&query);
    if (code != FED_LINK_CONTENT)
        return code;
    from = fed_buf_span(&w->last.body);
    assert_int_equal(fed_link_hello_take(&from, &got), FED_OK);
    fed_link_hello_items_take(from, &items);
    assert_true(items.has_mark && items.has_trust);
    m->copied = items.copied;
    if (keeps == KEEPS_NOT)
        return code;
    memcpy(m->mark, items.mark, sizeof m->mark);
    m->has_mark = true;
    if (keeps == KEEPS)
        assert_int_equal(
            ask(w, &m->session, FED_LINK_GET, "b", "e=0&r=0&n=1", fed_span_text(""), true),
            FED_LINK_CONTENT);
    return code;
}

static unsigned come(
    struct world *w, struct machine *m, const struct fed_crypto_cert_info *cert, enum keeps keeps)
{
    open_session(w, &m->session, cert, NULL);
    return hello(w, m, keeps);
}

static void leave(struct world *w, struct machine *m)
{
    end_session(w, &m->session);
}

static bool suspected(struct world *w)
{
    return strstr(hub_world_composed(&w->join.hub, W_CLUSTERS, W_SYSTEM, "cluster1"),
               "CloneSuspected") != NULL;
}

static unsigned copies;

static void on_copied(void *ctx, struct fed_span cluster, const char *message)
{
    (void)ctx;
    assert_true(fed_span_is(cluster, "cluster1"));
    assert_non_null(strstr(message, "two machines"));
    copies++;
}

/* One machine, whatever happens to it and to the network. */
static void test_marks(void **state)
{
    struct world *w = *state;
    struct machine m = {.has_mark = false};
    struct machine was;
    struct fed_crypto_cert_info cert;

    copies = 0;
    hub_gateway_on_copied(w->gateway, on_copied, NULL);
    join_cluster(w, "cluster1", &cert);
    assert_int_equal(come(w, &m, &cert, KEEPS_NOT), FED_LINK_CONTENT); /* the power went */
    leave(w, &m);
    assert_int_equal(come(w, &m, &cert, KEEPS_UNTOLD), FED_LINK_CONTENT);
    leave(w, &m);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(come(w, &m, &cert, KEEPS), FED_LINK_CONTENT);
        leave(w, &m);
        assert_int_equal(come(w, &m, &cert, KEEPS_NOT), FED_LINK_CONTENT);
        leave(w, &m);
        assert_int_equal(come(w, &m, &cert, KEEPS_NOT), FED_LINK_CONTENT);
        leave(w, &m);
    }
    /* The answer was lost, the request repeated in the session: the same mark. */
    assert_int_equal(come(w, &m, &cert, KEEPS_NOT), FED_LINK_CONTENT);
    assert_int_equal(hello(w, &m, KEEPS_UNTOLD), FED_LINK_CONTENT);
    /* Started anew, it goes on with the session: the next mark, by which a copy is the older one.
     */
    was = m;
    assert_int_equal(hello(w, &m, KEEPS), FED_LINK_CONTENT);
    assert_memory_not_equal(m.mark, was.mark, sizeof was.mark);
    assert_int_equal(hello(w, &m, KEEPS), FED_LINK_CONTENT);
    leave(w, &m);
    assert_int_equal(come(w, &m, &cert, KEEPS), FED_LINK_CONTENT);
    leave(w, &m);
    /* Two hellos side by side, of which one is used: either. */
    for (int used = 0; used < 2; used++) {
        struct machine lanes[2] = {m, m};

        assert_int_equal(come(w, &lanes[0], &cert, KEEPS_UNTOLD), FED_LINK_CONTENT);
        assert_int_equal(come(w, &lanes[1], &cert, KEEPS_UNTOLD), FED_LINK_CONTENT);
        leave(w, &lanes[0]);
        leave(w, &lanes[1]);
        m = lanes[used];
        assert_int_equal(come(w, &m, &cert, KEEPS), FED_LINK_CONTENT);
        leave(w, &m);
    }
    /* A hub that was restored knows an older mark: it is not the agent that went back. */
    m.mark[0]++; /* of the number, which ends in 2106 */
    m.mark[7] ^= 1;
    assert_int_equal(come(w, &m, &cert, KEEPS), FED_LINK_CONTENT);
    leave(w, &m);
    assert_int_equal(come(w, &m, &cert, KEEPS), FED_LINK_CONTENT);
    /* An agent of before says nothing of marks, which is nothing to go by. */
    assert_int_equal(get(w, &m.session, "h"), FED_LINK_CONTENT);
    assert_int_equal(ask(w, &m.session, FED_LINK_GET, "h", "n=12", fed_span_text(""), false),
        FED_LINK_BAD_REQUEST);
    leave(w, &m);
    assert_int_equal(copies, 0);
    assert_false(suspected(w));
}

static void test_clone(void **state)
{
    struct world *w = *state;
    struct machine a = {.has_mark = false};
    struct machine b;
    struct fed_crypto_cert_info cert;

    copies = 0;
    hub_gateway_on_copied(w->gateway, on_copied, NULL);
    join_cluster(w, "cluster1", &cert);
    assert_int_equal(come(w, &a, &cert, KEEPS), FED_LINK_CONTENT);
    b = a;
    leave(w, &a);
    assert_int_equal(come(w, &a, &cert, KEEPS), FED_LINK_CONTENT);
    /* The copy: refused, told why, and whoever is served stays. */
    assert_int_equal(come(w, &b, &cert, KEEPS), FED_LINK_FORBIDDEN);
    fed_buf_put_u8(&w->last.body, 0);
    assert_non_null(strstr((const char *)w->last.body.at, "another machine"));
    assert_int_equal(pull(w, &b.session, 0, 0, true), FED_LINK_FORBIDDEN);
    assert_int_equal(certificate(w, &b.session, ""), FED_LINK_FORBIDDEN);
    assert_int_equal(copies, 1);
    assert_true(suspected(w));
    /* The other one is made to hear of it, once. */
    assert_true(a.session.closed);
    leave(w, &a);
    assert_int_equal(come(w, &a, &cert, KEEPS), FED_LINK_CONTENT);
    assert_true(a.copied);
    leave(w, &b);
    assert_int_equal(come(w, &b, &cert, KEEPS), FED_LINK_FORBIDDEN);
    assert_false(a.session.closed);
    assert_int_equal(copies, 1);
    leave(w, &b);
    /* A person decides for whoever comes next: the copy. */
    assert_int_equal(join_world_update(&w->join, JW_REQUESTS, "cluster1",
                         "{'spec':{'cloneAcceptedAt':'2026-11-29T23:00:00Z'}}", ""),
        FED_OK);
    assert_false(suspected(w));
    assert_int_equal(come(w, &b, &cert, KEEPS), FED_LINK_CONTENT);
    assert_true(a.session.closed);
    leave(w, &a);
    assert_int_equal(come(w, &a, &cert, KEEPS), FED_LINK_FORBIDDEN);
    assert_int_equal(copies, 2);
    leave(w, &a);
    leave(w, &b);
}

/* The one that is served says an older mark in its own session: it is the copy then, is refused and
 * told so, and its session lives until it leaves. */
static void test_clone_of_itself(void **state)
{
    struct world *w = *state;
    struct machine a = {.has_mark = false};
    struct fed_crypto_cert_info cert;
    struct hub_gateway_stats stats;

    copies = 0;
    hub_gateway_on_copied(w->gateway, on_copied, NULL);
    join_cluster(w, "cluster1", &cert);
    assert_int_equal(come(w, &a, &cert, KEEPS), FED_LINK_CONTENT); /* h?n=0, b?...&n=1 */
    assert_int_equal(hello(w, &a, KEEPS_UNTOLD), FED_LINK_CONTENT);
    a.has_mark = false;
    assert_int_equal(hello(w, &a, KEEPS), FED_LINK_FORBIDDEN);
    assert_int_equal(copies, 1);
    assert_true(suspected(w));
    assert_false(a.session.closed);
    hub_gateway_stats(w->gateway, &stats);
    assert_int_equal(stats.sessions, 0);
    assert_int_equal(pull(w, &a.session, 0, 0, true), FED_LINK_FORBIDDEN);
    leave(w, &a);
}

/* A cluster that is registered anew begins anew, and so does one that joins once more. */
static void test_clone_forgotten(void **state)
{
    struct world *w = *state;
    struct machine a = {.has_mark = false};
    struct machine b = {.has_mark = false};
    struct fed_crypto_cert_info cert;

    join_cluster(w, "cluster1", &cert);
    assert_int_equal(come(w, &a, &cert, KEEPS), FED_LINK_CONTENT);
    assert_int_equal(come(w, &b, &cert, KEEPS), FED_LINK_FORBIDDEN);
    assert_true(suspected(w));
    hub_world_remove(&w->join.hub, W_CLUSTERS, W_SYSTEM, "cluster1");
    leave(w, &a);
    leave(w, &b);
    join_cluster(w, "cluster1", &cert);
    assert_false(suspected(w));
    assert_int_equal(come(w, &b, &cert, KEEPS), FED_LINK_CONTENT);
    leave(w, &b);
}

static void join_by_link(
    struct world *w, const struct join_agent *agent, const struct fed_token *token)
{
    struct fed_link_session session;
    struct fed_join_request request;
    struct fed_buf text;

    join_agent_request(&w->join, agent, token, &request);
    fed_buf_init(&text, fed_alloc_system(), FED_JOIN_MESSAGE_MAX);
    assert_int_equal(fed_join_request_put(&text, &request), FED_OK);
    open_session(w, &session, NULL, token->id);
    assert_int_equal(
        ask(w, &session, FED_LINK_POST, "j", "", fed_buf_span(&text), false), FED_LINK_CHANGED);
    end_session(w, &session);
    fed_buf_fini(&text);
}

/* A pod that moves to another node has nothing left but its key and the text of its token, which
 * was used: by joining again it is the cluster. */
static void test_moved_with_used_token(void **state)
{
    struct world *w = *state;
    struct machine a = {.has_mark = false};
    struct machine b = {.has_mark = false};
    struct fed_crypto_cert_info cert;
    struct fed_join_answer answer;
    struct fed_token used;
    struct join_agent agent;
    struct fed_diag diag;

    join_world_token(&w->join, "used000000", "{}", &used);
    join_agent_init(&w->join, &agent, "cluster1");
    assert_int_equal(join_agent_join(&w->join, &agent, &used, &answer, &diag), FED_OK);
    assert_int_equal(w->join.crypto.cert_info(
                         w->join.crypto.ctx, fed_span_text(answer.certificate), &cert, &diag),
        FED_OK);
    assert_int_equal(come(w, &a, &cert, KEEPS), FED_LINK_CONTENT);
    leave(w, &a);
    assert_int_equal(come(w, &b, &cert, KEEPS), FED_LINK_FORBIDDEN);
    leave(w, &b);
    join_by_link(w, &agent, &used);
    assert_false(suspected(w));
    assert_int_equal(come(w, &b, &cert, KEEPS), FED_LINK_CONTENT);
    leave(w, &b);
    join_agent_fini(&agent);
}

/* ---- many ---- */

#define MANY 300u

static void put_many(struct world *w, struct hub_object_write *writes, char (*text)[1024])
{
    struct fed_diag diag = {""};
    char key[512];

    snprintf(key, sizeof key, "%s",
        join_world_text(&w->join, JW_REQUESTS, "cluster1", "spec.publicKey"));
    for (size_t i = 0; i < MANY; i++) {
        char *name = text[3 * i];

        snprintf(name, 1024, "many-%03zu", i);
        snprintf(text[3 * i + 1], 1024, "{\"metadata\":{\"name\":\"%s\"},\"spec\":{}}", name);
        snprintf(text[3 * i + 2], 1024,
            "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"publicKey\":\"%s\"},\"status\":{\"state\":"
            "\"Approved\"}}",
            name, key);
        for (size_t k = 0; k < 2; k++)
            writes[2 * i + k] = (struct hub_object_write){
                .ref = {.resource = fed_span_text(k ? JW_REQUESTS : W_CLUSTERS),
                    .ns = FED_SPAN_LIT(W_SYSTEM),
                    .name = fed_span_text(name)},
                .bytes = fed_span_text(text[3 * i + 1 + k])};
    }
    if (hub_objects_commit(w->join.hub.objects, writes, 2 * MANY, NULL, 0, NULL, &diag))
        fail_msg("%s", diag.text);
    hub_world_settle(&w->join.hub);
}

static void one_turn(void *ctx)
{
    struct fed_loop *loop = ctx;

    loop->stop(loop->ctx);
}

static void test_many(void **state)
{
    struct world *w = *state;
    struct fed_link_session *sessions = calloc(MANY, sizeof *sessions);
    struct hub_object_write *writes = calloc(2 * MANY, sizeof *writes);
    char(*text)[1024] = calloc(3 * MANY, sizeof *text);
    struct fed_crypto_cert_info cert;
    struct hub_gateway_stats stats;
    struct fed_diag diag = {""};
    struct hub_object_write change = {.ref = {.resource = FED_SPAN_LIT(W_CONFIGMAPS),
                                          .ns = FED_SPAN_LIT("ns"),
                                          .name = FED_SPAN_LIT("a")},
        .expected = HUB_ANY_REVISION,
        .bytes = FED_SPAN_LIT(
            "{\"metadata\":{\"name\":\"a\",\"namespace\":\"ns\",\"generation\":2,\"finalizers\":["
            "\"kubefed.io/sync-controller\"]},"
            "\"spec\":{\"template\":{\"data\":{\"k\":\"changed for everybody, and long enough to "
            "be deflated: "
            "kubefed.io/sync-controller "
            "kubefed.io/sync-controller\"}},\"placement\":{\"clusterSelector\":{}}}}")};
    unsigned most = 0;

    put_configmap(w, "a", 50);
    join_cluster(w, "cluster1", &cert);
    put_many(w, writes, text);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(cert.common_name, sizeof cert.common_name, "many-%03zu", i);
        open_session(w, &sessions[i], &cert, NULL);
        assert_int_equal(pull(w, &sessions[i], 0, 0, true), FED_LINK_CONTENT);
    }
    hub_gateway_stats(w->gateway, &stats);
    assert_int_equal(stats.sessions, MANY);
    assert_int_equal(
        hub_objects_commit(w->join.hub.objects, &change, 1, NULL, 0, NULL, &diag), FED_OK);
    for (int turn = 0; turn < 20 && notified_in_all < MANY; turn++) {
        unsigned before = notified_in_all;

        assert_int_equal(w->join.loop.defer(w->join.loop.ctx, one_turn, &w->join.loop), FED_OK);
        assert_int_equal(fed_linux_loop_run(w->join.hub.linux_loop), FED_OK);
        most = notified_in_all - before > most ? notified_in_all - before : most;
    }
    assert_int_equal(notified_in_all, MANY);
    assert_in_range(most, 1, 256);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(sessions[i].notifications, 1);
        assert_true(has_body(fed_buf_span(&sessions[i].body)));
        end_session(w, &sessions[i]);
    }
    hub_gateway_stats(w->gateway, &stats);
    assert_in_range(stats.cache_bytes, 1, 4u << 20);
    free(sessions);
    free(writes);
    free(text);
}

static void test_cache(void **state)
{
    struct gateway_cache cache;
    struct fed_digest key = {{0}};
    struct fed_span out;
    size_t size = 1u << 19;
    uint8_t *bytes = calloc(4, size);

    (void)state;
    gateway_cache_init(&cache, fed_alloc_system());
    for (uint8_t i = 0; i < 7; i++) { /* eight would be more than fit with their heads */
        key.bytes[0] = i;
        bytes[0] = i;
        gateway_cache_put(&cache, &key, fed_span_of(bytes, size));
    }
    key.bytes[0] = 0;
    assert_true(gateway_cache_get(&cache, &key, &out)); /* used: stays */
    assert_int_equal(out.len, size);
    key.bytes[0] = 7;
    gateway_cache_put(&cache, &key, fed_span_of(bytes, size));
    assert_true(cache.bytes <= GATEWAY_CACHE_BYTES);
    key.bytes[0] = 1;
    assert_false(gateway_cache_get(&cache, &key, &out)); /* the one used longest ago */
    key.bytes[0] = 0;
    assert_true(gateway_cache_get(&cache, &key, &out));
    assert_int_equal(out.at[0], 0);
    key.bytes[0] = 99;
    gateway_cache_put(&cache, &key, fed_span_of(bytes, 4 * size)); /* too large for one */
    assert_false(gateway_cache_get(&cache, &key, &out));
    gateway_cache_fini(&cache);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_join, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rights, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hello_and_report, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_reports_are_acknowledged_when_they_are_durable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pull, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kinds_that_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kinds_in_the_hello, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idle_time_follows_the_heartbeat, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_without_dictionary, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notify, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notify_behind_a_repetition, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notify_narrow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_saved_session_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_worth_saving, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_hellos, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missed_notification_ends_the_session, setup, teardown),
        cmocka_unit_test_setup_teardown(test_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notify_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sessions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_handshakes_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_knock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_known_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_certificate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_begun, setup, teardown),
        cmocka_unit_test_setup_teardown(test_marks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clone_of_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clone_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moved_with_used_token, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test(test_cache),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
