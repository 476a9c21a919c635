/* store_file.c - see store_file.h. */
#include "hub/store_file.h"

#include <stdio.h>
#include <time.h>

#define CA_LOCK_TRIES 50
#define CA_LOCK_PAUSE_NS 100000000

enum fed_err hub_store_path(const struct hub_options *options, const char *name,
    char out[HUB_STORE_PATH_MAX], struct fed_diag *diag)
{
    int n = snprintf(out, HUB_STORE_PATH_MAX, "%s/%s", options->data_dir, name);

    return n > 0 && (size_t)n < HUB_STORE_PATH_MAX
               ? FED_OK
               : fed_diag_set(diag, FED_ERR_LIMIT, "data-dir: the path is too long");
}

enum fed_err hub_store_lock(struct fed_fs *fs, const struct hub_options *options,
    struct fed_fs_lock **out, struct fed_diag *diag)
{
    char path[HUB_STORE_PATH_MAX];
    enum fed_err err = hub_store_path(options, "lock", path, diag);

    if (!err)
        err = fs->make_dir(fs->ctx, options->data_dir, 0700, diag);
    if (!err)
        err = fs->lock(fs->ctx, path, out, diag);
    if (err == FED_ERR_BUSY)
        fed_diag_prefix(diag, err, "the data directory is in use");
    return err;
}

/* Either holds it for a moment, and neither serves anybody yet. */
enum fed_err hub_ca_lock(struct fed_fs *fs, const struct hub_options *options,
    struct fed_fs_lock **out, struct fed_diag *diag)
{
    static const struct timespec pause = {.tv_nsec = CA_LOCK_PAUSE_NS};
    char path[HUB_STORE_PATH_MAX];
    enum fed_err err = hub_store_path(options, HUB_CA_LOCK_FILE, path, diag);

    if (err)
        return err;
    err = fs->lock(fs->ctx, path, out, diag);
    for (int i = 0; err == FED_ERR_BUSY && i < CA_LOCK_TRIES; i++) {
        (void)nanosleep(&pause, NULL);
        err = fs->lock(fs->ctx, path, out, diag);
    }
    return err == FED_ERR_BUSY
               ? fed_diag_prefix(diag, err, "the CA's files are in use by `fedhub ca` or a start")
               : err;
}

enum fed_err hub_store_random(struct fed_crypto *crypto, uint32_t *out)
{
    uint8_t bytes[4];
    enum fed_err err = crypto->random(crypto->ctx, bytes, sizeof bytes);

    if (!err)
        *out = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
               bytes[3];
    return err;
}

enum fed_err hub_store_open(struct fed_alloc *mem, struct fed_crypto *crypto,
    const struct hub_options *options, const char *path, struct fed_sqlite_store **out,
    struct fed_diag *diag)
{
    struct fed_sqlite_options sqlite = {
        .history = true,
        .application_id = HUB_STORE_APPLICATION_ID,
        .cache_kib = (uint32_t)options->store_cache_kib,
        .history_kib = (uint32_t)options->history_kib,
    };
    enum fed_err err = hub_store_random(crypto, &sqlite.new_epoch);

    return err ? err : fed_sqlite_store_open(mem, path, &sqlite, out, diag);
}
