/* What a template asks of the agent: a first line of overrides, then the template. */
#include "agent/wish.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t first = end ? (size_t)(end - data) : 0;
    struct fed_span blob = fed_span_of(data + (end ? first + 1 : 0), size - (end ? first + 1 : 0));
    struct fed_diag diag = {""};
    struct agent_wish *wish = NULL;

    if (agent_wish_read(fed_alloc_system(), blob, fed_span_of(data, first), &wish, &diag)) {
        FUZZ_CHECK(!wish);
        return 0;
    }
    if (wish) {
        FUZZ_CHECK(wish->n_dependencies <= AGENT_WISH_DEPENDENCIES_MAX);
        FUZZ_CHECK(wish->deadline_ms <= AGENT_WISH_DEADLINE_MAX_MS);
        for (size_t i = 0; i < wish->n_dependencies; i++)
            FUZZ_CHECK(wish->dependencies[i].kind.len > 0 && wish->dependencies[i].name.len > 0);
    }
    agent_wish_free(fed_alloc_system(), wish);
    return 0;
}
