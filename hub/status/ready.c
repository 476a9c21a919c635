/* ready.c - whether clusters are ready: what is heard of them, and when silence is too long. */
#include "hub/status/internal.h"

#include <stdio.h>
#include <string.h>

/* After a start every cluster with a past keeps its last word until agents had time to come back.
 */
static bool in_grace(const struct hub_status *status, const struct status_cluster *cluster)
{
    return cluster->liveness == STATUS_NEVER && cluster->row_revision > 0 &&
           fed_loop_now_ms(status->loop) - status->started_ms <
               (uint64_t)status->heartbeat_s * 1500u;
}

static bool judge(const struct hub_status *status, const struct status_cluster *cluster)
{
    if (in_grace(status, cluster))
        return cluster->ready;
    return cluster->liveness == STATUS_HEARD && strcmp(cluster->healthz, "ok") == 0;
}

/* Nothing is heard of its API server: from its agent, or because nothing is heard of that. */
static bool is_offline(const struct hub_status *status, const struct status_cluster *cluster)
{
    if (in_grace(status, cluster))
        return cluster->offline;
    return cluster->liveness != STATUS_HEARD || !cluster->healthz[0] ||
           strncmp(cluster->healthz, STATUS_UNREACHABLE, strlen(STATUS_UNREACHABLE)) == 0;
}

void status_ready_update(struct hub_status *status, struct status_cluster *cluster)
{
    bool ready = judge(status, cluster);
    bool offline = is_offline(status, cluster);
    bool flips = ready != cluster->ready || cluster->transition_unix_s == 0;
    struct hub_object_ref ref = status_cluster_ref(cluster);
    struct status_telling telling = {.status = status};
    struct fed_diag diag = {""};

    if (!flips && offline == cluster->offline)
        return;
    cluster->ready = ready;
    cluster->offline = offline;
    hub_plan_away(status->plan, fed_span_text(cluster->name), !ready);
    cluster->transition_unix_s = fed_loop_unix_s(status->loop);
    if (status_row_write(status, cluster, &cluster->view, NULL, &diag)) {
        fed_log(status->log, FED_LOG_ERROR, "status: cannot store that cluster %s is %s: %s",
            cluster->name, ready ? "ready" : "not ready", diag.text);
        telling.revision = hub_objects_revision(status->objects);
    } else {
        telling.revision = cluster->row_revision;
    }
    status_touch(&telling, &ref);
    if (status->moved)
        status->moved(status->moved_ctx, NULL, fed_span_text(cluster->name));
    status_seen(status, cluster);
    if (!flips)
        return; /* nothing that is placed there sees a difference */
    fed_log(
        status->log, FED_LOG_INFO, "cluster %s: %s", cluster->name, ready ? "ready" : "not ready");
    hub_plan_cluster_objects(status->plan, fed_span_text(cluster->name), status_touch, &telling);
}

void status_ready_sweep(void *ctx)
{
    struct hub_status *status = ctx;
    uint64_t now_ms = fed_loop_now_ms(status->loop);
    /* A beat and a half, until the next look at the latest: one lost heartbeat is retransmitted
     * within the half. */
    uint64_t limit_ms = (uint64_t)status->heartbeat_s * 1500u;
    struct fed_map_iter it;

    fed_map_iter_init(&it, &status->clusters);
    while (fed_map_iter_next(&it)) {
        struct status_cluster *cluster = it.value;

        if (cluster->liveness == STATUS_HEARD &&
            now_ms - cluster->heard_ms + STATUS_SWEEP_MS > limit_ms)
            cluster->liveness = STATUS_LOST;
        status_ready_update(status, cluster);
    }
    status->loop->timer_set(status->loop->ctx, status->sweep, now_ms + STATUS_SWEEP_MS);
}

static void heard(struct hub_status *status, struct status_cluster *cluster)
{
    bool was_away =
        cluster->liveness != STATUS_HEARD ||
        fed_loop_now_ms(status->loop) - cluster->heard_ms > (uint64_t)status->heartbeat_s * 1000u;

    cluster->liveness = STATUS_HEARD;
    cluster->heard_ms = fed_loop_now_ms(status->loop);
    cluster->heard_unix_s = fed_loop_unix_s(status->loop);
    status_ready_update(status, cluster);
    if (was_away)
        status_seen(status, cluster);
}

void hub_status_connected(
    struct hub_status *status, struct fed_span name, const char *link, const char *address)
{
    struct status_cluster *cluster;

    if (status_cluster_ensure(status, name, &cluster))
        return;
    cluster->sessions++;
    snprintf(cluster->link, sizeof cluster->link, "%s", link);
    snprintf(cluster->address, sizeof cluster->address, "%s", address);
    heard(status, cluster);
}

void hub_status_alive(struct hub_status *status, struct fed_span name)
{
    struct status_cluster *cluster = status_cluster_get(status, name);

    if (cluster)
        heard(status, cluster);
}

/* Only silence makes a cluster offline: an agent that restarts or roams is back before that. */
void hub_status_disconnected(struct hub_status *status, struct fed_span name)
{
    struct status_cluster *cluster = status_cluster_get(status, name);

    if (cluster && cluster->sessions > 0)
        cluster->sessions--;
}

bool hub_status_is_ready(struct hub_status *status, struct fed_span name, int64_t *since_unix_s)
{
    const struct status_cluster *cluster = status_cluster_get(status, name);

    if (since_unix_s)
        *since_unix_s = cluster ? cluster->transition_unix_s : 0;
    return cluster && cluster->ready;
}
