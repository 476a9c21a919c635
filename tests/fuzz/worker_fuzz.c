/* Messages between fedhub and a gateway worker, in both directions: what was read is written as it
 * was. */
#include "proto/worker/worker.h"
#include "tests/fuzz/fuzz.h"

static void read_as(struct fed_span bytes, enum fed_worker_side side)
{
    struct fed_worker_message message;
    struct fed_worker_message again;
    struct fed_buf out;
    size_t size;

    if (fed_worker_size(bytes, side, &size) || size == 0 || size > bytes.len)
        return;
    if (fed_worker_take(fed_span_sub(bytes, 0, size), side, &message))
        return;
    fed_buf_init(&out, fed_alloc_system(), FED_WORKER_DOWN_MAX);
    fed_worker_put(&out, &message);
    FUZZ_CHECK(fed_buf_err(&out) == FED_OK);
    FUZZ_CHECK(fed_span_eq(fed_buf_span(&out), fed_span_sub(bytes, 0, size)));
    FUZZ_CHECK(fed_worker_take(fed_buf_span(&out), side, &again) == FED_OK);
    fed_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_as(fed_span_of(data, size), FED_WORKER_FEDHUB);
    read_as(fed_span_of(data, size), FED_WORKER_WORKER);
    return 0;
}
