/* plan.c - see plan.h: the plan's life, and what changes come in. */
#include "hub/plan/gate.h"
#include "hub/plan/policy.h"

#include <stdio.h>
#include <string.h>

#define NAMESPACES "namespaces"

/* ---- types ---- */

static bool copy_text(char *to, size_t size, const struct fed_json *from)
{
    return fed_span_to_cstr(fed_json_string(from), to, size) == FED_OK && to[0];
}

/* A statusType that does not fit is none: the type itself works without. */
static void type_read_status(const struct fed_json *object, struct plan_type *out)
{
    const struct fed_json *type = fed_json_find(object, "spec.statusType");
    struct fed_span group = fed_json_string(fed_json_get(type, "group"));
    struct fed_span plural = fed_json_string(fed_json_get(type, "pluralName"));
    struct fed_span version = fed_json_string(fed_json_get(type, "version"));
    int n;

    out->collects =
        fed_span_is(fed_json_string(fed_json_find(object, "spec.statusCollection")), "Enabled");
    n = snprintf(out->status_api_version, sizeof out->status_api_version,
        FED_SPAN_FMT "/" FED_SPAN_FMT, FED_SPAN_ARG(group), FED_SPAN_ARG(version));
    if (plural.len == 0 || group.len == 0 || version.len == 0 || n < 0 ||
        (size_t)n >= sizeof out->status_api_version ||
        !copy_text(out->status_kind, sizeof out->status_kind, fed_json_get(type, "kind")))
        return;
    n = snprintf(out->status_resource, sizeof out->status_resource, FED_SPAN_FMT "." FED_SPAN_FMT,
        FED_SPAN_ARG(plural), FED_SPAN_ARG(group));
    if (n < 0 || (size_t)n >= sizeof out->status_resource)
        out->status_resource[0] = '\0';
}

/* Reads a FederatedTypeConfig. false when it lacks what a plan needs (admission lets none through).
 */
static bool type_read(const struct fed_json *object, struct plan_type *out)
{
    const struct fed_json *target = fed_json_find(object, "spec.targetType");
    const struct fed_json *federated = fed_json_find(object, "spec.federatedType");
    struct fed_span group = fed_json_string(fed_json_get(target, "group"));
    struct fed_span version = fed_json_string(fed_json_get(target, "version"));
    int n;

    *out = (struct plan_type){.resource = ""};
    n = snprintf(out->target_api_version, sizeof out->target_api_version,
        FED_SPAN_FMT "%s" FED_SPAN_FMT, FED_SPAN_ARG(group), group.len ? "/" : "",
        FED_SPAN_ARG(version));
    if (n < 0 || (size_t)n >= sizeof out->target_api_version || version.len == 0)
        return false;
    n = snprintf(out->resource, sizeof out->resource, FED_SPAN_FMT "." FED_SPAN_FMT,
        FED_SPAN_ARG(fed_json_string(fed_json_get(federated, "pluralName"))),
        FED_SPAN_ARG(fed_json_string(fed_json_get(federated, "group"))));
    if (n < 0 || (size_t)n >= sizeof out->resource)
        return false;
    out->target_namespaced =
        fed_span_is(fed_json_string(fed_json_get(target, "scope")), "Namespaced");
    out->namespaced = fed_span_is(fed_json_string(fed_json_get(federated, "scope")), "Namespaced");
    out->enabled =
        fed_span_is(fed_json_string(fed_json_find(object, "spec.propagation")), "Enabled") &&
        !fed_json_is_string(fed_json_find(object, "metadata.deletionTimestamp"));
    if (!copy_text(out->target_kind, sizeof out->target_kind, fed_json_get(target, "kind")) ||
        !copy_text(
            out->target_plural, sizeof out->target_plural, fed_json_get(target, "pluralName")))
        return false;
    if (!copy_text(
            out->federated_kind, sizeof out->federated_kind, fed_json_get(federated, "kind")))
        out->federated_kind[0] = '\0'; /* no preference can name it */
    out->is_namespace = group.len == 0 && strcmp(out->target_kind, "Namespace") == 0;
    if (out->is_namespace)
        out->target_namespaced = false;
    type_read_status(object, out);
    return true;
}

static void mark_all(struct hub_plan *plan)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &plan->items);
    while (fed_map_iter_next(&it))
        plan_item_mark(plan, it.value);
}

/* Whether namespaces are a type decides on all the others, too. */
static void mark_type(struct hub_plan *plan, const struct plan_type *type)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &plan->items);
    while (fed_map_iter_next(&it)) {
        struct plan_item *item = it.value;

        if (item->type != type && !(type->is_namespace && !item->type))
            continue;
        plan_item_forget_pieces(plan, item);
        plan_item_mark(plan, item);
    }
    if (type->is_namespace)
        mark_all(plan);
}

