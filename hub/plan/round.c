/* round.c - the round that follows changes, and shares their sync.
 *
 * Before a flush: the plan takes in what is staged, computes the dirty pairs, stages the new
 * manifests' rows and what finishes deletions. When all that is durable, manifests are turned and
 * others told. When it was undone, what was taken in is read again, and the next round waits a
 * while: so a plan that cannot be stored does not undo the writes of others again and again. */
#include "hub/plan/gate.h"
#include "hub/plan/policy.h"

#include <string.h>

static enum fed_err compute_items(struct hub_plan *plan)
{
    enum fed_err err = FED_OK;

    for (struct plan_item *item = plan->touched; !err && item; item = item->next_touched) {
        if (!item->dirty) {
            err = plan_regated_compute(plan, item);
            continue;
        }
        plan_regated_forget(item);
        for (size_t i = 0; !err && i < plan->n_clusters; i++)
            err = plan_pair_update(plan, item, plan->clusters[i]);
        item->dirty = err != FED_OK;
        if (!err)
            plan_waiting_computed(plan, item);
        item->round = err ? 0 : plan->round;
    }
    return err;
}

/* What can be seen of a pair. */
struct seen {
    bool there;
    uint8_t state;
    const struct plan_piece *piece;
    const struct plan_fault *fault;
    const struct plan_policy *policy;
    bool waiting;
    bool deferred;
    bool withheld;
    uint8_t version;
    uint8_t consent;
};

static struct seen look(struct plan_item *item, const struct plan_cluster *cluster)
{
    const struct plan_pair *pair = plan_pair_find(item, cluster);

    return pair ? (struct seen){true, pair->state, pair->piece, pair->fault, pair->policy,
                      pair->waiting, pair->deferred, pair->withheld, pair->version, pair->consent}
                : (struct seen){.there = false};
}

static bool looks_the_same(const struct seen *a, const struct seen *b)
{
    return a->there == b->there && a->state == b->state && a->piece == b->piece &&
           a->fault == b->fault && a->policy == b->policy && a->waiting == b->waiting &&
           a->deferred == b->deferred && a->withheld == b->withheld && a->version == b->version &&
           a->consent == b->consent;
}

/* One item for a cluster that is new, back, or has other labels. */
static enum fed_err compute_one(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster)
{
    struct seen before;
    struct seen after;
    enum fed_err err;

    if (item->round == plan->round ||
        (!cluster->fresh && !cluster->returned && !cluster->relearned &&
            !plan_labels_matter(plan, item, cluster->former, cluster->labels)))
        return FED_OK;
    before = look(item, cluster);
    err = plan_pair_update(plan, item, cluster);
    after = look(item, cluster);
    if (!looks_the_same(&before, &after))
        plan_item_touch(plan, item);
    return err;
}

static enum fed_err compute_cluster(struct hub_plan *plan, struct plan_cluster *cluster)
{
    struct fed_map_iter it;
    enum fed_err err = FED_OK;

    fed_map_iter_init(&it, &plan->items);
    while (!err && cluster->replan && fed_map_iter_next(&it))
        err = compute_one(plan, it.value, cluster);
    if (!err)
        plan_cluster_planned(cluster);
    return err;
}

/* Takes our finalizer off; true when others are left. */
static bool drop_finalizer(struct fed_json *object)
{
    struct fed_json *finalizers = fed_json_find(object, "metadata.finalizers");

    for (size_t i = fed_json_count(finalizers); i-- > 0;) {
        if (fed_span_is(fed_json_string(fed_json_at(finalizers, i)), PLAN_FINALIZER))
            fed_json_remove_at(finalizers, i);
    }
    return fed_json_count(finalizers) > 0;
}

/* Of an object of which no copy is left; it goes when our finalizer was the last one. */
static enum fed_err release_object(
    struct hub_plan *plan, const struct hub_object_ref *ref, struct fed_diag *diag)
{
    struct hub_object_write write = {.ref = *ref};
    struct fed_json_doc *doc = NULL;
    struct fed_json *object;
    struct fed_buf bytes;
    struct fed_buf next;
    enum fed_err err;

