/* dial.c - see dial.h. */
#include "agent/dial_inner.h"

#include <stdio.h>

#define CONNECT_TIMEOUT_MS 60000u
/* With others to try: of the first pass, doubling with each. */
#define CONNECT_SHORT_MS 15000u
#define PROBE_TIMEOUT_MS 15000u
#define REQUEST_TIMEOUT_MS 60000u
#define RETRY_FLOOR_MS 500u
#define RETRY_CEILING_MS 300000u
/* A hub that has been away for that long is looked for less often, and with fewer sends: three
 * datagrams of a handshake and three of a TCP connection, some 50 kB a day with all headers. */
#define AWAY_MS 3600000u
#define AWAY_CEILING_MS (AGENT_DIAL_AWAY_S * 1000u)
#define AWAY_CONNECT_MS 7000u
#define RETRY_ASKED_MAX_S 3600u
#define STABLE_MS 60000u /* a session that lived that long was no failure */
#define MOVE_AGAIN_MS 10000u
#define CHANGED "the certificate changed"

static struct agent_lane *other_of(struct agent_lane *l)
{
    struct agent_dial *d = l->dial;

    return l == agent_dial_coap(d) ? &d->lanes[AGENT_DIAL_HTTPS] : agent_dial_coap(d);
}

static bool is_under_way(const struct agent_lane *l)
{
    return l->state == AGENT_LANE_CONNECTING || l->state == AGENT_LANE_HELLO;
}

/* CoAP is tried while HTTPS is in use. */
static bool is_probe(const struct agent_lane *l)
{
    return l->dial->state == AGENT_DIAL_IN_USE && l->dial->used != l;
}

/* The one place that changes the state. */
static void enter(struct agent_dial *d, enum agent_dial_state next)
{
    if (d->state == next)
        return;
    fed_log(d->ports.log, FED_LOG_DEBUG, "hub: %s -> %s", agent_dial_state_name(d->state),
        agent_dial_state_name(next));
    d->state = next;
    d->moved_ms = agent_dial_now(d);
}

/* ---- time ---- */

static uint64_t due_of(const struct agent_dial *d)
{
    const struct agent_lane *coap = &d->lanes[AGENT_DIAL_COAP];
    bool by_coap = d->used == coap;

    if (d->state == AGENT_DIAL_WAITING)
        return d->next_ms;
    if (d->state == AGENT_DIAL_DIALING)
        return d->second_ms;
    if (d->state != AGENT_DIAL_IN_USE || !agent_dial_can_choose(d))
        return AGENT_DIAL_NEVER;
    if (by_coap)
        return d->ready ? AGENT_DIAL_NEVER : d->up_ms + AGENT_DIAL_READY_MS;
    return is_under_way(coap) ? AGENT_DIAL_NEVER : d->coap_ms;
}

static void arm(struct agent_dial *d)
{
    uint64_t due_ms = due_of(d);

    if (due_ms == AGENT_DIAL_NEVER)
        agent_timer_stop(&d->ports, d->timer);
    else
        agent_timer_at(&d->ports, d->timer, due_ms);
}

/* ---- trust in CoAP ---- */

static void distrust(struct agent_dial *d)
{
    uint32_t wait_ms = d->coap_wait_ms ? d->coap_wait_ms : AGENT_DIAL_PROBE_FLOOR_MS / 2;

    wait_ms = wait_ms > AGENT_DIAL_PROBE_CEILING_MS / 2 ? AGENT_DIAL_PROBE_CEILING_MS : wait_ms * 2;
    d->coap_wait_ms = wait_ms;
    d->coap_ms = agent_dial_now(d) + wait_ms / 2 +
                 (uint64_t)(wait_ms / 2) * (agent_spread(&d->ports) + 1u) / 256u;
}

static bool is_distrusted(const struct agent_dial *d)
{
    return d->coap_wait_ms > 0 && agent_dial_now(d) < d->coap_ms;
}

/* How long CoAP served, or that it went silent, is news about UDP. */
static void judge_coap(struct agent_dial *d, bool silent)
{
    bool long_enough = agent_dial_now(d) - d->up_ms >= AGENT_DIAL_TRUST_MS;

    if (d->used != agent_dial_coap(d) || !agent_dial_can_choose(d))
        return;
    if (long_enough)
        d->coap_wait_ms = 0;
    else if (silent)
        distrust(d);
}

/* ---- a pass ---- */

