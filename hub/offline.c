/* offline.c - verify, backup, restore: the store without the service. */
#include "hub/serve.h"

#include "hub/store_file.h"
#include "ports/crypto.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct offline {
    struct fed_alloc *mem;
    struct fed_fs fs;
    struct fed_crypto crypto;
    struct fed_fs_lock *lock;
    char path[HUB_STORE_PATH_MAX];
};

static enum fed_err check_readable(const char *path, struct fed_diag *diag)
{
    return access(path, R_OK) == 0 ? FED_OK
                                   : fed_diag_set(diag, FED_ERR_NOT_FOUND, "%s: cannot be read: %s",
                                         path, strerror(errno));
}

/* must: there is a store already; nothing is made where there is none. */
static enum fed_err offline_open(struct offline *o, const struct hub_options *options, bool must,
    bool lock, struct fed_diag *diag)
{
    enum fed_err err;

    *o = (struct offline){.mem = fed_alloc_system()};
    o->fs = fed_fs_posix(o->mem);
    err = hub_store_path(options, "hub.db", o->path, diag);
    if (!err && must)
        err = check_readable(o->path, diag);
    if (!err)
        err = fed_tls_crypto_open(o->mem, &o->crypto, diag);
    if (!err && lock)
        err = hub_store_lock(&o->fs, options, &o->lock, diag);
    return err;
}

static void offline_close(struct offline *o)
{
    if (o->lock)
        o->fs.unlock(o->fs.ctx, o->lock);
    fed_tls_crypto_close(&o->crypto);
}

enum fed_err hub_store_verify(const struct hub_options *options, struct fed_diag *diag)
{
    struct fed_sqlite_store *store = NULL;
    struct offline o;
    enum fed_err err = offline_open(&o, options, true, true, diag);

    if (!err)
        err = hub_store_open(o.mem, &o.crypto, options, o.path, &store, diag);
    if (!err)
        err = fed_sqlite_store_verify(store, diag);
    fed_sqlite_store_close(store);
    offline_close(&o);
    return err;
}

enum fed_err hub_store_backup(
    const struct hub_options *options, const char *file, struct fed_diag *diag)
{
    struct fed_sqlite_store *store = NULL;
    struct offline o;
    enum fed_err err = offline_open(&o, options, true, false, diag);

    if (!err)
        err = hub_store_open(o.mem, &o.crypto, options, o.path, &store, diag);
    if (!err)
        err = fed_sqlite_store_backup(store, file, diag);
    fed_sqlite_store_close(store);
    offline_close(&o);
    return err;
}

static enum fed_err move(const char *from, const char *to, bool must, struct fed_diag *diag)
{
    if (rename(from, to) == 0 || !must)
        return FED_OK;
    return fed_diag_set(
        diag, FED_ERR_IO, "%s cannot be renamed to %s: %s", from, to, strerror(errno));
}

/* The present store and its log step aside; the new one takes their place. */
static enum fed_err swap(const char *path, const char *fresh, struct fed_diag *diag)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < sizeof suffixes / sizeof *suffixes; i++) {
        char from[HUB_STORE_PATH_MAX + 32];
        char to[HUB_STORE_PATH_MAX + 32];

        snprintf(from, sizeof from, "%s%s", path, suffixes[i]);
        snprintf(to, sizeof to, "%s.replaced%s", path, suffixes[i]);
        err = move(from, to, false, diag);
    }
    return err ? err : move(fresh, path, true, diag);
}

static enum fed_err give(const char *path, const struct stat *to, struct fed_diag *diag)
{
    return chown(path, to->st_uid, to->st_gid) == 0
               ? FED_OK
               : fed_diag_set(diag, FED_ERR_IO, "%s: cannot be given to user %lu", path,
                     (unsigned long)to->st_uid);
}

/* Whoever restores, often root, the store is for the one whose it was; where there was none, for
 * the owner of the folder. So is the lock, which this process may have made. */
static enum fed_err keep_owner(
    const char *path, const struct hub_options *options, const char *fresh, struct fed_diag *diag)
{
    char lock[HUB_STORE_PATH_MAX];
    struct stat was;
    bool replaces = stat(path, &was) == 0;
    enum fed_err err = hub_store_path(options, "lock", lock, diag);

    if (!err && !replaces && stat(options->data_dir, &was))
        err = fed_diag_set(diag, FED_ERR_IO, "%s: cannot be looked at", options->data_dir);
    if (!err)
        err = give(fresh, &was, diag);
    if (!err)
        err = give(lock, &was, diag);
    if (!err && replaces && chmod(fresh, was.st_mode & 07777))
        err = fed_diag_set(diag, FED_ERR_IO, "%s: cannot be given the mode of %s", fresh, path);
    return err;
}

static enum fed_err new_epoch(
    struct offline *o, struct fed_sqlite_store *store, struct fed_diag *diag)
{
    uint32_t epoch;
    enum fed_err err = hub_store_random(&o->crypto, &epoch);

    return err ? err : fed_sqlite_store_set_epoch(store, epoch, diag);
}

static enum fed_err restore(
    struct offline *o, const struct hub_options *options, const char *file, struct fed_diag *diag)
{
    struct fed_sqlite_store *store = NULL;
    char fresh[HUB_STORE_PATH_MAX];
    enum fed_err err = hub_store_path(options, "hub.db.restoring", fresh, diag);

    if (!err)
        err = o->fs.remove(o->fs.ctx, fresh, diag);
    if (!err)
        err = hub_store_open(o->mem, &o->crypto, options, file, &store, diag);
    if (!err)
        err = fed_sqlite_store_verify(store, diag);
    if (!err)
        err = fed_sqlite_store_backup(store, fresh, diag);
    fed_sqlite_store_close(store);
    if (err)
        return err;
    err = hub_store_open(o->mem, &o->crypto, options, fresh, &store, diag);
    if (err)
        return err;
    err = new_epoch(o, store, diag);
    fed_sqlite_store_close(store);
    if (!err)
        err = keep_owner(o->path, options, fresh, diag);
    return err ? err : swap(o->path, fresh, diag);
}

enum fed_err hub_store_restore(
    const struct hub_options *options, const char *file, struct fed_diag *diag)
{
    struct offline o;
    enum fed_err err = check_readable(file, diag);

    if (err)
        return err;
    err = offline_open(&o, options, false, true, diag);
    if (!err)
        err = restore(&o, options, file, diag);
    offline_close(&o);
    return err;
}
