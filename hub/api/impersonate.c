/* impersonate.c - acting as somebody else: each name, group, uid and extra that is claimed takes
 * the right to impersonate it.
 *
 * Source: k8s.io/apiserver endpoints/filters/impersonation.go. */
#include "hub/api/internal.h"

#include "proto/base/text.h"

#define EXTRA_PREFIX "impersonate-extra-"

/* One right to impersonate. */
static enum fed_err may(struct hub_request *r, const struct hub_access *access)
{
    struct hub_reason reason;

    return hub_api_authorize(r->api, &r->user, access, &reason)
               ? FED_OK
               : hub_fail_forbidden(r, access, reason.text);
}

static enum fed_err too_much(struct hub_request *r, const char *header)
{
    return hub_fail(r, 400, "BadRequest",
        "%s: more, or longer, than the hub takes: at most %u groups of 127 bytes, %u extras, a "
        "name "
        "of %u bytes",
        header, HUB_USER_GROUPS_MAX, HUB_USER_EXTRA_MAX, HUB_USER_NAME_SIZE - 1);
}

static enum fed_err take_user(struct hub_request *r, struct fed_span name, struct hub_user *as)
{
    struct hub_access access = {
        .verb = FED_SPAN_LIT("impersonate"), .resource = FED_SPAN_LIT("users"), .name = name};
    struct fed_span ns;
    struct fed_span account;
    enum fed_err err;

    if (hub_user_service_account(name, &ns, &account)) {
        access.resource = FED_SPAN_LIT("serviceaccounts");
        access.ns = ns;
        access.name = account;
    }
    err = may(r, &access);
    if (err)
        return err;
    return hub_user_set_name(as, name) ? too_much(r, "Impersonate-User") : FED_OK;
}

static enum fed_err take_group(struct hub_request *r, struct fed_span group, struct hub_user *as)
{
    struct hub_access access = {
        .verb = FED_SPAN_LIT("impersonate"), .resource = FED_SPAN_LIT("groups"), .name = group};
    enum fed_err err = may(r, &access);

    if (err)
        return err;
    return hub_user_add_group(as, group) ? too_much(r, "Impersonate-Group") : FED_OK;
}

static enum fed_err take_extra(
    struct hub_request *r, const struct fed_http_header *header, struct hub_user *as)
{
    struct fed_span key = fed_span_sub(header->name, sizeof EXTRA_PREFIX - 1, header->name.len);
    struct hub_access access = {.verb = FED_SPAN_LIT("impersonate"),
        .group = FED_SPAN_LIT("authentication.k8s.io"),
        .resource = FED_SPAN_LIT("userextras"),
        .name = header->value};
    enum fed_err err;

    if (hub_percent_decode(r->mem, key, false, &access.subresource))
        access.subresource = key;
    err = may(r, &access);
    if (err)
        return err;
    return hub_user_add_extra(as, access.subresource, header->value)
               ? too_much(r, "Impersonate-Extra-")
               : FED_OK;
}

static enum fed_err take_uid(struct hub_request *r, struct fed_span uid, struct hub_user *as)
{
    struct hub_access access = {.verb = FED_SPAN_LIT("impersonate"),
        .group = FED_SPAN_LIT("authentication.k8s.io"),
        .resource = FED_SPAN_LIT("uids"),
        .name = uid};
    enum fed_err err = uid.len > 0 ? may(r, &access) : FED_OK;

    if (err)
        return err;
    return fed_span_to_cstr(uid, as->uid, sizeof as->uid) ? too_much(r, "Impersonate-Uid") : FED_OK;
}

static bool has_any(const struct hub_request *r)
{
    for (size_t i = 0; i < r->http->n_headers; i++)
        if (fed_span_starts(r->http->headers[i].name, "impersonate-"))
            return true;
    return false;
}

static enum fed_err take_headers(struct hub_request *r, struct hub_user *as)
{
    struct fed_span ns;
    struct fed_span account;
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < r->http->n_headers; i++)
        if (fed_span_is(r->http->headers[i].name, "impersonate-group"))
            err = take_group(r, r->http->headers[i].value, as);
    if (!err && as->n_groups == 0 &&
        hub_user_service_account(fed_span_text(as->name), &ns, &account) &&
        hub_user_add_service_account_groups(as, ns))
        err = too_much(r, "Impersonate-User");
    for (size_t i = 0; !err && i < r->http->n_headers; i++)
        if (fed_span_starts(r->http->headers[i].name, EXTRA_PREFIX))
            err = take_extra(r, &r->http->headers[i], as);
    return err ? err : take_uid(r, hub_request_header(r, "impersonate-uid"), as);
}

/* system:authenticated, unless the groups that were claimed say otherwise. */
static enum fed_err take_last_group(struct hub_request *r, struct hub_user *as)
{
    bool stranger = fed_span_is(fed_span_text(as->name), HUB_USER_ANONYMOUS);
    const char *group = stranger ? HUB_GROUP_UNAUTHENTICATED : HUB_GROUP_AUTHENTICATED;

    if (hub_user_in_group(as, HUB_GROUP_UNAUTHENTICATED) ||
        (!stranger && hub_user_in_group(as, HUB_GROUP_AUTHENTICATED)))
        return FED_OK;
    return hub_user_add_group(as, fed_span_text(group)) ? too_much(r, "Impersonate-Group") : FED_OK;
}

enum fed_err hub_impersonate(struct hub_request *r)
{
    struct fed_span name = hub_request_header(r, "impersonate-user");
    struct hub_user *self;
    struct hub_user *as;
    enum fed_err err;

    if (!has_any(r))
        return FED_OK;
    if (r->user.anonymous) {
        hub_fail(r, 401, "Unauthorized", "Unauthorized");
        return FED_ERR_UNAUTHENTICATED;
    }
    if (name.len == 0)
        return hub_fail(r, 500, "InternalError",
            "Impersonate-Group, -Uid or -Extra- is given without impersonating a user");
    as = fed_alloc_zero(r->mem, sizeof *as);
    self = fed_alloc_get(r->mem, sizeof *self);
    if (!as || !self)
        return FED_ERR_NOMEM;
    err = take_user(r, name, as);
    if (!err)
        err = take_headers(r, as);
    if (!err)
        err = take_last_group(r, as);
    if (err)
        return err;
    *self = r->user;
    r->impersonator = self;
    r->user = *as;
    return FED_OK;
}
