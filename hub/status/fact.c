/* fact.c - what is known of one work in one cluster, for those who wait for it: rollouts. */
#include "hub/status/internal.h"

void hub_status_on_moved(struct hub_status *status, hub_status_moved *moved, void *ctx)
{
    status->moved = moved;
    status->moved_ctx = ctx;
}

/* What the agent said of the work as it is since that revision; NULL when it has not spoken yet. */
static const struct status_work *said(struct hub_status *status,
    const struct status_cluster *cluster, const struct fed_work *work, uint64_t since_revision)
{
    const struct status_view *view = &cluster->view;
    size_t index;

    if (!work || view->revision < since_revision ||
        !hub_plan_work_index(
            status->plan, fed_span_text(cluster->name), view->revision, work, &index))
        return NULL;
    return index < view->n_works ? &view->works[index] : NULL;
}

void hub_status_fact(struct hub_status *status, struct fed_span name, const struct fed_work *work,
    uint64_t since_revision, struct hub_status_fact *out)
{
    const struct status_cluster *cluster = status_cluster_get(status, name);
    const struct status_work *of;

    *out = (struct hub_status_fact){.reason = "", .message = "", .offline = !cluster};
    if (!cluster)
        return;
    out->ready = cluster->ready;
    out->offline = cluster->offline;
    out->since_unix_s = cluster->transition_unix_s;
    of = said(status, cluster, work, since_revision);
    if (!of)
        return;
    out->confirmed = true;
    out->state = of->state;
    out->health = of->health;
    out->reason = status_work_reason(of);
    out->message = status_work_message(of);
}
