/* failure.c - metav1.Status documents for what went wrong: code, reason, a sentence, and causes
 * field by field. */
#include "hub/api/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What a Status says of the object: nothing where the request never came to one, the resource, or,
 * for what was invalid, the kind. */
static enum hub_details details_of(const struct hub_request *r, int code)
{
    if (code == 422)
        return HUB_DETAILS_KIND;
    if (code == 400 || code == 401 || code == 406 || code == 413 || code == 415 || code >= 500)
        return HUB_DETAILS_NONE;
    return r->kind ? HUB_DETAILS_RESOURCE : HUB_DETAILS_EMPTY;
}

static const char *sentence(struct fed_alloc *mem, const char *format, va_list args)
{
    va_list again;
    char *text = NULL;
    int n;

    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (n >= 0)
        text = fed_alloc_get(mem, (size_t)n + 1);
    if (!text)
        return "out of memory";
    vsnprintf(text, (size_t)n + 1, format, args);
    return text;
}

enum fed_err hub_fail(struct hub_request *r, int code, const char *reason, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    r->failure.message = sentence(r->mem, format, args);
    va_end(args);
    r->failure.code = code;
    r->failure.reason = reason;
    r->failure.details = details_of(r, code);
    return FED_ERR_INVALID;
}

enum fed_err hub_fail_not_found(struct hub_request *r)
{
    hub_fail(r, 404, "NotFound", "%s \"" FED_SPAN_FMT "\" not found", r->kind->resource,
        FED_SPAN_ARG(r->path.name));
    return FED_ERR_NOT_FOUND;
}

struct hub_causes *hub_causes_new(struct hub_request *r)
{
    struct hub_causes *causes = fed_alloc_get(r->mem, sizeof *causes);

    if (causes) { /* the list is 50 KiB and empty: not touched */
        causes->n = 0;
        causes->more = 0;
        causes->whole = NULL;
    }
    return causes;
}

void hub_causes_invalid(
    struct hub_causes *causes, const char *field, struct fed_span value, const char *format, ...)
{
    struct fed_buf text;
    char detail[HUB_CAUSE_MESSAGE_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    fed_buf_init(&text, fed_alloc_system(), 1u << 20);
    hub_put_quoted(&text, value);
    hub_causes_add(
        causes, "FieldValueInvalid", field, "Invalid value: %s: %s", fed_buf_cstr(&text), detail);
    fed_buf_fini(&text);
}

static bool said_before(const struct hub_causes *causes, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(causes->list[i].field, causes->list[at].field) == 0 &&
            strcmp(causes->list[i].message, causes->list[at].message) == 0)
            return true;
    return false;
}

/* "KIND.GROUP "name" is invalid: " and "field: message", in brackets when there are several. */
static void causes_message(struct hub_request *r, const struct hub_causes *causes, const char *kind,
    const char *group, struct fed_span name)
{
    struct fed_buf list;
    struct fed_buf text;
    size_t n = 0;

    fed_buf_init(&list, r->mem, 65536);
    for (size_t i = 0; i < causes->n; i++) {
        if (said_before(causes, i))
            continue;
        fed_buf_printf(&list, "%s%s: %s", n++ ? ", " : "",
            causes->list[i].field[0] ? causes->list[i].field : "<nil>", causes->list[i].message);
    }
    if (causes->more > 0)
        fed_buf_printf(&list, ", and %zu more", causes->more);
    fed_buf_init(&text, r->mem, 65536);
    fed_buf_printf(&text, "%s%s%s ", kind, group[0] ? "." : "", group);
    hub_put_quoted(&text, name);
    fed_buf_printf(&text, n > 1 ? " is invalid: [%s]" : " is invalid: %s", fed_buf_cstr(&list));
    hub_fail(r, 422, "Invalid", "%s", fed_buf_cstr(&text));
}

/* Events of events.k8s.io are refused as the core events that they are. */
static const char *group_of(const struct hub_kind *kind)
{
    return !kind || hub_kind_storage(kind)->of_core ? "" : kind->group;
}

enum fed_err hub_fail_causes(struct hub_request *r, struct hub_causes *causes)
{
    causes_message(r, causes, r->kind ? r->kind->kind : "", group_of(r->kind), r->path.name);
    r->failure.causes = causes;
    return FED_ERR_INVALID;
}

enum fed_err hub_fail_causes_of(
    struct hub_request *r, const char *kind, const char *group, struct hub_causes *causes)
{
    causes_message(r, causes, kind, group, r->path.name);
    r->failure.causes = causes;
    r->failure.kind = kind;
    r->failure.group = group;
    return FED_ERR_INVALID;
}

enum fed_err hub_fail_resource(struct hub_request *r, struct hub_causes *causes)
{
    causes_message(r, causes, r->kind->plural, r->kind->group, r->path.name);
    r->failure.causes = causes;
    r->failure.details = HUB_DETAILS_RESOURCE;
    return FED_ERR_INVALID;
}

enum fed_err hub_fail_options(struct hub_request *r, const char *options, struct hub_causes *causes)
{
    causes_message(r, causes, options, "meta.k8s.io", (struct fed_span){0});
    r->failure.causes = causes;
    r->failure.details = HUB_DETAILS_OPTIONS;
    r->failure.options = options;
    return FED_ERR_INVALID;
}

