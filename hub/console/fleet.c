/* fleet.c - see fleet.h. */
#include "hub/console/fleet.h"

#include "ports/http.h"
#include "proto/base/map.h"
#include "proto/object/json.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS 500u

/* ---- clusters ---- */

static void cluster_free(struct console_fleet *fleet, struct console_fleet_cluster *cluster)
{
    if (!cluster)
        return;
    if (cluster->name)
        fed_alloc_free(fleet->mem, cluster->name, strlen(cluster->name) + 1);
    fed_alloc_free(fleet->mem, cluster->labels, cluster->labels_len);
    fed_alloc_free(fleet->mem, cluster, sizeof *cluster);
}

static void put_labels(struct fed_buf *out, const struct fed_json *labels)
{
    struct fed_json_iter it = fed_json_each(labels);

    while (fed_json_iter_next(&it)) {
        struct fed_span value = fed_json_string(it.value);

        if (out->len + it.key.len + value.len + 2 > CONSOLE_LABELS_MAX)
            return;
        fed_buf_put(out, it.key);
        fed_buf_put_u8(out, 0);
        fed_buf_put(out, value);
        fed_buf_put_u8(out, 0);
    }
}

/* The labels of a stored object. */
static enum fed_err read_labels(
    struct console_fleet *fleet, struct fed_span object, struct fed_buf *out)
{
    struct fed_json_doc *doc;
    struct fed_json *tree;
    enum fed_err err = fed_json_doc_new(fleet->mem, &doc);

    if (err)
        return err;
    err = fed_json_parse(doc, object, &tree, NULL);
    if (!err)
        put_labels(out, fed_json_find(tree, "metadata.labels"));
    fed_json_doc_free(doc);
    return err ? err : fed_buf_err(out);
}

/* true when they are others now. */
static bool take_labels(
    struct console_fleet *fleet, struct console_fleet_cluster *cluster, struct fed_span object)
{
    struct fed_buf labels;
    char *copy = NULL;
    bool differs;

    fed_buf_init(&labels, fleet->mem, CONSOLE_LABELS_MAX);
    differs =
        !read_labels(fleet, object, &labels) &&
        !fed_span_eq(fed_buf_span(&labels), fed_span_of(cluster->labels, cluster->labels_len));
    if (differs && labels.len > 0) {
        copy = fed_alloc_get(fleet->mem, labels.len);
        differs = copy != NULL;
    }
    if (differs) {
        if (copy)
            memcpy(copy, labels.at, labels.len);
        fed_alloc_free(fleet->mem, cluster->labels, cluster->labels_len);
        cluster->labels = copy;
        cluster->labels_len = copy ? labels.len : 0;
    }
    fed_buf_fini(&labels);
    return differs;
}

static bool grow(struct console_fleet *fleet)
{
    size_t cap = fleet->cap ? fleet->cap * 2 : 64;
    struct console_fleet_cluster **list;

    if (fleet->n < fleet->cap)
        return true;
    list = fed_alloc_array(fleet->mem, cap, sizeof *list);
    if (!list)
        return false;
    if (fleet->n > 0)
        memcpy(list, fleet->list, fleet->n * sizeof *list);
    fed_alloc_free(fleet->mem, fleet->list, fleet->cap * sizeof *list);
    fleet->list = list;
    fleet->cap = cap;
    return true;
}

static struct console_fleet_cluster *cluster_add(struct console_fleet *fleet, struct fed_span name)
{
    struct console_fleet_cluster *cluster = fed_alloc_zero(fleet->mem, sizeof *cluster);

    if (cluster)
        cluster->name = fed_alloc_get(fleet->mem, name.len + 1);
    if (!cluster || !cluster->name || !grow(fleet) ||
        fed_span_to_cstr(name, cluster->name, name.len + 1) ||
        fed_map_put(&fleet->by_name, name, cluster)) {
        cluster_free(fleet, cluster);
        return NULL;
    }
    cluster->id = fleet->next_id++;
    cluster->born = fleet->version + 1;
    fleet->list[fleet->n++] = cluster;
    fleet->unsorted = fleet->moved = true;
    return cluster;
}

