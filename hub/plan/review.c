/* review.c - see review.h. */
#include "hub/plan/review.h"

#include "hub/access/rule.h"
#include "hub/plan/policy.h"

#include <stdio.h>
#include <string.h>

struct review {
    struct hub_plan *plan;
    struct hub_admission *admission;
    struct fed_json_doc *doc;
    struct hub_preview_change *changes;
    struct fed_buf *texts; /* of changes */
    size_t n;
    struct fed_span *names; /* of clusters */
    size_t n_names;
    struct hub_preview_policy *policies;
    size_t n_policies;
    struct fed_json *objects; /* of the answer */
    int64_t totals[HUB_PREVIEW_ACTIONS];
    int64_t bytes;
    int64_t hidden;
    size_t n_rows;
    bool rows_cut;
};

/* ---- the question ---- */
static void split_version(struct fed_span api_version, struct fed_span *group)
{
    size_t slash = fed_span_find(api_version, '/');

    *group = slash < api_version.len ? fed_span_sub(api_version, 0, slash) : (struct fed_span){0};
}

static enum fed_err refuse_user(
    struct review *v, const struct hub_access *access, struct fed_diag *diag)
{
    return fed_diag_set(diag, FED_ERR_FORBIDDEN,
        "user \"" FED_SPAN_FMT "\" cannot " FED_SPAN_FMT " " FED_SPAN_FMT "%s" FED_SPAN_FMT
        " \"" FED_SPAN_FMT "\"%s" FED_SPAN_FMT ", so that this may not be previewed",
        FED_SPAN_ARG(v->admission->user), FED_SPAN_ARG(access->verb),
        FED_SPAN_ARG(access->resource), access->group.len ? "." : "", FED_SPAN_ARG(access->group),
        FED_SPAN_ARG(access->name), access->ns.len ? " in namespace " : "",
        FED_SPAN_ARG(access->ns));
}

static bool may(struct review *v, const struct hub_kind *kind, const struct hub_object_ref *ref,
    const char *verb, struct hub_access *out)
{
    *out = (struct hub_access){.verb = fed_span_text(verb),
        .group = fed_span_text(kind->group),
        .resource = fed_span_text(kind->plural),
        .ns = ref->ns,
        .name = ref->name};
    /* A namespace is in itself. */
    if (!kind->group[0] && strcmp(kind->plural, "namespaces") == 0)
        out->ns = ref->name;
    return v->admission->allows(v->admission, out);
}

static const struct hub_kind *kind_of(struct review *v, const struct fed_json *object)
{
    struct fed_span group;

    split_version(fed_json_string(fed_json_get(object, "apiVersion")), &group);
    return hub_kinds_by_kind(v->plan->kinds, group, fed_json_string(fed_json_get(object, "kind")));
}

/* metadata holds name and namespace; of a reference that is the reference itself. */
static enum fed_err take_ref(struct review *v, const struct fed_json *object,
    const struct fed_json *metadata, const struct hub_kind **kind, struct hub_object_ref *ref,
    struct fed_diag *diag)
{
    *kind = kind_of(v, object);
    ref->name = fed_json_string(fed_json_get(metadata, "name"));
    ref->ns = fed_json_string(fed_json_get(metadata, "namespace"));
    if (!*kind)
        return fed_diag_set(diag, FED_ERR_INVALID,
            "no kind \"" FED_SPAN_FMT "\" in \"" FED_SPAN_FMT "\"",
            FED_SPAN_ARG(fed_json_string(fed_json_get(object, "kind"))),
            FED_SPAN_ARG(fed_json_string(fed_json_get(object, "apiVersion"))));
    ref->resource = fed_span_text((*kind)->resource);
    if (ref->name.len == 0 || (*kind)->namespaced != (ref->ns.len > 0))
        return fed_diag_set(diag, FED_ERR_INVALID, "%s: it needs a name%s", (*kind)->kind,
            (*kind)->namespaced ? " and a namespace" : ", and no namespace");
    return FED_OK;
}

static bool is_stored(struct review *v, const struct hub_object_ref *ref)
{
    const struct plan_item *item = plan_item_get(v->plan, ref);

    return item && !item->gone;
}

