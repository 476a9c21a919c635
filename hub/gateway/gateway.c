/* gateway.c - see gateway.h: sessions, who may do what, and one function per resource. */
#include "hub/gateway/internal.h"

#include <stdio.h>
#include <string.h>

/* ---- open, close ---- */

static void on_cluster(void *ctx, const struct hub_change *change);
static void on_join_request(void *ctx, const struct hub_change *change);

static enum fed_err subscribe(struct hub_gateway *gateway)
{
    enum fed_err err = hub_objects_subscribe(
        gateway->objects, FED_SPAN_LIT(HUB_CLUSTERS), on_cluster, gateway, &gateway->clusters);

    if (!err)
        err = hub_objects_subscribe(gateway->objects, FED_SPAN_LIT("joinrequests.fedlet.io"),
            on_join_request, gateway, &gateway->requests);
    if (!err)
        err = hub_objects_subscribe(gateway->objects,
            FED_SPAN_LIT("federatedtypeconfigs.core.kubefed.io"), gateway_kinds_changed, gateway,
            &gateway->types);
    return err;
}

enum fed_err hub_gateway_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    struct hub_objects *objects, struct hub_plan *plan, struct hub_status *status,
    struct hub_identity *identity, const struct hub_gateway_options *options,
    struct hub_gateway **out, struct fed_diag *diag)
{
    struct hub_gateway *gateway = fed_alloc_zero(mem, sizeof *gateway);
    enum fed_err err;

    if (!gateway)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the gateway");
    gateway->mem = mem;
    gateway->loop = loop;
    gateway->log = log;
    gateway->objects = objects;
    gateway->plan = plan;
    gateway->status = status;
    gateway->identity = identity;
    gateway->heartbeat_s = options->heartbeat_s ? options->heartbeat_s : GATEWAY_HEARTBEAT_S;
    gateway->traffic = options->traffic;
    if (gateway->traffic)
        hub_traffic_on_collect(gateway->traffic, gateway_collect, gateway);
    fed_map_init(&gateway->sessions, mem);
    gateway_cache_init(&gateway->cache, mem);
    gateway->held_end = &gateway->held;
    gateway->member = (struct hub_objects_member){.ctx = gateway, .settled = gateway_held_settle};
    hub_objects_join(objects, &gateway->member);
    err = loop->timer_new(loop->ctx, gateway_notify_drain, gateway, &gateway->drain);
    if (!err)
        err = gateway_knock_open(gateway);
    if (!err)
        err = subscribe(gateway);
    if (!err)
        err = gateway_mark_open(gateway);
    if (err) {
        hub_gateway_close(gateway);
        return fed_diag_set(diag, err, "the gateway cannot be opened: %s", fed_err_text(err));
    }
    *out = gateway;
    return FED_OK;
}

static void session_free(struct gateway_session *session)
{
    struct hub_gateway *gateway = session->binding->gateway;

    gateway_notify_forget(session);
    if (session->newer)
        session->newer->older = session->older;
    else
        gateway->all = session->older;
    if (session->older)
        session->older->newer = session->newer;
    if (session->name)
        fed_alloc_free(gateway->mem, session->name, strlen(session->name) + 1);
    if (session->why)
        fed_alloc_free(gateway->mem, session->why, strlen(session->why) + 1);
    fed_alloc_free(gateway->mem, session, sizeof *session);
}

void hub_gateway_close(struct hub_gateway *gateway)
{
    if (!gateway)
        return;
    if (gateway->clusters)
        hub_objects_unsubscribe(gateway->clusters);
    if (gateway->requests)
        hub_objects_unsubscribe(gateway->requests);
    if (gateway->types)
        hub_objects_unsubscribe(gateway->types);
    if (gateway->traffic)
        hub_traffic_on_collect(gateway->traffic, NULL, NULL);
    hub_objects_leave(gateway->objects, &gateway->member);
    gateway_held_forget(gateway, NULL);
    gateway->loop->timer_free(gateway->loop->ctx, gateway->drain);
    while (gateway->all)
        session_free(gateway->all);
    gateway_knock_close(gateway);
    fed_map_fini(&gateway->sessions);
    gateway_cache_fini(&gateway->cache);
    fed_alloc_free(gateway->mem, gateway, sizeof *gateway);
}

