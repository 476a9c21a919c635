/* worker.c - one gateway worker: the CoAP server of ports/coap, whose events and calls travel over
 * a socket to fedhub.
 *
 * It knows neither store nor CA key. fedhub gives it the server's certificate and, one by one, the
 * keys of join tokens that somebody just used. When fedhub is slow, datagrams wait in the socket's
 * buffer and are lost there, as on the network; what was taken is never lost. When fedhub is gone,
 * every agent is told so by the end of its session, and comes back. */
#include "ports/link.h"
#include "ports/worker/confine.h"
#include "ports/worker/pool.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SLOW_BYTES (1u << 20) /* so much waits for fedhub: no more datagrams are taken */
#define GOES_ON_BYTES (256u << 10)
#define WAITING_MAX (64u << 20)
#define ALIVE_MS 1000u /* signs of life of one session are told that often */
#define STATS_MS 1000u /* and figures, when they changed */
#define HANGING_S 60u  /* the kernel ends a worker whose loop does not turn that long */

struct worker_session {
    struct fed_link_session *link;
    uint64_t id;
    uint64_t alive_ms;                 /* told last */
    struct worker_session *next_moved; /* in the list of those whose counts are to be told, */
    struct worker_session **moved;     /* to here from it; NULL: not in it */
};
struct worker {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log log;
    struct worker_stream stream;
    struct fed_link_server *server;
    struct fed_map sessions;  /* id -> struct worker_session */
    struct fed_map exchanges; /* id -> struct fed_link_exchange */
    uint64_t last_id;
    struct fed_worker_start start; /* without its texts */
    struct worker_session *moved;
    struct fed_timer *tick;
    struct fed_worker_stats told;
    bool slow;
    bool quiet;
    const char *ended; /* why */
};

static void send_up(struct worker *w, const struct fed_worker_message *m)
{
    if (!worker_stream_send(&w->stream, m)) {
        w->loop->stop(w->loop->ctx); /* fedhub is gone, or memory is */
        return;
    }
    if (!w->slow && worker_stream_waiting(&w->stream) > SLOW_BYTES) {
        w->slow = true;
        fed_coap_server_pause(w->server, true);
    }
}

static void send_type(struct worker *w, enum fed_worker_type type)
{
    struct fed_worker_message m = {.type = type};

    send_up(w, &m);
}

/* ---- events of the server ---- */

static struct fed_span id_key(const uint64_t *id)
{
    return fed_span_of(id, sizeof *id);
}

static struct worker_session *session_new(struct worker *w, struct fed_link_session *link)
{
    struct worker_session *s = fed_alloc_zero(w->mem, sizeof *s);

    if (!s)
        return NULL;
    s->link = link;
    s->id = ++w->last_id;
    if (fed_map_put(&w->sessions, id_key(&s->id), s)) {
        fed_alloc_free(w->mem, s, sizeof *s);
        return NULL;
    }
    return s;
}

/* ---- what sessions cost ---- */

static struct fed_worker_counts counts_of(const struct worker_session *s)
{
    struct fed_link_stats stats;

    fed_link_session_stats(s->link, &stats);
    return (struct fed_worker_counts){.sent_bytes = stats.sent_bytes,
        .received_bytes = stats.received_bytes,
        .sent_datagrams = stats.sent_datagrams,
        .received_datagrams = stats.received_datagrams};
}

static void tell_counts(struct worker *w, const struct worker_session *s)
{
    struct fed_worker_message m = {
        .type = FED_WORKER_COUNTED, .counted = {.session = s->id, .counts = counts_of(s)}};

    send_up(w, &m);
}

/* Something came or went: its counts are told at the next tick. */
static void moves(struct worker *w, struct worker_session *s)
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

static void tell_moved(struct worker *w)
{
    while (w->moved) {
        struct worker_session *s = w->moved;

        moved_unlist(s);
        tell_counts(w, s);
    }
}

static void session_free(struct worker *w, struct worker_session *s)
{
    moved_unlist(s);
    fed_map_remove(&w->sessions, id_key(&s->id));
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
    struct worker *w = ctx;
    struct worker_session *s = session_new(w, link);
    struct fed_worker_message m = {.type = FED_WORKER_OPENED};

    fed_link_session_set_user(link, s);
    if (!s) {
        fed_log(&w->log, FED_LOG_ERROR, "gateway: no memory for the session of %s", peer->address);
        fed_link_session_close(link);
        return;
    }
    s->alive_ms = fed_loop_now_ms(w->loop);
    m.opened.session = s->id;
    m.opened.address = fed_span_text(peer->address);
    m.opened.psk_identity = fed_span_text(peer->psk_identity);
    m.opened.kept = peer->kept;
    m.opened.counts = counts_of(s);
    m.opened.has_cert = peer->cert != NULL;
    if (peer->cert)
        cert_facts(peer->cert, &m.opened.cert);
    send_up(w, &m);
}

