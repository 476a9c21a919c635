/* Works, manifests, dictionary and single frames. */
#include "proto/bundle/dict.h"
#include "proto/bundle/frame.h"

#include "tests/unit/proto_test.h"

#define BLOBS 4

struct held {
    struct fed_span blobs[BLOBS];
    struct fed_digest digests[BLOBS];
    size_t n;
};

static enum fed_err look_up(void *ctx, const struct fed_digest *digest, struct fed_span *out)
{
    const struct held *held = ctx;

    for (size_t i = 0; i < held->n; i++) {
        if (fed_digest_eq(&held->digests[i], digest)) {
            *out = held->blobs[i];
            return FED_OK;
        }
    }
    return FED_ERR_NOT_FOUND;
}

static struct fed_digest hold(struct held *held, struct fed_span blob)
{
    held->blobs[held->n] = blob;
    assert_int_equal(fed_digest_of(blob, &held->digests[held->n]), FED_OK);
    return held->digests[held->n++];
}

static struct fed_work deployment(const char *name, struct fed_digest blob)
{
    return (struct fed_work){.api_version = TEXT("apps/v1"),
        .kind = TEXT("Deployment"),
        .plural = TEXT("deployments"),
        .ns = TEXT("default"),
        .name = TEXT(name),
        .options = FED_WORK_NAMESPACED,
        .blob = blob};
}

/* About 3 KB of a Deployment; the text depends on a number so that no two parts are the same. */
static void put_deployment(struct fed_buf *out, const char *tag)
{
    fed_buf_printf(out,
        "{\"apiVersion\":\"apps/"
        "v1\",\"kind\":\"Deployment\",\"metadata\":{\"labels\":{\"app\":\"shop\"}},"
        "\"spec\":{\"replicas\":3,\"selector\":{\"matchLabels\":{\"app\":\"shop\"}},\"template\":{"
        "\"metadata\":{\"labels\":{\"app\":\"shop\"}},\"spec\":{\"containers\":[{\"env\":[");
    for (unsigned i = 0; i < 56; i++)
        fed_buf_printf(out, "%s{\"name\":\"SHOP_SETTING_%u\",\"value\":\"value-%08x\"}",
            i ? "," : "", i, i * 2654435761u);
    fed_buf_printf(out,
        "],\"image\":\"registry.example.com/shop/web:%s\",\"name\":\"web\",\"ports\":[{"
        "\"containerPort\":8080}],\"resources\":{\"limits\":{\"cpu\":\"500m\",\"memory\":\"256Mi\"}"
        "}}]}}}}",
        tag);
}

static void test_image_tag_costs_few_bytes(void **state)
{
    struct held held = {.n = 0};
    struct fed_work works[100];
    struct fed_work changed[100];
    struct fed_manifest base = {.epoch = 1, .revision = 1041, .works = works, .n_works = 100};
    struct fed_manifest target = {.epoch = 1, .revision = 1042, .works = changed, .n_works = 100};
    char names[100][8];
    struct fed_buf old_text;
    struct fed_buf new_text;
    struct fed_buf frame;
    struct fed_digest old_blob;

    (void)state;
    fed_buf_init(&old_text, fed_alloc_system(), 1u << 20);
    fed_buf_init(&new_text, fed_alloc_system(), 1u << 20);
    fed_buf_init(&frame, fed_alloc_system(), 1u << 20);
    put_deployment(&old_text, "1.27.3");
    put_deployment(&new_text, "1.28.0");
    old_blob = hold(&held, fed_buf_span(&old_text));
    for (size_t i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "web-%02zu", i);
        works[i] = deployment(names[i], old_blob);
    }
    memcpy(changed, works, sizeof works);
    changed[57].blob = hold(&held, fed_buf_span(&new_text));
    assert_int_equal(
        fed_frame_encode(fed_alloc_system(), &base, &target, look_up, &held, NULL, &frame), FED_OK);
    print_message(
        "image tag in a Deployment of %zu bytes: frame of %zu bytes\n", new_text.len, frame.len);
    assert_true(new_text.len >= 3000);
    assert_true(frame.len <= 90);
    fed_buf_fini(&old_text);
    fed_buf_fini(&new_text);
    fed_buf_fini(&frame);
}

