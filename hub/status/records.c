/* records.c - a cluster's record, and its row in the store. */
#include "hub/status/internal.h"

#include <stdio.h>
#include <string.h>

struct status_cluster *status_cluster_get(struct hub_status *status, struct fed_span name)
{
    return fed_map_get(&status->clusters, name);
}

void status_cluster_free(struct hub_status *status, struct status_cluster *cluster)
{
    status_view_fini(status, &cluster->view);
    status_view_fini(status, &cluster->staged);
    fed_alloc_free(status->mem, cluster->facts, cluster->facts_len + 1);
    status_copied_clear(status, cluster);
    fed_alloc_free(status->mem, cluster->name, strlen(cluster->name) + 1);
    fed_alloc_free(status->mem, cluster, sizeof *cluster);
}

enum fed_err status_cluster_new(
    struct hub_status *status, struct fed_span name, struct status_cluster **out)
{
    struct status_cluster *cluster = fed_alloc_zero(status->mem, sizeof *cluster);
    enum fed_err err = FED_ERR_NOMEM;

    if (!cluster)
        return err;
    cluster->name = fed_alloc_zero(status->mem, name.len + 1);
    if (cluster->name) {
        memcpy(cluster->name, name.at, name.len);
        err = fed_map_put(&status->clusters, name, cluster);
    }
    if (err) {
        fed_alloc_free(status->mem, cluster->name, name.len + 1);
        fed_alloc_free(status->mem, cluster, sizeof *cluster);
        return err;
    }
    *out = cluster;
    return FED_OK;
}

enum fed_err status_cluster_ensure(
    struct hub_status *status, struct fed_span name, struct status_cluster **out)
{
    *out = status_cluster_get(status, name);
    return *out ? FED_OK : status_cluster_new(status, name, out);
}

/* ---- its row ---- */

struct fed_span status_row_key(const struct status_cluster *cluster, char key[300])
{
    int n = snprintf(key, 300, "s/%s", cluster->name);

    return fed_span_of(key, n > 0 && n < 300 ? (size_t)n : 0);
}

enum fed_err status_row_stage(struct hub_status *status, const struct fed_store_op *ops, size_t n,
    uint64_t *revision, struct fed_diag *diag)
{
    enum fed_err err = hub_objects_stage(status->objects, NULL, 0, ops, n, revision, diag);

    return err || hub_objects_flush_soon(status->objects)
               ? err
               : hub_objects_flush(status->objects, diag);
}

enum fed_err status_row_write(struct hub_status *status, struct status_cluster *cluster,
    const struct status_view *view, const struct status_ops *more, struct fed_diag *diag)
{
    size_t n = more ? more->n : 0;
    struct fed_store_op *ops = fed_alloc_array(status->mem, n + 1, sizeof *ops);
    struct fed_buf row;
    char key[300];
    enum fed_err err;

    if (!ops)
        return FED_ERR_NOMEM;
    fed_buf_init(&row, status->mem, STATUS_ROW_MAX);
    status_row_put(&row, cluster, view);
    ops[0] =
        (struct fed_store_op){.key = status_row_key(cluster, key), .value = fed_buf_span(&row)};
    if (n)
        memcpy(ops + 1, more->list, n * sizeof *ops);
    err = ops[0].key.len ? fed_buf_err(&row) : FED_ERR_LIMIT;
    if (!err)
        err = status_row_stage(status, ops, n + 1, &cluster->row_revision, diag);
    fed_alloc_free(status->mem, ops, (n + 1) * sizeof *ops);
    if (!err)
        cluster->unsettled = status->unsettled = true;
    fed_buf_fini(&row);
    return err;
}

void status_row_recall(struct hub_status *status, struct status_cluster *cluster)
{
    struct fed_diag diag = {""};
    struct fed_buf row;
    char key[300];
    enum fed_err err;

    status_view_fini(status, &cluster->view);
    status_view_fini(status, &cluster->staged);
    status_facts_forget(status, cluster);
    cluster->staging = false;
    cluster->n_taken = 0;
    cluster->ready = cluster->offline = false;
    cluster->transition_unix_s = 0;
    cluster->row_revision = 0;
    fed_buf_init(&row, status->mem, STATUS_ROW_MAX);
    err = hub_objects_get_row(
        status->objects, status_row_key(cluster, key), &row, &cluster->row_revision);
    if (!err)
        err = status_row_take(status, fed_buf_span(&row), cluster, &diag);
    if (err && err != FED_ERR_NOT_FOUND) {
        status_view_fini(status, &cluster->view);
        fed_log(status->log, FED_LOG_ERROR,
            "status: the row of cluster %s cannot be read again: %s; its agent is asked for a full "
            "report",
            cluster->name, diag.text[0] ? diag.text : fed_err_text(err));
    }
    fed_buf_fini(&row);
}
