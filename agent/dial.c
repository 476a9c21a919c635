/* dial.c - see dial.h. */
#include "agent/dial.h"

#include "agent/retry.h"

#include <stdio.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 60000u
/* With others to try: of the first pass, doubling with each. */
#define CONNECT_SHORT_MS 15000u
#define PROBE_TIMEOUT_MS 15000u
#define REQUEST_TIMEOUT_MS 60000u
#define RETRY_FLOOR_MS 500u
#define RETRY_CEILING_MS 300000u
#define RETRY_ASKED_MAX_S 3600u
#define STABLE_MS 60000u /* a session that lived that long was no failure */
#define MOVE_AGAIN_MS 10000u
#define NEVER UINT64_MAX

enum lane_state { LANE_IDLE, LANE_CONNECTING, LANE_HELLO, LANE_IN_USE };

struct lane {
    struct agent_dial *dial;
    struct fed_link *link; /* NULL: there is none */
    const char *name;
    const char *hubs[AGENT_HUBS_MAX];
    size_t n;
    size_t at;     /* in use or next to try */
    size_t tried;  /* in this pass */
    bool started;  /* in this pass */
    bool renewing; /* the hello waits for another certificate */
    enum lane_state state;
    char why[200]; /* its last failure */
};

struct agent_dial {
    struct agent_ports ports;
    struct agent_dial_options options;
    struct agent_dial_events events;
    struct fed_link port;
    enum agent_dial_state state;
    struct lane lanes[AGENT_DIAL_BINDINGS];
    struct lane *used;  /* or tried last */
    struct lane *first; /* of the present pass */
    const char *hub;    /* tried or used last */
    struct fed_timer *timer;
    uint64_t next_ms;   /* waiting: the next pass */
    uint64_t second_ms; /* dialing: the second lane starts; NEVER: it has */
    uint64_t up_ms;
    bool ready;
    bool resumed; /* CoAP goes on with the session of before, and the hub did not answer yet */
    struct agent_retry retry;
    /* ---- trust in CoAP ---- */
    uint64_t coap_ms; /* not before: in a pass it goes second, beside HTTPS it is probed then */
    uint32_t coap_wait_ms; /* 0: trusted */
    char why[240];
};

const char *agent_dial_state_name(enum agent_dial_state state)
{
    static const char *const names[AGENT_DIAL_STATES] = {"idle", "waiting", "dialing", "in use"};

    return (unsigned)state < AGENT_DIAL_STATES ? names[state] : "?";
}

enum agent_dial_mode agent_dial_mode_of(const char *name)
{
    if (strcmp(name, "coap") == 0)
        return AGENT_DIAL_COAP_ONLY;
    return strcmp(name, "https") == 0 ? AGENT_DIAL_HTTPS_ONLY : AGENT_DIAL_AUTO;
}

static uint64_t now_of(const struct agent_dial *d)
{
    return fed_loop_now_ms(d->ports.loop);
}

static struct lane *coap_of(struct agent_dial *d)
{
    return &d->lanes[AGENT_DIAL_COAP];
}

static struct lane *other_of(struct lane *l)
{
    struct agent_dial *d = l->dial;

    return l == coap_of(d) ? &d->lanes[AGENT_DIAL_HTTPS] : coap_of(d);
}

static bool can_choose(const struct agent_dial *d)
{
    return d->lanes[AGENT_DIAL_COAP].n > 0 && d->lanes[AGENT_DIAL_HTTPS].n > 0;
}

static const char *hub_of(const struct lane *l)
{
    return l->hubs[l->at];
}

static bool is_under_way(const struct lane *l)
{
    return l->state == LANE_CONNECTING || l->state == LANE_HELLO;
}

/* CoAP is tried while HTTPS is in use. */
static bool is_probe(const struct lane *l)
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
}

/* ---- time ---- */

static uint64_t due_of(const struct agent_dial *d)
{
    const struct lane *coap = &d->lanes[AGENT_DIAL_COAP];
    bool by_coap = d->used == coap;

    if (d->state == AGENT_DIAL_WAITING)
        return d->next_ms;
    if (d->state == AGENT_DIAL_DIALING)
        return d->second_ms;
    if (d->state != AGENT_DIAL_IN_USE || !can_choose(d))
        return NEVER;
    if (by_coap)
        return d->ready ? NEVER : d->up_ms + AGENT_DIAL_READY_MS;
    return is_under_way(coap) ? NEVER : d->coap_ms;
}

