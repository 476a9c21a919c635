/* client_conn.c - a link of the client: the name looked up, addresses tried in order, the proxy's
 * tunnel when there is one, TLS, then its protocol. */
#include "ports/http/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 16384u
#define READS_PER_STEP 16u
#define WRITES_PER_STEP (256u * 1024u)
#define OUT_MARK 32768u
#define PING_ANSWER_MS 15000u /* or keepalive_ms when that is shorter */

static uint64_t now_ms(const struct fed_http_link *link)
{
    return fed_loop_now_ms(link->client->loop);
}

/* ---- ends ---- */
/* One that is open and shared may be full of streams that never end. */
static bool others_may_serve(const struct fed_http_link *link)
{
    for (struct fed_http_link *at = link->client->links; at; at = at->next)
        if (at != link && !at->dead && !at->draining &&
            (at->state != FED_HTTP_OPEN || at->ops != &fed_http_link_h2 || at->ops->takes(at)))
            return true;
    return false;
}

/* Ends what the link carries; and what waits for it, when it never came to be and nobody else will
 * serve. Calls that users make from their callbacks have higher numbers and are not meant. */
static void fail_calls(struct fed_http_link *link, enum fed_err err, const struct fed_diag *diag)
{
    struct fed_http_client *client = link->client;
    bool waiting_too = link->state != FED_HTTP_OPEN && !others_may_serve(link);
    uint64_t limit = client->next_number;
    struct fed_http_call *call = client->first;

    while (call && !client->closed && call->number < limit) {
        bool mine = call->link == link;

        if (!mine && (call->link || !waiting_too)) {
            call = call->next;
            continue;
        }
        if (mine)
            fed_http_call_lost(call, false, err, diag);
        else
            fed_http_call_finish(call, err, diag);
        call = client->first; /* the callback may have changed anything */
    }
}

static void fail_link(struct fed_http_link *link, enum fed_err err, const struct fed_diag *diag)
{
    struct fed_http_client *client = link->client;
    struct fed_diag why = *diag;

    link->dead = true;
    fed_diag_prefix(&why, err, "%s", client->authority);
    fed_log(client->log, FED_LOG_DEBUG, "http: %s", why.text);
    fail_calls(link, err, &why);
    fed_http_client_kick(client);
}

void fed_http_link_free(struct fed_http_link *link)
{
    struct fed_http_client *client = link->client;

    if (link->protocol)
        link->ops->free(link);
    if (link->timer)
        client->loop->timer_free(client->loop->ctx, link->timer);
    fed_http_transport_close(&link->transport);
    fed_http_queue_fini(&link->out);
    fed_resolve_cancel(link->resolve);
    fed_buf_fini(&link->tunnel);
    if (link->prev)
        link->prev->next = link->next;
    else
        client->links = link->next;
    if (link->next)
        link->next->prev = link->prev;
    client->n_links--;
    fed_alloc_free(client->mem, link, sizeof(*link));
}

/* ---- connecting ---- */
static void on_ready(void *ctx, unsigned events)
{
    (void)events;
    fed_http_link_step(ctx);
}

static void on_timer(void *ctx)
{
    fed_http_link_step(ctx);
}

static socklen_t address_fill(const struct fed_http_link *link, struct sockaddr_storage *out)
{
    const struct fed_resolve_address *at = &link->addresses[link->address];
    const struct fed_http_client *client = link->client;
    uint16_t port = htons(client->proxy.host[0] ? client->proxy.port : client->port);
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = port, .sin6_scope_id = at->scope};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};

    if (at->len == 4) {
        memcpy(&v4.sin_addr, at->bytes, sizeof(v4.sin_addr));
        memcpy(out, &v4, sizeof(v4));
        return sizeof(v4);
    }
    memcpy(&v6.sin6_addr, at->bytes, sizeof(v6.sin6_addr));
    memcpy(out, &v6, sizeof(v6));
    return sizeof(v6);
}

static enum fed_err not_connected(int failure, struct fed_diag *diag)
{
    return fed_diag_set(diag, FED_ERR_NETWORK, "connect: %s%s", strerror(failure),
        failure == ECONNREFUSED ? ": nothing listens there" : "");
}

