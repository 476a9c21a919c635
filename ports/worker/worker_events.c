/* worker_events.c - what the servers in a worker tell, as messages to fedhub. */
#include "ports/worker/worker.h"

#include <string.h>

#define ALIVE_MS 1000u /* signs of life of one session are told that often */

struct fed_span worker_id_key(const uint64_t *id)
{
    return fed_span_of(id, sizeof *id);
}

static struct worker_session *session_new(
    struct worker_binding *binding, struct fed_link_session *link)
{
    struct worker *w = binding->worker;
    struct worker_session *s = fed_alloc_zero(w->mem, sizeof *s);

    if (!s)
        return NULL;
    s->binding = binding;
    s->link = link;
    s->id = ++w->last_id;
    if (fed_map_put(&w->sessions, worker_id_key(&s->id), s)) {
        fed_alloc_free(w->mem, s, sizeof *s);
        return NULL;
    }
    return s;
}

/* ---- what sessions cost ---- */

static struct fed_worker_counts counts_of(const struct worker_session *s)
{
    struct fed_link_stats stats;

    s->binding->calls->stats(s->link, &stats);
    return (struct fed_worker_counts){.sent_bytes = stats.sent_bytes,
        .received_bytes = stats.received_bytes,
        .sent_datagrams = stats.sent_datagrams,
        .received_datagrams = stats.received_datagrams};
}

static void tell_counts(struct worker *w, const struct worker_session *s)
{
    struct fed_worker_message m = {
        .type = FED_WORKER_COUNTED, .counted = {.session = s->id, .counts = counts_of(s)}};

    worker_send(w, &m);
}

/* Something came or went: its counts are told at the next tick. */
void worker_session_moves(struct worker *w, struct worker_session *s)
{
    if (s->moved)
        return;
    s->next_moved = w->moved;
    s->moved = &w->moved;
    if (s->next_moved)
        s->next_moved->moved = &s->next_moved;
    w->moved = s;
}

static void moved_unlist(struct worker_session *s)
{
    if (!s->moved)
        return;
    *s->moved = s->next_moved;
    if (s->next_moved)
        s->next_moved->moved = s->moved;
    s->moved = NULL;
}

void worker_tell_moved(struct worker *w)
{
    while (w->moved) {
        struct worker_session *s = w->moved;

        moved_unlist(s);
        tell_counts(w, s);
    }
}

void worker_session_free(struct worker *w, struct worker_session *s)
{
    moved_unlist(s);
    fed_map_remove(&w->sessions, worker_id_key(&s->id));
    fed_alloc_free(w->mem, s, sizeof *s);
}

static void cert_facts(const struct fed_crypto_cert_info *info, struct fed_worker_cert *out)
{
    out->common_name = fed_span_text(info->common_name);
    for (size_t i = 0; i < info->n_organizations; i++)
        out->organizations[out->n_organizations++] = fed_span_text(info->organizations[i]);
    out->public_key = info->public_key;
    out->fingerprint = info->fingerprint;
    out->not_before_unix_s = info->not_before_unix_s;
    out->not_after_unix_s = info->not_after_unix_s;
    out->is_ca = info->is_ca;
}

static void on_opened(void *ctx, struct fed_link_session *link, const struct fed_link_peer *peer)
{
    struct worker_binding *binding = ctx;
    struct worker *w = binding->worker;
    struct worker_session *s = session_new(binding, link);
    struct fed_worker_message m = {.type = FED_WORKER_OPENED};
    uint8_t id[FED_LINK_ID_SIZE];

    binding->calls->set_user(link, s);
    if (!s) {
        fed_log(&w->log, FED_LOG_ERROR, "gateway: no memory for the session of %s", peer->address);
        binding->calls->close(link);
        return;
    }
    s->alive_ms = fed_loop_now_ms(w->loop);
    m.opened.session = s->id;
    m.opened.address = fed_span_text(peer->address);
    m.opened.psk_identity = fed_span_text(peer->psk_identity);
    m.opened.kept = peer->kept;
    m.opened.recall_id = peer->recall_id;
    m.opened.recall = peer->recall;
    if (binding->https) {
        fed_https_session_id(link, id);
        m.opened.https_id = fed_span_of(id, sizeof id);
    }
    m.opened.counts = counts_of(s);
    m.opened.has_cert = peer->cert != NULL;
    if (peer->cert)
        cert_facts(peer->cert, &m.opened.cert);
    worker_send(w, &m);
}

