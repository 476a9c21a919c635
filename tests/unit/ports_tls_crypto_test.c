/* ports_tls_crypto_test.c - keys, certificates and HMAC through struct fed_crypto. */
#include "tests/unit/ports_tls_pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/text.h"

static struct pki pki;

static void test_hmac(void **state)
{
    /* RFC 4231 test case 2, and the empty key (a known value). */
    static const uint8_t want[32] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04,
        0x24, 0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d,
        0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
    static const uint8_t want_empty[4] = {0xb6, 0x13, 0x67, 0x9a};
    uint8_t out[32];

    (void)state;
    assert_int_equal(pki.crypto.hmac_sha256(pki.crypto.ctx, FED_SPAN_LIT("Jefe"),
                         FED_SPAN_LIT("what do ya want for nothing?"), out),
        FED_OK);
    assert_memory_equal(out, want, 32);
    assert_int_equal(
        pki.crypto.hmac_sha256(pki.crypto.ctx, fed_span_text(NULL), fed_span_text(NULL), out),
        FED_OK);
    assert_memory_equal(out, want_empty, 4);
}

static void test_random(void **state)
{
    uint8_t a[5000] = {0};
    uint8_t b[5000] = {0};

    (void)state;
    assert_int_equal(pki.crypto.random(pki.crypto.ctx, a, sizeof(a)), FED_OK);
    assert_int_equal(pki.crypto.random(pki.crypto.ctx, b, sizeof(b)), FED_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a + 4900, b + 4900, 100);
}

static void test_info(void **state)
{
    struct fed_crypto_cert_info info;
    struct fed_diag diag = {""};
    struct pki_id id;

    (void)state;
    pki_issue(&pki, &pki.ca, "cluster1", NULL, -60, 3600, &id);
    assert_int_equal(pki.crypto.cert_info(pki.crypto.ctx, pki_cert(&id), &info, &diag), FED_OK);
    assert_string_equal(info.common_name, "system:fedlet:cluster1");
    assert_int_equal(info.n_organizations, 2);
    assert_string_equal(info.organizations[0], "fedlet:agents");
    assert_string_equal(info.organizations[1], "fedlet, and a comma");
    assert_int_equal(info.not_before_unix_s, pki.now_unix_s - 60);
    assert_int_equal(info.not_after_unix_s, pki.now_unix_s + 3600);
    assert_false(info.is_ca);
    assert_int_equal(pki.crypto.cert_info(pki.crypto.ctx, pki_cert(&pki.ca), &info, &diag), FED_OK);
    assert_true(info.is_ca);
    assert_string_equal(info.common_name, "test CA");
    assert_int_equal(pki.crypto.cert_info(pki.crypto.ctx, FED_SPAN_LIT("nonsense"), &info, &diag),
        FED_ERR_INVALID);
    pki_id_fini(&id);
}

static void test_check(void **state)
{
    struct fed_diag diag = {""};
    struct pki_id id;
    struct pki_id old;

    (void)state;
    pki_issue(&pki, &pki.ca, "a", NULL, -60, 3600, &id);
    pki_issue(&pki, &pki.ca, "b", NULL, -3600, -60, &old);
    assert_int_equal(pki.crypto.cert_check(
                         pki.crypto.ctx, pki_cert(&id), pki_cert(&pki.ca), pki_key(&id), &diag),
        FED_OK);
    assert_int_equal(pki.crypto.cert_check(pki.crypto.ctx, pki_cert(&old), pki_cert(&pki.ca),
                         fed_span_text(NULL), &diag),
        FED_OK);
    assert_int_equal(pki.crypto.cert_check(pki.crypto.ctx, pki_cert(&id), pki_cert(&pki.other_ca),
                         pki_key(&id), &diag),
        FED_ERR_INVALID);
    assert_non_null(strstr(diag.text, "not signed by this CA"));
    assert_int_equal(pki.crypto.cert_check(
                         pki.crypto.ctx, pki_cert(&id), pki_cert(&pki.ca), pki_key(&old), &diag),
        FED_ERR_INVALID);
    assert_non_null(strstr(diag.text, "does not belong"));
    pki_id_fini(&id);
    pki_id_fini(&old);
}

