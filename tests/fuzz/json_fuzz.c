/* Trees: what was read is written, read again and the same. */
#include "proto/object/json.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_json_doc *doc;
    struct fed_json *v;
    struct fed_json *again;
    struct fed_buf first;
    struct fed_buf second;

    FUZZ_CHECK(fed_json_doc_new(fed_alloc_system(), &doc) == FED_OK);
    fed_buf_init(&first, fed_alloc_system(), 64u << 20);
    fed_buf_init(&second, fed_alloc_system(), 64u << 20);
    if (fed_json_parse(doc, fed_span_of(data, size), &v, NULL) == FED_OK) {
        fed_json_duplicate_key(v, &first);
        fed_buf_clear(&first);
        FUZZ_CHECK(fed_json_put_canonical(&first, v) == FED_OK);
        FUZZ_CHECK(fed_json_parse(doc, fed_buf_span(&first), &again, NULL) == FED_OK);
        FUZZ_CHECK(fed_json_eq(v, again));
        FUZZ_CHECK(fed_json_put_canonical(&second, fed_json_clone(doc, again)) == FED_OK);
        FUZZ_CHECK(fed_span_eq(fed_buf_span(&first), fed_buf_span(&second)));
    }
    fed_buf_fini(&first);
    fed_buf_fini(&second);
    fed_json_doc_free(doc);
    return 0;
}
