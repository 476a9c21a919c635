/* server.c - the listener: accepts, shuts down in order. */
#include "ports/http/room.h"
#include "ports/http/turn.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_ROUND 64
#define ACCEPT_PAUSE_MS 200u
#define BACKLOG 1024

/* ---- listening ---- */
/* "127.0.0.1:7443", "[::]:0" */
static enum fed_err split_address(
    const char *listen_at, char host[128], char port[8], struct fed_diag *diag)
{
    const char *colon = strrchr(listen_at, ':');
    struct fed_span name;

    if (!colon)
        return fed_diag_set(diag, FED_ERR_INVALID, "listen address '%s' has no port", listen_at);
    name = fed_span_of(listen_at, (size_t)(colon - listen_at));
    if (fed_span_starts(name, "[") && fed_span_ends(name, "]"))
        name = fed_span_sub(name, 1, name.len - 2);
    if (fed_span_to_cstr(name, host, 128) || fed_span_to_cstr(fed_span_text(colon + 1), port, 8))
        return fed_diag_set(diag, FED_ERR_INVALID, "listen address '%s' is too long", listen_at);
    return FED_OK;
}

static int listen_on(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    int off = 0;
    int saved;

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);

    memset(&at, 0, sizeof(at));
    if (getsockname(fd, (struct sockaddr *)&at, &len))
        return 0;
    return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                          : ((struct sockaddr_in *)&at)->sin_port);
}

static enum fed_err start_listening(
    struct fed_http_server *server, const char *listen_at, struct fed_diag *diag)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char host[128];
    char port[8];
    int rc;
    enum fed_err err = split_address(listen_at, host, port, diag);

    if (err)
        return err;
    rc = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
    if (rc)
        return fed_diag_set(
            diag, FED_ERR_INVALID, "listen address '%s': %s", listen_at, gai_strerror(rc));
    server->listen_fd = listen_on(found);
    rc = errno;
    freeaddrinfo(found);
    if (server->listen_fd < 0)
        return fed_diag_set(
            diag, FED_ERR_NETWORK, "cannot listen on %s: %s", listen_at, strerror(rc));
    server->port = port_of(server->listen_fd);
    return FED_OK;
}

/* "127.0.0.1:51234", "[::1]:51234" */
static void write_address(const struct sockaddr *at, socklen_t len, char out[64])
{
    char host[48];
    char port[8];

    if (getnameinfo(
            at, len, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
        snprintf(out, 64, "unknown");
    else
        snprintf(out, 64, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

/* The client of an address: an IPv4 host, or an IPv6 network of 64 bits, which one host has all of.
 */
static void write_client(const struct sockaddr *at, char out[64])
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)at;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)at;
    const uint8_t *bytes = (const uint8_t *)&four->sin_addr;
    size_t len = 4;
    size_t n = 0;

    if (at->sa_family == AF_INET6) {
        bool mapped = IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);

        bytes = six->sin6_addr.s6_addr + (mapped ? 12 : 0);
        len = mapped ? 4 : 8;
    }
    for (size_t i = 0; i < len; i++)
        n += (size_t)snprintf(out + n, 64 - n, "%s%02x", i ? ":" : "address ", bytes[i]);
}

static void take(struct fed_http_server *server, int fd, const struct sockaddr *at, socklen_t len)
{
    struct fed_http_share *share;
    char address[64];
    char client[64];

    write_address(at, len, address);
    write_client(at, client);
    share = fed_http_share_take(&server->shares, client);
    if (share && fed_http_room_make(server, share)) {
        fed_http_conn_open(server, fd, address, share);
        return;
    }
    server->stats.turned_away++;
    if (share)
        fed_http_share_drop(share);
    close(fd);
}

