/* proto_map_test.c - the hash map against a plain array, through growth and removal. */
#include "proto/base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define KEYS 1000u

static struct fed_span key_of(unsigned i, char text[32])
{
    return fed_span_of(text, (size_t)snprintf(text, 32, "key%c%u", 0, i));
}

static void test_put_get_remove(void **state)
{
    static unsigned values[KEYS];
    struct fed_map map;
    char text[32];

    (void)state;
    fed_map_init(&map, fed_alloc_system());
    assert_null(fed_map_get(&map, key_of(0, text)));
    assert_null(fed_map_remove(&map, key_of(0, text)));
    for (unsigned i = 0; i < KEYS; i++)
        assert_int_equal(fed_map_put(&map, key_of(i, text), &values[i]), FED_OK);
    assert_int_equal(map.count, KEYS);
    assert_int_equal(fed_map_put(&map, key_of(7, text), &values[8]), FED_OK);
    assert_ptr_equal(fed_map_get(&map, key_of(7, text)), &values[8]);
    assert_int_equal(map.count, KEYS);
    for (unsigned i = 0; i < KEYS; i += 2)
        assert_non_null(fed_map_remove(&map, key_of(i, text)));
    for (unsigned i = 0; i < KEYS; i++)
        assert_int_equal(fed_map_get(&map, key_of(i, text)) != NULL, i % 2);
    fed_map_fini(&map);
}

static void test_iteration_sees_each_once_and_may_remove(void **state)
{
    static unsigned values[KEYS];
    struct fed_map_iter it;
    struct fed_map map;
    char text[32];
    unsigned n = 0;

    (void)state;
    fed_map_init(&map, fed_alloc_system());
    for (unsigned i = 0; i < KEYS; i++)
        assert_int_equal(fed_map_put(&map, key_of(i, text), &values[i]), FED_OK);
    fed_map_iter_init(&it, &map);
    while (fed_map_iter_next(&it)) {
        unsigned *value = it.value;

        (*value)++;
        n++;
        assert_ptr_equal(fed_map_remove(&map, it.key), value);
    }
    assert_int_equal(n, KEYS);
    assert_int_equal(map.count, 0);
    for (unsigned i = 0; i < KEYS; i++)
        assert_int_equal(values[i], 1);
    fed_map_fini(&map);
}

static void *refuse(void *ctx, void *at, size_t old_size, size_t size)
{
    struct fed_alloc *mem = fed_alloc_system();
    int *left = ctx;

    if (size && (*left)-- <= 0)
        return NULL;
    return mem->resize(mem->ctx, at, old_size, size);
}

static void test_refused_memory_changes_nothing(void **state)
{
    int left = 0;
    struct fed_alloc mem = {.ctx = &left, .resize = refuse};
    struct fed_map map;
    int value;

    (void)state;
    fed_map_init(&map, &mem);
    assert_int_equal(fed_map_put(&map, fed_span_text("a"), &value), FED_ERR_NOMEM);
    left = 1;
    assert_int_equal(fed_map_put(&map, fed_span_text("a"), &value), FED_ERR_NOMEM);
    assert_null(fed_map_get(&map, fed_span_text("a")));
    left = 2;
    assert_int_equal(fed_map_put(&map, fed_span_text("a"), &value), FED_OK);
    fed_map_fini(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_put_get_remove),
        cmocka_unit_test(test_iteration_sees_each_once_and_may_remove),
        cmocka_unit_test(test_refused_memory_changes_nothing)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
