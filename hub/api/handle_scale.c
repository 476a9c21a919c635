/* handle_scale.c - the scale subresource of custom kinds: an autoscaling/v1 Scale over the fields
 * that the definition names.
 *
 * Source: apiextensions-apiserver pkg/registry/customresource (etcd.go, validator.go). A change of
 * the Scale is a change of the object: its rules hold, and the manager owns the replicas with
 * subresource scale. */
#include "hub/api/internal.h"
#include "hub/api/options.h"
#include "proto/base/text.h"
#include "proto/object/patch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ATTEMPTS 5u

/* ---- ".spec.replicas" ---- */
static const struct fed_json *at_path(const struct fed_json *object, const char *path)
{
    struct fed_span rest = fed_span_text(path && path[0] == '.' ? path + 1 : path);
    struct fed_span key;

    while (object && fed_span_split(&rest, '.', &key))
        object = fed_json_get_span(object, key);
    return object;
}

static enum fed_err put_path(
    struct fed_json_doc *doc, struct fed_json *object, const char *path, int64_t value)
{
    struct fed_span rest = fed_span_text(path[0] == '.' ? path + 1 : path);
    struct fed_span key;

    while (fed_span_split(&rest, '.', &key)) {
        struct fed_json *next;

        if (rest.len == 0)
            return fed_json_set_span(doc, object, key, fed_json_new_int(doc, value));
        next = fed_json_get_span(object, key);
        if (!fed_json_is_object(next)) {
            next = fed_json_new_object(doc);
            if (fed_json_set_span(doc, object, key, next))
                return FED_ERR_NOMEM;
        }
        object = next;
    }
    return FED_ERR_INVALID;
}

/* ---- the rules that hold for every write of the object ---- */
static void check_count(struct hub_causes *causes, const struct fed_json *object, const char *path)
{
    const struct fed_json *value = at_path(object, path);
    int64_t n = fed_json_int(value, 0);

    if (!value || fed_json_type(value) != FED_JSON_INT)
        return;
    if (n < 0)
        hub_causes_add(causes, "FieldValueInvalid", path,
            "Invalid value: %" PRId64 ": should be a non-negative integer", n);
    else if (n > INT32_MAX)
        hub_causes_add(causes, "FieldValueInvalid", path,
            "Invalid value: %" PRId64 ": should be less than or equal to %" PRId32, n, INT32_MAX);
}

void hub_scale_validate(const struct hub_kind_version *version, const struct fed_json *object,
    struct hub_causes *causes)
{
    if (!version->scale.spec_path)
        return;
    check_count(causes, object, version->scale.spec_path);
    check_count(causes, object, version->scale.status_path);
}

/* ---- the Scale of an object ---- */
static enum fed_err put_head(
    struct hub_request *r, const struct fed_json *object, struct fed_json *scale)
{
    static const char *const kept[] = {
        "name", "namespace", "uid", "resourceVersion", "creationTimestamp"};
    struct fed_json *metadata;
    enum fed_err err = fed_json_set_text(r->doc, scale, "kind", "Scale");

    if (!err)
        err = fed_json_set_text(r->doc, scale, "apiVersion", "autoscaling/v1");
    metadata = fed_json_ensure_object(r->doc, scale, "metadata");
    for (size_t i = 0; !err && metadata && i < sizeof kept / sizeof *kept; i++)
        if (hub_meta(object, kept[i]).len > 0)
            err = fed_json_set_string(r->doc, metadata, kept[i], hub_meta(object, kept[i]));
    return metadata ? err : FED_ERR_NOMEM;
}

static enum fed_err scale_of(
    struct hub_request *r, const struct fed_json *object, struct fed_json **out)
{
    const struct hub_scale *paths = &r->version->scale;
    struct fed_json *scale = fed_json_new_object(r->doc);
    struct fed_json *spec;
    struct fed_json *status;
    int64_t wanted = fed_json_int(at_path(object, paths->spec_path), 0);
    struct fed_span selector = fed_json_string(at_path(object, paths->selector_path));
    enum fed_err err = scale ? put_head(r, object, scale) : FED_ERR_NOMEM;

