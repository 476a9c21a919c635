/* peer.c - one authenticated peer: what arrives from it, and when it has to be looked at next. */
#include "ports/coap/server.h"

#include <string.h>

/* ---- life ---- */

struct fed_link_session *fed_coap_peer_new(struct fed_link_server *server, void *transport)
{
    struct fed_link_session *s = fed_alloc_zero(server->mem, sizeof(*s));

    if (!s)
        return NULL;
    if (fed_coap_due_reserve(&server->due, &s->due)) {
        fed_alloc_free(server->mem, s, sizeof(*s));
        return NULL;
    }
    s->server = server;
    s->transport = transport;
    s->szx = FED_COAP_SZX_MAX;
    s->next_mid = (uint16_t)fed_coap_server_random(server);
    s->next = server->sessions;
    s->link = &server->sessions;
    if (s->next)
        s->next->link = &s->next;
    server->sessions = s;
    return s;
}

static void exchanges_orphan(struct fed_link_session *s)
{
    while (s->exchanges) {
        struct fed_link_exchange *e = s->exchanges;

        s->exchanges = e->next;
        e->session = NULL;
        e->next = s->server->orphans;
        s->server->orphans = e;
    }
}

static void peer_destroy(struct fed_link_session *s)
{
    struct fed_alloc *mem = s->server->mem;

    exchanges_orphan(s);
    fed_coap_outgoing_clear(s);
    fed_coap_body_free(s);
    fed_coap_peer_upload_free(s);
    for (size_t i = 0; i < FED_COAP_RECENT_MAX; i++)
        fed_alloc_free(mem, s->recent[i].bytes, s->recent[i].len);
    fed_coap_due_release(&s->server->due, &s->due);
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    fed_alloc_free(mem, s, sizeof(*s));
}

void fed_coap_peer_free(struct fed_link_session *s)
{
    s->closed = true;
    if (s->busy == 0)
        peer_destroy(s);
}

void fed_coap_peer_enter(struct fed_link_session *s)
{
    s->busy++;
}

void fed_coap_peer_leave(struct fed_link_session *s)
{
    s->busy--;
    if (s->busy == 0 && s->closed)
        peer_destroy(s);
}

void fed_coap_peer_send(struct fed_link_session *s, struct fed_span bytes)
{
    if (s->closed)
        return;
    /* Whatever fails here is repaired like a loss on the way: by repetition. */
    if (s->server->transport->send(s->transport, bytes))
        fed_log(s->server->log, FED_LOG_DEBUG, "coap: a datagram of %zu bytes could not be sent",
            bytes.len);
}

/* ---- time ---- */

void fed_coap_peer_arm(struct fed_link_session *s)
{
    uint64_t due_ms = s->outgoing ? s->retry_ms : FED_COAP_NEVER;

    if (s->body && s->body->expires_ms < due_ms)
        due_ms = s->body->expires_ms;
    if (s->upload && s->upload->expires_ms < due_ms)
        due_ms = s->upload->expires_ms;
    for (const struct fed_link_exchange *e = s->exchanges; e; e = e->next)
        if (e->type == FED_COAP_CON && !e->acknowledged && e->ack_due_ms < due_ms)
            due_ms = e->ack_due_ms;
    fed_coap_due_set(&s->server->due, &s->due, due_ms);
    fed_coap_server_arm(s->server);
}

static void send_empty(struct fed_link_session *s, enum fed_coap_type type, uint16_t mid)
{
    struct fed_coap_writer w;

    fed_coap_writer_begin(&w, type, FED_COAP_CODE_EMPTY, mid, NULL, 0);
    fed_coap_peer_send(s, fed_span_of(w.bytes, w.len));
}

void fed_coap_peer_ping(struct fed_link_session *s)
{
    send_empty(s, FED_COAP_CON, s->next_mid++);
}

void fed_coap_peer_due(struct fed_link_session *s)
{
    uint64_t now_ms = fed_loop_now_ms(s->server->loop);

    fed_coap_peer_enter(s);
    if (s->body && s->body->expires_ms <= now_ms)
        fed_coap_body_free(s);
    if (s->upload && s->upload->expires_ms <= now_ms)
        fed_coap_peer_upload_free(s);
    for (struct fed_link_exchange *e = s->exchanges; e; e = e->next) {
        if (e->type != FED_COAP_CON || e->acknowledged || e->ack_due_ms > now_ms)
            continue;
        e->acknowledged = true;
        send_empty(s, FED_COAP_ACK, e->mid);
    }
    fed_coap_outgoing_due(s);
    if (!s->closed)
        fed_coap_peer_arm(s);
    fed_coap_peer_leave(s);
}

/* ---- requests ---- */

static void key_set(const struct fed_coap_message *m, struct fed_coap_key *key)
{
    key->bytes[0] = m->code;
    memcpy(key->bytes + 1, m->path, m->path_len);
    key->bytes[1 + m->path_len] = '?';
    memcpy(key->bytes + 2 + m->path_len, m->query, m->query_len);
    key->len = 2 + m->path_len + m->query_len;
}

/* RFC 7252 section 4.2. Repeated GETs are simply served again, they have no effect. */
static bool is_repetition(struct fed_link_session *s, const struct fed_coap_message *m)
{
    uint64_t now_ms = fed_loop_now_ms(s->server->loop);

    for (const struct fed_link_exchange *e = s->exchanges; e; e = e->next) {
        if (e->mid != m->mid || e->type != m->type)
            continue;
        if (e->acknowledged)
            send_empty(s, FED_COAP_ACK, m->mid);
        return true;
    }
    if (m->code != FED_COAP_CODE_POST)
        return false;
    for (size_t i = 0; i < FED_COAP_RECENT_MAX; i++) {
        const struct fed_coap_recent *r = &s->recent[i];

        if (r->bytes && r->mid == m->mid && r->expires_ms > now_ms) {
            fed_coap_peer_send(s, fed_span_of(r->bytes, r->len));
            return true;
        }
    }
    return false;
}

