/* options.c - see options.h. */
#include "hub/api/options.h"
#include "hub/api/core.h"
#include "hub/api/write.h"

#include <stdio.h>

#define MANAGER_MAX 128u

/* ---- numbers as Go's strconv.ParseInt takes them ---- */
static enum fed_err take_int(
    struct hub_request *r, struct fed_span text, int64_t *out, bool *overflow)
{
    bool negative = fed_span_starts(text, "-");
    struct fed_span digits =
        fed_span_sub(text, negative || fed_span_starts(text, "+") ? 1 : 0, text.len);
    uint64_t value = 0;

    (void)r;
    *overflow = false;
    for (size_t i = 0; i < digits.len; i++)
        if (digits.at[i] < '0' || digits.at[i] > '9')
            return FED_ERR_INVALID;
    if (digits.len == 0)
        return FED_ERR_INVALID;
    if (fed_span_to_u64(digits, &value) || value > (uint64_t)INT64_MAX) {
        *overflow = true;
        return FED_ERR_LIMIT;
    }
    *out = negative ? -(int64_t)value : (int64_t)value;
    return FED_OK;
}

static enum fed_err query_int(struct hub_request *r, struct fed_span text, int64_t *out)
{
    struct fed_buf quoted;
    bool overflow;

    *out = 0;
    if (text.len == 0 || !take_int(r, text, out, &overflow))
        return FED_OK;
    fed_buf_init(&quoted, r->mem, 65536);
    hub_put_quoted(&quoted, text);
    return hub_fail(r, 400, "BadRequest", "strconv.ParseInt: parsing %s: %s", fed_buf_cstr(&quoted),
        overflow ? "value out of range" : "invalid syntax");
}

/* ---- rules that several have ---- */

/* Length of the character at the front and its code; a byte that is none counts as U+FFFD. */
static size_t character(struct fed_span text, uint32_t *out)
{
    uint8_t c = text.at[0];
    size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    uint32_t code = n == 1 ? c : n == 2 ? c & 0x1fu : n == 3 ? c & 0x0fu : c & 0x07u;

    *out = 0xfffd;
    if (n == 0 || n > text.len)
        return 1;
    for (size_t i = 1; i < n; i++) {
        if ((text.at[i] & 0xc0) != 0x80)
            return 1;
        code = code << 6 | (text.at[i] & 0x3fu);
    }
    *out = code;
    return n;
}

/* Control characters and spaces other than U+0020; Go's unicode.IsPrint knows more of them, which
 * nobody types. */
static bool is_print(uint32_t code)
{
    if (code < 0x20 || (code >= 0x7f && code <= 0xa0) || code == 0xad)
        return false;
    return !(code >= 0x2000 && code <= 0x200f) && !(code >= 0x2028 && code <= 0x202f) &&
           code != 0x3000 && code != 0xfeff && !(code >= 0xe000 && code <= 0xf8ff);
}

void hub_options_check_manager(
    struct hub_causes *causes, const char *field, struct fed_span manager)
{
    if (manager.len > MANAGER_MAX)
        hub_causes_add(causes, "FieldValueTooLong", field,
            "Too long: may not be more than %u bytes", MANAGER_MAX);
    for (size_t i = 0; i < manager.len;) {
        uint32_t code;
        size_t n = character(fed_span_sub(manager, i, manager.len), &code);

        if (!is_print(code))
            hub_causes_invalid(causes, field, manager, "invalid character U+%04X (at position %zu)",
                (unsigned)code, i);
        i += n;
    }
}

static void check_dry_run(
    struct hub_request *r, struct hub_causes *causes, const struct fed_span *values, size_t n)
{
    struct fed_buf text;
    bool known = true;

    fed_buf_init(&text, r->mem, 65536);
    for (size_t i = 0; i < n; i++) {
        known = known && fed_span_is(values[i], "All");
        fed_buf_put_text(&text, i ? "," : "");
        hub_json_put(&text, values[i]);
    }
    if (!known)
        hub_causes_add(causes, "FieldValueNotSupported", "dryRun",
            "Unsupported value: [%s]: supported values: \"All\"", fed_buf_cstr(&text));
}