    if (err)
        return err;
    spec = fed_json_ensure_object(r->doc, scale, "spec");
    status = fed_json_ensure_object(r->doc, scale, "status");
    if (!spec || !status)
        return FED_ERR_NOMEM;
    if (wanted != 0)
        err = fed_json_set_int(r->doc, spec, "replicas", wanted);
    if (!err)
        err = fed_json_set_int(
            r->doc, status, "replicas", fed_json_int(at_path(object, paths->status_path), 0));
    if (!err && selector.len > 0)
        err = fed_json_set_string(r->doc, status, "selector", selector);
    *out = scale;
    return err;
}

/* ---- as a table ---- */
static void put_column(struct fed_buf *out, const char *name, const char *type, const char *format,
    const char *description)
{
    fed_buf_printf(out, "%s{\"name\":\"%s\",\"type\":\"%s\",\"format\":\"%s\",\"description\":",
        strcmp(name, "Name") == 0 ? "" : ",", name, type, format);
    hub_json_put_text(out, description);
    fed_buf_put_text(out, ",\"priority\":0}");
}

static enum fed_err respond_table(
    struct hub_request *r, unsigned status, const struct fed_json *object, struct fed_json *scale)
{
    struct hub_view view = hub_view_of(r);
    struct fed_buf body;
    char age[FED_TEXT_TIME_SIZE] = "<unknown>";
    int64_t created;
    enum fed_err err;

    if (!fed_text_time_parse(hub_meta(object, "creationTimestamp"), &created))
        fed_text_age(fed_loop_unix_s(r->api->options.loop) - created, age);
    fed_buf_init(&body, r->mem, HUB_LIMIT_ANSWER_BYTES);
    fed_buf_printf(&body,
        "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{\"resourceVersion\":"
        "\"" FED_SPAN_FMT "\"},\"columnDefinitions\":[",
        FED_SPAN_ARG(hub_meta(object, "resourceVersion")));
    put_column(&body, "Name", "string", "name", HUB_COLUMN_NAME_TEXT);
    put_column(&body, "Desired", "integer", "", "Number of desired replicas");
    put_column(&body, "Available", "integer", "", "Number of actual replicas");
    put_column(&body, "Age", "date", "", HUB_COLUMN_AGE_TEXT);
    fed_buf_put_text(&body, "],\"rows\":[{\"cells\":[");
    hub_json_put(&body, hub_meta(object, "name"));
    fed_buf_printf(&body, ",%" PRId64 ",%" PRId64 ",\"%s\"],\"object\":",
        fed_json_int(fed_json_find(scale, "spec.replicas"), 0),
        fed_json_int(fed_json_find(scale, "status.replicas"), 0), age);
    scale = hub_object_partial(&view, r->doc, scale);
    err = scale ? fed_json_put(&body, scale) : FED_ERR_NOMEM;
    fed_buf_put_text(&body, "}]}\n");
    if (!err)
        err = fed_buf_err(&body);
    return err ? err : hub_respond(r, status, "application/json", fed_buf_span(&body), NULL, 0);
}

enum fed_err hub_scale_respond(struct hub_request *r, unsigned status, struct fed_json *object)
{
    struct fed_json *scale;
    enum fed_err err = scale_of(r, object, &scale);

    if (err)
        return err;
    if (r->accept.form == HUB_FORM_TABLE)
        return respond_table(r, status, object, scale);
    return hub_respond_json(r, status, scale);
}

static enum fed_err handle_get(struct hub_request *r)
{
    struct hub_view view = hub_view_of(r);
    struct hub_object_ref ref = hub_request_ref(r);
    struct fed_diag diag = {{0}};
    struct fed_json *object;
    struct fed_buf bytes;
    uint64_t revision;
    enum fed_err err;

