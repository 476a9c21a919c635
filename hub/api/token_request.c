/* token_request.c - POST .../serviceaccounts/NAME/token: a token for a ServiceAccount, not stored.
 *
 * Source: authentication.k8s.io/v1 TokenRequest, k8s.io/kubernetes registry/core/serviceaccount. */
#include "hub/api/internal.h"

#include "proto/base/text.h"

#include <stdio.h>

#define TTL_DEFAULT_S 3600
#define TTL_API_MAX ((int64_t)1 << 32)
#define KIND "TokenRequest.authentication.k8s.io"

bool hub_token_request_is(const struct hub_path *path)
{
    return path->group.len == 0 && fed_span_is(path->version, "v1") && path->ns.len > 0 &&
           path->name.len > 0 && fed_span_is(path->resource, "serviceaccounts") &&
           fed_span_is(path->subresource, "token");
}

static enum fed_err invalid(
    struct hub_request *r, const char *name, const char *field, const char *why)
{
    struct hub_causes *causes = hub_causes_new(r);

    if (!causes)
        return FED_ERR_NOMEM;
    hub_causes_add(causes, "FieldValueInvalid", field, "%s", why);
    hub_fail(r, 422, "Invalid", KIND " \"%s\" is invalid: %s: %s", name, field, why);
    r->failure.causes = causes;
    return FED_ERR_INVALID;
}

static enum fed_err check_names(struct hub_request *r, const struct fed_json *body)
{
    struct fed_span name = hub_meta(body, "name");
    struct fed_span ns = hub_meta(body, "namespace");
    const char *account = hub_request_cstr(r, r->path.name);

    if (name.len > 0 && !fed_span_eq(name, r->path.name))
        return invalid(r, account, "metadata.name",
            "Invalid value: must match the service account name if specified");
    if (ns.len > 0 && !fed_span_eq(ns, r->path.ns))
        return invalid(r, account, "metadata.namespace",
            "Invalid value: must match the service account namespace if specified");
    return FED_OK;
}

static enum fed_err fail_object_missing(
    struct hub_request *r, const char *resource, struct fed_span name)
{
    hub_fail(r, 404, "NotFound", "%s \"" FED_SPAN_FMT "\" not found", resource, FED_SPAN_ARG(name));
    return FED_ERR_NOT_FOUND;
}

static enum fed_err load(struct hub_request *r, const char *resource, struct fed_span ns,
    struct fed_span name, struct fed_json **out)
{
    struct hub_object_ref ref = {fed_span_text(resource), ns, name};
    uint64_t revision;
    enum fed_err err =
        name.len > 0 ? hub_object_load(r->api, r->doc, &ref, out, &revision) : FED_ERR_NOT_FOUND;

    return err == FED_ERR_NOT_FOUND || err == FED_ERR_INVALID
               ? fail_object_missing(r, resource, name)
               : err;
}

static enum fed_err uid_conflict(struct hub_request *r, const char *resource, struct fed_span name,
    const char *what, struct fed_span asked)
{
    hub_fail(r, 409, "Conflict",
        "Operation cannot be fulfilled on %s \"" FED_SPAN_FMT "\": the UID in the %s (" FED_SPAN_FMT
        ") does not match the UID in record. The object might have been deleted and then recreated",
        resource, FED_SPAN_ARG(name), what, FED_SPAN_ARG(asked));
    return FED_ERR_CONFLICT;
}

