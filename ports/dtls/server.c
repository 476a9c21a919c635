/* server.c - the socket: datagrams in, to the session they belong to. */
#include "ports/dtls/internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SOCKET_BUFFER (4 * 1024 * 1024) /* a burst of notifications and its acknowledgements */
#define HEADER_SIZE 13u                 /* RFC 6347 section 4.1 */
#define CID_AT 11u /* RFC 9146 section 4: type, version, epoch, sequence number, CID, length */
#define HANDSHAKE_HEADER_SIZE 12u
#define CLIENT_RANDOM_AT (HEADER_SIZE + HANDSHAKE_HEADER_SIZE + 2u)

enum content { CONTENT_CCS = 20, CONTENT_ALERT, CONTENT_HANDSHAKE, CONTENT_DATA, CONTENT_CID = 25 };

/* ---- routing ---- */

static struct fed_dtls_session *route_cid(struct fed_dtls_server *server, struct fed_span d)
{
    if (d.len < CID_AT + DTLS_CID_SIZE + 2u)
        return NULL;
    return dtls_table_by_cid(&server->table, d.at + CID_AT);
}

/* An address may have open sessions and a new handshake at once. Of its encrypted records data and
 * alerts are the open session's whose records have no connection ID: in the handshake they could
 * only fail, and a record that fails there may end it. One in the clear is of the handshake, or of
 * the last one, repeated. */
static struct fed_dtls_session *route_address(struct fed_dtls_server *server, struct fed_span d)
{
    bool encrypted = d.at[3] != 0 || d.at[4] != 0; /* epoch */
    bool open_first = encrypted && (d.at[0] == CONTENT_DATA || d.at[0] == CONTENT_ALERT);
    struct fed_dtls_session *open =
        encrypted ? dtls_table_without_cid(&server->table, &server->from)
                  : dtls_table_by_address(&server->table, &server->from, DTLS_OPEN);
    struct fed_dtls_session *begun =
        dtls_table_by_address(&server->table, &server->from, DTLS_HANDSHAKE);

    if (open_first)
        return open ? open : begun;
    return begun ? begun : open;
}

static bool is_client_hello(struct fed_span d)
{
    return d.len > HEADER_SIZE && d.at[0] == CONTENT_HANDSHAKE && d.at[3] == 0 && d.at[4] == 0 &&
           d.at[HEADER_SIZE] == 1;
}

/* A ClientHello behind another record is nothing that clients send, and the library would let it
 * restart or end an open session without any proof. */
static bool hides_client_hello(struct fed_span d)
{
    while (d.len > HEADER_SIZE) {
        size_t head = HEADER_SIZE + (d.at[0] == CONTENT_CID ? DTLS_CID_SIZE : 0);

        if (is_client_hello(d))
            return true;
        if (d.len < head)
            return false;
        d = fed_span_sub(d, head + (size_t)(d.at[head - 2] << 8 | d.at[head - 1]), d.len);
    }
    return false;
}

/* The same ClientHello again, because our flight was lost: the handshake under way answers it. */
static struct fed_dtls_session *route_repeated_hello(
    struct fed_dtls_server *server, struct fed_span d)
{
    struct fed_dtls_session *s =
        dtls_table_by_address(&server->table, &server->from, DTLS_HANDSHAKE);

    if (!s || d.len < CLIENT_RANDOM_AT + sizeof(s->handshake->client_random))
        return NULL;
    return memcmp(d.at + CLIENT_RANDOM_AT, s->handshake->client_random,
               sizeof(s->handshake->client_random)) == 0
               ? s
               : NULL;
}

/* A ClientHello whose handshake is over: it was repeated, and came late. Another handshake would
 * keep its place until it is given up, as nobody goes on with it. */
static bool is_late_hello(struct fed_dtls_server *server, struct fed_span d)
{
    const struct fed_dtls_session *s =
        dtls_table_by_address(&server->table, &server->from, DTLS_OPEN);
    struct fed_span end =
        fed_span_sub(d, CLIENT_RANDOM_AT + 32u - DTLS_HELLO_MARK, DTLS_HELLO_MARK);

    return s && fed_span_eq(end, fed_span_of(s->hello, sizeof(s->hello)));
}

static bool is_record(struct fed_span d)
{
    return d.len >= HEADER_SIZE && d.at[1] == 0xfe /* DTLS 1.x */ &&
           (d.at[0] == CONTENT_CID || (d.at[0] >= CONTENT_CCS && d.at[0] <= CONTENT_DATA));
}

