/* Reports. */
#include "proto/bundle/report.h"

#include "tests/unit/proto_test.h"

static const struct fed_report_entry entries[] = {
    {.index = 0, .state = FED_WORK_APPLIED, .health = FED_HEALTH_HEALTHY, .generation = 7},
    {.index = 3, .state = FED_WORK_APPLIED, .resource_version = {(const uint8_t *)"4711", 4}},
    {.index = 4, .state = FED_WORK_PENDING},
    {.index = 19999,
        .state = FED_WORK_FAILED,
        .health = FED_HEALTH_UNHEALTHY,
        .deed = FED_DEED_CREATED, /* what was tried */
        .reason = {(const uint8_t *)"CreationFailed", 14},
        .message = {(const uint8_t *)"no", 2}}};
static const struct fed_report_removed removed[] = {
    {.id = {(const uint8_t *)"v1/ConfigMap/a/b", 16}, .state = FED_WORK_REMOVING}};
static const struct fed_report_remote remote[] = {
    {.index = 3, .status = {(const uint8_t *)"{}", 2}}};
static const struct fed_report_scale scales[] = {
    {.index = 0, .replicas = 5, .ready = 5, .running = 5},
    {.index = 300, .replicas = 9, .ready = 3, .running = 4, .unschedulable = 2}};

static void test_round_trip(void **state)
{
    struct fed_report report = {.full = true,
        .more = true,
        .epoch = 5,
        .revision = 77,
        .seq = 300,
        .entries = entries,
        .n_entries = COUNT(entries),
        .removed = removed,
        .n_removed = 1,
        .removed_cut = true,
        .remote = remote,
        .n_remote = 1,
        .scales = scales,
        .n_scales = COUNT(scales),
        .facts = TEXT("{\"nodes\":1}")};
    struct fed_report got;
    struct fed_arena arena;
    struct fed_diag diag;
    struct fed_buf buf;
    struct fed_buf again;

    (void)state;
    fed_buf_init(&buf, fed_alloc_system(), FED_REPORT_MAX);
    fed_buf_init(&again, fed_alloc_system(), FED_REPORT_MAX);
    fed_arena_init(&arena, fed_alloc_system(), 1u << 20);
    fed_report_put(&buf, &report);
    for (size_t len = 0; len <= buf.len; len++)
        assert_int_equal(fed_report_decode(&arena, fed_span_of(buf.at, len), &got, &diag) == FED_OK,
            len == buf.len);
    assert_true(got.full && got.more && got.epoch == 5 && got.revision == 77 && got.seq == 300);
    assert_int_equal(got.n_entries, COUNT(entries));
    assert_int_equal(got.entries[3].index, 19999);
    assert_span(got.entries[3].reason, "CreationFailed");
    assert_int_equal(got.entries[3].deed, FED_DEED_CREATED);
    assert_span(got.entries[1].resource_version, "4711");
    assert_span(got.removed[0].id, "v1/ConfigMap/a/b");
    assert_true(got.removed_cut);
    assert_int_equal(got.n_scales, 2);
    assert_memory_equal(got.scales, scales, sizeof scales);
    fed_report_put(&again, &got);
    assert_true(fed_span_eq(fed_buf_span(&buf), fed_buf_span(&again)));
    fed_buf_put_u8(&buf, 0);
    assert_int_equal(fed_report_decode(&arena, fed_buf_span(&buf), &got, &diag), FED_ERR_INVALID);
    fed_arena_fini(&arena);
    fed_buf_fini(&buf);
    fed_buf_fini(&again);
}

static void test_applied_is_small(void **state)
{
    struct fed_report report = {
        .epoch = 5, .revision = 77, .seq = 30, .entries = entries, .n_entries = 1};
    struct fed_buf buf;

    (void)state;
    fed_buf_init(&buf, fed_alloc_system(), FED_REPORT_MAX);
    fed_report_put(&buf, &report);
    assert_int_equal(fed_buf_err(&buf), FED_OK);
    assert_true(buf.len <= 12);
    fed_buf_fini(&buf);
}

static void test_messages_are_cut_between_characters(void **state)
{
    struct fed_report_entry entry = {.state = FED_WORK_WAITING};
    struct fed_report report = {.entries = &entry, .n_entries = 1};
    char text[FED_REPORT_MESSAGE_MAX + 10];
    struct fed_report got;
    struct fed_arena arena;
    struct fed_buf buf;

    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text + FED_REPORT_MESSAGE_MAX - 1, "\xe2\x82\xac", 3);
    entry.message = fed_span_of(text, sizeof text);
    fed_buf_init(&buf, fed_alloc_system(), FED_REPORT_MAX);
    fed_arena_init(&arena, fed_alloc_system(), 1u << 20);
    fed_report_put(&buf, &report);
    assert_int_equal(fed_report_decode(&arena, fed_buf_span(&buf), &got, NULL), FED_OK);
    assert_int_equal(got.entries[0].message.len, FED_REPORT_MESSAGE_MAX - 1);
    fed_arena_fini(&arena);
    fed_buf_fini(&buf);
}

static void test_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum fed_err err;
    } rows[] = {{"\x02\0\0\0\0\0\0\0\0", 9, FED_ERR_UNSUPPORTED},
        {"\x01\x20\0\0\0\0\0\0\0", 9, FED_ERR_INVALID},
        {"\x01\0\0\0\0\0\0\0\x02\x01\0\0\0", 13, FED_ERR_INVALID}, /* index 1 twice */
        {"\x01\0\0\0\0\0\0\0\x01\0\x07", 11, FED_ERR_INVALID},     /* state 7 */
        {"\x01\0\0\0\0\0\0\0\x01\0\x40", 11, FED_ERR_INVALID},     /* a deed while pending */
        {"\x01\0\0\0\0\0\0\0\x7f\0\0", 11, FED_ERR_TRUNCATED},
        {"\x01\x80\0\0\0\0\0\0\0", 9, FED_ERR_INVALID},    /* unknown flag */
        {"\x01\x40\0\0\0\0\0\0\0\0", 10, FED_ERR_INVALID}, /* no scale after all */
        {"\x01\x40\0\0\0\0\0\0\0\x01\0\x80\x80\x80\x80\x08\0", 17,
            FED_ERR_LIMIT},                                 /* 2^31 replicas */
        {"\x01\x08\0\0\0\0\0\0\0\0", 10, FED_ERR_INVALID}}; /* removed announced, none there */
    struct fed_arena arena;
    struct fed_report got;
    struct fed_diag diag;

    (void)state;
    fed_arena_init(&arena, fed_alloc_system(), 1u << 20);
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(
            fed_report_decode(&arena, fed_span_of(rows[i].bytes, rows[i].len), &got, &diag),
            rows[i].err);
    fed_arena_fini(&arena);
    assert_string_equal(fed_work_state_name(FED_WORK_REMOVING), "Removing");
    assert_string_equal(fed_work_health_name((enum fed_work_health)9), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_applied_is_small),
        cmocka_unit_test(test_messages_are_cut_between_characters), cmocka_unit_test(test_refused)};

    return cmocka_run_group_tests_name("proto_report", tests, NULL, NULL);
}