/* ---- settings ---- */

/* Settings are part of what works say, or decide whether there are any. */
static void settings_set(struct hub_plan *plan, struct hub_kubefed_settings settings)
{
    const struct hub_kubefed_settings *now = &plan->settings;
    struct fed_map_iter it;

    if (settings.namespaced == now->namespaced && settings.adopt == now->adopt &&
        settings.push == now->push && settings.raw_status == now->raw_status)
        return;
    plan->settings = settings;
    fed_map_iter_init(&it, &plan->items);
    while (fed_map_iter_next(&it))
        plan_item_forget_pieces(plan, it.value);
    mark_all(plan);
}

static enum fed_err settings_take(struct hub_plan *plan, struct fed_span bytes)
{
    struct fed_json_doc *doc;
    struct fed_json *config;
    enum fed_err err = fed_json_doc_new(plan->mem, &doc);

    if (err)
        return err;
    err = fed_json_parse(doc, bytes, &config, NULL);
    if (!err)
        settings_set(plan, hub_kubefed_settings_of(config));
    fed_json_doc_free(doc);
    return err;
}

static void take_change(void *ctx, const struct hub_change *change);

static bool load_one(void *ctx, const struct hub_object *object)
{
    struct hub_change change = {.type = HUB_CHANGE_ADDED,
        .ref = object->ref,
        .bytes = object->bytes,
        .revision = object->revision};

    take_change(ctx, &change);
    return true;
}

static enum fed_err load_resource(struct hub_plan *plan, const char *resource)
{
    return hub_objects_list(
        plan->objects, fed_span_text(resource), fed_span_text(""), NULL, load_one, plan);
}

static enum fed_err load_type(struct hub_plan *plan, const struct plan_type *type)
{
    enum hub_gate_taking taking = plan->taking;
    enum fed_err err;

    plan->taking = HUB_GATE_LOADED;
    err = load_resource(plan, type->resource);
    plan->taking = taking;
    if (taking == HUB_GATE_WRITTEN && plan->gates.federated)
        plan->gates.federated(plan->gates.ctx);
    return err;
}

enum fed_err plan_type_add(struct hub_plan *plan, const struct plan_type *from)
{
    struct plan_type *type = fed_alloc_get(plan->mem, sizeof *type);
    enum fed_err err;

    if (!type)
        return FED_ERR_NOMEM;
    *type = *from;
    err = fed_map_put(&plan->types, fed_span_text(type->resource), type);
    if (err) {
        fed_alloc_free(plan->mem, type, sizeof *type);
        return err;
    }
    if (type->is_namespace)
        plan->namespaces = type;
    /* While loading the list of types is still being read: their objects follow it. */
    return plan->loading ? FED_OK : load_type(plan, type);
}

static enum fed_err type_put(struct hub_plan *plan, struct fed_span bytes)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct plan_type read;
    struct plan_type *type;
    enum fed_err err = fed_json_doc_new(plan->mem, &doc);

    if (err)
        return err;
    err = fed_json_parse(doc, bytes, &object, NULL);
    if (!err && !type_read(object, &read)) {
        fed_log(plan->log, FED_LOG_ERROR,
            "plan: FederatedTypeConfig " FED_SPAN_FMT " is incomplete and is ignored",
            FED_SPAN_ARG(fed_json_string(fed_json_find(object, "metadata.name"))));
        err = FED_ERR_INVALID;
    }
    fed_json_doc_free(doc);
    if (err)
        return err == FED_ERR_INVALID ? FED_OK : err;
    type = fed_map_get(&plan->types, fed_span_text(read.resource));
    if (!type)
        return plan_type_add(plan, &read);
    read.recorded = type->recorded;
    *type = read;
    mark_type(plan, type);
    plan_round_want(plan);
    return FED_OK;
}

static void type_remove(struct hub_plan *plan, struct fed_span bytes)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct plan_type read;
    struct plan_type *type = NULL;

    if (fed_json_doc_new(plan->mem, &doc))
        return;
    if (!fed_json_parse(doc, bytes, &object, NULL) && type_read(object, &read))
        type = fed_map_get(&plan->types, fed_span_text(read.resource));
    fed_json_doc_free(doc);
    if (!type)
        return;
    type->gone = true;
    mark_type(plan, type);
    plan_round_want(plan);
}

/* ---- changes ---- */

