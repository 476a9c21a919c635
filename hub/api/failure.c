/* failure.c - metav1.Status documents for what went wrong: code, reason, a sentence, and causes
 * field by field. */
#include "hub/api/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum fed_err hub_fail(struct hub_request *r, int code, const char *reason, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(r->failure.message, sizeof r->failure.message, format, args);
    va_end(args);
    r->failure.code = code;
    r->failure.reason = reason;
    r->failure.names_object = r->kind != NULL && code != 400;
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
    return fed_alloc_zero(r->mem, sizeof(struct hub_causes));
}

void hub_causes_add(
    struct hub_causes *causes, const char *reason, const char *field, const char *format, ...)
{
    struct hub_cause *cause;
    va_list args;

    if (!causes || causes->n == HUB_CAUSES_MAX) {
        if (causes)
            causes->more++;
        return;
    }
    cause = &causes->list[causes->n++];
    snprintf(cause->reason, sizeof cause->reason, "%s", reason);
    snprintf(cause->field, sizeof cause->field, "%s", field);
    va_start(args, format);
    vsnprintf(cause->message, sizeof cause->message, format, args);
    va_end(args);
}

/* "KIND.GROUP "name" is invalid: " and "field: message", in brackets when there are several. */
static void causes_message(struct hub_request *r, const struct hub_causes *causes)
{
    struct fed_buf text;

    fed_buf_init(&text, r->mem, 65536);
    fed_buf_printf(&text,
        "%s%s%s \"" FED_SPAN_FMT "\" is invalid: ", r->kind ? r->kind->kind : "request",
        r->kind && r->kind->group[0] ? "." : "", r->kind ? r->kind->group : "",
        FED_SPAN_ARG(r->path.name));
    if (causes->n > 1)
        fed_buf_put_text(&text, "[");
    for (size_t i = 0; i < causes->n; i++)
        fed_buf_printf(&text, "%s%s%s%s", i ? ", " : "", causes->list[i].field,
            causes->list[i].field[0] ? ": " : "", causes->list[i].message);
    if (causes->more > 0)
        fed_buf_printf(&text, ", and %zu more", causes->more);
    if (causes->n > 1)
        fed_buf_put_text(&text, "]");
    hub_fail(r, 422, "Invalid", "%s", fed_buf_cstr(&text));
}

enum fed_err hub_fail_causes(struct hub_request *r, struct hub_causes *causes)
{
    causes_message(r, causes);
    r->failure.causes = causes;
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

enum fed_err hub_fail_err(struct hub_request *r, enum fed_err err, const struct fed_diag *diag)
{
    const struct error_code *found = NULL;
    const char *text = diag && diag->text[0] ? diag->text : fed_err_text(err);

    if (r->failure.code != 0)
        return err;
    for (size_t i = 0; i < sizeof error_codes / sizeof *error_codes; i++)
        if (error_codes[i].err == err)
            found = &error_codes[i];
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
        fed_buf_put_text(out, i ? ",{\"reason\":" : "{\"reason\":");
        hub_json_put_text(out, causes->list[i].reason);
        fed_buf_put_text(out, ",\"message\":");
        hub_json_put_text(out, causes->list[i].message);
        if (causes->list[i].field[0]) {
            fed_buf_put_text(out, ",\"field\":");
            hub_json_put_text(out, causes->list[i].field);
        }
        fed_buf_put_text(out, "}");
    }
    fed_buf_put_text(out, "]");
}

static void put_details(const struct hub_request *r, struct fed_buf *out)
{
    const struct hub_failure *failure = &r->failure;
    bool first = true;

    if (failure->names_object && r->kind) {
        put_member(out, &first, "name", r->path.name);
        put_member(out, &first, "group", fed_span_text(r->kind->group));
        put_member(out, &first, "kind",
            fed_span_text(failure->code == 422 ? r->kind->kind : r->kind->plural));
    }
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
    fed_buf_put_text(out, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
                          "\"Failure\",\"message\":");
    hub_json_put_text(out, r->failure.message);
    fed_buf_put_text(out, ",\"reason\":");
    hub_json_put_text(out, r->failure.reason);
    if (r->failure.code != 400) { /* a bad request is about no object */
        fed_buf_put_text(out, ",\"details\":");
        put_details(r, out);
    }
    fed_buf_printf(out, ",\"code\":%d}\n", r->failure.code);
}

void hub_failure_respond(struct hub_request *r)
{
    struct fed_buf body;
    struct fed_http_header retry = {FED_SPAN_LIT("retry-after"), FED_SPAN_LIT("1")};

    fed_buf_init(&body, r->mem, 1u << 20);
    hub_failure_put(r, &body);
    if (hub_respond(r, (unsigned)r->failure.code, "application/json", fed_buf_span(&body), &retry,
            r->failure.retry_after_s > 0 ? 1 : 0))
        r->answered = true;
}
