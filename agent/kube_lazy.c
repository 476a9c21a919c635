/* kube_lazy.c - see kube_lazy.h. */
#include "agent/kube_lazy.h"

#include <string.h>

static enum fed_err open_new(struct agent_kube_lazy *lazy, struct fed_kube **out)
{
    struct fed_diag diag = {""};
    enum fed_err err = lazy->source.open(lazy->source.ctx, out, &diag);

    if (!err) {
        lazy->said[0] = '\0';
        return FED_OK;
    }
    if (diag.text[0] == '\0')
        fed_diag_set(&diag, err, "%s", fed_err_text(err));
    if (strcmp(lazy->said, diag.text) != 0)
        fed_log(lazy->log, FED_LOG_WARN, "member API server: %s; %s", diag.text,
            lazy->inner ? "going on with the one before" : "trying on");
    memcpy(lazy->said, diag.text, sizeof lazy->said);
    return err;
}

/* Not from inside a request: what is open on the old client ends here, and its owners ask anew. */
static void swap(void *ctx)
{
    struct agent_kube_lazy *lazy = ctx;
    struct fed_kube *old = lazy->inner;
    struct fed_kube *inner = NULL;

    lazy->swapping = false;
    if (open_new(lazy, &inner))
        return;
    lazy->inner = inner;
    if (!old)
        return;
    fed_log(lazy->log, FED_LOG_INFO, "member API server: the kubeconfig was read anew");
    lazy->source.close(lazy->source.ctx, old);
}

void agent_kube_lazy_again(struct agent_kube_lazy *lazy)
{
    if (!lazy->swapping)
        lazy->swapping = lazy->loop->defer(lazy->loop->ctx, swap, lazy) == FED_OK;
}

static void look(struct agent_kube_lazy *lazy)
{
    uint64_t now_ms = fed_loop_now_ms(lazy->loop);

    if (now_ms - lazy->looked_ms < AGENT_KUBE_LOOK_MS)
        return;
    lazy->looked_ms = now_ms;
    if (lazy->source.changed(lazy->source.ctx))
        agent_kube_lazy_again(lazy);
}

static bool ready(struct agent_kube_lazy *lazy)
{
    struct fed_kube *inner = NULL;

    if (lazy->inner) {
        look(lazy);
        return true;
    }
    if (open_new(lazy, &inner))
        return false;
    lazy->inner = inner;
    lazy->looked_ms = fed_loop_now_ms(lazy->loop);
    return true;
}

const char *agent_kube_lazy_why(const struct agent_kube_lazy *lazy)
{
    return lazy->inner ? "" : lazy->said;
}

static enum fed_err request(void *ctx, const struct fed_kube_request *wanted, fed_kube_done *done,
    void *done_ctx, struct fed_kube_call **out)
{
    struct agent_kube_lazy *lazy = ctx;

    if (!ready(lazy))
        return FED_ERR_NETWORK;
    return lazy->inner->request(lazy->inner->ctx, wanted, done, done_ctx, out);
}

static void cancel(void *ctx, struct fed_kube_call *call)
{
    struct agent_kube_lazy *lazy = ctx;

    if (lazy->inner)
        lazy->inner->cancel(lazy->inner->ctx, call);
}

static enum fed_err watch(void *ctx, const char *path, const char *accept,
    const struct fed_kube_watch_events *events, struct fed_kube_watch **out)
{
    struct agent_kube_lazy *lazy = ctx;

    if (!ready(lazy))
        return FED_ERR_NETWORK;
    return lazy->inner->watch(lazy->inner->ctx, path, accept, events, out);
}

static void watch_cancel(void *ctx, struct fed_kube_watch *watched)
{
    struct agent_kube_lazy *lazy = ctx;

    if (lazy->inner)
        lazy->inner->watch_cancel(lazy->inner->ctx, watched);
}

void agent_kube_lazy_init(struct agent_kube_lazy *lazy, struct fed_loop *loop, struct fed_log *log,
    const struct agent_kube_source *source)
{
    *lazy = (struct agent_kube_lazy){.log = log, .loop = loop, .source = *source};
    lazy->port = (struct fed_kube){.ctx = lazy,
        .request = request,
        .cancel = cancel,
        .watch = watch,
        .watch_cancel = watch_cancel};
}
