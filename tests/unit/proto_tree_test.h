/* proto_tree_test.h - a document per test and text in, text out; for the tests of override and
 * patch. */
#ifndef FEDLET_TESTS_UNIT_PROTO_TREE_TEST_H
#define FEDLET_TESTS_UNIT_PROTO_TREE_TEST_H

#include "proto/object/json.h"
#include "tests/unit/proto_test.h"

/* What overrides and patches have in common. */
typedef enum fed_err tree_change(struct fed_json_doc *doc, struct fed_json **root,
    const struct fed_json *change, struct fed_diag *diag);

static inline struct fed_json *tree_parse(struct fed_json_doc *doc, const char *text)
{
    struct fed_json *v = NULL;
    struct fed_diag diag = {{0}};

    if (fed_json_parse(doc, TEXT(text), &v, &diag))
        fail_msg("%s: %s", text, diag.text);
    return v;
}

/* Runs change on the tree of before; expected is the text of the result, NULL for err != FED_OK. */
static inline void assert_change(tree_change *change, const char *before, const char *operations,
    enum fed_err err, const char *expected)
{
    struct fed_json_doc *doc;
    struct fed_json *root;
    struct fed_diag diag = {{0}};
    enum fed_err got;

    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    root = tree_parse(doc, before);
    got = change(doc, &root, tree_parse(doc, operations), &diag);
    if (got != err)
        fail_msg("%s: got %s (%s)", operations, fed_err_text(got), diag.text);
    if (got)
        assert_true(diag.text[0] != '\0');
    if (expected && !fed_json_eq(root, tree_parse(doc, expected))) {
        struct fed_buf buf;

        fed_buf_init(&buf, fed_alloc_system(), 1u << 20);
        if (fed_json_put(&buf, root) == FED_OK)
            fail_msg("%s: got %s", operations, fed_buf_cstr(&buf));
    }
    fed_json_doc_free(doc);
}

#endif