static void test_override_alone_sends_no_blob(void **state)
{
    struct held held = {.n = 0};
    struct fed_work old_work = deployment("web", hold(&held, TEXT("{\"spec\":{\"replicas\":1}}")));
    struct fed_work new_work = old_work;
    struct fed_manifest base = {.epoch = 1, .revision = 5, .works = &old_work, .n_works = 1};
    struct fed_manifest target = {.epoch = 1, .revision = 6, .works = &new_work, .n_works = 1};
    struct fed_arena arena;
    struct fed_frame got;
    struct fed_buf frame;

    (void)state;
    new_work.overrides = TEXT("[{\"path\":\"/spec/replicas\",\"value\":2}]");
    fed_buf_init(&frame, fed_alloc_system(), 1u << 20);
    fed_arena_init(&arena, fed_alloc_system(), 1u << 20);
    /* No blob is looked up on either side. */
    assert_int_equal(
        fed_frame_encode(fed_alloc_system(), &base, &target, NULL, NULL, NULL, &frame), FED_OK);
    assert_int_equal(
        fed_frame_decode(&arena, fed_buf_span(&frame), &base, NULL, NULL, &got, NULL), FED_OK);
    assert_int_equal(got.n_blobs, 0);
    assert_int_equal(got.n_changed, 1);
    assert_true(fed_work_same(&got.target.works[0], &new_work));
    fed_arena_fini(&arena);
    fed_buf_fini(&frame);
}

static void test_refusals(void **state)
{
    struct held held = {.n = 0};
    struct held nothing = {.n = 0};
    struct fed_work old_work =
        deployment("web", hold(&held, TEXT("{\"a\":\"the old text, long enough\"}")));
    struct fed_work new_work =
        deployment("web", hold(&held, TEXT("{\"a\":\"the new text, long enough\"}")));
    struct fed_manifest base = {.epoch = 1, .revision = 5, .works = &old_work, .n_works = 1};
    struct fed_manifest target = {.epoch = 1, .revision = 6, .works = &new_work, .n_works = 1};
    struct fed_work foreign_work = old_work;
    struct fed_manifest other = base;
    struct fed_arena arena;
    struct fed_frame got;
    struct fed_diag diag;
    struct fed_buf frame;

    (void)state;
    fed_buf_init(&frame, fed_alloc_system(), 1u << 20);
    fed_arena_init(&arena, fed_alloc_system(), 1u << 20);
    assert_int_equal(
        fed_frame_encode(fed_alloc_system(), &base, &target, look_up, &held, NULL, &frame), FED_OK);
    other.revision = 4;
    assert_int_equal(
        fed_frame_decode(&arena, fed_buf_span(&frame), &other, look_up, &held, &got, &diag),
        FED_ERR_CONFLICT);
    other.revision = 5;
    other.epoch = 2;
    assert_int_equal(
        fed_frame_decode(&arena, fed_buf_span(&frame), &other, look_up, &held, &got, &diag),
        FED_ERR_CONFLICT);
    assert_int_equal(
        fed_frame_decode(&arena, fed_buf_span(&frame), &base, look_up, &nothing, &got, &diag),
        FED_ERR_NOT_FOUND);
    /* The same revision with other content: another cluster's bundle. */
    foreign_work.overrides = TEXT("[{\"path\":\"/spec/replicas\",\"value\":2}]");
    other = base;
    other.works = &foreign_work;
    assert_int_equal(
        fed_frame_decode(&arena, fed_buf_span(&frame), &other, look_up, &held, &got, &diag),
        FED_ERR_DIGEST);
    assert_int_equal(
        fed_frame_encode(fed_alloc_system(), &target, &base, look_up, &held, NULL, &frame),
        FED_ERR_INVALID);
    assert_int_equal(
        fed_frame_encode(fed_alloc_system(), &base, &target, look_up, &nothing, NULL, &frame),
        FED_ERR_NOT_FOUND);
    fed_arena_fini(&arena);
    fed_buf_fini(&frame);
}

