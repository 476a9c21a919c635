/* server.c - the hub's end of the HTTPS binding: opening, what arrives, one timer for all
 * sessions. */
#include "ports/https/server.h"

#define REFUSALS_WINDOW_MS 60000u
#define QUEUE_SLACK 65536u
#define IDLE_SLACK_MS 5000u /* a session's own time comes first */
#define CLIENT_REQUESTS (4u << 20)
#define CLIENT_ANSWERS (96u << 20) /* two large frames: one that is given up, and the next */

/* ---- requests ---- */
static void answer_err(
    struct fed_http_exchange *http, enum fed_err err, const struct fed_diag *diag)
{
    switch (err) {
    case FED_ERR_INVALID:
        fed_https_refuse(http, 400, diag->text, 0);
        return;
    case FED_ERR_CLOSED:
        fed_https_refuse(http, 401, diag->text, 0);
        return;
    default:
        fed_https_refuse(http, 503, diag->text, FED_HTTPS_RETRY_S);
    }
}

static void pass_on(struct fed_https_session *session, struct fed_http_exchange *http,
    const struct fed_https_ask *ask)
{
    const struct fed_link_server_events *events = &session->server->events;
    struct fed_https_exchange *x = fed_https_exchange_new(session, http, ask);
    struct fed_link_server_request request = {
        .method = ask->method == FED_HTTPS_GET ? FED_LINK_GET : FED_LINK_POST,
        .path = ask->path,
        .query = ask->query,
        .payload = fed_http_exchange_request(http)->body,
        .observe = ask->observe};

    if (x)
        events->request(events->ctx, (struct fed_link_session *)session,
            (struct fed_link_exchange *)x, &request);
    else
        fed_https_refuse(http, 503, "too many requests wait for their answers", 1);
}

static void serve(struct fed_https_session *session, struct fed_http_exchange *http,
    const struct fed_https_ask *ask)
{
    if (session->closed)
        fed_https_refuse(http, 401, "session ended", 0);
    else if (ask->method == FED_HTTPS_OTHER)
        fed_https_refuse(http, 405, "no such method here", 0);
    else if (ask->ping)
        fed_http_respond(http, 204, NULL, 0, fed_span_text(""));
    else
        pass_on(session, http, ask);
}

static void on_request(
    void *ctx, struct fed_http_exchange *http, const struct fed_http_request *request)
{
    struct fed_https_server *server = ctx;
    struct fed_https_session *session = NULL;
    struct fed_https_ask ask;
    struct fed_diag diag = {""};
    enum fed_err err = fed_https_ask_read(request, &ask, &diag);

    if (!err)
        err = fed_https_session_of(server, http, &ask, &session, &diag);
    if (err) {
        fed_log(server->log, FED_LOG_DEBUG, "https: request of " FED_SPAN_FMT " not taken: %s",
            FED_SPAN_ARG(request->peer_address), diag.text);
        /* What belongs to no session is under nobody's limits, and does not stay. */
        if (!fed_https_session_at(server, fed_http_exchange_conn(http)))
            fed_http_conn_end(fed_http_exchange_conn(http));
        answer_err(http, err, &diag);
        return;
    }
    serve(session, http, &ask);
    fed_https_session_leave(session);
}

static void on_exchange_closed(void *ctx, struct fed_http_exchange *http)
{
    struct fed_https_exchange *x = fed_http_exchange_user(http);

    (void)ctx;
    if (x->streaming)
        fed_https_stream_lost(x);
    else
        x->http = NULL; /* what it is answered goes nowhere */
}

/* ---- connections ---- */
static void on_alive(void *ctx, struct fed_http_conn *conn)
{
    struct fed_https_session *session = fed_https_session_at(ctx, conn);

    if (session)
        fed_https_session_alive(session);
}

static void on_flushed(void *ctx, struct fed_http_conn *conn)
{
    struct fed_https_session *session = fed_https_session_at(ctx, conn);

    if (session)
        fed_https_stream_flushed(session, conn);
}

static void on_closed(void *ctx, struct fed_http_conn *conn)
{
    struct fed_https_session *session = fed_https_session_at(ctx, conn);

    if (session)
        fed_https_session_left(session, conn);
}

/* A flood of them is as one line. */
static void on_refused(void *ctx, const char *address, const struct fed_diag *diag)
{
    struct fed_https_server *server = ctx;
    uint64_t now_ms = fed_loop_now_ms(server->loop);

    if (now_ms - server->refusals_since_ms >= REFUSALS_WINDOW_MS) {
        if (server->refusals > FED_HTTPS_REFUSALS_MAX)
            fed_log(server->log, FED_LOG_WARN, "https: %zu more handshakes were refused",
                server->refusals - FED_HTTPS_REFUSALS_MAX);
        server->refusals_since_ms = now_ms;
        server->refusals = 0;
    }
    if (server->refusals++ < FED_HTTPS_REFUSALS_MAX)
        fed_log(
            server->log, FED_LOG_WARN, "https: handshake with %s refused: %s", address, diag->text);
}

