/* Errors, memory, spans, buffers. */
#include "tests/unit/proto_test.h"

static void test_diag_is_cut_and_prefixed(void **state)
{
    struct fed_diag diag = {{0}};
    char longer[600];

    (void)state;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(fed_diag_set(&diag, FED_ERR_INVALID, "%s", longer), FED_ERR_INVALID);
    assert_int_equal(strlen(diag.text), sizeof diag.text - 1);
    assert_string_equal(diag.text + sizeof diag.text - 4, "...");
    assert_int_equal(fed_diag_set(&diag, FED_ERR_LIMIT, "no such path"), FED_ERR_LIMIT);
    assert_int_equal(fed_diag_prefix(&diag, FED_ERR_LIMIT, "override %d", 2), FED_ERR_LIMIT);
    assert_string_equal(diag.text, "override 2: no such path");
    assert_int_equal(fed_diag_set(&diag, FED_ERR_CORRUPT, "two\nlines"), FED_ERR_CORRUPT);
    assert_string_equal(diag.text, "two lines");
    diag.text[0] = '\0';
    assert_int_equal(fed_diag_prefix(&diag, FED_ERR_NOMEM, "bundle 4"), FED_ERR_NOMEM);
    assert_string_equal(diag.text, "bundle 4: out of memory");
    assert_string_equal(fed_err_text((enum fed_err)9999), "unknown error");
}

static void test_arena_keeps_its_limit(void **state)
{
    struct fed_arena arena;
    size_t n = 0;

    (void)state;
    fed_arena_init(&arena, fed_alloc_system(), 100000);
    while (fed_alloc_get(&arena.alloc, 1000))
        n++;
    assert_true(n >= 70 && n <= 100);
    assert_true(arena.used <= 100000);
    assert_null(fed_alloc_get(&arena.alloc, SIZE_MAX));
    assert_null(fed_alloc_array(&arena.alloc, SIZE_MAX / 2, 4));
    fed_arena_reset(&arena);
    assert_non_null(fed_alloc_get(&arena.alloc, 1000));
    fed_arena_fini(&arena);
    assert_int_equal(arena.used, 0);
}

static void test_buf_errors_stick(void **state)
{
    struct fed_buf buf;

    (void)state;
    fed_buf_init(&buf, fed_alloc_system(), 8);
    fed_buf_put_text(&buf, "1234567");
    fed_buf_put_u16(&buf, 1);
    assert_int_equal(fed_buf_err(&buf), FED_ERR_LIMIT);
    fed_buf_put_u8(&buf, '8');
    assert_string_equal(fed_buf_cstr(&buf), "1234567");
    fed_buf_clear(&buf);
    fed_buf_printf(&buf, "%s", "12345678");
    assert_int_equal(fed_buf_err(&buf), FED_OK);
    assert_string_equal(fed_buf_cstr(&buf), "12345678");
    fed_buf_drop(&buf, 6);
    assert_string_equal(fed_buf_cstr(&buf), "78");
    fed_buf_fini(&buf);
    fed_buf_init(&buf, fed_alloc_system(), 8);
    fed_buf_printf(&buf, "%s", "");
    fed_buf_put(&buf, TEXT(""));
    assert_non_null(fed_buf_room(&buf, 0)); /* NULL is a refusal */
    assert_int_equal(fed_buf_err(&buf), FED_OK);
    assert_int_equal(buf.len, 0);
    fed_buf_fini(&buf);
}

