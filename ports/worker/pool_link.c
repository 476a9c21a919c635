/* pool_link.c - see pool.h. A worker is believed only what it can know: it names sessions that it
 * opened itself, and says whom it authenticated. */
#include "ports/worker/pool.h"

#include <stdio.h>
#include <string.h>

/* ---- sessions and exchanges ---- */

static struct fed_span id_key(const uint64_t *id)
{
    return fed_span_of(id, sizeof *id);
}

struct pool_session *pool_link_find(const struct pool_worker *worker, uint64_t id)
{
    return fed_map_get(&worker->by_id, id_key(&id));
}

static struct pool_session *session_new(struct pool_worker *worker, uint64_t id)
{
    struct pool_session *s = fed_alloc_zero(worker->pool->mem, sizeof *s);

    if (!s)
        return NULL;
    s->worker = worker;
    s->id = id;
    if (fed_map_put(&worker->by_id, id_key(&s->id), s)) {
        fed_alloc_free(worker->pool->mem, s, sizeof *s);
        return NULL;
    }
    s->next = worker->sessions;
    s->link = &worker->sessions;
    if (s->next)
        s->next->link = &s->next;
    worker->sessions = s;
    return s;
}

static void session_unlist(struct pool_session *s)
{
    fed_map_remove(&s->worker->by_id, id_key(&s->id));
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
}

static void session_free(struct pool_session *s)
{
    fed_alloc_free(s->worker->pool->mem, s, sizeof *s);
}

static void exchange_list(struct pool_exchange *e, struct pool_exchange **list)
{
    e->next = *list;
    e->link = list;
    if (e->next)
        e->next->link = &e->next;
    *list = e;
}

static void exchange_unlist(struct pool_exchange *e)
{
    *e->link = e->next;
    if (e->next)
        e->next->link = e->link;
}

static void send_close(struct pool_worker *worker, uint64_t id)
{
    struct fed_worker_message m = {.type = FED_WORKER_CLOSE, .session = id};

    pool_worker_send(worker, &m);
}

void pool_link_end(struct pool_session *s)
{
    send_close(s->worker, s->id);
    session_unlist(s);
    session_free(s);
}

void pool_link_clear(struct pool_worker *worker, const char *why)
{
    struct fed_worker_pool *pool = worker->pool;

    while (worker->exchanges) {
        struct pool_exchange *e = worker->exchanges;

        exchange_unlist(e);
        e->worker = NULL;
        exchange_list(e, &pool->orphans);
    }
    while (worker->sessions) {
        struct pool_session *s = worker->sessions;

        session_unlist(s);
        if (s->https)
            pool_https_left(s, why);
        if (why && s->address[0] && worker->n_knocks < POOL_KNOCKS_MAX) {
            fed_buf_put_string(&worker->knocks, fed_span_text(s->address));
            worker->n_knocks++;
        }
        if (why && !s->https)
            pool->events.closed(pool->events.ctx, (struct fed_link_session *)s, why);
        session_free(s);
    }
}

void pool_link_knock(struct pool_worker *worker)
{
    struct fed_span rest = fed_buf_span(&worker->knocks);
    struct fed_worker_message m = {.type = FED_WORKER_KNOCK};

    while (!fed_span_take_string(&rest, POOL_ADDRESS_SIZE, &m.text))
        pool_worker_send(worker, &m);
    fed_buf_clear(&worker->knocks);
    worker->n_knocks = 0;
}

/* ---- messages ---- */

static struct fed_link_stats link_stats(const struct fed_worker_counts *counts)
{
    return (struct fed_link_stats){.sent_bytes = counts->sent_bytes,
        .received_bytes = counts->received_bytes,
        .sent_datagrams = counts->sent_datagrams,
        .received_datagrams = counts->received_datagrams};
}

static void cert_info(const struct fed_worker_cert *cert, struct fed_crypto_cert_info *out)
{
    memset(out, 0, sizeof *out);
    /* What does not fit is cut; the library that made the facts has the same limits. */
    snprintf(
        out->common_name, sizeof out->common_name, FED_SPAN_FMT, FED_SPAN_ARG(cert->common_name));
    for (size_t i = 0; i < cert->n_organizations && i < FED_CRYPTO_ORGANIZATIONS_MAX; i++)
        snprintf(out->organizations[out->n_organizations++], sizeof out->organizations[0],
            FED_SPAN_FMT, FED_SPAN_ARG(cert->organizations[i]));
    out->public_key = cert->public_key;
    out->fingerprint = cert->fingerprint;
    out->not_before_unix_s = cert->not_before_unix_s;
    out->not_after_unix_s = cert->not_after_unix_s;
    out->is_ca = cert->is_ca;
}