    fed_buf_init(&bytes, r->mem, FED_STORE_VALUE_MAX);
    err = hub_objects_get(r->api->objects, &ref, &bytes, &revision);
    if (err == FED_ERR_NOT_FOUND)
        return hub_fail_not_found(r);
    if (!err)
        err = hub_object_view(&view, r->doc, &ref, fed_buf_span(&bytes), &revision, &object, &diag);
    return err ? hub_fail_err(r, err, &diag) : hub_scale_respond(r, 200, object);
}

/* ---- writes ---- */
static enum fed_err check_scale(struct hub_request *r, const struct fed_json *scale)
{
    struct fed_span kind = fed_json_string(fed_json_get(scale, "kind"));
    struct fed_span version = fed_json_string(fed_json_get(scale, "apiVersion"));
    struct fed_span name = hub_meta(scale, "name");
    const struct fed_json *replicas = fed_json_find(scale, "spec.replicas");

    if (!fed_json_is_object(scale))
        return hub_fail(r, 400, "BadRequest", "the body is not an object");
    if ((kind.len > 0 && !fed_span_is(kind, "Scale")) ||
        (version.len > 0 && !fed_span_is(version, "autoscaling/v1")))
        return hub_fail(r, 400, "BadRequest",
            "no kind \"" FED_SPAN_FMT "\" is registered for version \"" FED_SPAN_FMT
            "\": a Scale of autoscaling/v1 is expected",
            FED_SPAN_ARG(kind), FED_SPAN_ARG(version));
    if (name.len > 0 && !fed_span_eq(name, r->path.name))
        return hub_fail(r, 400, "BadRequest",
            "the name of the object (" FED_SPAN_FMT
            ") does not match the name on the URL (" FED_SPAN_FMT ")",
            FED_SPAN_ARG(name), FED_SPAN_ARG(r->path.name));
    if (replicas && fed_json_type(replicas) != FED_JSON_NULL &&
        (fed_json_type(replicas) != FED_JSON_INT || fed_json_int(replicas, INT64_MAX) > INT32_MAX ||
            fed_json_int(replicas, INT64_MIN) < INT32_MIN))
        return hub_fail(r, 400, "BadRequest",
            "json: cannot unmarshal value into Go struct field ScaleSpec.spec.replicas of type "
            "int32");
    return FED_OK;
}

static enum fed_err store_scale(struct hub_request *r, struct hub_write *w, struct fed_json *scale)
{
    struct fed_json *metadata;
    enum fed_err err = check_scale(r, scale);

    if (err)
        return err;
    w->patched = true;
    w->next = fed_json_clone(r->doc, w->live_view);
    metadata = w->next ? fed_json_ensure_object(r->doc, w->next, "metadata") : NULL;
    if (!metadata)
        return FED_ERR_NOMEM;
    err = put_path(r->doc, w->next, r->version->scale.spec_path,
        fed_json_int(fed_json_find(scale, "spec.replicas"), 0));
    if (!err && hub_meta(scale, "resourceVersion").len > 0)
        err = fed_json_set_string(
            r->doc, metadata, "resourceVersion", hub_meta(scale, "resourceVersion"));
    return err ? err : hub_write_update(r, w);
}

static enum fed_err load(struct hub_request *r, struct hub_write *w, struct fed_json **scale)
{
    char text[24];
    enum fed_err err = hub_write_load(r, w);

    if (err == FED_ERR_NOT_FOUND)
        return hub_fail_not_found(r);
    if (!err)
        err = scale_of(r, w->live_view, scale);
    snprintf(text, sizeof text, "%llu", (unsigned long long)w->live_revision);
    return err ? err
               : fed_json_set_text(
                     r->doc, fed_json_get(*scale, "metadata"), "resourceVersion", text);
}

