/* Selectors in both forms. */
#include "proto/object/selector.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span text = fed_span_of(data, size);
    struct fed_diag diag = {{0}};
    struct fed_json_doc *doc;
    struct fed_json *v;
    struct fed_selector *s;

    FUZZ_CHECK(fed_json_doc_new(fed_alloc_system(), &doc) == FED_OK);
    if (fed_selector_parse(fed_alloc_system(), text, &s, NULL, &diag) == FED_OK) {
        fed_selector_match(s, NULL);
        fed_selector_free(s);
    } else {
        FUZZ_CHECK(diag.text[0]);
    }
    if (!fed_json_parse(doc, text, &v, NULL) &&
        !fed_selector_from_object(fed_alloc_system(), v, &s, &diag)) {
        fed_selector_match(s, fed_json_get(v, "matchLabels"));
        fed_selector_free(s);
    }
    fed_json_doc_free(doc);
    return 0;
}
