/* gcm_alt.c - mbedTLS's AES-GCM functions (mbedtls/gcm.h has their contracts) with BearSSL's code.
 *
 * mbedTLS takes one block after the other, BearSSL four at once: ten times as fast where the
 * processor has AES and carry-less multiplication, and without tables that depend on secrets where
 * it has not. BearSSL works in place and with one key schedule for both directions. */
#include <bearssl.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/gcm.h>
#include <mbedtls/platform_util.h>

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define TAG_MIN 4u
#define TAG_MAX 16u
#define TEXT_MAX 0xfffffffe0ull /* NIST SP 800-38D section 5.2.1.1: 2^39 - 256 bits */
#define ASIDE_MAX (1ull << 61)  /* 2^64 - 1 bits, as bytes rounded up */

struct __attribute__((may_alias)) gcm {
    br_gcm_context gcm;
    union {
        const br_block_ctr_class *vtable; /* NULL: no key yet */
        br_aes_x86ni_ctr_keys x86;
        br_aes_ct64_ctr_keys portable;
    } keys;
    bool decrypts;
    bool in_text; /* all additional data was there */
};

static_assert(sizeof(struct gcm) <= sizeof(mbedtls_gcm_context), "gcm_alt.h has too little room");

static struct gcm *of(mbedtls_gcm_context *ctx)
{
    return (struct gcm *)ctx;
}

/* ---- which code ---- */

struct engine {
    const br_block_ctr_class *aes;
    br_ghash hash;
};

/* The fastest for this processor, which is asked once: in a virtual machine that takes 28 us. */
static const struct engine *engine(void)
{
    static struct engine best;

    if (!best.aes) {
        br_ghash hash = br_ghash_pclmul_get();
        const br_block_ctr_class *aes = br_aes_x86ni_ctr_get_vtable();

        best.hash = hash ? hash : br_ghash_ctmul64;
        best.aes = aes ? aes : &br_aes_ct64_ctr_vtable;
    }
    return &best;
}

/* ---- a key ---- */

void mbedtls_gcm_init(mbedtls_gcm_context *ctx)
{
    memset(ctx, 0, sizeof *ctx);
}

void mbedtls_gcm_free(mbedtls_gcm_context *ctx)
{
    if (ctx)
        mbedtls_platform_zeroize(ctx, sizeof *ctx);
}

int mbedtls_gcm_setkey(mbedtls_gcm_context *ctx, mbedtls_cipher_id_t cipher,
    const unsigned char *key, unsigned int keybits)
{
    struct gcm *g = of(ctx);

    if (cipher != MBEDTLS_CIPHER_ID_AES || (keybits != 128 && keybits != 192 && keybits != 256))
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    engine()->aes->init(&g->keys.vtable, key, keybits / 8);
    br_gcm_init(&g->gcm, &g->keys.vtable, engine()->hash);
    return 0;
}

/* ---- piece by piece ---- */

int mbedtls_gcm_starts(mbedtls_gcm_context *ctx, int mode, const unsigned char *iv, size_t iv_len)
{
    struct gcm *g = of(ctx);

    if (!g->keys.vtable || iv_len == 0 || iv_len >= ASIDE_MAX)
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    br_gcm_reset(&g->gcm, iv, iv_len);
    g->decrypts = mode == MBEDTLS_GCM_DECRYPT;
    g->in_text = false;
    return 0;
}

int mbedtls_gcm_update_ad(mbedtls_gcm_context *ctx, const unsigned char *add, size_t add_len)
{
    struct gcm *g = of(ctx);

    if (add_len == 0)
        return 0;
    if (g->in_text || add_len >= ASIDE_MAX - g->gcm.count_aad)
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    br_gcm_aad_inject(&g->gcm, add, add_len);
    return 0;
}

static void begin_text(struct gcm *g)
{
    if (!g->in_text)
        br_gcm_flip(&g->gcm);
    g->in_text = true;
}

int mbedtls_gcm_update(mbedtls_gcm_context *ctx, const unsigned char *input, size_t input_length,
    unsigned char *output, size_t output_size, size_t *output_length)
{
    struct gcm *g = of(ctx);

    if (output_size < input_length)
        return MBEDTLS_ERR_GCM_BUFFER_TOO_SMALL;
    if (input_length > TEXT_MAX - g->gcm.count_ctr)
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    *output_length = input_length;
    if (input_length == 0)
        return 0;
    begin_text(g);
    if (output != input)
        memmove(output, input, input_length);
    br_gcm_run(&g->gcm, !g->decrypts, output, input_length);
    return 0;
}

int mbedtls_gcm_finish(mbedtls_gcm_context *ctx, unsigned char *output, size_t output_size,
    size_t *output_length, unsigned char *tag, size_t tag_len)
{
    struct gcm *g = of(ctx);

    (void)output; /* update gave everything */
    (void)output_size;
    if (tag_len < TAG_MIN || tag_len > TAG_MAX)
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    *output_length = 0;
    begin_text(g);
    br_gcm_get_tag_trunc(&g->gcm, tag, tag_len);
    return 0;
}

/* ---- at once ---- */

int mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context *ctx, int mode, size_t length,
    const unsigned char *iv, size_t iv_len, const unsigned char *add, size_t add_len,
    const unsigned char *input, unsigned char *output, size_t tag_len, unsigned char *tag)
{
    size_t len;
    int code = mbedtls_gcm_starts(ctx, mode, iv, iv_len);

    if (!code)
        code = mbedtls_gcm_update_ad(ctx, add, add_len);
    if (!code)
        code = mbedtls_gcm_update(ctx, input, length, output, length, &len);
    if (!code)
        code = mbedtls_gcm_finish(ctx, NULL, 0, &len, tag, tag_len);
    return code;
}

int mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *ctx, size_t length, const unsigned char *iv,
    size_t iv_len, const unsigned char *add, size_t add_len, const unsigned char *tag,
    size_t tag_len, const unsigned char *input, unsigned char *output)
{
    unsigned char right[TAG_MAX];
    int code = mbedtls_gcm_crypt_and_tag(
        ctx, MBEDTLS_GCM_DECRYPT, length, iv, iv_len, add, add_len, input, output, tag_len, right);

    if (!code && mbedtls_ct_memcmp(tag, right, tag_len) != 0)
        code = MBEDTLS_ERR_GCM_AUTH_FAILED;
    if (code && length > 0) /* nothing leaves that is not authentic */
        mbedtls_platform_zeroize(output, length);
    mbedtls_platform_zeroize(right, sizeof right);
    return code;
}