static void on_opened(struct pool_worker *worker, const struct fed_worker_opened *opened)
{
    struct fed_worker_pool *pool = worker->pool;
    struct fed_crypto_cert_info info;
    char identity[FED_WORKER_IDENTITY_MAX + 1];
    char address[FED_WORKER_TEXT_MAX + 1];
    struct fed_link_peer peer = {.address = address,
        .kept = opened->kept,
        .recall_id = opened->recall_id,
        .recall = opened->recall};
    struct pool_session *s;

    if (pool_link_find(worker, opened->session) ||
        worker->by_id.count >= pool->server.sessions_max + pool->https.sessions_max) {
        pool_worker_lose(worker, "it named sessions that cannot be");
        return;
    }
    s = session_new(worker, opened->session);
    if (!s) {
        fed_log(pool->log, FED_LOG_ERROR, "gateway: no memory for a session, it is closed");
        send_close(worker, opened->session);
        return;
    }
    s->stats = link_stats(&opened->counts);
    s->https = opened->https_id.len > 0;
    if (opened->has_cert && !s->https)
        snprintf(s->address, sizeof s->address, FED_SPAN_FMT, FED_SPAN_ARG(opened->address));
    snprintf(address, sizeof address, FED_SPAN_FMT, FED_SPAN_ARG(opened->address));
    snprintf(identity, sizeof identity, FED_SPAN_FMT, FED_SPAN_ARG(opened->psk_identity));
    if (opened->has_cert) {
        cert_info(&opened->cert, &info);
        peer.cert = &info;
    } else if (identity[0]) {
        peer.psk_identity = identity;
    }
    if (!s->https)
        pool->events.opened(pool->events.ctx, (struct fed_link_session *)s, &peer);
    else if (!pool_https_opened(s, opened->https_id, &peer))
        fed_log(pool->log, FED_LOG_ERROR, "gateway: no memory for a session, it is closed");
}

static void on_closed(struct pool_worker *worker, uint64_t id, struct fed_span text)
{
    struct fed_worker_pool *pool = worker->pool;
    struct pool_session *s = pool_link_find(worker, id);
    char why[FED_WORKER_TEXT_MAX + 1];

    if (!s)
        return; /* closed from both ends at once */
    snprintf(why, sizeof why, FED_SPAN_FMT, FED_SPAN_ARG(text));
    session_unlist(s);
    if (s->https)
        pool_https_left(s, why);
    else
        pool->events.closed(pool->events.ctx, (struct fed_link_session *)s, why);
    session_free(s);
}

/* Whether it was sent as it is. */
static bool send_answer(struct pool_worker *worker, uint64_t id, unsigned code,
    struct fed_span body, uint32_t max_age_s)
{
    struct fed_worker_message m = {.type = FED_WORKER_ANSWER,
        .answer = {.exchange = id, .code = (uint16_t)code, .max_age_s = max_age_s, .body = body}};

    bool fits =
        body.len == 0 || worker_stream_waiting(&worker->stream) + body.len <= POOL_BODIES_MAX;

    /* A worker that does not take what it gets is no reason to fill the memory. */
    if (!fits)
        m.answer = (struct fed_worker_answer){
            .exchange = id, .code = FED_LINK_UNAVAILABLE, .max_age_s = POOL_COME_BACK_S};
    pool_worker_send(worker, &m);
    return fits;
}

/* A sign of life may end a session: NULL then. */
static struct pool_session *lives(struct pool_session *s)
{
    struct pool_worker *worker = s->worker;
    struct fed_worker_pool *pool = worker->pool;
    uint64_t id = s->id;

    if (s->https)
        pool_https_alive(s);
    else
        pool->events.alive(pool->events.ctx, (struct fed_link_session *)s);
    return pool_link_find(worker, id);
}

static void pass_on(
    struct pool_session *s, struct pool_exchange *e, const struct fed_link_server_request *request)
{
    const struct fed_worker_pool *pool = e->pool;
    struct fed_link_exchange *exchange = (struct fed_link_exchange *)e;