static void arm(struct agent_dial *d)
{
    uint64_t due_ms = due_of(d);

    if (due_ms == NEVER)
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
    d->coap_ms =
        now_of(d) + wait_ms / 2 + (uint64_t)(wait_ms / 2) * (agent_spread(&d->ports) + 1u) / 256u;
}

static bool is_distrusted(const struct agent_dial *d)
{
    return d->coap_wait_ms > 0 && now_of(d) < d->coap_ms;
}

/* How long CoAP served, or that it went silent, is news about UDP. */
static void judge_coap(struct agent_dial *d, bool silent)
{
    bool long_enough = now_of(d) - d->up_ms >= AGENT_DIAL_TRUST_MS;

    if (d->used != coap_of(d) || !can_choose(d))
        return;
    if (long_enough)
        d->coap_wait_ms = 0;
    else if (silent)
        distrust(d);
}

/* ---- a pass ---- */

static void lane_start(struct lane *l);
static void lane_failed(struct lane *l, const char *why, uint32_t asked_s);

static void lane_end(struct lane *l)
{
    bool open = l->state != LANE_IDLE;

    l->state = LANE_IDLE;
    l->renewing = false;
    if (open)
        l->link->disconnect(l->link->ctx);
}

/* No address answers, or the hub asked for time. */
static void pass_end(struct agent_dial *d, uint32_t asked_s)
{
    uint32_t asked_ms = (asked_s > RETRY_ASKED_MAX_S ? RETRY_ASKED_MAX_S : asked_s) * 1000u;

    for (size_t i = 0; i < AGENT_DIAL_BINDINGS; i++)
        lane_end(&d->lanes[i]);
    d->next_ms = agent_retry_failed(
        &d->retry, now_of(d), RETRY_FLOOR_MS, RETRY_CEILING_MS, agent_spread(&d->ports), asked_ms);
    /* One line at the change; while it stays away, one per doubling is enough. */
    fed_log(d->ports.log, d->retry.attempts <= 1 ? FED_LOG_WARN : FED_LOG_INFO,
        "hub %s: %s, next try in %llu s", d->hub, d->why,
        (unsigned long long)(d->next_ms - now_of(d) + 999) / 1000);
    enter(d, AGENT_DIAL_WAITING);
    arm(d);
}

static void pass_begin(struct agent_dial *d)
{
    struct lane *first = coap_of(d);

    enter(d, AGENT_DIAL_DIALING);
    for (size_t i = 0; i < AGENT_DIAL_BINDINGS; i++) {
        d->lanes[i].tried = 0;
        d->lanes[i].started = false;
    }
    if (first->n == 0 || (can_choose(d) && is_distrusted(d)))
        first = other_of(first);
    d->first = first;
    d->second_ms = can_choose(d) ? now_of(d) + AGENT_DIAL_HEAD_START_MS : NEVER;
    lane_start(first);
    arm(d);
}

