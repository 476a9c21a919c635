/* server_conn.c - one accepted connection: TLS, then a session, until either side has enough. */
#include "ports/http/room.h"
#include "ports/http/turn.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define READ_SIZE 16384u
#define READS_PER_STEP 16u
#define WRITES_PER_STEP (256u * 1024u)
#define LINGER_MS 2000u
#define REST_MS                                                                                    \
    1000u /* of silence: thousands of connections are idle, and a burst is over by then */
#define LINGER_BYTES (1024u * 1024u)
#define TLS_HANDSHAKE_RECORD 0x16

enum progress { GOES_ON, OVER };

static void on_ready(void *ctx, unsigned events)
{
    struct fed_http_conn *conn = ctx;

    bool reads = conn->session ? !conn->session->full : !conn->server->paused;

    /* Nobody reads then, so nobody else would notice that the peer is gone. */
    if ((events & FED_LOOP_ERROR) && !reads)
        fed_http_conn_free(conn);
    else
        fed_http_conn_step(conn);
}

static void on_timer(void *ctx)
{
    fed_http_conn_step(ctx);
}

static void on_wake(void *ctx)
{
    struct fed_http_conn *conn = ctx;

    if (!conn->stepping)
        fed_http_conn_mark(conn);
}

static uint64_t now_ms(const struct fed_http_conn *conn)
{
    return fed_loop_now_ms(conn->server->engine.loop);
}

static void drop(
    struct fed_http_conn *conn, const char *where, enum fed_err err, const struct fed_diag *diag)
{
    fed_log(conn->server->log, FED_LOG_DEBUG, "http: %s: %s: %s", conn->address, where,
        diag->text[0] ? diag->text : fed_err_text(err));
}

/* Bytes moved. */
static void stir(struct fed_http_conn *conn)
{
    conn->resting = false;
    conn->rest_ms = now_ms(conn) + REST_MS;
}