enum fed_err hub_fail_field(
    struct hub_request *r, const char *field, const char *reason, const char *format, ...)
{
    struct hub_causes *causes = hub_causes_new(r);
    char message[400];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (!causes)
        return hub_fail(r, 422, "Invalid", "%s: %s", field, message);
    hub_causes_add(causes, reason, field, "%s", message);
    return hub_fail_causes(r, causes);
}

struct error_code {
    enum fed_err err;
    int code;
    const char *reason;
};

static const struct error_code error_codes[] = {
    {FED_ERR_INVALID, 400, "BadRequest"},
    {FED_ERR_LIMIT, 413, "RequestEntityTooLarge"},
    {FED_ERR_NOT_FOUND, 404, "NotFound"},
    {FED_ERR_EXISTS, 409, "AlreadyExists"},
    {FED_ERR_CONFLICT, 409, "Conflict"},
    {FED_ERR_GONE, 410, "Expired"},
    {FED_ERR_FORBIDDEN, 403, "Forbidden"},
    {FED_ERR_UNAUTHENTICATED, 401, "Unauthorized"},
    {FED_ERR_UNSUPPORTED, 415, "UnsupportedMediaType"},
    {FED_ERR_BUSY, 503, "ServiceUnavailable"},
    {FED_ERR_FULL, 507, "InsufficientStorage"},
    {FED_ERR_NOMEM, 503, "ServiceUnavailable"},
};

static bool is_going(struct hub_request *r)
{
    struct hub_object_ref ref = hub_request_ref(r);
    struct fed_json *present;
    uint64_t revision;

    return !hub_object_load(r->api, r->doc, &ref, &present, &revision) &&
           hub_meta(present, "deletionTimestamp").len > 0;
}

enum fed_err hub_fail_err(struct hub_request *r, enum fed_err err, const struct fed_diag *diag)
{
    const struct error_code *found = NULL;
    const char *text = diag && diag->text[0] ? diag->text : fed_err_text(err);

    if (r->failure.code != 0)
        return err;
    for (size_t i = 0; i < sizeof error_codes / sizeof *error_codes; i++)
        if (error_codes[i].err == err)
            found = &error_codes[i];
    if (err == FED_ERR_EXISTS && r->kind && is_going(r)) {
        hub_fail(r, 409, "AlreadyExists",
            "object is being deleted: %s \"" FED_SPAN_FMT "\" already exists", r->kind->resource,
            FED_SPAN_ARG(r->path.name));
        return err;
    }
    if (err == FED_ERR_EXISTS && r->kind) {
        hub_fail(r, 409, "AlreadyExists", "%s \"" FED_SPAN_FMT "\" already exists",
            r->kind->resource, FED_SPAN_ARG(r->path.name));
        return err;
    }
    if (err == FED_ERR_CONFLICT && r->kind) {
        hub_fail(r, 409, "Conflict",
            "Operation cannot be fulfilled on %s \"" FED_SPAN_FMT
            "\": the object has been modified; please apply your changes to the latest version and "
            "try again",
            r->kind->resource, FED_SPAN_ARG(r->path.name));
        return err;
    }
    hub_fail(r, found ? found->code : 500, found ? found->reason : "InternalError", "%s", text);
    if (err == FED_ERR_NOMEM || err == FED_ERR_BUSY)
        r->failure.retry_after_s = 1;
    return err;
}

static void put_member(struct fed_buf *out, bool *first, const char *key, struct fed_span value)
{
    if (value.len == 0)
        return;
    fed_buf_put_text(out, *first ? "{\"" : ",\"");
    *first = false;
    fed_buf_put_text(out, key);
    fed_buf_put_text(out, "\":");
    hub_json_put(out, value);
}

static void put_causes(struct fed_buf *out, const struct hub_causes *causes)
{
    fed_buf_put_text(out, "\"causes\":[");
    for (size_t i = 0; i < causes->n; i++) {
        fed_buf_put_text(out, i ? ",{" : "{");
        if (causes->list[i].reason[0]) {
            fed_buf_put_text(out, "\"reason\":");
            hub_json_put_text(out, causes->list[i].reason);
            fed_buf_put_text(out, ",");
        }
        fed_buf_put_text(out, "\"message\":");
        hub_json_put_text(out, i == 0 && causes->whole ? causes->whole : causes->list[i].message);
        if (causes->list[i].field[0]) {
            fed_buf_put_text(out, ",\"field\":");
            hub_json_put_text(out, causes->list[i].field);
        }
        fed_buf_put_text(out, "}");
    }
    fed_buf_put_text(out, "]");
}

