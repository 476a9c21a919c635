/* remote.c - the .status of members' objects, where it is collected.
 *
 * One row each, "r/" cluster NUL "apiVersion/Kind/namespace/name": the status as canonical JSON, at
 * most FED_REPORT_REMOTE_MAX. A row is written in the commit of the report that brought it, and
 * read only when the federated object is. It stays while the cluster has a work of that identity,
 * whatever its content: the status is the live object's. */
#include "hub/status/internal.h"

#include <string.h>

#define KEYS_MAX (256u << 20) /* of all rows, while a start looks for those that nobody needs */

static enum fed_err put_key(struct fed_buf *out, const char *cluster, const struct fed_work *work)
{
    fed_buf_put_text(out, "r/");
    fed_buf_put_text(out, cluster);
    fed_buf_put_u8(out, '\0');
    fed_work_put_id(out, work);
    return fed_buf_err(out);
}

static enum fed_err add_op(struct status_ops *ops, const char *cluster, const struct fed_work *work,
    const struct fed_span *value)
{
    struct fed_store_op *op = &ops->list[ops->n];
    struct fed_buf key;

    fed_buf_init(&key, &ops->arena->alloc, FED_STORE_KEY_MAX);
    if (put_key(&key, cluster, work))
        return fed_buf_err(&key);
    *op = (struct fed_store_op){.key = fed_buf_span(&key), .remove = !value};
    if (value)
        op->value = *value;
    ops->n++;
    return FED_OK;
}

/* ---- reports ---- */

static size_t count(const struct status_view *view)
{
    size_t n = 0;

    for (size_t i = 0; i < view->n_works; i++)
        n += view->works[i].remote;
    return n;
}

/* Rows follow the identity of their work into the new view, or go. */
static enum fed_err carry(struct hub_status *status, const struct status_cluster *cluster,
    struct status_view *next, struct status_ops *ops)
{
    const struct status_view *from = &cluster->view;
    const struct fed_manifest *manifest = NULL;
    enum fed_err err = FED_OK;

    if (from->revision != next->revision &&
        hub_plan_manifest_at(status->plan, fed_span_text(cluster->name), from->revision, &manifest))
        return FED_OK; /* forgotten: the agent tells all again, the next start sweeps */
    for (size_t i = 0; !err && i < from->n_works; i++) {
        size_t to = i;

        if (!from->works[i].remote || (manifest && i >= manifest->n_works))
            continue;
        if (manifest && !hub_plan_work_index(status->plan, fed_span_text(cluster->name),
                            next->revision, &manifest->works[i], &to))
            err = add_op(ops, cluster->name, &manifest->works[i], NULL);
        else if (to < next->n_works)
            next->works[to].remote = true;
    }
    return err;
}

static bool is_json(struct hub_status *status, struct fed_span text)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *value;
    bool is = !fed_json_doc_new(status->mem, &doc) && !fed_json_parse(doc, text, &value, NULL);

    fed_json_doc_free(doc);
    return is;
}

static enum fed_err take(struct hub_status *status, const struct status_cluster *cluster,
    const struct fed_report *report, struct status_view *next, struct status_ops *ops)
{
    const struct fed_manifest *manifest;
    enum fed_err err = hub_plan_manifest_at(
        status->plan, fed_span_text(cluster->name), report->revision, &manifest);

    for (size_t i = 0; !err && i < report->n_remote; i++) {
        const struct fed_report_remote *remote = &report->remote[i];
        bool none = fed_span_is(remote->status, "null");

        if (remote->index >= next->n_works || remote->index >= manifest->n_works ||
            !is_json(status, remote->status))
            return FED_ERR_INVALID;
        next->works[remote->index].remote = !none;
        err = add_op(
            ops, cluster->name, &manifest->works[remote->index], none ? NULL : &remote->status);
    }
    return err;
}

enum fed_err status_remote_take(struct hub_status *status, const struct status_cluster *cluster,
    const struct fed_report *report, struct status_view *next, struct status_ops *ops)
{
    size_t kept = report->more ? 0 : count(&cluster->view);
    enum fed_err err = FED_OK;

    ops->n = 0;
    if (kept == 0 && report->n_remote == 0)
        return FED_OK;
    ops->list = fed_alloc_array(&ops->arena->alloc, kept + report->n_remote, sizeof *ops->list);
    if (!ops->list)
        return FED_ERR_NOMEM;
    if (kept)
        err = carry(status, cluster, next, ops);
    return err || report->n_remote == 0 ? err : take(status, cluster, report, next, ops);
}

