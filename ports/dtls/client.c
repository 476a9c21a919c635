/* client.c - the agent's side of ports/dtls.h: addresses, the socket, and when what is looked at.
 */
#include "ports/dtls/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- life of a session ---- */

static void session_free(struct fed_alloc *mem, struct dtls_client_session *s)
{
    dtls_client_session_fini(s);
    if (s->handshake)
        fed_resolve_cancel(s->handshake->resolve);
    fed_alloc_free(mem, s->handshake, sizeof(*s->handshake));
    fed_alloc_free(mem, s, sizeof(*s));
}

static void socket_close(struct fed_dtls_client *client, struct dtls_client_session *s)
{
    if (s->watch)
        client->loop->watch_free(client->loop->ctx, s->watch);
    s->watch = NULL;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

/* Sends nothing. */
static void session_drop(struct fed_dtls_client *client)
{
    struct dtls_client_session *s = client->session;

    client->session = NULL;
    client->loop->timer_stop(client->loop->ctx, client->timer);
    socket_close(client, s);
    s->client = NULL;
    if (s->busy == 0)
        session_free(client->mem, s);
}

/* Between enter and leave a callback may give the session up. */
static void enter(struct dtls_client_session *s)
{
    s->busy++;
}

static void leave(struct fed_alloc *mem, struct dtls_client_session *s)
{
    s->busy--;
    if (s->busy == 0 && !s->client)
        session_free(mem, s);
}

void dtls_client_over(struct dtls_client_session *s, enum fed_err err, const char *format, ...)
{
    struct fed_dtls_client *client = s->client;
    struct fed_diag diag = {""};
    char text[sizeof(diag.text)];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fed_diag_set(&diag, err, "%s: %s", client->peer, text);
    session_drop(client);
    client->events.closed(client->events.ctx, err, &diag);
}

/* ---- the loop ---- */

void dtls_client_arm(struct dtls_client_session *s)
{
    const struct dtls_client_handshake *h = s->handshake;
    struct fed_loop *loop = s->client->loop;
    uint64_t due_ms;

    if (!h) {
        loop->timer_stop(loop->ctx, s->client->timer);
        return;
    }
    due_ms = h->deadline_ms;
    if (h->hard_due_ms && h->hard_due_ms < due_ms)
        due_ms = h->hard_due_ms;
    if (!h->heard && h->address + 1 < h->n_addresses && h->address_ms < due_ms)
        due_ms = h->address_ms;
    loop->timer_set(loop->ctx, s->client->timer, due_ms);
}

static void on_ready(void *ctx, unsigned events)
{
    struct dtls_client_session *s = ctx;
    struct fed_alloc *mem = s->client->mem;

    (void)events;
    enter(s);
    if (s->handshake)
        dtls_client_handshake_step(s);
    else
        dtls_client_read(s);
    leave(mem, s);
}

/* The library looks at its timer and sends the flight again. Flights that get no answer may be too
 * large, theirs as ours: small ones are tried. What the library does by itself is 508 bytes. */
static void handshake_due(struct dtls_client_session *s, uint64_t now_ms)
{
    struct dtls_client_handshake *h = s->handshake;

    if (h->heard && h->hard_due_ms && now_ms >= h->hard_due_ms &&
        ++h->tries >= DTLS_CLIENT_NARROW_TRIES) {
        s->client->narrow = true;
        mbedtls_ssl_set_mtu(&s->ssl, DTLS_CLIENT_MTU_NARROW);
    }
    dtls_client_handshake_step(s);
}

static void on_timer(void *ctx)
{
    struct fed_dtls_client *client = ctx;
    struct dtls_client_session *s = client->session;
    struct dtls_client_handshake *h = s ? s->handshake : NULL;
    uint64_t now_ms = fed_loop_now_ms(client->loop);

    if (!h)
        return;
    enter(s);
    if (now_ms >= h->deadline_ms && h->resolve)
        dtls_client_over(
            s, FED_ERR_TIMEOUT, "the name cannot be resolved: no answer in %u ms", h->timeout_ms);
    else if (now_ms >= h->deadline_ms)
        dtls_client_explain(s, true);
    else if (h->heard || now_ms < h->address_ms || !dtls_client_next(s))
        handshake_due(s, now_ms);
    leave(client->mem, s);
}

/* ---- addresses ---- */

static struct dtls_address address_of(const struct fed_resolve_address *from, uint16_t port)
{
    struct dtls_address address = {
        .family = from->len == 4 ? AF_INET : AF_INET6, .scope = from->scope, .port = port};

    memcpy(address.ip, from->bytes, from->len);
    return address;
}

static enum fed_err socket_open(struct fed_dtls_client *client, struct dtls_client_session *s,
    const struct dtls_address *address, struct fed_diag *diag)
{
    struct sockaddr_storage system;
    socklen_t len = dtls_address_to_system(address, &system);

    s->address = *address;
    s->fd = socket(address->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&system, len) != 0)
        return fed_diag_set(
            diag, FED_ERR_NETWORK, "%s: no way there: %s", client->peer, strerror(errno));
    return client->loop->watch_new(client->loop->ctx, s->fd, FED_LOOP_READ, on_ready, s, &s->watch);
}

