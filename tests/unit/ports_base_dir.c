/* ports_base_dir.c - see ports_base_dir.h. */
#include "tests/unit/ports_base_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

void test_dir_make(char out[TEST_PATH_MAX])
{
    const char *base = getenv("TMPDIR");
    int n = snprintf(out, TEST_PATH_MAX, "%s/fedlet-test.XXXXXX", base && *base ? base : "/tmp");

    assert_true(n > 0 && n < TEST_PATH_MAX);
    assert_non_null(mkdtemp(out));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void test_dir_remove(const char *dir)
{
    (void)umount2(dir, MNT_DETACH);
    assert_int_equal(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void test_dir_path(const char *dir, const char *name, char out[TEST_PATH_MAX])
{
    int n = snprintf(out, TEST_PATH_MAX, "%s/%s", dir, name);

    assert_true(n > 0 && n < TEST_PATH_MAX);
}

bool test_dir_limit(const char *dir, unsigned size_kib)
{
    char options[64];

    snprintf(options, sizeof options, "size=%uk,mode=0700", size_kib);
    if (mount("none", dir, "tmpfs", 0, options) == 0)
        return true;
    fprintf(stderr, "NOT TESTED: a full disk, because no small file system can be mounted: %s\n",
        strerror(errno));
    return false;
}

void test_fill_disk(const char *path)
{
    static const char zeros[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

unsigned char *test_file_read(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    unsigned char *at = malloc(1u << 22);

    assert_non_null(file);
    assert_non_null(at);
    *len = fread(at, 1, 1u << 22, file);
    assert_true(*len < (1u << 22));
    fclose(file);
    return at;
}

void test_file_write(const char *path, const void *at, size_t len)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(at, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}
