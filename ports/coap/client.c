/* client.c - see ports/link.h, agent side: one session at a time, driven by the loop through
 * libcoap's epoll descriptor (which holds libcoap's timer too, so nothing wakes an idle agent) and
 * one timer of our own.
 *
 * libcoap calls us while it walks its own lists. There a session may be given up but not freed, and
 * the end of a session is told from the timer, when nothing is on the stack. */
#include "ports/coap/client.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- time ---- */

void fed_coap_client_arm(struct fed_coap_client *client)
{
    uint64_t due_ms = fed_coap_requests_due(client);

    if (client->state == FED_COAP_CONNECTING && client->deadline_ms < due_ms)
        due_ms = client->deadline_ms;
    if (client->state == FED_COAP_FAILED)
        due_ms = 0;
    if (due_ms == UINT64_MAX)
        client->loop->timer_stop(client->loop->ctx, client->timer);
    else
        client->loop->timer_set(client->loop->ctx, client->timer, due_ms);
}

void fed_coap_client_fail(struct fed_coap_client *client, enum fed_err err, const char *format, ...)
{
    va_list args;

    if (client->state != FED_COAP_CONNECTING && client->state != FED_COAP_UP)
        return;
    va_start(args, format);
    vsnprintf(client->down_diag.text, sizeof(client->down_diag.text), format, args);
    va_end(args);
    client->down_err = err;
    client->state = FED_COAP_FAILED;
    fed_coap_client_arm(client);
}

/* ---- the end of a session ---- */

static void context_free(struct fed_coap_client *client)
{
    coap_context_t *context = client->context;

    if (!context)
        return;
    client->loop->watch_free(client->loop->ctx, client->watch);
    client->watch = NULL;
    client->context = NULL;
    client->session = NULL;
    if (context == client->in_io) {
        client->free_after_io = true;
        return;
    }
    coap_free_context(context); /* and its session: sends close_notify */
}

static void session_end(struct fed_coap_client *client, enum fed_err err, const char *why)
{
    context_free(client);
    client->state = FED_COAP_CLOSED;
    client->observation.active = false;
    fed_coap_requests_end(client, err, why);
}

static void session_report_down(struct fed_coap_client *client)
{
    enum fed_err err = client->down_err;
    struct fed_diag diag = client->down_diag;

    session_end(client, FED_ERR_CLOSED, diag.text);
    fed_coap_client_arm(client);
    client->events.down(client->events.ctx, err, &diag);
}

/* ---- the loop ---- */

static void check_up(struct fed_coap_client *client)
{
    if (client->state != FED_COAP_CONNECTING ||
        coap_session_get_state(client->session) != COAP_SESSION_STATE_ESTABLISHED)
        return;
    client->state = FED_COAP_UP;
    fed_coap_client_arm(client);
    client->events.up(client->events.ctx);
}

static void on_ready(void *ctx, unsigned events)
{
    struct fed_coap_client *client = ctx;

    (void)events;
    client->in_io = client->context;
    coap_io_process(client->context, COAP_IO_NO_WAIT);
    if (client->free_after_io)
        coap_free_context(client->in_io);
    client->free_after_io = false;
    client->in_io = NULL;
    if (client->state == FED_COAP_CONNECTING || client->state == FED_COAP_UP) {
        check_up(client);
        fed_coap_client_arm(client);
    }
}

static void on_timer(void *ctx)
{
    struct fed_coap_client *client = ctx;

    if (client->state == FED_COAP_CONNECTING &&
        client->deadline_ms <= fed_loop_now_ms(client->loop))
        fed_coap_client_dtls_failed(client, true);
    if (client->state == FED_COAP_FAILED) {
        session_report_down(client);
        return;
    }
    fed_coap_requests_run(client);
    fed_coap_client_arm(client);
}

static int on_event(coap_session_t *session, const coap_event_t event)
{
    struct fed_coap_client *client = coap_session_get_app_data(session);

    if (client && event == COAP_EVENT_MSG_RETRANSMITTED)
        client->retransmits++;
    return 0;
}

/* ---- connecting ---- */

static bool literal(const char *host, uint16_t port, coap_address_t *out)
{
    coap_address_init(out);
    if (inet_pton(AF_INET, host, &out->addr.sin.sin_addr) == 1) {
        out->addr.sin.sin_family = AF_INET;
        out->size = sizeof(out->addr.sin);
    } else if (inet_pton(AF_INET6, host, &out->addr.sin6.sin6_addr) == 1) {
        out->addr.sin6.sin6_family = AF_INET6;
        out->size = sizeof(out->addr.sin6);
    } else {
        return false;
    }
    coap_address_set_port(out, port);
    return true;
}

/* A literal address needs nobody; a name asks the system's resolver and waits for it. */
static enum fed_err resolve(struct fed_coap_client *client, const char *host, uint16_t port,
    coap_address_t *out, struct fed_diag *diag)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    int code;

    if (literal(host, port, out))
        return FED_OK;
    code = getaddrinfo(host, NULL, &hints, &found);
    if (code)
        return fed_diag_set(diag, FED_ERR_NETWORK, "%s: the name cannot be resolved: %s",
            client->peer, gai_strerror(code));
    coap_address_init(out);
    out->size = found->ai_addrlen;
    memcpy(&out->addr, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    coap_address_set_port(out, port);
    return FED_OK;
}

