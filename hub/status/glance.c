/* glance.c - a cluster at a glance, for who looks at all of them. */
#include "hub/plan/gates.h"
#include "hub/status/internal.h"

#include <string.h>

#define LATE_SLACK_MS 2000u /* a beat on its way */

/* What an agent says of a work that is applied (agent/apply_drift.c). */
#define REASON_DRIFTED "Drifted"
#define REASON_CONTESTED "Contested"

static enum hub_connectivity connectivity_of(
    const struct hub_status *status, const struct status_cluster *cluster)
{
    uint64_t now_ms = fed_loop_now_ms(status->loop);

    if (cluster->copied)
        return HUB_QUARANTINED;
    if (cluster->liveness == STATUS_HEARD)
        return now_ms - cluster->heard_ms > (uint64_t)status->heartbeat_s * 1000u + LATE_SLACK_MS
                   ? HUB_LATE
                   : HUB_ONLINE;
    if (cluster->row_revision == 0)
        return HUB_NEVER;
    /* After a start agents have time to come back. */
    return cluster->liveness == STATUS_NEVER &&
                   now_ms - status->started_ms < (uint64_t)status->heartbeat_s * 1500u
               ? HUB_LATE
               : HUB_OFFLINE;
}

static int64_t since(const struct status_cluster *cluster, enum hub_connectivity connectivity)
{
    if (connectivity == HUB_QUARANTINED)
        return cluster->copied_unix_s;
    if ((connectivity == HUB_LATE || connectivity == HUB_OFFLINE) && cluster->heard_unix_s)
        return cluster->heard_unix_s;
    return connectivity == HUB_NEVER ? 0 : cluster->transition_unix_s;
}

struct counted {
    size_t pending, waiting, contested;
};

static void count(
    const struct status_work *work, struct hub_status_glance *out, struct counted *counted)
{
    const char *reason = status_work_reason(work);

    switch ((enum fed_work_state)work->state) {
    case FED_WORK_FAILED:
        out->failed++;
        break;
    case FED_WORK_WAITING:
        counted->waiting++;
        break;
    case FED_WORK_PENDING:
    case FED_WORK_REMOVING:
        counted->pending++;
        break;
    case FED_WORK_APPLIED:
        counted->contested += strcmp(reason, REASON_CONTESTED) == 0;
        out->drifted +=
            strcmp(reason, REASON_CONTESTED) == 0 || strcmp(reason, REASON_DRIFTED) == 0;
        break;
    case FED_WORK_STATES:
        break;
    }
}

/* What waits for the hub, a window, a rollout or a person. */
static bool is_held(struct hub_status *status, struct fed_span name)
{
    struct hub_plan_consent consent;

    return hub_plan_held(status->plan, name) > 0 ||
           hub_plan_consent(status->plan, name, &consent) ||
           hub_plan_awaits_rollout(status->plan, name);
}

static enum hub_delivery delivery_of(struct hub_status *status,
    const struct status_cluster *cluster, const struct hub_status_glance *glance,
    const struct counted *counted)
{
    struct fed_span name = fed_span_text(cluster->name);
    const struct fed_manifest *manifest;
    bool behind = !hub_plan_manifest(status->plan, name, &manifest) &&
                  manifest->revision != cluster->view.revision;
    bool moves = glance->connectivity == HUB_ONLINE;
    /* Its agent is heard, its API server is not well. */
    bool sick = moves && cluster->healthz[0] && !cluster->ready;

    if (glance->failed > 0 || sick)
        return HUB_FAILED;
    if (counted->contested > 0)
        return HUB_CONTESTED;
    if (glance->drifted > 0)
        return HUB_DRIFTED;
    if (counted->waiting > 0 || is_held(status, name) ||
        (!moves && (behind || counted->pending > 0)))
        return HUB_WAITING;
    return behind || counted->pending > 0 || cluster->view.removed ? HUB_SYNCING : HUB_IN_SYNC;
}

static bool has_works(struct hub_status *status, struct fed_span name)
{
    const struct fed_manifest *manifest;

    return !hub_plan_manifest(status->plan, name, &manifest) && manifest->n_works > 0;
}

void hub_status_glance(
    struct hub_status *status, struct fed_span name, struct hub_status_glance *out)
{
    const struct status_cluster *cluster = status_cluster_get(status, name);
    struct counted counted = {0};

    *out = (struct hub_status_glance){.connectivity = HUB_NEVER, .delivery = HUB_IN_SYNC};
    if (!cluster) {
        out->delivery = has_works(status, name) ? HUB_WAITING : HUB_IN_SYNC;
        return;
    }
    out->connectivity = connectivity_of(status, cluster);
    out->since_unix_s = since(cluster, out->connectivity);
    for (size_t i = 0; i < cluster->view.n_works; i++)
        count(&cluster->view.works[i], out, &counted);
    out->delivery = delivery_of(status, cluster, out, &counted);
}

void hub_status_detail(
    struct hub_status *status, struct fed_span name, struct hub_status_detail *out)
{
    const struct status_cluster *cluster = status_cluster_get(status, name);
    const struct fed_manifest *manifest;
    struct hub_status_glance glance = {0};
    struct counted counted = {0};
    bool planned = !hub_plan_manifest(status->plan, name, &manifest);

    *out = (struct hub_status_detail){.came = cluster != NULL};
    if (!cluster) {
        out->behind = planned ? manifest->n_works : 0;
        return;
    }
    out->agent_version = fed_span_text(cluster->agent_version);
    out->kubernetes_version = fed_span_text(cluster->kubernetes_version);
    for (size_t i = 0; i < cluster->view.n_works; i++)
        count(&cluster->view.works[i], &glance, &counted);
    out->behind = counted.pending + counted.waiting;
    /* What it has not heard of yet is of no work that it told of. */
    if (out->behind == 0 && planned && manifest->revision != cluster->view.revision)
        out->behind = 1;
}

void hub_status_on_seen(struct hub_status *status, hub_status_seen *seen, void *ctx)
{
    status->seen_call = seen;
    status->seen_ctx = ctx;
}

void status_seen(struct hub_status *status, const struct status_cluster *cluster)
{
    if (status->seen_call)
        status->seen_call(status->seen_ctx, fed_span_text(cluster->name));
}
