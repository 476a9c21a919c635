/* Overrides. */
#include "proto/object/override.h"
#include "tests/fuzz/two_texts.h"

static enum fed_err check_and_apply(struct fed_json_doc *doc, struct fed_json **root,
    const struct fed_json *operations, struct fed_diag *diag)
{
    enum fed_err err = fed_override_check(fed_span_text(""), operations, diag);

    return err ? err : fed_override_apply(doc, root, operations, diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_change_run(check_and_apply, data, size);
    fuzz_change_run(fed_override_apply, data, size);
    return 0;
}
