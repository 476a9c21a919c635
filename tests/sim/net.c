/* net.c - the link of each agent over a network that loses, delays and cuts.
 *
 * It stands for CoAP with its repetitions: a message that is lost here was lost as often as it was
 * repeated. What the contract of ports/link.h leaves open happens: the hub acts on a request whose
 * answer is lost; a notification arrives, but its acknowledgement does not; a GET arrives twice;
 * one side forgets the session and the other does not know. */
#include "tests/sim/sim.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/link/link.h"

#define TURN_ROUNDS_MAX 100000u
#define NOTIFY_GIVEN_UP_MS 60000u
#define PATH_MAX_SIZE 16u
#define QUERY_MAX_SIZE 300u

struct sim_session {
    struct sim_agent *agent;
    uint64_t link;
    void *user;
    bool observed;
    uint64_t notification; /* number of the newest */
};

enum kind { CONNECTING, UP, DOWN, REQUEST, ANSWER, EXPIRED, PONG, NOTIFICATION, NOTIFIED };

struct sim_event {
    struct sim_event *next;
    uint64_t due_ms;
    enum kind kind;
    struct sim_agent *agent;
    uint64_t link;    /* of this session only */
    uint64_t request; /* number; an answer and a time-out of it */
    fed_link_done *done;
    void *done_ctx;
    enum fed_link_method method;
    bool observe;
    char path[PATH_MAX_SIZE];
    char query[QUERY_MAX_SIZE];
    unsigned code;
    uint32_t max_age_s;
    enum fed_err err;
    uint64_t tag;
    bool delivered;
    uint64_t number; /* of a notification */
    struct fed_buf bytes;
};

/* What the gateway answers; of a request that may be open for some turns. */
struct fed_link_exchange {
    struct sim_agent *agent;
    uint64_t link;
    uint64_t request;
    fed_link_done *done;
    void *done_ctx;
    bool observe;
    bool is_bundle;
    bool is_report;
    uint64_t seq; /* of the report */
};

/* ---- events ---- */

static struct sim_event *event_new(struct sim_agent *agent, enum kind kind, uint64_t in_ms)
{
    struct sim_event *event = calloc(1, sizeof *event);
    struct sim *sim = agent->sim;
    struct sim_event **at = &sim->net.events;

    assert(event);
    event->due_ms = sim->now_ms + in_ms;
    event->kind = kind;
    event->agent = agent;
    event->link = agent->link;
    fed_buf_init(&event->bytes, fed_alloc_system(), FED_FRAME_MAX);
    while (*at && (*at)->due_ms <= event->due_ms)
        at = &(*at)->next;
    event->next = *at;
    *at = event;
    return event;
}

static void event_free(struct sim_event *event)
{
    fed_buf_fini(&event->bytes);
    free(event);
}

static uint64_t delay(struct sim *sim)
{
    return 1 + sim_random(sim, sim->net.delay_ms + 1);
}

static bool is_lost(struct sim_agent *agent)
{
    struct sim *sim = agent->sim;
    bool lost = agent->cut_off || !sim->hub_up || sim_chance(sim, sim->net.loss);

    sim->net.lost += lost;
    return lost;
}

uint64_t sim_net_due(const struct sim *sim)
{
    return sim->net.events ? sim->net.events->due_ms : SIM_NEVER;
}

/* The event of a request is there once: its answer, or its time-out. */
static struct sim_event *take_request(
    struct sim *sim, const struct sim_agent *agent, uint64_t number)
{
    for (struct sim_event **at = &sim->net.events; *at; at = &(*at)->next) {
        struct sim_event *event = *at;

        if (event->agent == agent && event->request == number && event->kind == EXPIRED) {
            *at = event->next;
            return event;
        }
    }
    return NULL;
}

/* ---- the agent's side ---- */

static enum fed_err net_connect(void *ctx, const char *host, uint16_t port,
    const struct fed_link_client_identity *identity, unsigned timeout_ms, struct fed_diag *diag)
{
    struct sim_agent *agent = ctx;
    struct sim_event *event;

    (void)host;
    (void)port;
    (void)identity;
    (void)diag;
    agent->link = ++agent->sim->next_link;
    if (is_lost(agent)) {
        event = event_new(agent, DOWN, timeout_ms);
        event->err = FED_ERR_TIMEOUT;
    } else {
        event_new(agent, CONNECTING, delay(agent->sim));
    }
    return FED_OK;
}