    fed_buf_init(&bytes, plan->mem, HUB_OBJECT_BYTES_MAX);
    fed_buf_init(&next, plan->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_objects_get(plan->objects, ref, &bytes, &write.expected);
    if (!err)
        err = fed_json_doc_new(plan->mem, &doc);
    if (!err)
        err = fed_json_parse(doc, fed_buf_span(&bytes), &object, diag);
    if (!err)
        write.remove = !drop_finalizer(object);
    if (!err && !write.remove)
        err = fed_json_put(&next, object);
    write.bytes = write.remove ? fed_buf_span(&bytes) : fed_buf_span(&next);
    if (!err)
        err = hub_objects_stage(plan->objects, &write, 1, NULL, 0, NULL, diag);
    fed_json_doc_free(doc);
    fed_buf_fini(&bytes);
    fed_buf_fini(&next);
    return err;
}

static bool is_awaited(const struct plan_item *item)
{
    for (size_t i = 0; i < item->n_pairs; i++)
        if (item->pairs[i].state != PLAN_PAIR_REMOVING || !item->pairs[i].cluster->away)
            return true;
    return false;
}

/* Of an object that is being deleted nobody is awaited any more. */
static bool is_finished(const struct plan_item *item)
{
    return item->deleting && !item->gone && !item->dirty && item->has_finalizer &&
           !is_awaited(item);
}

static enum fed_err release_items(struct hub_plan *plan)
{
    enum fed_err err = FED_OK;

    for (struct plan_item *item = plan->touched; !err && item; item = item->next_touched) {
        struct hub_object_ref ref = {
            .resource = item->resource, .ns = item->ns, .name = item->name};
        struct fed_diag diag = {""};

        if (!is_finished(item))
            continue;
        err = release_object(plan, &ref, &diag);
        if (err == FED_ERR_NOT_FOUND)
            err = FED_OK; /* gone meanwhile, as the plan will hear */
        if (err && err != FED_ERR_BUSY)
            fed_log(plan->log, FED_LOG_ERROR,
                "plan: cannot finish the deletion of " FED_SPAN_FMT "/" FED_SPAN_FMT
                ": %s; next try in %u ms",
                FED_SPAN_ARG(item->ns), FED_SPAN_ARG(item->name),
                diag.text[0] ? diag.text : fed_err_text(err), PLAN_RETRY_MS);
    }
    return err;
}

static enum fed_err compute_clusters(struct hub_plan *plan)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < plan->n_clusters; i++) {
        struct plan_cluster *cluster = plan->clusters[i];

        if (!cluster->replan && cluster->recorded)
            continue;
        err = compute_cluster(plan, cluster);
        /* Also a cluster without works has a first, empty manifest. */
        if (!err && !cluster->changing && !cluster->recorded)
            cluster->changing = true;
    }
    return err;
}

static enum fed_err round_run(struct hub_plan *plan)
{
    enum fed_err err;

    plan->round++;
    err = compute_items(plan);
    if (!err)
        err = compute_clusters(plan);
    if (!err)
        err = plan_types_stage(plan);
    if (!err)
        err = plan_knows_stage(plan);
    if (!err)
        err = plan_consent_judge(plan);
    if (!err)
        err = plan_holds_stage(plan);
    if (!err)
        err = plan_policies_spend(plan);
    if (!err)
        err = plan_policies_record(plan);
    if (!err)
        err = plan_manifests_record(plan);
    if (!err)
        err = plan_consent_stage(plan);
    return err ? err : release_items(plan);
}

/* ---- when it runs ---- */

void plan_round_want(struct hub_plan *plan)
{
    plan->round_due = true;
    if (plan->loading || plan->preparing || plan->retrying)
        return;
    if (!hub_objects_flush_soon(plan->objects))
        plan->loop->timer_set(
            plan->loop->ctx, plan->retry, fed_loop_now_ms(plan->loop) + PLAN_RETRY_MS);
}

static void wait_a_while(struct hub_plan *plan)
{
    plan->round_due = true;
    plan->retrying = true;
    plan->loop->timer_set(
        plan->loop->ctx, plan->retry, fed_loop_now_ms(plan->loop) + PLAN_RETRY_MS);
}

void plan_round_retry(void *ctx)
{
    struct hub_plan *plan = ctx;

    plan->retrying = false;
    (void)hub_objects_flush(plan->objects, NULL); /* which asks for the round */
}

