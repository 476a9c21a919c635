/* Lines of the audit log: whatever they are, and records that are put and looked at again. */
#include "hub/access/chain.h"
#include "tests/fuzz/fuzz.h"

static void again(struct fed_span record)
{
    struct hub_chain written;
    struct hub_chain read;
    enum hub_chain_link link;
    struct fed_buf line;

    hub_chain_begin(&written);
    read = written;
    fed_buf_init(&line, fed_alloc_system(), 1u << 20);
    if (!hub_chain_put(&written, record, &line)) {
        FUZZ_CHECK(line.at[line.len - 1] == '\n');
        FUZZ_CHECK(!hub_chain_check(&read, fed_span_of(line.at, line.len - 1), &link));
        FUZZ_CHECK(link == HUB_CHAIN_HOLDS);
        line.at[0] ^= 1;
        hub_chain_begin(&read);
        FUZZ_CHECK(!hub_chain_check(&read, fed_span_of(line.at, line.len - 1), &link));
        FUZZ_CHECK(link == HUB_CHAIN_BROKEN);
    }
    fed_buf_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span left = fed_span_of(data, size);
    struct hub_chain chain = {""};
    struct fed_span line;

    while (left.len > 0 && fed_span_split(&left, '\n', &line)) {
        enum hub_chain_link link;

        FUZZ_CHECK(!hub_chain_check(&chain, line, &link));
        FUZZ_CHECK(link != HUB_CHAIN_BROKEN || chain.at[0]);
        again(line);
    }
    return 0;
}