void gateway_session_forget(struct gateway_session *session)
{
    struct hub_gateway *gateway = session->binding->gateway;

    if (session->counts && fed_map_get(&gateway->sessions, fed_span_text(session->name)) == session)
        fed_map_remove(&gateway->sessions, fed_span_text(session->name));
    session_free(session);
}

void hub_gateway_forget(struct hub_gateway *gateway, const struct hub_gateway_link *link)
{
    struct gateway_session *older;

    gateway_held_forget(gateway, link);
    for (struct gateway_session *session = gateway->all; session; session = older) {
        older = session->older;
        if (session->binding->link == link)
            gateway_session_forget(session);
    }
}

uint32_t hub_gateway_idle_ms(const struct hub_gateway *gateway)
{
    uint64_t idle_ms = (uint64_t)gateway->heartbeat_s * GATEWAY_IDLE_HEARTBEAT_MS;

    idle_ms = idle_ms < GATEWAY_IDLE_MIN_MS ? GATEWAY_IDLE_MIN_MS : idle_ms;
    return idle_ms > INT32_MAX ? INT32_MAX : (uint32_t)idle_ms;
}

void hub_gateway_stats(const struct hub_gateway *gateway, struct hub_gateway_stats *out)
{
    *out = gateway->stats;
    out->sessions = gateway->sessions.count;
    out->cache_bytes = gateway->cache.bytes;
}

void hub_gateway_on_copied(struct hub_gateway *gateway, hub_gateway_copied *copied, void *ctx)
{
    gateway->copied = copied;
    gateway->copied_ctx = ctx;
}

/* ---- sessions come and go ---- */

static char *copy_text(struct fed_alloc *mem, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = fed_alloc_get(mem, size);

    if (copy)
        memcpy(copy, text, size);
    return copy;
}

/* Takes it from the table; the link is closed by whoever calls, or is closed already. */
static void session_end(struct gateway_session *session)
{
    struct hub_gateway *gateway = session->binding->gateway;

    if (session->counts) {
        gateway_count(session);
        if (gateway->traffic)
            hub_traffic_disconnected(gateway->traffic, fed_span_text(session->name));
        if (fed_map_get(&gateway->sessions, fed_span_text(session->name)) == session)
            fed_map_remove(&gateway->sessions, fed_span_text(session->name));
        if (!session->away)
            hub_status_disconnected(gateway->status, fed_span_text(session->name));
    }
    session_free(session);
}

void gateway_session_cut(struct gateway_session *session)
{
    const struct hub_gateway_link *link = session->binding->link;
    struct fed_link_session *peer = session->link;

    link->set_user(peer, NULL);
    session_end(session);
    link->close(peer);
}

/* Sets role and name from what the peer proved. */
static enum fed_err session_identify(
    struct gateway_session *session, const struct fed_link_peer *peer)
{
    struct hub_gateway *gateway = session->binding->gateway;
    struct fed_diag diag = {""};
    struct fed_buf cluster;
    enum fed_err err = FED_OK;

    fed_buf_init(&cluster, gateway->mem, 1024);
    if (peer->cert) {
        err = hub_identity_cluster_of(gateway->identity, peer->cert, &cluster, &diag);
        session->role = err ? GATEWAY_REFUSED : GATEWAY_AGENT;
        session->ends_unix_s = peer->cert->not_after_unix_s;
        if (!err && gateway_certificate_ended(session))
            session->role = GATEWAY_EXPIRED;
    } else {
        session->role = peer->psk_identity ? GATEWAY_TOKEN : GATEWAY_NOBODY;
        fed_buf_put_text(&cluster, peer->psk_identity ? peer->psk_identity : "");
    }
    /* What fails for a moment (store, memory) is no refusal: the agent is told to come back
     * instead. */
    if (err == FED_ERR_FORBIDDEN) {
        session->why = copy_text(gateway->mem, diag.text[0] ? diag.text : fed_err_text(err));
        fed_buf_clear(&cluster);
        err = session->why ? FED_OK : FED_ERR_NOMEM;
    }
    if (!err)
        session->name = copy_text(gateway->mem, fed_buf_cstr(&cluster));
    if (!err && (!session->name || fed_buf_err(&cluster)))
        err = FED_ERR_NOMEM;
    fed_buf_fini(&cluster);
    return err;
}

