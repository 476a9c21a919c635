/* fs.c - see ports/fs.h.
 *
 * A file is replaced by way of PATH.tmp beside it. Its name is fixed, so that a crash leaves at
 * most one, which the next write removes; two processes do not write in the same folder at once,
 * which is what the lock is for. */
#include "ports/fs.h"

#include "ports/posix/os_err.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct fed_fs_lock {
    int fd;
};

static int open_retry(const char *path, int flags, mode_t mode)
{
    int fd;

    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* ---- reading ---- */

static enum fed_err read_all(int fd, const char *path, struct fed_buf *out, struct fed_diag *diag)
{
    uint8_t part[4096];

    for (;;) {
        ssize_t n = read(fd, part, sizeof part);

        if (n == 0)
            return FED_OK;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fed_os_err_set(diag, "cannot read", path);
        fed_buf_put(out, fed_span_of(part, (size_t)n));
        if (fed_buf_err(out) == FED_ERR_LIMIT)
            return fed_diag_set(
                diag, FED_ERR_LIMIT, "%s is larger than %zu bytes", path, out->limit);
        if (fed_buf_err(out))
            return fed_diag_set(diag, FED_ERR_NOMEM, "cannot read %s: out of memory", path);
    }
}

static enum fed_err fs_read(void *ctx, const char *path, struct fed_buf *out, struct fed_diag *diag)
{
    size_t before = out->len;
    int fd = open_retry(path, O_RDONLY | O_NOCTTY, 0);
    enum fed_err err;

    (void)ctx;
    if (fd < 0)
        return fed_os_err_set(diag, "cannot open", path);
    err = read_all(fd, path, out, diag);
    if (err)
        fed_buf_cut(out, before);
    close(fd);
    return err;
}

/* ---- writing ---- */

static int write_all(int fd, struct fed_span bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.at, bytes.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes = fed_span_sub(bytes, (size_t)n, bytes.len);
    }
    return 0;
}

/* The folder that holds path. FED_ERR_LIMIT. */
static enum fed_err parent_of(const char *path, char out[PATH_MAX], struct fed_diag *diag)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;

    if (strlen(path) >= PATH_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "path is longer than %d bytes", PATH_MAX - 1);
    if (!slash) {
        memcpy(out, ".", 2);
        return FED_OK;
    }
    if (len == 0)
        len = 1; /* the root */
    memcpy(out, path, len);
    out[len] = '\0';
    return FED_OK;
}

static enum fed_err sync_folder(const char *path, struct fed_diag *diag)
{
    char folder[PATH_MAX];
    enum fed_err err = parent_of(path, folder, diag);
    int fd;

