/* ports_tls_gcm_test.c - AES-GCM as mbedTLS's callers see it, whoever does the work: published
 * vectors, and NIST SP 800-38D written down bit by bit against random calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mbedtls/aes.h>
#include <mbedtls/gcm.h>

#define BLOCK 16u
#define TEXT_MAX 20000u
#define SMALL_MAX 300u
#define CALLS 3000u
#define EDGE 8u /* bytes around an output that must stay as they are */

struct bytes {
    size_t len;
    uint8_t at[TEXT_MAX];
};

struct call {
    struct bytes key, iv, aside, text, cipher, tag;
};

/* ---- the definition ---- */

static void xor_block(uint8_t *to, const uint8_t *from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        to[i] ^= from[i];
}

/* Section 6.3: x times y, the first bit of the first byte is the lowest. */
static void multiply(uint8_t x[BLOCK], const uint8_t y[BLOCK])
{
    uint8_t z[BLOCK] = {0};
    uint8_t v[BLOCK];

    memcpy(v, y, BLOCK);
    for (unsigned bit = 0; bit < 128; bit++) {
        bool odd = v[BLOCK - 1] & 1;

        if (x[bit / 8] >> (7 - bit % 8) & 1)
            xor_block(z, v, BLOCK);
        for (size_t i = BLOCK - 1; i > 0; i--)
            v[i] = (uint8_t)(v[i] >> 1 | v[i - 1] << 7);
        v[0] = (uint8_t)(v[0] >> 1 ^ (odd ? 0xe1 : 0));
    }
    memcpy(x, z, BLOCK);
}

static void put_bits(uint8_t out[8], uint64_t bytes)
{
    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint8_t)(bytes * 8 >> (56 - 8 * i));
}

static void hash(uint8_t y[BLOCK], const uint8_t h[BLOCK], const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i += BLOCK) {
        xor_block(y, at + i, len - i < BLOCK ? len - i : BLOCK);
        multiply(y, h);
    }
}

static void hash_lengths(uint8_t y[BLOCK], const uint8_t h[BLOCK], size_t a, size_t b)
{
    uint8_t lengths[BLOCK];

    put_bits(lengths, a);
    put_bits(lengths + 8, b);
    hash(y, h, lengths, BLOCK);
}

struct definition {
    mbedtls_aes_context aes;
    uint8_t h[BLOCK];
};

static void block_encrypt(struct definition *d, const uint8_t in[BLOCK], uint8_t out[BLOCK])
{
    assert_int_equal(mbedtls_aes_crypt_ecb(&d->aes, MBEDTLS_AES_ENCRYPT, in, out), 0);
}

static void definition_init(struct definition *d, const struct bytes *key)
{
    static const uint8_t zero[BLOCK];

    mbedtls_aes_init(&d->aes);
    assert_int_equal(mbedtls_aes_setkey_enc(&d->aes, key->at, (unsigned)key->len * 8), 0);
    block_encrypt(d, zero, d->h);
}

static void count(uint8_t counter[BLOCK])
{
    for (size_t i = BLOCK; i > BLOCK - 4 && ++counter[i - 1] == 0; i--)
        ;
}

/* Algorithm 4. */
static void define(struct call *c)
{
    struct definition d;
    uint8_t first[BLOCK] = {0};
    uint8_t counter[BLOCK];
    uint8_t mask[BLOCK];
    uint8_t s[BLOCK] = {0};

    definition_init(&d, &c->key);
    if (c->iv.len == 12) {
        memcpy(first, c->iv.at, 12);
        first[BLOCK - 1] = 1;
    } else {
        hash(first, d.h, c->iv.at, c->iv.len);
        hash_lengths(first, d.h, 0, c->iv.len);
    }
    memcpy(counter, first, BLOCK);
    c->cipher = c->text;
    for (size_t i = 0; i < c->text.len; i += BLOCK) {
        count(counter);
        block_encrypt(&d, counter, mask);
        xor_block(c->cipher.at + i, mask, c->text.len - i < BLOCK ? c->text.len - i : BLOCK);
    }
    hash(s, d.h, c->aside.at, c->aside.len);
    hash(s, d.h, c->cipher.at, c->cipher.len);
    hash_lengths(s, d.h, c->aside.len, c->cipher.len);
    block_encrypt(&d, first, mask);
    xor_block(s, mask, BLOCK);
    c->tag.len = BLOCK;
    memcpy(c->tag.at, s, BLOCK);
    mbedtls_aes_free(&d.aes);
}

