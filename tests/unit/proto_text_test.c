/* Hex, base64, times, durations, names, UTF-8. */
#include "proto/base/text.h"

#include "tests/unit/proto_test.h"

static void test_hex(void **state)
{
    struct fed_buf buf;
    uint8_t bytes[4];
    size_t len;

    (void)state;
    fed_buf_init(&buf, fed_alloc_system(), 100);
    fed_text_put_hex(&buf, fed_span_of("\x00\xab\x7f", 3));
    assert_string_equal(fed_buf_cstr(&buf), "00ab7f");
    assert_int_equal(fed_text_hex(TEXT("00AB7f"), bytes, sizeof bytes, &len), FED_OK);
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "\x00\xab\x7f", 3);
    assert_int_equal(fed_text_hex(TEXT("abc"), bytes, sizeof bytes, &len), FED_ERR_INVALID);
    assert_int_equal(fed_text_hex(TEXT("ag"), bytes, sizeof bytes, &len), FED_ERR_INVALID);
    assert_int_equal(fed_text_hex(TEXT("0011223344"), bytes, sizeof bytes, &len), FED_ERR_LIMIT);
    fed_buf_fini(&buf);
}

/* RFC 4648 section 10. */
static void test_base64(void **state)
{
    static const char *const vectors[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    static const char *const wrong[] = {
        "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v\n", "Z=g=", "====", "Zm-v", " Zm9v"};
    struct fed_buf buf;

    (void)state;
    fed_buf_init(&buf, fed_alloc_system(), 100);
    for (size_t i = 0; i < COUNT(vectors); i++) {
        fed_buf_clear(&buf);
        fed_text_put_base64(&buf, TEXT(vectors[i][0]));
        assert_string_equal(fed_buf_cstr(&buf), vectors[i][1]);
        fed_buf_clear(&buf);
        assert_int_equal(fed_text_base64(TEXT(vectors[i][1]), &buf), FED_OK);
        assert_string_equal(fed_buf_cstr(&buf), vectors[i][0]);
    }
    fed_buf_clear(&buf);
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(fed_text_base64(TEXT(wrong[i]), &buf), FED_ERR_INVALID);
    assert_int_equal(buf.len, 0);
    fed_text_put_base64url(&buf, fed_span_of("\xfb\xff", 2));
    assert_string_equal(fed_buf_cstr(&buf), "-_8");
    fed_buf_clear(&buf);
    assert_int_equal(fed_text_base64url(TEXT("-_8"), &buf), FED_OK);
    assert_int_equal(fed_text_base64url(TEXT("-_8="), &buf), FED_ERR_INVALID);
    assert_int_equal(fed_text_base64url(TEXT("+/8"), &buf), FED_ERR_INVALID);
    fed_buf_fini(&buf);
}

static void test_time(void **state)
{
    static const struct {
        int64_t unix_s;
        const char *text;
    } vectors[] = {{0, "1970-01-01T00:00:00Z"}, {1795371813, "2026-11-22T18:23:33Z"},
        {951782400, "2000-02-29T00:00:00Z"}, {-1, "1969-12-31T23:59:59Z"},
        {-62167219200, "0000-01-01T00:00:00Z"}, {253402300799, "9999-12-31T23:59:59Z"},
        {4107542400, "2100-03-01T00:00:00Z"}};
    char text[FED_TEXT_TIME_SIZE];
    int64_t unix_s;

    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        fed_text_time(vectors[i].unix_s, text);
        assert_string_equal(text, vectors[i].text);
        assert_int_equal(fed_text_time_parse(TEXT(text), &unix_s), FED_OK);
        assert_true(unix_s == vectors[i].unix_s);
    }
    fed_text_time_micro(1795371813000042, text);
    assert_string_equal(text, "2026-11-22T18:23:33.000042Z");
    fed_text_time_micro(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
}

static void test_time_parse(void **state)
{
    static const char *const wrong[] = {"", "2026-11-22", "2026-11-22T18:23:33",
        "2026-11-22 18:23:33Z", "2026-13-22T18:23:33Z", "2026-02-29T18:23:33Z",
        "2026-11-31T18:23:33Z", "2026-11-22T24:00:00Z", "2026-11-22T18:60:33Z",
        "2026-11-22T18:23:60Z", "2026-11-22T18:23:33.Z", "2026-11-22T18:23:33+0100",
        "2026-11-22T18:23:33Zx", "26-11-22T18:23:33Z", "2026-11-22T18:23:33+24:00"};
    int64_t unix_s;

    (void)state;
    assert_int_equal(fed_text_time_parse(TEXT("2026-11-22T19:23:33.5+01:00"), &unix_s), FED_OK);
    assert_true(unix_s == 1795371813);
    assert_int_equal(fed_text_time_parse(TEXT("1985-04-12T23:20:50.52Z"), &unix_s), FED_OK);
    assert_true(unix_s == 482196050);
    assert_int_equal(fed_text_time_parse(TEXT("1996-12-19T16:39:57-08:00"), &unix_s), FED_OK);
    assert_true(unix_s == 851042397);
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(fed_text_time_parse(TEXT(wrong[i]), &unix_s), FED_ERR_INVALID);
}

/* As kubectl prints them. */
static void test_age(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } vectors[] = {{-2, "<invalid>"}, {-1, "0s"}, {0, "0s"}, {1, "1s"}, {70, "70s"}, {119, "119s"},
        {120, "2m"}, {192, "3m12s"}, {599, "9m59s"}, {600, "10m"}, {1020, "17m"}, {10799, "179m"},
        {10800, "3h"}, {15600, "4h20m"}, {28799, "7h59m"}, {28800, "8h"}, {93600, "26h"},
        {172799, "47h"}, {172800, "2d"}, {442800, "5d3h"}, {691199, "7d23h"}, {691200, "8d"},
        {7776000, "90d"}, {63071999, "729d"}, {63072000, "2y"}, {65750400, "2y31d"},
        {252287999, "7y364d"}, {252288000, "8y"}, {315360000, "10y"}};
    char text[FED_TEXT_TIME_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        fed_text_age(vectors[i].seconds, text);
        assert_string_equal(text, vectors[i].text);
    }
}

