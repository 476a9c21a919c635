/* consent_orders.c - what left a cluster's manifest by an order or by consent, until the cluster
 * confirmed that it is gone; and what its agent asks consent for (consent.h). */
#include "hub/plan/policy.h"

#include <stdlib.h>
#include <string.h>

static int order_cmp(const void *a, const void *b)
{
    const struct plan_order *x = a;
    const struct plan_order *y = b;

    return fed_removal_id_cmp(&x->id, &y->id);
}

static struct plan_order *find(const struct plan_cluster *cluster, const struct fed_removal_id *id)
{
    const struct plan_consent *consent = &cluster->consent;
    struct plan_order key = {.id = *id};

    return consent->n_orders
               ? bsearch(&key, consent->orders, consent->n_orders, sizeof key, order_cmp)
               : NULL;
}

bool plan_order_has(const struct plan_cluster *cluster, const struct fed_removal_id *id)
{
    return find(cluster, id) != NULL;
}

static void drop(struct plan_consent *consent, size_t index)
{
    consent->n_orders--;
    memmove(&consent->orders[index], &consent->orders[index + 1],
        (consent->n_orders - index) * sizeof *consent->orders);
}

/* More than a cluster can hold: the oldest were confirmed, or their agent never was. */
static void make_room(struct plan_consent *consent)
{
    size_t oldest = 0;

    if (consent->n_orders < FED_WORKS_MAX)
        return;
    for (size_t i = 1; i < consent->n_orders; i++)
        if (consent->orders[i].revision - 1 < consent->orders[oldest].revision - 1)
            oldest = i; /* 0 is the newest */
    drop(consent, oldest);
}

static enum fed_err grow(struct hub_plan *plan, struct plan_consent *consent)
{
    size_t cap = consent->cap_orders ? consent->cap_orders * 2 : 4;
    struct plan_order *all;

    if (consent->n_orders < consent->cap_orders)
        return FED_OK;
    all = plan->mem->resize(
        plan->mem->ctx, consent->orders, consent->cap_orders * sizeof *all, cap * sizeof *all);
    if (!all)
        return FED_ERR_NOMEM;
    consent->orders = all;
    consent->cap_orders = cap;
    return FED_OK;
}

enum fed_err plan_order_add_id(
    struct hub_plan *plan, struct plan_cluster *cluster, const struct fed_removal_id *id)
{
    struct plan_consent *consent = &cluster->consent;
    struct plan_order *known = find(cluster, id);
    size_t at = 0;
    enum fed_err err;

    consent->dirty = consent->orders_moved = true;
    consent->moved = consent->moved || consent->n_asked > 0;
    if (known) {
        known->revision = 0;
        return FED_OK;
    }
    make_room(consent);
    err = grow(plan, consent);
    if (err)
        return err;
    while (at < consent->n_orders && fed_removal_id_cmp(&consent->orders[at].id, id) < 0)
        at++;
    memmove(&consent->orders[at + 1], &consent->orders[at],
        (consent->n_orders - at) * sizeof *consent->orders);
    consent->orders[at] = (struct plan_order){.id = *id};
    consent->n_orders++;
    return FED_OK;
}

enum fed_err plan_order_room(struct hub_plan *plan, struct plan_cluster *cluster,
    const struct fed_work *work, struct fed_removal_id *id)
{
    enum fed_err err = fed_removal_id_of(work, id);

    return err ? err : grow(plan, &cluster->consent);
}

/* Where it is among those that the agent holds back; NULL: it is none of them. */
static struct fed_removal_id *find_asked(
    const struct plan_consent *consent, const struct fed_removal_id *id)
{
    return consent->n_asked ? bsearch(id, consent->asked, consent->n_asked, sizeof *consent->asked,
                                  fed_removal_id_cmp)
                            : NULL;
}

/* Neither an order nor consent to a former removal of it is left. */
void plan_consent_back(struct plan_cluster *cluster, const struct fed_work *work)
{
    struct plan_consent *consent = &cluster->consent;
    struct fed_removal_id id;
    struct fed_removal_id *asked;
    struct plan_order *order;

    fed_consent_back(&consent->window, work);
    if ((consent->n_orders == 0 && consent->n_asked == 0) || fed_removal_id_of(work, &id))
        return;
    order = find(cluster, &id);
    if (order) {
        drop(consent, (size_t)(order - consent->orders));
        consent->dirty = true; /* it must not be found by the next process */
    }
    asked = find_asked(consent, &id);
    if (asked) {
        consent->n_asked--;
        memmove(
            asked, asked + 1, (size_t)(consent->asked + consent->n_asked - asked) * sizeof *asked);
        consent->moved = consent->dirty = true;
    }
}

/* ---- what the cluster says ---- */

static struct fed_removal_id *ids_of(
    struct hub_plan *plan, const struct fed_span *texts, size_t n, size_t *out)
{
    struct fed_removal_id *ids = fed_alloc_array(plan->mem, n + 1, sizeof *ids);
    size_t kept = 0;

