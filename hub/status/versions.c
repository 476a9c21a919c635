/* versions.c - the small objects beside each federated object: PropagatedVersion or
 * ClusterPropagatedVersion, and FederatedServiceStatus where a statusType is collected.
 *
 * What is stored is identity alone: name, owner, uid. Everything that moves is composed when it is
 * read, as the federated object's own status is (docs/decisions/0006), so that a thousand clusters
 * cost nothing until somebody looks, and whatever others write into the status is not kept. Garbage
 * collection takes them with their owner; versions_make.c makes them. One of that name with another
 * owner is somebody's own: it is neither touched nor composed. */
#include "hub/status/internal.h"

#include <stdio.h>
#include <string.h>

#define VERSIONS "propagatedversions.core.kubefed.io"
#define CLUSTER_VERSIONS "clusterpropagatedversions.core.kubefed.io"

/* ---- the federated object ---- */

enum fed_err status_object_load(struct hub_status *status, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json **out, uint64_t *revision)
{
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, status->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_objects_get(status->objects, ref, &bytes, revision);
    if (!err)
        err = fed_json_parse(doc, fed_buf_span(&bytes), out, NULL);
    fed_buf_fini(&bytes);
    return err;
}

/* What of the object's text its version shows, computed once for each text. */
static enum fed_err digest_object(
    struct hub_status *status, const struct hub_object_ref *ref, struct status_object **out)
{
    struct status_object *seen = status_object_get(status, ref);
    struct fed_json_doc *doc = NULL;
    struct fed_json *object;
    enum fed_err err;

    *out = seen;
    if (!seen)
        return FED_ERR_NOMEM;
    if (seen->hashed)
        return FED_OK;
    err = fed_json_doc_new(status->mem, &doc);
    if (!err)
        err = status_object_load(status, ref, doc, &object, NULL);
    if (!err)
        err = fed_span_to_cstr(
            fed_json_string(fed_json_find(object, "metadata.uid")), seen->uid, sizeof seen->uid);
    if (!err)
        err = status_hash_template(status->mem, object, seen->template_hash);
    if (!err)
        err = status_hash_overrides(status->mem, object, seen->overrides_hash);
    seen->hashed = !err;
    fed_json_doc_free(doc);
    return err;
}

/* ---- names ---- */

static bool version_name(const char *target_kind, struct fed_span name, char out[254])
{
    size_t len = strlen(target_kind);
    int n = snprintf(out, 254, "%s-" FED_SPAN_FMT, target_kind, FED_SPAN_ARG(name));

    if (n < 0 || n >= 254)
        return false;
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(out[i] >= 'A' && out[i] <= 'Z' ? out[i] + 32 : out[i]);
    return true;
}

bool status_version_ref(const struct hub_object_ref *of, const struct hub_planned_type *type,
    char name[254], struct hub_object_ref *out)
{
    *out = (struct hub_object_ref){
        .resource = fed_span_text(type->namespaced ? VERSIONS : CLUSTER_VERSIONS), .ns = of->ns};
    if (!version_name(type->target_kind, of->name, name))
        return false;
    out->name = fed_span_text(name);
    return true;
}

void status_versions_touch(
    struct hub_status *status, const struct hub_object_ref *of, uint64_t revision)
{
    struct hub_planned_type type;
    struct hub_object_ref ref;
    char name[254];

    if (hub_plan_type(status->plan, of->resource, &type))
        return;
    if (status_version_ref(of, &type, name, &ref))
        hub_objects_touch(status->objects, &ref, revision);
    if (type.collect == HUB_COLLECT_STATUSES) {
        ref = (struct hub_object_ref){fed_span_text(type.status_resource), of->ns, of->name};
        hub_objects_touch(status->objects, &ref, revision);
    }
}

bool status_is_companion(struct hub_status *status, const struct hub_object_ref *ref,
    struct fed_span owner, struct hub_object_ref *of)
{
    if (fed_span_is(ref->resource, VERSIONS) || fed_span_is(ref->resource, CLUSTER_VERSIONS))
        return !hub_plan_version_object(status->plan, ref->ns, ref->name, owner, of);
    return fed_span_eq(owner, ref->name) &&
           !hub_plan_status_object(status->plan, ref->resource, ref->ns, ref->name, of);
}

/* ---- reading them ---- */

/* The federated object that this one stands beside; FED_ERR_NOT_FOUND for somebody's own. */
static enum fed_err owner_of(struct hub_status *status, const struct hub_object_ref *ref,
    const struct fed_json *object, struct hub_object_ref *of, struct status_object **seen)
{
    const struct fed_json *owners = fed_json_find(object, "metadata.ownerReferences");

    for (struct fed_json_iter it = fed_json_items(owners); fed_json_iter_next(&it);) {
        const struct fed_json *owner = it.value;

        if (status_is_companion(status, ref, fed_json_string(fed_json_get(owner, "name")), of) &&
            !digest_object(status, of, seen) &&
            fed_span_is(fed_json_string(fed_json_get(owner, "uid")), (*seen)->uid))
            return FED_OK;
    }
    return FED_ERR_NOT_FOUND;
}

