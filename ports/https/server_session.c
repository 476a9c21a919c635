/* server_session.c - sessions: which connections belong together, and when that is over. */
#include "ports/https/server.h"

#include <stdio.h>
#include <string.h>

/* ---- lists ---- */
static void list_put(struct fed_https_session *s)
{
    struct fed_https_sessions *list = s->list;

    s->prev = list->last;
    s->next = NULL;
    if (list->last)
        list->last->next = s;
    else
        list->first = s;
    list->last = s;
    list->n++;
}

static void list_take(struct fed_https_session *s)
{
    struct fed_https_sessions *list = s->list;

    if (s->prev)
        s->prev->next = s->next;
    else
        list->first = s->next;
    if (s->next)
        s->next->prev = s->prev;
    else
        list->last = s->prev;
    list->n--;
}

static struct fed_span key_span(const struct fed_https_key *key)
{
    return fed_span_of(key, sizeof(*key));
}

/* ---- those that we ended ---- */
static void remember(struct fed_https_server *server, const struct fed_https_key *key)
{
    server->ended[server->ended_next] = (struct fed_https_ended){
        .key = *key, .until_ms = fed_loop_now_ms(server->loop) + FED_HTTPS_ENDED_MS};
    server->ended_next = (server->ended_next + 1) % FED_HTTPS_ENDED_MAX;
}

static bool is_ended(const struct fed_https_server *server, const struct fed_https_key *key)
{
    uint64_t now_ms = fed_loop_now_ms(server->loop);

    for (size_t i = 0; i < FED_HTTPS_ENDED_MAX; i++)
        if (server->ended[i].until_ms > now_ms &&
            memcmp(&server->ended[i].key, key, sizeof(*key)) == 0)
            return true;
    return false;
}

/* ---- end ---- */
static void destroy(struct fed_https_session *s)
{
    fed_buf_fini(&s->waiting_body);
    fed_alloc_free(s->server->mem, s, sizeof(*s));
}

void fed_https_session_enter(struct fed_https_session *s)
{
    s->busy++;
}

void fed_https_session_leave(struct fed_https_session *s)
{
    s->busy--;
    if (s->busy == 0 && s->closed)
        destroy(s);
}

enum memory { FORGET, REMEMBER };

/* Nobody finds it any more, its connections close once what was answered is sent. */
static void session_close(struct fed_https_session *s, enum memory memory)
{
    struct fed_https_server *server = s->server;

    if (s->closed)
        return;
    s->closed = true;
    fed_https_session_enter(s);
    fed_map_remove(&server->by_key, key_span(&s->key));
    list_take(s);
    if (memory == REMEMBER)
        remember(server, &s->key);
    fed_https_stream_end(s);
    while (s->exchanges)
        fed_https_exchange_orphan(s->exchanges);
    for (size_t i = 0; i < s->n_conns; i++) {
        fed_http_conn_set_user(s->conns[i], server); /* whose session is over */
        fed_http_conn_end(s->conns[i]);
    }
    s->n_conns = 0;
    fed_https_session_leave(s);
}

static void session_over(struct fed_https_session *s, const char *why, enum memory memory)
{
    const struct fed_link_server_events *events = &s->server->events;

    fed_https_session_enter(s);
    events->closed(events->ctx, (struct fed_link_session *)s, why);
    session_close(s, memory);
    fed_https_session_leave(s);
}

void fed_https_session_close(struct fed_link_session *session)
{
    session_close((struct fed_https_session *)session, REMEMBER);
}

void fed_https_session_left(struct fed_https_session *s, struct fed_http_conn *conn)
{
    uint64_t sent;
    uint64_t received;

    fed_http_conn_bytes(conn, &sent, &received);
    s->past_sent += sent;
    s->past_received += received;
    for (size_t i = 0; i < s->n_conns; i++)
        if (s->conns[i] == conn)
            s->conns[i] = s->conns[--s->n_conns];
    if (s->n_conns == 0)
        session_over(s, "its connection ended", FORGET);
    else if (s->stream_conn == conn)
        session_over(s, "the connection of its notifications ended", REMEMBER);
}

static uint64_t list_tick(struct fed_https_sessions *list, uint64_t now_ms)
{
    while (list->first && list->first->alive_ms + list->idle_ms <= now_ms) {
        char why[64];

        snprintf(why, sizeof(why), "silent for %llu s", (unsigned long long)list->idle_ms / 1000u);
        session_over(list->first, why, REMEMBER);
    }
    return list->first ? list->first->alive_ms + list->idle_ms : UINT64_MAX;
}

uint64_t fed_https_sessions_tick(struct fed_https_server *server)
{
    uint64_t now_ms = fed_loop_now_ms(server->loop);
    uint64_t agents = list_tick(&server->agents, now_ms);
    uint64_t guests = list_tick(&server->guests, now_ms);

    return agents < guests ? agents : guests;
}

void fed_https_sessions_free(struct fed_https_server *server)
{
    while (server->agents.first)
        session_close(server->agents.first, FORGET);
    while (server->guests.first)
        session_close(server->guests.first, FORGET);
}

/* ---- life ---- */
struct fed_https_session *fed_https_session_at(
    const struct fed_https_server *server, const struct fed_http_conn *conn)
{
    void *user = fed_http_conn_user(conn);

    return user == server ? NULL : user;
}

void fed_https_session_alive(struct fed_https_session *s)
{
    const struct fed_link_server_events *events = &s->server->events;

    s->alive_ms = fed_loop_now_ms(s->server->loop);
    list_take(s);
    list_put(s);
    fed_https_session_enter(s);
    events->alive(events->ctx, (struct fed_link_session *)s);
    fed_https_session_leave(s);
}

