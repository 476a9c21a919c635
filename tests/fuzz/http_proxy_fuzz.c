/* What a proxy answers to CONNECT, and the URL of one. */
#include "ports/http/client.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static bool is_plain(const char *text)
{
    while (*text >= ' ' && *text < 0x7f)
        text++;
    return *text == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_http_proxy proxy = {.name = "proxy 192.0.2.1:3128"};
    struct fed_diag diag = {""};
    char url[FED_HTTP_PROXY_MAX + 2];
    size_t len = size < sizeof(url) - 1 ? size : sizeof(url) - 1;

    if (fed_http_tunnel_judge(&proxy, fed_span_of(data, size), &diag)) {
        FUZZ_CHECK(diag.text[0] && is_plain(diag.text));
    } else {
        FUZZ_CHECK(size >= 12 && memcmp(data, "HTTP/1.", 7) == 0 && data[9] == '2');
    }
    if (len > 0)
        memcpy(url, data, len);
    url[len] = 0;
    if (fed_http_proxy_parse(url, &proxy, &diag) == FED_OK)
        FUZZ_CHECK(url[0] == 0 || (proxy.host[0] && proxy.port > 0));
    return 0;
}
