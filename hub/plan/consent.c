/* consent.c - see consent.h: what is noted, judged, consented to and told. */
#include "hub/plan/policy.h"

#include "proto/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TELL_MS 500u

static uint64_t now_ms(const struct hub_plan *plan)
{
    return fed_loop_now_ms(plan->loop);
}

/* ---- pairs ---- */

static bool is_shown(enum plan_consent_state state)
{
    return state == PLAN_CONSENT_AWAITS || state == PLAN_CONSENT_GIVEN;
}

void plan_consent_set(struct plan_pair *pair, enum plan_consent_state state)
{
    struct plan_consent *consent = &pair->cluster->consent;
    enum plan_consent_state before = (enum plan_consent_state)pair->consent;

    if (before == state)
        return;
    consent->n_noted += state == PLAN_CONSENT_NOTED;
    consent->n_noted -= before == PLAN_CONSENT_NOTED;
    consent->n_awaiting += state == PLAN_CONSENT_AWAITS;
    consent->n_awaiting -= before == PLAN_CONSENT_AWAITS;
    consent->n_given += state == PLAN_CONSENT_GIVEN;
    consent->n_given -= before == PLAN_CONSENT_GIVEN;
    consent->n_free += state == PLAN_CONSENT_FREE;
    consent->n_free -= before == PLAN_CONSENT_FREE;
    if (is_shown(before) || is_shown(state))
        consent->moved = consent->dirty = true;
    pair->consent = (uint8_t)state;
}

static bool is_ending(const struct plan_item *item)
{
    return item && (item->gone || item->deleting);
}

bool plan_consent_is_ordered(struct hub_plan *plan, const struct plan_item *item)
{
    struct hub_object_ref ref = {.resource = FED_SPAN_LIT("namespaces"), .name = item->ns};

    if (is_ending(item))
        return true;
    if (!item->type || !item->type->namespaced || item->type->is_namespace)
        return false;
    if (is_ending(plan_item_get(plan, &ref)))
        return true;
    if (!plan->namespaces)
        return false;
    ref = (struct hub_object_ref){
        .resource = fed_span_text(plan->namespaces->resource), .ns = item->ns, .name = item->ns};
    return is_ending(plan_item_get(plan, &ref));
}

/* A work that was held while its type was stopped may be nowhere but in the manifest. The agent
 * knows, and judges alone, when it has a guard. */
static bool is_perhaps_nothing(const struct plan_pair *pair)
{
    return (pair->piece->work.options & FED_WORK_HELD) &&
           (pair->cluster->knows & FED_LINK_KNOWS_CONSENT);
}

bool plan_consent_keeps(struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair)
{
    switch ((enum plan_consent_state)pair->consent) {
    case PLAN_CONSENT_FREE:
    case PLAN_CONSENT_GIVEN:
        return false;
    default:
        break;
    }
    if (plan_consent_is_ordered(plan, item) ||
        (pair->consent == PLAN_CONSENT_NONE && is_perhaps_nothing(pair))) {
        plan_consent_set(pair, PLAN_CONSENT_NONE);
        return false;
    }
    if (pair->consent == PLAN_CONSENT_NONE) {
        plan_consent_set(pair, PLAN_CONSENT_NOTED);
        plan_item_touch(plan, item);
    }
    return true;
}

/* ---- judging ---- */

static const struct fed_consent_limit *limit_of(
    const struct hub_plan *plan, const struct plan_cluster *cluster)
{
    return cluster->consent.has_limit ? &cluster->consent.limit : &plan->consent_limit;
}

/* Those that leave in this commit are in the window already, and in the manifest still. */
static size_t works_of(const struct plan_cluster *cluster)
{
    size_t n_free = cluster->consent.n_free;

    if (cluster->now.hollow && cluster->changing)
        return cluster->next.n;
    return cluster->now.n > n_free ? cluster->now.n - n_free : 0;
}

static size_t asked_for(const struct plan_cluster *cluster)
{
    size_t n = 0;

    for (size_t i = 0; i < cluster->consent.n_asked; i++)
        n += !plan_order_has(cluster, &cluster->consent.asked[i]);
    return n;
}

size_t plan_consent_waiting(const struct plan_cluster *cluster)
{
    return cluster->consent.n_awaiting + asked_for(cluster);
}

/* Few enough. Without memory it stays as it was, noted, and is judged with the next round. */
static enum fed_err let_go(struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair)
{
    struct plan_cluster *cluster = pair->cluster;
    struct fed_removal_id id;
    enum fed_err err = fed_removal_id_of(&pair->piece->work, &id);