static void on_closed(void *ctx, struct fed_link_session *link, const char *why)
{
    struct worker *w = ctx;
    struct worker_session *s = fed_link_session_user(link);
    struct fed_worker_message m = {.type = FED_WORKER_CLOSED};

    if (!s)
        return;
    tell_counts(w, s);
    m.closed.session = s->id;
    m.closed.why = fed_span_text(why);
    send_up(w, &m);
    session_free(w, s);
}

static void on_alive(void *ctx, struct fed_link_session *link)
{
    struct worker *w = ctx;
    struct worker_session *s = fed_link_session_user(link);
    struct fed_worker_message m = {.type = FED_WORKER_ALIVE};
    uint64_t now_ms = fed_loop_now_ms(w->loop);

    if (!s)
        return;
    moves(w, s);
    if (now_ms - s->alive_ms < ALIVE_MS)
        return;
    s->alive_ms = now_ms;
    m.session = s->id;
    send_up(w, &m);
}

static void on_request(void *ctx, struct fed_link_session *link, struct fed_link_exchange *exchange,
    const struct fed_link_server_request *request)
{
    struct worker *w = ctx;
    struct worker_session *s = fed_link_session_user(link);
    uint64_t id = ++w->last_id;
    struct fed_worker_message m = {.type = FED_WORKER_REQUEST,
        .request = {.session = s ? s->id : 0,
            .exchange = id,
            .method = request->method == FED_LINK_POST,
            .observe = request->observe,
            .path = request->path,
            .query = request->query,
            .payload = request->payload}};

    if (!s || fed_map_put(&w->exchanges, id_key(&id), exchange)) {
        fed_link_answer(exchange, FED_LINK_UNAVAILABLE, fed_span_text(""), POOL_COME_BACK_S);
        return;
    }
    s->alive_ms = 0; /* what it asked may change what its next sign of life means */
    send_up(w, &m);
}

static void on_notified(void *ctx, struct fed_link_session *link, uint64_t tag, bool delivered)
{
    struct worker *w = ctx;
    struct worker_session *s = fed_link_session_user(link);
    struct fed_worker_message m = {.type = FED_WORKER_NOTIFIED};

    if (!s)
        return;
    if (!delivered)
        s->alive_ms = 0; /* the next sign of life matters */
    m.notified.session = s->id;
    m.notified.tag = tag;
    m.notified.delivered = delivered;
    send_up(w, &m);
}

static void on_unfit(void *ctx, struct fed_link_session *link, uint64_t tag)
{
    struct worker *w = ctx;
    const struct worker_session *s = fed_link_session_user(link);
    struct fed_worker_message m = {.type = FED_WORKER_UNFIT, .notified = {.tag = tag}};

    if (!s)
        return;
    m.notified.session = s->id;
    send_up(w, &m);
}

static enum fed_err on_psk(void *ctx, struct fed_span identity, struct fed_buf *key)
{
    struct worker *w = ctx;
    struct fed_worker_message m = {.type = FED_WORKER_KEY_WANTED, .key = {.identity = identity}};

    (void)key;
    send_up(w, &m);
    return FED_ERR_BUSY;
}

/* ---- messages of fedhub ---- */

static void on_start(struct worker *w, const struct fed_worker_start *start)
{
    struct fed_link_server_events events = {.ctx = w,
        .opened = on_opened,
        .closed = on_closed,
        .alive = on_alive,
        .request = on_request,
        .notified = on_notified,
        .unfit = on_unfit,
        .psk = on_psk};
    struct fed_link_server_options options = {.fd = POOL_UDP_FD,
        .cert_pem = start->cert_pem,
        .key_pem = start->key_pem,
        .client_ca_pem = start->client_ca_pem,
        .sessions_max = start->sessions_max,
        .handshakes_max = start->handshakes_max,
        .session_idle_ms = start->session_idle_ms,
        .steer_index = start->index,
        .steer_count = start->count};
    struct fed_worker_message m = {.type = FED_WORKER_READY};
    struct fed_diag diag = {""};
    enum fed_err err;

    if (w->server)
        return;
    w->log.level = (enum fed_log_level)start->log_level;
    err = fed_coap_server_open(w->mem, w->loop, &w->log, &options, &events, &w->server, &diag);
    if (err) {
        m.type = FED_WORKER_FAILED;
        m.text = fed_span_text(diag.text[0] ? diag.text : fed_err_text(err));
        send_up(w, &m);
        worker_stream_flush(&w->stream);
        w->loop->stop(w->loop->ctx);
        return;
    }
    fed_coap_server_pause(w->server, true);
    worker_confine();
    m.port = fed_coap_server_port(w->server);
    send_up(w, &m);
}

