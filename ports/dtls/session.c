/* session.c - one peer's DTLS session: from ClientHello to close. */
#include "ports/dtls/internal.h"

#include <mbedtls/platform_util.h>

#include <string.h>

#define CONTENT_HANDSHAKE 22u
#define HELLO_VERIFY_REQUEST 3u
#define UNPROVEN_FACTOR 3u

/* ---- what the library calls ---- */

/* Before the cookie came back the address may be forged: only a HelloVerifyRequest goes out, and
 * only when it is no larger than what came in, so that nobody can be flooded through us. */
static bool scratch_may_send(
    const struct fed_dtls_server *server, const unsigned char *bytes, size_t len)
{
    if (server->cookie_good)
        return true;
    return !server->turned_away && len <= server->incoming_len && len > 13 &&
           bytes[0] == CONTENT_HANDSHAKE && bytes[13] == HELLO_VERIFY_REQUEST;
}

static bool may_send(struct fed_dtls_session *s, const unsigned char *bytes, size_t len)
{
    if (s->state == DTLS_SCRATCH)
        return scratch_may_send(s->server, bytes, len);
    if (!s->unproven)
        return true;
    if (len > s->unproven_budget)
        return false;
    s->unproven_budget -= (uint32_t)len;
    return true;
}

/* A datagram that cannot go out is lost, as on any network. */
static int on_send(void *ctx, const unsigned char *bytes, size_t len)
{
    struct fed_dtls_session *s = ctx;
    struct sockaddr_storage to;
    socklen_t to_len;

    if (!may_send(s, bytes, len))
        return (int)len;
    if (s->handshake)
        dtls_recall_look(&s->handshake->made, fed_span_of(bytes, len));
    to_len = dtls_address_to_system(&s->address, &to);
    if (sendto(s->server->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to,
            to_len) >= 0) {
        s->stats.sent_bytes += len;
        s->stats.sent_datagrams++;
    }
    return (int)len;
}

static int on_recv(void *ctx, unsigned char *out, size_t size)
{
    struct fed_dtls_session *s = ctx;
    struct fed_span incoming = s->server->incoming;

    if (s->server->current != s || incoming.len == 0 || incoming.len > size)
        return MBEDTLS_ERR_SSL_WANT_READ;
    memcpy(out, incoming.at, incoming.len);
    s->server->incoming.len = 0;
    return (int)incoming.len;
}

static void on_timer_set(void *ctx, uint32_t soft_ms, uint32_t hard_ms)
{
    struct fed_dtls_session *s = ctx;
    uint64_t now_ms = fed_loop_now_ms(s->server->loop);

    if (!s->handshake)
        return;
    s->handshake->soft_due_ms = now_ms + soft_ms;
    s->handshake->hard_due_ms = hard_ms ? now_ms + hard_ms : 0;
}

static int on_timer_get(void *ctx)
{
    struct fed_dtls_session *s = ctx;
    uint64_t now_ms = fed_loop_now_ms(s->server->loop);

    if (!s->handshake || s->handshake->hard_due_ms == 0)
        return -1;
    if (now_ms >= s->handshake->hard_due_ms)
        return 2;
    return now_ms >= s->handshake->soft_due_ms;
}

/* ---- birth and death ---- */

void dtls_handshake_free(struct fed_dtls_session *s)
{
    if (!s->handshake)
        return;
    dtls_psk_forget(s);
    dtls_recall_watch(&s->ssl, NULL);
    mbedtls_platform_zeroize(&s->handshake->made, sizeof(s->handshake->made));
    fed_alloc_free(s->server->mem, s->handshake, sizeof(*s->handshake));
    s->handshake = NULL;
}

void dtls_session_free(struct fed_dtls_session *s)
{
    struct fed_alloc *mem = s->server->mem;

    dtls_handshake_free(s);
    mbedtls_ssl_free(&s->ssl);
    fed_alloc_free(mem, s, sizeof(*s));
}

/* A router in front goes by the first byte. */
static void cid_steer(const struct fed_dtls_server *server, uint8_t cid[DTLS_CID_SIZE])
{
    unsigned first = cid[0];

    if (server->steer_count == 0)
        return;
    first = first - first % server->steer_count + server->steer_index;
    cid[0] = (uint8_t)(first > 0xff ? first - server->steer_count : first);
}

struct fed_dtls_session *dtls_session_new(struct fed_dtls_server *server)
{
    struct fed_dtls_session *s = fed_alloc_zero(server->mem, sizeof(*s));