    if (err)
        return err;
    plan_consent_set(pair, PLAN_CONSENT_FREE);
    err =
        pair->waiting ? plan_pair_take_away(plan, item, pair) : plan_pair_unplace(plan, item, pair);
    if (err)
        plan_consent_set(plan_pair_find(item, cluster), PLAN_CONSENT_NOTED);
    else
        fed_consent_pass(&cluster->consent.window, &id, now_ms(plan));
    return err;
}

/* A copy that stays follows its template. */
static enum fed_err stay(struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair)
{
    plan_consent_set(pair, PLAN_CONSENT_AWAITS);
    return pair->waiting ? FED_OK : plan_pair_place(plan, item, pair->cluster);
}

static enum fed_err decide(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair, bool waits)
{
    enum fed_err err;

    plan_item_touch(plan, item);
    err = waits ? stay(plan, item, pair) : let_go(plan, item, pair);
    if (err)
        plan_item_mark(plan, item); /* it was computed, and is not done */
    return err;
}

/* Where something waits, what comes after it does, too; but where the hub has no limit, what an
 * agent holds back (for a moment, perhaps, until it has heard of its orders) holds up nothing else,
 * which nobody would let go later. */
bool plan_consent_joins(const struct hub_plan *plan, const struct plan_cluster *cluster)
{
    return plan_consent_waiting(cluster) > 0 && limit_of(plan, cluster)->share < 100;
}

static bool must_wait(struct hub_plan *plan, struct plan_cluster *cluster, size_t n)
{
    return plan_consent_joins(plan, cluster) || fed_consent_needed(limit_of(plan, cluster),
                                                    &cluster->consent.window, n, works_of(cluster));
}

static enum fed_err judge(struct hub_plan *plan, struct plan_cluster *cluster)
{
    struct plan_consent *consent = &cluster->consent;
    size_t n = consent->n_noted;
    enum fed_err err = FED_OK;
    bool waits;

    fed_consent_turn(&consent->window, now_ms(plan), plan_consent_waiting(cluster) > 0);
    waits = must_wait(plan, cluster, n);
    if (!waits)
        err = fed_consent_reserve(&consent->window, n);
    for (size_t i = cluster->n_items; !err && consent->n_noted > 0 && i-- > 0;) {
        struct plan_item *item = cluster->items[i];
        struct plan_pair *pair = plan_pair_find(item, cluster);

        if (pair->consent == PLAN_CONSENT_NOTED)
            err = decide(plan, item, pair, waits);
    }
    consent->dirty = true;
    return err;
}

enum fed_err plan_consent_judge_cluster(struct hub_plan *plan, struct plan_cluster *cluster)
{
    return cluster->consent.n_noted > 0 ? judge(plan, cluster) : FED_OK;
}

enum fed_err plan_consent_judge(struct hub_plan *plan)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < plan->n_clusters; i++)
        err = plan_consent_judge_cluster(plan, plan->clusters[i]);
    return err;
}

/* ---- consent ---- */

static enum fed_err give(struct hub_plan *plan, struct plan_cluster *cluster)
{
    struct plan_consent *consent = &cluster->consent;
    size_t n = plan_consent_waiting(cluster);
    enum fed_err err = FED_OK;

    for (size_t i = 0; i < cluster->n_items && consent->n_awaiting > 0; i++) {
        struct plan_pair *pair = plan_pair_find(cluster->items[i], cluster);

        if (pair->consent != PLAN_CONSENT_AWAITS)
            continue;
        plan_consent_set(pair, PLAN_CONSENT_GIVEN);
        plan_item_mark(plan, cluster->items[i]);
    }
    for (size_t i = 0; !err && i < consent->n_asked; i++)
        if (!plan_order_has(cluster, &consent->asked[i]))
            err = plan_order_add_id(plan, cluster, &consent->asked[i]);
    fed_log(plan->log, FED_LOG_WARN, "plan: cluster %s: %zu removals that waited go, %s consented",
        cluster->name, n, consent->user ? consent->user : "somebody");
    consent->given = consent->moved = consent->dirty = true;
    plan_round_want(plan);
    return err;
}

static enum fed_err take_consent(
    struct hub_plan *plan, struct plan_cluster *cluster, struct fed_span text)
{
    enum fed_err err = text.len > 0 ? plan_consent_named(plan, cluster) : FED_OK;

    if (err || !cluster->consent.id[0] || !fed_span_is(text, cluster->consent.id))
        return err;
    return give(plan, cluster);
}

static void read_limit(struct plan_consent *consent, struct fed_span text)
{
    /* Admission refuses what cannot be read; what is stored all the same is not a limit. */
    consent->has_limit =
        text.len > 0 && fed_consent_limit_parse(text, &consent->limit, NULL) == FED_OK;
}

