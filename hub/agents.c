/* agents.c - see agents.h. */
#include "hub/agents.h"

#include <sched.h>
#include <string.h>

#define WORKERS_AUTO_MAX 16u
#define SAVE_TIMEOUT_MS 10000u

struct hub_agents {
    struct hub_agents_parts parts;
    const struct hub_gateway_link *link;
    struct fed_worker_pool *pool; /* one of these two */
    struct fed_link_server *server;
    struct fed_buf saved;
    size_t n_saved;
    size_t n_restored;
    size_t n_given_up;
    void (*asked)(void *ctx);
    void (*done)(void *ctx);
    void *ctx;
};

/* ---- open ---- */

static unsigned workers_of(const struct hub_options *options)
{
    cpu_set_t cores;
    int n;

    if (options->gateway_workers != HUB_OPTIONS_AUTO)
        return (unsigned)options->gateway_workers;
    CPU_ZERO(&cores);
    if (sched_getaffinity(0, sizeof cores, &cores))
        return 1;
    n = CPU_COUNT(&cores);
    return n > (int)WORKERS_AUTO_MAX ? WORKERS_AUTO_MAX : (unsigned)n;
}

static enum fed_err listen_here(struct hub_agents *agents,
    const struct fed_link_server_options *options, const struct fed_link_server_events *events,
    struct fed_diag *diag)
{
    const struct hub_agents_parts *parts = &agents->parts;
    enum fed_err err = fed_coap_server_open(
        parts->mem, parts->loop, parts->log, options, events, &agents->server, diag);

    if (!err)
        fed_coap_server_pause(agents->server, true);
    return err;
}

static void knock(void *ctx)
{
    struct hub_agents *agents = ctx;

    if (agents->pool)
        hub_gateway_knock_by(agents->parts.gateway, fed_worker_pool_knock, agents->pool);
    else
        hub_gateway_knock_by(agents->parts.gateway, fed_coap_server_knock, agents->server);
}

static enum fed_err listen_there(struct hub_agents *agents, unsigned workers,
    const struct fed_link_server_options *options, const struct fed_link_server_events *events,
    struct fed_diag *diag)
{
    const struct hub_agents_parts *parts = &agents->parts;
    struct fed_worker_pool_options pool = {.workers = workers,
        .log_level = (unsigned)parts->log->level,
        .server = *options,
        .lost = knock,
        .lost_ctx = agents};

    return fed_worker_pool_open(
        parts->mem, parts->loop, parts->log, &pool, events, &agents->pool, diag);
}

enum fed_err hub_agents_open(
    const struct hub_agents_parts *parts, struct hub_agents **out, struct fed_diag *diag)
{
    struct hub_agents *agents = fed_alloc_zero(parts->mem, sizeof *agents);
    unsigned workers = workers_of(parts->options);
    struct fed_link_server_events events;
    struct fed_link_server_options options = {.listen = parts->options->coap_listen,
        .cert_pem = parts->cert_pem,
        .key_pem = parts->key_pem,
        .client_ca_pem = parts->client_ca_pem,
        .session_idle_ms = hub_gateway_idle_ms(parts->gateway)};
    enum fed_err err;

    if (!agents)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the agents' sessions");
    agents->parts = *parts;
    agents->link = workers > 0 ? hub_gateway_link_workers() : hub_gateway_link_coap();
    fed_buf_init(&agents->saved, parts->mem, HUB_AGENTS_FILE_MAX);
    err = hub_gateway_bind(parts->gateway, agents->link, &events);
    if (!err)
        err = workers > 0 ? listen_there(agents, workers, &options, &events, diag)
                          : listen_here(agents, &options, &events, diag);
    if (err) {
        hub_agents_close(agents);
        return fed_diag_prefix(diag, err, "agents by CoAP at %s", parts->options->coap_listen);
    }
    /* They are copied where they are used, and may be others later. */
    agents->parts.cert_pem = agents->parts.key_pem = agents->parts.client_ca_pem =
        (struct fed_span){0};
    *out = agents;
    return FED_OK;
}

void hub_agents_close(struct hub_agents *agents)
{
    if (!agents)
        return;
    hub_gateway_knock_by(agents->parts.gateway, NULL, NULL);
    fed_worker_pool_close(agents->pool);
    fed_coap_server_close(agents->server);
    hub_gateway_forget(agents->parts.gateway, agents->link);
    if (agents->saved.at)
        memset(agents->saved.at, 0, agents->saved.cap);
    fed_buf_fini(&agents->saved);
    fed_alloc_free(agents->parts.mem, agents, sizeof *agents);
}

void hub_agents_certificate(struct hub_agents *agents, struct fed_span cert_pem,
    struct fed_span key_pem, struct fed_span client_ca_pem)
{
    struct fed_diag diag = {""};