static void on_datagram(struct fed_dtls_server *server, struct fed_span d)
{
    struct fed_dtls_session *s;

    if (!is_record(d))
        return;
    server->incoming = d;
    server->incoming_len = d.len;
    if (is_client_hello(d)) {
        s = route_repeated_hello(server, d);
        if (!s) {
            if (!is_late_hello(server, d) && !dtls_queue_hello(server) &&
                dtls_credit_cookie(server))
                dtls_scratch_hello(server);
            return;
        }
    } else if (hides_client_hello(d)) {
        return;
    } else {
        s = d.at[0] == CONTENT_CID ? route_cid(server, d) : route_address(server, d);
    }
    /* Beyond its share of the processor a handshake loses a datagram, as on the network. */
    if (s && (s->state == DTLS_OPEN || dtls_credit_goes_on(server)))
        dtls_session_feed(s);
}

/* ---- timer and socket ---- */

void dtls_server_arm(struct fed_dtls_server *server)
{
    struct fed_dtls_session *first = dtls_heap_first(&server->heap);

    uint64_t look_ms = fed_loop_now_ms(server->loop) + DTLS_WAITING_LOOK_MS;
    bool waits = server->queue.first && !server->paused;

    if (first && (!waits || first->due_ms < look_ms))
        server->loop->timer_set(server->loop->ctx, server->timer, first->due_ms);
    else if (waits)
        server->loop->timer_set(server->loop->ctx, server->timer, look_ms);
    else
        server->loop->timer_stop(server->loop->ctx, server->timer);
}

static void on_timer(void *ctx)
{
    struct fed_dtls_server *server = ctx;
    uint64_t now_ms = fed_loop_now_ms(server->loop);
    struct fed_dtls_session *s;

    while ((s = dtls_heap_first(&server->heap)) != NULL && s->due_ms <= now_ms)
        dtls_session_due(s, now_ms);
    dtls_queue_serve(server);
    dtls_server_arm(server);
}

/* A record with a connection ID belongs to a session; one that is still in its handshake keeps the
 * order in which its datagrams came. */
static bool is_urgent(struct fed_dtls_server *server, struct fed_span d)
{
    const struct fed_dtls_session *s =
        is_record(d) && d.at[0] == CONTENT_CID ? route_cid(server, d) : NULL;

    return s && s->state == DTLS_OPEN;
}

static int receive_batch(struct fed_dtls_server *server)
{
    struct mmsghdr messages[DTLS_BATCH] = {0};
    struct iovec pieces[DTLS_BATCH];
    struct sockaddr_storage from[DTLS_BATCH];
    bool urgent[DTLS_BATCH] = {false};
    int n;

    for (size_t i = 0; i < DTLS_BATCH; i++) {
        pieces[i] = (struct iovec){server->datagrams[i], DTLS_DATAGRAM_MAX};
        messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
            .msg_namelen = sizeof(from[i]),
            .msg_iov = &pieces[i],
            .msg_iovlen = 1};
    }
    n = recvmmsg(server->fd, messages, DTLS_BATCH, MSG_DONTWAIT, NULL);
    /* What is for open sessions first: handshakes take a thousand times longer. */
    for (unsigned pass = 0; pass < 2; pass++)
        for (int i = 0; i < n; i++) {
            struct fed_span d = fed_span_of(server->datagrams[i], messages[i].msg_len);

            if (messages[i].msg_hdr.msg_flags & MSG_TRUNC)
                continue;
            if (pass == 0)
                urgent[i] = is_urgent(server, d);
            if (urgent[i] == (pass == 0) && !dtls_address_from_system(&from[i], &server->from))
                on_datagram(server, d);
        }
    return n;
}

static void on_ready(void *ctx, unsigned events)
{
    struct fed_dtls_server *server = ctx;
    unsigned full = 0;

    (void)events;
    while (
        full < DTLS_BATCHES_PER_WAKE && !server->paused && receive_batch(server) == (int)DTLS_BATCH)
        full++;
    server->behind = full == DTLS_BATCHES_PER_WAKE;
    dtls_queue_serve(server);
    dtls_server_arm(server);
}

/* ---- open and close ---- */

static void buffer_raise(int fd, int force, int plain)
{
    int size = SOCKET_BUFFER;

    if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size)) != 0)
        (void)setsockopt(
            fd, SOL_SOCKET, plain, &size, sizeof(size)); /* the kernel caps it; smaller works too */
}

/* Which port a bound socket has. */
static enum fed_err socket_port(
    struct fed_dtls_server *server, const char *listen, struct fed_diag *diag)
{
    struct dtls_address address;
    struct sockaddr_storage system;
    socklen_t len = sizeof(system);

    if (getsockname(server->fd, (struct sockaddr *)&system, &len) != 0 ||
        dtls_address_from_system(&system, &address))
        return fed_diag_set(diag, FED_ERR_NETWORK, "%s: %s", listen, strerror(errno));
    server->port = address.port;
    return FED_OK;
}

static enum fed_err socket_open(
    struct fed_dtls_server *server, const char *listen, struct fed_diag *diag)
{
    struct dtls_address address;
    struct sockaddr_storage system;
    socklen_t len;
    enum fed_err err;