static void put_object(const struct hub_request *r, struct fed_buf *out, bool *first)
{
    switch (r->failure.details) {
    case HUB_DETAILS_NONE:
    case HUB_DETAILS_EMPTY:
        break;
    case HUB_DETAILS_OPTIONS:
        put_member(out, first, "group", FED_SPAN_LIT("meta.k8s.io"));
        put_member(out, first, "kind", fed_span_text(r->failure.options));
        break;
    case HUB_DETAILS_RESOURCE:
    case HUB_DETAILS_KIND:
        if (!r->kind)
            break;
        put_member(out, first, "name", r->path.name);
        put_member(out, first, "group",
            fed_span_text(r->failure.kind ? r->failure.group : group_of(r->kind)));
        put_member(out, first, "kind",
            fed_span_text(r->failure.details != HUB_DETAILS_KIND ? r->kind->plural
                          : r->failure.kind                      ? r->failure.kind
                                                                 : r->kind->kind));
        break;
    }
}

static void put_details(const struct hub_request *r, struct fed_buf *out)
{
    const struct hub_failure *failure = &r->failure;
    bool first = true;

    if (failure->details == HUB_DETAILS_NONE && !failure->causes && failure->retry_after_s == 0)
        return;
    fed_buf_put_text(out, ",\"details\":");
    put_object(r, out, &first);
    if (failure->forbidden.resource.len > 0) {
        put_member(out, &first, "name", failure->forbidden.name);
        put_member(out, &first, "group", failure->forbidden.group);
        put_member(out, &first, "kind", failure->forbidden.resource);
    }
    if (failure->causes && failure->causes->n > 0) {
        fed_buf_put_text(out, first ? "{" : ",");
        first = false;
        put_causes(out, failure->causes);
    }
    if (failure->retry_after_s > 0) {
        fed_buf_printf(
            out, "%s\"retryAfterSeconds\":%u", first ? "{" : ",", failure->retry_after_s);
        first = false;
    }
    fed_buf_put_text(out, first ? "{}" : "}");
}

void hub_failure_put(const struct hub_request *r, struct fed_buf *out)
{
    fed_buf_put_text(out, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{");
    if (r->failure.continue_token.len > 0) {
        fed_buf_put_text(out, "\"continue\":");
        hub_json_put(out, r->failure.continue_token);
    }
    fed_buf_put_text(out, "},\"status\":\"Failure\",\"message\":");
    hub_json_put_text(out, r->failure.message);
    if (r->failure.reason[0]) {
        fed_buf_put_text(out, ",\"reason\":");
        hub_json_put_text(out, r->failure.reason);
    }
    put_details(r, out);
    fed_buf_printf(out, ",\"code\":%d}\n", r->failure.code);
}

void hub_respond_no_memory(struct fed_http_exchange *exchange)
{
    static const char body[] =
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
        "\"message\":"
        "\"the hub is out of memory\",\"reason\":\"ServiceUnavailable\",\"code\":503}\n";
    const struct fed_http_header headers[] = {
        {FED_SPAN_LIT("content-type"), FED_SPAN_LIT("application/json")},
        {FED_SPAN_LIT("retry-after"), FED_SPAN_LIT("1")}};

    fed_http_respond(exchange, 503, headers, 2, fed_span_text(body));
}

static const char *refusal_reason(unsigned status)
{
    switch (status) {
    case 413:
    case 414:
    case 431:
        return "RequestEntityTooLarge";
    case 501:
        return "MethodNotAllowed";
    case 503:
        return "ServiceUnavailable";
    default:
        return "BadRequest";
    }
}

const char *hub_api_refusal(void *ctx, unsigned status, const char *why, struct fed_buf *body)
{
    char too_large[64];

    (void)ctx;
    if (status == 413) {
        snprintf(too_large, sizeof too_large, "Request entity too large: limit is %u",
            HUB_LIMIT_BODY_BYTES);
        why = too_large;
    }
    fed_buf_put_text(body, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
                           "\"Failure\",\"message\":");
    hub_json_put_text(body, why);
    fed_buf_printf(body, ",\"reason\":\"%s\",%s\"code\":%u}\n", refusal_reason(status),
        status == 503 ? "\"details\":{\"retryAfterSeconds\":1}," : "", status);
    return "application/json";
}

/* A Status is not what the client wanted converted: its Accept is read again without. What cannot
 * be met then is answered as for people. */
static void accept_failure(struct hub_request *r)
{
    enum hub_text text = r->accept.text;

    hub_accept_parse(hub_request_header(r, "accept"), HUB_ACCEPT_PLAIN, &r->accept);
    if (!r->accept.acceptable || (r->accept.text == HUB_TEXT_JSON && text == HUB_TEXT_PRETTY))
        r->accept.text = HUB_TEXT_PRETTY;
}

void hub_failure_respond(struct hub_request *r)
{
    struct fed_buf body;
    struct fed_http_header retry = {FED_SPAN_LIT("retry-after"), FED_SPAN_LIT("1")};

    accept_failure(r);
    fed_buf_init(&body, r->mem, 1u << 20);
    hub_failure_put(r, &body);
    if (fed_buf_err(&body)) {
        r->answered = true;
        hub_request_record(r, 503);
        hub_respond_no_memory(r->exchange);
        return;
    }
    if (hub_respond(r, (unsigned)r->failure.code, "application/json", fed_buf_span(&body), &retry,
            r->failure.retry_after_s > 0 ? 1 : 0))
        r->answered = true;
}
