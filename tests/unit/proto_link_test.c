/* Tokens, addresses, hello, query, join messages. */
#include "proto/link/link.h"

#include "tests/unit/proto_test.h"

static void make_token(struct fed_token *token)
{
    *token = (struct fed_token){
        .id = "abc123", .expires_unix_s = 1795371813, .uses = 3, .n_addresses = 2};
    memset(token->pin.bytes, 0x5a, sizeof token->pin.bytes);
    memset(token->secret, 0xa5, sizeof token->secret);
    snprintf(token->addresses[0], sizeof token->addresses[0], "coaps://hub.example.com:5684");
    snprintf(token->addresses[1], sizeof token->addresses[1], "https://[2001:db8::1]:7444");
}

static void test_token(void **state)
{
    struct fed_token token;
    struct fed_token got;
    struct fed_diag diag;
    struct fed_buf text;

    (void)state;
    make_token(&token);
    fed_buf_init(&text, fed_alloc_system(), FED_TOKEN_TEXT_MAX);
    assert_int_equal(fed_token_put(&text, &token), FED_OK);
    assert_int_equal(fed_token_parse(fed_buf_span(&text), &got, &diag), FED_OK);
    assert_memory_equal(&got, &token, sizeof token);
    /* Every single wrong character, and every cut. */
    for (size_t i = 0; i < text.len; i++) {
        uint8_t right = text.at[i];

        text.at[i] = right == 'A' ? 'B' : 'A';
        assert_int_not_equal(fed_token_parse(fed_buf_span(&text), &got, &diag), FED_OK);
        assert_non_null(strstr(diag.text, "token"));
        text.at[i] = right;
        assert_int_not_equal(fed_token_parse(fed_span_of(text.at, i), &got, &diag), FED_OK);
    }
    text.at[20] ^= 1;
    assert_int_equal(fed_token_parse(fed_buf_span(&text), &got, &diag), FED_ERR_INVALID);
    assert_non_null(strstr(diag.text, "typing error"));
    snprintf(token.id, sizeof token.id, "ABC");
    assert_int_equal(fed_token_put(&text, &token), FED_ERR_INVALID);
    fed_buf_fini(&text);
}

static void test_addresses(void **state)
{
    static const char *const wrong[] = {"", "coap://h:1", "coaps://h", "coaps://h:0",
        "coaps://h:65536", "coaps://:1", "coaps://h:1x", "https://::1:7", "https://[::1]7",
        "https://[::1", "https://[x]:1", "coaps://a b:1", "coaps://h:1/x", "https://u@h:1"};
    struct fed_link_address a;
    struct fed_diag diag;

    (void)state;
    assert_int_equal(
        fed_link_address_parse(TEXT("coaps://Hub.example.com:5684"), &a, &diag), FED_OK);
    assert_true(a.coap && a.port == 5684);
    assert_string_equal(a.host, "Hub.example.com");
    assert_int_equal(fed_link_address_parse(TEXT("https://[::1]:7444/"), &a, &diag), FED_OK);
    assert_true(!a.coap && a.port == 7444);
    assert_string_equal(a.host, "::1");
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (!fed_link_address_parse(TEXT(wrong[i]), &a, &diag))
            fail_msg("%s was taken", wrong[i]);
    }
}