static void on_answer(struct worker *w, const struct fed_worker_answer *answer)
{
    struct fed_link_exchange *exchange = fed_map_remove(&w->exchanges, id_key(&answer->exchange));

    if (exchange)
        fed_link_answer(exchange, answer->code, answer->body, answer->max_age_s);
}

static void on_notify(struct worker *w, uint64_t id, struct fed_span body, uint64_t tag)
{
    struct worker_session *s = fed_map_get(&w->sessions, id_key(&id));
    enum fed_err err = s ? fed_link_notify(s->link, body, tag) : FED_ERR_NOT_FOUND;

    if (s)
        moves(w, s);
    /* Nothing observed: fedhub hears of it when the agent asks anew. Too large for this agent: that
     * there is something will fit. Anything else is as if the agent had not taken it. */
    if (err == FED_ERR_LIMIT)
        on_unfit(w, s->link, tag);
    else if (err && err != FED_ERR_NOT_FOUND)
        on_notified(w, s->link, tag, false);
}

static void on_close(struct worker *w, uint64_t id)
{
    struct worker_session *s = fed_map_get(&w->sessions, id_key(&id));

    if (!s)
        return;
    fed_link_session_set_user(s->link, NULL);
    fed_link_session_close(s->link);
    session_free(w, s);
}

static void on_certificate(struct worker *w, const struct fed_worker_start *start)
{
    struct fed_diag diag = {""};

    if (fed_coap_server_certificate(
            w->server, start->cert_pem, start->key_pem, start->client_ca_pem, &diag))
        fed_log(&w->log, FED_LOG_ERROR,
            "gateway: the new certificate is not taken, the old one stays: %s", diag.text);
}

static void on_restore(struct worker *w, const struct fed_worker_saved *saved)
{
    enum fed_err err = fed_coap_server_restore(w->server, saved->part, saved->kept, saved->away_ms);

    if (err)
        fed_log(&w->log, FED_LOG_INFO, "gateway: a saved session does not go on: %s",
            fed_err_text(err));
}

static void on_saved(
    void *ctx, struct fed_link_session *link, struct fed_span saved, unsigned steer)
{
    struct worker *w = ctx;
    const struct worker_session *s = fed_link_session_user(link);
    struct fed_worker_message m = {.type = FED_WORKER_SAVED,
        .saved = {.session = s ? s->id : 0, .steer = (uint16_t)steer, .part = saved}};

    if (!s)
        return;
    send_up(w, &m);
}

static void tell_stats(struct worker *w)
{
    struct fed_worker_message m = {.type = FED_WORKER_STATS};
    struct fed_link_server_stats stats;

    fed_coap_server_stats(w->server, &stats);
    m.stats = (struct fed_worker_stats){.handshakes = stats.handshakes,
        .failed = stats.failed,
        .turned_away = stats.turned_away,
        .restored = stats.restored,
        .sessions = stats.sessions};
    if (memcmp(&m.stats, &w->told, sizeof w->told) == 0)
        return;
    w->told = m.stats;
    send_up(w, &m);
}

static void on_quiet(struct worker *w)
{
    w->quiet = true;
    fed_coap_server_pause(w->server, true);
    tell_stats(w);
    tell_moved(w);
    send_type(w, FED_WORKER_QUIET);
}

static void on_save(struct worker *w)
{
    fed_coap_server_save(w->server, on_saved, w);
    send_type(w, FED_WORKER_DONE);
}

static void on_knock(struct worker *w, struct fed_span text)
{
    char address[FED_WORKER_TEXT_MAX + 1];

    if (!fed_span_to_cstr(text, address, sizeof address))
        fed_coap_server_knock(w->server, address);
}