static void make_dirty(struct console_fleet *fleet, struct console_fleet_cluster *cluster)
{
    if (!cluster->dirty) {
        cluster->dirty = true;
        cluster->next_dirty = fleet->dirty;
        fleet->dirty = cluster;
    }
    if (fleet->stirred)
        fleet->stirred(fleet->stirred_ctx);
}

void console_fleet_stir(struct console_fleet *fleet, struct fed_span name)
{
    struct console_fleet_cluster *cluster = fed_map_get(&fleet->by_name, name);

    if (cluster)
        make_dirty(fleet, cluster);
}

static void seen(void *ctx, struct fed_span cluster)
{
    console_fleet_stir(ctx, cluster);
}

static void on_change(void *ctx, const struct hub_change *change)
{
    struct console_fleet *fleet = ctx;
    struct console_fleet_cluster *cluster = fed_map_get(&fleet->by_name, change->ref.name);

    if (change->type == HUB_CHANGE_TOUCHED) {
        console_fleet_stir(fleet, change->ref.name);
        return;
    }
    if (change->type == HUB_CHANGE_DELETED) {
        if (!cluster)
            return;
        (void)fed_map_remove(&fleet->by_name, change->ref.name);
        cluster->gone = true; /* freed at the next look: it may be among the dirty */
        fleet->gone++;
        fleet->moved = true;
    } else {
        if (!cluster)
            cluster = cluster_add(fleet, change->ref.name);
        if (cluster && take_labels(fleet, cluster, change->bytes)) {
            cluster->labelled = fleet->version + 1;
            fleet->moved = true;
        }
        if (cluster)
            make_dirty(fleet, cluster);
    }
    if (fleet->stirred)
        fleet->stirred(fleet->stirred_ctx);
}

/* ---- looking ---- */

