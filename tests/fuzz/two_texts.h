/* two_texts.h - input that is two JSON texts, the first one ended by a line feed. */
#ifndef FEDLET_TESTS_FUZZ_TWO_TEXTS_H
#define FEDLET_TESTS_FUZZ_TWO_TEXTS_H

#include "proto/object/json.h"
#include "tests/fuzz/fuzz.h"

typedef enum fed_err fuzz_change(struct fed_json_doc *doc, struct fed_json **root,
    const struct fed_json *change, struct fed_diag *diag);

/* Applies the second to the first; what comes out must be writable and must read back. */
static inline void fuzz_change_run(fuzz_change *change, const uint8_t *data, size_t size)
{
    struct fed_span rest = fed_span_of(data, size);
    struct fed_span first = fed_span_of(NULL, 0);
    struct fed_diag diag = {{0}};
    struct fed_json_doc *doc;
    struct fed_json *root;
    struct fed_json *operations;
    struct fed_buf out;

    fed_span_split(&rest, '\n', &first);
    FUZZ_CHECK(fed_json_doc_new(fed_alloc_system(), &doc) == FED_OK);
    fed_buf_init(&out, fed_alloc_system(), 64u << 20);
    if (!fed_json_parse(doc, first, &root, NULL) && !fed_json_parse(doc, rest, &operations, NULL)) {
        if (change(doc, &root, operations, &diag)) {
            FUZZ_CHECK(diag.text[0]);
        } else {
            FUZZ_CHECK(fed_json_put(&out, root) == FED_OK);
            FUZZ_CHECK(fed_json_parse(doc, fed_buf_span(&out), &operations, NULL) == FED_OK);
            FUZZ_CHECK(fed_json_eq(root, operations));
        }
    }
    fed_buf_fini(&out);
    fed_json_doc_free(doc);
}

#endif
