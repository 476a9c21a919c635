/* kube_lazy.h - a Kubernetes client that is opened when it is first needed: at boot the kubeconfig
 * may not be written yet (k3s makes it). Until it can be opened every request fails at once with
 * FED_ERR_NETWORK, which the callers treat as an API server that is away. */
#ifndef FEDLET_AGENT_KUBE_LAZY_H
#define FEDLET_AGENT_KUBE_LAZY_H

#include "ports/kube.h"
#include "ports/log.h"

struct agent_kube_lazy {
    struct fed_kube port; /* give this to the agent */
    struct fed_log *log;
    struct fed_kube *inner; /* NULL: not open */
    char said[480];         /* last reason, so that it is logged once */
    void *ctx;
    /* Opens the real client; called again after each failure. */
    enum fed_err (*open)(void *ctx, struct fed_kube **out, struct fed_diag *diag);
};

/* Fills port in; the struct must not move afterwards. */
void agent_kube_lazy_init(struct agent_kube_lazy *lazy, struct fed_log *log,
    enum fed_err (*open)(void *ctx, struct fed_kube **out, struct fed_diag *diag), void *ctx);

#endif