    if (err)
        return err;
    fd = open_retry(folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fed_os_err_set(diag, "cannot open", folder);
    /* Some file systems cannot sync a folder and say EINVAL; there is nothing better to do on
     * those. */
    if (fsync(fd) && errno != EINVAL)
        err = fed_os_err_set(diag, "cannot sync", folder);
    close(fd);
    return err;
}

/* Fills a new file, synced. */
static enum fed_err fill(
    const char *path, struct fed_span bytes, unsigned mode, struct fed_diag *diag)
{
    int fd = open_retry(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    enum fed_err err = FED_OK;

    if (fd < 0)
        return fed_os_err_set(diag, "cannot create", path);
    if (fchmod(fd, (mode_t)mode))
        err = fed_os_err_set(diag, "cannot set the mode of", path);
    else if (write_all(fd, bytes))
        err = fed_os_err_set(diag, "cannot write", path);
    else if (fsync(fd))
        err = fed_os_err_set(diag, "cannot sync", path);
    if (close(fd) && !err)
        err = fed_os_err_set(diag, "cannot close", path);
    return err;
}

static enum fed_err fs_write(
    void *ctx, const char *path, struct fed_span bytes, unsigned mode, struct fed_diag *diag)
{
    char temporary[PATH_MAX];
    int n = snprintf(temporary, sizeof temporary, "%s.tmp", path);
    enum fed_err err;

    (void)ctx;
    if (n < 0 || (size_t)n >= sizeof temporary)
        return fed_diag_set(diag, FED_ERR_LIMIT, "path is longer than %d bytes", PATH_MAX - 5);
    if (unlink(temporary) && errno != ENOENT)
        return fed_os_err_set(diag, "cannot remove", temporary);
    err = fill(temporary, bytes, mode, diag);
    if (!err && rename(temporary, path))
        err = fed_os_err_set(diag, "cannot replace", path);
    if (err) {
        (void)unlink(temporary);
        return err;
    }
    return sync_folder(path, diag);
}

static enum fed_err fs_remove(void *ctx, const char *path, struct fed_diag *diag)
{
    (void)ctx;
    if (unlink(path))
        return errno == ENOENT ? FED_OK : fed_os_err_set(diag, "cannot remove", path);
    return sync_folder(path, diag);
}

/* ---- names ---- */

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static enum fed_err boot_id(char out[64], struct fed_diag *diag)
{
    int fd = open_retry(BOOT_ID, O_RDONLY, 0);
    ssize_t n;

    if (fd < 0)
        return fed_os_err_set(diag, "cannot open", BOOT_ID);
    do
        n = read(fd, out, 63);
    while (n < 0 && errno == EINTR);
    close(fd);
    if (n <= 0)
        return fed_diag_set(diag, FED_ERR_IO, "cannot read %s", BOOT_ID);
    out[n] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return FED_OK;
}

/* The time of the last change of the inode (ctime) is part of it: unlike the other times it cannot
 * be set, so no copy that is put back brings an old name with it. */
static enum fed_err fs_name(void *ctx, const char *path, struct fed_buf *out, struct fed_diag *diag)
{
    char boot[64];
    struct stat st;
    enum fed_err err;

    (void)ctx;
    if (stat(path, &st))
        return fed_os_err_set(diag, "cannot look at", path);
    err = boot_id(boot, diag);
    if (err)
        return err;
    fed_buf_printf(out, "%s %llx:%llx %llx.%09ld", boot, (unsigned long long)st.st_dev,
        (unsigned long long)st.st_ino, (unsigned long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
    return fed_buf_err(out);
}

#define TOUCHES_MAX 100

/* The clock of most file systems goes on with the kernel's ticks, of up to 10 ms. */
static enum fed_err fs_touch(void *ctx, const char *path, struct fed_diag *diag)
{
    const struct timespec tick = {.tv_nsec = 1000000};
    struct stat before;
    struct stat now;

    (void)ctx;
    if (stat(path, &before))
        return fed_os_err_set(diag, "cannot look at", path);
    for (unsigned i = 0; i < TOUCHES_MAX; i++) {
        if (utimensat(AT_FDCWD, path, NULL, 0))
            return fed_os_err_set(diag, "cannot set the times of", path);
        if (stat(path, &now))
            return fed_os_err_set(diag, "cannot look at", path);
        if (now.st_ctim.tv_sec != before.st_ctim.tv_sec ||
            now.st_ctim.tv_nsec != before.st_ctim.tv_nsec)
            return FED_OK;
        (void)nanosleep(&tick, NULL);
    }
    return fed_diag_set(
        diag, FED_ERR_UNSUPPORTED, "%s: the file system's clock stands still", path);
}

/* ---- folders ---- */

/* Makes one folder; FED_OK when something of that name is there. */
static enum fed_err make_one(const char *path, unsigned mode, struct fed_diag *diag)
{
    if (mkdir(path, 0700)) {
        int error = errno;
        struct stat st;

        /* A read-only file system says so even of a folder that exists. */
        if (error == EEXIST || stat(path, &st) == 0)
            return FED_OK;
        errno = error;
        return fed_os_err_set(diag, "cannot make the folder", path);
    }
    if (chmod(path, (mode_t)mode))
        return fed_os_err_set(diag, "cannot set the mode of", path);
    return FED_OK;
}

static enum fed_err check_folder(const char *path, struct fed_diag *diag)
{
    struct stat st;

    if (stat(path, &st))
        return fed_os_err_set(diag, "cannot use the folder", path);
    if (!S_ISDIR(st.st_mode))
        return fed_diag_set(diag, FED_ERR_NOT_FOUND, "%s is not a folder", path);
    if (access(path, W_OK | X_OK))
        return fed_os_err_set(diag, "cannot write in the folder", path);
    return FED_OK;
}

static enum fed_err fs_make_dir(void *ctx, const char *path, unsigned mode, struct fed_diag *diag)
{
    char part[PATH_MAX];
    size_t len = strlen(path);

    (void)ctx;
    if (len == 0 || len >= sizeof part)
        return fed_diag_set(diag, FED_ERR_LIMIT, "a folder's path has 1 to %d bytes", PATH_MAX - 1);
    for (size_t i = 1; i <= len; i++) {
        enum fed_err err;

        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        err = make_one(part, mode, diag);
        if (err)
            return err;
    }
    return check_folder(path, diag);
}

/* ---- the lock ---- */

/* flock(2) belongs to the open file, so it also keeps two users in one process apart. */
static int try_lock(int fd)
{
    int failed;

    do
        failed = flock(fd, LOCK_EX | LOCK_NB);
    while (failed && errno == EINTR);
    return failed;
}

static enum fed_err report_holder(int fd, const char *path, struct fed_diag *diag)
{
    char pid[24];
    ssize_t n = pread(fd, pid, sizeof pid, 0);
    size_t digits = 0;

    while (n > 0 && digits < (size_t)n && pid[digits] >= '0' && pid[digits] <= '9')
        digits++;
    if (digits == 0)
        return fed_diag_set(diag, FED_ERR_BUSY, "%s is held by another process", path);
    return fed_diag_set(diag, FED_ERR_BUSY, "%s is held by process %.*s", path, (int)digits, pid);
}

/* For the message above only: the lock holds without it, as on a full disk. */
static void write_pid(int fd)
{
    char pid[24];
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());

    if (n > 0 && ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)n, 0) < 0)
        (void)ftruncate(fd, 0);
}

static enum fed_err fs_lock(
    void *ctx, const char *path, struct fed_fs_lock **out, struct fed_diag *diag)
{
    struct fed_alloc *mem = ctx;
    struct fed_fs_lock *lock = fed_alloc_get(mem, sizeof *lock);
    enum fed_err err;

    if (!lock)
        return fed_diag_set(diag, FED_ERR_NOMEM, "cannot lock %s: out of memory", path);
    lock->fd = open_retry(path, O_RDWR | O_CREAT, 0600);
    if (lock->fd < 0) {
        err = fed_os_err_set(diag, "cannot open", path);
        fed_alloc_free(mem, lock, sizeof *lock);
        return err;
    }
    if (try_lock(lock->fd)) {
        err = errno == EWOULDBLOCK ? report_holder(lock->fd, path, diag)
                                   : fed_os_err_set(diag, "cannot lock", path);
        close(lock->fd);
        fed_alloc_free(mem, lock, sizeof *lock);
        return err;
    }
    write_pid(lock->fd);
    *out = lock;
    return FED_OK;
}

/* The file stays: removing it would let a third process lock a file that nobody else can see. */
static void fs_unlock(void *ctx, struct fed_fs_lock *lock)
{
    if (!lock)
        return;
    close(lock->fd);
    fed_alloc_free(ctx, lock, sizeof *lock);
}

/* ---- files that only grow ---- */

struct fed_fs_file {
    int fd;
    off_t size;
};

static enum fed_err take_part(int fd, const char *path, uint64_t offset, size_t max,
    struct fed_buf *out, struct fed_diag *diag)
{
    uint8_t *room = fed_buf_room(out, max);
    size_t got = 0;

