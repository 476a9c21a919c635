/* server.c - the hub's side of ports/link.h on ports/dtls: opening, one timer for all peers, and
 * the way between both layers' events. */
#include "ports/coap/server.h"

#include <sys/random.h>

#define SESSIONS_DEFAULT 20000u
#define HANDSHAKES_DEFAULT 1000u
#define IDLE_DEFAULT_MS 600000u
#define HANDSHAKE_SHARE 75u /* per cent of a core; the rest is for those who are connected */
#define COOKIE_SHARE 10u    /* enough for 10,000 a second */

/* ---- one timer ---- */

void fed_coap_server_arm(struct fed_link_server *server)
{
    const struct fed_coap_due_item *first = fed_coap_due_first(&server->due);

    if (first)
        server->loop->timer_set(server->loop->ctx, server->timer, first->due_ms);
    else
        server->loop->timer_stop(server->loop->ctx, server->timer);
}

static void on_timer(void *ctx)
{
    struct fed_link_server *server = ctx;
    uint64_t now_ms = fed_loop_now_ms(server->loop);
    struct fed_coap_due_item *first;

    while ((first = fed_coap_due_first(&server->due)) && first->due_ms <= now_ms)
        fed_coap_peer_due((struct fed_link_session *)first);
    fed_coap_server_arm(server);
}

/* xorshift64*: spreads retries, guards nothing. */
uint32_t fed_coap_server_random(struct fed_link_server *server)
{
    uint64_t x = server->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    server->random = x;
    return (uint32_t)(x * 0x2545f4914f6cdd1dull >> 32);
}

enum fed_err fed_coap_server_init(struct fed_link_server *server, struct fed_alloc *mem,
    struct fed_loop *loop, struct fed_log *log, const struct fed_link_server_events *events,
    const struct fed_coap_transport *transport)
{
    *server = (struct fed_link_server){
        .mem = mem, .loop = loop, .log = log, .events = *events, .transport = transport};
    fed_coap_due_init(&server->due, mem);
    if (getrandom(&server->random, sizeof(server->random), GRND_NONBLOCK) !=
        (ssize_t)sizeof(server->random))
        server->random = fed_loop_now_ms(loop);
    server->random |= 1; /* never zero */
    return loop->timer_new(loop->ctx, on_timer, server, &server->timer);
}

void fed_coap_server_fini(struct fed_link_server *server)
{
    while (server->sessions)
        fed_coap_peer_free(server->sessions);
    while (server->orphans)
        fed_coap_exchange_free(server->orphans);
    fed_coap_due_fini(&server->due);
    server->loop->timer_free(server->loop->ctx, server->timer);
}

/* ---- from and to the session layer ---- */

static enum fed_err dtls_send(void *session, struct fed_span record)
{
    return fed_dtls_send(session, record);
}

static void dtls_close(void *session)
{
    fed_dtls_session_close(session);
}

static void dtls_stats(const void *session, struct fed_link_stats *out)
{
    struct fed_dtls_session_stats stats;

    fed_dtls_session_stats(session, &stats);
    *out = (struct fed_link_stats){.sent_bytes = stats.sent_bytes,
        .received_bytes = stats.received_bytes,
        .sent_datagrams = stats.sent_datagrams,
        .received_datagrams = stats.received_datagrams};
}

static const struct fed_coap_transport dtls_transport = {
    .send = dtls_send, .close = dtls_close, .stats = dtls_stats};

static void on_opened(void *ctx, struct fed_dtls_session *session, const struct fed_dtls_peer *peer)
{
    struct fed_link_server *server = ctx;
    struct fed_link_session *s = fed_coap_peer_new(server, session);
    struct fed_link_peer facts = {.cert = peer->cert,
        .psk_identity = peer->psk_identity,
        .recall_id = peer->recall_id,
        .recall = peer->recall,
        .address = fed_dtls_session_address(session)};

    if (!s) {
        fed_log(server->log, FED_LOG_ERROR, "coap: out of memory, closing the session of %s",
            facts.address);
        fed_dtls_session_close(session);
        return;
    }
    fed_dtls_session_set_user(session, s);
    fed_coap_peer_enter(s);
    server->events.opened(server->events.ctx, s, &facts);
    fed_coap_peer_leave(s);
}

static void on_received(void *ctx, struct fed_dtls_session *session, struct fed_span record)
{
    struct fed_link_session *s = fed_dtls_session_user(session);

    (void)ctx;
    if (s)
        fed_coap_peer_received(s, record);
}

static void on_moved(void *ctx, struct fed_dtls_session *session, bool proven)
{
    struct fed_link_session *s = fed_dtls_session_user(session);

    (void)ctx;
    if (s && !s->closed)
        fed_coap_outgoing_moved(s, proven);
}

static void on_closed(void *ctx, struct fed_dtls_session *session, const char *why)
{
    struct fed_link_server *server = ctx;
    struct fed_link_session *s = fed_dtls_session_user(session);

    if (!s || s->closed)
        return;
    s->closed = true; /* nothing can be sent any more */
    fed_coap_peer_enter(s);
    server->events.closed(server->events.ctx, s, why);
    fed_coap_peer_leave(s);
}