/* From now on it is the cluster's session, in place of an older one. how: "connected", "goes on".
 */
static enum fed_err session_count(struct gateway_session *session, const char *how)
{
    struct hub_gateway *gateway = session->binding->gateway;
    struct fed_span cluster = fed_span_text(session->name);
    struct gateway_session *older = fed_map_get(&gateway->sessions, cluster);
    enum fed_err err = fed_map_put(&gateway->sessions, cluster, session);

    if (err)
        return err;
    session->counts = true;
    hub_status_connected(gateway->status, cluster, session->binding->link->name, session->address);
    gateway_knock_note(session);
    if (gateway->traffic)
        hub_traffic_connected(
            gateway->traffic, cluster, session->binding->link->name, session->address);
    fed_log(gateway->log, FED_LOG_INFO, "gateway: cluster %s %s by %s from %s%s", session->name,
        how, session->binding->link->name, session->address,
        older ? ", in place of its older session" : "");
    if (older)
        gateway_session_cut(older);
    return FED_OK;
}

static struct gateway_session *session_new(
    struct gateway_binding *binding, struct fed_link_session *link)
{
    struct hub_gateway *gateway = binding->gateway;
    struct gateway_session *session = fed_alloc_zero(gateway->mem, sizeof *session);

    if (!session)
        return NULL;
    session->binding = binding;
    session->link = link;
    session->kinds_told = gateway->kinds_moved;
    session->older = gateway->all;
    if (gateway->all)
        gateway->all->newer = session;
    gateway->all = session;
    return session;
}

static void on_opened(void *ctx, struct fed_link_session *link, const struct fed_link_peer *peer)
{
    struct gateway_binding *binding = ctx;
    struct hub_gateway *gateway = binding->gateway;
    struct gateway_session *session = session_new(binding, link);
    const char *address = peer->address ? peer->address : "";
    enum fed_err err;

    binding->link->set_user(link, NULL);
    if (!session) {
        fed_log(gateway->log, FED_LOG_ERROR,
            "gateway: no memory for the session of %s; it is told to come back", address);
        return;
    }
    snprintf(session->address, sizeof session->address, "%s", address);
    err = session_identify(session, peer);
    if (!err && session->role == GATEWAY_AGENT)
        hub_identity_used(gateway->identity, fed_span_text(session->name), peer->cert);
    if (err) {
        fed_log(gateway->log, FED_LOG_ERROR, "gateway: session of %s: %s; it is told to come back",
            address, fed_err_text(err));
        session_free(session);
        return;
    }
    binding->link->set_user(link, session);
    _Static_assert(GATEWAY_AGENT + 1 == HUB_GATEWAY_PEERS, "each role has a counter");
    gateway->stats.opened[session->role]++;
    /* What cannot go on as it was is closed, so that its agent asks anew. */
    if (peer->kept.len > 0 &&
        (session->role != GATEWAY_AGENT || gateway_session_restore(session, peer->kept) ||
            session_count(session, "goes on")))
        gateway_session_cut(session);
    else if (session->away)
        hub_status_disconnected(gateway->status, fed_span_text(session->name));
}

void hub_gateway_quiet(struct hub_gateway *gateway, const struct hub_gateway_link *link)
{
    struct gateway_session *older;

    for (struct gateway_session *session = gateway->all; session; session = older) {
        older = session->older;
        if (session->binding->link == link && (!session->counts || session->unheard))
            gateway_session_cut(session);
    }
}

static void on_closed(void *ctx, struct fed_link_session *link, const char *why)
{
    struct gateway_binding *binding = ctx;
    struct gateway_session *session = binding->link->user(link);

    if (!session)
        return;
    if (session->counts)
        fed_log(binding->gateway->log, FED_LOG_INFO, "gateway: cluster %s disconnected: %s",
            session->name, why ? why : "closed");
    session_end(session);
}

