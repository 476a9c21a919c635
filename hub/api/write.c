/* write.c - the way of every write: clean, default, validate, own, convert, admit, commit, answer.
 *
 * All up to the conversion happens in the version that the client speaks, so that managedFields and
 * causes name fields as the client knows them. */
#include "hub/api/core.h"
#include "hub/api/crd.h"
#include "hub/api/internal.h"
#include "hub/api/meta.h"
#include "hub/api/options.h"
#include "proto/base/text.h"
#include "proto/object/patch.h"

#include <stdlib.h>
#include <string.h>

static bool is_status(const struct hub_request *r)
{
    return fed_span_is(r->path.subresource, "status");
}

/* What is written over it then is compared with what a read would have shown. */
static enum fed_err renew_live(struct hub_request *r, struct hub_write *w)
{
    struct fed_json *stored = fed_json_clone(r->doc, w->live);
    enum fed_err err =
        stored ? hub_object_renew(r->kind, w->live_revision, r->doc, w->live) : FED_ERR_NOMEM;

    w->renewed = !err && !fed_json_eq(stored, w->live);
    return err;
}

enum fed_err hub_write_load(struct hub_request *r, struct hub_write *w)
{
    struct fed_diag diag = {{0}};
    char api_version[330];
    enum fed_err err;

    w->ref = hub_request_ref(r);
    err = hub_object_load(r->api, r->doc, &w->ref, &w->live, &w->live_revision);
    if (!err && hub_object_is_old(r->kind, w->live_revision))
        err = renew_live(r, w);
    if (err)
        return err;
    /* Stored in what was the storage version when it was written. */
    hub_api_version(r->kind, r->version, api_version);
    w->live_view = w->live;
    if (fed_span_is(fed_json_string(fed_json_get(w->live, "apiVersion")), api_version))
        return FED_OK;
    w->live_view = fed_json_clone(r->doc, w->live);
    err = w->live_view ? hub_object_convert(r->kind, r->version, r->doc, w->live_view, &diag)
                       : FED_ERR_NOMEM;
    return err ? hub_fail_err(r, err, &diag) : FED_OK;
}

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
 * check_kind. */
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

