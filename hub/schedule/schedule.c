/* schedule.c - see schedule.h: what is heard of, and when which preference is looked at. */
#include "hub/schedule/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TURN_MAX 32u /* preferences looked at in one turn of the loop */
#define FACTS_WAIT_MS 3000u
#define RETRY_MS 10000u

/* ---- when ---- */

void schedule_wake(struct hub_schedule *s, uint64_t due_ms)
{
    if (s->timer_ms && s->timer_ms <= due_ms)
        return;
    s->timer_ms = due_ms;
    s->o.loop->timer_set(s->o.loop->ctx, s->timer, due_ms);
}

void schedule_queue(struct hub_schedule *s, struct schedule_item *item, uint64_t in_ms)
{
    uint64_t due_ms = fed_loop_now_ms(s->o.loop) + in_ms;

    if (!item->queued) {
        item->queued = true;
        item->due_ms = due_ms;
        item->next = s->queue;
        s->queue = item;
    } else if (due_ms < item->due_ms) {
        item->due_ms = due_ms;
    }
    schedule_wake(s, item->due_ms);
}

void schedule_queue_all(struct hub_schedule *s, uint64_t in_ms)
{
    uint64_t due_ms = fed_loop_now_ms(s->o.loop) + in_ms;

    if (s->all_due_ms && s->all_due_ms <= due_ms)
        return;
    s->all_due_ms = due_ms;
    schedule_wake(s, due_ms);
}

static void queue_each(struct hub_schedule *s)
{
    struct fed_map_iter it;

    s->all_due_ms = 0;
    fed_map_iter_init(&it, &s->items);
    while (fed_map_iter_next(&it))
        schedule_queue(s, it.value, 0);
}

static void item_free(struct hub_schedule *s, struct schedule_item *item)
{
    fed_alloc_free(s->o.mem, item->key, item->key_len);
    fed_alloc_free(s->o.mem, item, sizeof *item);
}

static void look_again(struct hub_schedule *s, struct schedule_item *item, enum fed_err err,
    const struct fed_diag *diag)
{
    uint64_t now_ms = fed_loop_now_ms(s->o.loop);

    if (err == FED_ERR_BUSY && item->facts_by_ms > now_ms) {
        schedule_queue(s, item, item->facts_by_ms - now_ms);
    } else if (err == FED_ERR_CONFLICT) {
        schedule_queue(s, item, 0);
    } else {
        fed_log(s->o.log, FED_LOG_ERROR,
            "replicas: " FED_SPAN_FMT "/" FED_SPAN_FMT ": %s; next try in %u s",
            FED_SPAN_ARG(item->ns), FED_SPAN_ARG(item->name),
            diag->text[0] ? diag->text : fed_err_text(err), RETRY_MS / 1000u);
        schedule_queue(s, item, RETRY_MS);
    }
}

/* What it writes is delivered before it returns, and may tell that the preference is gone. */
static void look_at(struct hub_schedule *s, struct schedule_item *item)
{
    struct fed_diag diag = {""};
    enum fed_err err;

    s->busy = item;
    s->busy_gone = false;
    err = schedule_place(s, item, &diag);
    s->busy = NULL;
    if (s->busy_gone)
        item_free(s, item);
    else if (err)
        look_again(s, item, err, &diag);
}

/* The next one that is due, out of the queue; NULL when none is. */
static struct schedule_item *take_due(struct hub_schedule *s, uint64_t now_ms)
{
    for (struct schedule_item **at = &s->queue; *at; at = &(*at)->next) {
        struct schedule_item *item = *at;

        if (item->due_ms > now_ms)
            continue;
        *at = item->next;
        item->next = NULL;
        item->queued = false;
        return item;
    }
    return NULL;
}

static void on_timer(void *ctx)
{
    struct hub_schedule *s = ctx;
    uint64_t now_ms = fed_loop_now_ms(s->o.loop);
    uint64_t clusters_ms;
    struct schedule_item *item;

    s->timer_ms = 0;
    clusters_ms = schedule_clusters_due(s, now_ms);
    if (s->all_due_ms && s->all_due_ms <= now_ms)
        queue_each(s);
    for (unsigned i = 0; i < TURN_MAX && (item = take_due(s, now_ms)); i++)
        look_at(s, item);
    if (clusters_ms)
        schedule_wake(s, clusters_ms);
    if (s->all_due_ms)
        schedule_wake(s, s->all_due_ms);
    for (item = s->queue; item; item = item->next)
        schedule_wake(s, item->due_ms);
}