static void test_public_key(void **state)
{
    struct fed_diag diag = {""};
    struct fed_buf spki;
    struct fed_span whole;

    (void)state;
    fed_buf_init(&spki, fed_alloc_system(), 1024);
    assert_int_equal(pki.crypto.key_public(pki.crypto.ctx, pki_key(&pki.ca), &spki, &diag), FED_OK);
    whole = fed_buf_span(&spki);
    assert_int_equal(pki.crypto.public_key_check(pki.crypto.ctx, whole, &diag), FED_OK);
    assert_int_equal(
        pki.crypto.public_key_check(pki.crypto.ctx, fed_span_sub(whole, 0, whole.len - 1), &diag),
        FED_ERR_INVALID);
    spki.at[40] ^= 1; /* off the curve */
    assert_int_equal(pki.crypto.public_key_check(pki.crypto.ctx, whole, &diag), FED_ERR_INVALID);
    spki.at[40] ^= 1;
    spki.at[20] ^= 1; /* another curve */
    assert_int_equal(pki.crypto.public_key_check(pki.crypto.ctx, whole, &diag), FED_ERR_INVALID);
    fed_buf_fini(&spki);
}

static enum fed_err issue_with(struct fed_crypto_cert_request *request, const struct pki_id *ca)
{
    struct fed_diag diag = {""};
    struct fed_buf spki;
    struct fed_buf cert;
    enum fed_err err;

    fed_buf_init(&spki, fed_alloc_system(), 1024);
    fed_buf_init(&cert, fed_alloc_system(), 65536);
    assert_int_equal(
        pki.crypto.key_public(pki.crypto.ctx, pki_key(&pki.other_ca), &spki, &diag), FED_OK);
    request->public_key = fed_buf_span(&spki);
    request->not_before_unix_s = pki.now_unix_s;
    if (request->not_after_unix_s == 0)
        request->not_after_unix_s = pki.now_unix_s + 60;
    err = pki.crypto.cert_issue(pki.crypto.ctx, pki_cert(ca), pki_key(ca), request, &cert, &diag);
    if (err)
        assert_true(diag.text[0] != 0);
    fed_buf_fini(&spki);
    fed_buf_fini(&cert);
    return err;
}

static void test_issue_refuses(void **state)
{
    static const char *const bad[] = {"a b", "", "exa mple.com", "1.2.3.4.", ".x", "x\n"};
    const char *name = "ok.example";
    const char *many[65];
    const char *groups[17];
    const struct {
        struct fed_crypto_cert_request request;
        enum fed_err err;
    } cases[] = {
        {{.common_name = "x", .server = true, .names = many, .n_names = 64}, FED_OK},
        {{.common_name = "x", .server = true, .names = many, .n_names = 65}, FED_ERR_LIMIT},
        {{.common_name = "x", .client = true, .organizations = groups, .n_organizations = 16},
            FED_OK},
        {{.common_name = "x", .client = true, .organizations = groups, .n_organizations = 17},
            FED_ERR_LIMIT},
        {{.common_name = "", .client = true}, FED_ERR_INVALID},
        {{.common_name = "a\nb", .client = true}, FED_ERR_INVALID},
        {{.common_name = "x"}, FED_ERR_INVALID}, /* for nobody */
        {{.common_name = "x", .client = true, .not_after_unix_s = 5}, FED_ERR_INVALID},
    };
    struct fed_crypto_cert_request plain = {.common_name = "x", .client = true};
    struct pki_id leaf;

    (void)state;
    for (size_t i = 0; i < 65; i++)
        many[i] = name;
    for (size_t i = 0; i < 17; i++)
        groups[i] = name;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fed_crypto_cert_request request = cases[i].request;

        if (issue_with(&request, &pki.ca) != cases[i].err)
            fail_msg("case %zu", i);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fed_crypto_cert_request request = {
            .common_name = "x", .server = true, .names = &bad[i], .n_names = 1};

        if (issue_with(&request, &pki.ca) != FED_ERR_INVALID)
            fail_msg("name %s", bad[i]);
    }
    pki_issue(&pki, &pki.ca, "leaf", NULL, -60, 60, &leaf);
    assert_int_equal(issue_with(&plain, &leaf), FED_ERR_INVALID);
    pki_id_fini(&leaf);
}