    if (!room)
        return fed_diag_set(diag, fed_buf_err(out), "cannot read %s: no room", path);
    while (got < max) {
        ssize_t n = pread(fd, room + got, max - got, (off_t)(offset + got));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fed_os_err_set(diag, "cannot read", path);
        if (n == 0)
            break;
        got += (size_t)n;
    }
    fed_buf_grew(out, got);
    return FED_OK;
}

static enum fed_err fs_read_part(void *ctx, const char *path, uint64_t offset, size_t max,
    struct fed_buf *out, uint64_t *size, struct fed_diag *diag)
{
    int fd = open_retry(path, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0);
    enum fed_err err = FED_OK;
    struct stat st;

    (void)ctx;
    if (fd < 0)
        return fed_os_err_set(diag, "cannot open", path);
    if (fstat(fd, &st))
        err = fed_os_err_set(diag, "cannot use", path);
    else if (!S_ISREG(st.st_mode))
        err = fed_diag_set(diag, FED_ERR_INVALID, "%s is not a plain file", path);
    else if (max > 0 && offset <= (uint64_t)INT64_MAX - max)
        err = take_part(fd, path, offset, max, out, diag);
    close(fd);
    if (!err)
        *size = (uint64_t)st.st_size;
    return err;
}

static enum fed_err fs_append_open(void *ctx, const char *path, unsigned mode,
    struct fed_fs_file **out, uint64_t *size, struct fed_diag *diag)
{
    struct fed_alloc *mem = ctx;
    struct fed_fs_file *file = fed_alloc_zero(mem, sizeof *file);
    struct stat st;
    enum fed_err err = FED_OK;

