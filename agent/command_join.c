/* command_join.c - fedlet join: from a token to an identity. */
#include "agent/enroll.h"
#include "agent/trust.h"
#include "agent/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOIN_TIMEOUT_MS 600000u

struct joining {
    struct agent_world *w;
    const struct agent_options *options;
    struct fed_token token;
    struct agent_enroll *enroll;
    enum fed_err err;
    struct fed_diag diag;
};

static void on_join_done(
    void *ctx, enum fed_err err, const struct agent_identity *identity, const struct fed_diag *diag)
{
    struct joining *j = ctx;
    struct agent_state state;

    j->err = err;
    if (err) {
        j->diag = *diag;
    } else {
        j->w->identity = *identity;
        memcpy(
            j->w->identity.kubeconfig, j->w->config.kubeconfig, sizeof j->w->identity.kubeconfig);
        state = agent_world_state(j->w);
        if (j->options->again)
            j->err = agent_state_join_again(&state, &j->diag);
        if (!j->err)
            j->err = agent_state_set_identity(&state, &j->w->identity, &j->diag);
    }
    agent_world_stop(j->w);
}

static void on_join_pending(void *ctx)
{
    struct joining *j = ctx;

    fprintf(stderr, "fedlet: waiting for approval: a person at the hub runs `fedctl approve %s`\n",
        j->options->name);
}

/* FED_ERR_EXISTS when this directory is that member already, and is not to join once more;
 * FED_ERR_CONFLICT with diag when it is another. Once more is by any token for the name: the hub's
 * CA may be another one by now, and who asked for it has the token in his hand. */
static enum fed_err check_joined(struct joining *j, struct fed_diag *diag)
{
    struct agent_world *w = j->w;
    struct agent_state state;
    enum fed_err err;

    state = agent_world_state(w);
    err = agent_state_identity(&state, &w->identity, diag);
    if (err == FED_ERR_NOT_FOUND)
        return FED_OK;
    if (err)
        return err;
    if (strcmp(w->identity.cluster, j->options->name) == 0) {
        if (j->options->again)
            return FED_OK;
        if (agent_trust_has(&w->crypto, fed_span_text(w->identity.ca), &j->token.pin))
            return FED_ERR_EXISTS;
    }
    return fed_diag_set(diag, FED_ERR_CONFLICT,
        "%s has joined as \"%s\" already; leave first with `fedlet leave`", w->config.state_dir,
        w->identity.cluster);
}

/* A kubeconfig that cannot be used is better noticed now. */
static enum fed_err check_kubeconfig(struct agent_world *w, struct fed_diag *diag)
{
    struct fed_kube_config config;
    enum fed_err err;

    if (!w->config.kubeconfig[0])
        return FED_OK;
    err = fed_kube_config_load_own(w->mem, w->config.kubeconfig, &config, diag);
    if (!err)
        fed_kube_config_fini(&config);
    return err;
}

static bool has_coap(const struct fed_token *token)
{
    for (size_t i = 0; i < token->n_addresses; i++)
        if (fed_span_starts(fed_span_text(token->addresses[i]), "coaps://"))
            return true;
    return false;
}

static enum fed_err enroll(struct joining *j, struct fed_diag *diag)
{
    struct agent_world *w = j->w;
    unsigned timeout_ms = j->options->timeout_ms;
    struct agent_enroll_options options = {.token = &j->token,
        .cluster = j->options->name,
        .labels = j->options->labels,
        .n_labels = j->options->n_labels,
        .mode = agent_dial_mode_of(w->config.link),
        .timeout_ms = timeout_ms ? timeout_ms : JOIN_TIMEOUT_MS};
    struct agent_enroll_events events = {
        .ctx = j, .done = on_join_done, .pending = on_join_pending};
    struct agent_enroll_slot slot = {0};
    struct fed_link_events link = agent_enroll_link_events(&slot);
    char path[AGENT_PATH_MAX];
    enum fed_err err = agent_world_path(w, AGENT_STATE_KEY_FILE, path, diag);

    fed_buf_init(&w->key_pem, w->mem, 16384);
    if (!err)
        err = agent_enroll_key(w->mem, &w->fs, &w->crypto, path, &w->key_pem, diag);
    if (!err)
        err = agent_world_open_links(w, has_coap(&j->token), &link, &link, diag);
    if (err)
        return err;
    options.key_pem = fed_buf_span(&w->key_pem);
    err = agent_enroll_new(&w->ports, &options, &events, &j->enroll, diag);
    if (err)
        return err;
    slot.enroll = j->enroll;
    j->err = FED_ERR_CLOSED;
    fed_diag_set(&j->diag, FED_ERR_CLOSED, "stopped before the hub answered");
    agent_enroll_start(j->enroll);
    err = fed_linux_loop_run(w->loop);
    slot.enroll = NULL;
    agent_enroll_free(j->enroll);
    if (!err && j->err) {
        *diag = j->diag;
        err = j->err;
    }
    return err;
}

static enum fed_err join(struct joining *j, struct fed_diag *diag)
{
    enum fed_err err = agent_world_token(j->w, j->options, &j->token, diag);

    if (!err)
        err = check_kubeconfig(j->w, diag);
    if (!err)
        err = agent_world_open(j->w, diag);
    if (!err)
        err = agent_world_watch_signals(j->w);
    if (!err)
        err = check_joined(j, diag);
    return err ? err : enroll(j, diag);
}

int agent_command_join(struct agent_world *w, const struct agent_options *options)
{
    struct joining *j = fed_alloc_zero(w->mem, sizeof *j);
    struct fed_diag diag = {""};
    enum fed_err err = j ? FED_OK : FED_ERR_NOMEM;

    if (!err) {
        j->w = w;
        j->options = options;
        err = join(j, &diag);
    }
    fed_alloc_free(w->mem, j, sizeof *j);
    if (err && err != FED_ERR_EXISTS)
        return agent_world_fail(&diag, err);
    if (err == FED_ERR_EXISTS && diag.text[0]) /* the name is taken at the hub */
        return agent_world_fail(&diag, err);
    printf("%s as %s\n", err ? "joined already" : "joined", w->identity.cluster);
    return EXIT_SUCCESS;
}