/* ---- what it is bound to ---- */
static enum fed_err bind_to(
    struct hub_request *r, const struct fed_json *ref, struct hub_token_request *request)
{
    static const struct {
        const char *kind;
        const char *claim;
        const char *resource;
        bool namespaced;
    } kinds[] = {{"Secret", "secret", "secrets", true}, {"Pod", "pod", "pods", true},
        {"Node", "node", "nodes", false}};
    struct fed_span kind = fed_json_string(fed_json_get(ref, "kind"));
    struct fed_span uid = fed_json_string(fed_json_get(ref, "uid"));
    struct fed_json *object;
    enum fed_err err;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!fed_span_is(kind, kinds[i].kind) ||
            !fed_span_is(fed_json_string(fed_json_get(ref, "apiVersion")), "v1"))
            continue;
        request->bound_name = fed_json_string(fed_json_get(ref, "name"));
        err = load(r, kinds[i].resource, kinds[i].namespaced ? request->ns : (struct fed_span){0},
            request->bound_name, &object);
        if (err)
            return err;
        request->bound_kind = kinds[i].claim;
        request->bound_uid = hub_meta(object, "uid");
        return uid.len == 0 || fed_span_eq(uid, request->bound_uid)
                   ? FED_OK
                   : uid_conflict(
                         r, kinds[i].resource, request->bound_name, "bound object reference", uid);
    }
    return hub_fail(r, 400, "BadRequest",
        "cannot bind token to object of type " FED_SPAN_FMT ", Kind=" FED_SPAN_FMT,
        FED_SPAN_ARG(fed_json_string(fed_json_get(ref, "apiVersion"))), FED_SPAN_ARG(kind));
}

/* ---- for how long, for whom ---- */
static enum fed_err take_ttl(
    struct hub_request *r, struct fed_json *spec, struct hub_token_request *request)
{
    const struct fed_json *asked = fed_json_get(spec, "expirationSeconds");
    int64_t ttl_s = fed_json_int(asked, asked ? 0 : TTL_DEFAULT_S);
    char text[160];

    snprintf(text, sizeof text, "Invalid value: %lld: may not specify a duration %s",
        (long long)ttl_s,
        ttl_s < HUB_TOKEN_TTL_MIN_S ? "less than 10 minutes" : "larger than 2^32 seconds");
    if (ttl_s < HUB_TOKEN_TTL_MIN_S || ttl_s > TTL_API_MAX)
        return invalid(r, "", "spec.expirationSeconds", text);
    if (ttl_s > HUB_TOKEN_TTL_MAX_S) {
        snprintf(text, sizeof text, "requested expiration of %lld seconds shortened to %d seconds",
            (long long)ttl_s, HUB_TOKEN_TTL_MAX_S);
        hub_request_warn(r, text);
        ttl_s = HUB_TOKEN_TTL_MAX_S;
    }
    request->ttl_s = ttl_s;
    return fed_json_set_int(r->doc, spec, "expirationSeconds", ttl_s);
}

static enum fed_err take_audiences(
    struct hub_request *r, struct fed_json *spec, struct hub_token_request *request)
{
    struct fed_json *list = fed_json_get(spec, "audiences");
    struct fed_json_iter it;

    if (fed_json_count(list) == 0) {
        request->audiences[request->n_audiences++] = FED_SPAN_LIT(HUB_TOKEN_ISSUER);
        list = fed_json_new_array(r->doc);
        if (fed_json_append(list, fed_json_new_text(r->doc, HUB_TOKEN_ISSUER)))
            return FED_ERR_NOMEM;
        return fed_json_set(r->doc, spec, "audiences", list);
    }
    fed_json_iter_init(&it, list);
    while (fed_json_iter_next(&it)) {
        struct fed_span audience = fed_json_string(it.value);

        if (audience.len > 255 || request->n_audiences == HUB_TOKEN_AUDIENCES_MAX)
            return hub_fail(r, 400, "BadRequest", "spec.audiences: at most %u of at most 255 bytes",
                HUB_TOKEN_AUDIENCES_MAX);
        request->audiences[request->n_audiences++] = audience;
    }
    return FED_OK;
}

/* ---- the answer ---- */
static enum fed_err fill_metadata(
    struct hub_request *r, struct fed_json *body, const struct hub_token_request *request)
{
    struct fed_json *metadata = fed_json_ensure_object(r->doc, body, "metadata");
    char now[FED_TEXT_TIME_SIZE];
    enum fed_err err = fed_json_set_string(r->doc, metadata, "name", request->name);