static void test_hello_and_query(void **state)
{
    struct fed_link_hello hello = {
        .heartbeat_s = 60, .epoch = 9, .report_seq = 300, .unix_s = 1795371813};
    struct fed_link_hello got;
    struct fed_span from;
    struct fed_buf buf;
    uint32_t epoch;
    uint64_t revision;

    (void)state;
    fed_buf_init(&buf, fed_alloc_system(), 100);
    fed_link_hello_put(&buf, &hello);
    for (size_t len = 0; len <= buf.len; len++) {
        from = fed_span_of(buf.at, len);
        assert_int_equal(fed_link_hello_take(&from, &got) == FED_OK, len == buf.len);
    }
    assert_int_equal(got.heartbeat_s, 60);
    assert_int_equal(got.epoch, 9);
    assert_int_equal(got.report_seq, 300);
    assert_int_equal(got.unix_s, 1795371813);
    fed_buf_clear(&buf);
    fed_link_bundle_query_put(&buf, 4294967295u, UINT64_MAX);
    assert_string_equal(fed_buf_cstr(&buf), "e=4294967295&r=18446744073709551615");
    assert_int_equal(fed_link_bundle_query_parse(fed_buf_span(&buf), &epoch, &revision), FED_OK);
    assert_true(epoch == UINT32_MAX && revision == UINT64_MAX);
    assert_int_equal(fed_link_bundle_query_parse(TEXT("r=1&e=2"), &epoch, &revision), FED_OK);
    assert_int_equal(
        fed_link_bundle_query_parse(TEXT("e=4294967296&r=1"), &epoch, &revision), FED_ERR_LIMIT);
    assert_int_equal(fed_link_bundle_query_parse(TEXT("e=1"), &epoch, &revision), FED_ERR_INVALID);
    assert_int_equal(
        fed_link_bundle_query_parse(TEXT("e=1&r=1&e=2"), &epoch, &revision), FED_ERR_INVALID);
    assert_int_equal(
        fed_link_bundle_query_parse(TEXT("e=1&r=-1"), &epoch, &revision), FED_ERR_INVALID);
    fed_buf_fini(&buf);
}

static void test_hello_items(void **state)
{
    struct fed_link_hello_items items = {.has_mark = true,
        .has_trust = true,
        .copied = true,
        .mark = {1, 2, 3, 4, 5, 6, 7, 8},
        .trust = {9, 10, 11, 12},
        .knows = FED_LINK_KNOWS_FIRST};
    struct fed_link_hello_items got;
    struct fed_link_hello_query query;
    struct fed_buf buf;

    (void)state;
    fed_buf_init(&buf, fed_alloc_system(), 100);
    fed_link_hello_items_put(&buf, &items);
    fed_link_hello_items_take(fed_buf_span(&buf), &got);
    assert_memory_equal(&got, &items, sizeof items);
    /* However it is cut, what is whole counts. */
    for (size_t len = 0; len < buf.len; len++) {
        fed_link_hello_items_take(fed_span_of(buf.at, len), &got);
        assert_int_equal(got.has_mark, len >= 10);
        assert_int_equal(got.has_trust, len >= 16);
        assert_false(got.copied);
    }
    fed_buf_clear(&buf);
    fed_link_hello_query_put(&buf, NULL);
    assert_string_equal(fed_buf_cstr(&buf), "n=0");
    fed_buf_clear(&buf);
    fed_link_hello_query_put(&buf, items.mark);
    assert_string_equal(fed_buf_cstr(&buf), "n=0102030405060708");
    assert_int_equal(fed_link_hello_query_parse(fed_buf_span(&buf), &query), FED_OK);
    assert_true(query.marks && query.has_mark);
    assert_memory_equal(query.mark, items.mark, sizeof items.mark);
    fed_buf_fini(&buf);
    assert_true(fed_link_bundle_query_kept(TEXT("e=1&r=2&n=1")));
    assert_false(fed_link_bundle_query_kept(TEXT("e=1&r=2")));
}

static void test_join_request(void **state)
{
    static const char *const wrong[] = {"{}", "{\"v\":2}", "[]",
        "{\"v\":1,\"token\":\"a\",\"name\":\"A\",\"publicKey\":\"AAAA\",\"proof\":\"\"}",
        "{\"v\":1,\"token\":\"a\",\"name\":\"a\",\"publicKey\":\"AAAA\",\"proof\":\"AAAA\"}",
        "{\"v\":1,\"token\":\"a\",\"name\":\"a\",\"x\":1}"};
    static struct fed_join_request request = {
        .token_id = "abc", .name = "cluster1", .public_key_len = 91, .n_labels = 1};
    static struct fed_join_request got;
    struct fed_diag diag;
    struct fed_buf buf;

    (void)state;
    memset(request.public_key, 7, request.public_key_len);
    memset(request.proof, 9, sizeof request.proof);
    snprintf(request.labels[0].key, sizeof request.labels[0].key, "example.com/site");
    snprintf(request.labels[0].value, sizeof request.labels[0].value, "berlin");
    fed_buf_init(&buf, fed_alloc_system(), FED_JOIN_MESSAGE_MAX);
    assert_int_equal(fed_join_request_put(&buf, &request), FED_OK);
    assert_int_equal(fed_join_request_parse(fed_buf_span(&buf), &got, &diag), FED_OK);
    assert_memory_equal(&got, &request, sizeof request);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (!fed_join_request_parse(TEXT(wrong[i]), &got, &diag))
            fail_msg("%s was taken", wrong[i]);
        assert_int_equal(strncmp(diag.text, "join request: ", 14), 0);
    }
    fed_buf_fini(&buf);
}