static void check_validation(struct hub_request *r, struct hub_causes *causes)
{
    struct fed_span value = r->query.field_validation_text;
    struct fed_buf quoted;

    if (value.len == 0 || fed_span_is(value, "Ignore") || fed_span_is(value, "Warn") ||
        fed_span_is(value, "Strict"))
        return;
    fed_buf_init(&quoted, r->mem, 65536);
    hub_put_quoted(&quoted, value);
    hub_causes_add(causes, "FieldValueNotSupported", "fieldValidation",
        "Unsupported value: %s: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"",
        fed_buf_cstr(&quoted));
}

static void check_common(struct hub_request *r, struct hub_causes *causes)
{
    hub_options_check_manager(causes, "fieldManager", r->query.field_manager);
    check_dry_run(r, causes, r->query.dry_runs, r->query.n_dry_runs);
    check_validation(r, causes);
}

static enum fed_err verdict(struct hub_request *r, const char *name, struct hub_causes *causes)
{
    if (!causes)
        return FED_ERR_NOMEM;
    return causes->n > 0 ? hub_fail_options(r, name, causes) : FED_OK;
}

enum fed_err hub_options_write(struct hub_request *r, const char *name)
{
    struct hub_causes *causes = hub_causes_new(r);

    if (causes)
        check_common(r, causes);
    return verdict(r, name, causes);
}

enum fed_err hub_options_patch(struct hub_request *r, bool apply)
{
    struct hub_causes *causes = hub_causes_new(r);

    if (!causes)
        return FED_ERR_NOMEM;
    if (apply && r->query.field_manager.len == 0)
        hub_causes_add(causes, "FieldValueRequired", "fieldManager",
            "Required value: is required for apply patch");
    if (!apply && r->query.has_force)
        hub_causes_add(causes, "FieldValueForbidden", "force",
            "Forbidden: may not be specified for non-apply patch");
    check_common(r, causes);
    return verdict(r, "PatchOptions", causes);
}

/* ---- lists and watches ---- */
static void match_forbidden(struct hub_causes *causes, const char *why)
{
    hub_causes_add(causes, "FieldValueForbidden", "resourceVersionMatch", "Forbidden: %s", why);
}

static void match_not_supported(
    struct hub_request *r, struct hub_causes *causes, const char *supported)
{
    struct fed_buf quoted;

    fed_buf_init(&quoted, r->mem, 65536);
    hub_put_quoted(&quoted, r->query.resource_version_match);
    hub_causes_add(causes, "FieldValueNotSupported", "resourceVersionMatch",
        "Unsupported value: %s: supported values: %s", fed_buf_cstr(&quoted), supported);
}