/* It goes on with the session in which it said that it goes away. */
static void session_back(struct gateway_session *session)
{
    struct hub_gateway *gateway = session->binding->gateway;

    session->away = false;
    hub_status_connected(gateway->status, fed_span_text(session->name),
        session->binding->link->name, session->address);
    fed_log(
        gateway->log, FED_LOG_INFO, "gateway: cluster %s is back in its session", session->name);
}

static void on_alive(void *ctx, struct fed_link_session *link)
{
    struct gateway_binding *binding = ctx;
    struct gateway_session *session = binding->link->user(link);

    if (!session || !session->counts)
        return;
    if (session->away)
        session_back(session);
    hub_status_alive(binding->gateway->status, fed_span_text(session->name));
    /* A session does not outlive its certificate: it comes back with the new one, or for one. */
    if (gateway_certificate_ended(session)) {
        fed_log(binding->gateway->log, FED_LOG_INFO,
            "gateway: the certificate of cluster %s has ended: its session is closed",
            session->name);
        gateway_session_cut(session);
        return;
    }
    /* It is back after a silence in which a change was lost, and cannot know: a new session tells
     * it. */
    if (session->unheard) {
        fed_log(binding->gateway->log, FED_LOG_INFO,
            "gateway: cluster %s missed a notification: its session is closed so that it asks "
            "anew",
            session->name);
        gateway_session_cut(session);
    }
}

/* Also those that did not ask for anything yet. */
static void cut_all(struct hub_gateway *gateway, struct fed_span cluster)
{
    struct gateway_session *older;

    for (struct gateway_session *session = gateway->all; session; session = older) {
        older = session->older;
        if ((session->role != GATEWAY_AGENT && session->role != GATEWAY_EXPIRED) ||
            !fed_span_is(cluster, session->name))
            continue;
        fed_log(gateway->log, FED_LOG_INFO,
            "gateway: cluster %s is no longer registered: its session is closed", session->name);
        gateway_session_cut(session);
    }
}

/* A cluster is gone: its name may be another machine's next. */
static void on_cluster(void *ctx, const struct hub_change *change)
{
    if (change->type != HUB_CHANGE_DELETED || !fed_span_is(change->ref.ns, HUB_SYSTEM_NAMESPACE))
        return;
    cut_all(ctx, change->ref.name);
    gateway_mark_forget(ctx, change->ref.name);
    gateway_knock_gone(ctx, change->ref.name);
}

/* The record of its key is gone, or a person decided which of two machines counts. */
static void on_join_request(void *ctx, const struct hub_change *change)
{
    if (!fed_span_is(change->ref.ns, HUB_SYSTEM_NAMESPACE))
        return;
    if (change->type == HUB_CHANGE_DELETED)
        cut_all(ctx, change->ref.name);
    else if (change->type == HUB_CHANGE_MODIFIED)
        gateway_mark_request(ctx, change);
}

/* ---- requests ---- */

struct call {
    struct hub_gateway *gateway;
    const struct hub_gateway_link *link;
    struct gateway_session *session;
    struct fed_link_exchange *exchange;
    const struct fed_link_server_request *request;
    const char *resource; /* a constant; "" for a path that is none */
};

static void count_answer(const struct call *call, unsigned code)
{
    struct hub_gateway_stats *stats = &call->gateway->stats;
    size_t i = 0;

    while (i < stats->n_requests &&
           (stats->requests[i].code != code || stats->requests[i].resource != call->resource))
        i++;
    if (i == HUB_GATEWAY_REQUESTS)
        return;
    if (i == stats->n_requests)
        stats->requests[stats->n_requests++] =
            (struct hub_gateway_request){.resource = call->resource, .code = code};
    stats->requests[i].n++;
}

static void answer(const struct call *call, unsigned code, struct fed_span body)
{
    count_answer(call, code);
    call->link->answer(call->exchange, code, body, 0);
}

static void answer_later(const struct call *call, const char *text, uint32_t max_age_s)
{
    count_answer(call, FED_LINK_UNAVAILABLE);
    call->link->answer(call->exchange, FED_LINK_UNAVAILABLE, fed_span_text(text), max_age_s);
}

/* An error in the words of the link; the sentence is the answer's diagnostic payload (RFC 7252
 * section 5.5.2). */
