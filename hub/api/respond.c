/* respond.c - whole answers: headers that all have, objects in the form the client asked for. */
#include "hub/api/core.h"
#include "hub/api/internal.h"
#include "ports/yaml.h"
#include "proto/base/text.h"

#include <string.h>

/* Bytes of the UTF-8 sequence at the text's begin; 0 when there is none. */
static size_t sequence(struct fed_span text)
{
    uint8_t first = text.at[0];
    size_t n = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;

    return n <= text.len && fed_text_is_utf8(fed_span_sub(text, 0, n)) ? n : 0;
}

/* What is not UTF-8 becomes U+FFFD byte by byte, as in Go. */
static void put_wide(struct fed_buf *out, struct fed_span text, size_t *at)
{
    struct fed_span rest = fed_span_sub(text, *at, SIZE_MAX);
    size_t n = sequence(rest);

    if (n)
        fed_buf_put(out, fed_span_sub(rest, 0, n));
    else
        fed_buf_put_text(out, "\xef\xbf\xbd");
    *at += n ? n - 1 : 0;
}

void hub_json_put(struct fed_buf *out, struct fed_span text)
{
    static const char hex[] = "0123456789abcdef";

    fed_buf_put_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (c == '"' || c == '\\') {
            fed_buf_put_u8(out, '\\');
            fed_buf_put_u8(out, c);
        } else if (c == '\n') {
            fed_buf_put_text(out, "\\n");
        } else if (c < 0x20) {
            fed_buf_put_text(out, "\\u00");
            fed_buf_put_u8(out, (uint8_t)hex[c >> 4]);
            fed_buf_put_u8(out, (uint8_t)hex[c & 15]);
        } else if (c >= 0x80) {
            put_wide(out, text, &i);
        } else {
            fed_buf_put_u8(out, c);
        }
    }
    fed_buf_put_u8(out, '"');
}

void hub_json_put_text(struct fed_buf *out, const char *text)
{
    hub_json_put(out, fed_span_text(text));
}

#define HEADERS_MAX (HUB_LIMIT_WARNINGS + 9u)

/* The headers that every answer has, and the caller's; at most HEADERS_MAX. */
static size_t put_headers(const struct hub_request *r, struct fed_http_header *headers,
    const char *content_type, const struct fed_http_header *more, size_t n_more)
{
    bool caches = false;
    size_t n = 0;

    headers[n++] = (struct fed_http_header){FED_SPAN_LIT("audit-id"), fed_span_text(r->audit_id)};
    if (content_type)
        headers[n++] =
            (struct fed_http_header){FED_SPAN_LIT("content-type"), fed_span_text(content_type)};
    for (size_t i = 0; i < n_more && n < HEADERS_MAX - HUB_LIMIT_WARNINGS - 2; i++) {
        headers[n++] = more[i];
        caches = caches || fed_span_is(more[i].name, "cache-control");
    }
    if (!caches)
        headers[n++] = (struct fed_http_header){
            FED_SPAN_LIT("cache-control"), FED_SPAN_LIT("no-cache, private")};
    for (size_t i = 0; i < r->n_warnings; i++)
        headers[n++] = (struct fed_http_header){FED_SPAN_LIT("warning"), r->warnings[i]};
    return n;
}

/* What the store holds may be undone until it is durable; what is no resource is not of it. */
static bool must_wait(const struct hub_request *r)
{
    return r->path.endpoint == HUB_ENDPOINT_RESOURCE && hub_objects_staged(r->api->objects);
}

static enum fed_err respond_as_it_is(struct hub_request *r, unsigned status,
    const char *content_type, struct fed_span body, const struct fed_http_header *more,
    size_t n_more)
{
    struct fed_http_header headers[HEADERS_MAX];
    size_t n;

    if (hub_deadline_is_over(r->api, r->deadline_us)) {
        status = 504;
        content_type = "application/json";
        body = hub_deadline_answer();
        n_more = 0;
    }
    n = put_headers(r, headers, content_type, more, n_more);
    r->answered = true;
    if (must_wait(r)) {
        hub_hold(r, status, headers, n, body, NULL);
        return FED_OK;
    }
    hub_request_record(r, status);
    fed_http_respond(r->exchange, status, headers, n, body);
    return FED_OK;
}