static void on_message(void *ctx, const struct fed_worker_message *m)
{
    struct worker *w = ctx;

    if (m->type == FED_WORKER_START) {
        on_start(w, &m->start);
        return;
    }
    if (!w->server)
        return;
    switch (m->type) {
    case FED_WORKER_ANSWER:
        on_answer(w, &m->answer);
        break;
    case FED_WORKER_NOTIFY:
        on_notify(w, m->notify.session, m->notify.body, m->notify.tag);
        break;
    case FED_WORKER_CLOSE:
        on_close(w, m->session);
        break;
    case FED_WORKER_KEY:
        fed_coap_server_psk(w->server, m->key.identity, m->key.key);
        break;
    case FED_WORKER_CERTIFICATE:
        on_certificate(w, &m->start);
        break;
    case FED_WORKER_RESTORE:
        on_restore(w, &m->saved);
        break;
    case FED_WORKER_KNOCK:
        on_knock(w, m->text);
        break;
    case FED_WORKER_GO:
        fed_coap_server_pause(w->server, w->slow || w->quiet);
        break;
    case FED_WORKER_QUIET:
        on_quiet(w);
        break;
    case FED_WORKER_SAVE:
        on_save(w);
        break;
    default: /* the decoder refuses the others */
        break;
    }
}

static void on_drained(void *ctx)
{
    struct worker *w = ctx;

    if (!w->slow || worker_stream_waiting(&w->stream) > GOES_ON_BYTES)
        return;
    w->slow = false;
    fed_coap_server_pause(w->server, w->quiet);
}

static void on_broken(void *ctx, const char *why)
{
    struct worker *w = ctx;

    w->ended = why;
    w->loop->stop(w->loop->ctx);
}

static void on_tick(void *ctx)
{
    struct worker *w = ctx;

    alarm(HANGING_S);
    if (w->server) {
        tell_stats(w);
        tell_moved(w);
    }
    w->loop->timer_set(w->loop->ctx, w->tick, fed_loop_now_ms(w->loop) + STATS_MS);
}

/* ---- the whole life ---- */

/* What a service manager or a terminal sends to all processes of the service is fedhub's to act
 * on. */
static void signals_ignore(void)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};

    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
}

static enum fed_err worker_open(struct worker *w, struct fed_diag *diag)
{
    struct worker_stream_events events = {
        .ctx = w, .message = on_message, .drained = on_drained, .broken = on_broken};
    enum fed_err err;

    fed_map_init(&w->sessions, w->mem);
    fed_map_init(&w->exchanges, w->mem);
    err = worker_stream_init(
        &w->stream, w->mem, w->loop, POOL_IPC_FD, FED_WORKER_WORKER, WAITING_MAX, &events);
    if (!err)
        err = w->loop->timer_new(w->loop->ctx, on_tick, w, &w->tick);
    return err ? fed_diag_set(diag, err, "gateway worker: %s", fed_err_text(err)) : FED_OK;
}

static void worker_close(struct worker *w)
{
    struct fed_map_iter it;

    fed_coap_server_close(w->server);
    worker_stream_fini(&w->stream);
    w->loop->timer_free(w->loop->ctx, w->tick);
    fed_map_iter_init(&it, &w->sessions);
    while (fed_map_iter_next(&it))
        fed_alloc_free(w->mem, it.value, sizeof(struct worker_session));
    fed_map_fini(&w->sessions);
    fed_map_fini(&w->exchanges);
}

enum fed_err fed_worker_run(struct fed_alloc *mem, struct fed_diag *diag)
{
    struct worker w = {.mem = mem, .log = fed_log_stderr(FED_LOG_INFO)};
    struct fed_linux_loop *linux_loop = NULL;
    struct fed_crypto crypto;
    enum fed_err err;

    signals_ignore();
    (void)close_range(POOL_UDP_FD + 1, ~0u, 0); /* whatever else was inherited */
    err = fed_tls_crypto_open(mem, &crypto, diag);
    if (err)
        return err;
    err = fed_linux_loop_open(mem, &linux_loop, diag);
    if (!err) {
        w.loop = fed_linux_loop_port(linux_loop);
        err = worker_open(&w, diag);
    }
    if (!err) {
        on_tick(&w);
        err = fed_linux_loop_run(linux_loop);
    }
    if (w.loop)
        worker_close(&w);
    fed_linux_loop_close(linux_loop);
    fed_tls_crypto_close(&crypto);
    return err;
}
