/* session_fuzz.c - the file of the session that an agent kept: what is read is written the same. */
#include "agent/session.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span body = fed_span_of(data, size > AGENT_SESSION_MAX ? AGENT_SESSION_MAX : size);
    struct agent_session session;
    struct fed_digest digest;
    struct fed_buf file;
    struct fed_buf again;

    fed_buf_init(&file, fed_alloc_system(), 2 * AGENT_SESSION_MAX);
    fed_buf_init(&again, fed_alloc_system(), 2 * AGENT_SESSION_MAX);
    (void)!agent_session_take(body, &session);
    /* With its digest right, which no luck would find. */
    FUZZ_CHECK(fed_digest_of(body, &digest) == FED_OK);
    fed_buf_put(&file, body);
    fed_buf_put(&file, fed_span_of(digest.bytes, sizeof digest.bytes));
    if (agent_session_take(fed_buf_span(&file), &session) == FED_OK) {
        agent_session_put(&again, &session);
        FUZZ_CHECK(fed_buf_err(&again) == FED_OK);
        FUZZ_CHECK(fed_span_eq(fed_buf_span(&file), fed_buf_span(&again)));
    }
    fed_buf_fini(&again);
    fed_buf_fini(&file);
    return 0;
}
