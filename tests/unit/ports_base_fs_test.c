/* ports_base_fs_test.c - the POSIX files through ports/fs.h. */
#include "ports/fs.h"
#include "tests/unit/ports_base_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct world {
    char dir[TEST_PATH_MAX];
    struct fed_fs fs;
    struct fed_diag diag;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    test_dir_make(w->dir);
    w->fs = fed_fs_posix(fed_alloc_system());
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    test_dir_remove(w->dir);
    free(w);
    return 0;
}

static enum fed_err put(struct world *w, const char *name, const char *text, unsigned mode)
{
    char path[TEST_PATH_MAX];

    test_dir_path(w->dir, name, path);
    return w->fs.write(w->fs.ctx, path, fed_span_text(text), mode, &w->diag);
}

static void assert_content(struct world *w, const char *name, const char *text)
{
    char path[TEST_PATH_MAX];
    struct fed_buf got;

    test_dir_path(w->dir, name, path);
    fed_buf_init(&got, fed_alloc_system(), 1u << 20);
    assert_int_equal(w->fs.read(w->fs.ctx, path, &got, &w->diag), FED_OK);
    assert_string_equal(fed_buf_cstr(&got), text);
    fed_buf_fini(&got);
}

static unsigned mode_of(struct world *w, const char *name)
{
    char path[TEST_PATH_MAX];
    struct stat st;

    test_dir_path(w->dir, name, path);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777u;
}

static void writing_replaces_and_sets_the_mode(void **state)
{
    struct world *w = *state;
    char path[TEST_PATH_MAX];
    mode_t old = umask(077);

    assert_int_equal(put(w, "a", "one", 0644), FED_OK);
    assert_int_equal(mode_of(w, "a"), 0644); /* whatever the umask */
    assert_int_equal(put(w, "a", "two, longer", 0600), FED_OK);
    assert_content(w, "a", "two, longer");
    assert_int_equal(mode_of(w, "a"), 0600);
    assert_int_equal(put(w, "a", "", 0600), FED_OK);
    assert_content(w, "a", "");
    test_dir_path(w->dir, "a.tmp", path);
    assert_int_equal(access(path, F_OK), -1);
    umask(old);
}

