/* write_check.c - what may refuse a write of a body that is well formed: the rules of its kind,
 * once defaults are filled in; what it says of the object that it replaces; and the admission hook.
 */
#include "hub/api/core.h"
#include "hub/api/meta.h"
#include "hub/api/write.h"

bool hub_write_is_status(const struct hub_request *r)
{
    return fed_span_is(r->path.subresource, "status");
}

enum fed_err hub_write_default(struct hub_request *r, const struct hub_write *w,
    const struct hub_kind_version *version, struct fed_json *object)
{
    if (version->core)
        return FED_OK;
    return w->applied ? hub_schema_default_applied(version->schema, r->doc, object)
                      : hub_schema_default(version->schema, r->doc, object);
}

enum fed_err hub_write_validate(struct hub_request *r, const struct hub_write *w,
    const struct hub_kind_version *version, const struct fed_json *live, struct fed_json *object)
{
    struct hub_causes *causes = hub_causes_new(r);
    enum fed_err err = causes ? hub_write_default(r, w, version, object) : FED_ERR_NOMEM;

    if (!err && r->kind->hooks.fill && !hub_write_is_status(r))
        err = r->kind->hooks.fill(r->kind->hooks.ctx, r->doc, object);
    if (err)
        return err;
    if (live)
        hub_meta_validate_update(r->kind, live, object, causes);
    else
        hub_meta_validate(r->kind, object, causes);
    if (version->core && hub_write_is_status(r))
        hub_core_validate_namespace_status(object, causes); /* the one core kind that has one */
    else if (hub_finalize_is(r))
        hub_core_validate_finalize(object, causes);
    else if (version->core)
        hub_core_validate(r->kind, object, live, causes);
    else if (hub_write_is_status(r))
        err = hub_schema_validate_status(version->schema, object, live, causes);
    else
        err = hub_schema_validate_update(version->schema, object, live, causes);
    hub_scale_validate(version, object, causes);
    if (err && err != FED_ERR_INVALID)
        return err;
    return causes->n > 0 ? hub_fail_causes(r, causes) : FED_OK;
}

/* ---- the object that is replaced ---- */
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

enum fed_err hub_write_check_lock(struct hub_request *r, struct hub_write *w)
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

static bool admission_allows(struct hub_admission *admission, const struct hub_access *access)
{
    return hub_api_authorize(admission->request->api, admission->who, access, NULL);
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
    admission->allows = admission_allows;
    if (!kind->hooks.admit)
        return FED_OK;
    err = kind->hooks.admit(kind->hooks.ctx, admission, &diag);
    return err ? admission_refused(r, admission, err, &diag) : FED_OK;
}
