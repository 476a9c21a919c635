/* handle_scale.c - the scale subresource of custom kinds: an autoscaling/v1 Scale over the fields
 * that the definition names.
 *
 * Source: apiextensions-apiserver pkg/registry/customresource (etcd.go, validator.go). A change of
 * the Scale is a change of the object: its rules hold, and the manager owns the replicas with
 * subresource scale. Who owns what of the Scale is decided among those who own the replicas. */
#include "hub/api/core.h"
#include "hub/api/field_scale.h"
#include "hub/api/internal.h"
#include "hub/api/options.h"
#include "hub/api/write.h"
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
enum expected { EXPECT_INTEGER, EXPECT_STRING };

/* A value of another type on the way to the path or at its end. */
static void unreadable(struct hub_causes *causes, const char *path, enum expected expected,
    const struct fed_json *value, const char *wanted)
{
    struct fed_buf shown;

    fed_buf_init(&shown, fed_alloc_system(), HUB_CAUSE_MESSAGE_SIZE);
    hub_go_put(&shown, value);
    hub_causes_add(causes, "FieldValueInvalid", path,
        "Invalid value: %s: %s%s accessor error: %s is of the type %s, expected %s",
        expected == EXPECT_INTEGER ? "0" : "\"\"", path[0] == '.' ? "" : ".", path,
        fed_buf_cstr(&shown), hub_go_type(value), wanted);
    fed_buf_fini(&shown);
}

/* What stands at the path. NULL when there is nothing, or something else, which is a mistake. */
static const struct fed_json *read_path(struct hub_causes *causes, const struct fed_json *object,
    const char *path, enum expected expected)
{
    enum fed_json_type type = expected == EXPECT_INTEGER ? FED_JSON_INT : FED_JSON_STRING;
    struct fed_span rest = fed_span_text(path[0] == '.' ? path + 1 : path);
    const struct fed_json *value = object;
    struct fed_span key;

    while (fed_span_split(&rest, '.', &key)) {
        if (fed_json_type(value) == FED_JSON_NULL)
            return NULL;
        if (!fed_json_is_object(value)) {
            unreadable(causes, path, expected, value, "map[string]interface{}");
            return NULL;
        }
        value = fed_json_get_span(value, key);
        if (!value)
            return NULL;
    }
    if (fed_json_type(value) == type)
        return value;
    unreadable(causes, path, expected, value, expected == EXPECT_INTEGER ? "int64" : "string");
    return NULL;
}

