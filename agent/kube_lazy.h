/* kube_lazy.h - a Kubernetes client that is opened when it is first needed, and again when what it
 * was made of has changed.
 *
 * At boot the kubeconfig may not be written yet (k3s makes it). Until it can be opened every
 * request fails at once with FED_ERR_NETWORK, which the callers treat as an API server that is
 * away. Later the file may be replaced (k3s renews its certificates): it is looked at before a
 * request, at most every AGENT_KUBE_LOOK_MS, so that an idle agent does not wake up for it. The new
 * client takes over between two turns of the loop; what was open on the old one ends with
 * FED_ERR_CLOSED and is tried again by its owners. A file that cannot be used (half written)
 * changes nothing, and is looked at again. */
#ifndef FEDLET_AGENT_KUBE_LAZY_H
#define FEDLET_AGENT_KUBE_LAZY_H

#include "ports/kube.h"
#include "ports/log.h"

#define AGENT_KUBE_LOOK_MS 5000u

struct agent_kube_source {
    void *ctx;
    /* Opens a client of what is there now. Called again after each failure. */
    enum fed_err (*open)(void *ctx, struct fed_kube **out, struct fed_diag *diag);
    /* What open made is not used any more. */
    void (*close)(void *ctx, struct fed_kube *kube);
    /* What the last client was made of is another by now. */
    bool (*changed)(void *ctx);
};

struct agent_kube_lazy {
    struct fed_kube port; /* give this to the agent */
    struct fed_log *log;
    struct fed_loop *loop;
    struct agent_kube_source source;
    struct fed_kube *inner; /* NULL: not open */
    uint64_t looked_ms;
    bool swapping;  /* deferred */
    char said[480]; /* last reason, so that it is logged once */
};

/* Fills port in; the struct must not move afterwards. */
void agent_kube_lazy_init(struct agent_kube_lazy *lazy, struct fed_loop *loop, struct fed_log *log,
    const struct agent_kube_source *source);
/* Makes a new client soon, whether or not something has changed. */
void agent_kube_lazy_again(struct agent_kube_lazy *lazy);
/* Why there is no client yet; "" when there is one. */
const char *agent_kube_lazy_why(const struct agent_kube_lazy *lazy);

#endif
