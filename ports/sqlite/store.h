/* store.h - the open store, shared by the sources of this folder: connection, cached statements,
 * counters. */
#ifndef FEDLET_PORTS_SQLITE_STORE_H
#define FEDLET_PORTS_SQLITE_STORE_H

#include "ports/sqlite/database.h"

/* name, text */
#define FED_STATEMENT_LIST(X)                                                                      \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(GET, "SELECT value, revision FROM item WHERE key=?1")                                        \
    X(GET_REVISION, "SELECT revision FROM item WHERE key=?1")                                      \
    X(RANGE,                                                                                       \
        "SELECT key, value, revision FROM item WHERE key>=?1 AND key<?2 ORDER BY key LIMIT ?3")    \
    X(RANGE_REST, "SELECT key, value, revision FROM item WHERE key>=?1 ORDER BY key LIMIT ?3")     \
    X(COUNT, "SELECT count(*) FROM item WHERE key>=?1 AND key<?2")                                 \
    X(COUNT_REST, "SELECT count(*) FROM item WHERE key>=?1")                                       \
    X(PUT, "INSERT INTO item(key, revision, value) VALUES(?1, ?2, ?3)"                             \
           " ON CONFLICT(key) DO UPDATE SET revision=excluded.revision, value=excluded.value")     \
    X(REMOVE, "DELETE FROM item WHERE key=?1")                                                     \
    X(WAS, "SELECT revision, length(value) FROM item WHERE key=?1")                                \
    X(LOG_PUT, "INSERT INTO log(id, key, deleted, value, before, before_revision)"                 \
               " VALUES(?1, ?2, 0, ?3, (SELECT value FROM item WHERE key=?2), ?4)")                \
    X(LOG_REMOVE, "INSERT INTO log(id, key, deleted, value, before_revision)"                      \
                  " SELECT ?1, key, 1, value, revision FROM item WHERE key=?2")                    \
    X(CHANGES, "SELECT key, value, id, deleted, before_revision, before FROM log WHERE id>=?1 "    \
               "AND key>=?2 AND key<?3"                                                            \
               " ORDER BY id")                                                                     \
    X(CHANGES_REST, "SELECT key, value, id, deleted, before_revision, before FROM log"             \
                    " WHERE id>=?1 AND key>=?2 ORDER BY id")                                       \
    X(UNDO, "SELECT key, CASE WHEN deleted THEN value ELSE before END, before_revision, id"        \
            " FROM log INDEXED BY log_key WHERE key>=?1 AND key<?2 AND id>=?3 ORDER BY key, id")   \
    X(UNDO_REST, "SELECT key, CASE WHEN deleted THEN value ELSE before END, before_revision, id"   \
                 " FROM log INDEXED BY log_key WHERE key>=?1 AND id>=?3 ORDER BY key, id")         \
    X(MOVED, "SELECT coalesce(sum(CASE WHEN deleted THEN 1 ELSE -1 END), 0) FROM log"              \
             " INDEXED BY log_moved WHERE id>=?3 AND key>=?1 AND key<?2 AND " FED_DATABASE_MOVED)  \
    X(MOVED_REST, "SELECT coalesce(sum(CASE WHEN deleted THEN 1 ELSE -1 END), 0) FROM log"         \
                  " INDEXED BY log_moved WHERE id>=?3 AND key>=?1 AND " FED_DATABASE_MOVED)        \
    X(LOG_BYTES, "SELECT coalesce(sum" FED_DATABASE_LOG_BYTES ", 0) FROM log WHERE id<?1")         \
    X(LOG_OLDEST, "SELECT id, " FED_DATABASE_LOG_BYTES " FROM log ORDER BY id")                    \
    X(COMPACT, "DELETE FROM log WHERE id<?1")                                                      \
    X(META_SET, "UPDATE meta SET value=?2 WHERE name=?1")

enum fed_statement {
#define FED_STATEMENT_ENUM(name, text) FED_STATEMENT_##name,
    FED_STATEMENT_LIST(FED_STATEMENT_ENUM)
#undef FED_STATEMENT_ENUM
        FED_STATEMENT_N
};

struct fed_sqlite_store {
    struct fed_alloc *mem;
    struct fed_store port;
    sqlite3 *db;
    char *path;
    size_t path_size;
    bool history;
    uint64_t revision; /* staged commits included */
    uint64_t durable;  /* of the last COMMIT */
    uint64_t compacted;
    uint64_t log_bytes; /* staged changes included */
    uint64_t durable_log_bytes;
    uint64_t log_bytes_max; /* 0: no limit */
    uint32_t epoch;
    unsigned reading;                          /* nested calls of range and changes */
    sqlite3_stmt *statements[FED_STATEMENT_N]; /* NULL: not made yet, or lent */
};

/* Lends a statement without bindings, made at its first use (and again while the first one is
 * lent). NULL on failure, for which fed_database_err(db, sqlite3_errcode(db)) has the reason. */
sqlite3_stmt *fed_statement_take(struct fed_sqlite_store *store, enum fed_statement which);
void fed_statement_give(
    struct fed_sqlite_store *store, enum fed_statement which, sqlite3_stmt *statement);
/* The bytes must live until the statement is given back. */
int fed_statement_bind(sqlite3_stmt *statement, int at, struct fed_span bytes);
/* Takes, steps once and gives back a statement without parameters: SQLite's code. */
int fed_statement_run(struct fed_sqlite_store *store, enum fed_statement which);
/* Blob of a row; valid until the next step. */
struct fed_span fed_statement_blob(sqlite3_stmt *statement, int column);
/* Writes one number of the table meta; SQLite's code. */
int fed_statement_meta(struct fed_sqlite_store *store, const char *name, int64_t value);

/* Removes the log up to and including a revision, inside a transaction; how many bytes it had. */
int fed_sqlite_forget(struct fed_sqlite_store *store, uint64_t revision, uint64_t *bytes);
/* Ends what was begun without keeping it. */
void fed_sqlite_undo(void *ctx);

/* The members of struct fed_store. */
enum fed_err fed_sqlite_get(
    void *ctx, struct fed_span key, struct fed_buf *value, uint64_t *revision);
enum fed_err fed_sqlite_range(void *ctx, struct fed_span from, struct fed_span to, size_t limit,
    fed_store_each *each, void *each_ctx);
enum fed_err fed_sqlite_count(void *ctx, struct fed_span from, struct fed_span to, size_t *out);
enum fed_err fed_sqlite_range_at(void *ctx, uint64_t revision, struct fed_span from,
    struct fed_span to, size_t limit, fed_store_each *each, void *each_ctx);
enum fed_err fed_sqlite_count_at(
    void *ctx, uint64_t revision, struct fed_span from, struct fed_span to, size_t *out);
enum fed_err fed_sqlite_commit(void *ctx, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops, uint64_t *revision,
    struct fed_diag *diag);
enum fed_err fed_sqlite_stage(void *ctx, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops, uint64_t *revision,
    struct fed_diag *diag);
enum fed_err fed_sqlite_flush(void *ctx, struct fed_diag *diag);
bool fed_sqlite_staged(void *ctx);
enum fed_err fed_sqlite_changes(void *ctx, uint64_t since, struct fed_span from, struct fed_span to,
    fed_store_each *each, void *each_ctx);
enum fed_err fed_sqlite_compact(void *ctx, uint64_t revision);

#endif