enum fed_err plan_consent_read(struct hub_plan *plan, struct fed_span name, struct fed_span bytes)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, name);
    struct fed_json_doc *doc;
    struct fed_json *object;
    enum fed_err err = cluster ? fed_json_doc_new(plan->mem, &doc) : FED_ERR_NOT_FOUND;

    if (err)
        return err;
    err = fed_json_parse(doc, bytes, &object, NULL);
    if (!err) {
        const struct fed_json *notes = fed_json_find(object, "metadata.annotations");

        read_limit(
            &cluster->consent, fed_json_string(fed_json_get(notes, PLAN_CONSENT_ANNOTATION)));
        err = take_consent(
            plan, cluster, fed_json_string(fed_json_get(notes, PLAN_APPROVE_ANNOTATION)));
    }
    fed_json_doc_free(doc);
    return err;
}

/* ---- what waits now ---- */

static enum fed_err list_ids(const struct hub_plan *plan, const struct plan_cluster *cluster,
    struct fed_removal_id *out, size_t *n)
{
    enum fed_err err = FED_OK;

    (void)plan;
    *n = 0;
    for (size_t i = 0; i < cluster->n_items && !err; i++) {
        const struct plan_pair *pair = plan_pair_find(cluster->items[i], cluster);

        if (pair->consent == PLAN_CONSENT_AWAITS && pair->piece)
            err = fed_removal_id_of(&pair->piece->work, &out[(*n)++]);
    }
    for (size_t i = 0; i < cluster->consent.n_asked && !err; i++)
        if (!plan_order_has(cluster, &cluster->consent.asked[i]))
            out[(*n)++] = cluster->consent.asked[i];
    qsort(out, *n, sizeof *out, fed_removal_id_cmp);
    return err;
}

/* Of the list and when it began to wait, by the clock and by the store's revision: the same list
 * another time is another removal, also within one second or after the clock was set back. */
static enum fed_err name_it(struct hub_plan *plan, struct plan_cluster *cluster)
{
    struct plan_consent *consent = &cluster->consent;
    size_t room = consent->n_awaiting + consent->n_asked + 1;
    struct fed_removal_id *ids = fed_alloc_array(plan->mem, room, sizeof *ids);
    struct fed_digest digest;
    struct fed_buf text;
    size_t n = 0;
    enum fed_err err = ids ? list_ids(plan, cluster, ids, &n) : FED_ERR_NOMEM;

    fed_buf_init(&text, plan->mem, SIZE_MAX / 2);
    fed_buf_printf(&text, "%" PRId64 " %" PRIu64 " ", consent->since_unix_s, consent->began);
    if (!err)
        fed_buf_put(&text, fed_span_of(ids, n * sizeof *ids));
    if (!err)
        err = fed_buf_err(&text);
    if (!err)
        err = fed_digest_of(fed_buf_span(&text), &digest);
    for (size_t i = 0; !err && i < (PLAN_CONSENT_ID_SIZE - 1) / 2; i++)
        snprintf(consent->id + 2 * i, 3, "%02x", digest.bytes[i]);
    fed_buf_fini(&text);
    fed_alloc_free(plan->mem, ids, room * sizeof *ids);
    return err;
}

/* What is waiting, as it is now: since when, of how many, and its name. */
static enum fed_err refresh(struct hub_plan *plan, struct plan_cluster *cluster)
{
    struct plan_consent *consent = &cluster->consent;
    size_t n = plan_consent_waiting(cluster);

    if (n == 0) {
        consent->since_unix_s = 0;
        consent->began = 0;
        consent->works = 0;
        consent->id[0] = '\0';
        return FED_OK;
    }
    if (consent->since_unix_s == 0) {
        consent->since_unix_s = fed_loop_unix_s(plan->loop);
        consent->began = hub_objects_revision(plan->objects);
        consent->works = works_of(cluster) + asked_for(cluster);
        consent->dirty = true;
    }
    return name_it(plan, cluster);
}

enum fed_err plan_consent_named(struct hub_plan *plan, struct plan_cluster *cluster)
{
    return cluster->consent.moved ? refresh(plan, cluster) : FED_OK;
}

/* ---- with the commit ---- */

static enum fed_err stage_row(struct hub_plan *plan, struct plan_cluster *cluster)
{
    struct fed_store_op op = {0};
    struct fed_buf value;
    char key[300];
    enum fed_err err;

