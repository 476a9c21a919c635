/* command_run.c - fedlet run: the service, and what it tells the service manager. */
#include "agent/daemon.h"
#include "agent/service.h"

#include <stdlib.h>

static enum fed_err choose_hubs(
    struct agent_world *w, struct agent_dial_options *out, struct fed_diag *diag)
{
    *out = (struct agent_dial_options){.identity = &w->identity,
        .key_pem = fed_buf_span(&w->key_pem),
        .mode = agent_dial_mode_of(w->config.link),
        .clock = &w->clock};
    agent_world_hubs(w, &w->config, out);
    return agent_dial_check(out, diag);
}

static bool has_coap(const struct agent_dial_options *options)
{
    for (size_t i = 0; i < options->n_hubs; i++)
        if (fed_span_starts(fed_span_text(options->hubs[i]), "coaps://"))
            return true;
    return false;
}

static enum fed_err open_run(struct agent_world *w, struct agent_daemon_options *options,
    struct agent_dial_slot *slot, struct fed_diag *diag)
{
    struct fed_link_events coap = agent_dial_link_events(slot, AGENT_DIAL_COAP);
    struct fed_link_events https = agent_dial_link_events(slot, AGENT_DIAL_HTTPS);
    enum fed_err err = agent_world_open_joined(w, diag);

    if (!err)
        err = choose_hubs(w, &options->sync, diag);
    if (!err)
        err = agent_world_open_links(w, has_coap(&options->sync), &coap, &https, diag);
    if (err)
        return err;
    options->slot = slot;
    options->identity = &w->identity;
    agent_world_open_kube(w);
    return agent_world_open_policy(w, diag);
}

/* What is kept between two processes, beside the state file. */
struct places {
    struct agent_session_place session;
    struct agent_partial_place partial;
    char session_path[AGENT_PATH_MAX];
    char key_path[AGENT_PATH_MAX];
    char partial_path[AGENT_PATH_MAX];
};

static enum fed_err places_init(struct agent_world *w, struct places *p, struct fed_diag *diag)
{
    enum fed_err err = agent_world_path(w, AGENT_STATE_SESSION_FILE, p->session_path, diag);

    if (!err)
        err = agent_world_path(w, AGENT_STATE_KEY_FILE, p->key_path, diag);
    if (!err)
        err = agent_world_path(w, AGENT_STATE_PARTIAL_FILE, p->partial_path, diag);
    p->session =
        (struct agent_session_place){.fs = &w->fs, .path = p->session_path, .anchor = p->key_path};
    p->partial = (struct agent_partial_place){.fs = &w->fs, .path = p->partial_path};
    return err;
}

/* Nothing more is read from it: the next start, which looks at all of it, begins anew. */
static void on_damaged(void *ctx)
{
    struct agent_world *w = ctx;

    w->damaged = true;
    agent_world_stop(w);
}

/* A bundle that cannot be read is no reason to stand still. */
static enum fed_err make_daemon(struct agent_world *w, const struct agent_daemon_options *options,
    struct agent_daemon **out, struct fed_diag *diag)
{
    enum fed_err err = agent_daemon_new(&w->ports, options, out, diag);

    if (err != FED_ERR_CORRUPT)
        return err;
    err = agent_world_mend(w, diag);
    return err ? err : agent_daemon_new(&w->ports, options, out, diag);
}

int agent_command_run(struct agent_world *w, const struct agent_options *options)
{
    struct agent_daemon_options daemon_options = {0};
    struct agent_dial_slot slot = {0};
    struct fed_consent_limit limit;
    struct agent_service service = {.world = w, .options = options};
    struct places places;
    struct fed_diag diag = {""};
    enum fed_err err;

    err = open_run(w, &daemon_options, &slot, &diag);
    if (!err)
        err = places_init(w, &places, &diag);
    if (!err)
        err = fed_consent_limit_parse(fed_span_text(w->config.removal_consent), &limit, &diag);
    daemon_options.removal_consent = &limit;
    daemon_options.sync.session = &places.session;
    daemon_options.sync.partial = &places.partial;
    daemon_options.vault = &w->vault;
    daemon_options.damaged = on_damaged;
    daemon_options.damaged_ctx = w;
    if (!err)
        err = make_daemon(w, &daemon_options, &service.daemon, &diag);
    if (!err)
        err = agent_service_run(&service, &diag);
    agent_daemon_free(service.daemon);
    return err ? agent_world_fail(&diag, err) : EXIT_SUCCESS;
}