static void test_arena_limit_refuses(void **state)
{
    struct held held = {.n = 0};
    struct fed_buf text;
    struct fed_work work;
    struct fed_manifest empty = {.epoch = 1};
    struct fed_manifest target = {.epoch = 1, .revision = 6, .works = &work, .n_works = 1};
    struct fed_buf frame;

    (void)state;
    fed_buf_init(&text, fed_alloc_system(), 1u << 20);
    fed_buf_init(&frame, fed_alloc_system(), 1u << 20);
    for (size_t i = 0; i < 100000; i++)
        fed_buf_put_u8(&text, 'a');
    work = deployment("web", hold(&held, fed_buf_span(&text)));
    assert_int_equal(
        fed_frame_encode(fed_alloc_system(), &empty, &target, look_up, &held, NULL, &frame),
        FED_OK);
    assert_true(frame.len < 400);
    for (size_t limit = 0; limit < 120000; limit += 7000) {
        struct fed_arena arena;
        struct fed_frame got;
        enum fed_err err;

        fed_arena_init(&arena, fed_alloc_system(), limit);
        err = fed_frame_decode(&arena, fed_buf_span(&frame), &empty, look_up, &held, &got, NULL);
        assert_true(err == FED_ERR_NOMEM || (err == FED_OK && limit > 100000));
        fed_arena_fini(&arena);
    }
    fed_buf_fini(&text);
    fed_buf_fini(&frame);
}

struct counted {
    unsigned gets;
    unsigned hits;
    struct fed_digest key;
    uint8_t bytes[256];
    size_t len;
};

static bool cache_get(void *ctx, const struct fed_digest *key, struct fed_span *out)
{
    struct counted *c = ctx;

    c->gets++;
    if (c->len == 0 || !fed_digest_eq(&c->key, key))
        return false;
    c->hits++;
    *out = fed_span_of(c->bytes, c->len);
    return true;
}

static void cache_put(void *ctx, const struct fed_digest *key, struct fed_span deflated)
{
    struct counted *c = ctx;

    assert_true(deflated.len > 0 && deflated.len <= sizeof c->bytes);
    c->key = *key;
    memcpy(c->bytes, deflated.at, deflated.len);
    c->len = deflated.len;
}

/* Two clusters with different works share the change of one template. */
static void test_cache_is_shared_between_clusters(void **state)
{
    struct counted counted = {.gets = 0};
    struct fed_frame_cache cache = {.ctx = &counted, .get = cache_get, .put = cache_put};
    struct held held = {.n = 0};
    struct fed_digest old_blob =
        hold(&held, TEXT("{\"image\":\"nginx:1.27\",\"x\":\"abcdefghijkl\"}"));
    struct fed_digest new_blob =
        hold(&held, TEXT("{\"image\":\"nginx:1.28\",\"x\":\"abcdefghijkl\"}"));
    struct fed_digest foreign = hold(&held, TEXT("{\"foreign\":true}"));
    struct fed_buf frame;

    (void)state;
    fed_buf_init(&frame, fed_alloc_system(), 1u << 20);
    for (size_t n = 1; n <= 2; n++) {
        struct fed_work old_works[2] = {deployment("a", foreign), deployment("web", old_blob)};
        struct fed_work new_works[2] = {deployment("a", foreign), deployment("web", new_blob)};
        struct fed_manifest base = {
            .epoch = 1, .revision = n, .works = old_works + 2 - n, .n_works = n};
        struct fed_manifest target = {
            .epoch = 1, .revision = 9, .works = new_works + 2 - n, .n_works = n};
        struct fed_arena arena;
        struct fed_frame got;

        fed_buf_clear(&frame);
        fed_arena_init(&arena, fed_alloc_system(), 1u << 20);
        assert_int_equal(
            fed_frame_encode(fed_alloc_system(), &base, &target, look_up, &held, &cache, &frame),
            FED_OK);
        assert_int_equal(
            fed_frame_decode(&arena, fed_buf_span(&frame), &base, look_up, &held, &got, NULL),
            FED_OK);
        fed_arena_fini(&arena);
    }
    assert_int_equal(counted.gets, 2);
    assert_int_equal(counted.hits, 1);
    fed_buf_fini(&frame);
}