static void answer_err(const struct call *call, enum fed_err err, const struct fed_diag *diag)
{
    const char *text = diag && diag->text[0] ? diag->text : fed_err_text(err);

    switch (err) {
    case FED_ERR_INVALID:
    case FED_ERR_TRUNCATED:
    case FED_ERR_LIMIT:
    case FED_ERR_UNSUPPORTED:
    case FED_ERR_DIGEST:
        answer(call, FED_LINK_BAD_REQUEST, fed_span_text(text));
        return;
    case FED_ERR_FORBIDDEN:
        answer(call, FED_LINK_FORBIDDEN, fed_span_text(text));
        return;
    case FED_ERR_CONFLICT:
        answer(call, FED_LINK_CONFLICT, fed_span_text(text));
        return;
    case FED_ERR_BUSY:
        answer_later(call, text, GATEWAY_RETRY_GUESS_S);
        return;
    case FED_ERR_FULL:
    case FED_ERR_IO:
    case FED_ERR_NOMEM:
        fed_log(call->gateway->log, FED_LOG_ERROR,
            "gateway: request of %s: %s; it is told to come back", call->session->name, text);
        answer_later(call, fed_err_text(err), GATEWAY_RETRY_STORE_S);
        return;
    default:
        fed_log(call->gateway->log, FED_LOG_ERROR, "gateway: request of %s: %s",
            call->session->name, text);
        answer(call, FED_LINK_INTERNAL, fed_span_text("internal error"));
    }
}

/* Whoever has no certificate can be anybody, as often as he likes: his refusals are counted, and
 * only some of them logged. */
static bool worth_a_line(const struct call *call)
{
    struct hub_gateway *gateway = call->gateway;
    uint64_t now_ms = fed_loop_now_ms(gateway->loop);

    if (call->session->refusal_logged)
        return false;
    call->session->refusal_logged = true;
    if (call->session->role != GATEWAY_NOBODY)
        return true;
    if (now_ms - gateway->guests_since_ms >= GATEWAY_GUESTS_WINDOW_MS) {
        gateway->guests_since_ms = now_ms;
        gateway->guests_logged = 0;
    }
    return gateway->guests_logged++ < GATEWAY_GUESTS_LOGGED_MAX;
}

/* ---- j ---- */

static void serve_join(const struct call *call)
{
    struct fed_join_request *asked = fed_alloc_zero(call->gateway->mem, sizeof *asked);
    struct fed_join_answer *given = fed_alloc_zero(call->gateway->mem, sizeof *given);
    struct fed_diag diag = {""};
    struct fed_buf body;
    enum fed_err err = asked && given ? FED_OK : FED_ERR_NOMEM;

    fed_buf_init(&body, call->gateway->mem, 2 * FED_JOIN_MESSAGE_MAX);
    if (!err)
        err = fed_join_request_parse(call->request->payload, asked, &diag);
    if (!err)
        err = hub_identity_join(
            call->gateway->identity, fed_span_text(call->session->name), asked, given, &diag);
    if (!err)
        err = fed_join_answer_put(&body, given);
    if ((err == FED_ERR_FORBIDDEN || err == FED_ERR_CONFLICT || err == FED_ERR_BUSY) &&
        worth_a_line(call))
        fed_log(call->gateway->log, FED_LOG_WARN, "gateway: a join with token %s was refused: %s",
            asked->token_id, diag.text);
    /* With a token in hand it was decided which machine is the cluster's. */
    if (!err && given->approved)
        gateway_mark_open_to_all(call->gateway, fed_span_text(given->cluster));
    if (err)
        answer_err(call, err, &diag);
    else
        answer(call, FED_LINK_CHANGED, fed_buf_span(&body));
    fed_buf_fini(&body);
    fed_alloc_free(call->gateway->mem, given, sizeof *given);
    fed_alloc_free(call->gateway->mem, asked, sizeof *asked);
}

/* ---- h ---- */

/* A copy of an agent: it is told so, and stays out. */
static void refuse_copy(const struct call *call, const struct fed_diag *diag)
{
    struct gateway_session *session = call->session;

    session->role = GATEWAY_REFUSED;
    session->why = copy_text(call->gateway->mem, diag->text);
    call->gateway->stats.refused++;
    session->refusal_logged = true; /* mark.c said it */
    answer(call, FED_LINK_FORBIDDEN, fed_span_text(diag->text));
}