/* ---- preferences ---- */

static bool key_of(struct fed_span ns, struct fed_span name, char out[512], struct fed_span *key)
{
    int n =
        snprintf(out, 512, FED_SPAN_FMT "%c" FED_SPAN_FMT, FED_SPAN_ARG(ns), 0, FED_SPAN_ARG(name));

    *key = fed_span_of(out, n > 0 ? (size_t)n : 0);
    return n > 0 && n < 512;
}

static struct schedule_item *item_of(
    struct hub_schedule *s, struct fed_span ns, struct fed_span name)
{
    char text[512];
    struct fed_span key;

    return key_of(ns, name, text, &key) ? fed_map_get(&s->items, key) : NULL;
}

static enum fed_err item_new(
    struct hub_schedule *s, const struct hub_object_ref *ref, struct schedule_item **out)
{
    struct schedule_item *item = fed_alloc_zero(s->o.mem, sizeof *item);
    char text[512];
    struct fed_span key;
    enum fed_err err = FED_ERR_NOMEM;

    if (!key_of(ref->ns, ref->name, text, &key))
        err = FED_ERR_LIMIT;
    if (!item || err == FED_ERR_LIMIT) {
        fed_alloc_free(s->o.mem, item, sizeof *item);
        return err;
    }
    item->key_len = key.len;
    item->key = fed_alloc_get(s->o.mem, key.len);
    if (item->key) {
        memcpy(item->key, key.at, key.len);
        item->ns = fed_span_of(item->key, ref->ns.len);
        item->name = fed_span_of(item->key + ref->ns.len + 1, ref->name.len);
        err = fed_map_put(&s->items, key, item);
    }
    if (err) {
        item_free(s, item);
        return err;
    }
    *out = item;
    return FED_OK;
}

static void preference_put(struct hub_schedule *s, const struct hub_object_ref *ref)
{
    struct schedule_item *item = item_of(s, ref->ns, ref->name);

    if (!item) {
        enum fed_err err = item_new(s, ref, &item);

        if (err) {
            fed_log(s->o.log, FED_LOG_ERROR,
                "replicas: cannot take in preference " FED_SPAN_FMT "/" FED_SPAN_FMT
                ": %s; it counts from its next change on",
                FED_SPAN_ARG(ref->ns), FED_SPAN_ARG(ref->name), fed_err_text(err));
            return;
        }
        if (!s->opening)
            item->facts_by_ms = fed_loop_now_ms(s->o.loop) + FACTS_WAIT_MS;
    }
    schedule_queue(s, item, 0);
}

/* What agents said for its sake is worth nothing any more. */
static void forget_facts(
    struct hub_schedule *s, const struct hub_object_ref *ref, struct fed_span bytes)
{
    struct hub_object_ref target = *ref;
    struct hub_scaled_type type;
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct fed_map_iter it;

    if (fed_json_doc_new(s->o.mem, &doc))
        return;
    if (!fed_json_parse(doc, bytes, &object, NULL) &&
        !hub_plan_scaled_type(
            s->o.plan, fed_json_string(fed_json_find(object, "spec.targetKind")), &type)) {
        target.resource = fed_span_text(type.resource);
        fed_map_iter_init(&it, &s->clusters);
        while (fed_map_iter_next(&it))
            schedule_fact_forget(s, &target, it.key);
    }
    fed_json_doc_free(doc);
}

static void preference_gone(struct hub_schedule *s, const struct hub_change *change)
{
    struct schedule_item *item = item_of(s, change->ref.ns, change->ref.name);
    struct schedule_item **at = &s->queue;

    forget_facts(s, &change->ref, change->bytes);
    if (!item)
        return;
    while (*at && *at != item)
        at = &(*at)->next;
    if (*at)
        *at = item->next;
    fed_map_remove(&s->items, fed_span_of(item->key, item->key_len));
    if (item == s->busy)
        s->busy_gone = true;
    else
        item_free(s, item);
}

/* ---- what is heard ---- */

static void on_preference(void *ctx, const struct hub_change *change)
{
    struct hub_schedule *s = ctx;

    if (change->type == HUB_CHANGE_DELETED)
        preference_gone(s, change);
    else if (change->type != HUB_CHANGE_TOUCHED)
        preference_put(s, &change->ref);
}

