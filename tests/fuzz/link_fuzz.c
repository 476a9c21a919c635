/* Tokens and join messages as text, hello as bytes. */
#include "proto/bundle/consent.h"
#include "proto/link/link.h"
#include "tests/fuzz/fuzz.h"

static struct fed_join_request request;
static struct fed_join_answer answer;
static struct fed_token token;

static void messages(struct fed_span text)
{
    struct fed_buf out;

    fed_buf_init(&out, fed_alloc_system(), 4 * FED_JOIN_MESSAGE_MAX);
    if (fed_join_request_parse(text, &request, NULL) == FED_OK &&
        fed_join_request_put(&out, &request) == FED_OK)
        FUZZ_CHECK(fed_join_request_parse(fed_buf_span(&out), &request, NULL) == FED_OK);
    fed_buf_clear(&out);
    if (fed_join_answer_parse(text, &answer, NULL) == FED_OK &&
        fed_join_answer_put(&out, &answer) == FED_OK)
        FUZZ_CHECK(fed_join_answer_parse(fed_buf_span(&out), &answer, NULL) == FED_OK);
    fed_buf_clear(&out);
    if (fed_token_parse(text, &token, NULL) == FED_OK) {
        FUZZ_CHECK(fed_token_put(&out, &token) == FED_OK);
        FUZZ_CHECK(fed_span_eq(fed_buf_span(&out), text));
    }
    fed_buf_fini(&out);
}

static void kinds(struct fed_span bytes)
{
    static struct fed_link_kind all[FED_LINK_KINDS_MAX];
    struct fed_buf out;
    size_t n;

    if (fed_link_kinds_take(bytes, all, FED_LINK_KINDS_MAX, &n))
        return;
    fed_buf_init(&out, fed_alloc_system(), bytes.len + 16);
    fed_link_kinds_begin(&out, n);
    for (size_t i = 0; i < n; i++)
        fed_link_kinds_add(&out, &all[i]);
    FUZZ_CHECK(fed_span_eq(fed_buf_span(&out), bytes));
    fed_buf_fini(&out);
}

static void removals(struct fed_span bytes)
{
    const struct fed_removal_id *ids;
    struct fed_removal_id id;
    struct fed_consent_limit limit;
    struct fed_consent_window window;
    struct fed_span rest = bytes;
    struct fed_buf out;
    size_t n;

    fed_buf_init(&out, fed_alloc_system(), bytes.len + 16);
    if (fed_removals_take(bytes, &ids, &n) == FED_OK) {
        fed_removals_put(&out, ids, n);
        FUZZ_CHECK(fed_span_eq(fed_buf_span(&out), bytes));
    }
    fed_buf_fini(&out);
    FUZZ_CHECK(fed_removal_id_of_text(bytes, &id) != FED_OK || bytes.len >= 3);
    FUZZ_CHECK(fed_consent_limit_parse(bytes, &limit, NULL) != FED_OK ||
               (limit.share <= 100 && limit.least >= 1));
    fed_consent_window_init(&window, fed_alloc_system());
    FUZZ_CHECK(fed_consent_window_take(&rest, &window) != FED_OK || window.n <= bytes.len);
    fed_consent_window_fini(&window);
}

static void hello_parts(struct fed_span bytes)
{
    struct fed_link_hello_items items;
    struct fed_link_hello_items again;
    struct fed_link_hello_query query;
    struct fed_buf out;

    fed_buf_init(&out, fed_alloc_system(), 100);
    fed_link_hello_items_take(bytes, &items);
    fed_link_hello_items_put(&out, &items);
    fed_link_hello_items_take(fed_buf_span(&out), &again);
    FUZZ_CHECK(items.has_mark == again.has_mark && items.has_trust == again.has_trust &&
               items.copied == again.copied);
    fed_buf_clear(&out);
    if (fed_link_hello_query_parse(bytes, &query) == FED_OK && query.marks) {
        fed_link_hello_query_put(&out, query.has_mark ? query.mark : NULL);
        FUZZ_CHECK(fed_link_hello_query_parse(fed_buf_span(&out), &query) == FED_OK);
    }
    fed_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span bytes = fed_span_of(data, size);
    struct fed_link_address address;
    struct fed_link_hello hello;
    uint64_t revision;
    uint32_t epoch;
    struct fed_buf out;

    messages(bytes);
    kinds(bytes);
    removals(bytes);
    hello_parts(bytes);
    FUZZ_CHECK(fed_link_address_parse(bytes, &address, NULL) != FED_OK || address.port);
    FUZZ_CHECK(fed_link_bundle_query_parse(bytes, &epoch, &revision) != FED_OK || size >= 7);
    fed_buf_init(&out, fed_alloc_system(), 100);
    if (fed_link_hello_take(&bytes, &hello) == FED_OK) {
        fed_link_hello_put(&out, &hello);
        FUZZ_CHECK(fed_span_eq(fed_buf_span(&out), fed_span_of(data, size - bytes.len)));
    }
    fed_buf_fini(&out);
    return 0;
}
