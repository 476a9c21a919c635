/* write_body.c - what a client's body is before it is anybody's object: its kind and version, its
 * name and namespace against the path, and its members as Go would decode them. */
#include "hub/api/core.h"
#include "hub/api/crd.h"
#include "hub/api/meta.h"
#include "hub/api/write.h"
#include "proto/base/text.h"

#include <string.h>

/* Behind the last slash. */
static struct fed_span version_of(struct fed_span api_version)
{
    size_t slash = fed_span_find(api_version, '/');

    return slash < api_version.len ? fed_span_sub(api_version, slash + 1, api_version.len)
                                   : api_version;
}

static bool is_patch(const struct hub_request *r)
{
    return fed_span_is(r->http->method, "PATCH");
}

enum fed_err hub_write_patch_invalid(
    struct hub_request *r, const struct fed_json *object, const char *why)
{
    struct hub_causes *causes = hub_causes_new(r);
    struct fed_buf text;
    struct fed_buf whole;

    fed_buf_init(&text, r->mem, HUB_LIMIT_BODY_BYTES);
    fed_buf_init(&whole, r->mem, 2 * HUB_LIMIT_BODY_BYTES);
    fed_buf_put_text(&whole, "Invalid value: ");
    if (r->patch_shown)
        hub_put_quoted(&whole, fed_span_text(r->patch_shown));
    else if (!fed_json_put(&text, object))
        hub_json_put(&whole, fed_buf_span(&text));
    fed_buf_printf(&whole, ": %s", why);
    hub_fail(r, 422, "Invalid", " \"\" is invalid: patch: %s", fed_buf_cstr(&whole));
    hub_causes_add(causes, "FieldValueInvalid", "patch", "%s", fed_buf_cstr(&whole));
    if (causes)
        causes->whole = fed_buf_cstr(&whole);
    r->failure.details = HUB_DETAILS_EMPTY;
    r->failure.causes = causes;
    return FED_ERR_INVALID;
}

/* A core kind that nobody has registered, in Go's words. */
static enum fed_err unregistered(struct hub_request *r, const struct fed_json *object)
{
    struct fed_span kind = fed_json_string(fed_json_get(object, "kind"));
    struct fed_span api_version = fed_json_string(fed_json_get(object, "apiVersion"));
    char expected[330];
    struct fed_buf why;

    hub_api_version(r->kind, r->version, expected);
    if (kind.len == 0)
        kind = fed_span_text(r->kind->kind);
    if (api_version.len == 0)
        api_version = fed_span_text(expected);
    fed_buf_init(&why, r->mem, 16384);
    if (hub_core_find(hub_kinds_core(r->api->kinds), api_version, kind))
        fed_buf_printf(&why, "converting (v1." FED_SPAN_FMT ") to (core.%s): unknown conversion",
            FED_SPAN_ARG(kind), r->kind->kind);
    else
        fed_buf_printf(&why,
            "no kind \"" FED_SPAN_FMT "\" is registered for version \"" FED_SPAN_FMT
            "\" in scheme \"pkg/runtime/scheme.go:110\"",
            FED_SPAN_ARG(kind), FED_SPAN_ARG(api_version));
    if (is_patch(r))
        return hub_write_patch_invalid(r, object, fed_buf_cstr(&why));
    return hub_fail(r, 400, "BadRequest",
        FED_SPAN_FMT " in version \"" FED_SPAN_FMT "\" cannot be handled as a %s: %s",
        FED_SPAN_ARG(kind), FED_SPAN_ARG(version_of(api_version)), r->kind->kind,
        fed_buf_cstr(&why));
}

static enum fed_err other_version(struct hub_request *r, struct fed_span api_version)
{
    char expected[330];

    hub_api_version(r->kind, r->version, expected);
    return hub_fail(r, 400, "BadRequest",
        "the API version in the data (" FED_SPAN_FMT
        ") does not match the expected API version (%s)",
        FED_SPAN_ARG(api_version), expected);
}