/* The first of the addresses from the present one on to which there is a way. */
static enum fed_err handshake_address(struct dtls_client_session *s, struct fed_diag *diag)
{
    struct dtls_client_handshake *h = s->handshake;
    enum fed_err err = FED_ERR_NETWORK;

    for (; h->address < h->n_addresses; h->address++) {
        err = socket_open(s->client, s, &h->addresses[h->address], diag);
        if (!err)
            break;
        socket_close(s->client, s);
    }
    h->address_ms = fed_loop_now_ms(s->client->loop) + DTLS_CLIENT_ADDRESS_MS;
    return err;
}

bool dtls_client_next(struct dtls_client_session *s)
{
    struct dtls_client_handshake *h = s->handshake;
    struct fed_diag diag = {""};

    if (h->address + 1 >= h->n_addresses)
        return false;
    socket_close(s->client, s);
    h->address++;
    h->unreachable = h->heard = false;
    h->soft_due_ms = h->hard_due_ms = 0;
    if (mbedtls_ssl_session_reset(&s->ssl) != 0 ||
        mbedtls_ssl_set_cid(&s->ssl, MBEDTLS_SSL_CID_ENABLED, NULL, 0) != 0 ||
        dtls_client_recall(s))
        dtls_client_over(s, FED_ERR_NOMEM, "out of memory");
    else if (handshake_address(s, &diag))
        dtls_client_over(s, FED_ERR_NETWORK, "no way to any of its addresses");
    else
        dtls_client_handshake_step(s);
    return true;
}

static void on_resolved(void *ctx, enum fed_err err, const struct fed_resolve_address *addresses,
    size_t n, const struct fed_diag *diag)
{
    struct dtls_client_session *s = ctx;
    struct dtls_client_handshake *h = s->handshake;
    struct fed_alloc *mem = s->client->mem;
    struct fed_diag why = {""};

    h->resolve = NULL;
    for (size_t i = 0; i < n && i < DTLS_CLIENT_ADDRESSES_MAX; i++)
        h->addresses[h->n_addresses++] = address_of(&addresses[i], h->port);
    enter(s);
    if (err)
        dtls_client_over(s, err, "%s", diag->text);
    else if (handshake_address(s, &why))
        dtls_client_over(s, FED_ERR_NETWORK, "no way to any of its addresses");
    else
        dtls_client_handshake_step(s);
    leave(mem, s);
}

/* A literal address needs nobody; a name is looked up beside the loop. */
static enum fed_err resolve(struct dtls_client_session *s, const char *host, struct fed_diag *diag)
{
    struct dtls_client_handshake *h = s->handshake;
    struct fed_resolve_address literal;

    if (!fed_resolve_literal(host, &literal))
        return fed_resolve_start(
            s->client->mem, s->client->loop, host, on_resolved, s, &h->resolve, diag);
    h->addresses[0] = address_of(&literal, h->port);
    h->n_addresses = 1;
    return handshake_address(s, diag);
}

/* ---- the contract ---- */

static void peer_set(struct fed_dtls_client *client, const char *host, uint16_t port)
{
    snprintf(client->peer, sizeof(client->peer), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
        (unsigned)port);
}

