/* Reports: what was read is written as it was. */
#include "proto/bundle/report.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span bytes = fed_span_of(data, size);
    struct fed_report report;
    struct fed_arena arena;
    struct fed_buf out;

    fed_arena_init(&arena, fed_alloc_system(), 8u << 20);
    fed_buf_init(&out, fed_alloc_system(), FED_REPORT_MAX);
    if (fed_report_decode(&arena, bytes, &report, NULL) == FED_OK) {
        fed_report_put(&out, &report);
        FUZZ_CHECK(fed_buf_err(&out) == FED_OK);
        FUZZ_CHECK(fed_span_eq(fed_buf_span(&out), bytes));
    }
    fed_buf_fini(&out);
    fed_arena_fini(&arena);
    return 0;
}
