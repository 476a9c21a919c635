/* store_file.h - the store's file in the data directory: its path, its lock, how it is opened. */
#ifndef FEDLET_HUB_STORE_FILE_H
#define FEDLET_HUB_STORE_FILE_H

#include "hub/options.h"
#include "ports/crypto.h"
#include "ports/fs.h"
#include "ports/store.h"

#define HUB_STORE_PATH_MAX 640u
#define HUB_CA_LOCK_FILE "ca.lock"
#define HUB_STORE_APPLICATION_ID 0x46656448u /* "FedH" in the file's header */

/* DIR/name. FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err hub_store_path(const struct hub_options *options, const char *name,
    char out[HUB_STORE_PATH_MAX], struct fed_diag *diag);
/* Makes the directory and takes its lock. FED_ERR_BUSY. */
FED_MUST_USE enum fed_err hub_store_lock(struct fed_fs *fs, const struct hub_options *options,
    struct fed_fs_lock **out, struct fed_diag *diag);
/* The lock on the files of the CA: of `fedhub ca` while it runs, and of a hub while it reads them
 * at its start, when it may complete or clean up what the other has begun. Waits up to 5 s.
 * FED_ERR_BUSY. */
FED_MUST_USE enum fed_err hub_ca_lock(struct fed_fs *fs, const struct hub_options *options,
    struct fed_fs_lock **out, struct fed_diag *diag);
FED_MUST_USE enum fed_err hub_store_random(struct fed_crypto *crypto, uint32_t *out);
FED_MUST_USE enum fed_err hub_store_open(struct fed_alloc *mem, struct fed_crypto *crypto,
    const struct hub_options *options, const char *path, struct fed_sqlite_store **out,
    struct fed_diag *diag);

#endif
