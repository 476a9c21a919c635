/* short_form.c - see short_form.h. */
#include "hub/api/short_form.h"

#include <string.h>

struct workload {
    const char *kind; /* federated */
    bool selector;
    bool replicas;
};

static const struct workload workloads[] = {
    {"FederatedDeployment", true, true},
    {"FederatedReplicaSet", true, true},
    {"FederatedStatefulSet", true, true},
    {"FederatedDaemonSet", true, false},
    {"FederatedJob", false, false},
};

/* Members of a workload's own spec: with a pod template beside containers, all else is the pod's.
 */
static const char *const own_members[] = {"replicas", "selector", "template", "strategy",
    "updateStrategy", "minReadySeconds", "revisionHistoryLimit", "paused",
    "progressDeadlineSeconds", "serviceName", "podManagementPolicy", "volumeClaimTemplates",
    "ordinals", "persistentVolumeClaimRetentionPolicy", "parallelism", "completions",
    "backoffLimit", "backoffLimitPerIndex", "completionMode", "manualSelector",
    "ttlSecondsAfterFinished", "suspend", "podFailurePolicy", "podReplacementPolicy",
    "maxFailedIndexes", "successPolicy", "managedBy"};

static const struct workload *workload_of(const struct hub_kind *kind)
{
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (strcmp(kind->kind, workloads[i].kind) == 0)
            return &workloads[i];
    return NULL;
}

static bool is_own(struct fed_span key)
{
    for (size_t i = 0; i < sizeof own_members / sizeof *own_members; i++)
        if (fed_span_is(key, own_members[i]))
            return true;
    return false;
}

/* The full template that a bare pod template stands for; NULL when memory is out. */
static struct fed_json *expand(
    const struct workload *workload, struct fed_json_doc *doc, const struct fed_json *bare)
{
    const struct fed_json *labels = fed_json_find(bare, "metadata.labels");
    struct fed_json *full = fed_json_new_object(doc);
    struct fed_json *spec = full ? fed_json_ensure_object(doc, full, "spec") : NULL;
    enum fed_err err = spec ? FED_OK : FED_ERR_NOMEM;

    if (!err && workload->replicas)
        err = fed_json_set_int(doc, spec, "replicas", 1);
    if (!err && labels && workload->selector)
        err = fed_json_set(doc, fed_json_ensure_object(doc, spec, "selector"), "matchLabels",
            fed_json_clone(doc, labels));
    if (!err)
        err = fed_json_set(doc, spec, "template", fed_json_clone(doc, bare));
    if (!err && labels)
        err = fed_json_set(doc, fed_json_ensure_object(doc, full, "metadata"), "labels",
            fed_json_clone(doc, labels));
    return err ? NULL : full;
}

static enum fed_err set_template(
    struct fed_json_doc *doc, struct fed_json *object, struct fed_json *value)
{
    return fed_json_set(doc, fed_json_get(object, "spec"), "template", value);
}

static void unmark(struct fed_json *object)
{
    struct fed_json *metadata = fed_json_get(object, "metadata");
    struct fed_json *annotations = fed_json_get(metadata, "annotations");

    if (fed_json_remove(annotations, HUB_SHORT_FORM_ANNOTATION) && fed_json_count(annotations) == 0)
        fed_json_remove(metadata, "annotations");
}

static enum fed_err mark(struct fed_json_doc *doc, struct fed_json *object)
{
    struct fed_json *annotations =
        fed_json_ensure_object(doc, fed_json_ensure_object(doc, object, "metadata"), "annotations");

    return annotations ? fed_json_set_text(doc, annotations, HUB_SHORT_FORM_ANNOTATION, "true")
                       : FED_ERR_NOMEM;
}

/* A short form merged into a full template, as a patch does when the full one had to be shown: what
 * belongs to the pod moves to where the pods are described. */
static enum fed_err fold(struct fed_json_doc *doc, struct fed_json *template)
{
    struct fed_json *spec = fed_json_get(template, "spec");
    struct fed_json *pod =
        fed_json_ensure_object(doc, fed_json_ensure_object(doc, spec, "template"), "spec");
    struct fed_json_iter it;
    enum fed_err err = pod ? FED_OK : FED_ERR_NOMEM;

    fed_json_iter_init(&it, spec);
    while (!err && fed_json_iter_next(&it)) {
        if (is_own(it.key))
            continue;
        err = fed_json_set_span(doc, pod, it.key, fed_json_clone(doc, it.value));
        fed_json_iter_remove(&it);
    }
    return err;
}

static enum fed_err to_full(
    const struct workload *workload, struct fed_json_doc *doc, struct fed_json *object)
{
    struct fed_json *template = fed_json_find(object, "spec.template");
    struct fed_json *spec = fed_json_get(template, "spec");
    struct fed_json *full;
    enum fed_err err;

    unmark(object);
    if (!fed_json_is_array(fed_json_get(spec, "containers")))
        return FED_OK;
    if (fed_json_is_object(fed_json_get(spec, "template")))
        return fold(doc, template);
    full = expand(workload, doc, template);
    if (!full)
        return FED_ERR_NOMEM;
    err = set_template(doc, object, full);
    return err ? err : mark(doc, object);
}

static enum fed_err to_short(
    const struct workload *workload, struct fed_json_doc *doc, struct fed_json *object)
{
    struct fed_json *template = fed_json_find(object, "spec.template");
    struct fed_json *bare = fed_json_find(template, "spec.template");
    const struct fed_json *annotations = fed_json_find(object, "metadata.annotations");
    struct fed_json *again;

    if (!fed_span_is(fed_json_string(fed_json_get(annotations, HUB_SHORT_FORM_ANNOTATION)), "true"))
        return FED_OK;
    unmark(object);
    if (!fed_json_is_array(fed_json_find(bare, "spec.containers")))
        return FED_OK;
    again = expand(workload, doc, bare);
    if (!again)
        return FED_ERR_NOMEM;
    return fed_json_eq(again, template) ? set_template(doc, object, fed_json_clone(doc, bare))
                                        : FED_OK;
}

enum fed_err hub_short_form_convert(void *ctx, const struct hub_kind *kind, const char *to_version,
    struct fed_json_doc *doc, struct fed_json *object, struct fed_diag *diag)
{
    const struct workload *workload = workload_of(kind);

    (void)ctx;
    (void)diag;
    if (!workload || !fed_json_is_object(fed_json_get(object, "spec")))
        return FED_OK;
    return strcmp(to_version, HUB_SHORT_FORM_VERSION) == 0 ? to_short(workload, doc, object)
                                                           : to_full(workload, doc, object);
}