static enum fed_err take_object(
    struct review *v, const struct fed_json *object, struct fed_diag *diag)
{
    struct hub_preview_change *change = &v->changes[v->n];
    struct fed_buf *text = &v->texts[v->n];
    const struct hub_kind *kind;
    struct hub_access access;
    enum fed_err err =
        take_ref(v, object, fed_json_get(object, "metadata"), &kind, &change->ref, diag);

    if (err)
        return err;
    if (!may(v, kind, &change->ref, is_stored(v, &change->ref) ? "update" : "create", &access))
        return refuse_user(v, &access, diag);
    fed_buf_init(text, v->plan->mem, HUB_OBJECT_BYTES_MAX);
    v->n++;
    err = fed_json_put(text, object);
    change->bytes = fed_buf_span(text);
    return err;
}

static enum fed_err take_reference(
    struct review *v, const struct fed_json *reference, struct fed_diag *diag)
{
    struct hub_preview_change *change = &v->changes[v->n];
    const struct hub_kind *kind;
    struct hub_access access;
    enum fed_err err = take_ref(v, reference, reference, &kind, &change->ref, diag);

    if (err)
        return err;
    if (!may(v, kind, &change->ref, "get", &access))
        return refuse_user(v, &access, diag);
    v->n++;
    return FED_OK;
}

static enum fed_err take_all(struct review *v, const struct fed_json *list, const char *field,
    enum fed_err (*take)(struct review *, const struct fed_json *, struct fed_diag *),
    struct fed_diag *diag)
{
    enum fed_err err = FED_OK;

    for (struct fed_json_iter it = fed_json_items(list); !err && fed_json_iter_next(&it);) {
        err = take(v, it.value, diag);
        if (err == FED_ERR_INVALID)
            snprintf(
                v->admission->field, sizeof v->admission->field, "spec.%s[%zu]", field, it.index);
    }
    return err;
}

/* ---- the question: clusters and policies ---- */
static enum fed_err may_on_cluster(
    struct review *v, const struct hub_kind *kind, const char *verb, struct fed_diag *diag)
{
    struct hub_object_ref ref = {.ns = FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE)};
    struct hub_access access;

    if (may(v, kind, &ref, verb, &access)) /* each of them */
        return FED_OK;
    for (size_t i = 0; i < v->n_names; i++) {
        ref.name = v->names[i];
        if (!may(v, kind, &ref, verb, &access))
            return refuse_user(v, &access, diag);
    }
    return v->n_names > 0 ? FED_OK : refuse_user(v, &access, diag);
}

static enum fed_err take_clusters(struct review *v, const struct fed_json *from,
    struct hub_preview_clusters *out, struct fed_diag *diag)
{
    const struct hub_kind *kind = hub_kinds_find(
        v->plan->kinds, fed_span_text("core.kubefed.io"), fed_span_text("kubefedclusters"));

    if (!from)
        return FED_OK;
    for (struct fed_json_iter it = fed_json_items(fed_json_get(from, "names"));
         fed_json_iter_next(&it);)
        v->names[v->n_names++] = fed_json_string(it.value);
    out->names = v->names;
    out->n_names = v->n_names;
    out->labels = fed_json_get(from, "labels");
    out->deleted = fed_json_bool(fed_json_get(from, "deleted"), false);
    if (!kind || (v->n_names == 0 && (out->labels || out->deleted))) {
        snprintf(v->admission->field, sizeof v->admission->field, "spec.clusters.names");
        return fed_diag_set(diag, FED_ERR_INVALID, "whose labels, or who is deleted?");
    }
    return may_on_cluster(v, kind, out->deleted ? "delete" : out->labels ? "patch" : "list", diag);
}

static enum fed_err may_on_policy(
    struct review *v, struct fed_span name, bool deleted, struct fed_diag *diag)
{
    const struct hub_kind *kind = hub_kinds_find(
        v->plan->kinds, fed_span_text("fedlet.io"), fed_span_text("placementpolicies"));
    struct hub_object_ref ref = {.name = name};
    const struct plan_policy *now = plan_policy_find(v->plan, name);
    const char *verb = deleted ? "delete" : now && !now->gone ? "update" : "create";
    struct hub_access access;