    if (!s)
        return NULL;
    s->server = server;
    s->state = DTLS_SCRATCH;
    mbedtls_ssl_init(&s->ssl);
    s->handshake = fed_alloc_zero(server->mem, sizeof(*s->handshake));
    if (!s->handshake || fed_mbed_random(NULL, s->cid, sizeof(s->cid)) != 0 ||
        mbedtls_ssl_setup(&s->ssl, &server->config.ssl) != 0) {
        dtls_session_free(s);
        return NULL;
    }
    cid_steer(server, s->cid);
    mbedtls_ssl_set_bio(&s->ssl, s, on_send, on_recv, NULL);
    mbedtls_ssl_set_timer_cb(&s->ssl, s, on_timer_set, on_timer_get);
    mbedtls_ssl_set_mtu(&s->ssl, DTLS_MTU);
    fed_mbed_verify_init(&s->handshake->verify, &s->ssl, FED_MBED_PEER_AGENT, NULL);
    if (server->events.recall)
        dtls_recall_watch(&s->ssl, &s->handshake->made);
    return s;
}

/* One less is under way. Its address did not change meanwhile. */
static void no_handshake(struct fed_dtls_session *s)
{
    s->server->handshakes--;
    dtls_hosts_leave(s->server, &s->address);
}

void dtls_session_unlist(struct fed_dtls_session *s)
{
    struct fed_dtls_server *server = s->server;

    if (s->state == DTLS_HANDSHAKE)
        no_handshake(s);
    if (s->state == DTLS_HANDSHAKE || s->state == DTLS_OPEN) {
        dtls_table_remove(&server->table, s);
        dtls_heap_remove(&server->heap, s);
    }
    s->state = DTLS_DEAD;
}

void dtls_session_drop(struct fed_dtls_session *session)
{
    dtls_session_unlist(session);
    if (session != session->server->current)
        dtls_session_free(session);
}

/* The end of an open session that its owner did not ask for. During the callback it is dead but
 * still there. */
static void session_end(struct fed_dtls_session *s, const char *why)
{
    struct fed_dtls_server *server = s->server;

    if (s->state != DTLS_OPEN)
        return;
    dtls_session_unlist(s);
    server->events.closed(server->events.ctx, s, why);
    if (s != server->current)
        dtls_session_free(s);
}

/* One line for a failed handshake, but no flood of them: anybody can make handshakes fail. */
void dtls_handshake_failed(struct fed_dtls_session *s, const char *why)
{
    struct fed_dtls_server *server = s->server;
    uint64_t minute = fed_loop_now_ms(server->loop) / 60000;

    server->stats.failed++;
    if (minute != server->failure_minute) {
        server->failure_minute = minute;
        server->failure_logs = 0;
    }
    if (server->failure_logs++ >= DTLS_FAILURE_LOGS_PER_MINUTE)
        return;
    fed_log(server->log, FED_LOG_INFO, "dtls: handshake with %s failed: %s%s",
        fed_dtls_session_address(s), why,
        server->failure_logs == DTLS_FAILURE_LOGS_PER_MINUTE ? " (no more of these this minute)"
                                                             : "");
}

/* ---- working ---- */

bool dtls_session_arm(struct fed_dtls_session *s)
{
    struct fed_dtls_server *server = s->server;
    uint64_t now_ms = fed_loop_now_ms(server->loop);
    uint64_t due_ms = s->heard_ms + server->session_idle_ms;

    if (s->state == DTLS_HANDSHAKE) {
        due_ms = s->handshake->deadline_ms;
        if (s->handshake->hard_due_ms && s->handshake->hard_due_ms < due_ms)
            due_ms = s->handshake->hard_due_ms;
    }
    if (due_ms <= now_ms)
        due_ms = now_ms + 1;
    /* Only a new handshake needs room in the heap; without a timer it could stay for ever. */
    if (dtls_heap_set(&server->heap, server->mem, s, due_ms) == FED_OK)
        return true;
    fed_log(server->log, FED_LOG_ERROR, "dtls: out of memory, no session for %s",
        fed_dtls_session_address(s));
    dtls_session_drop(s);
    return false;
}

enum move { STAYED, MOVED, PROVEN };

/* A record newer than all before was authenticated: its sender's address is the peer's (RFC 9146
 * section 6). */
static enum move heard(struct fed_dtls_session *s)
{
    struct fed_dtls_server *server = s->server;

    bool was_unproven = s->unproven;

    if (s->ssl.MBEDTLS_PRIVATE(in_window_top) <= server->window_before || server->incoming_len == 0)
        return STAYED;
    server->window_before = UINT64_MAX; /* once per datagram */
    s->heard_ms = fed_loop_now_ms(server->loop);
    if (dtls_address_eq(&s->address, &server->from)) {
        s->unproven = false;
        return was_unproven ? PROVEN : STAYED;
    }
    /* One copied record must not turn our answers against a third party: until a second one comes
     * from there the new address gets no more than a small multiple of what it sent. */
    dtls_table_move(&server->table, s, &server->from);
    s->unproven = true;
    s->unproven_budget = (uint32_t)server->incoming_len * UNPROVEN_FACTOR;
    return MOVED;
}

