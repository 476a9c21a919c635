/* AES-GCM of ports/tls/gcm_x86.c against the library's own streaming functions, which do not go
 * through it, and against a published vector. */
#include "tests/unit/proto_test.h"

#include <mbedtls/gcm.h>

#define LONGEST 4400u
#define ADD_LONGEST 40u

static uint8_t text[LONGEST];
static uint8_t add[ADD_LONGEST];
static uint8_t iv[12];
static uint8_t key[32];

static void fill(uint8_t *at, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1103515245u + 12345u;
        at[i] = (uint8_t)(seed >> 16);
    }
}

static void set_key(mbedtls_gcm_context *g, unsigned bits)
{
    mbedtls_gcm_init(g);
    assert_int_equal(mbedtls_gcm_setkey(g, MBEDTLS_CIPHER_ID_AES, key, bits), 0);
}

/* The library, piece by piece. */
static void expect(unsigned bits, size_t len, size_t add_len, uint8_t *out, uint8_t tag[16])
{
    mbedtls_gcm_context g;
    size_t n = 0;

    set_key(&g, bits);
    assert_int_equal(mbedtls_gcm_starts(&g, MBEDTLS_GCM_ENCRYPT, iv, sizeof iv), 0);
    assert_int_equal(mbedtls_gcm_update_ad(&g, add, add_len), 0);
    assert_int_equal(mbedtls_gcm_update(&g, text, len, out, LONGEST, &n), 0);
    assert_int_equal(n, len);
    assert_int_equal(mbedtls_gcm_finish(&g, NULL, 0, &n, tag, 16), 0);
    mbedtls_gcm_free(&g);
}

static void check(unsigned bits, size_t len, size_t add_len)
{
    static uint8_t wanted[LONGEST];
    static uint8_t got[LONGEST + 16];
    uint8_t wanted_tag[16];
    uint8_t tag[16];
    mbedtls_gcm_context g;

    expect(bits, len, add_len, wanted, wanted_tag);
    set_key(&g, bits);
    memset(got, 0xaa, sizeof got);
    assert_int_equal(mbedtls_gcm_crypt_and_tag(&g, MBEDTLS_GCM_ENCRYPT, len, iv, sizeof iv, add,
                         add_len, text, got, sizeof tag, tag),
        0);
    assert_memory_equal(got, wanted, len);
    assert_memory_equal(tag, wanted_tag, sizeof tag);
    assert_int_equal(got[len], 0xaa); /* nothing beyond */

    /* In place, as TLS does it. */
    assert_int_equal(
        mbedtls_gcm_auth_decrypt(&g, len, iv, sizeof iv, add, add_len, tag, sizeof tag, got, got),
        0);
    assert_memory_equal(got, text, len);
    mbedtls_gcm_free(&g);
}

static void test_every_length(void **state)
{
    (void)state;
    for (size_t len = 0; len < 420; len++)
        check(128, len, len % (ADD_LONGEST + 1));
    for (size_t add_len = 0; add_len <= ADD_LONGEST; add_len++)
        check(256, 1000 + add_len, add_len);
    check(192, 2000, 5);
    check(128, LONGEST, 5);
    check(256, LONGEST, 13);
}

/* The counter's carry stays within its 32 bits, whatever the nonce is. */
static void test_counter(void **state)
{
    (void)state;
    memset(iv, 0xff, sizeof iv);
    check(128, LONGEST, 5);
}

static void test_forged(void **state)
{
    static const uint8_t nothing[1000];
    uint8_t out[1000];
    uint8_t sealed[1000];
    uint8_t tag[16];
    mbedtls_gcm_context g;

    (void)state;
    expect(128, sizeof sealed, 5, sealed, tag);
    set_key(&g, 128);
    for (size_t i = 0; i < sizeof tag; i++) {
        tag[i] ^= 1;
        assert_int_equal(mbedtls_gcm_auth_decrypt(&g, sizeof sealed, iv, sizeof iv, add, 5, tag,
                             sizeof tag, sealed, out),
            MBEDTLS_ERR_GCM_AUTH_FAILED);
        assert_memory_equal(out, nothing, sizeof out);
        tag[i] ^= 1;
    }
    sealed[999] ^= 1;
    assert_int_equal(mbedtls_gcm_auth_decrypt(
                         &g, sizeof sealed, iv, sizeof iv, add, 5, tag, sizeof tag, sealed, out),
        MBEDTLS_ERR_GCM_AUTH_FAILED);
    mbedtls_gcm_free(&g);
}

/* Test case 3 of McGrew and Viega, "The Galois/Counter Mode of Operation". */
static void test_published(void **state)
{
    static const uint8_t k[16] = {0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f,
        0x94, 0x67, 0x30, 0x83, 0x08};
    static const uint8_t nonce[12] = {
        0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88};
    static const uint8_t plain[64] = {0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59,
        0x09, 0xc5, 0xaf, 0xf5, 0x26, 0x9a, 0x86, 0xa7, 0xa9, 0x53, 0x15, 0x34, 0xf7, 0xda, 0x2e,
        0x4c, 0x30, 0x3d, 0x8a, 0x31, 0x8a, 0x72, 0x1c, 0x3c, 0x0c, 0x95, 0x95, 0x68, 0x09, 0x53,
        0x2f, 0xcf, 0x0e, 0x24, 0x49, 0xa6, 0xb5, 0x25, 0xb1, 0x6a, 0xed, 0xf5, 0xaa, 0x0d, 0xe6,
        0x57, 0xba, 0x63, 0x7b, 0x39, 0x1a, 0xaf, 0xd2, 0x55};
    static const uint8_t wanted_tag[16] = {0x4d, 0x5c, 0x2a, 0xf3, 0x27, 0xcd, 0x64, 0xa6, 0x2c,
        0xf3, 0x5a, 0xbd, 0x2b, 0xa6, 0xfa, 0xb4};
    uint8_t sealed[64];
    uint8_t tag[16];
    mbedtls_gcm_context g;

    (void)state;
    mbedtls_gcm_init(&g);
    assert_int_equal(mbedtls_gcm_setkey(&g, MBEDTLS_CIPHER_ID_AES, k, 128), 0);
    assert_int_equal(mbedtls_gcm_crypt_and_tag(&g, MBEDTLS_GCM_ENCRYPT, sizeof plain, nonce,
                         sizeof nonce, NULL, 0, plain, sealed, sizeof tag, tag),
        0);
    assert_int_equal(sealed[0], 0x42);
    assert_int_equal(sealed[63], 0x85);
    assert_memory_equal(tag, wanted_tag, sizeof tag);
    mbedtls_gcm_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_counter),
    };

    fill(text, sizeof text, 1);
    fill(add, sizeof add, 2);
    fill(iv, sizeof iv, 3);
    fill(key, sizeof key, 4);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
