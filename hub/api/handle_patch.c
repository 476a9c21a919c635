/* handle_patch.c - merge, JSON, strategic and apply patches. */
#include "hub/api/core.h"
#include "hub/api/crd.h"
#include "hub/api/internal.h"
#include "hub/api/options.h"
#include "hub/api/write.h"
#include "proto/object/patch.h"

#include <stdio.h>
#include <string.h>

#define ATTEMPTS 5u

enum patch_type { PATCH_MERGE, PATCH_JSON, PATCH_STRATEGIC, PATCH_APPLY };

/* How lists of the kind merge; NULL: strategic patches are not for it. */
static const struct hub_core_type *strategic_type(const struct hub_request *r)
{
    if (r->kind->core || strcmp(r->kind->resource, HUB_CRD_RESOURCE) != 0)
        return r->version->core;
    return hub_core_find(hub_kinds_core(r->api->kinds), FED_SPAN_LIT("apiextensions.k8s.io/v1"),
        FED_SPAN_LIT("CustomResourceDefinition"));
}

/* Of the kinds that every API server has the routes refuse it, not what is behind them. */
static enum fed_err media_type_unknown(struct hub_request *r)
{
    hub_fail(r, 415, "UnsupportedMediaType", "415: Unsupported Media Type");
    r->failure.details = HUB_DETAILS_EMPTY;
    return FED_ERR_INVALID;
}

static enum fed_err patch_type_of(struct hub_request *r, enum patch_type *out)
{
    struct fed_span type = hub_request_content_type(r);

    if (fed_span_is(type, "application/merge-patch+json"))
        *out = PATCH_MERGE;
    else if (fed_span_is(type, "application/json-patch+json"))
        *out = PATCH_JSON;
    else if (fed_span_is(type, "application/apply-patch+yaml"))
        *out = PATCH_APPLY;
    else if (fed_span_is(type, "application/strategic-merge-patch+json") && strategic_type(r))
        *out = PATCH_STRATEGIC;
    else if (!strategic_type(r))
        return hub_fail(r, 415, "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, "
            "application/apply-patch+yaml");
    else
        return media_type_unknown(r);
    return FED_OK;
}

/* ---- merge, JSON, strategic ---- */
static enum fed_err base_of(struct hub_request *r, const struct hub_write *w, struct fed_json **out)
{
    struct fed_json *base = fed_json_clone(r->doc, w->live_view);
    char text[24];

    if (!base)
        return FED_ERR_NOMEM;
    snprintf(text, sizeof text, "%llu", (unsigned long long)w->live_revision);
    *out = base;
    return fed_json_set_text(
        r->doc, fed_json_ensure_object(r->doc, base, "metadata"), "resourceVersion", text);
}

/* kube-apiserver does not say which operation it was. */
static enum fed_err json_patch_failed(struct hub_request *r)
{
    hub_fail(r, 422, "Invalid", "the server rejected our request due to an error in our request");
    r->failure.details = HUB_DETAILS_EMPTY;
    return FED_ERR_INVALID;
}

static enum fed_err patch_failed(
    struct hub_request *r, enum patch_type type, enum fed_err err, const struct fed_diag *diag)
{
    if (err == FED_ERR_NOMEM)
        return err;
    if (err == FED_ERR_LIMIT)
        return hub_fail(
            r, 413, "RequestEntityTooLarge", "Request entity too large: %s", diag->text);
    if (type == PATCH_JSON)
        return json_patch_failed(r);
    /* kube-apiserver knows some mistakes of strategic patches by name, and calls the others its
     * own. */
    if (type == PATCH_STRATEGIC && err != FED_ERR_UNSUPPORTED)
        return hub_fail(r, 500, "", "%s", diag->text);
    return hub_fail(r, 400, "BadRequest", "%s", diag->text);
}

/* What merging leaves of the nulls of a patch: those of members that the object does not have, or
 * has of another type, are dropped. */
