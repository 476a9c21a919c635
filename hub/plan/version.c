/* version.c - what a spec says of content: placement, template, overrides. */
#include "hub/plan/internal.h"
#include "proto/object/render.h"

#include <stdlib.h>
#include <string.h>

enum fed_err plan_version_new(struct hub_plan *plan, struct plan_version **out)
{
    struct plan_version *version = fed_alloc_zero(plan->mem, sizeof *version);

    if (!version)
        return FED_ERR_NOMEM;
    version->error = "";
    version->api_version = fed_span_text("");
    fed_arena_init(&version->arena, plan->mem, PLAN_ITEM_BYTES_MAX);
    fed_map_init(&version->variants, plan->mem);
    *out = version;
    return FED_OK;
}

void plan_version_forget_pieces(struct hub_plan *plan, struct plan_version *version)
{
    struct fed_map_iter it;

    plan_piece_unref(plan, version->shared);
    version->shared = NULL;
    fed_map_iter_init(&it, &version->variants);
    while (fed_map_iter_next(&it))
        plan_piece_unref(plan, it.value);
    fed_map_fini(&version->variants);
    fed_map_init(&version->variants, plan->mem);
}

void plan_version_free(struct hub_plan *plan, struct plan_version *version)
{
    if (!version)
        return;
    plan_version_forget_pieces(plan, version);
    plan_overrides_fini(version);
    fed_selector_free(version->placement.selector);
    plan_blob_unref(plan, version->blob);
    fed_arena_fini(&version->arena);
    fed_alloc_free(plan->mem, version, sizeof *version);
}

struct fed_span plan_version_keep(struct plan_version *version, struct fed_span text)
{
    uint8_t *at = fed_alloc_get(&version->arena.alloc, text.len ? text.len : 1);

    if (!at)
        return fed_span_of(NULL, 0);
    if (text.len)
        memcpy(at, text.at, text.len);
    return fed_span_of(at, text.len);
}

static int by_name(const void *a, const void *b)
{
    const struct fed_span *x = a;
    const struct fed_span *y = b;

    return fed_span_cmp(*x, *y);
}

static enum fed_err parse_names(struct plan_version *version, const struct fed_json *clusters)
{
    size_t n = fed_json_count(clusters);
    struct fed_span *names = fed_alloc_array(&version->arena.alloc, n ? n : 1, sizeof *names);
    struct fed_json_iter it = fed_json_each(clusters);

    if (!names)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < n && fed_json_iter_next(&it); i++) {
        names[i] = plan_version_keep(version, fed_json_string(fed_json_get(it.value, "name")));
        if (!names[i].at)
            return FED_ERR_NOMEM;
    }
    qsort(names, n, sizeof *names, by_name);
    version->placement.names = names;
    version->placement.n_names = n;
    version->placement.mode = n ? PLAN_NAMES : PLAN_NONE;
    return FED_OK;
}

/* KubeFed's table: a list, even an empty one, beats the selector; a null counts as absent; nothing
 * at all selects nothing (or follows the namespace, where that is federated by its label). */
static enum fed_err parse_placement(
    struct hub_plan *plan, struct plan_version *version, const struct fed_json *placement)
{
    const struct fed_json *clusters = fed_json_get(placement, "clusters");
    const struct fed_json *selector = fed_json_get(placement, "clusterSelector");
    struct fed_diag diag = {""};
    enum fed_err err;

    version->placement.mode = PLAN_ABSENT;
    if (fed_json_is_array(clusters))
        return parse_names(version, clusters);
    if (!fed_json_is_object(selector))
        return FED_OK;
    err = fed_selector_from_object(plan->mem, selector, &version->placement.selector, &diag);
    if (err == FED_ERR_NOMEM)
        return err;
    if (err) {
        version->problem = HUB_PLACEMENT_COMPUTE_FAILED;
        memcpy(version->message, diag.text, sizeof version->message - 1);
        version->message[sizeof version->message - 1] = '\0';
        return FED_OK;
    }
    version->placement.mode = PLAN_SELECTOR;
    return FED_OK;
}