/* Which of the answers its peer takes is not known: the first may have been lost, or only late. */
static bool is_served(const struct fed_link_session *s, const struct fed_coap_message *m)
{
    uint64_t now_ms = fed_loop_now_ms(s->server->loop);

    for (size_t i = 0; m->code == FED_COAP_CODE_GET && i < FED_COAP_SERVED_MAX; i++)
        if (s->served[i].mid == m->mid && s->served[i].expires_ms > now_ms)
            return true;
    return false;
}

static struct fed_link_exchange *exchange_new(struct fed_link_session *s,
    const struct fed_coap_message *m, const struct fed_coap_key *key, bool again)
{
    struct fed_link_exchange *e = fed_alloc_get(s->server->mem, sizeof(*e));

    if (!e)
        return NULL;
    *e = fed_coap_exchange_of(s, m, key, again);
    e->next = s->exchanges;
    s->exchanges = e;
    s->n_exchanges++;
    return e;
}

void fed_coap_peer_request(struct fed_link_session *s, const struct fed_coap_message *m,
    const struct fed_coap_key *key, struct fed_span payload, bool again)
{
    const struct fed_link_server_events *events = &s->server->events;
    struct fed_link_exchange *e =
        s->n_exchanges < FED_COAP_EXCHANGES_MAX ? exchange_new(s, m, key, again) : NULL;
    struct fed_link_server_request request = {
        .method = m->code == FED_COAP_CODE_GET ? FED_LINK_GET : FED_LINK_POST,
        .path = fed_span_of(m->path, m->path_len),
        .query = fed_span_of(m->query, m->query_len),
        .payload = payload,
        .observe = e && e->observe,
        .again = again};

    if (!e) {
        fed_coap_answer_code(s, m, FED_LINK_UNAVAILABLE);
        return;
    }
    events->request(events->ctx, s, e, &request);
    if (!s->closed)
        fed_coap_peer_arm(s); /* when it was not answered at once */
}

static void on_request(struct fed_link_session *s, const struct fed_coap_message *m)
{
    struct fed_coap_key key;
    bool again;

    if (is_repetition(s, m))
        return;
    again = is_served(s, m);
    if (m->code != FED_COAP_CODE_GET && m->code != FED_COAP_CODE_POST) {
        fed_coap_answer_code(s, m, FED_LINK_NOT_ALLOWED);
        return;
    }
    if (m->payload.len > FED_COAP_REQUEST_MAX || (m->has_block1 && m->code != FED_COAP_CODE_POST)) {
        fed_coap_answer_code(s, m, FED_LINK_TOO_LARGE);
        return;
    }
    key_set(m, &key);
    if (m->has_block2)
        s->szx = m->block2_szx;
    if (fed_coap_answer_block(s, m, &key, again))
        return;
    if (m->code == FED_COAP_CODE_POST && m->block2_num > 0) {
        fed_coap_answer_code(
            s, m, 408); /* its answer is gone, and it must not act twice (RFC 7959 section 2.9.2) */
        return;
    }
    if (m->has_block1) {
        fed_coap_peer_upload(s, m, &key);
        return;
    }
    if (m->has_observe && m->observe == 1 && m->code == FED_COAP_CODE_GET && !again)
        fed_coap_observation_drop(s);
    fed_coap_peer_request(s, m, &key, m->payload, again);
}

/* ---- everything that arrives ---- */

static bool is_request(const struct fed_coap_message *m)
{
    return (m->type == FED_COAP_CON || m->type == FED_COAP_NON) && m->code != FED_COAP_CODE_EMPTY &&
           m->code >> 5 == 0;
}

static void on_message(
    struct fed_link_session *s, enum fed_coap_verdict verdict, const struct fed_coap_message *m)
{
    if (verdict == FED_COAP_IGNORE)
        return;
    if (m->type == FED_COAP_ACK || m->type == FED_COAP_RST) {
        if (verdict == FED_COAP_GOOD && m->code == FED_COAP_CODE_EMPTY)
            fed_coap_outgoing_answered(s, m);
    } else if (verdict == FED_COAP_MALFORMED || !is_request(m)) {
        if (m->type == FED_COAP_CON)
            send_empty(
                s, FED_COAP_RST, m->mid); /* also the answer to a ping (RFC 7252 section 4.3) */
    } else if (verdict == FED_COAP_BAD_OPTION) {
        fed_coap_answer_code(s, m, 402);
    } else if (verdict == FED_COAP_BAD_REQUEST) {
        fed_coap_answer_code(s, m, FED_LINK_BAD_REQUEST);
    } else {
        on_request(s, m);
    }
}

void fed_coap_peer_received(struct fed_link_session *s, struct fed_span bytes)
{
    const struct fed_link_server_events *events = &s->server->events;
    struct fed_coap_message m;
    enum fed_coap_verdict verdict = fed_coap_message_parse(bytes, &m);

    fed_coap_peer_enter(s);
    events->alive(events->ctx, s);
    if (!s->closed)
        on_message(s, verdict, &m);
    if (!s->closed)
        fed_coap_outgoing_heard(s);
    fed_coap_peer_leave(s);
}