static void on_cluster(void *ctx, const struct hub_change *change)
{
    schedule_cluster_look(
        ctx, change->ref.name, change->type == HUB_CHANGE_DELETED ? NULL : &change->bytes);
}

static void read_settings(struct hub_schedule *s)
{
    enum fed_err err = hub_kubefed_settings_read(s->o.mem, s->o.objects, &s->settings);

    if (err)
        fed_log(s->o.log, FED_LOG_ERROR,
            "schedule: KubeFedConfig cannot be read: %s; what it said before stays",
            fed_err_text(err));
}

static void on_config(void *ctx, const struct hub_change *change)
{
    struct hub_schedule *s = ctx;

    if (change->type == HUB_CHANGE_TOUCHED)
        return;
    read_settings(s);
    schedule_queue_all(s, 0);
}

void hub_schedule_planned(struct hub_schedule *s, const struct hub_object_ref *ref)
{
    struct schedule_item *item = item_of(s, ref->ns, ref->name);

    if (item)
        schedule_queue(s, item, 0);
}

/* ---- life ---- */

static bool load_cluster(void *ctx, const struct hub_object *object)
{
    schedule_cluster_look(ctx, object->ref.name, &object->bytes);
    return true;
}

static bool load_preference(void *ctx, const struct hub_object *object)
{
    preference_put(ctx, &object->ref);
    return true;
}

static enum fed_err load(struct hub_schedule *s, struct fed_diag *diag)
{
    struct fed_span everywhere = {0};
    enum fed_err err;

    s->opening = true;
    read_settings(s);
    err = schedule_facts_load(s, diag);
    if (!err)
        err = hub_objects_list(
            s->o.objects, FED_SPAN_LIT(HUB_CLUSTERS), everywhere, NULL, load_cluster, s);
    if (!err)
        err = hub_objects_list(
            s->o.objects, FED_SPAN_LIT(SCHEDULE_PREFERENCES), everywhere, NULL, load_preference, s);
    s->opening = false;
    schedule_wake(s, fed_loop_now_ms(s->o.loop)); /* also for clusters that are lost */
    return err;
}

static enum fed_err subscribe(struct hub_schedule *s)
{
    static const struct {
        const char *resource;
        hub_objects_changed *changed;
    } all[] = {{SCHEDULE_PREFERENCES, on_preference}, {HUB_CLUSTERS, on_cluster},
        {HUB_KUBEFED_CONFIGS, on_config}};
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < sizeof all / sizeof *all; i++)
        err = hub_objects_subscribe(
            s->o.objects, fed_span_text(all[i].resource), all[i].changed, s, &s->subscriptions[i]);
    return err;
}

enum fed_err hub_schedule_open(
    const struct hub_schedule_options *options, struct hub_schedule **out, struct fed_diag *diag)
{
    struct hub_schedule *s = fed_alloc_zero(options->mem, sizeof *s);
    enum fed_err err;

    if (!s)
        return FED_ERR_NOMEM;
    s->o = *options;
    s->settings = hub_kubefed_settings_otherwise();
    fed_map_init(&s->clusters, s->o.mem);
    fed_map_init(&s->items, s->o.mem);
    fed_map_init(&s->facts, s->o.mem);
    err = s->o.loop->timer_new(s->o.loop->ctx, on_timer, s, &s->timer);
    if (!err)
        err = load(s, diag);
    if (!err)
        err = subscribe(s);
    if (err) {
        hub_schedule_close(s);
        return fed_diag_prefix(diag, err, "replicas");
    }
    hub_status_on_scaled(s->o.status, schedule_facts_told, s);
    *out = s;
    return FED_OK;
}

void hub_schedule_close(struct hub_schedule *s)
{
    struct fed_map_iter it;

    if (!s)
        return;
    hub_status_on_scaled(s->o.status, NULL, NULL);
    for (size_t i = 0; i < sizeof s->subscriptions / sizeof *s->subscriptions; i++) {
        if (s->subscriptions[i])
            hub_objects_unsubscribe(s->subscriptions[i]);
    }
    s->o.loop->timer_free(s->o.loop->ctx, s->timer);
    fed_map_iter_init(&it, &s->items);
    while (fed_map_iter_next(&it))
        item_free(s, it.value);
    fed_map_fini(&s->items);
    schedule_clusters_fini(s);
    schedule_facts_fini(s);
    fed_alloc_free(s->o.mem, s, sizeof *s);
}
