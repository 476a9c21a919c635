/* list_page.c - which page of which state a list shows.
 *
 * A page's token carries the list's revision and the last key, in the form of kube-apiserver
 * (storage.EncodeContinue): base64url of {"v":"meta.k8s.io/v1","rv":REVISION,"start":"/KEY\0"}. The
 * pages that follow show the state of that revision; once that is forgotten the client gets 410 and
 * a token with revision -1, which goes on with the present state. */
#include "hub/api/internal.h"

#include "proto/base/text.h"

#include <stdio.h>

#define TOKEN_VERSION "meta.k8s.io/v1"

static enum fed_err token_invalid(struct hub_request *r, const char *why, struct fed_span what)
{
    return hub_fail(r, 400, "BadRequest",
        "invalid continue token: continue key is not valid: %s" FED_SPAN_FMT, why,
        FED_SPAN_ARG(what));
}

static bool is_base64url(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static enum fed_err token_decode(struct hub_request *r, struct fed_json **out)
{
    struct fed_span token = r->query.continue_token;
    struct fed_diag diag = {""};
    struct fed_buf text;
    char at[80];
    size_t i = 0;

    fed_buf_init(&text, r->mem, 4096);
    if (fed_text_base64url(token, &text)) {
        while (i < token.len && is_base64url(token.at[i]))
            i++;
        snprintf(at, sizeof at, "illegal base64 data at input byte %zu", i);
        return token_invalid(r, at, FED_SPAN_LIT(""));
    }
    if (fed_json_parse(r->doc, fed_buf_span(&text), out, &diag) || !fed_json_is_object(*out))
        return token_invalid(r, diag.text, FED_SPAN_LIT(""));
    return FED_OK;
}

/* "/NAMESPACE/NAME" and NUL, or "/NAME" and NUL where the path says the namespace. */
static enum fed_err take_start(
    struct hub_request *r, struct fed_span start, struct hub_object_ref *after)
{
    struct fed_span key = start;

    if (fed_span_starts(key, "/"))
        key = fed_span_sub(key, 1, key.len);
    if (key.len < 2 || key.at[key.len - 1] != 0)
        return token_invalid(r, "", start);
    key = fed_span_sub(key, 0, key.len - 1);
    after->resource = fed_span_text(r->kind->resource);
    after->ns = r->path.ns;
    if (r->kind->namespaced && r->path.ns.len == 0 && !fed_span_split(&key, '/', &after->ns))
        return token_invalid(r, "", start);
    if (key.len == 0 || fed_span_find(key, '/') != key.len || fed_span_find(key, 0) != key.len ||
        fed_span_is(key, "..") || fed_span_is(key, ".") ||
        (r->kind->namespaced && after->ns.len == 0))
        return token_invalid(r, "", start);
    after->name = key;
    return FED_OK;
}

static enum fed_err take_token(struct hub_request *r, struct hub_page *page)
{
    struct fed_json *token;
    struct fed_span version;
    int64_t revision;
    enum fed_err err = token_decode(r, &token);

    if (err)
        return err;
    version = fed_json_string(fed_json_get(token, "v"));
    revision = fed_json_int(fed_json_get(token, "rv"), 0);
    if (!fed_span_is(version, TOKEN_VERSION))
        return token_invalid(r, "server does not recognize this encoded version ", version);
    if (revision == 0)
        return token_invalid(r,
            "incorrect encoded start resourceVersion (version " TOKEN_VERSION ")",
            FED_SPAN_LIT(""));
    if (fed_json_string(fed_json_get(token, "start")).len == 0)
        return token_invalid(
            r, "encoded start key empty (version " TOKEN_VERSION ")", FED_SPAN_LIT(""));
    if (r->query.has_resource_version && r->query.resource_version != 0)
        return hub_fail(
            r, 400, "BadRequest", "specifying resource version is not allowed when using continue");
    page->continues = true;
    if (revision > 0)
        page->revision = (uint64_t)revision;
    return take_start(r, fed_json_string(fed_json_get(token, "start")), &page->after);
}

static enum fed_err too_large(struct hub_request *r, uint64_t asked, uint64_t present)
{
    struct hub_causes *causes = hub_causes_new(r);

    hub_causes_add(causes, "ResourceVersionTooLarge", "", "Too large resource version");
    hub_fail(r, 504, "Timeout", "Timeout: Too large resource version: %llu, current: %llu",
        (unsigned long long)asked, (unsigned long long)present);
    r->failure.causes = causes;
    r->failure.retry_after_s = 1;
    return FED_ERR_TIMEOUT;
}

enum fed_err hub_page_open(struct hub_request *r, struct hub_page *page)
{
    const struct hub_query *q = &r->query;
    uint64_t present = hub_objects_revision(r->api->objects);
    uint64_t asked = q->has_resource_version ? q->resource_version : 0;
    enum fed_err err = FED_OK;

    *page = (struct hub_page){.revision = present, .limit = q->limit};
    if (q->has_resource_version && asked == 0)
        page->limit = 0; /* as kube-apiserver's cache does */
    if (q->continue_token.len > 0)
        err = take_token(r, page);
    else if (asked > present)
        return too_large(r, asked, present);
    else if (asked > 0 && (fed_span_is(q->resource_version_match, "Exact") ||
                              (q->resource_version_match.len == 0 && q->limit > 0)))
        page->revision = asked;
    if (err)
        return err;
    return page->revision > present ? too_large(r, page->revision, present) : FED_OK;
}

static void put_token(
    struct fed_buf *out, struct hub_request *r, int64_t revision, const struct hub_object_ref *last)
{
    bool with_ns = r->kind->namespaced && r->path.ns.len == 0;
    struct fed_buf start;
    struct fed_buf text;

    /* Roles may be called anything but what a path cannot hold. */
    fed_buf_init(&start, r->mem, 1024);
    fed_buf_printf(&start, "/" FED_SPAN_FMT "%s" FED_SPAN_FMT,
        FED_SPAN_ARG(with_ns ? last->ns : FED_SPAN_LIT("")), with_ns ? "/" : "",
        FED_SPAN_ARG(last->name));
    fed_buf_put_u8(&start, 0);
    fed_buf_init(&text, r->mem, 8192);
    fed_buf_printf(
        &text, "{\"v\":\"" TOKEN_VERSION "\",\"rv\":%lld,\"start\":", (long long)revision);
    hub_json_put(&text, fed_buf_span(&start));
    fed_buf_put_text(&text, "}");
    fed_text_put_base64url(out, fed_buf_span(&text));
    if (fed_buf_err(&start) || fed_buf_err(&text))
        out->err = fed_buf_err(&start) ? fed_buf_err(&start) : fed_buf_err(&text);
}

void hub_page_put_token(struct fed_buf *out, struct hub_request *r, const struct hub_page *page,
    const struct hub_object_ref *last)
{
    put_token(out, r, (int64_t)page->revision, last);
}

enum fed_err hub_page_expired(struct hub_request *r, const struct hub_page *page)
{
    struct fed_buf token;

    if (!page->continues)
        return hub_fail(r, 410, "Expired", "The resourceVersion for the provided list is too old.");
    hub_fail(r, 410, "Expired",
        "The provided continue parameter is too old to display a consistent list result. You can "
        "start a new list without the continue parameter, or use the continue token in this "
        "response to retrieve the remainder of the results. Continuing with the provided token "
        "results in an inconsistent list - objects that were created, modified, or deleted between "
        "the time the first chunk was returned and now may show up in the list.");
    fed_buf_init(&token, r->mem, 4096);
    put_token(&token, r, -1, &page->after);
    r->failure.continue_token = fed_buf_span(&token);
    return FED_ERR_GONE;
}
