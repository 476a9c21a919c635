/* object.c - from stored bytes to what a client sees, and back. */
#include "hub/api/core.h"
#include "hub/api/internal.h"
#include "proto/object/json_text.h"

#include <stdio.h>
#include <string.h>

const struct hub_kind_version *hub_kind_storage(const struct hub_kind *kind)
{
    for (size_t i = 0; i < kind->n_versions; i++)
        if (kind->versions[i].storage)
            return &kind->versions[i];
    return &kind->versions[0];
}

const struct hub_kind_version *hub_kind_version_find(
    const struct hub_kind *kind, struct fed_span name)
{
    for (size_t i = 0; i < kind->n_versions; i++)
        if (kind->versions[i].served && fed_span_is(name, kind->versions[i].name))
            return &kind->versions[i];
    return NULL;
}

void hub_api_version(
    const struct hub_kind *kind, const struct hub_kind_version *version, char out[330])
{
    const char *group = version->of_core ? "" : kind->group;

    snprintf(out, 330, "%s%s%s", group, group[0] ? "/" : "", version->name);
}

struct fed_span hub_meta(const struct fed_json *object, const char *key)
{
    return fed_json_string(fed_json_get(fed_json_get(object, "metadata"), key));
}

bool hub_object_has_finalizers(const struct fed_json *object)
{
    return fed_json_count(fed_json_find(object, "metadata.finalizers")) > 0;
}

enum fed_err hub_object_convert(const struct hub_kind *kind, const struct hub_kind_version *to,
    struct fed_json_doc *doc, struct fed_json *object, struct fed_diag *diag)
{
    char api_version[330];
    enum fed_err err = FED_OK;

    hub_api_version(kind, to, api_version);
    if (fed_span_is(fed_json_string(fed_json_get(object, "apiVersion")), api_version))
        return FED_OK;
    if (kind->hooks.convert)
        err = kind->hooks.convert(kind->hooks.ctx, kind, to->name, doc, object, diag);
    else if (kind->custom) /* by apiVersion alone; what the other version lacks is lost */
        err = hub_schema_prune(to->schema, object, NULL);
    if (!err)
        err = fed_json_set_text(doc, object, "apiVersion", api_version);
    return err || !to->core ? err : hub_core_shape(fed_alloc_system(), doc, to->core, object, diag);
}

/* The version in which it is stored, served or not. */
static const struct hub_kind_version *stored_version(
    const struct hub_kind *kind, const struct fed_json *object)
{
    struct fed_span api_version = fed_json_string(fed_json_get(object, "apiVersion"));
    size_t slash = fed_span_find(api_version, '/');

    for (size_t i = 0; i < kind->n_versions; i++)
        if (fed_span_is(
                fed_span_sub(api_version, slash + 1, api_version.len), kind->versions[i].name))
            return &kind->versions[i];
    return NULL;
}

enum fed_err hub_object_renew(const struct hub_kind *kind, uint64_t revision,
    struct fed_json_doc *doc, struct fed_json *object)
{
    const struct hub_kind_version *version = NULL;
    enum fed_err err;

    if (hub_object_is_old(kind, revision))
        version = stored_version(kind, object);
    if (!version)
        return FED_OK;
    err = hub_schema_prune(version->schema, object, NULL);
    return err ? err : hub_schema_default(version->schema, doc, object);
}

enum fed_err hub_object_view(const struct hub_view *view, struct fed_json_doc *doc,
    const struct hub_object_ref *ref, struct fed_span bytes, uint64_t *revision,
    struct fed_json **out, struct fed_diag *diag)
{
    const struct hub_kind *kind = view->kind;
    struct fed_json *object;
    struct fed_json *metadata;
    char text[24];
    enum fed_err err = fed_json_parse(doc, bytes, &object, diag);

    if (!err)
        err = hub_object_renew(kind, *revision, doc, object);
    if (!err && kind->hooks.compose)
        err = kind->hooks.compose(kind->hooks.ctx, ref, doc, object, revision);
    if (!err)
        err = hub_object_convert(kind, view->version, doc, object, diag);
    if (err)
        return fed_diag_prefix(diag, err, "stored %s", kind->kind);
    metadata = fed_json_ensure_object(doc, object, "metadata");
    snprintf(text, sizeof text, "%llu", (unsigned long long)*revision);
    err = metadata ? fed_json_set_text(doc, metadata, "resourceVersion", text) : FED_ERR_NOMEM;
    if (!err)
        *out = object;
    return err;
}

/* ---- without a tree ---- */
static bool is_of_version(const struct hub_view *view, struct fed_span api_version)
{
    const char *group = view->version->of_core ? "" : view->kind->group;
    struct fed_span text;

    if (!fed_json_text_string(api_version, &text))
        return false;
    if (group[0]) {
        if (!fed_span_starts(text, group))
            return false;
        text = fed_span_sub(text, strlen(group), text.len);
        if (!fed_span_starts(text, "/"))
            return false;
        text = fed_span_sub(text, 1, text.len);
    }
    return fed_span_is(text, view->version->name);
}

