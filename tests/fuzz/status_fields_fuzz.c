/* Which fields of a status are meant: a first line of paths, then the status. What is left of it is
 * no more than it was, can be written, and is left again. */
#include "proto/object/fields.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void select_twice(const struct fed_fields *fields, struct fed_json *status)
{
    struct fed_buf first;
    struct fed_buf second;
    bool left = fed_fields_select(fields, status);

    FUZZ_CHECK(left == (fed_json_count(status) > 0));
    fed_buf_init(&first, fed_alloc_system(), FED_JSON_BYTES_MAX * 8u);
    fed_buf_init(&second, fed_alloc_system(), FED_JSON_BYTES_MAX * 8u);
    FUZZ_CHECK(!fed_json_put(&first, status));
    FUZZ_CHECK(fed_fields_select(fields, status) == left);
    FUZZ_CHECK(!fed_json_put(&second, status));
    FUZZ_CHECK(fed_span_eq(fed_buf_span(&first), fed_buf_span(&second)));
    fed_buf_fini(&first);
    fed_buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t first = end ? (size_t)(end - data) : size;
    struct fed_span text = fed_span_of(data + (end ? first + 1 : size), end ? size - first - 1 : 0);
    struct fed_diag diag = {""};
    struct fed_json *status = NULL;
    struct fed_json_doc *doc;
    struct fed_fields fields;
    enum fed_err err = fed_fields_parse(fed_span_of(data, first), &fields, &diag);

    if (err) {
        FUZZ_CHECK((err == FED_ERR_INVALID || err == FED_ERR_LIMIT) && diag.text[0]);
        return 0;
    }
    FUZZ_CHECK(!fed_json_doc_new(fed_alloc_system(), &doc));
    if (!fed_json_parse(doc, text, &status, NULL))
        select_twice(&fields, status);
    fed_json_doc_free(doc);
    return 0;
}
