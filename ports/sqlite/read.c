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
        .deleted = sqlite3_column_int(row, 3) != 0,
        .existed = sqlite3_column_int64(row, 4) > 0,
        .before = fed_statement_blob(row, 5)};
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

/* ---- as of a past revision ---- */

/* Two lists side by side, each in key order: what is there now, and what each key that changed
 * since then was before its first change. The second one is right where both have a key. */
struct past {
    struct fed_sqlite_store *store;
    enum fed_statement which_now;
    enum fed_statement which_undo;
    sqlite3_stmt *now;
    sqlite3_stmt *undo;
    bool has_now;
    bool has_undo;
    struct fed_buf last; /* the key whose first change was seen */
};

static int past_step_now(struct past *p)
{
    int rc = sqlite3_step(p->now);

    p->has_now = rc == SQLITE_ROW;
    return p->has_now || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* To the first change of the next key. */
static int past_step_undo(struct past *p)
{
    for (;;) {
        int rc = sqlite3_step(p->undo);
        struct fed_span key;

        p->has_undo = rc == SQLITE_ROW;
        if (rc != SQLITE_ROW)
            return rc == SQLITE_DONE ? SQLITE_OK : rc;
        key = fed_statement_blob(p->undo, 0);
        if (fed_span_eq(key, fed_buf_span(&p->last)))
            continue;
        fed_buf_clear(&p->last);
        fed_buf_put(&p->last, key);
        return fed_buf_err(&p->last) ? SQLITE_NOMEM : SQLITE_OK;
    }
}

static int past_bind_undo(
    struct past *p, uint64_t revision, struct fed_span from, struct fed_span to)
{
    int rc = fed_statement_bind(p->undo, 1, from);

    if (rc == SQLITE_OK && to.len)
        rc = fed_statement_bind(p->undo, 2, to);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(p->undo, 3, (int64_t)((revision + 1) << FED_DATABASE_LOG_SHIFT));
    return rc;
}

static int past_bind(struct past *p, uint64_t revision, struct fed_span from, struct fed_span to)
{
    int rc = fed_statement_bind(p->now, 1, from);

    if (rc == SQLITE_OK && to.len)
        rc = fed_statement_bind(p->now, 2, to);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(p->now, 3, -1);
    if (rc == SQLITE_OK)
        rc = past_bind_undo(p, revision, from, to);
    if (rc == SQLITE_OK)
        rc = past_step_now(p);
    return rc == SQLITE_OK ? past_step_undo(p) : rc;
}

static void past_close(struct past *p)
{
    if (p->now)
        fed_statement_give(p->store, p->which_now, p->now);
    if (p->undo)
        fed_statement_give(p->store, p->which_undo, p->undo);
    fed_buf_fini(&p->last);
}

static enum fed_err past_open(struct past *p, struct fed_sqlite_store *store, uint64_t revision,
    struct fed_span from, struct fed_span to)
{
    int rc;

    *p = (struct past){.store = store,
        .which_now = to.len ? FED_STATEMENT_RANGE : FED_STATEMENT_RANGE_REST,
        .which_undo = to.len ? FED_STATEMENT_UNDO : FED_STATEMENT_UNDO_REST};
    fed_buf_init(&p->last, store->mem, FED_STORE_KEY_MAX);
    p->now = fed_statement_take(store, p->which_now);
    p->undo = p->now ? fed_statement_take(store, p->which_undo) : NULL;
    if (!p->undo)
        return last_err(store);
    rc = past_bind(p, revision, from, to);
    return fed_database_err(store->db, rc);
}

/* Which list has the next key: below 0 now, above 0 undo, 0 both. */
static int past_order(const struct past *p)
{
    if (!p->has_now)
        return 1;
    if (!p->has_undo)
        return -1;
    return fed_span_cmp(fed_statement_blob(p->now, 0), fed_statement_blob(p->undo, 0));
}

static int past_advance(struct past *p, int order)
{
    int rc = order <= 0 ? past_step_now(p) : SQLITE_OK;

    return rc == SQLITE_OK && order >= 0 ? past_step_undo(p) : rc;
}

/* Every key that was there then, until each has seen enough. */
static enum fed_err past_each(struct past *p, size_t limit, fed_store_each *each, void *each_ctx)
{
    size_t n = 0;
    int rc = SQLITE_OK;

    p->store->reading++;
    while (rc == SQLITE_OK && (p->has_now || p->has_undo) && (limit == 0 || n < limit)) {
        int order = past_order(p);
        sqlite3_stmt *row = order < 0 ? p->now : p->undo;
        struct fed_store_item item;

        if (sqlite3_column_int64(row, 2) > 0) {
            n++;
            item_of_range(row, &item);
            if (!each(each_ctx, &item))
                break;
        }
        rc = past_advance(p, order);
    }
    p->store->reading--;
    return fed_database_err(p->store->db, rc);
}

static enum fed_err past_check(const struct fed_sqlite_store *store, uint64_t revision)
{
    if (!store->history)
        return FED_ERR_UNSUPPORTED;
    if (revision > store->revision)
        return FED_ERR_INVALID;
    return revision < store->compacted ? FED_ERR_GONE : FED_OK;
}

enum fed_err fed_sqlite_range_at(void *ctx, uint64_t revision, struct fed_span from,
    struct fed_span to, size_t limit, fed_store_each *each, void *each_ctx)
{
    struct fed_sqlite_store *store = ctx;
    struct past p;
    enum fed_err err = past_check(store, revision);

    if (err)
        return err;
    err = past_open(&p, store, revision, from, to);
    if (!err)
        err = past_each(&p, limit, each, each_ctx);
    past_close(&p);
    return err;
}

/* How many more keys there were at that revision than now: those removed since, less those made. */
static enum fed_err moved_since(struct fed_sqlite_store *store, uint64_t revision,
    struct fed_span from, struct fed_span to, int64_t *out)
{
    enum fed_statement which = to.len ? FED_STATEMENT_MOVED : FED_STATEMENT_MOVED_REST;
    sqlite3_stmt *row = fed_statement_take(store, which);
    int rc;

    if (!row)
        return last_err(store);
    rc = fed_statement_bind(row, 1, from);
    if (rc == SQLITE_OK && to.len)
        rc = fed_statement_bind(row, 2, to);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(row, 3, (int64_t)((revision + 1) << FED_DATABASE_LOG_SHIFT));
    if (rc == SQLITE_OK)
        rc = sqlite3_step(row);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(row, 0);
    fed_statement_give(store, which, row);
    return fed_database_err(store->db, rc);
}

enum fed_err fed_sqlite_count_at(
    void *ctx, uint64_t revision, struct fed_span from, struct fed_span to, size_t *out)
{
    struct fed_sqlite_store *store = ctx;
    int64_t moved = 0;
    size_t now = 0;
    enum fed_err err = past_check(store, revision);

    if (!err)
        err = fed_sqlite_count(store, from, to, &now);
    if (!err)
        err = moved_since(store, revision, from, to, &moved);
    if (!err)
        *out = (size_t)((int64_t)now + moved);
    return err;
}

/* ---- changes ---- */

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
