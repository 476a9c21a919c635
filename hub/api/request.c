/* request.c - path, query and headers of a request, as kube-apiserver reads them. */
#include "hub/api/internal.h"

#include <string.h>

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum fed_err hub_percent_decode(
    struct fed_alloc *mem, struct fed_span in, bool plus, struct fed_span *out)
{
    uint8_t *to = fed_alloc_get(mem, in.len + 1);
    size_t len = 0;

    if (!to)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.at[i];

        if (c == '%') {
            if (i + 2 >= in.len || hex_digit(in.at[i + 1]) < 0 || hex_digit(in.at[i + 2]) < 0)
                return FED_ERR_INVALID;
            c = (uint8_t)(hex_digit(in.at[i + 1]) * 16 + hex_digit(in.at[i + 2]));
            i += 2;
            if (c == 0)
                return FED_ERR_INVALID;
        } else if (plus && c == '+') {
            c = ' ';
        }
        to[len++] = c;
    }
    to[len] = 0;
    *out = fed_span_of(to, len);
    return FED_OK;
}

static bool is_false(struct fed_span text)
{
    static const char word[] = "false";

    if (fed_span_is(text, "0"))
        return true;
    if (text.len != sizeof word - 1)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if ((text.at[i] | 0x20) != word[i])
            return false;
    return true;
}

bool hub_request_is_read(const struct fed_http_request *http)
{
    return fed_span_is(http->method, "GET") || fed_span_is(http->method, "HEAD");
}

struct fed_span hub_request_header(const struct hub_request *r, const char *name)
{
    for (size_t i = 0; i < r->http->n_headers; i++)
        if (fed_span_is(r->http->headers[i].name, name))
            return r->http->headers[i].value;
    return (struct fed_span){0};
}

struct fed_span hub_request_content_type(struct hub_request *r)
{
    struct fed_span type = hub_request_header(r, "content-type");
    uint8_t *lower;

    type = fed_span_sub(type, 0, fed_span_find(type, ';'));
    while (type.len > 0 && type.at[type.len - 1] == ' ')
        type.len--;
    lower = fed_alloc_get(r->mem, type.len + 1);
    if (!lower)
        return (struct fed_span){0};
    for (size_t i = 0; i < type.len; i++)
        lower[i] = type.at[i] >= 'A' && type.at[i] <= 'Z' ? (uint8_t)(type.at[i] + 32) : type.at[i];
    return fed_span_of(lower, type.len);
}

struct fed_span hub_request_manager(const struct hub_request *r)
{
    struct fed_span agent = hub_request_header(r, "user-agent");

    if (r->query.field_manager.len > 0)
        return r->query.field_manager;
    agent = fed_span_sub(agent, 0, fed_span_find(agent, '/'));
    return agent.len > 0 ? fed_span_sub(agent, 0, HUB_FIELD_MANAGER_MAX) : FED_SPAN_LIT("unknown");
}

const char *hub_request_cstr(struct hub_request *r, struct fed_span text)
{
    char *copy = fed_alloc_get(r->mem, text.len + 1);

    if (!copy)
        return "";
    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    copy[text.len] = 0;
    return copy;
}

void hub_request_warn(struct hub_request *r, const char *text)
{
    struct fed_buf quoted;

    if (r->n_warnings == HUB_LIMIT_WARNINGS)
        return;
    fed_buf_init(&quoted, r->mem, 4096);
    fed_buf_put_text(&quoted, "299 - \"");
    for (const char *at = text; *at; at++) {
        if (*at == '"' || *at == '\\')
            fed_buf_put_u8(&quoted, '\\');
        fed_buf_put_u8(&quoted, (uint8_t)*at < ' ' || *at == 0x7f ? ' ' : (uint8_t)*at);
    }
    fed_buf_put_text(&quoted, "\"");
    for (size_t i = 0; i < r->n_warnings; i++)
        if (fed_span_eq(r->warnings[i], fed_buf_span(&quoted)))
            return; /* said before, by an attempt that another write came before */
    if (!fed_buf_err(&quoted))
        r->warnings[r->n_warnings++] = fed_buf_span(&quoted);
}

struct hub_object_ref hub_request_ref(const struct hub_request *r)
{
    return (struct hub_object_ref){
        .resource = fed_span_text(r->kind->resource),
        .ns = r->kind->namespaced ? r->path.ns : (struct fed_span){0},
        .name = r->path.name,
    };
}

/* ---- path ---- */
#define SEGMENTS_MAX 10u
struct segments {
    struct fed_span at[SEGMENTS_MAX];
    size_t n;
    bool nowhere; /* too many, or nothing between two of them */
};

static enum fed_err split_path(struct hub_request *r, struct segments *out)
{
    struct fed_span rest = r->http->path;
    struct fed_span part;
    bool nothing = false;