static void on_timer(void *ctx)
{
    struct fed_https_server *server = ctx;
    uint64_t due_ms = fed_https_sessions_tick(server);

    if (due_ms != UINT64_MAX)
        server->loop->timer_set(server->loop->ctx, server->timer, due_ms);
}

/* ---- life ---- */
static enum fed_err open_http(struct fed_https_server *server,
    const struct fed_link_server_options *options, struct fed_diag *diag)
{
    unsigned handshakes =
        options->handshakes_max ? options->handshakes_max : FED_HTTPS_HANDSHAKES_DEFAULT;
    unsigned host = handshakes > FED_HTTPS_HOST_PART ? handshakes / FED_HTTPS_HOST_PART : 1;
    struct fed_http_server_options http = {.listen = options->listen,
        .fd = options->fd,
        .cert_pem = options->cert_pem,
        .key_pem = options->key_pem,
        .client_ca_pem = options->client_ca_pem,
        .client_may_have_ended = true,
        .body_max = FED_HTTPS_REQUEST_MAX,
        .header_max = FED_HTTPS_HEADER_MAX,
        .queue_max = FED_HTTPS_RECORD_MAX + QUEUE_SLACK,
        .connections_max = (unsigned)server->sessions_max + handshakes,
        .client_connections_max = handshakes,
        .handshakes_max = handshakes,
        .client_handshakes_max = host,
        .certificate_connections_max = 2 * FED_HTTPS_CONNECTIONS_MAX,
        .client_requests_max = CLIENT_REQUESTS,
        .client_answers_max = CLIENT_ANSWERS,
        .streams_max = FED_HTTPS_EXCHANGES_MAX + 1,
        .idle_timeout_ms = (unsigned)server->agents.idle_ms + IDLE_SLACK_MS,
        .first_request_ms = FED_HTTPS_HANDSHAKE_MS,
        .no_probes = true,
        .header_timeout_ms = FED_HTTPS_HANDSHAKE_MS,
        .conn_events = {
            .alive = on_alive, .flushed = on_flushed, .closed = on_closed, .refused = on_refused}};

    return fed_http_server_open(server->mem, server->loop, server->log, &http, on_request,
        on_exchange_closed, server, &server->http, diag);
}

enum fed_err fed_https_server_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, const struct fed_link_server_options *options,
    const struct fed_link_server_events *events, struct fed_https_server **out,
    struct fed_diag *diag)
{
    struct fed_https_server *server = fed_alloc_zero(mem, sizeof(*server));
    enum fed_err err;

    if (!server)
        return fed_diag_set(diag, FED_ERR_NOMEM, "HTTPS server: out of memory");
    server->mem = mem;
    server->loop = loop;
    server->log = log;
    server->events = *events;
    fed_map_init(&server->by_key, mem);
    server->sessions_max =
        options->sessions_max ? options->sessions_max : FED_HTTPS_SESSIONS_DEFAULT;
    server->agents.idle_ms =
        options->session_idle_ms ? options->session_idle_ms : FED_HTTPS_IDLE_MS;
    server->guests.idle_ms = server->agents.idle_ms < FED_HTTPS_GUEST_IDLE_MS
                                 ? server->agents.idle_ms
                                 : FED_HTTPS_GUEST_IDLE_MS;
    err = loop->timer_new(loop->ctx, on_timer, server, &server->timer);
    if (!err)
        err = open_http(server, options, diag);
    if (err) {
        fed_https_server_close(server);
        return err;
    }
    *out = server;
    return FED_OK;
}

void fed_https_server_shutdown(
    struct fed_https_server *server, unsigned grace_ms, fed_loop_call *done, void *done_ctx)
{
    fed_http_server_shutdown(server->http, grace_ms, done, done_ctx);
}

void fed_https_server_close(struct fed_https_server *server)
{
    if (!server)
        return;
    fed_https_sessions_free(server);
    fed_http_server_close(server->http);
    while (server->orphans)
        fed_https_exchange_free(server->orphans);
    server->loop->timer_free(server->loop->ctx, server->timer);
    fed_map_fini(&server->by_key);
    fed_alloc_free(server->mem, server, sizeof(*server));
}

uint16_t fed_https_server_port(const struct fed_https_server *server)
{
    return fed_http_server_port(server->http);
}

void fed_https_server_pause(struct fed_https_server *server, bool paused)
{
    fed_http_server_pause(server->http, paused);
}

enum fed_err fed_https_server_certificate(struct fed_https_server *server, struct fed_span cert_pem,
    struct fed_span key_pem, struct fed_span client_ca_pem, struct fed_diag *diag)
{
    return fed_http_server_certificate(server->http, cert_pem, key_pem, client_ca_pem, diag);
}

void fed_https_server_stats(
    const struct fed_https_server *server, struct fed_link_server_stats *out)
{
    struct fed_http_server_stats stats;

    fed_http_server_stats(server->http, &stats);
    *out = (struct fed_link_server_stats){.handshakes = stats.handshakes,
        .failed = stats.failed,
        .turned_away = stats.turned_away,
        .sessions = server->agents.n + server->guests.n};
}
