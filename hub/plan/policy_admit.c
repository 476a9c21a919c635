/* policy_admit.c - what PlacementPolicies refuse when it is written, and their own admission and
 * status. */
#include "hub/plan/policy.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

/* ---- federated objects ---- */

struct writing {
    struct hub_plan *plan;
    struct hub_admission *admission;
    struct plan_target target;
    bool placement_changed;
    struct fed_diag *diag;
};

static bool differs(const struct hub_admission *admission, const char *path)
{
    const struct fed_json *now = fed_json_find(admission->object, path);
    const struct fed_json *before = fed_json_find(admission->before, path);

    return now && before ? !fed_json_eq(now, before) : now != before;
}

static bool was_named(const struct hub_admission *admission, struct fed_span cluster)
{
    struct fed_json_iter it =
        fed_json_each(fed_json_find(admission->before, "spec.placement.clusters"));

    while (fed_json_iter_next(&it))
        if (fed_span_eq(fed_json_string(fed_json_get(it.value, "name")), cluster))
            return true;
    return false;
}

static enum fed_err refuse(const struct writing *w, const struct plan_policy *policy,
    const char *cluster, const char *where)
{
    return fed_diag_set(w->diag, FED_ERR_FORBIDDEN,
        "%s \"" FED_SPAN_FMT
        "\" is forbidden: PlacementPolicy \"%s\" %s cluster \"%s\" for it%s: %s",
        w->admission->kind->resource,
        FED_SPAN_ARG(fed_json_string(fed_json_find(w->admission->object, "metadata.name"))),
        policy->name, policy->rules.deny ? "denies" : "does not allow", cluster,
        plan_policy_has_subjects(policy) ? " and whoever writes it" : "", where);
}

/* A cluster that is asked for by name now, or was before by somebody who might. */
static enum fed_err check_name(const struct writing *w, struct fed_span name, size_t index)
{
    const struct plan_cluster *cluster = plan_cluster_get(w->plan, name);
    const struct plan_policy *policy;
    char where[64];

    if (!cluster)
        return FED_OK; /* of which the writer is warned */
    policy = plan_policy_forbids_target(w->plan, &w->target, cluster->name, cluster->labels);
    if (!policy)
        return FED_OK;
    snprintf(where, sizeof where, "spec.placement.clusters[%zu].name", index);
    if (!plan_policy_has_subjects(policy) && was_named(w->admission, name)) {
        char text[500];

        snprintf(text, sizeof text, "%s: %s; it is left out", where, policy->forbids);
        w->admission->warn(w->admission, text);
        return FED_OK;
    }
    return refuse(w, policy, cluster->name, where);
}

/* Whoever may not use a cluster does not change what runs there either. */
static enum fed_err check_copies(const struct writing *w, const struct plan_item *item)
{
    for (size_t i = 0; item && i < item->n_pairs; i++) {
        const struct plan_cluster *cluster = item->pairs[i].cluster;
        const struct plan_policy *policy;

        if (item->pairs[i].state != PLAN_PAIR_PRESENT)
            continue;
        policy = plan_policy_forbids_target(w->plan, &w->target, cluster->name, cluster->labels);
        if (policy && plan_policy_has_subjects(policy))
            return refuse(w, policy, cluster->name, "the object is in that cluster");
    }
    return FED_OK;
}

/* Notes the policies by which the writer of the placement is bound; nobody else writes the note. */
static enum fed_err put_note(const struct writing *w, struct fed_span note)
{
    struct fed_json *object = w->admission->object;
    struct fed_json *metadata = fed_json_ensure_object(w->admission->doc, object, "metadata");
    struct fed_json *annotations = fed_json_get(metadata, "annotations");

    if (note.len == 0) {
        fed_json_remove(annotations, PLAN_BOUND_ANNOTATION);
        if (annotations && fed_json_count(annotations) == 0)
            fed_json_remove(metadata, "annotations");
        return FED_OK;
    }
    annotations = fed_json_ensure_object(w->admission->doc, metadata, "annotations");
    return fed_json_set_string(w->admission->doc, annotations, PLAN_BOUND_ANNOTATION, note);
}

static enum fed_err note_writer(const struct writing *w)
{
    struct fed_buf note;
    enum fed_err err;

    fed_buf_init(&note, w->plan->mem, 1u << 20);
    for (size_t i = 0; i < w->plan->n_policies; i++) {
        const struct plan_policy *policy = w->plan->policies[i];

        if (!plan_policy_has_subjects(policy) || !plan_policy_applies(policy, &w->target))
            continue;
        if (note.len)
            fed_buf_put_u8(&note, ',');
        fed_buf_put_text(&note, policy->name);
    }
    err = fed_buf_err(&note);
    if (!err)
        err = put_note(w, fed_buf_span(&note));
    fed_buf_fini(&note);
    return err;
}

static struct fed_span note_of(const struct fed_json *object)
{
    return fed_json_string(
        fed_json_get(fed_json_find(object, "metadata.annotations"), PLAN_BOUND_ANNOTATION));
}

