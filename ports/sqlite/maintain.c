/* maintain.c - compaction, verification, backup, epochs. */
#include "ports/sqlite/store.h"
#include "ports/sqlite/sum.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* ---- compaction and epoch: small transactions of their own ---- */

static int log_number(
    struct fed_sqlite_store *store, enum fed_statement which, uint64_t below, uint64_t *out)
{
    sqlite3_stmt *statement = fed_statement_take(store, which);
    int rc;

    if (!statement)
        return sqlite3_extended_errcode(store->db);
    rc = sqlite3_bind_int64(statement, 1, (int64_t)(below << FED_DATABASE_LOG_SHIFT));
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *out = (uint64_t)sqlite3_column_int64(statement, 0);
    fed_statement_give(store, which, statement);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int fed_sqlite_forget(struct fed_sqlite_store *store, uint64_t revision, uint64_t *bytes)
{
    int rc = log_number(store, FED_STATEMENT_LOG_BYTES, revision + 1, bytes);
    uint64_t none;

    return rc == SQLITE_OK ? log_number(store, FED_STATEMENT_COMPACT, revision + 1, &none) : rc;
}

/* Forgets history and writes up to three numbers with that, in a transaction of its own. */
static int forget_durably(
    struct fed_sqlite_store *store, uint64_t compacted, uint64_t revision, uint32_t epoch)
{
    uint64_t bytes = 0;
    int rc = fed_statement_run(store, FED_STATEMENT_BEGIN);

    if (rc == SQLITE_OK)
        rc = fed_sqlite_forget(store, compacted, &bytes);
    if (rc == SQLITE_OK)
        rc = fed_statement_meta(store, "compacted", (int64_t)compacted);
    if (rc == SQLITE_OK)
        rc = fed_statement_meta(store, "revision", (int64_t)revision);
    if (rc == SQLITE_OK)
        rc = fed_statement_meta(store, "epoch", epoch);
    if (rc == SQLITE_OK && store->history)
        rc = fed_statement_meta(store, "log_bytes", (int64_t)(store->log_bytes - bytes));
    if (rc == SQLITE_OK)
        rc = fed_statement_run(store, FED_STATEMENT_COMMIT);
    if (rc != SQLITE_OK)
        return rc;
    store->compacted = compacted;
    store->epoch = epoch;
    store->revision = store->durable = revision;
    store->log_bytes = store->durable_log_bytes = store->log_bytes - bytes;
    return SQLITE_OK;
}

enum fed_err fed_sqlite_compact(void *ctx, uint64_t revision)
{
    struct fed_sqlite_store *store = ctx;
    enum fed_err err;
    int rc;

    if (!store->history)
        return FED_ERR_UNSUPPORTED;
    if (store->reading)
        return FED_ERR_BUSY;
    if (revision > store->revision)
        return FED_ERR_INVALID;
    if (revision <= store->compacted)
        return FED_OK;
    err = fed_sqlite_flush(store, NULL);
    if (err)
        return err;
    rc = forget_durably(store, revision, store->revision, store->epoch);
    if (rc == SQLITE_OK)
        return FED_OK;
    err = fed_database_err(store->db, rc);
    fed_sqlite_undo(store);
    return err;
}

enum fed_err fed_sqlite_store_set_epoch(
    struct fed_sqlite_store *store, uint32_t epoch, struct fed_diag *diag)
{
    enum fed_err err = fed_sqlite_flush(store, diag);
    uint64_t revision = store->revision;
    int rc;