static int by_name(const void *a, const void *b)
{
    const struct console_fleet_cluster *const *left = a;
    const struct console_fleet_cluster *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

static bool glance_is(const struct hub_status_glance *a, const struct hub_status_glance *b)
{
    return a->connectivity == b->connectivity && a->delivery == b->delivery &&
           a->since_unix_s == b->since_unix_s && a->drifted == b->drifted && a->failed == b->failed;
}

static bool look_at(struct console_fleet *fleet, struct console_fleet_cluster *cluster)
{
    struct hub_status_glance glance;

    hub_status_glance(fleet->status, fed_span_text(cluster->name), &glance);
    if (glance_is(&glance, &cluster->glance))
        return false;
    cluster->glance = glance;
    cluster->changed = fleet->version + 1;
    return true;
}

static bool look_at_dirty(struct console_fleet *fleet)
{
    bool changed = false;

    while (fleet->dirty) {
        struct console_fleet_cluster *cluster = fleet->dirty;

        fleet->dirty = cluster->next_dirty;
        cluster->dirty = false;
        if (!cluster->gone)
            changed |= look_at(fleet, cluster);
    }
    return changed;
}

/* A part of all; all of them when nobody looked for long. */
static bool look_around(struct console_fleet *fleet, size_t looks)
{
    size_t n = looks >= CONSOLE_LOOKS ? fleet->n : (fleet->n / CONSOLE_LOOKS + 1) * looks;
    bool changed = false;

    for (size_t i = 0; i < n && i < fleet->n; i++) {
        fleet->next_look = (fleet->next_look + 1) % fleet->n;
        changed |= look_at(fleet, fleet->list[fleet->next_look]);
    }
    return changed;
}

/* Takes the place of the one that left longest ago, of which nobody can be told any more. */
static void remember_left(struct console_fleet *fleet, const struct console_fleet_cluster *cluster)
{
    struct console_fleet_left *left = &fleet->left[fleet->n_left % CONSOLE_LEFT_MAX];

    if (cluster->born > fleet->version)
        return; /* nobody was told that it is there */
    if (fleet->n_left >= CONSOLE_LEFT_MAX)
        fleet->reset = left->version;
    *left = (struct console_fleet_left){.id = cluster->id, .version = fleet->version + 1};
    fleet->n_left++;
}

static void drop_gone(struct console_fleet *fleet)
{
    size_t n = 0;

    for (size_t i = 0; i < fleet->n; i++) {
        if (fleet->list[i]->gone) {
            remember_left(fleet, fleet->list[i]);
            cluster_free(fleet, fleet->list[i]);
        } else {
            fleet->list[n++] = fleet->list[i];
        }
    }
    fleet->n = n;
    fleet->gone = 0;
}

void console_fleet_look(struct console_fleet *fleet)
{
    uint64_t now_ms = fed_loop_now_ms(fleet->loop);
    size_t looks = (size_t)((now_ms - fleet->looked_ms) / LOOK_MS);
    bool changed;

    if (looks == 0 && fleet->looked_ms > 0)
        return;
    changed = look_at_dirty(fleet);
    if (fleet->gone > 0)
        drop_gone(fleet);
    if (fleet->unsorted && fleet->n > 0)
        qsort(fleet->list, fleet->n, sizeof *fleet->list, by_name);
    if (fleet->n > 0)
        changed |= look_around(fleet, fleet->looked_ms > 0 ? looks : CONSOLE_LOOKS);
    if (changed || fleet->moved)
        fleet->version++;
    fleet->unsorted = fleet->moved = false;
    fleet->looked_ms = now_ms;
}

/* ---- life ---- */

static bool load(void *ctx, const struct hub_object *object)
{
    struct console_fleet *fleet = ctx;
    struct console_fleet_cluster *cluster = cluster_add(fleet, object->ref.name);

    if (cluster)
        (void)take_labels(fleet, cluster, object->bytes);
    return cluster != NULL;
}

enum fed_err console_fleet_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct hub_objects *objects, struct hub_status *status, struct console_fleet **out,
    struct fed_diag *diag)
{
    struct console_fleet *fleet = fed_alloc_zero(mem, sizeof *fleet);
    enum fed_err err;

    if (!fleet)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the fleet");
    *fleet = (struct console_fleet){.mem = mem, .loop = loop, .objects = objects, .status = status};
    fed_map_init(&fleet->by_name, mem);
    fleet->version = (uint64_t)loop->unix_us(loop->ctx) / 1000u;
    fleet->begun = fleet->reset = fleet->version;
    err = hub_objects_list(
        objects, FED_SPAN_LIT(HUB_CLUSTERS), FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE), NULL, load, fleet);
    if (!err)
        err = hub_objects_subscribe(
            objects, FED_SPAN_LIT(HUB_CLUSTERS), on_change, fleet, &fleet->subscription);
    if (err) {
        fed_diag_set(diag, err, "console: clusters: %s", fed_err_text(err));
        console_fleet_close(fleet);
        return err;
    }
    hub_status_on_seen(status, seen, fleet);
    *out = fleet;
    return FED_OK;
}

void console_fleet_close(struct console_fleet *fleet)
{
    if (!fleet)
        return;
    hub_status_on_seen(fleet->status, NULL, NULL);
    if (fleet->subscription)
        hub_objects_unsubscribe(fleet->subscription);
    for (size_t i = 0; i < fleet->n; i++)
        cluster_free(fleet, fleet->list[i]);
    fed_alloc_free(fleet->mem, fleet->list, fleet->cap * sizeof *fleet->list);
    fed_map_fini(&fleet->by_name);
    fed_http_shared_unref(fleet->snapshot);
    fed_http_shared_unref(fleet->changes);
    fed_alloc_free(fleet->mem, fleet, sizeof *fleet);
}