static void put_hello(const struct call *call, const struct fed_link_hello_items *items)
{
    struct fed_buf body;
    enum fed_err err;

    fed_buf_init(&body, call->gateway->mem, 256);
    err = gateway_hello_put(call->session, items, &body);
    /* A mark that the agent stores must be one that we know after a crash. */
    if (!err)
        err = gateway_hold(
            call->gateway, call->link, call->exchange, FED_LINK_CONTENT, fed_buf_span(&body));
    if (err)
        answer_err(call, err, NULL);
    else
        count_answer(call, FED_LINK_CONTENT);
    fed_buf_fini(&body);
}

static void serve_hello(const struct call *call)
{
    struct fed_link_hello_items items = {.has_trust = true};
    struct fed_diag diag = {""};
    uint32_t later_s;
    enum fed_err err;

    if (!call->session->counts && !gateway_admit(call->gateway, &later_s)) {
        answer_later(call, "many agents come at once", later_s);
        return;
    }
    err = gateway_mark_hello(call->session, call->request->query, &items, &diag);
    memcpy(items.trust, hub_identity_trust(call->gateway->identity), sizeof items.trust);
    if (!err)
        err = gateway_hello_take(call->session, call->request->query);
    if (!err && !call->session->counts)
        err = session_count(call->session, "connected");
    if (err == FED_ERR_FORBIDDEN)
        refuse_copy(call, &diag);
    else if (err)
        answer_err(call, err, &diag);
    else
        put_hello(call, &items);
}

/* ---- b ---- */

/* What the agent has once it took the answer in. A frame that it refuses makes it ask again, with
 * what it has. */
static void note_answered(const struct call *call, uint64_t revision)
{
    struct gateway_session *session = call->session;

    session->held = revision;
    session->told = revision;
    if (call->request->observe) {
        session->observing = true;
        session->unheard = false;
        session->under_way = false;
        session->kinds_due = session->kinds_told != call->gateway->kinds_moved;
    }
    session->under_way_body = false;
    if (session->kinds_due)
        gateway_notify_want(session);
}

static void serve_bundle(const struct call *call)
{
    struct hub_gateway *gateway = call->gateway;
    struct fed_buf body;
    uint32_t epoch;
    uint64_t revision;
    uint64_t target = 0;
    enum fed_err err = fed_link_bundle_query_parse(call->request->query, &epoch, &revision);

    if (err) {
        answer(call, FED_LINK_BAD_REQUEST, fed_span_text("query is e=EPOCH&r=REVISION"));
        return;
    }
    fed_buf_init(&body, gateway->mem, FED_FRAME_MAX);
    err = gateway_bundle_pull(
        gateway, fed_span_text(call->session->name), epoch, revision, &body, &target);
    if (err == FED_ERR_NOT_FOUND) {
        answer_later(call, "the cluster is not planned yet", GATEWAY_RETRY_S);
    } else if (err == FED_ERR_LIMIT) {
        fed_log(gateway->log, FED_LOG_ERROR,
            "gateway: the bundle of cluster %s is larger than %u MiB and cannot be sent",
            call->session->name, FED_FRAME_MAX >> 20);
        answer(call, FED_LINK_INTERNAL, fed_span_text("the bundle is larger than its limit"));
    } else if (err) {
        answer_err(call, err, NULL);
    } else {
        note_answered(call, target);
        if (fed_link_bundle_query_kept(call->request->query))
            gateway_mark_kept(call->session);
        answer(call, FED_LINK_CONTENT, fed_buf_span(&body));
    }
    fed_buf_fini(&body);
}

/* ---- s ---- */