    if (agents->pool)
        fed_worker_pool_certificate(agents->pool, cert_pem, key_pem, client_ca_pem);
    else if (fed_coap_server_certificate(agents->server, cert_pem, key_pem, client_ca_pem, &diag))
        fed_log(agents->parts.log, FED_LOG_ERROR,
            "gateway: the new certificate is not taken, the old one stays: %s", diag.text);
}

uint16_t hub_agents_port(const struct hub_agents *agents)
{
    return agents->pool ? fed_worker_pool_port(agents->pool) : fed_coap_server_port(agents->server);
}

void hub_agents_stats(const struct hub_agents *agents, struct fed_link_server_stats *out)
{
    if (agents->pool)
        fed_worker_pool_stats(agents->pool, out);
    else
        fed_coap_server_stats(agents->server, out);
}

/* ---- go on ---- */

static void restore_one(
    void *ctx, unsigned steer, struct fed_span kept, struct fed_span part, uint32_t away_ms)
{
    struct hub_agents *agents = ctx;

    agents->n_restored++;
    if (agents->pool)
        fed_worker_pool_restore(agents->pool, part, kept, steer, away_ms);
    else if (fed_coap_server_restore(agents->server, part, kept, away_ms))
        agents->n_given_up++;
}

void hub_agents_go(struct hub_agents *agents)
{
    struct fed_log *log = agents->parts.log;
    struct fed_diag diag = {""};
    enum fed_err err = hub_agents_saved_read(&agents->parts, restore_one, agents, &diag);

    if (err == FED_ERR_UNSUPPORTED)
        fed_log(log, FED_LOG_INFO,
            "gateway: saved sessions do not go on: version, heartbeat, CA or store is another now, "
            "the machine was restarted, or they are a copy; their agents come back by themselves");
    else if (err && err != FED_ERR_NOT_FOUND)
        fed_log(log, FED_LOG_WARN,
            "gateway: saved sessions do not go on: %s; their agents come back by themselves",
            diag.text[0] ? diag.text : fed_err_text(err));
    if (!err)
        fed_log(log, FED_LOG_INFO, "gateway: %zu saved sessions, %zu of them given up",
            agents->n_restored, agents->n_given_up);
    if (agents->pool)
        fed_worker_pool_go(agents->pool);
    else
        fed_coap_server_pause(agents->server, false);
    knock(agents);
}

/* ---- stop ---- */

static void save_one(
    void *ctx, struct fed_link_session *session, struct fed_span part, unsigned steer)
{
    struct hub_agents *agents = ctx;
    struct fed_buf kept;

    fed_buf_init(&kept, agents->parts.mem, 256);
    if (!hub_gateway_session_save(agents->link, session, &kept)) {
        hub_agents_saved_put(&agents->saved, steer, fed_buf_span(&kept), part);
        agents->n_saved++;
    }
    fed_buf_fini(&kept);
}

static void on_quiet(void *ctx)
{
    struct hub_agents *agents = ctx;

    agents->asked(agents->ctx);
    hub_gateway_quiet(agents->parts.gateway, agents->link);
}

static void on_done(void *ctx)
{
    struct hub_agents *agents = ctx;
    struct fed_diag diag = {""};
    struct fed_link_server_stats stats;
    enum fed_err err = fed_buf_err(&agents->saved);

    hub_agents_stats(agents, &stats);
    if (!err && agents->n_saved > 0)
        err = hub_agents_saved_write(&agents->parts, fed_buf_span(&agents->saved), &diag);
    if (err)
        fed_log(agents->parts.log, FED_LOG_WARN,
            "gateway: %zu sessions are not saved: %s; their agents come back by themselves",
            agents->n_saved, diag.text[0] ? diag.text : fed_err_text(err));
    else
        fed_log(agents->parts.log, FED_LOG_INFO,
            "gateway: %zu sessions saved; %llu handshakes, %llu sessions of before since the start",
            agents->n_saved, (unsigned long long)stats.handshakes,
            (unsigned long long)stats.restored);
    agents->done(agents->ctx);
}

void hub_agents_stop(
    struct hub_agents *agents, void (*asked)(void *ctx), void (*done)(void *ctx), void *ctx)
{
    hub_gateway_knock_by(agents->parts.gateway, NULL, NULL);
    agents->asked = asked;
    agents->done = done;
    agents->ctx = ctx;
    if (agents->pool) {
        fed_worker_pool_save(agents->pool, SAVE_TIMEOUT_MS, on_quiet, save_one, on_done, agents);
        return;
    }
    fed_coap_server_pause(agents->server, true);
    on_quiet(agents);
    fed_coap_server_save(agents->server, save_one, agents);
    on_done(agents);
}
