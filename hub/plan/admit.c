/* admit.c - what the plan has to say when a federated object is written. */
#include "hub/kubefed/warn.h"
#include "hub/plan/policy.h"
#include "proto/object/fields.h"

#include <stdio.h>
#include <string.h>

static enum fed_err ensure_finalizer(struct hub_admission *admission)
{
    struct fed_json *metadata =
        fed_json_ensure_object(admission->doc, admission->object, "metadata");
    struct fed_json *finalizers = fed_json_get(metadata, "finalizers");

    if (!metadata)
        return FED_ERR_NOMEM;
    if (plan_has_finalizer(admission->object))
        return FED_OK;
    if (!fed_json_is_array(finalizers)) {
        finalizers = fed_json_new_array(admission->doc);
        if (fed_json_set(admission->doc, metadata, "finalizers", finalizers))
            return FED_ERR_NOMEM;
    }
    return fed_json_append(finalizers, fed_json_new_text(admission->doc, PLAN_FINALIZER));
}

/* ---- what of the status is to be reported ---- */

#define POINTER "/metadata/annotations/fedlet.io~1status-fields"

/* The agent would fail the work for it; here the writer sees it. where: the field's path. */
static enum fed_err check_fields(struct hub_admission *admission, const struct fed_json *value,
    const char *where, struct fed_diag *diag)
{
    struct fed_fields fields;
    enum fed_err err = value ? fed_fields_parse(fed_json_string(value), &fields, diag) : FED_OK;

    if (!err)
        return FED_OK;
    snprintf(admission->field, sizeof admission->field, "%s", where);
    return fed_diag_prefix(diag, FED_ERR_INVALID, "Invalid value");
}

static enum fed_err check_operations(struct hub_admission *admission,
    const struct fed_json *operations, size_t entry, struct fed_diag *diag)
{
    struct fed_json_iter it = fed_json_items(operations);
    enum fed_err err = FED_OK;

    while (!err && fed_json_iter_next(&it)) {
        struct fed_span path = fed_json_string(fed_json_get(it.value, "path"));
        const struct fed_json *value = fed_json_get(it.value, "value");
        char where[128];

        if (fed_span_is(path, "/metadata/annotations"))
            value = fed_json_get(value, FED_FIELDS_STATUS_ANNOTATION);
        else if (!fed_span_is(path, POINTER))
            continue;
        snprintf(where, sizeof where, "spec.overrides[%zu].clusterOverrides[%zu].value", entry,
            it.index);
        err = check_fields(admission, value, where, diag);
    }
    return err;
}

static enum fed_err admit_fields(struct hub_admission *admission, struct fed_diag *diag)
{
    struct fed_json_iter it = fed_json_items(fed_json_find(admission->object, "spec.overrides"));
    const struct fed_json *annotations =
        fed_json_find(admission->object, "spec.template.metadata.annotations");
    enum fed_err err =
        check_fields(admission, fed_json_get(annotations, FED_FIELDS_STATUS_ANNOTATION),
            "spec.template.metadata.annotations[" FED_FIELDS_STATUS_ANNOTATION "]", diag);

    while (!err && fed_json_iter_next(&it))
        err =
            check_operations(admission, fed_json_get(it.value, "clusterOverrides"), it.index, diag);
    return err;
}

/* ---- the object ---- */

static bool has_cluster(void *plan, struct fed_span name)
{
    return plan_cluster_get(plan, name) != NULL;
}

static bool is_federated(void *plan, struct fed_span ns)
{
    return plan_namespace_item(plan, ns) || plan_namespace_labelled(plan, ns);
}

static bool is_labelled(void *plan, struct fed_span ns)
{
    return plan_namespace_labelled(plan, ns);
}

static void pass_warning(void *admission, const char *text)
{
    struct hub_admission *a = admission;

    a->warn(a, text);
}

enum fed_err hub_plan_admit(
    struct hub_plan *plan, struct hub_admission *admission, struct fed_diag *diag)
{
    const struct plan_type *type =
        fed_map_get(&plan->types, fed_span_text(admission->kind->resource));
    struct hub_kubefed_around around = {.ctx = plan,
        .has_cluster = has_cluster,
        .is_federated = is_federated,
        .is_labelled = is_labelled,
        .namespaced = type && type->target_namespaced,
        .is_namespace = type && type->is_namespace,
        .warn = pass_warning,
        .warn_ctx = admission};

    enum fed_err err;

    if (admission->operation == HUB_DELETE || admission->subresource.len)
        return FED_OK;
    err = plan_overrides_admit(plan, admission, diag);
    if (!err)
        err = admit_fields(admission, diag);
    if (!err)
        err = plan_policy_admit_object(plan, admission, diag);
    if (err)
        return err;
    if (fed_json_find(admission->object, "metadata.deletionTimestamp"))
        return FED_OK;
    if (type)
        hub_kubefed_warn(admission->doc, admission->object, &around);
    return ensure_finalizer(admission);
}