static void test_duration(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } vectors[] = {{"0", 0}, {"1h30m", 5400000}, {"250ms", 250}, {"1.5h", 5400000}, {".5s", 500},
        {"1m0.25s", 60250}, {"1500us", 1}, {"10\xc2\xb5s", 0}, {"24h", 86400000}};
    static const char *const wrong[] = {"", "1", "s", ".s", "1x", "-1s", "1h ", "1h30", "+1h"};
    uint64_t ms;

    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        assert_int_equal(fed_text_duration_ms(TEXT(vectors[i].text), &ms), FED_OK);
        assert_int_equal(ms, vectors[i].ms);
    }
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(fed_text_duration_ms(TEXT(wrong[i]), &ms), FED_ERR_INVALID);
    assert_int_equal(fed_text_duration_ms(TEXT("2562048h"), &ms), FED_ERR_LIMIT);
    assert_int_equal(fed_text_duration_ms(TEXT("99999999999999999999s"), &ms), FED_ERR_LIMIT);
}

static void test_names(void **state)
{
    char label[64];
    char longer[65];

    (void)state;
    memset(label, 'a', 63);
    label[63] = '\0';
    memset(longer, 'a', 64);
    longer[64] = '\0';
    assert_true(fed_text_is_dns_label(TEXT("a")) && fed_text_is_dns_label(TEXT("a-1")));
    assert_true(fed_text_is_dns_label(TEXT(label)) && !fed_text_is_dns_label(TEXT(longer)));
    assert_false(fed_text_is_dns_label(TEXT("")) || fed_text_is_dns_label(TEXT("-a")) ||
                 fed_text_is_dns_label(TEXT("a-")) || fed_text_is_dns_label(TEXT("A")) ||
                 fed_text_is_dns_label(TEXT("a.b")));
    assert_true(fed_text_has_label_form(TEXT(longer)) && fed_text_has_subdomain_form(TEXT(longer)));
    assert_false(fed_text_has_label_form(TEXT("a.b")) || fed_text_has_subdomain_form(TEXT("a.")));
    assert_true(fed_text_has_qualified_form(TEXT("A_b.c")));
    assert_false(fed_text_has_qualified_form(TEXT("_a")) || fed_text_has_qualified_form(TEXT("")));
    assert_true(fed_text_is_dns_subdomain(TEXT("a.b-c.d")));
    assert_false(fed_text_is_dns_subdomain(TEXT("a..b")) || fed_text_is_dns_subdomain(TEXT(".a")) ||
                 fed_text_is_dns_subdomain(TEXT("a.")) || fed_text_is_dns_subdomain(TEXT("a_b")));
    assert_true(fed_text_is_label_key(TEXT("app")) &&
                fed_text_is_label_key(TEXT("app.kubernetes.io/Name_1")));
    assert_false(fed_text_is_label_key(TEXT("")) || fed_text_is_label_key(TEXT("/a")) ||
                 fed_text_is_label_key(TEXT("a/")) || fed_text_is_label_key(TEXT("a/b/c")) ||
                 fed_text_is_label_key(TEXT("-a")) || fed_text_is_label_key(TEXT("A.b/c")));
    assert_true(fed_text_is_label_value(TEXT("")) && fed_text_is_label_value(TEXT("1.2_x-Y")));
    assert_false(fed_text_is_label_value(TEXT("a b")) || fed_text_is_label_value(TEXT(longer)));
}

static void test_utf8(void **state)
{
    static const char *const wrong[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80",
        "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82", "a\xff"};

    (void)state;
    assert_true(fed_text_is_utf8(TEXT("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")));
    assert_true(fed_text_is_utf8(TEXT("\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80")));
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_false(fed_text_is_utf8(TEXT(wrong[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hex), cmocka_unit_test(test_base64),
        cmocka_unit_test(test_time), cmocka_unit_test(test_time_parse), cmocka_unit_test(test_age),
        cmocka_unit_test(test_duration), cmocka_unit_test(test_names), cmocka_unit_test(test_utf8)};

    return cmocka_run_group_tests_name("proto_text", tests, NULL, NULL);
}