/* Open requests end; what is on its way is of a session that nobody has. */
static void link_end(struct sim_agent *agent, bool tell)
{
    struct sim *sim = agent->sim;
    struct fed_diag diag = {"the session is over"};
    uint64_t link = agent->link;
    struct sim_event **at;

    agent->link = 0;
    for (at = &sim->net.events; *at;) {
        struct sim_event *event = *at;

        if (event->agent != agent || event->kind != EXPIRED || event->link != link) {
            at = &event->next;
            continue;
        }
        *at = event->next;
        if (tell && event->done)
            event->done(event->done_ctx, FED_ERR_CLOSED, NULL, &diag);
        event_free(event);
        at = &sim->net.events; /* who was told may have changed the list */
    }
}

static void session_end(struct sim_session *session, const char *why)
{
    struct sim *sim = session->agent->sim;

    if (session->agent->session == session)
        session->agent->session = NULL;
    if (sim->hub_up && why)
        sim->events.closed(sim->events.ctx, (struct fed_link_session *)session, why);
    free(session);
}

static void net_disconnect(void *ctx)
{
    struct sim_agent *agent = ctx;
    struct sim_session *session = agent->session;
    uint64_t link = agent->link;

    link_end(agent, agent->up);
    /* close_notify is one datagram that nobody repeats. */
    if (agent->up && session && session->link == link && !is_lost(agent))
        session_end(session, "the agent closed");
}

static struct sim_event *expect(
    struct sim_agent *agent, unsigned timeout_ms, fed_link_done *done, void *done_ctx)
{
    struct sim_event *event = event_new(agent, EXPIRED, timeout_ms);

    event->request = ++agent->sim->next_link;
    event->done = done;
    event->done_ctx = done_ctx;
    return event;
}

static enum fed_err send_request(struct sim_agent *agent, enum fed_link_method method,
    const char *path, const char *query, struct fed_span payload, unsigned timeout_ms,
    fed_link_done *done, void *done_ctx, bool observe)
{
    unsigned copies = 1 + (method == FED_LINK_GET && sim_chance(agent->sim, 50));
    uint64_t number;

    if (agent->link == 0)
        return FED_ERR_CLOSED;
    number = expect(agent, timeout_ms, done, done_ctx)->request;
    for (unsigned i = 0; i < copies && !is_lost(agent); i++) {
        struct sim_event *event = event_new(agent, REQUEST, delay(agent->sim));

        event->request = number;
        event->done = done;
        event->done_ctx = done_ctx;
        event->method = method;
        event->observe = observe;
        assert(
            strlen(path) < sizeof event->path && (!query || strlen(query) < sizeof event->query));
        snprintf(event->path, sizeof event->path, "%s", path);
        snprintf(event->query, sizeof event->query, "%s", query ? query : "");
        fed_buf_put(&event->bytes, payload);
    }
    return FED_OK;
}

static enum fed_err net_request(void *ctx, enum fed_link_method method, const char *path,
    const char *query, struct fed_span payload, unsigned timeout_ms, fed_link_done *done,
    void *done_ctx)
{
    return send_request(ctx, method, path, query, payload, timeout_ms, done, done_ctx, false);
}

static enum fed_err net_observe(void *ctx, const char *path, const char *query, unsigned timeout_ms,
    fed_link_done *done, void *done_ctx)
{
    return send_request(
        ctx, FED_LINK_GET, path, query, (struct fed_span){0}, timeout_ms, done, done_ctx, true);
}

static enum fed_err net_ping(void *ctx, unsigned timeout_ms, fed_link_done *done, void *done_ctx)
{
    struct sim_agent *agent = ctx;
    uint64_t number;

    if (agent->link == 0)
        return FED_ERR_CLOSED;
    number = expect(agent, timeout_ms, done, done_ctx)->request;
    if (!is_lost(agent))
        event_new(agent, PONG, delay(agent->sim))->request = number;
    return FED_OK;
}

static void net_stats(void *ctx, struct fed_link_stats *out)
{
    (void)ctx;
    *out = (struct fed_link_stats){0};
}

struct fed_link sim_net_link(struct sim_agent *agent)
{
    return (struct fed_link){.ctx = agent,
        .connect = net_connect,
        .disconnect = net_disconnect,
        .request = net_request,
        .observe = net_observe,
        .ping = net_ping,
        .stats = net_stats};
}

void sim_net_agent_gone(struct sim_agent *agent)
{
    link_end(agent, false);
}

/* ---- the hub's side ---- */

static void set_user(struct fed_link_session *link, void *user)
{
    ((struct sim_session *)link)->user = user;
}

static void *get_user(const struct fed_link_session *link)
{
    return ((const struct sim_session *)link)->user;
}