static void serve_report(const struct call *call)
{
    struct hub_gateway *gateway = call->gateway;
    struct fed_report report;
    struct fed_diag diag = {""};
    struct fed_arena arena;
    enum fed_err err;

    if (call->request->payload.len > FED_REPORT_MAX) {
        answer(call, FED_LINK_TOO_LARGE, fed_span_text("a report has at most 64 KiB"));
        return;
    }
    fed_arena_init(&arena, gateway->mem, GATEWAY_REPORT_MEMORY);
    err = fed_report_decode(&arena, call->request->payload, &report, &diag);
    if (!err)
        err =
            hub_status_report(gateway->status, fed_span_text(call->session->name), &report, &diag);
    fed_arena_fini(&arena);
    if (err == FED_ERR_NOT_FOUND) {
        answer(call, FED_LINK_FORBIDDEN, fed_span_text("the cluster is not registered"));
        return;
    }
    if (!err)
        err =
            gateway_hold(gateway, call->link, call->exchange, FED_LINK_CHANGED, fed_span_text(""));
    if (err) {
        answer_err(call, err, &diag);
        return;
    }
    gateway->stats.reports++;
    count_answer(call, FED_LINK_CHANGED);
}

/* ---- k ---- */

static void serve_kinds(const struct call *call)
{
    struct fed_buf body;

    fed_buf_init(&body, call->gateway->mem, FED_LINK_KINDS_BYTES_MAX);
    gateway_kinds_put(call->gateway, &body);
    if (fed_buf_err(&body))
        answer_err(call, fed_buf_err(&body), NULL);
    else
        answer(call, FED_LINK_CONTENT, fed_buf_span(&body));
    fed_buf_fini(&body);
}

/* ---- c ---- */

static void serve_certificate(const struct call *call)
{
    struct fed_diag diag = {""};
    struct fed_buf body;
    uint32_t later_s;
    enum fed_err err;

    fed_buf_init(&body, call->gateway->mem, FED_JOIN_MESSAGE_MAX);
    err = gateway_certificate(call->session, call->request->payload, &body, &later_s, &diag);
    if (later_s > 0)
        answer_later(call, diag.text, later_s);
    else if (err)
        answer_err(call, err, &diag);
    else
        answer(call, FED_LINK_CHANGED, fed_buf_span(&body));
    fed_buf_fini(&body);
}

/* ---- a ---- */

/* It stops, to start again within the time that a session may be silent: nothing is sent to where
 * it was, so nothing is given up either. Back again it observes anew. */
static void serve_away(const struct call *call)
{
    struct gateway_session *session = call->session;

    if (!session->away) {
        hub_status_disconnected(call->gateway->status, fed_span_text(session->name));
        fed_log(call->gateway->log, FED_LOG_INFO, "gateway: cluster %s stops and keeps its session",
            session->name);
    }
    session->away = true;
    session->observing = false;
    gateway_notify_forget(session);
    answer(call, FED_LINK_CHANGED, (struct fed_span){NULL, 0});
}

/* ---- who may do what ---- */

static void refuse(const struct call *call)
{
    struct gateway_session *session = call->session;
    bool known = session->role == GATEWAY_REFUSED || session->role == GATEWAY_AGENT;
    const char *why = session->why ? session->why
                      : session->role == GATEWAY_EXPIRED
                          ? "the certificate has ended: all that it is good for is a new one"
                      : session->role == GATEWAY_AGENT
                          ? "a cluster that has joined cannot join with its certificate"
                          : "a certificate is needed here; a token may only ask to join";

    call->gateway->stats.refused++;
    if (worth_a_line(call))
        fed_log(call->gateway->log, FED_LOG_WARN,
            "gateway: request for \"" FED_SPAN_FMT "\" refused: %s",
            FED_SPAN_ARG(fed_span_sub(call->request->path, 0, 64)), why);
    answer(call, known ? FED_LINK_FORBIDDEN : FED_LINK_UNAUTHORIZED, fed_span_text(why));
}

enum route_for {
    FOR_JOINING, /* whoever is not an agent yet */
    FOR_AGENTS,
    FOR_ENDED /* agents, also those whose certificate has ended */
};

struct route {
    const char *path;
    enum fed_link_method method;
    enum route_for whom;
    void (*serve)(const struct call *call);
};