    if (!kind || name.len == 0)
        return fed_diag_set(diag, FED_ERR_INVALID, "it needs a name");
    if (!may(v, kind, &ref, verb, &access))
        return refuse_user(v, &access, diag);
    if (deleted && (!now || now->gone))
        return fed_diag_set(diag, FED_ERR_NOT_FOUND,
            "PlacementPolicy \"" FED_SPAN_FMT "\" not found", FED_SPAN_ARG(name));
    return FED_OK;
}

static enum fed_err take_policy(
    struct review *v, const struct fed_json *object, struct fed_diag *diag)
{
    struct fed_span name = fed_json_string(fed_json_find(object, "metadata.name"));
    enum fed_err err = may_on_policy(v, name, false, diag);

    if (!err)
        v->policies[v->n_policies++] = (struct hub_preview_policy){name, object};
    return err;
}

static enum fed_err take_former_policy(
    struct review *v, const struct fed_json *from, struct fed_diag *diag)
{
    struct fed_span name = fed_json_string(from);
    enum fed_err err = may_on_policy(v, name, true, diag);

    if (!err)
        v->policies[v->n_policies++] = (struct hub_preview_policy){name, NULL};
    return err;
}

/* ---- the answer ---- */
static enum fed_err set_text_unless_empty(
    struct review *v, struct fed_json *to, const char *key, const char *text)
{
    return text[0] ? fed_json_set_text(v->doc, to, key, text) : FED_OK;
}

static enum fed_err put_row(
    struct review *v, struct fed_json *list, const struct hub_preview_cluster *row)
{
    struct fed_json *to = fed_json_new_object(v->doc);
    enum fed_err err = fed_json_append(list, to);

    if (!err)
        err = fed_json_set_string(v->doc, to, "name", row->cluster);
    if (!err)
        err = fed_json_set_text(v->doc, to, "action", hub_preview_action_name(row->action));
    if (!err)
        err = set_text_unless_empty(v, to, "reason", row->reason);
    if (!err)
        err = set_text_unless_empty(v, to, "message", row->message);
    if (!err && row->bytes > 0)
        err = fed_json_set_int(v->doc, to, "bytes", (int64_t)row->bytes);
    if (!err && row->variant != SIZE_MAX)
        err = fed_json_set_int(v->doc, to, "variant", (int64_t)row->variant);
    return err;
}

static enum fed_err put_rows(
    struct review *v, struct fed_json *to, const struct hub_preview_object *object)
{
    struct fed_json *list = fed_json_new_array(v->doc);
    enum fed_err err = fed_json_set(v->doc, to, "clusters", list);

    for (size_t i = 0; !err && i < object->n_clusters; i++) {
        const struct hub_preview_cluster *row = &object->clusters[i];

        v->totals[row->action]++;
        v->bytes += (int64_t)row->bytes;
        if (v->n_rows++ < HUB_REVIEW_ROWS_MAX)
            err = put_row(v, list, row);
        else
            v->rows_cut = true;
    }
    return err;
}

static enum fed_err put_variants(
    struct review *v, struct fed_json *to, const struct hub_preview_object *object)
{
    struct fed_json *list = fed_json_new_array(v->doc);
    enum fed_err err = fed_json_set(v->doc, to, "variants", list);

    for (size_t i = 0; !err && i < object->n_variants; i++) {
        struct fed_json *variant;

        err = fed_json_parse(v->doc, object->variants[i], &variant, NULL);
        if (!err)
            err = fed_json_append(list, variant);
    }
    return err || !object->variants_cut ? err : fed_json_set_bool(v->doc, to, "variantsCut", true);
}

