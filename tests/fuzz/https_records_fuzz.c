/* The body of an observation over HTTPS, in pieces of any size: the same records come out as of all
 * of it at once. */
#include "ports/https/records.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define RECORD_MAX 4096u

/* Everything that was shown, each with its length. */
static enum fed_err run(struct fed_span bytes, size_t piece, struct fed_buf *shown)
{
    struct fed_https_records r;
    enum fed_err err = FED_OK;

    fed_https_records_init(&r, fed_alloc_system(), RECORD_MAX);
    for (size_t at = 0; at < bytes.len && !err; at += piece) {
        struct fed_span from = fed_span_sub(bytes, at, piece);

        while (from.len > 0 && !err) {
            struct fed_span record;
            bool whole;

            err = fed_https_records_take(&r, &from, &whole, &record);
            FUZZ_CHECK(err || whole || from.len == 0);
            if (err || !whole)
                continue;
            FUZZ_CHECK(record.len <= RECORD_MAX);
            fed_buf_put_u32(shown, (uint32_t)record.len);
            fed_buf_put(shown, record);
        }
    }
    fed_https_records_fini(&r);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span bytes = fed_span_of(size ? data + 1 : data, size ? size - 1 : 0);
    size_t piece = size ? data[0] + 1u : 1;
    struct fed_buf whole, pieces;
    enum fed_err err;

    fed_buf_init(&whole, fed_alloc_system(), size + 16);
    fed_buf_init(&pieces, fed_alloc_system(), size + 16);
    err = run(bytes, bytes.len ? bytes.len : 1, &whole);
    FUZZ_CHECK(err == FED_OK || err == FED_ERR_LIMIT);
    FUZZ_CHECK(run(bytes, piece, &pieces) == err);
    FUZZ_CHECK(fed_buf_err(&whole) == FED_OK && fed_buf_err(&pieces) == FED_OK);
    FUZZ_CHECK(fed_span_eq(fed_buf_span(&whole), fed_buf_span(&pieces)));
    fed_buf_fini(&whole);
    fed_buf_fini(&pieces);
    return 0;
}
