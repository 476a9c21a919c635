/* fs.h - the few files that we read and write whole, and the lock that keeps a directory to one
 * process. */
#ifndef FEDLET_PORTS_FS_H
#define FEDLET_PORTS_FS_H

#include "proto/base/buf.h"

#define FED_FS_NAME_MAX 128u

struct fed_fs_lock;
struct fed_fs_file; /* one that only grows */

struct fed_fs {
    void *ctx;
    /* Appends the file's content. FED_ERR_NOT_FOUND, FED_ERR_FORBIDDEN, FED_ERR_LIMIT (buf's own),
     * FED_ERR_IO. */
    enum fed_err (*read)(void *ctx, const char *path, struct fed_buf *out, struct fed_diag *diag);
    /* Appends at most max bytes from an offset on, fewer only at the end; *size: of the whole file.
     * Refuses what is no plain file. FED_ERR_NOT_FOUND, FED_ERR_IO, buf's own. May be NULL. */
    enum fed_err (*read_part)(void *ctx, const char *path, uint64_t offset, size_t max,
        struct fed_buf *out, uint64_t *size, struct fed_diag *diag);
    /* Replaces atomically and durably: temporary file, fsync, rename, fsync of the folder. mode
     * e.g. 0600. FED_ERR_FULL when the disk is. */
    enum fed_err (*write)(
        void *ctx, const char *path, struct fed_span bytes, unsigned mode, struct fed_diag *diag);
    enum fed_err (*remove)(
        void *ctx, const char *path, struct fed_diag *diag); /* FED_OK when it was not there */
    /* Makes the folder and its parents with mode; FED_OK when it is there. Checks that it is
     * writable. */
    enum fed_err (*make_dir)(void *ctx, const char *path, unsigned mode, struct fed_diag *diag);
    /* Takes an exclusive lock on the file (made when absent). FED_ERR_BUSY when another process
     * holds it; diag then names its pid. */
    enum fed_err (*lock)(
        void *ctx, const char *path, struct fed_fs_lock **out, struct fed_diag *diag);
    void (*unlock)(void *ctx, struct fed_fs_lock *lock); /* NULL is fine */
    /* Opens a file for adding at its end, made with mode when absent. size: bytes in it. Refuses
     * what is no plain file. */
    enum fed_err (*append_open)(void *ctx, const char *path, unsigned mode,
        struct fed_fs_file **out, uint64_t *size, struct fed_diag *diag);
    /* Adds all or nothing (what was added in part is cut off again), in one system call where the
     * disk takes it, without sync: it survives the process, not a power cut. FED_ERR_FULL,
     * FED_ERR_IO. */
    enum fed_err (*append)(
        void *ctx, struct fed_fs_file *file, struct fed_span bytes, struct fed_diag *diag);
    void (*append_close)(void *ctx, struct fed_fs_file *file); /* NULL is fine */
    /* Replaces what is at `to`. FED_ERR_NOT_FOUND when there is no `from`. */
    enum fed_err (*rename)(void *ctx, const char *from, const char *to, struct fed_diag *diag);
    /* Appends what names this very file as it is now, while the machine runs: a copy of it has
     * another name, and so has the file itself after it was written, was put back from a copy,
     * moved, or its owner or mode changed, and after a restart of the machine. At most
     * FED_FS_NAME_MAX bytes. FED_ERR_NOT_FOUND, FED_ERR_IO. */
    enum fed_err (*name)(void *ctx, const char *path, struct fed_buf *out, struct fed_diag *diag);
    /* Gives the file a name that it never had; its content stays. May wait for the file system's
     * clock, a tenth of a second at most. FED_ERR_NOT_FOUND, FED_ERR_FORBIDDEN, FED_ERR_IO,
     * FED_ERR_UNSUPPORTED where that clock stands still for longer. */
    enum fed_err (*touch)(void *ctx, const char *path, struct fed_diag *diag);
};

/* ports/posix */
struct fed_fs fed_fs_posix(struct fed_alloc *mem);

#endif