static struct dtls_client_session *session_new(struct fed_dtls_client *client)
{
    struct dtls_client_session *s = fed_alloc_zero(client->mem, sizeof(*s));

    if (!s)
        return NULL;
    s->client = client;
    s->fd = -1;
    mbedtls_ssl_config_init(&s->config);
    mbedtls_ssl_init(&s->ssl);
    return s;
}

static enum fed_err connect_start(struct dtls_client_session *s, const char *host, uint16_t port,
    const struct fed_dtls_identity *identity, unsigned timeout_ms, struct fed_diag *diag)
{
    struct fed_dtls_client *client = s->client;
    struct dtls_client_handshake *h;
    enum fed_err err;

    h = s->handshake = fed_alloc_zero(client->mem, sizeof(*h));
    if (!h)
        return fed_diag_set(diag, FED_ERR_NOMEM, "%s: out of memory", client->peer);
    mbedtls_x509_crt_init(&h->own);
    mbedtls_x509_crt_init(&h->ca);
    mbedtls_pk_init(&h->key);
    h->alert = -1;
    h->timeout_ms = timeout_ms;
    h->deadline_ms = fed_loop_now_ms(client->loop) + timeout_ms;
    h->port = port;
    err = dtls_client_session_init(s, identity, diag);
    return err ? err : resolve(s, host, diag);
}

enum fed_err fed_dtls_client_connect(struct fed_dtls_client *client, const char *host,
    uint16_t port, const struct fed_dtls_identity *identity, unsigned timeout_ms,
    struct fed_diag *diag)
{
    struct dtls_client_session *s;
    enum fed_err err;

    if (client->session)
        return fed_diag_set(diag, FED_ERR_BUSY, "there is a session already");
    peer_set(client, host, port);
    s = session_new(client);
    if (!s)
        return fed_diag_set(diag, FED_ERR_NOMEM, "%s: out of memory", client->peer);
    client->session = s;
    client->narrow = false;
    err = connect_start(s, host, port, identity, timeout_ms, diag);
    if (err) {
        session_drop(client);
        return err;
    }
    /* The first ClientHello leaves from the loop: whatever happens then can be told. */
    client->loop->timer_set(client->loop->ctx, client->timer,
        s->handshake->resolve ? s->handshake->deadline_ms : fed_loop_now_ms(client->loop));
    return FED_OK;
}

void fed_dtls_client_disconnect(struct fed_dtls_client *client)
{
    if (!client->session)
        return;
    if (!client->session->handshake)
        mbedtls_ssl_close_notify(&client->session->ssl);
    session_drop(client);
}

enum fed_err fed_dtls_client_send(struct fed_dtls_client *client, struct fed_span record)
{
    int code;

    if (!client->session || client->session->handshake)
        return FED_ERR_CLOSED;
    if (record.len > FED_DTLS_RECORD_MAX)
        return FED_ERR_LIMIT;
    code = mbedtls_ssl_write(&client->session->ssl, record.at, record.len);
    return code >= 0 ? FED_OK : FED_ERR_TLS;
}

enum fed_err fed_dtls_client_save(struct fed_dtls_client *client, struct fed_buf *out)
{
    struct dtls_client_session *s = client->session;
    size_t before = out->len;
    uint8_t *at;
    size_t len = 0;
    int code;

    if (!s || s->handshake)
        return FED_ERR_CLOSED;
    /* With the hub's address: who goes on needs no look-up. */
    fed_buf_put_u8(out, DTLS_CLIENT_SAVED_FORMAT);
    fed_buf_put_u8(out, s->address.family == AF_INET ? 4 : 16);
    fed_buf_put(out, fed_span_of(s->address.ip, sizeof(s->address.ip)));
    fed_buf_put_u32(out, s->address.scope);
    dtls_client_kept_put(&client->kept, out);
    at = fed_buf_room(out, DTLS_CLIENT_SAVED_MAX);
    if (!at) {
        session_drop(client);
        return fed_buf_err(out);
    }
    code = mbedtls_ssl_context_save(&s->ssl, at, DTLS_CLIENT_SAVED_MAX, &len);
    if (code)
        fed_buf_cut(out, before);
    if (code == MBEDTLS_ERR_SSL_BAD_INPUT_DATA || code == MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL)
        return FED_ERR_UNSUPPORTED;
    session_drop(client);
    if (code)
        return FED_ERR_NOMEM;
    fed_buf_grew(out, len);
    return FED_OK;
}