static enum fed_err on_recall(void *ctx, struct fed_span id, struct fed_buf *recall)
{
    struct fed_link_server *server = ctx;

    return server->events.recall(server->events.ctx, id, recall);
}

static enum fed_err on_psk(void *ctx, struct fed_span identity, struct fed_buf *key)
{
    struct fed_link_server *server = ctx;

    return server->events.psk(server->events.ctx, identity, key);
}

/* ---- the contract ---- */

void fed_link_session_set_user(struct fed_link_session *session, void *user)
{
    session->user = user;
}

void *fed_link_session_user(const struct fed_link_session *session)
{
    return session->user;
}

void fed_link_session_close(struct fed_link_session *session)
{
    if (session->closed)
        return;
    session->server->transport->close(session->transport);
    fed_coap_peer_free(session);
}

void fed_link_session_stats(const struct fed_link_session *session, struct fed_link_stats *out)
{
    session->server->transport->stats(session->transport, out);
}

enum fed_err fed_coap_server_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    const struct fed_link_server_options *options, const struct fed_link_server_events *events,
    struct fed_link_server **out, struct fed_diag *diag)
{
    struct fed_link_server *server = fed_alloc_get(mem, sizeof(*server));
    struct fed_dtls_options dtls = {.listen = options->listen,
        .cert_pem = options->cert_pem,
        .key_pem = options->key_pem,
        .client_ca_pem = options->client_ca_pem,
        .sessions_max = options->sessions_max ? options->sessions_max : SESSIONS_DEFAULT,
        .handshakes_max = options->handshakes_max ? options->handshakes_max : HANDSHAKES_DEFAULT,
        .handshake_share = HANDSHAKE_SHARE,
        .cookie_share = COOKIE_SHARE,
        .session_idle_ms = options->session_idle_ms ? options->session_idle_ms : IDLE_DEFAULT_MS,
        .fd = options->fd,
        .steer_index = options->steer_index,
        .steer_count = options->steer_count};
    struct fed_dtls_events dtls_events = {.ctx = server,
        .opened = on_opened,
        .received = on_received,
        .closed = on_closed,
        .moved = on_moved,
        .psk = events->psk ? on_psk : NULL,
        .recall = events->recall ? on_recall : NULL};
    enum fed_err err;

    if (!server || fed_coap_server_init(server, mem, loop, log, events, &dtls_transport)) {
        fed_alloc_free(mem, server, sizeof(*server));
        return fed_diag_set(diag, FED_ERR_NOMEM, "CoAP server: out of memory");
    }
    err = fed_dtls_server_open(mem, loop, log, &dtls, &dtls_events, &server->dtls, diag);
    if (err) {
        fed_coap_server_fini(server);
        fed_alloc_free(mem, server, sizeof(*server));
        return err;
    }
    *out = server;
    return FED_OK;
}

void fed_coap_server_close(struct fed_link_server *server)
{
    if (!server)
        return;
    fed_dtls_server_close(server->dtls);
    fed_coap_server_fini(server);
    fed_alloc_free(server->mem, server, sizeof(*server));
}

void fed_coap_server_knock(void *server, const char *address)
{
    fed_dtls_server_knock(((struct fed_link_server *)server)->dtls, address);
}

uint16_t fed_coap_server_port(const struct fed_link_server *server)
{
    return fed_dtls_server_port(server->dtls);
}

void fed_coap_server_stats(const struct fed_link_server *server, struct fed_link_server_stats *out)
{
    struct fed_dtls_server_stats stats;

    fed_dtls_server_stats(server->dtls, &stats);
    *out = (struct fed_link_server_stats){.handshakes = stats.handshakes,
        .recalled = stats.recalled,
        .failed = stats.failed,
        .turned_away = stats.turned_away,
        .restored = stats.restored,
        .sessions = fed_dtls_server_sessions(server->dtls)};
}

void fed_coap_server_pause(struct fed_link_server *server, bool paused)
{
    fed_dtls_server_pause(server->dtls, paused);
}

void fed_coap_server_psk(
    struct fed_link_server *server, struct fed_span identity, struct fed_span key)
{
    fed_dtls_server_psk(server->dtls, identity, key);
}

void fed_coap_server_recall(
    struct fed_link_server *server, struct fed_span id, struct fed_span recall)
{
    fed_dtls_server_recall(server->dtls, id, recall);
}

enum fed_err fed_coap_server_certificate(struct fed_link_server *server, struct fed_span cert_pem,
    struct fed_span key_pem, struct fed_span client_ca_pem, struct fed_diag *diag)
{
    return fed_dtls_server_certificate(server->dtls, cert_pem, key_pem, client_ca_pem, diag);
}

const struct fed_link_calls *fed_coap_calls(void)
{
    static const struct fed_link_calls calls = {.name = "coap",
        .set_user = fed_link_session_set_user,
        .user = fed_link_session_user,
        .close = fed_link_session_close,
        .answer = fed_link_answer,
        .notify = fed_link_notify,
        .stats = fed_link_session_stats};

    return &calls;
}
