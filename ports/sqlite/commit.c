/* commit.c - the one way in which the store changes.
 *
 * What is staged is an open transaction; the number of the last revision is written once, before
 * its COMMIT. A compare is checked before the commit's first write, so a refusal leaves the
 * transaction as it was; any other error ends it, and with it all that is staged. */
#include "ports/sqlite/store.h"

#include <inttypes.h>
#include <stdlib.h>

/* Of a commit under way. */
struct commit {
    struct fed_sqlite_store *store;
    uint64_t revision; /* the new one */
    uint32_t n;        /* changes so far */
    bool refused;      /* before anything was written */
    struct fed_diag *diag;
};

/* ---- what is refused before anything is touched ---- */

static enum fed_err check_key(struct fed_span key, struct fed_diag *diag)
{
    if (key.len == 0)
        return fed_diag_set(diag, FED_ERR_INVALID, "a key has at least one byte");
    if (key.len > FED_STORE_KEY_MAX)
        return fed_diag_set(
            diag, FED_ERR_LIMIT, "key of %zu bytes is longer than %u", key.len, FED_STORE_KEY_MAX);
    return FED_OK;
}

static int compare_ops(const void *a, const void *b)
{
    const struct fed_store_op *const *x = a;
    const struct fed_store_op *const *y = b;

    return fed_span_cmp((*x)->key, (*y)->key);
}

/* Whether a key occurs twice, by way of a sorted list of the operations. */
static enum fed_err check_once(
    struct fed_alloc *mem, const struct fed_store_op *ops, size_t n, struct fed_diag *diag)
{
    const struct fed_store_op **sorted;
    enum fed_err err = FED_OK;
    size_t ascending = 1;

    while (ascending < n && fed_span_cmp(ops[ascending - 1].key, ops[ascending].key) < 0)
        ascending++;
    if (ascending >= n)
        return FED_OK;
    sorted = fed_alloc_array(mem, n, sizeof *sorted);
    if (!sorted)
        return fed_diag_set(diag, FED_ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        sorted[i] = &ops[i];
    qsort(sorted, n, sizeof *sorted, compare_ops);
    for (size_t i = 1; i < n && !err; i++)
        if (fed_span_eq(sorted[i - 1]->key, sorted[i]->key))
            err = fed_diag_set(diag, FED_ERR_INVALID, "a commit changes the same key twice");
    fed_alloc_free(mem, sorted, n * sizeof *sorted);
    return err;
}

static enum fed_err check_ops(struct fed_alloc *mem, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops, struct fed_diag *diag)
{
    enum fed_err err = FED_OK;

    if (n_ops > FED_STORE_OPS_MAX || n_compares > FED_STORE_OPS_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "commit of more than %u operations or compares",
            FED_STORE_OPS_MAX);
    for (size_t i = 0; i < n_compares && !err; i++)
        err = check_key(compares[i].key, diag);
    for (size_t i = 0; i < n_ops && !err; i++) {
        err = check_key(ops[i].key, diag);
        if (!err && !ops[i].remove && ops[i].value.len > FED_STORE_VALUE_MAX)
            err = fed_diag_set(diag, FED_ERR_LIMIT, "value of %zu bytes is longer than %u",
                ops[i].value.len, FED_STORE_VALUE_MAX);
    }
    return err ? err : check_once(mem, ops, n_ops, diag);
}

/* ---- inside the transaction ---- */

static enum fed_err commit_err(struct commit *c, int rc)
{
    return fed_database_err_set(c->diag, c->store->db, rc, c->store->path, "cannot commit");
}

static enum fed_err compare_one(struct commit *c, const struct fed_store_compare *compare)
{
    sqlite3_stmt *row = fed_statement_take(c->store, FED_STATEMENT_GET_REVISION);
    uint64_t revision = 0;
    int rc;

    if (!row)
        return commit_err(c, sqlite3_extended_errcode(c->store->db));
    rc = fed_statement_bind(row, 1, compare->key);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(row);
    if (rc == SQLITE_ROW)
        revision = (uint64_t)sqlite3_column_int64(row, 0);
    fed_statement_give(c->store, FED_STATEMENT_GET_REVISION, row);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return commit_err(c, rc);
    if (revision != compare->revision)
        return fed_diag_set(c->diag, FED_ERR_CONFLICT,
            "the key is at revision %" PRIu64 ", not at %" PRIu64, revision, compare->revision);
    return FED_OK;
}

static int64_t log_id(const struct commit *c)
{
    return (int64_t)(c->revision << FED_DATABASE_LOG_SHIFT | c->n);
}

/* Revision and length of what is there; 0 and 0 when nothing is. */
static int was(
    struct fed_sqlite_store *store, struct fed_span key, int64_t *revision, uint64_t *len)
{
    sqlite3_stmt *row = fed_statement_take(store, FED_STATEMENT_WAS);
    int rc;