/* ---- what is durable ---- */

static void fill_since(struct plan_item *item)
{
    for (size_t i = 0; i < item->n_pairs; i++) {
        item->pairs[i].fresh = item->pairs[i].since == 0;
        if (item->pairs[i].since == 0)
            item->pairs[i].since = item->pairs[i].cluster->now.revision;
        if (item->pairs[i].state != PLAN_PAIR_PRESENT)
            plan_consent_set(&item->pairs[i], PLAN_CONSENT_NONE); /* it is on its way */
    }
}

static struct plan_item *take_touched(struct hub_plan *plan)
{
    struct plan_item *first = plan->touched;

    plan->touched = NULL;
    return first;
}

static struct plan_item *unlist(struct plan_item *item)
{
    struct plan_item *next = item->next_touched;

    item->next_touched = NULL;
    item->listed = false;
    return next;
}

static void finish_item(struct hub_plan *plan, struct plan_item *item)
{
    struct hub_object_ref ref = {.resource = item->resource, .ns = item->ns, .name = item->name};
    bool told = item->told;

    if (item->dirty || item->n_regated > 0 || is_finished(item)) { /* for the next round */
        plan_item_touch(plan, item);
        item->told = told;
        return;
    }
    fill_since(item);
    item->told = item->regated = false;
    if (item->gone && item->n_pairs == 0)
        plan_item_free(plan, item);
    else if (told && plan->object_changed && item->type && !item->gone)
        plan->object_changed(plan->changed_ctx, &ref, hub_objects_revision(plan->objects));
}

static void finish_items(struct hub_plan *plan)
{
    struct plan_item *item = take_touched(plan);

    while (item) {
        struct plan_item *next = unlist(item);

        finish_item(plan, item);
        item = next;
    }
}

static void keep(struct hub_plan *plan)
{
    plan->planned = false;
    plan_types_staged(plan);
    plan_knows_staged(plan);
    plan_holds_staged(plan);
    for (size_t i = 0; i < plan->n_clusters; i++) {
        struct plan_cluster *cluster = plan->clusters[i];

        if (!cluster->staged_revision)
            continue;
        plan_manifest_turn(plan, cluster, cluster->staged_revision);
        cluster->staged_revision = 0;
        cluster->recorded = true;
        if (plan->changed)
            plan->changed(plan->changed_ctx, fed_span_text(cluster->name), cluster->now.revision);
    }
    finish_items(plan);
    plan_policies_kept(plan);
    plan_consent_kept(plan);
    for (size_t i = plan->n_clusters; i-- > 0;)
        if (plan->clusters[i]->leaving)
            plan_cluster_remove(plan, plan->clusters[i]);
}

/* ---- member of the turn's commit ---- */

void plan_round_prepare(void *ctx)
{
    struct hub_plan *plan = ctx;
    enum fed_err err = FED_OK;
    bool ran = false;

    plan->preparing = true;
    plan_take_staged(plan);
    while (!err && plan->round_due && !plan->retrying) {
        plan->round_due = false;
        ran = true;
        err = round_run(plan);
        plan_take_staged(plan); /* what finished deletions */
    }
    plan->preparing = false;
    plan->planned = plan->planned || (ran && !err);
    if (err == FED_ERR_BUSY)
        plan->round_due = true; /* inside somebody's read: with the next flush */
    else if (err)
        wait_a_while(plan);
    else if (plan->planned && !hub_objects_staged(plan->objects))
        keep(plan); /* nothing was to be stored */
}

void plan_round_ended(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    struct hub_plan *plan = ctx;

    (void)diag; /* told to who wrote, and by who reports */
    if (!err) {
        if (plan->planned)
            keep(plan);
        return;
    }
    plan->planned = false;
    for (size_t i = 0; i < plan->n_clusters; i++)
        plan->clusters[i]->staged_revision = 0;
    plan->preparing = true;
    plan_policies_undone(plan);
    plan_holds_undone(plan);
    if (plan_consent_undone(plan))
        fed_log(plan->log, FED_LOG_ERROR, "plan: no memory to take consent back");
    plan_undo_staged(plan);
    plan_regated_undone(plan);
    plan->preparing = false;
    wait_a_while(plan);
}