/* What a patch made says what it is, but for members that nobody patches. */
static enum fed_err patch_without_kind(struct hub_request *r, const struct fed_json *object)
{
    struct fed_json *shown = fed_json_clone(r->doc, object);
    struct fed_buf why;
    enum fed_err err = shown ? FED_OK : FED_ERR_NOMEM;

    fed_buf_init(&why, r->mem, 2 * HUB_LIMIT_BODY_BYTES);
    fed_json_remove(fed_json_get(shown, "metadata"), "managedFields");
    fed_buf_put_text(&why, "Object 'Kind' is missing in '");
    if (!err)
        err = fed_json_put_canonical(&why, shown);
    fed_buf_put_text(&why, "'");
    return err ? err : hub_write_patch_invalid(r, shown, fed_buf_cstr(&why));
}

/* Custom kinds: another kind, and in what a patch made another version, too, is looked at by
 * hub_write_check_kind. */
static enum fed_err check_api_version(struct hub_request *r, const struct fed_json *object)
{
    struct fed_span kind = fed_json_string(fed_json_get(object, "kind"));
    struct fed_span version = fed_json_string(fed_json_get(object, "apiVersion"));
    char expected[330];

    hub_api_version(r->kind, r->version, expected);
    if (r->kind->custom && is_patch(r))
        return kind.len > 0 ? FED_OK : patch_without_kind(r, object);
    if (r->kind->custom)
        return fed_span_is(version, expected) ? FED_OK : other_version(r, version);
    if ((version.len == 0 || fed_span_is(version, expected)) &&
        (kind.len == 0 || fed_span_is(kind, r->kind->kind)))
        return FED_OK;
    return unregistered(r, object);
}

/* ---- the head of a body ---- */
#define SUMMARY_BYTES 30u
#define SHOWN_BODY_BYTES 32768u

/* The front of a body, as hex when it is no JSON object. */
static void put_summary(struct fed_buf *out, struct fed_span body)
{
    struct fed_span front = fed_span_sub(body, 0, SUMMARY_BYTES);

    if (body.len == 0)
        fed_buf_put_text(out, "<empty>");
    else if (body.at[0] == '{')
        fed_buf_put(out, front);
    else
        fed_text_put_hex(out, front);
    if (body.len > SUMMARY_BYTES)
        fed_buf_put_text(out, " ...");
}

static enum fed_err unrecognized(struct hub_request *r, const char *why)
{
    struct fed_buf summary;

    fed_buf_init(&summary, r->mem, 256);
    put_summary(&summary, r->http->body);
    return hub_fail(r, 400, "BadRequest",
        "the object provided is unrecognized (must be of type %s): %s (%s)", r->kind->kind, why,
        fed_buf_cstr(&summary));
}

const char *hub_go_word(const struct fed_json *value)
{
    enum fed_json_type type = fed_json_type(value);

    return type == FED_JSON_ARRAY    ? "array"
           : type == FED_JSON_OBJECT ? "object"
           : type == FED_JSON_STRING ? "string"
           : type == FED_JSON_BOOL   ? "bool"
                                     : "number";
}

static enum fed_err no_object(struct hub_request *r, const struct fed_json *body)
{
    struct fed_buf why;

    fed_buf_init(&why, r->mem, 4096);
    fed_buf_printf(&why, HUB_GO_NO_HEAD, hub_go_word(body));
    return unrecognized(r, fed_buf_cstr(&why));
}

/* kind and apiVersion are texts; a version has one slash at most. */
static enum fed_err check_head(struct hub_request *r, const struct fed_json *object)
{
    static const char *const members[] = {"kind", "apiVersion"};
    struct fed_span version = fed_json_string(fed_json_get(object, "apiVersion"));
    size_t slash = fed_span_find(version, '/');
    struct fed_buf why;

