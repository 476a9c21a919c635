/* What an HTTP request asks of the link: lines of method, path, query, then name and value of each
 * header. The rest, after an empty line, is a body that gets its ETag. */
#include "ports/https/ask.h"
#include "tests/fuzz/fuzz.h"

#define HEADERS_MAX 16u

static bool inside(struct fed_span part, struct fed_span all)
{
    return part.len == 0 || (part.at >= all.at && part.at + part.len <= all.at + all.len);
}

static void check(const struct fed_https_ask *ask, struct fed_span all)
{
    FUZZ_CHECK(inside(ask->path, all) && inside(ask->query, all) && inside(ask->if_range, all));
    FUZZ_CHECK(!ask->ping || (ask->method == FED_HTTPS_GET && fed_span_is(ask->path, "p")));
    FUZZ_CHECK(!ask->observe || (ask->method == FED_HTTPS_GET && !ask->has_range));
    FUZZ_CHECK(!ask->has_range ||
               (ask->method == FED_HTTPS_GET && ask->if_range.len == FED_HTTPS_ETAG_SIZE));
    FUZZ_CHECK(!fed_span_starts(ask->path, FED_HTTPS_PREFIX) || !ask->ping);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span all = fed_span_of(data, size);
    struct fed_span rest = all;
    struct fed_http_header headers[HEADERS_MAX];
    struct fed_http_request request = {.headers = headers};
    struct fed_https_ask ask;
    struct fed_span line;
    struct fed_diag diag = {""};
    char etag[FED_HTTPS_ETAG_SIZE + 1];

    (void)(fed_span_split(&rest, '\n', &request.method) &&
           fed_span_split(&rest, '\n', &request.path) &&
           fed_span_split(&rest, '\n', &request.query));
    while (request.n_headers < HEADERS_MAX && fed_span_split(&rest, '\n', &line) && line.len > 0) {
        headers[request.n_headers].name = line;
        headers[request.n_headers].value = fed_span_of(NULL, 0);
        (void)fed_span_split(&rest, '\n', &headers[request.n_headers++].value);
    }
    if (fed_https_ask_read(&request, &ask, &diag) == FED_OK)
        check(&ask, all);
    else
        FUZZ_CHECK(diag.text[0]);
    FUZZ_CHECK(fed_https_etag(rest, etag) == FED_OK);
    FUZZ_CHECK(fed_span_text(etag).len == FED_HTTPS_ETAG_SIZE);
    return 0;
}
