/* reviews.c - SelfSubjectAccessReview, SelfSubjectRulesReview, SelfSubjectReview: what may I, who
 * am I. */
#include "hub/api/internal.h"

static enum fed_err access_review(struct hub_request *r, struct fed_json *body)
{
    const struct fed_json *resource = fed_json_find(body, "spec.resourceAttributes");
    const struct fed_json *other = fed_json_find(body, "spec.nonResourceAttributes");
    const struct fed_json *from = resource ? resource : other;
    struct hub_access access = {
        .verb = hub_request_cstr(r, fed_json_string(fed_json_get(from, "verb"))),
        .group = fed_json_string(fed_json_get(resource, "group")),
        .resource = fed_json_string(fed_json_get(resource, "resource")),
        .subresource = fed_json_string(fed_json_get(resource, "subresource")),
        .ns = fed_json_string(fed_json_get(resource, "namespace")),
        .name = fed_json_string(fed_json_get(resource, "name")),
        .path = fed_json_string(fed_json_get(other, "path")),
    };
    struct fed_json *status = fed_json_new_object(r->doc);
    enum fed_err err;

    if (!from)
        return hub_fail(r, 400, "BadRequest",
            "spec: exactly one of resourceAttributes and nonResourceAttributes must be given");
    if (!status)
        return FED_ERR_NOMEM;
    err =
        fed_json_set_bool(r->doc, status, "allowed", hub_api_authorize(r->api, &r->user, &access));
    if (!err)
        err = fed_json_set(r->doc, body, "status", status);
    return err;
}

static enum fed_err rules_review(struct hub_request *r, struct fed_json *body)
{
    static const char all[] =
        "{\"resourceRules\":[{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]}],"
        "\"nonResourceRules\":[{\"verbs\":[\"*\"],\"nonResourceURLs\":[\"*\"]}],\"incomplete\":"
        "false}";
    static const char open[] =
        "{\"resourceRules\":[],\"nonResourceRules\":[{\"verbs\":[\"get\"],\"nonResourceURLs\":"
        "[\"/healthz\",\"/livez\",\"/readyz\",\"/version\"]}],\"incomplete\":false}";
    struct fed_json *status;
    enum fed_err err = fed_json_parse(r->doc,
        hub_user_is_admin(&r->user) ? fed_span_text(all) : fed_span_text(open), &status, NULL);

    return err ? err : fed_json_set(r->doc, body, "status", status);
}

static enum fed_err self_review(struct hub_request *r, struct fed_json *body)
{
    struct fed_json *status = fed_json_new_object(r->doc);
    struct fed_json *info = fed_json_new_object(r->doc);
    struct fed_json *groups = fed_json_new_array(r->doc);
    enum fed_err err = status && info && groups ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < r->user.n_groups; i++)
        err = fed_json_append(groups, fed_json_new_text(r->doc, r->user.groups[i]));
    if (!err)
        err = fed_json_set_text(r->doc, info, "username", r->user.name);
    if (!err)
        err = fed_json_set(r->doc, info, "groups", groups);
    if (!err)
        err = fed_json_set(r->doc, status, "userInfo", info);
    return err ? err : fed_json_set(r->doc, body, "status", status);
}

enum fed_err hub_handle_review(struct hub_request *r)
{
    struct fed_json *body = NULL;
    enum fed_err err;

    if (!fed_span_is(r->http->method, "POST") || r->path.name.len > 0)
        return hub_fail(r, 405, "MethodNotAllowed",
            "the server does not allow this method on the requested resource");
    err = hub_decode_body(r, &body);
    if (err)
        return err;
    if (!fed_json_is_object(body) || !fed_json_ensure_object(r->doc, body, "metadata"))
        return hub_fail(r, 400, "BadRequest", "the body is not a review");
    if (fed_span_is(r->path.resource, "selfsubjectaccessreviews"))
        err = access_review(r, body);
    else if (fed_span_is(r->path.resource, "selfsubjectrulesreviews"))
        err = rules_review(r, body);
    else
        err = self_review(r, body);
    return err ? err : hub_respond_json(r, 201, body);
}
