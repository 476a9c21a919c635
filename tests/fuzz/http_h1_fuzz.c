/* http_h1_fuzz.c - HTTP/1.1 requests into the server. */
#include "tests/fuzz/http_server_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    fuzz_http_server(bytes, len, false, fed_span_of(NULL, 0));
    return 0;
}
