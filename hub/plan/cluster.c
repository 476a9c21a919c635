/* cluster.c - clusters and their manifests. */
#include "hub/plan/internal.h"
#include "proto/base/bisect.h"

#include <string.h>

/* ---- manifests ---- */

struct in_manifest {
    const struct plan_manifest *manifest;
    const struct fed_work *identity;
};

static int order_in_manifest(const void *ctx, size_t index)
{
    const struct in_manifest *in = ctx;

    return fed_work_cmp(&in->manifest->entries[index].piece->work, in->identity);
}

bool plan_manifest_find(
    const struct plan_manifest *manifest, const struct fed_work *identity, size_t *index)
{
    struct in_manifest in = {manifest, identity};

    return fed_bisect(manifest->n, order_in_manifest, &in, index);
}

void plan_manifest_fini(struct hub_plan *plan, struct plan_manifest *manifest)
{
    for (size_t i = 0; i < manifest->n; i++)
        plan_piece_unref(plan, manifest->entries[i].piece);
    fed_alloc_free(plan->mem, manifest->entries, manifest->cap * sizeof *manifest->entries);
    *manifest = (struct plan_manifest){0};
}

static enum fed_err manifest_room(struct hub_plan *plan, struct plan_manifest *manifest, size_t n)
{
    size_t cap = manifest->cap ? manifest->cap : 8;
    struct plan_entry *entries;

    if (n <= manifest->cap)
        return FED_OK;
    while (cap < n)
        cap *= 2;
    entries = plan->mem->resize(
        plan->mem->ctx, manifest->entries, manifest->cap * sizeof *entries, cap * sizeof *entries);
    if (!entries)
        return FED_ERR_NOMEM;
    manifest->entries = entries;
    manifest->cap = cap;
    return FED_OK;
}

/* The next manifest begins as a copy of the present one. */
static enum fed_err begin_change(struct hub_plan *plan, struct plan_cluster *cluster)
{
    enum fed_err err;

    if (cluster->changing)
        return FED_OK;
    cluster->next = (struct plan_manifest){0};
    err = manifest_room(plan, &cluster->next, cluster->now.n + 1);
    if (err)
        return err;
    for (size_t i = 0; i < cluster->now.n; i++) {
        cluster->next.entries[i] = cluster->now.entries[i];
        cluster->next.entries[i].piece->refs++;
    }
    cluster->next.n = cluster->now.n;
    cluster->changing = true;
    return FED_OK;
}

enum fed_err plan_cluster_set(struct hub_plan *plan, struct plan_cluster *cluster,
    const struct fed_work *identity, struct plan_piece *piece)
{
    struct plan_manifest *next = &cluster->next;
    size_t index;
    bool found;
    enum fed_err err = begin_change(plan, cluster);

    if (err)
        return err;
    found = plan_manifest_find(next, identity, &index);
    if (!found && !piece)
        return FED_OK;
    if (!found) {
        if (next->n >= FED_WORKS_MAX)
            return FED_ERR_LIMIT;
        err = manifest_room(plan, next, next->n + 1);
        if (err)
            return err;
        plan_consent_back(cluster, identity);
        memmove(&next->entries[index + 1], &next->entries[index],
            (next->n - index) * sizeof *next->entries);
        next->n++;
    } else {
        plan_piece_unref(plan, next->entries[index].piece);
    }
    if (piece) {
        piece->refs++;
        next->entries[index].piece = piece;
        return FED_OK;
    }
    next->n--;
    memmove(&next->entries[index], &next->entries[index + 1],
        (next->n - index) * sizeof *next->entries);
    return FED_OK;
}

enum fed_err plan_manifest_lay_out(struct hub_plan *plan, const struct plan_manifest *manifest,
    size_t place, const struct fed_manifest **out)
{
    if (plan->scratch_cap[place] < manifest->n) {
        size_t cap = manifest->n + manifest->n / 2;
        struct fed_work *works = fed_alloc_array(plan->mem, cap, sizeof *works);

        if (!works)
            return FED_ERR_NOMEM;
        fed_alloc_free(plan->mem, plan->scratch[place], plan->scratch_cap[place] * sizeof *works);
        plan->scratch[place] = works;
        plan->scratch_cap[place] = cap;
    }
    for (size_t i = 0; i < manifest->n; i++)
        plan->scratch[place][i] = manifest->entries[i].piece->work;
    plan->out[place] = (struct fed_manifest){.epoch = plan->epoch,
        .revision = manifest->revision,
        .works = plan->scratch[place],
        .n_works = manifest->n};
    *out = &plan->out[place];
    return FED_OK;
}

/* ---- clusters ---- */

struct among_clusters {
    const struct hub_plan *plan;
    struct fed_span name;
};

static int order_of_clusters(const void *ctx, size_t index)
{
    const struct among_clusters *among = ctx;

    return fed_span_cmp(fed_span_text(among->plan->clusters[index]->name), among->name);
}

/* Index of the name, or where it belongs. */
static bool cluster_index(const struct hub_plan *plan, struct fed_span name, size_t *index)
{
    struct among_clusters among = {plan, name};

    return fed_bisect(plan->n_clusters, order_of_clusters, &among, index);
}

struct plan_cluster *plan_cluster_get(struct hub_plan *plan, struct fed_span name)
{
    size_t index;

    return cluster_index(plan, name, &index) ? plan->clusters[index] : NULL;
}