static void lane_start(struct agent_lane *l);
static void lane_failed(struct agent_lane *l, const char *why, uint32_t asked_s);

void agent_lane_end(struct agent_lane *l)
{
    bool open = l->state != AGENT_LANE_IDLE;

    l->state = AGENT_LANE_IDLE;
    l->renewing = false;
    if (open)
        l->link->disconnect(l->link->ctx);
}

static bool is_long_away(const struct agent_dial *d)
{
    return agent_dial_now(d) - d->away_ms > AWAY_MS;
}

/* No address answers, or the hub asked for time. */
static void pass_end(struct agent_dial *d, uint32_t asked_s)
{
    uint32_t asked_ms = (asked_s > RETRY_ASKED_MAX_S ? RETRY_ASKED_MAX_S : asked_s) * 1000u;

    for (size_t i = 0; i < AGENT_DIAL_BINDINGS; i++)
        agent_lane_end(&d->lanes[i]);
    d->next_ms = agent_retry_failed(&d->retry, agent_dial_now(d), RETRY_FLOOR_MS,
        is_long_away(d) ? AWAY_CEILING_MS : RETRY_CEILING_MS, agent_spread(&d->ports), asked_ms);
    /* One line at the change; while it stays away, one per doubling is enough. */
    fed_log(d->ports.log, d->retry.attempts <= 1 ? FED_LOG_WARN : FED_LOG_INFO,
        "hub %s: %s, next try in %llu s", d->hub, d->why,
        (unsigned long long)(d->next_ms - agent_dial_now(d) + 999) / 1000);
    enter(d, AGENT_DIAL_WAITING);
    arm(d);
}

static void pass_begin(struct agent_dial *d)
{
    struct agent_lane *first = agent_dial_coap(d);

    enter(d, AGENT_DIAL_DIALING);
    for (size_t i = 0; i < AGENT_DIAL_BINDINGS; i++) {
        d->lanes[i].tried = 0;
        d->lanes[i].started = false;
    }
    if (first->n == 0 || (agent_dial_can_choose(d) && is_distrusted(d)))
        first = other_of(first);
    d->first = first;
    d->second_ms =
        agent_dial_can_choose(d) ? agent_dial_now(d) + AGENT_DIAL_HEAD_START_MS : AGENT_DIAL_NEVER;
    lane_start(first);
    arm(d);
}

/* The lane that was not first gets its chance. */
static void second_start(struct agent_dial *d)
{
    d->second_ms = AGENT_DIAL_NEVER;
    for (size_t i = 0; i < AGENT_DIAL_BINDINGS; i++) {
        struct agent_lane *l = &d->lanes[i];

        if (l->n == 0 || l->started)
            continue;
        fed_log(d->ports.log, FED_LOG_INFO, "hub %s: not there yet, trying %s",
            agent_lane_hub(other_of(l)), agent_lane_hub(l));
        lane_start(l);
        break;
    }
    arm(d);
}

/* The session of before, instead of a handshake. */
static bool resume(struct agent_dial *d)
{
    struct agent_session_of of = {
        .identity = d->options.identity, .hubs = d->options.hubs, .n_hubs = d->options.n_hubs};
    struct agent_ports ports = d->ports;
    struct agent_lane *l = agent_dial_coap(d);
    size_t hub = 0;

    ports.link = l->link;
    if (l->n == 0 || agent_lane_certify(l) ||
        agent_session_resume(&ports, d->options.session, &of, &hub))
        return false;
    l->at = 0;
    while (l->at + 1 < l->n && l->hubs[l->at] != d->options.hubs[hub])
        l->at++;
    l->state = AGENT_LANE_CONNECTING;
    l->started = d->resumed = true;
    d->used = d->first = l;
    d->hub = agent_lane_hub(l);
    d->second_ms =
        agent_dial_can_choose(d) ? agent_dial_now(d) + AGENT_DIAL_HEAD_START_MS : AGENT_DIAL_NEVER;
    enter(d, AGENT_DIAL_DIALING);
    arm(d);
    return true;
}

/* The hub does not know it any more. */
static void resume_failed(struct agent_dial *d, const char *why)
{
    struct agent_lane *l = agent_dial_coap(d);

    d->resumed = false;
    agent_lane_end(l);
    fed_log(d->ports.log, FED_LOG_INFO, "hub %s: %s; making a new one", agent_lane_hub(l), why);
    if (d->second_ms != AGENT_DIAL_NEVER)
        d->second_ms = agent_dial_now(d) + AGENT_DIAL_HEAD_START_MS;
    lane_start(l);
    arm(d);
}

