/* handle_get.c - one object; also its status subresource, which shows the same object. */
#include "hub/api/options.h"

static enum fed_err respond_plain(
    struct hub_request *r, struct fed_span bytes, struct fed_span metadata, uint64_t revision)
{
    struct fed_buf body;
    enum fed_err err;

    fed_buf_init(&body, r->api->mem, HUB_LIMIT_ANSWER_BYTES);
    hub_object_put_plain(&body, bytes, metadata, 0, revision);
    fed_buf_put_text(&body, "\n");
    err = hub_respond_take(r, &body);
    fed_buf_fini(&body);
    return err;
}

enum fed_err hub_handle_get(struct hub_request *r)
{
    struct hub_view view = hub_view_of(r);
    struct hub_object_ref ref = hub_request_ref(r);
    struct fed_buf bytes;
    struct fed_span metadata;
    struct fed_diag diag = {{0}};
    struct fed_json *object = NULL;
    uint64_t revision = 0;
    enum fed_err err;

    err = hub_options_resource_version(r);
    if (err)
        return err;
    fed_buf_init(&bytes, r->mem, FED_STORE_VALUE_MAX);
    err = hub_objects_get(r->api->objects, &ref, &bytes, &revision);
    if (err == FED_ERR_NOT_FOUND)
        return hub_fail_not_found(r);
    if (!err && r->accept.form == HUB_FORM_OBJECT &&
        hub_object_is_plain(&view, fed_buf_span(&bytes), revision, &metadata))
        return respond_plain(r, fed_buf_span(&bytes), metadata, revision);
    if (!err)
        err = hub_object_view(&view, r->doc, &ref, fed_buf_span(&bytes), &revision, &object, &diag);
    return err ? hub_fail_err(r, err, &diag) : hub_respond_object(r, 200, object);
}
