/* check_hub.c - the way to the hub: names (dns), datagrams and what is in them (udp, dtls), TCP and
 * what is in it (tcp, tls), and whether the hub takes the certificate. See check.h. */
#include "agent/check.h"

#include <stdio.h>
#include <string.h>

/* ---- names ---- */

static void next_name(struct agent_checks *c);

static void gather_hubs(struct agent_checks *c)
{
    struct agent_dial_options of = {0};

    if (c->token && !c->w->config.n_hubs) {
        for (size_t i = 0; i < c->token->n_addresses && c->n_hubs < AGENT_HUBS_MAX; i++)
            c->hubs[c->n_hubs++] = c->token->addresses[i];
        return;
    }
    agent_world_hubs(c->w, &c->w->config, &of);
    for (size_t i = 0; i < of.n_hubs && c->n_hubs < AGENT_HUBS_MAX; i++)
        c->hubs[c->n_hubs++] = of.hubs[i];
}

static void on_resolved(void *ctx, enum fed_err err, const struct fed_resolve_address *addresses,
    size_t n, const struct fed_diag *diag)
{
    struct agent_checks *c = ctx;
    unsigned long took_ms = (unsigned long)(fed_loop_now_ms(c->w->ports.loop) - c->began_ms);

    (void)addresses;
    c->resolve = NULL;
    if (err)
        agent_check_say(c, NULL, AGENT_CHECK_FAIL,
            "repair DNS (/etc/resolv.conf), or name an address: --hub", "%s: %s", c->address.host,
            diag ? diag->text : fed_err_text(err));
    else
        agent_check_say(c, NULL, AGENT_CHECK_OK, NULL, "%s has %zu addresses (%lu ms)",
            c->address.host, n, took_ms);
    c->hub++;
    next_name(c);
}

static void name_late(struct agent_checks *c)
{
    struct fed_diag diag;

    fed_resolve_cancel(c->resolve);
    fed_diag_set(&diag, FED_ERR_TIMEOUT, "no answer within %u ms", AGENT_CHECK_HUB_MS);
    on_resolved(c, FED_ERR_TIMEOUT, NULL, 0, &diag);
}

static bool seen_before(const struct agent_checks *c)
{
    struct fed_link_address other;

    for (size_t i = 0; i < c->hub; i++)
        if (fed_link_address_parse(fed_span_text(c->hubs[i]), &other, NULL) == FED_OK &&
            strcmp(other.host, c->address.host) == 0)
            return true;
    return false;
}

static void next_name(struct agent_checks *c)
{
    struct fed_resolve_address literal;
    struct fed_diag diag = {""};

    for (; c->hub < c->n_hubs; c->hub++) {
        if (fed_link_address_parse(fed_span_text(c->hubs[c->hub]), &c->address, NULL) ||
            seen_before(c))
            continue;
        if (fed_resolve_literal(c->address.host, &literal)) {
            agent_check_say(
                c, NULL, AGENT_CHECK_OK, NULL, "%s is an address, no name", c->address.host);
            continue;
        }
        c->began_ms = fed_loop_now_ms(c->w->ports.loop);
        if (fed_resolve_start(c->w->mem, c->w->ports.loop, c->address.host, on_resolved, c,
                &c->resolve, &diag) == FED_OK) {
            agent_check_within(c, AGENT_CHECK_HUB_MS, name_late);
            return;
        }
        agent_check_say(c, NULL, AGENT_CHECK_FAIL, NULL, "%s: %s", c->address.host, diag.text);
    }
    agent_check_next(c);
}

void agent_check_names(struct agent_checks *c)
{
    gather_hubs(c);
    if (c->n_hubs == 0)
        agent_check_say(
            c, NULL, AGENT_CHECK_SKIPPED, NULL, "no address of the hub is known: give a token");
    next_name(c);
}

/* ---- sessions ---- */

static const char rejoin[] = "`fedlet join --again` with a new token";

static void next_hub(struct agent_checks *c);

static const char *hub_of(const struct agent_checks *c)
{
    return c->hubs[c->hub];
}

static void end_hub(struct agent_checks *c)
{
    c->link->disconnect(c->link->ctx);
    c->link = NULL;
    agent_timer_stop(&c->w->ports, c->timer);
    c->hub++;
    next_hub(c);
}

/* From a timer, so that no link is ended from inside its own callback. */
static void end_soon(struct agent_checks *c)
{
    agent_check_within(c, 0, end_hub);
}

/* A name that a clock has: what is wrong with certificates is often the time. */
static const char *remedy_of_certificates(const struct agent_checks *c, const char *why)
{
    if (strstr(why, "not valid before") || strstr(why, "expired on"))
        return "set the clock, here or at the hub";
    return !c->token ? rejoin : "make another token: `fedctl token create`";
}

/* The layer below the session: a datagram, or a connection. */
static void say_way(struct agent_checks *c, bool through, const char *why)
{
    bool coap = c->address.coap;

    c->n_through += through;
    c->by_coap = c->by_coap || (through && coap);
    if (through)
        agent_check_say(c, coap ? "udp" : "tcp", AGENT_CHECK_OK, NULL, "%s answers", hub_of(c));
    else
        agent_check_say(c, coap ? "udp" : "tcp", coap ? AGENT_CHECK_WARN : AGENT_CHECK_FAIL,
            coap ? "let UDP out to this port; until then HTTPS is used"
                 : "let TCP out to this port, or name a --proxy",
            "%s: %s", hub_of(c), why);
}

static bool answers(enum fed_err err, const char *why)
{
    return err == FED_ERR_TLS || err == FED_ERR_UNAUTHENTICATED || err == FED_ERR_FORBIDDEN ||
           strstr(why, "the hub answers") || strstr(why, "the hub closed");
}