    if (!file)
        return fed_diag_set(diag, FED_ERR_NOMEM, "cannot open %s: out of memory", path);
    file->fd = open_retry(
        path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, (mode_t)mode);
    if (file->fd < 0)
        err = fed_os_err_set(diag, "cannot open", path);
    else if (fstat(file->fd, &st))
        err = fed_os_err_set(diag, "cannot use", path);
    else if (!S_ISREG(st.st_mode))
        err = fed_diag_set(diag, FED_ERR_INVALID, "%s is not a plain file", path);
    else if (fchmod(file->fd, (mode_t)mode))
        err = fed_os_err_set(diag, "cannot set the mode of", path);
    if (err) {
        if (file->fd >= 0)
            close(file->fd);
        fed_alloc_free(mem, file, sizeof *file);
        return err;
    }
    file->size = st.st_size;
    *size = (uint64_t)st.st_size;
    *out = file;
    return FED_OK;
}

static enum fed_err fs_append(
    void *ctx, struct fed_fs_file *file, struct fed_span bytes, struct fed_diag *diag)
{
    (void)ctx;
    if (write_all(file->fd, bytes)) {
        enum fed_err err = fed_os_err_set(diag, "cannot add to", "the file");

        if (ftruncate(file->fd, file->size))
            return fed_diag_prefix(diag, err, "half a record stays");
        return err;
    }
    file->size += (off_t)bytes.len;
    return FED_OK;
}

static void fs_append_close(void *ctx, struct fed_fs_file *file)
{
    if (!file)
        return;
    close(file->fd);
    fed_alloc_free(ctx, file, sizeof *file);
}

static enum fed_err fs_rename(void *ctx, const char *from, const char *to, struct fed_diag *diag)
{
    (void)ctx;
    return rename(from, to) ? fed_os_err_set(diag, "cannot rename", from) : FED_OK;
}

struct fed_fs fed_fs_posix(struct fed_alloc *mem)
{
    return (struct fed_fs){
        .ctx = mem,
        .read = fs_read,
        .read_part = fs_read_part,
        .write = fs_write,
        .remove = fs_remove,
        .make_dir = fs_make_dir,
        .lock = fs_lock,
        .unlock = fs_unlock,
        .append_open = fs_append_open,
        .append = fs_append,
        .append_close = fs_append_close,
        .rename = fs_rename,
        .name = fs_name,
        .touch = fs_touch,
    };
}
