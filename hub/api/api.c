/* api.c - one request from the HTTP server to its handler, and its end. */
#include "hub/api/guest.h"

#include <stdio.h>
#include <string.h>

/* ---- requests that are no resources ---- */
/* Custom kinds name the verb, which a method that is none of HTTP's usual ones does not have. */
static enum fed_err not_supported(struct hub_request *r)
{
    struct fed_span verb = r->access.verb;

    hub_fail(r, 405, "MethodNotAllowed",
        FED_SPAN_FMT " is not supported on resources of kind \"%s\"",
        FED_SPAN_ARG(fed_span_is(verb, "unknown") ? FED_SPAN_LIT("") : verb), r->kind->resource);
    r->path.name = FED_SPAN_LIT("");
    return FED_ERR_UNSUPPORTED;
}

static enum fed_err not_allowed(struct hub_request *r)
{
    if (r->kind && !r->version->core && r->kind->custom)
        return not_supported(r);
    hub_fail(r, 405, "MethodNotAllowed",
        "the server does not allow this method on the requested resource");
    r->failure.details = HUB_DETAILS_EMPTY;
    return FED_ERR_UNSUPPORTED;
}

static enum fed_err handle_health(struct hub_request *r)
{
    struct fed_buf text;

    if (!r->query.verbose)
        return hub_respond(r, 200, "text/plain; charset=utf-8", FED_SPAN_LIT("ok"), NULL, 0);
    /* Who answers has opened its store and its identity. */
    fed_buf_init(&text, r->mem, 256);
    fed_buf_printf(&text, "[+]ping ok\n[+]store ok\n[+]identity ok\n%s check passed\n",
        fed_span_starts(r->http->path, "/readyz")  ? "readyz"
        : fed_span_starts(r->http->path, "/livez") ? "livez"
                                                   : "healthz");
    return hub_respond(r, 200, "text/plain; charset=utf-8", fed_buf_span(&text), NULL, 0);
}

static enum fed_err handle_version(struct hub_request *r)
{
    static const char text[] =
        "{\"major\":\"1\",\"minor\":\"" HUB_VERSION_MINOR "\",\"gitVersion\":\"" HUB_GIT_VERSION
        "\","
        "\"gitCommit\":\"\",\"gitTreeState\":\"clean\",\"buildDate\":\"\",\"goVersion\":\"\","
        "\"compiler\":\"\",\"platform\":\"linux/\",\"emulationMajor\":\"1\","
        "\"emulationMinor\":\"" HUB_VERSION_MINOR "\",\"minCompatibilityMajor\":\"1\","
        "\"minCompatibilityMinor\":\"" HUB_VERSION_MINOR_BEFORE "\",\"fedhubVersion\":"
        "\"" FEDLET_VERSION "\"}\n";

    if (!hub_request_is_read(r->http))
        return not_allowed(r);
    return hub_respond(r, 200, "application/json", fed_span_text(text), NULL, 0);
}

bool hub_group_is_of_kubernetes(const struct hub_request *r)
{
    const struct hub_kinds *kinds = r->api->kinds;

    if (fed_span_is(r->path.group, "apiextensions.k8s.io"))
        return true;
    for (size_t i = 0; hub_review_at(i); i++)
        if (fed_span_is(r->path.group, hub_review_at(i)->group))
            return true;
    for (size_t i = 0; i < hub_kinds_count(kinds); i++)
        if (hub_kinds_at(kinds, i)->core &&
            fed_span_is(r->path.group, hub_kinds_at(kinds, i)->group))
            return true;
    return false;
}

enum fed_err hub_fail_unknown(struct hub_request *r)
{
    enum fed_err err;

    if (r->path.core || (r->path.group.len > 0 && hub_group_is_of_kubernetes(r))) {
        r->kind = NULL;
        return hub_fail(r, 404, "NotFound", "the server could not find the requested resource");
    }
    err = hub_respond(
        r, 404, "text/plain; charset=utf-8", FED_SPAN_LIT("404 page not found\n"), NULL, 0);
    return err ? err : FED_ERR_NOT_FOUND;
}

/* ---- resources ---- */
struct route {
    const char *method;
    bool named;
    bool status; /* also on the status subresource */
    bool writes;
    enum fed_err (*handle)(struct hub_request *r);
};

static enum fed_err handle_collection(struct hub_request *r)
{
    return r->query.watch ? hub_handle_watch(r) : hub_handle_list(r);
}

static const struct route routes[] = {
    {"GET", false, false, false, handle_collection},
    {"GET", true, true, false, hub_handle_get},
    {"POST", false, false, true, hub_handle_create},
    {"PUT", true, true, true, hub_handle_update},
    {"PATCH", true, true, true, hub_handle_patch},
    {"DELETE", true, false, true, hub_handle_delete},
    {"DELETE", false, false, true, hub_handle_delete_collection},
};