static void on_closed(void *ctx, struct fed_link_session *link, const char *why)
{
    const struct worker_binding *binding = ctx;
    struct worker *w = binding->worker;
    struct worker_session *s = binding->calls->user(link);
    struct fed_worker_message m = {.type = FED_WORKER_CLOSED};

    if (!s)
        return;
    tell_counts(w, s);
    m.closed.session = s->id;
    m.closed.why = fed_span_text(why);
    worker_send(w, &m);
    worker_session_free(w, s);
}

static void on_alive(void *ctx, struct fed_link_session *link)
{
    const struct worker_binding *binding = ctx;
    struct worker *w = binding->worker;
    struct worker_session *s = binding->calls->user(link);
    struct fed_worker_message m = {.type = FED_WORKER_ALIVE};
    uint64_t now_ms = fed_loop_now_ms(w->loop);

    if (!s)
        return;
    worker_session_moves(w, s);
    if (now_ms - s->alive_ms < ALIVE_MS)
        return;
    s->alive_ms = now_ms;
    m.session = s->id;
    worker_send(w, &m);
}

/* Longer than any resource: HTTP has room for that, a message to fedhub has not. */
static unsigned refusal(const struct fed_link_server_request *request)
{
    if (request->path.len > FED_WORKER_PATH_MAX)
        return FED_LINK_NOT_FOUND;
    return request->query.len > FED_WORKER_PATH_MAX ? FED_LINK_BAD_REQUEST : 0;
}

static void on_request(void *ctx, struct fed_link_session *link, struct fed_link_exchange *exchange,
    const struct fed_link_server_request *request)
{
    struct worker_binding *binding = ctx;
    struct worker *w = binding->worker;
    struct worker_session *s = binding->calls->user(link);
    uint64_t id = ++w->last_id;
    struct fed_worker_message m = {.type = FED_WORKER_REQUEST,
        .request = {.session = s ? s->id : 0,
            .exchange = id,
            .method = request->method == FED_LINK_POST,
            .observe = request->observe,
            .again = request->again,
            .path = request->path,
            .query = request->query,
            .payload = request->payload}};
    unsigned refused = refusal(request);

    if (refused) {
        binding->calls->answer(exchange, refused, FED_SPAN_LIT("no such resource"), 0);
        return;
    }
    if (!s || fed_map_put(&binding->exchanges, worker_id_key(&id), exchange)) {
        binding->calls->answer(
            exchange, FED_LINK_UNAVAILABLE, fed_span_text(""), WORKER_COME_BACK_S);
        return;
    }
    s->alive_ms = 0; /* what it asked may change what its next sign of life means */
    worker_send(w, &m);
}

void worker_notified(void *ctx, struct fed_link_session *link, uint64_t tag, bool delivered)
{
    const struct worker_binding *binding = ctx;
    struct worker *w = binding->worker;
    struct worker_session *s = binding->calls->user(link);
    struct fed_worker_message m = {.type = FED_WORKER_NOTIFIED};

    if (!s)
        return;
    if (!delivered)
        s->alive_ms = 0; /* the next sign of life matters */
    m.notified.session = s->id;
    m.notified.tag = tag;
    m.notified.delivered = delivered;
    worker_send(w, &m);
}

void worker_unfit(void *ctx, struct fed_link_session *link, uint64_t tag)
{
    const struct worker_binding *binding = ctx;
    struct worker *w = binding->worker;
    const struct worker_session *s = binding->calls->user(link);
    struct fed_worker_message m = {.type = FED_WORKER_UNFIT, .notified = {.tag = tag}};

    if (!s)
        return;
    m.notified.session = s->id;
    worker_send(w, &m);
}

static enum fed_err on_psk(void *ctx, struct fed_span identity, struct fed_buf *key)
{
    const struct worker_binding *binding = ctx;
    struct worker *w = binding->worker;
    struct fed_worker_message m = {.type = FED_WORKER_KEY_WANTED, .key = {.identity = identity}};

    (void)key;
    worker_send(w, &m);
    return FED_ERR_BUSY;
}

static enum fed_err on_recall(void *ctx, struct fed_span id, struct fed_buf *recall)
{
    const struct worker_binding *binding = ctx;
    struct worker *w = binding->worker;
    struct fed_worker_message m = {.type = FED_WORKER_RECALL_WANTED, .recall = {.id = id}};

    (void)recall;
    worker_send(w, &m);
    return FED_ERR_BUSY;
}

struct fed_link_server_events worker_events(struct worker_binding *binding)
{
    return (struct fed_link_server_events){.ctx = binding,
        .opened = on_opened,
        .closed = on_closed,
        .alive = on_alive,
        .request = on_request,
        .notified = worker_notified,
        .unfit = worker_unfit,
        .psk = on_psk,
        .recall = on_recall};
}