static void drop_nulls(struct fed_json *value)
{
    struct fed_json_iter it;

    if (!fed_json_is_object(value) && !fed_json_is_array(value))
        return;
    fed_json_iter_init(&it, value);
    while (fed_json_iter_next(&it))
        if (fed_json_type(it.value) == FED_JSON_NULL && fed_json_is_object(value))
            fed_json_iter_remove(&it);
        else
            drop_nulls(it.value);
}

static void drop_unmatched_nulls(const struct fed_json *object, struct fed_json *patch)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, patch);
    while (fed_json_iter_next(&it)) {
        const struct fed_json *present = fed_json_get_span(object, it.key);

        if (fed_json_type(present) != fed_json_type(it.value))
            drop_nulls(it.value);
        else if (fed_json_is_object(present))
            drop_unmatched_nulls(present, it.value);
    }
}

static enum fed_err show_patch(
    struct hub_request *r, const struct fed_json *object, const struct fed_json *patch)
{
    struct fed_json *copy = fed_json_clone(r->doc, patch);
    struct fed_buf text;

    if (!copy)
        return FED_ERR_NOMEM;
    drop_unmatched_nulls(object, copy);
    fed_buf_init(&text, r->mem, 2 * HUB_LIMIT_BODY_BYTES);
    hub_go_put(&text, copy);
    r->patch_shown = fed_buf_cstr(&text);
    return fed_buf_err(&text);
}

static enum fed_err patch_once(
    struct hub_request *r, enum patch_type type, const struct fed_json *patch, struct hub_write *w)
{
    struct fed_diag diag = {{0}};
    enum fed_err err = hub_write_load(r, w);

    if (err == FED_ERR_NOT_FOUND)
        return hub_fail_not_found(r);
    if (!err)
        err = base_of(r, w, &w->next);
    if (err)
        return err;
    if (type == PATCH_JSON)
        err = fed_patch_json(r->doc, &w->next, patch, &diag);
    else if (type == PATCH_STRATEGIC)
        err = hub_strategic_merge(r->doc, strategic_type(r), &w->next, patch, &diag);
    else
        err = fed_patch_merge(r->doc, &w->next, patch, &diag);
    if (err)
        return patch_failed(r, type, err, &diag);
    if (type == PATCH_STRATEGIC)
        err = show_patch(r, w->live_view, patch);
    if (err)
        return err;
    if (hub_meta(w->next, "resourceVersion").len == 0)
        w->patched = false; /* taken away: as much as a PUT that never had it */
    err = hub_write_identity(r, w->next, true);
    return err ? err : hub_write_update(r, w);
}

static enum fed_err patch_plain(
    struct hub_request *r, enum patch_type type, const struct fed_json *patch)
{
    enum fed_err err = FED_ERR_CONFLICT;

    if (type == PATCH_MERGE && fed_json_type(patch) == FED_JSON_NULL)
        return hub_fail(r, 400, "BadRequest", "Invalid JSON Patch");
    if (type == PATCH_JSON ? !fed_json_is_array(patch) : !fed_json_is_object(patch))
        return hub_fail(r, 400, "BadRequest",
            "error decoding patch: json: cannot unmarshal %s into Go value of type %s",
            hub_go_word(patch),
            type == PATCH_JSON ? "[]handlers.jsonPatchOp" : "map[string]interface {}");
    for (unsigned i = 0; i < ATTEMPTS && err == FED_ERR_CONFLICT && r->failure.code == 0; i++) {
        struct hub_write w = {.success = 200, .manager = hub_request_manager(r), .patched = true};

        err = patch_once(r, type, patch, &w);
    }
    return err;
}

/* ---- apply ---- */
/* What the endpoint does not set is merged and checked like the rest, and left out of what is
 * stored and owned (keep_other_half, in_scope). */
static enum fed_err check_config(struct hub_request *r, const struct fed_json *config)
{
    if (fed_json_get(fed_json_get(config, "metadata"), "managedFields"))
        return hub_fail(r, 400, "BadRequest", "metadata.managedFields must be nil");
    return FED_OK;
}

