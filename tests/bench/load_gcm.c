/* load_gcm.c - AES-GCM (NIST SP 800-38D) of TLS records, eight blocks at a time: for the generator
 * alone.
 *
 * mbedTLS takes one block after the other, 220 MB/s, and a generator that is busy decrypting would
 * be what limits; servers are measured with their own libraries. The linker sends the library's two
 * one-shot functions here (CMakeLists.txt, --wrap). Each record's tag is checked by the one side
 * that is not this file.
 *
 * GHASH: carry-less products of eight blocks and eight powers of H, reduced once; Gueron and
 * Kounavis, "Intel Carry-Less Multiplication Instruction and its Usage for Computing the GCM Mode",
 * algorithms 1 and 5. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include <mbedtls/aes.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/gcm.h>
#include <mbedtls/platform_util.h>

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define AT_ONCE 8
#define BLOCK 16u
#define ROUNDS_MAX 14
#define WORTH_IT 64u /* shorter texts do not pay for the powers of H */
#define X86 __attribute__((target("aes,pclmul,ssse3,sse4.1")))
#define X86_INLINE static inline __attribute__((always_inline)) X86

struct gcm {
    __m128i round_keys[ROUNDS_MAX + 1];
    int rounds;
    __m128i powers[AT_ONCE]; /* H^8 first; bytes reversed, as all of GHASH here */
    __m128i hash;
    __m128i counter; /* bytes reversed: the 32-bit counter is the lowest lane */
};

/* The library's own, under the names that --wrap gives them. */
int __real_mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context *ctx, int mode, size_t length,
    const unsigned char *iv, size_t iv_len, const unsigned char *add, size_t add_len,
    const unsigned char *input, unsigned char *output, size_t tag_len, unsigned char *tag);
int __real_mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *ctx, size_t length,
    const unsigned char *iv, size_t iv_len, const unsigned char *add, size_t add_len,
    const unsigned char *tag, size_t tag_len, const unsigned char *input, unsigned char *output);
int __wrap_mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context *ctx, int mode, size_t length,
    const unsigned char *iv, size_t iv_len, const unsigned char *add, size_t add_len,
    const unsigned char *input, unsigned char *output, size_t tag_len, unsigned char *tag);
int __wrap_mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *ctx, size_t length,
    const unsigned char *iv, size_t iv_len, const unsigned char *add, size_t add_len,
    const unsigned char *tag, size_t tag_len, const unsigned char *input, unsigned char *output);