static void test_head(void **state)
{
    struct fed_frame_head head = {
        .epoch = 3, .base_revision = 7, .revision = 300, .digest = {1, 2, 3}};
    struct fed_frame_head got;
    struct fed_span from;
    struct fed_buf buf;

    (void)state;
    fed_buf_init(&buf, fed_alloc_system(), 100);
    fed_frame_head_put(&buf, &head);
    from = fed_buf_span(&buf);
    assert_int_equal(fed_frame_head_take(&from, &got), FED_OK);
    assert_int_equal(from.len, 0);
    assert_int_equal(got.epoch, 3);
    assert_int_equal(got.base_revision, 7);
    assert_int_equal(got.revision, 300);
    assert_memory_equal(got.digest, head.digest, sizeof head.digest);
    assert_false(got.has_body);
    buf.at[0] = 2;
    from = fed_buf_span(&buf);
    assert_int_equal(fed_frame_head_take(&from, &got), FED_ERR_UNSUPPORTED);
    fed_buf_fini(&buf);
}

static void test_inflate_is_exact(void **state)
{
    struct fed_buf small;
    struct fed_buf text;
    struct fed_buf out;

    (void)state;
    fed_buf_init(&small, fed_alloc_system(), 1u << 20);
    fed_buf_init(&text, fed_alloc_system(), 1u << 21);
    fed_buf_init(&out, fed_alloc_system(), 1u << 21);
    for (size_t i = 0; i < 1000000; i++)
        fed_buf_put_u8(&text, 'x');
    assert_int_equal(
        fed_deflate(fed_alloc_system(), fed_dict_builtin(), fed_buf_span(&text), &small), FED_OK);
    assert_int_equal(
        fed_inflate(fed_alloc_system(), fed_dict_builtin(), fed_buf_span(&small), text.len, &out),
        FED_OK);
    assert_true(fed_span_eq(fed_buf_span(&out), fed_buf_span(&text)));
    fed_buf_clear(&out);
    assert_int_equal(fed_inflate(fed_alloc_system(), fed_dict_builtin(), fed_buf_span(&small),
                         text.len - 1, &out),
        FED_ERR_INVALID);
    assert_int_equal(fed_inflate(fed_alloc_system(), fed_dict_builtin(), fed_buf_span(&small),
                         text.len + 1, &out),
        FED_ERR_INVALID);
    /* More than these bytes can ever give: refused before any memory is taken. */
    assert_int_equal(
        fed_inflate(fed_alloc_system(), fed_dict_builtin(), TEXT("abc"), 1u << 20, &out),
        FED_ERR_INVALID);
    assert_int_equal(out.len, 0);
    fed_buf_fini(&small);
    fed_buf_fini(&text);
    fed_buf_fini(&out);
}

