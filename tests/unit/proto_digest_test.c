/* SHA-256 by the vectors of FIPS 180-4, MD5 by RFC 1321 and by KubeFed's version names. */
#include "proto/digest/sha256.h"

#include "proto/base/text.h"
#include "tests/unit/proto_test.h"

static void assert_hex(const uint8_t *bytes, size_t len, const char *expected)
{
    struct fed_buf buf;

    fed_buf_init(&buf, fed_alloc_system(), 200);
    fed_text_put_hex(&buf, fed_span_of(bytes, len));
    assert_string_equal(fed_buf_cstr(&buf), expected);
    fed_buf_fini(&buf);
}

static void test_sha256(void **state)
{
    static const char *const vectors[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}};
    struct fed_digest digest;

    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        assert_int_equal(fed_digest_of(TEXT(vectors[i][0]), &digest), FED_OK);
        assert_hex(digest.bytes, sizeof digest.bytes, vectors[i][1]);
    }
}

static void test_sha256_stepwise(void **state)
{
    struct fed_digest_state running;
    struct fed_digest digest;
    struct fed_digest other;
    char block[1000];

    (void)state;
    memset(block, 'a', sizeof block);
    assert_int_equal(fed_digest_begin(&running), FED_OK);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(fed_digest_add(&running, fed_span_of(block, sizeof block)), FED_OK);
    assert_int_equal(fed_digest_end(&running, &digest), FED_OK);
    assert_hex(digest.bytes, sizeof digest.bytes,
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    other = digest;
    assert_true(fed_digest_eq(&digest, &other));
    other.bytes[31] ^= 1;
    assert_false(fed_digest_eq(&digest, &other));
    assert_int_equal(fed_digest_begin(&running), FED_OK);
    fed_digest_abort(&running);
}

static void test_md5(void **state)
{
    static const char *const vectors[][2] = {{"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "57edf4a22be3c955ac49da2e2107b67a"},
        {"{\"spec\":{\"foo\":null}}\n", "a5b8d4352d5aed51c51b93900258ccf3"},
        {"{\"data\":{\"A\":\"ala ma kota\"}}\n", "63edc4c5d1171489b7a34eedad2dcf91"},
        {"{\"overrides\":null}\n", "2979b7538b527abe06492021841caf47"}};
    uint8_t sum[16];

    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        assert_int_equal(fed_digest_md5(TEXT(vectors[i][0]), sum), FED_OK);
        assert_hex(sum, sizeof sum, vectors[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_sha256_stepwise), cmocka_unit_test(test_md5)};

    return cmocka_run_group_tests_name("proto_digest", tests, NULL, NULL);
}