/* ---- one call, in every way ---- */

static void key_set(mbedtls_gcm_context *gcm, const struct call *c)
{
    mbedtls_gcm_init(gcm);
    assert_int_equal(
        mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, c->key.at, (unsigned)c->key.len * 8), 0);
}

/* An output with edges, in which `in` lies when it is worked on in place. */
static uint8_t *output_new(const struct bytes *in, bool in_place)
{
    uint8_t *room = malloc(in->len + 2 * EDGE);

    assert_non_null(room);
    memset(room, 0xa5, in->len + 2 * EDGE);
    if (in_place && in->len > 0)
        memcpy(room + EDGE, in->at, in->len);
    return room;
}

static void output_check(uint8_t *room, const struct bytes *want)
{
    for (size_t i = 0; i < EDGE; i++) {
        assert_int_equal(room[i], 0xa5);
        assert_int_equal(room[EDGE + want->len + i], 0xa5);
    }
    if (want->len > 0)
        assert_memory_equal(room + EDGE, want->at, want->len);
    free(room);
}

static void check_seal(const struct call *c, mbedtls_gcm_context *gcm, bool in_place)
{
    uint8_t *out = output_new(&c->text, in_place);
    uint8_t tag[BLOCK] = {0};

    assert_int_equal(mbedtls_gcm_crypt_and_tag(gcm, MBEDTLS_GCM_ENCRYPT, c->text.len, c->iv.at,
                         c->iv.len, c->aside.at, c->aside.len, in_place ? out + EDGE : c->text.at,
                         out + EDGE, c->tag.len, tag),
        0);
    assert_memory_equal(tag, c->tag.at, c->tag.len);
    output_check(out, &c->cipher);
}

static void check_open(const struct call *c, mbedtls_gcm_context *gcm, bool in_place)
{
    uint8_t *out = output_new(&c->cipher, in_place);

    assert_int_equal(
        mbedtls_gcm_auth_decrypt(gcm, c->text.len, c->iv.at, c->iv.len, c->aside.at, c->aside.len,
            c->tag.at, c->tag.len, in_place ? out + EDGE : c->cipher.at, out + EDGE),
        0);
    output_check(out, &c->text);
}

/* Nothing of a text whose tag is wrong is given out. */
static void check_refusal(const struct call *c, mbedtls_gcm_context *gcm, size_t bit)
{
    static const struct bytes zero;
    struct bytes nothing = zero;
    uint8_t *out = output_new(&c->cipher, false);
    uint8_t tag[BLOCK];

    memcpy(tag, c->tag.at, c->tag.len);
    tag[bit / 8] ^= (uint8_t)(1u << bit % 8);
    assert_int_equal(mbedtls_gcm_auth_decrypt(gcm, c->text.len, c->iv.at, c->iv.len, c->aside.at,
                         c->aside.len, tag, c->tag.len, c->cipher.at, out + EDGE),
        MBEDTLS_ERR_GCM_AUTH_FAILED);
    nothing.len = c->text.len;
    output_check(out, &nothing);
}

static size_t piece_of(size_t left)
{
    size_t n = (size_t)rand() % (rand() % 4 ? 40 : 4000) + 1;

    return n < left ? n : left;
}