static void on_down(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    struct agent_checks *c = ctx;
    const char *why = diag && diag->text[0] ? diag->text : fed_err_text(err);
    bool through = answers(err, why);

    if (!c->link)
        return;
    say_way(c, through, why);
    if (through)
        agent_check_say(c, c->address.coap ? "dtls" : "tls", AGENT_CHECK_FAIL,
            remedy_of_certificates(c, why), "%s: %s", hub_of(c), why);
    else
        agent_check_say(c, c->address.coap ? "dtls" : "tls", AGENT_CHECK_SKIPPED, NULL,
            "%s: nothing to speak with", hub_of(c));
    end_soon(c);
}

/* What an agent may ask at any time, and changes nothing: whether the hub takes this certificate.
 */
static void on_kinds(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent_checks *c = ctx;
    int len;

    if (err) {
        agent_check_say(c, "certificate", AGENT_CHECK_WARN, "look at MTU and firewall", "%s: %s",
            hub_of(c), diag && diag->text[0] ? diag->text : fed_err_text(err));
    } else if (message->code / 100 == 2) {
        agent_check_say(c, "certificate", AGENT_CHECK_OK, NULL, "%s takes it", hub_of(c));
    } else {
        len = message->payload.len > 300 ? 300 : (int)message->payload.len;
        agent_check_say(c, "certificate",
            message->code == FED_LINK_UNAVAILABLE ? AGENT_CHECK_WARN : AGENT_CHECK_FAIL,
            message->code == FED_LINK_UNAVAILABLE ? "wait: the hub asks for time" : rejoin,
            "%s answers %u.%02u: %.*s", hub_of(c), message->code / 100, message->code % 100, len,
            (const char *)message->payload.at);
    }
    end_soon(c);
}

static void on_up(void *ctx)
{
    struct agent_checks *c = ctx;
    unsigned long took_ms;

    if (!c->link)
        return;
    took_ms = (unsigned long)(fed_loop_now_ms(c->w->ports.loop) - c->began_ms);
    say_way(c, true, "");
    agent_check_say(c, c->address.coap ? "dtls" : "tls", AGENT_CHECK_OK, NULL,
        c->address.coap && c->token ? "%s knows the token (handshake %lu ms)"
                                    : "%s is of the pinned CA (handshake %lu ms)",
        hub_of(c), took_ms);
    /* A session in which an agent asked for something takes the place of its older one. */
    if (c->token || agent_check_connected(c)) {
        end_soon(c);
        return;
    }
    if (c->link->request(c->link->ctx, FED_LINK_GET, FED_LINK_PATH_KINDS, NULL,
            (struct fed_span){0}, AGENT_CHECK_HUB_MS, on_kinds, c))
        end_soon(c);
}

static void on_notification(void *ctx, const struct fed_link_message *message)
{
    (void)ctx;
    (void)message;
}

struct fed_link_events agent_check_link_events(struct agent_checks *c)
{
    return (struct fed_link_events){
        .ctx = c, .up = on_up, .down = on_down, .notification = on_notification};
}

static enum fed_err connect_to(struct agent_checks *c, struct fed_diag *diag)
{
    struct agent_world *w = c->w;
    struct fed_link_client_identity identity = {.cert_pem = fed_span_text(w->identity.certificate),
        .key_pem = fed_buf_span(&w->key_pem),
        .ca_pem = fed_span_text(w->identity.ca)};

    if (c->token && c->address.coap)
        identity = (struct fed_link_client_identity){.psk_identity = c->token->id,
            .psk_key = fed_span_of(c->token->secret, sizeof c->token->secret)};
    else if (c->token)
        identity = (struct fed_link_client_identity){.ca_pin = &c->token->pin};
    return c->link->connect(
        c->link->ctx, c->address.host, c->address.port, &identity, AGENT_CHECK_HUB_MS, diag);
}

static bool begin_hub(struct agent_checks *c)
{
    const char *id;
    struct fed_diag diag = {""};

    if (fed_link_address_parse(fed_span_text(hub_of(c)), &c->address, NULL))
        return false;
    id = c->address.coap ? "dtls" : "tls";
    c->link = c->address.coap ? c->w->ports.coap : c->w->ports.https;
    if (agent_check_connected(c) && strcmp(agent_check_status(c, "hub", NULL), hub_of(c)) == 0) {
        c->n_through++;
        c->by_coap = c->by_coap || c->address.coap;
        agent_check_say(c, id, AGENT_CHECK_OK, NULL, "%s is in use by the service", hub_of(c));
        return false;
    }
    if (!c->link) {
        agent_check_say(
            c, id, AGENT_CHECK_SKIPPED, NULL, "%s: not used, as --link says", hub_of(c));
        return false;
    }
    c->began_ms = fed_loop_now_ms(c->w->ports.loop);
    if (connect_to(c, &diag) == FED_OK)
        return true;
    agent_check_say(c, id, AGENT_CHECK_FAIL, NULL, "%s: %s", hub_of(c), diag.text);
    return false;
}

static void next_hub(struct agent_checks *c)
{
    while (c->hub < c->n_hubs) {
        if (begin_hub(c))
            return;
        c->link = NULL;
        c->hub++;
    }
    if (c->n_hubs > 0 && c->n_through == 0)
        agent_check_say(c, NULL, AGENT_CHECK_FAIL,
            "what the layers above say; and does the hub run?", "no address of the hub answers");
    agent_check_next(c);
}

void agent_check_hubs(struct agent_checks *c)
{
    c->hub = 0;
    if (!c->joined && !c->token) {
        if (c->n_hubs > 0)
            agent_check_say(c, NULL, AGENT_CHECK_SKIPPED, NULL, "no token, and not joined");
        c->n_hubs = 0;
    }
    next_hub(c);
}