    if (fed_span_starts(rest, "/"))
        rest = fed_span_sub(rest, 1, rest.len);
    while (fed_span_split(&rest, '/', &part)) {
        nothing = nothing || part.len == 0;
        if (part.len == 0)
            continue; /* also trailing slashes, which do not matter */
        out->nowhere = nothing || out->n == SEGMENTS_MAX;
        if (out->n == SEGMENTS_MAX || (nothing && out->n == 0))
            return FED_OK;
        if (hub_percent_decode(r->mem, part, false, &out->at[out->n]))
            return FED_ERR_INVALID;
        out->n++;
    }
    return FED_OK;
}

/* What follows /api/v1 or /apis/G/V: [namespaces/NS/]RESOURCE[/NAME[/SUBRESOURCE]]. */
static void parse_resource(struct hub_path *path, const struct fed_span *at, size_t n)
{
    path->endpoint = HUB_ENDPOINT_RESOURCE;
    if (n >= 3 && fed_span_is(at[0], "namespaces") &&
        !(path->group.len == 0 && n == 3 &&
            (fed_span_is(at[2], "status") || fed_span_is(at[2], "finalize")))) {
        path->ns = at[1];
        at += 2;
        n -= 2;
    }
    path->resource = at[0];
    if (n > 1)
        path->name = at[1];
    if (n > 2)
        path->subresource = at[2];
    /* What is below a subresource is not known under its name. */
    if (n > 3 && (fed_span_is(at[2], "status") || fed_span_is(at[2], "scale") ||
                     fed_span_is(at[2], "finalize") || fed_span_is(at[2], "token")))
        path->endpoint = HUB_ENDPOINT_UNKNOWN;
}

static void parse_api(struct hub_path *path, const struct segments *s)
{
    bool core = fed_span_is(s->at[0], "api");
    size_t used = core ? 2 : 3;

    path->core = core;
    path->endpoint = core ? HUB_ENDPOINT_CORE : HUB_ENDPOINT_GROUPS;
    if (s->n == 1)
        return;
    if (!core) {
        path->group = s->at[1];
        path->endpoint = HUB_ENDPOINT_GROUP;
        if (s->n == 2)
            return;
    }
    path->version = s->at[used - 1];
    path->endpoint = HUB_ENDPOINT_RESOURCES;
    if (s->n > used)
        parse_resource(path, s->at + used, s->n - used);
}

static void parse_openapi(struct hub_path *path, const struct segments *s)
{
    if (s->n == 2 && fed_span_is(s->at[1], "v2"))
        path->endpoint = HUB_ENDPOINT_OPENAPI_V2;
    if (s->n < 2 || !fed_span_is(s->at[1], "v3"))
        return;
    path->endpoint = s->n == 2 ? HUB_ENDPOINT_OPENAPI_V3 : HUB_ENDPOINT_OPENAPI_V3_GROUP;
    if (s->n == 4 && fed_span_is(s->at[2], "api")) {
        path->endpoint = HUB_ENDPOINT_OPENAPI_V3_GROUP;
        path->version = s->at[3];
    }
    if (s->n == 5 && fed_span_is(s->at[2], "apis")) {
        path->endpoint = HUB_ENDPOINT_OPENAPI_V3_GROUP;
        path->group = s->at[3];
        path->version = s->at[4];
    }
}

/* All checks, or one. */
static bool is_health(const struct segments *s)
{
    static const char *const checks[] = {"ping", "store", "identity"};

    if (s->n > 2 || !(fed_span_is(s->at[0], "healthz") || fed_span_is(s->at[0], "livez") ||
                        fed_span_is(s->at[0], "readyz")))
        return false;
    for (size_t i = 0; s->n == 2 && i < sizeof checks / sizeof *checks; i++)
        if (fed_span_is(s->at[1], checks[i]))
            return true;
    return s->n == 1;
}

static enum fed_err parse_path(struct hub_request *r)
{
    struct segments s = {.n = 0};
    enum fed_err err = split_path(r, &s);

    if (err || s.n == 0)
        return err;
    if (fed_span_is(s.at[0], "api") || fed_span_is(s.at[0], "apis"))
        parse_api(&r->path, &s);
    else if (fed_span_is(s.at[0], "openapi"))
        parse_openapi(&r->path, &s);
    else if (s.n == 1 && fed_span_is(s.at[0], "version"))
        r->path.endpoint = HUB_ENDPOINT_VERSION;
    else if (s.n == 1 && fed_span_is(s.at[0], "metrics"))
        r->path.endpoint = HUB_ENDPOINT_METRICS;
    else if (is_health(&s))
        r->path.endpoint = HUB_ENDPOINT_HEALTH;
    if (s.nowhere)
        r->path.endpoint = HUB_ENDPOINT_UNKNOWN;
    return FED_OK;
}

/* ---- query ---- */
/* Source: runtime.Convert_Slice_string_To_bool: what is there is true unless it says otherwise. */
static void take_bool(bool *out, bool *has, struct fed_span value)
{
    if (has && *has)
        return;
    *out = !is_false(value);
    if (has)
        *has = true;
}

static void take_validation(struct hub_query *q, struct fed_span value)
{
    q->field_validation_text = value;
    q->field_validation = fed_span_is(value, "Strict")   ? HUB_VALIDATE_STRICT
                          : fed_span_is(value, "Ignore") ? HUB_VALIDATE_IGNORE
                                                         : HUB_VALIDATE_WARN;
}

