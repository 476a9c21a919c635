/* outgoing.c - confirmable messages of our own: notifications and answers that came late. One is
 * under way to a peer at a time (NSTART 1, RFC 7252 section 4.7); the others wait behind it. */
#include "ports/coap/server.h"

#include <string.h>

static size_t outgoing_size(size_t len)
{
    return sizeof(struct fed_coap_outgoing) + len;
}

static void send_first(struct fed_link_session *s)
{
    s->sent_ms = fed_loop_now_ms(s->server->loop);
    fed_coap_peer_send(s, fed_span_of(s->outgoing->bytes, s->outgoing->len));
}

static void start_first(struct fed_link_session *s)
{
    if (!s->outgoing)
        return;
    s->tries = 1;
    s->timeout_ms =
        FED_COAP_ACK_TIMEOUT_MS + fed_coap_server_random(s->server) % FED_COAP_ACK_SPREAD_MS;
    s->retry_ms = fed_loop_now_ms(s->server->loop) + s->timeout_ms;
    send_first(s);
}

static void take(struct fed_link_session *s, struct fed_coap_outgoing **link)
{
    struct fed_coap_outgoing *o = *link;

    *link = o->next;
    s->n_outgoing--;
    fed_alloc_free(s->server->mem, o, outgoing_size(o->len));
}

static void drop_notifications(struct fed_link_session *s, struct fed_coap_outgoing **link)
{
    while (*link) {
        if ((*link)->notification)
            take(s, link);
        else
            link = &(*link)->next;
    }
}

static struct fed_coap_outgoing *outgoing_new(
    struct fed_link_session *s, const struct fed_coap_writer *w, bool notification, uint64_t tag)
{
    struct fed_coap_outgoing *o = fed_alloc_get(s->server->mem, outgoing_size(w->len));

    if (!o)
        return NULL;
    o->next = NULL;
    o->notification = notification;
    o->tag = tag;
    o->len = w->len;
    memcpy(o->bytes, w->bytes, w->len);
    o->mid = (uint16_t)(w->bytes[2] << 8 | w->bytes[3]);
    o->token_len = w->bytes[0] & 15;
    memcpy(o->token, w->bytes + 4, o->token_len);
    return o;
}

enum fed_err fed_coap_outgoing_add(
    struct fed_link_session *s, const struct fed_coap_writer *w, bool notification, uint64_t tag)
{
    struct fed_coap_outgoing **link;
    struct fed_coap_outgoing *o;

    if (w->failed)
        return FED_ERR_LIMIT;
    if (s->n_outgoing >= FED_COAP_OUTGOING_MAX)
        return FED_ERR_BUSY;
    o = outgoing_new(s, w, notification, tag);
    if (!o)
        return FED_ERR_NOMEM;
    /* One that waits is out of date as soon as there is a newer one (RFC 7641 section 4.5.2). */
    if (notification && s->outgoing)
        drop_notifications(s, &s->outgoing->next);
    for (link = &s->outgoing; *link;)
        link = &(*link)->next;
    *link = o;
    s->n_outgoing++;
    if (s->outgoing == o)
        start_first(s);
    fed_coap_peer_arm(s);
    return FED_OK;
}

static bool is_observation(const struct fed_link_session *s, const struct fed_coap_outgoing *o)
{
    return s->observed && o->token_len == s->observe_token_len &&
           memcmp(o->token, s->observe_token, o->token_len) == 0;
}

/* The first one is over; the next begins. Its owner hears of it last: it may close the session. */
static void first_over(struct fed_link_session *s, bool delivered)
{
    const struct fed_link_server_events *events = &s->server->events;
    bool report = s->outgoing->notification && is_observation(s, s->outgoing);
    uint64_t tag = s->outgoing->tag;

    take(s, &s->outgoing);
    if (report && !delivered) {
        s->observed = false;
        drop_notifications(s, &s->outgoing);
    }
    start_first(s);
    fed_coap_peer_arm(s);
    if (report)
        events->notified(events->ctx, s, tag, delivered);
}