/* ---- the handshake ---- */
/* Somebody who speaks plain HTTP to us should see why it does not work, as Go's server does it. */
static bool speaks_plain(struct fed_http_conn *conn)
{
    static const char text[] = "HTTP/1.0 400 Bad Request\r\ncontent-type: text/plain\r\n\r\n"
                               "Client sent an HTTP request to an HTTPS server.\n";
    unsigned char first;
    ssize_t n;

    if (conn->greeted)
        return false;
    n = recv(conn->transport.fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n != 1)
        return false;
    conn->greeted = true;
    if (first < 'A' || first > 'Z')
        return false;
    n = send(conn->transport.fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    return true;
}

static enum fed_err count_client(
    struct fed_http_conn *conn, const struct fed_crypto_cert_info *peer)
{
    char client[FED_HTTP_SHARE_NAME_MAX];

    if (!peer || !peer->common_name[0])
        return FED_OK;
    snprintf(client, sizeof(client), "certificate %s", peer->common_name);
    return fed_http_server_recount(conn, client) ? FED_OK : FED_ERR_LIMIT;
}

static enum fed_err start_session(struct fed_http_conn *conn)
{
    struct fed_tls_stream *tls = conn->transport.tls;
    const char *alpn = fed_tls_stream_alpn(tls);
    struct fed_http_session_options options = {
        .engine = &conn->server->engine,
        .http2 = alpn && strcmp(alpn, "h2") == 0,
        .conn = conn,
        .peer = fed_tls_stream_peer(tls),
        .address = fed_span_text(conn->address),
        .wake = on_wake,
        .wake_ctx = conn,
    };
    enum fed_err err;

    fed_http_room_leave(conn);
    conn->server->stats.handshakes++;
    err = count_client(conn, options.peer);
    options.share = conn->share;
    return err ? err : fed_http_session_new(&options, &conn->session);
}

static void begin_linger(struct fed_http_conn *conn)
{
    fed_http_transport_finish(&conn->transport);
    conn->lingering = true;
    conn->moved_ms = now_ms(conn);
}

/* A certificate that is not good enough is told to the owner: someone may have to act. */
static void not_shaken(struct fed_http_conn *conn, enum fed_err err, const struct fed_diag *diag)
{
    const struct fed_http_conn_events *events = &conn->server->events;

    drop(conn, "TLS handshake", err, diag);
    if (err == FED_ERR_UNAUTHENTICATED && events->refused)
        events->refused(conn->server->engine.ctx, conn->address, diag);
}

static enum progress handshake(struct fed_http_conn *conn)
{
    struct fed_diag diag = {{0}};
    enum fed_err err;

    if (now_ms(conn) >= conn->moved_ms + conn->server->engine.header_timeout_ms)
        return OVER;
    if (speaks_plain(conn)) {
        fed_tls_stream_free(conn->transport.tls);
        conn->transport.tls = NULL;
        begin_linger(conn);
        return GOES_ON;
    }
    err = fed_http_transport_handshake(&conn->transport, &diag);
    if (err == FED_ERR_BUSY)
        return GOES_ON;
    if (!err)
        err = start_session(conn);
    if (err) {
        not_shaken(conn, err, &diag);
        return OVER;
    }
    conn->moved_ms = now_ms(conn);
    stir(conn);
    if (conn->server->stopping)
        fed_http_session_shutdown(conn->session);
    return GOES_ON;
}

/* ---- traffic ---- */
static void tell_alive(struct fed_http_conn *conn)
{
    const struct fed_http_conn_events *events = &conn->server->events;

    if (events->alive)
        events->alive(conn->server->engine.ctx, conn);
}

/* What is written because of it is for the next round. */
static void tell_flushed(struct fed_http_conn *conn)
{
    const struct fed_http_conn_events *events = &conn->server->events;

    conn->unflushed = false;
    if (!events->flushed)
        return;
    events->flushed(conn->server->engine.ctx, conn);
    fed_http_conn_mark(conn);
}

static enum progress read_some(struct fed_http_conn *conn)
{
    struct fed_http_session *session = conn->session;
    uint8_t bytes[READ_SIZE];

    for (unsigned i = 0; i < READS_PER_STEP; i++) {
        struct fed_diag diag = {{0}};
        size_t len = 0;
        enum fed_err err;

        if (session->closing || session->full)
            return GOES_ON;
        err = fed_http_transport_read(&conn->transport, bytes, sizeof(bytes), &len, &diag);
        if (err == FED_ERR_BUSY)
            return GOES_ON;
        if (err) {
            drop(conn, "reading", err, &diag);
            return OVER;
        }
        stir(conn);
        tell_alive(conn);
        fed_http_session_feed(session, fed_span_of(bytes, len));
    }
    fed_http_conn_mark(conn);
    return GOES_ON;
}

static enum progress write_some(struct fed_http_conn *conn)
{
    struct fed_http_session *session = conn->session;
    struct fed_diag diag = {{0}};
    size_t sent = 0;
    enum fed_err err = FED_OK;

    while (!err && sent < WRITES_PER_STEP) {
        enum fed_http_rest rest = FED_HTTP_REST_GOES;

        if (!session->closing)
            fed_http_session_pull(session);
        if (fed_http_queue_len(&session->out) == 0)
            break;
        /* Filled up to its mark: the next pull may have more for the last record. */
        if (!session->closing && fed_http_queue_len(&session->out) >= FED_HTTP_OUT_MARK)
            rest = FED_HTTP_REST_WAITS;
        err = fed_http_transport_write(&conn->transport, &session->out, rest, &sent, &diag);
    }
    if (sent) {
        conn->moved_ms = now_ms(conn);
        stir(conn);
    }
    if (err && err != FED_ERR_BUSY) {
        drop(conn, "writing", err, &diag);
        return OVER;
    }
    conn->unflushed = conn->unflushed || sent > 0;
    if (sent >= WRITES_PER_STEP)
        fed_http_conn_mark(conn);
    else if (conn->unflushed && fed_http_queue_len(&session->out) == 0)
        tell_flushed(conn);
    return GOES_ON;
}

static enum progress linger(struct fed_http_conn *conn)
{
    uint8_t bytes[4096];
    ssize_t n = 1;

    for (unsigned i = 0; i < READS_PER_STEP && n > 0; i++) {
        n = recv(conn->transport.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n > 0)
            conn->discarded += (size_t)n;
    }
    if (n == 0 || conn->discarded > LINGER_BYTES || now_ms(conn) >= conn->moved_ms + LINGER_MS)
        return OVER;
    return GOES_ON;
}

/* ---- the handler ---- */
static void handle_one(struct fed_http_conn *conn)
{
    int64_t begun_us = fed_http_turn_begin(conn->server);

    fed_http_session_turn(conn->session);
    fed_http_turn_end(conn->server, begun_us);
}

static void handle_some(struct fed_http_conn *conn, bool has_turn)
{
    struct fed_http_session *session = conn->session;

    if (has_turn && session->n_ready)
        handle_one(conn);
    while (session->n_ready && conn->place == FED_HTTP_NOWHERE && fed_http_conn_may_answer(conn) &&
           fed_http_turn_free(conn->server))
        handle_one(conn);
}

static enum progress traffic(struct fed_http_conn *conn, bool has_turn)
{
    struct fed_http_session *session = conn->session;
    bool was_full = session->full;

    if (conn->ending)
        fed_http_session_shutdown(session);
    if (read_some(conn) == OVER)
        return OVER;
    handle_some(conn, has_turn);
    if (write_some(conn) == OVER)
        return OVER;
    if (session->n_ready)
        fed_http_turn_wait(conn);
    /* TLS may hold bytes that no readiness will announce. */
    if ((was_full && !session->full) || session->n_lost)
        fed_http_conn_mark(conn);
    if (fed_http_queue_len(&session->out) && now_ms(conn) >= conn->moved_ms + FED_HTTP_STALL_MS)
        return OVER;
    if (!session->closing || fed_http_queue_len(&session->out))
        return GOES_ON;
    if (!session->linger)
        return OVER;
    begin_linger(conn);
    return GOES_ON;
}

/* ---- rounds ---- */
static void arm(struct fed_http_conn *conn)
{
    unsigned wanted = FED_LOOP_READ;

    if (conn->session && !conn->lingering) {
        wanted = conn->session->full || conn->session->closing ? 0 : FED_LOOP_READ;
        if (fed_http_queue_len(&conn->session->out))
            wanted |= FED_LOOP_WRITE;
    }
    if (conn->lingering)
        conn->transport.read_wants = FED_LOOP_READ;
    fed_http_transport_arm(&conn->transport, wanted);
}

static uint64_t due_of(struct fed_http_conn *conn)
{
    uint64_t stalled = conn->moved_ms + FED_HTTP_STALL_MS;
    uint64_t due;

    if (conn->lingering)
        return conn->moved_ms + LINGER_MS;
    if (!conn->session)
        return conn->moved_ms + conn->server->engine.header_timeout_ms;
    due = fed_http_session_tick(conn->session, now_ms(conn));
    if (conn->session->closing)
        fed_http_conn_mark(conn);
    return fed_http_queue_len(&conn->session->out) && stalled < due ? stalled : due;
}

static uint64_t rest_due(struct fed_http_conn *conn)
{
    if (!conn->resting && conn->rest_ms <= now_ms(conn)) {
        fed_http_transport_rest(&conn->transport);
        conn->resting = true;
    }
    return conn->resting ? FED_HTTP_NEVER : conn->rest_ms;
}

static void set_timer(struct fed_http_conn *conn)
{
    struct fed_loop *loop = conn->server->engine.loop;
    uint64_t due = due_of(conn);
    uint64_t rest = rest_due(conn);

    due = rest < due ? rest : due;

    if (due == FED_HTTP_NEVER)
        loop->timer_stop(loop->ctx, conn->timer);
    else
        loop->timer_set(loop->ctx, conn->timer, due);
}

static enum progress shake_hands(struct fed_http_conn *conn)
{
    int64_t begun_us = fed_http_turn_begin(conn->server);
    enum progress progress = handshake(conn);

    fed_http_turn_end(conn->server, begun_us);
    return progress;
}

static void step(struct fed_http_conn *conn, bool has_turn)
{
    enum progress progress = GOES_ON;

    if (!conn->session && !conn->lingering && !has_turn && !fed_http_turn_free(conn->server)) {
        fed_http_turn_wait(conn);
        if (conn->server->paused)
            fed_http_transport_arm(&conn->transport, 0);
        return;
    }
    conn->stepping = true;
    if (!conn->session && !conn->lingering) {
        conn->heard_ms = now_ms(conn);
        progress = shake_hands(conn);
        has_turn = false;
    }
    if (progress == GOES_ON && conn->lingering)
        progress = linger(conn);
    else if (progress == GOES_ON && conn->session)
        progress = traffic(conn, has_turn);
    conn->stepping = false;
    if (progress == OVER) {
        fed_http_conn_free(conn);
        return;
    }
    set_timer(conn);
    arm(conn);
}

void fed_http_conn_step(struct fed_http_conn *conn)
{
    step(conn, false);
}

void fed_http_conn_turn(struct fed_http_conn *conn)
{
    step(conn, true);
}

bool fed_http_conn_may_answer(const struct fed_http_conn *conn)
{
    return !conn->session || fed_http_share_may_answer(conn->share, conn->session->answered);
}

bool fed_http_conn_is_idle(const struct fed_http_conn *conn)
{
    return !conn->stepping && (!conn->session || conn->session->n_exchanges == 0);
}

/* ---- the owner's face ---- */
void fed_http_conn_set_user(struct fed_http_conn *conn, void *user)
{
    conn->user = user;
}

void *fed_http_conn_user(const struct fed_http_conn *conn)
{
    return conn->user;
}

void fed_http_conn_end(struct fed_http_conn *conn)
{
    conn->ending = true;
    fed_http_conn_mark(conn);
}

void fed_http_conn_bytes(const struct fed_http_conn *conn, uint64_t *sent, uint64_t *received)
{
    *sent = conn->traffic.sent;
    *received = conn->traffic.received;
}

/* ---- life ---- */
static enum fed_err open_conn(struct fed_http_conn *conn, int fd)
{
    struct fed_loop *loop = conn->server->engine.loop;
    struct fed_diag diag = {{0}};
    enum fed_err err = fed_http_transport_take(&conn->transport, fd, FED_LOOP_READ, on_ready, conn);

    if (!err)
        err = fed_http_transport_secure(&conn->transport, conn->server->tls, &diag);
    if (!err)
        fed_tls_stream_count(conn->transport.tls, &conn->traffic);
    if (!err)
        err = loop->timer_new(loop->ctx, on_timer, conn, &conn->timer);
    return err;
}

void fed_http_conn_open(
    struct fed_http_server *server, int fd, const char *address, struct fed_http_share *share)
{
    struct fed_http_conn *conn = fed_alloc_zero(server->engine.mem, sizeof(*conn));
    enum fed_err err;

    if (!conn) {
        struct fed_http_transport none;

        fed_http_transport_init(&none, server->engine.mem, server->engine.loop);
        none.fd = fd;
        fed_http_transport_close(&none);
        fed_http_share_drop(share);
        return;
    }
    conn->server = server;
    conn->share = share;
    conn->moved_ms = fed_loop_now_ms(server->engine.loop);
    snprintf(conn->address, sizeof(conn->address), "%s", address);
    fed_http_transport_init(&conn->transport, server->engine.mem, server->engine.loop);
    conn->transport.quiet = server->no_probes;
    conn->next = server->conns;
    if (conn->next)
        conn->next->prev = conn;
    server->conns = conn;
    server->n_conns++;
    fed_http_room_enter(conn);
    err = open_conn(conn, fd);
    if (err) {
        fed_log(server->log, FED_LOG_WARN, "http: %s refused: %s", address, fed_err_text(err));
        fed_http_conn_free(conn);
        return;
    }
    set_timer(conn);
}

static void unmark(struct fed_http_conn *conn)
{
    struct fed_http_server *server = conn->server;
    struct fed_http_conn *before = NULL;
    struct fed_http_conn *at = server->dirty;

    while (at != conn) {
        before = at;
        at = at->next_dirty;
    }
    if (before)
        before->next_dirty = conn->next_dirty;
    else
        server->dirty = conn->next_dirty;
    if (server->dirty_last == conn)
        server->dirty_last = before;
    server->n_dirty--;
    conn->dirty = false;
}

void fed_http_conn_mark(struct fed_http_conn *conn)
{
    struct fed_http_server *server = conn->server;
    struct fed_loop *loop = server->engine.loop;

    if (conn->dirty)
        return;
    conn->dirty = true;
    conn->next_dirty = NULL;
    if (server->dirty_last)
        server->dirty_last->next_dirty = conn;
    else
        server->dirty = conn;
    server->dirty_last = conn;
    if (server->n_dirty++ == 0)
        loop->timer_set(loop->ctx, server->flush_timer, fed_loop_now_ms(loop));
}

void fed_http_conn_free(struct fed_http_conn *conn)
{
    struct fed_http_server *server = conn->server;
    struct fed_loop *loop = server->engine.loop;

    conn->stepping = true; /* closed callbacks must not mark it again */
    server->stats.failed += conn->shaking;
    fed_http_room_leave(conn);
    if (conn->session) {
        fed_http_session_free(conn->session);
        if (server->events.closed)
            server->events.closed(server->engine.ctx, conn);
    }
    fed_http_turn_leave(conn);
    fed_http_share_drop(conn->share);
    if (conn->dirty)
        unmark(conn);
    if (conn->timer)
        loop->timer_free(loop->ctx, conn->timer);
    fed_http_transport_close(&conn->transport);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        server->conns = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    server->n_conns--;
    if (server->stopping && server->n_conns == 0)
        loop->timer_set(loop->ctx, server->flush_timer, fed_loop_now_ms(loop));
    fed_alloc_free(server->engine.mem, conn, sizeof(*conn));
}
