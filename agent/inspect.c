/* inspect.c - see inspect.h. */
#include "agent/inspect.h"

#include "ports/control.h"
#include "ports/host.h"

#define ASK_TIMEOUT_MS 5000u

static enum fed_err ask(
    struct agent_inspect *i, const char *request, struct fed_buf *answer, struct fed_diag *diag)
{
    char path[AGENT_PATH_MAX];
    enum fed_err err = agent_world_path(i->w, AGENT_STATE_SOCKET, path, diag);

    if (!err)
        err =
            fed_control_ask(i->w->mem, path, fed_span_text(request), ASK_TIMEOUT_MS, answer, diag);
    return err;
}

/* ---- of a service that runs ---- */

static void ask_status(struct agent_inspect *i, bool public)
{
    struct fed_buf answer;

    fed_buf_init(&answer, i->w->mem, FED_CONTROL_ANSWER_MAX);
    if (ask(i, public ? "status public" : "status", &answer, &i->service_trouble) == FED_OK &&
        fed_doc_parse(fed_buf_span(&answer), &i->status, &i->service_trouble))
        i->status = NULL;
    fed_buf_fini(&answer);
}

/* A store of one row, which the service hands out: what state.h knows how to read. */
static enum fed_err row_of_service(
    void *ctx, struct fed_span key, struct fed_buf *value, uint64_t *revision)
{
    (void)revision;
    if (!fed_span_is(key, "identity"))
        return FED_ERR_NOT_FOUND;
    return ask(ctx, "identity", value, NULL);
}

static void ask_identity(struct agent_inspect *i)
{
    struct fed_store row = {.ctx = i, .get = row_of_service};
    struct agent_state state;

    agent_state_init(&state, i->w->mem, &row);
    i->joined = agent_state_identity(&state, &i->w->identity, &i->state_trouble) == FED_OK;
}

/* ---- of the files ---- */

static enum fed_err read_files(struct agent_inspect *i)
{
    struct agent_world *w = i->w;
    struct fed_diag *diag = &i->state_trouble;
    enum fed_err err = agent_world_open_store(w, diag);

    if (err)
        return err;
    agent_state_init(&i->state, w->mem, w->ports.store);
    err = agent_state_identity(&i->state, &w->identity, diag);
    if (err == FED_ERR_NOT_FOUND)
        diag->text[0] = '\0'; /* the check of the identity says so */
    i->joined = !err && w->key_pem.len > 0;
    if (err)
        return err == FED_ERR_NOT_FOUND ? FED_OK : err;
    agent_table_init(&i->table, w->mem);
    i->has_table = true;
    return agent_state_load(&i->state, &i->table, 0, diag);
}

static void look_at_files(struct agent_inspect *i)
{
    struct agent_world *w = i->w;
    char path[AGENT_PATH_MAX];
    enum fed_err err = agent_world_path(w, AGENT_STATE_FILE, path, &i->state_trouble);

    if (err || !fed_host_is_there(path))
        return;
    err = read_files(i);
    if (err && !i->state_trouble.text[0])
        fed_diag_set(&i->state_trouble, err, "%s: %s", path, fed_err_text(err));
    if (err && i->has_table) {
        agent_table_fini(&i->table);
        i->has_table = false;
    }
}

/* ---- life ---- */

static void read_key(struct agent_inspect *i)
{
    struct agent_world *w = i->w;
    char path[AGENT_PATH_MAX];

    fed_buf_init(&w->key_pem, w->mem, 16384);
    if (agent_world_path(w, AGENT_STATE_KEY_FILE, path, NULL) == FED_OK &&
        w->fs.read(w->fs.ctx, path, &w->key_pem, NULL))
        fed_buf_clear(&w->key_pem);
}

enum fed_err agent_inspect_open(
    struct agent_world *w, bool public, struct agent_inspect *out, struct fed_diag *diag)
{
    enum fed_err err;

    *out = (struct agent_inspect){.w = w};
    err = agent_world_open_ports(w, diag);
    if (err)
        return err;
    w->log.write = NULL; /* findings say it */
    read_key(out);
    ask_status(out, public);
    if (out->status)
        ask_identity(out);
    else
        look_at_files(out);
    out->joined = out->joined && w->key_pem.len > 0;
    return FED_OK;
}

void agent_inspect_close(struct agent_inspect *i)
{
    fed_doc_free(i->status);
    if (i->has_table)
        agent_table_fini(&i->table);
}