/* A new CA that the one before vouches for: followed through its certificate, and not without. */
static void test_vouch(void **state)
{
    struct fed_crypto *crypto = &pki.crypto;
    struct fed_crypto_cert_info other;
    struct fed_crypto_cert_info info;
    struct fed_diag diag = {""};
    struct fed_buf bridge;
    struct fed_buf chain;
    struct pki_id leaf;

    (void)state;
    fed_buf_init(&bridge, fed_alloc_system(), 8192);
    fed_buf_init(&chain, fed_alloc_system(), 16384);
    assert_int_equal(
        crypto->ca_vouch(crypto->ctx, pki_cert(&pki.ca), pki_key(&pki.ca), pki_cert(&pki.other_ca),
            pki.now_unix_s - 60, pki.now_unix_s + 60, &bridge, &diag),
        FED_OK);
    assert_int_equal(crypto->cert_info(crypto->ctx, fed_buf_span(&bridge), &info, &diag), FED_OK);
    assert_int_equal(
        crypto->cert_info(crypto->ctx, pki_cert(&pki.other_ca), &other, &diag), FED_OK);
    assert_true(info.is_ca);
    assert_string_equal(info.common_name, "another CA");
    assert_memory_equal(
        info.public_key.bytes, other.public_key.bytes, sizeof info.public_key.bytes);
    assert_int_equal(info.not_after_unix_s, pki.now_unix_s + 60);
    assert_int_equal(crypto->cert_check(crypto->ctx, fed_buf_span(&bridge), pki_cert(&pki.ca),
                         pki_key(&pki.other_ca), &diag),
        FED_OK);
    pki_issue(&pki, &pki.other_ca, "leaf", NULL, -60, 60, &leaf);
    assert_int_equal(
        crypto->cert_check(crypto->ctx, pki_cert(&leaf), pki_cert(&pki.ca), pki_key(&leaf), &diag),
        FED_ERR_INVALID);
    fed_buf_put(&chain, pki_cert(&leaf));
    fed_buf_put(&chain, fed_buf_span(&bridge));
    assert_int_equal(crypto->cert_check(crypto->ctx, fed_buf_span(&chain), pki_cert(&pki.ca),
                         pki_key(&leaf), &diag),
        FED_OK);
    /* Who is no CA vouches for nobody, and nobody for who is none; nor does another's key. */
    assert_int_equal(crypto->ca_vouch(crypto->ctx, pki_cert(&leaf), pki_key(&leaf),
                         pki_cert(&pki.other_ca), 0, 60, &bridge, &diag),
        FED_ERR_INVALID);
    assert_int_equal(crypto->ca_vouch(crypto->ctx, pki_cert(&pki.ca), pki_key(&pki.ca),
                         pki_cert(&leaf), 0, 60, &bridge, &diag),
        FED_ERR_INVALID);
    assert_int_equal(crypto->ca_vouch(crypto->ctx, pki_cert(&pki.ca), pki_key(&pki.other_ca),
                         pki_cert(&pki.other_ca), 0, 60, &bridge, &diag),
        FED_ERR_INVALID);
    pki_id_fini(&leaf);
    fed_buf_fini(&chain);
    fed_buf_fini(&bridge);
}

