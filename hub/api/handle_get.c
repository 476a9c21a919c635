/* handle_get.c - one object; also its status subresource, which shows the same object. */
#include "hub/api/internal.h"

enum fed_err hub_handle_get(struct hub_request *r)
{
    struct hub_view view = {r->api, r->kind, r->version};
    struct hub_object_ref ref = hub_request_ref(r);
    struct fed_buf bytes;
    struct fed_diag diag = {{0}};
    struct fed_json *object = NULL;
    uint64_t revision = 0;
    enum fed_err err;

    fed_buf_init(&bytes, r->mem, FED_STORE_VALUE_MAX);
    err = hub_objects_get(r->api->objects, &ref, &bytes, &revision);
    if (err == FED_ERR_NOT_FOUND)
        return hub_fail_not_found(r);
    if (!err)
        err = hub_object_view(&view, r->doc, &ref, fed_buf_span(&bytes), &revision, &object, &diag);
    return err ? hub_fail_err(r, err, &diag) : hub_respond_object(r, 200, object);
}