/* Starts to connect to the present address. */
static enum fed_err connect_one(struct fed_http_link *link, struct fed_diag *diag)
{
    struct sockaddr_storage address;
    socklen_t len = address_fill(link, &address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    enum fed_err err;

    if (fd < 0)
        return fed_diag_set(diag, FED_ERR_NETWORK, "socket: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&address, len) && errno != EINPROGRESS) {
        err = not_connected(errno, diag);
        close(fd);
        return err;
    }
    link->state = FED_HTTP_CONNECTING;
    link->since_ms = now_ms(link);
    return fed_http_transport_take(&link->transport, fd, FED_LOOP_WRITE, on_ready, link);
}

/* From the present address on, the first to which connecting can begin. */
static enum fed_err connect_next(
    struct fed_http_link *link, enum fed_err err, struct fed_diag *diag)
{
    for (; link->address < link->n_addresses; link->address++) {
        err = connect_one(link, diag);
        if (!err)
            return FED_OK;
    }
    return err;
}

static enum fed_err try_following(
    struct fed_http_link *link, enum fed_err err, struct fed_diag *diag)
{
    fed_http_transport_close(&link->transport);
    link->address++;
    return connect_next(link, err, diag);
}

static void on_resolved(void *ctx, enum fed_err err, const struct fed_resolve_address *addresses,
    size_t n, const struct fed_diag *diag)
{
    struct fed_http_link *link = ctx;
    const struct fed_http_proxy *proxy = &link->client->proxy;

    link->resolve = NULL;
    link->resolve_err = err;
    link->n_addresses = err ? 0 : n;
    if (err && proxy->host[0])
        fed_diag_set(&link->resolve_diag, err, "%s: %s", proxy->name, diag->text);
    else if (err)
        link->resolve_diag = *diag;
    else
        memcpy(link->addresses, addresses, n * sizeof(*addresses));
    fed_http_link_step(link);
}

/* Who is connected to: the host, or the proxy before it. FED_OK: connecting has begun, or the name
 * is asked for. */
static enum fed_err resolve(struct fed_http_link *link, struct fed_diag *diag)
{
    struct fed_http_client *client = link->client;
    const char *host = client->proxy.host[0] ? client->proxy.host : client->host;

    link->since_ms = now_ms(link);
    link->state = FED_HTTP_RESOLVING;
    if (!fed_resolve_literal(host, &link->addresses[0]))
        return fed_resolve_start(
            client->mem, client->loop, host, on_resolved, link, &link->resolve, diag);
    link->n_addresses = 1;
    return connect_next(link, FED_ERR_NETWORK, diag);
}

/* The look-up: FED_ERR_BUSY while it runs, and when connecting has begun. */
static enum fed_err resolved(struct fed_http_link *link, struct fed_diag *diag)
{
    enum fed_err err;

    if (link->resolve)
        return FED_ERR_BUSY;
    if (link->resolve_err) {
        *diag = link->resolve_diag;
        return link->resolve_err;
    }
    err = connect_next(link, FED_ERR_NETWORK, diag);
    return err ? err : FED_ERR_BUSY;
}

static enum fed_err secure(struct fed_http_link *link, struct fed_diag *diag)
{
    enum fed_err err = fed_http_transport_secure(&link->transport, link->client->tls, diag);

    link->state = FED_HTTP_HANDSHAKE;
    if (!err)
        fed_tls_stream_count(link->transport.tls, &link->client->traffic);
    return err;
}

static enum fed_err connected(struct fed_http_link *link, struct fed_diag *diag)
{
    int failure = 0;
    socklen_t len = sizeof(failure);
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof(peer);

    if (getsockopt(link->transport.fd, SOL_SOCKET, SO_ERROR, &failure, &len))
        failure = errno;
    if (failure)
        return not_connected(failure, diag);
    if (getpeername(link->transport.fd, (struct sockaddr *)&peer, &peer_len))
        return FED_ERR_BUSY; /* the timer looked, not the socket */
    if (!link->client->proxy.host[0])
        return secure(link, diag);
    link->state = FED_HTTP_TUNNEL;
    return fed_http_tunnel_begin(link, diag);
}

static enum fed_err handshake(struct fed_http_link *link, struct fed_diag *diag)
{
    enum fed_err err = fed_http_transport_handshake(&link->transport, diag);
    const char *alpn;