/* ---- YAML, and JSON for people ---- */
static enum fed_err put_pretty(struct hub_request *r, struct fed_span json, struct fed_buf *out)
{
    struct fed_json_doc *doc;
    struct fed_json *tree;
    enum fed_err err = fed_json_doc_new(r->api->mem, &doc);

    if (err)
        return err;
    err = fed_json_parse(doc, json, &tree, NULL);
    if (!err)
        err = fed_json_put_pretty(out, tree);
    fed_json_doc_free(doc);
    return err;
}

/* What is too large to be indented stays as it is; YAML was asked for. */
static enum fed_err respond_text(struct hub_request *r, unsigned status, struct fed_span body,
    const struct fed_http_header *more, size_t n_more)
{
    bool yaml = r->accept.text == HUB_TEXT_YAML;
    struct fed_diag diag = {""};
    struct fed_buf out;
    enum fed_err err;

    fed_buf_init(&out, r->api->mem, HUB_LIMIT_ANSWER_BYTES);
    err = yaml ? fed_yaml_put_json(r->api->mem, body, &out, &diag) : put_pretty(r, body, &out);
    if (!err)
        err = respond_as_it_is(r, status, yaml ? "application/yaml" : "application/json",
            fed_buf_span(&out), more, n_more);
    else if (!yaml && err == FED_ERR_LIMIT)
        err = respond_as_it_is(r, status, "application/json", body, more, n_more);
    else if (err == FED_ERR_LIMIT)
        err = hub_fail(r, 413, "RequestEntityTooLarge",
            "the answer is too large: %s: ask for fewer objects with limit=, or for JSON",
            diag.text);
    fed_buf_fini(&out);
    return err;
}

enum fed_err hub_respond(struct hub_request *r, unsigned status, const char *content_type,
    struct fed_span body, const struct fed_http_header *more, size_t n_more)
{
    bool as_json = r->accept.text == HUB_TEXT_JSON || !content_type ||
                   strcmp(content_type, "application/json") != 0;

    return as_json ? respond_as_it_is(r, status, content_type, body, more, n_more)
                   : respond_text(r, status, body, more, n_more);
}

enum fed_err hub_respond_shared(struct hub_request *r, struct fed_http_shared *body)
{
    struct fed_http_header headers[HEADERS_MAX];
    size_t n;

    if (hub_deadline_is_over(r->api, r->deadline_us))
        return respond_as_it_is(r, 504, NULL, (struct fed_span){0}, NULL, 0);
    n = put_headers(r, headers, "application/json", NULL, 0);
    r->answered = true;
    if (must_wait(r)) {
        hub_hold(r, 200, headers, n, (struct fed_span){0}, body);
        return FED_OK;
    }
    hub_request_record(r, 200);
    fed_http_respond_shared(r->exchange, 200, headers, n, body);
    return FED_OK;
}

enum fed_err hub_respond_take(struct hub_request *r, struct fed_buf *body)
{
    enum fed_err err = fed_buf_err(body);
    struct fed_http_shared *shared;

    if (!err && r->accept.text != HUB_TEXT_JSON)
        return hub_respond(r, 200, "application/json", fed_buf_span(body), NULL, 0);
    shared = err ? NULL : fed_http_shared_take(body);
    if (!shared)
        return err ? err : FED_ERR_NOMEM;
    err = hub_respond_shared(r, shared);
    fed_http_shared_unref(shared);
    return err;
}

enum fed_err hub_respond_json(struct hub_request *r, unsigned status, const struct fed_json *value)
{
    struct fed_buf body;
    enum fed_err err;

    fed_buf_init(&body, r->mem, HUB_LIMIT_ANSWER_BYTES);
    err = fed_json_put(&body, value);
    fed_buf_put_text(&body, "\n");
    if (!err)
        err = fed_buf_err(&body);
    return err ? err : hub_respond(r, status, "application/json", fed_buf_span(&body), NULL, 0);
}

