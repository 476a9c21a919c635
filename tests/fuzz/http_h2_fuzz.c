/* http_h2_fuzz.c - HTTP/2 frames into the server, behind a good preface and SETTINGS. */
#include "tests/fuzz/http_server_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    fuzz_http_server(
        bytes, len, true, FED_SPAN_LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"));
    return 0;
}