enum fed_err status_remote_get(struct hub_status *status, struct fed_span cluster,
    const struct fed_work *work, struct fed_json_doc *doc, struct fed_json **out)
{
    const struct status_cluster *of = status_cluster_get(status, cluster);
    struct fed_buf key;
    struct fed_buf value;
    enum fed_err err;

    *out = NULL;
    if (!of)
        return FED_OK;
    fed_buf_init(&key, status->mem, FED_STORE_KEY_MAX);
    fed_buf_init(&value, status->mem, FED_REPORT_REMOTE_MAX);
    err = put_key(&key, of->name, work);
    if (!err)
        err = hub_objects_get_row(status->objects, fed_buf_span(&key), &value, NULL);
    if (!err)
        err = fed_json_parse(doc, fed_buf_span(&value), out, NULL);
    fed_buf_fini(&value);
    fed_buf_fini(&key);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

/* ---- rows that nobody needs ---- */

struct sweeping {
    struct hub_status *status;
    struct fed_arena arena;  /* everything below */
    struct fed_span cluster; /* whose rows are being looked at */
    bool known;              /* what that cluster needs is; else its rows stay */
    struct fed_map needed;   /* keys */
    struct fed_store_op *ops;
    size_t n;
    size_t cap;
    enum fed_err err;
};

static enum fed_err copy(struct sweeping *s, struct fed_span text, struct fed_span *out)
{
    uint8_t *at = fed_alloc_get(&s->arena.alloc, text.len + 1);

    if (!at)
        return FED_ERR_NOMEM;
    memcpy(at, text.at, text.len);
    *out = fed_span_of(at, text.len);
    return FED_OK;
}

static enum fed_err need(
    struct sweeping *s, const struct status_cluster *cluster, const struct fed_work *work)
{
    struct fed_buf key;

    fed_buf_init(&key, &s->arena.alloc, FED_STORE_KEY_MAX);
    return put_key(&key, cluster->name, work) ? fed_buf_err(&key)
                                              : fed_map_put(&s->needed, fed_buf_span(&key), s);
}

static enum fed_err begin_cluster(struct sweeping *s, struct fed_span name)
{
    const struct status_cluster *cluster = status_cluster_get(s->status, name);
    const struct fed_manifest *manifest;
    enum fed_err err = copy(s, name, &s->cluster);

    fed_map_fini(&s->needed);
    fed_map_init(&s->needed, s->status->mem);
    s->known =
        !cluster || !hub_plan_manifest_at(s->status->plan, name, cluster->view.revision, &manifest);
    if (!cluster || !s->known)
        return err;
    for (size_t i = 0; !err && i < cluster->view.n_works && i < manifest->n_works; i++) {
        if (cluster->view.works[i].remote)
            err = need(s, cluster, &manifest->works[i]);
    }
    return err;
}

static enum fed_err drop(struct sweeping *s, struct fed_span key)
{
    struct fed_store_op *ops;
    ops = fed_alloc_more(&s->arena.alloc, s->ops, s->n, &s->cap, sizeof *ops, 64);
    if (!ops)
        return FED_ERR_NOMEM;
    s->ops = ops;
    s->ops[s->n] = (struct fed_store_op){.remove = true};
    return copy(s, key, &s->ops[s->n++].key);
}

static bool look_at(void *ctx, const struct fed_store_item *item)
{
    struct sweeping *s = ctx;
    struct fed_span rest = fed_span_sub(item->key, 2, item->key.len);
    struct fed_span name = fed_span_sub(rest, 0, fed_span_find(rest, '\0'));

    if (!s->cluster.at || !fed_span_eq(name, s->cluster))
        s->err = begin_cluster(s, name);
    if (!s->err && s->known && !fed_map_get(&s->needed, item->key))
        s->err = drop(s, item->key);
    return !s->err && s->n < FED_STORE_OPS_MAX;
}

enum fed_err status_remote_sweep(
    struct hub_status *status, struct fed_span from, struct fed_span to, struct fed_diag *diag)
{
    struct fed_store *store = hub_objects_store(status->objects);
    struct sweeping s = {.status = status};
    enum fed_err err;

    fed_arena_init(&s.arena, status->mem, KEYS_MAX);
    fed_map_init(&s.needed, status->mem);
    err = store->range(store->ctx, from, to, 0, look_at, &s);
    err = err ? err : s.err;
    if (!err && s.n)
        err = hub_objects_stage(status->objects, NULL, 0, s.ops, s.n, NULL, diag);
    fed_map_fini(&s.needed);
    fed_arena_fini(&s.arena);
    return err;
}

enum fed_err status_remote_forget(
    struct hub_status *status, const struct status_cluster *cluster, struct fed_diag *diag)
{
    char from[300];
    char to[300];
    size_t len = strlen(cluster->name);

    if (count(&cluster->view) == 0 || len + 4 > sizeof from)
        return FED_OK;
    memcpy(from, "r/", 2);
    memcpy(from + 2, cluster->name, len);
    from[len + 2] = '\0';
    memcpy(to, from, len + 3);
    to[len + 2] = '\1';
    return status_remote_sweep(status, fed_span_of(from, len + 3), fed_span_of(to, len + 3), diag);
}
