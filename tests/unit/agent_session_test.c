/* agent_session_test.c - the session that is kept across a restart: when it is gone on with, and
 * when it is not. Real files, a link that keeps what it is given. */
#include "agent/session.h"
#include "tests/unit/ports_base_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const char hubs[2][281] = {"coaps://one.test:5684", "coaps://[::1]:5700"};

static struct world {
    char dir[TEST_PATH_MAX];
    char path[TEST_PATH_MAX];
    char anchor[TEST_PATH_MAX];
    struct fed_fs fs;
    struct fed_loop loop;
    struct fed_link link;
    struct agent_ports ports;
    struct agent_session_place place;
    struct agent_identity identity;
    struct agent_session_of of;
    int64_t unix_s;
    unsigned away;
    unsigned suspended;
    unsigned disconnected;
    unsigned resumed;
    char host[254];
    uint16_t port;
    char link_bytes[64];
    enum fed_err suspend_err;
    bool there_at_resume;
} w;

static int64_t unix_us(void *ctx)
{
    (void)ctx;
    return w.unix_s * 1000000;
}

static bool is_there(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

static enum fed_err link_request(void *ctx, enum fed_link_method method, const char *path,
    const char *query, struct fed_span payload, unsigned timeout_ms, fed_link_done *done,
    void *done_ctx)
{
    (void)ctx;
    (void)query;
    (void)timeout_ms;
    assert_int_equal(method, FED_LINK_POST);
    assert_string_equal(path, "a");
    assert_int_equal(payload.len, 0);
    assert_int_equal(w.suspended, w.away); /* before the session is kept */
    w.away++;
    done(done_ctx, FED_ERR_CLOSED, NULL, NULL);
    return FED_OK;
}

static enum fed_err link_suspend(void *ctx, struct fed_buf *out)
{
    (void)ctx;
    w.suspended++;
    if (!w.suspend_err)
        fed_buf_put_text(out, "keys and counters");
    return w.suspend_err;
}

static void link_disconnect(void *ctx)
{
    (void)ctx;
    w.disconnected++;
}

static enum fed_err link_resume(void *ctx, const char *host, uint16_t port, struct fed_span saved,
    unsigned timeout_ms, struct fed_diag *diag)
{
    (void)ctx;
    (void)diag;
    assert_int_equal(timeout_ms, AGENT_SESSION_PROOF_MS);
    w.resumed++;
    w.there_at_resume = is_there(w.path);
    snprintf(w.host, sizeof w.host, "%s", host);
    w.port = port;
    snprintf(w.link_bytes, sizeof w.link_bytes, FED_SPAN_FMT, FED_SPAN_ARG(saved));
    return FED_OK;
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    test_dir_make(w.dir);
    test_dir_path(w.dir, "session", w.path);
    test_dir_path(w.dir, "key.pem", w.anchor);
    test_file_write(w.anchor, "key", 3);
    w.unix_s = 1795000000;
    w.fs = fed_fs_posix(fed_alloc_system());
    w.loop = (struct fed_loop){.unix_us = unix_us};
    w.link = (struct fed_link){.request = link_request,
        .suspend = link_suspend,
        .resume = link_resume,
        .disconnect = link_disconnect};
    w.ports = (struct agent_ports){.mem = fed_alloc_system(), .loop = &w.loop, .link = &w.link};
    w.place = (struct agent_session_place){.fs = &w.fs, .path = w.path, .anchor = w.anchor};
    snprintf(w.identity.certificate, sizeof w.identity.certificate, "certificate");
    snprintf(w.identity.ca, sizeof w.identity.ca, "ca");
    w.of = (struct agent_session_of){.identity = &w.identity, .hubs = hubs, .n_hubs = 2};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_dir_remove(w.dir);
    return 0;
}

static void keep(void)
{
    agent_session_keep(&w.ports, &w.place, &w.of, 1, 120000);
}

static enum fed_err resume(void)
{
    size_t hub = 99;
    enum fed_err err = agent_session_resume(&w.ports, &w.place, &w.of, &hub);

    if (!err)
        assert_string_equal(w.of.hubs[hub], hubs[1]);
    assert_false(is_there(w.path)); /* whatever comes of it */
    return err;
}

static void test_goes_on(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(resume(), FED_ERR_NOT_FOUND);
    keep();
    assert_int_equal(w.away, 1);
    assert_int_equal(w.suspended, 1);
    assert_int_equal(stat(w.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    w.unix_s += 600;
    assert_int_equal(resume(), FED_OK);
    assert_int_equal(w.resumed, 1);
    assert_false(w.there_at_resume); /* removed before anything can be sent */
    assert_string_equal(w.host, "::1");
    assert_int_equal(w.port, 5700);
    assert_string_equal(w.link_bytes, "keys and counters");
    assert_int_equal(resume(), FED_ERR_NOT_FOUND); /* once */
    assert_int_equal(w.resumed, 1);
}

static void expect_refused(void)
{
    assert_int_equal(resume(), FED_ERR_NOT_FOUND);
    assert_int_equal(w.resumed, 0);
}

static void test_too_old(void **state)
{
    (void)state;
    keep();
    w.unix_s += 601;
    expect_refused();
    agent_session_keep(&w.ports, &w.place, &w.of, 1, 10000);
    w.unix_s += 51; /* five heartbeats, and one second */
    expect_refused();
    keep();
    w.unix_s -= 1; /* a clock that goes back */
    expect_refused();
}

static void test_other_identity(void **state)
{
    (void)state;
    keep();
    w.identity.certificate[0]++;
    expect_refused();
    keep();
    w.identity.ca[0]++;
    expect_refused();
    keep();
    w.of.n_hubs = 1; /* only the other one is left */
    expect_refused();
}

/* A copy of the directory has another key file, byte for byte the same. */
static void test_copied(void **state)
{
    char copy[TEST_PATH_MAX];
    struct fed_diag diag;

    (void)state;
    keep();
    test_dir_path(w.dir, "copy", copy);
    test_file_write(copy, "key", 3);
    assert_int_equal(w.fs.rename(NULL, copy, w.anchor, &diag), FED_OK);
    expect_refused();
}

/* A backup that is put back in place: the key's file is the same one, its content was never
 * another. */
static void test_put_back(void **state)
{
    struct fed_diag diag;
    unsigned char *bytes;
    size_t len;

    (void)state;
    keep();
    bytes = test_file_read(w.path, &len);
    assert_int_equal(resume(), FED_OK);
    test_file_write(w.path, bytes, len);
    assert_int_equal(resume(), FED_ERR_NOT_FOUND);
    assert_int_equal(w.resumed, 1);
    free(bytes);
    keep();
    assert_int_equal(resume(), FED_OK);
    keep();
    assert_int_equal(w.fs.touch(NULL, w.anchor, &diag), FED_OK); /* written over, as by cp -a */
    assert_int_equal(resume(), FED_ERR_NOT_FOUND);
    assert_int_equal(w.resumed, 2);
}

static void test_damaged(void **state)
{
    unsigned char *bytes;
    size_t len;

    (void)state;
    keep();
    bytes = test_file_read(w.path, &len);
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 1;
        test_file_write(w.path, bytes, len);
        bytes[i] ^= 1;
        assert_int_not_equal(resume(), FED_OK);
        test_file_write(w.path, bytes, i);
        assert_int_not_equal(resume(), FED_OK);
    }
    assert_int_equal(w.resumed, 0);
    test_file_write(w.path, bytes, len);
    assert_int_equal(resume(), FED_OK);
    free(bytes);
}

static enum fed_err refuse(void *ctx, const char *path, struct fed_diag *diag)
{
    (void)ctx;
    return fed_diag_set(diag, FED_ERR_IO, "cannot remove %s", path);
}

/* What cannot be removed could be used again. */
static void test_stays(void **state)
{
    size_t hub;

    (void)state;
    keep();
    w.fs.remove = refuse;
    assert_int_equal(agent_session_resume(&w.ports, &w.place, &w.of, &hub), FED_ERR_IO);
    assert_int_equal(w.resumed, 0);
}

/* Nor can what cannot be made useless for the next time. */
static void test_touch_fails(void **state)
{
    size_t hub;

    (void)state;
    keep();
    w.fs.touch = refuse;
    assert_int_equal(agent_session_resume(&w.ports, &w.place, &w.of, &hub), FED_ERR_IO);
    assert_int_equal(w.resumed, 0);
}

static void test_link_cannot(void **state)
{
    (void)state;
    keep();
    w.link.resume = NULL;
    expect_refused();
    w.link.suspend = NULL;
    keep();
    assert_int_equal(w.disconnected, 1);
    assert_false(is_there(w.path));
    w.link.suspend = link_suspend;
    w.suspend_err = FED_ERR_UNSUPPORTED;
    keep();
    assert_false(is_there(w.path));
    agent_session_keep(&w.ports, NULL, &w.of, 1, 120000);
    assert_int_equal(w.disconnected, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_goes_on),
        TEST(test_too_old),
        TEST(test_other_identity),
        TEST(test_copied),
        TEST(test_put_back),
        TEST(test_damaged),
        TEST(test_stays),
        TEST(test_touch_fails),
        TEST(test_link_cannot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