    *out = 0;
    if (!ids)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (!fed_removal_id_of_text(texts[i], &ids[kept]))
            kept++;
    qsort(ids, kept, sizeof *ids, fed_removal_id_cmp);
    *out = kept;
    return ids;
}

/* The row follows with the next change: an order for what is gone does no harm. */
void plan_orders_confirmed(struct hub_plan *plan, struct plan_cluster *cluster, uint64_t revision,
    const struct fed_span *still_there, size_t n)
{
    struct plan_consent *consent = &cluster->consent;
    struct fed_removal_id *ids;
    size_t n_ids;

    if (consent->lost && n == 0 && revision >= cluster->now.revision) {
        consent->lost = false;
        consent->dirty = true;
        plan_round_want(plan);
    }
    if (consent->n_orders == 0)
        return;
    ids = ids_of(plan, still_there, n, &n_ids);
    for (size_t i = consent->n_orders; ids && i-- > 0;) {
        const struct plan_order *order = &consent->orders[i];

        if (order->revision > 0 && order->revision <= revision &&
            !bsearch(&order->id, ids, n_ids, sizeof *ids, fed_removal_id_cmp))
            drop(consent, i);
    }
    fed_alloc_free(plan->mem, ids, (n + 1) * sizeof *ids);
}

/* Takes out what the manifest has again, of which the agent has not heard: it is not to go, and who
 * consents to the rest does not mean it. */
static enum fed_err leave_out_placed(
    const struct plan_cluster *cluster, struct fed_removal_id *ids, size_t *n)
{
    const struct plan_manifest *manifest = cluster->changing ? &cluster->next : &cluster->now;
    struct fed_removal_id id;
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && *n > 0 && i < manifest->n; i++) {
        struct fed_removal_id *found;

        err = fed_removal_id_of(&manifest->entries[i].piece->work, &id);
        found = err ? NULL : bsearch(&id, ids, *n, sizeof *ids, fed_removal_id_cmp);
        if (!found)
            continue;
        --*n;
        memmove(found, found + 1, (size_t)(ids + *n - found) * sizeof *ids);
    }
    return err;
}

void hub_plan_asked(
    struct hub_plan *plan, struct fed_span name, const struct fed_span *ids, size_t n)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);
    struct plan_consent *consent = cluster ? &cluster->consent : NULL;
    struct fed_removal_id *all;
    size_t n_all;

    if (!consent || (n == 0 && consent->n_asked == 0))
        return;
    all = ids_of(plan, ids, n, &n_all);
    if (!all)
        return; /* without memory: its next report says it again */
    if (leave_out_placed(cluster, all, &n_all) ||
        (n_all == consent->n_asked &&
            (n_all == 0 || memcmp(all, consent->asked, n_all * sizeof *all) == 0))) {
        fed_alloc_free(plan->mem, all, (n + 1) * sizeof *all);
        return;
    }
    fed_alloc_free(plan->mem, consent->asked, consent->cap_asked * sizeof *consent->asked);
    consent->asked = all;
    consent->n_asked = n_all;
    consent->cap_asked = n + 1;
    consent->moved = consent->dirty = true;
    consent->orders_moved = true; /* some may be ordered: then it is to ask */
    plan_round_want(plan);
}

/* ---- what the cluster is told ---- */

enum fed_err hub_plan_orders_put(struct hub_plan *plan, struct fed_span name, struct fed_buf *out)
{
    const struct plan_cluster *cluster = plan_cluster_get(plan, name);
    size_t n = cluster ? cluster->consent.n_orders : 0;
    struct fed_removal_id *ids;

    if (!cluster)
        return FED_ERR_NOT_FOUND;
    if (cluster->consent.lost)
        return FED_ERR_CORRUPT;
    ids = fed_alloc_array(plan->mem, n + 1, sizeof *ids);
    if (!ids)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        ids[i] = cluster->consent.orders[i].id;
    fed_removals_put(out, ids, n);
    fed_alloc_free(plan->mem, ids, (n + 1) * sizeof *ids);
    return fed_buf_err(out);
}

enum fed_err hub_plan_manifest_base(
    struct hub_plan *plan, struct fed_span name, uint64_t revision, const struct fed_manifest **out)
{
    const struct plan_cluster *cluster = plan_cluster_get(plan, name);
    enum fed_err err = hub_plan_manifest_at(plan, name, revision, out);
    size_t index;

    if (err || cluster->consent.n_orders == 0 || !(cluster->knows & FED_LINK_KNOWS_CONSENT))
        return err;
    for (size_t i = 0; i < (*out)->n_works; i++) {
        struct fed_work *work = &plan->scratch[1][i];
        struct fed_removal_id id;

        if (!plan_manifest_find(&cluster->now, work, &index) && !fed_removal_id_of(work, &id) &&
            plan_order_has(cluster, &id))
            work->options |= FED_WORK_ORDERED;
    }
    return FED_OK;
}