/* Texts that fit into the room there is, that fill it, that need more, and more than is allowed. */
static void test_buf_printf(void **state)
{
    static const char before[] = "0123456789012345678901234567890123456789012345678901234567890123";
    static const char text[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl";
    struct fed_buf buf;

    (void)state;
    for (size_t at = 0; at <= 64; at++) {
        for (size_t n = 0; n <= 64; n++) {
            bool fits = at + n <= 100;

            fed_buf_init(&buf, fed_alloc_system(), 100);
            fed_buf_put(&buf, fed_span_of(before, at));
            fed_buf_printf(&buf, "%.*s", (int)n, text);
            assert_int_equal(fed_buf_err(&buf), fits ? FED_OK : FED_ERR_LIMIT);
            assert_int_equal(buf.len, fits ? at + n : at);
            assert_int_equal(strncmp(fed_buf_cstr(&buf), before, at), 0);
            assert_int_equal(strncmp(fed_buf_cstr(&buf) + at, text, fits ? n : 0), 0);
            fed_buf_fini(&buf);
        }
    }
}

static void test_varint(void **state)
{
    static const uint64_t values[] = {0, 1, 127, 128, 300, UINT32_MAX, INT64_MAX, UINT64_MAX};
    struct fed_span over = TEXT("\x80\x01");
    struct fed_span longer = fed_span_of("\x80\x00", 2);
    struct fed_span huge = TEXT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
    struct fed_span open = TEXT("\x80");
    struct fed_buf buf;
    uint64_t value;

    (void)state;
    fed_buf_init(&buf, fed_alloc_system(), 100);
    for (size_t i = 0; i < COUNT(values); i++) {
        struct fed_span from;

        fed_buf_clear(&buf);
        fed_buf_put_varint(&buf, values[i]);
        from = fed_buf_span(&buf);
        assert_int_equal(fed_span_take_varint(&from, UINT64_MAX, &value), FED_OK);
        assert_true(value == values[i]);
        assert_int_equal(from.len, 0);
    }
    assert_int_equal(fed_span_take_varint(&over, 127, &value), FED_ERR_LIMIT);
    assert_int_equal(over.len, 2);
    assert_int_equal(fed_span_take_varint(&longer, UINT64_MAX, &value), FED_ERR_INVALID);
    assert_int_equal(fed_span_take_varint(&huge, UINT64_MAX, &value), FED_ERR_INVALID);
    assert_int_equal(fed_span_take_varint(&open, UINT64_MAX, &value), FED_ERR_TRUNCATED);
    fed_buf_fini(&buf);
}

static void test_span(void **state)
{
    struct fed_span rest = TEXT("a//b");
    struct fed_span head;
    uint64_t value;
    char text[4];

    (void)state;
    assert_true(fed_span_split(&rest, '/', &head));
    assert_span(head, "a");
    assert_true(fed_span_split(&rest, '/', &head));
    assert_span(head, "");
    assert_true(fed_span_split(&rest, '/', &head));
    assert_span(head, "b");
    assert_false(fed_span_split(&rest, '/', &head));
    assert_int_equal(fed_span_to_u64(TEXT("18446744073709551615"), &value), FED_OK);
    assert_true(value == UINT64_MAX);
    assert_int_equal(fed_span_to_u64(TEXT("18446744073709551616"), &value), FED_ERR_LIMIT);
    assert_int_equal(fed_span_to_u64(TEXT("01"), &value), FED_ERR_INVALID);
    assert_int_equal(fed_span_to_u64(TEXT(""), &value), FED_ERR_INVALID);
    assert_int_equal(fed_span_to_cstr(TEXT("abcd"), text, sizeof text), FED_ERR_LIMIT);
    assert_int_equal(fed_span_to_cstr(TEXT("abc"), text, sizeof text), FED_OK);
    assert_int_equal(fed_span_to_cstr(fed_span_of("a\0b", 3), text, sizeof text), FED_ERR_INVALID);
    assert_true(fed_span_cmp(TEXT("a"), TEXT("ab")) < 0);
    assert_true(fed_span_ends(TEXT("abc"), "bc") && !fed_span_ends(TEXT("c"), "bc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_diag_is_cut_and_prefixed),
        cmocka_unit_test(test_arena_keeps_its_limit), cmocka_unit_test(test_buf_errors_stick),
        cmocka_unit_test(test_buf_printf), cmocka_unit_test(test_varint),
        cmocka_unit_test(test_span)};

    return cmocka_run_group_tests_name("proto_base", tests, NULL, NULL);
}
