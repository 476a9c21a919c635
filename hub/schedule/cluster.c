/* cluster.c - which clusters take part. Readiness comes from status; whoever takes part keeps doing
 * so until it was not ready for long enough (schedule.h). */
#include "hub/schedule/internal.h"

#include <string.h>

static void cluster_free(struct hub_schedule *s, struct schedule_cluster *cluster)
{
    fed_json_doc_free(cluster->doc);
    fed_alloc_free(s->o.mem, cluster->name, strlen(cluster->name) + 1);
    fed_alloc_free(s->o.mem, cluster, sizeof *cluster);
}

static struct schedule_cluster *cluster_new(struct hub_schedule *s, struct fed_span name)
{
    struct schedule_cluster *cluster = fed_alloc_zero(s->o.mem, sizeof *cluster);

    if (!cluster)
        return NULL;
    cluster->name = fed_alloc_zero(s->o.mem, name.len + 1);
    if (cluster->name)
        memcpy(cluster->name, name.at, name.len);
    if (!cluster->name || fed_map_put(&s->clusters, name, cluster)) {
        fed_alloc_free(s->o.mem, cluster->name, name.len + 1);
        fed_alloc_free(s->o.mem, cluster, sizeof *cluster);
        return NULL;
    }
    return cluster;
}

/* true when they differ from what they were. */
static bool take_labels(
    struct hub_schedule *s, struct schedule_cluster *cluster, struct fed_span bytes)
{
    struct fed_json_doc *whole = NULL;
    struct fed_json_doc *doc = NULL;
    struct fed_json *object = NULL;
    const struct fed_json *labels;
    bool differ = false;

    if (fed_json_doc_new(s->o.mem, &whole) || fed_json_parse(whole, bytes, &object, NULL) ||
        fed_json_doc_new(s->o.mem, &doc))
        goto done; /* the next change tells them again */
    labels = fed_json_find(object, "metadata.labels");
    labels = labels ? fed_json_clone(doc, labels) : NULL;
    differ = cluster->labels != labels &&
             !(cluster->labels && labels && fed_json_eq(cluster->labels, labels));
    fed_json_doc_free(cluster->doc);
    cluster->doc = doc;
    cluster->labels = labels;
done:
    fed_json_doc_free(whole);
    return differ;
}

/* At a start: a cluster that was lost shortly before still has the rest of its time. */
static void begin(struct hub_schedule *s, struct schedule_cluster *cluster, int64_t since_unix_s)
{
    int64_t lost_s = fed_loop_unix_s(s->o.loop) - since_unix_s;
    uint64_t lost_ms = lost_s > 0 ? (uint64_t)lost_s * 1000u : 0;

    if (cluster->ready) {
        cluster->counted = true;
    } else if (since_unix_s > 0) {
        cluster->counted = lost_ms < s->settings.unavailable_ms;
        cluster->given_up = !cluster->counted;
        if (cluster->counted)
            cluster->due_ms = fed_loop_now_ms(s->o.loop) + s->settings.unavailable_ms - lost_ms;
    }
}

static void readiness(struct hub_schedule *s, struct schedule_cluster *cluster, bool ready)
{
    uint64_t now_ms = fed_loop_now_ms(s->o.loop);

    if (cluster->ready == ready)
        return;
    cluster->ready = ready;
    if (ready == cluster->counted) { /* back in time, or gone again */
        cluster->due_ms = 0;
    } else if (!ready) {
        cluster->due_ms = now_ms + s->settings.unavailable_ms;
    } else if (cluster->given_up) {
        cluster->due_ms = now_ms + s->settings.available_ms;
    } else {
        cluster->counted = true;
        schedule_queue_all(s, s->settings.available_ms);
    }
    if (cluster->due_ms)
        schedule_wake(s, cluster->due_ms);
}

static void gone(struct hub_schedule *s, struct fed_span name)
{
    struct schedule_cluster *cluster = fed_map_remove(&s->clusters, name);

    if (!cluster)
        return;
    schedule_facts_forget_cluster(s, name);
    if (cluster->counted) /* nothing comes back of it: its share is free */
        schedule_queue_all(s, 0);
    cluster_free(s, cluster);
}

void schedule_cluster_look(
    struct hub_schedule *s, struct fed_span name, const struct fed_span *bytes)
{
    struct schedule_cluster *cluster = fed_map_get(&s->clusters, name);
    int64_t since_unix_s;
    bool ready = hub_status_is_ready(s->o.status, name, &since_unix_s);

    if (!bytes) {
        gone(s, name);
        return;
    }
    if (!cluster) {
        cluster = cluster_new(s, name);
        if (!cluster)
            return; /* its next change tells of it again */
        take_labels(s, cluster, *bytes);
        if (s->opening) {
            cluster->ready = ready;
            begin(s, cluster, since_unix_s);
            return;
        }
    } else if (take_labels(s, cluster, *bytes) && cluster->counted) {
        schedule_queue_all(s, 0);
    }
    readiness(s, cluster, ready);
}

uint64_t schedule_clusters_due(struct hub_schedule *s, uint64_t now_ms)
{
    struct fed_map_iter it;
    uint64_t next_ms = 0;

    fed_map_iter_init(&it, &s->clusters);
    while (fed_map_iter_next(&it)) {
        struct schedule_cluster *cluster = it.value;

        if (cluster->due_ms && cluster->due_ms <= now_ms) {
            cluster->due_ms = 0;
            cluster->counted = cluster->ready;
            cluster->given_up = !cluster->counted;
            fed_log(s->o.log, FED_LOG_INFO, "replicas: cluster %s %s", cluster->name,
                cluster->counted ? "counts again" : "is given up until it is back");
            schedule_queue_all(s, 0);
        }
        if (cluster->due_ms && (next_ms == 0 || cluster->due_ms < next_ms))
            next_ms = cluster->due_ms;
    }
    return next_ms;
}

void schedule_clusters_fini(struct hub_schedule *s)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &s->clusters);
    while (fed_map_iter_next(&it))
        cluster_free(s, it.value);
    fed_map_fini(&s->clusters);
}
