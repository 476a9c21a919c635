/* authorize.c - what a request asks for, and whether it is allowed.
 *
 * In this order: agents get nothing here (their link is elsewhere), admins everything, strangers
 * what is open, everybody else what RBAC says. */
#include "hub/api/guest.h"

#include <string.h>

static bool is_open_path(struct fed_span path)
{
    static const char *const open[] = {"/healthz", "/livez", "/readyz", "/version"};

    while (path.len > 1 && path.at[path.len - 1] == '/')
        path.len--;
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (fed_span_is(path, open[i]))
            return true;
    return false;
}

bool hub_api_authorize(const struct hub_api *api, const struct hub_user *user,
    const struct hub_access *access, struct hub_reason *reason)
{
    if (reason)
        reason->text[0] = 0;
    if (access->resource.len == 0 && fed_span_is(access->verb, "get") && is_open_path(access->path))
        return true;
    if (user->anonymous || hub_user_is_agent(user))
        return false;
    return hub_user_is_admin(user) || hub_rbac_allows(api->rbac, user, access, reason);
}

/* ---- what is asked ---- */
static const char *resource_verb(const struct hub_request *r)
{
    struct fed_span method = r->http->method;
    bool named = r->path.name.len > 0;

    if (fed_span_is(method, "GET") || fed_span_is(method, "HEAD"))
        return r->query.watch ? "watch" : named ? "get" : "list";
    if (fed_span_is(method, "POST"))
        return "create";
    if (fed_span_is(method, "PUT"))
        return "update";
    if (fed_span_is(method, "PATCH"))
        return "patch";
    if (fed_span_is(method, "DELETE"))
        return named ? "delete" : "deletecollection";
    return "unknown";
}

static struct fed_span path_verb(struct hub_request *r)
{
    struct fed_span method = r->http->method;
    uint8_t *lower = fed_alloc_get(r->mem, method.len + 1);

    if (fed_span_is(method, "HEAD"))
        return FED_SPAN_LIT("get");
    if (!lower)
        return FED_SPAN_LIT("unknown");
    for (size_t i = 0; i < method.len; i++)
        lower[i] = method.at[i] >= 'A' && method.at[i] <= 'Z' ? (uint8_t)(method.at[i] + 32)
                                                              : method.at[i];
    return fed_span_of(lower, method.len);
}

/* A list of one name (fieldSelector metadata.name=x) is asked of that name. */
static struct fed_span selected_name(const struct hub_request *r)
{
    struct fed_span rest = r->query.field_selector;
    struct fed_span term;

    while (fed_span_split(&rest, ',', &term)) {
        static const char *const forms[] = {"metadata.name==", "metadata.name="};

        for (size_t i = 0; i < 2; i++)
            if (fed_span_starts(term, forms[i])) {
                struct fed_span name = fed_span_sub(term, strlen(forms[i]), term.len);

                return fed_span_find(name, '\\') == name.len && fed_span_find(name, '/') == name.len
                           ? name
                           : (struct fed_span){0};
            }
    }
    return (struct fed_span){0};
}

static void access_of(struct hub_request *r, struct hub_access *access)
{
    *access = (struct hub_access){.verb = {0}};
    if (r->path.endpoint != HUB_ENDPOINT_RESOURCE) {
        access->path = r->http->path;
        access->verb = path_verb(r);
        return;
    }
    access->verb = fed_span_text(resource_verb(r));
    access->group = r->path.group;
    access->resource = r->path.resource;
    access->subresource = r->path.subresource;
    access->ns = r->path.ns;
    access->name = r->path.name;
    if (access->name.len == 0 && !fed_span_is(access->verb, "create"))
        access->name = selected_name(r);
    /* A namespace is in itself, so that a Role in it can give the right to read it. */
    if (access->group.len == 0 && fed_span_is(access->resource, "namespaces") &&
        access->ns.len == 0)
        access->ns = r->path.name;
}

/* ---- refusals ---- */
static void put_safe(struct fed_buf *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '<')
            fed_buf_put_text(out, "&lt;");
        else if (*c == '>')
            fed_buf_put_text(out, "&gt;");
        else if (*c == '&')
            fed_buf_put_text(out, "&amp;");
        else
            fed_buf_put_u8(out, (uint8_t)*c);
    }
}

