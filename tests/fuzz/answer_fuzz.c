/* What a member's API server says when it refuses: two bytes of status, then the body. Whatever
 * comes has one class, and texts that fit where they are kept. */
#include "agent/trouble.h"
#include "tests/fuzz/fuzz.h"

#include "proto/base/text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_kube_answer answer = {0};
    enum agent_trouble trouble;
    struct agent_answer out;

    if (size < 2)
        return 0;
    answer.status = 400u + (unsigned)((data[0] << 8 | data[1]) % 200);
    answer.body = fed_span_of(data + 2, size - 2);
    answer.retry_after_s = data[0];
    agent_answer_read(fed_alloc_system(), &answer, &out);
    FUZZ_CHECK(memchr(out.message, '\0', sizeof out.message) != NULL && out.message[0]);
    FUZZ_CHECK(memchr(out.field, '\0', sizeof out.field) != NULL);
    FUZZ_CHECK(fed_text_is_utf8(fed_span_text(out.message)));
    FUZZ_CHECK(fed_text_is_utf8(fed_span_text(out.field)));
    trouble = agent_trouble_of(&out, answer.retry_after_s);
    FUZZ_CHECK(trouble > AGENT_TROUBLE_NONE && trouble < AGENT_TROUBLE_DEPENDENCY);
    FUZZ_CHECK(!out.field[0] || answer.status == 422);
    return 0;
}