bool hub_finalize_is(const struct hub_request *r)
{
    return r->path.group.len == 0 && fed_span_is(r->path.resource, "namespaces") &&
           fed_span_is(r->path.subresource, "finalize");
}

/* Namespaces go one by one. */
static bool is_collection_of_namespaces(const struct hub_request *r, const struct route *route)
{
    return route->handle == hub_handle_delete_collection &&
           fed_span_is(r->path.resource, "namespaces") && r->path.group.len == 0;
}

static enum fed_err route(struct hub_request *r)
{
    struct fed_span method = r->http->method;
    bool named = r->path.name.len > 0;
    bool status = r->path.subresource.len > 0;

    if (r->kind->hooks.transient && (named || !fed_span_is(method, "POST")))
        return not_allowed(r);
    /* Custom kinds are not routed by method and path, only by the verb that follows from them. */
    if (r->kind->custom && fed_span_is(method, "HEAD"))
        method = FED_SPAN_LIT("GET");
    if (r->kind->custom && !named && fed_span_is(method, "PUT"))
        return hub_fail(r, 400, "BadRequest", "name must be provided");
    if (r->kind->custom && !named && fed_span_is(method, "PATCH"))
        return hub_handle_patch(r);
    if (r->kind->custom && named && !status && fed_span_is(method, "POST"))
        return hub_handle_create(r);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const struct route *route = &routes[i];

        if (!fed_span_is(method, route->method) || route->named != named)
            continue;
        if ((status && !route->status) || (route->writes && r->kind->read_only) ||
            is_collection_of_namespaces(r, route))
            return not_allowed(r);
        return route->handle(r);
    }
    return not_allowed(r);
}

/* The served version to move to: the most preferred above the given one. NULL: none. */
static const struct hub_kind_version *version_instead(
    const struct hub_kind *kind, const struct hub_kind_version *version)
{
    const struct hub_kind_version *best = NULL;

    for (size_t i = 0; i < kind->n_versions; i++) {
        const struct hub_kind_version *one = &kind->versions[i];

        if (one->served && !one->deprecated &&
            hub_version_cmp(one->name, best ? best->name : version->name) < 0)
            best = one;
    }
    return best;
}

static void warn_deprecated(struct hub_request *r)
{
    const struct hub_kind_version *instead;
    struct fed_buf text;

    if (!r->version->deprecated)
        return;
    instead = version_instead(r->kind, r->version);
    fed_buf_init(&text, r->mem, 1024);
    fed_buf_printf(
        &text, "%s/%s %s is deprecated", r->kind->group, r->version->name, r->kind->kind);
    if (instead)
        fed_buf_printf(&text, "; use %s/%s %s", r->kind->group, instead->name, r->kind->kind);
    hub_request_warn(
        r, r->version->deprecation_warning ? r->version->deprecation_warning : fed_buf_cstr(&text));
}

static bool is_watch(const struct hub_request *r)
{
    return r->path.endpoint == HUB_ENDPOINT_RESOURCE && r->query.watch && r->path.name.len == 0 &&
           hub_request_is_read(r->http);
}

enum fed_err hub_check_acceptable(struct hub_request *r)
{
    bool core = !r->version || r->version->core;
    bool is_list = r->kind && r->path.name.len == 0 && hub_request_is_read(r->http);

    if (core && !r->accept.acceptable && !r->accept.routed) {
        hub_fail(r, 406, "NotAcceptable",
            "406: Not Acceptable\n\nAvailable representations: application/json, "
            "application/yaml%s",
            is_list ? ", application/json;stream=watch" : "");
        r->failure.details = HUB_DETAILS_EMPTY;
        return FED_ERR_INVALID;
    }
    if (is_watch(r) && (!r->accept.acceptable || r->accept.text == HUB_TEXT_YAML))
        return hub_fail(r, 406, "NotAcceptable",
            "only the following media types are accepted: application/json;stream=watch%s",
            core ? "" : ", application/vnd.kubernetes.protobuf;stream=watch");
    if (!r->accept.acceptable)
        return hub_fail(r, 406, "NotAcceptable",
            "only the following media types are accepted: application/json, application/yaml%s",
            core ? "" : ", application/vnd.kubernetes.protobuf");
    return FED_OK;
}

static enum fed_err find_kind(struct hub_request *r)
{
    const struct hub_kind *kind = hub_kinds_find(r->api->kinds, r->path.group, r->path.resource);
    const struct hub_kind_version *version =
        kind ? hub_kind_version_find(kind, r->path.version) : NULL;

