/* store.c - the store's life, and its statements; see ports/store.h and store.h. */
#include "ports/sqlite/store.h"

#include <string.h>

/* ---- statements ---- */

static const char *statement_text(enum fed_statement which)
{
    static const char *const texts[] = {
#define FED_STATEMENT_TEXT(name, text) text,
        FED_STATEMENT_LIST(FED_STATEMENT_TEXT)
#undef FED_STATEMENT_TEXT
    };

    return texts[which];
}

sqlite3_stmt *fed_statement_take(struct fed_sqlite_store *store, enum fed_statement which)
{
    sqlite3_stmt *statement = store->statements[which];

    if (statement) {
        store->statements[which] = NULL;
        return statement;
    }
    if (sqlite3_prepare_v3(store->db, statement_text(which), -1, SQLITE_PREPARE_PERSISTENT,
            &statement, NULL) != SQLITE_OK)
        return NULL;
    return statement;
}

void fed_statement_give(
    struct fed_sqlite_store *store, enum fed_statement which, sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (store->statements[which])
        sqlite3_finalize(statement);
    else
        store->statements[which] = statement;
}

int fed_statement_bind(sqlite3_stmt *statement, int at, struct fed_span bytes)
{
    /* A null pointer would bind NULL instead of the empty blob. */
    return sqlite3_bind_blob64(
        statement, at, bytes.len ? (const void *)bytes.at : "", bytes.len, SQLITE_STATIC);
}

int fed_statement_run(struct fed_sqlite_store *store, enum fed_statement which)
{
    sqlite3_stmt *statement = fed_statement_take(store, which);
    int rc;

    if (!statement)
        return sqlite3_extended_errcode(store->db);
    rc = sqlite3_step(statement);
    fed_statement_give(store, which, statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

struct fed_span fed_statement_blob(sqlite3_stmt *statement, int column)
{
    const void *at = sqlite3_column_blob(statement, column);
    int len = sqlite3_column_bytes(statement, column);

    return fed_span_of(at, at && len > 0 ? (size_t)len : 0);
}

int fed_statement_meta(struct fed_sqlite_store *store, const char *name, int64_t value)
{
    sqlite3_stmt *statement = fed_statement_take(store, FED_STATEMENT_META_SET);
    int rc;

    if (!statement)
        return sqlite3_extended_errcode(store->db);
    rc = sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(statement, 2, value);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    fed_statement_give(store, FED_STATEMENT_META_SET, statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* ---- life ---- */

static uint64_t store_revision(void *ctx)
{
    struct fed_sqlite_store *store = ctx;

    return store->revision;
}

static uint32_t store_epoch(void *ctx)
{
    struct fed_sqlite_store *store = ctx;

    return store->epoch;
}

static enum fed_err read_counters(struct fed_sqlite_store *store, struct fed_diag *diag)
{
    int64_t revision = 0;
    int64_t compacted = 0;
    int64_t epoch = 0;
    int64_t log_bytes = 0;
    enum fed_err err = fed_database_number(
        store->db, store->path, "SELECT value FROM meta WHERE name='revision'", &revision, diag);

    if (!err)
        err = fed_database_number(store->db, store->path,
            "SELECT value FROM meta WHERE name='compacted'", &compacted, diag);
    if (!err)
        err = fed_database_number(
            store->db, store->path, "SELECT value FROM meta WHERE name='epoch'", &epoch, diag);
    if (!err && store->history)
        err = fed_database_number(store->db, store->path,
            "SELECT value FROM meta WHERE name='log_bytes'", &log_bytes, diag);
    if (err)
        return err;
    if (revision < 1 || compacted < 0 || compacted > revision || epoch < 0 || epoch > UINT32_MAX ||
        log_bytes < 0)
        return fed_diag_set(diag, FED_ERR_CORRUPT,
            "%s: impossible revision, epoch or compaction; move it away and restore a backup",
            store->path);
    store->revision = (uint64_t)revision;
    store->durable = store->revision;
    store->durable_log_bytes = (uint64_t)log_bytes;
    store->log_bytes = store->durable_log_bytes;
    store->compacted = (uint64_t)compacted;
    store->epoch = (uint32_t)epoch;
    return FED_OK;
}

static void set_port(struct fed_sqlite_store *store)
{
    store->port = (struct fed_store){
        .ctx = store,
        .revision = store_revision,
        .epoch = store_epoch,
        .get = fed_sqlite_get,
        .range = fed_sqlite_range,
        .count = fed_sqlite_count,
        .range_at = fed_sqlite_range_at,
        .count_at = fed_sqlite_count_at,
        .commit = fed_sqlite_commit,
        .stage = fed_sqlite_stage,
        .flush = fed_sqlite_flush,
        .staged = fed_sqlite_staged,
        .undo = fed_sqlite_undo,
        .changes = fed_sqlite_changes,
        .compact = fed_sqlite_compact,
    };
}

enum fed_err fed_sqlite_store_open(struct fed_alloc *mem, const char *path,
    const struct fed_sqlite_options *options, struct fed_sqlite_store **out, struct fed_diag *diag)
{
    struct fed_sqlite_store *store = fed_alloc_zero(mem, sizeof *store);
    enum fed_err err = FED_ERR_NOMEM;

    if (!store)
        return fed_diag_set(diag, FED_ERR_NOMEM, "%s: out of memory", path);
    store->mem = mem;
    store->history = options->history;
    store->log_bytes_max = (uint64_t)options->history_kib * 1024u;
    set_port(store);
    store->path = fed_database_path(mem, path, "", &store->path_size);
    if (store->path)
        err = fed_database_open(mem, path, options, &store->db, diag);
    else
        fed_diag_set(diag, err, "%s: out of memory", path);
    if (!err)
        err = read_counters(store, diag);
    if (err) {
        fed_sqlite_store_close(store);
        return err;
    }
    *out = store;
    return FED_OK;
}

void fed_sqlite_store_close(struct fed_sqlite_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < FED_STATEMENT_N; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    fed_alloc_free(store->mem, store->path, store->path_size);
    fed_alloc_free(store->mem, store, sizeof *store);
}

struct fed_store *fed_sqlite_store_port(struct fed_sqlite_store *store)
{
    return &store->port;
}