static enum fed_err respond_table(
    struct hub_request *r, unsigned status, const struct fed_json *object)
{
    struct hub_view view = hub_view_of(r);
    uint64_t revision = 0;
    struct fed_buf body;
    enum fed_err err;

    if (fed_span_to_u64(hub_meta(object, "resourceVersion"), &revision))
        revision = 0;
    fed_buf_init(&body, r->mem, HUB_LIMIT_ANSWER_BYTES);
    hub_table_begin(&body, &view, true);
    hub_table_row(
        &body, &view, object, r->query.include_object, fed_loop_unix_s(r->api->options.loop));
    hub_table_end(&body, revision, (struct fed_span){0}, -1);
    err = fed_buf_err(&body);
    return err ? err : hub_respond(r, status, "application/json", fed_buf_span(&body), NULL, 0);
}

enum fed_err hub_check_table_options(struct hub_request *r)
{
    static const char *const known[] = {"", "None", "Metadata", "Object"};
    struct fed_buf quoted;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (r->accept.form != HUB_FORM_TABLE || fed_span_is(r->query.include_object, known[i]))
            return FED_OK;
    fed_buf_init(&quoted, r->mem, 65536);
    hub_put_quoted(&quoted, r->query.include_object);
    return hub_fail(r, 400, "BadRequest",
        "Unable to convert to Table as requested: includeObject: Invalid value: %s: must be "
        "'Metadata', 'Object', 'None', or empty",
        fed_buf_cstr(&quoted));
}

/* The Go type behind an object or a list, which kube-apiserver names in such a refusal. */
const char *hub_go_type(struct hub_request *r, const char *list)
{
    struct fed_buf name;

    if (!r->version->core)
        return list[0] ? "*unstructured.UnstructuredList" : "*unstructured.Unstructured";
    fed_buf_init(&name, r->mem, 1024);
    fed_buf_printf(&name, "*" FED_SPAN_FMT "%s", FED_SPAN_ARG(r->version->core->name), list);
    return fed_buf_cstr(&name);
}

enum fed_err hub_respond_object(struct hub_request *r, unsigned status, struct fed_json *object)
{
    enum fed_err err = hub_check_table_options(r);

    if (err)
        return err;
    if (r->accept.form == HUB_FORM_TABLE)
        return respond_table(r, status, object);
    if (r->accept.form == HUB_FORM_PARTIAL_LIST && !r->version->core)
        return hub_fail(r, 500, "", "content is not a list");
    if (r->accept.form == HUB_FORM_PARTIAL_LIST)
        return hub_fail(r, 406, "NotAcceptable",
            "you requested PartialObjectMetadataList, but the requested object is not a list (%s)",
            hub_go_type(r, ""));
    if (r->accept.form == HUB_FORM_PARTIAL) {
        struct hub_view view = hub_view_of(r);

        object = hub_object_partial(&view, r->doc, object);
        if (!object)
            return FED_ERR_NOMEM;
    }
    return hub_respond_json(r, status, object);
}

enum fed_err hub_respond_deleted(struct hub_request *r, struct fed_span name, struct fed_span uid)
{
    struct fed_buf body;
    enum fed_err err;

    fed_buf_init(&body, r->mem, 65536);
    fed_buf_put_text(&body,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\","
        "\"details\":{\"name\":");
    hub_json_put(&body, name);
    if (r->kind->group[0]) {
        fed_buf_put_text(&body, ",\"group\":");
        hub_json_put_text(&body, r->kind->group);
    }
    fed_buf_put_text(&body, ",\"kind\":");
    hub_json_put_text(&body, r->kind->plural);
    fed_buf_put_text(&body, ",\"uid\":");
    hub_json_put(&body, uid);
    fed_buf_put_text(&body, "}}\n");
    err = fed_buf_err(&body);
    return err ? err : hub_respond(r, 200, "application/json", fed_buf_span(&body), NULL, 0);
}
