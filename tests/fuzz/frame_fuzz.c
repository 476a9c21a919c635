/* Frames against a small base: what decodes, digest and all, is encoded again and must decode to
 * the same manifest. The corpus holds whole frames, from which the fuzzer reaches every section
 * before the digest refuses. */
#include "proto/bundle/frame.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const char *const texts[] = {
    "{\"kind\":\"Deployment\"}", "{\"data\":{\"a\":\"b\"},\"kind\":\"ConfigMap\"}"};
static struct fed_digest digests[2];
static const struct fed_frame *decoded;

static enum fed_err look_up(void *ctx, const struct fed_digest *digest, struct fed_span *out)
{
    (void)ctx;
    for (size_t i = 0; i < 2; i++) {
        *out = fed_span_text(texts[i]);
        if (fed_digest_eq(&digests[i], digest))
            return FED_OK;
    }
    for (size_t i = 0; decoded && i < decoded->n_blobs; i++) {
        *out = decoded->blobs[i];
        if (fed_digest_eq(&decoded->blob_digests[i], digest))
            return FED_OK;
    }
    return FED_ERR_NOT_FOUND;
}

static void encode_again(const struct fed_manifest *base, const struct fed_frame *frame)
{
    const struct fed_manifest *from = frame->head.base_revision ? base : &(struct fed_manifest){0};
    struct fed_frame again;
    struct fed_arena arena;
    struct fed_buf out;

    decoded = frame;
    fed_arena_init(&arena, fed_alloc_system(), 64u << 20);
    fed_buf_init(&out, fed_alloc_system(), FED_FRAME_MAX);
    FUZZ_CHECK(
        !fed_frame_encode(fed_alloc_system(), from, &frame->target, look_up, NULL, NULL, &out));
    FUZZ_CHECK(!fed_frame_decode(&arena, fed_buf_span(&out), base, look_up, NULL, &again, NULL));
    FUZZ_CHECK(again.target.n_works == frame->target.n_works);
    fed_buf_fini(&out);
    fed_arena_fini(&arena);
    decoded = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_work works[2] = {{.api_version = FED_SPAN_LIT("v1"),
                                    .kind = FED_SPAN_LIT("ConfigMap"),
                                    .plural = FED_SPAN_LIT("configmaps"),
                                    .ns = FED_SPAN_LIT("default"),
                                    .name = FED_SPAN_LIT("c"),
                                    .options = FED_WORK_NAMESPACED},
        {.api_version = FED_SPAN_LIT("apps/v1"),
            .kind = FED_SPAN_LIT("Deployment"),
            .plural = FED_SPAN_LIT("deployments"),
            .ns = FED_SPAN_LIT("default"),
            .name = FED_SPAN_LIT("web"),
            .options = FED_WORK_NAMESPACED}};
    struct fed_manifest base = {.epoch = 1, .revision = 5, .works = works, .n_works = 2};
    struct fed_diag diag = {{0}};
    struct fed_arena arena;
    struct fed_frame frame;

    for (size_t i = 0; i < 2; i++)
        FUZZ_CHECK(!fed_digest_of(fed_span_text(texts[i]), &digests[i]));
    works[0].blob = digests[1];
    works[1].blob = digests[0];
    fed_arena_init(&arena, fed_alloc_system(), 64u << 20);
    if (fed_frame_decode(&arena, fed_span_of(data, size), &base, look_up, NULL, &frame, &diag) ==
        FED_OK)
        encode_again(&base, &frame);
    else
        FUZZ_CHECK(diag.text[0]);
    fed_arena_fini(&arena);
    return 0;
}
