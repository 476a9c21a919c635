/* handle_write.c - POST and PUT. */
#include "hub/api/internal.h"
#include "hub/api/meta.h"
#include "hub/api/options.h"

enum fed_err hub_check_duplicates(struct hub_request *r, const struct fed_json *body)
{
    struct fed_buf path;
    struct fed_buf text;

    fed_buf_init(&path, r->mem, 4096);
    if (r->query.field_validation == HUB_VALIDATE_IGNORE || !fed_json_duplicate_key(body, &path))
        return FED_OK;
    fed_buf_init(&text, r->mem, 8192);
    fed_buf_printf(&text, "duplicate field \"%s\"", fed_buf_cstr(&path));
    if (r->query.field_validation == HUB_VALIDATE_STRICT)
        return hub_fail(r, 400, "BadRequest",
            "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s",
            r->kind->kind, r->version->name, r->kind->kind, fed_buf_cstr(&text));
    hub_request_warn(r, fed_buf_cstr(&text));
    return FED_OK;
}

enum fed_err hub_handle_create(struct hub_request *r)
{
    struct hub_write w = {.success = 201, .manager = hub_request_manager(r)};
    enum fed_err err = hub_options_write(r, "CreateOptions");

    if (!err)
        err = hub_decode_body(r, &w.next);
    if (!err)
        err = hub_check_duplicates(r, w.next);
    if (!err)
        err = hub_write_identity(r, w.next, false);
    if (!err) /* some kinds repeat it in a label */
        err = hub_meta_generate_name(r, fed_json_get(w.next, "metadata"));
    if (!err)
        err = hub_write_clean(r, w.next);
    if (err)
        return err;
    w.clean = true;
    r->path.name = hub_meta(w.next, "name");
    if (hub_meta(w.next, "resourceVersion").len > 0 &&
        !fed_span_is(hub_meta(w.next, "resourceVersion"), "0"))
        return hub_fail(r, 500, "", "resourceVersion should not be set on objects to be created");
    return hub_write_create(r, &w);
}

enum fed_err hub_handle_update(struct hub_request *r)
{
    struct hub_write w = {.success = 200, .manager = hub_request_manager(r)};
    enum fed_err err = hub_options_write(r, "UpdateOptions");

    if (!err)
        err = hub_decode_body(r, &w.next);
    if (!err)
        err = hub_check_duplicates(r, w.next);
    if (!err)
        err = hub_write_identity(r, w.next, true);
    if (!err)
        err = hub_write_clean(r, w.next);
    if (err)
        return err;
    w.clean = true;
    err = hub_write_load(r, &w);
    if (err == FED_ERR_NOT_FOUND)
        return hub_fail_not_found(r);
    return err ? err : hub_write_update(r, &w);
}