/* Everything in the namespace depends on whether and where it is federated. */
static void mark_namespace(struct hub_plan *plan, struct fed_span ns)
{
    struct fed_map_iter it;

    if (plan->loading) /* where everything is computed anyway */
        return;
    fed_map_iter_init(&it, &plan->items);
    while (fed_map_iter_next(&it)) {
        struct plan_item *item = it.value;

        if (item->type ? fed_span_eq(item->ns, ns) : fed_span_eq(item->name, ns))
            plan_item_mark(plan, item);
    }
}

/* What nobody could look at must not become durable: after a start it would go to all clusters. */
static enum fed_err refuse_untaken(
    struct hub_plan *plan, const struct hub_change *change, enum fed_err err)
{
    char why[400];

    if (plan->taking != HUB_GATE_WRITTEN || !plan->preparing)
        return err;
    snprintf(why, sizeof why,
        "which clusters may have the new " FED_SPAN_FMT "/" FED_SPAN_FMT
        " cannot be said: %s; write it again",
        FED_SPAN_ARG(fed_span_sub(change->ref.ns, 0, 63)),
        FED_SPAN_ARG(fed_span_sub(change->ref.name, 0, 253)), fed_err_text(err));
    hub_objects_refuse(plan->objects, err, why);
    return err;
}

static enum fed_err item_put(
    struct hub_plan *plan, const struct hub_change *change, struct plan_type *type)
{
    struct plan_item *item = plan_item_get(plan, &change->ref);
    bool governed;
    enum fed_err err = plan_gate_taken(plan, type, &change->ref, change->bytes, &governed);

    if (err)
        return refuse_untaken(plan, change, err);
    if (!item)
        err = plan_item_new(plan, &change->ref, type, &item);
    if (err)
        return err;
    item->governed = governed;
    plan_gate_stale(plan, item);
    err = type ? plan_item_parse(plan, item, change->bytes)
               : plan_item_parse_namespace(plan, item, change->bytes);
    if (err)
        return err;
    plan_item_mark(plan, item);
    if (!type || type->is_namespace)
        mark_namespace(plan, item->name);
    return FED_OK;
}

static enum fed_err item_remove(
    struct hub_plan *plan, const struct hub_change *change, const struct plan_type *type)
{
    struct plan_item *item = plan_item_get(plan, &change->ref);
    bool governed;
    enum fed_err err = plan_gate_taken(plan, type, &change->ref, fed_span_text(""), &governed);

    if (!item)
        return err;
    item->gone = true;
    item->governed = false;
    plan_item_mark(plan, item);
    if (!item->type || item->type->is_namespace)
        mark_namespace(plan, item->name);
    return err;
}

/* One that is deleted stays as it is until that is durable: what waits in it, and how much may
 * leave it, is known to nobody else when the disk refuses its deletion. */
static enum fed_err take_cluster(struct hub_plan *plan, const struct hub_change *change)
{
    struct plan_cluster *cluster = plan_cluster_get(plan, change->ref.name);
    enum fed_err err;

    if (change->type == HUB_CHANGE_DELETED && cluster && plan->taking == HUB_GATE_WRITTEN) {
        cluster->leaving = true;
        plan_round_want(plan);
        return FED_OK;
    }
    if (cluster && (change->type == HUB_CHANGE_DELETED || cluster->leaving))
        plan_cluster_remove(plan, cluster); /* or another one of that name */
    if (change->type == HUB_CHANGE_DELETED)
        return FED_OK;
    err = plan_cluster_put(plan, change->ref.name, change->bytes);
    return err ? err : plan_consent_read(plan, change->ref.name, change->bytes);
}

static enum fed_err take(struct hub_plan *plan, const struct hub_change *change)
{
    bool deleted = change->type == HUB_CHANGE_DELETED;
    struct plan_type *type;

    if (fed_span_is(change->ref.resource, HUB_CLUSTERS))
        return take_cluster(plan, change);
    if (hub_kubefed_config_is(&change->ref))
        return settings_take(plan, deleted ? FED_SPAN_LIT("{}") : change->bytes);
    if (fed_span_is(change->ref.resource, PLAN_POLICIES)) {
        if (!deleted)
            return plan_policy_put(plan, change->ref.name, change->bytes);
        plan_policy_remove(plan, change->ref.name);
        return FED_OK;
    }
    if (fed_span_is(change->ref.resource, HUB_TYPE_CONFIGS)) {
        if (!deleted)
            return type_put(plan, change->bytes);
        type_remove(plan, change->bytes);
        return FED_OK;
    }
    if (fed_span_is(change->ref.resource, PLAN_SCALERS))
        return plan_scaler_take(plan, change);
    type = fed_map_get(&plan->types, change->ref.resource);
    if (!type && !fed_span_is(change->ref.resource, NAMESPACES))
        return FED_OK;
    if (!deleted)
        return item_put(plan, change, type);
    return item_remove(plan, change, type);
}

