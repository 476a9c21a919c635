/* partial.c - see partial.h. */
#include "agent/partial.h"

static const char *text_of(enum fed_err err, const struct fed_diag *diag)
{
    return diag->text[0] ? diag->text : fed_err_text(err);
}

void agent_partial_load(struct agent_partial *p, const struct agent_ports *ports)
{
    struct fed_diag diag = {""};
    struct fed_buf bytes;
    enum fed_err err;

    if (!p->place || !ports->link->partial_set)
        return;
    fed_buf_init(&bytes, ports->mem, AGENT_PARTIAL_MAX);
    err = p->place->fs->read(p->place->fs->ctx, p->place->path, &bytes, &diag);
    p->written = err != FED_ERR_NOT_FOUND;
    if (!err)
        err = ports->link->partial_set(ports->link->ctx, fed_buf_span(&bytes));
    if (!err)
        fed_log(ports->log, FED_LOG_INFO, "%zu bytes of a bundle are there from before", bytes.len);
    else if (err != FED_ERR_NOT_FOUND)
        fed_log(ports->log, FED_LOG_INFO, "what came of a bundle before is not used: %s",
            text_of(err, &diag));
    fed_buf_fini(&bytes);
}

static void remove_file(struct agent_partial *p, const struct agent_ports *ports)
{
    struct fed_diag diag = {""};

    if (!p->written)
        return;
    p->written = false;
    if (p->place->fs->remove(p->place->fs->ctx, p->place->path, &diag))
        fed_log(
            ports->log, FED_LOG_INFO, "a part of a bundle that is complete stays: %s", diag.text);
}

void agent_partial_keep(struct agent_partial *p, const struct agent_ports *ports)
{
    struct fed_diag diag = {""};
    struct fed_buf bytes;
    enum fed_err err;

    if (!p->place || !ports->link->partial_get)
        return;
    fed_buf_init(&bytes, ports->mem, AGENT_PARTIAL_MAX);
    err = ports->link->partial_get(ports->link->ctx, &bytes);
    if (!err) {
        p->written = true;
        err = p->place->fs->write(
            p->place->fs->ctx, p->place->path, fed_buf_span(&bytes), 0600, &diag);
    }
    if (err == FED_ERR_NOT_FOUND)
        remove_file(p, ports);
    else if (err)
        fed_log(
            ports->log, FED_LOG_INFO, "what came of a bundle is not kept: %s", text_of(err, &diag));
    fed_buf_fini(&bytes);
}

void agent_partial_forget(struct agent_partial *p, const struct agent_ports *ports)
{
    if (ports->link->partial_set)
        (void)ports->link->partial_set(ports->link->ctx, (struct fed_span){0});
    remove_file(p, ports);
}