static enum fed_err put_identity(struct review *v, struct fed_json *to, const struct hub_kind *kind,
    const struct hub_preview_object *object)
{
    char api_version[400];
    enum fed_err err;

    snprintf(api_version, sizeof api_version, "%s%s%s", kind->group, kind->group[0] ? "/" : "",
        kind->versions[0].name);
    err = fed_json_set_text(v->doc, to, "apiVersion", api_version);
    if (!err)
        err = fed_json_set_text(v->doc, to, "kind", kind->kind);
    if (!err && object->ref.ns.len > 0)
        err = fed_json_set_string(v->doc, to, "namespace", object->ref.ns);
    return err ? err : fed_json_set_string(v->doc, to, "name", object->ref.name);
}

static enum fed_err put_rollout(
    struct review *v, struct fed_json *object, const struct hub_gate_outlook *rollout)
{
    struct fed_json *to = fed_json_ensure_object(v->doc, object, "rollout");
    enum fed_err err =
        to ? fed_json_set_bool(v->doc, to, "begins", rollout->begins) : FED_ERR_NOMEM;

    if (!err)
        err = set_text_unless_empty(v, to, "policy", rollout->policy);
    return err ? err : set_text_unless_empty(v, to, "message", rollout->message);
}

static enum fed_err put_object(
    struct review *v, const struct hub_kind *kind, const struct hub_preview_object *object)
{
    struct fed_json *to = fed_json_new_object(v->doc);
    enum fed_err err = fed_json_append(v->objects, to);

    if (!err)
        err = put_identity(v, to, kind, object);
    if (!err)
        err = fed_json_set_bool(v->doc, to, "asked", object->asked);
    if (!err)
        err = fed_json_set_bool(v->doc, to, "stored", object->stored);
    if (!err && object->frozen)
        err = fed_json_set_bool(v->doc, to, "frozen", true);
    if (!err)
        err = set_text_unless_empty(v, to, "reason", object->reason);
    if (!err)
        err = set_text_unless_empty(v, to, "message", object->message);
    if (!err && object->rollout)
        err = put_rollout(v, to, object->rollout);
    if (!err)
        err = put_rows(v, to, object);
    return err || object->n_variants == 0 ? err : put_variants(v, to, object);
}

static const struct hub_kind *kind_of_resource(struct review *v, struct fed_span resource)
{
    size_t dot = fed_span_find(resource, '.');

    return hub_kinds_find(v->plan->kinds,
        dot < resource.len ? fed_span_sub(resource, dot + 1, resource.len) : (struct fed_span){0},
        fed_span_sub(resource, 0, dot));
}

static enum fed_err told(void *ctx, const struct hub_preview_object *object)
{
    struct review *v = ctx;
    const struct hub_kind *kind = kind_of_resource(v, object->ref.resource);
    struct hub_access access;

    if (!kind || (!object->asked && !may(v, kind, &object->ref, "get", &access))) {
        v->hidden++;
        return FED_OK;
    }
    return put_object(v, kind, object);
}

static enum fed_err put_totals(struct review *v, struct fed_json *status)
{
    struct fed_json *totals = fed_json_ensure_object(v->doc, status, "totals");
    enum fed_err err = totals ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < HUB_PREVIEW_ACTIONS; i++)
        err = fed_json_set_int(
            v->doc, totals, hub_preview_action_name((enum hub_preview_action)i), v->totals[i]);
    if (!err)
        err = fed_json_set_int(v->doc, totals, "bytes", v->bytes);
    if (!err && v->hidden > 0)
        err = fed_json_set_int(v->doc, status, "hidden", v->hidden);
    return err || !v->rows_cut ? err : fed_json_set_bool(v->doc, status, "rowsCut", true);
}

static enum fed_err answer(struct review *v, const struct fed_json *spec, struct fed_diag *diag)
{
    struct fed_json *status = fed_json_new_object(v->doc);
    struct hub_preview_ask ask = {.changes = v->changes,
        .n_changes = v->n,
        .policies = v->policies,
        .n_policies = v->n_policies,
        .cluster = fed_json_string(fed_json_get(spec, "cluster")),
        .render = fed_json_bool(fed_json_get(spec, "render"), false),
        .told = told,
        .ctx = v};
    enum fed_err err;

