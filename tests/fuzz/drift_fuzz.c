/* What a member's managedFields say of a work: two JSON texts, the work and the object, the first
 * ended by a line feed. Whatever they are, what is told of them is one line of text within its
 * limits. */
#include "agent/drift.h"
#include "proto/base/text.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check_text(const char *text, size_t size)
{
    size_t len = strnlen(text, size);

    FUZZ_CHECK(len < size && fed_text_is_utf8(fed_span_of(text, len)));
    for (size_t i = 0; i < len; i++)
        FUZZ_CHECK((unsigned char)text[i] >= 0x20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span rest = fed_span_of(data, size);
    struct fed_span first = fed_span_of(NULL, 0);
    struct fed_json_doc *doc;
    struct fed_json *wanted;
    struct fed_json *object;
    struct agent_drift drift;
    struct fed_buf out;

    fed_span_split(&rest, '\n', &first);
    FUZZ_CHECK(fed_json_doc_new(fed_alloc_system(), &doc) == FED_OK);
    fed_buf_init(&out, fed_alloc_system(), 4096);
    if (!fed_json_parse(doc, first, &wanted, NULL) && !fed_json_parse(doc, rest, &object, NULL)) {
        agent_drift_find(doc, wanted, object, &drift);
        check_text(drift.path, sizeof drift.path);
        check_text(drift.manager, sizeof drift.manager);
        check_text(drift.subresource, sizeof drift.subresource);
        check_text(drift.since, sizeof drift.since);
        check_text(drift.ours, sizeof drift.ours);
        check_text(drift.theirs, sizeof drift.theirs);
        agent_drift_put(&out, &drift);
        FUZZ_CHECK(fed_buf_err(&out) == FED_OK && out.len > 0 && out.len <= AGENT_DRIFT_TEXT_MAX);
    }
    fed_buf_fini(&out);
    fed_json_doc_free(doc);
    return 0;
}