static void hub_close(struct fed_link_session *link)
{
    struct sim_session *session = (struct sim_session *)link;
    struct sim_agent *agent = session->agent;

    if (agent->link == session->link && !is_lost(agent)) {
        struct sim_event *event = event_new(agent, DOWN, delay(agent->sim));

        event->err = FED_ERR_CLOSED;
    }
    session_end(session, NULL);
}

static void hub_answer(
    struct fed_link_exchange *exchange, unsigned code, struct fed_span body, uint32_t max_age_s)
{
    struct sim_agent *agent = exchange->agent;
    struct sim_session *session = agent->session;
    struct sim_event *event;

    if (exchange->is_report && code == FED_LINK_CHANGED &&
        exchange->seq > agent->watch.acknowledged)
        agent->watch.acknowledged = exchange->seq;
    if (exchange->is_bundle && code == FED_LINK_CONTENT)
        sim_watch_sent(agent, body);
    if (code == FED_LINK_CONTENT && exchange->observe && session && session->link == exchange->link)
        session->observed = true;
    if (agent->link == exchange->link && !is_lost(agent)) {
        event = event_new(agent, ANSWER, delay(agent->sim));
        event->request = exchange->request;
        event->code = code;
        event->max_age_s = max_age_s;
        fed_buf_put(&event->bytes, body);
    }
    free(exchange);
}

static enum fed_err hub_notify(struct fed_link_session *link, struct fed_span body, uint64_t tag)
{
    struct sim_session *session = (struct sim_session *)link;
    struct sim_agent *agent = session->agent;
    struct sim_event *event;
    bool lost = is_lost(agent);

    if (!session->observed)
        return FED_ERR_NOT_FOUND;
    SIM_CHECK(
        agent->sim, body.len <= 1024, "%s: a notification of %zu bytes", agent->name, body.len);
    sim_watch_sent(agent, body);
    session->notification++;
    event = event_new(
        agent, lost ? NOTIFIED : NOTIFICATION, lost ? NOTIFY_GIVEN_UP_MS : delay(agent->sim));
    event->link = session->link;
    event->tag = tag;
    event->number = session->notification;
    fed_buf_put(&event->bytes, body);
    return FED_OK;
}

const struct fed_link_calls *sim_net_gateway_link(void)
{
    static const struct fed_link_calls link = {.name = "coap",
        .set_user = set_user,
        .user = get_user,
        .close = hub_close,
        .answer = hub_answer,
        .notify = hub_notify};

    return &link;
}

void sim_net_hub_gone(struct sim *sim)
{
    for (unsigned i = 0; i < SIM_AGENTS; i++) {
        if (sim->agents[i].session)
            session_end(sim->agents[i].session, NULL);
    }
}

/* ---- what arrives ---- */

static bool at_hub(const struct sim_event *event)
{
    return event->agent->sim->hub_up && event->agent->session &&
           event->agent->session->link == event->link;
}

static void arrive_connecting(struct sim_event *event)
{
    struct sim_agent *agent = event->agent;
    struct sim *sim = agent->sim;
    struct sim_session *session;
    struct fed_link_peer peer = {.cert = &agent->cert, .address = "192.0.2.1:40000"};
    struct sim_event *down;

    if (!sim->hub_up || agent->link != event->link) {
        if (agent->link == event->link) {
            down = event_new(agent, DOWN, 15000);
            down->err = FED_ERR_TIMEOUT;
        }
        return;
    }
    session = calloc(1, sizeof *session);
    assert(session);
    session->agent = agent;
    session->link = event->link;
    /* One of before that the hub did not hear the end of is replaced from its address. */
    if (agent->session)
        session_end(agent->session, "replaced by a new session from its address");
    agent->session = session;
    sim->events.opened(sim->events.ctx, (struct fed_link_session *)session, &peer);
    event_new(agent, UP, delay(sim));
}

static void arrive_request(struct sim_event *event)
{
    struct sim_agent *agent = event->agent;
    struct sim *sim = agent->sim;
    struct fed_link_exchange *exchange;
    struct fed_link_server_request request = {.method = event->method,
        .path = fed_span_text(event->path),
        .query = fed_span_text(event->query),
        .payload = fed_buf_span(&event->bytes),
        .observe = event->observe};
    struct fed_arena arena;
    struct fed_report report;

    if (!at_hub(event))
        return;
    exchange = calloc(1, sizeof *exchange);
    assert(exchange);
    *exchange = (struct fed_link_exchange){.agent = agent,
        .link = event->link,
        .request = event->request,
        .observe = event->observe,
        .is_bundle = strcmp(event->path, FED_LINK_PATH_BUNDLE) == 0,
        .is_report = strcmp(event->path, FED_LINK_PATH_REPORT) == 0};
    if (exchange->is_report) {
        fed_arena_init(&arena, fed_alloc_system(), 8u << 20);
        SIM_CHECK(sim, fed_report_decode(&arena, request.payload, &report, NULL) == FED_OK,
            "%s sent a report that cannot be read", agent->name);
        exchange->seq = report.seq;
        fed_arena_fini(&arena);
    }
    if (exchange->is_bundle)
        sim_watch_asked(agent, request.query);
    sim->events.alive(sim->events.ctx, (struct fed_link_session *)agent->session);
    if (at_hub(event))
        sim->events.request(
            sim->events.ctx, (struct fed_link_session *)agent->session, exchange, &request);
    else
        free(exchange);
}