    if (err)
        return err;
    if (store->history)
        revision += FED_SQLITE_EPOCH_JUMP;
    rc = forget_durably(store, store->history ? revision : 0, revision, epoch);
    if (rc == SQLITE_OK)
        return FED_OK;
    err = fed_database_err_set(diag, store->db, rc, store->path, "cannot set the epoch");
    fed_sqlite_undo(store);
    return err;
}

/* ---- verification ---- */

struct invariant {
    const char *finds; /* counts what breaks it */
    const char *text;
    bool of_history; /* columns that a log without history lacks */
};

static const struct invariant invariants[] = {
    {"SELECT count(*) FROM item WHERE revision>(SELECT value FROM meta WHERE name='revision')"
     " OR revision<2",
        "keys with an impossible revision", false},
    {"SELECT count(*) FROM item WHERE length(key) NOT BETWEEN 1 AND 1024"
     " OR typeof(key)<>'blob' OR typeof(value)<>'blob'",
        "items of a wrong form", false},
    {"SELECT count(*) FROM log"
     " WHERE id>>16>(SELECT value FROM meta WHERE name='revision')"
     " OR id>>16<=(SELECT value FROM meta WHERE name='compacted')",
        "changes with an impossible revision", false},
    {"SELECT (SELECT value FROM meta WHERE name='history') *"
     " ((SELECT count(*) FROM item"
     "   WHERE revision>(SELECT value FROM meta WHERE name='compacted'))"
     " -(SELECT count(*) FROM log CROSS JOIN item ON item.key=log.key"
     "   WHERE log.id>>16=item.revision AND log.value=item.value AND NOT deleted))",
        "keys whose last change is not in the log", false},
    {"SELECT count(*) FROM (SELECT key, max(id) AS id, deleted FROM log GROUP BY key) AS last"
     " LEFT JOIN item ON item.key=last.key WHERE last.deleted <> (item.key IS NULL)",
        "keys that are there though their last change removed them, or the reverse", false},
    {"SELECT count(*) FROM log CROSS JOIN log AS last ON last.id="
     " (SELECT max(id) FROM log AS earlier WHERE earlier.key=log.key AND earlier.id<log.id)"
     " WHERE log.before_revision IS NOT (CASE WHEN last.deleted THEN 0 ELSE last.id>>16 END)"
     " OR (NOT log.deleted AND log.before IS NOT"
     " (CASE WHEN last.deleted THEN NULL ELSE last.value END))",
        "changes that do not follow the one before them", true},
    {"SELECT (SELECT value FROM meta WHERE name='log_bytes')"
     " -(SELECT coalesce(sum" FED_DATABASE_LOG_BYTES ",0) FROM log)",
        "bytes of history that are not counted", true},
};

enum fed_err fed_sqlite_store_verify(struct fed_sqlite_store *store, struct fed_diag *diag)
{
    sqlite3_stmt *statement = NULL;
    enum fed_err err = fed_sqlite_flush(store, diag);
    int rc;

    if (err)
        return err;
    rc = sqlite3_prepare_v2(store->db, "PRAGMA integrity_check(1)", -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc != SQLITE_ROW) {
        err = fed_database_err_set(diag, store->db, rc, store->path, "cannot check");
    } else {
        const char *text = (const char *)sqlite3_column_text(statement, 0);

        if (!text || strcmp(text, "ok") != 0)
            err = fed_diag_set(
                diag, FED_ERR_CORRUPT, "%s: is damaged: %s", store->path, text ? text : "no text");
    }
    sqlite3_finalize(statement);
    for (size_t i = 0; i < sizeof invariants / sizeof invariants[0] && !err; i++) {
        int64_t n = 0;

        if (invariants[i].of_history && !store->history)
            continue;

        err = fed_database_number(store->db, store->path, invariants[i].finds, &n, diag);
        if (!err && n != 0)
            err = fed_diag_set(diag, FED_ERR_CORRUPT, "%s: is damaged: %" PRId64 " %s", store->path,
                n, invariants[i].text);
    }
    return err;
}

/* ---- backup ---- */

static enum fed_err copy_into(
    struct fed_sqlite_store *store, sqlite3 *to, const char *path, struct fed_diag *diag)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", store->db, "main");
    int rc;

    if (!backup)
        return fed_database_err_set(diag, to, sqlite3_extended_errcode(to), path, "cannot copy");
    rc = sqlite3_backup_step(backup, -1);
    sqlite3_backup_finish(backup);
    if (rc != SQLITE_DONE)
        return fed_database_err_set(diag, to, rc, path, "cannot copy");
    return FED_OK;
}

static enum fed_err backup_to(
    struct fed_sqlite_store *store, const char *temporary, const char *path, struct fed_diag *diag)
{
    sqlite3 *to = NULL;
    int rc;
    enum fed_err err;

    fed_database_remove(store->mem, temporary);
    rc = sqlite3_open_v2(temporary, &to,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE,
        store->history ? NULL : FED_SUM_VFS);
    if (rc != SQLITE_OK)
        err = fed_database_err_set(diag, to, rc, temporary, "cannot create");
    else
        err = copy_into(store, to, temporary, diag);
    rc = sqlite3_close(to);
    if (!err && rc != SQLITE_OK)
        err = fed_database_err_set(diag, NULL, rc, temporary, "cannot close");
    if (!err)
        err = fed_database_publish(temporary, path, diag);
    if (err)
        fed_database_remove(store->mem, temporary);
    return err;
}

enum fed_err fed_sqlite_store_backup(
    struct fed_sqlite_store *store, const char *path, struct fed_diag *diag)
{
    struct stat st;
    size_t size;
    char *temporary;
    enum fed_err err;

    if (lstat(path, &st) == 0)
        return fed_diag_set(
            diag, FED_ERR_EXISTS, "%s: exists already; name a new file for the backup", path);
    err = fed_sqlite_flush(store, diag);
    if (err)
        return err;
    temporary = fed_database_path(store->mem, path, ".new", &size);
    if (!temporary)
        return fed_diag_set(diag, FED_ERR_NOMEM, "%s: out of memory", path);
    err = backup_to(store, temporary, path, diag);
    fed_alloc_free(store->mem, temporary, size);
    return err;
}