    if (!version)
        return hub_fail_unknown(r);
    if (r->path.ns.len > 0 && !kind->namespaced)
        return hub_fail_unknown(r);
    r->kind = kind;
    r->version = version;
    /* A namespaced object has a namespace in its path; only lists and watches may go over all. */
    if (kind->namespaced && r->path.ns.len == 0 && r->path.name.len > 0)
        return hub_fail_unknown(r);
    if (kind->namespaced && r->path.ns.len == 0 && !hub_request_is_read(r->http))
        return version->core ? not_allowed(r) : hub_fail_unknown(r);
    warn_deprecated(r);
    if (r->path.subresource.len > 0 && !hub_finalize_is(r) &&
        !(version->status_subresource && fed_span_is(r->path.subresource, "status")) &&
        !(version->scale.spec_path && fed_span_is(r->path.subresource, "scale")) &&
        !hub_read_is(kind, r->path.subresource))
        return kind->custom ? hub_fail_not_found(r) : hub_fail_unknown(r);
    return hub_check_acceptable(r);
}

static enum fed_err handle_resource(struct hub_request *r)
{
    enum fed_err err;

    if (hub_review_is(&r->path))
        return hub_handle_review(r);
    if (hub_token_request_is(&r->path))
        return hub_handle_token_request(r);
    err = find_kind(r);
    if (!err && hub_finalize_is(r))
        return fed_span_is(r->http->method, "PUT") ? hub_handle_update(r) : not_allowed(r);
    if (!err && fed_span_is(r->path.subresource, "scale"))
        return fed_span_is(r->http->method, "POST") || fed_span_is(r->http->method, "DELETE")
                   ? not_allowed(r)
                   : hub_handle_scale(r);
    if (!err && hub_read_is(r->kind, r->path.subresource))
        return hub_request_is_read(r->http) ? hub_handle_read(r) : not_allowed(r);
    return err ? err : route(r);
}

/* The reason why what was staged for the request is not there. */
static enum fed_err fail_undone(struct hub_request *r)
{
    if (r->path.endpoint == HUB_ENDPOINT_RESOURCE && !hub_review_is(&r->path))
        r->kind = hub_kinds_find(r->api->kinds, r->path.group, r->path.resource);
    r->failure.code = 0;
    return hub_fail_err(r, r->undone, r->undone_diag);
}

bool hub_request_is_guests(const struct hub_request *r)
{
    return r->api->guest &&
           (fed_span_is(r->http->path, "/console") || fed_span_starts(r->http->path, "/console/"));
}

static enum fed_err dispatch(struct hub_request *r)
{
    enum fed_err err = hub_request_parse(r);

    if (!err && hub_request_is_guests(r))
        return r->api->guest->handle(r->api->guest->ctx, r);
    if (!err && !is_watch(r))
        err = hub_deadline_take(r);
    if (!err)
        err = hub_authorize_request(r);
    if (err)
        return err;
    if (r->undone)
        return fail_undone(r);
    switch (r->path.endpoint) {
    case HUB_ENDPOINT_HEALTH:
        return handle_health(r);
    case HUB_ENDPOINT_VERSION:
        return handle_version(r);
    case HUB_ENDPOINT_METRICS:
        return hub_request_is_read(r->http) ? hub_handle_metrics(r) : not_allowed(r);
    case HUB_ENDPOINT_CORE:
    case HUB_ENDPOINT_GROUPS:
    case HUB_ENDPOINT_GROUP:
    case HUB_ENDPOINT_RESOURCES:
        return hub_handle_discovery(r);
    case HUB_ENDPOINT_OPENAPI_V2:
    case HUB_ENDPOINT_OPENAPI_V3:
    case HUB_ENDPOINT_OPENAPI_V3_GROUP:
        return hub_handle_openapi(r);
    case HUB_ENDPOINT_RESOURCE:
        return handle_resource(r);
    case HUB_ENDPOINT_UNKNOWN:
        break;
    }
    return hub_fail_unknown(r);
}

static void request_free(struct hub_request *r)
{
    struct fed_alloc *mem = r->api->mem;

    fed_json_doc_free(r->doc);
    fed_arena_fini(&r->arena);
    fed_alloc_free(mem, r, sizeof *r);
}

static void log_failure(struct hub_request *r)
{
    /* Without a reason: kube-apiserver's answer to some patches, and the client's mistake. */
    if (r->failure.code >= 500 && r->failure.code != 504 &&
        r->failure.reason[0]) /* 504: a client from before a restore */
        fed_log(r->api->options.log, FED_LOG_WARN,
            "api: " FED_SPAN_FMT " " FED_SPAN_FMT " by %s answered %d: %s",
            FED_SPAN_ARG(r->http->method), FED_SPAN_ARG(r->http->path), r->user.name,
            r->failure.code, r->failure.message);
}

static struct hub_request *request_new(
    struct hub_api *api, struct fed_http_exchange *exchange, const struct fed_http_request *request)
{
    struct hub_request *r = fed_alloc_zero(api->mem, sizeof *r);

