/* record.c - manifests that differ from what a cluster has get a revision: a row each, "b/"
 * cluster, with the manifest's digest, in one commit. */
#include "hub/plan/internal.h"

#include <stdio.h>
#include <string.h>

static struct fed_span row_key(const struct plan_cluster *cluster, char key[300])
{
    int n = snprintf(key, 300, "b/%s", cluster->name);

    return fed_span_of(key, n < 0 || n >= 300 ? 299 : (size_t)n);
}

/* What the store remembers of the cluster's manifest, read once. */
static enum fed_err recall_row(struct hub_plan *plan, struct plan_cluster *cluster)
{
    struct fed_buf value;
    char key[300];
    uint64_t revision;
    enum fed_err err;

    fed_buf_init(&value, plan->mem, FED_DIGEST_SIZE);
    err = hub_objects_get_row(plan->objects, row_key(cluster, key), &value, &revision);
    if (!err && value.len == FED_DIGEST_SIZE) {
        memcpy(cluster->now.digest.bytes, value.at, FED_DIGEST_SIZE);
        cluster->now.revision = revision;
        cluster->now.hollow = true;
        cluster->recorded = true;
    }
    fed_buf_fini(&value);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

void plan_manifest_turn(struct hub_plan *plan, struct plan_cluster *cluster, uint64_t revision)
{
    bool keep =
        !cluster->now.hollow && cluster->now.revision > 0 && revision != cluster->now.revision;

    if (keep) {
        plan_manifest_fini(plan, &cluster->past[PLAN_HISTORY - 1]);
        memmove(&cluster->past[1], &cluster->past[0], (PLAN_HISTORY - 1) * sizeof cluster->past[0]);
        cluster->past[0] = cluster->now;
    } else {
        plan_manifest_fini(plan, &cluster->now);
    }
    cluster->now = cluster->next;
    cluster->now.revision = revision;
    cluster->next = (struct plan_manifest){0};
    cluster->changing = false;
}

/* Manifests of this commit: clusters that run the same works have the same digest, and most do. */
#define ALIKE_SLOTS 256u
struct alike {
    uint64_t hash; /* of the entries */
    const struct plan_entry *entries;
    size_t n;
    struct fed_digest digest;
};

/* FNV-1a over the addresses of the works, which stand for their content. */
static uint64_t hash_of(const struct plan_manifest *manifest)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < manifest->n; i++)
        hash = (hash ^ (uintptr_t)manifest->entries[i].piece) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

static bool is_alike(const struct alike *one, uint64_t hash, const struct plan_manifest *manifest)
{
    return one->entries && one->hash == hash && one->n == manifest->n &&
           memcmp(one->entries, manifest->entries, manifest->n * sizeof *manifest->entries) == 0;
}

static enum fed_err digest_entries(
    struct hub_plan *plan, struct plan_manifest *next, struct alike *all)
{
    uint64_t hash = hash_of(next);
    struct alike *slot = &all[hash % ALIKE_SLOTS];
    const struct fed_manifest *manifest;
    enum fed_err err;

    if (is_alike(slot, hash, next)) {
        next->digest = slot->digest;
        return FED_OK;
    }
    err = plan_manifest_lay_out(plan, next, 1, &manifest);
    if (!err)
        err = fed_manifest_digest(manifest, &next->digest);
    if (!err && next->n > 0)
        *slot = (struct alike){hash, next->entries, next->n, next->digest};
    return err;
}

/* Digest of the next manifest; true in *same when that is what the cluster has anyway, or what is
 * staged for it. */
static enum fed_err digest_next(
    struct hub_plan *plan, struct plan_cluster *cluster, struct alike *all, bool *same)
{
    const struct fed_digest *known =
        cluster->staged_revision ? &cluster->staged_digest : &cluster->now.digest;
    enum fed_err err = FED_OK;

    if (!cluster->recorded && !cluster->staged_revision && cluster->now.revision == 0)
        err = recall_row(plan, cluster);
    if (!err)
        err = digest_entries(plan, &cluster->next, all);
    if (!err)
        *same = (cluster->recorded || cluster->staged_revision) &&
                fed_digest_eq(&cluster->next.digest, known);
    return err;
}

/* Rows of all clusters whose manifest differs, in one commit. */
struct recording {
    struct fed_store_op *ops;
    char (*keys)[300];
    struct plan_cluster **clusters;
    size_t n;
    struct alike alike[ALIKE_SLOTS]; /* their entries stay where they are until the end */
};

static enum fed_err collect(
    struct hub_plan *plan, struct plan_cluster *cluster, struct recording *r)
{
    bool same = false;
    enum fed_err err = digest_next(plan, cluster, r->alike, &same);

    if (err)
        return err;
    if (same) {
        if (!cluster->staged_revision)
            plan_manifest_turn(plan, cluster, cluster->now.revision);
        return FED_OK;
    }
    r->ops[r->n] = (struct fed_store_op){.key = row_key(cluster, r->keys[r->n]),
        .value = fed_span_of(cluster->next.digest.bytes, FED_DIGEST_SIZE)};
    r->clusters[r->n++] = cluster;
    return FED_OK;
}

static enum fed_err stage_rows(
    struct hub_plan *plan, const struct recording *r, struct fed_diag *diag)
{
    uint64_t revision = 0;
    enum fed_err err = hub_objects_stage(plan->objects, NULL, 0, r->ops, r->n, &revision, diag);

    plan->planned = plan->planned || !err; /* whatever becomes of the rest of the round */
    for (size_t i = 0; !err && i < r->n; i++) {
        r->clusters[i]->staged_revision = revision;
        r->clusters[i]->staged_digest = r->clusters[i]->next.digest;
    }
    return err;
}

enum fed_err plan_manifests_record(struct hub_plan *plan)
{
    size_t room = plan->n_clusters + 1;
    struct recording r = {.ops = fed_alloc_array(plan->mem, room, sizeof *r.ops),
        .keys = fed_alloc_array(plan->mem, room, sizeof *r.keys),
        .clusters = fed_alloc_array(plan->mem, room, sizeof *r.clusters)};
    struct fed_diag diag = {""};
    enum fed_err err = r.ops && r.keys && r.clusters ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < plan->n_clusters; i++)
        if (plan->clusters[i]->changing)
            err = collect(plan, plan->clusters[i], &r);
    if (!err && r.n > 0)
        err = stage_rows(plan, &r, &diag);
    if (err && err != FED_ERR_BUSY)
        fed_log(plan->log, FED_LOG_ERROR, "plan: cannot record new bundles: %s; next try in %u ms",
            diag.text[0] ? diag.text : fed_err_text(err), PLAN_RETRY_MS);
    fed_alloc_free(plan->mem, r.ops, room * sizeof *r.ops);
    fed_alloc_free(plan->mem, r.keys, room * sizeof *r.keys);
    fed_alloc_free(plan->mem, r.clusters, room * sizeof *r.clusters);
    return err;
}