static enum fed_err canonical(
    struct hub_plan *plan, const struct fed_json *value, size_t limit, struct fed_buf *out)
{
    fed_buf_init(out, plan->mem, limit);
    return fed_json_put_canonical(out, value);
}

static void refuse(struct plan_version *version, const char *error, const char *message)
{
    size_t len = strlen(message);

    if (len >= sizeof version->message)
        len = sizeof version->message - 1;
    version->error = error;
    memcpy(version->message, message, len);
    version->message[len] = '\0';
}

static enum fed_err parse_template(struct hub_plan *plan, struct plan_version *version,
    const struct plan_type *type, struct fed_json_doc *doc, const struct fed_json *template)
{
    struct fed_json *empty = fed_json_new_object(doc);
    struct fed_span api_version = fed_json_string(fed_json_get(template, "apiVersion"));
    struct fed_buf bytes;
    enum fed_err err;

    if (!empty)
        return FED_ERR_NOMEM;
    if (template && !fed_json_is_object(template) && fed_json_type(template) != FED_JSON_NULL) {
        refuse(version, "ComputeResourceFailed", "spec.template is not an object");
        return FED_OK;
    }
    if (!fed_json_is_object(template))
        template = empty;
    version->template_annotations =
        fed_render_drops(fed_json_find(template, "metadata.annotations"));
    version->template_finalizers =
        fed_json_count(fed_json_find(template, "metadata.finalizers")) > 0;
    err = canonical(plan, template, FED_BLOB_MAX, &bytes);
    if (!err)
        err = plan_blob_get(plan, fed_buf_span(&bytes), &version->blob);
    if (err == FED_ERR_LIMIT) {
        refuse(version, "ComputeResourceFailed", "spec.template is larger than 1.5 MiB");
        err = FED_OK;
    }
    fed_buf_fini(&bytes);
    version->api_version = api_version.len ? plan_version_keep(version, api_version)
                                           : fed_span_text(type->target_api_version);
    return err;
}

static enum fed_err parse_overrides(
    struct hub_plan *plan, struct plan_version *version, const struct fed_json *overrides)
{
    struct fed_diag diag = {""};
    enum fed_err err = plan_overrides_parse(plan, version, overrides, &diag);

    if (err == FED_ERR_NOMEM || !err)
        return err;
    if (!diag.text[0])
        fed_diag_set(&diag, err, "%s", fed_err_text(err));
    fed_diag_prefix(&diag, err, "Error reading cluster overrides");
    refuse(version, "ApplyOverridesFailed", diag.text);
    return FED_OK;
}

enum fed_err plan_version_parse(struct hub_plan *plan, struct plan_version *version,
    const struct plan_type *type, struct fed_json_doc *doc, const struct fed_json *spec)
{
    enum fed_err err = parse_placement(plan, version, fed_json_get(spec, "placement"));

    if (!err)
        err = parse_template(plan, version, type, doc, fed_json_get(spec, "template"));
    if (!err)
        err = parse_overrides(plan, version, fed_json_get(spec, "overrides"));
    return err;
}

enum fed_err plan_version_gives(struct hub_plan *plan, const struct plan_version *version,
    const struct plan_cluster *cluster, const struct fed_work *work, bool *out)
{
    struct fed_work wanted = *work;
    struct plan_overrides overrides;
    struct fed_buf joined;
    enum fed_err err = FED_OK;

    *out = false;
    if (version->error[0] || !version->blob || !fed_digest_eq(&version->blob->digest, &work->blob))
        return FED_OK;
    plan_overrides_match(version, cluster, &overrides);
    fed_buf_init(&joined, plan->mem, FED_WORK_OVERRIDES_MAX);
    if (overrides.n > 0)
        err = plan_overrides_join(&overrides, &joined);
    wanted.overrides = fed_buf_span(&joined);
    *out = !err &&
           (fed_span_eq(wanted.overrides, work->overrides) || plan_work_is_again(work, &wanted));
    fed_buf_fini(&joined);
    return err == FED_ERR_NOMEM ? err : FED_OK;
}