    if (cluster->consent.lost && !cluster->consent.given) { /* the next process is to see it, too */
        cluster->consent.dirty = false;
        return FED_OK;
    }
    op.key = fed_span_of(key, (size_t)snprintf(key, sizeof key, "x/%s", cluster->name));
    fed_buf_init(&value, plan->mem, FED_STORE_VALUE_MAX);
    err = plan_consent_put(cluster, now_ms(plan), &value);
    op.value = fed_buf_span(&value);
    op.remove = value.len == 0;
    if (!err)
        err = hub_objects_stage(plan->objects, NULL, 0, &op, 1, NULL, NULL);
    fed_buf_fini(&value);
    if (err)
        return err;
    plan->planned = cluster->consent.staged = true;
    cluster->consent.dirty = false;
    return FED_OK;
}

enum fed_err plan_consent_stage(struct hub_plan *plan)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < plan->n_clusters; i++) {
        struct plan_cluster *cluster = plan->clusters[i];
        struct plan_consent *consent = &cluster->consent;

        if (consent->moved)
            err = refresh(plan, cluster);
        for (size_t k = 0; k < consent->n_orders && consent->dirty; k++)
            if (consent->orders[k].revision == 0)
                consent->orders[k].revision =
                    cluster->staged_revision ? cluster->staged_revision : cluster->now.revision;
        if (!err && consent->dirty)
            err = stage_row(plan, cluster);
    }
    return err;
}

static void tell_watchers(struct hub_plan *plan, struct plan_cluster *cluster)
{
    struct hub_object_ref ref = {.resource = FED_SPAN_LIT(HUB_CLUSTERS),
        .ns = FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE),
        .name = fed_span_text(cluster->name)};

    cluster->consent.told_revision = hub_objects_revision(plan->objects);
    hub_objects_touch(plan->objects, &ref, cluster->consent.told_revision);
    if (!plan->consent_telling) /* many changes in a row are one piece of news */
        plan->loop->timer_set(plan->loop->ctx, plan->consent_timer, now_ms(plan) + TELL_MS);
    plan->consent_telling = true;
}

void plan_consent_kept(struct hub_plan *plan)
{
    for (size_t i = 0; i < plan->n_clusters; i++) {
        struct plan_cluster *cluster = plan->clusters[i];
        struct plan_consent *consent = &cluster->consent;

        consent->staged = false;
        consent->tell_given = consent->tell_given || consent->given;
        consent->lost = consent->lost && !consent->given;
        consent->given = false;
        if (consent->moved)
            tell_watchers(plan, cluster);
        consent->moved = false;
        if (consent->orders_moved && consent->n_asked > 0 && plan->orders_changed)
            plan->orders_changed(plan->orders_ctx, fed_span_text(cluster->name));
        consent->orders_moved = false;
    }
}

/* Consent that could not be stored was never given. */
static enum fed_err take_back(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster)
{
    struct plan_pair *pair = plan_pair_find(item, cluster);
    enum fed_err err = FED_OK;

    if (pair->consent != PLAN_CONSENT_GIVEN)
        return FED_OK;
    if (pair->state == PLAN_PAIR_REMOVING) {
        if (pair->since != 0)
            return FED_OK;
        err = plan_cluster_set(plan, cluster, &pair->piece->work, pair->piece);
        if (!err)
            plan_pair_set_state(pair, PLAN_PAIR_PRESENT);
    }
    plan_consent_set(pair, PLAN_CONSENT_AWAITS);
    plan_item_touch(plan, item);
    return err;
}

enum fed_err plan_consent_undone(struct hub_plan *plan)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; i < plan->n_clusters; i++) {
        struct plan_cluster *cluster = plan->clusters[i];
        struct plan_consent *consent = &cluster->consent;

        consent->dirty = consent->dirty || consent->staged;
        consent->staged = false;
        for (size_t k = 0; k < cluster->n_items && consent->given && !err; k++)
            err = take_back(plan, cluster->items[k], cluster);
        for (size_t k = consent->n_orders; consent->given && k-- > 0;)
            if (bsearch(&consent->orders[k].id, consent->asked, consent->n_asked,
                    sizeof *consent->asked, fed_removal_id_cmp))
                memmove(&consent->orders[k], &consent->orders[k + 1],
                    (--consent->n_orders - k) * sizeof *consent->orders);
        consent->given = false;
    }
    return err;
}

void plan_consent_fini(struct hub_plan *plan, struct plan_consent *consent)
{
    fed_consent_window_fini(&consent->window);
    fed_alloc_free(plan->mem, consent->orders, consent->cap_orders * sizeof *consent->orders);
    fed_alloc_free(plan->mem, consent->asked, consent->cap_asked * sizeof *consent->asked);
    fed_alloc_free(plan->mem, consent->user, PLAN_CONSENT_USER_SIZE);
}