static void on_listen(void *ctx, unsigned events)
{
    struct fed_http_server *server = ctx;
    struct fed_loop *loop = server->engine.loop;

    (void)events;
    for (int i = 0; i < ACCEPTS_PER_ROUND && !server->paused; i++) {
        struct sockaddr_storage at;
        socklen_t len = sizeof(at);
        int fd =
            accept4(server->listen_fd, (struct sockaddr *)&at, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            take(server, fd, (struct sockaddr *)&at, len);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            fed_log(server->log, FED_LOG_WARN, "http: cannot accept: %s, pausing", strerror(errno));
            loop->watch_set(loop->ctx, server->listen_watch, 0);
            loop->timer_set(
                loop->ctx, server->listen_timer, fed_loop_now_ms(loop) + ACCEPT_PAUSE_MS);
        }
        if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

static void on_listen_again(void *ctx)
{
    struct fed_http_server *server = ctx;
    struct fed_loop *loop = server->engine.loop;

    if (server->listen_watch && !server->paused)
        loop->watch_set(loop->ctx, server->listen_watch, FED_LOOP_READ);
}

void fed_http_server_pause(struct fed_http_server *server, bool paused)
{
    struct fed_loop *loop = server->engine.loop;

    if (server->paused == paused)
        return;
    server->paused = paused;
    if (paused && server->listen_watch)
        loop->watch_set(loop->ctx, server->listen_watch, 0);
    else
        on_listen_again(server);
    loop->timer_set(loop->ctx, server->flush_timer, fed_loop_now_ms(loop));
}

static void stop_listening(struct fed_http_server *server)
{
    struct fed_loop *loop = server->engine.loop;

    if (server->listen_watch)
        loop->watch_free(loop->ctx, server->listen_watch);
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    server->listen_watch = NULL;
    server->listen_fd = -1;
}

/* ---- rounds ---- */
static void on_flush(void *ctx)
{
    struct fed_http_server *server = ctx;
    struct fed_loop *loop = server->engine.loop;
    fed_loop_call *done = server->done;

    fed_http_turns_take(server);
    /* Those marked meanwhile wait for the next round, so that a busy one cannot starve the loop. */
    for (size_t n = server->n_dirty; n && server->dirty; n--) {
        struct fed_http_conn *conn = server->dirty;

        server->dirty = conn->next_dirty;
        if (!server->dirty)
            server->dirty_last = NULL;
        server->n_dirty--;
        conn->dirty = false;
        fed_http_conn_step(conn);
    }
    if (server->n_dirty)
        loop->timer_set(loop->ctx, server->flush_timer, fed_loop_now_ms(loop));
    if (!server->stopping || server->n_conns || !done)
        return;
    loop->timer_stop(loop->ctx, server->grace_timer);
    server->done = NULL;
    done(server->done_ctx); /* may free the server */
}

static void on_grace_over(void *ctx)
{
    struct fed_http_server *server = ctx;

    while (server->conns)
        fed_http_conn_free(server->conns);
    on_flush(server);
}

/* ---- life ---- */
static unsigned or_default(unsigned value, unsigned preset)
{
    return value ? value : preset;
}

static size_t or_mib(size_t value, size_t preset_mib)
{
    return value ? value : preset_mib << 20;
}

static void set_limits(
    struct fed_http_server *server, const struct fed_http_server_options *options)
{
    struct fed_http_engine *engine = &server->engine;

    engine->body_max = options->body_max;
    engine->header_max = options->header_max ? options->header_max : 64 * 1024;
    if (engine->header_max > 1024 * 1024)
        engine->header_max = 1024 * 1024;
    engine->queue_max = options->queue_max ? options->queue_max : 4 * 1024 * 1024;
    engine->streams_max = or_default(options->streams_max, 250);
    engine->idle_timeout_ms = or_default(options->idle_timeout_ms, 120000);
    engine->first_request_ms = options->first_request_ms;
    engine->header_timeout_ms = or_default(options->header_timeout_ms, 10000);
    engine->deferred = true;
    server->connections_max = or_default(options->connections_max, 4096);
    server->client_connections_max =
        or_default(options->client_connections_max, (server->connections_max + 3) / 4);
    server->handshakes_max = options->handshakes_max;
    server->client_handshakes_max = options->client_handshakes_max;
    server->certificate_connections_max =
        or_default(options->certificate_connections_max, server->client_connections_max);
    server->shares.asked_max = or_mib(options->client_requests_max, 64);
    server->shares.asked_total_max = or_mib(options->requests_max, 256);
    server->shares.answered_max = or_mib(options->client_answers_max, 128);
    server->shares.answered_total_max = or_mib(options->answers_max, 512);
}

static enum fed_err make_tls(struct fed_http_server *server, struct fed_span cert_pem,
    struct fed_span key_pem, struct fed_span client_ca_pem, struct fed_diag *diag)
{
    static const char *const alpn[] = {"h2", "http/1.1"};
    struct fed_tls_server_options tls = {.cert_pem = cert_pem,
        .key_pem = key_pem,
        .client_ca_pem = client_ca_pem,
        .client_may_have_ended = server->client_may_have_ended,
        .alpn = alpn,
        .n_alpn = 2};
    struct fed_tls_config *before = server->tls;
    enum fed_err err = fed_tls_config_new_server(server->engine.mem, &tls, &server->tls, diag);

    if (!err)
        fed_tls_config_free(before);
    return err;
}

enum fed_err fed_http_server_certificate(struct fed_http_server *server, struct fed_span cert_pem,
    struct fed_span key_pem, struct fed_span client_ca_pem, struct fed_diag *diag)
{
    return make_tls(server, cert_pem, key_pem, client_ca_pem, diag);
}

static enum fed_err make_timers(struct fed_http_server *server)
{
    struct fed_loop *loop = server->engine.loop;
    enum fed_err err = loop->timer_new(loop->ctx, on_flush, server, &server->flush_timer);

    if (!err)
        err = loop->timer_new(loop->ctx, on_grace_over, server, &server->grace_timer);
    if (!err)
        err = loop->timer_new(loop->ctx, on_listen_again, server, &server->listen_timer);
    if (!err)
        err = loop->watch_new(
            loop->ctx, server->listen_fd, FED_LOOP_READ, on_listen, server, &server->listen_watch);
    return err;
}

enum fed_err fed_http_server_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    const struct fed_http_server_options *options, fed_http_handler *handler,
    fed_http_closed *closed, void *ctx, struct fed_http_server **out, struct fed_diag *diag)
{
    struct fed_http_server *server = fed_alloc_zero(mem, sizeof(*server));
    enum fed_err err;

    if (!server)
        return FED_ERR_NOMEM;
    server->engine = (struct fed_http_engine){.mem = mem,
        .loop = loop,
        .handler = handler,
        .closed = closed,
        .refusal = options->refusal,
        .ctx = ctx};
    server->shares =
        (struct fed_http_shares){.mem = mem, .eased = fed_http_turn_eased, .ctx = server};
    fed_map_init(&server->shares.by_name, mem);
    server->log = log;
    server->events = options->conn_events;
    server->no_probes = options->no_probes;
    server->client_may_have_ended = options->client_may_have_ended;
    server->listen_fd = -1;
    set_limits(server, options);
    err = make_tls(server, options->cert_pem, options->key_pem, options->client_ca_pem, diag);
    if (!err && options->fd > 0) {
        server->listen_fd = options->fd;
        server->port = port_of(options->fd);
    } else if (!err) {
        err = start_listening(server, options->listen, diag);
    }
    if (!err)
        err = make_timers(server);
    if (err) {
        fed_http_server_close(server);
        return err;
    }
    *out = server;
    return FED_OK;
}

void fed_http_server_shutdown(
    struct fed_http_server *server, unsigned grace_ms, fed_loop_call *done, void *done_ctx)
{
    struct fed_loop *loop = server->engine.loop;
    struct fed_http_conn *next;

    if (server->stopping)
        return;
    server->stopping = true;
    server->done = done;
    server->done_ctx = done_ctx;
    stop_listening(server);
    for (struct fed_http_conn *conn = server->conns; conn; conn = next) {
        next = conn->next;
        if (conn->session) {
            fed_http_session_shutdown(conn->session);
            fed_http_conn_mark(conn);
        } else if (!conn->stepping) {
            fed_http_conn_free(conn);
        }
    }
    loop->timer_set(loop->ctx, server->grace_timer, fed_loop_now_ms(loop) + grace_ms);
    loop->timer_set(loop->ctx, server->flush_timer, fed_loop_now_ms(loop));
}

void fed_http_server_close(struct fed_http_server *server)
{
    struct fed_loop *loop;

    if (!server)
        return;
    loop = server->engine.loop;
    server->done = NULL;
    stop_listening(server);
    while (server->conns)
        fed_http_conn_free(server->conns);
    if (server->flush_timer)
        loop->timer_free(loop->ctx, server->flush_timer);
    if (server->grace_timer)
        loop->timer_free(loop->ctx, server->grace_timer);
    if (server->listen_timer)
        loop->timer_free(loop->ctx, server->listen_timer);
    fed_tls_config_free(server->tls);
    fed_map_fini(&server->shares.by_name);
    fed_alloc_free(server->engine.mem, server, sizeof(*server));
}

uint16_t fed_http_server_port(const struct fed_http_server *server)
{
    return server->port;
}

void fed_http_server_stats(const struct fed_http_server *server, struct fed_http_server_stats *out)
{
    *out = server->stats;
    out->connections = server->n_conns;
}