static void check_pieces(const struct call *c, mbedtls_gcm_context *gcm, int mode, bool in_place)
{
    const struct bytes *from = mode == MBEDTLS_GCM_ENCRYPT ? &c->text : &c->cipher;
    uint8_t *out = output_new(from, in_place);
    uint8_t tag[BLOCK];
    size_t len;

    assert_int_equal(mbedtls_gcm_starts(gcm, mode, c->iv.at, c->iv.len), 0);
    for (size_t at = 0, n; at < c->aside.len; at += n) {
        n = piece_of(c->aside.len - at);
        assert_int_equal(mbedtls_gcm_update_ad(gcm, c->aside.at + at, n), 0);
    }
    for (size_t at = 0, n; at < from->len; at += n) {
        n = piece_of(from->len - at);
        assert_int_equal(mbedtls_gcm_update(gcm, in_place ? out + EDGE + at : from->at + at, n,
                             out + EDGE + at, n, &len),
            0);
        assert_int_equal(len, n);
    }
    assert_int_equal(mbedtls_gcm_finish(gcm, NULL, 0, &len, tag, c->tag.len), 0);
    assert_int_equal(len, 0);
    assert_memory_equal(tag, c->tag.at, c->tag.len);
    output_check(out, mode == MBEDTLS_GCM_ENCRYPT ? &c->cipher : &c->text);
}

/* One context does it all, one call after the other. */
static void check_call(const struct call *c)
{
    mbedtls_gcm_context gcm;

    key_set(&gcm, c);
    for (unsigned in_place = 0; in_place < 2; in_place++) {
        check_seal(c, &gcm, in_place);
        check_open(c, &gcm, in_place);
        check_pieces(c, &gcm, MBEDTLS_GCM_ENCRYPT, in_place);
        check_pieces(c, &gcm, MBEDTLS_GCM_DECRYPT, in_place);
    }
    check_refusal(c, &gcm, (size_t)rand() % (c->tag.len * 8));
    check_open(c, &gcm, false);
    mbedtls_gcm_free(&gcm);
}

/* ---- vectors ---- */

static void hex_take(char **line, struct bytes *out)
{
    char *word = strtok_r(*line, " \n", line);

    assert_non_null(word);
    out->len = 0;
    for (; word[0] && word[0] != '-'; word += 2) {
        unsigned byte;

        assert_int_equal(sscanf(word, "%2x", &byte), 1);
        out->at[out->len++] = (uint8_t)byte;
    }
}

static void test_vectors(void **state)
{
    static struct call c;
    FILE *file = fopen(FEDLET_SOURCE_DIR "/tests/unit/gcm_vectors.txt", "r");
    char line[4096];
    size_t n = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        char *at = line;

        if (line[0] == '#')
            continue;
        hex_take(&at, &c.key);
        hex_take(&at, &c.iv);
        hex_take(&at, &c.aside);
        hex_take(&at, &c.text);
        hex_take(&at, &c.cipher);
        hex_take(&at, &c.tag);
        check_call(&c);
        n++;
    }
    fclose(file);
    assert_int_equal(n, 102);
}

/* ---- random calls ---- */

static void random_bytes(struct bytes *out, size_t len)
{
    out->len = len;
    for (size_t i = 0; i < len; i++)
        out->at[i] = (uint8_t)(rand() >> 7);
}

static void test_random(void **state)
{
    static struct call c;
    const char *wanted = getenv("SEED");
    unsigned seed = wanted ? (unsigned)strtoul(wanted, NULL, 10) : 1;

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (unsigned i = 0; i < CALLS; i++) {
        size_t text_max = i % 100 == 0 ? TEXT_MAX : SMALL_MAX;

        random_bytes(&c.key, 16 + 8 * ((size_t)rand() % 3));
        random_bytes(&c.iv, rand() % 4 ? 12 : (size_t)rand() % 100 + 1);
        random_bytes(&c.aside, (size_t)rand() % (i % 7 ? 40 : SMALL_MAX));
        random_bytes(&c.text, (size_t)rand() % text_max);
        define(&c);
        c.tag.len = rand() % 4 ? BLOCK : 4 + (size_t)rand() % 13;
        check_call(&c);
    }
}

