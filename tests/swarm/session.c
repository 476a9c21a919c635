/* session.c - one agent's session: the state machine and the waits of docs/protocol.md,
 * section 10. */
#include "tests/swarm/swarm.h"

#include <string.h>

#define CONNECT_TIMEOUT_MS 60000u
#define REQUEST_TIMEOUT_MS 60000u
#define PULL_TIMEOUT_MS 600000u
#define PING_TIMEOUT_MS 20000u
#define PINGS_LOST_MAX 3u
#define RETRY_FLOOR_MS 500u
#define RETRY_CEILING_MS 300000u
#define STABLE_MS 60000u
#define HEARTBEAT_MIN_S 5u
#define HEARTBEAT_MAX_S 3600u
#define RENEW_MS 1800000u
#define LATER_MAX_S 3600u

const char *swarm_at_name(enum swarm_at at)
{
    static const char *const names[SWARM_ATS] = {
        "off", "waiting", "connecting", "hello", "observing", "ready"};

    return (unsigned)at < SWARM_ATS ? names[at] : "?";
}

static struct fed_loop *loop_of(const struct swarm_agent *agent)
{
    return agent->swarm->loop;
}

static void timer_at(struct swarm_agent *agent, struct fed_timer *timer, uint64_t due_ms)
{
    loop_of(agent)->timer_set(loop_of(agent)->ctx, timer, due_ms);
}

static void timer_stop(struct swarm_agent *agent, struct fed_timer *timer)
{
    loop_of(agent)->timer_stop(loop_of(agent)->ctx, timer);
}

static bool is_up(const struct swarm_agent *agent)
{
    return agent->at >= SWARM_HELLO;
}

/* The one place that changes the state. */
static void enter(struct swarm_agent *agent, enum swarm_at next)
{
    struct swarm *swarm = agent->swarm;

    swarm->n_at[agent->at]--;
    swarm->n_at[next]++;
    agent->at = next;
    if (next == SWARM_READY || next == SWARM_WAITING || next == SWARM_OFF)
        swarm_fleet_started(agent);
    if (next == SWARM_READY) {
        agent->ready_us = fed_loop_clock_us(swarm->loop);
        swarm_event_ready(agent);
    }
}

/* ---- the end of a session, and the next one ---- */

static void forget_session(struct swarm_agent *agent)
{
    if (is_up(agent)) {
        agent->swarm->counts.lost++;
        swarm_report_down(agent);
    } else if (agent->at == SWARM_CONNECTING) {
        agent->swarm->counts.failed++;
    }
    agent->pulling = agent->pull_again = false;
    timer_stop(agent, agent->pull_timer);
    timer_stop(agent, agent->timer);
}

static void wait_to_connect(struct swarm_agent *agent, uint32_t asked_s)
{
    uint64_t now_ms = swarm_now_ms(agent->swarm);

    if (is_up(agent) && now_ms - agent->up_ms >= STABLE_MS)
        agent_retry_reset(&agent->retry);
    forget_session(agent);
    asked_s = asked_s > LATER_MAX_S ? LATER_MAX_S : asked_s;
    timer_at(agent, agent->timer,
        agent_retry_failed(&agent->retry, now_ms, RETRY_FLOOR_MS, RETRY_CEILING_MS,
            swarm_spread(agent->swarm), asked_s * 1000u));
    enter(agent, SWARM_WAITING);
}

void swarm_session_give_up(struct swarm_agent *agent, const char *why, uint32_t asked_s)
{
    swarm_trouble(agent->swarm, "%s: %s", agent->name, why);
    agent->link.port->disconnect(agent->link.port->ctx);
    wait_to_connect(agent, asked_s);
}

bool swarm_session_later(struct swarm_agent *agent, const struct fed_link_message *message)
{
    if (message->code != FED_LINK_UNAVAILABLE)
        return false;
    agent->swarm->counts.later++;
    swarm_session_give_up(agent, "the hub asks to come back later", message->max_age_s);
    return true;
}

