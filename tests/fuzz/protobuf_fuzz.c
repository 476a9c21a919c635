/* Kubernetes' protobuf envelope: whatever decodes must be writable as JSON and readable again. */
#include "hub/api/core.h"
#include "hub/api/internal.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hub_core *core;
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct fed_json *again;
    struct fed_diag diag;
    struct fed_buf out;

    if (!core)
        FUZZ_CHECK(!hub_core_open(fed_alloc_system(), &core, &diag));
    FUZZ_CHECK(!fed_json_doc_new(fed_alloc_system(), &doc));
    fed_buf_init(&out, fed_alloc_system(), FED_JSON_BYTES_MAX);
    if (!hub_protobuf_decode(core, doc, fed_span_of(data, size), &object, &diag)) {
        FUZZ_CHECK(!fed_json_put(&out, object));
        FUZZ_CHECK(!fed_json_parse(doc, fed_buf_span(&out), &again, &diag));
        FUZZ_CHECK(fed_json_eq(object, again));
    }
    fed_buf_fini(&out);
    fed_json_doc_free(doc);
    return 0;
}