/* Lengths around the four blocks that are done at once, with and without additional data. */
static void test_lengths(void **state)
{
    static struct call c;

    (void)state;
    random_bytes(&c.key, 16);
    random_bytes(&c.iv, 12);
    for (size_t len = 0; len <= 10 * BLOCK + 1; len++) {
        random_bytes(&c.text, len);
        random_bytes(&c.aside, len % 3 ? len : 0);
        define(&c);
        check_call(&c);
    }
}

/* h to the power of 2^128 - 2. */
static void invert(uint8_t h[BLOCK])
{
    uint8_t square[BLOCK];
    uint8_t out[BLOCK] = {0x80};

    memcpy(square, h, BLOCK);
    for (unsigned i = 1; i < 128; i++) {
        uint8_t root[BLOCK];

        memcpy(root, square, BLOCK);
        multiply(square, root);
        multiply(out, square);
    }
    memcpy(h, out, BLOCK);
}

/* The IV of 16 bytes whose first counter ends with n. */
static void iv_for_counter(struct call *c, uint32_t n)
{
    struct definition d;
    uint8_t lengths[BLOCK] = {0};

    definition_init(&d, &c->key);
    invert(d.h);
    random_bytes(&c->iv, BLOCK);
    for (unsigned i = 0; i < 4; i++)
        c->iv.at[12 + i] = (uint8_t)(n >> (24 - 8 * i));
    put_bits(lengths + 8, BLOCK);
    multiply(c->iv.at, d.h);
    xor_block(c->iv.at, lengths, BLOCK);
    multiply(c->iv.at, d.h);
    mbedtls_aes_free(&d.aes);
}

/* The counter has 32 bits and begins again at 0, the other bits of the block stay. */
static void test_counter_wraps(void **state)
{
    static struct call c;

    (void)state;
    random_bytes(&c.key, 32);
    random_bytes(&c.aside, 13);
    for (uint32_t before = 0; before < 12; before++) {
        iv_for_counter(&c, UINT32_MAX - before);
        random_bytes(&c.text, 12 * BLOCK + 5);
        define(&c);
        check_call(&c);
    }
}

/* ---- refusals ---- */

static void test_wrong_calls(void **state)
{
    static struct call c;
    mbedtls_gcm_context gcm;
    uint8_t out[32];
    size_t len;

    (void)state;
    random_bytes(&c.key, 16);
    random_bytes(&c.iv, 12);
    mbedtls_gcm_init(&gcm);
    assert_int_not_equal(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, c.key.at, 120), 0);
    assert_int_not_equal(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_CAMELLIA, c.key.at, 128), 0);
    mbedtls_gcm_free(&gcm);
    key_set(&gcm, &c);
    assert_int_equal(
        mbedtls_gcm_starts(&gcm, MBEDTLS_GCM_ENCRYPT, c.iv.at, 0), MBEDTLS_ERR_GCM_BAD_INPUT);
    assert_int_equal(mbedtls_gcm_starts(&gcm, MBEDTLS_GCM_ENCRYPT, c.iv.at, 12), 0);
    assert_int_equal(
        mbedtls_gcm_update(&gcm, c.key.at, 16, out, 15, &len), MBEDTLS_ERR_GCM_BUFFER_TOO_SMALL);
    assert_int_equal(mbedtls_gcm_finish(&gcm, NULL, 0, &len, out, 3), MBEDTLS_ERR_GCM_BAD_INPUT);
    assert_int_equal(mbedtls_gcm_finish(&gcm, NULL, 0, &len, out, 17), MBEDTLS_ERR_GCM_BAD_INPUT);
    mbedtls_gcm_free(&gcm);
    mbedtls_gcm_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_counter_wraps),
        cmocka_unit_test(test_wrong_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