static void put_what(struct fed_buf *out, const struct hub_user *user, const struct hub_access *a)
{
    if (a->resource.len == 0) {
        fed_buf_printf(out, "User \"%s\" cannot " FED_SPAN_FMT " path \"" FED_SPAN_FMT "\"",
            user->name, FED_SPAN_ARG(a->verb), FED_SPAN_ARG(a->path));
        return;
    }
    fed_buf_printf(out,
        "User \"%s\" cannot " FED_SPAN_FMT " resource \"" FED_SPAN_FMT "%s" FED_SPAN_FMT
        "\" in API group \"" FED_SPAN_FMT "\"",
        user->name, FED_SPAN_ARG(a->verb), FED_SPAN_ARG(a->resource), a->subresource.len ? "/" : "",
        FED_SPAN_ARG(a->subresource), FED_SPAN_ARG(a->group));
    if (a->ns.len > 0)
        fed_buf_printf(out, " in the namespace \"" FED_SPAN_FMT "\"", FED_SPAN_ARG(a->ns));
    else
        fed_buf_put_text(out, " at the cluster scope");
}

static void put_subject(struct fed_buf *out, const struct hub_access *a)
{
    if (a->resource.len == 0) {
        fed_buf_put_text(out, "forbidden: ");
        return;
    }
    fed_buf_printf(out, FED_SPAN_FMT "%s" FED_SPAN_FMT, FED_SPAN_ARG(a->resource),
        a->group.len ? "." : "", FED_SPAN_ARG(a->group));
    if (a->name.len > 0)
        fed_buf_printf(out, " \"" FED_SPAN_FMT "\"", FED_SPAN_ARG(a->name));
    fed_buf_put_text(out, " is forbidden: ");
}

enum fed_err hub_fail_forbidden(
    struct hub_request *r, const struct hub_access *access, const char *reason)
{
    struct fed_buf what;
    struct fed_buf text;

    r->kind = NULL;
    if (r->user.anonymous) {
        hub_fail(r, 401, "Unauthorized", "Unauthorized");
        return FED_ERR_UNAUTHENTICATED;
    }
    fed_buf_init(&what, r->mem, 16384);
    fed_buf_init(&text, r->mem, 65536);
    put_what(&what, &r->user, access);
    put_subject(&text, access);
    put_safe(&text, fed_buf_cstr(&what));
    if (reason[0]) {
        fed_buf_put_text(&text, ": ");
        fed_buf_put_text(&text, reason);
    }
    hub_fail(r, 403, "Forbidden", "%s", fed_buf_cstr(&text));
    r->failure.forbidden = *access;
    return FED_ERR_FORBIDDEN;
}

enum fed_err hub_identify_request(struct hub_request *r)
{
    enum fed_err err;

    access_of(r, &r->access);
    err = hub_authenticate(r);
    return err ? err : hub_impersonate(r);
}

enum fed_err hub_require(struct hub_request *r, const struct hub_access *access)
{
    r->authorized = hub_api_authorize(r->api, &r->user, access, &r->reason);
    return r->authorized ? FED_OK : hub_fail_forbidden(r, access, r->reason.text);
}

enum fed_err hub_require_user(struct hub_request *r)
{
    if (r->user.anonymous)
        return hub_fail_forbidden(r, &r->access, "");
    r->authorized = !hub_user_is_agent(&r->user);
    return r->authorized ? FED_OK : hub_fail_forbidden(r, &r->access, "agents have none here");
}

enum fed_err hub_authorize_request(struct hub_request *r)
{
    enum fed_err err = hub_identify_request(r);

    if (err)
        return err;
    r->authorized = hub_api_authorize(r->api, &r->user, &r->access, &r->reason);
    return r->authorized ? FED_OK : hub_fail_forbidden(r, &r->access, r->reason.text);
}

enum fed_err hub_authorize_verb(struct hub_request *r, const char *verb)
{
    struct hub_access access = r->access;
    struct hub_reason reason;

    access.verb = fed_span_text(verb);
    return hub_api_authorize(r->api, &r->user, &access, &reason)
               ? FED_OK
               : hub_fail_forbidden(r, &access, reason.text);
}
