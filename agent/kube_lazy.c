/* kube_lazy.c - see kube_lazy.h. */
#include "agent/kube_lazy.h"

#include <string.h>

static bool ready(struct agent_kube_lazy *lazy)
{
    struct fed_diag diag = {""};
    enum fed_err err;

    if (lazy->inner)
        return true;
    err = lazy->open(lazy->ctx, &lazy->inner, &diag);
    if (!err)
        return true;
    lazy->inner = NULL;
    if (diag.text[0] == '\0')
        fed_diag_set(&diag, err, "%s", fed_err_text(err));
    if (strcmp(lazy->said, diag.text) != 0)
        fed_log(lazy->log, FED_LOG_WARN, "member API server: %s; trying on", diag.text);
    memcpy(lazy->said, diag.text, sizeof lazy->said);
    return false;
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

void agent_kube_lazy_init(struct agent_kube_lazy *lazy, struct fed_log *log,
    enum fed_err (*open)(void *ctx, struct fed_kube **out, struct fed_diag *diag), void *ctx)
{
    *lazy = (struct agent_kube_lazy){.log = log, .open = open, .ctx = ctx};
    lazy->port = (struct fed_kube){.ctx = lazy,
        .request = request,
        .cancel = cancel,
        .watch = watch,
        .watch_cancel = watch_cancel};
}