    if (err == FED_ERR_UNAUTHENTICATED)
        return link->client->trust == FED_HTTP_TRUST_NAME ? FED_ERR_TLS : err;
    if (err == FED_ERR_CLOSED)
        return fed_diag_set(diag, FED_ERR_NETWORK, "connection closed during the TLS handshake");
    if (err)
        return err;
    alpn = fed_tls_stream_alpn(link->transport.tls);
    link->ops = alpn && strcmp(alpn, "h2") == 0 ? &fed_http_link_h2 : &fed_http_link_h1;
    link->client->speaks_h1 = link->ops == &fed_http_link_h1;
    err = link->ops->start(link);
    if (err)
        return err;
    link->state = FED_HTTP_OPEN;
    link->heard_ms = now_ms(link);
    fed_http_client_kick(link->client);
    return FED_OK;
}

/* FED_OK: open; FED_ERR_BUSY: under way. */
static enum fed_err establish(struct fed_http_link *link, struct fed_diag *diag)
{
    enum fed_err err = FED_OK;

    if (now_ms(link) >= link->since_ms + link->client->connect_timeout_ms)
        err = fed_diag_set(
            diag, FED_ERR_NETWORK, "no connection within %u ms", link->client->connect_timeout_ms);
    if (!err && link->state == FED_HTTP_RESOLVING)
        return resolved(link, diag);
    if (!err && link->state == FED_HTTP_CONNECTING)
        err = connected(link, diag);
    if (!err && link->state == FED_HTTP_TUNNEL) {
        err = fed_http_tunnel_read(link, diag);
        if (!err)
            err = secure(link, diag);
    }
    if (!err && link->state == FED_HTTP_HANDSHAKE)
        err = handshake(link, diag);
    if (err == FED_OK || err == FED_ERR_BUSY || err == FED_ERR_TLS || err == FED_ERR_FORBIDDEN ||
        err == FED_ERR_UNAUTHENTICATED)
        return err;
    err = try_following(link, err, diag);
    return err ? err : FED_ERR_BUSY;
}

/* ---- traffic ---- */
static enum fed_err read_some(struct fed_http_link *link, struct fed_diag *diag)
{
    uint8_t bytes[READ_SIZE];

    for (unsigned i = 0; i < READS_PER_STEP; i++) {
        size_t len = 0;
        enum fed_err err =
            fed_http_transport_read(&link->transport, bytes, sizeof(bytes), &len, diag);

        if (err == FED_ERR_BUSY)
            return FED_OK;
        if (err == FED_ERR_CLOSED) {
            link->ops->eof(link);
            return fed_diag_set(diag, FED_ERR_NETWORK, "connection closed by the server");
        }
        if (err)
            return err == FED_ERR_UNAUTHENTICATED ? FED_ERR_TLS : err;
        link->heard_ms = now_ms(link);
        link->ping_ms = 0;
        err = link->ops->feed(link, fed_span_of(bytes, len), diag);
        if (err || link->client->closed || link->dead)
            return err;
    }
    fed_http_client_kick(link->client);
    return FED_OK;
}

static enum fed_err write_some(struct fed_http_link *link, struct fed_diag *diag)
{
    size_t sent = 0;
    enum fed_err err = FED_OK;

    while (!err && sent < WRITES_PER_STEP) {
        if (fed_http_queue_len(&link->out) < OUT_MARK)
            err = link->ops->pull(link, diag);
        if (!err)
            err = fed_buf_err(&link->out.buf);
        if (err || fed_http_queue_len(&link->out) == 0)
            break;
        err =
            fed_http_transport_write(&link->transport, &link->out, FED_HTTP_REST_GOES, &sent, diag);
    }
    if (sent >= WRITES_PER_STEP)
        fed_http_client_kick(link->client);
    return err == FED_ERR_BUSY ? FED_OK : err;
}

static uint64_t ping_due(const struct fed_http_link *link)
{
    unsigned keepalive_ms = link->client->keepalive_ms;

    return link->ping_ms + (keepalive_ms < PING_ANSWER_MS ? keepalive_ms : PING_ANSWER_MS);
}

/* Asks a silent peer whether it is there, and gives up on one that does not answer. */
static enum fed_err keep_alive(struct fed_http_link *link, struct fed_diag *diag)
{
    uint64_t now = now_ms(link);

