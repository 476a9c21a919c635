/* Frames, their heads and manifests against the vectors of docs/protocol.md's Python
 * implementation: what it encoded is decoded, refused or encoded again by ours. */
#include "proto/bundle/frame.h"
#include "tests/unit/wire_vectors.h"

#define EACH(it, root, key)                                                                        \
    for (struct fed_json_iter it = fed_json_each(fed_json_get(root, key)); fed_json_iter_next(&it);)

static enum fed_err look_up(void *ctx, const struct fed_digest *digest, struct fed_span *out)
{
    const struct vectors *v = ctx;

    EACH(it, v->root, "blobs")
    {
        struct fed_digest d;

        *out = fed_json_string(it.value);
        if (fed_digest_of(*out, &d) == FED_OK && fed_digest_eq(&d, digest))
            return FED_OK;
    }
    return FED_ERR_NOT_FOUND;
}

static void take_manifest(struct vectors *v, const struct fed_json *shown, struct fed_manifest *out)
{
    size_t n = fed_json_count(fed_json_get(shown, "works"));
    struct fed_work *works = fed_alloc_zero(&v->arena.alloc, (n + 1) * sizeof *works);

    assert_non_null(works);
    *out = (struct fed_manifest){.epoch = (uint32_t)vector_int(shown, "epoch"),
        .revision = (uint64_t)vector_int(shown, "revision"),
        .works = works,
        .n_works = n};
    EACH(it, shown, "works")
    {
        vector_work(v, it.value, works++);
    }
    for (size_t i = 1; i < n; i++)
        assert_true(fed_work_cmp(&out->works[i - 1], &out->works[i]) < 0);
}

static void manifest_of(
    struct vectors *v, const struct fed_json *c, const char *key, struct fed_manifest *out)
{
    const struct fed_json *all = fed_json_get(v->root, "manifests");

    take_manifest(v, fed_json_get_span(all, vector_text(c, key)), out);
}

static void test_manifest_digests(void **state)
{
    struct vectors v;

    (void)state;
    vectors_open(&v, "frames");
    EACH(it, v.root, "manifests")
    {
        struct fed_manifest manifest;
        struct fed_digest digest;

        take_manifest(&v, it.value, &manifest);
        assert_int_equal(fed_manifest_digest(&manifest, &digest), FED_OK);
        vector_bytes(it.value, fed_span_of(digest.bytes, sizeof digest.bytes),
            vector_hex(&v, it.value, "digest"));
    }
    vectors_close(&v);
}

static void test_heads(void **state)
{
    struct vectors v;

    (void)state;
    vectors_open(&v, "frames");
    EACH(it, v.root, "heads")
    {
        struct fed_span bytes = vector_hex(&v, it.value, "hex");
        struct fed_span from = bytes;
        struct fed_frame_head head;
        struct fed_buf out;

        assert_int_equal(fed_frame_head_take(&from, &head), FED_OK);
        assert_int_equal(from.len, 0);
        assert_false(head.has_body);
        assert_int_equal(head.epoch, vector_int(it.value, "epoch"));
        assert_int_equal(head.base_revision, vector_int(it.value, "base"));
        assert_int_equal(head.revision, vector_int(it.value, "revision"));
        vector_bytes(it.value, fed_span_of(head.digest, sizeof head.digest),
            vector_hex(&v, it.value, "digest"));
        fed_buf_init(&out, fed_alloc_system(), 64);
        fed_frame_head_put(&out, &head);
        vector_bytes(it.value, fed_buf_span(&out), bytes);
        fed_buf_fini(&out);
    }
    vectors_close(&v);
}

static void check_target(
    const struct fed_json *c, const struct fed_frame *frame, const struct fed_manifest *expected)
{
    assert_int_equal(frame->target.epoch, expected->epoch);
    assert_int_equal(frame->target.revision, expected->revision);
    assert_int_equal(frame->target.n_works, expected->n_works);
    for (size_t i = 0; i < expected->n_works; i++)
        assert_true(fed_work_same(&frame->target.works[i], &expected->works[i]));
    if (fed_json_type(fed_json_get(c, "removed")) == FED_JSON_NULL)
        return; /* in full: what it lacks is the receiver's to find */
    assert_int_equal(frame->n_removed, fed_json_count(fed_json_get(c, "removed")));
    for (size_t i = 0; i < frame->n_removed; i++) {
        const struct fed_json *pair = fed_json_at(fed_json_get(c, "removed"), i);

        assert_int_equal(frame->removed[i].base_index, fed_json_int(fed_json_at(pair, 0), -1));
        assert_int_equal(frame->removed[i].options, fed_json_int(fed_json_at(pair, 1), -1));
    }
}

/* Ours for the same change. The frames that are deflated are the same as long as the same zlib is
 * behind both; only their content must be. */
static void encode_again(struct vectors *v, const struct fed_json *c,
    const struct fed_manifest *held, const struct fed_manifest *target, struct fed_span expected)
{
    struct fed_manifest base;
    struct fed_frame frame;
    struct fed_buf out;

    manifest_of(v, c, "base", &base);
    EACH(it, c, "ordered")
    {
        ((struct fed_work *)base.works)[fed_json_int(it.value, 0)].options |= FED_WORK_ORDERED;
    }
    fed_buf_init(&out, fed_alloc_system(), FED_FRAME_MAX);
    assert_int_equal(
        fed_frame_encode(fed_alloc_system(), &base, target, look_up, v, NULL, &out), FED_OK);
    assert_int_equal(
        fed_frame_decode(&v->arena, fed_buf_span(&out), held, look_up, v, &frame, NULL), FED_OK);
    check_target(c, &frame, target);
    if (fed_json_bool(fed_json_get(c, "encoded"), false)) {
        assert_in_range(out.len, expected.len - expected.len / 8, expected.len + expected.len / 8);
        if (!fed_json_bool(fed_json_get(c, "deflated"), true))
            vector_bytes(c, fed_buf_span(&out), expected);
        else if (!fed_span_eq(fed_buf_span(&out), expected))
            print_message("%zu bytes where Python's zlib made %zu\n", out.len, expected.len);
    }
    fed_buf_fini(&out);
}

static void test_frames(void **state)
{
    struct vectors v;
    size_t n = 0;

    (void)state;
    vectors_open(&v, "frames");
    EACH(it, v.root, "frames")
    {
        struct fed_span bytes = vector_hex(&v, it.value, "frame");
        struct fed_diag diag = {""};
        struct fed_manifest held;
        struct fed_manifest target;
        struct fed_frame frame;
        enum fed_err err;

        n++;
        manifest_of(&v, it.value, "held", &held);
        err = fed_frame_decode(&v.arena, bytes, &held, look_up, &v, &frame, &diag);
        if (!vector_expects(it.value, err, &diag))
            continue;
        manifest_of(&v, it.value, "target", &target);
        check_target(it.value, &frame, &target);
        encode_again(&v, it.value, &held, &target, bytes);
    }
    assert_in_range(n, 45, 1000);
    vectors_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manifest_digests),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
