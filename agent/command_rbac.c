/* command_rbac.c - fedlet rbac: from the running service, or from the state directory without one.
 */
#include "agent/rbac.h"
#include "agent/world.h"
#include "ports/control.h"

#include <stdio.h>
#include <stdlib.h>

#define RBAC_TIMEOUT_MS 5000u
#define USUAL_NAMESPACE "kube-federation-system" /* as `fedctl join` makes it */
#define USUAL_NAME "fedlet"

static struct agent_account account_of(const struct agent_options *options)
{
    struct fed_span text = fed_span_text(options->account);
    size_t slash = fed_span_find(text, '/');

    if (options->user)
        return (struct agent_account){.name = fed_span_text(options->user)};
    if (!options->account)
        return (struct agent_account){
            .ns = fed_span_text(USUAL_NAMESPACE), .name = fed_span_text(USUAL_NAME)};
    return (struct agent_account){
        .ns = fed_span_sub(text, 0, slash), .name = fed_span_sub(text, slash + 1, text.len)};
}

static enum fed_err ask(struct agent_world *w, const struct agent_rbac_options *options,
    struct fed_buf *out, struct fed_diag *diag)
{
    struct fed_buf request;
    char path[AGENT_PATH_MAX];
    enum fed_err err = agent_world_path(w, AGENT_STATE_SOCKET, path, diag);

    fed_buf_init(&request, w->mem, FED_CONTROL_REQUEST_MAX);
    agent_rbac_request(options, &request);
    if (!err)
        err = fed_buf_err(&request);
    if (!err)
        err = fed_control_ask(w->mem, path, fed_buf_span(&request), RBAC_TIMEOUT_MS, out, diag);
    fed_buf_fini(&request);
    return err;
}

static enum fed_err read_state(struct agent_world *w, struct agent_rbac_options *options,
    struct fed_buf *out, struct fed_diag *diag)
{
    struct agent_state state;
    struct agent_table table;
    enum fed_err err = agent_world_open_joined(w, diag);

    if (!err)
        err = agent_world_open_policy(w, diag);
    if (err)
        return err;
    options->policy = w->policy;
    agent_state_init(&state, w->mem, w->ports.store);
    agent_table_init(&table, w->mem);
    err = agent_state_load(&state, &table, 0, diag);
    if (!err) {
        agent_rbac_put(&table, options, out);
        err = fed_buf_err(out);
    }
    agent_table_fini(&table);
    return err;
}

int agent_command_rbac(struct agent_world *w, const struct agent_options *options)
{
    struct agent_rbac_options rbac = {.self = account_of(options), .json = options->json};
    struct fed_diag diag = {""};
    struct fed_buf out;
    enum fed_err err;

    fed_buf_init(&out, w->mem, FED_CONTROL_ANSWER_MAX);
    err = ask(w, &rbac, &out, &diag);
    if (err == FED_ERR_NOT_FOUND) {
        fed_buf_clear(&out);
        err = read_state(w, &rbac, &out, &diag);
    }
    if (!err)
        fwrite(out.at, 1, out.len, stdout);
    fed_buf_fini(&out);
    return err ? agent_world_fail(&diag, err) : EXIT_SUCCESS;
}
