/* What an agent kept of a large answer by HTTPS: what is taken is given back the same, and what is
 * not leaves nothing. */
#include "ports/https/client.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_https_client client = {.mem = fed_alloc_system()};
    struct fed_span bytes = fed_span_of(data, size);
    struct fed_buf again;
    enum fed_err err;

    fed_buf_init(&again, client.mem, size + 16);
    err = fed_https_partial_set(&client, bytes);
    if (err || size == 0) {
        FUZZ_CHECK(fed_https_partial_get(&client, &again) == FED_ERR_NOT_FOUND);
    } else {
        FUZZ_CHECK(fed_https_partial_get(&client, &again) == FED_OK);
        FUZZ_CHECK(fed_span_eq(fed_buf_span(&again), bytes));
    }
    fed_buf_fini(&again);
    fed_https_kept_drop(&client);
    return 0;
}