static enum fed_err saved_address(struct fed_span *saved, uint16_t port, struct dtls_address *out,
    struct dtls_client_kept *kept, struct fed_diag *diag)
{
    struct fed_resolve_address address = {.len = 0};
    struct fed_span ip;
    uint8_t format = 0;
    enum fed_err err = fed_span_take_u8(saved, &format);

    if (!err && format != DTLS_CLIENT_SAVED_FORMAT)
        return fed_diag_set(diag, FED_ERR_UNSUPPORTED, "another build saved the session");
    if (!err)
        err = fed_span_take_u8(saved, &address.len);
    if (!err)
        err = fed_span_take_bytes(saved, sizeof(address.bytes), &ip);
    if (!err)
        err = fed_span_take_u32(saved, &address.scope);
    if (!err)
        err = dtls_client_kept_take(saved, kept);
    if (err || (address.len != 4 && address.len != 16))
        return fed_diag_set(diag, FED_ERR_INVALID, "the saved session cannot be read");
    memcpy(address.bytes, ip.at, sizeof(address.bytes));
    *out = address_of(&address, port);
    return FED_OK;
}

static enum fed_err restore(
    struct dtls_client_session *s, uint16_t port, struct fed_span saved, struct fed_diag *diag)
{
    struct dtls_address address;
    enum fed_err err = saved_address(&saved, port, &address, &s->client->kept, diag);
    int code;

    if (!err)
        err = dtls_client_session_init(s, NULL, diag);
    if (err)
        return err;
    code = mbedtls_ssl_context_load(&s->ssl, saved.at, saved.len);
    if (code == MBEDTLS_ERR_SSL_VERSION_MISMATCH)
        return fed_diag_set(diag, FED_ERR_UNSUPPORTED, "another build saved the session");
    if (code)
        return fed_mbed_error(diag, FED_ERR_INVALID, code, "saved session");
    mbedtls_ssl_set_mtu(&s->ssl, 0);
    return socket_open(s->client, s, &address, diag);
}

enum fed_err fed_dtls_client_restore(struct fed_dtls_client *client, const char *host,
    uint16_t port, struct fed_span saved, struct fed_diag *diag)
{
    enum fed_err err;

    if (client->session)
        return fed_diag_set(diag, FED_ERR_BUSY, "there is a session already");
    peer_set(client, host, port);
    client->session = session_new(client);
    if (!client->session)
        return fed_diag_set(diag, FED_ERR_NOMEM, "%s: out of memory", client->peer);
    err = restore(client->session, port, saved, diag);
    if (err)
        session_drop(client);
    return err;
}

void fed_dtls_client_stats(const struct fed_dtls_client *client, struct fed_dtls_session_stats *out)
{
    *out = client->stats;
}

bool fed_dtls_client_is_narrow(const struct fed_dtls_client *client)
{
    return client->narrow;
}

const char *fed_dtls_client_peer(const struct fed_dtls_client *client)
{
    return client->peer;
}

enum fed_err fed_dtls_client_open(struct fed_alloc *mem, struct fed_loop *loop,
    const struct fed_dtls_client_events *events, struct fed_dtls_client **out,
    struct fed_diag *diag)
{
    struct fed_dtls_client *client = fed_alloc_zero(mem, sizeof(*client));

    if (!client)
        return fed_diag_set(diag, FED_ERR_NOMEM, "DTLS client: out of memory");
    client->mem = mem;
    client->loop = loop;
    client->events = *events;
    if (loop->timer_new(loop->ctx, on_timer, client, &client->timer)) {
        fed_alloc_free(mem, client, sizeof(*client));
        return fed_diag_set(diag, FED_ERR_NOMEM, "DTLS client: out of memory");
    }
    *out = client;
    return FED_OK;
}

void fed_dtls_client_close(struct fed_dtls_client *client)
{
    if (!client)
        return;
    fed_dtls_client_disconnect(client);
    dtls_client_forget(&client->kept);
    client->loop->timer_free(client->loop->ctx, client->timer);
    fed_alloc_free(client->mem, client, sizeof(*client));
}
