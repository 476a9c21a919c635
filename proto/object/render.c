/* render.c - see render.h. */
#include "proto/object/render.h"

#include "proto/object/override.h"

static enum fed_err prepare_metadata(
    struct fed_json_doc *doc, struct fed_json *root, const struct fed_work *work)
{
    struct fed_json *metadata = fed_json_ensure_object(doc, root, "metadata");
    enum fed_err err;

    if (!metadata)
        return fed_json_get(root, "metadata") ? FED_ERR_INVALID : FED_ERR_NOMEM;
    fed_json_remove(metadata, "annotations");
    fed_json_remove(metadata, "finalizers");
    err = fed_json_set_string(doc, metadata, "name", work->name);
    if (err)
        return err;
    if (work->ns.len)
        return fed_json_set_string(doc, metadata, "namespace", work->ns);
    fed_json_remove(metadata, "namespace");
    return FED_OK;
}

/* The template turned into this work's object. */
static enum fed_err prepare(struct fed_json_doc *doc, struct fed_json *root,
    const struct fed_work *work, struct fed_diag *diag)
{
    enum fed_err err;

    if (!fed_json_is_object(root))
        return fed_diag_set(diag, FED_ERR_INVALID, "template: not an object");
    fed_json_remove(root, "status");
    err = prepare_metadata(doc, root, work);
    if (err == FED_ERR_INVALID)
        return fed_diag_set(diag, err, "template: metadata is not an object");
    if (!err)
        err = fed_json_set_string(doc, root, "kind", work->kind);
    if (!err && fed_json_string(fed_json_get(root, "apiVersion")).len == 0)
        err = fed_json_set_string(doc, root, "apiVersion", work->api_version);
    return err;
}

/* Whether an operation sets the member's replicas: itself, or with all of spec or of the object. */
static bool sets_replicas(const struct fed_json *operations)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, (struct fed_json *)(uintptr_t)operations);
    while (fed_json_iter_next(&it)) {
        struct fed_span path = fed_json_string(fed_json_get(it.value, "path"));

        if (fed_span_is(fed_json_string(fed_json_get(it.value, "op")), "remove"))
            continue;
        if (fed_span_is(path, "/spec/replicas"))
            return true;
        if (fed_span_is(path, "/spec") && fed_json_find(it.value, "value.replicas"))
            return true;
        if (path.len == 0 && fed_json_find(it.value, "value.spec.replicas"))
            return true;
    }
    return false;
}

bool fed_render_drops(const struct fed_json *annotations)
{
    struct fed_json_iter iter = fed_json_each(annotations);

    while (fed_json_iter_next(&iter)) {
        if (!fed_span_starts(iter.key, FED_RENDER_WISH_PREFIX))
            return true;
    }
    return false;
}

bool fed_render_sets_replicas(struct fed_alloc *mem, const struct fed_work *work)
{
    struct fed_json *operations = NULL;
    struct fed_json_doc *doc;
    bool sets = true;

    if (work->overrides.len == 0)
        return false;
    if (fed_json_doc_new(mem, &doc))
        return true;
    if (!fed_json_parse(doc, work->overrides, &operations, NULL))
        sets = sets_replicas(operations);
    fed_json_doc_free(doc);
    return sets;
}

static enum fed_err mark_managed(
    struct fed_json_doc *doc, struct fed_json *root, struct fed_span uid, struct fed_diag *diag)
{
    struct fed_json *metadata = fed_json_ensure_object(doc, root, "metadata");
    struct fed_json *labels = metadata ? fed_json_ensure_object(doc, metadata, "labels") : NULL;

    if (!labels)
        return fed_diag_set(diag, FED_ERR_INVALID, "metadata or its labels are not an object");
    if (uid.len > 0 && fed_json_set_string(doc, metadata, "uid", uid))
        return FED_ERR_NOMEM;
    return fed_json_set_text(doc, labels, FED_RENDER_MANAGED_LABEL, "true");
}

static enum fed_err render(struct fed_json_doc *doc, const struct fed_work *work,
    struct fed_span uid, struct fed_span blob, struct fed_buf *out, struct fed_diag *diag)
{
    struct fed_json *operations = NULL;
    struct fed_json *root = NULL;
    enum fed_err err = fed_json_parse(doc, blob, &root, diag);

    if (err)
        return fed_diag_prefix(diag, err, "template");
    if (work->overrides.len)
        err = fed_json_parse(doc, work->overrides, &operations, diag);
    if (!err)
        err = fed_override_check_joined(operations, diag);
    if (err)
        return err;
    err = prepare(doc, root, work, diag);
    if (err)
        return err;
    err = fed_override_apply(doc, &root, operations, diag);
    /* Server-side apply leaves to its owner what is not sent. */
    if (!err && (work->options & FED_WORK_RETAIN_REPLICAS) && !sets_replicas(operations))
        fed_json_remove(fed_json_get(root, "spec"), "replicas");
    if (!err)
        err = mark_managed(doc, root, uid, diag);
    return err ? err : fed_json_put(out, root);
}

enum fed_err fed_render_work(struct fed_alloc *mem, const struct fed_work *work,
    struct fed_span blob, struct fed_buf *out, struct fed_diag *diag)
{
    return fed_render_work_onto(mem, work, (struct fed_span){0}, blob, out, diag);
}

enum fed_err fed_render_work_onto(struct fed_alloc *mem, const struct fed_work *work,
    struct fed_span uid, struct fed_span blob, struct fed_buf *out, struct fed_diag *diag)
{
    struct fed_json_doc *doc;
    size_t before = out->len;
    enum fed_err err = fed_json_doc_new(mem, &doc);

    if (diag)
        diag->text[0] = '\0';
    if (err)
        return fed_diag_set(diag, err, "no memory for the object");
    err = render(doc, work, uid, blob, out, diag);
    fed_json_doc_free(doc);
    if (err) {
        fed_buf_cut(out, before);
        if (diag && !diag->text[0])
            fed_diag_set(diag, err, "%s", fed_err_text(err));
    }
    return err;
}