/* ---- a lane ---- */

static unsigned connect_timeout(const struct agent_lane *l)
{
    unsigned passes = l->dial->retry.attempts;

    if (is_probe(l))
        return PROBE_TIMEOUT_MS;
    if (is_long_away(l->dial))
        return AWAY_CONNECT_MS;
    if (l->n == 1 || passes >= 2)
        return CONNECT_TIMEOUT_MS;
    return CONNECT_SHORT_MS << passes;
}

static void lane_start(struct agent_lane *l)
{
    struct agent_dial *d = l->dial;
    struct fed_link_client_identity identity = {
        .cert_pem = fed_span_text(d->options.identity->certificate),
        .key_pem = d->options.key_pem,
        .ca_pem = fed_span_text(d->options.identity->ca)};
    struct fed_link_address address;
    struct fed_diag diag = {""};
    enum fed_err err;

    l->started = true;
    if (!is_probe(l)) {
        d->used = l;
        d->hub = agent_lane_hub(l);
    }
    err = fed_link_address_parse(fed_span_text(agent_lane_hub(l)), &address, &diag);
    if (!err)
        err = agent_lane_certify(l);
    if (!err)
        err = l->link->connect(
            l->link->ctx, address.host, address.port, &identity, connect_timeout(l), &diag);
    if (err)
        lane_failed(l, diag.text[0] ? diag.text : fed_err_text(err), 0);
    else
        l->state = AGENT_LANE_CONNECTING;
}

/* By itself: what another session brings would not have been judged either. */
static void ask_for_time(struct agent_lane *l, const char *why)
{
    struct agent_dial *d = l->dial;

    fed_log(d->ports.log, FED_LOG_INFO,
        "hub %s: %s; nobody keeps this machine's clock, asking the hub for the time",
        agent_lane_hub(l), why);
    agent_lane_end(l);
    if (d->state != AGENT_DIAL_IN_USE) {
        agent_lane_end(other_of(l));
        d->second_ms = AGENT_DIAL_NEVER;
    }
    lane_start(l);
    arm(d);
}

/* Whether the hello is one of a session that may be used; else it was dealt with. What it says
 * counts as far as it is believed. */
static bool take_time(struct agent_lane *l, int64_t *unix_s)
{
    struct agent_clock *clock = l->dial->options.clock;
    enum fed_err err = clock ? agent_clock_told(clock, *unix_s) : FED_OK;
    int64_t known_unix_s = clock ? agent_clock_unix_s(clock) : *unix_s;

    if (!err && *unix_s > known_unix_s + AGENT_CLOCK_SLACK_S) {
        fed_log(l->dial->ports.log, FED_LOG_WARN,
            "hub %s: its clock is %lld s ahead of the time: not believed", agent_lane_hub(l),
            (long long)(*unix_s - known_unix_s));
        *unix_s = known_unix_s;
    }
    if (err == FED_ERR_CONFLICT) {
        agent_lane_end(l);
        lane_start(l);
    } else if (err) {
        lane_failed(l, "its clock is behind what a hub said before", 0);
    }
    return !err;
}

static void probe_failed(struct agent_lane *l)
{
    struct agent_dial *d = l->dial;

    distrust(d);
    fed_log(d->ports.log, FED_LOG_DEBUG, "hub %s: still not over CoAP: %s; again in %llu s",
        agent_lane_hub(l), l->why, (unsigned long long)(d->coap_ms - agent_dial_now(d)) / 1000);
    l->at = (l->at + 1) % l->n;
    arm(d);
}

static void lane_failed(struct agent_lane *l, const char *why, uint32_t asked_s)
{
    struct agent_dial *d = l->dial;
    struct agent_lane *other = other_of(l);
    bool probing = is_probe(l);

    d->counts.failed++;
    if (d->resumed && l == agent_dial_coap(d)) {
        resume_failed(d, why);
        return;
    }
    if (d->options.clock && agent_clock_ask(d->options.clock)) {
        ask_for_time(l, why);
        return;
    }
    agent_lane_end(l);
    snprintf(l->why, sizeof l->why, "%s", why);
    if (probing) {
        probe_failed(l);
        return;
    }
    d->used = l;
    d->hub = agent_lane_hub(l);
    snprintf(d->why, sizeof d->why, "%s", why);
    if (asked_s > 0) {
        pass_end(d, asked_s);
        return;
    }
    l->at = (l->at + 1) % l->n;
    if (++l->tried < l->n)
        lane_start(l);
    else if (other->n > 0 && !other->started)
        second_start(d);
    else if (!is_under_way(other))
        pass_end(d, 0);
}

