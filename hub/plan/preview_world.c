/* preview_world.c - what would go where if clusters had other labels, were gone, or if other
 * policies were in force.
 *
 * Each object is asked twice what it means for a cluster: as things are, and with the labels and
 * policies of the question in their place; where the answers differ there is a row. Labels are put
 * in place for one cluster at a time, policies for one object at a time, and always taken back. */
#include "hub/plan/policy.h"
#include "hub/plan/preview_parts.h"

#include <stdlib.h>
#include <string.h>

struct world_cluster {
    struct plan_cluster *cluster;
    const struct fed_json *labels; /* those of the question; the cluster's own when they stay */
};
/* What an object means for a cluster as things are. */
struct before {
    bool looked; /* false: the question changes nothing there */
    bool selected;
    bool forbidden;
    const char *error;
    struct plan_piece *piece; /* counted */
};
struct world {
    struct preview *p;
    struct fed_json_doc *doc; /* of labels */
    struct world_cluster *clusters;
    struct before *before; /* of clusters */
    size_t n_clusters, cap_clusters;
    struct plan_policy **policies; /* those of the question in the place of others; by name */
    size_t n_policies, cap_policies;
    struct plan_policy **made; /* by the question, owned; NULL: one that is gone */
    size_t n_made;
    uint64_t stamp;
};

/* ---- clusters of the question ---- */

static enum fed_err merged_labels(
    struct world *w, const struct plan_cluster *cluster, const struct fed_json **out)
{
    struct fed_json *labels =
        cluster->labels ? fed_json_clone(w->doc, cluster->labels) : fed_json_new_object(w->doc);
    enum fed_err err = labels ? FED_OK : FED_ERR_NOMEM;

    for (struct fed_json_iter it = fed_json_each(w->p->ask->clusters.labels);
         !err && fed_json_iter_next(&it);) {
        if (fed_json_is_string(it.value))
            err = fed_json_set_span(w->doc, labels, it.key, fed_json_clone(w->doc, it.value));
        else
            fed_json_remove_span(labels, it.key);
    }
    *out = labels;
    return err;
}

static enum fed_err add_cluster(struct world *w, struct plan_cluster *cluster)
{
    struct world_cluster *at = &w->clusters[w->n_clusters];

    if (w->n_clusters == w->cap_clusters)
        return FED_ERR_LIMIT;
    *at = (struct world_cluster){cluster, cluster->labels};
    w->n_clusters++;
    return w->p->ask->clusters.labels ? merged_labels(w, cluster, &at->labels) : FED_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct world_cluster *x = a;
    const struct world_cluster *y = b;

    return strcmp(x->cluster->name, y->cluster->name);
}

/* In order, and each once: there are rows for no more. */
static enum fed_err sort_clusters(struct world *w, struct fed_diag *diag)
{
    qsort(w->clusters, w->n_clusters, sizeof *w->clusters, by_name);
    for (size_t i = 1; i < w->n_clusters; i++)
        if (w->clusters[i].cluster == w->clusters[i - 1].cluster)
            return fed_diag_set(
                diag, FED_ERR_INVALID, "cluster \"%s\" stands twice", w->clusters[i].cluster->name);
    return FED_OK;
}

static enum fed_err take_clusters(struct world *w, struct fed_diag *diag)
{
    const struct hub_preview_clusters *ask = &w->p->ask->clusters;
    struct hub_plan *plan = w->p->plan;
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && ask->n_names == 0 && i < plan->n_clusters; i++)
        err = add_cluster(w, plan->clusters[i]);
    for (size_t i = 0; !err && i < ask->n_names; i++) {
        struct plan_cluster *cluster = plan_cluster_get(plan, ask->names[i]);

        err = cluster ? add_cluster(w, cluster)
                      : fed_diag_set(diag, FED_ERR_NOT_FOUND,
                            "no cluster \"" FED_SPAN_FMT "\" is registered",
                            FED_SPAN_ARG(ask->names[i]));
    }
    return err ? err : sort_clusters(w, diag);
}

/* ---- policies of the question ---- */

static void put_policy(struct world *w, struct fed_span name, struct plan_policy *policy)
{
    size_t i = 0;

    while (i < w->n_policies && fed_span_cmp(fed_span_text(w->policies[i]->name), name) < 0)
        i++;
    if (i < w->n_policies && fed_span_is(name, w->policies[i]->name)) {
        w->n_policies--;
        memmove(&w->policies[i], &w->policies[i + 1], (w->n_policies - i) * sizeof *w->policies);
    }
    if (!policy)
        return;
    memmove(&w->policies[i + 1], &w->policies[i], (w->n_policies - i) * sizeof *w->policies);
    w->policies[i] = policy;
    w->n_policies++;
}