/* What a deployment that is not in the dictionary costs at its first delivery. */
static void test_dictionary_pays(void **state)
{
    static const char text[] =
        "{\"apiVersion\":\"apps/"
        "v1\",\"kind\":\"Deployment\",\"metadata\":{\"labels\":{\"app\":\"redis\"},"
        "\"name\":\"redis\"},\"spec\":{\"replicas\":2,\"selector\":{\"matchLabels\":{\"app\":"
        "\"redis\"}},"
        "\"template\":{\"metadata\":{\"labels\":{\"app\":\"redis\"}},\"spec\":{\"containers\":[{"
        "\"image\":"
        "\"redis:alpine\",\"livenessProbe\":{\"initialDelaySeconds\":15,\"periodSeconds\":20,"
        "\"tcpSocket\":"
        "{\"port\":6379}},\"name\":\"redis\",\"ports\":[{\"containerPort\":6379}],\"resources\":{"
        "\"limits\":"
        "{\"memory\":\"128Mi\"}}}]}}}}";
    struct fed_buf plain;
    struct fed_buf primed;

    (void)state;
    fed_buf_init(&plain, fed_alloc_system(), 1u << 20);
    fed_buf_init(&primed, fed_alloc_system(), 1u << 20);
    assert_int_equal(
        fed_deflate(fed_alloc_system(), fed_span_of(NULL, 0), TEXT(text), &plain), FED_OK);
    assert_int_equal(
        fed_deflate(fed_alloc_system(), fed_dict_builtin(), TEXT(text), &primed), FED_OK);
    print_message("%zu bytes: %zu without, %zu with the dictionary of %zu\n", sizeof text - 1,
        plain.len, primed.len, fed_dict_builtin().len);
    assert_true(primed.len * 2 < plain.len);
    fed_buf_fini(&plain);
    fed_buf_fini(&primed);
}

static void test_work_check(void **state)
{
    struct fed_work good = deployment("web", (struct fed_digest){{0}});
    struct fed_work work;
    struct fed_diag diag;
    struct fed_buf buf;
    struct fed_span from;

    (void)state;
    assert_int_equal(fed_work_check(&good, &diag), FED_OK);
    work = good;
    work.ns = TEXT("");
    assert_int_equal(fed_work_check(&work, &diag), FED_ERR_INVALID);
    assert_string_equal(diag.text, "namespace is missing");
    work = good;
    work.options = 0;
    assert_int_equal(fed_work_check(&work, &diag), FED_ERR_INVALID);
    work = good;
    work.options |= FED_WORK_OPTIONS_ALL + 1;
    assert_int_equal(fed_work_check(&work, &diag), FED_ERR_INVALID);
    work = good;
    work.name = TEXT("../x");
    assert_int_equal(fed_work_check(&work, &diag), FED_ERR_INVALID);
    work.name = TEXT("system:node");
    assert_int_equal(fed_work_check(&work, &diag), FED_OK);
    work.kind = TEXT("Test-Target-5a");
    assert_int_equal(fed_work_check(&work, &diag), FED_OK);
    work.kind = TEXT("5a-Target");
    assert_int_equal(fed_work_check(&work, &diag), FED_ERR_INVALID);
    work.kind = TEXT("Target-");
    assert_int_equal(fed_work_check(&work, &diag), FED_ERR_INVALID);
    assert_string_equal(diag.text, "\"Target-\" is not a valid kind");
    work.kind = good.kind;
    work.api_version = TEXT("apps/v1/x");
    assert_int_equal(fed_work_check(&work, &diag), FED_ERR_INVALID);
    fed_buf_init(&buf, fed_alloc_system(), 1000);
    fed_work_put(&buf, &good);
    for (size_t len = 0; len <= buf.len; len++) {
        from = fed_span_of(buf.at, len);
        assert_int_equal(fed_work_take(&from, &work, &diag) == FED_OK, len == buf.len);
    }
    assert_true(fed_work_same(&work, &good));
    fed_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_image_tag_costs_few_bytes),
        cmocka_unit_test(test_override_alone_sends_no_blob), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_arena_limit_refuses),
        cmocka_unit_test(test_cache_is_shared_between_clusters), cmocka_unit_test(test_head),
        cmocka_unit_test(test_inflate_is_exact), cmocka_unit_test(test_dictionary_pays),
        cmocka_unit_test(test_work_check)};

    return cmocka_run_group_tests_name("proto_frame", tests, NULL, NULL);
}