static enum fed_err handle_put(struct hub_request *r)
{
    struct hub_write w = {.success = 200, .manager = hub_request_manager(r)};
    struct fed_json *scale;
    struct fed_json *present;
    enum fed_err err = hub_options_write(r, "UpdateOptions");

    if (!err)
        err = hub_decode_body(r, &scale);
    if (!err)
        err = load(r, &w, &present);
    return err ? err : store_scale(r, &w, scale);
}

static enum fed_err patch_once(struct hub_request *r, bool json, const struct fed_json *patch)
{
    struct hub_write w = {.success = 200, .manager = hub_request_manager(r)};
    struct fed_diag diag = {{0}};
    struct fed_json *scale;
    enum fed_err err = load(r, &w, &scale);

    if (err)
        return err;
    err = json ? fed_patch_json(r->doc, &scale, patch, &diag)
               : fed_patch_merge(r->doc, &scale, patch, &diag);
    if (err && err != FED_ERR_NOMEM)
        return hub_fail(r, json ? 422 : 400, json ? "Invalid" : "BadRequest", "%s%s",
            json ? "the server rejected our request due to an error in our request: " : "",
            diag.text);
    return err ? err : store_scale(r, &w, scale);
}

/* Apply: the object's replicas alone, which the manager then owns. */
static enum fed_err apply_once(struct hub_request *r, const struct fed_json *config)
{
    struct hub_write w = {
        .success = 200, .manager = r->query.field_manager, .applied = true, .patched = true};
    struct fed_json *own = fed_json_new_object(r->doc);
    struct fed_json *present;
    enum fed_err err = own ? load(r, &w, &present) : FED_ERR_NOMEM;

    if (!err)
        err = fed_json_set_string(
            r->doc, fed_json_ensure_object(r->doc, own, "metadata"), "name", r->path.name);
    if (!err)
        err = hub_write_identity(r, own, true);
    if (!err && fed_json_find(config, "spec.replicas"))
        err = put_path(r->doc, own, r->version->scale.spec_path,
            fed_json_int(fed_json_find(config, "spec.replicas"), 0));
    if (!err)
        err = hub_write_apply(r, &w, own);
    if (!err && hub_meta(config, "resourceVersion").len > 0)
        err = fed_json_set_string(r->doc, fed_json_get(w.next, "metadata"), "resourceVersion",
            hub_meta(config, "resourceVersion"));
    return err ? err : hub_write_update(r, &w);
}

static enum fed_err handle_patch(struct hub_request *r)
{
    struct fed_span type = hub_request_content_type(r);
    bool apply = fed_span_is(type, "application/apply-patch+yaml");
    bool json = fed_span_is(type, "application/json-patch+json");
    struct fed_json *patch;
    enum fed_err err;

    if (!apply && !json && !fed_span_is(type, "application/merge-patch+json") &&
        !fed_span_is(type, "application/strategic-merge-patch+json"))
        return hub_fail(r, 415, "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, "
            "application/apply-patch+yaml, application/strategic-merge-patch+json");
    err = hub_options_patch(r, apply);
    if (!err)
        err = hub_decode_body(r, &patch);
    if (!err && apply)
        err = check_scale(r, patch);
    if (err)
        return err;
    err = FED_ERR_CONFLICT;
    for (unsigned i = 0; i < ATTEMPTS && err == FED_ERR_CONFLICT && r->failure.code == 0; i++)
        err = apply ? apply_once(r, patch) : patch_once(r, json, patch);
    return err;
}

enum fed_err hub_handle_scale(struct hub_request *r)
{
    if (fed_span_is(r->http->method, "GET"))
        return handle_get(r);
    if (fed_span_is(r->http->method, "PUT"))
        return handle_put(r);
    if (fed_span_is(r->http->method, "PATCH"))
        return handle_patch(r);
    return hub_fail(r, 405, "MethodNotAllowed",
        "the server does not allow this method on the requested resource");
}