/* The lane that was not first gets its chance. */
static void second_start(struct agent_dial *d)
{
    d->second_ms = NEVER;
    for (size_t i = 0; i < AGENT_DIAL_BINDINGS; i++) {
        struct lane *l = &d->lanes[i];

        if (l->n == 0 || l->started)
            continue;
        fed_log(d->ports.log, FED_LOG_INFO, "hub %s: not there yet, trying %s", hub_of(other_of(l)),
            hub_of(l));
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
    struct lane *l = coap_of(d);
    size_t hub = 0;

    ports.link = l->link;
    if (l->n == 0 || agent_session_resume(&ports, d->options.session, &of, &hub))
        return false;
    l->at = 0;
    while (l->at + 1 < l->n && l->hubs[l->at] != d->options.hubs[hub])
        l->at++;
    l->state = LANE_CONNECTING;
    l->started = d->resumed = true;
    d->used = d->first = l;
    d->hub = hub_of(l);
    d->second_ms = can_choose(d) ? now_of(d) + AGENT_DIAL_HEAD_START_MS : NEVER;
    enter(d, AGENT_DIAL_DIALING);
    arm(d);
    return true;
}

/* The hub does not know it any more. */
static void resume_failed(struct agent_dial *d, const char *why)
{
    struct lane *l = coap_of(d);

    d->resumed = false;
    lane_end(l);
    fed_log(d->ports.log, FED_LOG_INFO, "hub %s: %s; making a new one", hub_of(l), why);
    if (d->second_ms != NEVER)
        d->second_ms = now_of(d) + AGENT_DIAL_HEAD_START_MS;
    lane_start(l);
    arm(d);
}

/* ---- a lane ---- */

static unsigned connect_timeout(const struct lane *l)
{
    unsigned passes = l->dial->retry.attempts;

    if (is_probe(l))
        return PROBE_TIMEOUT_MS;
    if (l->n == 1 || passes >= 2)
        return CONNECT_TIMEOUT_MS;
    return CONNECT_SHORT_MS << passes;
}

static void lane_start(struct lane *l)
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
        d->hub = hub_of(l);
    }
    err = fed_link_address_parse(fed_span_text(hub_of(l)), &address, &diag);
    if (!err)
        err = l->link->connect(
            l->link->ctx, address.host, address.port, &identity, connect_timeout(l), &diag);
    if (err)
        lane_failed(l, diag.text[0] ? diag.text : fed_err_text(err), 0);
    else
        l->state = LANE_CONNECTING;
}

static void probe_failed(struct lane *l)
{
    struct agent_dial *d = l->dial;

    distrust(d);
    fed_log(d->ports.log, FED_LOG_DEBUG, "hub %s: still not over CoAP: %s; again in %llu s",
        hub_of(l), l->why, (unsigned long long)(d->coap_ms - now_of(d)) / 1000);
    l->at = (l->at + 1) % l->n;
    arm(d);
}

static void lane_failed(struct lane *l, const char *why, uint32_t asked_s)
{
    struct agent_dial *d = l->dial;
    struct lane *other = other_of(l);
    bool probing = is_probe(l);

    if (d->resumed && l == coap_of(d)) {
        resume_failed(d, why);
        return;
    }
    lane_end(l);
    snprintf(l->why, sizeof l->why, "%s", why);
    if (probing) {
        probe_failed(l);
        return;
    }
    d->used = l;
    d->hub = hub_of(l);
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
    const struct lane *coap = coap_of(d);

    if (d->first == coap)
        distrust(d);
    else if (d->coap_ms <= now_of(d))
        d->coap_ms = now_of(d) + AGENT_DIAL_PROBE_FLOOR_MS / 2;
    fed_log(d->ports.log, FED_LOG_WARN, "hub: CoAP does not get through (%s), using %s",
        coap->why[0] ? coap->why : "no answer", hub_of(d->used));
}

/* The hub answered: this lane is the one. */
static void lane_won(struct lane *l, const struct fed_link_hello *hello, struct fed_span items)
{
    struct agent_dial *d = l->dial;
    struct lane *other = other_of(l);

    if (is_probe(l)) {
        fed_log(d->ports.log, FED_LOG_INFO, "hub: CoAP gets through again, moving from %s to %s",
            hub_of(d->used), hub_of(l));
        lane_end(other);
        d->events.down(d->events.ctx);
    }
    if (other->state == LANE_CONNECTING && !other->why[0])
        snprintf(other->why, sizeof other->why, "no answer within %u s",
            AGENT_DIAL_HEAD_START_MS / 1000);
    lane_end(other);
    d->resumed = false;
    l->state = LANE_IN_USE;
    l->why[0] = '\0';
    d->used = l;
    d->hub = hub_of(l);
    d->up_ms = now_of(d);
    d->ready = false;
    enter(d, AGENT_DIAL_IN_USE);
    if (l != coap_of(d) && can_choose(d))
        https_won(d);
    arm(d);
    d->events.up(d->events.ctx, hello, items);
}