    v->objects = fed_json_new_array(v->doc);
    v->admission->answer = fed_json_new_object(v->doc);
    err = fed_json_set(v->doc, v->admission->answer, "status", status);
    if (!err)
        err = fed_json_set(v->doc, status, "objects", v->objects);
    if (!err && ask.cluster.len > 0 && !plan_cluster_get(v->plan, ask.cluster)) {
        snprintf(v->admission->field, sizeof v->admission->field, "spec.cluster");
        return fed_diag_set(diag, FED_ERR_INVALID, "no cluster \"" FED_SPAN_FMT "\" is registered",
            FED_SPAN_ARG(ask.cluster));
    }
    if (!err)
        err = take_clusters(v, fed_json_get(spec, "clusters"), &ask.clusters, diag);
    if (!err)
        err = hub_plan_preview(v->plan, &ask, diag);
    return err ? err : put_totals(v, status);
}

static enum fed_err make_room(struct review *v, size_t objects, size_t names, size_t policies)
{
    struct fed_alloc *mem = v->plan->mem;

    v->changes = fed_alloc_array(mem, objects, sizeof *v->changes);
    v->texts = fed_alloc_array(mem, objects, sizeof *v->texts);
    v->names = fed_alloc_array(mem, names, sizeof *v->names);
    v->policies = fed_alloc_array(mem, policies, sizeof *v->policies);
    if (!v->changes || !v->texts || !v->names || !v->policies)
        return FED_ERR_NOMEM;
    memset(v->changes, 0, objects * sizeof *v->changes);
    memset(v->texts, 0, objects * sizeof *v->texts);
    return FED_OK;
}

static void give_room_back(struct review *v, size_t objects, size_t names, size_t policies)
{
    struct fed_alloc *mem = v->plan->mem;

    for (size_t i = 0; i < v->n; i++)
        fed_buf_fini(&v->texts[i]);
    fed_alloc_free(mem, v->texts, objects * sizeof *v->texts);
    fed_alloc_free(mem, v->changes, objects * sizeof *v->changes);
    fed_alloc_free(mem, v->names, names * sizeof *v->names);
    fed_alloc_free(mem, v->policies, policies * sizeof *v->policies);
}

static enum fed_err ask_and_answer(
    struct review *v, const struct fed_json *spec, struct fed_diag *diag)
{
    enum fed_err err = take_all(v, fed_json_get(spec, "objects"), "objects", take_object, diag);

    if (!err)
        err = take_all(v, fed_json_get(spec, "references"), "references", take_reference, diag);
    if (!err)
        err = take_all(v, fed_json_get(spec, "policies"), "policies", take_policy, diag);
    if (!err)
        err = take_all(
            v, fed_json_get(spec, "withoutPolicies"), "withoutPolicies", take_former_policy, diag);
    return err ? err : answer(v, spec, diag);
}

static enum fed_err admit(void *ctx, struct hub_admission *admission, struct fed_diag *diag)
{
    struct hub_plan *plan = ctx;
    const struct fed_json *spec = fed_json_get(admission->object, "spec");
    size_t objects = fed_json_count(fed_json_get(spec, "objects")) +
                     fed_json_count(fed_json_get(spec, "references")) + 1;
    size_t names = fed_json_count(fed_json_find(spec, "clusters.names")) + 1;
    size_t policies = fed_json_count(fed_json_get(spec, "policies")) +
                      fed_json_count(fed_json_get(spec, "withoutPolicies")) + 1;
    struct review v = {.plan = plan, .admission = admission, .doc = admission->doc};
    enum fed_err err = make_room(&v, objects, names, policies);

    if (!err) {
        fed_json_remove(admission->object, "status");
        err = ask_and_answer(&v, spec, diag);
    }
    give_room_back(&v, objects, names, policies);
    /* What is not there, or is no federated kind, is wrong with the question. */
    if (err == FED_ERR_NOT_FOUND || err == FED_ERR_LIMIT)
        err = FED_ERR_INVALID;
    if (err == FED_ERR_INVALID && !admission->field[0])
        snprintf(admission->field, sizeof admission->field, "spec");
    return err;
}

void hub_plan_review_hooks(struct hub_plan *plan, struct hub_kind_hooks *hooks)
{
    *hooks = (struct hub_kind_hooks){.ctx = plan, .transient = true, .admit = admit};
}