bool hub_object_is_plain(const struct hub_view *view, struct fed_span bytes, uint64_t revision,
    struct fed_span *metadata)
{
    static const char *const keys[] = {"apiVersion", "metadata"};
    struct fed_span values[2];

    if (view->kind->hooks.compose || hub_object_is_old(view->kind, revision) ||
        fed_json_text_first(bytes, keys, 2, values) != 2 || !is_of_version(view, values[0]) ||
        !fed_span_starts(values[1], "{"))
        return false;
    *metadata = values[1];
    return true;
}

void hub_object_anonymize(struct fed_json *object)
{
    fed_json_remove(object, "kind");
    fed_json_remove(object, "apiVersion");
}

bool hub_kind_is_typed(const struct hub_kind *kind)
{
    return !kind->custom;
}

size_t hub_object_head(const struct hub_view *view, struct fed_span bytes)
{
    char head[2][1024];
    char api_version[330];

    hub_api_version(view->kind, view->version, api_version);
    snprintf(head[0], sizeof head[0], "{\"kind\":\"%s\",\"apiVersion\":\"%s\",", view->kind->kind,
        api_version);
    snprintf(head[1], sizeof head[1], "{\"apiVersion\":\"%s\",\"kind\":\"%s\",", api_version,
        view->kind->kind);
    return fed_span_starts(bytes, head[0]) || fed_span_starts(bytes, head[1]) ? strlen(head[0]) - 1
                                                                              : 0;
}

void hub_object_put_plain(struct fed_buf *out, struct fed_span bytes, struct fed_span metadata,
    size_t head, uint64_t revision)
{
    size_t inside = (size_t)(metadata.at - bytes.at) + 1;
    char text[48];
    int n = snprintf(text, sizeof text, "\"resourceVersion\":\"%llu\"%s",
        (unsigned long long)revision, metadata.len > 2 ? "," : "");

    fed_buf_put_text(out, "{");
    fed_buf_put(out, fed_span_sub(bytes, 1 + head, inside - 1 - head));
    fed_buf_put(out, fed_span_of(text, (size_t)n));
    fed_buf_put(out, fed_span_sub(bytes, inside, bytes.len));
}

enum fed_err hub_object_load(struct hub_api *api, struct fed_json_doc *doc,
    const struct hub_object_ref *ref, struct fed_json **out, uint64_t *revision)
{
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, api->mem, FED_STORE_VALUE_MAX);
    err = hub_objects_get(api->objects, ref, &bytes, revision);
    if (!err)
        err = fed_json_parse(doc, fed_buf_span(&bytes), out, NULL);
    fed_buf_fini(&bytes);
    return err;
}

struct hub_view hub_view_of(const struct hub_request *r)
{
    return (struct hub_view){
        .api = r->api, .kind = r->kind, .version = r->version, .beta = r->accept.beta};
}

const char *hub_view_meta_version(const struct hub_view *view)
{
    return view->beta ? "meta.k8s.io/v1beta1" : "meta.k8s.io/v1";
}

struct fed_json *hub_object_partial(
    const struct hub_view *view, struct fed_json_doc *doc, const struct fed_json *object)
{
    struct fed_json *partial = fed_json_new_object(doc);
    struct fed_json *metadata = fed_json_clone(doc, fed_json_get(object, "metadata"));

    if (!partial || !metadata || fed_json_set_text(doc, partial, "kind", "PartialObjectMetadata") ||
        fed_json_set_text(doc, partial, "apiVersion", hub_view_meta_version(view)) ||
        fed_json_set(doc, partial, "metadata", metadata))
        return NULL;
    return partial;
}

enum fed_err hub_object_bytes(struct fed_json *object, struct fed_buf *out)
{
    fed_json_remove(fed_json_get(object, "metadata"), "resourceVersion");
    return fed_json_put(out, object);
}

/* ---- what a listing found ---- */
static struct fed_span copy_span(struct hub_refs *refs, struct fed_span text)
{
    uint8_t *copy = fed_alloc_get(refs->mem, text.len + 1);

    if (!copy) {
        refs->err = FED_ERR_NOMEM;
        return (struct fed_span){0};
    }
    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    return fed_span_of(copy, text.len);
}

bool hub_refs_take(void *ctx, const struct hub_object *object)
{
    struct hub_refs *refs = ctx;

    refs->list[refs->n++] = (struct hub_object_ref){copy_span(refs, object->ref.resource),
        copy_span(refs, object->ref.ns), copy_span(refs, object->ref.name)};
    return refs->n < HUB_REFS_MAX && !refs->err;
}
