/* service.c - see service.h. */
#include "agent/service.h"

#include "agent/wait.h"
#include "ports/control.h"
#include "ports/host.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the service manager ---- */

static void tell_status(struct agent_service *s, const char *first)
{
    struct fed_buf text;

    fed_buf_init(&text, s->world->mem, 1024);
    fed_buf_printf(&text, "%s\nSTATUS=", first);
    agent_daemon_summary(s->daemon, &text);
    fed_notify_service_manager(fed_buf_err(&text) ? first : fed_buf_cstr(&text));
    fed_buf_fini(&text);
}

static void on_watchdog(void *ctx)
{
    struct agent_service *s = ctx;
    struct agent_world *w = s->world;
    const char *stuck = agent_daemon_stuck(s->daemon);

    agent_timer_at(&w->ports, w->timer, fed_loop_now_ms(w->ports.loop) + w->watchdog_ms);
    if (!stuck) {
        tell_status(s, "WATCHDOG=1");
        s->said_stuck = false;
        return;
    }
    if (!s->said_stuck)
        fed_log(&w->log, FED_LOG_ERROR, "%s: the watchdog is not fed any more", stuck);
    s->said_stuck = true;
}

/* WATCHDOG_USEC of systemd (sd_watchdog_enabled(3)): twice as often as asked. */
static enum fed_err start_watchdog(struct agent_service *s)
{
    struct agent_world *w = s->world;
    struct fed_loop *loop = w->ports.loop;
    const char *text = getenv("WATCHDOG_USEC");
    uint64_t us = 0;
    enum fed_err err;

    if (!text || fed_span_to_u64(fed_span_text(text), &us) || us < 2000)
        return FED_OK;
    w->watchdog_ms = us / 2000;
    err = loop->timer_new(loop->ctx, on_watchdog, s, &w->timer);
    if (!err)
        loop->timer_set(loop->ctx, w->timer, fed_loop_now_ms(loop) + w->watchdog_ms);
    return err;
}

/* ---- questions ---- */

static enum fed_err on_control(
    void *ctx, struct fed_span request, struct fed_buf *out, struct fed_diag *diag)
{
    struct agent_service *s = ctx;

    if (fed_span_is(request, "status"))
        return agent_daemon_status_json(s->daemon, out);
    if (fed_span_is(request, "status public"))
        return agent_daemon_status_public(s->daemon, out);
    if (fed_span_is(request, "status text"))
        return agent_daemon_status_text(s->daemon, out);
    if (fed_span_is(request, "identity")) /* certificates are no secret; the key is not in it */
        return s->world->ports.store->get(
            s->world->ports.store->ctx, FED_SPAN_LIT("identity"), out, NULL);
    if (fed_span_starts(request, AGENT_RBAC_REQUEST))
        return agent_daemon_rbac(s->daemon, request, out, diag);
    return fed_diag_set(diag, FED_ERR_UNSUPPORTED, "unknown request");
}

static enum fed_err on_scrape(
    void *ctx, struct fed_span path, struct fed_buf *out, struct fed_diag *diag)
{
    struct agent_service *s = ctx;
    char file[AGENT_PATH_MAX];
    uint64_t bytes = 0;

    if (!fed_span_is(path, "/metrics"))
        return fed_diag_set(diag, FED_ERR_NOT_FOUND, "there is /metrics, and nothing else\n");
    if (agent_world_path(s->world, AGENT_STATE_FILE, file, diag) == FED_OK)
        bytes = fed_host_file_bytes(file);
    return agent_daemon_metrics(s->daemon, bytes, out);
}

static enum fed_err open_metrics(struct agent_service *s, struct fed_diag *diag)
{
    struct agent_world *w = s->world;
    enum fed_err err;

    fed_control_server_close(s->metrics);
    s->metrics = NULL;
    if (!w->config.metrics[0])
        return FED_OK;
    err = fed_control_http_open(
        w->mem, w->ports.loop, &w->log, w->config.metrics, on_scrape, s, &s->metrics, diag);
    return err ? fed_diag_prefix(diag, err, "metrics") : FED_OK;
}

/* ---- the configuration again ---- */

static bool same_hubs(const struct agent_config *a, const struct agent_config *b)
{
    bool same = a->n_hubs == b->n_hubs;

    for (size_t i = 0; i < a->n_hubs && same; i++)
        same = strcmp(a->hubs[i], b->hubs[i]) == 0;
    return same;
}

static enum fed_err check_next(
    struct agent_service *s, struct agent_config *next, struct fed_diag *diag)
{
    struct agent_dial_options hubs = {.mode = agent_dial_mode_of(s->world->config.link)};
    enum fed_err err = agent_world_configure(s->world, s->options, next, diag);