    if (link->n_calls == 0 || !link->ops->ping || link->transport.quiet)
        return FED_OK;
    if (link->ping_ms && now >= ping_due(link))
        return fed_diag_set(diag, FED_ERR_NETWORK, "the server does not answer any more");
    if (!link->ping_ms && now >= link->heard_ms + link->client->keepalive_ms) {
        link->ping_ms = now;
        return link->ops->ping(link);
    }
    return FED_OK;
}

static enum fed_err traffic(struct fed_http_link *link, struct fed_diag *diag)
{
    enum fed_err err = read_some(link, diag);

    if (!err && !link->client->closed && !link->dead)
        err = keep_alive(link, diag);
    if (!err && !link->client->closed && !link->dead)
        err = write_some(link, diag);
    if (!err && link->draining && link->n_calls == 0 && fed_http_queue_len(&link->out) == 0)
        link->dead = true;
    return err;
}

static void rearm(struct fed_http_link *link)
{
    struct fed_loop *loop = link->client->loop;
    uint64_t due = link->since_ms + link->client->connect_timeout_ms;
    unsigned wanted = FED_LOOP_READ;

    if (link->state == FED_HTTP_CONNECTING) {
        wanted = FED_LOOP_WRITE;
    } else if (link->state == FED_HTTP_OPEN) {
        due = link->ping_ms ? ping_due(link) : link->heard_ms + link->client->keepalive_ms;
        if (fed_http_queue_len(&link->out))
            wanted |= FED_LOOP_WRITE;
    }
    if (link->state == FED_HTTP_OPEN &&
        (link->n_calls == 0 || !link->ops->ping || link->transport.quiet))
        loop->timer_stop(loop->ctx, link->timer);
    else
        loop->timer_set(loop->ctx, link->timer, due);
    if (link->transport.watch)
        fed_http_transport_arm(&link->transport, wanted);
}

void fed_http_link_step(struct fed_http_link *link)
{
    struct fed_http_client *client = link->client;
    struct fed_diag diag = {{0}};
    enum fed_err err = FED_OK;

    if (link->stepping)
        return;
    link->stepping = true;
    fed_http_client_enter(client);
    if (!link->dead && link->state != FED_HTTP_OPEN)
        err = establish(link, &diag);
    if (!link->dead && !err && link->state == FED_HTTP_OPEN)
        err = traffic(link, &diag);
    if (err && err != FED_ERR_BUSY && !client->closed)
        fail_link(link, err, &diag);
    else if (link->dead && !client->closed && link->n_calls)
        fail_link(link, FED_ERR_NETWORK, &diag);
    link->stepping = false;
    if (!client->closed) {
        if (link->dead)
            fed_http_link_free(link);
        else
            rearm(link);
    }
    fed_http_client_leave(client);
}

enum fed_err fed_http_link_open(struct fed_http_client *client)
{
    struct fed_http_link *link = fed_alloc_zero(client->mem, sizeof(*link));
    struct fed_diag diag = {{0}};
    enum fed_err err;

    if (!link)
        return FED_ERR_NOMEM;
    link->client = client;
    fed_http_transport_init(&link->transport, client->mem, client->loop);
    link->transport.quiet = client->keepalive_ms == FED_HTTP_NO_KEEPALIVE;
    fed_http_queue_init(&link->out, client->mem);
    fed_buf_init(&link->tunnel, client->mem, FED_HTTP_TUNNEL_MAX);
    link->next = client->links;
    if (link->next)
        link->next->prev = link;
    client->links = link;
    client->n_links++;
    err = client->loop->timer_new(client->loop->ctx, on_timer, link, &link->timer);
    if (!err)
        err = resolve(link, &diag);
    if (err)
        fail_link(link, err, &diag); /* freed by the flush that is running or comes */
    else
        rearm(link);
    return err;
}
