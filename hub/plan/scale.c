/* scale.c - which federated objects have their replicas spread by a ReplicaSchedulingPreference:
 * their works ask the agents to report how the pods fare (FED_WORK_SCALE). */
#include "hub/plan/internal.h"

#include <stdio.h>
#include <string.h>

/* A preference is for the object of its own namespace and name, of the kind that it says. */
struct plan_scaler {
    char target_kind[64];
};

static enum fed_err key_of(struct fed_span ns, struct fed_span name, char key[512], size_t *len)
{
    int n =
        snprintf(key, 512, FED_SPAN_FMT "%c" FED_SPAN_FMT, FED_SPAN_ARG(ns), 0, FED_SPAN_ARG(name));

    *len = n > 0 ? (size_t)n : 0;
    return n > 0 && n < 512 ? FED_OK : FED_ERR_LIMIT;
}

static struct plan_scaler *scaler_of(
    const struct hub_plan *plan, struct fed_span ns, struct fed_span name)
{
    char key[512];
    size_t len;

    return key_of(ns, name, key, &len) ? NULL : fed_map_get(&plan->scalers, fed_span_of(key, len));
}

bool plan_is_scaled(const struct hub_plan *plan, const struct plan_item *item)
{
    const struct plan_scaler *scaler =
        item->type && plan->settings.scheduler && plan->scalers.count > 0
            ? scaler_of(plan, item->ns, item->name)
            : NULL;

    return scaler && strcmp(scaler->target_kind, item->type->federated_kind) == 0;
}

/* ---- changes ---- */

static struct plan_type *type_of(const struct hub_plan *plan, const char *federated_kind)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &plan->types);
    while (fed_map_iter_next(&it)) {
        struct plan_type *type = it.value;

        if (!type->gone && strcmp(type->federated_kind, federated_kind) == 0)
            return type;
    }
    return NULL;
}

/* Its works are made anew. */
static void reread(
    struct hub_plan *plan, const char *kind, struct fed_span ns, struct fed_span name)
{
    const struct plan_type *type = type_of(plan, kind);
    struct hub_object_ref ref = {.ns = ns, .name = name};

    if (!type)
        return;
    ref.resource = fed_span_text(type->resource);
    if (plan_item_get(plan, &ref))
        plan_take_again(plan, &ref);
}

static void read_kind(struct hub_plan *plan, struct fed_span bytes, char out[64])
{
    struct fed_json_doc *doc;
    struct fed_json *object;

    out[0] = '\0';
    if (fed_json_doc_new(plan->mem, &doc))
        return;
    if (!fed_json_parse(doc, bytes, &object, NULL) &&
        !fed_json_is_string(fed_json_find(object, "metadata.deletionTimestamp")) &&
        fed_span_to_cstr(fed_json_string(fed_json_find(object, "spec.targetKind")), out, 64))
        out[0] = '\0';
    fed_json_doc_free(doc);
}

static enum fed_err put(struct hub_plan *plan, struct fed_span key, const char *kind)
{
    struct plan_scaler *scaler = fed_map_get(&plan->scalers, key);
    enum fed_err err;

    if (scaler) {
        memcpy(scaler->target_kind, kind, sizeof scaler->target_kind);
        return FED_OK;
    }
    scaler = fed_alloc_get(plan->mem, sizeof *scaler);
    if (!scaler)
        return FED_ERR_NOMEM;
    memcpy(scaler->target_kind, kind, sizeof scaler->target_kind);
    err = fed_map_put(&plan->scalers, key, scaler);
    if (err)
        fed_alloc_free(plan->mem, scaler, sizeof *scaler);
    return err;
}

enum fed_err plan_scaler_take(struct hub_plan *plan, const struct hub_change *change)
{
    struct plan_scaler *scaler = scaler_of(plan, change->ref.ns, change->ref.name);
    struct plan_scaler former = {""};
    char kind[64] = "";
    char key[512];
    size_t len;
    enum fed_err err = key_of(change->ref.ns, change->ref.name, key, &len);

    if (err)
        return err;
    if (scaler)
        former = *scaler;
    if (change->type != HUB_CHANGE_DELETED)
        read_kind(plan, change->bytes, kind);
    if (strcmp(kind, former.target_kind) == 0)
        return FED_OK;
    if (kind[0])
        err = put(plan, fed_span_of(key, len), kind);
    else
        fed_alloc_free(
            plan->mem, fed_map_remove(&plan->scalers, fed_span_of(key, len)), sizeof *scaler);
    if (!err && !plan->loading) {
        reread(plan, former.target_kind, change->ref.ns, change->ref.name);
        reread(plan, kind, change->ref.ns, change->ref.name);
    }
    return err;
}

void plan_scalers_fini(struct hub_plan *plan)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &plan->scalers);
    while (fed_map_iter_next(&it))
        fed_alloc_free(plan->mem, it.value, sizeof(struct plan_scaler));
    fed_map_fini(&plan->scalers);
}

/* ---- questions ---- */

enum fed_err hub_plan_scaled_type(
    struct hub_plan *plan, struct fed_span federated_kind, struct hub_scaled_type *out)
{
    char kind[64];
    const struct plan_type *type =
        fed_span_to_cstr(federated_kind, kind, sizeof kind) ? NULL : type_of(plan, kind);

    if (!type || !kind[0])
        return FED_ERR_NOT_FOUND;
    *out = (struct hub_scaled_type){.resource = type->resource,
        .target_api_version = type->target_api_version,
        .target_kind = type->target_kind,
        .namespaced = type->namespaced && !type->is_namespace,
        .enabled = type->enabled};
    return FED_OK;
}

bool hub_plan_namespace_in(struct hub_plan *plan, struct fed_span ns, struct fed_span name)
{
    const struct plan_cluster *cluster = plan_cluster_get(plan, name);

    if (!cluster)
        return false;
    if (!plan_namespace_item(plan, ns) && !plan_namespace_labelled(plan, ns))
        return true;
    return plan_namespace_places(plan, ns, cluster);
}