static enum fed_err take_policies(struct world *w, struct fed_diag *diag)
{
    const struct hub_preview_ask *ask = w->p->ask;
    struct hub_plan *plan = w->p->plan;
    enum fed_err err = FED_OK;

    if (plan->n_policies > 0)
        memcpy(w->policies, plan->policies, plan->n_policies * sizeof *w->policies);
    w->n_policies = plan->n_policies;
    for (size_t i = 0; !err && i < ask->n_policies; i++) {
        const struct hub_preview_policy *from = &ask->policies[i];
        struct plan_policy *policy = NULL;

        if (from->object)
            err = plan_policy_make(plan, from->name, from->object, &policy, diag);
        if (err)
            break;
        w->made[w->n_made++] = policy;
        put_policy(w, from->name, policy);
    }
    return err;
}

/* The plan's own policies and those of the question change places. What items have looked up is of
 * the one set or the other, by its stamp. */
static void swap_policies(struct world *w, uint64_t stamp)
{
    struct hub_plan *plan = w->p->plan;
    struct plan_policy **policies = plan->policies;
    size_t n = plan->n_policies;

    plan->policies = w->policies;
    plan->n_policies = w->n_policies;
    plan->policies_stamp = stamp;
    w->policies = policies;
    w->n_policies = n;
}

/* ---- one object ---- */

static bool is_concerned(struct world *w, const struct plan_item *item)
{
    const struct hub_preview_ask *ask = w->p->ask;
    struct hub_plan *plan = w->p->plan;

    for (size_t i = 0; i < ask->n_policies; i++) {
        const struct plan_policy *now = plan_policy_find(plan, ask->policies[i].name);

        if ((now && plan_policy_concerns(plan, now, item)) ||
            (w->made[i] && plan_policy_concerns(plan, w->made[i], item)))
            return true;
    }
    return false;
}

static enum fed_err look_before(
    struct world *w, struct plan_item *item, size_t index, bool concerned)
{
    const struct world_cluster *at = &w->clusters[index];
    struct before *before = &w->before[index];
    struct plan_wish wish;
    enum fed_err err;

    before->looked = concerned || w->p->ask->clusters.deleted ||
                     (at->labels != at->cluster->labels &&
                         plan_labels_matter(w->p->plan, item, at->cluster->labels, at->labels));
    if (!before->looked || w->p->ask->clusters.deleted)
        return FED_OK;
    err = plan_pair_wish(w->p->plan, item, at->cluster, &wish);
    if (err)
        return err;
    *before = (struct before){.looked = true,
        .selected = wish.selected,
        .forbidden = wish.policy != NULL,
        .error = wish.error,
        .piece = wish.piece};
    return FED_OK;
}

static bool differs(const struct before *before, const struct plan_wish *wish)
{
    if (wish->frozen)
        return false;
    if (before->selected != wish->selected || before->forbidden != (wish->policy != NULL) ||
        strcmp(before->error, wish->error) != 0 || !before->piece != !wish->piece)
        return true;
    return wish->piece && !fed_work_same(&before->piece->work, &wish->piece->work);
}

static void add_row(struct world *w, const struct plan_pair *pair,
    const struct plan_cluster *cluster, const struct plan_wish *wish, bool newly_forbidden)
{
    struct preview *p = w->p;
    struct hub_preview_cluster *row = &p->rows[p->n_rows];

    if (!preview_row_of(pair, cluster, wish, row, &p->messages[p->n_rows]))
        return;
    /* In its turn: the policy's budget decides when. */
    if (newly_forbidden && preview_is_present(pair)) {
        row->action = HUB_PREVIEW_REMOVE;
        row->bytes = 0;
    }
    if (row->action != HUB_PREVIEW_UNCHANGED && row->action != HUB_PREVIEW_REMOVING)
        p->n_rows++;
}

static enum fed_err look_after(struct world *w, struct plan_item *item, size_t index)
{
    struct plan_cluster *cluster = w->clusters[index].cluster;
    const struct fed_json *own = cluster->labels;
    const struct before *before = &w->before[index];
    struct plan_wish wish;
    enum fed_err err;

    cluster->labels = w->clusters[index].labels;
    err = plan_pair_wish(w->p->plan, item, cluster, &wish);
    cluster->labels = own;
    if (err)
        return err;
    if (differs(before, &wish))
        add_row(
            w, plan_pair_find(item, cluster), cluster, &wish, wish.policy && !before->forbidden);
    plan_piece_unref(w->p->plan, wish.piece);
    return FED_OK;
}

/* The hub forgets the cluster, which keeps what it runs. */
static void look_left(struct world *w, struct plan_item *item, size_t index)
{
    struct preview *p = w->p;
    const struct plan_cluster *cluster = w->clusters[index].cluster;

    if (!preview_is_present(plan_pair_find(item, cluster)))
        return;
    p->messages[p->n_rows].text[0] = '\0';
    p->rows[p->n_rows] = (struct hub_preview_cluster){.cluster = fed_span_text(cluster->name),
        .action = HUB_PREVIEW_LEFT,
        .reason = "",
        .message = p->messages[p->n_rows].text,
        .variant = SIZE_MAX};
    p->n_rows++;
}

