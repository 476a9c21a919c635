/* proto_consent_test.c - limits as text, and the rule at its edges. */
#include "proto/bundle/consent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_limits(void **state)
{
    static const struct {
        const char *text;
        enum fed_err err;
        uint32_t share, least;
    } rows[] = {
        {"share=30%,least=5", FED_OK, 30, 5},
        {"least=7", FED_OK, 30, 7},
        {"share=0%", FED_OK, 0, 5},
        {"least=1,share=100%", FED_OK, 100, 1},
        {"off", FED_OK, 100, 5},
        {"", FED_ERR_INVALID, 0, 0},
        {"share=30", FED_ERR_INVALID, 0, 0},
        {"share=101%", FED_ERR_INVALID, 0, 0},
        {"share=-1%", FED_ERR_INVALID, 0, 0},
        {"least=0", FED_ERR_INVALID, 0, 0},
        {"least=20001", FED_ERR_INVALID, 0, 0},
        {"least=5%", FED_ERR_INVALID, 0, 0},
        {"off,least=5", FED_ERR_INVALID, 0, 0},
        {"share=30% ,least=5", FED_ERR_INVALID, 0, 0},
        {"most=5", FED_ERR_INVALID, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fed_consent_limit limit = {.share = 77, .least = 77};
        struct fed_diag diag = {""};

        if (fed_consent_limit_parse(fed_span_text(rows[i].text), &limit, &diag) != rows[i].err)
            fail_msg("\"%s\": %s", rows[i].text, diag.text);
        assert_int_equal(limit.share, rows[i].err ? 77 : rows[i].share);
        assert_int_equal(limit.least, rows[i].err ? 77 : rows[i].least);
        assert_true(!rows[i].err || diag.text[0]);
    }
}

static void test_rule(void **state)
{
    static const struct {
        uint32_t share, least;
        unsigned passed, n, works;
        bool needed;
    } rows[] = {
        {30, 5, 0, 4, 4, false}, /* fewer than the least */
        {30, 5, 0, 5, 5, true},
        {30, 5, 0, 5, 16, true},
        {30, 5, 0, 5, 17, false},
        {30, 5, 0, 30, 100, false}, /* more than the share, not as much */
        {30, 5, 0, 31, 100, true},
        {30, 5, 30, 1, 70, true}, /* of what there was before the window */
        {30, 5, 25, 5, 75, false},
        {30, 5, 40, 0, 60, false}, /* nothing is to go */
        {100, 1, 0, 100, 100, false},
        {0, 1, 0, 1, 20000, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fed_consent_limit limit = {rows[i].share, rows[i].least};
        struct fed_consent_window window = {.n = rows[i].passed};

        if (fed_consent_needed(&limit, &window, rows[i].n, rows[i].works) != rows[i].needed)
            fail_msg("row %zu", i);
    }
}

/* Where the limit is off, removals may follow each other for years: what is kept of them is still
 * read back. */
static void test_full_window(void **state)
{
    struct fed_consent_window window;
    struct fed_consent_window again;
    struct fed_removal_id id = {{0}};
    struct fed_span rest;
    struct fed_buf out;

    (void)state;
    fed_consent_window_init(&window, fed_alloc_system());
    fed_consent_window_init(&again, fed_alloc_system());
    fed_buf_init(&out, fed_alloc_system(), 64 + 2 * FED_WORKS_MAX * FED_REMOVAL_ID_SIZE);
    for (uint32_t i = 0; i < 2 * FED_WORKS_MAX + 10; i++) {
        memcpy(id.bytes, &i, sizeof i);
        assert_int_equal(fed_consent_reserve(&window, 1), FED_OK);
        fed_consent_pass(&window, &id, i);
    }
    assert_int_equal(window.end_ms, FED_CONSENT_WINDOW_S * 1000u + 2 * FED_WORKS_MAX + 9);
    fed_consent_window_put(&window, &out);
    rest = fed_buf_span(&out);
    assert_int_equal(fed_buf_err(&out), FED_OK);
    assert_int_equal(fed_consent_window_take(&rest, &again), FED_OK);
    assert_int_equal(again.n, 2 * FED_WORKS_MAX);
    assert_int_equal(rest.len, 0);
    fed_buf_fini(&out);
    fed_consent_window_fini(&again);
    fed_consent_window_fini(&window);
}

static void test_window(void **state)
{
    struct fed_work work = {.api_version = FED_SPAN_LIT("v1"),
        .kind = FED_SPAN_LIT("ConfigMap"),
        .ns = FED_SPAN_LIT("ns"),
        .name = FED_SPAN_LIT("a")};
    const uint64_t hour_ms = FED_CONSENT_WINDOW_S * 1000u;
    struct fed_consent_window window;
    struct fed_consent_window again;
    struct fed_removal_id id;
    struct fed_span rest;
    struct fed_buf out;

    (void)state;
    fed_consent_window_init(&window, fed_alloc_system());
    fed_consent_window_init(&again, fed_alloc_system());
    fed_buf_init(&out, fed_alloc_system(), 1000);
    assert_int_equal(fed_removal_id_of(&work, &id), FED_OK);
    assert_int_equal(fed_consent_reserve(&window, 1), FED_OK);
    fed_consent_pass(&window, &id, 1000);
    fed_consent_turn(&window, 1000 + hour_ms - 1, false);
    assert_int_equal(window.n, 1);
    fed_consent_turn(&window, 1000 + 2 * hour_ms, true); /* not while something waits */
    assert_int_equal(window.n, 1);
    fed_consent_window_put(&window, &out);
    rest = fed_buf_span(&out);
    assert_int_equal(fed_consent_window_take(&rest, &again), FED_OK);
    assert_int_equal(again.n, 1);
    work.api_version = FED_SPAN_LIT("v2"); /* the version is no part of it */
    fed_consent_back(&again, &work);
    assert_int_equal(again.n, 0);
    fed_consent_turn(&window, 1000 + hour_ms, false);
    assert_int_equal(window.n, 0);
    fed_buf_fini(&out);
    fed_consent_window_fini(&again);
    fed_consent_window_fini(&window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_rule),
        cmocka_unit_test(test_full_window),
        cmocka_unit_test(test_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