    fed_buf_init(&why, r->mem, 65536);
    for (size_t i = 0; i < 2; i++) {
        enum fed_json_type type = fed_json_type(fed_json_get(object, members[i]));

        if (type == FED_JSON_ABSENT || type == FED_JSON_NULL || type == FED_JSON_STRING)
            continue;
        fed_buf_printf(&why,
            "couldn't get version/kind; json parse error: json: cannot unmarshal %s into Go struct "
            "field .%s of type string",
            hub_go_word(fed_json_get(object, members[i])), members[i]);
        return unrecognized(r, fed_buf_cstr(&why));
    }
    if (slash < version.len && fed_span_find(fed_span_sub(version, slash + 1, version.len), '/') <
                                   version.len - slash - 1) {
        fed_buf_put_text(&why, "unexpected GroupVersion string: ");
        fed_buf_put(&why, version);
        return unrecognized(r, fed_buf_cstr(&why));
    }
    if (r->kind->custom && fed_json_string(fed_json_get(object, "kind")).len == 0) {
        fed_buf_put_text(&why, "Object 'Kind' is missing in '");
        fed_buf_put(&why, fed_span_sub(r->http->body, 0, SHOWN_BODY_BYTES));
        fed_buf_put_text(&why, "'");
        return unrecognized(r, fed_buf_cstr(&why));
    }
    return FED_OK;
}

enum fed_err hub_write_check_kind(struct hub_request *r, const struct fed_json *object)
{
    struct fed_span kind = fed_json_string(fed_json_get(object, "kind"));
    struct fed_span version = fed_json_string(fed_json_get(object, "apiVersion"));
    size_t slash = fed_span_find(version, '/');
    struct hub_causes *causes;
    char expected[330];

    hub_api_version(r->kind, r->version, expected);
    if (!r->kind->custom || (fed_span_is(kind, r->kind->kind) && fed_span_is(version, expected)))
        return FED_OK;
    causes = hub_causes_new(r);
    if (!causes)
        return FED_ERR_NOMEM;
    if (!fed_span_is(kind, r->kind->kind))
        hub_causes_invalid(causes, "kind", kind, "must be %s", r->kind->kind);
    if (!fed_span_is(version, expected))
        hub_causes_invalid(causes, "apiVersion", version, "must be %s", expected);
    return hub_fail_causes_of(r, hub_request_cstr(r, kind),
        hub_request_cstr(r, fed_span_sub(version, 0, slash < version.len ? slash : 0)), causes);
}

/* The last one where it stands twice: stored objects have each key of theirs once, so that their
 * text can be read without a tree. */
static struct fed_json *single_metadata(struct hub_request *r, struct fed_json *object)
{
    struct fed_json *metadata = fed_json_ensure_object(r->doc, object, "metadata");
    struct fed_json_iter it;
    unsigned n = 0;

    fed_json_iter_init(&it, object);
    while (fed_json_iter_next(&it))
        n += fed_span_is(it.key, "metadata");
    if (n < 2 || !metadata)
        return metadata;
    metadata = fed_json_clone(r->doc, metadata);
    return metadata && !fed_json_set(r->doc, object, "metadata", metadata) ? metadata : NULL;
}

/* The Go type behind the kind, which decides what can be decoded. NULL: a custom kind. */
static const struct hub_core_type *type_of(const struct hub_request *r)
{
    if (r->version->core || strcmp(r->kind->resource, HUB_CRD_RESOURCE) != 0)
        return r->version->core;
    return hub_core_find(hub_kinds_core(r->api->kinds), FED_SPAN_LIT("apiextensions.k8s.io/v1"),
        FED_SPAN_LIT("CustomResourceDefinition"));
}

/* What was applied does not fit the Go type. */
static enum fed_err convert_failed(struct hub_request *r, const char *why)
{
    return hub_fail(r, 500, "",
        "failed to convert new object (%s) to proper version: unable to convert unstructured "
        "object to %s/%s, Kind=%s: %s",
        r->apply_subject, r->kind->group, r->version->name, r->kind->kind, why);
}

/* Objects of core kinds are decoded as Go would. */
static enum fed_err shape(
    struct hub_request *r, const struct hub_core_type *type, struct fed_json *object)
{
    bool converted = r->patch_shown || r->apply_subject;
    struct fed_diag diag = {{0}};
    enum fed_err err = converted ? hub_core_convert(r->mem, r->doc, type, object, &diag)
                                 : hub_core_shape(r->mem, r->doc, type, object, &diag);

