/* stray.c - see stray.h. */
#include "agent/stray.h"

#include "agent/answer.h"
#include "agent/path.h"
#include "agent/render.h"

#include <stdio.h>

#define AT_ONCE 8u
#define PATH_MAX_BYTES 4096u

struct slot {
    struct agent_stray *stray;
    struct fed_kube_call *call;
    bool busy;
    char what[320]; /* "configmaps shop/web", for the log */
};

struct agent_stray {
    struct agent_ports ports;
    void (*room)(void *ctx);
    void *ctx;
    bool refused; /* one since the last call of room */
    struct slot slots[AT_ONCE];
};

static bool is_idle(const struct agent_stray *stray)
{
    for (size_t i = 0; i < AT_ONCE; i++)
        if (stray->slots[i].busy)
            return false;
    return true;
}

static void on_done(
    void *ctx, enum fed_err err, const struct fed_kube_answer *answer, const struct fed_diag *diag)
{
    struct slot *slot = ctx;
    struct agent_stray *stray = slot->stray;
    struct agent_answer refusal;

    (void)diag; /* trouble of the connection is the probe's to say */
    slot->busy = false;
    if (!err && answer->status < 300) {
        fed_log(stray->ports.log, FED_LOG_INFO,
            "%s: labelled kubefed.io/managed but no work of this cluster; label taken off",
            slot->what);
    } else if (!err && answer->status != 404 && answer->status != 409 && answer->status != 422) {
        agent_answer_read(stray->ports.mem, answer, &refusal);
        fed_log(stray->ports.log, FED_LOG_WARN,
            "%s: the label kubefed.io/managed cannot be taken off: %s; tried again with its next "
            "change",
            slot->what, refusal.message);
    }
    if (!stray->refused || !is_idle(stray))
        return;
    stray->refused = false;
    stray->room(stray->ctx);
}

static enum fed_err start(
    struct slot *slot, const struct fed_work *object, const struct agent_seen *seen)
{
    struct agent_stray *stray = slot->stray;
    struct fed_buf path;
    struct fed_buf body;
    enum fed_err err;

    fed_buf_init(&path, stray->ports.mem, PATH_MAX_BYTES);
    fed_buf_init(&body, stray->ports.mem, 1024);
    agent_path_put_object(&path, object);
    fed_buf_put_text(&path, "?fieldManager=" AGENT_FIELD_MANAGER);
    agent_render_release(&body, seen);
    err = fed_buf_err(&path) ? fed_buf_err(&path) : fed_buf_err(&body);
    if (!err)
        err = stray->ports.kube->request(stray->ports.kube->ctx,
            &(struct fed_kube_request){.method = "PATCH",
                .path = fed_buf_cstr(&path),
                .content_type = "application/json-patch+json",
                .body = fed_buf_span(&body)},
            on_done, slot, &slot->call);
    fed_buf_fini(&path);
    fed_buf_fini(&body);
    return err;
}

bool agent_stray_release(
    struct agent_stray *stray, const struct fed_work *object, const struct agent_seen *seen)
{
    struct slot *slot = stray->slots;

    while (slot < stray->slots + AT_ONCE && slot->busy)
        slot++;
    if (slot == stray->slots + AT_ONCE) {
        stray->refused = true;
        return false;
    }
    snprintf(slot->what, sizeof slot->what, FED_SPAN_FMT " " FED_SPAN_FMT "%s" FED_SPAN_FMT,
        FED_SPAN_ARG(object->plural), FED_SPAN_ARG(object->ns), object->ns.len ? "/" : "",
        FED_SPAN_ARG(object->name));
    slot->stray = stray;
    slot->busy = start(slot, object, seen) == FED_OK;
    return true; /* without a connection the next list finds it again */
}

enum fed_err agent_stray_new(
    const struct agent_ports *ports, void (*room)(void *ctx), void *ctx, struct agent_stray **out)
{
    struct agent_stray *stray = fed_alloc_zero(ports->mem, sizeof *stray);

    if (!stray)
        return FED_ERR_NOMEM;
    stray->ports = *ports;
    stray->room = room;
    stray->ctx = ctx;
    *out = stray;
    return FED_OK;
}

void agent_stray_free(struct agent_stray *stray)
{
    if (!stray)
        return;
    for (size_t i = 0; i < AT_ONCE; i++)
        if (stray->slots[i].busy)
            stray->ports.kube->cancel(stray->ports.kube->ctx, stray->slots[i].call);
    fed_alloc_free(stray->ports.mem, stray, sizeof *stray);
}