    s = lives(s);
    if (!s) /* it asks again */
        fed_worker_answer(exchange, FED_LINK_UNAVAILABLE, fed_span_text(""), 1);
    else if (!s->https)
        pool->events.request(pool->events.ctx, (struct fed_link_session *)s, exchange, request);
    else
        pool->https_events.request(
            pool->https_events.ctx, (struct fed_link_session *)s->joint, exchange, request);
}

static void on_request(struct pool_worker *worker, const struct fed_worker_request *request)
{
    struct fed_worker_pool *pool = worker->pool;
    struct pool_session *s = pool_link_find(worker, request->session);
    bool over = s && s->https && !s->joint;
    struct pool_exchange *e = s && !over ? fed_alloc_get(pool->mem, sizeof *e) : NULL;
    struct fed_link_server_request r = {.method = request->method ? FED_LINK_POST : FED_LINK_GET,
        .path = request->path,
        .query = request->query,
        .payload = request->payload,
        .observe = request->observe,
        .again = request->again};

    if (over) { /* so that its peer takes another id */
        (void)send_answer(
            worker, request->exchange, FED_LINK_UNAUTHORIZED, fed_span_text("session ended"), 0);
        pool_link_end(s);
        return;
    }
    if (!e) {
        (void)send_answer(
            worker, request->exchange, FED_LINK_UNAVAILABLE, fed_span_text(""), POOL_COME_BACK_S);
        return;
    }
    *e = (struct pool_exchange){.pool = pool,
        .worker = worker,
        .id = request->exchange,
        .observer = s->https && request->observe ? s->id : 0};
    exchange_list(e, &worker->exchanges);
    pass_on(s, e, &r);
}

static void on_notified(struct pool_worker *worker, uint64_t id, uint64_t tag, bool delivered)
{
    struct pool_session *s = pool_link_find(worker, id);
    const struct fed_worker_pool *pool = worker->pool;

    if (s && s->joint)
        pool->https_events.notified(
            pool->https_events.ctx, (struct fed_link_session *)s->joint, tag, delivered);
    else if (s && !s->https)
        pool->events.notified(pool->events.ctx, (struct fed_link_session *)s, tag, delivered);
}

static void on_key_wanted(struct pool_worker *worker, struct fed_span identity)
{
    struct fed_worker_pool *pool = worker->pool;
    struct fed_worker_message m = {.type = FED_WORKER_KEY, .key = {.identity = identity}};
    struct fed_buf key;

    fed_buf_init(&key, pool->mem, FED_WORKER_KEY_MAX);
    if (pool->events.psk(pool->events.ctx, identity, &key) == FED_OK && !fed_buf_err(&key))
        m.key.key = fed_buf_span(&key);
    pool_worker_send(worker, &m);
    if (key.at)
        memset(key.at, 0, key.cap);
    fed_buf_fini(&key);
}

static void on_recall_wanted(struct pool_worker *worker, struct fed_span id)
{
    struct fed_worker_pool *pool = worker->pool;
    struct fed_worker_message m = {.type = FED_WORKER_RECALL, .recall = {.id = id}};
    struct fed_buf bytes;

    fed_buf_init(&bytes, pool->mem, FED_WORKER_RECALL_MAX);
    if (pool->events.recall && pool->events.recall(pool->events.ctx, id, &bytes) == FED_OK &&
        !fed_buf_err(&bytes))
        m.recall.bytes = fed_buf_span(&bytes);
    pool_worker_send(worker, &m);
    if (bytes.at)
        memset(bytes.at, 0, bytes.cap);
    fed_buf_fini(&bytes);
}

static void on_saved(struct pool_worker *worker, const struct fed_worker_saved *saved)
{
    struct fed_worker_pool *pool = worker->pool;
    struct pool_session *s = pool_link_find(worker, saved->session);

    if (!s || s->https || !pool->each)
        return;
    pool->each(pool->save_ctx, (struct fed_link_session *)s, saved->part, saved->steer);
    session_unlist(s);
    session_free(s);
}

static void note_state(struct pool_worker *worker, enum pool_state state)
{
    worker->state = state;
    pool_saving_goes_on(worker->pool);
}