static void take_dry_run(struct hub_query *q, struct fed_span value)
{
    q->dry_run = true;
    if (q->n_dry_runs < HUB_DRY_RUNS_MAX)
        q->dry_runs[q->n_dry_runs++] = value;
}

static void query_param(struct hub_request *r, struct fed_span key, struct fed_span value)
{
    struct hub_query *q = &r->query;
    const struct {
        const char *key;
        struct fed_span *to;
    } texts[] = {
        {"resourceVersion", &q->resource_version_text},
        {"resourceVersionMatch", &q->resource_version_match},
        {"limit", &q->limit_text},
        {"timeoutSeconds", &q->timeout_text},
        {"continue", &q->continue_token},
        {"labelSelector", &q->label_selector},
        {"fieldSelector", &q->field_selector},
        {"fieldManager", &q->field_manager},
        {"includeObject", &q->include_object},
        {"pretty", &q->pretty},
        {"timeout", &q->request_timeout},
        {"propagationPolicy", &q->propagation_policy},
        {"gracePeriodSeconds", &q->grace_period_text},
        {"orphanDependents", &q->orphan_dependents},
    };

    if (fed_span_is(key, "watch"))
        take_bool(&q->watch, NULL, value);
    else if (fed_span_is(key, "allowWatchBookmarks"))
        take_bool(&q->allow_bookmarks, NULL, value);
    else if (fed_span_is(key, "sendInitialEvents"))
        take_bool(&q->send_initial_events, &q->has_send_initial_events, value);
    else if (fed_span_is(key, "force"))
        take_bool(&q->force, &q->has_force, value);
    else if (fed_span_is(key, "verbose"))
        q->verbose = true;
    else if (fed_span_is(key, "dryRun"))
        take_dry_run(q, value);
    else if (fed_span_is(key, "fieldValidation") && q->field_validation_text.len == 0)
        take_validation(q, value);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (fed_span_is(key, texts[i].key) && texts[i].to->len == 0)
            *texts[i].to = value;
}

/* A pair that is not encoded as it should be is passed over, as Go's url.Query does. */
static void parse_query(struct hub_request *r)
{
    struct fed_span rest = r->http->query;
    struct fed_span pair;

    while (fed_span_split(&rest, '&', &pair)) {
        size_t equals = fed_span_find(pair, '=');
        struct fed_span key;
        struct fed_span value;

        if (fed_span_find(pair, ';') < pair.len)
            continue;
        if (!hub_percent_decode(r->mem, fed_span_sub(pair, 0, equals), true, &key) &&
            !hub_percent_decode(r->mem, fed_span_sub(pair, equals + 1, pair.len), true, &value))
            query_param(r, key, value);
    }
}

struct fed_span hub_request_param(struct hub_request *r, const char *name)
{
    struct fed_span rest = r->http->query;
    struct fed_span pair;

    while (fed_span_split(&rest, '&', &pair)) {
        size_t equals = fed_span_find(pair, '=');
        struct fed_span key;
        struct fed_span value;

        if (!hub_percent_decode(r->mem, fed_span_sub(pair, 0, equals), true, &key) &&
            fed_span_is(key, name) &&
            !hub_percent_decode(r->mem, fed_span_sub(pair, equals + 1, pair.len), true, &value))
            return value;
    }
    return (struct fed_span){0};
}

/* Browsers and command-line tools are for people, unless the query says. */
static bool wants_indentation(const struct hub_request *r)
{
    static const char *const agents[] = {"curl", "Wget", "Mozilla/5.0"};
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    struct fed_span agent = hub_request_header(r, "user-agent");

    for (size_t i = 0; i < sizeof yes / sizeof *yes && r->query.pretty.len > 0; i++)
        if (fed_span_is(r->query.pretty, yes[i]))
            return true;
    for (size_t i = 0; i < sizeof agents / sizeof *agents && r->query.pretty.len == 0; i++)
        if (fed_span_starts(agent, agents[i]))
            return true;
    return false;
}

static void negotiate(struct hub_request *r)
{
    enum hub_accepting accepting =
        r->path.endpoint == HUB_ENDPOINT_RESOURCE ? HUB_ACCEPT_RESOURCE
        : r->path.endpoint == HUB_ENDPOINT_CORE || r->path.endpoint == HUB_ENDPOINT_GROUPS
            ? HUB_ACCEPT_DISCOVERY
            : HUB_ACCEPT_PLAIN;

    hub_accept_parse(hub_request_header(r, "accept"), accepting, &r->accept);
    if (r->accept.text == HUB_TEXT_JSON && wants_indentation(r))
        r->accept.text = HUB_TEXT_PRETTY;
}

enum fed_err hub_request_parse(struct hub_request *r)
{
    if (parse_path(r))
        return hub_fail(r, 400, "BadRequest", "the path is not percent-encoded as it should be");
    parse_query(r);
    negotiate(r);
    return FED_OK;
}
