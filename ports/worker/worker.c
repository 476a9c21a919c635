/* worker.c - one gateway worker: the servers of ports/coap and ports/https, whose events and calls
 * travel over a socket to fedhub.
 *
 * It knows neither store nor CA key. fedhub gives it the server's certificate and, one by one, the
 * keys of join tokens that somebody just used. When fedhub is slow, datagrams wait in the socket's
 * buffer and are lost there, as on the network, and requests by HTTPS wait in theirs; what was
 * taken is never lost. When fedhub is gone, every agent is told so by the end of its session, and
 * comes back. */
#include "ports/worker/worker.h"

#include "ports/worker/pool.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SLOW_BYTES (1u << 20) /* so much waits for fedhub: no more datagrams are taken */
#define GOES_ON_BYTES (256u << 10)
#define WAITING_MAX (64u << 20)
#define STATS_MS 1000u /* and figures, when they changed */
#define HANGING_S 60u  /* the kernel ends a worker whose loop does not turn that long */

void worker_send(struct worker *w, const struct fed_worker_message *m)
{
    if (!worker_stream_send(&w->stream, m)) {
        w->loop->stop(w->loop->ctx); /* fedhub is gone, or memory is */
        return;
    }
    if (!w->slow && worker_stream_waiting(&w->stream) > SLOW_BYTES) {
        w->slow = true;
        worker_pause(w);
    }
}

static void send_type(struct worker *w, enum fed_worker_type type)
{
    struct fed_worker_message m = {.type = type};

    worker_send(w, &m);
}

/* ---- messages of fedhub ---- */

static void on_start(struct worker *w, const struct fed_worker_start *start)
{
    struct fed_link_server_events events = worker_events(&w->coap);
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
    if (!err && start->chain_pem.len > 0)
        err = worker_https_open(w, start, &diag);
    if (err) {
        m.type = FED_WORKER_FAILED;
        m.text = fed_span_text(diag.text[0] ? diag.text : fed_err_text(err));
        worker_send(w, &m);
        worker_stream_flush(&w->stream);
        w->loop->stop(w->loop->ctx);
        return;
    }
    worker_pause(w);
    worker_confine(w->https_server ? worker_https_descriptors(start) : 0);
    if (!worker_filter())
        fed_log(&w->log, FED_LOG_DEBUG, "gateway: worker %u: no filter of system calls",
            (unsigned)start->index);
    m.port = fed_coap_server_port(w->server);
    worker_send(w, &m);
}

static void on_answer(struct worker *w, const struct fed_worker_answer *answer)
{
    struct worker_binding *binding = &w->coap;
    struct fed_link_exchange *exchange =
        fed_map_remove(&binding->exchanges, worker_id_key(&answer->exchange));

    if (!exchange) {
        binding = &w->https;
        exchange = fed_map_remove(&binding->exchanges, worker_id_key(&answer->exchange));
    }
    if (exchange)
        binding->calls->answer(exchange, answer->code, answer->body, answer->max_age_s);
}

static void on_notify(struct worker *w, uint64_t id, struct fed_span body, uint64_t tag)
{
    struct worker_session *s = fed_map_get(&w->sessions, worker_id_key(&id));
    enum fed_err err = s ? s->binding->calls->notify(s->link, body, tag) : FED_ERR_NOT_FOUND;

    if (s)
        worker_session_moves(w, s);
    /* Nothing observed: by CoAP fedhub hears of it when the agent asks anew; by HTTPS the agent
     * gave up its stream, and may not ask. Too large for this agent: that there is something will
     * fit. Anything else is as if the agent had not taken it. */
    if (err == FED_ERR_LIMIT)
        worker_unfit(s->binding, s->link, tag);
    else if (s && err && (err != FED_ERR_NOT_FOUND || s->binding->https))
        worker_notified(s->binding, s->link, tag, false);
}

static void on_close(struct worker *w, uint64_t id)
{
    struct worker_session *s = fed_map_get(&w->sessions, worker_id_key(&id));

    if (!s)
        return;
    s->binding->calls->set_user(s->link, NULL);
    s->binding->calls->close(s->link);
    worker_session_free(w, s);
}

static void on_elsewhere(struct worker *w, const struct fed_worker_message *m)
{
    const struct worker_session *s = fed_map_get(&w->sessions, worker_id_key(&m->session));

    if (!s || !s->binding->https)
        return;
    if (m->type == FED_WORKER_TOUCH)
        fed_https_session_touch(s->link);
    else
        fed_https_session_unobserve(s->link);
}

static void on_certificate(struct worker *w, const struct fed_worker_start *start)
{
    struct fed_diag diag = {""};
    enum fed_err err = fed_coap_server_certificate(
        w->server, start->cert_pem, start->key_pem, start->client_ca_pem, &diag);

    if (!err && w->https_server)
        err = fed_https_server_certificate(
            w->https_server, start->chain_pem, start->key_pem, start->client_ca_pem, &diag);
    if (err)
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
    worker_send(w, &m);
}

/* A handshake takes three times the memory of the session that it makes. When many are over, the
 * rest goes back to the system. */
static void trim(struct worker *w)
{
    uint64_t made = w->told.handshakes + w->told.failed + w->told.restored +
                    w->https_told.handshakes + w->https_told.failed;

    if (made == w->made && made != w->trimmed) {
        malloc_trim(0);
        w->trimmed = made;
    }
    w->made = made;
}

static void on_quiet(struct worker *w)
{
    w->quiet = true;
    worker_pause(w);
    worker_tell_stats(w);
    worker_tell_moved(w);
    send_type(w, FED_WORKER_QUIET);
}

/* The server has none of them any more, and fedhub may still speak to them. Exchanges stay: the
 * server keeps those without a session until they are answered. */
static void forget_sessions(struct worker *w)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &w->sessions);
    while (fed_map_iter_next(&it)) {
        struct worker_session *s = it.value;

        if (!s->binding->https)
            worker_session_free(w, s);
    }
}

static void on_save(struct worker *w)
{
    worker_tell_moved(w);
    fed_coap_server_save(w->server, on_saved, w);
    forget_sessions(w);
    worker_https_finish(w);
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
    case FED_WORKER_TOUCH:
    case FED_WORKER_UNOBSERVE:
        on_elsewhere(w, m);
        break;
    case FED_WORKER_KEY:
        fed_coap_server_psk(w->server, m->key.identity, m->key.key);
        break;
    case FED_WORKER_RECALL:
        fed_coap_server_recall(w->server, m->recall.id, m->recall.bytes);
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
        w->going = true;
        worker_pause(w);
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
    worker_pause(w);
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
        worker_tell_stats(w);
        worker_tell_moved(w);
        trim(w);
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
    worker_bindings_init(w);
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
    fed_https_server_close(w->https_server);
    worker_stream_fini(&w->stream);
    w->loop->timer_free(w->loop->ctx, w->tick);
    fed_map_iter_init(&it, &w->sessions);
    while (fed_map_iter_next(&it))
        fed_alloc_free(w->mem, it.value, sizeof(struct worker_session));
    fed_map_fini(&w->sessions);
    worker_bindings_fini(w);
}

enum fed_err fed_worker_run(struct fed_alloc *mem, struct fed_diag *diag)
{
    struct worker w = {.mem = mem, .log = fed_log_stderr(FED_LOG_INFO)};
    struct fed_linux_loop *linux_loop = NULL;
    struct fed_crypto crypto;
    enum fed_err err;

    signals_ignore();
    (void)close_range(POOL_TCP_FD + 1, ~0u, 0); /* whatever else was inherited */
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
