/* request.c - what agents ask for: who may ask, and the answers. */
#include "hub/gateway/internal.h"

#include <string.h>

/* ---- requests ---- */

struct call {
    struct hub_gateway *gateway;
    const struct fed_link_calls *link;
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

/* A copy of an agent: it is told so, and stays out, also when it was the one that is served and
 * went back in the midst of its session. */
static void refuse_copy(const struct call *call, const struct fed_diag *diag)
{
    struct gateway_session *session = call->session;

    gateway_session_uncount(session);
    gateway_notify_forget(session);
    session->observing = false;
    session->role = GATEWAY_REFUSED;
    session->why = gateway_copy_text(call->gateway->mem, diag->text);
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
    struct fed_link_hello_query asked;
    struct fed_diag diag = {""};
    uint32_t later_s;
    enum fed_err err;

    /* What is refused anyway takes no place of others. */
    if (!call->session->counts && !fed_link_hello_query_parse(call->request->query, &asked) &&
        !gateway_admit(call->gateway, &later_s)) {
        answer_later(call, "many agents come at once", later_s);
        return;
    }
    err = gateway_mark_hello(call->session, call->request->query, &items, &diag);
    memcpy(items.trust, hub_identity_trust(call->gateway->identity), sizeof items.trust);
    if (!err)
        err = gateway_hello_take(call->session, call->request->query);
    if (!err && !call->session->counts)
        err = gateway_session_count(call->session, "connected");
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
        if (!call->request->again)
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

/* ---- r ---- */

static void serve_removals(const struct call *call)
{
    struct fed_buf body;
    enum fed_err err;

    fed_buf_init(&body, call->gateway->mem, FED_REMOVALS_BYTES_MAX);
    err = hub_plan_orders_put(call->gateway->plan, fed_span_text(call->session->name), &body);
    if (err == FED_ERR_NOT_FOUND)
        answer_later(call, "the cluster is not planned yet", GATEWAY_RETRY_S);
    else if (err == FED_ERR_CORRUPT)
        answer_later(
            call, "what was ordered is not known: somebody is to consent", GATEWAY_RETRY_STORE_S);
    else if (err)
        answer_err(call, err, NULL);
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
    const char *why = session->why                       ? session->why
                      : session->role == GATEWAY_EXPIRED ? gateway_certificate_why(session)
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
    {FED_LINK_PATH_REMOVALS, FED_LINK_GET, FOR_AGENTS, serve_removals},
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

void gateway_request(void *ctx, struct fed_link_session *link, struct fed_link_exchange *exchange,
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
             (!route || route->serve != serve_hello) &&
             gateway_session_count(call.session, "connected"))
        answer_err(&call, FED_ERR_NOMEM, NULL);
    else if (!route)
        answer(&call, FED_LINK_NOT_FOUND, fed_span_text("no such resource"));
    else if (request->method != route->method)
        answer(&call, FED_LINK_NOT_ALLOWED, fed_span_text("no such method here"));
    else
        route->serve(&call);
}
