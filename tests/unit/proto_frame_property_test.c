/* Frames by property: 10,000 random pairs of manifests, each encoded and decoded; damaged frames
 * are refused. */
#include "proto/bundle/frame.h"

#include <stdlib.h>

#include "tests/unit/proto_test.h"

#define ROUNDS 10000
#define WORKS 12
#define BLOBS 24

/* xorshift64*: the same everywhere, and the seed is printed. */
static uint64_t seed = 0x9e3779b97f4a7c15u;
static uint32_t pick(uint32_t n)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (uint32_t)((seed * 2685821657736338717u) >> 33) % n;
}

struct world {
    struct fed_span blobs[BLOBS];
    struct fed_digest digests[BLOBS];
};

static enum fed_err look_up(void *ctx, const struct fed_digest *digest, struct fed_span *out)
{
    const struct world *w = ctx;

    for (size_t i = 0; i < BLOBS; i++) {
        if (fed_digest_eq(&w->digests[i], digest)) {
            *out = w->blobs[i];
            return FED_OK;
        }
    }
    return FED_ERR_NOT_FOUND;
}

static void world_init(struct world *w, struct fed_arena *arena)
{
    for (size_t i = 0; i < BLOBS; i++) {
        struct fed_buf buf;
        uint32_t filler = pick(4) == 0 ? pick(20000) : pick(300);

        fed_buf_init(&buf, &arena->alloc, 1u << 20);
        fed_buf_printf(
            &buf, "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"n\":%zu,\"x\":\"", i);
        for (uint32_t k = 0; k < filler; k++)
            fed_buf_put_u8(&buf, (uint8_t)('a' + (i % 3 ? pick(26) : k % 26)));
        fed_buf_put_text(&buf, "\"}");
        w->blobs[i] = fed_buf_span(&buf);
        assert_int_equal(fed_digest_of(w->blobs[i], &w->digests[i]), FED_OK);
    }
}

static struct fed_span random_overrides(void)
{
    static const char *const texts[] = {"", "", "[{\"path\":\"/spec/replicas\",\"value\":2}]",
        "[{\"op\":\"remove\",\"path\":\"/data/a\"}]",
        "[{\"path\":\"/spec/template/spec/containers/0/image\",\"value\":\"nginx:1.27\"}]"};

    return TEXT(texts[pick(COUNT(texts))]);
}

static void randomize(struct fed_work *work, const struct world *w)
{
    work->options = (work->options & FED_WORK_NAMESPACED) | (pick(16) << 1);
    if (pick(2))
        work->overrides = random_overrides();
    if (pick(2))
        work->blob = w->digests[pick(BLOBS)];
    if (pick(8) == 0)
        work->api_version = TEXT(pick(2) ? "apps/v1" : "apps/v1beta1");
    if (pick(16) == 0)
        work->plural = TEXT(pick(2) ? "deployments" : "things");
}

static int by_identity(const void *a, const void *b)
{
    return fed_work_cmp(a, b);
}

static size_t unique(struct fed_work *works, size_t n)
{
    size_t to = 0;

    qsort(works, n, sizeof *works, by_identity);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || fed_work_cmp(&works[i], &works[to - 1]) != 0)
            works[to++] = works[i];
    }
    return to;
}

static struct fed_work random_work(const struct world *w)
{
    static const char *const names[] = {"web", "api", "db", "cache", "a", "system:x", "b.c"};
    static const char *const kinds[][3] = {{"apps/v1", "Deployment", "deployments"},
        {"v1", "ConfigMap", "configmaps"}, {"v1", "Namespace", "namespaces"},
        {"batch/v1", "Job", "jobs"}};
    size_t kind = pick(COUNT(kinds));
    struct fed_work work = {.api_version = TEXT(kinds[kind][0]),
        .kind = TEXT(kinds[kind][1]),
        .plural = TEXT(kinds[kind][2]),
        .name = TEXT(names[pick(COUNT(names))]),
        .blob = w->digests[pick(BLOBS)],
        .overrides = random_overrides()};

    if (kind != 2) {
        work.options = FED_WORK_NAMESPACED;
        work.ns = TEXT(pick(2) ? "default" : "prod");
    }
    return work;
}

static size_t random_works(struct fed_work *works, const struct world *w)
{
    size_t n = pick(WORKS + 1);

    for (size_t i = 0; i < n; i++)
        works[i] = random_work(w);
    return unique(works, n);
}

/* The base with some works gone, some changed, some new. */
static size_t random_next(
    const struct fed_work *base, size_t n_base, struct fed_work *works, const struct world *w)
{
    size_t n = 0;

    for (size_t i = 0; i < n_base; i++) {
        if (pick(5) == 0)
            continue;
        works[n] = base[i];
        if (pick(3) == 0)
            randomize(&works[n], w);
        n++;
    }
    for (uint32_t more = pick(4); more; more--)
        works[n++] = random_work(w);
    return unique(works, n);
}