    *revision = 0;
    *len = 0;
    if (!row)
        return sqlite3_extended_errcode(store->db);
    rc = fed_statement_bind(row, 1, key);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(row);
    if (rc == SQLITE_ROW) {
        *revision = sqlite3_column_int64(row, 0);
        *len = (uint64_t)sqlite3_column_int64(row, 1);
    }
    fed_statement_give(store, FED_STATEMENT_WAS, row);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int done(
    struct fed_sqlite_store *store, enum fed_statement which, sqlite3_stmt *statement, int rc)
{
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    fed_statement_give(store, which, statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int log_put(struct commit *c, const struct fed_store_op *op)
{
    struct fed_sqlite_store *store = c->store;
    int64_t before_revision;
    uint64_t before_len;
    int rc = was(store, op->key, &before_revision, &before_len);
    sqlite3_stmt *statement;

    if (rc != SQLITE_OK)
        return rc;
    statement = fed_statement_take(store, FED_STATEMENT_LOG_PUT);
    if (!statement)
        return sqlite3_extended_errcode(store->db);
    rc = sqlite3_bind_int64(statement, 1, log_id(c));
    if (rc == SQLITE_OK)
        rc = fed_statement_bind(statement, 2, op->key);
    if (rc == SQLITE_OK)
        rc = fed_statement_bind(statement, 3, op->value);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(statement, 4, before_revision);
    rc = done(store, FED_STATEMENT_LOG_PUT, statement, rc);
    store->log_bytes += FED_DATABASE_LOG_ROW + op->key.len + op->value.len + before_len;
    return rc;
}

static int log_remove(struct commit *c, const struct fed_store_op *op)
{
    struct fed_sqlite_store *store = c->store;
    int64_t before_revision;
    uint64_t before_len;
    int rc = was(store, op->key, &before_revision, &before_len);
    sqlite3_stmt *statement;

    if (rc != SQLITE_OK || before_revision == 0)
        return rc;
    statement = fed_statement_take(store, FED_STATEMENT_LOG_REMOVE);
    if (!statement)
        return sqlite3_extended_errcode(store->db);
    rc = sqlite3_bind_int64(statement, 1, log_id(c));
    if (rc == SQLITE_OK)
        rc = fed_statement_bind(statement, 2, op->key);
    rc = done(store, FED_STATEMENT_LOG_REMOVE, statement, rc);
    store->log_bytes += FED_DATABASE_LOG_ROW + op->key.len + before_len;
    return rc;
}

static enum fed_err put_one(struct commit *c, const struct fed_store_op *op)
{
    struct fed_sqlite_store *store = c->store;
    int rc = store->history ? log_put(c, op) : SQLITE_OK;
    sqlite3_stmt *statement;

    if (rc != SQLITE_OK)
        return commit_err(c, rc);
    statement = fed_statement_take(store, FED_STATEMENT_PUT);
    if (!statement)
        return commit_err(c, sqlite3_extended_errcode(store->db));
    rc = fed_statement_bind(statement, 1, op->key);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(statement, 2, (int64_t)c->revision);
    if (rc == SQLITE_OK)
        rc = fed_statement_bind(statement, 3, op->value);
    rc = done(store, FED_STATEMENT_PUT, statement, rc);
    if (rc != SQLITE_OK)
        return commit_err(c, rc);
    c->n++;
    return FED_OK;
}

static enum fed_err remove_one(struct commit *c, const struct fed_store_op *op)
{
    struct fed_sqlite_store *store = c->store;
    int rc = store->history ? log_remove(c, op) : SQLITE_OK;
    sqlite3_stmt *statement;

    if (rc != SQLITE_OK)
        return commit_err(c, rc);
    statement = fed_statement_take(store, FED_STATEMENT_REMOVE);
    if (!statement)
        return commit_err(c, sqlite3_extended_errcode(store->db));
    rc = fed_statement_bind(statement, 1, op->key);
    rc = done(store, FED_STATEMENT_REMOVE, statement, rc);
    if (rc != SQLITE_OK)
        return commit_err(c, rc);
    if (sqlite3_changes(store->db) > 0)
        c->n++;
    return FED_OK;
}

static enum fed_err commit_fill(struct commit *c, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; i < n_compares && !err; i++)
        err = compare_one(c, &compares[i]);
    if (err == FED_ERR_CONFLICT)
        c->refused = true;
    for (size_t i = 0; i < n_ops && !err; i++)
        err = ops[i].remove ? remove_one(c, &ops[i]) : put_one(c, &ops[i]);
    return err;
}

/* ---- the transaction's ends ---- */

void fed_sqlite_undo(void *ctx)
{
    struct fed_sqlite_store *store = ctx;

    /* SQLite has rolled back by itself after some errors. */
    if (!sqlite3_get_autocommit(store->db))
        (void)fed_statement_run(store, FED_STATEMENT_ROLLBACK);
    store->revision = store->durable;
    store->log_bytes = store->durable_log_bytes;
}

/* Where the log must be cut so that it has a sixteenth less than its limit. */
static int find_cut(struct fed_sqlite_store *store, uint64_t *revision)
{
    uint64_t surplus = store->log_bytes - store->log_bytes_max + store->log_bytes_max / 16u;
    sqlite3_stmt *rows = fed_statement_take(store, FED_STATEMENT_LOG_OLDEST);
    uint64_t bytes = 0;
    int rc = SQLITE_DONE;

    *revision = 0;
    if (!rows)
        return sqlite3_extended_errcode(store->db);
    while (bytes < surplus && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        *revision = (uint64_t)sqlite3_column_int64(rows, 0) >> FED_DATABASE_LOG_SHIFT;
        bytes += (uint64_t)sqlite3_column_int64(rows, 1);
    }
    fed_statement_give(store, FED_STATEMENT_LOG_OLDEST, rows);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Forgets the oldest part of a log that has grown beyond its limit, with the transaction that is
 * about to end. *compacted becomes what it will be. */
static int trim(struct fed_sqlite_store *store, uint64_t *compacted)
{
    uint64_t bytes = 0;
    uint64_t cut = 0;
    int rc = SQLITE_OK;

    *compacted = store->compacted;
    if (store->log_bytes_max == 0 || store->log_bytes <= store->log_bytes_max)
        return SQLITE_OK;
    rc = find_cut(store, &cut);
    if (rc == SQLITE_OK && cut > 0)
        rc = fed_sqlite_forget(store, cut, &bytes);
    if (rc != SQLITE_OK || cut == 0)
        return rc;
    store->log_bytes -= bytes;
    *compacted = cut;
    return fed_statement_meta(store, "compacted", (int64_t)cut);
}

bool fed_sqlite_staged(void *ctx)
{
    const struct fed_sqlite_store *store = ctx;

    return store->revision != store->durable;
}

enum fed_err fed_sqlite_flush(void *ctx, struct fed_diag *diag)
{
    struct fed_sqlite_store *store = ctx;
    struct commit c = {.store = store, .diag = diag};
    uint64_t compacted = 0;
    enum fed_err err;
    int rc;

    if (!fed_sqlite_staged(store))
        return FED_OK;
    if (store->reading)
        return fed_diag_set(diag, FED_ERR_BUSY, "a flush from inside a read");
    rc = trim(store, &compacted);
    if (rc == SQLITE_OK)
        rc = fed_statement_meta(store, "revision", (int64_t)store->revision);
    if (rc == SQLITE_OK && store->history)
        rc = fed_statement_meta(store, "log_bytes", (int64_t)store->log_bytes);
    if (rc == SQLITE_OK)
        rc = fed_statement_run(store, FED_STATEMENT_COMMIT);
    if (rc == SQLITE_OK) {
        store->durable = store->revision;
        store->durable_log_bytes = store->log_bytes;
        store->compacted = compacted;
        return FED_OK;
    }
    err = commit_err(&c, rc);
    fed_sqlite_undo(store);
    return err;
}

static enum fed_err begin(struct commit *c)
{
    int rc = SQLITE_OK;

    if (!fed_sqlite_staged(c->store))
        rc = fed_statement_run(c->store, FED_STATEMENT_BEGIN);
    return rc == SQLITE_OK ? FED_OK : commit_err(c, rc);
}

enum fed_err fed_sqlite_stage(void *ctx, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops, uint64_t *revision,
    struct fed_diag *diag)
{
    struct fed_sqlite_store *store = ctx;
    struct commit c = {.store = store, .revision = store->revision + 1, .diag = diag};
    enum fed_err err = check_ops(store->mem, compares, n_compares, ops, n_ops, diag);

    if (err)
        return err;
    if (store->reading)
        return fed_diag_set(diag, FED_ERR_BUSY, "a commit from inside a read");
    err = begin(&c);
    if (!err)
        err = commit_fill(&c, compares, n_compares, ops, n_ops);
    if (!err && c.n > 0)
        store->revision = c.revision;
    if (!fed_sqlite_staged(store) || (err && !c.refused))
        fed_sqlite_undo(store);
    if (err)
        return err;
    if (revision)
        *revision = store->revision;
    return FED_OK;
}

enum fed_err fed_sqlite_commit(void *ctx, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops, uint64_t *revision,
    struct fed_diag *diag)
{
    uint64_t at = 0;
    enum fed_err err = fed_sqlite_stage(ctx, compares, n_compares, ops, n_ops, &at, diag);

    if (!err)
        err = fed_sqlite_flush(ctx, diag);
    if (!err && revision)
        *revision = at;
    return err;
}
