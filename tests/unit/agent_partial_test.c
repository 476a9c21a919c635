/* agent_partial_test.c - the file of a bundle that came in part: when it is there and when not. */
#include "agent/partial.h"
#include "tests/unit/ports_base_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct {
    char dir[TEST_PATH_MAX];
    char path[TEST_PATH_MAX];
    struct fed_fs fs;
    struct fed_link link;
    struct agent_ports ports;
    struct agent_partial_place place;
    struct agent_partial partial;
    struct fed_buf has;  /* what the link has of an answer; empty: nothing */
    struct fed_buf took; /* what it was given */
    unsigned forgotten;  /* and how often it was told to forget */
    enum fed_err refuses;
} w;

static enum fed_err partial_get(void *ctx, struct fed_buf *out)
{
    (void)ctx;
    if (w.has.len == 0)
        return FED_ERR_NOT_FOUND;
    fed_buf_put(out, fed_buf_span(&w.has));
    return fed_buf_err(out);
}

static enum fed_err partial_set(void *ctx, struct fed_span bytes)
{
    (void)ctx;
    w.forgotten += bytes.len == 0;
    fed_buf_clear(&w.took);
    fed_buf_put(&w.took, bytes);
    return w.refuses;
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    test_dir_make(w.dir);
    test_dir_path(w.dir, "partial", w.path);
    w.fs = fed_fs_posix(fed_alloc_system());
    w.link = (struct fed_link){.partial_get = partial_get, .partial_set = partial_set};
    w.ports = (struct agent_ports){.mem = fed_alloc_system(), .link = &w.link};
    w.place = (struct agent_partial_place){.fs = &w.fs, .path = w.path};
    w.partial.place = &w.place;
    fed_buf_init(&w.has, fed_alloc_system(), 2 * AGENT_PARTIAL_MAX);
    fed_buf_init(&w.took, fed_alloc_system(), 2 * AGENT_PARTIAL_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fed_buf_fini(&w.has);
    fed_buf_fini(&w.took);
    test_dir_remove(w.dir);
    return 0;
}

static bool is_there(void)
{
    struct stat st;

    if (stat(w.path, &st) != 0)
        return false;
    assert_int_equal(st.st_mode & 0777, 0600);
    return true;
}

/* Another process. */
static void begin_again(void)
{
    w.partial = (struct agent_partial){.place = &w.place};
    fed_buf_clear(&w.took);
    agent_partial_load(&w.partial, &w.ports);
}

static void test_goes_on(void **state)
{
    (void)state;
    agent_partial_load(&w.partial, &w.ports);
    assert_int_equal(w.took.len, 0);
    fed_buf_put_text(&w.has, "half of a bundle");
    agent_partial_keep(&w.partial, &w.ports);
    assert_true(is_there());
    begin_again();
    assert_true(fed_span_is(fed_buf_span(&w.took), "half of a bundle"));
    assert_int_equal(w.forgotten, 0);
    agent_partial_forget(&w.partial, &w.ports); /* it is complete */
    assert_int_equal(w.forgotten, 1);
    assert_false(is_there());
    begin_again();
    assert_int_equal(w.took.len, 0);
}

/* A stop when there is nothing leaves nothing, also of before. */
static void test_nothing_is_kept(void **state)
{
    (void)state;
    agent_partial_keep(&w.partial, &w.ports);
    assert_false(is_there());
    fed_buf_put_text(&w.has, "half");
    agent_partial_keep(&w.partial, &w.ports);
    fed_buf_clear(&w.has);
    begin_again();
    agent_partial_keep(&w.partial, &w.ports);
    assert_false(is_there());
}

static void test_refused(void **state)
{
    (void)state;
    test_file_write(w.path, "something else", 14);
    w.refuses = FED_ERR_INVALID;
    begin_again();
    assert_int_equal(w.took.len, 14);
    agent_partial_forget(&w.partial, &w.ports);
    assert_false(is_there());
}

static void test_too_large(void **state)
{
    (void)state;
    while (w.has.len <= AGENT_PARTIAL_MAX)
        fed_buf_put(&w.has, fed_span_of(w.dir, sizeof w.dir));
    agent_partial_keep(&w.partial, &w.ports);
    assert_false(is_there());
}

/* A binding that cannot go on, or an agent that keeps nothing. */
static void test_not_at_all(void **state)
{
    (void)state;
    fed_buf_put_text(&w.has, "half");
    w.link = (struct fed_link){0};
    agent_partial_load(&w.partial, &w.ports);
    agent_partial_keep(&w.partial, &w.ports);
    agent_partial_forget(&w.partial, &w.ports);
    w.link = (struct fed_link){.partial_get = partial_get, .partial_set = partial_set};
    w.partial.place = NULL;
    agent_partial_load(&w.partial, &w.ports);
    agent_partial_keep(&w.partial, &w.ports);
    agent_partial_forget(&w.partial, &w.ports);
    assert_false(is_there());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_goes_on), TEST(test_nothing_is_kept),
        TEST(test_refused), TEST(test_too_large), TEST(test_not_at_all)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
