/* ports_tls_pages_test.c - large buffers with pages of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ports/crypto.h"
#include "ports/http/memory.h"
#include "ports/tls/pages.h"

#include <mbedtls/platform.h>

#define SLOTS 4u

static void test_none_before_they_are_asked_for(void **state)
{
    int here;

    (void)state;
    assert_null(fed_pages_get(FED_PAGES_FROM));
    assert_false(fed_pages_own(&here));
    assert_false(fed_pages_own(NULL));
}

static void test_open(void **state)
{
    struct fed_diag diag = {""};

    (void)state;
    assert_int_equal(fed_tls_pages_open(SIZE_MAX, &diag), FED_ERR_LIMIT);
    assert_int_equal(fed_tls_pages_open(SLOTS, &diag), FED_OK);
    assert_int_equal(fed_tls_pages_open(SLOTS + 1, &diag), FED_OK); /* the first counts */
}

static void test_slots(void **state)
{
    uint8_t *slots[SLOTS];

    (void)state;
    assert_null(fed_pages_get(FED_PAGES_FROM - 1));
    assert_null(fed_pages_get(FED_PAGES_SLOT + 1));
    for (size_t i = 0; i < SLOTS; i++) {
        slots[i] = fed_pages_get(FED_PAGES_SLOT);
        assert_non_null(slots[i]);
        assert_true(fed_pages_own(slots[i]));
        memset(slots[i], 0xa5, FED_PAGES_SLOT);
    }
    assert_null(fed_pages_get(FED_PAGES_SLOT));
    fed_pages_free(slots[1]);
    slots[1] = fed_pages_get(FED_PAGES_FROM);
    assert_non_null(slots[1]);
    for (size_t i = 0; i < FED_PAGES_SLOT; i++)
        assert_int_equal(slots[1][i], 0); /* also what was there before */
    assert_int_equal(slots[0][FED_PAGES_SLOT - 1], 0xa5);
    assert_int_equal(slots[2][0], 0xa5);
    for (size_t i = 0; i < SLOTS; i++)
        fed_pages_free(slots[i]);
}

/* The library's memory: whatever size, whoever has it. */
static void test_library(void **state)
{
    void *all[SLOTS + 2];
    uint8_t *small = mbedtls_calloc(1, 100);

    (void)state;
    assert_false(fed_pages_own(small));
    mbedtls_free(small);
    for (size_t i = 0; i < SLOTS + 2; i++) {
        all[i] = mbedtls_calloc(2, FED_PAGES_FROM / 2);
        assert_non_null(all[i]);
        assert_int_equal(fed_pages_own(all[i]), i < SLOTS);
    }
    for (size_t i = 0; i < SLOTS + 2; i++)
        mbedtls_free(all[i]);
    mbedtls_free(NULL);
    assert_null(mbedtls_calloc(SIZE_MAX, 2));
}

/* A block that grows through the sizes keeps its content, in and out of the slots. */
static void test_http_memory(void **state)
{
    static const size_t sizes[] = {10, 17000, 18000, 40000, 17000, 20};
    struct fed_alloc *mem = fed_alloc_system();
    uint8_t *at = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        at = fed_http_memory_resize(at, sizes[i], mem);
        assert_non_null(at);
        if (i == 0)
            memcpy(at, "0123456789", 10);
        assert_int_equal(fed_pages_own(at), sizes[i] > 16384 && sizes[i] < 20000);
        assert_memory_equal(at, "0123456789", 10);
    }
    fed_http_memory_free(at, mem);
    at = fed_http_memory_zero(1, 17000, mem);
    assert_true(fed_pages_own(at));
    fed_http_memory_free(at, mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none_before_they_are_asked_for),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_library),
        cmocka_unit_test(test_http_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