/* HTTPS got through. CoAP would have, had it been first; when it was not, it is distrusted already,
 * and had no fair chance to be anything else. */
static void https_won(struct agent_dial *d)
{
    const struct agent_lane *coap = agent_dial_coap(d);

    if (d->first == coap)
        distrust(d);
    else if (d->coap_ms <= agent_dial_now(d))
        d->coap_ms = agent_dial_now(d) + AGENT_DIAL_PROBE_FLOOR_MS / 2;
    fed_log(d->ports.log, d->first == coap ? FED_LOG_WARN : FED_LOG_INFO,
        "hub: CoAP does not get through (%s), using %s", coap->why[0] ? coap->why : "no answer",
        agent_lane_hub(d->used));
}

/* The hub answered: this lane is the one. */
static void lane_won(
    struct agent_lane *l, const struct fed_link_hello *hello, struct fed_span items)
{
    struct agent_dial *d = l->dial;
    struct agent_lane *other = other_of(l);

    if (is_probe(l)) {
        fed_log(d->ports.log, FED_LOG_INFO, "hub: CoAP gets through again, moving from %s to %s",
            agent_lane_hub(d->used), agent_lane_hub(l));
        agent_lane_end(other);
        d->events.down(d->events.ctx);
    }
    if (other->state == AGENT_LANE_CONNECTING && !other->why[0])
        snprintf(other->why, sizeof other->why, "no answer within %u s",
            AGENT_DIAL_HEAD_START_MS / 1000);
    agent_lane_end(other);
    d->resumed = false;
    l->state = AGENT_LANE_IN_USE;
    l->why[0] = '\0';
    d->used = l;
    d->hub = agent_lane_hub(l);
    d->up_ms = agent_dial_now(d);
    d->ready = false;
    enter(d, AGENT_DIAL_IN_USE);
    if (l != agent_dial_coap(d) && agent_dial_can_choose(d))
        https_won(d);
    arm(d);
    d->events.up(d->events.ctx, hello, items);
}

static void on_hello(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent_lane *l = ctx;
    struct fed_link_hello hello;
    struct fed_span from;
    char text[300];

    if (l->state != AGENT_LANE_HELLO || err == FED_ERR_CLOSED)
        return; /* closed: down says so */
    if (err || !agent_lane_is_present(l)) {
        lane_failed(l, !err ? CHANGED : diag && diag->text[0] ? diag->text : fed_err_text(err), 0);
        return;
    }
    if (l == agent_dial_coap(l->dial))
        l->dial->resumed = false;
    if (message->code == FED_LINK_UNAVAILABLE) {
        lane_failed(l, "it asks to come back later", message->max_age_s ? message->max_age_s : 1);
        return;
    }
    from = message->payload;
    if (message->code == FED_LINK_CONTENT && fed_link_hello_take(&from, &hello) == FED_OK) {
        if (take_time(l, &hello.unix_s))
            lane_won(l, &hello, from);
        return;
    }
    if (message->code == FED_LINK_UNAUTHORIZED && l->dial->events.ended &&
        l->dial->events.ended(l->dial->events.ctx, l->link)) {
        l->renewing = true;
        return;
    }
    snprintf(text, sizeof text,
        "it answered %u.%02u to the hello"
        "%s" FED_SPAN_FMT,
        message->code / 100, message->code % 100, message->code >= 400 ? ": " : "",
        message->code >= 400 ? (int)(message->payload.len > 200 ? 200 : message->payload.len) : 0,
        (const char *)message->payload.at);
    lane_failed(l, text, 0);
}

void agent_lane_up(struct agent_lane *l)
{
    struct agent_dial *d = l->dial;
    enum fed_err err;

    if (l->state != AGENT_LANE_CONNECTING)
        return;
    if (!agent_lane_is_present(l)) {
        lane_failed(l, CHANGED, 0);
        return;
    }
    if (d->resumed && l == agent_dial_coap(d))
        d->counts.resumed++;
    else
        d->counts.full++;
    l->state = AGENT_LANE_HELLO;
    err = d->events.hello(
        d->events.ctx, l->link, is_probe(l) ? PROBE_TIMEOUT_MS : REQUEST_TIMEOUT_MS, on_hello, l);
    if (err)
        lane_failed(l, fed_err_text(err), 0);
}