static enum fed_err put_version(struct fed_json_doc *doc, struct fed_json *list,
    struct fed_span cluster, const struct status_work *work)
{
    struct fed_json *entry = fed_json_new_object(doc);
    char version[STATUS_VERSION_SIZE];
    enum fed_err err = fed_json_append(list, entry);

    status_work_version(work, version);
    if (!err)
        err = fed_json_set_string(doc, entry, "clusterName", cluster);
    return err ? err : fed_json_set_text(doc, entry, "version", version);
}

static enum fed_err put_versions(struct hub_status *status, struct fed_json_doc *doc,
    struct fed_json *to, const struct hub_planned *planned)
{
    struct fed_json *list = fed_json_new_array(doc);
    enum fed_err err = list ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < planned->n_clusters; i++) {
        const struct hub_planned_cluster *one = &planned->clusters[i];
        const struct status_cluster *cluster = status_cluster_get(status, one->cluster);
        const struct status_work *work =
            cluster && one->selected && !one->gated ? status_reported(status, cluster, one) : NULL;

        if (work && work->version)
            err = put_version(doc, list, one->cluster, work);
    }
    return err || fed_json_count(list) == 0 ? err : fed_json_set(doc, to, "clusterVersions", list);
}

enum fed_err status_compose_version(void *ctx, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json *object, uint64_t *revision)
{
    struct hub_status *status = ctx;
    struct status_object *seen = NULL;
    struct hub_object_ref of;
    struct hub_planned planned;
    struct fed_json *to;
    uint64_t composed;
    enum fed_err err;

    if (owner_of(status, ref, object, &of, &seen) || hub_plan_object(status->plan, &of, &planned))
        return FED_OK;
    to = fed_json_new_object(doc);
    err = fed_json_set(doc, object, "status", to);
    if (!err)
        err = fed_json_set_text(doc, to, "templateVersion", seen->template_hash);
    if (!err)
        err = fed_json_set_text(doc, to, "overridesVersion", seen->overrides_hash);
    if (!err)
        err = put_versions(status, doc, to, &planned);
    composed = status_composed_revision(status, &of, &planned);
    if (!err && composed > *revision)
        *revision = composed;
    return err;
}

/* ---- FederatedServiceStatus: an entry for each ready cluster, selected or not ---- */

static enum fed_err put_status(struct hub_status *status, struct fed_json_doc *doc,
    struct fed_json *list, struct fed_span cluster, const struct hub_planned_cluster *planned)
{
    struct fed_json *entry = fed_json_new_object(doc);
    struct fed_json *remote = NULL;
    enum fed_err err = fed_json_append(list, entry);

    if (!err)
        err = fed_json_set_string(doc, entry, "clusterName", cluster);
    if (!err && planned && planned->work)
        err = status_remote_get(status, cluster, planned->work, doc, &remote);
    if (!err)
        err = fed_json_set(doc, entry, "status", remote ? remote : fed_json_new_object(doc));
    return err;
}

enum fed_err status_compose_statuses(void *ctx, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json *object, uint64_t *revision)
{
    struct hub_status *status = ctx;
    struct status_object *seen = NULL;
    struct hub_object_ref of;
    struct hub_planned planned;
    struct fed_json *list;
    uint64_t composed;
    size_t at = 0;
    enum fed_err err;

    if (owner_of(status, ref, object, &of, &seen) || hub_plan_object(status->plan, &of, &planned))
        return FED_OK;
    list = fed_json_new_array(doc);
    err = fed_json_set(doc, object, "clusterStatus", list);
    for (size_t i = 0; !err; i++) {
        struct fed_span name = hub_plan_cluster_at(status->plan, i);
        const struct status_cluster *cluster = status_cluster_get(status, name);
        const struct hub_planned_cluster *one = NULL;

        if (name.len == 0)
            break;
        while (at < planned.n_clusters && fed_span_cmp(planned.clusters[at].cluster, name) < 0)
            at++;
        if (at < planned.n_clusters && fed_span_eq(planned.clusters[at].cluster, name))
            one = &planned.clusters[at];
        if (cluster && cluster->ready)
            err = put_status(status, doc, list, name, one);
    }
    composed = status_composed_revision(status, &of, &planned);
    if (!err && composed > *revision)
        *revision = composed;
    return err;
}

void hub_status_version_hooks(struct hub_status *status, struct hub_kind_hooks *hooks)
{
    *hooks = (struct hub_kind_hooks){.ctx = status, .compose = status_compose_version};
}

void hub_status_statuses_hooks(struct hub_status *status, struct hub_kind_hooks *hooks)
{
    *hooks = (struct hub_kind_hooks){.ctx = status, .compose = status_compose_statuses};
}
