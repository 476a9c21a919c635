/* replicas.c - see replicas.h. */
#include "proto/schedule/replicas.h"

#include <inttypes.h>
#include <stdlib.h>

#define FNV_OFFSET 2166136261u
#define FNV_PRIME 16777619u

struct share { /* one cluster that has a preference */
    struct fed_replicas_cluster *cluster;
    struct fed_replicas_preference want;
    int64_t capacity; /* INT64_MAX when not known */
    int64_t kept;     /* runs there already and is not yet covered by a dealt share */
    int64_t planned;
    int64_t overflow;
    uint32_t hash;
    bool open; /* takes part in the next pass */
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static uint32_t fnv1(uint32_t hash, struct fed_span text)
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash * FNV_PRIME) ^ text.at[i];
    return hash;
}

uint32_t fed_replicas_hash(struct fed_span name, struct fed_span key)
{
    return fnv1(fnv1(FNV_OFFSET, name), key);
}

/* ---- refusals ---- */

static enum fed_err negative(struct fed_diag *diag, const struct fed_replicas_cluster *cluster,
    const char *what, int64_t value)
{
    return fed_diag_set(diag, FED_ERR_INVALID,
        "cluster " FED_SPAN_FMT ": %s is %" PRId64 ", below 0", FED_SPAN_ARG(cluster->name), what,
        value);
}

static enum fed_err check_cluster(const struct fed_replicas_cluster *cluster, struct fed_diag *diag)
{
    const struct fed_replicas_preference *p = cluster->preference;

    if (cluster->current < 0)
        return negative(diag, cluster, "current", cluster->current);
    if (cluster->capacity < -1)
        return negative(diag, cluster, "capacity", cluster->capacity);
    if (!p)
        return FED_OK;
    if (p->min < 0)
        return negative(diag, cluster, "minReplicas", p->min);
    if (p->max < 0)
        return negative(diag, cluster, "maxReplicas", p->max);
    return p->weight < 0 ? negative(diag, cluster, "weight", p->weight) : FED_OK;
}

/* The largest number of the arithmetic is total * weight + sum of weights - 1: what remains to be
 * dealt out never exceeds the total. */
static enum fed_err check_weights(
    int64_t total, const struct share *shares, size_t n, struct fed_diag *diag)
{
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        if (shares[i].want.weight > INT64_MAX - sum)
            return fed_diag_set(
                diag, FED_ERR_LIMIT, "the weights add up to more than 64 bits hold");
        sum += shares[i].want.weight;
    }
    for (size_t i = 0; i < n; i++) {
        if (total > 0 && shares[i].want.weight > (INT64_MAX - sum) / total)
            return fed_diag_set(diag, FED_ERR_LIMIT,
                "cluster " FED_SPAN_FMT ": weight %" PRId64 " is too large for %" PRId64
                " replicas",
                FED_SPAN_ARG(shares[i].cluster->name), shares[i].want.weight, total);
    }
    return FED_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct fed_replicas_cluster *const *x = a;
    const struct fed_replicas_cluster *const *y = b;

    return fed_span_cmp((*x)->name, (*y)->name);
}

static enum fed_err check_names(
    struct fed_alloc *mem, struct fed_replicas_cluster *clusters, size_t n, struct fed_diag *diag)
{
    struct fed_replicas_cluster **sorted = fed_alloc_array(mem, n + 1, sizeof(void *));
    enum fed_err err = FED_OK;

    if (!sorted)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &clusters[i];
    qsort(sorted, n, sizeof(void *), by_name);
    for (size_t i = 1; !err && i < n; i++) {
        if (fed_span_eq(sorted[i - 1]->name, sorted[i]->name))
            err = fed_diag_set(diag, FED_ERR_INVALID, "cluster " FED_SPAN_FMT " is named twice",
                FED_SPAN_ARG(sorted[i]->name));
    }
    fed_alloc_free(mem, sorted, (n + 1) * sizeof(void *));
    return err;
}

/* ---- the steps ---- */

static int by_weight(const void *a, const void *b)
{
    const struct share *x = a;
    const struct share *y = b;

    if (x->want.weight != y->want.weight)
        return x->want.weight > y->want.weight ? -1 : 1;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return fed_span_cmp(x->cluster->name, y->cluster->name);
}

static void give_minimum(struct share *share, int64_t *remaining)
{
    share->planned = smaller(smaller(share->want.min, *remaining), share->capacity);
    *remaining -= share->planned;
}