    if (err != FED_ERR_INVALID)
        return err;
    if (r->apply_subject)
        return convert_failed(r, diag.text);
    if (is_patch(r))
        return hub_write_patch_invalid(r, object, diag.text);
    return hub_fail(r, 400, "BadRequest", "%s in version \"%s\" cannot be handled as a %s: %s",
        r->kind->kind, r->version->name, r->kind->kind, diag.text);
}

static bool is_text(const struct fed_json *value)
{
    return !value || fed_json_is_string(value) || fed_json_type(value) == FED_JSON_NULL;
}

static enum fed_err put_identity(
    struct hub_request *r, struct fed_json *object, struct fed_json *metadata, bool named)
{
    struct fed_span kind = fed_json_string(fed_json_get(object, "kind"));
    char api_version[330];
    enum fed_err err = FED_OK;

    hub_api_version(r->kind, r->version, api_version);
    if (!r->kind->custom || kind.len == 0) { /* others are refused by hub_write_check_kind */
        err = fed_json_set_text(r->doc, object, "kind", r->kind->kind);
        if (!err)
            err = fed_json_set_text(r->doc, object, "apiVersion", api_version);
    }
    if (!err && named)
        err = fed_json_set_string(r->doc, metadata, "name", r->path.name);
    if (!err && r->kind->namespaced)
        err = fed_json_set_string(r->doc, metadata, "namespace", r->path.ns);
    else
        fed_json_remove(metadata, "namespace");
    return err;
}

enum fed_err hub_write_identity(struct hub_request *r, struct fed_json *object, bool named)
{
    struct fed_json *metadata;
    struct fed_span name;
    struct fed_span ns;
    enum fed_err err;

    if (!fed_json_is_object(object))
        return hub_fail(r, 400, "BadRequest", "the body is not an object");
    err = check_api_version(r, object);
    if (err)
        return err;
    metadata = single_metadata(r, object);
    if (!metadata && r->version->core)
        return shape(r, r->version->core, object);
    if (!metadata)
        return hub_fail(r, 400, "BadRequest", "metadata is not an object");
    if (!is_text(fed_json_get(metadata, "name")) || !is_text(fed_json_get(metadata, "namespace")))
        return FED_OK; /* the decoder refuses it */
    name = fed_json_string(fed_json_get(metadata, "name"));
    ns = fed_json_string(fed_json_get(metadata, "namespace"));
    if (named && name.len == 0)
        return hub_fail(r, 400, "BadRequest",
            "the name of the object (" FED_SPAN_FMT
            " based on URL) was undeterminable: name must be provided",
            FED_SPAN_ARG(r->path.name));
    if (named && !fed_span_eq(name, r->path.name))
        return hub_fail(r, 400, "BadRequest",
            "the name of the object (" FED_SPAN_FMT
            ") does not match the name on the URL (" FED_SPAN_FMT ")",
            FED_SPAN_ARG(name), FED_SPAN_ARG(r->path.name));
    if (ns.len > 0 && !fed_span_eq(ns, r->path.ns) && r->kind->namespaced)
        return hub_fail(r, 400, "BadRequest",
            "the namespace of the provided object does not match the namespace sent on the "
            "request");
    return put_identity(r, object, metadata, named);
}

static bool is_plain_patch(struct hub_request *r)
{
    return is_patch(r) && !fed_span_is(hub_request_content_type(r), "application/apply-patch+yaml");
}

/* The metadata of custom objects is decoded as Go would, too. */
static enum fed_err meta_shape(struct hub_request *r, struct fed_json *object)
{
    struct fed_diag diag = {{0}};
    enum fed_err err = hub_meta_shape(r, object, &diag);