static void take_change(void *ctx, const struct hub_change *change)
{
    struct hub_plan *plan = ctx;
    enum fed_err err = take(plan, change);

    if (err)
        fed_log(plan->log, FED_LOG_ERROR,
            "plan: cannot take in " FED_SPAN_FMT " " FED_SPAN_FMT "/" FED_SPAN_FMT
            ": %s; its clusters keep what they have until its next change",
            FED_SPAN_ARG(change->ref.resource), FED_SPAN_ARG(change->ref.ns),
            FED_SPAN_ARG(change->ref.name), fed_err_text(err));
}

struct taking {
    struct hub_plan *plan;
    uint64_t seen; /* before; the changes of one commit have one revision */
};

static void take_staged(void *ctx, const struct hub_change *change)
{
    struct taking *taking = ctx;

    if (change->revision <= taking->seen)
        return;
    take_change(taking->plan, change);
    taking->plan->seen = change->revision;
}

void plan_take_staged(struct hub_plan *plan)
{
    struct taking taking = {plan, plan->seen};

    hub_objects_each_staged(plan->objects, take_staged, &taking);
}

/* What was taken in is as it was before: read from the store. */
static void take_again(void *ctx, const struct hub_change *undone)
{
    struct hub_plan *plan = ctx;
    struct hub_change change = {
        .type = HUB_CHANGE_MODIFIED, .ref = undone->ref, .revision = plan->seen};
    bool returns =
        undone->type == HUB_CHANGE_DELETED && fed_span_is(undone->ref.resource, HUB_CLUSTERS);
    struct plan_cluster *cluster = returns ? plan_cluster_get(plan, undone->ref.name) : NULL;
    struct fed_buf bytes;
    enum fed_err err;

    returns = returns && !(cluster && cluster->leaving); /* else it never left */
    if (cluster)
        cluster->leaving = false;
    fed_buf_init(&bytes, plan->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_objects_get(plan->objects, &undone->ref, &bytes, NULL);
    change.bytes = fed_buf_span(&bytes);
    if (err == FED_ERR_NOT_FOUND) {
        change.type = HUB_CHANGE_DELETED;
        change.bytes = undone->bytes;
        err = FED_OK;
    }
    if (err)
        fed_log(plan->log, FED_LOG_ERROR,
            "plan: " FED_SPAN_FMT " " FED_SPAN_FMT "/" FED_SPAN_FMT
            " cannot be read again: %s; its clusters keep what they have until its next change",
            FED_SPAN_ARG(undone->ref.resource), FED_SPAN_ARG(undone->ref.ns),
            FED_SPAN_ARG(undone->ref.name), fed_err_text(err));
    else
        take_change(plan, &change);
    cluster = returns ? plan_cluster_get(plan, undone->ref.name) : NULL;
    if (cluster)
        cluster->returned = true;
    fed_buf_fini(&bytes);
}

void plan_take_again(struct hub_plan *plan, const struct hub_object_ref *ref)
{
    struct hub_change change = {.type = HUB_CHANGE_MODIFIED, .ref = *ref, .revision = plan->seen};

    take_again(plan, &change);
}

void plan_undo_staged(struct hub_plan *plan)
{
    plan->seen = hub_objects_revision(plan->objects);
    plan->taking = HUB_GATE_UNDONE;
    hub_objects_each_staged(plan->objects, take_again, plan);
    plan->taking = HUB_GATE_WRITTEN;
}

/* ---- life ---- */

static enum fed_err load(struct hub_plan *plan, struct fed_diag *diag)
{
    static const char *const resources[] = {HUB_KUBEFED_CONFIGS, PLAN_POLICIES, HUB_CLUSTERS,
        NAMESPACES, PLAN_SCALERS, HUB_TYPE_CONFIGS};
    struct fed_map_iter it;
    enum fed_err err;

    plan->loading = true;
    plan->taking = HUB_GATE_LOADED;
    err = plan_types_load(plan); /* first: looking at rows flushes */
    for (size_t i = 0; !err && i < sizeof resources / sizeof resources[0]; i++)
        err = load_resource(plan, resources[i]);
    plan->round_due = false; /* reading rows asks for a round, which knows too little yet */
    if (!err)
        err = plan_knows_load(plan);
    fed_map_iter_init(&it, &plan->types);
    while (!err && fed_map_iter_next(&it))
        err = load_resource(plan, ((const struct plan_type *)it.value)->resource);
    plan->round_due = false;
    if (!err)
        err = plan_waiting_load(plan);
    plan->round_due = false;
    if (!err)
        err = plan_holds_load(plan);
    plan->round_due = false;
    if (!err)
        err = plan_consent_load(plan);
    plan->round_due = true;
    if (!err)
        (void)hub_objects_flush(plan->objects, NULL); /* which asks for the round */
    plan->loading = false;
    plan->taking = HUB_GATE_WRITTEN;
    return err ? fed_diag_prefix(diag, err, "plan: cannot read the objects") : FED_OK;
}

enum fed_err hub_plan_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    struct hub_objects *objects, const struct hub_kinds *kinds, const struct hub_gates *gates,
    struct hub_plan **out, struct fed_diag *diag)
{
    struct hub_plan *plan = fed_alloc_zero(mem, sizeof *plan);
    struct fed_store *store = hub_objects_store(objects);
    enum fed_err err;