/* A custom object of another kind was decoded like any other; its rules begin with its kind. */
static enum fed_err check_kind(struct hub_request *r, const struct fed_json *object)
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
    if (!r->kind->custom || kind.len == 0) { /* others are refused by check_kind */
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

/* ---- unknown and doubled fields ---- */
static bool has_line(struct fed_span lines, struct fed_span wanted)
{
    struct fed_span line;

    while (fed_span_split(&lines, '\n', &line))
        if (fed_span_eq(line, wanted))
            return true;
    return false;
}

/* all: what is said already, behind commas. */
static void report_line(struct hub_request *r, struct fed_buf *all, const char *sentence)
{
    if (r->query.field_validation == HUB_VALIDATE_WARN)
        hub_request_warn(r, sentence);
    fed_buf_printf(all, "%s%s", all->len ? ", " : "", sentence);
}

static int line_cmp(const void *a, const void *b)
{
    return fed_span_cmp(*(const struct fed_span *)a, *(const struct fed_span *)b);
}

/* Puts the lines in the order of text, in place of how they stand. */
static enum fed_err sort_lines(struct hub_request *r, struct fed_span *lines)
{
    struct fed_span rest = *lines;
    struct fed_span *list;
    struct fed_buf out;
    size_t n = 0;

    for (size_t i = 0; i < lines->len; i++)
        n += lines->at[i] == '\n';
    list = fed_alloc_get(r->mem, (n + 1) * sizeof *list);
    if (!list)
        return FED_ERR_NOMEM;
    n = 0;
    fed_buf_init(&out, r->mem, lines->len + 1);
    while (fed_span_split(&rest, '\n', &list[n]))
        n++;
    qsort(list, n, sizeof *list, line_cmp);
    for (size_t i = 0; i < n; i++) {
        fed_buf_put(&out, list[i]);
        fed_buf_put_text(&out, "\n");
    }
    *lines = fed_buf_span(&out);
    return fed_buf_err(&out);
}

static void report_fields(struct hub_request *r, struct fed_buf *all, struct fed_span fields)
{
    struct fed_span line;

    while (fed_span_split(&fields, '\n', &line)) {
        struct fed_buf one;

        if (line.len == 0 || has_line(fields, line))
            continue; /* the last of several that are equal is enough */
        fed_buf_init(&one, r->mem, 4096);
        fed_buf_printf(&one, "unknown field \"" FED_SPAN_FMT "\"", FED_SPAN_ARG(line));
        report_line(r, all, fed_buf_cstr(&one));
    }
}

/* Whether "duplicate field "PATH"" is of a field that is unknown: to a struct it does not matter
 * then.
 */
static bool is_unknown(
    struct fed_span sentence, struct fed_span of_metadata, struct fed_span of_rest)
{
    size_t quote = fed_span_find(sentence, '"');
    struct fed_span path =
        fed_span_sub(sentence, quote + 1, sentence.len > quote + 2 ? sentence.len - quote - 2 : 0);

    return has_line(of_metadata, path) || has_line(of_rest, path);
}

/* What stands twice, then fields that are unknown: of the metadata and of the rest, one per line.
 */
static enum fed_err report(struct hub_request *r, const struct fed_json *given,
    struct fed_span of_metadata, struct fed_span of_rest)
{
    struct fed_span doubled = fed_buf_span(&r->doubled);
    struct fed_buf all;
    struct fed_buf message;
    struct fed_span line;

    fed_buf_init(&all, r->mem, 65536);
    while (fed_span_split(&doubled, '\n', &line))
        if (line.len > 0 && !(r->version->core && is_unknown(line, of_metadata, of_rest)))
            report_line(r, &all, hub_request_cstr(r, line));
    report_fields(r, &all, of_metadata);
    report_fields(r, &all, of_rest);
    if (all.len == 0 || r->query.field_validation != HUB_VALIDATE_STRICT)
        return FED_OK;
    if (given) {
        fed_buf_init(&message, r->mem, 65536);
        fed_buf_printf(&message, "strict decoding error: %s", fed_buf_cstr(&all));
        return hub_write_patch_invalid(r, given, fed_buf_cstr(&message));
    }
    return hub_fail(r, 400, "BadRequest",
        "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s", r->kind->kind,
        r->version->name, r->kind->kind, fed_buf_cstr(&all));
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

/* As Go decodes the object: types, then fields that it does not know. */
static enum fed_err clean(struct hub_request *r, struct fed_json *object)
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
    err = r->kind->custom ? sort_lines(r, &sorted) : FED_OK;
    if (!err)
        err = report(r, given, fed_span_sub(fed_buf_span(&unknown), 0, of_metadata), sorted);
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
    return clean(r, object);
}

static enum fed_err put_defaults(struct hub_request *r, const struct hub_write *w,
    const struct hub_kind_version *version, struct fed_json *object)
{
    if (version->core)
        return FED_OK;
    return w->applied ? hub_schema_default_applied(version->schema, r->doc, object)
                      : hub_schema_default(version->schema, r->doc, object);
}

/* live: what an update is of; NULL for a new object. */
static enum fed_err validate(struct hub_request *r, const struct hub_write *w,
    const struct hub_kind_version *version, const struct fed_json *live, struct fed_json *object)
{
    struct hub_causes *causes = hub_causes_new(r);
    enum fed_err err = causes ? put_defaults(r, w, version, object) : FED_ERR_NOMEM;

    if (!err && r->kind->hooks.fill && !is_status(r))
        err = r->kind->hooks.fill(r->kind->hooks.ctx, r->doc, object);
    if (err)
        return err;
    if (live)
        hub_meta_validate_update(r->kind, live, object, causes);
    else
        hub_meta_validate(r->kind, object, causes);
    if (version->core && is_status(r))
        hub_core_validate_namespace_status(object, causes); /* the one core kind that has one */
    else if (hub_finalize_is(r))
        hub_core_validate_finalize(object, causes);
    else if (version->core)
        hub_core_validate(r->kind, object, live, causes);
    else if (is_status(r))
        err = hub_schema_validate_status(version->schema, object, live, causes);
    else
        err = hub_schema_validate_update(version->schema, object, live, causes);
    hub_scale_validate(version, object, causes);
    if (err && err != FED_ERR_INVALID)
        return err;
    return causes->n > 0 ? hub_fail_causes(r, causes) : FED_OK;
}

enum fed_err hub_write_empty(struct hub_request *r, const struct fed_json **out)
{
    struct fed_json *object = r->version->core ? fed_json_new_object(r->doc) : NULL;
    struct fed_diag diag = {{0}};

    *out = object;
    if (!r->version->core)
        return FED_OK;
    return object ? hub_core_shape(r->mem, r->doc, r->version->core, object, &diag) : FED_ERR_NOMEM;
}

bool hub_write_knows_version(void *ctx, struct fed_span api_version)
{
    struct hub_request *r = ctx;
    char known[330];

    if (r->version->core)
        return hub_core_find(
            hub_kinds_core(r->api->kinds), api_version, fed_span_text(r->kind->kind));
    for (size_t i = 0; i < r->kind->n_versions; i++) {
        hub_api_version(r->kind, &r->kind->versions[i], known);
        if (fed_span_is(api_version, known))
            return true;
    }
    return false;
}

static enum fed_err own(struct hub_request *r, struct hub_write *w)
{
    char api_version[330];
    struct hub_field_update update = {
        .schema = r->version->schema,
        .manager = w->manager,
        .subresource = r->path.subresource,
        .now_unix_s = fed_loop_unix_s(r->api->options.loop),
        .knows_version = hub_write_knows_version,
        .ctx = r,
        .untyped = w->untyped,
    };
    enum fed_err err;

    if (w->owned)
        return FED_OK;
    hub_api_version(r->kind, r->version, api_version);
    update.api_version = fed_span_text(api_version);
    err = hub_write_empty(r, &update.empty);
    return err ? err : hub_fields_update(r->doc, &update, w->live_view, w->next);
}

static enum fed_err to_storage(struct hub_request *r, struct hub_write *w)
{
    const struct hub_kind_version *storage = hub_kind_storage(r->kind);
    struct fed_diag diag = {{0}};
    enum fed_err err;

    if (storage->core) {
        err = hub_core_settle(r->version->core, r->doc, w->next);
        if (err)
            return err;
    }
    if (storage == r->version)
        return FED_OK;
    err = hub_object_convert(r->kind, storage, r->doc, w->next, &diag);
    if (err)
        return hub_fail_err(r, err, &diag);
    /* Where versions differ by apiVersion alone, the version of the request says what is valid. */
    if (storage->core || (r->kind->custom && !r->kind->hooks.convert))
        return FED_OK;
    return validate(r, w, storage, w->live, w->next);
}

/* ---- admission ---- */
static void admission_warn(struct hub_admission *admission, const char *text)
{
    hub_request_warn(admission->warnings, text);
}

static const char *field_reason(const char *text)
{
    struct fed_span sentence = fed_span_text(text);

    if (fed_span_starts(sentence, "Required value"))
        return "FieldValueRequired";
    if (fed_span_starts(sentence, "Unsupported value"))
        return "FieldValueNotSupported";
    return "FieldValueInvalid";
}

static enum fed_err admission_refused(struct hub_request *r, const struct hub_admission *admission,
    enum fed_err err, const struct fed_diag *diag)
{
    if (err == FED_ERR_FORBIDDEN && admission->refusal) {
        hub_fail(r, 403, "Forbidden", "%s", admission->refusal);
        return err;
    }
    if (err == FED_ERR_INVALID && admission->causes && admission->causes->n > 0)
        return hub_fail_causes(r, admission->causes);
    if (err == FED_ERR_INVALID && admission->field[0])
        return hub_fail_field(r, admission->field, field_reason(diag->text), "%s", diag->text);
    if (err == FED_ERR_INVALID)
        return hub_fail(r, 422, "Invalid", "%s", diag->text);
    if (err == FED_ERR_CONFLICT && diag->text[0])
        return hub_fail(r, 409, "Conflict", "%s", diag->text);
    return hub_fail_err(r, err, diag);
}

enum fed_err hub_admit(
    struct hub_request *r, const struct hub_kind *kind, struct hub_admission *admission)
{
    struct fed_diag diag = {{0}};
    enum fed_err err;

    admission->kind = kind;
    admission->doc = r->doc;
    admission->user = fed_span_text(r->user.name);
    admission->who = &r->user;
    admission->request = r;
    admission->subresource = r->path.subresource;
    admission->warn = admission_warn;
    admission->warnings = r;
    if (!kind->hooks.admit)
        return FED_OK;
    err = kind->hooks.admit(kind->hooks.ctx, admission, &diag);
    return err ? admission_refused(r, admission, err, &diag) : FED_OK;
}

/* ---- answer ---- */
/* Whether the stored text is the answer, but for its resourceVersion. */
static bool answers_plain(struct hub_request *r, const struct hub_view *view,
    const struct hub_admission *admission, struct fed_span bytes, uint64_t revision,
    struct fed_span *metadata)
{
    return r->accept.form == HUB_FORM_OBJECT && !(admission && admission->answer) &&
           !fed_span_is(r->path.subresource, "scale") &&
           hub_object_is_plain(view, bytes, revision, metadata);
}

static enum fed_err answer_plain(struct hub_request *r, const struct hub_write *w,
    struct fed_span bytes, struct fed_span metadata, uint64_t revision)
{
    struct fed_buf body;
    enum fed_err err;

    fed_buf_init(&body, r->mem, HUB_LIMIT_ANSWER_BYTES);
    hub_object_put_plain(&body, bytes, metadata, 0, revision);
    fed_buf_put_text(&body, "\n");
    err = fed_buf_err(&body);
    return err ? err : hub_respond(r, w->success, "application/json", fed_buf_span(&body), NULL, 0);
}

static enum fed_err answer(struct hub_request *r, struct hub_write *w,
    const struct hub_admission *admission, uint64_t revision)
{
    struct hub_view view = hub_view_of(r);
    struct fed_diag diag = {{0}};
    struct fed_span metadata;
    struct fed_json *object;
    struct fed_buf bytes;
    enum fed_err err = FED_OK;

    fed_buf_init(&bytes, r->mem, FED_STORE_VALUE_MAX);
    if (w->bytes.len == 0) {
        err = hub_object_bytes(w->next, &bytes);
        w->bytes = fed_buf_span(&bytes);
    }
    if (!err && revision > 0 && answers_plain(r, &view, admission, w->bytes, revision, &metadata))
        return answer_plain(r, w, w->bytes, metadata, revision);
    if (!err)
        err = hub_object_view(&view, r->doc, &w->ref, w->bytes, &revision, &object, &diag);
    if (!err && admission && admission->answer)
        err = fed_patch_merge(r->doc, &object, admission->answer, &diag);
    if (!err && revision == 0)
        fed_json_remove(fed_json_get(object, "metadata"), "resourceVersion");
    if (err)
        return hub_fail_err(r, err, &diag);
    return fed_span_is(r->path.subresource, "scale") ? hub_scale_respond(r, w->success, object)
                                                     : hub_respond_object(r, w->success, object);
}

static enum fed_err commit(struct hub_request *r, struct hub_write *w,
    const struct hub_admission *admission, bool remove, uint64_t *revision)
{
    struct hub_object_write write = {.ref = w->ref, .expected = w->live_revision, .remove = remove};
    struct fed_diag diag = {{0}};
    struct fed_buf bytes;
    enum fed_err err;

    *revision = w->live_revision;
    if (r->query.dry_run)
        return FED_OK;
    fed_buf_init(&bytes, r->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_object_bytes(w->next, &bytes);
    w->bytes = fed_buf_span(&bytes);
    write.bytes = w->bytes;
    if (!err)
        err = hub_stage(r->api, &write, admission, revision, &diag);
    if (err == FED_ERR_CONFLICT)
        return err; /* the caller may try again */
    return err ? hub_fail_err(r, err, &diag) : FED_OK;
}

/* Decoded, of its kind, and with what its kind adds. */
static enum fed_err prepare(struct hub_request *r, struct hub_write *w)
{
    enum fed_err err = w->decoded ? FED_OK : clean(r, w->next);

    if (!err)
        err = check_kind(r, w->next);
    return err || !r->version->core || w->generated ? err
                                                    : hub_core_default(r->kind, r->doc, w->next);
}

static enum fed_err create_prepare(struct hub_request *r, struct hub_write *w)
{
    enum fed_err err = prepare(r, w);

    if (!err && r->version->status_subresource)
        fed_json_remove(w->next, "status");
    if (!err)
        err = hub_meta_new(r, w->next);
    if (!err)
        err = validate(r, w, r->version, NULL, w->next);
    if (!err)
        hub_meta_warn(r, NULL, w->next);
    if (!err)
        err = own(r, w);
    /* What follows from a name that the server made is nobody's. */
    if (!err && w->generated && r->version->core)
        err = hub_core_default(r->kind, r->doc, w->next);
    return err ? err : to_storage(r, w);
}

/* What was applied and no rule refused is not stored where the schema does not know it. */
static enum fed_err prune_applied(struct hub_request *r, struct hub_write *w)
{
    const struct hub_kind_version *storage = hub_kind_storage(r->kind);
    enum fed_err err;

    if (!w->applied || storage->core)
        return FED_OK;
    err = hub_schema_prune(storage->schema, w->next, NULL);
    return err ? err : hub_schema_default(storage->schema, r->doc, w->next);
}

static bool is_namespace(const struct hub_request *r)
{
    return r->kind->group[0] == 0 && strcmp(r->kind->plural, "namespaces") == 0;
}

/* What the store itself looks at, after all others. */
static enum fed_err check_new(struct hub_request *r, const struct hub_write *w, bool versioned)
{
    struct fed_json *present;
    uint64_t revision;

    if (r->query.dry_run && !hub_object_load(r->api, r->doc, &w->ref, &present, &revision))
        return hub_fail_err(r, FED_ERR_EXISTS, NULL);
    if (!r->query.dry_run && versioned)
        return hub_fail(r, 500, "", "resourceVersion should not be set on objects to be created");
    return FED_OK;
}

enum fed_err hub_write_create(struct hub_request *r, struct hub_write *w)
{
    struct hub_admission admission = {.operation = HUB_CREATE, .dry_run = r->query.dry_run};
    uint64_t given = 0; /* what is no number is as good as none */
    bool versioned =
        !w->applied && !fed_span_to_u64(hub_meta(w->next, "resourceVersion"), &given) && given > 0;
    uint64_t revision = 0;
    enum fed_err err;

    w->operation = HUB_CREATE;
    if (r->kind->terminating)
        return hub_fail(r, 403, "Forbidden",
            "%s \"" FED_SPAN_FMT "\" is forbidden: create not allowed while custom resource "
            "definition is terminating",
            r->kind->resource, FED_SPAN_ARG(hub_meta(w->next, "name")));
    if (r->kind->namespaced) {
        err = hub_namespace_check(r, r->path.ns);
        if (err)
            return err;
    }
    w->generated = is_namespace(r) && hub_meta(w->next, "name").len == 0;
    err = hub_meta_generate_name(r, fed_json_get(w->next, "metadata"));
    if (!err)
        r->path.name = hub_meta(w->next, "name");
    if (!err)
        err = create_prepare(r, w);
    admission.object = w->next;
    if (!err)
        err = hub_admit(r, r->kind, &admission);
    if (err)
        return err;
    w->next = admission.object;
    r->path.name = hub_meta(w->next, "name");
    w->ref = hub_request_ref(r);
    w->live_revision = 0;
    err = check_new(r, w, versioned);
    if (!err)
        err = prune_applied(r, w);
    if (!err)
        err = commit(r, w, &admission, false, &revision);
    return err ? err : answer(r, w, &admission, revision);
}

/* ---- update ---- */
static enum fed_err must_have_version(struct hub_request *r)
{
    struct hub_causes *causes = hub_causes_new(r);

    if (!causes)
        return FED_ERR_NOMEM;
    hub_causes_add(causes, "FieldValueInvalid", "metadata.resourceVersion",
        "Invalid value: 0: must be specified for an update");
    return hub_fail_resource(r, causes);
}

/* The version that the client saw may be a composed one, which is never below that of the commit it
 * shows. */
static bool is_current(struct hub_request *r, const struct hub_write *w, uint64_t revision)
{
    if (!r->kind->hooks.compose)
        return revision == w->live_revision;
    return revision >= w->live_revision && revision <= hub_objects_revision(r->api->objects);
}

/* Custom kinds are not replaced without a word on what is replaced; core kinds may be. */
static enum fed_err check_lock(struct hub_request *r, struct hub_write *w)
{
    struct fed_span version = hub_meta(w->next, "resourceVersion");
    struct fed_span uid = hub_meta(w->next, "uid");
    uint64_t revision = 0;

    if (!w->patched && uid.len > 0 && !fed_span_eq(uid, hub_meta(w->live, "uid")))
        return hub_fail(r, 409, "Conflict",
            "Operation cannot be fulfilled on %s \"" FED_SPAN_FMT
            "\": StorageError: invalid object, Code: 4, Key: /registry/%s%s%s%s" FED_SPAN_FMT
            "/" FED_SPAN_FMT
            ", ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in "
            "precondition: " FED_SPAN_FMT ", UID in object meta: " FED_SPAN_FMT,
            r->kind->resource, FED_SPAN_ARG(r->path.name), r->kind->group,
            r->kind->group[0] ? "/" : "", r->kind->plural, r->kind->namespaced ? "/" : "",
            FED_SPAN_ARG(r->path.ns), FED_SPAN_ARG(r->path.name), FED_SPAN_ARG(uid),
            FED_SPAN_ARG(hub_meta(w->live, "uid")));
    if (version.len > 0 && fed_span_to_u64(version, &revision)) {
        struct fed_buf quoted;

        fed_buf_init(&quoted, r->mem, 65536);
        hub_put_quoted(&quoted, version);
        return hub_fail(
            r, 500, "", "strconv.ParseUint: parsing %s: invalid syntax", fed_buf_cstr(&quoted));
    }
    if (revision == 0)
        return r->version->core || w->patched ? FED_OK : must_have_version(r);
    return is_current(r, w, revision) ? FED_OK : hub_fail_err(r, FED_ERR_CONFLICT, NULL);
}

/* All but the status. What does not count still has to fit its type. */
static enum fed_err keep_status(struct hub_request *r, struct hub_write *w)
{
    struct fed_json *status = fed_json_get(w->live_view, "status");

    if (!w->owned && fed_json_get(w->next, "status"))
        w->untyped = !hub_fields_fit(r->doc, r->version->schema, w->next);
    if (status)
        return fed_json_set(r->doc, w->next, "status", fed_json_clone(r->doc, status));
    fed_json_remove(w->next, "status");
    return FED_OK;
}

/* The status alone. Who owns it is decided by the whole of what was given. */
static enum fed_err keep_but_status(struct hub_request *r, struct hub_write *w)
{
    struct fed_json *metadata;
    struct fed_json *status;
    struct fed_json *fields;
    enum fed_err err = put_defaults(r, w, r->version, w->next);

    if (!err)
        err = own(r, w);
    if (err)
        return err;
    w->owned = true;
    status = fed_json_clone(r->doc, fed_json_get(w->next, "status"));
    fields = fed_json_clone(r->doc, fed_json_find(w->next, "metadata.managedFields"));
    w->next = fed_json_clone(r->doc, w->live_view);
    metadata = w->next ? fed_json_ensure_object(r->doc, w->next, "metadata") : NULL;
    if (!metadata)
        return FED_ERR_NOMEM;
    fed_json_remove(w->next, "status");
    fed_json_remove(metadata, "managedFields");
    if (status)
        err = fed_json_set(r->doc, w->next, "status", status);
    return err || !fields ? err : fed_json_set(r->doc, metadata, "managedFields", fields);
}

/* The status endpoint changes status alone, the main one everything else. */
static enum fed_err keep_other_half(struct hub_request *r, struct hub_write *w)
{
    if (!r->version->status_subresource)
        return FED_OK;
    return is_status(r) ? keep_but_status(r, w) : keep_status(r, w);
}

static bool member_differs(const struct fed_json *a, const struct fed_json *b, struct fed_span key)
{
    return !fed_json_eq(fed_json_get_span(a, key), fed_json_get_span(b, key));
}

/* Whether anything but metadata (and status, where it has its own endpoint) differs. */
static bool spec_differs(const struct hub_kind *kind, struct fed_json *a, struct fed_json *b)
{
    bool status = hub_kind_storage(kind)->status_subresource;
    struct fed_json *sides[2] = {a, b};

    for (size_t i = 0; i < 2; i++) {
        struct fed_json_iter it;

        fed_json_iter_init(&it, sides[i]);
        while (fed_json_iter_next(&it))
            if (!fed_span_is(it.key, "metadata") && !fed_span_is(it.key, "apiVersion") &&
                !(status && fed_span_is(it.key, "status")) && member_differs(a, b, it.key))
                return true;
    }
    return false;
}

static enum fed_err raise_generation(struct hub_request *r, struct hub_write *w)
{
    struct fed_json *metadata = fed_json_get(w->next, "metadata");
    int64_t generation = fed_json_int(fed_json_find(w->live, "metadata.generation"), 0);

    if (!r->kind->counts_generation ||
        !(w->changes_spec || spec_differs(r->kind, w->live, w->next)))
        return FED_OK;
    return fed_json_set_int(r->doc, metadata, "generation", generation + 1);
}

static enum fed_err update_prepare(struct hub_request *r, struct hub_write *w)
{
    enum fed_err err = w->decoded ? FED_OK : clean(r, w->next);

    if (!err)
        err = check_lock(r, w);
    w->decoded = true;
    if (!err)
        err = prepare(r, w);
    if (!err)
        err = keep_other_half(r, w);
    if (!err)
        err = hub_meta_keep(r, w->live_view, w->next);
    if (!err)
        err = validate(r, w, r->version, w->live_view, w->next);
    if (!err)
        hub_meta_warn(r, w->live_view, w->next);
    if (!err)
        err = own(r, w);
    if (err)
        return err;
    /* What the stored version does not keep was wanted all the same. */
    w->changes_spec =
        r->version != hub_kind_storage(r->kind) && spec_differs(r->kind, w->live_view, w->next);
    return to_storage(r, w);
}

/* The last finalizer of an object that is being deleted has gone. Namespaces wait for their content
 * as well. */
static bool is_finished(const struct hub_request *r, const struct fed_json *object)
{
    return hub_meta(object, "deletionTimestamp").len > 0 && !hub_object_has_finalizers(object) &&
           fed_json_count(fed_json_find(object, "spec.finalizers")) == 0 && r->kind != NULL;
}

static bool same_but_time(struct fed_json *a, struct fed_json *b)
{
    struct fed_json *sides[2] = {a, b};

    for (size_t i = 0; i < 2; i++) {
        struct fed_json_iter it;

        fed_json_iter_init(&it, sides[i]);
        while (fed_json_iter_next(&it))
            if (!fed_span_is(it.key, "time") && member_differs(a, b, it.key))
                return false;
    }
    return true;
}

/* When nothing but the times of managedFields is new, those stay as they were. */
static enum fed_err keep_times(struct hub_request *r, struct hub_write *w)
{
    struct fed_json *before = fed_json_find(w->live, "metadata.managedFields");
    struct fed_json *after = fed_json_find(w->next, "metadata.managedFields");
    struct fed_json *metadata = fed_json_get(w->next, "metadata");
    size_t n = fed_json_count(after);
    enum fed_err err;

    if (n == 0 || n != fed_json_count(before) || fed_json_eq(before, after))
        return FED_OK;
    for (size_t i = 0; i < n; i++)
        if (!same_but_time(fed_json_at(before, i), fed_json_at(after, i)))
            return FED_OK;
    after = fed_json_clone(r->doc, after);
    before = fed_json_clone(r->doc, before);
    err = fed_json_set(r->doc, metadata, "managedFields", before);
    if (err || fed_json_eq(w->live, w->next))
        return err;
    return fed_json_set(r->doc, metadata, "managedFields", after);
}

enum fed_err hub_write_update(struct hub_request *r, struct hub_write *w)
{
    struct hub_admission admission = {.operation = HUB_UPDATE, .dry_run = r->query.dry_run};
    bool finished;
    uint64_t revision;
    enum fed_err err;

    w->operation = HUB_UPDATE;
    err = update_prepare(r, w);
    if (err)
        return err;
    admission.object = w->next;
    admission.before = w->live;
    err = hub_admit(r, r->kind, &admission);
    if (err)
        return err;
    w->next = admission.object;
    err = raise_generation(r, w);
    if (!err)
        err = prune_applied(r, w);
    if (!err)
        err = keep_times(r, w);
    if (err)
        return err;
    if (fed_json_eq(w->live, w->next) && admission.n_extra == 0 && !w->renewed)
        return answer(r, w, &admission, w->live_revision);
    finished = is_finished(r, w->next);
    err = commit(r, w, &admission, finished, &revision);
    return err ? err : answer(r, w, &admission, finished ? w->live_revision : revision);
}
