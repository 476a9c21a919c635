/* What an agent makes of the CAs in a hub's answer: only what a known CA vouches for. The known one
 * is made here, so nothing of the input can be trusted but that itself. */
#include "agent/trust.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static struct fed_crypto crypto;
static struct fed_buf key;
static struct fed_buf known;
static struct fed_digest pin;

static void prepare(void)
{
    struct fed_crypto_cert_info info;
    struct fed_diag diag;

    FUZZ_CHECK(fed_tls_crypto_open(fed_alloc_system(), &crypto, &diag) == FED_OK);
    fed_buf_init(&key, fed_alloc_system(), 16384);
    fed_buf_init(&known, fed_alloc_system(), 16384);
    FUZZ_CHECK(crypto.key_new(crypto.ctx, &key) == FED_OK);
    FUZZ_CHECK(crypto.ca_new(crypto.ctx, fed_buf_span(&key), "known", 0, 4000000000, &known,
                   &diag) == FED_OK);
    FUZZ_CHECK(crypto.cert_info(crypto.ctx, fed_buf_span(&known), &info, &diag) == FED_OK);
    pin = info.public_key;
}

/* The input alone, and behind the known one. */
static void take(const struct agent_trust *trust, struct fed_span bytes, bool behind)
{
    struct fed_diag diag = {""};
    struct fed_buf answer;
    struct fed_buf out;

    fed_buf_init(&answer, fed_alloc_system(), 1u << 20);
    fed_buf_init(&out, fed_alloc_system(), 1u << 20);
    if (behind)
        fed_buf_put(&answer, fed_buf_span(&known));
    fed_buf_put(&answer, bytes);
    if (!fed_buf_err(&answer) && agent_trust_take(fed_alloc_system(), &crypto, trust,
                                     fed_buf_span(&answer), &out, &diag) == FED_OK)
        FUZZ_CHECK(behind && fed_span_eq(fed_buf_span(&out), fed_buf_span(&known)));
    fed_buf_fini(&out);
    fed_buf_fini(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct agent_trust by_pin = {.pin = &pin};
    struct agent_trust by_known;
    struct fed_span bytes = fed_span_of(data, size);
    uint8_t mark[FED_LINK_TRUST_SIZE];

    if (known.len == 0)
        prepare();
    by_known = (struct agent_trust){.known_pem = fed_buf_span(&known)};
    take(&by_pin, bytes, false);
    take(&by_pin, bytes, true);
    take(&by_known, bytes, false);
    take(&by_known, bytes, true);
    (void)agent_trust_mark(&crypto, bytes, mark, NULL);
    return 0;
}