static enum fed_err cluster_add(
    struct hub_plan *plan, struct fed_span name, size_t index, struct plan_cluster **out)
{
    struct plan_cluster **all;
    struct plan_cluster *cluster;

    all = fed_alloc_more(
        plan->mem, plan->clusters, plan->n_clusters, &plan->cap_clusters, sizeof *all, 8);
    if (!all)
        return FED_ERR_NOMEM;
    plan->clusters = all;
    cluster = fed_alloc_zero(plan->mem, sizeof *cluster);
    if (!cluster)
        return FED_ERR_NOMEM;
    cluster->name = fed_alloc_zero(plan->mem, name.len + 1);
    if (!cluster->name) {
        fed_alloc_free(plan->mem, cluster, sizeof *cluster);
        return FED_ERR_NOMEM;
    }
    memcpy(cluster->name, name.at, name.len);
    cluster->fresh = true;
    cluster->knows = cluster->knows_stored = FED_LINK_KNOWS_FIRST;
    cluster->deferred_dirty = !plan->loading; /* a former cluster of the name may have left a row */
    cluster->consent.dirty = !plan->loading;
    fed_consent_window_init(&cluster->consent.window, plan->mem);
    memmove(&plan->clusters[index + 1], &plan->clusters[index],
        (plan->n_clusters - index) * sizeof *plan->clusters);
    plan->clusters[index] = cluster;
    plan->n_clusters++;
    *out = cluster;
    return FED_OK;
}

/* Labels are kept as a small tree, because selectors read them at each replanning. */
static enum fed_err read_labels(struct hub_plan *plan, struct fed_span bytes,
    struct fed_json_doc **doc, const struct fed_json **labels)
{
    struct fed_json_doc *whole;
    struct fed_json *object;
    enum fed_err err = fed_json_doc_new(plan->mem, &whole);

    if (err)
        return err;
    err = fed_json_parse(whole, bytes, &object, NULL);
    if (!err)
        err = fed_json_doc_new(plan->mem, doc);
    if (!err) {
        const struct fed_json *from = fed_json_find(object, "metadata.labels");

        *labels = from ? fed_json_clone(*doc, from) : NULL;
        if (from && !*labels) {
            fed_json_doc_free(*doc);
            err = FED_ERR_NOMEM;
        }
    }
    fed_json_doc_free(whole);
    return err;
}

enum fed_err plan_cluster_put(struct hub_plan *plan, struct fed_span name, struct fed_span bytes)
{
    struct plan_cluster *cluster;
    struct fed_json_doc *doc;
    const struct fed_json *labels;
    size_t index;
    enum fed_err err = read_labels(plan, bytes, &doc, &labels);

    if (err)
        return err;
    if (cluster_index(plan, name, &index)) {
        cluster = plan->clusters[index];
        if (cluster->labels == labels ||
            (cluster->labels && labels && fed_json_eq(cluster->labels, labels))) {
            fed_json_doc_free(doc);
            return FED_OK;
        }
    } else {
        err = cluster_add(plan, name, index, &cluster);
        if (err) {
            fed_json_doc_free(doc);
            return err;
        }
    }
    if (cluster->replan) {
        fed_json_doc_free(cluster->doc);
    } else {
        cluster->former_doc = cluster->doc;
        cluster->former = cluster->labels;
    }
    cluster->doc = doc;
    cluster->labels = labels;
    cluster->replan = true;
    plan_round_want(plan);
    return FED_OK;
}

void plan_cluster_compute(struct hub_plan *plan, struct plan_cluster *cluster)
{
    cluster->replan = cluster->relearned = true;
    plan_round_want(plan);
}

void plan_cluster_planned(struct plan_cluster *cluster)
{
    fed_json_doc_free(cluster->former_doc);
    cluster->former_doc = NULL;
    cluster->former = NULL;
    cluster->replan = cluster->returned = cluster->relearned = cluster->fresh = false;
}

void plan_cluster_free(struct hub_plan *plan, struct plan_cluster *cluster)
{
    plan_manifest_fini(plan, &cluster->now);
    plan_manifest_fini(plan, &cluster->next);
    for (size_t i = 0; i < PLAN_HISTORY; i++)
        plan_manifest_fini(plan, &cluster->past[i]);
    fed_json_doc_free(cluster->doc);
    fed_json_doc_free(cluster->former_doc);
    plan_consent_fini(plan, &cluster->consent);
    fed_alloc_free(plan->mem, cluster->items, cluster->cap_items * sizeof *cluster->items);
    fed_alloc_free(plan->mem, cluster->name, strlen(cluster->name) + 1);
    fed_alloc_free(plan->mem, cluster, sizeof *cluster);
}

/* An unregistered cluster keeps what it runs; nobody waits for it any more. */
void plan_cluster_remove(struct hub_plan *plan, struct plan_cluster *cluster)
{
    size_t index;

    while (cluster->n_items > 0) {
        struct plan_item *item = cluster->items[cluster->n_items - 1];

        plan_pair_drop(plan, item, plan_pair_find(item, cluster));
        item->dirty = item->told = true;
    }
    if (cluster_index(plan, fed_span_text(cluster->name), &index)) {
        plan->n_clusters--;
        memmove(&plan->clusters[index], &plan->clusters[index + 1],
            (plan->n_clusters - index) * sizeof *plan->clusters);
    }
    plan_cluster_free(plan, cluster);
    plan_round_want(plan);
}
