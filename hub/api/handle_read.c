/* handle_read.c - what a kind has below its objects that is only read (hub_kind_hooks.read). */
#include "hub/api/internal.h"

bool hub_read_is(const struct hub_kind *kind, struct fed_span subresource)
{
    for (const char *const *name = kind->hooks.reads; name && *name; name++)
        if (fed_span_is(subresource, *name))
            return true;
    return false;
}

static struct fed_span param(struct hub_kind_read *read, const char *name)
{
    return hub_request_param(read->request, name);
}

static bool allows(struct hub_kind_read *read, const struct hub_access *access)
{
    return hub_api_authorize(read->request->api, &read->request->user, access, NULL);
}

enum fed_err hub_handle_read(struct hub_request *r)
{
    struct hub_kind_read read = {.ref = hub_request_ref(r),
        .subresource = r->path.subresource,
        .request = r,
        .param = param,
        .allows = allows};
    struct fed_diag diag = {""};
    struct fed_buf body;
    enum fed_err err;

    fed_buf_init(&body, r->mem, HUB_LIMIT_ANSWER_BYTES);
    read.out = &body;
    err = r->kind->hooks.read(r->kind->hooks.ctx, &read, &diag);
    if (!err)
        err = fed_buf_err(&body);
    if (err == FED_ERR_NOT_FOUND && !diag.text[0])
        return hub_fail_not_found(r);
    if (err == FED_ERR_INVALID)
        return hub_fail(r, 400, "BadRequest", "%s", diag.text);
    return err ? hub_fail_err(r, err, &diag)
               : hub_respond(r, 200, "application/json", fed_buf_span(&body), NULL, 0);
}