    if (server->fd >= 0)
        return socket_port(server, "the socket that was given", diag);
    err = dtls_address_parse(listen, &address, diag);
    if (err)
        return err;
    server->fd = socket(address.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->fd < 0)
        return fed_diag_set(diag, FED_ERR_NETWORK, "%s: %s", listen, strerror(errno));
    buffer_raise(server->fd, SO_RCVBUFFORCE, SO_RCVBUF);
    buffer_raise(server->fd, SO_SNDBUFFORCE, SO_SNDBUF);
    len = dtls_address_to_system(&address, &system);
    if (bind(server->fd, (struct sockaddr *)&system, len) != 0)
        return fed_diag_set(diag, errno == EADDRINUSE ? FED_ERR_EXISTS : FED_ERR_NETWORK,
            "cannot listen on %s (UDP): %s", listen, strerror(errno));
    return socket_port(server, listen, diag);
}

static enum fed_err server_start(
    struct fed_dtls_server *server, const struct fed_dtls_options *options, struct fed_diag *diag)
{
    struct fed_loop *loop = server->loop;
    enum fed_err err = dtls_config_init(server, options, diag);

    if (!err)
        err = socket_open(server, options->listen, diag);
    if (err)
        return err;
    err = dtls_table_init(&server->table, server->mem);
    if (!err)
        err = loop->timer_new(loop->ctx, on_timer, server, &server->timer);
    if (!err)
        err =
            loop->watch_new(loop->ctx, server->fd, FED_LOOP_READ, on_ready, server, &server->watch);
    return err ? fed_diag_set(diag, err, "DTLS server: %s", fed_err_text(err)) : FED_OK;
}

static enum fed_err no_memory(const struct fed_dtls_options *options, struct fed_diag *diag)
{
    if (options->fd > 0)
        close(options->fd);
    return fed_diag_set(diag, FED_ERR_NOMEM, "DTLS server: out of memory");
}

enum fed_err fed_dtls_server_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    const struct fed_dtls_options *options, const struct fed_dtls_events *events,
    struct fed_dtls_server **out, struct fed_diag *diag)
{
    struct fed_dtls_server *server = fed_alloc_zero(mem, sizeof(*server));
    enum fed_err err;

    if (!server)
        return no_memory(options, diag);
    server->mem = mem;
    server->loop = loop;
    server->log = log;
    server->events = *events;
    server->sessions_max = options->sessions_max;
    server->handshakes_max = options->handshakes_max;
    server->session_idle_ms = options->session_idle_ms;
    server->steer_index = options->steer_index;
    server->steer_count = options->steer_count;
    server->handshake_share = options->handshake_share;
    server->cookie_share = options->cookie_share;
    server->handshake_credit =
        (struct dtls_credit){.us = DTLS_CREDIT_US, .at_us = fed_loop_clock_us(loop)};
    server->cookie_credit =
        (struct dtls_credit){.us = DTLS_COOKIE_CREDIT_US, .at_us = server->handshake_credit.at_us};
    server->fd = options->fd > 0 ? options->fd : -1;
    err = server_start(server, options, diag);
    if (err) {
        fed_dtls_server_close(server);
        return err;
    }
    *out = server;
    return FED_OK;
}

static void sessions_close(struct fed_dtls_server *server)
{
    struct fed_dtls_session *s;

    while (server->table.count > 0 && (s = dtls_table_any(&server->table)) != NULL) {
        if (s->state == DTLS_OPEN)
            fed_dtls_session_close(s);
        else
            dtls_session_drop(s);
    }
    if (server->scratch)
        dtls_session_drop(server->scratch);
}

void fed_dtls_server_close(struct fed_dtls_server *server)
{
    if (!server)
        return;
    sessions_close(server);
    dtls_queue_fini(server);
    if (server->watch)
        server->loop->watch_free(server->loop->ctx, server->watch);
    server->loop->timer_free(server->loop->ctx, server->timer);
    if (server->fd >= 0)
        close(server->fd);
    dtls_table_fini(&server->table, server->mem);
    dtls_heap_fini(&server->heap, server->mem);
    dtls_config_fini(server);
    fed_alloc_free(server->mem, server, sizeof(*server));
}

uint16_t fed_dtls_server_port(const struct fed_dtls_server *server)
{
    return server->port;
}

size_t fed_dtls_server_sessions(const struct fed_dtls_server *server)
{
    return server->table.count - server->handshakes;
}

void fed_dtls_server_stats(const struct fed_dtls_server *server, struct fed_dtls_server_stats *out)
{
    *out = server->stats;
}

void fed_dtls_server_pause(struct fed_dtls_server *server, bool paused)
{
    if (server->paused == paused)
        return;
    server->paused = paused;
    server->loop->watch_set(server->loop->ctx, server->watch, paused ? 0 : FED_LOOP_READ);
    dtls_server_arm(server);
}
