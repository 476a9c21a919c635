/* read.c - get, range, count, changes. */
#include "ports/sqlite/store.h"

static enum fed_err last_err(struct fed_sqlite_store *store)
{
    enum fed_err err = fed_database_err(store->db, sqlite3_extended_errcode(store->db));

    return err ? err : FED_ERR_INTERNAL;
}

static enum fed_err copy_value(sqlite3_stmt *row, struct fed_buf *value)
{
    size_t before = value->len;
    enum fed_err err;

    fed_buf_put(value, fed_statement_blob(row, 0));
    err = fed_buf_err(value);
    if (err)
        fed_buf_cut(value, before);
    return err;
}

enum fed_err fed_sqlite_get(
    void *ctx, struct fed_span key, struct fed_buf *value, uint64_t *revision)
{
    struct fed_sqlite_store *store = ctx;
    sqlite3_stmt *row = fed_statement_take(store, FED_STATEMENT_GET);
    enum fed_err err = FED_OK;
    int rc;

    if (!row)
        return last_err(store);
    rc = fed_statement_bind(row, 1, key);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(row);
    if (rc == SQLITE_ROW)
        err = copy_value(row, value);
    else
        err = rc == SQLITE_DONE ? FED_ERR_NOT_FOUND : fed_database_err(store->db, rc);
    if (!err && revision)
        *revision = (uint64_t)sqlite3_column_int64(row, 1);
    fed_statement_give(store, FED_STATEMENT_GET, row);
    return err;
}

static void item_of_range(sqlite3_stmt *row, struct fed_store_item *out)
{
    *out = (struct fed_store_item){.key = fed_statement_blob(row, 0),
        .value = fed_statement_blob(row, 1),
        .revision = (uint64_t)sqlite3_column_int64(row, 2)};
}

static void item_of_change(sqlite3_stmt *row, struct fed_store_item *out)
{
    *out = (struct fed_store_item){.key = fed_statement_blob(row, 0),
        .value = fed_statement_blob(row, 1),
        .revision = (uint64_t)sqlite3_column_int64(row, 2) >> FED_DATABASE_LOG_SHIFT,
        .deleted = sqlite3_column_int(row, 3) != 0};
}

/* Steps through the rows until each has seen enough. */
static enum fed_err each_row(struct fed_sqlite_store *store, sqlite3_stmt *rows,
    void (*item_of)(sqlite3_stmt *row, struct fed_store_item *out), fed_store_each *each,
    void *each_ctx)
{
    int rc;

    store->reading++;
    while ((rc = sqlite3_step(rows)) == SQLITE_ROW) {
        struct fed_store_item item;

        item_of(rows, &item);
        if (!each(each_ctx, &item)) {
            rc = SQLITE_DONE;
            break;
        }
    }
    store->reading--;
    return fed_database_err(store->db, rc);
}

enum fed_err fed_sqlite_range(void *ctx, struct fed_span from, struct fed_span to, size_t limit,
    fed_store_each *each, void *each_ctx)
{
    struct fed_sqlite_store *store = ctx;
    enum fed_statement which = to.len ? FED_STATEMENT_RANGE : FED_STATEMENT_RANGE_REST;
    uint64_t wanted = limit;
    int64_t at_most = wanted && wanted < INT64_MAX ? (int64_t)wanted : -1; /* SQLite's "all" */
    sqlite3_stmt *rows = fed_statement_take(store, which);
    enum fed_err err;
    int rc;

    if (!rows)
        return last_err(store);
    rc = fed_statement_bind(rows, 1, from);
    if (rc == SQLITE_OK && to.len)
        rc = fed_statement_bind(rows, 2, to);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(rows, 3, at_most);
    if (rc == SQLITE_OK)
        err = each_row(store, rows, item_of_range, each, each_ctx);
    else
        err = fed_database_err(store->db, rc);
    fed_statement_give(store, which, rows);
    return err;
}

enum fed_err fed_sqlite_count(void *ctx, struct fed_span from, struct fed_span to, size_t *out)
{
    struct fed_sqlite_store *store = ctx;
    enum fed_statement which = to.len ? FED_STATEMENT_COUNT : FED_STATEMENT_COUNT_REST;
    sqlite3_stmt *row = fed_statement_take(store, which);
    int rc;

    if (!row)
        return last_err(store);
    rc = fed_statement_bind(row, 1, from);
    if (rc == SQLITE_OK && to.len)
        rc = fed_statement_bind(row, 2, to);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(row);
    if (rc == SQLITE_ROW)
        *out = (size_t)sqlite3_column_int64(row, 0);
    fed_statement_give(store, which, row);
    return fed_database_err(store->db, rc);
}

enum fed_err fed_sqlite_changes(void *ctx, uint64_t since, struct fed_span from, struct fed_span to,
    fed_store_each *each, void *each_ctx)
{
    struct fed_sqlite_store *store = ctx;
    enum fed_statement which = to.len ? FED_STATEMENT_CHANGES : FED_STATEMENT_CHANGES_REST;
    sqlite3_stmt *rows;
    enum fed_err err;
    int rc;

    if (!store->history)
        return FED_ERR_UNSUPPORTED;
    if (since < store->compacted)
        return FED_ERR_GONE;
    if (since >= store->revision)
        return FED_OK;
    rows = fed_statement_take(store, which);
    if (!rows)
        return last_err(store);
    rc = sqlite3_bind_int64(rows, 1, (int64_t)((since + 1) << FED_DATABASE_LOG_SHIFT));
    if (rc == SQLITE_OK)
        rc = fed_statement_bind(rows, 2, from);
    if (rc == SQLITE_OK && to.len)
        rc = fed_statement_bind(rows, 3, to);
    if (rc == SQLITE_OK)
        err = each_row(store, rows, item_of_change, each, each_ctx);
    else
        err = fed_database_err(store->db, rc);
    fed_statement_give(store, which, rows);
    return err;
}