static void keep_running(struct share *share, int64_t *remaining)
{
    int64_t target = smaller(smaller(share->cluster->current, share->want.max), share->capacity);
    int64_t extra = smaller(target - share->planned, *remaining);

    if (extra <= 0)
        return;
    share->kept = extra;
    share->planned += extra;
    *remaining -= extra;
}

/* One cluster's part of a pass over `pot` replicas; true when something changed. A minimum above
 * the maximum is taken back here, as KubeFed does. */
static bool deal(struct share *share, int64_t pot, int64_t sum, int64_t *remaining)
{
    int64_t before = share->planned;
    int64_t extra = smaller((pot * share->want.weight + sum - 1) / sum, *remaining);
    int64_t covered = smaller(extra, share->kept);
    int64_t total = before + extra - covered;

    share->kept -= covered;
    if (total > share->want.max) {
        total = share->want.max;
        share->open = false;
    }
    if (total > share->capacity) {
        share->overflow = total - share->capacity;
        total = share->capacity;
        share->open = false;
    }
    share->planned = total;
    *remaining -= total - before;
    return covered > 0 || total > before;
}

static void deal_out(struct share *shares, size_t n, int64_t *remaining)
{
    bool changed = true;

    while (changed && *remaining > 0) {
        int64_t pot = *remaining;
        int64_t sum = 0;
        size_t still_open = 0;

        changed = false;
        for (size_t i = 0; i < n; i++)
            sum += shares[i].want.weight;
        if (sum == 0)
            return;
        for (size_t i = 0; i < n; i++) {
            changed = deal(&shares[i], pot, sum, remaining) || changed;
            if (shares[i].open)
                continue;
            shares[i].cluster->planned = shares[i].planned;
            shares[i].cluster->overflow = shares[i].overflow;
        }
        /* The closed ones have told their result; the others close ranks. */
        for (size_t i = 0; i < n; i++) {
            if (shares[i].open)
                shares[still_open++] = shares[i];
        }
        n = still_open;
    }
    for (size_t i = 0; i < n; i++) {
        shares[i].cluster->planned = shares[i].planned;
        shares[i].cluster->overflow = shares[i].overflow;
    }
}

static void plan(struct share *shares, size_t n, int64_t remaining, bool rebalance,
    struct fed_replicas_cluster *clusters, size_t n_clusters)
{
    for (size_t i = 0; i < n_clusters; i++)
        clusters[i].planned = clusters[i].overflow = 0;
    for (size_t i = 0; i < n; i++)
        give_minimum(&shares[i], &remaining);
    for (size_t i = 0; i < n && !rebalance; i++)
        keep_running(&shares[i], &remaining);
    for (size_t i = 0; i < n; i++)
        shares[i].cluster->planned = shares[i].planned;
    deal_out(shares, n, &remaining);
    for (size_t i = 0; i < n_clusters && !rebalance; i++)
        clusters[i].overflow = smaller(clusters[i].overflow, remaining);
}

enum fed_err fed_replicas_plan(struct fed_alloc *mem, struct fed_span key, int64_t total,
    bool rebalance, struct fed_replicas_cluster *clusters, size_t n, struct fed_diag *diag)
{
    struct share *shares;
    size_t n_shares = 0;
    enum fed_err err = FED_OK;

    if (total < 0 || total > FED_REPLICAS_MAX)
        return fed_diag_set(diag, FED_ERR_INVALID, "totalReplicas is %" PRId64 ", not in 0 to %d",
            total, FED_REPLICAS_MAX);
    if (n > FED_REPLICAS_CLUSTERS_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "%zu clusters, at most %u are taken", n,
            FED_REPLICAS_CLUSTERS_MAX);
    shares = fed_alloc_array(mem, n + 1, sizeof *shares);
    if (!shares)
        return FED_ERR_NOMEM;
    for (size_t i = 0; !err && i < n; i++) {
        err = check_cluster(&clusters[i], diag);
        if (err || !clusters[i].preference)
            continue;
        shares[n_shares++] = (struct share){.cluster = &clusters[i],
            .want = *clusters[i].preference,
            .capacity = clusters[i].capacity < 0 ? INT64_MAX : clusters[i].capacity,
            .hash = fed_replicas_hash(clusters[i].name, key),
            .open = true};
    }
    if (!err)
        err = check_names(mem, clusters, n, diag);
    if (!err)
        err = check_weights(total, shares, n_shares, diag);
    if (!err) {
        qsort(shares, n_shares, sizeof *shares, by_weight);
        plan(shares, n_shares, total, rebalance, clusters, n);
    }
    fed_alloc_free(mem, shares, (n + 1) * sizeof *shares);
    return err;
}
