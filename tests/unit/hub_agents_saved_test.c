/* hub_agents_saved_test.c - the file of saved sessions: whole, of this hub, and good for once. */
#include "hub/agents.h"
#include "tests/unit/ports_base_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct world {
    char dir[TEST_PATH_MAX];
    char files[2][TEST_PATH_MAX]; /* sessions, sessions.key */
    struct hub_options options;
    struct fed_linux_loop *loop;
    struct fed_log log;
    struct fed_fs fs;
    struct fed_crypto crypto;
    struct hub_agents_parts parts;
    unsigned calls;
} w;

static int setup(void **state)
{
    static const uint8_t trust[FED_LINK_TRUST_SIZE] = {1, 2, 3};
    struct fed_diag diag;

    (void)state;
    memset(&w, 0, sizeof w);
    test_dir_make(w.dir);
    test_dir_path(w.dir, "sessions", w.files[0]);
    test_dir_path(w.dir, "sessions.key", w.files[1]);
    snprintf(w.options.data_dir, sizeof w.options.data_dir, "%s", w.dir);
    w.fs = fed_fs_posix(fed_alloc_system());
    w.log = fed_log_stderr(FED_LOG_ERROR);
    assert_int_equal(fed_tls_crypto_open(fed_alloc_system(), &w.crypto, &diag), FED_OK);
    assert_int_equal(fed_linux_loop_open(fed_alloc_system(), &w.loop, &diag), FED_OK);
    w.parts = (struct hub_agents_parts){.mem = fed_alloc_system(),
        .loop = fed_linux_loop_port(w.loop),
        .log = &w.log,
        .fs = &w.fs,
        .crypto = &w.crypto,
        .options = &w.options,
        .epoch = 7,
        .heartbeat_s = 120,
        .trust = trust};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fed_linux_loop_close(w.loop);
    fed_tls_crypto_close(&w.crypto);
    test_dir_remove(w.dir);
    return 0;
}

static void on_session(
    void *ctx, unsigned steer, struct fed_span kept, struct fed_span part, uint32_t away_ms)
{
    assert_ptr_equal(ctx, &w);
    assert_int_equal(steer, 200 + w.calls);
    assert_true(fed_span_is(kept, "kept"));
    assert_true(fed_span_is(part, w.calls ? "second" : "first"));
    assert_true(away_ms < 60000);
    w.calls++;
}

static void save(void)
{
    struct fed_diag diag = {""};
    struct fed_buf sessions;

    fed_buf_init(&sessions, fed_alloc_system(), 4096);
    hub_agents_saved_put(&sessions, 200, FED_SPAN_LIT("kept"), FED_SPAN_LIT("first"));
    hub_agents_saved_put(&sessions, 201, FED_SPAN_LIT("kept"), FED_SPAN_LIT("second"));
    if (hub_agents_saved_write(&w.parts, fed_buf_span(&sessions), &diag))
        fail_msg("%s", diag.text);
    fed_buf_fini(&sessions);
}

static enum fed_err take(void)
{
    struct fed_diag diag = {""};

    w.calls = 0;
    return hub_agents_saved_read(&w.parts, on_session, &w, &diag);
}

static bool is_there(size_t i)
{
    FILE *file = fopen(w.files[i], "r");

    if (file)
        fclose(file);
    return file != NULL;
}

static void test_once(void **state)
{
    (void)state;
    assert_int_equal(take(), FED_ERR_NOT_FOUND);
    save();
    assert_int_equal(take(), FED_OK);
    assert_int_equal(w.calls, 2);
    assert_false(is_there(0) || is_there(1));
    assert_int_equal(take(), FED_ERR_NOT_FOUND);
}

/* A backup of the directory that is put back while the sessions go on. */
static void test_copy_put_back(void **state)
{
    char copies[2][TEST_PATH_MAX + 8];

    (void)state;
    save();
    for (size_t i = 0; i < 2; i++) {
        size_t len;
        unsigned char *content = test_file_read(w.files[i], &len);

        snprintf(copies[i], sizeof copies[i], "%s.copy", w.files[i]);
        test_file_write(copies[i], content, len);
        free(content);
    }
    assert_int_equal(take(), FED_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(rename(copies[i], w.files[i]), 0);
    assert_int_equal(take(), FED_ERR_UNSUPPORTED);
    assert_int_equal(w.calls, 0);
    assert_false(is_there(0) || is_there(1));
}

static void test_another_hub(void **state)
{
    (void)state;
    save();
    w.parts.epoch++;
    assert_int_equal(take(), FED_ERR_UNSUPPORTED);
    save();
    w.parts.heartbeat_s++;
    assert_int_equal(take(), FED_ERR_UNSUPPORTED);
    assert_int_equal(w.calls, 0);
    assert_false(is_there(0) || is_there(1));
}

static void test_spoilt(void **state)
{
    size_t len;
    unsigned char *content;

    (void)state;
    save();
    content = test_file_read(w.files[0], &len);
    content[len / 2] ^= 1;
    test_file_write(w.files[0], content, len);
    assert_int_equal(take(), FED_ERR_DIGEST);
    assert_int_equal(w.calls, 0);
    assert_false(is_there(0) || is_there(1));
    free(content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copy_put_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_hub, setup, teardown),
        cmocka_unit_test_setup_teardown(test_spoilt, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
