/* copied.c - the condition that says that two machines came with a cluster's identity. */
#include "hub/status/internal.h"

#include <string.h>

#include "proto/base/text.h"

void status_copied_clear(struct hub_status *status, struct status_cluster *cluster)
{
    if (cluster->copied)
        fed_alloc_free(status->mem, cluster->copied, strlen(cluster->copied) + 1);
    cluster->copied = NULL;
}

static void keep(struct hub_status *status, struct status_cluster *cluster, const char *message)
{
    size_t size = strlen(message) + 1;

    status_copied_clear(status, cluster);
    cluster->copied = fed_alloc_get(status->mem, size);
    if (cluster->copied)
        memcpy(cluster->copied, message, size);
}

void hub_status_copied(
    struct hub_status *status, struct fed_span name, const char *message, int64_t since_unix_s)
{
    struct status_telling telling = {
        .status = status, .revision = hub_objects_revision(status->objects)};
    struct status_cluster *cluster = status_cluster_get(status, name);
    struct hub_object_ref ref;

    if (!message && (!cluster || !cluster->copied))
        return;
    if (!cluster && status_cluster_ensure(status, name, &cluster))
        return;
    if (message)
        keep(status, cluster, message);
    else
        status_copied_clear(status, cluster);
    cluster->copied_unix_s = since_unix_s;
    ref = status_cluster_ref(cluster);
    status_touch(&telling, &ref);
    status_seen(status, cluster);
}

static enum fed_err set_time(
    struct fed_json_doc *doc, struct fed_json *to, const char *key, int64_t unix_s)
{
    char text[FED_TEXT_TIME_SIZE];

    fed_text_time(unix_s, text);
    return fed_json_set_text(doc, to, key, text);
}

enum fed_err status_copied_put(
    const struct status_cluster *cluster, struct fed_json_doc *doc, struct fed_json *conditions)
{
    struct fed_json *to;
    enum fed_err err;

    if (!cluster->copied)
        return FED_OK;
    to = fed_json_new_object(doc);
    err = fed_json_append(conditions, to);
    if (!err)
        err = fed_json_set_text(doc, to, "type", "CloneSuspected");
    if (!err)
        err = fed_json_set_text(doc, to, "status", "True");
    if (!err)
        err = set_time(doc, to, "lastProbeTime", cluster->copied_unix_s);
    if (!err)
        err = set_time(doc, to, "lastTransitionTime", cluster->copied_unix_s);
    if (!err)
        err = fed_json_set_text(doc, to, "reason", "TwoMachines");
    return err ? err : fed_json_set_text(doc, to, "message", cluster->copied);
}