static void tell_moved(struct fed_dtls_session *s, enum move move)
{
    const struct fed_dtls_events *events = &s->server->events;

    if (move != STAYED && s->state == DTLS_OPEN && events->moved)
        events->moved(events->ctx, s, move == PROVEN);
}

static const char *read_failure(struct fed_dtls_session *s, int code, struct fed_diag *diag)
{
    if (code == 0 || code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || code == MBEDTLS_ERR_SSL_CONN_EOF)
        return "the peer closed the session";
    fed_mbed_handshake_error(NULL, &s->ssl, code, diag);
    return diag->text;
}

static void session_read(struct fed_dtls_session *s)
{
    struct fed_dtls_server *server = s->server;
    struct fed_diag diag = {""};

    while (s->state == DTLS_OPEN) {
        int code = mbedtls_ssl_read(&s->ssl, server->plain, sizeof(server->plain));
        enum move move = heard(s);

        if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) {
            tell_moved(s, move);
            return;
        }
        if (code <= 0) {
            session_end(s, read_failure(s, code, &diag));
            return;
        }
        if ((size_t)code <= FED_DTLS_RECORD_MAX)
            server->events.received(
                server->events.ctx, s, fed_span_of(server->plain, (size_t)code));
        tell_moved(s, move);
    }
}

static bool has_cid(struct fed_dtls_session *s)
{
    int enabled = MBEDTLS_SSL_CID_DISABLED;
    uint8_t cid[MBEDTLS_SSL_CID_OUT_LEN_MAX];
    size_t len = 0;

    return mbedtls_ssl_get_peer_cid(&s->ssl, &enabled, cid, &len) == 0 &&
           enabled == MBEDTLS_SSL_CID_ENABLED;
}

/* Who the peer is. FED_ERR_UNAUTHENTICATED when that cannot be said. */
static enum fed_err peer_facts(struct fed_dtls_session *s, struct fed_crypto_cert_info *info,
    struct fed_dtls_peer *peer, struct fed_diag *diag)
{
    const mbedtls_x509_crt *cert = mbedtls_ssl_get_peer_cert(&s->ssl);
    enum fed_err err;

    *peer = (struct fed_dtls_peer){0};
    if (s->handshake->psk_identity[0]) {
        peer->psk_identity = s->handshake->psk_identity;
        return FED_OK;
    }
    if (!cert)
        return fed_diag_set(
            diag, FED_ERR_UNAUTHENTICATED, "neither a certificate nor a PSK identity");
    err = fed_mbed_cert_info(cert, info, diag);
    peer->cert = info;
    return err;
}

/* The library keeps 16 KiB for the largest record of TLS unless a smaller one was negotiated, which
 * few clients do. A record that does not fit in a datagram of ours is refused anyway: told that 2
 * KiB were agreed, the library gives the rest back when it frees the handshake's state, at the
 * first record of data. */
static void buffers_shrink(struct fed_dtls_session *s)
{
    s->ssl.MBEDTLS_PRIVATE(session)->MBEDTLS_PRIVATE(mfl_code) = MBEDTLS_SSL_MAX_FRAG_LEN_2048;
}

static void tell_opened(struct fed_dtls_session *s, struct fed_dtls_peer *peer)
{
    struct fed_dtls_server *server = s->server;
    uint8_t id[DTLS_RECALL_ID_SIZE];
    struct fed_buf recall;

    fed_buf_init(&recall, server->mem, FED_DTLS_RECALL_MAX);
    dtls_returning_put(s, id, &recall);
    if (!fed_buf_err(&recall) && recall.len > 0) {
        peer->recall_id = fed_span_of(id, sizeof(id));
        peer->recall = fed_buf_span(&recall);
    }
    server->events.opened(server->events.ctx, s, peer);
    if (recall.at)
        mbedtls_platform_zeroize(recall.at, recall.cap);
    fed_buf_fini(&recall);
}

