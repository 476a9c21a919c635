/* worker_https.c - a worker's HTTPS server, and what concerns both of its servers. */
#include "ports/worker/worker.h"

#include "ports/worker/pool.h"

#include <string.h>

#define PAGES_EACH 3u         /* buffers of a connection: ports/tls/pages.h */
#define DESCRIPTORS_OWN 16u   /* what else is open, and what is being closed */
#define FINISH_GRACE_MS 1000u /* for answers and observations to end */

/* ---- both bindings ---- */
void worker_bindings_init(struct worker *w)
{
    w->coap = (struct worker_binding){.worker = w, .calls = fed_coap_calls()};
    w->https = (struct worker_binding){.worker = w, .calls = fed_https_calls(), .https = true};
    fed_map_init(&w->coap.exchanges, w->mem);
    fed_map_init(&w->https.exchanges, w->mem);
}

void worker_bindings_fini(struct worker *w)
{
    fed_map_fini(&w->coap.exchanges);
    fed_map_fini(&w->https.exchanges);
}

void worker_pause(struct worker *w)
{
    bool paused = !w->going || w->slow || w->quiet;

    fed_coap_server_pause(w->server, paused);
    if (w->https_server)
        fed_https_server_pause(w->https_server, paused);
}

static void tell(struct worker *w, enum fed_worker_type type,
    const struct fed_link_server_stats *stats, struct fed_worker_stats *told)
{
    struct fed_worker_message m = {.type = type};

    m.stats = (struct fed_worker_stats){.handshakes = stats->handshakes,
        .recalled = stats->recalled,
        .failed = stats->failed,
        .turned_away = stats->turned_away,
        .restored = stats->restored,
        .sessions = stats->sessions};
    if (memcmp(&m.stats, told, sizeof *told) == 0)
        return;
    *told = m.stats;
    worker_send(w, &m);
}

void worker_tell_stats(struct worker *w)
{
    struct fed_link_server_stats stats;

    fed_coap_server_stats(w->server, &stats);
    tell(w, FED_WORKER_STATS, &stats, &w->told);
    if (!w->https_server)
        return;
    fed_https_server_stats(w->https_server, &stats);
    tell(w, FED_WORKER_STATS_HTTPS, &stats, &w->https_told);
}

/* ---- HTTPS ---- */
static unsigned connections(const struct fed_worker_start *start)
{
    return start->https_sessions_max + start->https_handshakes_max;
}

unsigned worker_https_descriptors(const struct fed_worker_start *start)
{
    return connections(start) + DESCRIPTORS_OWN;
}

enum fed_err worker_https_open(
    struct worker *w, const struct fed_worker_start *start, struct fed_diag *diag)
{
    struct fed_link_server_events events = worker_events(&w->https);
    struct fed_link_server_options options = {.fd = POOL_TCP_FD,
        .cert_pem = start->chain_pem,
        .key_pem = start->key_pem,
        .client_ca_pem = start->client_ca_pem,
        .sessions_max = start->https_sessions_max,
        .handshakes_max = start->https_handshakes_max,
        .session_idle_ms = start->session_idle_ms};
    enum fed_err err = fed_tls_pages_open((size_t)connections(start) * PAGES_EACH, diag);

    return err ? err
               : fed_https_server_open(
                     w->mem, w->loop, &w->log, &options, &events, &w->https_server, diag);
}

static void on_finished(void *ctx)
{
    struct worker *w = ctx;
    struct fed_worker_message m = {.type = FED_WORKER_DONE};

    worker_tell_moved(w);
    worker_tell_stats(w);
    worker_send(w, &m);
}

void worker_https_finish(struct worker *w)
{
    if (w->https_server)
        fed_https_server_shutdown(w->https_server, FINISH_GRACE_MS, on_finished, w);
    else
        on_finished(w);
}
