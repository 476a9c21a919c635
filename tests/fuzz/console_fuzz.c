/* What the console reads of clients beside JSON: cookies, lists of headers, the query box, secrets.
 * The first byte says which. */
#include "hub/console/asked.h"
#include "hub/console/keep.h"
#include "hub/console/query.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static uint64_t no_time(void *ctx)
{
    (void)ctx;
    return 1;
}

static bool is_inside(struct fed_span part, struct fed_span whole)
{
    return part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len);
}

static void headers(struct fed_span text)
{
    struct fed_http_header header = {FED_SPAN_LIT("cookie"), text};
    struct fed_http_request http = {.headers = &header, .n_headers = 1};
    struct fed_span cookie = console_cookie(&http, CONSOLE_COOKIE);

    FUZZ_CHECK(is_inside(cookie, text));
    FUZZ_CHECK(fed_span_find(cookie, ';') == cookie.len);
    FUZZ_CHECK(is_inside(console_query(text, "q"), text));
    (void)console_takes_gzip(text);
    (void)console_wants_page(text);
    (void)console_etag_matches(text, FED_SPAN_LIT("W/\"1796022758163\""));
}

static void query(struct fed_span text)
{
    static char labels[] = "region\0north\0tier\0web";
    static char name[] = "shop-17-berlin";
    struct console_fleet_cluster cluster = {
        .name = name, .labels = labels, .labels_len = sizeof labels};
    struct hub_object_ref ref = {FED_SPAN_LIT("federateddeployments.types.kubefed.io"),
        FED_SPAN_LIT("shop"), FED_SPAN_LIT("web")};
    struct console_words words;
    struct fed_diag diag = {""};
    enum fed_err err = console_query_read(fed_alloc_system(), text, &words, &diag);

    FUZZ_CHECK(!err || diag.text[0] || err == FED_ERR_NOMEM);
    if (!err) {
        (void)console_query_has_cluster(&words, &cluster);
        (void)console_query_has_object(&words, &ref);
    }
    console_query_fini(&words);
}

/* Nothing was given out: nothing is found. */
static void secret(struct fed_span text)
{
    struct fed_loop loop = {.now_ms = no_time};
    struct console_keep keep = {.mem = fed_alloc_system(), .loop = &loop, .max = 1, .user_max = 1};

    console_keep_init(&keep);
    FUZZ_CHECK(!console_keep_use(&keep, text));
    console_keep_fini(&keep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span text = fed_span_of(data + 1, size > 0 ? size - 1 : 0);

    if (size == 0)
        return 0;
    if (data[0] % 3 == 0)
        headers(text);
    else if (data[0] % 3 == 1)
        query(text);
    else
        secret(text);
    return 0;
}