void swarm_session_unexpected(struct swarm_agent *agent, const char *what, enum fed_err err,
    const struct fed_link_message *message, const struct fed_diag *diag)
{
    agent->swarm->counts.errors++;
    if (err)
        swarm_trouble(agent->swarm, "%s: %s: %s", agent->name, what,
            diag && diag->text[0] ? diag->text : fed_err_text(err));
    else
        swarm_trouble(agent->swarm, "%s: %s: %u.%02u " FED_SPAN_FMT, agent->name, what,
            message->code / 100, message->code % 100, FED_SPAN_ARG(message->payload));
}

void swarm_agent_end(struct swarm_agent *agent, enum swarm_end end)
{
    agent->link.port->disconnect(agent->link.port->ctx);
    if (end == SWARM_END_AGAIN) {
        wait_to_connect(agent, 0);
        return;
    }
    forget_session(agent);
    enter(agent, SWARM_OFF);
}

void swarm_agent_connect(struct swarm_agent *agent)
{
    struct swarm *swarm = agent->swarm;
    struct fed_link_client_identity identity = {
        .cert_pem = agent->cert_pem, .key_pem = agent->key_pem, .ca_pem = swarm->ca_pem};
    struct fed_diag diag = {""};

    enter(agent, SWARM_CONNECTING);
    if (agent->link.port->connect(agent->link.port->ctx, swarm->hub.host, swarm->hub.port,
            &identity, CONNECT_TIMEOUT_MS, &diag)) {
        swarm_trouble(swarm, "%s: %s", agent->name, diag.text);
        wait_to_connect(agent, 0);
    }
}

/* ---- a session comes up ---- */

static void arm_heartbeat(struct swarm_agent *agent)
{
    timer_at(agent, agent->timer, swarm_now_ms(agent->swarm) + agent->heartbeat_ms);
}

static enum fed_err ask_to_observe(struct swarm_agent *agent, fed_link_done *done)
{
    struct fed_buf query;
    enum fed_err err;

    fed_buf_init(&query, agent->swarm->mem, 128);
    err = agent->link.port->observe(agent->link.port->ctx, FED_LINK_PATH_BUNDLE,
        swarm_bundle_query(agent, &query), PULL_TIMEOUT_MS, done, agent);
    fed_buf_fini(&query);
    return err;
}

/* What the kinds are matters to no agent without a cluster; that they are asked for, to the hub. */
static void on_kinds(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct swarm_agent *agent = ctx;

    if (err == FED_ERR_CLOSED)
        return;
    if (err || message->code != FED_LINK_CONTENT)
        swarm_session_unexpected(agent, "asking for kinds", err, message, diag);
    else
        agent->kinds_known = fed_link_kinds_digest(message->payload, agent->kinds) == FED_OK;
}

static void ask_for_kinds(struct swarm_agent *agent)
{
    if (agent->link.port->request(agent->link.port->ctx, FED_LINK_GET, FED_LINK_PATH_KINDS, NULL,
            (struct fed_span){0}, REQUEST_TIMEOUT_MS, on_kinds, agent))
        agent->swarm->counts.errors++;
}

static void on_observed(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct swarm_agent *agent = ctx;

    if (agent->at != SWARM_OBSERVING || err == FED_ERR_CLOSED)
        return;
    if (!err && swarm_session_later(agent, message))
        return;
    if (err || message->code != FED_LINK_CONTENT) {
        swarm_session_unexpected(agent, "observing", err, message, diag);
        swarm_session_give_up(agent, "no observation", 0);
        return;
    }
    enter(agent, SWARM_READY);
    arm_heartbeat(agent);
    swarm_frame_take(agent, message->payload);
    if (!is_up(agent))
        return;
    swarm_report_up(agent);
    if (!agent->kinds_same)
        ask_for_kinds(agent);
}