static void a_temporary_file_that_a_crash_left_is_no_obstacle(void **state)
{
    struct world *w = *state;
    char path[TEST_PATH_MAX];

    test_dir_path(w->dir, "a.tmp", path);
    test_file_write(path, "half", 4);
    assert_int_equal(put(w, "a", "whole", 0600), FED_OK);
    assert_content(w, "a", "whole");
    assert_int_equal(access(path, F_OK), -1);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    struct world *w = *state;
    char path[TEST_PATH_MAX];

    /* A folder of the temporary name cannot be replaced by a file. */
    assert_int_equal(put(w, "a", "old", 0600), FED_OK);
    test_dir_path(w->dir, "a.tmp", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_not_equal(put(w, "a", "new", 0600), FED_OK);
    assert_non_null(strstr(w->diag.text, path));
    assert_content(w, "a", "old");
}

static void reading_has_a_limit(void **state)
{
    struct world *w = *state;
    char path[TEST_PATH_MAX];
    struct fed_buf got;

    test_dir_path(w->dir, "a", path);
    assert_int_equal(put(w, "a", "12345678", 0600), FED_OK);
    fed_buf_init(&got, fed_alloc_system(), 9);
    fed_buf_put_text(&got, "x");
    assert_int_equal(w->fs.read(w->fs.ctx, path, &got, &w->diag), FED_OK);
    assert_string_equal(fed_buf_cstr(&got), "x12345678");
    fed_buf_cut(&got, 2);
    assert_int_equal(w->fs.read(w->fs.ctx, path, &got, &w->diag), FED_ERR_LIMIT);
    assert_int_equal(got.len, 2);
    assert_non_null(strstr(w->diag.text, path));
    fed_buf_fini(&got);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct world *w = *state;
    char path[TEST_PATH_MAX];
    struct fed_buf got;

    fed_buf_init(&got, fed_alloc_system(), 100);
    test_dir_path(w->dir, "none", path);
    assert_int_equal(w->fs.read(w->fs.ctx, path, &got, &w->diag), FED_ERR_NOT_FOUND);
    assert_non_null(strstr(w->diag.text, path));
    assert_int_equal(w->fs.remove(w->fs.ctx, path, &w->diag), FED_OK);
    assert_int_equal(w->fs.read(w->fs.ctx, w->dir, &got, &w->diag), FED_ERR_IO);
    assert_int_equal(put(w, "none/a", "x", 0600), FED_ERR_NOT_FOUND);
    assert_int_equal(put(w, "a", "x", 0600), FED_OK);
    test_dir_path(w->dir, "a", path);
    assert_int_equal(w->fs.remove(w->fs.ctx, path, &w->diag), FED_OK);
    assert_int_equal(access(path, F_OK), -1);
    fed_buf_fini(&got);
}

static void folders_are_made_with_their_parents(void **state)
{
    struct world *w = *state;
    char path[TEST_PATH_MAX];

    test_dir_path(w->dir, "x/y//z/", path);
    assert_int_equal(w->fs.make_dir(w->fs.ctx, path, 0750, &w->diag), FED_OK);
    assert_int_equal(w->fs.make_dir(w->fs.ctx, path, 0750, &w->diag), FED_OK);
    assert_int_equal(mode_of(w, "x"), 0750);
    assert_int_equal(mode_of(w, "x/y/z"), 0750);
    assert_int_equal(put(w, "x/file", "", 0600), FED_OK);
    test_dir_path(w->dir, "x/file", path);
    assert_int_equal(w->fs.make_dir(w->fs.ctx, path, 0700, &w->diag), FED_ERR_NOT_FOUND);
    assert_non_null(strstr(w->diag.text, "is not a folder"));
    test_dir_path(w->dir, "x/file/below", path);
    assert_int_equal(w->fs.make_dir(w->fs.ctx, path, 0700, &w->diag), FED_ERR_NOT_FOUND);
}

/* Runs the check in a child that is nobody: root may write everywhere. */
static int as_nobody(struct world *w, int (*check)(struct world *w))
{
    pid_t child = fork();
    int status = -1;

    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
            _exit(99);
        _exit(check(w));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int check_unwritable(struct world *w)
{
    char path[TEST_PATH_MAX];
    struct fed_fs_lock *lock;

    test_dir_path(w->dir, "closed", path);
    if (w->fs.make_dir(w->fs.ctx, path, 0700, &w->diag) != FED_ERR_FORBIDDEN)
        return 1;
    if (!strstr(w->diag.text, "closed: Permission denied"))
        return 2;
    if (put(w, "closed/a", "x", 0600) != FED_ERR_FORBIDDEN)
        return 3;
    test_dir_path(w->dir, "closed/lock", path);
    if (w->fs.lock(w->fs.ctx, path, &lock, &w->diag) != FED_ERR_FORBIDDEN)
        return 4;
    test_dir_path(w->dir, "closed/below", path);
    return w->fs.make_dir(w->fs.ctx, path, 0700, &w->diag) == FED_ERR_FORBIDDEN ? 0 : 5;
}

static void an_unwritable_folder_is_named(void **state)
{
    struct world *w = *state;
    char path[TEST_PATH_MAX];

    chmod(w->dir, 0755);
    test_dir_path(w->dir, "closed", path);
    assert_int_equal(mkdir(path, 0755), 0);
    chmod(path, 0555);
    assert_int_equal(as_nobody(w, check_unwritable), 0);
}

static void a_lock_keeps_others_out_until_its_holder_ends(void **state)
{
    struct world *w = *state;
    char path[TEST_PATH_MAX];
    char pid[32];
    struct fed_fs_lock *lock = NULL;
    struct fed_fs_lock *second = NULL;
    int ends[2];
    char byte;
    pid_t child;

    test_dir_path(w->dir, "lock", path);
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        enum fed_err err = w->fs.lock(w->fs.ctx, path, &lock, NULL);

        if (err || write(ends[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(w->fs.lock(w->fs.ctx, path, &lock, &w->diag), FED_ERR_BUSY);
    snprintf(pid, sizeof pid, "process %ld", (long)child);
    assert_non_null(strstr(w->diag.text, pid));
    assert_non_null(strstr(w->diag.text, path));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(w->fs.lock(w->fs.ctx, path, &lock, &w->diag), FED_OK);
    assert_int_equal(w->fs.lock(w->fs.ctx, path, &second, &w->diag), FED_ERR_BUSY);
    w->fs.unlock(w->fs.ctx, lock);
    assert_int_equal(w->fs.lock(w->fs.ctx, path, &second, &w->diag), FED_OK);
    w->fs.unlock(w->fs.ctx, second);
    w->fs.unlock(w->fs.ctx, NULL);
    close(ends[0]);
    close(ends[1]);
}

static void a_full_disk_keeps_the_old_file(void **state)
{
    struct world *w = *state;
    char filler[TEST_PATH_MAX];
    char large[20001];

    if (!test_dir_limit(w->dir, 64))
        skip();
    memset(large, 'a', 20000);
    large[20000] = '\0';
    assert_int_equal(put(w, "a", "old", 0600), FED_OK);
    test_dir_path(w->dir, "filler", filler);
    test_fill_disk(filler);
    assert_int_equal(put(w, "a", large, 0600), FED_ERR_FULL);
    assert_non_null(strstr(w->diag.text, "No space left"));
    assert_content(w, "a", "old");
    assert_int_equal(unlink(filler), 0);
    assert_int_equal(put(w, "a", large, 0600), FED_OK);
    assert_content(w, "a", large);
}

static void a_growing_file_grows(void **state)
{
    struct world *w = *state;
    struct fed_fs_file *file;
    char path[TEST_PATH_MAX];
    char moved[TEST_PATH_MAX];
    struct stat st;
    uint64_t size = 99;

    test_dir_path(w->dir, "log", path);
    test_dir_path(w->dir, "log.1", moved);
    assert_int_equal(w->fs.append_open(w->fs.ctx, path, 0600, &file, &size, &w->diag), FED_OK);
    assert_int_equal(size, 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(w->fs.append(w->fs.ctx, file, FED_SPAN_LIT("one\n"), &w->diag), FED_OK);
    w->fs.append_close(w->fs.ctx, file);
    assert_int_equal(w->fs.append_open(w->fs.ctx, path, 0600, &file, &size, &w->diag), FED_OK);
    assert_int_equal(size, 4);
    assert_int_equal(w->fs.append(w->fs.ctx, file, FED_SPAN_LIT("two\n"), &w->diag), FED_OK);
    w->fs.append_close(w->fs.ctx, file);
    w->fs.append_close(w->fs.ctx, NULL);
    assert_content(w, "log", "one\ntwo\n");
    assert_int_equal(w->fs.rename(w->fs.ctx, path, moved, &w->diag), FED_OK);
    assert_content(w, "log.1", "one\ntwo\n");
    assert_int_equal(w->fs.rename(w->fs.ctx, path, moved, &w->diag), FED_ERR_NOT_FOUND);
    /* What is no plain file is refused, and a link is not followed. */
    assert_int_equal(symlink(moved, path), 0);
    assert_int_not_equal(w->fs.append_open(w->fs.ctx, path, 0600, &file, &size, &w->diag), FED_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_not_equal(w->fs.append_open(w->fs.ctx, path, 0600, &file, &size, &w->diag), FED_OK);
}

static void a_full_disk_adds_all_or_nothing(void **state)
{
    struct world *w = *state;
    struct fed_fs_file *file;
    char path[TEST_PATH_MAX];
    char filler[TEST_PATH_MAX];
    char large[20001];
    uint64_t size;

    if (!test_dir_limit(w->dir, 64))
        skip();
    memset(large, 'a', 20000);
    large[20000] = '\0';
    test_dir_path(w->dir, "log", path);
    test_dir_path(w->dir, "filler", filler);
    assert_int_equal(w->fs.append_open(w->fs.ctx, path, 0600, &file, &size, &w->diag), FED_OK);
    assert_int_equal(w->fs.append(w->fs.ctx, file, FED_SPAN_LIT("one\n"), &w->diag), FED_OK);
    test_fill_disk(filler);
    assert_int_equal(w->fs.append(w->fs.ctx, file, fed_span_text(large), &w->diag), FED_ERR_FULL);
    assert_content(w, "log", "one\n");
    assert_int_equal(unlink(filler), 0);
    assert_int_equal(w->fs.append(w->fs.ctx, file, FED_SPAN_LIT("two\n"), &w->diag), FED_OK);
    assert_content(w, "log", "one\ntwo\n");
    w->fs.append_close(w->fs.ctx, file);
}

static void name_of(struct world *w, const char *name, struct fed_buf *out)
{
    char path[TEST_PATH_MAX];

    test_dir_path(w->dir, name, path);
    fed_buf_clear(out);
    assert_int_equal(w->fs.name(w->fs.ctx, path, out, &w->diag), FED_OK);
}

static void a_copy_has_another_name(void **state)
{
    struct world *w = *state;
    char absent[TEST_PATH_MAX];
    struct fed_buf one;
    struct fed_buf other;

    fed_buf_init(&one, fed_alloc_system(), FED_FS_NAME_MAX);
    fed_buf_init(&other, fed_alloc_system(), FED_FS_NAME_MAX);
    assert_int_equal(put(w, "one", "same", 0600), FED_OK);
    assert_int_equal(put(w, "copy", "same", 0600), FED_OK);
    name_of(w, "one", &one);
    name_of(w, "one", &other);
    assert_true(fed_span_eq(fed_buf_span(&one), fed_buf_span(&other)));
    name_of(w, "copy", &other);
    assert_false(fed_span_eq(fed_buf_span(&one), fed_buf_span(&other)));
    fed_buf_clear(&other);
    test_dir_path(w->dir, "absent", absent);
    assert_int_equal(w->fs.name(w->fs.ctx, absent, &other, &w->diag), FED_ERR_NOT_FOUND);
    fed_buf_fini(&one);
    fed_buf_fini(&other);
}

static void a_touched_file_has_another_name(void **state)
{
    struct world *w = *state;
    char path[TEST_PATH_MAX];
    struct fed_buf one;
    struct fed_buf other;

    fed_buf_init(&one, fed_alloc_system(), FED_FS_NAME_MAX);
    fed_buf_init(&other, fed_alloc_system(), FED_FS_NAME_MAX);
    assert_int_equal(put(w, "one", "same", 0600), FED_OK);
    test_dir_path(w->dir, "one", path);
    for (unsigned i = 0; i < 5; i++) {
        name_of(w, "one", &one);
        assert_int_equal(w->fs.touch(w->fs.ctx, path, &w->diag), FED_OK);
        name_of(w, "one", &other);
        assert_false(fed_span_eq(fed_buf_span(&one), fed_buf_span(&other)));
    }
    assert_content(w, "one", "same");
    test_dir_path(w->dir, "absent", path);
    assert_int_equal(w->fs.touch(w->fs.ctx, path, &w->diag), FED_ERR_NOT_FOUND);
    fed_buf_fini(&one);
    fed_buf_fini(&other);
}

/* A part of a file, and how large it is; never another thing than a plain file. */
static void test_read_part(void **state)
{
    struct world *w = *state;
    static const struct {
        uint64_t offset;
        size_t max;
        const char *got;
    } cases[] = {{0, 3, "abc"}, {2, 3, "cde"}, {4, 100, "ef"}, {6, 5, ""}, {900, 5, ""}, {0, 0, ""},
        {UINT64_MAX, 5, ""}};
    char path[TEST_PATH_MAX];
    struct fed_buf got;
    uint64_t size;

    assert_int_equal(put(w, "f", "abcdef", 0600), FED_OK);
    test_dir_path(w->dir, "f", path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fed_buf_init(&got, fed_alloc_system(), 200);
        size = 0;
        assert_int_equal(
            w->fs.read_part(w->fs.ctx, path, cases[i].offset, cases[i].max, &got, &size, &w->diag),
            FED_OK);
        assert_true(fed_span_is(fed_buf_span(&got), cases[i].got));
        assert_int_equal(size, 6);
        fed_buf_fini(&got);
    }
    fed_buf_init(&got, fed_alloc_system(), 2);
    assert_int_equal(w->fs.read_part(w->fs.ctx, path, 0, 3, &got, &size, &w->diag), FED_ERR_LIMIT);
    fed_buf_fini(&got);
    test_dir_path(w->dir, "none", path);
    assert_int_equal(
        w->fs.read_part(w->fs.ctx, path, 0, 3, &got, &size, &w->diag), FED_ERR_NOT_FOUND);
    assert_int_equal(
        w->fs.read_part(w->fs.ctx, w->dir, 0, 3, &got, &size, &w->diag), FED_ERR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_read_part),
        TEST(writing_replaces_and_sets_the_mode),
        TEST(a_temporary_file_that_a_crash_left_is_no_obstacle),
        TEST(a_failed_write_leaves_the_old_file),
        TEST(reading_has_a_limit),
        TEST(what_is_not_there_is_not_found),
        TEST(folders_are_made_with_their_parents),
        TEST(an_unwritable_folder_is_named),
        TEST(a_lock_keeps_others_out_until_its_holder_ends),
        TEST(a_full_disk_keeps_the_old_file),
        TEST(a_growing_file_grows),
        TEST(a_full_disk_adds_all_or_nothing),
        TEST(a_copy_has_another_name),
        TEST(a_touched_file_has_another_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
