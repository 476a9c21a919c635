/* agents.c - see agents.h. */
#include "hub/agents.h"

#include "hub/limits.h"

#include <sched.h>
#include <string.h>

#define WORKERS_AUTO_MAX 16u
#define SAVE_TIMEOUT_MS 10000u
#define GRACE_MS 3000u /* for what is under way by HTTPS */

struct hub_agents {
    struct hub_agents_parts parts;
    const struct fed_link_calls *link;
    const struct fed_link_calls *https_link;
    struct fed_worker_pool *pool;   /* this, ... */
    struct fed_link_server *server; /* ... or these two */
    struct fed_https_server *https;
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

/* What both servers need. */
struct listening {
    unsigned workers;
    struct fed_link_server_options coap;
    struct fed_link_server_events coap_events;
    struct fed_link_server_options https;
    struct fed_link_server_events https_events;
};

static enum fed_err listen_here(
    struct hub_agents *agents, const struct listening *what, struct fed_diag *diag)
{
    const struct hub_agents_parts *parts = &agents->parts;
    enum fed_err err = fed_coap_server_open(parts->mem, parts->loop, parts->log, &what->coap,
        &what->coap_events, &agents->server, diag);

    if (err)
        return fed_diag_prefix(diag, err, "agents by CoAP at %s", what->coap.listen);
    fed_coap_server_pause(agents->server, true);
    err = fed_https_server_open(parts->mem, parts->loop, parts->log, &what->https,
        &what->https_events, &agents->https, diag);
    if (err)
        return fed_diag_prefix(diag, err, "agents by HTTPS at %s", what->https.listen);
    fed_https_server_pause(agents->https, true);
    return FED_OK;
}

static void knock(void *ctx)
{
    struct hub_agents *agents = ctx;

    if (agents->pool)
        hub_gateway_knock_by(agents->parts.gateway, fed_worker_pool_knock, agents->pool);
    else
        hub_gateway_knock_by(agents->parts.gateway, fed_coap_server_knock, agents->server);
}

static enum fed_err listen_there(
    struct hub_agents *agents, const struct listening *what, struct fed_diag *diag)
{
    const struct hub_agents_parts *parts = &agents->parts;
    struct fed_worker_pool_options pool = {.workers = what->workers,
        .log_level = (unsigned)parts->log->level,
        .server = what->coap,
        .https = what->https,
        .https_events = &what->https_events,
        .lost = knock,
        .lost_ctx = agents};
    enum fed_err err = fed_worker_pool_open(
        parts->mem, parts->loop, parts->log, &pool, &what->coap_events, &agents->pool, diag);

    return err ? fed_diag_prefix(diag, err, "agents") : FED_OK;
}

/* Of connections by HTTPS: a process has no more than its descriptors. Workers have some to spare,
 * as hashes do not share evenly. */
static void share_out(const struct hub_agents_parts *parts, struct listening *what)
{
    unsigned left =
        what->workers ? parts->descriptors / 4 * 3 * what->workers : parts->descriptors_here;
    unsigned handshakes = left / 8;

    if (handshakes > HUB_LIMIT_AGENT_HANDSHAKES)
        handshakes = HUB_LIMIT_AGENT_HANDSHAKES;
    left -= handshakes;
    what->https.handshakes_max = handshakes;
    what->https.sessions_max = left < HUB_LIMIT_AGENTS ? left : HUB_LIMIT_AGENTS;
}

static struct listening listening_of(const struct hub_agents_parts *parts)
{
    struct listening what = {.workers = workers_of(parts->options),
        .coap = {.listen = parts->options->coap_listen,
            .cert_pem = parts->cert_pem,
            .key_pem = parts->key_pem,
            .client_ca_pem = parts->client_ca_pem,
            .session_idle_ms = hub_gateway_idle_ms(parts->gateway)}};

    what.https = what.coap;
    what.https.listen = parts->options->agent_listen;
    what.https.cert_pem = parts->chain_pem;
    share_out(parts, &what);
    return what;
}

enum fed_err hub_agents_open(
    const struct hub_agents_parts *parts, struct hub_agents **out, struct fed_diag *diag)
{
    struct hub_agents *agents = fed_alloc_zero(parts->mem, sizeof *agents);
    struct listening what = listening_of(parts);
    bool there = what.workers > 0;
    enum fed_err err;

    if (!agents)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the agents' sessions");
    agents->parts = *parts;
    agents->parts.chain_pem = (struct fed_span){0}; /* for this call only */
    agents->link = there ? fed_worker_calls() : fed_coap_calls();
    agents->https_link = there ? fed_worker_https_calls() : fed_https_calls();
    fed_buf_init(&agents->saved, parts->mem, HUB_AGENTS_FILE_MAX);
    err = hub_gateway_bind(parts->gateway, agents->link, &what.coap_events);
    if (!err)
        err = hub_gateway_bind(parts->gateway, agents->https_link, &what.https_events);
    if (!err)
        err = there ? listen_there(agents, &what, diag) : listen_here(agents, &what, diag);
    if (err) {
        hub_agents_close(agents);
        return err;
    }
    /* They are copied where they are used, and may be others later. */
    agents->parts.cert_pem = agents->parts.chain_pem = (struct fed_span){0};
    agents->parts.key_pem = agents->parts.client_ca_pem = (struct fed_span){0};
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
    fed_https_server_close(agents->https);
    hub_gateway_forget(agents->parts.gateway, agents->link);
    hub_gateway_forget(agents->parts.gateway, agents->https_link);
    if (agents->saved.at)
        memset(agents->saved.at, 0, agents->saved.cap);
    fed_buf_fini(&agents->saved);
    fed_alloc_free(agents->parts.mem, agents, sizeof *agents);
}

void hub_agents_certificate(struct hub_agents *agents, struct fed_span cert_pem,
    struct fed_span chain_pem, struct fed_span key_pem, struct fed_span client_ca_pem)
{
    struct fed_diag diag = {""};
    enum fed_err err;

    if (agents->pool) {
        fed_worker_pool_certificate(agents->pool, cert_pem, chain_pem, key_pem, client_ca_pem);
        return;
    }
    err = fed_coap_server_certificate(agents->server, cert_pem, key_pem, client_ca_pem, &diag);
    if (!err)
        err = fed_https_server_certificate(agents->https, chain_pem, key_pem, client_ca_pem, &diag);
    if (err)
        fed_log(agents->parts.log, FED_LOG_ERROR,
            "gateway: the new certificate is not taken, the old one stays: %s", diag.text);
}

uint16_t hub_agents_port(const struct hub_agents *agents)
{
    return agents->pool ? fed_worker_pool_port(agents->pool) : fed_coap_server_port(agents->server);
}

uint16_t hub_agents_https_port(const struct hub_agents *agents)
{
    return agents->pool ? fed_worker_pool_https_port(agents->pool)
                        : fed_https_server_port(agents->https);
}

void hub_agents_https_stats(const struct hub_agents *agents, struct fed_link_server_stats *out)
{
    if (agents->pool)
        fed_worker_pool_https_stats(agents->pool, out);
    else
        fed_https_server_stats(agents->https, out);
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
    if (agents->pool) {
        fed_worker_pool_go(agents->pool);
    } else {
        fed_coap_server_pause(agents->server, false);
        fed_https_server_pause(agents->https, false);
    }
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
    hub_gateway_quiet(agents->parts.gateway, agents->https_link);
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
    fed_https_server_pause(agents->https, true);
    on_quiet(agents);
    fed_coap_server_save(agents->server, save_one, agents);
    fed_https_server_shutdown(agents->https, GRACE_MS, on_done, agents);
}