static void session_opened(struct fed_dtls_session *s)
{
    struct fed_dtls_server *server = s->server;
    struct fed_crypto_cert_info info;
    struct fed_dtls_peer peer;
    struct fed_dtls_session *old;
    struct fed_diag diag = {""};

    if (peer_facts(s, &info, &peer, &diag)) {
        dtls_handshake_failed(s, diag.text);
        mbedtls_ssl_send_alert_message(
            &s->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED);
        dtls_session_drop(s);
        return;
    }
    /* The peer is there: its handshake is whole (RFC 6347 section 4.2.8). Another session that is
     * known by nothing but the address can be none any more. One with a connection ID may be that
     * of a peer which has moved without a word, as the port of a NAT is given to others. */
    old = dtls_table_without_cid(&server->table, &s->address);
    if (old)
        session_end(old, "replaced by a new session from its address");
    no_handshake(s);
    server->stats.handshakes++;
    s->state = DTLS_OPEN;
    s->with_cid = has_cid(s);
    memcpy(s->hello,
        s->handshake->client_random + sizeof(s->handshake->client_random) - sizeof(s->hello),
        sizeof(s->hello));
    s->heard_ms = fed_loop_now_ms(server->loop);
    buffers_shrink(s);
    mbedtls_ssl_set_mtu(&s->ssl, 0); /* records are one datagram each, whatever their size */
    (void)dtls_session_arm(s);
    tell_opened(s, &peer);
    mbedtls_ssl_set_verify(&s->ssl, NULL, NULL);
    dtls_handshake_free(s);
}

static void handshake_step(struct fed_dtls_session *s)
{
    uint64_t started_us = dtls_credit_start(s->server);
    int code = mbedtls_ssl_handshake(&s->ssl);
    struct fed_diag diag = {""};

    dtls_credit_stop(s->server, &s->server->handshake_credit, started_us);
    if (code == 0) {
        session_opened(s);
        session_read(s); /* the last flight may have had records behind it */
    } else if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) {
        (void)dtls_session_arm(s);
    } else {
        fed_mbed_handshake_error(&s->handshake->verify, &s->ssl, code, &diag);
        dtls_handshake_failed(s, diag.text);
        dtls_session_drop(s);
    }
}

void dtls_work_begin(struct fed_dtls_session *s)
{
    s->server->current = s;
    s->server->window_before = s->ssl.MBEDTLS_PRIVATE(in_window_top);
}

void dtls_work_end(struct fed_dtls_session *s)
{
    struct fed_dtls_server *server = s->server;

    server->current = NULL;
    server->incoming = (struct fed_span){0};
    server->incoming_len = 0;
    if (s->state == DTLS_DEAD)
        dtls_session_free(s);
}

void dtls_session_feed(struct fed_dtls_session *session)
{
    dtls_work_begin(session);
    if (session->state == DTLS_OPEN || !dtls_psk_park(session)) {
        session->stats.received_bytes += session->server->incoming_len;
        session->stats.received_datagrams++;
        if (session->state == DTLS_HANDSHAKE)
            handshake_step(session);
        else
            session_read(session);
    }
    dtls_work_end(session);
}

void dtls_session_due(struct fed_dtls_session *session, uint64_t now_ms)
{
    struct fed_dtls_server *server = session->server;

    dtls_work_begin(session);
    if (session->state == DTLS_HANDSHAKE && now_ms >= session->handshake->deadline_ms) {
        dtls_handshake_failed(session, "no answer in time");
        dtls_session_drop(session);
    } else if (session->state == DTLS_HANDSHAKE) {
        if (++session->handshake->tries >= DTLS_NARROW_TRIES)
            mbedtls_ssl_set_mtu(&session->ssl, DTLS_MTU_NARROW);
        handshake_step(session); /* the library looks at its timer and sends the flight again */
    } else if (now_ms >= session->heard_ms + server->session_idle_ms) {
        mbedtls_ssl_close_notify(&session->ssl);
        session_end(session, "idle");
    } else {
        (void)dtls_session_arm(session);
    }
    dtls_work_end(session);
}

/* ---- the contract ---- */

enum fed_err fed_dtls_send(struct fed_dtls_session *session, struct fed_span record)
{
    int code;

    if (session->state != DTLS_OPEN)
        return FED_ERR_CLOSED;
    if (record.len > FED_DTLS_RECORD_MAX)
        return FED_ERR_LIMIT;
    code = mbedtls_ssl_write(&session->ssl, record.at, record.len);
    return code >= 0 ? FED_OK : FED_ERR_TLS;
}

void fed_dtls_session_close(struct fed_dtls_session *session)
{
    if (session->state != DTLS_OPEN)
        return;
    mbedtls_ssl_close_notify(&session->ssl);
    dtls_session_drop(session);
}

void fed_dtls_session_set_user(struct fed_dtls_session *session, void *user)
{
    session->user = user;
}

void *fed_dtls_session_user(const struct fed_dtls_session *session)
{
    return session->user;
}

const char *fed_dtls_session_address(const struct fed_dtls_session *session)
{
    dtls_address_text(&session->address, session->server->address_text);
    return session->server->address_text;
}

void fed_dtls_session_stats(
    const struct fed_dtls_session *session, struct fed_dtls_session_stats *out)
{
    *out = session->stats;
}