/* ---- the session in use ends ---- */

static void lose(struct agent_dial *d, bool silent, const char *why, uint32_t asked_s)
{
    struct agent_lane *l = d->used;
    bool probing = is_under_way(other_of(l));

    judge_coap(d, silent);
    d->away_ms = agent_dial_now(d);
    if (agent_dial_now(d) - d->up_ms >= STABLE_MS)
        agent_retry_reset(&d->retry);
    snprintf(d->why, sizeof d->why, "%s", why);
    agent_lane_end(l);
    if (!probing || asked_s > 0) {
        pass_end(d, asked_s);
    } else {
        /* A hub that knows of the new session already has ended this one. */
        l->tried = 0;
        l->started = false;
        other_of(l)->started = true;
        d->second_ms = agent_dial_now(d) + AGENT_DIAL_HEAD_START_MS;
        enter(d, AGENT_DIAL_DIALING);
        arm(d);
    }
    d->events.down(d->events.ctx);
}

void agent_dial_lost(
    struct agent_dial *d, enum agent_dial_cause cause, const char *why, uint32_t asked_s)
{
    if (d->state == AGENT_DIAL_IN_USE)
        lose(d, cause == AGENT_DIAL_SILENT, why, asked_s);
}

bool agent_dial_is_https(const struct agent_dial *d)
{
    return d->state == AGENT_DIAL_IN_USE && d->used == &d->lanes[AGENT_DIAL_HTTPS];
}

void agent_dial_ready(struct agent_dial *d)
{
    d->ready = true;
    arm(d);
}

void agent_dial_again(struct agent_dial *d, const char *why)
{
    bool was_up = d->state == AGENT_DIAL_IN_USE;

    if (d->state == AGENT_DIAL_IDLE)
        return;
    fed_log(d->ports.log, FED_LOG_INFO, "hub %s: %s", d->hub, why);
    for (size_t i = 0; i < AGENT_DIAL_BINDINGS; i++)
        agent_lane_end(&d->lanes[i]);
    agent_retry_reset(&d->retry);
    d->next_ms = agent_dial_now(d);
    enter(d, AGENT_DIAL_WAITING);
    arm(d);
    if (was_up)
        d->events.down(d->events.ctx);
}

void agent_dial_not_renewed(struct agent_dial *d, const char *why, uint32_t asked_s)
{
    for (size_t i = 0; i < AGENT_DIAL_BINDINGS; i++)
        if (d->lanes[i].renewing)
            lane_failed(&d->lanes[i], why, asked_s);
}

void agent_lane_down(struct agent_lane *l, enum fed_err err, const struct fed_diag *diag)
{
    const char *why = diag && diag->text[0] ? diag->text : fed_err_text(err);
    enum agent_lane_state was = l->state;

    l->state = AGENT_LANE_IDLE; /* the link has ended it already */
    if (was == AGENT_LANE_IN_USE)
        lose(l->dial, err == FED_ERR_TIMEOUT || err == FED_ERR_NETWORK, why, 0);
    else if (was != AGENT_LANE_IDLE)
        lane_failed(l, why, 0);
}

/* The hub may end the present session as soon as it has the handshake of the new one. */
static void probe(struct agent_dial *d)
{
    if (d->events.may_move(d->events.ctx))
        lane_start(agent_dial_coap(d));
    else
        d->coap_ms = agent_dial_now(d) + MOVE_AGAIN_MS;
    arm(d);
}

void agent_dial_begin(struct agent_dial *d)
{
    d->away_ms = agent_dial_now(d);
    if (!resume(d))
        pass_begin(d);
}

void agent_dial_on_timer(void *ctx)
{
    struct agent_dial *d = ctx;

    if (d->state == AGENT_DIAL_WAITING)
        pass_begin(d);
    else if (d->state == AGENT_DIAL_DIALING)
        second_start(d);
    else if (d->state == AGENT_DIAL_IN_USE && d->used == agent_dial_coap(d))
        lose(d, true, "the bundle did not come in time", 0);
    else if (d->state == AGENT_DIAL_IN_USE && !is_under_way(agent_dial_coap(d)))
        probe(d);
}
