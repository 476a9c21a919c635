/* ports_coap_message_test.c - the reader and writer of messages, on the options of answers and at
 * the edges of the format (RFC 7252 section 3.1); the server's test has what requests carry. */
#include "ports/coap/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum fed_coap_verdict parse(const void *bytes, size_t len, struct fed_coap_message *out)
{
    uint8_t *copy = malloc(len ? len : 1); /* so that a read beyond the end is seen */
    enum fed_coap_verdict verdict;

    memcpy(copy, bytes, len);
    verdict = fed_coap_message_parse(fed_span_of(copy, len), out);
    free(copy);
    return verdict;
}

#define PARSE(text, m) parse("" text, sizeof(text) - 1, (m))

static void test_answer(void **state)
{
    struct fed_coap_message m;

    (void)state;
    /* 2.05, token "ab", ETag 01020304, Observe 5, Max-Age 77, Block2 3/more/6, Size2 60000 */
    assert_int_equal(PARSE("\x62\x45\x12\x34"
                           "ab"
                           "\x44\x01\x02\x03\x04"
                           "\x21\x05"
                           "\x81\x4d"
                           "\x91\x3e"
                           "\x52\xea\x60"
                           "\xffxyz",
                         &m),
        FED_COAP_GOOD);
    assert_int_equal(m.type, FED_COAP_ACK);
    assert_int_equal(m.code, FED_COAP_CODE(205u));
    assert_int_equal(m.mid, 0x1234);
    assert_int_equal(m.etag_len, 4);
    assert_memory_equal(m.etag, "\x01\x02\x03\x04", 4);
    assert_true(m.has_observe && m.observe == 5);
    assert_true(m.has_max_age && m.max_age_s == 77);
    assert_true(m.has_block2 && m.block2_more && m.block2_num == 3 && m.block2_szx == 6);
    assert_int_equal(m.size2, 60000);
    assert_int_equal(m.payload.len, 3);
}

/* What need not be understood is left out when it cannot be; what has to be, is not. */
static void test_values(void **state)
{
    struct fed_coap_message m;

    (void)state;
    assert_int_equal(
        PARSE("\x60\x45\x00\x01\x49\x01\x02\x03\x04\x05\x06\x07\x08\x09", &m), FED_COAP_GOOD);
    assert_int_equal(m.etag_len, 0);
    assert_int_equal(PARSE("\x60\x45\x00\x01\xd5\x01\x01\x02\x03\x04\x05", &m), FED_COAP_GOOD);
    assert_false(m.has_max_age);
    assert_int_equal(PARSE("\x60\x45\x00\x01\xd5\x0f\x01\x02\x03\x04\x05", &m), FED_COAP_GOOD);
    assert_int_equal(m.size2, 0);
    assert_int_equal(PARSE("\x60\x45\x00\x01\xd1\x0a\x0f", &m), FED_COAP_BAD_REQUEST); /* szx 7 */
    assert_int_equal(PARSE("\x60\x45\x00\x01\x90", &m), FED_COAP_BAD_OPTION); /* 9, critical */
}

static void test_cut_off(void **state)
{
    static const char whole[] = "\x62\x45\x12\x34"
                                "ab"
                                "\xd3\x01\x01\x02\x03"
                                "\xe1\x00\x00\x07";
    struct fed_coap_message m;

    (void)state;
    for (size_t len = 4; len < sizeof(whole) - 1; len++) {
        bool edge = len == 6 || len == 11; /* where an option ends */

        assert_int_equal(parse(whole, len, &m), edge ? FED_COAP_GOOD : FED_COAP_MALFORMED);
    }
    assert_int_equal(PARSE("\x60\x45\x00\x01\xf0", &m), FED_COAP_MALFORMED);
    assert_int_equal(PARSE("\x60\x45\x00\x01\x0f", &m), FED_COAP_MALFORMED);
    assert_int_equal(PARSE("\x60\x45\x00\x01\xe0\xff\xff\xe0\xff\xff", &m), FED_COAP_MALFORMED);
}

/* Every length of the two extended forms, and numbers of four. */
static void test_written_is_read(void **state)
{
    static const size_t lengths[] = {0, 1, 12, 13, 14, 255};
    static const uint32_t numbers[] = {0, 1, 255, 256, 65535, 65536, 0xffffff};
    uint8_t value[256];
    struct fed_coap_message m;
    struct fed_coap_writer w;

    (void)state;
    memset(value, 'q', sizeof(value));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        fed_coap_writer_begin(&w, FED_COAP_CON, FED_COAP_CODE_GET, 7, (const uint8_t *)"t", 1);
        fed_coap_writer_option(&w, FED_COAP_OPTION_URI_QUERY, fed_span_of(value, lengths[i]));
        fed_coap_writer_uint(&w, FED_COAP_OPTION_SIZE1, 70000);
        assert_false(w.failed);
        assert_int_equal(parse(w.bytes, w.len, &m), FED_COAP_GOOD);
        assert_int_equal(m.query_len, lengths[i]);
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        fed_coap_writer_begin(&w, FED_COAP_NON, FED_COAP_CODE(205u), 7, NULL, 0);
        fed_coap_writer_uint(&w, FED_COAP_OPTION_OBSERVE, numbers[i]);
        assert_int_equal(parse(w.bytes, w.len, &m), FED_COAP_GOOD);
        assert_int_equal(m.observe, numbers[i]);
    }
}

static void test_full(void **state)
{
    static const uint8_t large[FED_COAP_MESSAGE_MAX];
    struct fed_coap_writer w;

    (void)state;
    fed_coap_writer_begin(&w, FED_COAP_CON, FED_COAP_CODE_POST, 7, NULL, 0);
    fed_coap_writer_option(&w, FED_COAP_OPTION_URI_PATH, fed_span_of(large, sizeof(large) - 4 - 3));
    assert_false(w.failed);
    assert_int_equal(w.len, FED_COAP_MESSAGE_MAX);
    fed_coap_writer_uint(&w, FED_COAP_OPTION_SIZE1, 0);
    assert_true(w.failed);
    fed_coap_writer_begin(&w, FED_COAP_CON, FED_COAP_CODE_POST, 7, NULL, 0);
    fed_coap_writer_option(&w, FED_COAP_OPTION_URI_PATH, fed_span_of(large, sizeof(large) - 4 - 2));
    assert_true(w.failed);
    fed_coap_writer_begin(&w, FED_COAP_CON, FED_COAP_CODE_POST, 7, NULL, 0);
    fed_coap_writer_payload(&w, fed_span_of(large, sizeof(large) - 5));
    assert_false(w.failed);
    fed_coap_writer_begin(&w, FED_COAP_CON, FED_COAP_CODE_POST, 7, NULL, 0);
    fed_coap_writer_payload(&w, fed_span_of(large, sizeof(large) - 4));
    assert_true(w.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_written_is_read),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