    if (err != FED_ERR_INVALID)
        return err;
    if (is_plain_patch(r))
        return hub_write_patch_invalid(r, object, diag.text);
    return hub_fail(r, 400, "BadRequest", "%s in version \"%s\" cannot be handled as a %s: %s",
        r->kind->kind, r->version->name, r->kind->kind, diag.text);
}

static bool resets_owners(const struct fed_json *object)
{
    const struct fed_json *fields = fed_json_find(object, "metadata.managedFields");

    return fed_json_is_array(fields) && fed_json_count(fields) == 0;
}

/* As Go would decode it. Not to say who owns the fields of a core object is one thing, to say that
 * nobody does is another. */
static enum fed_err shape_all(struct hub_request *r, struct fed_json *object)
{
    const struct hub_core_type *type = type_of(r);
    bool reset = type && resets_owners(object);
    enum fed_err err = type ? shape(r, type, object) : meta_shape(r, object);

    if (err || !reset)
        return err;
    return fed_json_set(r->doc, fed_json_ensure_object(r->doc, object, "metadata"), "managedFields",
        fed_json_new_array(r->doc));
}

/* What says to be something else is not measured by this kind's schema. */
static bool is_of_kind(const struct hub_request *r, const struct fed_json *object)
{
    struct fed_span kind = fed_json_string(fed_json_get(object, "kind"));
    struct fed_span version = fed_json_string(fed_json_get(object, "apiVersion"));
    char expected[330];

    hub_api_version(r->kind, r->version, expected);
    return !r->kind->custom || (fed_span_is(kind, r->kind->kind) && fed_span_is(version, expected));
}

enum fed_err hub_write_clean(struct hub_request *r, struct fed_json *object)
{
    struct fed_json *given = NULL; /* what a patch made, when it may have to be shown */
    struct fed_buf unknown;
    struct fed_span sorted;
    size_t of_metadata;
    enum fed_err err = shape_all(r, object);

    if (err || (r->apply_subject && !r->version->core))
        return err; /* what was applied is validated as it is */
    if (r->query.field_validation == HUB_VALIDATE_STRICT && is_plain_patch(r)) {
        given = fed_json_clone(r->doc, object);
        if (!given)
            return FED_ERR_NOMEM;
    }
    fed_buf_init(&unknown, r->mem, 65536);
    hub_meta_prune(r, fed_json_get(object, "metadata"), &unknown);
    of_metadata = unknown.len;
    if (is_of_kind(r, object))
        err = hub_schema_prune(r->version->schema, object, &unknown);
    if (err && err != FED_ERR_LIMIT) /* LIMIT: more unknown fields than are named */
        return err;
    sorted = fed_span_sub(fed_buf_span(&unknown), of_metadata, unknown.len);
    err = r->kind->custom ? hub_write_sort_lines(r, &sorted) : FED_OK;
    if (!err)
        err = hub_write_report_fields(
            r, given, fed_span_sub(fed_buf_span(&unknown), 0, of_metadata), sorted);
    return err ? err : hub_meta_single_owners(r, object, is_patch(r));
}

enum fed_err hub_write_decoded(struct hub_request *r, struct fed_json **body)
{
    struct fed_json *object = *body;
    const struct fed_json *metadata = fed_json_get(object, "metadata");
    enum fed_err err = fed_json_type(object) == FED_JSON_NULL || fed_json_is_object(object)
                           ? check_head(r, object)
                           : no_object(r, object);

    if (!err && !fed_json_is_object(object)) {
        *body = object = fed_json_new_object(r->doc); /* null says nothing of any member */
        err = object ? FED_OK : FED_ERR_NOMEM;
    }

    if (!err && !r->kind->custom)
        err = check_api_version(r, object);
    if (err)
        return err;
    if (!single_metadata(r, object) && !r->version->core)
        return hub_fail(r, 400, "BadRequest",
            "%s in version \"%s\" cannot be handled as a %s: json: cannot unmarshal %s into Go "
            "value "
            "of type v1.ObjectMeta",
            r->kind->kind, r->version->name, r->kind->kind, hub_go_word(metadata));
    return hub_write_clean(r, object);
}