static enum fed_err check_write(const struct writing *w, const struct plan_item *item)
{
    struct fed_json_iter it =
        fed_json_each(fed_json_find(w->admission->object, "spec.placement.clusters"));
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && fed_json_iter_next(&it); i++)
        err = check_name(w, fed_json_string(fed_json_get(it.value, "name")), i);
    return err ? err : check_copies(w, item);
}

enum fed_err plan_policy_admit_object(
    struct hub_plan *plan, struct hub_admission *admission, struct fed_diag *diag)
{
    const struct plan_type *type =
        fed_map_get(&plan->types, fed_span_text(admission->kind->resource));
    struct plan_item item = {.type = (struct plan_type *)(uintptr_t)type,
        .ns = fed_json_string(fed_json_find(admission->object, "metadata.namespace")),
        .name = fed_json_string(fed_json_find(admission->object, "metadata.name"))};
    struct hub_object_ref ref = {fed_span_text(admission->kind->resource), item.ns, item.name};
    struct writing w = {.plan = plan, .admission = admission, .diag = diag};
    enum fed_err err = FED_OK;

    if (!type)
        return FED_OK;
    w.target = plan_policy_target(plan, &item);
    w.target.who = admission->who;
    if (!admission->who)
        return FED_OK;
    if (!admission->before || differs(admission, "spec"))
        err = check_write(&w, admission->before ? plan_item_get(plan, &ref) : NULL);
    if (err)
        return err;
    if (!admission->before || differs(admission, "spec.placement"))
        return note_writer(&w);
    return put_note(&w, note_of(admission->before));
}

/* ---- PlacementPolicies ---- */

static enum fed_err admit_policy(void *ctx, struct hub_admission *admission, struct fed_diag *diag)
{
    struct hub_plan *plan = ctx;
    struct plan_policy_rules rules;
    enum fed_err err;

    if (admission->operation == HUB_DELETE)
        return FED_OK;
    fed_json_remove(admission->object, "status"); /* is composed */
    if (admission->subresource.len)
        return FED_OK;
    if (admission->operation == HUB_CREATE && plan->n_policies >= PLAN_POLICIES_MAX)
        return fed_diag_set(diag, FED_ERR_FORBIDDEN,
            "%s is forbidden: there are %u of them, which is the most", admission->kind->resource,
            PLAN_POLICIES_MAX);
    err = plan_policy_rules_read(plan->mem, admission->object, &rules, admission->field, diag);
    if (!err)
        plan_policy_rules_fini(&rules);
    return err;
}

static enum fed_err put_condition(
    struct fed_json_doc *doc, struct fed_json *status, const struct plan_policy *policy)
{
    struct fed_json *list = fed_json_new_array(doc);
    struct fed_json *one = fed_json_new_object(doc);
    enum fed_err err = fed_json_set(doc, status, "conditions", list);

    if (!err)
        err = fed_json_append(list, one);
    if (!err)
        err = fed_json_set_text(doc, one, "type", "Accepted");
    if (!err)
        err = fed_json_set_text(doc, one, "status", policy->invalid ? "False" : "True");
    if (!err)
        err = fed_json_set_text(doc, one, "reason", policy->invalid ? "Invalid" : "InForce");
    if (!err && policy->invalid)
        err = fed_json_set_text(doc, one, "message", policy->message);
    return err;
}

static enum fed_err put_progress(struct hub_plan *plan, struct fed_json_doc *doc,
    struct fed_json *status, const struct plan_policy *policy)
{
    uint64_t now = fed_loop_now_ms(plan->loop);
    char text[FED_TEXT_TIME_SIZE];
    uint64_t limit = plan_policy_limit(policy);
    bool runs = policy->period_end_ms > now;
    enum fed_err err = fed_json_set_int(doc, status, "pendingRemovals", (int64_t)policy->pending);

    if (!err)
        err = fed_json_set_int(doc, status, "removalsThisPeriod", runs ? (int64_t)policy->used : 0);
    if (err || policy->pending == 0 || !runs || limit == 0)
        return err;
    fed_text_time(
        fed_loop_unix_s(plan->loop) + (int64_t)((policy->period_end_ms - now + 999) / 1000), text);
    return fed_json_set_text(doc, status, "nextRemovalTime", text);
}

static enum fed_err compose_policy(void *ctx, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json *object, uint64_t *revision)
{
    struct hub_plan *plan = ctx;
    const struct plan_policy *policy = plan_policy_find(plan, ref->name);
    struct fed_json *status;
    enum fed_err err;

    if (!policy || policy->gone)
        return FED_OK;
    status = fed_json_new_object(doc);
    err = fed_json_set(doc, object, "status", status);
    if (!err)
        err = fed_json_set_int(doc, status, "observedGeneration", policy->generation);
    if (!err)
        err = put_condition(doc, status, policy);
    if (!err)
        err = put_progress(plan, doc, status, policy);
    if (!err && policy->told_revision > *revision)
        *revision = policy->told_revision;
    return err;
}

void hub_plan_policy_hooks(struct hub_plan *plan, struct hub_kind_hooks *hooks)
{
    *hooks = (struct hub_kind_hooks){.ctx = plan, .admit = admit_policy, .compose = compose_policy};
}
