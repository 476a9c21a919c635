/* queue.c - ClientHellos that brought their cookie back and wait: first for a place among the
 * handshakes under way, or for time, then for what is known of the peer (returning.c).
 *
 * A peer that gets no answer repeats its ClientHello after 1, 2, 4 ... s. When thousands come at
 * once, as after a crash, that leaves the places empty between two repetitions and the last peers
 * outside for a minute. Kept here a ClientHello costs some hundred bytes, and is taken in its turn.
 * One that is repeated lives on; one that is not any more is forgotten, as its peer may be gone. As
 * of the places, one host has a part of the queue at most (hosts.c). */
#include "ports/dtls/internal.h"

#include <string.h>

#define RANDOM_AT 27u /* headers of record and message, version */
#define RANDOM_SIZE 32u
#define TAKEN_AT_ONCE 32u
#define LOOKED_AT 64u

/* ---- the list and the table ---- */

static struct dtls_waiting **bucket_of(
    struct fed_dtls_server *server, const struct dtls_address *from)
{
    return &server->queue.by_address[dtls_address_hash(from, server->table.seed) % DTLS_WAITING];
}

static struct dtls_waiting *find(struct fed_dtls_server *server, const struct dtls_address *from)
{
    struct dtls_waiting *w = *bucket_of(server, from);

    while (w && !dtls_address_eq(&w->from, from))
        w = w->next_same;
    return w;
}

static void line_up(struct dtls_queue *queue, struct dtls_waiting *w)
{
    w->next = NULL;
    w->previous = queue->last;
    if (queue->last)
        queue->last->next = w;
    else
        queue->first = w;
    queue->last = w;
}

static void step_out(struct dtls_queue *queue, struct dtls_waiting *w)
{
    if (w->previous)
        w->previous->next = w->next;
    else
        queue->first = w->next;
    if (w->next)
        w->next->previous = w->previous;
    else
        queue->last = w->previous;
}

/* Of the datagram at work. */
static struct dtls_waiting *waiting_new(struct fed_dtls_server *server)
{
    struct fed_span d = server->incoming;
    struct dtls_waiting *w = fed_alloc_zero(server->mem, sizeof(*w) + d.len);
    struct dtls_waiting **bucket = bucket_of(server, &server->from);

    if (!w)
        return NULL;
    w->from = server->from;
    w->heard_ms = fed_loop_now_ms(server->loop);
    w->len = d.len;
    memcpy(w->datagram, d.at, d.len);
    w->next_same = *bucket;
    *bucket = w;
    return w;
}

static void waiting_free(struct fed_dtls_server *server, struct dtls_waiting *w)
{
    struct dtls_waiting **at = bucket_of(server, &w->from);

    while (*at != w)
        at = &(*at)->next_same;
    *at = w->next_same;
    if (w->asked) {
        server->n_asked--;
        dtls_hosts_leave(server, &w->from);
    } else {
        step_out(&server->queue, w);
        dtls_hosts_unqueue(server, &w->from);
    }
    fed_alloc_free(server->mem, w, sizeof(*w) + w->len);
}

void dtls_queue_fini(struct fed_dtls_server *server)
{
    for (size_t i = 0; i < DTLS_WAITING; i++)
        while (server->queue.by_address[i])
            waiting_free(server, server->queue.by_address[i]);
}

/* ---- one that begins ---- */

bool dtls_queue_ask(struct fed_dtls_server *server, struct fed_span id)
{
    struct dtls_waiting *w = waiting_new(server);

    if (!w)
        return false;
    w->asked = true;
    memcpy(w->id, id.at, sizeof(w->id));
    server->n_asked++;
    dtls_hosts_enter(server, &w->from);
    return true;
}

/* Takes it out, and makes it the datagram at work; bytes holds it. */
static void put_to_work(
    struct fed_dtls_server *server, struct dtls_waiting *w, uint8_t bytes[DTLS_DATAGRAM_MAX])
{
    memcpy(bytes, w->datagram, w->len);
    server->from = w->from;
    server->incoming = fed_span_of(bytes, w->len);
    server->incoming_len = w->len;
    waiting_free(server, w);
}

void fed_dtls_server_recall(
    struct fed_dtls_server *server, struct fed_span id, struct fed_span recall)
{
    uint8_t bytes[DTLS_DATAGRAM_MAX];

    for (size_t i = 0; i < DTLS_WAITING; i++) {
        struct dtls_waiting *w = server->queue.by_address[i];

        while (w) {
            struct dtls_waiting *next = w->next_same;

            if (w->asked && fed_span_eq(id, fed_span_of(w->id, sizeof(w->id)))) {
                put_to_work(server, w, bytes);
                dtls_returning_answered(server, id, recall);
                next = server->queue.by_address[i]; /* callbacks may have done anything */
            }
            w = next;
        }
    }
    dtls_queue_serve(server);
    dtls_server_arm(server);
}

/* ---- one that comes ---- */

static bool is_same(const struct dtls_waiting *w, struct fed_span d)
{
    return fed_span_eq(fed_span_sub(d, RANDOM_AT, RANDOM_SIZE),
        fed_span_sub(fed_span_of(w->datagram, w->len), RANDOM_AT, RANDOM_SIZE));
}

static bool is_waiting(struct fed_dtls_server *server)
{
    struct dtls_waiting *w = find(server, &server->from);

    if (w && is_same(w, server->incoming)) {
        w->heard_ms = fed_loop_now_ms(server->loop);
        return true;
    }
    if (w)
        waiting_free(server, w); /* it began anew */
    return false;
}

static void queue_up(struct fed_dtls_server *server)
{
    struct dtls_waiting *w = NULL;

    if (server->table.count < server->sessions_max && server->incoming.len <= DTLS_WAITING_SIZE &&
        dtls_hosts_may_queue(server, &server->from))
        w = waiting_new(server);
    if (!w) {
        server->stats.turned_away++;
        return;
    }
    line_up(&server->queue, w);
    dtls_hosts_queue(server, &server->from);
}

bool dtls_queue_hello(struct fed_dtls_server *server)
{
    if (!dtls_returning_has_cookie(server))
        return false;
    if (is_waiting(server))
        return true;
    if (!server->queue.first && dtls_has_room(server))
        dtls_returning_begin(server);
    else
        queue_up(server);
    return true;
}

/* ---- in turn ---- */

/* The next one for whose host there is a place; others go to the end. */
static struct dtls_waiting *next_one(struct fed_dtls_server *server, uint64_t now_ms)
{
    struct dtls_queue *queue = &server->queue;

    for (unsigned i = 0; queue->first && i < LOOKED_AT; i++) {
        struct dtls_waiting *w = queue->first;

        if (now_ms - w->heard_ms >= DTLS_WAITING_MS) {
            server->stats.turned_away++;
            waiting_free(server, w);
        } else if (dtls_hosts_have_room(server, &w->from)) {
            return w;
        } else {
            step_out(queue, w);
            line_up(queue, w);
        }
    }
    return NULL;
}

void dtls_queue_serve(struct fed_dtls_server *server)
{
    uint64_t now_ms = fed_loop_now_ms(server->loop);
    uint8_t bytes[DTLS_DATAGRAM_MAX];

    for (unsigned i = 0; i < TAKEN_AT_ONCE && server->queue.first && !server->paused; i++) {
        struct dtls_waiting *w = NULL;

        if (server->table.count < server->sessions_max && dtls_credit_begin(server))
            w = next_one(server, now_ms);
        if (!w)
            return;
        put_to_work(server, w, bytes);
        dtls_returning_begin(server);
    }
}