/* RFC 7515 appendix A.3, and what is signed here. */
static void test_es256(void **state)
{
    static const char message[] =
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
        "LmNvbS9pc19yb290Ijp0cnVlfQ";
    static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d,
        0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        0x04};
    struct fed_crypto *crypto = &pki.crypto;
    struct fed_buf spki;
    struct fed_buf signature;
    struct fed_buf key;
    uint8_t made[64];

    (void)state;
    fed_buf_init(&spki, fed_alloc_system(), 1024);
    fed_buf_init(&signature, fed_alloc_system(), 1024);
    fed_buf_init(&key, fed_alloc_system(), 4096);
    fed_buf_put(&spki, fed_span_of(head, sizeof head));
    assert_int_equal(
        fed_text_base64url(FED_SPAN_LIT("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), &spki),
        FED_OK);
    assert_int_equal(
        fed_text_base64url(FED_SPAN_LIT("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"), &spki),
        FED_OK);
    assert_int_equal(fed_text_base64url(FED_SPAN_LIT("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFC"
                                                     "gfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"),
                         &signature),
        FED_OK);
    assert_int_equal(
        crypto->verify(crypto->ctx, fed_buf_span(&spki), fed_span_text(message), signature.at),
        FED_OK);
    signature.at[7] ^= 1;
    assert_int_equal(
        crypto->verify(crypto->ctx, fed_buf_span(&spki), fed_span_text(message), signature.at),
        FED_ERR_FORBIDDEN);
    memset(signature.at, 0, 64);
    assert_int_equal(
        crypto->verify(crypto->ctx, fed_buf_span(&spki), fed_span_text(message), signature.at),
        FED_ERR_FORBIDDEN);
    assert_int_equal(
        crypto->verify(crypto->ctx, FED_SPAN_LIT("no key"), fed_span_text(message), made),
        FED_ERR_INVALID);
    assert_int_equal(crypto->key_new(crypto->ctx, &key), FED_OK);
    assert_int_equal(
        crypto->sign(crypto->ctx, fed_buf_span(&key), fed_span_text(message), made), FED_OK);
    assert_int_equal(crypto->verify(crypto->ctx, fed_buf_span(&spki), fed_span_text(message), made),
        FED_ERR_FORBIDDEN);
    fed_buf_clear(&spki);
    assert_int_equal(crypto->key_public(crypto->ctx, fed_buf_span(&key), &spki, NULL), FED_OK);
    assert_int_equal(
        crypto->verify(crypto->ctx, fed_buf_span(&spki), fed_span_text(message), made), FED_OK);
    assert_int_equal(
        crypto->sign(crypto->ctx, FED_SPAN_LIT("no key"), fed_span_text(message), made),
        FED_ERR_INVALID);
    fed_buf_fini(&spki);
    fed_buf_fini(&signature);
    fed_buf_fini(&key);
}

static int setup(void **state)
{
    (void)state;
    pki_init(&pki);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_fini(&pki);
    return 0;
}

/* What was sealed opens with the same key and context, and not with one bit changed anywhere. */
static void test_seal(void **state)
{
    static const struct fed_span context = {(const uint8_t *)"context", 7};
    uint8_t key[FED_SEAL_KEY_SIZE] = {1, 2, 3};
    struct fed_span plain = FED_SPAN_LIT("sessions of agents");
    struct fed_buf sealed;
    struct fed_buf again;
    struct fed_buf opened;

    (void)state;
    fed_buf_init(&sealed, fed_alloc_system(), 1024);
    fed_buf_init(&again, fed_alloc_system(), 1024);
    fed_buf_init(&opened, fed_alloc_system(), 1024);
    assert_int_equal(fed_tls_seal(key, context, plain, &sealed), FED_OK);
    assert_int_equal(fed_tls_seal(key, context, plain, &again), FED_OK);
    assert_int_equal(sealed.len, plain.len + FED_SEAL_EXTRA);
    assert_memory_not_equal(sealed.at, again.at, sealed.len); /* another nonce */
    assert_int_equal(fed_tls_unseal(key, context, fed_buf_span(&sealed), &opened), FED_OK);
    assert_true(fed_span_eq(fed_buf_span(&opened), plain));
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.at[i] ^= 1;
        assert_int_equal(
            fed_tls_unseal(key, context, fed_buf_span(&sealed), &opened), FED_ERR_DIGEST);
        sealed.at[i] ^= 1;
        assert_int_not_equal(
            fed_tls_unseal(key, context, fed_span_sub(fed_buf_span(&sealed), 0, i), &opened),
            FED_OK);
    }
    assert_int_equal(opened.len, plain.len); /* nothing was added */
    assert_int_equal(
        fed_tls_unseal(key, FED_SPAN_LIT("other"), fed_buf_span(&sealed), &opened), FED_ERR_DIGEST);
    key[31] ^= 1;
    assert_int_equal(fed_tls_unseal(key, context, fed_buf_span(&sealed), &opened), FED_ERR_DIGEST);
    /* Nothing to seal is something, too. */
    fed_buf_clear(&sealed);
    fed_buf_clear(&opened);
    assert_int_equal(fed_tls_seal(key, context, FED_SPAN_LIT(""), &sealed), FED_OK);
    assert_int_equal(fed_tls_unseal(key, context, fed_buf_span(&sealed), &opened), FED_OK);
    assert_int_equal(opened.len, 0);
    fed_buf_fini(&opened);
    fed_buf_fini(&again);
    fed_buf_fini(&sealed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_public_key),
        cmocka_unit_test(test_issue_refuses),
        cmocka_unit_test(test_vouch),
        cmocka_unit_test(test_es256),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