    if (err)
        return err;
    agent_world_hubs(s->world, next, &hubs);
    return agent_dial_check(&hubs, diag);
}

static void take_policy(struct agent_service *s)
{
    struct agent_world *w = s->world;
    struct fed_diag diag = {""};

    if (!w->config.policy[0]) {
        agent_daemon_set_policy(s->daemon, NULL);
        agent_policy_free(w->policy);
        w->policy = NULL;
        return;
    }
    if (agent_world_open_policy(w, &diag))
        fed_log(&w->log, FED_LOG_ERROR, "%s; going on with the one before", diag.text);
    agent_daemon_set_policy(s->daemon, w->policy);
}

static void take_next(struct agent_service *s, const struct agent_config *next)
{
    struct agent_world *w = s->world;
    struct agent_dial_options hubs = {0};
    bool new_hubs = !same_hubs(&w->config, next);
    bool new_metrics = strcmp(w->config.metrics, next->metrics) != 0;
    const char *fixed = agent_config_fixed(&w->config, next);
    struct agent_config before = w->config;
    struct fed_diag diag = {""};

    w->config = *next;
    memcpy(w->config.state_dir, before.state_dir, sizeof before.state_dir);
    memcpy(w->config.link, before.link, sizeof before.link);
    memcpy(w->config.proxy, before.proxy, sizeof before.proxy);
    agent_world_open_log(w);
    if (fixed)
        fed_log(&w->log, FED_LOG_WARN, "configuration: another %s needs a restart", fixed);
    if (new_metrics && open_metrics(s, &diag))
        fed_log(&w->log, FED_LOG_ERROR, "%s; going on without", diag.text);
    if (new_hubs) {
        agent_world_hubs(w, &w->config, &hubs);
        agent_daemon_hubs(s->daemon, hubs.hubs, hubs.n_hubs);
    }
    take_policy(s);
    agent_kube_lazy_again(&w->kube); /* another file, or another content */
    agent_daemon_look(s->daemon);
    fed_log(&w->log, FED_LOG_INFO, "configuration: read again");
}

static void on_hangup(void *ctx, int number)
{
    struct agent_service *s = ctx;
    struct agent_config *next = fed_alloc_zero(s->world->mem, sizeof *next);
    struct fed_diag diag = {""};
    char text[64];

    (void)number;
    /* sd_notify(3): both, or the manager waits for the end in vain. */
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%llu",
        (unsigned long long)fed_loop_clock_us(s->world->ports.loop));
    fed_notify_service_manager(text);
    if (next && check_next(s, next, &diag) == FED_OK)
        take_next(s, next);
    else
        fed_log(&s->world->log, FED_LOG_ERROR, "configuration: %s; going on with the one before",
            diag.text[0] ? diag.text : fed_err_text(FED_ERR_NOMEM));
    fed_alloc_free(s->world->mem, next, sizeof *next);
    tell_status(s, "READY=1");
}

/* ---- life ---- */

static enum fed_err open_control(struct agent_service *s, struct fed_diag *diag)
{
    struct agent_world *w = s->world;
    char path[AGENT_PATH_MAX];
    enum fed_err err = agent_world_path(w, AGENT_STATE_SOCKET, path, diag);

    if (!err)
        err = fed_control_server_open(
            w->mem, w->ports.loop, &w->log, path, on_control, s, &s->control, diag);
    return err;
}

enum fed_err agent_service_run(struct agent_service *s, struct fed_diag *diag)
{
    struct agent_world *w = s->world;
    enum fed_err err = open_control(s, diag);

    if (!err)
        err = open_metrics(s, diag);
    if (!err)
        err = start_watchdog(s);
    if (!err)
        err = agent_world_watch_signals(w);
    if (!err)
        err = fed_linux_loop_on_signal(w->loop, SIGHUP, on_hangup, s);
    if (err)
        goto done;
    agent_daemon_set_policy(s->daemon, w->policy);
    agent_daemon_start(s->daemon);
    tell_status(s, "READY=1");
    err = fed_linux_loop_run(w->loop);
    fed_notify_service_manager("STOPPING=1");
    if (!err && w->damaged)
        err = fed_diag_set(diag, FED_ERR_CORRUPT,
            "%s/" AGENT_STATE_FILE " was found damaged; the next start sets it aside",
            w->config.state_dir);
    fed_log(&w->log, FED_LOG_INFO, "fedlet: stopped");
done:
    fed_control_server_close(s->metrics);
    fed_control_server_close(s->control);
    return err;
}