    if (!plan)
        return FED_ERR_NOMEM;
    plan->mem = mem;
    plan->loop = loop;
    plan->log = log;
    plan->objects = objects;
    plan->kinds = kinds;
    if (gates)
        plan->gates = *gates;
    plan->settings = hub_kubefed_settings_otherwise();
    fed_consent_limit_default(&plan->consent_limit);
    plan->epoch = store->epoch(store->ctx);
    fed_map_init(&plan->types, mem);
    fed_map_init(&plan->items, mem);
    fed_map_init(&plan->blobs, mem);
    fed_map_init(&plan->scalers, mem);
    fed_arena_init(&plan->out_text, mem, SIZE_MAX / 2);
    plan->seen = hub_objects_revision(objects);
    plan->member = (struct hub_objects_member){
        .ctx = plan, .prepare = plan_round_prepare, .ended = plan_round_ended};
    hub_objects_join(objects, &plan->member);
    plan->policies_stamp = 1;
    err = loop->timer_new(loop->ctx, plan_round_retry, plan, &plan->retry);
    if (!err)
        err = loop->timer_new(loop->ctx, plan_policies_wake, plan, &plan->policy_timer);
    if (!err)
        err = loop->timer_new(loop->ctx, plan_consent_tell, plan, &plan->consent_timer);
    if (!err)
        err = load(plan, diag);
    if (err) {
        hub_plan_close(plan);
        return err;
    }
    *out = plan;
    return FED_OK;
}

static void free_items(struct hub_plan *plan)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &plan->items);
    while (fed_map_iter_next(&it))
        plan_item_free(plan, it.value);
}

void hub_plan_close(struct hub_plan *plan)
{
    struct fed_map_iter it;

    if (!plan)
        return;
    hub_objects_leave(plan->objects, &plan->member);
    plan->loop->timer_free(plan->loop->ctx, plan->retry);
    plan->loop->timer_free(plan->loop->ctx, plan->policy_timer);
    plan->loop->timer_free(plan->loop->ctx, plan->consent_timer);
    free_items(plan);
    plan_policies_fini(plan);
    for (size_t i = 0; i < plan->n_clusters; i++)
        plan_cluster_free(plan, plan->clusters[i]);
    fed_alloc_free(plan->mem, plan->clusters, plan->cap_clusters * sizeof *plan->clusters);
    fed_map_iter_init(&it, &plan->types);
    while (fed_map_iter_next(&it))
        fed_alloc_free(plan->mem, it.value, sizeof(struct plan_type));
    fed_map_fini(&plan->types);
    fed_map_fini(&plan->items);
    fed_map_fini(&plan->blobs);
    plan_scalers_fini(plan);
    for (size_t i = 0; i < 2; i++)
        fed_alloc_free(
            plan->mem, plan->scratch[i], plan->scratch_cap[i] * sizeof *plan->scratch[i]);
    fed_alloc_free(
        plan->mem, plan->out_clusters, plan->out_clusters_cap * sizeof *plan->out_clusters);
    fed_arena_fini(&plan->out_text);
    fed_alloc_free(plan->mem, plan, sizeof *plan);
}

void hub_plan_on_change(struct hub_plan *plan, hub_plan_changed *changed,
    hub_plan_object_changed *object_changed, void *ctx)
{
    plan->changed = changed;
    plan->object_changed = object_changed;
    plan->changed_ctx = ctx;
}

uint32_t hub_plan_epoch(const struct hub_plan *plan)
{
    return plan->epoch;
}
