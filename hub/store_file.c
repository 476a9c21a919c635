/* store_file.c - see store_file.h. */
#include "hub/store_file.h"

#include <stdio.h>

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