static enum fed_err look_at_all(struct world *w, struct plan_item *item)
{
    bool deleted = w->p->ask->clusters.deleted;
    uint64_t stamp = w->stamp;
    enum fed_err err = FED_OK;
    bool concerned = is_concerned(w, item);

    for (size_t i = 0; !err && i < w->n_clusters; i++)
        err = look_before(w, item, i, concerned);
    if (!err && !deleted)
        swap_policies(w, stamp + 1);
    for (size_t i = 0; !err && i < w->n_clusters; i++) {
        if (w->before[i].looked && deleted)
            look_left(w, item, i);
        else if (w->before[i].looked)
            err = look_after(w, item, i);
    }
    if (w->p->plan->policies_stamp != stamp)
        swap_policies(w, stamp);
    for (size_t i = 0; i < w->n_clusters; i++) {
        plan_piece_unref(w->p->plan, w->before[i].piece);
        w->before[i] = (struct before){.error = ""};
    }
    return err;
}

static enum fed_err look_at_items(struct world *w)
{
    struct preview *p = w->p;
    struct fed_map_iter it;
    enum fed_err err = FED_OK;

    fed_map_iter_init(&it, &p->plan->items);
    while (!err && fed_map_iter_next(&it)) {
        struct plan_item *item = it.value;

        if (item->gone)
            continue;
        p->n_rows = 0;
        err = look_at_all(w, item);
        if (!err && p->n_rows > 0)
            err = preview_tell_follower(p, item);
    }
    return err;
}

/* Before anything is looked at, so that asking again about fewer costs nothing. */
static enum fed_err check_size(const struct world *w, struct fed_diag *diag)
{
    size_t items = w->p->plan->items.count;
    size_t clusters = w->cap_clusters - 1;

    if (clusters <= 1 || items <= HUB_PREVIEW_PAIRS_MAX / clusters)
        return FED_OK;
    return fed_diag_set(diag, FED_ERR_LIMIT,
        "more than %u pairs of object and cluster would have to be looked at: ask about fewer "
        "clusters at a time",
        HUB_PREVIEW_PAIRS_MAX);
}

/* ---- life ---- */

static enum fed_err world_init(struct world *w)
{
    const struct hub_preview_ask *ask = w->p->ask;
    struct hub_plan *plan = w->p->plan;

    w->stamp = plan->policies_stamp;
    w->cap_clusters = (ask->clusters.n_names ? ask->clusters.n_names : plan->n_clusters) + 1;
    w->cap_policies = plan->n_policies + ask->n_policies + 1;
    w->clusters = fed_alloc_array(plan->mem, w->cap_clusters, sizeof *w->clusters);
    w->before = fed_alloc_array(plan->mem, w->cap_clusters, sizeof *w->before);
    w->policies = fed_alloc_array(plan->mem, w->cap_policies, sizeof *w->policies);
    w->made = fed_alloc_array(plan->mem, ask->n_policies + 1, sizeof *w->made);
    if (!w->clusters || !w->before || !w->policies || !w->made)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < w->cap_clusters; i++)
        w->before[i] = (struct before){.error = ""};
    return fed_json_doc_new(plan->mem, &w->doc);
}

static void world_fini(struct world *w)
{
    struct hub_plan *plan = w->p->plan;

    plan->policies_stamp =
        w->stamp + 2; /* what was looked up meanwhile is of no set that is there */
    for (size_t i = 0; i < w->n_made; i++)
        plan_policy_unref(plan, w->made[i]);
    fed_alloc_free(plan->mem, w->clusters, w->cap_clusters * sizeof *w->clusters);
    fed_alloc_free(plan->mem, w->before, w->cap_clusters * sizeof *w->before);
    fed_alloc_free(plan->mem, w->policies, w->cap_policies * sizeof *w->policies);
    fed_alloc_free(plan->mem, w->made, (w->p->ask->n_policies + 1) * sizeof *w->made);
    if (w->doc)
        fed_json_doc_free(w->doc);
}

enum fed_err preview_world(struct preview *p, struct fed_diag *diag)
{
    struct world w = {.p = p};
    enum fed_err err;

    if (!p->ask->clusters.labels && !p->ask->clusters.deleted && p->ask->n_policies == 0)
        return FED_OK;
    err = world_init(&w);
    if (!err)
        err = check_size(&w, diag);
    if (!err)
        err = take_clusters(&w, diag);
    if (!err)
        err = take_policies(&w, diag);
    if (!err)
        err = look_at_items(&w);
    world_fini(&w);
    return err;
}
