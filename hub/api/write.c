/* write.c - the way of every write: clean, default, validate, own, convert, admit, commit, answer.
 *
 * All up to the conversion happens in the version that the client speaks, so that managedFields and
 * causes name fields as the client knows them. What a body is: write_body.c; what refuses it:
 * write_check.c. */
#include "hub/api/write.h"
#include "hub/api/core.h"
#include "hub/api/meta.h"
#include "proto/object/patch.h"

#include <string.h>

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
    return hub_write_validate(r, w, storage, w->live, w->next);
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

static enum fed_err decode(struct hub_request *r, struct hub_write *w)
{
    enum fed_err err = w->decoded ? FED_OK : hub_write_clean(r, w->next);

    w->decoded = !err;
    return err;
}

/* Decoded, of its kind, and with what its kind adds. */
static enum fed_err prepare(struct hub_request *r, struct hub_write *w)
{
    enum fed_err err = decode(r, w);

    if (!err)
        err = hub_write_check_kind(r, w->next);
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
        err = hub_write_validate(r, w, r->version, NULL, w->next);
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
    struct hub_admission admission = {.operation = HUB_CREATE};
    uint64_t given = 0; /* what is no number is as good as none */
    bool versioned =
        !w->applied && !fed_span_to_u64(hub_meta(w->next, "resourceVersion"), &given) && given > 0;
    uint64_t revision = 0;
    enum fed_err err;

    w->operation = HUB_CREATE;
    r->query.dry_run = r->query.dry_run || r->kind->hooks.transient;
    admission.dry_run = r->query.dry_run;
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
    enum fed_err err = hub_write_default(r, w, r->version, w->next);

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
    return hub_write_is_status(r) ? keep_but_status(r, w) : keep_status(r, w);
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
    enum fed_err err = decode(r, w); /* before the lock is looked at, as everywhere upstream */

    if (!err)
        err = hub_write_check_lock(r, w);
    if (!err)
        err = prepare(r, w);
    if (!err)
        err = keep_other_half(r, w);
    if (!err)
        err = hub_meta_keep(r, w->live_view, w->next);
    if (!err)
        err = hub_write_validate(r, w, r->version, w->live_view, w->next);
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
           !(is_namespace(r) && fed_json_count(fed_json_find(object, "spec.finalizers")) > 0);
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