static void check_list(struct hub_request *r, struct hub_causes *causes)
{
    const struct hub_query *q = &r->query;
    bool exact = fed_span_is(q->resource_version_match, "Exact");

    if (q->resource_version_match.len > 0) {
        if (q->resource_version_text.len == 0)
            match_forbidden(
                causes, "resourceVersionMatch is forbidden unless resourceVersion is provided");
        if (q->continue_token.len > 0)
            match_forbidden(causes, "resourceVersionMatch is forbidden when continue is provided");
        if (!exact && !fed_span_is(q->resource_version_match, "NotOlderThan"))
            match_not_supported(r, causes, "\"Exact\", \"NotOlderThan\", \"\"");
        if (exact && fed_span_is(q->resource_version_text, "0"))
            match_forbidden(
                causes, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    }
    if (q->has_send_initial_events)
        hub_causes_add(causes, "FieldValueForbidden", "sendInitialEvents",
            "Forbidden: sendInitialEvents is forbidden for list");
}

/* A watch from the beginning is one that sends what is there, and says when that was all.
 * Source: internalversion.SetListOptionsDefaults. */
static void default_watch(struct hub_query *q)
{
    bool from_start =
        q->resource_version_text.len == 0 || fed_span_is(q->resource_version_text, "0");

    if (!q->watch || !from_start || q->has_send_initial_events || q->resource_version_match.len > 0)
        return;
    q->has_send_initial_events = true;
    q->send_initial_events = true;
    q->resource_version_match = FED_SPAN_LIT("NotOlderThan");
}

static void check_watch(struct hub_request *r, struct hub_causes *causes)
{
    const struct hub_query *q = &r->query;
    bool not_older = fed_span_is(q->resource_version_match, "NotOlderThan");

    if (q->has_send_initial_events && !not_older)
        match_forbidden(
            causes, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    if (q->resource_version_match.len == 0)
        return;
    if (!q->has_send_initial_events)
        match_forbidden(causes,
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    if (!not_older)
        match_not_supported(r, causes, "\"NotOlderThan\"");
    if (q->continue_token.len > 0)
        match_forbidden(causes, "resourceVersionMatch is forbidden when continue is provided");
}

static enum fed_err take_numbers(struct hub_request *r)
{
    struct hub_query *q = &r->query;
    int64_t limit;
    int64_t timeout_s;
    enum fed_err err = query_int(r, q->timeout_text, &timeout_s);

    if (!err)
        err = query_int(r, q->limit_text, &limit);
    if (err)
        return err;
    q->limit = limit > 0 ? (uint64_t)limit : 0;
    q->timeout_s = timeout_s > 0 ? (uint64_t)timeout_s : 0;
    return FED_OK;
}

enum fed_err hub_options_resource_version(struct hub_request *r)
{
    struct hub_query *q = &r->query;
    struct fed_buf quoted;

    q->has_resource_version = q->resource_version_text.len > 0;
    if (!q->has_resource_version ||
        !fed_span_to_u64(q->resource_version_text, &q->resource_version))
        return FED_OK;
    fed_buf_init(&quoted, r->mem, 65536);
    hub_put_quoted(&quoted, q->resource_version_text);
    if (r->query.watch || r->path.name.len > 0)
        return hub_fail(r, 500, "",
            "resourceVersion: Invalid value: %s: strconv.ParseUint: parsing %s: invalid syntax",
            fed_buf_cstr(&quoted), fed_buf_cstr(&quoted));
    return hub_fail(r, 400, "BadRequest",
        "invalid resource version: resourceVersion: Invalid value: %s: strconv.ParseUint: parsing "
        "%s: invalid syntax",
        fed_buf_cstr(&quoted), fed_buf_cstr(&quoted));
}

enum fed_err hub_options_list(struct hub_request *r)
{
    struct hub_causes *causes = hub_causes_new(r);
    enum fed_err err = causes ? take_numbers(r) : FED_ERR_NOMEM;

    if (err)
        return err;
    default_watch(&r->query);
    if (r->query.watch)
        check_watch(r, causes);
    else
        check_list(r, causes);
    err = verdict(r, "ListOptions", causes);
    if (!err && !r->query.watch && r->query.continue_token.len > 0 &&
        r->query.resource_version_text.len > 0 && !fed_span_is(r->query.resource_version_text, "0"))
        return hub_fail(
            r, 400, "BadRequest", "specifying resource version is not allowed when using continue");
    return err ? err : hub_options_resource_version(r);
}

/* ---- DELETE ---- */
/* What is no DeleteOptions is the server's error with kube-apiserver, and named as such. */
static enum fed_err check_delete_options(struct hub_request *r, struct fed_json *body)
{
    struct fed_span kind = fed_json_string(fed_json_get(body, "kind"));
    struct fed_span version = fed_json_string(fed_json_get(body, "apiVersion"));
    const struct hub_core_type *type = hub_core_find(
        hub_kinds_core(r->api->kinds), FED_SPAN_LIT("v1"), FED_SPAN_LIT("DeleteOptions"));
    struct fed_diag diag = {{0}};
    enum fed_err err;

    if (fed_json_type(body) == FED_JSON_NULL)
        return FED_OK;
    if (!fed_json_is_object(body))
        return hub_fail(r, 500, "", HUB_GO_NO_HEAD, hub_go_word(body));
    if (kind.len > 0 && !fed_span_is(kind, "DeleteOptions"))
        return hub_fail(r, 500, "",
            "no kind \"" FED_SPAN_FMT "\" is registered for version \"" FED_SPAN_FMT
            "\" in scheme \"pkg/runtime/scheme.go:110\"",
            FED_SPAN_ARG(kind), FED_SPAN_ARG(version));
    err = type ? hub_core_shape(r->mem, r->doc, type, body, &diag) : FED_OK;
    return err == FED_ERR_INVALID ? hub_fail(r, 500, "", "%s", diag.text) : err;
}

static enum fed_err take_body(struct hub_request *r, struct hub_delete_options *out)
{
    struct fed_json *body = NULL;
    struct fed_json *list;
    enum fed_err err = hub_decode_body(r, &body);

    if (!err && body)
        err = check_delete_options(r, body);
    if (err)
        return err;
    list = fed_json_get(body, "dryRun");
    for (size_t i = 0; i < fed_json_count(list) && out->n_dry_runs < HUB_DRY_RUNS_MAX; i++)
        out->dry_runs[out->n_dry_runs++] = fed_json_string(fed_json_at(list, i));
    out->uid = fed_json_string(fed_json_find(body, "preconditions.uid"));
    out->resource_version = fed_json_string(fed_json_find(body, "preconditions.resourceVersion"));
    out->policy = fed_json_string(fed_json_get(body, "propagationPolicy"));
    out->has_orphan = fed_json_type(fed_json_get(body, "orphanDependents")) == FED_JSON_BOOL;
    out->orphan = fed_json_bool(fed_json_get(body, "orphanDependents"), false);
    return FED_OK;
}

static enum fed_err take_query(struct hub_request *r, struct hub_delete_options *out)
{
    const struct hub_query *q = &r->query;
    int64_t ignored;
    enum fed_err err = query_int(r, q->grace_period_text, &ignored);

    if (err)
        return err;
    for (size_t i = 0; i < q->n_dry_runs; i++)
        out->dry_runs[out->n_dry_runs++] = q->dry_runs[i];
    out->policy = q->propagation_policy;
    out->has_orphan = q->orphan_dependents.len > 0;
    out->orphan = out->has_orphan && !fed_span_is(q->orphan_dependents, "0") &&
                  !fed_span_is(q->orphan_dependents, "false");
    return FED_OK;
}

static void check_policy(struct hub_causes *causes, const struct hub_delete_options *options)
{
    struct fed_buf quoted;

    if (options->policy.len == 0)
        return;
    fed_buf_init(&quoted, fed_alloc_system(), 1u << 20);
    hub_put_quoted(&quoted, options->policy);
    if (options->has_orphan)
        hub_causes_invalid(causes, "propagationPolicy", options->policy,
            "orphanDependents and deletionPropagation cannot be both set");
    if (!fed_span_is(options->policy, "Foreground") &&
        !fed_span_is(options->policy, "Background") && !fed_span_is(options->policy, "Orphan"))
        hub_causes_add(causes, "FieldValueNotSupported", "propagationPolicy",
            "Unsupported value: %s: supported values: \"Foreground\", \"Background\", \"Orphan\", "
            "\"nil\"",
            fed_buf_cstr(&quoted));
    fed_buf_fini(&quoted);
}

static enum hub_propagation propagation_of(const struct hub_delete_options *options)
{
    if (options->has_orphan)
        return options->orphan ? HUB_PROPAGATE_ORPHAN : HUB_PROPAGATE_BACKGROUND;
    return fed_span_is(options->policy, "Foreground")   ? HUB_PROPAGATE_FOREGROUND
           : fed_span_is(options->policy, "Background") ? HUB_PROPAGATE_BACKGROUND
           : fed_span_is(options->policy, "Orphan")     ? HUB_PROPAGATE_ORPHAN
                                                        : HUB_PROPAGATE_DEFAULT;
}

enum fed_err hub_options_delete(struct hub_request *r, struct hub_delete_options *out)
{
    struct hub_causes *causes = hub_causes_new(r);
    enum fed_err err;

    *out = (struct hub_delete_options){.dry_run = false};
    if (!causes)
        return FED_ERR_NOMEM;
    err = r->http->body.len > 0 ? take_body(r, out) : take_query(r, out);
    if (err)
        return err;
    out->dry_run = out->n_dry_runs > 0;
    out->propagation = propagation_of(out);
    check_policy(causes, out);
    check_dry_run(r, causes, out->dry_runs, out->n_dry_runs);
    return verdict(r, "DeleteOptions", causes);
}