X86_INLINE __m128i load(const uint8_t *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

X86_INLINE void store(uint8_t *at, __m128i x)
{
    _mm_storeu_si128((__m128i *)(void *)at, x);
}

X86_INLINE __m128i reversed(__m128i x)
{
    return _mm_shuffle_epi8(x, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

/* ---- AES ---- */
X86_INLINE __m128i encrypted(const struct gcm *g, __m128i x)
{
    x = _mm_xor_si128(x, g->round_keys[0]);
    for (int i = 1; i < g->rounds; i++)
        x = _mm_aesenc_si128(x, g->round_keys[i]);
    return _mm_aesenclast_si128(x, g->round_keys[g->rounds]);
}

X86_INLINE __m128i next_counter(struct gcm *g)
{
    g->counter = _mm_add_epi32(g->counter, _mm_set_epi32(0, 0, 0, 1));
    return reversed(g->counter);
}

/* rounds is a constant where it counts, so that the compiler unrolls. */
X86_INLINE void key_stream(struct gcm *g, int rounds, __m128i x[AT_ONCE])
{
    __m128i round_key = g->round_keys[0];

    for (int k = 0; k < AT_ONCE; k++)
        x[k] = _mm_xor_si128(next_counter(g), round_key);
    for (int i = 1; i < rounds; i++) {
        round_key = g->round_keys[i];
        for (int k = 0; k < AT_ONCE; k++)
            x[k] = _mm_aesenc_si128(x[k], round_key);
    }
    round_key = g->round_keys[rounds];
    for (int k = 0; k < AT_ONCE; k++)
        x[k] = _mm_aesenclast_si128(x[k], round_key);
}

/* ---- GHASH ---- */
struct product { /* of 256 bits, not yet reduced */
    __m128i low;
    __m128i middle;
    __m128i high;
};

X86_INLINE void add_product(struct product *p, __m128i a, __m128i b)
{
    p->low = _mm_xor_si128(p->low, _mm_clmulepi64_si128(a, b, 0x00));
    p->high = _mm_xor_si128(p->high, _mm_clmulepi64_si128(a, b, 0x11));
    p->middle = _mm_xor_si128(p->middle, _mm_clmulepi64_si128(a, b, 0x01));
    p->middle = _mm_xor_si128(p->middle, _mm_clmulepi64_si128(a, b, 0x10));
}

X86_INLINE __m128i reduced(const struct product *p)
{
    __m128i low = _mm_xor_si128(p->low, _mm_slli_si128(p->middle, 8));
    __m128i high = _mm_xor_si128(p->high, _mm_srli_si128(p->middle, 8));
    __m128i low_carry = _mm_srli_epi32(low, 31);
    __m128i high_carry = _mm_srli_epi32(high, 31);
    __m128i folded;
    __m128i rest;

    /* One bit to the left, because the bits of a block are reflected. */
    low = _mm_or_si128(_mm_slli_epi32(low, 1), _mm_slli_si128(low_carry, 4));
    high = _mm_or_si128(_mm_slli_epi32(high, 1), _mm_slli_si128(high_carry, 4));
    high = _mm_or_si128(high, _mm_srli_si128(low_carry, 12));
    /* Modulo x^128 + x^7 + x^2 + x + 1. */
    folded = _mm_xor_si128(
        _mm_xor_si128(_mm_slli_epi32(low, 31), _mm_slli_epi32(low, 30)), _mm_slli_epi32(low, 25));
    rest = _mm_srli_si128(folded, 4);
    low = _mm_xor_si128(low, _mm_slli_si128(folded, 12));
    folded = _mm_xor_si128(
        _mm_xor_si128(_mm_srli_epi32(low, 1), _mm_srli_epi32(low, 2)), _mm_srli_epi32(low, 7));
    return _mm_xor_si128(high, _mm_xor_si128(low, _mm_xor_si128(folded, rest)));
}

X86_INLINE __m128i times(__m128i a, __m128i b)
{
    struct product p = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};

    add_product(&p, a, b);
    return reduced(&p);
}

X86_INLINE void hash_one(struct gcm *g, __m128i block)
{
    g->hash = times(_mm_xor_si128(g->hash, reversed(block)), g->powers[AT_ONCE - 1]);
}

X86_INLINE void hash_many(struct gcm *g, const __m128i blocks[AT_ONCE])
{
    struct product p = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};

    add_product(&p, _mm_xor_si128(g->hash, reversed(blocks[0])), g->powers[0]);
    for (int k = 1; k < AT_ONCE; k++)
        add_product(&p, reversed(blocks[k]), g->powers[k]);
    g->hash = reduced(&p);
}

/* A last block that is not full counts as filled up with zeros. */
X86 static void hash_bytes(struct gcm *g, const uint8_t *at, size_t len)
{
    uint8_t last[BLOCK] = {0};

    for (; len >= BLOCK; at += BLOCK, len -= BLOCK)
        hash_one(g, load(at));
    if (len == 0)
        return;
    memcpy(last, at, len);
    hash_one(g, load(last));
}

/* ---- GCM ---- */
X86 static void begin(struct gcm *g, const mbedtls_aes_context *aes, const uint8_t iv[12])
{
    const uint8_t *keys = (const uint8_t *)(aes->buf + aes->rk_offset);
    uint8_t first[BLOCK] = {0};

    *g = (struct gcm){.rounds = aes->nr};
    for (int i = 0; i <= g->rounds; i++)
        g->round_keys[i] = load(keys + BLOCK * (size_t)i);
    g->powers[AT_ONCE - 1] = reversed(encrypted(g, _mm_setzero_si128()));
    for (int k = AT_ONCE - 1; k > 0; k--)
        g->powers[k - 1] = times(g->powers[k], g->powers[AT_ONCE - 1]);
    memcpy(first, iv, 12);
    first[BLOCK - 1] = 1;
    g->counter = reversed(load(first));
}

X86_INLINE void crypt_many(struct gcm *g, int rounds, int mode, const uint8_t *in, uint8_t *out)
{
    __m128i stream[AT_ONCE];
    __m128i text[AT_ONCE];

    key_stream(g, rounds, stream);
    for (int k = 0; k < AT_ONCE; k++)
        text[k] = load(in + BLOCK * (size_t)k);
    if (mode == MBEDTLS_GCM_DECRYPT)
        hash_many(g, text);
    for (int k = 0; k < AT_ONCE; k++) {
        text[k] = _mm_xor_si128(text[k], stream[k]);
        store(out + BLOCK * (size_t)k, text[k]);
    }
    if (mode == MBEDTLS_GCM_ENCRYPT)
        hash_many(g, text);
}

/* At most one block. */
X86_INLINE void crypt_one(struct gcm *g, int mode, const uint8_t *in, size_t len, uint8_t *out)
{
    uint8_t text[BLOCK] = {0};
    uint8_t done[BLOCK] = {0};

    memcpy(text, in, len);
    store(done, _mm_xor_si128(load(text), encrypted(g, next_counter(g))));
    memset(done + len, 0, BLOCK - len);
    hash_one(g, load(mode == MBEDTLS_GCM_ENCRYPT ? done : text));
    memcpy(out, done, len);
}

/* As many times AT_ONCE blocks as there are; how many bytes. */
X86_INLINE size_t crypt_most(
    struct gcm *g, int rounds, int mode, const uint8_t *in, size_t len, uint8_t *out)
{
    struct gcm own = *g; /* which the output cannot overlap, for all that the compiler knows */
    size_t done = 0;

    for (; len - done >= AT_ONCE * BLOCK; done += AT_ONCE * BLOCK)
        crypt_many(&own, rounds, mode, in + done, out + done);
    g->hash = own.hash;
    g->counter = own.counter;
    mbedtls_platform_zeroize(&own, sizeof own);
    return done;
}

X86 static void crypt(struct gcm *g, int mode, const uint8_t *in, size_t len, uint8_t *out)
{
    size_t done = g->rounds == 10 ? crypt_most(g, 10, mode, in, len, out)
                                  : crypt_most(g, g->rounds, mode, in, len, out);

    in += done;
    out += done;
    len -= done;
    while (len > 0) {
        size_t n = len < BLOCK ? len : BLOCK;

        crypt_one(g, mode, in, n, out);
        in += n;
        out += n;
        len -= n;
    }
}

struct call {
    const mbedtls_aes_context *aes;
    int mode;
    const uint8_t *iv;
    const uint8_t *add;
    size_t add_len;
    const uint8_t *input;
    size_t length;
    uint8_t *output;
};

X86 static void run(const struct call *call, uint8_t tag[BLOCK])
{
    struct gcm g;
    __m128i mask;

    begin(&g, call->aes, call->iv);
    mask = encrypted(&g, reversed(g.counter));
    hash_bytes(&g, call->add, call->add_len);
    crypt(&g, call->mode, call->input, call->length, call->output);
    g.hash = times(_mm_xor_si128(g.hash, _mm_set_epi64x((long long)(call->add_len * 8),
                                             (long long)(call->length * 8))),
        g.powers[AT_ONCE - 1]);
    store(tag, _mm_xor_si128(mask, reversed(g.hash)));
    mbedtls_platform_zeroize(&g, sizeof g);
}

/* ---- in the library's place ---- */
static bool processor_can(void)
{
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") &&
           __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1");
}

/* The AES key of a context that run() takes; NULL for others. */
static const mbedtls_aes_context *key_of(const mbedtls_gcm_context *ctx)
{
    mbedtls_cipher_type_t type = mbedtls_cipher_get_type(&ctx->cipher_ctx);
    bool aes = type == MBEDTLS_CIPHER_AES_128_ECB || type == MBEDTLS_CIPHER_AES_192_ECB ||
               type == MBEDTLS_CIPHER_AES_256_ECB;

    return aes && processor_can() ? ctx->cipher_ctx.cipher_ctx : NULL;
}

/* Records are far below the length at which the counter would begin again. */
static bool takes(size_t length, size_t iv_len, size_t tag_len)
{
    return length >= WORTH_IT && length <= 1u << 24 && iv_len == 12 && tag_len >= 4 &&
           tag_len <= BLOCK;
}

int __wrap_mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context *ctx, int mode, size_t length,
    const unsigned char *iv, size_t iv_len, const unsigned char *add, size_t add_len,
    const unsigned char *input, unsigned char *output, size_t tag_len, unsigned char *tag)
{
    struct call call = {key_of(ctx), mode, iv, add, add_len, input, length, output};
    uint8_t whole[BLOCK];

    if (!call.aes || !takes(length, iv_len, tag_len))
        return __real_mbedtls_gcm_crypt_and_tag(
            ctx, mode, length, iv, iv_len, add, add_len, input, output, tag_len, tag);
    run(&call, whole);
    memcpy(tag, whole, tag_len);
    return 0;
}

int __wrap_mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *ctx, size_t length,
    const unsigned char *iv, size_t iv_len, const unsigned char *add, size_t add_len,
    const unsigned char *tag, size_t tag_len, const unsigned char *input, unsigned char *output)
{
    struct call call = {key_of(ctx), MBEDTLS_GCM_DECRYPT, iv, add, add_len, input, length, output};
    uint8_t whole[BLOCK];

    if (!call.aes || !takes(length, iv_len, tag_len))
        return __real_mbedtls_gcm_auth_decrypt(
            ctx, length, iv, iv_len, add, add_len, tag, tag_len, input, output);
    run(&call, whole);
    if (mbedtls_ct_memcmp(tag, whole, tag_len) == 0)
        return 0;
    mbedtls_platform_zeroize(output, length);
    return MBEDTLS_ERR_GCM_AUTH_FAILED;
}
