/* files.c - the page and what it is made of, as they lie in memory. */
#include "hub/console/files.h"
#include "hub/console/asked.h"
#include "hub/console/internal.h"

#include <string.h>

#define HEADERS_MAX 16u
#define PAGE "index.html"

/* Nothing but what this very hub serves; text nodes only where a browser can see to it. */
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "              \
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "               \
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

static const struct {
    const char *ends;
    const char *type;
} types[] = {{".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"}, {".svg", "image/svg+xml"}, {".png", "image/png"},
    {".ico", "image/x-icon"}, {".woff2", "font/woff2"}, {".json", "application/json"},
    {".webmanifest", "application/manifest+json"}, {".txt", "text/plain; charset=utf-8"}};

static const char *type_of(const char *path)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (fed_span_ends(fed_span_text(path), types[i].ends))
            return types[i].type;
    return "application/octet-stream";
}

static const struct console_file *find(struct fed_span path)
{
    for (size_t i = 0; i < console_n_files; i++)
        if (fed_span_is(path, console_files[i].path))
            return &console_files[i];
    return NULL;
}

/* A link into the page: no file, and nothing that looks like one. */
static bool is_link(struct fed_span path)
{
    size_t begin = path.len;

    while (begin > 0 && path.at[begin - 1] != '/')
        begin--;
    return fed_span_find(fed_span_sub(path, begin, path.len), '.') == path.len - begin;
}

struct headers {
    struct fed_http_header list[HEADERS_MAX];
    size_t n;
};

static void add(struct headers *headers, const char *name, const char *value)
{
    headers->list[headers->n++] =
        (struct fed_http_header){fed_span_text(name), fed_span_text(value)};
}

static void add_common(struct headers *headers)
{
    add(headers, "x-content-type-options", "nosniff");
    add(headers, "x-frame-options", "DENY");
    add(headers, "referrer-policy", "no-referrer");
    add(headers, "cross-origin-opener-policy", "same-origin");
    add(headers, "cross-origin-resource-policy", "same-origin");
    add(headers, "content-security-policy", POLICY);
}

static enum fed_err answer(
    struct hub_request *r, unsigned status, struct headers *headers, struct fed_span body)
{
    r->answered = true;
    hub_metrics_count(r, status);
    fed_http_respond(r->exchange, status, headers->list, headers->n, body);
    return FED_OK;
}

static enum fed_err serve(struct hub_request *r, const struct console_file *file)
{
    struct headers headers = {.n = 0};
    bool page = strcmp(file->path, PAGE) == 0;
    struct fed_span etag = fed_span_text(file->etag);

    add_common(&headers);
    add(&headers, "vary", page ? "accept-encoding, accept" : "accept-encoding");
    if (!console_takes_gzip(console_header(r->http, "accept-encoding"))) {
        add(&headers, "content-type", "text/plain; charset=utf-8");
        return answer(r, 406, &headers,
            FED_SPAN_LIT("the console's files are kept as gzip: say accept-encoding: gzip\n"));
    }
    add(&headers, "content-type", type_of(file->path));
    add(&headers, "cache-control",
        fed_span_starts(fed_span_text(file->path), "assets/")
            ? "public, max-age=31536000, immutable"
        : page ? "no-store"
               : "no-cache");
    add(&headers, "etag", file->etag);
    if (!page && console_etag_matches(console_header(r->http, "if-none-match"), etag))
        return answer(r, 304, &headers, (struct fed_span){0});
    add(&headers, "content-encoding", "gzip");
    return answer(r, 200, &headers, fed_span_of(file->gzip, file->len));
}

enum fed_err console_serve_file(struct hub_request *r, struct fed_span path)
{
    const struct console_file *file = find(path);

    if (!hub_request_is_read(r->http))
        return hub_fail(r, 405, "MethodNotAllowed", "files of the console are only read");
    if (!file && is_link(path))
        file = find(FED_SPAN_LIT(PAGE));
    return file ? serve(r, file) : hub_fail(r, 404, "NotFound", "the console has no such file");
}

enum fed_err console_redirect(struct hub_request *r)
{
    struct headers headers = {.n = 0};

    add_common(&headers);
    add(&headers, "location", "/console/");
    return answer(r, 308, &headers, (struct fed_span){0});
}