static void finish_request(struct sim_event *event, enum fed_err err)
{
    struct sim *sim = event->agent->sim;
    struct sim_event *waiting = take_request(sim, event->agent, event->request);
    struct fed_link_message message = {
        .code = event->code, .payload = fed_buf_span(&event->bytes), .max_age_s = event->max_age_s};
    struct fed_diag diag = {"no answer in time"};

    if (!waiting)
        return; /* answered, or given up */
    waiting->done(waiting->done_ctx, err, err ? NULL : &message, &diag);
    event_free(waiting);
}

static void arrive_pong(struct sim_event *event)
{
    struct sim *sim = event->agent->sim;

    if (!at_hub(event))
        return;
    sim->events.alive(sim->events.ctx, (struct fed_link_session *)event->agent->session);
    event->code = FED_LINK_CONTENT;
    if (event->agent->link == event->link && !is_lost(event->agent))
        finish_request(event, FED_OK);
}

static void notify_result(struct sim_event *event, bool delivered, uint64_t in_ms)
{
    struct sim_event *result = event_new(event->agent, NOTIFIED, in_ms);

    result->link = event->link;
    result->tag = event->tag;
    result->number = event->number;
    result->delivered = delivered;
}

static void arrive_notification(struct sim_event *event)
{
    struct sim_agent *agent = event->agent;
    struct fed_link_message message = {
        .code = FED_LINK_CONTENT, .payload = fed_buf_span(&event->bytes)};
    bool heard = agent->link == event->link;
    bool told = heard && !is_lost(agent);

    notify_result(event, told, told ? delay(agent->sim) : NOTIFY_GIVEN_UP_MS);
    if (heard)
        agent->world->link_events.notification(agent->world->link_events.ctx, &message);
}

static void arrive_notified(struct sim_event *event)
{
    struct sim *sim = event->agent->sim;
    struct sim_session *session = event->agent->session;

    if (!at_hub(event) || session->notification != event->number)
        return;
    if (event->delivered)
        sim->events.alive(sim->events.ctx, (struct fed_link_session *)session);
    if (!event->delivered)
        session->observed = false;
    if (at_hub(event))
        sim->events.notified(
            sim->events.ctx, (struct fed_link_session *)session, event->tag, event->delivered);
}

static void arrive(struct sim_event *event)
{
    struct sim_agent *agent = event->agent;
    const struct fed_link_events *events = &agent->world->link_events;
    struct fed_diag diag = {"the session is over"};

    switch (event->kind) {
    case CONNECTING:
        arrive_connecting(event);
        return;
    case REQUEST:
        arrive_request(event);
        return;
    case NOTIFIED:
        arrive_notified(event);
        return;
    case PONG:
        arrive_pong(event);
        return;
    case NOTIFICATION:
        arrive_notification(event);
        return;
    case EXPIRED:
        if (event->done)
            event->done(event->done_ctx, FED_ERR_TIMEOUT, NULL, &diag);
        return;
    case UP:
        if (agent->link == event->link)
            events->up(events->ctx);
        return;
    case DOWN:
        if (agent->link != event->link)
            return;
        link_end(agent, true);
        events->down(events->ctx, event->err, &diag);
        return;
    case ANSWER:
        if (agent->link == event->link)
            finish_request(event, FED_OK);
        return;
    }
}

void sim_net_turn(struct sim *sim)
{
    unsigned rounds = 0;

    while (sim->net.events && sim->net.events->due_ms <= sim->now_ms) {
        struct sim_event *event = sim->net.events;

        SIM_CHECK(sim, ++rounds < TURN_ROUNDS_MAX, "the network does not come to rest");
        sim->net.events = event->next;
        arrive(event);
        event_free(event);
    }
}

void sim_net_free(struct sim *sim)
{
    while (sim->net.events) {
        struct sim_event *event = sim->net.events;

        sim->net.events = event->next;
        event_free(event);
    }
}