    fed_text_time(fed_loop_unix_s(r->api->options.loop), now);
    if (!err)
        err = fed_json_set_string(r->doc, metadata, "namespace", request->ns);
    if (!err)
        err = fed_json_set_string(r->doc, metadata, "uid", request->uid);
    if (!err)
        err = fed_json_set_text(r->doc, metadata, "creationTimestamp", now);
    if (!err)
        err = fed_json_set_text(r->doc, body, "kind", "TokenRequest");
    return err ? err : fed_json_set_text(r->doc, body, "apiVersion", "authentication.k8s.io/v1");
}

static enum fed_err answer(
    struct hub_request *r, struct fed_json *body, const struct hub_token_request *request)
{
    struct fed_json *status;
    char end[FED_TEXT_TIME_SIZE];
    struct fed_buf token;
    enum fed_err err;

    fed_text_time(fed_loop_unix_s(r->api->options.loop) + request->ttl_s, end);
    fed_buf_init(&token, r->mem, HUB_TOKEN_SIZE_MAX);
    err = hub_tokens_issue(r->api->options.tokens, request, &token);
    if (err == FED_ERR_LIMIT)
        return hub_fail(r, 400, "BadRequest", "spec.audiences: the token would be too long");
    fed_json_remove(body, "status");
    status = fed_json_ensure_object(r->doc, body, "status");
    if (!err && !status)
        err = FED_ERR_NOMEM;
    if (!err)
        err = fed_json_set_string(r->doc, status, "token", fed_buf_span(&token));
    if (!err)
        err = fed_json_set_text(r->doc, status, "expirationTimestamp", end);
    return err ? err : hub_respond_json(r, 201, body);
}

static enum fed_err find_account(
    struct hub_request *r, const struct fed_json *body, struct hub_token_request *request)
{
    struct fed_span asked = hub_meta(body, "uid");
    struct fed_json *account;
    enum fed_err err = load(r, "serviceaccounts", r->path.ns, r->path.name, &account);

    if (err)
        return err;
    request->ns = r->path.ns;
    request->name = r->path.name;
    request->uid = hub_meta(account, "uid");
    return asked.len == 0 || fed_span_eq(asked, request->uid)
               ? FED_OK
               : uid_conflict(r, KIND, r->path.name, "token request", asked);
}

static enum fed_err fill_request(
    struct hub_request *r, struct fed_json *body, struct hub_token_request *request)
{
    struct fed_json *spec = fed_json_ensure_object(r->doc, body, "spec");
    const struct fed_json *bound = fed_json_get(spec, "boundObjectRef");
    enum fed_err err =
        spec ? check_names(r, body) : hub_fail(r, 400, "BadRequest", "spec is not an object");

    if (!err)
        err = find_account(r, body, request);
    if (!err)
        err = take_audiences(r, spec, request);
    if (!err)
        err = take_ttl(r, spec, request);
    if (!err && fed_json_is_object(bound))
        err = bind_to(r, bound, request);
    return err ? err : fill_metadata(r, body, request);
}

enum fed_err hub_handle_token_request(struct hub_request *r)
{
    struct hub_token_request request = {.ttl_s = 0};
    struct fed_json *body = NULL;
    enum fed_err err;

    if (!fed_span_is(r->http->method, "POST"))
        return hub_fail(r, 405, "MethodNotAllowed",
            "the server does not allow this method on the requested resource");
    if (!r->api->options.tokens)
        return hub_fail(r, 404, "NotFound", "the server could not find the requested resource");
    err = hub_decode_body(r, &body);
    if (err)
        return err;
    if (!fed_json_is_object(body) || !fed_json_ensure_object(r->doc, body, "metadata"))
        return hub_fail(r, 400, "BadRequest", "the body is not a TokenRequest");
    err = fill_request(r, body, &request);
    return err ? err : answer(r, body, &request);
}