static enum fed_err context_new(struct fed_coap_client *client, struct fed_diag *diag)
{
    client->context = coap_new_context(NULL);
    if (!client->context)
        return fed_diag_set(diag, FED_ERR_NOMEM, "%s: out of memory", client->peer);
    coap_context_set_block_mode(client->context, 0);
    coap_register_response_handler(client->context, fed_coap_client_response);
    coap_register_nack_handler(client->context, fed_coap_client_nack);
    coap_register_event_handler(client->context, on_event);
    return FED_OK;
}

static void session_tune(struct fed_coap_client *client)
{
    coap_session_t *session = client->session;

    coap_session_set_app_data(session, client);
    coap_session_set_mtu(session, FED_COAP_CLIENT_MTU);
    coap_session_set_nstart(session, FED_COAP_CLIENT_NSTART);
    coap_session_set_max_retransmit(session, FED_COAP_CLIENT_RETRANSMIT);
    coap_session_set_ack_timeout(session, (coap_fixed_point_t){FED_COAP_CLIENT_ACK_MS / 1000, 0});
    coap_session_set_ack_random_factor(session, (coap_fixed_point_t){1, 500});
}

static enum fed_err session_open(struct fed_coap_client *client, const coap_address_t *address,
    const struct fed_link_client_identity *identity, struct fed_diag *diag)
{
    enum fed_err err = context_new(client, diag);

    if (!err)
        err = fed_coap_client_dtls_open(client, address, identity, diag);
    if (!err)
        err = client->loop->watch_new(client->loop->ctx, coap_context_get_coap_fd(client->context),
            FED_LOOP_READ, on_ready, client, &client->watch);
    if (err) {
        context_free(client);
        return err;
    }
    session_tune(client);
    return FED_OK;
}

static enum fed_err client_connect(void *ctx, const char *host, uint16_t port,
    const struct fed_link_client_identity *identity, unsigned timeout_ms, struct fed_diag *diag)
{
    struct fed_coap_client *client = ctx;
    uint64_t now_ms = fed_loop_now_ms(client->loop);
    coap_address_t address;
    enum fed_err err;

    if (client->state != FED_COAP_CLOSED)
        return fed_diag_set(diag, FED_ERR_BUSY, "there is a session already");
    if (identity->psk_identity ? identity->psk_key.len == 0
                               : identity->cert_pem.len == 0 || identity->ca_pem.len == 0)
        return fed_diag_set(diag, FED_ERR_INVALID, "neither a certificate with its CA nor a token");
    snprintf(client->peer, sizeof(client->peer), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
        (unsigned)port);
    err = resolve(client, host, port, &address, diag);
    if (err)
        return err;
    client->received_before = client->stats.received_datagrams;
    client->timeout_ms = timeout_ms;
    client->srtt_ms = 0;
    client->rttvar_ms = 0;
    err = session_open(client, &address, identity, diag);
    if (err)
        return err;
    client->state = FED_COAP_CONNECTING;
    client->heard_ms = now_ms;
    client->deadline_ms = now_ms + timeout_ms;
    fed_coap_client_arm(client);
    return FED_OK;
}

static void client_disconnect(void *ctx)
{
    struct fed_coap_client *client = ctx;

    session_end(client, FED_ERR_CLOSED, "disconnected");
    fed_coap_client_arm(client);
}

static void client_stats(void *ctx, struct fed_link_stats *out)
{
    const struct fed_coap_client *client = ctx;

    *out = client->stats;
}

/* ---- making and ending ---- */

enum fed_err fed_coap_client_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    const struct fed_link_events *events, struct fed_coap_client **out, struct fed_diag *diag)
{
    struct fed_coap_client *client = fed_alloc_zero(mem, sizeof(*client));

    if (!client)
        return fed_diag_set(diag, FED_ERR_NOMEM, "CoAP client: out of memory");
    client->mem = mem;
    client->loop = loop;
    client->log = log;
    client->events = *events;
    if (loop->timer_new(loop->ctx, on_timer, client, &client->timer)) {
        fed_alloc_free(mem, client, sizeof(*client));
        return fed_diag_set(diag, FED_ERR_NOMEM, "CoAP client: out of memory");
    }
    coap_startup();
    coap_set_log_level(COAP_LOG_EMERG); /* what matters is told through down and done */
    client->port = (struct fed_link){.ctx = client,
        .connect = client_connect,
        .disconnect = client_disconnect,
        .request = fed_coap_client_request,
        .observe = fed_coap_client_observe,
        .ping = fed_coap_client_ping,
        .stats = client_stats,
        .partial_get = fed_coap_partial_get,
        .partial_set = fed_coap_partial_set};
    *out = client;
    return FED_OK;
}

void fed_coap_client_close(struct fed_coap_client *client)
{
    if (!client)
        return;
    session_end(client, FED_ERR_CLOSED, "closed");
    fed_coap_kept_drop(client);
    client->loop->timer_free(client->loop->ctx, client->timer);
    fed_alloc_free(client->mem, client, sizeof(*client));
}

struct fed_link *fed_coap_client_port(struct fed_coap_client *client)
{
    return &client->port;
}