    if (!r) {
        hub_respond_no_memory(exchange);
        return NULL;
    }
    r->api = api;
    r->exchange = exchange;
    r->http = request;
    fed_arena_init(&r->arena, api->mem, HUB_LIMIT_REQUEST_MEMORY);
    r->mem = &r->arena.alloc;
    r->started_us = fed_loop_clock_us(api->options.loop);
    hub_user_init(&r->user);
    return r;
}

static void request_run(struct hub_request *r)
{
    enum fed_err err = fed_json_doc_new(r->mem, &r->doc);

    if (!err)
        err = dispatch(r);
    if (err && !r->answered) {
        if (r->failure.code == 0)
            hub_fail_err(r, err, NULL);
        log_failure(r);
        hub_failure_respond(r);
    }
    request_free(r);
}

void hub_api_handle(
    void *ctx, struct fed_http_exchange *exchange, const struct fed_http_request *request)
{
    struct hub_request *r = request_new(ctx, exchange, request);

    if (!r)
        return;
    hub_request_number(r);
    request_run(r);
}

void hub_request_again(struct hub_api *api, struct fed_http_exchange *exchange,
    const char *audit_id, enum fed_err undone, const struct fed_diag *diag)
{
    struct hub_request *r = request_new(api, exchange, fed_http_exchange_request(exchange));

    if (!r)
        return;
    snprintf(r->audit_id, sizeof r->audit_id, "%s", audit_id);
    if (!hub_request_is_read(r->http)) {
        r->undone = undone;
        r->undone_diag = diag;
    }
    request_run(r);
}

void hub_api_closed(void *ctx, struct fed_http_exchange *exchange)
{
    struct hub_api *api = ctx;

    hub_held_forget(api, exchange);
    hub_watches_closed(api->watches, exchange);
    if (api->guest)
        api->guest->closed(api->guest->ctx, exchange);
}

/* ---- the API ---- */
enum fed_err hub_api_open(
    const struct hub_api_options *options, struct hub_api **out, struct fed_diag *diag)
{
    struct hub_api *api = fed_alloc_zero(options->mem, sizeof *api);
    enum fed_err err;

    if (!api)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the API");
    api->options = *options;
    api->mem = options->mem;
    api->objects = options->objects;
    api->kinds = options->kinds;
    api->held_end = &api->held;
    api->member = (struct hub_objects_member){.ctx = api, .settled = hub_held_settle};
    hub_objects_join(api->objects, &api->member);
    err = hub_metrics_open(api, &api->metrics);
    if (!err)
        err = hub_watches_open(api, &api->watches);
    if (!err)
        err = hub_namespaces_open(api, &api->namespaces);
    if (!err)
        err = hub_crd_deletes_open(api, &api->crd_deletes);
    if (!err)
        err = hub_last_list_open(api, &api->last_list);
    if (!err)
        err = hub_label_index_open(api, &api->label_index);
    if (!err)
        err = hub_owners_open(api, &api->owners);
    if (!err)
        err = hub_namespace_objects_open(api, &api->namespace_objects);
    if (!err)
        err = api->options.crypto->random(
            api->options.crypto->ctx, api->audit_prefix, sizeof api->audit_prefix);
    if (!err)
        err = hub_rbac_open(api->mem, options->log, api->objects, &api->rbac, diag);
    if (!err)
        err = hub_federated_role_open(api->mem, api->options.loop, options->log,
            api->options.crypto, api->objects, &api->federated_role);
    if (!err)
        err = hub_rbac_hooks(api);
    if (!err && options->tokens)
        err = hub_token_secrets_open(api, &api->token_secrets);
    if (err) {
        fed_diag_prefix(diag, err, "API");
        hub_api_close(api);
        return err;
    }
    *out = api;
    return FED_OK;
}

void hub_api_set_guest(struct hub_api *api, const struct hub_api_guest *guest)
{
    api->guest = guest;
}

void hub_api_stop(struct hub_api *api)
{
    hub_watches_stop(api->watches);
}

void hub_api_close(struct hub_api *api)
{
    if (!api)
        return;
    hub_objects_leave(api->objects, &api->member);
    hub_held_forget(api, NULL);
    hub_crd_deletes_close(api->crd_deletes);
    fed_buf_fini(&api->openapi_root);
    hub_namespace_objects_close(api->namespace_objects);
    hub_owners_close(api->owners);
    hub_label_index_close(api->label_index);
    hub_last_list_close(api->last_list);
    hub_token_secrets_close(api->token_secrets);
    hub_federated_role_close(api->federated_role);
    hub_rbac_close(api->rbac);
    hub_namespaces_close(api->namespaces);
    hub_watches_close(api->watches);
    hub_metrics_close(api->metrics);
    fed_alloc_free(api->mem, api, sizeof *api);
}