void fed_coap_outgoing_answered(struct fed_link_session *s, const struct fed_coap_message *m)
{
    if (s->outgoing && s->outgoing->mid == m->mid)
        first_over(s, m->type == FED_COAP_ACK);
}

/* It may be too large for the path: whoever sent it has a smaller one. */
static bool is_unfit(const struct fed_link_session *s)
{
    const struct fed_coap_outgoing *o = s->outgoing;

    return s->server->events.unfit && s->tries >= FED_COAP_NOTIFY_SENDS &&
           o->len > FED_COAP_NOTIFY_SMALL && o->notification && is_observation(s, o);
}

static void give_back(struct fed_link_session *s)
{
    const struct fed_link_server_events *events = &s->server->events;
    uint64_t tag = s->outgoing->tag;

    take(s, &s->outgoing);
    start_first(s);
    fed_coap_peer_arm(s);
    events->unfit(events->ctx, s, tag);
}

void fed_coap_outgoing_due(struct fed_link_session *s)
{
    uint64_t now_ms = fed_loop_now_ms(s->server->loop);

    if (!s->outgoing || s->retry_ms > now_ms)
        return;
    if (s->tries > FED_COAP_MAX_RETRANSMIT) {
        first_over(s, false);
        return;
    }
    if (is_unfit(s)) {
        give_back(s);
        return;
    }
    s->tries++;
    s->timeout_ms *= 2;
    s->retry_ms = now_ms + s->timeout_ms;
    send_first(s);
}

/* A peer that says something may have been out of reach when this was sent: it gets it now, and not
 * when a gap of up to 48 s is over. That is no try of the five, and comes no sooner after the one
 * before than a second try would. */
void fed_coap_outgoing_heard(struct fed_link_session *s)
{
    if (s->outgoing && s->tries > 1 &&
        fed_loop_now_ms(s->server->loop) >= s->sent_ms + FED_COAP_ACK_TIMEOUT_MS)
        send_first(s);
}

/* What is under way went where the peer is no more. It may be too much for an address that is not
 * proven; a ping is not, and its answer proves it. */
void fed_coap_outgoing_moved(struct fed_link_session *s, bool proven)
{
    if (!s->outgoing)
        return;
    if (!proven) {
        fed_coap_peer_ping(s);
        return;
    }
    s->retry_ms = fed_loop_now_ms(s->server->loop) + s->timeout_ms;
    send_first(s);
    fed_coap_peer_arm(s);
}

void fed_coap_observation_drop(struct fed_link_session *s)
{
    bool under_way = s->outgoing && s->outgoing->notification;

    s->observed = false;
    drop_notifications(s, &s->outgoing);
    if (under_way)
        start_first(s);
    fed_coap_peer_arm(s);
}

void fed_coap_outgoing_clear(struct fed_link_session *s)
{
    while (s->outgoing)
        take(s, &s->outgoing);
}

enum fed_err fed_link_notify(struct fed_link_session *s, struct fed_span body, uint64_t tag)
{
    struct fed_coap_writer w;

    if (s->closed || !s->observed)
        return FED_ERR_NOT_FOUND;
    if (body.len > FED_COAP_NOTIFY_MAX || body.len > (size_t)16 << s->szx)
        return FED_ERR_LIMIT;
    s->observe_seq = (s->observe_seq + 1) & 0xffffffu;
    fed_coap_writer_begin(&w, FED_COAP_CON, FED_COAP_CODE(FED_LINK_CONTENT), s->next_mid++,
        s->observe_token, s->observe_token_len);
    fed_coap_writer_uint(&w, FED_COAP_OPTION_OBSERVE, s->observe_seq);
    fed_coap_writer_payload(&w, body);
    return fed_coap_outgoing_add(s, &w, true, tag);
}