static void assert_same_manifest(const struct fed_manifest *a, const struct fed_manifest *b)
{
    assert_int_equal(a->epoch, b->epoch);
    assert_true(a->revision == b->revision);
    assert_int_equal(a->n_works, b->n_works);
    for (size_t i = 0; i < a->n_works; i++)
        assert_true(fed_work_same(&a->works[i], &b->works[i]));
}

/* Whoever goes over what is listed as changed and removed arrives at the target. */
static void assert_lists(const struct fed_manifest *base, const struct fed_frame *frame)
{
    size_t differing = 0;
    size_t kept = 0;

    for (size_t t = 0; t < frame->target.n_works; t++) {
        bool same = false;

        for (size_t b = 0; b < base->n_works; b++)
            same |= fed_work_same(&frame->target.works[t], &base->works[b]);
        differing += !same;
        if (!same)
            assert_int_equal(frame->changed[differing - 1], t);
    }
    assert_int_equal(differing, frame->n_changed);
    for (size_t b = 0; b < base->n_works; b++) {
        bool gone = false;
        bool there = false;

        for (size_t i = 0; i < frame->n_removed; i++)
            gone |= frame->removed[i].base_index == b;
        for (size_t t = 0; t < frame->target.n_works; t++)
            there |= fed_work_cmp(&frame->target.works[t], &base->works[b]) == 0;
        assert_true(gone != there);
        kept += there;
    }
    assert_int_equal(kept + frame->n_removed, base->n_works);
}

/* One bit turned or the end cut: never accepted as something else. */
static void damage(struct fed_span frame, const struct fed_manifest *base,
    const struct fed_manifest *target, struct world *w)
{
    uint8_t *copy = malloc(frame.len + 1);
    size_t len = frame.len;
    struct fed_arena arena;
    struct fed_frame got;
    struct fed_diag diag;
    enum fed_err err;

    assert_non_null(copy);
    memcpy(copy, frame.at, len);
    if (pick(2))
        len = pick((uint32_t)len);
    else
        copy[pick((uint32_t)len)] ^= (uint8_t)(1u << pick(8));
    fed_arena_init(&arena, fed_alloc_system(), 16u << 20);
    err = fed_frame_decode(&arena, fed_span_of(copy, len), base, look_up, w, &got, &diag);
    if (err) {
        assert_true(diag.text[0] != '\0');
    } else {
        /* Only what the digest does not cover may have changed: the numbers in front. */
        assert_int_equal(got.target.n_works, target->n_works);
        for (size_t i = 0; i < target->n_works; i++)
            assert_true(fed_work_same(&got.target.works[i], &target->works[i]));
    }
    fed_arena_fini(&arena);
    free(copy);
}

static void one_round(struct world *w, bool full)
{
    struct fed_work old_works[WORKS];
    struct fed_work new_works[WORKS + 4];
    struct fed_manifest base = {.epoch = 7, .revision = 41, .works = old_works};
    struct fed_manifest target = {.epoch = 7, .revision = 41 + 1 + pick(1000), .works = new_works};
    const struct fed_manifest empty = {.epoch = 7};
    struct fed_arena arena;
    struct fed_frame frame;
    struct fed_diag diag;
    struct fed_buf buf;

    base.n_works = random_works(old_works, w);
    target.n_works = random_next(old_works, base.n_works, new_works, w);
    fed_buf_init(&buf, fed_alloc_system(), FED_FRAME_MAX);
    fed_arena_init(&arena, fed_alloc_system(), 16u << 20);
    assert_int_equal(fed_frame_encode(fed_alloc_system(), full ? &empty : &base, &target, look_up,
                         w, NULL, &buf),
        FED_OK);
    if (fed_frame_decode(&arena, fed_buf_span(&buf), &base, look_up, w, &frame, &diag))
        fail_msg("%s", diag.text);
    assert_same_manifest(&frame.target, &target);
    assert_lists(&base, &frame);
    for (size_t i = 0; i < frame.n_blobs; i++) {
        struct fed_span held;

        assert_int_equal(look_up(w, &frame.blob_digests[i], &held), FED_OK);
        assert_true(fed_span_eq(held, frame.blobs[i]));
    }
    damage(fed_buf_span(&buf), &base, &target, w);
    fed_arena_fini(&arena);
    fed_buf_fini(&buf);
}

static void test_random_manifests(void **state)
{
    struct world w;
    struct fed_arena arena;

    (void)state;
    fed_arena_init(&arena, fed_alloc_system(), 64u << 20);
    world_init(&w, &arena);
    for (unsigned i = 0; i < ROUNDS; i++)
        one_round(&w, i % 8 == 0);
    fed_arena_fini(&arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_manifests)};

    if (argc > 1)
        seed = strtoull(argv[1], NULL, 0) | 1;
    printf("seed 0x%llx\n", (unsigned long long)seed);
    return cmocka_run_group_tests_name("proto_frame_property", tests, NULL, NULL);
}