static void take_items(struct swarm_agent *agent, struct fed_span rest)
{
    struct fed_link_hello_items items;

    fed_link_hello_items_take(rest, &items);
    agent->kinds_same = agent->kinds_known && items.has_kinds &&
                        memcmp(items.kinds, agent->kinds, sizeof agent->kinds) == 0;
    if (items.copied)
        agent->swarm->counts.errors++;
    agent->kept = items.has_mark;
    if (!items.has_mark)
        return;
    memcpy(agent->mark, items.mark, sizeof agent->mark);
    agent->marked = true;
}

static void on_hello(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct swarm_agent *agent = ctx;
    struct fed_link_hello hello;
    struct fed_span from;
    uint32_t beat_s;

    if (agent->at != SWARM_HELLO || err == FED_ERR_CLOSED)
        return;
    if (!err && swarm_session_later(agent, message))
        return;
    from = err ? (struct fed_span){0} : message->payload;
    if (err || message->code != FED_LINK_CONTENT || fed_link_hello_take(&from, &hello)) {
        swarm_session_unexpected(agent, "hello", err, message, diag);
        swarm_session_give_up(agent, "no hello", 0);
        return;
    }
    beat_s = hello.heartbeat_s < HEARTBEAT_MIN_S ? HEARTBEAT_MIN_S : hello.heartbeat_s;
    agent->heartbeat_ms = (beat_s > HEARTBEAT_MAX_S ? HEARTBEAT_MAX_S : beat_s) * 1000u;
    if (agent->hub_seq != hello.report_seq)
        agent->report_full = true;
    agent->hub_seq = hello.report_seq;
    take_items(agent, from);
    enter(agent, SWARM_OBSERVING);
    err = ask_to_observe(agent, on_observed);
    if (err)
        swarm_session_give_up(agent, fed_err_text(err), 0);
}

static enum fed_err say_hello(struct swarm_agent *agent)
{
    struct fed_buf query;
    enum fed_err err;

    fed_buf_init(&query, agent->swarm->mem, 128);
    fed_link_hello_query_put(&query, agent->marked ? agent->mark : NULL);
    fed_link_hello_query_put_knows(&query, FED_LINK_KNOWS_ALL);
    err = agent->link.port->request(agent->link.port->ctx, FED_LINK_GET, FED_LINK_PATH_HELLO,
        fed_buf_cstr(&query), (struct fed_span){0}, REQUEST_TIMEOUT_MS, on_hello, agent);
    fed_buf_fini(&query);
    return err;
}

static void on_up(void *ctx)
{
    struct swarm_agent *agent = ctx;
    enum fed_err err;

    if (agent->enrolling) {
        swarm_enrol_up(agent);
        return;
    }
    agent->swarm->counts.sessions++;
    agent->up_ms = swarm_now_ms(agent->swarm);
    agent->pings_lost = 0;
    enter(agent, SWARM_HELLO);
    err = say_hello(agent);
    if (err)
        swarm_session_give_up(agent, fed_err_text(err), 0);
}

static void on_down(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    struct swarm_agent *agent = ctx;

    (void)err;
    if (agent->enrolling) {
        swarm_enrol_down(agent, diag);
        return;
    }
    swarm_trouble(agent->swarm, "%s: %s", agent->name, diag->text);
    wait_to_connect(agent, 0);
}

/* The head of the bundle in place once more: the hub has no other news of it. */
static bool tells_of_kinds(const struct swarm_agent *agent, struct fed_span frame)
{
    struct fed_frame_head head;

    return !fed_frame_head_take(&frame, &head) && !head.has_body &&
           head.epoch == agent->bundle.epoch && head.revision == agent->bundle.revision;
}

