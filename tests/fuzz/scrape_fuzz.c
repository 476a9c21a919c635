/* scrape_fuzz.c - what whoever connects to the metrics sends: the head of a request. */
#include "ports/posix/control_wire.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span head = fed_span_of(data, size);
    struct fed_span path = {0};
    enum fed_err err = fed_control_http_parse(head, &path);

    if (fed_control_http_is_whole(head) && err == FED_OK) {
        FUZZ_CHECK(path.len > 0 && path.at[0] == '/');
        FUZZ_CHECK(path.at >= data && path.at + path.len <= data + size);
        FUZZ_CHECK(fed_span_find(path, '?') == path.len && fed_span_find(path, ' ') == path.len &&
                   fed_span_find(path, '\n') == path.len);
    }
    return 0;
}
