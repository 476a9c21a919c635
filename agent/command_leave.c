/* command_leave.c - fedlet leave: what was made in the member goes, then what the state directory
 * remembers. */
#include "agent/daemon.h"
#include "agent/world.h"

#include <stdio.h>
#include <stdlib.h>

#define LEAVE_TIMEOUT_MS 300000u

static void on_left(void *ctx)
{
    struct agent_world *w = ctx;

    w->exit_code = EXIT_SUCCESS;
    agent_world_stop(w);
}

static enum fed_err forget(struct agent_world *w, struct fed_diag *diag)
{
    /* First what a new state file would begin with, last what says that this is a member. */
    char path[AGENT_PATH_MAX];
    enum fed_err err = FED_OK;

    agent_world_close_store(w);
    for (size_t i = 0; i < agent_n_world_files && !err; i++) {
        err = agent_world_path(w, agent_world_files[i], path, diag);
        if (!err)
            err = w->fs.remove(w->fs.ctx, path, diag);
    }
    return err;
}

static enum fed_err leave(struct agent_world *w, const struct agent_options *options,
    size_t *remaining, struct fed_diag *diag)
{
    struct agent_daemon_options daemon_options = {0};
    struct agent_daemon *daemon = NULL;
    unsigned timeout_ms = options->timeout_ms ? options->timeout_ms : LEAVE_TIMEOUT_MS;
    enum fed_err err = agent_world_open_joined(w, diag);

    if (err)
        return err;
    agent_world_open_kube(w);
    err = agent_world_open_policy(w, diag);
    if (!err)
        err = agent_daemon_new(&w->ports, &daemon_options, &daemon, diag);
    if (!err)
        err = agent_world_watch_signals(w);
    if (!err)
        err = agent_world_start_timer(w, agent_world_stop, timeout_ms);
    if (!err) {
        w->exit_code = EXIT_FAILURE;
        agent_daemon_set_policy(daemon, w->policy);
        agent_daemon_start(daemon);
        agent_daemon_leave(daemon, options->keep_objects, on_left, w);
        err = fed_linux_loop_run(w->loop);
        *remaining = agent_daemon_remaining(daemon);
    }
    agent_daemon_free(daemon);
    return err;
}

int agent_command_leave(struct agent_world *w, const struct agent_options *options)
{
    struct fed_diag diag = {""};
    size_t remaining = 0;
    enum fed_err err = leave(w, options, &remaining, &diag);

    /* The key without the rest: what an earlier one, or a join, did not end. */
    if (err == FED_ERR_NOT_FOUND && w->store) {
        err = forget(w, &diag);
        if (!err)
            printf("left\n");
        return err ? agent_world_fail(&diag, err) : EXIT_SUCCESS;
    }
    if (!err && w->exit_code != EXIT_SUCCESS)
        err = fed_diag_set(&diag, FED_ERR_TIMEOUT,
            "%zu objects are still in the cluster; nothing else was changed, run it again",
            remaining);
    if (!err)
        err = forget(w, &diag);
    if (err)
        return agent_world_fail(&diag, err);
    printf("left as %s\n", w->identity.cluster);
    fprintf(stderr,
        "fedlet: the hub still lists this cluster; there, run\n"
        "  kubectl -n kube-federation-system delete kubefedcluster %s\n",
        w->identity.cluster);
    return EXIT_SUCCESS;
}