/* The first message behind last in the order of text; NULL at the end. */
static const char *next_message(const struct hub_causes *causes, const char *last)
{
    const char *next = NULL;

    for (size_t i = 0; i < causes->n; i++) {
        const char *message = causes->list[i].message;

        if ((!last || strcmp(message, last) > 0) && (!next || strcmp(message, next) < 0))
            next = message;
    }
    return next;
}

/* Manager by manager: "conflicts with "m" using v1:" and a line for each field. */
static void put_conflicts(struct fed_buf *out, const struct hub_causes *causes)
{
    static const char head[] = "conflict with ";

    for (const char *of = next_message(causes, NULL); of; of = next_message(causes, of)) {
        fed_buf_printf(out,
            "%sconflicts with %s:", fed_span_ends(fed_buf_span(out), ": ") ? "" : "\n",
            of + sizeof head - 1);
        for (size_t i = 0; i < causes->n; i++)
            if (strcmp(causes->list[i].message, of) == 0)
                fed_buf_printf(out, "\n- %s", causes->list[i].field);
    }
}

static enum fed_err apply_conflict(struct hub_request *r, struct hub_causes *causes)
{
    struct fed_buf text;

    fed_buf_init(&text, r->mem, 65536);
    fed_buf_printf(&text, "Apply failed with %zu conflict%s: ", causes->n + causes->more,
        causes->n + causes->more == 1 ? "" : "s");
    if (causes->n == 1)
        fed_buf_printf(&text, "%s: %s", causes->list[0].message, causes->list[0].field);
    else
        put_conflicts(&text, causes);
    hub_fail(r, 409, "Conflict", "%s", fed_buf_cstr(&text));
    r->failure.details = HUB_DETAILS_EMPTY;
    r->failure.causes = causes;
    return FED_ERR_INVALID;
}

void hub_write_apply_begin(struct hub_request *r, const struct fed_json *config)
{
    struct fed_buf text;

    fed_buf_init(&text, r->mem, 65536);
    hub_field_subject(config, &text);
    r->apply_subject = fed_buf_cstr(&text);
}

enum fed_err hub_write_apply_to(struct hub_request *r, const struct hub_field_update *update,
    const struct fed_json *live, const struct fed_json *config, struct fed_json **out)
{
    struct hub_causes *causes = hub_causes_new(r);
    struct fed_buf why;
    enum fed_err err;

    if (!causes)
        return FED_ERR_NOMEM;
    fed_buf_init(&why, r->mem, HUB_LIMIT_BODY_BYTES);
    err = hub_fields_apply(r->doc, update, live, config, out, causes, &why);
    if (err == FED_ERR_CONFLICT)
        return apply_conflict(r, causes);
    if ((err != FED_ERR_INVALID && err != FED_ERR_LIMIT) || why.len == 0)
        return err;
    /* kube-apiserver takes it for a mistake of its own. */
    return hub_fail(r, 500, "", "%s", fed_buf_cstr(&why));
}

static enum fed_err apply_to_object(
    struct hub_request *r, struct hub_write *w, const struct fed_json *config)
{
    char api_version[330];
    struct hub_field_update update = {
        .schema = r->version->schema,
        .manager = r->query.field_manager,
        .subresource = r->path.subresource,
        .now_unix_s = fed_loop_unix_s(r->api->options.loop),
        .force = r->query.force,
        .knows_version = hub_write_knows_version,
        .ctx = r,
        .subject = r->apply_subject,
    };
    enum fed_err err;

    hub_api_version(r->kind, r->version, api_version);
    update.api_version = fed_span_text(api_version);
    err = hub_write_empty(r, &update.empty);
    return err ? err : hub_write_apply_to(r, &update, w->live_view, config, &w->next);
}

static enum fed_err apply_create(struct hub_request *r, struct hub_write *w)
{
    if (hub_write_is_status(r))
        return hub_fail_not_found(r);
    if (hub_meta(w->next, "uid").len > 0)
        return hub_fail(r, 409, "Conflict",
            "Operation cannot be fulfilled on %s \"" FED_SPAN_FMT
            "\": uid mismatch: the provided object specified uid " FED_SPAN_FMT
            ", and no existing object was found",
            r->kind->resource, FED_SPAN_ARG(r->path.name), FED_SPAN_ARG(hub_meta(w->next, "uid")));
    w->success = 201;
    if (hub_authorize_verb(r, "create"))
        return FED_ERR_FORBIDDEN;
    return hub_write_create(r, w);
}