/* ---- beginning ---- */
static struct fed_https_key key_of(
    const struct fed_https_ask *ask, const struct fed_crypto_cert_info *cert)
{
    struct fed_https_key key;

    memset(&key, 0, sizeof(key));
    memcpy(key.id, ask->session, sizeof(key.id));
    if (cert)
        memcpy(key.cert, cert->fingerprint.bytes, sizeof(key.cert));
    return key;
}

static bool has_room(const struct fed_https_server *server, const struct fed_https_sessions *list)
{
    return server->agents.n + server->guests.n < server->sessions_max &&
           (list != &server->guests || list->n < server->sessions_max / FED_HTTPS_GUESTS_PART);
}

static struct fed_https_session *session_new(struct fed_https_server *server,
    const struct fed_https_key *key, struct fed_https_sessions *list)
{
    struct fed_https_session *s = fed_alloc_zero(server->mem, sizeof(*s));

    if (!s || fed_map_put(&server->by_key, key_span(key), s)) {
        fed_alloc_free(server->mem, s, sizeof(*s));
        return NULL;
    }
    s->server = server;
    s->key = *key;
    s->list = list;
    s->alive_ms = fed_loop_now_ms(server->loop);
    fed_buf_init(&s->waiting_body, server->mem, FED_HTTPS_RECORD_MAX);
    list_put(s);
    return s;
}

static enum fed_err session_open(struct fed_https_server *server, const struct fed_https_key *key,
    const struct fed_http_request *request, struct fed_https_session **out, struct fed_diag *diag)
{
    struct fed_https_sessions *list = request->peer ? &server->agents : &server->guests;
    struct fed_link_peer peer = {.cert = request->peer};
    char address[64];

    if (is_ended(server, key))
        return fed_diag_set(diag, FED_ERR_CLOSED, "session ended");
    if (!has_room(server, list))
        return fed_diag_set(diag, FED_ERR_BUSY, "there are too many sessions");
    *out = session_new(server, key, list);
    if (!*out)
        return fed_diag_set(diag, FED_ERR_NOMEM, "out of memory");
    if (fed_span_to_cstr(request->peer_address, address, sizeof(address)))
        address[0] = 0;
    peer.address = address;
    server->loop->timer_set(server->loop->ctx, server->timer, fed_loop_now_ms(server->loop));
    fed_https_session_enter(*out);
    server->events.opened(server->events.ctx, (struct fed_link_session *)*out, &peer);
    return FED_OK;
}

enum fed_err fed_https_session_of(struct fed_https_server *server, struct fed_http_exchange *http,
    const struct fed_https_ask *ask, struct fed_https_session **out, struct fed_diag *diag)
{
    const struct fed_http_request *request = fed_http_exchange_request(http);
    struct fed_http_conn *conn = fed_http_exchange_conn(http);
    struct fed_https_key key = key_of(ask, request->peer);
    struct fed_https_session *s = fed_http_conn_user(conn);
    enum fed_err err = FED_OK;

    if ((void *)s == server)
        return fed_diag_set(diag, FED_ERR_CLOSED, "session ended");
    if (s && memcmp(&s->key, &key, sizeof(key)) != 0)
        return fed_diag_set(diag, FED_ERR_INVALID, "this connection belongs to another session");
    if (s) {
        fed_https_session_enter(s);
        *out = s;
        return FED_OK;
    }
    s = fed_map_get(&server->by_key, key_span(&key));
    if (s && s->n_conns == FED_HTTPS_CONNECTIONS_MAX)
        return fed_diag_set(
            diag, FED_ERR_LIMIT, "a session has at most %u connections", FED_HTTPS_CONNECTIONS_MAX);
    if (s)
        fed_https_session_enter(s);
    else
        err = session_open(server, &key, request, &s, diag);
    if (err)
        return err;
    if (!s->closed) {
        s->conns[s->n_conns++] = conn;
        fed_http_conn_set_user(conn, s);
    }
    *out = s;
    return FED_OK;
}

/* ---- the contract ---- */
void fed_https_session_id(const struct fed_link_session *session, uint8_t out[FED_LINK_ID_SIZE])
{
    memcpy(out, ((const struct fed_https_session *)session)->key.id, FED_LINK_ID_SIZE);
}

void fed_https_session_touch(struct fed_link_session *session)
{
    struct fed_https_session *s = (struct fed_https_session *)session;

    if (s->closed)
        return;
    s->alive_ms = fed_loop_now_ms(s->server->loop);
    list_take(s);
    list_put(s);
}

void fed_https_session_set_user(struct fed_link_session *session, void *user)
{
    ((struct fed_https_session *)session)->user = user;
}

void *fed_https_session_user(const struct fed_link_session *session)
{
    return ((const struct fed_https_session *)session)->user;
}

void fed_https_session_stats(const struct fed_link_session *session, struct fed_link_stats *out)
{
    const struct fed_https_session *s = (const struct fed_https_session *)session;

    *out = (struct fed_link_stats){.sent_bytes = s->past_sent, .received_bytes = s->past_received};
    for (size_t i = 0; i < s->n_conns; i++) {
        uint64_t sent;
        uint64_t received;

        fed_http_conn_bytes(s->conns[i], &sent, &received);
        out->sent_bytes += sent;
        out->received_bytes += received;
    }
}

const struct fed_link_calls *fed_https_calls(void)
{
    static const struct fed_link_calls calls = {.name = "https",
        .set_user = fed_https_session_set_user,
        .user = fed_https_session_user,
        .close = fed_https_session_close,
        .answer = fed_https_answer,
        .notify = fed_https_notify,
        .stats = fed_https_session_stats};

    return &calls;
}