void pool_link_message(struct pool_worker *worker, const struct fed_worker_message *m)
{
    struct fed_worker_pool *pool = worker->pool;
    struct pool_session *s;

    switch (m->type) {
    case FED_WORKER_READY:
        fed_log(pool->log, FED_LOG_DEBUG, "gateway: worker %u is ready", worker->index);
        break;
    case FED_WORKER_FAILED:
        fed_log(pool->log, FED_LOG_ERROR, "gateway: worker %u cannot start: " FED_SPAN_FMT,
            worker->index, FED_SPAN_ARG(m->text));
        break;
    case FED_WORKER_OPENED:
        on_opened(worker, &m->opened);
        break;
    case FED_WORKER_CLOSED:
        on_closed(worker, m->closed.session, m->closed.why);
        break;
    case FED_WORKER_ALIVE:
        s = pool_link_find(worker, m->session);
        if (s)
            (void)lives(s);
        break;
    case FED_WORKER_REQUEST:
        on_request(worker, &m->request);
        break;
    case FED_WORKER_NOTIFIED:
        on_notified(worker, m->notified.session, m->notified.tag, m->notified.delivered);
        break;
    case FED_WORKER_COUNTED:
        s = pool_link_find(worker, m->counted.session);
        if (s)
            s->stats = link_stats(&m->counted.counts);
        break;
    case FED_WORKER_UNFIT:
        s = pool_link_find(worker, m->notified.session);
        if (s && !s->https && pool->events.unfit)
            pool->events.unfit(pool->events.ctx, (struct fed_link_session *)s, m->notified.tag);
        break;
    case FED_WORKER_KEY_WANTED:
        on_key_wanted(worker, m->key.identity);
        break;
    case FED_WORKER_RECALL_WANTED:
        on_recall_wanted(worker, m->recall.id);
        break;
    case FED_WORKER_STATS:
        worker->stats = m->stats;
        break;
    case FED_WORKER_STATS_HTTPS:
        worker->https_stats = m->stats;
        break;
    case FED_WORKER_SAVED:
        on_saved(worker, &m->saved);
        break;
    case FED_WORKER_QUIET:
        note_state(worker, POOL_QUIET);
        break;
    case FED_WORKER_DONE:
        note_state(worker, POOL_DONE);
        break;
    default: /* the decoder refuses the others */
        break;
    }
}

/* ---- the functions of ports/link.h ---- */

/* They all have the port that the agent knows. */
void fed_worker_pool_knock(void *ctx, const char *address)
{
    struct fed_worker_pool *pool = ctx;
    struct fed_worker_message m = {.type = FED_WORKER_KNOCK, .text = fed_span_text(address)};

    for (unsigned i = 0; i < pool->n; i++) {
        if (pool->workers[i].state == POOL_RUNNING) {
            pool_worker_send(&pool->workers[i], &m);
            return;
        }
    }
}

void fed_worker_session_set_user(struct fed_link_session *session, void *user)
{
    ((struct pool_session *)session)->user = user;
}

void *fed_worker_session_user(const struct fed_link_session *session)
{
    return ((const struct pool_session *)session)->user;
}

void fed_worker_session_close(struct fed_link_session *session)
{
    pool_link_end((struct pool_session *)session);
}

void fed_worker_answer(
    struct fed_link_exchange *exchange, unsigned code, struct fed_span body, uint32_t max_age_s)
{
    struct pool_exchange *e = (struct pool_exchange *)exchange;

    bool sent = e->worker && send_answer(e->worker, e->id, code, body, max_age_s);
    struct pool_session *observer = sent && e->observer && code == FED_LINK_CONTENT
                                        ? pool_link_find(e->worker, e->observer)
                                        : NULL;

    if (observer)
        pool_https_observes(observer);
    exchange_unlist(e);
    fed_alloc_free(e->pool->mem, e, sizeof *e);
}

enum fed_err fed_worker_notify(struct fed_link_session *session, struct fed_span body, uint64_t tag)
{
    const struct pool_session *s = (const struct pool_session *)session;
    struct fed_worker_message m = {
        .type = FED_WORKER_NOTIFY, .notify = {.session = s->id, .tag = tag, .body = body}};

    if (body.len > POOL_NOTIFY_COAP_MAX)
        return FED_ERR_LIMIT;
    pool_worker_send(s->worker, &m);
    return FED_OK;
}

void fed_worker_session_stats(const struct fed_link_session *session, struct fed_link_stats *out)
{
    *out = ((const struct pool_session *)session)->stats;
}

const struct fed_link_calls *fed_worker_calls(void)
{
    static const struct fed_link_calls calls = {.name = "coap",
        .set_user = fed_worker_session_set_user,
        .user = fed_worker_session_user,
        .close = fed_worker_session_close,
        .answer = fed_worker_answer,
        .notify = fed_worker_notify,
        .stats = fed_worker_session_stats};

    return &calls;
}
