/* authorize.c - who asks, by client certificate, and what they may do. */
#include "hub/api/internal.h"

#include <stdio.h>
#include <string.h>

static void group_add(struct hub_user *user, const char *group)
{
    if (user->n_groups < HUB_USER_GROUPS_MAX)
        snprintf(user->groups[user->n_groups++], sizeof user->groups[0], "%s", group);
}

static bool in_group(const struct hub_user *user, const char *group)
{
    for (size_t i = 0; i < user->n_groups; i++)
        if (strcmp(user->groups[i], group) == 0)
            return true;
    return false;
}

void hub_user_of(const struct fed_http_request *http, struct hub_user *out)
{
    const struct fed_crypto_cert_info *peer = http->peer;

    *out = (struct hub_user){.n_groups = 0};
    if (!peer || peer->common_name[0] == 0) {
        snprintf(out->name, sizeof out->name, "system:anonymous");
        group_add(out, "system:unauthenticated");
        out->anonymous = true;
        return;
    }
    snprintf(out->name, sizeof out->name, "%s", peer->common_name);
    for (size_t i = 0; i < peer->n_organizations; i++)
        group_add(out, peer->organizations[i]);
    group_add(out, "system:authenticated");
}

bool hub_user_is_admin(const struct hub_user *user)
{
    /* An agent's certificate is an agent's, whatever else stands in it. */
    return !in_group(user, "fedlet:agents") &&
           (in_group(user, "system:masters") || in_group(user, "fedlet:admins"));
}

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

/* Anybody who is known may ask what they may do: kube-apiserver's system:basic-user. */
static bool is_self_review(const struct hub_access *access)
{
    struct hub_path path = {
        .group = access->group, .version = FED_SPAN_LIT("v1"), .resource = access->resource};

    return hub_review_is(&path) && strcmp(access->verb, "create") == 0;
}

bool hub_api_authorize(
    const struct hub_api *api, const struct hub_user *user, const struct hub_access *access)
{
    (void)api;
    if (hub_user_is_admin(user))
        return true;
    if (is_self_review(access))
        return !user->anonymous && !in_group(user, "fedlet:agents");
    return access->resource.len == 0 && is_open_path(access->path) &&
           strcmp(access->verb, "get") == 0;
}

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

static bool path_verb_is_get(struct fed_span method)
{
    return fed_span_is(method, "GET") || fed_span_is(method, "HEAD");
}

static enum fed_err refuse(struct hub_request *r, const struct hub_access *access)
{
    r->kind = NULL;
    if (r->user.anonymous) {
        hub_fail(r, 401, "Unauthorized", "Unauthorized");
        return FED_ERR_UNAUTHENTICATED;
    }
    if (access->resource.len == 0)
        hub_fail(r, 403, "Forbidden", "forbidden: User \"%s\" cannot %s path \"" FED_SPAN_FMT "\"",
            r->user.name, access->verb, FED_SPAN_ARG(access->path));
    else
        hub_fail(r, 403, "Forbidden",
            FED_SPAN_FMT "%s" FED_SPAN_FMT
                         " is forbidden: User \"%s\" cannot %s resource \"" FED_SPAN_FMT
                         "\" in API group \"" FED_SPAN_FMT "\"%s" FED_SPAN_FMT "%s",
            FED_SPAN_ARG(access->resource), access->group.len ? "." : "",
            FED_SPAN_ARG(access->group), r->user.name, access->verb, FED_SPAN_ARG(access->resource),
            FED_SPAN_ARG(access->group), access->ns.len ? " in the namespace \"" : "",
            FED_SPAN_ARG(access->ns), access->ns.len ? "\"" : " at the cluster scope");
    return FED_ERR_FORBIDDEN;
}

/* Acting as somebody else: for those who may do all anyway, and then with that user's rights alone.
 */
static enum fed_err impersonate(struct hub_request *r)
{
    struct fed_span name = hub_request_header(r, "impersonate-user");
    bool admin = hub_user_is_admin(&r->user);

    if (name.len == 0)
        return FED_OK;
    if (!admin)
        return hub_fail(r, 403, "Forbidden", "User \"%s\" cannot impersonate", r->user.name);
    r->user = (struct hub_user){.n_groups = 0};
    if (fed_span_to_cstr(name, r->user.name, sizeof r->user.name))
        return hub_fail(r, 400, "BadRequest", "Impersonate-User is too long");
    for (size_t i = 0; i < r->http->n_headers; i++)
        if (fed_span_is(r->http->headers[i].name, "impersonate-group"))
            group_add(&r->user, hub_request_cstr(r, r->http->headers[i].value));
    group_add(&r->user, "system:authenticated");
    return FED_OK;
}

enum fed_err hub_authorize_request(struct hub_request *r)
{
    struct hub_access access = {.verb = resource_verb(r)};
    enum fed_err err;

    hub_user_of(r->http, &r->user);
    err = impersonate(r);
    if (err)
        return err;
    if (r->path.endpoint == HUB_ENDPOINT_RESOURCE) {
        access.group = r->path.group;
        access.resource = r->path.resource;
        access.subresource = r->path.subresource;
        access.ns = r->path.ns;
        access.name = r->path.name;
    } else {
        access.path = r->http->path;
        access.verb = path_verb_is_get(r->http->method) ? "get" : "post";
    }
    return hub_api_authorize(r->api, &r->user, &access) ? FED_OK : refuse(r, &access);
}