static void check_count(struct hub_causes *causes, const struct fed_json *object, const char *path)
{
    const struct fed_json *value = read_path(causes, object, path, EXPECT_INTEGER);
    int64_t n = fed_json_int(value, 0);

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
    const struct hub_scale *scale = &version->scale;

    if (!scale->spec_path)
        return;
    check_count(causes, object, scale->spec_path);
    check_count(causes, object, scale->status_path);
    if (scale->selector_path)
        (void)read_path(causes, object, scale->selector_path, EXPECT_STRING);
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

/* kube-apiserver takes it for a mistake of its own. */
static enum fed_err no_replicas(struct hub_request *r)
{
    struct hub_causes *causes = hub_causes_new(r);
    const char *path = r->version->scale.spec_path;

    hub_causes_add(causes, "", "", "the spec replicas field \"%s\" does not exist", path);
    hub_fail(r, 500, "InternalError",
        "Internal error occurred: the spec replicas field \"%s\" does not exist", path);
    r->failure.causes = causes;
    return FED_ERR_INVALID;
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
    if (err)
        return hub_fail_err(r, err, &diag);
    return at_path(object, r->version->scale.spec_path) ? hub_scale_respond(r, 200, object)
                                                        : no_replicas(r);
}

/* ---- writes: of the Scale, then of the object that it stands for ---- */
#define VERSIONS_MAX 32u /* of a kind, for who owns the replicas */

struct scaling {
    struct hub_write w; /* of the object */
    struct fed_json *before, *next;
    struct hub_field_replicas versions[VERSIONS_MAX];
    char api_versions[VERSIONS_MAX][330];
    struct hub_field_scale kind;
};

static void name_versions(struct hub_request *r, struct scaling *s)
{
    size_t n = r->kind->n_versions < VERSIONS_MAX ? r->kind->n_versions : VERSIONS_MAX;

    for (size_t i = 0; i < n; i++) {
        hub_api_version(r->kind, &r->kind->versions[i], s->api_versions[i]);
        s->versions[i] =
            (struct hub_field_replicas){s->api_versions[i], r->kind->versions[i].scale.spec_path};
    }
    s->kind = (struct hub_field_scale){s->versions, n};
}

static const struct hub_core_type *scale_type(struct hub_request *r)
{
    return hub_core_find(
        hub_kinds_core(r->api->kinds), FED_SPAN_LIT(HUB_SCALE_API_VERSION), FED_SPAN_LIT("Scale"));
}

/* What a client would have read, and whether the object says nothing of its replicas. */
static enum fed_err load(struct hub_request *r, struct scaling *s)
{
    char text[24];
    enum fed_err err = hub_write_load(r, &s->w);

    if (err == FED_ERR_NOT_FOUND)
        return hub_fail_not_found(r);
    if (!err)
        err = scale_of(r, s->w.live_view, &s->before);
    if (err)
        return err;
    name_versions(r, s);
    snprintf(text, sizeof text, "%llu", (unsigned long long)s->w.live_revision);
    err = fed_json_set_text(r->doc, fed_json_get(s->before, "metadata"), "resourceVersion", text);
    if (!err && !at_path(s->w.live_view, r->version->scale.spec_path))
        err = fed_json_set_int(r->doc, fed_json_get(s->before, "spec"), "replicas", INT32_MIN);
    return err ? err : hub_field_scale_take(r->doc, &s->kind, s->w.live_view, s->before);
}

static enum fed_err check_scale(struct hub_request *r, const struct fed_json *scale)
{
    struct fed_span kind = fed_json_string(fed_json_get(scale, "kind"));
    struct fed_span version = fed_json_string(fed_json_get(scale, "apiVersion"));
    struct fed_span name = hub_meta(scale, "name");

    if (!fed_json_is_object(scale))
        return hub_fail(r, 400, "BadRequest", "the body is not an object");
    if ((kind.len > 0 && !fed_span_is(kind, "Scale")) ||
        (version.len > 0 && !fed_span_is(version, HUB_SCALE_API_VERSION)))
        return hub_fail(r, 400, "BadRequest",
            "no kind is registered for the type v1.Scale in scheme \"pkg/runtime/scheme.go:110\"");
    if (name.len > 0 && !fed_span_eq(name, r->path.name))
        return hub_fail(r, 400, "BadRequest",
            "the name of the object (" FED_SPAN_FMT
            ") does not match the name on the URL (" FED_SPAN_FMT ")",
            FED_SPAN_ARG(name), FED_SPAN_ARG(r->path.name));
    return FED_OK;
}

/* A Scale as Go would decode it. */
static enum fed_err shape(struct hub_request *r, struct fed_json *scale)
{
    struct fed_diag diag = {{0}};
    enum fed_err err = hub_core_shape(r->mem, r->doc, scale_type(r), scale, &diag);

    if (err != FED_ERR_INVALID)
        return err;
    if (fed_span_is(r->http->method, "PATCH"))
        return hub_write_patch_invalid(r, scale, diag.text);
    return hub_fail(r, 400, "BadRequest",
        "Scale in version \"v1\" cannot be handled as a Scale: %s", diag.text);
}

/* The object with the replicas of the new Scale, and with the owners of those. */
static enum fed_err store(struct hub_request *r, struct scaling *s)
{
    int64_t replicas = fed_json_int(fed_json_find(s->next, "spec.replicas"), 0);
    struct fed_span version = hub_meta(s->next, "resourceVersion");
    struct hub_write *w = &s->w;
    char api_version[330];
    enum fed_err err;

    if (replicas == INT32_MIN)
        return hub_fail(r, 400, "BadRequest", "the spec replicas field \"%s\" cannot be empty",
            r->version->scale.spec_path);
    w->patched = true;
    w->owned = true;
    w->next = fed_json_clone(r->doc, w->live_view);
    if (!w->next)
        return FED_ERR_NOMEM;
    hub_api_version(r->kind, r->version, api_version);
    err = put_path(r->doc, w->next, r->version->scale.spec_path, replicas);
    if (!err && version.len > 0)
        err = fed_json_set_string(r->doc, fed_json_ensure_object(r->doc, w->next, "metadata"),
            "resourceVersion", version);
    if (!err)
        err = hub_field_scale_give(r->doc, &s->kind, api_version, s->next, w->next);
    return err ? err : hub_write_update(r, w);
}

static struct hub_field_update update_of(struct hub_request *r, struct fed_span manager)
{
    return (struct hub_field_update){
        .manager = manager,
        .api_version = FED_SPAN_LIT(HUB_SCALE_API_VERSION),
        .subresource = r->path.subresource,
        .now_unix_s = fed_loop_unix_s(r->api->options.loop),
        .force = r->query.force,
        .subject = r->apply_subject,
    };
}

/* A Scale that a client sent or that a patch made. */
static enum fed_err write_scale(struct hub_request *r, struct scaling *s)
{
    struct hub_field_update update = update_of(r, s->w.manager);
    enum fed_err err = check_scale(r, s->next);

    if (!err)
        err = shape(r, s->next);
    if (!err)
        err = hub_fields_update(r->doc, &update, s->before, s->next);
    return err ? err : store(r, s);
}

static enum fed_err handle_put(struct hub_request *r)
{
    struct scaling *s = fed_alloc_zero(r->mem, sizeof *s);
    enum fed_err err = s ? hub_options_write(r, "UpdateOptions") : FED_ERR_NOMEM;

    if (err)
        return err;
    s->w = (struct hub_write){.success = 200, .manager = hub_request_manager(r)};
    err = hub_decode_body(r, &s->next);
    if (!err)
        err = load(r, s);
    return err ? err : write_scale(r, s);
}

static enum fed_err patch_once(struct hub_request *r, bool json, const struct fed_json *patch)
{
    struct scaling *s = fed_alloc_zero(r->mem, sizeof *s);
    struct fed_diag diag = {{0}};
    enum fed_err err;

    if (!s)
        return FED_ERR_NOMEM;
    s->w = (struct hub_write){.success = 200, .manager = hub_request_manager(r)};
    err = load(r, s);
    if (err)
        return err;
    s->next = fed_json_clone(r->doc, s->before);
    if (!s->next)
        return FED_ERR_NOMEM;
    err = json ? fed_patch_json(r->doc, &s->next, patch, &diag)
               : fed_patch_merge(r->doc, &s->next, patch, &diag);
    if (err && err != FED_ERR_NOMEM)
        return hub_fail(r, json ? 422 : 400, json ? "Invalid" : "BadRequest", "%s%s",
            json ? "the server rejected our request due to an error in our request: " : "",
            diag.text);
    return err ? err : write_scale(r, s);
}

/* The types of a Scale, for what is applied to it. */
static enum fed_err compile_scale(struct hub_request *r, struct hub_schema **out)
{
    struct fed_diag diag = {{0}};
    struct fed_json *document;
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, r->mem, HUB_SCHEMA_BYTES_MAX);
    hub_core_put_schema(&text, scale_type(r));
    err = fed_json_parse(r->doc, fed_buf_span(&text), &document, &diag);
    return err ? err : hub_schema_compile(fed_alloc_system(), document, out, &diag);
}

static enum fed_err apply_scale(
    struct hub_request *r, struct scaling *s, const struct fed_json *config)
{
    struct hub_field_update update = update_of(r, s->w.manager);
    struct fed_json *empty = fed_json_new_object(r->doc);
    struct fed_diag diag = {{0}};
    struct hub_schema *schema;
    enum fed_err err = empty ? compile_scale(r, &schema) : FED_ERR_NOMEM;

    if (err)
        return err;
    update.schema = schema;
    update.empty = empty;
    err = hub_core_shape(r->mem, r->doc, scale_type(r), empty, &diag);
    if (!err)
        err = hub_write_apply_to(r, &update, s->before, config, &s->next);
    hub_schema_unref(schema);
    return err;
}

static enum fed_err apply_once(struct hub_request *r, const struct fed_json *config)
{
    struct scaling *s = fed_alloc_zero(r->mem, sizeof *s);
    enum fed_err err;

    if (!s)
        return FED_ERR_NOMEM;
    s->w = (struct hub_write){.success = 200, .manager = r->query.field_manager};
    err = load(r, s);
    if (!err)
        err = apply_scale(r, s, config);
    return err ? err : store(r, s);
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
    if (apply)
        hub_write_apply_begin(r, patch);
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