static void test_join_answer(void **state)
{
    static struct fed_join_answer answer = {
        .approved = true, .certificate = "-----BEGIN\n", .ca = "CA\n", .cluster = "cluster1"};
    static struct fed_join_answer got;
    struct fed_diag diag;
    struct fed_buf buf;

    (void)state;
    fed_buf_init(&buf, fed_alloc_system(), FED_JOIN_MESSAGE_MAX);
    assert_int_equal(fed_join_answer_put(&buf, &answer), FED_OK);
    assert_int_equal(fed_join_answer_parse(fed_buf_span(&buf), &got, &diag), FED_OK);
    assert_memory_equal(&got, &answer, sizeof answer);
    fed_buf_clear(&buf);
    answer = (struct fed_join_answer){.retry_after_s = 30, .cluster = "cluster1"};
    assert_int_equal(fed_join_answer_put(&buf, &answer), FED_OK);
    assert_int_equal(fed_join_answer_parse(fed_buf_span(&buf), &got, &diag), FED_OK);
    assert_false(got.approved);
    assert_int_equal(got.retry_after_s, 30);
    assert_int_not_equal(fed_join_answer_parse(
                             TEXT("{\"v\":1,\"state\":\"Denied\",\"cluster\":\"a\"}"), &got, &diag),
        FED_OK);
    fed_buf_fini(&buf);
}

static void test_kinds(void **state)
{
    static const struct fed_link_kind kinds[] = {
        {FED_SPAN_LIT("v1"), FED_SPAN_LIT("ConfigMap"), FED_SPAN_LIT("configmaps")},
        {FED_SPAN_LIT("apps/v1"), FED_SPAN_LIT("Deployment"), FED_SPAN_LIT("deployments")}};
    struct fed_link_kind got[2];
    struct fed_buf buf;
    size_t n = 9;

    (void)state;
    fed_buf_init(&buf, fed_alloc_system(), FED_LINK_KINDS_BYTES_MAX);
    fed_link_kinds_begin(&buf, COUNT(kinds));
    for (size_t i = 0; i < COUNT(kinds); i++)
        fed_link_kinds_add(&buf, &kinds[i]);
    for (size_t len = 0; len < buf.len; len++)
        assert_int_equal(
            fed_link_kinds_take(fed_span_of(buf.at, len), got, 2, &n), FED_ERR_TRUNCATED);
    assert_int_equal(n, 9);
    assert_int_equal(fed_link_kinds_take(fed_buf_span(&buf), got, 1, &n), FED_ERR_LIMIT);
    assert_int_equal(fed_link_kinds_take(fed_buf_span(&buf), got, 2, &n), FED_OK);
    assert_int_equal(n, 2);
    assert_span(got[1].api_version, "apps/v1");
    assert_span(got[1].kind, "Deployment");
    assert_span(got[0].plural, "configmaps");
    fed_buf_put_u8(&buf, 0);
    assert_int_equal(fed_link_kinds_take(fed_buf_span(&buf), got, 2, &n), FED_ERR_INVALID);
    assert_int_equal(fed_link_kinds_take(TEXT("\x02"), got, 2, &n), FED_ERR_UNSUPPORTED);
    assert_int_equal(
        fed_link_kinds_take(fed_span_of("\x01\x01\0\x01k\x01p", 7), got, 2, &n), FED_ERR_INVALID);
    fed_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_token),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_hello_and_query),
        cmocka_unit_test(test_hello_items), cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_join_request), cmocka_unit_test(test_join_answer)};

    return cmocka_run_group_tests_name("proto_link", tests, NULL, NULL);
}