static const struct route routes[] = {
    {FED_LINK_PATH_JOIN, FED_LINK_POST, FOR_JOINING, serve_join},
    {FED_LINK_PATH_HELLO, FED_LINK_GET, FOR_AGENTS, serve_hello},
    {FED_LINK_PATH_BUNDLE, FED_LINK_GET, FOR_AGENTS, serve_bundle},
    {FED_LINK_PATH_REPORT, FED_LINK_POST, FOR_AGENTS, serve_report},
    {FED_LINK_PATH_KINDS, FED_LINK_GET, FOR_AGENTS, serve_kinds},
    {FED_LINK_PATH_CERTIFICATE, FED_LINK_POST, FOR_ENDED, serve_certificate},
    {FED_LINK_PATH_AWAY, FED_LINK_POST, FOR_AGENTS, serve_away},
};

/* The one place that decides. A role is enough: what an agent reads and writes is always its own
 * cluster's. */
static bool allowed(const struct gateway_session *session, const struct route *route)
{
    switch (session->role) {
    case GATEWAY_AGENT:
        return !route || route->whom != FOR_JOINING;
    case GATEWAY_EXPIRED:
        return route && route->whom == FOR_ENDED;
    case GATEWAY_TOKEN:
    case GATEWAY_NOBODY:
        return route && route->whom == FOR_JOINING;
    case GATEWAY_REFUSED:
        return false;
    }
    return false;
}

static void on_request(void *ctx, struct fed_link_session *link, struct fed_link_exchange *exchange,
    const struct fed_link_server_request *request)
{
    struct gateway_binding *binding = ctx;
    struct call call = {.gateway = binding->gateway,
        .link = binding->link,
        .session = binding->link->user(link),
        .exchange = exchange,
        .request = request,
        .resource = ""};
    const struct route *route = NULL;

    if (!call.session) {
        binding->link->answer(
            exchange, FED_LINK_UNAVAILABLE, fed_span_text("out of memory"), GATEWAY_RETRY_STORE_S);
        return;
    }
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (fed_span_is(request->path, routes[i].path))
            route = &routes[i];
    if (route)
        call.resource = route->path;
    if (!allowed(call.session, route))
        refuse(&call);
    else if (call.session->role == GATEWAY_AGENT && !call.session->counts &&
             (!route || route->serve != serve_hello) && session_count(call.session, "connected"))
        answer_err(&call, FED_ERR_NOMEM, NULL);
    else if (!route)
        answer(&call, FED_LINK_NOT_FOUND, fed_span_text("no such resource"));
    else if (request->method != route->method)
        answer(&call, FED_LINK_NOT_ALLOWED, fed_span_text("no such method here"));
    else
        route->serve(&call);
}

/* ---- the rest ---- */

static void on_notified(void *ctx, struct fed_link_session *link, uint64_t tag, bool delivered)
{
    struct gateway_binding *binding = ctx;
    struct gateway_session *session = binding->link->user(link);

    if (session)
        gateway_notified(session, tag, delivered);
}

static void on_unfit(void *ctx, struct fed_link_session *link, uint64_t tag)
{
    struct gateway_binding *binding = ctx;
    struct gateway_session *session = binding->link->user(link);

    if (session)
        gateway_notify_unfit(session, tag);
}

static enum fed_err on_psk(void *ctx, struct fed_span token_id, struct fed_buf *key)
{
    struct gateway_binding *binding = ctx;

    return hub_identity_psk(binding->gateway->identity, token_id, key);
}

enum fed_err hub_gateway_bind(struct hub_gateway *gateway, const struct hub_gateway_link *link,
    struct fed_link_server_events *out)
{
    struct gateway_binding *binding;

    if (gateway->n_bindings == GATEWAY_BINDINGS)
        return FED_ERR_LIMIT;
    binding = &gateway->bindings[gateway->n_bindings++];
    *binding = (struct gateway_binding){.gateway = gateway, .link = link};
    *out = (struct fed_link_server_events){.ctx = binding,
        .opened = on_opened,
        .closed = on_closed,
        .alive = on_alive,
        .request = on_request,
        .notified = on_notified,
        .unfit = on_unfit,
        .psk = on_psk};
    return FED_OK;
}

void hub_gateway_plan_changed(void *ctx, struct fed_span cluster, uint64_t revision)
{
    struct hub_gateway *gateway = ctx;
    struct gateway_session *session = fed_map_get(&gateway->sessions, cluster);

    if (session && session->told != revision)
        gateway_notify_want(session);
}
