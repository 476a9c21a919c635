/* dial_life.c - choosing: what the links tell, the port of the session in use, life. */
#include "agent/dial_inner.h"

#include <string.h>

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

/* ---- certificates ---- */

static enum fed_err present_of(const struct agent_dial *d, struct fed_digest *out)
{
    return fed_digest_of(fed_span_text(d->options.identity->certificate), out);
}

enum fed_err agent_lane_certify(struct agent_lane *l)
{
    return present_of(l->dial, &l->certificate);
}

bool agent_lane_is_present(const struct agent_lane *l)
{
    struct fed_digest present;

    return present_of(l->dial, &present) == FED_OK &&
           memcmp(&present, &l->certificate, sizeof present) == 0;
}

/* ---- the links' events ---- */

static struct agent_lane *lane_of(void *ctx)
{
    struct agent_dial_end *end = ctx;
    struct agent_dial *d = end->slot->dial;

    return d && d->state != AGENT_DIAL_IDLE ? &d->lanes[end->binding] : NULL;
}

static void on_up(void *ctx)
{
    struct agent_lane *l = lane_of(ctx);

    if (l)
        agent_lane_up(l);
}

static void on_down(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    struct agent_lane *l = lane_of(ctx);

    if (l)
        agent_lane_down(l, err, diag);
}

static void on_notification(void *ctx, const struct fed_link_message *message)
{
    struct agent_lane *l = lane_of(ctx);

    if (l && l->state == AGENT_LANE_IN_USE)
        l->dial->events.notification(l->dial->events.ctx, message);
}

static void on_partial(void *ctx)
{
    struct agent_lane *l = lane_of(ctx);

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

/* What came by the binding in use, else by any. */
static enum fed_err port_partial_get(void *ctx, struct fed_buf *out)
{
    struct fed_link *used = link_in_use(ctx);
    struct agent_dial *d = ctx;
    enum fed_err err =
        used && used->partial_get ? used->partial_get(used->ctx, out) : FED_ERR_NOT_FOUND;

    for (size_t i = 0; err == FED_ERR_NOT_FOUND && i < AGENT_DIAL_BINDINGS; i++) {
        struct fed_link *link = d->lanes[i].link;

        if (link && link != used && link->partial_get)
            err = link->partial_get(link->ctx, out);
    }
    return err;
}

/* Each binding knows its own bytes; no bytes are for both. */
static enum fed_err port_partial_set(void *ctx, struct fed_span bytes)
{
    struct agent_dial *d = ctx;
    enum fed_err err = FED_ERR_UNSUPPORTED;

    for (size_t i = 0; i < AGENT_DIAL_BINDINGS; i++) {
        struct fed_link *link = d->lanes[i].link;

        if (link && link->partial_set && (err == FED_ERR_UNSUPPORTED || bytes.len == 0))
            err = link->partial_set(link->ctx, bytes);
    }
    return err;
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
    d->lanes[AGENT_DIAL_COAP] =
        (struct agent_lane){.dial = d, .link = d->ports.coap, .name = "coap"};
    d->lanes[AGENT_DIAL_HTTPS] =
        (struct agent_lane){.dial = d, .link = d->ports.https, .name = "https"};
    for (size_t i = 0; i < d->options.n_hubs && i < AGENT_HUBS_MAX; i++) {
        bool coap = fed_span_starts(fed_span_text(d->options.hubs[i]), "coaps://");
        struct agent_lane *l = &d->lanes[coap ? AGENT_DIAL_COAP : AGENT_DIAL_HTTPS];

        if (l->link && wants(d->options.mode, coap))
            l->hubs[l->n++] = d->options.hubs[i];
    }
    d->used = agent_dial_coap(d)->n > 0 ? agent_dial_coap(d) : &d->lanes[AGENT_DIAL_HTTPS];
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
    d->second_ms = AGENT_DIAL_NEVER;
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
        err = ports->loop->timer_new(ports->loop->ctx, agent_dial_on_timer, d, &d->timer);
    if (err) {
        fed_alloc_free(ports->mem, d, sizeof *d);
        return err;
    }
    *out = d;
    return FED_OK;
}

void agent_dial_start(struct agent_dial *d)
{
    if (d->state == AGENT_DIAL_IDLE)
        agent_dial_begin(d);
}

void agent_dial_stop(struct agent_dial *d)
{
    d->state = AGENT_DIAL_IDLE;
    for (size_t i = 0; i < AGENT_DIAL_BINDINGS; i++)
        agent_lane_end(&d->lanes[i]);
    agent_timer_stop(&d->ports, d->timer);
}

void agent_dial_suspend(struct agent_dial *d, uint32_t heartbeat_ms)
{
    struct agent_session_of of = {
        .identity = d->options.identity, .hubs = d->options.hubs, .n_hubs = d->options.n_hubs};
    struct agent_ports ports = d->ports;
    /* One of the certificate of before is not gone on with: the next start makes one of the new. */
    bool in_use = d->state == AGENT_DIAL_IN_USE && agent_lane_is_present(d->used);

    d->state = AGENT_DIAL_IDLE;
    for (size_t i = 0; in_use && i < d->options.n_hubs; i++) {
        if (d->options.hubs[i] != agent_lane_hub(d->used))
            continue;
        ports.link = d->used->link;
        d->used->state = AGENT_LANE_IDLE; /* ended in any case */
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
    uint64_t left_ms = due_ms > agent_dial_now(d) ? due_ms - agent_dial_now(d) : 0;

    return fed_loop_unix_s(d->ports.loop) + (int64_t)((left_ms + 999) / 1000);
}

void agent_dial_status(const struct agent_dial *d, struct agent_dial_status *out)
{
    *out = (struct agent_dial_status){.state = d->state,
        .hub = d->hub ? d->hub : agent_lane_hub(d->used),
        .link = d->used->name,
        .why = d->why,
        .counts = d->counts};
    if (d->state == AGENT_DIAL_WAITING)
        out->next_try_unix_s = unix_at(d, d->next_ms);
    if (agent_dial_is_https(d) && agent_dial_can_choose(d))
        out->coap_try_unix_s = unix_at(d, d->coap_ms);
}

void agent_dial_hubs(struct agent_dial *d, const char (*hubs)[281], size_t n)
{
    d->options.hubs = hubs;
    d->options.n_hubs = n;
    agent_dial_again(d, "other addresses are configured"); /* every lane has ended */
    fill_lanes(d);
    d->first = d->used;
    d->hub = NULL;
    d->resumed = false;
    d->second_ms = AGENT_DIAL_NEVER;
    d->coap_wait_ms = 0;
}

bool agent_dial_is_stuck(const struct agent_dial *d, uint64_t by_ms)
{
    uint64_t now_ms = agent_dial_now(d);

    if (d->state == AGENT_DIAL_WAITING)
        return d->next_ms + by_ms < now_ms;
    return d->state == AGENT_DIAL_DIALING && d->moved_ms + by_ms < now_ms;
}
