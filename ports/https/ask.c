/* ask.c - see ask.h. */
#include "ports/https/ask.h"

#include "ports/http/fields.h"
#include "proto/digest/sha256.h"

#include <stdio.h>
#include <string.h>

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool read_id(struct fed_span text, uint8_t out[FED_HTTPS_ID_SIZE])
{
    if (text.len != 2u * FED_HTTPS_ID_SIZE)
        return false;
    for (size_t i = 0; i < FED_HTTPS_ID_SIZE; i++) {
        int high = hex_digit(text.at[2 * i]);
        int low = hex_digit(text.at[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* A header that came once. */
static bool single(const struct fed_http_request *request, const char *name, struct fed_span *value)
{
    return fed_http_headers_count(request->headers, request->n_headers, name) == 1 &&
           fed_http_headers_find(request->headers, request->n_headers, name, value);
}

static enum fed_err read_session(
    const struct fed_http_request *request, struct fed_https_ask *out, struct fed_diag *diag)
{
    struct fed_span id;

    if (single(request, "fedlet-session", &id) && read_id(id, out->session))
        return FED_OK;
    return fed_diag_set(
        diag, FED_ERR_INVALID, "one header fedlet-session with 32 hexadecimal digits is needed");
}

static enum fed_err read_observe(
    const struct fed_http_request *request, struct fed_https_ask *out, struct fed_diag *diag)
{
    struct fed_span how;

    if (!fed_http_headers_find(request->headers, request->n_headers, "fedlet-observe", NULL))
        return FED_OK;
    out->observe = single(request, "fedlet-observe", &how) && fed_span_is(how, "stream") &&
                   out->method == FED_HTTPS_GET;
    return out->observe ? FED_OK
                        : fed_diag_set(diag, FED_ERR_INVALID,
                              "fedlet-observe is \"stream\", once, in a GET");
}

static enum fed_https_method read_method(struct fed_span method)
{
    if (fed_span_is(method, "GET"))
        return FED_HTTPS_GET;
    return fed_span_is(method, "POST") ? FED_HTTPS_POST : FED_HTTPS_OTHER;
}

static bool is_etag(struct fed_span text)
{
    uint8_t unused[FED_HTTPS_ID_SIZE];

    return text.len == FED_HTTPS_ETAG_SIZE && text.at[0] == '"' && text.at[text.len - 1] == '"' &&
           read_id(fed_span_sub(text, 1, text.len - 2), unused);
}

/* bytes=N-, under the condition that nothing changed. */
static void read_range(const struct fed_http_request *request, struct fed_https_ask *out)
{
    struct fed_span range;
    struct fed_span from;

    if (out->method != FED_HTTPS_GET || out->observe || !single(request, "range", &range) ||
        !single(request, "if-range", &out->if_range))
        return;
    from = fed_span_sub(range, strlen("bytes="), range.len);
    out->has_range = fed_span_starts(range, "bytes=") && fed_span_ends(from, "-") &&
                     !fed_span_to_u64(fed_span_sub(from, 0, from.len - 1), &out->from) &&
                     is_etag(out->if_range);
}

static void read_path(const struct fed_http_request *request, struct fed_https_ask *out)
{
    out->path = request->path;
    out->query = request->query;
    if (!fed_span_starts(request->path, FED_HTTPS_PREFIX))
        return;
    out->path = fed_span_sub(request->path, strlen(FED_HTTPS_PREFIX), request->path.len);
    out->ping = out->method == FED_HTTPS_GET && fed_span_is(out->path, "p");
}

enum fed_err fed_https_ask_read(
    const struct fed_http_request *request, struct fed_https_ask *out, struct fed_diag *diag)
{
    struct fed_https_ask ask = {.method = read_method(request->method)};
    enum fed_err err = read_session(request, &ask, diag);

    if (!err)
        err = read_observe(request, &ask, diag);
    if (err)
        return err;
    read_range(request, &ask);
    read_path(request, &ask);
    *out = ask;
    return FED_OK;
}

enum fed_err fed_https_etag(struct fed_span body, char out[FED_HTTPS_ETAG_SIZE + 1])
{
    struct fed_digest digest;
    enum fed_err err = fed_digest_of(body, &digest);
    size_t n = 0;

    if (err)
        return err;
    out[n++] = '"';
    for (size_t i = 0; i < FED_HTTPS_ID_SIZE; i++)
        n += (size_t)snprintf(out + n, 3, "%02x", digest.bytes[i]);
    out[n++] = '"';
    out[n] = 0;
    return FED_OK;
}
