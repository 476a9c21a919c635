/* host.c - see ports/host.h. */
#include "ports/host.h"

#include "ports/posix/os_err.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

uint64_t fed_host_file_bytes(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}

bool fed_host_is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

enum fed_err fed_host_space(
    const char *path, uint64_t *free_bytes, uint64_t *free_files, struct fed_diag *diag)
{
    struct statvfs fs;

    if (statvfs(path, &fs))
        return fed_os_err_set(diag, "cannot look at", path);
    *free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    /* File systems that make them as they are needed say 0 of 0. */
    *free_files = fs.f_files == 0 ? UINT64_MAX : (uint64_t)fs.f_favail;
    return FED_OK;
}

uint64_t fed_host_memory_kib(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    unsigned long long kib = 0;

    while (file && kib == 0 && fgets(line, sizeof line, file))
        if (strncmp(line, "MemAvailable:", 13) == 0)
            kib = strtoull(line + 13, NULL, 10);
    if (file)
        fclose(file);
    return kib;
}

bool fed_host_is_root(void)
{
    return geteuid() == 0;
}

/* ---- installing ---- */

static bool same_content(int a, int b)
{
    char one[4096];
    char two[4096];
    ssize_t n;

    do {
        n = read(a, one, sizeof one);
        if (n < 0 || read(b, two, sizeof two) != n || memcmp(one, two, (size_t)n) != 0)
            return false;
    } while (n > 0);
    return true;
}

static bool is_copy(int from, const char *to, unsigned mode)
{
    struct stat st;
    int fd = open(to, O_RDONLY | O_CLOEXEC);
    bool same =
        fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == mode && same_content(from, fd);

    if (fd >= 0)
        close(fd);
    return same;
}

static int copy_bytes(int from, int to)
{
    char part[16384];
    ssize_t n;

    while ((n = read(from, part, sizeof part)) > 0)
        for (ssize_t at = 0; at < n;) {
            ssize_t wrote = write(to, part + at, (size_t)(n - at));

            if (wrote < 0 && errno != EINTR)
                return -1;
            at += wrote > 0 ? wrote : 0;
        }
    return n < 0 ? -1 : fsync(to);
}

enum fed_err fed_host_copy(
    const char *from, const char *to, unsigned mode, bool *changed, struct fed_diag *diag)
{
    char beside[PATH_MAX];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out;
    int failed;

    *changed = false;
    if (in < 0)
        return fed_os_err_set(diag, "cannot open", from);
    if (is_copy(in, to, mode)) {
        close(in);
        return FED_OK;
    }
    /* A program that runs cannot be written to: the new file takes its name. */
    snprintf(beside, sizeof beside, "%.4000s.new", to);
    out = lseek(in, 0, SEEK_SET) == 0
              ? open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
              : -1;
    failed = out < 0 || copy_bytes(in, out) || fchmod(out, mode) || rename(beside, to);
    if (failed)
        fed_os_err_set(diag, "cannot write", to);
    if (out >= 0)
        close(out);
    if (failed)
        (void)unlink(beside);
    close(in);
    *changed = !failed;
    return failed ? FED_ERR_IO : FED_OK;
}

enum fed_err fed_host_link(
    const char *target, const char *path, bool *changed, struct fed_diag *diag)
{
    char is[PATH_MAX];
    ssize_t n = readlink(path, is, sizeof is - 1);

    *changed = false;
    if (n >= 0) {
        is[n] = '\0';
        if (strcmp(is, target) == 0)
            return FED_OK;
        (void)unlink(path);
    }
    if (symlink(target, path))
        return fed_os_err_set(diag, "cannot make the link", path);
    *changed = true;
    return FED_OK;
}

enum fed_err fed_host_remove(const char *path, bool *changed, struct fed_diag *diag)
{
    *changed = remove(path) == 0;
    if (!*changed && errno != ENOENT && errno != ENOTDIR)
        return fed_os_err_set(diag, "cannot remove", path);
    return FED_OK;
}

enum fed_err fed_host_program(char *out, size_t size, struct fed_diag *diag)
{
    ssize_t n = readlink("/proc/self/exe", out, size - 1);

    if (n <= 0)
        return fed_os_err_set(diag, "cannot find out about", "/proc/self/exe");
    out[n] = '\0';
    return FED_OK;
}

/* ---- other programs ---- */

static enum fed_err take_output(int fd, struct fed_buf *out)
{
    char part[4096];
    ssize_t n;

    while ((n = read(fd, part, sizeof part)) != 0) {
        if (n < 0 && errno != EINTR)
            return FED_ERR_IO;
        if (n > 0 && out)
            fed_buf_put(out, fed_span_of(part, (size_t)n));
    }
    return out ? fed_buf_err(out) : FED_OK;
}

/* In the child. */
static void become(const char *const *argv, int out)
{
    int null = open("/dev/null", O_RDONLY);

    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0)
        execvp(argv[0], (char *const *)argv);
    _exit(127); /* as a shell says that there is none */
}

enum fed_err fed_host_run(const char *const *argv, struct fed_buf *out, struct fed_diag *diag)
{
    enum fed_err err;
    int ends[2];
    int status = 0;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC))
        return fed_os_err_set(diag, "cannot run", argv[0]);
    pid = fork();
    if (pid == 0)
        become(argv, ends[1]);
    close(ends[1]);
    err = pid < 0 ? fed_os_err_set(diag, "cannot run", argv[0]) : take_output(ends[0], out);
    close(ends[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!err && status != 0)
        err = fed_diag_set(diag, FED_ERR_IO, "%s %s ended with %d", argv[0], argv[1],
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return err;
}