static enum fed_err apply_once(struct hub_request *r, struct fed_json *config)
{
    struct fed_span version = hub_meta(config, "resourceVersion");
    struct hub_write w = {.success = 200,
        .manager = r->query.field_manager,
        .applied = true,
        .owned = true,
        .patched = true};
    enum fed_err err = hub_write_load(r, &w);
    bool absent = err == FED_ERR_NOT_FOUND;

    if (err && !absent)
        return err;
    err = apply_to_object(r, &w, config);
    if (!err)
        err = hub_write_identity(r, w.next, true);
    if (!err && !absent && version.len > 0)
        err = fed_json_set_string(
            r->doc, fed_json_get(w.next, "metadata"), "resourceVersion", version);
    if (err)
        return err;
    return absent ? apply_create(r, &w) : hub_write_update(r, &w);
}

/* What is applied names its kind itself. */
static enum fed_err apply_identity(struct hub_request *r, struct fed_json *config)
{
    struct fed_span kind = fed_json_string(fed_json_get(config, "kind"));
    struct fed_span api_version = fed_json_string(fed_json_get(config, "apiVersion"));
    struct fed_json *metadata = fed_json_ensure_object(r->doc, config, "metadata");
    char expected[330];

    if (!fed_json_is_object(config) && fed_json_type(config) != FED_JSON_NULL)
        return hub_fail(r, 400, "BadRequest",
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot "
            "unmarshal %s into Go value of type map[string]interface {}",
            hub_go_word(config));
    hub_api_version(r->kind, r->version, expected);
    if (!fed_span_is(kind, r->kind->kind) || !fed_span_is(api_version, expected))
        return hub_fail(r, 400, "BadRequest",
            "invalid object type: %s" FED_SPAN_FMT ", Kind=" FED_SPAN_FMT,
            fed_span_find(api_version, '/') < api_version.len ? "" : "/", FED_SPAN_ARG(api_version),
            FED_SPAN_ARG(kind));
    if (metadata && hub_meta(config, "name").len == 0 &&
        fed_json_set_string(r->doc, metadata, "name", r->path.name))
        return FED_ERR_NOMEM;
    return hub_write_identity(r, config, true);
}

static enum fed_err patch_apply(struct hub_request *r, struct fed_json *config)
{
    enum fed_err err;

    hub_write_apply_begin(r, config);
    err = apply_identity(r, config);
    if (!err)
        err = check_config(r, config);
    if (err)
        return err;
    err = FED_ERR_CONFLICT;
    for (unsigned i = 0; i < ATTEMPTS && err == FED_ERR_CONFLICT && r->failure.code == 0; i++)
        err = apply_once(r, config);
    return err;
}

static bool is_absent(struct hub_request *r)
{
    struct hub_object_ref ref = hub_request_ref(r);
    struct fed_json *object;
    uint64_t revision;

    return hub_object_load(r->api, r->doc, &ref, &object, &revision) == FED_ERR_NOT_FOUND;
}

enum fed_err hub_handle_patch(struct hub_request *r)
{
    enum patch_type type = PATCH_MERGE;
    struct fed_json *patch;
    enum fed_err err = patch_type_of(r, &type);

    if (!err && r->path.name.len == 0)
        return hub_fail(r, 400, "BadRequest", "name must be provided");
    if (!err)
        err = hub_options_patch(r, type == PATCH_APPLY);
    if (err)
        return err;
    err = hub_decode_body(r, &patch);
    if (!err)
        err = hub_check_duplicates(r, patch);
    if (!err)
        err = type == PATCH_APPLY ? patch_apply(r, patch) : patch_plain(r, type, patch);
    /* What a patch says is looked at with the object in hand. */
    if (err && type != PATCH_APPLY && r->failure.code == 400 && is_absent(r))
        return hub_fail_not_found(r);
    return err;
}
