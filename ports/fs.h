/* fs.h - the few files that we read and write whole, and the lock that keeps a directory to one
 * process. */
#ifndef FEDLET_PORTS_FS_H
#define FEDLET_PORTS_FS_H

#include "proto/base/buf.h"

struct fed_fs_lock;

struct fed_fs {
    void *ctx;
    /* Appends the file's content. FED_ERR_NOT_FOUND, FED_ERR_FORBIDDEN, FED_ERR_LIMIT (buf's own),
     * FED_ERR_IO. */
    enum fed_err (*read)(void *ctx, const char *path, struct fed_buf *out, struct fed_diag *diag);
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
};

/* ports/posix */
struct fed_fs fed_fs_posix(struct fed_alloc *mem);

#endif