static void on_hello(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct lane *l = ctx;
    struct fed_link_hello hello;
    struct fed_span from;
    char text[300];

    if (l->state != LANE_HELLO || err == FED_ERR_CLOSED)
        return; /* closed: down says so */
    if (!err && l == coap_of(l->dial))
        l->dial->resumed = false;
    if (err) {
        lane_failed(l, diag && diag->text[0] ? diag->text : fed_err_text(err), 0);
        return;
    }
    if (message->code == FED_LINK_UNAVAILABLE) {
        lane_failed(l, "it asks to come back later", message->max_age_s ? message->max_age_s : 1);
        return;
    }
    from = message->payload;
    if (message->code == FED_LINK_CONTENT && fed_link_hello_take(&from, &hello) == FED_OK) {
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

static void lane_up(struct lane *l)
{
    struct agent_dial *d = l->dial;
    enum fed_err err;

    if (l->state != LANE_CONNECTING)
        return;
    l->state = LANE_HELLO;
    err = d->events.hello(
        d->events.ctx, l->link, is_probe(l) ? PROBE_TIMEOUT_MS : REQUEST_TIMEOUT_MS, on_hello, l);
    if (err)
        lane_failed(l, fed_err_text(err), 0);
}

/* ---- the session in use ends ---- */

static void lose(struct agent_dial *d, bool silent, const char *why, uint32_t asked_s)
{
    struct lane *l = d->used;
    bool probing = is_under_way(other_of(l));

    judge_coap(d, silent);
    if (now_of(d) - d->up_ms >= STABLE_MS)
        agent_retry_reset(&d->retry);
    snprintf(d->why, sizeof d->why, "%s", why);
    lane_end(l);
    if (!probing || asked_s > 0) {
        pass_end(d, asked_s);
    } else {
        /* A hub that knows of the new session already has ended this one. */
        l->tried = 0;
        l->started = false;
        other_of(l)->started = true;
        d->second_ms = now_of(d) + AGENT_DIAL_HEAD_START_MS;
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
        lane_end(&d->lanes[i]);
    agent_retry_reset(&d->retry);
    d->next_ms = now_of(d);
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

static void lane_down(struct lane *l, enum fed_err err, const struct fed_diag *diag)
{
    const char *why = diag && diag->text[0] ? diag->text : fed_err_text(err);
    enum lane_state was = l->state;

    l->state = LANE_IDLE; /* the link has ended it already */
    if (was == LANE_IN_USE)
        lose(l->dial, err == FED_ERR_TIMEOUT || err == FED_ERR_NETWORK, why, 0);
    else if (was != LANE_IDLE)
        lane_failed(l, why, 0);
}

/* The hub may end the present session as soon as it has the handshake of the new one. */
static void probe(struct agent_dial *d)
{
    if (d->events.may_move(d->events.ctx))
        lane_start(coap_of(d));
    else
        d->coap_ms = now_of(d) + MOVE_AGAIN_MS;
    arm(d);
}

static void on_timer(void *ctx)
{
    struct agent_dial *d = ctx;

    if (d->state == AGENT_DIAL_WAITING)
        pass_begin(d);
    else if (d->state == AGENT_DIAL_DIALING)
        second_start(d);
    else if (d->state == AGENT_DIAL_IN_USE && d->used == coap_of(d))
        lose(d, true, "the bundle did not come in time", 0);
    else if (d->state == AGENT_DIAL_IN_USE && !is_under_way(coap_of(d)))
        probe(d);
}

/* ---- the links' events ---- */

static struct lane *lane_of(void *ctx)
{
    struct agent_dial_end *end = ctx;
    struct agent_dial *d = end->slot->dial;

    return d && d->state != AGENT_DIAL_IDLE ? &d->lanes[end->binding] : NULL;
}

static void on_up(void *ctx)
{
    struct lane *l = lane_of(ctx);

    if (l)
        lane_up(l);
}

static void on_down(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    struct lane *l = lane_of(ctx);

    if (l)
        lane_down(l, err, diag);
}

static void on_notification(void *ctx, const struct fed_link_message *message)
{
    struct lane *l = lane_of(ctx);

    if (l && l->state == LANE_IN_USE)
        l->dial->events.notification(l->dial->events.ctx, message);
}

static void on_partial(void *ctx)
{
    struct lane *l = lane_of(ctx);

    if (l)
        l->dial->events.partial(l->dial->events.ctx);
}

struct fed_link_events agent_dial_link_events(
    struct agent_dial_slot *slot, enum agent_dial_binding binding)
{
    struct agent_dial_end *end = &slot->ends[binding];

    *end = (struct agent_dial_end){.slot = slot, .binding = binding};
    return (struct fed_link_events){.ctx = end,
        .up = on_up,
        .down = on_down,
        .notification = on_notification,
        .partial = on_partial};
}

/* ---- the port of the session in use ---- */

static struct fed_link *link_in_use(void *ctx)
{
    struct agent_dial *d = ctx;

    return d->state == AGENT_DIAL_IN_USE ? d->used->link : NULL;
}

static enum fed_err port_request(void *ctx, enum fed_link_method method, const char *path,
    const char *query, struct fed_span payload, unsigned timeout_ms, fed_link_done *done,
    void *done_ctx)
{
    struct fed_link *link = link_in_use(ctx);

    return link ? link->request(link->ctx, method, path, query, payload, timeout_ms, done, done_ctx)
                : FED_ERR_CLOSED;
}

static enum fed_err port_observe(void *ctx, const char *path, const char *query,
    unsigned timeout_ms, fed_link_done *done, void *done_ctx)
{
    struct fed_link *link = link_in_use(ctx);

    return link ? link->observe(link->ctx, path, query, timeout_ms, done, done_ctx)
                : FED_ERR_CLOSED;
}

static enum fed_err port_ping(void *ctx, unsigned timeout_ms, fed_link_done *done, void *done_ctx)
{
    struct fed_link *link = link_in_use(ctx);

    return link ? link->ping(link->ctx, timeout_ms, done, done_ctx) : FED_ERR_CLOSED;
}

static void port_stats(void *ctx, struct fed_link_stats *out)
{
    struct agent_dial *d = ctx;

    *out = (struct fed_link_stats){0};
    for (size_t i = 0; i < AGENT_DIAL_BINDINGS; i++) {
        struct fed_link *link = d->lanes[i].link;
        struct fed_link_stats one = {0};

        if (link)
            link->stats(link->ctx, &one);
        out->sent_bytes += one.sent_bytes;
        out->received_bytes += one.received_bytes;
        out->sent_datagrams += one.sent_datagrams;
        out->received_datagrams += one.received_datagrams;
    }
}

static enum fed_err port_partial_get(void *ctx, struct fed_buf *out)
{
    struct fed_link *link = coap_of(ctx)->link;

    return link && link->partial_get ? link->partial_get(link->ctx, out) : FED_ERR_NOT_FOUND;
}

static enum fed_err port_partial_set(void *ctx, struct fed_span bytes)
{
    struct fed_link *link = coap_of(ctx)->link;

    return link && link->partial_set ? link->partial_set(link->ctx, bytes) : FED_ERR_UNSUPPORTED;
}

struct fed_link *agent_dial_port(struct agent_dial *d)
{
    return &d->port;
}

/* ---- life ---- */

static bool wants(enum agent_dial_mode mode, bool coap)
{
    return mode == AGENT_DIAL_AUTO || (mode == AGENT_DIAL_COAP_ONLY) == coap;
}

enum fed_err agent_dial_check(const struct agent_dial_options *options, struct fed_diag *diag)
{
    for (size_t i = 0; i < options->n_hubs; i++) {
        if (wants(options->mode, fed_span_starts(fed_span_text(options->hubs[i]), "coaps://")))
            return FED_OK;
    }
    return fed_diag_set(diag, FED_ERR_UNSUPPORTED,
        "no %s address of the hub is known; name one with --hub",
        options->mode == AGENT_DIAL_AUTO         ? "usable"
        : options->mode == AGENT_DIAL_HTTPS_ONLY ? "https://"
                                                 : "coaps://");
}

static void fill_lanes(struct agent_dial *d)
{
    d->lanes[AGENT_DIAL_COAP] = (struct lane){.dial = d, .link = d->ports.coap, .name = "coap"};
    d->lanes[AGENT_DIAL_HTTPS] = (struct lane){.dial = d, .link = d->ports.https, .name = "https"};
    for (size_t i = 0; i < d->options.n_hubs && i < AGENT_HUBS_MAX; i++) {
        bool coap = fed_span_starts(fed_span_text(d->options.hubs[i]), "coaps://");
        struct lane *l = &d->lanes[coap ? AGENT_DIAL_COAP : AGENT_DIAL_HTTPS];

        if (l->link && wants(d->options.mode, coap))
            l->hubs[l->n++] = d->options.hubs[i];
    }
    d->used = coap_of(d)->n > 0 ? coap_of(d) : &d->lanes[AGENT_DIAL_HTTPS];
}

enum fed_err agent_dial_new(const struct agent_ports *ports,
    const struct agent_dial_options *options, const struct agent_dial_events *events,
    struct agent_dial **out)
{
    struct agent_dial *d = fed_alloc_zero(ports->mem, sizeof *d);
    enum fed_err err;

    if (!d)
        return FED_ERR_NOMEM;
    d->ports = *ports;
    d->options = *options;
    d->events = *events;
    d->second_ms = NEVER;
    fill_lanes(d);
    d->port = (struct fed_link){.ctx = d,
        .request = port_request,
        .observe = port_observe,
        .ping = port_ping,
        .stats = port_stats,
        .partial_get = port_partial_get,
        .partial_set = port_partial_set};
    err = d->used->n > 0 ? FED_OK : FED_ERR_UNSUPPORTED;
    if (!err)
        err = ports->loop->timer_new(ports->loop->ctx, on_timer, d, &d->timer);
    if (err) {
        fed_alloc_free(ports->mem, d, sizeof *d);
        return err;
    }
    *out = d;
    return FED_OK;
}

void agent_dial_start(struct agent_dial *d)
{
    if (d->state == AGENT_DIAL_IDLE && !resume(d))
        pass_begin(d);
}

void agent_dial_stop(struct agent_dial *d)
{
    d->state = AGENT_DIAL_IDLE;
    for (size_t i = 0; i < AGENT_DIAL_BINDINGS; i++)
        lane_end(&d->lanes[i]);
    agent_timer_stop(&d->ports, d->timer);
}

void agent_dial_suspend(struct agent_dial *d, uint32_t heartbeat_ms)
{
    struct agent_session_of of = {
        .identity = d->options.identity, .hubs = d->options.hubs, .n_hubs = d->options.n_hubs};
    struct agent_ports ports = d->ports;
    bool in_use = d->state == AGENT_DIAL_IN_USE;

    d->state = AGENT_DIAL_IDLE;
    for (size_t i = 0; in_use && i < d->options.n_hubs; i++) {
        if (d->options.hubs[i] != hub_of(d->used))
            continue;
        ports.link = d->used->link;
        d->used->state = LANE_IDLE; /* ended in any case */
        agent_session_keep(&ports, d->options.session, &of, i, heartbeat_ms);
        break;
    }
    agent_dial_stop(d);
}

void agent_dial_free(struct agent_dial *d)
{
    if (!d)
        return;
    agent_dial_stop(d);
    d->ports.loop->timer_free(d->ports.loop->ctx, d->timer);
    fed_alloc_free(d->ports.mem, d, sizeof *d);
}

static int64_t unix_at(const struct agent_dial *d, uint64_t due_ms)
{
    uint64_t left_ms = due_ms > now_of(d) ? due_ms - now_of(d) : 0;

    return fed_loop_unix_s(d->ports.loop) + (int64_t)((left_ms + 999) / 1000);
}

void agent_dial_status(const struct agent_dial *d, struct agent_dial_status *out)
{
    *out = (struct agent_dial_status){.state = d->state,
        .hub = d->hub ? d->hub : hub_of(d->used),
        .link = d->used->name,
        .why = d->why};
    if (d->state == AGENT_DIAL_WAITING)
        out->next_try_unix_s = unix_at(d, d->next_ms);
    if (agent_dial_is_https(d) && can_choose(d))
        out->coap_try_unix_s = unix_at(d, d->coap_ms);
}
