/* handle_finalize.c - PUT of a namespace's finalize subresource: sets spec.finalizers, and nothing
 * else. A namespace that is being deleted and has none left is gone, whatever is still in it. */
#include "hub/api/internal.h"

#include <string.h>

bool hub_finalize_is(const struct hub_request *r)
{
    return r->path.group.len == 0 && fed_span_is(r->path.resource, "namespaces") &&
           fed_span_is(r->path.subresource, "finalize");
}

static enum fed_err set_finalizers(
    struct hub_request *r, const struct fed_json *given, struct fed_json *next)
{
    struct fed_json *spec = fed_json_ensure_object(r->doc, next, "spec");
    const struct fed_json *list = fed_json_find(given, "spec.finalizers");
    struct hub_causes *causes = hub_causes_new(r);

    if (!spec || !causes)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < fed_json_count(list); i++)
        if (fed_json_string(fed_json_at(list, i)).len == 0)
            hub_causes_add(causes, "FieldValueInvalid", "spec.finalizers",
                "Invalid value: \"\": name part must be non-empty");
    if (causes->n > 0)
        return hub_fail_causes(r, causes);
    if (fed_json_count(list) == 0) {
        fed_json_remove(spec, "finalizers");
        return FED_OK;
    }
    return fed_json_set(r->doc, spec, "finalizers", fed_json_clone(r->doc, list));
}

static enum fed_err store(struct hub_request *r, const struct hub_write *w, struct fed_json *next)
{
    struct hub_object_write write = {.ref = w->ref, .expected = w->live_revision};
    struct hub_view view = {r->api, r->kind, r->version};
    struct fed_diag diag = {{0}};
    uint64_t revision = w->live_revision;
    struct fed_json *object;
    struct fed_buf bytes;
    enum fed_err err;

    write.remove = hub_meta(next, "deletionTimestamp").len > 0 &&
                   !hub_object_has_finalizers(next) &&
                   fed_json_count(fed_json_find(next, "spec.finalizers")) == 0;
    fed_buf_init(&bytes, r->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_object_bytes(next, &bytes);
    write.bytes = fed_buf_span(&bytes);
    if (!err && !r->query.dry_run)
        err = hub_objects_commit(r->api->objects, &write, 1, NULL, 0, &revision, &diag);
    if (!err)
        err = hub_object_view(
            &view, r->doc, &w->ref, fed_buf_span(&bytes), &revision, &object, &diag);
    return err ? hub_fail_err(r, err, &diag) : hub_respond_object(r, 200, object);
}

enum fed_err hub_handle_finalize(struct hub_request *r)
{
    struct hub_write w = {.success = 200};
    struct fed_json *next;
    struct fed_span version;
    uint64_t revision;
    enum fed_err err;

    if (!fed_span_is(r->http->method, "PUT"))
        return hub_fail(r, 405, "MethodNotAllowed",
            "the server does not allow this method on the requested resource");
    err = hub_decode_body(r, &w.next);
    if (!err)
        err = hub_write_identity(r, w.next, true);
    if (!err)
        err = hub_write_load(r, &w);
    if (err == FED_ERR_NOT_FOUND && r->failure.code == 0)
        return hub_fail_not_found(r);
    if (err)
        return err;
    version = hub_meta(w.next, "resourceVersion");
    if (version.len > 0 && (fed_span_to_u64(version, &revision) || revision < w.live_revision))
        return hub_fail_err(r, FED_ERR_CONFLICT, NULL);
    next = fed_json_clone(r->doc, w.live);
    err = next ? set_finalizers(r, w.next, next) : FED_ERR_NOMEM;
    return err ? err : store(r, &w, next);
}