static void on_notification(void *ctx, const struct fed_link_message *message)
{
    struct swarm_agent *agent = ctx;

    if (agent->at != SWARM_READY)
        return;
    agent->swarm->counts.notified++;
    arm_heartbeat(agent);
    if (message->code != FED_LINK_CONTENT) {
        swarm_session_give_up(agent, "the observation ended", 0);
        return;
    }
    if (tells_of_kinds(agent, message->payload))
        ask_for_kinds(agent);
    swarm_frame_take(agent, message->payload);
}

/* ---- heartbeat ---- */

static void on_renewed(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct swarm_agent *agent = ctx;

    if (agent->at != SWARM_READY || err == FED_ERR_CLOSED)
        return;
    if (!err && swarm_session_later(agent, message))
        return;
    if (!err && message->code == FED_LINK_CONTENT) {
        swarm_frame_take(agent, message->payload);
        return;
    }
    swarm_session_unexpected(agent, "observing anew", err, message, diag);
    swarm_session_give_up(agent, "no observation", 0);
}

static void renew(struct swarm_agent *agent)
{
    uint64_t now_ms = swarm_now_ms(agent->swarm);
    enum fed_err err;

    if (now_ms - agent->told_ms < RENEW_MS || agent->pulling)
        return;
    agent->told_ms = now_ms;
    err = ask_to_observe(agent, on_renewed);
    if (err)
        swarm_session_give_up(agent, fed_err_text(err), 0);
}

static void send_ping(struct swarm_agent *agent);

static void on_pong(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct swarm_agent *agent = ctx;

    (void)message;
    (void)diag;
    if (agent->at != SWARM_READY || err == FED_ERR_CLOSED)
        return;
    if (!err) {
        agent->pings_lost = 0;
        arm_heartbeat(agent);
        renew(agent);
        return;
    }
    agent->swarm->counts.pings_lost++;
    if (++agent->pings_lost >= PINGS_LOST_MAX)
        swarm_session_give_up(agent, "the hub does not answer any more", 0);
    else
        send_ping(agent);
}

static void send_ping(struct swarm_agent *agent)
{
    enum fed_err err =
        agent->link.port->ping(agent->link.port->ctx, PING_TIMEOUT_MS, on_pong, agent);

    agent->swarm->counts.pings++;
    if (err)
        swarm_session_give_up(agent, fed_err_text(err), 0);
}

static void on_timer(void *ctx)
{
    struct swarm_agent *agent = ctx;

    if (agent->enrolling)
        swarm_enrol_start(agent);
    else if (agent->at == SWARM_WAITING)
        swarm_agent_connect(agent);
    else if (agent->at == SWARM_READY)
        send_ping(agent);
}

/* ---- life ---- */

enum fed_err swarm_agent_open(struct swarm *swarm, struct swarm_agent *agent, struct fed_diag *diag)
{
    struct fed_link_events events = {
        .ctx = agent, .up = on_up, .down = on_down, .notification = on_notification};
    struct fed_loop *loop = swarm->loop;
    enum fed_err err;

    agent->swarm = swarm;
    agent->report_full = true;
    swarm_bundle_init(&agent->bundle, swarm->mem);
    swarm->n_at[SWARM_OFF]++;
    err = swarm_link_open(swarm->mem, loop, swarm->hub.coap, &events, &agent->link, diag);
    if (!err)
        err = loop->timer_new(loop->ctx, on_timer, agent, &agent->timer);
    if (!err)
        err = loop->timer_new(loop->ctx, swarm_pull_timer, agent, &agent->pull_timer);
    if (!err)
        err = loop->timer_new(loop->ctx, swarm_report_timer, agent, &agent->report_timer);
    return err;
}

void swarm_agent_close(struct swarm_agent *agent)
{
    struct fed_loop *loop = loop_of(agent);

    agent->at = SWARM_OFF;
    swarm_link_close(&agent->link);
    loop->timer_free(loop->ctx, agent->timer);
    loop->timer_free(loop->ctx, agent->pull_timer);
    loop->timer_free(loop->ctx, agent->report_timer);
    swarm_bundle_fini(&agent->bundle, &agent->swarm->blobs);
}
